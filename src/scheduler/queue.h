/* Pods that wait for a node: active ones by priority and age, those in back-off by time, unschedulable ones until
 * something changes that might help (upstream's three queues). Locked by the scheduler. */
#pragma once
#include "base/map.h"
#include "json/doc.h"

enum waiting { WAIT_ACTIVE, WAIT_BACKOFF, WAIT_UNSCHEDULABLE, WAIT_GATED, WAIT_IN_CYCLE };
struct waiting_pod {
    struct doc *doc;
    char *uid;
    int64_t priority, since;  /* since: monotonic time of its first arrival */
    int64_t due, attempts;    /* end of back-off */
    enum waiting state;
    size_t heap_index;
    uint64_t moves;           /* of the queue, when its cycle began; 0: it changed itself meanwhile */
};
struct pod_heap {
    struct waiting_pod **items;
    size_t len, cap;
};
struct pod_queue {
    struct map pods; /* uid -> struct waiting_pod */
    struct pod_heap active, backoff;
    size_t unschedulable; /* pods */
    uint64_t moves;       /* how often something changed that might help */
};
void queue_free(struct pod_queue *q);
/* A pod without a node was made or changed. A change other than of its status puts an unschedulable one back. */
void queue_set(struct pod_queue *q, struct doc *d, int64_t now);
void queue_remove(struct pod_queue *q, const char *uid);
/* The most important pod, moved to WAIT_IN_CYCLE; NULL if none is active. Valid until it is removed. */
struct waiting_pod *queue_pop(struct pod_queue *q, int64_t now);
/* The cycle came to nothing: waits for a change (or, `retry`, only for its back-off). */
void queue_failed(struct pod_queue *q, const char *uid, bool retry, int64_t now);
/* Something changed that might help: unschedulable pods become active after their back-off. */
void queue_move_all(struct pod_queue *q, int64_t now);
int64_t queue_next_due(const struct pod_queue *q); /* monotonic; INT64_MAX: nothing is in back-off */
size_t queue_count(const struct pod_queue *q, enum waiting state);
