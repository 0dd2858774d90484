/* A watch over HTTP: one event after another as JSON lines or length-prefixed protobuf, on the exchange's loop.
 *
 * The store's thread wakes the stream for the loop's next round; a stream that is over is freed only when it does not wait
 * for one. */
#include "apiserver/change.h"
#include "apiserver/table.h"
#include "apiserver/watch.h"
#include "net/websocket_answer.h"

#define PENDING_MAX (256 << 10) /* bytes queued for a slow client; what comes after waits in the store */
#define BATCH_MAX ((16 << 10) - 32) /* small events go out together: one chunk with its head, one TLS record, one system call */
#define BOOKMARK_EVERY SECONDS(60)

struct batch {
    size_t len, largest; /* largest: bytes of the largest event */
    bool parted;         /* not all of it is in `bytes`: some has been written already */
    char bytes[BATCH_MAX];
};

/* What one watch wrote in its turn: the others of its view that were at its position write the same in this round of the loop. */
struct turn {
    struct watch_view view;       /* where it began; the resource is held, the prefix lies behind the bytes */
    enum media_type media;        /* of whole objects, not tables or metadata */
    uint64_t end;                 /* the position it came to */
    uint64_t first, last;         /* revisions of its events */
    size_t len;
    char bytes[];
};
struct watch_stream {
    struct watch_stream *next, *prev;  /* of the server's list */
    struct request *r;
    struct apiserver_watch *watch;
    struct loop_timer *timeout, *bookmark;
    struct batch *batch;               /* what this turn of the loop has to say; on its stack */
    struct list_answer *initial;       /* the state that comes first; NULL when it is sent */
    size_t initial_sent;
    uint64_t after;                    /* events up to this revision are not sent */
    uint64_t from, sent;               /* revision of the last event or bookmark sent */
    bool bookmarks, initial_end, columns_sent, over, client_gone;
    enum { CAUGHT_UP, YIELDED, CLOGGED } waits; /* for the store, the loop's next round, the client */
    struct loop_member member;         /* of the loop's rounds */
};

static void drop_initial(struct watch_stream *w) {
    struct list_answer *l = w->initial;
    for (size_t i = w->initial_sent; l && i < l->len; i++) doc_unref(l->docs[i]);
    if (l) free(l->docs);
    w->initial = NULL;
}

static void stream_free(struct watch_stream *w) {
    struct apiserver *s = w->r->server;
    drop_initial(w);
    pthread_mutex_lock(&s->watch_lock);
    if (w->prev) w->prev->next = w->next;
    else s->watches = w->next;
    if (w->next) w->next->prev = w->prev;
    pthread_mutex_unlock(&s->watch_lock);
    metrics_watch(s, w->r, -1);
    request_release(w->r);
    http_end(w->r->x);
}

static void stream_over(struct watch_stream *w) {
    if (!w->over) {
        w->over = true;
        if (w->timeout) loop_timer_cancel(w->timeout);
        if (w->bookmark) loop_timer_cancel(w->bookmark);
        w->timeout = w->bookmark = NULL;
        apiserver_watch_close(w->watch);
        w->watch = NULL;
    }
    if (!atomic_load(&w->member.waiting)) stream_free(w);
}

/* ---- events ---- */

static void flush(struct watch_stream *w) {
    if (w->batch->len > 0) http_write(w->r->x, w->batch->bytes, w->batch->len, NULL, NULL);
    w->batch->len = 0;
    w->batch->parted = true;
}

static void batch_begin(struct watch_stream *w, struct batch *b) {
    b->len = b->largest = 0;
    b->parted = false;
    w->batch = b;
}

static void batch_end(struct watch_stream *w) {
    if (!w->client_gone) flush(w);
    w->batch = NULL;
}

static void add(struct watch_stream *w, const void *p, size_t n) {
    memcpy(w->batch->bytes + w->batch->len, p, n);
    w->batch->len += n;
}

/* In one piece with its neighbours if it is small. */
static void write_bytes(struct watch_stream *w, const void *p, size_t n) {
    if (w->batch == NULL) return http_write(w->r->x, p, n, NULL, NULL);
    if (n > BATCH_MAX - w->batch->len) flush(w);
    if (n <= BATCH_MAX) add(w, p, n);
    else http_write(w->r->x, p, n, NULL, NULL);
}

static void write_frame(struct watch_stream *w, const char *type, struct arena *a, const struct json *o, const struct type *t) {
    struct buf object = {0}, frame = {0};
    cleanup_error struct error *e = NULL;
    const struct type *actual = t ? t : type_find("meta/v1/Status");
    e = schema_pb_encode(a, actual, o, &object);
    if (e == NULL) {
        schema_pb_watch_event(&frame, type, object.data, object.len);
        write_bytes(w, frame.data, frame.len);
    }
    buf_free(&object);
    buf_free(&frame);
}

