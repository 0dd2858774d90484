#include "controllers/certificates.h"
#include "base/str.h"

struct error *certificate_request(struct arena *a, const struct json *csr, const char **pem, struct pki_subject *out) {
    const char *text = json_str_or(csr, "spec.request", "");
    char *decoded;
    size_t len;
    if (!base64_decode(a, text, strlen(text), &decoded, &len)) return error_new("unable to parse csr: spec.request is not base64");
    *pem = arena_strndup(a, decoded, len);
    struct error *e = pki_csr_parse(a, *pem, out);
    return e ? error_wrap(e, "unable to parse csr") : NULL;
}

bool certificate_decided(const struct json *csr) { return condition_find(csr, "Approved") || condition_find(csr, "Denied"); }

/* All usages are among `allowed` and `needed` is one of them. */
static bool usages_are(const struct json *csr, const char *const *allowed, const char *needed) {
    bool found = false;
    JSON_EACH(u, json_get(csr, "spec.usages")) {
        if (!str_in(json_str(u, NULL), allowed)) return false;
        found = found || json_str_is(u, NULL, needed);
    }
    return found;
}

static bool any(const char *const *list) { return list && *list; }

static const char *node_problem(const struct pki_subject *s) {
    if (!any(s->organizations) || !str_eq(s->organizations[0], "system:nodes") || s->organizations[1]) return "subject organization is not system:nodes";
    if (!s->common_name || !str_starts(s->common_name, "system:node:")) return "subject common name does not begin with system:node:";
    return NULL;
}

static const char *kubelet_client_problem(const struct json *csr, const struct pki_subject *s) {
    static const char *const usages[] = {"digital signature", "client auth", "key encipherment", NULL};
    if (node_problem(s)) return node_problem(s);
    if (any(s->dns)) return "DNS subjectAltNames are not allowed";
    if (any(s->emails)) return "Email subjectAltNames are not allowed";
    if (any(s->ips)) return "IP subjectAltNames are not allowed";
    if (any(s->uris)) return "URI subjectAltNames are not allowed";
    return usages_are(csr, usages, "client auth") && usages_are(csr, usages, "digital signature")
               ? NULL : "usages did not match [client auth digital signature key encipherment] or [client auth digital signature]";
}

static const char *kubelet_serving_problem(const struct json *csr, const struct pki_subject *s) {
    static const char *const usages[] = {"digital signature", "server auth", "key encipherment", NULL};
    if (node_problem(s)) return node_problem(s);
    if (!any(s->dns) && !any(s->ips)) return "DNS or IP subjectAltName is required";
    if (any(s->emails)) return "Email subjectAltNames are not allowed";
    if (any(s->uris)) return "URI subjectAltNames are not allowed";
    return usages_are(csr, usages, "server auth") && usages_are(csr, usages, "digital signature")
               ? NULL : "usages did not match [digital signature key encipherment server auth] or [digital signature server auth]";
}

static const char *client_problem(const struct json *csr, const struct pki_subject *s UNUSED) {
    static const char *const usages[] = {"digital signature", "client auth", "key encipherment", NULL};
    return usages_are(csr, usages, "client auth") ? NULL : "usages did not match [client auth digital signature key encipherment]";
}

static const struct { const char *signer, *(*problem)(const struct json *, const struct pki_subject *); } signers[] = {
    {SIGNER_KUBELET_CLIENT, kubelet_client_problem}, {SIGNER_KUBELET_SERVING, kubelet_serving_problem}, {SIGNER_CLIENT, client_problem},
};

const char *certificate_problem(const struct json *csr, const struct pki_subject *s) {
    for (size_t i = 0; i < ARRAY_LEN(signers); i++) {
        if (json_str_is(csr, "spec.signerName", signers[i].signer)) return signers[i].problem(csr, s);
    }
    return NULL;
}

struct approval {
    const char *message;
    int64_t now;
};

static const struct json *approved(struct arena *a, struct doc *csr, void *arg) {
    const struct approval *p = arg;
    const struct condition c = {.type = "Approved", .status = "True", .reason = "AutoApproved", .message = p->message, .update_time = true};
    return certificate_decided(csr->root) ? NULL : condition_set(a, csr->root, &c, p->now);
}

struct error *certificate_approve(struct runner *r, const char *name, const char *message) {
    struct approval p = {message, clock_wall(r->clock)};
    struct error *e = client_modify(r->client, &resource_certificates_certificatesigningrequests, NULL, name, "approval", approved, &p, NULL);
    return error_is(e, "NotFound") ? error_free(e), NULL : e;
}
