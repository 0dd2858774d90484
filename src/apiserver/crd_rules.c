/* x-kubernetes-validations: CEL rules of custom resources (apiextensions-apiserver pkg/apiserver/schema/cel). A rule is
 * compiled when it is first needed and kept with its definition. */
#include "base/str.h"
#include "apiserver/crd.h"
#include "schema/cel.h"

struct crd_rules {
    pthread_mutex_t lock; /* everything */
    struct arena arena;
    struct map programs;  /* place of the rule in its schema -> program */
};

static struct crd_rules *rules_of(const struct crd *crd) {
    struct crd *c = (struct crd *)(uintptr_t)crd;
    pthread_mutex_lock(&c->definition->lock);
    if (c->rules == NULL) {
        c->rules = xcalloc(1, sizeof(*c->rules));
        pthread_mutex_init(&c->rules->lock, NULL);
    }
    pthread_mutex_unlock(&c->definition->lock);
    return c->rules;
}

void crd_rules_free(struct crd_rules *r) {
    if (r == NULL) return;
    map_free(&r->programs, NULL);
    arena_free(&r->arena);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct walk {
    struct field_errors *e;
    struct json_array *warnings;
    const struct crd *crd;
    struct crd_rules *rules;
    uint64_t budget; /* of cost, for all rules of the object */
    bool over;
};

/* A rule about a value. */
struct run {
    const struct field_path *path;
    const struct json *schema, *rule, *value, *old; /* old: NULL where there was none, or none that can be told */
    bool root, same; /* same: an update that leaves it as it is */
};
#define LIMIT "operation cancelled: actual cost limit exceeded"

struct scope {
    const struct cel_value *self, *old;
};

static const struct cel_value *lookup(void *arg, const char *name, const char **problem) {
    const struct scope *s = arg;
    (void)problem;
    return strcmp(name, "self") == 0 ? s->self : strcmp(name, "oldSelf") == 0 ? s->old : NULL;
}

static const struct cel_program *program_of(struct walk *w, const struct json *schema, const struct json *rule, bool root, const char *text) {
    char key[40];
    const struct cel_program *found;
    snprintf(key, sizeof(key), "%p%c", (const void *)rule, text == json_str(rule, "rule") ? 'r' : 'm');
    pthread_mutex_lock(&w->rules->lock);
    found = map_get(&w->rules->programs, key);
    if (found == NULL) {
        const struct type *t = crd_type(&w->rules->arena, schema, root);
        const struct cel_var vars[] = {{.name = "self", .type = t}, {.name = "oldSelf", .type = json_bool(rule, "optionalOldSelf", false) ? NULL : t}};
        struct cel_program *made = NULL;
        cleanup_error struct error *e = cel_compile(&w->rules->arena, text, &(struct cel_env){.vars = vars, .var_count = 2}, &made);
        if (e == NULL) map_set(&w->rules->programs, key, made), found = made;
    }
    pthread_mutex_unlock(&w->rules->lock);
    return found;
}

/* How errors name a rule. */
static const char *rule_text(struct arena *a, const struct json *rule) {
    const char *message = json_str_or(rule, "message", "");
    return str_trim(a, *message ? message : json_str_or(rule, "rule", ""));
}

#define MESSAGE_MAX 5120
#define OUT_OF_BUDGET "failed due to running out of cost budget, no further validation rules will be run"

/* What a false rule says. An expression that fails is passed over, unless for its cost: then *stop is why. */
static const char *rule_message(struct walk *w, const struct run *r, const struct cel_scope *scope, const char **stop) {
    struct arena *a = w->e->arena;
    const char *expression = json_str_or(r->rule, "messageExpression", ""), *message = json_str_or(r->rule, "message", "");
    const struct cel_program *p = *expression ? program_of(w, r->schema, r->rule, r->root, expression) : NULL;
    const struct cel_value *v = NULL;
    cleanup_error struct error *e = p ? cel_eval(p, scope, &v) : NULL;
    if (p && w->budget == 0) *stop = "messageExpression evaluation " OUT_OF_BUDGET;
    else if (e && str_starts(e->message, LIMIT)) *stop = arena_printf(a, "no further validation rules will be run due to call cost exceeds limit for messageExpression: %s", status_quote(a, expression));
    const char *text = v && cel_kind_of(v) == CEL_STRING ? str_trim(a, json_str_or(cel_to_json(a, v), NULL, "")) : "";
    if (*text && strlen(text) <= MESSAGE_MAX && strchr(text, '\n') == NULL) return text;
    return *message ? str_trim(a, message) : arena_printf(a, "failed rule: %s", rule_text(a, r->rule));
}

static const struct { const char *reason, *prefix; bool value; } reasons[] = {
    {"FieldValueForbidden", "Forbidden", false}, {"FieldValueRequired", "Required value", false}, {"FieldValueDuplicate", "Duplicate value", true},
};

/* The field that the rule says is to blame, below the one that has the rule. */
static const char *blamed(struct walk *w, const struct run *r) {
    const char *path = json_str_or(r->rule, "fieldPath", ""), *normal = NULL, *here = r->path ? field_path_text(w->e->arena, r->path) : "";
    if (!*path || crd_field_path(w->e->arena, r->schema, path, true, NULL, &normal)) return NULL;
    return arena_printf(w->e->arena, "%s%s%s", here, *here ? "." : "", normal);
}

/* Upstream shows the values of scalars only. */
static void complain(struct walk *w, const struct run *r, const char *message) {
    struct arena *a = w->e->arena;
    const char *type = json_str_or(r->schema, "type", ""), *reason = json_str_or(r->rule, "reason", ""), *field = blamed(w, r);
    bool shown = strcmp(type, "object") != 0 && strcmp(type, "array") != 0;
    field_invalid(w->e, r->path, r->value, "%s", message);
    struct field_error *last = &w->e->items[w->e->len - 1];
    if (!shown) last->message = arena_printf(a, "Invalid value: %s", message);
    if (field) last->field = field;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (strcmp(reason, reasons[i].reason) != 0) continue;
        last->type = reasons[i].reason;
        if (!reasons[i].value) last->message = arena_printf(a, "%s: %s", reasons[i].prefix, message);
        else last->message = shown ? arena_printf(a, "%s: %s", reasons[i].prefix, json_text(a, r->value)) : reasons[i].prefix;
    }
}

