/* daemonset-controller: one pod on each node that its template fits. Pods are bound by the scheduler: their node affinity
 * names the node. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/history.h"
#include "controllers/placement.h"
#include <pthread.h>

#define HASH_LABEL "controller-revision-hash"
#define GENERATION_LABEL "pod-template-generation"
#define GENERATION_ANNOTATION "deprecated.daemonset.template.generation"
#define REQUIRED "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

enum { BURST = 250 };

/* Failed pods are replaced after a growing delay per node, lest controller and kubelet fight. */
struct backoff { int64_t delay, since; };
struct state {
    pthread_mutex_t lock; /* of `failed` */
    struct map failed;    /* "uid/node" -> struct backoff */
};

struct daemon_node {
    const struct json *node; /* NULL: it is gone */
    const char *name;
    bool should_run, may_stay;
    struct doc **pods;       /* oldest first */
    size_t count;
};
struct daemon {
    struct runner *runner;
    struct arena *arena;
    struct doc *ds;
    const struct json *spec; /* the pods', with tolerations */
    const char *hash, *generation;
    struct doc_list node_docs, pods, revisions;
    struct daemon_node *nodes;
    size_t node_count;
    struct doc **delete;     /* what this step decided */
    size_t delete_count;
    const char **create;     /* names of nodes */
    size_t create_count;
    int64_t max_surge, max_unavailable, min_ready, now, again;
};

/* ---- the template ---- */

static const struct json *with_toleration(struct arena *a, const struct json *spec, const char *key, const char *effect) {
    const struct json *wanted = json_make(a, "{'key':%s,'operator':'Exists','effect':%s}", key, effect);
    JSON_EACH(t, json_get(spec, "tolerations")) {
        if (json_semantic_equal(json_without_member(a, t, "tolerationSeconds"), wanted)) return spec;
    }
    return json_with(a, spec, "tolerations", json_append(a, json_get(spec, "tolerations"), wanted));
}

static const struct json *pod_spec(struct arena *a, const struct json *spec) {
    static const char *const tolerated[][2] = {{"not-ready", "NoExecute"}, {"unreachable", "NoExecute"}, {"disk-pressure", "NoSchedule"},
                                               {"memory-pressure", "NoSchedule"}, {"pid-pressure", "NoSchedule"}, {"unschedulable", "NoSchedule"},
                                               {"network-unavailable", "NoSchedule"}};
    size_t count = ARRAY_LEN(tolerated) - !json_bool(spec, "hostNetwork", false);
    for (size_t i = 0; i < count; i++) spec = with_toleration(a, spec, arena_printf(a, "node.kubernetes.io/%s", tolerated[i][0]), tolerated[i][1]);
    return spec;
}

static const struct json *pod_for(const struct daemon *d, const char *node) {
    struct arena *a = d->arena;
    const struct json *terms = json_make(a, "[{'matchFields':[{'key':'metadata.name','operator':'In','values':[%s]}]}]", node);
    const struct json *template = json_get(d->ds->root, "spec.template"), *labels = json_get(template, "metadata.labels");
    if (d->generation) labels = json_with_member(a, labels, GENERATION_LABEL, json_string(a, d->generation));
    labels = json_with_member(a, labels, HASH_LABEL, json_string(a, d->hash));
    template = json_with(a, json_with(a, template, "metadata.labels", labels), "spec", json_with(a, d->spec, REQUIRED ".nodeSelectorTerms", terms));
    return workload_pod(a, template, doc_name(d->ds), owner_reference(a, &resource_apps_daemonsets, d->ds));
}

/* ---- nodes and their pods ---- */

static void judge(const struct daemon *d, struct daemon_node *n) {
    const char *only = json_str(d->spec, "nodeName");
    const struct json *tolerations = json_get(d->spec, "tolerations");
    if ((only && *only && !str_eq(only, n->name)) || !placement_selects(d->spec, n->node)) return;
    n->should_run = placement_tolerates_node(tolerations, n->node, false);
    n->may_stay = n->should_run || placement_tolerates_node(tolerations, n->node, true);
}

