/* A de-duplicating, delaying, rate-limited queue of string keys and the threads that process them: what drives every
 * controller, the pod workers and the scheduler's retries (client-go's workqueue semantics).
 *
 * A key is processed by one thread at a time; added while being processed, it runs again afterwards. Back-off after
 * failures is exponential per key (5 ms ... 1000 s by default) and reset by success.
 *
 * With threads == 0 nothing runs by itself: the owner (a simulated cluster) calls workqueue_run_one on its own thread
 * and moves virtual time to workqueue_next_due. */
#pragma once
#include "base/clock.h"
#include "base/error.h"

struct workqueue;

/* What a run of a key came to. `again_after` > 0: run again after so many nanoseconds. An error means retry with
 * back-off; the queue logs and frees it. */
struct work_result {
    struct error *error;
    int64_t again_after;
};
typedef struct work_result work_fn(const char *key, void *arg);

struct workqueue_config {
    const char *name;          /* for logs and metrics; must outlive the queue */
    unsigned threads;          /* 0: driven by the owner */
    const struct clock *clock; /* NULL: real */
    int64_t backoff_base, backoff_max; /* 0: 5 ms, 1000 s */
    work_fn *run;
    void *arg;
};

struct workqueue *workqueue_new(const struct workqueue_config *config);
void workqueue_add(struct workqueue *q, const char *key); /* any thread */
void workqueue_add_after(struct workqueue *q, const char *key, int64_t delay); /* earlier of two delays wins */
void workqueue_forget(struct workqueue *q, const char *key); /* resets its back-off */
size_t workqueue_depth(const struct workqueue *q);
bool workqueue_run_one(struct workqueue *q);          /* false if nothing is due */
int64_t workqueue_next_due(struct workqueue *q);      /* monotonic time, INT64_MAX if nothing waits */
/* Stops handing out keys, waits for running ones, frees the queue. */
void workqueue_close(struct workqueue *q);
