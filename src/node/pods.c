#include "node/pods.h"
#include "node/register.h"
#include "base/log.h"
#include "node/cgroups.h"
#include "node/container.h"
#include "node/probes.h"
#include "node/status.h"
#include "node/volumes.h"
#include "node/tokens.h"
#include <dirent.h>

#define LOG_COMPONENT "node"

/* ---- workers ---- */

static void free_record(struct container_record *c) {
    for (int i = 0; i < PROBE_KINDS; i++) free(c->probes[i]);
    free(c->name), free(c->wait_reason), free(c->wait_message), free(c->crash_message);
    free(c->pull_image), free(c->pull_reason), free(c->pull_message), free(c->hook_id);
    free(c);
}

static void free_kill(struct kill_op *k) {
    free(k->id), free(k->name), free(k->message);
    free(k);
}

void worker_unref(struct pod_worker *w) {
    if (!w || --w->refs) return;
    tokens_forget(w);
    for (struct container_record *c = w->containers, *next; c; c = next) next = c->next, free_record(c);
    for (struct kill_op *k = w->kills, *next; k; k = next) next = k->next, free_kill(k);
    doc_unref(w->pod), doc_unref(w->mirror), doc_unref(w->status_doc), doc_unref(w->answered), doc_unref(w->allocated);
    runtime_unref(w->runtime);
    free(w->uid), free(w->evict_reason), free(w->evict_message), free(w->reject_message), free(w->sandbox_error);
    free(w->resize);
    free(w);
}

struct pod_worker *worker_find(struct node *n, const char *uid) {
    LOCK(n);
    struct pod_worker *w = map_get(&n->workers, uid);
    if (w) w->refs++;
    UNLOCK(n);
    return w;
}

struct doc *worker_pod(struct pod_worker *w) {
    LOCK(w->node);
    struct doc *d = doc_ref(w->pod);
    UNLOCK(w->node);
    return d;
}

struct container_record *worker_record(struct pod_worker *w, const char *name) {
    struct container_record *c = w->containers;
    while (c && !str_eq(c->name, name)) c = c->next;
    if (c) return c;
    c = xcalloc(1, sizeof(*c));
    c->name = xstrdup(name);
    c->next = w->containers;
    w->containers = c;
    return c;
}

void worker_sync_soon(struct pod_worker *w, bool runtime_changed) {
    LOCK(w->node);
    w->runtime_changed |= runtime_changed;
    UNLOCK(w->node);
    dispatch_add(w->node->dispatch, "pod", w->uid);
}

char *worker_dir(struct arena *a, const struct pod_worker *w, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *rest = arena_vprintf(a, fmt, args);
    va_end(args);
    return arena_printf(a, "%s/%s%s%s", w->node->pods_dir, w->uid, *rest ? "/" : "", rest);
}

void worker_event(struct pod_worker *w, const char *type, const char *reason, const char *fmt, ...) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *pod = worker_pod(w);
    va_list args;
    va_start(args, fmt);
    recorder_event(w->node->events, pod->root, type, reason, "%s", arena_vprintf(&a, fmt, args));
    va_end(args);
}

void container_event(struct pod_worker *w, const struct json *pod, const char *container, const char *type, const char *reason,
                     const char *fmt, ...) {
    cleanup_arena struct arena a = {0};
    const char *list = "containers";
    pod_container(pod, container, &list);
    va_list args;
    va_start(args, fmt);
    recorder_event_field(w->node->events, pod, arena_printf(&a, "spec.%s{%s}", list, container), type, reason, "%s",
                         arena_vprintf(&a, fmt, args));
    va_end(args);
}

/* ---- the pod's spec ---- */

const char *pod_describe(struct arena *a, const struct json *pod) {
    return arena_printf(a, "%s_%s(%s)", json_str_or(pod, "metadata.name", ""), json_str_or(pod, "metadata.namespace", ""),
                        json_str_or(pod, "metadata.uid", ""));
}

