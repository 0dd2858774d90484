/* containerStatuses and its two siblings: upstream's convertToAPIContainerStatuses and the prober's UpdatePodStatus. */
#include "node/probes.h"
#include "node/resize.h"
#include "node/status.h"

#define UNKNOWN_REASON "ContainerStatusUnknown"

static const struct json *time_json(struct arena *a, int64_t t) {
    char text[TIME_STRING_MAX]; /* 1970 where it never was, as upstream has it */
    return json_string(a, time_format(text, t));
}

const struct json *status_find(const struct json *statuses, const char *name) {
    JSON_EACH(s, statuses)
        if (json_str_is(s, "name", name)) return s;
    return NULL;
}

static const char *terminated_reason(const struct runtime_container *c) {
    if (*c->reason) return c->reason;
    return c->exit_code == 0 ? "Completed" : "Error";
}

static const struct json *runtime_state(struct arena *a, const struct runtime_container *c) {
    switch (c->state) {
    case CONTAINER_RUNNING: return json_make(a, "{'running':{'startedAt':%v}}", time_json(a, c->started));
    case CONTAINER_EXITED:
        return json_make(a, "{'terminated':{'exitCode':%d,'reason':%s,'message':%s,'startedAt':%v,'finishedAt':%v,'containerID':%s}}",
                         c->exit_code, terminated_reason(c), *c->message ? c->message : NULL, time_json(a, c->started),
                         time_json(a, c->finished), arena_printf(a, "containerd://%s", c->id));
    default: return json_make(a, "{'waiting':{}}");
    }
}

/* Of the container's mounts: name, path, and whether it is (recursively) read-only. */
static const struct json *mount_statuses(struct arena *a, const struct json *container) {
    struct json_array out = {.arena = a};
    JSON_EACH(m, json_member(container, "volumeMounts")) {
        bool read_only = json_bool(m, "readOnly", false);
        json_array_add(&out, json_make(a, "{'name':%s,'mountPath':%s,'readOnly':%v,'recursiveReadOnly':%s}", json_str(m, "name"),
                                       json_str(m, "mountPath"), read_only ? &json_true : NULL, read_only ? "Disabled" : NULL));
    }
    return out.len ? json_array_done(&out) : NULL;
}

static const struct json *user_status(struct arena *a, const struct json *user) {
    const struct json *linux_user = json_member(user, "linux");
    if (!linux_user) return NULL;
    const struct json *groups = json_member(linux_user, "supplemental_groups");
    return json_make(a, "{'linux':{'uid':%ld,'gid':%ld,'supplementalGroups':%v}}", json_int(linux_user, "uid", 0),
                     json_int(linux_user, "gid", 0), json_len(groups) ? groups : NULL);
}

struct context {
    struct pod_worker *w;
    struct arena *a;
    const struct json *pod;
    const struct pod_runtime *r;
    const char *list;
};

/* The record's members in the order of the API type. */
static const struct json *make_status(struct context *x, const struct json *container, const struct json *state,
                                      const struct json *last, int64_t restarts, const struct runtime_container *c) {
    const char *id = c ? arena_printf(x->a, "containerd://%s", c->id) : NULL;
    const struct json *resources = c ? resize_status_resources(x->a, container) : NULL;
    const struct json *allocated = c ? resize_allocated(container) : NULL;
    return json_make(x->a, "{'name':%s,'state':%v,'lastState':%v,'ready':false,'restartCount':%ld,'image':%s,'imageID':%s,"
                           "'containerID':%s,'allocatedResources':%v,'resources':%v,'volumeMounts':%v,'user':%v}",
                     json_str(container, "name"), state, last ? last : &json_empty_object, restarts,
                     c && *c->image ? c->image : json_str_or(container, "image", ""), c ? c->image_id : "", id, allocated, resources,
                     mount_statuses(x->a, container), c ? user_status(x->a, c->user) : NULL);
}

/* Nothing of it is in the runtime. */
static const struct json *default_status(struct context *x, const struct json *container, const struct json *old) {
    bool init = json_len(json_get(x->pod, "spec.initContainers")) > 0;
    if (json_get(old, "state.terminated")) return old;
    const struct json *last = json_member(old, "lastState");
    int64_t restarts = json_int(old, "restartCount", 0);
    if (json_get(old, "state.running")) { /* it ran, and has vanished */
        if (!json_member(last, "terminated"))
            last = json_make(x->a, "{'terminated':{'exitCode':137,'reason':'" UNKNOWN_REASON "','message':"
                                   "'The container could not be located when the pod was deleted.  The container used to be Running',"
                                   "'startedAt':null,'finishedAt':null}}");
        if (!object_deleting(x->pod)) restarts++;
    }
    const struct json *state = json_make(x->a, "{'waiting':{'reason':%s}}", init ? "PodInitializing" : "ContainerCreating");
    return make_status(x, container, state, last, restarts, NULL);
}

