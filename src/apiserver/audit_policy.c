#include "apiserver/audit.h"
#include "apiserver/change.h"

const char *const audit_stage_names[AUDIT_STAGES] = {"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"};
static const char *const levels[] = {"None", "Metadata", "Request", "RequestResponse"};

static bool read_level(const struct json *rule, enum audit_level *out) {
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (json_str_is(rule, "level", levels[i])) return *out = (enum audit_level)i, true;
    }
    return false;
}

static struct error *read_stages(const struct json *list, unsigned *out) {
    JSON_EACH(v, list) {
        size_t i = 0;
        while (i < AUDIT_STAGES && !json_str_is(v, NULL, audit_stage_names[i])) i++;
        if (i == AUDIT_STAGES) return error_new("omitStages: unknown stage \"%s\"", json_str_or(v, NULL, ""));
        *out |= 1U << i;
    }
    return NULL;
}

static struct error *check_rules(const struct json *rules) {
    size_t n = 0;
    JSON_EACH(rule, rules) {
        enum audit_level level;
        unsigned stages = 0;
        if (!read_level(rule, &level)) return error_new("rules[%zu].level: \"%s\" is none of None, Metadata, Request, RequestResponse", n, json_str_or(rule, "level", ""));
        struct error *e = read_stages(json_member(rule, "omitStages"), &stages);
        if (e != NULL) return error_wrap(e, "rules[%zu]", n);
        if (json_len(json_member(rule, "nonResourceURLs")) > 0 && json_len(json_member(rule, "resources")) > 0)
            return error_new("rules[%zu]: rules cannot apply to both regular resources and non-resource URLs", n);
        n++;
    }
    return n == 0 ? error_new("loaded illegal policy with 0 rules") : NULL;
}

static struct error *load(const char *path, struct audit_policy *p) {
    cleanup_buf struct buf text = {0};
    const struct json *v;
    TRY(file_read(path, 1 << 20, &text));
    TRY(yaml_parse(&p->arena, buf_str(&text), text.len, NULL, NULL, &v));
    if (!json_str_is(v, "apiVersion", "audit.k8s.io/v1") || !json_str_is(v, "kind", "Policy")) return error_new("not a Policy of audit.k8s.io/v1");
    p->rules = json_member(v, "rules");
    p->omit_managed_fields = json_bool(v, "omitManagedFields", false);
    TRY(read_stages(json_member(v, "omitStages"), &p->omitted));
    return check_rules(p->rules);
}

struct error *audit_policy_load(const char *path, struct audit_policy *out) {
    struct error *e = load(path, out);
    return e ? error_wrap(e, "--audit-policy-file: %s", path) : NULL;
}

void audit_policy_free(struct audit_policy *p) { arena_free(&p->arena); }

/* ---- matching ---- */

static bool any_group(const struct json *list, const struct user *u) {
    JSON_EACH(v, list) {
        if (user_in_group(u, json_str_or(v, NULL, ""))) return true;
    }
    return false;
}

/* "pods", "pods/log", all of "pods" by a star behind its slash, "scale" of all by one before it, "*" */
static bool resource_in(const struct json *list, const struct request *r, const char *combined) {
    JSON_EACH(v, list) {
        const char *s = json_str_or(v, NULL, "");
        size_t n = strlen(s);
        if (strcmp(s, "*") == 0 || strcmp(s, combined) == 0) return true;
        if (str_starts(s, "*/") && *r->subresource && strcmp(s + 2, r->subresource) == 0) return true;
        if (n > 2 && str_ends(s, "/*") && strncmp(s, r->plural, n - 2) == 0 && r->plural[n - 2] == '\0') return true;
    }
    return false;
}

static bool resource_matches(const struct json *rule, const struct request *r) {
    const struct json *namespaces = json_member(rule, "namespaces"), *resources = json_member(rule, "resources");
    if (!r->is_resource || (json_len(namespaces) > 0 && !list_has(namespaces, r->ns))) return false;
    if (json_len(resources) == 0) return true;
    const char *combined = *r->subresource ? arena_printf(r->arena, "%s/%s", r->plural, r->subresource) : r->plural;
    JSON_EACH(g, resources) {
        if (strcmp(json_str_or(g, "group", ""), r->group) != 0) continue;
        if (json_len(json_member(g, "resources")) == 0) return true;
        const struct json *names = json_member(g, "resourceNames");
        if ((json_len(names) == 0 || list_has(names, r->name)) && resource_in(json_member(g, "resources"), r, combined)) return true;
    }
    return false;
}

static bool path_matches(const struct json *list, const struct request *r) {
    JSON_EACH(v, list) {
        const char *s = json_str_or(v, NULL, "");
        size_t n = strlen(s);
        if (strcmp(s, "*") == 0 || strcmp(s, r->path) == 0) return true;
        if (n > 0 && s[n - 1] == '*' && strncmp(s, r->path, n - 1) == 0) return true;
    }
    return false;
}

static bool rule_matches(const struct json *rule, const struct request *r) {
    const struct json *users = json_member(rule, "users"), *groups = json_member(rule, "userGroups"), *verbs = json_member(rule, "verbs");
    const struct user *u = r->impersonator ? r->impersonator : &r->user;
    if (json_len(users) > 0 && (u->name == NULL || !list_has(users, u->name))) return false;
    if (json_len(groups) > 0 && (u->name == NULL || !any_group(groups, u))) return false;
    if (json_len(verbs) > 0 && !list_has(verbs, r->verb)) return false;
    if (json_len(json_member(rule, "namespaces")) > 0 || json_len(json_member(rule, "resources")) > 0) return resource_matches(rule, r);
    const struct json *paths = json_member(rule, "nonResourceURLs");
    return json_len(paths) == 0 || (!r->is_resource && path_matches(paths, r));
}

enum audit_level audit_policy_level(const struct audit_policy *p, const struct request *r, unsigned *omitted) {
    JSON_EACH(rule, p->rules) {
        if (!rule_matches(rule, r)) continue;
        enum audit_level level = AUDIT_NONE;
        read_level(rule, &level);
        *omitted = p->omitted;
        error_free(read_stages(json_member(rule, "omitStages"), omitted));
        return level;
    }
    return AUDIT_NONE;
}
