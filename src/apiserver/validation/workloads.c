/* apps/v1, ReplicationControllers and scales. */
#include "apiserver/validation/rules.h"

#define TEMPLATE FIELD(SPEC, "template")
#define NO_MATCH "`selector` does not match template `labels`"

/* ---- shared parts ---- */

bool selector_valid(struct arena *a, const struct json *selector) {
    struct field_errors e = {.arena = a};
    label_selector(&e, SPEC, selector);
    return e.len == 0;
}

bool selector_matches(struct arena *a, const struct json *selector, const struct json *labels) {
    struct selector *s = NULL;
    cleanup_error struct error *problem = label_selector_from_json(a, selector, &s);
    return problem == NULL && label_selector_matches(s, labels);
}

static const struct json *selector_of(const struct json *spec) { return has(spec, "selector") ? json_member(spec, "selector") : NULL; }
static bool selector_empty(const struct json *s) { return json_len(json_member(s, "matchLabels")) + json_len(json_member(s, "matchExpressions")) == 0; }

static void template_labels(struct field_errors *e, const struct json *template, const struct json *selector) {
    const struct json *labels = json_get(template, "metadata.labels");
    if (!selector_matches(e->arena, selector, labels)) field_invalid(e, FIELD(FIELD(TEMPLATE, "metadata"), "labels"), labels ? labels : &json_null, NO_MATCH);
}

static void always_restarts(struct field_errors *e, const struct json *template, const char *kind) {
    const struct field_path *at = FIELD(TEMPLATE, "spec");
    const char *policy = json_str_or(template, "spec.restartPolicy", "");
    if (strcmp(policy, "Always") != 0) unsupported(e, FIELD(at, "restartPolicy"), policy, "Always");
    if (json_get(template, "spec.activeDeadlineSeconds")) field_forbidden(e, FIELD(at, "activeDeadlineSeconds"), "activeDeadlineSeconds in %s is not Supported", kind);
}

static const struct json *old_spec(const struct json *old) { return json_get(old, "spec.template.spec"); }

/* ---- numbers or percentages ---- */

void positive_int_or_percent(RULE) {
    if (json_is(o, JSON_STRING)) field_invalid_names(e, p, o->s, name_percent(o->s));
    else field_check_nonnegative(e, p, json_int(o, NULL, 0));
}

static bool percent(const struct json *v, int64_t *out) {
    if (!json_is(v, JSON_STRING) || name_percent(v->s).len) return false;
    *out = strtoll(v->s, NULL, 10);
    return true;
}

/* A text that is neither counts as 0, as Go's Atoi leaves it. */
static int64_t int_or_percent(const struct json *v) {
    int64_t n;
    if (percent(v, &n)) return n;
    return !json_is(v, JSON_STRING) ? json_int(v, NULL, 0) : str_to_int64(v->s, &n) ? n : 0;
}

void at_most_100_percent(RULE) {
    int64_t n;
    if (percent(o, &n) && n > 100) field_invalid(e, p, o, "must not be greater than 100%%");
}

/* ---- Deployments and ReplicaSets ---- */

static void selected_template(struct field_errors *e, const struct json *spec, const struct json *old) {
    const struct json *selector = selector_of(spec), *template = json_member(spec, "template");
    const struct field_path *at = FIELD(SPEC, "selector");
    if (!selector) field_required(e, at, "");
    label_selector(e, at, selector);
    if (selector && selector_empty(selector)) field_invalid(e, at, go_form(e->arena, LABEL_SELECTOR, selector), "empty selector is invalid for deployment");
    if (!selector_valid(e->arena, selector)) {
        field_invalid(e, at, go_form(e->arena, LABEL_SELECTOR, selector), "invalid label selector");
        return;
    }
    if (!selector_empty(selector) || !selector) template_labels(e, template, selector);
    pod_template(e, TEMPLATE, template, old_spec(old));
    always_restarts(e, template, "ReplicaSet");
}

static void rolling_deployment(RULE) {
    const struct json *unavailable = json_member(o, "maxUnavailable"), *surge = json_member(o, "maxSurge");
    positive_int_or_percent(e, FIELD(p, "maxUnavailable"), unavailable);
    positive_int_or_percent(e, FIELD(p, "maxSurge"), surge);
    if (int_or_percent(unavailable) == 0 && int_or_percent(surge) == 0)
        field_invalid(e, FIELD(p, "maxUnavailable"), unavailable ? unavailable : json_integer(e->arena, 0), "may not be 0 when `maxSurge` is 0");
    at_most_100_percent(e, FIELD(p, "maxUnavailable"), unavailable);
}

