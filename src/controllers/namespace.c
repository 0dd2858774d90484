/* namespace-controller: a namespace that is being deleted loses its contents, tells in its conditions what keeps it, and
 * then its finalizer. Pods go first and give everything else the time of their grace periods (upstream's
 * namespacedResourcesDeleter). */
#include "base/str.h"
#include "controllers/all.h"

/* Servers beside this one may still admit objects for a moment. */
#define GRACE SECONDS(6) /* upstream waits five seconds; the time of deletion is rounded down */

struct deletion {
    struct runner *runner;
    struct arena *arena;
    const char *ns;
    struct buf content;    /* "pods. has 2 resource instances", joined by ", " */
    struct buf finalizers; /* "example.com/f in 1 resource instances" */
    struct json_array remaining_finalizers; /* names, with their counts beside */
    size_t *finalizer_counts;
    int64_t wait;          /* seconds until pods will be gone */
    bool pods_remain;
    struct error *error;   /* of a deletion that was refused */
};

static void count_finalizers(struct deletion *d, const struct json *object) {
    JSON_EACH(f, json_get(object, "metadata.finalizers")) {
        size_t i = 0;
        while (i < d->remaining_finalizers.len && !json_equal(&d->remaining_finalizers.items[i], f)) i++;
        if (i == d->remaining_finalizers.len) {
            json_array_add(&d->remaining_finalizers, json_copy(d->arena, f));
            d->finalizer_counts = arena_grow(d->arena, d->finalizer_counts, i * sizeof(size_t), (i + 1) * sizeof(size_t));
            d->finalizer_counts[i] = 0;
        }
        d->finalizer_counts[i]++;
    }
}

static struct error *delete_one(struct deletion *d, const struct resource *r, const struct doc *object) {
    struct delete_options o = {.uid = doc_uid(object), .grace_period = -1, .propagation = "Background"};
    if (object_deleting(object->root)) return NULL;
    struct error *e = client_delete(d->runner->client, r, d->ns, doc_name(object), &o);
    if (error_is(e, "NotFound") || error_is(e, "Conflict")) return error_free(e), NULL;
    return e;
}

static void note_remaining(struct deletion *d, const struct resource *r, const struct doc_list *left) {
    if (left->len == 0) return;
    buf_printf(&d->content, "%s%s.%s has %zu resource instances", d->content.len ? ", " : "", r->plural, r->group, left->len);
    for (size_t i = 0; i < left->len; i++) {
        const struct json *o = left->items[i]->root;
        count_finalizers(d, o);
        if (r != &resource_pods) continue;
        int64_t grace = json_int(o, "spec.terminationGracePeriodSeconds", 30);
        d->wait = MAX(d->wait, grace);
        d->pods_remain = true;
    }
}

static void delete_all(const struct resource *r, void *arg) {
    struct deletion *d = arg;
    if (!r->namespaced || r->secondary || !(r->verbs & VERB_DELETE) || !(r->verbs & VERB_LIST) || r == &resource_events_events) return;
    if (r == &resource_autoscaling_v1_horizontalpodautoscalers || (r != &resource_pods && d->pods_remain)) return;
    cleanup_doc_list struct doc_list all = {0}, left = {0};
    struct error *e = client_list(d->runner->client, r, d->ns, NULL, NULL, &all, NULL);
    for (size_t i = 0; i < all.len && e == NULL; i++) e = delete_one(d, r, all.items[i]);
    if (e == NULL && all.len > 0) e = client_list(d->runner->client, r, d->ns, NULL, NULL, &left, NULL);
    if (e == NULL) note_remaining(d, r, &left);
    if (d->error == NULL) d->error = e;
    else error_free(e);
}

static void finalizer_text(struct deletion *d) {
    for (size_t i = 0; i < d->remaining_finalizers.len; i++) {
        buf_printf(&d->finalizers, "%s%s in %zu resource instances", i ? ", " : "", d->remaining_finalizers.items[i].s, d->finalizer_counts[i]);
    }
}

