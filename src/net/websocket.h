/* The server's side of WebSockets (RFC 6455), with the channels of Kubernetes' protocols: the first byte of a message says which
 * stream it belongs to. Loop thread only.
 *
 * Messages are at most 4 MiB. Pings are answered here. */
#pragma once
#include "net/http.h"

#define WEBSOCKET_MAX_MESSAGE (4 * 1024 * 1024)

struct websocket;
struct websocket_callbacks {
    void (*message)(struct websocket *w, const void *p, size_t n, void *arg); /* text or binary */
    void (*drain)(struct websocket *w, void *arg);                            /* all is sent; may be NULL */
    void (*closed)(struct websocket *w, const struct error *e, void *arg);    /* the last call */
};

bool websocket_requested(const struct http_exchange *x);
/* Does the client offer this subprotocol? */
bool websocket_offers(const struct http_exchange *x, const char *protocol);
/* Upgrades the exchange and ends it; NULL if it asks for no valid WebSocket: answer then. `protocol` may be NULL. */
struct websocket *websocket_accept(struct http_exchange *x, const char *protocol, const struct websocket_callbacks *cb,
                                   void *arg);
/* The same, but the exchange stays for its arena and headers until http_end. */
struct websocket *websocket_upgrade(struct http_exchange *x, const char *protocol, const struct websocket_callbacks *cb,
                                    void *arg);
/* A stream that has been upgraded already: what these two use. */
struct websocket *websocket_new(struct stream *s, const struct websocket_callbacks *cb, void *arg);
/* One binary message; channel -1: none. Copied. */
void websocket_send(struct websocket *w, int channel, const void *p, size_t n);
size_t websocket_pending(const struct websocket *w);
void websocket_pause(struct websocket *w, bool paused);
/* One message, text or binary, without a channel. Copied. */
void websocket_send_message(struct websocket *w, bool text, const void *p, size_t n);
/* Says goodbye (RFC 6455 section 7.4.1: 1000 is a normal end) and waits a little for the peer to do so; then `closed`. */
void websocket_close(struct websocket *w, unsigned status, const char *reason);
