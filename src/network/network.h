/* The network of a node: pod network (CNI configuration, routes to the other nodes' pods), service proxy (nftables)
 * and cluster DNS. Everything is driven by the caches of Nodes, Services, EndpointSlices and Pods, and works the same
 * in the server's process and on a further machine.
 *
 * It switches IP forwarding on (forwarding.h). Else it touches only what it makes: the interfaces coracle0, coracle.dns, coracle.vx, coracle.aws1 and coracle.aws2, routes with protocol 107, the
 * nftables tables `coracle` (ip, ip6), and the CNI configuration in the node's own directory. */
#pragma once
#include "client/cache.h"
#include "net/loop.h"

struct network_config {
    struct client *client;
    struct cache *cache;
    struct loop *loop;           /* for the DNS sockets */
    const char *node_name;
    const char *cluster_cidr;    /* of all pods, "10.42.0.0/16" */
    const char *dns_address;     /* of the Service kube-dns, "10.96.0.10"; NULL: no DNS on this node */
    const char *cluster_domain;  /* "cluster.local" */
    const char *resolv_conf;     /* where upstream name servers stand; NULL: /etc/resolv.conf */
    const char *cni_dir;         /* where the CNI configuration is written */
    const char *state_dir;       /* where it is remembered what the machine's settings were; NULL: nowhere */
};
struct network;
/* Starts all parts; the pod network is ready when the Node has its podCIDR. Strings are copied. */
MUST_CHECK struct error *network_start(const struct network_config *c, struct network **out);
/* Stops working but leaves rules, routes and interfaces in place: pods keep running and are reachable. */
void network_stop(struct network *n);
/* Gives this machine a link-local address of its own (169.254.x.y), on the interface coracle.aws1 or coracle.aws2 (`which`),
 * where pods reach it. Stays when the network is stopped. */
MUST_CHECK struct error *network_hold_address(int which, const char *address);
/* Removes everything the network ever made on this machine, and sets back what it has set (uninstall). */
MUST_CHECK struct error *network_remove_all(const char *state_dir);
