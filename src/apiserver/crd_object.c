/* Custom objects on their way in: unknown fields go, defaults come (apiextensions-apiserver pkg/apiserver/schema). */
#include "apiserver/crd.h"

struct walk {
    struct arena *arena;
    struct json_array *unknown; /* NULL: nobody asks */
    bool stored;                /* metadata has been looked at when it came */
};

static const char *join(struct walk *w, const char *path, const char *name) {
    if (w->unknown == NULL) return "";
    return *path ? arena_printf(w->arena, "%s.%s", path, name) : name;
}

static void note(struct walk *w, const char *path) {
    if (w->unknown) json_array_add(w->unknown, json_strf(w->arena, "unknown field \"%s\"", path));
}

static const struct json *prune(struct walk *w, const char *path, const struct json *schema, const struct json *v, bool root);

/* metadata of the object itself and of embedded resources is ObjectMeta, whatever the schema says. */
static const struct json *prune_meta(struct walk *w, const char *path, const struct json *meta) {
    struct json_array unknown = {.arena = w->arena};
    const struct json *out = meta;
    if (w->stored || !json_is(meta, JSON_OBJECT)) return meta;
    cleanup_error struct error *e = schema_decode(w->arena, type_find("meta/v1/ObjectMeta"), meta, &unknown, &out);
    if (e) return meta;
    for (size_t i = 0; i < unknown.len; i++) {
        const char *text = json_str_or(&unknown.items[i], NULL, "");
        const char *name = str_starts(text, "unknown field \"") ? text + 15 : text;
        note(w, join(w, path, arena_strndup(w->arena, name, strcspn(name, "\""))));
    }
    return out;
}

/* A null that may not be one and has no default is as good as absent. */
static bool is_absent(const struct json *s, const struct json *v) {
    return v->type == JSON_NULL && json_is(s, JSON_OBJECT) && !json_bool(s, "nullable", false) && json_member(s, "default") == NULL;
}

/* What stays of a member; NULL: nothing. `whole`: of an object with metadata. */
static const struct json *prune_member(struct walk *w, const char *path, const struct json *s, const struct json_member *m, bool whole) {
    const struct json *p = json_member(json_member(s, "properties"), m->key), *additional = json_member(s, "additionalProperties");
    bool meta = strcmp(m->key, "metadata") == 0;
    if (whole && (meta || strcmp(m->key, "kind") == 0 || strcmp(m->key, "apiVersion") == 0)) return meta ? prune_meta(w, join(w, path, m->key), &m->value) : &m->value;
    if (p == NULL && json_is(additional, JSON_OBJECT)) p = additional;
    if (is_absent(p, &m->value)) return NULL;
    if (p) return prune(w, join(w, path, m->key), p, &m->value, false);
    if (json_bool(s, "x-kubernetes-preserve-unknown-fields", false) || json_is(additional, JSON_BOOL)) return &m->value;
    note(w, join(w, path, m->key));
    return NULL;
}

/* Copied from the first member on that does not stay as it is. */
static const struct json *prune_object(struct walk *w, const char *path, const struct json *s, const struct json *v, bool whole) {
    struct json_object out = {.arena = w->arena};
    bool same = true;
    JSON_EACH_MEMBER(m, v) {
        const struct json *kept = prune_member(w, path, s, m, whole);
        for (const struct json_member *before = v->members; same && kept != &m->value && before < m; before++) json_object_add(&out, before->key, &before->value);
        same = same && kept == &m->value;
        if (!same && kept) json_object_add(&out, m->key, kept);
    }
    return same ? v : json_object_done(&out);
}

static const struct json *prune(struct walk *w, const char *path, const struct json *s, const struct json *v, bool root) {
    if (v->type == JSON_OBJECT) return prune_object(w, path, s, v, root || json_bool(s, "x-kubernetes-embedded-resource", false));
    const struct json *items = json_member(s, "items"), *out = v;
    for (size_t i = 0; v->type == JSON_ARRAY && items && i < v->len; i++) {
        const struct json *item = prune(w, w->unknown ? arena_printf(w->arena, "%s[%zu]", path, i) : "", items, &v->items[i], false);
        if (item != &v->items[i]) out = json_with_item(w->arena, out, i, item);
    }
    return out;
}

