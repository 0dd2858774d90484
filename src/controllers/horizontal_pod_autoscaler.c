/* horizontal-pod-autoscaler-controller: every fifteen seconds compares metrics with their targets and scales. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/hpa.h"
#include <math.h>
#include <pthread.h>

#define PERIOD SECONDS(15)

struct state {
    pthread_mutex_t lock; /* of the map; a key's memory belongs to its one run */
    struct map memories;  /* key -> struct hpa_memory */
};

const struct json *hpa_condition(const struct hpa_run *h, const char *type, const char *status, const char *reason, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vprintf(h->arena, fmt, args);
    va_end(args);
    return condition_set(h->arena, h->o, &(struct condition){.type = type, .status = status, .reason = reason, .message = message}, h->now);
}

double hpa_tolerance(const struct hpa_run *h, const char *direction) {
    const struct json *v = json_get(json_get(json_get(h->o, "spec.behavior"), direction), "tolerance");
    struct quantity q = quantity_of(v);
    return v ? (double)q.value * pow(10, q.scale) : 0.1;
}

/* ---- the target ---- */

struct search {
    const char *group, *version, *kind;
    const struct resource *found;
};
static void match_kind(const struct resource *r, void *arg) {
    struct search *s = arg;
    if (str_eq(r->kind, s->kind) && str_eq(r->group, s->group) && str_eq(r->version, s->version) && !s->found) s->found = resource_hold(r);
}

static struct error *find_target(struct hpa_run *h, const struct resource **out) {
    const struct json *ref = json_get(h->o, "spec.scaleTargetRef");
    const char *version = json_str_or(ref, "apiVersion", ""), *slash = strchr(version, '/');
    struct search s = {slash ? arena_strndup(h->arena, version, (size_t)(slash - version)) : "", slash ? slash + 1 : version, json_str_or(ref, "kind", ""), NULL};
    client_each_resource(h->runner->client, match_kind, &s);
    *out = s.found;
    return s.found ? NULL : error_new("no matches for kind \"%s\" in group \"%s\"", s.kind, s.group);
}

/* Any resource's Scale; with `replicas` >= 0 sets them. */
static struct error *patch_scale(struct hpa_run *h, const struct resource *r, int64_t replicas, struct doc **out) {
    const struct json *patch = replicas < 0 ? &json_empty_object : json_make(h->arena, "{'spec':{'replicas':%ld}}", replicas);
    return client_patch(h->runner->client, r, doc_namespace(h->doc), json_str_or(h->o, "spec.scaleTargetRef.name", ""), "scale", PATCH_MERGE, patch, out);
}

static struct error *list_pods(struct hpa_run *h, const char *text) {
    struct recorder *events = h->runner->events;
    struct selector *selector;
    cleanup_doc_list struct doc_list all = {0};
    if (!text || !*text) {
        recorder_event(events, h->doc->root, "Warning", "SelectorRequired", "selector is required");
        h->o = hpa_condition(h, "ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector");
        return error_new("selector is required");
    }
    TRY(label_selector_parse(h->arena, text, &selector));
    cache_list(h->runner->cache, &resource_pods, doc_namespace(h->doc), &all);
    for (size_t i = 0; i < all.len; i++) {
        if (label_selector_matches(selector, object_labels(all.items[i]->root))) doc_list_add(&h->pods, all.items[i]);
    }
    return NULL;
}

/* ---- metrics ---- */

/* The largest proposal. -1 with an error: none is to be trusted; an error beside a number: some failed, but the others ask
 * for no less than there is. */
static struct error *compute(struct hpa_run *h, const struct doc *scale, int64_t *replicas, const char **metric, const struct json **statuses) {
    struct json_array all = {.arena = h->arena};
    struct hpa_proposal failed = {0};
    struct error *first = NULL;
    size_t invalid = 0, count = json_len(json_get(h->o, "spec.metrics"));
    *replicas = -1;
    TRY(list_pods(h, json_str(scale->root, "status.selector")));
    JSON_EACH(m, json_get(h->o, "spec.metrics")) {
        struct hpa_proposal p = {0};
        struct error *e = hpa_propose(h, m, &p);
        json_array_add(&all, p.status ? p.status : json_make(h->arena, "{'type':''}"));
        if (e) {
            if (invalid++ == 0) failed = p;
            if (first) error_free(e);
            else first = e;
        } else if (p.replicas > *replicas) {
            *replicas = p.replicas;
            *metric = p.metric;
        }
    }
    *statuses = json_array_done(&all);
    if (first) error_wrap(first, "invalid metrics (%zu invalid out of %zu), first error is", invalid, count);
    if (invalid >= count || (invalid > 0 && *replicas < h->current)) {
        *replicas = -1;
        h->o = hpa_condition(h, "ScalingActive", "False", failed.reason ? failed.reason : "", "the HPA was unable to compute the replica count: %s",
                             failed.failure ? failed.failure : "");
    } else h->o = hpa_condition(h, "ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count from %s", *metric);
    return first;
}

/* ---- the run ---- */

static void set_status(struct hpa_run *h, int64_t desired, const struct json *statuses, bool rescaled) {
    char now[TIME_STRING_MAX];
    const struct json *status = json_make(
        h->arena, "{'observedGeneration':%v,'lastScaleTime':%v,'currentReplicas':%v,'desiredReplicas':%ld,'currentMetrics':%v,'conditions':%v}",
        json_get(h->o, "status.observedGeneration"), rescaled ? json_string(h->arena, time_format(now, h->now)) : json_get(h->o, "status.lastScaleTime"),
        h->current ? json_integer(h->arena, h->current) : NULL, desired, statuses, json_get(h->o, "status.conditions"));
    h->o = json_with(h->arena, h->o, "status", status);
}

