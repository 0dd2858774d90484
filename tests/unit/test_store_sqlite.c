/* The sqlite backend: what survives, and what is said when something is wrong. */
#include "store/encrypt.h"
#include "store_fixture.h"
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>

static void everything_survives_closing(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    put(f, "a/x", "2");
    put(f, "a/y", "1");
    uint64_t last = put(f, "a/y", NULL);
    reopen(f);
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(f->store);
    cleanup_free char *all = contents(snap, f->pods, "");
    assert_string_equal(all, "a/x=2");
    assert_int_equal(store_revision(f->store), last);
    cleanup_doc struct doc *d = store_get(f->store, f->pods, "a/x");
    assert_int_equal(d->revision, 3);
    assert_string_equal(json_str(d->root, "metadata.resourceVersion"), "3");
    assert_int_equal(put(f, "a/z", "1"), last + 1);
}

static void watches_cannot_start_before_what_is_known_after_opening(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    uint64_t last = put(f, "a/x", "2");
    reopen(f);
    struct store_watch *w;
    assert_error(store_watch_open(f->store, f->pods, last - 1, NULL, NULL, &w), "Expired");
    assert_no_error(store_watch_open(f->store, f->pods, last, NULL, NULL, &w));
    store_watch_close(w);
    /* nothing ever happened in this table */
    assert_no_error(store_watch_open(f->store, store_table(f->store, "nodes"), 1, NULL, NULL, &w));
    store_watch_close(w);
}

static int64_t query(const char *path, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static void compaction_drops_superseded_values_and_deletions(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 1100; i++) put(f, "a/x", "v");
    put(f, "a/y", "1");
    uint64_t last = put(f, "a/y", NULL);
    clock_virtual_set(&f->clock, f->clock.now + SECONDS(10));
    assert_no_error(store_compact(f->store, SECONDS(5)));
    store_close(TAKE(f->store));
    assert_int_equal(query(f->path, "SELECT count(*) FROM log"), 1);
    reopen(f);
    assert_value(f, "a/x", "v");
    assert_value(f, "a/y", NULL);
    assert_int_equal(store_revision(f->store), last);
    struct store_watch *w; /* the deletion is forgotten, so nobody may start before it */
    assert_error(store_watch_open(f->store, f->pods, last - 1, NULL, NULL, &w), "Expired");
}

static void compaction_keeps_what_is_young(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    clock_virtual_set(&f->clock, f->clock.now + SECONDS(10));
    put(f, "a/x", "2");
    assert_no_error(store_compact(f->store, SECONDS(5)));
    store_close(TAKE(f->store));
    assert_int_equal(query(f->path, "SELECT count(*) FROM log"), 2);
}

static void compaction_runs_by_itself_and_gives_space_back(void **state) {
    struct fixture *f = *state;
    char big[20000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    for (int i = 0; i < 500; i++) put(f, "a/x", big);
    struct store_stats full, compacted;
    store_stats(f->store, &full);
    clock_virtual_set(&f->clock, f->clock.now + SECONDS(601));
    put(f, "a/x", "small");
    for (int i = 0; i < 200; i++) {
        store_stats(f->store, &compacted);
        if (compacted.disk_bytes < full.disk_bytes / 3) return;
        usleep(10000);
    }
    fail_msg("%zu bytes of %zu are still used", (size_t)compacted.disk_bytes, (size_t)full.disk_bytes);
}

static void a_backup_of_a_running_store_can_be_opened(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) put(f, "a/x", "v");
    cleanup_free char *path = xprintf("%s/backup.db", f->dir);
    assert_no_error(store_backup(f->store, path));
    put(f, "a/x", "later");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    f->config.path = path;
    reopen(f);
    assert_value(f, "a/x", "v");
    assert_int_equal(store_revision(f->store), 301);
}

static void a_backup_to_nowhere_is_an_error(void **state) {
    struct fixture *f = *state;
    assert_error(store_backup(f->store, "/proc/nonexistent/backup.db"), "cannot write /proc/nonexistent/backup.db");
}

static void a_second_server_is_told_that_one_is_running(void **state) {
    struct fixture *f = *state;
    struct store *second;
    assert_error(store_open(&f->config, &second), "another server runs on this data directory");
}

