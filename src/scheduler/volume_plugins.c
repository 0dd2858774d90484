/* Plugins about volumes: VolumeBinding, VolumeRestrictions, VolumeZone, NodeVolumeLimits. Claims are followed to their
 * volumes through the caches; what binding then has to do is in volumes.h. */
#include "base/str.h"
#include "scheduler/plugins.h"
#include "scheduler/volumes.h"
#include <stdio.h>

/* ---- claims of a pod ---- */

static bool add_claim(struct cycle *c, struct pod_volumes *v, const struct json *volume) {
    const char *name = json_str(volume, "persistentVolumeClaim.claimName");
    bool ephemeral = json_get(volume, "ephemeral") != NULL;
    if (ephemeral) name = arena_printf(&c->arena, "%s-%s", doc_name(c->pod->doc), json_str_or(volume, "name", ""));
    if (name == NULL) return true;
    struct doc *claim = cache_get(c->cache, &resource_persistentvolumeclaims, c->pod->ns, name);
    if (claim == NULL) {
        if (ephemeral) return cycle_refuse(c, "VolumeBinding", "waiting for ephemeral volume controller to create the persistentvolumeclaim \"%s\"", name);
        return cycle_refuse(c, "VolumeBinding", "persistentvolumeclaim \"%s\" not found", name);
    }
    doc_list_add(&v->claims, claim);
    doc_unref(claim);
    if (json_str_is(claim->root, "status.phase", "Lost")) {
        return cycle_refuse(c, "VolumeBinding", "persistentvolumeclaim \"%s\" bound to non-existent persistentvolume \"%s\"", name, json_str_or(claim->root, "spec.volumeName", ""));
    }
    if (object_deleting(claim->root)) return cycle_refuse(c, "VolumeBinding", "persistentvolumeclaim \"%s\" is being deleted", name);
    if (!volumes_bound(claim->root) && !volumes_waits_for_consumer(c->cache, claim->root)) return cycle_refuse(c, "VolumeBinding", "pod has unbound immediate PersistentVolumeClaims");
    return true;
}

static bool prefilter_binding(struct cycle *c, size_t self) {
    struct pod_volumes *v = ARENA_NEW(&c->arena, struct pod_volumes);
    c->data[self] = v;
    JSON_EACH(volume, json_get(c->pod->spec, "volumes")) {
        if (!add_claim(c, v, volume)) return false;
    }
    c->skip_filter[self] = v->claims.len == 0;
    return true;
}

static const struct pod_volumes *volumes_of(const struct cycle *c) {
    for (size_t i = 0; i < plugin_count; i++) {
        if (strcmp(plugins[i]->name, "VolumeBinding") == 0) return c->data[i];
    }
    return NULL;
}

/* Of what looks at claims only; VolumeBinding's prefilter has run before. */
static bool prefilter_claims(struct cycle *c, size_t self) {
    const struct pod_volumes *v = volumes_of(c);
    c->skip_filter[self] = v == NULL || v->claims.len == 0;
    return true;
}

