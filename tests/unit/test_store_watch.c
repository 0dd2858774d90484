/* Watches, on the memory backend. */
#include "store_fixture.h"

static void count_wake(void *arg) { ++*(int *)arg; }

static struct store_watch *watch(struct fixture *f, uint64_t from, int *wakes) {
    struct store_watch *w;
    assert_no_error(store_watch_open(f->store, f->pods, from, count_wake, wakes, &w));
    return w;
}

/* "ADDED a/x=1@2 …" of everything there is to read. */
static char *read_all(struct store_watch *w) {
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
    struct buf b = {0};
    struct store_event e;
    bool lost;
    while (store_watch_next(w, &e, &lost)) {
        assert_int_equal(e.doc->revision, e.revision);
        buf_printf(&b, "%s%s %s=%s@%d", b.len ? ", " : "", types[e.type], e.key, json_str(e.doc->root, "value"), (int)e.revision);
        if (e.previous) buf_printf(&b, "(%s)", json_str(e.previous->root, "value"));
    }
    assert_false(lost);
    if (!b.data) buf_adds(&b, "");
    return buf_take(&b);
}

static void a_watch_tells_every_change_with_what_was_before(void **state) {
    struct fixture *f = *state;
    int wakes = 0;
    struct store_watch *w = watch(f, 1, &wakes);
    put(f, "a/x", "1");
    put(f, "a/x", "2");
    put(f, "a/x", NULL);
    cleanup_free char *events = read_all(w);
    assert_string_equal(events, "ADDED a/x=1@2, MODIFIED a/x=2@3(1), DELETED a/x=2@4(2)");
    store_watch_close(w);
}

static void a_watch_begins_after_its_revision(void **state) {
    struct fixture *f = *state;
    int wakes = 0;
    put(f, "a/x", "1");
    uint64_t from = put(f, "a/x", "2");
    put(f, "a/x", "3");
    struct store_watch *w = watch(f, from, &wakes);
    cleanup_free char *events = read_all(w);
    assert_string_equal(events, "MODIFIED a/x=3@4(2)");
    store_watch_close(w);
}

static void a_watch_sees_its_table_only_and_makes_progress_with_all(void **state) {
    struct fixture *f = *state;
    int wakes = 0;
    struct store_watch *w = watch(f, 1, &wakes);
    cleanup_free char *nothing = read_all(w);
    cleanup_doc struct doc *d = make_doc("n", "1");
    uint64_t revision;
    assert_no_error(store_commit_wait(f->store, &(struct store_op){store_table(f->store, "nodes"), "n", d, 0}, 1, &revision));
    assert_int_equal(wakes, 0);
    cleanup_free char *events = read_all(w);
    assert_string_equal(events, "");
    assert_int_equal(store_watch_progress(w), revision);
    store_watch_close(w);
}

static void a_watch_may_skip_what_another_has_read(void **state) {
    struct fixture *f = *state;
    int wakes = 0, other_wakes = 0;
    struct store_watch *reader = watch(f, 1, &wakes), *follower = watch(f, 1, &other_wakes);
    for (int i = 0; i < 40; i++) put(f, "a/x", i % 2 ? "odd" : "even"); /* more than is read ahead */
    assert_int_equal(store_watch_position(reader), store_watch_position(follower));
    struct store_event e;
    bool lost;
    for (int i = 0; i < 10; i++) assert_true(store_watch_next(reader, &e, &lost));
    assert_true(store_watch_next(follower, &e, &lost));
    assert_true(store_watch_skip(follower, store_watch_position(reader)));
    cleanup_free char *rest = read_all(reader), *same = read_all(follower);
    assert_string_equal(rest, same);
    put(f, "a/x", "last");
    assert_int_equal(other_wakes, 1);
    assert_true(store_watch_next(reader, &e, &lost));
    assert_false(store_watch_skip(follower, store_watch_position(reader))); /* nothing more: it waits */
    assert_int_equal(store_watch_progress(follower), e.revision);
    put(f, "a/y", "1");
    assert_int_equal(other_wakes, 2);
    cleanup_free char *news = read_all(follower);
    assert_string_equal(news, "ADDED a/y=1@43");
    store_watch_close(reader);
    store_watch_close(follower);
}

