/* Events: a ring per table, and those who read it.
 *
 * An event is put into its table's ring before its state is published, and shown to watches after (up to `delivered`).
 * So whoever holds a snapshot finds all events before it in the ring (that is how earlier states are rebuilt), and
 * whoever has seen an event finds it in the next snapshot. */
#include "store/private.h"

/* A quiet table keeps this many events, however old. */
enum { EVENTS_KEPT = 100, READ_AHEAD = 32, DROPS_PER_EVENT = 8 };

struct store_watch {
    struct store_table *table;
    struct store_watch *next, **link;
    void (*wake)(void *arg);
    void *arg;
    _Atomic bool armed; /* wants a wake call */
    uint64_t from, cursor, progress;
    struct event *events[READ_AHEAD]; /* read ahead, to take the lock once for many; [pos - 1] is shown at present */
    size_t pos, len;
};

struct event *event_ref(struct event *e) {
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void event_unref(struct event *e) {
    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1) return;
    tree_key_unref(e->key);
    doc_unref(e->doc);
    doc_unref(e->previous);
    free(e);
}

/* ---- the ring ---- */

static struct event *ring_at(const struct store_table *t, uint64_t n) { return t->ring[n % t->ring_cap]; }

static void ring_grow(struct store_table *t) {
    size_t cap = MAX(16, t->ring_cap * 2);
    struct event **ring = xmalloc(cap * sizeof(*ring));
    for (uint64_t n = t->first; n < t->next; n++) ring[n % cap] = ring_at(t, n);
    free(t->ring);
    t->ring = ring;
    t->ring_cap = cap;
}

static void ring_drop(struct store_table *t) {
    struct event *oldest = ring_at(t, t->first++);
    t->dropped = oldest->revision;
    event_unref(oldest);
}

static void ring_add(struct store_table *t, struct event *e) {
    const struct store *s = t->store;
    pthread_mutex_lock(&t->lock);
    while (t->next - t->first >= s->watch_window) ring_drop(t);
    for (int i = 0; i < DROPS_PER_EVENT && t->next - t->first > EVENTS_KEPT &&
         ring_at(t, t->first)->time < e->time - s->history; i++)
        ring_drop(t);
    if (t->next - t->first == t->ring_cap) ring_grow(t);
    t->ring[t->next++ % t->ring_cap] = event_ref(e);
    pthread_mutex_unlock(&t->lock);
}

/* The number of the first kept event with a greater revision. */
static uint64_t ring_after(const struct store_table *t, uint64_t revision) {
    uint64_t low = t->first, high = t->next;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (ring_at(t, mid)->revision <= revision) low = mid + 1;
        else high = mid;
    }
    return low;
}

static void wake_watches(struct store_table *t) {
    pthread_mutex_lock(&t->wake_lock);
    for (struct store_watch *w = t->watches; w; w = w->next) {
        if (atomic_exchange(&w->armed, false)) w->wake(w->arg);
    }
    pthread_mutex_unlock(&t->wake_lock);
}

void rings_add(const struct commit *batch) {
    for (const struct commit *c = batch; c; c = c->next) {
        for (size_t i = 0; i < c->count; i++) ring_add(c->events[i]->table, c->events[i]);
    }
}

void rings_show(struct store *s, const struct commit *batch) {
    uint64_t revision = 0;
    for (const struct commit *c = batch; c; c = c->next) revision = c->revision;
    atomic_store(&s->delivered, revision);
    for (const struct commit *c = batch; c; c = c->next) {
        for (size_t i = 0; i < c->count; i++) {
            struct store_table *t = c->events[i]->table;
            if (t->shown != revision) wake_watches(t);
            t->shown = revision;
        }
    }
}

/* ---- watches ---- */

struct error *store_watch_open(struct store *s UNUSED, struct store_table *t, uint64_t from, void (*wake)(void *arg), void *arg,
                               struct store_watch **out) {
    pthread_mutex_lock(&t->wake_lock);
    pthread_mutex_lock(&t->lock);
    uint64_t oldest = t->dropped, cursor = ring_after(t, from);
    pthread_mutex_unlock(&t->lock);
    if (from < oldest) {
        pthread_mutex_unlock(&t->wake_lock);
        return error_api(410, "Expired", "too old resource version: %llu (%llu)", (unsigned long long)from,
                         (unsigned long long)oldest);
    }
    struct store_watch *w = xcalloc(1, sizeof(*w));
    *w = (struct store_watch){.table = t, .next = t->watches, .link = &t->watches, .wake = wake, .arg = arg,
                              .from = from, .cursor = cursor, .progress = from};
    if (w->next) w->next->link = &w->next;
    t->watches = w;
    pthread_mutex_unlock(&t->wake_lock);
    *out = w;
    return NULL;
}

