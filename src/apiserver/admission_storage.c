/* DefaultStorageClass, DefaultIngressClass, StorageObjectInUseProtection, PersistentVolumeClaimResize. */
#include "apiserver/admission.h"

struct best {
    const char *annotation, *beta;
    char name[256];
    int64_t created;
    bool found;
};

static bool annotated(const struct json *o, const char *key) {
    return key && str_eq(json_str(json_member(json_get(o, "metadata.annotations"), key), NULL), "true");
}

/* The newest default wins, names break ties. */
static bool newest(struct doc *d, void *arg) {
    struct best *b = arg;
    int64_t created = 0;
    if (!annotated(d->root, b->annotation) && !annotated(d->root, b->beta)) return true;
    time_parse(meta_str(d->root, "creationTimestamp"), &created);
    if (b->found && created <= b->created) return true;
    snprintf(b->name, sizeof(b->name), "%s", doc_name(d));
    b->created = created;
    b->found = true;
    return true;
}

struct error *default_storage_class(struct change *c) {
    struct best b = {.annotation = "storageclass.kubernetes.io/is-default-class", .beta = "storageclass.beta.kubernetes.io/is-default-class"};
    if (!change_is(c, &resource_persistentvolumeclaims, "") || c->operation != OP_CREATE) return NULL;
    if (json_get(c->object, "spec.storageClassName") || json_member(json_get(c->object, "metadata.annotations"), "volume.beta.kubernetes.io/storage-class"))
        return NULL;
    registry_each(c->r->server, &resource_storage_storageclasses, NULL, newest, &b);
    if (b.found) c->object = json_with(c->r->arena, c->object, "spec.storageClassName", json_string(c->r->arena, b.name));
    return NULL;
}

struct error *default_ingress_class(struct change *c) {
    struct best b = {.annotation = "ingressclass.kubernetes.io/is-default-class"};
    if (!change_is(c, &resource_networking_ingresses, "") || c->operation != OP_CREATE) return NULL;
    if (json_get(c->object, "spec.ingressClassName") || json_member(json_get(c->object, "metadata.annotations"), "kubernetes.io/ingress.class")) return NULL;
    registry_each(c->r->server, &resource_networking_ingressclasses, NULL, newest, &b);
    if (b.found) c->object = json_with(c->r->arena, c->object, "spec.ingressClassName", json_string(c->r->arena, b.name));
    return NULL;
}

struct error *storage_protection(struct change *c) {
    static const struct { const struct resource *resource; const char *finalizer; } rows[] = {
        {&resource_persistentvolumes, "kubernetes.io/pv-protection"}, {&resource_persistentvolumeclaims, "kubernetes.io/pvc-protection"},
        {&resource_storage_volumeattributesclasses, "kubernetes.io/vac-protection"}};
    struct arena *a = c->r->arena;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!change_is(c, rows[i].resource, "") || c->operation != OP_CREATE) continue;
        const struct json *list = json_get(c->object, "metadata.finalizers");
        if (list_has(list, rows[i].finalizer)) return NULL;
        c->object = with_meta(a, c->object, "finalizers", json_append(a, list ? list : &json_empty_array, json_string(a, rows[i].finalizer)));
    }
    return NULL;
}

struct error *claim_resize(struct change *c) {
    if (!change_is(c, &resource_persistentvolumeclaims, "") || c->operation != OP_UPDATE) return NULL;
    struct quantity now = quantity_of(json_member(json_get(c->object, "spec.resources.requests"), "storage"));
    struct quantity had = quantity_of(json_member(json_get(c->old, "spec.resources.requests"), "storage"));
    if (quantity_compare(&now, &had) <= 0) return NULL;
    if (!json_str_is(c->old, "status.phase", "Bound")) return admission_forbidden(c, "Only bound persistent volume claims can be expanded");
    const char *class = json_str_or(c->object, "spec.storageClassName", "");
    cleanup_doc struct doc *d = *class ? registry_get(c->r->server, &resource_storage_storageclasses, "", class) : NULL;
    if (d == NULL || !json_bool(d->root, "allowVolumeExpansion", false))
        return admission_forbidden(c, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
    return NULL;
}
