/* A reverse proxy for one exchange: passes the request on, streams the answer back, tunnels an upgraded connection. For the
 * proxy subresources, aggregated API servers, and exec, attach, port-forward and logs on the way to a node. */
#pragma once
#include "net/http_client.h"

struct http_proxy {
    struct net_target target;
    const char *path;                  /* path and query on the wire */
    const char *host;                  /* Host header, NULL: the target's */
    const struct http_header *headers; /* added, or instead of the client's of the same name */
    size_t header_count;
    const char *const *drop; /* the client's headers that are not passed on (names in lower case), ends with NULL;
                                hop-by-hop headers never are */
    int64_t timeout;         /* until the answer's headers; 0: none */
    int64_t idle_timeout;    /* of an upgraded connection; 0: none */
    /* Answers with an error instead of the default (502 with the message as text); may be NULL. */
    void (*failed)(struct http_exchange *x, const struct error *e, void *arg);
    void *arg;
};
/* On the exchange's loop, with a client of that loop. The exchange is not the caller's any more. */
void http_proxy_serve(struct http_exchange *x, struct http_client *client, const struct http_proxy *p);

/* Joins two streams: what one receives the other sends, with back-pressure, until both have ended or one fails or neither has
 * sent a byte for `idle_timeout` ns (0: no limit). Starts both, closes both. */
void stream_join(struct stream *a, struct stream *b, int64_t idle_timeout);
