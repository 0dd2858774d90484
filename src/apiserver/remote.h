/* Servers that the API server calls: webhooks, conversion, aggregated APIs; named by URL or by Service. */
#pragma once
#include "apiserver/internal.h"
#include "net/http_client.h"

struct remote {
    struct net_target target; /* target.tls is a reference of its own: remote_release */
    const char *host, *path;  /* of the request: "webhook.ns.svc:443", "/validate" */
};
void remote_release(struct remote *m);

/* `config` is a webhook's clientConfig or an APIService's spec (service, caBundle, insecureSkipTLSVerify). Services lead to a
 * ready endpoint directly. `identify`: with the certificate of the front proxy. Errors are worded as Go's. */
MUST_CHECK struct error *remote_resolve(struct apiserver *s, struct arena *a, const struct json *config, bool identify, struct remote *out);
/* Posts JSON and reads a JSON answer, in the arena; blocks, on a worker. `query` begins with '?' or is "". */
MUST_CHECK struct error *remote_post(struct apiserver *s, struct arena *a, const struct json *config, const char *query, const struct json *body,
                                     int64_t timeout, const struct json **out);
/* What client-go says of an answer that is no success. */
const char *remote_refusal(struct arena *a, int status, const char *text);

/* Configurations are kept, so that connections can be: one per CA bundle. New reference. */
struct tls_cache;
struct tls_cache *tls_cache_new(const char *cert, const char *key); /* the front proxy's, copied; may be NULL */
void tls_cache_renew(struct tls_cache *c, const char *cert, const char *key);
void tls_cache_free(struct tls_cache *c);
