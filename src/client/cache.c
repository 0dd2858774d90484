/* Caches. Per resource there are two things, made when first needed:
 *
 * - the view, what reads see. In the server's process objects come straight from the store's published state; only the
 *   indexes are kept here, brought up to date by whoever reads them, so that a read always sees what was written before
 *   it. Elsewhere the view holds the objects too, and the feed keeps it current.
 * - the feed, what subscribers hear: changes in order, on the cache's thread (elsewhere: on the resource's own thread,
 *   which lists and watches). It remembers what it told, so that after a gap it tells exactly the difference.
 *
 * All are trees (store/tree.h): objects by key, indexes by "uid\x01key" and "node\x01key".
 *
 * Lock order: dispatch_lock of a feed (held while subscribers are called), lock of the cache, lock of a view. */
#include "client/cache_private.h"
#include "client/local.h"
#include "client/object.h"
#include <stdio.h>

/* ---- views ---- */

static void index_key(char out[INDEX_KEY_MAX], const char *value, const char *key) { snprintf(out, INDEX_KEY_MAX, "%s\x01%s",
        value, key); }

static struct tree_node *tree_change(struct tree_node *root, const char *key, struct doc *d) {
    if (!d) return tree_remove(root, key);
    struct tree_key *k = tree_key_new(key);
    root = tree_put(root, k, d);
    tree_key_unref(k);
    return root;
}

static const char *owner_uid(const struct doc *d) { return d ? json_str_or(controller_of(d->root), "uid", "") : NULL; }
static const char *node_name(const struct doc *d) { return d ? json_str(d->root, "spec.nodeName") : NULL; }

static void index_change(struct tree_node **root, const char *(*value)(const struct doc *), const char *key, struct doc *before,
                         struct doc *after) {
    char full[INDEX_KEY_MAX];
    const char *old = value(before), *new = value(after);
    if (old && (!new || strcmp(old, new) != 0)) {
        index_key(full, old, key);
        *root = tree_change(*root, full, NULL);
    }
    if (!new) return;
    index_key(full, new, key);
    *root = tree_change(*root, full, after);
}

/* With the view's lock held. */
void view_change(struct entry *e, const char *key, struct doc *before, struct doc *after) {
    index_change(&e->owned, owner_uid, key, before, after);
    if (strcmp(e->resource->plural, "pods") == 0) index_change(&e->on_node, node_name, key, before, after);
    if (!e->cache->store) e->objects = tree_change(e->objects, key, after);
}

static void view_drop(struct entry *e) {
    tree_unref(TAKE(e->owned));
    tree_unref(TAKE(e->on_node));
    if (e->view_watch) store_watch_close(TAKE(e->view_watch));
}

static bool view_add(const char *key, struct doc *d, void *arg) {
    view_change(arg, key, NULL, d);
    return true;
}

static void no_wake(void *arg UNUSED) {}

static void view_build(struct entry *e) {
    view_drop(e);
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(e->cache->store);
    cleanup_error struct error *expired =
        store_watch_open(e->cache->store, e->table, store_snapshot_revision(snap), no_wake, NULL, &e->view_watch);
    if (!expired) store_visit(snap, e->table, NULL, NULL, view_add, e);
}

/* Brings the indexes up to the published state; returns with the lock held. */
static void view_lock(struct entry *e) {
    pthread_mutex_lock(&e->lock);
    if (!e->cache->store) return;
    bool lost = false;
    struct store_event event;
    while (e->view_watch && store_watch_next(e->view_watch, &event, &lost))
        view_change(e, event.key, event.previous, event.type == STORE_DELETED ? NULL : event.doc);
    while (!e->view_watch || lost) {
        view_build(e);
        lost = false;
    }
}

/* ---- reading ---- */

struct collect {
    const char *prefix;
    size_t prefix_len;
    struct doc_list *out;
};

static bool collect(const char *key, struct doc *d, void *arg) {
    const struct collect *c = arg;
    if (strncmp(key, c->prefix, c->prefix_len) != 0) return false;
    doc_list_add(c->out, d);
    return true;
}

