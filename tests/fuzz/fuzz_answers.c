/* What servers answer to our clients: HTTP/1.1 (webhooks, probes, nodes), or gRPC (the container runtime) if the first byte is odd. The
 * client must come to an end, with an answer or an error. */
#include "loopback.h"
#include "net/grpc.h"
#include "net/http_client.h"
#include <pthread.h>

static const struct proto_field fields[] = {{"text", 1, PROTO_STRING}, {"numbers", 2, PROTO_INT64, PROTO_REPEATED}, {"labels", 3, PROTO_STRING, PROTO_MAP}};
static const struct proto_message message = {"Answer", fields, ARRAY_LEN(fields)};
static const struct proto_method method = {"/fuzz.Service/Ask", &message, &message, false, false};
static struct loop *loop;
static int port, listener;
static const uint8_t *bytes;
static size_t len;

static void *serve(void *arg) {
    int fd = accept(listener, NULL, NULL);
    if (send(fd, bytes, len, MSG_NOSIGNAL) < 0) return arg;
    shutdown(fd, SHUT_WR);
    loopback_drain(fd);
    close(fd);
    return arg;
}

static struct error *ask(struct arena *a, bool grpc) {
    const struct net_target target = {.host = "127.0.0.1", .port = port};
    if (!grpc) {
        struct http_answer answer;
        struct http_client *c = http_client_new(loop);
        const struct http_request r = {.target = target, .path = "/", .no_reuse = true, .total_timeout = SECONDS(2)};
        struct error *e = http_fetch(c, a, &r, 1 << 16, &answer);
        http_client_close(c);
        return e;
    }
    const struct json *answer;
    struct grpc_channel *c = grpc_open(&target);
    struct error *e = grpc_call(c, &method, a, json_make(a, "{'text':'x'}"), SECONDS(2), &answer);
    grpc_close(c);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    pthread_t thread;
    if (n < 2) return 0;
    if (loop == NULL) loop = loop_new("fuzz"), listener = loopback_listen(&port);
    bytes = p + 1, len = n - 1;
    pthread_create(&thread, NULL, serve, NULL);
    error_free(ask(&a, p[0] & 1));
    pthread_join(thread, NULL);
    return 0;
}
