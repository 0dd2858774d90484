/* Between the AWS side and the API server, which do not know each other: sign-in tokens, access policies, roles of pods. */
#pragma once
#include "apiserver/apiserver.h"
#include "cli/options.h"
#include "platform/aws/eks.h"

struct identity;
struct identity_config {
    const struct aws_options *options;
    struct apiserver *api;
    struct aws *aws;
    struct loop *client_loop;
    const char *endpoint, *ca_pem; /* of the API server */
    const char *service_cidr;
    const char *aws_url;           /* of the AWS endpoint */
    const char *const *names;      /* more names and addresses of this machine; ends with NULL */
};
/* Hooks into the API server; before it serves what needs them. */
MUST_CHECK struct error *identity_start(const struct identity_config *c, struct identity **out);
void identity_free(struct identity *i); /* when no request is running; NULL is allowed */
/* For the agent of EKS Pod Identity on this node; further nodes' agents ask for the same at POD_CREDENTIALS_PATH. `arg` is the identity. */
struct error *identity_exchange(struct arena *a, const char *token, const struct json **out, void *arg);
#define POD_CREDENTIALS_PATH "/coracle/pod-credentials"
/* Instance metadata of a node (instance_metadata.h). Further nodes ask for theirs, by their client certificates, at INSTANCE_METADATA_PATH. */
MUST_CHECK struct error *identity_describe_node(struct identity *i, struct arena *a, const char *node_name, const struct json **out);
#define INSTANCE_METADATA_PATH "/coracle/instance-metadata"
