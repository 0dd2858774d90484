/* ValidatingAdmissionPolicy: rules in CEL that a cluster's administrator writes (apiserver/pkg/admission/plugin/policy/validating).
 *
 * Policies and bindings are gathered into a set when they have changed; a request holds the set that it began with. Programs are
 * compiled when first needed and live as long as their set. */
#include "base/str.h"
#include "apiserver/admission.h"
#include "apiserver/auth.h"
#include "apiserver/parts.h"
#include "apiserver/webhooks.h"
#include "schema/cel.h"

#define BUDGET 10000000        /* cost units for one policy and parameter (RuntimeCELCostBudget) */
#define MESSAGE_MAX (5 * 1024) /* bytes that a messageExpression may give */

struct binding {
    const char *name;
    const struct json *spec;
    struct binding *next;
};
struct policy {
    const char *name;
    const struct json *spec;
    struct binding *bindings;
    struct policy *next;
};
struct policy_set {
    _Atomic unsigned refs;
    struct arena arena;
    struct policy *policies;
    pthread_mutex_t lock;  /* programs and arena, once the set is in use */
    struct map programs;   /* expression -> struct compiled */
};
struct compiled {
    struct cel_program *program; /* NULL: `problem` says why */
    const char *problem;
};
struct policies {
    pthread_mutex_t lock; /* set */
    struct tracker *tracker;
    struct policy_set *set;
};

/* ---- the set ---- */

static void set_unref(struct policy_set *s) {
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1) return;
    map_free(&s->programs, NULL);
    pthread_mutex_destroy(&s->lock);
    arena_free(&s->arena);
    free(s);
}
static void cleanup_set_(struct policy_set **s) { set_unref(*s); }

static bool add_policy(struct doc *d, void *arg) {
    struct policy_set *s = arg;
    struct policy *p = ARENA_NEW(&s->arena, struct policy), **end = &s->policies;
    p->name = arena_strdup(&s->arena, doc_name(d));
    p->spec = json_copy(&s->arena, json_member(d->root, "spec"));
    while (*end) end = &(*end)->next;
    *end = p;
    return true;
}

static bool add_binding(struct doc *d, void *arg) {
    struct policy_set *s = arg;
    struct binding *b = ARENA_NEW(&s->arena, struct binding);
    b->name = arena_strdup(&s->arena, doc_name(d));
    b->spec = json_copy(&s->arena, json_member(d->root, "spec"));
    for (struct policy *p = s->policies; p; p = p->next) {
        struct binding **end = &p->bindings;
        if (!json_str_is(b->spec, "policyName", p->name)) continue;
        while (*end) end = &(*end)->next;
        *end = b;
    }
    return true;
}

static struct policy_set *set_new(struct apiserver *s) {
    struct policy_set *set = xcalloc(1, sizeof(*set));
    atomic_init(&set->refs, 1);
    pthread_mutex_init(&set->lock, NULL);
    registry_each(s, &resource_admissionregistration_validatingadmissionpolicies, NULL, add_policy, set);
    if (set->policies) registry_each(s, &resource_admissionregistration_validatingadmissionpolicybindings, NULL, add_binding, set);
    return set;
}

struct policies *policies_new(struct apiserver *s) {
    struct policies *p = xcalloc(1, sizeof(*p));
    struct store_table *const tables[] = {table_of(s, &resource_admissionregistration_validatingadmissionpolicies),
                                          table_of(s, &resource_admissionregistration_validatingadmissionpolicybindings)};
    pthread_mutex_init(&p->lock, NULL);
    p->tracker = tracker_new(s->store, tables, ARRAY_LEN(tables));
    return p;
}

