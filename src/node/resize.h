/* In-place resize (KEP-1287): a change of resources is admitted when the node has room, then given to the runtime. Until then
 * the pod is treated as it was allocated. */
#pragma once
#include "node/worker.h"

/* The pod as allocated: the spec with the resources that were admitted last. Decides about a pending change. */
const struct json *resize_admit(struct pod_worker *w, struct arena *a, const struct json *pod);
void resize_actuate(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r);
/* status.containerStatuses[].resources and .allocatedResources */
const struct json *resize_status_resources(struct arena *a, const struct json *container);
const struct json *resize_allocated(const struct json *container);
/* PodResizePending and PodResizeInProgress. */
const struct json *resize_conditions(struct pod_worker *w, struct arena *a, const struct json *pod);
