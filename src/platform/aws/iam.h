/* What the files of the IAM service (iam_*.c) share. */
#pragma once
#include "platform/aws/service.h"

/* The entity that a parameter names; NoSuchEntity in AWS's words. */
MUST_CHECK struct error *iam_wanted(struct aws_request *r, enum iam_kind kind, const char *param, const struct iam_entity **out);
struct error *iam_no_such(enum iam_kind kind, const char *name);
/* A user, role or group, as the action's name says: "PutUserPolicy", "TagRole". */
extern const char *const iam_owner_words[]; /* "User", by kind */
enum iam_kind iam_owner_kind(const struct aws_request *r);
MUST_CHECK struct error *iam_owner(struct aws_request *r, const struct iam_entity **out);

/* Errors of the store as IAM tells them. */
struct error *iam_failed(struct error *e, enum iam_kind kind, const char *name);
/* Creates, within the account's quota; EntityAlreadyExists in AWS's words. */
MUST_CHECK struct error *iam_make(struct aws_request *r, enum iam_kind kind, const char *name, const struct json *json);
/* Changes; `change` gets the request as its argument. */
MUST_CHECK struct error *iam_alter(struct aws_request *r, const struct iam_entity *e, iam_change_fn *change);
MUST_CHECK struct error *iam_drop(struct aws_request *r, const struct iam_entity *e);

/* What is deleted must have no policies any more: DeleteConflict. */
MUST_CHECK struct error *iam_check_no_policies(const struct iam_entity *e);

/* Parameter Path, "/" if absent. */
const char *iam_path(const struct aws_request *r);
/* Does the entity stand below parameter PathPrefix? */
bool iam_below(const struct aws_request *r, const struct iam_entity *e);

/* ---- documents ---- */
/* A policy in a parameter: parsed, measured without white space against `max`. */
MUST_CHECK struct error *iam_document(struct aws_request *r, const char *param, enum policy_type type, size_t max, const char *quota,
                                      const char **out);
size_t iam_document_size(const char *text);
const struct json *iam_encoded(struct arena *a, const char *document); /* as answers carry documents: percent-encoded */
/* Trust policies are kept with the unique ids of the users and roles that they name, so that nobody inherits trust by being
 * created under an old name. MalformedPolicyDocument if one does not exist. */
MUST_CHECK struct error *iam_trust_store(struct aws_request *r, const char *text, const char **out);
const char *iam_trust_show(struct arena *a, const struct iam_snapshot *iam, const char *text);

/* ---- tags ---- */
/* Parameter Tags, checked; NULL if none. */
MUST_CHECK struct error *iam_tags(struct aws_request *r, const struct json **out);
/* Condition keys of the request's and the resource's tags. */
void iam_tag_context(struct aws_request *r, const struct iam_entity *e, struct policy_context *c);
/* The actions Tag…, Untag…, List…Tags of any kind of entity. */
aws_action_fn iam_tag, iam_untag, iam_list_tags;

/* ---- resources for policies ---- */
aws_resource_fn iam_user_resource, iam_role_resource, iam_group_resource, iam_policy_resource, iam_provider_resource, iam_profile_resource;
aws_resource_fn iam_users_resource, iam_roles_resource, iam_groups_resource, iam_policies_resource;

/* ---- shapes ---- */
const struct json *iam_role_json(struct aws_request *r, const struct iam_entity *e, bool details);
const struct json *iam_user_json(struct aws_request *r, const struct iam_entity *e, bool details);

/* The service's rows, one array per file; each ends with a row without a name. */
extern const struct aws_action iam_user_actions[], iam_group_actions[], iam_role_actions[], iam_inline_actions[], iam_policy_actions[], iam_provider_actions[],
    iam_profile_actions[], iam_simulate_actions[];
