#include "store/encrypt.h"
#include "base/str.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "k8s:enc:aesgcm:v1:"
enum { KEY_SIZE = 32, NONCE_SIZE = 12, TAG_SIZE = 16, KEYS_MAX = 16, FILE_MAX = 16384 };

struct key {
    char *header; /* PREFIX NAME ":" */
    uint8_t bytes[KEY_SIZE];
};

struct encryption {
    struct key keys[KEYS_MAX];
    size_t count;
};

void encryption_free(struct encryption *e) {
    if (!e) return;
    for (size_t i = 0; i < e->count; i++) free(e->keys[i].header);
    OPENSSL_cleanse(e, sizeof(*e));
    free(e);
}

static struct error *make_file(const char *path) {
    uint8_t key[KEY_SIZE];
    random_bytes(key, sizeof(key));
    cleanup_buf struct buf text = {0};
    buf_adds(&text, "key1 ");
    base64_encode(&text, key, sizeof(key));
    buf_addc(&text, '\n');
    struct error *e = file_write_atomic(path, text.data, text.len, 0600);
    OPENSSL_cleanse(text.data, text.len);
    OPENSSL_cleanse(key, sizeof(key));
    return e;
}

static bool add_key(struct encryption *e, struct arena *a, char *line) {
    char *space = strchr(line, ' '), *bytes;
    size_t n;
    if (!space || e->count == KEYS_MAX || !base64_decode(a, space + 1, strlen(space + 1), &bytes, &n) ||
        n != KEY_SIZE) return false;
    struct key *k = &e->keys[e->count++];
    k->header = xprintf(PREFIX "%.*s:", (int)(space - line), line);
    memcpy(k->bytes, bytes, KEY_SIZE);
    return true;
}

static struct error *read_file(struct encryption *e, const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return error_sys(errno, "encryption keys %s", path);
    if (st.st_mode & 077) return error_new("encryption keys %s can be read by others: chmod 600 it", path);
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    TRY(file_read(path, FILE_MAX, &text));
    char **lines = str_split(&a, buf_str(&text), '\n', NULL);
    for (size_t i = 0; lines[i]; i++) {
        if (lines[i][0] && !add_key(e, &a,
                lines[i])) return error_new("encryption keys %s: line %zu is not \"NAME BASE64-OF-32-BYTES\"", path, i + 1);
    }
    return e->count > 0 ? NULL : error_new("encryption keys %s: there is none; restore the file from a backup", path);
}

struct error *encryption_open(const char *path, struct encryption **out) {
    if (access(path, F_OK) != 0 && errno == ENOENT) TRY(make_file(path));
    struct encryption *e = xcalloc(1, sizeof(*e));
    struct error *err = read_file(e, path);
    if (err) {
        encryption_free(e);
        return err;
    }
    *out = e;
    return NULL;
}

static void cleanup_cipher(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }

/* One pass in either direction; `tag` is written when encrypting, checked when decrypting. */
static bool cipher(bool encrypt, const struct key *k, const uint8_t *nonce, const char *aad, const uint8_t *in, size_t n,
                   uint8_t *out, uint8_t *tag) {
    __attribute__((cleanup(cleanup_cipher))) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len;
    if (!c || n > INT32_MAX || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes, nonce, encrypt) != 1) return false;
    if (!encrypt && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) != 1) return false;
    if (EVP_CipherUpdate(c, NULL, &len, (const uint8_t *)aad, (int)strlen(aad)) != 1) return false;
    if (EVP_CipherUpdate(c, out, &len, in, (int)n) != 1 || EVP_CipherFinal_ex(c, out + len, &len) != 1) return false;
    return !encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, tag) == 1;
}

struct error *encryption_encode(void *arg, const char *key, const void *p, size_t n, struct buf *out) {
    const struct encryption *e = arg;
    uint8_t nonce[NONCE_SIZE], tag[TAG_SIZE];
    random_bytes(nonce, sizeof(nonce));
    buf_adds(out, e->keys[0].header);
    buf_add(out, nonce, sizeof(nonce));
    buf_reserve(out, n + sizeof(tag));
    if (!cipher(true, &e->keys[0], nonce, key, p, n, (uint8_t *)out->data + out->len,
                tag)) return error_new("cannot encrypt %s", key);
    out->len += n;
    buf_add(out, tag, sizeof(tag));
    return NULL;
}

struct error *encryption_decode(void *arg, const char *key, const void *p, size_t n, struct buf *out) {
    const struct encryption *e = arg;
    if (n < strlen(PREFIX) || memcmp(p, PREFIX, strlen(PREFIX)) != 0) {
        buf_add(out, p, n);
        return NULL;
    }
    for (size_t i = 0; i < e->count; i++) {
        size_t header = strlen(e->keys[i].header);
        if (n < header + NONCE_SIZE + TAG_SIZE || memcmp(p, e->keys[i].header, header) != 0) continue;
        const uint8_t *nonce = (const uint8_t *)p + header, *text = nonce + NONCE_SIZE;
        size_t len = n - header - NONCE_SIZE - TAG_SIZE;
        uint8_t tag[TAG_SIZE];
        memcpy(tag, text + len, TAG_SIZE);
        buf_reserve(out, len + 1);
        if (!cipher(false, &e->keys[i], nonce, key, text, len, (uint8_t *)out->data + out->len, tag))
            return error_new("%s cannot be decrypted: it was changed, or moved, on disk", key);
        out->len += len;
        out->data[out->len] = 0;
        return NULL;
    }
    return error_new("%s cannot be decrypted: its key is not in the key file; restore that file from a backup", key);
}