static void collect_tree(const struct tree_node *root, const char *prefix, struct doc_list *out) {
    tree_walk(root, prefix, collect, &(struct collect){prefix, strlen(prefix), out});
}

struct doc *cache_get(struct cache *c, const struct resource *r, const char *ns, const char *name) {
    struct entry *e = entry_get(c, r);
    cleanup_free char *key = ns && *ns ? xprintf("%s/%s", ns, name) : xstrdup(name);
    if (c->store) return store_get(c->store, e->table, key);
    pthread_mutex_lock(&e->lock);
    struct doc *d = tree_get(e->objects, key, NULL);
    if (d) doc_ref(d);
    pthread_mutex_unlock(&e->lock);
    return d;
}

void cache_list(struct cache *c, const struct resource *r, const char *ns, struct doc_list *out) {
    struct entry *e = entry_get(c, r);
    cleanup_free char *prefix = ns && *ns ? xprintf("%s/", ns) : xstrdup("");
    if (c->store) {
        cleanup_snapshot struct store_snapshot *snap = store_snapshot(c->store);
        store_visit(snap, e->table, prefix, NULL, collect, &(struct collect){"", 0, out});
        return;
    }
    pthread_mutex_lock(&e->lock);
    collect_tree(e->objects, prefix, out);
    pthread_mutex_unlock(&e->lock);
}

void cache_list_owned(struct cache *c, const struct resource *r, const char *ns, const char *uid, struct doc_list *out) {
    struct entry *e = entry_get(c, r);
    cleanup_free char *prefix = xprintf("%s\x01%s%s", uid, ns ? ns : "", ns && *ns ? "/" : "");
    view_lock(e);
    collect_tree(e->owned, prefix, out);
    pthread_mutex_unlock(&e->lock);
}

void cache_list_on_node(struct cache *c, const char *node, struct doc_list *out) {
    struct entry *e = entry_get(c, &resource_pods);
    cleanup_free char *prefix = xprintf("%s\x01", node);
    view_lock(e);
    collect_tree(e->on_node, prefix, out);
    pthread_mutex_unlock(&e->lock);
}

/* ---- feeds ---- */

void feed_wake(void *arg) {
    struct entry *e = arg;
    struct cache *c = e->cache;
    pthread_mutex_lock(&c->wake_lock);
    e->woken = c->woken = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->wake_lock);
}

/* The calls below are made with the dispatch lock held. */
void feed_tell(struct entry *e, const char *key, struct doc *after) {
    struct doc *before = tree_get(e->told, key, NULL);
    if (before) doc_ref(before);
    e->told = tree_change(e->told, key, after);
    for (struct cache_subscription *s = e->subscriptions; s && (before || after); s = s->next) {
        if (!s->fresh) s->fn(e->resource, before, after, s->arg);
    }
    doc_unref(before);
}

struct difference {
    struct entry *entry;
    const struct tree_node *now;
    struct doc_list changed;
    struct tree_key **keys;
    size_t len;
};

static bool find_gone(const char *key, struct doc *d UNUSED, void *arg) {
    struct difference *diff = arg;
    struct tree_key *own;
    if (tree_get(diff->now, key, NULL)) return true;
    tree_get(diff->entry->told, key, &own);
    diff->keys = xrealloc(diff->keys, (diff->len + 1) * sizeof(*diff->keys));
    diff->keys[diff->len++] = tree_key_ref(own);
    return true;
}

static bool tell_changed(const char *key, struct doc *d, void *arg) {
    struct entry *e = arg;
    const struct doc *old = tree_get(e->told, key, NULL);
    if (!old || old->revision != d->revision) feed_tell(e, key, d);
    return true;
}

/* Tells what is different between what was told and `now`. */
void feed_replace(struct entry *e, const struct tree_node *now) {
    struct difference diff = {.entry = e, .now = now};
    tree_walk(e->told, "", find_gone, &diff);
    for (size_t i = 0; i < diff.len; tree_key_unref(diff.keys[i++])) feed_tell(e, diff.keys[i]->s, NULL);
    free(diff.keys);
    tree_walk(now, "", tell_changed, e);
}

