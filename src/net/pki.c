#include "net/pki_internal.h"
#include "base/clock.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <time.h>

#define FILE_MAX (1024 * 1024)

static const struct {
    unsigned usage;
    int bit; /* of keyUsage, RFC 5280 section 4.2.1.3; -1: the NID of an extended one */
    int nid;
} usages[] = {
    {PKI_DIGITAL_SIGNATURE, 0, 0},   {PKI_CONTENT_COMMITMENT, 1, 0},    {PKI_KEY_ENCIPHERMENT, 2, 0},
    {PKI_DATA_ENCIPHERMENT, 3, 0},   {PKI_KEY_AGREEMENT, 4, 0},         {PKI_CERT_SIGN, 5, 0},
    {PKI_CRL_SIGN, 6, 0},            {PKI_SERVER_AUTH, -1, NID_server_auth}, {PKI_CLIENT_AUTH, -1, NID_client_auth},
    {PKI_CODE_SIGNING, -1, NID_code_sign}, {PKI_EMAIL_PROTECTION, -1, NID_email_protect},
};

void pki_pair_free(struct pki_pair *p)
{
    free(TAKE(p->cert));
    free(TAKE(p->key));
}

/* ---- writing ---- */

static X509_NAME *make_name(const struct pki_subject *s)
{
    X509_NAME *n = X509_NAME_new();
    for (const char *const *o = s->organizations; o != NULL && *o != NULL; o++)
        X509_NAME_add_entry_by_NID(n, NID_organizationName, MBSTRING_UTF8, (const unsigned char *)*o, -1, -1, 0);
    if (s->common_name != NULL)
        X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8, (const unsigned char *)s->common_name, -1, -1, 0);
    return n;
}

static void add_text_names(GENERAL_NAMES *out, int type, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++) {
        ASN1_IA5STRING *v = ASN1_IA5STRING_new();
        ASN1_STRING_set(v, *list, -1);
        GENERAL_NAME *g = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(g, type, v);
        sk_GENERAL_NAME_push(out, g);
    }
}

static struct error *add_ips(GENERAL_NAMES *out, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++) {
        unsigned char raw[16];
        int n = inet_pton(AF_INET, *list, raw) == 1 ? 4 : inet_pton(AF_INET6, *list, raw) == 1 ? 16 : 0;
        if (n == 0) return error_new("certificate: \"%s\" is not an IP address", *list);
        ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(v, raw, n);
        GENERAL_NAME *g = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(g, GEN_IPADD, v);
        sk_GENERAL_NAME_push(out, g);
    }
    return NULL;
}

/* NULL names if the subject has none. */
static struct error *make_alt_names(const struct pki_subject *s, GENERAL_NAMES **out)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    add_text_names(names, GEN_DNS, s->dns);
    add_text_names(names, GEN_EMAIL, s->emails);
    add_text_names(names, GEN_URI, s->uris);
    struct error *e = add_ips(names, s->ips);
    if (e != NULL || sk_GENERAL_NAME_num(names) == 0) GENERAL_NAMES_free(TAKE(names));
    *out = names;
    return e;
}

static void add_usages(X509 *c, unsigned wanted)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    EXTENDED_KEY_USAGE *extended = sk_ASN1_OBJECT_new_null();
    for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
        if (!(wanted & usages[i].usage)) continue;
        if (usages[i].bit >= 0)
            ASN1_BIT_STRING_set_bit(bits, usages[i].bit, 1);
        else
            sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(usages[i].nid));
    }
    if (bits->length > 0) X509_add1_ext_i2d(c, NID_key_usage, bits, 1, 0);
    if (sk_ASN1_OBJECT_num(extended) > 0) X509_add1_ext_i2d(c, NID_ext_key_usage, extended, 0, 0);
    ASN1_BIT_STRING_free(bits);
    EXTENDED_KEY_USAGE_free(extended);
}

static void add_conf(X509 *c, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (e != NULL) X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
}

