/* Sign-in tokens: what passes, and what does not. Every refusal is quick and sends nothing. */
#include "platform_fixture.h"

static void good(struct fixture *f, const char *token) {
    cleanup_arena struct arena a = {0};
    struct eks_user u;
    const char *why = NULL;
    if (!eks_sign_in(f->eks, &a, token, &u, &why)) fail_msg("refused: %s", why);
    assert_string_equal(u.name, "arn:aws:iam::" ACCOUNT ":user/dev");
}

static void a_presigned_url_of_an_own_key_signs_in(void **state) {
    struct fixture *f = *state;
    static const struct url_parts passing[] = {
        {0}, {.host = "sts.amazonaws.com"}, {.host = "127.0.0.1:6445"}, {.host = "127.0.0.1:6445", .scheme = "http"}, {.age = 14 * 60}, {.expires = "900"},
        {.host = "sts-fips.us-east-1.amazonaws.com"}, {.host = "sts.us-east-1.api.aws"}, {.age = -60},
    };
    for (size_t i = 0; i < ARRAY_LEN(passing); i++) good(f, make_token(&f->arena, make_url(&f->arena, &passing[i])));
}

static void the_user_has_groups_uid_and_extras(void **state) {
    struct fixture *f = *state;
    struct eks_user u;
    const char *why;
    assert_true(eks_sign_in(f->eks, &f->arena, make_token(&f->arena, make_url(&f->arena, &(struct url_parts){0})), &u, &why));
    assert_true(str_starts(u.uid, "aws-iam-authenticator:" ACCOUNT ":AIDA"));
    const char *keys = "";
    for (size_t i = 0; i < u.extra_count; i++) keys = arena_printf(&f->arena, "%s %s", keys, u.extra[i].key);
    assert_string_equal(keys, " accessKeyId arn canonicalArn principalId sessionName sigs.k8s.io/aws-iam-authenticator/principalId");
}

/* ---- refusals ---- */

