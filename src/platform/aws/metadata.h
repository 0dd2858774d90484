/* What a node answers at link-local addresses, over plain HTTP as SDKs expect it:
 *   169.254.170.23   EKS Pod Identity's agent: a pod's token becomes credentials of its role
 *   169.254.169.254  the instance metadata service, version 2: region, zone, instance, credentials of the node's role
 *
 * The metadata service answers pods only if they are allowed (processes in the node's own network always); version 1, without a
 * session token, is off unless switched on. Nothing is kept per session: a token is an expiry under the cluster's key, good for
 * the address that it was given to. */
#pragma once
#include "platform/aws/eks.h"

#define POD_IDENTITY_ADDRESS "169.254.170.23"
#define INSTANCE_METADATA_ADDRESS "169.254.169.254"

struct metadata;
struct metadata_config {
    /* Makes credentials of a pod's token, as eks_pod_credentials does, here or where the cluster's server is. May block. */
    struct error *(*exchange)(struct arena *a, const char *token, const struct json **out, void *arg);
    void *arg;
    struct aws *aws;           /* for instance metadata */
    const char *node_name;     /* whose metadata it is */
    const char *cluster_cidr;  /* pods come from there */
    bool instance_metadata;    /* false: only the agent; the three above are not needed then */
    bool pods_allowed;
    bool version_1;
    struct loop *const *loops;
    size_t loop_count;
    int port;                  /* 0: 80 */
    const char *agent_address, *metadata_address; /* NULL: the link-local ones, which this machine must have by now */
};
MUST_CHECK struct error *metadata_start(const struct metadata_config *c, struct metadata **out);
/* `done` on some loop's thread when no connection is left; then metadata_free. */
void metadata_stop(struct metadata *m, void (*done)(void *arg), void *arg);
void metadata_free(struct metadata *m); /* NULL is allowed */
