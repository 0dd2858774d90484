#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define IS(value, text) assert_string_equal(json_text(&a, value), text)
#define ARENA cleanup_arena struct arena a = {0}

static const struct json *parse(struct arena *a, const char *text) {
    const struct json *v = NULL;
    struct error *e = json_parse(a, text, strlen(text), NULL, NULL, &v);
    if (e) fail_msg("%s: %s", text, e->message);
    return v;
}

static void readers_answer_with_the_default_for_what_is_absent_or_of_another_type(void **state UNUSED) {
    ARENA;
    const struct json *v = parse(&a, "{\"a\":{\"s\":\"x\",\"i\":3,\"d\":4.0,\"f\":4.5,\"b\":true,\"n\":null},\"l\":[1,2]}");
    assert_string_equal(json_str(v, "a.s"), "x");
    assert_null(json_str(v, "a.i"));
    assert_null(json_str(v, "a.s.t"));
    assert_string_equal(json_str_or(NULL, "a", "other"), "other");
    assert_int_equal(json_int(v, "a.i", -1), 3);
    assert_int_equal(json_int(v, "a.d", -1), 4);
    assert_int_equal(json_int(v, "a.f", -1), -1);
    assert_true(json_bool(v, "a.b", false));
    assert_true(json_bool(v, "a.zz", true));
    assert_true(json_str_is(v, "a.s", "x"));
    assert_false(json_str_is(NULL, NULL, "x"));
    assert_int_equal(json_int(json_at(json_get(v, "l"), 1), NULL, 0), 2);
    assert_null(json_at(json_get(v, "l"), 2));
    assert_int_equal(json_len(json_get(v, "a")), 6);
    assert_int_equal(json_len(json_get(v, "a.s")), 0);
}

static void loops_over_nothing_do_nothing(void **state UNUSED) {
    JSON_EACH(i, NULL) fail_msg("%p", (const void *)i);
    JSON_EACH_MEMBER(m, &json_empty_array) fail_msg("%p", (const void *)m);
}

static void templates_take_arguments_and_leave_absent_ones_out(void **state UNUSED) {
    ARENA;
    const char *none = NULL;
    const struct json *v = json_make(&a, "{'m':{'name':%s,'ns':%s,'labels':%v}, 'n':%d,'t':%ld,%s:[%b,true,null,-1.5,'x',%s,%v]}", "web",
                                     none, (const struct json *)NULL, 3, INT64_MIN, "key", 1, none, json_string(&a, "y"));
    IS(v, "{\"m\":{\"name\":\"web\"},\"n\":3,\"t\":-9223372036854775808,\"key\":[true,true,null,-1.5,\"x\",\"y\"]}");
    IS(json_make(&a, "[]"), "[]");
    IS(json_make(&a, "{}"), "{}");
}

static void changing_copies_the_path_and_shares_the_rest(void **state UNUSED) {
    ARENA;
    const struct json *v = parse(&a, "{\"a\":{\"b\":1,\"c\":[1]},\"z\":{}}");
    const struct json *w = json_with(&a, v, "a.b", json_integer(&a, 2));
    IS(w, "{\"a\":{\"b\":2,\"c\":[1]},\"z\":{}}");
    IS(v, "{\"a\":{\"b\":1,\"c\":[1]},\"z\":{}}");
    assert_ptr_equal(json_get(w, "a.c")->items, json_get(v, "a.c")->items);
    IS(json_with(&a, v, "x.y.z", &json_true), "{\"a\":{\"b\":1,\"c\":[1]},\"z\":{},\"x\":{\"y\":{\"z\":true}}}");
    IS(json_with(&a, NULL, "x", &json_null), "{\"x\":null}");
    IS(json_with_member(&a, NULL, "a.b/c", &json_true), "{\"a.b/c\":true}");
    IS(json_with(&a, v, "a.b", NULL), "{\"a\":{\"c\":[1]},\"z\":{}}");
    IS(json_without(&a, v, "a.c"), "{\"a\":{\"b\":1},\"z\":{}}");
    assert_ptr_equal(json_without(&a, v, "a.q"), v);
    assert_ptr_equal(json_without_member(&a, v, "q"), v);
    assert_null(json_without(&a, NULL, "q"));
}

static void items_are_replaced_appended_and_removed(void **state UNUSED) {
    ARENA;
    const struct json *v = parse(&a, "[1,2,3]");
    IS(json_with_item(&a, v, 1, &json_true), "[1,true,3]");
    IS(json_append(&a, v, &json_null), "[1,2,3,null]");
    IS(json_append(&a, NULL, &json_null), "[null]");
    IS(json_without_item(&a, v, 0), "[2,3]");
    IS(json_without_item(&a, v, 2), "[1,2]");
    assert_ptr_equal(json_without_item(&a, v, 3), v);
}

