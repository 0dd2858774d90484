/* The definitions that are served now, looked up by group, version and plural. Compiled anew when a definition changes; what
 * was compiled stays until the server is freed, because requests and watches may still use it. */
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/paths.h"

struct crds {
    pthread_mutex_t lock;     /* everything */
    struct tracker *tracker;
    struct map served;        /* "group/version/plural" -> struct crd */
    struct map versions;      /* "name@revision/version" -> struct crd, all that were made */
    struct crd *all;
};

struct crds *crds_new(struct apiserver *s) {
    struct crds *c = xcalloc(1, sizeof(*c));
    struct store_table *tables[] = {table_of(s, &resource_apiextensions_customresourcedefinitions)};
    pthread_mutex_init(&c->lock, NULL);
    c->tracker = tracker_new(s->store, tables, 1);
    return c;
}

void crds_free(struct crds *c) {
    if (c == NULL) return;
    tracker_free(c->tracker);
    map_free(&c->served, NULL);
    map_free(&c->versions, NULL);
    while (c->all) {
        struct crd *next = c->all->next;
        struct arena a = c->all->arena;
        arena_free(&a);
        c->all = next;
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- compiling ---- */

static const char *path_of(struct arena *a, const char *json_path) { return json_path && *json_path ? arena_strdup(a, json_path + (*json_path == '.')) : NULL; }

static const char *const *names(struct arena *a, const struct json *list) {
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(v, list) out[n++] = arena_strdup(a, json_str_or(v, NULL, ""));
    return out;
}

static void subresources(struct crd *c, const struct json *version) {
    const struct json *subs = json_member(version, "subresources"), *scale = json_member(subs, "scale");
    struct resource *r = &c->resource;
    struct subresource *out = arena_calloc(&c->arena, 2, sizeof(*out));
    if (json_is(json_member(subs, "status"), JSON_OBJECT))
        out[r->subresource_count++] = (struct subresource){"status", r->group, r->version, r->kind, VERB_GET | VERB_PATCH | VERB_UPDATE, r->type};
    if (json_is(scale, JSON_OBJECT)) {
        out[r->subresource_count++] = (struct subresource){"scale", "autoscaling", "v1", "Scale", VERB_GET | VERB_PATCH | VERB_UPDATE, type_find("autoscaling/v1/Scale")};
        c->scale_spec = path_of(&c->arena, json_str(scale, "specReplicasPath"));
        c->scale_status = path_of(&c->arena, json_str(scale, "statusReplicasPath"));
        c->scale_selector = path_of(&c->arena, json_str(scale, "labelSelectorPath"));
    }
    r->subresources = out;
}

static const char *column_text(struct arena *a, const struct json *column) {
    const char *given = json_str_or(column, "description", "");
    return *given ? arena_strdup(a, given) : arena_printf(a, "Custom resource definition column (in JSONPath format): %s", json_str_or(column, "jsonPath", ""));
}

static void columns(struct crd *c, const struct json *version) {
    const struct json *list = json_member(version, "additionalPrinterColumns");
    struct arena *a = &c->arena;
    struct column *out = arena_calloc(a, json_len(list) + 2, sizeof(*out));
    size_t n = 0;
    const struct field *f = type_field(type_find("meta/v1/ObjectMeta"), "name");
    out[n++] = (struct column){"Name", "string", "name", f && f->description ? f->description : "", 0, NULL};
    JSON_EACH(k, list) {
        out[n++] = (struct column){arena_strdup(a, json_str_or(k, "name", "")), arena_strdup(a, json_str_or(k, "type", "")), arena_strdup(a, json_str_or(k, "format", "")),
                                   column_text(a, k), (int)json_int(k, "priority", 0), arena_strdup(a, json_str_or(k, "jsonPath", ""))};
    }
    if (n == 1) out[n++] = (struct column){"Age", "date", "", "", 0, ".metadata.creationTimestamp"};
    c->resource.columns = out;
    c->resource.column_count = n;
}

static void selectable(struct crd *c, const struct json *version) {
    const struct json *list = json_member(version, "selectableFields");
    const char **out = arena_calloc(&c->arena, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(f, list) out[n++] = path_of(&c->arena, json_str_or(f, "jsonPath", "."));
    c->resource.selectable_fields = out;
}

static void deprecation(struct crd *c, const struct json *spec, const struct json *version) {
    if (!json_bool(version, "deprecated", false)) return;
    const char *given = json_str(version, "deprecationWarning"), *group = c->resource.group;
    if (given) {
        c->warning = arena_strdup(&c->arena, given);
        return;
    }
    c->warning = arena_printf(&c->arena, "%s/%s %s is deprecated", group, c->resource.version, c->resource.kind);
    JSON_EACH(v, json_member(spec, "versions")) {
        if (json_bool(v, "deprecated", false) || !json_bool(v, "served", false)) continue;
        c->warning = arena_printf(&c->arena, "%s; use %s/%s %s", c->warning, group, json_str_or(v, "name", ""), c->resource.kind);
        return;
    }
}

static struct crd *compile(const struct json *definition, const struct json *version) {
    struct arena first = {0};
    struct crd *c = ARENA_NEW(&first, struct crd);
    c->arena = first;
    struct arena *a = &c->arena;
    const struct json *spec = json_copy(a, json_member(definition, "spec")), *n = json_member(spec, "names");
    version = json_copy(a, version);
    c->schema = json_get(version, "schema.openAPIV3Schema");
    c->preserve = json_bool(spec, "preserveUnknownFields", false);
    c->storage = json_bool(version, "storage", false);
    const char *kind = json_str_or(n, "kind", "");
    c->resource = (struct resource){
        .group = json_str_or(spec, "group", ""), .version = json_str_or(version, "name", ""), .kind = kind,
        .list_kind = json_str_or(n, "listKind", arena_printf(a, "%sList", kind)), .plural = json_str_or(n, "plural", ""), .singular = json_str_or(n, "singular", ""),
        .short_names = names(a, json_member(n, "shortNames")), .categories = names(a, json_member(n, "categories")),
        .namespaced = json_str_is(spec, "scope", "Namespaced"),
        .verbs = VERB_GET | VERB_LIST | VERB_WATCH | VERB_CREATE | VERB_UPDATE | VERB_PATCH | VERB_DELETE | VERB_DELETE_COLLECTION, .crd = c};
    struct resource *r = &c->resource;
    r->table = arena_printf(a, "%s/%s", r->group, r->plural);
    r->storage_group = r->group, r->storage_version = r->version, r->storage_version_hash = "";
    r->type = crd_type(a, c->schema, true);
    r->openapi = c->preserve ? NULL : c->schema;
    subresources(c, version);
    columns(c, version);
    selectable(c, version);
    deprecation(c, spec, version);
    return c;
}

/* ---- the index ---- */

static bool established(const struct json *d) {
    JSON_EACH(k, json_get(d, "status.conditions")) {
        if (json_str_is(k, "type", "Established")) return json_str_is(k, "status", "True");
    }
    return false;
}

static bool index_definition(struct doc *d, void *arg) {
    struct crds *c = arg;
    char key[600];
    if (!established(d->root)) return true;
    JSON_EACH(v, json_get(d->root, "spec.versions")) {
        if (!json_bool(v, "served", false)) continue;
        snprintf(key, sizeof(key), "%s@%llu/%s", doc_name(d), (unsigned long long)d->revision, json_str_or(v, "name", ""));
        struct crd *crd = map_get(&c->versions, key);
        if (crd == NULL) {
            crd = compile(d->root, v);
            crd->next = c->all;
            c->all = crd;
            map_set(&c->versions, key, crd);
        }
        snprintf(key, sizeof(key), "%s/%s/%s", crd->resource.group, crd->resource.version, crd->resource.plural);
        map_set(&c->served, key, crd);
    }
    return true;
}

/* Under the lock. */
static void refresh(struct apiserver *s) {
    struct crds *c = s->crds;
    if (!tracker_changed(c->tracker)) return;
    map_free(&c->served, NULL);
    c->served = (struct map){0};
    registry_each(s, &resource_apiextensions_customresourcedefinitions, NULL, index_definition, c);
}

const struct resource *registry_resource(struct apiserver *s, const char *group, const char *version, const char *plural) {
    const struct resource *r = resource_find(group, version, plural);
    char key[600];
    if (r || strchr(group, '.') == NULL) return r;
    snprintf(key, sizeof(key), "%s/%s/%s", group, version, plural);
    pthread_mutex_lock(&s->crds->lock);
    refresh(s);
    const struct crd *c = map_get(&s->crds->served, key);
    pthread_mutex_unlock(&s->crds->lock);
    return c ? &c->resource : NULL;
}

/* Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name. */
static int version_rank(const char *v, long *major, long *minor) {
    char *end;
    *major = *minor = 0;
    if (*v != 'v') return 0;
    *major = strtol(v + 1, &end, 10);
    if (end == v + 1) return 0;
    if (*end == '\0') return 3;
    int rank = strncmp(end, "beta", 4) == 0 ? 2 : strncmp(end, "alpha", 5) == 0 ? 1 : 0;
    if (rank) *minor = strtol(end + (rank == 2 ? 4 : 5), NULL, 10);
    return rank;
}

static int by_place(const void *x, const void *y) {
    const struct resource *a = *(const struct resource *const *)x, *b = *(const struct resource *const *)y;
    long am, an, bm, bn;
    int order = strcmp(a->group, b->group);
    if (order) return order;
    int ar = version_rank(a->version, &am, &an), br = version_rank(b->version, &bm, &bn);
    if (ar != br) return br - ar;
    if (am != bm) return am < bm ? 1 : -1;
    if (an != bn) return an < bn ? 1 : -1;
    order = strcmp(a->version, b->version);
    return order ? order : strcmp(a->plural, b->plural);
}

void custom_resources(struct apiserver *s, struct resource_list *out) {
    size_t from = out->len;
    pthread_mutex_lock(&s->crds->lock);
    refresh(s);
    for (struct map_slot *i = map_first(&s->crds->served); i; i = map_next(&s->crds->served, i)) resource_list_add(out, &((struct crd *)i->value)->resource);
    pthread_mutex_unlock(&s->crds->lock);
    if (out->len > from) qsort(out->items + from, out->len - from, sizeof(*out->items), by_place);
}

void crd_warn_deprecated(struct request *r) {
    if (r->resource->crd && r->resource->crd->warning) request_warn(r, "%s", r->resource->crd->warning);
}

void crd_scale_paths(const struct resource *r, const char **spec, const char **status, const char **selector) {
    *spec = r->crd->scale_spec;
    *status = r->crd->scale_status;
    *selector = r->crd->scale_selector;
}

static bool builtin_group(const char *group) {
    for (const struct api_group *g = builtin_groups; g->name; g++) {
        if (strcmp(g->name, group) == 0) return true;
    }
    return false;
}

struct error *unknown_resource(struct request *r) { return builtin_group(r->group) ? unknown_path() : page_not_found(r); }
