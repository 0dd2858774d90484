/* Groups, and who is in them. A user's entity has the unique ids of its groups, so that they may be renamed, and one that is made
 * anew under an old name has no members. */
#include "base/str.h"
#include "platform/aws/iam.h"
#include <strings.h>

#define GROUPS_MAX 10 /* of a user */

static const struct json *group_json(struct aws_request *r, const struct iam_entity *e) {
    return json_make(r->arena, "{'Path':%s,'GroupName':%s,'GroupId':%s,'Arn':%s,'CreateDate':%v}", e->path, e->name, e->id, e->arn, aws_time(r->arena, e->created));
}

static bool is_member(const struct iam_entity *user, const struct iam_entity *group) {
    JSON_EACH(id, json_member(user->json, "Groups")) {
        if (json_str_is(id, NULL, group->id)) return true;
    }
    return false;
}

/* ---- groups ---- */

static struct error *create_group(struct aws_request *r, const struct json **out) {
    const char *name = aws_param(r, "GroupName");
    TRY(iam_make(r, IAM_GROUP, name, json_make(r->arena, "{'Path':%s}", iam_path(r))));
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(r->aws->iam);
    const struct iam_entity *e = iam_find(now, IAM_GROUP, name);
    if (e == NULL) return iam_no_such(IAM_GROUP, name);
    *out = json_copy(r->arena, json_make(r->arena, "{'Group':%v}", group_json(r, e)));
    return NULL;
}

static const struct json *members(struct aws_request *r, const struct iam_entity *group) {
    size_t n;
    const struct iam_entity *const *users = iam_list(r->iam, IAM_USER, &n);
    struct json_array list = {.arena = r->arena};
    for (size_t i = 0; i < n; i++) {
        if (is_member(users[i], group)) json_array_add(&list, iam_user_json(r, users[i], false));
    }
    return json_array_done(&list);
}

static struct error *get_group(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    *out = json_make(r->arena, "{'Group':%v}", group_json(r, e));
    return aws_page(r, "Users", members(r, e), out);
}

/* All, or those of a user. */
static struct error *list(struct aws_request *r, const struct iam_entity *user, const struct json **out) {
    size_t n;
    const struct iam_entity *const *groups = iam_list(r->iam, IAM_GROUP, &n);
    struct json_array found = {.arena = r->arena};
    for (size_t i = 0; i < n; i++) {
        if (iam_below(r, groups[i]) && (user == NULL || is_member(user, groups[i]))) json_array_add(&found, group_json(r, groups[i]));
    }
    return aws_page(r, "Groups", json_array_done(&found), out);
}

static struct error *list_groups(struct aws_request *r, const struct json **out) { return list(r, NULL, out); }

static struct error *list_groups_for_user(struct aws_request *r, const struct json **out) {
    const struct iam_entity *user;
    TRY(iam_wanted(r, IAM_USER, "UserName", &user));
    return list(r, user, out);
}

static const struct json *with_name_and_path(struct arena *a, const struct iam_entity *e, void *arg, struct error **error UNUSED) {
    const char *name = aws_param(arg, "NewGroupName"), *path = aws_param(arg, "NewPath");
    const struct json *json = json_with_member(a, e->json, "Name", json_string(a, name ? name : e->name));
    return json_with_member(a, json, "Path", json_string(a, path ? path : e->path));
}

/* Allowed must be both: what the group is, and what it becomes. */
static struct error *update_group(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    const char *name = aws_param(r, "NewGroupName");
    TRY(iam_owner(r, &e));
    const char *path = aws_param(r, "NewPath") ? aws_param(r, "NewPath") : e->path;
    const char *arn = arena_printf(r->arena, "arn:aws:iam::%s:group%s%s", r->aws->account, path, name ? name : e->name);
    TRY(aws_authorize(r->aws, r->arena, &r->principal, "iam:UpdateGroup", arn, aws_request_context(r)));
    if (name == NULL || strcasecmp(name, e->name) == 0) return iam_alter(r, e, with_name_and_path);
    return iam_failed(iam_rename(r->aws->iam, e, name, with_name_and_path, r), IAM_GROUP, name);
}

static struct error *delete_group(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    if (json_len(members(r, e)) > 0) return aws_error(409, "DeleteConflict", "Cannot delete entity, must remove users from group first.");
    TRY(iam_check_no_policies(e));
    return iam_drop(r, e);
}

/* ---- members ---- */

/* The group stands in the request; ids of groups that are gone are left out. */
static const struct json *other_groups(struct arena *a, const struct iam_entity *user, const struct aws_request *r, const struct iam_entity **group) {
    struct json_array kept = {.arena = a};
    *group = iam_find(r->iam, IAM_GROUP, aws_param(r, "GroupName"));
    JSON_EACH(id, json_member(user->json, "Groups")) {
        const struct iam_entity *g = iam_find_id(r->iam, json_str(id, NULL));
        if (g != NULL && g != *group) json_array_add(&kept, id);
    }
    return json_array_done(&kept);
}

static const struct json *with_group(struct arena *a, const struct iam_entity *user, void *arg, struct error **error) {
    const struct iam_entity *group;
    const struct json *others = other_groups(a, user, arg, &group);
    if (is_member(user, group)) return NULL;
    if (json_len(others) >= GROUPS_MAX) return *error = aws_error(409, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: %d", GROUPS_MAX), NULL;
    return json_with_member(a, user->json, "Groups", json_append(a, others, json_string(a, group->id)));
}

static const struct json *without_group(struct arena *a, const struct iam_entity *user, void *arg, struct error **error UNUSED) {
    const struct iam_entity *group;
    const struct json *others = other_groups(a, user, arg, &group);
    return is_member(user, group) ? json_with_member(a, user->json, "Groups", others) : NULL;
}

static struct error *change_member(struct aws_request *r, iam_change_fn *change) {
    const struct iam_entity *group, *user;
    TRY(iam_wanted(r, IAM_GROUP, "GroupName", &group));
    TRY(iam_wanted(r, IAM_USER, "UserName", &user));
    return iam_alter(r, user, change);
}

static struct error *add_user(struct aws_request *r, const struct json **out UNUSED) { return change_member(r, with_group); }
static struct error *remove_user(struct aws_request *r, const struct json **out UNUSED) { return change_member(r, without_group); }

const struct aws_action iam_group_actions[] = {
    {.name = "CreateGroup", .run = create_group, .resource = iam_group_resource, .required = "GroupName"},
    {.name = "GetGroup", .run = get_group, .resource = iam_group_resource, .required = "GroupName"},
    {.name = "ListGroups", .run = list_groups, .resource = iam_groups_resource},
    {.name = "ListGroupsForUser", .run = list_groups_for_user, .resource = iam_user_resource, .required = "UserName"},
    {.name = "UpdateGroup", .run = update_group, .resource = iam_group_resource, .required = "GroupName"},
    {.name = "DeleteGroup", .run = delete_group, .resource = iam_group_resource, .required = "GroupName"},
    {.name = "AddUserToGroup", .run = add_user, .resource = iam_group_resource, .required = "GroupName UserName"},
    {.name = "RemoveUserFromGroup", .run = remove_user, .resource = iam_group_resource, .required = "GroupName UserName"},
    {.name = NULL},
};
