/* Commits and reads, on the memory backend. */
#include "store_fixture.h"

static void an_empty_store_has_revision_1_and_the_first_commit_2(void **state) {
    struct fixture *f = *state;
    assert_int_equal(store_revision(f->store), 1);
    assert_int_equal(put(f, "a/x", "1"), 2);
    assert_int_equal(store_revision(f->store), 2);
}

static void what_is_committed_can_be_read_with_its_revision(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    uint64_t revision = put(f, "a/x", "2");
    cleanup_doc struct doc *d = store_get(f->store, f->pods, "a/x");
    assert_int_equal(d->revision, revision);
    assert_string_equal(json_str(d->root, "metadata.resourceVersion"), "3");
    assert_non_null(strstr(doc_encoded(d)->data, "\"resourceVersion\":\"3\""));
}

static void tables_do_not_share_keys(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    assert_null(store_get(f->store, store_table(f->store, "services/specs"), "a/x"));
    assert_ptr_equal(store_table(f->store, "pods"), f->pods);
}

static void creating_what_exists_is_refused(void **state) {
    struct fixture *f = *state;
    uint64_t revision;
    put(f, "a/x", "1");
    assert_error(try_put(f, "a/x", "2", 0, &revision), "AlreadyExists");
    assert_value(f, "a/x", "1");
}

static void a_stale_revision_is_a_conflict(void **state) {
    struct fixture *f = *state;
    uint64_t first = put(f, "a/x", "1"), revision;
    put(f, "a/x", "2");
    assert_error(try_put(f, "a/x", "3", first, &revision), "Conflict");
    assert_error(try_put(f, "a/x", NULL, first, &revision), "Conflict");
    assert_no_error(try_put(f, "a/x", "3", first + 1, &revision));
    assert_value(f, "a/x", "3");
}

static void changing_or_deleting_what_is_not_there_is_not_found(void **state) {
    struct fixture *f = *state;
    uint64_t revision;
    assert_error(try_put(f, "a/x", "1", 5, &revision), "NotFound");
    assert_error(try_put(f, "a/x", NULL, STORE_ANY, &revision), "NotFound");
    assert_int_equal(store_revision(f->store), 1);
}

static void a_commit_is_all_or_nothing_and_has_one_revision(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *x = make_doc("x", "1"), *y = make_doc("y", "1");
    struct store_op ops[] = {{f->pods, "a/x", x, 0}, {f->pods, "a/y", y, 7}};
    uint64_t revision;
    assert_error(store_commit_wait(f->store, ops, 2, &revision), "NotFound");
    assert_value(f, "a/x", NULL);
    ops[1].expect = 0;
    assert_no_error(store_commit_wait(f->store, ops, 2, &revision));
    assert_int_equal(x->revision, revision);
    assert_int_equal(y->revision, revision);
}

static void too_many_operations_and_too_long_keys_are_refused(void **state) {
    struct fixture *f = *state;
    static struct store_op ops[STORE_MAX_OPS + 1];
    uint64_t revision;
    assert_error(store_commit_wait(f->store, ops, STORE_MAX_OPS + 1, &revision), "too big");
    char key[5000];
    memset(key, 'x', sizeof(key) - 1);
    key[sizeof(key) - 1] = 0;
    assert_error(try_put(f, key, "1", 0, &revision), "too long");
    assert_value(f, key, NULL);
}

static void a_snapshot_does_not_change(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    put(f, "a/y", "1");
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(f->store);
    put(f, "a/x", "2");
    put(f, "a/y", NULL);
    cleanup_free char *then = contents(snap, f->pods, "");
    assert_string_equal(then, "a/x=1 a/y=1");
    assert_int_equal(store_snapshot_revision(snap), 3);
}

static void visits_are_in_order_and_limited_to_the_prefix(void **state) {
    struct fixture *f = *state;
    const char *keys[] = {"b/x", "a/z", "ab/x", "a/x", "a/y", "c"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) put(f, keys[i], "1");
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(f->store);
    cleanup_free char *all = contents(snap, f->pods, NULL), *some = contents(snap, f->pods, "a/");
    assert_string_equal(all, "a/x=1 a/y=1 a/z=1 ab/x=1 b/x=1 c=1");
    assert_string_equal(some, "a/x=1 a/y=1 a/z=1");
    struct buf rest = {0};
    store_visit(snap, f->pods, "a/", "a/x\x01", append_key, &rest);
    assert_string_equal(buf_str(&rest), "a/y=1 a/z=1");
    buf_free(&rest);
    assert_int_equal(store_count(snap, f->pods, "a/"), 3);
    assert_int_equal(store_count(snap, f->pods, NULL), 6);
    assert_int_equal(store_count(snap, store_table(f->store, "nodes"), NULL), 0);
}

