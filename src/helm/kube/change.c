/* Creating, patching, replacing and deleting objects. */
#include "base/str.h"
#include "client/object.h"
#include "helm/kube/private.h"

enum { CONFLICT_RETRIES = 5 };

/* What helm's perform() makes of the errors of many objects (hashicorp's multierror). */
static struct error *collected(struct error **errors, size_t count) {
    if (count == 0) return NULL;
    cleanup_buf struct buf b = {0};
    buf_printf(&b, "%zu error%s occurred:\n", count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) buf_printf(&b, "\t* %s\n", errors[i]->message);
    buf_adds(&b, "\n");
    struct error *e = error_new("%s", b.data);
    if (count == 1 && errors[0]->reason) { /* so that "already exists" is still known */
        e->code = errors[0]->code;
        e->reason = xstrdup(errors[0]->reason);
    }
    for (size_t i = 0; i < count; i++) error_free(errors[i]);
    return e;
}

static struct error *nothing(void) { return error_new("no objects visited"); }

static struct error *create_one(struct kube *k, struct kube_object *o) {
    struct client *c;
    cleanup_doc struct doc *d = NULL;
    TRY(kube_client(k, &c));
    const struct json *object = json_str(o->object, "metadata.resourceVersion") ? json_without(k->arena, o->object, "metadata.resourceVersion")
                                                                               : o->object;
    struct error *e = client_create(c, o->resource, o->ns, object, &d);
    for (int i = 1; i < CONFLICT_RETRIES && error_is(e, "Conflict"); i++) {
        error_free(e);
        e = client_create(c, o->resource, o->ns, object, &d);
    }
    if (!e) o->object = json_copy(k->arena, d->root);
    return e;
}

struct error *kube_create(struct kube *k, const struct kube_objects *l) {
    kube_log(k, "creating %zu resource(s)", l->len);
    if (l->len == 0) return nothing();
    struct error **errors = arena_calloc(k->arena, l->len, sizeof(*errors));
    size_t count = 0;
    for (size_t i = 0; i < l->len && !k->cancelled; i++) {
        struct error *e = kube_check_cancelled(k);
        if (!e) e = create_one(k, l->items[i]);
        if (e) errors[count++] = e;
    }
    return collected(errors, count);
}

/* ---- updating ---- */

static struct error *patch_of(struct kube *k, const struct kube_object *target, const struct json *before, bool three_way,
                              const struct json **out, enum patch_type *type) {
    const struct json *live;
    const struct resource *r = target->resource;
    *type = kube_is_typed(r) ? PATCH_STRATEGIC : PATCH_MERGE;
    struct error *e = kube_find(k, target, &live);
    if (e) return error_wrap(e, "unable to get data for current object %s/%s", target->ns ? target->ns : "", target->name);
    if (kube_is_typed(r)) return schema_three_way_patch(k->arena, r->type, before, target->object, live, out);
    if (three_way) return schema_three_way_merge_patch(k->arena, before, target->object, live, out);
    *out = json_merge_diff(k->arena, before, target->object);
    return NULL;
}

static struct error *replace_one(struct kube *k, const struct kube_object *target, struct doc **out) {
    struct client *c;
    const struct json *object = target->object;
    TRY(kube_client(k, &c));
    if (!json_str(object, "metadata.resourceVersion")) { /* without one the present one is overwritten */
        const struct json *live;
        TRY(kube_get(k, target, &live));
        object = json_with(k->arena, object, "metadata.resourceVersion", json_get(live, "metadata.resourceVersion"));
    }
    return client_update(c, target->resource, target->ns, target->name, NULL, object, out);
}

static struct error *update_one(struct kube *k, struct kube_object *target, const struct json *before, bool force, bool three_way) {
    struct client *c;
    cleanup_doc struct doc *d = NULL;
    const char *kind = target->resource->kind;
    struct error *e;
    TRY(kube_client(k, &c));
    if (force) {
        if ((e = replace_one(k, target, &d)) != NULL) return error_wrap(e, "failed to replace object");
        kube_log(k, "Replaced \"%s\" with kind %s for kind %s", target->name, json_str_or(before, "kind", ""), kind);
    } else {
        const struct json *patch;
        enum patch_type type;
        if ((e = patch_of(k, target, before, three_way, &patch, &type)) != NULL) return error_wrap(e, "failed to create patch");
        if (json_len(patch) == 0) {
            kube_log(k, "Looks like there are no changes for %s \"%s\"", kind, target->name);
            e = kube_get(k, target, &target->object);
            return e ? error_wrap(e, "failed to refresh resource information") : NULL;
        }
        kube_log(k, "Patch %s \"%s\" in namespace %s", kind, target->name, target->ns ? target->ns : "");
        e = client_patch(c, target->resource, target->ns, target->name, NULL, type, patch, &d);
        if (e) return error_wrap(e, "cannot patch \"%s\" with kind %s", target->name, kind);
    }
    target->object = json_copy(k->arena, d->root);
    return NULL;
}

