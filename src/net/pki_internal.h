/* OpenSSL helpers that the key, certificate and TLS code share. */
#pragma once
#include "net/pki.h"
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct pki_key {
    EVP_PKEY *pkey;
};
/* "what: the reason of OpenSSL's last error"; clears OpenSSL's error queue. */
struct error *pki_error(const char *what) __attribute__((returns_nonnull));
char *pki_bio_take(BIO *b); /* the text of a memory BIO */

static inline void cleanup_bio_(BIO **p) { BIO_free(*p); }
static inline void cleanup_x509_(X509 **p) { X509_free(*p); }
static inline void cleanup_req_(X509_REQ **p) { X509_REQ_free(*p); }
static inline void cleanup_pkey_(EVP_PKEY **p) { EVP_PKEY_free(*p); }
#define cleanup_bio CLEANUP(cleanup_bio_)
#define cleanup_x509 CLEANUP(cleanup_x509_)
#define cleanup_req CLEANUP(cleanup_req_)
#define cleanup_pkey CLEANUP(cleanup_pkey_)
