/* The API server: the whole request path from a parsed HTTP request (or a call from the same process) to the store and
 * back. One per process.
 *
 * Threads: apiserver_handle runs on the exchange's loop; requests that may block (webhooks, calls to nodes or aggregated
 * servers) continue on a worker. apiserver_call and the watch functions may be called from any thread but a loop's or
 * the store's. */
#pragma once
#include "base/worker.h"
#include "net/http.h"
#include "net/pki.h"
#include "schema/schema.h"
#include "store/store.h"

struct apiserver;

/* A foreign OpenID Connect issuer whose tokens are accepted. */
struct oidc_provider {
    const char *issuer, *client_id;
    const char *username_claim, *username_prefix; /* NULL: "sub"; the issuer and "#" (for the claim email: none). "-": none */
    const char *groups_claim, *groups_prefix;     /* NULL: none */
    const struct json *required_claims;           /* claim to value; NULL: none */
    const char *const *signing_algs;              /* ends with NULL; NULL: RS256 */
};

struct apiserver_config {
    struct store *store;              /* outlives the server */
    const struct clock *clock;        /* NULL: real */
    struct loop *client_loop;         /* for calls to webhooks, nodes and aggregated servers; NULL: none are made */
    /* Authentication. */
    const char *token_auth_file;      /* CSV lines token,user,uid,"group,group"; NULL: none */
    const char *client_ca;            /* PEM: what client certificates were verified against; published for extensions */
    const char *requestheader_ca;     /* PEM: the front proxy's CA; NULL: none */
    bool anonymous;                   /* requests without credentials are system:anonymous */
    const char *const *authorization_modes; /* "Node", "RBAC", "AlwaysAllow" …, ends with NULL; NULL: Node, RBAC */
    /* Service accounts. */
    const char *issuer;               /* "https://kubernetes.default.svc" */
    const char *const *audiences;     /* ends with NULL; NULL: the issuer */
    const char *service_account_key;  /* PEM, private: signs and verifies */
    const char *const *old_service_account_keys; /* PEM, verify only; ends with NULL; may be NULL */
    /* Network. */
    const char *const *service_cidrs; /* one or two, ends with NULL; NULL: 10.96.0.0/12 */
    int node_port_first, node_port_last; /* 0: 30000-32767 */
    const char *advertise_address;    /* of the kubernetes service's endpoint; NULL: no endpoint is kept */
    int secure_port;                  /* 0: 6443 */
    /* How nodes are reached on their port 10250: a client configuration with the API server's kubelet certificate. */
    struct tls_config *node_tls;
    /* Certificate and key (PEM) presented to aggregated API servers; may be NULL. */
    const char *proxy_client_cert, *proxy_client_key;
    const char *const *enabled_admission, *const *disabled_admission; /* plug-in names, end with NULL; may be NULL */
    bool metrics_api;                 /* serve metrics.k8s.io from what the nodes measure */
    unsigned max_requests_in_flight, max_mutating_in_flight; /* 0: 400, 200 */
    struct oidc_provider oidc;        /* issuer NULL: none; needs client_loop */
    const char *oidc_ca;              /* PEM: who signs issuers' certificates; NULL: the system's CAs */
    bool anonymous_discovery;         /* the issuer's discovery document and keys are for everybody, as EKS's issuer's are */
    /* The audit log; both or neither. */
    const char *audit_log_path;       /* "-": standard output */
    const char *audit_policy_file;    /* audit.k8s.io/v1 Policy */
    int64_t audit_log_maxsize, audit_log_maxbackup; /* megabytes before a new file is begun (0: 100), old files kept (0: all) */
};
/* Makes the bootstrap objects that are missing (blocking until they are durable), then serves. Strings are copied. */
MUST_CHECK struct error *apiserver_new(const struct apiserver_config *config, struct apiserver **out);
/* A renewed certificate in place of proxy_client_cert. Any thread. */
void apiserver_renew_proxy_client(struct apiserver *s, const char *cert, const char *key);
/* Readiness turns false and watches are ended; requests are still answered. */
void apiserver_shutdown(struct apiserver *s);
/* After the HTTP server has stopped and no call is running. */
void apiserver_free(struct apiserver *s);

/* The handler of the HTTP server; arg is the struct apiserver. */
void apiserver_handle(struct http_exchange *x, void *arg);

struct store *apiserver_store(struct apiserver *s);
/* A built-in or custom resource that is served now, NULL if there is none; held for the caller (resource_release). */
const struct resource *apiserver_resource(struct apiserver *s, const char *group, const char *version, const char *plural);
/* Calls fn for every served resource, in discovery order; it holds what it keeps (resource_hold). */
void apiserver_each_resource(struct apiserver *s, void (*fn)(const struct resource *r, void *arg), void *arg);

/* ---- calls in the same process: client/local.c ---- */

/* Query options, of HTTP requests and calls alike. Zero is "not given" unless said otherwise. */
struct request_options {
    const char *label_selector, *field_selector;
    const char *resource_version, *resource_version_match;
    int64_t limit;
    const char *continue_token;
    bool allow_bookmarks, send_initial_events, has_send_initial_events;
    int64_t timeout_seconds;
    bool dry_run;
    const char *field_manager;
    const char *field_validation; /* "Strict", "Warn", "Ignore"; NULL: Warn */
    bool force;
    bool has_force;
    bool pretty;
    bool ignore_store_read_error;
};
struct apiserver_call {
    const char *user;
    const char *const *groups;       /* ends with NULL; may be NULL; "system:authenticated" is added */
    const char *user_agent;          /* its first word is the default field manager */
    const char *verb;                /* "get" "list" "create" "update" "patch" "delete" "deletecollection" */
    const struct resource *resource;
    const char *subresource;         /* NULL: none */
    const char *ns, *name;           /* NULL: none */
    const struct request_options *options; /* may be NULL */
    const char *patch_type;          /* "application/merge-patch+json" …; for verb "patch" */
    const struct json *body;         /* the object, the patch, or DeleteOptions (may be NULL) */
};
struct apiserver_answer {
    int code;              /* 200, 201, 202 */
    struct doc *doc;       /* one reference for the caller; NULL for lists. May be a Status (delete). */
    struct doc_list items; /* of lists; the caller frees it */
    uint64_t revision;     /* of lists */
    const char *continue_token; /* malloced; NULL at the end of the list */
};
/* Blocks until the answer is there; writes until they are durable. The same authorization, admission and validation as
 * for HTTP requests. */
