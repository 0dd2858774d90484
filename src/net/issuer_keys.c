#include "net/issuer_keys.h"
#include "base/map.h"
#include "base/str.h"
#include "json/doc.h"
#include <pthread.h>
#include <stdio.h>

#define KEPT SECONDS(600)
#define ASK_AGAIN SECONDS(30)
#define TIMEOUT SECONDS(10)
#define MAX_BODY (256 * 1024)
#define MAX_KEYS 50

struct issuer {
    struct doc *jwks; /* NULL: never fetched */
    int64_t fetched, asked; /* monotonic */
};
struct issuer_keys {
    struct http_client *client;
    struct tls_config *tls;
    const struct clock *clock;
    pthread_mutex_t lock; /* issuers; never held while fetching */
    struct map issuers;
};

struct issuer_keys *issuer_keys_new(struct http_client *c, struct tls_config *tls, const struct clock *clock) {
    struct issuer_keys *k = xcalloc(1, sizeof(*k));
    *k = (struct issuer_keys){.client = c, .tls = tls_config_ref(tls), .clock = clock, .lock = PTHREAD_MUTEX_INITIALIZER};
    return k;
}

static void drop_issuer(void *p) {
    struct issuer *i = p;
    doc_unref(i->jwks);
    free(i);
}

void issuer_keys_free(struct issuer_keys *k) {
    if (k == NULL) return;
    map_free(&k->issuers, drop_issuer);
    tls_config_unref(k->tls);
    free(k);
}

/* ---- fetching ---- */

/* https://HOST[:PORT]/PATH; nothing else is asked. */
static struct error *split(struct arena *a, const char *url, struct net_target *target, const char **path) {
    if (!str_starts(url, "https://") || strpbrk(url, "@#\\ ")) return error_new("\"%.200s\" is no https URL", url);
    const char *host = url + 8, *end = host + strcspn(host, "/?"), *colon = memchr(host, ':', (size_t)(end - host));
    int64_t port = 443;
    if (colon && (!str_to_int64(arena_strndup(a, colon + 1, (size_t)(end - colon - 1)), &port) || port < 1 || port > 65535)) return error_new("\"%.200s\" has no valid port", url);
    *target = (struct net_target){.host = arena_strndup(a, host, (size_t)((colon ? colon : end) - host)), .port = (int)port};
    *path = *end == '/' ? end : "/";
    return *target->host ? NULL : error_new("\"%.200s\" has no host", url);
}

static struct error *fetch_json(struct issuer_keys *k, struct arena *a, const char *url, const struct json **out) {
    struct http_request r = {.timeout = TIMEOUT, .total_timeout = TIMEOUT, .no_reuse = true};
    struct http_header accept = {"accept", "application/json"};
    struct http_answer answer;
    TRY(split(a, url, &r.target, &r.path));
    r.target.tls = k->tls;
    r.headers = &accept;
    r.header_count = 1;
    TRY(http_fetch(k->client, a, &r, MAX_BODY, &answer));
    if (answer.status != 200) return error_new("%s answered %d", url, answer.status);
    struct error *e = json_parse(a, answer.body, answer.body_len, &(struct json_limits){.max_depth = 16, .max_elements = 10000}, NULL, out);
    return e ? error_wrap(e, "%s", url) : NULL;
}

static struct error *fetch_keys(struct issuer_keys *k, struct arena *a, const char *issuer, struct doc **out) {
    const struct json *discovery, *jwks;
    size_t n = strlen(issuer);
    const char *slash = n > 0 && issuer[n - 1] == '/' ? "" : "/";
    TRY(fetch_json(k, a, arena_printf(a, "%s%s.well-known/openid-configuration", issuer, slash), &discovery));
    if (!json_str_is(discovery, "issuer", issuer)) return error_new("the discovery document of %s is another issuer's", issuer);
    TRY(fetch_json(k, a, json_str_or(discovery, "jwks_uri", ""), &jwks));
    if (json_len(json_member(jwks, "keys")) > MAX_KEYS) return error_new("%s has more than %d keys", issuer, MAX_KEYS);
    *out = doc_new(jwks);
    return NULL;
}

/* ---- verifying ---- */

bool jwks_verify(const struct json *jwks, const struct jwt *j, const char **why) {
    *why = "the issuer has no such key";
    JSON_EACH(v, json_member(jwks, "keys")) {
        const char *use = json_str(v, "use"), *alg = json_str(v, "alg"), *kid = json_str(v, "kid");
        if ((use && !str_eq(use, "sig")) || (alg && !str_eq(alg, j->alg)) || (j->kid && !str_eq(kid, j->kid))) continue;
        struct pki_jwk jwk = {json_str(v, "kty"), json_str(v, "crv"), json_str(v, "n"), json_str(v, "e"), json_str(v, "x"), json_str(v, "y")};
        cleanup_pki_key struct pki_key *key = NULL;
        cleanup_error struct error *e = pki_jwk_import(&jwk, &key);
        if (e == NULL && jwt_signed_by(j, key)) return true;
        *why = "the signature is not right";
    }
    return false;
}

/* The keys as known; *fresh: asking again makes no sense now. */
static struct doc *known_keys(struct issuer_keys *k, const char *issuer, bool *old, bool *askable) {
    int64_t now = clock_monotonic(k->clock);
    pthread_mutex_lock(&k->lock);
    struct issuer *i = map_get(&k->issuers, issuer);
    if (i == NULL) {
        i = xcalloc(1, sizeof(*i));
        i->asked = now - ASK_AGAIN;
        map_set(&k->issuers, issuer, i);
    }
    struct doc *d = i->jwks ? doc_ref(i->jwks) : NULL;
    *old = d == NULL || now - i->fetched > KEPT;
    *askable = now - i->asked >= ASK_AGAIN;
    if (*askable) i->asked = now; /* who asked for it here asks the issuer now */
    pthread_mutex_unlock(&k->lock);
    return d;
}

static void keep(struct issuer_keys *k, const char *issuer, struct doc *jwks) {
    pthread_mutex_lock(&k->lock);
    struct issuer *i = map_get(&k->issuers, issuer);
    doc_unref(i->jwks);
    i->jwks = doc_ref(jwks);
    i->fetched = clock_monotonic(k->clock);
    pthread_mutex_unlock(&k->lock);
}

bool issuer_keys_verify(struct issuer_keys *k, struct arena *a, const char *issuer, const struct jwt *j, const char **why) {
    bool old, askable;
    cleanup_doc struct doc *known = known_keys(k, issuer, &old, &askable);
    if (known && (!old || !askable) && jwks_verify(known->root, j, why)) return true;
    if (!askable) return *why = known ? *why : "the issuer's keys could not be read a moment ago", false;
    cleanup_doc struct doc *fetched = NULL;
    cleanup_error struct error *e = fetch_keys(k, a, issuer, &fetched);
    if (e != NULL && known && jwks_verify(known->root, j, why)) return true; /* an issuer that is away for a while */
    if (e != NULL) return *why = arena_printf(a, "the issuer's keys cannot be read: %s", e->message), false;
    keep(k, issuer, fetched);
    return jwks_verify(fetched->root, j, why);
}
