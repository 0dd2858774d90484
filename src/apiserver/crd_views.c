/* Stored custom objects as a version shows them. What a webhook made of one is kept for a while, so that the watches of a version
 * ask once between them, and lists ask about what is new (upstream has its watch cache per version for that). */
#include "apiserver/crd.h"

#define SLOTS 1024

/* Stored document and view, at the place that the stored one's address gives; a newcomer takes the place. */
struct crd_views {
    pthread_mutex_t lock; /* all below */
    struct { struct doc *stored, *view; } slots[SLOTS];
};

void crd_views_free(struct crd_views *v) {
    if (v == NULL) return;
    for (size_t i = 0; i < SLOTS; i++) {
        doc_unref(v->slots[i].stored);
        doc_unref(v->slots[i].view);
    }
    pthread_mutex_destroy(&v->lock);
    free(v);
}

static struct crd_views *views_of(const struct crd *crd) {
    struct crd *c = (struct crd *)(uintptr_t)crd;
    pthread_mutex_lock(&c->definition->lock);
    if (c->views == NULL) {
        c->views = xcalloc(1, sizeof(*c->views));
        pthread_mutex_init(&c->views->lock, NULL);
    }
    pthread_mutex_unlock(&c->definition->lock);
    return c->views;
}

static size_t slot_of(const struct doc *d) { return hash_bytes((const void *)&d, sizeof(d)) % SLOTS; }

/* New reference or NULL. */
static struct doc *recall(struct crd_views *v, const struct doc *stored) {
    size_t i = slot_of(stored);
    pthread_mutex_lock(&v->lock);
    struct doc *view = v->slots[i].stored == stored ? doc_ref(v->slots[i].view) : NULL;
    pthread_mutex_unlock(&v->lock);
    return view;
}

static void remember(struct crd_views *v, struct doc *stored, struct doc *view) {
    size_t i = slot_of(stored);
    pthread_mutex_lock(&v->lock);
    struct doc *old_stored = v->slots[i].stored, *old_view = v->slots[i].view;
    v->slots[i].stored = doc_ref(stored);
    v->slots[i].view = doc_ref(view);
    pthread_mutex_unlock(&v->lock);
    doc_unref(old_stored);
    doc_unref(old_view);
}

/* ---- making ---- */

/* As upstream's storage codec decodes: pruned and defaulted by the schema of the version that it was stored in. */
static const struct json *read_stored(struct arena *a, const struct crd *to, const struct json *o) {
    const struct crd *from = definition_version(to->definition, json_str_or(o, "apiVersion", ""));
    if (from == NULL || from->schema == NULL || from->preserve) return o;
    return crd_default(a, from->schema, crd_prune(a, from, o));
}

/* A converted object into the form of its new schema. */
static struct doc *view_of(struct arena *a, const struct crd *to, struct doc *stored, const struct json *o) {
    if (!json_str_is(stored->root, "apiVersion", json_str_or(o, "apiVersion", ""))) o = crd_prune(a, to, o);
    if (o == stored->root) return doc_ref(stored);
    struct doc *view = doc_new(o);
    doc_set_revision(view, stored->revision);
    return view;
}

static bool is_of(const struct crd *to, const struct doc *d) {
    const char *version = json_str_or(d->root, "apiVersion", ""), *slash = strchr(version, '/');
    return slash && strcmp(slash + 1, to->resource.version) == 0;
}

/* Whether the webhook would be asked about it. */
static bool foreign(const struct crd *to, const struct doc *d) { return to->definition->webhook && !is_of(to, d); }

static struct error *make_views(const struct crd *to, struct doc *const *in, size_t n, struct doc **out) {
    cleanup_arena struct arena a = {0};
    const struct json **objects = arena_calloc(&a, n + 1, sizeof(*objects));
    for (size_t i = 0; i < n; i++) objects[i] = read_stored(&a, to, in[i]->root);
    struct error *e = crd_convert(&a, to, objects, n);
    if (e) return e;
    for (size_t i = 0; i < n; i++) {
        out[i] = view_of(&a, to, in[i], objects[i]);
        if (foreign(to, in[i])) remember(views_of(to), in[i], out[i]);
    }
    return NULL;
}

static void drop(struct doc **docs, size_t n) {
    for (size_t i = 0; i < n; i++) doc_unref(TAKE(docs[i]));
}

struct error *crd_view(const struct crd *to, struct doc *const *in, size_t n, struct doc **out) {
    cleanup_arena struct arena a = {0};
    struct doc **left = arena_calloc(&a, n + 1, sizeof(*left)), **made = arena_calloc(&a, n + 1, sizeof(*made));
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = foreign(to, in[i]) ? recall(views_of(to), in[i]) : NULL;
        if (out[i] == NULL) left[count++] = in[i];
    }
    struct error *e = make_views(to, left, count, made);
    if (e) return drop(out, n), e;
    for (size_t i = 0, at = 0; i < n; i++) {
        if (out[i] == NULL) out[i] = made[at++];
    }
    return NULL;
}

bool crd_view_known(const struct crd *to, struct doc *const *in, size_t n, struct doc **out) {
    for (size_t i = 0; i < n; i++) {
        struct doc *view = NULL;
        cleanup_error struct error *e = NULL;
        if (foreign(to, in[i])) view = recall(views_of(to), in[i]);
        else e = crd_view(to, &in[i], 1, &view);
        if (view == NULL) return drop(out, i), false;
        out[i] = view;
    }
    return true;
}

struct error *crd_stored(struct arena *a, const struct crd *from, const struct json *o, const struct json **out) {
    const struct crd *to = from->definition->storage;
    *out = o;
    if (from == to) return NULL;
    struct error *e = crd_convert(a, to, out, 1);
    if (e) return e;
    *out = crd_prune(a, to, *out);
    return NULL;
}
