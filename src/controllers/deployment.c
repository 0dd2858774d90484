/* deployment-controller: rolls templates out through replica sets. One run does one step (scale the new set up, or old
 * ones down) and writes the status; the replica sets' own progress brings the next run. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/deployment.h"
#include <math.h>

/* ---- scaling (upstream's sync.go): a change of spec.replicas while sets are active, also of a paused deployment ---- */

static size_t active_or_latest(const struct rollout *o) {
    size_t active = 0, at = o->all.len;
    for (size_t i = 0; i < o->all.len; i++) {
        if (replicaset_replicas(o->all.items[i]) == 0) continue;
        active++;
        at = i;
    }
    if (active > 1 || o->all.len == 0) return o->all.len;
    return active == 1 ? at : deployment_new(o) ? o->new : o->all.len - 1;
}

static bool saturated(const struct rollout *o) {
    const struct doc *new = deployment_new(o);
    if (!new) return false;
    const char *desired = object_annotation(new->root, "deployment.kubernetes.io/desired-replicas");
    int64_t n;
    return desired && str_to_int64(desired, &n) && replicaset_replicas(new) == o->replicas && n == o->replicas &&
           json_int(new->root, "status.availableReplicas", 0) == o->replicas;
}

static struct error *scale_old_to_zero(struct rollout *o, bool *scaled) {
    for (size_t i = 0; i < o->all.len; i++) {
        if (i != o->new && replicaset_replicas(o->all.items[i]) > 0) TRY(deployment_scale(o, i, 0, scaled));
    }
    return NULL;
}

/* What a set of this size gets of a change of the whole, in proportion to what it had of the whole before. */
static int64_t share(const struct rollout *o, const struct doc *rs, int64_t left) {
    int64_t size = replicaset_replicas(rs), before = 0;
    const char *max = object_annotation(rs->root, "deployment.kubernetes.io/max-replicas");
    if (o->replicas == 0) return MAX(-size, left);
    if (!max || !str_to_int64(max, &before) || before == 0) before = json_int(o->d->root, "status.replicas", 0);
    if (before == 0) return 0;
    int64_t fraction = (int64_t)floor((double)size * (double)(o->replicas + o->max_surge) / (double)before + 0.5) - size;
    return left > 0 ? MIN(fraction, left) : MAX(fraction, left);
}

struct sized {
    int64_t size;
    size_t index;
    int order; /* among equals */
};
static int largest_first(const void *x, const void *y) {
    const struct sized *a = x, *b = y;
    return a->size != b->size ? (a->size > b->size ? -1 : 1) : a->order - b->order;
}

/* The largest sets come first and the first takes what rounding leaves; among equals the newest grows, the oldest shrinks. */
static struct error *scale_in_proportion(struct rollout *o) {
    struct sized *sets = arena_calloc(o->arena, o->all.len + 1, sizeof(*sets));
    int64_t total = deployment_total(o, false), add = (o->replicas > 0 ? o->replicas + o->max_surge : 0) - total, left = add;
    size_t n = 0;
    bool scaled = false;
    for (size_t i = 0; i < o->all.len; i++) {
        int64_t size = replicaset_replicas(o->all.items[i]);
        if (size > 0) sets[n++] = (struct sized){size, i, add > 0 ? -(int)i : (int)i};
    }
    qsort(sets, n, sizeof(*sets), largest_first);
    for (size_t i = 0; i < n && left != 0; i++) {
        int64_t part = share(o, o->all.items[sets[i].index], left);
        sets[i].size += part;
        left -= part;
    }
    for (size_t i = 0; i < n; i++) TRY(deployment_scale(o, sets[i].index, MAX(sets[i].size + (i == 0 ? left : 0), 0), &scaled));
    return NULL;
}

static struct error *scale(struct rollout *o) {
    size_t only = active_or_latest(o);
    bool scaled = false;
    if (only < o->all.len) return replicaset_replicas(o->all.items[only]) == o->replicas ? NULL : deployment_scale(o, only, o->replicas, &scaled);
    if (saturated(o)) return scale_old_to_zero(o, &scaled);
    return o->rolling ? scale_in_proportion(o) : NULL;
}

