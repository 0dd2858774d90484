/* Sign-in by OpenID Connect against an issuer over TLS: users and groups of good tokens, and what is refused. */
#include "apiserver/auth.h"
#include "net_fixture.h"

static struct fixture f; /* the issuer */
static struct store *store;
static struct loop *client_loop;
static struct pki_key *key, *next_key, *stranger, *ec;
static struct arena texts;
static const char *issuer;
static _Atomic int asked;
static _Atomic bool rotated, away;

static const struct json *jwk(struct arena *a, const struct pki_key *k, const char *kid) {
    struct pki_jwk j = {0};
    OK(pki_jwk_export(k, a, &j));
    return json_make(a, "{'use':'sig','kty':%s,'kid':%s,'n':%s,'e':%s,'crv':%s,'x':%s,'y':%s}", j.kty, kid, j.n, j.e, j.crv, j.x, j.y);
}

static void handle(struct http_exchange *x, void *arg UNUSED) {
    struct arena *a = &x->arena;
    bool keys = strcmp(x->path, "/keys") == 0;
    const struct json *v = keys ? json_make(a, "{'keys':[%v,%v,%v]}", jwk(a, key, "one"), jwk(a, ec, "ec"), rotated ? jwk(a, next_key, "two") : NULL)
                                : json_make(a, "{'issuer':%s,'jwks_uri':%s}", issuer, arena_printf(a, "%s/keys", issuer));
    const char *text = json_text(a, v);
    asked++;
    http_reply(x, away ? 503 : 200, NULL, 0, text, strlen(text), NULL, NULL);
}

/* Time that tests move on; the wall clock stays. */
static _Atomic int64_t later;
static int64_t moved_wall(const struct clock *c UNUSED) { return clock_wall(&clock_real); }
static int64_t moved_monotonic(const struct clock *c UNUSED) { return clock_monotonic(&clock_real) + later; }
static struct clock moved;

static int set_up(void **state UNUSED) {
    struct store_config sc = {.backend = "memory", .synchronous = true};
    schema_init();
    fixture_up(&f, true, (struct http_server_config){.handler = handle});
    client_loop = loop_new("client");
    moved = clock_real;
    moved.wall = moved_wall;
    moved.monotonic = moved_monotonic;
    key = pki_key_new(PKI_RSA2048);
    next_key = pki_key_new(PKI_RSA2048);
    stranger = pki_key_new(PKI_RSA2048);
    ec = pki_key_new(PKI_P256);
    issuer = arena_printf(&texts, "https://localhost:%d", f.port);
    OK(store_open(&sc, &store));
    return 0;
}

static int tear_down(void **state UNUSED) {
    loop_stop(client_loop);
    fixture_down(&f);
    store_close(store);
    pki_key_free(key);
    pki_key_free(next_key);
    pki_key_free(stranger);
    pki_key_free(ec);
    arena_free(&texts);
    return 0;
}

static struct apiserver *server_with(struct oidc_provider p) {
    struct apiserver *s;
    if (p.issuer == NULL) p.issuer = issuer;
    if (p.client_id == NULL) p.client_id = "kubernetes";
    struct apiserver_config c = {.store = store, .clock = &moved, .client_loop = client_loop, .oidc = p, .oidc_ca = f.ca.cert};
    OK(apiserver_new(&c, &s));
    return s;
}

static void end(struct apiserver *s) {
    apiserver_shutdown(s);
    apiserver_free(s);
}

/* ---- tokens ---- */

enum signer { BY_ISSUER, BY_NEXT, BY_STRANGER, BY_EC, BY_PUBLIC_KEY, UNSIGNED };
/* What differs from a good token; members are JSON text, "-" leaves one out. Times are seconds from now. */
struct token_case {
    const char *name;
    enum signer signer;
    const char *head, *iss, *sub, *aud, *more;
    int64_t exp, nbf;
    bool no_exp;
};

static void add_part(struct buf *out, const char *text) { base64url_encode(out, text, strlen(text)); }

static void add_member(struct buf *out, const char *name, const char *given, const char *usual) {
    const char *v = given ? given : usual;
    if (strcmp(v, "-") != 0) buf_printf(out, "%s\"%s\":%s", out->len > 1 ? "," : "", name, v);
}

