/* Users and their access keys. */
#include "base/str.h"
#include "platform/aws/iam.h"
#include <openssl/crypto.h>
#include <strings.h>

#define KEYS_MAX 2
#define SECRET_BYTES 30 /* forty characters */

static const struct json *boundary_json(struct arena *a, const struct iam_entity *e) {
    const char *arn = json_str(e->json, "PermissionsBoundary");
    return arn ? json_make(a, "{'PermissionsBoundaryType':'Policy','PermissionsBoundaryArn':%s}", arn) : NULL;
}

const struct json *iam_user_json(struct aws_request *r, const struct iam_entity *e, bool details) {
    return json_make(r->arena, "{'Path':%s,'UserName':%s,'UserId':%s,'Arn':%s,'CreateDate':%v,'PermissionsBoundary':%v,'Tags':%v}", e->path,
                     e->name, e->id, e->arn,
                     aws_time(r->arena, e->created), details ? boundary_json(r->arena, e) : NULL, details ? json_member(e->json, "Tags") : NULL);
}

/* What was just made, seen through a new snapshot, which the request then holds for its answer. */
static struct error *answer_user(struct aws_request *r, const char *name, const struct json **out) {
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(r->aws->iam);
    const struct iam_entity *e = iam_find(now, IAM_USER, name);
    if (e == NULL) return iam_no_such(IAM_USER, name);
    *out = json_copy(r->arena, json_make(r->arena, "{'User':%v}", iam_user_json(r, e, true)));
    return NULL;
}

static struct error *create_user(struct aws_request *r, const struct json **out) {
    const char *name = aws_param(r, "UserName"), *boundary = aws_param(r, "PermissionsBoundary");
    const struct json *tags;
    TRY(iam_tags(r, &tags));
    if (boundary != NULL && iam_find_arn(r->iam, boundary) == NULL) return iam_no_such(IAM_POLICY, boundary);
    TRY(iam_make(r, IAM_USER, name, json_make(r->arena, "{'Path':%s,'Tags':%v,'PermissionsBoundary':%s}", iam_path(r), tags, boundary)));
    return answer_user(r, name, out);
}

/* Without a name: the caller's own. */
static struct error *get_user(struct aws_request *r, const struct json **out) {
    const char *name = aws_param(r, "UserName") ? aws_param(r, "UserName") : r->principal.user_name;
    if (name == NULL) return aws_error(400, "ValidationError", "Must specify userName when calling with non-User credentials");
    return answer_user(r, name, out);
}

static struct error *list_users(struct aws_request *r, const struct json **out) {
    size_t n;
    const struct iam_entity *const *users = iam_list(r->iam, IAM_USER, &n);
    struct json_array list = {.arena = r->arena};
    for (size_t i = 0; i < n; i++) {
        if (iam_below(r, users[i])) json_array_add(&list, iam_user_json(r, users[i], false));
    }
    return aws_page(r, "Users", json_array_done(&list), out);
}

static const struct json *with_name_and_path(struct arena *a, const struct iam_entity *e, void *arg, struct error **error UNUSED) {
    const char *name = aws_param(arg, "NewUserName"), *path = aws_param(arg, "NewPath");
    const struct json *json = json_with_member(a, e->json, "Name", json_string(a, name ? name : e->name));
    return json_with_member(a, json, "Path", json_string(a, path ? path : e->path));
}

/* Allowed must be both: what the user is, and what he becomes. */
static struct error *update_user(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    const char *name = aws_param(r, "NewUserName");
    TRY(iam_owner(r, &e));
    const char *path = aws_param(r, "NewPath") ? aws_param(r, "NewPath") : e->path;
    const char *arn = arena_printf(r->arena, "arn:aws:iam::%s:user%s%s", r->aws->account, path, name ? name : e->name);
    TRY(aws_authorize(r->aws, r->arena, &r->principal, "iam:UpdateUser", arn, aws_request_context(r)));
    if (name == NULL || strcasecmp(name, e->name) == 0) return iam_alter(r, e, with_name_and_path);
    return iam_failed(iam_rename(r->aws->iam, e, name, with_name_and_path, r), IAM_USER, name);
}

static struct error *delete_user(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(iam_owner(r, &e));
    if (json_len(json_member(e->json, "AccessKeys")) > 0) {
        return aws_error(409, "DeleteConflict", "Cannot delete entity, must delete access keys first.");
    }
    TRY(iam_check_no_policies(e));
    JSON_EACH(id, json_member(e->json, "Groups")) {
        if (iam_find_id(r->iam, json_str(id, NULL))) return aws_error(409, "DeleteConflict", "Cannot delete entity, must remove users from group first.");
    }
    return iam_drop(r, e);
}

/* ---- access keys ---- */

/* UserName may be left out: the caller's own keys. */
static struct error *key_owner(struct aws_request *r, const struct iam_entity **out) {
    const char *name = aws_param(r, "UserName") ? aws_param(r, "UserName") : r->principal.user_name;
    if (name == NULL) return aws_error(400, "ValidationError", "Must specify userName when calling with non-User credentials");
    *out = iam_find(r->iam, IAM_USER, name);
    return *out ? NULL : iam_no_such(IAM_USER, name);
}

