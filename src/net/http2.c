/* HTTP/2 (RFC 9113) over nghttp2. The session is asked for frames when the stream runs low (`fill`), so that it orders
 * them late and flow control, priorities and resets take effect. */
#include "net/http_internal.h"
#include "base/str.h"
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <strings.h>

#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (1024 * 1024)
#define ANSWER_HEADERS_MAX 64
/* CVE-2023-44487: resets of requests being served; bursts of RESET_BURST, then RESETS_PER_SECOND. */
#define RESET_BURST 1000
#define RESETS_PER_SECOND 100

struct h2 {
    nghttp2_session *session;
    struct exchange *open; /* streams, newest first */
    size_t open_count, handed;
    bool drained, ending;
    int64_t reset_tokens;
    uint64_t reset_time;
};

/* ---- the request ---- */

static struct exchange *stream_exchange(nghttp2_session *s, int32_t id) { return nghttp2_session_get_stream_user_data(s, id); }

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct conn *c = arg;
    if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct exchange *x = exchange_new(c);
    x->id = f->hd.stream_id;
    x->pub.version = 2;
    x->next = c->h2->open;
    if (x->next != NULL) x->next->prev = x;
    c->h2->open = x;
    c->h2->open_count++;
    nghttp2_session_set_stream_user_data(s, x->id, x);
    return 0;
}

static bool set_pseudo(struct exchange *x, const char *name, const char *value, size_t n)
{
    const char **to = strcmp(name, ":method") == 0      ? &x->pub.method
                      : strcmp(name, ":path") == 0      ? &x->pub.target
                      : strcmp(name, ":authority") == 0 ? &x->pub.host
                                                        : NULL;
    if (to != NULL) *to = arena_strndup(&x->pub.arena, value, n);
    return name[0] == ':';
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *arg)
{
    (void)flags;
    struct conn *c = arg;
    struct exchange *x = stream_exchange(s, f->hd.stream_id);
    if (x == NULL || x->headers_done) return 0; /* trailers */
    x->head_bytes += name_len + value_len + 32;
    if (x->head_bytes > conn_config(c)->max_headers) return 0;
    if (set_pseudo(x, (const char *)name, (const char *)value, value_len)) return 0;
    exchange_add_header(x, (const char *)name, name_len);
    exchange_add_value(x);
    exchange_add(x, (const char *)value, value_len);
    return 0;
}

static void refuse(struct exchange *x, int status)
{
    static const struct http_header plain = {"content-type", "text/plain; charset=utf-8"};
    char text[64];
    int n = snprintf(text, sizeof(text), "%d %s", status, http_status_text(status));
    x->head_request = strcmp(x->pub.method, "HEAD") == 0;
    http_reply(&x->pub, status, &plain, 1, text, (size_t)n, NULL, NULL);
}

static void dispatch(struct conn *c, struct exchange *x)
{
    c->h2->handed++;
    conn_wait(c, WAIT_NONE);
    exchange_dispatch(x);
}

static void too_large(struct conn *c, struct exchange *x)
{
    if (!conn_config(c)->oversize_to_handler) {
        refuse(x, 413);
        return;
    }
    buf_clear(&x->body);
    x->pub.body_too_large = true;
    dispatch(c, x);
}

static void headers_done(struct conn *c, struct exchange *x, bool end)
{
    x->headers_done = true;
    if (x->pub.target == NULL) x->pub.target = "";
    exchange_headers_done(x);
    if (x->head_bytes > conn_config(c)->max_headers) {
        refuse(x, 431);
        return;
    }
    const char *length = http_header(&x->pub, "content-length"), *expect = http_header(&x->pub, "expect");
    if (length != NULL && !str_to_int64(length, &x->expected)) x->expected = -1;
    if (x->expected > 0 && (uint64_t)x->expected > conn_config(c)->max_body) {
        too_large(c, x);
    } else if (expect != NULL && strcasecmp(expect, "100-continue") == 0 && !end) {
        static const nghttp2_nv go_on = {(uint8_t *)(uintptr_t)":status", (uint8_t *)(uintptr_t)"100", 7, 3, 0};
        nghttp2_submit_headers(c->h2->session, NGHTTP2_FLAG_NONE, x->id, NULL, &go_on, 1, NULL);
    }
}

