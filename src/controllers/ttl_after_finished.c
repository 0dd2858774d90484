/* ttl-after-finished-controller: finished jobs go when their spec.ttlSecondsAfterFinished is over. */
#include "controllers/all.h"

static int64_t finished_at(const struct json *job) {
    static const char *const ends[] = {"Complete", "Failed"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (condition_is(job, ends[i], "True")) return object_time(condition_find(job, ends[i]), "lastTransitionTime");
    }
    return 0;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *job = cache_get(r->cache, &resource_batch_jobs, ns, name);
    int64_t ttl = job ? json_int(job->root, "spec.ttlSecondsAfterFinished", -1) : -1, end = job ? finished_at(job->root) : 0;
    if (ttl < 0 || end == 0 || object_deleting(job->root)) return WORK_DONE;
    int64_t left = end + SECONDS(ttl) - clock_wall(r->clock);
    if (left > 0) return work_again(left);
    struct delete_options o = {.uid = doc_uid(job), .revision = job->revision, .grace_period = -1, .propagation = "Foreground"};
    struct error *e = client_delete(r->client, &resource_batch_jobs, ns, name, &o);
    if (!error_is(e, "NotFound")) return work_error(e);
    error_free(e);
    return WORK_DONE;
}

static const struct controller_source sources[] = {{.resource = &resource_batch_jobs}, {0}};
const struct controller ttl_after_finished_controller = {"ttl-after-finished-controller", .sources = sources, .reconcile = reconcile};
