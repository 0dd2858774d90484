/* See queue.h. Two binary heaps whose items know their place, so that a pod can leave from the middle. */
#include "scheduler/queue.h"
#include "base/clock.h"
#include "base/str.h"

#define BACKOFF_FIRST SECONDS(1)
#define BACKOFF_MOST SECONDS(10)

static bool before(const struct waiting_pod *a, const struct waiting_pod *b) {
    if (a->state == WAIT_BACKOFF) return a->due < b->due;
    return a->priority != b->priority ? a->priority > b->priority : a->since < b->since;
}

static void place(struct pod_heap *h, size_t i, struct waiting_pod *p) {
    h->items[i] = p;
    p->heap_index = i;
}

static void sift(struct pod_heap *h, size_t i, struct waiting_pod *p) {
    while (i > 0 && before(p, h->items[(i - 1) / 2])) {
        place(h, i, h->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (size_t child; (child = 2 * i + 1) < h->len; i = child) {
        if (child + 1 < h->len && before(h->items[child + 1], h->items[child])) child++;
        if (!before(h->items[child], p)) break;
        place(h, i, h->items[child]);
    }
    place(h, i, p);
}

static void heap_add(struct pod_heap *h, struct waiting_pod *p) {
    if (h->len == h->cap) h->items = xrealloc(h->items, (h->cap = h->cap ? h->cap * 2 : 64) * sizeof(h->items[0]));
    h->len++;
    h->items[h->len - 1] = p;
    sift(h, h->len - 1, p);
}

static void heap_remove(struct pod_heap *h, const struct waiting_pod *p) {
    size_t i = p->heap_index;
    struct waiting_pod *last = h->items[--h->len];
    if (last != p) sift(h, i, last);
}

static void leave(struct pod_queue *q, struct waiting_pod *p) {
    if (p->state == WAIT_ACTIVE) heap_remove(&q->active, p);
    else if (p->state == WAIT_BACKOFF) heap_remove(&q->backoff, p);
    else if (p->state == WAIT_UNSCHEDULABLE) q->unschedulable--;
}

static void enter(struct pod_queue *q, struct waiting_pod *p, enum waiting state) {
    p->state = state;
    if (state == WAIT_ACTIVE) heap_add(&q->active, p);
    else if (state == WAIT_BACKOFF) heap_add(&q->backoff, p);
    else if (state == WAIT_UNSCHEDULABLE) q->unschedulable++;
}

static void drop(void *value) {
    struct waiting_pod *p = value;
    doc_unref(p->doc);
    free(p->uid);
    free(p);
}

void queue_free(struct pod_queue *q) {
    map_free(&q->pods, drop);
    free(q->active.items);
    free(q->backoff.items);
}

static bool gated(const struct doc *d) { return json_len(json_get(d->root, "spec.schedulingGates")) > 0; }

void queue_set(struct pod_queue *q, struct doc *d, int64_t now) {
    struct waiting_pod *p = map_get(&q->pods, doc_uid(d));
    bool changed = true;
    if (p == NULL) {
        p = xcalloc(1, sizeof(*p));
        p->uid = xstrdup(doc_uid(d));
        p->since = now;
        p->state = WAIT_GATED;
        map_set(&q->pods, p->uid, p);
    } else {
        changed = !json_equal(json_get(p->doc->root, "spec"), json_get(d->root, "spec")) || !json_equal(json_get(p->doc->root, "metadata.labels"), json_get(d->root, "metadata.labels"));
        doc_unref(p->doc);
    }
    p->doc = doc_ref(d);
    if (!changed) return;
    if (p->state == WAIT_IN_CYCLE) {
        p->moves = 0;
        return;
    }
    leave(q, p);
    p->priority = json_int(d->root, "spec.priority", 0);
    enter(q, p, gated(d) ? WAIT_GATED : WAIT_ACTIVE);
}

void queue_remove(struct pod_queue *q, const char *uid) {
    struct waiting_pod *p = map_remove(&q->pods, uid);
    if (p == NULL) return;
    leave(q, p);
    drop(p);
}

struct waiting_pod *queue_pop(struct pod_queue *q, int64_t now) {
    while (q->backoff.len > 0 && q->backoff.items[0]->due <= now) {
        struct waiting_pod *p = q->backoff.items[0];
        heap_remove(&q->backoff, p);
        enter(q, p, WAIT_ACTIVE);
    }
    if (q->active.len == 0) return NULL;
    struct waiting_pod *p = q->active.items[0];
    heap_remove(&q->active, p);
    p->state = WAIT_IN_CYCLE;
    p->moves = q->moves + 1;
    p->attempts++;
    return p;
}

void queue_failed(struct pod_queue *q, const char *uid, bool retry, int64_t now) {
    struct waiting_pod *p = map_get(&q->pods, uid);
    if (p == NULL || p->state != WAIT_IN_CYCLE) return;
    int64_t delay = p->attempts > 4 ? BACKOFF_MOST : MIN(BACKOFF_MOST, BACKOFF_FIRST << (p->attempts - 1));
    p->due = now + delay;
    bool moved = p->moves != q->moves + 1;
    enter(q, p, retry || moved ? WAIT_BACKOFF : WAIT_UNSCHEDULABLE);
}

void queue_move_all(struct pod_queue *q, int64_t now) {
    q->moves++; /* those in a cycle compare it when they come back */
    for (struct map_slot *m = map_first(&q->pods); m != NULL && q->unschedulable > 0; m = map_next(&q->pods, m)) {
        struct waiting_pod *p = m->value;
        if (p->state != WAIT_UNSCHEDULABLE) continue;
        leave(q, p);
        enter(q, p, p->due > now ? WAIT_BACKOFF : WAIT_ACTIVE);
    }
}

int64_t queue_next_due(const struct pod_queue *q) { return q->backoff.len > 0 ? q->backoff.items[0]->due : INT64_MAX; }

size_t queue_count(const struct pod_queue *q, enum waiting state) {
    size_t n = 0;
    for (struct map_slot *m = map_first(&q->pods); m != NULL; m = map_next(&q->pods, m)) n += ((struct waiting_pod *)m->value)->state == state;
    return n;
}