static void wake_comes_once_after_reading_to_the_end(void **state) {
    struct fixture *f = *state;
    int wakes = 0;
    struct store_watch *w = watch(f, 1, &wakes);
    put(f, "a/x", "1");
    assert_int_equal(wakes, 0); /* the reader has not read yet */
    cleanup_free char *first = read_all(w);
    put(f, "a/x", "2");
    put(f, "a/x", "3");
    assert_int_equal(wakes, 1);
    cleanup_free char *second = read_all(w);
    assert_string_equal(second, "MODIFIED a/x=2@3(1), MODIFIED a/x=3@4(2)");
    put(f, "a/x", "4");
    assert_int_equal(wakes, 2);
    store_watch_close(w);
    put(f, "a/x", "5");
    assert_int_equal(wakes, 2);
}

static void a_revision_outside_the_window_is_expired(void **state) {
    struct fixture *f = *state;
    f->config.watch_window = 4;
    reopen(f);
    for (int i = 0; i < 10; i++) put(f, "a/x", "1");
    struct store_watch *w;
    assert_error(store_watch_open(f->store, f->pods, 3, count_wake, NULL, &w), "too old resource version: 3 (7)");
    int wakes = 0;
    w = watch(f, 7, &wakes);
    store_watch_close(w);
}

static void a_slow_watch_is_lost(void **state) {
    struct fixture *f = *state;
    f->config.watch_window = 4;
    reopen(f);
    int wakes = 0;
    struct store_watch *w = watch(f, 1, &wakes);
    for (int i = 0; i < 10; i++) put(f, "a/x", "1");
    struct store_event e;
    bool lost = false;
    assert_false(store_watch_next(w, &e, &lost));
    assert_true(lost);
    store_watch_close(w);
}

static void old_events_of_a_busy_table_are_dropped_those_of_a_quiet_one_kept(void **state) {
    struct fixture *f = *state;
    int wakes = 0;
    for (int i = 0; i < 150; i++) put(f, "a/x", "1");
    clock_virtual_set(&f->clock, f->clock.now + SECONDS(3600));
    store_watch_close(watch(f, 1, &wakes));
    for (int i = 0; i < 50; i++) put(f, "a/x", "2");
    struct store_watch *w;
    assert_error(store_watch_open(f->store, f->pods, 1, count_wake, NULL, &w), "Expired");
    store_watch_close(watch(f, 110, &wakes)); /* a hundred are kept */
}

static void one_commit_of_many_entries_is_told_entry_by_entry(void **state) {
    struct fixture *f = *state;
    int wakes = 0;
    struct store_watch *w = watch(f, 1, &wakes);
    cleanup_doc struct doc *x = make_doc("x", "1"), *y = make_doc("y", "2");
    uint64_t revision;
    assert_no_error(store_commit_wait(f->store, (struct store_op[]){{f->pods, "a/x", x, 0}, {f->pods, "a/y", y, 0}}, 2,
                                      &revision));
    cleanup_free char *events = read_all(w);
    assert_string_equal(events, "ADDED a/x=1@2, ADDED a/y=2@2");
    store_watch_close(w);
}

static void commit_again(uint64_t revision UNUSED, const struct error *error UNUSED, void *arg) {
    struct fixture *f = arg;
    cleanup_doc struct doc *d = make_doc("y", "1");
    uint64_t ignored;
    assert_no_error(store_commit(f->store, &(struct store_op){f->pods, "a/y", d, 0}, 1, NULL, NULL, &ignored));
}

static void a_synchronous_store_may_be_written_to_from_callbacks(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *d = make_doc("x", "1");
    uint64_t revision;
    assert_no_error(store_commit(f->store, &(struct store_op){f->pods, "a/x", d, 0}, 1, commit_again, f, &revision));
    assert_value(f, "a/y", "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_memory, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_watch_tells_every_change_with_what_was_before),
        TEST(a_watch_begins_after_its_revision),
        TEST(a_watch_sees_its_table_only_and_makes_progress_with_all),
        TEST(a_watch_may_skip_what_another_has_read),
        TEST(wake_comes_once_after_reading_to_the_end),
        TEST(a_revision_outside_the_window_is_expired),
        TEST(a_slow_watch_is_lost),
        TEST(old_events_of_a_busy_table_are_dropped_those_of_a_quiet_one_kept),
        TEST(one_commit_of_many_entries_is_told_entry_by_entry),
        TEST(a_synchronous_store_may_be_written_to_from_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
