/* Which changes an admission webhook is asked about, and what it is told (apiserver/pkg/admission/plugin/webhook). */
#include "apiserver/auth.h"
#include "apiserver/crd.h"
#include "apiserver/webhooks.h"
#include "schema/cel.h"

static const char *const operation_names[] = {[OP_CREATE] = "CREATE", [OP_UPDATE] = "UPDATE", [OP_DELETE] = "DELETE", [OP_CONNECT] = "CONNECT"};

const char *change_namespace(const struct change *c) {
    if (c->resource == &resource_namespaces) return c->name && *c->name ? c->name : meta_str(c->object, "name");
    return c->resource->namespaced ? c->ns : "";
}

/* ---- rules ---- */

static bool has(const struct json *list, const char *s) {
    JSON_EACH(v, list) {
        if (json_str_is(v, NULL, "*") || json_str_is(v, NULL, s)) return true;
    }
    return false;
}

/* A resource, one of its subresources after a slash, a star for any: "*" are all objects, not their subresources. */
static bool resource_matches(const struct json *list, const char *plural, const char *sub) {
    JSON_EACH(v, list) {
        const char *s = json_str_or(v, NULL, ""), *slash = strchr(s, '/'), *want_sub = slash ? slash + 1 : "";
        size_t n = slash ? (size_t)(slash - s) : strlen(s);
        bool resource = (n == 1 && *s == '*') || (n == strlen(plural) && strncmp(s, plural, n) == 0);
        if (resource && (strcmp(want_sub, "*") == 0 || strcmp(want_sub, sub) == 0)) return true;
    }
    return false;
}

static bool rule_matches(struct change *c, const struct json *rule, const struct resource *as) {
    const char *scope = json_str_or(rule, "scope", "*");
    bool namespaced = as->namespaced && as != &resource_namespaces;
    if (strcmp(scope, "Namespaced") == 0 && !namespaced) return false;
    if (strcmp(scope, "Cluster") == 0 && namespaced) return false;
    return has(json_member(rule, "operations"), operation_names[c->operation]) && has(json_member(rule, "apiGroups"), as->group) &&
           has(json_member(rule, "apiVersions"), as->version) && resource_matches(json_member(rule, "resources"), as->plural, c->sub);
}

static bool any_matches(struct change *c, const struct json *rules, const struct resource *as) {
    JSON_EACH(rule, rules) {
        if (rule_matches(c, rule, as)) return true;
    }
    return false;
}

static bool same_objects(const struct resource *a, const struct resource *b) {
    return strcmp(a->plural, b->plural) == 0 && a->table && str_eq(a->table, b->table);
}

const struct resource *match_rules(struct change *c, const struct json *rules, const char *match_policy) {
    const struct resource *r = c->resource;
    if (any_matches(c, rules, r)) return r;
    if (strcmp(match_policy, "Exact") == 0) return NULL;
    for (size_t i = 0; r->crd && i < r->crd->definition->len; i++) {
        const struct resource *other = &r->crd->definition->versions[i].resource;
        if (other != r && any_matches(c, rules, other)) return other;
    }
    for (size_t i = 0; r->crd == NULL && builtin_resources[i]; i++) {
        const struct resource *other = builtin_resources[i];
        if (other != r && same_objects(r, other) && any_matches(c, rules, other)) return other;
    }
    return NULL;
}

bool match_exempt(const struct change *c) {
    return strcmp(c->resource->group, "admissionregistration.k8s.io") == 0;
}

/* ---- selectors ---- */

static struct error *namespace_labels(struct change *c, struct doc **out, const struct json **labels) {
    bool own = c->resource == &resource_namespaces && !*c->sub && (c->operation == OP_CREATE || c->operation == OP_UPDATE);
    *labels = json_get(c->object, "metadata.labels");
    if (own) return NULL;
    *out = registry_get(c->r->server, &resource_namespaces, NULL, change_namespace(c));
    if (*out == NULL) return status_not_found("", "namespaces", change_namespace(c));
    *labels = json_get((*out)->root, "metadata.labels");
    return NULL;
}

struct error *match_selectors(struct change *c, const struct json *hook, bool *out) {
    struct arena *a = c->r->arena;
    const struct json *by_namespace = json_member(hook, "namespaceSelector"), *by_object = json_member(hook, "objectSelector"), *labels = NULL;
    struct selector *s;
    *out = true;
    if (json_len(by_namespace) > 0 && *change_namespace(c)) {
        cleanup_doc struct doc *ns = NULL;
        TRY(label_selector_from_json(a, by_namespace, &s));
        if (!label_selector_empty(s)) TRY(namespace_labels(c, &ns, &labels));
        *out = label_selector_empty(s) || label_selector_matches(s, labels);
    }
    if (json_len(by_object) == 0 || !*out) return NULL;
    TRY(label_selector_from_json(a, by_object, &s));
    *out = label_selector_empty(s) || (c->object && label_selector_matches(s, json_get(c->object, "metadata.labels"))) ||
           (c->old && label_selector_matches(s, json_get(c->old, "metadata.labels")));
    return NULL;
}

/* ---- match conditions ---- */

struct variables {
    struct change *c;
    const struct json *request;
};

static const struct cel_value *lookup(void *arg, const char *name, const char **problem) {
    struct variables *v = arg;
    struct arena *a = v->c->r->arena;
    (void)problem;
    if (strcmp(name, "authorizer") == 0) return cel_authorizer(a);
    const struct json *value = strcmp(name, "request") == 0 ? v->request : json_member(v->request, name);
    return cel_from_json(a, value ? value : &json_null, NULL);
}

