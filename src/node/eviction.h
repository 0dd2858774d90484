/* Eviction: pods over their own storage limits, and pods of a node that runs out of memory, disk or process ids (hard
 * thresholds as upstream's, with its defaults). Images lie on the disk of the pods. */
#pragma once
#include "node/agent.h"

struct work_result eviction_run(void *node, const char *rest); /* dispatch kind "eviction" */
/* Fails the pod for that reason; it terminates with `grace` seconds. */
void pod_evict(struct pod_worker *w, const char *message, int64_t grace, bool pressure);

/* The list of --eviction-hard; NULL or empty: upstream's defaults. */
MUST_CHECK struct error *eviction_thresholds_parse(const char *const *list, struct eviction_thresholds *out);
int64_t eviction_threshold_of(const struct eviction_threshold *t, int64_t capacity);
int64_t eviction_memory_allocatable(const struct node *n); /* the machine's memory less its threshold */
