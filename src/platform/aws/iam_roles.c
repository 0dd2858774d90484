/* Roles and their trust policies. */
#include "base/str.h"
#include "platform/aws/iam.h"

#define TRUST_MAX 2048
#define DURATION_MIN 3600
#define DURATION_MAX 43200

const struct json *iam_role_json(struct aws_request *r, const struct iam_entity *e, bool details) {
    struct arena *a = r->arena;
    const char *boundary = json_str(e->json, "PermissionsBoundary");
    const struct json *limit = details && boundary ? json_make(a, "{'PermissionsBoundaryType':'Policy','PermissionsBoundaryArn':%s}", boundary)
        : NULL;
    const char *trust = iam_trust_show(a, r->iam, json_str_or(e->json, "AssumeRolePolicyDocument", ""));
    return json_make(a, "{'Path':%s,'RoleName':%s,'RoleId':%s,'Arn':%s,'CreateDate':%v,'AssumeRolePolicyDocument':%v,'Description':%s,'MaxSessionDuration':%ld,"
                        "'PermissionsBoundary':%v,'Tags':%v}",
                     e->path, e->name, e->id, e->arn, aws_time(a, e->created), iam_encoded(a, trust), json_str(e->json, "Description"),
                     json_int(e->json, "MaxSessionDuration", DURATION_MIN), limit, details ? json_member(e->json, "Tags") : NULL);
}

static struct error *answer_role(struct aws_request *r, const struct json **out) {
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(r->aws->iam);
    const struct iam_entity *e = iam_find(now, IAM_ROLE, aws_param(r, "RoleName"));
    if (e == NULL) return iam_no_such(IAM_ROLE, aws_param(r, "RoleName"));
    *out = json_copy(r->arena, json_make(r->arena, "{'Role':%v}", iam_role_json(r, e, true)));
    return NULL;
}

static struct error *trust_parameter(struct aws_request *r, const char *param, const char **out) {
    TRY(iam_document(r, param, POLICY_TRUST, TRUST_MAX, "ACLSizePerRole", out));
    return iam_trust_store(r, *out, out);
}

static struct error *create_role(struct aws_request *r, const struct json **out) {
    const char *boundary = aws_param(r, "PermissionsBoundary"), *trust;
    const struct json *tags;
    int64_t duration;
    TRY(iam_tags(r, &tags));
    TRY(aws_param_int(r, "MaxSessionDuration", DURATION_MIN, DURATION_MAX, DURATION_MIN, &duration));
    TRY(trust_parameter(r, "AssumeRolePolicyDocument", &trust));
    if (boundary != NULL && iam_find_arn(r->iam, boundary) == NULL) return iam_no_such(IAM_POLICY, boundary);
    TRY(iam_make(r, IAM_ROLE, aws_param(r, "RoleName"),
                 json_make(r->arena, "{'Path':%s,'AssumeRolePolicyDocument':%s,'Description':%s,'MaxSessionDuration':%ld,'PermissionsBoundary':%s,'Tags':%v}",
                           iam_path(r), trust, aws_param(r, "Description"), duration, boundary, tags)));
    return answer_role(r, out);
}

static struct error *get_role(struct aws_request *r, const struct json **out) { return answer_role(r, out); }

static struct error *list_roles(struct aws_request *r, const struct json **out) {
    size_t n;
    const struct iam_entity *const *roles = iam_list(r->iam, IAM_ROLE, &n);
    struct json_array list = {.arena = r->arena};
    for (size_t i = 0; i < n; i++) {
        if (iam_below(r, roles[i])) json_array_add(&list, iam_role_json(r, roles[i], false));
    }
    return aws_page(r, "Roles", json_array_done(&list), out);
}

static bool in_profile(const struct aws_request *r, const struct iam_entity *role) {
    size_t n;
    const struct iam_entity *const *profiles = iam_list(r->iam, IAM_INSTANCE_PROFILE, &n);
    for (size_t i = 0; i < n; i++) {
        JSON_EACH(name, json_member(profiles[i]->json, "Roles")) {
            if (json_str_is(name, NULL, role->name)) return true;
        }
    }
    return false;
}

static struct error *delete_role(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    if (in_profile(r, e)) return aws_error(409, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.");
    TRY(iam_check_no_policies(e));
    return iam_drop(r, e);
}

static const struct json *updated(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    struct aws_request *r = arg;
    const struct json *json = e->json, *description = json_member(r->params, "Description");
    int64_t duration;
    if ((*error = aws_param_int(r, "MaxSessionDuration", DURATION_MIN, DURATION_MAX, json_int(json, "MaxSessionDuration", DURATION_MIN),
                                &duration)) != NULL) {
        return NULL;
    }
    if (description != NULL) json = json_with_member(a, json, "Description", description);
    return json_with_member(a, json, "MaxSessionDuration", json_integer(a, duration));
}

static struct error *update_role(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    *out = &json_empty_object;
    return iam_alter(r, e, updated);
}

static struct error *update_role_description(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    TRY(iam_alter(r, e, updated));
    return answer_role(r, out);
}

static const struct json *with_trust(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *trust;
    *error = trust_parameter(arg, "PolicyDocument", &trust);
    return *error ? NULL : json_with_member(a, e->json, "AssumeRolePolicyDocument", json_string(a, trust));
}

static struct error *update_assume_role_policy(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    return iam_alter(r, e, with_trust);
}

const struct aws_action iam_role_actions[] = {
    {.name = "CreateRole", .run = create_role, .resource = iam_role_resource, .required = "RoleName AssumeRolePolicyDocument"},
    {.name = "GetRole", .run = get_role, .resource = iam_role_resource, .required = "RoleName"},
    {.name = "ListRoles", .run = list_roles, .resource = iam_roles_resource},
    {.name = "DeleteRole", .run = delete_role, .resource = iam_role_resource, .required = "RoleName"},
    {.name = "UpdateRole", .run = update_role, .resource = iam_role_resource, .required = "RoleName"},
    {.name = "UpdateRoleDescription", .run = update_role_description, .resource = iam_role_resource, .required = "RoleName Description"},
    {.name = "UpdateAssumeRolePolicy", .run = update_assume_role_policy, .resource = iam_role_resource, .required = "RoleName PolicyDocument"},
    {.name = "TagRole", .run = iam_tag, .resource = iam_role_resource, .required = "RoleName Tags"},
    {.name = "UntagRole", .run = iam_untag, .resource = iam_role_resource, .required = "RoleName TagKeys"},
    {.name = "ListRoleTags", .run = iam_list_tags, .resource = iam_role_resource, .required = "RoleName"},
    {.name = NULL},
};
