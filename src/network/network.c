/* The parts of a node's network, started and stopped together. */
#include "network/network.h"
#include "network/dns.h"
#include "network/forwarding.h"
#include "network/podnet.h"
#include "network/portmap.h"
#include "network/proxy.h"
#include "network/rtnl.h"

struct network {
    struct arena arena; /* holds the configuration's strings */
    struct podnet *podnet;
    struct proxy *proxy;
    struct dns_server *dns;
};

static struct network_config copy_config(struct arena *a, const struct network_config *c) {
    struct network_config copy = *c;
    const char **const strings[] = {&copy.node_name, &copy.cluster_cidr, &copy.dns_address, &copy.cluster_domain, &copy.resolv_conf, &copy.cni_dir, &copy.state_dir};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        if (*strings[i] != NULL) *strings[i] = arena_strdup(a, *strings[i]);
    }
    return copy;
}

struct error *network_start(const struct network_config *c, struct network **out) {
    static const struct resource *const watched[] = {&resource_nodes, &resource_services, &resource_discovery_endpointslices};
    for (size_t i = 0; i < ARRAY_LEN(watched); i++) cache_add(c->cache, watched[i], NULL);
    struct network *n = xcalloc(1, sizeof(*n));
    struct network_config own = copy_config(&n->arena, c);
    struct error *e = podnet_start(&own, &n->podnet);
    if (e == NULL) e = proxy_start(&own, &n->proxy);
    if (e == NULL && own.dns_address != NULL) e = dns_start(&own, &n->dns);
    if (e != NULL) network_stop(n);
    else *out = n;
    return e;
}

void network_stop(struct network *n) {
    dns_stop(n->dns);
    proxy_stop(n->proxy);
    podnet_stop(n->podnet);
    arena_free(&n->arena);
    free(n);
}

static const char *const address_holders[] = {"coracle.aws1", "coracle.aws2"};

struct error *network_hold_address(int which, const char *address) { return rtnl_holder(address_holders[which - 1], address); }

struct error *network_remove_all(const char *state_dir) {
    for (size_t i = 0; i < ARRAY_LEN(address_holders); i++) TRY(rtnl_link_delete(address_holders[i]));
    TRY(proxy_remove_all());
    portmap_remove_all();
    TRY(rtnl_routes_delete());
    TRY(rtnl_link_delete("coracle.dns"));
    TRY(rtnl_link_delete("coracle.vx"));
    return forwarding_restore(state_dir, NULL, NULL);
}
