/* Keys of OpenID Connect issuers, from a server that can be told to misbehave. */
#include "net/issuer_keys.h"
#include "net_fixture.h"

static struct fixture f;
static struct http_client *client;
static struct tls_config *tls, *strangers;
static struct pki_key *key, *next_key;
static const char *issuer;
static struct arena texts;
static _Atomic int asked;
static enum { WELL, OTHER_ISSUER, PLAIN_JWKS, REDIRECT, HUGE_ANSWER, NO_JSON, ROTATED } mood;

static const struct json *jwk(struct arena *a, const struct pki_key *k, const char *kid) {
    struct pki_jwk j = {0};
    OK(pki_jwk_export(k, a, &j));
    return json_make(a, "{'use':'sig','alg':'RS256','kty':%s,'kid':%s,'n':%s,'e':%s}", j.kty, kid, j.n, j.e);
}

static void reply(struct http_exchange *x, int status, const struct json *v) {
    const char *text = json_text(&x->arena, v);
    http_reply(x, status, NULL, 0, text, strlen(text), NULL, NULL);
}

static void handle(struct http_exchange *x, void *arg UNUSED) {
    asked++;
    if (strcmp(x->path, "/keys") == 0) return reply(x, 200, json_make(&x->arena, "{'keys':[%v,%v]}", jwk(&x->arena, key, "one"), mood == ROTATED ? jwk(&x->arena, next_key, "two") : NULL));
    if (strcmp(x->path, "/.well-known/openid-configuration") != 0) return reply(x, 404, &json_null);
    if (mood == REDIRECT) return http_reply(x, 302, (struct http_header[]){{"location", "/elsewhere"}}, 1, "", 0, NULL, NULL);
    if (mood == NO_JSON) return http_reply(x, 200, NULL, 0, "<html>", 6, NULL, NULL);
    if (mood == HUGE_ANSWER) {
        size_t n = 300 * 1024;
        char *spaces = memset(arena_alloc(&x->arena, n), ' ', n);
        return http_reply(x, 200, NULL, 0, spaces, n, NULL, NULL);
    }
    const char *keys = arena_printf(&x->arena, "%s://localhost:%d/keys", mood == PLAIN_JWKS ? "http" : "https", f.port);
    reply(x, 200, json_make(&x->arena, "{'issuer':%s,'jwks_uri':%s}", mood == OTHER_ISSUER ? "https://other" : issuer, keys));
}

static int set_up(void **state UNUSED) {
    fixture_up(&f, true, (struct http_server_config){.handler = handle});
    client = http_client_new(f.loop);
    key = pki_key_new(PKI_RSA2048);
    next_key = pki_key_new(PKI_RSA2048);
    issuer = arena_printf(&texts, "https://localhost:%d", f.port);
    struct pki_pair other = new_ca("other");
    OK(tls_config_client(&(struct tls_options){.ca = f.ca.cert}, &tls));
    OK(tls_config_client(&(struct tls_options){.ca = other.cert}, &strangers));
    pki_pair_free(&other);
    return 0;
}

static int tear_down(void **state UNUSED) {
    http_client_close(client);
    fixture_down(&f);
    tls_config_unref(tls);
    tls_config_unref(strangers);
    pki_key_free(key);
    pki_key_free(next_key);
    arena_free(&texts);
    return 0;
}

static const char *token(struct arena *a, const struct pki_key *k, const char *kid) {
    struct buf out = {0}, signature = {0};
    const char *head = json_text(a, json_make(a, "{'alg':'RS256','kid':%s}", kid)), *claims = json_text(a, json_make(a, "{'iss':%s,'sub':'s'}", issuer));
    base64url_encode(&out, head, strlen(head));
    buf_addc(&out, '.');
    base64url_encode(&out, claims, strlen(claims));
    OK(pki_sign(k, out.data, out.len, &signature));
    buf_addc(&out, '.');
    base64url_encode(&out, signature.data, signature.len);
    const char *text = arena_strdup(a, out.data);
    buf_free(&out);
    buf_free(&signature);
    return text;
}

static bool verifies(struct issuer_keys *k, const struct pki_key *by, const char *kid, const char **why) {
    static struct arena a;
    struct jwt j;
    arena_reset(&a);
    assert_null(jwt_parse(&a, token(&a, by, kid), &j));
    bool good = issuer_keys_verify(k, &a, issuer, &j, why);
    if (!good) *why = arena_strdup(&texts, *why);
    return good;
}

static void keys_are_fetched_once_and_kept(void **state UNUSED) {
    const char *why;
    struct issuer_keys *k = issuer_keys_new(client, tls, &clock_real);
    mood = WELL;
    asked = 0;
    for (int i = 0; i < 5; i++) assert_true(verifies(k, key, "one", &why));
    assert_int_equal(asked, 2);
    assert_false(verifies(k, next_key, "one", &why));
    assert_false(verifies(k, next_key, "unknown", &why));
    assert_int_equal(asked, 2); /* unknown keys do not make it ask again at once */
    issuer_keys_free(k);
}

static void a_new_key_is_found_after_a_while(void **state UNUSED) {
    const char *why;
    struct clock_virtual clock;
    clock_virtual_init(&clock, SECONDS(1000));
    struct issuer_keys *k = issuer_keys_new(client, tls, &clock.base);
    mood = WELL;
    assert_true(verifies(k, key, "one", &why));
    mood = ROTATED;
    assert_false(verifies(k, next_key, "two", &why));
    clock_virtual_set(&clock, SECONDS(1031));
    assert_true(verifies(k, next_key, "two", &why));
    issuer_keys_free(k);
}

static void an_issuer_that_misbehaves_is_not_believed(void **state UNUSED) {
    static const struct { int mood; const char *says; } cases[] = {
        {OTHER_ISSUER, "another issuer"}, {PLAIN_JWKS, "no https URL"}, {REDIRECT, "answered 302"}, {HUGE_ANSWER, ""}, {NO_JSON, "invalid character"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = NULL;
        struct issuer_keys *k = issuer_keys_new(client, tls, &clock_real);
        mood = cases[i].mood;
        assert_false(verifies(k, key, "one", &why));
        if (strstr(why, cases[i].says) == NULL) fail_msg("expected \"%s\" in: %s", cases[i].says, why);
        issuer_keys_free(k);
    }
    const char *why;
    mood = WELL;
    struct issuer_keys *k = issuer_keys_new(client, strangers, &clock_real);
    assert_false(verifies(k, key, "one", &why));
    assert_non_null(strstr(why, "cannot be read"));
    issuer_keys_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_fetched_once_and_kept), cmocka_unit_test(a_new_key_is_found_after_a_while), cmocka_unit_test(an_issuer_that_misbehaves_is_not_believed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
