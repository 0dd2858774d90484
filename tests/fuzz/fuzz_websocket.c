/* The WebSocket server's framing on a stream that is not there: what it calls of streams, timers and exchanges is below. */
#include "net/websocket.h"
#include <stdio.h>

struct stream {
    struct stream_callbacks cb;
    void *arg;
    bool closed;
};
void stream_start(struct stream *s, const struct stream_callbacks *cb, void *arg) {
    s->cb = *cb;
    s->arg = arg;
}
void stream_write(struct stream *s, const void *p, size_t n) { (void)s, (void)p, (void)n; }
size_t stream_pending(const struct stream *s) { return s->closed; }
void stream_pause(struct stream *s, bool paused) { (void)s, (void)paused; }
void stream_shutdown(struct stream *s) { (void)s; }
void stream_close(struct stream *s) { s->closed = true; }
struct loop *stream_loop(struct stream *s) { return (struct loop *)s; }
struct loop_timer *loop_timer_start(struct loop *l, int64_t delay, void (*fn)(void *arg), void *arg) {
    (void)delay, (void)fn, (void)arg;
    return (struct loop_timer *)l;
}
void loop_timer_cancel(struct loop_timer *t) { (void)t; }
const char *http_header(const struct http_exchange *x, const char *name) { return (void)x, name; }
struct stream *http_upgrade(struct http_exchange *x, const char *protocol, const struct http_header *headers, size_t count) {
    return (void)x, (void)protocol, (void)headers, (void)count, NULL;
}
void http_end(struct http_exchange *x) { (void)x; }

static void on_message(struct websocket *w, const void *p, size_t n, void *arg) {
    (void)arg;
    if (n > 0 && *(const uint8_t *)p == 'q') websocket_close(w, 1000, "bye");
    else websocket_send(w, 1, p, n);
}
static void on_closed(struct websocket *w, const struct error *e, void *arg) { (void)w, (void)e, (void)arg; }

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    static const struct websocket_callbacks callbacks = {.message = on_message, .closed = on_closed};
    struct stream s = {0};
    websocket_new(&s, &callbacks, NULL);
    for (size_t at = 0, part; at < n && !s.closed; at += part) {
        part = MIN(n - at, (size_t)p[at] % 16 + 1);
        s.cb.data(&s, p + at, part, s.arg);
    }
    s.cb.closed(&s, NULL, s.arg);
    return 0;
}
