/* Provenance files: NAME.tgz.prov, a clear-signed text with the archive's SHA-256. */
#pragma once
#include "helm/chart/openpgp.h"

struct verification {
    const struct pgp_key *by; /* a primary key */
    const char *hash;         /* "sha256:…" */
};
/* Checks an archive against its provenance file, with the public keys of `keyring` ("": GnuPG's old default file). */
MUST_CHECK struct error *provenance_verify(struct arena *a, const char *chart_path, const char *keyring, struct verification *out);
