/* pod-garbage-collector-controller: removes pods that nobody else will: on nodes that are gone, being deleted before they
 * got a node, being deleted on nodes that are out of service, and the oldest of too many finished ones. */
#include "base/str.h"
#include "controllers/all.h"

#define TERMINATED "terminated" /* the key for looking at all finished pods; others are pods' */
#define QUARANTINE SECONDS(40)  /* a node may be gone only for a moment */
#define TERMINATED_DELAY SECONDS(20)

enum { TERMINATED_THRESHOLD = 12500 };

static const char *node_name(const struct doc *pod) { return json_str_or(pod->root, "spec.nodeName", ""); }

static bool out_of_service(const struct json *node) {
    JSON_EACH(t, json_get(node, "spec.taints")) {
        if (json_str_is(t, "key", "node.kubernetes.io/out-of-service")) return !condition_is(node, "Ready", "True");
    }
    return false;
}

/* ---- one pod ---- */

static struct error *mark_failed(struct runner *r, struct arena *a, const struct doc *pod, bool orphaned) {
    if (pod_is_terminal(pod->root)) return NULL;
    const struct json *o = json_with(a, pod->root, "status.phase", json_string(a, "Failed"));
    const struct condition c = {.type = "DisruptionTarget", .status = "True", .reason = "DeletionByPodGC", .message = "PodGC: node no longer exists", .probe_time = true,
                                .observed_generation = json_int(o, "metadata.generation", 0)};
    if (orphaned) o = condition_set(a, o, &c, clock_wall(r->clock));
    return client_update(r->client, &resource_pods, doc_namespace(pod), doc_name(pod), "status", o, NULL);
}

static struct error *force_delete(struct runner *r, struct arena *a, const struct doc *pod, bool orphaned) {
    struct delete_options o = {.uid = doc_uid(pod), .grace_period = 0};
    struct error *e = mark_failed(r, a, pod, orphaned);
    if (!e) e = client_delete(r->client, &resource_pods, doc_namespace(pod), doc_name(pod), &o);
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    return NULL;
}

static struct error *check_pod(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *pod = cache_get(r->cache, &resource_pods, ns, name);
    if (!pod) return NULL;
    if (!*node_name(pod)) return object_deleting(pod->root) ? force_delete(r, a, pod, false) : NULL;
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, node_name(pod));
    if (!node) return force_delete(r, a, pod, true);
    return object_deleting(pod->root) && out_of_service(node->root) ? force_delete(r, a, pod, false) : NULL;
}

/* ---- too many finished pods ---- */

static int evicted_then_oldest(const void *x, const void *y) {
    bool a = json_str_is((*(struct doc *const *)x)->root, "status.reason", "Evicted"), b = json_str_is((*(struct doc *const *)y)->root, "status.reason", "Evicted");
    if (a != b) return a ? -1 : 1;
    int64_t s = object_created((*(struct doc *const *)x)->root), t = object_created((*(struct doc *const *)y)->root);
    return s != t ? (s < t ? -1 : 1) : strcmp(doc_name(*(struct doc *const *)x), doc_name(*(struct doc *const *)y));
}

static struct error *check_terminated(struct runner *r, struct arena *a) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_pods, NULL, &all);
    struct doc **finished = arena_calloc(a, all.len + 1, sizeof(*finished));
    size_t n = 0;
    for (size_t i = 0; i < all.len; i++) {
        if (pod_is_terminal(all.items[i]->root)) finished[n++] = all.items[i];
    }
    if (n <= TERMINATED_THRESHOLD) return NULL;
    qsort(finished, n, sizeof(*finished), evicted_then_oldest);
    for (size_t i = 0; i < n - TERMINATED_THRESHOLD; i++) TRY(force_delete(r, a, finished[i], false));
    return NULL;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    return work_error(str_eq(key, TERMINATED) ? check_terminated(r, a) : check_pod(r, a, key));
}

/* ---- what concerns us ---- */

static void add_pod(struct runner *r, const struct doc *pod, int64_t delay) {
    cleanup_arena struct arena a = {0};
    runner_add_after(r, key_of(&a, pod), delay);
}

static void pod_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (!after) return;
    if (pod_is_terminal(after->root) && !(before && pod_is_terminal(before->root))) runner_add_after(r, TERMINATED, TERMINATED_DELAY);
    if (!*node_name(after)) {
        if (object_deleting(after->root)) add_pod(r, after, 1);
        return;
    }
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, node_name(after));
    if (!node) add_pod(r, after, QUARANTINE);
    else if (object_deleting(after->root) && out_of_service(node->root)) add_pod(r, after, 1);
}

static void node_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_doc_list struct doc_list pods = {0};
    if (after && !out_of_service(after->root)) return;
    cache_list_on_node(r->cache, doc_name(after ? after : before), &pods);
    for (size_t i = 0; i < pods.len; i++) add_pod(r, pods.items[i], after ? 1 : QUARANTINE);
}

static const struct controller_source sources[] = {{.resource = &resource_pods, .keys = pod_keys}, {.resource = &resource_nodes, .keys = node_keys}, {0}};
const struct controller pod_garbage_collector_controller = {"pod-garbage-collector-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