static struct error *rescale(struct hpa_run *h, const struct resource *target, int64_t desired, const char *why, struct hpa_memory *m) {
    struct recorder *events = h->runner->events;
    struct error *e = patch_scale(h, target, desired, NULL);
    if (e) {
        recorder_event(events, h->doc->root, "Warning", "FailedRescale", "New size: %ld; reason: %s; error: %s", desired, why, e->message);
        h->o = hpa_condition(h, "AbleToScale", "False", "FailedUpdateScale", "the HPA controller was unable to update the target scale: %s", e->message);
        return e;
    }
    h->o = hpa_condition(h, "AbleToScale", "True", "SucceededRescale", "the HPA controller was able to update the target scale to %ld", desired);
    recorder_event(events, h->doc->root, "Normal", "SuccessfulRescale", "New size: %ld; reason: %s", desired, why);
    hpa_remember_scaling(m, h->now, h->current, desired);
    return NULL;
}

static struct error *autoscale(struct hpa_run *h, const struct resource *target, const struct doc *scale, struct hpa_memory *m) {
    const struct json *statuses = NULL;
    const char *metric = "", *why = "";
    int64_t desired = h->current, wanted;
    bool disabled = h->current == 0 && h->min != 0;
    struct error *e = NULL;
    if (disabled) h->o = hpa_condition(h, "ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
    else if (h->current > h->max) {
        desired = h->max;
        why = "Current number of replicas above Spec.MaxReplicas";
    } else if (h->current < h->min) {
        desired = h->min;
        why = "Current number of replicas below Spec.MinReplicas";
    } else {
        e = compute(h, scale, &wanted, &metric, &statuses);
        if (e && wanted == -1) {
            set_status(h, json_int(h->o, "status.desiredReplicas", 0), statuses, false);
            recorder_event(h->runner->events, h->doc->root, "Warning", "FailedComputeMetricsReplicas", "%s", e->message);
            return e;
        }
        why = wanted > h->current ? arena_printf(h->arena, "%s above target", metric) : "All metrics below target";
        desired = hpa_limit(h, m, wanted);
    }
    bool rescaled = desired != h->current;
    struct error *failed = rescaled ? rescale(h, target, desired, why, m) : NULL;
    set_status(h, failed ? json_int(h->o, "status.desiredReplicas", 0) : desired, statuses, rescaled && !failed);
    if (!failed) return e;
    error_free(e);
    return failed;
}

static struct error *sync_autoscaler(struct hpa_run *h, struct hpa_memory *m) {
    cleanup_resource const struct resource *target = NULL;
    cleanup_doc struct doc *scale = NULL;
    struct error *e = find_target(h, &target);
    if (!e) e = patch_scale(h, target, -1, &scale);
    if (e) {
        recorder_event(h->runner->events, h->doc->root, "Warning", "FailedGetScale", "%s", e->message);
        h->o = hpa_condition(h, "AbleToScale", "False", "FailedGetScale", "the HPA controller was unable to get the target's current scale: %s", e->message);
        return e;
    }
    h->o = hpa_condition(h, "AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale");
    h->current = json_int(scale->root, "spec.replicas", 0);
    return autoscale(h, target, scale, m);
}

static struct hpa_memory *recall(struct runner *r, const char *key) {
    struct state *s = r->state;
    pthread_mutex_lock(&s->lock);
    struct hpa_memory *m = map_get(&s->memories, key);
    if (!m) map_set(&s->memories, key, m = hpa_memory_new());
    pthread_mutex_unlock(&s->lock);
    return m;
}

static void forget(struct runner *r, const char *key) {
    struct state *s = r->state;
    pthread_mutex_lock(&s->lock);
    struct hpa_memory *m = map_remove(&s->memories, key);
    pthread_mutex_unlock(&s->lock);
    if (m) hpa_memory_free(m);
}

/* Failures are in the status and in events; the next look comes after the period in any case. */
static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *doc = cache_get(r->cache, &resource_autoscaling_horizontalpodautoscalers, ns, name);
    if (!doc) return forget(r, key), WORK_DONE;
    struct hpa_run h = {.runner = r, .arena = a, .doc = doc, .o = doc->root, .now = clock_wall(r->clock), .min = json_int(doc->root, "spec.minReplicas", 1),
                        .max = json_int(doc->root, "spec.maxReplicas", 1)};
    error_free(sync_autoscaler(&h, recall(r, key)));
    doc_list_free(&h.pods);
    const struct json *status = json_get(h.o, "status");
    if (!json_semantic_equal(status, json_get(doc->root, "status")))
        error_free(client_update(r->client, &resource_autoscaling_horizontalpodautoscalers, ns, name, "status", h.o, NULL));
    return work_again(PERIOD);
}

/* What we wrote ourselves is no reason to look again. */
static void own_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (!before || !after || !json_semantic_equal(json_get(before->root, "spec"), json_get(after->root, "spec"))) runner_add_object(r, after ? after : before);
}

static void start(struct runner *r) {
    struct state *s = r->state = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static void stop(struct runner *r) {
    struct state *s = r->state;
    map_free(&s->memories, hpa_memory_free);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct controller_source sources[] = {{.resource = &resource_autoscaling_horizontalpodautoscalers, .keys = own_keys}, {0}};
const struct controller horizontal_pod_autoscaler_controller = {
    "horizontal-pod-autoscaler-controller", .component = "horizontal-pod-autoscaler", .sources = sources, .reconcile = reconcile, .start = start, .stop = stop};
