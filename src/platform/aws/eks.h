/* The cluster as EKS shows it, and what its identities are worth in it: access entries, the aws-auth ConfigMap, associations of
 * pods with roles, identity providers; sign-in by token, roles for service account tokens.
 *
 * Each of EKS's objects is a Secret (type coracle.io/aws-eks, the kind in a label) in IAM's namespace. Readers see all of them,
 * and aws-auth, compiled into an immutable view that is made anew when one has changed. Any thread. */
#pragma once
#include "platform/aws/aws.h"

struct http_client;

enum eks_issued { EKS_TOKEN_GOOD, EKS_TOKEN_FORGED, EKS_TOKEN_REVOKED };
struct eks_config {
    struct aws *aws;
    const char *cluster;             /* its name: "coracle" */
    const char *endpoint, *ca_pem;   /* of the API server */
    const char *issuer;              /* of service account tokens */
    const char *service_cidr, *version; /* "1.35" */
    /* Is a token signed by the cluster, and is what it is bound to still there? Else *why, in the arena. */
    enum eks_issued (*check_issued)(struct arena *a, const char *token, const char **why, void *arg);
    void *arg;
    const char *const *own_hosts;    /* of this endpoint, as sign-in tokens name it; ends with NULL */
    bool real;                       /* tokens of keys that are not ours are shown to the genuine STS; foreign issuers are read */
    const char *partition;           /* NULL: "aws" */
    struct loop *client_loop;        /* for calls to the outside; NULL: none are made */
};
struct eks;
/* After aws_open, before requests. Strings are copied. */
MUST_CHECK struct error *eks_open(const struct eks_config *c, struct eks **out);
void eks_close(struct eks *e); /* before aws_close; NULL is allowed */

/* ---- sign-in ---- */

struct eks_extra { const char *key, *value; };
struct eks_user {
    const char *name, *uid;
    const char *const *groups; /* ends with NULL */
    struct eks_extra extra[6];
    size_t extra_count;
};
/* The user of a sign-in token. False: *why, never to be told the client. Blocks only where `real` is set. */
bool eks_sign_in(struct eks *e, struct arena *a, const char *token, struct eks_user *out, const char **why);

/* What an access policy grants the principal of a canonical ARN. */
struct eks_grant {
    const char *binding, *role; /* names for reasons */
    const struct json *rules;   /* as in a ClusterRole; they live as long as the eks */
    const char *ns;             /* a name or a pattern with *; NULL: everywhere */
};
size_t eks_grants(struct eks *e, struct arena *a, const char *canonical_arn, const struct eks_grant **out);
/* Makes the principal an administrator of the cluster (entry of type STANDARD with AmazonEKSClusterAdminPolicy), if it has no
 * access entry yet. Blocks. */
MUST_CHECK struct error *eks_admit_admin(struct client *c, const char *principal_arn);

/* ---- pods ---- */

/* The role associated with a service account, NULL if there is none. */
const char *eks_associated_role(struct eks *e, struct arena *a, const char *ns, const char *service_account);
/* What the agent on 169.254.170.23 answers for a pod's token: AccessKeyId, SecretAccessKey, Token, AccountId, Expiration.
 * Errors have EKS Auth's codes. Blocks. */
MUST_CHECK struct error *eks_pod_credentials(struct eks *e, struct arena *a, const char *token, const struct json **out);

/* An identity provider that was associated (AssociateIdentityProviderConfig), NULL if there is none: its oidc object. */
const struct json *eks_identity_provider(struct eks *e, struct arena *a);

extern const struct aws_service aws_eks, aws_eks_auth;
