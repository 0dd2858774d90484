/* Pod status: computed from spec, runtime state and what was reported before, as the kubelet does; and its way to the API
 * server. */
#pragma once
#include "schema/pod.h"
#include "node/worker.h"

/* status_compute: `terminal` when no container will run again. The result is a PodStatus. */
const struct json *status_compute(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r, bool terminal);
/* A final phase is not told before every container has ended. */
const struct json *status_hold_phase(struct pod_worker *w, struct arena *a, const struct json *pod, const struct json *status);
/* The final status of a pod whose containers are all gone: upstream's TerminatePod. */
const struct json *status_terminate(struct pod_worker *w, struct arena *a, const struct json *pod, const struct json *status);
/* Of a pod that admission refused. */
const struct json *status_rejected(struct pod_worker *w, struct arena *a, const struct json *pod);
/* Sends it if it differs from what was sent; conditions of others are kept. A pod that is gone is no error. */
MUST_CHECK struct error *status_write(struct pod_worker *w, const struct json *status);

/* What status_compute is made of. */
const struct json *status_containers(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r,
                                     const char *list, const struct json *old);
const char *status_phase(const struct json *pod, const struct json *status, const struct pod_runtime *r, bool terminal);
const struct json *status_conditions(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r,
                                     const struct json *status);
const struct json *status_find(const struct json *statuses, const char *name); /* a container's, by name */
/* Has the pod run longer than its activeDeadlineSeconds? `left` is what is left of it, 0 if there is none. */
bool pod_deadline_passed(const struct pod_worker *w, const struct json *pod, int64_t *left);
