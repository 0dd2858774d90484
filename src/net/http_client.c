/* A call sits on one connection at a time; a connection that has served its call waits in `idle` for the next one to the same
 * target. A call whose kept-alive connection dies before it has said a byte is sent again on a new one, if its method may be
 * repeated (RFC 9110 section 9.2.2).
 *
 * Whoever is called back may cancel the call: after each callback the parser looks whether the connection still has it. */
#include "net/http_client.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <http_parser.h>
#include <pthread.h>

#define IDLE_TIMEOUT SECONDS(90) /* Go's DefaultTransport */
#define MAX_IDLE 64
#define MAX_HEADERS 256

struct http_client {
    struct loop *loop;
    struct conn *idle; /* newest first */
    size_t idle_count;
    struct http_call *calls;
};

struct conn {
    struct http_client *client;
    struct conn *next, **link; /* in client->idle */
    struct stream *stream;
    char *key;              /* its target */
    struct http_call *call; /* NULL: idle or closing */
    struct loop_timer *idle_timer;
    http_parser parser;
    bool reused, heard, complete; /* has served a call before; has a byte of this answer, all of it */
};

struct http_call {
    struct http_client *client;
    struct http_call *next, **link; /* in client->calls */
    struct conn *conn;
    struct arena arena; /* copies of the request, the answer's headers */
    struct net_target target;
    const char *key, *label, *upgrade; /* label: `Get "http://…"` for errors */
    struct buf request;
    bool repeatable, no_body, no_reuse, in_headers, in_value;
    struct loop_timer *timer, *total_timer;
    struct http_call_callbacks cb;
    void *arg;
    /* the answer as it comes */
    struct http_answer answer;
    struct http_header headers[MAX_HEADERS];
    struct buf reason, name, value;
};

const char *http_answer_header(const struct http_answer *a, const char *name) {
    for (size_t i = 0; i < a->header_count; i++)
        if (strcmp(a->headers[i].name, name) == 0) return a->headers[i].value;
    return NULL;
}

/* ---- connections ---- */

static void conn_unlink(struct conn *c) {
    if (c->link == NULL) return;
    if (c->next != NULL) c->next->link = c->link;
    *c->link = c->next;
    c->link = NULL;
    c->client->idle_count--;
    loop_timer_cancel(TAKE(c->idle_timer));
}

/* The memory goes when the stream says closed. */
static void conn_close(struct conn *c) {
    conn_unlink(c);
    c->call = NULL;
    stream_close(c->stream);
}

static void on_idle_timeout(void *arg) {
    struct conn *c = arg;
    c->idle_timer = loop_timer_start(c->client->loop, IDLE_TIMEOUT, on_idle_timeout, c); /* for conn_unlink */
    conn_close(c);
}

static void conn_keep(struct conn *c) {
    struct http_client *client = c->client;
    if (client->idle_count >= MAX_IDLE) return conn_close(c);
    c->call = NULL;
    c->reused = true;
    c->next = client->idle;
    c->link = &client->idle;
    if (c->next != NULL) c->next->link = &c->next;
    client->idle = c;
    client->idle_count++;
    c->idle_timer = loop_timer_start(client->loop, IDLE_TIMEOUT, on_idle_timeout, c);
    stream_pause(c->stream, false);
}

/* ---- the end of a call ---- */

static void call_free(struct http_call *k) {
    if (k->next != NULL) k->next->link = k->link;
    *k->link = k->next;
    if (k->timer != NULL) loop_timer_cancel(k->timer);
    if (k->total_timer != NULL) loop_timer_cancel(k->total_timer);
    net_target_release(&k->target);
    buf_free(&k->request);
    buf_free(&k->reason);
    buf_free(&k->name);
    buf_free(&k->value);
    arena_free(&k->arena);
    free(k);
}

/* Takes the error, which may be NULL. */
static void call_done(struct http_call *k, struct error *e) {
    if (k->conn != NULL) conn_close(TAKE(k->conn));
    if (e != NULL) error_wrap(e, "%s", k->label);
    k->cb.done(k, e, k->arg);
    error_free(e);
    call_free(k);
}

void http_call_cancel(struct http_call *k) {
    if (k->conn != NULL) conn_close(TAKE(k->conn));
    call_free(k);
}

void http_call_pause(struct http_call *k, bool paused) {
    if (k->conn != NULL) stream_pause(k->conn->stream, paused);
}

