/* What the parts of the HTTP server share: connections, exchanges and what a protocol version does for them. */
#pragma once
#include "base/buf.h"
#include "net/http.h"
#include "net/outq.h"

/* Connections that wait for something, oldest first; one timer for all. */
enum wait { WAIT_NONE, WAIT_HEAD, WAIT_IDLE, WAIT_LINGER, WAIT_COUNT };
struct wait_list {
    uint64_t delay; /* ms */
    struct conn *first, *last;
    struct loop_timer *timer;
    struct server_loop *owner;
};

struct server_loop {
    struct http_server *server;
    struct loop *loop;
    struct conn *conns;
    size_t conn_count;         /* with those that only wait for their exchanges to end */
    struct wait_list waits[WAIT_COUNT];
    struct exchange *free;     /* recycled, arenas included */
    unsigned free_count;
    struct outq_pool blocks;   /* for the queues of HTTP/2 exchanges */
    struct buf head;           /* scratch for an answer's header */
    time_t date_second;
    char date[32];
    bool stopping;
    struct loop_timer *grace;
};

/* What takes a streamed answer in place of HTTP: messages of a WebSocket (websocket_answer.c). */
struct exchange;
struct sink;
struct sink_ops {
    bool (*begin)(struct sink *s); /* false: the answer stays HTTP */
    void (*write)(struct sink *s, const void *p, size_t n);
    size_t (*pending)(const struct sink *s);
    void (*end)(struct sink *s); /* the exchange is about to be freed */
};
struct sink {
    const struct sink_ops *ops;
    struct exchange *x;
    bool begun;
};

/* What HTTP/1.1 and HTTP/2 do differently. `len` is -1 if not known yet. */
struct protocol {
    void (*respond)(struct exchange *x, int status, const struct http_header *h, size_t n, int64_t len);
    void (*write)(struct exchange *x, const void *p, size_t n, void (*release)(void *arg), void *arg);
    void (*end)(struct exchange *x); /* leads to exchange_free */
    size_t (*pending)(const struct exchange *x);
    void (*stop)(struct conn *c);    /* no further requests; closes when there are none */
    void (*free)(struct conn *c);    /* the stream is gone: so are all exchanges' clients */
};
extern const struct protocol http1, http2;
void http1_start(struct conn *c);
void http2_start(struct conn *c);

struct conn {
    struct server_loop *sl;
    struct stream *stream; /* NULL once closed: handlers may still use the peer */
    const struct protocol *protocol;
    struct conn *prev, *next;
    enum wait wait;
    struct conn *wait_prev, *wait_next;
    uint64_t wait_since;
    struct arena arena; /* the peer's strings */
    struct tls_peer tls;
    struct http_peer peer;
    char address[64];
    unsigned exchanges; /* that live, also those whose client is gone */
    bool upgraded;
    union {
        struct h1 *h1;
        struct h2 *h2;
    };
};

struct exchange {
    struct http_exchange pub;
    struct conn *conn;
    struct exchange *next, *prev; /* in the free list; h2: in the connection's list */
    struct buf body;
    void (*on_drain)(struct http_exchange *x);
    struct sink *sink;         /* NULL: HTTP */
    char *head;                /* the request's strings, in the arena */
    size_t head_len, head_cap, header_cap;
    bool handed, begun, ended, gone, no_body, head_request;
    /* HTTP/1.1 */
    bool chunked, close, upgrade;
    /* HTTP/2 */
    bool headers_done;
    size_t head_bytes;
    int32_t id;
    struct outq out;
    bool deferred, drained, submitted, stream_closed;
    int64_t expected; /* content-length, -1 */
};

struct exchange *exchange_new(struct conn *c);
void exchange_free(struct exchange *x);
void exchange_dispatch(struct exchange *x); /* calls the handler */
void exchange_gone(struct exchange *x);     /* the client is: tells the handler, or frees what it never saw */
/* Builds the request's header list; parts of a name or value are appended. Names become lower case. */
void exchange_add(struct exchange *x, const char *p, size_t n);
void exchange_add_header(struct exchange *x, const char *name, size_t n);
void exchange_add_value(struct exchange *x);
void exchange_headers_done(struct exchange *x); /* offsets become pointers; path, query and host are set */
bool exchange_add_body(struct exchange *x, const void *p, size_t n); /* false: too large */

void conn_wait(struct conn *c, enum wait w);
void conn_free(struct conn *c); /* stream and exchanges are gone */
const struct http_server_config *conn_config(const struct conn *c);
const char *server_date(struct server_loop *sl);
