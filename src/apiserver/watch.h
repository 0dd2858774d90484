/* Watches: the filtered view (watch.c) and its HTTP form (watch_stream.c). */
#pragma once
#include "apiserver/filter.h"

MUST_CHECK struct error *watch_open(struct apiserver *s, const struct resource *r, const char *ns, const char *name, const char *labels,
                                    const char *fields, uint64_t from, void (*wake)(void *arg), void *arg, struct apiserver_watch **out);
/* Watches of one view (the same resource and namespace, no selector) see the same events. Such a watch may skip those that another one
 * at its position has read (store_watch_skip). */
struct watch_view {
    const struct resource *resource; /* borrowed from the watch, as is the prefix */
    const char *prefix;
    uint64_t position;
};
bool watch_view(struct apiserver_watch *w, struct watch_view *out); /* false: it has selectors, or reads ahead */
bool watch_skip(struct apiserver_watch *w, uint64_t position);
/* Ends all streams, e.g. at shutdown. */
void watch_streams_end(struct apiserver *s);
