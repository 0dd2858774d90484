/* EKS Pod Identity: associations of service accounts with roles, and the credentials that a pod's token is exchanged for. (EKS
 * User Guide, "How EKS Pod Identity works"; Amazon EKS Auth API Reference) */
#include "base/str.h"
#include "net/jwt.h"
#include "platform/aws/eks_internal.h"
#include "platform/aws/sts.h"

#define AUDIENCE "pods.eks.amazonaws.com"
#define SESSION_SECONDS 21600
#define ID_LEN 17

static const char *key_of(struct arena *a, const char *ns, const char *account) { return arena_printf(a, "%s/%s", ns, account); }

const char *eks_associated_role(struct eks *e, struct arena *a, const char *ns, const char *service_account) {
    cleanup_eks_view struct eks_view *v = eks_view(e);
    const struct eks_object *o = eks_find(v, EKS_POD_IDENTITY, key_of(a, ns, service_account));
    return o ? arena_strdup(a, json_str_or(o->json, "roleArn", "")) : NULL;
}

static const char *association_arn(struct arena *a, const struct eks *e, const struct json *o) {
    return eks_arn(a, e, arena_printf(a, "podidentityassociation/%s/%s", e->config.cluster, json_str_or(o, "associationId", "")));
}

/* ---- actions ---- */

static const struct json *association_json(struct aws_request *r, const struct json *o) {
    struct eks *e = eks_of(r);
    const struct json *fixed = json_make(r->arena, "{'clusterName':%s,'associationArn':%s}", e->config.cluster, association_arn(r->arena, e, o));
    const struct json *own = json_copy(r->arena, o);
    JSON_EACH_MEMBER(m, own) fixed = json_with_member(r->arena, fixed, m->key, &m->value);
    return fixed;
}

static struct error *not_found(const char *id) {
    return aws_error(404, "ResourceNotFoundException", "The specified association ID: %s cannot be found. You can view your available associations with 'list-pod-identity-associations'.", id);
}

static const struct eks_object *find_by_id(const struct eks_view *v, const char *id) {
    for (size_t i = 0; i < v->kinds[EKS_POD_IDENTITY].count; i++) {
        if (json_str_is(v->kinds[EKS_POD_IDENTITY].items[i].json, "associationId", id)) return &v->kinds[EKS_POD_IDENTITY].items[i];
    }
    return NULL;
}

/* The association of the path and its key, in the request's arena. */
static struct error *read_association(struct aws_request *r, const char **key, const struct json **o) {
    const char *id = json_str_or(r->params, "associationId", "");
    TRY(eks_check_cluster(r));
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    const struct eks_object *found = find_by_id(v, id);
    if (found == NULL) return not_found(id);
    *key = arena_strdup(r->arena, found->key);
    *o = json_copy(r->arena, found->json);
    return NULL;
}

/* Who hands a role to pods must be allowed to pass it on. */
static struct error *check_role(struct aws_request *r, const char *arn) {
    const struct iam_entity *role = iam_find_arn(r->iam, arn);
    if (role == NULL || role->kind != IAM_ROLE) return eks_invalid("Role provided in the request does not exist.");
    struct policy_context *context = aws_request_context(r);
    policy_context_add(context, "iam:PassedToService", AUDIENCE);
    return aws_authorize(r->aws, r->arena, &r->principal, "iam:PassRole", arn, context);
}

static struct error *check_absent(const struct aws_request *r) {
    static const char *const absent[] = {"targetRoleArn", "policy"};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        if (aws_param(r, absent[i])) return aws_error(400, "InvalidRequestException", "%s is not available on this platform", absent[i]);
    }
    return NULL;
}

static const char *new_id(struct arena *a) {
    char *id = arena_strdup(a, "a-00000000000000000");
    random_name_suffix(id + 2, ID_LEN);
    return id;
}