static void write_json(struct watch_stream *w, const char *type, const struct json *o) {
    struct buf line = {0};
    buf_printf(&line, "{\"type\":\"%s\",\"object\":", type);
    json_encode(&line, o);
    buf_adds(&line, "}\n");
    write_bytes(w, line.data, line.len);
    buf_free(&line);
}

static void release_doc(void *d) { doc_unref(d); }

/* The object's cached encoding between a head and a tail. Only while there is a batch. */
static void write_doc(struct watch_stream *w, const char *type, struct doc *d) {
    static const char before[] = "{\"type\":\"", between[] = "\",\"object\":", after[] = "}\n";
    const struct doc_bytes *b = doc_encoded(d);
    size_t length = strlen(type), framing = sizeof(before) + sizeof(between) + sizeof(after) - 3 + length;
    bool small = framing + b->len <= BATCH_MAX;
    if ((small ? framing + b->len : framing) > BATCH_MAX - w->batch->len) flush(w);
    add(w, before, sizeof(before) - 1);
    add(w, type, length);
    add(w, between, sizeof(between) - 1);
    if (small) add(w, b->data, b->len);
    else {
        flush(w);
        http_write(w->r->x, b->data, b->len, release_doc, doc_ref(d));
    }
    add(w, after, sizeof(after) - 1);
}

static const struct json *transformed(struct watch_stream *w, struct request *r, const struct json *o) {
    if (r->accept.as == AS_METADATA) return metadata_of(r, o);
    if (r->accept.as != AS_TABLE) return o;
    const struct json *t = table_of_event(r, o, !w->columns_sent);
    w->columns_sent = true;
    return t;
}

static void write_event(struct watch_stream *w, const char *type, struct doc *d) {
    struct request *r = w->r;
    bool json = r->accept.media == MEDIA_JSON;
    if (json && r->accept.as == AS_IS) return write_doc(w, type, d);
    struct arena *kept = r->arena;
    cleanup_arena struct arena a = {0};
    r->arena = &a;
    const struct json *o = transformed(w, r, d->root);
    const struct type *t = r->accept.as == AS_METADATA ? type_find("meta/v1/PartialObjectMetadata") : r->resource->type;
    if (json) write_json(w, type, o);
    else write_frame(w, type, &a, o, t);
    r->arena = kept;
}

static void write_error(struct watch_stream *w, const struct error *e) {
    cleanup_arena struct arena a = {0};
    const struct json *status = status_value(&a, e);
    if (w->r->accept.media == MEDIA_JSON) write_json(w, "ERROR", status);
    else write_frame(w, "ERROR", &a, status, NULL);
}

static void write_bookmark(struct watch_stream *w, uint64_t revision, bool initial_end) {
    cleanup_arena struct arena a = {0};
    const struct resource *res = w->r->resource;
    const struct json *annotations = initial_end ? json_make(&a, "{'k8s.io/initial-events-end':'true'}") : NULL;
    const struct json *o = json_make(&a, "{'kind':%s,'apiVersion':%s,'metadata':{'resourceVersion':%s,'annotations':%v}}", res->kind,
                                     api_version(&a, res), arena_printf(&a, "%llu", (unsigned long long)revision), annotations);
    if (!res->crd) {
        cleanup_error struct error *e = schema_decode(&a, res->type, o, NULL, &o);
        o = json_with_member(&a, json_with_member(&a, o, "kind", json_string(&a, res->kind)), "apiVersion", json_string(&a, api_version(&a, res)));
    }
    cleanup_doc struct doc *d = doc_new(o);
    w->sent = revision;
    write_event(w, "BOOKMARK", d);
}

static const char *const event_names[] = {[STORE_ADDED] = "ADDED", [STORE_MODIFIED] = "MODIFIED", [STORE_DELETED] = "DELETED"};

static size_t pending(const struct watch_stream *w) { return http_pending(w->r->x) + w->batch->len; }

/* True when all of it is queued. */
static bool pump_initial(struct watch_stream *w) {
    struct list_answer *l = w->initial;
    if (l == NULL) return true;
    while (w->initial_sent < l->len) {
        if (w->client_gone || pending(w) >= PENDING_MAX) return false;
        write_event(w, "ADDED", l->docs[w->initial_sent]);
        doc_unref(l->docs[w->initial_sent++]);
    }
    drop_initial(w);
    if (w->initial_end) write_bookmark(w, w->from, true);
    return true;
}

/* Another event of the size of those before would not fit into the batch. */
static bool batch_full(const struct batch *b) { return b->len + b->largest > BATCH_MAX; }

