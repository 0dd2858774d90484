#include "controllers/deployment.h"
#include "base/str.h"
#include <math.h>

#define REVISION "deployment.kubernetes.io/revision"
#define HISTORY "deployment.kubernetes.io/revision-history"
#define DESIRED "deployment.kubernetes.io/desired-replicas"
#define MAX_REPLICAS "deployment.kubernetes.io/max-replicas"
#define HASH "pod-template-hash"

enum { HISTORY_LENGTH = 2000 };

int64_t replicaset_replicas(const struct doc *rs) { return json_int(rs->root, "spec.replicas", 1); }

int64_t deployment_total(const struct rollout *o, bool old_only) {
    int64_t n = 0;
    for (size_t i = 0; i < o->all.len; i++) n += old_only && i == o->new ? 0 : replicaset_replicas(o->all.items[i]);
    return n;
}

int64_t deployment_status_total(const struct rollout *o, const char *path) {
    int64_t n = 0;
    for (size_t i = 0; i < o->all.len; i++) n += json_int(o->all.items[i]->root, path, 0);
    return n;
}

static const struct json *with_annotation(struct arena *a, const struct json *o, const char *key, const char *value) {
    const struct json *annotations = json_with_member(a, json_get(o, "metadata.annotations"), key, json_string(a, value));
    return json_with(a, o, "metadata.annotations", annotations);
}

static int64_t revision_of(const struct json *o) {
    int64_t n;
    const char *s = object_annotation(o, REVISION);
    return s && str_to_int64(s, &n) ? n : 0;
}

/* ---- which set is new ---- */

static bool same_template(struct arena *a, const struct json *x, const struct json *y) {
    const struct json *labels = json_without_member(a, json_get(x, "metadata.labels"), HASH);
    const struct json *others = json_without_member(a, json_get(y, "metadata.labels"), HASH);
    return json_semantic_equal(json_with(a, x, "metadata.labels", json_len(labels) ? labels : NULL),
                               json_with(a, y, "metadata.labels", json_len(others) ? others : NULL));
}

static bool is_new(const struct rollout *o, const struct doc *rs) {
    return same_template(o->arena, json_get(rs->root, "spec.template"), json_get(o->d->root, "spec.template"));
}

void deployment_find_new(struct rollout *o) {
    if (o->all.len) qsort(o->all.items, o->all.len, sizeof(*o->all.items), compare_created);
    for (o->new = 0; o->new < o->all.len && !is_new(o, o->all.items[o->new]);) o->new++;
}

/* ---- annotations ---- */

static bool is_own_annotation(const char *key) {
    static const char *const own[] = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAX_REPLICAS,
                                      "deprecated.deployment.rollback.to", NULL};
    return str_in(key, own);
}

/* The old revision goes to the end of the history, whose oldest give way when it gets long. */
static const struct json *remember_revision(struct arena *a, const struct json *rs, const char *old) {
    const char *history = object_annotation(rs, HISTORY);
    if (!history || !*history) return with_annotation(a, rs, HISTORY, old);
    while (history && strlen(history) + strlen(old) + 1 > HISTORY_LENGTH) {
        const char *comma = strchr(history, ',');
        history = comma ? comma + 1 : NULL;
    }
    return with_annotation(a, rs, HISTORY, history ? arena_printf(a, "%s,%s", history, old) : old);
}

static const struct json *with_replica_annotations(const struct rollout *o, const struct json *rs) {
    struct arena *a = o->arena;
    return with_annotation(a, with_annotation(a, rs, DESIRED, arena_printf(a, "%ld", o->replicas)), MAX_REPLICAS,
                           arena_printf(a, "%ld", o->replicas + o->max_surge));
}

static const struct json *with_annotations(const struct rollout *o, const struct json *rs, int64_t revision) {
    struct arena *a = o->arena;
    JSON_EACH_MEMBER(m, json_get(o->d->root, "metadata.annotations")) {
        if (!is_own_annotation(m->key) && !str_eq(object_annotation(rs, m->key), m->value.s)) rs = with_annotation(a, rs, m->key, m->value.s);
    }
    if (revision_of(rs) >= revision) return rs;
    const char *old = object_annotation(rs, REVISION);
    rs = with_annotation(a, rs, REVISION, arena_printf(a, "%ld", revision));
    return old ? remember_revision(a, rs, old) : rs;
}