MUST_CHECK struct error *apiserver_call(struct apiserver *s, const struct apiserver_call *c, struct apiserver_answer *out);

/* A watch, pulled like a store watch (store.h) but seen through selectors: an object that begins to match is ADDED, one
 * that ceases to is DELETED (its last state that matched, with the new revision). call->verb is ignored. */
struct apiserver_watch;
MUST_CHECK struct error *apiserver_watch_open(struct apiserver *s, const struct apiserver_call *c, uint64_t from, void (*wake)(void *arg),
                                              void *arg, struct apiserver_watch **out);
/* event->doc of a DELETED event is borrowed like everything else, until the next call. `lost`: the watch is over, the reader was too
 * slow or (apiserver_watch_failure) an object could not be shown in the watch's version. */
bool apiserver_watch_next(struct apiserver_watch *w, struct store_event *event, bool *lost);
const struct error *apiserver_watch_failure(const struct apiserver_watch *w); /* NULL: none */
uint64_t apiserver_watch_progress(struct apiserver_watch *w);
void apiserver_watch_close(struct apiserver_watch *w);

/* ---- hooks: set up between apiserver_new and the first request ---- */

struct user_extra { const char *key; const char *const *values; };
struct user {
    const char *name, *uid;          /* never NULL */
    const char *const *groups;       /* ends with NULL */
    const struct user_extra *extra;
    size_t extra_count;
};
/* Looks at a bearer token that no built-in authenticator knows. True: `out` (in the arena) is the user. False: *why may say
 * what is wrong with a token that it knows; that goes into the audit log, never to the client. */
typedef bool apiserver_token_fn(struct arena *a, const char *token, struct user *out, const char **why, void *arg);
struct apiserver_token_authenticator {
    const char *prefix; /* asked only for tokens that begin so: "k8s-aws-v1."; "": for all */
    apiserver_token_fn *authenticate;
    bool (*applies)(void *arg); /* NULL: always; false: not asked for now */
    bool blocks;        /* runs on a worker thread, not on the connection's loop */
    void *arg;
};
void apiserver_add_token_authenticator(struct apiserver *s, const struct apiserver_token_authenticator *t);

/* Accepts the tokens of whichever issuer `provider` names at the time (false: none). Errors: no client_loop. */
typedef bool apiserver_oidc_fn(struct arena *a, struct oidc_provider *out, void *arg);
MUST_CHECK struct error *apiserver_add_oidc(struct apiserver *s, apiserver_oidc_fn *provider, void *arg);

/* What somebody else than RBAC's objects grants a user, evaluated behind them as if it stood in a binding of theirs: it counts
 * for requests, reviews and checks for escalation alike. */
struct user_grant {
    const char *source;       /* "EKS Access Policy": begins the reason of a decision */
    const char *binding;      /* name for the reason */
    const char *role;         /* the same */
    const char *cluster_role; /* the ClusterRole whose rules count, or */
    const struct json *rules; /* rules as in a ClusterRole */
    const char *ns;           /* a name or a pattern with *; NULL: everywhere */
};
/* The user's grants in the arena, *count of them. On any thread, for every request that RBAC does not allow: short. */
typedef const struct user_grant *apiserver_grants_fn(struct arena *a, const struct user *u, size_t *count, void *arg);
void apiserver_add_grants(struct apiserver *s, apiserver_grants_fn *fn, void *arg);

/* What a pod gets besides what it asks for, for its service account (admission plug-in PodIdentity). */
struct pod_identity {
    const char *region;       /* AWS_REGION and AWS_DEFAULT_REGION; NULL: not set */
    const char *endpoint_url; /* AWS_ENDPOINT_URL; NULL: not set */
    bool cluster_ca;          /* the endpoint's certificate is of the cluster's CA */
    bool associated;          /* the account has an association of EKS Pod Identity: container credentials, not web identity */
};
typedef void apiserver_pod_identity_fn(struct arena *a, const char *ns, const char *service_account, struct pod_identity *out, void *arg);
void apiserver_set_pod_identity(struct apiserver *s, apiserver_pod_identity_fn *fn, void *arg);

/* Appends metrics in Prometheus' text format to what /metrics answers. */
void apiserver_add_metrics(struct apiserver *s, void (*fn)(struct buf *out, void *arg), void *arg);
/* Answers paths below a prefix ("/console/") that the API does not know, after authentication and authorization. */
void apiserver_add_path(struct apiserver *s, const char *prefix, http_handler_fn *fn, void *arg);
/* Is a token (of any audience) signed by this server's keys, and do the objects that it is bound to still exist? Else *why. */
enum issued_token { TOKEN_GOOD, TOKEN_FORGED, TOKEN_REVOKED };
enum issued_token apiserver_check_issued_token(struct apiserver *s, struct arena *a, const char *token, const char **why);
const char *apiserver_issuer(const struct apiserver *s);
/* A signed service account token, e.g. for components in the process. Malloced. */
char *apiserver_issue_token(struct apiserver *s, const char *ns, const char *name, const char *uid, int64_t lifetime);
