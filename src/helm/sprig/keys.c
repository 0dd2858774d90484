/* Private keys: made, written and read as sprig does. */
#include "helm/sprig/crypto.h"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
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

/* ---- RSA: two random primes. OpenSSL's own way proves more of them and takes several times as long for 4096 bits. ---- */

enum { EXPONENT = 65537 };
struct rsa {
    BN_CTX *ctx;
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qinv;
};

/* A prime of which e and p - 1 have no factor in common; its two highest bits are set. */
static bool make_prime(struct rsa *r, BIGNUM *p, int bits) {
    do
        if (!BN_generate_prime_ex2(p, bits, 0, NULL, NULL, NULL, r->ctx)) return false;
    while (BN_mod_word(p, EXPONENT) == 1);
    return true;
}

static bool make_numbers(struct rsa *r, int bits) {
    BN_set_word(r->e, EXPONENT);
    do
        if (!make_prime(r, r->p, bits / 2) || !make_prime(r, r->q, bits / 2)) return false;
    while (BN_cmp(r->p, r->q) == 0);
    if (BN_cmp(r->p, r->q) < 0) BN_swap(r->p, r->q);
    BIGNUM *p1 = BN_CTX_get(r->ctx), *q1 = BN_CTX_get(r->ctx), *phi = BN_CTX_get(r->ctx);
    if (phi == NULL) return false;
    return BN_sub(p1, r->p, BN_value_one()) && BN_sub(q1, r->q, BN_value_one()) && BN_mul(phi, p1, q1, r->ctx) && BN_mul(r->n, r->p, r->q, r->ctx) &&
           BN_mod_inverse(r->d, r->e, phi, r->ctx) != NULL && BN_mod(r->dp, r->d, p1, r->ctx) && BN_mod(r->dq, r->d, q1, r->ctx) &&
           BN_mod_inverse(r->qinv, r->q, r->p, r->ctx) != NULL;
}

static EVP_PKEY *key_of(const struct rsa *r) {
    const struct {
        const char *name;
        const BIGNUM *number;
    } numbers[] = {{OSSL_PKEY_PARAM_RSA_N, r->n},         {OSSL_PKEY_PARAM_RSA_E, r->e},          {OSSL_PKEY_PARAM_RSA_D, r->d},
                   {OSSL_PKEY_PARAM_RSA_FACTOR1, r->p},   {OSSL_PKEY_PARAM_RSA_FACTOR2, r->q},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, r->dp},
                   {OSSL_PKEY_PARAM_RSA_EXPONENT2, r->dq}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, r->qinv}};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) OSSL_PARAM_BLD_push_BN(builder, numbers[i].name, numbers[i].number);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (params != NULL && EVP_PKEY_fromdata_init(ctx) > 0) EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *generate_rsa(unsigned bits) {
    struct rsa r = {.ctx = BN_CTX_secure_new()};
    BIGNUM **all[] = {&r.n, &r.e, &r.d, &r.p, &r.q, &r.dp, &r.dq, &r.qinv};
    BN_CTX_start(r.ctx);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) *all[i] = BN_CTX_get(r.ctx);
    EVP_PKEY *key = r.qinv != NULL && make_numbers(&r, (int)bits) ? key_of(&r) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (*all[i] != NULL) BN_clear(*all[i]);
    BN_CTX_end(r.ctx);
    BN_CTX_free(r.ctx);
    return key;
}

struct error *key_generate(const char *kind, unsigned bits, EVP_PKEY **out) {
    if (str_eq(kind, "rsa")) *out = generate_rsa(bits);
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
