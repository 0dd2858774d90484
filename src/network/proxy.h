/* The service proxy: Services and EndpointSlices become one nftables table per family. See proxy.c. */
#pragma once
#include "network/network.h"

struct proxy;
MUST_CHECK struct error *proxy_start(const struct network_config *c, struct proxy **out);
void proxy_stop(struct proxy *p);
MUST_CHECK struct error *proxy_remove_all(void);
