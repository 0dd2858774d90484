/* ConfigMaps and Secrets as pods refer to them. */
#pragma once
#include "node/agent.h"

/* The object, from the cache where it is free, else from the API server. Errors read as the kubelet's:
 * `configmap "x" not found`. */
MUST_CHECK struct error *object_fetch(struct node *n, const struct resource *r, const char *ns, const char *name, struct doc **out);
/* The Node authorizer learns of a pod from a watch, like us, and may be later: waits a moment and says whether to try again
 * (the error is freed then). */
bool authorizer_lags(struct error **e, int *attempts);
/* The bytes of a key: data (Secret: base64), binaryData; false if there is none. */
bool object_data(struct arena *a, const struct resource *r, const struct json *object, const char *key, const char **data, size_t *len);
/* Calls fn for each key, in order of names within data and binaryData. */
void object_each(struct arena *a, const struct resource *r, const struct json *object,
                 void (*fn)(void *arg, const char *key, const char *data, size_t len), void *arg);
