#include "node/worker.h"
#include "base/log.h"
#include "node/admission.h"
#include "node/cgroups.h"
#include "node/container.h"
#include "node/images.h"
#include "node/logs.h"
#include "node/pods.h"
#include "node/probes.h"
#include "node/resize.h"
#include "node/runtime_events.h"
#include "node/status.h"
#include "node/volumes.h"

#define LOG_COMPONENT "node"
#define CRASH_TOLD SECONDS(60)
#define PULL_ERROR_TOLD SECONDS(5)

struct sync {
    struct pod_worker *w;
    struct node *node;
    struct arena arena;
    struct doc *doc;
    const struct json *pod;
    bool gone, evicted;
    struct pod_runtime *r;
    int64_t again; /* 0: nothing to wait for */
};

static void again_in(struct sync *s, int64_t delay) {
    if (delay > 0 && (s->again == 0 || delay < s->again)) s->again = delay;
}

static struct error *read_runtime(struct sync *s) {
    struct pod_runtime *r;
    LOCK(s->node);
    bool needed = s->w->runtime_changed || !s->w->runtime;
    s->w->runtime_changed = false;
    r = needed ? NULL : runtime_ref(s->w->runtime);
    UNLOCK(s->node);
    struct error *e = needed ? runtime_read(s->node, s->w->uid, &r) : NULL;
    LOCK(s->node);
    if (e) s->w->runtime_changed = true;
    else if (needed) {
        runtime_unref(s->w->runtime);
        s->w->runtime = runtime_ref(r);
    }
    UNLOCK(s->node);
    if (e) return e;
    runtime_unref(s->r);
    s->r = r;
    if (!needed || !runtime_events_ahead(s->node, r)) return NULL;
    LOCK(s->node);
    s->w->runtime_changed = true;
    UNLOCK(s->node);
    again_in(s, MSECONDS(20));
    return NULL;
}

static struct error *read_again(struct sync *s) {
    LOCK(s->node);
    s->w->runtime_changed = true;
    UNLOCK(s->node);
    return read_runtime(s);
}

/* ---- SYNC ---- */

static bool start_list(struct sync *s, const char *list, const size_t *index, size_t count, bool *changed) {
    const struct json *containers = json_member(json_member(s->pod, "spec"), list);
    for (size_t i = 0; i < count; i++) {
        enum start_result x = container_start(s->w, s->pod, s->r, json_at(containers, index[i]), list);
        *changed |= x == START_OK;
        if (x == START_WAIT) return false;
        /* an init container that cannot start holds up the ones behind it */
        if (x == START_FAILED && str_eq(list, "initContainers")) return false;
    }
    return true;
}

/* A back-off shows in the status shortly before its time is up, or after a minute: as in the original, where a sync reports
 * what the one before came to. */
static int64_t tell_after(const struct container_record *c) { return MIN(c->backoff - SECONDS(1), CRASH_TOLD); }

/* A failure of a pull shows for some seconds as itself, then as back-off until the next attempt. */
static int64_t wait_pull(const struct container_record *c, int64_t now) {
    int64_t left = MAX(c->pull_next - now, MSECONDS(10));
    return str_eq(c->wait_reason, "ImagePullBackOff") ? left : MIN(left, PULL_ERROR_TOLD);
}

/* When do containers that wait (back-off of crashes and pulls) want to be looked at again? */
static void wait_backoffs(struct sync *s) {
    int64_t now = node_now(s->node), mono = clock_monotonic(s->node->clock);
    LOCK(s->node);
    for (struct container_record *c = s->w->containers; c; c = c->next) {
        if (!c->wait_reason && !c->crash_message) continue;
        const struct runtime_container *r = runtime_container(s->r, c->name);
        if (c->crash_message && r) again_in(s, MAX(r->finished + tell_after(c) - now, MSECONDS(10)));
        else if (str_eq(c->wait_reason, "CrashLoopBackOff") && r) again_in(s, MAX(r->finished + c->backoff - now, MSECONDS(10)));
        else if (c->pull_image && !c->pulling) again_in(s, wait_pull(c, mono));
        else if (!c->pulling) again_in(s, SECONDS(10));
    }
    UNLOCK(s->node);
}

