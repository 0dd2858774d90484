/* Names, addresses, API errors, quantities, selectors: words and values as Kubernetes gives them. */
#include "base/str.h"
#include "schema/names.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void labels_and_subdomains_say_what_is_wrong(void **state) {
    (void)state;
    assert_int_equal(name_dns1123_label("web-1").len, 0);
    assert_string_equal(name_dns1123_label("a.b").items[0], "must not contain dots");
    assert_non_null(strstr(name_dns1123_subdomain("A").items[0], "(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]"));
    assert_non_null(strstr(name_qualified("a/b/c").items[0], "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"));
    assert_string_equal(name_qualified("/x").items[0], "prefix part must be non-empty");
    assert_int_equal(name_label_value("").len, 0);
    assert_int_equal(name_port("--").len, 3);
    assert_string_equal(name_path_segment("..").items[0], "may not be '..'");
}

static void addresses_are_read_and_written_as_go_does(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct field_errors e = {.arena = &a};
    field_check_ip(&e, FIELD(NULL, "ip"), "2001:db8:0:0::1");
    field_check_ip(&e, FIELD(NULL, "ip"), "010.0.0.1");
    field_check_ip(&e, FIELD(NULL, "ip"), "::ffff:1.2.3.4");
    field_check_cidr(&e, FIELD(NULL, "net"), "10.0.0.1/8");
    field_check_ip(&e, FIELD(NULL, "ip"), "x");
    assert_string_equal(e.items[0].message, "Invalid value: \"2001:db8:0:0::1\": must be in canonical form (\"2001:db8::1\")");
    assert_string_equal(e.items[1].message, "Invalid value: \"010.0.0.1\": must not have leading 0s");
    assert_string_equal(e.items[2].message, "Invalid value: \"::ffff:1.2.3.4\": must not be an IPv4-mapped IPv6 address");
    assert_string_equal(e.items[3].message, "Invalid value: \"10.0.0.1/8\": must not have bits set beyond the prefix length");
    assert_string_equal(e.items[4].message, "Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

static void invalid_objects_list_each_problem_once(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct field_errors e = {.arena = &a};
    field_required(&e, FIELD_INDEX(FIELD(FIELD(NULL, "spec"), "containers"), 0), "");
    field_required(&e, FIELD_INDEX(FIELD(FIELD(NULL, "spec"), "containers"), 0), "");
    field_invalid(&e, FIELD_KEY(FIELD(NULL, "data"), "k"), json_make(&a, "{'a':[1,'x']}"), "is %s", "bad");
    field_too_long(&e, FIELD(NULL, "name"), 1);
    cleanup_error struct error *status = field_errors_status(&e, "apps", "Deployment", "d");
    assert_string_equal(status->message, "Deployment.apps \"d\" is invalid: [spec.containers[0]: Required value, data[k]: Invalid value: "
                                         "{\"a\":[1,\"x\"]}: is bad, name: Too long: may not be more than 1 byte]");
    assert_int_equal(status->cause_count, 4);
    assert_int_equal(status->code, 422);
}

static void errors_become_statuses_and_come_back(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_error struct error *e = status_not_found("apps", "deployments", "x");
    const struct json *status = status_json(&a, e);
    assert_string_equal(json_text(&a, status), "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
        "\"deployments.apps \\\"x\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"x\",\"group\":\"apps\",\"kind\":\"deployments\"},\"code\":404}");
    cleanup_error struct error *back = status_from_json(status, 404);
    assert_string_equal(back->message, e->message);
    assert_true(error_is(back, "NotFound"));
    assert_string_equal(status_go_text(&a, json_make(&a, "{'b':[1,'x'],'a':null}")), "map[a:<nil> b:[1 x]]");
}

static const char *normal(struct arena *a, const char *s) {
    const char *problem, *out = quantity_normalize(a, s, &problem);
    return out ? out : problem;
}

static void quantities_are_canonical(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"0.5", "500m"}, {"1.5Gi", "1536Mi"}, {"1000m", "1"}, {"1e3", "1e3"}, {"100u", "100u"}, {"0.1Gi", "107374182400m"},
        {"1024", "1024"}, {"1024Ki", "1Mi"}, {"5e9", "5e9"}, {"+5", "+5"}, {"-0.001", "-1m"}, {"0.0000000001", "1n"}, {"100000000000000000000", "100E"},
        {"9223372036854775808Gi", "9223372036854775807"}, {"", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
        {"1Xi", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"}, {"1Mm", "unable to parse quantity's suffix"}};
    cleanup_arena struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(normal(&a, cases[i][0]), cases[i][1]);
}

static void quantities_add_and_round_up(void **state) {
    (void)state;
    struct quantity x, y;
    assert_true(quantity_parse("1500m", &x));
    assert_true(quantity_parse("1Gi", &y));
    assert_int_equal(quantity_value(&x), 2);
    assert_int_equal(quantity_milli_value(&x), 1500);
    quantity_add(&x, &y);
    assert_int_equal(quantity_value(&x), 1073741826);
    assert_true(quantity_compare(&x, &y) > 0);
}

static bool selects(const char *selector, const char *labels) {
    cleanup_arena struct arena a = {0};
    struct selector *s;
    const struct json *v = json_make(&a, labels);
    assert_null(label_selector_parse(&a, selector, &s));
    return label_selector_matches(s, v);
}

static void label_selectors_match(void **state) {
    (void)state;
    assert_true(selects("a=b,c in (d,e),!f", "{'a':'b','c':'e'}"));
    assert_false(selects("a!=b", "{'a':'b'}"));
    assert_true(selects("a!=b", "{}"));
    assert_true(selects("a notin (x,)", "{'a':'y'}"));
    assert_true(selects("n>3", "{'n':'4'}"));
    assert_true(selects("in", "{'in':''}"));
}

static void selector_errors_are_upstreams(void **state) {
    (void)state;
    static const char *const cases[][2] = {{",", "found ',', expected: !, identifier, or 'end of string'"}, {"x y", "unable to parse requirement: found 'y', expected: in, notin, =, ==, !=, gt, lt"},
        {"a=b y", "found 'y', expected: ',' or 'end of string'"}, {"n>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"}};
    cleanup_arena struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct selector *s;
        cleanup_error struct error *e = label_selector_parse(&a, cases[i][0], &s);
        assert_string_equal(e->message, cases[i][1]);
    }
    struct selector *s;
    cleanup_error struct error *e = field_selector_parse(&a, "metadata.name", &s);
    assert_string_equal(e->message, "invalid selector: 'metadata.name'; can't understand 'metadata.name'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_and_subdomains_say_what_is_wrong), cmocka_unit_test(addresses_are_read_and_written_as_go_does),
        cmocka_unit_test(invalid_objects_list_each_problem_once), cmocka_unit_test(errors_become_statuses_and_come_back),
        cmocka_unit_test(quantities_are_canonical), cmocka_unit_test(quantities_add_and_round_up), cmocka_unit_test(label_selectors_match),
        cmocka_unit_test(selector_errors_are_upstreams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
