#include "controllers/job.h"
#include "base/str.h"

enum { MAX_UNCOUNTED = 500 };

int64_t job_count(const struct job_run *j, const char *path) { return json_int(json_get(j->o, "status"), path, 0); }

static void set(struct job_run *j, const char *path, const struct json *v) {
    const char *full = arena_printf(j->arena, "status.%s", path);
    if (json_semantic_equal(json_get(j->o, full), v)) return;
    j->o = json_with(j->arena, j->o, full, v);
    j->flush = true;
}

static void set_count(struct job_run *j, const char *path, int64_t n, bool keep_zero) {
    set(j, path, n || keep_zero ? json_integer(j->arena, n) : NULL);
}

bool job_set_condition(struct job_run *j, const char *type, const char *status, const char *reason, const char *message) {
    const struct json *old = condition_find(j->o, type);
    if (!old && str_eq(status, "False")) return false;
    if (json_str_is(old, "status", status) && json_str_is(old, "reason", reason) && json_str_is(old, "message", message)) return false;
    j->o = condition_set(j->arena, j->o, &(struct condition){.type = type, .status = status, .reason = reason, .message = message, .probe_now = true}, j->now);
    return j->flush = true;
}

static struct error *write_status(struct job_run *j) {
    struct doc *updated;
    if (!j->flush) return NULL;
    TRY(client_update(j->runner->client, &resource_batch_jobs, doc_namespace(j->job), doc_name(j->job), "status", j->o, &updated));
    doc_list_add(&j->kept, updated);
    doc_unref(updated);
    j->o = updated->root;
    j->flush = false;
    job_remember_backoff(j);
    return NULL;
}

/* ---- uncounted pods: noted in the status before their finalizers go, counted after ---- */

static const struct job_pod *find(const struct job_run *j, const char *uid) {
    for (size_t i = 0; i < j->pod_count; i++) {
        if (str_eq(doc_uid(j->pods[i].doc), uid)) return &j->pods[i];
    }
    return NULL;
}

static void count_kind(struct job_run *j, const char *kind) {
    const char *path = arena_printf(j->arena, "uncountedTerminatedPods.%s", kind);
    const struct json *uids = json_get(json_get(j->o, "status"), path);
    struct json_array left = {.arena = j->arena};
    JSON_EACH(uid, uids) {
        const struct job_pod *p = find(j, uid->s);
        if (p && p->finalizer) json_array_add(&left, uid);
    }
    if (left.len == json_len(uids)) return;
    set_count(j, kind, job_count(j, kind) + (int64_t)(json_len(uids) - left.len), false);
    set(j, path, left.len ? json_array_done(&left) : NULL);
}

static void count_without_finalizers(struct job_run *j) {
    count_kind(j, "succeeded");
    count_kind(j, "failed");
}

static void note_uncounted(struct job_run *j, const char *kind, const struct job_pod *p) {
    const char *path = arena_printf(j->arena, "uncountedTerminatedPods.%s", kind);
    set(j, path, json_append(j->arena, json_get(json_get(j->o, "status"), path), json_string(j->arena, doc_uid(p->doc))));
}

static bool can_remove_finalizer(const struct job_run *j, const struct job_pod *p) {
    if (object_deleting(j->job->root) || j->end || p->succeeded) return true;
    return p->failed && !p->delayed;
}

/* A pod of an ended job that has not ended itself counts as failed, unless the job succeeded. */
static void note_pod(struct job_run *j, const struct job_pod *p) {
    bool job_failed = j->end && (str_eq(j->end, "FailureTarget") || str_eq(j->end, "Failed"));
    if (p->succeeded && !p->uncounted_failed) {
        if (j->indexed && p->index >= 0) j->counted = indexes_with(j->arena, j->counted, p->index);
        else if (!j->indexed && !p->uncounted_succeeded) note_uncounted(j, "succeeded", p);
        return;
    }
    if (!(p->failed || job_failed) || p->uncounted_failed || (j->indexed && p->index < 0)) return;
    if (job_failure_action(j, p->o, NULL) != JOB_IGNORE) note_uncounted(j, "failed", p);
}

