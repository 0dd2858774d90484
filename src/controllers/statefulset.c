/* statefulset-controller: pods with ordinals, in order. One run does what the order allows: it creates missing pods, then
 * takes away those out of range, then replaces one of an old revision. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/history.h"
#include "controllers/statefulset.h"

#define REVISION_LABEL "controller-revision-hash"
#define HISTORY_HASH_LABEL "controller.kubernetes.io/hash"

/* ---- pods ---- */

static const char *pod_revision(const struct doc *pod) { return json_str_or(object_labels(pod->root), REVISION_LABEL, ""); }
static bool pod_created(const struct doc *pod) { return pod && *json_str_or(pod->root, "status.phase", ""); }
static bool pod_ready(const struct doc *pod) { return json_str_is(pod->root, "status.phase", "Running") && pod_is_ready(pod->root); }
static bool pod_available(const struct set *s, const struct doc *pod) {
    return pod_ready(pod) && pod_is_available(pod->root, s->min_ready, s->now);
}
static bool unavailable(const struct set *s, const struct doc *pod) { return !pod || !pod_available(s, pod) || object_deleting(pod->root); }

int64_t set_ordinal(const struct set *s, const struct json *pod) {
    const char *name = json_str_or(pod, "metadata.name", ""), *own = doc_name(s->doc);
    size_t n = strlen(own);
    int64_t ordinal;
    if (strncmp(name, own, n) != 0 || name[n] != '-' || name[n + 1] < '0' || name[n + 1] > '9') return -1;
    return str_to_int64(name + n + 1, &ordinal) ? ordinal : -1;
}

bool set_in_range(const struct set *s, int64_t ordinal) { return ordinal >= s->start && ordinal < s->start + s->replicas; }

static const struct json *identity_labels(struct arena *a, const struct json *labels, const char *name, int64_t ordinal) {
    labels = json_with_member(a, labels, "statefulset.kubernetes.io/pod-name", json_string(a, name));
    return json_with_member(a, labels, "apps.kubernetes.io/pod-index", json_strf(a, "%ld", ordinal));
}

/* Volumes of the claims come first and take the place of the template's of the same name. */
static const struct json *with_claims(const struct set *s, const struct json *spec, int64_t ordinal) {
    struct arena *a = s->arena;
    struct json_array volumes = {.arena = a};
    const struct json *templates = json_get(s->doc->root, "spec.volumeClaimTemplates");
    JSON_EACH(t, templates) {
        json_array_add(&volumes, json_make(a, "{'name':%s,'persistentVolumeClaim':{'claimName':%s}}", json_str(t, "metadata.name"), set_claim_name(s, t, ordinal)));
    }
    JSON_EACH(v, json_get(spec, "volumes")) {
        bool replaced = false;
        JSON_EACH(t, templates) replaced = replaced || str_eq(json_str(t, "metadata.name"), json_str(v, "name"));
        if (!replaced) json_array_add(&volumes, v);
    }
    return volumes.len ? json_with(a, spec, "volumes", json_array_done(&volumes)) : spec;
}

/* Ordinals below the partition stay at the current revision. */
static const struct json *make_pod(const struct set *s, int64_t ordinal) {
    struct arena *a = s->arena;
    const struct json *strategy = json_get(s->doc->root, "spec.updateStrategy");
    int64_t partition = json_int(strategy, "rollingUpdate.partition", 0);
    bool old = json_str_is(strategy, "type", "RollingUpdate") && ordinal < s->start + partition;
    const struct doc *revision = old ? s->current : s->update;
    const char *name = arena_printf(a, "%s-%ld", doc_name(s->doc), ordinal);
    const struct json *pod = workload_pod(a, history_template(a, revision), doc_name(s->doc), owner_reference(a, &resource_apps_statefulsets, s->doc));
    const struct json *labels = identity_labels(a, object_labels(pod), name, ordinal);
    pod = json_with(a, pod, "metadata.name", json_string(a, name));
    pod = json_with(a, pod, "metadata.labels", json_with_member(a, labels, REVISION_LABEL, json_string(a, doc_name(revision))));
    const struct json *spec = json_with(a, with_claims(s, json_get(pod, "spec"), ordinal), "hostname", json_string(a, name));
    const char *service = json_str(s->doc->root, "spec.serviceName");
    return json_with(a, pod, "spec", service && *service ? json_with(a, spec, "subdomain", json_string(a, service)) : spec);
}

