/* PersistentVolumeClaims: resolved to their volume, of which the kinds that need no driver are mounted here. */
#include "node/admission.h"
#include "node/volumes.h"
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>

static bool node_matches(struct volume *v) {
    LOCK(v->w->node);
    cleanup_doc struct doc *node = v->w->node->object ? doc_ref(v->w->node->object) : NULL;
    UNLOCK(v->w->node);
    const struct json *terms = json_get(v->pv, "spec.nodeAffinity.required.nodeSelectorTerms");
    if (!terms || !node) return true;
    JSON_EACH(term, terms) if (node_term_matches(term, node->root)) return true;
    return false;
}

/* A local volume is bound into the pod's directory, so that fsGroup and unmounting work as for others. */
static struct error *mount_local(struct volume *v, const struct json *local) {
    const char *path = json_str_or(local, "path", "");
    struct stat st;
    if (stat(path, &st) != 0) return error_new("path \"%s\" does not exist", path);
    if (json_str_is(v->pv, "spec.volumeMode", "Block")) {
        v->path = path;
        return NULL;
    }
    if (!S_ISDIR(st.st_mode)) return error_new("local volume %s is not a directory", path);
    v->path = worker_dir(v->a, v->w, "volumes/kubernetes.io~local-volume/%s", json_str_or(v->pv, "metadata.name", ""));
    TRY(dir_make(v->path, 0750));
    if (is_mount_point(v->path)) return NULL;
    struct stat target;
    if (stat(path, &st) == 0 && stat(v->path, &target) == 0 && st.st_dev == target.st_dev && st.st_ino == target.st_ino) return NULL; /* bound */
    if (mount(path, v->path, NULL, MS_BIND, NULL) != 0) return error_sys(errno, "binding %s", path);
    if (pod_fs_group(v->pod) >= 0 && !v->read_only) return ownership_set(v->path, pod_fs_group(v->pod), false, true);
    return NULL;
}

static struct error *mount_pv(struct volume *v) {
    const struct json *spec = json_member(v->pv, "spec"), *x;
    if (!node_matches(v)) return error_new("no matching NodeSelectorTerms");
    if ((x = json_member(spec, "hostPath"))) {
        v->path = json_str_or(x, "path", "");
        return host_path_prepare(v->path, json_str_or(x, "type", ""));
    }
    if ((x = json_member(spec, "local"))) return mount_local(v, x);
    JSON_EACH_MEMBER(m, spec)
        if (json_is(&m->value, JSON_OBJECT) && !str_in(m->key, (const char *const[]){"capacity", "claimRef", "nodeAffinity", NULL}))
            return error_new("persistent volumes of type %s are not supported by this node", m->key);
    return error_new("the persistent volume has no type");
}

static struct error *resolve(struct volume *v, const char *claim) {
    struct client *client = v->w->node->client;
    const char *ns = json_str(v->pod, "metadata.namespace");
    cleanup_doc struct doc *pvc = NULL, *pv = NULL;
    struct error *e = client_get(client, &resource_persistentvolumeclaims, ns, claim, &pvc);
    if (e) return error_wrap(e, "error processing PVC %s/%s: failed to fetch PVC from API server", ns, claim);
    const char *name = json_str(pvc->root, "spec.volumeName");
    if (object_deleting(pvc->root)) return error_new("error processing PVC %s/%s: PVC is being deleted", ns, claim);
    if (!json_str_is(pvc->root, "status.phase", "Bound") || !name) return error_new("error processing PVC %s/%s: PVC is not bound", ns, claim);
    TRY(client_get(client, &resource_persistentvolumes, NULL, name, &pv));
    v->pvc = json_copy(v->a, pvc->root);
    v->pv = json_copy(v->a, pv->root);
    return mount_pv(v);
}

static struct error *mount_claim(struct volume *v) {
    v->read_only = json_bool(v->source, "readOnly", false);
    return resolve(v, json_str_or(v->source, "claimName", ""));
}

/* A generic ephemeral volume's claim is named after pod and volume. */
static struct error *mount_ephemeral(struct volume *v) {
    return resolve(v, arena_printf(v->a, "%s-%s", json_str_or(v->pod, "metadata.name", ""), v->name));
}

const struct volume_type volume_claim = {"persistentVolumeClaim", NULL, mount_claim};
const struct volume_type volume_ephemeral = {"ephemeral", NULL, mount_ephemeral};
