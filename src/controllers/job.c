/* job-controller: pods until enough have succeeded, or too many failed. Finished pods are counted exactly once: they have a
 * finalizer until they are counted (KEP-2307). */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/job.h"
#include <pthread.h>

/* Failures that delay the next pod; the only thing that is not in the API. */
struct state {
    pthread_mutex_t lock; /* of `backoffs` */
    struct map backoffs;  /* key -> struct job_backoff */
};

void job_remember_backoff(struct job_run *j) {
    struct state *s = j->runner->state;
    pthread_mutex_lock(&s->lock);
    free(map_set(&s->backoffs, j->key, xmemdup(&j->backoff, sizeof(j->backoff))));
    pthread_mutex_unlock(&s->lock);
}

static void recall_backoff(struct job_run *j) {
    struct state *s = j->runner->state;
    pthread_mutex_lock(&s->lock);
    const struct job_backoff *b = map_get(&s->backoffs, j->key);
    if (b) j->backoff = *b;
    pthread_mutex_unlock(&s->lock);
}

static void forget_backoff(struct runner *r, const char *key) {
    struct state *s = r->state;
    pthread_mutex_lock(&s->lock);
    free(map_remove(&s->backoffs, key));
    pthread_mutex_unlock(&s->lock);
}

void job_again(struct job_run *j, int64_t after) { j->again = j->again ? MIN(j->again, after) : after; }

/* ---- taking stock ---- */

static bool listed(const struct job_run *j, const char *path, const char *uid) {
    JSON_EACH(each, json_get(j->o, path)) {
        if (json_str_is(each, NULL, uid)) return true;
    }
    return false;
}

static int64_t pod_index(const struct job_run *j, const struct json *pod) {
    int64_t n;
    const char *s = object_annotation(pod, JOB_INDEX);
    return j->indexed && s && str_to_int64(s, &n) && n >= 0 && n < j->completions ? n : -1;
}

static bool pod_failed(const struct job_run *j, const struct json *pod) {
    if (json_str_is(pod, "status.phase", "Failed")) return true;
    return !j->only_failed_replaced && object_deleting(pod) && !json_str_is(pod, "status.phase", "Succeeded");
}

static struct job_pod look_at(const struct job_run *j, struct doc *d) {
    const struct json *o = d->root;
    return (struct job_pod){.doc = d, .o = o, .index = pod_index(j, o), .finalizer = object_has_finalizer(o, JOB_FINALIZER),
                            .active = pod_is_active(o), .failed = pod_failed(j, o), .succeeded = json_str_is(o, "status.phase", "Succeeded"),
                            .uncounted_failed = listed(j, "status.uncountedTerminatedPods.failed", doc_uid(d)),
                            .uncounted_succeeded = listed(j, "status.uncountedTerminatedPods.succeeded", doc_uid(d))};
}

static bool is_new(const struct job_run *j, const struct job_pod *p) {
    return p->finalizer && !p->uncounted_failed && !p->uncounted_succeeded && (!j->indexed || p->index >= 0);
}

/* Failures since the last success, with those that are seen now. */
static void count_backoff(struct job_run *j) {
    int64_t success = 0;
    recall_backoff(j);
    for (size_t i = 0; i < j->pod_count; i++) {
        if (is_new(j, &j->pods[i]) && j->pods[i].succeeded) success = MAX(success, job_pod_finished(j, j->pods[i].o));
    }
    if (success > 0) j->backoff = (struct job_backoff){0};
    for (size_t i = 0; i < j->pod_count; i++) {
        const struct job_pod *p = &j->pods[i];
        int64_t t = is_new(j, p) && p->failed ? job_pod_finished(j, p->o) : 0;
        if (t == 0 || t <= success) continue;
        j->backoff.failures++;
        j->backoff.last_failure = MAX(j->backoff.last_failure, t);
    }
}

static int by_index(const void *x, const void *y) {
    const struct job_pod *a = x, *b = y;
    return a->index != b->index ? (a->index < b->index ? -1 : 1) : compare_created(&a->doc, &b->doc);
}

