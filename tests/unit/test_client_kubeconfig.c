/* Kubeconfig files. */
#include "client/exec_credential.h"
#include "client_fixture.h"

static const char config[] = "current-context: main\n"
                             "contexts:\n"
                             "- {name: main, context: {cluster: c, user: u, namespace: ns}}\n"
                             "- {name: token, context: {cluster: c, user: t}}\n"
                             "- {name: lost, context: {cluster: none, user: u}}\n"
                             "- {name: half, context: {cluster: c, user: half}}\n"
                             "- {name: external, context: {cluster: c, user: external}}\n"
                             "- {name: provider, context: {cluster: c, user: provider}}\n"
                             "clusters:\n"
                             "- {name: c, cluster: {server: 'https://10.0.0.1:6443', certificate-authority: ca.crt}}\n"
                             "users:\n"
                             "- {name: u, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}\n"
                             "- {name: t, user: {token: secret, tokenFile: t.txt}}\n"
                             "- {name: half, user: {client-certificate-data: Q0VSVA==}}\n"
                             "- {name: external, user: {exec: {command: ./get-token, args: [a b], apiVersion: client.authentication.k8s.io/v1,\n"
                             "    interactiveMode: Never, env: [{name: WHO, value: me}]}}}\n"
                             "- {name: provider, user: {auth-provider: {name: gcp}}}\n";

static char dir[] = "/tmp/coracle-kubeconfig-XXXXXX";
static char path[64];

static int write_files(void **state UNUSED) {
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/config", dir);
    cleanup_free char *ca = xprintf("%s/ca.crt", dir);
    assert_no_error(file_write_atomic(path, config, strlen(config), 0600));
    assert_no_error(file_write_atomic(ca, "CA", 2, 0600));
    return 0;
}
static int remove_files(void **state UNUSED) {
    assert_no_error(dir_remove(dir));
    return 0;
}

static void the_current_context_is_read_with_files_beside_it(void **state UNUSED) {
    cleanup_kubeconfig struct kubeconfig k = {0};
    assert_no_error(kubeconfig_load(path, NULL, &k));
    assert_string_equal(k.server, "https://10.0.0.1:6443");
    assert_string_equal(k.ca, "CA");
    assert_string_equal(k.cert, "CERT");
    assert_string_equal(k.key, "KEY");
    assert_string_equal(k.ns, "ns");
    assert_null(k.token);
}

static void another_context_can_be_named(void **state UNUSED) {
    cleanup_kubeconfig struct kubeconfig k = {0};
    assert_no_error(kubeconfig_load(path, "token", &k));
    assert_string_equal(k.token, "secret");
    assert_true(str_ends(k.token_file, "/t.txt"));
    assert_string_equal(k.ns, "default");
}

static void what_is_missing_is_named(void **state UNUSED) {
    struct kubeconfig k = {0};
    assert_error(kubeconfig_load(path, "absent", &k), "context \"absent\" does not exist");
    assert_error(kubeconfig_load(path, "lost", &k), "cluster \"none\" does not exist");
    assert_error(kubeconfig_load(path, "half", &k), "client-certificate and client-key go together");
    assert_error(kubeconfig_load(path, "provider", &k), "no Auth Provider found for name \"gcp\"");
    assert_error(kubeconfig_load("/proc/nonexistent/config", NULL, &k), "/proc/nonexistent/config");
    assert_error(kubeconfig_parse(NULL, ".", NULL, &k), "no current-context");
}

static void files_of_a_list_are_merged_and_the_first_wins(void **state UNUSED) {
    static const char more[] = "current-context: other\n"
                               "contexts: [{name: main, context: {cluster: x, user: x}}, {name: other, context: {cluster: o, user: u}}]\n"
                               "clusters: [{name: o, cluster: {server: 'https://other', certificate-authority: ca.crt}}]\n";
    cleanup_kubeconfig struct kubeconfig k = {0}, other = {0};
    cleanup_free char *second = xprintf("%s/second", dir), *list = xprintf("/proc/nonexistent:%s:%s", path, second);
    assert_no_error(file_write_atomic(second, more, strlen(more), 0600));
    setenv("KUBECONFIG", list, 1);
    assert_no_error(kubeconfig_load_with(&(struct kubeconfig_options){0}, &k));
    assert_string_equal(k.server, "https://10.0.0.1:6443");
    assert_no_error(kubeconfig_load_with(&(struct kubeconfig_options){.context = "other"}, &other));
    assert_string_equal(other.server, "https://other");
    assert_string_equal(other.ca, "CA");
    unsetenv("KUBECONFIG");
}

static void flags_are_laid_over_the_file(void **state UNUSED) {
    cleanup_kubeconfig struct kubeconfig k = {0};
    const char *groups[] = {"ops", NULL};
    assert_no_error(kubeconfig_load_with(&(struct kubeconfig_options){.path = path, .server = "https://flag", .token = "t", .ns = "n",
                                                                      .as_user = "eve", .as_groups = groups, .insecure = true}, &k));
    assert_string_equal(k.server, "https://flag");
    assert_string_equal(k.token, "t");
    assert_string_equal(k.ns, "n");
    assert_string_equal(k.as_user, "eve");
    assert_string_equal(k.as_groups[0], "ops");
    assert_true(k.insecure && k.ca == NULL);
    cleanup_kubeconfig struct kubeconfig bare = {0};
    assert_error(kubeconfig_load_with(&(struct kubeconfig_options){.path = path, .as_groups = groups}, &bare), "without impersonating a user");
}

static void write_program(const char *body) {
    cleanup_free char *program = xprintf("%s/get-token", dir), *text = xprintf("#!/bin/sh\n%s\n", body);
    assert_no_error(file_write_atomic(program, text, strlen(text), 0700));
}

static void a_program_gives_credentials_until_they_are_refused(void **state UNUSED) {
    cleanup_kubeconfig struct kubeconfig k = {0};
    cleanup_arena struct arena a = {0};
    struct exec_answer answer;
    assert_no_error(kubeconfig_load(path, "external", &k));
    struct exec_credential *x = exec_credential_new(k.exec);
    assert_error(exec_credential_get(x, &a, &answer), "get-token not found");
    write_program("echo x >> $(dirname $0)/runs; echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
                  "\"status\":{\"token\":\"'$WHO-$1-$(wc -l < $(dirname $0)/runs)'\"}}'");
    for (int i = 0; i < 2; i++) {
        assert_no_error(exec_credential_get(x, &a, &answer));
        assert_string_equal(answer.token, "me-a b-1");
    }
    exec_credential_refused(x, answer.generation);
    assert_no_error(exec_credential_get(x, &a, &answer));
    assert_string_equal(answer.token, "me-a b-2");
    exec_credential_refused(x, answer.generation);
    write_program("exit 3");
    assert_error(exec_credential_get(x, &a, &answer), "failed with exit code 3");
    write_program("echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'");
    assert_error(exec_credential_get(x, &a, &answer), "plugin returned version client.authentication.k8s.io/v1beta1");
    exec_credential_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_current_context_is_read_with_files_beside_it),
        cmocka_unit_test(another_context_can_be_named),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(files_of_a_list_are_merged_and_the_first_wins),
        cmocka_unit_test(flags_are_laid_over_the_file),
        cmocka_unit_test(a_program_gives_credentials_until_they_are_refused),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
