/* The definitions that are served now, looked up by group, version and plural. An index of references: what a definition was
 * before it changed goes with the last request or watch that uses it. */
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/paths.h"

struct crds {
    pthread_mutex_t lock;     /* everything */
    struct tracker *tracker;
    struct map served;        /* "group/version/plural" -> struct crd */
    struct map definitions;   /* name -> struct definition */
};

struct crds *crds_new(struct apiserver *s) {
    struct crds *c = xcalloc(1, sizeof(*c));
    struct store_table *tables[] = {table_of(s, &resource_apiextensions_customresourcedefinitions)};
    pthread_mutex_init(&c->lock, NULL);
    c->tracker = tracker_new(s->store, tables, 1);
    return c;
}

static void release(void *definition) { resource_release(&((struct definition *)definition)->storage->resource); }

void crds_free(struct crds *c) {
    if (c == NULL) return;
    tracker_free(c->tracker);
    map_free(&c->served, NULL);
    map_free(&c->definitions, release);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- the index ---- */

static bool established(const struct json *d) {
    JSON_EACH(k, json_get(d, "status.conditions")) {
        if (json_str_is(k, "type", "Established")) return json_str_is(k, "status", "True");
    }
    return false;
}

struct refresh {
    struct apiserver *server;
    struct map before; /* definitions as they were; what is still so moves to the new index */
};

/* What only the status has changed of is the same, and stays while it is in use. */
static struct definition *definition_of(struct refresh *f, struct doc *doc) {
    struct definition *had = map_get(&f->before, doc_name(doc));
    bool same = had && str_eq(doc_uid(had->doc), doc_uid(doc)) &&
                json_int(had->doc->root, "metadata.generation", 0) == json_int(doc->root, "metadata.generation", 0);
    if (!same || (had->doc != doc && atomic_load(&had->owner.refs) == 1)) return definition_new(f->server, doc);
    return map_remove(&f->before, doc_name(doc));
}

static bool index_definition(struct doc *doc, void *arg) {
    struct refresh *f = arg;
    struct crds *c = f->server->crds;
    char key[600];
    if (!established(doc->root)) return true;
    struct definition *d = definition_of(f, doc);
    map_set(&c->definitions, doc_name(doc), d);
    for (size_t i = 0; i < d->len; i++) {
        const struct resource *r = &d->versions[i].resource;
        snprintf(key, sizeof(key), "%s/%s/%s", r->group, r->version, r->plural);
        if (d->versions[i].served) map_set(&c->served, key, &d->versions[i]);
    }
    return true;
}

/* Under the lock. */
static void refresh(struct apiserver *s) {
    struct crds *c = s->crds;
    if (!tracker_changed(c->tracker)) return;
    struct refresh f = {s, c->definitions};
    map_free(&c->served, NULL);
    c->served = c->definitions = (struct map){0};
    registry_each(s, &resource_apiextensions_customresourcedefinitions, NULL, index_definition, &f);
    map_free(&f.before, release);
}

const struct resource *custom_resource(struct apiserver *s, const char *group, const char *version, const char *plural) {
    char key[600];
    if (strchr(group, '.') == NULL) return NULL;
    snprintf(key, sizeof(key), "%s/%s/%s", group, version, plural);
    pthread_mutex_lock(&s->crds->lock);
    refresh(s);
    const struct crd *c = map_get(&s->crds->served, key);
    const struct resource *r = c ? resource_hold(&c->resource) : NULL;
    pthread_mutex_unlock(&s->crds->lock);
    return r;
}

const struct resource *stored_resource(struct apiserver *s, const char *definition) {
    pthread_mutex_lock(&s->crds->lock);
    refresh(s);
    const struct definition *d = map_get(&s->crds->definitions, definition);
    const struct resource *r = d ? resource_hold(&d->storage->resource) : NULL;
    pthread_mutex_unlock(&s->crds->lock);
    return r;
}

const struct resource *registry_resource(struct apiserver *s, const char *group, const char *version, const char *plural) {
    const struct resource *r = resource_find(group, version, plural);
    return r ? r : custom_resource(s, group, version, plural);
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

static bool builtin_group(const char *group) {
    for (const struct api_group *g = builtin_groups; g->name; g++) {
        if (strcmp(g->name, group) == 0) return true;
    }
    return false;
}

struct error *unknown_resource(struct request *r) { return builtin_group(r->group) ? unknown_path() : page_not_found(r); }
