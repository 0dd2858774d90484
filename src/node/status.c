#include "node/status.h"
#include "base/log.h"

#define LOG_COMPONENT "node"

static const char *const owned_conditions[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                                               "PodScheduled", "PodResizePending", "PodResizeInProgress", NULL};

/* DisruptionTarget is shared: whoever disrupts the pod sets it, of the node only its own evictions. */
static bool set_by_us(const struct json *c) {
    if (json_str_is(c, "type", "DisruptionTarget")) return json_str_is(c, "reason", "TerminationByKubelet");
    return str_in(json_str(c, "type"), owned_conditions);
}

/* Our own conditions of the one list, everybody else's of the other. */
static const struct json *join_conditions(struct arena *a, const struct json *ours, const struct json *theirs) {
    struct json_array out = {.arena = a};
    bool disrupted = false;
    JSON_EACH(c, ours) {
        if (!set_by_us(c)) continue;
        json_array_add(&out, c);
        disrupted |= json_str_is(c, "type", "DisruptionTarget");
    }
    JSON_EACH(c, theirs)
        if (!set_by_us(c) && !(disrupted && json_str_is(c, "type", "DisruptionTarget"))) json_array_add(&out, c);
    return json_array_done(&out);
}

/* ---- computing ---- */

bool pod_deadline_passed(const struct pod_worker *w, const struct json *pod, int64_t *left) {
    int64_t deadline = json_int(pod, "spec.activeDeadlineSeconds", 0);
    *left = deadline && w->started ? w->started + SECONDS(deadline) - node_now(w->node) : 0;
    return deadline && w->started && *left <= 0;
}

static const struct json *ip_objects(struct arena *a, const char *const *ips) {
    struct json_array out = {.arena = a};
    for (; ips && *ips; ips++) json_array_add(&out, json_make(a, "{'ip':%s}", *ips));
    return out.len ? json_array_done(&out) : NULL;
}

static const struct json *base_status(struct pod_worker *w, struct arena *a, const struct json *pod) {
    char text[TIME_STRING_MAX];
    if (!w->started) w->started = node_now(w->node);
    int64_t generation = json_int(pod, "metadata.generation", 0);
    return json_make(a, "{'observedGeneration':%v,'phase':'Pending','startTime':%s,'qosClass':%s}",
                     generation ? json_integer(a, generation) : NULL, time_format(text, w->started),
                     json_str_or(pod, "status.qosClass", pod_qos(pod)));
}

static const struct json *with_ips(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r,
                                   const struct json *old, const struct json *status) {
    const char *const *hosts = w->node->config.addresses;
    status = json_with(a, status, "hostIP", json_string(a, hosts[0]));
    status = json_with(a, status, "hostIPs", ip_objects(a, hosts));
    const char *const *ips = r && r->sandbox_count ? r->sandboxes[0].ips : NULL;
    if (pod_is_host_network(pod) && r && r->sandbox_count) ips = hosts;
    if (ips && *ips) {
        status = json_with(a, status, "podIP", json_string(a, ips[0]));
        return json_with(a, status, "podIPs", ip_objects(a, ips));
    }
    if (!json_str(old, "podIP")) return status; /* a stopped sandbox keeps its addresses */
    return json_with(a, json_with(a, status, "podIP", json_member(old, "podIP")), "podIPs", json_member(old, "podIPs"));
}

static const struct json *with_reason(struct arena *a, const struct json *status, const char *phase, const char *reason, const char *message) {
    status = json_with(a, status, "phase", json_string(a, phase));
    if (message) status = json_with(a, status, "message", json_string(a, message));
    return reason ? json_with(a, status, "reason", json_string(a, reason)) : status;
}

static bool terminal_phase(const char *phase) { return str_eq(phase, "Failed") || str_eq(phase, "Succeeded"); }

