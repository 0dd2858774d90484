#include "net/tls.h"
#include "base/buf.h"
#include "base/str.h"
#include "net/pki_internal.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <arpa/inet.h>

struct tls_config {
    atomic_uint refs, generation;
    pthread_mutex_t lock; /* protects ctx */
    SSL_CTX *ctx;
    bool server;
};
struct tls_session {
    SSL *ssl;
    const char *in;
    size_t in_len;
    struct buf *out;
    char *server_name;
    char alpn[32];
};

/* ---- settings ---- */

static void cleanup_ctx_(SSL_CTX **c) { SSL_CTX_free(*c); }
#define cleanup_ctx CLEANUP(cleanup_ctx_)
static struct error *use_cert(SSL_CTX *ctx, const char *cert, const char *key)
{
    cleanup_bio BIO *cb = BIO_new_mem_buf(cert, -1), *kb = BIO_new_mem_buf(key, -1);
    cleanup_x509 X509 *leaf = PEM_read_bio_X509_AUX(cb, NULL, NULL, NULL);
    cleanup_pkey EVP_PKEY *k = PEM_read_bio_PrivateKey(kb, NULL, NULL, NULL);
    if (leaf == NULL || SSL_CTX_use_certificate(ctx, leaf) != 1) return pki_error("TLS certificate");
    if (k == NULL || SSL_CTX_use_PrivateKey(ctx, k) != 1) return pki_error("TLS private key");
    for (X509 *more; (more = PEM_read_bio_X509(cb, NULL, NULL, NULL)) != NULL;)
        if (SSL_CTX_add0_chain_cert(ctx, more) != 1) {
            X509_free(more);
            return pki_error("TLS certificate chain");
        }
    ERR_clear_error(); /* the end of the chain is an error to the reader */
    return SSL_CTX_check_private_key(ctx) == 1 ? NULL : pki_error("TLS certificate and private key do not match");
}

static struct error *use_ca(SSL_CTX *ctx, const char *ca, bool server)
{
    cleanup_bio BIO *b = BIO_new_mem_buf(ca, -1);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t n = 0;
    for (X509 *c; (c = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; n++) {
        X509_STORE_add_cert(store, c);
        if (server) SSL_CTX_add_client_CA(ctx, c);
        X509_free(c);
    }
    ERR_clear_error();
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* each certificate in the bundle is an anchor, as in Go */
    return n > 0 ? NULL : error_new("TLS: no certificate in the CA bundle");
}

/* "h2,http/1.1" to length-prefixed names. */
static size_t alpn_wire(const char *list, unsigned char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (len == 0 || len > 255 || n + 1 + len > size) return 0;
        out[n] = (unsigned char)len;
        memcpy(out + n + 1, p, len);
        n += 1 + len;
        p += len + (p[len] == ',');
    }
    return n;
}

#define ALPN_MAX 64
struct alpn {
    unsigned char names[ALPN_MAX];
    unsigned len;
};

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *arg)
{
    (void)ssl;
    const struct alpn *a = arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, a->names, a->len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void free_alpn(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long l, void *arg)
{
    (void)parent, (void)ad, (void)index, (void)l, (void)arg;
    free(p);
}

static int alpn_index;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *bio_method;
static void init_once(void);

static void set_alpn(SSL_CTX *ctx, const char *list, bool server)
{
    struct alpn *a = xcalloc(1, sizeof(*a));
    a->len = (unsigned)alpn_wire(list, a->names, sizeof(a->names));
    SSL_CTX_set_ex_data(ctx, alpn_index, a);
    if (a->len == 0) return;
    if (server)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, a);
    else
        SSL_CTX_set_alpn_protos(ctx, a->names, a->len);
}

/* A server goes on with a certificate that it cannot verify; the result stays readable (tls_peer.verified). */
static int on_verify_client(X509_STORE_CTX *s, void *arg)
{
    (void)arg;
    X509_verify_cert(s);
    return 1;
}

static void set_common(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
}

