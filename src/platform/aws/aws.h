/* The AWS side of the platform: one endpoint that speaks STS, IAM, EKS and EC2 to unmodified AWS clients, over the cluster's
 * own state. What the parts share; service.h has the actions, state.h IAM's entities, sts.h sessions. */
#pragma once
#include "client/cache.h"
#include "net/http.h"
#include "platform/aws/policy.h"
#include "platform/aws/sigv4.h"
#include "platform/aws/state.h"

struct aws_config {
    struct client *client;     /* in the process; may do everything */
    struct cache *cache;       /* of the same client; outlives the endpoint */
    const struct clock *clock; /* NULL: real */
    const char *account;       /* twelve digits; NULL: the cluster's own, random when it was made */
    const char *region;        /* "us-east-1" */
    unsigned threads;          /* that run actions; 0: 8 */
};

struct aws {
    struct client *client;
    struct cache *cache;
    const struct clock *clock;
    const char *account, *region;
    struct iam_state *iam;
    struct eks *eks; /* the cluster's side, set by eks_open; NULL: none */
    /* private */
    struct worker_pool *workers;
    struct arena arena; /* the strings above */
    _Atomic uint32_t in_flight;
    _Atomic uint64_t requests, errors;
};

/* Opens IAM's state, blocking until it is read. Strings are copied. */
MUST_CHECK struct error *aws_open(const struct aws_config *c, struct aws **out);
void aws_drain(struct aws *w); /* waits for running actions; after the HTTP server has stopped */
void aws_close(struct aws *w); /* the same, and frees */
/* The handler of the HTTP server; arg is the struct aws. */
void aws_handle(struct http_exchange *x, void *arg);
void aws_metrics(struct buf *out, void *arg); /* Prometheus text; arg is the struct aws */

/* Who signed a request: parses, finds the key (of a user, or of a session by its token), verifies. Any thread, never blocks.
 * Errors beyond sigv4.h's: InvalidClientTokenId (unknown or inactive key, no genuine token, entity gone), ExpiredToken. The
 * principal is in the arena and independent of the snapshot. `auth` may be NULL. */
MUST_CHECK struct error *aws_authenticate(struct aws *w, struct arena *a, const struct sigv4_request *r, const struct sigv4_rules *rules,
                                          struct aws_principal *out, struct sigv4_auth *auth);

/* Who a session of the role is. All of it is in the arena; `s` must stay. */
void aws_session_principal(struct aws *w, struct arena *a, const struct iam_entity *role, const struct sts_session *s, struct aws_principal *out);

/* May the principal do it, by its identity policies, boundary and session policies? NULL: yes; else AccessDenied in AWS's
 * words. `context` may be NULL. */
MUST_CHECK struct error *aws_authorize(struct aws *w, struct arena *a, const struct aws_principal *p, const char *action,
                                       const char *resource, const struct policy_context *context);
/* The whole decision, with the policy of the resource (a role's trust policy: it must allow) or NULL. For actions that ask by
 * themselves; the verdict lives in the arena. */
struct policy_verdict aws_decide(struct arena *a, const struct iam_snapshot *iam, const struct aws_principal *p, const struct policy *resource_policy,
                                 const struct policy_request *question);
/* AccessDenied in AWS's words; `reason` is the verdict's, or NULL to keep it to oneself. */
struct error *aws_denied(struct arena *a, const struct aws_principal *p, const char *action, const char *resource, const char *reason);
