/* Subscriptions to everything that is served, custom resources included, for controllers that care for all objects. */
#pragma once
#include "client/runner.h"

struct every_resource;
/* `fn` runs on the cache's thread; `arg` is the runner. Resources that cannot be listed, watched and deleted, and
 * events, are left out; of several versions of a kind one is taken. */
struct every_resource *every_resource_new(struct runner *r, cache_event_fn *fn);
/* Subscribes to what is new and leaves what is gone; on a reconcile's thread or in `start`. */
void every_resource_sync(struct every_resource *e);
void every_resource_unsubscribe(struct every_resource *e);
void every_resource_free(struct every_resource *e);
/* Of a group and kind, any version; by its number; its number. NULL or -1 if not served. Held for the caller (resource_release).
 * Any thread. */
const struct resource *every_resource_find(struct every_resource *e, const char *group, const char *kind);
const struct resource *every_resource_at(struct every_resource *e, size_t number);
int every_resource_number(struct every_resource *e, const struct resource *r);
