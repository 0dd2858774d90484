/* Roles, budgets, autoscalers, leases, priority and runtime classes. */
#include "apiserver/validation/rules.h"

/* ---- rbac ---- */

#define RBAC "rbac.authorization.k8s.io"

static void policy_rule(RULE, bool namespaced) {
    const struct json *urls = json_member(o, "nonResourceURLs");
    need_why(e, p, o, "verbs", "verbs must contain at least one value");
    if (json_len(urls)) {
        if (namespaced) field_invalid(e, FIELD(p, "nonResourceURLs"), urls, "namespaced rules cannot apply to non-resource URLs");
        if (json_len(json_member(o, "apiGroups")) + json_len(json_member(o, "resources")) + json_len(json_member(o, "resourceNames")))
            field_invalid(e, FIELD(p, "nonResourceURLs"), urls, "rules cannot apply to both regular resources and non-resource URLs");
        return;
    }
    need_why(e, p, o, "apiGroups", "resource rules must supply at least one api group");
    need_why(e, p, o, "resources", "resource rules must supply at least one resource");
}
static void namespaced_rule(RULE) { policy_rule(e, p, o, true); }
static void cluster_rule(RULE) { policy_rule(e, p, o, false); }

void validate_role(struct field_errors *e, const struct json *o, const struct json *old) {
    rule_each(e, NULL, o, "rules", namespaced_rule);
    if (old) validate_meta_update(e, META, o, old);
}

void validate_cluster_role(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *aggregation = json_member(o, "aggregationRule");
    const struct field_path *p = FIELD(FIELD(NULL, "aggregationRule"), "clusterRoleSelectors");
    size_t i = 0;
    rule_each(e, NULL, o, "rules", cluster_rule);
    if (aggregation)
        need_why(e, FIELD(NULL, "aggregationRule"), aggregation, "clusterRoleSelectors", "at least one clusterRoleSelector required if aggregationRule is non-nil");
    JSON_EACH(s, json_member(aggregation, "clusterRoleSelectors")) {
        label_selector(e, FIELD_INDEX(p, i), s);
        if (!selector_valid(e->arena, s)) field_invalid(e, FIELD_INDEX(p, i), &json_null, "invalid label selector.");
        i++;
    }
    if (old) validate_meta_update(e, META, o, old);
}

static void subject(RULE, bool namespaced) {
    const char *kind = str_of(o, "kind"), *group = str_of(o, "apiGroup");
    need(e, p, o, "name");
    if (strcmp(kind, "ServiceAccount") == 0) {
        named(e, p, o, "name", name_dns1123_subdomain);
        if (*group) unsupported(e, FIELD(p, "apiGroup"), group, "\"\"");
        if (!namespaced) need(e, p, o, "namespace");
    } else if (word_in(kind, "User Group")) {
        if (strcmp(group, RBAC) != 0) unsupported(e, FIELD(p, "apiGroup"), group, RBAC);
    } else {
        unsupported(e, FIELD(p, "kind"), kind, "ServiceAccount User Group");
    }
}
static void namespaced_subject(RULE) { subject(e, p, o, true); }
static void cluster_subject(RULE) { subject(e, p, o, false); }

static void binding(struct field_errors *e, const struct json *o, const struct json *old, const char *kinds, rule_fn *check) {
    const struct json *ref = json_member(o, "roleRef");
    const struct field_path *p = FIELD(NULL, "roleRef");
    if (!json_str_is(ref, "apiGroup", RBAC)) unsupported(e, FIELD(p, "apiGroup"), str_of(ref, "apiGroup"), RBAC);
    if (!word_in(str_of(ref, "kind"), kinds)) unsupported(e, FIELD(p, "kind"), str_of(ref, "kind"), kinds);
    named_needed(e, p, ref, "name", name_path_segment);
    rule_each(e, NULL, o, "subjects", check);
    if (!old) return;
    validate_meta_update(e, META, o, old);
    if (!json_semantic_equal(ref, json_member(old, "roleRef"))) field_invalid(e, p, go_form(e->arena, "rbac.authorization.k8s.io/v1/RoleRef", ref), "cannot change roleRef");
}
void validate_role_binding(struct field_errors *e, const struct json *o, const struct json *old) { binding(e, o, old, "Role ClusterRole", namespaced_subject); }
void validate_cluster_role_binding(struct field_errors *e, const struct json *o, const struct json *old) { binding(e, o, old, "ClusterRole", cluster_subject); }

/* ---- disruption budgets ---- */

