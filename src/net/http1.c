/* HTTP/1.1 (RFC 9112): one exchange at a time; what a client pipelines waits in `input`, then in the stream. */
#include "net/http_internal.h"
#include "base/str.h"
#include <ctype.h>
#include <http_parser.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

#define PIPELINE_MAX (64 * 1024) /* bytes read ahead while a request is served */

enum part { PART_NONE, PART_NAME, PART_VALUE };
struct h1 {
    http_parser parser;
    struct exchange *x; /* being read or served */
    struct buf input;
    enum part part;
    size_t head_bytes;
    int hosts;
    bool headers_done, complete, busy, running, lingering, closing, last;
    int status;         /* what is wrong with the request */
    const char *detail; /* appended to the status text */
};

/* ---- parsing ---- */

static struct conn *conn_of(http_parser *p) { return p->data; }

static int reject(struct h1 *h, int status, const char *detail)
{
    h->status = status;
    h->detail = detail;
    return -1;
}

static int count_head(struct conn *c, size_t n)
{
    c->h1->head_bytes += n;
    return c->h1->head_bytes > conn_config(c)->max_headers ? reject(c->h1, 431, "") : 0;
}

static int on_begin(http_parser *p)
{
    struct conn *c = conn_of(p);
    struct h1 *h = c->h1;
    h->x = exchange_new(c);
    h->part = PART_NONE;
    h->head_bytes = 0;
    h->hosts = 0;
    h->headers_done = h->complete = false;
    conn_wait(c, WAIT_HEAD);
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
    struct conn *c = conn_of(p);
    if (count_head(c, n) != 0) return -1;
    exchange_add(c->h1->x, at, n);
    return 0;
}

/* RFC 9110 section 5.6.2; http_parser is lax about spaces, which smugglers like. */
static bool is_token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)p[i]) && (p[i] == '\0' || strchr("!#$%&'*+-.^_`|~", p[i]) == NULL)) return false;
    return true;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
    struct conn *c = conn_of(p);
    struct h1 *h = c->h1;
    if (!is_token(at, n)) return reject(h, 400, "");
    if (count_head(c, n + 4) != 0) return -1;
    if (h->headers_done) return 0; /* trailers */
    if (h->part == PART_NAME)
        exchange_add(h->x, at, n);
    else
        exchange_add_header(h->x, at, n);
    h->part = PART_NAME;
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct conn *c = conn_of(p);
    struct h1 *h = c->h1;
    if (count_head(c, n) != 0) return -1;
    if (h->headers_done) return 0;
    if (h->part == PART_NAME) exchange_add_value(h->x);
    h->part = PART_VALUE;
    exchange_add(h->x, at, n);
    return 0;
}

static int check_headers(struct conn *c)
{
    struct h1 *h = c->h1;
    const http_parser *p = &h->parser;
    if (p->http_major != 1) return reject(h, 505, "unsupported protocol version");
    for (size_t i = 0; i < h->x->pub.header_count; i++) h->hosts += strcmp(h->x->pub.headers[i].name, "host") == 0;
    if (h->hosts > 1) return reject(h, 400, "too many Host headers");
    if (h->hosts == 0 && p->http_minor == 1 && p->method != HTTP_CONNECT) return reject(h, 400, "missing required Host header");
    if (strpbrk(h->x->pub.host, " /\\@<>\"") != NULL) return reject(h, 400, "malformed Host header");
    const char *te = http_header(&h->x->pub, "transfer-encoding");
    if (te != NULL && strcasecmp(te, "chunked") != 0) return reject(h, 501, "Unsupported transfer encoding");
    return 0;
}

static bool has_body(const http_parser *p)
{
    return (p->flags & F_CHUNKED) || (p->content_length > 0 && p->content_length != ULLONG_MAX);
}

/* The rest of the body is not read: the answer is the connection's last. */
static int too_large(struct conn *c)
{
    struct h1 *h = c->h1;
    if (!conn_config(c)->oversize_to_handler) return reject(h, 413, "");
    h->x->pub.body_too_large = true;
    buf_clear(&h->x->body);
    h->complete = h->last = true;
    return -1;
}

