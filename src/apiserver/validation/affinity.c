/* Where pods may run: node selectors, affinity, spread, tolerations and taints. */
#include "apiserver/validation/rules.h"

/* ---- node selectors ---- */

static void requirement(RULE, bool check_values) {
    const char *op = str_of(o, "operator");
    const struct json *values = json_member(o, "values");
    const struct field_path *at = FIELD(p, "values");
    size_t n = json_len(values), i = 0;
    if (word_in(op, "In NotIn")) {
        if (n == 0) field_required(e, at, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (word_in(op, "Exists DoesNotExist")) {
        if (n > 0) field_forbidden(e, at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (word_in(op, "Gt Lt")) {
        if (n != 1) field_required(e, at, "must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        field_invalid_str(e, FIELD(p, "operator"), op, "not a valid selector operator");
    }
    label_name(e, FIELD(p, "key"), str_of(o, "key"));
    JSON_EACH(v, check_values ? values : NULL) {
        field_invalid_names(e, FIELD_INDEX(at, i), text_of(v), name_label_value(text_of(v)));
        i++;
    }
}
void node_selector_requirement(RULE) { requirement(e, p, o, true); }
static void preferred_requirement(RULE) { requirement(e, p, o, false); }

static void field_requirement(RULE) {
    const char *op = str_of(o, "operator"), *key = str_of(o, "key");
    const struct json *values = json_member(o, "values");
    size_t i = 0;
    if (!word_in(op, "In NotIn")) field_invalid_str(e, FIELD(p, "operator"), op, "not a valid selector operator");
    else if (json_len(values) != 1) field_required(e, FIELD(p, "values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
    if (strcmp(key, "metadata.name") != 0) {
        field_invalid_str(e, FIELD(p, "key"), key, "not a valid field selector key");
        return;
    }
    JSON_EACH(v, values) {
        field_invalid_names(e, FIELD_INDEX(FIELD(p, "values"), i), text_of(v), name_dns1123_subdomain(text_of(v)));
        i++;
    }
}

void node_selector_term(RULE) {
    rule_each(e, p, o, "matchExpressions", node_selector_requirement);
    rule_each(e, p, o, "matchFields", field_requirement);
}

void node_selector(RULE) {
    if (need_why(e, p, o, "nodeSelectorTerms", "must have at least one node selector term")) rule_each(e, p, o, "nodeSelectorTerms", node_selector_term);
}

static void topology_requirement(RULE) {
    const struct json *values = json_member(o, "values");
    const struct field_path *at = FIELD(p, "values");
    size_t i = 0;
    need(e, p, o, "values");
    JSON_EACH(v, values) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(values, k), v);
        if (seen) field_duplicate(e, FIELD_INDEX(at, i), v);
        i++;
    }
    label_name(e, FIELD(p, "key"), str_of(o, "key"));
}

void topology_selector_term(RULE) {
    const struct json *list = json_member(o, "matchLabelExpressions");
    size_t i = 0;
    JSON_EACH(r, list) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "matchLabelExpressions"), i);
        topology_requirement(e, at, r);
        unique(e, at, list, i, "key");
        i++;
    }
}

/* ---- affinity ---- */

static void weight(RULE) {
    int64_t w = json_int(o, "weight", 0);
    if (w <= 0 || w > 100) field_invalid_int(e, FIELD(p, "weight"), w, "must be in the range 1-100");
}

static void preferred_node(RULE) {
    weight(e, p, o);
    const struct json *term = json_member(o, "preference");
    rule_each(e, FIELD(p, "preference"), term, "matchExpressions", preferred_requirement);
    rule_each(e, FIELD(p, "preference"), term, "matchFields", field_requirement);
}

static void label_keys(RULE, const char *name, const struct json *selector) {
    const struct json *keys = json_member(o, name);
    size_t i = 0;
    if (json_len(keys) == 0) return;
    if (selector == NULL) {
        field_forbidden(e, FIELD(p, name), "must not be specified when labelSelector is not set");
        return;
    }
    JSON_EACH(k, keys) {
        label_name(e, FIELD_INDEX(FIELD(p, name), i), text_of(k));
        i++;
    }
}

/* Keys of which upstream makes requirements; those may already be in the selector, but only once. */
static void match_label_keys(RULE) {
    const struct json *selector = json_member(o, "labelSelector"), *keys = json_member(o, "matchLabelKeys"), *mismatch = json_member(o, "mismatchLabelKeys");
    const struct json *expressions = json_member(selector, "matchExpressions");
    label_keys(e, p, o, "matchLabelKeys", selector);
    label_keys(e, p, o, "mismatchLabelKeys", selector);
    size_t n = 0;
    JSON_EACH(x, expressions) {
        const char *key = str_of(x, "key");
        bool seen = json_member(json_member(selector, "matchLabels"), key) != NULL;
        for (size_t k = 0; k < n; k++) seen |= strcmp(str_of(json_at(expressions, k), "key"), key) == 0;
        n++;
        for (size_t k = json_len(keys); seen && k-- > 0;) {
            if (!json_str_is(json_at(keys, k), NULL, key)) continue;
            field_invalid_str(e, FIELD_INDEX(p, k), key, "exists in both matchLabelKeys and labelSelector");
            break;
        }
    }
    n = 0;
    JSON_EACH(k, keys) {
        if (list_contains(mismatch, text_of(k)))
            field_invalid_str(e, FIELD_INDEX(FIELD(p, "matchLabelKeys"), n), text_of(k), "exists in both matchLabelKeys and mismatchLabelKeys");
        n++;
    }
}

static void pod_term(RULE) {
    const char *key = str_of(o, "topologyKey");
    label_selector(e, FIELD(p, "labelSelector"), json_member(o, "labelSelector"));
    label_selector(e, FIELD(p, "namespaceSelector"), json_member(o, "namespaceSelector"));
    JSON_EACH(ns, json_member(o, "namespaces")) field_invalid_names(e, FIELD(p, "namespace"), text_of(ns), name_dns1123_label(text_of(ns)));
    match_label_keys(e, p, o);
    need_why(e, p, o, "topologyKey", "can not be empty");
    label_name(e, FIELD(p, "topologyKey"), key);
}
static void weighted_pod_term(RULE) {
    weight(e, p, o);
    pod_term(e, FIELD(p, "podAffinityTerm"), json_member(o, "podAffinityTerm"));
}

static void node_affinity(RULE) {
    rule_at(e, p, o, "requiredDuringSchedulingIgnoredDuringExecution", node_selector);
    rule_each(e, p, o, "preferredDuringSchedulingIgnoredDuringExecution", preferred_node);
}
static void pod_affinity(RULE) {
    rule_each(e, p, o, "requiredDuringSchedulingIgnoredDuringExecution", pod_term);
    rule_each(e, p, o, "preferredDuringSchedulingIgnoredDuringExecution", weighted_pod_term);
}
void affinity(RULE) {
    rule_at(e, p, o, "nodeAffinity", node_affinity);
    rule_at(e, p, o, "podAffinity", pod_affinity);
    rule_at(e, p, o, "podAntiAffinity", pod_affinity);
}

/* ---- spread ---- */

void spread_constraints(RULE) {
    size_t i = 0;
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *key = str_of(c, "topologyKey"), *when = str_of(c, "whenUnsatisfiable");
        i++;
        if (json_int(c, "maxSkew", 0) <= 0) field_invalid_int(e, FIELD(at, "maxSkew"), json_int(c, "maxSkew", 0), "must be greater than zero");
        need_why(e, at, c, "topologyKey", "can not be empty");
        if (!word_in(when, "DoNotSchedule ScheduleAnyway")) unsupported(e, FIELD(at, "whenUnsatisfiable"), when, "DoNotSchedule ScheduleAnyway");
        for (size_t k = i; k < json_len(o); k++) {
            if (strcmp(str_of(json_at(o, k), "topologyKey"), key) != 0 || strcmp(str_of(json_at(o, k), "whenUnsatisfiable"), when) != 0) continue;
            field_duplicate(e, FIELD(at, "{topologyKey, whenUnsatisfiable}"), json_strf(e->arena, "{%s, %s}", key, when));
            break;
        }
        int64_t domains = json_int(c, "minDomains", 1);
        if (domains <= 0) field_invalid_int(e, FIELD(at, "minDomains"), domains, "must be greater than zero");
        if (has(c, "minDomains") && strcmp(when, "DoNotSchedule") != 0)
            field_invalid_int(e, FIELD(at, "minDomains"), domains, "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %s", when);
        choice(e, at, c, "nodeAffinityPolicy", "Honor Ignore");
        choice(e, at, c, "nodeTaintsPolicy", "Honor Ignore");
        match_label_keys(e, at, json_without_member(e->arena, c, "mismatchLabelKeys"));
        label_selector(e, FIELD(at, "labelSelector"), json_member(c, "labelSelector"));
    }
}

/* ---- tolerations and taints ---- */

#define EFFECTS "NoSchedule PreferNoSchedule NoExecute"

static void toleration(RULE) {
    const char *key = str_of(o, "key"), *op = str_of(o, "operator"), *value = str_of(o, "value"), *effect = str_of(o, "effect");
    const struct field_path *at = FIELD(p, "operator");
    if (*key) label_name(e, FIELD(p, "key"), key);
    if (!*key && strcmp(op, "Exists") != 0)
        field_invalid_str(e, at, op, "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (has(o, "tolerationSeconds") && strcmp(effect, "NoExecute") != 0)
        field_invalid_str(e, FIELD(p, "effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (!*op || strcmp(op, "Equal") == 0) {
        struct name_errors errors = name_label_value(value);
        if (errors.len) field_invalid_str(e, at, value, "%s", name_errors_join(e->arena, errors, ";"));
    } else if (strcmp(op, "Exists") == 0) {
        if (*value) field_invalid_str(e, at, value, "value must be empty when `operator` is 'Exists'");
    } else {
        unsupported(e, at, op, word_in(op, "Lt Gt") ? "Equal Exists Lt Gt" : "Equal Exists");
    }
    if (*effect) choice(e, p, o, "effect", EFFECTS);
}

void tolerations(RULE) {
    size_t i = 0;
    JSON_EACH(t, o) {
        toleration(e, FIELD_INDEX(p, i), t);
        i++;
    }
}

void taints(RULE) {
    size_t i = 0;
    JSON_EACH(t, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        struct name_errors errors = name_label_value(str_of(t, "value"));
        label_name(e, FIELD(at, "key"), str_of(t, "key"));
        if (errors.len) field_invalid_str(e, FIELD(at, "value"), str_of(t, "value"), "%s", name_errors_join(e->arena, errors, ";"));
        choice_needed(e, at, t, "effect", EFFECTS);
        for (size_t k = 0; k < i; k++) {
            const struct json *q = json_at(o, k);
            if (strcmp(str_of(q, "key"), str_of(t, "key")) != 0 || strcmp(str_of(q, "effect"), str_of(t, "effect")) != 0) continue;
            field_duplicate(e, at, go_form(e->arena, "core/v1/Taint", t));
            e->items[e->len - 1].message = arena_printf(e->arena, "%s: taints must be unique by key and effect pair", e->items[e->len - 1].message);
            break;
        }
        i++;
    }
}