void validate_disruption_budget(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char *const counts[] = {"minAvailable", "maxUnavailable"};
    (void)old;
    const struct json *spec = json_member(o, "spec");
    if (has(spec, counts[0]) && has(spec, counts[1]))
        field_invalid(e, SPEC, go_form(e->arena, "policy/v1/PodDisruptionBudgetSpec", spec), "minAvailable and maxUnavailable cannot be both set");
    for (size_t i = 0; i < 2; i++) {
        rule_at(e, SPEC, spec, counts[i], positive_int_or_percent);
        rule_at(e, SPEC, spec, counts[i], at_most_100_percent);
    }
    label_selector(e, FIELD(SPEC, "selector"), json_member(spec, "selector"));
    choice(e, SPEC, spec, "unhealthyPodEvictionPolicy", "AlwaysAllow IfHealthyBudget");
}

void validate_disruption_budget_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const struct json *s = json_member(o, "status");
    condition_list(e, FIELD(STATUS, "conditions"), json_member(s, "conditions"));
    nonnegative(e, STATUS, s, "disruptionsAllowed currentHealthy desiredHealthy expectedPods");
}

/* ---- autoscalers: autoscaling/v2, to which v1 is converted before ---- */

enum { ANY_VERSION = 1, NO_GROUP = 2 }; /* what an apiVersion may be: whatever it is; of the core group */

static const char *bad_api_version(struct arena *a, const char *version, int allowed) {
    const char *slash = strchr(version, '/');
    if (allowed & ANY_VERSION) return NULL;
    if (slash && strchr(slash + 1, '/')) return arena_printf(a, "unexpected GroupVersion string: %s", version);
    return !(allowed & NO_GROUP) && (slash == NULL || slash == version) ? "apiVersion must specify API group" : NULL;
}

static void target_reference(RULE, int allowed) {
    const char *version = str_of(o, "apiVersion"), *why = bad_api_version(e->arena, version, allowed);
    named_needed(e, p, o, "kind", name_path_segment);
    named_needed(e, p, o, "name", name_path_segment);
    if (why) field_invalid_str(e, FIELD(p, "apiVersion"), version, "%s", why);
}

static void metric_target(RULE) {
    static const char *const values[] = {"value", "averageValue"};
    need_why(e, p, o, "type", "must specify a metric target type");
    if (!word_in(str_of(o, "type"), "Utilization Value AverageValue")) field_invalid_str(e, FIELD(p, "type"), str_of(o, "type"), "must be either Utilization, Value, or AverageValue");
    for (size_t i = 0; i < 2; i++)
        if (has(o, values[i]) && quantity_cmp(json_member(o, values[i]), NULL) <= 0)
            field_invalid_str(e, FIELD(p, values[i]), quantity_text(e->arena, json_member(o, values[i])), "must be positive");
    if (json_int(o, "averageUtilization", 1) < 1) field_invalid_int(e, FIELD(p, "averageUtilization"), json_int(o, "averageUtilization", 1), "must be greater than 0");
}

static void metric_name(RULE) {
    if (need_why(e, p, o, "name", "must specify a metric name")) named(e, p, o, "name", name_path_segment);
}

static void metric_source(RULE, const char *kind) {
    const struct json *t = json_member(o, "target");
    const struct field_path *at = FIELD(p, "target");
    bool value = has(t, "value"), average = has(t, "averageValue"), use = has(t, "averageUtilization"), of_container = strcmp(kind, "containerResource") == 0;
    if (strcmp(kind, "object") == 0) target_reference(e, FIELD(p, "describedObject"), json_member(o, "describedObject"), NO_GROUP);
    if (word_in(kind, "object external pods")) metric_name(e, FIELD(p, "metric"), json_member(o, "metric"));
    if (word_in(kind, "resource containerResource") && need_why(e, p, o, "name", "must specify a resource name") && of_container)
        container_resource_name(e, FIELD(p, "name"), str_of(o, "name"));
    if (of_container && need_why(e, p, o, "container", "must specify a container")) named(e, p, o, "container", name_dns1123_label);
    metric_target(e, at, t);
    if (strcmp(kind, "object") == 0 && !value && !average) field_required(e, FIELD(at, "averageValue"), "must set either a target value or averageValue");
    if (strcmp(kind, "external") == 0 && !value && !average) field_required(e, FIELD(at, "averageValue"), "must set either a target value for metric or a per-pod target");
    if (strcmp(kind, "external") == 0 && value && average) field_forbidden(e, FIELD(at, "value"), "may not set both a target value for metric and a per-pod target");
    if (strcmp(kind, "pods") == 0 && !average) field_required(e, FIELD(at, "averageValue"), "must specify a positive target averageValue");
    if (!word_in(kind, "resource containerResource")) return;
    if (!use && !average) field_required(e, FIELD(at, "averageUtilization"), "must set either a target raw value or a target utilization");
    if (use && average) field_forbidden(e, FIELD(at, "averageValue"), "may not set both a target raw value and a target utilization");
}

