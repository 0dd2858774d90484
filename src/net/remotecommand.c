#include "net/remotecommand.h"
#include "base/str.h"
#include "net/http_proxy.h"
#include "net/spdy.h"
#include "net/websocket.h"
#include <stdio.h>

#define PROTOCOL_V5 "v5.channel.k8s.io"
#define TUNNELED "SPDY/3.1+portforward.k8s.io"
#define HIGH_WATER (256 * 1024)
#define DIAL_TIMEOUT SECONDS(30)
#define DEFAULT_IDLE_TIMEOUT SECONDS(4 * 3600)

/* Channels of the WebSocket protocols, in the order in which the streams are opened towards the runtime. */
enum channel { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE, CHANNELS, CHANNEL_CLOSE = 255 };
static const struct {
    enum channel channel;
    const char *name;
} stream_types[] = {{CHANNEL_ERROR, "error"},
                    {CHANNEL_STDIN, "stdin"},
                    {CHANNEL_STDOUT, "stdout"},
                    {CHANNEL_STDERR, "stderr"},
                    {CHANNEL_RESIZE, "resize"}};

/* One translated session: a WebSocket towards the client, a SPDY connection towards the runtime. It ends when either does; the
 * memory goes when both have. */
struct session {
    struct http_exchange *x; /* until the upgrade */
    struct http_call *call;
    struct remotecommand options;
    struct websocket *ws;
    struct stream *backend;
    struct spdy *spdy; /* NULL for tunnelled port-forward: the client's own SPDY passes through */
    struct spdy_stream *streams[CHANNELS];
    struct loop_timer *idle;
    int64_t last; /* monotonic time of the last byte */
};

static void session_free(struct session *s) {
    if (s->ws != NULL || s->backend != NULL) return;
    if (s->idle != NULL) loop_timer_cancel(s->idle);
    spdy_free(s->spdy);
    free(s);
}

static void close_both(struct session *s) {
    if (s->ws != NULL) websocket_close(s->ws, 1000, "");
    if (s->backend != NULL) stream_close(s->backend);
}

static void on_idle(void *arg) {
    struct session *s = arg;
    int64_t left = s->last + s->options.idle_timeout - clock_monotonic(&clock_real);
    s->idle = loop_timer_start(stream_loop(s->backend), left > 0 ? left : SECONDS(60), on_idle, s);
    if (left <= 0) close_both(s);
}

static void touch(struct session *s) { s->last = clock_monotonic(&clock_real); }

/* ---- from the runtime to the client ---- */

static void to_client(struct session *s, int channel, const void *p, size_t n) {
    if (s->ws == NULL) return;
    websocket_send(s->ws, channel, p, n);
    if (websocket_pending(s->ws) > HIGH_WATER) stream_pause(s->backend, true);
}

static enum channel channel_of(const struct session *s, const struct spdy_stream *t) {
    enum channel c = CHANNEL_STDIN;
    while (c < CHANNELS && s->streams[c] != t) c++;
    return c;
}

static void forget(struct session *s, struct spdy_stream *t) {
    enum channel c = channel_of(s, t);
    if (c < CHANNELS) s->streams[c] = NULL;
}

static void spdy_stream_data(struct spdy_stream *t, const void *p, size_t n, void *arg) {
    struct session *s = arg;
    enum channel c = channel_of(s, t);
    if (n > 0) return to_client(s, (int)c, p, n);
    forget(s, t);
    spdy_end(t);
}

static void spdy_stream_reset(struct spdy_stream *t, uint32_t status, void *arg) {
    (void)status;
    forget(arg, t);
}

static void spdy_send(const void *p, size_t n, void *arg) {
    struct session *s = arg;
    if (s->backend != NULL) stream_write(s->backend, p, n);
}

