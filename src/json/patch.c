/* JSON patch. The document is opened into a tree of nodes only where operations go, and each node once, so that many
 * operations on a long array cost no copy each. Semantics and messages are those of the library that kube-apiserver
 * uses (json-patch v4): negative indices count from the end, "replace" sets members that do not exist, a missing value
 * is null, and copies may add a limited number of bytes. */
#include "base/str.h"
#include "json/index.h"
#include <stdio.h>

enum { MAX_COPIED = 3 * 1024 * 1024 }; /* kube-apiserver: JSONPatchMaxCopyBytes */

struct node {
    struct json value; /* while not open */
    bool open;
    uint32_t len, cap;
    struct child *children;
};

struct child {
    const char *key; /* NULL in arrays */
    uint32_t key_len;
    struct node *node;
};

struct patcher {
    struct arena *arena;
    struct node *root;
    size_t copied;
};

/* ---- nodes ---- */

static struct node *node_of(struct arena *a, const struct json *v) {
    struct node *n = ARENA_NEW(a, struct node);
    n->value = v ? *v : json_null;
    return n;
}

static bool is_null(const struct node *n) { return n == NULL || n->value.type == JSON_NULL; }

/* Makes the children of an object or array accessible; false for anything else. */
static bool open_node(struct arena *a, struct node *n) {
    const struct json *v = &n->value;
    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY) return false;
    if (n->open) return true;
    n->open = true;
    n->len = n->cap = v->len;
    n->children = arena_calloc(a, v->len, sizeof(*n->children));
    for (uint32_t i = 0; i < v->len; i++) {
        bool object = v->type == JSON_OBJECT;
        n->children[i] = (struct child){.node = node_of(a, object ? &v->members[i].value : &v->items[i])};
        if (!object) continue;
        n->children[i].key = v->members[i].key;
        n->children[i].key_len = v->members[i].key_len;
    }
    return true;
}

static struct json closed(struct arena *a, const struct node *n) {
    if (!n->open) return n->value;
    struct json v = {.type = n->value.type, .len = n->len};
    if (v.type == JSON_ARRAY) {
        struct json *items = arena_alloc(a, n->len * sizeof(*items));
        for (uint32_t i = 0; i < n->len; i++) items[i] = closed(a, n->children[i].node);
        v.items = items;
    } else {
        struct json_member *members = arena_alloc(a, n->len * sizeof(*members));
        for (uint32_t i = 0; i < n->len; i++) {
            const struct child *c = &n->children[i];
            members[i] = (struct json_member){.key = c->key, .key_len = c->key_len, .value = closed(a, c->node)};
        }
        v.members = members;
    }
    return v;
}

static void insert_child(struct arena *a, struct node *n, uint32_t at, struct child c) {
    if (n->len == n->cap) {
        uint32_t cap = n->cap ? n->cap * 2 : 8;
        n->children = arena_grow(a, n->children, n->cap * sizeof(c), cap * sizeof(c));
        n->cap = cap;
    }
    memmove(&n->children[at + 1], &n->children[at], (n->len - at) * sizeof(c));
    n->children[at] = c;
    n->len++;
}

static void remove_child(struct node *n, uint32_t at) {
    n->len--;
    memmove(&n->children[at], &n->children[at + 1], (n->len - at) * sizeof(*n->children));
}

static struct child *child_of(struct node *object, const char *key) {
    size_t n = strlen(key);
    for (uint32_t i = 0; i < object->len; i++)
        if (object->children[i].key_len == n && memcmp(object->children[i].key, key, n) == 0) return &object->children[i];
    return NULL;
}

/* ---- containers: objects and arrays alike ---- */

/* Go's strconv.Atoi, then negative indices from the end of `len`; valid up to and excluding `limit`. */
static struct error *index_of(const char *key, int64_t len, int64_t limit, uint32_t *out) {
    int64_t i;
    if (!str_to_int64(key, &i)) return error_new("strconv.Atoi: parsing \"%s\": invalid syntax", key);
    int64_t at = i < 0 ? i + len : i;
    if (at < 0 || at >= limit) return error_new("Unable to access invalid index: %lld: invalid index referenced", (long long)i);
    *out = (uint32_t)at;
    return NULL;
}

static struct error *get(struct node *in, const char *key, struct node **out) {
    uint32_t at;
    *out = NULL;
    if (in->value.type == JSON_OBJECT) {
        struct child *c = child_of(in, key);
        *out = c ? c->node : NULL;
        return NULL;
    }
    TRY(index_of(key, in->len, in->len, &at));
    *out = in->children[at].node;
    return NULL;
}

