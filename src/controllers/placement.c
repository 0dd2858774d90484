#include "controllers/placement.h"
#include "base/str.h"

static bool listed(const struct json *values, const char *v) {
    JSON_EACH(each, values) {
        if (json_str_is(each, NULL, v)) return true;
    }
    return false;
}

/* One requirement of a node selector on a label's value, NULL if the node has not that label. */
static bool requirement_met(const struct json *r, const char *value) {
    const char *op = json_str_or(r, "operator", "");
    const struct json *values = json_get(r, "values");
    int64_t have, wanted;
    if (str_eq(op, "In")) return value && listed(values, value);
    if (str_eq(op, "NotIn")) return !value || !listed(values, value);
    if (str_eq(op, "Exists")) return value;
    if (str_eq(op, "DoesNotExist")) return !value;
    if (!value || !str_to_int64(value, &have) || !str_to_int64(json_str_or(json_at(values, 0), NULL, ""), &wanted)) return false;
    return str_eq(op, "Gt") ? have > wanted : str_eq(op, "Lt") && have < wanted;
}

static bool term_met(const struct json *term, const struct json *node) {
    const struct json *labels = json_get(node, "metadata.labels"), *expressions = json_get(term, "matchExpressions"), *fields = json_get(term, "matchFields");
    JSON_EACH(r, expressions) {
        if (!requirement_met(r, json_str(json_member(labels, json_str_or(r, "key", "")), NULL))) return false;
    }
    JSON_EACH(r, fields) {
        if (!json_str_is(r, "key", "metadata.name") || !requirement_met(r, json_str(node, "metadata.name"))) return false;
    }
    return json_len(expressions) + json_len(fields) > 0;
}

bool placement_selects(const struct json *spec, const struct json *node) {
    const struct json *labels = json_get(node, "metadata.labels");
    const struct json *required = json_get(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    JSON_EACH_MEMBER(m, json_get(spec, "nodeSelector")) {
        if (!json_equal(json_member(labels, m->key), &m->value)) return false;
    }
    if (!required) return true;
    JSON_EACH(term, json_get(required, "nodeSelectorTerms")) {
        if (term_met(term, node)) return true;
    }
    return false;
}

bool placement_tolerates(const struct json *tolerations, const struct json *taint) {
    JSON_EACH(t, tolerations) {
        const char *effect = json_str_or(t, "effect", ""), *key = json_str_or(t, "key", ""), *op = json_str_or(t, "operator", "Equal");
        if (*effect && !json_str_is(taint, "effect", effect)) continue;
        if (*key && !json_str_is(taint, "key", key)) continue;
        if (str_eq(op, "Exists")) return true;
        if ((str_eq(op, "Equal") || !*op) && str_eq(json_str_or(t, "value", ""), json_str_or(taint, "value", ""))) return true;
    }
    return false;
}

bool placement_tolerates_node(const struct json *tolerations, const struct json *node, bool no_execute) {
    JSON_EACH(taint, json_get(node, "spec.taints")) {
        bool counts = json_str_is(taint, "effect", "NoExecute") || (!no_execute && json_str_is(taint, "effect", "NoSchedule"));
        if (counts && !placement_tolerates(tolerations, taint)) return false;
    }
    return true;
}
