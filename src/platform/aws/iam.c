/* The IAM service: its tables and what concerns the whole account. */
#include "platform/aws/iam.h"
#include "base/str.h"

/* ---- the account ---- */

static const struct json *entry(struct arena *a, const char *key, int64_t value) { return json_make(a, "{'key':%s,'value':%ld}", key, value); }

static struct error *get_account_summary(struct aws_request *r, const struct json **out) {
    static const struct {
        const char *name;
        enum iam_kind kind;
    } counted[] = {{"Users", IAM_USER}, {"Groups", IAM_GROUP}, {"Roles", IAM_ROLE}, {"Policies", IAM_POLICY}, {"Providers", IAM_OIDC_PROVIDER},
                   {"InstanceProfiles", IAM_INSTANCE_PROFILE}};
    static const struct {
        const char *name;
        int64_t value;
    } quotas[] = {{"AccessKeysPerUserQuota", 2}, {"AssumeRolePolicySizeQuota", 2048}, {"AttachedPoliciesPerRoleQuota", 10},
                  {"AttachedPoliciesPerGroupQuota", 10}, {"GroupPolicySizeQuota", 5120}, {"GroupsPerUserQuota", 10}, {"GroupsQuota", 300},
                  {"AttachedPoliciesPerUserQuota", 10},
                  {"PolicySizeQuota", 6144}, {"RolePolicySizeQuota", 10240}, {"UserPolicySizeQuota", 2048}, {"VersionsPerPolicyQuota", 5}};
    struct json_array entries = {.arena = r->arena};
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        size_t n;
        iam_list(r->iam, counted[i].kind, &n);
        json_array_add(&entries, entry(r->arena, counted[i].name, (int64_t)n));
    }
    for (size_t i = 0; i < ARRAY_LEN(quotas); i++) json_array_add(&entries, entry(r->arena, quotas[i].name, quotas[i].value));
    *out = json_make(r->arena, "{'SummaryMap':{'entry':%v}}", json_array_done(&entries));
    return NULL;
}

static const struct aws_action account_actions[] = {
    {.name = "GetAccountSummary", .run = get_account_summary},
    {.name = NULL},
};

/* ---- what names may be ---- */

static bool is_name(const char *s) { return aws_text_of(s, "+=,.@_-"); }
static bool is_path(const char *s) {
    for (const char *c = s; *c; c++) {
        if (*c < 0x21 || *c > 0x7e) return false;
    }
    return str_eq(s, "/") || (*s == '/' && str_ends(s, "/") && strstr(s, "//") == NULL);
}
static bool is_prefix(const char *s) { return *s == '/'; }

#define NAME_COMPLAINT "It must contain only alphanumeric characters and/or the following: +=,.@_-"
static const struct aws_rule rules[] = {
    {"UserName", 1, 64, is_name, NAME_COMPLAINT},
    {"NewUserName", 1, 64, is_name, NAME_COMPLAINT},
    {"RoleName", 1, 64, is_name, NAME_COMPLAINT},
    {"GroupName", 1, 128, is_name, NAME_COMPLAINT},
    {"NewGroupName", 1, 128, is_name, NAME_COMPLAINT},
    {"PolicyName", 1, 128, is_name, NAME_COMPLAINT},
    {"InstanceProfileName", 1, 128, is_name, NAME_COMPLAINT},
    {"Path", 1, 512, is_path, "It must begin and end with / and contain only alphanumeric characters and/or / characters."},
    {"NewPath", 1, 512, is_path, "It must begin and end with / and contain only alphanumeric characters and/or / characters."},
    {"PathPrefix", 1, 512, is_prefix, "It must begin with /."},
    {"PolicyArn", 20, 2048, NULL, NULL},
    {"PermissionsBoundary", 20, 2048, NULL, NULL},
    {"OpenIDConnectProviderArn", 20, 2048, NULL, NULL},
    {"Url", 1, 255, NULL, NULL},
    {"ClientID", 1, 255, NULL, NULL},
    {"Description", 0, 1000, NULL, NULL},
    {"PolicyDocument", 1, 131072, NULL, NULL},
    {"AssumeRolePolicyDocument", 1, 131072, NULL, NULL},
    {"AccessKeyId", 16, 128, NULL, NULL},
    {NULL, 0, 0, NULL, NULL},
};

static const struct aws_action *const more[] = {iam_user_actions, iam_group_actions, iam_role_actions, iam_inline_actions, iam_policy_actions, iam_provider_actions,
                                                iam_profile_actions, iam_simulate_actions,
                                                NULL};

const struct aws_service aws_iam = {"iam", AWS_QUERY, "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/", account_actions, rules, more};
