#include "base/seal.h"
#include "base/str.h"
#include <openssl/evp.h>

enum { TAG = SEAL_OVERHEAD - SEAL_NONCE };

static void cleanup_cipher(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }

/* One pass in either direction; `tag` is written when encrypting, checked when decrypting. */
static bool cipher(bool encrypt, const uint8_t *key, const uint8_t *nonce, const char *bound, const uint8_t *in, size_t n, uint8_t *out, uint8_t *tag) {
    __attribute__((cleanup(cleanup_cipher))) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len;
    if (!c || n > INT32_MAX || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) != 1) return false;
    if (!encrypt && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1) return false;
    if (EVP_CipherUpdate(c, NULL, &len, (const uint8_t *)bound, (int)strlen(bound)) != 1) return false;
    if (EVP_CipherUpdate(c, out, &len, in, (int)n) != 1 || EVP_CipherFinal_ex(c, out + len, &len) != 1) return false;
    return !encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;
}

bool seal_add(const uint8_t key[SEAL_KEY], const char *bound, const void *p, size_t n, struct buf *out) {
    uint8_t nonce[SEAL_NONCE], tag[TAG];
    random_bytes(nonce, sizeof(nonce));
    buf_reserve(out, sizeof(nonce) + n + sizeof(tag));
    if (!cipher(true, key, nonce, bound, p, n, (uint8_t *)out->data + out->len + sizeof(nonce), tag)) return false;
    memcpy(out->data + out->len, nonce, sizeof(nonce));
    out->len += sizeof(nonce) + n;
    buf_add(out, tag, sizeof(tag));
    return true;
}

bool seal_open(const uint8_t key[SEAL_KEY], const char *bound, const void *p, size_t n, struct buf *out) {
    if (n < SEAL_OVERHEAD) return false;
    const uint8_t *nonce = p, *text = nonce + SEAL_NONCE;
    size_t len = n - SEAL_OVERHEAD;
    uint8_t tag[TAG];
    memcpy(tag, text + len, TAG);
    buf_reserve(out, len + 1);
    if (!cipher(false, key, nonce, bound, text, len, (uint8_t *)out->data + out->len, tag)) return false;
    out->len += len;
    out->data[out->len] = '\0';
    return true;
}
