/* Texts: cutting, joining, quoting, searching. */
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include "helm/sprig/internal.h"

#define TEXT(i) args[i].s, args[i].len

static struct value part(struct value s, size_t start, size_t end) { return value_str(s.s + start, end - start); }

SPRIG(hello) {
    *out = value_literal("Hello!");
    return NULL;
}

/* ---- trimming ---- */

/* Go's panics for s[low:high] out of range. */
static struct error *out_of_range(int64_t low, int64_t high, size_t len, bool low_given) {
    if (high < 0 || (uint64_t)high > len) return error_new("runtime error: slice bounds out of range [:%lld]%s", (long long)high, high < 0 ? "" : "");
    return error_new("runtime error: slice bounds out of range [%lld:%lld]", (long long)(low_given ? low : 0), (long long)high);
}

SPRIG(trunc_text) {
    int64_t c = args[0].i, n = args[1].len;
    *out = args[1];
    if (c < 0 && n + c > 0) *out = part(args[1], (size_t)(n + c), (size_t)n);
    if (c >= 0 && n > c) *out = part(args[1], 0, (size_t)c);
    return NULL;
}

SPRIG(trim) {
    size_t start = 0, end = args[0].len, width;
    while (start < end && rune_is_space(rune_decode(args[0].s + start, end - start, &width))) start += width;
    while (end > start && rune_is_space(rune_decode_last(args[0].s + start, end - start, &width))) end -= width;
    *out = part(args[0], start, end);
    return NULL;
}

static bool in_set(uint32_t r, struct value set) {
    size_t width;
    for (size_t i = 0; i < set.len; i += width)
        if (rune_decode(set.s + i, set.len - i, &width) == r) return true;
    return false;
}

SPRIG(trim_all) {
    size_t start = 0, end = args[1].len, width;
    while (start < end && in_set(rune_decode(args[1].s + start, end - start, &width), args[0])) start += width;
    while (end > start && in_set(rune_decode_last(args[1].s + start, end - start, &width), args[0])) end -= width;
    *out = part(args[1], start, end);
    return NULL;
}

static bool starts(struct value s, struct value prefix) { return s.len >= prefix.len && memcmp(s.s, prefix.s, prefix.len) == 0; }
static bool ends(struct value s, struct value suffix) { return s.len >= suffix.len && memcmp(s.s + s.len - suffix.len, suffix.s, suffix.len) == 0; }

SPRIG(trim_suffix) {
    *out = part(args[1], 0, ends(args[1], args[0]) ? args[1].len - args[0].len : args[1].len);
    return NULL;
}

SPRIG(trim_prefix) {
    *out = part(args[1], starts(args[1], args[0]) ? args[0].len : 0, args[1].len);
    return NULL;
}

SPRIG(substring) {
    int64_t start = args[0].i, end = args[1].i, n = args[2].len;
    bool given = start >= 0;
    if (!given) start = 0;
    else if (end < 0 || end > n) {
        if (start > n) return error_new("runtime error: slice bounds out of range [%lld:%lld]", (long long)start, (long long)n);
        end = n;
    }
    if (end < 0) return error_new("runtime error: slice bounds out of range [:%lld]", (long long)end);
    if (end > n) return error_new("runtime error: slice bounds out of range [:%lld] with length %lld", (long long)end, (long long)n);
    if (start > end) return out_of_range(start, end, (size_t)n, given);
    *out = part(args[2], (size_t)start, (size_t)end);
    return NULL;
}

/* Go's strings work byte by byte where they are shortened. */
static void abbreviate(struct buf *b, const char *s, int64_t n, int64_t offset, int64_t width) {
    if (n <= width) {
        buf_add(b, s, (size_t)n);
        return;
    }
    if (offset > n) offset = n;
    if (n - offset < width - 3) offset = n - (width - 3);
    if (offset <= 4) {
        buf_add(b, s, (size_t)(width - 3));
        buf_adds(b, "...");
        return;
    }
    if (width < 7) return; /* an error, which gives "" */
    buf_adds(b, "...");
    if (offset + width - 3 < n) {
        if (width - 3 >= 4) abbreviate(b, s + offset, n - offset, 0, width - 3);
    } else buf_add(b, s + n - (width - 3), (size_t)(width - 3));
}

SPRIG(abbrev) {
    cleanup_buf struct buf b = {0};
    *out = args[1];
    if (args[0].i < 4) return NULL;
    abbreviate(&b, args[1].s, args[1].len, 0, args[0].i);
    return sprig_give(run, &b, out);
}

SPRIG(abbrev_both) {
    cleanup_buf struct buf b = {0};
    int64_t left = args[0].i, right = args[1].i;
    *out = args[2];
    if (right < 4 || (left > 0 && right < 7)) return NULL;
    abbreviate(&b, args[2].s, args[2].len, left, right);
    return sprig_give(run, &b, out);
}

