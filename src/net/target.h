/* Where a client connects to. */
#pragma once
#include "net/stream.h"

struct net_target {
    const char *unix_path; /* a unix socket; else: */
    const char *host;      /* address or name */
    int port;
    struct tls_config *tls;  /* a client configuration, NULL: plain */
    const char *server_name; /* for SNI and verification; NULL: host */
    /* An HTTP proxy on the way: asked for a tunnel where there is TLS, else given the whole URL (net/proxy.h). */
    const char *proxy_host; /* NULL: none */
    int proxy_port;
    const char *proxy_authorization; /* "Basic …"; NULL: none */
};

void net_target_copy(struct arena *a, struct net_target *out, const struct net_target *t); /* holds a reference of tls */
void net_target_release(struct net_target *t);
/* What connections to it are told apart by. */
const char *net_target_key(struct arena *a, const struct net_target *t);
/* "host:port" as in URLs; "localhost" for a unix socket. */
const char *net_target_authority(struct arena *a, const struct net_target *t);
struct stream *net_target_connect(struct loop *l, const struct net_target *t); /* stream_connect */
