/* local-provisioner: volumes of the StorageClass `local` (provisioner coracle.io/local): a directory on the node that the
 * scheduler chose for the claim's first pod, for this node's pods only.
 *
 * On this machine (a node with the same boot id) directories are made for every user to write and removed with their
 * volumes. On other machines the node agent makes them (DirectoryOrCreate); removing them is left to people, and an event
 * says so. Keys: "claim/NAMESPACE/NAME" and "volume/NAME". */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/controllers.h"
#include "controllers/volumes.h"
#include <sys/stat.h>

#define PROVISIONER "coracle.io/local"
#define HOSTNAME "kubernetes.io/hostname"

static bool on_this_machine(const struct json *node) {
    cleanup_buf struct buf id = {0};
    struct error *e = file_read("/proc/sys/kernel/random/boot_id", 64, &id);
    error_free(e);
    const char *theirs = json_str_or(node, "status.nodeInfo.bootID", "");
    return !e && *theirs && strncmp(buf_str(&id), theirs, strlen(theirs)) == 0;
}

/* ---- making ---- */

/* One node if there is just one that takes pods: the answer for classes that bind at once. */
static const char *only_node(struct runner *r, struct arena *a) {
    cleanup_doc_list struct doc_list nodes = {0};
    const char *name = NULL;
    size_t count = 0;
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) {
        if (json_bool(nodes.items[i]->root, "spec.unschedulable", false)) continue;
        count++;
        name = arena_strdup(a, doc_name(nodes.items[i]));
    }
    return count == 1 ? name : NULL;
}

static const char *refusal(const struct json *claim) {
    if (json_str_is(claim, "spec.volumeMode", "Block")) return "a local volume is a directory: volumeMode Block is not offered";
    if (json_get(claim, "spec.selector")) return "claim.Spec.Selector is not supported";
    JSON_EACH(mode, json_get(claim, "spec.accessModes")) {
        if (!json_str_is(mode, NULL, "ReadWriteOnce") && !json_str_is(mode, NULL, "ReadWriteOncePod")) {
            return "a local volume belongs to one node: only ReadWriteOnce and ReadWriteOncePod are offered";
        }
    }
    return NULL;
}

static const struct json *volume_object(struct arena *a, const struct doc *claim, const struct json *class, const struct json *node, const char *name, const char *path) {
    const char *host = object_label(node, HOSTNAME), *policy = json_str_or(class, "reclaimPolicy", "Delete");
    const struct json *affinity = json_make(a, "{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'" HOSTNAME "','operator':'In','values':[%s]}]}]}}",
                                            host ? host : json_str(node, "metadata.name"));
    const struct json *ref = json_make(a, "{'kind':'PersistentVolumeClaim','apiVersion':'v1','namespace':%s,'name':%s,'uid':%s,'resourceVersion':%s}", doc_namespace(claim),
                                       doc_name(claim), doc_uid(claim), json_str(claim->root, "metadata.resourceVersion"));
    const struct json *o = json_make(a, "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':%s},'spec':{'capacity':{'storage':%v},'accessModes':%v,"
                                        "'hostPath':{'path':%s,'type':'DirectoryOrCreate'},'claimRef':%v,'storageClassName':%s,'persistentVolumeReclaimPolicy':%s,"
                                        "'mountOptions':%v,'nodeAffinity':%v,'volumeMode':'Filesystem'}}",
                                     name, json_get(claim->root, "spec.resources.requests.storage"), json_get(claim->root, "spec.accessModes"), path, ref,
                                     volume_class(claim->root), policy, json_get(class, "mountOptions"), affinity);
    return json_with(a, o, "metadata.annotations", json_with_member(a, NULL, PROVISIONED_BY, json_string(a, PROVISIONER)));
}

static struct error *make_directory(const char *path) {
    TRY(dir_make(path, 0755));
    return chmod(path, 0777) == 0 ? NULL : error_new("cannot make %s writable", path);
}

static struct error *make_volume(struct runner *r, struct arena *a, const struct doc *claim, const struct json *class, const struct doc *node) {
    const struct controllers_config *config = r->config;
    const char *name = arena_printf(a, "pvc-%s", doc_uid(claim)), *path = arena_printf(a, "%s/%s", config->local_volumes_dir, name);
    recorder_event(r->events, claim->root, "Normal", "Provisioning", "External provisioner is provisioning volume for claim \"%s/%s\"", doc_namespace(claim), doc_name(claim));
    if (on_this_machine(node->root)) TRY(make_directory(path));
    struct error *e = client_create(r->client, &resource_persistentvolumes, NULL, volume_object(a, claim, class, node->root, name, path), NULL);
    if (error_is(e, "AlreadyExists")) return error_free(e), NULL;
    if (!e) recorder_event(r->events, claim->root, "Normal", "ProvisioningSucceeded", "Successfully provisioned volume %s", name);
    return e;
}

static struct work_result fail_claim(struct runner *r, const struct doc *claim, const char *why) {
    recorder_event(r->events, claim->root, "Warning", "ProvisioningFailed", "failed to provision volume with StorageClass \"%s\": %s", volume_class(claim->root), why);
    return work_again(SECONDS(15));
}

