/* The HTTP server: HTTP/1.1 and HTTP/2 over TLS (ALPN) or plain, on event loops.
 *
 * An exchange is one request and its answer. The handler is called on the connection's loop thread when the whole
 * request (body included, up to the limit) is there; it answers at once, later from the same loop, or hands the
 * exchange to a worker and posts back. All http_* calls on an exchange are made on its loop's thread. After http_end
 * (or an answer by http_reply) the exchange must not be touched; if the client goes away first, `on_close` is called
 * and after it every call on the exchange is ignored until http_end frees it. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/stream.h"

struct http_header { const char *name, *value; }; /* names in lower case */

struct http_peer {
    const char *address;           /* "192.0.2.7" */
    int port;
    /* The verified client certificate, else NULL. */
    const char *common_name;
    const char *const *organizations; /* ends with NULL */
    const char *cert_sha256;          /* hex, of the DER */
    /* A certificate was sent, verified or not (then: 401). The DER is there for further CAs (front proxy). */
    const struct tls_peer *tls; /* NULL over plain HTTP */
};

struct http_exchange {
    struct arena arena;            /* lives as long as the exchange; free for the handler's use */
    struct loop *loop;
    const char *method, *target;   /* target as sent: path and query */
    const char *path, *query;      /* percent-encoded, "" if absent */
    const char *host;
    const struct http_header *headers;
    size_t header_count;
    const char *body;
    size_t body_len;
    int version;                   /* 1 or 2 */
    bool body_too_large;           /* the body passed max_body and is not here: only with oversize_to_handler */
    const struct http_peer *peer;
    void (*on_close)(struct http_exchange *x); /* the client is gone; set by the handler */
    void *user;                    /* the handler's */
};
const char *http_header(const struct http_exchange *x, const char *name); /* first of that name, NULL if absent */
const char *http_status_text(int status); /* "Not Found"; "" for a status that has no text */

/* The whole answer. The body is copied unless `release` is given: then it is used in place and release(arg) called
 * when sent. Content-Length is set here. */
void http_reply(struct http_exchange *x, int status, const struct http_header *headers, size_t header_count,
                const void *body, size_t len, void (*release)(void *arg), void *arg);
/* A streamed answer (chunked or DATA frames). http_pending says how much is not yet on the wire, for back-pressure;
 * `on_drain` is called when it has fallen to zero. */
void http_begin(struct http_exchange *x, int status, const struct http_header *headers, size_t header_count);
void http_write(struct http_exchange *x, const void *p, size_t n, void (*release)(void *arg), void *arg);
size_t http_pending(const struct http_exchange *x);
void http_set_on_drain(struct http_exchange *x, void (*on_drain)(struct http_exchange *x));
void http_end(struct http_exchange *x);

/* HTTP/1.1 upgrade: answers 101 with the headers and turns the connection into a byte stream (TLS stays below). Bytes
 * that the client sent already are delivered first. The exchange stays for its arena, headers and peer until http_end;
 * on_close is not called any more. NULL if the request did not ask for an upgrade or the client is gone: answer then. */
struct stream *http_upgrade(struct http_exchange *x, const char *protocol, const struct http_header *headers, size_t header_count);

typedef void http_handler_fn(struct http_exchange *x, void *arg);
struct http_server_config {
    const char *address;       /* "127.0.0.1", "::", … */
    int port;                  /* 0: any */
    struct tls_config *tls;    /* NULL: plain */
    size_t max_body;           /* bytes; above: 413. kube-apiserver: 3 MiB */
    bool oversize_to_handler;  /* the handler answers a body above max_body (body_too_large); else a plain 413 */
    size_t max_headers;        /* bytes of request line and headers; 0: 1 MiB as Go */
    unsigned max_streams;      /* HTTP/2 concurrent streams; 0: 250 */
    int64_t idle_timeout;      /* ns; 0: three minutes */
    http_handler_fn *handler;
    void *arg;
};
struct http_server;
/* Listens on all the loops (connections are spread over them). Errors name address, port and remedy. */
MUST_CHECK struct error *http_server_start(const struct http_server_config *c, struct loop *const *loops, size_t loop_count, struct http_server **out);
int http_server_port(const struct http_server *s);
/* Stops accepting, lets requests end (HTTP/2: GOAWAY) up to `grace` ns, then cuts; `done` on some loop's thread. */
void http_server_stop(struct http_server *s, int64_t grace, void (*done)(void *arg), void *arg);
