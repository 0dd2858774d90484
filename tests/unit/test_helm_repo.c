/* Indexes, URLs, references and challenges of registries, credentials. */
#include "base/str.h"
#include "helm/repo/index.h"
#include "helm/repo/registry.h"
#include "helm/repo/url.h"
#include "store_fixture.h"

static const char text[] = "apiVersion: v1\n"
                           "entries:\n"
                           "  app:\n"
                           "  - {name: app, version: 1.0.0, apiVersion: v2, urls: [app-1.0.0.tgz], digest: abc}\n"
                           "  - {name: app, version: 2.0.0-beta.1, apiVersion: v2, urls: [b.tgz]}\n"
                           "  - {name: app, version: 1.10.0, urls: ['https://elsewhere/app.tgz']}\n"
                           "  - {name: app, version: not a version, apiVersion: v2}\n"
                           "  empty: []\n";

static void versions_come_newest_first_and_by_constraint(void **state UNUSED) {
    static const char *const wanted[][2] = {{"", "1.10.0"}, {"1.0.0", "1.0.0"}, {"~1.0", "1.0.0"}, {">0.0.0-0", "2.0.0-beta.1"}, {"2.0.0-beta.1", "2.0.0-beta.1"}};
    cleanup_arena struct arena a = {0};
    struct index x;
    struct index_version *v;
    assert_no_error(index_parse(&a, text, strlen(text), "test", &x));
    assert_int_equal(index_chart(&x, "app")->count, 3);
    assert_string_equal(index_chart(&x, "app")->versions[0].version, "2.0.0-beta.1");
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_no_error(index_get(&x, "app", wanted[i][0], &v));
        assert_string_equal(v->version, wanted[i][1]);
    }
    assert_error(index_get(&x, "app", ">3", &v), "no chart version found for app->3");
    assert_error(index_get(&x, "none", "", &v), "no chart name found");
    assert_error(index_get(&x, "empty", "", &v), "no chart version found");
}

static void what_is_no_index_is_an_error(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct index x;
    assert_error(index_parse(&a, "", 0, "test", &x), "empty index.yaml file");
    assert_error(index_parse(&a, "entries: {}", 11, "test", &x), "no API version specified");
    assert_error(index_parse(&a, "[1]", 3, "test", &x), "cannot unmarshal array");
    assert_error(index_parse(&a, "a: 1\na: 2\n", 10, "test", &x), "already set in map");
    assert_error(index_parse(&a, "<html>: }", 9, "test", &x), "yaml");
}

static void indexes_are_merged(void **state UNUSED) {
    static const char more[] = "apiVersion: v1\nentries: {app: [{name: app, version: 1.0.0, urls: [x]}, {name: app, version: 3.0.0, urls: [y]}], b: [{name: b, version: 1.0.0}]}\n";
    cleanup_arena struct arena a = {0};
    struct index x, y;
    assert_no_error(index_parse(&a, text, strlen(text), "test", &x));
    assert_no_error(index_parse(&a, more, strlen(more), "test", &y));
    index_merge(&x, &y);
    index_sort(&x);
    assert_int_equal(index_chart(&x, "app")->count, 4);
    assert_string_equal(index_chart(&x, "app")->versions[0].version, "3.0.0");
    assert_string_equal(index_chart(&x, "app")->versions[3].urls[0], "app-1.0.0.tgz");
    assert_non_null(index_chart(&x, "b"));
}

static void urls_are_resolved_against_a_directory(void **state UNUSED) {
    static const char *const cases[][3] = {
        {"https://h/charts", "app.tgz", "https://h/charts/app.tgz"}, {"https://h/charts/", "../x/app.tgz", "https://h/x/app.tgz"},
        {"https://h:1/c?token=1", "app.tgz", "https://h:1/c/app.tgz?token=1"}, {"https://h/c", "/app.tgz", "https://h/app.tgz"},
        {"https://h/c", "https://other/app.tgz", "https://other/app.tgz"}, {"https://h", "a.tgz", "https://h/a.tgz"},
    };
    cleanup_arena struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(url_resolve(&a, cases[i][0], cases[i][1]), cases[i][2]);
    assert_true(url_equal(&a, "https://h/c/", "https://h/c"));
    assert_false(url_equal(&a, "https://h/c", "http://h/c"));
    assert_string_equal(url_join(&a, "http://h/a/", "b.tgz"), "http://h/a/b.tgz");
    assert_null(url_resolve(&a, "http://h", "%zz"));
}