/* What the stream waits for next. */
static int pump_next(struct watch_stream *w, size_t until, uint64_t *first, bool *lost) {
    struct store_event ev;
    if (!pump_initial(w)) return CLOGGED;
    while (!w->client_gone) {
        size_t queued = pending(w), before = w->batch->len;
        if (queued >= until || batch_full(w->batch)) return queued >= PENDING_MAX ? CLOGGED : YIELDED;
        if (!apiserver_watch_next(w->watch, &ev, lost)) return CAUGHT_UP;
        if (ev.revision <= w->after) continue;
        write_event(w, event_names[ev.type], ev.doc);
        w->batch->largest = MAX(w->batch->largest, w->batch->len - MIN(before, w->batch->len));
        w->sent = ev.revision;
        if (*first == 0) *first = ev.revision;
    }
    return CLOGGED;
}

/* ---- turns that many watches have in common ---- */

static void turn_drop(void *p) {
    struct turn *t = p;
    resource_release(t->view.resource);
    free(t);
}

/* Does the stream show a view as most do: from a place in the store, and whole objects? */
static bool plain_view(struct watch_stream *w, struct watch_view *out) {
    return w->initial == NULL && !w->client_gone && w->r->accept.as == AS_IS && watch_view(w->watch, out);
}

static void turn_share(struct watch_stream *w, const struct watch_view *view, uint64_t first, const struct batch *b) {
    struct watch_view after;
    size_t prefix = strlen(view->prefix) + 1;
    if (b->len == 0 || b->parted || !plain_view(w, &after)) return;
    struct turn *t = xmalloc(sizeof(*t) + b->len + prefix);
    *t = (struct turn){.view = *view, .media = w->r->accept.media, .end = after.position, .first = first, .last = w->sent, .len = b->len};
    memcpy(t->bytes, b->bytes, b->len);
    t->view.prefix = memcpy(t->bytes + b->len, view->prefix, prefix);
    resource_hold(t->view.resource);
    loop_round_share(w->r->x->loop, t, turn_drop);
}

/* Writes what another watch of this view has just written; false if there is none. */
static bool turn_repeat(struct watch_stream *w, const struct watch_view *view) {
    const struct turn *t = loop_round_shared(w->r->x->loop);
    bool same = t != NULL && t->view.position == view->position && t->view.resource == view->resource && t->media == w->r->accept.media;
    if (!same || !str_eq(t->view.prefix, view->prefix) || t->first <= MAX(w->from, w->after) || http_pending(w->r->x) + t->len > PENDING_MAX) return false;
    http_write(w->r->x, t->bytes, t->len, NULL, NULL);
    w->sent = t->last;
    w->waits = watch_skip(w->watch, t->end) ? YIELDED : CAUGHT_UP;
    return true;
}

/* One batch, then others have their turn. Returns whether the watch has lost events. */
static bool pump_batch(struct watch_stream *w) {
    struct batch batch;
    struct watch_view view;
    uint64_t first = 0;
    bool lost = false, plain = plain_view(w, &view);
    if (plain && turn_repeat(w, &view)) return false;
    batch_begin(w, &batch);
    w->waits = pump_next(w, MIN(pending(w) + BATCH_MAX, PENDING_MAX), &first, &lost);
    if (plain && !lost) turn_share(w, &view, first, &batch);
    batch_end(w);
    return lost;
}

static void wake(void *arg) {
    struct watch_stream *w = arg;
    loop_round(w->r->x->loop, &w->member);
}

/* What cannot be converted ends the watch without a word, as upstream's watch cache closes its watchers then. */
static void pump_events(struct watch_stream *w) {
    if (!pump_batch(w)) {
        if (w->waits != YIELDED) return;
        loop_round_full(w->r->x->loop);
        wake(w);
        return;
    }
    if (apiserver_watch_failure(w->watch)) return stream_over(w);
    cleanup_error struct error *e = status_expired("too old resource version: %llu (%llu)", (unsigned long long)w->sent,
                                                   (unsigned long long)store_revision(w->r->server->store));
    write_error(w, e);
    stream_over(w);
}

static void on_round(struct loop_member *m) {
    struct watch_stream *w = CONTAINER_OF(m, struct watch_stream, member);
    if (w->over) return stream_free(w);
    if (atomic_load(&w->r->server->stopping)) return stream_over(w);
    pump_events(w);
}

/* ---- life ---- */

static void on_close(struct http_exchange *x) {
    struct watch_stream *w = x->user;
    w->client_gone = true;
    stream_over(w);
}

