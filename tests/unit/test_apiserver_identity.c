/* AWS roles of pods (admission), grants from elsewhere, and the audit log, in the process on a store in memory. */
#include "apiserver/apiserver.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    struct store *store;
    struct apiserver *server;
    struct arena arena;
    char log[64], policy[64];
    bool associated;
};

static void fail_on(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

static void identity_of(struct arena *a, const char *ns, const char *account, struct pod_identity *out, void *arg) {
    struct fixture *f = arg;
    (void)a, (void)ns;
    *out = (struct pod_identity){.region = "eu-central-1", .endpoint_url = "https://aws.test:6445", .cluster_ca = true, .associated = f->associated && str_eq(account, "app")};
}

static const struct user_grant *grants_of(struct arena *a, const struct user *u, size_t *count, void *arg) {
    (void)arg;
    struct user_grant *g = arena_calloc(a, 2, sizeof(*g));
    g[0] = (struct user_grant){.source = "EKS Access Policy", .binding = "b", .role = "View", .cluster_role = "system:aggregate-to-view", .ns = "default"};
    g[1] = (struct user_grant){.source = "EKS Access Policy", .binding = "b", .role = "Nodes", .rules = json_make(a, "[{'verbs':['get'],'apiGroups':[''],'resources':['nodes']}]")};
    *count = str_eq(u->name, "arn:viewer") ? 2 : 0;
    return g;
}

static int setup(void **state) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    struct store_config sc = {.backend = "memory", .synchronous = true};
    schema_init();
    fail_on(store_open(&sc, &f->store));
    snprintf(f->log, sizeof(f->log), "/tmp/coracle-audit-%d.log", getpid());
    snprintf(f->policy, sizeof(f->policy), "/tmp/coracle-audit-%d.yaml", getpid());
    static const char policy[] = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
                                 "- {level: None, users: [quiet]}\n- {level: Metadata, resources: [{group: '', resources: [secrets]}]}\n"
                                 "- {level: RequestResponse, verbs: [create], resources: [{group: '', resources: [configmaps]}]}\n- level: Metadata\n";
    fail_on(file_write_atomic(f->policy, policy, strlen(policy), 0600));
    struct apiserver_config config = {.store = f->store, .issuer = "https://kubernetes.default.svc", .audit_log_path = f->log, .audit_policy_file = f->policy};
    fail_on(apiserver_new(&config, &f->server));
    apiserver_set_pod_identity(f->server, identity_of, f);
    apiserver_add_grants(f->server, grants_of, f);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    apiserver_shutdown(f->server);
    apiserver_free(f->server);
    store_close(f->store);
    unlink(f->log);
    unlink(f->policy);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static struct error *call_as(struct fixture *f, const char *user, const char *group, const char *verb, const struct resource *r, const char *name, const struct json *body, struct doc **out) {
    const char *const groups[] = {group, NULL};
    struct apiserver_call c = {.user = user, .groups = groups, .user_agent = "test/1", .verb = verb, .resource = r, .ns = "default", .name = name, .body = body};
    struct apiserver_answer a = {0};
    TRY(apiserver_call(f->server, &c, &a));
    doc_list_free(&a.items);
    free((char *)(uintptr_t)a.continue_token);
    if (out) *out = a.doc;
    else doc_unref(a.doc);
    return NULL;
}

static void create(struct fixture *f, const struct resource *r, const struct json *o, struct doc **out) {
    fail_on(call_as(f, "admin", "system:masters", "create", r, NULL, o, out));
}

#define ROLE "arn:aws:iam::111122223333:role/app"
static void add_account(struct fixture *f, const char *name, const struct json *annotations) {
    create(f, &resource_serviceaccounts, json_make(&f->arena, "{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':%s,'annotations':%v}}", name, annotations), NULL);
}

static const struct json *pod_of(struct fixture *f, const char *account, const struct json *meta) {
    return json_make(&f->arena, "{'apiVersion':'v1','kind':'Pod','metadata':%v,'spec':{'serviceAccountName':%s,"
                                "'initContainers':[{'name':'first','image':'i'}],'containers':[{'name':'app','image':'i'},{'name':'side','image':'i','env':[{'name':'AWS_REGION','value':'mine'},{'name':'AWS_ROLE_ARN','value':'own'}]}]}}",
                     meta, account);
}

static const char *env(const struct doc *pod, const char *list, size_t i, const char *name) {
    JSON_EACH(e, json_member(json_at(json_get(pod->root, list), i), "env")) {
        if (json_str_is(e, "name", name)) return json_str(e, "value");
    }
    return NULL;
}

static const struct json *volume(const struct doc *pod, const char *name) {
    JSON_EACH(v, json_get(pod->root, "spec.volumes")) {
        if (json_str_is(v, "name", name)) return v;
    }
    return NULL;
}

static bool mounted(const struct doc *pod, const char *list, size_t i, const char *name, const char *path) {
    JSON_EACH(m, json_member(json_at(json_get(pod->root, list), i), "volumeMounts")) {
        if (json_str_is(m, "name", name)) return json_str_is(m, "mountPath", path) && json_bool(m, "readOnly", false);
    }
    return false;
}

#define TOKEN_DIR "/var/run/secrets/eks.amazonaws.com/serviceaccount"
static void a_pod_of_an_annotated_account_gets_its_role(void **state) {
    struct fixture *f = *state;
    add_account(f, "irsa", json_make(&f->arena, "{'eks.amazonaws.com/role-arn':'" ROLE "'}"));
    cleanup_doc struct doc *p = NULL;
    create(f, &resource_pods, pod_of(f, "irsa", json_make(&f->arena, "{'name':'irsa'}")), &p);
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(env(p, lists[i], 0, "AWS_ROLE_ARN"), ROLE);
        assert_string_equal(env(p, lists[i], 0, "AWS_WEB_IDENTITY_TOKEN_FILE"), TOKEN_DIR "/token");
        assert_string_equal(env(p, lists[i], 0, "AWS_REGION"), "eu-central-1");
        assert_string_equal(env(p, lists[i], 0, "AWS_DEFAULT_REGION"), "eu-central-1");
        assert_string_equal(env(p, lists[i], 0, "AWS_STS_REGIONAL_ENDPOINTS"), "regional");
        assert_string_equal(env(p, lists[i], 0, "AWS_ENDPOINT_URL"), "https://aws.test:6445");
        assert_string_equal(env(p, lists[i], 0, "AWS_CA_BUNDLE"), TOKEN_DIR "/ca.crt");
        assert_true(mounted(p, lists[i], 0, "aws-iam-token", TOKEN_DIR));
    }
    const struct json *source = json_member(json_at(json_get(volume(p, "aws-iam-token"), "projected.sources"), 0), "serviceAccountToken");
    assert_string_equal(json_str(source, "audience"), "sts.amazonaws.com");
    assert_int_equal(json_int(source, "expirationSeconds", 0), 86400);
    assert_string_equal(json_str(json_at(json_get(p->root, "spec.volumes"), 0), "name"), "aws-iam-token");
}