static bool hook_running(struct context *x, const struct runtime_container *c) {
    LOCK(x->w->node);
    struct container_record *rec = worker_record(x->w, c->name);
    bool runs = rec->hook_running && str_eq(rec->hook_id, c->id);
    UNLOCK(x->w->node);
    return runs;
}

static const struct json *seen_status(struct context *x, const struct json *container, const struct json *old) {
    const struct runtime_container *newest = NULL, *previous = NULL;
    for (size_t i = 0; x->r && i < x->r->container_count; i++) {
        const struct runtime_container *c = &x->r->containers[i];
        if (!str_eq(c->name, json_str(container, "name")) || hook_running(x, c)) continue;
        if (!newest) newest = c;
        else if (!previous) previous = c;
    }
    if (!newest) return default_status(x, container, old);
    const struct json *state = runtime_state(x->a, newest);
    if (newest->state == CONTAINER_UNKNOWN && json_get(old, "state.running"))
        state = json_make(x->a, "{'terminated':{'exitCode':137,'reason':'" UNKNOWN_REASON "','message':"
                                "'The container could not be located when the pod was terminated','startedAt':null,'finishedAt':null}}");
    /* Of a container that has ended for good upstream removes the instance before; here it stays a little for its log (runtime.c). */
    bool over = newest->state == CONTAINER_EXITED && !container_wants_restart(x->pod, container, newest);
    const struct json *last = previous && !over ? runtime_state(x->a, previous) : NULL;
    return make_status(x, container, state, last, newest->attempt, newest);
}

/* A container that failed to start, or waits for its next start, says why. */
static const struct json *waiting_status(struct context *x, const struct json *container, const struct json *status) {
    const char *name = json_str_or(container, "name", "");
    const struct runtime_container *c = runtime_container(x->r, name);
    bool init = str_eq(x->list, "initContainers");
    if (init && !container_is_sidecar(container) && c && c->state == CONTAINER_EXITED && c->exit_code == 0) return status;
    if (str_eq(x->list, "ephemeralContainers") ? c != NULL : !container_wants_restart(x->pod, container, c)) return status;
    LOCK(x->w->node);
    struct container_record *rec = worker_record(x->w, name);
    UNLOCK(x->w->node);
    if (!rec->wait_reason) return status;
    if (json_get(status, "state.terminated")) status = json_with(x->a, status, "lastState", json_member(status, "state"));
    const struct json *waiting = json_make(x->a, "{'waiting':{'reason':%s,'message':%s}}", rec->wait_reason,
                                           rec->wait_message && *rec->wait_message ? rec->wait_message : NULL);
    return json_with(x->a, status, "state", waiting);
}

static bool is_started(struct context *x, const struct runtime_container *c, const struct json *status) {
    if (!json_get(status, "state.running") || !c) return false;
    if (!probe_exists(x->w, c->name, PROBE_STARTUP)) return true;
    return probe_result(x->w, c->name, c->id, PROBE_STARTUP) == PROBE_SUCCEEDED;
}

static const struct json *with_started(struct arena *a, const struct json *status, bool started, bool ready) {
    struct json_object out = {.arena = a};
    JSON_EACH_MEMBER(m, status) {
        json_object_set(&out, m->key, str_eq(m->key, "ready") ? json_boolean(ready) : &m->value);
        if (str_eq(m->key, "containerID") || (str_eq(m->key, "imageID") && !json_member(status, "containerID")))
            json_object_set(&out, "started", json_boolean(started));
    }
    return json_object_done(&out);
}

static const struct json *probed_status(struct context *x, const struct json *container, const struct json *status) {
    if (str_eq(x->list, "ephemeralContainers")) return status;
    const struct runtime_container *c = runtime_container(x->r, json_str(container, "name"));
    bool started = is_started(x, c, status), ready = false;
    if (str_eq(x->list, "initContainers") && !container_is_sidecar(container))
        ready = json_get(status, "state.terminated") && json_int(status, "state.terminated.exitCode", 1) == 0;
    else if (started)
        ready = !probe_exists(x->w, c->name, PROBE_READINESS) || probe_result(x->w, c->name, c->id, PROBE_READINESS) == PROBE_SUCCEEDED;
    return with_started(x->a, status, started, ready);
}

static int by_name(const void *x, const void *y) {
    return strcmp(json_str_or(x, "name", ""), json_str_or(y, "name", ""));
}

const struct json *status_containers(struct pod_worker *w, struct arena *a, const struct json *pod, const struct pod_runtime *r,
                                     const char *list, const struct json *old) {
    struct context x = {w, a, pod, r, list};
    struct json_array out = {.arena = a};
    JSON_EACH(c, json_member(json_member(pod, "spec"), list)) {
        const struct json *status = seen_status(&x, c, status_find(old, json_str(c, "name")));
        json_array_add(&out, probed_status(&x, c, waiting_status(&x, c, status)));
    }
    if (out.len == 0) return NULL;
    if (!str_eq(list, "initContainers")) qsort(out.items, out.len, sizeof(*out.items), by_name);
    return json_array_done(&out);
}