static bool add_to_tree(const char *key, struct doc *d, void *arg) {
    struct tree_node **root = arg;
    *root = tree_change(*root, key, d);
    return true;
}

static void feed_restart(struct entry *e) {
    if (e->feed_watch) store_watch_close(TAKE(e->feed_watch));
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(e->cache->store);
    struct tree_node *now = NULL;
    store_visit(snap, e->table, NULL, NULL, add_to_tree, &now);
    cleanup_error struct error *expired =
        store_watch_open(e->cache->store, e->table, store_snapshot_revision(snap), feed_wake, e, &e->feed_watch);
    if (!expired) feed_replace(e, now);
    else feed_wake(e); /* the window went by meanwhile: again */
    tree_unref(now);
}

static bool tell_fresh(const char *key UNUSED, struct doc *d, void *arg) {
    struct cache_subscription *s = arg;
    s->fn(s->entry->resource, NULL, d, s->arg);
    return true;
}

/* New subscribers hear what the others were told already, then everybody hears the same. */
void feed_welcome(struct entry *e) {
    for (struct cache_subscription *s = e->subscriptions; s; s = s->next) {
        if (s->fresh) tree_walk(e->told, "", tell_fresh, s);
        s->fresh = false;
    }
}

void feed_told(struct entry *e) {
    for (struct cache_subscription *s = e->subscriptions; s; s = s->next) atomic_store(&s->told, true);
}

static void feed_pump(struct entry *e) {
    pthread_mutex_lock(&e->dispatch_lock);
    feed_welcome(e);
    struct store_event event;
    bool lost = false;
    while (e->feed_watch && store_watch_next(e->feed_watch, &event, &lost))
        feed_tell(e, event.key, event.type == STORE_DELETED ? NULL : event.doc);
    if (e->subscriptions && (lost || !e->feed_watch)) {
        feed_restart(e);
        while (e->feed_watch && store_watch_next(e->feed_watch, &event, &lost)) feed_tell(e, event.key,
                event.type == STORE_DELETED ? NULL : event.doc);
        if (lost) feed_wake(e);
    }
    if (e->feed_watch && !lost) feed_told(e);
    pthread_mutex_unlock(&e->dispatch_lock);
}

static bool take_woken(struct entry *e) {
    pthread_mutex_lock(&e->cache->wake_lock);
    bool woken = e->woken;
    e->woken = false;
    pthread_mutex_unlock(&e->cache->wake_lock);
    return woken;
}

bool cache_pump(struct cache *c) {
    bool any = false;
    pthread_mutex_lock(&c->lock);
    struct entry *first = c->entries; /* the list only grows, at its head */
    pthread_mutex_unlock(&c->lock);
    for (struct entry *e = first; e; e = e->next) {
        if (!c->store || !take_woken(e)) continue;
        feed_pump(e);
        any = true;
    }
    return any;
}

static void *cache_thread(void *arg) {
    struct cache *c = arg;
    bool closing = false;
    while (!closing) {
        cache_pump(c);
        pthread_mutex_lock(&c->wake_lock);
        while (!c->woken && !c->closing) pthread_cond_wait(&c->wake, &c->wake_lock);
        c->woken = false;
        closing = c->closing;
        pthread_mutex_unlock(&c->wake_lock);
    }
    return NULL;
}

/* ---- subscriptions ---- */

struct cache_subscription *cache_subscribe(struct cache *c, const struct resource *r, cache_event_fn *fn, void *arg) {
    struct entry *e = entry_get(c, r);
    struct cache_subscription *s = xcalloc(1, sizeof(*s));
    *s = (struct cache_subscription){.entry = e, .fn = fn, .arg = arg, .fresh = true};
    pthread_mutex_lock(&e->dispatch_lock);
    s->next = e->subscriptions;
    e->subscriptions = s;
    pthread_mutex_unlock(&e->dispatch_lock);
    if (c->store) feed_wake(e);
    else remote_feed_wake(e);
    return s;
}

