/* An item is idle, ready (in the list), running, or running and dirty (added meanwhile: ready again afterwards);
 * besides, it may wait in the heap of delays. Items stay while any of these or a failure count holds.
 *
 * Threads start when there is work and stay until the queue is closed. One idle thread, the timer, sleeps until the
 * first delay is over; the others sleep without a deadline. */
#include "base/workqueue.h"
#include "base/log.h"
#include "base/map.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

struct item {
    char *key;
    struct item *next; /* in the ready list */
    bool ready, running, dirty;
    unsigned failures;
    size_t heap_index; /* 1-based; 0: no delay */
    int64_t due;
};

struct workqueue {
    struct workqueue_config config;
    pthread_mutex_t lock; /* protects everything below; never held while a key runs */
    pthread_cond_t wake;
    struct map items;
    struct item *first, **last;
    struct item **heap; /* heap[1] is due first */
    size_t heap_len, heap_cap;
    _Atomic size_t depth; /* of the list; read without the lock */
    unsigned started, idle, running;
    bool timer, closing;
    pthread_t *threads;
};

/* ---- the heap of delays ---- */

static void heap_put(struct workqueue *q, size_t i, struct item *it) {
    q->heap[i] = it;
    it->heap_index = i;
}

static void heap_settle(struct workqueue *q, size_t i, struct item *it) {
    for (; i > 1 && it->due < q->heap[i / 2]->due; i /= 2) heap_put(q, i, q->heap[i / 2]);
    for (size_t child; (child = 2 * i) <= q->heap_len; i = child) {
        if (child < q->heap_len && q->heap[child + 1]->due < q->heap[child]->due) child++;
        if (it->due <= q->heap[child]->due) break;
        heap_put(q, i, q->heap[child]);
    }
    heap_put(q, i, it);
}

static void heap_remove(struct workqueue *q, struct item *it) {
    size_t i = it->heap_index;
    struct item *last = q->heap[q->heap_len--];
    if (last != it) heap_settle(q, i, last);
    it->heap_index = 0;
}

static void heap_add(struct workqueue *q, struct item *it) {
    if (++q->heap_len >= q->heap_cap) {
        q->heap_cap = MAX(2 * q->heap_cap, (size_t)16);
        q->heap = xrealloc(q->heap, q->heap_cap * sizeof(*q->heap));
    }
    heap_settle(q, q->heap_len, it);
}

/* ---- items (all with the lock held) ---- */

static struct item *item_get(struct workqueue *q, const char *key) {
    struct item *it = map_get(&q->items, key);
    if (it == NULL) {
        it = xcalloc(1, sizeof(*it));
        it->key = xstrdup(key);
        map_set(&q->items, key, it);
    }
    return it;
}

static void item_free(void *p) {
    struct item *it = p;
    free(it->key);
    free(it);
}

static void item_drop_if_unused(struct workqueue *q, struct item *it) {
    if (it->ready || it->running || it->heap_index || it->failures) return;
    map_remove(&q->items, it->key);
    item_free(it);
}

static void *run_thread(void *arg);

static void wake_one(struct workqueue *q) {
    if (q->idle == 0 && q->started < q->config.threads && !q->closing &&
        pthread_create(&q->threads[q->started], NULL, run_thread, q) == 0)
        q->started++;
    else pthread_cond_signal(&q->wake);
}

static void make_ready(struct workqueue *q, struct item *it) {
    if (it->ready) return;
    if (it->running) {
        it->dirty = true;
        return;
    }
    it->ready = true;
    it->next = NULL;
    *q->last = it;
    q->last = &it->next;
    q->depth++;
    wake_one(q);
}

static void add_after(struct workqueue *q, struct item *it, int64_t delay) {
    if (delay <= 0) {
        make_ready(q, it);
        return;
    }
    int64_t now = clock_monotonic(q->config.clock), due = now > INT64_MAX - delay ? INT64_MAX : now + delay;
    if (it->heap_index) {
        if (it->due <= due) return;
        it->due = due;
        heap_settle(q, it->heap_index, it);
    } else {
        it->due = due;
        heap_add(q, it);
    }
    if (q->heap[1] != it) return;
    if (q->timer) pthread_cond_broadcast(&q->wake); /* it sleeps for too long */
    else wake_one(q);
}

static void move_due(struct workqueue *q) {
    if (q->heap_len == 0) return;
    int64_t now = clock_monotonic(q->config.clock);
    while (q->heap_len > 0 && q->heap[1]->due <= now) {
        struct item *it = q->heap[1];
        heap_remove(q, it);
        make_ready(q, it);
    }
}

static struct item *take_ready(struct workqueue *q) {
    struct item *it = q->first;
    if (it == NULL || q->closing) return NULL;
    q->first = it->next;
    if (q->first == NULL) q->last = &q->first;
    q->depth--;
    it->ready = false;
    it->running = true;
    q->running++;
    return it;
}

