/* Client connections as byte streams: TCP, TLS or unix sockets. Loop thread only. */
#pragma once
#include "net/http.h"

struct tls_config;
struct dial_target {
    const char *unix_path;     /* a unix socket; else: */
    const char *host;          /* address or name */
    int port;
    struct tls_config *tls;    /* NULL: plain. A client configuration, outlives the connection */
    const char *server_name;   /* for SNI and verification; NULL: host */
    const char *alpn;          /* one protocol to insist on ("h2"), NULL: none */
};

/* Calls `done` later, once, on the loop: with a stream that is not started yet, or an error worded as Go's net package
 * words it ("dial tcp 127.0.0.1:1: connect: connection refused", "dial tcp: lookup x: no such host"). `timeout` in ns, 0:
 * 30 s. The target is copied. */
struct dial;
typedef void dial_done_fn(struct stream *s, struct error *e, void *arg); /* `e` belongs to the callee */
struct dial *dial_start(struct loop *l, const struct dial_target *t, int64_t timeout, dial_done_fn *done, void *arg);
void dial_cancel(struct dial *d); /* before `done`: it is not called any more */
