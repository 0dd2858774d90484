#include "controllers/job.h"
#include "base/str.h"

enum { BURST = 500, NAME_PREFIX_MAX = 58 };
#define BACKOFF SECONDS(10)
#define BACKOFF_MAX SECONDS(600)

/* ---- facts about pods ---- */

static int64_t containers_finished(const struct json *pod) {
    int64_t last = 0;
    JSON_EACH(s, json_get(pod, "status.containerStatuses")) {
        int64_t t = object_time(s, "state.terminated.finishedAt");
        if (t == 0) return 0;
        last = MAX(last, t);
    }
    return last;
}

int64_t job_pod_finished(const struct job_run *j, const struct json *pod) {
    int64_t t = containers_finished(pod);
    if (t == 0 && condition_is(pod, "Ready", "False")) t = object_time(condition_find(pod, "Ready"), "lastTransitionTime");
    if (t == 0) t = object_time(pod, "metadata.deletionTimestamp") - SECONDS(json_int(pod, "metadata.deletionGracePeriodSeconds", 0));
    return t > 0 ? t : j->now;
}

static int64_t annotation_count(const struct json *pod, const char *name) {
    int64_t n;
    const char *s = object_annotation(pod, name);
    return s && str_to_int64(s, &n) ? n : 0;
}

int64_t job_pod_index_failures(const struct json *pod, bool with_ignored) {
    return annotation_count(pod, JOB_INDEX_FAILURES) + (with_ignored ? annotation_count(pod, JOB_INDEX_IGNORED) : 0);
}

static int64_t backoff_left(const struct job_run *j, int64_t failures, int64_t last) {
    int64_t wait = BACKOFF;
    if (failures <= 0) return 0;
    while (--failures > 0 && wait < BACKOFF_MAX) wait *= 2;
    return MAX(last + MIN(wait, BACKOFF_MAX) - j->now, 0);
}

/* ---- deletion ---- */

/* `uncounted`: they go without being counted as failed. */
static struct error *delete_pods(struct job_run *j, struct doc **pods, size_t count, bool uncounted, int64_t *deleted) {
    struct error *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct error *e = uncounted ? job_remove_finalizer(j->runner, pods[i]) : NULL;
        if (!e) e = workload_delete_pod(j->runner, j->job, pods[i]);
        if (!e) {
            ++*deleted;
            j->active--;
            j->terminating++;
            j->ready -= pod_is_ready(pods[i]->root);
        } else if (first) error_free(e);
        else first = e;
    }
    return first;
}

static size_t active_pods(const struct job_run *j, struct doc **out) {
    size_t n = 0;
    for (size_t i = 0; i < j->pod_count; i++) {
        if (j->pods[i].active) out[n++] = j->pods[i].doc;
    }
    return n;
}

struct error *job_delete_active(struct job_run *j, int64_t *deleted) {
    struct doc **pods = arena_calloc(j->arena, j->pod_count + 1, sizeof(*pods));
    return delete_pods(j, pods, active_pods(j, pods), false, deleted);
}

/* At least `count`: pods without an index of the job's go in any case, and of those with the same index all but the first
 * in the order in which pods would be kept. */
static size_t choose_removed(const struct job_run *j, struct doc **out, size_t count) {
    size_t n = active_pods(j, out), removed = 0;
    workload_sort_for_deletion(out, n, NULL, j->now);
    struct doc **left = arena_calloc(j->arena, n + 1, sizeof(*left)), **all = arena_dup(j->arena, out, (n + 1) * sizeof(*out));
    size_t left_count = 0;
    struct indexes seen = {0};
    for (size_t i = n; i-- > 0;) {
        int64_t index = -1;
        const char *text = object_annotation(all[i]->root, JOB_INDEX);
        if (text && !str_to_int64(text, &index)) index = -1;
        if (j->indexed && (index < 0 || index >= j->completions || indexes_has(seen, index))) out[removed++] = all[i];
        else left[left_count++] = all[i];
        if (index >= 0) seen = indexes_with(j->arena, seen, index);
    }
    while (removed < count && left_count > 0) out[removed++] = left[--left_count];
    return removed;
}

/* ---- creation ---- */