static const struct negative {
    const char *name;
    struct url_parts parts;
} negatives[] = {
    {"plain http to a genuine host", {.scheme = "http"}},
    {"another scheme", {.scheme = "ftp"}},
    {"a scheme in capitals", {.scheme = "HTTPS"}},
    {"no scheme", {.scheme = ""}},
    {"another host", {.host = "example.com"}},
    {"a host that begins right", {.host = "sts.us-east-1.amazonaws.com.example.com"}},
    {"a host that ends right", {.host = "evil-sts.us-east-1.amazonaws.com"}},
    {"a host with a port", {.host = "sts.us-east-1.amazonaws.com:443"}},
    {"a host with another port", {.host = "127.0.0.1:6446"}},
    {"a host in capitals", {.host = "STS.us-east-1.amazonaws.com"}},
    {"user info before the host", {.host = "sts.us-east-1.amazonaws.com@example.com"}},
    {"user info that looks right", {.host = "a@sts.us-east-1.amazonaws.com"}},
    {"a host of another partition", {.host = "sts.cn-north-1.amazonaws.com.cn"}},
    {"a region of another partition", {.host = "sts.us-gov-west-1.amazonaws.com"}},
    {"another partition's domain", {.host = "sts.us-east-1.amazonaws.com.cn"}},
    {"an empty region", {.host = "sts..amazonaws.com"}},
    {"a region with dots", {.host = "sts.us.east.1.amazonaws.com"}},
    {"a region with a slash", {.host = "sts.us-east-1\\.amazonaws.com"}},
    {"a region that begins with a dash", {.host = "sts.-us.amazonaws.com"}},
    {"another service", {.host = "iam.us-east-1.amazonaws.com"}},
    {"a trailing dot", {.host = "sts.us-east-1.amazonaws.com."}},
    {"the metadata service", {.host = "169.254.169.254"}},
    {"localhost", {.host = "localhost"}},
    {"no host", {.host = ""}},
    {"no path", {.path = ""}},
    {"another path", {.path = "/x"}},
    {"two slashes", {.path = "//"}},
    {"an encoded slash", {.path = "/%2F"}},
    {"dots in the path", {.path = "/./"}},
    {"another action", {.action = "AssumeRole"}},
    {"an action in lower case", {.action = "getcalleridentity"}},
    {"no action", {.action = ""}},
    {"an action with a space", {.action = "GetCallerIdentity%20"}},
    {"another version", {.version = "2010-05-08"}},
    {"another algorithm", {.algorithm = "AWS4-HMAC-SHA1"}},
    {"an asymmetric algorithm", {.algorithm = "AWS4-ECDSA-P256-SHA256"}},
    {"a doubled parameter", {.extra = "&Action=GetCallerIdentity"}},
    {"a doubled parameter in other case", {.extra = "&ACTION=GetCallerIdentity"}},
    {"a doubled expiry", {.extra = "&x-amz-expires=60"}},
    {"an extra parameter", {.extra = "&Foo=bar"}},
    {"a parameter of another action", {.extra = "&RoleArn=arn:aws:iam::1:role/x"}},
    {"an encoded name of an extra parameter", {.extra = "&%46oo=bar"}},
    {"a bad escape", {.extra = "&X-Amz-Security-Token=%zz"}},
    {"a semicolon", {.extra = ";Foo=bar"}},
    {"an empty parameter", {.extra = "&&"}},
    {"a fragment", {.tail = "#x"}},
    {"something behind the signature", {.tail = "0"}},
    {"a second signature", {.tail = "&X-Amz-Signature=00"}},
    {"the cluster header not signed", {.signed_headers = "host"}},
    {"the host not signed", {.signed_headers = "x-k8s-aws-id"}},
    {"a header like the cluster's", {.signed_headers = "host%3Bx-k8s-aws-id2"}},
    {"more headers signed than there are", {.signed_headers = "accept%3Bhost%3Bx-k8s-aws-id"}},
    {"no signed headers", {.signed_headers = ""}},
    {"another cluster", {.cluster = "prod"}},
    {"no cluster", {.cluster = ""}},
    {"the cluster in other case", {.cluster = "TEST"}},
    {"an expiry too long", {.expires = "901"}},
    {"a negative expiry", {.expires = "-1"}},
    {"an expiry that is no number", {.expires = "1m"}},
    {"no expiry", {.expires = ""}},
    {"an expiry beyond 64 bits", {.expires = "99999999999999999999"}},
    {"sixteen minutes old", {.age = 16 * 60}},
    {"a day old", {.age = 86400}},
    {"from the future", {.age = -20 * 60}},
    {"no date", {.date = "", .scope = "20260101%2Fus-east-1%2Fsts%2Faws4_request"}},
    {"a date in another form", {.date = "2026-01-01T00:00:00Z", .scope = "20260101%2Fus-east-1%2Fsts%2Faws4_request"}},
    {"a date that is none", {.date = "20261399T990000Z", .scope = "20261399%2Fus-east-1%2Fsts%2Faws4_request"}},
    {"a date beyond all time", {.date = "99991231T235959Z"}},
    {"a date before all time", {.date = "00010101T000000Z"}},
    {"a scope of another day", {.scope = "20200101%2Fus-east-1%2Fsts%2Faws4_request"}},
    {"a scope of another service", {.scope = "20260101%2Fus-east-1%2Fiam%2Faws4_request"}},
    {"a scope with too few parts", {.scope = "20260101%2Fsts%2Faws4_request"}},
    {"a scope with another end", {.scope = "20260101%2Fus-east-1%2Fsts%2Faws3_request"}},
    {"another secret", {.secret = "guessed"}},
    {"an empty secret", {.secret = ""}},
    {"a key id too short", {.key_id = "AKIA"}},
    {"a key id with other characters", {.key_id = "AKIAIOSFODNN7EX%41MPLe"}},
    {"no key id", {.key_id = ""}},
    {"an unknown key at the own endpoint", {.key_id = "AKIAIOSFODNN7UNKNOWN", .host = "127.0.0.1:6445"}},
    {"a session token that is none, at the own endpoint", {.token = "AAAA", .host = "127.0.0.1:6445"}},
};

static int64_t worst;
static void refused(struct fixture *f, const char *name, const char *token) {
    cleanup_arena struct arena a = {0};
    struct eks_user u;
    const char *why = NULL;
    int64_t best = INT64_MAX; /* of three: the machine may be busy */
    for (int i = 0; i < 3; i++) {
        int64_t began = clock_monotonic(&clock_real);
        if (eks_sign_in(f->eks, &a, token, &u, &why)) fail_msg("%s: accepted", name);
        best = MIN(best, clock_monotonic(&clock_real) - began);
    }
    if (why == NULL || *why == '\0') fail_msg("%s: no reason", name);
    if (strstr(why, SECRET)) fail_msg("%s: the reason has the secret", name);
    worst = MAX(worst, best);
}

