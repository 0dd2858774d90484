/* cronjob-controller: jobs at the times of a schedule. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/cron_schedule.h"
#include "controllers/workload.h"
#include <time.h>

#define DELTA MSECONDS(100) /* added to the next time, so that clocks that differ do not come too early */
enum { MANY = 100 };
enum missed { MISSED_NONE, MISSED_FEW, MISSED_MANY };

struct run {
    struct runner *runner;
    struct arena *arena;
    const struct doc *cron;
    const struct json *o; /* with the status as it will be */
    struct doc_list jobs;
    struct cron_schedule schedule;
    int64_t now;          /* ns */
    int64_t again;
};

#define tell(r, type, reason, ...) recorder_event((r)->runner->events, (r)->cron->root, type, reason, __VA_ARGS__)

/* ---- the list of active jobs ---- */

static bool active(const struct run *r, const char *key, const char *value) {
    JSON_EACH(ref, json_get(r->o, "status.active")) {
        if (json_str_is(ref, key, value)) return true;
    }
    return false;
}

static void remove_active(struct run *r, const char *uid) {
    struct json_array left = {.arena = r->arena};
    JSON_EACH(ref, json_get(r->o, "status.active")) {
        if (!json_str_is(ref, "uid", uid)) json_array_add(&left, ref);
    }
    r->o = json_with(r->arena, r->o, "status.active", left.len ? json_array_done(&left) : NULL);
}

static void add_active(struct run *r, const struct doc *job) {
    const struct json *ref = json_make(r->arena, "{'kind':'Job','namespace':%s,'name':%s,'uid':%s,'apiVersion':'batch/v1','resourceVersion':%s}", doc_namespace(job),
                                       doc_name(job), doc_uid(job), json_str(job->root, "metadata.resourceVersion"));
    r->o = json_with(r->arena, r->o, "status.active", json_append(r->arena, json_get(r->o, "status.active"), json_copy(r->arena, ref)));
}

/* ---- what became of the jobs ---- */

static const char *outcome(const struct json *job) {
    return condition_is(job, "Complete", "True") ? "Complete" : condition_is(job, "Failed", "True") ? "Failed" : NULL;
}

static void look_at_job(struct run *r, const struct doc *job) {
    const char *end = outcome(job->root), *done = json_str(job->root, "status.completionTime");
    bool known = active(r, "uid", doc_uid(job));
    if (!known && !end) tell(r, "Warning", "UnexpectedJob", "Saw a job that the controller did not create or forgot: %s", doc_name(job));
    if (known && end) {
        remove_active(r, doc_uid(job));
        tell(r, "Normal", "SawCompletedJob", "Saw completed job: %s, condition: %s", doc_name(job), end);
    }
    if (str_eq(end, "Complete") && done && object_time(job->root, "status.completionTime") > object_time(r->o, "status.lastSuccessfulTime"))
        r->o = json_with(r->arena, r->o, "status.lastSuccessfulTime", json_string(r->arena, done));
}

static void look_at_jobs(struct run *r) {
    for (size_t i = 0; i < r->jobs.len; i++) look_at_job(r, r->jobs.items[i]);
    const struct json *listed = json_get(r->o, "status.active");
    JSON_EACH(ref, listed) {
        bool there = false;
        for (size_t i = 0; i < r->jobs.len && !there; i++) there = json_str_is(ref, "uid", doc_uid(r->jobs.items[i]));
        if (there) continue;
        tell(r, "Normal", "MissingJob", "Active job went missing: %s", json_str(ref, "name"));
        remove_active(r, json_str(ref, "uid"));
    }
}

static struct error *delete_job(struct run *r, const struct doc *job) {
    struct delete_options o = {.grace_period = -1, .propagation = "Background"};
    struct error *e = client_delete(r->runner->client, &resource_batch_jobs, doc_namespace(job), doc_name(job), &o);
    if (e && !error_is(e, "NotFound")) {
        tell(r, "Warning", "FailedDelete", "Deleted job: %s", e->message);
        return e;
    }
    error_free(e);
    remove_active(r, doc_uid(job));
    tell(r, "Normal", "SuccessfulDelete", "Deleted job %s", doc_name(job));
    return NULL;
}

static int by_start(const void *x, const void *y) {
    int64_t a = object_time((*(struct doc *const *)x)->root, "status.startTime"), b = object_time((*(struct doc *const *)y)->root, "status.startTime");
    if (a == 0 || b == 0) return a == b ? compare_names(x, y) : a == 0 ? 1 : -1;
    return a != b ? (a < b ? -1 : 1) : compare_names(x, y);
}

