/* certificatesigningrequest-approving-controller: client certificates of node agents, if the requester may have them
 * (SubjectAccessReview). kubelet-serving-approver, which upstream leaves to people: serving certificates that a node asks
 * for its own names and addresses. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/certificates.h"

#define NODE_PREFIX "system:node:"

static struct error *may(struct runner *r, struct arena *a, const struct json *csr, const char *subresource, bool *allowed) {
    const struct json *spec = json_get(csr, "spec");
    const struct json *review = json_make(a, "{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','spec':{'user':%v,'uid':%v,'groups':%v,'extra':%v,"
                                             "'resourceAttributes':{'group':'certificates.k8s.io','resource':'certificatesigningrequests','verb':'create',"
                                             "'subresource':%s,'version':'*'}}}",
                                          json_member(spec, "username"), json_member(spec, "uid"), json_member(spec, "groups"), json_member(spec, "extra"), subresource);
    cleanup_doc struct doc *answer = NULL;
    TRY(client_create(r->client, &resource_authorization_subjectaccessreviews, NULL, review, &answer));
    *allowed = json_bool(answer->root, "status.allowed", false);
    return NULL;
}

static struct error *recognize(struct runner *r, struct arena *a, const struct json *csr, const struct pki_subject *s, const char **message) {
    bool allowed = false;
    if (json_str_is(csr, "spec.username", s->common_name)) {
        *message = "Auto approving self kubelet client certificate after SubjectAccessReview.";
        TRY(may(r, a, csr, "selfnodeclient", &allowed));
    }
    if (!allowed) {
        *message = "Auto approving kubelet client certificate after SubjectAccessReview.";
        TRY(may(r, a, csr, "nodeclient", &allowed));
    }
    if (!allowed) *message = NULL;
    return NULL;
}

/* The undecided request of a signer, if it is one that the signer takes; else NULL. */
static struct error *open_request(struct runner *r, struct arena *a, const char *name, const char *signer, struct doc **out, struct pki_subject *s) {
    const char *pem;
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    if (!csr || !json_str_is(csr->root, "spec.signerName", signer) || certificate_decided(csr->root)) return NULL;
    TRY(certificate_request(a, csr->root, &pem, s));
    if (!certificate_problem(csr->root, s)) *out = TAKE(csr);
    return NULL;
}

static struct work_result approve_client(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = NULL;
    struct pki_subject s;
    const char *message;
    WORK_TRY(open_request(r, a, name, SIGNER_KUBELET_CLIENT, &csr, &s));
    if (!csr) return WORK_DONE;
    WORK_TRY(recognize(r, a, csr->root, &s, &message));
    if (!message) return work_again(SECONDS(30)); /* the right may be granted later */
    return work_error(certificate_approve(r, name, message));
}

/* ---- serving certificates ---- */

static bool is_address(const struct json *node, const char *text) {
    JSON_EACH(address, json_get(node, "status.addresses")) {
        if (json_str_is(address, "address", text)) return true;
    }
    return false;
}

/* Is it the address of another node, or of a service? */
static bool is_taken(struct runner *r, const char *self, const char *ip) {
    cleanup_doc_list struct doc_list nodes = {0}, services = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    cache_list(r->cache, &resource_services, NULL, &services);
    for (size_t i = 0; i < nodes.len; i++) {
        if (!str_eq(doc_name(nodes.items[i]), self) && is_address(nodes.items[i]->root, ip)) return true;
    }
    for (size_t i = 0; i < services.len; i++) {
        JSON_EACH(cluster_ip, json_get(services.items[i]->root, "spec.clusterIPs")) {
            if (json_str_is(cluster_ip, NULL, ip)) return true;
        }
    }
    return false;
}

/* Nothing but what the node is called and where it is reached. Of a node that is not there yet the addresses are not
 * known: any that nobody else has. */
static bool own_names(struct runner *r, const struct json *node, const char *name, const struct pki_subject *s) {
    for (const char *const *dns = s->dns; dns && *dns; dns++) {
        if (!str_eq(*dns, name) && !str_eq(*dns, "localhost") && !is_address(node, *dns)) return false;
    }
    for (const char *const *ip = s->ips; ip && *ip; ip++) {
        if (str_eq(*ip, "127.0.0.1") || str_eq(*ip, "::1")) continue;
        if (node ? !is_address(node, *ip) : is_taken(r, name, *ip)) return false;
    }
    return true;
}

static bool in_group(const struct json *csr, const char *group) {
    JSON_EACH(g, json_get(csr, "spec.groups")) {
        if (json_str_is(g, NULL, group)) return true;
    }
    return false;
}

static struct work_result approve_serving(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = NULL;
    struct pki_subject s;
    WORK_TRY(open_request(r, a, name, SIGNER_KUBELET_SERVING, &csr, &s));
    if (!csr || !json_str_is(csr->root, "spec.username", s.common_name) || !in_group(csr->root, "system:nodes")) return WORK_DONE;
    const char *node_name = s.common_name + strlen(NODE_PREFIX);
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, node_name);
    if (!own_names(r, node ? node->root : NULL, node_name, &s)) return work_again(SECONDS(10)); /* its addresses may be told later */
    return work_error(certificate_approve(r, name, "Auto approving kubelet serving certificate: it names the node that asks for it, and nothing else."));
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller certificatesigningrequest_approving_controller = {"certificatesigningrequest-approving-controller", .threads = 1, .sources = sources,
                                                                          .reconcile = approve_client};
const struct controller kubelet_serving_approver_controller = {"kubelet-serving-approver", .threads = 1, .sources = sources, .reconcile = approve_serving};
