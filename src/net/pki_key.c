#include "base/str.h"
#include "net/pki_internal.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

struct error *pki_error(const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return error_new("%s: %s", what, reason != NULL ? reason : "unknown TLS error");
}

char *pki_bio_take(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    char *s = xmalloc((size_t)n + 1);
    memcpy(s, p, (size_t)n);
    s[n] = '\0';
    return s;
}

static struct pki_key *wrap(EVP_PKEY *pkey)
{
    struct pki_key *k = xmalloc(sizeof(*k));
    k->pkey = pkey;
    return k;
}

static EVP_PKEY *from_params(const char *type, int selection, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (EVP_PKEY_fromdata_init(ctx) == 1) EVP_PKEY_fromdata(ctx, &pkey, selection, params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

/* A prime whose predecessor has no factor in common with the exponent, which is prime itself. */
#define RSA_EXPONENT 65537
static bool rsa_prime(BIGNUM *p, BN_CTX *c)
{
    do {
        if (BN_generate_prime_ex2(p, 1024, 0, NULL, NULL, NULL, c) != 1) return false;
    } while (BN_mod_word(p, RSA_EXPONENT) == 1);
    BN_set_flags(p, BN_FLG_CONSTTIME);
    return true;
}

/* From two random primes, as OpenSSL made keys before version 3: its present way (SP 800-56B, with auxiliary primes) takes
 * most of the time of a server's first start. PKCS #1 (RFC 8017, 3.2) names the parts. */
static EVP_PKEY *rsa_new(void)
{
    enum { N, E, D, P, Q, DP, DQ, QINV, P1, Q1, PHI, NUMBERS };
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
                                        OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    BIGNUM *b[NUMBERS];
    BN_CTX *c = BN_CTX_secure_new();
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    for (int i = 0; i < NUMBERS; i++) b[i] = BN_secure_new();
    bool ok = BN_set_word(b[E], RSA_EXPONENT) && rsa_prime(b[P], c);
    do ok = ok && rsa_prime(b[Q], c) && BN_sub(b[N], b[P], b[Q]);
    while (ok && BN_num_bits(b[N]) <= 1024 - 100); /* FIPS 186-4, B.3.1: the primes are not near each other */
    ok = ok && BN_mul(b[N], b[P], b[Q], c) && BN_sub(b[P1], b[P], BN_value_one()) && BN_sub(b[Q1], b[Q], BN_value_one()) && BN_mul(b[PHI], b[P1], b[Q1], c);
    BN_set_flags(b[PHI], BN_FLG_CONSTTIME);
    ok = ok && BN_mod_inverse(b[D], b[E], b[PHI], c);
    BN_set_flags(b[D], BN_FLG_CONSTTIME);
    ok = ok && BN_mod(b[DP], b[D], b[P1], c) && BN_mod(b[DQ], b[D], b[Q1], c) && BN_mod_inverse(b[QINV], b[Q], b[P], c);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) ok = ok && OSSL_PARAM_BLD_push_BN(bld, names[i], b[i]);
    EVP_PKEY *key = ok ? from_params("RSA", EVP_PKEY_KEYPAIR, bld) : NULL;
    OSSL_PARAM_BLD_free(bld);
    for (int i = 0; i < NUMBERS; i++) BN_clear_free(b[i]);
    BN_CTX_free(c);
    return key;
}

struct pki_key *pki_key_new(enum pki_key_type type)
{
    EVP_PKEY *p = type == PKI_P256 ? EVP_EC_gen("P-256") : rsa_new();
    if (p == NULL) abort(); /* no memory or no randomness */
    return wrap(p);
}

void pki_key_free(struct pki_key *k)
{
    if (k == NULL) return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

static EVP_PKEY *key_of_cert(BIO *b)
{
    cleanup_x509 X509 *c = PEM_read_bio_X509(b, NULL, NULL, NULL);
    return c != NULL ? X509_get_pubkey(c) : NULL;
}

struct error *pki_key_parse(const char *pem, struct pki_key **out)
{
    cleanup_bio BIO *b = BIO_new_mem_buf(pem, -1);
    static char no_password[] = "";
    EVP_PKEY *p = PEM_read_bio_PrivateKey(b, NULL, NULL, no_password);
    if (p == NULL && BIO_reset(b) >= 0) p = PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
    if (p == NULL && BIO_reset(b) >= 0) p = key_of_cert(b);
    if (p == NULL) return pki_error("no key in the PEM data");
    ERR_clear_error();
    *out = wrap(p);
    return NULL;
}

char *pki_key_pem(const struct pki_key *k)
{
    cleanup_bio BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(b, k->pkey, NULL, NULL, 0, NULL, NULL);
    return pki_bio_take(b);
}

char *pki_key_public_pem(const struct pki_key *k)
{
    cleanup_bio BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(b, k->pkey);
    return pki_bio_take(b);
}

void pki_key_public_der(const struct pki_key *k, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);
    if (n > 0) buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
}

/* ---- signatures: JWS has ECDSA's r and s side by side (RFC 7518 section 3.4), OpenSSL a DER sequence ---- */

static const struct {
    const char *alg, *digest, *crv, *group; /* crv and group: NULL for RSA */
    size_t half;                            /* bytes of r, s, x, y */
    bool pss;                               /* RSA with PSS padding, the salt as long as the digest (RFC 7518 section 3.5) */
} algs[] = {
    {"RS256", "SHA256", NULL, NULL, 0},           {"RS384", "SHA384", NULL, NULL, 0},
    {"RS512", "SHA512", NULL, NULL, 0},           {"PS256", "SHA256", NULL, NULL, 0, true},
    {"PS384", "SHA384", NULL, NULL, 0, true},     {"PS512", "SHA512", NULL, NULL, 0, true},
    {"ES256", "SHA256", "P-256", "prime256v1", 32},
    {"ES384", "SHA384", "P-384", "secp384r1", 48}, {"ES512", "SHA512", "P-521", "secp521r1", 66},
};

/* The row of the algorithm (NULL: the one the key signs with) if it fits the key, else -1. */
static int alg_of(const struct pki_key *k, const char *alg)
{
    char group[32] = "";
    bool rsa = EVP_PKEY_is_a(k->pkey, "RSA");
    if (!rsa) EVP_PKEY_get_utf8_string_param(k->pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL);
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (alg != NULL && strcmp(algs[i].alg, alg) != 0) continue;
        if (rsa ? algs[i].group == NULL : algs[i].group != NULL && strcmp(group, algs[i].group) == 0) return (int)i;
    }
    return -1;
}