static void what_a_container_sets_itself_stays(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *p = NULL;
    create(f, &resource_pods, pod_of(f, "irsa", json_make(&f->arena, "{'name':'own'}")), &p);
    assert_string_equal(env(p, "spec.containers", 1, "AWS_ROLE_ARN"), "own");
    assert_string_equal(env(p, "spec.containers", 1, "AWS_REGION"), "mine");
    assert_null(env(p, "spec.containers", 1, "AWS_DEFAULT_REGION"));
    assert_null(env(p, "spec.containers", 1, "AWS_WEB_IDENTITY_TOKEN_FILE"));
    assert_true(mounted(p, "spec.containers", 1, "aws-iam-token", TOKEN_DIR));
}

static void annotations_change_audience_expiration_and_endpoints(void **state) {
    struct fixture *f = *state;
    static const struct { const char *account, *pod; int64_t seconds; bool regional; const char *audience; } cases[] = {
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/token-expiration':'7200'}", "{}", 7200, true, "sts.amazonaws.com"},
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/token-expiration':'7200'}", "{'eks.amazonaws.com/token-expiration':'3600'}", 3600, true, "sts.amazonaws.com"},
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/token-expiration':'60'}", "{}", 600, true, "sts.amazonaws.com"},
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/token-expiration':'soon'}", "{'eks.amazonaws.com/token-expiration':'1x'}", 86400, true, "sts.amazonaws.com"},
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/sts-regional-endpoints':'false'}", "{}", 86400, false, "sts.amazonaws.com"},
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/sts-regional-endpoints':'maybe'}", "{}", 86400, true, "sts.amazonaws.com"},
        {"{'eks.amazonaws.com/role-arn':'r','eks.amazonaws.com/audience':'vault'}", "{'eks.amazonaws.com/audience':'ignored'}", 86400, true, "vault"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *name = arena_printf(&f->arena, "case-%zu", i);
        add_account(f, name, json_make(&f->arena, cases[i].account)); // NOLINT(clang-diagnostic-format-security)
        cleanup_doc struct doc *p = NULL;
        const struct json *annotations = json_make(&f->arena, cases[i].pod); // NOLINT(clang-diagnostic-format-security)
        create(f, &resource_pods, pod_of(f, name, json_make(&f->arena, "{'name':%s,'annotations':%v}", name, annotations)), &p);
        const struct json *source = json_member(json_at(json_get(volume(p, "aws-iam-token"), "projected.sources"), 0), "serviceAccountToken");
        assert_int_equal(json_int(source, "expirationSeconds", 0), cases[i].seconds);
        assert_string_equal(json_str(source, "audience"), cases[i].audience);
        assert_int_equal(env(p, "spec.containers", 0, "AWS_STS_REGIONAL_ENDPOINTS") != NULL, cases[i].regional);
    }
}

static void pods_and_containers_opt_out(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *p = NULL, *q = NULL;
    create(f, &resource_pods, pod_of(f, "irsa", json_make(&f->arena, "{'name':'out','labels':{'eks.amazonaws.com/skip-pod-identity-webhook':''}}")), &p);
    assert_null(volume(p, "aws-iam-token"));
    create(f, &resource_pods, pod_of(f, "irsa", json_make(&f->arena, "{'name':'some','annotations':{'eks.amazonaws.com/skip-containers':'first,\"app\"'}}")), &q);
    assert_null(env(q, "spec.containers", 0, "AWS_ROLE_ARN"));
    assert_null(env(q, "spec.initContainers", 0, "AWS_ROLE_ARN"));
    assert_true(mounted(q, "spec.containers", 1, "aws-iam-token", TOKEN_DIR));
}

static void a_pod_waits_for_its_account(void **state) {
    struct fixture *f = *state;
    cleanup_error struct error *e = call_as(f, "admin", "system:masters", "create", &resource_pods, NULL, pod_of(f, "later", json_make(&f->arena, "{'name':'later'}")), NULL);
    assert_true(error_is(e, "Forbidden"));
    add_account(f, "later", json_make(&f->arena, "{'eks.amazonaws.com/role-arn':'" ROLE "'}"));
    cleanup_doc struct doc *p = NULL;
    create(f, &resource_pods, pod_of(f, "later", json_make(&f->arena, "{'name':'later'}")), &p);
    assert_string_equal(env(p, "spec.containers", 0, "AWS_ROLE_ARN"), ROLE);
}

static void an_associated_account_gets_container_credentials(void **state) {
    struct fixture *f = *state;
    f->associated = true;
    add_account(f, "app", json_make(&f->arena, "{'eks.amazonaws.com/role-arn':'" ROLE "'}"));
    cleanup_doc struct doc *p = NULL;
    create(f, &resource_pods, pod_of(f, "app", json_make(&f->arena, "{'name':'app'}")), &p);
    assert_string_equal(env(p, "spec.containers", 0, "AWS_CONTAINER_CREDENTIALS_FULL_URI"), "http://169.254.170.23/v1/credentials");
    assert_string_equal(env(p, "spec.containers", 0, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token");
    assert_null(env(p, "spec.containers", 0, "AWS_ROLE_ARN"));
    const struct json *source = json_member(json_at(json_get(volume(p, "eks-pod-identity-token"), "projected.sources"), 0), "serviceAccountToken");
    assert_string_equal(json_str(source, "audience"), "pods.eks.amazonaws.com");
    int64_t seconds = json_int(source, "expirationSeconds", 0);
    assert_true(seconds >= 79200 && seconds <= 86400);
    assert_string_equal(json_str(json_member(json_get(p->root, "metadata.labels"), "eks.amazonaws.com/pod-identity"), NULL), "enabled");
}

static void grants_count_like_bindings(void **state) {
    struct fixture *f = *state;
    fail_on(call_as(f, "arn:viewer", "any", "list", &resource_pods, NULL, NULL, NULL));
    fail_on(call_as(f, "arn:viewer", "any", "get", &resource_namespaces, "default", NULL, NULL));
    cleanup_error struct error *secret = call_as(f, "arn:viewer", "any", "list", &resource_secrets, NULL, NULL, NULL);
    assert_true(error_is(secret, "Forbidden"));
    cleanup_error struct error *other = call_as(f, "arn:other", "any", "list", &resource_pods, NULL, NULL, NULL);
    assert_true(error_is(other, "Forbidden"));
}

/* ---- audit ---- */

static const struct json *logged(struct fixture *f, const char *user, const char *verb, const char *plural) {
    cleanup_buf struct buf text = {0};
    fail_on(file_read(f->log, 1 << 24, &text));
    size_t n;
    char **lines = str_split(&f->arena, buf_str(&text), '\n', &n);
    const struct json *found = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = NULL;
        if (*lines[i] == '\0') continue;
        fail_on(json_parse(&f->arena, lines[i], strlen(lines[i]), NULL, NULL, &v));
        if (json_str_is(v, "user.username", user) && json_str_is(v, "verb", verb) && json_str_is(v, "objectRef.resource", plural)) found = v;
    }
    return found;
}

static void events_have_the_level_of_the_first_rule(void **state) {
    struct fixture *f = *state;
    create(f, &resource_configmaps, json_make(&f->arena, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'k':'v'}}"), NULL);
    create(f, &resource_secrets, json_make(&f->arena, "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s'},'stringData':{'k':'hidden'}}"), NULL);
    const struct json *whole = logged(f, "admin", "create", "configmaps"), *meta = logged(f, "admin", "create", "secrets");
    assert_string_equal(json_str(whole, "level"), "RequestResponse");
    assert_string_equal(json_str(whole, "stage"), "ResponseComplete");
    assert_string_equal(json_str(whole, "requestObject.data.k"), "v");
    assert_string_equal(json_str(whole, "responseObject.metadata.name"), "c");
    assert_string_equal(json_str(whole, "objectRef.name"), "c");
    assert_int_equal(json_int(whole, "responseStatus.code", 0), 201);
    assert_string_equal(json_str(meta, "level"), "Metadata");
    assert_null(json_member(meta, "requestObject"));
}

static void a_refusal_is_logged_with_its_reason(void **state) {
    struct fixture *f = *state;
    error_free(call_as(f, "mallory", "any", "list", &resource_secrets, NULL, NULL, NULL));
    const struct json *e = logged(f, "mallory", "list", "secrets");
    assert_int_equal(json_int(e, "responseStatus.code", 0), 403);
    assert_string_equal(json_str(json_member(json_member(e, "annotations"), "authorization.k8s.io/decision"), NULL), "forbid");
    error_free(call_as(f, "quiet", "any", "list", &resource_pods, NULL, NULL, NULL));
    assert_null(logged(f, "quiet", "list", "pods"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_of_an_annotated_account_gets_its_role), cmocka_unit_test(what_a_container_sets_itself_stays),
        cmocka_unit_test(annotations_change_audience_expiration_and_endpoints), cmocka_unit_test(pods_and_containers_opt_out),
        cmocka_unit_test(a_pod_waits_for_its_account), cmocka_unit_test(an_associated_account_gets_container_credentials),
        cmocka_unit_test(grants_count_like_bindings), cmocka_unit_test(events_have_the_level_of_the_first_rule),
        cmocka_unit_test(a_refusal_is_logged_with_its_reason),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