static void sign(struct buf *out, enum signer signer) {
    cleanup_buf struct buf signature = {0};
    uint8_t mac[32];
    if (signer == BY_PUBLIC_KEY) {
        cleanup_free char *pem = pki_key_public_pem(key);
        hmac_sha256(pem, strlen(pem), out->data, out->len, mac);
        buf_add(&signature, mac, sizeof(mac));
    } else if (signer != UNSIGNED) {
        OK(pki_sign(signer == BY_NEXT ? next_key : signer == BY_STRANGER ? stranger : signer == BY_EC ? ec : key, out->data, out->len, &signature));
    }
    buf_addc(out, '.');
    if (signature.len > 0) base64url_encode(out, signature.data, signature.len);
}

static const char *token_of(struct arena *a, const struct token_case *t) {
    cleanup_buf struct buf claims = {0}, out = {0};
    long long now = (long long)(clock_wall(&clock_real) / NSEC_PER_SEC);
    buf_addc(&claims, '{');
    add_member(&claims, "iss", t->iss, arena_printf(a, "\"%s\"", issuer));
    add_member(&claims, "sub", t->sub, "\"jane\"");
    add_member(&claims, "aud", t->aud, "\"kubernetes\"");
    if (!t->no_exp) add_member(&claims, "exp", NULL, arena_printf(a, "%lld", now + (t->exp ? t->exp : 600)));
    if (t->nbf) add_member(&claims, "nbf", NULL, arena_printf(a, "%lld", now + t->nbf));
    if (t->more) buf_adds(&claims, t->more);
    buf_addc(&claims, '}');
    add_part(&out, t->head ? t->head : "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    buf_addc(&out, '.');
    add_part(&out, claims.data);
    sign(&out, t->signer);
    return arena_strdup(a, out.data);
}

/* The user's name and groups, "name|group,group", or NULL with *why. */
static const char *sign_in(struct apiserver *s, struct arena *a, const char *token, const char **why) {
    struct user u = {0};
    cleanup_buf struct buf b = {0};
    if (!authn_token(s, a, token, NULL, &u, NULL, why)) return NULL;
    buf_printf(&b, "%s|", u.name);
    for (size_t i = 0; u.groups[i]; i++) buf_printf(&b, "%s%s", i ? "," : "", u.groups[i]);
    for (size_t i = 0; i < u.extra_count; i++) buf_printf(&b, "|%s", u.extra[i].values[0]);
    return arena_strdup(a, b.data);
}

static void expect(struct apiserver *s, const struct token_case *t, const char *user) {
    cleanup_arena struct arena a = {0};
    const char *why = NULL, *got = sign_in(s, &a, token_of(&a, t), &why);
    if (user && got == NULL) fail_msg("%s: refused: %s", t->name, why);
    if (user == NULL && got) fail_msg("%s: accepted: %s", t->name, got);
    if (user) assert_string_equal(got, user);
}

/* ---- tests ---- */

static void good_tokens_have_prefixed_users_and_groups(void **state UNUSED) {
    static const struct { struct oidc_provider flags; struct token_case token; const char *user; } cases[] = {
        {{.username_prefix = "-"}, {.name = "no prefix"}, "jane|system:authenticated"},
        {{.username_prefix = "oidc:"}, {.name = "a prefix"}, "oidc:jane|system:authenticated"},
        {{.username_claim = "email"}, {.name = "email", .more = ",\"email\":\"j@x\""}, "j@x|system:authenticated"},
        {{.username_claim = "email", .username_prefix = "p:"}, {.name = "email verified", .more = ",\"email\":\"j@x\",\"email_verified\":true"}, "p:j@x|system:authenticated"},
        {{.username_prefix = "-", .groups_claim = "groups", .groups_prefix = "g:"}, {.name = "groups", .more = ",\"groups\":[\"a\",\"b\"]"}, "jane|g:a,g:b,system:authenticated"},
        {{.username_prefix = "-", .groups_claim = "https://x/roles"}, {.name = "one group", .more = ",\"https://x/roles\":\"a\""}, "jane|a,system:authenticated"},
        {{.username_prefix = "-", .groups_claim = "groups"}, {.name = "no groups"}, "jane|system:authenticated"},
        {{.username_prefix = "-", .groups_claim = "groups"}, {.name = "null groups", .more = ",\"groups\":null"}, "jane|system:authenticated"},
        {{.username_prefix = "-"}, {.name = "a list of audiences", .aud = "[\"other\",\"kubernetes\"]"}, "jane|system:authenticated"},
        {{.username_prefix = "-"}, {.name = "a token's id", .more = ",\"jti\":\"17\""}, "jane|system:authenticated|JTI=17"},
        {{.username_prefix = "-"}, {.name = "no key id", .head = "{\"alg\":\"RS256\"}"}, "jane|system:authenticated"},
        {{.username_prefix = "-"}, {.name = "not before soon", .nbf = 30}, "jane|system:authenticated"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct apiserver *s = server_with(cases[i].flags);
        expect(s, &cases[i].token, cases[i].user);
        end(s);
    }
    struct apiserver *s = server_with((struct oidc_provider){0});
    expect(s, &(struct token_case){.name = "the issuer as prefix"}, arena_printf(&texts, "%s#jane|system:authenticated", issuer));
    end(s);
}

static const struct token_case negatives[] = {
    {"alg none", UNSIGNED, .head = "{\"alg\":\"none\"}"},
    {"alg none, signed", .head = "{\"alg\":\"none\",\"kid\":\"one\"}"},
    {"HS256 with the public key", BY_PUBLIC_KEY, .head = "{\"alg\":\"HS256\",\"kid\":\"one\"}"},
    {"HS256 said to be RS256", BY_PUBLIC_KEY},
    {"an algorithm that is not in the list", BY_EC, .head = "{\"alg\":\"ES256\",\"kid\":\"ec\"}"},
    {"a wrong key", BY_STRANGER},
    {"a wrong key without id", BY_STRANGER, .head = "{\"alg\":\"RS256\"}"},
    {"an unknown key id", .head = "{\"alg\":\"RS256\",\"kid\":\"nobody\"}"},
    {"a key of the token's own", BY_STRANGER, .head = "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}}"},
    {"not signed", UNSIGNED},
    {"another audience", .aud = "\"other\""},
    {"another list of audiences", .aud = "[\"other\",\"kubernetes2\"]"},
    {"no audience", .aud = "-"},
    {"an audience that is a number", .aud = "5"},
    {"expired", .exp = -1},
    {"no expiry", .no_exp = true},
    {"not valid yet", .nbf = 120},
    {"another issuer", .iss = "\"https://other.example.com\""},
    {"the issuer with a slash", .iss = "\"https://localhost/\""},
    {"no issuer", .iss = "-"},
    {"no name", .sub = "-"},
    {"an empty name", .sub = "\"\""},
    {"a name that is a list", .sub = "[\"jane\"]"},
    {"a doubled name", .more = ",\"sub\":\"admin\""},
    {"a wrong required claim", .more = ",\"hd\":\"other\""},
    {"a required claim that is a list", .more = ",\"hd\":[\"example.com\"]"},
    {"no required claim", .more = ",\"x\":\"example.com\""},
    {"groups that are a number", .more = ",\"hd\":\"example.com\",\"groups\":5"},
    {"a group that is a number", .more = ",\"hd\":\"example.com\",\"groups\":[\"a\",5]"},
    {"groups that are kept elsewhere", .more = ",\"hd\":\"example.com\",\"_claim_names\":{\"groups\":\"src\"},\"_claim_sources\":{\"src\":{\"endpoint\":\"https://x\"}}"},
    {"critical extensions", .head = "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"exp\"]}"},
};

static void what_is_wrong_is_refused(void **state UNUSED) {
    struct apiserver *s = server_with((struct oidc_provider){.groups_claim = "groups", .required_claims = json_make(&texts, "{'hd':'example.com'}")});
    expect(s, &(struct token_case){.name = "good", .more = ",\"hd\":\"example.com\",\"groups\":[\"a\"]"}, arena_printf(&texts, "%s#jane|a,system:authenticated", issuer));
    for (size_t i = 0; i < ARRAY_LEN(negatives); i++) {
        struct token_case t = negatives[i];
        if (t.more == NULL) t.more = ",\"hd\":\"example.com\"";
        expect(s, &t, NULL);
    }
    end(s);
}

static void an_email_must_be_verified(void **state UNUSED) {
    static const char *const unverified[] = {",\"email\":\"j@x\",\"email_verified\":false", ",\"email\":\"j@x\",\"email_verified\":\"true\"", ",\"email\":\"j@x\",\"email_verified\":null", ",\"email_verified\":true"};
    struct apiserver *s = server_with((struct oidc_provider){.username_claim = "email"});
    for (size_t i = 0; i < ARRAY_LEN(unverified); i++) expect(s, &(struct token_case){.name = unverified[i], .more = unverified[i]}, NULL);
    end(s);
}

static void algorithms_are_those_of_the_list(void **state UNUSED) {
    struct apiserver *s = server_with((struct oidc_provider){.username_prefix = "-", .signing_algs = (const char *const[]){"ES256", "PS256", NULL}});
    expect(s, &(struct token_case){"ES256", BY_EC, .head = "{\"alg\":\"ES256\",\"kid\":\"ec\"}"}, "jane|system:authenticated");
    expect(s, &(struct token_case){"RS256", .head = "{\"alg\":\"RS256\",\"kid\":\"one\"}"}, NULL);
    expect(s, &(struct token_case){"PS256 over another padding", .head = "{\"alg\":\"PS256\",\"kid\":\"one\"}"}, NULL);
    end(s);
}

static void a_new_key_is_found_and_an_issuer_that_is_away_keeps_its_keys(void **state UNUSED) {
    struct apiserver *s = server_with((struct oidc_provider){.username_prefix = "-"});
    const struct token_case by_next = {"the next key", BY_NEXT, .head = "{\"alg\":\"RS256\",\"kid\":\"two\"}"}, good = {.name = "good"};
    expect(s, &good, "jane|system:authenticated");
    expect(s, &by_next, NULL);
    rotated = true;
    int before = asked;
    expect(s, &by_next, NULL); /* asked a moment ago */
    assert_int_equal(asked, before);
    later += SECONDS(31);
    expect(s, &by_next, "jane|system:authenticated");
    away = true;
    later += SECONDS(3600);
    expect(s, &good, "jane|system:authenticated");
    assert_true(asked > before);
    away = rotated = false;
    end(s);
}

static void wrong_flags_are_refused(void **state UNUSED) {
    static const struct { struct oidc_provider p; const char *text; } cases[] = {
        {{.issuer = "https://x"}, "must be specified together"}, {{.client_id = "x"}, "must be specified together"}, {{.groups_claim = "groups"}, "must be specified together"},
        {{.issuer = "http://x", .client_id = "c"}, "URL scheme must be https"}, {{.issuer = "https://u@x", .client_id = "c"}, "username or password"},
        {{.issuer = "https://x?a", .client_id = "c"}, "query"}, {{.issuer = "https://x#a", .client_id = "c"}, "fragment"},
        {{.issuer = "https://kubernetes.default.svc", .client_id = "c"}, "disallowed issuers"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct apiserver *s = NULL;
        struct apiserver_config c = {.store = store, .client_loop = client_loop, .oidc = cases[i].p};
        cleanup_error struct error *e = apiserver_new(&c, &s);
        if (e == NULL || strstr(e->message, cases[i].text) == NULL) fail_msg("case %zu: %s", i, e ? e->message : "accepted");
    }
    struct apiserver *s = NULL;
    struct apiserver_config c = {.store = store, .client_loop = client_loop, .oidc = {.issuer = "https://x", .client_id = "c", .signing_algs = (const char *const[]){"HS256", NULL}}};
    cleanup_error struct error *e = apiserver_new(&c, &s);
    assert_string_equal(e->message, "oidc: unsupported signing alg: \"HS256\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tokens_have_prefixed_users_and_groups), cmocka_unit_test(what_is_wrong_is_refused), cmocka_unit_test(an_email_must_be_verified),
        cmocka_unit_test(algorithms_are_those_of_the_list), cmocka_unit_test(a_new_key_is_found_and_an_issuer_that_is_away_keeps_its_keys), cmocka_unit_test(wrong_flags_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