static struct error *make_sandbox(struct sync *s, int64_t attempt) {
    struct error *e = sandbox_create(s->w, s->pod, attempt);
    if (e) {
        worker_event(s->w, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", e->message);
        return e;
    }
    TRY(read_again(s));
    /* fields such as status.podIP must be right for containers that are started now */
    return status_write(s->w, status_compute(s->w, &s->arena, s->pod, s->r, false));
}

static struct error *act(struct sync *s, bool *changed) {
    struct pod_actions x;
    pod_compute_actions(&s->arena, s->w, s->pod, s->r, &x);
    if (x.kill_pod) {
        if (x.create_sandbox && s->r->sandbox_count)
            worker_event(s->w, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
        if (!pod_stop_containers(s->w, s->pod, s->r, -1)) return NULL; /* comes back when they have ended */
        TRY(sandbox_stop_all(s->w, s->r));
        if (!x.create_sandbox) return read_again(s);
    }
    for (size_t i = 0; i < x.kill_count; i++) container_kill(s->w, x.kill[i].container, x.kill[i].message, -1);
    if (x.create_sandbox) {
        TRY(make_sandbox(s, x.attempt));
        *changed = true;
    }
    if (s->r->sandbox_count == 0 || !s->r->sandboxes[0].ready) return NULL;
    if (!start_list(s, "ephemeralContainers", x.ephemeral, x.ephemeral_count, changed)) return NULL;
    if (!start_list(s, "initContainers", x.init, x.init_count, changed)) return NULL;
    start_list(s, "containers", x.start, x.start_count, changed);
    return NULL;
}

static const char *runtime_problem(struct sync *s) {
    LOCK(s->node);
    const char *p = s->node->runtime_problem ? arena_strdup(&s->arena, s->node->runtime_problem) : NULL;
    UNLOCK(s->node);
    return p;
}

static struct error *sync_pod(struct sync *s) {
    const char *problem = pod_is_host_network(s->pod) ? NULL : runtime_problem(s);
    if (problem) {
        worker_event(s->w, "Warning", "NetworkNotReady", "network is not ready: %s", problem);
        again_in(s, SECONDS(2));
        return NULL;
    }
    if (s->w->is_static) TRY(mirror_ensure(s->w, s->doc));
    if (!s->w->cgroup_made) TRY(cgroup_pod_make(s->node, s->pod));
    s->w->cgroup_made = true;
    int64_t wait = 0;
    if (!volumes_mount(s->w, s->pod, &wait)) {
        again_in(s, wait);
        return NULL;
    }
    again_in(s, wait);
    bool changed = true;
    for (int round = 0; changed && round < 8; round++) { /* an init container that is a sidecar lets the next one start */
        changed = false;
        struct error *e = act(s, &changed);
        if (changed && !e) e = read_again(s);
        if (e) return e;
    }
    resize_actuate(s->w, s->pod, s->r);
    probes_update(s->w, s->pod, s->r);
    wait_backoffs(s);
    return NULL;
}

static bool is_terminal(const struct json *status) {
    return json_str_is(status, "phase", "Failed") || json_str_is(status, "phase", "Succeeded");
}

static void tell_crashes(struct sync *s) {
    LOCK(s->node);
    for (struct container_record *c = s->w->containers; c; c = c->next) {
        const struct runtime_container *r = runtime_container(s->r, c->name);
        if (!c->crash_message || (r && node_now(s->node) < r->finished + tell_after(c))) continue;
        free(c->wait_reason), free(c->wait_message);
        c->wait_reason = xstrdup("CrashLoopBackOff"), c->wait_message = TAKE(c->crash_message);
    }
    UNLOCK(s->node);
}

static struct error *run_sync(struct sync *s) {
    tell_crashes(s);
    const struct json *status = status_compute(s->w, &s->arena, s->pod, s->r, false);
    if (object_deleting(s->pod) || s->gone || s->evicted || is_terminal(status)) {
        s->w->state = WORKER_TERMINATING;
        if (object_deleting(s->pod) || s->gone || s->evicted) return NULL;
        return status_write(s->w, status_hold_phase(s->w, &s->arena, s->pod, status)); /* the phase follows when nothing is left of it */
    }
    TRY(status_write(s->w, status));
    struct error *e = sync_pod(s);
    status = status_compute(s->w, &s->arena, s->pod, s->r, false);
    struct error *unwritten = is_terminal(status) ? NULL : status_write(s->w, status);
    if (is_terminal(status)) again_in(s, 1);
    int64_t left = 0;
    if (!pod_deadline_passed(s->w, s->pod, &left) && left) again_in(s, left);
    if (e && unwritten) error_free(unwritten);
    return e ? e : unwritten;
}

/* ---- TERMINATING ---- */

/* Seconds that containers have: of the deletion, the eviction or the spec. */
static int64_t termination_grace(struct sync *s) {
    int64_t grace = json_int(s->pod, "spec.terminationGracePeriodSeconds", 30);
    if (s->evicted && s->w->evict_grace >= 0) grace = s->w->evict_grace;
    else if (object_deleting(s->pod)) grace = json_int(s->pod, "metadata.deletionGracePeriodSeconds", grace);
    return MAX(grace, 1);
}

static struct error *run_terminating(struct sync *s) {
    if (!s->gone && !s->w->rejected && runtime_has_running(s->r)) {
        const struct json *status = status_compute(s->w, &s->arena, s->pod, s->r, false);
        TRY(status_write(s->w, status_hold_phase(s->w, &s->arena, s->pod, status)));
    }
    probes_stop(s->w, true);
    if (!pod_stop_containers(s->w, s->pod, s->r, termination_grace(s))) {
        again_in(s, SECONDS(30)); /* in case an event was lost */
        return NULL;
    }
    probes_stop(s->w, false);
    TRY(sandbox_stop_all(s->w, s->r));
    TRY(read_again(s));
    if (runtime_has_running(s->r)) return error_new("containers are still running");
    if (!s->gone && !s->w->rejected) {
        const struct json *status = status_compute(s->w, &s->arena, s->pod, s->r, true);
        TRY(status_write(s->w, status_terminate(s->w, &s->arena, s->pod, status)));
    }
    s->w->state = WORKER_TERMINATED;
    return NULL;
}

/* ---- TERMINATED ---- */

static struct error *forget_pod(struct sync *s) {
    for (size_t i = 0; i < s->r->container_count; i++)
        TRY(cri_call(s->node->cri, CRI_REMOVE_CONTAINER, &s->arena,
                     json_make(&s->arena, "{'container_id':%s}", s->r->containers[i].id), 0, NULL));
    for (size_t i = 0; i < s->r->sandbox_count; i++)
        TRY(cri_call(s->node->cri, CRI_REMOVE_POD_SANDBOX, &s->arena,
                     json_make(&s->arena, "{'pod_sandbox_id':%s}", s->r->sandboxes[i].id), 0, NULL));
    volumes_remove_dir(worker_dir(&s->arena, s->w, "%s", ""));
    logs_remove(s->node, s->pod);
    pods_forget(s->w);
    if (!json_str(s->pod, "status.qosClass")) dispatch_add_after(s->node->dispatch, "orphans", "", SECONDS(1)); /* its cgroup */
    return NULL;
}

static struct error *delete_object(struct sync *s) {
    struct delete_options now = {.uid = s->w->uid};
    struct error *e = client_delete(s->node->client, &resource_pods, doc_namespace(s->doc), doc_name(s->doc), &now);
    if (error_is(e, "NotFound") || error_is(e, "Conflict")) {
        error_free(e);
        e = NULL;
    }
    return e;
}

static struct error *run_terminated(struct sync *s) {
    if (!s->w->finished) {
        TRY(volumes_unmount(s->w));
        TRY(cgroup_pod_remove(s->node, s->pod));
        s->w->finished = true;
    }
    if (s->gone) return forget_pod(s);
    if (object_deleting(s->pod) && !s->w->is_static) return delete_object(s);
    return NULL;
}

/* ---- the task ---- */

/* Pods that ran already (an agent before this one admitted them) are not judged again. */
static void admit(struct sync *s) {
    s->w->admitted = true;
    s->w->started = object_time(s->pod, "status.startTime");
    bool terminal = is_terminal(json_member(s->pod, "status"));
    probes_adopt(s->w, s->pod, s->r);
    if (s->r->container_count || s->r->sandbox_count || s->gone || terminal || object_deleting(s->pod)) {
        if (terminal) s->w->rejected = !json_member(json_member(s->pod, "status"), "containerStatuses");
        return;
    }
    const char *message = NULL;
    s->w->reject_reason = admission_check(s->w, &s->arena, s->pod, &message);
    if (!s->w->reject_reason) return;
    s->w->rejected = true;
    s->w->reject_message = xstrdup(message);
    worker_event(s->w, "Warning", s->w->reject_reason, "%s", message);
}

static struct error *step(struct sync *s) {
    TRY(read_runtime(s));
    if (!s->w->admitted) admit(s);
    if (s->w->rejected && s->w->reject_reason) {
        if (!s->gone) TRY(status_write(s->w, status_rejected(s->w, &s->arena, s->pod)));
        if (s->w->state == WORKER_SYNC) s->w->state = WORKER_TERMINATING;
    }
    int before = s->w->state;
    switch (before) {
    case WORKER_SYNC: TRY(run_sync(s)); break;
    case WORKER_TERMINATING: TRY(run_terminating(s)); break;
    case WORKER_TERMINATED: return run_terminated(s);
    }
    return s->w->state == before ? NULL : step(s);
}

/* Before the runtime has answered once nothing can be done for a pod; node_check_runtime asks for all of them then. */
static bool runtime_seen(struct node *n) {
    LOCK(n);
    bool seen = n->runtime_version != NULL;
    UNLOCK(n);
    return seen;
}

struct work_result worker_run(void *arg, const char *uid) {
    struct node *n = arg;
    if (!runtime_seen(n)) return WORK_DONE;
    cleanup_worker struct pod_worker *w = worker_find(n, uid);
    if (!w) return WORK_DONE;
    struct sync s = {.w = w, .node = n};
    LOCK(n);
    s.doc = doc_ref(w->pod);
    s.gone = w->gone;
    s.evicted = w->evict_reason != NULL;
    UNLOCK(n);
    s.pod = resize_admit(w, &s.arena, s.doc->root);
    struct error *e = step(&s);
    if (e) error_wrap(e, "pod %s", pod_describe(&s.arena, s.pod));
    struct work_result result = {.error = e, .again_after = s.again};
    runtime_unref(s.r);
    doc_unref(s.doc);
    arena_free(&s.arena);
    return result;
}
