/* EKS's access policies and what each grants: "Review access policy permissions" in the EKS User Guide, row by row. Those that AWS
 * keeps for its own service-linked roles are known by name only. */
#include "base/str.h"
#include "platform/aws/eks_internal.h"

#define PREFIX "arn:aws:eks::aws:cluster-access-policy/"

enum { VIEW = 1, EDIT = 2, ADMIN = 4, ADMIN_VIEW = 8, CLUSTER_ADMIN = 16, SECRET_READER = 32, ALL = VIEW | EDIT | ADMIN, EDITORS = EDIT | ADMIN };

static const struct policy_row {
    const char *name;
    unsigned bit; /* 0: for service-linked roles */
} policies[EKS_POLICIES] = {
    {"AmazonEKSAdminPolicy", ADMIN},
    {"AmazonEKSAdminViewPolicy", ADMIN_VIEW},
    {"AmazonEKSBlockStorageClusterPolicy", 0},
    {"AmazonEKSBlockStoragePolicy", 0},
    {"AmazonEKSClusterAdminPolicy", CLUSTER_ADMIN},
    {"AmazonEKSClusterInsightsPolicy", 0},
    {"AmazonEKSComputeClusterPolicy", 0},
    {"AmazonEKSComputePolicy", 0},
    {"AmazonEKSEditPolicy", EDIT},
    {"AmazonEKSHybridPolicy", 0},
    {"AmazonEKSSecretReaderPolicy", SECRET_READER},
    {"AmazonEKSViewPolicy", VIEW},
};

#define READ "get list watch"
#define WRITE "create delete deletecollection patch update"
#define WORKLOADS "daemonsets daemonsets/status deployments deployments/scale deployments/status"
#define REPLICAS "replicasets replicasets/scale replicasets/status"
#define PODS "pods/attach pods/exec pods/portforward pods/proxy"

/* Words are separated by spaces. */
static const struct rule_row {
    unsigned policies;
    const char *group, *resources, *verbs;
} rules[] = {
    {ALL, "apps", "controllerrevisions " WORKLOADS " " REPLICAS " statefulsets statefulsets/scale statefulsets/status", READ},
    {EDITORS, "apps", "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale", WRITE},
    {ADMIN, "authorization.k8s.io", "localsubjectaccessreviews", "create"},
    {ALL, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ},
    {EDITORS, "autoscaling", "horizontalpodautoscalers", WRITE},
    {ALL, "batch", "cronjobs cronjobs/status jobs jobs/status", READ},
    {EDITORS, "batch", "cronjobs jobs", WRITE},
    {ALL, "discovery.k8s.io", "endpointslices", READ},
    {ALL, "extensions", WORKLOADS " ingresses ingresses/status networkpolicies " REPLICAS " replicationcontrollers/scale", READ},
    {EDITORS, "extensions", "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale", WRITE},
    {ALL, "networking.k8s.io", "ingresses ingresses/status networkpolicies", READ},
    {EDITORS, "networking.k8s.io", "ingresses networkpolicies", WRITE},
    {ALL, "policy", "poddisruptionbudgets poddisruptionbudgets/status", READ},
    {EDITORS, "policy", "poddisruptionbudgets", WRITE},
    {ADMIN, "rbac.authorization.k8s.io", "rolebindings roles", READ " " WRITE},
    {ALL, "", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status", READ},
    {EDITORS, "", PODS " secrets services/proxy", READ},
    {EDITORS, "", "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy", WRITE},
    {EDITORS, "", "pods " PODS, WRITE},
    {EDITORS, "", "serviceaccounts", "impersonate"},
    {ALL, "", "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status", READ},
    {ALL, "", "namespaces", READ},
    {ADMIN_VIEW, "*", "*", READ},
    {CLUSTER_ADMIN, "*", "*", "*"},
    {SECRET_READER, "", "secrets", READ},
};

static const struct json *words(struct arena *a, const char *text) {
    struct json_array out = {.arena = a};
    for (char **w = str_split(a, text, ' ', NULL); *w != NULL; w++) json_array_add(&out, json_string(a, *w));
    return json_array_done(&out);
}

static const struct json *rules_of(struct arena *a, unsigned bit) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule_row *r = &rules[i];
        if (r->policies & bit) json_array_add(&out, json_make(a, "{'verbs':%v,'apiGroups':[%s],'resources':%v}", words(a, r->verbs), r->group, words(a, r->resources)));
    }
    if (bit == CLUSTER_ADMIN) json_array_add(&out, json_make(a, "{'verbs':['*'],'nonResourceURLs':['*']}"));
    return json_array_done(&out);
}

void eks_policies_compile(struct eks *e) {
    for (size_t i = 0; i < EKS_POLICIES; i++) e->policy_rules[i] = rules_of(&e->arena, policies[i].bit);
}

static int find(const char *arn) {
    for (int i = 0; i < EKS_POLICIES; i++) {
        if (arn && str_starts(arn, PREFIX) && strcmp(arn + strlen(PREFIX), policies[i].name) == 0) return i;
    }
    return -1;
}

enum eks_policy_use eks_policy_use(const char *arn) {
    int i = find(arn);
    return i < 0 ? EKS_POLICY_UNKNOWN : policies[i].bit ? EKS_POLICY_FREE : EKS_POLICY_RESERVED;
}

void eks_policy_grant(const struct eks *e, struct arena *a, const char *policy_arn, const char *principal_arn, const char *ns, struct eks_grant *out) {
    int i = find(policy_arn);
    *out = (struct eks_grant){.binding = arena_printf(a, "%s+%s", principal_arn, policy_arn), .role = arena_strdup(a, policy_arn), .rules = i < 0 ? &json_empty_array : e->policy_rules[i],
                              .ns = ns ? arena_strdup(a, ns) : NULL};
}

const struct json *eks_policy_list(struct arena *a) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < EKS_POLICIES; i++) json_array_add(&out, json_make(a, "{'name':%s,'arn':%s}", policies[i].name, arena_printf(a, PREFIX "%s", policies[i].name)));
    return json_array_done(&out);
}
