/* Instance profiles: how a machine gets its role. */
#include "base/str.h"
#include "platform/aws/iam.h"

static const struct json *profile_json(struct aws_request *r, const struct iam_entity *e) {
    struct json_array roles = {.arena = r->arena};
    JSON_EACH(name, json_member(e->json, "Roles")) {
        const struct iam_entity *role = iam_find(r->iam, IAM_ROLE, json_str(name, NULL));
        if (role != NULL) json_array_add(&roles, iam_role_json(r, role, false));
    }
    return json_make(r->arena, "{'Path':%s,'InstanceProfileName':%s,'InstanceProfileId':%s,'Arn':%s,'CreateDate':%v,'Roles':%v,'Tags':%v}", e->path,
                     e->name, e->id,
                     e->arn, aws_time(r->arena, e->created), json_array_done(&roles), json_member(e->json, "Tags"));
}

static struct error *wanted(struct aws_request *r, const struct iam_entity **out) {
    return iam_wanted(r, IAM_INSTANCE_PROFILE, "InstanceProfileName", out);
}

static struct error *create_profile(struct aws_request *r, const struct json **out) {
    const char *name = aws_param(r, "InstanceProfileName");
    const struct json *tags;
    TRY(iam_tags(r, &tags));
    TRY(iam_make(r, IAM_INSTANCE_PROFILE, name, json_make(r->arena, "{'Path':%s,'Roles':[],'Tags':%v}", iam_path(r), tags)));
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(r->aws->iam);
    const struct iam_entity *e = iam_find(now, IAM_INSTANCE_PROFILE, name);
    if (e == NULL) return iam_no_such(IAM_INSTANCE_PROFILE, name);
    *out = json_copy(r->arena, json_make(r->arena, "{'InstanceProfile':%v}", profile_json(r, e)));
    return NULL;
}

static struct error *get_profile(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(wanted(r, &e));
    *out = json_make(r->arena, "{'InstanceProfile':%v}", profile_json(r, e));
    return NULL;
}

static bool has_role(const struct iam_entity *e, const char *role) {
    JSON_EACH(name, json_member(e->json, "Roles")) {
        if (json_str_is(name, NULL, role)) return true;
    }
    return false;
}

/* All, or those of a role. */
static struct error *list(struct aws_request *r, const char *role, const struct json **out) {
    size_t n;
    const struct iam_entity *const *profiles = iam_list(r->iam, IAM_INSTANCE_PROFILE, &n);
    struct json_array found = {.arena = r->arena};
    for (size_t i = 0; i < n; i++) {
        if (iam_below(r, profiles[i]) && (role == NULL || has_role(profiles[i], role))) json_array_add(&found, profile_json(r, profiles[i]));
    }
    return aws_page(r, "InstanceProfiles", json_array_done(&found), out);
}

static struct error *list_profiles(struct aws_request *r, const struct json **out) { return list(r, NULL, out); }

static struct error *list_for_role(struct aws_request *r, const struct json **out) {
    const struct iam_entity *role;
    TRY(iam_wanted(r, IAM_ROLE, "RoleName", &role));
    return list(r, role->name, out);
}

static struct error *delete_profile(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(wanted(r, &e));
    if (json_len(json_member(e->json, "Roles")) > 0) {
        return aws_error(409, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.");
    }
    return iam_drop(r, e);
}

static const struct json *with_role(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const struct aws_request *r = arg;
    const struct iam_entity *role = iam_find(r->iam, IAM_ROLE, aws_param(r, "RoleName"));
    if (json_len(json_member(e->json, "Roles")) > 0) {
        return *error = aws_error(409, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"), NULL;
    }
    return json_with_member(a, e->json, "Roles", json_append(a, &json_empty_array, json_string(a, role->name)));
}

/* Whoever gives a machine a role must be allowed to pass it on. */
static struct error *add_role(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e, *role;
    TRY(wanted(r, &e));
    TRY(iam_wanted(r, IAM_ROLE, "RoleName", &role));
    struct policy_context *context = aws_request_context(r);
    policy_context_add(context, "iam:PassedToService", "ec2.amazonaws.com");
    TRY(aws_authorize(r->aws, r->arena, &r->principal, "iam:PassRole", role->arn, context));
    return iam_alter(r, e, with_role);
}

static const struct json *without_role(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *role = aws_param(arg, "RoleName");
    if (has_role(e, role)) return json_with_member(a, e->json, "Roles", &json_empty_array);
    return *error = aws_error(404, "NoSuchEntity", "Role %s in Instance Profile %s cannot be found.", role, e->name), NULL;
}

static struct error *remove_role(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(wanted(r, &e));
    return iam_alter(r, e, without_role);
}

#define PROFILE "InstanceProfileName"
const struct aws_action iam_profile_actions[] = {
    {.name = "CreateInstanceProfile", .run = create_profile, .resource = iam_profile_resource, .required = PROFILE},
    {.name = "GetInstanceProfile", .run = get_profile, .resource = iam_profile_resource, .required = PROFILE},
    {.name = "ListInstanceProfiles", .run = list_profiles},
    {.name = "ListInstanceProfilesForRole", .run = list_for_role, .resource = iam_role_resource, .required = "RoleName"},
    {.name = "DeleteInstanceProfile", .run = delete_profile, .resource = iam_profile_resource, .required = PROFILE},
    {.name = "AddRoleToInstanceProfile", .run = add_role, .resource = iam_profile_resource, .required = PROFILE " RoleName"},
    {.name = "RemoveRoleFromInstanceProfile", .run = remove_role, .resource = iam_profile_resource, .required = PROFILE " RoleName"},
    {.name = "TagInstanceProfile", .run = iam_tag, .resource = iam_profile_resource, .required = PROFILE " Tags"},
    {.name = "UntagInstanceProfile", .run = iam_untag, .resource = iam_profile_resource, .required = PROFILE " TagKeys"},
    {.name = "ListInstanceProfileTags", .run = iam_list_tags, .resource = iam_profile_resource, .required = PROFILE},
    {.name = NULL},
};
