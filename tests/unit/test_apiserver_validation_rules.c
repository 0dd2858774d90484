/* Validation, as tables: a kind, a body, and the errors that upstream gives ("; " between them). */
#include "apiserver/validation/rules.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct row { const char *body, *old, *expected; };

static void check(const struct resource *r, const char *sub, const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v, *o, *old = NULL;
        assert_null(json_parse(&a, rows[i].body, strlen(rows[i].body), NULL, NULL, &v));
        assert_null(schema_decode(&a, r->type, v, NULL, &o));
        o = schema_default(&a, r, o);
        if (rows[i].old) {
            assert_null(json_parse(&a, rows[i].old, strlen(rows[i].old), NULL, NULL, &v));
            assert_null(schema_decode(&a, r->type, v, NULL, &old));
            old = schema_default(&a, r, old);
        }
        struct field_errors e = {.arena = &a};
        validation_run(validation_find(r, sub), &e, o, old);
        const char *got = "";
        for (size_t k = 0; k < e.len; k++) got = arena_printf(&a, "%s%s%s: %s", got, k ? "; " : "", e.items[k].field, e.items[k].message);
        assert_string_equal(got, rows[i].expected);
    }
}
#define CHECK(r, sub, rows) check((r), (sub), (rows), ARRAY_LEN(rows))
#define POD(spec) "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"},\"spec\":{" spec "}}"
#define C "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"

static void pods_name_what_is_wrong_with_them(void **state) {
    (void)state;
    static const struct row rows[] = {
        {POD(C), NULL, ""},
        {POD("\"containers\":[]"), NULL, "spec.containers: Required value"},
        {POD(C ",\"volumes\":[{\"name\":\"v\",\"nfs\":{\"path\":\"x\"}}]"), NULL,
         "spec.volumes[0].nfs.server: Required value; spec.volumes[0].nfs.path: Invalid value: \"x\": must be an absolute path"},
        {POD(C ",\"restartPolicy\":\"Maybe\""), NULL, "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\""},
        {POD(C ",\"tolerations\":[{\"operator\":\"Equal\"}]"), NULL,
         "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\""},
        {POD(C ",\"activeDeadlineSeconds\":0"), NULL, "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"},
        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"2\"},\"limits\":{\"cpu\":\"1\"}}}]"), NULL,
         "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
    };
    CHECK(&resource_pods, NULL, rows);
}

static void forbidden_changes_of_a_pod_are_shown_as_a_difference(void **state) {
    (void)state;
    static const struct row rows[] = {
        {POD(C ",\"nodeName\":\"a\""), POD(C ",\"nodeName\":\"a\""), ""},
        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]"), POD(C), ""},
        {POD(C ",\"nodeName\":\"b\""), POD(C ",\"nodeName\":\"a\""),
         "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
         "@@ -42,7 +42,7 @@\n  \"NodeSelector\": null,\n  \"ServiceAccountName\": \"\",\n  \"AutomountServiceAccountToken\": null,\n- \"NodeName\": \"a\",\n+ \"NodeName\": \"b\",\n  \"SecurityContext\": {\n   \"HostNetwork\": false,\n   \"HostPID\": false,\n"},
    };
    CHECK(&resource_pods, NULL, rows);
}

static void schedules_are_worded_as_the_cron_library_words_them(void **state) {
    (void)state;
#define CRON(s)                                                                                                                                      \
    "{\"metadata\":{\"name\":\"j\",\"namespace\":\"n\"},\"spec\":{\"schedule\":\"" s "\",\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{" C      \
    ",\"restartPolicy\":\"Never\"}}}}}}"
    static const struct row rows[] = {
        {CRON("*/5 0-3 1,15 jan mon"), NULL, ""},
        {CRON("@hourly"), NULL, ""},
        {CRON("60 * * * *"), NULL, "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum (59): 60"},
        {CRON("* * 0 * *"), NULL, "spec.schedule: Invalid value: \"* * 0 * *\": beginning of range (0) below minimum (1): 0"},
        {CRON("* *"), NULL, "spec.schedule: Invalid value: \"* *\": expected exactly 5 fields, found 2: [* *]"},
        {CRON("*/0 * * * *"), NULL, "spec.schedule: Invalid value: \"*/0 * * * *\": step of range should be a positive number: */0"},
    };
    CHECK(&resource_batch_cronjobs, NULL, rows);
}

static void small_kinds_have_their_rules(void **state) {
    (void)state;
    static const struct row maps[] = {
        {"{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\"},\"data\":{\"a b\":\"\"}}", NULL,
         "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"},
        {"{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\"},\"data\":{\"a\":\"2\"}}", "{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\"},\"data\":{\"a\":\"1\"},\"immutable\":true}",
         "immutable: Forbidden: field is immutable when `immutable` is set; data: Forbidden: field is immutable when `immutable` is set"},
    };
    CHECK(&resource_configmaps, NULL, maps);
    static const struct row budgets[] = {
        {"{\"metadata\":{\"name\":\"b\",\"namespace\":\"n\"},\"spec\":{\"minAvailable\":\"101%\"}}", NULL,
         "spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%"},
    };
    CHECK(&resource_policy_poddisruptionbudgets, NULL, budgets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_name_what_is_wrong_with_them),
        cmocka_unit_test(forbidden_changes_of_a_pod_are_shown_as_a_difference),
        cmocka_unit_test(schedules_are_worded_as_the_cron_library_words_them),
        cmocka_unit_test(small_kinds_have_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
