/* The cluster's DNS server on each node: the cluster's zone from the caches, everything else forwarded with a cache.
 *
 * It listens on the address of the Service kube-dns itself, which every node carries on the interface coracle.dns,
 * so a query never leaves the node and needs no address translation. UDP and TCP; all on one loop thread. */
#pragma once
#include "network/network.h"

struct dns_server;
MUST_CHECK struct error *dns_start(const struct network_config *c, struct dns_server **out);
void dns_stop(struct dns_server *d); /* any thread but the loop's; returns when all is closed */
