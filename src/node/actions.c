/* What a sync has to do: upstream's kuberuntime computePodActions and computeInitContainerActions. */
#include "node/container.h"
#include "node/probes.h"
#include "node/worker.h"

static bool rule_matches(const struct json *rule, int exit_code) {
    bool listed = false;
    JSON_EACH(v, json_get(rule, "exitCodes.values")) listed |= json_int(v, NULL, -1) == exit_code;
    return json_str_is(rule, "exitCodes.operator", "In") ? listed : !listed;
}

/* Does the policy restart a container that ended with this code? (KEP-5307: a container's own policy and rules first.) */
bool container_policy_restarts(const struct json *pod, const struct json *container, int exit_code) {
    const char *own = json_str(container, "restartPolicy");
    const char *policy = own ? own : json_str_or(pod, "spec.restartPolicy", "Always");
    if (own)
        JSON_EACH(rule, json_member(container, "restartPolicyRules"))
            if (json_str_is(rule, "action", "Restart") && rule_matches(rule, exit_code)) return true;
    return str_eq(policy, "Always") || (str_eq(policy, "OnFailure") && exit_code != 0);
}

bool container_wants_restart(const struct json *pod, const struct json *container, const struct runtime_container *c) {
    if (object_deleting(pod)) return false;
    if (!c || c->state == CONTAINER_CREATED || c->state == CONTAINER_UNKNOWN) return true;
    return c->state == CONTAINER_EXITED && container_policy_restarts(pod, container, c->exit_code);
}

bool pod_has_started(const struct json *pod, const struct pod_runtime *r) {
    JSON_EACH(c, json_get(pod, "spec.containers"))
        if (runtime_container(r, json_str(c, "name"))) return true;
    return false;
}

/* An in-container failure (probe) restarts it unless its policy is Never. */
static bool restarts_on_failure(const struct json *pod, const struct json *container) {
    const char *own = json_str(container, "restartPolicy");
    return !str_eq(own ? own : json_str_or(pod, "spec.restartPolicy", "Always"), "Never");
}

static void add_kill(struct pod_actions *x, const struct runtime_container *c, const char *message) {
    if (x->kill_count == MAX_CONTAINERS) return;
    x->kill[x->kill_count].container = c;
    x->kill[x->kill_count++].message = message;
}

static void add_index(size_t *list, size_t *count, size_t i) {
    if (*count < MAX_CONTAINERS) list[(*count)++] = i;
}

/* ---- init containers ---- */

struct init_state {
    struct arena *a;
    struct pod_worker *w;
    const struct json *pod, *containers;
    struct pod_actions *x;
    bool was_initialized; /* a later container proves that the ones before have done their work */
    bool initialized;
};

static void start_next(struct init_state *s, size_t i) {
    if (i + 1 == json_len(s->containers)) s->initialized = true;
    else if (!s->was_initialized) add_index(s->x->init, &s->x->init_count, i + 1);
}

static void running_sidecar(struct init_state *s, size_t i, const struct json *c, const struct runtime_container *r) {
    enum probe_result startup = probe_result(s->w, r->name, r->id, PROBE_STARTUP);
    const char *failed = NULL;
    if (json_member(c, "startupProbe") && startup == PROBE_UNKNOWN) return;
    if (startup == PROBE_FAILED) failed = "startup";
    if (!failed) start_next(s, i);
    if (!failed && probe_result(s->w, r->name, r->id, PROBE_LIVENESS) == PROBE_FAILED) failed = "liveness";
    if (!failed) return;
    add_kill(s->x, r, arena_printf(s->a, "Init container %s failed %s probe", r->name, failed));
    add_index(s->x->init, &s->x->init_count, i);
}

/* False: the pod has failed. */
static bool ended_init(struct init_state *s, size_t i, const struct json *c, const struct runtime_container *r) {
    bool unknown = r->state == CONTAINER_UNKNOWN;
    if (!container_is_sidecar(c) && !unknown && r->exit_code == 0) {
        start_next(s, i);
        return true;
    }
    if (!container_is_sidecar(c) && !container_policy_restarts(s->pod, c, r->exit_code)) return false;
    if (unknown) add_kill(s->x, r, "Init container is in \"unknown\" state, try killing it before restart");
    add_index(s->x->init, &s->x->init_count, i);
    return true;
}

static bool look_at_init(struct init_state *s, size_t i, const struct json *c, const struct runtime_container *r) {
    switch (r->state) {
    case CONTAINER_CREATED: add_index(s->x->init, &s->x->init_count, i); return true;
    case CONTAINER_RUNNING:
        if (container_is_sidecar(c)) running_sidecar(s, i, c, r);
        return true;
    default: return ended_init(s, i, c, r);
    }
}

static void reverse(size_t *list, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        size_t t = list[i];
        list[i] = list[n - 1 - i], list[n - 1 - i] = t;
    }
}

/* Backwards, since completed init containers may have been removed: the last one that is known tells. Returns whether
 * the pod is initialized; sets kill_pod when it never will be. */
