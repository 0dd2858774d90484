/* What the rules of one service are: pure functions from objects to nftables text, for proxy.c and its tests.
 *
 * A service port has a chain `svc-ID` that picks an endpoint, and where traffic comes from outside the cluster a chain
 * `ext-ID` before it. Maps lead to the chains:  service-ips (address . protocol . port : goto chain), service-nodeports
 * (protocol . port : goto chain). What has no endpoints is in the maps no-endpoint-ips and no-endpoint-nodeports
 * instead, with `goto reject-chain` or `drop`. */
#pragma once
#include "json/doc.h"

enum family { FAMILY_IPV4, FAMILY_IPV6 };

struct rule_element {
    const char *map;     /* "service-ips" */
    const char *key;     /* "10.96.0.1 . tcp . 443" */
    const char *verdict; /* "goto svc-…" */
};
struct rule_chain {
    const char *name;
    const char *rules;   /* one per line */
};
/* The desired state of one service in one family; everything in the arena given. */
struct service_rules {
    struct rule_element *elements;
    size_t element_count;
    struct rule_chain *chains;
    size_t chain_count;
    const char **sets;   /* names of affinity sets, with their definitions */
    const char **set_definitions;
    size_t set_count;
    const char **udp_endpoints; /* "10.96.0.10 10.42.0.5": service address and endpoint, for conntrack clean-up */
    size_t udp_count;
};
struct rules_input {
    enum family family;
    const char *node_name, *zone, *cluster_cidr;
    const struct doc *service;
    const struct doc_list *slices; /* EndpointSlices of the service */
};
void service_rules_build(struct arena *a, const struct rules_input *in, struct service_rules *out);