struct error *set_tell(const struct set *s, const char *verb, const char *pod, struct error *e) {
    struct recorder *events = s->runner->events;
    const char *name = doc_name(s->doc), *reason = arena_printf(s->arena, "%s%s", e ? "Failed" : "Successful", verb);
    if (!e) recorder_event(events, s->doc->root, "Normal", reason, "%s Pod %s in StatefulSet %s successful", verb, pod, name);
    else recorder_event(events, s->doc->root, "Warning", reason, "%s Pod %s in StatefulSet %s failed error: %s", verb, pod, name, e->message);
    return e;
}

static struct error *create_pod(struct set *s, int64_t ordinal) {
    const struct json *pod = make_pod(s, ordinal);
    const char *name = json_str(pod, "metadata.name");
    struct error *e = set_create_claims(s, pod);
    cleanup_doc struct doc *created = NULL;
    if (!e) e = client_create(s->runner->client, &resource_pods, doc_namespace(s->doc), pod, &created);
    if (error_is(e, "AlreadyExists")) return e;
    if (!e) TRY(set_fix_claims(s, created->root));
    return set_tell(s, "Create", name, e);
}

static struct error *delete_pod(struct set *s, struct doc *pod) {
    struct delete_options o = {.grace_period = -1};
    struct error *e = client_delete(s->runner->client, &resource_pods, doc_namespace(pod), doc_name(pod), &o);
    if (error_is(e, "NotFound")) return error_free(e), NULL;
    return set_tell(s, "Delete", doc_name(pod), e);
}

/* Labels that say who the pod is, and its claims. */
static struct error *keep_identity(struct set *s, struct doc *pod) {
    struct arena *a = s->arena;
    const struct json *labels = identity_labels(a, object_labels(pod->root), doc_name(pod), set_ordinal(s, pod->root));
    if (!json_semantic_equal(labels, object_labels(pod->root))) {
        TRY(set_tell(s, "Update", doc_name(pod), client_update(s->runner->client, &resource_pods, doc_namespace(pod), doc_name(pod), NULL,
                                                              json_with(a, pod->root, "metadata.labels", labels), NULL)));
    }
    return set_fix_claims(s, pod->root);
}

/* ---- the three steps; *stop ends the run ---- */

static struct error *process_replica(struct set *s, int64_t i, bool *stop) {
    struct doc *pod = s->pods[i];
    if (!pod) {
        *stop = s->monotonic;
        if (set_claims_stale(s, make_pod(s, s->start + i))) return s->again = SECONDS(1), *stop = true, NULL;
        return create_pod(s, s->start + i);
    }
    if (pod_is_terminal(pod->root)) {
        *stop = true;
        return object_deleting(pod->root) ? NULL : delete_pod(s, pod);
    }
    if (json_str_is(pod->root, "status.phase", "Pending")) TRY(set_create_claims(s, pod->root));
    if (s->monotonic && unavailable(s, pod)) return *stop = true, NULL;
    return keep_identity(s, pod);
}

/* All of them, where order does not matter: one that cannot go on does not stop the others, an error stops the next batch. */
static struct error *process_any(size_t i, void *arg) {
    bool stop = false;
    return process_replica(arg, (int64_t)i, &stop);
}

static struct error *process_replicas(struct set *s, bool *stop) {
    if (!s->monotonic) return workload_slow_start((size_t)s->replicas, process_any, s);
    for (int64_t i = 0; i < s->replicas && !*stop; i++) TRY(process_replica(s, i, stop));
    return NULL;
}

static struct doc *first_unavailable(const struct set *s) {
    for (int64_t i = 0; i < s->replicas; i++) {
        if (unavailable(s, s->pods[i])) return s->pods[i];
    }
    for (size_t i = s->condemned_count; i-- > 0;) {
        if (unavailable(s, s->condemned[i])) return s->condemned[i];
    }
    return NULL;
}

