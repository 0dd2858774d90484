/* exec, attach and port-forward: from a client's upgraded connection to the runtime's streaming URL (what CRI Exec, Attach and
 * PortForward return).
 *
 * What the runtime's server speaks itself (SPDY v1-v4 and port-forward, WebSocket v4 and older) is tunnelled byte for byte, as
 * kubelet does. What only newer clients speak is translated here to SPDY: WebSocket v5.channel.k8s.io (exec, attach; close of
 * stdin as a message: KEP-4006) and SPDY/3.1+portforward.k8s.io (SPDY inside WebSocket messages).
 *
 * The caller has authorized the request, found the container and asked the runtime for the URL (on a worker: CRI calls block),
 * and calls remotecommand_serve on the exchange's loop thread. From then on the exchange is not the caller's any more: it is
 * upgraded, or answered with an error (400 no upgrade requested; 500/502 the runtime's server cannot be reached; its own
 * answer otherwise). */
#pragma once
#include "net/http.h"
#include "net/http_client.h"

struct remotecommand {
    const char *url;        /* http://127.0.0.1:PORT/exec/TOKEN; copied */
    bool portforward;       /* else exec or attach, with: */
    bool in, out, err, tty; /* err is ignored with tty (the API refuses both) */
    int64_t idle_timeout;   /* ns without a byte either way; 0: four hours (--streaming-connection-idle-timeout) */
};
/* `client` belongs to the exchange's loop. */
void remotecommand_serve(struct http_exchange *x, struct http_client *client, const struct remotecommand *r);