static bool full(const struct job_run *j, int64_t new_indexes) {
    const struct json *u = json_get(j->o, "status.uncountedTerminatedPods");
    return new_indexes + (int64_t)(json_len(json_get(u, "succeeded")) + json_len(json_get(u, "failed"))) >= MAX_UNCOUNTED;
}

/* False: there were too many for one run. */
static bool note_pods(struct job_run *j) {
    int64_t before = indexes_total(j->counted);
    for (size_t i = 0; i < j->pod_count; i++) {
        struct job_pod *p = &j->pods[i];
        if (!p->finalizer || !can_remove_finalizer(j, p)) continue;
        p->remove = true;
        note_pod(j, p);
        if (full(j, indexes_total(j->counted) - before)) return false;
    }
    return true;
}

static void set_indexes(struct job_run *j) {
    if (!j->indexed) return;
    const char *text = indexes_text(j->arena, j->counted);
    set_count(j, "succeeded", indexes_total(j->counted), false);
    set(j, "completedIndexes", *text ? json_string(j->arena, text) : NULL);
    if (j->per_index) set(j, "failedIndexes", json_string(j->arena, indexes_text(j->arena, j->failed_indexes)));
}

/* The interim condition is written before finalizers go; the final one stands for it from then on. */
static void set_interim_condition(struct job_run *j) {
    if (!j->end) return;
    bool failed = str_eq(j->end, "FailureTarget"), met = str_eq(j->end, "SuccessCriteriaMet");
    if (failed || met) job_set_condition(j, j->end, "True", j->reason, j->message);
    if (failed) j->end = "Failed";
    if (met) j->end = "Complete";
}

static struct error *remove_finalizers(struct job_run *j) {
    struct error *first = NULL;
    for (size_t i = 0; i < j->pod_count; i++) {
        if (!j->pods[i].remove) continue;
        struct error *e = job_remove_finalizer(j->runner, j->pods[i].doc);
        if (!e) j->pods[i].finalizer = false;
        else if (first) error_free(e);
        else first = e;
    }
    return first;
}

/* ---- the end ---- */

static bool finish(struct job_run *j) {
    if (!j->end || json_len(json_get(j->o, "status.uncountedTerminatedPods.succeeded")) ||
        json_len(json_get(j->o, "status.uncountedTerminatedPods.failed")) || j->terminating > 0)
        return false;
    job_set_condition(j, j->end, "True", j->reason, j->message);
    if (str_eq(j->end, "Complete")) {
        char text[TIME_STRING_MAX];
        set(j, "completionTime", json_string(j->arena, time_format(text, j->now)));
    }
    return true;
}

static void tell_finished(const struct job_run *j) {
    struct recorder *events = j->runner->events;
    if (!str_eq(j->end, "Complete")) {
        recorder_event(events, j->job->root, "Warning", j->reason, "%s", j->message);
        return;
    }
    if (j->completions >= 0 && job_count(j, "succeeded") > j->completions)
        recorder_event(events, j->job->root, "Warning", "TooManySucceededPods", "Too many succeeded pods running after completion count reached");
    recorder_event(events, j->job->root, "Normal", "Completed", "Job completed");
}

struct error *job_track(struct job_run *j) {
    set_count(j, "active", j->active, false);
    set_count(j, "ready", j->ready, true);
    set_count(j, "terminating", j->terminating, true);
    count_without_finalizers(j);
    bool all = note_pods(j);
    set_indexes(j);
    set_interim_condition(j);
    TRY(write_status(j));
    struct error *e = remove_finalizers(j);
    count_without_finalizers(j);
    bool finished = !e && all && finish(j);
    struct error *written = write_status(j);
    if (!written && finished) tell_finished(j);
    if (!all) job_again(j, 1);
    if (!e) return written;
    error_free(written);
    return e;
}