static void backend_data(struct stream *stream, const void *p, size_t n, void *arg) {
    struct session *s = arg;
    touch(s);
    if (n == 0) return stream_close(stream);
    if (s->spdy == NULL) return to_client(s, -1, p, n);
    cleanup_error struct error *e = spdy_input(s->spdy, p, n);
    if (e != NULL) stream_close(stream);
}

static void backend_drain(struct stream *stream, void *arg) {
    (void)stream;
    struct session *s = arg;
    if (s->ws != NULL) websocket_pause(s->ws, false);
}

static void backend_closed(struct stream *stream, const struct error *e, void *arg) {
    (void)stream, (void)e;
    struct session *s = arg;
    s->backend = NULL;
    close_both(s);
    session_free(s);
}

/* ---- from the client to the runtime ---- */

static void channel_message(struct session *s, unsigned channel, const char *p, size_t n) {
    if (channel == CHANNEL_CLOSE) {
        unsigned closed = n > 0 ? (uint8_t)p[0] : CHANNELS;
        if (closed == CHANNEL_STDIN && s->streams[closed] != NULL) spdy_end(s->streams[closed]);
        return;
    }
    bool writable = channel == CHANNEL_STDIN || channel == CHANNEL_RESIZE;
    if (writable && s->streams[channel] != NULL) spdy_write(s->streams[channel], p, n);
}

static void client_message(struct websocket *w, const void *p, size_t n, void *arg) {
    struct session *s = arg;
    touch(s);
    if (s->backend == NULL) return;
    if (s->spdy == NULL) stream_write(s->backend, p, n);
    else if (n > 0) channel_message(s, *(const uint8_t *)p, (const char *)p + 1, n - 1);
    if (stream_pending(s->backend) > HIGH_WATER) websocket_pause(w, true);
}

static void client_drain(struct websocket *w, void *arg) {
    (void)w;
    struct session *s = arg;
    if (s->backend != NULL) stream_pause(s->backend, false);
}

static void client_closed(struct websocket *w, const struct error *e, void *arg) {
    (void)w, (void)e;
    struct session *s = arg;
    s->ws = NULL;
    close_both(s);
    session_free(s);
}

/* ---- the beginning ---- */

static void open_streams(struct session *s) {
    static const struct spdy_stream_callbacks callbacks = {.data = spdy_stream_data, .reset = spdy_stream_reset};
    const struct remotecommand *o = &s->options;
    const bool wanted[CHANNELS] = {o->in, o->out, o->err && !o->tty, true, o->tty};
    s->spdy = spdy_new(false, &(struct spdy_callbacks){.send = spdy_send, .arg = s});
    for (size_t i = 0; i < ARRAY_LEN(stream_types); i++) {
        enum channel c = stream_types[i].channel;
        struct http_header header = {"streamtype", stream_types[i].name};
        if (wanted[c]) s->streams[c] = spdy_open(s->spdy, &header, 1, &callbacks, s);
    }
    /* an empty message on the first channel that the client reads says that the session is there */
    websocket_send(s->ws, o->out ? CHANNEL_STDOUT : o->err ? CHANNEL_STDERR : CHANNEL_ERROR, NULL, 0);
}

static void fail(struct http_exchange *x, int status, const char *message) {
    struct http_header type = {"content-type", "text/plain; charset=utf-8"};
    http_reply(x, status, &type, 1, message, strlen(message), NULL, NULL);
}

static void on_upgraded(struct http_call *k, const struct http_answer *a, struct stream *backend, void *arg) {
    static const struct stream_callbacks backend_callbacks = {
        .data = backend_data, .drain = backend_drain, .closed = backend_closed};
    static const struct websocket_callbacks client_callbacks = {
        .message = client_message, .drain = client_drain, .closed = client_closed};
    (void)k, (void)a;
    struct session *s = arg;
    struct http_exchange *x = TAKE(s->x);
    s->call = NULL;
    s->ws = websocket_accept(x, s->options.portforward ? TUNNELED : PROTOCOL_V5, &client_callbacks, s);
    if (s->ws == NULL) {
        fail(x, 400, "invalid WebSocket handshake");
        stream_close(backend);
        return session_free(s);
    }
    s->backend = backend;
    touch(s);
    s->idle = loop_timer_start(stream_loop(backend), s->options.idle_timeout, on_idle, s);
    stream_start(backend, &backend_callbacks, s);
    if (!s->options.portforward) open_streams(s);
}

