/* exec, attach, portForward and run of the kubelet API. */
#include "node/pods.h"
#include "node/runtime.h"
#include "node/runtime_events.h"
#include "node/server.h"

/* Right after a start an agent has not yet seen what runs for its pods: a request for one waits for that, five seconds at most. */
static void wait_for_runtime(struct kubelet_request *r, const struct pod_worker *w) {
    static const struct timespec pause = {.tv_nsec = MSECONDS(20)};
    for (int i = 0; i < 250; i++) {
        LOCK(r->node);
        bool seen = w->runtime != NULL;
        UNLOCK(r->node);
        if (seen) return;
        nanosleep(&pause, NULL);
    }
}

/* The running container that PATH (NS/POD[/UID]/CONTAINER) names, copied into the arena; NULL: answered. */
static const char *find_container(struct kubelet_request *r) {
    cleanup_worker struct pod_worker *w = request_pod(r);
    if (!w) return NULL;
    wait_for_runtime(r, w);
    const char *name = r->path_len > 3 ? r->path[3] : r->path_len > 2 ? r->path[2] : "";
    LOCK(r->node);
    const struct runtime_container *c = runtime_container(w->runtime, name);
    /* The runtime takes a moment to note an end, and until then lets one attach to what says nothing any more. */
    const char *id = c && c->state == CONTAINER_RUNNING && !runtime_events_told_end(r->node, c->id) ? arena_strdup(r->arena, c->id) : NULL;
    UNLOCK(r->node);
    if (!id) request_fail(r, 404, "container not found (\"%s\")", name);
    return id;
}

static bool is_on(struct kubelet_request *r, const char *name) {
    const char *v = request_query(r, name);
    return v && (str_eq(v, "1") || str_eq(v, "true"));
}

static void stream(struct kubelet_request *r, enum cri_method method, const struct json *request, bool portforward) {
    const struct json *answer;
    struct error *e = cri_call(r->node->cri, method, r->arena, request, SECONDS(60), &answer);
    if (e) request_fail(r, 500, "%s", e->message);
    else request_stream(r, json_str_or(answer, "url", ""), portforward);
    error_free(e);
}

void serve_exec(struct kubelet_request *r) {
    const char *id = find_container(r);
    const struct json *command = request_query_all(r, "command");
    if (!id) return;
    bool tty = is_on(r, "tty");
    stream(r, CRI_EXEC, json_make(r->arena, "{'container_id':%s,'cmd':%v,'tty':%b,'stdin':%b,'stdout':%b,'stderr':%b}", id, command, tty,
                                  is_on(r, "input"), is_on(r, "output"), is_on(r, "error") && !tty), false);
}

void serve_attach(struct kubelet_request *r) {
    const char *id = find_container(r);
    if (!id) return;
    bool tty = is_on(r, "tty");
    stream(r, CRI_ATTACH, json_make(r->arena, "{'container_id':%s,'tty':%b,'stdin':%b,'stdout':%b,'stderr':%b}", id, tty, is_on(r, "input"),
                                    is_on(r, "output"), is_on(r, "error") && !tty), false);
}

void serve_port_forward(struct kubelet_request *r) {
    cleanup_worker struct pod_worker *w = request_pod(r);
    if (!w) return;
    wait_for_runtime(r, w);
    LOCK(r->node);
    const char *id = w->runtime && w->runtime->sandbox_count && w->runtime->sandboxes[0].ready ? arena_strdup(r->arena, w->runtime->sandboxes[0].id) : NULL;
    UNLOCK(r->node);
    if (!id) {
        request_fail(r, 404, "sandbox for pod \"%s\" not found", r->path[1]);
        return;
    }
    struct json_array ports = {.arena = r->arena};
    JSON_EACH(p, request_query_all(r, "port")) {
        int64_t port;
        if (str_to_int64(json_str_or(p, NULL, ""), &port)) json_array_add(&ports, json_integer(r->arena, port));
    }
    stream(r, CRI_PORT_FORWARD, json_make(r->arena, "{'pod_sandbox_id':%s,'port':%v}", id, json_array_done(&ports)), true);
}

void serve_run(struct kubelet_request *r) {
    const char *id = find_container(r);
    if (!id) return;
    size_t count;
    char **words = str_split(r->arena, request_query(r, "cmd") ? request_query(r, "cmd") : "", ' ', &count);
    struct json_array command = {.arena = r->arena};
    for (size_t i = 0; i < count; i++) json_array_add(&command, json_string(r->arena, words[i]));
    const struct json *answer;
    struct error *e = cri_call(r->node->cri, CRI_EXEC_SYNC, r->arena, json_make(r->arena, "{'container_id':%s,'cmd':%v}", id, json_array_done(&command)), 0, &answer);
    if (e) request_fail(r, 500, "%s", e->message);
    else {
        const char *text = arena_printf(r->arena, "%s%s", json_str_or(answer, "stdout", ""), json_str_or(answer, "stderr", ""));
        request_reply(r, 200, "text/plain", text, strlen(text));
    }
    error_free(e);
}
