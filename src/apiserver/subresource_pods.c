/* pods/binding and pods/eviction (pkg/registry/core/pod/storage). */
#include "apiserver/admission.h"
#include "apiserver/subresource.h"

static void success(struct request *r, int code) {
    answer_json(r, code, json_make(r->arena, "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Success','code':%d}", code));
    r->answer.no_transform = true;
}

/* ---- binding ---- */

static struct error *check_binding(struct request *r, const struct json *b) {
    struct field_errors e = {.arena = r->arena};
    const struct field_path *target = FIELD(NULL, "target");
    static const char *const kinds[] = {"Node", "<empty>", NULL};
    const char *kind = json_str_or(b, "target.kind", "");
    if (*kind && strcmp(kind, "Node") != 0) field_not_supported(&e, FIELD(target, "kind"), json_string(r->arena, kind), kinds);
    if (!*json_str_or(b, "target.name", "")) field_required(&e, FIELD(target, "name"), "");
    return e.len ? error_api(500, "", "%s", field_errors_text(&e)) : NULL;
}

static struct error *apply_binding(struct change *c, const struct json *pod, const struct json **out, void *arg) {
    const struct json *b = arg;
    struct arena *a = c->r->arena;
    const char *node = json_str_or(pod, "spec.nodeName", ""), *name = c->name;
    const char *plural = "pods/binding";
    if (pod == NULL) return *out = NULL, NULL;
    if (json_get(pod, "metadata.deletionTimestamp")) return status_conflict("", plural, name, arena_printf(a, "pod %s is being deleted, cannot be assigned to a host", name));
    if (*node) return status_conflict("", plural, name, arena_printf(a, "pod %s is already assigned to node \"%s\"", name, node));
    if (json_len(json_get(pod, "spec.schedulingGates"))) return status_conflict("", plural, name, arena_printf(a, "pod %s has non-empty .spec.schedulingGates", name));
    const struct json *o = json_without(a, json_with(a, pod, "spec.nodeName", json_get(b, "target.name")), "status.nominatedNodeName");
    static const char *const maps[] = {"annotations", "labels"};
    for (size_t i = 0; i < 2; i++) {
        const struct json *have = json_member(json_member(o, "metadata"), maps[i]);
        JSON_EACH_MEMBER(m, json_member(json_member(b, "metadata"), maps[i])) have = json_with_member(a, have ? have : &json_empty_object, m->key, &m->value);
        if (have) o = with_meta(a, o, maps[i], have);
    }
    const struct json *conditions = json_get(o, "status.conditions");
    struct json_array list = {.arena = a};
    JSON_EACH(k, conditions) if (!json_str_is(k, "type", "PodScheduled")) json_array_add(&list, k);
    json_array_add(&list, json_make(a, "{'type':'PodScheduled','status':'True','lastProbeTime':null,'lastTransitionTime':%s}", time_now(a, c->r)));
    c->object = json_with(a, o, "status.conditions", json_array_done(&list));
    *out = c->object;
    return NULL;
}

static struct error *bind_pod(struct request *r, const struct json *b, const char *name) {
    CLEANUP(change_free) struct change c = {.r = r, .resource = &resource_pods, .sub = "binding", .ns = r->ns, .name = name, .dry_run = r->options.dry_run};
    TRY(check_binding(r, b));
    struct change admitted = {.r = r, .resource = &resource_pods, .sub = "binding", .operation = OP_CREATE, .ns = r->ns, .name = name, .object = b};
    TRY(admit_mutate(&admitted));
    TRY(admit_validate(&admitted));
    struct error *e = change_update(&c, apply_binding, (void *)(uintptr_t)admitted.object, false);
    if (error_is(e, "NotFound")) {
        error_free(e);
        return status_not_found("", "pods", name);
    }
    if (e) return e;
    success(r, 201);
    return NULL;
}

struct error *serve_binding(struct request *r) {
    const struct json *b;
    TRY(negotiate_accept(r, false, false));
    TRY(body_object(r, &b));
    TRY(options_write(r, "CreateOptions"));
    if (strcmp(meta_str(b, "name"), r->name) != 0) return status_bad_request("name in URL does not match name in Binding object");
    return bind_pod(r, b, r->name);
}

