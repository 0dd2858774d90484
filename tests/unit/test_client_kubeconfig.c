/* Kubeconfig files. */
#include "client/kubeconfig.h"
#include "client_fixture.h"

static const char config[] = "current-context: main\n"
                             "contexts:\n"
                             "- {name: main, context: {cluster: c, user: u, namespace: ns}}\n"
                             "- {name: token, context: {cluster: c, user: t}}\n"
                             "- {name: lost, context: {cluster: none, user: u}}\n"
                             "- {name: half, context: {cluster: c, user: half}}\n"
                             "- {name: external, context: {cluster: c, user: external}}\n"
                             "clusters:\n"
                             "- {name: c, cluster: {server: 'https://10.0.0.1:6443', certificate-authority: ca.crt}}\n"
                             "users:\n"
                             "- {name: u, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}\n"
                             "- {name: t, user: {token: secret, tokenFile: t.txt}}\n"
                             "- {name: half, user: {client-certificate-data: Q0VSVA==}}\n"
                             "- {name: external, user: {exec: {command: aws}}}\n";

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
    assert_error(kubeconfig_load(path, "external", &k), "external program");
    assert_error(kubeconfig_load("/nonexistent/config", NULL, &k), "/nonexistent/config");
    assert_error(kubeconfig_parse(NULL, ".", NULL, &k), "no current-context");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_current_context_is_read_with_files_beside_it),
        cmocka_unit_test(another_context_can_be_named),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