static struct error *no_such_key(const char *id) { return aws_error(404, "NoSuchEntity", "The Access Key with id %s cannot be found.", id); }

/* The new key stands in the request's parameters: the change may run more than once. */
static const struct json *with_key(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const struct aws_request *r = arg;
    const struct json *keys = json_member(e->json, "AccessKeys");
    if (json_len(keys) >= KEYS_MAX) return *error = aws_error(409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", KEYS_MAX), NULL;
    return json_with_member(a, e->json, "AccessKeys", json_append(a, keys ? keys : &json_empty_array, json_member(r->params, "NewKey")));
}

static struct error *create_access_key(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    uint8_t bytes[SECRET_BYTES];
    cleanup_buf struct buf secret = {0};
    TRY(key_owner(r, &e));
    random_bytes(bytes, sizeof(bytes));
    base64_encode(&secret, bytes, sizeof(bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    const char *id = iam_new_id(r->arena, "AKIA");
    const struct json *now = aws_time(r->arena, clock_wall(r->aws->clock));
    const struct json *key = json_make(r->arena, "{'AccessKeyId':%s,'SecretAccessKey':%s,'Status':'Active','CreateDate':%v}", id, secret.data, now);
    OPENSSL_cleanse(secret.data, secret.len);
    r->params = json_with_member(r->arena, r->params, "NewKey", key);
    TRY(iam_alter(r, e, with_key));
    *out = json_make(r->arena, "{'AccessKey':%v}", json_with_member(r->arena, key, "UserName", json_string(r->arena, e->name)));
    return NULL;
}

static struct error *list_access_keys(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    struct json_array list = {.arena = r->arena};
    TRY(key_owner(r, &e));
    JSON_EACH(key, json_member(e->json, "AccessKeys")) {
        json_array_add(&list, json_make(r->arena, "{'UserName':%s,'AccessKeyId':%v,'Status':%v,'CreateDate':%v}", e->name,
                                        json_member(key, "AccessKeyId"),
                                        json_member(key, "Status"), json_member(key, "CreateDate")));
    }
    return aws_page(r, "AccessKeyMetadata", json_array_done(&list), out);
}

/* Where the key stands in the list, or -1. */
static int64_t key_index(const struct iam_entity *e, const char *id) {
    int64_t i = 0;
    JSON_EACH(key, json_member(e->json, "AccessKeys")) {
        if (json_str_is(key, "AccessKeyId", id)) return i;
        i++;
    }
    return -1;
}

static const struct json *with_status(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *id = aws_param(arg, "AccessKeyId");
    int64_t i = key_index(e, id);
    const struct json *keys = json_member(e->json, "AccessKeys");
    if (i < 0) return *error = no_such_key(id), NULL;
    const struct json *key = json_with_member(a, json_at(keys, (size_t)i), "Status", json_string(a, aws_param(arg, "Status")));
    return json_with_member(a, e->json, "AccessKeys", json_with_item(a, keys, (size_t)i, key));
}

static struct error *update_access_key(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    if (!str_in(aws_param(r, "Status"), (const char *const[]){"Active", "Inactive", NULL})) {
        return aws_error(400, "ValidationError", "1 validation error detected: Value '%s' at 'status' failed to satisfy constraint: Member must "
                                                 "satisfy enum value set: [Active, Inactive]",
                         aws_param(r, "Status"));
    }
    TRY(key_owner(r, &e));
    return iam_alter(r, e, with_status);
}

static const struct json *without_key(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *id = aws_param(arg, "AccessKeyId");
    int64_t i = key_index(e, id);
    if (i < 0) return *error = no_such_key(id), NULL;
    return json_with_member(a, e->json, "AccessKeys", json_without_item(a, json_member(e->json, "AccessKeys"), (size_t)i));
}

static struct error *delete_access_key(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(key_owner(r, &e));
    return iam_alter(r, e, without_key);
}

const struct aws_action iam_user_actions[] = {
    {.name = "CreateUser", .run = create_user, .resource = iam_user_resource, .required = "UserName"},
    {.name = "GetUser", .run = get_user, .resource = iam_user_resource},
    {.name = "ListUsers", .run = list_users, .resource = iam_users_resource},
    {.name = "UpdateUser", .run = update_user, .resource = iam_user_resource, .required = "UserName"},
    {.name = "DeleteUser", .run = delete_user, .resource = iam_user_resource, .required = "UserName"},
    {.name = "TagUser", .run = iam_tag, .resource = iam_user_resource, .required = "UserName Tags"},
    {.name = "UntagUser", .run = iam_untag, .resource = iam_user_resource, .required = "UserName TagKeys"},
    {.name = "ListUserTags", .run = iam_list_tags, .resource = iam_user_resource, .required = "UserName"},
    {.name = "CreateAccessKey", .run = create_access_key, .resource = iam_user_resource},
    {.name = "ListAccessKeys", .run = list_access_keys, .resource = iam_user_resource},
    {.name = "UpdateAccessKey", .run = update_access_key, .resource = iam_user_resource, .required = "AccessKeyId Status"},
    {.name = "DeleteAccessKey", .run = delete_access_key, .resource = iam_user_resource, .required = "AccessKeyId"},
    {.name = NULL},
};
