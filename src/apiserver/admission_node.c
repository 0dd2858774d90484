/* NodeRestriction: a node's credentials change that node's own objects only (kubernetes/plugin/pkg/admission/noderestriction). */
#include "apiserver/admission.h"
#include "apiserver/auth.h"
#include "net/pki.h"

#define MIRROR "kubernetes.io/config.mirror"

static bool runs_on(const struct json *pod, const char *node) { return json_str_is(pod, "spec.nodeName", node); }

static struct error *pod_of(struct change *c, const char *name, struct doc **out) {
    *out = registry_get(c->r->server, &resource_pods, c->ns, name);
    return *out ? NULL : status_not_found("", "pods", name);
}

/* ---- pods ---- */

static bool containers_name(const struct json *spec, const char *from, const char *key) {
    static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        JSON_EACH(k, json_member(spec, lists[i])) {
            JSON_EACH(e, json_member(k, "envFrom")) if (json_member(e, from)) return true;
            JSON_EACH(e, json_member(k, "env")) if (json_member(json_member(e, "valueFrom"), key)) return true;
        }
    }
    return false;
}

/* What of the API a pod refers to: mirror pods of nodes may refer to nothing (HasAPIObjectReference). */
static const char *api_reference(const struct json *spec) {
    static const struct { const char *source, *what; } volumes[] = {
        {"configMap", "configmaps (via configmap volumes)"}, {"secret", "secrets (via secret volumes)"}, {"csi", "csidrivers (via CSI volumes)"},
        {"glusterfs", "endpoints (via glusterFS volumes)"}, {"persistentVolumeClaim", "persistentvolumeclaims"},
        {"ephemeral", "persistentvolumeclaims (via ephemeral volumes)"}, {"azureFile", "secrets (via azureFile volumes)"},
    }, projected[] = {
        {"configMap", "configmaps (via projected volumes)"}, {"secret", "secrets (via projected volumes)"},
        {"serviceAccountToken", "serviceaccounts (via projected volumes)"}, {"clusterTrustBundle", "clustertrustbundles"}, {"podCertificate", "podcertificates"},
    };
    if (*json_str_or(spec, "serviceAccountName", "")) return "serviceaccounts";
    if (json_len(json_member(spec, "imagePullSecrets")) > 0 || containers_name(spec, "secretRef", "secretKeyRef")) return "secrets";
    if (containers_name(spec, "configMapRef", "configMapKeyRef")) return "configmaps";
    if (json_len(json_member(spec, "resourceClaims")) > 0) return "resourceclaims";
    JSON_EACH(v, json_member(spec, "volumes")) {
        for (size_t i = 0; i < ARRAY_LEN(volumes); i++) {
            if (json_member(v, volumes[i].source)) return volumes[i].what;
        }
        JSON_EACH(s, json_get(v, "projected.sources")) {
            for (size_t i = 0; i < ARRAY_LEN(projected); i++) {
                if (json_member(s, projected[i].source)) return projected[i].what;
            }
        }
    }
    return NULL;
}

static struct error *mirror_pod(struct change *c, const char *node) {
    const struct json *owners = json_get(c->object, "metadata.ownerReferences"), *owner = json_at(owners, 0);
    if (json_member(json_get(c->object, "metadata.annotations"), MIRROR) == NULL)
        return admission_forbidden(c, "pod does not have \"" MIRROR "\" annotation, node \"%s\" can only create mirror pods", node);
    if (!runs_on(c->object, node)) return admission_forbidden(c, "node \"%s\" can only create pods with spec.nodeName set to itself", node);
    if (json_len(owners) > 1) return admission_forbidden(c, "node \"%s\" can only create pods with a single owner reference set to itself", node);
    if (!json_str_is(owner, "apiVersion", "v1") || !json_str_is(owner, "kind", "Node") || !json_str_is(owner, "name", node))
        return admission_forbidden(c, "node \"%s\" can only create pods with an owner reference set to itself", node);
    if (!json_bool(owner, "controller", false))
        return admission_forbidden(c, "node \"%s\" can only create pods with a controller owner reference set to itself", node);
    if (json_bool(owner, "blockOwnerDeletion", false)) return admission_forbidden(c, "node \"%s\" must not set blockOwnerDeletion on an owner reference", node);
    cleanup_doc struct doc *d = registry_get(c->r->server, &resource_nodes, NULL, node);
    if (d == NULL) return status_not_found("", "nodes", node);
    if (!json_str_is(owner, "uid", doc_uid(d)))
        return admission_forbidden(c, "node %s UID mismatch: expected %s got %s", node, json_str_or(owner, "uid", ""), doc_uid(d));
    const char *what = api_reference(json_member(c->object, "spec"));
    return what ? admission_forbidden(c, "node \"%s\" can not create pods that reference %s", node, what) : NULL;
}

