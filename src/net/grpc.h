/* A gRPC client channel: one HTTP/2 connection (nghttp2) with a loop thread of its own, many calls at once from any thread.
 *
 * Connects when a call needs it, and again after the connection was lost; while the other side cannot be reached, calls fail at
 * once with Unavailable until the back-off (0.1 to 3 s) has passed. Messages are at most 16 MiB.
 *
 * Errors: reason is the status code's name in Go ("NotFound"), code 0, and the message reads as Go's: "rpc error: code =
 * NotFound desc = …". */
#pragma once
#include "net/proto.h"
#include "net/target.h"

#define GRPC_MAX_MESSAGE (16 * 1024 * 1024)

struct grpc_channel;
struct grpc_channel *grpc_open(const struct net_target *t); /* copied; a tls_config must offer "h2" by ALPN */
/* Ends running calls with Canceled and the thread. Blocking calls must have returned or be under way, streams be closed. */
void grpc_close(struct grpc_channel *c);
struct loop *grpc_loop(const struct grpc_channel *c);

/* A unary call: blocks until the answer, an error or the deadline (`timeout` ns from now, 0: none). Not from a loop thread. */
MUST_CHECK struct error *grpc_call(struct grpc_channel *c, const struct proto_method *m, struct arena *a,
                                   const struct json *request, int64_t timeout, const struct json **answer);

/* A streaming call. Callbacks on the channel's loop; what they get is valid during the call. */
struct grpc_stream_callbacks {
    void (*opened)(void *arg); /* the request is on its way to a connected server; may be NULL */
    void (*message)(const struct json *m, void *arg);
    void (*closed)(const struct error *e, void *arg); /* the last one, always; e is NULL for status OK */
};
struct grpc_stream;
/* `more`: the client will send more messages (bidirectional). Errors come through `closed`. Any thread. */
struct grpc_stream *grpc_stream_start(struct grpc_channel *c, const struct proto_method *m, const struct json *request, bool more,
                                      const struct grpc_stream_callbacks *cb, void *arg);
MUST_CHECK struct error *grpc_stream_send(struct grpc_stream *s,
                                          const struct json *message); /* any thread; lost after `closed` */
/* Exactly once for every stream, also after `closed`; any thread. If it still runs, `closed` follows with Canceled. */
void grpc_stream_close(struct grpc_stream *s);

const char *grpc_description(const struct error *e); /* what stands behind "desc = ", else the whole message */
