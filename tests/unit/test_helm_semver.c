/* Versions and constraints: the same as Masterminds/semver, errors included. */
#include "helm/go/semver.h"
#include "helm_golden.h"

static int wrong;

static void same(const struct json *c, const char *what, const char *want, const char *have) {
    if (strcmp(want, have) == 0) return;
    cleanup_arena struct arena a = {0};
    print_error("%s: %s: have <%s>\n", what, json_text(&a, c), have);
    wrong++;
}

static void versions_are_parsed(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = golden_load(&a, "semver_versions.json");
    JSON_EACH(c, all) {
        struct semver v, w;
        const char *text = json_str(c, "version");
        cleanup_error struct error *e = semver_parse(&a, text, &v), *strict = semver_parse_strict(&a, text, &w);
        same(c, "error", json_str_or(c, "error", ""), e ? e->message : "");
        same(c, "strict error", json_str_or(c, "strict", ""), strict ? strict->message : "");
        if (e != NULL || json_member(c, "parts") == NULL) continue;
        const char *want[7];
        for (size_t i = 0; i < 7; i++) want[i] = json_at(json_member(c, "parts"), i)->s;
        same(c, "major", want[0], arena_printf(&a, "%llu", (unsigned long long)v.major));
        same(c, "minor", want[1], arena_printf(&a, "%llu", (unsigned long long)v.minor));
        same(c, "patch", want[2], arena_printf(&a, "%llu", (unsigned long long)v.patch));
        same(c, "pre-release", want[3], v.pre);
        same(c, "metadata", want[4], v.metadata);
        same(c, "text", want[5], semver_format(&a, &v));
        same(c, "original", want[6], v.original);
        struct semver major = semver_increment(&a, &v, SEMVER_MAJOR), minor = semver_increment(&a, &v, SEMVER_MINOR);
        struct semver patch = semver_increment(&a, &v, SEMVER_PATCH);
        same(c, "next", json_str(c, "next"), arena_printf(&a, "%s %s %s", major.original, minor.original, patch.original));
    }
    assert_int_equal(wrong, 0);
}

static void versions_are_ordered(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = golden_load(&a, "semver_order.json");
    JSON_EACH(c, all) {
        size_t i = 0;
        JSON_EACH(d, all) {
            struct semver v, w;
            assert_null(semver_parse(&a, json_str(c, "version"), &v));
            assert_null(semver_parse(&a, json_str(d, "version"), &w));
            if ("<=>"[semver_compare(&v, &w) + 1] != json_str(c, "order")[i++]) same(c, "order", "", w.original);
        }
    }
    assert_int_equal(wrong, 0);
}

static void constraints_hold(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *versions = golden_load(&a, "semver_order.json");
    const struct json *all = golden_load(&a, "semver_constraints.json");
    JSON_EACH(c, all) {
        const struct semver_constraints *constraints;
        cleanup_error struct error *e = semver_constraints_parse(&a, json_str(c, "constraint"), &constraints);
        same(c, "error", json_str_or(c, "error", ""), e ? e->message : "");
        if (e != NULL) continue;
        cleanup_buf struct buf holds = {0};
        JSON_EACH(d, versions) {
            struct semver v;
            assert_null(semver_parse(&a, json_str(d, "version"), &v));
            if (semver_check(constraints, &v)) buf_printf(&holds, "%s ", v.original);
        }
        same(c, "holds", json_str_or(c, "holds", ""), buf_str(&holds));
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_parsed),
        cmocka_unit_test(versions_are_ordered),
        cmocka_unit_test(constraints_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
