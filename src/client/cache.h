/* Caches: the current objects of a resource, kept current by list and watch, shared by all components of a process.
 *
 * In the server's own process a cache is a view of the store's published state, without a copy; on another machine it
 * holds what list and watch brought. Reads never block and never fail; a read may be older than a write just made
 * (compare revisions where that matters). Any thread may read. */
#pragma once
#include "client/client.h"

struct cache;
struct cache *cache_new(struct client *c);
void cache_free(struct cache *c); /* after everybody who subscribed has stopped */

/* Starts caching the resource (at once for those that are subscribed to or read first). `fields` limits it
 * ("spec.nodeName=n1") for remote caches; NULL: everything. */
void cache_add(struct cache *c, const struct resource *r, const char *fields);
/* True when every added resource has been listed once. */
bool cache_synced(struct cache *c);
MUST_CHECK struct error *cache_wait_synced(struct cache *c, int64_t timeout);

struct doc *cache_get(struct cache *c, const struct resource *r, const char *ns, const char *name); /* new reference or NULL */
/* All objects of a namespace (NULL: all), ordered by namespace and name. */
void cache_list(struct cache *c, const struct resource *r, const char *ns, struct doc_list *out);
/* Objects whose controller reference (metadata.ownerReferences[controller=true]) has this uid; "": those that have no
 * controller. Indexed. */
void cache_list_owned(struct cache *c, const struct resource *r, const char *ns, const char *owner_uid, struct doc_list *out);
/* Pods of a node (spec.nodeName); indexed. */
void cache_list_on_node(struct cache *c, const char *node, struct doc_list *out);

/* Calls fn for every present object as an addition and then for every change, in order, on the cache's thread (which
 * it must not block: add to a workqueue). `before` is NULL for additions, `after` for deletions; both borrowed. */
typedef void cache_event_fn(const struct resource *r, struct doc *before, struct doc *after, void *arg);
struct cache_subscription *cache_subscribe(struct cache *c, const struct resource *r, cache_event_fn *fn, void *arg);
/* Has it been called for every object that was there when it was subscribed? */
bool cache_subscription_told(const struct cache_subscription *s);
void cache_unsubscribe(struct cache_subscription *s); /* no call is running or will come after it returns */
/* In a simulated cluster (threads off): delivers what is pending on the caller's thread; true if there was anything. */
bool cache_pump(struct cache *c);
