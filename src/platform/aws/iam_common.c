/* What all of IAM's actions need: finding, changing, documents, tags, resources. */
#include "base/str.h"
#include "platform/aws/iam.h"
#include <ctype.h>
#include <strings.h>

#define TAGS_MAX 50

/* ---- finding and changing ---- */

struct error *iam_no_such(enum iam_kind kind, const char *name) {
    static const char *const messages[IAM_KINDS] = {
        [IAM_USER] = "The user with name %s cannot be found.",
        [IAM_ROLE] = "The role with name %s cannot be found.",
        [IAM_GROUP] = "The group with name %s cannot be found.",
        [IAM_POLICY] = "Policy %s does not exist or is not attachable.",
        [IAM_OIDC_PROVIDER] = "OpenIDConnect Provider not found for arn %s",
        [IAM_INSTANCE_PROFILE] = "Instance Profile %s cannot be found.",
    };
    return aws_error(404, "NoSuchEntity", messages[kind], name); // NOLINT(clang-diagnostic-format-nonliteral)
}

struct error *iam_wanted(struct aws_request *r, enum iam_kind kind, const char *param, const struct iam_entity **out) {
    const char *name = aws_param(r, param);
    bool by_arn = kind == IAM_POLICY || kind == IAM_OIDC_PROVIDER;
    *out = by_arn ? iam_find_arn(r->iam, name) : iam_find(r->iam, kind, name);
    return *out != NULL && (*out)->kind == kind ? NULL : iam_no_such(kind, name ? name : "");
}

const char *const iam_owner_words[] = {[IAM_USER] = "User", [IAM_ROLE] = "Role", [IAM_GROUP] = "Group"};

enum iam_kind iam_owner_kind(const struct aws_request *r) {
    enum iam_kind kind = IAM_GROUP;
    while (kind > IAM_USER && strstr(r->action->name, iam_owner_words[kind]) == NULL) kind--;
    return kind;
}

struct error *iam_owner(struct aws_request *r, const struct iam_entity **out) {
    enum iam_kind kind = iam_owner_kind(r);
    return iam_wanted(r, kind, arena_printf(r->arena, "%sName", iam_owner_words[kind]), out);
}

static const char *const taken[IAM_KINDS] = {
    [IAM_USER] = "User with name %s already exists.",
    [IAM_ROLE] = "Role with name %s already exists.",
    [IAM_GROUP] = "Group with name %s already exists.",
    [IAM_POLICY] = "A policy called %s already exists. Duplicate names are not allowed.",
    [IAM_OIDC_PROVIDER] = "Provider with url https://%s already exists.",
    [IAM_INSTANCE_PROFILE] = "Instance Profile %s already exists.",
};

struct error *iam_failed(struct error *e, enum iam_kind kind, const char *name) {
    struct error *told = e;
    if (error_is(e, "AlreadyExists")) told = aws_error(409, "EntityAlreadyExists", taken[kind], name); // NOLINT(clang-diagnostic-format-nonliteral)
    else if (error_is(e, "NotFound")) told = iam_no_such(kind, name);
    else if (error_is(e, "Conflict")) told = aws_error(409, "ConcurrentModification",
                                                       "The request was rejected because multiple requests to change this object were submitted "
                                                       "simultaneously.");
    else if (e != NULL && e->reason != NULL && e->has_details) told = error_new("%s", e->message); /* one of Kubernetes' own: not for AWS clients */
    if (told != e) error_free(e);
    return told;
}

static const struct {
    const char *name;
    size_t max;
} quotas[IAM_KINDS] = {
    [IAM_USER] = {"UsersPerAccount", 5000}, [IAM_ROLE] = {"RolesPerAccount", 1000}, [IAM_GROUP] = {"GroupsPerAccount", 300}, [IAM_POLICY] = {"PoliciesPerAccount", 1500},
    [IAM_OIDC_PROVIDER] = {"OpenIdConnectProvidersPerAccount", 100}, [IAM_INSTANCE_PROFILE] = {"InstanceProfilesPerAccount", 1000},
};

