/* persistentvolume-binder-controller: gives claims their volumes, and volumes their phases (upstream's pv_controller.go,
 * whose two functions syncClaim and syncVolume these are).
 *
 * A binding is four writes, each of which may be the last before a crash: the volume's claimRef, its phase, the claim's
 * volumeName, its phase. Whoever finds a binding half done finishes it. One thread, so that no volume is given twice. Keys:
 * "claim/NAMESPACE/NAME" and "volume/NAME". */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/volumes.h"

static const int64_t resync = SECONDS(15);

struct binder {
    struct runner *r;
    struct arena *a;
};

/* ---- writing ---- */

static struct error *ignore_gone(struct error *e) { return error_is(e, "NotFound") ? error_free(e), NULL : e; }

static const struct json *annotated(struct arena *a, const struct json *o, const char *name, const char *value) {
    return json_with(a, o, "metadata.annotations", json_with_member(a, json_get(o, "metadata.annotations"), name, value ? json_string(a, value) : NULL));
}

/* Replaces *d with what the write made of it. */
static struct error *update(const struct binder *b, const struct resource *resource, struct doc **d, const char *sub, const struct json *o) {
    struct doc *new = NULL;
    TRY(client_update(b->r->client, resource, doc_namespace(*d), doc_name(*d), sub, o, &new));
    doc_unref(*d);
    *d = new;
    return NULL;
}

static struct error *set_volume_phase(const struct binder *b, struct doc **volume, const char *phase, const char *message) {
    if (json_str_is((*volume)->root, "status.phase", phase)) return NULL;
    const struct json *status = json_make(b->a, "{'phase':%s,'message':%s}", phase, message);
    return update(b, &resource_persistentvolumes, volume, "status", json_with(b->a, (*volume)->root, "status", status));
}

static struct error *set_claim_phase(const struct binder *b, struct doc **claim, const char *phase, const struct json *volume) {
    const struct json *old = json_get((*claim)->root, "status"), *status = json_with_member(b->a, old, "phase", json_string(b->a, phase));
    status = json_with_member(b->a, status, "accessModes", json_get(volume, "spec.accessModes"));
    if (!volume) status = json_without_member(b->a, status, "capacity");
    else if (!json_str_is(old, "phase", "Bound") || !json_get(old, "capacity")) {
        status = json_with_member(b->a, status, "capacity", json_make(b->a, "{'storage':%v}", json_get(volume, "spec.capacity.storage")));
    }
    const struct json *class = json_get(volume, "spec.volumeAttributesClassName");
    if (class) status = json_with_member(b->a, status, "currentVolumeAttributesClassName", class);
    if (json_semantic_equal(status, old)) return NULL;
    return update(b, &resource_persistentvolumeclaims, claim, "status", json_with(b->a, (*claim)->root, "status", status));
}

/* ---- binding ---- */

static struct error *reserve_volume(const struct binder *b, struct doc **volume, const struct doc *claim) {
    const struct json *o = (*volume)->root, *ref = json_get(o, "spec.claimRef");
    bool ours = !volume_bound_to(o, claim);
    if (!ours && json_str_is(ref, "uid", doc_uid(claim))) return NULL;
    o = json_with(b->a, o, "spec.claimRef", json_make(b->a, "{'kind':'PersistentVolumeClaim','namespace':%s,'name':%s,'uid':%s,'apiVersion':'v1','resourceVersion':%s}",
                                                     doc_namespace(claim), doc_name(claim), doc_uid(claim), json_str(claim->root, "metadata.resourceVersion")));
    if (ours) o = annotated(b->a, o, BOUND_BY_CONTROLLER, "yes");
    return update(b, &resource_persistentvolumes, volume, NULL, o);
}

