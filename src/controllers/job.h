/* Private to job*.c: one run of the controller for one job. */
#pragma once
#include "controllers/workload.h"

#define JOB_FINALIZER "batch.kubernetes.io/job-tracking"
#define JOB_INDEX "batch.kubernetes.io/job-completion-index"
#define JOB_INDEX_FAILURES "batch.kubernetes.io/job-index-failure-count"
#define JOB_INDEX_IGNORED "batch.kubernetes.io/job-index-ignored-failure-count"

/* ---- job_index.c: sets of completion indexes, "0,2-5" ---- */

struct interval { int64_t first, last; };
struct indexes { /* sorted, apart */
    struct interval *items;
    size_t len;
};
struct indexes indexes_parse(struct arena *a, const char *text, int64_t limit); /* leaves out what is >= limit */
struct indexes indexes_with(struct arena *a, struct indexes x, int64_t index);
bool indexes_has(struct indexes x, int64_t index);
int64_t indexes_total(struct indexes x);
int64_t indexes_common(struct indexes x, struct indexes y); /* how many are in both */
const char *indexes_text(struct arena *a, struct indexes x);

/* ---- the run ---- */

struct job_pod {
    struct doc *doc;
    const struct json *o;
    int64_t index;      /* -1: none, or not below spec.completions */
    bool finalizer, active, failed, succeeded; /* failed: counts as failed, if only because it is being deleted */
    bool uncounted_failed, uncounted_succeeded;
    bool remove;        /* its finalizer goes with this run */
    bool delayed;       /* keeps its finalizer, for the failure count of its index, until it is replaced */
};
struct job_backoff { /* remembered from run to run */
    int64_t failures, last_failure;
};
struct job_run {
    struct runner *runner;
    struct arena *arena;
    const char *key;
    struct doc *job;          /* as read */
    const struct json *o;     /* as it will be */
    struct doc_list kept;     /* what `o` and the pods live in */
    struct job_pod *pods;
    size_t pod_count;
    int64_t completions, parallelism, now; /* completions -1: none */
    bool indexed, per_index, only_failed_replaced, suspended;
    struct indexes counted, succeeded_indexes, failed_indexes;
    int64_t active, ready, terminating, succeeded, failed;
    struct job_backoff backoff;
    const char *end, *reason, *message; /* FailureTarget, SuccessCriteriaMet, Failed or Complete; NULL: goes on */
    int64_t again;            /* ns; 0: no need */
    bool flush;               /* the status differs from the stored one */
};
void job_again(struct job_run *j, int64_t after);
int64_t job_count(const struct job_run *j, const char *path); /* of the status */

/* ---- job_pods.c ---- */
int64_t job_pod_finished(const struct job_run *j, const struct json *pod); /* time */
int64_t job_pod_index_failures(const struct json *pod, bool with_ignored);
MUST_CHECK struct error *job_delete_active(struct job_run *j, int64_t *deleted);
/* Brings the number of active pods to what is wanted; corrects j->active, ready, terminating. */
MUST_CHECK struct error *job_manage_pods(struct job_run *j);
void job_mark_delayed(struct job_run *j);
MUST_CHECK struct error *job_remove_finalizer(struct runner *r, const struct doc *pod);

/* ---- job_policy.c ---- */
enum job_action { JOB_COUNT, JOB_IGNORE, JOB_FAIL_INDEX, JOB_FAIL_JOB };
/* What podFailurePolicy says of a failed pod; `message` (may be NULL) is set for JOB_FAIL_JOB. */
enum job_action job_failure_action(const struct job_run *j, const struct json *pod, const char **message);
const char *job_success_policy(const struct job_run *j); /* a message, NULL: not met */

/* ---- job_status.c ---- */
/* Sets a condition; true if that changed anything. False conditions are not added. */
bool job_set_condition(struct job_run *j, const char *type, const char *status, const char *reason, const char *message);
/* Counts finished pods, removes their finalizers, and ends the job if that was decided. */
MUST_CHECK struct error *job_track(struct job_run *j);
void job_remember_backoff(struct job_run *j);