/* Where a pod is, or is meant to go. */
static const char *target_node(const struct json *pod) {
    const char *name = json_str(pod, "spec.nodeName");
    if (name && *name) return name;
    JSON_EACH(term, json_get(pod, "spec." REQUIRED ".nodeSelectorTerms")) {
        JSON_EACH(f, json_get(term, "matchFields")) {
            if (json_str_is(f, "key", "metadata.name") && json_str_is(f, "operator", "In") && json_len(json_get(f, "values")) == 1)
                return json_str(json_at(json_get(f, "values"), 0), NULL);
        }
    }
    return NULL;
}

static int oldest_bound_first(const void *x, const void *y) {
    const struct json *a = (*(struct doc *const *)x)->root, *b = (*(struct doc *const *)y)->root;
    bool m = *json_str_or(a, "spec.nodeName", ""), n = *json_str_or(b, "spec.nodeName", "");
    return m != n ? (m ? -1 : 1) : compare_created(x, y);
}

static void place_pods(struct daemon *d) {
    struct map by_name = {0};
    for (size_t i = 0; i < d->node_count; i++) map_set(&by_name, d->nodes[i].name, &d->nodes[i]);
    for (size_t i = 0; i < d->pods.len; i++) {
        struct doc *pod = d->pods.items[i];
        const char *name = target_node(pod->root);
        if (!name || (pod_is_terminal(pod->root) && object_deleting(pod->root))) continue;
        struct daemon_node *n = map_get(&by_name, name);
        if (!n) {
            n = &d->nodes[d->node_count++];
            *n = (struct daemon_node){.name = name};
            map_set(&by_name, name, n);
        }
        n->pods = arena_grow(d->arena, n->pods, n->count * sizeof(*n->pods), (n->count + 1) * sizeof(*n->pods));
        n->pods[n->count++] = pod;
    }
    map_free(&by_name, NULL);
    for (size_t i = 0; i < d->node_count; i++) {
        if (d->nodes[i].count) qsort(d->nodes[i].pods, d->nodes[i].count, sizeof(struct doc *), oldest_bound_first);
    }
}

static struct error *take_stock(struct daemon *d) {
    struct runner *r = d->runner;
    struct claim claim = {.client = r->client, .cache = r->cache, .owner_resource = &resource_apps_daemonsets, .owner = d->ds,
                          .selector = json_get(d->ds->root, "spec.selector"), .resource = &resource_pods};
    cache_list(r->cache, &resource_nodes, NULL, &d->node_docs);
    TRY(claim_objects(&claim, &d->pods));
    d->spec = pod_spec(d->arena, json_get(d->ds->root, "spec.template.spec"));
    d->nodes = arena_calloc(d->arena, d->node_docs.len + d->pods.len + 1, sizeof(*d->nodes));
    d->delete = arena_calloc(d->arena, d->pods.len + 1, sizeof(*d->delete));
    d->create = arena_calloc(d->arena, d->node_docs.len + 1, sizeof(*d->create));
    for (size_t i = 0; i < d->node_docs.len; i++) {
        struct daemon_node *n = &d->nodes[d->node_count++];
        *n = (struct daemon_node){.node = d->node_docs.items[i]->root, .name = doc_name(d->node_docs.items[i])};
        judge(d, n);
    }
    place_pods(d);
    return NULL;
}

static bool is_updated(const struct daemon *d, const struct doc *pod) {
    return str_eq(object_label(pod->root, HASH_LABEL), d->hash) || (d->generation && str_eq(object_label(pod->root, GENERATION_LABEL), d->generation));
}
static bool is_available(const struct daemon *d, const struct doc *pod) { return pod_is_available(pod->root, d->min_ready, d->now); }

