/* persistentvolume-protection-controller, persistentvolumeclaim-protection-controller and
 * volumeattributesclass-protection-controller: a volume that is bound, a claim that a pod uses and a class that a volume or
 * claim names are not removed before they are free. */
#include "base/str.h"
#include "controllers/all.h"

#define VOLUME_FINALIZER "kubernetes.io/pv-protection"
#define CLAIM_FINALIZER "kubernetes.io/pvc-protection"
#define CLASS_FINALIZER "kubernetes.io/vac-protection"

static const struct json *add_finalizer(struct arena *a, struct doc *d, void *arg) {
    return object_deleting(d->root) || object_has_finalizer(d->root, arg) ? NULL : object_with_finalizer(a, d->root, arg);
}

static const struct json *drop_finalizer(struct arena *a, struct doc *d, void *arg) {
    return object_has_finalizer(d->root, arg) ? object_without_finalizer(a, d->root, arg) : NULL;
}

static struct work_result set_finalizer(struct runner *r, const struct resource *resource, const struct doc *d, char *finalizer, bool add) {
    struct error *e = client_modify(r->client, resource, doc_namespace(d), doc_name(d), NULL, add ? add_finalizer : drop_finalizer, finalizer, NULL);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static struct work_result protect_volume(struct runner *r, struct arena *a UNUSED, const char *name) {
    static char finalizer[] = VOLUME_FINALIZER;
    cleanup_doc struct doc *volume = cache_get(r->cache, &resource_persistentvolumes, NULL, name);
    if (!volume) return WORK_DONE;
    bool has = object_has_finalizer(volume->root, finalizer);
    if (!object_deleting(volume->root)) return has ? WORK_DONE : set_finalizer(r, &resource_persistentvolumes, volume, finalizer, true);
    return !has || json_str_is(volume->root, "status.phase", "Bound") ? WORK_DONE : set_finalizer(r, &resource_persistentvolumes, volume, finalizer, false);
}

/* The claim that a volume of a pod means; NULL if it means none. */
static const char *claim_of(struct arena *a, const struct doc *pod, const struct json *volume) {
    if (json_member(volume, "ephemeral")) return arena_printf(a, "%s-%s", doc_name(pod), json_str_or(volume, "name", ""));
    return json_str(volume, "persistentVolumeClaim.claimName");
}

/* A pod uses a claim once it has a node: node agents refuse claims that are being deleted. */
static bool uses(struct arena *a, const struct doc *pod, const struct doc *claim) {
    if (!*json_str_or(pod->root, "spec.nodeName", "")) return false;
    JSON_EACH(v, json_get(pod->root, "spec.volumes")) {
        if (!str_eq(claim_of(a, pod, v), doc_name(claim))) continue;
        if (!json_member(v, "ephemeral") || (controlled_by(claim->root, doc_uid(pod)) && !pod_is_terminal(pod->root))) return true;
    }
    return false;
}

static struct work_result protect_claim(struct runner *r, struct arena *a, const char *key) {
    static char finalizer[] = CLAIM_FINALIZER;
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *claim = cache_get(r->cache, &resource_persistentvolumeclaims, ns, name);
    if (!claim) return WORK_DONE;
    bool has = object_has_finalizer(claim->root, finalizer);
    if (!object_deleting(claim->root)) return has ? WORK_DONE : set_finalizer(r, &resource_persistentvolumeclaims, claim, finalizer, true);
    if (!has) return WORK_DONE;
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(r->cache, &resource_pods, ns, &pods);
    for (size_t i = 0; i < pods.len; i++) {
        if (uses(a, pods.items[i], claim)) return WORK_DONE;
    }
    return set_finalizer(r, &resource_persistentvolumeclaims, claim, finalizer, false);
}

static void pod_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    const struct doc *pod = after ? after : before;
    if (after && before && !pod_is_terminal(after->root)) return; /* frees nothing */
    JSON_EACH(v, json_get(pod->root, "spec.volumes")) {
        const char *claim = claim_of(&a, pod, v);
        if (claim) runner_add(r, key_join(&a, doc_namespace(pod), claim));
    }
}

/* Where volumes and claims name a class. */
static const char *const class_paths[] = {"spec.volumeAttributesClassName", "status.currentVolumeAttributesClassName",
                                          "status.modifyVolumeStatus.targetVolumeAttributesClassName"};

static bool any_names_class(struct runner *r, const struct resource *resource, const char *name) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, resource, NULL, &all);
    for (size_t i = 0; i < all.len; i++)
        for (size_t k = 0; k < ARRAY_LEN(class_paths); k++)
            if (json_str_is(all.items[i]->root, class_paths[k], name)) return true;
    return false;
}

static struct work_result protect_class(struct runner *r, struct arena *a UNUSED, const char *name) {
    static char finalizer[] = CLASS_FINALIZER;
    cleanup_doc struct doc *class = cache_get(r->cache, &resource_storage_volumeattributesclasses, NULL, name);
    if (!class) return WORK_DONE;
    bool has = object_has_finalizer(class->root, finalizer);
    if (!object_deleting(class->root)) return has ? WORK_DONE : set_finalizer(r, &resource_storage_volumeattributesclasses, class, finalizer, true);
    if (!has || any_names_class(r, &resource_persistentvolumes, name) || any_names_class(r, &resource_persistentvolumeclaims, name)) return WORK_DONE;
    return set_finalizer(r, &resource_storage_volumeattributesclasses, class, finalizer, false);
}

/* A class that is named no longer may be free. */
static void class_user_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    for (size_t i = 0; before && i < ARRAY_LEN(class_paths); i++) {
        const char *name = json_str(before->root, class_paths[i]);
        if (name && !(after && json_str_is(after->root, class_paths[i], name))) runner_add(r, name);
    }
}

static const struct controller_source class_sources[] = {{.resource = &resource_storage_volumeattributesclasses},
                                                         {.resource = &resource_persistentvolumes, .keys = class_user_changed},
                                                         {.resource = &resource_persistentvolumeclaims, .keys = class_user_changed}, {0}};
static const struct controller_source volume_sources[] = {{.resource = &resource_persistentvolumes}, {0}};
static const struct controller_source claim_sources[] = {{.resource = &resource_persistentvolumeclaims}, {.resource = &resource_pods, .keys = pod_changed}, {0}};
const struct controller persistentvolume_protection_controller = {"persistentvolume-protection-controller", .threads = 1, .sources = volume_sources, .reconcile = protect_volume};
const struct controller persistentvolumeclaim_protection_controller = {"persistentvolumeclaim-protection-controller", .threads = 1, .sources = claim_sources,
                                                                       .reconcile = protect_claim};
const struct controller volumeattributesclass_protection_controller = {"volumeattributesclass-protection-controller", .threads = 1, .sources = class_sources,
                                                                       .reconcile = protect_class};
