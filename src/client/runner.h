/* What runs controllers. A controller is a const table: a name, what it watches with a function from object to work
 * keys, and `reconcile`. The runner gives each its own de-duplicated, rate-limited queue (base/workqueue.h), its cache
 * subscriptions, threads, an event recorder and metrics.
 *
 *     static const struct controller_source sources[] = {
 *         {.resource = &resource_apps_replicasets},                                      // the object's own key
 *         {.resource = &resource_pods, .owner = &resource_apps_replicasets, .keys = orphan_keys}, {0}};
 *     const struct controller replicaset_controller = {"replicaset-controller", .sources = sources, .reconcile = sync};
 *
 * Rules for reconcile: it reads r->cache, writes through r->client, keeps nothing that it could derive again, and is
 * idempotent. One key is never run by two threads at once. In the server's process a write that returned is visible
 * to the next read of the cache (indexes included), so no expectations are needed. Time comes from r->clock only.
 *
 * With a virtual clock nothing runs by itself: the owner calls runner_group_step and moves the clock. */
#pragma once
#include "base/workqueue.h"
#include "client/cache.h"
#include "client/client.h"
#include "client/events.h"
#include "client/object.h"

struct runner;

struct controller_source {
    const struct resource *resource; /* NULL ends the list */
    /* Set: the key of the object's controller owner is added if that is of this resource's kind (before and after a
     * change). */
    const struct resource *owner;
    /* Calls runner_add for each key concerned; `before` is NULL for an addition, `after` for a deletion. Runs on the
     * cache's thread: cache reads are fine, blocking is not. With neither `owner` nor `keys`: the object's own key. */
    void (*keys)(struct runner *r, const struct resource *resource, struct doc *before, struct doc *after);
};

struct controller {
    const char *name;     /* upstream's: "replicaset-controller"; for --controllers, metrics, logs */
    const char *component; /* source.component of its events; NULL: the name */
    unsigned threads;     /* 0: five */
    const struct controller_source *sources;
    /* `a` is dropped after the call. Keys are "namespace/name" or "name" (key_split) unless `keys` made others. */
    struct work_result (*reconcile)(struct runner *r, struct arena *a, const char *key);
    /* Optional, before the first and after the last call of anything else; r->state is the controller's own. */
    void (*start)(struct runner *r);
    void (*stop)(struct runner *r);
    /* Optional: ends the subscriptions that the controller made itself, before its queue closes. */
    void (*unsubscribe)(struct runner *r);
};

struct runner {
    const struct controller *controller;
    struct client *client;
    struct cache *cache;
    const struct clock *clock;
    struct recorder *events;
    void *config; /* what the owner gave: settings of the server */
    void *state;
    struct workqueue *queue;
    struct cache_subscription **subscriptions;
    _Atomic uint64_t runs, errors, busy_ns;
};

void runner_add(struct runner *r, const char *key);                     /* any thread */
void runner_add_after(struct runner *r, const char *key, int64_t delay);
void runner_add_object(struct runner *r, const struct doc *d);          /* its own key */

/* What a reconcile returns. */
#define WORK_DONE ((struct work_result){0})
static inline struct work_result work_error(struct error *e) { return (struct work_result){.error = e}; } /* NULL: done */
static inline struct work_result work_again(int64_t after) { return (struct work_result){.again_after = after}; }
#define WORK_TRY(call)                                  \
    do {                                                \
        struct error *try_ = (call);                    \
        if (try_ != NULL) return work_error(try_);      \
    } while (0)

/* ---- for the owner (server, agent, simulated cluster) ---- */

struct runner_env {
    struct client *client;
    struct cache *cache; /* made from the same client */
    void *config;
};
struct runner_group;
/* `controllers` ends with NULL and need not outlive the call; `wanted` (may be NULL: all) says which to run. Adds their
 * resources to the cache, then starts them. */
struct runner_group *runner_group_start(const struct runner_env *env, const struct controller *const *controllers,
                                        bool (*wanted)(const char *name, void *arg), void *arg);
void runner_group_stop(struct runner_group *g); /* waits for running reconciles */
/* For metrics: calls fn for each. */
void runner_group_each(struct runner_group *g, void (*fn)(const struct runner *r, void *arg), void *arg);
/* Simulation: runs everything that is due at the present virtual time, until quiet (at most `limit` keys; 0: 1 million);
 * returns the number of keys run. */
size_t runner_group_step(struct runner_group *g, size_t limit);
int64_t runner_group_next_due(struct runner_group *g); /* INT64_MAX: nothing waits */
