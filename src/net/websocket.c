#include "net/websocket.h"
#include "base/str.h"
#include <openssl/evp.h>

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
#define LINGER SECONDS(5) /* for the peer's goodbye */

struct websocket {
    struct stream *stream;
    struct websocket_callbacks cb;
    void *arg;
    struct buf in, message;              /* unparsed bytes; the fragments so far */
    bool fragmented, close_sent, broken; /* within a message; we have said goodbye; because the peer broke the protocol */
    struct loop_timer *linger;
};

/* ---- the handshake ---- */

bool websocket_requested(const struct http_exchange *x) {
    const char *upgrade = http_header(x, "upgrade");
    return upgrade != NULL && strcasecmp(upgrade, "websocket") == 0;
}

/* Sec-WebSocket-Protocol may come in several headers, each a list. */
bool websocket_offers(const struct http_exchange *x, const char *protocol) {
    size_t n = strlen(protocol);
    for (size_t i = 0; i < x->header_count; i++) {
        if (strcmp(x->headers[i].name, "sec-websocket-protocol") != 0) continue;
        for (const char *p = x->headers[i].value; *p != '\0';) {
            p += strspn(p, ", \t");
            size_t len = strcspn(p, ", \t");
            if (len == n && memcmp(p, protocol, n) == 0) return true;
            p += len;
        }
    }
    return false;
}

static void accept_key(const char *key, struct buf *out) {
    cleanup_buf struct buf text = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;
    buf_printf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    EVP_Digest(text.data, text.len, digest, &n, EVP_sha1(), NULL);
    base64_encode(out, digest, n);
}

struct websocket *websocket_upgrade(struct http_exchange *x, const char *protocol, const struct websocket_callbacks *cb,
                                    void *arg) {
    const char *key = http_header(x, "sec-websocket-key"), *version = http_header(x, "sec-websocket-version");
    if (!websocket_requested(x) || key == NULL || !str_eq(version, "13")) return NULL;
    cleanup_buf struct buf accept = {0};
    accept_key(key, &accept);
    const struct http_header headers[] = {{"sec-websocket-accept", accept.data}, {"sec-websocket-protocol", protocol}};
    struct stream *s = http_upgrade(x, "websocket", headers, protocol != NULL ? 2 : 1);
    return s != NULL ? websocket_new(s, cb, arg) : NULL;
}

struct websocket *websocket_accept(struct http_exchange *x, const char *protocol, const struct websocket_callbacks *cb,
                                   void *arg) {
    struct websocket *w = websocket_upgrade(x, protocol, cb, arg);
    if (w != NULL) http_end(x);
    return w;
}

/* ---- sending ---- */

static void send_frame(struct websocket *w, enum opcode op, const void *prefix, size_t prefix_len, const void *p, size_t n) {
    uint8_t head[10] = {(uint8_t)(0x80 | op)};
    size_t len = prefix_len + n, head_len = len < 126 ? 2 : len <= UINT16_MAX ? 4 : 10;
    head[1] = (uint8_t)(len < 126 ? len : len <= UINT16_MAX ? 126 : 127);
    for (size_t i = 2; i < head_len; i++) head[i] = (uint8_t)((uint64_t)len >> 8 * (head_len - 1 - i));
    stream_write(w->stream, head, head_len);
    stream_write(w->stream, prefix, prefix_len);
    if (n > 0) stream_write(w->stream, p, n);
}

void websocket_send(struct websocket *w, int channel, const void *p, size_t n) {
    if (!w->close_sent) send_frame(w, BINARY, &(uint8_t){(uint8_t)channel}, channel >= 0, p, n);
}

void websocket_send_message(struct websocket *w, bool text, const void *p, size_t n) {
    if (!w->close_sent) send_frame(w, text ? TEXT : BINARY, NULL, 0, p, n);
}

size_t websocket_pending(const struct websocket *w) { return stream_pending(w->stream); }
void websocket_pause(struct websocket *w, bool paused) { stream_pause(w->stream, paused); }

static void on_linger(void *arg) {
    struct websocket *w = arg;
    w->linger = NULL;
    stream_close(w->stream);
}

void websocket_close(struct websocket *w, unsigned status, const char *reason) {
    if (w->close_sent) return;
    const uint8_t code[2] = {(uint8_t)(status >> 8), (uint8_t)status};
    send_frame(w, CLOSE, code, 2, reason, MIN(strlen(reason), 123));
    w->close_sent = true;
    w->linger = loop_timer_start(stream_loop(w->stream), LINGER, on_linger, w);
    stream_pause(w->stream, false);
}

/* ---- receiving ---- */

struct frame {
    bool fin;
    enum opcode op;
    size_t len, head; /* of the payload, of what stands before it */
    const uint8_t *mask;
};

