/* What Go's package regexp does with matches: find all, split, replace. */
#include "helm/go/regexp_internal.h"
#include "helm/go/unicode.h"

struct error *regexp_compile(struct arena *a, const char *s, size_t n, const struct regexp **out) {
    struct regexp *re = ARENA_NEW(a, struct regexp);
    const struct node *root = NULL;
    TRY(regexp_parse(a, s, n, re, &root));
    regexp_generate(a, root, re);
    re->empty = n == 0;
    *out = re;
    return NULL;
}

size_t regexp_group_count(const struct regexp *re) { return re->groups; }

struct spans {
    struct arena *arena;
    struct regexp_span *items;
    size_t count, cap;
};

static void spans_add(struct spans *l, int64_t start, int64_t end) {
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        l->items = arena_grow(l->arena, l->items, l->cap * sizeof(*l->items), cap * sizeof(*l->items));
        l->cap = cap;
    }
    l->items[l->count++] = (struct regexp_span){start, end};
}

/* An empty match right behind another one does not count. */
struct regexp_span *regexp_find_all(struct arena *a, const struct regexp *re, const char *text, size_t n, int64_t limit, size_t *count) {
    struct spans found = {.arena = a};
    struct regexp_span m;
    int64_t previous_end = -1;
    for (size_t at = 0; at <= n && (limit < 0 || (int64_t)found.count < limit) && regexp_match(re, text, n, at, &m, 1);) {
        bool accept = true;
        if (m.end == (int64_t)at) {
            accept = m.start != previous_end;
            size_t width = 1;
            if (at < n) rune_decode(text + at, n - at, &width);
            at += width;
        } else at = (size_t)m.end;
        previous_end = m.end;
        if (accept) spans_add(&found, m.start, m.end);
    }
    *count = found.count;
    return found.items;
}

struct regexp_span *regexp_split(struct arena *a, const struct regexp *re, const char *text, size_t n, int64_t limit, size_t *count) {
    struct spans pieces = {.arena = a};
    *count = 0;
    if (limit == 0) return NULL;
    size_t matches;
    int64_t start = 0, end = 0;
    if (n == 0 && !re->empty) {
        spans_add(&pieces, 0, 0);
        *count = 1;
        return pieces.items;
    }
    struct regexp_span *m = regexp_find_all(a, re, text, n, limit, &matches);
    for (size_t i = 0; i < matches; i++) {
        if (limit > 0 && (int64_t)pieces.count == limit - 1) break;
        end = m[i].start;
        if (m[i].end != 0) spans_add(&pieces, start, end);
        start = m[i].end;
    }
    if (end != (int64_t)n) spans_add(&pieces, start, (int64_t)n);
    *count = pieces.count;
    return pieces.items ? pieces.items : arena_alloc(a, sizeof(*pieces.items));
}

/* ---- replacing ---- */

/* The number of the group called so, -1 if there is none: digits without leading zeros, or a name. */
static int64_t group_named(const struct regexp *re, const char *name, size_t len) {
    int64_t number = 0;
    for (size_t i = 0; i < len && number >= 0; i++)
        number = name[i] < '0' || name[i] > '9' || number >= 100000000 ? -1 : number * 10 + (name[i] - '0');
    if (len > 1 && name[0] == '0') number = -1;
    if (number >= 0) return number;
    int64_t found = -1;
    for (size_t i = 0; i < re->name_count; i++)
        if (re->names[i].len == len && memcmp(re->names[i].name, name, len) == 0) found = re->names[i].group;
    return found;
}

/* The length of the reference behind a $: letters, digits and _, perhaps in braces; 0 if there is none. */
static size_t reference(const char *s, size_t n, const char **name, size_t *len) {
    bool braces = n > 0 && s[0] == '{';
    size_t i = braces, width;
    while (i < n) {
        uint32_t r = rune_decode(s + i, n - i, &width);
        if (r != '_' && !rune_is_letter(r) && !rune_is_digit(r)) break;
        i += width;
    }
    *name = s + braces;
    *len = i - braces;
    if (*len == 0) return 0;
    if (!braces) return i;
    return i < n && s[i] == '}' ? i + 1 : 0;
}

/* Each name of the expression that takes part in the match is preferred among those that are the same. */
static void add_reference(const struct regexp *re, const char *name, size_t len, const char *text, const struct regexp_span *groups, struct buf *out) {
    int64_t number = group_named(re, name, len);
    for (size_t i = 0; i < re->name_count; i++) {
        bool same = re->names[i].len == len && memcmp(re->names[i].name, name, len) == 0;
        if (same && groups[re->names[i].group].start >= 0) {
            number = re->names[i].group;
            break;
        }
    }
    if (number < 0 || number >= re->groups || groups[number].start < 0) return;
    buf_add(out, text + groups[number].start, (size_t)(groups[number].end - groups[number].start));
}

static void expand(const struct regexp *re, const char *with, size_t n, const char *text, const struct regexp_span *groups, struct buf *out) {
    for (size_t i = 0; i < n;) {
        const char *dollar = memchr(with + i, '$', n - i), *name;
        size_t plain = dollar ? (size_t)(dollar - with) - i : n - i, len;
        buf_add(out, with + i, plain);
        i += plain;
        if (dollar == NULL) return;
        i++;
        if (i < n && with[i] == '$') {
            buf_addc(out, '$');
            i++;
            continue;
        }
        size_t used = reference(with + i, n - i, &name, &len);
        if (used == 0) buf_addc(out, '$');
        else add_reference(re, name, len, text, groups, out);
        i += used;
    }
}

void regexp_replace_all(const struct regexp *re, const char *text, size_t n, const char *with, size_t with_len, bool literal, struct buf *out) {
    cleanup_free struct regexp_span *groups = xcalloc(re->groups, sizeof(*groups));
    size_t last = 0;
    for (size_t at = 0; at <= n && regexp_match(re, text, n, at, groups, literal ? 1 : re->groups);) {
        size_t start = (size_t)groups[0].start, end = (size_t)groups[0].end, width = 0;
        buf_add(out, text + last, start - last);
        if (end > last || start == 0) {
            if (literal) buf_add(out, with, with_len);
            else expand(re, with, with_len, text, groups, out);
        }
        last = end;
        if (at < n) rune_decode(text + at, n - at, &width);
        if (at + width > end) at += width;
        else if (at + 1 > end) at++;
        else at = end;
    }
    buf_add(out, text + last, n - last);
}

void regexp_quote_meta(const char *s, size_t n, struct buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '\0' && strchr("\\.+*?()|[]{}^$", s[i]) != NULL) buf_addc(out, '\\');
        buf_addc(out, s[i]);
    }
}
