/* Sprig's and helm's functions: the same output and errors as Go's. Cases: tests/golden/helm/libraries/sprig.txt. */
#include "helm/sprig/sprig.h"
#include "helm/template/template.h"
#include "helm_golden.h"

static const char data_text[] = "{\"s\":\"text\",\"f\":2.5,\"b\":true,\"l\":[1,\"a\",null,2.5,true],\"m\":{\"a\":1,\"n\":null,\"list\":[1,{\"x\":\"y\"}],"
                                "\"sub\":{\"k\":\"v\",\"t\":true}},\"el\":[],\"em\":{}}";

static bool check(const struct json *c) {
    cleanup_arena struct arena a = {0};
    const struct json *data;
    struct go_run run = {.arena = &a, .max_bytes = 64 << 20, .max_steps = 10000000};
    assert_null(json_parse(&a, data_text, strlen(data_text), NULL, NULL, &data));
    struct value dot = value_from_json(&a, data, VALUE_FLOATS);
    value_map_set(dot.map, "bin", 3, value_str("a\xff\xc3\x89", 4));
    struct template_set *set = template_set_new(&a, "t", sprig_tables, TEMPLATE_MISSING_INVALID);
    struct bytes text = golden_member(&a, c, "template"), want = golden_member(&a, c, "output");
    const char *wanted = json_str_or(c, "error", "");
    cleanup_buf struct buf out = {0};
    cleanup_error struct error *e = template_parse(set, "t", text.s, text.n);
    run.templates = set;
    if (e == NULL) e = template_execute(&run, "t", 1, dot, &out);
    bool same = golden_same(want, buf_str(&out), out.len), same_error = strcmp(e ? e->message : "", wanted) == 0;
    if (same && same_error) return true;
    print_error("%.*s\n  want <%.*s> %s\n  have <%s> %s\n", (int)text.n, text.s, (int)want.n, want.s, wanted, buf_str(&out), e ? e->message : "");
    return false;
}

static void functions_give_what_sprig_gives(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "sprig.json");
    int wrong = 0;
    assert_true(json_len(cases) >= 350);
    setenv("TZ", "America/New_York", 1);
    JSON_EACH(c, cases) wrong += !check(c);
    print_message("%d of %u differ\n", wrong, cases->len);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(functions_give_what_sprig_gives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
