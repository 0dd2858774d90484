/* OpenPGP (RFC 4880) as far as provenance files need it: key rings, clear-signed texts, RSA and Ed25519 signatures. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct pgp_key {
    uint8_t fingerprint[20]; /* its last eight bytes are the key's number */
    uint8_t algorithm;       /* 1 RSA, 22 EdDSA */
    const uint8_t *n, *e;    /* RSA: modulus, exponent; EdDSA: n is the point */
    size_t n_len, e_len;
    const uint8_t *secret;   /* the secret half, as its packet has it; NULL: not there */
    size_t secret_len;
    const struct pgp_key *primary; /* whose subkey it is; itself */
    const char **names;            /* user IDs of a primary key */
    size_t name_count;
};
struct pgp_keyring {
    struct pgp_key **keys;
    size_t count;
};
/* Reads a key ring of binary packets, as helm does. Keys of kinds that are not known are left out. */
MUST_CHECK struct error *pgp_read_keyring(struct arena *a, const uint8_t *data, size_t len, struct pgp_keyring *out);

/* A clear-signed text taken apart. */
struct pgp_message {
    struct buf text;   /* as people read it, lines ending in \n */
    struct buf signed_text; /* as it is hashed: lines without trailing space, ending in \r\n but the last */
    const uint8_t *signature;
    size_t signature_len;
};
/* "signature block not found" if it is none. */
MUST_CHECK struct error *pgp_read_clearsigned(struct arena *a, const char *text, size_t len, struct pgp_message *out);
void pgp_message_free(struct pgp_message *m);
/* Who signed it, a key of the ring. Errors have the words of Go's openpgp package. */
MUST_CHECK struct error *pgp_verify(const struct pgp_message *m, const struct pgp_keyring *ring, const struct pgp_key **by);

/* ---- signing (openpgp_sign.c) ---- */

bool pgp_is_rsa(const struct pgp_key *k);
/* The key with a secret half of whom a user ID is `id` or, if only one does, contains it. Errors are helm's. */
MUST_CHECK struct error *pgp_find_signer(const struct pgp_keyring *ring, const char *id, const struct pgp_key **out);
bool pgp_is_locked(const struct pgp_key *k); /* by a passphrase */
/* Appends the text, whose lines end in \n, signed with SHA-512 at the Unix time `now`. `passphrase`: "" for keys that are not locked. */
MUST_CHECK struct error *pgp_clearsign(const struct pgp_key *k, const char *passphrase, const char *text, int64_t now, struct buf *out);
