#include "net/jwt.h"
#include "base/clock.h"
#include "base/str.h"

static const char *const algorithms[] = {"RS256", "ES256", NULL};

static const char *read_part(struct arena *a, const char *p, size_t n, const struct json **out) {
    char *text;
    size_t len;
    struct json_array twice = {.arena = a};
    if (!base64url_decode(a, p, n, &text, &len)) return "a part is not base64url";
    cleanup_error struct error *e = json_parse(a, text, len, &(struct json_limits){.max_depth = 16, .max_elements = 2000}, &twice, out);
    if (e != NULL || !json_is(*out, JSON_OBJECT)) return "a part is no JSON object";
    return twice.len > 0 ? "a member is there twice" : NULL;
}

const char *jwt_parse(struct arena *a, const char *token, struct jwt *out) { return jwt_parse_algs(a, token, algorithms, out); }

const char *jwt_parse_algs(struct arena *a, const char *token, const char *const *algs, struct jwt *out) {
    if (strnlen(token, JWT_MAX + 1) > JWT_MAX) return "the token is too large";
    const char *dot = strchr(token, '.'), *dot2 = dot ? strchr(dot + 1, '.') : NULL, *why;
    if (dot2 == NULL || strchr(dot2 + 1, '.') != NULL) return "not three parts";
    *out = (struct jwt){.text = token, .signed_len = (size_t)(dot2 - token)};
    if ((why = read_part(a, token, (size_t)(dot - token), &out->head)) != NULL) return why;
    if ((why = read_part(a, dot + 1, (size_t)(dot2 - dot - 1), &out->claims)) != NULL) return why;
    char *signature;
    if (!base64url_decode(a, dot2 + 1, strlen(dot2 + 1), &signature, &out->signature_len)) return "the signature is not base64url";
    out->signature = signature;
    out->alg = json_str_or(out->head, "alg", "");
    out->kid = json_str(out->head, "kid");
    if (!str_in(out->alg, algs)) return arena_printf(a, "the algorithm \"%.20s\" is not accepted", out->alg);
    if (json_member(out->head, "kid") != NULL && out->kid == NULL) return "the key id is no string";
    if (json_member(out->head, "crit") != NULL) return "it demands extensions (crit)";
    return out->signature_len == 0 ? "it is not signed" : NULL;
}

bool jwt_signed_by(const struct jwt *j, const struct pki_key *k) {
    return pki_verify(k, j->alg, j->text, j->signed_len, j->signature, j->signature_len);
}

const char *jwt_issuer(const struct jwt *j) { return json_str_or(json_member(j->claims, "iss"), NULL, ""); }

bool jwt_has_audience(const struct jwt *j, const char *audience) {
    const struct json *aud = json_member(j->claims, "aud");
    if (json_str_is(aud, NULL, audience)) return true;
    JSON_EACH(v, aud) {
        if (json_str_is(v, NULL, audience)) return true;
    }
    return false;
}

/* A NumericDate in ns; whole seconds, as everybody writes them. False if it is there but none. */
static bool numeric_date(const struct jwt *j, const char *claim, bool *present, int64_t *out) {
    const struct json *v = json_member(j->claims, claim);
    *present = v != NULL;
    if (v == NULL) return true;
    int64_t seconds = v->type == JSON_DOUBLE && v->d > 0 && v->d < 1e10 ? (int64_t)v->d : json_is(v, JSON_INT) ? v->i : -1;
    if (seconds < 0 || seconds >= INT64_C(9000000000)) return false; /* beyond what nanoseconds can count */
    *out = SECONDS(seconds);
    return true;
}

static bool audience_form(const struct json *aud) {
    if (json_is(aud, JSON_STRING)) return true;
    JSON_EACH(v, aud) {
        if (!json_is(v, JSON_STRING)) return false;
    }
    return json_is(aud, JSON_ARRAY) && json_len(aud) > 0;
}

static enum jwt_problem check_times(const struct jwt *j, const struct jwt_expected *x, const char **why) {
    bool has_exp, has_nbf, has_iat;
    int64_t exp = 0, nbf = 0, iat = 0;
    *why = "exp, nbf or iat is missing or no date";
    if (!numeric_date(j, "exp", &has_exp, &exp) || !numeric_date(j, "nbf", &has_nbf, &nbf) || !numeric_date(j, "iat", &has_iat, &iat)) return JWT_MALFORMED;
    if (!has_exp) return JWT_MALFORMED;
    if (x->now >= exp) return *why = "the token has expired", JWT_EXPIRED;
    *why = "the token is not valid yet";
    if ((has_nbf && nbf > x->now + x->skew) || (has_iat && iat > x->now + x->skew)) return JWT_NOT_YET;
    return *why = "", JWT_GOOD;
}

enum jwt_problem jwt_check(struct arena *a, const struct jwt *j, const struct jwt_expected *x, const char **why) {
    if (!json_is(json_member(j->claims, "iss"), JSON_STRING)) return *why = "iss is no string", JWT_MALFORMED;
    if (!str_eq(jwt_issuer(j), x->issuer)) return *why = arena_printf(a, "issued by \"%.200s\", not \"%s\"", jwt_issuer(j), x->issuer), JWT_WRONG_ISSUER;
    if (!audience_form(json_member(j->claims, "aud"))) return *why = "aud is neither a string nor a list of strings", JWT_MALFORMED;
    bool meant = false;
    for (size_t i = 0; x->audiences[i] != NULL && !meant; i++) meant = jwt_has_audience(j, x->audiences[i]);
    if (!meant) return *why = "meant for another audience", JWT_WRONG_AUDIENCE;
    return check_times(j, x, why);
}