static int on_data_chunk(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    (void)flags;
    struct exchange *x = stream_exchange(s, id);
    if (x == NULL || x->handed || x->begun) return 0; /* answered already: the rest is dropped */
    if (!exchange_add_body(x, p, n)) too_large(arg, x);
    return 0;
}

/* Sessions that reset faster than people do, or leave more work running than they may have streams, are cut. */
static void count_reset(struct conn *c)
{
    struct h2 *h = c->h2;
    uint64_t now = uv_now(loop_uv(c->sl->loop));
    int64_t earned = (int64_t)(now - h->reset_time) * RESETS_PER_SECOND / 1000;
    if (earned > 0) {
        h->reset_tokens = MIN(h->reset_tokens + earned, RESET_BURST);
        h->reset_time = now;
    }
    if (--h->reset_tokens < 0 || c->exchanges - h->open_count > conn_config(c)->max_streams)
        nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct conn *c = arg;
    if (f->hd.type == NGHTTP2_RST_STREAM) count_reset(c);
    if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) return 0;
    struct exchange *x = stream_exchange(s, f->hd.stream_id);
    bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (c->h2->handed == 0) conn_wait(c, WAIT_IDLE); /* a sign of life */
    if (x != NULL && f->hd.type == NGHTTP2_HEADERS && !x->headers_done) headers_done(c, x, end);
    if (x != NULL && end && !x->handed && !x->begun) dispatch(c, x);
    return 0;
}

