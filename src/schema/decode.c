/* What decoding into Go's types and encoding again makes of JSON (sigs.k8s.io/json, case-sensitive).
 *
 * Rules of that decoder: a mismatch of types is remembered and decoding goes on, the first one is reported; an error of a
 * type with its own UnmarshalJSON (times, quantities) ends decoding and is reported instead. null leaves a value at zero.
 * Rules of the encoder: fields in the type's order, keys of maps sorted; omitempty drops zero scalars, nil pointers, empty
 * lists and maps, never a struct that is not a pointer; without it nil lists and maps are null. So are empty ones, because
 * stored objects have been protobuf, which cannot tell; only apiextensions is stored as JSON. What a request brings keeps its
 * empty lists and maps until it is stored (schema_decode_explicit, written.c): rules and defaults tell them from absent ones. */
#include "schema/decode.h"
#include "base/str.h"

static bool decode_value(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                         struct json *out);

/* ---- errors ---- */

/* "v1.PodSpec" of "core/v1/PodSpec". */
static const char *go_name(const char *name) {
    const char *slash = strrchr(name, '/'), *package = slash;
    while (package > name && package[-1] != '/') package--;
    return package;
}

static char *dotted(struct arena *a, const char *name) {
    char *s = arena_strdup(a, go_name(name));
    *strchr(s, '/') = '.';
    return s;
}

/* One part of a field's alias: that of map keys, or the other one. */
static const char *alias_part(struct arena *a, const struct field *f, bool key) {
    if (!f || !f->alias) return NULL;
    for (char **p = str_split(a, f->alias, ',', NULL); *p; p++)
        if (str_starts(*p, "key:") == key) return dotted(a, key ? *p + 4 : *p);
    return NULL;
}

static bool is_string(const struct type *t) { return t->kind == TYPE_STRING; }

/* The Go type of a value somewhere in field `f`. */
static const char *go_type(struct arena *a, const struct type *t, const struct field *f) {
    static const char *const plain[] = {[TYPE_STRING] = "string", [TYPE_INT32] = "int32",    [TYPE_INT64] = "int64",
                                        [TYPE_BOOL] = "bool",     [TYPE_DOUBLE] = "float64", [TYPE_BYTES] = "[]uint8"};
    const char *alias = alias_part(a, f, false);
    bool names_list = f && f->pb_wrap;
    switch (t->kind) {
    case TYPE_STRUCT: return t->name ? dotted(a, t->name) : "object";
    case TYPE_LIST:
        if (alias && (!is_string(t->element) || names_list) && t->element->kind != TYPE_MAP) return alias;
        return arena_printf(a, "[]%s", go_type(a, t->element, f));
    case TYPE_MAP: {
        if (alias && !is_string(t->element) && !names_list) return alias;
        const char *key = alias_part(a, f, true);
        return arena_printf(a, "map[%s]%s", key ? key : "string", go_type(a, t->element, f));
    }
    default:
        if (is_string(t) && alias && !names_list) return alias;
        return t->kind <= TYPE_BYTES ? plain[t->kind] : "interface {}";
    }
}

const char *decode_token(struct arena *a, const struct json *in, bool literal) {
    static const char *const words[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "bool",   [JSON_INT] = "number",   [JSON_DOUBLE] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};
    if (!literal || (in->type != JSON_INT && in->type != JSON_DOUBLE)) return words[in->type];
    const char *text = json_text(a, in);
    bool whole = in->type == JSON_DOUBLE && !strpbrk(text, ".eE") && in->d < 9e18 && in->d > -9e18;
    return arena_printf(a, "number %s%s", text, whole ? ".0" : ""); /* a double without fraction was written with one */
}

static void field_text(struct buf *b, const struct decode_frame *at) {
    if (!at) return;
    field_text(b, at->parent);
    if (!at->field) return;
    if (b->len > 0) buf_addc(b, '.');
    if (at->field->embedded) buf_adds(b, at->field->embedded);
    buf_adds(b, at->field->name);
}

