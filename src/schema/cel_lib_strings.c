/* CEL's string functions: the standard ones, cel-go's strings extension, Kubernetes' regex library. Positions count code points. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/str.h"
#include "schema/cel_internal.h"
#include <ctype.h>
#include <pcre2.h>

#define FN(name) static const struct cel_value *name(struct cel_run *r UNUSED, const struct cel_value *const *a)

/* ---- code points ---- */

static size_t rune_bytes(const char *s) {
    unsigned char c = (unsigned char)*s;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static int64_t runes(const char *s, size_t n) {
    int64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += (s[i] & 0xc0) != 0x80;
    return count;
}

/* Where the n-th code point begins; NULL if the string is shorter. */
static const char *rune_at(const struct cel_value *v, int64_t n) {
    const char *s = v->s, *end = v->s + v->len;
    for (; n > 0 && s < end; n--)
        s += rune_bytes(s);
    return n == 0 ? s : NULL;
}

static const struct cel_value *bad_index(struct cel_run *r, int64_t i) { return cel_fail(r, "index out of range: %lld", (long long)i); }

static const struct cel_value *copied(struct cel_run *r, const struct buf *b) {
    return cel_string_n(r->arena, arena_strndup(r->arena, buf_str(b), b->len), b->len);
}

static bool walk(struct cel_run *r, const struct cel_value *v) { return cel_spend(r, v->len / 10); }

/* ---- searching ---- */

FN(starts_with) { return cel_bool(a[0]->len >= a[1]->len && memcmp(a[0]->s, a[1]->s, a[1]->len) == 0); }
FN(ends_with) { return cel_bool(a[0]->len >= a[1]->len && memcmp(a[0]->s + a[0]->len - a[1]->len, a[1]->s, a[1]->len) == 0); }
FN(contains) { return cel_bool(walk(r, a[0]) && memmem(a[0]->s, a[0]->len, a[1]->s, a[1]->len) != NULL); }

static const struct cel_value *find(struct cel_run *r, const struct cel_value *const *a, int64_t from, bool last) {
    const char *start = rune_at(a[0], from), *end = a[0]->s + a[0]->len, *found = NULL;
    walk(r, a[0]);
    if (from < 0 || start == NULL) return bad_index(r, from);
    for (const char *s = last ? a[0]->s : start; s + a[1]->len <= end && !(last && s > start); s++)
        if ((*s & 0xc0) != 0x80 && memcmp(s, a[1]->s, a[1]->len) == 0) {
            found = s;
            if (!last) break;
        }
    return cel_int(r->arena, found ? runes(a[0]->s, (size_t)(found - a[0]->s)) : -1);
}
FN(index_of) { return find(r, a, 0, false); }
FN(index_of_from) { return find(r, a, a[2]->i, false); }
FN(last_index_of) { return find(r, a, runes(a[0]->s, a[0]->len), true); }
FN(last_index_of_from) { return find(r, a, a[2]->i, true); }

FN(char_at) {
    const char *s = a[1]->i < 0 ? NULL : rune_at(a[0], a[1]->i);
    if (s == NULL) return bad_index(r, a[1]->i);
    return cel_string_n(r->arena, arena_strndup(r->arena, s, *s ? rune_bytes(s) : 0), *s ? rune_bytes(s) : 0);
}

static const struct cel_value *part(struct cel_run *r, const struct cel_value *v, int64_t from, int64_t to) {
    const char *start = from < 0 ? NULL : rune_at(v, from), *end = to < 0 ? NULL : rune_at(v, to);
    if (start == NULL) return bad_index(r, from);
    if (end == NULL) return bad_index(r, to);
    if (end < start) return cel_fail(r, "invalid substring range. start: %lld, end: %lld", (long long)from, (long long)to);
    return cel_string_n(r->arena, arena_strndup(r->arena, start, (size_t)(end - start)), (size_t)(end - start));
}
FN(substring) { return part(r, a[0], a[1]->i, runes(a[0]->s, a[0]->len)); }
FN(substring_to) { return part(r, a[0], a[1]->i, a[2]->i); }

/* ---- changing ---- */

static const struct cel_value *each_byte(struct cel_run *r, const struct cel_value *v, int (*fn)(int c)) {
    char *s = arena_strndup(r->arena, v->s, v->len);
    walk(r, v);
    for (size_t i = 0; i < v->len; i++)
        if ((unsigned char)s[i] < 0x80) s[i] = (char)fn(s[i]);
    return cel_string_n(r->arena, s, v->len);
}
FN(lower) { return each_byte(r, a[0], tolower); }
FN(upper) { return each_byte(r, a[0], toupper); }

FN(trim) {
    size_t from = 0, to = a[0]->len;
    while (from < to && isspace((unsigned char)a[0]->s[from])) from++;
    while (to > from && isspace((unsigned char)a[0]->s[to - 1])) to--;
    return cel_string_n(r->arena, arena_strndup(r->arena, a[0]->s + from, to - from), to - from);
}

static const struct cel_value *replace(struct cel_run *r, const struct cel_value *const *a, int64_t limit) {
    cleanup_buf struct buf b = {0};
    const char *s = a[0]->s, *end = s + a[0]->len;
    walk(r, a[0]);
    while (s <= end) {
        bool here = limit != 0 && s + a[1]->len <= end && memcmp(s, a[1]->s, a[1]->len) == 0;
        if (here) buf_add(&b, a[2]->s, a[2]->len), limit--;
        size_t step = here && a[1]->len ? a[1]->len : s < end ? rune_bytes(s) : 1;
        if (!here || a[1]->len == 0) buf_add(&b, s, s < end ? step : 0);
        s += step;
        if (!cel_spend(r, a[2]->len / 10)) break;
    }
    return copied(r, &b);
}
FN(replace_all) { return replace(r, a, -1); }
FN(replace_some) { return replace(r, a, a[3]->i); }

static const struct cel_value *split(struct cel_run *r, const struct cel_value *const *a, int64_t limit) {
    const struct cel_value **items = arena_calloc(r->arena, a[0]->len + 2, sizeof(*items));
    const char *s = a[0]->s, *end = s + a[0]->len;
    size_t n = 0;
    walk(r, a[0]);
    if (limit == 0) return cel_list(r->arena, items, 0);
    while (limit < 0 || (int64_t)n < limit - 1) {
        const char *at = a[1]->len ? memmem(s, (size_t)(end - s), a[1]->s, a[1]->len) : s < end && s + rune_bytes(s) < end ? s + rune_bytes(s) : NULL;
        if (at == NULL) break;
        items[n++] = cel_string_n(r->arena, arena_strndup(r->arena, s, (size_t)(at - s)), (size_t)(at - s));
        s = at + a[1]->len;
    }
    if (s < end || a[1]->len > 0) items[n++] = cel_string_n(r->arena, arena_strndup(r->arena, s, (size_t)(end - s)), (size_t)(end - s));
    return cel_list(r->arena, items, n);
}
FN(split_all) { return split(r, a, -1); }
FN(split_some) { return split(r, a, a[2]->i); }

static const struct cel_value *join(struct cel_run *r, const struct cel_value *list, const char *separator) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < cel_size(list); i++) {
        const struct cel_value *v = cel_at(r->arena, list, i);
        if (v->kind != CEL_STRING) return cel_fail(r, "no such overload");
        if (i > 0) buf_adds(&b, separator);
        buf_add(&b, v->s, v->len);
        if (!cel_spend(r, v->len / 10)) break;
    }
    return copied(r, &b);
}
FN(join_plain) { return join(r, a[0], ""); }
FN(join_with) { return join(r, a[0], a[1]->s); }
FN(quote) { return cel_string(r->arena, status_quote(r->arena, a[0]->s)); }

