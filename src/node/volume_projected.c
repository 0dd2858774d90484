/* downwardAPI and projected volumes. */
#include "node/container.h"
#include "node/tokens.h"
#include "node/volumes.h"

struct error *collect_downward(struct volume *v, const struct json *source, int64_t mode, struct volume_files *f) {
    LOCK(v->w->node);
    struct pod_runtime *r = runtime_ref(v->w->runtime);
    UNLOCK(v->w->node);
    cleanup_runtime struct pod_runtime *runtime = r;
    const char *const *ips = r && r->sandbox_count ? r->sandboxes[0].ips : NULL;
    JSON_EACH(item, json_member(source, "items")) {
        const char *value = "";
        const struct json *field = json_member(item, "fieldRef"), *resource = json_member(item, "resourceFieldRef");
        if (field) TRY(field_value(v->a, v->w, v->pod, ips, json_str_or(field, "fieldPath", ""), &value));
        if (resource) TRY(field_resource_value(v->a, v->w->node, v->pod, NULL, resource, &value));
        volume_files_add(f, json_str_or(item, "path", ""), value, strlen(value), (unsigned)json_int(item, "mode", mode));
    }
    return NULL;
}

static struct error *mount_downward(struct volume *v) {
    struct volume_files f = {.a = v->a};
    TRY(collect_downward(v, v->source, json_int(v->source, "defaultMode", 0644), &f));
    TRY(volume_tmpfs(v->path, 0, 0755));
    return volume_files_write(v->path, &f, pod_fs_group(v->pod));
}

/* The only user that a pod's containers run as, -1 if there are several or images decide: it owns token files then. */
static int64_t single_user(const struct json *pod) {
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    const struct json *pod_user = json_get(pod, "spec.securityContext.runAsUser");
    int64_t user = -1;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        JSON_EACH(c, json_member(json_member(pod, "spec"), lists[i])) {
            const struct json *own = json_get(c, "securityContext.runAsUser");
            int64_t u = json_int(own ? own : pod_user, NULL, -1);
            if (u < 0 || (user >= 0 && u != user)) return -1;
            user = u;
        }
    return user;
}

static struct error *collect_token(struct volume *v, const struct json *source, int64_t mode, struct volume_files *f) {
    const char *token;
    TRY(token_get(v->a, v->w, v->pod, source, &token));
    int64_t owner = single_user(v->pod);
    /* readable by the group where that is the only way in, else by the owner alone */
    unsigned own_mode = pod_fs_group(v->pod) >= 0 ? 0600 : owner >= 0 ? 0600 : (unsigned)mode;
    volume_files_add(f, json_str_or(source, "path", "token"), token, strlen(token), own_mode);
    f->items[f->len - 1].owner = owner;
    return NULL;
}

/* KEP-3257: bundles by name, or by signer and labels. */
static struct error *collect_bundle(struct volume *v, const struct json *source, int64_t mode, struct volume_files *f) {
    const struct resource *r = resource_find("certificates.k8s.io", NULL, "clustertrustbundles");
    const char *name = json_str(source, "name");
    bool optional = json_bool(source, "optional", false);
    if (!r && optional) return NULL;
    if (!r || !name) return error_new("ClusterTrustBundle projection is not enabled in this cluster");
    cleanup_doc struct doc *d = NULL;
    struct error *e = client_get(v->w->node->client, r, NULL, name, &d);
    if (error_is(e, "NotFound") && optional) {
        error_free(e);
        return NULL;
    }
    if (e) return e;
    const char *text = json_str_or(d->root, "spec.trustBundle", "");
    volume_files_add(f, json_str_or(source, "path", ""), text, strlen(text), (unsigned)mode);
    return NULL;
}

static struct error *collect(struct volume *v, const struct json *source, int64_t mode, struct volume_files *f) {
    const struct json *x;
    if ((x = json_member(source, "configMap"))) return collect_object(v, x, &resource_configmaps, mode, f);
    if ((x = json_member(source, "secret"))) return collect_object(v, x, &resource_secrets, mode, f);
    if ((x = json_member(source, "downwardAPI"))) return collect_downward(v, x, mode, f);
    if ((x = json_member(source, "serviceAccountToken"))) return collect_token(v, x, mode, f);
    if ((x = json_member(source, "clusterTrustBundle"))) return collect_bundle(v, x, mode, f);
    return error_new("a projected source of this type is not supported by this node");
}

static struct error *mount_projected(struct volume *v) {
    struct volume_files f = {.a = v->a};
    JSON_EACH(source, json_member(v->source, "sources")) TRY(collect(v, source, json_int(v->source, "defaultMode", 0644), &f));
    TRY(volume_tmpfs(v->path, 0, 0755));
    return volume_files_write(v->path, &f, pod_fs_group(v->pod));
}

const struct volume_type volume_downward = {"downwardAPI", "kubernetes.io~downward-api", mount_downward, .refresh = true};
const struct volume_type volume_projected = {"projected", "kubernetes.io~projected", mount_projected, .refresh = true};
