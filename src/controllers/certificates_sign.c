/* certificatesigningrequest-signing-controller: signs approved requests of the four built-in signers. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/certificates.h"
#include "controllers/controllers.h"

static const int64_t year = SECONDS(365 * 24 * 3600), shortest = SECONDS(600), backdate = SECONDS(300), no_backdate_below = SECONDS(8 * 3600);

static const struct { const char *name; unsigned bit; } usages[] = {
    {"signing", PKI_DIGITAL_SIGNATURE}, {"digital signature", PKI_DIGITAL_SIGNATURE}, {"content commitment", PKI_CONTENT_COMMITMENT},
    {"key encipherment", PKI_KEY_ENCIPHERMENT}, {"key agreement", PKI_KEY_AGREEMENT}, {"data encipherment", PKI_DATA_ENCIPHERMENT},
    {"cert sign", PKI_CERT_SIGN}, {"crl sign", PKI_CRL_SIGN}, {"server auth", PKI_SERVER_AUTH}, {"client auth", PKI_CLIENT_AUTH},
    {"code signing", PKI_CODE_SIGNING}, {"email protection", PKI_EMAIL_PROTECTION}, {"s/mime", PKI_EMAIL_PROTECTION},
};

static unsigned usage_bits(const struct json *csr) {
    unsigned bits = 0;
    JSON_EACH(u, json_get(csr, "spec.usages")) {
        for (size_t i = 0; i < ARRAY_LEN(usages); i++) bits |= json_str_is(u, NULL, usages[i].name) ? usages[i].bit : 0;
    }
    return bits;
}

static int64_t duration_of(const struct controllers_config *config, const struct json *csr) {
    int64_t most = config->csr_duration ? config->csr_duration : year;
    const struct json *seconds = json_get(csr, "spec.expirationSeconds");
    return seconds ? MIN(most, MAX(shortest, SECONDS(json_int(seconds, NULL, 0)))) : most;
}

static struct error *sign(struct runner *r, struct arena *a, const struct json *csr, const char *pem, const char **certificate) {
    const struct controllers_config *config = r->config;
    struct pki_pair ca = {0};
    int64_t now = clock_wall(r->clock), duration = duration_of(config, csr);
    char *cert = NULL;
    TRY(pki_pair_load(config->ca_cert_path, config->ca_key_path, &ca));
    int64_t early = duration < shortest ? duration / 12 : backdate; /* so short only by --cluster-signing-duration */
    struct error *e = pki_csr_sign(&ca, pem, usage_bits(csr), now - early, now + duration - (duration < no_backdate_below ? 0 : backdate), &cert);
    pki_pair_free(&ca);
    if (e) return error_wrap(e, "error auto signing csr");
    struct buf text = {0};
    base64_encode(&text, cert, strlen(cert));
    *certificate = arena_strdup(a, buf_str(&text));
    buf_free(&text);
    free(cert);
    return NULL;
}

static bool one_of_ours(const struct json *csr) {
    static const char *const signers[] = {SIGNER_CLIENT, SIGNER_KUBELET_CLIENT, SIGNER_KUBELET_SERVING, SIGNER_LEGACY, NULL};
    return str_in(json_str(csr, "spec.signerName"), signers) && condition_is(csr, "Approved", "True") && !condition_find(csr, "Denied") &&
           !condition_find(csr, "Failed") && !json_str(csr, "status.certificate");
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    const struct controllers_config *config = r->config;
    const char *pem, *certificate;
    struct pki_subject s;
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    if (!csr || !one_of_ours(csr->root) || !config->ca_key_path) return WORK_DONE;
    WORK_TRY(certificate_request(a, csr->root, &pem, &s));
    const char *problem = certificate_problem(csr->root, &s);
    const struct json *o;
    if (problem) {
        const struct condition failed = {.type = "Failed", .status = "True", .reason = "SignerValidationFailure", .message = problem, .update_time = true};
        o = condition_set(a, csr->root, &failed, clock_wall(r->clock));
    } else {
        WORK_TRY(sign(r, a, csr->root, pem, &certificate));
        o = json_with(a, csr->root, "status.certificate", json_string(a, certificate));
    }
    struct error *e = client_update(r->client, &resource_certificates_certificatesigningrequests, NULL, name, "status", o, NULL);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller certificatesigningrequest_signing_controller = {"certificatesigningrequest-signing-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
