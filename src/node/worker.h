/* The pod worker: one state machine per pod, run by the dispatcher under the key of its UID.
 *
 *     SYNC ---------------------> TERMINATING ------------------> TERMINATED -> (forgotten)
 *     status, volumes, cgroup,    containers stopped in order,    volumes and cgroup removed, status final,
 *     sandbox, containers         sandbox stopped                 object deleted if it was being deleted
 */
#pragma once
#include "node/agent.h"
#include "node/runtime.h"

struct work_result worker_run(void *node, const char *uid); /* dispatch kind "pod" */

/* Upstream's computePodActions: what is to be done to bring the runtime's state in line with the spec. Indexes are those
 * of the spec's lists. */
#define MAX_CONTAINERS 64
struct pod_actions {
    bool kill_pod, create_sandbox;
    int64_t attempt; /* of the new sandbox */
    size_t init[MAX_CONTAINERS], ephemeral[MAX_CONTAINERS], start[MAX_CONTAINERS];
    size_t init_count, ephemeral_count, start_count;
    struct {
        const struct runtime_container *container;
        const char *message;
    } kill[MAX_CONTAINERS];
    size_t kill_count;
};
void pod_compute_actions(struct arena *a, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, struct pod_actions *out);
/* Is the container to be started (again), given what it came to? */
bool container_wants_restart(const struct json *pod, const struct json *container, const struct runtime_container *c);
/* Does the restart policy (the container's own first, KEP-5307) start a container again that ended with that code? */
bool container_policy_restarts(const struct json *pod, const struct json *container, int exit_code);
bool pod_has_started(const struct json *pod, const struct pod_runtime *r); /* any regular container was created */

/* Stopping containers: each on a thread of its own, hooks and grace period included; the worker is run again when one
 * has stopped. `grace` in seconds, -1: the pod's. */
void container_kill(struct pod_worker *w, const struct runtime_container *c, const char *message, int64_t grace);
bool container_kill_pending(struct pod_worker *w, const char *id);
struct work_result container_kill_run(void *node, const char *rest); /* dispatch kind "kill": UID/ID */
/* Stops everything in the order that sidecars ask for; true when no container runs any more. */
bool pod_stop_containers(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, int64_t grace);
