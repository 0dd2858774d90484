/* JSON values: immutable trees in arenas.
 *
 * A `const struct json *` is never changed once somebody else can see it; "changing" one means json_with() and
 * friends, which copy the objects along the path and share everything else. So any thread may read any value, and a
 * subtree may be used in any number of other trees of the same or a shorter-lived arena. Values that outlive a
 * request are frozen into a `struct doc` (doc.h).
 *
 * Member order is kept. Integers that fit are exact int64; other numbers are doubles. NULL pointers stand for
 * "absent" everywhere: every reader takes NULL and answers with the default, so paths need no checks on the way. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type : 8;
    uint32_t len; /* bytes of a string, elements of an array, members of an object */
    union {
        bool b;
        int64_t i;
        double d;
        const char *s; /* NUL-terminated behind len bytes; valid UTF-8 */
        const struct json *items;
        const struct json_member *members;
    };
};

struct json_member {
    const char *key; /* NUL-terminated */
    uint32_t key_len;
    struct json value;
};

extern const struct json json_null, json_true, json_false, json_empty_object, json_empty_array, json_empty_string;

/* ---- reading (all take NULL) ---- */

/* A member by its exact name. */
const struct json *json_member_n(const struct json *v, const char *key, size_t key_len);
static inline const struct json *json_member(const struct json *v, const char *key) { return json_member_n(v, key, strlen(key)); }
/* A member of members: json_get(pod, "spec.nodeName"). For keys with dots in them use json_member. What a constant path
 * without a dot means is known to the compiler. */
const struct json *json_get_path(const struct json *v, const char *path);
static inline const struct json *json_get(const struct json *v, const char *path) {
    if (__builtin_constant_p(path != NULL && strchr(path, '.') == NULL) && path != NULL && strchr(path, '.') == NULL) return json_member(v, path);
    return json_get_path(v, path);
}
const struct json *json_at(const struct json *v, size_t index);
size_t json_len(const struct json *v); /* elements or members; 0 for anything else */

/* The value at `path` if it has the type, else the default. `path` may be NULL: the value itself. */
static inline bool json_is(const struct json *v, enum json_type type) { return v != NULL && v->type == type; } /* false for NULL */
static inline const char *json_str_or(const struct json *v, const char *path, const char *other) {
    v = path ? json_get(v, path) : v;
    return json_is(v, JSON_STRING) ? v->s : other;
}
static inline const char *json_str(const struct json *v, const char *path) { return json_str_or(v, path, NULL); } /* NULL if absent or no string */
static inline bool json_bool(const struct json *v, const char *path, bool other) {
    v = path ? json_get(v, path) : v;
    return json_is(v, JSON_BOOL) ? v->b : other;
}
static inline bool json_str_is(const struct json *v, const char *path, const char *expected) {
    const char *s = json_str(v, path);
    return s != NULL && expected != NULL && strcmp(s, expected) == 0;
}
int64_t json_int_of(const struct json *v, int64_t other); /* doubles without fraction count */
static inline int64_t json_int(const struct json *v, const char *path, int64_t other) { return json_int_of(path ? json_get(v, path) : v, other); }

bool json_equal(const struct json *a, const struct json *b); /* order of members does not matter; 1 equals 1.0 */
/* As equality.Semantic.DeepEqual sees API objects: absent, null, {} and [] are the same. */
bool json_semantic_equal(const struct json *a, const struct json *b);

