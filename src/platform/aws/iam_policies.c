/* Managed policies and their versions. AWS's own can be read and attached, not changed. */
#include "base/map.h"
#include "base/str.h"
#include "platform/aws/iam.h"
#include "platform/aws/state_internal.h"

#define POLICY_BYTES 6144
#define VERSIONS_MAX 5

/* ---- uses ---- */

static bool holds(const struct iam_entity *e, const char *arn) {
    JSON_EACH(p, json_member(e->json, "AttachedPolicies")) {
        if (json_str_is(p, NULL, arn)) return true;
    }
    return false;
}

static size_t count_uses(const struct aws_request *r, const char *arn, bool boundary) {
    size_t uses = 0;
    for (enum iam_kind kind = IAM_USER; kind <= IAM_GROUP; kind++) {
        size_t n;
        const struct iam_entity *const *list = iam_list(r->iam, kind, &n);
        for (size_t i = 0; i < n; i++) uses += boundary ? json_str_is(list[i]->json, "PermissionsBoundary", arn) : holds(list[i], arn);
    }
    return uses;
}

/* ---- shapes ---- */

static const struct json *policy_json(struct aws_request *r, const struct iam_entity *e, bool details) {
    int64_t updated = e->created;
    JSON_EACH(v, json_member(e->json, "Versions")) {
        if (json_str_is(v, "VersionId", json_str_or(e->json, "DefaultVersionId", ""))) time_parse(json_str_or(v, "CreateDate", ""), &updated);
    }
    return json_make(r->arena, "{'PolicyName':%s,'PolicyId':%s,'Arn':%s,'Path':%s,'DefaultVersionId':%s,'AttachmentCount':%ld,'PermissionsBoundaryUsageCount':%ld,"
                               "'IsAttachable':true,'Description':%s,'CreateDate':%v,'UpdateDate':%v,'Tags':%v}",
                     e->name, e->id, e->arn, e->path, json_str(e->json, "DefaultVersionId"), (int64_t)count_uses(r, e->arn, false),
                     (int64_t)count_uses(r, e->arn, true), details ? json_str(e->json, "Description") : NULL, aws_time(r->arena, e->created),
                     aws_time(r->arena, updated), details ? json_member(e->json, "Tags") : NULL);
}

static const struct json *version_json(struct aws_request *r, const struct iam_entity *e, const struct json *v, bool document) {
    const char *id = json_str(v, "VersionId");
    return json_make(r->arena, "{'Document':%v,'VersionId':%s,'IsDefaultVersion':%b,'CreateDate':%v}",
                     document ? iam_encoded(r->arena, json_str_or(v, "Document", "")) : NULL, id, json_str_is(e->json, "DefaultVersionId", id),
                     json_member(v, "CreateDate"));
}

/* ---- policies ---- */

/* One that may be changed: not AWS's own. */
static struct error *own_policy(struct aws_request *r, const struct iam_entity **out) {
    TRY(iam_wanted(r, IAM_POLICY, "PolicyArn", out));
    if (!str_starts((*out)->arn, "arn:aws:iam::aws:")) return NULL;
    return aws_error(403, "AccessDenied", "Policy %s is managed by AWS and cannot be changed.", (*out)->arn);
}

static struct error *create_policy(struct aws_request *r, const struct json **out) {
    const char *name = aws_param(r, "PolicyName"), *document;
    const struct json *tags;
    TRY(iam_tags(r, &tags));
    TRY(iam_document(r, "PolicyDocument", POLICY_IDENTITY, POLICY_BYTES, "PolicySize", &document));
    TRY(iam_make(r, IAM_POLICY, name,
                 json_make(r->arena, "{'Path':%s,'Description':%s,'DefaultVersionId':'v1','NextVersion':2,'Versions':[{'VersionId':'v1','Document':%s,'CreateDate':%v}],'Tags':%v}",
                           iam_path(r), aws_param(r, "Description"), document, aws_time(r->arena, clock_wall(r->aws->clock)), tags)));
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(r->aws->iam);
    const struct iam_entity *e = iam_find(now, IAM_POLICY, name);
    if (e == NULL) return iam_no_such(IAM_POLICY, name);
    *out = json_copy(r->arena, json_make(r->arena, "{'Policy':%v}", policy_json(r, e, false)));
    return NULL;
}

static struct error *get_policy(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(iam_wanted(r, IAM_POLICY, "PolicyArn", &e));
    *out = json_make(r->arena, "{'Policy':%v}", policy_json(r, e, true));
    return NULL;
}

