#include "base/clock.h"
#include "base/str.h"
#include "schema/cel_internal.h"
#include <math.h>

/* ---- making ---- */

const struct cel_value *cel_bool(bool b) {
    static const struct cel_value yes = {.kind = CEL_BOOL, .b = true}, no = {.kind = CEL_BOOL, .b = false};
    return b ? &yes : &no;
}

const struct cel_value *cel_null(void) {
    static const struct cel_value null = {.kind = CEL_NULL};
    return &null;
}

static struct cel_value *make(struct arena *a, enum cel_kind kind) {
    struct cel_value *v = ARENA_NEW(a, struct cel_value);
    v->kind = kind;
    return v;
}

const struct cel_value *cel_of(struct arena *a, enum cel_kind kind, int64_t i) {
    struct cel_value *v = make(a, kind);
    v->i = i;
    return v;
}

const struct cel_value *cel_int(struct arena *a, int64_t i) { return cel_of(a, CEL_INT, i); }

const struct cel_value *cel_double(struct arena *a, double d) {
    struct cel_value *v = make(a, CEL_DOUBLE);
    v->d = d;
    return v;
}

const struct cel_value *cel_string_n(struct arena *a, const char *s, size_t n) {
    struct cel_value *v = make(a, CEL_STRING);
    v->s = s;
    v->len = n;
    return v;
}

const struct cel_value *cel_string(struct arena *a, const char *s) { return cel_string_n(a, s, strlen(s)); }

const struct cel_value *cel_list(struct arena *a, const struct cel_value *const *items, size_t n) {
    struct cel_value *v = make(a, CEL_LIST);
    v->items = items;
    v->count = n;
    return v;
}

const struct cel_value *cel_object(struct arena *a, enum cel_kind kind, const struct json *object) {
    struct cel_value *v = make(a, kind);
    v->object = object;
    return v;
}

const struct cel_value *cel_optional(struct arena *a, const struct cel_value *value) {
    struct cel_value *v = make(a, CEL_OPTIONAL);
    v->value = value;
    return v;
}

const struct cel_value *cel_authorizer(struct arena *a) { return cel_object(a, CEL_AUTHORIZER, &json_empty_object); }

const struct cel_value *cel_lazy_map(struct arena *a, const struct cel_value *(*member)(void *arg, const char *name, const char **problem), void *arg) {
    struct cel_value *v = make(a, CEL_MAP);
    v->member = member;
    v->arg = arg;
    return v;
}

enum cel_kind cel_kind_of(const struct cel_value *v) { return v->kind; }

static const struct cel_value *from_string(struct arena *a, const struct json *v, const struct type *t) {
    int64_t time;
    bool is_time = t && (t->kind == TYPE_TIME || t->kind == TYPE_MICRO_TIME);
    const char *full = is_time && v->len == strlen("2006-01-02") ? arena_printf(a, "%sT00:00:00Z", v->s) : v->s; /* format: date */
    if (is_time && time_parse(full, &time)) return cel_of(a, CEL_TIMESTAMP, time);
    if (t && t->kind == TYPE_DURATION && duration_parse(v->s, &time)) return cel_of(a, CEL_DURATION, time);
    if (t && t->kind == TYPE_BYTES) {
        struct cel_value *out = make(a, CEL_BYTES);
        char *bytes;
        if (base64_decode(a, v->s, v->len, &bytes, &out->len)) {
            out->s = bytes;
            return out;
        }
    }
    return cel_string_n(a, v->s, v->len);
}

const struct cel_value *cel_from_json(struct arena *a, const struct json *v, const struct type *t) {
    if (v == NULL || v->type == JSON_NULL) return cel_null();
    struct cel_value *out;
    switch (v->type) {
    case JSON_BOOL: return cel_bool(v->b);
    case JSON_INT: return t && t->kind == TYPE_DOUBLE ? cel_double(a, (double)v->i) : cel_int(a, v->i);
    case JSON_DOUBLE: return cel_double(a, v->d);
    case JSON_STRING: return from_string(a, v, t);
    default:
        out = make(a, v->type == JSON_ARRAY ? CEL_LIST : CEL_MAP);
        out->json = v;
        out->type = t;
        out->count = v->len;
        return out;
    }
}

/* ---- reading ---- */

size_t cel_size(const struct cel_value *v) { return v->count; }

