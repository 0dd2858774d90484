/* Temporary credentials. A session is wholly contained in its session token, which is sealed (AES-256-GCM under the cluster's
 * sealing key): nothing is kept per session, any server of the cluster understands it, and it ends by itself. A session of a
 * role or user that is gone (by its unique id) is worth nothing. */
#pragma once
#include "platform/aws/aws.h"
#include "platform/aws/policy.h"

struct sts_session {
    enum aws_principal_type type;    /* AWS_ASSUMED_ROLE or AWS_USER (GetSessionToken) */
    const char *entity_id;           /* of the role or user: AROA…, AIDA… */
    const char *session_name;        /* roles */
    const char *source_identity;     /* NULL if none */
    int64_t issued_at, expires_at;   /* wall time */
    const char *policy;              /* session policy's text, NULL if none */
    const struct json *policy_arns;  /* array of strings, NULL if none */
    const struct json *tags;         /* array of {Key,Value}, NULL if none */
    const struct json *transitive_tag_keys; /* array of strings, NULL if none */
    const char *federated_provider;  /* AssumeRoleWithWebIdentity: ARN of the OIDC provider, else NULL */
    bool chained;                    /* made by another role's session */
};

struct sts_credentials {
    const char *access_key_id; /* ASIA… */
    const char *secret_access_key, *session_token;
    int64_t expiration;
};
/* Issues credentials for what the caller has checked already. In the arena. */
void sts_issue_session(struct aws *w, struct arena *a, const struct sts_session *s, struct sts_credentials *out);
/* Opens a token. NULL error: it is genuine and belongs to that key; `secret` is its secret access key. Expiry is not
 * checked. Errors: InvalidClientTokenId. */
MUST_CHECK struct error *sts_open_session(struct aws *w, struct arena *a, const char *key_id, const char *token,
                                          struct sts_session **out, const char **secret);

/* The Credentials member of STS's answers. */
const struct json *sts_credentials_json(struct arena *a, const struct sts_credentials *c);

/* The checks that all ways of assuming a role share (ValidationError in AWS's words), from parameters RoleSessionName,
 * DurationSeconds (against the role's MaxSessionDuration), Policy, PolicyArns, and Tags, TransitiveTagKeys, SourceIdentity
 * where `tags_allowed`. Fills `s` but for type, entity and federated_provider. */
struct aws_request;
MUST_CHECK struct error *sts_session_parameters(struct aws_request *r, const struct iam_entity *role, bool tags_allowed,
                                                struct sts_session *s);
/* PackedPolicySize: how much of what a session may carry is used, in per cent; NULL if it carries nothing. */
const struct json *sts_packed_size(struct arena *a, const struct sts_session *s);
struct error *sts_assume_role_with_web_identity(struct aws_request *r, const struct json **out); /* web_identity.c */
/* {AssumedRoleId, Arn} of a session of the role. */
const struct json *sts_assumed_role_json(struct aws *w, struct arena *a, const struct iam_entity *role, const char *session_name);
