/* A reverse proxy for one exchange: passes the request on, streams the answer back, tunnels an upgraded connection. For the
 * proxy subresources, aggregated API servers, and exec, attach, port-forward and logs on the way to a node. */
#pragma once
#include "base/buf.h"
#include "net/http_client.h"

/* What becomes of an answer's body: passed on; rewritten piece by piece; gathered (its first 50,000 bytes) to be answered
 * with something else. */
#define PROXY_MORE_HEADERS 16
enum proxy_body { PROXY_PASS, PROXY_REWRITE, PROXY_COLLECT };

struct http_proxy {
    struct net_target target;
    const char *path;                  /* path and query on the wire */
    const char *host;                  /* Host header, NULL: the target's */
    const struct http_header *headers; /* added, or instead of the client's of the same name */
    size_t header_count;
    const char *const *drop; /* the client's headers that are not passed on (names in lower case), ends with NULL;
                                hop-by-hop headers never are */
    bool no_upgrade;         /* a client's wish to upgrade is not the next hop's matter */
    int64_t timeout;         /* until the answer's headers; 0: none */
    int64_t idle_timeout;    /* of an upgraded connection; 0: none */
    /* Answers with an error instead of the default (502 with the message as text); may be NULL. */
    void (*failed)(struct http_exchange *x, const struct error *e, void *arg);
    /* Sees the head of an answer (of one that is no upgrade) and may change its headers, strings in the exchange's arena;
     * there is room for PROXY_MORE_HEADERS more. NULL: PROXY_PASS. */
    enum proxy_body (*head)(struct http_exchange *x, int status, struct http_header *headers, size_t *count, void *arg);
    void (*rewrite)(struct http_exchange *x, struct buf *in, bool end, struct buf *out, void *arg); /* consumes what it can */
    void (*collected)(struct http_exchange *x, int status, const char *body, size_t n, void *arg); /* answers */
    void *arg;
};
/* On the exchange's loop, with a client of that loop. The exchange is not the caller's any more. */
void http_proxy_serve(struct http_exchange *x, struct http_client *client, const struct http_proxy *p);

/* Joins two streams: what one receives the other sends, with back-pressure, until both have ended or one fails or neither has
 * sent a byte for `idle_timeout` ns (0: no limit). Starts both, closes both. */
void stream_join(struct stream *a, struct stream *b, int64_t idle_timeout);