struct error *iam_make(struct aws_request *r, enum iam_kind kind, const char *name, const struct json *json) {
    size_t n;
    iam_list(r->iam, kind, &n);
    if (n >= quotas[kind].max) return aws_error(409, "LimitExceeded", "Cannot exceed quota for %s: %zu", quotas[kind].name, quotas[kind].max);
    return iam_failed(iam_create(r->aws->iam, kind, name, json), kind, name);
}
struct error *iam_alter(struct aws_request *r, const struct iam_entity *e, iam_change_fn *change) {
    return iam_failed(iam_change(r->aws->iam, e, change, r), e->kind, e->name);
}
struct error *iam_drop(struct aws_request *r, const struct iam_entity *e) { return iam_failed(iam_remove(r->aws->iam, e), e->kind, e->name); }

const char *iam_path(const struct aws_request *r) {
    const char *path = aws_param(r, "Path");
    return path ? path : "/";
}

bool iam_below(const struct aws_request *r, const struct iam_entity *e) {
    const char *prefix = aws_param(r, "PathPrefix");
    return prefix == NULL || str_starts(e->path, prefix);
}

/* ---- documents ---- */

size_t iam_document_size(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += !isspace((unsigned char)*text);
    return n;
}

struct error *iam_document(struct aws_request *r, const char *param, enum policy_type type, size_t max, const char *quota, const char **out) {
    struct policy *p;
    const char *text = aws_param(r, param);
    if (iam_document_size(text) > max) return aws_error(409, "LimitExceeded", "Cannot exceed quota for %s: %zu", quota, max);
    TRY(policy_parse(r->arena, text, strlen(text), type, &p));
    *out = text;
    return NULL;
}

const struct json *iam_encoded(struct arena *a, const char *document) {
    cleanup_buf struct buf out = {0};
    url_encode(&out, document);
    return json_string(a, buf_str(&out));
}

/* Replaces each name under Principal.AWS by what `map` makes of it; NULL from `map` is an error. */
typedef const char *map_name_fn(struct arena *a, const struct iam_snapshot *iam, const char *name);

static struct error *map_names(struct arena *a, const struct iam_snapshot *iam, const struct json *names, map_name_fn *map, const struct json **out) {
    struct json_array mapped = {.arena = a};
    bool one = json_is(names, JSON_STRING);
    for (size_t i = 0; i < (one ? 1 : json_len(names)); i++) {
        const char *name = json_str_or(one ? names : json_at(names, i), NULL, ""), *to = map(a, iam, name);
        if (to == NULL) return aws_error(400, "MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"%s\"", name);
        json_array_add(&mapped, json_string(a, to));
    }
    *out = one ? &mapped.items[0] : json_array_done(&mapped);
    return NULL;
}

static struct error *map_document(struct arena *a, const struct iam_snapshot *iam, const char *text, map_name_fn *map, const char **out) {
    static const char *const elements[] = {"Principal", "NotPrincipal"};
    const struct json *document;
    TRY(json_parse(a, text, strlen(text), NULL, NULL, &document));
    const struct json *statements = json_member(document, "Statement"), *changed = &json_empty_array;
    bool one = json_is(statements, JSON_OBJECT), any = false;
    for (size_t i = 0; i < (one ? 1 : json_len(statements)); i++) {
        const struct json *s = one ? statements : json_at(statements, i);
        for (size_t k = 0; k < ARRAY_LEN(elements); k++) {
            const struct json *principal = json_member(s, elements[k]), *names = json_member(principal, "AWS"), *mapped;
            if (names == NULL) continue;
            TRY(map_names(a, iam, names, map, &mapped));
            if (json_equal(names, mapped)) continue;
            any = true;
            s = json_with_member(a, s, elements[k], json_with_member(a, principal, "AWS", mapped));
        }
        changed = json_append(a, changed, s);
    }
    *out = any ? json_text(a, json_with_member(a, document, "Statement", one ? json_at(changed, 0) : changed)) : text;
    return NULL;
}

static const char *name_to_id(struct arena *a UNUSED, const struct iam_snapshot *iam, const char *name) {
    if (strstr(name, ":user/") == NULL && strstr(name, ":role/") == NULL) return name;
    const struct iam_entity *e = iam_find_arn(iam, name);
    return e ? e->id : NULL;
}

static const char *id_to_name(struct arena *a UNUSED, const struct iam_snapshot *iam, const char *name) {
    const struct iam_entity *e = iam_find_id(iam, name);
    return e ? e->arn : name;
}