static void set_time(ASN1_TIME *t, int64_t ns) { ASN1_TIME_set(t, (time_t)(ns / NSEC_PER_SEC)); }

static void set_serial(X509 *c)
{
    BIGNUM *bn = BN_new();
    BN_rand(bn, 126, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(c));
    BN_free(bn);
}

/* All of a certificate but its issuer and signature. */
static X509 *make_cert(const X509_NAME *name, EVP_PKEY *key, GENERAL_NAMES *alt, X509 *issuer, const struct pki_subject *s)
{
    X509 *c = X509_new();
    X509_set_version(c, X509_VERSION_3);
    set_serial(c);
    set_time(X509_getm_notBefore(c), s->not_before);
    set_time(X509_getm_notAfter(c), s->not_after);
    X509_set_subject_name(c, name);
    X509_set_issuer_name(c, issuer != NULL ? X509_get_subject_name(issuer) : name);
    X509_set_pubkey(c, key);
    add_usages(c, s->usages);
    add_conf(c, issuer != NULL ? issuer : c, NID_basic_constraints, s->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (s->ca) add_conf(c, c, NID_subject_key_identifier, "hash");
    if (issuer != NULL) add_conf(c, issuer, NID_authority_key_identifier, "keyid");
    if (alt != NULL) X509_add1_ext_i2d(c, NID_subject_alt_name, alt, 0, 0);
    return c;
}

static struct error *read_cert(const char *pem, X509 **out)
{
    cleanup_bio BIO *b = BIO_new_mem_buf(pem, -1);
    *out = PEM_read_bio_X509(b, NULL, NULL, NULL);
    return *out != NULL ? NULL : pki_error("no certificate in the PEM data");
}

static struct error *finish_cert(X509 *c, EVP_PKEY *signer, char **out)
{
    if (X509_sign(c, signer, EVP_sha256()) <= 0) return pki_error("sign certificate");
    cleanup_bio BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, c);
    *out = pki_bio_take(b);
    return NULL;
}

struct error *pki_issue(const struct pki_pair *ca, const struct pki_subject *s, struct pki_pair *out)
{
    cleanup_x509 X509 *issuer = NULL;
    cleanup_pki_key struct pki_key *signer = NULL, *key = pki_key_new(PKI_P256);
    if (ca != NULL) {
        TRY(read_cert(ca->cert, &issuer));
        TRY(pki_key_parse(ca->key, &signer));
    }
    GENERAL_NAMES *alt;
    TRY(make_alt_names(s, &alt));
    X509_NAME *name = make_name(s);
    cleanup_x509 X509 *c = make_cert(name, key->pkey, alt, issuer, s);
    X509_NAME_free(name);
    GENERAL_NAMES_free(alt);
    TRY(finish_cert(c, signer != NULL ? signer->pkey : key->pkey, &out->cert));
    out->key = pki_key_pem(key);
    return NULL;
}

struct error *pki_ca_new(const char *common_name, int64_t not_before, int64_t not_after, struct pki_pair *out)
{
    struct pki_subject s = {.common_name = common_name, .ca = true, .not_before = not_before, .not_after = not_after,
                            .usages = PKI_DIGITAL_SIGNATURE | PKI_KEY_ENCIPHERMENT | PKI_CERT_SIGN};
    return pki_issue(NULL, &s, out);
}

struct error *pki_csr_new(const char *key_pem, const struct pki_subject *s, char **csr)
{
    cleanup_pki_key struct pki_key *key = NULL;
    TRY(pki_key_parse(key_pem, &key));
    GENERAL_NAMES *alt;
    TRY(make_alt_names(s, &alt));
    cleanup_req X509_REQ *r = X509_REQ_new();
    X509_NAME *name = make_name(s);
    X509_REQ_set_subject_name(r, name);
    X509_NAME_free(name);
    X509_REQ_set_pubkey(r, key->pkey);
    if (alt != NULL) {
        STACK_OF(X509_EXTENSION) *exts = NULL;
        X509V3_add1_i2d(&exts, NID_subject_alt_name, alt, 0, 0);
        X509_REQ_add_extensions(r, exts);
        sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
        GENERAL_NAMES_free(alt);
    }
    if (X509_REQ_sign(r, key->pkey, EVP_sha256()) <= 0) return pki_error("sign certificate request");
    cleanup_bio BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_REQ(b, r);
    *csr = pki_bio_take(b);
    return NULL;
}