/* The runtime's server does not upgrade: its answer's status is all there is to say. */
static void on_headers(struct http_call *k, const struct http_answer *a, void *arg) {
    struct session *s = arg;
    char message[128];
    snprintf(message, sizeof message, "unable to upgrade streaming request: the runtime's server answered %d %s", a->status,
             a->reason);
    fail(s->x, a->status >= 400 ? a->status : 502, message);
    http_call_cancel(k);
    free(s);
}

static void on_done(struct http_call *k, const struct error *e, void *arg) {
    (void)k;
    struct session *s = arg;
    fail(s->x, 502, e != NULL ? e->message : "unexpected end of the runtime's answer");
    free(s);
}

static void client_gone(struct http_exchange *x) {
    struct session *s = x->user;
    http_call_cancel(s->call);
    http_end(x);
    free(s);
}

/* Splits "http://host:port/path". */
static struct error *parse_url(struct arena *a, const char *url, struct net_target *target, const char **path) {
    const char *p = str_starts(url, "http://") ? url + strlen("http://") : NULL;
    const char *slash = p != NULL ? strchr(p, '/') : NULL;
    const char *colon = slash != NULL ? memrchr(p, ':', (size_t)(slash - p)) : NULL;
    int64_t port;
    if (colon == NULL || !str_to_int64(arena_strndup(a, colon + 1, (size_t)(slash - colon - 1)), &port) || port < 1 ||
        port > 65535)
        return error_new("the runtime gave no usable streaming address: \"%s\"", url);
    bool v6 = *p == '[';
    *target = (struct net_target){.host = arena_strndup(a, p + v6, (size_t)(colon - p) - 2 * v6), .port = (int)port};
    *path = arena_strdup(a, slash);
    return NULL;
}

static void translate(struct http_exchange *x, struct http_client *client, const struct remotecommand *r,
                      const struct net_target *t, const char *path) {
    static const struct http_call_callbacks callbacks = {.headers = on_headers, .upgraded = on_upgraded, .done = on_done};
    const struct http_header version = {"x-stream-protocol-version", r->portforward ? "portforward.k8s.io" : "v4.channel.k8s.io"};
    struct session *s = xcalloc(1, sizeof *s);
    s->x = x;
    s->options = *r;
    s->options.url = NULL;
    x->user = s;
    x->on_close = client_gone;
    s->call = http_call_start(client,
                              &(struct http_request){.target = *t,
                                                     .method = "POST",
                                                     .path = path,
                                                     .headers = &version,
                                                     .header_count = 1,
                                                     .upgrade = "SPDY/3.1",
                                                     .timeout = DIAL_TIMEOUT},
                              &callbacks, s);
}

void remotecommand_serve(struct http_exchange *x, struct http_client *client, const struct remotecommand *options) {
    struct remotecommand r = *options;
    struct net_target target;
    const char *path;
    if (r.idle_timeout == 0) r.idle_timeout = DEFAULT_IDLE_TIMEOUT;
    cleanup_error struct error *e = parse_url(&x->arena, r.url, &target, &path);
    if (e != NULL) return fail(x, 500, e->message);
    if (http_header(x, "upgrade") == NULL) return fail(x, 400, "Upgrade request required");
    if (websocket_requested(x) && websocket_offers(x, r.portforward ? TUNNELED : PROTOCOL_V5))
        return translate(x, client, &r, &target, path);
    http_proxy_serve(
        x, client, &(struct http_proxy){.target = target, .path = path, .timeout = DIAL_TIMEOUT, .idle_timeout = r.idle_timeout});
}
