/* certificatesigningrequest-cleaner-controller: requests go an hour after they were decided, a day after they were made if
 * nobody decides, and when their certificate has expired. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/certificates.h"

static const int64_t hour = SECONDS(3600), day = SECONDS(24 * 3600);

static int64_t certificate_end(struct arena *a, const struct json *csr) {
    const char *text = json_str_or(csr, "status.certificate", "");
    struct pki_cert cert;
    char *pem;
    size_t len;
    if (!*text || !base64_decode(a, text, strlen(text), &pem, &len)) return INT64_MAX;
    struct error *e = pki_cert_parse(a, arena_strndup(a, pem, len), &cert);
    if (e) return error_free(e), INT64_MAX;
    return cert.subject.not_after;
}

static int64_t end_of(struct arena *a, const struct json *csr) {
    int64_t end = json_len(json_get(csr, "status.conditions")) ? INT64_MAX : object_created(csr) + day;
    JSON_EACH(c, json_get(csr, "status.conditions")) {
        bool issued = json_str_is(c, "type", "Approved") && json_str(csr, "status.certificate");
        bool refused = json_str_is(c, "type", "Denied") || json_str_is(c, "type", "Failed");
        int64_t since = object_time(c, "lastUpdateTime");
        if ((issued || refused) && since) end = MIN(end, since + hour);
    }
    return MIN(end, certificate_end(a, csr));
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    if (!csr) return WORK_DONE;
    int64_t end = end_of(a, csr->root), now = clock_wall(r->clock);
    if (end > now) return end == INT64_MAX ? WORK_DONE : work_again(MIN(end - now, day));
    struct delete_options o = {.uid = doc_uid(csr), .grace_period = -1};
    struct error *e = client_delete(r->client, &resource_certificates_certificatesigningrequests, NULL, name, &o);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller certificatesigningrequest_cleaner_controller = {"certificatesigningrequest-cleaner-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
