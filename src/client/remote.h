/* The client over HTTPS: a node agent's, a CLI verb's. Keeps connections; watches run on the loop given. */
#pragma once
#include "client/client.h"
#include "client/kubeconfig.h"
#include "net/loop.h"

/* Credentials may come from a program (client/exec_credential.h), the way by a proxy (the config's or the environment's).
 * `loop` carries the sockets and must not be the caller's own thread when it makes calls. The config is copied. */
MUST_CHECK struct error *client_remote_new(const struct kubeconfig *config, struct loop *loop, const char *user_agent,
                                           struct client **out);
/* Writes name this field manager from then on (else the server takes it from the user agent). Before the first call. */
void client_remote_manager(struct client *c, const char *manager);
/* What struct client has no word for: "/version", logs, tables. `path` is relative to the server's URL and has its query. */
struct remote_request {
    const char *method; /* NULL: GET, with a body POST */
    const char *path, *accept; /* accept NULL: application/json */
    const char *content_type;
    const struct json *body;
    int64_t timeout; /* ns until the answer begins; 0: one minute */
};
struct http_answer;
/* The whole answer, in the arena. Statuses from 300 on are errors, as everywhere in the client. */
MUST_CHECK struct error *client_remote_call(struct client *c, struct arena *a, const struct remote_request *r, struct http_answer *out);

/* Takes certificates anew, for connections made from then on (renewed in place). Any thread. */
MUST_CHECK struct error *client_remote_reload(struct client *c, const struct kubeconfig *config);
