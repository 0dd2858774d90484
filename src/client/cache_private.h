/* What cache.c (reading, feeds from the store) and cache_remote.c (feeds from list and watch) share. */
#pragma once
#include "apiserver/apiserver.h"
#include "client/cache.h"
#include "store/tree.h"
#include <pthread.h>
#include <stdatomic.h>

enum { INDEX_KEY_MAX = 1024 };

struct entry {
    struct entry *next;
    struct cache *cache;
    const struct resource *resource;
    char *fields;

    /* the view */
    pthread_mutex_t lock;
    struct tree_node *owned, *on_node, *objects;
    struct store_table *table;
    struct store_watch *view_watch;

    /* the feed */
    pthread_mutex_t dispatch_lock;
    struct cache_subscription *subscriptions;
    struct tree_node *told;
    struct store_watch *feed_watch;
    bool woken; /* protected by the cache's wake_lock */
    _Atomic bool synced;
    struct remote_feed *remote;
};

struct cache {
    struct client *client;
    struct store *store; /* NULL: remote */
    bool threaded;
    pthread_mutex_t lock; /* protects the list of entries */
    struct entry *entries;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    bool woken, closing;
    pthread_t thread;
};

struct cache_subscription {
    struct cache_subscription *next;
    struct entry *entry;
    cache_event_fn *fn;
    void *arg;
    bool fresh; /* has not heard of the present objects yet */
    _Atomic bool told; /* has heard of all that were there */
};

struct entry *entry_get(struct cache *c, const struct resource *r);
/* A cache over a store without a server in front (NULL: remote). */
struct cache *cache_new_over(struct client *client, struct store *store);

void view_change(struct entry *e, const char *key, struct doc *before, struct doc *after); /* e->lock held */
/* With the dispatch lock held: */
void feed_welcome(struct entry *e);
void feed_told(struct entry *e); /* everybody has heard of everything */
void feed_tell(struct entry *e, const char *key, struct doc *after);
void feed_replace(struct entry *e, const struct tree_node *now);
void feed_wake(void *entry);

void remote_feed_start(struct entry *e);
void remote_feed_wake(struct entry *e);
void remote_feed_stop(struct entry *e);
