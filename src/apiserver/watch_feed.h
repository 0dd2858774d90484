/* What a watch reads: the store's events of a resource, their objects as its version shows them. Where a webhook has to be asked
 * that happens on a worker, for a batch of events at a time and for one watch of a definition at a time, so that the next one
 * finds what it needs; a feed that waits for it has no event, and wakes its reader when it has. */
#pragma once
#include "apiserver/crd.h"

struct feed;
/* Events with revision > from whose key begins with `prefix` (which outlives the feed). `wake` as in store.h, but it may also come
 * from a worker. `previous`: the objects before a change are looked at, not only whether there were any. */
MUST_CHECK struct error *feed_open(struct apiserver *s, const struct resource *r, const char *prefix, bool previous, uint64_t from,
                                   void (*wake)(void *arg), void *arg, struct feed **out);
/* Never blocks. The event's pointers are valid until the next call. `lost`: the feed is over, because the store's window has moved
 * past it or (feed_failure) because an object could not be converted. */
bool feed_next(struct feed *f, struct store_event *event, bool *lost);
const struct error *feed_failure(const struct feed *f); /* NULL: none */
/* As store_watch_position and store_watch_skip; false where a webhook is asked, or while there is something that was read ahead. */
bool feed_position(struct feed *f, uint64_t *position);
bool feed_skip(struct feed *f, uint64_t position);
/* Everything up to this revision has been returned by feed_next; 0 while that cannot be said. */
uint64_t feed_progress(struct feed *f);
void feed_close(struct feed *f); /* no wake is running or will come after it returns; not from within one */
