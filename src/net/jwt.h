/* JSON Web Tokens from anybody (RFC 7519 over RFC 7515): read, and checked for signature and claims. Hostile input: sizes
 * and depth are bounded, doubled members are refused, and only algorithms of a list pass, RS256 and ES256 unless told otherwise
 * (so neither "none" nor a public key taken for an HMAC secret can). No I/O, no state: any thread. */
#pragma once
#include "json/json.h"
#include "net/pki.h"

#define JWT_MAX (16 * 1024)

struct jwt {
    const struct json *head, *claims; /* objects */
    const char *alg, *kid;            /* alg is one of the list; kid is NULL if absent */
    const char *text;                 /* borrowed */
    size_t signed_len;
    const char *signature;
    size_t signature_len;
};
/* NULL: *out is filled, nothing of it is verified yet. Else what is wrong, for logs. */
MUST_CHECK const char *jwt_parse(struct arena *a, const char *token, struct jwt *out);
/* The same with other algorithms, of those that pki_verify knows; ends with NULL. */
MUST_CHECK const char *jwt_parse_algs(struct arena *a, const char *token, const char *const *algs, struct jwt *out);
bool jwt_signed_by(const struct jwt *j, const struct pki_key *k);
/* The issuer, "" if it is no string. */
const char *jwt_issuer(const struct jwt *j);

enum jwt_problem { JWT_GOOD, JWT_MALFORMED, JWT_WRONG_ISSUER, JWT_WRONG_AUDIENCE, JWT_EXPIRED, JWT_NOT_YET };
struct jwt_expected {
    const char *issuer;
    const char *const *audiences; /* one of them must be there; ends with NULL */
    int64_t now, skew;            /* ns; how far nbf and iat may lie ahead */
};
/* exp is mandatory; nbf and iat count where they are. *why (never NULL afterwards) explains a problem. */
enum jwt_problem jwt_check(struct arena *a, const struct jwt *j, const struct jwt_expected *x, const char **why);
/* Is `audience` the token's, or one of its list? */
bool jwt_has_audience(const struct jwt *j, const char *audience);
