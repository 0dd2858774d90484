#include "apiserver/watch_feed.h"

#define BATCH 100 /* events whose objects are converted together */

struct feed_item {
    struct store_event event; /* its documents are references: as stored */
    char *key;
    struct doc *doc, *previous; /* as the version shows them */
};

enum state { READY, WAITING }; /* WAITING: the items are the worker's */

struct feed {
    _Atomic unsigned refs;      /* the reader's and the queue's */
    const struct resource *resource;
    struct store_watch *watch;
    const char *prefix;
    bool converts, previous;
    void (*wake)(void *arg);
    void *arg;
    pthread_mutex_t lock;       /* all below */
    pthread_cond_t idle;        /* no wake call of a worker is running */
    enum state state;
    bool waking, closed, lost;
    struct error *failure;
    struct feed_item *items;    /* one, or BATCH where a webhook is asked */
    size_t len, at;             /* items; the first that has not been handed out */
    struct feed *next;          /* of the queue; the definition's lock */
};

struct watch_queue {
    struct feed *first, **last;
    bool running;
};

/* ---- items ---- */

static void item_drop(struct feed_item *i) {
    doc_unref(i->event.doc);
    doc_unref(i->event.previous);
    doc_unref(i->doc);
    doc_unref(i->previous);
    free(i->key);
    *i = (struct feed_item){0};
}

static void items_drop(struct feed *f) {
    for (size_t i = 0; i < f->len; i++) item_drop(&f->items[i]);
    f->len = f->at = 0;
}

/* Takes what the store has; its documents are only lent, so that references are kept. */
static void items_take(struct feed *f, size_t max) {
    struct store_event ev;
    items_drop(f);
    while (f->len < max && !f->lost && store_watch_next(f->watch, &ev, &f->lost)) {
        if (!str_starts(ev.key, f->prefix)) continue;
        struct feed_item *i = &f->items[f->len++];
        *i = (struct feed_item){.event = ev, .key = xstrdup(ev.key)};
        i->event.key = i->key;
        if (ev.doc) doc_ref(ev.doc);
        if (ev.previous) doc_ref(ev.previous);
    }
}

/* The documents that have to be shown, and their views. */
struct shown {
    struct doc *docs[2 * BATCH], *views[2 * BATCH];
    size_t len;
};

static struct shown *items_docs(struct arena *a, const struct feed *f) {
    struct shown *s = ARENA_NEW(a, struct shown);
    for (size_t i = 0; i < f->len; i++) {
        const struct store_event *ev = &f->items[i].event;
        if (ev->doc) s->docs[s->len++] = ev->doc;
        if (ev->previous && f->previous) s->docs[s->len++] = ev->previous;
    }
    return s;
}

static void items_place(struct feed *f, const struct shown *s) {
    size_t at = 0;
    for (size_t i = 0; i < f->len; i++) {
        const struct store_event *ev = &f->items[i].event;
        if (ev->doc) f->items[i].doc = s->views[at++];
        if (ev->previous && f->previous) f->items[i].previous = s->views[at++];
    }
}

/* Where nobody has to be asked. */
static struct error *item_show(struct feed *f, struct feed_item *i) {
    if (i->event.doc) TRY(registry_view(f->resource, i->event.doc, &i->doc));
    return i->event.previous && f->previous ? registry_view(f->resource, i->event.previous, &i->previous) : NULL;
}

static bool items_known(struct feed *f) {
    cleanup_arena struct arena a = {0};
    if (!f->converts) return f->failure = item_show(f, f->items), true;
    struct shown *s = items_docs(&a, f);
    if (!crd_view_known(f->resource->crd, s->docs, s->len, s->views)) return false;
    return items_place(f, s), true;
}

/* On a worker, without the lock: nobody else touches the items of a waiting feed. */
static struct error *items_convert(struct feed *f) {
    cleanup_arena struct arena a = {0};
    struct shown *s = items_docs(&a, f);
    TRY(crd_view(f->resource->crd, s->docs, s->len, s->views));
    items_place(f, s);
    return NULL;
}

/* ---- the queue of a definition ---- */

static void feed_unref(struct feed *f) {
    if (atomic_fetch_sub(&f->refs, 1) != 1) return;
    items_drop(f);
    free(f->items);
    error_free(f->failure);
    resource_release(f->resource);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->idle);
    free(f);
}

/* Takes the error. */
static void feed_done(struct feed *f, struct error *e) {
    pthread_mutex_lock(&f->lock);
    f->state = READY;
    f->failure = e;
    f->waking = !f->closed;
    bool wake = f->waking;
    pthread_mutex_unlock(&f->lock);
    if (wake) f->wake(f->arg);
    pthread_mutex_lock(&f->lock);
    f->waking = false;
    pthread_cond_broadcast(&f->idle);
    pthread_mutex_unlock(&f->lock);
    feed_unref(f);
}

