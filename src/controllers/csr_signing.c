/* certificatesigningrequest-signing-controller: signs what is approved for the four signers of Kubernetes with the
 * cluster's CA, each with its own rules on subject and usages. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/controllers.h"
#include "controllers/csr.h"

#define YEAR SECONDS(365 * 86400)
#define BACKDATE SECONDS(300) /* clocks differ */

static const struct {
    const char *name;
    unsigned usage;
} usages[] = {
    {"signing", PKI_DIGITAL_SIGNATURE}, {"digital signature", PKI_DIGITAL_SIGNATURE}, {"content commitment", PKI_CONTENT_COMMITMENT},
    {"key encipherment", PKI_KEY_ENCIPHERMENT}, {"key agreement", PKI_KEY_AGREEMENT}, {"data encipherment", PKI_DATA_ENCIPHERMENT},
    {"cert sign", PKI_CERT_SIGN}, {"crl sign", PKI_CRL_SIGN}, {"server auth", PKI_SERVER_AUTH}, {"client auth", PKI_CLIENT_AUTH},
    {"code signing", PKI_CODE_SIGNING}, {"email protection", PKI_EMAIL_PROTECTION},
};

static const char *usage_bits(const struct json *csr, unsigned *bits) {
    *bits = 0;
    JSON_EACH(u, json_get(csr, "spec.usages")) {
        size_t i = 0;
        while (i < ARRAY_LEN(usages) && !json_str_is(u, NULL, usages[i].name)) i++;
        if (i == ARRAY_LEN(usages)) return "unrecognized usage values";
        *bits |= usages[i].usage;
    }
    return NULL;
}

static const char *problem(const struct json *csr, const struct pki_subject *s) {
    static const char *const wanted[] = {"client auth", NULL}, *const allowed[] = {"digital signature", "key encipherment", NULL};
    const char *signer = json_str_or(csr, "spec.signerName", "");
    if (strcmp(signer, CSR_KUBELET_CLIENT) == 0) return csr_node_problem(csr, s, false);
    if (strcmp(signer, CSR_KUBELET_SERVING) == 0) return csr_node_problem(csr, s, true);
    if (strcmp(signer, CSR_CLIENT) == 0 && !csr_has_usages(csr, wanted, allowed)) return "usages did not match";
    return NULL;
}

static bool is_ours(const struct json *csr) {
    return str_in(json_str_or(csr, "spec.signerName", ""), (const char *const[]){CSR_CLIENT, CSR_KUBELET_CLIENT, CSR_KUBELET_SERVING, CSR_LEGACY, NULL});
}

static struct error *fail(struct runner *r, struct arena *a, const struct doc *csr, const char *message) {
    struct condition c = {.type = "Failed", .status = "True", .reason = "SignerValidationFailure", .message = message, .update_time = true};
    const struct json *o = condition_set(a, csr->root, &c, clock_wall(r->clock));
    return client_update(r->client, &resource_certificates_certificatesigningrequests, NULL, doc_name(csr), "status", o, NULL);
}

static struct error *sign(struct runner *r, const char *pem, const struct json *csr, unsigned bits, char **cert) {
    const struct controllers_config *config = r->config;
    struct pki_pair ca;
    int64_t now = clock_wall(r->clock), most = config->csr_duration ? config->csr_duration : YEAR;
    int64_t asked = SECONDS(json_int(csr, "spec.expirationSeconds", 0));
    TRY(pki_pair_load(config->ca_cert_path, config->ca_key_path, &ca));
    struct error *e = pki_csr_sign(&ca, pem, bits, now - BACKDATE, now + (asked > 0 && asked < most ? MAX(asked, SECONDS(600)) : most), cert);
    pki_pair_free(&ca);
    return e;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    if (csr == NULL || json_str(csr->root, "status.certificate") != NULL || !is_ours(csr->root)) return WORK_DONE;
    if (!condition_is(csr->root, "Approved", "True") || condition_is(csr->root, "Denied", "True") || condition_is(csr->root, "Failed", "True")) return WORK_DONE;
    const char *pem, *wrong;
    struct pki_subject s;
    unsigned bits;
    WORK_TRY(csr_parse(a, csr->root, &pem, &s));
    if ((wrong = problem(csr->root, &s)) != NULL || (wrong = usage_bits(csr->root, &bits)) != NULL) return work_error(fail(r, a, csr, wrong));
    cleanup_free char *cert = NULL;
    WORK_TRY(sign(r, pem, csr->root, bits, &cert));
    struct buf text = {0};
    base64_encode(&text, cert, strlen(cert));
    const struct json *o = json_with(a, csr->root, "status.certificate", json_string(a, text.data));
    buf_free(&text);
    return work_error(client_update(r->client, &resource_certificates_certificatesigningrequests, NULL, name, "status", o, NULL));
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller csr_signing_controller = {
    "certificatesigningrequest-signing-controller", .component = "csrsigning", .threads = 1, .sources = sources, .reconcile = reconcile};
