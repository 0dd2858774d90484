/* Volume contents: sets of files that change as a whole, host path checks, group ownership. */
#include "node/volumes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];
static struct arena a;

static int set_up(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_node_volume.%d", getpid());
    return mkdir(dir, 0755);
}

static int tear_down(void **state) {
    (void)state;
    arena_free(&a);
    error_free(dir_remove(dir));
    return 0;
}

static const char *read_file(const char *name) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(arena_printf(&a, "%s/%s", dir, name), 4096, &text);
    bool failed = e != NULL;
    error_free(e);
    return failed ? NULL : arena_strdup(&a, buf_str(&text));
}

static const char *link_of(const char *name) {
    char target[256];
    ssize_t n = readlink(arena_printf(&a, "%s/%s", dir, name), target, sizeof(target));
    return n < 0 ? NULL : arena_strndup(&a, target, (size_t)n);
}

static void files_appear_behind_links(void **state) {
    (void)state;
    struct volume_files f = {.a = &a};
    struct stat st;
    volume_files_add(&f, "a.txt", "A", 1, 0640);
    volume_files_add(&f, "deep/b", "B", 1, 0400);
    assert_null(volume_files_write(dir, &f, -1));
    assert_string_equal(read_file("a.txt"), "A");
    assert_string_equal(read_file("deep/b"), "B");
    assert_string_equal(link_of("a.txt"), "..data/a.txt");
    assert_string_equal(link_of("deep"), "..data/deep");
    assert_int_equal(stat(arena_printf(&a, "%s/a.txt", dir), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_change_replaces_the_set(void **state) {
    (void)state;
    const char *before = link_of("..data");
    struct volume_files f = {.a = &a};
    volume_files_add(&f, "deep/b", "C", 1, 0400);
    assert_null(volume_files_write(dir, &f, -1));
    assert_string_equal(read_file("deep/b"), "C");
    assert_null(read_file("a.txt"));
    assert_null(link_of("a.txt"));
    assert_string_not_equal(link_of("..data"), before);
    assert_int_not_equal(access(arena_printf(&a, "%s/%s", dir, before), F_OK), 0);
}

static void the_same_content_changes_nothing(void **state) {
    (void)state;
    const char *before = link_of("..data");
    struct volume_files f = {.a = &a};
    volume_files_add(&f, "deep/b", "C", 1, 0400);
    assert_null(volume_files_write(dir, &f, -1));
    assert_string_equal(link_of("..data"), before);
}

static void the_later_of_two_files_of_one_path_wins(void **state) {
    (void)state;
    struct volume_files f = {.a = &a};
    volume_files_add(&f, "x", "1", 1, 0644);
    volume_files_add(&f, "x", "2", 1, 0644);
    assert_int_equal(f.len, 1);
    assert_memory_equal(f.items[0].data, "2", 1);
}

static void host_paths_are_checked_by_type(void **state) {
    (void)state;
    struct error *e = host_path_prepare("/no/such/dir", "Directory");
    assert_string_equal(e->message, "hostPath type check failed: /no/such/dir is not a directory");
    error_free(e);
    e = host_path_prepare("/etc/passwd", "Socket");
    assert_string_equal(e->message, "hostPath type check failed: /etc/passwd is not a socket");
    error_free(e);
    assert_null(host_path_prepare("/etc/passwd", "File"));
    assert_null(host_path_prepare("/no/such/dir", ""));
    assert_null(host_path_prepare(arena_printf(&a, "%s/made/deep", dir), "DirectoryOrCreate"));
    assert_null(host_path_prepare(arena_printf(&a, "%s/made/file", dir), "FileOrCreate"));
    assert_null(host_path_prepare(arena_printf(&a, "%s/made/file", dir), "File"));
}

static void the_group_owns_what_is_in_a_volume(void **state) {
    (void)state;
    struct stat st;
    if (geteuid() != 0) skip();
    assert_null(ownership_set(arena_printf(&a, "%s/made", dir), 77, false, false));
    assert_int_equal(stat(arena_printf(&a, "%s/made/file", dir), &st), 0);
    assert_int_equal(st.st_gid, 77);
    assert_int_equal(st.st_mode & 07777, 0664);
    assert_int_equal(stat(arena_printf(&a, "%s/made/deep", dir), &st), 0);
    assert_int_equal(st.st_mode & 07777, 02775);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_appear_behind_links), cmocka_unit_test(a_change_replaces_the_set),
        cmocka_unit_test(the_same_content_changes_nothing), cmocka_unit_test(the_later_of_two_files_of_one_path_wins),
        cmocka_unit_test(host_paths_are_checked_by_type), cmocka_unit_test(the_group_owns_what_is_in_a_volume),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
