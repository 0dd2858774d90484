/* Certificates: authorities, signed and self-signed ones, with the extensions that Go's sprig gives them. */
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/sprig/crypto.h"
#include <arpa/inet.h>
#include <openssl/x509v3.h>

static const struct go_field certificate_fields[] = {{.name = "Cert", .type = &go_string}, {.name = "Key", .type = &go_string}, {.name = NULL}};
static const struct go_type certificate = {.kind = GO_STRUCT, .name = "sprig.certificate", .fields = certificate_fields};

static void cleanup_x509_(X509 **c) { X509_free(*c); }
#define cleanup_x509 CLEANUP(cleanup_x509_)
static void cleanup_names_(GENERAL_NAMES **n) { GENERAL_NAMES_free(*n); }

static struct value make(struct go_run *run, struct value cert, struct value key) {
    struct value v = value_slice(run->arena, &certificate, 2);
    v.items[0] = cert;
    v.items[1] = key;
    return v;
}

/* ---- names ---- */

static void add_name(GENERAL_NAMES *names, int type, const void *data, size_t n) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = type == GEN_DNS ? (ASN1_STRING *)ASN1_IA5STRING_new() : (ASN1_STRING *)ASN1_OCTET_STRING_new();
    ASN1_STRING_set(text, data, (int)n);
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(names, name);
}

static struct error *not_text(const char *what, struct value v) {
    cleanup_buf struct buf b = {0};
    go_print(&b, v);
    return error_new("%s: %s is not a string", what, buf_str(&b));
}

static struct error *add_addresses(struct go_run *run, struct value ips, GENERAL_NAMES *names) {
    for (size_t i = 0; i < value_len(ips); i++) {
        unsigned char address[16];
        struct value ip = ips.items[i];
        if (ip.type != &go_string) return not_text("error parsing ip", ip);
        const char *text = value_cstr(run->arena, ip);
        if (inet_pton(AF_INET, text, address) == 1) add_name(names, GEN_IPADD, address, 4);
        else if (inet_pton(AF_INET6, text, address) == 1) add_name(names, GEN_IPADD, address, 16);
        else return error_new("error parsing ip: %s", text);
    }
    return NULL;
}

/* What is no ASCII is found out only when the certificate is made: *odd is the first such name. */
static struct error *add_hosts(struct value hosts, GENERAL_NAMES *names, struct value *odd) {
    *odd = value_nil();
    for (size_t i = 0; i < value_len(hosts); i++) {
        struct value host = hosts.items[i];
        if (host.type != &go_string) return not_text("error processing alternate dns name", host);
        for (size_t k = 0; k < host.len && odd->type == NULL; k++)
            if ((unsigned char)host.s[k] >= 0x80) *odd = host;
        add_name(names, GEN_DNS, host.s, host.len);
    }
    return NULL;
}

/* ---- making ---- */

struct request {
    struct value name, ips, hosts;
    int64_t days;
    bool authority;
    EVP_PKEY *key;
    X509 *issuer; /* NULL: itself */
    EVP_PKEY *issuer_key;
};

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static void set_head(X509 *cert, const struct request *r) {
    unsigned char serial[16];
    random_bytes(serial, sizeof(serial));
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    X509_set_version(cert, X509_VERSION_3);
    time_t now = time(NULL);
    X509_time_adj_ex(X509_getm_notBefore(cert), 0, 0, &now);
    X509_time_adj_ex(X509_getm_notAfter(cert), (int)MAX(MIN(r->days, (int64_t)2000000), (int64_t)-2000000), 0, &now);
    X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8, (const unsigned char *)r->name.s, (int)r->name.len, -1, 0);
    X509_set_issuer_name(cert, r->issuer ? X509_get_subject_name(r->issuer) : X509_get_subject_name(cert));
    X509_set_pubkey(cert, r->key);
}

