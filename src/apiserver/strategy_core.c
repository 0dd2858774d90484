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

/* ---- service accounts: of secrets only the name counts ---- */

const struct json *account_create(struct change *c, const struct json *o) {
    struct json_array out = {.arena = c->r->arena};
    const struct json *list = json_member(o, "secrets");
    if (json_len(list) == 0) return o;
    JSON_EACH(s, list) json_array_add(&out, json_make(c->r->arena, "{'name':%v}", json_member(s, "name")));
    return json_with_member(c->r->arena, o, "secrets", json_array_done(&out));
}

const struct json *account_update(struct change *c, const struct json *o, const struct json *old) {
    (void)old;
    return account_create(c, o);
}

/* ---- leases: coordinated leader election is off ---- */

const struct json *lease_create(struct change *c, const struct json *o) {
    return json_without(c->r->arena, json_without(c->r->arena, o, "spec.strategy"), "spec.preferredHolder");
}

const struct json *lease_update(struct change *c, const struct json *o, const struct json *old) {
    return json_get(old, "spec.strategy") ? o : lease_create(c, o);
}

/* ---- nodes ---- */

const struct json *node_create(struct change *c, const struct json *o) {
    const struct json *status = c->object ? json_member(c->object, "status") : NULL;
    return status ? json_with_member(c->r->arena, o, "status", status) : o; /* a node brings its status along */
}

/* ---- limit ranges: one without a name is given a UUID for one ---- */

const struct json *limit_range_create(struct change *c, const struct json *o) {
    char name[37];
    if (*meta_str(o, "name")) return o;
    uuid_v4(name);
    return with_meta(c->r->arena, o, "name", json_string(c->r->arena, name));
}

/* ---- claims and volumes ---- */

static bool is_claim_or_snapshot(const struct json *source) {
    const char *group = json_str_or(source, "apiGroup", ""), *kind = json_str_or(source, "kind", "");
    return (!*group && strcmp(kind, "PersistentVolumeClaim") == 0) || (strcmp(group, "snapshot.storage.k8s.io") == 0 && strcmp(kind, "VolumeSnapshot") == 0);
}

/* KEP-1495: other sources than claims and snapshots are silently dropped from the older field, unless they were there; then dataSource
 * and dataSourceRef say the same where only one of them is given. */
static const struct json *normalize_source(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    const struct json *source = json_get(o, "spec.dataSource"), *ref = json_get(o, "spec.dataSourceRef");
    bool had = old && (json_get(old, "spec.dataSource") || json_get(old, "spec.dataSourceRef"));
    if (source && ref == NULL && !had && !is_claim_or_snapshot(source)) return json_without(a, o, "spec.dataSource");
    if (source && ref == NULL) return json_with(a, o, "spec.dataSourceRef", source);
    if (ref && source == NULL && !*json_str_or(ref, "namespace", "")) return json_with(a, o, "spec.dataSource", json_without_member(a, ref, "namespace"));
    return o;
}

const struct json *claim_create(struct change *c, const struct json *o) {
    o = json_with_member(c->r->arena, o, "status", json_make(c->r->arena, "{'phase':'Pending'}"));
    return normalize_source(c, o, NULL);
}

const struct json *claim_update(struct change *c, const struct json *o, const struct json *old) { return normalize_source(c, o, old); }

const struct json *volume_create(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    return json_with_member(a, o, "status", json_make(a, "{'phase':'Pending','lastPhaseTransitionTime':%s}", time_now(a, c->r)));
}

/* When the phase last changed. */
const struct json *volume_status(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    bool same = str_eq(json_str(o, "status.phase"), json_str(old, "status.phase"));
    if (json_get(o, "status.lastPhaseTransitionTime")) return o;
    const struct json *had = json_get(old, "status.lastPhaseTransitionTime");
    const struct json *when = same ? had : json_string(a, time_now(a, c->r));
    return when ? json_with(a, o, "status.lastPhaseTransitionTime", when) : o;
}
