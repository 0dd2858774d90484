/* One pass over one copy of the text: strings are unescaped in place and end where their quote was, so a string costs
 * no allocation. Elements of open arrays and objects collect on a stack and move to the arena, exactly sized, when
 * their bracket closes. The copy ends with a NUL, which is in no valid text, so the loops need no bounds. */
#include "base/str.h"
#include "json/index.h"
#include <stdio.h>

/* Where we are, for the paths of doubled members. */
struct place {
    const struct place *up;
    const char *key; /* NULL: in an array */
    uint32_t key_len, index;
};

struct parser {
    struct arena *arena;
    char *p, *end;
    char *stack;
    size_t top, cap;
    size_t depth, max_depth, elements, max_elements;
    struct json_array *duplicates;
    struct error *error, *late;
};

static void cleanup_parser_(struct parser *p) {
    free(p->stack);
    error_free(p->late);
}

/* ---- errors, worded as encoding/json does ---- */

/* As strconv.Quote writes one byte, taken for a Latin-1 character, between single quotes. */
static void quote(char out[16], unsigned char c) {
    static const char names[] = "abtnvfr"; /* of 7 to 13 */
    if (c == '\'' || c == '\\') snprintf(out, 16, "'\\%c'", c);
    else if (c >= 7 && c <= 13) snprintf(out, 16, "'\\%c'", names[c - 7]);
    else if (c < 0x20 || c == 0x7F) snprintf(out, 16, "'\\x%02x'", c);
    else if (c < 0x7F) snprintf(out, 16, "'%c'", c);
    else if (c <= 0xA0 || c == 0xAD) snprintf(out, 16, "'\\u%04x'", c);
    else snprintf(out, 16, "'%c%c'", 0xC0 | c >> 6, 0x80 | (c & 0x3F));
}

/* The byte at p->p must not stand where it does, inside a token. Always false. Go feeds a space at the end. */
static __attribute__((cold)) bool bad_token(struct parser *p, const char *context) {
    char c[16];
    quote(c, (unsigned char)(p->p < p->end ? *p->p : ' '));
    p->error = error_new("invalid character %s %s", c, context);
    return false;
}

/* The same where a space would do no harm. */
static __attribute__((cold)) bool bad(struct parser *p, const char *context) {
    if (p->p < p->end) return bad_token(p, context);
    p->error = error_new("unexpected end of JSON input");
    return false;
}

static __attribute__((cold)) bool fail(struct parser *p, const char *message) {
    p->error = error_new("%s", message);
    return false;
}

/* ---- the stack of unfinished elements ---- */

static void *push(struct parser *p, size_t size) {
    if (p->cap - p->top < size) {
        p->cap = MAX(p->cap * 2, (size_t)4096);
        p->stack = xrealloc(p->stack, p->cap);
    }
    void *at = p->stack + p->top;
    p->top += size;
    return at;
}

static void *pop(struct parser *p, size_t from) {
    void *out = arena_dup(p->arena, p->stack + from, p->top - from);
    p->top = from;
    return out;
}

/* ---- scalars ---- */

static inline void skip_space(struct parser *p) {
    while (*p->p == ' ' || *p->p == '\n' || *p->p == '\t' || *p->p == '\r') p->p++;
}

static bool literal(struct parser *p, const char *word, const struct json *value, struct json *out) {
    for (const char *w = word; *w; w++, p->p++) {
        if (*p->p == *w) continue;
        char context[64];
        snprintf(context, sizeof(context), "in literal %s (expecting '%c')", word, *w);
        return bad_token(p, context);
    }
    *out = *value;
    return true;
}

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static bool number_slow(struct parser *p, char *start, struct json *out) {
    char saved = *p->p;
    *p->p = '\0';
    *out = (struct json){.type = JSON_DOUBLE, .d = strtod(start, NULL)};
    bool infinite = out->d - out->d != 0;
    if (infinite && p->late == NULL) p->late = error_new("json: cannot unmarshal number %s into Go value of type float64", start);
    *p->p = saved;
    return true;
}

static bool number(struct parser *p, struct json *out) {
    char *start = p->p;
    bool negative = *p->p == '-', whole = true;
    if (negative) p->p++;
    char *first = p->p;
    uint64_t value = 0;
    if (*p->p == '0') p->p++;
    else if (is_digit(*p->p)) for (; is_digit(*p->p); p->p++) value = value * 10 + (uint64_t)(*p->p - '0');
    else return bad_token(p, "in numeric literal");
    size_t count = (size_t)(p->p - first);
    if (*p->p == '.') {
        whole = false;
        if (!is_digit(*++p->p)) return bad_token(p, "after decimal point in numeric literal");
        while (is_digit(*p->p)) p->p++;
    }
    if ((*p->p | 0x20) == 'e') {
        whole = false;
        p->p++;
        if (*p->p == '+' || *p->p == '-') p->p++;
        if (!is_digit(*p->p)) return bad_token(p, "in exponent of numeric literal");
        while (is_digit(*p->p)) p->p++;
    }
    if (!whole || count > 19 || value > (uint64_t)INT64_MAX + negative) return number_slow(p, start, out);
    *out = (struct json){.type = JSON_INT, .i = (int64_t)(negative ? 0 - value : value)};
    return true;
}

