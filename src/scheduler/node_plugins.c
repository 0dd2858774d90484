/* Plugins that look at the node alone: NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts. */
#include "base/str.h"
#include "scheduler/plugins.h"

/* ---- taints ---- */

bool taint_tolerated(const struct json *tolerations, const struct json *taint) {
    JSON_EACH(t, tolerations) {
        const char *effect = json_str_or(t, "effect", ""), *key = json_str_or(t, "key", ""), *op = json_str_or(t, "operator", "Equal");
        if (effect[0] != '\0' && !json_str_is(taint, "effect", effect)) continue;
        if (key[0] != '\0' && !json_str_is(taint, "key", key)) continue;
        if (strcmp(op, "Exists") == 0) return true;
        if (key[0] != '\0' && strcmp(op, "Equal") == 0 && str_eq(json_str_or(t, "value", ""), json_str_or(taint, "value", ""))) return true;
    }
    return false;
}

const struct json *untolerated_taint(const struct json *tolerations, const struct json *taints, bool only_prefer) {
    JSON_EACH(taint, taints) {
        bool prefer = json_str_is(taint, "effect", "PreferNoSchedule");
        if (prefer == only_prefer && !taint_tolerated(tolerations, taint)) return taint;
    }
    return NULL;
}

static bool tolerates_all(const struct json *tolerations) {
    JSON_EACH(t, tolerations) {
        if (json_str_is(t, "operator", "Exists") && json_str_or(t, "key", "")[0] == '\0' && json_str_or(t, "effect", "")[0] == '\0') return true;
    }
    return false;
}

static bool prefilter_taints(struct cycle *c, size_t self) {
    c->skip_filter[self] = tolerates_all(c->pod->tolerations);
    return true;
}

static enum verdict filter_taints(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    if (!r->node->tainted) return FITS;
    const struct json *taint = untolerated_taint(c->pod->tolerations, r->node->taints, false);
    return taint == NULL ? FITS : node_refuse(r, UNRESOLVABLE, "node(s) had untolerated taint(s)");
}

static bool prescore_taints(struct cycle *c, size_t self UNUSED) { return c->state->discouraged > 0; } /* else all nodes get the same */

static int64_t score_taints(struct cycle *c, size_t self UNUSED, struct node_info *n) {
    int64_t count = 0;
    if (!n->discouraged) return 0;
    JSON_EACH(taint, n->taints) {
        count += json_str_is(taint, "effect", "PreferNoSchedule") && !taint_tolerated(c->pod->tolerations, taint);
    }
    return count;
}

const struct plugin plugin_taint_toleration = {
    .name = "TaintToleration", .prefilter = prefilter_taints, .filter = filter_taints, .prescore = prescore_taints, .score = score_taints,
    .normalize = NORMALIZE_REVERSED, .weight = 3};

/* ---- spec.unschedulable ---- */

static enum verdict filter_unschedulable(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    static const struct json_member members[] = {{"key", 3, {.type = JSON_STRING, .len = 32, .s = "node.kubernetes.io/unschedulable"}},
                                                 {"effect", 6, {.type = JSON_STRING, .len = 10, .s = "NoSchedule"}}};
    static const struct json taint = {.type = JSON_OBJECT, .len = 2, .members = members};
    if (!r->node->unschedulable || taint_tolerated(c->pod->tolerations, &taint)) return FITS;
    return node_refuse(r, UNRESOLVABLE, "node(s) were unschedulable");
}
const struct plugin plugin_node_unschedulable = {.name = "NodeUnschedulable", .filter = filter_unschedulable};

/* ---- spec.nodeName (a pod that asks for a node has it already; kept for nominated ones) ---- */

static bool prefilter_name(struct cycle *c, size_t self) {
    c->skip_filter[self] = json_str(c->pod->spec, "nodeName") == NULL;
    return true;
}

static enum verdict filter_name(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    const char *wanted = json_str(c->pod->spec, "nodeName");
    return strcmp(wanted, r->node->name) == 0 ? FITS : node_refuse(r, UNRESOLVABLE, "node(s) didn't match the requested node name");
}
const struct plugin plugin_node_name = {.name = "NodeName", .prefilter = prefilter_name, .filter = filter_name};

/* ---- node affinity ---- */

static bool value_in(const struct json *values, const char *value) {
    JSON_EACH(v, values) {
        if (json_is(v, JSON_STRING) && strcmp(v->s, value) == 0) return true;
    }
    return false;
}

static bool requirement_matches(const struct json *r, const char *value) {
    const char *op = json_str_or(r, "operator", "");
    const struct json *values = json_get(r, "values");
    int64_t have, limit;
    if (strcmp(op, "In") == 0) return value != NULL && value_in(values, value);
    if (strcmp(op, "NotIn") == 0) return value == NULL || !value_in(values, value);
    if (strcmp(op, "Exists") == 0) return value != NULL;
    if (strcmp(op, "DoesNotExist") == 0) return value == NULL;
    if (value == NULL || json_len(values) != 1 || !str_to_int64(value, &have) || !str_to_int64(json_str_or(json_at(values, 0), NULL, ""), &limit)) return false;
    return strcmp(op, "Gt") == 0 ? have > limit : strcmp(op, "Lt") == 0 && have < limit;
}