static void builders_grow_and_replace(void **state UNUSED) {
    ARENA;
    struct json_array items = {.arena = &a};
    struct json_object members = {.arena = &a};
    for (int i = 0; i < 100; i++) json_array_add(&items, json_integer(&a, i));
    assert_int_equal(json_len(json_array_done(&items)), 100);
    json_object_set(&members, "k", &json_true);
    json_object_set(&members, "k", &json_false);
    json_object_add(&members, "l", NULL);
    IS(json_object_done(&members), "{\"k\":false,\"l\":null}");
}

static void copies_are_equal_and_independent(void **state UNUSED) {
    ARENA;
    struct arena b = {0};
    const char *text = "{\"a\":[{\"b\":\"c\"},1.5,null,true,[],{}]}";
    const struct json *c = json_copy(&a, parse(&b, text));
    arena_free(&b);
    IS(c, text);
}

static void equality_ignores_the_order_of_members_and_the_spelling_of_numbers(void **state UNUSED) {
    static const struct {
        const char *a, *b;
        bool equal, semantic;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}", true, true}, {"{\"a\":1}", "{\"a\":1,\"b\":null}", false, true},
        {"{\"a\":[],\"b\":1}", "{\"b\":1}", false, true},         {"{\"a\":{}}", "null", false, false},
        {"[]", "{}", false, true},                              {"[1,2]", "[2,1]", false, false},
        {"\"\"", "null", false, false},                           {"{\"a\":1}", "{\"b\":1}", false, false},
        {"{\"a\":null,\"b\":[]}", "{\"c\":{}}", false, true},      {"1", "1.5", false, false},
        {"{\"a\":null}", "{\"b\":2}", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ARENA;
        const struct json *x = parse(&a, cases[i].a), *y = parse(&a, cases[i].b);
        if (json_equal(x, y) != cases[i].equal || json_equal(y, x) != cases[i].equal) fail_msg("equal: %s %s", cases[i].a, cases[i].b);
        if (json_semantic_equal(x, y) != cases[i].semantic) fail_msg("semantic: %s %s", cases[i].a, cases[i].b);
    }
    assert_true(json_semantic_equal(NULL, &json_null));
    assert_false(json_equal(NULL, &json_null));
}

static void large_objects_in_another_order_are_compared_quickly(void **state UNUSED) {
    ARENA;
    struct json_object x = {.arena = &a}, y = {.arena = &a};
    for (int i = 0; i < 100000; i++) {
        json_object_add(&x, arena_printf(&a, "k%d", i), &json_true);
        json_object_add(&y, arena_printf(&a, "k%d", 99999 - i), &json_true);
    }
    assert_true(json_equal(json_object_done(&x), json_object_done(&y)));
}

static void pointers_reach_members_and_items(void **state UNUSED) {
    ARENA;
    const struct json *v = parse(&a, "{\"a\":[{\"b/c\":1},{\"d~e\":2}],\"\":3}");
    assert_ptr_equal(json_pointer(v, ""), v);
    assert_int_equal(json_int(json_pointer(v, "/a/0/b~1c"), NULL, 0), 1);
    assert_int_equal(json_int(json_pointer(v, "/a/1/d~0e"), NULL, 0), 2);
    assert_int_equal(json_int(json_pointer(v, "/"), NULL, 0), 3);
    const char *const absent[] = {"/a/2", "/a/00", "/a/-", "/a/x", "/q", "a", "/a/0/b~1c/x"};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) assert_null(json_pointer(v, absent[i]));
}

static void merge_patches_follow_the_examples_of_the_rfc(void **state UNUSED) {
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"}, {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"}, {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"}, {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"}, {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"}, {"{\"a\":\"foo\"}", "null", "null"}, {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"}, {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ARENA;
        IS(json_merge_patch(&a, parse(&a, cases[i][0]), parse(&a, cases[i][1])), cases[i][2]);
    }
}

static const char *patched(struct arena *a, const char *doc, const char *patch, int *code) {
    const struct json *v = NULL;
    cleanup_error struct error *e = json_patch(a, parse(a, doc), parse(a, patch), 0, &v);
    *code = e ? e->code : 0;
    return e ? arena_strdup(a, e->message) : json_text(a, v);
}

