/* The Node authorizer (kubernetes/plugin/pkg/auth/authorizer/node): a node may read what its pods refer to. Where upstream
 * keeps a graph, the relations are looked up in the store: pods of the node, then what they name. */
#include "apiserver/auth.h"

bool user_is_node(const struct user *u, const char **node) {
    if (!str_starts(u->name, "system:node:") || !user_in_group(u, "system:nodes")) return false;
    *node = u->name + strlen("system:node:");
    return **node != '\0';
}

struct lookup {
    struct apiserver *server;
    const char *node, *plural, *ns, *name;
    bool found;
};

static bool refers(const struct json *v, const char *path, const char *name) { return json_str_is(v, path, name); }

static bool container_refers(const struct json *c, const char *env_from, const char *env, const char *name) {
    JSON_EACH(e, json_member(c, "envFrom")) {
        if (refers(json_member(e, env_from), "name", name)) return true;
    }
    JSON_EACH(e, json_member(c, "env")) {
        if (refers(json_member(json_member(e, "valueFrom"), env), "name", name)) return true;
    }
    return false;
}

static bool containers_refer(const struct json *spec, const char *env_from, const char *env, const char *name) {
    static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        JSON_EACH(c, json_member(spec, lists[i])) {
            if (container_refers(c, env_from, env, name)) return true;
        }
    }
    return false;
}

static bool volume_secret(const struct json *v, const char *name) {
    static const char *const sources[] = {"azureFile", "cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos", "csi"};
    if (refers(v, "secret.secretName", name) || refers(v, "azureFile.secretName", name)) return true;
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const struct json *source = json_member(v, sources[i]);
        if (refers(source, "secretRef.name", name) || refers(source, "nodePublishSecretRef.name", name)) return true;
    }
    JSON_EACH(p, json_get(v, "projected.sources")) {
        if (refers(p, "secret.name", name)) return true;
    }
    return false;
}

static bool volume_configmap(const struct json *v, const char *name) {
    if (refers(v, "configMap.name", name)) return true;
    JSON_EACH(p, json_get(v, "projected.sources")) {
        if (refers(p, "configMap.name", name)) return true;
    }
    return false;
}

static const char *volume_claim(struct arena *a, const struct json *pod, const struct json *v) {
    const char *claim = json_str(v, "persistentVolumeClaim.claimName");
    if (claim == NULL && json_member(v, "ephemeral")) claim = arena_printf(a, "%s-%s", meta_str(pod, "name"), json_str_or(v, "name", ""));
    return claim;
}

static bool volume_pv(struct lookup *l, const struct json *pod, const struct json *v) {
    cleanup_arena struct arena a = {0};
    const char *claim = volume_claim(&a, pod, v);
    if (claim == NULL) return false;
    cleanup_doc struct doc *d = registry_get(l->server, &resource_persistentvolumeclaims, meta_str(pod, "namespace"), claim);
    return d && json_str_is(d->root, "spec.volumeName", l->name);
}

static bool pod_refers(struct lookup *l, const struct json *pod) {
    const struct json *spec = json_member(pod, "spec");
    cleanup_arena struct arena a = {0};
    bool secret = strcmp(l->plural, "secrets") == 0, configmap = strcmp(l->plural, "configmaps") == 0;
    if (strcmp(l->plural, "serviceaccounts") == 0) return json_str_is(spec, "serviceAccountName", l->name);
    if (secret && containers_refer(spec, "secretRef", "secretKeyRef", l->name)) return true;
    if (configmap && containers_refer(spec, "configMapRef", "configMapKeyRef", l->name)) return true;
    JSON_EACH(p, secret ? json_member(spec, "imagePullSecrets") : NULL) {
        if (refers(p, "name", l->name)) return true;
    }
    JSON_EACH(v, json_member(spec, "volumes")) {
        if (secret && volume_secret(v, l->name)) return true;
        if (configmap && volume_configmap(v, l->name)) return true;
        if (strcmp(l->plural, "persistentvolumeclaims") == 0 && str_eq(volume_claim(&a, pod, v), l->name)) return true;
        if (strcmp(l->plural, "persistentvolumes") == 0 && volume_pv(l, pod, v)) return true;
    }
    if (strcmp(l->plural, "resourceclaims") == 0) {
        JSON_EACH(c, json_member(spec, "resourceClaims")) if (refers(c, "resourceClaimName", l->name)) return true;
        JSON_EACH(c, json_get(pod, "status.resourceClaimStatuses")) if (refers(c, "resourceClaimName", l->name)) return true;
    }
    return false;
}

static bool visit_pod(struct doc *d, void *arg) {
    struct lookup *l = arg;
    if (json_str_is(d->root, "spec.nodeName", l->node) && pod_refers(l, d->root)) l->found = true;
    return !l->found;
}

static bool has_path(struct apiserver *s, const struct attributes *at, const char *node) {
    struct lookup l = {.server = s, .node = node, .plural = at->plural, .ns = at->ns, .name = at->name};
    registry_each(s, &resource_pods, *at->ns ? at->ns : NULL, visit_pod, &l);
    return l.found;
}

static bool is(const char *v, const char *const *list) { return str_in(v, list); }
static const char *const read_one[] = {"get", NULL}, *const read_named[] = {"get", "list", "watch", NULL};

