#include "controllers/deployment.h"
#include "base/str.h"

bool deployment_has_deadline(const struct json *d) { return json_int(d, "spec.progressDeadlineSeconds", INT32_MAX) != INT32_MAX; }

const struct json *deployment_condition(const struct rollout *o, const struct json *d, const char *type, const char *status, const char *reason,
                                        const char *message) {
    const struct json *old = condition_find(d, type);
    if (json_str_is(old, "status", status) && json_str_is(old, "reason", reason)) return d;
    return condition_set(o->arena, d, &(struct condition){.type = type, .status = status, .reason = reason, .message = message, .update_time = true},
                         clock_wall(o->runner->clock));
}

struct error *deployment_write_status(struct rollout *o, const struct json *d) {
    struct doc *updated;
    TRY(client_update(o->runner->client, &resource_apps_deployments, doc_namespace(o->d), doc_name(o->d), "status", d, &updated));
    doc_unref(o->d);
    o->d = updated;
    return NULL;
}

/* NULL for a zero, which is left out. */
static const struct json *count(const struct rollout *o, int64_t n) { return n ? json_integer(o->arena, n) : NULL; }

const struct json *deployment_new_status(const struct rollout *o) {
    const struct json *d = o->d->root;
    const struct doc *new = deployment_new(o);
    int64_t available = deployment_status_total(o, "status.availableReplicas");
    const struct json *status = json_make(
        o->arena,
        "{'observedGeneration':%ld,'replicas':%v,'updatedReplicas':%v,'readyReplicas':%v,'availableReplicas':%v,'unavailableReplicas':%v,"
        "'terminatingReplicas':%ld,'collisionCount':%v,'conditions':%v}",
        json_int(d, "metadata.generation", 0), count(o, deployment_status_total(o, "status.replicas")),
        count(o, new ? json_int(new->root, "status.replicas", 0) : 0), count(o, deployment_status_total(o, "status.readyReplicas")),
        count(o, available), count(o, MAX(deployment_total(o, false) - available, 0)), deployment_status_total(o, "status.terminatingReplicas"),
        json_get(d, "status.collisionCount"), json_get(d, "status.conditions"));
    d = json_with(o->arena, d, "status", status);
    if (available >= o->replicas - o->max_unavailable)
        return deployment_condition(o, d, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
    return deployment_condition(o, d, "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.");
}

bool deployment_complete(const struct rollout *o, const struct json *d) {
    return json_int(d, "status.updatedReplicas", 0) == o->replicas && json_int(d, "status.replicas", 0) == o->replicas &&
           json_int(d, "status.availableReplicas", 0) == o->replicas &&
           json_int(d, "status.observedGeneration", 0) >= json_int(d, "metadata.generation", 0);
}

static int64_t old_replicas(const struct json *d) { return json_int(d, "status.replicas", 0) - json_int(d, "status.updatedReplicas", 0); }

static bool progressed(const struct json *was, const struct json *is) {
    static const char *const growing[] = {"status.updatedReplicas", "status.readyReplicas", "status.availableReplicas"};
    for (size_t i = 0; i < ARRAY_LEN(growing); i++) {
        if (json_int(is, growing[i], 0) > json_int(was, growing[i], 0)) return true;
    }
    return old_replicas(is) < old_replicas(was);
}

/* When Progressing will have been unchanged for too long. */
static int64_t deadline(const struct json *d) {
    return object_time(condition_find(d, "Progressing"), "lastUpdateTime") + SECONDS(json_int(d, "spec.progressDeadlineSeconds", 0));
}

static bool timed_out(const struct rollout *o, const struct json *d) {
    const struct json *c = condition_find(d, "Progressing");
    if (!c || json_str_is(c, "reason", "NewReplicaSetAvailable")) return false;
    return json_str_is(c, "reason", "ProgressDeadlineExceeded") || deadline(d) < clock_wall(o->runner->clock);
}

static const char *what(const struct rollout *o, const char *rest) {
    const struct doc *new = deployment_new(o);
    return arena_printf(o->arena, "%s \"%s\" %s", new ? "ReplicaSet" : "Deployment", doc_name(new ? new : o->d), rest);
}

/* Progress moves lastUpdateTime even when status and reason stay, because the deadline counts from there: the condition
 * is set without its message first. */
static const struct json *with_progress(const struct rollout *o, const struct json *d) {
    int64_t now = clock_wall(o->runner->clock);
    struct condition c = {.type = "Progressing", .status = "True", .reason = "ReplicaSetUpdated", .update_time = true};
    if (deployment_complete(o, d)) return deployment_condition(o, d, c.type, "True", "NewReplicaSetAvailable", what(o, "has successfully progressed."));
    if (progressed(o->d->root, d)) {
        d = condition_set(o->arena, d, &c, now);
        c.message = what(o, "is progressing.");
        return condition_set(o->arena, d, &c, now);
    }
    if (timed_out(o, d)) return deployment_condition(o, d, c.type, "False", "ProgressDeadlineExceeded", what(o, "has timed out progressing."));
    return d;
}

/* The failure of the new set, else of any. */
static const struct json *replica_failure(const struct rollout *o) {
    const struct doc *new = deployment_new(o);
    const struct json *c = new ? condition_find(new->root, "ReplicaFailure") : NULL;
    for (size_t i = 0; i < o->all.len && !c; i++) c = condition_find(o->all.items[i]->root, "ReplicaFailure");
    return c;
}

static const struct json *with_failure(const struct rollout *o, const struct json *d) {
    const struct json *c = replica_failure(o);
    if (!c) return condition_remove(o->arena, d, "ReplicaFailure");
    return deployment_condition(o, d, "ReplicaFailure", json_str(c, "status"), json_str(c, "reason"), json_str(c, "message"));
}

/* Looks again when the deadline is over. */
static struct work_result await_deadline(const struct rollout *o) {
    const struct json *d = o->d->root, *c = condition_find(d, "Progressing");
    if (!deployment_has_deadline(d) || !c || deployment_complete(o, d) || json_str_is(c, "reason", "ProgressDeadlineExceeded")) return WORK_DONE;
    return work_again(MAX(deadline(d) - clock_wall(o->runner->clock), 0) + SECONDS(1));
}

struct work_result deployment_sync_rollout_status(struct rollout *o) {
    const struct json *d = deployment_new_status(o), *old = condition_find(d, "Progressing");
    bool was_complete = json_str_is(old, "reason", "NewReplicaSetAvailable") &&
                        json_int(d, "status.replicas", 0) == json_int(d, "status.updatedReplicas", 0);
    if (!deployment_has_deadline(d)) d = condition_remove(o->arena, d, "Progressing");
    else if (!was_complete) d = with_progress(o, d);
    d = with_failure(o, d);
    if (json_semantic_equal(json_get(d, "status"), json_get(o->d->root, "status"))) return await_deadline(o);
    return work_error(deployment_write_status(o, d));
}
