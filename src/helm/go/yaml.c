#include "helm/go/yaml.h"
#include "helm/go/time_value.h"
#include "helm/go/unicode.h"
#include "json/index.h"
#include "json/yaml_write.h"

/* ---- by way of JSON ---- */

enum { MAX_KEY = 1000 }; /* go-yaml reads no longer keys in braces; near that the text decides */

/* Would go-yaml not read this string from JSON as it stands? It refuses control characters, of which DEL, U+0080 to U+009F,
 * U+FFFE and U+FFFF are no escapes in JSON, and takes U+0085 for a line break. */
static bool is_odd(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x7F) continue;
        if (c == 0x7F || (c == 0xC2 && (unsigned char)s[i + 1] < 0xA0)) return true;
        if (c == 0xEF && (unsigned char)s[i + 1] == 0xBF && (unsigned char)s[i + 2] >= 0xBE) return true;
    }
    return false;
}

static bool has_odd(const struct json *v) {
    if (v->type == JSON_STRING) return is_odd(v->s, v->len);
    JSON_EACH(item, v)
        if (has_odd(item)) return true;
    JSON_EACH_MEMBER(m, v)
        if (m->key_len > MAX_KEY || is_odd(m->key, m->key_len) || has_odd(&m->value)) return true;
    return false;
}

struct error *go_yaml_marshal(struct arena *a, struct value v, struct buf *out) {
    const struct json *json;
    TRY(value_to_json(a, v, &json));
    if (has_odd(json)) {
        const char *text = json_text(a, json);
        TRY(yaml_parse(a, text, strlen(text), NULL, NULL, &json));
    }
    yaml_encode(out, json);
    return NULL;
}

/* ---- go-yaml v3 ---- */

struct pretty {
    struct yaml_writer w;
    struct arena *arena;
};

static struct error *write_value(struct pretty *p, struct value v);

static int by_key(const void *a, const void *b) {
    const struct value_entry *x = a, *y = b;
    if (yaml_key_less(x->key, x->key_len, y->key, y->key_len, YAML_V3)) return -1;
    return yaml_key_less(y->key, y->key_len, x->key, x->key_len, YAML_V3) ? 1 : 0;
}

static struct error *write_map(struct pretty *p, struct value v) {
    size_t n;
    const struct value_entry *entries = value_map_sorted(v.map, &n);
    if (n == 0) {
        yaml_empty(&p->w, false);
        return NULL;
    }
    struct value_entry *sorted = arena_dup(p->arena, entries, n * sizeof(*entries));
    qsort(sorted, n, sizeof(*sorted), by_key);
    int outer = yaml_begin(&p->w, false);
    for (size_t i = 0; i < n; i++) {
        yaml_key(&p->w, arena_strndup(p->arena, sorted[i].key, sorted[i].key_len), sorted[i].key_len);
        TRY(write_value(p, sorted[i].value));
    }
    yaml_end(&p->w, outer);
    return NULL;
}

static struct error *write_slice(struct pretty *p, struct value v) {
    size_t n = value_len(v);
    if (n == 0) {
        yaml_empty(&p->w, true);
        return NULL;
    }
    int outer = yaml_begin(&p->w, true);
    for (size_t i = 0; i < n; i++) {
        yaml_item(&p->w);
        TRY(write_value(p, value_at(v, i)));
    }
    yaml_end(&p->w, outer);
    return NULL;
}

/* Fields under their names in lower case; what has no fields here has none that Go exports. */
static struct error *write_struct(struct pretty *p, struct value v, const struct go_type *type) {
    if (type->fields == NULL || type->fields[0].name == NULL) {
        yaml_empty(&p->w, false);
        return NULL;
    }
    int outer = yaml_begin(&p->w, false);
    for (size_t i = 0; type->fields[i].name != NULL; i++) {
        char *name = arena_strdup(p->arena, type->fields[i].name);
        for (char *c = name; *c; c++) *c = (char)rune_lower((unsigned char)*c);
        yaml_key(&p->w, name, strlen(name));
        TRY(write_value(p, v.items[i]));
    }
    yaml_end(&p->w, outer);
    return NULL;
}

static void write_text(struct pretty *p, const struct buf *text, bool plain) {
    if (plain) yaml_plain(&p->w, buf_str(text), text->len);
    else yaml_string(&p->w, buf_str(text), text->len);
}

/* What has a text of its own, e.g. a version. */
static struct error *write_marshaled(struct pretty *p, struct value v) {
    const struct json *text;
    TRY(v.type->marshal_json(p->arena, &v, &text));
    if (text->type == JSON_STRING) yaml_string(&p->w, text->s, text->len);
    else yaml_plain(&p->w, "null", 4);
    return NULL;
}

