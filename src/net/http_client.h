/* An HTTP/1.1 client: over TCP, TLS or a unix socket, with kept-alive connections, streamed answers and upgrades.
 *
 * A client lives on one loop; its calls are made and their callbacks come on that loop's thread (http_call_* on a call
 * likewise). Threads that may block use http_fetch, from anywhere but the loop's own thread. */
#pragma once
#include "net/http.h"
#include "net/target.h"

struct http_client;
struct http_client *http_client_new(struct loop *loop);
/* Any thread; returns at once. Cuts what still runs (its `done` is called) and what idles. */
void http_client_close(struct http_client *c);
struct loop *http_client_loop(const struct http_client *c);

struct http_request {
    struct net_target target;          /* where to */
    const char *method;                /* NULL: GET, with a body POST */
    const char *path;                  /* with query, as it goes on the wire; NULL: "/" */
    const char *host;                  /* the Host header; NULL: the target's host and port */
    const struct http_header *headers; /* all but Host, Content-Length and Transfer-Encoding */
    size_t header_count;
    const void *body;
    size_t body_len;
    const char *upgrade;   /* protocol to ask for ("SPDY/3.1"), else NULL; Connection and Upgrade are sent for you */
    int64_t timeout;       /* ns until the answer's headers, connecting included; 0: none */
    int64_t total_timeout; /* ns until its end; 0: none */
    bool no_reuse;         /* a connection of its own, closed afterwards: probes */
};

struct http_answer {
    int status;
    const char *reason;                /* the status line's text */
    const struct http_header *headers; /* names in lower case */
    size_t header_count;
    const char *body; /* http_fetch only */
    size_t body_len;
};
const char *http_answer_header(const struct http_answer *a, const char *name); /* first of that name, NULL if absent */

/* A failed call says what happened at which step: `Get "https://10.0.0.1:8443/readyz": dial tcp 10.0.0.1:8443: connect:
 * connection refused` (Go's words, as events and conditions show them); sys has the errno, ETIMEDOUT for timeouts. */
struct http_call;
struct http_call_callbacks {
    void (*headers)(struct http_call *c, const struct http_answer *a, void *arg); /* may be NULL; 1xx are skipped */
    void (*data)(struct http_call *c, const void *p, size_t n, void *arg);        /* may be NULL */
    /* The server switched protocols (status 101): the connection is the callee's, to be started or closed in
     * the callback; no `done` follows. NULL: an error. */
    void (*upgraded)(struct http_call *c, const struct http_answer *a, struct stream *s, void *arg);
    void (*done)(struct http_call *c, const struct error *e, void *arg); /* the last call; e is NULL after a whole answer */
};
/* Copies what it needs of the request. Failures come through `done`, never before this has returned. */
struct http_call *http_call_start(struct http_client *c, const struct http_request *r, const struct http_call_callbacks *cb,
                                  void *arg);
void http_call_pause(struct http_call *c, bool paused); /* back-pressure */
void http_call_cancel(struct http_call *c);             /* no callback comes any more */

/* The whole answer, in the arena; more than `max_body` bytes are an error (0: 16 MiB). An HTTP status is no error. */
MUST_CHECK struct error *http_fetch(struct http_client *c, struct arena *a, const struct http_request *r, size_t max_body,
                                    struct http_answer *out);