static struct error *pod_itself(struct change *c, const char *node) {
    if (c->operation == OP_CREATE) return mirror_pod(c, node);
    if (c->operation != OP_DELETE)
        return admission_forbidden(c, "unexpected operation \"UPDATE\", node \"%s\" can only create and delete mirror pods", node);
    return runs_on(c->old, node) ? NULL : admission_forbidden(c, "node \"%s\" can only delete pods with spec.nodeName set to itself", node);
}

static struct error *pod_status(struct change *c, const char *node) {
    static const char *const claims[] = {"status.resourceClaimStatuses", "status.extendedResourceClaimStatus"};
    static const char *const words[] = {"resource claim statues", "extended resource claim status"};
    if (!runs_on(c->old, node)) return admission_forbidden(c, "node \"%s\" can only update pod status for pods with spec.nodeName set to itself", node);
    if (!json_semantic_equal(json_get(c->old, "metadata.labels"), json_get(c->object, "metadata.labels")))
        return admission_forbidden(c, "node \"%s\" cannot update labels through pod status", node);
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        if (!json_semantic_equal(json_get(c->old, claims[i]), json_get(c->object, claims[i])))
            return admission_forbidden(c, "node \"%s\" cannot update %s", node, words[i]);
    }
    return NULL;
}

static struct error *pod_eviction(struct change *c, const char *node) {
    cleanup_doc struct doc *d = NULL;
    TRY(pod_of(c, c->name, &d));
    return runs_on(d->root, node) ? NULL : admission_forbidden(c, "node %s can only evict pods with spec.nodeName set to itself", node);
}

static struct error *pods(struct change *c, const char *node) {
    if (strcmp(c->sub, "") == 0) return pod_itself(c, node);
    if (strcmp(c->sub, "status") == 0) return pod_status(c, node);
    if (strcmp(c->sub, "eviction") == 0) return pod_eviction(c, node);
    return admission_forbidden(c, "unexpected pod subresource \"%s\", only 'status' and 'eviction' are allowed", c->sub);
}

/* ---- the node's own object ---- */

/* The domain of a label's key is `suffix` or below it. */
static bool in_domain(const char *key, const char *suffix) {
    const char *slash = strchr(key, '/');
    size_t n = slash ? (size_t)(slash - key) : 0, m = strlen(suffix);
    return n >= m && strncmp(slash - m, suffix, m) == 0 && (n == m || slash[-(ptrdiff_t)m - 1] == '.');
}