static void an_earlier_state_can_be_read_within_the_window(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    uint64_t then = put(f, "a/y", "1");
    put(f, "a/x", "2");
    put(f, "a/y", NULL);
    put(f, "a/z", "1");
    cleanup_snapshot struct store_snapshot *snap = store_snapshot_at(f->store, f->pods, then);
    cleanup_free char *was = contents(snap, f->pods, "");
    assert_string_equal(was, "a/x=1 a/y=1");
    assert_int_equal(store_snapshot_revision(snap), then);
    assert_null(store_snapshot_at(f->store, f->pods, 100)); /* not yet */
}

static void an_earlier_state_outside_the_window_is_gone(void **state) {
    struct fixture *f = *state;
    f->config.watch_window = 4;
    reopen(f);
    uint64_t first = put(f, "a/x", "0");
    for (int i = 0; i < 8; i++) put(f, "a/x", "1");
    assert_null(store_snapshot_at(f->store, f->pods, first));
    struct store_snapshot *snap = store_snapshot_at(f->store, f->pods, first + 4);
    assert_non_null(snap);
    store_snapshot_free(snap);
}

static void an_earlier_state_ends_in_time_though_its_table_is_quiet(void **state) {
    struct fixture *f = *state;
    struct store_table *nodes = store_table(f->store, "nodes");
    uint64_t then = put(f, "a/x", "1"), revision;
    put(f, "a/x", "2");
    for (int minute = 0; minute < 5; minute++) {
        cleanup_snapshot struct store_snapshot *snap = store_snapshot_at(f->store, f->pods, then);
        assert_non_null(snap);
        clock_virtual_set(&f->clock, clock_monotonic(&f->clock.base) + SECONDS(60));
        cleanup_doc struct doc *d = make_doc("n", "1");
        assert_no_error(store_commit_wait(f->store, &(struct store_op){nodes, "n", d, STORE_ANY}, 1, &revision));
    }
    clock_virtual_set(&f->clock, clock_monotonic(&f->clock.base) + SECONDS(60));
    assert_null(store_snapshot_at(f->store, f->pods, then));
    cleanup_snapshot struct store_snapshot *later = store_snapshot_at(f->store, f->pods, revision - 1);
    assert_non_null(later);
}

static void the_present_state_never_ends(void **state) {
    struct fixture *f = *state;
    uint64_t now = put(f, "a/x", "1");
    clock_virtual_set(&f->clock, clock_monotonic(&f->clock.base) + SECONDS(3600));
    cleanup_snapshot struct store_snapshot *snap = store_snapshot_at(f->store, f->pods, now);
    assert_non_null(snap);
}

static void stats_count_what_is_there(void **state) {
    struct fixture *f = *state;
    struct store_stats empty, full;
    store_stats(f->store, &empty);
    put(f, "a/x", "1");
    put(f, "a/y", "1");
    store_stats(f->store, &full);
    assert_int_equal(full.entries, 2);
    assert_int_equal(full.commits, 2);
    assert_true(full.memory > 0);
    put(f, "a/x", NULL);
    put(f, "a/y", NULL);
    store_stats(f->store, &full);
    assert_int_equal(full.entries, 0);
    assert_int_equal(full.memory, empty.memory);
}

static void an_unknown_backend_is_an_error(void **state) {
    struct fixture *f = *state;
    struct store *s;
    assert_error(store_open(&(struct store_config){.backend = "punch cards", .clock = &f->clock.base}, &s),
                 "use sqlite or memory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_memory, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_empty_store_has_revision_1_and_the_first_commit_2),
        TEST(what_is_committed_can_be_read_with_its_revision),
        TEST(tables_do_not_share_keys),
        TEST(creating_what_exists_is_refused),
        TEST(a_stale_revision_is_a_conflict),
        TEST(changing_or_deleting_what_is_not_there_is_not_found),
        TEST(a_commit_is_all_or_nothing_and_has_one_revision),
        TEST(too_many_operations_and_too_long_keys_are_refused),
        TEST(a_snapshot_does_not_change),
        TEST(visits_are_in_order_and_limited_to_the_prefix),
        TEST(an_earlier_state_can_be_read_within_the_window),
        TEST(an_earlier_state_outside_the_window_is_gone),
        TEST(an_earlier_state_ends_in_time_though_its_table_is_quiet),
        TEST(the_present_state_never_ends),
        TEST(stats_count_what_is_there),
        TEST(an_unknown_backend_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