static void clean_history(struct run *r, const char *end, int64_t limit) {
    struct doc **done = arena_calloc(r->arena, r->jobs.len + 1, sizeof(*done));
    size_t n = 0;
    for (size_t i = 0; i < r->jobs.len; i++) {
        if (str_eq(outcome(r->jobs.items[i]->root), end)) done[n++] = r->jobs.items[i];
    }
    if (n) qsort(done, n, sizeof(*done), by_start);
    for (size_t i = 0; (int64_t)(n - i) > limit && i < n; i++) error_free(delete_job(r, done[i]));
}

/* ---- when; times in seconds, 0: none ---- */

struct recent { int64_t earliest, time; enum missed missed; };

/* The last time that is due; a rough count says how many were missed, without walking them all. */
static struct error *most_recent(const struct run *r, bool with_deadline, struct recent *out) {
    int64_t now = r->now / NSEC_PER_SEC, deadline = json_int(r->o, "spec.startingDeadlineSeconds", -1);
    int64_t last = object_time(r->o, "status.lastScheduleTime") / NSEC_PER_SEC;
    *out = (struct recent){.earliest = last ? last : object_created(r->o) / NSEC_PER_SEC};
    if (with_deadline && deadline >= 0) out->earliest = MAX(out->earliest, now - deadline);
    int64_t first = cron_next(&r->schedule, out->earliest), second = first ? cron_next(&r->schedule, first) : 0;
    if (first == 0 || (second != 0 && second - first < 1)) return error_new("time difference between two schedules is less than 1 second");
    if (now < first) return NULL;
    if (second == 0 || now < second) return out->time = first, NULL;
    int64_t between = second - first, count = (now - first) / between + 1;
    for (int64_t t = cron_next(&r->schedule, first + (count - 2) * between); t != 0 && t <= now; t = cron_next(&r->schedule, t)) out->time = t;
    out->missed = count > MANY ? MISSED_MANY : MISSED_FEW;
    return NULL;
}

static void again_at_next_time(struct run *r) {
    struct recent recent;
    struct error *e = most_recent(r, false, &recent);
    int64_t from = recent.time, next;
    if (e) from = r->now / NSEC_PER_SEC;
    else if (from == 0) from = recent.missed == MISSED_NONE ? recent.earliest : r->now / NSEC_PER_SEC;
    error_free(e);
    next = cron_next(&r->schedule, from);
    if (next) r->again = MAX(SECONDS(next) + DELTA - r->now, DELTA);
}

/* ---- the next job ---- */

static const struct json *make_job(const struct run *r, int64_t scheduled) {
    struct arena *a = r->arena;
    const struct json *t = json_get(r->o, "spec.jobTemplate");
    struct zone *zone = NULL;
    const char *zone_name = json_str_or(r->o, "spec.timeZone", "");
    char text[TIME_STRING_MAX];
    int64_t offset = zone_load(a, zone_name, &zone) ? zone_offset(zone, scheduled) : 0;
    const char *stamp = time_format(text, SECONDS(scheduled + offset));
    if (offset) stamp = arena_printf(a, "%.19s%c%02ld:%02ld", stamp, offset < 0 ? '-' : '+', labs(offset) / 3600, labs(offset) / 60 % 60);
    const struct json *annotations = json_with_member(a, json_get(t, "metadata.annotations"), "batch.kubernetes.io/cronjob-scheduled-timestamp", json_string(a, stamp));
    return json_make(a, "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':%s,'labels':%v,'annotations':%v,'ownerReferences':[%v]},'spec':%v}",
                     arena_printf(a, "%s-%ld", doc_name(r->cron), scheduled / 60), json_get(t, "metadata.labels"), annotations,
                     owner_reference(a, &resource_batch_cronjobs, r->cron), json_get(t, "spec"));
}

static struct error *replace_running(struct run *r) {
    const struct json *listed = json_get(r->o, "status.active");
    JSON_EACH(ref, listed) {
        cleanup_doc struct doc *job = cache_get(r->runner->cache, &resource_batch_jobs, doc_namespace(r->cron), json_str_or(ref, "name", ""));
        if (job) TRY(delete_job(r, job));
    }
    return NULL;
}