static int on_headers(http_parser *p)
{
    struct conn *c = conn_of(p);
    struct h1 *h = c->h1;
    struct exchange *x = h->x;
    h->headers_done = true;
    x->pub.method = http_method_str((enum http_method)p->method);
    x->pub.version = 1;
    exchange_headers_done(x);
    if (check_headers(c) != 0) return -1;
    x->close = !http_should_keep_alive(p);
    x->upgrade = p->upgrade && p->method != HTTP_CONNECT;
    if (has_body(p) && !(p->flags & F_CHUNKED)) x->expected = (int64_t)MIN(p->content_length, (uint64_t)INT64_MAX);
    if (x->expected > 0 && (uint64_t)x->expected > conn_config(c)->max_body) return too_large(c);
    const char *expect = http_header(&x->pub, "expect");
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0) return reject(h, 417, "");
    if (expect != NULL && has_body(p) && p->http_minor == 1) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        stream_write(c->stream, go_on, sizeof(go_on) - 1);
    }
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    struct conn *c = conn_of(p);
    return exchange_add_body(c->h1->x, at, n) ? 0 : too_large(c);
}

static int on_complete(http_parser *p)
{
    conn_of(p)->h1->complete = true;
    http_parser_pause(p, 1); /* the next request waits for this one's answer */
    p->upgrade = 0;
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin, .on_url = on_url, .on_header_field = on_field, .on_header_value = on_value,
    .on_headers_complete = on_headers, .on_body = on_body, .on_message_complete = on_complete,
};

/* ---- answers ---- */

static void add_canonical(struct buf *b, const char *name)
{
    bool upper = true;
    for (const char *p = name; *p != '\0'; p++) {
        buf_addc(b, upper ? (char)toupper((unsigned char)*p) : *p);
        upper = *p == '-';
    }
}

static void add_headers(struct buf *b, const struct http_header *h, size_t n, bool *has_length, bool *close)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(h[i].name, "content-length") == 0) *has_length = true;
        if (strcmp(h[i].name, "transfer-encoding") == 0) continue; /* ours to choose */
        if (strcmp(h[i].name, "connection") == 0) {
            if (strcasecmp(h[i].value, "close") == 0) *close = true;
            continue;
        }
        add_canonical(b, h[i].name);
        buf_add(b, ": ", 2);
        buf_adds(b, h[i].value);
        buf_add(b, "\r\n", 2);
    }
}

static void add_status(struct buf *b, int status)
{
    buf_clear(b);
    buf_adds(b, "HTTP/1.1 ");
    buf_addi(b, status);
    buf_addc(b, ' ');
    buf_adds(b, http_status_text(status));
    buf_add(b, "\r\n", 2);
}

static void respond(struct exchange *x, int status, const struct http_header *headers, size_t n, int64_t len)
{
    struct conn *c = x->conn;
    struct buf *b = &c->sl->head;
    const http_parser *p = &c->h1->parser;
    bool has_length = false;
    if (c->sl->stopping || c->h1->last) x->close = true;
    add_status(b, status);
    add_headers(b, headers, n, &has_length, &x->close);
    buf_adds(b, "Date: ");
    buf_adds(b, server_date(c->sl));
    bool empty = status < 200 || status == 204 || status == 304;
    if (len >= 0 && !has_length && !empty) {
        buf_adds(b, "\r\nContent-Length: ");
        buf_addi(b, len);
    } else if (len < 0 && !has_length && !x->no_body) {
        x->chunked = p->http_minor >= 1;
        if (x->chunked)
            buf_adds(b, "\r\nTransfer-Encoding: chunked");
        else
            x->close = true;
    }
    if (x->close)
        buf_adds(b, "\r\nConnection: close");
    else if (p->http_minor == 0)
        buf_adds(b, "\r\nConnection: keep-alive");
    buf_add(b, "\r\n\r\n", 4);
    stream_write(c->stream, b->data, b->len);
}

static void write_body(struct exchange *x, const void *p, size_t n, void (*release)(void *arg), void *arg)
{
    struct stream *s = x->conn->stream;
    char size[24];
    if (x->chunked) stream_write(s, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n));
    if (release != NULL) {
        stream_write_ref(s, p, n, release, arg);
    } else {
        stream_write(s, p, n);
    }
    if (x->chunked) stream_write(s, "\r\n", 2);
}

static size_t pending(const struct exchange *x) { return stream_pending(x->conn->stream); }

static void linger(struct conn *c)
{
    c->h1->lingering = true;
    stream_shutdown(c->stream);
    stream_pause(c->stream, false);
    conn_wait(c, WAIT_LINGER);
}

static void end(struct exchange *x)
{
    struct conn *c = x->conn;
    struct h1 *h = c->h1;
    if (x->chunked) stream_write(c->stream, "0\r\n\r\n", 5);
    bool close = x->close;
    h->x = NULL;
    h->busy = false;
    exchange_free(x);
    if (close) {
        linger(c);
        return;
    }
    conn_wait(c, WAIT_IDLE);
    if (h->running) return;
    stream_pause(c->stream, false);
    if (h->input.len > 0) stream_unread(c->stream, h->input.data, h->input.len);
    buf_free(&h->input);
}