/* The phase, and what overrides it: a phase that was final before, eviction, the deadline. */
static const struct json *with_phase(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r,
                                     const struct json *old, const struct json *status, bool terminal) {
    static const char deadline[] = "Pod was active on the node longer than the specified deadline";
    int64_t left;
    const char *phase = status_phase(pod, status, r, terminal), *before = json_str_or(old, "phase", "");
    LOCK(w->node);
    const char *reason = w->evict_reason, *message = w->evict_message;
    UNLOCK(w->node);
    if (reason) return with_reason(a, status, "Failed", reason, message);
    if (terminal_phase(before)) return with_reason(a, status, before, json_str(old, "reason"), json_str(old, "message"));
    if (pod_deadline_passed(w, pod, &left)) {
        worker_event(w, "Normal", "DeadlineExceeded", "%s", deadline);
        return with_reason(a, status, "Failed", "DeadlineExceeded", deadline);
    }
    return with_reason(a, status, phase, NULL, NULL);
}

static const struct json *old_status(struct pod_worker *w, struct arena *a, const struct json *pod) {
    LOCK(w->node);
    cleanup_doc struct doc *d = w->status_doc ? doc_ref(w->status_doc) : NULL;
    UNLOCK(w->node);
    return d ? json_copy(a, d->root) : json_member(pod, "status");
}

static void keep_status(struct pod_worker *w, const struct json *status) {
    struct doc *d = doc_new(status);
    LOCK(w->node);
    struct doc *before = w->status_doc;
    w->status_doc = d;
    UNLOCK(w->node);
    doc_unref(before);
}

const struct json *status_compute(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r, bool terminal) {
    static const char *const lists[][2] = {{"initContainers", "initContainerStatuses"}, {"containers", "containerStatuses"},
                                           {"ephemeralContainers", "ephemeralContainerStatuses"}};
    const struct json *old = old_status(w, a, pod), *status = base_status(w, a, pod);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *s = status_containers(w, a, pod, r, lists[i][0], json_member(old, lists[i][1]));
        if (s) status = json_with(a, status, lists[i][1], s);
    }
    status = with_phase(w, a, pod, r, old, status, terminal);
    status = with_ips(w, a, pod, r, old, status);
    status = json_with(a, status, "conditions", join_conditions(a, json_member(old, "conditions"), json_get(pod, "status.conditions")));
    return json_with(a, status, "conditions", status_conditions(w, a, pod, r, status));
}

/* ---- the end ---- */

static const struct json *terminate_containers(struct arena *a, const struct json *statuses, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (json_get(json_at(statuses, i), "state.terminated")) continue;
        const struct json *ended = json_make(a, "{'terminated':{'exitCode':137,'reason':'ContainerStatusUnknown','message':"
            "'The container could not be located when the pod was terminated','startedAt':null,'finishedAt':null}}");
        statuses = json_with_item(a, statuses, i, json_with(a, json_at(statuses, i), "state", ended));
    }
    return statuses;
}

static bool ever_left_waiting(const struct json *s) {
    return json_get(s, "state.terminated") || json_get(s, "state.running") || json_get(s, "lastState.terminated");
}

static bool has_initialized(const struct json *pod, const struct json *status) {
    if (json_len(json_get(pod, "spec.initContainers")) == 0) return true;
    JSON_EACH(s, json_member(status, "containerStatuses")) if (ever_left_waiting(s)) return true;
    const struct json *init = json_member(status, "initContainerStatuses");
    const struct json *last = json_at(init, json_len(init) ? json_len(init) - 1 : 0);
    const struct json *spec = pod_container(pod, json_str_or(last, "name", ""), NULL);
    if (container_is_sidecar(spec)) return json_bool(last, "started", false);
    return json_get(last, "state.terminated") && json_int(last, "state.terminated.exitCode", 1) == 0;
}

const struct json *status_terminate(struct pod_worker *w, struct arena *a, const struct json *pod, const struct json *status) {
    const struct json *regular = json_member(status, "containerStatuses"), *init = json_member(status, "initContainerStatuses");
    if (regular && has_initialized(pod, status)) status = json_with(a, status, "containerStatuses", terminate_containers(a, regular, json_len(regular)));
    size_t ran = json_len(init);
    while (ran && !ever_left_waiting(json_at(init, ran - 1))) ran--;
    if (ran) status = json_with(a, status, "initContainerStatuses", terminate_containers(a, init, ran));
    if (!terminal_phase(json_str(status, "phase")) && !w->is_static) {
        status = json_with(a, status, "phase", json_string(a, "Failed"));
        status = json_with(a, status, "conditions", status_conditions(w, a, pod, w->runtime, status));
    }
    return status;
}

