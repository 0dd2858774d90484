/* Objects in memory and objects as they are written: Go keeps empty lists and maps that a request brings until the object is encoded,
 * and its comparisons know which differences are none. */
#include "base/str.h"
#include "schema/schema.h"

bool schema_stored_as_json(const struct type *t) { return t->name && str_starts(t->name, "apiextensions"); }

static bool is_collection(const struct type *t) { return t->kind == TYPE_LIST || t->kind == TYPE_MAP; }

/* ---- writing ---- */

/* `whole`: lists stay as they are, because they are compared as a whole. */
struct writer {
    struct arena *arena;
    enum written_for use;
    bool whole;
};

static const struct json *written(struct writer *w, const struct type *t, const struct json *v);

/* NULL: the member is left out. */
static const struct json *written_member(struct writer *w, const struct field *f, const struct json *v) {
    bool empty = is_collection(f->type) && v->type >= JSON_ARRAY && v->len == 0;
    if (empty) return f->omitempty ? NULL : w->use == WRITTEN_TO_STORE ? &json_null : v;
    return written(w, f->type, v);
}

/* Copied from the first member on that does not stay as it is. */
static const struct json *written_struct(struct writer *w, const struct type *t, const struct json *v) {
    struct json_object out = {.arena = w->arena};
    bool same = true;
    JSON_EACH_MEMBER(m, v) {
        const struct field *f = type_field(t, m->key);
        const struct json *now = f ? written_member(w, f, &m->value) : &m->value;
        for (const struct json_member *before = v->members; same && now != &m->value && before < m; before++) json_object_add(&out, before->key, &before->value);
        same = same && now == &m->value;
        if (!same && now) json_object_add(&out, m->key, now);
    }
    return same ? v : json_object_done(&out);
}

static const struct json *written_list(struct writer *w, const struct type *t, const struct json *v) {
    const struct json *out = v;
    if (w->use == WRITTEN_TO_COMPARE && (w->whole || t->list_type == LIST_ATOMIC)) return v;
    for (size_t i = 0; i < v->len; i++) {
        const struct json *now = written(w, t->element, &v->items[i]);
        if (now != &v->items[i]) out = json_with_item(w->arena, out, i, now);
    }
    return out;
}

static const struct json *written_map(struct writer *w, const struct type *t, const struct json *v) {
    const struct json *out = v;
    JSON_EACH_MEMBER(m, v) {
        const struct json *now = written(w, t->element, &m->value);
        if (now != &m->value) out = json_with_member(w->arena, out, m->key, now);
    }
    return out;
}

static const struct json *written(struct writer *w, const struct type *t, const struct json *v) {
    bool whole = w->whole;
    w->whole = whole || t->atomic;
    if (t->kind == TYPE_STRUCT && v->type == JSON_OBJECT && !t->custom_json) v = written_struct(w, t, v);
    else if (t->kind == TYPE_LIST && v->type == JSON_ARRAY) v = written_list(w, t, v);
    else if (t->kind == TYPE_MAP && v->type == JSON_OBJECT) v = written_map(w, t, v);
    w->whole = whole;
    return v;
}

const struct json *schema_written(struct arena *a, const struct type *t, const struct json *object, enum written_for use) {
    struct writer w = {a, use == WRITTEN_TO_STORE && schema_stored_as_json(t) ? WRITTEN_TO_SEND : use, false};
    return written(&w, t, object);
}

/* ---- comparing ---- */

static bool is_absent(const struct json *v) { return v == NULL || v->type == JSON_NULL; }

/* What an absent scalar that is no pointer is the same as. */
static bool is_zero(const struct json *v) {
    switch (v ? v->type : JSON_NULL) {
    case JSON_NULL: return true;
    case JSON_BOOL: return !v->b;
    case JSON_INT: return v->i == 0;
    case JSON_DOUBLE: return v->d == 0;
    default: return v->len == 0;
    }
}

static bool members_equal(const struct field *f, const struct json *a, const struct json *b) {
    if (f->pointer && !is_collection(f->type) && is_absent(a) != is_absent(b)) return false;
    return schema_semantic_equal(f->type, a, b);
}

/* The member of the same name, which mostly stands at the same place. */
static const struct json *counterpart(const struct json *o, const struct json_member *m, size_t place) {
    if (json_is(o, JSON_OBJECT) && place < o->len && o->members[place].key_len == m->key_len && memcmp(o->members[place].key, m->key, m->key_len) == 0)
        return &o->members[place].value;
    return json_member_n(o, m->key, m->key_len);
}

static bool structs_equal(const struct type *t, const struct json *a, const struct json *b) {
    JSON_EACH_MEMBER(m, a) {
        const struct field *f = type_field(t, m->key);
        const struct json *other = counterpart(b, m, (size_t)(m - a->members));
        if (f ? !members_equal(f, &m->value, other) : !json_equal(&m->value, other)) return false;
    }
    JSON_EACH_MEMBER(m, b) {
        const struct field *f = type_field(t, m->key);
        if (counterpart(a, m, (size_t)(m - b->members))) continue;
        if (f == NULL || !members_equal(f, NULL, &m->value)) return false;
    }
    return true;
}

static bool collections_equal(const struct type *t, const struct json *a, const struct json *b) {
    if (json_len(a) != json_len(b)) return false;
    for (size_t i = 0; i < json_len_(a, JSON_ARRAY); i++)
        if (!schema_semantic_equal(t->element, json_at(a, i), json_at(b, i))) return false;
    JSON_EACH_MEMBER(m, a) {
        const struct json *other = counterpart(b, m, (size_t)(m - a->members));
        if (other == NULL || !schema_semantic_equal(t->element, &m->value, other)) return false;
    }
    return true;
}

static bool quantities_equal(const struct json *a, const struct json *b) {
    struct quantity x = quantity_of(a), y = quantity_of(b);
    return quantity_compare(&x, &y) == 0;
}

bool schema_semantic_equal(const struct type *t, const struct json *a, const struct json *b) {
    if (a == b) return true;
    if (t->kind == TYPE_STRUCT && !t->custom_json) return structs_equal(t, a, b);
    if (is_collection(t)) return collections_equal(t, a, b);
    if (t->kind == TYPE_QUANTITY) return quantities_equal(a, b);
    if (is_absent(a) || is_absent(b)) return is_zero(a) && is_zero(b);
    return json_equal(a, b);
}