static const struct type *type_of_element(const struct type *t) { return t && (t->kind == TYPE_LIST || t->kind == TYPE_MAP) ? t->element : NULL; }

static const struct type *type_of_member(const struct type *t, const char *name) {
    const struct field *f = t && t->kind == TYPE_STRUCT ? type_field(t, name) : NULL;
    return f ? f->type : type_of_element(t);
}

const struct cel_value *cel_at(struct arena *a, const struct cel_value *list, size_t i) {
    return list->json ? cel_from_json(a, &list->json->items[i], type_of_element(list->type)) : list->items[i];
}

struct cel_entry cel_entry_at(struct arena *a, const struct cel_value *map, size_t i) {
    if (map->json == NULL) return map->entries[i];
    const struct json_member *m = &map->json->members[i];
    return (struct cel_entry){cel_string_n(a, m->key, m->key_len), cel_from_json(a, &m->value, type_of_member(map->type, m->key))};
}

const struct cel_value *cel_member(struct arena *a, const struct cel_value *map, const struct cel_value *key, const char **problem) {
    if (map->member) return key->kind == CEL_STRING ? map->member(map->arg, key->s, problem) : NULL;
    if (map->json) {
        const struct json *v = key->kind == CEL_STRING ? json_member_n(map->json, key->s, key->len) : NULL;
        return v ? cel_from_json(a, v, type_of_member(map->type, key->s)) : NULL;
    }
    for (size_t i = 0; i < map->count; i++)
        if (cel_equal(a, map->entries[i].key, key)) return map->entries[i].value;
    return NULL;
}

/* ---- comparing ---- */

static bool is_number(const struct cel_value *v) { return v->kind == CEL_INT || v->kind == CEL_UINT || v->kind == CEL_DOUBLE; }

static int sign(double d) { return (d > 0) - (d < 0); }

static bool compare_numbers(const struct cel_value *x, const struct cel_value *y, int *out) {
    if (x->kind == CEL_DOUBLE || y->kind == CEL_DOUBLE) {
        double l = x->kind == CEL_DOUBLE ? x->d : x->kind == CEL_INT ? (double)x->i : (double)x->u;
        double r = y->kind == CEL_DOUBLE ? y->d : y->kind == CEL_INT ? (double)y->i : (double)y->u;
        *out = sign(l - r);
        if (isinf(l) && isinf(r)) *out = sign(l) - sign(r);
        return !isnan(l) && !isnan(r);
    }
    __int128 l = x->kind == CEL_INT ? x->i : (__int128)x->u, r = y->kind == CEL_INT ? y->i : (__int128)y->u;
    *out = (l > r) - (l < r);
    return true;
}