const struct json *pod_container(const struct json *pod, const char *name, const char **list) {
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        JSON_EACH(c, json_member(json_member(pod, "spec"), lists[i]))
            if (json_str_is(c, "name", name)) {
                if (list) *list = lists[i];
                return c;
            }
    return NULL;
}

bool container_is_sidecar(const struct json *container) { return json_str_is(container, "restartPolicy", "Always"); }
bool pod_is_host_network(const struct json *pod) { return json_bool(pod, "spec.hostNetwork", false); }
bool pod_is_static(const struct json *pod) {
    const char *source = object_annotation(pod, "kubernetes.io/config.source");
    return source && !str_eq(source, "api");
}

/* ---- the set ---- */

struct pod_worker *pods_add(struct node *n, struct doc *pod, bool is_static, bool gone) {
    LOCK(n);
    struct pod_worker *w = map_get(&n->workers, doc_uid(pod));
    if (!w) {
        w = xcalloc(1, sizeof(*w));
        w->node = n, w->uid = xstrdup(doc_uid(pod)), w->refs = 1;
        w->is_static = is_static;
        w->runtime_changed = true;
        w->evict_grace = -1;
        map_set(&n->workers, w->uid, w);
    }
    if (!gone || !w->pod) {
        doc_unref(w->pod);
        w->pod = doc_ref(pod);
    }
    w->gone = gone;
    w->refs++;
    UNLOCK(n);
    return w;
}

void pods_forget(struct pod_worker *w) {
    LOCK(w->node);
    bool there = map_remove(&w->node->workers, w->uid) != NULL;
    UNLOCK(w->node);
    if (there) worker_unref(w);
}

struct pod_worker **pods_list(struct node *n) {
    LOCK(n);
    struct pod_worker **list = xcalloc(n->workers.count + 1, sizeof(struct pod_worker *));
    size_t i = 0;
    for (struct map_slot *s = map_first(&n->workers); s; s = map_next(&n->workers, s)) {
        list[i] = s->value;
        list[i++]->refs++;
    }
    UNLOCK(n);
    return list;
}

void pods_list_free(struct pod_worker **list) {
    for (struct pod_worker **w = list; *w; w++) worker_unref(*w);
    free(list);
}

struct pod_worker *pods_find_name(struct node *n, const char *ns, const char *name) {
    struct pod_worker *found = NULL;
    LOCK(n);
    for (struct map_slot *s = map_first(&n->workers); s; s = map_next(&n->workers, s)) {
        struct pod_worker *w = s->value;
        /* with a mirror the API's name is the same; the newest pod of a name wins over one that still terminates */
        if (!str_eq(doc_name(w->pod), name) || !str_eq(doc_namespace(w->pod), ns)) continue;
        if (!found || object_created(w->pod->root) >= object_created(found->pod->root)) found = w;
    }
    if (found) found->refs++;
    UNLOCK(n);
    return found;
}

/* A mirror pod stands for a static one: its changes concern that worker. */
static bool is_mirror(struct node *n, struct doc *d, bool deleted) {
    const char *uid = object_annotation(d->root, "kubernetes.io/config.mirror");
    if (!uid) return false;
    cleanup_worker struct pod_worker *w = worker_find(n, uid);
    if (!w) {
        if (!deleted) dispatch_add_after(n->dispatch, "orphans", "", SECONDS(2));
        return true;
    }
    LOCK(n);
    doc_unref(w->mirror);
    w->mirror = deleted ? NULL : doc_ref(d);
    UNLOCK(n);
    worker_sync_soon(w, false);
    return true;
}

/* Changes of the status alone are our own writes, but for conditions that readiness gates wait for. */
static bool concerns_us(const struct doc *before, const struct doc *after) {
    static const char *const parts[] = {"metadata.labels", "metadata.annotations", "metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds",
                                        "metadata.uid", "spec"};
    if (!before || !after || json_get(after->root, "spec.readinessGates")) return true;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!json_equal(json_get(before->root, parts[i]), json_get(after->root, parts[i]))) return true;
    return false;
}

