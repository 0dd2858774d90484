/* Namespaces, nodes, claims, volumes, secrets, service accounts. */
#include "apiserver/strategy.h"

/* ---- namespaces: pkg/registry/core/namespace ---- */

const struct json *namespace_create(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    const struct json *list = json_get(o, "spec.finalizers");
    if (!list_has(list, "kubernetes")) list = json_append(a, list ? list : &json_empty_array, json_string(a, "kubernetes"));
    o = json_with(a, o, "spec.finalizers", list);
    o = json_with_member(a, o, "status", json_make(a, "{'phase':'Active'}"));
    const struct json *labels = json_get(o, "metadata.labels");
    labels = json_with_member(a, labels ? labels : &json_empty_object, "kubernetes.io/metadata.name", json_string(a, meta_str(o, "name")));
    return with_meta(a, o, "labels", labels);
}

const struct json *namespace_update(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    const struct json *spec = json_member(old, "spec");
    if (spec) o = json_with_member(a, o, "spec", spec);
    const struct json *labels = json_get(o, "metadata.labels");
    labels = json_with_member(a, labels ? labels : &json_empty_object, "kubernetes.io/metadata.name", json_string(a, meta_str(o, "name")));
    return with_meta(a, o, "labels", labels);
}

const struct json *namespace_status(struct change *c, const struct json *o, const struct json *old) {
    return json_with_member(c->r->arena, o, "spec", json_member(old, "spec"));
}

/* ---- nodes ---- */

const struct json *node_create(struct change *c, const struct json *o) {
    const struct json *status = c->object ? json_member(c->object, "status") : NULL;
    return status ? json_with_member(c->r->arena, o, "status", status) : o; /* a node brings its status along */
}

/* ---- claims and volumes ---- */

/* dataSource and dataSourceRef say the same where one of them can. */
static const struct json *normalize_source(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    const struct json *source = json_get(o, "spec.dataSource"), *ref = json_get(o, "spec.dataSourceRef");
    if (source && ref == NULL) return json_with(a, o, "spec.dataSourceRef", source);
    if (ref && source == NULL && !*json_str_or(ref, "namespace", "")) {
        const char *group = json_str_or(ref, "apiGroup", ""), *kind = json_str_or(ref, "kind", "");
        bool volume = !*group && strcmp(kind, "PersistentVolumeClaim") == 0;
        bool snapshot = strcmp(group, "snapshot.storage.k8s.io") == 0 && strcmp(kind, "VolumeSnapshot") == 0;
        if (volume || snapshot || *kind) return json_with(a, o, "spec.dataSource", json_without_member(a, ref, "namespace"));
    }
    return o;
}

const struct json *claim_create(struct change *c, const struct json *o) {
    o = json_with_member(c->r->arena, o, "status", json_make(c->r->arena, "{'phase':'Pending'}"));
    return normalize_source(c, o);
}

const struct json *claim_update(struct change *c, const struct json *o, const struct json *old) {
    (void)old;
    return normalize_source(c, o);
}

const struct json *volume_create(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    return json_with_member(a, o, "status", json_make(a, "{'phase':'Pending','lastPhaseTransitionTime':%s}", time_now(a, c->r)));
}
