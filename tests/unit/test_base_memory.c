#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void an_arena_aligns_grows_and_is_reusable(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    for (int round = 0; round < 3; round++) {
        char *p = arena_strdup(&a, "abc");
        for (size_t size = 4; size < 200000; size *= 2) p = arena_grow(&a, p, size, size * 2);
        assert_string_equal(p, "abc");
        for (size_t i = 0; i < 3000; i++) assert_int_equal((uintptr_t)arena_alloc(&a, i) % 16, 0);
        assert_int_equal(*(char *)arena_calloc(&a, 10, 10), 0);
        assert_true(a.total > 200000);
        arena_reset(&a);
        assert_int_equal(a.total, 0);
    }
}

static void arena_texts_may_be_long(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    assert_int_equal(strlen(arena_printf(&a, "%01000d", 7)), 1000);
    assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
}

static void a_buffer_is_always_a_string(void **state UNUSED) {
    cleanup_buf struct buf b = {0};
    assert_string_equal(buf_str(&b), "");
    buf_adds(&b, "ab");
    buf_addc(&b, 'c');
    buf_addi(&b, INT64_MIN);
    buf_printf(&b, "%s%01000d", "", 0);
    buf_consume(&b, 3);
    b.data[20] = '\0';
    assert_string_equal(b.data, "-9223372036854775808");
    buf_clear(&b);
    assert_string_equal(b.data, "");
    cleanup_free char *taken = buf_take(&b);
    assert_string_equal(taken, "");
    assert_null(b.data);
}

static void a_buffer_stops_at_its_maximum(void **state UNUSED) {
    cleanup_buf struct buf b = {.max = 5};
    buf_adds(&b, "abc");
    buf_adds(&b, "def");
    buf_addc(&b, 'x');
    assert_true(b.overflow);
    assert_string_equal(b.data, "abc");
    buf_clear(&b);
    buf_adds(&b, "12345");
    assert_false(b.overflow);
}

static void errors_are_wrapped_copied_and_keep_their_causes(void **state UNUSED) {
    cleanup_error struct error *e = error_api(404, "NotFound", "pods \"%s\" not found", "x");
    error_add_cause(e, "FieldValueInvalid", "bad", NULL);
    e = error_wrap(e, "get %d", 1);
    cleanup_error struct error *c = error_copy(e);
    assert_string_equal(c->message, "get 1: pods \"x\" not found");
    assert_true(error_is(c, "NotFound") && !error_is(NULL, "NotFound") && !error_is(c, "Conflict"));
    assert_true(c->has_details && c->cause_count == 1);
    assert_string_equal(c->causes[0].message, "bad");
    assert_null(c->causes[0].field);
    cleanup_error struct error *s = error_sys(ENOENT, "open %s", "f");
    assert_string_equal(s->message, "open f: No such file or directory");
    assert_int_equal(s->sys, ENOENT);
}

static void a_map_finds_what_was_set_and_not_removed(void **state UNUSED) {
    static int values[5000];
    struct map m = {0};
    char key[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_null(map_set(&m, key, &values[i]));
    }
    assert_ptr_equal(map_set(&m, "k7", &values[8]), &values[7]);
    for (int i = 0; i < 5000; i += 2) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_ptr_equal(map_remove(&m, key), &values[i]);
    }
    assert_null(map_remove(&m, "k0"));
    assert_int_equal(m.count, 2500);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_ptr_equal(map_get(&m, key), i % 2 == 0 ? NULL : i == 7 ? &values[8] : &values[i]);
    }
    map_free(&m, NULL);
    assert_null(map_get(&m, "k1"));
}

/* Keys differ from map to map, so that many orders are seen: the seed is the process'. */
static void a_map_may_lose_the_visited_slot(void **state UNUSED) {
    char key[32];
    for (int round = 0; round < 3000; round++) {
        struct map m = {0};
        int count = round % 3 == 0 ? 100 : 2 + round % 11, left = 0;
        for (int i = 0; i < count; i++) {
            snprintf(key, sizeof(key), "%d-%d", round, i);
            map_set(&m, key, xmalloc(1));
        }
        int seen = 0;
        for (struct map_slot *s = map_first(&m); s != NULL; s = map_next(&m, s), seen++) {
            if (round % 2 == 0 || seen % 3 != 0) free(map_remove(&m, s->key));
            else left++;
        }
        assert_int_equal(seen, count);
        assert_int_equal(m.count, left);
        map_free(&m, free);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_aligns_grows_and_is_reusable),
        cmocka_unit_test(arena_texts_may_be_long),
        cmocka_unit_test(a_buffer_is_always_a_string),
        cmocka_unit_test(a_buffer_stops_at_its_maximum),
        cmocka_unit_test(errors_are_wrapped_copied_and_keep_their_causes),
        cmocka_unit_test(a_map_finds_what_was_set_and_not_removed),
        cmocka_unit_test(a_map_may_lose_the_visited_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
