/* certificatesigningrequest-cleaner-controller: requests go an hour after they were approved, denied or failed, a day
 * after they were made if nobody decided, and when the certificate they gave has expired. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/csr.h"

#define HOUR SECONDS(3600)

static int64_t certificate_end(struct arena *a, const struct json *csr) {
    const char *data = json_str(csr, "status.certificate");
    char *pem;
    size_t n;
    struct pki_cert cert;
    if (data == NULL || !base64_decode(a, data, strlen(data), &pem, &n)) return INT64_MAX;
    struct error *e = pki_cert_parse(a, pem, &cert);
    if (e != NULL) return error_free(e), INT64_MAX;
    return cert.subject.not_after;
}

static int64_t decided_at(const struct json *csr) {
    int64_t last = 0;
    JSON_EACH(c, json_get(csr, "status.conditions")) last = MAX(last, object_time(c, "lastUpdateTime"));
    return last;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *csr = cache_get(r->cache, &resource_certificates_certificatesigningrequests, NULL, name);
    if (csr == NULL) return WORK_DONE;
    int64_t decided = decided_at(csr->root), end = decided > 0 ? decided + HOUR : object_created(csr->root) + 24 * HOUR;
    end = MIN(end, certificate_end(a, csr->root));
    int64_t left = end - clock_wall(r->clock);
    if (left > 0) return work_again(left);
    struct delete_options o = {.uid = doc_uid(csr), .grace_period = -1};
    struct error *e = client_delete(r->client, &resource_certificates_certificatesigningrequests, NULL, name, &o);
    if (error_is(e, "NotFound")) return error_free(e), WORK_DONE;
    return work_error(e);
}

static const struct controller_source sources[] = {{.resource = &resource_certificates_certificatesigningrequests}, {0}};
const struct controller csr_cleaner_controller = {
    "certificatesigningrequest-cleaner-controller", .component = "csrcleaner", .threads = 1, .sources = sources, .reconcile = reconcile};
