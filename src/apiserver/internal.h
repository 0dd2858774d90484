/* The server's own state and what its files share. Included by all of them. */
#pragma once
#include "apiserver/request.h"
#include "apiserver/validation.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "net/http_client.h"
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>

/* Notices changes of some tables: for caches that are compiled from stored objects. tracker_changed is cheap while
 * nothing is written at all, and sees every commit that was published before the call. Any thread. */
struct tracker;
struct tracker *tracker_new(struct store *s, struct store_table *const *tables, size_t n);
bool tracker_changed(struct tracker *t); /* since the last call that returned true; true the first time */
void tracker_free(struct tracker *t);

struct path_hook {
    const char *prefix;
    http_handler_fn *fn;
    void *arg;
};
#define MAX_HOOKS 16

struct apiserver {
    struct apiserver_config config; /* strings in `arena` */
    struct arena arena;
    struct store *store;
    const struct clock *clock;
    struct worker_pool *workers;
    struct worker_pool *converters; /* what waits for conversion webhooks: a dead one leaves the others alone */
    struct http_client *client;     /* on config.client_loop, NULL: none */
    _Atomic bool stopping;
    /* hooks */
    struct apiserver_token_authenticator token_hooks[MAX_HOOKS];
    struct { apiserver_grants_fn *fn; void *arg; } grant_hooks[MAX_HOOKS];
    struct { apiserver_pod_identity_fn *fn; void *arg; } pod_identity;
    struct { void (*fn)(struct buf *, void *); void *arg; } metric_hooks[MAX_HOOKS];
    struct path_hook paths[MAX_HOOKS];
    size_t token_hook_count, grant_hook_count, metric_hook_count, path_count;
    /* parts, each with its own file and lock */
    struct token_file *token_file;
    struct issuer_keys *issuer_keys; /* NULL: no foreign issuer */
    struct audit *audit;            /* NULL: no audit log */
    struct token_signer *signer;
    struct rbac *rbac;
    struct node_graph *node_graph;
    struct crds *crds;
    struct apiservices *apiservices;
    struct webhooks *webhooks;
    struct policies *policies;
    struct definitions *definitions;
    struct flow_conditions *flow_conditions;
    struct connector *connector;
    struct tls_cache *tls_cache;
    struct metrics_api *metrics_api;
    struct allocator *allocator;
    struct flow *flow;
    struct metrics *metrics;
    struct watch_stream *watches;   /* open ones; watch_lock */
    pthread_mutex_t watch_lock;
};

/* ---- registry: what handlers use of the store (registry.c) ---- */

struct store_table *table_of(struct apiserver *s, const struct resource *r);
const struct resource *storage_resource(const struct resource *r); /* whose form is stored */
const char *key_for(struct arena *a, const struct resource *r, const char *ns, const char *name);
/* The published object of a built-in resource in the resource's own version, NULL if there is none. New reference. */
struct doc *registry_get(struct apiserver *s, const struct resource *r, const char *ns, const char *name);
/* The same of any resource; *out is NULL if there is none. */
MUST_CHECK struct error *registry_read(struct apiserver *s, const struct resource *r, const char *ns, const char *name, struct doc **out);
/* A stored document as the resource's version shows it: itself (new reference) or converted. Custom resources may ask a webhook:
 * on workers and callers' threads only, as crd_converts in crd.h says. */
MUST_CHECK struct error *registry_view(const struct resource *r, struct doc *d, struct doc **out);
/* The same of many, with one question to a webhook. */
MUST_CHECK struct error *registry_views(const struct resource *r, struct doc *const *in, size_t n, struct doc **out);
/* An object of the resource's version in the form in which it is stored, without resourceVersion. A document of the caller's. */
MUST_CHECK struct error *registry_stored(struct arena *a, const struct resource *r, const struct json *o, struct doc **out);
/* Whether a stored document has the form in which it would be stored today. */
bool registry_is_current(const struct resource *r, const struct doc *d);
/* Walks the published objects of a resource in a namespace ("" or NULL: all) in key order. Borrowed documents. */
void registry_each(struct apiserver *s, const struct resource *r, const char *ns, bool (*fn)(struct doc *d, void *arg), void *arg);
/* Commits for the request: its answer waits until this is durable. */
struct error *registry_commit(struct request *r, const struct store_op *ops, size_t n, uint64_t *revision);
/* The resource in error messages: group and plural of what was asked for. */
struct error *not_found(const struct request *r, const char *name);
const char *api_version(struct arena *a, const struct resource *r);

/* Resolves group, version and plural: built-in or custom; NULL if it is not served. Custom ones are held for the caller
 * (resource_release). */
const struct resource *custom_resource(struct apiserver *s, const char *group, const char *version, const char *plural);
/* The version of a definition that is stored, served or not; NULL: it is not established. Held. */
const struct resource *stored_resource(struct apiserver *s, const char *definition);
const struct resource *registry_resource(struct apiserver *s, const char *group, const char *version, const char *plural);

/* ---- small helpers on objects ---- */
const char *meta_str(const struct json *o, const char *field); /* metadata.<field>, "" if absent */
const struct json *with_meta(struct arena *a, const struct json *o, const char *field, const struct json *v);
const struct json *without_meta(struct arena *a, const struct json *o, const char *field);
const char *time_now(struct arena *a, const struct request *r); /* RFC 3339 seconds */

/* ---- audit: who did what, in JSON lines (audit.c) ---- */
MUST_CHECK struct error *audit_open(const struct apiserver_config *c, struct audit **out);
void audit_close(struct audit *a); /* NULL is allowed */
/* The stages of a request, when it has been authenticated (or refused), when a long answer begins, when all is sent. */
void audit_received(struct request *r);
void audit_started(struct request *r);
void audit_complete(struct request *r);
void audit_released(struct request *r);                     /* a long answer is over */
void audit_body(struct request *r, const struct json *v);   /* what the client sent */
/* A remark of the request's for its events; does nothing where no audit log is kept. */
void audit_note(struct request *r, const char *key, const char *value);

/* ---- limits, metrics ---- */
struct flow *flow_new(struct apiserver *s);
void flow_stop(struct flow *f); /* refuses whoever waits; nobody will from now on */
void flow_free(struct flow *f);
struct error *flow_admit(struct request *r);
void flow_leave(struct request *r);
void flow_go_on(struct request *r, int64_t waited); /* a request that was parked has a seat now */
void flow_timed_out(struct request *r);             /* and this one will not get one */
void flow_headers(struct request *r, void *head, void (*add)(void *head, const char *name, const char *value));
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
void metrics_observe(struct request *r);
void metrics_watch(struct apiserver *s, struct request *r, int delta);
void metrics_write(struct apiserver *s, struct buf *out);

/* ---- answers that no resource gives ---- */
struct error *unknown_path(void);     /* 404, worded for paths */
struct error *method_refused(void);   /* 405 */
struct error *unknown_resource(struct request *r);
