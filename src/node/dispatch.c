#include "node/dispatch.h"
#include "base/log.h"
#include "base/map.h"
#include "base/worker.h"
#include <pthread.h>
#include <stdio.h>

#define LOG_COMPONENT "node"
#define RETRY_BASE MSECONDS(200)
#define RETRY_MAX SECONDS(60)

/* A key that runs, or that failed lately. */
struct task {
    struct dispatch *d;
    char *key;
    bool running, again;
    int64_t retry; /* delay after the last failure, 0: none */
};

struct dispatch {
    const struct dispatch_kind *kinds;
    void *arg;
    struct workqueue *queue;
    struct worker_pool *pool;
    pthread_mutex_t lock; /* protects tasks and stopped; nothing else is locked below it */
    struct map tasks;
    bool stopped;
};

static struct work_result call(struct dispatch *d, const char *key) {
    const char *rest = strchr(key, '/');
    for (const struct dispatch_kind *k = d->kinds; k->kind && rest; k++)
        if (strlen(k->kind) == (size_t)(rest - key) && strncmp(k->kind, key, (size_t)(rest - key)) == 0) return k->run(d->arg, rest + 1);
    return (struct work_result){0};
}

static void drop(struct task *t) {
    map_remove(&t->d->tasks, t->key);
    free(t->key);
    free(t);
}

/* After a run, with the lock held: when does the key run again? */
static void reschedule(struct dispatch *d, struct task *t, const struct work_result *r) {
    t->running = false;
    t->retry = r->error ? (t->retry ? MIN(2 * t->retry, RETRY_MAX) : RETRY_BASE) : 0;
    if (d->stopped) return;
    if (t->again) workqueue_add(d->queue, t->key);
    else if (r->error) workqueue_add_after(d->queue, t->key, t->retry);
    if (r->again_after > 0) workqueue_add_after(d->queue, t->key, r->again_after);
    t->again = false;
    if (!t->retry) drop(t);
}

static void run(void *arg) {
    struct task *t = arg;
    struct dispatch *d = t->d;
    struct work_result r = call(d, t->key);
    if (r.error) log_warn("%s: %s", t->key, r.error->message);
    pthread_mutex_lock(&d->lock);
    reschedule(d, t, &r);
    pthread_mutex_unlock(&d->lock);
    error_free(r.error);
}

/* The queue's one thread only hands keys to the pool. */
static struct work_result hand_out(const char *key, void *arg) {
    struct dispatch *d = arg;
    pthread_mutex_lock(&d->lock);
    struct task *t = map_get(&d->tasks, key);
    if (!t && !d->stopped) {
        t = xcalloc(1, sizeof(*t));
        t->d = d, t->key = xstrdup(key);
        map_set(&d->tasks, key, t);
    }
    bool start = t && !t->running && !d->stopped;
    if (start) t->running = true;
    else if (t) t->again = true;
    if (start) worker_submit(d->pool, run, t);
    pthread_mutex_unlock(&d->lock);
    return (struct work_result){0};
}

struct dispatch *dispatch_new(const struct dispatch_kind *kinds, const struct clock *clock, unsigned max_threads, void *arg) {
    struct dispatch *d = xcalloc(1, sizeof(*d));
    d->kinds = kinds, d->arg = arg;
    pthread_mutex_init(&d->lock, NULL);
    d->pool = worker_pool_new("node", max_threads);
    d->queue = workqueue_new(&(struct workqueue_config){.name = "node", .threads = 1, .clock = clock, .run = hand_out, .arg = d});
    return d;
}

void dispatch_add_after(struct dispatch *d, const char *kind, const char *rest, int64_t delay) {
    char key[512];
    snprintf(key, sizeof(key), "%s/%s", kind, rest);
    if (delay > 0) workqueue_add_after(d->queue, key, delay);
    else workqueue_add(d->queue, key);
}

void dispatch_add(struct dispatch *d, const char *kind, const char *rest) { dispatch_add_after(d, kind, rest, 0); }

void dispatch_stop(struct dispatch *d) {
    pthread_mutex_lock(&d->lock);
    d->stopped = true;
    pthread_mutex_unlock(&d->lock);
}

static void free_task(void *value) {
    struct task *t = value;
    free(t->key);
    free(t);
}

void dispatch_free(struct dispatch *d) {
    dispatch_stop(d);
    worker_pool_close(d->pool);
    workqueue_close(d->queue);
    map_free(&d->tasks, free_task);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
