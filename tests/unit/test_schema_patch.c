/* Three-way patches are those that apimachinery makes (tests/golden/three_way.jsonl, made by tests/golden/helm/patches). */
#include "base/str.h"
#include "schema/schema.h"
#include "store_fixture.h"

static const struct json *sorted(struct arena *a, const struct json *v) { /* as YAML sorts it: comparable text */
    cleanup_buf struct buf b = {0};
    yaml_encode(&b, v);
    return json_string(a, buf_str(&b));
}

static void check(struct arena *a, const struct json *c, size_t number) {
    const struct json *original = json_member(c, "Original"), *modified = json_member(c, "Modified"), *current = json_member(c, "Current");
    const struct type *t = type_find_kind(json_str(original, "apiVersion"), json_str(original, "kind"));
    const struct json *patch = NULL;
    cleanup_error struct error *e = t ? schema_three_way_patch(a, t, original, modified, current, &patch)
                                      : schema_three_way_merge_patch(a, original, modified, current, &patch);
    if (json_str(c, "Error")) {
        assert_non_null(e);
        if (!str_starts(e->message, "precondition failed")) assert_string_equal(e->message, json_str(c, "Error"));
        return;
    }
    assert_no_error(e);
    e = NULL;
    const char *made = json_str(sorted(a, patch), NULL), *expected = json_str(sorted(a, json_member(c, "Patch")), NULL);
    if (strcmp(made, expected) != 0) print_error("case %zu\n", number);
    assert_string_equal(made, expected);
}

static void patches_are_those_of_apimachinery(void **state UNUSED) {
    cleanup_buf struct buf text = {0};
    cleanup_free char *path = xprintf("%s/tests/golden/three_way.jsonl", getenv("SOURCE_DIR"));
    assert_no_error(file_read(path, 8 << 20, &text));
    size_t n = 0;
    for (const char *line = text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, n++) {
        cleanup_arena struct arena a = {0};
        const struct json *c;
        assert_no_error(json_parse(&a, line, (size_t)(end - line), NULL, NULL, &c));
        check(&a, c, n);
    }
    assert_true(n >= 100);
}

static void a_patch_brings_the_object_to_what_is_wanted(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *original = json_make(&a, "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b'}]}}");
    const struct json *modified = json_make(&a, "{'spec':{'containers':[{'name':'a','image':'2'}]}}");
    const struct json *current = json_make(&a, "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b'},{'name':'sidecar'}]}}");
    const struct json *patch, *result;
    const struct type *t = type_find("core/v1/Pod");
    assert_no_error(schema_three_way_patch(&a, t, original, modified, current, &patch));
    assert_no_error(schema_strategic_merge(&a, t, current, patch, &result));
    assert_string_equal(json_text(&a, result), "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"sidecar\"}]}}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_are_those_of_apimachinery),
        cmocka_unit_test(a_patch_brings_the_object_to_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
