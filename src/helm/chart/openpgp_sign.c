/* Signing with OpenPGP: the secret half of an RSA key (RFC 4880, 5.5.3), which a passphrase may lock (3.7), and clear-signed texts (7). */
#include "base/str.h"
#include "helm/chart/openpgp.h"
#include "helm/chart/openpgp_packet.h"
#include "helm/go/strconv.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define REPEATED 8192 /* bytes of salt and passphrase that are hashed at once */

enum { SHA_512 = 10, TEXT_SIGNATURE = 1, MAX_SECRET = 8192, LINE = 64 };

/* ---- whose key ---- */

struct error *pgp_find_signer(const struct pgp_keyring *ring, const char *id, const struct pgp_key **out) {
    size_t vague = 0;
    *out = NULL;
    for (size_t i = 0; i < ring->count; i++) {
        const struct pgp_key *k = ring->keys[i];
        for (size_t j = 0; j < k->name_count; j++) {
            if (str_eq(k->names[j], id)) return *out = k, NULL;
            if (strstr(k->names[j], id) == NULL) continue;
            vague++;
            *out = k;
        }
    }
    cleanup_buf struct buf shown = {0};
    go_quote(&shown, id, strlen(id));
    if (vague > 1) return error_new("more than one key contain the id %s", buf_str(&shown));
    if (*out == NULL) return error_new("private key not found");
    if ((*out)->secret == NULL) return error_new("provided key is not a private key. Try providing a keyring with secret keys");
    return NULL;
}

bool pgp_is_locked(const struct pgp_key *k) { return k->secret_len > 0 && k->secret[0] != 0; }

/* ---- unlocking ---- */

static const struct {
    uint8_t id, key_len;
    const EVP_CIPHER *(*cipher)(void);
} ciphers[] = {{2, 24, EVP_des_ede3_cfb64}, {7, 16, EVP_aes_128_cfb128}, {8, 24, EVP_aes_192_cfb128}, {9, 32, EVP_aes_256_cfb128}};

static const struct {
    uint8_t id;
    const EVP_MD *(*hash)(void);
} hashes[] = {{2, EVP_sha1}, {8, EVP_sha256}, {9, EVP_sha384}, {10, EVP_sha512}, {11, EVP_sha224}};

/* How a passphrase becomes a key. */
struct s2k {
    const EVP_MD *hash;
    const uint8_t *salt; /* 8 bytes; NULL: none */
    size_t count;        /* bytes to hash, at least salt and passphrase once */
};

static bool read_s2k(struct pgp_reader *r, struct s2k *out) {
    uint32_t mode = pgp_number(r, 1), id = pgp_number(r, 1);
    *out = (struct s2k){0};
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (hashes[i].id == id) out->hash = hashes[i].hash();
    if (mode == 1 || mode == 3) out->salt = pgp_take(r, 8);
    if (mode == 3) {
        uint32_t c = pgp_number(r, 1);
        out->count = (size_t)(16 + (c & 15)) << ((c >> 4) + 6);
    }
    return (mode == 0 || mode == 1 || mode == 3) && out->hash != NULL && !r->bad;
}

/* Salt and passphrase again and again, until `count` bytes are hashed: up to 65 MB, so many repetitions are hashed at once. */
static void hash_passphrase(const struct s2k *s, size_t zeros, const char *passphrase, uint8_t out[EVP_MAX_MD_SIZE]) {
    size_t salt = s->salt != NULL ? 8 : 0, unit = salt + strlen(passphrase), left = MAX(s->count, unit);
    size_t size = unit == 0 ? 0 : unit * MAX(1, REPEATED / unit);
    cleanup_free uint8_t *block = xmalloc(size + 1);
    for (size_t at = 0; at < size; at += unit) {
        if (salt > 0) memcpy(block + at, s->salt, salt);
        memcpy(block + at + salt, passphrase, unit - salt);
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_DigestInit_ex(c, s->hash, NULL);
    for (; zeros > 0; zeros--) EVP_DigestUpdate(c, "", 1);
    for (size_t part; size > 0 && left > 0; left -= part) {
        part = MIN(left, size);
        EVP_DigestUpdate(c, block, part);
    }
    EVP_DigestFinal_ex(c, out, NULL);
    EVP_MD_CTX_free(c);
    OPENSSL_cleanse(block, size);
}

static void make_key(const struct s2k *s, const char *passphrase, uint8_t *key, size_t len) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size = (size_t)EVP_MD_get_size(s->hash);
    for (size_t done = 0, round = 0; done < len; done += size, round++) {
        hash_passphrase(s, round, passphrase, digest);
        memcpy(key + done, digest, MIN(size, len - done));
    }
    OPENSSL_cleanse(digest, sizeof(digest));
}

