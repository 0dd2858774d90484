/* A watch seen through selectors (apiserver.h), pulled from the store's. */
#include "apiserver/watch.h"
#include "apiserver/watch_feed.h"

struct apiserver_watch {
    struct arena arena;
    const struct resource *resource;
    struct filter filter;
    struct feed *feed;
    struct doc *scratch; /* what the last event lent out */
};

struct error *watch_open(struct apiserver *s, const struct resource *r, const char *ns, const char *name, const char *labels, const char *fields,
                         uint64_t from, void (*wake)(void *arg), void *arg, struct apiserver_watch **out) {
    struct apiserver_watch *w = xcalloc(1, sizeof(*w));
    w->resource = resource_hold(r);
    crd_ready(r);
    const char *copy_ns = arena_strdup(&w->arena, ns), *copy_name = name ? arena_strdup(&w->arena, name) : NULL;
    struct error *e = filter_parse(&w->arena, r, copy_ns, copy_name, labels, fields, &w->filter);
    bool selects = w->filter.labels || w->filter.fields;
    if (e == NULL) e = feed_open(s, r, w->filter.prefix, selects, from, wake, arg, &w->feed);
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
    bool was = ev->previous && filter_matches(&w->filter, ev->previous->root);
    if (ev->type == STORE_DELETED) return ev->previous ? was : ev->doc && filter_matches(&w->filter, ev->doc->root);
    bool is = filter_matches(&w->filter, ev->doc->root);
    if (is) return ev->type = was ? STORE_MODIFIED : STORE_ADDED, true;
    if (!was) return false;
    ev->type = STORE_DELETED;
    ev->doc = left_state(w, ev->previous, ev->revision);
    return true;
}

bool apiserver_watch_next(struct apiserver_watch *w, struct store_event *ev, bool *lost) {
    for (;;) {
        doc_unref(TAKE(w->scratch));
        if (!feed_next(w->feed, ev, lost)) return false;
        if (translate(w, ev)) return true;
    }
}

bool watch_view(struct apiserver_watch *w, struct watch_view *out) {
    *out = (struct watch_view){.resource = w->resource, .prefix = w->filter.prefix};
    return w->filter.empty && w->filter.name == NULL && feed_position(w->feed, &out->position);
}

bool watch_skip(struct apiserver_watch *w, uint64_t position) {
    doc_unref(TAKE(w->scratch));
    return feed_skip(w->feed, position);
}

const struct error *apiserver_watch_failure(const struct apiserver_watch *w) { return feed_failure(w->feed); }
uint64_t apiserver_watch_progress(struct apiserver_watch *w) { return feed_progress(w->feed); }

void apiserver_watch_close(struct apiserver_watch *w) {
    if (w == NULL) return;
    feed_close(w->feed);
    doc_unref(w->scratch);
    resource_release(w->resource);
    arena_free(&w->arena);
    free(w);
}