static void on_drain(struct http_exchange *x) {
    struct watch_stream *w = x->user;
    if (!w->over && w->watch && w->waits == CLOGGED) pump_events(w);
}

static void on_timeout(void *arg) {
    struct watch_stream *w = arg;
    w->timeout = NULL;
    stream_over(w);
}

static void on_bookmark(void *arg) {
    struct watch_stream *w = arg;
    w->bookmark = loop_timer_start(w->r->x->loop, BOOKMARK_EVERY, on_bookmark, w);
    uint64_t at = apiserver_watch_progress(w->watch);
    if (at <= w->sent || w->initial != NULL) return;
    struct batch batch;
    batch_begin(w, &batch);
    write_bookmark(w, at, false);
    batch_end(w);
}

static int64_t timeout_of(const struct request *r) {
    if (r->options.timeout_seconds > 0) return SECONDS(r->options.timeout_seconds);
    uint32_t random;
    random_bytes(&random, sizeof(random));
    return SECONDS(1800 + random % 1800);
}

/* On the loop's thread, in place of an answer. */
static void stream_begin(struct request *r) {
    struct watch_stream *w = r->x->user;
    struct http_header headers[32];
    const char *type = r->accept.media == MEDIA_JSON ? "application/json" : "application/vnd.kubernetes.protobuf;stream=watch";
    size_t n = respond_headers(r, type, headers, ARRAY_LEN(headers));
    r->x->on_close = on_close;
    http_begin(r->x, 200, headers, n);
    http_set_on_drain(r->x, on_drain);
    metrics_watch(r->server, r, 1);
    pthread_mutex_lock(&r->server->watch_lock);
    w->next = r->server->watches;
    if (w->next) w->next->prev = w;
    r->server->watches = w;
    pthread_mutex_unlock(&r->server->watch_lock);
    w->timeout = loop_timer_start(r->x->loop, timeout_of(r), on_timeout, w);
    if (w->bookmarks) w->bookmark = loop_timer_start(r->x->loop, BOOKMARK_EVERY, on_bookmark, w);
    w->sent = w->from;
    struct error *e = watch_open(r->server, r->resource, r->ns, r->name, r->options.label_selector, r->options.field_selector, w->from, wake, w, &w->watch);
    if (e) {
        write_error(w, e);
        error_free(e);
        return stream_over(w);
    }
    pump_events(w);
}

/* Where the watch begins: with the present state, with a given revision, or now. */
static struct error *choose_start(struct request *r, struct watch_stream *w) {
    const struct request_options *o = &r->options;
    uint64_t wanted, current = store_revision(r->server->store);
    TRY(parse_version(o->resource_version, &wanted));
    w->from = wanted;
    bool begin = o->has_send_initial_events ? o->send_initial_events : wanted == 0;
    if (wanted > current) return w->from = current, w->after = wanted, NULL; /* the future will come */
    if (!begin) {
        if (wanted == 0) w->from = current;
        return NULL;
    }
    r->options.limit = 0;
    r->options.continue_token = NULL;
    r->options.resource_version = r->options.resource_version_match = NULL;
    TRY(list_objects(r, &w->initial));
    w->from = w->initial->revision;
    w->initial_end = o->allow_bookmarks;
    return NULL;
}

/* A browser's way to watch: each event is a message (WatchServer.HandleWS). */
static bool websocket_refused(struct request *r) {
    if (!websocket_asked(r->x)) return false;
    struct websocket_refusal refusal = websocket_answer_messages(r->x, r->accept.media == MEDIA_JSON ? WEBSOCKET_LINES : WEBSOCKET_PREFIXED);
    if (refusal.status) answer_text(r, refusal.status, refusal.message);
    return refusal.status != 0;
}

struct error *serve_watch(struct request *r) {
    TRY(negotiate_accept(r, true, true));
    if (r->accept.media == MEDIA_YAML) return status_not_acceptable("application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch");
    TRY(options_list(r));
    struct filter check;
    TRY(filter_parse(r->arena, r->resource, r->ns, r->name, r->options.label_selector, r->options.field_selector, &check));
    if (websocket_refused(r)) return NULL;
    struct watch_stream *w = ARENA_NEW(r->arena, struct watch_stream);
    w->r = r;
    w->member.run = on_round;
    w->bookmarks = r->options.allow_bookmarks;
    TRY(choose_start(r, w));
    r->x->user = w;
    r->answer.code = 200;
    r->answer.start = stream_begin;
    return NULL;
}

/* They see that the server is stopping. */
void watch_streams_end(struct apiserver *s) {
    pthread_mutex_lock(&s->watch_lock);
    for (struct watch_stream *w = s->watches; w; w = w->next) wake(w);
    pthread_mutex_unlock(&s->watch_lock);
}
