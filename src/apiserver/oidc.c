/* OpenID Connect tokens of one foreign issuer (apiserver/plugin/pkg/authenticator/token/oidc): named by flags, or by whoever
 * provides one at run time. The issuer's keys are fetched over TLS; nothing is asked of any other issuer. */
#include "apiserver/auth.h"
#include "net/issuer_keys.h"

/* What --oidc-signing-algs may name. */
static const char *const signing_algorithms[] = {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", NULL};

struct oidc {
    struct apiserver *server;
    struct issuer_keys *keys;
    apiserver_oidc_fn *provider;
    void *arg;
};

static bool from_flags(struct arena *a, struct oidc_provider *out, void *arg) {
    const struct apiserver *s = arg;
    (void)a;
    *out = s->config.oidc;
    return true;
}

static bool applies(void *arg) {
    struct oidc *o = arg;
    struct oidc_provider p;
    cleanup_arena struct arena a = {0};
    return o->provider(&a, &p, o->arg);
}

/* ---- claims ---- */

static const char *required_claims_problem(struct arena *a, const struct oidc_provider *p, const struct jwt *j) {
    JSON_EACH_MEMBER(m, p->required_claims) {
        const struct json *v = json_member(j->claims, m->key);
        const char *want = json_str_or(&m->value, NULL, ""), *got = json_str(v, NULL);
        if (v == NULL) return arena_printf(a, "oidc: required claim %s not present in ID token", m->key);
        if (got == NULL) return arena_printf(a, "oidc: parse claim %s: no string", m->key);
        if (strcmp(got, want) != 0) return arena_printf(a, "oidc: required claim %s value does not match. Got = %.200s, want = %s", m->key, got, want);
    }
    return NULL;
}

/* "-" is no prefix; without one, names of any claim but email are the issuer's. */
static const char *username_prefix(struct arena *a, const struct oidc_provider *p) {
    if (p->username_prefix && strcmp(p->username_prefix, "-") == 0) return "";
    if (p->username_prefix && *p->username_prefix) return p->username_prefix;
    return strcmp(p->username_claim, "email") == 0 ? "" : arena_printf(a, "%s#", p->issuer);
}

static const char *read_name(struct arena *a, const struct oidc_provider *p, const struct jwt *j, const char **out) {
    const struct json *v = json_member(j->claims, p->username_claim), *verified = json_member(j->claims, "email_verified");
    const char *name = json_str(v, NULL);
    if (v == NULL) return arena_printf(a, "oidc: parse username claims \"%s\": claim not present", p->username_claim);
    if (name == NULL || *name == '\0') return arena_printf(a, "oidc: parse username claims \"%s\": no name", p->username_claim);
    if (strcmp(p->username_claim, "email") == 0 && verified) {
        if (!json_is(verified, JSON_BOOL)) return "oidc: parse 'email_verified' claim: no boolean";
        if (!json_bool(verified, NULL, false)) return "oidc: email not verified";
    }
    *out = arena_printf(a, "%s%s", username_prefix(a, p), name);
    return NULL;
}

/* A string, or a list of strings. A claim that is kept elsewhere (_claim_names) must not pass for an absent one. */
static const char *read_groups(struct arena *a, const struct oidc_provider *p, const struct jwt *j, const char *const **out) {
    if (p->groups_claim == NULL || *p->groups_claim == '\0') return NULL;
    const struct json *v = json_member(j->claims, p->groups_claim), *one;
    const char *prefix = p->groups_prefix ? p->groups_prefix : "";
    if (v == NULL && json_member(json_member(j->claims, "_claim_names"), p->groups_claim)) return "oidc: could not expand distributed claims: they are not read here";
    if (v == NULL || json_is(v, JSON_NULL)) return NULL;
    if (json_is(v, JSON_STRING)) v = json_append(a, &json_empty_array, v);
    for (size_t i = 0; (one = json_at(v, i)) != NULL && json_is(one, JSON_STRING); i++) *out = strings_add(a, *out, arena_printf(a, "%s%s", prefix, json_str(one, NULL)));
    if (!json_is(v, JSON_ARRAY) || one != NULL) return arena_printf(a, "oidc: parse groups claim \"%s\": neither a string nor a list of strings", p->groups_claim);
    return NULL;
}

static bool read_user(struct arena *a, const struct oidc_provider *p, const struct jwt *j, struct user *out, const char **why) {
    const char *name = NULL, *jti = json_str(json_member(j->claims, "jti"), NULL), *const *groups = NULL;
    if ((*why = read_name(a, p, j, &name)) || (*why = read_groups(a, p, j, &groups)) || (*why = required_claims_problem(a, p, j))) return false;
    *out = user_with_groups(a, name, groups, "system:authenticated");
    if (jti && *jti) user_add_credential(a, out, arena_printf(a, "JTI=%s", jti));
    return true;
}

/* Whose token is it? Asked before anything else of it counts, the algorithm included. */
static bool issued_by(struct arena *a, const char *token, const char *issuer, struct jwt *j) {
    return jwt_parse_algs(a, token, signing_algorithms, j) == NULL && str_eq(jwt_issuer(j), issuer);
}

static bool authenticate(struct arena *a, const char *token, struct user *out, const char **why, void *arg) {
    static const char *const usual[] = {"RS256", NULL};
    struct oidc *o = arg;
    struct oidc_provider p;
    struct jwt j;
    if (!o->provider(a, &p, o->arg) || !issued_by(a, token, p.issuer, &j)) return false;
    struct jwt_expected x = {.issuer = p.issuer, .audiences = (const char *const[]){p.client_id, NULL}, .now = clock_wall(o->server->clock), .skew = SECONDS(60)};
    if (p.username_claim == NULL || *p.username_claim == '\0') p.username_claim = "sub";
    if (!str_in(j.alg, p.signing_algs ? p.signing_algs : usual)) return *why = arena_printf(a, "oidc: verify token: id token signed with unsupported algorithm %s", j.alg), false;
    if (jwt_check(a, &j, &x, why) != JWT_GOOD) return *why = arena_printf(a, "oidc: verify token: %s", *why), false;
    if (!issuer_keys_verify(o->keys, a, p.issuer, &j, why)) return *why = arena_printf(a, "oidc: verify token: %s", *why), false;
    return read_user(a, &p, &j, out, why);
}

/* ---- setting up ---- */

static struct error *make_keys(struct apiserver *s, struct issuer_keys **out) {
    struct tls_config *tls;
    TRY(tls_config_client(&(struct tls_options){.ca = s->config.oidc_ca}, &tls));
    *out = issuer_keys_new(s->client, tls, s->clock);
    tls_config_unref(tls);
    return NULL;
}

struct error *apiserver_add_oidc(struct apiserver *s, apiserver_oidc_fn *provider, void *arg) {
    if (s->client == NULL) return error_new("OpenID Connect needs a way to the issuer");
    struct oidc *o = ARENA_NEW(&s->arena, struct oidc);
    if (s->issuer_keys == NULL) TRY(make_keys(s, &s->issuer_keys));
    *o = (struct oidc){s, s->issuer_keys, provider, arg};
    apiserver_add_token_authenticator(s, &(struct apiserver_token_authenticator){.prefix = "ey", .authenticate = authenticate, .applies = applies, .blocks = true, .arg = o});
    return NULL;
}

static bool any_flag(const struct apiserver *s) {
    const struct oidc_provider *p = &s->config.oidc;
    return p->issuer || p->client_id || p->username_prefix || p->groups_claim || p->groups_prefix || json_len(p->required_claims) > 0 || s->config.oidc_ca;
}

static struct error *check_issuer(const struct apiserver *s, const char *issuer) {
    if (!str_starts(issuer, "https://")) return error_new("--oidc-issuer-url: \"%s\": URL scheme must be https", issuer);
    if (strchr(issuer, '@')) return error_new("--oidc-issuer-url: URL must not contain a username or password");
    if (strchr(issuer, '?')) return error_new("--oidc-issuer-url: \"%s\": URL must not contain a query", issuer);
    if (strchr(issuer, '#')) return error_new("--oidc-issuer-url: \"%s\": URL must not contain a fragment", issuer);
    if (strcmp(issuer, s->config.issuer) == 0) return error_new("--oidc-issuer-url: \"%s\": URL must not overlap with disallowed issuers: [%s]", issuer, s->config.issuer);
    return NULL;
}

struct error *oidc_from_flags(struct apiserver *s) {
    const struct oidc_provider *p = &s->config.oidc;
    if (!any_flag(s)) return NULL;
    if (p->issuer == NULL || p->client_id == NULL) return error_new("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set");
    TRY(check_issuer(s, p->issuer));
    for (size_t i = 0; p->signing_algs && p->signing_algs[i]; i++) {
        if (!str_in(p->signing_algs[i], signing_algorithms)) return error_new("oidc: unsupported signing alg: \"%s\"", p->signing_algs[i]);
    }
    return apiserver_add_oidc(s, from_flags, s);
}