static bool decrypt(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv, const struct pgp_reader *in, uint8_t *out) {
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok = EVP_DecryptInit_ex(c, cipher, NULL, key, iv) == 1 && EVP_DecryptUpdate(c, out, &len, in->p, (int)(in->end - in->p)) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

/* Are the last bytes what they should be: SHA-1 of the rest, or (unless `sha1`) the sum of its bytes? */
static bool checksum_holds(const uint8_t *data, size_t len, bool sha1) {
    uint8_t digest[20];
    if (len < (sha1 ? sizeof(digest) : 2)) return false;
    if (sha1) return EVP_Digest(data, len - 20, digest, NULL, EVP_sha1(), NULL) == 1 && CRYPTO_memcmp(digest, data + len - 20, 20) == 0;
    uint16_t sum = 0;
    for (size_t i = 0; i < len - 2; i++) sum = (uint16_t)(sum + data[i]);
    return data[len - 2] == sum >> 8 && data[len - 1] == (sum & 0xff);
}

/* The secret numbers as they stand in the packet, with their checksum, in plain: *len bytes of `out`. */
static struct error *unlock(const struct pgp_key *k, const char *passphrase, uint8_t out[MAX_SECRET], size_t *len) {
    struct pgp_reader r = {k->secret, k->secret + k->secret_len, false};
    uint32_t usage = pgp_number(&r, 1), id;
    if (k->secret_len > MAX_SECRET) return error_new("openpgp: invalid data: private key too large");
    if (usage == 0) {
        *len = (size_t)(r.end - r.p);
        memcpy(out, r.p, *len);
        return checksum_holds(out, *len, false) ? NULL : error_new("openpgp: invalid data: private key checksum failure");
    }
    if (usage != 254 && usage != 255) return error_new("openpgp: unsupported feature: deprecated s2k function in private key");
    id = pgp_number(&r, 1);
    size_t i = 0;
    while (i < ARRAY_LEN(ciphers) && ciphers[i].id != id) i++;
    if (i == ARRAY_LEN(ciphers)) return error_new("openpgp: unsupported feature: unsupported cipher in private key: %u", id);
    struct s2k s;
    if (!read_s2k(&r, &s)) return error_new("openpgp: unsupported feature: S2K function");
    const uint8_t *iv = pgp_take(&r, (size_t)EVP_CIPHER_get_iv_length(ciphers[i].cipher()));
    if (iv == NULL) return error_new("openpgp: invalid data: truncated private key data");
    uint8_t key[32];
    make_key(&s, passphrase, key, ciphers[i].key_len);
    *len = (size_t)(r.end - r.p);
    bool ok = decrypt(ciphers[i].cipher(), key, iv, &r, out) && checksum_holds(out, *len, usage == 254);
    OPENSSL_cleanse(key, sizeof(key));
    return ok ? NULL : error_new("openpgp: invalid data: private key checksum failure");
}

static struct error *secret_key(const struct pgp_key *k, const char *passphrase, EVP_PKEY **out) {
    uint8_t plain[MAX_SECRET];
    size_t len = 0, d_len;
    if (!pgp_is_rsa(k)) return error_new("only RSA keys sign");
    struct error *e = unlock(k, passphrase, plain, &len);
    struct pgp_reader r = {plain, plain + len, false};
    const uint8_t *d = e == NULL ? pgp_mpi(&r, &d_len) : NULL;
    *out = d != NULL ? pgp_rsa_key(k, d, d_len) : NULL;
    OPENSSL_cleanse(plain, sizeof(plain));
    if (e != NULL) return e;
    return *out != NULL ? NULL : error_new("openpgp: invalid data: private key data");
}

/* ---- signing ---- */

static void add_number(struct buf *b, uint32_t n, size_t bytes) {
    while (bytes > 0) buf_addc(b, (char)(n >> 8 * --bytes));
}

static void add_mpi(struct buf *b, const uint8_t *p, size_t len) {
    while (len > 0 && *p == 0) p++, len--;
    size_t bits = len * 8;
    for (uint8_t top = len > 0 ? *p : 0xff; !(top & 0x80); top = (uint8_t)(top << 1)) bits--;
    add_number(b, (uint32_t)bits, 2);
    buf_add(b, p, len);
}

/* What of the packet is signed: of a text, with SHA-512, then and by that key. */
static void add_hashed(struct buf *b, const struct pgp_key *k, int64_t now) {
    const uint8_t head[] = {4, TEXT_SIGNATURE, k->algorithm, SHA_512, 0, 16, 5, 2};
    buf_add(b, head, sizeof(head));
    add_number(b, (uint32_t)now, 4);
    buf_addc(b, 9);
    buf_addc(b, 16);
    buf_add(b, k->fingerprint + 12, 8);
}

static bool sign_digest(EVP_PKEY *key, const uint8_t *digest, uint8_t *out, size_t *len) {
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool ok = EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(c, EVP_sha512()) == 1 && EVP_PKEY_sign(c, out, len, digest, 64) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

/* The packet with the signature of `text`, which is as it is hashed. */
static struct error *add_signature(struct buf *out, const struct pgp_key *k, EVP_PKEY *key, const struct buf *text, int64_t now) {
    cleanup_buf struct buf hashed = {0}, all = {0}, body = {0};
    uint8_t digest[64], value[2048];
    size_t len = sizeof(value);
    add_hashed(&hashed, k, now);
    buf_add(&all, buf_str(text), text->len);
    buf_add(&all, buf_str(&hashed), hashed.len);
    buf_add(&all, "\x04\xff", 2);
    add_number(&all, (uint32_t)hashed.len, 4);
    bool ok = EVP_Digest(buf_str(&all), all.len, digest, NULL, EVP_sha512(), NULL) == 1 && sign_digest(key, digest, value, &len);
    if (!ok) return error_new("openpgp: the key cannot sign");
    buf_add(&body, buf_str(&hashed), hashed.len);
    add_number(&body, 0, 2); /* nothing that is not signed */
    buf_add(&body, digest, 2);
    add_mpi(&body, value, len);
    buf_addc(out, (char)0xc2);
    buf_addc(out, (char)0xff);
    add_number(out, (uint32_t)body.len, 4);
    buf_add(out, buf_str(&body), body.len);
    return NULL;
}

static uint32_t crc24(const struct buf *data) {
    uint32_t crc = 0xb704ce;
    for (size_t i = 0; i < data->len; i++) {
        crc ^= (uint32_t)(unsigned char)data->data[i] << 16;
        for (int bit = 0; bit < 8; bit++) crc = crc << 1 ^ (crc & 0x800000 ? 0x1864cfb : 0);
    }
    return crc & 0xffffff;
}

static void add_armor(struct buf *out, const struct buf *packet) {
    cleanup_buf struct buf text = {0}, sum = {0}, sum_text = {0};
    base64_encode(&text, packet->data, packet->len);
    add_number(&sum, crc24(packet), 3);
    base64_encode(&sum_text, sum.data, sum.len);
    buf_adds(out, "-----BEGIN PGP SIGNATURE-----\n\n");
    for (size_t i = 0; i < text.len; i += LINE) buf_printf(out, "%.*s\n", (int)MIN((size_t)LINE, text.len - i), text.data + i);
    buf_printf(out, "=%s\n-----END PGP SIGNATURE-----", buf_str(&sum_text));
}

struct error *pgp_clearsign(const struct pgp_key *k, const char *passphrase, const char *text, int64_t now, struct buf *out) {
    EVP_PKEY *key;
    TRY(secret_key(k, passphrase, &key));
    cleanup_buf struct buf hashed = {0}, packet = {0};
    buf_adds(out, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n");
    for (const char *line = text; *line != '\0';) {
        size_t n = strcspn(line, "\n"), trimmed = n;
        while (trimmed > 0 && strchr(" \t\r", line[trimmed - 1]) != NULL) trimmed--;
        if (line > text) buf_adds(&hashed, "\r\n");
        buf_add(&hashed, line, trimmed);
        if (*line == '-') buf_adds(out, "- ");
        buf_add(out, line, n);
        buf_addc(out, '\n');
        line += n + (line[n] == '\n');
    }
    struct error *e = add_signature(&packet, k, key, &hashed, now);
    EVP_PKEY_free(key);
    if (e == NULL) add_armor(out, &packet);
    return e;
}
