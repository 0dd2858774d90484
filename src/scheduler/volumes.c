/* See volumes.h. Binding itself is completed by persistentvolume-binder-controller; here volumes are only pre-bound
 * (spec.claimRef) or provisioning is asked for (the annotation selected-node), as upstream's volume binder does. */
#include "scheduler/volumes.h"
#include "base/str.h"
#include "scheduler/plugins.h"

#define SELECTED_NODE "volume.kubernetes.io/selected-node"
#define BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"

bool volumes_bound(const struct json *claim) {
    return json_str_or(claim, "spec.volumeName", "")[0] != '\0' && object_annotation(claim, "pv.kubernetes.io/bind-completed") != NULL;
}

static const char *class_of(const struct json *o) {
    const char *old = object_annotation(o, "volume.beta.kubernetes.io/storage-class");
    return old ? old : json_str_or(o, "spec.storageClassName", "");
}

bool volumes_waits_for_consumer(struct cache *c, const struct json *claim) {
    const char *name = class_of(claim);
    cleanup_doc struct doc *class = name[0] ? cache_get(c, &resource_storage_storageclasses, NULL, name) : NULL;
    return class != NULL && json_str_is(class->root, "volumeBindingMode", "WaitForFirstConsumer");
}

bool volumes_node_matches(struct arena *a, const struct json *pv, const struct node_info *n) {
    const struct json *required = json_get(pv, "spec.nodeAffinity.required");
    if (required == NULL) return true;
    JSON_EACH(term, json_get(required, "nodeSelectorTerms")) {
        if (node_selector_term_matches(a, term, n)) return true;
    }
    return false;
}

static bool modes_fit(const struct json *pv, const struct json *claim) {
    JSON_EACH(want, json_get(claim, "spec.accessModes")) {
        bool has = false;
        JSON_EACH(mode, json_get(pv, "spec.accessModes")) has = has || json_equal(mode, want);
        if (!has) return false;
    }
    return str_eq(json_str_or(pv, "spec.volumeMode", "Filesystem"), json_str_or(claim, "spec.volumeMode", "Filesystem"));
}

static bool volume_fits(struct arena *a, const struct doc *pv, const struct json *claim) {
    const struct json *ref = json_get(pv->root, "spec.claimRef");
    bool ours = ref != NULL && str_eq(json_str(ref, "name"), json_str(claim, "metadata.name")) && str_eq(json_str(ref, "namespace"), json_str(claim, "metadata.namespace"));
    if ((ref != NULL && !ours) || object_deleting(pv->root) || !str_eq(class_of(pv->root), class_of(claim)) || !modes_fit(pv->root, claim)) return false;
    if (!ours && !json_str_is(pv->root, "status.phase", "Available")) return false;
    struct quantity have = quantity_of(json_get(pv->root, "spec.capacity.storage")), want = quantity_of(json_get(claim, "spec.resources.requests.storage"));
    if (quantity_compare(&have, &want) < 0) return false;
    const struct json *selector = json_get(claim, "spec.selector");
    struct selector *s;
    if (selector == NULL) return true;
    struct error *e = label_selector_from_json(a, selector, &s);
    bool matches = e == NULL && label_selector_matches(s, object_labels(pv->root));
    error_free(e);
    return matches;
}

static bool in_list(const struct doc_list *l, const struct doc *d) {
    for (size_t i = 0; i < l->len; i++) {
        if (str_eq(doc_name(l->items[i]), doc_name(d))) return true;
    }
    return false;
}

struct doc *volumes_find(struct arena *a, struct cache *c, const struct json *claim, const struct node_info *n, const struct doc_list *taken) {
    cleanup_doc_list struct doc_list all = {0};
    struct doc *best = NULL;
    cache_list(c, &resource_persistentvolumes, NULL, &all);
    for (size_t i = 0; i < all.len; i++) {
        struct doc *pv = all.items[i];
        if (in_list(taken, pv) || !volume_fits(a, pv, claim) || !volumes_node_matches(a, pv->root, n)) continue;
        struct quantity size = quantity_of(json_get(pv->root, "spec.capacity.storage"));
        struct quantity least = best ? quantity_of(json_get(best->root, "spec.capacity.storage")) : size;
        if (best == NULL || quantity_compare(&size, &least) < 0) best = pv;
    }
    return best ? doc_ref(best) : NULL;
}

