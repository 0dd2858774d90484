/* What all verbs share: tables, keys, reading, committing. */
#include "apiserver/crd.h"
#include "apiserver/internal.h"

const struct resource *storage_resource(const struct resource *r) {
    if (r->crd) return &r->crd->definition->storage->resource;
    if ((strcmp(r->group, r->storage_group) == 0 && strcmp(r->version, r->storage_version) == 0)) return r;
    const struct resource *s = resource_find(r->storage_group, r->storage_version, r->plural);
    return s ? s : r;
}

struct store_table *table_of(struct apiserver *s, const struct resource *r) { return store_table(s->store, r->table); }

const char *key_for(struct arena *a, const struct resource *r, const char *ns, const char *name) {
    return r->namespaced ? arena_printf(a, "%s/%s", ns, name) : name;
}

const char *api_version(struct arena *a, const struct resource *r) {
    return *r->group ? arena_printf(a, "%s/%s", r->group, r->version) : r->version;
}

/* Built-in kinds convert without asking anybody; what cannot be converted is shown as it is. */
static struct doc *builtin_view(const struct resource *r, struct doc *d) {
    const struct resource *from = storage_resource(r);
    cleanup_arena struct arena a = {0};
    const struct json *out = NULL;
    if (from == r) return doc_ref(d);
    cleanup_error struct error *e = schema_convert(&a, from, r, d->root, &out);
    if (e) return doc_ref(d);
    struct doc *view = doc_new(out);
    if (d->revision != 0) doc_set_revision(view, d->revision); /* 0: a dry run's */
    return view;
}

struct error *registry_views(const struct resource *r, struct doc *const *in, size_t n, struct doc **out) {
    if (r->crd) return crd_view(r->crd, in, n, out);
    for (size_t i = 0; i < n; i++) out[i] = builtin_view(r, in[i]);
    return NULL;
}

struct error *registry_view(const struct resource *r, struct doc *d, struct doc **out) { return registry_views(r, &d, 1, out); }

struct error *registry_read(struct apiserver *s, const struct resource *r, const char *ns, const char *name, struct doc **out) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *d = store_get(s->store, table_of(s, r), key_for(&a, r, ns, name));
    *out = NULL;
    return d ? registry_view(r, d, out) : NULL;
}

struct doc *registry_get(struct apiserver *s, const struct resource *r, const char *ns, const char *name) {
    struct doc *d = NULL;
    cleanup_error struct error *none = registry_read(s, r, ns, name, &d);
    return d;
}

struct error *registry_stored(struct arena *a, const struct resource *r, const struct json *o, struct doc **out) {
    const struct resource *to = storage_resource(r);
    o = without_meta(a, o, "resourceVersion");
    if (r->crd) TRY(crd_stored(a, r->crd, o, &o));
    else if (to != r) TRY(schema_convert(a, r, to, o, &o));
    *out = doc_new(o);
    return NULL;
}

bool registry_is_current(const struct resource *r, const struct doc *d) {
    const char *version = json_str_or(d->root, "apiVersion", ""), *slash = strchr(version, '/');
    return r->crd == NULL || (slash && strcmp(slash + 1, r->storage_version) == 0);
}

struct visit {
    bool (*fn)(struct doc *d, void *arg);
    void *arg;
};
static bool visit_key(const char *key, struct doc *d, void *arg) {
    struct visit *v = arg;
    (void)key;
    return v->fn(d, v->arg);
}

void registry_each(struct apiserver *s, const struct resource *r, const char *ns, bool (*fn)(struct doc *d, void *arg), void *arg) {
    cleanup_arena struct arena a = {0};
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(s->store);
    const char *prefix = ns && *ns && r->namespaced ? arena_printf(&a, "%s/", ns) : "";
    store_visit(snap, table_of(s, r), prefix, NULL, visit_key, &(struct visit){fn, arg});
}

struct error *not_found(const struct request *r, const char *name) { return status_not_found(r->group, r->plural, name); }

/* ---- committing ---- */

static void settle(struct request *r) {
    if (atomic_fetch_sub(&r->pending, 1) == 1) r->done(r);
}
void request_settle(struct request *r) { settle(r); }

static void committed(uint64_t revision, const struct error *error, void *arg) {
    struct request *r = arg;
    (void)revision;
    struct error *none = NULL;
    if (error) {
        struct error *copy = error_copy(error);
        if (!atomic_compare_exchange_strong(&r->commit_error, &none, copy)) error_free(copy);
    }
    settle(r);
}

struct error *registry_commit(struct request *r, const struct store_op *ops, size_t n, uint64_t *revision) {
    uint64_t rev;
    atomic_fetch_add(&r->pending, 1);
    struct error *e = store_commit(r->server->store, ops, n, committed, r, revision ? revision : &rev);
    if (e) atomic_fetch_sub(&r->pending, 1);
    return e;
}

/* ---- objects ---- */

const char *meta_str(const struct json *o, const char *field) { return json_str_or(json_member(o, "metadata"), field, ""); }

const struct json *with_meta(struct arena *a, const struct json *o, const char *field, const struct json *v) {
    const struct json *m = json_member(o, "metadata");
    return json_with_member(a, o, "metadata", json_with_member(a, m ? m : &json_empty_object, field, v));
}

const struct json *without_meta(struct arena *a, const struct json *o, const char *field) {
    const struct json *m = json_member(o, "metadata");
    if (json_member(m, field) == NULL) return o;
    return json_with_member(a, o, "metadata", json_without_member(a, m, field));
}

int64_t request_now(const struct request *r) { return clock_wall(r->server->clock); }

const char *time_now(struct arena *a, const struct request *r) {
    char text[TIME_STRING_MAX];
    return arena_strdup(a, time_format(text, request_now(r)));
}