static struct error *point_claim(const struct binder *b, struct doc **claim, const struct doc *volume) {
    const struct json *o = (*claim)->root;
    bool named = json_str_is(o, "spec.volumeName", doc_name(volume)), complete = object_annotation(o, BIND_COMPLETED);
    if (named && complete) return NULL;
    if (!named) o = annotated(b->a, json_with(b->a, o, "spec.volumeName", json_string(b->a, doc_name(volume))), BOUND_BY_CONTROLLER, "yes");
    return update(b, &resource_persistentvolumeclaims, claim, NULL, annotated(b->a, o, BIND_COMPLETED, "yes"));
}

static struct error *bind(const struct binder *b, struct doc **claim, struct doc *volume) {
    cleanup_doc struct doc *v = doc_ref(volume);
    TRY(reserve_volume(b, &v, *claim));
    TRY(set_volume_phase(b, &v, "Bound", NULL));
    TRY(point_claim(b, claim, v));
    return set_claim_phase(b, claim, "Bound", v->root);
}

static struct error *unbind(const struct binder *b, struct doc **volume) {
    const struct json *o = (*volume)->root;
    if (object_annotation(o, BOUND_BY_CONTROLLER)) o = annotated(b->a, json_without(b->a, o, "spec.claimRef"), BOUND_BY_CONTROLLER, NULL);
    else o = json_without(b->a, o, "spec.claimRef.uid");
    TRY(update(b, &resource_persistentvolumes, volume, NULL, o));
    return set_volume_phase(b, volume, "Available", NULL);
}

/* ---- claims without a volume ---- */

static struct doc *class_of(const struct binder *b, const struct json *claim) {
    const char *name = volume_class(claim);
    return *name ? cache_get(b->r->cache, &resource_storage_storageclasses, NULL, name) : NULL;
}

static bool uses_claim(const struct json *pod, const char *claim, const char *pod_name, struct arena *a) {
    JSON_EACH(v, json_get(pod, "spec.volumes")) {
        if (json_str_is(v, "persistentVolumeClaim.claimName", claim)) return true;
        if (json_member(v, "ephemeral") && str_eq(arena_printf(a, "%s-%s", pod_name, json_str_or(v, "name", "")), claim)) return true;
    }
    return false;
}