static const struct json *with_index_variable(struct arena *a, const struct json *containers) {
    struct json_array out = {.arena = a};
    JSON_EACH(c, containers) {
        bool has = false;
        JSON_EACH(e, json_get(c, "env")) has = has || json_str_is(e, "name", "JOB_COMPLETION_INDEX");
        const struct json *variable = json_make(a, "{'name':'JOB_COMPLETION_INDEX','valueFrom':{'fieldRef':{'apiVersion':'v1','fieldPath':%s}}}", "metadata.labels['" JOB_INDEX "']");
        json_array_add(&out, has ? c : json_with(a, c, "env", json_append(a, json_get(c, "env"), variable)));
    }
    return out.len ? json_array_done(&out) : NULL;
}

struct creation {
    struct job_run *run;
    const struct json *template, *reference;
    int64_t *indexes; /* NULL: not indexed */
    int64_t created;
};

/* The pod of this index that failed last; the new one takes over its count. */
static const struct json *replaced_pod(const struct job_run *j, int64_t index) {
    for (size_t i = 0; i < j->pod_count; i++) {
        if (j->pods[i].delayed && j->pods[i].index == index) return j->pods[i].o;
    }
    return NULL;
}

static const struct json *with_failure_count(const struct job_run *j, const struct json *annotations, int64_t index) {
    struct arena *a = j->arena;
    const struct json *old = replaced_pod(j, index);
    int64_t counted = annotation_count(old, JOB_INDEX_FAILURES), ignored = annotation_count(old, JOB_INDEX_IGNORED);
    if (old && job_failure_action(j, old, NULL) == JOB_IGNORE) ignored++;
    else if (old) counted++;
    annotations = json_with_member(a, annotations, JOB_INDEX_FAILURES, json_strf(a, "%ld", counted));
    return ignored ? json_with_member(a, annotations, JOB_INDEX_IGNORED, json_strf(a, "%ld", ignored)) : annotations;
}

static const struct json *indexed_pod(const struct creation *c, int64_t index) {
    const struct job_run *j = c->run;
    struct arena *a = j->arena;
    const char *name = doc_name(j->job), *suffix = arena_printf(a, "-%ld", index);
    const struct json *t = c->template, *number = json_strf(a, "%ld", index);
    const struct json *annotations = json_with_member(a, json_get(t, "metadata.annotations"), JOB_INDEX, number);
    if (j->per_index) annotations = with_failure_count(j, annotations, index);
    t = json_with(a, t, "metadata.annotations", annotations);
    t = json_with(a, t, "metadata.labels", json_with_member(a, json_get(t, "metadata.labels"), JOB_INDEX, number));
    t = json_with(a, t, "spec.hostname", json_strf(a, "%s%s", name, suffix));
    int room = NAME_PREFIX_MAX - 1 - (int)strlen(suffix);
    return workload_pod(a, t, arena_printf(a, "%.*s%s", room, name, suffix), c->reference);
}

static struct error *create_one(size_t i, void *arg) {
    struct creation *c = arg;
    struct job_run *j = c->run;
    const struct json *pod = c->indexes ? indexed_pod(c, c->indexes[i]) : workload_pod(j->arena, c->template, doc_name(j->job), c->reference);
    struct error *e = workload_create_pod(j->runner, j->job, pod);
    if (!e) c->created++;
    return error_namespace_terminating(e) ? error_free(e), NULL : e;
}

static const struct json *prepare_template(const struct job_run *j) {
    struct arena *a = j->arena;
    const struct json *t = object_with_finalizer(a, json_get(j->o, "spec.template"), JOB_FINALIZER);
    if (!j->indexed) return t;
    t = json_with(a, t, "spec.initContainers", with_index_variable(a, json_get(t, "spec.initContainers")));
    return json_with(a, t, "spec.containers", with_index_variable(a, json_get(t, "spec.containers")));
}

/* The first indexes that have neither succeeded nor failed nor a pod (a terminating one counts where only failed pods are
 * replaced) nor to wait after a failure. */