static void metric(RULE) {
    static const char types[] = "ContainerResource External Object Pods Resource";
    static const struct { const char *type, *field; } kinds[] = {{"Object", "object"}, {"External", "external"}, {"Pods", "pods"}, {"Resource", "resource"},
                                                                 {"ContainerResource", "containerResource"}};
    const char *type = str_of(o, "type");
    size_t present = 0;
    need_why(e, p, o, "type", "must specify a metric source type");
    if (!word_in(type, types)) unsupported(e, FIELD(p, "type"), type, types);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct json *v = json_member(o, kinds[i].field);
        if (v && ++present == 1) metric_source(e, FIELD(p, kinds[i].field), v, kinds[i].field);
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(type, kinds[i].type) == 0 && !has(o, kinds[i].field)) field_required(e, FIELD(p, kinds[i].field), "must populate information for the given metric source");
    if (!word_in(type, types)) unsupported(e, FIELD(p, "type"), type, types);
    for (size_t i = 0; present != 1 && i < ARRAY_LEN(kinds); i++)
        if (strcmp(type, kinds[i].type) != 0 && has(o, kinds[i].field)) field_forbidden(e, FIELD(p, kinds[i].field), "must populate the given metric source only");
}

static void scaling_policy(RULE) {
    int64_t value = json_int(o, "value", 0), period = json_int(o, "periodSeconds", 0);
    if (!word_in(str_of(o, "type"), "Percent Pods")) unsupported(e, FIELD(p, "type"), str_of(o, "type"), "Percent Pods");
    if (value <= 0) field_invalid_int(e, FIELD(p, "value"), value, "must be greater than zero");
    if (period <= 0) field_invalid_int(e, FIELD(p, "periodSeconds"), period, "must be greater than zero");
    if (period > 1800) field_invalid_int(e, FIELD(p, "periodSeconds"), period, "must be less than or equal to 1800");
}

static void scaling_rules(RULE) {
    int64_t window = json_int(o, "stabilizationWindowSeconds", 0);
    if (window < 0) field_invalid_int(e, FIELD(p, "stabilizationWindowSeconds"), window, "must be greater than or equal to zero");
    if (window > 3600) field_invalid_int(e, FIELD(p, "stabilizationWindowSeconds"), window, "must be less than or equal to 3600");
    choice(e, p, o, "selectPolicy", "Disabled Max Min");
    need_why(e, p, o, "policies", "must specify at least one Policy");
    rule_each(e, p, o, "policies", scaling_policy);
    const struct json *tolerance = json_member(o, "tolerance");
    if (tolerance && negative(tolerance)) field_invalid_str(e, FIELD(p, "tolerance"), quantity_text(e->arena, tolerance), "must be greater than or equal to 0");
}

/* What does not change may stay wrong; the one scalable kind of the core group needs no group. */
static int target_versions(const struct json *target, const struct json *old) {
    static const char *const members[] = {"apiVersion", "kind"};
    bool same = old != NULL;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) same = same && strcmp(str_of(target, members[i]), str_of(old, members[i])) == 0;
    if (same) return ANY_VERSION;
    return strcmp(str_of(target, "kind"), "ReplicationController") == 0 ? NO_GROUP : 0;
}

void validate_autoscaler(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *behavior = json_member(spec, "behavior");
    int64_t min = json_int(spec, "minReplicas", 1), max = json_int(spec, "maxReplicas", 0);
    if (min < 1) field_invalid_int(e, FIELD(SPEC, "minReplicas"), min, "must be greater than or equal to 1");
    if (max < 1) field_invalid_int(e, FIELD(SPEC, "maxReplicas"), max, "must be greater than 0");
    if (has(spec, "minReplicas") && max < min) field_invalid_int(e, FIELD(SPEC, "maxReplicas"), max, "must be greater than or equal to `minReplicas`");
    const struct json *target = json_member(spec, "scaleTargetRef");
    target_reference(e, FIELD(SPEC, "scaleTargetRef"), target, target_versions(target, old ? json_get(old, "spec.scaleTargetRef") : NULL));
    bool from_outside = false;
    JSON_EACH(m, json_member(spec, "metrics")) from_outside |= word_in(str_of(m, "type"), "Object External");
    rule_each(e, SPEC, spec, "metrics", metric);
    if (has(spec, "minReplicas") && min == 0 && !from_outside)
        field_forbidden(e, FIELD(SPEC, "metrics"), "must specify at least one Object or External metric to support scaling to zero replicas");
    rule_at(e, FIELD(SPEC, "behavior"), behavior, "scaleUp", scaling_rules);
    rule_at(e, FIELD(SPEC, "behavior"), behavior, "scaleDown", scaling_rules);
}

