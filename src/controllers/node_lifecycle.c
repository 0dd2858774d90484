/* node-lifecycle-controller: notices nodes that fell silent, and turns the conditions of nodes into taints.
 *
 * A node is alive while its lease or the heartbeat of its Ready condition moves; when it did was seen here is kept per
 * node, by this process's clock. A reconcile runs when something about the node changes and when its grace period would
 * end; nodes that are not ready are looked at every five seconds, because whether they are to be emptied depends on how
 * many others are ready. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/node_taints.h"
#include <pthread.h>

#define NOT_READY "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"
#define LEASES "kube-node-lease"

static const int64_t monitor_period = SECONDS(5), grace_period = SECONDS(50), startup_grace_period = SECONDS(60);

/* Nodes of one zone are emptied one by one, at a rate. */
struct zone {
    int64_t next;
    size_t ready, unready; /* nodes */
};
struct health {
    int64_t seen;            /* wall time of the last sign of life */
    int64_t heartbeat, renewed;
    bool was_ready, has_condition;
    struct zone *zone;       /* where it is counted, NULL at first, and how */
    bool counted_ready;
};
struct lifecycle {
    pthread_mutex_t lock;
    struct map nodes; /* name -> struct health */
    struct map zones; /* "region/zone" -> struct zone */
    size_t ready;     /* nodes, of all zones */
};

/* ---- signs of life ---- */

static struct health *health_of(struct lifecycle *s, const char *name, int64_t now) {
    struct health *h = map_get(&s->nodes, name);
    if (h) return h;
    map_set(&s->nodes, name, h = xcalloc(1, sizeof(*h)));
    h->seen = now;
    return h;
}

static struct zone *zone_of(struct lifecycle *s, const struct json *node) {
    const char *region = object_label(node, "topology.kubernetes.io/region"), *name = object_label(node, "topology.kubernetes.io/zone");
    cleanup_free char *key = xprintf("%s/%s", region ? region : "", name ? name : "");
    struct zone *z = map_get(&s->zones, key);
    if (z == NULL) map_set(&s->zones, key, z = xcalloc(1, sizeof(*z)));
    return z;
}

/* Counts the node where it is now, and no more where it was; `node` NULL: it is gone. */
static void count_node(struct lifecycle *s, struct health *h, const struct json *node) {
    if (h->zone != NULL) {
        (*(h->counted_ready ? &h->zone->ready : &h->zone->unready))--;
        s->ready -= h->counted_ready;
    }
    if (node == NULL) return;
    h->zone = zone_of(s, node);
    h->counted_ready = condition_is(node, "Ready", "True");
    (*(h->counted_ready ? &h->zone->ready : &h->zone->unready))++;
    s->ready += h->counted_ready;
}

static void node_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    struct lifecycle *s = r->state;
    const struct doc *node = after ? after : before;
    const struct json *ready = condition_find(node->root, "Ready");
    int64_t heartbeat = object_time(ready, "lastHeartbeatTime");
    pthread_mutex_lock(&s->lock);
    struct health *h = health_of(s, doc_name(node), clock_wall(r->clock));
    if (heartbeat != h->heartbeat) h->seen = clock_wall(r->clock);
    h->heartbeat = heartbeat;
    h->has_condition = ready != NULL;
    count_node(s, h, after ? after->root : NULL);
    if (!after) free(map_remove(&s->nodes, doc_name(node)));
    pthread_mutex_unlock(&s->lock);
    if (!before) {
        recorder_event(r->events, node->root, "Normal", "RegisteredNode", "Node %s event: Registered Node %s in Controller", doc_name(node), doc_name(node));
    } else if (!after) {
        recorder_event(r->events, node->root, "Normal", "RemovingNode", "Node %s event: Removing Node %s from Controller", doc_name(node), doc_name(node));
    }
    runner_add_object(r, node);
}

static void lease_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after) {
    struct lifecycle *s = r->state;
    if (!after || !str_eq(doc_namespace(after), LEASES)) return;
    int64_t renewed = object_time(after->root, "spec.renewTime");
    pthread_mutex_lock(&s->lock);
    struct health *h = map_get(&s->nodes, doc_name(after));
    if (h && renewed > h->renewed) {
        h->renewed = renewed;
        h->seen = clock_wall(r->clock);
    }
    pthread_mutex_unlock(&s->lock);
}

