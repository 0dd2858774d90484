/* Role based access control: which rules a user has (kubernetes/pkg/registry/rbac/validation/rule.go) and whether one
 * allows a request (plugin/pkg/auth/authorizer/rbac). The bindings are compiled into an index by subject that is made
 * anew when any of the four tables has changed; readers hold a reference, so nobody waits for a rebuild but who asks for it. */
#include "apiserver/auth.h"
#include <fnmatch.h>

struct grant {
    struct grant *next;            /* of the same subject */
    const char *ns;                /* NULL: a ClusterRoleBinding */
    const struct json *binding, *subject;
    const struct user_grant *other; /* not from a binding; then nothing else is set but ns */
    size_t order;
};
struct compiled {
    _Atomic int refs;
    struct arena arena;
    struct map by_subject;         /* "User x", "Group x", "ServiceAccount ns:x" -> struct grant */
    struct map roles;              /* "name" (cluster) or "ns/name" -> struct doc */
    struct doc_list bindings;
};
struct rbac {
    pthread_mutex_t lock;          /* current */
    struct tracker *tracker;
    struct compiled *current;
};

static void drop_doc(void *d) { doc_unref(d); }

static void compiled_unref(struct compiled *c) {
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1) return;
    map_free(&c->by_subject, NULL);
    map_free(&c->roles, drop_doc);
    doc_list_free(&c->bindings);
    arena_free(&c->arena);
    free(c);
}
static void cleanup_compiled_(struct compiled **c) { compiled_unref(*c); }

static const char *subject_key(struct arena *a, const struct json *s, const char *binding_ns) {
    const char *kind = json_str_or(s, "kind", ""), *name = json_str_or(s, "name", "");
    if (strcmp(kind, "ServiceAccount") != 0) return arena_printf(a, "%s %s", kind, name);
    const char *ns = json_str_or(s, "namespace", "");
    return arena_printf(a, "User system:serviceaccount:%s:%s", *ns ? ns : binding_ns ? binding_ns : "", name);
}

static void add_binding(struct compiled *c, struct doc *d, const char *ns) {
    doc_list_add(&c->bindings, d);
    JSON_EACH(subject, json_member(d->root, "subjects")) {
        const char *key = subject_key(&c->arena, subject, ns);
        struct grant *g = ARENA_NEW(&c->arena, struct grant), *head = map_get(&c->by_subject, key);
        *g = (struct grant){.ns = ns, .binding = d->root, .subject = subject, .order = c->bindings.len};
        struct grant *last = head;
        while (last && last->next) last = last->next;
        if (last) last->next = g;
        else map_set(&c->by_subject, key, g);
    }
}

static bool visit_cluster_binding(struct doc *d, void *arg) { return add_binding(arg, d, NULL), true; }
static bool visit_binding(struct doc *d, void *arg) { return add_binding(arg, d, doc_namespace(d)), true; }
static bool visit_cluster_role(struct doc *d, void *arg) {
    struct compiled *c = arg;
    doc_unref(map_set(&c->roles, doc_name(d), doc_ref(d)));
    return true;
}
static bool visit_role(struct doc *d, void *arg) {
    struct compiled *c = arg;
    doc_unref(map_set(&c->roles, arena_printf(&c->arena, "%s/%s", doc_namespace(d), doc_name(d)), doc_ref(d)));
    return true;
}

static struct compiled *compile(struct apiserver *s) {
    struct compiled *c = xcalloc(1, sizeof(*c));
    c->refs = 1;
    registry_each(s, &resource_rbac_clusterrolebindings, NULL, visit_cluster_binding, c);
    registry_each(s, &resource_rbac_rolebindings, NULL, visit_binding, c);
    registry_each(s, &resource_rbac_clusterroles, NULL, visit_cluster_role, c);
    registry_each(s, &resource_rbac_roles, NULL, visit_role, c);
    return c;
}

static struct compiled *current(struct apiserver *s) {
    struct rbac *rb = s->rbac;
    pthread_mutex_lock(&rb->lock);
    if (tracker_changed(rb->tracker)) {
        compiled_unref(rb->current);
        rb->current = compile(s);
    }
    struct compiled *c = rb->current;
    atomic_fetch_add(&c->refs, 1);
    pthread_mutex_unlock(&rb->lock);
    return c;
}

struct rbac *rbac_new(struct apiserver *s) {
    struct rbac *rb = xcalloc(1, sizeof(*rb));
    pthread_mutex_init(&rb->lock, NULL);
    struct store_table *tables[] = {table_of(s, &resource_rbac_clusterrolebindings), table_of(s, &resource_rbac_rolebindings),
                                    table_of(s, &resource_rbac_clusterroles), table_of(s, &resource_rbac_roles)};
    rb->tracker = tracker_new(s->store, tables, ARRAY_LEN(tables));
    return rb;
}

void rbac_free(struct rbac *rb) {
    if (rb == NULL) return;
    tracker_free(rb->tracker);
    compiled_unref(rb->current);
    pthread_mutex_destroy(&rb->lock);
    free(rb);
}

/* ---- rules ---- */

