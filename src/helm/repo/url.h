/* URLs of repositories and registries: taken apart, resolved, put together. Strings live in the arena. */
#pragma once
#include "base/arena.h"

struct url {
    const char *scheme;   /* in lower case; "" for a relative reference */
    const char *user;     /* "name:password", still escaped; NULL: none */
    const char *host;     /* with its port, as written; "" if there is none */
    const char *path;     /* escaped, as written */
    const char *query;    /* NULL: none */
};
/* false: it is none (a bad escape or port, a control character). */
bool url_parse(struct arena *a, const char *text, struct url *out);
const char *url_text(struct arena *a, const struct url *u);
/* Host without port and brackets, and port (the scheme's where none is given; 0: unknown scheme). */
const char *url_host_name(struct arena *a, const struct url *u, int *port);
/* `reference` as seen from `base`, which is taken for a directory and lends its query (helm's ResolveReferenceURL). NULL: one is no URL. */
const char *url_resolve(struct arena *a, const char *base, const char *reference);
/* The path joined with another piece, cleaned (helm's URLJoin). NULL: no URL. */
const char *url_join(struct arena *a, const char *base, const char *piece);
bool url_same_server(const struct url *a, const struct url *b); /* scheme and host with port */
/* Equal but for "/" at the end and such (helm's urlutil.Equal). */
bool url_equal(struct arena *a, const char *x, const char *y);
