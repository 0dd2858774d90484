/* Keys, certificates and signatures. Text in and out is PEM; results given as `char *` are malloced. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/* A private or public key. */
struct pki_key;
enum pki_key_type { PKI_P256, PKI_RSA2048 };
struct pki_key *pki_key_new(enum pki_key_type type);
/* Private (PKCS#8, SEC 1, PKCS#1) or public key, or the public key of a certificate. */
MUST_CHECK struct error *pki_key_parse(const char *pem, struct pki_key **out);
void pki_key_free(struct pki_key *k);
char *pki_key_pem(const struct pki_key *k);        /* private, PKCS#8 */
char *pki_key_public_pem(const struct pki_key *k); /* SubjectPublicKeyInfo */
void pki_key_public_der(const struct pki_key *k, struct buf *out);
static inline void cleanup_pki_key_(struct pki_key **k) { pki_key_free(*k); }
#define cleanup_pki_key CLEANUP(cleanup_pki_key_)

/* JSON Web Signatures (RFC 7518): "RS256/384/512" and "PS256/384/512" with RSA keys, "ES256/384/512" with the curve of that size. */
const char *pki_key_alg(const struct pki_key *k); /* the algorithm it signs with: "ES256", "RS256" …; NULL if unsupported */
MUST_CHECK struct error *pki_sign(const struct pki_key *k, const void *p, size_t n, struct buf *signature);
bool pki_verify(const struct pki_key *k, const char *alg, const void *p, size_t n, const void *signature, size_t signature_len);
/* JSON Web Key parameters (RFC 7517), base64url. RSA: n, e. EC: crv, x, y. The others are NULL. */
struct pki_jwk {
    const char *kty, *crv, *n, *e, *x, *y;
};
MUST_CHECK struct error *pki_jwk_export(const struct pki_key *k, struct arena *a, struct pki_jwk *out);
MUST_CHECK struct error *pki_jwk_import(const struct pki_jwk *jwk, struct pki_key **out);

enum pki_usage {
    PKI_DIGITAL_SIGNATURE = 1, PKI_KEY_ENCIPHERMENT = 2, PKI_SERVER_AUTH = 4, PKI_CLIENT_AUTH = 8, PKI_CERT_SIGN = 16,
    PKI_KEY_AGREEMENT = 32, PKI_DATA_ENCIPHERMENT = 64, PKI_CONTENT_COMMITMENT = 128, PKI_CODE_SIGNING = 256,
    PKI_EMAIL_PROTECTION = 512, PKI_CRL_SIGN = 1024,
    PKI_OTHER_USAGE = 1 << 30, /* one that has no name here; only in what is read */
};
/* What a certificate or a request says. Lists end with NULL; NULL lists are empty. Times: ns since 1970. */
struct pki_subject {
    const char *common_name;
    const char *const *organizations;
    const char *const *dns, *const *ips, *const *emails, *const *uris;
    unsigned usages; /* enum pki_usage bits */
    bool ca;
    int64_t not_before, not_after; /* 0 in requests */
};
struct pki_pair {
    char *cert, *key; /* PEM */
};
void pki_pair_free(struct pki_pair *p);
#define cleanup_pki_pair CLEANUP(pki_pair_free)

/* A P-256 key with a certificate; self-signed if `ca` is NULL. */
MUST_CHECK struct error *pki_issue(const struct pki_pair *ca, const struct pki_subject *s, struct pki_pair *out);
MUST_CHECK struct error *pki_ca_new(const char *common_name, int64_t not_before, int64_t not_after, struct pki_pair *out);
/* A PKCS#10 request by `key_pem` for subject and alternative names. */
MUST_CHECK struct error *pki_csr_new(const char *key_pem, const struct pki_subject *s, char **csr);
/* Checks the request's signature and reads it. */
MUST_CHECK struct error *pki_csr_parse(struct arena *a, const char *csr, struct pki_subject *out);
/* A certificate for the request's key, subject and names, with the given usages and times; never for a CA. */
MUST_CHECK struct error *pki_csr_sign(const struct pki_pair *ca, const char *csr, unsigned usages, int64_t not_before,
                                      int64_t not_after, char **cert);

struct pki_cert {
    struct pki_subject subject;
    const char *issuer;      /* common name */
    const char *serial;      /* hex */
    const char *sha256;      /* hex, of the DER */
    const char *public_key_sha256; /* hex, of the SubjectPublicKeyInfo: kubeadm's discovery hash */
    const void *der;
    size_t der_len;
};
MUST_CHECK struct error *pki_cert_parse(struct arena *a, const char *pem, struct pki_cert *out); /* the first of a chain */
MUST_CHECK struct error *pki_cert_parse_der(struct arena *a, const void *der, size_t n, struct pki_cert *out);
/* Is the certificate (PEM, or DER if der_len > 0) good now, issued by one of `ca` and meant for `usage`
 * (PKI_CLIENT_AUTH, PKI_SERVER_AUTH, 0: any)? */
MUST_CHECK struct error *pki_cert_check(const void *cert, size_t der_len, const char *ca, unsigned usage);
bool pki_pair_matches(const char *cert, const char *key);

/* Files: the certificate at `cert_path` (0644), the key at `key_path` (0600), each written atomically. */
MUST_CHECK struct error *pki_pair_save(const struct pki_pair *p, const char *cert_path, const char *key_path);
MUST_CHECK struct error *pki_pair_load(const char *cert_path, const char *key_path, struct pki_pair *out);
