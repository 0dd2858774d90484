/* root-ca-certificate-publisher-controller: every living namespace has the ConfigMap kube-root-ca.crt with the cluster's
 * CA, which pods verify the API server by. */
#include "controllers/all.h"
#include "controllers/controllers.h"

#define NAME "kube-root-ca.crt"
#define DESCRIPTION                                                                                                                 \
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service " \
    "IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."

static void configmap_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    const struct doc *d = after ? after : before;
    if (before != NULL && strcmp(doc_name(d), NAME) == 0) runner_add(r, doc_namespace(d));
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *ns) {
    const struct controllers_config *config = r->config;
    cleanup_doc struct doc *namespace = cache_get(r->cache, &resource_namespaces, NULL, ns);
    if (namespace == NULL || !json_str_is(namespace->root, "status.phase", "Active")) return WORK_DONE;
    cleanup_doc struct doc *have = cache_get(r->cache, &resource_configmaps, ns, NAME);
    const struct json *data = json_make(a, "{'ca.crt':%s}", config->ca_cert);
    const struct json *annotations = json_make(a, "{'kubernetes.io/description':%s}", DESCRIPTION);
    if (have == NULL) {
        const struct json *o = json_make(a, "{'metadata':{'name':%s,'annotations':%v},'data':%v}", NAME, annotations, data);
        struct error *e = client_create(r->client, &resource_configmaps, ns, o, NULL);
        if (!error_is(e, "AlreadyExists")) return work_error(e);
        error_free(e);
        return WORK_DONE;
    }
    if (json_equal(json_get(have->root, "data"), data) && object_annotation(have->root, "kubernetes.io/description") != NULL) return WORK_DONE;
    const struct json *o = json_with(a, json_with(a, have->root, "data", data), "metadata.annotations", annotations);
    return work_error(client_update(r->client, &resource_configmaps, ns, NAME, NULL, o, NULL));
}

static const struct controller_source sources[] = {{.resource = &resource_namespaces}, {.resource = &resource_configmaps, .keys = configmap_changed}, {0}};
const struct controller root_ca_publisher_controller = {
    "root-ca-certificate-publisher-controller", .component = "root-ca-cert-publisher", .threads = 1, .sources = sources, .reconcile = reconcile};
