/* CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may decide on and sign which requests. */
#include "apiserver/admission.h"
#include "apiserver/auth.h"

static bool may(struct change *c, const char *verb, const char *signer) {
    struct arena *a = c->r->arena;
    const char *reason, *slash = strchr(signer, '/');
    const char *domain = slash ? arena_printf(a, "%.*s/*", (int)(slash - signer), signer) : signer;
    const char *names[] = {signer, domain};
    for (size_t i = 0; i < 2; i++) {
        struct attributes at = {.user = &c->r->user, .verb = verb, .is_resource = true, .group = "certificates.k8s.io", .version = "*", .plural = "signers",
                                .subresource = "", .ns = "", .name = names[i]};
        if (authorize(c->r->server, a, &at, &reason) == DECISION_ALLOW) return true;
    }
    return false;
}

struct error *certificate_approval(struct change *c) {
    if (!change_is(c, &resource_certificates_certificatesigningrequests, "approval") || c->operation != OP_UPDATE) return NULL;
    const char *signer = json_str_or(c->old, "spec.signerName", "");
    return may(c, "approve", signer) ? NULL : admission_forbidden(c, "user not permitted to approve requests with signerName \"%s\"", signer);
}

struct error *certificate_signing(struct change *c) {
    if (!change_is(c, &resource_certificates_certificatesigningrequests, "status") || c->operation != OP_UPDATE) return NULL;
    if (json_equal(json_get(c->object, "status.certificate"), json_get(c->old, "status.certificate")) ||
        (json_get(c->object, "status.certificate") == NULL && json_get(c->old, "status.certificate") == NULL))
        return NULL;
    const char *signer = json_str_or(c->old, "spec.signerName", "");
    return may(c, "sign", signer) ? NULL : admission_forbidden(c, "user not permitted to sign requests with signerName \"%s\"", signer);
}

struct error *certificate_subject(struct change *c) {
    if (!change_is(c, &resource_certificates_certificatesigningrequests, "") || c->operation != OP_CREATE) return NULL;
    if (!json_str_is(c->object, "spec.signerName", "kubernetes.io/kube-apiserver-client")) return NULL;
    const char *request = json_str_or(c->object, "spec.request", "");
    char *pem;
    size_t len;
    struct pki_subject subject = {0};
    if (!base64_decode(c->r->arena, request, strlen(request), &pem, &len)) return NULL;
    cleanup_error struct error *e = pki_csr_parse(c->r->arena, arena_strndup(c->r->arena, pem, len), &subject);
    if (e) return admission_forbidden(c, "unable to parse CSR: %s", e->message);
    if (subject.organizations && str_in("system:masters", subject.organizations))
        return admission_forbidden(c, "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
    return NULL;
}
