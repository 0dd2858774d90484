/* A client whose server is just a store: enough of the API to test what stands on struct client. Objects are stored as
 * given, with a uid and creation time; patches are merge patches; watches end when told to. */
#pragma once
#include "client/cache_private.h"
#include "client/object.h"
#include "client/runner.h"
#include "store_fixture.h"

struct store_client {
    struct client base;
    struct store *store;
    struct clock_virtual clock;
    int creates, updates, patches, conflicts_to_make;
    char *last_patch;
    /* the one open watch */
    struct client_watcher watcher;
    struct store_watch *watch;
    pthread_mutex_t lock, pump_lock; /* the watch; who reads it: its opener or the store's thread */
};

static inline struct store_client *store_client(struct client *c) { return CONTAINER_OF(c, struct store_client, base); }
static inline struct store_table *table_of(struct client *c,
                                           const struct resource *r) { return store_table(store_client(c)->store, r->table); }

static inline struct error *sc_get(struct client *c, const struct resource *r, const char *ns, const char *name,
                                   struct doc **out) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *d = store_get(store_client(c)->store, table_of(c, r), key_join(&a, ns, name));
    bool found = d != NULL;
    if (out) *out = TAKE(d);
    return found ? NULL : error_api(404, "NotFound", "%s \"%s\" not found", r->plural, name);
}

static inline bool sc_collect(const char *key UNUSED, struct doc *d, void *arg) {
    doc_list_add(arg, d);
    return true;
}
static inline struct error *sc_list(struct client *c, const struct resource *r, const char *ns, const char *labels UNUSED,
                                    const char *fields UNUSED,
                                    struct doc_list *out, uint64_t *revision) {
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(store_client(c)->store);
    store_visit(snap, table_of(c, r), ns, NULL, sc_collect, out);
    if (revision) *revision = store_snapshot_revision(snap);
    return NULL;
}

static inline struct error *sc_write(struct client *c, const struct resource *r, const char *ns, const char *name,
                                     const struct json *o, uint64_t expect,
                                     struct doc **out) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *d = o ? doc_new(o) : NULL;
    uint64_t revision;
    TRY(store_commit_wait(store_client(c)->store, &(struct store_op){table_of(c, r), key_join(&a, ns, name), d, expect}, 1,
                          &revision));
    if (out) *out = TAKE(d);
    return NULL;
}

static inline struct error *sc_create(struct client *c, const struct resource *r, const char *ns, const char *name UNUSED,
                                      const char *sub UNUSED,
                                      const struct json *o, struct doc **out) {
    cleanup_arena struct arena a = {0};
    char uid[37], now[TIME_STRING_MAX];
    uuid_v4(uid);
    store_client(c)->creates++;
    if (!json_str(o, "metadata.uid")) o = json_with(&a, o, "metadata.uid", json_string(&a, uid));
    o = json_with(&a, o, "metadata.creationTimestamp", json_string(&a, time_format(now, clock_wall(c->clock))));
    return sc_write(c, r, ns, json_str(o, "metadata.name"), o, 0, out);
}

static inline struct error *sc_update(struct client *c, const struct resource *r, const char *ns, const char *name,
                                      const char *sub UNUSED,
                                      const struct json *o, struct doc **out) {
    store_client(c)->updates++;
    if (store_client(c)->conflicts_to_make-- > 0) return error_api(409, "Conflict", "changed meanwhile");
    return sc_write(c, r, ns, name, o, strtoull(json_str(o, "metadata.resourceVersion"), NULL, 10), out);
}

static inline struct error *sc_patch(struct client *c, const struct resource *r, const char *ns, const char *name,
                                     const char *sub UNUSED,
                                     enum patch_type type UNUSED, const struct json *patch, struct doc **out) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *old = NULL;
    store_client(c)->patches++;
    free(store_client(c)->last_patch);
    store_client(c)->last_patch = xstrdup(json_text(&a, patch));
    TRY(sc_get(c, r, ns, name, &old));
    return sc_write(c, r, ns, name, json_merge_patch(&a, old->root, patch), STORE_ANY, out);
}