static void read_limits(struct daemon *d) {
    const struct json *strategy = json_get(d->ds->root, "spec.updateStrategy");
    int64_t desired = 0;
    for (size_t i = 0; i < d->node_count; i++) desired += d->nodes[i].should_run;
    if (!json_str_is(strategy, "type", "RollingUpdate")) return;
    d->max_surge = scaled_value(json_get(strategy, "rollingUpdate.maxSurge"), desired, true, 0);
    d->max_unavailable = scaled_value(json_get(strategy, "rollingUpdate.maxUnavailable"), desired, true, 1);
    if (desired > 0 && d->max_surge == 0 && d->max_unavailable == 0) d->max_unavailable = 1;
}

/* ---- one pod on each node ---- */

static void to_delete(struct daemon *d, struct doc *pod) { d->delete[d->delete_count++] = pod; }

/* True if the failed pod on this node may go now; else the set is looked at again when it may. */
static bool may_retry(struct daemon *d, const char *node) {
    struct state *s = d->runner->state;
    const char *key = arena_printf(d->arena, "%s/%s", doc_uid(d->ds), node);
    pthread_mutex_lock(&s->lock);
    struct backoff *b = map_get(&s->failed, key);
    int64_t left = b ? b->since + b->delay - d->now : 0;
    if (left <= 0) {
        bool fresh = !b || d->now - b->since > SECONDS(1800);
        struct backoff next = {fresh ? SECONDS(1) : MIN(2 * b->delay, SECONDS(900)), d->now};
        free(map_set(&s->failed, key, xmemdup(&next, sizeof(next))));
    } else d->again = d->again ? MIN(d->again, left) : left;
    pthread_mutex_unlock(&s->lock);
    return left <= 0;
}

static void end_finished(struct daemon *d, const struct daemon_node *n, struct doc *pod) {
    bool failed = json_str_is(pod->root, "status.phase", "Failed");
    if (failed && !may_retry(d, n->name)) return;
    recorder_event(d->runner->events, d->ds->root, failed ? "Warning" : "Normal", failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                   failed ? "Found failed daemon pod %s/%s on node %s, will try to kill it" : "Found succeeded daemon pod %s/%s on node %s, will try to delete it",
                   doc_namespace(pod), doc_name(pod), n->name);
    to_delete(d, pod);
}

/* With surge a node may have an old and a new pod; the old one goes when the new one is available. */
static void prune_surged(struct daemon *d, struct doc **running, size_t count) {
    struct doc *new = NULL, *old = NULL;
    for (size_t i = 0; i < count; i++) {
        struct doc **slot = str_eq(object_label(running[i]->root, HASH_LABEL), d->hash) ? &new : &old;
        if (*slot) to_delete(d, running[i]);
        else *slot = running[i];
    }
    if (new && old && (!pod_is_ready(old->root) || is_available(d, new))) to_delete(d, old);
}

static void manage_node(struct daemon *d, const struct daemon_node *n) {
    if (n->should_run && n->count == 0) d->create[d->create_count++] = n->name;
    struct doc **running = arena_calloc(d->arena, n->count + 1, sizeof(*running));
    size_t count = 0;
    for (size_t i = 0; i < n->count; i++) {
        struct doc *pod = n->pods[i];
        if (object_deleting(pod->root)) continue;
        if (!n->may_stay) {
            if (n->node || !*json_str_or(pod->root, "spec.nodeName", "")) to_delete(d, pod);
        } else if (pod_is_terminal(pod->root)) end_finished(d, n, pod);
        else running[count++] = pod;
    }
    if (d->max_surge > 0 && count > 1) prune_surged(d, running, count);
    for (size_t i = 1; i < count && d->max_surge == 0; i++) to_delete(d, running[i]);
}

static struct error *create_one(size_t i, void *arg) {
    const struct daemon *d = arg;
    struct error *e = workload_create_pod(d->runner, d->ds, pod_for(d, d->create[i]));
    return error_namespace_terminating(e) ? error_free(e), NULL : e;
}

/* Does what was decided and forgets it. */
static struct error *carry_out(struct daemon *d) {
    struct error *first = workload_slow_start(MIN(d->create_count, BURST), create_one, d);
    for (size_t i = 0; i < MIN(d->delete_count, BURST); i++) {
        struct error *e = workload_delete_pod(d->runner, d->ds, d->delete[i]);
        if (first) error_free(e);
        else first = e;
    }
    d->create_count = d->delete_count = 0;
    return first;
}