#define JSON_EACH(item, array) \
    for (const struct json *item = json_items_(array), *item##_end_ = json_items_end_(array); item != item##_end_; item++)
#define JSON_EACH_MEMBER(m, object) \
    for (const struct json_member *m = json_members_(object), *m##_end_ = json_members_end_(object); m != m##_end_; m++)
static inline const struct json *json_items_(const struct json *v) { return v && v->type == JSON_ARRAY ? v->items : NULL; }
static inline const struct json_member *json_members_(const struct json *v) { return v && v->type == JSON_OBJECT ? v->members : NULL; }
static inline const struct json *json_items_end_(const struct json *v) {
    const struct json *p = json_items_(v);
    return p ? p + v->len : NULL;
}
static inline const struct json_member *json_members_end_(const struct json *v) {
    const struct json_member *p = json_members_(v);
    return p ? p + v->len : NULL;
}
static inline size_t json_len_(const struct json *v, enum json_type t) { return v && v->type == t ? v->len : 0; }

/* ---- making ---- */

const struct json *json_string(struct arena *a, const char *s);     /* copies s; NULL gives json_null */
const struct json *json_string_n(struct arena *a, const char *s, size_t n);
const struct json *json_strf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
const struct json *json_integer(struct arena *a, int64_t i);
const struct json *json_number(struct arena *a, double d);
const struct json *json_boolean(bool b);

/* A value from a template, in which '…' quotes strings and these stand for arguments:
 *   %s const char * (a string; a NULL argument leaves the member or element out)     %d int     %ld int64_t
 *   %b bool (int)     %v const struct json * (NULL leaves the member or element out)
 * A placeholder may also stand in key position (%s). Example:
 *   json_make(a, "{'metadata':{'name':%s,'labels':%v},'spec':{'replicas':%d}}", name, labels, 3)
 * The template is the program's own text: a mistake in it aborts. */
const struct json *json_make(struct arena *a, const char *tmpl, ...);

/* The object with the member at `path` set, made along the way where absent. `object` may be NULL (then {}). A NULL
 * value removes the member. An item beyond the end of an array is appended. */
const struct json *json_with(struct arena *a, const struct json *object, const char *path, const struct json *value);
/* The same for one member by its exact name, dots and all. New members are added at the end. */
const struct json *json_with_member(struct arena *a, const struct json *object, const char *key, const struct json *value);
const struct json *json_without(struct arena *a, const struct json *object, const char *path);
const struct json *json_without_member(struct arena *a, const struct json *object, const char *key);
const struct json *json_with_item(struct arena *a, const struct json *array, size_t index, const struct json *value);
const struct json *json_append(struct arena *a, const struct json *array, const struct json *value);
const struct json *json_without_item(struct arena *a, const struct json *array, size_t index);
const struct json *json_copy(struct arena *a, const struct json *v); /* deep, strings too */

/* Builders, for values of many elements. `struct json_array items = {.arena = a};` ... json_array_done(&items). */
struct json_array {
    struct arena *arena;
    struct json *items;
    size_t len, cap;
};
struct json_object {
    struct arena *arena;
    struct json_member *members;
    size_t len, cap;
};
void json_array_add(struct json_array *b, const struct json *value);
const struct json *json_array_done(struct json_array *b); /* always an array, perhaps empty */
/* Adds without looking for a member of the same name; the key is not copied and must live as long as the arena. */
void json_object_add(struct json_object *b, const char *key, const struct json *value);
void json_object_set(struct json_object *b, const char *key, const struct json *value); /* replaces; key not copied */
const struct json *json_object_done(struct json_object *b);

/* ---- text ---- */

struct json_limits {
    size_t max_depth;    /* 0: 10000, as Go's decoder */
    size_t max_elements; /* 0: 5 million */
};
/* Parses RFC 8259 text. Error messages are worded as Go's encoding/json words them, because API clients see them
 * ("invalid character 'x' looking for beginning of value", "unexpected end of JSON input"). A doubled member keeps
 * the last value; when `duplicates` is not NULL, its path is appended there (a list of strings: see field validation). */
MUST_CHECK struct error *json_parse(struct arena *a, const char *text, size_t len, const struct json_limits *limits,
                                    struct json_array *duplicates, const struct json **out);
/* Compact text as Go writes it: HTML-safe escapes of < > & and U+2028/9, no insignificant space. */
void json_encode(struct buf *out, const struct json *v);
void json_encode_raw(struct buf *out, const struct json *v); /* the same, but < > & as they are */
void json_encode_pretty(struct buf *out, const struct json *v, const char *indent);
char *json_text(struct arena *a, const struct json *v); /* compact, in the arena */

/* YAML as sigs.k8s.io/yaml reads it: go-yaml v2's meaning of plain scalars (unquoted yes, no, on, off, y, n are
 * booleans), anchors, merge keys, keys of any scalar type. Error messages are go-yaml's ("yaml: line 3: mapping values
 * are not allowed in this context"; callers put "error converting YAML to JSON: " before them where kubernetes does).
 * yaml_parse reads the first document; yaml_parse_all gives an array of all that are not null. `duplicates` gets
 * go-yaml's messages ("line 4: key \"a\" already set in map"), not paths: Kubernetes joins them with "\n  " behind
 * "yaml: unmarshal errors:". */
MUST_CHECK struct error *yaml_parse(struct arena *a, const char *text, size_t len, const struct json_limits *limits,
                                    struct json_array *duplicates, const struct json **out);
MUST_CHECK struct error *yaml_parse_all(struct arena *a, const char *text, size_t len, const struct json_limits *limits,
                                        const struct json **out);
void yaml_encode(struct buf *out, const struct json *v); /* keys sorted, as sigs.k8s.io/yaml writes */

/* ---- patches ---- */

/* RFC 6901. An empty pointer is the value itself. */
const struct json *json_pointer(const struct json *v, const char *pointer);
/* RFC 7386. */
const struct json *json_merge_patch(struct arena *a, const struct json *target, const struct json *patch);
/* The patch that makes `to` of `from` (objects); {} if they are equal. */
const struct json *json_merge_diff(struct arena *a, const struct json *from, const struct json *to);
/* RFC 6902; errors are worded as evanphx/json-patch words them. `max_operations` 0: 10000, as kube-apiserver. Errors
 * have the code and reason of kube-apiserver: 400 for what is no patch (with its full message), 413 for too many
 * operations, 422 Invalid for one that fails (where kube-apiserver hides the message). */
MUST_CHECK struct error *json_patch(struct arena *a, const struct json *target, const struct json *patch,
                                    size_t max_operations, const struct json **out);