struct error *serve_pod_binding_legacy(struct request *r) {
    const struct json *b;
    TRY(negotiate_accept(r, false, false));
    TRY(body_object(r, &b));
    TRY(options_write(r, "CreateOptions"));
    return bind_pod(r, b, arena_strdup(r->arena, meta_str(b, "name")));
}

/* ---- eviction ---- */

static bool has_condition(const struct json *pod, const char *type) {
    JSON_EACH(k, json_get(pod, "status.conditions")) {
        if (json_str_is(k, "type", type)) return json_str_is(k, "status", "True");
    }
    return false;
}

struct budgets {
    struct request *r;
    const struct json *pod;
    struct doc *found;
    size_t count;
};

static bool find_budget(struct doc *d, void *arg) {
    struct budgets *b = arg;
    struct selector *s;
    const struct json *selector = json_get(d->root, "spec.selector");
    if (selector == NULL) return true;
    cleanup_error struct error *e = label_selector_from_json(b->r->arena, selector, &s);
    if (e || !label_selector_matches(s, json_get(b->pod, "metadata.labels"))) return true;
    if (b->count++ == 0) b->found = doc_ref(d);
    return true;
}

/* Why a budget that allows no disruption does so. */
static const char *refusal(struct arena *a, const char *name, const struct json *status) {
    int64_t desired = json_int(status, "desiredHealthy", 0), current = json_int(status, "currentHealthy", 0);
    const char *reason = "", *message = "";
    JSON_EACH(k, json_member(status, "conditions")) {
        if (!json_str_is(k, "type", "DisruptionAllowed") || !json_str_is(k, "status", "False")) continue;
        reason = json_str_or(k, "reason", "");
        message = json_str_or(k, "message", "");
    }
    if (*message && strcmp(reason, "SyncFailed") == 0)
        return arena_printf(a, "The disruption budget %s does not allow evicting pods currently because it failed sync: %s", name, message);
    if (current <= desired) return arena_printf(a, "The disruption budget %s needs %ld healthy pods and has %ld currently", name, (long)desired, (long)current);
    if (*message) return arena_printf(a, "The disruption budget %s does not allow evicting pods currently (%s): %s", name, reason, message);
    return arena_printf(a, "The disruption budget %s does not allow evicting pods currently", name);
}

/* A budget gives one disruption away, and remembers whom it was for (checkAndDecrement). */
static struct error *spend(struct change *c, const struct json *pdb, const struct json **out, void *arg) {
    struct arena *a = c->r->arena;
    const char *pod = arg;
    const struct json *status = json_member(pdb, "status");
    int64_t allowed = json_int(status, "disruptionsAllowed", 0);
    if (pdb == NULL) return *out = NULL, NULL;
    if (json_int(status, "observedGeneration", 0) < json_int(pdb, "metadata.generation", 0)) {
        struct error *e = status_too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 10);
        error_add_cause(e, "DisruptionBudget", arena_printf(a, "The disruption budget %s is still being processed by the server.", c->name), NULL);
        return e;
    }
    if (allowed < 0) return status_forbidden("policy", "poddisruptionbudgets", c->name, "pdb disruptions allowed is negative");
    if (allowed == 0) {
        struct error *e = status_too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0);
        error_add_cause(e, "DisruptionBudget", refusal(a, c->name, status), NULL);
        return e;
    }
    status = json_with_member(a, status, "disruptionsAllowed", json_integer(a, allowed - 1));
    const struct json *disrupted = json_member(status, "disruptedPods");
    status = json_with_member(a, status, "disruptedPods", json_with_member(a, disrupted ? disrupted : &json_empty_object, pod, json_string(a, time_now(a, c->r))));
    *out = c->object = json_with_member(a, pdb, "status", status);
    return NULL;
}

