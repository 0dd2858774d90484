/* What the workload controllers share (upstream's controller_utils.go). Everything runs on a reconcile's thread. */
#pragma once
#include "base/map.h"
#include "client/runner.h"

/* The pod that a template makes: generateName "PREFIX-", the owner as its controller. */
const struct json *workload_pod(struct arena *a, const struct json *template, const char *prefix, const struct json *owner_reference);
/* Creation and deletion with their events about the owner (SuccessfulCreate, FailedCreate, …). A namespace that is being
 * deleted gives the error without an event; a pod that is gone is no error. */
MUST_CHECK struct error *workload_create_pod(struct runner *r, const struct doc *owner, const struct json *pod);
MUST_CHECK struct error *workload_delete_pod(struct runner *r, const struct doc *owner, const struct doc *pod);
/* Calls fn 1, 2, 4, 8 … times, up to `count` in all; a batch with an error is the last. Returns the first error. */
MUST_CHECK struct error *workload_slow_start(size_t count, struct error *(*fn)(size_t i, void *arg), void *arg);
/* Adds the objects of `owners` whose selectors match a pod (or other object) without controller, if it is new or its
 * labels or controller changed. */
void workload_orphan_keys(struct runner *r, const struct resource *owners, const struct doc *before, const struct doc *after);
/* spec.selector as a LabelSelector, also of a ReplicationController. */
const struct json *workload_selector(struct arena *a, const struct json *owner);

/* Brings those to the front that are to be deleted first. `ranks` (may be NULL): node name -> number of related pods there. */
void workload_sort_for_deletion(struct doc **pods, size_t count, const struct map *ranks, int64_t now);

bool error_namespace_terminating(const struct error *e);
/* An IntOrString of a total; `absent` where there is none. */
int64_t scaled_value(const struct json *v, int64_t total, bool round_up, int64_t absent);
/* A hash of any value as pod-template-hash is written: digits in the name alphabet. Order of members and absent against
 * empty make no difference. `collisions`: status.collisionCount, or NULL. */
const char *object_hash(struct arena *a, const struct json *v, const struct json *collisions);
/* Writes the object's status if it is another one. */
MUST_CHECK struct error *workload_update_status(struct runner *r, struct arena *a, const struct resource *resource, const struct doc *d,
                                                const struct json *status);
/* The time (ns from now) until the next of these ready pods becomes available, 0 if none waits. */
int64_t workload_next_available(const struct doc_list *pods, int64_t min_ready_seconds, int64_t now);
int compare_names(const void *a, const void *b);   /* struct doc ** by name */
int compare_created(const void *a, const void *b); /* struct doc ** by creationTimestamp, then name */
