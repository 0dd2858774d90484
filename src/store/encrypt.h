/* Encryption at rest: AES-256-GCM, the full key of the entry as authenticated data, so that values cannot be swapped.
 * The stored form is that of Kubernetes' aesgcm provider: "k8s:enc:aesgcm:v1:NAME:" nonce ciphertext tag.
 *
 * The key file (0600) has one key per line, "NAME BASE64"; the first encrypts, all decrypt. Values that were stored
 * before encryption was switched on are read as they are. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

struct encryption;
/* Makes the file with a fresh key if there is none. Refuses a file that others may read. */
MUST_CHECK struct error *encryption_open(const char *path, struct encryption **out);
void encryption_free(struct encryption *e);
/* For struct store_transform; `arg` is the encryption. Any thread. */
MUST_CHECK struct error *encryption_encode(void *arg, const char *key, const void *p, size_t n, struct buf *out);
MUST_CHECK struct error *encryption_decode(void *arg, const char *key, const void *p, size_t n, struct buf *out);