static struct error *timed_out(void) {
    struct error *e = error_new("context deadline exceeded");
    e->sys = ETIMEDOUT;
    return e;
}

static void on_timeout(void *arg) {
    struct http_call *k = arg;
    k->timer = NULL;
    call_done(k, timed_out());
}

static void on_total_timeout(void *arg) {
    struct http_call *k = arg;
    k->total_timer = NULL;
    call_done(k, timed_out());
}

/* ---- the answer ---- */

static struct http_call *call_of(http_parser *p) { return CONTAINER_OF(p, struct conn, parser)->call; }

static void end_header(struct http_call *k) {
    k->in_value = false;
    if (k->name.len == 0) return;
    struct http_answer *a = &k->answer;
    for (size_t i = 0; i < k->name.len; i++) k->name.data[i] = (char)tolower((unsigned char)k->name.data[i]);
    if (a->header_count < MAX_HEADERS)
        k->headers[a->header_count++] =
            (struct http_header){arena_strdup(&k->arena, buf_str(&k->name)), arena_strdup(&k->arena, buf_str(&k->value))};
    buf_clear(&k->name);
    buf_clear(&k->value);
}

static int on_begin(http_parser *p) {
    struct http_call *k = call_of(p);
    if (k == NULL) return -1;
    k->answer = (struct http_answer){.headers = k->headers};
    k->in_headers = true;
    buf_clear(&k->reason);
    return 0;
}

static int on_reason(http_parser *p, const char *at, size_t n) {
    buf_add(&call_of(p)->reason, at, n);
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t n) {
    struct http_call *k = call_of(p);
    if (!k->in_headers) return 0; /* a trailer */
    if (k->in_value) end_header(k);
    buf_add(&k->name, at, n);
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n) {
    struct http_call *k = call_of(p);
    if (!k->in_headers) return 0;
    k->in_value = true;
    buf_add(&k->value, at, n);
    return 0;
}

/* http_parser wants 1 where no body follows whatever the headers say, 2 where HTTP ends. */
static int on_headers(http_parser *p) {
    struct http_call *k = call_of(p);
    end_header(k);
    k->in_headers = false;
    k->answer.status = (int)p->status_code;
    k->answer.reason = arena_strdup(&k->arena, buf_str(&k->reason));
    if (p->status_code == 101) return 2;
    if (p->status_code / 100 == 1) return 0;
    if (k->timer != NULL) loop_timer_cancel(TAKE(k->timer));
    struct conn *c = k->conn;
    if (k->cb.headers != NULL) k->cb.headers(k, &k->answer, k->arg);
    if (c->call == NULL) return -1;
    return k->no_body;
}

static int on_body(http_parser *p, const char *at, size_t n) {
    struct http_call *k = call_of(p);
    struct conn *c = k->conn;
    if (k->cb.data != NULL) k->cb.data(k, at, n, k->arg);
    return c->call == NULL ? -1 : 0;
}

