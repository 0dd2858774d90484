/* Certificate signing requests (pkg/apis/certificates/validation). What a stored request got wrong may stay. */
#include "apiserver/validation/rules.h"
#include "net/pki.h"

#define CONDITIONS FIELD(STATUS, "conditions")

enum part { THE_REQUEST, THE_STATUS, THE_APPROVAL }; /* of an update: which of it may change */

static const char *pem_of(struct arena *a, const struct json *data) {
    const char *text = text_of(data);
    char *out;
    size_t n;
    return base64_decode(a, text, strlen(text), &out, &n) ? arena_strndup(a, out, n) : "";
}

static const char *request_problem(struct arena *a, const struct json *request) {
    static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----";
    const char *pem = pem_of(a, request), *first = strstr(pem, "-----BEGIN ");
    struct pki_subject subject = {0};
    if (first == NULL || !str_starts(first, begin)) return "PEM block type must be CERTIFICATE REQUEST";
    cleanup_error struct error *e = pki_csr_parse(a, pem, &subject);
    return e ? arena_strdup(a, e->message) : NULL;
}

static const char *certificate_problem(struct arena *a, const struct json *certificate) {
    static const char begin[] = "-----BEGIN ";
    const char *pem = pem_of(a, certificate);
    size_t blocks = 0;
    if (!*text_of(certificate)) return NULL;
    for (const char *p = strstr(pem, begin); p; p = strstr(p + 1, begin), blocks++) {
        const char *type = p + strlen(begin), *end = strstr(type, "-----");
        struct pki_cert cert;
        if (end == NULL) break;
        if (strncmp(type, "CERTIFICATE", (size_t)(end - type)) != 0 || end - type != 11)
            return arena_printf(a, "only CERTIFICATE PEM blocks are allowed, found \"%.*s\"", (int)(end - type), type);
        cleanup_error struct error *e = pki_cert_parse(a, p, &cert);
        if (e) return arena_strdup(a, e->message);
    }
    return blocks ? NULL : "must contain at least one CERTIFICATE PEM block";
}

static void usages(RULE) {
    static const char *const known[] = {"any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only",
                                        "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
                                        "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping", NULL};
    size_t i = 0;
    if (json_len(o) == 0) field_required(e, p, "");
    JSON_EACH(u, o) {
        if (!str_in(text_of(u), known)) field_not_supported(e, FIELD_INDEX(p, i), u, known);
        i++;
    }
    for (i = 0; i < json_len(o); i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(o, i), json_at(o, k));
        if (seen) field_duplicate(e, FIELD_INDEX(p, i), json_at(o, i));
    }
}

static size_t count(const struct json *o, const char *type) {
    size_t n = 0;
    JSON_EACH(k, json_get(o, "status.conditions")) n += json_str_is(k, "type", type);
    return n;
}

static void conditions(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *list = json_get(o, "status.conditions");
    bool both = old && count(old, "Approved") && count(old, "Denied"), approved = false, denied = false;
    size_t i = 0;
    JSON_EACH(k, list) {
        const struct field_path *at = FIELD_INDEX(CONDITIONS, i);
        const char *type = str_of(k, "type");
        bool seen = false;
        need(e, at, k, "type");
        choice_needed(e, at, k, "status", word_in(type, "Approved Denied Failed") ? "True" : "False True Unknown");
        approved |= strcmp(type, "Approved") == 0;
        denied |= strcmp(type, "Denied") == 0;
        if (approved && denied && word_in(type, "Approved Denied") && !both)
            field_invalid_str(e, CONDITIONS, type, "Approved and Denied conditions are mutually exclusive");
        for (size_t n = 0; n < i; n++) seen |= strcmp(str_of(json_at(list, n), "type"), type) == 0;
        if (seen && count(old, type) < 2) field_duplicate(e, FIELD(at, "type"), json_member(k, "type"));
        i++;
    }
}

static void request(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char legacy[] = "kubernetes.io/legacy-unknown";
    const struct json *spec = json_member(o, "spec"), *text = json_member(spec, "request"), *seconds = json_member(spec, "expirationSeconds");
    const struct json *certificate = json_get(o, "status.certificate");
    const char *problem = request_problem(e->arena, text), *signer = str_of(spec, "signerName");
    if (problem) field_invalid(e, FIELD(SPEC, "request"), text ? text : &json_empty_string, "%s", problem);
    usages(e, FIELD(SPEC, "usages"), json_member(spec, "usages"));
    if (strcmp(signer, legacy) == 0 && old == NULL) field_invalid_str(e, FIELD(SPEC, "signerName"), signer, "the legacy signerName is not allowed via this API version");
    else signer_name(e, FIELD(SPEC, "signerName"), signer);
    if (seconds && json_int(seconds, NULL, 0) < 600)
        field_invalid(e, FIELD(SPEC, "expirationSeconds"), seconds, "may not specify a duration less than 600 seconds (10 minutes)");
    conditions(e, o, old);
    problem = old && json_semantic_equal(certificate, json_get(old, "status.certificate")) ? NULL : certificate_problem(e->arena, certificate);
    if (problem) field_invalid_str(e, FIELD(STATUS, "certificate"), "<certificate data>", "%s", problem);
}

static const struct json *of_type(struct arena *a, const struct json *o, const char *type) {
    struct json_array out = {.arena = a};
    JSON_EACH(k, json_get(o, "status.conditions")) if (json_str_is(k, "type", type)) json_array_add(&out, k);
    return json_array_done(&out);
}

static void update(struct field_errors *e, const struct json *o, const struct json *old, enum part part) {
    static const char *const kept[] = {"Approved", "Denied", "Failed"};
    const struct json *now = json_get(o, "status.certificate"), *was = json_get(old, "status.certificate");
    request(e, o, old);
    if (old == NULL) return;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (count(o, kept[i]) < count(old, kept[i])) field_forbidden(e, CONDITIONS, "updates may not remove a condition of type \"%s\"", kept[i]);
    }
    for (size_t i = 0; i < 2 && part != THE_APPROVAL; i++) {
        size_t n = count(o, kept[i]), had = count(old, kept[i]);
        if (n > had) field_forbidden(e, CONDITIONS, "updates may not add a condition of type \"%s\"", kept[i]);
        else if (n == had && !json_semantic_equal(of_type(e->arena, o, kept[i]), of_type(e->arena, old, kept[i])))
            field_forbidden(e, CONDITIONS, "updates may not modify a condition of type \"%s\"", kept[i]);
    }
    if (json_semantic_equal(now, was)) return;
    if (part != THE_STATUS) field_forbidden(e, FIELD(STATUS, "certificate"), "updates may not set certificate content");
    else if (*text_of(was)) field_forbidden(e, FIELD(STATUS, "certificate"), "updates may not modify existing certificate content");
}

void validate_signing_request(struct field_errors *e, const struct json *o, const struct json *old) { update(e, o, old, THE_REQUEST); }
void validate_signing_request_status(struct field_errors *e, const struct json *o, const struct json *old) { update(e, o, old, THE_STATUS); }
void validate_signing_request_approval(struct field_errors *e, const struct json *o, const struct json *old) { update(e, o, old, THE_APPROVAL); }
