/* Certificates and signing requests of others: PEM, DER, and what is read out of them. */
#include "base/str.h"
#include "net/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf pem = {0}, body = {0};
    struct pki_cert cert;
    struct pki_subject subject;
    const char *text = arena_strndup(&a, (const char *)p, n);
    error_free(pki_cert_parse_der(&a, p, n, &cert));
    error_free(pki_cert_parse(&a, text, &cert));
    error_free(pki_csr_parse(&a, text, &subject));
    base64_encode(&body, p, n);
    buf_printf(&pem, "-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n", buf_str(&body));
    error_free(pki_csr_parse(&a, pem.data, &subject));
    return 0;
}