/* When the node is to be taken for dead. */
static int64_t deadline(struct runner *r, const struct doc *node) {
    struct lifecycle *s = r->state;
    pthread_mutex_lock(&s->lock);
    const struct health *h = health_of(s, doc_name(node), clock_wall(r->clock));
    int64_t end = h->has_condition ? h->seen + grace_period : MAX(object_created(node->root), h->renewed ? h->seen : 0) + startup_grace_period;
    pthread_mutex_unlock(&s->lock);
    return end;
}

/* A condition that nobody stands for any more; its heartbeat stays. */
static const struct json *unknown_condition(struct arena *a, const struct json *node, const struct json *old, const char *type, int64_t now) {
    char time[TIME_STRING_MAX];
    if (json_str_is(old, "status", "Unknown")) return old;
    return json_make(a, "{'type':%s,'status':'Unknown','lastHeartbeatTime':%v,'lastTransitionTime':%s,'reason':%s,'message':%s}", type,
                     old ? json_member(old, "lastHeartbeatTime") : json_get(node, "metadata.creationTimestamp"), time_format(time, now),
                     old ? "NodeStatusUnknown" : "NodeStatusNeverUpdated", old ? "Kubelet stopped posting node status." : "Kubelet never posted node status.");
}

static const struct json *unknown_conditions(struct arena *a, struct doc *node, void *arg) {
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", NULL};
    int64_t now = clock_wall(((const struct runner *)arg)->clock);
    struct json_array all = {.arena = a};
    JSON_EACH(c, json_get(node->root, "status.conditions")) {
        const char *type = json_str_or(c, "type", "");
        json_array_add(&all, str_in(type, types) ? unknown_condition(a, node->root, c, type, now) : c);
    }
    for (const char *const *type = types; *type; type++) {
        if (!condition_find(node->root, *type)) json_array_add(&all, unknown_condition(a, node->root, NULL, *type, now));
    }
    const struct json *conditions = json_array_done(&all);
    return json_equal(conditions, json_get(node->root, "status.conditions")) ? NULL : json_with(a, node->root, "status.conditions", conditions);
}

/* ---- pods of nodes that are not ready ---- */

static const struct json *not_ready(struct arena *a, struct doc *pod, void *arg) {
    const struct json *c = condition_find(pod->root, "Ready");
    const struct condition false_now = {.type = "Ready", .status = "False", .reason = json_str(c, "reason"), .message = json_str(c, "message"),
                                        .observed_generation = json_int(c, "observedGeneration", 0), .probe_time = true};
    return c && !json_str_is(c, "status", "False") ? condition_set(a, pod->root, &false_now, *(int64_t *)arg) : NULL;
}

static struct error *mark_pods(struct runner *r, const char *node) {
    cleanup_doc_list struct doc_list pods = {0};
    cache_list_on_node(r->cache, node, &pods);
    int64_t now = clock_wall(r->clock);
    for (size_t i = 0; i < pods.len; i++) {
        const struct doc *pod = pods.items[i];
        if (!pod_is_ready(pod->root)) continue;
        struct error *e = client_modify(r->client, &resource_pods, doc_namespace(pod), doc_name(pod), "status", not_ready, &now, NULL);
        if (!e) recorder_event(r->events, pod->root, "Warning", "NodeNotReady", "Node is not ready");
        if (e && !error_is(e, "NotFound")) return e;
        error_free(e);
    }
    return NULL;
}

/* ---- taints ---- */

static const struct { const char *condition, *status, *key; } condition_taints[] = {
    {"Ready", "False", NOT_READY}, {"Ready", "Unknown", UNREACHABLE}, {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"}, {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"}, {NULL, NULL, "node.kubernetes.io/unschedulable"},
};

static struct error *taint_by_condition(struct runner *r, const struct doc *node) {
    struct taint add[ARRAY_LEN(condition_taints)], remove[ARRAY_LEN(condition_taints)];
    size_t adds = 0, removes = 0;
    for (size_t i = 0; i < ARRAY_LEN(condition_taints); i++) {
        const char *type = condition_taints[i].condition;
        bool want = type ? condition_is(node->root, type, condition_taints[i].status) : json_bool(node->root, "spec.unschedulable", false);
        bool has = node_has_taint(node->root, condition_taints[i].key, "NoSchedule");
        if (want && !has) add[adds++] = (struct taint){condition_taints[i].key, "NoSchedule"};
        if (!want && has) remove[removes++] = (struct taint){condition_taints[i].key, "NoSchedule"};
    }
    return adds + removes ? node_swap_taints(r, doc_name(node), add, adds, remove, removes) : NULL;
}

