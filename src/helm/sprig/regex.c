/* Regular expressions. Those without must… panic with regexp.MustCompile's text where the expression is wrong; regexMatch does not match. */
#include "helm/go/regexp.h"
#include "helm/go/strconv.h"
#include "helm/sprig/internal.h"

static struct error *compile(struct go_run *run, struct value expr, bool must, const struct regexp **out) {
    struct error *e = regexp_compile(run->arena, expr.s, expr.len, out);
    if (e == NULL || must) return e;
    cleanup_buf struct buf quoted = {0};
    if (go_can_backquote(expr.s, expr.len)) buf_printf(&quoted, "`%.*s`", (int)expr.len, expr.s);
    else go_quote(&quoted, expr.s, expr.len);
    struct error *panic = error_new("regexp: Compile(%s): %s", buf_str(&quoted), e->message);
    error_free(e);
    return panic;
}

static struct error *match(struct go_run *run, const struct value *args, struct value *out) {
    const struct regexp *re;
    TRY(compile(run, args[0], true, &re));
    *out = value_bool(regexp_match(re, args[1].s, args[1].len, 0, NULL, 0));
    return NULL;
}

SPRIG(must_match) { return match(run, args, out); }
SPRIG(match_or_not) {
    *out = value_bool(false);
    error_free(match(run, args, out));
    return NULL;
}

static struct value texts(struct go_run *run, struct value s, const struct regexp_span *spans, size_t n) {
    struct value out = value_slice(run->arena, &go_strings, n);
    for (size_t i = 0; i < n; i++) out.items[i] = value_str(s.s + spans[i].start, (size_t)(spans[i].end - spans[i].start));
    return out;
}

static struct error *find_all(struct go_run *run, const struct value *args, bool must, struct value *out) {
    const struct regexp *re;
    size_t n;
    TRY(compile(run, args[0], must, &re));
    struct regexp_span *spans = regexp_find_all(run->arena, re, args[1].s, args[1].len, args[2].i, &n);
    *out = n ? texts(run, args[1], spans, n) : value_zero(&go_strings);
    return NULL;
}

static struct error *find(struct go_run *run, const struct value *args, bool must, struct value *out) {
    const struct regexp *re;
    struct regexp_span span;
    TRY(compile(run, args[0], must, &re));
    bool found = regexp_match(re, args[1].s, args[1].len, 0, &span, 1);
    *out = found ? value_str(args[1].s + span.start, (size_t)(span.end - span.start)) : value_literal("");
    return NULL;
}

static struct error *replace_all(struct go_run *run, const struct value *args, bool must, bool literal, struct value *out) {
    const struct regexp *re;
    cleanup_buf struct buf b = {.max = run->max_bytes};
    TRY(compile(run, args[0], must, &re));
    regexp_replace_all(re, args[1].s, args[1].len, args[2].s, args[2].len, literal, &b);
    return sprig_give(run, &b, out);
}

static struct error *split(struct go_run *run, const struct value *args, bool must, struct value *out) {
    const struct regexp *re;
    size_t n;
    TRY(compile(run, args[0], must, &re));
    struct regexp_span *spans = regexp_split(run->arena, re, args[1].s, args[1].len, args[2].i, &n);
    *out = spans ? texts(run, args[1], spans, n) : value_zero(&go_strings);
    return NULL;
}

SPRIG(regex_find_all) { return find_all(run, args, false, out); }
SPRIG(must_find_all) { return find_all(run, args, true, out); }
SPRIG(regex_find) { return find(run, args, false, out); }
SPRIG(must_find) { return find(run, args, true, out); }
SPRIG(regex_replace) { return replace_all(run, args, false, false, out); }
SPRIG(must_replace) { return replace_all(run, args, true, false, out); }
SPRIG(regex_replace_literal) { return replace_all(run, args, false, true, out); }
SPRIG(must_replace_literal) { return replace_all(run, args, true, true, out); }
SPRIG(regex_split) { return split(run, args, false, out); }
SPRIG(must_split) { return split(run, args, true, out); }

SPRIG(quote_meta) {
    cleanup_buf struct buf b = {0};
    regexp_quote_meta(args[0].s, args[0].len, &b);
    return sprig_give(run, &b, out);
}

const struct go_func sprig_regex[] = {
    GO_FUNC("regexMatch", match_or_not, &go_bool, &go_string, &go_string),
    GO_FUNC("mustRegexMatch", must_match, &go_bool, &go_string, &go_string),
    GO_FUNC("regexFindAll", regex_find_all, &go_strings, &go_string, &go_string, &go_int),
    GO_FUNC("mustRegexFindAll", must_find_all, &go_strings, &go_string, &go_string, &go_int),
    GO_FUNC("regexFind", regex_find, &go_string, &go_string, &go_string),
    GO_FUNC("mustRegexFind", must_find, &go_string, &go_string, &go_string),
    GO_FUNC("regexReplaceAll", regex_replace, &go_string, &go_string, &go_string, &go_string),
    GO_FUNC("mustRegexReplaceAll", must_replace, &go_string, &go_string, &go_string, &go_string),
    GO_FUNC("regexReplaceAllLiteral", regex_replace_literal, &go_string, &go_string, &go_string, &go_string),
    GO_FUNC("mustRegexReplaceAllLiteral", must_replace_literal, &go_string, &go_string, &go_string, &go_string),
    GO_FUNC("regexSplit", regex_split, &go_strings, &go_string, &go_string, &go_int),
    GO_FUNC("mustRegexSplit", must_split, &go_strings, &go_string, &go_string, &go_int),
    GO_FUNC("regexQuoteMeta", quote_meta, &go_string, &go_string),
    GO_FUNCS_END,
};
