/* What the instance metadata service says of a node, made where IAM's state is; metadata.h serves it on the node itself. (Amazon
 * EC2 User Guide, "Instance metadata categories") */
#pragma once
#include "platform/aws/aws.h"

/* How the cluster's nodes serve their metadata, as MetadataOptions of EC2's instances. */
struct instance_metadata_options {
    bool enabled;      /* HttpEndpoint; false leaves 169.254.169.254 to the machine's own service */
    bool pods_allowed; /* HttpPutResponseHopLimit 2 instead of 1 */
    bool version_1;    /* HttpTokens optional: requests without a session token are answered, too */
};

/* {"enabled":…,"podsAllowed":…,"version1":…,"values":{"meta-data/instance-id":…}}; only the first if it is false. Values are ordered
 * by path. With the credentials of a fresh session of the node's role, if there is one that trusts EC2. Errors: 503 for a node that
 * is not registered. Any thread; never blocks. */
MUST_CHECK struct error *instance_metadata(struct aws *w, struct arena *a, const char *node_name, const struct instance_metadata_options *o,
                                           const struct json **out);