/* ---- reading ---- */

/* NULL if there is a NUL inside: such names deceive whoever compares C strings. */
static const char *text(struct arena *a, const ASN1_STRING *s)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, s);
    char *t = n >= 0 && memchr(utf8, '\0', (size_t)n) == NULL ? arena_strndup(a, (char *)utf8, (size_t)n) : NULL;
    OPENSSL_free(utf8);
    return t;
}

/* All values of one attribute, ends with NULL; NULL on a bad one. */
static const char **name_values(struct arena *a, const X509_NAME *n, int nid)
{
    size_t count = 0;
    const char **list = arena_calloc(a, (size_t)X509_NAME_entry_count(n) + 1, sizeof(*list));
    for (int i = -1; (i = X509_NAME_get_index_by_NID(n, nid, i)) >= 0;) {
        list[count] = text(a, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(n, i)));
        if (list[count++] == NULL) return NULL;
    }
    return list;
}

static const char *ip_text(struct arena *a, const ASN1_OCTET_STRING *v)
{
    char s[INET6_ADDRSTRLEN];
    int family = ASN1_STRING_length(v) == 4 ? AF_INET : ASN1_STRING_length(v) == 16 ? AF_INET6 : 0;
    return family != 0 && inet_ntop(family, ASN1_STRING_get0_data(v), s, sizeof(s)) != NULL ? arena_strdup(a, s) : NULL;
}

static const char *const *alt_values(struct arena *a, const GENERAL_NAMES *names, int type, bool *bad)
{
    int n = sk_GENERAL_NAME_num(names);
    size_t count = 0;
    const char **list = arena_calloc(a, (size_t)MAX(n, 0) + 1, sizeof(*list));
    for (int i = 0; i < n; i++) {
        int t;
        const ASN1_STRING *v = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &t);
        if (t != type) continue;
        list[count] = type == GEN_IPADD ? ip_text(a, v) : text(a, v);
        *bad |= list[count++] == NULL;
    }
    return list;
}

static struct error *read_names(struct arena *a, const X509_NAME *name, GENERAL_NAMES *alt, struct pki_subject *out)
{
    bool bad = false;
    const char **cn = name_values(a, name, NID_commonName), **org = name_values(a, name, NID_organizationName);
    out->dns = alt_values(a, alt, GEN_DNS, &bad);
    out->ips = alt_values(a, alt, GEN_IPADD, &bad);
    out->emails = alt_values(a, alt, GEN_EMAIL, &bad);
    out->uris = alt_values(a, alt, GEN_URI, &bad);
    GENERAL_NAMES_free(alt);
    if (bad || cn == NULL || org == NULL) return error_new("certificate: malformed name");
    out->common_name = "";
    while (*cn != NULL) out->common_name = *cn++; /* the last one counts, as in Go */
    out->organizations = org;
    return NULL;
}

static unsigned read_usages(const ASN1_BIT_STRING *bits, const EXTENDED_KEY_USAGE *extended)
{
    unsigned found = 0;
    for (size_t i = 0; bits != NULL && i < ARRAY_LEN(usages); i++)
        if (usages[i].bit >= 0 && ASN1_BIT_STRING_get_bit(bits, usages[i].bit)) found |= usages[i].usage;
    for (int k = 0; k < sk_ASN1_OBJECT_num(extended); k++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(extended, k));
        unsigned one = PKI_OTHER_USAGE;
        for (size_t i = 0; i < ARRAY_LEN(usages); i++)
            if (usages[i].bit < 0 && usages[i].nid == nid) one = usages[i].usage;
        found |= one;
    }
    return found;
}