static enum decision named_read(struct apiserver *s, struct arena *a, const struct attributes *at, const char *node, bool list, const char **reason) {
    if (!is(at->verb, list ? read_named : read_one)) return *reason = list ? "can only read resources of this type" : "can only get individual resources of this type", DECISION_NONE;
    if (*at->subresource) return *reason = "cannot read subresource", DECISION_NONE;
    if (list && !*at->ns) return *reason = "can only read namespaced object of this type", DECISION_NONE;
    if (!*at->name) return *reason = "No Object name found", DECISION_NONE;
    if (has_path(s, at, node)) return DECISION_ALLOW;
    *reason = arena_printf(a, "no relationship found between node '%s' and this object", node);
    return DECISION_NONE;
}

static enum decision own_object(struct arena *a, const struct attributes *at, const char *node, const char *const *verbs, const char *bad_verb,
                                const char *what, const char **reason) {
    if (!is(at->verb, verbs)) return *reason = bad_verb, DECISION_NONE;
    if (*at->subresource) return *reason = "cannot authorize subresources", DECISION_NONE;
    if (strcmp(at->verb, "create") == 0 || strcmp(at->name, node) == 0) return DECISION_ALLOW;
    *reason = arena_printf(a, "can only access %s with the same name as the requesting node", what);
    return DECISION_NONE;
}

/* The static rules of system:node, minus what is decided per object. */
static enum decision static_rules(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason) {
    const char *error = NULL;
    const struct json *rules = rbac_role_rules(s, a, json_make(a, "{'kind':'ClusterRole','name':'system:node'}"), "", &error);
    JSON_EACH(rule, rules) {
        if (rbac_rule_allows(rule, at)) return DECISION_ALLOW;
    }
    (void)reason;
    return DECISION_NONE;
}

static const char *exact_field(struct arena *a, const char *selector, const char *field) {
    struct selector *s;
    if (selector == NULL) return NULL;
    cleanup_error struct error *e = field_selector_parse(a, selector, &s);
    return e ? NULL : field_selector_exact(s, field);
}

static enum decision pods(struct apiserver *s, struct arena *a, const struct attributes *at, const char *node, const char **reason) {
    if (*at->subresource) return static_rules(s, a, at, reason);
    if (strcmp(at->verb, "get") == 0 && *at->name) {
        cleanup_doc struct doc *d = registry_get(s, &resource_pods, at->ns, at->name);
        if (d && json_str_is(d->root, "spec.nodeName", node)) return static_rules(s, a, at, reason);
        *reason = arena_printf(a, "no relationship found between node '%s' and this object", node);
        return DECISION_NONE;
    }
    if (strcmp(at->verb, "list") == 0 || strcmp(at->verb, "watch") == 0) {
        if (str_eq(exact_field(a, at->field_selector, "spec.nodeName"), node)) return DECISION_ALLOW;
        *reason = arena_printf(a, "can only list/watch pods with spec.nodeName field selector");
        return DECISION_NONE;
    }
    return static_rules(s, a, at, reason);
}

static enum decision nodes(struct apiserver *s, struct arena *a, const struct attributes *at, const char *node, const char **reason) {
    if (strcmp(at->verb, "get") == 0 && !*at->subresource && strcmp(at->name, node) != 0) {
        *reason = arena_printf(a, "node '%s' cannot read '%s', only its own Node object", node, at->name);
        return DECISION_NONE;
    }
    bool all = strcmp(at->verb, "list") == 0 || strcmp(at->verb, "watch") == 0;
    if (all && strcmp(at->name, node) != 0) {
        *reason = arena_printf(a, "node '%s' cannot read all nodes, only its own Node object", node);
        return DECISION_NONE;
    }
    return static_rules(s, a, at, reason);
}

enum decision node_authorize(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason) {
    static const char *const lease_verbs[] = {"get", "create", "update", "patch", "delete", NULL};
    const char *node, *p = at->plural;
    if (!user_is_node(at->user, &node)) return DECISION_NONE;
    if (!at->is_resource) return static_rules(s, a, at, reason);
    bool core = !*at->group;
    if (core && (strcmp(p, "secrets") == 0 || strcmp(p, "configmaps") == 0)) return named_read(s, a, at, node, true, reason);
    if (core && strcmp(p, "persistentvolumeclaims") == 0 && strcmp(at->subresource, "status") != 0) return named_read(s, a, at, node, false, reason);
    if (core && strcmp(p, "persistentvolumes") == 0) return named_read(s, a, at, node, false, reason);
    if (strcmp(at->group, "resource.k8s.io") == 0 && strcmp(p, "resourceclaims") == 0) return named_read(s, a, at, node, false, reason);
    if (core && strcmp(p, "serviceaccounts") == 0 && strcmp(at->verb, "create") == 0 && strcmp(at->subresource, "token") == 0) {
        if (has_path(s, at, node)) return DECISION_ALLOW;
        return *reason = arena_printf(a, "no relationship found between node '%s' and this object", node), DECISION_NONE;
    }
    if (core && strcmp(p, "pods") == 0) return pods(s, a, at, node, reason);
    if (core && strcmp(p, "nodes") == 0) return nodes(s, a, at, node, reason);
    if (strcmp(at->group, "coordination.k8s.io") == 0 && strcmp(p, "leases") == 0) {
        if (strcmp(at->ns, "kube-node-lease") != 0) return *reason = "can only access leases in the \"kube-node-lease\" system namespace", DECISION_NONE;
        return own_object(a, at, node, lease_verbs, "can only get, create, update, patch, or delete a node lease", "node lease", reason);
    }
    if (strcmp(at->group, "storage.k8s.io") == 0 && strcmp(p, "csinodes") == 0)
        return own_object(a, at, node, lease_verbs, "can only get, create, update, patch, or delete a CSINode", "CSINode", reason);
    return static_rules(s, a, at, reason);
}