/* False: more bytes are needed; `wrong` says what breaks the protocol. */
static bool parse_head(const uint8_t *p, size_t n, struct frame *f, const char **wrong) {
    if (n < 2) return false;
    uint64_t len = p[1] & 0x7f;
    size_t extra = len == 126 ? 2 : len == 127 ? 8 : 0;
    *f = (struct frame){.fin = (p[0] & 0x80) != 0, .op = (enum opcode)(p[0] & 0x0f), .head = 2 + extra + 4};
    if (n < f->head) return false;
    if (extra > 0) len = 0;
    for (size_t i = 0; i < extra; i++) len = len << 8 | p[2 + i];
    f->mask = p + 2 + extra;
    f->len = (size_t)MIN(len, (uint64_t)WEBSOCKET_MAX_MESSAGE + 1);
    if ((p[0] & 0x70) != 0) *wrong = "reserved bits are set";
    else if ((p[1] & 0x80) == 0) *wrong = "frames of a client must be masked";
    else if (f->op >= CLOSE && (!f->fin || len > 125)) *wrong = "control frame is too long";
    else if (f->op > BINARY && (f->op < CLOSE || f->op > PONG)) *wrong = "unknown opcode";
    return true;
}

/* What follows cannot be understood any more: only the end is waited for. */
static void fail(struct websocket *w, unsigned status, const char *reason) {
    w->broken = true;
    websocket_close(w, status, reason);
}

static void on_close_frame(struct websocket *w, const uint8_t *p, size_t n) {
    if (w->close_sent) return stream_close(w->stream);
    websocket_close(w, n >= 2 ? (unsigned)p[0] << 8 | p[1] : 1000, "");
    stream_shutdown(w->stream);
}

static void on_message_frame(struct websocket *w, const struct frame *f, const uint8_t *p) {
    if ((f->op == CONTINUATION) != w->fragmented) return fail(w, 1002, "unexpected continuation");
    if (w->message.len + f->len > WEBSOCKET_MAX_MESSAGE) return fail(w, 1009, "message is too big");
    w->fragmented = !f->fin;
    if (f->fin && w->message.len == 0) return w->cb.message(w, p, f->len, w->arg);
    buf_add(&w->message, p, f->len);
    if (!f->fin) return;
    w->cb.message(w, buf_str(&w->message), w->message.len, w->arg);
    buf_clear(&w->message);
}

static void on_frame(struct websocket *w, const struct frame *f, const uint8_t *p) {
    switch (f->op) {
    case PING:
        if (!w->close_sent) send_frame(w, PONG, NULL, 0, p, f->len);
        return;
    case PONG: return;
    case CLOSE: return on_close_frame(w, p, f->len);
    default:
        if (!w->close_sent) on_message_frame(w, f, p);
    }
}

static void unmask(uint8_t *p, size_t n, const uint8_t mask[4]) {
    for (size_t i = 0; i < n; i++) p[i] ^= mask[i % 4];
}

static void on_data(struct stream *s, const void *p, size_t n, void *arg) {
    struct websocket *w = arg;
    if (n == 0) return stream_close(s);
    if (w->broken) return;
    buf_add(&w->in, p, n);
    size_t done = 0;
    while (!w->broken) {
        uint8_t *at = (uint8_t *)w->in.data + done;
        size_t left = w->in.len - done;
        struct frame f;
        const char *wrong = NULL;
        if (!parse_head(at, left, &f, &wrong)) break;
        if (wrong != NULL) return fail(w, 1002, wrong);
        if (f.len > WEBSOCKET_MAX_MESSAGE) return fail(w, 1009, "message is too big");
        if (left < f.head + f.len) break;
        unmask(at + f.head, f.len, f.mask);
        on_frame(w, &f, at + f.head);
        done += f.head + f.len;
    }
    buf_consume(&w->in, done);
}

static void on_drain(struct stream *s, void *arg) {
    (void)s;
    struct websocket *w = arg;
    if (w->cb.drain != NULL) w->cb.drain(w, w->arg);
}

static void on_closed(struct stream *s, const struct error *e, void *arg) {
    (void)s;
    struct websocket *w = arg;
    if (w->linger != NULL) loop_timer_cancel(w->linger);
    w->cb.closed(w, e, w->arg);
    buf_free(&w->in);
    buf_free(&w->message);
    free(w);
}

struct websocket *websocket_new(struct stream *s, const struct websocket_callbacks *cb, void *arg) {
    static const struct stream_callbacks callbacks = {.data = on_data, .drain = on_drain, .closed = on_closed};
    struct websocket *w = xcalloc(1, sizeof *w);
    *w = (struct websocket){.stream = s, .cb = *cb, .arg = arg};
    stream_start(s, &callbacks, w);
    return w;
}
