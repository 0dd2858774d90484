/* AssumeRoleWithWebIdentity: a token of an OpenID Connect provider that IAM knows becomes a session of a role whose trust policy
 * allows it. The cluster's own service account tokens are verified with its keys and against the live cluster: a token whose
 * service account or pod is gone is worth nothing. Whatever cannot be decided is refused. */
#include "base/str.h"
#include "net/issuer_keys.h"
#include "platform/aws/eks_internal.h"
#include "platform/aws/sts.h"

#define ACTION "sts:AssumeRoleWithWebIdentity"
#define SKEW SECONDS(60)

static struct error *invalid(const char *message) { return aws_error(400, "InvalidIdentityToken", "%s", message); }
static struct error *denied(void) { return aws_error(403, "AccessDenied", "Not authorized to perform " ACTION); }

static const char *const *client_ids(struct arena *a, const struct iam_entity *provider) {
    const struct json *list = json_member(provider->json, "ClientIDList");
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(v, list) out[n++] = json_str_or(v, NULL, "");
    return out;
}

static struct error *check_claims(struct aws_request *r, const struct iam_entity *provider, const struct jwt *j) {
    const char *why;
    struct jwt_expected x = {.issuer = jwt_issuer(j), .audiences = client_ids(r->arena, provider), .now = clock_wall(r->aws->clock), .skew = SKEW};
    switch (jwt_check(r->arena, j, &x, &why)) {
    case JWT_GOOD: break;
    case JWT_EXPIRED:
        return aws_error(400, "ExpiredTokenException", "Token expired: current date/time %lld must be before the expiration date/time %lld", (long long)(x.now / NSEC_PER_SEC),
                         (long long)json_int(j->claims, "exp", 0));
    case JWT_WRONG_AUDIENCE: return invalid("Incorrect token audience");
    case JWT_NOT_YET: return invalid("The ID Token provided is not valid yet");
    case JWT_MALFORMED: case JWT_WRONG_ISSUER: return invalid("Missing a required claim");
    }
    const char *sub = json_str(json_member(j->claims, "sub"), NULL);
    return sub && *sub ? NULL : invalid("Missing a required claim: sub");
}

static struct error *check_signature(struct eks *e, struct arena *a, const struct jwt *j) {
    const char *why;
    if (str_eq(jwt_issuer(j), e->config.issuer)) {
        switch (e->config.check_issued(a, j->text, &why, e->config.arg)) {
        case EKS_TOKEN_GOOD: return NULL;
        case EKS_TOKEN_FORGED: return invalid("The signature of the ID Token cannot be verified");
        case EKS_TOKEN_REVOKED: return aws_error(403, "IDPRejectedClaim", "The identity provider rejected the token: %s", why);
        }
        return invalid("The signature of the ID Token cannot be verified");
    }
    if (e->foreign_keys == NULL) return invalid("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements");
    return issuer_keys_verify(e->foreign_keys, a, jwt_issuer(j), j, &why) ? NULL : invalid("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements");
}

/* The provider's condition keys: ISSUER:sub, ISSUER:aud (the authorized party where there is one), ISSUER:amr. */
static void add_list(struct policy_context *c, const char *name, const struct json *v) {
    if (json_is(v, JSON_STRING)) policy_context_add(c, name, json_str(v, NULL));
    JSON_EACH(item, v) policy_context_add(c, name, json_str(item, NULL));
}

static struct policy_context *context_of(struct aws_request *r, const struct iam_entity *provider, const struct jwt *j, const char *session_name) {
    struct policy_context *c = aws_request_context(r);
    const struct json *party = json_member(j->claims, "azp");
    policy_context_add(c, arena_printf(r->arena, "%s:sub", provider->name), json_str(json_member(j->claims, "sub"), NULL));
    add_list(c, arena_printf(r->arena, "%s:aud", provider->name), json_is(party, JSON_STRING) ? party : json_member(j->claims, "aud"));
    add_list(c, arena_printf(r->arena, "%s:amr", provider->name), json_member(j->claims, "amr"));
    policy_context_add(c, "aws:FederatedProvider", provider->arn);
    policy_context_add(c, "sts:RoleSessionName", session_name);
    return c;
}

/* The token, and the provider that is registered for its issuer. */
static struct error *verify(struct aws_request *r, struct jwt *j, const struct iam_entity **provider) {
    struct eks *e = r->aws->eks;
    if (e == NULL) return denied();
    if (jwt_parse(r->arena, json_str_or(r->params, "WebIdentityToken", ""), j) != NULL)
        return invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
    const char *issuer = jwt_issuer(j);
    *provider = str_starts(issuer, "https://") ? iam_find(r->iam, IAM_OIDC_PROVIDER, issuer + strlen("https://")) : NULL;
    if (*provider == NULL || strcmp((*provider)->name, issuer + strlen("https://")) != 0)
        return aws_error(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for %.255s", issuer);
    TRY(check_claims(r, *provider, j));
    return check_signature(e, r->arena, j);
}

struct error *sts_assume_role_with_web_identity(struct aws_request *r, const struct json **out) {
    struct jwt j;
    const struct iam_entity *provider, *role = iam_find_arn(r->iam, aws_param(r, "RoleArn"));
    struct sts_credentials credentials;
    TRY(verify(r, &j, &provider));
    if (role == NULL || role->kind != IAM_ROLE || role->trust == NULL) return denied();
    struct sts_session s = {.type = AWS_ASSUMED_ROLE, .entity_id = role->id, .federated_provider = provider->arn};
    TRY(sts_session_parameters(r, role, false, &s));
    r->principal = (struct aws_principal){.type = AWS_FEDERATED, .account = r->aws->account, .arn = provider->arn};
    struct policy_list trust = {.items = (const struct policy *[]){role->trust}, .count = 1};
    struct policy_request question = {ACTION, role->arn, &r->principal, context_of(r, provider, &j, s.session_name)};
    if (policy_evaluate(r->arena, &trust, &question) != POLICY_ALLOW) return denied();
    sts_issue_session(r->aws, r->arena, &s, &credentials);
    const struct json *aud = json_member(j.claims, "aud");
    *out = json_make(r->arena, "{'Credentials':%v,'SubjectFromWebIdentityToken':%s,'AssumedRoleUser':%v,'Provider':%s,'Audience':%s,'PackedPolicySize':%v}",
                     sts_credentials_json(r->arena, &credentials), json_str(json_member(j.claims, "sub"), NULL), sts_assumed_role_json(r->aws, r->arena, role, s.session_name),
                     provider->arn, json_is(aud, JSON_STRING) ? json_str(aud, NULL) : json_str(json_at(aud, 0), NULL), sts_packed_size(r->arena, &s));
    return NULL;
}
