/* ControllerRevisions: the past templates of stateful sets and daemon sets (upstream's pkg/controller/history). */
#pragma once
#include "controllers/workload.h"

/* What a revision stores: a patch that puts the template back. */
const struct json *history_data(struct arena *a, const struct json *template);
/* And the template in it. */
const struct json *history_template(struct arena *a, const struct doc *revision);
/* The owner's revisions, by number and then age. */
MUST_CHECK struct error *history_list(struct runner *r, const struct resource *resource, struct doc *owner, struct doc_list *out);
static inline int64_t history_number(const struct doc *revision) { return json_int(revision->root, "revision", 0); }
/* Makes the revision of this template, or finds it among `all`, and gives it the highest number. `hash_label` is the label
 * that carries the hash. *collisions goes up where the name is taken by another content. */
MUST_CHECK struct error *history_sync(struct runner *r, struct arena *a, const struct resource *resource, struct doc *owner,
                                      const struct doc_list *all, const char *hash_label, int64_t *collisions, struct doc **out);
/* Deletes the oldest that are not `live` until `limit` of those are left. */
MUST_CHECK struct error *history_truncate(struct runner *r, const struct doc_list *all, int64_t limit, bool (*live)(const struct doc *revision, void *arg),
                                          void *arg);