static bool is_scaling_event(const struct rollout *o) {
    for (size_t i = 0; i < o->all.len; i++) {
        int64_t n;
        const struct doc *rs = o->all.items[i];
        const char *desired = object_annotation(rs->root, "deployment.kubernetes.io/desired-replicas");
        if (replicaset_replicas(rs) > 0 && desired && str_to_int64(desired, &n) && n != o->replicas) return true;
    }
    return false;
}

static struct error *sync_status(struct rollout *o) {
    const struct json *d = deployment_new_status(o);
    return json_semantic_equal(json_get(d, "status"), json_get(o->d->root, "status")) ? NULL : deployment_write_status(o, d);
}

static struct error *sync_only(struct rollout *o) {
    TRY(deployment_sync_revision(o, false));
    TRY(scale(o));
    if (json_bool(o->d->root, "spec.paused", false)) TRY(deployment_clean_history(o));
    return sync_status(o);
}

/* ---- rolling update ---- */

static struct error *reconcile_new(struct rollout *o, bool *scaled) {
    int64_t have = replicaset_replicas(deployment_new(o)), room = o->replicas + o->max_surge - deployment_total(o, false);
    if (have > o->replicas) return deployment_scale(o, o->new, o->replicas, scaled);
    if (have == o->replicas || room <= 0) return NULL;
    return deployment_scale(o, o->new, have + MIN(room, o->replicas - have), scaled);
}

/* Takes up to `*budget` from the old sets, oldest first: only replicas that are not available if `unhealthy`. */
static struct error *take_from_old(struct rollout *o, bool unhealthy, int64_t budget, bool *scaled) {
    for (size_t i = 0; i < o->all.len && budget > 0; i++) {
        const struct doc *rs = o->all.items[i];
        int64_t have = replicaset_replicas(rs), part = have - (unhealthy ? json_int(rs->root, "status.availableReplicas", 0) : 0);
        if (i == o->new || have == 0 || part <= 0) continue;
        part = MIN(part, budget);
        TRY(deployment_scale(o, i, have - part, scaled));
        budget -= part;
    }
    return NULL;
}

static struct error *reconcile_old(struct rollout *o, bool *scaled) {
    const struct doc *new = deployment_new(o);
    int64_t min_available = o->replicas - o->max_unavailable;
    int64_t new_unavailable = replicaset_replicas(new) - json_int(new->root, "status.availableReplicas", 0);
    int64_t budget = deployment_total(o, false) - min_available - new_unavailable;
    if (deployment_total(o, true) == 0 || budget <= 0) return NULL;
    TRY(take_from_old(o, true, budget, scaled));
    return take_from_old(o, false, deployment_status_total(o, "status.availableReplicas") - min_available, scaled);
}

static struct work_result finish(struct rollout *o) {
    if (deployment_complete(o, o->d->root)) WORK_TRY(deployment_clean_history(o));
    return deployment_sync_rollout_status(o);
}

static struct work_result roll(struct rollout *o) {
    bool scaled = false;
    WORK_TRY(deployment_sync_revision(o, true));
    WORK_TRY(reconcile_new(o, &scaled));
    if (!scaled) WORK_TRY(reconcile_old(o, &scaled));
    return scaled ? deployment_sync_rollout_status(o) : finish(o);
}

/* ---- recreate ---- */

static bool pods_running(const struct rollout *o, const struct doc *rs) {
    cleanup_doc_list struct doc_list pods = {0};
    cache_list_owned(o->runner->cache, &resource_pods, doc_namespace(rs), doc_uid(rs), &pods);
    for (size_t i = 0; i < pods.len; i++) {
        if (!pod_is_terminal(pods.items[i]->root)) return true;
    }
    return json_int(rs->root, "status.replicas", 0) > 0;
}

