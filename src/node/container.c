/* Starting a container: back-off, image, configuration, creation, start, postStart hook. */
#include "node/container.h"
#include "node/cgroups.h"
#include "node/hooks.h"
#include "node/images.h"
#include "node/logs.h"
#include "node/worker.h"
#include <stdio.h>

#define BACKOFF_BASE SECONDS(10)
#define BACKOFF_MAX SECONDS(300)

const char *container_hash(struct arena *a, const struct json *container) {
    uint8_t digest[32];
    struct buf hex = {0};
    const char *text = arena_printf(a, "%s\n%s", json_str_or(container, "name", ""), json_str_or(container, "image", ""));
    sha256(text, strlen(text), digest);
    hex_encode(&hex, digest, 4);
    const char *out = arena_strdup(a, hex.data);
    buf_free(&hex);
    return out;
}

static void set_wait(struct pod_worker *w, struct container_record *rec, const char *reason, const char *message) {
    LOCK(w->node);
    free(rec->wait_reason), free(rec->wait_message), free(rec->crash_message);
    rec->crash_message = NULL;
    rec->wait_reason = reason ? xstrdup(reason) : NULL;
    rec->wait_message = reason && message ? xstrdup(message) : NULL;
    UNLOCK(w->node);
}

static const struct runtime_container *last_exited(const struct pod_runtime *r, const char *name) {
    for (size_t i = 0; r && i < r->container_count; i++)
        if (str_eq(r->containers[i].name, name) && r->containers[i].state == CONTAINER_EXITED) return &r->containers[i];
    return NULL;
}

/* Entries of the back-off expire when they are twice its maximum old. */
static bool backoff_known(const struct container_record *rec, const struct runtime_container *c) {
    return rec->backoff && c->finished - rec->backoff_at <= 2 * BACKOFF_MAX;
}