static void a_file_that_is_no_database_is_refused(void **state) {
    struct fixture *f = *state;
    store_close(TAKE(f->store));
    char text[5000];
    memset(text, 'x', sizeof(text));
    assert_no_error(file_write_atomic(f->path, text, sizeof(text), 0600));
    assert_error(store_open(&f->config, &f->store), "is not a database");
}

static void a_damaged_page_is_found_at_opening(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) {
        cleanup_free char *key = xprintf("a/%d", i);
        put(f, key, "v");
    }
    store_close(TAKE(f->store));
    cleanup_fd int fd = open(f->path, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size > 4 * 4096);
    char garbage[4096];
    memset(garbage, 0xa5, sizeof(garbage));
    assert_int_equal(pwrite(fd, garbage, sizeof(garbage), st.st_size - 2 * 4096), sizeof(garbage));
    assert_error(store_open(&f->config, &f->store), "is damaged");
}

static void a_torn_end_of_the_log_is_dropped(void **state) {
    struct fixture *f = *state;
    put(f, "a/x", "1");
    uint64_t acknowledged = put(f, "a/x", "2");
    /* A copy of what is on disk now, as after a power failure, with half a frame more. */
    cleanup_free char *db = xprintf("%s/torn.db", f->dir), *wal = xprintf("%s/torn.db-wal", f->dir), *from = xprintf("%s-wal",
            f->path);
    struct buf bytes = {0};
    assert_no_error(file_read(f->path, 1 << 24, &bytes));
    assert_no_error(file_write_atomic(db, bytes.data, bytes.len, 0600));
    buf_clear(&bytes);
    assert_no_error(file_read(from, 1 << 24, &bytes));
    for (int i = 0; i < 2000; i++) buf_addc(&bytes, (char)i);
    assert_no_error(file_write_atomic(wal, bytes.data, bytes.len, 0600));
    buf_free(&bytes);
    f->config.path = db;
    reopen(f);
    assert_value(f, "a/x", "2");
    assert_int_equal(store_revision(f->store), acknowledged);
}

static void a_newer_format_is_refused(void **state) {
    struct fixture *f = *state;
    store_close(TAKE(f->store));
    query(f->path, "PRAGMA user_version = 99");
    assert_error(store_open(&f->config, &f->store), "written by a newer version (format 99");
}

static void a_database_of_another_program_is_refused(void **state) {
    struct fixture *f = *state;
    store_close(TAKE(f->store));
    query(f->path, "PRAGMA application_id = 7");
    assert_error(store_open(&f->config, &f->store), "belongs to another program");
}

static void a_missing_directory_is_named(void **state) {
    struct fixture *f = *state;
    f->config.path = "/proc/nonexistent/dir/state.db";
    struct store *s;
    assert_error(store_open(&f->config, &s), "/proc/nonexistent/dir/state.db cannot be opened; the directory must exist");
}

static void on_a_full_disk_commits_fail_and_later_ones_succeed(void **state) {
    struct fixture *f = *state;
    f->config.max_bytes = 200 * 1024;
    reopen(f);
    uint64_t revision, last = put(f, "a/x", "1");
    char big[100000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    put(f, "a/big", big);
    assert_error(try_put(f, "a/big2", big, 0, &revision), "free some space");
    /* the head is the published state again */
    assert_value(f, "a/big2", NULL);
    assert_null(store_get_head(f->store, f->pods, "a/big2"));
    assert_int_equal(store_revision(f->store), last + 1);
    put(f, "a/x", "2");
    clock_virtual_set(&f->clock, f->clock.now + SECONDS(10));
    put(f, "a/big", NULL);
    clock_virtual_set(&f->clock, f->clock.now + SECONDS(10));
    assert_no_error(store_compact(f->store, 0));
    assert_no_error(try_put(f, "a/big2", big, 0, &revision));
    reopen(f);
    assert_value(f, "a/x", "2");
    assert_value(f, "a/big2", big);
}

/* A file system of 2 MB, if we may mount one. */
static void a_file_system_without_space_is_survived(void **state) {
    struct fixture *f = *state;
    store_close(TAKE(f->store));
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("none", f->dir, "tmpfs", 0,
            "size=2m") != 0) skip();
    cleanup_free char *filler = xprintf("%s/filler", f->dir);
    reopen(f);
    put(f, "a/x", "1");
    cleanup_fd int fd = open(filler, O_CREAT | O_WRONLY, 0600);
    char zeros[4096] = {0};
    while (write(fd, zeros, sizeof(zeros)) > 0) {}
    uint64_t revision;
    int refused = 0;
    struct error *e = NULL;
    for (int i = 0; i < 50 && !e; i++, refused++) e = try_put(f, "a/x", "2", STORE_ANY, &revision);
    assert_error(e, "free some space");
    assert_value(f, "a/x", refused > 1 ? "2" : "1");
    assert_int_equal(ftruncate(fd, 0), 0);
    put(f, "a/x", "3");
    reopen(f);
    assert_value(f, "a/x", "3");
    store_close(TAKE(f->store));
    assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
}