static bool old_pods_running(const struct rollout *o) {
    for (size_t i = 0; i < o->all.len; i++) {
        if (i != o->new && pods_running(o, o->all.items[i])) return true;
    }
    return false;
}

static struct work_result recreate(struct rollout *o) {
    bool scaled = false;
    WORK_TRY(deployment_sync_revision(o, false));
    WORK_TRY(scale_old_to_zero(o, &scaled));
    if (scaled || old_pods_running(o)) return deployment_sync_rollout_status(o);
    if (!deployment_new(o)) WORK_TRY(deployment_sync_revision(o, true));
    if (replicaset_replicas(deployment_new(o)) != o->replicas) WORK_TRY(deployment_scale(o, o->new, o->replicas, &scaled));
    return finish(o);
}

/* ---- the controller ---- */

/* A pause stops the deadline's clock; its end starts it afresh. */
static struct error *check_paused(struct rollout *o) {
    const struct json *d = o->d->root, *c = condition_find(d, "Progressing");
    bool paused = json_bool(d, "spec.paused", false), said = json_str_is(c, "reason", "DeploymentPaused");
    if (!deployment_has_deadline(d) || json_str_is(c, "reason", "ProgressDeadlineExceeded") || paused == said) return NULL;
    return deployment_write_status(o, paused ? deployment_condition(o, d, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
                                             : deployment_condition(o, d, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"));
}

/* maxSurge rounds up, maxUnavailable down; they cannot both be zero. */
static void read_limits(struct rollout *o) {
    const struct json *d = o->d->root;
    o->replicas = json_int(d, "spec.replicas", 1);
    o->rolling = json_str_is(d, "spec.strategy.type", "RollingUpdate");
    if (!o->rolling) return;
    o->max_surge = scaled_value(json_get(d, "spec.strategy.rollingUpdate.maxSurge"), o->replicas, true, 0);
    o->max_unavailable = scaled_value(json_get(d, "spec.strategy.rollingUpdate.maxUnavailable"), o->replicas, false, 0);
    if (o->max_surge == 0 && o->max_unavailable == 0) o->max_unavailable = 1;
    o->max_unavailable = MIN(o->max_unavailable, o->replicas);
}

static struct work_result sync_deployment(struct rollout *o) {
    struct runner *r = o->runner;
    struct claim claim = {.client = r->client, .cache = r->cache, .owner_resource = &resource_apps_deployments, .owner = o->d,
                          .selector = json_get(o->d->root, "spec.selector"), .resource = &resource_apps_replicasets};
    WORK_TRY(claim_objects(&claim, &o->all));
    deployment_find_new(o);
    if (object_deleting(o->d->root)) return work_error(sync_status(o));
    WORK_TRY(check_paused(o));
    if (json_bool(o->d->root, "spec.paused", false) || is_scaling_event(o)) return work_error(sync_only(o));
    return o->rolling ? roll(o) : recreate(o);
}

static struct work_result selects_all(struct rollout *o) {
    recorder_event(o->runner->events, o->d->root, "Warning", "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.");
    return work_error(sync_status(o));
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    struct rollout o = {.runner = r, .arena = a, .d = cache_get(r->cache, &resource_apps_deployments, ns, name)};
    if (!o.d) return WORK_DONE;
    read_limits(&o);
    struct work_result result = json_len(json_get(o.d->root, "spec.selector")) ? sync_deployment(&o) : selects_all(&o);
    doc_list_free(&o.all);
    doc_unref(o.d);
    return result;
}

static void orphan_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    workload_orphan_keys(r, &resource_apps_deployments, before, after);
}

/* The end of a Recreate's last old pod shows in its set's terminatingReplicas: pods need no watching. */
static const struct controller_source sources[] = {
    {.resource = &resource_apps_deployments},
    {.resource = &resource_apps_replicasets, .owner = &resource_apps_deployments, .keys = orphan_keys},
    {0}};
const struct controller deployment_controller = {"deployment-controller", .sources = sources, .reconcile = reconcile};
