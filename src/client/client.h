/* The one way in which components use the API: in the same process (the request path is called directly, documents
 * are shared, nothing is encoded) or over HTTPS (a node agent on another machine). Callers cannot tell.
 *
 * Calls block until the answer is there (writes: until durable); call them from worker threads or a simulated
 * cluster's thread, never from an event loop. Objects that are returned are documents the caller owns one reference
 * of. Errors are API errors: error_is(e, "NotFound"). Any thread may use a client. */
#pragma once
#include "json/doc.h"
#include "schema/schema.h"

struct client_watch;
struct client_watcher;

struct client {
    const struct client_ops *ops;
    const struct clock *clock;
};

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

/* A zeroed one asks for immediate deletion: set grace_period to -1 for the default, or use DELETE_DEFAULTS. */
struct delete_options {
    const char *uid;              /* precondition, may be NULL */
    uint64_t revision;            /* precondition, 0: none */
    int64_t grace_period;         /* seconds; -1: default */
    const char *propagation;      /* "Background", "Foreground", "Orphan"; NULL: default */
};

struct client_watcher;
struct client_watch;

struct client_ops {
    struct error *(*get)(struct client *, const struct resource *, const char *ns, const char *name, struct doc **out);
    struct error *(*list)(struct client *, const struct resource *, const char *ns, const char *labels, const char *fields, struct doc_list *out, uint64_t *revision);
    struct error *(*create)(struct client *, const struct resource *, const char *ns, const char *name, const char *sub, const struct json *object, struct doc **out);
    struct error *(*update)(struct client *, const struct resource *, const char *ns, const char *name, const char *sub, const struct json *object, struct doc **out);
    struct error *(*patch)(struct client *, const struct resource *, const char *ns, const char *name, const char *sub, enum patch_type, const struct json *patch, struct doc **out);
    struct error *(*remove)(struct client *, const struct resource *, const char *ns, const char *name, const struct delete_options *);
    struct error *(*watch)(struct client *, const struct resource *, const char *ns, const char *fields, uint64_t from, const struct client_watcher *, struct client_watch **out);
    void (*watch_close)(struct client_watch *);
    void (*each_resource)(struct client *, void (*fn)(const struct resource *, void *), void *); /* NULL: the built-in ones */
    void (*free)(struct client *);
};

/* `ns` is NULL for cluster-scoped resources and for "all namespaces". `sub` is a subresource or NULL. `out` may be
 * NULL where the answer is not wanted. An update carries metadata.resourceVersion for optimistic concurrency. */
MUST_CHECK struct error *client_get(struct client *c, const struct resource *r, const char *ns, const char *name, struct doc **out);
MUST_CHECK struct error *client_list(struct client *c, const struct resource *r, const char *ns, const char *labels, const char *fields,
                                     struct doc_list *out, uint64_t *revision);
MUST_CHECK struct error *client_create(struct client *c, const struct resource *r, const char *ns, const struct json *object, struct doc **out);
/* POST to a subresource of a named object: pods/binding, pods/eviction, serviceaccounts/token. */
MUST_CHECK struct error *client_create_sub(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                                           const struct json *object, struct doc **out);
MUST_CHECK struct error *client_update(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                                       const struct json *object, struct doc **out);
MUST_CHECK struct error *client_patch(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                                      enum patch_type type, const struct json *patch, struct doc **out);
MUST_CHECK struct error *client_delete(struct client *c, const struct resource *r, const char *ns, const char *name, const struct delete_options *o);

/* Reads, lets `change` make the new object (return NULL: nothing to do), writes, and starts over on a conflict (up to
 * five times). For status and metadata updates by controllers. */
typedef const struct json *client_change_fn(struct arena *a, struct doc *current, void *arg);
MUST_CHECK struct error *client_modify(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                                       client_change_fn *change, void *arg, struct doc **out);

/* Calls fn for every resource that is served now, custom ones included. */
void client_each_resource(struct client *c, void (*fn)(const struct resource *r, void *arg), void *arg);

/* A raw watch. Callbacks run on one thread of the client's, in order; they must not block. After `closed` (error: 410
 * and the like, or the connection went away) nothing more comes. Most code wants a cache instead. */
enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED };
struct client_watcher {
    void (*event)(enum watch_type type, struct doc *d, void *arg); /* borrowed */
    void (*closed)(const struct error *e, void *arg);
    void *arg;
};
/* Changes after revision `from`. */
MUST_CHECK struct error *client_watch_start(struct client *c, const struct resource *r, const char *ns, const char *fields, uint64_t from,
                                            const struct client_watcher *watcher, struct client_watch **out);
void client_watch_close(struct client *c, struct client_watch *w); /* no call is running or will come; not from a callback */
void client_free(struct client *c);                                /* when no call is running and no watch open */

/* For implementations: DeleteOptions (NULL if `o` is), and the media type of a patch. */
const struct json *delete_options_json(struct arena *a, const struct delete_options *o);
const char *patch_content_type(enum patch_type type);
