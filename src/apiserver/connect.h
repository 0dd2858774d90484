/* Requests that go elsewhere: to nodes, pods, services and aggregated API servers. */
#pragma once
#include "apiserver/internal.h"
#include "net/http_proxy.h"

bool is_connect(const struct subresource *sub); /* log, exec, attach, portforward, proxy */
bool connect_name(const char *subresource);
struct error *serve_connect(struct request *r);
/* *taken: the group and version belong to an aggregated server, which answers. */
struct error *proxy_aggregated(struct request *r, bool *taken);

/* Clients for each loop, and how what is not a node is reached over TLS. */
struct connector;
struct connector *connector_new(void);
void connector_free(struct connector *c);
/* The answer of `r` will be what the target answers; strings in the request's arena. Without p->failed the client gets the
 * error as a Status. p->arg is the request. */
struct error *connect_answer(struct request *r, const struct http_proxy *p);
/* A URL's scheme, host and port ("https", "10.0.0.1", 8443) as a target; pods' certificates are not verified. */
struct error *connect_target(struct request *r, const char *scheme, const char *host, int port, struct net_target *out);
/* Where the kubelet of a node listens. */
struct error *connect_node(struct request *r, const char *name, struct net_target *out);

/* connect_proxy.c: nodes/proxy, pods/proxy, services/proxy */
struct error *serve_proxy(struct request *r);
