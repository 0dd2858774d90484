/* The policies of users, roles and groups: inline ones, attached ones; permissions boundaries. The action's name says whose. */
#include "base/str.h"
#include "platform/aws/iam.h"

#define ATTACHED_MAX 10
static const size_t inline_bytes[] = {[IAM_USER] = 2048, [IAM_ROLE] = 10240, [IAM_GROUP] = 5120}; /* all inline policies together */

static const char *owner_word(const struct aws_request *r) { return aws_param_word(r->arena, iam_owner_words[iam_owner_kind(r)]); }

static struct error *no_such_policy(const struct aws_request *r, const char *name) {
    return aws_error(404, "NoSuchEntity", "The %s policy with name %s cannot be found.", owner_word(r), name);
}

/* ---- inline ---- */

static int64_t inline_index(const struct iam_entity *e, const char *name) {
    int64_t i = 0;
    JSON_EACH(p, json_member(e->json, "InlinePolicies")) {
        if (json_str_is(p, "PolicyName", name)) return i;
        i++;
    }
    return -1;
}

static const struct json *with_inline(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const struct aws_request *r = arg;
    const char *name = aws_param(r, "PolicyName"), *document = aws_param(r, "PolicyDocument");
    const struct json *policies = json_member(e->json, "InlinePolicies");
    int64_t at = inline_index(e, name);
    size_t bytes = iam_document_size(document), max = inline_bytes[e->kind];
    JSON_EACH(p, policies) bytes += json_str_is(p, "PolicyName", name) ? 0 : iam_document_size(json_str_or(p, "PolicyDocument", ""));
    if (bytes > max) {
        return *error = aws_error(409, "LimitExceeded", "Maximum policy size of %zu bytes exceeded for %s %s", max, owner_word(r), e->name), NULL;
    }
    const struct json *policy = json_make(a, "{'PolicyName':%s,'PolicyDocument':%s}", name, document);
    if (policies == NULL) policies = &json_empty_array;
    return json_with_member(a, e->json, "InlinePolicies", at < 0 ? json_append(a, policies, policy) : json_with_item(a, policies, (size_t)at,
            policy));
}

static struct error *put_inline(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    const char *document;
    TRY(iam_owner(r, &e));
    TRY(iam_document(r, "PolicyDocument", POLICY_IDENTITY, SIZE_MAX, "PolicySize", &document));
    return iam_alter(r, e, with_inline);
}

static struct error *get_inline(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    const char *name = aws_param(r, "PolicyName");
    TRY(iam_owner(r, &e));
    int64_t at = inline_index(e, name);
    if (at < 0) return no_such_policy(r, name);
    const struct json *policy = json_at(json_member(e->json, "InlinePolicies"), (size_t)at);
    *out = json_make(r->arena, "{%s:%s,'PolicyName':%s,'PolicyDocument':%v}", arena_printf(r->arena, "%sName", iam_owner_words[e->kind]), e->name, name,
                     iam_encoded(r->arena, json_str_or(policy, "PolicyDocument", "")));
    return NULL;
}

static const struct json *without_inline(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *name = aws_param(arg, "PolicyName");
    int64_t at = inline_index(e, name);
    if (at < 0) return *error = no_such_policy(arg, name), NULL;
    return json_with_member(a, e->json, "InlinePolicies", json_without_item(a, json_member(e->json, "InlinePolicies"), (size_t)at));
}

static struct error *delete_inline(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    return iam_alter(r, e, without_inline);
}

static struct error *list_inline(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    struct json_array names = {.arena = r->arena};
    TRY(iam_owner(r, &e));
    JSON_EACH(p, json_member(e->json, "InlinePolicies")) json_array_add(&names, json_member(p, "PolicyName"));
    return aws_page(r, "PolicyNames", json_array_done(&names), out);
}

/* ---- attached ---- */

static bool is_attached(const struct iam_entity *e, const char *arn) {
    JSON_EACH(p, json_member(e->json, "AttachedPolicies")) {
        if (json_str_is(p, NULL, arn)) return true;
    }
    return false;
}

static const struct json *with_attached(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *arn = aws_param(arg, "PolicyArn");
    const struct json *attached = json_member(e->json, "AttachedPolicies");
    if (is_attached(e, arn)) return NULL;
    if (json_len(attached) >= ATTACHED_MAX) {
        return *error = aws_error(409, "LimitExceeded", "Cannot exceed quota for PoliciesPer%s: %d", iam_owner_words[e->kind], ATTACHED_MAX), NULL;
    }
    return json_with_member(a, e->json, "AttachedPolicies", json_append(a, attached ? attached : &json_empty_array, json_string(a, arn)));
}

