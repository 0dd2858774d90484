#include "json/index.h"
#include "json/json.h"

/* Copies a patch that meets no object: only its nulls go away. */
static struct json merged(struct arena *a, const struct json *target, const struct json *patch) {
    if (patch->type != JSON_OBJECT) return *patch;
    uint32_t old = (uint32_t)json_len_(target, JSON_OBJECT), n = old;
    struct json_member *members = arena_alloc(a, ((size_t)old + patch->len) * sizeof(*members));
    if (old > 0) memcpy(members, target->members, old * sizeof(*members));
    cleanup_index struct member_index x;
    member_index_init(&x, members, old);
    for (uint32_t i = 0; i < old; i++) member_index_add(&x, i);
    JSON_EACH_MEMBER(m, patch) {
        const struct json_member *found = member_index_find(&x, m->key, m->key_len);
        if (found != NULL && m->value.type == JSON_NULL) {
            members[found - members].value = (struct json){.type = JSON_NULL, .len = 1}; /* marked: goes away below */
        } else if (found != NULL) {
            struct json before = found->value;
            members[found - members].value = merged(a, &before, &m->value);
        } else if (m->value.type != JSON_NULL) {
            members[n++] = (struct json_member){.key = m->key, .key_len = m->key_len, .value = merged(a, NULL, &m->value)};
        }
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (members[i].value.type != JSON_NULL || members[i].value.len == 0) members[kept++] = members[i];
    return (struct json){.type = JSON_OBJECT, .len = kept, .members = members};
}

const struct json *json_merge_patch(struct arena *a, const struct json *target, const struct json *patch) {
    struct json v = merged(a, target, patch ? patch : &json_null);
    return arena_dup(a, &v, sizeof(v));
}

const struct json *json_pointer(const struct json *v, const char *pointer) {
    cleanup_arena struct arena a = {0};
    while (v != NULL && *pointer == '/') {
        size_t n = strcspn(++pointer, "/");
        const char *key = pointer_token(&a, pointer, n);
        pointer += n;
        if (v->type == JSON_ARRAY) {
            bool number = n > 0 && n < 10 && strspn(key, "0123456789") == n && (n == 1 || *key != '0');
            v = number ? json_at(v, strtoul(key, NULL, 10)) : NULL;
        } else {
            v = json_member(v, key);
        }
    }
    return *pointer == '\0' ? v : NULL;
}

const struct json *json_merge_diff(struct arena *a, const struct json *from, const struct json *to) {
    struct json_object patch = {.arena = a};
    JSON_EACH_MEMBER(m, to) {
        const struct json *old = json_member_n(from, m->key, m->key_len), *v = &m->value;
        if (old != NULL && old->type == JSON_OBJECT && v->type == JSON_OBJECT) {
            v = json_merge_diff(a, old, v);
            if (json_len(v) > 0) json_object_add(&patch, m->key, v);
        } else if (old == NULL || !json_equal(old, v)) json_object_add(&patch, m->key, v);
    }
    JSON_EACH_MEMBER(m, from)
        if (json_member_n(to, m->key, m->key_len) == NULL) json_object_add(&patch, m->key, &json_null);
    return json_object_done(&patch);
}
