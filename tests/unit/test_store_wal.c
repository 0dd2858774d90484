/* Looking at sqlite's log before sqlite does: what was acknowledged must be whole, what was torn may go. */
#include "base/str.h"
#include "store/wal.h"
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { HEADER = 32, FRAME = 24 + 4096 };

struct log {
    char dir[32];
    char *path, *wal, *copy;
};

/* A database with five commits in its log, copied while it is open. */
static int setup(void **state) {
    struct log *l = *state = xcalloc(1, sizeof(*l));
    sqlite3 *db;
    snprintf(l->dir, sizeof(l->dir), "/tmp/wal-XXXXXX");
    assert_non_null(mkdtemp(l->dir));
    l->path = xprintf("%s/db", l->dir), l->wal = xprintf("%s/db-wal", l->dir), l->copy = xprintf("%s/copy", l->dir);
    assert_int_equal(sqlite3_open(l->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES (1)", NULL, NULL, NULL), SQLITE_OK);
    cleanup_buf struct buf bytes = {0};
    assert_null(file_read(l->wal, 1 << 24, &bytes));
    assert_null(file_write_atomic(l->copy, bytes.data, bytes.len, 0600));
    sqlite3_close(db);
    return 0;
}

static int teardown(void **state) {
    struct log *l = *state;
    error_free(dir_remove(l->dir));
    free(l->path), free(l->wal), free(l->copy), free(l);
    return 0;
}

static void damage(const struct log *l, off_t at) {
    cleanup_fd int fd = open(l->copy, O_RDWR | O_CLOEXEC);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 0x55);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static off_t size_of(const struct log *l) {
    struct stat st;
    assert_int_equal(stat(l->copy, &st), 0);
    return st.st_size;
}

static void is_damaged(const struct log *l) {
    cleanup_error struct error *e = wal_check(l->copy);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "is damaged"));
}

static void a_whole_log_and_none_are_good(void **state) {
    const struct log *l = *state;
    assert_true(size_of(l) >= HEADER + 5 * FRAME);
    assert_null(wal_check(l->copy));
    assert_null(wal_check("/proc/nonexistent/db-wal"));
    assert_int_equal(truncate(l->copy, 0), 0);
    assert_null(wal_check(l->copy));
}

static void a_torn_last_commit_is_good(void **state) {
    const struct log *l = *state;
    off_t size = size_of(l);
    damage(l, size - 100);
    assert_null(wal_check(l->copy));
    assert_int_equal(truncate(l->copy, size - 1000), 0);
    assert_null(wal_check(l->copy));
    assert_int_equal(truncate(l->copy, 7), 0);
    assert_null(wal_check(l->copy));
}

static void damage_before_the_last_commit_is_found(void **state) {
    const struct log *l = *state;
    damage(l, HEADER + 24 + 10);
    is_damaged(l);
}

static void a_damaged_header_is_found(void **state) {
    const struct log *l = *state;
    damage(l, 16);
    is_damaged(l);
}

static void a_damaged_frame_header_is_found(void **state) {
    const struct log *l = *state;
    damage(l, HEADER + FRAME + 9);
    is_damaged(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_log_and_none_are_good, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_last_commit_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_before_the_last_commit_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_header_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_frame_header_is_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
