/* YAML and JSON of values: the bytes that sigs.k8s.io/yaml and go-yaml v3 write, and what fromYaml and its kin read. */
#include "helm/go/yaml.h"
#include "helm_golden.h"

static int wrong;

static void same(struct arena *a, const struct json *c, const char *what, const struct buf *have, const struct error *e) {
    struct bytes want = golden_member(a, c, what);
    const char *text = e ? "" : buf_str(have);
    bool error = want.n > 7 && memcmp(want.s, "error: ", 7) == 0;
    if (e ? error : golden_same(want, text, have->len)) return;
    print_error("%s\n  %s: have <%s> %s\n", json_text(a, json_member(c, json_member(c, "value") ? "value" : "text")), what, text, e ? e->message : "");
    print_error("  want <%.*s>\n", (int)want.n, want.s);
    wrong++;
}

static void check(struct arena *a, const struct json *c, struct value v, const char *v2, const char *v3) {
    cleanup_buf struct buf out = {0}, pretty = {0};
    cleanup_error struct error *e = go_yaml_marshal(a, v, &out), *f = go_yaml_marshal_pretty(a, v, &pretty);
    same(a, c, v2, &out, e);
    same(a, c, v3, &pretty, f);
}

static void strings_are_quoted_and_folded(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "yaml_strings.json");
    assert_true(json_len(cases) >= 300);
    JSON_EACH(c, cases) {
        struct bytes s = golden_member(&a, c, "value");
        struct value v = value_str(s.s, s.n), list = value_slice(&a, &go_list, 3), map = value_map_new(&a, &go_map), outer = value_map_new(&a, &go_map);
        check(&a, c, v, "v2", "v3");
        value_map_set(map.map, "n", 1, v);
        list.items[0] = v;
        list.items[1] = map;
        list.items[2] = value_slice(&a, &go_list, 1);
        list.items[2].items[0] = v;
        value_map_set(outer.map, "k", 1, list);
        value_map_set(outer.map, s.s, s.n, v);
        check(&a, c, outer, "item", "item3");
    }
    assert_int_equal(wrong, 0);
}

/* Values that are not JSON's own are told by what they are: see yamlNumbers in tests/golden/helm/libraries/yaml.go. */
static struct value typed(struct arena *a, const struct json *v) {
    const char *type = json_str_or(v, "type", ""), *text = json_str_or(v, "text", "");
    struct value f = value_float(strtod(text, NULL));
    if (strcmp(type, "int") == 0) return value_int(strtoll(text, NULL, 10));
    if (strcmp(type, "uint64") == 0) return (struct value){.type = &go_uint64, .u = strtoull(text, NULL, 10)};
    if (strcmp(type, "uint8") == 0) return (struct value){.type = &go_uint8, .u = strtoull(text, NULL, 10)};
    if (strcmp(type, "int8") == 0) return (struct value){.type = &go_int8, .i = strtoll(text, NULL, 10)};
    if (strcmp(type, "float64") == 0) return f;
    if (strcmp(type, "float32") == 0) return (struct value){.type = &go_float32, .f = (double)strtof(text, NULL)};
    return value_from_json(a, json_member(v, "json"), VALUE_FLOATS);
}

static void numbers_and_collections_are_written(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "yaml_values.json");
    JSON_EACH(c, cases) check(&a, c, typed(&a, json_member(c, "value")), "v2", "v3");
    assert_int_equal(wrong, 0);
}

static void check_read(struct arena *a, const struct json *c, const char *what, struct value v) {
    const struct json *want = NULL, *have = NULL;
    const struct json *text = json_member(c, what);
    assert_null(json_parse(a, text->s, text->len, NULL, NULL, &want));
    assert_null(value_to_json(a, v, &have));
    if (json_equal(want, have)) return;
    print_error("%s\n  %s: want %s\n  have %s\n", json_text(a, json_member(c, "text")), what, text->s, json_text(a, have));
    wrong++;
}

static void texts_are_read(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *yaml = golden_load(&a, "yaml_texts.json"), *json = golden_load(&a, "json_texts.json");
    JSON_EACH(c, yaml) {
        struct bytes s = golden_member(&a, c, "text");
        check_read(&a, c, "map", go_from_yaml(&a, s.s, s.n));
        check_read(&a, c, "array", go_from_yaml_array(&a, s.s, s.n));
    }
    JSON_EACH(c, json) {
        struct bytes s = golden_member(&a, c, "text");
        check_read(&a, c, "map", go_from_json(&a, s.s, s.n));
        check_read(&a, c, "array", go_from_json_array(&a, s.s, s.n));
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_quoted_and_folded),
        cmocka_unit_test(numbers_and_collections_are_written),
        cmocka_unit_test(texts_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