static void add_listed(struct aws_request *r, const struct iam_entity *e, struct json_array *list) {
    const char *usage = aws_param(r, "PolicyUsageFilter");
    bool attached = json_str_is(r->params, "OnlyAttached", "true");
    if (!iam_below(r, e)) return;
    if (attached && count_uses(r, e->arn, false) == 0) return;
    if (str_eq(usage, "PermissionsBoundary") && count_uses(r, e->arn, true) == 0) return;
    json_array_add(list, policy_json(r, e, false));
}

static struct error *list_policies(struct aws_request *r, const struct json **out) {
    const char *scope = aws_param(r, "Scope");
    struct json_array list = {.arena = r->arena};
    size_t n;
    if (scope != NULL && !str_in(scope, (const char *const[]){"All", "AWS", "Local", NULL})) {
        return aws_error(400, "ValidationError", "1 validation error detected: Value '%s' at 'scope' failed to satisfy constraint: Member must "
                                                 "satisfy enum value set: [All, AWS, Local]", scope);
    }
    const struct iam_entity *const *own = iam_list(r->iam, IAM_POLICY, &n);
    for (size_t i = 0; i < n && !str_eq(scope, "AWS"); i++) add_listed(r, own[i], &list);
    for (size_t i = 0; i < iam_managed_count() && !str_eq(scope, "Local"); i++) {
        add_listed(r, iam_find_arn(r->iam, iam_managed_arn(r->arena, i)), &list);
    }
    return aws_page(r, "Policies", json_array_done(&list), out);
}

static struct error *delete_policy(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(own_policy(r, &e));
    if (count_uses(r, e->arn, false) + count_uses(r, e->arn, true) > 0) {
        return aws_error(409, "DeleteConflict", "Cannot delete a policy attached to entities.");
    }
    if (json_len(json_member(e->json, "Versions")) > 1) {
        return aws_error(409, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                                                "versions. The default version is deleted with the policy.");
    }
    return iam_drop(r, e);
}

static struct error *list_entities(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    struct json_array names[IAM_GROUP + 1] = {{.arena = r->arena}, {.arena = r->arena}, {.arena = r->arena}};
    const char *filter = aws_param(r, "EntityFilter");
    TRY(iam_wanted(r, IAM_POLICY, "PolicyArn", &e));
    for (enum iam_kind kind = IAM_USER; kind <= IAM_GROUP; kind++) {
        size_t n;
        const struct iam_entity *const *list = iam_list(r->iam, kind, &n);
        const char *word = iam_owner_words[kind];
        if (filter != NULL && !str_eq(filter, word)) continue;
        for (size_t i = 0; i < n; i++) {
            if (!holds(list[i], e->arn) || !iam_below(r, list[i])) continue;
            json_array_add(&names[kind], json_make(r->arena, "{%s:%s,%s:%s}", arena_printf(r->arena, "%sName", word), list[i]->name, arena_printf(r->arena, "%sId", word), list[i]->id));
        }
    }
    *out = json_make(r->arena, "{'PolicyGroups':%v,'PolicyUsers':%v,'PolicyRoles':%v,'IsTruncated':false}", json_array_done(&names[IAM_GROUP]), json_array_done(&names[IAM_USER]), json_array_done(&names[IAM_ROLE]));
    return NULL;
}

/* ---- versions ---- */

static int64_t version_index(const struct iam_entity *e, const char *id) {
    int64_t i = 0;
    JSON_EACH(v, json_member(e->json, "Versions")) {
        if (json_str_is(v, "VersionId", id)) return i;
        i++;
    }
    return -1;
}

