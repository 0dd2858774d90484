/* Eviction: pods over their own storage limits, and pods of a node that runs out of memory, disk or process ids (upstream's
 * default hard thresholds). */
#pragma once
#include "node/agent.h"

struct work_result eviction_run(void *node, const char *rest); /* dispatch kind "eviction" */
/* Fails the pod for that reason; it terminates with `grace` seconds. */
void pod_evict(struct pod_worker *w, const char *message, int64_t grace, bool pressure);
