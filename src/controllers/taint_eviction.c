/* taint-eviction-controller: deletes pods that do not, or no longer, tolerate a NoExecute taint of their node. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include <pthread.h>

struct evictions {
    pthread_mutex_t lock;
    struct map since; /* pod key -> when its time began to run (int64_t) */
};

enum { NOT_CONCERNED = -1 };

static bool tolerates(const struct json *t, const struct json *taint) {
    const char *effect = json_str_or(t, "effect", ""), *key = json_str_or(t, "key", ""), *op = json_str_or(t, "operator", "Equal");
    if (*effect && !str_eq(effect, "NoExecute")) return false;
    if (*key && !json_str_is(taint, "key", key)) return false;
    if (str_eq(op, "Exists")) return true;
    return str_eq(json_str_or(t, "value", ""), json_str_or(taint, "value", ""));
}

static const struct json *toleration_of(const struct json *pod, const struct json *taint) {
    JSON_EACH(t, json_get(pod, "spec.tolerations")) {
        if (tolerates(t, taint)) return t;
    }
    return NULL;
}

static size_t no_execute_taints(const struct json *node) {
    size_t n = 0;
    JSON_EACH(taint, json_get(node, "spec.taints")) n += json_str_is(taint, "effect", "NoExecute");
    return n;
}

/* Seconds that the pod may stay, NOT_CONCERNED if for ever. */
static int64_t time_to_stay(const struct json *pod, const struct json *node) {
    int64_t least = NOT_CONCERNED;
    JSON_EACH(taint, json_get(node, "spec.taints")) {
        if (!json_str_is(taint, "effect", "NoExecute")) continue;
        const struct json *t = toleration_of(pod, taint);
        if (!t) return 0;
        if (!json_member(t, "tolerationSeconds")) continue;
        int64_t seconds = MAX(0, json_int(t, "tolerationSeconds", 0));
        if (least == NOT_CONCERNED || seconds < least) least = seconds;
    }
    return least;
}

/* ---- */

static const struct json *disruption_target(struct arena *a, struct doc *pod, void *arg) {
    const struct condition c = {.type = "DisruptionTarget", .status = "True", .reason = "DeletionByTaintManager", .message = "Taint manager: deleting due to NoExecute taint",
                                .observed_generation = json_int(pod->root, "metadata.generation", 0), .probe_time = true};
    const struct json *o = condition_set(a, pod->root, &c, *(int64_t *)arg);
    return o == pod->root ? NULL : o;
}

static struct error *evict(struct runner *r, const struct doc *pod) {
    const char *ns = doc_namespace(pod), *name = doc_name(pod);
    int64_t now = clock_wall(r->clock);
    recorder_event(r->events, pod->root, "Normal", "TaintManagerEviction", "Marking for deletion Pod %s/%s", ns, name);
    struct error *e = client_modify(r->client, &resource_pods, ns, name, "status", disruption_target, &now, NULL);
    if (!e) e = client_delete(r->client, &resource_pods, ns, name, &(struct delete_options){.uid = doc_uid(pod), .grace_period = -1});
    return error_is(e, "NotFound") ? error_free(e), NULL : e;
}

/* When the pod's time began; forgets it if it has none. */
static int64_t clock_started(struct runner *r, const char *key, bool runs, bool *cancelled) {
    struct evictions *s = r->state;
    pthread_mutex_lock(&s->lock);
    int64_t *since = map_get(&s->since, key), now = clock_wall(r->clock);
    *cancelled = since && !runs;
    if (runs && !since) {
        since = xmemdup(&now, sizeof(now));
        map_set(&s->since, key, since);
    }
    if (since) now = *since;
    if (!runs) free(map_remove(&s->since, key));
    pthread_mutex_unlock(&s->lock);
    return now;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    bool cancelled;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *pod = cache_get(r->cache, &resource_pods, ns, name);
    const char *node_name = pod && !object_deleting(pod->root) ? json_str(pod->root, "spec.nodeName") : NULL;
    cleanup_doc struct doc *node = node_name ? cache_get(r->cache, &resource_nodes, NULL, node_name) : NULL;
    int64_t stay = node ? time_to_stay(pod->root, node->root) : NOT_CONCERNED;
    int64_t since = clock_started(r, key, stay > 0, &cancelled);
    if (stay == 0) return work_error(evict(r, pod));
    if (cancelled && pod && !object_deleting(pod->root)) {
        recorder_event(r->events, pod->root, "Normal", "TaintManagerEviction", "Cancelling deletion of Pod %s", key);
    }
    if (stay == NOT_CONCERNED) return WORK_DONE;
    int64_t left = since + SECONDS(stay) - clock_wall(r->clock);
    if (left > 0) return work_again(left);
    clock_started(r, key, false, &cancelled);
    return work_error(evict(r, pod));
}

static void pod_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    const struct json *old = before ? before->root : NULL, *new = after ? after->root : NULL;
    const char *node_name = json_str(after ? new : old, "spec.nodeName");
    if (!node_name || (old && new && str_eq(json_str(old, "spec.nodeName"), node_name) && object_deleting(old) == object_deleting(new) &&
                       json_semantic_equal(json_get(old, "spec.tolerations"), json_get(new, "spec.tolerations")))) return;
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, node_name);
    if (!node || no_execute_taints(node->root) > 0) runner_add_object(r, after ? after : before);
}

static void node_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    const struct json *old = before ? json_get(before->root, "spec.taints") : NULL, *new = after ? json_get(after->root, "spec.taints") : NULL;
    bool concerns = (before && no_execute_taints(before->root)) || (after && no_execute_taints(after->root));
    if (!concerns || json_semantic_equal(old, new)) return;
    cleanup_doc_list struct doc_list pods = {0};
    cache_list_on_node(r->cache, doc_name(after ? after : before), &pods);
    for (size_t i = 0; i < pods.len; i++) runner_add_object(r, pods.items[i]);
}

static void start(struct runner *r) {
    struct evictions *s = r->state = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static void stop(struct runner *r) {
    struct evictions *s = r->state;
    map_free(&s->since, free);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct controller_source sources[] = {{.resource = &resource_pods, .keys = pod_changed}, {.resource = &resource_nodes, .keys = node_changed}, {0}};
const struct controller taint_eviction_controller = {"taint-eviction-controller", .sources = sources, .reconcile = reconcile, .start = start, .stop = stop};