static struct error *no_such_version(const struct iam_entity *e, const char *id) {
    return aws_error(404, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", e->arn, id);
}

/* Newest first, as they are listed. */
static const struct json *with_version(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const struct aws_request *r = arg;
    const struct json *old = json_member(e->json, "Versions"), *json = e->json;
    int64_t number = json_int(json, "NextVersion", 2);
    struct json_array versions = {.arena = a};
    if (json_len(old) >= VERSIONS_MAX) {
        *error = aws_error(409, "LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", VERSIONS_MAX);
        return NULL;
    }
    const char *id = arena_printf(a, "v%lld", (long long)number);
    json_array_add(&versions, json_make(a, "{'VersionId':%s,'Document':%s,'CreateDate':%v}", id, aws_param(r, "PolicyDocument"),
                                        aws_time(a, clock_wall(r->aws->clock))));
    JSON_EACH(v, old) json_array_add(&versions, v);
    json = json_with_member(a, json, "Versions", json_array_done(&versions));
    if (json_str_is(r->params, "SetAsDefault", "true")) json = json_with_member(a, json, "DefaultVersionId", json_string(a, id));
    return json_with_member(a, json, "NextVersion", json_integer(a, number + 1));
}

static struct error *create_version(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    const char *document;
    TRY(own_policy(r, &e));
    TRY(iam_document(r, "PolicyDocument", POLICY_IDENTITY, POLICY_BYTES, "PolicySize", &document));
    TRY(iam_alter(r, e, with_version));
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(r->aws->iam);
    const struct iam_entity *changed = iam_find_arn(now, e->arn);
    if (changed == NULL) return iam_no_such(IAM_POLICY, e->arn);
    const struct json *made = version_json(r, changed, json_at(json_member(changed->json, "Versions"), 0), false);
    *out = json_copy(r->arena, json_make(r->arena, "{'PolicyVersion':%v}", made));
    return NULL;
}

static struct error *get_version(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    const char *id = aws_param(r, "VersionId");
    TRY(iam_wanted(r, IAM_POLICY, "PolicyArn", &e));
    int64_t at = version_index(e, id);
    if (at < 0) return no_such_version(e, id);
    *out = json_make(r->arena, "{'PolicyVersion':%v}", version_json(r, e, json_at(json_member(e->json, "Versions"), (size_t)at), true));
    return NULL;
}

static struct error *list_versions(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    struct json_array list = {.arena = r->arena};
    TRY(iam_wanted(r, IAM_POLICY, "PolicyArn", &e));
    JSON_EACH(v, json_member(e->json, "Versions")) json_array_add(&list, version_json(r, e, v, false));
    return aws_page(r, "Versions", json_array_done(&list), out);
}

static const struct json *without_version(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *id = aws_param(arg, "VersionId");
    int64_t at = version_index(e, id);
    if (at < 0) return *error = no_such_version(e, id), NULL;
    if (json_str_is(e->json, "DefaultVersionId", id)) {
        return *error = aws_error(409, "DeleteConflict", "Cannot delete the default version of a policy."), NULL;
    }
    return json_with_member(a, e->json, "Versions", json_without_item(a, json_member(e->json, "Versions"), (size_t)at));
}

static struct error *delete_version(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(own_policy(r, &e));
    return iam_alter(r, e, without_version);
}

static const struct json *with_default(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const char *id = aws_param(arg, "VersionId");
    if (version_index(e, id) < 0) return *error = no_such_version(e, id), NULL;
    return json_with_member(a, e->json, "DefaultVersionId", json_string(a, id));
}

static struct error *set_default_version(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e;
    TRY(own_policy(r, &e));
    return iam_alter(r, e, with_default);
}

const struct aws_action iam_policy_actions[] = {
    {.name = "CreatePolicy", .run = create_policy, .resource = iam_policy_resource, .required = "PolicyName PolicyDocument"},
    {.name = "GetPolicy", .run = get_policy, .resource = iam_policy_resource, .required = "PolicyArn"},
    {.name = "ListPolicies", .run = list_policies, .resource = iam_policies_resource},
    {.name = "DeletePolicy", .run = delete_policy, .resource = iam_policy_resource, .required = "PolicyArn"},
    {.name = "ListEntitiesForPolicy", .run = list_entities, .resource = iam_policy_resource, .required = "PolicyArn"},
    {.name = "CreatePolicyVersion", .run = create_version, .resource = iam_policy_resource, .required = "PolicyArn PolicyDocument"},
    {.name = "GetPolicyVersion", .run = get_version, .resource = iam_policy_resource, .required = "PolicyArn VersionId"},
    {.name = "ListPolicyVersions", .run = list_versions, .resource = iam_policy_resource, .required = "PolicyArn"},
    {.name = "DeletePolicyVersion", .run = delete_version, .resource = iam_policy_resource, .required = "PolicyArn VersionId"},
    {.name = "SetDefaultPolicyVersion", .run = set_default_version, .resource = iam_policy_resource, .required = "PolicyArn VersionId"},
    {.name = "TagPolicy", .run = iam_tag, .resource = iam_policy_resource, .required = "PolicyArn Tags"},
    {.name = "UntagPolicy", .run = iam_untag, .resource = iam_policy_resource, .required = "PolicyArn TagKeys"},
    {.name = "ListPolicyTags", .run = iam_list_tags, .resource = iam_policy_resource, .required = "PolicyArn"},
    {.name = NULL},
};
