/* Container logs: what `kubectl logs` and termination messages read. */
#include "node/logs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static const char log_text[] =
    "2026-01-01T00:00:01.000000000Z stdout F one\n"
    "2026-01-01T00:00:02.000000000Z stderr F two\n"
    "2026-01-01T00:00:03.000000000Z stdout P thr\n"
    "2026-01-01T00:00:03.000000001Z stdout F ee\n"
    "2026-01-01T00:00:04.000000000Z stdout F four\n";

static char path[64];

static int set_up(void **state) {
    (void)state;
    snprintf(path, sizeof(path), "/tmp/test_node_logs.%d", getpid());
    FILE *f = fopen(path, "w");
    fputs(log_text, f);
    return fclose(f);
}

static int tear_down(void **state) {
    (void)state;
    return unlink(path);
}

static bool collect(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return true;
}

static void expect(struct log_options o, const char *wanted) {
    cleanup_buf struct buf out = {0};
    assert_null(logs_read(path, &o, collect, NULL, &out));
    assert_string_equal(buf_str(&out), wanted);
}

static void the_whole_log_without_times(void **state) {
    (void)state;
    expect((struct log_options){.tail_lines = -1, .limit_bytes = -1}, "one\ntwo\nthree\nfour\n");
}

static void the_last_lines(void **state) {
    (void)state;
    expect((struct log_options){.tail_lines = 1, .limit_bytes = -1}, "four\n");
    expect((struct log_options){.tail_lines = 0, .limit_bytes = -1}, "");
    expect((struct log_options){.tail_lines = 99, .limit_bytes = -1}, "one\ntwo\nthree\nfour\n");
}

static void a_limit_cuts_within_a_line(void **state) {
    (void)state;
    expect((struct log_options){.tail_lines = -1, .limit_bytes = 6}, "one\ntw");
    expect((struct log_options){.tail_lines = -1, .limit_bytes = 0}, "");
}

static void one_stream_and_a_start_time(void **state) {
    (void)state;
    int64_t since;
    assert_true(time_parse("2026-01-01T00:00:02Z", &since));
    expect((struct log_options){.tail_lines = -1, .limit_bytes = -1, .stream = "stderr"}, "two\n");
    expect((struct log_options){.tail_lines = -1, .limit_bytes = -1, .since = since, .stream = "stdout"}, "three\nfour\n");
}

static void timestamps_stand_before_each_line(void **state) {
    (void)state;
    expect((struct log_options){.tail_lines = 1, .limit_bytes = -1, .timestamps = true}, "2026-01-01T00:00:04.000000000Z four\n");
}

static void the_end_of_a_log_as_termination_message(void **state) {
    (void)state;
    cleanup_buf struct buf out = {0};
    logs_tail(path, 2048, 2, &out);
    assert_string_equal(buf_str(&out), "ee\nfour\n");
    buf_clear(&out);
    logs_tail(path, 5, 80, &out);
    assert_string_equal(buf_str(&out), "four\n");
}

static void an_absent_log_is_an_error(void **state) {
    (void)state;
    struct log_options o = {.tail_lines = -1, .limit_bytes = -1};
    struct error *e = logs_read("/no/such/log", &o, collect, NULL, NULL);
    assert_non_null(e);
    error_free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_log_without_times), cmocka_unit_test(the_last_lines), cmocka_unit_test(a_limit_cuts_within_a_line),
        cmocka_unit_test(one_stream_and_a_start_time), cmocka_unit_test(timestamps_stand_before_each_line),
        cmocka_unit_test(the_end_of_a_log_as_termination_message), cmocka_unit_test(an_absent_log_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
