/* The pod's phase: upstream's getPhase. */
#include "node/status.h"

struct counts {
    int pending_init, pending_sidecars, failed_init;
    int unknown, running, waiting, stopped, succeeded;
};

static bool may_restart(const struct json *pod, const struct json *container, const struct json *terminated) {
    return container_policy_restarts(pod, container, (int)json_int(terminated, "exitCode", 1));
}

static void count_init(struct counts *n, const struct json *pod, const struct json *container, const struct json *status) {
    const struct json *ended = json_get(status, "state.terminated");
    if (!ended && json_get(status, "state.waiting")) ended = json_get(status, "lastState.terminated");
    if (!ended) n->pending_init++;
    else if (json_int(ended, "exitCode", 0) != 0 && !may_restart(pod, container, ended)) n->failed_init++;
}

static void count_sidecar(struct counts *n, const struct json *status) {
    if (!status) n->unknown++;
    else if (json_get(status, "state.running")) {
        n->running++;
        n->pending_sidecars += !json_bool(status, "started", false);
    } else if (json_get(status, "state.waiting") && !json_get(status, "lastState.terminated")) {
        n->pending_sidecars++;
        n->waiting++;
    }
}

static void count_regular(struct counts *n, const struct json *status) {
    const struct json *ended = json_get(status, "state.terminated");
    if (json_get(status, "state.running")) n->running++;
    else if (ended) {
        n->stopped++;
        n->succeeded += json_int(ended, "exitCode", 1) == 0;
    } else if (json_get(status, "state.waiting")) {
        if (json_get(status, "lastState.terminated")) n->stopped++;
        else n->waiting++;
    } else n->unknown++;
}

/* All regular containers have ended: will one of them be started again? */
static bool any_restarts(const struct json *pod, const struct json *statuses) {
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        const struct json *s = status_find(statuses, json_str(c, "name"));
        const struct json *ended = json_get(s, "state.terminated");
        if (!ended) ended = json_get(s, "lastState.terminated");
        if (ended && may_restart(pod, c, ended)) return true;
    }
    return false;
}

const char *status_phase(const struct json *pod, const struct json *status, const struct pod_runtime *r, bool terminal) {
    struct counts n = {0};
    const struct json *regular = json_member(status, "containerStatuses");
    JSON_EACH(c, json_get(pod, "spec.initContainers")) {
        const struct json *s = status_find(json_member(status, "initContainerStatuses"), json_str(c, "name"));
        if (container_is_sidecar(c)) count_sidecar(&n, s);
        else count_init(&n, pod, c, s);
    }
    JSON_EACH(c, json_get(pod, "spec.containers")) count_regular(&n, status_find(regular, json_str(c, "name")));
    if (n.failed_init) return "Failed";
    bool initialized = pod_has_started(pod, r);
    if (n.pending_init && !initialized) return "Pending";
    if ((n.pending_sidecars && !initialized) || n.waiting) return "Pending";
    if (n.running && !n.unknown && !(terminal && n.stopped == (int)json_len(regular))) return "Running";
    if (n.stopped && !n.unknown) {
        if (!terminal && any_restarts(pod, regular)) return "Running";
        return n.stopped == n.succeeded ? "Succeeded" : "Failed";
    }
    return "Pending";
}
