/* AssumeRoleWithWebIdentity: tokens that pass, and those that do not; none of them makes anything go out. */
#include "platform_fixture.h"
#include "platform/aws/sts.h"
#include <openssl/evp.h>

#define SUB "system:serviceaccount:default:app"
#define ROLE_ARN "arn:aws:iam::" ACCOUNT ":role/app"

static struct pki_key *other_rsa, *ec;
static const char *uid; /* of the service account */

static const struct json *parse(struct arena *a, const char *text) {
    const struct json *v = NULL;
    fail_on(json_parse(a, text, strlen(text), NULL, NULL, &v));
    return v;
}

static int web_setup(void **state) {
    setup(state);
    struct fixture *f = *state;
    struct arena *a = &f->arena;
    cleanup_doc struct doc *account = NULL;
    other_rsa = pki_key_new(PKI_RSA2048);
    ec = pki_key_new(PKI_P256);
    fail_on(client_create(f->client, &resource_serviceaccounts, "default", parse(a, "{\"metadata\":{\"name\":\"app\"}}"), &account));
    uid = arena_strdup(a, doc_uid(account));
    fail_on(iam_create(f->aws->iam, IAM_OIDC_PROVIDER, "kubernetes.default.svc", parse(a, "{\"Url\":\"https://kubernetes.default.svc\",\"ClientIDList\":[\"sts.amazonaws.com\",\"second\"]}")));
    fail_on(iam_create(f->aws->iam, IAM_OIDC_PROVIDER, "foreign.example.com", parse(a, "{\"Url\":\"https://foreign.example.com\",\"ClientIDList\":[\"sts.amazonaws.com\"]}")));
    const char *trust = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Federated\":\"arn:aws:iam::" ACCOUNT ":oidc-provider/kubernetes.default.svc\"},"
                        "\"Action\":\"sts:AssumeRoleWithWebIdentity\",\"Condition\":{\"StringEquals\":{\"kubernetes.default.svc:sub\":\"" SUB "\",\"kubernetes.default.svc:aud\":\"sts.amazonaws.com\"}}}]}";
    fail_on(iam_create(f->aws->iam, IAM_ROLE, "app", json_make(a, "{'Path':'/','AssumeRolePolicyDocument':%s,'MaxSessionDuration':3600}", trust)));
    return 0;
}

static int web_teardown(void **state) {
    pki_key_free(other_rsa);
    pki_key_free(ec);
    return teardown(state);
}

/* ---- tokens ---- */

enum signer { BY_CLUSTER, BY_OTHER, BY_EC, BY_PUBLIC_KEY, UNSIGNED, GARBLED };
/* What differs from a good token; members are JSON text, "-" leaves one out. Times are seconds from now, as text. */
struct token_case {
    const char *name, *code;
    enum signer signer;
    const char *head, *iss, *sub, *aud, *exp, *nbf, *iat, *kubernetes, *more;
};

static void add_part(struct buf *out, const char *text) { base64url_encode(out, text, strlen(text)); }

static void add_member(struct buf *out, const char *key, const char *given, const char *usual) {
    const char *v = given ? given : usual;
    if (strcmp(v, "-") == 0) return;
    buf_printf(out, "%s\"%s\":%s", out->len > 1 ? "," : "", key, v);
}

static const char *time_text(struct arena *a, const char *given, int64_t usual) {
    int64_t offset = usual;
    if (given && !str_to_int64(given, &offset)) return given;
    return arena_printf(a, "%lld", (long long)(clock_wall(&clock_real) / NSEC_PER_SEC + offset));
}

static void sign_it(struct fixture *f, struct buf *out, enum signer signer) {
    cleanup_buf struct buf signature = {0};
    uint8_t mac[32];
    if (signer == UNSIGNED) return buf_addc(out, '.');
    if (signer == BY_PUBLIC_KEY) {
        cleanup_free char *pem = pki_key_public_pem(f->key);
        hmac_sha256(pem, strlen(pem), out->data, out->len, mac);
        buf_add(&signature, mac, sizeof(mac));
    } else {
        fail_on(pki_sign(signer == BY_OTHER ? other_rsa : signer == BY_EC ? ec : f->key, out->data, out->len, &signature));
    }
    if (signer == GARBLED) signature.data[17] = (char)(signature.data[17] ^ 1);
    buf_addc(out, '.');
    base64url_encode(out, signature.data, signature.len);
}

