/* Actions: what a service of the endpoint can do, as tables.
 *
 * A service is a row of `aws_services`; a request belongs to the one that its credential scope names (unsigned ones, where an
 * action allows it: the one that has an action of that name). An action is a row of its service. Before it runs the engine has
 * verified the signature, parsed the parameters and asked the policies of the caller for "service:Action" on the row's
 * resource. It runs on a worker, may block, and returns its answer as a JSON value, which the engine renders as the
 * service's protocol wants it: XML of the query protocols (arrays become <member> or <item> elements, NULL members are left
 * out), or JSON. */
#pragma once
#include "platform/aws/aws.h"

enum aws_protocol {
    AWS_QUERY,     /* form parameters, XML answers (sts, iam) */
    AWS_EC2_QUERY, /* the same in EC2's dialect */
    AWS_REST_JSON, /* paths and JSON bodies (eks) */
};

struct aws_request {
    struct arena *arena;
    struct aws *aws;
    const struct aws_service *service;
    const struct aws_action *action;
    struct aws_principal principal;   /* AWS_ANONYMOUS if unsigned */
    const struct iam_snapshot *iam;   /* of the time when the request came; take a new one after writes */
    /* Query: an object of strings, objects and arrays: Tags.member.1.Key is Tags[0].Key, Filter.1.Name is Filter[0].Name.
     * REST: members of the body, path labels and query parameters by their names (a repeated one: an array). */
    const struct json *params;
    const char *request_id;
    const char *source_ip, *user_agent;
    bool secure;                      /* came over TLS */
    const char *host;                 /* as the client called this endpoint: "127.0.0.1:6445" */
    int status;                       /* of a successful answer; 200 unless the action sets another */
};

/* Fills `out` with the answer (NULL: an empty one). Errors: aws_error and friends. */
typedef struct error *aws_action_fn(struct aws_request *r, const struct json **out);
/* The ARN that the action is about, for policies; NULL: "*". `context` gets the action's own condition keys. */
typedef const char *aws_resource_fn(struct aws_request *r, struct policy_context *context);

enum aws_action_flags {
    AWS_UNSIGNED = 1,      /* no signature is needed (AssumeRoleWithWebIdentity) */
    AWS_ALWAYS_ALLOWED = 2, /* policies are not asked (GetCallerIdentity), or the action asks them itself (AssumeRole) */
};
struct aws_action {
    const char *name;          /* "CreateRole" */
    const char *method, *path; /* REST: "POST", "/clusters/{name}/access-entries/{principalArn}"; else NULL */
    aws_action_fn *run;
    aws_resource_fn *resource; /* NULL: "*" */
    unsigned flags;
    const char *required;      /* names of parameters that must be there, separated by spaces; NULL: none */
};
/* What a parameter of some name must look like wherever it is given. Breaking it is a ValidationError in AWS's words. */
struct aws_rule {
    const char *name;
    size_t min, max;       /* characters; 0: no bound */
    bool (*valid)(const char *value); /* NULL: anything */
    const char *complaint; /* not valid: "It must contain only …", behind "The specified value for roleName is invalid. " */
};
struct aws_service {
    const char *name;      /* as in credential scopes and policies: "sts" */
    enum aws_protocol protocol;
    const char *version, *xmlns;
    const struct aws_action *actions; /* ends with a row without a name */
    const struct aws_rule *rules;     /* ends with a row without a name; NULL: none */
    const struct aws_action *const *more; /* further tables of actions, ends with NULL; NULL: none */
};
extern const struct aws_service aws_sts, aws_iam, aws_ec2;
extern const struct aws_service *const aws_services[]; /* ends with NULL */

/* An error of an action: HTTP status, AWS's code, message. */
#define aws_error(status, code, ...) error_api(status, code, __VA_ARGS__)

/* What the sealed text of a refusal is bound to (seal.h); DecodeAuthorizationMessage opens it. */
#define AWS_MESSAGE_SEAL "authorization message"

/* The global condition keys of a request (aws:PrincipalArn, aws:SourceIp, aws:CurrentTime, aws:RequestTag/… are the action's
 * own). Set for the engine's question already; for actions that ask by themselves. */
struct policy_context *aws_request_context(struct aws_request *r);
/* The keys of a principal only: aws:PrincipalArn, aws:userid, aws:PrincipalTag/…, aws:TokenIssueTime … */
void aws_principal_context(const struct aws_principal *p, struct policy_context *c);

/* ---- parameters ---- */

/* A string (of query protocols everything is one); NULL if absent or empty. */
const char *aws_param(const struct aws_request *r, const char *name);
/* A list of a query protocol or a JSON array; NULL if absent or something else. */
const struct json *aws_param_list(const struct aws_request *r, const char *name);
/* A number in [min,max]; `other` if absent. ValidationError else. */
MUST_CHECK struct error *aws_param_int(const struct aws_request *r, const char *name, int64_t min, int64_t max, int64_t other, int64_t *out);

/* One page of `items`, starting where the Marker says (an index sealed into it), at most MaxItems (default 100). Adds
 * IsTruncated and Marker to `answer`, and the page as `member`. IAM's way; EKS has nextToken. */
MUST_CHECK struct error *aws_page(struct aws_request *r, const char *member, const struct json *items, const struct json **answer);

/* Time as the protocols write it: 2026-01-01T00:00:00Z. */
const struct json *aws_time(struct arena *a, int64_t wall);
/* Letters, digits and some more characters only? For rules. */
bool aws_text_of(const char *s, const char *others);
/* "RoleName" as validation messages spell it: "roleName". */
const char *aws_param_word(struct arena *a, const char *name);
