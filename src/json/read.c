#include "json/json.h"
#include "json/index.h"
#include <math.h>

const struct json json_null = {.type = JSON_NULL};
const struct json json_true = {.type = JSON_BOOL, .b = true};
const struct json json_false = {.type = JSON_BOOL, .b = false};
const struct json json_empty_object = {.type = JSON_OBJECT};
const struct json json_empty_array = {.type = JSON_ARRAY};
const struct json json_empty_string = {.type = JSON_STRING, .s = ""};

const struct json *json_member_n(const struct json *v, const char *key, size_t key_len) {
    JSON_EACH_MEMBER(m, v)
        if (key_eq(m, key, key_len)) return &m->value;
    return NULL;
}

const struct json *json_get_path(const struct json *v, const char *path) {
    if (path == NULL) return v;
    for (; v != NULL; path++) {
        const char *end = strchrnul(path, '.');
        v = json_member_n(v, path, (size_t)(end - path));
        if (*end == '\0') break;
        path = end;
    }
    return v;
}

const struct json *json_at(const struct json *v, size_t index) {
    return index < json_len_(v, JSON_ARRAY) ? &v->items[index] : NULL;
}

size_t json_len(const struct json *v) { return v != NULL && v->type >= JSON_ARRAY ? v->len : 0; }

int64_t json_int_of(const struct json *v, int64_t other) {
    if (json_is(v, JSON_INT)) return v->i;
    if (!json_is(v, JSON_DOUBLE) || !(v->d >= -0x1p63 && v->d < 0x1p63) || v->d != trunc(v->d)) return other;
    return (int64_t)v->d;
}

/* ---- equality ---- */

static bool nothing(const struct json *v) {
    return v == NULL || v->type == JSON_NULL || (v->type >= JSON_ARRAY && v->len == 0);
}

static bool equal(const struct json *a, const struct json *b, bool semantic);

/* Members in another order, or some absent: every member of `a` has an equal in `b`, and `b` has no others. */
static bool members_equal(const struct json *a, const struct json *b, bool semantic) {
    cleanup_index struct member_index x;
    member_index_init(&x, b->members, b->len);
    for (uint32_t i = 0; i < b->len; i++) member_index_add(&x, i);
    size_t matched = 0, filled = b->len;
    JSON_EACH_MEMBER(m, a) {
        const struct json_member *other = member_index_find(&x, m->key, m->key_len);
        if (other == NULL && semantic && nothing(&m->value)) continue;
        if (other == NULL || !equal(&m->value, &other->value, semantic)) return false;
        matched += !semantic || !nothing(&other->value);
    }
    if (semantic) JSON_EACH_MEMBER(m, b) filled -= nothing(&m->value);
    return matched == filled;
}

static bool objects_equal(const struct json *a, const struct json *b, bool semantic) {
    if (a->members == b->members && a->len == b->len) return true;
    if (a->len != b->len) return semantic && members_equal(a, b, semantic);
    for (uint32_t i = 0; i < a->len; i++) {
        if (!key_eq(&a->members[i], b->members[i].key, b->members[i].key_len)) return members_equal(a, b, semantic);
        if (!equal(&a->members[i].value, &b->members[i].value, semantic)) return false;
    }
    return true;
}

static bool equal(const struct json *a, const struct json *b, bool semantic) {
    if (a == b) return true;
    if (semantic && (nothing(a) || nothing(b))) return nothing(a) && nothing(b);
    if (a == NULL || b == NULL) return false;
    if (a->type == JSON_INT && b->type == JSON_DOUBLE) return (double)a->i == b->d;
    if (a->type == JSON_DOUBLE && b->type == JSON_INT) return a->d == (double)b->i;
    if (a->type != b->type) return false;
    switch (a->type) {
    case JSON_NULL: return true;
    case JSON_BOOL: return a->b == b->b;
    case JSON_INT: return a->i == b->i;
    case JSON_DOUBLE: return a->d == b->d;
    case JSON_STRING: return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
    case JSON_OBJECT: return objects_equal(a, b, semantic);
    case JSON_ARRAY: break;
    }
    if (a->len != b->len) return false;
    for (uint32_t i = 0; i < a->len; i++)
        if (!equal(&a->items[i], &b->items[i], semantic)) return false;
    return true;
}

bool json_equal(const struct json *a, const struct json *b) { return equal(a, b, false); }
bool json_semantic_equal(const struct json *a, const struct json *b) { return equal(a, b, true); }
