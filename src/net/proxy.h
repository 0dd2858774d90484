/* Which proxy leads to a server: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go's net/http reads them. */
#pragma once
#include "net/target.h"

/* Sets the proxy of the target (host, port and tls are filled in) by the environment; localhost and loopback addresses
 * never have one. Strings are in the arena. */
MUST_CHECK struct error *proxy_from_environment(struct arena *a, struct net_target *t);
/* By its URL ("http://user:password@host:3128"). Only HTTP proxies are known. */
MUST_CHECK struct error *proxy_from_url(struct arena *a, const char *url, struct net_target *t);
/* Does NO_PROXY's value leave out host and port? Names, .domains, *, addresses, CIDR blocks, each with an optional port. */
bool proxy_left_out(const char *no_proxy, const char *host, int port);