/* ---- searching and replacing ---- */

SPRIG(contains) {
    *out = value_bool(memmem(TEXT(1), TEXT(0)) != NULL || args[0].len == 0);
    return NULL;
}
SPRIG(has_prefix) {
    *out = value_bool(starts(args[1], args[0]));
    return NULL;
}
SPRIG(has_suffix) {
    *out = value_bool(ends(args[1], args[0]));
    return NULL;
}

/* strings.Replace of all; an empty `old` stands before every rune and at the end. */
static struct error *replace_all(struct go_run *run, struct value s, struct value old, struct value with, struct value *out) {
    cleanup_buf struct buf b = {0};
    if (old.len == 0) {
        TRY(go_reserve(run, ((uint64_t)s.len + 1) * ((uint64_t)with.len + 1)));
        size_t width;
        for (size_t i = 0; i <= s.len; i += width) {
            width = 1;
            buf_add(&b, with.s, with.len);
            if (i == s.len) break;
            rune_decode(s.s + i, s.len - i, &width);
            buf_add(&b, s.s + i, width);
        }
        return sprig_give(run, &b, out);
    }
    TRY(go_reserve(run, s.len + (uint64_t)s.len / old.len * with.len));
    const char *p = s.s, *end = s.s + s.len, *found;
    while ((found = memmem(p, (size_t)(end - p), old.s, old.len)) != NULL) {
        buf_add(&b, p, (size_t)(found - p));
        buf_add(&b, with.s, with.len);
        p = found + old.len;
    }
    if (p == s.s) {
        *out = s;
        return NULL;
    }
    buf_add(&b, p, (size_t)(end - p));
    return sprig_give(run, &b, out);
}

SPRIG(replace) { return replace_all(run, args[2], args[0], args[1], out); }

SPRIG(plural) {
    *out = args[2].i == 1 ? args[0] : args[1];
    return NULL;
}

/* ---- repeating and indenting ---- */

SPRIG(repeat) {
    cleanup_buf struct buf b = {0};
    if (args[0].i < 0) return error_new("strings: negative Repeat count");
    uint64_t total;
    if (__builtin_mul_overflow((uint64_t)args[0].i, (uint64_t)args[1].len, &total) || total > INT64_MAX) return error_new("strings: Repeat output length overflow");
    if (total > INT64_C(1) << 48) return error_new("runtime error: makeslice: len out of range");
    TRY(go_reserve(run, total));
    TRY(go_steps(run, args[1].len ? (uint64_t)args[0].i / 64 : 0));
    buf_reserve(&b, total);
    for (uint64_t i = 0; i < total; i += args[1].len) buf_add(&b, TEXT(1));
    return sprig_give(run, &b, out);
}

static struct error *indented(struct go_run *run, const char *first, int64_t spaces, struct value s, struct value *out) {
    cleanup_buf struct buf b = {0};
    if (spaces < 0) return error_new("strings: negative Repeat count");
    uint64_t lines = 1, total;
    for (const char *p = s.s, *end = s.s + s.len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) lines++;
    if (__builtin_mul_overflow(lines, (uint64_t)spaces, &total)) return error_new("strings: Repeat output length overflow");
    TRY(go_reserve(run, total + s.len + 1));
    buf_reserve(&b, total + s.len + 2);
    buf_adds(&b, first);
    for (const char *p = s.s, *end = s.s + s.len;;) {
        memset(b.data + b.len, ' ', (size_t)spaces); /* there is room */
        b.len += (size_t)spaces;
        const char *line = memchr(p, '\n', (size_t)(end - p));
        buf_add(&b, p, (size_t)((line ? line + 1 : end) - p));
        if (line == NULL) break;
        p = line + 1;
    }
    return sprig_give(run, &b, out);
}

SPRIG(indent) { return indented(run, "", args[0].i, args[1], out); }
SPRIG(nindent) { return indented(run, "\n", args[0].i, args[1], out); }

/* ---- quoting and joining ---- */

SPRIG(quote) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        if (args[i].type == NULL) continue;
        if (b.len > 0) buf_addc(&b, ' ');
        struct value s = sprig_text(run, args[i]);
        go_quote(&b, s.s, s.len);
    }
    return sprig_give(run, &b, out);
}

SPRIG(squote) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        if (args[i].type == NULL) continue;
        buf_adds(&b, b.len > 0 ? " '" : "'");
        go_print(&b, args[i]);
        buf_addc(&b, '\'');
    }
    return sprig_give(run, &b, out);
}

SPRIG(cat) {
    cleanup_buf struct buf b = {0};
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (args[i].type == NULL) continue;
        if (!first) buf_addc(&b, ' ');
        first = false;
        go_print(&b, args[i]);
    }
    return sprig_give(run, &b, out);
}