static bool forbidden_label(const char *key) {
    static const char *const kubelet[] = {"kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
                                          "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region", "beta.kubernetes.io/instance-type",
                                          "node.kubernetes.io/instance-type", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os",
                                          "beta.kubernetes.io/arch", NULL};
    if (in_domain(key, "node-restriction.kubernetes.io")) return true;
    if (!in_domain(key, "kubernetes.io") && !in_domain(key, "k8s.io")) return false;
    return !str_in(key, kubelet) && !in_domain(key, "kubelet.kubernetes.io") && !in_domain(key, "node.kubernetes.io");
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void differing(const struct json *a, const struct json *b, const char **keys, size_t *n) {
    JSON_EACH_MEMBER(m, a) {
        bool listed = false;
        for (size_t i = 0; i < *n; i++) listed |= strcmp(keys[i], m->key) == 0;
        if (!listed && !json_equal(&m->value, json_member(b, m->key)) && forbidden_label(m->key)) keys[(*n)++] = m->key;
    }
}

/* Labels that nodes must not set and that differ, sorted: "a, b"; NULL if there are none. */
static const char *forbidden_labels(struct change *c) {
    const struct json *now = json_get(c->object, "metadata.labels"), *was = json_get(c->old, "metadata.labels");
    const char **keys = arena_calloc(c->r->arena, json_len(now) + json_len(was) + 1, sizeof(*keys)), *text = NULL;
    size_t n = 0;
    differing(now, was, keys, &n);
    differing(was, now, keys, &n);
    qsort(keys, n, sizeof(*keys), by_text);
    for (size_t i = 0; i < n; i++) text = text ? arena_printf(c->r->arena, "%s, %s", text, keys[i]) : keys[i];
    return text;
}

static struct error *own_node(struct change *c, const char *node) {
    const char *name = c->name && *c->name ? c->name : meta_str(c->object, "name"), *labels;
    const struct json *source = json_get(c->object, "spec.configSource");
    if (strcmp(name, node) != 0) return admission_forbidden(c, "node \"%s\" is not allowed to modify node \"%s\"", node, name);
    if (c->operation == OP_CREATE) {
        if (source) return admission_forbidden(c, "node \"%s\" is not allowed to create pods with a non-nil configSource", node);
        labels = forbidden_labels(c);
        return labels ? admission_forbidden(c, "node \"%s\" is not allowed to set the following labels: %s", node, labels) : NULL;
    }
    if (c->operation != OP_UPDATE) return NULL;
    if (source && !json_semantic_equal(source, json_get(c->old, "spec.configSource")))
        return admission_forbidden(c, "node \"%s\" is not allowed to update configSource to a new non-nil configSource", node);
    if (!json_semantic_equal(json_get(c->object, "spec.taints"), json_get(c->old, "spec.taints")))
        return admission_forbidden(c, "node \"%s\" is not allowed to modify taints", node);
    if (!json_semantic_equal(json_get(c->object, "metadata.ownerReferences"), json_get(c->old, "metadata.ownerReferences")))
        return admission_forbidden(c, "node \"%s\" is not allowed to modify ownerReferences", node);
    labels = forbidden_labels(c);
    return labels ? admission_forbidden(c, "is not allowed to modify labels: %s", labels) : NULL;
}

/* ---- others ---- */

static struct error *claims(struct change *c, const char *node) {
    static const char *const open[] = {"status.capacity", "status.conditions", "status.allocatedResourceStatuses", "status.allocatedResources"};
    const struct json *was = c->old, *now = c->object;
    struct arena *a = c->r->arena;
    if (strcmp(c->sub, "status") != 0) return admission_forbidden(c, "may only update PVC status");
    for (size_t i = 0; i < ARRAY_LEN(open); i++) was = json_without(a, was, open[i]), now = json_without(a, now, open[i]);
    was = without_meta(a, without_meta(a, was, "resourceVersion"), "managedFields");
    now = without_meta(a, without_meta(a, now, "resourceVersion"), "managedFields");
    if (json_semantic_equal(was, now)) return NULL;
    return admission_forbidden(c, "node \"%s\" is not allowed to update fields other than status.quantity and status.conditions", node);
}

static bool has_audience(const struct json *pod, const char *audience) {
    JSON_EACH(v, json_get(pod, "spec.volumes")) {
        JSON_EACH(s, json_get(v, "projected.sources")) {
            const struct json *t = json_member(s, "serviceAccountToken");
            if (t && strcmp(json_str_or(t, "audience", ""), audience) == 0) return true;
        }
    }
    return false;
}

/* A node asks for tokens of its own pods only, and for audiences that these name. */
static struct error *tokens(struct change *c, const char *node) {
    const struct json *ref = json_get(c->object, "spec.boundObjectRef"), *audiences = json_get(c->object, "spec.audiences");
    const char *name = json_str_or(ref, "name", ""), *uid = json_str_or(ref, "uid", ""), *audience = json_str_or(json_at(audiences, 0), NULL, ""), *why;
    if (c->operation != OP_CREATE || strcmp(c->sub, "token") != 0) return NULL;
    if (!json_str_is(ref, "apiVersion", "v1") || !json_str_is(ref, "kind", "Pod") || !*name)
        return admission_forbidden(c, "node requested token not bound to a pod");
    if (!*uid) return admission_forbidden(c, "node requested token with a pod binding without a uid");
    cleanup_doc struct doc *d = NULL;
    TRY(pod_of(c, name, &d));
    if (strcmp(uid, doc_uid(d)) != 0)
        return admission_forbidden(c, "the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", uid);
    if (!runs_on(d->root, node)) return admission_forbidden(c, "node requested token bound to a pod scheduled on a different node");
    if (json_len(audiences) > 1) return admission_forbidden(c, "node may only request 0 or 1 audiences");
    struct attributes at = {.user = &c->r->user, .verb = "request-serviceaccounts-token-audience", .is_resource = true, .group = "", .version = "v1",
                            .plural = audience, .subresource = "", .ns = c->ns, .name = c->name, .path = ""};
    if (has_audience(d->root, audience) || authorize(c->r->server, c->r->arena, &at, &why) == DECISION_ALLOW) return NULL;
    return admission_forbidden(c, "audience \"%s\" not found in pod spec volume, %s is not authorized to request tokens for this audience", audience,
                               c->r->user.name);
}

static const char *changed_name(const struct change *c) { return c->operation == OP_CREATE ? meta_str(c->object, "name") : c->name; }

static struct error *leases(struct change *c, const char *node) {
    if (strcmp(c->ns, "kube-node-lease") != 0) return admission_forbidden(c, "can only access leases in the \"kube-node-lease\" system namespace");
    if (strcmp(changed_name(c), node) == 0) return NULL;
    return admission_forbidden(c, "can only access node lease with the same name as the requesting node");
}

static struct error *csi_nodes(struct change *c, const char *node) {
    return strcmp(changed_name(c), node) == 0 ? NULL : admission_forbidden(c, "can only access CSINode with the same name as the requesting node");
}

/* Requests for a kubelet's certificates name the node itself. */
static struct error *signing_requests(struct change *c, const char *node) {
    const char *signer = json_str_or(c->object, "spec.signerName", ""), *request = json_str_or(c->object, "spec.request", "");
    struct arena *a = c->r->arena;
    struct pki_subject subject = {0};
    char *pem;
    size_t len;
    if (c->operation != OP_CREATE) return NULL;
    if (strcmp(signer, "kubernetes.io/kubelet-serving") != 0 && strcmp(signer, "kubernetes.io/kube-apiserver-client-kubelet") != 0) return NULL;
    if (!base64_decode(a, request, strlen(request), &pem, &len)) return NULL; /* validation refuses it */
    cleanup_error struct error *e = pki_csr_parse(a, arena_strndup(a, pem, len), &subject);
    if (e) return admission_forbidden(c, "unable to parse csr: %s", e->message);
    if (str_eq(subject.common_name, arena_printf(a, "system:node:%s", node))) return NULL;
    return admission_forbidden(c, "can only create a node CSR with CN=system:node:%s", node);
}

static struct error *slices(struct change *c, const char *node) {
    if (c->operation == OP_CREATE && !json_str_is(c->object, "spec.nodeName", node))
        return admission_forbidden(c, "can only create ResourceSlice with the same NodeName as the requesting node");
    if (c->operation == OP_DELETE && !json_str_is(c->old, "spec.nodeName", node))
        return admission_forbidden(c, "can only delete ResourceSlice with the same NodeName as the requesting node");
    return NULL;
}

static const struct {
    const struct resource *resource;
    struct error *(*admit)(struct change *c, const char *node);
} restricted[] = {
    {&resource_pods, pods}, {&resource_nodes, own_node}, {&resource_persistentvolumeclaims, claims}, {&resource_serviceaccounts, tokens},
    {&resource_coordination_leases, leases}, {&resource_storage_csinodes, csi_nodes}, {&resource_resource_resourceslices, slices},
    {&resource_certificates_certificatesigningrequests, signing_requests},
};

struct error *node_restriction(struct change *c) {
    const char *node;
    if (!user_in_group(&c->r->user, "system:nodes") || !str_starts(c->r->user.name, "system:node:")) return NULL;
    if (!user_is_node(&c->r->user, &node)) return admission_forbidden(c, "could not determine node from user \"%s\"", c->r->user.name);
    for (size_t i = 0; i < ARRAY_LEN(restricted); i++) {
        if (restricted[i].resource == c->resource) return restricted[i].admit(c, node);
    }
    return NULL;
}
