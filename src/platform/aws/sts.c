/* Session tokens: sealed JSON, bound to their access key id. The secret access key is derived from both. */
#include "platform/aws/sts.h"
#include "base/seal.h"
#include "base/str.h"
#include "platform/aws/service.h"

#define SECRET_BYTES 30 /* forty characters */
#define JSON_DEPTH 8

/* Of the sealing key, the access key id and the token's nonce, which no other token has. */
static const char *derive_secret(const struct aws *w, struct arena *a, const char *key_id, const char *nonce) {
    uint8_t mac[32];
    cleanup_buf struct buf text = {0}, encoded = {0};
    buf_printf(&text, "secret access key\n%s\n", key_id);
    buf_add(&text, nonce, SEAL_NONCE);
    hmac_sha256(iam_seal_key(w->iam), SEAL_KEY, text.data, text.len, mac);
    base64_encode(&encoded, mac, SECRET_BYTES);
    return arena_strdup(a, encoded.data);
}

void sts_issue_session(struct aws *w, struct arena *a, const struct sts_session *s, struct sts_credentials *out) {
    const struct json *claims = json_make(a, "{'t':%d,'id':%s,'n':%s,'si':%s,'i':%ld,'e':%ld,'p':%s,'pa':%v,'tags':%v,'tt':%v,'fp':%s,'c':%v}",
                                          (int)s->type,
                                          s->entity_id, s->session_name, s->source_identity, s->issued_at, s->expires_at, s->policy, s->policy_arns,
                                              s->tags,
                                          s->transitive_tag_keys, s->federated_provider, s->chained ? &json_true : NULL);
    cleanup_buf struct buf sealed = {0}, token = {0};
    const char *text = json_text(a, claims);
    out->access_key_id = iam_new_id(a, "ASIA");
    if (!seal_add(iam_seal_key(w->iam), out->access_key_id, text, strlen(text), &sealed)) abort(); /* AES is not to be had */
    base64_encode(&token, sealed.data, sealed.len);
    out->session_token = arena_strdup(a, token.data);
    out->secret_access_key = derive_secret(w, a, out->access_key_id, sealed.data);
    out->expiration = s->expires_at;
}

struct error *sts_open_session(struct aws *w, struct arena *a, const char *key_id, const char *token, struct sts_session **out, const char **secret) {
    struct error *invalid = NULL;
    char *sealed;
    size_t len;
    cleanup_buf struct buf text = {0};
    const struct json *c = NULL;
    bool genuine = base64_decode(a, token, strlen(token), &sealed, &len) && seal_open(iam_seal_key(w->iam), key_id, sealed, len, &text);
    if (genuine) invalid = json_parse(a, text.data, text.len, &(struct json_limits){.max_depth = JSON_DEPTH}, NULL, &c);
    if (!genuine || invalid != NULL) {
        error_free(invalid);
        return error_api(403, "InvalidClientTokenId", "The security token included in the request is invalid");
    }
    struct sts_session *s = ARENA_NEW(a, struct sts_session);
    *s = (struct sts_session){
        .type = (enum aws_principal_type)json_int(c, "t", AWS_ANONYMOUS), .entity_id = json_str(c, "id"), .session_name = json_str(c, "n"),
        .source_identity = json_str(c, "si"), .issued_at = json_int(c, "i", 0), .expires_at = json_int(c, "e", 0), .policy = json_str(c, "p"),
        .policy_arns = json_member(c, "pa"), .tags = json_member(c, "tags"), .transitive_tag_keys = json_member(c, "tt"),
        .federated_provider = json_str(c, "fp"), .chained = json_bool(c, "c", false),
    };
    *out = s;
    *secret = derive_secret(w, a, key_id, sealed);
    return NULL;
}

const struct json *sts_credentials_json(struct arena *a, const struct sts_credentials *c) {
    return json_make(a, "{'AccessKeyId':%s,'SecretAccessKey':%s,'SessionToken':%s,'Expiration':%v}", c->access_key_id, c->secret_access_key,
                     c->session_token, aws_time(a, c->expiration));
}

const struct json *sts_assumed_role_json(struct aws *w, struct arena *a, const struct iam_entity *role, const char *session_name) {
    return json_make(a, "{'AssumedRoleId':%s,'Arn':%s}", arena_printf(a, "%s:%s", role->id, session_name),
                     arena_printf(a, "arn:aws:sts::%s:assumed-role/%s/%s", w->account, role->name, session_name));
}

/* ---- the parameters of a session ---- */

#define HOUR 3600
#define POLICY_ARNS_MAX 10
#define TAGS_MAX 50
#define PACKED_MAX 2048 /* bytes that 100 % of PackedPolicySize stand for */

