/* disruption-controller: keeps count for PodDisruptionBudgets, on which evictions rely. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/workload.h"

/* How long after an eviction was granted, or a disruption announced, a pod has to begin to go. */
#define DELETION_TIMEOUT SECONDS(120)
#define UNMANAGED                                                                                                                    \
    "Pods selected by this PodDisruptionBudget (selector: %s) were found to be unmanaged. As a result, the status of the PDB cannot be " \
    "calculated correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of "  \
    "the PDB to an integer value."

struct budget {
    struct runner *runner;
    struct arena *arena;
    const struct doc *pdb;
    struct doc_list pods;
    struct selector *selector;
    const struct json *disrupted; /* pods that were evicted but do not go yet: name -> time */
    int64_t expected, desired, healthy, again;
};

/* ---- how many pods there should be: the scales of their controllers ---- */

/* The controller's controller for a ReplicaSet of a Deployment. */
static struct error *scale_of(const struct budget *b, const struct json *object, const char *pod, struct map *seen) {
    const struct json *ref = controller_of(object);
    const char *version = json_str_or(ref, "apiVersion", ""), *slash = strchr(version, '/'), *ns = doc_namespace(b->pdb);
    const char *group = slash ? arena_strndup(b->arena, version, (size_t)(slash - version)) : "";
    const struct resource *r = resource_find_kind(group, slash ? slash + 1 : version, json_str_or(ref, "kind", ""));
    if (map_has(seen, json_str_or(ref, "uid", ""))) return NULL;
    if (!r || (r != &resource_replicationcontrollers && !resource_subresource(r, "scale")))
        return r ? error_new("%s.%s does not implement the scale subresource", r->plural, r->group) : error_new("found no controllers for pod \"%s\"", pod);
    cleanup_doc struct doc *owner = cache_get(b->runner->cache, r, ns, json_str_or(ref, "name", ""));
    if (!owner || !str_eq(doc_uid(owner), json_str(ref, "uid"))) return error_new("found no controllers for pod \"%s\"", pod);
    if (r == &resource_apps_replicasets && json_str_is(controller_of(owner->root), "kind", "Deployment")) return scale_of(b, owner->root, pod, seen);
    map_set(seen, doc_uid(owner), (void *)(uintptr_t)(json_int(owner->root, "spec.replicas", 1) + 1));
    return NULL;
}

static struct error *expected_scale(struct budget *b, bool *unmanaged) {
    struct map seen = {0};
    struct error *e = NULL;
    for (size_t i = 0; i < b->pods.len && !e; i++) {
        const struct json *pod = b->pods.items[i]->root;
        if (!controller_of(pod)) *unmanaged = true;
        else e = scale_of(b, pod, doc_name(b->pods.items[i]), &seen);
    }
    for (struct map_slot *s = map_first(&seen); s; s = map_next(&seen, s)) b->expected += (int64_t)(uintptr_t)s->value - 1;
    map_free(&seen, NULL);
    return e;
}

static struct error *count_expected(struct budget *b) {
    const struct json *spec = json_get(b->pdb->root, "spec"), *max = json_get(spec, "maxUnavailable"), *min = json_get(spec, "minAvailable");
    bool unmanaged = false;
    if (!max && !json_is(min, JSON_STRING)) {
        b->desired = json_int(min, NULL, 0);
        b->expected = (int64_t)b->pods.len;
        return NULL;
    }
    TRY(expected_scale(b, &unmanaged));
    b->desired = max ? MAX(b->expected - scaled_value(max, b->expected, true, 0), 0) : scaled_value(min, b->expected, true, 0);
    if (unmanaged)
        recorder_event(b->runner->events, b->pdb->root, "Warning", "UnmanagedPods", UNMANAGED, label_selector_text(b->arena, b->selector));
    return NULL;
}

/* ---- how many there are ---- */

static void count_pods(struct budget *b) {
    int64_t now = clock_wall(b->runner->clock);
    for (size_t i = 0; i < b->pods.len; i++) {
        const struct doc *pod = b->pods.items[i];
        if (object_deleting(pod->root)) continue;
        const struct json *at = json_member(json_get(b->pdb->root, "status.disruptedPods"), doc_name(pod));
        int64_t left = at ? object_time(at, NULL) + DELETION_TIMEOUT - now : 0;
        if (left > 0) {
            b->disrupted = json_with_member(b->arena, b->disrupted, doc_name(pod), at);
            b->again = b->again ? MIN(b->again, left) : left;
            continue;
        }
        if (at)
            recorder_event(b->runner->events, pod->root, "Warning", "NotDeleted", "Pod was expected by PDB %s/%s to be deleted but it wasn't",
                           doc_namespace(b->pdb), doc_name(b->pdb));
        b->healthy += pod_is_ready(pod->root);
    }
}

