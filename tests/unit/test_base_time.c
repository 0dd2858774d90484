#include "base/clock.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void times_are_written_as_kubernetes_writes_them(void **state UNUSED) {
    char out[TIME_STRING_MAX];
    assert_string_equal(time_format(out, SECONDS(1767366245) + 999999999), "2026-01-02T15:04:05Z");
    assert_string_equal(time_format_micro(out, SECONDS(1767366245) + 1234567), "2026-01-02T15:04:05.001234Z");
    assert_string_equal(time_format(out, -1), "1969-12-31T23:59:59Z");
}

static void rfc3339_times_are_read_with_fraction_and_offset(void **state UNUSED) {
    static const struct {
        const char *s;
        int64_t wall;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-02T15:04:05Z", SECONDS(1767366245)},
        {"2026-01-02T15:04:05.001234Z", SECONDS(1767366245) + 1234000},
        {"2026-01-02T17:04:05+02:00", SECONDS(1767366245)},
        {"1969-12-31T23:59:59.5Z", -500000000},
        {"2024-02-29T00:00:00Z", SECONDS(1709164800)},
    };
    static const char *const bad[] = {"",  "2026-01-02", "2026-01-02T15:04:05", "2026-1-2T15:04:05Z", "2026-02-29T00:00:00Z", "2026-01-02T24:00:00Z",
                                      "x", "2026-01-02T15:04:05Zx", "2026-01-02T15:04:05.Z", "2026-01-02t15:04:05Z", "2026-13-02T15:04:05Z"};
    int64_t wall;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(time_parse(good[i].s, &wall));
        assert_true(wall == good[i].wall);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(time_parse(bad[i], &wall));
}

static void years_beyond_int64_nanoseconds_keep_their_place(void **state UNUSED) {
    struct time_parts t;
    char text[TIME_STRING_MAX];
    assert_true(time_parse_parts("0001-01-01T00:00:02.5Z", &t));
    assert_int_equal(t.seconds, INT64_C(-62135596798));
    assert_string_equal(time_format_parts(text, &t, true), "0001-01-01T00:00:02.500000Z");
    assert_true(time_parse_parts("9999-12-31T23:59:59Z", &t));
    assert_string_equal(time_format_parts(text, &t, false), "9999-12-31T23:59:59Z");
}

static void ages_are_those_of_human_duration(void **state UNUSED) {
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-2, "<invalid>"}, {-1, "0s"}, {0, "0s"}, {119, "119s"}, {120, "2m"}, {185, "3m5s"}, {599, "9m59s"}, {600, "10m"}, {10799, "179m"},
        {10800, "3h"}, {11000, "3h3m"}, {28800, "8h"}, {172799, "47h"}, {172800, "2d"}, {176400, "2d1h"}, {691200, "8d"},
        {365 * 86400, "365d"}, {730 * 86400, "2y"}, {740 * 86400, "2y10d"}, {8 * 365 * 86400, "8y"},
    };
    char out[TIME_STRING_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(time_human_duration(out, SECONDS(cases[i].seconds)), cases[i].text);
}

static void durations_are_written_and_read_as_go_does(void **state UNUSED) {
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0s", 0}, {"1ns", 1}, {"1.1\xC2\xB5s", 1100}, {"2.2ms", 2200000}, {"3.3s", 3300000000}, {"4m5s", SECONDS(245)}, {"4m5.001s", 245001000000},
        {"5h6m7.001s", 18367001000000}, {"-1h0m0s", -SECONDS(3600)}, {"2562047h47m16.854775807s", INT64_MAX}, {"-2562047h47m16.854775808s", INT64_MIN},
    };
    char out[TIME_STRING_MAX];
    int64_t d;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(duration_format(out, cases[i].value), cases[i].text);
        assert_true(duration_parse(cases[i].text, &d));
        assert_true(d == cases[i].value);
    }
    assert_true(duration_parse("1h15m30.5s", &d) && d == 4530500000000);
    assert_true(duration_parse("0", &d) && d == 0);
    assert_true(duration_parse("+5us", &d) && d == 5000);
    assert_true(duration_parse(".5s", &d) && d == 500000000);
    const char *const bad[] = {"", "3", "-", "s", ".", "-.", ".s", "1.s.", "1d", "9223372036854775808ns", "3000000h", " 1s", "1 s"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(duration_parse(bad[i], &d));
}

static void virtual_time_stands_still(void **state UNUSED) {
    struct clock_virtual c;
    clock_virtual_init(&c, 5);
    assert_int_equal(clock_wall(&c.base), 5);
    clock_virtual_set(&c, 7);
    assert_int_equal(clock_monotonic(&c.base), 7);
}

static void log_levels_have_names(void **state UNUSED) {
    enum log_level level;
    assert_true(log_parse_level("debug", &level) && level == LOG_DEBUG);
    assert_false(log_parse_level("loud", &level));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_kubernetes_writes_them),
        cmocka_unit_test(rfc3339_times_are_read_with_fraction_and_offset),
        cmocka_unit_test(years_beyond_int64_nanoseconds_keep_their_place),
        cmocka_unit_test(ages_are_those_of_human_duration),
        cmocka_unit_test(durations_are_written_and_read_as_go_does),
        cmocka_unit_test(virtual_time_stands_still),
        cmocka_unit_test(log_levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