static void references_are_taken_apart(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct registry_reference r;
    assert_no_error(registry_parse(&a, "oci://h:5000/a/b:1.0.0+x", &r));
    assert_string_equal(r.registry, "h:5000");
    assert_string_equal(r.repository, "a/b");
    assert_string_equal(r.tag, "1.0.0_x");
    assert_no_error(registry_parse(&a, "h/a@sha256:abc", &r));
    assert_string_equal(r.digest, "sha256:abc");
    assert_error(registry_parse(&a, "h", &r), "missing registry or repository");
    assert_error(registry_parse(&a, "h/A", &r), "invalid repository \"A\"");
    assert_error(registry_parse(&a, "h/a:!", &r), "invalid tag \"!\"");
}

static void challenges_are_read(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct registry_challenge c;
    registry_parse_challenge(&a, "Bearer realm=\"https://auth/token\" , service=reg,scope=\"repository:a:pull,push\"", &c);
    assert_int_equal(c.scheme, CHALLENGE_BEARER);
    assert_string_equal(c.realm, "https://auth/token");
    assert_string_equal(c.service, "reg");
    assert_string_equal(c.scope, "repository:a:pull,push");
    registry_parse_challenge(&a, "bAsIc realm=\"x\"", &c);
    assert_int_equal(c.scheme, CHALLENGE_BASIC);
    static const char *const odd[] = {"", "Negotiate", "Bearer", "Bearer realm", "Bearer realm=", "Bearer realm=\"", "Bearer =x", "Bearer a=\"\\"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) registry_parse_challenge(&a, odd[i], &c);
    assert_string_equal(c.realm, "");
}

static void credentials_come_from_files_and_helpers(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    char dir[] = "/tmp/coracle-credentials-XXXXXX";
    bool found;
    struct registry_credential k;
    assert_non_null(mkdtemp(dir));
    cleanup_free char *file = xprintf("%s/config.json", dir), *helper = xprintf("%s/docker-credential-test", dir), *path = xprintf("%s:%s", dir, getenv("PATH"));
    static const char config[] = "{\"auths\":{\"plain\":{\"auth\":\"bWU6c2U6Y3JldA==\"},\"https://url/v1/\":{\"username\":\"u\",\"password\":\"p\"},"
                                 "\"token\":{\"auth\":\"bWU6\",\"identitytoken\":\"t\"},\"bad\":{\"auth\":\"eA==\"}},\"credHelpers\":{\"helped\":\"test\"}}";
    static const char script[] = "#!/bin/sh\nread host\necho \"{\\\"Username\\\":\\\"<token>\\\",\\\"Secret\\\":\\\"of $host\\\"}\"\n";
    assert_no_error(file_write_atomic(file, config, strlen(config), 0600));
    assert_no_error(file_write_atomic(helper, script, strlen(script), 0700));
    setenv("PATH", path, 1);
    assert_no_error(registry_credential_find(&a, file, "plain", &found, &k));
    assert_true(found);
    assert_string_equal(k.username, "me");
    assert_string_equal(k.password, "se:cret");
    assert_no_error(registry_credential_find(&a, file, "url", &found, &k));
    assert_string_equal(k.password, "p");
    assert_no_error(registry_credential_find(&a, file, "token", &found, &k));
    assert_string_equal(k.refresh_token, "t");
    assert_error(registry_credential_find(&a, file, "bad", &found, &k), "base64(username:password)");
    assert_no_error(registry_credential_find(&a, file, "absent", &found, &k));
    assert_false(found);
    assert_no_error(registry_credential_find(&a, file, "helped", &found, &k));
    assert_string_equal(k.refresh_token, "of helped");
    assert_no_error(registry_credential_find(&a, "/proc/nonexistent", "plain", &found, &k));
    assert_false(found);
    assert_no_error(dir_remove(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_come_newest_first_and_by_constraint),
        cmocka_unit_test(what_is_no_index_is_an_error),
        cmocka_unit_test(indexes_are_merged),
        cmocka_unit_test(urls_are_resolved_against_a_directory),
        cmocka_unit_test(references_are_taken_apart),
        cmocka_unit_test(challenges_are_read),
        cmocka_unit_test(credentials_come_from_files_and_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