static void tell_waiting(const struct binder *b, const struct doc *claim) {
    cleanup_doc_list struct doc_list pods = {0};
    cleanup_buf struct buf names = {0};
    size_t count = 0;
    cache_list(b->r->cache, &resource_pods, doc_namespace(claim), &pods);
    for (size_t i = 0; i < pods.len; i++) {
        const struct doc *p = pods.items[i];
        if (json_str(p->root, "spec.nodeName") || pod_is_terminal(p->root) || !uses_claim(p->root, doc_name(claim), doc_name(p), b->a)) continue;
        buf_printf(&names, "%s%s", count++ ? "," : "", doc_name(p));
    }
    if (count == 0) return recorder_event(b->r->events, claim->root, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
    recorder_event(b->r->events, claim->root, "Normal", "WaitForPodScheduled", "waiting for pod%s %s to be scheduled", count > 1 ? "s" : "", buf_str(&names));
}

/* The newest of the classes that are marked as default, by name where they are of one age. */
static const char *default_class(const struct binder *b) {
    cleanup_doc_list struct doc_list all = {0};
    const struct doc *best = NULL;
    cache_list(b->r->cache, &resource_storage_storageclasses, NULL, &all);
    for (size_t i = 0; i < all.len; i++) {
        const struct json *o = all.items[i]->root;
        if (!str_eq(object_annotation(o, "storageclass.kubernetes.io/is-default-class"), "true") &&
            !str_eq(object_annotation(o, "storageclass.beta.kubernetes.io/is-default-class"), "true")) continue;
        if (!best || object_created(o) > object_created(best->root)) best = all.items[i];
    }
    return best ? arena_strdup(b->a, doc_name(best)) : NULL;
}

static struct error *request_provisioning(const struct binder *b, struct doc **claim, const struct doc *class) {
    const struct json *o = (*claim)->root;
    const char *provisioner = json_str_or(class ? class->root : NULL, "provisioner", "");
    if (!class || str_starts(provisioner, "kubernetes.io/")) { /* none of the old built-in ones is there */
        recorder_event(b->r->events, o, "Warning", "ProvisioningFailed", class ? "no volume plugin matched name: %s" : "storageclass.storage.k8s.io \"%s\" not found",
                       class ? provisioner : volume_class(o));
        return NULL;
    }
    if (!str_eq(object_annotation(o, STORAGE_PROVISIONER), provisioner)) {
        o = annotated(b->a, annotated(b->a, o, "volume.beta.kubernetes.io/storage-provisioner", provisioner), STORAGE_PROVISIONER, provisioner);
        TRY(update(b, &resource_persistentvolumeclaims, claim, NULL, o));
    }
    recorder_event(b->r->events, (*claim)->root, "Normal", "ExternalProvisioning",
                   "Waiting for a volume to be created either by the external provisioner '%s' or manually by the system administrator. If volume creation is "
                   "delayed, please verify that the provisioner is running and correctly registered.", provisioner);
    return NULL;
}

static struct error *find_volume(const struct binder *b, struct doc **claim) {
    const struct json *o = (*claim)->root;
    cleanup_doc struct doc *class = class_of(b, o);
    cleanup_doc_list struct doc_list volumes = {0};
    bool delayed = class && json_str_is(class->root, "volumeBindingMode", "WaitForFirstConsumer");
    cache_list(b->r->cache, &resource_persistentvolumes, NULL, &volumes);
    struct doc *best = volume_best_match(b->a, &volumes, *claim, delayed);
    if (best) return bind(b, claim, best);
    const char *other = claim_has_class(o) ? NULL : default_class(b);
    if (other) return update(b, &resource_persistentvolumeclaims, claim, NULL, json_with(b->a, o, "spec.storageClassName", json_string(b->a, other)));
    if (delayed && !object_annotation(o, SELECTED_NODE)) tell_waiting(b, *claim);
    else if (*volume_class(o)) return request_provisioning(b, claim, class);
    else recorder_event(b->r->events, o, "Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
    return set_claim_phase(b, claim, "Pending", NULL);
}

static struct error *take_named_volume(const struct binder *b, struct doc **claim, struct doc *volume) {
    const struct json *o = (*claim)->root;
    if (!volume) return set_claim_phase(b, claim, "Pending", NULL);
    const char *mismatch = json_get(volume->root, "spec.claimRef") ? NULL : volume_mismatch(volume->root, o);
    if (mismatch) recorder_event(b->r->events, o, "Warning", "VolumeMismatch", "Cannot bind to requested volume \"%s\": %s", doc_name(volume), mismatch);
    else if (!json_get(volume->root, "spec.claimRef") || volume_bound_to(volume->root, *claim)) return bind(b, claim, volume);
    else if (object_annotation(o, BOUND_BY_CONTROLLER)) {
        return error_new("invalid binding of claim \"%s/%s\" to volume \"%s\": volume already claimed", doc_namespace(*claim), doc_name(*claim), doc_name(volume));
    } else recorder_event(b->r->events, o, "Warning", "FailedBinding", "volume \"%s\" already bound to a different claim.", doc_name(volume));
    return set_claim_phase(b, claim, "Pending", NULL);
}

/* ---- claims that had a volume ---- */

static struct error *lose_claim(const struct binder *b, struct doc **claim, const char *reason, const char *message) {
    if (json_str_is((*claim)->root, "status.phase", "Lost")) return NULL;
    TRY(set_claim_phase(b, claim, "Lost", NULL));
    recorder_event(b->r->events, (*claim)->root, "Warning", reason, "%s", message);
    return NULL;
}

static struct error *check_bound(const struct binder *b, struct doc **claim, const char *name, struct doc *volume) {
    if (!*name) return lose_claim(b, claim, "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    if (!volume) return lose_claim(b, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    const struct json *ref = json_get(volume->root, "spec.claimRef");
    if (!ref || json_str_is(ref, "uid", doc_uid(*claim))) return bind(b, claim, volume);
    return lose_claim(b, claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly");
}

static struct work_result sync_claim(const struct binder *b, const char *ns, const char *name) {
    cleanup_doc struct doc *claim = cache_get(b->r->cache, &resource_persistentvolumeclaims, ns, name);
    if (!claim) return WORK_DONE;
    const char *volume_name = json_str_or(claim->root, "spec.volumeName", "");
    cleanup_doc struct doc *volume = *volume_name ? cache_get(b->r->cache, &resource_persistentvolumes, NULL, volume_name) : NULL;
    volume_name = arena_strdup(b->a, volume_name);
    if (object_annotation(claim->root, BIND_COMPLETED)) WORK_TRY(check_bound(b, &claim, volume_name, volume));
    else if (*volume_name) WORK_TRY(take_named_volume(b, &claim, volume));
    else WORK_TRY(find_volume(b, &claim));
    return json_str_is(claim->root, "status.phase", "Bound") || json_str_is(claim->root, "status.phase", "Lost") ? WORK_DONE : work_again(resync);
}

/* ---- volumes ---- */

static struct error *fail_volume(const struct binder *b, struct doc **volume, const char *reason, const char *message) {
    if (json_str_is((*volume)->root, "status.phase", "Failed")) return NULL;
    TRY(set_volume_phase(b, volume, "Failed", message));
    recorder_event(b->r->events, (*volume)->root, "Warning", reason, "%s", message);
    return NULL;
}

/* Only a host path below /tmp is deleted here, as upstream does for tests on one machine; what a provisioner made is its to
 * delete. */
static struct error *delete_volume(const struct binder *b, struct doc **volume) {
    const struct json *o = (*volume)->root;
    const char *path = json_str(o, "spec.hostPath.path"), *name = doc_name(*volume);
    if (object_annotation(o, PROVISIONED_BY) || object_deleting(o)) return NULL;
    if (!path) {
        return fail_volume(b, volume, "VolumeFailedDelete", arena_printf(b->a, "error getting deleter volume plugin for volume \"%s\": no deletable volume plugin matched", name));
    }
    if (!str_starts(path, "/tmp/") || path[5] == '\0' || strstr(path, "/../")) {
        return fail_volume(b, volume, "VolumeFailedDelete", arena_printf(b->a, "host_path deleter only supports /tmp/.+ but received provided %s", path));
    }
    struct error *e = dir_remove(path);
    if (e && e->sys != 2 /* ENOENT */) {
        struct error *failed = fail_volume(b, volume, "VolumeFailedDelete", arena_strdup(b->a, e->message));
        return error_free(e), failed;
    }
    error_free(e);
    struct delete_options options = {.uid = doc_uid(*volume), .grace_period = -1};
    return ignore_gone(client_delete(b->r->client, &resource_persistentvolumes, NULL, name, &options));
}

static struct error *reclaim(const struct binder *b, struct doc **volume) {
    const char *policy = json_str_or((*volume)->root, "spec.persistentVolumeReclaimPolicy", "Retain");
    if (!json_str_is((*volume)->root, "status.phase", "Failed")) TRY(set_volume_phase(b, volume, "Released", NULL));
    if (str_eq(policy, "Delete")) return delete_volume(b, volume);
    if (str_eq(policy, "Recycle")) return fail_volume(b, volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!");
    if (str_eq(policy, "Retain")) return NULL;
    return fail_volume(b, volume, "VolumeUnknownReclaimPolicy", "Volume has an unrecognized PersistentVolumeReclaimPolicy");
}

static struct error *await_claim(const struct binder *b, const struct doc *volume, const struct doc *claim) {
    if (!volume_modes_differ(volume->root, claim->root)) return runner_add(b->r, arena_printf(b->a, "claim/%s/%s", doc_namespace(claim), doc_name(claim))), NULL;
    recorder_event(b->r->events, volume->root, "Warning", "VolumeMismatch", "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"%s\" due to incompatible volumeMode.",
                   doc_name(claim));
    recorder_event(b->r->events, claim->root, "Warning", "VolumeMismatch", "Cannot bind PersistentVolume \"%s\" to requested PersistentVolumeClaim due to incompatible volumeMode.",
                   doc_name(volume));
    return NULL;
}

static struct error *sync_volume(const struct binder *b, const char *name) {
    cleanup_doc struct doc *volume = cache_get(b->r->cache, &resource_persistentvolumes, NULL, name);
    const struct json *ref = volume ? json_get(volume->root, "spec.claimRef") : NULL;
    if (!volume) return NULL;
    if (!ref || !*json_str_or(ref, "uid", "")) return set_volume_phase(b, &volume, "Available", NULL);
    cleanup_doc struct doc *claim = cache_get(b->r->cache, &resource_persistentvolumeclaims, json_str(ref, "namespace"), json_str_or(ref, "name", ""));
    if (claim && !json_str_is(ref, "uid", doc_uid(claim))) doc_unref(TAKE(claim));
    if (!claim) return reclaim(b, &volume);
    const char *bound = json_str_or(claim->root, "spec.volumeName", "");
    if (!*bound) return await_claim(b, volume, claim);
    if (str_eq(bound, name)) return set_volume_phase(b, &volume, "Bound", NULL);
    bool provisioned = object_annotation(volume->root, PROVISIONED_BY) && json_str_is(volume->root, "spec.persistentVolumeReclaimPolicy", "Delete");
    return provisioned ? reclaim(b, &volume) : unbind(b, &volume);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const struct binder b = {r, a};
    char **parts = str_split(a, key, '/', NULL);
    struct work_result result = str_eq(parts[0], "claim") ? sync_claim(&b, parts[1], parts[2]) : work_error(ignore_gone(sync_volume(&b, parts[1])));
    if (!error_is(result.error, "Conflict")) return result;
    error_free(result.error);
    return work_again(MSECONDS(10));
}

/* ---- changes ---- */

static void add_claim(struct runner *r, const struct doc *claim) {
    cleanup_arena struct arena a = {0};
    runner_add(r, arena_printf(&a, "claim/%s/%s", doc_namespace(claim), doc_name(claim)));
}

static void claim_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    const char *volume = json_str(after ? after->root : before->root, "spec.volumeName");
    if (after) add_claim(r, after);
    else if (volume && *volume) runner_add(r, arena_printf(&a, "volume/%s", volume));
}

static void wake_pending_claims(struct runner *r, const char *class) {
    cleanup_doc_list struct doc_list claims = {0};
    cache_list(r->cache, &resource_persistentvolumeclaims, NULL, &claims);
    for (size_t i = 0; i < claims.len; i++) {
        const struct json *o = claims.items[i]->root;
        if (json_str_is(o, "status.phase", "Pending") && (str_eq(volume_class(o), class) || !claim_has_class(o))) add_claim(r, claims.items[i]);
    }
}

static void volume_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    const struct json *o = after ? after->root : before->root, *ref = json_get(o, "spec.claimRef");
    runner_add(r, arena_printf(&a, "volume/%s", doc_name(after ? after : before)));
    if (!after && ref) runner_add(r, arena_printf(&a, "claim/%s/%s", json_str_or(ref, "namespace", ""), json_str_or(ref, "name", "")));
    bool available = after && json_str_is(o, "status.phase", "Available");
    if (available && !(before && json_str_is(before->root, "status.phase", "Available"))) wake_pending_claims(r, volume_class(o));
}

static void class_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after) {
    if (after) wake_pending_claims(r, doc_name(after));
}

static const struct controller_source sources[] = {{.resource = &resource_persistentvolumes, .keys = volume_changed},
                                                   {.resource = &resource_persistentvolumeclaims, .keys = claim_changed},
                                                   {.resource = &resource_storage_storageclasses, .keys = class_changed}, {0}};
const struct controller persistentvolume_binder_controller = {"persistentvolume-binder-controller", .component = "persistentvolume-controller", .threads = 1,
                                                              .sources = sources, .reconcile = reconcile};
