#include "helm/go/value.h"
#include <stdio.h>

static void error_text(const struct value *v, struct buf *out) { buf_add(out, v->s, v->len); }

#define BASIC(var, kind_, name_) const struct go_type var = {.kind = (kind_), .name = (name_)}
BASIC(go_bool, GO_BOOL, "bool");
BASIC(go_int, GO_INT, "int");
BASIC(go_int8, GO_INT8, "int8");
BASIC(go_int16, GO_INT16, "int16");
BASIC(go_int32, GO_INT32, "int32");
BASIC(go_int64, GO_INT64, "int64");
BASIC(go_uint, GO_UINT, "uint");
BASIC(go_uint8, GO_UINT8, "uint8");
BASIC(go_uint16, GO_UINT16, "uint16");
BASIC(go_uint32, GO_UINT32, "uint32");
BASIC(go_uint64, GO_UINT64, "uint64");
BASIC(go_uintptr, GO_UINTPTR, "uintptr");
BASIC(go_float32, GO_FLOAT32, "float32");
BASIC(go_float64, GO_FLOAT64, "float64");
BASIC(go_complex128, GO_COMPLEX128, "complex128");
BASIC(go_string, GO_STRING, "string");
BASIC(go_any, GO_INTERFACE, "interface {}");
BASIC(go_error, GO_INTERFACE, "error");
BASIC(go_reflect, GO_STRUCT, "reflect.Value");
static const struct go_type error_struct = {
    .kind = GO_STRUCT, .name = "errors.errorString", .string = error_text, .is_error = true, .string_of_pointer = true};
const struct go_type go_error_string = {
    .kind = GO_POINTER, .name = "*errors.errorString", .elem = &error_struct, .string = error_text, .is_error = true};
const struct go_type go_list = {.kind = GO_SLICE, .name = "[]interface {}", .elem = &go_any};
const struct go_type go_strings = {.kind = GO_SLICE, .name = "[]string", .elem = &go_string};
const struct go_type go_ints = {.kind = GO_SLICE, .name = "[]int", .elem = &go_int};
const struct go_type go_bytes = {.kind = GO_SLICE, .name = "[]uint8", .elem = &go_uint8};
const struct go_type go_map = {.kind = GO_MAP, .name = "map[string]interface {}", .elem = &go_any, .key = &go_string};
const struct go_type go_map_string = {.kind = GO_MAP, .name = "map[string]string", .elem = &go_string, .key = &go_string};
const struct go_type go_maps = {.kind = GO_SLICE, .name = "[]map[string]interface {}", .elem = &go_map};
const struct go_type go_values = {
    .kind = GO_MAP, .name = "chartutil.Values", .elem = &go_any, .key = &go_string, .underlying = &go_map};

struct error *go_reserve(struct go_run *run, uint64_t bytes) {
    if (bytes > UINT32_MAX) return error_new("result of %llu bytes is too large", (unsigned long long)bytes);
    if (run->max_bytes != 0 && (run->arena->total > run->max_bytes || bytes > run->max_bytes - run->arena->total))
        return error_new("memory limit of %zu bytes exceeded", run->max_bytes);
    return NULL;
}

struct error *go_steps(struct go_run *run, uint64_t n) {
    run->steps += n;
    if (run->max_steps != 0 && run->steps > run->max_steps)
        return error_new("limit of %llu steps exceeded", (unsigned long long)run->max_steps);
    return NULL;
}

/* ---- making ---- */

struct value value_strdup(struct arena *a, const char *s, size_t n) { return value_str(arena_strndup(a, s, n), n); }

struct value value_strf(struct arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *s = arena_vprintf(a, fmt, args);
    va_end(args);
    return value_literal(s);
}

struct value value_take_buf(struct arena *a, struct buf *b) {
    struct value v = value_strdup(a, buf_str(b), b->len);
    buf_free(b);
    return v;
}

struct value value_slice(struct arena *a, const struct go_type *type, size_t n) {
    return (struct value){.type = type, .len = (uint32_t)n, .items = arena_calloc(a, MAX(n, 1), sizeof(struct value))};
}

struct value value_map_new(struct arena *a, const struct go_type *type) {
    struct value_map *m = ARENA_NEW(a, struct value_map);
    m->arena = a;
    m->sorted = true;
    return (struct value){.type = type, .map = m};
}

struct value value_zero(const struct go_type *type) {
    if (type->kind == GO_INTERFACE) return value_nil();
    struct value v = {.type = type};
    if (type->kind == GO_STRING) v.s = "";
    return v;
}

/* ---- asking ---- */

bool value_is_nil(struct value v) {
    switch (value_kind(v)) {
    case GO_INVALID: return true;
    case GO_MAP: return v.map == NULL;
    case GO_SLICE: return v.items == NULL;
    case GO_POINTER: return v.ptr == NULL;
    case GO_FUNC: return v.func == NULL;
    default: return false;
    }
}

bool value_true(struct value v) {
    switch (value_kind(v)) {
    case GO_INVALID: return false;
    case GO_BOOL: return v.b;
    case GO_FLOAT32:
    case GO_FLOAT64: return v.f != 0;
    case GO_COMPLEX64:
    case GO_COMPLEX128: return v.complex != NULL && (v.complex[0] != 0 || v.complex[1] != 0);
    case GO_STRING:
    case GO_SLICE:
    case GO_ARRAY: return v.len > 0;
    case GO_MAP: return value_map_count(v.map) > 0;
    case GO_STRUCT: return true;
    case GO_POINTER:
    case GO_FUNC: return v.ptr != NULL;
    default: return v.u != 0;
    }
}

