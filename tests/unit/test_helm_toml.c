/* TOML: read as BurntSushi/toml does, errors included, and written again. */
#include "helm/go/fmt.h"
#include "helm/go/toml.h"
#include "helm_golden.h"

static bool same(const char *what, struct bytes text, struct bytes want, const struct buf *have) {
    if (golden_same(want, buf_str(have), have->len)) return true;
    print_error("%.*s\n  %s: want <%.*s>\n  have <%s>\n", (int)text.n, text.s, what, (int)want.n, want.s, buf_str(have));
    return false;
}

static void documents_are_read_and_written_again(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "toml.json");
    int wrong = 0;
    setenv("TZ", "America/New_York", 1);
    JSON_EACH(c, cases) {
        cleanup_buf struct buf value = {0}, again = {0};
        struct bytes text = golden_member(&a, c, "text");
        struct value v = go_from_toml(&a, text.s, text.n);
        go_print(&value, v);
        cleanup_error struct error *e = go_toml_marshal(&a, v, &again);
        if (e != NULL) {
            buf_clear(&again);
            buf_adds(&again, e->message);
        }
        wrong += !same("value", text, golden_member(&a, c, "value"), &value);
        wrong += !same("text", text, golden_member(&a, c, "again"), &again);
    }
    print_message("%d of %u differ\n", wrong, cases->len);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(documents_are_read_and_written_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