/* ---- format: %s %d %f %e %b %x %X %o %% ---- */

static void add_binary(struct buf *b, uint64_t u) {
    char digits[65], *p = digits + 64;
    *p = '\0';
    do *--p = (char)('0' + (u & 1));
    while (u >>= 1);
    buf_adds(b, p);
}

static bool add_formatted(struct cel_run *r, struct buf *b, char clause, int precision, const struct cel_value *v) {
    const struct json *text = cel_to_json(r->arena, v);
    double d = v->kind == CEL_DOUBLE ? v->d : v->kind == CEL_INT ? (double)v->i : (double)v->u;
    bool number = v->kind == CEL_INT || v->kind == CEL_UINT || v->kind == CEL_DOUBLE, whole = number && v->kind != CEL_DOUBLE;
    switch (clause) {
    case 's': buf_adds(b, text->type == JSON_STRING ? text->s : json_text(r->arena, text)); return true;
    case 'd': buf_adds(b, json_text(r->arena, text)); return number;
    case 'f': buf_printf(b, "%.*f", precision, d); return number;
    case 'e': buf_printf(b, "%.*e", precision, d); return number;
    case 'o': buf_printf(b, "%llo", (unsigned long long)v->u); return whole;
    case 'b':
        add_binary(b, v->kind == CEL_BOOL ? v->b : v->u);
        return whole || v->kind == CEL_BOOL;
    case 'x':
    case 'X':
        if (whole) buf_printf(b, clause == 'x' ? "%llx" : "%llX", (unsigned long long)v->u);
        for (size_t i = 0; !whole && (v->kind == CEL_STRING || v->kind == CEL_BYTES) && i < v->len; i++)
            buf_printf(b, clause == 'x' ? "%02x" : "%02X", (unsigned char)v->s[i]);
        return whole || v->kind == CEL_STRING || v->kind == CEL_BYTES;
    default: return false;
    }
}

