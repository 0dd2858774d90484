/* The pod network of a node: the CNI configuration for its podCIDR, and a route to every other node's. */
#pragma once
#include "network/network.h"

struct podnet;
MUST_CHECK struct error *podnet_start(const struct network_config *c, struct podnet **out);
void podnet_stop(struct podnet *p);
