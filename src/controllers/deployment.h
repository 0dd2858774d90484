/* Private to deployment*.c: one run of the controller for one deployment. */
#pragma once
#include "controllers/workload.h"

struct rollout {
    struct runner *runner;
    struct arena *arena;
    struct doc *d;            /* the deployment as last written */
    struct doc_list all;      /* its replica sets, oldest first, as last written */
    size_t new;               /* the one with the deployment's template; all.len: none */
    int64_t replicas, max_surge, max_unavailable;
    bool rolling;
};

/* deployment_replicasets.c: the set of the present template and what it is called. */
void deployment_find_new(struct rollout *o);
/* Brings revision and annotations of the new set up to date; makes it where absent if `create`. */
MUST_CHECK struct error *deployment_sync_revision(struct rollout *o, bool create);
MUST_CHECK struct error *deployment_scale(struct rollout *o, size_t i, int64_t replicas, bool *scaled);
MUST_CHECK struct error *deployment_clean_history(struct rollout *o);
int64_t replicaset_replicas(const struct doc *rs); /* spec.replicas */
static inline struct doc *deployment_new(const struct rollout *o) { return o->new < o->all.len ? o->all.items[o->new] : NULL; }
int64_t deployment_total(const struct rollout *o, bool old_only); /* of spec.replicas */
int64_t deployment_status_total(const struct rollout *o, const char *path);

/* deployment_status.c */
bool deployment_has_deadline(const struct json *d);
/* Sets Progressing (or another condition); nothing changes if status and reason stay. */
const struct json *deployment_condition(const struct rollout *o, const struct json *d, const char *type, const char *status, const char *reason,
                                        const char *message);
const struct json *deployment_new_status(const struct rollout *o); /* the deployment with counts and Available */
bool deployment_complete(const struct rollout *o, const struct json *d);
/* Writes the status and keeps the answer in o->d. */
MUST_CHECK struct error *deployment_write_status(struct rollout *o, const struct json *d);
/* Progress, deadline and failures; the last step of a rollout. */
struct work_result deployment_sync_rollout_status(struct rollout *o);
