#include "controllers/every_resource.h"
#include "base/str.h"
#include <pthread.h>

struct watched {
    const struct resource *resource; /* NULL: no longer served */
    const char *table;               /* own copy */
    struct cache_subscription *subscription;
    bool seen;
};
struct every_resource {
    struct runner *runner;
    cache_event_fn *fn;
    pthread_mutex_t lock;
    struct watched *all;
    size_t len;
};

struct every_resource *every_resource_new(struct runner *r, cache_event_fn *fn) {
    struct every_resource *e = xcalloc(1, sizeof(*e));
    e->runner = r;
    e->fn = fn;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

static bool wanted(const struct resource *r) {
    unsigned needed = VERB_LIST | VERB_WATCH | VERB_DELETE;
    return (r->verbs & needed) == needed && r->table && !r->secondary && !str_eq(r->kind, "Event");
}

static struct watched *find_table(struct every_resource *e, const char *table) {
    for (size_t i = 0; i < e->len; i++) {
        if (str_eq(e->all[i].table, table)) return &e->all[i];
    }
    return NULL;
}

/* The first version that is served stands for the kind. */
static void note(const struct resource *r, void *arg) {
    struct every_resource *e = arg;
    if (!wanted(r)) return;
    struct watched *w = find_table(e, r->table);
    if (!w) {
        e->all = xrealloc(e->all, (e->len + 1) * sizeof(*e->all));
        w = &e->all[e->len++];
        *w = (struct watched){.table = xstrdup(r->table)};
    }
    if (w->seen) return;
    if (w->resource != r) {
        resource_release(w->resource);
        w->resource = resource_hold(r);
    }
    w->seen = true;
}

/* Subscriptions begin and end without the lock, which their callbacks take. */
void every_resource_sync(struct every_resource *e) {
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->len; i++) e->all[i].seen = false;
    client_each_resource(e->runner->client, note, e);
    size_t len = e->len;
    pthread_mutex_unlock(&e->lock);
    for (size_t i = 0; i < len; i++) {
        pthread_mutex_lock(&e->lock);
        struct watched *w = &e->all[i];
        struct cache_subscription *end = w->seen ? NULL : TAKE(w->subscription);
        const struct resource *begin = w->seen && !w->subscription ? w->resource : NULL;
        const struct resource *gone = w->seen ? NULL : TAKE(w->resource);
        pthread_mutex_unlock(&e->lock);
        if (end) cache_unsubscribe(end);
        resource_release(gone);
        if (begin) e->all[i].subscription = cache_subscribe(e->runner->cache, begin, e->fn, e->runner);
    }
}

void every_resource_unsubscribe(struct every_resource *e) {
    for (size_t i = 0; i < e->len; i++) {
        if (e->all[i].subscription) cache_unsubscribe(TAKE(e->all[i].subscription));
    }
}

void every_resource_free(struct every_resource *e) {
    for (size_t i = 0; i < e->len; i++) {
        resource_release(e->all[i].resource);
        free((void *)(uintptr_t)e->all[i].table);
    }
    pthread_mutex_destroy(&e->lock);
    free(e->all);
    free(e);
}

const struct resource *every_resource_find(struct every_resource *e, const char *group, const char *kind) {
    const struct resource *found = NULL;
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->len && !found; i++) {
        const struct resource *r = e->all[i].resource;
        if (r && str_eq(r->kind, kind) && str_eq(r->group, group)) found = resource_hold(r);
    }
    pthread_mutex_unlock(&e->lock);
    return found;
}

const struct resource *every_resource_at(struct every_resource *e, size_t number) {
    pthread_mutex_lock(&e->lock);
    const struct resource *r = number < e->len ? resource_hold(e->all[number].resource) : NULL;
    pthread_mutex_unlock(&e->lock);
    return r;
}

int every_resource_number(struct every_resource *e, const struct resource *r) {
    pthread_mutex_lock(&e->lock);
    const struct watched *w = find_table(e, r->table);
    int number = w ? (int)(w - e->all) : -1;
    pthread_mutex_unlock(&e->lock);
    return number;
}