static struct error *check_budget(struct request *r, const struct json *pod, bool dry_run) {
    struct budgets b = {.r = r, .pod = pod};
    registry_each(r->server, &resource_policy_poddisruptionbudgets, r->ns, find_budget, &b);
    cleanup_doc struct doc *pdb = b.found;
    if (b.count > 1) return error_api(500, "", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
    if (pdb == NULL) return NULL;
    bool healthy = has_condition(pod, "Ready");
    const char *policy = json_str_or(pdb->root, "spec.unhealthyPodEvictionPolicy", "IfHealthyBudget");
    int64_t current = json_int(pdb->root, "status.currentHealthy", 0), desired = json_int(pdb->root, "status.desiredHealthy", 0);
    bool free_pass = !healthy && (strcmp(policy, "AlwaysAllow") == 0 || (current >= desired && desired > 0));
    if (free_pass) return NULL;
    CLEANUP(change_free) struct change c = {.r = r, .resource = &resource_policy_poddisruptionbudgets, .sub = "status", .ns = r->ns, .name = doc_name(pdb), .dry_run = dry_run};
    return change_update(&c, spend, (void *)(uintptr_t)meta_str(pod, "name"), false);
}

/* Pods that run nowhere or have ended disturb nobody. */
static bool harmless(const struct json *pod) {
    const char *phase = json_str_or(pod, "status.phase", "");
    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 || strcmp(phase, "Pending") == 0 || json_get(pod, "metadata.deletionTimestamp");
}

static struct error *add_disruption_target(struct change *c, const struct json *pod, const struct json **out, void *arg UNUSED) {
    struct arena *a = c->r->arena;
    if (pod == NULL || has_condition(pod, "DisruptionTarget")) return *out = c->object = pod, NULL;
    struct json_array list = {.arena = a};
    JSON_EACH(k, json_get(pod, "status.conditions")) if (!json_str_is(k, "type", "DisruptionTarget")) json_array_add(&list, k);
    json_array_add(&list, json_make(a, "{'type':'DisruptionTarget','status':'True','lastProbeTime':null,'lastTransitionTime':%s,"
                                    "'reason':'EvictionByEvictionAPI','message':'Eviction API: evicting'}", time_now(a, c->r)));
    *out = c->object = json_with(a, pod, "status.conditions", json_array_done(&list));
    return NULL;
}

/* The mark changes the version; options that name the version before it mean the one after. */
static struct error *mark_evicted(struct request *r, const struct json *pod, const struct json **options) {
    const char *version = json_str(*options, "preconditions.resourceVersion");
    if (r->options.dry_run || (version && strcmp(version, meta_str(pod, "resourceVersion")) != 0)) return NULL;
    CLEANUP(change_free) struct change c = {.r = r, .resource = &resource_pods, .sub = "status", .ns = r->ns, .name = r->name};
    TRY(change_update(&c, add_disruption_target, NULL, false));
    if (version) *options = json_with(r->arena, *options, "preconditions.resourceVersion", json_string(r->arena, meta_str(c.result->root, "resourceVersion")));
    return NULL;
}

struct error *serve_eviction(struct request *r) {
    const struct json *e, *options;
    TRY(negotiate_accept(r, false, false));
    TRY(body_object(r, &e));
    TRY(options_write(r, "CreateOptions"));
    const char *name = meta_str(e, "name");
    if (strcmp(name, r->name) != 0 && *name) return status_bad_request("name in URL does not match name in Eviction object");
    if (!*name) return status_bad_request("name in URL does not match name in Eviction object");
    options = json_member(e, "deleteOptions");
    if (options == NULL) options = &json_empty_object;
    if (json_len(json_member(options, "dryRun"))) r->options.dry_run = true;
    cleanup_doc struct doc *pod = registry_get(r->server, &resource_pods, r->ns, r->name);
    if (pod == NULL) return status_not_found("", "pods", r->name);
    struct change admitted = {.r = r, .resource = &resource_pods, .sub = "eviction", .operation = OP_CREATE, .ns = r->ns, .name = r->name, .object = e};
    TRY(admit_mutate(&admitted));
    TRY(admit_validate(&admitted));
    if (!harmless(pod->root)) TRY(check_budget(r, pod->root, r->options.dry_run));
    TRY(mark_evicted(r, pod->root, &options));
    CLEANUP(change_free) struct change c = {.r = r, .resource = &resource_pods, .sub = "", .ns = r->ns, .name = r->name, .dry_run = r->options.dry_run, .options = options};
    bool gone;
    TRY(delete_object(&c, options, &gone));
    success(r, 201);
    return NULL;
}
