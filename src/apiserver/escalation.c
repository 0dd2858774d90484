/* Nobody grants more than they have: roles need their rules covered by the user's (or the verb escalate), bindings the
 * role's (or the verb bind). pkg/registry/rbac: escalation_check.go, validation/policy_comparator.go. */
#include "apiserver/auth.h"
#include "apiserver/strategy.h"

static bool has(const struct json *list, const char *s) { return list_has(list, s); }

static bool covers_list(const struct json *owner, const struct json *item) {
    const char *s = json_str_or(item, NULL, "");
    return has(owner, "*") || has(owner, s);
}

static bool covers_resource(const struct json *owner, const struct json *item) {
    const char *s = json_str_or(item, NULL, ""), *slash = strchr(s, '/');
    if (has(owner, "*") || has(owner, s)) return true;
    if (slash == NULL) return false;
    JSON_EACH(v, owner) {
        const char *o = json_str_or(v, NULL, "");
        if (str_starts(o, "*/") && strcmp(o + 2, slash + 1) == 0) return true;
    }
    return false;
}

static bool covers_url(const struct json *owner, const struct json *item) {
    const char *s = json_str_or(item, NULL, "");
    JSON_EACH(v, owner) {
        const char *o = json_str_or(v, NULL, "");
        size_t n = strlen(o);
        if (strcmp(o, s) == 0 || strcmp(o, "*") == 0 || (n && o[n - 1] == '*' && strncmp(s, o, n - 1) == 0)) return true;
    }
    return false;
}

/* A subrule has one verb, and one group and resource or one URL; resource names one by one as well. */
static bool rule_covers(const struct json *owner, const struct json *sub) {
    const struct json *url = json_at(json_member(sub, "nonResourceURLs"), 0);
    if (!covers_list(json_member(owner, "verbs"), json_at(json_member(sub, "verbs"), 0))) return false;
    if (url) return covers_url(json_member(owner, "nonResourceURLs"), url);
    if (!covers_list(json_member(owner, "apiGroups"), json_at(json_member(sub, "apiGroups"), 0))) return false;
    if (!covers_resource(json_member(owner, "resources"), json_at(json_member(sub, "resources"), 0))) return false;
    const struct json *names = json_member(owner, "resourceNames"), *name = json_at(json_member(sub, "resourceNames"), 0);
    if (json_len(names) == 0) return true;
    return name && has(names, json_str_or(name, NULL, ""));
}

static bool covered(const struct json *owned, const struct json *sub) {
    JSON_EACH(rule, owned) {
        if (rule_covers(rule, sub)) return true;
    }
    return false;
}

static void break_down(struct arena *a, const struct json *rule, struct json_array *out) {
    const struct json *names = json_member(rule, "resourceNames");
    JSON_EACH(g, json_member(rule, "apiGroups")) {
        JSON_EACH(res, json_member(rule, "resources")) {
            JSON_EACH(v, json_member(rule, "verbs")) {
                if (json_len(names) == 0) json_array_add(out, json_make(a, "{'apiGroups':[%v],'resources':[%v],'verbs':[%v]}", g, res, v));
                JSON_EACH(n, names) json_array_add(out, json_make(a, "{'apiGroups':[%v],'resources':[%v],'resourceNames':[%v],'verbs':[%v]}", g, res, n, v));
            }
        }
    }
    JSON_EACH(u, json_member(rule, "nonResourceURLs")) {
        JSON_EACH(v, json_member(rule, "verbs")) json_array_add(out, json_make(a, "{'nonResourceURLs':[%v],'verbs':[%v]}", u, v));
    }
}

/* CompactString of a rule: {APIGroups:[""], Resources:["pods"], Verbs:["get"]}. */
static const char *go_list(struct arena *a, const struct json *list) {
    const char *out = "";
    size_t n = 0;
    JSON_EACH(v, list) {
        out = n ? arena_printf(a, "%s \"%s\"", out, json_str_or(v, NULL, "")) : arena_printf(a, "\"%s\"", json_str_or(v, NULL, ""));
        n++;
    }
    return arena_printf(a, "[%s]", out);
}

static const char *compact(struct arena *a, const struct json *rule) {
    static const struct { const char *field, *name; } parts[] = {
        {"nonResourceURLs", "NonResourceURLs"}, {"apiGroups", "APIGroups"}, {"resources", "Resources"}, {"resourceNames", "ResourceNames"}, {"verbs", "Verbs"}};
    const char *out = "";
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct json *v = json_member(rule, parts[i].field);
        if (json_len(v) == 0) continue;
        out = *out ? arena_printf(a, "%s, %s:%s", out, parts[i].name, go_list(a, v)) : arena_printf(a, "%s:%s", parts[i].name, go_list(a, v));
    }
    return arena_printf(a, "{%s}", out);
}