static bool has(const struct json *list, const char *s) {
    JSON_EACH(v, list) {
        if (json_str_is(v, NULL, s)) return true;
    }
    return false;
}

static bool resource_matches(const struct json *list, const struct attributes *at) {
    JSON_EACH(v, list) {
        const char *s = json_str_or(v, NULL, "");
        if (strcmp(s, "*") == 0) return true;
        if (!*at->subresource) {
            if (strcmp(s, at->plural) == 0) return true;
            continue;
        }
        size_t n = strlen(at->plural);
        if (strncmp(s, at->plural, n) == 0 && s[n] == '/' && strcmp(s + n + 1, at->subresource) == 0) return true;
        if (str_starts(s, "*/") && strcmp(s + 2, at->subresource) == 0) return true;
    }
    return false;
}

static bool url_matches(const struct json *list, const char *path) {
    JSON_EACH(v, list) {
        const char *s = json_str_or(v, NULL, "");
        size_t n = strlen(s);
        if (strcmp(s, "*") == 0 || strcmp(s, path) == 0) return true;
        if (n > 0 && s[n - 1] == '*' && strncmp(path, s, n - 1) == 0) return true;
    }
    return false;
}

bool rbac_rule_allows(const struct json *rule, const struct attributes *at) {
    const struct json *verbs = json_member(rule, "verbs"), *groups = json_member(rule, "apiGroups"), *names = json_member(rule, "resourceNames");
    if (!has(verbs, "*") && !has(verbs, at->verb)) return false;
    if (!at->is_resource) return url_matches(json_member(rule, "nonResourceURLs"), at->path);
    if (!has(groups, "*") && !has(groups, at->group)) return false;
    if (!resource_matches(json_member(rule, "resources"), at)) return false;
    return json_len(names) == 0 || has(names, at->name);
}

static const struct json *role_rules(struct compiled *c, struct arena *a, const struct json *ref, const char *ns, const char **error) {
    const char *kind = json_str_or(ref, "kind", ""), *name = json_str_or(ref, "name", "");
    bool cluster = strcmp(kind, "ClusterRole") == 0;
    struct doc *d = map_get(&c->roles, cluster ? name : arena_printf(a, "%s/%s", ns ? ns : "", name));
    if (d) {
        const struct json *rules = json_member(d->root, "rules");
        return rules ? rules : &json_empty_array;
    }
    *error = arena_printf(a, "%s.rbac.authorization.k8s.io \"%s\" not found", cluster ? "clusterrole" : "role", name);
    return NULL;
}

const struct json *rbac_role_rules(struct apiserver *s, struct arena *a, const struct json *ref, const char *ns, const char **error) {
    CLEANUP(cleanup_compiled_) struct compiled *c = current(s);
    const struct json *rules = role_rules(c, a, ref, ns, error);
    return rules ? json_copy(a, rules) : NULL;
}

/* Visits every rule that the user has, cluster-wide bindings first, each kind in order. */
typedef bool rule_fn(const struct json *rule, const struct grant *g, const char *error, void *arg);

static int by_order(const void *x, const void *y) {
    const struct grant *a = *(struct grant *const *)x, *b = *(struct grant *const *)y;
    return a->order < b->order ? -1 : a->order > b->order;
}

static size_t collect(struct compiled *c, struct arena *a, const struct user *u, const char *ns, struct grant ***out) {
    size_t n = 0, cap = 0, groups = 0;
    *out = NULL;
    while (u->groups && u->groups[groups]) groups++;
    for (size_t i = 0; i <= groups; i++) {
        const char *key = i == 0 ? arena_printf(a, "User %s", u->name) : arena_printf(a, "Group %s", u->groups[i - 1]);
        for (struct grant *g = map_get(&c->by_subject, key); g; g = g->next) {
            if (g->ns && (ns == NULL || strcmp(g->ns, ns) != 0)) continue;
            if (n == cap) *out = arena_grow(a, *out, cap * sizeof(**out), (cap + 16) * sizeof(**out)), cap += 16;
            (*out)[n++] = g;
        }
    }
    if (n > 1) qsort(*out, n, sizeof(**out), by_order);
    return n;
}

static const struct json *grant_rules(struct compiled *c, struct arena *a, const struct user_grant *g) {
    const char *error = NULL;
    if (g->rules) return g->rules;
    return role_rules(c, a, json_make(a, "{'kind':'ClusterRole','name':%s}", g->cluster_role), NULL, &error);
}

/* Grants that come from elsewhere: see apiserver_add_grants. */
static void visit_others(struct apiserver *s, struct compiled *c, struct arena *a, const struct user *u, const char *ns, rule_fn *fn, void *arg) {
    for (size_t i = 0; i < s->grant_hook_count; i++) {
        size_t n = 0;
        const struct user_grant *others = s->grant_hooks[i].fn(a, u, &n, s->grant_hooks[i].arg);
        for (size_t k = 0; k < n; k++) {
            if (others[k].ns && (ns == NULL || fnmatch(others[k].ns, ns, 0) != 0)) continue;
            struct grant *g = ARENA_NEW(a, struct grant);
            *g = (struct grant){.ns = others[k].ns, .other = &others[k]};
            JSON_EACH(rule, grant_rules(c, a, &others[k])) {
                if (!fn(rule, g, NULL, arg)) return;
            }
        }
    }
}

