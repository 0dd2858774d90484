/* A definition as resources. Names and subresources are read at once, for discovery; the rest waits for the first request, since
 * most definitions of a cluster are never asked for. */
#include "apiserver/crd.h"

static const char *path_of(const char *json_path) { return json_path && *json_path ? json_path + (*json_path == '.') : NULL; }

static const char *const *names(struct arena *a, const struct json *list) {
    if (json_len(list) == 0) return NULL;
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(v, list) out[n++] = json_str_or(v, NULL, "");
    return out;
}

static void subresources(struct crd *c, struct arena *a) {
    const struct json *subs = json_member(c->version, "subresources"), *scale = json_member(subs, "scale");
    struct resource *r = &c->resource;
    if (json_len(subs) == 0) return;
    struct subresource *out = arena_calloc(a, 2, sizeof(*out));
    if (json_is(json_member(subs, "status"), JSON_OBJECT))
        out[r->subresource_count++] = (struct subresource){"status", r->group, r->version, r->kind, VERB_GET | VERB_PATCH | VERB_UPDATE, NULL};
    if (json_is(scale, JSON_OBJECT)) {
        out[r->subresource_count++] = (struct subresource){"scale", "autoscaling", "v1", "Scale", VERB_GET | VERB_PATCH | VERB_UPDATE, type_find("autoscaling/v1/Scale")};
        c->scale_spec = path_of(json_str(scale, "specReplicasPath"));
        c->scale_status = path_of(json_str(scale, "statusReplicasPath"));
        c->scale_selector = path_of(json_str(scale, "labelSelectorPath"));
    }
    r->subresources = out;
}

static const char *column_text(struct arena *a, const struct json *column) {
    const char *given = json_str_or(column, "description", "");
    return *given ? given : arena_printf(a, "Custom resource definition column (in JSONPath format): %s", json_str_or(column, "jsonPath", ""));
}

static void columns(struct crd *c, struct arena *a) {
    const struct json *list = json_member(c->version, "additionalPrinterColumns");
    struct column *out = arena_calloc(a, json_len(list) + 2, sizeof(*out));
    size_t n = 0;
    const struct field *f = type_field(type_find("meta/v1/ObjectMeta"), "name");
    out[n++] = (struct column){"Name", "string", "name", f && f->description ? f->description : "", 0, NULL};
    JSON_EACH(k, list) {
        out[n++] = (struct column){json_str_or(k, "name", ""), json_str_or(k, "type", ""), json_str_or(k, "format", ""), column_text(a, k),
                                   (int)json_int(k, "priority", 0), json_str_or(k, "jsonPath", "")};
    }
    if (n == 1) out[n++] = (struct column){"Age", "date", "", "", 0, ".metadata.creationTimestamp"};
    c->resource.columns = out;
    c->resource.column_count = n;
}

static void selectable(struct crd *c, struct arena *a) {
    const struct json *list = json_member(c->version, "selectableFields");
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(f, list) out[n++] = path_of(json_str_or(f, "jsonPath", "."));
    c->resource.selectable_fields = out;
}

static void deprecation(struct crd *c, struct arena *a) {
    if (!json_bool(c->version, "deprecated", false)) return;
    const char *group = c->resource.group;
    c->warning = json_str(c->version, "deprecationWarning");
    if (c->warning) return;
    c->warning = arena_printf(a, "%s/%s %s is deprecated", group, c->resource.version, c->resource.kind);
    JSON_EACH(v, json_get(c->definition->doc->root, "spec.versions")) {
        if (json_bool(v, "deprecated", false) || !json_bool(v, "served", false)) continue;
        c->warning = arena_printf(a, "%s; use %s/%s %s", c->warning, group, json_str_or(v, "name", ""), c->resource.kind);
        return;
    }
}