static struct error *bring(struct kube *k, const struct kube_objects *original, struct kube_object *target, bool force, bool three_way,
                           struct kube_result *out, struct buf *errors) {
    const struct json *live;
    const char *kind = target->resource->kind;
    struct error *e = kube_find(k, target, &live);
    if (e) return error_wrap(e, "could not get information about the resource");
    if (!live) {
        kube_objects_add(k, &out->created, target);
        if ((e = create_one(k, target)) != NULL) return error_wrap(e, "failed to create resource");
        kube_log(k, "Created a new %s called \"%s\" in %s\n", kind, target->name, target->ns ? target->ns : "");
        return NULL;
    }
    const struct kube_object *before = kube_objects_find(original, target);
    if (!before) return error_new("no %s with the name \"%s\" found", kind, target->name);
    if ((e = update_one(k, target, before->object, force, three_way)) != NULL) {
        kube_log(k, "error updating the resource \"%s\":\n\t %s", target->name, e->message);
        buf_printf(errors, "%s%s", errors->len ? " && " : "", e->message);
        error_free(e);
    }
    kube_objects_add(k, &out->updated, target);
    return NULL;
}

static struct error *delete_one(struct kube *k, const struct kube_object *o, const char *propagation) {
    struct client *c;
    TRY(kube_client(k, &c));
    struct delete_options options = {.grace_period = -1, .propagation = propagation};
    return client_delete(c, o->resource, o->ns, o->name, &options);
}

bool kube_keeps(const struct json *object) { return str_eq(object_annotation(object, "helm.sh/resource-policy"), "keep"); }

static void drop(struct kube *k, struct kube_object *o, struct kube_result *out) {
    kube_log(k, "Deleting %s \"%s\" in namespace %s...", o->resource->kind, o->name, o->ns ? o->ns : "");
    cleanup_error struct error *unread = kube_get(k, o, &o->object);
    if (unread) {
        kube_log(k, "Unable to get obj \"%s\", err: %s", o->name, unread->message);
        return;
    }
    if (kube_keeps(o->object)) {
        kube_log(k, "Skipping delete of \"%s\" due to annotation [helm.sh/resource-policy=keep]", o->name);
        return;
    }
    cleanup_error struct error *e = delete_one(k, o, "Background");
    if (e) kube_log(k, "Failed to delete \"%s/%s\", err: %s", o->resource->plural, o->name, e->message);
    else kube_objects_add(k, &out->deleted, o);
}

struct error *kube_update(struct kube *k, const struct kube_objects *original, const struct kube_objects *target, bool force,
                          bool three_way, struct kube_result *out) {
    cleanup_buf struct buf errors = {0};
    *out = (struct kube_result){0};
    kube_log(k, "checking %zu resources for changes", target->len);
    for (size_t i = 0; i < target->len; i++) {
        TRY(kube_check_cancelled(k));
        TRY(bring(k, original, target->items[i], force, three_way, out, &errors));
    }
    if (errors.len > 0) return error_new("%s", errors.data);
    for (size_t i = 0; i < original->len; i++)
        if (!kube_objects_find(target, original->items[i])) drop(k, original->items[i], out);
    return NULL;
}

/* ---- deleting ---- */

void kube_delete(struct kube *k, const struct kube_objects *l, const char *propagation, struct error ***errors, size_t *error_count) {
    *errors = arena_calloc(k->arena, l->len + 1, sizeof(**errors));
    *error_count = 0;
    if (l->len == 0) (*errors)[(*error_count)++] = error_new("object not found, skipping delete: no objects visited");
    for (size_t i = 0; i < l->len; i++) {
        struct kube_object *o = l->items[i];
        kube_log(k, "Starting delete for \"%s\" %s", o->name, o->resource->kind);
        struct error *e = delete_one(k, o, propagation);
        if (error_is(e, "NotFound")) {
            kube_log(k, "Ignoring delete failure for \"%s\" %s: %s", o->name, o->resource->kind, e->message);
            error_free(e);
        } else if (e) (*errors)[(*error_count)++] = e;
    }
}

struct error *kube_recreate_pods(struct kube *k, const struct kube_objects *l) {
    struct client *c;
    TRY(kube_client(k, &c));
    for (size_t i = 0; i < l->len; i++) {
        const struct kube_object *o = l->items[i];
        struct selector *selector;
        const struct json *labels = json_get(o->object, "spec.selector");
        bool plain = strcmp(o->resource->kind, "Service") == 0 || strcmp(o->resource->kind, "ReplicationController") == 0;
        if (!json_is(labels, JSON_OBJECT)) continue;
        TRY(label_selector_from_json(k->arena, plain ? json_make(k->arena, "{'matchLabels':%v}", labels) : labels, &selector));
        cleanup_doc_list struct doc_list pods = {0};
        struct error *e = client_list(c, &resource_pods, o->ns, label_selector_text(k->arena, selector), NULL, &pods, NULL);
        for (size_t p = 0; !e && p < pods.len; p++)
            e = client_delete(c, &resource_pods, doc_namespace(pods.items[p]), doc_name(pods.items[p]),
                              &(struct delete_options){.grace_period = -1, .uid = doc_uid(pods.items[p])});
        if (e) return error_wrap(e, "unable to recreate pods for object %s/%s because an error occurred", o->ns ? o->ns : "", o->name);
    }
    return NULL;
}
