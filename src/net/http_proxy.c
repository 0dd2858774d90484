#include "net/http_proxy.h"
#include "base/str.h"
#include <errno.h>

#define HIGH_WATER (256 * 1024)
#define MAX_COLLECTED 50000

/* ---- joined streams ---- */

struct side {
    struct join *join;
    struct side *other;
    struct stream *stream; /* NULL once closed */
    bool ended;            /* has sent its last byte */
};
struct join {
    struct side sides[2];
    struct loop *loop;
    struct loop_timer *timer;
    int64_t idle_timeout, last; /* last: monotonic time of the last byte */
};

static void close_both(struct join *j) {
    for (size_t i = 0; i < 2; i++)
        if (j->sides[i].stream != NULL) stream_close(j->sides[i].stream);
}

static void join_data(struct stream *s, const void *p, size_t n, void *arg) {
    struct side *side = arg;
    struct stream *other = side->other->stream;
    if (other == NULL) return;
    if (n == 0) {
        side->ended = true;
        stream_shutdown(other);
        if (side->other->ended && stream_pending(other) == 0 && stream_pending(s) == 0) close_both(side->join);
        return;
    }
    if (side->join->timer != NULL) side->join->last = clock_monotonic(&clock_real);
    stream_write(other, p, n);
    if (stream_pending(other) > HIGH_WATER) stream_pause(s, true);
}

static void join_drain(struct stream *s, void *arg) {
    (void)s;
    struct side *side = arg;
    if (side->ended && side->other->ended) close_both(side->join);
    else if (side->other->stream != NULL) stream_pause(side->other->stream, false);
}

static void join_closed(struct stream *s, const struct error *e, void *arg) {
    (void)s, (void)e;
    struct side *side = arg;
    struct join *j = side->join;
    side->stream = NULL;
    if (side->other->stream != NULL) return stream_close(side->other->stream);
    if (j->timer != NULL) loop_timer_cancel(j->timer);
    free(j);
}

static void join_idle(void *arg) {
    struct join *j = arg;
    int64_t left = j->last + j->idle_timeout - clock_monotonic(&clock_real);
    j->timer = loop_timer_start(j->loop, left > 0 ? left : j->idle_timeout, join_idle, j);
    if (left <= 0) close_both(j);
}

void stream_join(struct stream *a, struct stream *b, int64_t idle_timeout) {
    static const struct stream_callbacks callbacks = {.data = join_data, .drain = join_drain, .closed = join_closed};
    struct join *j = xcalloc(1, sizeof *j);
    j->loop = stream_loop(a);
    j->sides[0] = (struct side){j, &j->sides[1], a, false};
    j->sides[1] = (struct side){j, &j->sides[0], b, false};
    j->idle_timeout = idle_timeout;
    j->last = clock_monotonic(&clock_real);
    if (idle_timeout > 0) j->timer = loop_timer_start(j->loop, idle_timeout, join_idle, j);
    stream_start(a, &callbacks, &j->sides[0]);
    stream_start(b, &callbacks, &j->sides[1]);
}

/* ---- the proxy ---- */

struct proxied {
    struct http_exchange *x;
    struct http_call *call; /* NULL: over */
    bool begun;             /* the answer's head is on its way */
    enum proxy_body mode;
    int status;
    struct buf body; /* gathered, or to be rewritten */
    const struct http_proxy *config;
};

/* RFC 9110 section 7.6.1, and what the next hop's connection decides for itself. */
static const char *const hop_by_hop[] = {"connection",
                                         "keep-alive",
                                         "proxy-authenticate",
                                         "proxy-authorization",
                                         "proxy-connection",
                                         "te",
                                         "trailer",
                                         "transfer-encoding",
                                         "upgrade",
                                         "content-length",
                                         "host",
                                         NULL};

static struct http_header *kept_headers(struct arena *a, const struct http_header *headers, size_t count,
                                              const struct http_proxy *p, size_t *kept) {
    size_t extra = p != NULL ? p->header_count : 0;
    struct http_header *out = arena_calloc(a, count + extra + PROXY_MORE_HEADERS + 1, sizeof *out);
    *kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool drop = str_in(headers[i].name, hop_by_hop) || headers[i].name[0] == ':' ||
                    (p != NULL && p->drop != NULL && str_in(headers[i].name, p->drop));
        for (size_t j = 0; j < extra && !drop; j++) drop = str_eq(headers[i].name, p->headers[j].name);
        if (!drop) out[(*kept)++] = headers[i];
    }
    for (size_t j = 0; j < extra; j++) out[(*kept)++] = p->headers[j];
    return out;
}

