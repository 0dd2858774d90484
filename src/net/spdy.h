/* SPDY/3.1 as the Kubernetes streaming protocols use it: many byte streams with headers over one connection. Framing only: the
 * owner moves the bytes, so that they may travel in a socket or in WebSocket messages.
 *
 * There is no flow control, because the peers (moby/spdystream) have none: they neither send nor heed WINDOW_UPDATE.
 * Back-pressure is the transport's. Draft-mbelshe-httpbis-spdy-00 has the frames. One thread. */
#pragma once
#include "net/http.h"

struct spdy;
struct spdy_stream;
struct spdy_callbacks {
    void (*send)(const void *p, size_t n, void *arg); /* bytes for the peer; copied by the callee */
    /* The peer has opened a stream: accept it with spdy_accept or refuse it with spdy_reset. NULL: all are refused. */
    void (*opened)(struct spdy_stream *s, const struct http_header *headers, size_t count, void *arg);
    void (*gone)(void *arg); /* the peer says goodbye (GOAWAY); may be NULL */
    void *arg;
};
struct spdy_stream_callbacks {
    void (*data)(struct spdy_stream *s, const void *p, size_t n, void *arg); /* n == 0: the peer will send no more */
    void (*reset)(struct spdy_stream *s, uint32_t status, void *arg);        /* the peer has ended it, or the session was freed */
};

struct spdy *spdy_new(bool server, const struct spdy_callbacks *cb);
void spdy_free(struct spdy *s); /* not from within spdy_input */
/* Bytes from the peer. After an error the connection is of no use. */
MUST_CHECK struct error *spdy_input(struct spdy *s, const void *p, size_t n);
void spdy_goaway(struct spdy *s);

/* A stream lives until both sides have ended it or one has reset it; after its last callback (data with n == 0 when this side has
 * ended, else reset) or the call that ends it last, the pointer is void. Names and values are plain strings. */
struct spdy_stream *spdy_open(struct spdy *s, const struct http_header *headers, size_t count,
                              const struct spdy_stream_callbacks *cb, void *arg);
void spdy_accept(struct spdy_stream *s, const struct spdy_stream_callbacks *cb, void *arg);
void spdy_write(struct spdy_stream *s, const void *p, size_t n);
void spdy_end(struct spdy_stream *s);   /* no more writes */
void spdy_reset(struct spdy_stream *s); /* ends it both ways; no callback follows */
