/* The HTTP/1.1 server with whatever bytes, in two pieces, over loopback: it must answer or hang up, and survive. The
 * first byte says where the pieces are cut. */
#include "loopback.h"
#include "net/http.h"

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
    int fd = loopback_connect(port);
    size_t first = 1 + p[0] % (n - 1);
    send(fd, p + 1, first, MSG_NOSIGNAL);
    send(fd, p + 1 + first, n - 1 - first, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    loopback_drain(fd);
    close(fd);
    return 0;
}