static int hex4(const char *s) {
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)s[i], d = is_digit((char)c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (d < 0) return -1 - i;
        v = v << 4 | d;
    }
    return v;
}

static char *put_utf8(char *to, int c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xE0 | c >> 12);
        } else {
            *to++ = (char)(0xF0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    if (c >= 0x80) *to++ = (char)(0x80 | (c & 0x3F));
    return to;
}

/* The escape at p->p, which is behind the backslash. Half a surrogate pair becomes U+FFFD. */
static bool escape(struct parser *p, char **to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *simple = *p->p ? strchr(from, *p->p) : NULL;
    if (simple != NULL) {
        *(*to)++ = into[simple - from];
        p->p++;
        return true;
    }
    if (*p->p != 'u') return bad_token(p, "in string escape code");
    int c = hex4(++p->p);
    if (c < 0) {
        p->p += -1 - c;
        return bad_token(p, "in \\u hexadecimal character escape");
    }
    p->p += 4;
    if (c >= 0xD800 && c < 0xE000) {
        int low = c < 0xDC00 && p->p[0] == '\\' && p->p[1] == 'u' ? hex4(p->p + 2) : -1;
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            p->p += 6;
        } else {
            c = 0xFFFD;
        }
    }
    *to = put_utf8(*to, c);
    return true;
}

/* Each byte that is no UTF-8 becomes U+FFFD. */
static const char *repair(struct parser *p, const char *s, size_t n, uint32_t *len) {
    char *out = arena_alloc(p->arena, n * 3 + 1), *to = out;
    for (size_t i = 0; i < n;) {
        size_t take = 1;
        while (take < 4 && i + take <= n && !utf8_valid(s + i, take)) take++;
        if (take < 4 ? i + take <= n : i + 4 <= n && utf8_valid(s + i, 4)) {
            memcpy(to, s + i, take);
            to += take;
            i += take;
        } else {
            to = put_utf8(to, 0xFFFD);
            i++;
        }
    }
    *to = '\0';
    *len = (uint32_t)(to - out);
    return out;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS (ONES * 0x80)
/* The high bit of each byte that is zero (exact for the lowest such byte, which is all that is used). */
#define ZERO_BYTES(x) (((x) - ONES) & ~(x) & HIGHS)

/* Skips what needs no thought in a string: all but quote, backslash, control characters and non-ASCII. */
static inline char *skip_plain(char *s) {
    for (;; s += 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        uint64_t stop = ZERO_BYTES(w ^ (ONES * '"')) | ZERO_BYTES(w ^ (ONES * '\\')) | ((w - ONES * 0x20) & HIGHS) | (w & HIGHS);
        if (stop != 0) return s + (__builtin_ctzll(stop) >> 3);
    }
}

/* The string behind the quote at p->p. The result is valid UTF-8 and ends with a NUL in place of its closing quote. */
static bool string(struct parser *p, const char **out, uint32_t *len) {
    char *start = ++p->p, *to = start;
    bool ascii = true;
    for (;;) {
        char *run = p->p;
        p->p = skip_plain(p->p);
        while ((unsigned char)*p->p >= 0x80) {
            ascii = false;
            p->p++;
        }
        if (to != run) memmove(to, run, (size_t)(p->p - run));
        to += p->p - run;
        if (*p->p == '"') break;
        if (*p->p == '\\') {
            p->p++;
            if (!escape(p, &to)) return false;
        } else if ((unsigned char)*p->p < 0x20) {
            return bad(p, "in string literal");
        }
    }
    p->p++;
    *to = '\0';
    *out = start;
    *len = (uint32_t)(to - start);
    if (!ascii && !utf8_valid(start, *len)) *out = repair(p, start, *len, len);
    return true;
}

/* ---- arrays and objects ---- */

static void path_write(struct buf *out, const struct place *at) {
    if (at == NULL) return;
    path_write(out, at->up);
    if (at->key == NULL) {
        buf_printf(out, "[%u]", at->index);
        return;
    }
    if (out->len) buf_addc(out, '.');
    buf_add(out, at->key, at->key_len);
}

/* As sigs.k8s.io/json: a hundred at most, none twice. */
static void report_duplicate(struct parser *p, const struct place *up, const struct json_member *m) {
    if (p->duplicates == NULL || p->duplicates->len >= 100) return;
    cleanup_buf struct buf path = {0};
    path_write(&path, &(struct place){.up = up, .key = m->key, .key_len = m->key_len});
    for (size_t i = 0; i < p->duplicates->len; i++)
        if (strcmp(p->duplicates->items[i].s, buf_str(&path)) == 0) return;
    json_array_add(p->duplicates, json_string_n(p->duplicates->arena, path.data, path.len));
}

/* Keeps the last value of each name; returns how many members are left. */
static uint32_t unite(struct parser *p, const struct place *up, struct json_member *members, uint32_t n) {
    cleanup_index struct member_index x;
    member_index_init(&x, members, n);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (kept != i) members[kept] = members[i];
        int64_t before = member_index_add(&x, kept);
        if (before < 0) {
            kept++;
            continue;
        }
        report_duplicate(p, up, &members[i]);
        members[before].value = members[i].value;
    }
    return kept;
}

