/* A server on a loop of its own and blocking clients on sockets, plain or TLS. */
#pragma once
#include "base/clock.h"
#include "base/str.h"
#include "net/http.h"
#include "net/pki.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define OK(call)                                           \
    do {                                                   \
        cleanup_error struct error *ok_ = (call);          \
        if (ok_ != NULL) fail_msg("%s", ok_->message);     \
    } while (0)

static inline struct pki_subject subject_for(const char *cn, const char *const *orgs, unsigned usages, int64_t seconds)
{
    static const char *const dns[] = {"localhost", NULL}, *const ips[] = {"127.0.0.1", NULL};
    int64_t now = clock_wall(&clock_real);
    return (struct pki_subject){.common_name = cn, .organizations = orgs, .dns = dns, .ips = ips, .usages = usages,
                                .not_before = now - SECONDS(3600), .not_after = now + SECONDS(seconds)};
}

static inline struct pki_pair new_ca(const char *cn)
{
    struct pki_pair ca = {0};
    int64_t now = clock_wall(&clock_real);
    OK(pki_ca_new(cn, now - SECONDS(3600), now + SECONDS(3600), &ca));
    return ca;
}

static inline struct pki_pair issue(const struct pki_pair *ca, const char *cn, const char *const *orgs, unsigned usages, int64_t seconds)
{
    struct pki_pair p = {0};
    struct pki_subject s = subject_for(cn, orgs, usages, seconds);
    OK(pki_issue(ca, &s, &p));
    return p;
}

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct tls_config *tls;
    struct pki_pair ca, cert;
    int port;
    atomic_bool stopped;
};

static inline void fixture_up(struct fixture *f, bool tls, struct http_server_config c)
{
    *f = (struct fixture){.loop = loop_new("test")};
    c.address = "127.0.0.1";
    if (c.max_body == 0) c.max_body = 1000;
    if (tls) {
        f->ca = new_ca("test-ca");
        f->cert = issue(&f->ca, "server", NULL, PKI_DIGITAL_SIGNATURE | PKI_SERVER_AUTH, 3600);
        struct tls_options o = {.cert = f->cert.cert, .key = f->cert.key, .ca = f->ca.cert, .alpn = "h2,http/1.1"};
        OK(tls_config_server(&o, &f->tls));
        c.tls = f->tls;
    }
    OK(http_server_start(&c, &f->loop, 1, &f->server));
    f->port = http_server_port(f->server);
}

static inline void fixture_stopped(void *arg) { atomic_store(&((struct fixture *)arg)->stopped, true); }

/* Fails (aborts in loop_stop) if a handle stays open. */
static inline void fixture_down(struct fixture *f)
{
    http_server_stop(f->server, MSECONDS(200), fixture_stopped, f);
    for (int i = 0; i < 5000 && !atomic_load(&f->stopped); i++) usleep(1000);
    assert_true(atomic_load(&f->stopped));
    loop_stop(f->loop);
    tls_config_unref(f->tls);
    pki_pair_free(&f->ca);
    pki_pair_free(&f->cert);
}

static inline int dial(int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static inline void send_text(int fd, const char *s) { assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), strlen(s)); }

/* Until the server closes, or (until != NULL) until that text has come. */
static inline char *receive(int fd, const char *until)
{
    struct buf b = {0};
    char chunk[4096];
    for (ssize_t n; until == NULL || strstr(buf_str(&b), until) == NULL;) {
        n = recv(fd, chunk, sizeof(chunk), 0);
        if (n <= 0) break;
        buf_add(&b, chunk, (size_t)n);
    }
    return b.data != NULL ? buf_take(&b) : xstrdup("");
}

static inline char *exchange_text(int port, const char *request)
{
    int fd = dial(port);
    send_text(fd, request);
    char *answer = receive(fd, NULL);
    close(fd);
    return answer;
}

/* A blocking TLS client. The certificate is optional. */
static inline SSL *dial_tls(struct fixture *f, const struct pki_pair *client, const char *alpn, SSL_CTX **ctx)
{
    *ctx = SSL_CTX_new(TLS_client_method());
    if (client != NULL) {
        BIO *c = BIO_new_mem_buf(client->cert, -1), *k = BIO_new_mem_buf(client->key, -1);
        X509 *x = PEM_read_bio_X509(c, NULL, NULL, NULL);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
        SSL_CTX_use_certificate(*ctx, x);
        SSL_CTX_use_PrivateKey(*ctx, key);
        X509_free(x);
        EVP_PKEY_free(key);
        BIO_free(c);
        BIO_free(k);
    }
    unsigned char wire[16] = {(unsigned char)strlen(alpn)};
    memcpy(wire + 1, alpn, strlen(alpn));
    SSL *ssl = SSL_new(*ctx);
    SSL_set_alpn_protos(ssl, wire, wire[0] + 1u);
    SSL_set_fd(ssl, dial(f->port));
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static inline void hang_up(SSL *ssl, SSL_CTX *ctx)
{
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static inline char *exchange_tls(struct fixture *f, const struct pki_pair *client, const char *request)
{
    SSL_CTX *ctx;
    SSL *ssl = dial_tls(f, client, "http/1.1", &ctx);
    SSL_write(ssl, request, (int)strlen(request));
    struct buf b = {0};
    char chunk[4096];
    for (int n; (n = SSL_read(ssl, chunk, sizeof(chunk))) > 0;) buf_add(&b, chunk, (size_t)n);
    hang_up(ssl, ctx);
    return b.data != NULL ? buf_take(&b) : xstrdup("");
}