/* ---- the answer ---- */

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t max, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    (void)s, (void)id, (void)p, (void)arg;
    struct exchange *x = source->ptr;
    size_t n = MIN(max, x->out.bytes);
    if (n == 0 && !x->ended) {
        x->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (x->ended && n == x->out.bytes) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_send_data(nghttp2_session *s, nghttp2_frame *f, const uint8_t *head, size_t n,
                        nghttp2_data_source *source, void *arg)
{
    (void)s, (void)f;
    struct conn *c = arg;
    struct exchange *x = source->ptr;
    if (stream_pending(c->stream) >= STREAM_LOW) return NGHTTP2_ERR_WOULDBLOCK;
    stream_write(c->stream, head, 9);
    while (n > 0) {
        const char *p;
        size_t piece = MIN(n, outq_peek(&x->out, &p));
        stream_write(c->stream, p, piece);
        outq_consume(&x->out, &c->sl->blocks, piece);
        n -= piece;
    }
    if (x->out.bytes == 0 && !x->ended) x->drained = c->h2->drained = true;
    return 0;
}

/* Answered before the request was complete: the client need not send the rest (RFC 9113 section 8.1). */
static int on_frame_sent(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    (void)arg;
    bool last = (f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) && (f->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (last && nghttp2_session_get_stream_remote_close(s, f->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static bool hop_by_hop(const char *name)
{
    static const char *const names[] = {"connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", NULL};
    return str_in(name, names);
}

static void respond(struct exchange *x, int status, const struct http_header *headers, size_t n, int64_t len)
{
    struct conn *c = x->conn;
    nghttp2_nv nv[ANSWER_HEADERS_MAX + 3];
    char code[12], length[24];
    size_t count = 0;
    bool has_length = false, empty = status < 200 || status == 204 || status == 304;
    snprintf(code, sizeof(code), "%d", status);
    nv[count++] = pair(":status", code);
    for (size_t i = 0; i < n && count <= ANSWER_HEADERS_MAX; i++) {
        if (hop_by_hop(headers[i].name)) continue;
        has_length |= strcmp(headers[i].name, "content-length") == 0;
        nv[count++] = pair(headers[i].name, headers[i].value);
    }
    nv[count++] = pair("date", server_date(c->sl));
    snprintf(length, sizeof(length), "%lld", (long long)len);
    if (len >= 0 && !has_length && !empty) nv[count++] = pair("content-length", length);
    nghttp2_data_provider body = {.source.ptr = x, .read_callback = on_read};
    bool has_body = !x->no_body && len != 0;
    if (nghttp2_submit_response(c->h2->session, x->id, nv, count, has_body ? &body : NULL) != 0)
        nghttp2_submit_rst_stream(c->h2->session, NGHTTP2_FLAG_NONE, x->id, NGHTTP2_INTERNAL_ERROR);
    stream_wake(c->stream);
}

static void resume(struct exchange *x)
{
    if (x->deferred) nghttp2_session_resume_data(x->conn->h2->session, x->id);
    x->deferred = false;
    stream_wake(x->conn->stream);
}

static void write_body(struct exchange *x, const void *p, size_t n, void (*release)(void *arg), void *arg)
{
    struct outq_pool *pool = &x->conn->sl->blocks;
    if (release != NULL)
        outq_add_ref(&x->out, pool, p, n, release, arg);
    else
        outq_add(&x->out, pool, p, n);
    resume(x);
}

/* Freed when the stream closes: after its last frame was sent, or by a reset. */
static void end(struct exchange *x) { resume(x); }

static size_t pending(const struct exchange *x) { return x->out.bytes; }

/* ---- the connection ---- */

static void finish(struct conn *c)
{
    if (c->h2->ending) return;
    c->h2->ending = true;
    stream_shutdown(c->stream);
    conn_wait(c, WAIT_LINGER);
}

static void forget(struct conn *c, struct exchange *x)
{
    struct h2 *h = c->h2;
    *(x->prev != NULL ? &x->prev->next : &h->open) = x->next;
    if (x->next != NULL) x->next->prev = x->prev;
    h->open_count--;
    if (x->handed) h->handed--;
    exchange_gone(x);
}

static int on_stream_closed(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    (void)code;
    struct conn *c = arg;
    struct exchange *x = stream_exchange(s, id);
    if (x == NULL) return 0;
    forget(c, x);
    if (c->h2->handed == 0) conn_wait(c, WAIT_IDLE);
    return 0;
}

static void call_drained(struct conn *c)
{
    c->h2->drained = false;
    for (struct exchange *x = c->h2->open, *next; x != NULL; x = next) {
        next = x->next;
        if (!x->drained) continue;
        x->drained = false;
        if (x->on_drain != NULL && x->out.bytes == 0 && !x->ended) x->on_drain(&x->pub);
    }
}

static void on_fill(struct stream *stream, void *arg)
{
    struct conn *c = arg;
    nghttp2_session *s = c->h2->session;
    const uint8_t *p;
    ssize_t n = 0;
    while (stream_pending(stream) < STREAM_LOW && (n = nghttp2_session_mem_send(s, &p)) > 0) stream_write(stream, p, (size_t)n);
    if (n < 0) {
        stream_close(stream);
        return;
    }
    if (c->h2->drained) call_drained(c);
    bool over = !nghttp2_session_want_read(s) && !nghttp2_session_want_write(s);
    if (over || (c->sl->stopping && c->h2->open_count == 0 && !nghttp2_session_want_write(s))) finish(c);
}

static void on_data(struct stream *s, const void *p, size_t n, void *arg)
{
    struct conn *c = arg;
    if (c->h2->ending && n > 0) return;
    if (n == 0 || nghttp2_session_mem_recv(c->h2->session, p, n) < 0) stream_close(s);
}

static void on_closed(struct stream *s, const struct error *e, void *arg) { (void)s, (void)e, (void)arg; }

static void h2_free(struct conn *c)
{
    struct h2 *h = c->h2;
    while (h->open != NULL) forget(c, h->open);
    nghttp2_session_del(h->session);
    free(h);
    c->h2 = NULL;
}

static void h2_stop(struct conn *c)
{
    nghttp2_session *s = c->h2->session;
    nghttp2_submit_goaway(s, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s), NGHTTP2_NO_ERROR, NULL, 0);
    stream_wake(c->stream);
}

const struct protocol http2 = {.respond = respond, .write = write_body, .end = end,
                              .pending = pending, .stop = h2_stop, .free = h2_free};

static nghttp2_session *new_session(struct conn *c)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *o;
    nghttp2_session *s;
    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&o) != 0) abort(); /* no memory */
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_closed);
    nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
    nghttp2_option_set_no_closed_streams(o, 1);
    if (nghttp2_session_server_new2(&s, cb, c, o) != 0) abort();
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(o);
    return s;
}

void http2_start(struct conn *c)
{
    static const struct stream_callbacks callbacks = {.data = on_data, .closed = on_closed, .fill = on_fill};
    const struct http_server_config *cfg = conn_config(c);
    struct h2 *h = c->h2 = xcalloc(1, sizeof(*h));
    c->protocol = &http2;
    h->session = new_session(c);
    h->reset_tokens = RESET_BURST;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, cfg->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)MIN(cfg->max_headers, UINT32_MAX)},
    };
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    stream_start(c->stream, &callbacks, c);
}
