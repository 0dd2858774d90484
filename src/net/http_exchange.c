#include "net/http_internal.h"
#include "base/str.h"
#include <ctype.h>
#include <time.h>

#define KEEP_EXCHANGES 64
#define KEEP_BODY (64 * 1024)

static struct exchange *of(const struct http_exchange *x) { return CONTAINER_OF((uintptr_t)x, struct exchange, pub); }

struct exchange *exchange_new(struct conn *c)
{
    struct server_loop *sl = c->sl;
    struct exchange *x = sl->free;
    if (x != NULL) {
        struct arena arena = x->pub.arena;
        struct buf body = x->body;
        sl->free = x->next;
        sl->free_count--;
        memset(x, 0, sizeof(*x));
        x->pub.arena = arena;
        x->body = body;
    } else {
        x = xcalloc(1, sizeof(*x));
    }
    x->conn = c;
    x->expected = -1;
    x->pub.loop = sl->loop;
    x->pub.peer = &c->peer;
    c->exchanges++;
    return x;
}

static void destroy(struct exchange *x)
{
    arena_free(&x->pub.arena);
    buf_free(&x->body);
    free(x);
}

void exchange_free(struct exchange *x)
{
    struct conn *c = x->conn;
    struct server_loop *sl = c->sl;
    outq_clear(&x->out, &sl->blocks);
    if (sl->free_count < KEEP_EXCHANGES && !sl->stopping) {
        arena_reset(&x->pub.arena);
        if (x->body.cap > KEEP_BODY) buf_free(&x->body);
        buf_clear(&x->body);
        x->next = sl->free;
        sl->free = x;
        sl->free_count++;
    } else {
        destroy(x);
    }
    c->exchanges--;
    if (c->stream == NULL && c->exchanges == 0) conn_free(c);
}

void exchange_dispatch(struct exchange *x)
{
    const struct http_server_config *cfg = conn_config(x->conn);
    x->handed = true;
    x->head_request = strcmp(x->pub.method, "HEAD") == 0;
    x->pub.body = buf_str(&x->body);
    x->pub.body_len = x->body.len;
    cfg->handler(&x->pub, cfg->arg);
}

void exchange_gone(struct exchange *x)
{
    if (x->gone) return;
    x->gone = true;
    outq_clear(&x->out, &x->conn->sl->blocks);
    if (!x->handed || x->ended)
        exchange_free(x);
    else if (x->pub.on_close != NULL)
        x->pub.on_close(&x->pub);
}

/* ---- the request's head: strings in one growing piece of the arena, offsets until it is complete ---- */

void exchange_add(struct exchange *x, const char *p, size_t n)
{
    if (x->head_len + n + 1 > x->head_cap) {
        size_t cap = MAX(x->head_cap * 2, x->head_len + n + 1024);
        x->head = arena_grow(&x->pub.arena, x->head, x->head_cap, cap);
        x->head_cap = cap;
    }
    memcpy(x->head + x->head_len, p, n);
    x->head_len += n;
}

static const char *offset(size_t n) { return (const char *)(uintptr_t)n; } // NOLINT: resolved in exchange_headers_done

void exchange_add_header(struct exchange *x, const char *name, size_t n)
{
    struct http_header *h = (struct http_header *)(uintptr_t)x->pub.headers;
    if (x->pub.header_count == x->header_cap) {
        size_t cap = MAX(x->header_cap * 2, 16);
        h = arena_grow(&x->pub.arena, h, x->header_cap * sizeof(*h), cap * sizeof(*h));
        x->header_cap = cap;
        x->pub.headers = h;
    }
    exchange_add(x, "", 1);
    h[x->pub.header_count++] = (struct http_header){offset(x->head_len), NULL};
    exchange_add(x, name, n);
}

void exchange_add_value(struct exchange *x)
{
    exchange_add(x, "", 1);
    struct http_header *h = (struct http_header *)(uintptr_t)x->pub.headers;
    h[x->pub.header_count - 1].value = offset(x->head_len);
}

static void set_target(struct http_exchange *x)
{
    const char *t = x->target;
    if (str_starts(t, "http://") || str_starts(t, "https://")) { /* absolute form, RFC 9112 section 3.2.2 */
        t = strchr(strchr(t, ':') + 3, '/');
        if (t == NULL) t = "/";
    }
    const char *q = strchr(t, '?');
    x->path = q == NULL ? t : arena_strndup(&x->arena, t, (size_t)(q - t));
    x->query = q == NULL ? "" : q + 1;
}

