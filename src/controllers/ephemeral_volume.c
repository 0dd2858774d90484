/* ephemeral-volume-controller: makes the claims of pods' generic ephemeral volumes; the garbage collector removes them with
 * their pods. */
#include "base/str.h"
#include "controllers/all.h"

static struct error *make_claim(struct runner *r, struct arena *a, const struct doc *pod, const struct json *volume) {
    const char *ns = doc_namespace(pod), *name = arena_printf(a, "%s-%s", doc_name(pod), json_str_or(volume, "name", ""));
    cleanup_doc struct doc *claim = cache_get(r->cache, &resource_persistentvolumeclaims, ns, name);
    if (claim && controlled_by(claim->root, doc_uid(pod))) return NULL;
    if (claim) return error_new("PVC %s/%s was not created for pod %s/%s (pod is not owner)", ns, name, ns, doc_name(pod));
    const struct json *template = json_get(volume, "ephemeral.volumeClaimTemplate");
    const struct json *o = json_make(a, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':%s,'labels':%v,'annotations':%v,'ownerReferences':[%v]},'spec':%v}",
                                     name, json_get(template, "metadata.labels"), json_get(template, "metadata.annotations"), owner_reference(a, &resource_pods, pod),
                                     json_member(template, "spec"));
    struct error *e = client_create(r->client, &resource_persistentvolumeclaims, ns, o, NULL);
    return e ? error_wrap(e, "create PVC %s", name) : NULL;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *pod = cache_get(r->cache, &resource_pods, ns, name);
    if (!pod || object_deleting(pod->root)) return WORK_DONE;
    JSON_EACH(volume, json_get(pod->root, "spec.volumes")) {
        struct error *e = json_member(volume, "ephemeral") ? make_claim(r, a, pod, volume) : NULL;
        if (!e) continue;
        recorder_event(r->events, pod->root, "Warning", "FailedBinding", "ephemeral volume %s: %s", json_str_or(volume, "name", ""), e->message);
        return work_error(error_wrap(e, "pod %s, ephemeral volume %s", key, json_str_or(volume, "name", "")));
    }
    return WORK_DONE;
}

static bool has_ephemeral(const struct json *pod) {
    JSON_EACH(volume, json_get(pod, "spec.volumes")) {
        if (json_member(volume, "ephemeral")) return true;
    }
    return false;
}

static void pod_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (!before && after && has_ephemeral(after->root)) runner_add_object(r, after);
}

static void claim_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    const char *pod = before && !after ? controller_key(&a, before->root, &resource_pods) : NULL;
    if (pod) runner_add(r, pod);
}

static const struct controller_source sources[] = {{.resource = &resource_pods, .keys = pod_changed}, {.resource = &resource_persistentvolumeclaims, .keys = claim_changed}, {0}};
const struct controller ephemeral_volume_controller = {"ephemeral-volume-controller", .component = "ephemeral_volume", .threads = 1, .sources = sources, .reconcile = reconcile};
