/* The feed of a cache on another machine: a thread per resource lists, watches from there, and starts over when the
 * watch ends (at once after an ordinary end, with growing pauses after errors). */
#include "client/cache_private.h"
#include "client/object.h"
#define LOG_COMPONENT "cache"
#include "base/log.h"
#include <stdio.h>

struct change {
    struct change *next;
    enum watch_type type;
    struct doc *doc;
};

struct remote_feed {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct change *first, **last;
    bool woken, closing, ended, expired;
    uint64_t revision;
    int64_t pause;
};

enum { PAUSE_FIRST_MS = 200, PAUSE_MAX_MS = 30000 };

static void on_event(enum watch_type type, struct doc *d, void *arg) {
    struct remote_feed *f = ((struct entry *)arg)->remote;
    struct change *c = xmalloc(sizeof(*c));
    *c = (struct change){.type = type, .doc = doc_ref(d)};
    pthread_mutex_lock(&f->lock);
    *f->last = c;
    f->last = &c->next;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static void on_closed(const struct error *e, void *arg) {
    struct remote_feed *f = ((struct entry *)arg)->remote;
    pthread_mutex_lock(&f->lock);
    f->ended = true;
    f->expired = e && e->code == 410;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static void drop_changes(struct change *c) {
    while (c) {
        struct change *next = c->next;
        doc_unref(c->doc);
        free(c);
        c = next;
    }
}

static struct change *take_changes(struct remote_feed *f) {
    struct change *all = f->first;
    f->first = NULL;
    f->last = &f->first;
    return all;
}

/* The view first, so that subscribers who look find what they are told. */
static void change(struct entry *e, const char *key, struct doc *after) {
    pthread_mutex_lock(&e->lock);
    struct doc *before = tree_get(e->objects, key, NULL);
    if (before) doc_ref(before);
    view_change(e, key, before, after);
    pthread_mutex_unlock(&e->lock);
    doc_unref(before);
    feed_tell(e, key, after);
}

static void apply_changes(struct entry *e, struct change *changes) {
    cleanup_arena struct arena a = {0};
    pthread_mutex_lock(&e->dispatch_lock);
    feed_welcome(e);
    for (struct change *c = changes; c; c = c->next) {
        change(e, key_of(&a, c->doc), c->type == WATCH_DELETED ? NULL : c->doc);
        e->remote->revision = c->doc->revision;
    }
    feed_told(e);
    pthread_mutex_unlock(&e->dispatch_lock);
    drop_changes(changes);
}

static bool same_as_before(const char *key, struct doc *before, void *arg) {
    void **args = arg;
    struct doc *now = tree_get(args[1], key, NULL);
    if (!now || now->revision != before->revision) view_change(args[0], key, before, now);
    return true;
}

static bool add_new(const char *key, struct doc *now, void *arg) {
    void **args = arg;
    if (!tree_get(args[1], key, NULL)) view_change(args[0], key, NULL, now);
    return true;
}

static void replace_all(struct entry *e, const struct doc_list *items) {
    cleanup_arena struct arena a = {0};
    struct tree_node *now = NULL;
    for (size_t i = 0; i < items->len; i++) {
        struct tree_key *k = tree_key_new(key_of(&a, items->items[i]));
        now = tree_put(now, k, items->items[i]);
        tree_key_unref(k);
    }
    pthread_mutex_lock(&e->lock);
    struct tree_node *before = tree_ref(e->objects);
    tree_walk(before, "", same_as_before, (void *[]){e, now});
    tree_walk(now, "", add_new, (void *[]){e, before});
    pthread_mutex_unlock(&e->lock);
    tree_unref(before);
    pthread_mutex_lock(&e->dispatch_lock);
    feed_welcome(e);
    feed_replace(e, now);
    feed_told(e);
    pthread_mutex_unlock(&e->dispatch_lock);
    tree_unref(now);
}

/* Sleeps until there is something to do; false when the feed is to end. */
static bool await(struct remote_feed *f, struct change **changes) {
    pthread_mutex_lock(&f->lock);
    while (!f->first && !f->ended && !f->woken && !f->closing) pthread_cond_wait(&f->cond, &f->lock);
    f->woken = false;
    *changes = take_changes(f);
    bool go_on = !f->closing && !(f->ended && !*changes);
    pthread_mutex_unlock(&f->lock);
    return go_on;
}

static struct error *list_all(struct entry *e) {
    cleanup_doc_list struct doc_list items = {0};
    TRY(client_list(e->cache->client, e->resource, NULL, NULL, e->fields, &items, &e->remote->revision));
    replace_all(e, &items);
    atomic_store(&e->synced, true);
    feed_wake(e);
    return NULL;
}

static struct error *watch_until_it_ends(struct entry *e) {
    struct remote_feed *f = e->remote;
    struct client_watch *w;
    struct change *changes;
    f->ended = f->expired = false;
    TRY(client_watch_start(e->cache->client, e->resource, NULL, e->fields, f->revision, &(struct client_watcher){on_event,
            on_closed, e}, &w));
    while (await(f, &changes)) {
        apply_changes(e, changes);
        f->pause = 0;
    }
    client_watch_close(e->cache->client, w);
    drop_changes(changes);
    drop_changes(take_changes(f)); /* only if the feed is closing */
    return f->expired ? error_api(410, "Expired", "the watch window has passed") : NULL;
}

static void pause_a_while(struct remote_feed *f) {
    f->pause = f->pause ? MIN(2 * f->pause, MSECONDS(PAUSE_MAX_MS)) : MSECONDS(PAUSE_FIRST_MS);
    int64_t end = clock_wall(&clock_real) + f->pause;
    struct timespec until = {.tv_sec = end / NSEC_PER_SEC, .tv_nsec = (long)(end % NSEC_PER_SEC)};
    pthread_mutex_lock(&f->lock);
    while (!f->closing && pthread_cond_timedwait(&f->cond, &f->lock, &until) == 0) {}
    pthread_mutex_unlock(&f->lock);
}

static bool closing(struct remote_feed *f) {
    pthread_mutex_lock(&f->lock);
    bool is = f->closing;
    pthread_mutex_unlock(&f->lock);
    return is;
}

static void *feed_thread(void *arg) {
    struct entry *e = arg;
    bool listed = false;
    while (!closing(e->remote)) {
        cleanup_error struct error *error = listed ? NULL : list_all(e);
        listed = !error;
        if (!error) error = watch_until_it_ends(e);
        if (error_is(error, "Expired") || error_is(error, "Gone")) listed = false;
        if (!error && e->remote->pause == 0) {
            e->remote->pause = MSECONDS(1); /* a watch that ends at once again and again must not spin */
            continue;
        }
        if (error) log_warn("%s: %s (will retry)", e->resource->plural, error->message);
        pause_a_while(e->remote);
    }
    return NULL;
}

void remote_feed_start(struct entry *e) {
    struct remote_feed *f = e->remote = xcalloc(1, sizeof(*f));
    f->last = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->cond, NULL);
    if (pthread_create(&f->thread, NULL, feed_thread, e) != 0) abort();
}

void remote_feed_wake(struct entry *e) {
    pthread_mutex_lock(&e->remote->lock);
    e->remote->woken = true;
    pthread_cond_signal(&e->remote->cond);
    pthread_mutex_unlock(&e->remote->lock);
}

void remote_feed_stop(struct entry *e) {
    struct remote_feed *f = e->remote;
    pthread_mutex_lock(&f->lock);
    f->closing = true;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    drop_changes(f->first);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->cond);
    free(f);
}