static enum verdict filter_binding(struct cycle *c, size_t self, struct node_result *r) {
    const struct pod_volumes *v = c->data[self];
    cleanup_doc_list struct doc_list taken = {0};
    for (size_t i = 0; i < v->claims.len; i++) {
        const struct json *claim = v->claims.items[i]->root;
        if (volumes_bound(claim)) {
            cleanup_doc struct doc *pv = cache_get(c->cache, &resource_persistentvolumes, NULL, json_str(claim, "spec.volumeName"));
            if (pv == NULL) return node_refuse(r, UNRESOLVABLE, "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
            if (!volumes_node_matches(&c->arena, pv->root, r->node)) return node_refuse(r, UNRESOLVABLE, "node(s) didn't match PersistentVolume's node affinity");
            continue;
        }
        cleanup_doc struct doc *pv = volumes_find(&c->arena, c->cache, claim, r->node, &taken);
        if (pv != NULL) doc_list_add(&taken, pv);
        else if (!volumes_can_provision(&c->arena, c->cache, claim, r->node)) return node_refuse(r, UNRESOLVABLE, "node(s) didn't find available persistent volumes to bind");
    }
    return FITS;
}

static void finish_binding(struct cycle *c, size_t self) { doc_list_free(&((struct pod_volumes *)c->data[self])->claims); }

const struct plugin plugin_volume_binding = {.name = "VolumeBinding", .prefilter = prefilter_binding, .filter = filter_binding, .finish = finish_binding};

/* ---- ReadWriteOncePod ---- */

static bool uses_claim(const struct pod_info *p, const char *name) {
    JSON_EACH(v, json_get(p->spec, "volumes")) {
        if (json_str_is(v, "persistentVolumeClaim.claimName", name)) return true;
    }
    return false;
}

static bool exclusive(const struct json *claim) {
    JSON_EACH(m, json_get(claim, "spec.accessModes")) {
        if (json_str_is(m, NULL, "ReadWriteOncePod")) return true;
    }
    return false;
}

static bool prefilter_restrictions(struct cycle *c, size_t self) {
    const struct pod_volumes *v = volumes_of(c);
    bool any = false;
    for (size_t i = 0; v != NULL && i < v->claims.len; i++) any = any || exclusive(v->claims.items[i]->root);
    c->skip_filter[self] = !any;
    return true;
}

static enum verdict filter_restrictions(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    const struct pod_volumes *v = volumes_of(c);
    for (size_t i = 0; i < v->claims.len; i++) {
        if (!exclusive(v->claims.items[i]->root)) continue;
        for (size_t n = 0; n < c->count; n++) {
            const struct node_info *node = c->state->list[n];
            for (size_t p = 0; p < node->pod_count; p++) {
                if (strcmp(node->pods[p]->ns, c->pod->ns) == 0 && uses_claim(node->pods[p], doc_name(v->claims.items[i]))) {
                    return node_refuse(r, UNSCHEDULABLE, "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod");
                }
            }
        }
    }
    return FITS;
}
const struct plugin plugin_volume_restrictions = {.name = "VolumeRestrictions", .prefilter = prefilter_restrictions, .filter = filter_restrictions};

/* ---- zones of volumes (labels from before node affinity) ---- */

static bool zone_allows(const struct json *pv, const struct node_info *n, const char *key) {
    const char *zones = object_label(pv, key);
    const struct json *have = json_member(n->labels, key);
    if (zones == NULL) return true;
    if (!json_is(have, JSON_STRING)) return false;
    for (const char *at = zones; at != NULL;) { /* several are joined by "__" */
        const char *end = strstr(at, "__");
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (strlen(have->s) == len && memcmp(have->s, at, len) == 0) return true;
        at = end ? end + 2 : NULL;
    }
    return false;
}

static enum verdict filter_zone(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    static const char *const keys[] = {"topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
                                       "failure-domain.beta.kubernetes.io/region"};
    const struct pod_volumes *v = volumes_of(c);
    for (size_t i = 0; i < v->claims.len; i++) {
        const char *name = json_str(v->claims.items[i]->root, "spec.volumeName");
        cleanup_doc struct doc *pv = name ? cache_get(c->cache, &resource_persistentvolumes, NULL, name) : NULL;
        for (size_t k = 0; pv != NULL && k < ARRAY_LEN(keys); k++) {
            if (!zone_allows(pv->root, r->node, keys[k])) return node_refuse(r, UNRESOLVABLE, "node(s) had no available volume zone");
        }
    }
    return FITS;
}
const struct plugin plugin_volume_zone = {.name = "VolumeZone", .prefilter = prefilter_claims, .filter = filter_zone};

/* ---- attach limits of CSI drivers ---- */

static const char *driver_of(struct cycle *c, const char *ns, const struct json *volume) {
    const char *claim_name = json_str(volume, "persistentVolumeClaim.claimName");
    cleanup_doc struct doc *claim = claim_name ? cache_get(c->cache, &resource_persistentvolumeclaims, ns, claim_name) : NULL;
    const char *pv_name = claim ? json_str(claim->root, "spec.volumeName") : NULL;
    cleanup_doc struct doc *pv = pv_name ? cache_get(c->cache, &resource_persistentvolumes, NULL, pv_name) : NULL;
    const char *driver = pv ? json_str(pv->root, "spec.csi.driver") : NULL;
    return driver ? arena_strdup(&c->arena, driver) : NULL;
}

static int64_t count_volumes(struct cycle *c, const struct pod_info *p, const char *driver) {
    int64_t count = 0;
    JSON_EACH(v, json_get(p->spec, "volumes")) count += str_eq(driver_of(c, p->ns, v), driver);
    return count;
}

static enum verdict filter_limits(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    cleanup_doc struct doc *csi = cache_get(c->cache, &resource_storage_csinodes, NULL, r->node->name);
    JSON_EACH(driver, csi ? json_get(csi->root, "spec.drivers") : NULL) {
        const char *name = json_str_or(driver, "name", "");
        int64_t limit = json_int(driver, "allocatable.count", INT64_MAX), used = count_volumes(c, c->pod, name);
        if (limit == INT64_MAX || used == 0) continue;
        for (size_t i = 0; i < r->node->pod_count; i++) used += count_volumes(c, r->node->pods[i], name);
        if (used > limit) return node_refuse(r, UNSCHEDULABLE, "node(s) exceed max volume count");
    }
    return FITS;
}
const struct plugin plugin_node_volume_limits = {.name = "NodeVolumeLimits", .prefilter = prefilter_claims, .filter = filter_limits};
