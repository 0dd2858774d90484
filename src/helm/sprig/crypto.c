/* Hashes, passwords, AES. */
#include "helm/sprig/crypto.h"
#include <crypt.h>
#include <openssl/hmac.h>
#include <zlib.h>

static struct error *digest(struct go_run *run, struct value s, const EVP_MD *md, struct value *out) {
    cleanup_buf struct buf b = {0};
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n;
    if (!EVP_Digest(s.s, s.len, hash, &n, md, NULL)) return crypto_error("hash");
    hex_encode(&b, hash, n);
    return sprig_give(run, &b, out);
}

SPRIG(sha1_sum) { return digest(run, args[0], EVP_sha1(), out); }
SPRIG(sha256_sum) { return digest(run, args[0], EVP_sha256(), out); }
SPRIG(sha512_sum) { return digest(run, args[0], EVP_sha512(), out); }

SPRIG(adler32_sum) {
    *out = value_strf(run->arena, "%lu", adler32(1, (const unsigned char *)args[0].s, args[0].len));
    return NULL;
}

/* ---- bcrypt ---- */

/* Cost 10 and sixteen random bytes in bcrypt's own base64. */
static void make_setting(char out[30]) {
    static const char alphabet[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char salt[17] = {0};
    random_bytes(salt, 16);
    memcpy(out, "$2a$10$", 7);
    for (size_t i = 0; i < 22; i++) {
        size_t bit = 6 * i;
        unsigned pair = (unsigned)salt[bit / 8] << 8 | salt[bit / 8 + 1];
        out[7 + i] = alphabet[pair >> (10 - bit % 8) & 63];
    }
    out[29] = '\0';
}

static struct value hash_password(struct go_run *run, struct value password) {
    char setting[30];
    struct crypt_data *data = arena_calloc(run->arena, 1, sizeof(*data));
    if (password.len > 72) return value_literal("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
    make_setting(setting);
    const char *hash = crypt_rn(value_cstr(run->arena, password), setting, data, sizeof(*data));
    bool good = hash != NULL && *hash == '$';
    return good ? value_strdup(run->arena, hash, strlen(hash)) : value_literal("failed to encrypt string with bcrypt: not supported by this system's libcrypt");
}

SPRIG(bcrypt_hash) {
    *out = hash_password(run, args[0]);
    return NULL;
}

SPRIG(htpasswd) {
    if (memchr(args[0].s, ':', args[0].len)) {
        *out = value_strf(run->arena, "invalid username: %.*s", (int)args[0].len, args[0].s);
        return NULL;
    }
    struct value hash = hash_password(run, args[1]);
    *out = value_strf(run->arena, "%.*s:%.*s", (int)args[0].len, args[0].s, (int)hash.len, hash.s);
    return NULL;
}

/* ---- derived passwords (the Master Password algorithm) ---- */

static const struct {
    const char *name, *templates; /* separated by spaces */
} password_types[] = {
    {"maximum", "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno"},
    {"long", "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv CvcvCvccnoCvcv CvcvCvccCvcvno "
             "CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno "
             "CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno"},
    {"medium", "CvcnoCvc CvcCvcno"},
    {"short", "Cvcn"},
    {"basic", "aaanaaan aannaaan aaannaaa"},
    {"pin", "nnnn"},
};

static const char *characters_of(char c) {
    switch (c) {
    case 'V': return "AEIOU";
    case 'C': return "BCDFGHJKLMNPQRSTVWXYZ";
    case 'v': return "aeiou";
    case 'c': return "bcdfghjklmnpqrstvwxyz";
    case 'a': return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    case 'n': return "0123456789";
    case 'o': return "@&%?,=[]_:-+*$#!'^~;()/.";
    default: return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";
    }
}

static void add_number(struct buf *b, uint64_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) buf_addc(b, (char)(v >> shift));
}

static void add_salt(struct buf *b, struct value s) {
    buf_adds(b, "com.lyndir.masterpassword");
    add_number(b, s.len);
    buf_add(b, s.s, s.len);
}

/* counter, type, password, user, site */
SPRIG(derive_password) {
    cleanup_buf struct buf salt = {0}, site = {0}, b = {0};
    unsigned char key[64], seed[32];
    size_t type = 0;
    while (type < ARRAY_LEN(password_types) && !value_str_eq(args[1], password_types[type].name)) type++;
    if (type == ARRAY_LEN(password_types)) {
        *out = value_strf(run->arena, "cannot find password template %.*s", (int)args[1].len, args[1].s);
        return NULL;
    }
    add_salt(&salt, args[3]);
    if (!EVP_PBE_scrypt(args[2].s, args[2].len, (unsigned char *)salt.data, salt.len, 32768, 8, 2, 128 << 20, key, sizeof(key)))
        return crypto_error("failed to derive password");
    add_salt(&site, args[4]);
    add_number(&site, args[0].u);
    HMAC(EVP_sha256(), key, sizeof(key), (unsigned char *)site.data, site.len, seed, NULL);
    size_t count_templates;
    char **templates = str_split(run->arena, password_types[type].templates, ' ', &count_templates);
    const char *chosen = templates[seed[0] % count_templates];
    for (size_t i = 0; chosen[i]; i++) {
        const char *characters = characters_of(chosen[i]);
        buf_addc(&b, characters[seed[i + 1] % strlen(characters)]);
    }
    return sprig_give(run, &b, out);
}

/* ---- AES-256-CBC, the vector first, padded as PKCS #7 says ---- */

enum { BLOCK = 16, KEY = 32 };

static bool aes(bool encrypt, const unsigned char *key, const unsigned char *iv, const unsigned char *in, size_t n, unsigned char *out) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len;
    bool done = EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) && EVP_CIPHER_CTX_set_padding(ctx, 0) && EVP_CipherUpdate(ctx, out, &len, in, (int)n);
    EVP_CIPHER_CTX_free(ctx);
    return done;
}

