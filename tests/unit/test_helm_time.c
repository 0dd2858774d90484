/* Go's package time: layouts, parsing with its error texts, durations; in New York, where clocks change. */
#include "base/clock.h"
#include "helm/go/time.h"
#include "helm_golden.h"

static int wrong;

static void same(const struct json *c, const char *want, const char *have) {
    if (strcmp(want, have) == 0) return;
    cleanup_arena struct arena a = {0};
    print_error("%s\n  have <%s>\n", json_text(&a, c), have);
    wrong++;
}

static const struct {
    int64_t seconds, nanos;
} moments[] = {{0, 0}, {1700000000, 123456789}, {-1, 999999999}, {951782400, 0}, {1078012800, 500000000}, {4102444800, 1000}, {INT64_C(-62135596800), 0},
               {INT64_C(-2208988800), 100}, {INT64_C(253402300799), 120000000}, {1710054000, 0}, {1710053999, 0}, {1730613600, 0}, {1730617200, 0},
               {INT64_C(32503680000), 0}, {INT64_C(-5000000000), 0}};

static void moments_are_formatted(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "time_formats.json");
    JSON_EACH(c, cases) {
        cleanup_buf struct buf b = {0};
        const struct json *layout = json_member(c, "layout");
        for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
            struct go_moment t = go_unix(&a, moments[i].seconds, moments[i].nanos), utc = t;
            utc.location = &go_utc;
            go_time_format(&b, utc, layout->s, layout->len);
            buf_addc(&b, '|');
            go_time_format(&b, t, layout->s, layout->len);
            buf_addc(&b, '|');
        }
        same(c, json_str(c, "out"), buf_str(&b));
    }
    assert_int_equal(wrong, 0);
}

static void times_are_parsed(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "time_parses.json");
    JSON_EACH(c, cases) {
        struct go_moment t;
        cleanup_buf struct buf b = {0};
        const struct json *layout = json_member(c, "layout"), *text = json_member(c, "text");
        cleanup_error struct error *e = go_time_parse(&a, layout->s, layout->len, text->s, text->len, go_location_load(&a, "Local"), &t);
        if (e == NULL) go_time_string(&b, t);
        same(c, json_str_or(c, "error", ""), e ? e->message : "");
        same(c, json_str_or(c, "out", ""), buf_str(&b));
    }
    assert_int_equal(wrong, 0);
}

static void durations_are_parsed_and_rounded(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "durations.json");
    JSON_EACH(c, cases) {
        int64_t d;
        const struct json *text = json_member(c, "text");
        cleanup_error struct error *e = go_parse_duration(text->s, text->len, &d);
        same(c, json_str_or(c, "error", ""), e ? e->message : "");
        if (e != NULL) continue;
        char t[4][TIME_STRING_MAX];
        duration_format(t[0], d);
        duration_format(t[1], go_duration_round(d, NSEC_PER_SEC));
        duration_format(t[2], go_duration_truncate(d, 60 * NSEC_PER_SEC));
        duration_format(t[3], go_duration_round(d, 3600 * NSEC_PER_SEC));
        same(c, json_str(c, "out"), arena_printf(&a, "%s %s %s %s", t[0], t[1], t[2], t[3]));
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_formatted),
        cmocka_unit_test(times_are_parsed),
        cmocka_unit_test(durations_are_parsed_and_rounded),
    };
    setenv("TZ", "America/New_York", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