void decode_mismatch(struct decoder *d, const struct decode_frame *at, const struct json *in, const char *type, bool fatal) {
    struct error **slot = fatal ? &d->fatal : &d->error;
    if (*slot) return;
    bool literal = str_eq(type, "int32") || str_eq(type, "int64") || str_eq(type, "float64");
    const char *token = decode_token(d->arena, in, literal);
    const struct type *owner = d->struct_name;
    for (const struct decode_frame *f = at; f && !owner; f = f->parent) owner = f->owner;
    if (!owner) {
        *slot = error_new("json: cannot unmarshal %s into Go value of type %s", token, type);
        return;
    }
    cleanup_buf struct buf path = {0};
    field_text(&path, at);
    *slot = error_new("json: cannot unmarshal %s into Go struct field %s.%s of type %s", token,
                      owner->name ? strrchr(owner->name, '/') + 1 : "", buf_str(&path), type);
}

static void mismatch(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in) {
    const struct decode_frame *f = at;
    while (f && !f->field) f = f->parent;
    decode_mismatch(d, at, in, go_type(d->arena, t, f ? f->field : NULL), false);
}

static void strict_path(struct buf *b, const struct decode_frame *at) {
    if (!at) return;
    strict_path(b, at->parent);
    if (!at->field && !at->key) {
        buf_printf(b, "[%zu]", at->index);
        return;
    }
    if (b->len > 0) buf_addc(b, '.');
    buf_adds(b, at->field ? at->field->name : at->key);
}

/* At most a hundred, each once. */
static void note_unknown(struct decoder *d, const struct decode_frame *at, const struct json_member *m) {
    if (!d->unknown || d->unknown->len >= 100) return;
    cleanup_buf struct buf path = {0};
    strict_path(&path, at);
    if (path.len > 0) buf_addc(&path, '.');
    buf_add(&path, m->key, m->key_len);
    const struct json *quoted = json_string(d->arena, buf_str(&path));
    const struct json *text = json_strf(d->arena, "unknown field %s", json_text(d->arena, quoted));
    for (size_t i = 0; i < d->unknown->len; i++)
        if (json_equal(&d->unknown->items[i], text)) return;
    json_array_add(d->unknown, text);
}

/* ---- structs, lists, maps ---- */

static bool is_empty(const struct field *f, const struct json *v) {
    switch (f->type->kind) {
    case TYPE_STRUCT: return false;
    case TYPE_TIME:
    case TYPE_MICRO_TIME: return f->omitzero && v->type == JSON_NULL;
    case TYPE_DURATION:
    case TYPE_QUANTITY:
    case TYPE_INT_OR_STRING:
    case TYPE_RAW: return false;
    default:
        switch (v->type) {
        case JSON_NULL: return true;
        case JSON_BOOL: return !v->b;
        case JSON_INT: return v->i == 0;
        case JSON_DOUBLE: return v->d == 0;
        default: return v->len == 0;
        }
    }
}

/* Whether the field is written at all; makes the value of one that was not in the input. */
static bool keeps(struct decoder *d, const struct decode_frame *at, const struct field *f, bool present, struct json *v) {
    if (f->no_json) return false;
    if (f->pointer && !present) {
        *v = json_null;
        return !f->omitempty;
    }
    if (f->pointer) {
        bool list = f->type->kind == TYPE_LIST || f->type->kind == TYPE_MAP;
        return !f->omitempty || !list || d->keep_explicit || v->len > 0;
    }
    if (!present && f->omitempty && f->type->kind <= TYPE_ANY) return false;
    if (!present && !decode_value(d, at, f->type, NULL, v)) return false;
    bool explicit = d->keep_explicit && (v->type == JSON_ARRAY || v->type == JSON_OBJECT);
    return !f->omitempty || explicit || !is_empty(f, v);
}

static bool struct_members(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                           struct json *slots, uint64_t *present) {
    JSON_EACH_MEMBER(m, in) {
        const struct field *f = type_field(t, m->key);
        if (!f) {
            note_unknown(d, at, m);
            continue;
        }
        if (m->value.type == JSON_NULL && (f->pointer || f->type->kind < TYPE_TIME)) continue;
        size_t i = (size_t)(f - t->fields);
        struct decode_frame frame = {at, f, t, NULL, 0};
        if (!decode_value(d, &frame, f->type, &m->value, &slots[i])) return false;
        *present |= UINT64_C(1) << i;
    }
    return true;
}

