/* Values from and to JSON trees. */
#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include "helm/go/value.h"
#include <math.h>

enum { MAX_DEPTH = 10000 };

static struct value number(struct arena *a, const struct json *json, enum value_numbers numbers) {
    if (numbers == VALUE_FLOATS) return value_float(json->type == JSON_INT ? (double)json->i : json->d);
    cleanup_buf struct buf b = {0};
    json_encode(&b, json);
    return value_as(value_take_buf(a, &b), &go_number);
}

struct value value_from_json(struct arena *a, const struct json *json, enum value_numbers numbers) {
    if (json == NULL) return value_nil();
    switch (json->type) {
    case JSON_NULL: return value_nil();
    case JSON_BOOL: return value_bool(json->b);
    case JSON_INT:
    case JSON_DOUBLE: return number(a, json, numbers);
    case JSON_STRING: return value_str(json->s, json->len);
    case JSON_ARRAY: {
        struct value v = value_slice(a, &go_list, json->len);
        for (size_t i = 0; i < json->len; i++) v.items[i] = value_from_json(a, &json->items[i], numbers);
        return v;
    }
    case JSON_OBJECT: break;
    }
    struct value v = value_map_new(a, &go_map);
    JSON_EACH_MEMBER(m, json) value_map_set(v.map, m->key, m->key_len, value_from_json(a, &m->value, numbers));
    return v;
}

static struct error *convert(struct arena *a, struct value v, int depth, const struct json **out);

/* The bytes with U+FFFD for each that is no UTF-8. Not copied where they are all right. */
static struct value valid_text(struct arena *a, const char *s, size_t n) {
    if (utf8_valid(s, n)) return value_str(s, n);
    cleanup_buf struct buf b = {0};
    size_t width;
    for (size_t i = 0; i < n; i += width) buf_add_rune(&b, rune_decode(s + i, n - i, &width));
    return value_take_buf(a, &b);
}

static struct error *from_slice(struct arena *a, struct value v, int depth, const struct json **out) {
    if (v.type->kind == GO_SLICE && v.items == NULL) {
        *out = &json_null;
        return NULL;
    }
    if (go_is_bytes(v.type)) {
        cleanup_buf struct buf b = {0};
        base64_encode(&b, v.s, v.len);
        *out = json_string_n(a, buf_str(&b), b.len);
        return NULL;
    }
    struct json_array items = {.arena = a};
    for (size_t i = 0; i < v.len; i++) {
        const struct json *item;
        TRY(convert(a, v.items[i], depth, &item));
        json_array_add(&items, item);
    }
    *out = json_array_done(&items);
    return NULL;
}

static struct error *from_map(struct arena *a, struct value v, int depth, const struct json **out) {
    if (v.map == NULL) {
        *out = &json_null;
        return NULL;
    }
    struct json_object object = {.arena = a};
    VALUE_EACH(e, v) {
        const struct json *member;
        TRY(convert(a, e->value, depth, &member));
        struct value key = valid_text(a, e->key, e->key_len);
        json_object_add(&object, "", member);
        object.members[object.len - 1].key = arena_strndup(a, key.s, key.len); /* may have NULs */
        object.members[object.len - 1].key_len = key.len;
    }
    *out = json_object_done(&object);
    return NULL;
}

/* encoding/json's isEmptyValue */
static bool empty(struct value v) {
    switch (value_kind(v)) {
    case GO_STRUCT: return false;
    case GO_MAP:
    case GO_SLICE:
    case GO_ARRAY: return value_len(v) == 0;
    default: return !value_true(v);
    }
}

static struct error *add_fields(struct arena *a, struct value v, int depth, struct json_object *object) {
    const struct go_type *t = v.type->kind == GO_POINTER ? v.type->elem : v.type;
    size_t i = 0;
    for (const struct go_field *f = t->fields; f != NULL && f->name != NULL; f++, i++) {
        if (f->embedded) {
            TRY(add_fields(a, v.items[i], depth, object));
            continue;
        }
        if ((f->json != NULL && str_eq(f->json, "-")) || (f->omit_empty && empty(v.items[i]))) continue;
        const struct json *member;
        TRY(convert(a, v.items[i], depth, &member));
        json_object_add(object, f->json ? f->json : f->name, member);
    }
    return NULL;
}

static struct error *from_struct(struct arena *a, struct value v, int depth, const struct json **out) {
    struct json_object object = {.arena = a};
    TRY(add_fields(a, v, depth, &object));
    *out = json_object_done(&object);
    return NULL;
}

/* float32: the double that is written with as few digits. */
static struct error *from_float(struct arena *a, double f, bool single, const struct json **out) {
    if (isnan(f)) return error_new("json: unsupported value: NaN");
    if (isinf(f)) return error_new("json: unsupported value: %sInf", f < 0 ? "-" : "+");
    if (single) {
        cleanup_buf struct buf b = {0};
        go_format_float(&b, f, 'g', -1, 32);
        f = strtod(b.data, NULL);
    }
    *out = json_number(a, f);
    return NULL;
}

/* The text of a json.Number is a JSON number, "" stands for 0. */
static struct error *from_number(struct arena *a, struct value v, const struct json **out) {
    const struct json *parsed = NULL;
    if (v.len == 0) {
        *out = json_integer(a, 0);
        return NULL;
    }
    struct error *e = json_parse(a, v.s, v.len, NULL, NULL, &parsed);
    if (e == NULL && (parsed->type == JSON_INT || parsed->type == JSON_DOUBLE)) {
        *out = parsed;
        return NULL;
    }
    error_free(e);
    return error_new("json: invalid number literal, trying to marshal \"%.*s\"", (int)v.len, v.s);
}

static struct error *convert(struct arena *a, struct value v, int depth, const struct json **out) {
    if (depth >= MAX_DEPTH) return error_new("json: unsupported value: encountered a cycle via %s", go_type_name(v));
    depth++;
    if (v.type != NULL && v.type->marshal_json != NULL && !value_is_nil(v)) return v.type->marshal_json(a, &v, out);
    switch (value_kind(v)) {
    case GO_INVALID: *out = &json_null; return NULL;
    case GO_BOOL: *out = json_boolean(v.b); return NULL;
    case GO_FLOAT32:
    case GO_FLOAT64: return from_float(a, v.f, v.type->kind == GO_FLOAT32, out);
    case GO_STRING:
        if (v.type == &go_number) return from_number(a, v, out);
        v = valid_text(a, v.s, v.len);
        *out = json_string_n(a, v.s, v.len);
        return NULL;
    case GO_SLICE:
    case GO_ARRAY: return from_slice(a, v, depth, out);
    case GO_MAP: return from_map(a, v, depth, out);
    case GO_STRUCT: return from_struct(a, v, depth, out);
    case GO_POINTER:
        if (v.ptr == NULL) {
            *out = &json_null;
            return NULL;
        }
        return from_struct(a, v, depth, out);
    case GO_FUNC:
    case GO_INTERFACE:
    case GO_COMPLEX64:
    case GO_COMPLEX128: return error_new("json: unsupported type: %s", go_type_name(v));
    default: break;
    }
    bool big = go_is_uint(v.type->kind) && v.u > INT64_MAX;
    *out = big ? json_number(a, (double)v.u) : json_integer(a, v.i);
    return NULL;
}

struct error *value_to_json(struct arena *a, struct value v, const struct json **out) { return convert(a, v, 0, out); }