static struct work_result provision(struct runner *r, struct arena *a, const char *ns, const char *name) {
    const struct controllers_config *config = r->config;
    cleanup_doc struct doc *claim = cache_get(r->cache, &resource_persistentvolumeclaims, ns, name);
    if (!claim || object_deleting(claim->root) || *json_str_or(claim->root, "spec.volumeName", "") || !config->local_volumes_dir) return WORK_DONE;
    if (!str_eq(object_annotation(claim->root, STORAGE_PROVISIONER), PROVISIONER)) return WORK_DONE;
    cleanup_doc struct doc *class = cache_get(r->cache, &resource_storage_storageclasses, NULL, volume_class(claim->root));
    if (!class) return WORK_DONE;
    const char *node_name = object_annotation(claim->root, SELECTED_NODE);
    if (!node_name && json_str_is(class->root, "volumeBindingMode", "WaitForFirstConsumer")) return WORK_DONE;
    if (!node_name) node_name = only_node(r, a);
    cleanup_doc struct doc *node = node_name ? cache_get(r->cache, &resource_nodes, NULL, node_name) : NULL;
    const char *why = refusal(claim->root);
    if (!why && !node) why = node_name ? "the selected node does not exist" : "a class that binds at once does not say on which node: use volumeBindingMode WaitForFirstConsumer";
    if (why) return fail_claim(r, claim, why);
    cleanup_error struct error *e = make_volume(r, a, claim, class->root, node);
    return e ? fail_claim(r, claim, e->message) : WORK_DONE;
}

/* ---- removing ---- */

static struct doc *node_of(struct runner *r, const struct json *volume) {
    const struct json *term = json_at(json_get(volume, "spec.nodeAffinity.required.nodeSelectorTerms"), 0);
    const char *host = json_str(json_at(json_member(json_at(json_member(term, "matchExpressions"), 0), "values"), 0), NULL);
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) {
        const char *label = object_label(nodes.items[i]->root, HOSTNAME);
        if (host && str_eq(label ? label : doc_name(nodes.items[i]), host)) return doc_ref(nodes.items[i]);
    }
    return NULL;
}

static struct error *remove_directory(struct runner *r, const struct doc *volume, const char *path) {
    const struct controllers_config *config = r->config;
    cleanup_doc struct doc *node = node_of(r, volume->root);
    size_t base = strlen(config->local_volumes_dir);
    bool inside = strncmp(path, config->local_volumes_dir, base) == 0 && path[base] == '/' && str_starts(path + base + 1, "pvc-") && !strchr(path + base + 1, '/');
    if (!inside) return error_new("%s is not below %s", path, config->local_volumes_dir);
    struct stat st;
    if (node && on_this_machine(node->root)) return stat(path, &st) == 0 ? dir_remove(path) : NULL;
    recorder_event(r->events, volume->root, "Warning", "DirectoryLeft", "The directory %s stays on node %s: remove it there", path, node ? doc_name(node) : "(gone)");
    return NULL;
}

static struct work_result remove_volume(struct runner *r, const char *name) {
    cleanup_doc struct doc *volume = cache_get(r->cache, &resource_persistentvolumes, NULL, name);
    const struct json *o = volume ? volume->root : NULL;
    if (!volume || object_deleting(o) || !str_eq(object_annotation(o, PROVISIONED_BY), PROVISIONER)) return WORK_DONE;
    if (!json_str_is(o, "status.phase", "Released") || !json_str_is(o, "spec.persistentVolumeReclaimPolicy", "Delete")) return WORK_DONE;
    struct error *e = remove_directory(r, volume, json_str_or(o, "spec.hostPath.path", ""));
    if (e) recorder_event(r->events, o, "Warning", "VolumeFailedDelete", "%s", e->message);
    else e = client_delete(r->client, &resource_persistentvolumes, NULL, name, &(struct delete_options){.uid = doc_uid(volume), .grace_period = -1});
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    char **parts = str_split(a, key, '/', NULL);
    return str_eq(parts[0], "claim") ? provision(r, a, parts[1], parts[2]) : remove_volume(r, parts[1]);
}

static void changed(struct runner *r, const struct resource *resource, struct doc *before UNUSED, struct doc *after) {
    cleanup_arena struct arena a = {0};
    if (!after) return;
    if (resource == &resource_persistentvolumes) runner_add(r, arena_printf(&a, "volume/%s", doc_name(after)));
    else if (object_annotation(after->root, STORAGE_PROVISIONER)) runner_add(r, arena_printf(&a, "claim/%s/%s", doc_namespace(after), doc_name(after)));
}

static const struct controller_source sources[] = {{.resource = &resource_persistentvolumeclaims, .keys = changed}, {.resource = &resource_persistentvolumes, .keys = changed}, {0}};
const struct controller local_provisioner_controller = {"local-provisioner", .component = PROVISIONER, .threads = 1, .sources = sources, .reconcile = reconcile};
