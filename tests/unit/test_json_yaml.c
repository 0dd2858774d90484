#include "json/index.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static char *read_yaml(struct arena *a, const char *text, struct json_array *duplicates) {
    const struct json *v = NULL;
    cleanup_error struct error *e = yaml_parse(a, text, strlen(text), NULL, duplicates, &v);
    return e ? arena_strdup(a, e->message) : json_text(a, v);
}

static void scalars_mean_what_they_mean_to_go_yaml(void **state UNUSED) {
    static const char *const cases[][2] = {
        {"y", "true"}, {"off", "false"}, {"tRue", "\"tRue\""}, {"'yes'", "\"yes\""}, {"~", "null"}, {"", "null"}, {"010", "8"},
        {"0o17", "15"}, {"0x1F", "31"}, {"-0b11", "-3"}, {"1_000", "1000"}, {"08", "8"}, {".5", "0.5"}, {"1e3", "1000"},
        {"12:30:45", "\"12:30:45\""}, {"2001-12-14", "\"2001-12-14\""}, {"1e999", "\"1e999\""}, {"9223372036854775807", "9223372036854775807"},
        {"!!str 1", "\"1\""}, {"!!int '1'", "1"}, {"!!float 1", "1"}, {"!foo 1", "\"1\""}, {"!!binary aGk=", "\"hi\""}, {"1.2.3", "\"1.2.3\""},
        {"<<", "\"\\u003c\\u003c\""}, {"|\n  x\n  y\n", "\"x\\ny\\n\""}, {".inf", "json: unsupported value: +Inf"},
        {"!!int x", "yaml: cannot decode !!str `x` as a !!int"}, {"!!bool 1", "yaml: cannot decode !!int `1` as a !!bool"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        assert_string_equal(read_yaml(&a, cases[i][0], NULL), cases[i][1]);
    }
}

static void keys_become_strings(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    assert_string_equal(read_yaml(&a, "1: a\nyes: b\n1.50: c\n'x': d\n", NULL), "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"x\":\"d\"}");
    assert_string_equal(read_yaml(&a, "a: {{ x }}", NULL), "yaml: invalid map key: map[interface {}]interface {}{\"x\":interface {}(nil)}");
    assert_string_equal(read_yaml(&a, "~: 1", NULL), "unsupported map key of type: %!s(<nil>), key: <nil>, value: 1");
}

static void anchors_and_merge_keys_are_resolved(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    assert_string_equal(read_yaml(&a, "a: &x {b: 1, d: 2}\nc:\n  <<: *x\n  b: 3\n", NULL), "{\"a\":{\"b\":1,\"d\":2},\"c\":{\"b\":3,\"d\":2}}");
    assert_string_equal(read_yaml(&a, "<<: [{a: 1}, {a: 2, b: 3}]", NULL), "{\"a\":1,\"b\":3}");
    assert_string_equal(read_yaml(&a, "<<: 1", NULL), "yaml: map merge requires map or sequence of maps as the value");
    assert_string_equal(read_yaml(&a, "a: *y", NULL), "yaml: unknown anchor 'y' referenced");
    assert_string_equal(read_yaml(&a, "a: &a [*a]", NULL), "yaml: anchor 'a' value contains itself");
}

static void alias_bombs_are_refused(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    buf_adds(&text, "a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (char c = 'b'; c < 'k'; c++) {
        buf_printf(&text, "%c: &%c [", c, c);
        for (int i = 0; i < 9; i++) buf_printf(&text, "*%c,", c - 1);
        buf_adds(&text, "]\n");
    }
    assert_string_equal(read_yaml(&a, text.data, NULL), "yaml: document contains excessive aliasing");
}

static void doubled_keys_are_told_with_their_line(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct json_array twice = {.arena = &a};
    assert_string_equal(read_yaml(&a, "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", &twice), "{\"a\":3,\"b\":{\"c\":2}}");
    assert_string_equal(json_text(&a, json_array_done(&twice)),
                        "[\"line 4: key \\\"c\\\" already set in map\",\"line 5: key \\\"a\\\" already set in map\"]");
}

static void errors_name_the_line_as_go_yaml_does(void **state UNUSED) {
    static const char *const cases[][2] = {
        {"apiVersion: v1\nkind: ConfigMap\n  x: 1", "yaml: line 3: mapping values are not allowed in this context"},
        {"\ta: 1", "yaml: found character that cannot start any token"},
        {"a: b: c", "yaml: mapping values are not allowed in this context"},
        {"a:\n\tb: 1", "yaml: line 2: found character that cannot start any token"},
        {"- a\nb: 1", "yaml: line 1: did not find expected '-' indicator"},
        {"a: \x01", "yaml: control characters are not allowed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        assert_string_equal(read_yaml(&a, cases[i][0], NULL), cases[i][1]);
    }
}

static void several_documents_are_read_without_the_empty_ones(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    const char *text = "# nothing\n---\na: 1\n---\n---\n- b\n";
    assert_null(yaml_parse_all(&a, text, strlen(text), NULL, &v));
    assert_string_equal(json_text(&a, v), "[{\"a\":1},[\"b\"]]");
}

static void depth_and_elements_are_limited(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    cleanup_error struct error *deep = yaml_parse(&a, "[[[1]]]", 7, &(struct json_limits){.max_depth = 2}, NULL, &v);
    assert_string_equal(deep->message, "yaml: exceeded max depth of 2");
    cleanup_error struct error *many = yaml_parse(&a, "[1,2,3]", 7, &(struct json_limits){.max_elements = 3}, NULL, &v);
    assert_string_equal(many->message, "yaml: document has too many elements");
}

static void what_is_written_is_quoted_and_sorted_as_go_yaml_does(void **state UNUSED) {
    static const char *const cases[][2] = {
        {"{\"b\":1,\"a10\":[1,{\"x\":null}],\"a2\":{},\"l\":[]}", "a2: {}\na10:\n- 1\n- x: null\nb: 1\nl: []\n"},
        {"{\"s\":\"yes\",\"t\":\"2026-01-02T15:04:05Z\",\"u\":\"1\",\"v\":\"a: b\",\"w\":\"\",\"x\":\"12:30\"}",
         "s: \"yes\"\nt: \"2026-01-02T15:04:05Z\"\nu: \"1\"\nv: 'a: b'\nw: \"\"\nx: \"12:30\"\n"},
        {"{\"m\":\"l1\\n  l2\\n\",\"o\":\"x\\n\\n\"}", "m: |\n  l1\n    l2\no: |+\n  x\n\n"},
        {"[0.1,1e21,1234567.5,1e20,true,null,-5]", "- 0.1\n- 1e+21\n- 1.2345675e+06\n- 1e+20\n- true\n- null\n- -5\n"},
        {"\"x\"", "x\n"},
        {"{}", "{}\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        cleanup_buf struct buf out = {0};
        const struct json *v = NULL;
        assert_null(json_parse(&a, cases[i][0], strlen(cases[i][0]), NULL, NULL, &v));
        yaml_encode(&out, v);
        assert_string_equal(out.data, cases[i][1]);
    }
}

static void the_common_part_of_yaml_is_read_fast_and_means_what_libyaml_says(void **state UNUSED) {
    static const char *const cases[] = {
        "a: b\n", "- a\n- b: c\n  d: e\n", "a:\n- b\n- c\nd: |\n  x\n   y\n\n  z\n", "a: |-\n  x\n",
        "a: |+\n  x\n\n\nb: 1\n", "a: 'it''s'\nb: \"q\\\"\\n\"\n", "---\na: 1\n", "# c\na: # c\n  b: 1 # c\n",
        "a: {}\nb: []\n", "-\n  a: 1\n- - x\n  - y\n", "a:\n  - |\n    x\n  - y\n",
        "a: 1.5e3\nb: 0x1f\nc: yes\nd: ~\ne: 2020-01-01\n", "\"a b\": c\n'd': e\n", " a: 1\n b: 2\n",
        "- a: |\n    x\n  b: 1\n", "a:\n - b\n - c\n", "a: |\n\n  x\n", "a: x #y\nb: x#y\n", "a: http://x:1/y\n",
        "a: \"b\" # c\n", "a: é–’\n", "a:\n\nb:\n  - c\n\n  # d\n\n  - e\n",
        "a: {b: c, \"d\": [1, {e: 'f', g: no}], h: {}}\n", "- {a: x/y, b: [c, ]}\n- [[], {}]\n",
        "a: 'b\n  c\n\n\n   ''d''  \n\n  e '\nf: g\n", "- '\n b'\n- 'c\n '\n", "a:\n  b: 'c # d: e\n    - f'\n",
    };
    static const char *const others[] = {
        "a: b\n c\n", "a: - b\n", "a: |\n   \n  x\n",  "a: \"b\" c\n", "a: b: c\n",  "a:b\n",       "- a\nb: c\n",
        "a: b\n- c\n", "a: *x\n",  "a: >\n  x\n",       "a:\t1\n",  "\ta: b\n",      "a: 1\n  b: 2\n", "a: 1\na: 2\n", "a: .inf\n",
        "a: {b: c, b: d}\n", "a: {b}\n", "a: {b: }\n", "a: {b: c\n  }\n", "a: [b: c]\n", "a: [,]\n", "a: {b: &c d}\n", "a: ['b\n  c']\n",
        "a: 'b\nc'\n", "a: 'b\n\tc'\n", "a: 'b\n  c': d\n", "a: {1: b}\n", "a: {b: c}: d\n", "a: {b: [c}]\n",
        "1: a\n",     "[a]\n",    "a\n",               "a: !x b\n", "a: 1\n---\nb: 2\n", "",
    };
    static const struct json_limits limits = {.max_depth = 100, .max_elements = 1000};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        const struct json *simple = NULL, *all = NULL;
        assert_true(yaml_parse_simple(&a, cases[i], strlen(cases[i]), &limits, NULL, &simple));
        assert_null(yaml_parse_all(&a, cases[i], strlen(cases[i]), &limits, &all));
        assert_true(json_equal(simple, json_at(all, 0)));
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v;
        assert_false(yaml_parse_simple(&a, others[i], strlen(others[i]), &limits, NULL, &v));
    }
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) { /* what is only checked is understood as well */
        cleanup_arena struct arena a = {0};
        const struct json *v = NULL;
        assert_true(yaml_parse_simple(&a, cases[i], strlen(cases[i]), &limits, none, &v));
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) { /* but for keys that are there twice */
        cleanup_arena struct arena a = {0};
        const struct json *v;
        bool twice = strcmp(others[i], "a: 1\na: 2\n") == 0 || strcmp(others[i], "a: {b: c, b: d}\n") == 0;
        assert_int_equal(yaml_parse_simple(&a, others[i], strlen(others[i]), &limits, none, &v), twice);
    }
}

static void members_can_be_left_out(void **state) {
    (void)state;
    static const char *const names[] = {"kind", "metadata", NULL};
    static const struct {
        const char *text, *want; /* NULL: an error */
    } cases[] = {
        {"kind: A\nspec:\n  kind: B\nmetadata:\n  name: c\n", "{\"kind\":\"A\",\"metadata\":{\"name\":\"c\"}}"},
        {"KIND: A\n\"Metadata\": [1, 'b', {c: d}]\nkindness: 1\n", "{\"KIND\":\"A\",\"Metadata\":[1,\"b\",{\"c\":\"d\"}]}"},
        {"spec: |\n  kind: B\n", "{}"},
        {"spec: -.5\nkind: -1\n", "{\"kind\":-1}"},
        {"kind: A\nspec: {a: b, a: c}\n", "{\"kind\":\"A\"}"},
        {"kind: A\nkind: B\n", "{\"kind\":\"B\"}"},
        {"kind: A\nspec: >\n  b\n", "{\"kind\":\"A\",\"spec\":\"b\\n\"}"}, /* libyaml has read it, and all */
        {"- kind: A\n", "[{\"kind\":\"A\"}]"},
        {"kind: A\nspec: [\n", NULL},
        {"kind: A\nspec: -.inf\n", NULL},
        {"kind: A\nspec: b: c\n", NULL},
        {"kind: A\n\tspec: b\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v = NULL;
        cleanup_error struct error *e = yaml_parse_members(&a, cases[i].text, strlen(cases[i].text), names, &v);
        assert_int_equal(e != NULL, cases[i].want == NULL);
        if (e == NULL) assert_string_equal(json_text(&a, v), cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_mean_what_they_mean_to_go_yaml),
        cmocka_unit_test(keys_become_strings),
        cmocka_unit_test(anchors_and_merge_keys_are_resolved),
        cmocka_unit_test(alias_bombs_are_refused),
        cmocka_unit_test(doubled_keys_are_told_with_their_line),
        cmocka_unit_test(errors_name_the_line_as_go_yaml_does),
        cmocka_unit_test(several_documents_are_read_without_the_empty_ones),
        cmocka_unit_test(depth_and_elements_are_limited),
        cmocka_unit_test(the_common_part_of_yaml_is_read_fast_and_means_what_libyaml_says),
        cmocka_unit_test(members_can_be_left_out),
        cmocka_unit_test(what_is_written_is_quoted_and_sorted_as_go_yaml_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