/* An answer to what is no request, as Go words it. */
static void refuse(struct conn *c, int status, const char *detail)
{
    struct buf *b = &c->sl->head;
    const char *text = http_status_text(status);
    add_status(b, status);
    buf_printf(b, "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%d %s%s%s", status, text,
               detail[0] != '\0' ? ": " : "", detail);
    stream_write(c->stream, b->data, b->len);
    linger(c);
}

/* ---- the connection ---- */

static void dispatch(struct conn *c)
{
    struct h1 *h = c->h1;
    conn_wait(c, WAIT_NONE);
    h->complete = false;
    h->busy = true;
    exchange_dispatch(h->x);
}

/* Parses one request at most; returns what it took. */
static size_t parse(struct conn *c, const char *p, size_t n)
{
    struct h1 *h = c->h1;
    size_t used = http_parser_execute(&h->parser, &settings, p, n);
    if (h->complete) {
        if (HTTP_PARSER_ERRNO(&h->parser) == HPE_PAUSED) http_parser_pause(&h->parser, 0);
        dispatch(c);
        return used;
    }
    if (HTTP_PARSER_ERRNO(&h->parser) != HPE_OK) {
        refuse(c, h->status != 0 ? h->status : 400, h->detail != NULL ? h->detail : "");
        return n;
    }
    if (h->headers_done && h->x != NULL) conn_wait(c, WAIT_IDLE); /* a slow body: each piece counts */
    return used;
}

static void client_gone(struct conn *c)
{
    struct exchange *x = TAKE(c->h1->x);
    if (x != NULL) exchange_gone(x);
}

static void on_data(struct stream *s, const void *p, size_t n, void *arg)
{
    struct conn *c = arg;
    struct h1 *h = c->h1;
    if (n == 0) { /* without a request under way, what is queued still goes out */
        h->closing = !h->busy && stream_pending(s) > 0;
        if (!h->closing) stream_close(s);
        return;
    }
    h->running = true;
    while (n > 0 && !h->busy && !h->lingering && !c->upgraded) {
        size_t used = parse(c, p, n);
        p = (const char *)p + used;
        n -= used;
    }
    h->running = false;
    if (n == 0 || h->lingering) return;
    if (c->upgraded) {
        stream_unread(s, p, n);
        return;
    }
    buf_add(&h->input, p, n);
    if (h->input.len > PIPELINE_MAX) stream_pause(s, true);
}

static void on_drain(struct stream *s, void *arg)
{
    struct conn *c = arg;
    struct exchange *x = c->h1->x;
    if (c->h1->closing)
        stream_close(s);
    else if (x != NULL && x->begun && x->on_drain != NULL) x->on_drain(&x->pub);
}

static void on_closed(struct stream *s, const struct error *e, void *arg) { (void)s, (void)e, (void)arg; }

static void h1_free(struct conn *c)
{
    if (!c->upgraded) client_gone(c);
    buf_free(&c->h1->input);
    free(TAKE(c->h1));
}

static void h1_stop(struct conn *c)
{
    if (!c->h1->busy && !c->h1->lingering) stream_close(c->stream);
}

const struct protocol http1 = {.respond = respond, .write = write_body, .end = end,
                              .pending = pending, .stop = h1_stop, .free = h1_free};

static void no_header_limit(void) { http_parser_set_max_header_size(UINT32_MAX); } /* ours is per server */

void http1_start(struct conn *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const struct stream_callbacks callbacks = {.data = on_data, .drain = on_drain, .closed = on_closed};
    pthread_once(&once, no_header_limit);
    c->protocol = &http1;
    c->h1 = xcalloc(1, sizeof(*c->h1));
    http_parser_init(&c->h1->parser, HTTP_REQUEST);
    c->h1->parser.data = c;
    stream_start(c->stream, &callbacks, c);
}

struct stream *http_upgrade(struct http_exchange *pub, const char *protocol, const struct http_header *headers,
                            size_t header_count)
{
    struct exchange *x = CONTAINER_OF(pub, struct exchange, pub);
    struct conn *c = x->conn;
    if (x->gone || x->begun || !x->upgrade) return NULL;
    struct buf *b = &c->sl->head;
    bool ignored;
    add_status(b, 101);
    buf_printf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", protocol);
    add_headers(b, headers, header_count, &ignored, &ignored);
    buf_add(b, "\r\n", 2);
    stream_write(c->stream, b->data, b->len);
    stream_pause(c->stream, false);
    if (c->h1->input.len > 0) stream_unread(c->stream, c->h1->input.data, c->h1->input.len);
    buf_free(&c->h1->input);
    c->h1->x = NULL;
    c->upgraded = true;
    x->gone = true; /* what is left of it only waits for http_end */
    return c->stream;
}
