/* OpenPGP: see openpgp.h. */
#include "helm/chart/openpgp.h"
#include "base/str.h"
#include "helm/chart/openpgp_packet.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

enum { TAG_SIGNATURE = 2, TAG_SECRET_KEY = 5, TAG_PUBLIC_KEY = 6, TAG_SECRET_SUBKEY = 7, TAG_USER_ID = 13, TAG_PUBLIC_SUBKEY = 14 };
enum { RSA_ANY = 1, RSA_SIGN = 3, EDDSA = 22 };

const uint8_t *pgp_take(struct pgp_reader *r, size_t n) {
    if (n > (size_t)(r->end - r->p)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    r->p += n;
    return r->p - n;
}

uint32_t pgp_number(struct pgp_reader *r, size_t bytes) {
    uint32_t n = 0;
    const uint8_t *p = pgp_take(r, bytes);
    for (size_t i = 0; p != NULL && i < bytes; i++) n = n << 8 | p[i];
    return n;
}

const uint8_t *pgp_mpi(struct pgp_reader *r, size_t *len) {
    *len = (pgp_number(r, 2) + 7) / 8;
    return pgp_take(r, *len);
}

/* The next packet's body. Partial lengths do not occur in keys and signatures. */
static bool next_packet(struct pgp_reader *r, unsigned *tag, struct pgp_reader *body) {
    if (r->p == r->end) return false;
    uint32_t head = pgp_number(r, 1), len;
    if (!(head & 0x80)) return false;
    if (head & 0x40) {
        *tag = head & 0x3f;
        len = pgp_number(r, 1);
        if (len >= 192 && len < 224) len = ((len - 192) << 8) + pgp_number(r, 1) + 192;
        else if (len == 255) len = pgp_number(r, 4);
        else if (len >= 224) return false;
    } else {
        *tag = head >> 2 & 0xf;
        if ((head & 3) == 3) len = (uint32_t)(r->end - r->p);
        else len = pgp_number(r, (size_t)1 << (head & 3));
    }
    const uint8_t *p = pgp_take(r, len);
    if (p == NULL) return false;
    *body = (struct pgp_reader){p, p + len, false};
    return true;
}

/* ---- armor ---- */

/* The bytes of the first armored block at or behind `text`; NULL if there is none. */
static const uint8_t *dearmor(struct arena *a, const char *text, size_t *len) {
    const char *start = strstr(text, "-----BEGIN PGP "), *body;
    if (start == NULL || (start = strchr(start, '\n')) == NULL) return NULL;
    body = start;
    for (const char *line = start + 1; *line != '\0';) { /* headers up to an empty line */
        size_t n = strcspn(line, "\r\n");
        body = line;
        line += n + strspn(line + n, "\r");
        if (*line == '\n') line++;
        if (n == 0) {
            body = line;
            break;
        }
    }
    const char *end = strstr(body, "-----END PGP ");
    if (end == NULL) return NULL;
    cleanup_buf struct buf base64 = {0};
    for (const char *p = body; p < end; p++) {
        if (*p == '=' && (p == body || p[-1] == '\n')) break; /* the checksum */
        if (*p != '\r' && *p != '\n' && *p != ' ') buf_addc(&base64, *p);
    }
    char *out;
    return base64_decode(a, buf_str(&base64), base64.len, &out, len) ? (const uint8_t *)out : NULL;
}

/* ---- keys ---- */

bool pgp_is_rsa(const struct pgp_key *k) { return k->algorithm >= RSA_ANY && k->algorithm <= RSA_SIGN; }

/* false: a key of a kind that is not known here. */
static bool read_key(struct arena *a, struct pgp_reader body, bool secret, struct pgp_key *key) {
    const uint8_t *start = body.p;
    if (pgp_number(&body, 1) != 4) return false;
    pgp_take(&body, 4);
    key->algorithm = (uint8_t)pgp_number(&body, 1);
    if (pgp_is_rsa(key)) {
        key->n = pgp_mpi(&body, &key->n_len);
        key->e = pgp_mpi(&body, &key->e_len);
    } else if (key->algorithm == EDDSA) {
        pgp_take(&body, pgp_number(&body, 1)); /* the curve's identifier: only Ed25519 has points of this length */
        key->n = pgp_mpi(&body, &key->n_len);
        if (key->n_len != 33 || key->n == NULL || key->n[0] != 0x40) return false;
    } else {
        return false;
    }
    if (body.bad) return false;
    if (secret) {
        key->secret = body.p;
        key->secret_len = (size_t)(body.end - body.p);
    }
    size_t len = (size_t)(body.p - start);
    uint8_t *hashed = arena_alloc(a, len + 3);
    hashed[0] = 0x99;
    hashed[1] = (uint8_t)(len >> 8);
    hashed[2] = (uint8_t)len;
    memcpy(hashed + 3, start, len);
    return EVP_Digest(hashed, len + 3, key->fingerprint, NULL, EVP_sha1(), NULL) == 1;
}

static void add_key(struct arena *a, struct pgp_keyring *ring, struct pgp_key *key) {
    ring->keys = arena_grow(a, ring->keys, ring->count * sizeof(key), (ring->count + 1) * sizeof(key));
    ring->keys[ring->count++] = key;
}

struct error *pgp_read_keyring(struct arena *a, const uint8_t *data, size_t len, struct pgp_keyring *out) {
    struct pgp_reader r = {data, data + len, false}, body;
    struct pgp_key *primary = NULL;
    unsigned tag;
    *out = (struct pgp_keyring){0};
    while (next_packet(&r, &tag, &body)) {
        bool is_primary = tag == TAG_PUBLIC_KEY || tag == TAG_SECRET_KEY;
        if (is_primary || tag == TAG_PUBLIC_SUBKEY || tag == TAG_SECRET_SUBKEY) {
            struct pgp_key *key = ARENA_NEW(a, struct pgp_key);
            if (is_primary) primary = key;
            key->primary = primary;
            bool secret = tag == TAG_SECRET_KEY || tag == TAG_SECRET_SUBKEY;
            if (read_key(a, body, secret, key) && primary != NULL) add_key(a, out, key);
        } else if (tag == TAG_USER_ID && primary != NULL) {
            size_t n = primary->name_count++;
            primary->names = arena_grow(a, primary->names, n * sizeof(char *), (n + 1) * sizeof(char *));
            primary->names[n] = arena_strndup(a, (const char *)body.p, (size_t)(body.end - body.p));
        }
    }
    return r.p == r.end ? NULL : error_new("openpgp: invalid data: tag byte does not have MSB set");
}

/* ---- clear-signed texts ---- */

void pgp_message_free(struct pgp_message *m) {
    buf_free(&m->text);
    buf_free(&m->signed_text);
}

static void add_line(struct pgp_message *m, const char *line, size_t len, bool first) {
    if (len >= 2 && line[0] == '-' && line[1] == ' ') line += 2, len -= 2;
    while (len > 0 && line[len - 1] == '\r') len--;
    if (!first) buf_adds(&m->signed_text, "\r\n");
    size_t trimmed = len;
    while (trimmed > 0 && (line[trimmed - 1] == ' ' || line[trimmed - 1] == '\t')) trimmed--;
    buf_add(&m->signed_text, line, trimmed);
    buf_add(&m->text, line, len);
    buf_addc(&m->text, '\n');
}

struct error *pgp_read_clearsigned(struct arena *a, const char *text, size_t len, struct pgp_message *out) {
    static const char begin[] = "-----BEGIN PGP SIGNED MESSAGE-----", signature[] = "-----BEGIN PGP SIGNATURE-----";
    *out = (struct pgp_message){0};
    const char *copy = arena_strndup(a, text, len), *p = strstr(copy, begin);
    if (p == NULL || (p = strchr(p, '\n')) == NULL) return error_new("signature block not found");
    for (p++; *p != '\0' && *p != '\n' && *p != '\r';) { /* headers */
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    p += *p == '\r';
    p += *p == '\n';
    for (bool first = true; !str_starts(p, signature); first = false) {
        size_t n = strcspn(p, "\n");
        if (p[n] == '\0') return error_new("signature block not found");
        add_line(out, p, n, first);
        p += n + 1;
    }
    out->signature = dearmor(a, p, &out->signature_len);
    return out->signature != NULL ? NULL : error_new("signature block not found");
}

/* ---- signatures ---- */

struct signature {
    const uint8_t *hashed; /* what of the packet is signed */
    size_t hashed_len;
    uint8_t algorithm, hash;
    uint8_t issuer[8];
    bool has_issuer;
    uint8_t digest_start[2];
    const uint8_t *r, *s; /* RSA: r alone */
    size_t r_len, s_len;
};

static void read_subpackets(struct pgp_reader r, struct signature *out) {
    while (r.p < r.end) {
        uint32_t len = pgp_number(&r, 1);
        if (len >= 192 && len < 255) len = ((len - 192) << 8) + pgp_number(&r, 1) + 192;
        else if (len == 255) len = pgp_number(&r, 4);
        const uint8_t *p = pgp_take(&r, len);
        if (p == NULL || len == 0) return;
        bool number_of_key = (p[0] & 0x7f) == 16 && len == 9, fingerprint = (p[0] & 0x7f) == 33 && len == 22;
        if (number_of_key || fingerprint) memcpy(out->issuer, p + len - 8, 8), out->has_issuer = true;
    }
}

static struct error *read_signature(const struct pgp_message *m, struct signature *out) {
    struct pgp_reader r = {m->signature, m->signature + m->signature_len, false}, body;
    unsigned tag;
    *out = (struct signature){0};
    if (!next_packet(&r, &tag, &body) || tag != TAG_SIGNATURE) return error_new("openpgp: invalid data: packet not a signature");
    const uint8_t *start = body.p;
    if (pgp_number(&body, 1) != 4) return error_new("openpgp: unsupported feature: signature packet version");
    uint32_t type = pgp_number(&body, 1);
    if (type > 1) return error_new("openpgp: invalid signature: signature of another kind of data");
    out->algorithm = (uint8_t)pgp_number(&body, 1);
    out->hash = (uint8_t)pgp_number(&body, 1);
    uint32_t len = pgp_number(&body, 2);
    const uint8_t *p = pgp_take(&body, len);
    if (p == NULL) return error_new("openpgp: invalid data: signature too short");
    out->hashed = start;
    out->hashed_len = (size_t)(body.p - start);
    read_subpackets((struct pgp_reader){p, p + len, false}, out);
    len = pgp_number(&body, 2);
    p = pgp_take(&body, len);
    if (p != NULL) read_subpackets((struct pgp_reader){p, p + len, false}, out);
    const uint8_t *start_of_digest = pgp_take(&body, 2);
    if (start_of_digest != NULL) memcpy(out->digest_start, start_of_digest, 2);
    out->r = pgp_mpi(&body, &out->r_len);
    if (out->algorithm == EDDSA) out->s = pgp_mpi(&body, &out->s_len);
    return body.bad ? error_new("openpgp: invalid data: signature too short") : NULL;
}

static const EVP_MD *hash_of(uint8_t id) {
    switch (id) {
    case 8: return EVP_sha256();
    case 9: return EVP_sha384();
    case 10: return EVP_sha512();
    case 11: return EVP_sha224();
    default: return NULL; /* MD5 and SHA-1 prove nothing */
    }
}

EVP_PKEY *pgp_rsa_key(const struct pgp_key *k, const uint8_t *d, size_t d_len) {
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(k->n, (int)k->n_len, NULL), *e = BN_bin2bn(k->e, (int)k->e_len, NULL), *exponent = d ? BN_bin2bn(d, (int)d_len, NULL) : NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
    if (exponent) OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_D, exponent);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (EVP_PKEY_fromdata_init(c) <= 0 || EVP_PKEY_fromdata(c, &key, d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) <= 0) key = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    BN_free(n);
    BN_free(e);
    BN_clear_free(exponent);
    return key;
}

static bool verify_rsa(const struct pgp_key *k, const struct signature *s, const uint8_t *digest, size_t len) {
    EVP_PKEY *key = pgp_rsa_key(k, NULL, 0);
    if (key == NULL) return false;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    size_t size = (size_t)EVP_PKEY_get_size(key);
    uint8_t padded[2048] = {0}; /* leading zeros are left out of the packet */
    bool ok = s->r_len <= size && size <= sizeof padded && EVP_PKEY_verify_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(c, hash_of(s->hash)) == 1;
    if (ok) memcpy(padded + size - s->r_len, s->r, s->r_len);
    ok = ok && EVP_PKEY_verify(c, padded, size, digest, len) == 1;
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(key);
    return ok;
}

static bool verify_ed25519(const struct pgp_key *k, const struct signature *s, const uint8_t *digest, size_t len) {
    uint8_t both[64] = {0};
    if (s->r_len > 32 || s->s_len > 32) return false;
    memcpy(both + 32 - s->r_len, s->r, s->r_len);
    memcpy(both + 64 - s->s_len, s->s, s->s_len);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->n + 1, 32);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = key != NULL && EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1 && EVP_DigestVerify(c, both, sizeof both, digest, len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    return ok;
}

static size_t digest_of(const struct pgp_message *m, const struct signature *s, uint8_t out[EVP_MAX_MD_SIZE]) {
    uint8_t trailer[6] = {4, 0xff, (uint8_t)(s->hashed_len >> 24), (uint8_t)(s->hashed_len >> 16), (uint8_t)(s->hashed_len >> 8), (uint8_t)s->hashed_len};
    unsigned len = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_DigestInit_ex(c, hash_of(s->hash), NULL);
    EVP_DigestUpdate(c, buf_str(&m->signed_text), m->signed_text.len);
    EVP_DigestUpdate(c, s->hashed, s->hashed_len);
    EVP_DigestUpdate(c, trailer, sizeof trailer);
    EVP_DigestFinal_ex(c, out, &len);
    EVP_MD_CTX_free(c);
    return len;
}

struct error *pgp_verify(const struct pgp_message *m, const struct pgp_keyring *ring, const struct pgp_key **by) {
    struct signature s;
    uint8_t digest[EVP_MAX_MD_SIZE];
    TRY(read_signature(m, &s));
    if (hash_of(s.hash) == NULL) return error_new("openpgp: unsupported feature: hash function");
    size_t len = digest_of(m, &s, digest);
    bool known = false;
    for (size_t i = 0; i < ring->count; i++) {
        const struct pgp_key *k = ring->keys[i];
        if (!s.has_issuer || memcmp(k->fingerprint + 12, s.issuer, 8) != 0) continue;
        known = true;
        if (memcmp(digest, s.digest_start, 2) != 0) return error_new("openpgp: invalid signature: hash tag doesn't match");
        bool rsa = k->algorithm <= RSA_SIGN && s.algorithm <= RSA_SIGN;
        if (rsa ? verify_rsa(k, &s, digest, len) : k->algorithm == s.algorithm && verify_ed25519(k, &s, digest, len)) return *by = k->primary, NULL;
    }
    return error_new(known ? "openpgp: invalid signature: RSA verification failure" : "openpgp: signature made by unknown entity");
}
