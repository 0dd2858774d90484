/* A node on this machine: agent and network, as `coracle server` and `coracle agent` start them. */
#pragma once
#include "cli/options.h"
#include "client/cache.h"
#include "net/loop.h"
#include "net/pki.h"

struct nodehost;
struct nodehost_config {
    const struct node_options *options;
    struct client *node_client;  /* as system:node:NAME */
    struct cache *node_cache;
    struct client *proxy_client; /* as system:kube-proxy */
    struct cache *proxy_cache;
    struct loop *loop;
    const char *data_dir, *node_name, *node_ip;
    const char *cluster_cidr, *cluster_dns, *cluster_domain;
    const char *tls_cert, *tls_key, *client_ca; /* PEM */
    bool in_server;
};
/* What the API server or the kernel would refuse again and again is refused at once. */
MUST_CHECK struct error *nodehost_check(struct arena *a, const char *node_name, const char *cluster_domain, const struct node_options *o);
MUST_CHECK struct error *nodehost_start(const struct nodehost_config *c, struct nodehost **out);
MUST_CHECK struct error *nodehost_renew(struct nodehost *n, const struct pki_pair *serving); /* a renewed certificate; any thread */
void nodehost_stop(struct nodehost *n);

const struct json *labels_json(struct arena *a, const char *const *list); /* "key=value" texts as an object; NULL is empty */

/* The host's name in lower case, and the address that the default route uses (127.0.0.1 without one). */
const char *host_name(struct arena *a);
const char *host_address(struct arena *a);
