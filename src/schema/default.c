/* Defaulting: the walk over an object that sets constant defaults (from the tables) and calls the types' hooks
 * (default_*.c). A type's own constants come first, then its hook, then the same for what is below, as in the scheme's
 * SetObjectDefaults functions. Nothing is copied where nothing changes. */
#include "schema/default.h"
#include "base/str.h"

static size_t position(const struct default_object *o, const char *name) {
    const struct field *f = type_field(o->type, name);
    if (!f) abort();
    return (size_t)(f - o->type->fields);
}

const struct json *default_get(const struct default_object *o, const char *name) { return o->values[position(o, name)]; }

void default_set(struct default_object *o, const char *name, const struct json *value) {
    o->values[position(o, name)] = value;
    o->changed = true;
}

void default_set_str(struct default_object *o, const char *name, const char *value) {
    default_set(o, name, json_string(o->arena, value));
}

bool default_is(const struct default_object *o, const char *name, const char *expected) {
    return json_str_is(default_get(o, name), NULL, expected);
}

void default_merge(struct default_object *o, const char *name, const struct json *from) {
    const struct json *to = default_get(o, name);
    bool changed = false;
    JSON_EACH_MEMBER(m, from) {
        if (json_member_n(to, m->key, m->key_len)) continue;
        to = json_with_member(o->arena, to, m->key, &m->value);
        changed = true;
    }
    if (changed) default_set(o, name, to);
}

/* The JSON text of a constant: almost always a plain string, a number or {}. */
static const struct json *constant(struct arena *a, const char *text) {
    size_t n = strlen(text);
    int64_t number;
    if (text[0] == '"' && !strchr(text, '\\')) return json_string_n(a, text + 1, n - 2);
    if (str_to_int64(text, &number)) return json_integer(a, number);
    if (str_eq(text, "{}")) return &json_empty_object;
    const struct json *v;
    struct error *e = json_parse(a, text, n, NULL, NULL, &v);
    if (e) abort();
    return v;
}

static bool is_zero(const struct json *v) {
    switch (v->type) {
    case JSON_NULL: return true;
    case JSON_BOOL: return !v->b;
    case JSON_INT: return v->i == 0;
    case JSON_DOUBLE: return v->d == 0;
    default: return v->len == 0;
    }
}

/* The API keeps quantities of resource lists in thousandths: finer ones ("100n", "5u") are rounded up. */
static const struct json *round_resources(struct arena *a, const struct json *list) {
    const struct json *out = list;
    JSON_EACH_MEMBER(m, list) {
        if (m->value.type != JSON_STRING || m->value.len == 0 || !strchr("nu", m->value.s[m->value.len - 1])) continue;
        struct quantity q = quantity_of(&m->value);
        q = (struct quantity){quantity_milli_value(&q), -3, q.format};
        out = json_with_member(a, out, m->key, json_string(a, quantity_format(a, &q)));
    }
    return out;
}

static const struct json *walk(struct arena *a, const struct type *t, const struct json *v);

static void set_constants(struct default_object *o) {
    for (size_t i = 0; i < o->type->field_count; i++) {
        const struct field *f = &o->type->fields[i];
        const struct json *v = o->values[i];
        if (!f->set_default || (v && (f->pointer || !is_zero(v)))) continue;
        const struct json *value = constant(o->arena, f->set_default);
        if (f->omitempty && !f->pointer && is_zero(value)) continue; /* would not be seen */
        o->values[i] = value;
        o->changed = true;
    }
}

static void walk_fields(struct default_object *o) {
    for (size_t i = 0; i < o->type->field_count; i++) {
        const struct field *f = &o->type->fields[i];
        const struct json *v = o->values[i], *changed = v;
        if (!v && f->type->kind == TYPE_STRUCT && !f->pointer && f->type->has_defaults) v = &json_empty_object;
        if (v && f->type->has_defaults) changed = walk(o->arena, f->type, v);
        if (v && f->alias && str_starts(f->alias, "core/v1/ResourceList")) changed = round_resources(o->arena, v);
        if (changed == v || !changed) continue;
        o->values[i] = changed;
        o->changed = true;
    }
}

static const struct json *repack(const struct default_object *o) {
    struct json_object out = {.arena = o->arena};
    for (size_t i = 0; i < o->type->field_count; i++)
        if (o->values[i]) json_object_add(&out, o->type->fields[i].name, o->values[i]);
        else if (!o->type->fields[i].omitempty) json_object_add(&out, o->type->fields[i].name, &json_null);
    return json_object_done(&out);
}

static const struct json *walk_struct(struct arena *a, const struct type *t, const struct json *v) {
    struct default_object o = {.arena = a, .type = t};
    ptrdiff_t last = -1;
    JSON_EACH_MEMBER(m, v) {
        const struct field *f = type_field(t, m->key);
        if (!f) continue;
        if (f - t->fields < last) o.changed = true; /* a hook above has added it at the end: put it in its place */
        last = f - t->fields;
        if (m->value.type != JSON_NULL) o.values[last] = &m->value;
    }
    set_constants(&o);
    if (t->default_hook) t->default_hook(&o);
    walk_fields(&o);
    return o.changed ? repack(&o) : v;
}

static const struct json *walk_list(struct arena *a, const struct type *t, const struct json *v) {
    const struct json *out = v;
    for (size_t i = 0; i < json_len(v); i++) {
        const struct json *item = walk(a, t->element, &v->items[i]);
        if (item == &v->items[i]) continue;
        if (out == v)
            out = arena_dup(a, &(struct json){JSON_ARRAY, v->len, {.items = arena_dup(a, v->items, v->len * sizeof(*v))}},
                            sizeof(*v));
        memcpy((char *)(uintptr_t)&out->items[i], item, sizeof(*item)); /* ours alone until it is returned */
    }
    return out;
}

static const struct json *walk_map(struct arena *a, const struct type *t, const struct json *v) {
    const struct json *out = v;
    JSON_EACH_MEMBER(m, v) {
        const struct json *item = walk(a, t->element, &m->value);
        if (item != &m->value) out = json_with_member(a, out, m->key, item);
    }
    return out;
}

static const struct json *walk(struct arena *a, const struct type *t, const struct json *v) {
    if (!t->has_defaults) return v;
    if (t->kind == TYPE_STRUCT && v->type == JSON_OBJECT) return walk_struct(a, t, v);
    if (t->kind == TYPE_LIST && v->type == JSON_ARRAY) return walk_list(a, t, v);
    if (t->kind == TYPE_MAP && v->type == JSON_OBJECT) return walk_map(a, t, v);
    return v;
}

const struct json *schema_default_type(struct arena *a, const struct type *t, const struct json *object) {
    return walk(a, t, object);
}

const struct json *schema_default(struct arena *a, const struct resource *r, const struct json *object) {
    return r->crd ? object : walk(a, r->type, object);
}
