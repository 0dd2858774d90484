/* containerLogs of the kubelet API. */
#include "node/logs.h"
#include "node/pods.h"
#include "node/server.h"
#include "node/status.h"

struct source {
    struct kubelet_request *r;
    struct pod_worker *w;
    const char *container, *id;
};

static const struct json *find_status(const struct json *status, const char *name) {
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *s = status_find(json_member(status, lists[i]), name);
        if (s) return s;
    }
    return NULL;
}

/* Which container's log is meant: upstream's validateContainerLogStatus. NULL with *problem. */
static const char *container_id(struct arena *a, const struct json *s, const char *name, const char *pod, bool previous, const char **problem) {
    const struct json *state = json_member(s, "state"), *ended = json_member(state, "terminated"), *last = json_get(s, "lastState.terminated");
    const char *last_id = json_str(last, "containerID");
    if (!s) *problem = arena_printf(a, "container \"%s\" in pod \"%s\" is not available", name, pod);
    else if (previous && !last_id) *problem = arena_printf(a, "previous terminated container \"%s\" in pod \"%s\" not found", name, pod);
    else if (previous) return last_id;
    else if (json_member(state, "running")) return json_str(s, "containerID");
    else if (ended && json_str(ended, "containerID")) return json_str(ended, "containerID");
    else if (last_id) return last_id;
    else if (ended || last) *problem = arena_printf(a, "container \"%s\" in pod \"%s\" is terminated", name, pod);
    else {
        const char *why = json_str_or(state, "waiting.reason", "");
        if (str_eq(why, "ErrImagePull")) why = "image can't be pulled";
        else if (str_eq(why, "ImagePullBackOff")) why = "trying and failing to pull image";
        *problem = arena_printf(a, "container \"%s\" in pod \"%s\" is waiting to start: %s", name, pod, why);
    }
    return NULL;
}

static const char *locate(struct source *s, bool previous, const char **problem) {
    struct arena *a = s->r->arena;
    LOCK(s->w->node);
    struct doc *d = doc_ref(s->w->status_doc ? s->w->status_doc : s->w->pod);
    bool computed = s->w->status_doc != NULL;
    struct pod_runtime *held = runtime_ref(s->w->runtime);
    UNLOCK(s->w->node);
    cleanup_doc struct doc *doc = d;
    cleanup_runtime struct pod_runtime *runtime = held;
    const struct json *status = computed ? doc->root : json_member(doc->root, "status");
    const char *id = container_id(a, find_status(status, s->container), s->container, s->r->path[1], previous, problem);
    if (!id) return NULL;
    const char *plain = strstr(id, "://") ? strstr(id, "://") + 3 : id;
    const struct runtime_container *c = runtime_container_by_id(runtime, plain);
    if (!c) *problem = arena_printf(a, "unable to retrieve container logs for %s", id);
    s->id = arena_strdup(a, plain);
    return c ? arena_strdup(a, c->log_path) : NULL;
}

static bool write_out(void *arg, const void *p, size_t n) {
    struct source *s = arg;
    return request_write(s->r, p, n);
}

static bool has_ended(void *arg) {
    struct source *s = arg;
    LOCK(s->w->node);
    const struct runtime_container *c = runtime_container_by_id(s->w->runtime, s->id);
    bool ended = !c || c->state != CONTAINER_RUNNING || s->w->node->stopping;
    UNLOCK(s->w->node);
    return ended || s->r->closed;
}

static bool flag(struct kubelet_request *r, const char *name) {
    const char *v = request_query(r, name);
    return v && (str_eq(v, "true") || str_eq(v, "1"));
}

static int64_t number(struct kubelet_request *r, const char *name, int64_t other) {
    int64_t n;
    const char *v = request_query(r, name);
    return v && str_to_int64(v, &n) ? n : other;
}

static struct log_options options(struct kubelet_request *r) {
    struct log_options o = {.follow = flag(r, "follow"), .timestamps = flag(r, "timestamps"), .tail_lines = number(r, "tailLines", -1),
                            .limit_bytes = number(r, "limitBytes", -1)};
    int64_t seconds = number(r, "sinceSeconds", 0);
    const char *since = request_query(r, "sinceTime"), *stream = request_query(r, "stream");
    if (seconds) o.since = node_now(r->node) - SECONDS(seconds);
    if (since) (void)!time_parse(since, &o.since);
    if (stream && !str_eq(stream, "All")) o.stream = str_eq(stream, "Stdout") ? "stdout" : "stderr";
    return o;
}

void serve_logs(struct kubelet_request *r) {
    const char *problem = NULL;
    cleanup_worker struct pod_worker *w = request_pod(r);
    if (!w) return;
    struct source s = {.r = r, .w = w, .container = r->path_len > 2 ? r->path[2] : ""};
    cleanup_doc struct doc *pod = worker_pod(w);
    if (!pod_container(pod->root, s.container, NULL)) {
        request_fail(r, 404, "container \"%s\" not found in pod \"%s\"", s.container, r->path[1]);
        return;
    }
    const char *path = locate(&s, flag(r, "previous"), &problem);
    if (!path) {
        request_fail(r, 400, "%s", problem);
        return;
    }
    struct log_options o = options(r);
    request_begin(r, "text/plain");
    struct error *e = logs_read(path, &o, write_out, has_ended, &s);
    if (e) {
        const char *text = arena_printf(r->arena, "%s\n", e->message);
        request_write(r, text, strlen(text));
    }
    error_free(e);
    request_end(r);
}
