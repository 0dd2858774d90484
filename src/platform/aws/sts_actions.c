/* STS: who am I, and let me be somebody else for a while. */
#include "base/seal.h"
#include "base/str.h"
#include "platform/aws/service.h"
#include "platform/aws/sts.h"

static struct error *get_caller_identity(struct aws_request *r, const struct json **out) {
    *out = json_make(r->arena, "{'Arn':%s,'UserId':%s,'Account':%s}", r->principal.arn, r->principal.user_id, r->principal.account);
    return NULL;
}

/* ---- AssumeRole ---- */

static struct policy_context *assume_context(struct aws_request *r, const struct sts_session *s) {
    struct policy_context *c = aws_request_context(r);
    const struct json *tags = aws_param_list(r, "Tags");
    policy_context_add(c, "sts:ExternalId", aws_param(r, "ExternalId"));
    policy_context_add(c, "sts:RoleSessionName", s->session_name);
    policy_context_add(c, "sts:SourceIdentity", s->source_identity);
    JSON_EACH(tag, tags) {
        const char *key = json_str_or(tag, "Key", "");
        policy_context_add(c, "aws:TagKeys", key);
        policy_context_add(c, arena_printf(r->arena, "aws:RequestTag/%s", key), json_str_or(tag, "Value", ""));
    }
    JSON_EACH(key, s->transitive_tag_keys) policy_context_add(c, "sts:TransitiveTagKeys", json_str(key, NULL));
    return c;
}

static void add_resource_tags(struct policy_context *c, const struct iam_entity *role) {
    JSON_EACH(tag, json_member(role->json, "Tags")) {
        const char *key = json_str_or(tag, "Key", ""), *value = json_str_or(tag, "Value", "");
        policy_context_add(c, arena_printf(c->arena, "aws:ResourceTag/%s", key), value);
        policy_context_add(c, arena_printf(c->arena, "iam:ResourceTag/%s", key), value);
    }
}

/* The trust policy must allow it, and unless that names the caller himself, his own policies too. */
static struct error *check_trust(struct aws_request *r, const struct iam_entity *role, const char *action, const struct policy_context *context) {
    struct policy_request question = {action, role->arn, &r->principal, context};
    struct policy_verdict v = aws_decide(r->arena, r->iam, &r->principal, role->trust, &question);
    return v.decision == POLICY_ALLOW ? NULL : aws_denied(r->arena, &r->principal, action, role->arn, NULL);
}

static struct error *assume_role(struct aws_request *r, const struct json **out) {
    const char *arn = aws_param(r, "RoleArn");
    const struct iam_entity *role = iam_find_arn(r->iam, arn);
    struct sts_session s = {.type = AWS_ASSUMED_ROLE};
    struct sts_credentials credentials;
    if (r->principal.type == AWS_ROOT) return aws_error(403, "AccessDenied", "Roles may not be assumed by root accounts.");
    if (role == NULL || role->kind != IAM_ROLE) return aws_denied(r->arena, &r->principal, "sts:AssumeRole", arn, NULL);
    TRY(sts_session_parameters(r, role, true, &s));
    struct policy_context *context = assume_context(r, &s);
    add_resource_tags(context, role);
    TRY(check_trust(r, role, "sts:AssumeRole", context));
    if (s.tags != NULL) TRY(check_trust(r, role, "sts:TagSession", context));
    if (s.source_identity != NULL) TRY(check_trust(r, role, "sts:SetSourceIdentity", context));
    s.entity_id = role->id;
    sts_issue_session(r->aws, r->arena, &s, &credentials);
    *out = json_make(r->arena, "{'Credentials':%v,'AssumedRoleUser':%v,'PackedPolicySize':%v,'SourceIdentity':%s}",
                     sts_credentials_json(r->arena, &credentials), sts_assumed_role_json(r->aws, r->arena, role, s.session_name),
                     sts_packed_size(r->arena, &s), s.source_identity);
    return NULL;
}

/* ---- others ---- */