static void visit_rules(struct compiled *c, struct arena *a, const struct user *u, const char *ns, rule_fn *fn, void *arg) {
    struct grant **grants;
    size_t n = collect(c, a, u, ns, &grants);
    for (size_t i = 0; i < n; i++) {
        const char *error = NULL;
        if (i > 0 && grants[i]->binding == grants[i - 1]->binding) continue;
        const struct json *rules = role_rules(c, a, json_member(grants[i]->binding, "roleRef"), grants[i]->ns, &error);
        if (error && !fn(NULL, grants[i], error, arg)) return;
        JSON_EACH(rule, rules) {
            if (!fn(rule, grants[i], NULL, arg)) return;
        }
    }
}

struct check {
    struct arena *arena;
    const struct attributes *at;
    const struct grant *found;
    struct json_array errors;
};

static bool check_rule(const struct json *rule, const struct grant *g, const char *error, void *arg) {
    struct check *c = arg;
    if (error) json_array_add(&c->errors, json_string(c->arena, error));
    else if (rbac_rule_allows(rule, c->at)) c->found = g;
    return c->found == NULL;
}

/* utilerrors.NewAggregate: one alone, several in brackets, each once. */
static const char *aggregate(struct arena *a, const struct json *list) {
    const char *out = "";
    size_t n = 0;
    JSON_EACH(v, list) {
        const char *s = json_str_or(v, NULL, "");
        if (n > 0 && strstr(out, s)) continue;
        out = n++ ? arena_printf(a, "%s, %s", out, s) : s;
    }
    return n > 1 ? arena_printf(a, "[%s]", out) : out;
}

static const char *describe_other(struct arena *a, const struct attributes *at, const struct grant *g) {
    const char *binding = g->ns ? arena_printf(a, "RoleBinding \"%s/%s\"", g->other->binding, g->ns) : arena_printf(a, "ClusterRoleBinding \"%s\"", g->other->binding);
    return arena_printf(a, "%s: allowed by %s of ClusterRole \"%s\" to User \"%s\"", g->other->source, binding, g->other->role, at->user->name);
}

static const char *describe(struct arena *a, const struct attributes *at, const struct grant *g) {
    if (g->other) return describe_other(a, at, g);
    const struct json *b = g->binding;
    const char *kind = json_str_or(g->subject, "kind", ""), *name = json_str_or(g->subject, "name", "");
    const char *subject = strcmp(kind, "ServiceAccount") == 0 ? arena_printf(a, "%s \"%s/%s\"", kind, name, json_str_or(g->subject, "namespace", ""))
                                                              : arena_printf(a, "%s \"%s\"", kind, name);
    const char *binding = g->ns ? arena_printf(a, "RoleBinding \"%s/%s\"", meta_str(b, "name"), g->ns)
                                : arena_printf(a, "ClusterRoleBinding \"%s\"", meta_str(b, "name"));
    return arena_printf(a, "RBAC: allowed by %s of %s \"%s\" to %s", binding, json_str_or(b, "roleRef.kind", ""), json_str_or(b, "roleRef.name", ""), subject);
}

enum decision rbac_authorize(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason) {
    CLEANUP(cleanup_compiled_) struct compiled *c = current(s);
    struct check check = {.arena = a, .at = at, .errors = {.arena = a}};
    const char *ns = at->is_resource && *at->ns ? at->ns : NULL;
    visit_rules(c, a, at->user, ns, check_rule, &check);
    if (check.found == NULL) visit_others(s, c, a, at->user, ns, check_rule, &check);
    if (check.found) return *reason = describe(a, at, check.found), DECISION_ALLOW;
    const struct json *errors = json_array_done(&check.errors);
    if (json_len(errors) > 0) *reason = arena_printf(a, "RBAC: %s", aggregate(a, errors));
    return DECISION_NONE;
}

struct gather {
    struct arena *arena;
    struct json_array rules, errors;
};

static bool gather_rule(const struct json *rule, const struct grant *g, const char *error, void *arg) {
    struct gather *w = arg;
    (void)g;
    if (error) json_array_add(&w->errors, json_string(w->arena, error));
    else json_array_add(&w->rules, json_copy(w->arena, rule));
    return true;
}

const struct json *rbac_rules_for(struct apiserver *s, struct arena *a, const struct user *u, const char *ns, const char **errors) {
    CLEANUP(cleanup_compiled_) struct compiled *c = current(s);
    struct gather w = {.arena = a, .rules = {.arena = a}, .errors = {.arena = a}};
    visit_rules(c, a, u, ns && *ns ? ns : NULL, gather_rule, &w);
    visit_others(s, c, a, u, ns && *ns ? ns : NULL, gather_rule, &w);
    *errors = aggregate(a, json_array_done(&w.errors));
    return json_array_done(&w.rules);
}