static bool topology_allows(const struct json *class, const struct node_info *n) {
    const struct json *terms = json_get(class, "allowedTopologies");
    if (json_len(terms) == 0) return true;
    JSON_EACH(term, terms) {
        bool all = true;
        JSON_EACH(e, json_get(term, "matchLabelExpressions")) {
            const struct json *have = json_member(n->labels, json_str_or(e, "key", ""));
            bool any = false;
            JSON_EACH(v, json_get(e, "values")) any = any || json_equal(v, have);
            all = all && any;
        }
        if (all) return true;
    }
    return false;
}

bool volumes_can_provision(struct arena *a UNUSED, struct cache *c, const struct json *claim, const struct node_info *n) {
    const char *selected = object_annotation(claim, SELECTED_NODE), *name = class_of(claim);
    if (selected != NULL && strcmp(selected, n->name) != 0) return false;
    cleanup_doc struct doc *class = name[0] ? cache_get(c, &resource_storage_storageclasses, NULL, name) : NULL;
    if (class == NULL || json_str_is(class->root, "provisioner", "kubernetes.io/no-provisioner")) return false;
    return topology_allows(class->root, n);
}

/* ---- binding ---- */

static struct error *prebind(struct client *client, struct arena *a, const struct doc *pv, const struct json *claim) {
    const struct json *o = json_with(a, pv->root, "spec.claimRef",
                                     json_make(a, "{'kind':'PersistentVolumeClaim','namespace':%v,'name':%v,'uid':%v,'apiVersion':'v1','resourceVersion':%v}",
                                               json_get(claim, "metadata.namespace"), json_get(claim, "metadata.name"), json_get(claim, "metadata.uid"),
                                               json_get(claim, "metadata.resourceVersion")));
    const struct json *annotations = json_with_member(a, json_get(o, "metadata.annotations"), BOUND_BY_CONTROLLER, json_string(a, "yes"));
    return client_update(client, &resource_persistentvolumes, NULL, doc_name(pv), NULL, json_with(a, o, "metadata.annotations", annotations), NULL);
}

static struct error *ask_provisioner(struct client *client, struct arena *a, const struct doc *claim, const char *node) {
    if (str_eq(object_annotation(claim->root, SELECTED_NODE), node)) return NULL;
    const struct json *annotations = json_with_member(a, json_get(claim->root, "metadata.annotations"), SELECTED_NODE, json_string(a, node));
    return client_update(client, &resource_persistentvolumeclaims, doc_namespace(claim), doc_name(claim), NULL,
                         json_with(a, claim->root, "metadata.annotations", annotations), NULL);
}

static struct error *bind_claim(struct client *client, struct arena *a, struct cache *c, const struct doc *claim, const struct node_info *n, struct doc_list *taken) {
    cleanup_doc struct doc *pv = volumes_find(a, c, claim->root, n, taken);
    if (pv == NULL) return ask_provisioner(client, a, claim, n->name);
    doc_list_add(taken, pv);
    return json_get(pv->root, "spec.claimRef.uid") ? NULL : prebind(client, a, pv, claim->root);
}

struct error *volumes_bind(struct client *client, struct cache *c, const struct pod_info *pod, const struct node_info *n, bool *done) {
    cleanup_arena struct arena a = {0};
    cleanup_doc_list struct doc_list taken = {0};
    *done = true;
    JSON_EACH(volume, json_get(pod->spec, "volumes")) {
        const char *name = json_str(volume, "persistentVolumeClaim.claimName");
        if (json_get(volume, "ephemeral") != NULL) name = arena_printf(&a, "%s-%s", doc_name(pod->doc), json_str_or(volume, "name", ""));
        cleanup_doc struct doc *claim = name ? cache_get(c, &resource_persistentvolumeclaims, pod->ns, name) : NULL;
        if (name == NULL || (claim != NULL && volumes_bound(claim->root))) continue;
        if (claim == NULL) return error_new("persistentvolumeclaim \"%s\" not found", name);
        *done = false;
        TRY(bind_claim(client, &a, c, claim, n, &taken));
    }
    return NULL;
}
