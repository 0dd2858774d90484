#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void round_trip(const char *text, const char *expected) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    struct error *e = json_parse(&a, text, strlen(text), NULL, NULL, &v);
    if (e) fail_msg("%s: %s", text, e->message);
    assert_string_equal(json_text(&a, v), expected);
}

static void refuses(const char *text, size_t len, const char *message) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    cleanup_error struct error *e = json_parse(&a, text, len, NULL, NULL, &v);
    if (e == NULL) fail_msg("accepted: %s", text);
    assert_string_equal(e->message, message);
}

static void what_is_parsed_is_written_compactly_in_the_same_order(void **state UNUSED) {
    static const char *const cases[][2] = {
        {" {\"b\" : 1 , \"a\":[ ] , \"c\":{ }, \"d\":[1,\n2]}\n", "{\"b\":1,\"a\":[],\"c\":{},\"d\":[1,2]}"},
        {"null", "null"}, {"true", "true"}, {"[false]", "[false]"}, {"\"\"", "\"\""},
        {"9223372036854775807", "9223372036854775807"}, {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "9223372036854776000"}, {"18446744073709551616", "18446744073709552000"}, {"-0", "0"},
        {"1.0", "1"}, {"1e3", "1000"}, {"0.5", "0.5"}, {"0.000001", "0.000001"}, {"0.0000001", "1e-7"}, {"1e20", "100000000000000000000"},
        {"1e21", "1e+21"}, {"1.5e300", "1.5e+300"}, {"5e-324", "5e-324"}, {"0.1", "0.1"}, {"-2.5", "-2.5"}, {"123.456", "123.456"},
        {"3.141592653589793", "3.141592653589793"}, {"1.7976931348623157e308", "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) round_trip(cases[i][0], cases[i][1]);
}

static void strings_are_unescaped_and_escaped_as_go_does(void **state UNUSED) {
    static const char *const cases[][2] = {
        {"\"a\\u0041\\n\\t\\/\"", "\"aA\\n\\t/\""},
        {"\"<>&\"", "\"\\u003c\\u003e\\u0026\""},
        {"\"\\u2028\\u2029\\u2030\"", "\"\\u2028\\u2029\xE2\x80\xB0\""},
        {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\""},
        {"\"\\ud83dx\"", "\"\xEF\xBF\xBDx\""},
        {"\"a\xFFz\"", "\"a\xEF\xBF\xBDz\""},
        {"\"\xE2\x82\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\"\xF0\x9F\x98\x80\xFF\"", "\"\xF0\x9F\x98\x80\xEF\xBF\xBD\""},
        {"\"\\b\\f\\u0001\\u007f\"", "\"\\b\\f\\u0001\x7F\""},
        {"\"\\\\ \\\" long enough to need more than one word \\u00e9!\"", "\"\\\\ \\\" long enough to need more than one word \xC3\xA9!\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) round_trip(cases[i][0], cases[i][1]);
}

static void a_zero_byte_in_a_string_is_kept(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    assert_null(json_parse(&a, "\"a\\u0000b\"", 10, NULL, NULL, &v));
    assert_int_equal(v->len, 3);
    assert_string_equal(json_text(&a, v), "\"a\\u0000b\"");
}

static void syntax_errors_are_worded_as_go_words_them(void **state UNUSED) {
    static const char *const cases[][2] = {
        {"", "unexpected end of JSON input"},
        {"  ", "unexpected end of JSON input"},
        {"{\"a\"", "unexpected end of JSON input"},
        {"[1", "unexpected end of JSON input"},
        {"\"abc", "unexpected end of JSON input"},
        {"tru", "invalid character ' ' in literal true (expecting 'e')"},
        {"-", "invalid character ' ' in numeric literal"},
        {"x", "invalid character 'x' looking for beginning of value"},
        {"[1,]", "invalid character ']' looking for beginning of value"},
        {"{,", "invalid character ',' looking for beginning of object key string"},
        {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
        {"{\"a\" 1}", "invalid character '1' after object key"},
        {"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"},
        {"[1 2]", "invalid character '2' after array element"},
        {"1 2", "invalid character '2' after top-level value"},
        {"01", "invalid character '1' after top-level value"},
        {"\"a\nb\"", "invalid character '\\n' in string literal"},
        {"\"\\x\"", "invalid character 'x' in string escape code"},
        {"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
        {"-a", "invalid character 'a' in numeric literal"},
        {"1.a", "invalid character 'a' after decimal point in numeric literal"},
        {"1ea", "invalid character 'a' in exponent of numeric literal"},
        {"tXue", "invalid character 'X' in literal true (expecting 'r')"},
        {"nul1", "invalid character '1' in literal null (expecting 'l')"},
        {"'", "invalid character '\\'' looking for beginning of value"},
        {"\xE9", "invalid character '\xC3\xA9' looking for beginning of value"},
        {"1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) refuses(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    refuses("\0", 1, "invalid character '\\x00' looking for beginning of value");
}

static void depth_and_elements_are_limited(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    char deep[20002];
    memset(deep, '[', 10001);
    memset(deep + 10001, ']', 10001);
    cleanup_error struct error *e = json_parse(&a, deep, 20002, NULL, NULL, &v);
    assert_string_equal(e->message, "exceeded max depth");
    assert_null(json_parse(&a, deep + 1, 20000, NULL, NULL, &v));
    cleanup_error struct error *many = json_parse(&a, "[1,2,3]", 7, &(struct json_limits){.max_elements = 3}, NULL, &v);
    assert_string_equal(many->message, "too many elements");
}

static void doubled_members_keep_the_last_value_and_are_reported_by_path(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    struct json_array twice = {.arena = &a};
    const char *text = "{\"x\":{\"k\":1,\"k\":2,\"k\":3},\"l\":[{},{\"n\":1,\"m\":0,\"n\":2}],\"x.y\":1,\"l2\":0,\"x.y\":2}";
    assert_null(json_parse(&a, text, strlen(text), NULL, &twice, &v));
    assert_string_equal(json_text(&a, v), "{\"x\":{\"k\":3},\"l\":[{},{\"n\":2,\"m\":0}],\"x.y\":2,\"l2\":0}");
    assert_string_equal(json_text(&a, json_array_done(&twice)), "[\"x.k\",\"l[1].n\",\"x.y\"]");
}

static void a_hundred_thousand_names_are_checked_in_no_time(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    const struct json *v = NULL;
    buf_addc(&text, '{');
    for (int i = 0; i < 100000; i++) buf_printf(&text, "\"k%d\":%d,", i % 99999, i);
    buf_adds(&text, "\"z\":0}");
    struct json_array twice = {.arena = &a};
    assert_null(json_parse(&a, text.data, text.len, NULL, &twice, &v));
    assert_int_equal(v->len, 100000);
    assert_int_equal(twice.len, 1);
    assert_int_equal(json_int(v, "k0", -1), 99999);
}

static void pretty_text_is_that_of_marshal_indent(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {0};
    json_encode_pretty(&out, json_make(&a, "{'a':[1,{'b':null}],'c':{},'d':[]}"), "  ");
    assert_string_equal(out.data, "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_parsed_is_written_compactly_in_the_same_order),
        cmocka_unit_test(strings_are_unescaped_and_escaped_as_go_does),
        cmocka_unit_test(a_zero_byte_in_a_string_is_kept),
        cmocka_unit_test(syntax_errors_are_worded_as_go_words_them),
        cmocka_unit_test(depth_and_elements_are_limited),
        cmocka_unit_test(doubled_members_keep_the_last_value_and_are_reported_by_path),
        cmocka_unit_test(a_hundred_thousand_names_are_checked_in_no_time),
        cmocka_unit_test(pretty_text_is_that_of_marshal_indent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
