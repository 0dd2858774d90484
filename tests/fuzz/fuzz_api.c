/* Whole requests to the API server, on a store in memory: paths, queries, headers, tokens, bodies of all media types, patches. Each
 * must be answered, with anything but a crash. Seeds are requests as they go over the wire. */
#include "apiserver/apiserver.h"
#include "loopback.h"
#include "net/http.h"

static int port;

static void start(void) {
    struct loop *l = loop_new("fuzz");
    struct store *store;
    struct apiserver *api;
    struct http_server *s;
    schema_init();
    struct error *e = store_open(&(struct store_config){.backend = "memory", .synchronous = true}, &store);
    const struct apiserver_config c = {.store = store, .issuer = "https://kubernetes.default.svc", .anonymous = true,
                                       .authorization_modes = (const char *const[]){"AlwaysAllow", NULL}};
    if (e == NULL) e = apiserver_new(&c, &api);
    const struct http_server_config h = {.address = "127.0.0.1", .max_body = 1 << 16, .handler = apiserver_handle, .arg = api, .idle_timeout = MSECONDS(50)};
    if (e == NULL) e = http_server_start(&h, &l, 1, &s);
    if (e != NULL) abort();
    port = http_server_port(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (port == 0) start();
    if (n == 0) return 0;
    int fd = loopback_connect(port);
    send(fd, p, n, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    loopback_drain(fd);
    close(fd);
    return 0;
}