static void what_breaks_a_rule_is_refused_at_once_and_nothing_goes_out(void **state) {
    struct fixture *f = *state;
    atomic_store(&attempts, 0);
    for (size_t i = 0; i < ARRAY_LEN(negatives); i++) refused(f, negatives[i].name, make_token(&f->arena, make_url(&f->arena, &negatives[i].parts)));
    const char *url = make_url(&f->arena, &(struct url_parts){0}), *token = make_token(&f->arena, url);
    char *long_token = arena_alloc(&f->arena, 5001);
    memset(long_token, 'A', 5000);
    memcpy(long_token, SIGNIN_PREFIX, strlen(SIGNIN_PREFIX));
    long_token[5000] = '\0';
    const struct { const char *name, *token; } raw[] = {
        {"an empty token", ""}, {"a prefix alone", SIGNIN_PREFIX}, {"another prefix", arena_printf(&f->arena, "k8s-aws-v2.%s", token + strlen(SIGNIN_PREFIX))},
        {"a prefix in capitals", arena_printf(&f->arena, "K8S-AWS-V1.%s", token + strlen(SIGNIN_PREFIX))}, {"no prefix", token + strlen(SIGNIN_PREFIX)},
        {"padding", arena_printf(&f->arena, "%s==", token)}, {"one padding character", arena_printf(&f->arena, "%s=", token)}, {"standard base64", arena_printf(&f->arena, "%s+/+/", token)},
        {"a line end", arena_printf(&f->arena, "%s\n", token)}, {"a space", arena_printf(&f->arena, "%s ", token)}, {"a token too large", long_token},
        {"a URL with a NUL", SIGNIN_PREFIX "aHR0cHM6Ly9zdHMAYQ"}, {"a URL with a line end", make_token(&f->arena, arena_printf(&f->arena, "%s\r\nHost: x", url))},
        {"characters beyond ASCII", make_token(&f->arena, arena_printf(&f->arena, "%s\xc3\xa4", url))}, {"the URL itself", url},
    };
    for (size_t i = 0; i < ARRAY_LEN(raw); i++) refused(f, raw[i].name, raw[i].token);
    assert_true(ARRAY_LEN(negatives) + ARRAY_LEN(raw) >= 60);
    assert_int_equal(atomic_load(&attempts), 0);
    printf("%zu refusals, the slowest took %.3f ms\n", ARRAY_LEN(negatives) + ARRAY_LEN(raw), (double)worst / 1e6);
    assert_true(worst < MSECONDS(5));
}

static void a_foreign_key_at_a_genuine_host_is_shown_to_sts(void **state) {
    struct fixture *f = *state;
    atomic_store(&attempts, 0);
    refused(f, "foreign", make_token(&f->arena, make_url(&f->arena, &(struct url_parts){.key_id = "AKIAIOSFODNN7UNKNOWN"})));
    assert_true(atomic_load(&attempts) > 0);
}

static const struct json *deactivate(struct arena *a, const struct iam_entity *e, void *arg UNUSED, struct error **error UNUSED) {
    return json_with(a, e->json, "AccessKeys.0.Status", json_string(a, "Inactive"));
}

static void a_token_that_was_good_is_refused_once_its_key_is_inactive(void **state) {
    struct fixture *f = *state;
    const char *token = make_token(&f->arena, make_url(&f->arena, &(struct url_parts){.host = "127.0.0.1:6445"}));
    good(f, token);
    good(f, token); /* remembered */
    {
        cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(f->aws->iam);
        fail_on(iam_change(f->aws->iam, iam_find(iam, IAM_USER, "dev"), deactivate, NULL));
    }
    refused(f, "inactive", token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_presigned_url_of_an_own_key_signs_in), cmocka_unit_test(the_user_has_groups_uid_and_extras),
        cmocka_unit_test(what_breaks_a_rule_is_refused_at_once_and_nothing_goes_out), cmocka_unit_test(a_foreign_key_at_a_genuine_host_is_shown_to_sts),
        cmocka_unit_test(a_token_that_was_good_is_refused_once_its_key_is_inactive),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
