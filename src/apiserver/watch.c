/* A watch seen through selectors (apiserver.h), pulled from the store's. */
#include "apiserver/watch.h"

struct apiserver_watch {
    struct arena arena;
    struct apiserver *server;
    const struct resource *resource;
    struct filter filter;
    struct store_watch *watch;
    struct doc *doc, *previous, *scratch; /* what the last event lent out */
};

static void drop_lent(struct apiserver_watch *w) {
    doc_unref(w->doc);
    doc_unref(w->previous);
    doc_unref(w->scratch);
    w->doc = w->previous = w->scratch = NULL;
}

struct error *watch_open(struct apiserver *s, const struct resource *r, const char *ns, const char *name, const char *labels, const char *fields,
                         uint64_t from, void (*wake)(void *arg), void *arg, struct apiserver_watch **out) {
    struct apiserver_watch *w = xcalloc(1, sizeof(*w));
    w->server = s;
    w->resource = r;
    const char *copy_ns = arena_strdup(&w->arena, ns), *copy_name = name ? arena_strdup(&w->arena, name) : NULL;
    struct error *e = filter_parse(&w->arena, r, copy_ns, copy_name, labels, fields, &w->filter);
    if (e == NULL) e = store_watch_open(s->store, table_of(s, r), from, wake, arg, &w->watch);
    if (e) return apiserver_watch_close(w), e;
    *out = w;
    return NULL;
}

struct error *apiserver_watch_open(struct apiserver *s, const struct apiserver_call *c, uint64_t from, void (*wake)(void *arg), void *arg,
                                   struct apiserver_watch **out) {
    const struct request_options *o = c->options;
    return watch_open(s, c->resource, c->ns ? c->ns : "", c->name, o ? o->label_selector : NULL, o ? o->field_selector : NULL, from, wake, arg, out);
}

/* The last state that matched, at the revision at which it ceased to. */
static struct doc *left_state(struct apiserver_watch *w, struct doc *previous, uint64_t revision) {
    cleanup_arena struct arena a = {0};
    const struct json *o = with_meta(&a, previous->root, "resourceVersion", json_strf(&a, "%llu", (unsigned long long)revision));
    w->scratch = doc_new(o);
    doc_set_revision(w->scratch, revision);
    return w->scratch;
}

/* Turns a store event into one of the filtered view; false: not seen. */
static bool translate(struct apiserver_watch *w, struct store_event *ev) {
    if (ev->doc) w->doc = registry_view(w->server, w->resource, ev->doc);
    if (ev->previous) w->previous = registry_view(w->server, w->resource, ev->previous);
    bool was = w->previous && filter_matches(&w->filter, w->previous->root);
    if (ev->type == STORE_DELETED) {
        if (w->previous == NULL) was = w->doc && filter_matches(&w->filter, w->doc->root);
        ev->doc = w->doc;
        return was;
    }
    bool is = filter_matches(&w->filter, w->doc->root);
    ev->doc = w->doc;
    ev->previous = w->previous;
    if (is) return ev->type = was ? STORE_MODIFIED : STORE_ADDED, true;
    if (!was) return false;
    ev->type = STORE_DELETED;
    ev->doc = left_state(w, w->previous, ev->revision);
    return true;
}

bool apiserver_watch_next(struct apiserver_watch *w, struct store_event *ev, bool *lost) {
    *lost = false;
    for (;;) {
        drop_lent(w);
        if (!store_watch_next(w->watch, ev, lost)) return false;
        if (!str_starts(ev->key, w->filter.prefix)) continue;
        if (translate(w, ev)) return true;
    }
}

uint64_t apiserver_watch_progress(struct apiserver_watch *w) { return store_watch_progress(w->watch); }

void apiserver_watch_close(struct apiserver_watch *w) {
    if (w == NULL) return;
    if (w->watch) store_watch_close(w->watch);
    drop_lent(w);
    arena_free(&w->arena);
    free(w);
}
