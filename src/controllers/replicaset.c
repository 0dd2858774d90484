/* replicaset-controller and replicationcontroller-controller: as many active pods as spec.replicas says. The two differ in
 * their resource and in what their statuses have. */
#include "base/map.h"
#include "controllers/all.h"
#include "controllers/workload.h"

enum { BURST = 500 };

static const struct resource *resource_of(const struct runner *r) {
    return r->controller == &replicaset_controller ? &resource_apps_replicasets : &resource_replicationcontrollers;
}

/* ---- too many ---- */

static void count_nodes(struct runner *r, const char *ns, const char *uid, struct map *counts) {
    cleanup_doc_list struct doc_list pods = {0};
    cache_list_owned(r->cache, &resource_pods, ns, uid, &pods);
    for (size_t i = 0; i < pods.len; i++) {
        const char *node = json_str_or(pods.items[i]->root, "spec.nodeName", "");
        if (pod_is_active(pods.items[i]->root)) map_set(counts, node, (void *)((uintptr_t)map_get(counts, node) + 1));
    }
}

/* Pods per node, of all replica sets of the same deployment. */
static void related_nodes(struct runner *r, const struct doc *rs, struct map *counts) {
    const char *owner = json_str(controller_of(rs->root), "uid");
    if (!owner) return count_nodes(r, doc_namespace(rs), doc_uid(rs), counts);
    cleanup_doc_list struct doc_list siblings = {0};
    cache_list_owned(r->cache, resource_of(r), doc_namespace(rs), owner, &siblings);
    for (size_t i = 0; i < siblings.len; i++) count_nodes(r, doc_namespace(rs), doc_uid(siblings.items[i]), counts);
}

static struct error *delete_pods(struct runner *r, struct arena *a, const struct doc *rs, const struct doc_list *pods, size_t count) {
    struct map nodes = {0};
    struct doc **all = arena_dup(a, pods->items, pods->len * sizeof(*all));
    related_nodes(r, rs, &nodes);
    if (count < pods->len) workload_sort_for_deletion(all, pods->len, &nodes, clock_wall(r->clock));
    map_free(&nodes, NULL);
    struct error *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct error *e = workload_delete_pod(r, rs, all[i]);
        if (first) error_free(e);
        else first = e;
    }
    return first;
}

/* ---- creation ---- */

struct creation {
    struct runner *runner;
    const struct doc *owner;
    const struct json *pod;
};
static struct error *create_one(size_t i UNUSED, void *arg) {
    const struct creation *c = arg;
    struct error *e = workload_create_pod(c->runner, c->owner, c->pod);
    return error_namespace_terminating(e) ? error_free(e), NULL : e;
}

static struct error *manage(struct runner *r, struct arena *a, const struct doc *rs, const struct doc_list *active) {
    int64_t want = json_int(rs->root, "spec.replicas", 1), have = (int64_t)active->len;
    if (have > want) return delete_pods(r, a, rs, active, (size_t)MIN(have - want, BURST));
    if (have == want) return NULL;
    const struct json *pod = workload_pod(a, json_get(rs->root, "spec.template"), doc_name(rs), owner_reference(a, resource_of(r), rs));
    return workload_slow_start((size_t)MIN(want - have, BURST), create_one, &(struct creation){r, rs, pod});
}

/* ---- status ---- */

static bool has_labels(const struct json *labels, const struct json *wanted) {
    JSON_EACH_MEMBER(m, wanted) {
        if (!json_equal(json_member(labels, m->key), &m->value)) return false;
    }
    return true;
}

static int64_t count_terminating(struct runner *r, const struct doc *rs) {
    cleanup_doc_list struct doc_list pods = {0};
    int64_t n = 0;
    cache_list_owned(r->cache, &resource_pods, doc_namespace(rs), doc_uid(rs), &pods);
    for (size_t i = 0; i < pods.len; i++) n += object_deleting(pods.items[i]->root) && !pod_is_terminal(pods.items[i]->root);
    return n;
}

static const struct json *with_failure(struct runner *r, struct arena *a, const struct doc *rs, const struct doc_list *active, const struct error *e) {
    const struct json *old = condition_find(rs->root, "ReplicaFailure");
    if (!e) return condition_remove(a, rs->root, "ReplicaFailure");
    if (old) return rs->root;
    bool creating = (int64_t)active->len < json_int(rs->root, "spec.replicas", 1);
    return condition_set(a, rs->root, &(struct condition){.type = "ReplicaFailure", .status = "True", .reason = creating ? "FailedCreate" : "FailedDelete", .message = e->message},
                         clock_wall(r->clock));
}

static const struct json *new_status(struct runner *r, struct arena *a, const struct doc *rs, const struct doc_list *active, const struct error *e) {
    int64_t labeled = 0, ready = 0, available = 0, min_ready = json_int(rs->root, "spec.minReadySeconds", 0), now = clock_wall(r->clock);
    for (size_t i = 0; i < active->len; i++) {
        const struct json *pod = active->items[i]->root;
        labeled += has_labels(object_labels(pod), json_get(rs->root, "spec.template.metadata.labels"));
        ready += pod_is_ready(pod);
        available += pod_is_available(pod, min_ready, now);
    }
    const struct json *terminating = r->controller == &replicaset_controller ? json_integer(a, count_terminating(r, rs)) : NULL;
    return json_make(a, "{'replicas':%ld,'fullyLabeledReplicas':%v,'readyReplicas':%v,'availableReplicas':%v,'terminatingReplicas':%v,'observedGeneration':%ld,'conditions':%v}",
                     (int64_t)active->len, labeled ? json_integer(a, labeled) : NULL, ready ? json_integer(a, ready) : NULL,
                     available ? json_integer(a, available) : NULL, terminating, json_int(rs->root, "metadata.generation", 0),
                     json_get(with_failure(r, a, rs, active, e), "status.conditions"));
}

/* ---- the controller ---- */

static bool wanted(const struct doc *pod) { return pod_is_active(pod->root); }

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *rs = cache_get(r->cache, resource_of(r), ns, name);
    if (!rs) return WORK_DONE;
    cleanup_doc_list struct doc_list active = {0};
    struct claim claim = {.client = r->client, .cache = r->cache, .owner_resource = resource_of(r), .owner = rs,
                          .selector = workload_selector(a, rs->root), .resource = &resource_pods, .want = wanted};
    WORK_TRY(claim_objects(&claim, &active));
    struct error *e = object_deleting(rs->root) ? NULL : manage(r, a, rs, &active);
    struct error *status = workload_update_status(r, a, resource_of(r), rs, new_status(r, a, rs, &active, e));
    if (e) return error_free(status), work_error(e);
    if (status) return work_error(status);
    return work_again(workload_next_available(&active, json_int(rs->root, "spec.minReadySeconds", 0), clock_wall(r->clock)));
}

static void orphan_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    workload_orphan_keys(r, resource_of(r), before, after);
}

static const struct controller_source replicaset_sources[] = {
    {.resource = &resource_apps_replicasets}, {.resource = &resource_pods, .owner = &resource_apps_replicasets, .keys = orphan_keys}, {0}};
static const struct controller_source replicationcontroller_sources[] = {
    {.resource = &resource_replicationcontrollers}, {.resource = &resource_pods, .owner = &resource_replicationcontrollers, .keys = orphan_keys}, {0}};
const struct controller replicaset_controller = {"replicaset-controller", .sources = replicaset_sources, .reconcile = reconcile};
const struct controller replicationcontroller_controller = {
    "replicationcontroller-controller", .component = "replication-controller", .sources = replicationcontroller_sources, .reconcile = reconcile};
