/* Private to horizontal_pod_autoscaler.c and hpa_*.c. */
#pragma once
#include "client/runner.h"

struct hpa_run {
    struct runner *runner;
    struct arena *arena;
    const struct doc *doc;
    const struct json *o;       /* with the status as it will be */
    struct doc_list pods;       /* of the target */
    int64_t now, current, status_replicas, min, max;
};
const struct json *hpa_condition(const struct hpa_run *h, const char *type, const char *status, const char *reason, const char *fmt, ...) PRINTF(5, 6);
double hpa_tolerance(const struct hpa_run *h, const char *direction);

/* ---- hpa_metrics.c ---- */
struct hpa_proposal {
    int64_t replicas;
    const char *metric;         /* "cpu resource utilization (percentage of request)" */
    const struct json *status;  /* of the metric */
    const char *reason;         /* of the failure: "FailedGetResourceMetric" */
    const char *failure;        /* what the condition says */
};
/* The error's message is the event's and the caller's; *out says the rest also then. */
MUST_CHECK struct error *hpa_propose(struct hpa_run *h, const struct json *metric, struct hpa_proposal *out);

/* ---- hpa_limits.c: what was recommended and done before, and what that allows now ---- */
struct hpa_memory;              /* of one autoscaler; not thread-safe */
struct hpa_memory *hpa_memory_new(void);
void hpa_memory_free(void *m);
void hpa_remember_scaling(struct hpa_memory *m, int64_t now, int64_t from, int64_t to);
/* The recommendation within stabilization windows, rates and bounds; sets the conditions that tell. */
int64_t hpa_limit(struct hpa_run *h, struct hpa_memory *m, int64_t recommended);