static const struct json *with_conditions(struct deletion *d, const struct json *o) {
    struct arena *a = d->arena;
    const char *content = d->content.len ? arena_printf(a, "Some resources are remaining: %s", buf_str(&d->content)) : "All content successfully removed";
    const char *finalizers = d->finalizers.len ? arena_printf(a, "Some content in the namespace has finalizers remaining: %s", buf_str(&d->finalizers))
                                               : "All content-preserving finalizers finished";
    const struct condition conditions[] = {
        {.type = "NamespaceDeletionDiscoveryFailure", .status = "False", .reason = "ResourcesDiscovered", .message = "All resources successfully discovered"},
        {.type = "NamespaceDeletionGroupVersionParsingFailure", .status = "False", .reason = "ParsedGroupVersions", .message = "All legacy kube types successfully parsed"},
        {.type = "NamespaceDeletionContentFailure", .status = d->error ? "True" : "False", .reason = d->error ? "ContentDeletionFailed" : "ContentDeleted",
         .message = d->error ? arena_printf(a, "Failed to delete all resource types, 1 remaining: %s", d->error->message)
                             : "All content successfully deleted, may be waiting on finalization"},
        {.type = "NamespaceContentRemaining", .status = d->content.len ? "True" : "False", .reason = d->content.len ? "SomeResourcesRemain" : "ContentRemoved", .message = content},
        {.type = "NamespaceFinalizersRemaining", .status = d->finalizers.len ? "True" : "False",
         .reason = d->finalizers.len ? "SomeFinalizersRemain" : "ContentHasNoFinalizers", .message = finalizers},
    };
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) o = condition_set(a, o, &conditions[i], clock_wall(d->runner->clock));
    return o;
}

static const struct json *new_status(struct arena *a UNUSED, struct doc *current, void *arg) {
    const struct json *o = with_conditions(arg, current->root);
    return o == current->root ? NULL : o;
}

static struct error *finalize(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *namespace = NULL;
    TRY(client_get(r->client, &resource_namespaces, NULL, name, &namespace));
    struct json_array kept = {.arena = a};
    JSON_EACH(f, json_get(namespace->root, "spec.finalizers")) {
        if (!json_str_is(f, NULL, "kubernetes")) json_array_add(&kept, f);
    }
    const struct json *o = json_with(a, namespace->root, "spec.finalizers", json_array_done(&kept));
    return client_update(r->client, &resource_namespaces, NULL, name, "finalize", o, NULL);
}

static struct error *ignore_gone(struct error *e) {
    if (!error_is(e, "NotFound") && !error_is(e, "Conflict")) return e;
    error_free(e);
    return NULL;
}

static struct work_result empty_namespace(struct runner *r, struct arena *a, const char *name) {
    struct deletion d = {.runner = r, .arena = a, .ns = name, .remaining_finalizers = {.arena = a}};
    delete_all(&resource_pods, &d);
    client_each_resource(r->client, delete_all, &d);
    finalizer_text(&d);
    struct error *e = ignore_gone(client_modify(r->client, &resource_namespaces, NULL, name, "status", new_status, &d, NULL));
    bool empty = d.content.len == 0 && d.error == NULL;
    if (e == NULL && empty) e = ignore_gone(finalize(r, a, name));
    buf_free(&d.content);
    buf_free(&d.finalizers);
    if (e == NULL) e = TAKE(d.error);
    error_free(d.error);
    if (e != NULL || empty) return work_error(e);
    return work_again(d.wait > 0 ? SECONDS(d.wait) / 2 + SECONDS(1) : MSECONDS(200));
}

static bool has_kubernetes_finalizer(const struct json *namespace) {
    JSON_EACH(f, json_get(namespace, "spec.finalizers")) {
        if (json_str_is(f, NULL, "kubernetes")) return true;
    }
    return false;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *namespace = cache_get(r->cache, &resource_namespaces, NULL, name);
    if (namespace == NULL || !object_deleting(namespace->root) || !has_kubernetes_finalizer(namespace->root)) return WORK_DONE;
    int64_t left = object_time(namespace->root, "metadata.deletionTimestamp") + GRACE - clock_wall(r->clock);
    if (left > 0) return work_again(left);
    return empty_namespace(r, a, name);
}

/* The last pod that goes ends the wait at once. */
static void pod_gone(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (after != NULL || before == NULL) return;
    cleanup_doc struct doc *namespace = cache_get(r->cache, &resource_namespaces, NULL, doc_namespace(before));
    if (namespace != NULL && object_deleting(namespace->root)) runner_add(r, doc_namespace(before));
}

static const struct controller_source sources[] = {{.resource = &resource_namespaces}, {.resource = &resource_pods, .keys = pod_gone}, {0}};
const struct controller namespace_controller = {"namespace-controller", .threads = 10, .sources = sources, .reconcile = reconcile};
