/* Learning that a container has started or ended without asking all the time: the CRI's GetContainerEvents where the runtime
 * has it, else containerd's own event stream on the same socket. */
#pragma once
#include "node/agent.h"

struct runtime_events;
struct runtime_events *runtime_events_start(struct node *n);
/* Was the end of a container (or sandbox) told that this picture still shows alive? Then the runtime is about to notice. */
struct pod_runtime;
bool runtime_events_ahead(struct node *n, const struct pod_runtime *r);
bool runtime_events_told_end(const struct node *n, const char *id); /* of this one; the lock is held */
void runtime_events_stop(struct runtime_events *e); /* before cri_close */
void runtime_events_free(struct runtime_events *e); /* after it; NULL is allowed */