static struct error *attach(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e, *policy;
    TRY(iam_owner(r, &e));
    TRY(iam_wanted(r, IAM_POLICY, "PolicyArn", &policy));
    return iam_alter(r, e, with_attached);
}

static const struct json *without_attached(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *arn = aws_param(arg, "PolicyArn");
    struct json_array kept = {.arena = a};
    if (!is_attached(e, arn)) return *error = aws_error(404, "NoSuchEntity", "Policy %s was not found.", arn), NULL;
    JSON_EACH(p, json_member(e->json, "AttachedPolicies")) {
        if (!json_str_is(p, NULL, arn)) json_array_add(&kept, p);
    }
    return json_with_member(a, e->json, "AttachedPolicies", json_array_done(&kept));
}

static struct error *detach(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    return iam_alter(r, e, without_attached);
}

static struct error *list_attached(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    struct json_array list = {.arena = r->arena};
    TRY(iam_owner(r, &e));
    JSON_EACH(arn, json_member(e->json, "AttachedPolicies")) {
        const struct iam_entity *p = iam_find_arn(r->iam, json_str(arn, NULL));
        if (p == NULL || !iam_below(r, p)) continue;
        json_array_add(&list, json_make(r->arena, "{'PolicyName':%s,'PolicyArn':%s}", p->name, p->arn));
    }
    return aws_page(r, "AttachedPolicies", json_array_done(&list), out);
}

/* ---- boundaries ---- */

static const struct json *with_boundary(struct arena *a, const struct iam_entity *e, void *arg, struct error **error UNUSED) {
    return json_with_member(a, e->json, "PermissionsBoundary", json_string(a, aws_param(arg, "PermissionsBoundary")));
}

static struct error *put_boundary(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e, *policy;
    TRY(iam_owner(r, &e));
    TRY(iam_wanted(r, IAM_POLICY, "PermissionsBoundary", &policy));
    return iam_alter(r, e, with_boundary);
}

static const struct json *without_boundary(struct arena *a, const struct iam_entity *e, void *arg UNUSED, struct error **error) {
    if (json_member(e->json, "PermissionsBoundary") != NULL) return json_without_member(a, e->json, "PermissionsBoundary");
    return *error = aws_error(404, "NoSuchEntity", "No permissions boundary is set for %s.", e->name), NULL;
}

static struct error *delete_boundary(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    return iam_alter(r, e, without_boundary);
}

struct error *iam_check_no_policies(const struct iam_entity *e) {
    if (json_len(json_member(e->json, "AttachedPolicies")) > 0) {
        return aws_error(409, "DeleteConflict", "Cannot delete entity, must detach all policies first.");
    }
    if (json_len(json_member(e->json, "InlinePolicies")) > 0) {
        return aws_error(409, "DeleteConflict", "Cannot delete entity, must delete policies first.");
    }
    return NULL;
}

#define OWNER_ACTIONS(Owner, owner_resource)                                                                                                       \
    {.name = "Put" Owner "Policy", .run = put_inline, .resource = owner_resource, .required = Owner "Name PolicyName PolicyDocument"},              \
    {.name = "Get" Owner "Policy", .run = get_inline, .resource = owner_resource, .required = Owner "Name PolicyName"},                             \
    {.name = "Delete" Owner "Policy", .run = delete_inline, .resource = owner_resource, .required = Owner "Name PolicyName"},                       \
    {.name = "List" Owner "Policies", .run = list_inline, .resource = owner_resource, .required = Owner "Name"},                                    \
    {.name = "Attach" Owner "Policy", .run = attach, .resource = owner_resource, .required = Owner "Name PolicyArn"},                               \
    {.name = "Detach" Owner "Policy", .run = detach, .resource = owner_resource, .required = Owner "Name PolicyArn"},                               \
    {.name = "ListAttached" Owner "Policies", .run = list_attached, .resource = owner_resource, .required = Owner "Name"}
#define BOUNDARY_ACTIONS(Owner, owner_resource)                                                                                                    \
    {.name = "Put" Owner "PermissionsBoundary", .run = put_boundary, .resource = owner_resource, .required = Owner "Name PermissionsBoundary"},      \
    {.name = "Delete" Owner "PermissionsBoundary", .run = delete_boundary, .resource = owner_resource, .required = Owner "Name"}

const struct aws_action iam_inline_actions[] = {
    OWNER_ACTIONS("User", iam_user_resource),
    OWNER_ACTIONS("Role", iam_role_resource),
    OWNER_ACTIONS("Group", iam_group_resource),
    BOUNDARY_ACTIONS("User", iam_user_resource),
    BOUNDARY_ACTIONS("Role", iam_role_resource),
    {.name = NULL},
};