bool change_may(void *arg, struct arena *a, const struct json *q, const char **reason, const char **error) {
    const struct change *c = arg;
    const char *path = json_str(q, "path");
    struct attributes at = {.user = &c->r->user, .verb = json_str_or(q, "verb", ""), .is_resource = path == NULL, .group = json_str_or(q, "group", ""),
                            .version = "*", .plural = json_str_or(q, "resource", ""), .subresource = json_str_or(q, "subresource", ""),
                            .ns = json_str_or(q, "namespace", ""), .name = json_str_or(q, "name", ""), .path = path ? path : "",
                            .field_selector = json_str(q, "fieldSelector"), .label_selector = json_str(q, "labelSelector")};
    *error = NULL;
    return authorize(c->r->server, a, &at, reason) == DECISION_ALLOW;
}

struct error *match_conditions(struct change *c, const struct json *conditions, const struct json *request, bool *out) {
    static const struct cel_var vars[] = {{.name = "object"}, {.name = "oldObject"}, {.name = "request"}, {.name = "authorizer", .kind = CEL_AUTHORIZER}};
    static const struct cel_env env = {.vars = vars, .var_count = ARRAY_LEN(vars)};
    struct variables v = {c, request};
    struct cel_scope scope = {.arena = c->r->arena, .lookup = lookup, .arg = &v, .authorize = change_may, .authorize_arg = c};
    struct error *failed = NULL;
    *out = true;
    JSON_EACH(k, conditions) {
        struct cel_program *p;
        const struct cel_value *value;
        struct error *e = cel_compile(c->r->arena, json_str_or(k, "expression", ""), &env, &p);
        if (e == NULL) e = cel_eval(p, &scope, &value);
        if (e == NULL && !json_bool(cel_to_json(c->r->arena, value), NULL, false)) *out = false;
        if (failed == NULL) failed = e;
        else error_free(e);
    }
    if (*out) return failed;
    error_free(failed); /* one that says no is enough, whatever the others say */
    return NULL;
}

/* ---- what is asked ---- */

struct error *change_convert(struct change *c, const struct resource *from, const struct resource *to, const struct json *o, const struct json **out) {
    *out = o;
    if (from == to || o == NULL) return NULL;
    if (!to->crd) return schema_convert(c->r->arena, from, to, o, out);
    cleanup_error struct error *e = crd_convert(c->r->arena, to->crd, out, 1);
    return e ? status_internal("%s", e->message) : NULL;
}

static const struct json *kind_of(struct change *c, const struct resource *r) {
    const struct subresource *sub = *c->sub ? resource_subresource(r, c->sub) : NULL;
    return json_make(c->r->arena, "{'group':%s,'version':%s,'kind':%s}", sub ? sub->group : r->group, sub ? sub->version : r->version, sub ? sub->kind : r->kind);
}

static const struct json *resource_json(struct change *c, const struct resource *r) {
    return json_make(c->r->arena, "{'group':%s,'version':%s,'resource':%s}", r->group, r->version, r->plural);
}

static const struct json *options_json(struct change *c) {
    static const char *const kinds[] = {[OP_CREATE] = "CreateOptions", [OP_UPDATE] = "UpdateOptions", [OP_DELETE] = "DeleteOptions"};
    struct arena *a = c->r->arena;
    const struct request_options *o = &c->r->options;
    if (c->operation == OP_CONNECT) return NULL;
    const struct json *head = json_make(a, "{'kind':%s,'apiVersion':'meta.k8s.io/v1'}", strcmp(c->r->verb, "patch") == 0 ? "PatchOptions" : kinds[c->operation]);
    JSON_EACH_MEMBER(m, c->options) {
        if (strcmp(m->key, "kind") != 0 && strcmp(m->key, "apiVersion") != 0) head = json_with_member(a, head, m->key, &m->value);
    }
    if (c->operation == OP_DELETE) return head;
    if (c->dry_run) head = json_with_member(a, head, "dryRun", json_make(a, "['All']"));
    if (o->has_force && strcmp(c->r->verb, "patch") == 0) head = json_with_member(a, head, "force", json_boolean(o->force));
    if (o->field_manager) head = json_with_member(a, head, "fieldManager", json_string(a, o->field_manager));
    if (o->field_validation) head = json_with_member(a, head, "fieldValidation", json_string(a, o->field_validation));
    return head;
}

struct error *admission_request(struct change *c, const struct resource *as, const char *uid, const struct json **out) {
    struct arena *a = c->r->arena;
    const struct json *object, *old;
    const char *ns = change_namespace(c), *name = c->name && *c->name ? c->name : meta_str(c->object, "name"), *sub = *c->sub ? c->sub : NULL;
    TRY(change_convert(c, c->resource, as, c->operation == OP_DELETE ? NULL : change_written(c, WRITTEN_TO_SEND), &object));
    TRY(change_convert(c, c->resource, as, c->old, &old));
    *out = json_make(a, "{'uid':%s,'kind':%v,'resource':%v,'subResource':%s,'requestKind':%v,'requestResource':%v,'requestSubResource':%s,'name':%s,"
                        "'namespace':%s,'operation':%s,'userInfo':%v,'object':%v,'oldObject':%v,'dryRun':%b,'options':%v}",
                     uid, kind_of(c, as), resource_json(c, as), sub, kind_of(c, c->resource), resource_json(c, c->resource), sub, *name ? name : NULL,
                     *ns ? ns : NULL, operation_names[c->operation], user_json(a, &c->r->user), object ? object : &json_null, old ? old : &json_null,
                     c->dry_run, options_json(c) ? options_json(c) : &json_null);
    return NULL;
}