static struct feed *queue_take(struct definition *d) {
    pthread_mutex_lock(&d->lock);
    struct watch_queue *q = d->queue;
    struct feed *f = q->first;
    if (f) q->first = f->next;
    if (q->first == NULL) q->last = &q->first;
    if (f == NULL) q->running = false;
    pthread_mutex_unlock(&d->lock);
    return f;
}

/* When the webhook fails, those that wait meanwhile fail with it rather than one after another. */
static void queue_run(void *arg) {
    struct definition *d = arg;
    cleanup_error struct error *failed = NULL;
    for (struct feed *f; (f = queue_take(d)) != NULL;) {
        struct error *e = failed ? error_copy(failed) : items_convert(f);
        if (e && failed == NULL) failed = error_copy(e);
        feed_done(f, e);
    }
    resource_release(&d->storage->resource);
}

static void queue_add(struct feed *f) {
    struct definition *d = f->resource->crd->definition;
    atomic_fetch_add(&f->refs, 1);
    pthread_mutex_lock(&d->lock);
    if (d->queue == NULL) d->queue = arena_calloc(&d->arena, 1, sizeof(*d->queue)), d->queue->last = &d->queue->first;
    struct watch_queue *q = d->queue;
    f->next = NULL;
    *q->last = f;
    q->last = &f->next;
    bool start = !q->running;
    q->running = true;
    pthread_mutex_unlock(&d->lock);
    if (!start) return;
    resource_hold(&d->storage->resource);
    worker_submit(d->server->converters, queue_run, d);
}

/* ---- reading ---- */

struct error *feed_open(struct apiserver *s, const struct resource *r, const char *prefix, bool previous, uint64_t from, void (*wake)(void *arg),
                        void *arg, struct feed **out) {
    struct feed *f = xcalloc(1, sizeof(*f));
    *f = (struct feed){.refs = 1, .resource = resource_hold(r), .prefix = prefix, .converts = crd_converts(r), .previous = previous, .wake = wake, .arg = arg};
    f->items = xcalloc(f->converts ? BATCH : 1, sizeof(*f->items));
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->idle, NULL);
    struct error *e = store_watch_open(s->store, table_of(s, r), from, wake, arg, &f->watch);
    if (e) return feed_unref(f), e;
    *out = f;
    return NULL;
}

static void hand_out(struct feed *f, struct store_event *ev) {
    struct feed_item *i = &f->items[f->at++];
    *ev = i->event;
    ev->doc = i->doc;
    if (f->previous) ev->previous = i->previous;
}

/* With the lock. */
static bool next(struct feed *f, struct store_event *ev, bool *lost) {
    if (f->state == WAITING) return false;
    if (f->at == f->len && f->failure == NULL) {
        items_take(f, f->converts ? BATCH : 1);
        if (f->len > 0 && !items_known(f)) {
            f->state = WAITING;
            queue_add(f);
            return false;
        }
    }
    *lost = f->failure || (f->at == f->len && f->lost);
    if (*lost || f->at == f->len) return false;
    hand_out(f, ev);
    return true;
}

bool feed_next(struct feed *f, struct store_event *ev, bool *lost) {
    *lost = false;
    pthread_mutex_lock(&f->lock);
    bool any = next(f, ev, lost);
    pthread_mutex_unlock(&f->lock);
    return any;
}

bool feed_position(struct feed *f, uint64_t *position) {
    if (f->converts) return false;
    pthread_mutex_lock(&f->lock);
    bool known = f->at == f->len && f->failure == NULL && !f->lost;
    *position = store_watch_position(f->watch);
    pthread_mutex_unlock(&f->lock);
    return known;
}

bool feed_skip(struct feed *f, uint64_t position) {
    pthread_mutex_lock(&f->lock);
    items_drop(f);
    bool more = store_watch_skip(f->watch, position);
    pthread_mutex_unlock(&f->lock);
    return more;
}

const struct error *feed_failure(const struct feed *f) { return f->failure; }

uint64_t feed_progress(struct feed *f) {
    pthread_mutex_lock(&f->lock);
    bool all = f->state == READY && f->at == f->len && f->failure == NULL;
    uint64_t revision = all ? store_watch_progress(f->watch) : 0;
    pthread_mutex_unlock(&f->lock);
    return revision;
}

void feed_close(struct feed *f) {
    if (f == NULL) return;
    store_watch_close(f->watch);
    pthread_mutex_lock(&f->lock);
    f->closed = true;
    while (f->waking) pthread_cond_wait(&f->idle, &f->lock);
    pthread_mutex_unlock(&f->lock);
    feed_unref(f);
}
