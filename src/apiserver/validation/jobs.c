/* batch/v1. */
#include "apiserver/validation/rules.h"

/* ---- index lists: "1,3-5,7" ---- */

static const char *bad_index(struct arena *a, const char *s, int64_t completions, int64_t *out) {
    if (!str_to_int64(*s == '+' ? s + 1 : s, out)) return arena_printf(a, "cannot convert string to integer for index: %s", status_quote(a, s));
    return *out >= completions ? arena_printf(a, "too large index: %s", status_quote(a, s)) : NULL;
}

static const char *parse_interval(struct arena *a, const char *text, int64_t completions, int64_t *x, int64_t *y) {
    size_t n;
    char **parts = str_split(a, text, '-', &n);
    if (n > 2) return arena_printf(a, "the fragment %s violates the requirement that an index interval can have at most two parts separated by '-'", status_quote(a, text));
    const char *problem = bad_index(a, parts[0], completions, x);
    if (problem || n == 1) return *y = *x, problem;
    if ((problem = bad_index(a, parts[1], completions, y))) return problem;
    return *x >= *y ? arena_printf(a, "non-increasing order, previous: %lld, current: %lld", (long long)*x, (long long)*y) : NULL;
}

static const char *parse_indexes(struct arena *a, const char *text, int64_t completions, int64_t *total) {
    int64_t last = -1, x, y;
    bool any = false;
    *total = 0;
    if (!*text) return NULL;
    char **parts = str_split(a, text, ',', NULL);
    for (size_t i = 0; parts[i]; i++) {
        const char *problem = parse_interval(a, parts[i], completions, &x, &y);
        if (problem) return problem;
        if (any && last >= x) return arena_printf(a, "non-increasing order, previous: %lld, current: %lld", (long long)last, (long long)x);
        *total += y - x + 1;
        last = y;
        any = true;
    }
    return NULL;
}

static int64_t overlap(struct arena *a, const char *completed, const char *failed, int64_t completions) {
    int64_t x, y, v, w;
    if (!*completed || !*failed) return -1;
    char **c = str_split(a, completed, ',', NULL), **f = str_split(a, failed, ',', NULL);
    for (size_t i = 0; c[i]; i++) {
        for (size_t k = 0; f[k]; k++) {
            if (parse_interval(a, c[i], completions, &x, &y) || parse_interval(a, f[k], completions, &v, &w)) continue;
            if (x <= w && v <= y) return MAX(x, v);
        }
    }
    return -1;
}

/* ---- policies ---- */

static void exit_codes(RULE, const struct json *pod) {
    const char *op = str_of(o, "operator"), *name = json_str(o, "containerName");
    const struct json *values = json_member(o, "values");
    const struct field_path *at = FIELD(p, "values");
    bool ordered = true;
    if (!*op) field_required(e, FIELD(p, "operator"), "valid values: [\"In\" \"NotIn\"]");
    else choice(e, p, o, "operator", "In NotIn");
    if (name && !named_item(json_member(pod, "containers"), name) && !named_item(json_member(pod, "initContainers"), name))
        field_invalid_str(e, FIELD(p, "containerName"), name, "must be one of the container or initContainer names in the pod template");
    if (json_len(values) == 0) field_invalid(e, at, values ? values : &json_null, "at least one value is required");
    else if (json_len(values) > 255) field_too_many(e, at, (int64_t)json_len(values), 255);
    for (size_t i = 0; i < json_len(values); i++) {
        int64_t n = json_int(json_at(values, i), NULL, 0);
        bool seen = false;
        if (n == 0 && strcmp(op, "In") == 0) field_invalid_int(e, FIELD_INDEX(at, i), n, "must not be 0 for the In operator");
        for (size_t k = 0; k < i; k++) seen |= json_int(json_at(values, k), NULL, 0) == n;
        if (seen) field_duplicate(e, FIELD_INDEX(at, i), json_at(values, i));
        if (i > 0 && json_int(json_at(values, i - 1), NULL, 0) > n) ordered = false;
    }
    if (!ordered) field_invalid(e, at, values, "must be ordered");
}

static void pod_condition(RULE) {
    label_name(e, FIELD(p, "type"), str_of(o, "type"));
    if (!*str_of(o, "status")) field_required(e, FIELD(p, "status"), "valid values: [\"False\" \"True\" \"Unknown\"]");
    else choice(e, p, o, "status", "False True Unknown");
}