struct error *eks_create_association(struct aws_request *r, const struct json **out) {
    const char *ns = aws_param(r, "namespace"), *account = aws_param(r, "serviceAccount"), *role = aws_param(r, "roleArn");
    TRY(eks_check_cluster(r));
    TRY(check_absent(r));
    if (strchr(ns, '/') || strchr(account, '/')) return eks_invalid("namespace and serviceAccount are names");
    TRY(check_role(r, role));
    const struct json *tags = json_member(r->params, "tags");
    const struct json *o = json_make(r->arena, "{'namespace':%s,'serviceAccount':%s,'roleArn':%s,'associationId':%s,'tags':%v,'createdAt':%v,'modifiedAt':%v,'disableSessionTags':%b}", ns, account,
                                     role, new_id(r->arena), tags ? tags : &json_empty_object, eks_now(r), eks_now(r), json_bool(r->params, "disableSessionTags", false));
    struct error *e = eks_create(eks_of(r), EKS_POD_IDENTITY, key_of(r->arena, ns, account), o);
    if (error_is(e, "AlreadyExists")) {
        error_free(e);
        cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
        const struct eks_object *there = eks_find(v, EKS_POD_IDENTITY, key_of(r->arena, ns, account));
        return aws_error(409, "ResourceInUseException", "Association already exists: %s", json_str_or(there ? there->json : NULL, "associationId", ""));
    }
    if (e != NULL) return e;
    *out = json_make(r->arena, "{'association':%v}", association_json(r, o));
    return NULL;
}

struct error *eks_describe_association(struct aws_request *r, const struct json **out) {
    const char *key;
    const struct json *o;
    TRY(read_association(r, &key, &o));
    *out = json_make(r->arena, "{'association':%v}", association_json(r, o));
    return NULL;
}

static const struct json *update(struct arena *a, const struct json *current, void *arg) {
    const struct aws_request *r = arg;
    const struct json *role = json_member(r->params, "roleArn"), *tags = json_member(r->params, "disableSessionTags");
    if (role) current = json_with_member(a, current, "roleArn", role);
    if (tags) current = json_with_member(a, current, "disableSessionTags", tags);
    return json_with_member(a, current, "modifiedAt", eks_now(r));
}

struct error *eks_update_association(struct aws_request *r, const struct json **out) {
    const char *key, *role = aws_param(r, "roleArn");
    const struct json *o;
    TRY(read_association(r, &key, &o));
    TRY(check_absent(r));
    if (role) TRY(check_role(r, role));
    struct error *e = eks_change(eks_of(r), EKS_POD_IDENTITY, key, update, r);
    if (error_is(e, "NotFound")) return error_free(e), not_found(json_str_or(o, "associationId", ""));
    return e ? e : eks_describe_association(r, out);
}

struct error *eks_delete_association(struct aws_request *r, const struct json **out) {
    const char *key;
    const struct json *o;
    TRY(read_association(r, &key, &o));
    struct error *e = eks_remove(eks_of(r), EKS_POD_IDENTITY, key);
    if (error_is(e, "NotFound")) return error_free(e), not_found(json_str_or(o, "associationId", ""));
    *out = json_make(r->arena, "{'association':%v}", association_json(r, o));
    return e;
}

struct error *eks_list_associations(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    struct eks *e = eks_of(r);
    const char *ns = aws_param(r, "namespace"), *account = aws_param(r, "serviceAccount");
    cleanup_eks_view struct eks_view *v = eks_view(e);
    struct json_array list = {.arena = r->arena};
    for (size_t i = 0; i < v->kinds[EKS_POD_IDENTITY].count; i++) {
        const struct json *o = v->kinds[EKS_POD_IDENTITY].items[i].json;
        if ((ns && !json_str_is(o, "namespace", ns)) || (account && !json_str_is(o, "serviceAccount", account))) continue;
        json_array_add(&list, json_copy(r->arena, json_make(r->arena, "{'clusterName':%s,'namespace':%v,'serviceAccount':%v,'associationArn':%s,'associationId':%v}", e->config.cluster, json_member(o, "namespace"),
                                                            json_member(o, "serviceAccount"), association_arn(r->arena, e, o), json_member(o, "associationId"))));
    }
    return eks_page(r, "associations", json_array_done(&list), out);
}

/* ---- credentials ---- */

struct exchange {
    struct eks *eks;
    struct arena *a;
    struct jwt jwt;
    const char *ns, *account, *pod, *pod_uid;
    const struct json *association;
    struct sts_session session;
    struct sts_credentials credentials;
    const struct json *user; /* assumedRoleUser */
};

