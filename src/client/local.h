/* The in-process client: requests go to the API server's request path directly, without encoding or sockets. */
#pragma once
#include "client/client.h"

struct apiserver;
/* `user` with its groups (ends with NULL, may be NULL) is taken as authenticated; "system:authenticated" is added. The
 * user agent's first word becomes the field manager. Strings are copied. With a virtual clock (NULL: the real one) there
 * are no threads: watches call back from within commits. */
struct client *client_local_new(struct apiserver *s, const struct clock *clock, const char *user_agent, const char *user,
                                const char *const *groups);
/* The server of a local client, NULL for other clients. For caches. */
struct apiserver *client_local_server(struct client *c);