const struct json *status_hold_phase(struct pod_worker *w, struct arena *a, const struct json *pod, const struct json *status) {
    if (!terminal_phase(json_str(status, "phase"))) return status;
    const char *before = json_str_or(old_status(w, a, pod), "phase", "Pending");
    if (terminal_phase(before)) return status;
    status = json_with(a, status, "phase", json_string(a, before));
    return json_without_member(a, json_without_member(a, status, "reason"), "message");
}

const struct json *status_rejected(struct pod_worker *w, struct arena *a, const struct json *pod) {
    const struct json *status = base_status(w, a, pod);
    return with_reason(a, status, "Failed", w->reject_reason, arena_printf(a, "Pod was rejected: %s", w->reject_message));
}

/* ---- writing ---- */

/* Conditions that only the API server's object has (readiness gates, the scheduler's) stay. NULL: nothing differs. */
static const struct json *merge(struct arena *a, const struct json *current, const struct json *status) {
    static const char *const kept[] = {"nominatedNodeName", "resize", "resourceClaimStatuses", "extendedResourceClaimStatus", "qosClass"};
    const struct json *live = json_member(current, "status"), *conditions = json_member(status, "conditions");
    if (conditions) status = json_with(a, status, "conditions", join_conditions(a, conditions, json_member(live, "conditions")));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (json_member(live, kept[i])) status = json_with(a, status, kept[i], json_member(live, kept[i]));
    return json_semantic_equal(live, status) ? NULL : json_with(a, current, "status", status);
}

static int64_t version(const struct doc *d) {
    int64_t v = 0;
    (void)!str_to_int64(json_str_or(d->root, "metadata.resourceVersion", ""), &v);
    return v;
}

/* The newest object that is known: what the watch brought, or what the last write answered. */
static struct doc *newest(struct pod_worker *w) {
    LOCK(w->node);
    struct doc *d = w->is_static ? w->mirror : w->pod;
    bool answered = d && w->answered && str_eq(doc_uid(d), doc_uid(w->answered)) && version(w->answered) > version(d);
    d = !d || w->gone ? NULL : doc_ref(answered ? w->answered : d);
    UNLOCK(w->node);
    return d;
}

static void keep_answer(struct pod_worker *w, struct doc *d) {
    LOCK(w->node);
    struct doc *before = w->answered;
    w->answered = d;
    UNLOCK(w->node);
    doc_unref(before);
}

struct error *status_write(struct pod_worker *w, const struct json *status) {
    keep_status(w, status);
    cleanup_doc struct doc *base = newest(w);
    struct client *client = w->node->client;
    for (int attempt = 0; base && attempt < 5; attempt++) {
        cleanup_arena struct arena a = {0};
        const struct json *object = merge(&a, base->root, status);
        struct doc *answer = NULL;
        if (!object) return NULL;
        struct error *e = client_update(client, &resource_pods, doc_namespace(base), doc_name(base), "status", object, &answer);
        if (!e) keep_answer(w, answer);
        if (!e || error_is(e, "NotFound")) {
            error_free(e);
            return NULL;
        }
        if (!error_is(e, "Conflict")) return error_wrap(e, "writing the status");
        error_free(e);
        e = client_get(client, &resource_pods, doc_namespace(base), doc_name(base), &answer);
        if (e && !error_is(e, "NotFound")) return e;
        bool other = !e && !str_eq(doc_uid(answer), doc_uid(base)); /* another pod of that name */
        if (e || other) {
            error_free(e);
            doc_unref(answer);
            return NULL;
        }
        doc_unref(base);
        base = answer;
    }
    return base ? error_new("writing the status: it changed again and again") : NULL;
}
