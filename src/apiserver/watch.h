/* Watches: the filtered view (watch.c) and its HTTP form (watch_stream.c). */
#pragma once
#include "apiserver/filter.h"

MUST_CHECK struct error *watch_open(struct apiserver *s, const struct resource *r, const char *ns, const char *name, const char *labels,
                                    const char *fields, uint64_t from, void (*wake)(void *arg), void *arg, struct apiserver_watch **out);
/* Ends all streams, e.g. at shutdown. */
void watch_streams_end(struct apiserver *s);