/* ---- rolling update ---- */

/* The living pods of a node; false: more than one of a kind, which is for manage_node to resolve. */
static bool old_and_new(const struct daemon *d, const struct daemon_node *n, struct doc **old, struct doc **new) {
    *old = *new = NULL;
    for (size_t i = 0; i < n->count; i++) {
        if (object_deleting(n->pods[i]->root)) continue;
        struct doc **slot = is_updated(d, n->pods[i]) ? new : old;
        if (*slot) return false;
        *slot = n->pods[i];
    }
    return true;
}

static bool concerned(const struct daemon_node *n) { return n->should_run || n->count > 0; }

/* Unavailable old pods go at once, available ones as far as maxUnavailable allows. */
static void replace_in_place(struct daemon *d) {
    int64_t unavailable = 0;
    struct doc **candidates = arena_calloc(d->arena, d->node_count + 1, sizeof(*candidates)), *old, *new;
    size_t count = 0;
    for (size_t i = 0; i < d->node_count; i++) {
        if (!concerned(&d->nodes[i])) continue;
        if (!old_and_new(d, &d->nodes[i], &old, &new) || !old == !new) unavailable++;
        else if (new) unavailable += !is_available(d, new);
        else if (!is_available(d, old)) to_delete(d, old);
        else candidates[count++] = old;
    }
    for (size_t i = 0; i < count && (int64_t)i < d->max_unavailable - unavailable; i++) to_delete(d, candidates[i]);
}

static void replace_by_surge(struct daemon *d) {
    int64_t surging = 0;
    const char **candidates = arena_calloc(d->arena, d->node_count + 1, sizeof(*candidates));
    size_t count = 0;
    struct doc *old, *new;
    for (size_t i = 0; i < d->node_count; i++) {
        const struct daemon_node *n = &d->nodes[i];
        if (!old_and_new(d, n, &old, &new)) surging++;
        else if (!old) continue;
        else if (!new && !is_available(d, old)) d->create[d->create_count++] = n->name;
        else if (!new) candidates[count++] = n->name;
        else if (!is_available(d, new)) surging++;
        else to_delete(d, old);
    }
    for (size_t i = 0; i < count && (int64_t)i < d->max_surge - surging; i++) d->create[d->create_count++] = candidates[i];
}

static struct error *update(struct daemon *d) {
    for (size_t i = 0; i < d->node_count; i++) manage_node(d, &d->nodes[i]);
    bool acted = d->create_count + d->delete_count > 0;
    TRY(carry_out(d));
    if (acted || !json_str_is(d->ds->root, "spec.updateStrategy.type", "RollingUpdate")) return NULL;
    if (d->max_surge > 0) replace_by_surge(d);
    else replace_in_place(d);
    return carry_out(d);
}

/* ---- status ---- */

static const struct json *new_status(const struct daemon *d, int64_t collisions) {
    struct arena *a = d->arena;
    int64_t desired = 0, current = 0, misplaced = 0, ready = 0, available = 0, updated = 0;
    for (size_t i = 0; i < d->node_count; i++) {
        const struct daemon_node *n = &d->nodes[i];
        if (!n->node) continue;
        desired += n->should_run;
        misplaced += !n->should_run && n->count > 0;
        if (!n->should_run || n->count == 0) continue;
        current++;
        ready += pod_is_ready(n->pods[0]->root);
        available += is_available(d, n->pods[0]);
        updated += is_updated(d, n->pods[0]);
    }
    return json_make(a, "{'currentNumberScheduled':%ld,'numberMisscheduled':%ld,'desiredNumberScheduled':%ld,'numberReady':%ld,'observedGeneration':%ld,"
                        "'updatedNumberScheduled':%v,'numberAvailable':%v,'numberUnavailable':%v,'collisionCount':%v,'conditions':%v}",
                     current, misplaced, desired, ready, json_int(d->ds->root, "metadata.generation", 0), updated ? json_integer(a, updated) : NULL,
                     available ? json_integer(a, available) : NULL, desired > available ? json_integer(a, desired - available) : NULL,
                     collisions ? json_integer(a, collisions) : NULL, json_get(d->ds->root, "status.conditions"));
}