static bool init_actions(struct init_state *s, const struct pod_runtime *r) {
    size_t n = json_len(s->containers);
    s->was_initialized = s->initialized = n == 0 || pod_has_started(s->pod, r);
    for (size_t i = n; i-- > 0;) {
        const struct json *c = json_at(s->containers, i);
        const struct runtime_container *status = runtime_container(r, json_str(c, "name"));
        if (!status) {
            if (s->was_initialized && container_is_sidecar(c)) add_index(s->x->init, &s->x->init_count, i);
            continue;
        }
        if (s->was_initialized && !container_is_sidecar(c)) continue;
        if (!look_at_init(s, i, c, status)) {
            s->x->kill_pod = true;
            s->x->init_count = 0;
            return false;
        }
        s->was_initialized = true;
    }
    if (!s->was_initialized) add_index(s->x->init, &s->x->init_count, 0);
    reverse(s->x->init, s->x->init_count);
    return s->initialized;
}

/* ---- the sandbox ---- */

/* Upstream's PodSandboxChanged: is a (new) sandbox needed? */
static bool sandbox_changed(const struct json *pod, const struct pod_runtime *r, struct pod_actions *x) {
    size_t ready = 0;
    for (size_t i = 0; i < r->sandbox_count; i++) ready += r->sandboxes[i].ready;
    if (r->sandbox_count == 0) return true;
    const struct runtime_sandbox *newest = &r->sandboxes[0];
    x->attempt = newest->attempt + 1;
    if (ready > 1 || !newest->ready) return true;
    return newest->host_network != pod_is_host_network(pod) || (!pod_is_host_network(pod) && !newest->ips[0]);
}

static void fresh_start(const struct json *pod, const struct pod_runtime *r, struct pod_actions *x) {
    const char *policy = json_str_or(pod, "spec.restartPolicy", "Always");
    if (str_eq(policy, "Never") && x->attempt != 0 && r->container_count != 0) {
        x->create_sandbox = false;
        return;
    }
    size_t i = 0;
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        const struct runtime_container *status = runtime_container(r, json_str(c, "name"));
        bool succeeded = status && status->state == CONTAINER_EXITED && status->exit_code == 0;
        if (!(str_eq(policy, "OnFailure") && succeeded)) add_index(x->start, &x->start_count, i);
        i++;
    }
    if (x->start_count == 0) x->create_sandbox = false;
    else if (json_len(json_get(pod, "spec.initContainers"))) {
        x->start_count = 0;
        add_index(x->init, &x->init_count, 0);
    }
}

/* ---- regular containers ---- */

static const char *kill_reason(struct arena *a, struct pod_worker *w, const struct json *c, const struct runtime_container *r, bool *changed) {
    *changed = *r->hash && !str_eq(r->hash, container_hash(a, c));
    if (*changed) return arena_printf(a, "Container %s definition changed", r->name);
    if (probe_result(w, r->name, r->id, PROBE_LIVENESS) == PROBE_FAILED) return arena_printf(a, "Container %s failed liveness probe", r->name);
    if (probe_result(w, r->name, r->id, PROBE_STARTUP) == PROBE_FAILED) return arena_printf(a, "Container %s failed startup probe", r->name);
    return NULL;
}

static void regular_actions(struct arena *a, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, struct pod_actions *x) {
    size_t keep = 0, i = 0;
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        size_t index = i++;
        const struct runtime_container *status = runtime_container(r, json_str(c, "name"));
        if (!status || status->state != CONTAINER_RUNNING) {
            if (!container_wants_restart(pod, c, status)) continue;
            add_index(x->start, &x->start_count, index);
            if (status && status->state == CONTAINER_UNKNOWN)
                add_kill(x, status, "Container is in \"unknown\" state, try killing it before restart");
            continue;
        }
        bool changed;
        const char *reason = kill_reason(a, w, c, status, &changed);
        if (!reason) {
            keep++;
            continue;
        }
        bool restart = changed || restarts_on_failure(pod, c);
        if (restart) add_index(x->start, &x->start_count, index);
        add_kill(x, status, restart ? arena_printf(a, "%s, will be restarted", reason) : reason);
    }
    if (keep == 0 && x->start_count == 0) {
        x->kill_pod = true;
        x->init_count = 0;
    }
}

void pod_compute_actions(struct arena *a, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, struct pod_actions *x) {
    *x = (struct pod_actions){0};
    x->kill_pod = x->create_sandbox = sandbox_changed(pod, r, x);
    if (x->create_sandbox) {
        fresh_start(pod, r, x);
        return;
    }
    size_t i = 0;
    JSON_EACH(c, json_get(pod, "spec.ephemeralContainers")) { /* these are never restarted */
        if (!runtime_container(r, json_str(c, "name"))) add_index(x->ephemeral, &x->ephemeral_count, i);
        i++;
    }
    struct init_state s = {a, w, pod, json_get(pod, "spec.initContainers"), x, false, false};
    if (init_actions(&s, r) && !x->kill_pod) regular_actions(a, w, pod, r, x);
}