static const char *token_of(struct fixture *f, struct arena *a, const struct token_case *t) {
    cleanup_buf struct buf claims = {0}, out = {0};
    buf_addc(&claims, '{');
    add_member(&claims, "iss", t->iss, "\"" ISSUER "\"");
    add_member(&claims, "sub", t->sub, "\"" SUB "\"");
    add_member(&claims, "aud", t->aud, "[\"sts.amazonaws.com\"]");
    add_member(&claims, "exp", time_text(a, t->exp, 3600), "");
    add_member(&claims, "nbf", time_text(a, t->nbf, -10), "");
    add_member(&claims, "iat", time_text(a, t->iat, -10), "");
    add_member(&claims, "kubernetes.io", t->kubernetes, arena_printf(a, "{\"namespace\":\"default\",\"serviceaccount\":{\"name\":\"app\",\"uid\":\"%s\"}}", uid));
    if (t->more) buf_adds(&claims, t->more);
    buf_addc(&claims, '}');
    add_part(&out, t->head ? t->head : "{\"alg\":\"RS256\"}");
    buf_addc(&out, '.');
    add_part(&out, claims.data);
    sign_it(f, &out, t->signer);
    return arena_strdup(a, out.data);
}

static struct error *assume(struct fixture *f, struct arena *a, const char *token, const struct json **out) {
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(f->aws->iam);
    const struct json *params = json_make(a, "{'RoleArn':'" ROLE_ARN "','RoleSessionName':'s','WebIdentityToken':%s}", token);
    struct aws_request r = {.arena = a, .aws = f->aws, .service = &aws_sts, .iam = iam, .params = params, .request_id = "r", .source_ip = "127.0.0.1", .user_agent = "", .host = "", .status = 200};
    return sts_assume_role_with_web_identity(&r, out);
}