/* ---- the controller ---- */

static bool in_use(const struct doc *revision, void *arg) {
    const struct daemon *d = arg;
    const char *hash = object_label(revision->root, HASH_LABEL);
    if (str_eq(hash, d->hash)) return true;
    for (size_t i = 0; i < d->pods.len; i++) {
        if (str_eq(object_label(d->pods.items[i]->root, HASH_LABEL), hash)) return true;
    }
    return false;
}

static struct error *sync_daemon(struct daemon *d) {
    int64_t collisions = json_int(d->ds->root, "status.collisionCount", 0), before = collisions;
    cleanup_doc struct doc *revision = NULL;
    TRY(take_stock(d));
    TRY(history_list(d->runner, &resource_apps_daemonsets, d->ds, &d->revisions));
    struct error *e = history_sync(d->runner, d->arena, &resource_apps_daemonsets, d->ds, &d->revisions, HASH_LABEL, &collisions, &revision);
    d->hash = revision ? object_label(revision->root, HASH_LABEL) : "";
    d->hash = arena_strdup(d->arena, d->hash ? d->hash : "");
    if (!e) {
        read_limits(d);
        e = update(d);
    }
    if (!e) e = history_truncate(d->runner, &d->revisions, json_int(d->ds->root, "spec.revisionHistoryLimit", 10), in_use, d);
    struct error *written = !e || collisions != before || revision
                                ? workload_update_status(d->runner, d->arena, &resource_apps_daemonsets, d->ds, new_status(d, collisions)) : NULL;
    if (!e) return written;
    error_free(written);
    return e;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *ds = cache_get(r->cache, &resource_apps_daemonsets, ns, name);
    if (!ds || object_deleting(ds->root)) return WORK_DONE;
    if (json_len(json_get(ds->root, "spec.selector")) == 0) {
        recorder_event(r->events, ds->root, "Warning", "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.");
        return WORK_DONE;
    }
    struct daemon d = {.runner = r, .arena = a, .ds = ds, .generation = object_annotation(ds->root, GENERATION_ANNOTATION),
                       .min_ready = json_int(ds->root, "spec.minReadySeconds", 0), .now = clock_wall(r->clock)};
    struct error *e = sync_daemon(&d);
    int64_t next = workload_next_available(&d.pods, d.min_ready, d.now);
    doc_list_free(&d.node_docs);
    doc_list_free(&d.pods);
    doc_list_free(&d.revisions);
    if (e) return work_error(e);
    return work_again(next && d.again ? MIN(next, d.again) : MAX(next, d.again));
}

static void orphan_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    workload_orphan_keys(r, &resource_apps_daemonsets, before, after);
}

/* Heartbeats and the like do not concern daemon sets. */
static void node_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (before && after && json_semantic_equal(object_labels(before->root), object_labels(after->root)) &&
        json_semantic_equal(json_get(before->root, "spec.taints"), json_get(after->root, "spec.taints")))
        return;
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_apps_daemonsets, NULL, &all);
    for (size_t i = 0; i < all.len; i++) runner_add_object(r, all.items[i]);
}

static void start(struct runner *r) {
    struct state *s = r->state = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static void stop(struct runner *r) {
    struct state *s = r->state;
    map_free(&s->failed, free);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct controller_source sources[] = {
    {.resource = &resource_apps_daemonsets},
    {.resource = &resource_pods, .owner = &resource_apps_daemonsets, .keys = orphan_keys},
    {.resource = &resource_apps_controllerrevisions, .owner = &resource_apps_daemonsets},
    {.resource = &resource_nodes, .keys = node_keys},
    {0}};
const struct controller daemonset_controller = {"daemonset-controller", .threads = 2, .sources = sources, .reconcile = reconcile, .start = start, .stop = stop};
