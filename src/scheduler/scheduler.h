/* The scheduler: gives pods without a node the best one, as upstream's default profile does. */
#pragma once
#include "base/clock.h"
#include "client/cache.h"

struct scheduler;
struct scheduler_config {
    struct client *client; /* as system:kube-scheduler */
    struct cache *cache;
    const struct clock *clock;
    uint64_t seed;         /* of tie-breaking; 0: random */
    bool stepped;          /* no threads: the owner calls scheduler_step (simulation) */
};
MUST_CHECK struct error *scheduler_start(const struct scheduler_config *c, struct scheduler **out);
void scheduler_stop(struct scheduler *s);
/* Stepped: runs what is due now; true if there was anything. */
bool scheduler_step(struct scheduler *s);
/* Prometheus text. */
struct buf;
void scheduler_metrics(struct scheduler *s, struct buf *out);