static void proxy_headers(struct http_call *k, const struct http_answer *answer, void *arg) {
    (void)k;
    struct proxied *p = arg;
    const struct http_proxy *config = p->config;
    size_t count;
    struct http_header *headers = kept_headers(&p->x->arena, answer->headers, answer->header_count, NULL, &count);
    p->status = answer->status;
    if (config->head != NULL) p->mode = config->head(p->x, answer->status, headers, &count, config->arg);
    p->body.max = p->mode == PROXY_COLLECT ? MAX_COLLECTED : 0;
    if (p->mode == PROXY_COLLECT) return;
    const char *length = http_answer_header(answer, "content-length");
    if (p->mode == PROXY_PASS && length != NULL) headers[count++] = (struct http_header){"content-length", length};
    p->begun = true;
    http_begin(p->x, answer->status, headers, count);
}

static void rewrite(struct proxied *p, bool end) {
    cleanup_buf struct buf out = {0};
    p->config->rewrite(p->x, &p->body, end, &out, p->config->arg);
    if (out.len > 0) http_write(p->x, out.data, out.len, NULL, NULL);
}

static void proxy_data(struct http_call *k, const void *data, size_t n, void *arg) {
    struct proxied *p = arg;
    if (p->mode == PROXY_COLLECT) return buf_add(&p->body, data, MIN(n, MAX_COLLECTED - p->body.len));
    if (p->mode == PROXY_REWRITE) buf_add(&p->body, data, n), rewrite(p, false);
    else http_write(p->x, data, n, NULL, NULL);
    if (http_pending(p->x) > HIGH_WATER) http_call_pause(k, true);
}

static void proxy_drained(struct http_exchange *x) {
    struct proxied *p = x->user;
    if (p->call != NULL) http_call_pause(p->call, false);
}

static void proxy_upgraded(struct http_call *k, const struct http_answer *answer, struct stream *backend, void *arg) {
    (void)k;
    struct proxied *p = arg;
    size_t count;
    const struct http_header *headers = kept_headers(&p->x->arena, answer->headers, answer->header_count, NULL, &count);
    const char *protocol = http_answer_header(answer, "upgrade");
    p->call = NULL;
    struct stream *front = http_upgrade(p->x, protocol != NULL ? protocol : http_header(p->x, "upgrade"), headers, count);
    if (front != NULL) stream_join(front, backend, p->config->idle_timeout);
    else stream_close(backend);
    http_end(p->x);
}

static void proxy_done(struct http_call *k, const struct error *e, void *arg) {
    (void)k;
    struct proxied *p = arg;
    const struct http_proxy *config = p->config;
    p->call = NULL;
    if (p->mode == PROXY_REWRITE && e == NULL) rewrite(p, true);
    struct buf body = p->body;
    if (p->mode == PROXY_COLLECT && e == NULL) config->collected(p->x, p->status, buf_str(&body), body.len, config->arg);
    else if (p->begun || e == NULL) http_end(p->x);
    else if (config->failed != NULL) config->failed(p->x, e, config->arg);
    else
        http_reply(p->x, 502, &(struct http_header){"content-type", "text/plain; charset=utf-8"}, 1, e->message,
                   strlen(e->message), NULL, NULL);
    buf_free(&body);
}

static void proxy_client_gone(struct http_exchange *x) {
    struct proxied *p = x->user;
    if (p->call != NULL) http_call_cancel(TAKE(p->call));
    buf_free(&p->body);
    http_end(x);
}

static bool asks_upgrade(const struct http_exchange *x) {
    const char *connection = http_header(x, "connection");
    return connection != NULL && strcasestr(connection, "upgrade") != NULL && http_header(x, "upgrade") != NULL;
}

void http_proxy_serve(struct http_exchange *x, struct http_client *client, const struct http_proxy *config) {
    static const struct http_call_callbacks callbacks = {
        .headers = proxy_headers, .data = proxy_data, .upgraded = proxy_upgraded, .done = proxy_done};
    struct proxied *p = ARENA_NEW(&x->arena, struct proxied);
    size_t count;
    const struct http_header *headers = kept_headers(&x->arena, x->headers, x->header_count, config, &count);
    *p = (struct proxied){.x = x, .config = arena_dup(&x->arena, config, sizeof *config)};
    x->user = p;
    x->on_close = proxy_client_gone;
    http_set_on_drain(x, proxy_drained);
    p->call = http_call_start(client,
                              &(struct http_request){.target = config->target,
                                                     .method = x->method,
                                                     .path = config->path,
                                                     .host = config->host,
                                                     .headers = headers,
                                                     .header_count = count,
                                                     .body = x->body,
                                                     .body_len = x->body_len,
                                                     .upgrade = asks_upgrade(x) && !config->no_upgrade ? http_header(x, "upgrade") : NULL,
                                                     .timeout = config->timeout},
                              &callbacks, p);
}
