/* Private to crypto.c, keys.c and certificates.c. */
#pragma once
#include "helm/sprig/internal.h"
#include <openssl/evp.h>

static inline void cleanup_key_(EVP_PKEY **k) { EVP_PKEY_free(*k); }
#define cleanup_key CLEANUP(cleanup_key_)

/* kind: "rsa", "dsa", "ecdsa", "ed25519"; bits of RSA. */
MUST_CHECK struct error *key_generate(const char *kind, unsigned bits, EVP_PKEY **out);
/* In the PEM form that Go's sprig gives keys of this kind. */
struct value key_to_pem(struct go_run *run, EVP_PKEY *key);
MUST_CHECK struct error *key_from_pem(struct go_run *run, struct value pem, EVP_PKEY **out);
/* A PEM block around DER. */
void pem_encode(struct buf *out, const char *type, const void *der, size_t n);
/* The first PEM block of a text: false if there is none. The type and contents are in the arena. */
MUST_CHECK bool pem_decode(struct go_run *run, struct value text, const char **type, const unsigned char **der, size_t *n);
/* What OpenSSL has last complained about. */
struct error *crypto_error(const char *what);
