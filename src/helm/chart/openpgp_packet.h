/* Reading the numbers of OpenPGP packets; for openpgp.c and openpgp_sign.c only. */
#pragma once
#include "base/base.h"
#include <openssl/evp.h>

/* Bytes that are read from the front; `bad` once there were too few. */
struct pgp_reader {
    const uint8_t *p, *end;
    bool bad;
};
const uint8_t *pgp_take(struct pgp_reader *r, size_t n); /* NULL: too few */
uint32_t pgp_number(struct pgp_reader *r, size_t bytes);
const uint8_t *pgp_mpi(struct pgp_reader *r, size_t *len);
struct pgp_key;
EVP_PKEY *pgp_rsa_key(const struct pgp_key *k, const uint8_t *d, size_t d_len); /* d NULL: the public key alone; NULL: it is none */
