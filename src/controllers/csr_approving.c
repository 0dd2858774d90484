/* certificatesigningrequest-approving-controller: nodes get their client certificates by themselves if whoever asks may
 * do so: the subresources `nodeclient` (any node's) and `selfnodeclient` (its own) of signing requests are the rights. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/csr.h"

static const struct json *groups_of(const struct json *csr) { return json_get(csr, "spec.groups"); }

static struct error *is_allowed(struct runner *r, struct arena *a, const struct json *csr, const char *subresource, bool *allowed) {
    const struct json *review = json_make(a,
                                          "{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','spec':{'user':%s,'uid':%s,'groups':%v,'extra':%v,"
                                          "'resourceAttributes':{'group':'certificates.k8s.io','resource':'certificatesigningrequests','verb':'create','subresource':%s,'version':'*'}}}",
                                          json_str(csr, "spec.username"), json_str(csr, "spec.uid"), groups_of(csr), json_get(csr, "spec.extra"), subresource);
    cleanup_doc struct doc *answer = NULL;
    TRY(client_create(r->client, &resource_authorization_subjectaccessreviews, NULL, review, &answer));
    *allowed = json_bool(answer->root, "status.allowed", false);
    return NULL;
}

static struct error *consider(struct runner *r, struct arena *a, const struct doc *csr) {
    const char *pem;
    struct pki_subject s;
    struct error *bad = csr_parse(a, csr->root, &pem, &s);
    if (bad != NULL) return error_free(bad), NULL; /* the signer says so */
    if (csr_node_problem(csr->root, &s, false) != NULL) return NULL;
    bool allowed = false, own = str_eq(json_str(csr->root, "spec.username"), s.common_name);
    if (own) TRY(is_allowed(r, a, csr->root, "selfnodeclient", &allowed));
    if (allowed) return csr_approve(r, a, csr, "AutoApproved", "Auto approving self kubelet client certificate after SubjectAccessReview.");
    TRY(is_allowed(r, a, csr->root, "nodeclient", &allowed));
    if (allowed) return csr_approve(r, a, csr, "AutoApproved", "Auto approving kubelet client certificate after SubjectAccessReview.");
    return NULL;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    if (csr == NULL || csr_is_decided(csr->root) || json_str(csr->root, "status.certificate") != NULL) return WORK_DONE;
    if (!json_str_is(csr->root, "spec.signerName", CSR_KUBELET_CLIENT)) return WORK_DONE;
    return work_error(consider(r, a, csr));
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller csr_approving_controller = {
    "certificatesigningrequest-approving-controller", .component = "csrapproving", .threads = 1, .sources = sources, .reconcile = reconcile};
