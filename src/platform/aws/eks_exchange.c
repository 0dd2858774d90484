/* EKS Pod Identity: the credentials that a pod's token is exchanged for. (EKS User Guide, "How EKS Pod Identity works"; Amazon EKS
 * Auth API Reference) */
#include "base/str.h"
#include "net/jwt.h"
#include "platform/aws/eks_internal.h"
#include "platform/aws/sts.h"

#define SESSION_SECONDS 21600
#define CHAINED_SECONDS 3600 /* the limit of chained roles */

struct exchange {
    struct eks *eks;
    struct arena *a;
    struct jwt jwt;
    const char *ns, *account, *pod, *pod_uid;
    const struct json *association;
    const struct iam_entity *role; /* the last one assumed; of the snapshot */
    struct sts_session session;
    struct sts_credentials credentials;
    const struct json *user; /* assumedRoleUser */
};

static struct error *read_token(struct exchange *x, const char *token) {
    static const char *const audiences[] = {EKS_PODS_SERVICE, NULL};
    struct eks *e = x->eks;
    const char *why;
    if (jwt_parse(x->a, token, &x->jwt) != NULL) return aws_error(400, "InvalidTokenException", "Unable to parse the service account token.");
    struct jwt_expected expected = {.issuer = e->config.issuer, .audiences = audiences, .now = clock_wall(e->aws->clock), .skew = SECONDS(60)};
    enum jwt_problem problem = jwt_check(x->a, &x->jwt, &expected, &why);
    if (problem == JWT_EXPIRED) return aws_error(400, "ExpiredTokenException", "The service account token has expired.");
    if (problem == JWT_WRONG_AUDIENCE) return aws_error(400, "InvalidTokenException", "The audience of the service account token is not " EKS_PODS_SERVICE ".");
    if (problem != JWT_GOOD) return aws_error(400, "InvalidTokenException", "The service account token cannot be used: %s.", why);
    if (e->config.check_issued(x->a, token, &why, e->config.arg) != EKS_TOKEN_GOOD) return aws_error(400, "InvalidTokenException", "The service account token cannot be used: %s.", why);
    const struct json *k = json_member(x->jwt.claims, "kubernetes.io");
    x->ns = json_str_or(k, "namespace", "");
    x->account = json_str_or(k, "serviceaccount.name", "");
    x->pod = json_str(k, "pod.name");
    x->pod_uid = json_str(k, "pod.uid");
    return x->pod ? NULL : aws_error(400, "InvalidTokenException", "The service account token is not bound to a pod.");
}

static struct error *find_association(struct exchange *x) {
    cleanup_eks_view struct eks_view *v = eks_view(x->eks);
    const struct eks_object *o = eks_find(v, EKS_POD_IDENTITY, eks_association_key(x->a, x->ns, x->account));
    if (o == NULL) return aws_error(404, "ResourceNotFoundException", "No association found for service account %s in namespace %s.", x->account, x->ns);
    x->association = json_copy(x->a, o->json);
    return NULL;
}

static const struct json *session_tags(struct exchange *x) {
    struct eks *e = x->eks;
    const struct { const char *key, *value; } tags[] = {
        {"eks-cluster-arn", eks_cluster_arn(x->a, e)}, {"eks-cluster-name", e->config.cluster}, {"kubernetes-namespace", x->ns},
        {"kubernetes-service-account", x->account}, {"kubernetes-pod-name", x->pod}, {"kubernetes-pod-uid", x->pod_uid}};
    struct json_array out = {.arena = x->a};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) json_array_add(&out, json_make(x->a, "{'Key':%s,'Value':%s}", tags[i].key, tags[i].value ? tags[i].value : ""));
    return json_array_done(&out);
}

/* ---- the roles ---- */