static struct error *process_condemned(struct set *s, bool *stop) {
    struct doc *first = first_unavailable(s);
    for (size_t i = 0; i < s->condemned_count; i++) TRY(set_fix_claims(s, s->condemned[i]->root));
    for (size_t i = 0; i < s->condemned_count; i++) {
        struct doc *pod = s->condemned[i];
        bool wait = object_deleting(pod->root) || (s->monotonic && !pod_available(s, pod) && pod != first);
        if (!wait) TRY(delete_pod(s, pod));
        if (s->monotonic) return *stop = true, NULL;
    }
    return NULL;
}

static struct error *process_update(struct set *s) {
    const struct json *strategy = json_get(s->doc->root, "spec.updateStrategy");
    if (json_str_is(strategy, "type", "OnDelete")) return NULL;
    for (int64_t i = s->replicas; i-- > json_int(strategy, "rollingUpdate.partition", 0);) {
        struct doc *pod = s->pods[i];
        if (pod && !str_eq(pod_revision(pod), doc_name(s->update)) && !object_deleting(pod->root)) {
            s->deleted = pod;
            return delete_pod(s, pod);
        }
        if (unavailable(s, pod)) return NULL;
    }
    return NULL;
}

static struct error *process(struct set *s) {
    bool stop = false;
    if (object_deleting(s->doc->root)) return NULL;
    TRY(process_replicas(s, &stop));
    if (!stop) TRY(process_condemned(s, &stop));
    return stop ? NULL : process_update(s);
}

/* ---- status ---- */

static const struct json *new_status(const struct set *s, int64_t collisions) {
    struct arena *a = s->arena;
    int64_t replicas = 0, ready = 0, available = 0, current = 0, updated = 0;
    const char *current_name = doc_name(s->current);
    for (size_t i = 0; i < s->list.len; i++) {
        const struct doc *pod = s->list.items[i];
        bool live = pod_created(pod) && !object_deleting(pod->root);
        replicas += pod_created(pod);
        ready += pod_ready(pod);
        available += pod_available(s, pod);
        current += live && pod != s->deleted && str_eq(pod_revision(pod), current_name);
        updated += live && str_eq(pod_revision(pod), doc_name(s->update));
    }
    bool rolling = json_str_is(s->doc->root, "spec.updateStrategy.type", "RollingUpdate");
    if (rolling && updated == replicas && ready == replicas) { /* the roll-out is complete */
        current = updated;
        current_name = doc_name(s->update);
    }
    return json_make(a, "{'observedGeneration':%ld,'replicas':%ld,'readyReplicas':%v,'currentReplicas':%v,'updatedReplicas':%v,'currentRevision':%s,"
                        "'updateRevision':%s,'collisionCount':%ld,'conditions':%v,'availableReplicas':%ld}",
                     json_int(s->doc->root, "metadata.generation", 0), replicas, ready ? json_integer(a, ready) : NULL, current ? json_integer(a, current) : NULL,
                     updated ? json_integer(a, updated) : NULL, current_name, doc_name(s->update), collisions,
                     json_get(s->doc->root, "status.conditions"), available);
}

/* ---- the controller ---- */

static int by_falling_ordinal(const void *x, const void *y) {
    const struct doc *a = *(struct doc *const *)x, *b = *(struct doc *const *)y;
    size_t m = strlen(doc_name(a)), n = strlen(doc_name(b));
    return m != n ? (m > n ? -1 : 1) : strcmp(doc_name(b), doc_name(a));
}

static void sort_pods(struct set *s) {
    s->pods = arena_calloc(s->arena, (size_t)s->replicas + 1, sizeof(*s->pods));
    s->condemned = arena_calloc(s->arena, s->list.len + 1, sizeof(*s->condemned));
    for (size_t i = 0; i < s->list.len; i++) {
        int64_t ordinal = set_ordinal(s, s->list.items[i]->root);
        if (set_in_range(s, ordinal)) s->pods[ordinal - s->start] = s->list.items[i];
        else if (ordinal >= 0) s->condemned[s->condemned_count++] = s->list.items[i];
    }
    if (s->condemned_count) qsort(s->condemned, s->condemned_count, sizeof(*s->condemned), by_falling_ordinal);
}

