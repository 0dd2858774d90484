/* The pod's conditions that the kubelet owns. */
#include "node/resize.h"
#include "node/status.h"

struct verdict {
    const char *status, *reason, *message;
};

static bool phase_is(const struct json *status, const char *phase) { return json_str_is(status, "phase", phase); }

static const char *bracketed(struct arena *a, const char *what, char *const *names, size_t n) {
    struct buf b = {0};
    buf_printf(&b, "containers with %s status: [", what);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%s", i ? " " : "", names[i]);
    buf_addc(&b, ']');
    char *text = arena_strdup(a, buf_str(&b));
    buf_free(&b);
    return text;
}

struct names {
    char *unknown[128], *other[128];
    size_t unknowns, others;
};

static void note(struct arena *a, struct names *n, const struct json *container, const struct json *status, bool fine) {
    char *name = arena_strdup(a, json_str_or(container, "name", ""));
    if (!status && n->unknowns < 128) n->unknown[n->unknowns++] = name;
    else if (status && !fine && n->others < 128) n->other[n->others++] = name;
}

static const char *names_message(struct arena *a, const struct names *n, const char *what) {
    const char *unknown = n->unknowns ? bracketed(a, "unknown", n->unknown, n->unknowns) : "";
    const char *other = n->others ? bracketed(a, what, n->other, n->others) : "";
    return arena_printf(a, "%s%s%s", unknown, *unknown && *other ? ", " : "", other);
}

static struct verdict containers_ready(struct arena *a, const struct json *pod, const struct json *status) {
    struct names n = {.unknowns = 0};
    const struct json *regular = json_member(status, "containerStatuses");
    if (!regular) return (struct verdict){"False", "UnknownContainerStatuses", NULL};
    JSON_EACH(c, json_get(pod, "spec.initContainers")) {
        const struct json *s = status_find(json_member(status, "initContainerStatuses"), json_str(c, "name"));
        if (container_is_sidecar(c)) note(a, &n, c, s, json_bool(s, "ready", false));
    }
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        const struct json *s = status_find(regular, json_str(c, "name"));
        note(a, &n, c, s, json_bool(s, "ready", false));
    }
    if (phase_is(status, "Succeeded") && n.unknowns == 0) return (struct verdict){"False", "PodCompleted", NULL};
    if (phase_is(status, "Failed")) return (struct verdict){"False", "PodFailed", NULL};
    if (n.unknowns || n.others) return (struct verdict){"False", "ContainersNotReady", names_message(a, &n, "unready")};
    return (struct verdict){"True", NULL, NULL};
}

static struct verdict pod_ready(struct arena *a, const struct json *pod, const struct verdict *containers) {
    if (!str_eq(containers->status, "True")) return *containers;
    struct buf b = {0};
    JSON_EACH(gate, json_get(pod, "spec.readinessGates")) {
        const char *type = json_str_or(gate, "conditionType", "");
        const struct json *c = condition_find(pod, type);
        if (c && json_str_is(c, "status", "True")) continue;
        buf_adds(&b, b.len ? ", " : "");
        if (!c) buf_printf(&b, "corresponding condition of pod readiness gate \"%s\" does not exist.", type);
        else buf_printf(&b, "the status of pod readiness gate \"%s\" is not \"True\", but %s", type, json_str_or(c, "status", ""));
    }
    struct verdict v = {"True", NULL, NULL};
    if (b.len) v = (struct verdict){"False", "ReadinessGatesNotReady", arena_strdup(a, b.data)};
    buf_free(&b);
    return v;
}

static struct verdict initialized(struct arena *a, const struct json *pod, const struct json *status) {
    struct names n = {.unknowns = 0};
    const struct json *init = json_get(pod, "spec.initContainers"), *statuses = json_member(status, "initContainerStatuses");
    if (!statuses && json_len(init)) return (struct verdict){"False", "UnknownContainerStatuses", NULL};
    JSON_EACH(c, init) {
        const struct json *s = status_find(statuses, json_str(c, "name"));
        note(a, &n, c, s, json_bool(s, container_is_sidecar(c) ? "started" : "ready", false));
    }
    if (phase_is(status, "Succeeded") && n.unknowns == 0) return (struct verdict){"True", "PodCompleted", NULL};
    bool ran = false; /* regular containers that ever ran prove it */
    JSON_EACH(s, json_member(status, "containerStatuses"))
        ran |= json_get(s, "state.running") || (json_get(s, "state.terminated") && json_str(s, "containerID"));
    if (!ran && (n.unknowns || n.others)) return (struct verdict){"False", "ContainersNotInitialized", names_message(a, &n, "incomplete")};
    return (struct verdict){"True", NULL, NULL};
}

static struct verdict sandbox_ready(const struct json *pod, const struct pod_runtime *r) {
    bool ready = r && r->sandbox_count && r->sandboxes[0].ready && (pod_is_host_network(pod) || r->sandboxes[0].ips[0]);
    return (struct verdict){ready ? "True" : "False", NULL, NULL};
}

static const struct json *set(struct arena *a, struct pod_worker *w, const struct json *pod, const char *type, struct verdict v) {
    struct condition c = {.type = type, .status = v.status, .reason = v.reason, .message = v.message, .probe_time = true,
                          .observed_generation = json_int(pod, "metadata.generation", 0)};
    return condition_set(a, pod, &c, node_now(w->node));
}

/* `status` has phase and container statuses; conditions are carried over from the pod's last status. */
const struct json *status_conditions(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r,
                                     const struct json *status) {
    struct verdict ready = containers_ready(a, pod, status);
    const struct json *carrier = json_with(a, pod, "status.conditions", json_member(status, "conditions"));
    carrier = set(a, w, carrier, "PodReadyToStartContainers", sandbox_ready(pod, r));
    carrier = set(a, w, carrier, "Initialized", initialized(a, pod, status));
    carrier = set(a, w, carrier, "Ready", pod_ready(a, pod, &ready));
    carrier = set(a, w, carrier, "ContainersReady", ready);
    carrier = set(a, w, carrier, "PodScheduled", (struct verdict){"True", NULL, NULL});
    LOCK(w->node);
    const char *evicted = w->evict_pressure ? w->evict_message : NULL;
    UNLOCK(w->node);
    if (evicted) carrier = set(a, w, carrier, "DisruptionTarget", (struct verdict){"True", "TerminationByKubelet", evicted});
    return json_get(resize_conditions(w, a, carrier), "status.conditions");
}