static void set_member(struct arena *a, struct node *in, const char *key, struct node *value) {
    struct child *c = child_of(in, key);
    if (c != NULL) c->node = value;
    else insert_child(a, in, in->len, (struct child){.key = key, .key_len = (uint32_t)strlen(key), .node = value});
}

static struct error *add(struct arena *a, struct node *in, const char *key, struct node *value) {
    uint32_t at = in->len;
    if (in->value.type == JSON_OBJECT) {
        set_member(a, in, key, value);
        return NULL;
    }
    if (strcmp(key, "-") != 0) {
        int64_t ignored;
        struct error *e = index_of(key, (int64_t)in->len + 1, (int64_t)in->len + 1, &at);
        if (e != NULL) return str_to_int64(key, &ignored) ? e : error_wrap(e, "value was not a proper array index: '%s'", key);
    }
    insert_child(a, in, at, (struct child){.node = value});
    return NULL;
}

static struct error *take_out(struct node *in, const char *key) {
    uint32_t at;
    if (in->value.type == JSON_OBJECT) {
        struct child *c = child_of(in, key);
        if (c == NULL) return error_new("Unable to remove nonexistent key: %s: missing value", key);
        at = (uint32_t)(c - in->children);
    } else {
        TRY(index_of(key, in->len, in->len, &at));
    }
    remove_child(in, at);
    return NULL;
}

/* The container that holds the last token of the path, open, and that token; NULL if there is none. */
static struct node *find(struct patcher *p, const char *path, const char **key) {
    const char *slash = strchr(path, '/');
    if (slash == NULL) return NULL;
    struct node *n = p->root;
    for (;;) {
        if (!open_node(p->arena, n)) return NULL;
        path = slash + 1;
        slash = strchrnul(path, '/');
        *key = pointer_token(p->arena, path, (size_t)(slash - path));
        if (*slash == '\0') return n;
        cleanup_error struct error *e = get(n, *key, &n);
        if (e != NULL || is_null(n)) return NULL;
    }
}

/* ---- operations ---- */

struct operation {
    const char *op, *path, *from;
    const struct json *value; /* NULL if absent */
};

static struct error *op_add(struct patcher *p, const struct operation *o) {
    const char *key;
    struct node *in = find(p, o->path, &key);
    if (in == NULL) return error_new("add operation does not apply: doc is missing path: \"%s\": missing value", o->path);
    struct error *e = add(p->arena, in, key, node_of(p->arena, o->value));
    return e ? error_wrap(e, "error in add for path: '%s'", o->path) : NULL;
}

static struct error *op_remove(struct patcher *p, const struct operation *o) {
    const char *key;
    struct node *in = find(p, o->path, &key);
    if (in == NULL) return error_new("remove operation does not apply: doc is missing path: \"%s\": missing value", o->path);
    struct error *e = take_out(in, key);
    return e ? error_wrap(e, "error in remove for path: '%s'", o->path) : NULL;
}

static struct error *op_replace(struct patcher *p, const struct operation *o) {
    const char *key;
    struct node *value = node_of(p->arena, o->value);
    if (*o->path == '\0') {
        if (!open_node(p->arena, value)) return error_new("replace operation value must be object or array");
        p->root = value;
        return NULL;
    }
    struct node *in = find(p, o->path, &key), *before;
    if (in == NULL) return error_new("replace operation does not apply: doc is missing path: %s: missing value", o->path);
    cleanup_error struct error *e = get(in, key, &before);
    if (e != NULL) return error_new("replace operation does not apply: doc is missing key: %s: missing value", o->path);
    if (in->value.type == JSON_OBJECT) set_member(p->arena, in, key, value);
    else *before = *value;
    return NULL;
}

static struct error *op_move(struct patcher *p, const struct operation *o) {
    const char *key;
    struct node *in = find(p, o->from, &key), *value = NULL;
    if (in == NULL) return error_new("move operation does not apply: doc is missing from path: %s: missing value", o->from);
    struct error *e = get(in, key, &value);
    if (e == NULL) e = take_out(in, key);
    if (e != NULL) return error_wrap(e, "error in move for path: '%s'", key);
    in = find(p, o->path, &key);
    if (in == NULL) return error_new("move operation does not apply: doc is missing destination path: %s: missing value", o->path);
    e = add(p->arena, in, key, value);
    return e ? error_wrap(e, "error in move for path: '%s'", o->path) : NULL;
}