/* Reads ahead; false if there is nothing (then the watch is armed) or if it is lost. */
static bool refill(struct store_watch *w, bool *lost) {
    struct store_table *t = w->table;
    w->pos = w->len = 0;
    /* Armed first: what is delivered after the next line wakes, what was delivered before it is read. */
    atomic_store(&w->armed, true);
    uint64_t delivered = atomic_load(&t->store->delivered);
    pthread_mutex_lock(&t->lock);
    *lost = w->cursor < t->first;
    while (!*lost && w->len < READ_AHEAD && w->cursor < t->next && ring_at(t, w->cursor)->revision <= delivered) {
        struct event *e = ring_at(t, w->cursor++);
        /* Of a commit that was in the reader's snapshot before it was in the ring. */
        if (e->revision > w->from) w->events[w->len++] = event_ref(e);
    }
    pthread_mutex_unlock(&t->lock);
    if (w->len > 0 || *lost) atomic_store(&w->armed, false);
    else w->progress = MAX(w->progress, delivered);
    return w->len > 0;
}

bool store_watch_next(struct store_watch *w, struct store_event *event, bool *lost) {
    *lost = false;
    if (w->pos > 0) event_unref(w->events[w->pos - 1]);
    if (w->pos == w->len && !refill(w, lost)) return false;
    const struct event *e = w->events[w->pos++];
    *event = (struct store_event){e->type, e->revision, e->key->s + TABLE_ID_LENGTH, e->doc, e->previous};
    return true;
}

uint64_t store_watch_position(const struct store_watch *w) { return w->cursor - (w->len - w->pos); }

bool store_watch_skip(struct store_watch *w, uint64_t position) {
    struct store_table *t = w->table;
    for (size_t i = w->pos > 0 ? w->pos - 1 : 0; i < w->len; i++) event_unref(w->events[i]);
    w->pos = w->len = 0;
    w->cursor = position;
    atomic_store(&w->armed, true); /* as in refill */
    uint64_t delivered = atomic_load(&t->store->delivered);
    pthread_mutex_lock(&t->lock);
    bool more = position < t->first || (position < t->next && ring_at(t, position)->revision <= delivered);
    pthread_mutex_unlock(&t->lock);
    if (more) atomic_store(&w->armed, false);
    else w->progress = MAX(w->progress, delivered);
    return more;
}

uint64_t store_watch_progress(struct store_watch *w) { return w->progress; }

void store_watch_close(struct store_watch *w) {
    pthread_mutex_t *lock = &w->table->wake_lock;
    pthread_mutex_lock(lock);
    *w->link = w->next;
    if (w->next) w->next->link = w->link;
    pthread_mutex_unlock(lock);
    for (size_t i = w->pos > 0 ? w->pos - 1 : 0; i < w->len; i++) event_unref(w->events[i]);
    free(w);
}

/* ---- earlier states ---- */

/* References to the events of (after, until], newest last; NULL if they are not all kept. */
static struct event **events_between(struct store_table *t, uint64_t after, uint64_t until, size_t *count) {
    pthread_mutex_lock(&t->lock);
    struct event **events = NULL;
    *count = 0;
    if (after >= t->dropped) {
        uint64_t first = ring_after(t, after), end = ring_after(t, until);
        events = xmalloc((end - first + 1) * sizeof(struct event *));
        for (uint64_t n = first; n < end; n++) events[(*count)++] = event_ref(ring_at(t, n));
    }
    pthread_mutex_unlock(&t->lock);
    return events;
}

static struct tree_node *undo(struct tree_node *root, const struct event *e) {
    return e->previous ? tree_put(root, e->key, e->previous) : tree_remove(root, e->key->s);
}

static bool is_compacted(struct store *s, uint64_t revision) {
    int64_t now = clock_monotonic(s->clock);
    pthread_mutex_lock(&s->publish_lock);
    uint64_t compacted = history_compacted(&s->past, now, s->history);
    pthread_mutex_unlock(&s->publish_lock);
    return revision < compacted;
}

struct store_snapshot *store_snapshot_at(struct store *s, struct store_table *t, uint64_t revision) {
    struct store_snapshot *now = store_snapshot(s);
    if (now->revision == revision) return now;
    if (is_compacted(s, revision)) return store_snapshot_free(now), NULL;
    size_t count = 0;
    struct event **events = revision < now->revision ? events_between(t, revision, now->revision, &count) : NULL;
    struct tree_node *root = events ? tree_ref(now->root) : NULL;
    for (size_t i = count; i-- > 0; event_unref(events[i])) root = undo(root, events[i]);
    store_snapshot_free(now);
    if (!events) return NULL;
    free(events);
    return snapshot_new(revision, root);
}