FN(format) {
    cleanup_buf struct buf b = {0};
    size_t next = 0;
    for (const char *s = a[0]->s; *s; s++) {
        if (*s != '%') {
            buf_addc(&b, *s);
            continue;
        }
        if (*++s == '%') {
            buf_addc(&b, '%');
            continue;
        }
        int precision = 6;
        if (*s == '.')
            for (precision = 0, s++; isdigit((unsigned char)*s) && precision < 1000; s++)
                precision = precision * 10 + (*s - '0');
        if (next >= cel_size(a[1])) return cel_fail(r, "index %zu out of range", next);
        if (!add_formatted(r, &b, *s, MIN(precision, 300), cel_at(r->arena, a[1], next++)))
            return cel_fail(r, "error during formatting: unrecognized formatting clause \"%c\"", *s);
        if (*s == '\0') break;
    }
    return copied(r, &b);
}

/* ---- regular expressions ---- */

/* PCRE2 stands in for RE2, within limits that keep it about linear. */
static pcre2_code *compile(struct cel_run *r, const struct cel_value *pattern) {
    int error;
    PCRE2_SIZE offset;
    cel_spend(r, pattern->len / 4 + 1);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern->s, pattern->len, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &offset, NULL);
    if (code == NULL) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(error, why, sizeof(why));
        cel_fail(r, "error parsing regexp: %s: `%s`", (const char *)why, pattern->s);
    }
    return code;
}

static bool match(struct cel_run *r, const pcre2_code *code, const struct cel_value *v, size_t from, size_t *start, size_t *end) {
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_set_match_limit(context, 1000000);
    pcre2_set_depth_limit(context, 10000);
    int n = pcre2_match(code, (PCRE2_SPTR)v->s, v->len, from, 0, data, context);
    if (n >= 0) {
        *start = pcre2_get_ovector_pointer(data)[0];
        *end = pcre2_get_ovector_pointer(data)[1];
    } else if (n != PCRE2_ERROR_NOMATCH) {
        cel_fail(r, "regular expression took too long");
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return n >= 0;
}

static const struct cel_value *matches_of(struct cel_run *r, const struct cel_value *const *a, int64_t limit) {
    const struct cel_value **items = arena_calloc(r->arena, a[0]->len + 2, sizeof(*items));
    pcre2_code *code = compile(r, a[1]);
    size_t n = 0, start, end;
    for (size_t from = 0; code && from <= a[0]->len && (limit < 0 || (int64_t)n < limit) && match(r, code, a[0], from, &start, &end);) {
        items[n++] = cel_string_n(r->arena, arena_strndup(r->arena, a[0]->s + start, end - start), end - start);
        from = end > start ? end : end + 1;
        if (!walk(r, a[0])) break;
    }
    pcre2_code_free(code);
    return cel_list(r->arena, items, n);
}

FN(matches) {
    size_t start, end;
    pcre2_code *code = compile(r, a[1]);
    bool found = code && walk(r, a[0]) && match(r, code, a[0], 0, &start, &end);
    pcre2_code_free(code);
    return cel_bool(found);
}
FN(find_first) {
    const struct cel_value *all = matches_of(r, a, 1);
    return cel_size(all) ? cel_at(r->arena, all, 0) : cel_string(r->arena, "");
}
FN(find_all) { return matches_of(r, a, -1); }
FN(find_some) { return matches_of(r, a, a[2]->i); }


const struct cel_function cel_strings[] = {
    {"startsWith", "s.s", 'b', starts_with}, {"endsWith", "s.s", 'b', ends_with}, {"contains", "s.s", 'b', contains}, {"matches", "s.s", 'b', matches},
    {"matches", "ss", 'b', matches}, {"charAt", "s.i", 's', char_at}, {"indexOf", "s.s", 'i', index_of}, {"indexOf", "s.si", 'i', index_of_from},
    {"lastIndexOf", "s.s", 'i', last_index_of}, {"lastIndexOf", "s.si", 'i', last_index_of_from}, {"lowerAscii", "s.", 's', lower},
    {"upperAscii", "s.", 's', upper}, {"replace", "s.ss", 's', replace_all}, {"replace", "s.ssi", 's', replace_some}, {"split", "s.s", 'L', split_all},
    {"split", "s.si", 'L', split_some}, {"substring", "s.i", 's', substring}, {"substring", "s.ii", 's', substring_to}, {"trim", "s.", 's', trim},
    {"join", "l.", 's', join_plain}, {"join", "l.s", 's', join_with}, {"format", "s.l", 's', format},
    {"strings.quote", "s", 's', quote}, {"find", "s.s", 's', find_first}, {"findAll", "s.s", 'L', find_all}, {"findAll", "s.si", 'L', find_some},
    {NULL},
};
