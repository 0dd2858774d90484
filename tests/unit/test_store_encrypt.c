/* Encryption of values: keys, rotation, tampering. */
#include "store/encrypt.h"
#include "store_fixture.h"

static char path[] = "/tmp/coracle-keys-test";
static const char key_a[] = "a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char key_b[] = "b AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

static struct encryption *with_keys(const char *first, const char *second) {
    cleanup_free char *text = xprintf("%s%s", first, second);
    assert_no_error(file_write_atomic(path, text, strlen(text), 0600));
    struct encryption *e;
    assert_no_error(encryption_open(path, &e));
    return e;
}

static int remove_keys(void **state UNUSED) {
    unlink(path);
    return 0;
}

static void what_is_encrypted_can_be_decrypted(void **state UNUSED) {
    struct encryption *e = with_keys(key_a, "");
    cleanup_buf struct buf coded = {0}, plain = {0};
    assert_no_error(encryption_encode(e, "/registry/secrets/a/x", "hello", 5, &coded));
    assert_null(memmem(coded.data, coded.len, "hello", 5));
    assert_no_error(encryption_decode(e, "/registry/secrets/a/x", coded.data, coded.len, &plain));
    assert_string_equal(plain.data, "hello");
    encryption_free(e);
}

static void a_new_first_key_encrypts_and_the_old_one_still_decrypts(void **state UNUSED) {
    struct encryption *old = with_keys(key_a, "");
    cleanup_buf struct buf coded = {0}, plain = {0}, fresh = {0};
    assert_no_error(encryption_encode(old, "k", "hello", 5, &coded));
    encryption_free(old);
    struct encryption *e = with_keys(key_b, key_a);
    assert_no_error(encryption_decode(e, "k", coded.data, coded.len, &plain));
    assert_string_equal(plain.data, "hello");
    assert_no_error(encryption_encode(e, "k", "hello", 5, &fresh));
    assert_memory_equal(fresh.data, "k8s:enc:aesgcm:v1:b:", 20);
    encryption_free(e);
    struct encryption *other = with_keys(key_a, "");
    assert_error(encryption_decode(other, "k", fresh.data, fresh.len, &plain), "its key is not in the key file");
    encryption_free(other);
}

static void every_changed_byte_is_noticed(void **state UNUSED) {
    struct encryption *e = with_keys(key_a, "");
    cleanup_buf struct buf coded = {0};
    assert_no_error(encryption_encode(e, "k", "hello", 5, &coded));
    for (size_t i = 20; i < coded.len; i++) {
        cleanup_buf struct buf plain = {0};
        coded.data[i] ^= 1;
        assert_error(encryption_decode(e, "k", coded.data, coded.len, &plain), "cannot be decrypted");
        coded.data[i] ^= 1;
    }
    for (size_t n = 18; n < coded.len; n++) {
        cleanup_buf struct buf plain = {0};
        assert_error(encryption_decode(e, "k", coded.data, n, &plain), "cannot be decrypted");
    }
    encryption_free(e);
}

static void a_missing_key_file_is_made_for_us_alone(void **state UNUSED) {
    unlink(path);
    struct encryption *e;
    assert_no_error(encryption_open(path, &e));
    encryption_free(e);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void bad_key_files_are_refused(void **state UNUSED) {
    static const struct { const char *text; unsigned mode; const char *error; } cases[] = {
        {key_a, 0644, "can be read by others"}, {"", 0600, "there is none"}, {"a AAAA\n", 0600, "line 1 is not"}, {"nonsense\n",
                0600, "line 1 is not"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct encryption *e;
        assert_no_error(file_write_atomic(path, cases[i].text, strlen(cases[i].text), cases[i].mode));
        assert_error(encryption_open(path, &e), cases[i].error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_encrypted_can_be_decrypted, remove_keys),
        cmocka_unit_test_teardown(a_new_first_key_encrypts_and_the_old_one_still_decrypts, remove_keys),
        cmocka_unit_test_teardown(every_changed_byte_is_noticed, remove_keys),
        cmocka_unit_test_teardown(a_missing_key_file_is_made_for_us_alone, remove_keys),
        cmocka_unit_test_teardown(bad_key_files_are_refused, remove_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