bool cache_subscription_told(const struct cache_subscription *s) { return atomic_load(&s->told); }

void cache_unsubscribe(struct cache_subscription *s) {
    struct entry *e = s->entry;
    pthread_mutex_lock(&e->dispatch_lock);
    struct cache_subscription **link = &e->subscriptions;
    while (*link != s) link = &(*link)->next;
    *link = s->next;
    pthread_mutex_unlock(&e->dispatch_lock);
    free(s);
}

/* ---- the cache ---- */

static struct entry *entry_new(struct cache *c, const struct resource *r) {
    struct entry *e = xcalloc(1, sizeof(*e));
    e->cache = c;
    e->resource = resource_hold(r);
    e->table = c->store ? store_table(c->store, r->table) : NULL;
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->dispatch_lock, NULL);
    return e;
}

static struct entry *entry_add(struct cache *c, const struct resource *r, const char *fields) {
    pthread_mutex_lock(&c->lock);
    struct entry *e = c->entries;
    while (e && strcmp(e->resource->table, r->table) != 0) e = e->next;
    if (!e) {
        e = entry_new(c, r);
        e->fields = fields ? xstrdup(fields) : NULL;
        e->next = c->entries;
        c->entries = e;
        if (!c->store) remote_feed_start(e);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

struct entry *entry_get(struct cache *c, const struct resource *r) { return entry_add(c, r, NULL); }

void cache_add(struct cache *c, const struct resource *r, const char *fields) { entry_add(c, r, fields); }

struct cache *cache_new(struct client *client) {
    struct apiserver *server = client_local_server(client);
    return cache_new_over(client, server ? apiserver_store(server) : NULL);
}

struct cache *cache_new_over(struct client *client, struct store *store) {
    struct cache *c = xcalloc(1, sizeof(*c));
    c->client = client;
    c->store = store;
    c->threaded = store && client->clock == &clock_real;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->wake_lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    if (c->threaded && pthread_create(&c->thread, NULL, cache_thread, c) != 0) abort();
    return c;
}

static void entry_free(struct entry *e) {
    if (e->cache->store) {
        if (e->feed_watch) store_watch_close(e->feed_watch);
    } else remote_feed_stop(e);
    view_drop(e);
    tree_unref(e->objects);
    tree_unref(e->told);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->dispatch_lock);
    free(e->fields);
    resource_release(e->resource);
    free(e);
}

void cache_free(struct cache *c) {
    if (!c) return;
    pthread_mutex_lock(&c->wake_lock);
    c->closing = true;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->wake_lock);
    if (c->threaded) pthread_join(c->thread, NULL);
    while (c->entries) {
        struct entry *e = c->entries;
        c->entries = e->next;
        entry_free(e);
    }
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->wake_lock);
    pthread_cond_destroy(&c->wake);
    free(c);
}

bool cache_synced(struct cache *c) {
    bool synced = true;
    pthread_mutex_lock(&c->lock);
    for (struct entry *e = c->entries; e && !c->store; e = e->next) synced = synced && atomic_load(&e->synced);
    pthread_mutex_unlock(&c->lock);
    return synced;
}

struct error *cache_wait_synced(struct cache *c, int64_t timeout) {
    struct timespec until;
    int64_t end = clock_wall(&clock_real) + timeout;
    until = (struct timespec){.tv_sec = end / NSEC_PER_SEC, .tv_nsec = (long)(end % NSEC_PER_SEC)};
    while (!cache_synced(c)) {
        pthread_mutex_lock(&c->wake_lock);
        int code = c->woken ? 0 : pthread_cond_timedwait(&c->wake, &c->wake_lock, &until);
        c->woken = false;
        pthread_mutex_unlock(&c->wake_lock);
        if (code != 0) return error_api(504, "Timeout", "timed out waiting for caches to sync");
    }
    return NULL;
}
