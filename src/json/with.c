/* "Changing" values: new arrays of members along the path, everything else shared. */
#include "json/index.h"
#include "json/json.h"

static const struct json *object_of(struct arena *a, const struct json_member *members, size_t n) {
    struct json v = {.type = JSON_OBJECT, .len = (uint32_t)n, .members = members};
    return arena_dup(a, &v, sizeof(v));
}

static const struct json *array_of(struct arena *a, const struct json *items, size_t n) {
    struct json v = {.type = JSON_ARRAY, .len = (uint32_t)n, .items = items};
    return arena_dup(a, &v, sizeof(v));
}

/* Position of the member, or the number of members. */
static size_t position(const struct json *object, const char *key, size_t key_len) {
    size_t n = json_len_(object, JSON_OBJECT), i = 0;
    while (i < n && !key_eq(&object->members[i], key, key_len)) i++;
    return i;
}

static const struct json *without_n(struct arena *a, const struct json *object, const char *key, size_t key_len) {
    size_t n = json_len_(object, JSON_OBJECT), i = position(object, key, key_len);
    if (i == n) return object;
    struct json_member *members = arena_alloc(a, (n - 1) * sizeof(*members));
    if (i > 0) memcpy(members, object->members, i * sizeof(*members));
    if (i + 1 < n) memcpy(members + i, object->members + i + 1, (n - 1 - i) * sizeof(*members));
    return object_of(a, members, n - 1);
}

static const struct json *with_n(struct arena *a, const struct json *object, const char *key, size_t key_len,
                                 const struct json *value) {
    if (value == NULL) return object ? without_n(a, object, key, key_len) : &json_empty_object;
    size_t n = json_len_(object, JSON_OBJECT), i = position(object, key, key_len);
    struct json_member *members = arena_alloc(a, (n + (i == n)) * sizeof(*members));
    if (n > 0) memcpy(members, object->members, n * sizeof(*members));
    if (i == n) members[i] = (struct json_member){.key = arena_strndup(a, key, key_len), .key_len = (uint32_t)key_len};
    members[i].value = *value;
    return object_of(a, members, n + (i == n));
}

const struct json *json_with_member(struct arena *a, const struct json *object, const char *key, const struct json *value) {
    return with_n(a, object, key, strlen(key), value);
}

const struct json *json_without_member(struct arena *a, const struct json *object, const char *key) {
    return without_n(a, object, key, strlen(key));
}

const struct json *json_with(struct arena *a, const struct json *object, const char *path, const struct json *value) {
    const char *dot = strchr(path, '.');
    if (dot == NULL) return with_n(a, object, path, strlen(path), value);
    size_t n = (size_t)(dot - path);
    const struct json *child = json_member_n(object, path, n);
    if (child == NULL && value == NULL) return object ? object : &json_empty_object;
    return with_n(a, object, path, n, json_with(a, child, dot + 1, value));
}

const struct json *json_without(struct arena *a, const struct json *object, const char *path) {
    return json_get(object, path) == NULL ? object : json_with(a, object, path, NULL);
}

const struct json *json_with_item(struct arena *a, const struct json *array, size_t index, const struct json *value) {
    size_t n = json_len_(array, JSON_ARRAY), more = index >= n;
    struct json *items = arena_alloc(a, (n + more) * sizeof(*items));
    if (n > 0) memcpy(items, array->items, n * sizeof(*items));
    items[more ? n : index] = value ? *value : json_null;
    return array_of(a, items, n + more);
}

const struct json *json_append(struct arena *a, const struct json *array, const struct json *value) {
    return json_with_item(a, array, SIZE_MAX, value);
}

const struct json *json_without_item(struct arena *a, const struct json *array, size_t index) {
    size_t n = json_len_(array, JSON_ARRAY);
    if (index >= n) return array;
    struct json *items = arena_alloc(a, (n - 1) * sizeof(*items));
    if (index > 0) memcpy(items, array->items, index * sizeof(*items));
    if (index + 1 < n) memcpy(items + index, array->items + index + 1, (n - 1 - index) * sizeof(*items));
    return array_of(a, items, n - 1);
}

static void copy_into(struct arena *a, struct json *to, const struct json *v) {
    *to = *v;
    if (v->type == JSON_STRING) {
        to->s = arena_strndup(a, v->s, v->len);
    } else if (v->type == JSON_ARRAY && v->len > 0) {
        struct json *items = arena_alloc(a, v->len * sizeof(*items));
        for (uint32_t i = 0; i < v->len; i++) copy_into(a, &items[i], &v->items[i]);
        to->items = items;
    } else if (v->type == JSON_OBJECT && v->len > 0) {
        struct json_member *members = arena_alloc(a, v->len * sizeof(*members));
        for (uint32_t i = 0; i < v->len; i++) {
            members[i] = v->members[i];
            members[i].key = arena_strndup(a, v->members[i].key, v->members[i].key_len);
            copy_into(a, &members[i].value, &v->members[i].value);
        }
        to->members = members;
    }
}

const struct json *json_copy(struct arena *a, const struct json *v) {
    if (v == NULL) return NULL;
    struct json *to = ARENA_NEW(a, struct json);
    copy_into(a, to, v);
    return to;
}