static int64_t pending_indexes(struct job_run *j, int64_t *out, int64_t count) {
    struct indexes taken = j->succeeded_indexes;
    for (size_t i = 0; i < j->failed_indexes.len; i++) {
        struct interval v = j->failed_indexes.items[i];
        for (int64_t k = v.first; k <= v.last; k++) taken = indexes_with(j->arena, taken, k);
    }
    for (size_t i = 0; i < j->pod_count; i++) {
        const struct job_pod *p = &j->pods[i];
        bool terminating = j->only_failed_replaced && object_deleting(p->o) && !pod_is_terminal(p->o);
        if (p->index >= 0 && (p->active || terminating)) taken = indexes_with(j->arena, taken, p->index);
    }
    int64_t n = 0, wait = 0, seen = 0;
    for (int64_t k = 0; k < j->completions && seen < count; k++) {
        if (indexes_has(taken, k)) continue;
        const struct json *old = j->per_index ? replaced_pod(j, k) : NULL;
        int64_t left = old ? backoff_left(j, job_pod_index_failures(old, true) + 1, job_pod_finished(j, old)) : 0;
        if (left == 0) out[n++] = k;
        else wait = wait ? MIN(wait, left) : left;
        seen++;
    }
    if (wait) job_again(j, wait);
    return n;
}

static struct error *create_pods(struct job_run *j, int64_t count) {
    int64_t wait = j->per_index ? 0 : backoff_left(j, j->backoff.failures, j->backoff.last_failure);
    struct creation c = {.run = j, .template = prepare_template(j), .reference = owner_reference(j->arena, &resource_batch_jobs, j->job)};
    if (wait > 0) return job_again(j, wait), NULL;
    count = MIN(count, BURST);
    if (j->indexed) {
        c.indexes = arena_calloc(j->arena, (size_t)count, sizeof(*c.indexes));
        count = pending_indexes(j, c.indexes, count);
    }
    struct error *e = workload_slow_start((size_t)count, create_one, &c);
    j->active += c.created;
    return e;
}

struct error *job_manage_pods(struct job_run *j) {
    int64_t wanted = MAX(MIN(j->completions - j->succeeded, j->parallelism), 0), ignored = 0;
    if (j->completions < 0) wanted = j->succeeded > 0 ? j->active : j->parallelism;
    struct doc **removed = arena_calloc(j->arena, j->pod_count + 1, sizeof(*removed));
    if (j->suspended) return delete_pods(j, removed, active_pods(j, removed), true, &ignored);
    size_t count = choose_removed(j, removed, (size_t)MAX(j->active - wanted, 0));
    if (count > 0) return delete_pods(j, removed, MIN(count, BURST), true, &ignored);
    int64_t missing = wanted - j->active - (j->only_failed_replaced ? j->terminating : 0);
    return missing > 0 ? create_pods(j, missing) : NULL;
}

/* Of each index without an active pod the pod that failed last stays: it has the count. */
void job_mark_delayed(struct job_run *j) {
    for (size_t i = 0; i < j->pod_count; i++) {
        struct job_pod *p = &j->pods[i];
        if (!p->failed || !p->finalizer || p->index < 0 || indexes_has(j->succeeded_indexes, p->index) || indexes_has(j->failed_indexes, p->index)) continue;
        bool latest = true;
        for (size_t k = 0; k < j->pod_count && latest; k++) {
            struct job_pod *q = &j->pods[k];
            if (q->index != p->index || q == p) continue;
            if (q->active) latest = false;
            if (!q->delayed) continue;
            latest = job_pod_index_failures(q->o, true) <= job_pod_index_failures(p->o, true) &&
                     job_pod_finished(j, p->o) >= job_pod_finished(j, q->o);
            q->delayed = !latest;
        }
        p->delayed = latest;
    }
}

struct error *job_remove_finalizer(struct runner *r, const struct doc *pod) {
    cleanup_arena struct arena a = {0};
    const struct json *patch = json_make(&a, "{'metadata':{'uid':%s,'$deleteFromPrimitiveList/finalizers':['" JOB_FINALIZER "']}}", doc_uid(pod));
    struct error *e = client_patch(r->client, &resource_pods, doc_namespace(pod), doc_name(pod), NULL, PATCH_STRATEGIC, patch, NULL);
    if (!error_is(e, "NotFound") && !error_is(e, "Invalid")) return e;
    error_free(e);
    return NULL;
}
