#include "node/hooks.h"
#include "base/log.h"
#include "node/http_action.h"
#include "node/worker.h"
#include <poll.h>

#define LOG_COMPONENT "node"

static struct error *run_exec(struct node *n, const char *id, const struct json *command, int64_t timeout) {
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    int64_t seconds = timeout / NSEC_PER_SEC;
    struct error *e = cri_call(n->cri, CRI_EXEC_SYNC, &a, json_make(&a, "{'container_id':%s,'cmd':%v,'timeout':%ld}", id, command, seconds),
                               timeout ? timeout + SECONDS(5) : SECONDS(24 * 3600), &answer);
    if (e) return e;
    int64_t code = json_int(answer, "exit_code", 0);
    return code ? error_new("command exited with %lld: %s", (long long)code, json_str_or(answer, "stderr", json_str_or(answer, "stdout", ""))) : NULL;
}

static struct error *run_http(struct node *n, const struct json *container, const char *pod_ip, const struct json *get) {
    cleanup_arena struct arena a = {0};
    struct http_answer answer;
    TRY(http_action(n, &a, container, get, pod_ip, "kube-lifecycle/1.35", SECONDS(30), &answer));
    return answer.status >= 400 ? error_new("HTTP status %d", answer.status) : NULL;
}

struct error *hook_run(struct node *n, const struct json *pod, const struct json *container, const char *id, const char *pod_ip,
                       const struct json *handler, int64_t timeout) {
    (void)pod;
    const struct json *x;
    if ((x = json_get(handler, "exec.command"))) return run_exec(n, id, x, timeout);
    if ((x = json_member(handler, "httpGet"))) return run_http(n, container, pod_ip, x);
    if ((x = json_get(handler, "sleep.seconds"))) {
        int64_t ms = json_int(x, NULL, 0) * 1000;
        poll(NULL, 0, (int)(timeout ? MIN(ms, timeout / NSEC_PER_MSEC) : ms));
    }
    return NULL;
}

void hook_post_start(struct pod_worker *w, const char *container, const char *id) {
    cleanup_arena struct arena a = {0};
    LOCK(w->node);
    struct container_record *rec = worker_record(w, container);
    free(rec->hook_id);
    rec->hook_id = xstrdup(id);
    rec->hook_running = true;
    rec->hook_failed = false;
    UNLOCK(w->node);
    dispatch_add(w->node->dispatch, "hook", arena_printf(&a, "%s/%s", w->uid, container));
}

static void post_start_failed(struct pod_worker *w, const struct json *pod, const char *name, const char *id, const struct error *e) {
    log_info("postStart hook of %s in pod %s: %s", name, w->uid, e->message);
    container_event(w, pod, name, "Warning", "FailedPostStartHook", "PostStartHook failed");
    const struct runtime_container c = {.id = id, .name = name, .state = CONTAINER_RUNNING};
    container_kill(w, &c, "FailedPostStartHook", -1);
}

struct work_result hook_post_start_run(void *arg, const char *rest) {
    struct node *n = arg;
    cleanup_arena struct arena a = {0};
    const char *uid, *name;
    key_split(&a, rest, &uid, &name);
    cleanup_worker struct pod_worker *w = worker_find(n, uid);
    if (!w) return WORK_DONE;
    cleanup_doc struct doc *pod = worker_pod(w);
    const struct json *container = pod_container(pod->root, name, NULL);
    LOCK(n);
    struct container_record *rec = worker_record(w, name);
    const char *id = arena_strdup(&a, rec->hook_id ? rec->hook_id : "");
    const char *ip = w->runtime && w->runtime->sandbox_count && w->runtime->sandboxes[0].ips[0]
                         ? arena_strdup(&a, w->runtime->sandboxes[0].ips[0]) : "127.0.0.1";
    UNLOCK(n);
    struct error *e = hook_run(n, pod->root, container, id, ip, json_get(container, "lifecycle.postStart"), 0);
    LOCK(n);
    rec->hook_running = false;
    rec->hook_failed = e != NULL;
    UNLOCK(n);
    if (e) post_start_failed(w, pod->root, name, id, e);
    error_free(e);
    worker_sync_soon(w, true);
    return WORK_DONE;
}
