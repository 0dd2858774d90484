/* Sign-in tokens: "k8s-aws-v1." and a presigned GetCallerIdentity URL in base64url, as `aws eks get-token` and
 * aws-iam-authenticator make them (aws-iam-authenticator/pkg/token). Read here, with every rule that needs neither a secret
 * nor the network; what passes is verified by aws_authenticate, or by the genuine STS. Hostile input; any thread. */
#pragma once
#include "platform/aws/sigv4.h"

#define SIGNIN_PREFIX "k8s-aws-v1."
#define SIGNIN_MAX 4096
#define SIGNIN_LIFETIME SECONDS(15 * 60)

struct signin_rules {
    const char *cluster;           /* bound by the signed header x-k8s-aws-id */
    const char *partition;         /* "aws": whose STS hosts are genuine */
    const char *const *own_hosts;  /* "127.0.0.1:6445": this platform's endpoint, over http or https; ends with NULL; may be NULL */
    int64_t now;
};
struct signin_token {
    const char *host, *query;      /* as in the URL */
    const char *key_id, *region;   /* of the credential */
    bool own_host;                 /* this platform's endpoint; else a genuine STS host */
    int64_t expires;               /* wall time */
    struct sigv4_request request;  /* as STS gets it, with this cluster's name */
    struct http_header headers[2];
};
/* NULL: *out is filled (it must not be moved). Else why the token is refused, for the audit log. */
MUST_CHECK const char *signin_parse(struct arena *a, const char *token, const struct signin_rules *rules, struct signin_token *out);

/* Is it a host that STS answers at in the partition: global, regional, FIPS or dual-stack? */
bool sts_host_genuine(const char *partition, const char *host);