SPRIG(encrypt_aes) {
    unsigned char key[KEY] = {0};
    cleanup_buf struct buf b = {0};
    *out = value_literal("");
    if (args[1].len == 0) return NULL;
    memcpy(key, args[0].s, MIN((size_t)KEY, (size_t)args[0].len));
    size_t pad = BLOCK - args[1].len % BLOCK, n = args[1].len + pad;
    unsigned char *plain = arena_alloc(run->arena, n), *sealed = arena_alloc(run->arena, BLOCK + n);
    memcpy(plain, args[1].s, args[1].len);
    memset(plain + args[1].len, (int)pad, pad);
    random_bytes(sealed, BLOCK);
    if (!aes(true, key, sealed, plain, n, sealed + BLOCK)) return crypto_error("AES");
    base64_encode(&b, sealed, BLOCK + n);
    return sprig_give(run, &b, out);
}

SPRIG(decrypt_aes) {
    unsigned char key[KEY] = {0};
    char *sealed;
    size_t n;
    *out = value_literal("");
    if (args[1].len == 0) return NULL;
    memcpy(key, args[0].s, MIN((size_t)KEY, (size_t)args[0].len));
    if (!base64_decode(run->arena, args[1].s, args[1].len, &sealed, &n)) {
        struct value text;
        TRY(sprig_decode64(run, args[1], &text));
        return error_new("%s", value_cstr(run->arena, text));
    }
    if (n < BLOCK) return error_new("runtime error: slice bounds out of range [:16] with capacity %zu", n);
    if (n % BLOCK != 0) return error_new("crypto/cipher: input not full blocks");
    if (n == BLOCK) return error_new("runtime error: index out of range [-1]");
    unsigned char *plain = arena_alloc(run->arena, n), *iv = (unsigned char *)sealed;
    if (!aes(false, key, iv, iv + BLOCK, n - BLOCK, plain)) return crypto_error("AES");
    int64_t end = (int64_t)(n - BLOCK) - plain[n - BLOCK - 1];
    if (end < 0) return error_new("runtime error: slice bounds out of range [:%lld]", (long long)end);
    *out = value_str((char *)plain, (size_t)end);
    return NULL;
}

SPRIG(gen_private_key) {
    static const char *const kinds[] = {"rsa", "dsa", "ecdsa", "ed25519", NULL};
    cleanup_key EVP_PKEY *key = NULL;
    const char *kind = args[0].len ? value_cstr(run->arena, args[0]) : "rsa";
    if (!str_in(kind, kinds)) {
        *out = value_strf(run->arena, "Unknown type %s", kind);
        return NULL;
    }
    struct error *e = key_generate(kind, 4096, &key);
    if (e != NULL) return error_wrap(e, "failed to generate private key");
    *out = key_to_pem(run, key);
    return NULL;
}

const struct go_func sprig_crypto[] = {
    GO_FUNC("sha1sum", sha1_sum, &go_string, &go_string),
    GO_FUNC("sha256sum", sha256_sum, &go_string, &go_string),
    GO_FUNC("sha512sum", sha512_sum, &go_string, &go_string),
    GO_FUNC("adler32sum", adler32_sum, &go_string, &go_string),
    GO_FUNC("bcrypt", bcrypt_hash, &go_string, &go_string),
    GO_FUNC("htpasswd", htpasswd, &go_string, &go_string, &go_string),
    GO_FUNC("derivePassword", derive_password, &go_string, &go_uint32, &go_string, &go_string, &go_string, &go_string),
    GO_FUNC("encryptAES", encrypt_aes, &go_string, &go_string, &go_string),
    GO_FUNC("decryptAES", decrypt_aes, &go_string, &go_string, &go_string),
    GO_FUNC("genPrivateKey", gen_private_key, &go_string, &go_string),
    GO_FUNCS_END,
};
