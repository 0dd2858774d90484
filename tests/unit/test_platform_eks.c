/* From AWS identities to users: access entries, aws-auth, templates, modes, and what access policies grant. */
#include "platform_fixture.h"
#include "apiserver/auth.h"
#include "platform/aws/instance_metadata.h"
#include "platform/aws/sts.h"

static const struct json *parse(struct arena *a, const char *text) {
    const struct json *v = NULL;
    fail_on(json_parse(a, text, strlen(text), NULL, NULL, &v));
    return v;
}

/* A session of a role of another account, as STS would describe it: its path is not known. */
static struct eks_identity session(struct arena *a, const char *role, const char *name) {
    return (struct eks_identity){.arn = arena_printf(a, "arn:aws:sts::444455556666:assumed-role/%s/%s", role, name), .canonical_arn = arena_printf(a, "arn:aws:iam::444455556666:role/%s", role),
                                 .account = "444455556666", .user_id = "AROAEXAMPLE", .session_name = name, .key_id = "ASIAEXAMPLE"};
}

static void write_aws_auth(struct fixture *f, const char *roles, const char *users, const char *accounts) {
    const struct json *o = json_make(&f->arena, "{'metadata':{'name':'aws-auth'},'data':{'mapRoles':%s,'mapUsers':%s,'mapAccounts':%s}}", roles, users, accounts);
    error_free(client_delete(f->client, &resource_configmaps, "kube-system", "aws-auth", &(struct delete_options){0}));
    fail_on(client_create(f->client, &resource_configmaps, "kube-system", o, NULL));
    atomic_store(&f->eks->changed, true);
}

static const char *name_of(struct fixture *f, const struct eks_identity *id) {
    struct eks_user u;
    const char *why;
    return eks_map(f->eks, &f->arena, id, &u, &why) ? u.name : NULL;
}

static void add_entry(struct fixture *f, const char *arn, const char *json) {
    fail_on(eks_create(f->eks, EKS_ACCESS_ENTRY, ascii_lower(&f->arena, arn), parse(&f->arena, json)));
}

