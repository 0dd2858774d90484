#include "controllers/statefulset.h"
#include "base/str.h"

const char *set_claim_name(const struct set *s, const struct json *t, int64_t ordinal) {
    return arena_printf(s->arena, "%s-%s-%ld", json_str_or(t, "metadata.name", ""), doc_name(s->doc), ordinal);
}

static struct doc *claim_of(const struct set *s, const struct json *template, const struct json *pod) {
    return cache_get(s->runner->cache, &resource_persistentvolumeclaims, doc_namespace(s->doc), set_claim_name(s, template, set_ordinal(s, pod)));
}

static struct error *create_claim(const struct set *s, const struct json *t, const struct json *pod) {
    struct arena *a = s->arena;
    struct recorder *events = s->runner->events;
    const char *name = set_claim_name(s, t, set_ordinal(s, pod)), *pod_name = json_str(pod, "metadata.name"), *set = doc_name(s->doc);
    const struct json *labels = object_labels(t), *claim;
    JSON_EACH_MEMBER(m, json_get(s->doc->root, "spec.selector.matchLabels")) labels = json_with_member(a, labels, m->key, &m->value);
    claim = json_make(a, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':%s,'labels':%v,'annotations':%v},'spec':%v}", name, labels,
                      json_get(t, "metadata.annotations"), json_get(t, "spec"));
    struct error *e = client_create(s->runner->client, &resource_persistentvolumeclaims, doc_namespace(s->doc), claim, NULL);
    if (!e) recorder_event(events, s->doc->root, "Normal", "SuccessfulCreate", "Create Claim %s Pod %s in StatefulSet %s success", name, pod_name, set);
    else if (!error_is(e, "AlreadyExists"))
        recorder_event(events, s->doc->root, "Warning", "FailedCreate", "Create Claim %s for Pod %s in StatefulSet %s failed error: %s", name, pod_name, set, e->message);
    return e ? error_wrap(e, "failed to create PVC %s", name) : NULL;
}

struct error *set_create_claims(struct set *s, const struct json *pod) {
    JSON_EACH(t, json_get(s->doc->root, "spec.volumeClaimTemplates")) {
        cleanup_doc struct doc *claim = claim_of(s, t, pod);
        if (!claim) TRY(create_claim(s, t, pod));
        else if (object_deleting(claim->root)) return error_new("pvc %s is being deleted", doc_name(claim));
    }
    return NULL;
}

static bool deletes(const struct set *s, const char *when) {
    return json_str_is(json_get(s->doc->root, "spec.persistentVolumeClaimRetentionPolicy"), when, "Delete");
}

/* The owners of the claim less this set and pods of this name, and then the one that the policy wants. */
static const struct json *wanted_owners(struct set *s, const struct doc *claim, const struct json *pod) {
    struct arena *a = s->arena;
    struct json_array owners = {.arena = a};
    JSON_EACH(ref, json_get(claim->root, "metadata.ownerReferences")) {
        const char *uid = json_str(ref, "uid");
        if (!str_eq(uid, doc_uid(s->doc)) && !str_eq(uid, json_str(pod, "metadata.uid"))) json_array_add(&owners, ref);
    }
    bool scaled_down = deletes(s, "whenScaled") && !set_in_range(s, set_ordinal(s, pod));
    if (scaled_down)
        json_array_add(&owners, json_make(a, "{'apiVersion':'v1','kind':'Pod','name':%s,'uid':%s,'controller':%b,'blockOwnerDeletion':%b}",
                                          json_str(pod, "metadata.name"), json_str(pod, "metadata.uid"), true, true));
    else if (deletes(s, "whenDeleted")) json_array_add(&owners, owner_reference(a, &resource_apps_statefulsets, s->doc));
    return owners.len ? json_array_done(&owners) : NULL;
}

struct error *set_fix_claims(struct set *s, const struct json *pod) {
    JSON_EACH(t, json_get(s->doc->root, "spec.volumeClaimTemplates")) {
        cleanup_doc struct doc *claim = claim_of(s, t, pod);
        if (!claim || object_deleting(claim->root)) continue;
        const struct json *owners = wanted_owners(s, claim, pod), *old = controller_of(claim->root);
        bool strangers = old && !controlled_by(claim->root, doc_uid(s->doc)) && !controlled_by(claim->root, json_str(pod, "metadata.uid"));
        if (strangers || json_semantic_equal(owners, json_get(claim->root, "metadata.ownerReferences"))) continue;
        TRY(client_update(s->runner->client, &resource_persistentvolumeclaims, doc_namespace(claim), doc_name(claim), NULL,
                          json_with(s->arena, claim->root, "metadata.ownerReferences", owners), NULL));
    }
    return NULL;
}

bool set_claims_stale(struct set *s, const struct json *pod) {
    if (!deletes(s, "whenScaled") && !deletes(s, "whenDeleted")) return false;
    JSON_EACH(t, json_get(s->doc->root, "spec.volumeClaimTemplates")) {
        cleanup_doc struct doc *claim = claim_of(s, t, pod);
        JSON_EACH(ref, json_get(claim ? claim->root : NULL, "metadata.ownerReferences")) {
            if (json_str_is(ref, "kind", "Pod") && str_eq(json_str(ref, "name"), json_str(pod, "metadata.name"))) return true;
        }
    }
    return false;
}
