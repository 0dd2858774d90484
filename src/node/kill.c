/* Stopping containers: preStop hook, grace period, signal; and the order among them (KEP-753). */
#include "base/log.h"
#include "node/hooks.h"
#include "node/worker.h"

#define LOG_COMPONENT "node"
#define GRACE_MIN 2 /* seconds: avoids needless SIGKILLs */

static struct kill_op *find(struct pod_worker *w, const char *id) {
    for (struct kill_op *k = w->kills; k; k = k->next)
        if (str_eq(k->id, id)) return k;
    return NULL;
}

bool container_kill_pending(struct pod_worker *w, const char *id) {
    LOCK(w->node);
    bool pending = find(w, id) != NULL;
    UNLOCK(w->node);
    return pending;
}

void container_kill(struct pod_worker *w, const struct runtime_container *c, const char *message, int64_t grace) {
    cleanup_arena struct arena a = {0};
    const char *rest = arena_printf(&a, "%s/%s", w->uid, c->id);
    LOCK(w->node);
    struct kill_op *k = find(w, c->id);
    int64_t deadline = clock_monotonic(w->node->clock) + SECONDS(grace < 0 ? 1 << 20 : grace);
    bool shorter = k && deadline + SECONDS(1) < k->deadline; /* deleted again with less grace */
    if (!k) {
        k = xcalloc(1, sizeof(*k));
        k->id = xstrdup(c->id), k->name = xstrdup(c->name);
        k->message = xstrdup(message ? message : arena_printf(&a, "Stopping container %s", c->name));
        k->grace = grace, k->deadline = deadline;
        k->next = w->kills;
        w->kills = k;
        dispatch_add(w->node->dispatch, "kill", rest);
    } else if (shorter) {
        k->grace = grace, k->deadline = deadline;
        rest = arena_printf(&a, "%s/%s/%lld", w->uid, c->id, (long long)grace); /* beside the one that waits longer */
        dispatch_add(w->node->dispatch, "kill", rest);
    }
    UNLOCK(w->node);
}

static void forget(struct pod_worker *w, const char *id) {
    LOCK(w->node);
    for (struct kill_op **p = &w->kills; *p; p = &(*p)->next) {
        struct kill_op *k = *p;
        if (!str_eq(k->id, id)) continue;
        *p = k->next;
        free(k->id), free(k->name), free(k->message), free(k);
        break;
    }
    UNLOCK(w->node);
}

/* The grace that the spec gives where nobody says another: a probe's own when it failed, else the pod's. */
static int64_t default_grace(const struct json *pod, const struct json *container, const char *message) {
    int64_t grace = json_int(pod, "metadata.deletionGracePeriodSeconds", json_int(pod, "spec.terminationGracePeriodSeconds", 30));
    if (strstr(message, "failed liveness probe")) grace = json_int(container, "livenessProbe.terminationGracePeriodSeconds", grace);
    if (strstr(message, "failed startup probe")) grace = json_int(container, "startupProbe.terminationGracePeriodSeconds", grace);
    return grace;
}

/* Returns the seconds that are left. */
static int64_t run_pre_stop(struct pod_worker *w, const struct json *pod, const struct json *container, const char *id, int64_t grace) {
    const struct json *hook = json_get(container, "lifecycle.preStop");
    if (!hook || grace <= 0) return grace;
    cleanup_arena struct arena a = {0};
    LOCK(w->node);
    const char *ip = w->runtime && w->runtime->sandbox_count && w->runtime->sandboxes[0].ips[0]
                         ? arena_strdup(&a, w->runtime->sandboxes[0].ips[0]) : "127.0.0.1";
    UNLOCK(w->node);
    int64_t since = clock_monotonic(w->node->clock);
    struct error *e = hook_run(w->node, pod, container, id, ip, hook, SECONDS(grace));
    if (e) {
        log_info("preStop hook of %s: %s", pod_describe(&a, pod), e->message);
        container_event(w, pod, json_str_or(container, "name", ""), "Warning", "FailedPreStopHook", "PreStopHook failed");
    }
    error_free(e);
    return grace - (clock_monotonic(w->node->clock) - since) / NSEC_PER_SEC;
}

struct work_result container_kill_run(void *arg, const char *rest) {
    struct node *n = arg;
    cleanup_arena struct arena a = {0};
    size_t count;
    char **part = str_split(&a, rest, '/', &count);
    cleanup_worker struct pod_worker *w = worker_find(n, part[0]);
    if (!w) return WORK_DONE;
    cleanup_doc struct doc *pod = worker_pod(w);
    LOCK(n);
    struct kill_op *k = find(w, part[1]);
    const char *name = k ? arena_strdup(&a, k->name) : NULL, *message = k ? arena_strdup(&a, k->message) : NULL;
    int64_t grace = k ? k->grace : 0;
    UNLOCK(n);
    if (!k) return WORK_DONE;
    const struct json *container = pod_container(pod->root, name, NULL);
    if (grace < 0) grace = default_grace(pod->root, container, message);
    if (count == 2) { /* the first attempt, not a later shortening */
        container_event(w, pod->root, name, "Normal", "Killing", "%s", message);
        grace = run_pre_stop(w, pod->root, container, part[1], grace);
    }
    grace = MAX(grace, GRACE_MIN);
    struct error *e = cri_call(n->cri, CRI_STOP_CONTAINER, &a, json_make(&a, "{'container_id':%s,'timeout':%ld}", part[1], grace),
                               SECONDS(grace + 120), NULL);
    if (e && !error_is(e, "NotFound")) log_warn("stopping container %s of pod %s: %s", name, part[0], e->message);
    if (count == 2 || !e) forget(w, part[1]);
    error_free(e);
    worker_sync_soon(w, true);
    return WORK_DONE;
}

static bool is_sidecar_of(const struct json *pod, const char *name) {
    const char *list = NULL;
    const struct json *c = pod_container(pod, name, &list);
    return str_eq(list, "initContainers") && container_is_sidecar(c);
}

/* Sidecars end after everything that started behind them, last one first, in what is left of the grace period. */
static const struct runtime_container *last_sidecar(const struct json *pod, const struct pod_runtime *r) {
    const struct json *init = json_get(pod, "spec.initContainers");
    for (size_t i = json_len(init); i-- > 0;) {
        const struct runtime_container *c = runtime_container(r, json_str_or(json_at(init, i), "name", ""));
        if (c && c->state == CONTAINER_RUNNING && container_is_sidecar(json_at(init, i))) return c;
    }
    return NULL;
}

bool pod_stop_containers(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, int64_t grace) {
    int64_t now = clock_monotonic(w->node->clock);
    if (grace < 0) grace = json_int(pod, "spec.terminationGracePeriodSeconds", 30);
    if (!w->grace_deadline || now + SECONDS(grace) < w->grace_deadline) w->grace_deadline = now + SECONDS(grace);
    int64_t left = MAX((w->grace_deadline - now + NSEC_PER_SEC - 1) / NSEC_PER_SEC, 0);
    bool running = false, sidecars_only = true;
    for (size_t i = 0; i < r->container_count; i++) {
        const struct runtime_container *c = &r->containers[i];
        if (c->state != CONTAINER_RUNNING && c->state != CONTAINER_UNKNOWN) continue;
        running = true;
        if (is_sidecar_of(pod, c->name)) continue;
        sidecars_only = false;
        container_kill(w, c, NULL, left);
    }
    const struct runtime_container *sidecar = sidecars_only ? last_sidecar(pod, r) : NULL;
    if (sidecar) container_kill(w, sidecar, NULL, left);
    if (!running) w->grace_deadline = 0;
    return !running;
}
