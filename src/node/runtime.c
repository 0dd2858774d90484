#include "node/runtime.h"
#include "node/logs.h"
#include <unistd.h>

#define TIMEOUT SECONDS(30)

static const struct json *uid_filter(struct arena *a, const char *uid) {
    return json_make(a, "{'filter':{'label_selector':{'" LABEL_POD_UID "':%s}}}", uid);
}

#define MESSAGE_MAX 4096     /* bytes of the termination message file */
#define MESSAGE_LOG_MAX 2048 /* bytes and lines of the log that stand in for it */
#define MESSAGE_LOG_LINES 80

/* What the container left in its termination message file: its end, if it is too long. */
static const char *message_file(struct arena *a, const struct json *status) {
    const char *path = json_str(json_member(json_member(status, "annotations"), NOTE_MESSAGE_PATH), NULL);
    JSON_EACH(m, path ? json_member(status, "mounts") : NULL) {
        if (!json_str_is(m, "container_path", path)) continue;
        cleanup_buf struct buf text = {0};
        struct error *e = file_read(json_str_or(m, "host_path", ""), 16 << 20, &text);
        error_free(e);
        size_t from = text.len > MESSAGE_MAX ? text.len - MESSAGE_MAX : 0;
        return e || !text.len ? "" : json_str(json_string_n(a, text.data + from, text.len - from), NULL);
    }
    return "";
}

/* The runtime's message and the container's own, or the end of its log where the policy falls back to that. */
static const char *termination_message(struct arena *a, const struct json *status) {
    const char *runtime = json_str_or(status, "message", "");
    if (json_int(status, "state", 0) != CONTAINER_EXITED) return runtime;
    const char *own = message_file(a, status);
    bool fall_back = json_str_is(json_member(json_member(status, "annotations"), NOTE_MESSAGE_POLICY), NULL, "FallbackToLogsOnError");
    if (!*own && fall_back && json_int(status, "exit_code", 0) != 0 && !json_str_is(status, "reason", "ContainerCannotRun")) {
        cleanup_buf struct buf log = {0};
        logs_tail(json_str_or(status, "log_path", ""), MESSAGE_LOG_MAX, MESSAGE_LOG_LINES, &log);
        own = arena_strdup(a, buf_str(&log));
    }
    return arena_printf(a, "%s%s%s", runtime, *runtime && *own ? ": " : "", own);
}

static void fill_container(struct arena *a, const struct json *s, struct runtime_container *c) {
    const struct json *labels = json_member(s, "labels");
    c->annotations = json_member(s, "annotations");
    c->id = json_str_or(s, "id", "");
    c->name = json_str_or(json_member(labels, LABEL_CONTAINER_NAME), NULL, json_str_or(s, "metadata.name", ""));
    c->image = json_str_or(s, "image.image", "");
    c->image_id = json_str_or(s, "image_ref", "");
    c->reason = json_str_or(s, "reason", "");
    c->message = termination_message(a, s);
    c->log_path = json_str_or(s, "log_path", "");
    c->hash = json_str_or(json_member(c->annotations, NOTE_HASH), NULL, "");
    c->user = json_member(s, "user");
    c->mounts = json_member(s, "mounts");
    c->created = json_int(s, "created_at", 0);
    c->started = json_int(s, "started_at", 0);
    c->finished = json_int(s, "finished_at", 0);
    c->attempt = json_int(s, "metadata.attempt", 0);
    c->exit_code = (int)json_int(s, "exit_code", 0);
    c->state = (int)json_int(s, "state", 0);
}

static int newest_container(const void *x, const void *y) {
    const struct runtime_container *a = x, *b = y;
    return a->created < b->created ? 1 : a->created > b->created ? -1 : 0;
}

static int newest_sandbox(const void *x, const void *y) {
    const struct runtime_sandbox *a = x, *b = y;
    return a->created < b->created ? 1 : a->created > b->created ? -1 : 0;
}

static struct error *read_containers(struct node *n, const char *uid, struct pod_runtime *r) {
    struct arena *a = &r->arena;
    const struct json *list;
    TRY(cri_call(n->cri, CRI_LIST_CONTAINERS, a, uid_filter(a, uid), TIMEOUT, &list));
    const struct json *items = json_member(list, "containers");
    r->containers = arena_calloc(a, json_len(items) + 1, sizeof(*r->containers));
    JSON_EACH(item, items) {
        const struct json *answer;
        struct error *e = cri_call(n->cri, CRI_CONTAINER_STATUS, a, json_make(a, "{'container_id':%s}", json_str(item, "id")), TIMEOUT, &answer);
        if (error_is(e, "NotFound")) { /* removed meanwhile */
            error_free(e);
            continue;
        }
        TRY(e);
        struct runtime_container *c = &r->containers[r->container_count++];
        fill_container(a, json_member(answer, "status"), c);
        c->sandbox_id = json_str_or(item, "pod_sandbox_id", "");
    }
    qsort(r->containers, r->container_count, sizeof(*r->containers), newest_container);
    return NULL;
}