static struct error *write_value(struct pretty *p, struct value v) {
    cleanup_buf struct buf text = {0};
    enum go_kind kind = value_kind(v);
    if (kind == GO_INVALID || ((kind == GO_POINTER) && v.ptr == NULL)) yaml_plain(&p->w, "null", 4);
    else if (v.type == &go_time) {
        go_time_format(&text, value_time(v), "2006-01-02T15:04:05.999999999Z07:00", 35);
        write_text(p, &text, true);
    } else if (v.type == &go_duration) {
        v.type->string(&v, &text);
        write_text(p, &text, false);
    } else if (v.type->marshal_json != NULL) return write_marshaled(p, v);
    else if (kind == GO_BOOL) yaml_plain(&p->w, v.b ? "true" : "false", v.b ? 4 : 5);
    else if (go_is_int(kind)) {
        buf_addi(&text, v.i);
        write_text(p, &text, true);
    } else if (go_is_uint(kind)) {
        buf_printf(&text, "%llu", (unsigned long long)v.u);
        write_text(p, &text, true);
    } else if (go_is_float(kind)) {
        number_format_g(&text, v.f, kind == GO_FLOAT32);
        write_text(p, &text, true);
    } else if (kind == GO_STRING) yaml_string(&p->w, arena_strndup(p->arena, v.s, v.len), v.len);
    else if (kind == GO_MAP) return write_map(p, v);
    else if (kind == GO_SLICE || kind == GO_ARRAY) return write_slice(p, v);
    else if (kind == GO_STRUCT) return write_struct(p, v, v.type);
    else if (kind == GO_POINTER) return write_struct(p, v, v.type->elem);
    else return error_new("cannot marshal type: %s", v.type->name);
    return NULL;
}

struct error *go_yaml_marshal_pretty(struct arena *a, struct value v, struct buf *out) {
    struct pretty p = {.arena = a};
    yaml_writer_init(&p.w, out, YAML_V3);
    TRY(write_value(&p, v));
    yaml_writer_done(&p.w);
    return NULL;
}

/* ---- reading ---- */

static const char *const json_names[] = {"null", "bool", "number", "number", "string", "array", "object"};

/* Is it what is wanted, or null? */
static struct error *check_type(const struct json *v, enum json_type wanted) {
    if (v->type == JSON_NULL || v->type == wanted) return NULL;
    const char *type = wanted == JSON_OBJECT ? "map[string]interface {}" : "[]interface {}";
    return error_new("json: cannot unmarshal %s into Go value of type %s", json_names[v->type], type);
}

static struct error *read_yaml(struct arena *a, const char *s, size_t n, enum json_type wanted, const struct json **out) {
    struct error *e = yaml_parse(a, s, n, NULL, NULL, out);
    if (e != NULL) return error_wrap(e, "error converting YAML to JSON");
    e = check_type(*out, wanted);
    return e ? error_wrap(e, "error unmarshaling JSON: while decoding JSON") : NULL;
}

static struct error *read_json(struct arena *a, const char *s, size_t n, enum json_type wanted, const struct json **out) {
    TRY(json_parse(a, s, n, NULL, NULL, out));
    return check_type(*out, wanted);
}

/* null in JSON makes the variable nil, in YAML it stays what it was: empty. */
static struct value result(struct arena *a, struct error *e, const struct json *v, enum json_type wanted, bool yaml) {
    CLEANUP(cleanup_error_) struct error *error = e;
    const struct go_type *type = wanted == JSON_OBJECT ? &go_map : &go_list;
    if (error == NULL && v->type != JSON_NULL) return value_from_json(a, v, VALUE_FLOATS);
    if (error == NULL && !yaml) return value_zero(type);
    if (error == NULL) return wanted == JSON_OBJECT ? value_map_new(a, type) : value_slice(a, type, 0);
    struct value message = value_strdup(a, error->message, strlen(error->message));
    struct value out = wanted == JSON_OBJECT ? value_map_new(a, type) : value_slice(a, type, 1);
    if (wanted == JSON_OBJECT) value_map_set(out.map, "Error", 5, message);
    else out.items[0] = message;
    return out;
}

struct value go_from_yaml(struct arena *a, const char *s, size_t n) {
    const struct json *v = NULL;
    struct error *e = read_yaml(a, s, n, JSON_OBJECT, &v);
    return result(a, e, v, JSON_OBJECT, true);
}

struct value go_from_yaml_array(struct arena *a, const char *s, size_t n) {
    const struct json *v = NULL;
    struct error *e = read_yaml(a, s, n, JSON_ARRAY, &v);
    return result(a, e, v, JSON_ARRAY, true);
}

struct value go_from_json(struct arena *a, const char *s, size_t n) {
    const struct json *v = NULL;
    struct error *e = read_json(a, s, n, JSON_OBJECT, &v);
    return result(a, e, v, JSON_OBJECT, false);
}

struct value go_from_json_array(struct arena *a, const char *s, size_t n) {
    const struct json *v = NULL;
    struct error *e = read_json(a, s, n, JSON_ARRAY, &v);
    return result(a, e, v, JSON_ARRAY, false);
}
