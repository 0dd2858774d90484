/* The HTTP/1.1 server with whatever bytes, in two pieces, over loopback: it must answer or hang up, and survive. The
 * first byte says where the pieces are cut.
 * sources: src/net/loop.c src/net/outq.c src/net/stream*.c src/net/tls.c src/net/pki*.c src/net/http_exchange.c src/net/http_server.c src/net/http[12].c src/base/*.c -luv -lssl -lcrypto -lnghttp2 -lhttp_parser -lpthread -lm */
#include "net/http.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int port;

static void echo(struct http_exchange *x, void *arg)
{
    (void)arg;
    http_begin(x, 200, x->headers, x->header_count);
    http_write(x, x->path, strlen(x->path), NULL, NULL);
    http_write(x, x->body, x->body_len, NULL, NULL);
    http_end(x);
}

static void start(void)
{
    struct loop *l = loop_new("fuzz");
    struct http_server_config c = {.address = "127.0.0.1", .max_body = 4096, .max_headers = 4096, .handler = echo,
                                   .idle_timeout = MSECONDS(50)};
    struct http_server *s;
    struct error *e = http_server_start(&c, &l, 1, &s);
    if (e != NULL) abort();
    port = http_server_port(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (port == 0) start();
    if (n < 2) return 0;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger reset = {.l_onoff = 1}; /* no TIME_WAIT: ports would run out */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) abort();
    size_t first = 1 + p[0] % (n - 1);
    send(fd, p + 1, first, MSG_NOSIGNAL);
    send(fd, p + 1 + first, n - 1 - first, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    char answer[4096];
    while (recv(fd, answer, sizeof(answer), 0) > 0) continue;
    close(fd);
    return 0;
}
