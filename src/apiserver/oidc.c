/* OpenID Connect tokens of one foreign issuer (apiserver/plugin/pkg/authenticator/token/oidc): named by flags, or by whoever
 * provides one at run time. The issuer's keys are fetched over TLS; nothing is asked of any other issuer. */
#include "apiserver/auth.h"
#include "net/issuer_keys.h"

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
        if (!json_str_is(json_member(j->claims, m->key), NULL, json_str_or(&m->value, NULL, ""))) return arena_printf(a, "oidc: required claim %s is not as required", m->key);
    }
    return NULL;
}

/* "-" is no prefix; without one, names of any claim but email are the issuer's. */
static const char *username_prefix(struct arena *a, const struct oidc_provider *p) {
    if (p->username_prefix && strcmp(p->username_prefix, "-") == 0) return "";
    if (p->username_prefix && *p->username_prefix) return p->username_prefix;
    return strcmp(p->username_claim, "email") == 0 ? "" : arena_printf(a, "%s#", p->issuer);
}

static const char *const *groups_of(struct arena *a, const struct oidc_provider *p, const struct jwt *j) {
    const struct json *v = p->groups_claim && *p->groups_claim ? json_member(j->claims, p->groups_claim) : NULL;
    const char *prefix = p->groups_prefix ? p->groups_prefix : "", *const *out = NULL;
    if (json_is(v, JSON_STRING)) out = strings_add(a, out, arena_printf(a, "%s%s", prefix, json_str(v, NULL)));
    JSON_EACH(g, v) {
        if (json_is(g, JSON_STRING)) out = strings_add(a, out, arena_printf(a, "%s%s", prefix, json_str(g, NULL)));
    }
    return out;
}

static bool read_user(struct arena *a, const struct oidc_provider *p, const struct jwt *j, struct user *out, const char **why) {
    const char *name = json_str(json_member(j->claims, p->username_claim), NULL);
    const struct json *verified = json_member(j->claims, "email_verified");
    if (name == NULL || *name == '\0') return *why = arena_printf(a, "oidc: parse username claims \"%s\": claim not present", p->username_claim), false;
    if (strcmp(p->username_claim, "email") == 0 && verified && !json_bool(verified, NULL, false)) return *why = "oidc: email not verified", false;
    if ((*why = required_claims_problem(a, p, j)) != NULL) return false;
    *out = user_with_groups(a, arena_printf(a, "%s%s", username_prefix(a, p), name), groups_of(a, p, j), "system:authenticated");
    return true;
}

static bool authenticate(struct arena *a, const char *token, struct user *out, const char **why, void *arg) {
    struct oidc *o = arg;
    struct oidc_provider p;
    struct jwt j;
    if (!o->provider(a, &p, o->arg) || jwt_parse(a, token, &j) != NULL || !str_eq(jwt_issuer(&j), p.issuer)) return false;
    struct jwt_expected x = {.issuer = p.issuer, .audiences = (const char *const[]){p.client_id, NULL}, .now = clock_wall(o->server->clock), .skew = SECONDS(60)};
    if (p.username_claim == NULL || *p.username_claim == '\0') p.username_claim = "sub";
    if (jwt_check(a, &j, &x, why) != JWT_GOOD) return *why = arena_printf(a, "oidc: verify token: %s", *why), false;
    return issuer_keys_verify(o->keys, a, p.issuer, &j, why) && read_user(a, &p, &j, out, why);
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

struct error *oidc_from_flags(struct apiserver *s) {
    const struct oidc_provider *p = &s->config.oidc;
    if (p->issuer == NULL) return p->client_id ? error_new("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set") : NULL;
    if (p->client_id == NULL) return error_new("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set");
    if (!str_starts(p->issuer, "https://")) return error_new("--oidc-issuer-url: URL scheme must be https");
    if (strcmp(p->issuer, s->config.issuer) == 0) return error_new("--oidc-issuer-url: is the issuer of the cluster's own service account tokens");
    return apiserver_add_oidc(s, from_flags, s);
}