static struct error *op_copy(struct patcher *p, const struct operation *o) {
    const char *key;
    struct node *in = find(p, o->from, &key), *value;
    if (in == NULL) return error_new("copy operation does not apply: doc is missing from path: %s: missing value", o->from);
    struct error *e = get(in, key, &value);
    if (e != NULL) return error_wrap(e, "error in copy for from: '%s'", o->from);
    in = find(p, o->path, &key);
    if (in == NULL) return error_new("copy operation does not apply: doc is missing destination path: %s: missing value", o->path);
    struct json v = value ? closed(p->arena, value) : json_null;
    cleanup_buf struct buf text = {0};
    json_encode(&text, &v);
    p->copied += text.len;
    if (p->copied > MAX_COPIED)
        return error_new("Unable to complete the copy, the accumulated size increase of copy is %zu, exceeding the limit %d", p->copied,
                         MAX_COPIED);
    e = add(p->arena, in, key, node_of(p->arena, &v));
    return e ? error_wrap(e, "error while adding value during copy") : NULL;
}

static struct error *op_test(struct patcher *p, const struct operation *o) {
    const char *key;
    struct node *in = NULL, *value = p->root;
    if (*o->path != '\0') {
        in = find(p, o->path, &key);
        if (in == NULL) return error_new("test operation does not apply: is missing path: %s: missing value", o->path);
        struct error *e = get(in, key, &value);
        if (e != NULL) return error_wrap(e, "error in test for path: '%s'", o->path);
    }
    struct json v = value ? closed(p->arena, value) : json_null;
    return json_equal(&v, o->value ? o->value : &json_null) ? NULL : error_new("testing value %s failed: test failed", o->path);
}

static const struct {
    const char *name;
    struct error *(*apply)(struct patcher *p, const struct operation *o);
    bool from;
} operations[] = {
    {"add", op_add, false},  {"remove", op_remove, false}, {"replace", op_replace, false},
    {"move", op_move, true}, {"copy", op_copy, true},      {"test", op_test, false},
};

static struct error *apply(struct patcher *p, const struct operation *o) {
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (!str_eq(o->op, operations[i].name)) continue;
        if (operations[i].from && o->from == NULL)
            return error_new("%s operation failed to decode from: operation, missing from field: missing value", o->op);
        if (o->path == NULL)
            return error_new("%s operation failed to decode path: operation missing path field: missing value", o->op);
        return operations[i].apply(p, o);
    }
    return error_new("Unexpected kind: %s", o->op ? o->op : "unknown");
}

/* ---- decoding ---- */

static const char *const kinds[] = {"null", "bool", "number", "number", "string", "array", "object"};

static struct error *cannot(const struct json *v, const char *into) {
    return error_api(400, "BadRequest", "error decoding patch: json: cannot unmarshal %s into Go %s", kinds[v->type], into);
}

static struct error *decode(const struct json *v, struct operation *o) {
    const char *const names[] = {"op", "path", "from"};
    const char **fields[] = {&o->op, &o->path, &o->from};
    *o = (struct operation){.value = json_member(v, "value")};
    if (v->type != JSON_OBJECT && v->type != JSON_NULL) return cannot(v, "value of type handlers.jsonPatchOp");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *field = json_member(v, names[i]);
        if (field == NULL || field->type == JSON_NULL) continue;
        if (field->type == JSON_STRING) {
            *fields[i] = field->s;
            continue;
        }
        char into[64];
        snprintf(into, sizeof(into), "struct field jsonPatchOp.%s of type string", names[i]);
        return cannot(field, into);
    }
    return NULL;
}

struct error *json_patch(struct arena *a, const struct json *target, const struct json *patch, size_t max_operations,
                         const struct json **out) {
    size_t n = json_len(patch), max = max_operations ? max_operations : 10000;
    if (!json_is(patch, JSON_ARRAY) && !json_is(patch, JSON_NULL)) return cannot(patch, "value of type []handlers.jsonPatchOp");
    struct operation *all = arena_alloc(a, n * sizeof(*all));
    for (size_t i = 0; i < n; i++) TRY(decode(&patch->items[i], &all[i]));
    if (n > max)
        return error_api(413, "RequestEntityTooLarge",
                         "Request entity is too large: The allowed maximum operations in a JSON patch is %zu, got %zu", max, n);
    struct patcher p = {.arena = a, .root = node_of(a, target)};
    for (size_t i = 0; i < n; i++) {
        struct error *e = apply(&p, &all[i]);
        if (e == NULL) continue;
        e->code = 422;
        e->reason = xstrdup("Invalid");
        return e;
    }
    struct json *result = ARENA_NEW(a, struct json);
    *result = closed(a, p.root);
    *out = result;
    return NULL;
}
