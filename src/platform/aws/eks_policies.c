/* EKS's access policies: what each grants, as the cluster roles of the same purpose. */
#include "base/str.h"
#include "platform/aws/eks_internal.h"

#define PREFIX "arn:aws:eks::aws:cluster-access-policy/"

static const struct policy_row {
    const char *name, *cluster_role, *rules;
} policies[] = {
    {"AmazonEKSAdminPolicy", "admin", NULL},
    {"AmazonEKSAdminViewPolicy", NULL, "[{'verbs':['get','list','watch'],'apiGroups':['*'],'resources':['*']}]"},
    {"AmazonEKSClusterAdminPolicy", NULL, "[{'verbs':['*'],'apiGroups':['*'],'resources':['*']},{'verbs':['*'],'nonResourceURLs':['*']}]"},
    {"AmazonEKSEditPolicy", "edit", NULL},
    {"AmazonEKSViewPolicy", "view", NULL},
};

static const struct policy_row *find(const char *arn) {
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        if (arn && str_starts(arn, PREFIX) && strcmp(arn + strlen(PREFIX), policies[i].name) == 0) return &policies[i];
    }
    return NULL;
}

const char *eks_policy_name(const char *arn) {
    const struct policy_row *p = find(arn);
    return p ? p->name : NULL;
}

void eks_policy_grant(struct arena *a, const char *policy_arn, const char *principal_arn, const char *ns, struct eks_grant *out) {
    const struct policy_row *p = find(policy_arn);
    *out = (struct eks_grant){.binding = arena_printf(a, "%s+%s", principal_arn, policy_arn), .role = arena_strdup(a, policy_arn), .rules = &json_empty_array,
                              .ns = ns ? arena_strdup(a, ns) : NULL};
    if (p == NULL) return;
    out->cluster_role = p->cluster_role;
    out->rules = p->rules ? json_make(a, p->rules) : NULL; // NOLINT(clang-diagnostic-format-security)
}

const struct json *eks_policy_list(struct arena *a) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        json_array_add(&out, json_make(a, "{'name':%s,'arn':%s}", policies[i].name, arena_printf(a, PREFIX "%s", policies[i].name)));
    return json_array_done(&out);
}