static void arns_of_sessions_become_their_roles(void **state) {
    struct fixture *f = *state;
    static const struct { const char *arn, *canonical; } cases[] = {
        {"arn:aws:sts::1:assumed-role/dev/me", "arn:aws:iam::1:role/dev"}, {"arn:aws:iam::1:user/team/bob", "arn:aws:iam::1:user/team/bob"}, {"arn:aws:iam::1:root", "arn:aws:iam::1:root"},
        {"arn:aws-cn:sts::1:assumed-role/dev/me", "arn:aws-cn:iam::1:role/dev"}, {"arn:aws:sts::1:federated-user/bob", "arn:aws:sts::1:federated-user/bob"},
        {"arn:aws:sts::1:assumed-role/dev", NULL}, {"arn:aws:s3:::bucket", NULL}, {"arn:aws:iam::1:group/x", NULL}, {"bob", NULL}, {"arn:other:iam::1:user/x", NULL}, {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *canonical = NULL;
        bool good = arn_canonical(&f->arena, cases[i].arn, &canonical);
        assert_int_equal(good, cases[i].canonical != NULL);
        if (good) assert_string_equal(canonical, cases[i].canonical);
    }
}

static void aws_auth_maps_roles_users_and_accounts(void **state) {
    struct fixture *f = *state;
    write_aws_auth(f, "- {RoleARN: 'arn:aws:iam::444455556666:role/Dev', username: 'dev:{{AccountID}}:{{SessionName}}:{{SessionNameRaw}}:{{AccessKeyID}}', groups: [a, 'g-{{SessionName}}']}\n"
                      "- {rolearn: 'arn:aws:iam::444455556666:role/team/ops', username: ops}\n",
                   "- {userarn: 'arn:aws:iam::444455556666:user/bob', username: bob}", "- 777788889999\n- '000000000001'\n");
    struct eks_identity dev = session(&f->arena, "dev", "me@x"), ops = session(&f->arena, "ops", "s"), bob = session(&f->arena, "x", ""), other = session(&f->arena, "other", "s");
    struct eks_user u;
    const char *why;
    assert_true(eks_map(f->eks, &f->arena, &dev, &u, &why));
    assert_string_equal(u.name, "dev:444455556666:me-x:me@x:ASIAEXAMPLE");
    assert_string_equal(u.groups[1], "g-me-x");
    assert_null(u.groups[2]);
    assert_string_equal(name_of(f, &ops), "ops"); /* with a path in the mapping, none in the session */
    bob.arn = bob.canonical_arn = "arn:aws:iam::444455556666:user/bob";
    assert_string_equal(name_of(f, &bob), "bob");
    assert_null(name_of(f, &other));
    other.account = "777788889999";
    assert_string_equal(name_of(f, &other), other.canonical_arn);
    other.account = "000000000001";
    assert_string_equal(name_of(f, &other), other.canonical_arn);
}

static void a_known_path_must_be_the_mappings(void **state) {
    struct fixture *f = *state;
    struct eks_identity ops = session(&f->arena, "ops", "s");
    ops.role_arn = "arn:aws:iam::444455556666:role/team/ops";
    assert_string_equal(name_of(f, &ops), "ops");
    ops.role_arn = "arn:aws:iam::444455556666:role/elsewhere/ops";
    assert_null(name_of(f, &ops));
}

static void broken_parts_of_aws_auth_let_nobody_in(void **state) {
    struct fixture *f = *state;
    struct eks_identity dev = session(&f->arena, "dev", "me");
    static const char *const broken[] = {"- rolearn: [", "rolearn: x", "- {username: dev}", "''", "- 5", "- {rolearn: 5, username: dev}", "- {rolearn: 'arn:aws:iam::444455556666:role/dev', username: ''}"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        write_aws_auth(f, broken[i], "", "");
        assert_null(name_of(f, &dev));
    }
    write_aws_auth(f, "- {rolearn: 'arn:aws:iam::444455556666:role/dev', username: 'system:node:{{EC2PrivateDNSName}}'}", "", "");
    assert_null(name_of(f, &dev)); /* no instance's session */
}

static void access_entries_come_before_aws_auth(void **state) {
    struct fixture *f = *state;
    struct eks_identity dev = session(&f->arena, "dev", "me");
    struct eks_user u;
    const char *why;
    write_aws_auth(f, "- {rolearn: 'arn:aws:iam::444455556666:role/dev', username: mapped}", "", "");
    assert_string_equal(name_of(f, &dev), "mapped");
    add_entry(f, "arn:aws:iam::444455556666:role/some/path/dev",
              "{\"principalArn\":\"arn:aws:iam::444455556666:role/some/path/dev\",\"type\":\"STANDARD\",\"kubernetesGroups\":[\"g\"],\"policies\":["
              "{\"policyArn\":\"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy\",\"accessScope\":{\"type\":\"namespace\",\"namespaces\":[\"a\",\"b\"]}},"
              "{\"policyArn\":\"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy\",\"accessScope\":{\"type\":\"cluster\",\"namespaces\":[]}},"
              "{\"policyArn\":\"arn:aws:eks::aws:cluster-access-policy/Unknown\",\"accessScope\":{\"type\":\"cluster\",\"namespaces\":[]}}]}");
    assert_true(eks_map(f->eks, &f->arena, &dev, &u, &why));
    assert_string_equal(u.name, "arn:aws:sts::444455556666:assumed-role/dev/me");
    assert_string_equal(u.groups[0], "g");
}

static void policies_grant_where_their_scope_is(void **state) {
    struct fixture *f = *state;
    const struct eks_grant *g = NULL;
    assert_int_equal(eks_grants(f->eks, &f->arena, "arn:aws:iam::444455556666:role/dev", &g), 4);
    assert_string_equal(g[0].ns, "a");
    assert_string_equal(g[1].ns, "b");
    assert_true(json_len(g[0].rules) > 5);
    assert_null(g[2].ns);
    assert_int_equal(json_len(g[2].rules), 2);
    assert_int_equal(json_len(g[3].rules), 0); /* a policy that EKS has not */
    assert_int_equal(eks_grants(f->eks, &f->arena, "arn:aws:iam::444455556666:role/nobody", &g), 0);
}

/* Rules of the policies against what "Review access policy permissions" of the EKS User Guide says. */
static void policies_have_the_documented_rules(void **state) {
    struct fixture *f = *state;
    static const struct { const char *policy, *group, *resource, *sub, *verb; bool allowed; } cases[] = {
        {"View", "", "pods", "", "list", true}, {"View", "", "secrets", "", "get", false}, {"View", "", "pods", "log", "get", true}, {"View", "", "pods", "exec", "get", false},
        {"View", "apps", "deployments", "", "watch", true}, {"View", "apps", "deployments", "", "create", false}, {"View", "discovery.k8s.io", "endpointslices", "", "list", true},
        {"View", "example.com", "widgets", "", "get", false}, {"View", "", "nodes", "", "list", false}, {"View", "policy", "poddisruptionbudgets", "status", "get", true},
        {"Edit", "", "secrets", "", "create", true}, {"Edit", "", "pods", "exec", "create", true}, {"Edit", "", "pods", "portforward", "create", true}, {"Edit", "", "events", "", "create", true},
        {"Edit", "rbac.authorization.k8s.io", "roles", "", "get", false}, {"Edit", "", "serviceaccounts", "", "impersonate", true}, {"Edit", "", "serviceaccounts", "token", "create", false},
        {"Edit", "apps", "statefulsets", "scale", "patch", true}, {"Edit", "", "resourcequotas", "", "create", false}, {"Edit", "", "namespaces", "", "delete", false},
        {"Admin", "rbac.authorization.k8s.io", "rolebindings", "", "create", true}, {"Admin", "rbac.authorization.k8s.io", "clusterroles", "", "get", false},
        {"Admin", "authorization.k8s.io", "localsubjectaccessreviews", "", "create", true}, {"Admin", "", "nodes", "", "get", false}, {"Admin", "", "limitranges", "", "update", false},
        {"AdminView", "", "secrets", "", "get", true}, {"AdminView", "example.com", "widgets", "", "watch", true}, {"AdminView", "", "pods", "", "delete", false},
        {"ClusterAdmin", "example.com", "widgets", "", "anything", true}, {"SecretReader", "", "secrets", "", "list", true}, {"SecretReader", "", "configmaps", "", "get", false},
        {"SecretReader", "", "secrets", "", "delete", false}, {"Hybrid", "", "nodes", "", "list", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct eks_grant g;
        struct attributes at = {.is_resource = true, .group = cases[i].group, .plural = cases[i].resource, .subresource = cases[i].sub, .verb = cases[i].verb, .name = "", .ns = "default", .path = "", .version = "v1"};
        bool allowed = false;
        eks_policy_grant(f->eks, &f->arena, arena_printf(&f->arena, "arn:aws:eks::aws:cluster-access-policy/AmazonEKS%sPolicy", cases[i].policy), "p", NULL, &g);
        JSON_EACH(rule, g.rules) allowed |= rbac_rule_allows(rule, &at);
        if (allowed != cases[i].allowed) fail_msg("%s: %s %s/%s/%s", cases[i].policy, cases[i].verb, cases[i].group, cases[i].resource, cases[i].sub);
    }
    assert_int_equal(eks_policy_use("arn:aws:eks::aws:cluster-access-policy/AmazonEKSHybridPolicy"), EKS_POLICY_RESERVED);
    assert_int_equal(eks_policy_use("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"), EKS_POLICY_FREE);
    assert_int_equal(eks_policy_use("arn:aws:eks::aws:cluster-access-policy/Unknown"), EKS_POLICY_UNKNOWN);
}

static const struct json *set_mode(struct arena *a, const struct json *current, void *arg) {
    return json_with_member(a, current, "authenticationMode", json_string(a, arg));
}

static void the_mode_decides_who_is_asked(void **state) {
    struct fixture *f = *state;
    const struct eks_grant *g;
    struct eks_identity dev = session(&f->arena, "dev", "me"), only_mapped = session(&f->arena, "mapped", "s");
    write_aws_auth(f, "- {rolearn: 'arn:aws:iam::444455556666:role/dev', username: mapped}\n- {rolearn: 'arn:aws:iam::444455556666:role/mapped', username: m}", "", "");
    fail_on(eks_change(f->eks, EKS_CLUSTER, "config", set_mode, (void *)(uintptr_t)"CONFIG_MAP"));
    assert_string_equal(name_of(f, &dev), "mapped");
    assert_int_equal(eks_grants(f->eks, &f->arena, dev.canonical_arn, &g), 0);
    fail_on(eks_change(f->eks, EKS_CLUSTER, "config", set_mode, (void *)(uintptr_t)"API"));
    assert_string_equal(name_of(f, &dev), "arn:aws:sts::444455556666:assumed-role/dev/me");
    assert_null(name_of(f, &only_mapped));
}

/* ---- types of entries, and principals that come again ---- */

static void types_of_entries_have_their_users_and_groups(void **state) {
    struct fixture *f = *state;
    static const struct { const char *type, *name, *groups; } cases[] = {
        {"FARGATE_LINUX", "system:node:s-1", "system:node-proxier system:nodes system:bootstrappers"}, {"HYBRID_LINUX", "system:node:s-1", "system:nodes system:bootstrappers"},
        {"HYPERPOD_LINUX", "system:node:s-1", "system:nodes system:bootstrappers"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct eks_identity id = session(&f->arena, cases[i].type, "s-1");
        struct eks_user u;
        const char *why, *groups = "";
        add_entry(f, id.canonical_arn, json_text(&f->arena, json_make(&f->arena, "{'principalArn':%s,'type':%s}", id.canonical_arn, cases[i].type)));
        assert_true(eks_map(f->eks, &f->arena, &id, &u, &why));
        assert_string_equal(u.name, cases[i].name);
        for (size_t k = 0; u.groups[k]; k++) groups = arena_printf(&f->arena, "%s%s%s", groups, k ? " " : "", u.groups[k]);
        assert_string_equal(groups, cases[i].groups);
    }
}

static void an_entry_is_for_the_principal_that_it_was_made_for(void **state) {
    struct fixture *f = *state;
    struct eks_identity id = session(&f->arena, "again", "s");
    struct eks_user u;
    const char *why;
    add_entry(f, id.canonical_arn, json_text(&f->arena, json_make(&f->arena, "{'principalArn':%s,'principalId':'AROAEXAMPLE','type':'STANDARD'}", id.canonical_arn)));
    assert_true(eks_map(f->eks, &f->arena, &id, &u, &why));
    id.user_id = "AROAOTHER";
    assert_false(eks_map(f->eks, &f->arena, &id, &u, &why));
    assert_non_null(strstr(why, "earlier principal"));
}

static void a_role_of_single_sign_on_has_a_path(void **state) {
    struct fixture *f = *state;
    const char *arn = "arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef";
    struct eks_identity id = session(&f->arena, "AWSReservedSSO_Admin_0123456789abcdef", "jane@example.com");
    add_entry(f, arn, json_text(&f->arena, json_make(&f->arena, "{'principalArn':%s,'type':'STANDARD'}", arn)));
    assert_string_equal(name_of(f, &id), "arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/jane-example.com");
}

/* ---- nodes ---- */

static void add_node(struct fixture *f, const char *name, const char *provider) {
    fail_on(client_create(f->client, &resource_nodes, NULL, json_make(&f->arena, "{'metadata':{'name':%s},'spec':{'providerID':%s}}", name, provider), NULL));
}

static const struct json *values_of(struct fixture *f, const char *node) {
    const struct json *out = NULL;
    fail_on(instance_metadata(f->aws, &f->arena, node, &(struct instance_metadata_options){.enabled = true}, &out));
    return json_member(out, "values");
}

#define NODE_CREDENTIALS "meta-data/iam/security-credentials/coracle-node"

static void a_node_is_told_of_itself(void **state) {
    struct fixture *f = *state;
    const char *trust = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}";
    const struct json *out = NULL;
    add_node(f, "n1", "aws:///us-east-1b/i-00000000000000001");
    add_node(f, "n2", "aws:///us-east-1b/i-00000000000000002");
    assert_null(json_member(values_of(f, "n1"), NODE_CREDENTIALS)); /* no role yet */
    fail_on(iam_create(f->aws->iam, IAM_ROLE, "coracle-node", json_make(&f->arena, "{'Path':'/','AssumeRolePolicyDocument':%s,'MaxSessionDuration':3600}", trust)));
    const struct json *values = values_of(f, "n1"), *given = NULL;
    assert_string_equal(json_str(json_member(values, "meta-data/instance-id"), NULL), "i-00000000000000001");
    given = parse(&f->arena, json_str(json_member(values, NODE_CREDENTIALS), NULL));
    assert_string_equal(json_str(given, "Code"), "Success");
    struct sts_session *s;
    const char *secret;
    fail_on(sts_open_session(f->aws, &f->arena, json_str(given, "AccessKeyId"), json_str(given, "Token"), &s, &secret));
    assert_string_equal(s->session_name, "i-00000000000000001");
    assert_string_equal(secret, json_str(given, "SecretAccessKey"));
    fail_on(instance_metadata(f->aws, &f->arena, "n1", &(struct instance_metadata_options){0}, &out));
    assert_null(json_member(out, "values"));
    cleanup_error struct error *e = instance_metadata(f->aws, &f->arena, "n3", &(struct instance_metadata_options){.enabled = true}, &out);
    assert_int_equal(e->code, 503);
}

/* The provider id is the node's own word: who claims another's gets nothing by it. */
static void an_instance_that_two_nodes_claim_is_nobodys(void **state) {
    struct fixture *f = *state;
    struct eks_identity node = {.arn = "arn:aws:sts::" ACCOUNT ":assumed-role/coracle-node/i-00000000000000002", .canonical_arn = "arn:aws:iam::" ACCOUNT ":role/coracle-node",
                                .account = ACCOUNT, .user_id = "AROAEXAMPLE", .session_name = "i-00000000000000002", .key_id = "ASIAEXAMPLE"};
    add_entry(f, "arn:aws:iam::" ACCOUNT ":role/coracle-node", "{\"principalArn\":\"arn:aws:iam::" ACCOUNT ":role/coracle-node\",\"type\":\"EC2_LINUX\"}");
    assert_string_equal(name_of(f, &node), "system:node:n2");
    add_node(f, "thief", "aws:///us-east-1b/i-00000000000000002");
    assert_null(name_of(f, &node));
    assert_null(json_member(values_of(f, "thief"), NODE_CREDENTIALS));
    assert_null(json_member(values_of(f, "n2"), NODE_CREDENTIALS));
    assert_non_null(json_member(values_of(f, "n1"), NODE_CREDENTIALS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arns_of_sessions_become_their_roles), cmocka_unit_test(aws_auth_maps_roles_users_and_accounts), cmocka_unit_test(a_known_path_must_be_the_mappings),
        cmocka_unit_test(broken_parts_of_aws_auth_let_nobody_in), cmocka_unit_test(access_entries_come_before_aws_auth), cmocka_unit_test(policies_grant_where_their_scope_is),
        cmocka_unit_test(the_mode_decides_who_is_asked), cmocka_unit_test(policies_have_the_documented_rules), cmocka_unit_test(types_of_entries_have_their_users_and_groups),
        cmocka_unit_test(an_entry_is_for_the_principal_that_it_was_made_for), cmocka_unit_test(a_role_of_single_sign_on_has_a_path), cmocka_unit_test(a_node_is_told_of_itself), cmocka_unit_test(an_instance_that_two_nodes_claim_is_nobodys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