const struct json *crd_prune(struct arena *a, const struct crd *crd, const struct json *o) {
    struct walk w = {a, NULL, true};
    return crd->schema && !crd->preserve ? prune(&w, "", crd->schema, o, true) : o;
}

/* Defaults where a member is absent, or null and not nullable. */
const struct json *crd_default(struct arena *a, const struct json *s, const struct json *v) {
    if (v == NULL || s == NULL) return v;
    if (v->type == JSON_ARRAY) {
        const struct json *items = json_member(s, "items");
        for (size_t i = 0; items && i < v->len; i++) {
            const struct json *item = crd_default(a, items, &v->items[i]);
            if (item != &v->items[i]) v = json_with_item(a, v, i, item);
        }
        return v;
    }
    if (v->type != JSON_OBJECT) return v;
    JSON_EACH_MEMBER(p, json_member(s, "properties")) {
        const struct json *d = json_member(&p->value, "default"), *had = json_member(v, p->key);
        bool replace = had == NULL || (had->type == JSON_NULL && !json_bool(&p->value, "nullable", false));
        if (d && replace) v = json_with_member(a, v, p->key, d), had = d;
        const struct json *inner = crd_default(a, &p->value, had);
        if (inner != had) v = json_with_member(a, v, p->key, inner);
    }
    const struct json *additional = json_member(s, "additionalProperties");
    if (!json_is(additional, JSON_OBJECT)) return v;
    const struct json *all = v;
    JSON_EACH_MEMBER(m, all) {
        const struct json *inner = crd_default(a, additional, &m->value);
        if (inner != &m->value) v = json_with_member(a, v, m->key, inner);
    }
    return v;
}

static int by_text(const void *x, const void *y) { return strcmp(((const struct json *)x)->s, ((const struct json *)y)->s); }

struct error *crd_decode(struct arena *a, const struct crd *crd, const struct json *in, struct json_array *unknown, const struct json **out) {
    struct json_array found = {.arena = a};
    struct walk w = {a, unknown ? &found : NULL, false};
    const struct json *meta = json_member(in, "metadata"), *checked;
    if (meta && meta->type != JSON_NULL) TRY(schema_decode(a, type_find("meta/v1/ObjectMeta"), meta, NULL, &checked));
    if (meta && meta->type == JSON_NULL) in = json_with_member(a, in, "metadata", &json_empty_object);
    *out = crd->schema && !crd->preserve ? prune(&w, "", crd->schema, in, true)
                                         : meta && meta->type == JSON_OBJECT ? json_with_member(a, in, "metadata", prune_meta(&w, "metadata", meta)) : in;
    if (found.len > 1) qsort(found.items, found.len, sizeof(*found.items), by_text);
    for (size_t i = 0; i < found.len; i++) json_array_add(unknown, &found.items[i]);
    return NULL;
}

static bool has_rules(const struct json *s) {
    if (json_len(json_member(s, "x-kubernetes-validations")) > 0) return true;
    JSON_EACH_MEMBER(m, json_member(s, "properties")) {
        if (has_rules(&m->value)) return true;
    }
    const struct json *items = json_member(s, "items"), *additional = json_member(s, "additionalProperties");
    return (items && has_rules(items)) || (json_is(additional, JSON_OBJECT) && has_rules(additional));
}

/* Whether a value is so wrong that rules had better not see it. */
static bool blocks_rules(const struct field_errors *e) {
    static const char *const types[] = {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid", NULL};
    for (size_t i = 0; i < e->len; i++) {
        if (str_in(e->items[i].type, types)) return true;
    }
    return false;
}

void crd_validate_object(struct change *c, struct field_errors *e) {
    const struct crd *crd = c->resource->crd;
    if (crd->schema == NULL) return;
    const struct json *o = c->object;
    struct json_array warnings = {.arena = c->r->arena};
    crd_validate_value(e, NULL, crd->schema, o, c->old);
    if (!has_rules(crd->schema)) return;
    if (blocks_rules(e)) field_invalid(e, NULL, NULL, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation");
    else crd_check_rules(e, &warnings, crd, o, c->old);
    for (size_t i = 0; i < warnings.len; i++) request_warn(c->r, "%s", json_str(&warnings.items[i], NULL));
}