SPRIG(join) {
    cleanup_buf struct buf b = {0};
    struct value list = sprig_texts(run, args[1]);
    uint64_t total = 0;
    for (size_t i = 0; i < list.len; i++) total += list.items[i].len + (uint64_t)args[0].len;
    TRY(go_reserve(run, total));
    for (size_t i = 0; i < list.len; i++) {
        if (i > 0) buf_add(&b, TEXT(0));
        buf_add(&b, list.items[i].s, list.items[i].len);
    }
    return sprig_give(run, &b, out);
}

SPRIG(to_string) {
    *out = sprig_text(run, args[0]);
    return NULL;
}

SPRIG(to_strings) {
    *out = sprig_texts(run, args[0]);
    return NULL;
}

/* ---- splitting ---- */

/* strings.SplitN: at most `limit` pieces, all if it is negative, none if it is 0. An empty separator splits into runes. */
static struct value split_text(struct go_run *run, struct value s, struct value separator, int64_t limit) {
    size_t pieces = 1, n = 0, width;
    if (limit == 0) return value_zero(&go_strings);
    if (separator.len == 0) pieces = rune_count(s.s, s.len);
    else
        for (const char *p = s.s, *end = s.s + s.len; (p = memmem(p, (size_t)(end - p), separator.s, separator.len)) != NULL; p += separator.len) pieces++;
    if (limit > 0 && (uint64_t)limit < pieces) pieces = (size_t)limit;
    struct value out = value_slice(run->arena, &go_strings, pieces);
    size_t at = 0;
    for (; n + 1 < pieces; n++) {
        size_t len;
        if (separator.len == 0) {
            rune_decode(s.s + at, s.len - at, &width);
            len = width;
        } else len = (size_t)((const char *)memmem(s.s + at, s.len - at, separator.s, separator.len) - (s.s + at));
        out.items[n] = part(s, at, at + len);
        at += len + separator.len;
    }
    if (pieces > 0) out.items[n] = part(s, at, s.len);
    return out;
}

static struct value numbered(struct go_run *run, struct value list) {
    struct value out = value_map_new(run->arena, &go_map_string);
    for (size_t i = 0; i < list.len; i++) {
        const char *key = arena_printf(run->arena, "_%zu", i);
        value_map_set(out.map, key, strlen(key), list.items[i]);
    }
    return out;
}

SPRIG(split) {
    *out = numbered(run, split_text(run, args[1], args[0], -1));
    return NULL;
}
SPRIG(splitn) {
    *out = numbered(run, split_text(run, args[2], args[0], args[1].i));
    return NULL;
}
SPRIG(split_list) {
    *out = split_text(run, args[1], args[0], -1);
    return NULL;
}

const struct go_func sprig_strings[] = {
    GO_FUNC("hello", hello, &go_string),
    GO_FUNC("trunc", trunc_text, &go_string, &go_int, &go_string),
    GO_FUNC("trim", trim, &go_string, &go_string),
    GO_FUNC("trimAll", trim_all, &go_string, &go_string, &go_string),
    GO_FUNC("trimall", trim_all, &go_string, &go_string, &go_string),
    GO_FUNC("trimSuffix", trim_suffix, &go_string, &go_string, &go_string),
    GO_FUNC("trimPrefix", trim_prefix, &go_string, &go_string, &go_string),
    GO_FUNC("substr", substring, &go_string, &go_int, &go_int, &go_string),
    GO_FUNC("abbrev", abbrev, &go_string, &go_int, &go_string),
    GO_FUNC("abbrevboth", abbrev_both, &go_string, &go_int, &go_int, &go_string),
    GO_FUNC("contains", contains, &go_bool, &go_string, &go_string),
    GO_FUNC("hasPrefix", has_prefix, &go_bool, &go_string, &go_string),
    GO_FUNC("hasSuffix", has_suffix, &go_bool, &go_string, &go_string),
    GO_FUNC("replace", replace, &go_string, &go_string, &go_string, &go_string),
    GO_FUNC("plural", plural, &go_string, &go_string, &go_string, &go_int),
    GO_FUNC("repeat", repeat, &go_string, &go_int, &go_string),
    GO_FUNC("indent", indent, &go_string, &go_int, &go_string),
    GO_FUNC("nindent", nindent, &go_string, &go_int, &go_string),
    GO_VARIADIC("quote", quote, &go_string, &go_any),
    GO_VARIADIC("squote", squote, &go_string, &go_any),
    GO_VARIADIC("cat", cat, &go_string, &go_any),
    GO_FUNC("join", join, &go_string, &go_string, &go_any),
    GO_FUNC("toString", to_string, &go_string, &go_any),
    GO_FUNC("toStrings", to_strings, &go_strings, &go_any),
    GO_FUNC("split", split, &go_map_string, &go_string, &go_string),
    GO_FUNC("splitn", splitn, &go_map_string, &go_string, &go_int, &go_string),
    GO_FUNC("splitList", split_list, &go_strings, &go_string, &go_string),
    GO_FUNCS_END,
};