static struct error *start_job(struct run *r, int64_t scheduled) {
    const struct json *wanted = make_job(r, scheduled);
    const char *name = json_str(wanted, "metadata.name"), *ns = doc_namespace(r->cron);
    cleanup_doc struct doc *job = NULL;
    char text[TIME_STRING_MAX];
    struct error *e = client_create(r->runner->client, &resource_batch_jobs, ns, wanted, &job);
    if (error_namespace_terminating(e)) return error_free(e), NULL;
    if (error_is(e, "AlreadyExists")) {
        job = cache_get(r->runner->cache, &resource_batch_jobs, ns, name);
        if (!job || !controlled_by(job->root, doc_uid(r->cron))) return e;
        error_free(e);
    } else if (e) {
        tell(r, "Warning", "FailedCreate", "Error creating job: %s", e->message);
        return e;
    } else tell(r, "Normal", "SuccessfulCreate", "Created job %s", name);
    if (!outcome(job->root)) add_active(r, job);
    r->o = json_with(r->arena, r->o, "status.lastScheduleTime", json_string(r->arena, time_format(text, SECONDS(scheduled))));
    return NULL;
}

static struct error *start_if_due(struct run *r) {
    struct recent due;
    struct error *e = most_recent(r, true, &due);
    const char *schedule = json_str_or(r->o, "spec.schedule", ""), *policy = json_str_or(r->o, "spec.concurrencyPolicy", "");
    int64_t deadline = json_int(r->o, "spec.startingDeadlineSeconds", -1);
    if (e) {
        tell(r, "Warning", "InvalidSchedule", "invalid schedule: %s : %s", schedule, e->message);
        return error_free(e), NULL;
    }
    if (due.time && due.missed == MISSED_MANY)
        tell(r, "Warning", "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    bool done = due.time == 0 || SECONDS(due.time) == object_time(r->o, "status.lastScheduleTime") ||
                active(r, "name", arena_printf(r->arena, "%s-%ld", doc_name(r->cron), due.time / 60));
    if (!done && deadline >= 0 && SECONDS(due.time + deadline) < r->now) {
        char text[64];
        struct tm t;
        gmtime_r(&(time_t){due.time}, &t);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", &t);
        tell(r, "Warning", "MissSchedule", "Missed scheduled time to start a job: %s", text);
        done = true;
    }
    if (!done && str_eq(policy, "Forbid") && json_len(json_get(r->o, "status.active"))) {
        tell(r, "Normal", "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid");
        done = true;
    }
    if (!done && str_eq(policy, "Replace")) TRY(replace_running(r));
    if (!done) TRY(start_job(r, due.time));
    again_at_next_time(r);
    return NULL;
}

static struct error *sync_schedule(struct run *r) {
    const char *name = json_str(r->o, "spec.timeZone"), *schedule = json_str_or(r->o, "spec.schedule", "");
    struct zone *zone = NULL;
    if (object_deleting(r->o)) return NULL;
    if (name && !zone_load(r->arena, name, &zone)) {
        tell(r, "Warning", "UnknownTimeZone", "invalid timeZone: \"%s\": unknown time zone %s", name, name);
        return NULL;
    }
    if (json_bool(r->o, "spec.suspend", false)) return NULL;
    struct error *e = cron_parse(r->arena, schedule, zone, &r->schedule);
    if (!e) return start_if_due(r);
    tell(r, "Warning", "UnparseableSchedule", "unparseable schedule: \"%s\" : %s", schedule, e->message);
    return error_free(e), NULL;
}

static struct work_result reconcile(struct runner *runner, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *cron = cache_get(runner->cache, &resource_batch_cronjobs, ns, name);
    if (!cron) return WORK_DONE;
    struct run r = {.runner = runner, .arena = a, .cron = cron, .o = cron->root, .now = clock_wall(runner->clock)};
    cache_list_owned(runner->cache, &resource_batch_jobs, ns, doc_uid(cron), &r.jobs);
    clean_history(&r, "Complete", json_int(cron->root, "spec.successfulJobsHistoryLimit", 3)); /* first: what goes has no event */
    clean_history(&r, "Failed", json_int(cron->root, "spec.failedJobsHistoryLimit", 1));
    look_at_jobs(&r);
    struct error *e = sync_schedule(&r);
    struct error *written = workload_update_status(runner, a, &resource_batch_cronjobs, cron, json_get(r.o, "status"));
    doc_list_free(&r.jobs);
    if (e) return error_free(written), work_error(e);
    return written ? work_error(written) : work_again(r.again);
}

static const struct controller_source sources[] = {{.resource = &resource_batch_cronjobs}, {.resource = &resource_batch_jobs, .owner = &resource_batch_cronjobs}, {0}};
const struct controller cronjob_controller = {"cronjob-controller", .sources = sources, .reconcile = reconcile};