const char *pki_key_alg(const struct pki_key *k)
{
    int i = alg_of(k, NULL);
    return i >= 0 ? algs[i].alg : NULL;
}

static void add_raw_ecdsa(struct buf *out, const unsigned char *der, size_t n, size_t half)
{
    unsigned char raw[2 * 66];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half);
    ECDSA_SIG_free(sig);
    buf_add(out, raw, 2 * half);
}

struct error *pki_sign(const struct pki_key *k, const void *p, size_t n, struct buf *signature)
{
    int i = alg_of(k, NULL);
    if (i < 0) return error_new("sign: unsupported kind of key");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char out[1024];
    size_t len = sizeof(out);
    bool ok = EVP_DigestSignInit_ex(ctx, NULL, algs[i].digest, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestSign(ctx, out, &len, p, n) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok) return pki_error("sign");
    if (algs[i].half > 0)
        add_raw_ecdsa(signature, out, len, algs[i].half);
    else
        buf_add(signature, out, len);
    return NULL;
}

static int ecdsa_der(const unsigned char *raw, size_t half, unsigned char **out)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn(raw, (int)half, NULL), BN_bin2bn(raw + half, (int)half, NULL));
    int n = i2d_ECDSA_SIG(sig, out);
    ECDSA_SIG_free(sig);
    return n;
}

static bool use_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

