/* Regular expressions: the same as Go's package regexp, errors included; time grows with the text and no faster. */
#include "helm/go/regexp.h"
#include "helm_golden.h"
#include <time.h>

static int wrong;

static void check(const struct json *c, const char *what, struct bytes want, const char *s, size_t n) {
    if (golden_same(want, s, n)) return;
    print_error("%s: %s: want <%.*s>, have <%.*s>\n", what, json_text(&(struct arena){0}, c), (int)want.n, want.s, (int)n, s);
    wrong++;
}

/* Spans as Go prints indexes: [[0,1],[2,3]]. */
static void check_spans(struct arena *a, const struct json *c, const char *what, const struct regexp_span *spans, size_t n, bool flat) {
    const struct json *want = json_member(c, what);
    struct json_array all = {.arena = a};
    for (size_t i = 0; i < n; i++) {
        struct json_array pair = {.arena = a}, *to = flat ? &all : &pair;
        json_array_add(to, json_integer(a, spans[i].start));
        json_array_add(to, json_integer(a, spans[i].end));
        if (!flat) json_array_add(&all, json_array_done(&pair));
    }
    const struct json *have = n == 0 ? &json_null : json_array_done(&all);
    const char *text = json_text(a, have), *wanted = json_text(a, want);
    check(c, what, (struct bytes){wanted, strlen(wanted)}, text, strlen(text));
}

static void check_split(struct arena *a, const struct regexp *re, struct bytes text, const struct json *c, const char *what, int64_t limit) {
    size_t n;
    struct regexp_span *spans = regexp_split(a, re, text.s, text.n, limit, &n);
    const struct json *want = json_member(c, what);
    if (n != json_len(want)) {
        print_error("%s: %s: %zu pieces\n", what, json_text(a, c), n);
        wrong++;
        return;
    }
    for (size_t i = 0; i < n; i++)
        check(c, what, golden_bytes(a, json_at(want, i)), text.s + spans[i].start, (size_t)(spans[i].end - spans[i].start));
}

static void check_case(const struct json *c) {
    cleanup_arena struct arena a = {0};
    const struct regexp *re;
    struct bytes expr = golden_member(&a, c, "expr"), text = golden_member(&a, c, "text"), with = golden_member(&a, c, "with");
    cleanup_error struct error *e = regexp_compile(&a, expr.s, expr.n, &re);
    const char *message = e ? e->message : "";
    check(c, "error", golden_member(&a, c, "error"), message, strlen(message));
    if (e != NULL || json_member(c, "error") != NULL) return;
    size_t groups = regexp_group_count(re), count;
    struct regexp_span *m = arena_calloc(&a, groups, sizeof(*m));
    check_spans(&a, c, "match", m, regexp_match(re, text.s, text.n, 0, m, groups) ? groups : 0, true);
    struct regexp_span *all = regexp_find_all(&a, re, text.s, text.n, -1, &count);
    check_spans(&a, c, "all", all, count, false);
    check_split(&a, re, text, c, "split", -1);
    check_split(&a, re, text, c, "split2", 2);
    cleanup_buf struct buf replaced = {0}, literal = {0}, quoted = {0};
    regexp_replace_all(re, text.s, text.n, with.s, with.n, false, &replaced);
    regexp_replace_all(re, text.s, text.n, with.s, with.n, true, &literal);
    regexp_quote_meta(text.s, text.n, &quoted);
    check(c, "replace", golden_member(&a, c, "replace"), buf_str(&replaced), replaced.len);
    check(c, "literal", golden_member(&a, c, "literal"), buf_str(&literal), literal.len);
    check(c, "quote", golden_member(&a, c, "quote"), buf_str(&quoted), quoted.len);
}

static void it_does_what_go_does(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *cases = golden_load(&a, "regexp.json");
    assert_true(json_len(cases) >= 200);
    JSON_EACH(c, cases) check_case(c);
    assert_int_equal(wrong, 0);
}

/* Expressions that make backtracking matchers run for ages. */
static void nothing_takes_exponential_time(void **state) {
    (void)state;
    static const char *const exprs[] = {"(a*)*b", "(a|aa)+$", "(a|a?)+$", "(.*)*x", "(.*?,){11}P", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){50}a{50}"};
    static char text[20000];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
        cleanup_arena struct arena a = {0};
        const struct regexp *re;
        assert_null(regexp_compile(&a, exprs[i], strlen(exprs[i]), &re));
        clock_t start = clock();
        regexp_match(re, text, sizeof(text), 0, NULL, 0);
        assert_true((clock() - start) / CLOCKS_PER_SEC < 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_go_does),
        cmocka_unit_test(nothing_takes_exponential_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