static void count_pods(struct job_run *j) {
    j->succeeded = job_count(j, "succeeded") + (int64_t)json_len(json_get(j->o, "status.uncountedTerminatedPods.succeeded"));
    j->failed = job_count(j, "failed") + (int64_t)json_len(json_get(j->o, "status.uncountedTerminatedPods.failed"));
    for (size_t i = 0; i < j->pod_count; i++) {
        const struct job_pod *p = &j->pods[i];
        j->active += p->active;
        j->ready += p->active && pod_is_ready(p->o);
        j->terminating += object_deleting(p->o) && !pod_is_terminal(p->o);
        if (is_new(j, p) && p->succeeded) j->succeeded++;
        if (is_new(j, p) && p->failed) j->failed += job_failure_action(j, p->o, NULL) != JOB_IGNORE;
    }
}

static bool index_failed(const struct job_run *j, const struct job_pod *p) {
    if (!p->finalizer || !p->failed || p->index < 0) return false;
    return job_failure_action(j, p->o, NULL) == JOB_FAIL_INDEX ||
           job_pod_index_failures(p->o, false) >= json_int(j->o, "spec.backoffLimitPerIndex", 0);
}

static void count_indexes(struct job_run *j) {
    j->counted = j->succeeded_indexes = indexes_parse(j->arena, json_str(j->o, "status.completedIndexes"), j->completions);
    j->failed_indexes = indexes_parse(j->arena, json_str(j->o, "status.failedIndexes"), j->completions);
    for (size_t i = 0; i < j->pod_count; i++) {
        const struct job_pod *p = &j->pods[i];
        if (p->succeeded && p->finalizer && p->index >= 0) j->succeeded_indexes = indexes_with(j->arena, j->succeeded_indexes, p->index);
        if (j->per_index && index_failed(j, p)) j->failed_indexes = indexes_with(j->arena, j->failed_indexes, p->index);
    }
    j->succeeded = indexes_total(j->succeeded_indexes);
    if (j->per_index) job_mark_delayed(j);
}

/* ---- is it over? ---- */

static bool end(struct job_run *j, const char *type, const char *reason, const char *message) {
    j->end = type;
    j->reason = reason;
    j->message = message;
    return true;
}

/* What an earlier run decided. */
static bool decided(struct job_run *j) {
    static const char *const ends[][2] = {{"SuccessCriteriaMet", "Complete"}, {"FailureTarget", "Failed"}};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const struct json *c = condition_find(j->o, ends[i][0]);
        if (json_str_is(c, "status", "True")) return end(j, ends[i][1], json_str_or(c, "reason", ""), json_str_or(c, "message", ""));
    }
    return false;
}

static bool failed_by_policy(struct job_run *j) {
    const char *message;
    for (size_t i = 0; i < j->pod_count; i++) {
        if (j->pods[i].failed && job_failure_action(j, j->pods[i].o, &message) == JOB_FAIL_JOB)
            return end(j, "FailureTarget", "PodFailurePolicy", message);
    }
    return false;
}

/* Restarts count against the limit where containers are restarted in place. */
static bool too_many_restarts(const struct job_run *j) {
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    int64_t restarts = 0, limit = json_int(j->o, "spec.backoffLimit", 6);
    if (!json_str_is(j->o, "spec.template.spec.restartPolicy", "OnFailure")) return false;
    for (size_t i = 0; i < j->pod_count; i++) {
        const char *phase = json_str(j->pods[i].o, "status.phase");
        if (!str_eq(phase, "Running") && !str_eq(phase, "Pending")) continue;
        for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
            JSON_EACH(s, json_get(j->pods[i].o, lists[k])) restarts += json_int(s, "restartCount", 0);
        }
    }
    return limit == 0 ? restarts > 0 : restarts >= limit;
}