bool pki_verify(const struct pki_key *k, const char *alg, const void *p, size_t n, const void *signature, size_t len)
{
    int i = alg_of(k, alg);
    if (i < 0 || (algs[i].half > 0 && len != 2 * algs[i].half)) return false;
    unsigned char *der = NULL;
    int der_len = algs[i].half > 0 ? ecdsa_der(signature, algs[i].half, &der) : 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of = NULL;
    bool ok = EVP_DigestVerifyInit_ex(ctx, &of, algs[i].digest, NULL, NULL, k->pkey, NULL) == 1 && (!algs[i].pss || use_pss(of)) &&
              EVP_DigestVerify(ctx, der != NULL ? der : signature, der != NULL ? (size_t)der_len : len, p, n) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}

/* ---- JSON Web Keys ---- */

static const char *number(const struct pki_key *k, struct arena *a, const char *param, size_t pad)
{
    BIGNUM *bn = NULL;
    if (EVP_PKEY_get_bn_param(k->pkey, param, &bn) != 1) return NULL;
    size_t n = pad > 0 ? pad : (size_t)BN_num_bytes(bn);
    unsigned char *raw = arena_alloc(a, n);
    BN_bn2binpad(bn, raw, (int)n);
    BN_free(bn);
    cleanup_buf struct buf b = {0};
    base64url_encode(&b, raw, n);
    return arena_strdup(a, buf_str(&b));
}

struct error *pki_jwk_export(const struct pki_key *k, struct arena *a, struct pki_jwk *out)
{
    int i = alg_of(k, NULL);
    if (i < 0) return error_new("JWK: unsupported kind of key");
    size_t half = algs[i].half;
    *out = (struct pki_jwk){.kty = half > 0 ? "EC" : "RSA", .crv = algs[i].crv};
    if (half > 0) {
        out->x = number(k, a, OSSL_PKEY_PARAM_EC_PUB_X, half);
        out->y = number(k, a, OSSL_PKEY_PARAM_EC_PUB_Y, half);
    } else {
        out->n = number(k, a, OSSL_PKEY_PARAM_RSA_N, 0);
        out->e = number(k, a, OSSL_PKEY_PARAM_RSA_E, 0);
    }
    return NULL;
}

static bool decode(struct arena *a, const char *s, char **out, size_t *n)
{
    return s != NULL && base64url_decode(a, s, strlen(s), out, n);
}

#define MIN_RSA 128 /* bytes: shorter ones are broken */

static EVP_PKEY *import_rsa(struct arena *a, const struct pki_jwk *j)
{
    char *n, *e;
    size_t n_len, e_len;
    if (!decode(a, j->n, &n, &n_len) || !decode(a, j->e, &e, &e_len) || n_len < MIN_RSA || n_len > 2048 || e_len > 8) return NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *bn = BN_bin2bn((unsigned char *)n, (int)n_len, NULL), *be = BN_bin2bn((unsigned char *)e, (int)e_len, NULL);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be);
    EVP_PKEY *pkey = from_params("RSA", EVP_PKEY_PUBLIC_KEY, bld);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn);
    BN_free(be);
    return pkey;
}

static EVP_PKEY *import_ec(struct arena *a, const struct pki_jwk *j)
{
    size_t i = 0;
    while (i < ARRAY_LEN(algs) && !(algs[i].crv != NULL && str_eq(algs[i].crv, j->crv))) i++;
    char *x, *y;
    size_t x_len, y_len;
    if (i == ARRAY_LEN(algs) || !decode(a, j->x, &x, &x_len) || !decode(a, j->y, &y, &y_len)) return NULL;
    size_t half = algs[i].half;
    if (x_len != half || y_len != half) return NULL;
    unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, x, half);
    memcpy(point + 1 + half, y, half);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, algs[i].group, 0);
    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * half);
    EVP_PKEY *pkey = from_params("EC", EVP_PKEY_PUBLIC_KEY, bld);
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

struct error *pki_jwk_import(const struct pki_jwk *jwk, struct pki_key **out)
{
    cleanup_arena struct arena a = {0};
    EVP_PKEY *p = str_eq(jwk->kty, "RSA") ? import_rsa(&a, jwk) : str_eq(jwk->kty, "EC") ? import_ec(&a, jwk) : NULL;
    ERR_clear_error();
    if (p == NULL) return error_new("JWK: unsupported or malformed key");
    *out = wrap(p);
    return NULL;
}
