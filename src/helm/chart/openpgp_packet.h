/* Reading the numbers of OpenPGP packets; for openpgp.c and openpgp_sign.c only. */
#pragma once
#include "base/base.h"

/* Bytes that are read from the front; `bad` once there were too few. */
struct pgp_reader {
    const uint8_t *p, *end;
    bool bad;
};
const uint8_t *pgp_take(struct pgp_reader *r, size_t n); /* NULL: too few */
uint32_t pgp_number(struct pgp_reader *r, size_t bytes);
const uint8_t *pgp_mpi(struct pgp_reader *r, size_t *len);
