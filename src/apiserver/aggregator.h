/* API groups that other servers answer for: APIService objects with a Service (kube-aggregator). */
#pragma once
#include "apiserver/internal.h"

/* Proxies the request if group and version belong to such a server. *taken: it does, or the answer says why it cannot. */
struct error *aggregator_serve(struct request *r, const char *group, const char *version, bool *taken);
/* Calls fn for every group version of other servers. `resources` is its last APIResourceList, NULL while it cannot be asked; in
 * the arena. */
void aggregator_each(struct apiserver *s, struct arena *a, void (*fn)(const char *group, const char *version, const struct json *resources, void *arg), void *arg);