static void name_version(struct definition *d, struct crd *c, const struct json *spec, const struct json *version) {
    const struct json *n = json_member(spec, "names");
    const char *kind = json_str_or(n, "kind", "");
    c->definition = d;
    c->version = version;
    c->schema = json_get(version, "schema.openAPIV3Schema");
    c->preserve = json_bool(spec, "preserveUnknownFields", false);
    c->served = json_bool(version, "served", false);
    c->resource = (struct resource){
        .group = json_str_or(spec, "group", ""), .version = json_str_or(version, "name", ""), .kind = kind, .list_kind = json_str(n, "listKind"),
        .plural = json_str_or(n, "plural", ""), .singular = json_str_or(n, "singular", ""), .short_names = names(&d->arena, json_member(n, "shortNames")),
        .categories = names(&d->arena, json_member(n, "categories")), .namespaced = json_str_is(spec, "scope", "Namespaced"),
        .verbs = VERB_GET | VERB_LIST | VERB_WATCH | VERB_CREATE | VERB_UPDATE | VERB_PATCH | VERB_DELETE | VERB_DELETE_COLLECTION,
        .storage_version_hash = "", .crd = c, .owner = &d->owner, .openapi = c->preserve ? NULL : c->schema};
    if (c->resource.list_kind == NULL) c->resource.list_kind = arena_printf(&d->arena, "%sList", kind);
    subresources(c, &d->arena);
    deprecation(c, &d->arena);
    selectable(c, &d->arena);
    if (json_bool(version, "storage", false)) d->storage = c;
}

static void drop(struct resource_owner *o) {
    struct definition *d = CONTAINER_OF(o, struct definition, owner);
    for (size_t i = 0; i < d->len; i++) {
        crd_views_free(d->versions[i].views);
        crd_rules_free(d->versions[i].rules);
    }
    free(d->versions);
    arena_free(&d->arena);
    pthread_mutex_destroy(&d->lock);
    doc_unref(d->doc);
    free(d);
}

static void relate_versions(struct definition *d) {
    const struct crd *first = d->storage->served ? d->storage : NULL;
    const char *table = arena_printf(&d->arena, "%s/%s", d->storage->resource.group, d->storage->resource.plural);
    for (size_t i = 0; i < d->len; i++) {
        struct resource *r = &d->versions[i].resource;
        if (first == NULL && d->versions[i].served) first = &d->versions[i];
        r->table = table;
        r->storage_group = r->group, r->storage_version = d->storage->resource.version;
        r->secondary = &d->versions[i] != first;
    }
}

struct definition *definition_new(struct apiserver *s, struct doc *doc) {
    struct definition *d = xcalloc(1, sizeof(*d));
    const struct json *spec = json_member(doc->root, "spec"), *versions = json_member(spec, "versions");
    *d = (struct definition){.owner = {1, drop}, .server = s, .doc = doc_ref(doc), .versions = xcalloc(json_len(versions) + 1, sizeof(*d->versions))};
    pthread_mutex_init(&d->lock, NULL);
    if (json_str_is(spec, "conversion.strategy", "Webhook")) d->webhook = json_get(spec, "conversion.webhook");
    JSON_EACH(v, versions) name_version(d, &d->versions[d->len++], spec, v);
    if (d->storage == NULL) d->storage = d->versions;
    relate_versions(d);
    return d;
}

const struct crd *definition_version(const struct definition *d, const char *api_version) {
    size_t group = strlen(d->storage->resource.group);
    if (strncmp(api_version, d->storage->resource.group, group) != 0 || api_version[group] != '/') return NULL;
    for (size_t i = 0; i < d->len; i++) {
        if (strcmp(d->versions[i].resource.version, api_version + group + 1) == 0) return &d->versions[i];
    }
    return NULL;
}

/* Nobody looks at the type and the columns before `ready` is seen. */
void crd_ready(const struct resource *r) {
    struct crd *c = r->crd;
    if (c == NULL || atomic_load(&c->ready)) return;
    pthread_mutex_lock(&c->definition->lock);
    if (!atomic_load(&c->ready)) {
        struct arena *a = &c->definition->arena;
        c->resource.type = crd_type(a, c->schema, true);
        columns(c, a);
        for (size_t i = 0; i < r->subresource_count; i++) {
            struct subresource *sub = (struct subresource *)(uintptr_t)&r->subresources[i];
            if (sub->type == NULL) sub->type = c->resource.type;
        }
        atomic_store(&c->ready, true);
    }
    pthread_mutex_unlock(&c->definition->lock);
}

void crd_scale_paths(const struct resource *r, const char **spec, const char **status, const char **selector) {
    *spec = r->crd->scale_spec;
    *status = r->crd->scale_status;
    *selector = r->crd->scale_selector;
}
