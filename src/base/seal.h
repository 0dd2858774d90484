/* Authenticated encryption: AES-256-GCM with a random nonce. The sealed form is nonce, ciphertext, tag. Any thread. */
#pragma once
#include "base/buf.h"

enum { SEAL_KEY = 32, SEAL_NONCE = 12, SEAL_OVERHEAD = 28 };

/* `bound` is authenticated but not contained: the same text must be given to open it. False: the cipher is not to be had. */
MUST_CHECK bool seal_add(const uint8_t key[SEAL_KEY], const char *bound, const void *p, size_t n, struct buf *out);
/* False: not sealed with that key and text, or changed since. Then `out` is as before. */
MUST_CHECK bool seal_open(const uint8_t key[SEAL_KEY], const char *bound, const void *p, size_t n, struct buf *out);