static struct error *get_session_token(struct aws_request *r, const struct json **out) {
    int64_t seconds;
    struct sts_credentials credentials;
    if (r->principal.session != NULL) return aws_error(403, "AccessDenied", "Cannot call GetSessionToken with session credentials");
    TRY(aws_param_int(r, "DurationSeconds", 900, 129600, 43200, &seconds));
    int64_t now = clock_wall(r->aws->clock) / NSEC_PER_SEC * NSEC_PER_SEC;
    struct sts_session s = {.type = AWS_USER, .entity_id = r->principal.user_id, .issued_at = now, .expires_at = now + SECONDS(seconds)};
    sts_issue_session(r->aws, r->arena, &s, &credentials);
    *out = json_make(r->arena, "{'Credentials':%v}", sts_credentials_json(r->arena, &credentials));
    return NULL;
}

static struct error *get_access_key_info(struct aws_request *r, const struct json **out) {
    const struct json *key;
    const char *id = aws_param(r, "AccessKeyId");
    if (!str_starts(id, "ASIA") && iam_find_key(r->iam, id, &key) == NULL) return aws_error(400, "ValidationError", "Invalid Access Key ID: %s", id);
    *out = json_make(r->arena, "{'Account':%s}", r->aws->account);
    return NULL;
}

static struct error *decode_authorization_message(struct aws_request *r, const struct json **out) {
    const char *message = aws_param(r, "EncodedMessage");
    char *sealed;
    size_t len;
    cleanup_buf struct buf text = {0};
    if (!base64url_decode(r->arena, message, strlen(message), &sealed, &len) || !seal_open(iam_seal_key(r->aws->iam), AWS_MESSAGE_SEAL, sealed, len,
            &text)) {
        return aws_error(400, "InvalidAuthorizationMessageException", "Message is not valid");
    }
    *out = json_make(r->arena, "{'DecodedMessage':%s}", text.data);
    return NULL;
}

/* ---- the table ---- */

static bool is_name(const char *s) { return aws_text_of(s, "+=,.@_-"); }
static bool is_external_id(const char *s) { return aws_text_of(s, "+=,.@:/_-"); }

static const struct aws_rule rules[] = {
    {"RoleArn", 20, 2048, NULL, NULL},
    {"RoleSessionName", 2, 64, is_name, "It must contain only alphanumeric characters and/or the following: +=,.@_-"},
    {"SourceIdentity", 2, 64, is_name, "It must contain only alphanumeric characters and/or the following: +=,.@_-"},
    {"ExternalId", 2, 1224, is_external_id, "It must contain only alphanumeric characters and/or the following: +=,.@:/_-"},
    {"Policy", 1, 2048, NULL, NULL},
    {"WebIdentityToken", 4, 20000, NULL, NULL},
    {"EncodedMessage", 1, 10240, NULL, NULL},
    {"AccessKeyId", 16, 128, NULL, NULL},
    {NULL, 0, 0, NULL, NULL},
};

static const struct aws_action actions[] = {
    {.name = "GetCallerIdentity", .run = get_caller_identity, .flags = AWS_ALWAYS_ALLOWED},
    {.name = "AssumeRole", .run = assume_role, .flags = AWS_ALWAYS_ALLOWED, .required = "RoleArn RoleSessionName"},
    {.name = "AssumeRoleWithWebIdentity", .run = sts_assume_role_with_web_identity, .flags = AWS_UNSIGNED | AWS_ALWAYS_ALLOWED,
     .required = "RoleArn RoleSessionName WebIdentityToken"},
    {.name = "GetSessionToken", .run = get_session_token, .flags = AWS_ALWAYS_ALLOWED},
    {.name = "GetAccessKeyInfo", .run = get_access_key_info, .required = "AccessKeyId"},
    {.name = "DecodeAuthorizationMessage", .run = decode_authorization_message, .required = "EncodedMessage"},
    {.name = NULL},
};

const struct aws_service aws_sts = {"sts", AWS_QUERY, "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/", actions, rules};