static bool decode_struct(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                          struct json *out) {
    if (in && in->type != JSON_OBJECT && in->type != JSON_NULL) {
        mismatch(d, at, t, in);
        in = NULL;
    }
    struct json slots[64];
    uint64_t present = 0, kept = 0;
    if (!struct_members(d, at, t, in, slots, &present)) return false;
    for (size_t i = 0; i < t->field_count; i++) {
        struct decode_frame frame = {at, &t->fields[i], t, NULL, 0};
        if (keeps(d, &frame, &t->fields[i], present >> i & 1, &slots[i])) kept |= UINT64_C(1) << i;
        if (d->fatal) return false;
    }
    uint32_t count = (uint32_t)__builtin_popcountll(kept);
    struct json_member *members = count > 0 ? arena_alloc(d->arena, count * sizeof(*members)) : NULL;
    *out = (struct json){.type = JSON_OBJECT, .len = count, .members = members};
    for (size_t i = 0; i < t->field_count; i++)
        if (kept >> i & 1) *members++ = (struct json_member){t->fields[i].name, t->fields[i].name_len, slots[i]};
    return true;
}

static bool decode_list(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                        struct json *out) {
    *out = json_null;
    if (!in || in->type == JSON_NULL) return true;
    if (in->type != JSON_ARRAY) {
        mismatch(d, at, t, in);
        return true;
    }
    struct json *items = in->len > 0 ? arena_alloc(d->arena, in->len * sizeof(*items)) : NULL;
    for (size_t i = 0; i < in->len; i++) {
        struct decode_frame frame = {at, NULL, NULL, NULL, i};
        if (!decode_value(d, &frame, t->element, &in->items[i], &items[i])) return false;
    }
    if (in->len > 0 || d->keep_empty) *out = (struct json){.type = JSON_ARRAY, .len = in->len, .items = items};
    d->explicit |= in->len == 0;
    return true;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key);
}

static bool decode_map(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                       struct json *out) {
    *out = json_null;
    if (!in || in->type == JSON_NULL) return true;
    if (in->type != JSON_OBJECT) {
        mismatch(d, at, t, in);
        return true;
    }
    struct json_member *members = in->len > 0 ? arena_alloc(d->arena, in->len * sizeof(*members)) : NULL;
    bool sorted = true;
    for (size_t i = 0; i < in->len; i++) {
        const struct json_member *m = &in->members[i];
        struct decode_frame frame = {at, NULL, NULL, m->key, 0};
        members[i] = (struct json_member){m->key, m->key_len, json_null};
        if (!decode_value(d, &frame, t->element, &m->value, &members[i].value)) return false;
        if (t->element->kind == TYPE_BYTES && m->value.type == JSON_NULL) members[i].value = json_empty_string;
        if (i > 0 && by_key(&members[i - 1], &members[i]) > 0) sorted = false;
    }
    if (!sorted) qsort(members, in->len, sizeof(*members), by_key);
    if (in->len > 0 || d->keep_empty) *out = (struct json){.type = JSON_OBJECT, .len = in->len, .members = members};
    d->explicit |= in->len == 0;
    return true;
}

/* JSONSchemaPropsOr…: a schema or the other form; decoded by a decoder of its own that ignores unknown fields. */
static bool decode_custom(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                          struct json *out) {
    const struct type *outer = d->struct_name;
    struct json_array *unknown = d->unknown;
    const struct field *schema = NULL, *other = NULL;
    for (size_t i = 0; i < t->field_count; i++)
        if (t->fields[i].type->kind == TYPE_STRUCT) schema = &t->fields[i];
        else other = &t->fields[i];
    *out = other && other->type->kind == TYPE_BOOL ? json_false : json_null;
    if (!schema) {
        *out = in ? *in : json_null;
        return true;
    }
    if (!in) return true;
    for (const struct decode_frame *f = at; f && !d->struct_name; f = f->parent) d->struct_name = f->owner;
    d->unknown = NULL;
    bool ok = true;
    if (in->type == JSON_OBJECT) ok = decode_value(d, at, schema->type, in, out);
    else if (in->type == JSON_ARRAY && other->type->kind == TYPE_LIST) ok = decode_list(d, at, other->type, in, out);
    else if (in->type == JSON_BOOL && other->type->kind == TYPE_BOOL) *out = *in;
    else if (other->type->kind == TYPE_BOOL) {
        d->fatal = error_new("boolean or JSON schema expected");
        ok = false;
    }
    if (out->type == JSON_ARRAY && out->len == 0) *out = json_null;
    d->struct_name = outer;
    d->unknown = unknown;
    return ok;
}

