/* See defaults.h. A table of objects; those that need values are made by a function. */
#include "cli/defaults.h"
#include "base/str.h"

typedef const struct json *make_fn(struct arena *a, const struct defaults_config *c);
struct object {
    const struct resource *resource;
    const char *ns;
    const char *text; /* template without arguments, or */
    make_fn *make;
};

static const struct json *dns_service(struct arena *a, const struct defaults_config *c) {
    return json_make(a,
                     "{'metadata':{'name':'kube-dns','labels':{'k8s-app':'kube-dns','kubernetes.io/cluster-service':'true','kubernetes.io/name':'CoreDNS'}},"
                     "'spec':{'clusterIP':%s,'ports':[{'name':'dns','port':53,'protocol':'UDP','targetPort':53},"
                     "{'name':'dns-tcp','port':53,'protocol':'TCP','targetPort':53}]}}",
                     c->dns_address);
}

static const struct json *cluster_info(struct arena *a, const struct defaults_config *c) {
    struct buf ca = {0}, text = {0};
    base64_encode(&ca, c->ca_pem, strlen(c->ca_pem));
    yaml_encode(&text, json_make(a, "{'apiVersion':'v1','kind':'Config','clusters':[{'name':'','cluster':{'server':%s,'certificate-authority-data':%s}}]}", c->server, ca.data));
    const struct json *made = json_make(a, "{'metadata':{'name':'cluster-info'},'data':{'kubeconfig':%s}}", text.data);
    buf_free(&ca);
    buf_free(&text);
    return made;
}

/* The join token as a bootstrap token, as kubeadm makes them (it has no expiry: removing the Secret revokes it). */
static const struct json *bootstrap_token(struct arena *a, const struct defaults_config *c) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(c->token_path, 4096, &text);
    if (e != NULL) return error_free(e), NULL;
    size_t n;
    char **parts = str_split(a, arena_strndup(a, text.data, strcspn(text.data, "\n")), '.', &n);
    if (n != 2) return NULL;
    return json_make(a,
                     "{'metadata':{'name':%s},'type':'bootstrap.kubernetes.io/token','stringData':{'token-id':%s,'token-secret':%s,"
                     "'usage-bootstrap-authentication':'true','usage-bootstrap-signing':'true','auth-extra-groups':'system:bootstrappers:coracle:nodes',"
                     "'description':'Joins nodes to this cluster.'}}",
                     arena_printf(a, "bootstrap-token-%s", parts[0]), parts[0], parts[1]);
}

static const struct json *storage_class(struct arena *a, const struct defaults_config *c) {
    if (!c->storage_class) return NULL;
    return json_make(a, "{'metadata':{'name':'local','annotations':{'storageclass.kubernetes.io/is-default-class':'true'}},"
                        "'provisioner':'coracle.io/local','reclaimPolicy':'Delete','volumeBindingMode':'WaitForFirstConsumer'}");
}

#define GROUP_BINDING(name, role, group)                                                                                             \
    "{'metadata':{'name':'" name "'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'ClusterRole','name':'" role "'},"      \
    "'subjects':[{'kind':'Group','apiGroup':'rbac.authorization.k8s.io','name':'" group "'}]}"
#define CSR_ROLE "system:certificates.k8s.io:certificatesigningrequests:"

static const struct object objects[] = {
    {&resource_services, "kube-system", NULL, dns_service},
    {&resource_configmaps, "kube-public", NULL, cluster_info},
    {&resource_secrets, "kube-system", NULL, bootstrap_token},
    {&resource_storage_storageclasses, NULL, NULL, storage_class},
    {&resource_rbac_roles, "kube-public", "{'metadata':{'name':'coracle:cluster-info'},'rules':[{'apiGroups':[''],'resources':['configmaps'],'resourceNames':['cluster-info'],'verbs':['get']}]}", NULL},
    {&resource_rbac_rolebindings, "kube-public",
     "{'metadata':{'name':'coracle:cluster-info'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'Role','name':'coracle:cluster-info'},"
     "'subjects':[{'kind':'User','apiGroup':'rbac.authorization.k8s.io','name':'system:anonymous'}]}", NULL},
    {&resource_rbac_clusterroles, NULL, "{'metadata':{'name':'coracle:pod-credentials'},'rules':[{'nonResourceURLs':['/coracle/pod-credentials'],'verbs':['post']}]}", NULL},
    {&resource_rbac_clusterrolebindings, NULL, GROUP_BINDING("coracle:pod-credentials", "coracle:pod-credentials", "system:nodes"), NULL},
    {&resource_rbac_clusterroles, NULL, "{'metadata':{'name':'coracle:instance-metadata'},'rules':[{'nonResourceURLs':['/coracle/instance-metadata'],'verbs':['get']}]}", NULL},
    {&resource_rbac_clusterrolebindings, NULL, GROUP_BINDING("coracle:instance-metadata", "coracle:instance-metadata", "system:nodes"), NULL},
    {&resource_rbac_clusterrolebindings, NULL, GROUP_BINDING("coracle:node-bootstrapper", "system:node-bootstrapper", "system:bootstrappers:coracle:nodes"), NULL},
    {&resource_rbac_clusterrolebindings, NULL, GROUP_BINDING("coracle:node-approval", CSR_ROLE "nodeclient", "system:bootstrappers:coracle:nodes"), NULL},
    {&resource_rbac_clusterrolebindings, NULL, GROUP_BINDING("coracle:node-renewal", CSR_ROLE "selfnodeclient", "system:nodes"), NULL},
    {&resource_rbac_clusterrolebindings, NULL, GROUP_BINDING("coracle:node-proxier", "system:node-proxier", "system:nodes"), NULL},
};

static struct error *ensure(const struct defaults_config *c, const struct object *o) {
    cleanup_arena struct arena a = {0};
    const struct json *object = o->make ? o->make(&a, c) : json_make(&a, o->text); // NOLINT(clang-diagnostic-format-security)
    if (object == NULL) return NULL;
    struct error *e = client_get(c->client, o->resource, o->ns, json_str(object, "metadata.name"), NULL);
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    e = client_create(c->client, o->resource, o->ns, object, NULL);
    if (error_is(e, "AlreadyExists")) return error_free(e), NULL;
    return e ? error_wrap(e, "making %s %s", o->resource->plural, json_str(object, "metadata.name")) : NULL;
}

struct error *defaults_ensure(const struct defaults_config *c) {
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) TRY(ensure(c, &objects[i]));
    return NULL;
}
