/* From manifests to objects of the cluster. */
#include "base/str.h"
#include "client/object.h"
#include "helm/kube/private.h"

void kube_objects_add(struct kube *k, struct kube_objects *l, struct kube_object *o) {
    if (l->len == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        l->items = arena_grow(k->arena, l->items, l->cap * sizeof(*l->items), cap * sizeof(*l->items));
        l->cap = cap;
    }
    l->items[l->len++] = o;
}

static bool same_object(const struct kube_object *a, const struct kube_object *b) {
    return strcmp(a->name, b->name) == 0 && str_eq(a->ns, b->ns) && strcmp(a->resource->kind, b->resource->kind) == 0 &&
           strcmp(a->resource->group, b->resource->group) == 0;
}

struct kube_object *kube_objects_find(const struct kube_objects *l, const struct kube_object *o) {
    for (size_t i = 0; i < l->len; i++)
        if (same_object(l->items[i], o)) return l->items[i];
    return NULL;
}

const char *kube_object_text(struct kube *k, const struct kube_object *o) {
    return arena_printf(k->arena, "%s \"%s\" in namespace \"%s\"", o->resource->kind, o->name, o->ns ? o->ns : "");
}

/* ---- building ---- */

struct build {
    struct kube *kube;
    bool validate;
    struct kube_objects *out;
    struct buf errors; /* of all documents, as Go's aggregates show them */
    size_t error_count;
};

static void add_error(struct build *b, struct error *e) {
    if (!e) return;
    buf_printf(&b->errors, "%s%s", b->error_count ? ", " : "", e->message);
    b->error_count++;
    error_free(e);
}

static struct error *check_kind(const struct json *o) {
    bool version = json_str_or(o, "apiVersion", "")[0], kind = json_str_or(o, "kind", "")[0];
    if (version && kind) return NULL;
    return error_new("error validating \"\": error validating data: %s",
                     version ? "kind not set" : kind ? "apiVersion not set" : "[apiVersion not set, kind not set]");
}

static struct error *add_object(struct build *b, const struct json *o) {
    struct kube *k = b->kube;
    const char *kind = json_str_or(o, "kind", ""), *version = json_str_or(o, "apiVersion", ""), *name = json_str_or(o, "metadata.name", ""),
               *ns = json_str_or(o, "metadata.namespace", "");
    const struct resource *r;
    TRY(kube_mapping(k, version, kind, &r));
    if (!r)
        return error_new("resource mapping not found for name: \"%s\" namespace: \"%s\" from \"\": no matches for kind \"%s\" in version "
                         "\"%s\"\nensure CRDs are installed first", name, ns, kind, version);
    struct kube_object *out = ARENA_NEW(k->arena, struct kube_object);
    if (r->namespaced && !*ns) {
        ns = kube_namespace(k);
        o = json_with(k->arena, o, "metadata.namespace", json_string(k->arena, ns));
    }
    *out = (struct kube_object){r, r->namespaced ? ns : NULL, name, o};
    kube_objects_add(k, b->out, out);
    return NULL;
}

static void add_document(struct build *b, const struct json *o) {
    struct error *e = b->validate ? check_kind(o) : NULL;
    if (!e && !json_str_or(o, "kind", "")[0])
        e = error_new("unable to decode \"\": Object 'Kind' is missing in '%s'", json_text(b->kube->arena, o));
    const struct json *items = json_member(o, "items");
    if (!e && json_is(items, JSON_ARRAY)) { /* a list, whatever its kind */
        JSON_EACH(item, items) add_document(b, item);
        return;
    }
    add_error(b, e ? e : add_object(b, o));
}

struct error *kube_build(struct kube *k, const char *manifest, size_t len, bool validate, struct kube_objects *out) {
    CLEANUP(buf_free) struct buf errors = {0};
    const struct json *documents;
    *out = (struct kube_objects){0};
    struct error *bad = yaml_parse_all(k->arena, manifest, len, NULL, &documents);
    if (bad) return error_wrap(bad, "error parsing : error converting YAML to JSON");
    struct build b = {.kube = k, .validate = validate, .out = out, .errors = errors};
    JSON_EACH(o, documents) {
        if (b.error_count == 0 && json_len(documents) > 0 && !k->resources) { /* an unreachable cluster is one error, not one per object */
            const char *const *versions;
            size_t count;
            TRY(kube_api_versions(k, &versions, &count));
        }
        add_document(&b, o);
    }
    errors = b.errors;
    if (b.error_count == 0) return NULL;
    return b.error_count == 1 ? error_new("%s", errors.data) : error_new("[%s]", errors.data);
}

/* ---- reading ---- */

struct error *kube_get(struct kube *k, const struct kube_object *o, const struct json **out) {
    struct client *c;
    cleanup_doc struct doc *d = NULL;
    TRY(kube_client(k, &c));
    TRY(client_get(c, o->resource, o->ns, o->name, &d));
    *out = json_copy(k->arena, d->root);
    return NULL;
}

struct error *kube_find(struct kube *k, const struct kube_object *o, const struct json **out) {
    struct error *e = kube_get(k, o, out);
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    *out = NULL;
    return NULL;
}

static const char *object_path(struct kube *k, const struct resource *r, const char *ns) {
    cleanup_buf struct buf b = {0};
    if (*r->group) buf_printf(&b, "/apis/%s/%s", r->group, r->version);
    else buf_printf(&b, "/api/%s", r->version);
    if (ns) buf_printf(&b, "/namespaces/%s", ns);
    buf_printf(&b, "/%s", r->plural);
    return arena_strdup(k->arena, buf_str(&b));
}

struct error *kube_get_table(struct kube *k, const struct kube_object *o, const char *labels, bool table, const struct json **out) {
    cleanup_buf struct buf path = {0};
    buf_adds(&path, object_path(k, o->resource, o->ns));
    if (o->name) buf_printf(&path, "/%s", o->name);
    char separator = '?';
    if (labels) {
        buf_adds(&path, "?labelSelector=");
        url_encode(&path, labels);
        separator = '&';
    }
    if (table) buf_printf(&path, "%cincludeObject=Object", separator);
    return kube_get_path(k, buf_str(&path), table ? "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;"
                         "g=meta.k8s.io,application/json" : NULL, out);
}