static bool value(struct parser *p, const struct place *up, struct json *out);

static bool object(struct parser *p, const struct place *up, struct json *out) {
    size_t from = p->top;
    uint32_t n = 0;
    struct place here = {.up = up};
    p->p++;
    skip_space(p);
    while (n > 0 || *p->p != '}') {
        if (*p->p != '"') return bad(p, "looking for beginning of object key string");
        if (!string(p, &here.key, &here.key_len)) return false;
        skip_space(p);
        if (*p->p != ':') return bad(p, "after object key");
        p->p++;
        struct json v;
        if (!value(p, &here, &v)) return false;
        struct json_member *m = push(p, sizeof(*m));
        *m = (struct json_member){.key = here.key, .key_len = here.key_len, .value = v};
        n++;
        skip_space(p);
        if (*p->p == '}') break;
        if (*p->p != ',') return bad(p, "after object key:value pair");
        p->p++;
        skip_space(p);
    }
    p->p++;
    if (n > 1) {
        n = unite(p, up, (struct json_member *)(void *)(p->stack + from), n);
        p->top = from + n * sizeof(struct json_member);
    }
    *out = (struct json){.type = JSON_OBJECT, .len = n, .members = n ? pop(p, from) : NULL};
    return true;
}

static bool array(struct parser *p, const struct place *up, struct json *out) {
    size_t from = p->top;
    uint32_t n = 0;
    struct place here = {.up = up};
    p->p++;
    skip_space(p);
    while (n > 0 || *p->p != ']') {
        struct json v;
        here.index = n;
        if (!value(p, &here, &v)) return false;
        *(struct json *)push(p, sizeof(v)) = v;
        n++;
        skip_space(p);
        if (*p->p == ']') break;
        if (*p->p != ',') return bad(p, "after array element");
        p->p++;
    }
    p->p++;
    *out = (struct json){.type = JSON_ARRAY, .len = n, .items = n ? pop(p, from) : NULL};
    return true;
}

static bool value(struct parser *p, const struct place *up, struct json *out) {
    skip_space(p);
    if (++p->elements > p->max_elements) return fail(p, "too many elements");
    switch (*p->p) {
    case '"': {
        const char *s;
        uint32_t len;
        if (!string(p, &s, &len)) return false;
        *out = (struct json){.type = JSON_STRING, .len = len, .s = s};
        return true;
    }
    case '{':
    case '[': {
        if (++p->depth > p->max_depth) return fail(p, "exceeded max depth");
        bool ok = *p->p == '{' ? object(p, up, out) : array(p, up, out);
        p->depth--;
        return ok;
    }
    case 't': return literal(p, "true", &json_true, out);
    case 'f': return literal(p, "false", &json_false, out);
    case 'n': return literal(p, "null", &json_null, out);
    default: return *p->p == '-' || is_digit(*p->p) ? number(p, out) : bad(p, "looking for beginning of value");
    }
}

struct error *json_parse(struct arena *a, const char *text, size_t len, const struct json_limits *limits,
                         struct json_array *duplicates, const struct json **out) {
    enum { PADDING = 16 }; /* skip_plain reads whole words */
    if (len >= UINT32_MAX - PADDING) return error_new("JSON of %zu bytes is too long", len);
    CLEANUP(cleanup_parser_) struct parser p = {
        .arena = a,
        .max_depth = limits && limits->max_depth ? limits->max_depth : 10000,
        .max_elements = limits && limits->max_elements ? limits->max_elements : 5000000,
        .duplicates = duplicates,
    };
    p.p = arena_alloc(a, len + PADDING);
    p.end = p.p + len;
    if (len) memcpy(p.p, text, len);
    memset(p.end, 0, PADDING);
    struct json *root = ARENA_NEW(a, struct json);
    if (!value(&p, NULL, root)) return p.error;
    skip_space(&p);
    if (p.p < p.end) {
        bad(&p, "after top-level value");
        return p.error;
    }
    if (p.late != NULL) return TAKE(p.late);
    *out = root;
    return NULL;
}
