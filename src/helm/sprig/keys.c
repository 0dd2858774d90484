/* Private keys: made, written and read as sprig does. */
#include "helm/sprig/crypto.h"
#include <openssl/bio.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct error *crypto_error(const char *what) {
    char text[200];
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return error_new("%s: %s", what, text);
}

void pem_encode(struct buf *out, const char *type, const void *der, size_t n) {
    cleanup_buf struct buf text = {0};
    base64_encode(&text, der, n);
    buf_printf(out, "-----BEGIN %s-----\n", type);
    for (size_t i = 0; i < text.len; i += 64) {
        buf_add(out, text.data + i, MIN((size_t)64, text.len - i));
        buf_addc(out, '\n');
    }
    buf_printf(out, "-----END %s-----\n", type);
}

bool pem_decode(struct go_run *run, struct value text, const char **type, const unsigned char **der, size_t *n) {
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    BIO *bio = BIO_new_mem_buf(text.s, (int)text.len);
    bool found = PEM_read_bio(bio, &name, &header, &data, &len) == 1;
    if (found) {
        *type = arena_strdup(run->arena, name);
        *der = arena_dup(run->arena, data, (size_t)len);
        *n = (size_t)len;
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(bio);
    ERR_clear_error();
    return found;
}

/* Domain parameters of 2048 and 256 bits come first. */
static EVP_PKEY *generate_dsa(void) {
    EVP_PKEY *parameters = NULL, *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    bool made = EVP_PKEY_paramgen_init(ctx) > 0 && EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 2048) > 0 &&
                EVP_PKEY_CTX_set_dsa_paramgen_q_bits(ctx, 256) > 0 && EVP_PKEY_paramgen(ctx, &parameters) > 0;
    EVP_PKEY_CTX_free(ctx);
    if (!made) return NULL;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
    if (EVP_PKEY_keygen_init(ctx) > 0) EVP_PKEY_keygen(ctx, &key);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(parameters);
    return key;
}

struct error *key_generate(const char *kind, unsigned bits, EVP_PKEY **out) {
    if (str_eq(kind, "rsa")) *out = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    else if (str_eq(kind, "ecdsa")) *out = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    else if (str_eq(kind, "ed25519")) *out = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else *out = generate_dsa();
    return *out ? NULL : crypto_error("key generation");
}

struct value key_to_pem(struct go_run *run, EVP_PKEY *key) {
    cleanup_buf struct buf b = {0};
    unsigned char *der = NULL;
    int id = EVP_PKEY_get_base_id(key), n = 0;
    const char *type = id == EVP_PKEY_RSA ? "RSA PRIVATE KEY" : id == EVP_PKEY_DSA ? "DSA PRIVATE KEY" : id == EVP_PKEY_EC ? "EC PRIVATE KEY" : "PRIVATE KEY";
    if (strcmp(type, "PRIVATE KEY") == 0) {
        PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
        n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
        PKCS8_PRIV_KEY_INFO_free(info);
    } else n = i2d_PrivateKey(key, &der);
    pem_encode(&b, type, der, n > 0 ? (size_t)n : 0);
    OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
    return value_take_buf(run->arena, &b);
}

static const struct {
    const char *type, *failure;
    int id;
} key_types[] = {
    {"RSA PRIVATE KEY", "parsing RSA private key from PEM", EVP_PKEY_RSA},
    {"EC PRIVATE KEY", "parsing EC private key from PEM", EVP_PKEY_EC},
    {"DSA PRIVATE KEY", "parsing DSA private key from PEM", EVP_PKEY_DSA},
};

struct error *key_from_pem(struct go_run *run, struct value pem, EVP_PKEY **out) {
    const char *type;
    const unsigned char *der;
    size_t n;
    if (!pem_decode(run, pem, &type, &der, &n)) return error_new("no PEM data in input");
    if (str_eq(type, "PRIVATE KEY")) {
        PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, (long)n);
        *out = info ? EVP_PKCS82PKEY(info) : NULL;
        PKCS8_PRIV_KEY_INFO_free(info);
        return *out ? NULL : crypto_error("decoding PEM as PKCS#8");
    }
    if (!str_ends(type, " PRIVATE KEY")) return error_new("no private key data in PEM block of type %s", type);
    for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
        if (!str_eq(type, key_types[i].type)) continue;
        *out = d2i_PrivateKey(key_types[i].id, NULL, &der, (long)n);
        return *out ? NULL : crypto_error(key_types[i].failure);
    }
    return error_new("invalid private key type %.*s", (int)(strlen(type) - strlen(" PRIVATE KEY")), type);
}
