/* The client over HTTPS: a node agent's, a CLI verb's. Keeps connections; watches run on the loop given. */
#pragma once
#include "client/client.h"
#include "client/kubeconfig.h"
#include "net/loop.h"

/* `loop` carries the sockets and must not be the caller's own thread when it makes calls. The config is copied. */
MUST_CHECK struct error *client_remote_new(const struct kubeconfig *config, struct loop *loop, const char *user_agent,
                                           struct client **out);
/* Takes certificates anew, for connections made from then on (renewed in place). Any thread. */
MUST_CHECK struct error *client_remote_reload(struct client *c, const struct kubeconfig *config);