static bool backs_off(struct pod_worker *w, const struct json *pod, struct container_record *rec, const struct runtime_container *c) {
    cleanup_arena struct arena a = {0};
    char text[TIME_STRING_MAX];
    if (!c || !backoff_known(rec, c) || node_now(w->node) - c->finished >= rec->backoff) return false;
    const char *who = pod_describe(&a, pod);
    container_event(w, pod, rec->name, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s", rec->name, who);
    free(rec->crash_message);
    rec->crash_message = xprintf("back-off %s restarting failed container=%s pod=%s", duration_format(text, rec->backoff), rec->name, who);
    return true;
}

static void backoff_next(struct pod_worker *w, struct container_record *rec, const struct runtime_container *c) {
    if (!c) return;
    rec->backoff = backoff_known(rec, c) ? MIN(2 * rec->backoff, BACKOFF_MAX) : BACKOFF_BASE;
    rec->backoff_at = node_now(w->node);
}

/* ---- configuration ---- */

static const struct json *expand_list(struct container_context *c, const struct json *list) {
    struct json_array out = {.arena = c->a};
    JSON_EACH(s, list) json_array_add(&out, json_string(c->a, expand_variables(c->a, json_str_or(s, NULL, ""), c->env, NULL)));
    return json_array_done(&out);
}

static const struct json *labels(struct container_context *c) {
    return json_make(c->a, "{%s:%v,%s:%v,%s:%v,%s:%v}", LABEL_CONTAINER_NAME, json_member(c->container, "name"), LABEL_POD_NAME,
                     json_get(c->pod, "metadata.name"), LABEL_POD_NAMESPACE, json_get(c->pod, "metadata.namespace"), LABEL_POD_UID,
                     json_get(c->pod, "metadata.uid"));
}

static const struct json *annotations(struct container_context *c) {
    struct arena *a = c->a;
    int64_t grace = json_int(c->pod, "spec.terminationGracePeriodSeconds", 30);
    return json_make(a, "{%s:%s,%s:%s,%s:%s,%s:%s,%s:%s}", NOTE_HASH, container_hash(a, c->container), NOTE_RESTARTS,
                     arena_printf(a, "%lld", (long long)c->attempt), NOTE_MESSAGE_PATH,
                     json_str_or(c->container, "terminationMessagePath", "/dev/termination-log"), NOTE_MESSAGE_POLICY,
                     json_str_or(c->container, "terminationMessagePolicy", "File"), NOTE_GRACE, arena_printf(a, "%lld", (long long)grace));
}

static struct error *make_config(struct container_context *c, const struct json **out) {
    const struct json *envs, *mounts, *security, *k = c->container;
    const char *name = json_str_or(k, "name", "");
    TRY(container_security(c, &security));
    TRY(container_env(c, &envs));
    TRY(container_mounts(c, &mounts));
    TRY(dir_make(arena_printf(c->a, "%s/%s", logs_pod_dir(c->a, c->w->node, c->pod), name), 0755));
    const struct json *linux_config = json_make(c->a, "{'resources':%v,'security_context':%v}", linux_resources(c->a, c->pod, k), security);
    *out = json_make(c->a, "{'metadata':{'name':%s,'attempt':%ld},'image':{'image':%s,'user_specified_image':%s},'command':%v,'args':%v,"
                           "'working_dir':%s,'envs':%v,'mounts':%v,'devices':%v,'labels':%v,'annotations':%v,'log_path':%s,'stdin':%b,"
                           "'stdin_once':%b,'tty':%b,'linux':%v,'stop_signal':%s}",
                     name, c->attempt, c->image_ref, json_str(k, "image"), expand_list(c, json_member(k, "command")),
                     expand_list(c, json_member(k, "args")), json_str(k, "workingDir"), envs, mounts, container_devices(c), labels(c),
                     annotations(c), logs_container_path(c->a, name, c->attempt), json_bool(k, "stdin", false), json_bool(k, "stdinOnce", false),
                     json_bool(k, "tty", false), linux_config, json_str(k, "lifecycle.stopSignal"));
    return NULL;
}

/* ---- start ---- */

static enum start_result failed(struct container_context *c, struct container_record *rec, const char *reason, struct error *e) {
    const char *why = arena_strdup(c->a, cri_description(e));
    container_event(c->w, c->pod, rec->name, "Warning", "Failed", "Error: %s", why);
    set_wait(c->w, rec, reason, why);
    error_free(e);
    return START_FAILED;
}

static struct error *create(struct container_context *c, const struct json *config, const char **id) {
    const struct json *sandbox, *answer;
    const char *handler;
    TRY(sandbox_config(c->a, c->w, c->pod, 0, &sandbox, &handler));
    struct error *e = cri_call(c->w->node->cri, CRI_CREATE_CONTAINER, c->a,
                               json_make(c->a, "{'pod_sandbox_id':%s,'config':%v,'sandbox_config':%v}", c->sandbox_id, config, sandbox), 0, &answer);
    if (!e) *id = json_str_or(answer, "container_id", "");
    return e;
}

static enum start_result create_and_start(struct container_context *c, struct container_record *rec) {
    const struct json *config;
    const char *id = NULL;
    struct error *e = make_config(c, &config);
    if (e) return failed(c, rec, "CreateContainerConfigError", e);
    if ((e = create(c, config, &id))) return failed(c, rec, "CreateContainerError", e);
    container_event(c->w, c->pod, rec->name, "Normal", "Created", "Container created");
    e = cri_call(c->w->node->cri, CRI_START_CONTAINER, c->a, json_make(c->a, "{'container_id':%s}", id), 0, NULL);
    if (e) {
        failed(c, rec, "RunContainerError", e);
        return START_OK; /* the runtime has it, ended */
    }
    container_event(c->w, c->pod, rec->name, "Normal", "Started", "Container started");
    set_wait(c->w, rec, NULL, NULL);
    if (json_get(c->container, "lifecycle.postStart")) hook_post_start(c->w, rec->name, id);
    return START_OK;
}

static bool hook_pending(struct pod_worker *w, const struct container_record *rec) {
    LOCK(w->node);
    bool pending = rec->hook_running;
    UNLOCK(w->node);
    return pending;
}

enum start_result container_start(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, const struct json *container,
                                  const char *list) {
    cleanup_arena struct arena a = {0};
    const char *name = json_str_or(container, "name", ""), *reason, *message;
    LOCK(w->node);
    struct container_record *rec = worker_record(w, name);
    UNLOCK(w->node);
    const struct runtime_container *latest = runtime_container(r, name), *exited = last_exited(r, name);
    if (hook_pending(w, rec) || (latest && container_kill_pending(w, latest->id))) return START_WAIT;
    if (backs_off(w, pod, rec, exited)) return START_FAILED;
    const struct runtime_sandbox *sandbox = &r->sandboxes[0];
    struct container_context c = {.a = &a, .w = w, .pod = pod, .container = container, .list = list, .sandbox_id = sandbox->id,
                                  .ips = sandbox->ips, .attempt = latest ? latest->attempt + 1 : 0};
    switch (image_ensure(&a, w, pod, container, &c.image, &reason, &message)) {
    case IMAGE_WAIT: return START_WAIT;
    case IMAGE_FAILED: set_wait(w, rec, reason, message); return START_FAILED;
    case IMAGE_PRESENT: break;
    }
    c.image_ref = json_str_or(c.image, "id", "");
    backoff_next(w, rec, exited);
    return create_and_start(&c, rec);
}