static struct error *read_request(const char *csr, X509_REQ **out)
{
    cleanup_bio BIO *b = BIO_new_mem_buf(csr, -1);
    cleanup_req X509_REQ *r = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
    if (r == NULL) return pki_error("certificate request");
    EVP_PKEY *key = X509_REQ_get0_pubkey(r);
    if (key == NULL || X509_REQ_verify(r, key) != 1) return pki_error("certificate request: bad signature");
    *out = TAKE(r);
    return NULL;
}

static GENERAL_NAMES *request_alt_names(X509_REQ *r, unsigned *found)
{
    STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(r);
    GENERAL_NAMES *alt = X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);
    ASN1_BIT_STRING *bits = X509V3_get_d2i(exts, NID_key_usage, NULL, NULL);
    EXTENDED_KEY_USAGE *extended = X509V3_get_d2i(exts, NID_ext_key_usage, NULL, NULL);
    if (found != NULL) *found = read_usages(bits, extended);
    ASN1_BIT_STRING_free(bits);
    EXTENDED_KEY_USAGE_free(extended);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    return alt;
}

struct error *pki_csr_parse(struct arena *a, const char *csr, struct pki_subject *out)
{
    cleanup_req X509_REQ *r = NULL;
    TRY(read_request(csr, &r));
    *out = (struct pki_subject){0};
    return read_names(a, X509_REQ_get_subject_name(r), request_alt_names(r, &out->usages), out);
}

struct error *pki_csr_sign(const struct pki_pair *ca, const char *csr, unsigned wanted, int64_t not_before, int64_t not_after,
                           char **cert)
{
    cleanup_req X509_REQ *r = NULL;
    cleanup_x509 X509 *issuer = NULL;
    cleanup_pki_key struct pki_key *signer = NULL;
    TRY(read_request(csr, &r));
    TRY(read_cert(ca->cert, &issuer));
    TRY(pki_key_parse(ca->key, &signer));
    struct pki_subject s = {.usages = wanted, .not_before = not_before, .not_after = not_after};
    GENERAL_NAMES *alt = request_alt_names(r, NULL);
    cleanup_x509 X509 *c = make_cert(X509_REQ_get_subject_name(r), X509_REQ_get0_pubkey(r), alt, issuer, &s);
    GENERAL_NAMES_free(alt);
    return finish_cert(c, signer->pkey, cert);
}

static int64_t read_time(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * NSEC_PER_SEC : 0;
}

static const char *hex_sha256(struct arena *a, const void *p, size_t n)
{
    uint8_t digest[32];
    sha256(p, n, digest);
    cleanup_buf struct buf b = {0};
    hex_encode(&b, digest, sizeof(digest));
    return arena_strdup(a, b.data);
}

static const char *serial_text(struct arena *a, const X509 *c)
{
    BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c), NULL);
    char *hex = BN_bn2hex(bn);
    const char *s = arena_strdup(a, hex != NULL ? hex : "");
    OPENSSL_free(hex);
    BN_free(bn);
    return s;
}