static struct error *read_token(struct exchange *x, const char *token) {
    static const char *const audiences[] = {AUDIENCE, NULL};
    struct eks *e = x->eks;
    const char *why;
    if (jwt_parse(x->a, token, &x->jwt) != NULL) return aws_error(400, "InvalidTokenException", "Unable to parse the service account token.");
    struct jwt_expected expected = {.issuer = e->config.issuer, .audiences = audiences, .now = clock_wall(e->aws->clock), .skew = SECONDS(60)};
    enum jwt_problem problem = jwt_check(x->a, &x->jwt, &expected, &why);
    if (problem == JWT_EXPIRED) return aws_error(400, "ExpiredTokenException", "The service account token has expired.");
    if (problem == JWT_WRONG_AUDIENCE) return aws_error(400, "InvalidTokenException", "The audience of the service account token is not " AUDIENCE ".");
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
    const struct eks_object *o = eks_find(v, EKS_POD_IDENTITY, key_of(x->a, x->ns, x->account));
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

static struct policy_context *trust_context(struct exchange *x) {
    struct policy_context *c = ARENA_NEW(x->a, struct policy_context);
    c->arena = x->a;
    policy_context_add(c, "aws:PrincipalIsAWSService", "true");
    policy_context_add(c, "aws:PrincipalServiceName", AUDIENCE);
    policy_context_add(c, "aws:SourceArn", eks_cluster_arn(x->a, x->eks));
    policy_context_add(c, "aws:SourceAccount", x->eks->aws->account);
    JSON_EACH(tag, x->session.tags) {
        const char *key = json_str_or(tag, "Key", "");
        policy_context_add(c, "aws:TagKeys", key);
        policy_context_add(c, "sts:TransitiveTagKeys", key);
        policy_context_add(c, arena_printf(x->a, "aws:RequestTag/%s", key), json_str_or(tag, "Value", ""));
    }
    return c;
}

/* The trust policy must let the service assume the role and tag its session. */
static struct error *check_trust(struct exchange *x, const struct iam_entity *role) {
    static const char *const actions[] = {"sts:AssumeRole", "sts:TagSession"};
    struct aws_principal service = {.type = AWS_SERVICE, .account = x->eks->aws->account, .arn = AUDIENCE};
    struct policy_list trust = {.items = (const struct policy *[]){role->trust}, .count = 1};
    struct policy_context *context = trust_context(x);
    for (size_t i = 0; i < (x->session.tags ? 2U : 1U); i++) {
        struct policy_request question = {actions[i], role->arn, &service, context};
        if (policy_evaluate(x->a, &trust, &question) != POLICY_ALLOW)
            return aws_error(400, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.");
    }
    return NULL;
}

/* eks-CLUSTER-POD-UUID, cut to what a session's name may be. */
static const char *session_name(struct exchange *x) {
    char id[37];
    uuid_v4(id);
    return arena_printf(x->a, "eks-%.10s-%.10s-%s", x->eks->config.cluster, x->pod, id);
}

static struct error *exchange_token(struct exchange *x, const char *token) {
    struct aws *w = x->eks->aws;
    TRY(read_token(x, token));
    TRY(find_association(x));
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->iam);
    const struct iam_entity *role = iam_find_arn(iam, json_str_or(x->association, "roleArn", ""));
    if (role == NULL || role->kind != IAM_ROLE || role->trust == NULL)
        return aws_error(400, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.");
    int64_t now = clock_wall(w->clock) / NSEC_PER_SEC * NSEC_PER_SEC;
    x->session = (struct sts_session){.type = AWS_ASSUMED_ROLE, .entity_id = role->id, .session_name = session_name(x), .issued_at = now, .expires_at = now + SECONDS(SESSION_SECONDS)};
    if (!json_bool(x->association, "disableSessionTags", false)) {
        struct json_array keys = {.arena = x->a};
        x->session.tags = session_tags(x);
        JSON_EACH(tag, x->session.tags) json_array_add(&keys, json_member(tag, "Key"));
        x->session.transitive_tag_keys = json_array_done(&keys);
    }
    TRY(check_trust(x, role));
    sts_issue_session(w, x->a, &x->session, &x->credentials);
    x->user = json_make(x->a, "{'arn':%s,'assumeRoleId':%s}", arena_printf(x->a, "arn:%s:sts::%s:assumed-role/%s/%s", x->eks->config.partition, w->account, role->name, x->session.session_name),
                        arena_printf(x->a, "%s:%s", role->id, x->session.session_name));
    return NULL;
}

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
    *out = json_make(r->arena, "{'subject':{'namespace':%s,'serviceAccount':%s},'audience':'" AUDIENCE "','podIdentityAssociation':{'associationArn':%s,'associationId':%v},'assumedRoleUser':%v,'credentials':%v}",
                     x.ns, x.account, association_arn(r->arena, x.eks, x.association), json_member(x.association, "associationId"), x.user, credentials);
    return NULL;
}