static bool past_deadline(struct job_run *j) {
    int64_t seconds = json_int(j->o, "spec.activeDeadlineSeconds", -1), start = object_time(j->o, "status.startTime");
    if (seconds < 0 || start == 0 || j->suspended) return false;
    int64_t left = start + SECONDS(seconds) - j->now;
    if (left > 0) job_again(j, left);
    return left <= 0;
}

static bool failed_indexes(struct job_run *j) {
    int64_t failed = indexes_total(j->failed_indexes);
    if (!j->per_index || failed == 0) return false;
    if (failed > json_int(j->o, "spec.maxFailedIndexes", INT64_MAX))
        return end(j, "FailureTarget", "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
    return failed + j->succeeded >= j->completions && end(j, "FailureTarget", "FailedIndexes", "Job has failed indexes");
}

static bool decide(struct job_run *j) {
    if (decided(j) || failed_by_policy(j)) return true;
    if (j->failed > json_int(j->o, "spec.backoffLimit", 6) || too_many_restarts(j))
        return end(j, "FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    if (past_deadline(j)) return end(j, "FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline");
    if (failed_indexes(j)) return true;
    const char *met = j->indexed ? job_success_policy(j) : NULL;
    return met && end(j, "SuccessCriteriaMet", "SuccessPolicy", met);
}

static bool complete(const struct job_run *j) {
    return j->active == 0 && (j->completions < 0 ? j->succeeded > 0 : j->succeeded >= j->completions);
}

/* ---- doing ---- */

static void start_clock(struct job_run *j) {
    char text[TIME_STRING_MAX];
    j->o = json_with(j->arena, j->o, "status.startTime", json_string(j->arena, time_format(text, j->now)));
    j->flush = true;
}

static void note_suspension(struct job_run *j) {
    struct recorder *events = j->runner->events;
    if (j->suspended) {
        if (job_set_condition(j, "Suspended", "True", "JobSuspended", "Job suspended"))
            recorder_event(events, j->job->root, "Normal", "Suspended", "Job suspended");
    } else if (job_set_condition(j, "Suspended", "False", "JobResumed", "Job resumed")) {
        recorder_event(events, j->job->root, "Normal", "Resumed", "Job resumed");
        start_clock(j);
    }
}

static struct error *act(struct job_run *j) {
    struct error *e = NULL;
    if (decide(j)) {
        int64_t active = j->active, deleted = 0;
        e = job_delete_active(j, &deleted);
        if (deleted != active) j->end = NULL;
        return e;
    }
    bool managed = !object_deleting(j->job->root);
    if (managed) e = job_manage_pods(j);
    if (complete(j)) end(j, "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods");
    else if (managed) note_suspension(j);
    return e;
}

static void read_spec(struct job_run *j) {
    const struct json *spec = json_get(j->o, "spec");
    j->completions = json_int(spec, "completions", -1);
    j->parallelism = json_int(spec, "parallelism", 1);
    j->indexed = json_str_is(spec, "completionMode", "Indexed");
    j->per_index = j->indexed && json_get(spec, "backoffLimitPerIndex") != NULL;
    j->only_failed_replaced = json_str_is(spec, "podReplacementPolicy", "Failed") || json_get(spec, "podFailurePolicy") != NULL;
    j->suspended = json_bool(spec, "suspend", false);
    if (!json_get(j->o, "status.uncountedTerminatedPods")) j->o = json_with(j->arena, j->o, "status.uncountedTerminatedPods", &json_empty_object);
    if (!json_str(j->o, "status.startTime") && !j->suspended) start_clock(j);
}

static struct error *sync_job(struct job_run *j) {
    struct doc_list list = {0};
    struct claim claim = {.client = j->runner->client, .cache = j->runner->cache, .owner_resource = &resource_batch_jobs, .owner = j->job,
                          .selector = json_get(j->job->root, "spec.selector"), .resource = &resource_pods, .finalizer = JOB_FINALIZER};
    TRY(claim_objects(&claim, &list));
    j->kept = list;
    read_spec(j);
    j->pod_count = list.len;
    j->pods = arena_calloc(j->arena, list.len + 1, sizeof(*j->pods));
    for (size_t i = 0; i < list.len; i++) j->pods[i] = look_at(j, list.items[i]);
    qsort(j->pods, j->pod_count, sizeof(*j->pods), by_index);
    count_pods(j);
    count_backoff(j);
    if (j->indexed) count_indexes(j);
    struct error *e = act(j), *tracked = job_track(j);
    if (!tracked) return e;
    error_free(e);
    return error_wrap(tracked, "tracking status");
}

/* ---- pods whose job is gone or done with lose the finalizer ---- */

static bool job_done(const struct json *job) { return condition_is(job, "Complete", "True") || condition_is(job, "Failed", "True"); }

static bool managed_elsewhere(const struct json *job) {
    return !str_eq(json_str_or(job, "spec.managedBy", "kubernetes.io/job-controller"), "kubernetes.io/job-controller");
}

static struct error *release_pod(struct runner *r, struct arena *a, const struct doc *pod) {
    const char *key = controller_key(a, pod->root, &resource_batch_jobs);
    if (!object_has_finalizer(pod->root, JOB_FINALIZER)) return NULL;
    if (key) {
        const char *ns, *name;
        key_split(a, key, &ns, &name);
        cleanup_doc struct doc *job = cache_get(r->cache, &resource_batch_jobs, ns, name);
        if (job && controlled_by(pod->root, doc_uid(job)) && (!job_done(job->root) || managed_elsewhere(job->root))) return NULL;
    }
    return job_remove_finalizer(r, pod);
}

static struct error *release_pods(struct runner *r, struct arena *a, const char *key, const char *ns, const struct doc *job) {
    cleanup_doc_list struct doc_list pods = {0};
    if (job) cache_list_owned(r->cache, &resource_pods, ns, doc_uid(job), &pods);
    else cache_list(r->cache, &resource_pods, ns, &pods);
    for (size_t i = 0; i < pods.len; i++) {
        if (str_eq(controller_key(a, pods.items[i]->root, &resource_batch_jobs), key)) TRY(release_pod(r, a, pods.items[i]));
    }
    return NULL;
}

/* Keys: "namespace/job", and "pod/namespace/name" of pods with the finalizer but without controller. */
static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    if (strchr(name, '/')) {
        key_split(a, name, &ns, &name);
        cleanup_doc struct doc *pod = cache_get(r->cache, &resource_pods, ns, name);
        return work_error(pod && !controller_of(pod->root) ? release_pod(r, a, pod) : NULL);
    }
    cleanup_doc struct doc *job = cache_get(r->cache, &resource_batch_jobs, ns, name);
    if (job && managed_elsewhere(job->root)) return WORK_DONE;
    if (!job || job_done(job->root)) {
        forget_backoff(r, key);
        return work_error(release_pods(r, a, key, ns, job));
    }
    struct job_run j = {.runner = r, .arena = a, .key = key, .job = job, .o = job->root, .now = clock_wall(r->clock)};
    struct error *e = sync_job(&j);
    doc_list_free(&j.kept);
    return e ? work_error(e) : work_again(j.again);
}

static void pod_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    workload_orphan_keys(r, &resource_batch_jobs, before, after);
    if (!after || controller_of(after->root) || !object_has_finalizer(after->root, JOB_FINALIZER)) return;
    cleanup_arena struct arena a = {0};
    runner_add(r, arena_printf(&a, "pod/%s", key_of(&a, after)));
}

static void start(struct runner *r) {
    struct state *s = r->state = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static void stop(struct runner *r) {
    struct state *s = r->state;
    map_free(&s->backoffs, free);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct controller_source sources[] = {
    {.resource = &resource_batch_jobs}, {.resource = &resource_pods, .owner = &resource_batch_jobs, .keys = pod_keys}, {0}};
const struct controller job_controller = {"job-controller", .sources = sources, .reconcile = reconcile, .start = start, .stop = stop};