struct error *pki_cert_parse_der(struct arena *a, const void *der, size_t n, struct pki_cert *out)
{
    const unsigned char *p = der;
    cleanup_x509 X509 *c = d2i_X509(NULL, &p, (long)n);
    if (c == NULL) return pki_error("certificate");
    *out = (struct pki_cert){.der = arena_dup(a, der, n), .der_len = n, .sha256 = hex_sha256(a, der, n),
                             .serial = serial_text(a, c)};
    TRY(read_names(a, X509_get_subject_name(c), X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL), &out->subject));
    const char **issuer = name_values(a, X509_get_issuer_name(c), NID_commonName);
    out->issuer = issuer != NULL && issuer[0] != NULL ? issuer[0] : "";
    ASN1_BIT_STRING *bits = X509_get_ext_d2i(c, NID_key_usage, NULL, NULL);
    EXTENDED_KEY_USAGE *extended = X509_get_ext_d2i(c, NID_ext_key_usage, NULL, NULL);
    out->subject.usages = read_usages(bits, extended);
    ASN1_BIT_STRING_free(bits);
    EXTENDED_KEY_USAGE_free(extended);
    out->subject.ca = X509_check_ca(c) == 1;
    out->subject.not_before = read_time(X509_get0_notBefore(c));
    out->subject.not_after = read_time(X509_get0_notAfter(c));
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &spki);
    out->public_key_sha256 = len > 0 ? hex_sha256(a, spki, (size_t)len) : "";
    OPENSSL_free(spki);
    return NULL;
}

struct error *pki_cert_parse(struct arena *a, const char *pem, struct pki_cert *out)
{
    cleanup_x509 X509 *c = NULL;
    TRY(read_cert(pem, &c));
    unsigned char *der = NULL;
    int n = i2d_X509(c, &der);
    if (n <= 0) return pki_error("certificate");
    struct error *e = pki_cert_parse_der(a, der, (size_t)n, out);
    OPENSSL_free(der);
    return e;
}

/* ---- checking ---- */

static X509_STORE *make_store(const char *ca)
{
    X509_STORE *store = X509_STORE_new();
    cleanup_bio BIO *b = BIO_new_mem_buf(ca, -1);
    for (X509 *c; (c = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; X509_free(c)) X509_STORE_add_cert(store, c);
    ERR_clear_error();
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

static struct error *verify(X509 *c, X509_STORE *store, unsigned usage)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_CTX_init(ctx, store, c, NULL);
    if (usage == PKI_CLIENT_AUTH) X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
    if (usage == PKI_SERVER_AUTH) X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
    bool ok = X509_verify_cert(ctx) == 1;
    const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return ok ? NULL : error_new("certificate: %s", why);
}

struct error *pki_cert_check(const void *cert, size_t der_len, const char *ca, unsigned usage)
{
    const unsigned char *p = cert;
    cleanup_x509 X509 *c = NULL;
    if (der_len > 0)
        c = d2i_X509(NULL, &p, (long)der_len);
    else
        TRY(read_cert(cert, &c));
    if (c == NULL) return pki_error("certificate");
    X509_STORE *store = make_store(ca);
    struct error *e = verify(c, store, usage);
    X509_STORE_free(store);
    return e;
}

bool pki_pair_matches(const char *cert, const char *key)
{
    cleanup_x509 X509 *c = NULL;
    cleanup_pki_key struct pki_key *k = NULL;
    cleanup_error struct error *e1 = read_cert(cert, &c), *e2 = pki_key_parse(key, &k);
    bool ok = e1 == NULL && e2 == NULL && X509_check_private_key(c, k->pkey) == 1;
    ERR_clear_error();
    return ok;
}

/* ---- files ---- */

struct error *pki_pair_save(const struct pki_pair *p, const char *cert_path, const char *key_path)
{
    TRY(file_write_atomic(key_path, p->key, strlen(p->key), 0600));
    return file_write_atomic(cert_path, p->cert, strlen(p->cert), 0644);
}

struct error *pki_pair_load(const char *cert_path, const char *key_path, struct pki_pair *out)
{
    cleanup_buf struct buf cert = {0}, key = {0};
    TRY(file_read(cert_path, FILE_MAX, &cert));
    TRY(file_read(key_path, FILE_MAX, &key));
    if (!pki_pair_matches(buf_str(&cert), buf_str(&key)))
        return error_new("%s and %s do not belong together or are damaged", cert_path, key_path);
    *out = (struct pki_pair){buf_take(&cert), buf_take(&key)};
    return NULL;
}
