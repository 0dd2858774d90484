/* The HTTP/2 server's callbacks: whatever bytes behind the preface, over TLS on loopback. It must answer or hang up. */
#include "loopback.h"
#include "net/http.h"
#include "net/pki.h"
#include "net/tls.h"
#include <openssl/ssl.h>
#include <signal.h>

static int port;
static SSL_CTX *client;

static void echo(struct http_exchange *x, void *arg) {
    (void)arg;
    http_begin(x, 200, x->headers, x->header_count);
    http_write(x, x->path, strlen(x->path), NULL, NULL);
    http_write(x, x->body, x->body_len, NULL, NULL);
    http_end(x);
}

static void start(void) {
    cleanup_pki_pair struct pki_pair pair = {0};
    static struct tls_config *tls;
    struct http_server *s;
    struct loop *l = loop_new("fuzz");
    const struct pki_subject subject = {.common_name = "fuzz", .not_after = clock_wall(&clock_real) + SECONDS(86400)};
    struct error *e = pki_issue(NULL, &subject, &pair);
    if (e == NULL) e = tls_config_server(&(struct tls_options){.cert = pair.cert, .key = pair.key, .alpn = "h2"}, &tls);
    const struct http_server_config c = {.address = "127.0.0.1", .tls = tls, .max_body = 4096, .max_headers = 4096, .handler = echo, .idle_timeout = MSECONDS(50)};
    if (e == NULL) e = http_server_start(&c, &l, 1, &s);
    if (e != NULL) abort();
    port = http_server_port(s);
    signal(SIGPIPE, SIG_IGN); /* the server may hang up first */
    client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    char answer[4096];
    if (port == 0) start();
    if (n == 0) return 0;
    int fd = loopback_connect(port);
    SSL *ssl = SSL_new(client);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1) abort();
    SSL_write(ssl, preface, sizeof(preface)); /* the terminating zero is the last byte of the SETTINGS frame */
    SSL_write(ssl, p, (int)n);
    SSL_shutdown(ssl);
    while (SSL_read(ssl, answer, sizeof(answer)) > 0) continue;
    SSL_free(ssl);
    close(fd);
    return 0;
}
