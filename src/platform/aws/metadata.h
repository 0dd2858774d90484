/* What a node answers at link-local addresses, over plain HTTP as SDKs expect it:
 *   169.254.170.23   EKS Pod Identity's agent: a pod's token becomes credentials of its role
 *   169.254.169.254  the instance metadata service, version 2: region, zone, instance, credentials of the node's role
 *
 * The metadata service answers processes of the node's own network; pods only if they are allowed, and nobody else, whoever has a
 * way to the node. A session token is an expiry under a key of this process, good for the address that it was given to, so that
 * nothing is kept per session. */
#pragma once
#include "base/clock.h"
#include "json/json.h"
#include "net/http.h"

#define POD_IDENTITY_ADDRESS "169.254.170.23"
#define INSTANCE_METADATA_ADDRESS "169.254.169.254"

/* Both may block; they are called on workers. `arg` is the config's. */
/* Makes credentials of a pod's token, as eks_pod_credentials does, here or where the cluster's server is. */
typedef struct error *metadata_exchange_fn(struct arena *a, const char *token, const struct json **out, void *arg);
/* What there is to say of this node (instance_metadata.h), enabled. */
typedef struct error *metadata_describe_fn(struct arena *a, const struct json **out, void *arg);

struct metadata;
struct metadata_config {
    metadata_exchange_fn *exchange; /* NULL: no agent */
    metadata_describe_fn *describe; /* NULL: no instance metadata */
    void *arg;
    int64_t keep;              /* ns: so long an answer of `describe` is good; while it fails, the last one stays */
    const char *cluster_cidr;  /* pods come from there; for instance metadata */
    struct loop *const *loops;
    size_t loop_count;
    int port;                  /* 0: 80 */
    const char *agent_address, *metadata_address; /* NULL: the link-local ones, which this machine must have by now */
};
MUST_CHECK struct error *metadata_start(const struct metadata_config *c, struct metadata **out);
/* `done` on some loop's thread when no connection is left; then metadata_free. */
void metadata_stop(struct metadata *m, void (*done)(void *arg), void *arg);
void metadata_free(struct metadata *m); /* NULL is allowed */