/* An Invalid error that shows no value. */
static void invalid_omitted(struct field_errors *e, const struct field_path *p, const char *why) {
    field_invalid(e, p, &json_null, "%s", why);
    e->items[e->len - 1].message = arena_printf(e->arena, "Invalid value: %s", why);
}

static void failure_rule(RULE, const struct json *spec) {
    const char *action = str_of(o, "action");
    const struct json *codes = json_member(o, "onExitCodes"), *conditions = json_member(o, "onPodConditions");
    if (!*action) field_required(e, FIELD(p, "action"), "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
    else if (strcmp(action, "FailIndex") == 0 && !has(spec, "backoffLimitPerIndex")) field_invalid_str(e, FIELD(p, "action"), action, "requires the backoffLimitPerIndex to be set");
    else choice(e, p, o, "action", "Count FailIndex FailJob Ignore");
    if (codes) exit_codes(e, FIELD(p, "onExitCodes"), codes, json_get(spec, "template.spec"));
    if (json_len(conditions) > 20) field_too_many(e, FIELD(p, "onPodConditions"), (int64_t)json_len(conditions), 20);
    rule_each(e, p, o, "onPodConditions", pod_condition);
    if (codes && json_len(conditions)) invalid_omitted(e, p, "specifying both OnExitCodes and OnPodConditions is not supported");
    if (!codes && !json_len(conditions)) invalid_omitted(e, p, "specifying one of OnExitCodes and OnPodConditions is required");
}

static void success_rule(RULE, int64_t completions) {
    const char *indexes = json_str(o, "succeededIndexes");
    int64_t total = 0, n = json_int(o, "succeededCount", 0);
    if (!indexes && !has(o, "succeededCount")) field_required(e, p, "at least one of succeededCount or succeededIndexes must be specified");
    if (indexes) {
        const struct field_path *at = FIELD(p, "succeededIndexes");
        if (strlen(indexes) > 65536) field_too_long(e, at, 65536);
        const char *problem = parse_indexes(e->arena, indexes, completions, &total);
        if (problem) field_invalid_str(e, at, indexes, "error parsing succeededIndexes: %s", problem), total = 0;
    }
    if (!has(o, "succeededCount")) return;
    const struct field_path *at = FIELD(p, "succeededCount");
    field_check_nonnegative(e, at, n);
    if (n > completions) field_invalid_int(e, at, n, "must be less than or equal to %lld (the number of specified completions)", (long long)completions);
    if (indexes && n > total) field_invalid_int(e, at, n, "must be less than or equal to %lld (the number of indexes in the specified succeededIndexes field)", (long long)total);
}

/* ---- the spec, of jobs and of cron jobs' templates ---- */

static void at_most(RULE, const char *name, int64_t limit, const char *why) {
    if (has(o, name) && json_int(o, name, 0) > limit) field_invalid_int(e, FIELD(p, name), json_int(o, name, 0), "must be less than or equal to %s", why);
}

static void indexed_limits(RULE) {
    int64_t completions = json_int(o, "completions", 0);
    bool has_completions = has(o, "completions");
    if (!has_completions) field_required(e, FIELD(p, "completions"), "when completion mode is Indexed");
    at_most(e, p, o, "parallelism", 100000, "100000 when completion mode is Indexed");
    if (has_completions) at_most(e, p, o, "maxFailedIndexes", completions, "completions");
    at_most(e, p, o, "maxFailedIndexes", 100000, "100000");
    if (completions <= 100000 || !has(o, "backoffLimitPerIndex")) return;
    if (!has(o, "maxFailedIndexes")) field_required(e, FIELD(p, "maxFailedIndexes"), "must be specified when completions is above 100000");
    at_most(e, p, o, "parallelism", 10000, "10000 when completions are above 100000 and used with backoff limit per index");
    at_most(e, p, o, "maxFailedIndexes", 10000, "10000 when completions are above 100000 and used with backoff limit per index");
}

void job_spec(RULE, const struct json *old) {
    static const char *const per_index[] = {"backoffLimitPerIndex", "maxFailedIndexes"};
    const struct json *failure = json_member(o, "podFailurePolicy"), *success = json_member(o, "successPolicy"), *list;
    const char *mode = json_str(o, "completionMode"), *replacement = json_str(o, "podReplacementPolicy"), *policy = json_str_or(o, "template.spec.restartPolicy", "");
    bool indexed = mode && strcmp(mode, "Indexed") == 0;
    size_t i = 0;
    nonnegative(e, p, o, "parallelism completions activeDeadlineSeconds backoffLimit ttlSecondsAfterFinished backoffLimitPerIndex maxFailedIndexes");
    if (has(o, "maxFailedIndexes") && !has(o, "backoffLimitPerIndex")) field_required(e, FIELD(p, "backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    if (has(o, "managedBy")) {
        field_check_domain_prefixed_path(e, FIELD(p, "managedBy"), str_of(o, "managedBy"));
        if (strlen(str_of(o, "managedBy")) > 63) field_too_long(e, FIELD(p, "managedBy"), 63);
    }
    choice(e, p, o, "completionMode", "NonIndexed Indexed");
    if (indexed) indexed_limits(e, p, o);
    if (!mode || strcmp(mode, "NonIndexed") == 0)
        for (size_t k = 0; k < 2; k++) if (has(o, per_index[k])) field_invalid_int(e, FIELD(p, per_index[k]), json_int(o, per_index[k], 0), "requires indexed completion mode");
    if (failure) {
        const struct field_path *rules = FIELD(FIELD(p, "podFailurePolicy"), "rules");
        list = json_member(failure, "rules");
        if (json_len(list) > 20) field_too_many(e, rules, (int64_t)json_len(list), 20);
        JSON_EACH(r, list) failure_rule(e, FIELD_INDEX(rules, i++), r, o);
    }
    if (success && !indexed) field_invalid(e, FIELD(p, "successPolicy"), go_form(e->arena, "batch/v1/SuccessPolicy", success), "requires indexed completion mode");
    if (success && indexed) {
        const struct field_path *rules = FIELD(FIELD(p, "successPolicy"), "rules");
        list = json_member(success, "rules");
        i = 0;
        if (json_len(list) == 0) field_required(e, rules, "at least one rules must be specified when the successPolicy is specified");
        if (json_len(list) > 20) field_too_many(e, rules, (int64_t)json_len(list), 20);
        JSON_EACH(r, list) success_rule(e, FIELD_INDEX(rules, i++), r, json_int(o, "completions", 0));
    }
    const char *replacements = failure ? "Failed" : "Failed TerminatingOrFailed";
    if (replacement && !word_in(replacement, replacements)) unsupported(e, FIELD(p, "podReplacementPolicy"), replacement, replacements);
    const struct field_path *template = FIELD(p, "template"), *at = FIELD(FIELD(template, "spec"), "restartPolicy");
    pod_template(e, template, json_member(o, "template"), json_get(old, "template.spec"));
    if (!*policy || strcmp(policy, "Always") == 0) field_required(e, at, "valid values: \"OnFailure\", \"Never\"");
    else if (!word_in(policy, "OnFailure Never")) unsupported(e, at, policy, "OnFailure Never");
    else if (failure && strcmp(policy, "Never") != 0) field_invalid_str(e, at, policy, "only \"Never\" is supported when podFailurePolicy is specified");
}

/* ---- Jobs ---- */

static void has_label(struct field_errors *e, const struct json *labels, const char *key, const char *expected) {
    const struct field_path *p = FIELD_KEY(FIELD(FIELD(FIELD(SPEC, "template"), "metadata"), "labels"), key);
    const char *value = json_str(json_member(labels, key), NULL);
    if (!value) field_required(e, p, arena_printf(e->arena, "must be '%s'", expected));
    else if (strcmp(value, expected) != 0) field_invalid(e, p, labels, "must be '%s'", expected);
}

static void generated_selector(struct field_errors *e, const struct json *o) {
    const struct json *spec = json_member(o, "spec"), *labels = json_get(spec, "template.metadata.labels"), *selector = json_member(spec, "selector");
    const char *uid = json_str_or(o, "metadata.uid", ""), *name = json_str_or(o, "metadata.name", "");
    if (json_bool(spec, "manualSelector", false) || !selector) return;
    has_label(e, labels, "controller-uid", uid);
    has_label(e, labels, "job-name", name);
    has_label(e, labels, "batch.kubernetes.io/controller-uid", uid);
    has_label(e, labels, "batch.kubernetes.io/job-name", name);
    const struct json *expected = json_make(e->arena, "{'batch.kubernetes.io/controller-uid':%s,'batch.kubernetes.io/job-name':%s,'controller-uid':%s,'job-name':%s}", uid, name, uid, name);
    if (selector_valid(e->arena, selector) && !selector_matches(e->arena, selector, expected))
        field_invalid(e, FIELD(SPEC, "selector"), go_form(e->arena, LABEL_SELECTOR, selector), "`selector` not auto-generated");
}

static bool true_condition(const struct json *o, const char *type) {
    JSON_EACH(c, json_get(o, "status.conditions")) if (json_str_is(c, "type", type) && json_str_is(c, "status", "True")) return true;
    return false;
}

/* Suspended jobs that have not begun may be told where to run. */
static const struct json *with_scheduling(struct arena *a, const struct json *was, const struct json *now) {
    static const char *const paths[] = {"spec.nodeSelector", "spec.tolerations", "metadata.annotations", "metadata.labels", "spec.schedulingGates", "spec.affinity.nodeAffinity"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct json *v = json_get(now, paths[i]);
        if (v) was = json_with(a, was, paths[i], v);
        else if (json_get(was, paths[i])) was = json_without(a, was, paths[i]);
    }
    return was;
}

static void job_update(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *now = json_member(o, "spec"), *was = json_member(old, "spec"), *completions = json_member(now, "completions");
    const struct json *template = json_member(now, "template"), *old_template = json_member(was, "template");
    const char *mode = str_of(now, "completionMode");
    if (strcmp(mode, "Indexed") != 0) fixed(e, FIELD(SPEC, "completions"), completions ? completions : &json_null, json_member(was, "completions") ? json_member(was, "completions") : &json_null);
    else if (completions && !json_equal(completions, json_member(was, "completions")) && !json_equal(completions, json_member(now, "parallelism")))
        field_invalid(e, FIELD(SPEC, "completions"), completions, "can only be modified in tandem with spec.parallelism");
    fixed_as(e, FIELD(SPEC, "selector"), LABEL_SELECTOR, json_member(now, "selector"), json_member(was, "selector"));
    bool suspended = json_bool(was, "suspend", false), not_started = !has(old, "status.startTime");
    if (suspended && not_started) old_template = with_scheduling(e->arena, old_template, template);
    if (!same_as("core/v1/PodTemplateSpec", template, old_template)) {
        const struct json *meta = go_form(e->arena, "meta/v1/ObjectMeta", json_member(template, "metadata"));
        struct json_object shown = {.arena = e->arena};
        JSON_EACH_MEMBER(m, meta) json_object_add(&shown, m->key, &m->value);
        json_object_add(&shown, "Spec", go_form(e->arena, "core/v1/PodSpec", json_member(template, "spec")));
        field_invalid(e, FIELD(SPEC, "template"), json_object_done(&shown), "field is immutable");
    }
    static const struct { const char *name, *type; } kept[] = {{"completionMode", NULL}, {"podFailurePolicy", "batch/v1/PodFailurePolicy"}, {"backoffLimitPerIndex", NULL},
                                                               {"managedBy", NULL}, {"successPolicy", "batch/v1/SuccessPolicy"}};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *x = json_member(now, kept[i].name), *y = json_member(was, kept[i].name);
        if (kept[i].type ? same_as(kept[i].type, x, y) : json_equal(x, y)) continue;
        field_invalid(e, FIELD(SPEC, kept[i].name), kept[i].type ? go_form(e->arena, kept[i].type, x) : x, "field is immutable");
    }
}

static void selected_spec(struct field_errors *e, const struct json *spec, const struct json *old) {
    const struct json *selector = json_member(spec, "selector"), *labels = json_get(spec, "template.metadata.labels");
    job_spec(e, SPEC, spec, json_member(old, "spec"));
    if (!selector) field_required(e, FIELD(SPEC, "selector"), "");
    label_selector(e, FIELD(SPEC, "selector"), selector);
    if (selector_valid(e->arena, selector) && !selector_matches(e->arena, selector, labels))
        field_invalid(e, FIELD(FIELD(FIELD(SPEC, "template"), "metadata"), "labels"), labels ? labels : &json_null, "`selector` does not match template `labels`");
}

/* An update is looked at as a new object first. */
void validate_job(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec");
    const char *name = json_str_or(o, "metadata.name", "");
    int64_t n = json_int(spec, "completions", 0);
    const char *host = arena_printf(e->arena, "%s-%lld", name, (long long)n - 1);
    generated_selector(e, o);
    selected_spec(e, spec, old);
    if (json_str_is(spec, "completionMode", "Indexed") && n > 0 && name_dns1123_label(host).len)
        field_invalid_str(e, FIELD(META, "name"), name, "will not able to create pod with invalid DNS label: %s", host);
    if (!old) return;
    validate_meta_update(e, META, o, old);
    kube_finalizers(e, o);
    selected_spec(e, spec, old);
    job_update(e, o, old);
}

/* ---- status: which rules hold depends on what this update changes ---- */

static void uncounted(RULE) {
    static const char *const lists[] = {"succeeded", "failed"};
    struct json_array seen = {.arena = e->arena};
    for (size_t k = 0; k < 2; k++) {
        size_t i = 0;
        JSON_EACH(uid, json_member(o, lists[k])) {
            const struct field_path *at = FIELD_INDEX(FIELD(p, lists[k]), i++);
            bool taken = false;
            for (size_t n = 0; n < seen.len; n++) taken |= json_equal(&seen.items[n], uid);
            if (!*text_of(uid)) field_invalid_str(e, at, "", "must not be empty");
            else if (taken) field_duplicate(e, at, uid);
            else json_array_add(&seen, uid);
        }
    }
}

void validate_job_status(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char *const terminal[] = {"Failed", "Complete", "FailureTarget"};
    const struct json *s = json_member(o, "status"), *was = json_member(old, "status"), *spec = json_member(o, "spec");
    const struct field_path *conditions = FIELD(STATUS, "conditions");
    const char *completed = str_of(s, "completedIndexes"), *failed = json_str(s, "failedIndexes");
    bool done = true_condition(o, "Complete"), broke = true_condition(o, "Failed"), finished = done || broke, target = true_condition(o, "FailureTarget");
    bool criteria = true_condition(o, "SuccessCriteriaMet"), indexed = json_str_is(spec, "completionMode", "Indexed");
    bool finished_changed = finished != (true_condition(old, "Complete") || true_condition(old, "Failed")), done_changed = done != true_condition(old, "Complete");
    bool broke_changed = broke != true_condition(old, "Failed");
#define CHANGED(name) (!json_semantic_equal(json_member(s, (name)), json_member(was, (name))))
    int64_t completions = json_int(spec, "completions", 0), total;
    const char *problem;
    nonnegative(e, STATUS, s, "active succeeded failed ready terminating");
    uncounted(e, FIELD(STATUS, "uncountedTerminatedPods"), json_member(s, "uncountedTerminatedPods"));
    bool target_changed = target != true_condition(old, "FailureTarget");
    if ((done_changed || broke_changed) && done && broke) invalid_omitted(e, conditions, "cannot set Complete=True and Failed=true conditions");
    if ((done_changed || target_changed) && done && target) invalid_omitted(e, conditions, "cannot set Complete=True and FailureTarget=true conditions");
    const struct json *end = json_member(s, "completionTime"), *start = json_member(s, "startTime");
    bool end_changed = CHANGED("completionTime"), start_changed = CHANGED("startTime");
    if ((done_changed || end_changed) && end && !done) field_invalid(e, FIELD(STATUS, "completionTime"), end, "cannot set completionTime when there is no Complete=True condition");
    if ((done_changed || end_changed) && !end && done) field_required(e, FIELD(STATUS, "completionTime"), "completionTime is required for Complete jobs");
    if ((start_changed || end_changed) && start && end && strcmp(text_of(end), text_of(start)) < 0)
        field_invalid(e, FIELD(STATUS, "completionTime"), end, "must be equal to or after `startTime`");
    if (broke_changed && broke && !target) invalid_omitted(e, conditions, "cannot set Failed=True condition without the FailureTarget=true condition");
    if (done_changed && done && !criteria) invalid_omitted(e, conditions, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
    int64_t active = json_int(s, "active", 0), terminating = json_int(s, "terminating", 0);
    if ((finished_changed || CHANGED("active")) && active > 0 && finished) field_invalid_int(e, FIELD(STATUS, "active"), active, "active>0 is invalid for finished job");
    if ((finished_changed || start_changed) && !start && finished) field_required(e, FIELD(STATUS, "startTime"), "startTime is required for finished job");
    const struct json *pods = json_member(s, "uncountedTerminatedPods");
    if ((finished_changed || CHANGED("uncountedTerminatedPods")) && finished && json_len(json_member(pods, "succeeded")) + json_len(json_member(pods, "failed")))
        field_invalid(e, FIELD(STATUS, "uncountedTerminatedPods"), go_form(e->arena, "batch/v1/UncountedTerminatedPods", pods), "must be empty for finished job");
    if (CHANGED("completedIndexes") && has(spec, "completions") && (problem = parse_indexes(e->arena, completed, completions, &total)))
        field_invalid_str(e, FIELD(STATUS, "completedIndexes"), completed, "error parsing completedIndexes: %s", problem);
    if (CHANGED("failedIndexes") && failed && has(spec, "completions") && has(spec, "backoffLimitPerIndex") && (problem = parse_indexes(e->arena, failed, completions, &total)))
        field_invalid_str(e, FIELD(STATUS, "failedIndexes"), failed, "error parsing failedIndexes: %s", problem);
    if (CHANGED("completedIndexes") && *completed && !indexed)
        field_invalid_str(e, FIELD(STATUS, "completedIndexes"), completed, "cannot set non-empty completedIndexes when non-indexed completion mode");
    if (CHANGED("failedIndexes") && failed && !has(spec, "backoffLimitPerIndex"))
        field_invalid_str(e, FIELD(STATUS, "failedIndexes"), failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    if ((CHANGED("failedIndexes") || CHANGED("completedIndexes")) && failed && has(spec, "completions") && (total = overlap(e->arena, completed, failed, completions)) >= 0)
        field_invalid_str(e, FIELD(STATUS, "failedIndexes"), failed, "failedIndexes and completedIndexes overlap at index: %lld", (long long)total);
    if ((finished_changed || CHANGED("terminating")) && terminating > 0 && finished)
        field_invalid_int(e, FIELD(STATUS, "terminating"), terminating, "terminating>0 is invalid for finished job");
    if ((CHANGED("ready") || CHANGED("active")) && has(s, "ready") && json_int(s, "ready", 0) > active)
        field_invalid_int(e, FIELD(STATUS, "ready"), json_int(s, "ready", 0), "cannot set more ready pods than active");
    if (criteria && broke) invalid_omitted(e, conditions, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
    if (criteria && target) invalid_omitted(e, conditions, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
    if (has(spec, "successPolicy") && !criteria && done) invalid_omitted(e, conditions, "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
    for (size_t i = 0; i < ARRAY_LEN(terminal); i++)
        if (true_condition(old, terminal[i]) && !true_condition(o, terminal[i]))
            invalid_omitted(e, conditions, arena_printf(e->arena, "cannot disable the terminal %s=True condition", terminal[i]));
    if (json_int(s, "failed", 0) < json_int(was, "failed", 0)) field_invalid_int(e, FIELD(STATUS, "failed"), json_int(s, "failed", 0), "cannot decrease the failed counter");
    if (json_int(s, "succeeded", 0) < json_int(was, "succeeded", 0))
        field_invalid_int(e, FIELD(STATUS, "succeeded"), json_int(s, "succeeded", 0), "cannot decrease the succeeded counter");
    if (end && has(was, "completionTime") && end_changed) field_invalid(e, FIELD(STATUS, "completionTime"), end, "field is immutable");
    if (has(was, "startTime") && start_changed && !json_bool(spec, "suspend", false)) field_required(e, FIELD(STATUS, "startTime"), "startTime cannot be removed for unsuspended job");
    if (true_condition(old, "SuccessCriteriaMet") && !criteria) invalid_omitted(e, conditions, "cannot disable the SuccessCriteriaMet=True condition");
    if (true_condition(old, "Complete") && !true_condition(old, "SuccessCriteriaMet") && criteria)
        invalid_omitted(e, conditions, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions");
}
