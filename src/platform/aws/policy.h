/* IAM's policy language and how requests are decided by it. (IAM User Guide, "Policy evaluation logic" and "IAM JSON policy
 * elements reference")
 *
 * A document is parsed and checked once (policy_parse) into an immutable `struct policy`, which any number of threads may
 * evaluate. Evaluation allocates in the request's arena and never fails: what cannot be resolved does not match, so that
 * nothing is allowed by accident; in a Deny, an unresolvable part does not match either, as AWS documents it. */
#pragma once
#include "json/json.h"

enum policy_type {
    POLICY_IDENTITY, /* of a user or role, a permissions boundary, a session policy: Resource, no Principal */
    POLICY_TRUST,    /* of a role: Principal, no Resource; actions of sts only */
    POLICY_RESOURCE, /* of another resource: Principal and Resource */
};

struct policy;
/* Everything is kept in `a`. Errors: MalformedPolicyDocument (400) in AWS's words. */
MUST_CHECK struct error *policy_parse(struct arena *a, const char *text, size_t len, enum policy_type type, struct policy **out);

/* ---- who asks ---- */

enum aws_principal_type {
    AWS_ANONYMOUS,     /* an unsigned request */
    AWS_ROOT,          /* the account itself */
    AWS_USER,
    AWS_ASSUMED_ROLE,  /* a session of a role */
    AWS_FEDERATED,     /* a web identity, in AssumeRoleWithWebIdentity: `arn` is the OIDC provider's */
    AWS_SERVICE,       /* `arn` is a service's name: "pods.eks.amazonaws.com" */
};
struct aws_principal {
    enum aws_principal_type type;
    const char *account;      /* twelve digits */
    const char *arn;          /* arn:aws:iam::A:user/path/name, arn:aws:sts::A:assumed-role/NAME/SESSION, … */
    const char *user_id;      /* AIDA…, AROA…:SESSION; what GetCallerIdentity calls UserId */
    const char *role_arn;     /* sessions: arn:aws:iam::A:role/path/NAME, else NULL */
    const char *role_id;      /* sessions: AROA… */
    const char *user_name;    /* users: the name, else NULL */
    const char *session_name; /* sessions */
    const char *key_id;       /* the access key that signed; NULL if unsigned */
    const char *source_identity; /* NULL if none */
    int64_t issued_at, expires_at; /* temporary credentials: wall time; else 0 */
    const struct json *tags;  /* array of {Key,Value}: principal's and session's; NULL if none */
    const struct sts_session *session; /* temporary credentials: all that their token says; else NULL */
};

/* ---- what is asked ---- */

/* Condition keys, by their full names without regard to case ("aws:SourceIp", "oidc.example.com:sub"). A key with several
 * values is set by several calls. Strings are borrowed. */
struct policy_context {
    struct arena *arena;
    struct policy_key {
        const char *name;
        const char **values;
        size_t count;
        struct policy_key *next;
    } *keys;
};
void policy_context_add(struct policy_context *c, const char *name, const char *value); /* a NULL value: nothing */
/* A key that is there, but with no values ("ForAllValues" is true of it). */
void policy_context_add_empty(struct policy_context *c, const char *name);

struct policy_request {
    const char *action;   /* "sts:AssumeRole" */
    const char *resource; /* an ARN, or "*" */
    const struct aws_principal *principal;
    const struct policy_context *context; /* may be NULL; the global keys: aws_request_context in service.h */
};

enum policy_decision { POLICY_IMPLICIT_DENY, POLICY_ALLOW, POLICY_EXPLICIT_DENY };

/* Documents of one kind: any explicit deny denies, else any allow allows. */
struct policy_list {
    const struct policy **items;
    size_t count;
};
enum policy_decision policy_evaluate(struct arena *a, const struct policy_list *policies, const struct policy_request *r);

/* All that counts for a request. A NULL list is "there is none", which restricts nothing (boundary, session) or allows
 * nothing (identity, resource); a list without documents restricts everything. */
struct policy_inputs {
    const struct policy_list *identity;
    const struct policy_list *boundary;
    const struct policy_list *session;
    const struct policy *resource_policy;
    const char *resource_account;  /* owner of the resource; NULL: the principal's own account */
    bool resource_must_allow;      /* trust policies: the identity's permission alone is not enough */
};
struct policy_verdict {
    enum policy_decision decision;
    const char *reason; /* not allowed: "because no identity-based policy allows the iam:GetUser action", "with an explicit
                           deny in a resource-based policy" …: the end of AWS's AccessDenied message */
};
/* The whole evaluation logic, within one account or across. `AWS_ROOT` is allowed what no policy of the resource denies. */
struct policy_verdict policy_decide(struct arena *a, const struct policy_inputs *in, const struct policy_request *r);

/* Is one text matched by a pattern with * and ? ? (case matters) */
bool policy_wildcard(const char *pattern, const char *text);