/* ---- scalars ---- */

static void decode_int(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                       struct json *out) {
    *out = (struct json){.type = JSON_INT, .i = 0};
    if (!in || in->type == JSON_NULL) return;
    bool fits = in->type == JSON_INT && (t->kind == TYPE_INT64 || (in->i >= INT32_MIN && in->i <= INT32_MAX));
    if (fits) out->i = in->i;
    else mismatch(d, at, t, in);
}

static void decode_plain(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                         struct json *out) {
    enum json_type want = t->kind == TYPE_STRING ? JSON_STRING : t->kind == TYPE_BOOL ? JSON_BOOL : JSON_DOUBLE;
    *out = t->kind == TYPE_STRING ? json_empty_string : t->kind == TYPE_BOOL ? json_false : (struct json){.type = JSON_INT};
    if (!in || in->type == JSON_NULL) return;
    if (in->type == want || (want == JSON_DOUBLE && in->type == JSON_INT)) *out = *in;
    else mismatch(d, at, t, in);
}

static bool decode_value(struct decoder *d, const struct decode_frame *at, const struct type *t, const struct json *in,
                         struct json *out) {
    switch (t->kind) {
    case TYPE_STRUCT: return t->custom_json ? decode_custom(d, at, t, in, out) : decode_struct(d, at, t, in, out);
    case TYPE_LIST: return decode_list(d, at, t, in, out);
    case TYPE_MAP: return decode_map(d, at, t, in, out);
    case TYPE_INT32:
    case TYPE_INT64: decode_int(d, at, t, in, out); return true;
    case TYPE_STRING:
    case TYPE_BOOL:
    case TYPE_DOUBLE: decode_plain(d, at, t, in, out); return true;
    case TYPE_BYTES: decode_bytes(d, at, in, out); return true;
    case TYPE_TIME:
    case TYPE_MICRO_TIME: return decode_time(d, at, t->kind == TYPE_MICRO_TIME, in, out);
    case TYPE_DURATION: return decode_duration(d, at, in, out);
    case TYPE_QUANTITY: return decode_quantity(d, in, out);
    case TYPE_INT_OR_STRING: return decode_int_or_string(d, at, in, out);
    case TYPE_ANY:
    case TYPE_RAW:
    case TYPE_FIELDS_V1: *out = in ? *in : json_null; return true;
    }
    return true;
}

static struct error *decode(struct decoder *d, const struct type *t, const struct json *in, const struct json **out) {
    struct json *v = arena_alloc(d->arena, sizeof(*v));
    bool done = decode_value(d, NULL, t, in, v);
    if (!done) {
        error_free(d->error);
        return d->fatal;
    }
    if (d->error) return d->error;
    *out = v;
    return NULL;
}

struct error *schema_decode(struct arena *a, const struct type *t, const struct json *in, struct json_array *unknown,
                            const struct json **out) {
    struct decoder d = {.arena = a, .unknown = unknown, .keep_empty = schema_stored_as_json(t) || (t->name && str_ends(t->name, "List"))};
    return decode(&d, t, in, out);
}

struct error *schema_decode_explicit(struct arena *a, const struct type *t, const struct json *in, struct json_array *unknown, bool *explicit,
                                     const struct json **out) {
    struct decoder d = {.arena = a, .unknown = unknown, .keep_empty = true, .keep_explicit = true};
    struct error *e = decode(&d, t, in, out);
    *explicit = d.explicit;
    return e;
}
