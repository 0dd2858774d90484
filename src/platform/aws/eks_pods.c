/* EKS Pod Identity: associations of service accounts with roles. (EKS User Guide, "How EKS Pod Identity works", "Access AWS
 * Resources using EKS Pod Identity Target IAM Roles") */
#include "base/str.h"
#include "platform/aws/eks_internal.h"

#define ID_LEN 17
#define POLICY_MAX 2048 /* characters, as of any session's policy */

const char *eks_association_key(struct arena *a, const char *ns, const char *account) { return arena_printf(a, "%s/%s", ns, account); }

const char *eks_associated_role(struct eks *e, struct arena *a, const char *ns, const char *service_account) {
    cleanup_eks_view struct eks_view *v = eks_view(e);
    const struct eks_object *o = eks_find(v, EKS_POD_IDENTITY, eks_association_key(a, ns, service_account));
    return o ? arena_strdup(a, json_str_or(o->json, "roleArn", "")) : NULL;
}

const char *eks_association_arn(struct arena *a, const struct eks *e, const struct json *o) {
    return eks_arn(a, e, arena_printf(a, "podidentityassociation/%s/%s", e->config.cluster, json_str_or(o, "associationId", "")));
}

const char *eks_association_external_id(struct arena *a, const struct eks *e, const struct json *o) {
    return arena_printf(a, "%s/%s/%s/%s/%s", e->aws->region, e->aws->account, e->config.cluster, json_str_or(o, "namespace", ""), json_str_or(o, "serviceAccount", ""));
}

/* ---- actions ---- */

static const struct json *association_json(struct aws_request *r, const struct json *o) {
    struct eks *e = eks_of(r);
    const struct json *fixed = json_make(r->arena, "{'clusterName':%s,'associationArn':%s}", e->config.cluster, eks_association_arn(r->arena, e, o));
    const struct json *own = json_copy(r->arena, o);
    if (json_str(o, "targetRoleArn")) fixed = json_with_member(r->arena, fixed, "externalId", json_string(r->arena, eks_association_external_id(r->arena, e, o)));
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
    policy_context_add(context, "iam:PassedToService", EKS_PODS_SERVICE);
    return aws_authorize(r->aws, r->arena, &r->principal, "iam:PassRole", arn, context);
}

/* The second role of the chain. It needs no iam:PassRole: the first one must be allowed to assume it. */
static struct error *check_target(struct aws_request *r, const char *arn) {
    size_t n;
    char **p = str_split(r->arena, arn, ':', &n);
    if (n != 6 || !str_eq(p[2], "iam") || !str_starts(p[5], "role/")) return eks_invalid("Target role ARN is not valid: %s", arn);
    if (!str_eq(p[4], r->aws->account)) return aws_error(400, "InvalidRequestException", "Target roles of other accounts are not available on this platform: %s", arn);
    const struct iam_entity *role = iam_find_arn(r->iam, arn);
    if (role == NULL || role->kind != IAM_ROLE) return eks_invalid("Target role provided in the request does not exist.");
    return NULL;
}

/* What there is after the request: session policies and session tags exclude each other. */
static struct error *check_session(struct aws_request *r, const struct json *o) {
    const char *policy = json_str(o, "policy"), *target = json_str(o, "targetRoleArn");
    struct policy *parsed;
    if (target) TRY(check_target(r, target));
    if (policy == NULL) return NULL;
    if (!json_bool(o, "disableSessionTags", false)) return eks_invalid("disableSessionTags must be true when a policy is specified");
    if (strlen(policy) > POLICY_MAX) return eks_invalid("The policy is longer than 2048 characters");
    struct error *e = policy_parse(r->arena, policy, strlen(policy), POLICY_IDENTITY, &parsed);
    if (e == NULL) return NULL;
    struct error *invalid = eks_invalid("The policy is not valid: %s", e->message);
    return error_free(e), invalid;
}

/* The members of a request that an association keeps as they are; an empty one takes away what need not be there. */
static const struct json *with_given(struct arena *a, const struct aws_request *r, const struct json *o) {
    static const char *const optional[] = {"targetRoleArn", "policy"};
    const char *role = aws_param(r, "roleArn");
    if (role != NULL) o = json_with_member(a, o, "roleArn", json_string(a, role));
    for (size_t i = 0; i < ARRAY_LEN(optional); i++) {
        const char *text = json_str(json_member(r->params, optional[i]), NULL);
        if (text != NULL) o = json_with_member(a, o, optional[i], *text ? json_string(a, text) : NULL);
    }
    const struct json *tags = json_member(r->params, "disableSessionTags");
    return json_is(tags, JSON_BOOL) ? json_with_member(a, o, "disableSessionTags", tags) : o;
}

static const char *new_id(struct arena *a) {
    char *id = arena_strdup(a, "a-00000000000000000");
    random_name_suffix(id + 2, ID_LEN);
    return id;
}

struct error *eks_create_association(struct aws_request *r, const struct json **out) {
    const char *ns = aws_param(r, "namespace"), *account = aws_param(r, "serviceAccount"), *role = aws_param(r, "roleArn");
    TRY(eks_check_cluster(r));
    if (strchr(ns, '/') || strchr(account, '/')) return eks_invalid("namespace and serviceAccount are names");
    TRY(check_role(r, role));
    const struct json *tags = json_member(r->params, "tags");
    TRY(eks_check_tags(tags, "InvalidParameterException"));
    const struct json *o = json_make(r->arena, "{'namespace':%s,'serviceAccount':%s,'associationId':%s,'tags':%v,'createdAt':%v,'modifiedAt':%v,'disableSessionTags':false}", ns, account,
                                     new_id(r->arena), tags ? tags : &json_empty_object, eks_now(r), eks_now(r));
    o = with_given(r->arena, r, o);
    TRY(check_session(r, o));
    struct error *e = eks_create(eks_of(r), EKS_POD_IDENTITY, eks_association_key(r->arena, ns, account), o);
    if (error_is(e, "AlreadyExists")) {
        error_free(e);
        cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
        const struct eks_object *there = eks_find(v, EKS_POD_IDENTITY, eks_association_key(r->arena, ns, account));
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

struct association_change {
    struct aws_request *r;
    struct error *error;
};

static const struct json *update(struct arena *a, const struct json *current, void *arg) {
    struct association_change *c = arg;
    const struct json *next = with_given(a, c->r, current);
    error_free(TAKE(c->error));
    c->error = check_session(c->r, next);
    return c->error ? NULL : json_with_member(a, next, "modifiedAt", eks_now(c->r));
}

struct error *eks_update_association(struct aws_request *r, const struct json **out) {
    const char *key, *role = aws_param(r, "roleArn");
    const struct json *o;
    struct association_change c = {.r = r};
    TRY(read_association(r, &key, &o));
    if (role) TRY(check_role(r, role));
    struct error *e = eks_change(eks_of(r), EKS_POD_IDENTITY, key, update, &c);
    if (error_is(e, "NotFound")) return error_free(e), error_free(c.error), not_found(json_str_or(o, "associationId", ""));
    if (e != NULL) return error_free(c.error), e;
    return c.error ? c.error : eks_describe_association(r, out);
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
                                                            json_member(o, "serviceAccount"), eks_association_arn(r->arena, e, o), json_member(o, "associationId"))));
    }
    return eks_page(r, "associations", json_array_done(&list), out);
}