static const struct json *with_revision(const struct rollout *o, const struct json *d, const char *revision) {
    return !revision || str_eq(object_annotation(d, REVISION), revision) ? d : with_annotation(o->arena, d, REVISION, revision);
}

/* ---- bringing an existing set up to date ---- */

static int64_t next_revision(const struct rollout *o) {
    int64_t max = 0;
    for (size_t i = 0; i < o->all.len; i++) max = i == o->new ? max : MAX(max, revision_of(o->all.items[i]->root));
    return max + 1;
}

static struct error *replace(struct rollout *o, size_t i, const struct json *rs) {
    struct doc *updated;
    TRY(client_update(o->runner->client, &resource_apps_replicasets, doc_namespace(o->d), doc_name(o->all.items[i]), NULL, rs, &updated));
    doc_unref(o->all.items[i]);
    o->all.items[i] = updated;
    return NULL;
}

static struct error *update_existing(struct rollout *o) {
    struct doc *rs = deployment_new(o);
    int64_t min_ready = json_int(o->d->root, "spec.minReadySeconds", 0);
    const struct json *wanted = with_annotations(o, rs->root, next_revision(o));
    if (json_int(rs->root, "spec.minReadySeconds", 0) != min_ready)
        wanted = json_with(o->arena, wanted, "spec.minReadySeconds", json_integer(o->arena, min_ready));
    if (wanted != rs->root) return replace(o, o->new, wanted);
    const struct json *d = with_revision(o, o->d->root, object_annotation(rs->root, REVISION));
    if (deployment_has_deadline(d) && !condition_find(d, "Progressing"))
        d = deployment_condition(o, d, "Progressing", "True", "FoundNewReplicaSet", arena_printf(o->arena, "Found new replica set \"%s\"", doc_name(rs)));
    return d == o->d->root ? NULL : deployment_write_status(o, d);
}

/* ---- making a new set ---- */

/* How many the new set may have beside what there is. */
static int64_t new_replicas(const struct rollout *o, int64_t present) {
    if (!o->rolling) return o->replicas;
    int64_t room = o->replicas + o->max_surge - deployment_total(o, false);
    return room <= 0 ? present : present + MIN(room, o->replicas - present);
}

static const struct json *make_new(const struct rollout *o, const char **name, int64_t replicas) {
    struct arena *a = o->arena;
    const struct json *d = o->d->root, *template = json_get(d, "spec.template");
    const char *hash = object_hash(a, template, json_get(d, "status.collisionCount"));
    *name = arena_printf(a, "%s-%s", doc_name(o->d), hash);
    const struct json *labels = json_with_member(a, json_get(template, "metadata.labels"), HASH, json_string(a, hash));
    const struct json *match = json_with_member(a, json_get(d, "spec.selector.matchLabels"), HASH, json_string(a, hash));
    const struct json *rs = json_make(
        a, "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':%s,'labels':%v,'ownerReferences':[%v]},'spec':{'replicas':%ld,'minReadySeconds':%v,'selector':%v,'template':%v}}",
        *name, labels, owner_reference(a, &resource_apps_deployments, o->d), replicas, json_get(d, "spec.minReadySeconds"),
        json_with(a, json_get(d, "spec.selector"), "matchLabels", match), json_with(a, template, "metadata.labels", labels));
    return with_replica_annotations(o, with_annotations(o, rs, next_revision(o)));
}

/* The name is taken: by this deployment's own set, or by a stranger, and then the next hash will be another one. */
static struct error *resolve_collision(struct rollout *o, const char *name, struct error *e, struct doc **out) {
    cleanup_doc struct doc *rs = cache_get(o->runner->cache, &resource_apps_replicasets, doc_namespace(o->d), name);
    if (rs && controlled_by(rs->root, doc_uid(o->d)) && is_new(o, rs)) {
        *out = TAKE(rs);
        return error_free(e), NULL;
    }
    int64_t count = json_int(o->d->root, "status.collisionCount", 0) + 1;
    error_free(deployment_write_status(o, json_with(o->arena, o->d->root, "status.collisionCount", json_integer(o->arena, count))));
    return e;
}