void exchange_headers_done(struct exchange *x)
{
    exchange_add(x, "", 1);
    struct http_header *h = (struct http_header *)(uintptr_t)x->pub.headers;
    for (size_t i = 0; i < x->pub.header_count; i++) {
        char *name = x->head + (uintptr_t)h[i].name;
        for (char *p = name; *p != '\0'; p++) *p = (char)tolower((unsigned char)*p);
        h[i].name = name;
        char *value = h[i].value == NULL ? x->head + x->head_len - 1 : x->head + (uintptr_t)h[i].value;
        for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--) value[n - 1] = '\0';
        h[i].value = value;
    }
    if (x->pub.target == NULL) x->pub.target = x->head;
    set_target(&x->pub);
    if (x->pub.host == NULL) x->pub.host = http_header(&x->pub, "host");
    if (x->pub.host == NULL) x->pub.host = "";
}

bool exchange_add_body(struct exchange *x, const void *p, size_t n)
{
    size_t max = conn_config(x->conn)->max_body;
    if (n > max || x->body.len > max - n) return false;
    if (x->body.len == 0 && x->expected > 0) buf_reserve(&x->body, (size_t)MIN(x->expected, KEEP_BODY));
    buf_add(&x->body, p, n);
    return true;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->header_count; i++)
        if (strcmp(x->headers[i].name, name) == 0) return x->headers[i].value;
    return NULL;
}

/* ---- answers ---- */

static void drop(void (*release)(void *arg), void *arg)
{
    if (release != NULL) release(arg);
}

static bool bodyless(int status) { return status < 200 || status == 204 || status == 304; }

static bool begin(struct exchange *x, int status, const struct http_header *headers, size_t n, int64_t len)
{
    if (x->gone || x->begun) return false;
    x->begun = true;
    x->no_body = x->head_request || bodyless(status);
    x->conn->protocol->respond(x, status, headers, n, bodyless(status) ? 0 : len);
    return true;
}

void http_begin(struct http_exchange *x, int status, const struct http_header *headers, size_t header_count)
{
    struct exchange *e = of(x);
    if (e->sink != NULL && status == 200 && !e->begun && e->sink->ops->begin(e->sink))
        e->sink->begun = e->begun = true;
    else
        begin(e, status, headers, header_count, -1);
}

void http_write(struct http_exchange *pub, const void *p, size_t n, void (*release)(void *arg), void *arg)
{
    struct exchange *x = of(pub);
    if (x->sink != NULL && x->sink->begun) {
        x->sink->ops->write(x->sink, p, n);
        drop(release, arg);
    } else if (n == 0 || x->gone || x->no_body || !x->begun)
        drop(release, arg);
    else
        x->conn->protocol->write(x, p, n, release, arg);
}

void http_reply(struct http_exchange *pub, int status, const struct http_header *headers, size_t header_count, const void *body,
                size_t len, void (*release)(void *arg), void *arg)
{
    struct exchange *x = of(pub);
    if (begin(x, status, headers, header_count, (int64_t)len))
        http_write(pub, body, len, release, arg);
    else
        drop(release, arg);
    http_end(pub);
}

size_t http_pending(const struct http_exchange *x)
{
    const struct exchange *e = of(x);
    if (e->sink != NULL && e->sink->begun) return e->sink->ops->pending(e->sink);
    return e->gone ? 0 : e->conn->protocol->pending(e);
}

void http_set_on_drain(struct http_exchange *x, void (*on_drain)(struct http_exchange *x)) { of(x)->on_drain = on_drain; }

void http_end(struct http_exchange *pub)
{
    struct exchange *x = of(pub);
    struct sink *sink = TAKE(x->sink);
    if (sink != NULL) sink->ops->end(sink);
    if (x->gone) {
        exchange_free(x);
        return;
    }
    if (!x->begun) http_begin(pub, 200, NULL, 0);
    x->ended = true;
    x->conn->protocol->end(x);
}

/* ---- texts ---- */

const char *server_date(struct server_loop *sl)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != sl->date_second) {
        struct tm tm;
        gmtime_r(&now.tv_sec, &tm);
        strftime(sl->date, sizeof(sl->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        sl->date_second = now.tv_sec;
    }
    return sl->date;
}

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {203, "Non-Authoritative Information"}, {204, "No Content"},
    {206, "Partial Content"}, {101, "Switching Protocols"}, {300, "Multiple Choices"}, {301, "Moved Permanently"},
    {302, "Found"}, {303, "See Other"}, {304, "Not Modified"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
    {400, "Bad Request"}, {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
    {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"},
    {411, "Length Required"}, {412, "Precondition Failed"}, {413, "Request Entity Too Large"}, {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"}, {416, "Requested Range Not Satisfiable"}, {417, "Expectation Failed"}, {418, "I'm a teapot"},
    {421, "Misdirected Request"}, {422, "Unprocessable Entity"}, {425, "Too Early"}, {426, "Upgrade Required"},
    {428, "Precondition Required"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
    {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"}, {508, "Loop Detected"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
        if (status_texts[i].status == status) return status_texts[i].text;
    return "";
}
