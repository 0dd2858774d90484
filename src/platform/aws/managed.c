/* The policies that AWS keeps itself, as far as they say something about what this endpoint serves. */
#include "base/clock.h"
#include "base/str.h"
#include "platform/aws/state_internal.h"

#define ALLOW(actions) "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":" actions ",\"Resource\":\"*\"}]}"

static const struct {
    const char *path, *name, *description, *document;
} policies[] = {
    {"/", "AdministratorAccess", "Provides full access to AWS services and resources.", ALLOW("\"*\"")},
    {"/", "PowerUserAccess", "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\",\"organizations:*\",\"account:*\"],\"Resource\":\"*\"},"
     "{\"Effect\":\"Allow\",\"Action\":[\"iam:CreateServiceLinkedRole\",\"iam:DeleteServiceLinkedRole\",\"iam:ListRoles\",\"organizations:DescribeOrganization\","
     "\"account:ListRegions\"],\"Resource\":\"*\"}]}"},
    {"/", "ReadOnlyAccess", "Provides read-only access to AWS services and resources.",
     ALLOW("[\"iam:Get*\",\"iam:List*\",\"iam:Generate*\",\"iam:Simulate*\",\"sts:Get*\",\"eks:Describe*\",\"eks:List*\",\"eks:AccessKubernetesApi\",\"ec2:Describe*\","
           "\"ec2:Get*\",\"tag:Get*\"]")},
    {"/job-function/", "ViewOnlyAccess", "Grants permissions to view resources and basic metadata across all AWS services.",
     ALLOW("[\"iam:List*\",\"iam:GetAccountSummary\",\"iam:GetLoginProfile\",\"eks:List*\",\"ec2:Describe*\"]")},
    {"/", "IAMFullAccess", "Provides full access to IAM via the AWS Management Console.", ALLOW("[\"iam:*\",\"organizations:DescribeAccount\"]")},
    {"/", "IAMReadOnlyAccess", "Provides read only access to IAM via the AWS Management Console.",
     ALLOW("[\"iam:GenerateCredentialReport\",\"iam:GenerateServiceLastAccessedDetails\",\"iam:Get*\",\"iam:List*\",\"iam:SimulateCustomPolicy\",\"iam:SimulatePrincipalPolicy\"]")},
    {"/", "AmazonEC2FullAccess", "Provides full access to Amazon EC2 via the AWS Management Console.", ALLOW("\"ec2:*\"")},
    {"/", "AmazonEC2ReadOnlyAccess", "Provides read only access to Amazon EC2 via the AWS Management Console.",
     ALLOW("[\"ec2:Describe*\",\"ec2:GetSecurityGroupsForVpc\"]")},
    {"/", "AmazonEKSClusterPolicy", "This policy provides Kubernetes the permissions it requires to manage resources on your behalf.",
     ALLOW("[\"ec2:DescribeInstances\",\"ec2:DescribeAvailabilityZones\",\"ec2:DescribeRegions\",\"ec2:DescribeInstanceTypes\"]")},
    {"/", "AmazonEKSWorkerNodePolicy", "This policy allows Amazon EKS worker nodes to connect to Amazon EKS Clusters.",
     ALLOW("[\"ec2:DescribeInstances\",\"ec2:DescribeInstanceTypes\",\"eks:DescribeCluster\",\"eks-auth:AssumeRoleForPodIdentity\"]")},
};

size_t iam_managed_count(void) { return ARRAY_LEN(policies); }
const char *iam_managed_arn(struct arena *a, size_t i) { return arena_printf(a, "arn:aws:iam::aws:policy%s%s", policies[i].path, policies[i].name); }

/* The same in every cluster: of the policy's name. */
static const char *stable_id(struct arena *a, const char *name) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t digest[32];
    char text[18] = "";
    sha256(name, strlen(name), digest);
    for (size_t i = 0; i < sizeof(text) - 1; i++) text[i] = alphabet[digest[i] & 31];
    return arena_printf(a, "ANPA%s", text);
}

void iam_managed_policies(struct map *out) {
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct iam_entity *e = xcalloc(1, sizeof(*e));
        struct policy *p = NULL;
        cleanup_error struct error *impossible = policy_parse(&e->arena, policies[i].document, strlen(policies[i].document), POLICY_IDENTITY, &p);
        if (impossible != NULL) abort(); /* the table above is wrong */
        e->refs = 1;
        e->kind = IAM_POLICY;
        e->name = policies[i].name;
        e->path = policies[i].path;
        e->arn = iam_managed_arn(&e->arena, i);
        e->id = stable_id(&e->arena, e->name);
        e->created = SECONDS(INT64_C(1423247986)); /* 2015, as AWS's */
        e->json = json_make(&e->arena, "{'Description':%s,'DefaultVersionId':'v1','Versions':[{'VersionId':'v1','CreateDate':'2015-02-06T18:39:46Z','Document':%s}]}",
                            policies[i].description, policies[i].document);
        e->document = p;
        map_set(out, e->arn, e);
    }
}