static struct error *creation_failed(struct rollout *o, const char *name, struct error *e) {
    const char *message = arena_printf(o->arena, "Failed to create new replica set \"%s\": %s", name, e->message);
    if (deployment_has_deadline(o->d->root))
        error_free(deployment_write_status(o, deployment_condition(o, o->d->root, "Progressing", "False", "ReplicaSetCreateError", message)));
    recorder_event(o->runner->events, o->d->root, "Warning", "ReplicaSetCreateError", "%s", message);
    return e;
}

static struct error *create_new(struct rollout *o) {
    int64_t replicas = new_replicas(o, 0), revision = next_revision(o);
    const char *name;
    const struct json *wanted = make_new(o, &name, replicas);
    struct doc *rs = NULL;
    struct error *e = client_create(o->runner->client, &resource_apps_replicasets, doc_namespace(o->d), wanted, &rs);
    bool existed = error_is(e, "AlreadyExists");
    if (existed) e = resolve_collision(o, name, e, &rs);
    else if (e && !error_namespace_terminating(e)) return creation_failed(o, name, e);
    if (e) return e;
    doc_list_add(&o->all, rs);
    doc_unref(rs);
    o->new = o->all.len - 1;
    if (!existed && replicas > 0)
        recorder_event(o->runner->events, o->d->root, "Normal", "ScalingReplicaSet", "Scaled up replica set %s from 0 to %ld", name, replicas);
    const struct json *d = with_revision(o, o->d->root, arena_printf(o->arena, "%ld", revision));
    if (!existed && deployment_has_deadline(d))
        d = deployment_condition(o, d, "Progressing", "True", "NewReplicaSetCreated", arena_printf(o->arena, "Created new replica set \"%s\"", name));
    return d == o->d->root ? NULL : deployment_write_status(o, d);
}

struct error *deployment_sync_revision(struct rollout *o, bool create) {
    if (deployment_new(o)) return update_existing(o);
    return create ? create_new(o) : NULL;
}

/* ---- scaling and history ---- */

struct error *deployment_scale(struct rollout *o, size_t i, int64_t replicas, bool *scaled) {
    struct doc *rs = o->all.items[i];
    int64_t old = replicaset_replicas(rs);
    const struct json *wanted = with_replica_annotations(o, json_with(o->arena, rs->root, "spec.replicas", json_integer(o->arena, replicas)));
    if (json_semantic_equal(wanted, rs->root)) return NULL;
    TRY(replace(o, i, wanted));
    if (old == replicas) return NULL;
    *scaled = true;
    recorder_event(o->runner->events, o->d->root, "Normal", "ScalingReplicaSet", "Scaled %s replica set %s from %ld to %ld",
                   replicas > old ? "up" : "down", doc_name(o->all.items[i]), old, replicas);
    return NULL;
}

static int by_revision(const void *x, const void *y) {
    int64_t a = revision_of((*(struct doc *const *)x)->root), b = revision_of((*(struct doc *const *)y)->root);
    return a != b ? (a < b ? -1 : 1) : compare_created(x, y);
}

static bool in_use(const struct doc *rs) {
    return json_int(rs->root, "status.replicas", 0) != 0 || replicaset_replicas(rs) != 0 ||
           json_int(rs->root, "metadata.generation", 0) > json_int(rs->root, "status.observedGeneration", 0);
}

struct error *deployment_clean_history(struct rollout *o) {
    int64_t limit = json_int(o->d->root, "spec.revisionHistoryLimit", INT32_MAX);
    struct doc **old = arena_calloc(o->arena, o->all.len + 1, sizeof(*old));
    size_t n = 0;
    for (size_t i = 0; i < o->all.len; i++) {
        if (i != o->new && !object_deleting(o->all.items[i]->root)) old[n++] = o->all.items[i];
    }
    if (limit == INT32_MAX || (int64_t)n <= limit) return NULL;
    qsort(old, n, sizeof(*old), by_revision);
    for (size_t i = 0; i < n - (size_t)limit; i++) {
        if (in_use(old[i])) continue;
        struct error *e = client_delete(o->runner->client, &resource_apps_replicasets, doc_namespace(o->d), doc_name(old[i]),
                                        &(struct delete_options){.grace_period = -1, .propagation = "Background"});
        if (e && !error_is(e, "NotFound")) return e;
        error_free(e);
    }
    return NULL;
}