static int64_t backoff(const struct workqueue *q, unsigned failures) {
    double delay = (double)q->config.backoff_base;
    for (unsigned i = 0; i < failures && delay < (double)q->config.backoff_max; i++) delay *= 2;
    return (int64_t)MIN(delay, (double)q->config.backoff_max);
}

static void finish(struct workqueue *q, struct item *it, struct work_result r) {
    it->running = false;
    q->running--;
    if (r.error != NULL) {
        int64_t delay = r.again_after > 0 ? r.again_after : backoff(q, it->failures);
        it->failures++;
        add_after(q, it, delay);
    } else {
        it->failures = 0;
        if (r.again_after > 0) add_after(q, it, r.again_after);
    }
    if (it->dirty) {
        it->dirty = false;
        make_ready(q, it);
    }
    item_drop_if_unused(q, it);
}

static void run_item(struct workqueue *q, struct item *it) {
    pthread_mutex_unlock(&q->lock);
    struct work_result r = q->config.run(it->key, q->config.arg);
    if (r.error != NULL) {
        log_write(LOG_WARN, q->config.name, "%s: %s (will retry)", it->key, r.error->message);
        error_free(r.error);
    }
    pthread_mutex_lock(&q->lock);
    finish(q, it, r);
}

/* ---- threads ---- */

static void sleep_until_due(struct workqueue *q) {
    int64_t wait = q->heap[1]->due - clock_monotonic(q->config.clock), until = clock_monotonic(&clock_real);
    if (wait > 0) until = until > INT64_MAX - wait ? INT64_MAX : until + wait;
    struct timespec t = {.tv_sec = until / NSEC_PER_SEC, .tv_nsec = (long)(until % NSEC_PER_SEC)};
    q->timer = true;
    pthread_cond_timedwait(&q->wake, &q->lock, &t);
    q->timer = false;
}

static void *run_thread(void *arg) {
    struct workqueue *q = arg;
    char name[16];
    snprintf(name, sizeof(name), "%s", q->config.name);
    pthread_setname_np(pthread_self(), name);
    pthread_mutex_lock(&q->lock);
    while (!q->closing) {
        move_due(q);
        struct item *it = take_ready(q);
        if (it != NULL) {
            if (q->first != NULL || (q->heap_len > 0 && !q->timer)) wake_one(q); /* who goes on with it meanwhile */
            run_item(q, it);
            continue;
        }
        q->idle++;
        if (q->heap_len > 0 && !q->timer) sleep_until_due(q);
        else pthread_cond_wait(&q->wake, &q->lock);
        q->idle--;
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- for everybody ---- */

struct workqueue *workqueue_new(const struct workqueue_config *config) {
    struct workqueue *q = xcalloc(1, sizeof(*q));
    q->config = *config;
    if (q->config.clock == NULL) q->config.clock = &clock_real;
    if (q->config.backoff_base == 0) q->config.backoff_base = MSECONDS(5);
    if (q->config.backoff_max == 0) q->config.backoff_max = SECONDS(1000);
    q->last = &q->first;
    q->threads = xcalloc(config->threads, sizeof(*q->threads));
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return q;
}

void workqueue_add(struct workqueue *q, const char *key) { workqueue_add_after(q, key, 0); }

void workqueue_add_after(struct workqueue *q, const char *key, int64_t delay) {
    pthread_mutex_lock(&q->lock);
    if (!q->closing) add_after(q, item_get(q, key), delay);
    pthread_mutex_unlock(&q->lock);
}

void workqueue_forget(struct workqueue *q, const char *key) {
    pthread_mutex_lock(&q->lock);
    struct item *it = map_get(&q->items, key);
    if (it != NULL) {
        it->failures = 0;
        item_drop_if_unused(q, it);
    }
    pthread_mutex_unlock(&q->lock);
}

size_t workqueue_depth(const struct workqueue *q) { return q->depth; }

bool workqueue_run_one(struct workqueue *q) {
    pthread_mutex_lock(&q->lock);
    move_due(q);
    struct item *it = take_ready(q);
    if (it != NULL) run_item(q, it);
    pthread_mutex_unlock(&q->lock);
    return it != NULL;
}

int64_t workqueue_next_due(struct workqueue *q) {
    pthread_mutex_lock(&q->lock);
    int64_t due = q->first != NULL ? clock_monotonic(q->config.clock) : q->heap_len > 0 ? q->heap[1]->due : INT64_MAX;
    pthread_mutex_unlock(&q->lock);
    return due;
}

void workqueue_close(struct workqueue *q) {
    pthread_mutex_lock(&q->lock);
    q->closing = true;
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < q->started; i++) pthread_join(q->threads[i], NULL);
    map_free(&q->items, item_free);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
    free(q->heap);
    free(q->threads);
    free(q);
}