static int compare_bytes(const struct cel_value *x, const struct cel_value *y) {
    int c = memcmp(x->s, y->s, MIN(x->len, y->len));
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

bool cel_compare(const struct cel_value *x, const struct cel_value *y, int *out) {
    if (is_number(x) && is_number(y)) return compare_numbers(x, y, out);
    if (x->kind != y->kind) return false;
    switch (x->kind) {
    case CEL_BOOL: *out = x->b - y->b; return true;
    case CEL_STRING:
    case CEL_BYTES: *out = compare_bytes(x, y); return true;
    case CEL_TIMESTAMP:
    case CEL_DURATION: *out = (x->i > y->i) - (x->i < y->i); return true;
    case CEL_QUANTITY: *out = quantity_compare(&x->quantity, &y->quantity); return true;
    default: return false;
    }
}

static bool equal_maps(struct arena *a, const struct cel_value *x, const struct cel_value *y) {
    if (x->count != y->count) return false;
    for (size_t i = 0; i < x->count; i++) {
        struct cel_entry e = cel_entry_at(a, x, i);
        const char *problem;
        const struct cel_value *other = cel_member(a, y, e.key, &problem);
        if (other == NULL || !cel_equal(a, e.value, other)) return false;
    }
    return true;
}

bool cel_equal(struct arena *a, const struct cel_value *x, const struct cel_value *y) {
    int order;
    if (cel_compare(x, y, &order)) return order == 0;
    if (x->kind != y->kind) return false;
    switch (x->kind) {
    case CEL_NULL: return true;
    case CEL_TYPE: return str_eq(x->s, y->s);
    case CEL_OPTIONAL: return x->value && y->value ? cel_equal(a, x->value, y->value) : x->value == y->value;
    case CEL_LIST:
        if (x->count != y->count) return false;
        for (size_t i = 0; i < x->count; i++)
            if (!cel_equal(a, cel_at(a, x, i), cel_at(a, y, i))) return false;
        return true;
    case CEL_MAP: return equal_maps(a, x, y);
    case CEL_IP: return ip_equal(&x->ip, &y->ip);
    case CEL_CIDR: return ip_equal(&x->ip, &y->ip) && x->bits == y->bits;
    case CEL_URL:
    case CEL_SEMVER:
    case CEL_FORMAT: return json_equal(x->object, y->object);
    default: return false;
    }
}

const char *cel_kind_name(enum cel_kind kind) {
    static const char *const names[] = {[CEL_DYN] = "dyn", [CEL_NULL] = "null", [CEL_BOOL] = "bool", [CEL_INT] = "int", [CEL_UINT] = "uint",
        [CEL_DOUBLE] = "double", [CEL_STRING] = "string", [CEL_BYTES] = "bytes", [CEL_LIST] = "list", [CEL_MAP] = "map",
        [CEL_TIMESTAMP] = "timestamp", [CEL_DURATION] = "duration", [CEL_TYPE] = "type", [CEL_OPTIONAL] = "optional_type",
        [CEL_QUANTITY] = "kubernetes.Quantity", [CEL_IP] = "net.IP", [CEL_CIDR] = "net.CIDR", [CEL_URL] = "kubernetes.URL",
        [CEL_SEMVER] = "kubernetes.Semver", [CEL_FORMAT] = "kubernetes.NamedFormat", [CEL_AUTHORIZER] = "kubernetes.authorization.Authorizer"};
    return names[kind];
}

/* ---- back to JSON ---- */

static const struct json *map_json(struct arena *a, const struct cel_value *v) {
    struct json_object b = {.arena = a};
    for (size_t i = 0; i < v->count; i++) {
        struct cel_entry e = cel_entry_at(a, v, i);
        const struct json *key = cel_to_json(a, e.key);
        json_object_add(&b, key->type == JSON_STRING ? key->s : json_text(a, key), cel_to_json(a, e.value));
    }
    return json_object_done(&b);
}

static const struct json *text_json(struct arena *a, const struct cel_value *v) {
    char text[MAX(TIME_STRING_MAX, IP_TEXT_MAX)];
    struct buf b = {0};
    switch (v->kind) {
    case CEL_TIMESTAMP: return json_string(a, v->i % NSEC_PER_SEC ? time_format_micro(text, v->i) : time_format(text, v->i));
    case CEL_DURATION: return json_string(a, duration_format(text, v->i));
    case CEL_BYTES: base64_encode(&b, v->s, v->len); break;
    case CEL_QUANTITY: return json_string(a, quantity_format(a, &v->quantity));
    case CEL_IP: return json_string(a, ip_format(text, &v->ip));
    case CEL_CIDR: return json_string(a, cidr_format(text, &v->ip, v->bits));
    case CEL_TYPE: return json_string(a, v->s);
    default: return v->object ? v->object : &json_null;
    }
    const struct json *out = json_string_n(a, buf_str(&b), b.len);
    buf_free(&b);
    return out;
}

const struct json *cel_to_json(struct arena *a, const struct cel_value *v) {
    if ((v->kind == CEL_LIST || v->kind == CEL_MAP) && v->json) return v->json;
    struct json_array items = {.arena = a};
    switch (v->kind) {
    case CEL_NULL: return &json_null;
    case CEL_BOOL: return json_boolean(v->b);
    case CEL_INT: return json_integer(a, v->i);
    case CEL_UINT: return v->u <= INT64_MAX ? json_integer(a, (int64_t)v->u) : json_number(a, (double)v->u);
    case CEL_DOUBLE: return json_number(a, v->d);
    case CEL_STRING: return json_string_n(a, v->s, v->len);
    case CEL_LIST:
        for (size_t i = 0; i < v->count; i++)
            json_array_add(&items, cel_to_json(a, v->items[i]));
        return json_array_done(&items);
    case CEL_MAP: return map_json(a, v);
    case CEL_OPTIONAL: return v->value ? cel_to_json(a, v->value) : &json_null;
    default: return text_json(a, v);
    }
}
