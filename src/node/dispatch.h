/* Tasks by key on an elastic pool of threads: like a workqueue, but a run may block for minutes (image pulls, grace
 * periods) without holding up other keys, and an idle agent has no thread but the queue's own.
 *
 * A key is "KIND/rest"; the kind chooses the function. A key runs once at a time; added while it runs it runs again. */
#pragma once
#include "base/workqueue.h"

struct dispatch_kind {
    const char *kind; /* NULL ends the table */
    struct work_result (*run)(void *arg, const char *rest);
};
struct dispatch;
struct dispatch *dispatch_new(const struct dispatch_kind *kinds, const struct clock *clock, unsigned max_threads, void *arg);
void dispatch_add(struct dispatch *d, const char *kind, const char *rest);
void dispatch_add_after(struct dispatch *d, const char *kind, const char *rest, int64_t delay); /* the earlier of two wins */
void dispatch_stop(struct dispatch *d); /* hands out nothing any more; adds are ignored */
void dispatch_free(struct dispatch *d); /* waits for what runs */
