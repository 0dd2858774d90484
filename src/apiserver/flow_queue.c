/* Seats and queues of priority levels (apiserver/pkg/util/flowcontrol/fairqueuing). */
#include "apiserver/flow.h"

/* Lives from when the request is queued until it goes on; freed on its loop. */
struct flow_request {
    struct flow_request *next;
    struct flow *flow;
    struct flow_level *level;
    struct request *request;
    struct loop *loop;
    struct loop_timer *timer; /* loop thread */
    uint64_t hash;            /* of its flow */
    size_t queue;
    int64_t since;
    bool queued;              /* under the lock */
};

/* ---- queues; all under the lock ---- */

void flow_deal(uint64_t hash, unsigned deck, unsigned hand, unsigned *cards) {
    for (unsigned i = 0; i < hand; i++) {
        uint64_t next = hash / (deck - i);
        unsigned card = (unsigned)(hash - (deck - i) * next);
        hash = next;
        cards[i] = card;
    }
    for (unsigned i = hand; i-- > 0;) { /* a remainder counts only the cards that are left */
        for (unsigned k = i; k-- > 0;) cards[i] += cards[i] >= cards[k];
    }
}

#define MAX_HAND 64

static size_t choose_queue(struct flow_level *l, uint64_t hash) {
    unsigned cards[MAX_HAND], hand = MAX(1, MIN(MIN(l->hand_size, MAX_HAND), (unsigned)l->queue_count));
    flow_deal(hash, (unsigned)l->queue_count, hand, cards);
    size_t best = cards[l->enqueued % hand];
    for (unsigned i = 1; i < hand; i++) {
        size_t q = cards[(l->enqueued + i) % hand];
        if (l->queues[q].len < l->queues[best].len) best = q;
    }
    l->enqueued++;
    return best;
}

static void push(struct flow_level *l, struct flow_request *w) {
    struct flow_queue *q = &l->queues[w->queue];
    w->next = NULL;
    if (q->len == 0) q->end = &q->first;
    *q->end = w;
    q->end = &w->next;
    q->len++;
    w->queued = true;
}

static void unlink_request(struct flow_level *l, struct flow_request *w) {
    struct flow_queue *q = &l->queues[w->queue];
    struct flow_request **at = &q->first;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    if (w->next == NULL) q->end = at;
    q->len--;
    w->queued = false;
    atomic_fetch_sub(&l->queued, 1);
    atomic_fetch_sub(&w->flow->waiting, 1);
    atomic_fetch_sub(&w->request->flow.stats->waiting, 1);
}

/* The first of the queue whose turn it is; there is one. */
static struct flow_request *next_request(struct flow_level *l) {
    size_t at;
    do at = l->turn++ % l->queue_count;
    while (l->queues[at].len == 0);
    return l->queues[at].first;
}

void flow_level_queues(struct flow_level *l, size_t count) {
    struct flow_queue *old = l->queues;
    size_t old_count = l->queue_count;
    if (count == 0 && atomic_load(&l->queued) > 0) return; /* they are served first; what comes now is refused already */
    l->queues = count ? xcalloc(count, sizeof(*l->queues)) : NULL;
    l->queue_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct flow_request *w = old[i].first, *next; old[i].len-- > 0; w = next) {
            next = w->next;
            w->queue = choose_queue(l, w->hash);
            push(l, w);
        }
    }
    free(old);
}

void flow_level_free(struct flow_level *l) {
    free(l->queues);
    free(l->name);
    free(l);
}

/* ---- seats ---- */

/* Under the lock. What levels use, or could claim at any time. */
static unsigned claimed(const struct flow *f) {
    unsigned n = 0;
    for (const struct flow_level *l = f->levels; l; l = l->next) {
        if (atomic_load(&l->exempt)) continue;
        unsigned used = atomic_load(&l->used), own = l->live ? atomic_load(&l->reserve) : 0;
        n += MAX(used, own);
    }
    return n;
}

/* Under the lock: of its own, or of those that others lend. */
static bool take_seat(struct flow *f, struct flow_level *l) {
    unsigned used = atomic_load(&l->used);
    do {
        bool own = used < atomic_load(&l->reserve);
        if (!own && (used >= l->most || claimed(f) >= f->total)) return false;
    } while (!atomic_compare_exchange_weak(&l->used, &used, used + 1));
    return true;
}

/* Without the lock: of its own only, and nobody waits. */
static bool take_own_seat(struct flow_level *l) {
    unsigned used = atomic_load(&l->used);
    if (atomic_load(&l->queued) > 0) return false;
    while (used < atomic_load(&l->reserve))
        if (atomic_compare_exchange_weak(&l->used, &used, used + 1)) return true;
    return false;
}

static void on_dispatched(void *arg) {
    struct flow_request *w = arg;
    struct request *r = w->request;
    int64_t waited = clock_monotonic(r->server->clock) - w->since;
    if (w->timer) loop_timer_cancel(w->timer);
    free(w);
    flow_go_on(r, waited);
    request_resume(r);
}

