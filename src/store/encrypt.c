#include "store/encrypt.h"
#include "base/seal.h"
#include "base/str.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "k8s:enc:aesgcm:v1:"
enum { KEYS_MAX = 16, FILE_MAX = 16384 };

struct key {
    char *header; /* PREFIX NAME ":" */
    uint8_t bytes[SEAL_KEY];
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
    uint8_t key[SEAL_KEY];
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
        n != SEAL_KEY) return false;
    struct key *k = &e->keys[e->count++];
    k->header = xprintf(PREFIX "%.*s:", (int)(space - line), line);
    memcpy(k->bytes, bytes, SEAL_KEY);
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

struct error *encryption_encode(void *arg, const char *key, const void *p, size_t n, struct buf *out) {
    const struct encryption *e = arg;
    buf_adds(out, e->keys[0].header);
    return seal_add(e->keys[0].bytes, key, p, n, out) ? NULL : error_new("cannot encrypt %s", key);
}

struct error *encryption_decode(void *arg, const char *key, const void *p, size_t n, struct buf *out) {
    const struct encryption *e = arg;
    if (n < strlen(PREFIX) || memcmp(p, PREFIX, strlen(PREFIX)) != 0) {
        buf_add(out, p, n);
        return NULL;
    }
    for (size_t i = 0; i < e->count; i++) {
        size_t header = strlen(e->keys[i].header);
        if (n < header + SEAL_OVERHEAD || memcmp(p, e->keys[i].header, header) != 0) continue;
        if (seal_open(e->keys[i].bytes, key, (const char *)p + header, n - header, out)) return NULL;
        return error_new("%s cannot be decrypted: it was changed, or moved, on disk", key);
    }
    return error_new("%s cannot be decrypted: its key is not in the key file; restore that file from a backup", key);
}