static struct error *make_ctx(const struct tls_options *o, bool server, SSL_CTX **out)
{
    pthread_once(&once, init_once);
    cleanup_ctx SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (ctx == NULL) return pki_error("TLS");
    set_common(ctx);
    set_alpn(ctx, o->alpn, server);
    if (server && (o->cert == NULL || o->key == NULL)) return error_new("TLS server: certificate and key are required");
    if (o->cert != NULL) TRY(use_cert(ctx, o->cert, o->key != NULL ? o->key : o->cert));
    if (o->ca != NULL)
        TRY(use_ca(ctx, o->ca, server));
    else if (!server && !o->insecure) /* else each handshake would read the machine's certificates for nothing */
        SSL_CTX_set_default_verify_paths(ctx);
    if (server) {
        SSL_CTX_set_verify(ctx, o->ca != NULL ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_cert_verify_callback(ctx, on_verify_client, NULL);
    } else {
        SSL_CTX_set_verify(ctx, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    }
    *out = TAKE(ctx);
    return NULL;
}

static struct error *config_new(const struct tls_options *o, bool server, struct tls_config **out)
{
    SSL_CTX *ctx;
    TRY(make_ctx(o, server, &ctx));
    struct tls_config *c = xcalloc(1, sizeof(*c));
    atomic_init(&c->refs, 1);
    pthread_mutex_init(&c->lock, NULL);
    c->ctx = ctx;
    c->server = server;
    *out = c;
    return NULL;
}

struct error *tls_config_server(const struct tls_options *o, struct tls_config **out) { return config_new(o, true, out); }
struct error *tls_config_client(const struct tls_options *o, struct tls_config **out) { return config_new(o, false, out); }

struct error *tls_config_reload(struct tls_config *c, const struct tls_options *o)
{
    SSL_CTX *ctx;
    TRY(make_ctx(o, c->server, &ctx));
    pthread_mutex_lock(&c->lock);
    SSL_CTX *old = c->ctx;
    c->ctx = ctx;
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&c->generation, 1);
    SSL_CTX_free(old);
    return NULL;
}

unsigned tls_config_generation(const struct tls_config *c) { return atomic_load(&c->generation); }

struct tls_config *tls_config_ref(struct tls_config *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void tls_config_unref(struct tls_config *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1) return;
    SSL_CTX_free(c->ctx);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- sessions ---- */

static int bio_read(BIO *b, char *p, int n)
{
    struct tls_session *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (t->in_len == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t take = MIN(t->in_len, (size_t)n);
    memcpy(p, t->in, take);
    t->in += take;
    t->in_len -= take;
    return (int)take;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct tls_session *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    buf_add(t->out, p, (size_t)n);
    return n;
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p)
{
    (void)b, (void)n, (void)p;
    return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static void init_once(void)
{
    alpn_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_alpn);
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
    BIO_meth_set_create(bio_method, bio_create);
}

static bool is_ip(const char *s)
{
    unsigned char a[16];
    return inet_pton(AF_INET, s, a) == 1 || inet_pton(AF_INET6, s, a) == 1;
}

static void expect_name(SSL *ssl, const char *name)
{
    if (is_ip(name)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
        return;
    }
    SSL_set_tlsext_host_name(ssl, name);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, name);
}

struct tls_session *tls_session_new(struct tls_config *c, const char *server_name, struct buf *out)
{
    struct tls_session *t = xcalloc(1, sizeof(*t));
    pthread_mutex_lock(&c->lock);
    t->ssl = SSL_new(c->ctx);
    pthread_mutex_unlock(&c->lock);
    BIO *b = BIO_new(bio_method);
    if (t->ssl == NULL || b == NULL) abort(); /* out of memory only */
    BIO_set_data(b, t);
    SSL_set_bio(t->ssl, b, b);
    t->out = out;
    if (c->server) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    if (server_name != NULL) {
        t->server_name = xstrdup(server_name);
        expect_name(t->ssl, server_name);
    }
    return t;
}

void tls_session_free(struct tls_session *t)
{
    SSL_free(t->ssl);
    free(t->server_name);
    free(t);
}

void tls_input(struct tls_session *t, const void *p, size_t n)
{
    t->in = p;
    t->in_len = n;
}

size_t tls_input_left(const struct tls_session *t, const char **p)
{
    *p = t->in;
    return t->in_len;
}

/* Go's words for what clients meet most. */
static const struct {
    long code;
    const char *text;
} verify_texts[] = {
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate signed by unknown authority"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate signed by unknown authority"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate signed by unknown authority"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate signed by unknown authority"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate signed by unknown authority"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate signed by unknown authority"},
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired or is not yet valid"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate has expired or is not yet valid"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate specifies an incompatible key usage"},
};

static const char *verify_text(long code)
{
    for (size_t i = 0; i < ARRAY_LEN(verify_texts); i++)
        if (verify_texts[i].code == code) return verify_texts[i].text;
    return X509_verify_cert_error_string(code);
}

static struct error *verify_error(struct tls_session *t, long code)
{
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return error_new("tls: failed to verify certificate: x509: certificate is not valid for %s", t->server_name);
    return error_new("tls: failed to verify certificate: x509: %s", verify_text(code));
}

static enum tls_result failed(struct tls_session *t, int status, struct error **e)
{
    switch (SSL_get_error(t->ssl, status)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return TLS_WANT;
    case SSL_ERROR_ZERO_RETURN: return TLS_EOF;
    }
    long verify = SSL_get_verify_result(t->ssl);
    bool distrust = !SSL_is_server(t->ssl) && verify != X509_V_OK && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE;
    *e = distrust ? verify_error(t, verify) : pki_error("tls");
    ERR_clear_error();
    return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls_session *t, struct error **e)
{
    ERR_clear_error();
    int status = SSL_do_handshake(t->ssl);
    return status == 1 ? TLS_OK : failed(t, status, e);
}

enum tls_result tls_read(struct tls_session *t, void *p, size_t size, size_t *n, struct error **e)
{
    ERR_clear_error();
    int status = SSL_read_ex(t->ssl, p, size, n);
    return status == 1 ? TLS_OK : failed(t, status, e);
}

struct error *tls_write(struct tls_session *t, const void *p, size_t n)
{
    ERR_clear_error();
    for (size_t written; n > 0; p = (const char *)p + written, n -= written) {
        int status = SSL_write_ex(t->ssl, p, n, &written);
        struct error *e = NULL;
        if (status != 1) return failed(t, status, &e) == TLS_FAILED ? e : error_new("tls: connection is closing");
    }
    return NULL;
}

void tls_close_notify(struct tls_session *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl)) SSL_shutdown(t->ssl);
    ERR_clear_error();
}