void validate_autoscaler_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    nonnegative(e, STATUS, json_member(o, "status"), "currentReplicas desiredReplicas");
}

/* ---- leases, priorities, runtimes ---- */

void validate_lease(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const struct json *spec = json_member(o, "spec");
    const char *strategy = json_str(spec, "strategy");
    int64_t duration = json_int(spec, "leaseDurationSeconds", 1), transitions = json_int(spec, "leaseTransitions", 0);
    const struct field_path *at = FIELD(FIELD(SPEC, "strategy"), "strategy");
    if (duration <= 0) field_invalid_int(e, FIELD(SPEC, "leaseDurationSeconds"), duration, "must be greater than 0");
    if (transitions < 0) field_invalid_int(e, FIELD(SPEC, "leaseTransitions"), transitions, "must be greater than or equal to 0");
    if (strategy && strchr(strategy, '/')) label_name(e, at, strategy);
    else if (strategy && strcmp(strategy, "OldestEmulationVersion") != 0) unsupported(e, at, strategy, "OldestEmulationVersion");
    if (*str_of(spec, "preferredHolder") && (!strategy || !*strategy)) field_forbidden(e, FIELD(SPEC, "preferredHolder"), "may only be specified if `strategy` is defined");
}

void validate_priority_class(struct field_errors *e, const struct json *o, const struct json *old) {
    static const struct { const char *name; int64_t value; } system[] = {{"system-node-critical", 2000001000}, {"system-cluster-critical", 2000000000}};
    const char *name = json_str_or(o, "metadata.name", ""), *why = NULL;
    int64_t value = json_int(o, "value", 0);
    if (old) {
        if (value != json_int(old, "value", 0)) field_forbidden(e, FIELD(NULL, "value"), "may not be changed in an update.");
        fixed_members(e, NULL, o, old, "preemptionPolicy");
        return;
    }
    if (str_starts(name, "system-")) {
        why = arena_printf(e->arena, "%s is not a known system priority class", name);
        for (size_t i = 0; i < 2; i++) {
            if (strcmp(name, system[i].name) != 0) continue;
            why = value != system[i].value ? arena_printf(e->arena, "value of %s PriorityClass must be %lld", name, (long long)system[i].value) : NULL;
            if (!why && json_bool(o, "globalDefault", false)) why = arena_printf(e->arena, "globalDefault of %s PriorityClass must be false", name);
        }
        if (why) field_forbidden(e, FIELD(META, "name"), "priority class names with 'system-' prefix are reserved for system use only. error: %s", why);
    } else if (value > 1000000000) {
        field_forbidden(e, FIELD(NULL, "value"), "maximum allowed value of a user defined priority is 1000000000");
    }
    if (has(o, "preemptionPolicy")) choice_needed(e, NULL, o, "preemptionPolicy", "PreemptLowerPriority Never");
}

void validate_runtime_class(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *fixed_part = json_get(o, "overhead.podFixed"), *s = json_member(o, "scheduling"), *list = json_member(s, "tolerations");
    const char *handler = str_of(o, "handler");
    if (old) {
        fixed_members(e, NULL, o, old, "handler");
        return;
    }
    field_invalid_names(e, FIELD(NULL, "handler"), handler, name_dns1123_label(handler));
    if (has(o, "overhead")) resource_requirements(e, FIELD(NULL, "overhead"), json_make(e->arena, "{'limits':%v}", fixed_part), NULL, false);
    validate_labels(e, FIELD(FIELD(NULL, "scheduling"), "nodeSelector"), json_member(s, "nodeSelector"));
    const struct field_path *p = FIELD(FIELD(NULL, "scheduling"), "tolerations");
    tolerations(e, p, list);
    for (size_t i = 0; i < json_len(list); i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= json_equal(json_without_member(e->arena, json_at(list, i), "tolerationSeconds"), json_without_member(e->arena, json_at(list, k), "tolerationSeconds"));
        if (seen) field_duplicate(e, FIELD_INDEX(p, i), go_form(e->arena, "core/v1/Toleration", json_at(list, i)));
    }
}
