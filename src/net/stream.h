/* A two-way byte stream on a loop thread, with or without TLS: an upgraded connection, a client connection, one end of
 * a tunnel. Written bytes are queued and leave together before the loop sleeps, so that small writes share a TLS record
 * and a system call. All calls on the stream's loop thread.
 *
 * A stream closes itself on an I/O error; in every case `closed` is the last callback and the memory is gone after it.
 * Every stream made here ends in exactly one `closed`, also if it never connected. */
#pragma once
#include "net/loop.h"
#include "net/tls.h"

struct stream;
struct stream_callbacks {
    void (*data)(struct stream *s, const void *p, size_t n, void *arg); /* n == 0: the peer will send no more */
    void (*drain)(struct stream *s, void *arg);                         /* all written bytes are sent; may be NULL */
    void (*closed)(struct stream *s, const struct error *e, void *arg); /* the last call; e is NULL for a clean end */
    void (*ready)(struct stream *s, void *arg); /* connected, TLS handshake done; before any data; may be NULL */
    /* Asked for bytes whenever less than STREAM_LOW is queued and the stream is about to be flushed: for protocols
     * that cut their output late (HTTP/2). May be NULL. */
    void (*fill)(struct stream *s, void *arg);
};
#define STREAM_LOW (64 * 1024)

/* Reading begins with stream_start; a second call replaces the callbacks (the new owner of an upgraded connection). */
void stream_start(struct stream *s, const struct stream_callbacks *cb, void *arg);
void stream_write(struct stream *s, const void *p, size_t n); /* copied */
/* Used in place; release(arg) once it is sent or the stream has died. Small pieces are copied and released at once. */
void stream_write_ref(struct stream *s, const void *p, size_t n, void (*release)(void *arg), void *arg);
size_t stream_pending(const struct stream *s);
void stream_pause(struct stream *s, bool paused); /* stops reading: back-pressure */
void stream_unread(struct stream *s, const void *p, size_t n); /* data() gets these bytes first, soon; copied */
void stream_wake(struct stream *s);               /* flush (and fill) before the loop sleeps */
void stream_shutdown(struct stream *s);           /* no more writes; reading goes on */
void stream_close(struct stream *s);              /* at once; what is queued is lost */
struct loop *stream_loop(struct stream *s);

/* Takes over a connected socket; as a TLS server if `tls` is given. `fd` is closed with the stream. */
struct stream *stream_accept(struct loop *l, int fd, struct tls_config *tls);
/* Connects to host (name or address) and port, or, with port 0, to the Unix socket of path `host`. With `tls` a
 * handshake follows: certificate checked against server_name (NULL: `host`). Nothing happens before stream_start;
 * writing before `ready` is allowed. */
struct stream *stream_connect(struct loop *l, const char *host, int port, struct tls_config *tls, const char *server_name);
/* The same by way of an HTTP proxy, which is asked for a tunnel (CONNECT). `authorization`: the value of its
 * Proxy-Authorization, or NULL. */
struct stream *stream_connect_by(struct loop *l, const char *proxy_host, int proxy_port, const char *authorization, const char *host,
                                 int port, struct tls_config *tls, const char *server_name);

const char *stream_alpn(struct stream *s);                /* "h2", "http/1.1"; NULL without TLS or agreement */
const struct tls_peer *stream_peer(struct stream *s);     /* NULL without TLS; valid after `ready`, as long as s */
const char *stream_address(struct stream *s, int *port);  /* of the other end, "" if it has none; as long as s */