static struct error *create(struct go_run *run, const struct request *r, struct value *out) {
    CLEANUP(cleanup_names_) GENERAL_NAMES *names = GENERAL_NAMES_new();
    cleanup_x509 X509 *cert = X509_new();
    struct value odd;
    TRY(add_addresses(run, r->ips, names));
    TRY(add_hosts(r->hosts, names, &odd));
    if (odd.type != NULL) {
        cleanup_buf struct buf quoted = {0};
        go_quote(&quoted, odd.s, odd.len);
        return error_new("error creating certificate: x509: %s cannot be encoded as an IA5String", quoted.data);
    }
    if (r->issuer != NULL && X509_check_private_key(r->issuer, r->issuer_key) != 1)
        return error_new("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey");
    set_head(cert, r);
    X509 *issuer = r->issuer ? r->issuer : cert;
    add_extension(cert, issuer, NID_key_usage, r->authority ? "critical,digitalSignature,keyEncipherment,keyCertSign" : "critical,digitalSignature,keyEncipherment");
    add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(cert, issuer, NID_basic_constraints, r->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (r->authority) add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    if (r->issuer != NULL && X509_get0_subject_key_id(r->issuer) != NULL) add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
    if (sk_GENERAL_NAME_num(names) > 0) X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
    const EVP_MD *md = EVP_PKEY_get_base_id(r->issuer_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    if (X509_sign(cert, r->issuer_key, md) == 0) return crypto_error("error creating certificate");
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    if (n <= 0) return crypto_error("error pem-encoding certificate");
    cleanup_buf struct buf pem = {0};
    pem_encode(&pem, "CERTIFICATE", der, (size_t)n);
    OPENSSL_free(der);
    struct value text = value_take_buf(run->arena, &pem);
    *out = make(run, text, key_to_pem(run, r->key));
    return NULL;
}

/* A new key, or the one that is given. */
static struct error *get_key(struct go_run *run, const struct value *pem, EVP_PKEY **key) {
    struct error *e = pem ? key_from_pem(run, *pem, key) : key_generate("rsa", 2048, key);
    return e ? error_wrap(e, pem ? "parsing private key" : "error generating rsa key") : NULL;
}

static struct error *self_signed(struct go_run *run, struct request *r, const struct value *pem, struct value *out) {
    cleanup_key EVP_PKEY *key = NULL;
    TRY(get_key(run, pem, &key));
    r->key = r->issuer_key = key;
    return create(run, r, out);
}

static struct error *authority(struct go_run *run, const struct value *args, const struct value *pem, struct value *out) {
    struct request r = {.name = args[0], .ips = value_zero(&go_list), .hosts = value_zero(&go_list), .days = args[1].i, .authority = true};
    return self_signed(run, &r, pem, out);
}
SPRIG(gen_ca) { return authority(run, args, NULL, out); }
SPRIG(gen_ca_with_key) { return authority(run, args, &args[2], out); }

/* The arguments that all but authorities have: name, addresses, hosts, days. */
static struct request request_of(const struct value *args) { return (struct request){.name = args[0], .ips = args[1], .hosts = args[2], .days = args[3].i}; }

SPRIG(gen_self_signed) {
    struct request r = request_of(args);
    return self_signed(run, &r, NULL, out);
}
SPRIG(gen_self_signed_with_key) {
    struct request r = request_of(args);
    return self_signed(run, &r, &args[4], out);
}

static struct error *signed_by(struct go_run *run, const struct value *args, const struct value *pem, struct value *out) {
    cleanup_key EVP_PKEY *key = NULL, *issuer_key = NULL;
    cleanup_x509 X509 *issuer = NULL;
    struct value ca = args[4];
    const char *type;
    const unsigned char *der;
    size_t n;
    struct request r = request_of(args);
    TRY(get_key(run, pem, &key));
    if (!pem_decode(run, ca.items[0], &type, &der, &n)) return error_new("unable to decode certificate");
    if ((issuer = d2i_X509(NULL, &der, (long)n)) == NULL) return error_new("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate");
    struct error *e = key_from_pem(run, ca.items[1], &issuer_key);
    if (e != NULL) return error_wrap(e, "error parsing private key");
    r.key = key;
    r.issuer = issuer;
    r.issuer_key = issuer_key;
    return create(run, &r, out);
}
SPRIG(gen_signed) { return signed_by(run, args, NULL, out); }
SPRIG(gen_signed_with_key) { return signed_by(run, args, &args[5], out); }

SPRIG(build_custom) {
    cleanup_key EVP_PKEY *key = NULL;
    char *cert_text, *key_text;
    size_t cert_len, key_len, n;
    const char *type;
    const unsigned char *der;
    if (!base64_decode(run->arena, args[0].s, args[0].len, &cert_text, &cert_len)) return error_new("unable to decode base64 certificate");
    if (!base64_decode(run->arena, args[1].s, args[1].len, &key_text, &key_len)) return error_new("unable to decode base64 private key");
    struct value cert = value_str(cert_text, cert_len), key_value = value_str(key_text, key_len);
    if (!pem_decode(run, cert, &type, &der, &n)) return error_new("unable to decode certificate");
    cleanup_x509 X509 *parsed = d2i_X509(NULL, &der, (long)n);
    if (parsed == NULL) return error_new("error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
    struct error *e = key_from_pem(run, key_value, &key);
    if (e != NULL) return error_wrap(e, "error parsing private key");
    *out = make(run, cert, key_value);
    return NULL;
}

const struct go_func sprig_certificates[] = {
    GO_FUNC("genCA", gen_ca, &certificate, &go_string, &go_int),
    GO_FUNC("genCAWithKey", gen_ca_with_key, &certificate, &go_string, &go_int, &go_string),
    GO_FUNC("genSelfSignedCert", gen_self_signed, &certificate, &go_string, &go_list, &go_list, &go_int),
    GO_FUNC("genSelfSignedCertWithKey", gen_self_signed_with_key, &certificate, &go_string, &go_list, &go_list, &go_int, &go_string),
    GO_FUNC("genSignedCert", gen_signed, &certificate, &go_string, &go_list, &go_list, &go_int, &certificate),
    GO_FUNC("genSignedCertWithKey", gen_signed_with_key, &certificate, &go_string, &go_list, &go_list, &go_int, &certificate, &go_string),
    GO_FUNC("buildCustomCert", build_custom, &certificate, &go_string, &go_string),
    GO_FUNCS_END,
};
