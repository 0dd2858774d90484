/* Packed charts from strangers: names that lead outside, sizes that lie, bombs. */
#include "base/str.h"
#include "helm/chart/archive.h"
#include "helm_golden.h"

static void pack(struct buf *out, const char *const *names, const char *body) {
    cleanup_buf struct buf tar = {0};
    for (; *names != NULL; names++) assert_null(tar_add(&tar, *names, body, strlen(body), 0));
    tar_end(&tar);
    gzip_deflate(out, tar.data, tar.len);
}

static void refuses(const char *name, const char *message) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf packed = {0};
    struct chart_files files = {0};
    pack(&packed, (const char *const[]){name, NULL}, "x");
    cleanup_error struct error *e = chart_archive_files(&a, packed.data, packed.len, &files);
    assert_non_null(e);
    assert_string_equal(e->message, message);
}

static void names_that_lead_outside_are_refused(void **state) {
    (void)state;
    refuses("chart//etc/passwd", "chart illegally contains absolute paths");
    refuses("chart/../../etc/passwd", "chart illegally references parent directory");
    refuses("chart/a/../../x", "chart illegally references parent directory");
    refuses("chart\\..\\..\\x", "chart illegally references parent directory");
    refuses("chart/c:/windows", "chart contains illegally named files");
    refuses("x", "chart illegally contains content outside the base directory: \"x\"");
    refuses("Chart.yaml/x", "chart yaml not in base directory");
}

static void files_come_out_as_they_went_in(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf packed = {0};
    struct chart_files files = {0};
    cleanup_free char *deep = xprintf("chart/%090d/%080d/y.txt", 1, 2);
    pack(&packed, (const char *const[]){"chart/Chart.yaml", "chart/./a/../b/x.txt", deep, NULL}, "\xEF\xBB\xBF" "content");
    assert_null(chart_archive_files(&a, packed.data, packed.len, &files));
    assert_int_equal(files.count, 3);
    assert_string_equal(files.items[1].name, "b/x.txt");
    assert_string_equal(files.items[1].data, "content"); /* without the byte order mark */
    assert_string_equal(files.items[2].name, deep + strlen("chart/"));
}

static void bombs_end_in_an_error(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct chart_files files = {0};
    const size_t size = (size_t)120 << 20;
    cleanup_free char *zeros = xcalloc(size, 1);
    cleanup_buf struct buf packed = {0}, tar = {0}, one = {0};
    gzip_deflate(&packed, zeros, size);
    cleanup_error struct error *e = chart_archive_files(&a, packed.data, packed.len, &files);
    assert_string_equal(e->message, "decompressed chart is larger than the maximum file size 104857600");
    assert_null(tar_add(&tar, "chart/big", zeros, 6 << 20, 0));
    tar_end(&tar);
    gzip_deflate(&one, tar.data, tar.len);
    cleanup_error struct error *f = chart_archive_files(&a, one.data, one.len, &files);
    assert_string_equal(f->message, "decompressed chart file \"chart/big\" is larger than the maximum file size 5242880");
}

static void what_is_no_archive_is_named(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct chart_files files = {0};
    cleanup_buf struct buf packed = {0}, empty = {0};
    cleanup_error struct error *e = chart_archive_files(&a, "not gzip at all", 15, &files);
    assert_string_equal(e->message, "gzip: invalid header");
    pack(&packed, (const char *const[]){"chart/x", NULL}, "x");
    cleanup_error struct error *f = chart_archive_files(&a, packed.data, packed.len / 2, &files);
    assert_string_equal(f->message, "unexpected EOF");
    pack(&empty, (const char *const[]){NULL}, "");
    cleanup_error struct error *g = chart_archive_files(&a, empty.data, empty.len, &files);
    assert_string_equal(g->message, "no files in chart archive");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_lead_outside_are_refused),
        cmocka_unit_test(files_come_out_as_they_went_in),
        cmocka_unit_test(bombs_end_in_an_error),
        cmocka_unit_test(what_is_no_archive_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