static bool seat_one(struct flow *f, struct flow_level *l) {
    if (atomic_load(&l->queued) == 0 || !take_seat(f, l)) return false;
    struct flow_request *w = next_request(l);
    unlink_request(l, w);
    loop_post(w->loop, on_dispatched, w);
    return true;
}

/* Those that are below their nominal limit come first: seats that they have lent return to them. */
void flow_dispatch(struct flow *f) {
    for (int pass = 0; pass < 2; pass++) {
        for (struct flow_level *l = f->levels; l; l = l->next) {
            while ((pass == 1 || atomic_load(&l->used) < l->nominal) && seat_one(f, l)) {}
        }
    }
}

void flow_give_back(struct flow *f, struct flow_level *l) {
    atomic_fetch_sub(&l->used, 1);
    if (atomic_load(&f->waiting) == 0) return;
    pthread_mutex_lock(&f->lock);
    flow_dispatch(f);
    pthread_mutex_unlock(&f->lock);
}

/* ---- waiting ---- */

static void on_timeout(void *arg) {
    struct flow_request *w = arg;
    struct flow *f = w->flow;
    w->timer = NULL;
    pthread_mutex_lock(&f->lock);
    bool queued = w->queued;
    if (queued) unlink_request(w->level, w);
    pthread_mutex_unlock(&f->lock);
    if (!queued) return; /* it has just been given a seat */
    struct request *r = w->request;
    free(w);
    flow_timed_out(r);
    request_settle(r);
}

static void on_stopped(void *arg) {
    struct flow_request *w = arg;
    struct request *r = w->request;
    if (w->timer) loop_timer_cancel(w->timer);
    free(w);
    flow_timed_out(r);
    request_settle(r);
}

void flow_stop(struct flow *f) {
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    for (struct flow_level *l = f->levels; l; l = l->next) {
        while (atomic_load(&l->queued) > 0) {
            struct flow_request *w = next_request(l);
            unlink_request(l, w);
            loop_post(w->loop, on_stopped, w);
        }
    }
    pthread_mutex_unlock(&f->lock);
}

/* Comes to the loop before any on_dispatched of the same request. */
static void start_timer(void *arg) {
    struct flow_request *w = arg;
    w->timer = loop_timer_start(w->loop, w->flow->wait_limit, on_timeout, w);
}

static uint64_t flow_hash(const struct flow *f, const struct request *r) {
    uint8_t digest[32];
    uint64_t hash;
    const char *who = "";
    for (size_t i = 0; i < f->schema_count; i++)
        if (f->schemas[i].stats == r->flow.stats) who = flow_distinguisher(f->schemas[i].doc->root, r);
    const char *text = arena_printf(r->arena, "%s,%s", r->flow.stats->schema, who);
    sha256(text, strlen(text), digest);
    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

/* Under the lock. From here on the request belongs to the queue. */
static bool enqueue(struct flow *f, struct flow_level *l, struct request *r) {
    uint64_t hash = flow_hash(f, r);
    size_t queue = choose_queue(l, hash);
    if (l->queues[queue].len >= l->queue_limit) return false;
    struct flow_request *w = xcalloc(1, sizeof(*w));
    *w = (struct flow_request){.flow = f, .level = l, .request = r, .loop = r->x->loop, .hash = hash, .queue = queue, .since = clock_monotonic(r->server->clock)};
    push(l, w);
    atomic_fetch_add(&l->queued, 1);
    atomic_fetch_add(&r->flow.stats->waiting, 1);
    loop_post(w->loop, start_timer, w);
    return true;
}

/* Under the lock; the flow's `waiting` counts this request already, so that whoever gives a seat back from now on looks. */
static enum flow_verdict take_or_wait(struct flow *f, struct flow_level *l, struct request *r, enum flow_refusal *why) {
    if (atomic_load(&l->queued) == 0 && take_seat(f, l)) return FLOW_GO;
    *why = l->rejects || l->queue_count == 0 || f->stopping ? FLOW_NO_SEAT : FLOW_QUEUE_FULL;
    return *why == FLOW_QUEUE_FULL && enqueue(f, l, r) ? FLOW_WAIT : FLOW_REFUSE;
}

enum flow_verdict flow_take(struct flow *f, struct flow_level *l, struct request *r, enum flow_refusal *why) {
    if (atomic_load_explicit(&l->exempt, memory_order_relaxed)) return atomic_fetch_add_explicit(&l->used, 1, memory_order_relaxed), FLOW_GO;
    if (take_own_seat(l)) return FLOW_GO;
    pthread_mutex_lock(&f->lock);
    atomic_fetch_add(&f->waiting, 1);
    enum flow_verdict v = take_or_wait(f, l, r, why);
    if (v != FLOW_WAIT) atomic_fetch_sub(&f->waiting, 1);
    pthread_mutex_unlock(&f->lock);
    return v;
}
