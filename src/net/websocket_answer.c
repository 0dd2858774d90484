#include "net/websocket_answer.h"
#include "base/str.h"
#include "net/http_internal.h"
#include "net/websocket.h"

struct messages {
    struct sink sink;
    struct websocket *ws; /* NULL before the beginning and after the end */
    enum websocket_framing framing;
    const char *protocol; /* in the exchange's arena; NULL: none */
    bool hello;           /* an empty message comes first */
    struct buf partial;   /* what has no end yet */
};

static struct messages *of(const struct sink *s) { return CONTAINER_OF((uintptr_t)s, struct messages, sink); }
static bool is_text(const struct messages *m) { return m->framing == WEBSOCKET_BASE64 || m->framing == WEBSOCKET_LINES; }
static void send_message(struct messages *m, const void *p, size_t n) { websocket_send_message(m->ws, is_text(m), p, n); }

/* ---- the connection's news ---- */

static void on_message(struct websocket *w, const void *p, size_t n, void *arg) { (void)w, (void)p, (void)n, (void)arg; } /* ignored */

static void on_drain(struct websocket *w, void *arg) {
    (void)w;
    const struct messages *m = arg;
    if (m->sink.x != NULL && m->sink.x->on_drain != NULL) m->sink.x->on_drain(&m->sink.x->pub);
}

static void messages_free(struct messages *m) {
    buf_free(&m->partial);
    free(m);
}

static void on_closed(struct websocket *w, const struct error *e, void *arg) {
    (void)w, (void)e;
    struct messages *m = arg;
    m->ws = NULL;
    struct exchange *x = m->sink.x;
    if (x == NULL) messages_free(m);
    else if (x->pub.on_close != NULL) x->pub.on_close(&x->pub);
}

/* ---- the answer ---- */

static bool messages_begin(struct sink *s) {
    static const struct websocket_callbacks callbacks = {.message = on_message, .drain = on_drain, .closed = on_closed};
    struct messages *m = of(s);
    m->ws = websocket_upgrade(&s->x->pub, m->protocol, &callbacks, m);
    if (m->ws != NULL && m->hello) send_message(m, "", 0);
    return m->ws != NULL;
}

static void send_base64(struct messages *m, const void *p, size_t n) {
    cleanup_buf struct buf text = {0};
    base64_encode(&text, p, n);
    send_message(m, text.data, text.len);
}

static void send_lines(struct messages *m) {
    const char *end;
    while (m->partial.len > 0 && (end = memchr(m->partial.data, '\n', m->partial.len)) != NULL) {
        size_t n = (size_t)(end + 1 - m->partial.data);
        send_message(m, m->partial.data, n);
        buf_consume(&m->partial, n);
    }
}

static void send_prefixed(struct messages *m) {
    while (m->partial.len >= 4) {
        const uint8_t *p = (const uint8_t *)m->partial.data;
        size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (m->partial.len - 4 < n) return;
        send_message(m, p + 4, n);
        buf_consume(&m->partial, 4 + n);
    }
}

static void messages_write(struct sink *s, const void *p, size_t n) {
    struct messages *m = of(s);
    if (m->ws == NULL || n == 0) return;
    switch (m->framing) {
    case WEBSOCKET_RAW: return send_message(m, p, n);
    case WEBSOCKET_BASE64: return send_base64(m, p, n);
    case WEBSOCKET_LINES: return buf_add(&m->partial, p, n), send_lines(m);
    case WEBSOCKET_PREFIXED: return buf_add(&m->partial, p, n), send_prefixed(m);
    }
}

static size_t messages_pending(const struct sink *s) {
    const struct messages *m = of(s);
    return m->ws != NULL ? websocket_pending(m->ws) : 0;
}

static void messages_end(struct sink *s) {
    struct messages *m = of(s);
    s->x = NULL;
    if (m->ws != NULL) websocket_close(m->ws, 1000, "");
    else messages_free(m);
}

/* ---- the handshake ---- */

bool websocket_asked(const struct http_exchange *x) {
    const char *connection = http_header(x, "connection");
    return websocket_requested(x) && connection != NULL && strcasestr(connection, "upgrade") != NULL;
}

static struct websocket_refusal check_handshake(const struct http_exchange *x) {
    const char *key = http_header(x, "sec-websocket-key"), *version = http_header(x, "sec-websocket-version");
    if (strcmp(x->method, "GET") != 0) return (struct websocket_refusal){405, "bad method"};
    if (key == NULL || *key == '\0') return (struct websocket_refusal){400, "mismatch challenge/response"};
    if (!str_eq(version, "13")) return (struct websocket_refusal){400, "missing or bad WebSocket Version"};
    return (struct websocket_refusal){0};
}

static void attach(struct http_exchange *pub, enum websocket_framing f, const char *protocol, bool hello) {
    static const struct sink_ops ops = {.begin = messages_begin, .write = messages_write, .pending = messages_pending, .end = messages_end};
    struct exchange *x = CONTAINER_OF(pub, struct exchange, pub);
    struct messages *m = xcalloc(1, sizeof *m);
    *m = (struct messages){.sink = {.ops = &ops, .x = x}, .framing = f, .protocol = protocol, .hello = hello};
    x->sink = &m->sink;
}

struct websocket_refusal websocket_answer_stream(struct http_exchange *x) {
    static const struct { const char *name; enum websocket_framing framing; } protocols[] = {
        {"binary.k8s.io", WEBSOCKET_RAW}, {"base64.binary.k8s.io", WEBSOCKET_BASE64}};
    struct websocket_refusal refusal = check_handshake(x);
    const char *offered = http_header(x, "sec-websocket-protocol");
    if (refusal.status != 0) return refusal;
    if (offered == NULL || *offered == '\0') return attach(x, WEBSOCKET_RAW, NULL, true), refusal;
    for (size_t n; *offered != '\0'; offered += n) {
        offered += strspn(offered, ", \t");
        n = strcspn(offered, ", \t");
        for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
            if (strlen(protocols[i].name) == n && memcmp(offered, protocols[i].name, n) == 0)
                return attach(x, protocols[i].framing, protocols[i].name, true), refusal;
    }
    return (struct websocket_refusal){403, ""};
}

struct websocket_refusal websocket_answer_messages(struct http_exchange *x, enum websocket_framing f) {
    struct websocket_refusal refusal = check_handshake(x);
    const char *origin = http_header(x, "origin"), *protocol = http_header(x, "sec-websocket-protocol");
    if (refusal.status != 0) return refusal;
    if (origin == NULL || *origin == '\0') return (struct websocket_refusal){403, ""};
    if (protocol != NULL && strchr(protocol, ',') != NULL) return (struct websocket_refusal){400, ""};
    attach(x, f, protocol != NULL && *protocol != '\0' ? protocol : NULL, false);
    return refusal;
}
