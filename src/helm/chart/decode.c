/* JSON trees into Go structs: see decode.h. */
#include "helm/chart/decode.h"
#include "base/str.h"
#include "helm/go/strconv.h"
#include "json/index.h"
#include <strings.h>

struct decoder {
    struct arena *arena;
    const char *structure; /* the innermost struct's name without its package */
    const char *path;      /* "dependencies.name" */
};

static const char *json_word(const struct json *j) {
    static const char *const words[] = {"null", "bool", "number", "number", "string", "array", "object"};
    return words[j->type];
}

static struct error *mismatch(const struct decoder *d, const struct json *j, const struct go_type *type) {
    if (d->path == NULL) return error_new("json: cannot unmarshal %s into Go value of type %s", json_word(j), type->name);
    return error_new("json: cannot unmarshal %s into Go struct field %s.%s of type %s", json_word(j), d->structure, d->path, type->name);
}

static struct error *decode(struct decoder *d, const struct json *j, const struct go_type *type, struct value *out);

static const char *field_key(const struct go_field *f) { return f->json != NULL ? f->json : f->name; }

static size_t field_count(const struct go_type *type) {
    size_t n = 0;
    while (type->fields[n].name != NULL) n++;
    return n;
}

static const struct go_field *find_field(const struct go_type *type, const char *key, size_t *index) {
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; type->fields[i].name != NULL; i++) {
            const char *name = field_key(&type->fields[i]);
            if (pass == 0 ? strcmp(name, key) == 0 : strcasecmp(name, key) == 0) return *index = i, &type->fields[i];
        }
    }
    return NULL;
}

static struct value *struct_items(struct arena *a, const struct go_type *type) {
    size_t n = field_count(type);
    struct value *items = arena_calloc(a, n, sizeof(*items));
    for (size_t i = 0; i < n; i++) items[i] = value_zero(type->fields[i].type);
    return items;
}

static struct error *decode_struct(struct decoder *d, const struct json *j, const struct go_type *type, struct value *out) {
    if (j->type != JSON_OBJECT) return mismatch(d, j, type);
    const char *dot = strrchr(type->name, '.'), *name = dot != NULL ? dot + 1 : type->name;
    struct decoder inner = {.arena = d->arena, .structure = str_starts(type->name, "struct {") ? "" : name}; /* anonymous ones have none */
    if (out->items == NULL) out->items = struct_items(d->arena, type);
    JSON_EACH_MEMBER(m, j) {
        size_t i;
        const struct go_field *f = find_field(type, m->key, &i);
        if (f == NULL) continue;
        const char *key = field_key(f);
        inner.path = d->path != NULL ? arena_printf(d->arena, "%s.%s", d->path, key) : key;
        TRY(decode(&inner, &m->value, f->type, &out->items[i]));
    }
    return NULL;
}

static struct error *decode_string(struct decoder *d, const struct json *j, const struct go_type *type, struct value *out) {
    cleanup_buf struct buf text = {0};
    switch (j->type) {
    case JSON_STRING: *out = value_as(value_str(j->s, j->len), type); return NULL;
    case JSON_BOOL: buf_adds(&text, j->b ? "true" : "false"); break;
    case JSON_INT: buf_addi(&text, j->i); break;
    case JSON_DOUBLE: go_format_float(&text, j->d, 'g', -1, 64); break;
    default: return mismatch(d, j, type);
    }
    *out = value_as(value_strdup(d->arena, text.data, text.len), type);
    return NULL;
}

static struct error *decode_slice(struct decoder *d, const struct json *j, const struct go_type *type, struct value *out) {
    if (j->type != JSON_ARRAY) return mismatch(d, j, type);
    struct value list = value_slice(d->arena, type, j->len);
    for (size_t i = 0; i < j->len; i++) {
        list.items[i] = value_zero(type->elem);
        TRY(decode(d, &j->items[i], type->elem, &list.items[i]));
    }
    *out = list;
    return NULL;
}

static struct error *decode_map(struct decoder *d, const struct json *j, const struct go_type *type, struct value *out) {
    if (j->type != JSON_OBJECT) return mismatch(d, j, type);
    struct value map = value_map_new(d->arena, type);
    JSON_EACH_MEMBER(m, j) {
        struct value item = value_zero(type->elem);
        TRY(decode(d, &m->value, type->elem, &item));
        value_map_set(map.map, m->key, m->key_len, item);
    }
    *out = map;
    return NULL;
}

static struct error *decode(struct decoder *d, const struct json *j, const struct go_type *type, struct value *out) {
    if (type->kind == GO_INTERFACE) return *out = value_from_json(d->arena, j, VALUE_FLOATS), NULL;
    if (j->type == JSON_NULL) return NULL;
    switch (type->kind) {
    case GO_STRUCT: return decode_struct(d, j, type, out);
    case GO_POINTER: {
        struct value inner = {.type = type->elem, .items = out->items};
        TRY(decode(d, j, type->elem, &inner));
        *out = (struct value){.type = type, .items = inner.items};
        return NULL;
    }
    case GO_STRING: return decode_string(d, j, type, out);
    case GO_SLICE: return decode_slice(d, j, type, out);
    case GO_MAP: return decode_map(d, j, type, out);
    case GO_BOOL:
        if (j->type != JSON_BOOL) return mismatch(d, j, type);
        *out = value_bool(j->b);
        return NULL;
    case GO_INT:
        if (j->type != JSON_INT) return mismatch(d, j, type);
        *out = value_int(j->i);
        return NULL;
    default: return mismatch(d, j, type);
    }
}

struct error *go_decode(struct arena *a, const struct json *json, struct value *out) {
    return decode(&(struct decoder){.arena = a}, json, out->type, out);
}

/* What a struct has no field for need not be made. */
static struct error *parse_yaml(struct arena *a, const char *text, size_t len, const struct go_type *type, const struct json **out) {
    if (type->kind != GO_STRUCT) return yaml_parse(a, text, len, NULL, NULL, out);
    size_t n = field_count(type);
    const char **names = arena_calloc(a, n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++) names[i] = field_key(&type->fields[i]);
    return yaml_parse_members(a, text, len, names, out);
}

struct error *go_decode_yaml(struct arena *a, const char *text, size_t len, struct value *out) {
    const struct json *json;
    struct error *e = parse_yaml(a, text, len, out->type, &json);
    if (e != NULL) return error_wrap(e, "error converting YAML to JSON");
    e = go_decode(a, json, out);
    return e != NULL ? error_wrap(e, "error unmarshaling JSON: while decoding JSON") : NULL;
}

struct error *go_decode_yaml_map(struct arena *a, const char *text, size_t len, struct value *out) {
    *out = value_map_new(a, &go_map);
    return go_decode_yaml(a, text, len, out);
}