static void hold_or_fail(uint64_t revision UNUSED, const struct error *error, void *arg) { ++((int *)arg)[error ? 1 : 0]; }

static void everything_committed_upon_a_failed_commit_fails_too(void **state) {
    struct fixture *f = *state;
    f->config.max_bytes = 100 * 1024;
    reopen(f);
    char big[150000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    cleanup_doc struct doc *first = make_doc("x", big), *second = make_doc("x", "2");
    int results[2] = {0};
    uint64_t revision, then;
    assert_no_error(store_commit(f->store, &(struct store_op){f->pods, "a/x", first, 0}, 1, hold_or_fail, results, &revision));
    cleanup_error struct error *late = store_commit(f->store, &(struct store_op){f->pods, "a/x", second, revision}, 1,
                                                    hold_or_fail, results, &then);
    store_close(TAKE(f->store));
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], late ? 1 : 2); /* late: the failure was quicker than we */
    reopen(f);
    assert_value(f, "a/x", NULL);
}

/* ---- encryption at rest ---- */

static void encrypt_pods(struct fixture *f, struct encryption **e) {
    cleanup_free char *keys = xprintf("%s/keys", f->dir);
    assert_no_error(encryption_open(keys, e));
    static struct store_transform t;
    t = (struct store_transform){"pods", encryption_encode, encryption_decode, *e};
    f->config.transforms = &t;
    f->config.transform_count = 1;
    reopen(f);
}

static void encrypted_tables_do_not_show_their_values_on_disk(void **state) {
    struct fixture *f = *state;
    struct encryption *e;
    put(f, "a/old", "written before encryption");
    encrypt_pods(f, &e);
    assert_value(f, "a/old", "written before encryption");
    put(f, "a/x", "very secret");
    store_close(TAKE(f->store));
    struct buf bytes = {0};
    assert_no_error(file_read(f->path, 1 << 24, &bytes));
    assert_null(memmem(bytes.data, bytes.len, "very secret", 11));
    assert_non_null(memmem(bytes.data, bytes.len, "k8s:enc:aesgcm:v1:key1:", 23));
    buf_free(&bytes);
    encryption_free(e);
    encrypt_pods(f, &e);
    assert_value(f, "a/x", "very secret");
    store_close(TAKE(f->store));
    encryption_free(e);
}

static void a_value_moved_to_another_key_is_not_accepted(void **state) {
    struct fixture *f = *state;
    struct encryption *e;
    encrypt_pods(f, &e);
    put(f, "a/x", "very secret");
    store_close(TAKE(f->store));
    query(f->path, "UPDATE log SET key = 'b/x'");
    assert_error(store_open(&f->config, &f->store), "/registry/pods/b/x cannot be decrypted");
    encryption_free(e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_sqlite, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(everything_survives_closing),
        TEST(watches_cannot_start_before_what_is_known_after_opening),
        TEST(compaction_drops_superseded_values_and_deletions),
        TEST(compaction_keeps_what_is_young),
        TEST(compaction_runs_by_itself_and_gives_space_back),
        TEST(a_backup_of_a_running_store_can_be_opened),
        TEST(a_backup_to_nowhere_is_an_error),
        TEST(a_second_server_is_told_that_one_is_running),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_damaged_page_is_found_at_opening),
        TEST(a_torn_end_of_the_log_is_dropped),
        TEST(a_newer_format_is_refused),
        TEST(a_database_of_another_program_is_refused),
        TEST(a_missing_directory_is_named),
        TEST(on_a_full_disk_commits_fail_and_later_ones_succeed),
        TEST(a_file_system_without_space_is_survived),
        TEST(everything_committed_upon_a_failed_commit_fails_too),
        TEST(encrypted_tables_do_not_show_their_values_on_disk),
        TEST(a_value_moved_to_another_key_is_not_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