/* Only pods with a name of the set's are adopted or released. */
static struct error *list_pods(struct set *s) {
    cleanup_doc_list struct doc_list all = {0};
    struct claim claim = {.client = s->runner->client, .cache = s->runner->cache, .owner_resource = &resource_apps_statefulsets, .owner = s->doc,
                          .selector = json_get(s->doc->root, "spec.selector"), .resource = &resource_pods};
    TRY(claim_objects(&claim, &all));
    for (size_t i = 0; i < all.len; i++) {
        if (set_ordinal(s, all.items[i]->root) >= 0) doc_list_add(&s->list, all.items[i]);
    }
    return NULL;
}

static struct error *find_revisions(struct set *s, int64_t *collisions) {
    const char *name = json_str(s->doc->root, "status.currentRevision");
    TRY(history_list(s->runner, &resource_apps_statefulsets, s->doc, &s->revisions));
    TRY(history_sync(s->runner, s->arena, &resource_apps_statefulsets, s->doc, &s->revisions, HISTORY_HASH_LABEL, collisions, &s->update));
    for (size_t i = 0; i < s->revisions.len; i++) {
        if (str_eq(doc_name(s->revisions.items[i]), name)) s->current = doc_ref(s->revisions.items[i]);
    }
    if (!s->current) s->current = doc_ref(s->update);
    return NULL;
}

static bool in_use(const struct doc *revision, void *arg) {
    const struct set *s = arg;
    const char *name = doc_name(revision);
    if (str_eq(name, doc_name(s->current)) || str_eq(name, doc_name(s->update))) return true;
    for (size_t i = 0; i < s->list.len; i++) {
        if (str_eq(pod_revision(s->list.items[i]), name)) return true;
    }
    return false;
}

static struct error *sync_set(struct set *s) {
    int64_t collisions = json_int(s->doc->root, "status.collisionCount", 0);
    TRY(list_pods(s));
    sort_pods(s);
    struct error *e = find_revisions(s, &collisions);
    if (e) return e;
    e = process(s);
    struct error *written = workload_update_status(s->runner, s->arena, &resource_apps_statefulsets, s->doc, new_status(s, collisions));
    if (e) return error_free(written), e;
    TRY(written);
    return history_truncate(s->runner, &s->revisions, json_int(s->doc->root, "spec.revisionHistoryLimit", 10), in_use, s);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *doc = cache_get(r->cache, &resource_apps_statefulsets, ns, name);
    if (!doc) return WORK_DONE;
    struct set s = {.runner = r, .arena = a, .doc = doc, .start = json_int(doc->root, "spec.ordinals.start", 0), .replicas = json_int(doc->root, "spec.replicas", 1),
                    .min_ready = json_int(doc->root, "spec.minReadySeconds", 0), .now = clock_wall(r->clock),
                    .monotonic = !json_str_is(doc->root, "spec.podManagementPolicy", "Parallel")};
    struct error *e = sync_set(&s);
    int64_t next = workload_next_available(&s.list, s.min_ready, s.now);
    doc_list_free(&s.list);
    doc_list_free(&s.revisions);
    doc_unref(s.current);
    doc_unref(s.update);
    return e ? work_error(e) : work_again(s.again ? s.again : next);
}

static void orphan_keys(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    workload_orphan_keys(r, &resource_apps_statefulsets, before, after);
}

static const struct controller_source sources[] = {
    {.resource = &resource_apps_statefulsets},
    {.resource = &resource_pods, .owner = &resource_apps_statefulsets, .keys = orphan_keys},
    {.resource = &resource_apps_controllerrevisions, .owner = &resource_apps_statefulsets},
    {0}};
const struct controller statefulset_controller = {"statefulset-controller", .sources = sources, .reconcile = reconcile};