static void json_patches_behave_as_kube_apiserver_s_library_does(void **state UNUSED) {
    static const char *const doc = "{\"b\":[1,2,3],\"n\":null,\"c/d\":1,\"s\":\"x\"}";
    static const struct {
        int code;
        const char *patch, *result;
    } cases[] = {
        {0, "[]", "{\"b\":[1,2,3],\"n\":null,\"c/d\":1,\"s\":\"x\"}"},
        {0, "[{\"op\":\"add\",\"path\":\"/b/-\",\"value\":9},{\"op\":\"remove\",\"path\":\"/n\"}]", "{\"b\":[1,2,3,9],\"c/d\":1,\"s\":\"x\"}"},
        {0, "[{\"op\":\"add\",\"path\":\"/b/-1\",\"value\":9}]", "{\"b\":[1,2,3,9],\"n\":null,\"c/d\":1,\"s\":\"x\"}"},
        {0, "[{\"op\":\"remove\",\"path\":\"/b/-1\"}]", "{\"b\":[1,2],\"n\":null,\"c/d\":1,\"s\":\"x\"}"},
        {0, "[{\"op\":\"replace\",\"path\":\"/new\",\"value\":1}]", "{\"b\":[1,2,3],\"n\":null,\"c/d\":1,\"s\":\"x\",\"new\":1}"},
        {0, "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]", "{}"},
        {0, "[{\"op\":\"move\",\"from\":\"/c~1d\",\"path\":\"/b/0\"}]", "{\"b\":[1,1,2,3],\"n\":null,\"s\":\"x\"}"},
        {0, "[{\"op\":\"copy\",\"from\":\"/b\",\"path\":\"/b/0\"}]", "{\"b\":[[1,2,3],1,2,3],\"n\":null,\"c/d\":1,\"s\":\"x\"}"},
        {0, "[{\"op\":\"test\",\"path\":\"/nope\",\"value\":null},{\"op\":\"replace\",\"path\":\"\",\"value\":[]}]", "[]"},
        {422, "[{\"op\":\"test\",\"path\":\"/s\",\"value\":\"y\"}]", "testing value /s failed: test failed"},
        {422, "[{\"op\":\"remove\",\"path\":\"/b/3\"}]", "error in remove for path: '/b/3': Unable to access invalid index: 3: invalid index referenced"},
        {422, "[{\"op\":\"remove\",\"path\":\"/q\"}]", "error in remove for path: '/q': Unable to remove nonexistent key: q: missing value"},
        {422, "[{\"op\":\"add\",\"path\":\"/q/r\",\"value\":1}]", "add operation does not apply: doc is missing path: \"/q/r\": missing value"},
        {422, "[{\"op\":\"nope\",\"path\":\"/q\"}]", "Unexpected kind: nope"},
        {400, "{}", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"},
        {400, "[1]", "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"},
        {400, "[{\"op\":1}]", "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ARENA;
        int code;
        assert_string_equal(patched(&a, doc, cases[i].patch, &code), cases[i].result);
        assert_int_equal(code, cases[i].code);
    }
}

static void json_patches_are_limited_in_number_and_in_what_they_copy(void **state UNUSED) {
    ARENA;
    const struct json *v;
    cleanup_error struct error *many = json_patch(&a, parse(&a, "{}"), parse(&a, "[{},{},{}]"), 2, &v);
    assert_int_equal(many->code, 413);
    assert_string_equal(many->message, "Request entity is too large: The allowed maximum operations in a JSON patch is 2, got 3");
    struct json_array ops = {.arena = &a};
    for (int i = 0; i < 40; i++) json_array_add(&ops, parse(&a, "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}"));
    cleanup_error struct error *bomb = json_patch(&a, parse(&a, "{\"a\":[1]}"), json_array_done(&ops), 0, &v);
    assert_non_null(strstr(bomb->message, "exceeding the limit 3145728"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_answer_with_the_default_for_what_is_absent_or_of_another_type),
        cmocka_unit_test(loops_over_nothing_do_nothing),
        cmocka_unit_test(templates_take_arguments_and_leave_absent_ones_out),
        cmocka_unit_test(changing_copies_the_path_and_shares_the_rest),
        cmocka_unit_test(items_are_replaced_appended_and_removed),
        cmocka_unit_test(builders_grow_and_replace),
        cmocka_unit_test(copies_are_equal_and_independent),
        cmocka_unit_test(equality_ignores_the_order_of_members_and_the_spelling_of_numbers),
        cmocka_unit_test(large_objects_in_another_order_are_compared_quickly),
        cmocka_unit_test(pointers_reach_members_and_items),
        cmocka_unit_test(merge_patches_follow_the_examples_of_the_rfc),
        cmocka_unit_test(json_patches_behave_as_kube_apiserver_s_library_does),
        cmocka_unit_test(json_patches_are_limited_in_number_and_in_what_they_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