static void on_pod(const struct resource *r, struct doc *before, struct doc *after, void *arg) {
    (void)r;
    struct node *n = arg;
    struct doc *d = after ? after : before;
    if (!json_str_is(d->root, "spec.nodeName", n->config.name)) return;
    if (is_mirror(n, d, !after)) return;
    cleanup_worker struct pod_worker *w = pods_add(n, d, false, !after);
    if (!concerns_us(before, after)) return;
    if (before && after) volumes_changed(w); /* labels may stand in files */
    else dispatch_add(n->dispatch, "pod", w->uid);
}

/* ConfigMaps and Secrets: pods that wait for one or have one mounted look again. */
static void on_source(const struct resource *r, struct doc *before, struct doc *after, void *arg) {
    (void)before;
    struct node *n = arg;
    if (!after || !cache_synced(n->cache)) return;
    struct pod_worker **list = pods_list(n);
    for (struct pod_worker **w = list; *w; w++) {
        cleanup_doc struct doc *pod = worker_pod(*w);
        if (volumes_use(pod->root, r, doc_namespace(after), doc_name(after))) volumes_changed(*w);
    }
    pods_list_free(list);
}

struct error *pods_start(struct node *n) {
    n->subscriptions[0] = cache_subscribe(n->cache, &resource_pods, on_pod, n);
    n->subscriptions[3] = cache_subscribe(n->cache, &resource_nodes, node_object_changed, n);
    if (n->config.manifest_dir) dispatch_add(n->dispatch, "manifests", "");
    if (n->config.caches_are_free) {
        n->subscriptions[1] = cache_subscribe(n->cache, &resource_configmaps, on_source, n);
        n->subscriptions[2] = cache_subscribe(n->cache, &resource_secrets, on_source, n);
    }
    dispatch_add_after(n->dispatch, "orphans", "", SECONDS(5));
    return NULL;
}

void pods_stop(struct node *n) {
    for (size_t i = 0; i < ARRAY_LEN(n->subscriptions); i++)
        if (n->subscriptions[i]) cache_unsubscribe(n->subscriptions[i]);
}

/* ---- leftovers ---- */

static void reap_directories(struct node *n) {
    DIR *d = opendir(n->pods_dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        cleanup_worker struct pod_worker *w = worker_find(n, e->d_name);
        if (w) continue;
        cleanup_arena struct arena a = {0};
        volumes_remove_dir(arena_printf(&a, "%s/%s", n->pods_dir, e->d_name));
    }
    if (d) closedir(d);
}

/* Mirrors whose static pod is gone. */
static void reap_mirrors(struct node *n) {
    struct doc_list pods = {0};
    cache_list_on_node(n->cache, n->config.name, &pods);
    for (size_t i = 0; i < pods.len; i++) {
        const char *uid = object_annotation(pods.items[i]->root, "kubernetes.io/config.mirror");
        cleanup_worker struct pod_worker *w = uid ? worker_find(n, uid) : NULL;
        if (!uid || w) continue;
        struct delete_options now = {.uid = doc_uid(pods.items[i])};
        error_free(client_delete(n->client, &resource_pods, doc_namespace(pods.items[i]), doc_name(pods.items[i]), &now));
    }
    doc_list_free(&pods);
}

static void drop_doc(void *d) { doc_unref(d); }

struct work_result pods_reap(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    if (!cache_synced(n->cache)) return work_again(SECONDS(2));
    struct map known = {0};
    struct error *e = runtime_list_pods(n, &known);
    for (struct map_slot *s = map_first(&known); !e && s; s = map_next(&known, s)) {
        cleanup_worker struct pod_worker *w = worker_find(n, s->key);
        if (w) continue;
        log_info("pod %s is not known to the API server: stopping it", s->key);
        struct pod_worker *orphan = pods_add(n, s->value, false, true);
        dispatch_add(n->dispatch, "pod", orphan->uid);
        worker_unref(orphan);
    }
    map_free(&known, drop_doc);
    if (e) return work_error(e);
    reap_directories(n);
    reap_mirrors(n);
    cgroups_reap(n);
    return WORK_DONE;
}
