/* Learning that a container has started or ended without asking all the time: the CRI's GetContainerEvents where the runtime
 * has it, else containerd's own event stream on the same socket. */
#pragma once
#include "node/agent.h"

struct runtime_events;
struct runtime_events *runtime_events_start(struct node *n);
void runtime_events_stop(struct runtime_events *e);