void policies_free(struct policies *p) {
    if (p == NULL) return;
    tracker_free(p->tracker);
    set_unref(p->set);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct policy_set *current_set(struct apiserver *s) {
    struct policies *p = s->policies;
    pthread_mutex_lock(&p->lock);
    if (tracker_changed(p->tracker)) {
        set_unref(p->set);
        p->set = set_new(s);
    }
    struct policy_set *set = p->set;
    atomic_fetch_add(&set->refs, 1);
    pthread_mutex_unlock(&p->lock);
    return set;
}

/* ---- evaluation ---- */

struct run {
    struct change *c;
    struct policy_set *set;
    const struct policy *policy;
    const struct json *request, *params, *namespace_object;
    const struct cel_value **variables; /* what is known of spec.variables, by their order */
    size_t limit;                       /* a variable sees those before it */
    uint64_t budget;
};

static const struct compiled *compile(struct policy_set *set, const char *text) {
    static const struct cel_var vars[] = {{.name = "object"}, {.name = "oldObject"}, {.name = "request"}, {.name = "params"}, {.name = "namespaceObject"},
                                          {.name = "variables"}, {.name = "authorizer", .kind = CEL_AUTHORIZER}};
    static const struct cel_env env = {.vars = vars, .var_count = ARRAY_LEN(vars)};
    pthread_mutex_lock(&set->lock);
    struct compiled *k = map_get(&set->programs, text);
    if (k == NULL) {
        k = ARENA_NEW(&set->arena, struct compiled);
        cleanup_error struct error *e = cel_compile(&set->arena, text, &env, &k->program);
        if (e) k->problem = arena_printf(&set->arena, "compilation error: compilation failed: %s", e->message), k->program = NULL;
        map_set(&set->programs, text, k);
    }
    pthread_mutex_unlock(&set->lock);
    return k;
}

static struct error *evaluate(struct run *x, const char *text, const struct cel_value **out);

static const struct cel_value *variable(void *arg, const char *name, const char **problem) {
    struct run *x = arg;
    const struct json *list = json_member(x->policy->spec, "variables");
    size_t limit = x->limit;
    for (size_t i = 0; i < MIN(json_len(list), limit); i++) {
        const struct json *v = json_at(list, i);
        if (!json_str_is(v, "name", name)) continue;
        if (x->variables[i]) return x->variables[i];
        x->limit = i;
        cleanup_error struct error *e = evaluate(x, json_str_or(v, "expression", ""), &x->variables[i]);
        x->limit = limit;
        if (e) *problem = arena_printf(x->c->r->arena, "composited variable \"%s\" fails to evaluate: %s", name, e->message);
        return e ? NULL : x->variables[i];
    }
    *problem = arena_printf(x->c->r->arena, "no such key: %s", name);
    return NULL;
}

static const struct cel_value *lookup(void *arg, const char *name, const char **problem) {
    struct run *x = arg;
    struct arena *a = x->c->r->arena;
    (void)problem;
    if (strcmp(name, "authorizer") == 0) return cel_authorizer(a);
    if (strcmp(name, "variables") == 0) return cel_lazy_map(a, variable, x);
    const struct json *v = strcmp(name, "request") == 0           ? x->request
                           : strcmp(name, "params") == 0          ? x->params
                           : strcmp(name, "namespaceObject") == 0 ? x->namespace_object
                                                                  : json_member(x->request, name);
    return cel_from_json(a, v ? v : &json_null, NULL);
}

static struct error *evaluate(struct run *x, const char *text, const struct cel_value **out) {
    const struct compiled *k = compile(x->set, text);
    if (k->program == NULL) return error_new("%s", k->problem);
    struct cel_scope scope = {.arena = x->c->r->arena, .lookup = lookup, .arg = x, .authorize = change_may, .authorize_arg = x->c, .budget = &x->budget};
    return cel_eval(k->program, &scope, out);
}

static bool is_true(struct run *x, const struct cel_value *v) { return json_bool(cel_to_json(x->c->r->arena, v), NULL, false); }

/* ---- decisions ---- */

struct denial { /* the first denial */
    const char *message, *reason;
};

static void deny(struct run *x, const struct binding *b, struct denial *d, const char *message, const char *reason) {
    struct arena *a = x->c->r->arena;
    if (d->message) return;
    d->message = b ? arena_printf(a, "ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s", x->policy->name, b->name, message)
                   : arena_printf(a, "ValidatingAdmissionPolicy '%s' denied request: %s", x->policy->name, message);
    d->reason = reason;
}

static bool fails_closed(const struct policy *p) { return !json_str_is(p->spec, "failurePolicy", "Ignore"); }

static void bad_configuration(struct run *x, const struct binding *b, struct denial *d, struct error *e) {
    if (fails_closed(x->policy)) deny(x, b, d, arena_printf(x->c->r->arena, "failed to configure %s: %s", b ? "binding" : "policy", e->message), "");
    error_free(e);
}

/* A validation failed: what the binding's actions make of it. */
static void act(struct run *x, const struct binding *b, struct denial *d, const char *message, const char *reason) {
    JSON_EACH(action, json_member(b->spec, "validationActions")) {
        if (json_str_is(action, NULL, "Deny")) deny(x, b, d, message, reason);
        else if (json_str_is(action, NULL, "Warn"))
            request_warn(x->c->r, "Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s", x->policy->name, b->name, message);
    }
}

static const char *failure_message(struct run *x, const struct json *validation) {
    struct arena *a = x->c->r->arena;
    const char *expression = json_str_or(validation, "messageExpression", ""), *plain = str_trim(a, json_str_or(validation, "message", ""));
    const struct cel_value *v = NULL;
    cleanup_error struct error *e = *expression ? evaluate(x, expression, &v) : NULL;
    if (e == NULL && v && cel_kind_of(v) == CEL_STRING) {
        const char *text = str_trim(a, json_str_or(cel_to_json(a, v), NULL, ""));
        if (*text && strlen(text) <= MESSAGE_MAX && strchr(text, '\n') == NULL) return text;
    }
    return *plain ? plain : arena_printf(a, "failed expression: %s", str_trim(a, json_str_or(validation, "expression", "")));
}

/* Whether the policy's conditions let it look at the request. An error of one counts only when no other says no. */
static struct error *conditions_met(struct run *x, bool *out) {
    struct error *failed = NULL;
    *out = true;
    JSON_EACH(k, json_member(x->policy->spec, "matchConditions")) {
        const struct cel_value *v;
        const char *text = json_str_or(k, "expression", "");
        struct error *e = evaluate(x, text, &v);
        if (e == NULL && !is_true(x, v)) *out = false;
        if (e) error_wrap(e, "expression '%s' resulted in error", text);
        if (failed == NULL) failed = e;
        else error_free(e);
    }
    if (*out) return failed;
    error_free(failed);
    return NULL;
}

/* One policy, binding and parameter. */
static void validate_with(struct run *x, const struct binding *b, const struct json *params, struct denial *d) {
    struct arena *a = x->c->r->arena;
    const char *closed = fails_closed(x->policy) ? "" : NULL;
    bool met;
    x->params = params;
    x->budget = BUDGET;
    x->limit = json_len(json_member(x->policy->spec, "variables"));
    x->variables = arena_calloc(a, x->limit + 1, sizeof(*x->variables));
    cleanup_error struct error *conditions = conditions_met(x, &met);
    if (conditions && closed) act(x, b, d, conditions->message, "");
    if (conditions || !met) return;
    JSON_EACH(k, json_member(x->policy->spec, "validations")) {
        const struct cel_value *v;
        const char *text = json_str_or(k, "expression", "");
        cleanup_error struct error *e = evaluate(x, text, &v);
        if (e && closed) act(x, b, d, arena_printf(a, "expression '%s' resulted in error: %s", text, e->message), "");
        else if (e == NULL && !is_true(x, v)) act(x, b, d, failure_message(x, k), json_str_or(k, "reason", "Invalid"));
    }
}

/* ---- parameters ---- */

struct kind_search {
    const char *api_version, *kind;
    struct arena *arena;
    const struct resource *found;
};

static void same_kind(const struct resource *r, void *arg) {
    struct kind_search *q = arg;
    if (strcmp(r->kind, q->kind) == 0 && strcmp(api_version(q->arena, r), q->api_version) == 0 && !q->found) q->found = resource_hold(r);
}

static const struct resource *parameter_resource(struct change *c, const struct json *kind) {
    struct kind_search q = {json_str_or(kind, "apiVersion", ""), json_str_or(kind, "kind", ""), c->r->arena, NULL};
    apiserver_each_resource(c->r->server, same_kind, &q);
    return q.found;
}

struct gather {
    struct change *c;
    const struct resource *resource;
    const struct selector *selector;
    struct json_array list;
    struct error *error;
};

static bool add_parameter(struct doc *d, void *arg) {
    struct gather *g = arg;
    if (g->selector && !label_selector_matches(g->selector, json_get(d->root, "metadata.labels"))) return true;
    cleanup_doc struct doc *view = NULL;
    g->error = registry_view(g->resource, d, &view);
    if (g->error) return false;
    json_array_add(&g->list, json_copy(g->c->r->arena, view->root));
    return true;
}

/* The parameters of a binding: one `null` where the policy takes none (CollectParams). */
static struct error *parameters(struct change *c, const struct policy *p, const struct binding *b, const struct json **out) {
    const struct json *kind = json_member(p->spec, "paramKind"), *ref = json_member(b->spec, "paramRef");
    cleanup_resource const struct resource *held = NULL;
    struct gather g = {.c = c, .list = {.arena = c->r->arena}};
    if (!json_is(kind, JSON_OBJECT) || !json_is(ref, JSON_OBJECT)) return *out = json_make(c->r->arena, "[%v]", &json_null), NULL;
    g.resource = held = parameter_resource(c, kind);
    const char *ns = json_str_or(ref, "namespace", ""), *name = json_str_or(ref, "name", "");
    if (*ns && !g.resource->namespaced) return error_new("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
    if (!*ns && g.resource->namespaced) ns = change_namespace(c);
    if (!*ns && g.resource->namespaced) return error_new("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
    if (*name) {
        cleanup_doc struct doc *d = store_get(c->r->server->store, table_of(c->r->server, g.resource), key_for(c->r->arena, g.resource, ns, name));
        if (d) add_parameter(d, &g);
    } else {
        struct selector *s;
        TRY(label_selector_from_json(c->r->arena, json_member(ref, "selector"), &s));
        g.selector = s;
        registry_each(c->r->server, g.resource, *ns ? ns : NULL, add_parameter, &g);
    }
    if (g.error) return g.error;
    if (g.list.len == 0 && json_str_is(ref, "parameterNotFoundAction", "Deny"))
        return error_new("no params found for policy binding with `Deny` parameterNotFoundAction");
    *out = json_array_done(&g.list);
    return NULL;
}

/* ---- what matches ---- */

/* matchConstraints of a policy, matchResources of a binding; *as stays NULL when they do not match. */
static struct error *matches(struct change *c, const struct json *criteria, const struct resource **as) {
    const struct json *rules = json_member(criteria, "resourceRules");
    const char *policy = json_str_or(criteria, "matchPolicy", "Equivalent");
    bool selected;
    *as = NULL;
    struct error *e = match_selectors(c, criteria, &selected);
    if (e == NULL && !selected) return NULL;
    if (match_rules(c, json_member(criteria, "excludeResourceRules"), policy) == NULL)
        *as = json_len(rules) == 0 ? c->resource : match_rules(c, rules, policy);
    if (*as) return e;
    error_free(e); /* a selector that cannot be read matters only where the rest matches */
    return NULL;
}

/* What expressions see of a namespace (CreateNamespaceObject). */
static const struct json *namespace_object(struct change *c) {
    struct arena *a = c->r->arena;
    const char *ns = change_namespace(c);
    if (!*ns || c->resource == &resource_namespaces) return NULL;
    cleanup_doc struct doc *d = registry_get(c->r->server, &resource_namespaces, NULL, ns);
    if (d == NULL) return NULL;
    const struct json *o = json_copy(a, d->root);
    return without_meta(a, without_meta(a, o, "managedFields"), "ownerReferences");
}

static struct error *run_policy(struct run *x, struct denial *d) {
    struct change *c = x->c;
    const struct resource *as, *bound;
    const struct json *kind = json_member(x->policy->spec, "paramKind"), *params;
    struct error *e = matches(c, json_member(x->policy->spec, "matchConstraints"), &as);
    if (e) return bad_configuration(x, NULL, d, e), NULL;
    if (as == NULL) return NULL;
    if (json_is(kind, JSON_OBJECT) && parameter_resource(c, kind) == NULL) {
        const char *version = json_str_or(kind, "apiVersion", "");
        e = error_new("failed to find resource referenced by paramKind: '%s%s, Kind=%s'", strchr(version, '/') ? "" : "/", version, json_str_or(kind, "kind", ""));
        return bad_configuration(x, NULL, d, e), NULL;
    }
    TRY(admission_request(c, as, "", &x->request));
    for (const struct binding *b = x->policy->bindings; b; b = b->next) {
        e = matches(c, json_member(b->spec, "matchResources"), &bound);
        if (e == NULL && bound == NULL) continue;
        if (e == NULL) e = parameters(c, x->policy, b, &params);
        if (e) bad_configuration(x, b, d, e);
        else JSON_EACH(p, params) validate_with(x, b, p->type == JSON_NULL ? NULL : p, d);
    }
    return NULL;
}

static const struct { const char *reason; int code; } reason_codes[] = {
    {"Forbidden", 403}, {"Unauthorized", 401}, {"RequestEntityTooLarge", 413}, {"Invalid", 422},
};

bool policies_any(struct apiserver *s) {
    CLEANUP(cleanup_set_) struct policy_set *set = current_set(s);
    return set->policies != NULL;
}

struct error *validating_policies(struct change *c) {
    CLEANUP(cleanup_set_) struct policy_set *set = current_set(c->r->server);
    struct denial d = {0};
    if (set->policies == NULL || match_exempt(c)) return NULL;
    struct run x = {.c = c, .set = set, .namespace_object = namespace_object(c)};
    for (x.policy = set->policies; x.policy; x.policy = x.policy->next) TRY(run_policy(&x, &d));
    if (d.message == NULL) return NULL;
    struct error *e = admission_forbidden(c, "%s", d.message);
    const char *reason = d.reason && *d.reason ? d.reason : "Invalid";
    free(e->reason);
    e->reason = xstrdup(reason);
    e->code = 422;
    for (size_t i = 0; i < ARRAY_LEN(reason_codes); i++) {
        if (strcmp(reason, reason_codes[i].reason) == 0) e->code = reason_codes[i].code;
    }
    error_add_cause(e, NULL, d.message, NULL);
    return e;
}
