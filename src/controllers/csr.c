/* See csr.h. The rules are those of pkg/apis/certificates/helpers.go. */
#include "controllers/csr.h"
#include "base/str.h"

bool csr_is_decided(const struct json *csr) {
    return condition_is(csr, "Approved", "True") || condition_is(csr, "Denied", "True");
}

struct error *csr_parse(struct arena *a, const struct json *csr, const char **pem, struct pki_subject *subject) {
    const char *data = json_str_or(csr, "spec.request", "");
    char *text;
    size_t n;
    if (!base64_decode(a, data, strlen(data), &text, &n)) return error_new("unable to parse csr: not base64");
    *pem = text;
    return pki_csr_parse(a, text, subject);
}

struct error *csr_approve(struct runner *r, struct arena *a, const struct doc *csr, const char *reason, const char *message) {
    struct condition c = {.type = "Approved", .status = "True", .reason = reason, .message = message, .update_time = true};
    const struct json *o = condition_set(a, csr->root, &c, clock_wall(r->clock));
    return client_update(r->client, &resource_certificates_certificatesigningrequests, NULL, doc_name(csr), "approval", o, NULL);
}

bool csr_has_usages(const struct json *csr, const char *const *wanted, const char *const *allowed) {
    const struct json *usages = json_get(csr, "spec.usages");
    size_t found = 0, needed = 0;
    while (wanted[needed] != NULL) needed++;
    JSON_EACH(u, usages) {
        if (!json_is(u, JSON_STRING) || (!str_in(u->s, wanted) && !str_in(u->s, allowed))) return false;
        found += str_in(u->s, wanted);
    }
    return found == needed;
}

static bool any(const char *const *list) { return list != NULL && *list != NULL; }

const char *csr_node_problem(const struct json *csr, const struct pki_subject *s, bool serving) {
    static const char *const optional[] = {"key encipherment", NULL};
    const char *const client_usages[] = {"digital signature", "client auth", NULL}, *const serving_usages[] = {"digital signature", "server auth", NULL};
    if (!any(s->organizations) || !str_eq(s->organizations[0], "system:nodes") || s->organizations[1] != NULL) {
        return "subject organization is not system:nodes";
    }
    if (s->common_name == NULL || !str_starts(s->common_name, "system:node:")) return "subject common name does not begin with system:node: ";
    if (any(s->emails)) return "Email subjectAltNames are not allowed";
    if (any(s->uris)) return "URI subjectAltNames are not allowed";
    if (!serving && any(s->dns)) return "DNS subjectAltNames are not allowed";
    if (!serving && any(s->ips)) return "IP subjectAltNames are not allowed";
    if (serving && !any(s->dns) && !any(s->ips)) return "DNS or IP subjectAltName is required";
    return csr_has_usages(csr, serving ? serving_usages : client_usages, optional) ? NULL : "usages did not match";
}