/* ---- emptying nodes (NoExecute) ---- */

static bool nobody_is_ready(struct runner *r) {
    struct lifecycle *s = r->state;
    pthread_mutex_lock(&s->lock);
    bool nobody = s->ready == 0;
    pthread_mutex_unlock(&s->lock);
    return nobody;
}

/* Upstream's rates: a node in ten seconds; where 55% of a zone's nodes (and more than two) are unready, one in a hundred
 * if the zone has more than 50 nodes, else none. */
static bool take_turn(struct runner *r, const struct doc *node) {
    struct lifecycle *s = r->state;
    pthread_mutex_lock(&s->lock);
    struct zone *z = zone_of(s, node->root);
    size_t count = z->ready + z->unready;
    bool partial = z->ready > 0 && z->unready > 2 && (double)z->unready / (double)count >= 0.55;
    int64_t now = clock_wall(r->clock);
    bool turn = s->ready > 0 && !(partial && count <= 50) && now >= z->next;
    if (turn) z->next = now + (partial ? SECONDS(100) : SECONDS(10));
    pthread_mutex_unlock(&s->lock);
    return turn;
}

static struct error *empty_node(struct runner *r, const struct doc *node, const char *status) {
    static const struct taint both[] = {{NOT_READY, "NoExecute"}, {UNREACHABLE, "NoExecute"}};
    const char *name = doc_name(node);
    bool unready = node_has_taint(node->root, NOT_READY, "NoExecute"), unreachable = node_has_taint(node->root, UNREACHABLE, "NoExecute");
    bool has = unready || unreachable;
    if (str_eq(status, "True")) return has ? node_swap_taints(r, name, NULL, 0, both, 2) : NULL;
    const struct taint *want = &both[str_eq(status, "Unknown")], *other = &both[!str_eq(status, "Unknown")];
    if (has && nobody_is_ready(r)) return node_swap_taints(r, name, NULL, 0, both, 2);
    if (node_has_taint(node->root, want->key, "NoExecute") || (!has && !take_turn(r, node))) return NULL;
    return node_swap_taints(r, name, want, 1, other, 1);
}

/* ---- */

static bool just_lost_readiness(struct runner *r, const char *name, bool ready) {
    struct lifecycle *s = r->state;
    pthread_mutex_lock(&s->lock);
    struct health *h = health_of(s, name, clock_wall(r->clock));
    bool lost = h->was_ready && !ready;
    h->was_ready = ready;
    pthread_mutex_unlock(&s->lock);
    return lost;
}

static struct work_result reconcile(struct runner *r, struct arena *a UNUSED, const char *name) {
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, name);
    if (!node) return WORK_DONE;
    int64_t left = deadline(r, node) - clock_wall(r->clock);
    if (left <= 0) {
        WORK_TRY(client_modify(r->client, &resource_nodes, NULL, name, "status", unknown_conditions, r, NULL));
        doc_unref(node);
        node = cache_get(r->cache, &resource_nodes, NULL, name);
        if (!node) return WORK_DONE;
    }
    const char *status = json_str_or(condition_find(node->root, "Ready"), "status", "Unknown");
    bool ready = str_eq(status, "True"), lost = just_lost_readiness(r, name, ready);
    if (lost) recorder_event(r->events, node->root, "Normal", "NodeNotReady", "Node %s status is now: NodeNotReady", name);
    WORK_TRY(taint_by_condition(r, node));
    if (condition_find(node->root, "Ready")) WORK_TRY(empty_node(r, node, status));
    if (lost || left <= 0) WORK_TRY(mark_pods(r, name));
    return work_again(ready && left > 0 ? left : monitor_period);
}

static void start(struct runner *r) {
    struct lifecycle *s = r->state = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static void stop(struct runner *r) {
    struct lifecycle *s = r->state;
    map_free(&s->nodes, free);
    map_free(&s->zones, free);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct controller_source sources[] = {{.resource = &resource_nodes, .keys = node_changed}, {.resource = &resource_coordination_leases, .keys = lease_changed}, {0}};
const struct controller node_lifecycle_controller = {"node-lifecycle-controller", .component = "node-controller", .threads = 2, .sources = sources,
                                                     .reconcile = reconcile, .start = start, .stop = stop};