static void deployment_strategy(RULE) {
    const char *type = str_of(o, "type");
    if (strcmp(type, "Recreate") == 0) forbid(e, p, o, "rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
    else if (strcmp(type, "RollingUpdate") != 0)
        field_not_supported(e, p, go_form(e->arena, "apps/v1/DeploymentStrategy", o), (const char *const[]){"Recreate", "RollingUpdate", NULL});
    else if (need_why(e, p, o, "rollingUpdate", "this should be defaulted and never be nil")) rolling_deployment(e, FIELD(p, "rollingUpdate"), json_member(o, "rollingUpdate"));
}

void validate_deployment(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec");
    nonnegative(e, SPEC, spec, "replicas");
    selected_template(e, spec, old);
    deployment_strategy(e, FIELD(SPEC, "strategy"), json_member(spec, "strategy"));
    nonnegative(e, SPEC, spec, "minReadySeconds revisionHistoryLimit");
    if (has(spec, "progressDeadlineSeconds")) {
        int64_t n = json_int(spec, "progressDeadlineSeconds", 0);
        nonnegative(e, SPEC, spec, "progressDeadlineSeconds");
        if (n <= json_int(spec, "minReadySeconds", 0)) field_invalid_int(e, FIELD(SPEC, "progressDeadlineSeconds"), n, "must be greater than minReadySeconds");
    }
    if (old) fixed_as(e, FIELD(SPEC, "selector"), LABEL_SELECTOR, json_member(spec, "selector"), json_get(old, "spec.selector"));
}

void validate_replica_set(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec");
    nonnegative(e, SPEC, spec, "replicas minReadySeconds");
    selected_template(e, spec, old);
    if (old) fixed_as(e, FIELD(SPEC, "selector"), LABEL_SELECTOR, json_member(spec, "selector"), json_get(old, "spec.selector"));
}

/* ---- status: counts that cannot exceed each other ---- */

static void not_more(RULE, const char *name, const char *limit, const char *why) {
    if (json_int(o, name, 0) > json_int(o, limit, 0)) field_invalid_int(e, FIELD(p, name), json_int(o, name, 0), "%s", why);
}

static void collisions(struct field_errors *e, const struct json *o, const struct json *old) {
    int64_t now = json_int(o, "status.collisionCount", 0);
    if (json_get(old, "status.collisionCount") && (!json_get(o, "status.collisionCount") || now < json_int(old, "status.collisionCount", 0)))
        field_invalid_int(e, FIELD(STATUS, "collisionCount"), now, "cannot be decremented");
}

#define MORE "cannot be greater than status.replicas"

void validate_deployment_status(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *s = json_member(o, "status");
    nonnegative(e, STATUS, s, "observedGeneration replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas terminatingReplicas collisionCount");
    not_more(e, STATUS, s, "updatedReplicas", "replicas", MORE);
    not_more(e, STATUS, s, "readyReplicas", "replicas", MORE);
    not_more(e, STATUS, s, "availableReplicas", "replicas", MORE);
    not_more(e, STATUS, s, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
    collisions(e, o, old);
}

static void replica_status(struct field_errors *e, const struct json *s, const char *counts) {
    nonnegative(e, STATUS, s, counts);
    not_more(e, STATUS, s, "fullyLabeledReplicas", "replicas", MORE);
    not_more(e, STATUS, s, "readyReplicas", "replicas", MORE);
    not_more(e, STATUS, s, "availableReplicas", "replicas", MORE);
    not_more(e, STATUS, s, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
}

void validate_replica_set_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    replica_status(e, json_member(o, "status"), "replicas fullyLabeledReplicas readyReplicas availableReplicas observedGeneration terminatingReplicas");
}

void validate_replication_controller_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    replica_status(e, json_member(o, "status"), "replicas fullyLabeledReplicas readyReplicas availableReplicas observedGeneration");
}

/* ---- ReplicationControllers ---- */

void validate_replication_controller(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *template = json_member(spec, "template"), *selector = json_member(spec, "selector");
    nonnegative(e, SPEC, spec, "minReadySeconds");
    need(e, SPEC, spec, "selector");
    if (!has(spec, "replicas")) field_required(e, FIELD(SPEC, "replicas"), "");
    else nonnegative(e, SPEC, spec, "replicas");
    if (!template) {
        field_required(e, TEMPLATE, "");
        return;
    }
    const struct json *labels = json_get(template, "metadata.labels");
    bool match = true;
    JSON_EACH_MEMBER(m, selector) match &= json_equal(json_member(labels, m->key), &m->value);
    if (!match) field_invalid(e, FIELD(FIELD(TEMPLATE, "metadata"), "labels"), labels ? labels : &json_null, NO_MATCH);
    pod_template(e, TEMPLATE, template, old_spec(old));
    always_restarts(e, template, "ReplicationController");
}

/* ---- DaemonSets ---- */

static void rolling_daemons(RULE) {
    const struct json *unavailable = json_member(o, "maxUnavailable"), *surge = json_member(o, "maxSurge");
    positive_int_or_percent(e, FIELD(p, "maxUnavailable"), unavailable);
    positive_int_or_percent(e, FIELD(p, "maxSurge"), surge);
    at_most_100_percent(e, FIELD(p, "maxUnavailable"), unavailable);
    at_most_100_percent(e, FIELD(p, "maxSurge"), surge);
    bool down = int_or_percent(unavailable) != 0, up = int_or_percent(surge) != 0;
    if (down && up) field_invalid(e, FIELD(p, "maxSurge"), surge, "may not be set when maxUnavailable is non-zero");
    if (!down && !up) field_required(e, FIELD(p, "maxUnavailable"), "cannot be 0 when maxSurge is 0");
}

static void daemon_strategy(RULE) {
    const char *type = str_of(o, "type");
    if (strcmp(type, "RollingUpdate") == 0) {
        if (need(e, p, o, "rollingUpdate")) rolling_daemons(e, FIELD(p, "rollingUpdate"), json_member(o, "rollingUpdate"));
    } else if (strcmp(type, "OnDelete") != 0) {
        field_not_supported(e, p, go_form(e->arena, "apps/v1/DaemonSetUpdateStrategy", o), (const char *const[]){"RollingUpdate", "OnDelete", NULL});
    }
}

void validate_daemon_set(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *selector = selector_of(spec), *template = json_member(spec, "template");
    const struct field_path *at = FIELD(SPEC, "selector");
    if (old) fixed_as(e, FIELD(SPEC, "selector"), LABEL_SELECTOR, json_member(spec, "selector"), json_get(old, "spec.selector"));
    label_selector(e, at, selector);
    if (selector_valid(e->arena, selector)) template_labels(e, template, selector);
    if (selector && selector_empty(selector)) field_invalid(e, at, go_form(e->arena, LABEL_SELECTOR, selector), "empty selector is invalid for daemonset");
    pod_template(e, TEMPLATE, template, old_spec(old));
    always_restarts(e, template, "DaemonSet");
    nonnegative(e, SPEC, spec, "minReadySeconds");
    daemon_strategy(e, FIELD(SPEC, "updateStrategy"), json_member(spec, "updateStrategy"));
    nonnegative(e, SPEC, spec, "revisionHistoryLimit");
}

void validate_daemon_set_status(struct field_errors *e, const struct json *o, const struct json *old) {
    nonnegative(e, STATUS, json_member(o, "status"),
                "currentNumberScheduled numberMisscheduled desiredNumberScheduled numberReady observedGeneration updatedNumberScheduled numberAvailable numberUnavailable collisionCount");
    collisions(e, o, old);
}

/* ---- StatefulSets ---- */

static void stateful_strategy(RULE) {
    const char *type = str_of(o, "type");
    const struct json *rolling = json_member(o, "rollingUpdate");
    const struct field_path *at = FIELD(p, "rollingUpdate");
    if (!*type) field_required(e, p, "");
    else if (strcmp(type, "OnDelete") == 0) {
        if (rolling) field_invalid(e, at, go_form(e->arena, "apps/v1/RollingUpdateStatefulSetStrategy", rolling), "only allowed for updateStrategy 'RollingUpdate'");
    } else if (strcmp(type, "RollingUpdate") != 0) {
        field_invalid(e, p, go_form(e->arena, "apps/v1/StatefulSetUpdateStrategy", o), "must be 'RollingUpdate' or 'OnDelete'");
    } else if (rolling) {
        const struct json *most = json_member(rolling, "maxUnavailable");
        nonnegative(e, at, rolling, "partition");
        if (!most) return;
        positive_int_or_percent(e, FIELD(at, "maxUnavailable"), most);
        if (int_or_percent(most) == 0) field_invalid(e, FIELD(at, "maxUnavailable"), most, "cannot be 0");
        at_most_100_percent(e, FIELD(at, "maxUnavailable"), most);
    }
}

static void claim_template(RULE) { claim_spec(e, FIELD(p, "spec"), json_member(o, "spec")); }

static void retention(RULE) {
    static const char *const when[] = {"whenDeleted", "whenScaled"};
    for (size_t i = 0; i < 2; i++) if (!word_in(str_of(o, when[i]), "Retain Delete")) unsupported(e, FIELD(p, when[i]), str_of(o, when[i]), "Retain Delete");
}

/* Pods get a volume for each claim template; their names are made. */
static const struct json *stateful_template(struct arena *a, const struct json *spec) {
    const struct json *t = json_member(spec, "template"), *claims = json_member(spec, "volumeClaimTemplates");
    struct json_array volumes = {.arena = a};
    t = json_without(a, json_without(a, t, "spec.subdomain"), "spec.hostname");
    if (json_len(claims) == 0) return t;
    JSON_EACH(c, claims) {
        const char *name = json_str_or(c, "metadata.name", "");
        bool known = false;
        for (size_t k = 0; k < volumes.len; k++) known |= json_str_is(&volumes.items[k], "name", name);
        if (!known) json_array_add(&volumes, json_make(a, "{'name':%s,'persistentVolumeClaim':{'claimName':%s}}", name, name));
    }
    for (size_t i = 0, n = volumes.len; i < json_len(json_get(t, "spec.volumes")); i++) {
        const struct json *v = json_at(json_get(t, "spec.volumes"), i);
        bool replaced = false;
        for (size_t k = 0; k < n; k++) replaced |= json_str_is(&volumes.items[k], "name", str_of(v, "name"));
        if (!replaced) json_array_add(&volumes, v);
    }
    return json_with(a, t, "spec.volumes", json_array_done(&volumes));
}

static void stateful_spec(RULE, const struct json *old) {
    const struct json *selector = selector_of(o), *template = json_member(o, "template");
    const char *management = str_of(o, "podManagementPolicy");
    const struct field_path *at = FIELD(p, "selector");
    if (need(e, p, o, "podManagementPolicy") && !word_in(management, "OrderedReady Parallel"))
        field_invalid_str(e, FIELD(p, "podManagementPolicy"), management, "must be 'OrderedReady' or 'Parallel'");
    stateful_strategy(e, FIELD(p, "updateStrategy"), json_member(o, "updateStrategy"));
    rule_at(e, p, o, "persistentVolumeClaimRetentionPolicy", retention);
    if (!old) rule_each(e, p, o, "volumeClaimTemplates", claim_template);
    nonnegative(e, p, o, "replicas minReadySeconds");
    field_check_nonnegative(e, FIELD(p, "ordinals.start"), json_int(o, "ordinals.start", 0));
    if (!old) named(e, p, o, "serviceName", name_dns1123_label);
    if (!selector) field_required(e, at, "");
    label_selector(e, at, selector);
    if (selector && selector_empty(selector)) field_invalid(e, at, go_form(e->arena, LABEL_SELECTOR, selector), "empty selector is invalid for statefulset");
    if (!selector_valid(e->arena, selector)) {
        field_invalid(e, at, go_form(e->arena, LABEL_SELECTOR, selector), NULL);
    } else {
        const struct json *t = stateful_template(e->arena, o);
        const struct json *meta = json_member(t, "metadata");
        if (!selector || !selector_empty(selector)) template_labels(e, t, selector);
        pod_template(e, TEMPLATE, t, json_get(old, "template.spec"));
        validate_labels(e, FIELD(TEMPLATE, "labels"), json_member(meta, "labels"));
        validate_annotations(e, FIELD(TEMPLATE, "annotations"), json_member(meta, "annotations"));
        pod_annotations(e, FIELD(TEMPLATE, "annotations"), json_member(meta, "annotations"), json_member(t, "spec"));
    }
    always_restarts(e, template, "StatefulSet");
}

void validate_stateful_set(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char *const changeable[] = {"replicas", "template", "updateStrategy", "minReadySeconds", "ordinals", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy"};
    const struct json *now = json_member(o, "spec"), *was = json_member(old, "spec");
    stateful_spec(e, SPEC, now, was);
    if (!old) return;
    for (size_t i = 0; i < ARRAY_LEN(changeable); i++) {
        now = json_without_member(e->arena, now, changeable[i]);
        was = json_without_member(e->arena, was, changeable[i]);
    }
    if (!same_as("apps/v1/StatefulSetSpec", now, was))
        field_forbidden(e, SPEC, "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
}

void validate_stateful_set_status(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char *const counts[] = {"readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"};
    const struct json *s = json_member(o, "status");
    nonnegative(e, STATUS, s, "replicas readyReplicas currentReplicas updatedReplicas availableReplicas observedGeneration collisionCount");
    for (size_t i = 0; i < 4; i++) not_more(e, STATUS, s, counts[i], "replicas", MORE);
    not_more(e, STATUS, s, "availableReplicas", "readyReplicas", "cannot be greater than status.readyReplicas");
    validate_meta_update(e, META, o, old);
    kube_finalizers(e, o);
    collisions(e, o, old);
}

void validate_controller_revision(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *data = json_member(o, "data");
    nonnegative(e, NULL, o, "revision");
    if (old) fixed(e, FIELD(NULL, "data"), data, json_member(old, "data"));
    else if (!has(o, "data")) field_required(e, FIELD(NULL, "data"), "data is mandatory");
    else if (!json_is(data, JSON_OBJECT)) field_required(e, FIELD(NULL, "data"), "data must be a valid JSON object");
}

void validate_scale(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    nonnegative(e, SPEC, json_member(o, "spec"), "replicas");
}