struct error *iam_trust_store(struct aws_request *r, const char *text, const char **out) {
    return map_document(r->arena, r->iam, text, name_to_id, out);
}

const char *iam_trust_show(struct arena *a, const struct iam_snapshot *iam, const char *text) {
    const char *out = text;
    cleanup_error struct error *damaged = map_document(a, iam, text, id_to_name, &out);
    return damaged ? text : out;
}

/* ---- tags ---- */

struct error *iam_tags(struct aws_request *r, const struct json **out) {
    const struct json *given = aws_param_list(r, "Tags");
    struct json_array tags = {.arena = r->arena};
    JSON_EACH(tag, given) {
        const char *key = json_str_or(tag, "Key", ""), *value = json_str_or(tag, "Value", "");
        if (*key == '\0' || strlen(key) > 128 || strlen(value) > 256) {
            return aws_error(400, "ValidationError", "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have a "
                                                     "key of 1 to 128 and a value of at most 256 characters");
        }
        if (strncasecmp(key, "aws:", 4) == 0) return aws_error(400, "InvalidInput", "System tags cannot be added/updated by requester.");
        for (size_t i = 0; i < tags.len; i++) {
            if (strcasecmp(json_str_or(&tags.items[i], "Key", ""), key) == 0) {
                return aws_error(400, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
            }
        }
        json_array_add(&tags, json_make(r->arena, "{'Key':%s,'Value':%s}", key, value));
    }
    if (tags.len > TAGS_MAX) return aws_error(409, "LimitExceeded", "The number of tags has exceeded the limit of %d.", TAGS_MAX);
    *out = tags.len > 0 ? json_array_done(&tags) : NULL;
    return NULL;
}

void iam_tag_context(struct aws_request *r, const struct iam_entity *e, struct policy_context *c) {
    JSON_EACH(tag, aws_param_list(r, "Tags")) {
        const char *key = json_str_or(tag, "Key", "");
        policy_context_add(c, "aws:TagKeys", key);
        policy_context_add(c, arena_printf(r->arena, "aws:RequestTag/%s", key), json_str_or(tag, "Value", ""));
    }
    JSON_EACH(key, aws_param_list(r, "TagKeys")) policy_context_add(c, "aws:TagKeys", json_str(key, NULL));
    JSON_EACH(tag, e ? json_member(e->json, "Tags") : NULL) {
        const char *key = json_str_or(tag, "Key", ""), *value = json_str_or(tag, "Value", "");
        policy_context_add(c, arena_printf(r->arena, "aws:ResourceTag/%s", key), value);
        policy_context_add(c, arena_printf(r->arena, "iam:ResourceTag/%s", key), value);
    }
}

/* TagUser, UntagInstanceProfile, ListOpenIDConnectProviderTags …: which entity? */
static struct error *tagged(struct aws_request *r, const struct iam_entity **out) {
    static const struct {
        const char *word, *param;
        enum iam_kind kind;
    } kinds[] = {{"User", "UserName", IAM_USER}, {"Role", "RoleName", IAM_ROLE}, {"Policy", "PolicyArn", IAM_POLICY},
                 {"OpenIDConnectProvider", "OpenIDConnectProviderArn", IAM_OIDC_PROVIDER}, {"InstanceProfile", "InstanceProfileName",
                         IAM_INSTANCE_PROFILE}};
    size_t i = 0;
    while (strstr(r->action->name, kinds[i].word) == NULL) i++;
    return iam_wanted(r, kinds[i].kind, kinds[i].param, out);
}

static const struct json *with_tags(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    struct aws_request *r = arg;
    const struct json *tags = NULL;
    if ((*error = iam_tags(r, &tags)) != NULL) return NULL;
    JSON_EACH(old, json_member(e->json, "Tags")) {
        bool replaced = false;
        JSON_EACH(tag, tags) replaced |= strcasecmp(json_str_or(tag, "Key", ""), json_str_or(old, "Key", "")) == 0;
        if (!replaced) tags = json_append(a, tags ? tags : &json_empty_array, old);
    }
    if (json_len(tags) > TAGS_MAX) {
        return *error = aws_error(409, "LimitExceeded", "The number of tags has exceeded the limit of %d.", TAGS_MAX), NULL;
    }
    return json_with_member(a, e->json, "Tags", tags);
}

static const struct json *without_tags(struct arena *a, const struct iam_entity *e, void *arg, struct error **error UNUSED) {
    const struct json *keys = aws_param_list(arg, "TagKeys"), *kept = &json_empty_array;
    JSON_EACH(tag, json_member(e->json, "Tags")) {
        bool gone = false;
        JSON_EACH(key, keys) gone |= strcasecmp(json_str_or(key, NULL, ""), json_str_or(tag, "Key", "")) == 0;
        if (!gone) kept = json_append(a, kept, tag);
    }
    return json_with_member(a, e->json, "Tags", kept);
}

struct error *iam_tag(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(tagged(r, &e));
    return iam_alter(r, e, with_tags);
}

struct error *iam_untag(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(tagged(r, &e));
    return iam_alter(r, e, without_tags);
}

struct error *iam_list_tags(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(tagged(r, &e));
    const struct json *tags = json_member(e->json, "Tags");
    return aws_page(r, "Tags", tags ? tags : &json_empty_array, out);
}

/* ---- resources ---- */

/* The entity's own ARN; of one that is yet to be made, the one that it will have. */
static const char *resource_of(struct aws_request *r, enum iam_kind kind, const char *type, const char *name, struct policy_context *c) {
    const struct iam_entity *e = iam_find(r->iam, kind, name);
    const char *boundary = aws_param(r, "PermissionsBoundary");
    iam_tag_context(r, e, c);
    policy_context_add(c, "iam:PolicyARN", aws_param(r, "PolicyArn"));
    policy_context_add(c, "iam:PermissionsBoundary", boundary ? boundary : e ? json_str(e->json, "PermissionsBoundary") : NULL);
    if (e != NULL) return e->arn;
    return arena_printf(r->arena, "arn:aws:iam::%s:%s%s%s", r->aws->account, type, iam_path(r), name ? name : "");
}

const char *iam_user_resource(struct aws_request *r, struct policy_context *c) {
    const char *name = aws_param(r, "UserName");
    return resource_of(r, IAM_USER, "user", name ? name : r->principal.user_name, c);
}
const char *iam_role_resource(struct aws_request *r, struct policy_context *c) {
    return resource_of(r, IAM_ROLE, "role", aws_param(r, "RoleName"), c);
}
const char *iam_group_resource(struct aws_request *r, struct policy_context *c) {
    return resource_of(r, IAM_GROUP, "group", aws_param(r, "GroupName"), c);
}
const char *iam_profile_resource(struct aws_request *r, struct policy_context *c) {
    return resource_of(r, IAM_INSTANCE_PROFILE, "instance-profile", aws_param(r, "InstanceProfileName"), c);
}
const char *iam_policy_resource(struct aws_request *r, struct policy_context *c) {
    const char *arn = aws_param(r, "PolicyArn");
    iam_tag_context(r, iam_find_arn(r->iam, arn), c);
    if (arn != NULL) return arn;
    return arena_printf(r->arena, "arn:aws:iam::%s:policy%s%s", r->aws->account, iam_path(r), aws_param(r, "PolicyName"));
}
const char *iam_provider_resource(struct aws_request *r, struct policy_context *c) {
    const char *arn = aws_param(r, "OpenIDConnectProviderArn"), *url = aws_param(r, "Url");
    iam_tag_context(r, iam_find_arn(r->iam, arn), c);
    if (arn != NULL) return arn;
    return arena_printf(r->arena, "arn:aws:iam::%s:oidc-provider/%s", r->aws->account, url && str_starts(url, "https://") ? url + 8 : "*");
}
static const char *list_of(struct aws_request *r, const char *type) { return arena_printf(r->arena, "arn:aws:iam::%s:%s/", r->aws->account, type); }
const char *iam_users_resource(struct aws_request *r, struct policy_context *c UNUSED) { return list_of(r, "user"); }
const char *iam_groups_resource(struct aws_request *r, struct policy_context *c UNUSED) { return list_of(r, "group"); }
const char *iam_roles_resource(struct aws_request *r, struct policy_context *c UNUSED) { return list_of(r, "role"); }
const char *iam_policies_resource(struct aws_request *r, struct policy_context *c UNUSED) { return list_of(r, "policy"); }