/* The call ends when the parser has returned: its callback may want this connection again. */
static int on_complete(http_parser *p) {
    if (p->status_code / 100 == 1) return 0;
    CONTAINER_OF(p, struct conn, parser)->complete = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings parser_settings = {
    .on_message_begin = on_begin,
    .on_status = on_reason,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- the stream ---- */

static void submit(struct http_call *k);

static bool send_again(struct http_call *k) {
    struct conn *c = k->conn;
    if (!c->reused || c->heard || !k->repeatable) return false;
    k->conn = NULL;
    c->call = NULL;
    submit(k);
    return true;
}

static void switch_protocols(struct conn *c, const char *rest, size_t n) {
    struct http_call *k = c->call;
    if (k->cb.upgraded == NULL || k->upgrade == NULL) return call_done(k, error_new("unexpected answer 101 Switching Protocols"));
    struct stream *s = c->stream;
    if (n > 0) stream_unread(s, rest, n);
    stream_start(s, &(struct stream_callbacks){0}, NULL); /* until the callee starts or closes it */
    k->conn = NULL;
    k->cb.upgraded(k, &k->answer, s, k->arg);
    call_free(k);
    free(c->key);
    free(c);
}

static void complete(struct conn *c, bool keep) {
    struct http_call *k = c->call;
    http_parser_pause(&c->parser, 0);
    k->conn = NULL;
    if (keep && http_should_keep_alive(&c->parser) && !k->no_reuse && stream_pending(c->stream) == 0) conn_keep(c);
    else conn_close(c);
    call_done(k, NULL);
}

static void on_data(struct stream *s, const void *p, size_t n, void *arg) {
    (void)s;
    struct conn *c = arg;
    if (c->call == NULL) return conn_close(c); /* an idle connection: the end, or what nobody asked for */
    if (n == 0 && send_again(c->call)) return stream_close(c->stream);
    c->heard |= n > 0;
    size_t used = http_parser_execute(&c->parser, &parser_settings, p, n);
    enum http_errno no = HTTP_PARSER_ERRNO(&c->parser);
    if (c->call == NULL) return; /* cancelled */
    if (c->complete) complete(c, used == n && n > 0);
    else if (c->parser.upgrade) switch_protocols(c, (const char *)p + used, n - used);
    else if (n == 0) call_done(c->call, error_new("%s", c->heard ? "unexpected EOF" : "EOF"));
    else if (no != HPE_OK)
        call_done(c->call, error_new("net/http: HTTP/1.x transport connection broken: %s", http_errno_description(no)));
}

static void on_closed(struct stream *s, const struct error *e, void *arg) {
    (void)s;
    struct conn *c = arg;
    struct http_call *k = c->call;
    conn_unlink(c);
    if (k != NULL && !send_again(k)) {
        k->conn = NULL;
        call_done(k, e != NULL ? error_copy(e) : error_new("EOF"));
    }
    free(c->key);
    free(c);
}

static const struct stream_callbacks stream_table = {.data = on_data, .closed = on_closed};

static struct conn *conn_new(struct http_call *k) {
    struct conn *c = xcalloc(1, sizeof *c);
    c->client = k->client;
    c->key = xstrdup(k->key);
    c->stream = net_target_connect(k->client->loop, &k->target);
    stream_start(c->stream, &stream_table, c);
    return c;
}

static struct conn *take_idle(struct http_client *client, const char *key) {
    for (struct conn *c = client->idle; c != NULL; c = c->next)
        if (strcmp(c->key, key) == 0) {
            conn_unlink(c);
            return c;
        }
    return NULL;
}

static void submit(struct http_call *k) {
    struct conn *c = k->no_reuse ? NULL : take_idle(k->client, k->key);
    if (c == NULL) c = conn_new(k);
    k->conn = c;
    c->call = k;
    c->heard = c->complete = false;
    http_parser_init(&c->parser, HTTP_RESPONSE);
    stream_write(c->stream, k->request.data, k->request.len);
}

/* ---- requests ---- */

static void write_request(struct buf *out, const struct http_request *r, const char *method, const char *path, const char *host) {
    bool whole = r->target.proxy_host != NULL && r->target.tls == NULL; /* a proxy wants the URL */
    buf_printf(out, "%s %s%s%s HTTP/1.1\r\nHost: %s\r\n", method, whole ? "http://" : "", whole ? host : "", path, host);
    if (whole && r->target.proxy_authorization != NULL) buf_printf(out, "Proxy-Authorization: %s\r\n", r->target.proxy_authorization);
    for (size_t i = 0; i < r->header_count; i++) buf_printf(out, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
    if (r->upgrade != NULL) buf_printf(out, "Connection: Upgrade\r\nUpgrade: %s\r\n", r->upgrade);
    else if (r->no_reuse) buf_adds(out, "Connection: close\r\n");
    if (r->body_len > 0 || str_in(method, (const char *const[]){"POST", "PUT", "PATCH", NULL}))
        buf_printf(out, "Content-Length: %zu\r\n", r->body_len);
    buf_adds(out, "\r\n");
    if (r->body_len > 0) buf_add(out, r->body, r->body_len);
}

/* `Get "https://host:port/path"`, as Go's url.Error begins. */
static const char *label_of(struct arena *a, const struct net_target *t, const char *method, const char *host, const char *path) {
    char *label = arena_printf(a, "%s \"%s://%s%s\"", method, t->tls != NULL ? "https" : "http", host, path);
    for (size_t i = 1; method[i] != '\0'; i++) label[i] = (char)tolower((unsigned char)label[i]);
    return label;
}

struct http_call *http_call_start(struct http_client *c, const struct http_request *r, const struct http_call_callbacks *cb,
                                  void *arg) {
    struct http_call *k = xcalloc(1, sizeof *k);
    struct arena *a = &k->arena;
    const struct net_target *t = &r->target;
    const char *method = r->method != NULL ? r->method : r->body != NULL ? "POST" : "GET";
    const char *path = r->path != NULL && r->path[0] != '\0' ? r->path : "/";
    const char *host = r->host != NULL ? r->host : net_target_authority(a, t);
    k->client = c;
    k->cb = *cb;
    k->arg = arg;
    net_target_copy(a, &k->target, t);
    k->key = net_target_key(a, t);
    k->label = label_of(a, t, method, host, path);
    k->upgrade = r->upgrade != NULL ? arena_strdup(a, r->upgrade) : NULL;
    k->no_body = strcmp(method, "HEAD") == 0;
    k->no_reuse = r->no_reuse || r->upgrade != NULL;
    k->repeatable = str_in(method, (const char *const[]){"GET", "HEAD", "OPTIONS", "PUT", "DELETE", NULL});
    write_request(&k->request, r, method, path, host);
    k->link = &c->calls;
    if ((k->next = c->calls) != NULL) k->next->link = &k->next;
    c->calls = k;
    if (r->timeout > 0) k->timer = loop_timer_start(c->loop, r->timeout, on_timeout, k);
    if (r->total_timeout > 0) k->total_timer = loop_timer_start(c->loop, r->total_timeout, on_total_timeout, k);
    submit(k);
    return k;
}

/* ---- clients ---- */

struct http_client *http_client_new(struct loop *loop) {
    struct http_client *c = xcalloc(1, sizeof *c);
    c->loop = loop;
    return c;
}

struct loop *http_client_loop(const struct http_client *c) {
    return c->loop;
}

static void close_client(void *arg) {
    struct http_client *c = arg;
    while (c->calls != NULL) call_done(c->calls, error_new("the client has been closed"));
    while (c->idle != NULL) conn_close(c->idle);
    free(c);
}

void http_client_close(struct http_client *c) { loop_post(c->loop, close_client, c); }

/* ---- blocking calls ---- */

struct fetch {
    struct http_client *client;
    struct arena *arena;
    const struct http_request *request;
    struct http_answer *out;
    struct buf body;
    pthread_mutex_t lock; /* protects done, e */
    pthread_cond_t changed;
    bool done;
    struct error *e;
};

static void fetch_end(struct fetch *f, struct error *e) {
    pthread_mutex_lock(&f->lock);
    f->e = e;
    f->done = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void fetch_headers(struct http_call *k, const struct http_answer *answer, void *arg) {
    (void)k;
    struct fetch *f = arg;
    struct http_header *headers = arena_calloc(f->arena, answer->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < answer->header_count; i++)
        headers[i] = (struct http_header){arena_strdup(f->arena, answer->headers[i].name),
                                          arena_strdup(f->arena, answer->headers[i].value)};
    *f->out = (struct http_answer){answer->status, arena_strdup(f->arena, answer->reason), headers, answer->header_count, "", 0};
}

static void fetch_data(struct http_call *k, const void *p, size_t n, void *arg) {
    struct fetch *f = arg;
    buf_add(&f->body, p, n);
    if (!f->body.overflow) return;
    http_call_cancel(k);
    fetch_end(f,
              error_new("the answer to %s %s is larger than %zu bytes", f->request->method != NULL ? f->request->method : "GET",
                        f->request->path != NULL ? f->request->path : "/", f->body.max));
}

static void fetch_done(struct http_call *k, const struct error *e, void *arg) {
    (void)k;
    struct fetch *f = arg;
    if (e == NULL) {
        f->out->body = arena_strndup(f->arena, "", 0);
        f->out->body_len = f->body.len;
        if (f->body.len > 0) f->out->body = arena_dup(f->arena, f->body.data, f->body.len + 1);
    }
    fetch_end(f, e != NULL ? error_copy(e) : NULL);
}

static void fetch_start(void *arg) {
    static const struct http_call_callbacks callbacks = {.headers = fetch_headers, .data = fetch_data, .done = fetch_done};
    struct fetch *f = arg;
    http_call_start(f->client, f->request, &callbacks, f);
}

struct error *http_fetch(struct http_client *c, struct arena *a, const struct http_request *r, size_t max_body,
                         struct http_answer *out) {
    struct fetch f = {.client = c,
                      .arena = a,
                      .request = r,
                      .out = out,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER};
    f.body.max = max_body != 0 ? max_body : 16 * 1024 * 1024;
    loop_post(c->loop, fetch_start, &f);
    pthread_mutex_lock(&f.lock);
    while (!f.done) pthread_cond_wait(&f.changed, &f.lock);
    pthread_mutex_unlock(&f.lock);
    buf_free(&f.body);
    return f.e;
}