static const struct json *with_condition(const struct budget *b, const struct json *o, int64_t allowed, const char *failure) {
    const struct condition c = {.type = "DisruptionAllowed", .status = allowed > 0 ? "True" : "False", .message = failure ? failure : "",
                                .reason = failure ? "SyncFailed" : allowed > 0 ? "SufficientPods" : "InsufficientPods",
                                .observed_generation = json_int(o, "metadata.generation", 0)};
    return condition_set(b->arena, o, &c, clock_wall(b->runner->clock));
}

static const struct json *new_status(const struct budget *b) {
    int64_t allowed = b->expected > 0 ? MAX(b->healthy - b->desired, 0) : 0;
    const struct json *o = b->pdb->root;
    const struct json *status = json_make(
        b->arena, "{'observedGeneration':%ld,'disruptedPods':%v,'disruptionsAllowed':%ld,'currentHealthy':%ld,'desiredHealthy':%ld,'expectedPods':%ld,'conditions':%v}",
        json_int(o, "metadata.generation", 0), b->disrupted, allowed, b->healthy, b->desired, b->expected, json_get(o, "status.conditions"));
    return json_get(with_condition(b, json_with(b->arena, o, "status", status), allowed, NULL), "status");
}

/* Without a count nothing may be evicted. */
static struct error *fail_safe(const struct budget *b, struct error *e) {
    const struct json *o = json_with(b->arena, b->pdb->root, "status.disruptionsAllowed", json_integer(b->arena, 0));
    o = with_condition(b, o, 0, e->message);
    error_free(workload_update_status(b->runner, b->arena, &resource_policy_poddisruptionbudgets, b->pdb, json_get(o, "status")));
    return e;
}

static struct error *sync_budget(struct budget *b) {
    cleanup_doc_list struct doc_list all = {0};
    TRY(label_selector_from_json(b->arena, json_get(b->pdb->root, "spec.selector"), &b->selector));
    cache_list(b->runner->cache, &resource_pods, doc_namespace(b->pdb), &all);
    for (size_t i = 0; i < all.len; i++) {
        if (label_selector_matches(b->selector, object_labels(all.items[i]->root))) doc_list_add(&b->pods, all.items[i]);
    }
    if (b->pods.len == 0) recorder_event(b->runner->events, b->pdb->root, "Normal", "NoPods", "No matching pods found");
    struct error *e = count_expected(b);
    if (e) {
        recorder_event(b->runner->events, b->pdb->root, "Warning", "CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: %s", e->message);
        return fail_safe(b, e);
    }
    count_pods(b);
    return workload_update_status(b->runner, b->arena, &resource_policy_poddisruptionbudgets, b->pdb, new_status(b));
}

/* ---- announced disruptions that did not happen ---- */

static int64_t disruption_announced(const struct json *pod) {
    const struct json *c = condition_find(pod, "DisruptionTarget");
    return !pod_is_active(pod) || !json_str_is(c, "status", "True") ? 0 : object_time(c, "lastTransitionTime");
}

static struct work_result sync_pod(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *pod = cache_get(r->cache, &resource_pods, ns, name);
    int64_t since = pod ? disruption_announced(pod->root) : 0, now = clock_wall(r->clock);
    if (since == 0) return WORK_DONE;
    if (since + DELETION_TIMEOUT > now) return work_again(since + DELETION_TIMEOUT - now);
    const struct condition c = {.type = "DisruptionTarget", .status = "False", .probe_time = true, .observed_generation = json_int(pod->root, "metadata.generation", 0)};
    return work_error(client_update(r->client, &resource_pods, ns, name, "status", condition_set(a, pod->root, &c, now), NULL));
}

/* ---- the controller; keys: "namespace/budget", "pod/namespace/name" ---- */

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    if (strchr(name, '/')) return sync_pod(r, a, name);
    cleanup_doc struct doc *pdb = cache_get(r->cache, &resource_policy_poddisruptionbudgets, ns, name);
    if (!pdb) return WORK_DONE;
    struct budget b = {.runner = r, .arena = a, .pdb = pdb};
    struct error *e = sync_budget(&b);
    doc_list_free(&b.pods);
    return e ? work_error(e) : work_again(b.again);
}

static bool selects(struct arena *a, const struct doc *pdb, const struct doc *pod) {
    struct selector *s;
    cleanup_error struct error *e = label_selector_from_json(a, json_get(pdb->root, "spec.selector"), &s);
    return !e && pod && label_selector_matches(s, object_labels(pod->root));
}

static void pod_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_policy_poddisruptionbudgets, doc_namespace(after ? after : before), &all);
    for (size_t i = 0; i < all.len; i++) {
        if (selects(&a, all.items[i], before) || selects(&a, all.items[i], after)) runner_add_object(r, all.items[i]);
    }
    if (after && disruption_announced(after->root)) runner_add(r, arena_printf(&a, "pod/%s", key_of(&a, after)));
}

static const struct controller_source sources[] = {
    {.resource = &resource_policy_poddisruptionbudgets}, {.resource = &resource_pods, .keys = pod_keys}, {0}};
const struct controller disruption_controller = {"disruption-controller", .component = "controllermanager", .sources = sources, .reconcile = reconcile};
