/* x-kubernetes-validations: CEL rules of custom resources (apiextensions-apiserver pkg/apiserver/schema/cel). A rule is
 * compiled when it is first needed and kept with its definition. */
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
    const struct crd *crd;
    struct crd_rules *rules;
    uint64_t budget;
};

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

static const char *rule_message(struct walk *w, const struct json *schema, const struct json *rule, bool root, const struct cel_scope *scope) {
    const char *expression = json_str_or(rule, "messageExpression", ""), *message = json_str_or(rule, "message", "");
    if (*expression) {
        const struct cel_program *p = program_of(w, schema, rule, root, expression);
        const struct cel_value *v = NULL;
        cleanup_error struct error *e = p ? cel_eval(p, scope, &v) : NULL;
        const char *text = v && cel_kind_of(v) == CEL_STRING ? json_str(cel_to_json(w->e->arena, v), NULL) : NULL;
        if (text && *text && strchr(text, '\n') == NULL) return text;
    }
    return *message ? message : arena_printf(w->e->arena, "failed rule: %s", json_str_or(rule, "rule", ""));
}

static const struct { const char *reason, *type, *prefix; bool value; } reasons[] = {
    {"FieldValueForbidden", "FieldValueForbidden", "Forbidden", false},
    {"FieldValueRequired", "FieldValueRequired", "Required value", false},
    {"FieldValueDuplicate", "FieldValueDuplicate", "Duplicate value", true},
};

static void complain(struct walk *w, const struct field_path *p, const struct json *rule, const struct json *value, const char *message) {
    const char *reason = json_str_or(rule, "reason", ""), *sub = json_str_or(rule, "fieldPath", "");
    bool scalar = value && value->type != JSON_OBJECT && value->type != JSON_ARRAY && value->type != JSON_NULL && !*sub;
    const struct json *shown = scalar ? value : NULL;
    if (shown) field_invalid(w->e, p, shown, "%s", message);
    else field_invalid_str(w->e, p, "", "%s", message);
    struct field_error *last = &w->e->items[w->e->len - 1];
    if (!shown) last->message = arena_printf(w->e->arena, "Invalid value: %s", message);
    if (*sub) last->field = p ? arena_printf(w->e->arena, "%s%s", last->field, sub) : sub + 1;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (strcmp(reason, reasons[i].reason) != 0) continue;
        last->type = reasons[i].type;
        last->message = shown && reasons[i].value ? arena_printf(w->e->arena, "%s: %s", reasons[i].prefix, json_text(w->e->arena, shown))
                                                   : arena_printf(w->e->arena, "%s: %s", reasons[i].prefix, message);
    }
}

static void run_rule(struct walk *w, const struct field_path *p, const struct json *schema, const struct json *rule, const struct json *v, const struct json *old, bool root) {
    const char *text = json_str_or(rule, "rule", "");
    const struct cel_program *program = program_of(w, schema, rule, root, json_str(rule, "rule"));
    struct arena *a = w->e->arena;
    bool optional = json_bool(rule, "optionalOldSelf", false);
    if (program == NULL || (cel_uses(program, "oldSelf") && old == NULL && !optional)) return;
    const struct type *t = crd_type(a, schema, root);
    struct scope scope = {.self = cel_from_json(a, v, t), .old = old ? cel_from_json(a, old, t) : NULL};
    if (optional) scope.old = cel_optional(a, scope.old);
    struct cel_scope cs = {.arena = a, .lookup = lookup, .arg = &scope, .budget = &w->budget};
    const struct cel_value *result = NULL;
    cleanup_error struct error *e = cel_eval(program, &cs, &result);
    if (e) {
        const char *type = json_bool(schema, "x-kubernetes-int-or-string", false) ? "intOrString" : json_str_or(schema, "type", "");
        field_invalid_str(w->e, p, type, "%s evaluating rule: %s", e->message, text);
        return;
    }
    if (json_bool(cel_to_json(a, result), NULL, false)) return;
    complain(w, p, rule, v, rule_message(w, schema, rule, root, &cs));
}

/* The element that an element of the new list was before: by its keys in maps and sets; lists without identity have none. */
static const struct json *old_item(const struct json *schema, const struct json *old, const struct json *item) {
    const struct json *keys = json_member(schema, "x-kubernetes-list-map-keys");
    if (!json_str_is(schema, "x-kubernetes-list-type", "map")) return NULL;
    JSON_EACH(o, old) {
        bool same = true;
        JSON_EACH(k, keys) same &= json_equal(json_member(o, json_str_or(k, NULL, "")), json_member(item, json_str_or(k, NULL, "")));
        if (same) return o;
    }
    return NULL;
}

static void visit(struct walk *w, const struct field_path *p, const struct json *s, const struct json *v, const struct json *old, bool root) {
    if (v == NULL || s == NULL || v->type == JSON_NULL) return;
    JSON_EACH(rule, json_member(s, "x-kubernetes-validations")) run_rule(w, p, s, rule, v, old, root);
    if (v->type == JSON_ARRAY) {
        for (size_t i = 0; i < v->len; i++) visit(w, FIELD_INDEX(p, i), json_member(s, "items"), &v->items[i], old_item(s, old, &v->items[i]), false);
        return;
    }
    const struct json *properties = json_member(s, "properties"), *additional = json_member(s, "additionalProperties");
    if (!json_is(additional, JSON_OBJECT)) additional = NULL;
    JSON_EACH_MEMBER(m, v->type == JSON_OBJECT ? v : NULL) {
        const struct json *inner = json_member(properties, m->key);
        visit(w, FIELD(p, m->key), inner ? inner : additional, &m->value, json_member(old, m->key), false);
    }
}

void crd_check_rules(struct field_errors *e, const struct crd *crd, const struct json *object, const struct json *old) {
    struct walk w = {.e = e, .crd = crd, .rules = rules_of(crd), .budget = 10000000};
    visit(&w, NULL, crd->schema, object, old, true);
}
