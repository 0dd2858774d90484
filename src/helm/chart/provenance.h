/* Provenance files: NAME.tgz.prov, a clear-signed text with the archive's SHA-256. */
#pragma once
#include "helm/chart/openpgp.h"

struct verification {
    const struct pgp_key *by; /* a primary key */
    const char *hash;         /* "sha256:…" */
};
/* Checks an archive against its provenance file, with the public keys of `keyring` ("": GnuPG's old default file). */
MUST_CHECK struct error *provenance_verify(struct arena *a, const char *chart_path, const char *keyring, struct verification *out);

/* Asks for the passphrase of a locked key, whose user ID is `name`; it must live until the signing is done. */
typedef struct error *(*provenance_passphrase)(void *arg, const char *name, const char **out);
/* Writes the provenance file of an archive, signed with the secret key of `keyring` that `id` names. */
MUST_CHECK struct error *provenance_sign(struct arena *a, const char *chart_path, const char *keyring, const char *id, provenance_passphrase ask, void *arg);
