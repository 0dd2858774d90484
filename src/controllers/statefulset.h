/* Private to statefulset*.c: one run of the controller for one set. */
#pragma once
#include "controllers/workload.h"

struct set {
    struct runner *runner;
    struct arena *arena;
    struct doc *doc, *current, *update; /* the set, its revisions */
    struct doc_list list, revisions;    /* pods, all revisions */
    struct doc **pods;                  /* by ordinal less `start`; NULL: missing */
    struct doc **condemned;             /* out of range, highest ordinal first */
    size_t condemned_count;
    const struct doc *deleted;          /* for the update, in this run */
    int64_t start, replicas, min_ready, now, again;
    bool monotonic;
};
int64_t set_ordinal(const struct set *s, const struct json *pod); /* -1: no name of the set's */
bool set_in_range(const struct set *s, int64_t ordinal);
/* Reports "Create", "Delete", "Update" of a pod, done or failed; returns the error. */
MUST_CHECK struct error *set_tell(const struct set *s, const char *verb, const char *pod, struct error *e);

/* statefulset_claims.c */
const char *set_claim_name(const struct set *s, const struct json *claim_template, int64_t ordinal);
/* Makes the pod's claims that are missing. */
MUST_CHECK struct error *set_create_claims(struct set *s, const struct json *pod);
/* Gives the pod's claims the owners that persistentVolumeClaimRetentionPolicy wants (KEP-1847). */
MUST_CHECK struct error *set_fix_claims(struct set *s, const struct json *pod);
/* A claim still belongs to an earlier pod of this name: it will be deleted, so no new pod yet. */
bool set_claims_stale(struct set *s, const struct json *pod);