static void fault(struct walk *w, const struct run *r, const char *message) { field_invalid_str(w->e, r->path, json_str_or(r->schema, "type", ""), "%s", message); }

/* No rule is run any more. */
static void give_up(struct walk *w, const struct run *r, const char *message) {
    fault(w, r, message);
    w->over = true;
}

static void failed(struct walk *w, const struct run *r, const char *why) {
    struct arena *a = w->e->arena;
    const char *text = rule_text(a, r->rule);
    if (str_starts(why, LIMIT)) return give_up(w, r, arena_printf(a, "'%s': no further validation rules will be run due to call cost exceeds limit for rule: %s", why, text));
    bool overload = str_starts(why, "no such overload");
    fault(w, r, arena_printf(a, overload ? "'%s': call arguments did not match a supported operator, function or macro signature for rule: %s" : "%s evaluating rule: %s", why, text));
}

static void run_rule(struct walk *w, const struct run *r) {
    const struct cel_program *program = program_of(w, r->schema, r->rule, r->root, json_str(r->rule, "rule"));
    struct arena *a = w->e->arena;
    bool optional = json_bool(r->rule, "optionalOldSelf", false);
    if (program == NULL || (cel_uses(program, "oldSelf") && r->old == NULL && !optional)) return;
    const struct type *t = crd_type(a, r->schema, r->root);
    struct scope scope = {.self = cel_from_json(a, r->value, t), .old = r->old ? cel_from_json(a, r->old, t) : NULL};
    if (optional) scope.old = cel_optional(a, scope.old);
    struct cel_scope cs = {.arena = a, .lookup = lookup, .arg = &scope, .budget = &w->budget};
    const struct cel_value *result = NULL;
    cleanup_error struct error *e = cel_eval(program, &cs, &result);
    if (w->budget == 0) return give_up(w, r, "validation " OUT_OF_BUDGET);
    if (e) return failed(w, r, e->message);
    if (json_bool(cel_to_json(a, result), NULL, false)) return;
    const char *stop = NULL, *message = rule_message(w, r, &cs, &stop);
    if (stop) return give_up(w, r, stop);
    complain(w, r, message);
    if (!r->same || cel_uses(program, "oldSelf")) return;
    const struct field_error *last = &w->e->items[--w->e->len];
    json_array_add(w->warnings, json_strf(a, "%s: %s", last->field, last->message));
}

/* `same`: the value is part of one that an update leaves as it is. */
static void visit(struct walk *w, const struct field_path *p, const struct json *s, const struct json *v, const struct json *old, bool same, bool root) {
    if (v == NULL || s == NULL || v->type == JSON_NULL) return;
    if (old) same = json_equal(v, old);
    const struct json *rules = json_member(s, "x-kubernetes-validations");
    JSON_EACH(rule, rules) {
        if (!w->over) run_rule(w, &(struct run){p, s, rule, v, old, root, same});
    }
    if (v->type == JSON_ARRAY) {
        for (size_t i = 0; i < v->len; i++) visit(w, FIELD_INDEX(p, i), json_member(s, "items"), &v->items[i], crd_old_item(s, old, &v->items[i]), same, false);
        return;
    }
    const struct json *properties = json_member(s, "properties"), *additional = json_member(s, "additionalProperties");
    if (!json_is(additional, JSON_OBJECT)) additional = NULL;
    JSON_EACH_MEMBER(m, v) {
        const struct json *inner = json_member(properties, m->key);
        visit(w, FIELD(p, m->key), inner ? inner : additional, &m->value, json_member(old, m->key), same, false);
    }
}

void crd_check_rules(struct field_errors *e, struct json_array *warnings, const struct crd *crd, const struct json *object, const struct json *old) {
    struct walk w = {.e = e, .warnings = warnings, .crd = crd, .rules = rules_of(crd), .budget = 10000000};
    visit(&w, NULL, crd->schema, object, old, false, true);
}