const char *tls_alpn(struct tls_session *t)
{
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(t->ssl, &p, &n);
    if (n == 0 || n >= sizeof(t->alpn)) return NULL;
    memcpy(t->alpn, p, n);
    t->alpn[n] = '\0';
    return t->alpn;
}

void tls_peer_describe(struct tls_session *t, struct arena *a, struct tls_peer *out)
{
    static const char *const none[] = {NULL};
    *out = (struct tls_peer){.common_name = "", .organizations = none};
    cleanup_x509 X509 *cert = SSL_get1_peer_certificate(t->ssl);
    if (cert == NULL) return;
    out->has_cert = true;
    long code = SSL_get_verify_result(t->ssl);
    out->verified = code == X509_V_OK && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE;
    if (!out->verified) out->problem = arena_strdup(a, verify_text(code));
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0) return;
    out->der = arena_dup(a, der, (size_t)len);
    out->der_len = (size_t)len;
    OPENSSL_free(der);
    struct pki_cert c;
    cleanup_error struct error *e = pki_cert_parse_der(a, out->der, out->der_len, &c);
    if (e != NULL) {
        out->verified = false;
        out->problem = arena_strdup(a, e->message);
        return;
    }
    out->common_name = c.subject.common_name;
    out->organizations = c.subject.organizations;
    out->not_after = c.subject.not_after;
    memcpy(out->sha256, c.sha256, sizeof(out->sha256));
}