static inline struct error *sc_remove(struct client *c, const struct resource *r, const char *ns, const char *name,
                                      const struct delete_options *o UNUSED) {
    return sc_write(c, r, ns, name, NULL, STORE_ANY, NULL);
}

/* ---- the watch ---- */

static inline void sc_pump(void *arg) {
    struct store_client *s = arg;
    struct store_event e;
    bool lost;
    pthread_mutex_lock(&s->pump_lock);
    while (store_watch_next(s->watch, &e, &lost)) s->watcher.event((enum watch_type)e.type, e.doc, s->watcher.arg);
    pthread_mutex_unlock(&s->pump_lock);
}
static inline struct error *sc_watch(struct client *c, const struct resource *r, const char *ns UNUSED,
                                     const char *fields UNUSED, uint64_t from,
                                     const struct client_watcher *watcher, struct client_watch **out) {
    struct store_client *s = store_client(c);
    pthread_mutex_lock(&s->lock);
    s->watcher = *watcher;
    struct error *e = store_watch_open(s->store, table_of(c, r), from, sc_pump, s, &s->watch);
    if (!e) sc_pump(s);
    *out = (struct client_watch *)(void *)s;
    pthread_mutex_unlock(&s->lock);
    return e;
}
static inline void sc_watch_close(struct client_watch *w) {
    struct store_client *s = (struct store_client *)(void *)w;
    pthread_mutex_lock(&s->lock);
    store_watch_close(TAKE(s->watch));
    pthread_mutex_unlock(&s->lock);
}
/* Ends the open watch as a server would. */
static inline void sc_end_watch(struct store_client *s, const struct error *e) {
    while (true) {
        pthread_mutex_lock(&s->lock);
        bool open = s->watch != NULL;
        if (open) s->watcher.closed(e, s->watcher.arg);
        pthread_mutex_unlock(&s->lock);
        if (open) return;
        usleep(1000);
    }
}

static inline int setup_client(void **state, bool real_clock) {
    static const struct client_ops ops = {sc_get, sc_list, sc_create, sc_update, sc_patch, sc_remove, sc_watch, sc_watch_close,
                                          NULL, NULL};
    struct store_client *s = *state = xcalloc(1, sizeof(*s));
    clock_virtual_init(&s->clock, SECONDS(1767225600)); /* 2026-01-01T00:00:00Z */
    s->base = (struct client){&ops, real_clock ? &clock_real : &s->clock.base};
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->pump_lock, NULL);
    assert_no_error(store_open(&(struct store_config){.backend = "memory", .clock = s->base.clock, .synchronous = !real_clock},
                               &s->store));
    return 0;
}
static inline int setup_simulated(void **state) { return setup_client(state, false); }
static inline int setup_real(void **state) { return setup_client(state, true); }
static inline int teardown_client(void **state) {
    struct store_client *s = *state;
    store_close(s->store);
    free(s->last_patch);
    free(s);
    return 0;
}

/* A pod of a node with an owner; both may be NULL. */
static inline struct doc *add_pod(struct store_client *s, const char *name, const char *owner_uid, const char *node) {
    cleanup_arena struct arena a = {0};
    const struct json *owner = owner_uid ? json_make(&a,
            "[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web','uid':%s,'controller':%b}]", owner_uid, true) : NULL;
    struct doc *d = NULL;
    assert_no_error(client_create(&s->base, &resource_pods, "ns",
                                  json_make(&a,
                                          "{'apiVersion':'v1','kind':'Pod','metadata':{'name':%s,'namespace':'ns','labels':{'app':'web'},'ownerReferences':%v},"
                                                "'spec':{'nodeName':%s}}", name, owner, node), &d));
    return d;
}

static inline char *names(struct doc_list *l) {
    struct buf b = {0};
    buf_adds(&b, "");
    for (size_t i = 0; i < l->len; i++) buf_printf(&b, "%s%s", i ? " " : "", doc_name(l->items[i]));
    doc_list_free(l);
    *l = (struct doc_list){0};
    return buf_take(&b);
}
