/* Tokens that strangers send: what is read of a sign-in token is within it, and what was signed is read again the same. */
#include "base/str.h"
#include "net/issuer_keys.h"
#include "net/jwt.h"
#include "platform/aws/signin_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sign_in(struct arena *a, const char *text) {
    static const char *const own[] = {"127.0.0.1:6445", NULL};
    struct signin_rules rules = {.cluster = "c", .partition = "aws", .own_hosts = own, .now = SECONDS(1767225600)};
    struct signin_token t;
    struct sigv4_auth auth;
    if (signin_parse(a, text, &rules, &t) != NULL) return;
    if (!t.own_host && !sts_host_genuine("aws", t.host)) abort();
    cleanup_error struct error *e = sigv4_parse(a, &t.request, &auth);
    struct sigv4_rules check = {.now = rules.now, .service = "sts", .presigned_lifetime = SIGNIN_LIFETIME};
    if (e != NULL) return;
    cleanup_error struct error *wrong = sigv4_verify(a, &t.request, &auth, "secret", &check);
}

static void web_identity(struct arena *a, const char *text) {
    static const char *const audiences[] = {"sts.amazonaws.com", NULL};
    struct jwt_expected x = {.issuer = "https://i", .audiences = audiences, .now = SECONDS(1767225600)};
    struct jwt j;
    const char *why;
    if (jwt_parse(a, text, &j) == NULL) jwt_check(a, &j, &x, &why);
}

/* Any algorithm that keys can have, and keys as issuers give them: none of a stranger's fits. */
static void foreign_token(struct arena *a, const char *token, const char *keys) {
    static const char *const algs[] = {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", NULL};
    const struct json *jwks = NULL;
    struct jwt j;
    const char *why;
    cleanup_error struct error *e = json_parse(a, keys, strlen(keys), &(struct json_limits){.max_depth = 16, .max_elements = 1000}, NULL, &jwks);
    if (e == NULL && jwt_parse_algs(a, token, algs, &j) == NULL && jwks_verify(jwks, &j, &why)) abort();
}

/* The plain URL and the plain parts are made into tokens, so that the fuzzer need not learn base64. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf token = {0}, jwt = {0};
    const char *text = arena_strndup(&a, (const char *)data, size);
    sign_in(&a, text);
    web_identity(&a, text);
    buf_adds(&token, SIGNIN_PREFIX);
    base64url_encode(&token, data, size);
    sign_in(&a, token.data);
    const char *line = strchr(text, '\n');
    size_t head = line ? (size_t)(line - text) : strlen(text);
    base64url_encode(&jwt, text, head);
    buf_addc(&jwt, '.');
    base64url_encode(&jwt, text + head, strlen(text + head));
    buf_adds(&jwt, ".AAAA");
    web_identity(&a, jwt.data);
    foreign_token(&a, jwt.data, text + head);
    return 0;
}