bool node_selector_term_matches(struct arena *a UNUSED, const struct json *term, const struct node_info *n) {
    const struct json *expressions = json_get(term, "matchExpressions"), *fields = json_get(term, "matchFields");
    if (json_len(expressions) + json_len(fields) == 0) return false;
    JSON_EACH(e, expressions) {
        const struct json *value = json_member(n->labels, json_str_or(e, "key", ""));
        if (!requirement_matches(e, value ? value->s : NULL)) return false;
    }
    JSON_EACH(f, fields) {
        if (!requirement_matches(f, json_str_is(f, "key", "metadata.name") ? n->name : NULL)) return false;
    }
    return true;
}

bool node_matches_affinity(struct arena *a, const struct json *spec, const struct node_info *n) {
    JSON_EACH_MEMBER(m, json_get(spec, "nodeSelector")) {
        const struct json *value = json_member(n->labels, m->key);
        if (value == NULL || !json_equal(value, &m->value)) return false;
    }
    const struct json *required = json_get(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    if (required == NULL) return true;
    JSON_EACH(term, json_get(required, "nodeSelectorTerms")) {
        if (node_selector_term_matches(a, term, n)) return true;
    }
    return false;
}

/* A term whose metadata.name requirement names nodes narrows the search to them, as upstream does; the message for the
 * others then names the plugin. */
static bool prefilter_affinity(struct cycle *c, size_t self) {
    const struct json *required = json_get(c->pod->spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    if (required == NULL && json_len(json_get(c->pod->spec, "nodeSelector")) == 0) return c->skip_filter[self] = true;
    const struct json *terms = json_get(required, "nodeSelectorTerms");
    const char **names = NULL;
    size_t count = 0;
    JSON_EACH(term, terms) {
        bool named = false;
        JSON_EACH(f, json_get(term, "matchFields")) {
            if (!json_str_is(f, "key", "metadata.name") || !json_str_is(f, "operator", "In")) continue;
            JSON_EACH(v, json_get(f, "values")) {
                names = arena_grow(&c->arena, names, count * sizeof(char *), (count + 2) * sizeof(char *));
                names[count++] = v->s;
                names[count] = NULL;
            }
            named = true;
        }
        if (!named) return true;
    }
    c->only_nodes = names;
    return true;
}

static enum verdict filter_affinity(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    return node_matches_affinity(&c->arena, c->pod->spec, r->node) ? FITS : node_refuse(r, UNRESOLVABLE, "node(s) didn't match Pod's node affinity/selector");
}

static const struct json *preferred_terms(const struct cycle *c) {
    return json_get(c->pod->spec, "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution");
}
static bool prescore_affinity(struct cycle *c, size_t self UNUSED) { return json_len(preferred_terms(c)) > 0; }

static int64_t score_affinity(struct cycle *c, size_t self UNUSED, struct node_info *n) {
    int64_t sum = 0;
    JSON_EACH(p, preferred_terms(c)) {
        if (node_selector_term_matches(&c->arena, json_get(p, "preference"), n)) sum += json_int(p, "weight", 0);
    }
    return sum;
}

const struct plugin plugin_node_affinity = {
    .name = "NodeAffinity", .prefilter = prefilter_affinity, .filter = filter_affinity, .prescore = prescore_affinity, .score = score_affinity,
    .normalize = NORMALIZE_DEFAULT, .weight = 2};

/* ---- host ports ---- */

static bool any_address(const char *ip) { return ip[0] == '\0' || strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0; }

static bool ports_conflict(const struct host_port *a, const struct host_port *b) {
    if (a->port != b->port || strcmp(a->protocol, b->protocol) != 0) return false;
    return any_address(a->ip) || any_address(b->ip) || strcmp(a->ip, b->ip) == 0;
}

static bool prefilter_ports(struct cycle *c, size_t self) {
    c->skip_filter[self] = c->pod->port_count == 0;
    return true;
}

static enum verdict filter_ports(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    for (size_t i = 0; i < r->node->pod_count; i++) {
        const struct pod_info *p = r->node->pods[i];
        for (size_t j = 0; j < p->port_count * c->pod->port_count; j++) {
            if (ports_conflict(&p->ports[j / c->pod->port_count], &c->pod->ports[j % c->pod->port_count])) {
                return node_refuse(r, UNSCHEDULABLE, "node(s) didn't have free ports for the requested pod ports");
            }
        }
    }
    return FITS;
}
const struct plugin plugin_node_ports = {.name = "NodePorts", .prefilter = prefilter_ports, .filter = filter_ports};
