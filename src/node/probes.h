/* Probes: one task per container and kind, run by the dispatcher under "probe/UID/container/kind". */
#pragma once
#include "node/agent.h"
#include "node/runtime.h"

enum probe_result { PROBE_UNKNOWN, PROBE_SUCCEEDED, PROBE_FAILED };

/* The settled result (thresholds applied) for that very container; PROBE_UNKNOWN before one is there. */
enum probe_result probe_result(struct pod_worker *w, const char *container, const char *id, enum probe_kind kind);
bool probe_exists(struct pod_worker *w, const char *container, enum probe_kind kind);

/* Containers that an agent before this one found ready or started are taken as such until they are probed again. */
void probes_adopt(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r);
/* Starts probing containers that run and have probes; stops that of others. */
void probes_update(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r);
void probes_stop(struct pod_worker *w, bool liveness_only); /* terminating pods keep readiness probes */
struct work_result probe_run(void *node, const char *rest); /* dispatch kind "probe" */

/* One attempt. `output` is what an event says of a failure ("" or the probe's output). */
struct probe_target {
    struct node *node;
    const struct json *pod, *container, *spec; /* spec: the probe */
    const char *container_id, *pod_ip;
    int64_t timeout;
};
enum probe_result probe_exec(const struct probe_target *t, struct arena *a, const char **output);
enum probe_result probe_http(const struct probe_target *t, struct arena *a, const char **output);
enum probe_result probe_tcp(const struct probe_target *t, struct arena *a, const char **output);
enum probe_result probe_grpc(const struct probe_target *t, struct arena *a, const char **output);
/* A port of a probe or hook: a number, or the name of one of the container's; 0 if there is none. */
int container_port(const struct json *container, const struct json *port);
