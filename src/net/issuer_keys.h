/* The public keys of OpenID Connect issuers: discovery document and JWKS, fetched over TLS and kept for a while. Only issuers
 * that an administrator has named may be asked for. Keys that could not be read anew stay good. Redirects are not followed, sizes and times are bounded, and an unknown key
 * id makes an issuer be asked anew at most every thirty seconds. Any thread but the client's loop; blocks while fetching. */
#pragma once
#include "net/http_client.h"
#include "net/jwt.h"

struct issuer_keys;
/* `tls` is a client configuration (a reference is taken); the client outlives this. */
struct issuer_keys *issuer_keys_new(struct http_client *c, struct tls_config *tls, const struct clock *clock);
void issuer_keys_free(struct issuer_keys *k); /* NULL is allowed */
/* Is the token signed by a key of the issuer? Else *why. */
bool issuer_keys_verify(struct issuer_keys *k, struct arena *a, const char *issuer, const struct jwt *j, const char **why);
/* The same with keys that are there already. */
bool jwks_verify(const struct json *jwks, const struct jwt *j, const char **why);