bool value_str_eq(struct value v, const char *s) { return value_is_string(v) && strlen(s) == v.len && memcmp(v.s, s, v.len) == 0; }
const char *value_cstr(struct arena *a, struct value v) { return arena_strndup(a, v.s ? v.s : "", v.len); }

size_t value_len(struct value v) {
    switch (value_kind(v)) {
    case GO_STRING:
    case GO_SLICE:
    case GO_ARRAY: return v.len;
    case GO_MAP: return value_map_count(v.map);
    default: return 0;
    }
}

struct value value_at(struct value slice, size_t i) {
    if (go_is_bytes(slice.type)) return (struct value){.type = slice.type->elem, .u = (uint8_t)slice.s[i]};
    return slice.items[i];
}

static size_t field_count(const struct go_type *t) {
    size_t n = 0;
    for (const struct go_field *f = t->fields; f != NULL && f->name != NULL; f++) n++;
    return n;
}

static bool items_equal(const struct value *a, const struct value *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!value_deep_equal(a[i], b[i])) return false;
    return true;
}

static bool maps_equal(const struct value_map *a, const struct value_map *b) {
    if ((a == NULL) != (b == NULL) || value_map_count(a) != value_map_count(b)) return false;
    if (a == b) return true;
    for (size_t i = 0; i < a->count; i++) {
        const struct value_entry *e = &a->entries[i];
        const struct value *other = value_map_get_hashed(b, e->key, e->key_len, e->hash);
        if (other == NULL || !value_deep_equal(e->value, *other)) return false;
    }
    return true;
}

bool value_deep_equal(struct value a, struct value b) {
    if (a.type != b.type) return false;
    switch (value_kind(a)) {
    case GO_INVALID: return true;
    case GO_BOOL: return a.b == b.b;
    case GO_FLOAT32:
    case GO_FLOAT64: return a.f == b.f;
    case GO_COMPLEX64:
    case GO_COMPLEX128: return a.complex[0] == b.complex[0] && a.complex[1] == b.complex[1];
    case GO_STRING: return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
    case GO_SLICE:
    case GO_ARRAY:
        if (a.len != b.len || (a.items == NULL) != (b.items == NULL)) return false;
        if (go_is_bytes(a.type)) return a.len == 0 || memcmp(a.s, b.s, a.len) == 0;
        return items_equal(a.items, b.items, a.len);
    case GO_MAP: return maps_equal(a.map, b.map);
    case GO_STRUCT: return a.ptr == b.ptr || (a.type->fields != NULL && items_equal(a.items, b.items, field_count(a.type)));
    case GO_POINTER:
        if (a.ptr == b.ptr) return true;
        if (a.ptr == NULL || b.ptr == NULL) return false;
        if (a.type == &go_error_string) return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
        return a.type->elem->fields != NULL && items_equal(a.items, b.items, field_count(a.type->elem));
    case GO_FUNC: return a.func == NULL && b.func == NULL;
    default: return a.u == b.u;
    }
}

const char *go_type_name(struct value v) { return v.type ? v.type->name : "<nil>"; }

static const struct go_type *underlying(const struct go_type *t) { return t->underlying ? t->underlying : t; }

/* Types without a name of their own, whose values move freely between types of the same shape. */
static bool unnamed(const struct go_type *t) {
    return t->underlying == NULL && (t->kind == GO_SLICE || t->kind == GO_MAP || t->kind == GO_POINTER || t->kind == GO_ARRAY);
}

bool go_assignable(const struct go_type *from, const struct go_type *to) {
    if (from == to) return true;
    if (to->kind == GO_INTERFACE) return to != &go_error || (from->string != NULL && from->is_error);
    return underlying(from) == underlying(to) && (unnamed(from) || unnamed(to));
}

static const struct go_func *find_method(const struct go_type *t, const char *name, size_t len) {
    for (const struct go_func *m = t->methods; m != NULL && m->name != NULL; m++)
        if (strlen(m->name) == len && memcmp(m->name, name, len) == 0) return m;
    return NULL;
}

const struct go_func *value_method(struct value v, const char *name, size_t len, struct value *receiver) {
    const struct go_type *t = v.type;
    if (t == NULL) return NULL;
    *receiver = v;
    const struct go_func *m = find_method(t, name, len);
    if (m == NULL && t->kind == GO_POINTER) {
        t = t->elem;
        m = find_method(t, name, len);
    }
    if (m != NULL || t->kind != GO_STRUCT || v.items == NULL) return m;
    size_t i = 0;
    for (const struct go_field *f = t->fields; m == NULL && f != NULL && f->name != NULL; f++, i++)
        if (f->embedded) m = value_method(v.items[i], name, len, receiver);
    return m;
}

bool value_field(struct value v, const char *name, size_t len, struct value *out) {
    const struct go_type *t = v.type;
    if (t != NULL && t->kind == GO_POINTER) t = t->elem;
    if (t == NULL || t->kind != GO_STRUCT || v.items == NULL) return false;
    size_t i = 0;
    for (const struct go_field *f = t->fields; f != NULL && f->name != NULL; f++, i++) {
        if (strlen(f->name) != len || memcmp(f->name, name, len) != 0) continue;
        *out = v.items[i];
        out->boxed = f->type->kind == GO_INTERFACE;
        return true;
    }
    i = 0;
    for (const struct go_field *f = t->fields; f != NULL && f->name != NULL; f++, i++)
        if (f->embedded && value_field(v.items[i], name, len, out)) return true;
    return false;
}