/* Subrules that differ in their verbs only are shown as one. */
static const struct json *merge_missing(struct arena *a, const struct json_array *missing) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < missing->len; i++) {
        const struct json *m = &missing->items[i];
        bool done = false;
        for (size_t k = 0; k < out.len && !done; k++) {
            const struct json *plain = json_without_member(a, &out.items[k], "verbs");
            if (!json_equal(plain, json_without_member(a, m, "verbs"))) continue;
            const struct json *verbs = json_member(&out.items[k], "verbs"), *v = json_at(json_member(m, "verbs"), 0);
            if (!has(verbs, json_str_or(v, NULL, ""))) out.items[k] = *json_with_member(a, &out.items[k], "verbs", json_append(a, verbs, v));
            done = true;
        }
        if (!done) json_array_add(&out, m);
    }
    return json_array_done(&out);
}

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

static const char *missing_text(struct arena *a, const struct json *missing) {
    size_t n = json_len(missing), i = 0;
    const char **texts = arena_calloc(a, n + 1, sizeof(*texts)), *out = "";
    JSON_EACH(m, missing) texts[i++] = compact(a, m);
    qsort(texts, n, sizeof(*texts), by_text);
    for (i = 0; i < n; i++) out = arena_printf(a, "%s\n%s", out, texts[i]);
    return out;
}

static const char *groups_text(struct arena *a, const struct user *u) {
    const char *out = "";
    for (size_t i = 0; u->groups && u->groups[i]; i++) out = i ? arena_printf(a, "%s \"%s\"", out, u->groups[i]) : arena_printf(a, "\"%s\"", u->groups[i]);
    return arena_printf(a, "[%s]", out);
}

struct error *rbac_check_escalation(struct request *r, const struct json *rules, const char *ns) {
    struct arena *a = r->arena;
    const char *errors = "";
    const struct json *owned = rbac_rules_for(r->server, a, &r->user, ns, &errors);
    struct json_array parts = {.arena = a}, missing = {.arena = a};
    JSON_EACH(rule, rules) break_down(a, rule, &parts);
    for (size_t i = 0; i < parts.len; i++) {
        if (!covered(owned, &parts.items[i])) json_array_add(&missing, &parts.items[i]);
    }
    if (missing.len == 0) return NULL;
    const char *text = missing_text(a, merge_missing(a, &missing));
    const char *resolution = *errors ? arena_printf(a, "; resolution errors: %s", errors) : "";
    return error_new("user \"%s\" (groups=%s) is attempting to grant RBAC permissions not currently held:%s%s", r->user.name, groups_text(a, &r->user), text, resolution);
}

/* ---- hooks of the strategy table ---- */

static bool masters(const struct request *r) { return user_in_group(&r->user, "system:masters"); }

static bool may(struct change *c, const char *verb, const char *plural, const char *ns, const char *name) {
    const char *reason;
    struct attributes at = {.user = &c->r->user, .verb = verb, .is_resource = true, .group = "rbac.authorization.k8s.io", .version = "v1", .plural = plural,
                            .subresource = "", .ns = ns, .name = name};
    return authorize(c->r->server, c->r->arena, &at, &reason) == DECISION_ALLOW;
}

static struct error *forbidden(struct change *c, struct error *why) {
    cleanup_error struct error *e = why;
    return status_forbidden(c->resource->group, c->resource->plural, c->name, e->message);
}

struct error *role_begin(struct change *c) {
    if (c->operation == OP_DELETE || masters(c->r)) return NULL;
    const struct json *rules = json_member(c->object, "rules");
    bool same = c->old && json_semantic_equal(rules, json_member(c->old, "rules")) &&
                json_semantic_equal(json_member(c->object, "aggregationRule"), json_member(c->old, "aggregationRule"));
    if (same || may(c, "escalate", c->resource->plural, c->ns, c->name)) return NULL;
    if (json_member(c->object, "aggregationRule") && !json_semantic_equal(json_member(c->object, "aggregationRule"), json_member(c->old, "aggregationRule"))) {
        const struct json *all = json_make(c->r->arena, "[{'apiGroups':['*'],'resources':['*'],'verbs':['*']},{'nonResourceURLs':['*'],'verbs':['*']}]");
        struct error *e = rbac_check_escalation(c->r, all, "");
        if (e) {
            error_free(e);
            return status_forbidden(c->resource->group, c->resource->plural, c->name, "must have cluster-admin privileges to use the aggregationRule");
        }
    }
    struct error *e = rbac_check_escalation(c->r, rules, c->ns);
    return e ? forbidden(c, e) : NULL;
}

struct error *role_binding_begin(struct change *c) {
    const struct json *ref = json_member(c->object, "roleRef");
    if (c->operation == OP_DELETE || masters(c->r)) return NULL;
    bool same = c->old && json_semantic_equal(ref, json_member(c->old, "roleRef")) &&
                json_semantic_equal(json_member(c->object, "subjects"), json_member(c->old, "subjects"));
    bool cluster = json_str_is(ref, "kind", "ClusterRole");
    const char *name = json_str_or(ref, "name", "");
    if (same || may(c, "bind", cluster ? "clusterroles" : "roles", c->ns, name)) return NULL;
    const char *missing = NULL;
    const struct json *rules = rbac_role_rules(c->r->server, c->r->arena, ref, c->ns, &missing);
    if (rules == NULL) return status_not_found(c->resource->group, c->resource->plural, name);
    struct error *e = rbac_check_escalation(c->r, rules, c->ns);
    return e ? forbidden(c, e) : NULL;
}