static struct error *not_allowed(const char *which) {
    return aws_error(400, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the %s role.", which);
}

static void add_request_tags(struct policy_context *c, const struct json *tags) {
    JSON_EACH(tag, tags) {
        const char *key = json_str_or(tag, "Key", "");
        policy_context_add(c, "aws:TagKeys", key);
        policy_context_add(c, "sts:TransitiveTagKeys", key);
        policy_context_add(c, arena_printf(c->arena, "aws:RequestTag/%s", key), json_str_or(tag, "Value", ""));
    }
}

/* Roles are assumed, and where the session has tags, they are set. */
static const char *const assuming[] = {"sts:AssumeRole", "sts:TagSession"};
static size_t actions_needed(const struct exchange *x) { return x->session.tags ? 2 : 1; }

/* The trust policy must let the service assume the role and tag its session. */
static struct error *check_trust(struct exchange *x, const struct iam_entity *role) {
    struct aws_principal service = {.type = AWS_SERVICE, .account = x->eks->aws->account, .arn = EKS_PODS_SERVICE};
    struct policy_list trust = {.items = (const struct policy *[]){role->trust}, .count = 1};
    struct policy_context *c = ARENA_NEW(x->a, struct policy_context);
    c->arena = x->a;
    policy_context_add(c, "aws:PrincipalIsAWSService", "true");
    policy_context_add(c, "aws:PrincipalServiceName", EKS_PODS_SERVICE);
    policy_context_add(c, "aws:SourceArn", eks_cluster_arn(x->a, x->eks));
    policy_context_add(c, "aws:SourceAccount", x->eks->aws->account);
    add_request_tags(c, x->session.tags);
    for (size_t i = 0; i < actions_needed(x); i++) {
        struct policy_request question = {assuming[i], role->arn, &service, c};
        if (policy_evaluate(x->a, &trust, &question) != POLICY_ALLOW) return not_allowed("associated");
    }
    return NULL;
}

static const struct iam_entity *find_role(const struct exchange *x, const struct iam_snapshot *iam, const char *member) {
    const struct iam_entity *role = iam_find_arn(iam, json_str_or(x->association, member, ""));
    return role && role->kind == IAM_ROLE && role->trust ? role : NULL;
}

/* eks-CLUSTER-POD-UUID, cut to what a session's name may be. */
static const char *session_name(struct exchange *x) {
    char id[37];
    uuid_v4(id);
    return arena_printf(x->a, "eks-%.10s-%.10s-%s", x->eks->config.cluster, x->pod, id);
}

static void add_tags(struct exchange *x) {
    struct json_array keys = {.arena = x->a};
    if (json_bool(x->association, "disableSessionTags", false)) return;
    x->session.tags = session_tags(x);
    JSON_EACH(tag, x->session.tags) json_array_add(&keys, json_member(tag, "Key"));
    x->session.transitive_tag_keys = json_array_done(&keys);
}

static struct error *assume_first(struct exchange *x, const struct iam_snapshot *iam) {
    int64_t now = clock_wall(x->eks->aws->clock) / NSEC_PER_SEC * NSEC_PER_SEC;
    x->role = find_role(x, iam, "roleArn");
    if (x->role == NULL) return not_allowed("associated");
    x->session = (struct sts_session){.type = AWS_ASSUMED_ROLE, .entity_id = x->role->id, .session_name = session_name(x), .issued_at = now, .expires_at = now + SECONDS(SESSION_SECONDS)};
    add_tags(x);
    return check_trust(x, x->role);
}

/* The first role assumes the second, as anybody who chains roles: its own policies and the trust policy must let it. */
static struct error *assume_target(struct exchange *x, const struct iam_snapshot *iam) {
    struct aws_principal first;
    const struct iam_entity *target = find_role(x, iam, "targetRoleArn");
    if (target == NULL) return not_allowed("target");
    aws_session_principal(x->eks->aws, x->a, x->role, &x->session, &first);
    struct policy_context *c = ARENA_NEW(x->a, struct policy_context);
    c->arena = x->a;
    aws_principal_context(&first, c);
    add_request_tags(c, x->session.tags);
    policy_context_add(c, "sts:RoleSessionName", x->session.session_name);
    if (x->session.tags == NULL) policy_context_add(c, "sts:ExternalId", eks_association_external_id(x->a, x->eks, x->association));
    for (size_t i = 0; i < actions_needed(x); i++) {
        struct policy_request question = {assuming[i], target->arn, &first, c};
        if (aws_decide(x->a, iam, &first, target->trust, &question).decision != POLICY_ALLOW) return not_allowed("target");
    }
    x->role = target;
    x->session.entity_id = target->id;
    x->session.chained = true;
    x->session.expires_at = x->session.issued_at + SECONDS(CHAINED_SECONDS);
    return NULL;
}

static struct error *exchange_token(struct exchange *x, const char *token) {
    struct aws *w = x->eks->aws;
    TRY(read_token(x, token));
    TRY(find_association(x));
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->iam);
    TRY(assume_first(x, iam));
    if (json_str(x->association, "targetRoleArn")) TRY(assume_target(x, iam));
    x->session.policy = json_str(x->association, "policy");
    sts_issue_session(w, x->a, &x->session, &x->credentials);
    x->user = json_make(x->a, "{'arn':%s,'assumeRoleId':%s}", arena_printf(x->a, "arn:%s:sts::%s:assumed-role/%s/%s", x->eks->config.partition, w->account, x->role->name, x->session.session_name),
                        arena_printf(x->a, "%s:%s", x->role->id, x->session.session_name));
    x->role = NULL; /* the snapshot's */
    return NULL;
}

/* ---- answers ---- */

struct error *eks_pod_credentials(struct eks *e, struct arena *a, const char *token, const struct json **out) {
    struct exchange x = {.eks = e, .a = a};
    char time[TIME_STRING_MAX];
    TRY(exchange_token(&x, token));
    *out = json_make(a, "{'AccessKeyId':%s,'SecretAccessKey':%s,'Token':%s,'AccountId':%s,'Expiration':%s}", x.credentials.access_key_id, x.credentials.secret_access_key,
                     x.credentials.session_token, e->aws->account, time_format(time, x.credentials.expiration));
    return NULL;
}

struct error *eks_assume_role_for_pod(struct aws_request *r, const struct json **out) {
    struct exchange x = {.eks = eks_of(r), .a = r->arena};
    TRY(eks_check_cluster(r));
    TRY(exchange_token(&x, aws_param(r, "token")));
    const struct json *credentials = json_make(r->arena, "{'sessionToken':%s,'secretAccessKey':%s,'accessKeyId':%s,'expiration':%ld}", x.credentials.session_token,
                                               x.credentials.secret_access_key, x.credentials.access_key_id, x.credentials.expiration / NSEC_PER_SEC);
    *out = json_make(r->arena, "{'subject':{'namespace':%s,'serviceAccount':%s},'audience':'" EKS_PODS_SERVICE "','podIdentityAssociation':{'associationArn':%s,'associationId':%v},'assumedRoleUser':%v,'credentials':%v}",
                     x.ns, x.account, eks_association_arn(r->arena, x.eks, x.association), json_member(x.association, "associationId"), x.user, credentials);
    return NULL;
}