static void good_tokens_become_sessions_of_the_role(void **state) {
    struct fixture *f = *state;
    static const struct token_case passing[] = {
        {.name = "usual"}, {.aud = "\"sts.amazonaws.com\""}, {.aud = "[\"other\",\"sts.amazonaws.com\"]"}, {.nbf = "30"}, {.iat = "30"}, {.nbf = "-", .iat = "-"},
        {.head = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"}, {.exp = "2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
        const struct json *out = NULL;
        fail_on(assume(f, &f->arena, token_of(f, &f->arena, &passing[i]), &out));
        assert_string_equal(json_str(out, "AssumedRoleUser.Arn"), "arn:aws:sts::" ACCOUNT ":assumed-role/app/s");
        assert_string_equal(json_str(out, "SubjectFromWebIdentityToken"), SUB);
        assert_non_null(json_str(out, "Credentials.SessionToken"));
    }
}

#define INVALID "InvalidIdentityToken"
static const struct token_case negatives[] = {
    {"alg none", INVALID, UNSIGNED, .head = "{\"alg\":\"none\"}"},
    {"alg None", INVALID, UNSIGNED, .head = "{\"alg\":\"None\"}"},
    {"alg none, signed", INVALID, .head = "{\"alg\":\"none\"}"},
    {"no alg", INVALID, .head = "{}"},
    {"alg is a number", INVALID, .head = "{\"alg\":256}"},
    {"HS256 with the public key", INVALID, BY_PUBLIC_KEY, .head = "{\"alg\":\"HS256\"}"},
    {"HS256 said to be RS256", INVALID, BY_PUBLIC_KEY},
    {"RS384", INVALID, .head = "{\"alg\":\"RS384\"}"},
    {"PS256", INVALID, .head = "{\"alg\":\"PS256\"}"},
    {"RS256 in lower case", INVALID, .head = "{\"alg\":\"rs256\"}"},
    {"ES256 over an RSA signature", INVALID, .head = "{\"alg\":\"ES256\"}"},
    {"no signature", INVALID, UNSIGNED},
    {"a garbled signature", INVALID, GARBLED},
    {"another key", INVALID, BY_OTHER},
    {"a key of another kind", INVALID, BY_EC, .head = "{\"alg\":\"ES256\"}"},
    {"an unknown key id", INVALID, .head = "{\"alg\":\"RS256\",\"kid\":\"nobody\"}"},
    {"a key id that is a path", INVALID, .head = "{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}"},
    {"a key id that is no string", INVALID, .head = "{\"alg\":\"RS256\",\"kid\":1}"},
    {"a key of the token's own", INVALID, BY_OTHER, .head = "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}}"},
    {"a key URL of the token's own", INVALID, BY_OTHER, .head = "{\"alg\":\"RS256\",\"jku\":\"https://evil.example.com\"}"},
    {"critical extensions", INVALID, .head = "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}"},
    {"a doubled alg", INVALID, .head = "{\"alg\":\"RS256\",\"alg\":\"RS256\"}"},
    {"a head that is a list", INVALID, .head = "[]"},
    {"a head that is no JSON", INVALID, .head = "alg"},
    {"another issuer", INVALID, .iss = "\"https://evil.example.com\""},
    {"an issuer that is registered, but foreign", INVALID, .iss = "\"https://foreign.example.com\"", .head = "{\"alg\":\"RS256\",\"kid\":\"x\"}"},
    {"an issuer without scheme", INVALID, .iss = "\"kubernetes.default.svc\""},
    {"an issuer over http", INVALID, .iss = "\"http://kubernetes.default.svc\""},
    {"an issuer with a slash", INVALID, .iss = "\"" ISSUER "/\""},
    {"an issuer in capitals", INVALID, .iss = "\"https://KUBERNETES.default.svc\""},
    {"no issuer", INVALID, .iss = "-"},
    {"an issuer that is a list", INVALID, .iss = "[\"" ISSUER "\"]"},
    {"a doubled issuer", INVALID, .more = ",\"iss\":\"" ISSUER "\""},
    {"a doubled subject", INVALID, .more = ",\"sub\":\"system:serviceaccount:default:app\""},
    {"a doubled subject, escaped", INVALID, .more = ",\"s\\u0075b\":\"system:serviceaccount:kube-system:admin\""},
    {"a doubled member deep inside", INVALID, .kubernetes = "{\"namespace\":\"default\",\"namespace\":\"x\"}"},
    {"another audience", INVALID, .aud = "\"vault\""},
    {"an audience that begins right", INVALID, .aud = "\"sts.amazonaws.com.evil\""},
    {"the other client id, which the policy does not allow", "AccessDenied", .aud = "\"second\""},
    {"no audience", INVALID, .aud = "-"},
    {"an empty audience list", INVALID, .aud = "[]"},
    {"an audience that is an object", INVALID, .aud = "{\"sts.amazonaws.com\":1}"},
    {"a list with something else in it", INVALID, .aud = "[\"sts.amazonaws.com\",1]"},
    {"another authorized party", "AccessDenied", .more = ",\"azp\":\"somebody\""},
    {"another subject", "AccessDenied", .sub = "\"system:serviceaccount:default:other\""},
    {"a subject with more behind it", "AccessDenied", .sub = "\"system:serviceaccount:default:app2\""},
    {"a subject in capitals", "AccessDenied", .sub = "\"SYSTEM:serviceaccount:default:app\""},
    {"no subject", INVALID, .sub = "-"},
    {"an empty subject", INVALID, .sub = "\"\""},
    {"a subject that is a list", INVALID, .sub = "[\"" SUB "\"]"},
    {"expired", "ExpiredTokenException", .exp = "-1"},
    {"expired just now", "ExpiredTokenException", .exp = "0"},
    {"no expiry", INVALID, .exp = "-"},
    {"an expiry that is text", INVALID, .exp = "\"tomorrow\""},
    {"a negative expiry", INVALID, .exp = "-9e9"},
    {"an expiry beyond all time", INVALID, .exp = "1e300"},
    {"an expiry that overflows nanoseconds", INVALID, .exp = "17672229200"},
    {"not valid yet", INVALID, .nbf = "120"},
    {"issued in the future", INVALID, .iat = "120"},
    {"a time that is text", INVALID, .nbf = "\"0\""},
    {"another uid of the service account", "IDPRejectedClaim", .kubernetes = "{\"namespace\":\"default\",\"serviceaccount\":{\"name\":\"app\",\"uid\":\"0\"}}"},
    {"a service account that is not there", "IDPRejectedClaim", .kubernetes = "{\"namespace\":\"default\",\"serviceaccount\":{\"name\":\"gone\",\"uid\":\"0\"}}"},
    {"a pod that is not there", "IDPRejectedClaim", .kubernetes = "{\"namespace\":\"default\",\"serviceaccount\":{\"name\":\"app\",\"uid\":\"0\"},\"pod\":{\"name\":\"p\",\"uid\":\"1\"}}"},
    {"not of a service account", "IDPRejectedClaim", .kubernetes = "-"},
};

static int64_t worst;
static void refused(struct fixture *f, const char *name, const char *code, const char *token) {
    cleanup_arena struct arena a = {0};
    const struct json *out = NULL;
    int64_t best = INT64_MAX; /* of three: the machine may be busy */
    for (int i = 0; i < 3; i++) {
        int64_t began = clock_monotonic(&clock_real);
        error_free(assume(f, &a, token, &out));
        best = MIN(best, clock_monotonic(&clock_real) - began);
    }
    worst = MAX(worst, best);
    cleanup_error struct error *e = assume(f, &a, token, &out);
    if (e == NULL) fail_msg("%s: accepted", name);
    if (!error_is(e, code)) fail_msg("%s: %s, not %s: %s", name, e->reason, code, e->message);
}

static void what_is_wrong_is_refused_at_once_and_nothing_goes_out(void **state) {
    struct fixture *f = *state;
    atomic_store(&attempts, 0);
    size_t count = ARRAY_LEN(negatives);
    for (size_t i = 0; i < ARRAY_LEN(negatives); i++) {
        if (str_eq(negatives[i].iss, "\"https://foreign.example.com\"")) continue; /* asks its issuer, see below */
        refused(f, negatives[i].name, negatives[i].code, token_of(f, &f->arena, &negatives[i]));
    }
    const char *token = token_of(f, &f->arena, &(struct token_case){0}), *dot = strchr(token, '.');
    char *huge = arena_alloc(&f->arena, 20001);
    memset(huge, 'a', 20000);
    huge[20000] = '\0';
    const struct { const char *name, *token; } raw[] = {
        {"empty", ""}, {"one part", "abc"}, {"two parts", arena_strndup(&f->arena, token, (size_t)(strrchr(token, '.') - token))}, {"four parts", arena_printf(&f->arena, "%s.x", token)},
        {"padding", arena_printf(&f->arena, "%s==", token)}, {"a space before", arena_printf(&f->arena, " %s", token)}, {"a line end", arena_printf(&f->arena, "%s\n", token)},
        {"no head", dot}, {"too large", huge}, {"Bearer before it", arena_printf(&f->arena, "Bearer %s", token)},
    };
    for (size_t i = 0; i < ARRAY_LEN(raw); i++) refused(f, raw[i].name, INVALID, raw[i].token);
    count += ARRAY_LEN(raw);
    assert_true(count >= 40);
    assert_int_equal(atomic_load(&attempts), 0);
    printf("%zu refusals, the slowest took %.3f ms\n", count, (double)worst / 1e6);
    assert_true(worst < MSECONDS(5));
}

static void a_registered_foreign_issuer_is_asked_for_its_keys(void **state) {
    struct fixture *f = *state;
    atomic_store(&attempts, 0);
    refused(f, "foreign", INVALID, token_of(f, &f->arena, &(struct token_case){.iss = "\"https://foreign.example.com\""}));
    int asked = atomic_load(&attempts);
    assert_true(asked > 0);
    refused(f, "foreign again", INVALID, token_of(f, &f->arena, &(struct token_case){.iss = "\"https://foreign.example.com\""}));
    assert_int_equal(atomic_load(&attempts), asked); /* not a second time at once */
}

static void a_deleted_service_account_ends_its_tokens(void **state) {
    struct fixture *f = *state;
    const char *token = token_of(f, &f->arena, &(struct token_case){0});
    const struct json *out = NULL;
    fail_on(assume(f, &f->arena, token, &out));
    fail_on(client_delete(f->client, &resource_serviceaccounts, "default", "app", &(struct delete_options){0}));
    refused(f, "deleted", "IDPRejectedClaim", token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tokens_become_sessions_of_the_role), cmocka_unit_test(what_is_wrong_is_refused_at_once_and_nothing_goes_out),
        cmocka_unit_test(a_registered_foreign_issuer_is_asked_for_its_keys), cmocka_unit_test(a_deleted_service_account_ends_its_tokens),
    };
    return cmocka_run_group_tests(tests, web_setup, web_teardown);
}