static struct error *read_duration(struct aws_request *r, const struct iam_entity *role, struct sts_session *s) {
    int64_t seconds, max = json_int(role->json, "MaxSessionDuration", HOUR);
    TRY(aws_param_int(r, "DurationSeconds", 900, 43200, MIN(max, HOUR), &seconds));
    if (s->chained && seconds > HOUR) {
        return aws_error(400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining");
    }
    if (seconds > max) return aws_error(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    s->issued_at = clock_wall(r->aws->clock) / NSEC_PER_SEC * NSEC_PER_SEC;
    s->expires_at = s->issued_at + SECONDS(seconds);
    return NULL;
}

/* PolicyArns is a list of {arn}. */
static struct error *read_policies(struct aws_request *r, struct sts_session *s) {
    struct policy *p;
    struct json_array arns = {.arena = r->arena};
    s->policy = aws_param(r, "Policy");
    if (s->policy != NULL) TRY(policy_parse(r->arena, s->policy, strlen(s->policy), POLICY_IDENTITY, &p));
    JSON_EACH(item, aws_param_list(r, "PolicyArns")) {
        const struct json *arn = json_member(item, "arn");
        const struct iam_entity *e = iam_find_arn(r->iam, json_str(arn, NULL));
        if (e == NULL || e->kind != IAM_POLICY) return aws_error(400, "ValidationError", "ARN %s is not valid.", json_str_or(arn, NULL, ""));
        json_array_add(&arns, arn);
    }
    if (arns.len > POLICY_ARNS_MAX) {
        return aws_error(400, "ValidationError", "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have "
                                                 "length less than or equal to 10");
    }
    if (arns.len > 0) s->policy_arns = json_array_done(&arns);
    return NULL;
}

static bool tag_is_inherited(const struct sts_session *from, const char *key) {
    JSON_EACH(k, from ? from->transitive_tag_keys : NULL) {
        if (json_str_is(k, NULL, key)) return true;
    }
    return false;
}

/* Tags that were transitive in the calling session go along and cannot be replaced. */
static struct error *read_tags(struct aws_request *r, struct sts_session *s) {
    const struct sts_session *from = r->principal.session;
    const struct json *given = aws_param_list(r, "Tags"), *transitive = aws_param_list(r, "TransitiveTagKeys");
    struct json_array tags = {.arena = r->arena}, keys = {.arena = r->arena};
    if (json_len(given) > TAGS_MAX) {
        return aws_error(400, "ValidationError", "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length "
                                                 "less than or equal to 50");
    }
    JSON_EACH(tag, from ? from->tags : NULL) {
        if (tag_is_inherited(from, json_str(tag, "Key"))) json_array_add(&tags, tag);
    }
    JSON_EACH(key, from ? from->transitive_tag_keys : NULL) json_array_add(&keys, key);
    JSON_EACH(tag, given) {
        const char *key = json_str(tag, "Key");
        if (key == NULL || *key == '\0') {
            return aws_error(400, "ValidationError", "1 validation error detected: Value null at 'tags.1.member.key' failed to satisfy constraint: "
                                                     "Member must not be null");
        }
        if (tag_is_inherited(from, key)) {
            return aws_error(400, "InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a "
                                                           "transitive tag key from the calling session.");
        }
        for (size_t i = 0; i < tags.len; i++) {
            if (json_str_is(&tags.items[i], "Key", key)) {
                return aws_error(400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
            }
        }
        json_array_add(&tags, json_make(r->arena, "{'Key':%s,'Value':%s}", key, json_str_or(tag, "Value", "")));
    }
    JSON_EACH(key, transitive) {
        bool known = false;
        JSON_EACH(tag, given) known |= str_eq(json_str(tag, "Key"), json_str(key, NULL));
        if (!known) return aws_error(400, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.");
        json_array_add(&keys, key);
    }
    if (tags.len > 0) s->tags = json_array_done(&tags);
    if (keys.len > 0) s->transitive_tag_keys = json_array_done(&keys);
    return NULL;
}

/* Once set, a source identity stays for the whole chain. */
static struct error *read_source_identity(struct aws_request *r, struct sts_session *s) {
    const char *given = aws_param(r, "SourceIdentity"), *before = r->principal.source_identity;
    s->source_identity = before ? before : given;
    if (before != NULL && given != NULL && !str_eq(before, given)) {
        return aws_denied(r->arena, &r->principal, "sts:SetSourceIdentity", NULL, "because the source identity of a session cannot be changed");
    }
    return NULL;
}

struct error *sts_session_parameters(struct aws_request *r, const struct iam_entity *role, bool tags_allowed, struct sts_session *s) {
    s->session_name = aws_param(r, "RoleSessionName");
    s->chained = r->principal.type == AWS_ASSUMED_ROLE;
    TRY(read_duration(r, role, s));
    TRY(read_policies(r, s));
    if (!tags_allowed) return NULL;
    TRY(read_tags(r, s));
    return read_source_identity(r, s);
}

const struct json *sts_packed_size(struct arena *a, const struct sts_session *s) {
    size_t bytes = (s->policy ? strlen(s->policy) : 0) + (s->policy_arns ? strlen(json_text(a, s->policy_arns)) : 0) + (s->tags
            ? strlen(json_text(a, s->tags)) : 0);
    return bytes > 0 ? json_integer(a, (int64_t)(bytes * 100 / PACKED_MAX + 1)) : NULL;
}
