/* kubelet-serving-approver: Coracle's own. Upstream leaves serving certificates of nodes to the administrator; here a
 * node's request is approved if it asks for itself and for no name or address that is another node's. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/csr.h"

static bool name_is_taken(struct runner *r, const char *self, const char *name) {
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) {
        if (str_eq(doc_name(nodes.items[i]), self)) continue;
        if (str_eq(doc_name(nodes.items[i]), name)) return true;
        JSON_EACH(address, json_get(nodes.items[i]->root, "status.addresses")) {
            if (json_str_is(address, "address", name)) return true;
        }
    }
    return false;
}

static bool may_have(struct runner *r, const char *self, const char *const *names) {
    for (; names != NULL && *names != NULL; names++) {
        if (name_is_taken(r, self, *names)) return false;
    }
    return true;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    const char *pem;
    struct pki_subject s;
    if (csr == NULL || csr_is_decided(csr->root) || !json_str_is(csr->root, "spec.signerName", CSR_KUBELET_SERVING)) return WORK_DONE;
    struct error *bad = csr_parse(a, csr->root, &pem, &s);
    if (bad != NULL) return error_free(bad), WORK_DONE;
    if (csr_node_problem(csr->root, &s, true) != NULL || !str_eq(json_str(csr->root, "spec.username"), s.common_name)) return WORK_DONE;
    const char *self = s.common_name + strlen("system:node:");
    if (!may_have(r, self, s.dns) || !may_have(r, self, s.ips)) return WORK_DONE;
    return work_error(csr_approve(r, a, csr, "AutoApproved", "Names and addresses are the node's own."));
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller csr_serving_approver_controller = {
    "kubelet-serving-approver", .threads = 1, .sources = sources, .reconcile = reconcile};
