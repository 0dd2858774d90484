/* replicaset-controller and replicationcontroller-controller: as many active pods as spec.replicas says. The two differ in
 * their resource and in what their statuses have. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/workload.h"
#include <math.h>

enum { BURST = 500 };

static const struct resource *resource_of(const struct runner *r) {
    return r->controller == &replicaset_controller ? &resource_apps_replicasets : &resource_replicationcontrollers;
}

/* ---- which pods go first (upstream's ActivePodsWithRanks) ---- */

struct candidate {
    struct doc *doc;
    const char *node;
    int phase, rank;
    bool ready;
    int64_t cost, ready_since, restarts, sidecar_restarts, created, now;
};

static int phase_order(const struct json *pod) {
    const char *phase = json_str_or(pod, "status.phase", "");
    return str_eq(phase, "Running") ? 2 : str_eq(phase, "Unknown");
}

static int64_t most_restarts(const struct json *statuses, const struct json *specs) {
    int64_t most = 0;
    JSON_EACH(s, statuses) {
        bool counted = specs == NULL;
        JSON_EACH(c, specs) counted = counted || (str_eq(json_str(c, "name"), json_str(s, "name")) && json_str_is(c, "restartPolicy", "Always"));
        if (counted) most = MAX(most, json_int(s, "restartCount", 0));
    }
    return most;
}

static struct candidate candidate_of(struct doc *d, int rank, int64_t now) {
    const struct json *pod = d->root;
    struct candidate c = {.doc = d, .node = json_str_or(pod, "spec.nodeName", ""), .phase = phase_order(pod), .rank = rank,
                          .ready = pod_is_ready(pod), .created = object_created(pod), .now = now};
    const char *cost = object_annotation(pod, "controller.kubernetes.io/pod-deletion-cost");
    if (!cost || !str_to_int64(cost, &c.cost)) c.cost = 0;
    if (c.ready) c.ready_since = object_time(condition_find(pod, "Ready"), "lastTransitionTime");
    c.restarts = most_restarts(json_get(pod, "status.containerStatuses"), NULL);
    c.sidecar_restarts = most_restarts(json_get(pod, "status.initContainerStatuses"), json_get(pod, "spec.initContainers"));
    return c;
}

/* Ages within a power of two count as equal, so that scaling down spreads over ages. */
static int younger_first(const struct candidate *a, const struct candidate *b, int64_t ta, int64_t tb) {
    if (ta == 0 || tb == 0) return ta == tb ? 0 : ta == 0 ? -1 : 1;
    int ra = a->now > ta ? (int)log2((double)(a->now - ta)) : -1, rb = b->now > tb ? (int)log2((double)(b->now - tb)) : -1;
    return ra != rb ? ra - rb : strcmp(doc_uid(a->doc), doc_uid(b->doc));
}

static int order(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

static int compare_candidates(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    if (!*a->node != !*b->node) return *a->node ? 1 : -1;
    if (a->phase != b->phase) return order(a->phase, b->phase);
    if (a->ready != b->ready) return a->ready ? 1 : -1;
    if (a->cost != b->cost) return order(a->cost, b->cost);
    if (a->rank != b->rank) return order(b->rank, a->rank);
    if (a->ready && a->ready_since != b->ready_since) return younger_first(a, b, a->ready_since, b->ready_since);
    if (a->restarts != b->restarts) return order(b->restarts, a->restarts);
    if (a->sidecar_restarts != b->sidecar_restarts) return order(b->sidecar_restarts, a->sidecar_restarts);
    return a->created != b->created ? younger_first(a, b, a->created, b->created) : 0;
}

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
    struct candidate *all = arena_calloc(a, pods->len, sizeof(*all));
    related_nodes(r, rs, &nodes);
    for (size_t i = 0; i < pods->len; i++) {
        const char *node = json_str_or(pods->items[i]->root, "spec.nodeName", "");
        all[i] = candidate_of(pods->items[i], (int)(uintptr_t)map_get(&nodes, node), clock_wall(r->clock));
    }
    map_free(&nodes, NULL);
    if (count < pods->len) qsort(all, pods->len, sizeof(*all), compare_candidates);
    struct error *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct error *e = workload_delete_pod(r, rs, all[i].doc);
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
