/* IP forwarding is switched on, and back to what it was. */
#include "network/forwarding.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    char dir[64], v4[80], v6[80], state[80];
    struct forwarding_switch switches[4];
};

static int setup(void **state) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/coracle-forwarding-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->v4, sizeof(f->v4), "%s/v4", f->dir);
    snprintf(f->v6, sizeof(f->v6), "%s/v6", f->dir);
    snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
    f->switches[0] = (struct forwarding_switch){"ipv4", f->v4, false};
    f->switches[1] = (struct forwarding_switch){"ipv6", f->v6, false};
    f->switches[2] = (struct forwarding_switch){"none", "/proc/sys/net/no/such", true};
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    assert_null(dir_remove(f->dir));
    free(f);
    return 0;
}

static void put(const char *path, const char *text) { assert_null(file_write_atomic(path, text, strlen(text), 0644)); }

static void expect(const struct fixture *f, const char *v4, const char *v6) {
    cleanup_buf struct buf a = {0}, b = {0};
    assert_null(file_read(f->v4, 16, &a));
    assert_null(file_read(f->v6, 16, &b));
    assert_string_equal(buf_str(&a), v4);
    assert_string_equal(buf_str(&b), v6);
}

static void what_was_off_is_off_again(void **state) {
    struct fixture *f = *state;
    put(f->v4, "0\n"), put(f->v6, "1\n");
    assert_null(forwarding_allow(f->state, f->switches, "boot-1"));
    assert_null(forwarding_allow(f->state, f->switches, "boot-1")); /* a second start */
    expect(f, "1\n", "1\n");
    assert_null(forwarding_restore(f->state, f->switches, "boot-1"));
    expect(f, "0\n", "1\n");
}

static void a_restarted_machine_has_its_own_settings(void **state) {
    struct fixture *f = *state;
    put(f->v4, "0\n"), put(f->v6, "0\n");
    assert_null(forwarding_allow(f->state, f->switches, "boot-1"));
    put(f->v4, "1\n"), put(f->v6, "0\n"); /* somebody wants it on from now on */
    assert_null(forwarding_restore(f->state, f->switches, "boot-2"));
    expect(f, "1\n", "0\n");
    assert_null(forwarding_allow(f->state, f->switches, "boot-2"));
    assert_null(forwarding_restore(f->state, f->switches, "boot-2"));
    expect(f, "1\n", "0\n");
}

static void without_a_directory_nothing_is_remembered(void **state) {
    struct fixture *f = *state;
    put(f->v4, "0\n"), put(f->v6, "0\n");
    assert_null(forwarding_allow(NULL, f->switches, "boot-1"));
    expect(f, "1\n", "1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_off_is_off_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_machine_has_its_own_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_directory_nothing_is_remembered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
