#include "base/error.h"
#include "base/str.h"
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void strings_are_compared_split_and_read_as_numbers(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    size_t n;
    char **parts = str_split(&a, "a,,b", ',', &n);
    assert_int_equal(n, 3);
    assert_string_equal(parts[1], "");
    assert_string_equal(parts[2], "b");
    assert_null(parts[3]);
    assert_true(str_eq(NULL, NULL) && !str_eq("a", NULL) && str_starts("abc", "ab") && str_ends("abc", "bc") && !str_ends("c", "bc"));
    int64_t i;
    assert_true(str_to_int64("-9223372036854775808", &i) && i == INT64_MIN);
    const char *const bad[] = {"", "1x", " 1", "9223372036854775808", "-", "0x1", NULL};
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) assert_false(str_to_int64(bad[k], &i));
    assert_true(constant_time_eq("abc", "abc") && !constant_time_eq("abc", "abd") && !constant_time_eq("", "a") && !constant_time_eq("a", ""));
}

static void utf8_is_checked_to_the_letter_of_unicode(void **state UNUSED) {
    const char *const good[] = {"", "abcdefghij", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"};
    const char *const bad[] = {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "12345678\xFF"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) assert_true(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

static void base64_follows_the_rfc_s_examples_both_ways(void **state UNUSED) {
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}, {"\xFF\xFE\xFD", "//79"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        cleanup_buf struct buf b = {0};
        char *out;
        size_t n;
        base64_encode(&b, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(buf_str(&b), cases[i][1]);
        assert_true(base64_decode(&a, cases[i][1], strlen(cases[i][1]), &out, &n));
        assert_int_equal(n, strlen(cases[i][0]));
        assert_string_equal(out, cases[i][0]);
    }
    cleanup_arena struct arena a = {0};
    char *out;
    assert_true(base64_decode(&a, "Zm9v\nYg==\n", 10, &out, NULL));
    assert_string_equal(out, "foob");
    assert_true(base64url_decode(&a, "_-8", 3, &out, NULL));
    const char *const bad[] = {"Z", "Zg", "Zg=", "Z===", "Zm9*", "=", "====", "_-8="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(base64_decode(&a, bad[i], strlen(bad[i]), &out, NULL));
}

static void urls_are_decoded_and_encoded(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf b = {0};
    char *out;
    assert_true(url_decode(&a, "a%2Fb+c", 7, false, &out));
    assert_string_equal(out, "a/b+c");
    assert_true(url_decode(&a, "a%2fb+c", 7, true, &out));
    assert_string_equal(out, "a/b c");
    assert_false(url_decode(&a, "%2", 2, false, &out));
    assert_false(url_decode(&a, "%zz", 3, false, &out));
    url_encode(&b, "a/b c~\xC3\xA9");
    assert_string_equal(b.data, "a%2Fb%20c~%C3%A9");
}

static void random_things_have_their_form(void **state UNUSED) {
    char a[37], b[37], name[6];
    uuid_v4(a);
    uuid_v4(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    assert_true(a[14] == '4' && strchr("89ab", a[19]) != NULL && a[8] == '-');
    random_name_suffix(name, 5);
    assert_int_equal(strspn(name, "bcdfghjklmnpqrstvwxz2456789"), 5);
    uint8_t sum[32];
    cleanup_buf struct buf hex = {0};
    sha256("abc", 3, sum);
    hex_encode(&hex, sum, 4);
    assert_string_equal(hex.data, "ba7816bf");
}

static void files_are_written_read_and_removed_as_trees(void **state UNUSED) {
    char dir[] = "/tmp/test_base_str.XXXXXX";
    assert_non_null(mkdtemp(dir));
    cleanup_free char *deep = xprintf("%s/a/b/c", dir), *file = xprintf("%s/f", deep);
    assert_null(dir_make(deep, 0700));
    assert_null(dir_make(deep, 0700));
    assert_null(file_write_atomic(file, "one", 3, 0600));
    assert_null(file_write_atomic(file, "three", 5, 0640));
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    cleanup_buf struct buf b = {0};
    assert_null(file_read(file, 5, &b));
    assert_string_equal(b.data, "three");
    cleanup_error struct error *large = file_read(file, 4, &b), *none = file_read(dir, 10, &b), *inside = dir_make(file, 0700);
    assert_non_null(strstr(large->message, "larger than 4 bytes"));
    assert_non_null(strstr(none->message, "Is a directory"));
    assert_non_null(strstr(inside->message, "File exists"));
    cleanup_free char *link = xprintf("%s/link", deep);
    assert_int_equal(symlink("/", link), 0);
    assert_null(dir_remove(dir));
    assert_null(dir_remove(dir));
    assert_int_equal(access(dir, F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_compared_split_and_read_as_numbers),
        cmocka_unit_test(utf8_is_checked_to_the_letter_of_unicode),
        cmocka_unit_test(base64_follows_the_rfc_s_examples_both_ways),
        cmocka_unit_test(urls_are_decoded_and_encoded),
        cmocka_unit_test(random_things_have_their_form),
        cmocka_unit_test(files_are_written_read_and_removed_as_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