static void fill_sandbox(struct arena *a, const struct json *s, struct runtime_sandbox *b) {
    const struct json *more = json_get(s, "network.additional_ips");
    const char **ips = arena_calloc(a, json_len(more) + 2, sizeof(*ips));
    size_t count = 0;
    b->host_network = json_int(s, "linux.namespaces.options.network", 0) == 2;
    if (!b->host_network && *json_str_or(s, "network.ip", "")) ips[count++] = json_str(s, "network.ip");
    JSON_EACH(ip, more) if (count) ips[count++] = json_str_or(ip, "ip", "");
    b->ips = ips;
    b->id = json_str_or(s, "id", "");
    b->created = json_int(s, "created_at", 0);
    b->attempt = json_int(s, "metadata.attempt", 0);
    b->ready = json_int(s, "state", 0) == 0;
}

static struct error *read_sandboxes(struct node *n, const char *uid, struct pod_runtime *r) {
    struct arena *a = &r->arena;
    const struct json *list;
    TRY(cri_call(n->cri, CRI_LIST_POD_SANDBOX, a, uid_filter(a, uid), TIMEOUT, &list));
    const struct json *items = json_member(list, "items");
    r->sandboxes = arena_calloc(a, json_len(items) + 1, sizeof(*r->sandboxes));
    JSON_EACH(item, items) {
        const struct json *answer;
        struct error *e = cri_call(n->cri, CRI_POD_SANDBOX_STATUS, a, json_make(a, "{'pod_sandbox_id':%s}", json_str(item, "id")), TIMEOUT, &answer);
        if (error_is(e, "NotFound")) {
            error_free(e);
            continue;
        }
        TRY(e);
        fill_sandbox(a, json_member(answer, "status"), &r->sandboxes[r->sandbox_count++]);
    }
    qsort(r->sandboxes, r->sandbox_count, sizeof(*r->sandboxes), newest_sandbox);
    return NULL;
}

/* Of each container's dead instances only the one before the newest instance stays, for its log and as lastState. Upstream's
 * podContainerDeletor keeps one dead instance, but deletes the others only after the sync that reports the newest one's end: until the
 * next sync the status names the one before, so `kubectl logs -p` shall find it. */
static void prune_dead(struct node *n, struct pod_runtime *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->container_count; i++) {
        struct runtime_container *c = &r->containers[i];
        size_t newer = 0;
        for (size_t k = 0; k < kept; k++) newer += str_eq(r->containers[k].name, c->name);
        if (c->state == CONTAINER_EXITED && newer >= 2) {
            error_free(cri_call(n->cri, CRI_REMOVE_CONTAINER, &r->arena, json_make(&r->arena, "{'container_id':%s}", c->id), 0, NULL));
            unlink(c->log_path);
        } else r->containers[kept++] = *c;
    }
    r->container_count = kept;
}

struct error *runtime_read(struct node *n, const char *pod_uid, struct pod_runtime **out) {
    struct pod_runtime *r = xcalloc(1, sizeof(*r));
    r->refs = 1;
    struct error *e = read_sandboxes(n, pod_uid, r);
    if (!e) e = read_containers(n, pod_uid, r);
    if (e) {
        runtime_unref(r);
        return e;
    }
    prune_dead(n, r);
    *out = r;
    return NULL;
}

struct pod_runtime *runtime_ref(struct pod_runtime *r) {
    if (r) r->refs++;
    return r;
}

void runtime_unref(struct pod_runtime *r) {
    if (!r || --r->refs) return;
    arena_free(&r->arena);
    free(r);
}

const struct runtime_container *runtime_container(const struct pod_runtime *r, const char *name) {
    for (size_t i = 0; r && i < r->container_count; i++)
        if (str_eq(r->containers[i].name, name)) return &r->containers[i];
    return NULL;
}

const struct runtime_container *runtime_container_by_id(const struct pod_runtime *r, const char *id) {
    for (size_t i = 0; r && i < r->container_count; i++)
        if (str_eq(r->containers[i].id, id)) return &r->containers[i];
    return NULL;
}

bool runtime_has_running(const struct pod_runtime *r) {
    for (size_t i = 0; r && i < r->container_count; i++)
        if (r->containers[i].state == CONTAINER_RUNNING) return true;
    return false;
}

static void note_pod(struct arena *a, const struct json *item, struct map *out) {
    const struct json *labels = json_member(item, "labels");
    const char *uid = json_str(json_member(labels, LABEL_POD_UID), NULL);
    if (!uid || map_has(out, uid)) return;
    map_set(out, uid, doc_new(json_make(a, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':%s,'namespace':%s,'uid':%s},'spec':{}}",
                                        json_str(json_member(labels, LABEL_POD_NAME), NULL),
                                        json_str(json_member(labels, LABEL_POD_NAMESPACE), NULL), uid)));
}

struct error *runtime_list_pods(struct node *n, struct map *out) {
    cleanup_arena struct arena a = {0};
    const struct json *sandboxes, *containers;
    TRY(cri_call(n->cri, CRI_LIST_POD_SANDBOX, &a, NULL, TIMEOUT, &sandboxes));
    TRY(cri_call(n->cri, CRI_LIST_CONTAINERS, &a, NULL, TIMEOUT, &containers));
    JSON_EACH(item, json_member(sandboxes, "items")) note_pod(&a, item, out);
    JSON_EACH(item, json_member(containers, "containers")) note_pod(&a, item, out);
    return NULL;
}
