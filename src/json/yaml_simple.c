/* The YAML that people and templates write, read an order of magnitude faster than by libyaml: block mappings and
 * sequences, flow collections and scalars on one line, texts in single quotes on several, literal blocks. Everything else (anchors, tags,
 * folded and other multi-line scalars, keys that are no plain words, doubled keys, errors of any kind) is left to libyaml: whoever calls this asks
 * it when the answer is no. What is read means the same to both; tests/fuzz/fuzz_yaml.c compares them. */
#include "base/str.h"
#include "json/index.h"
#include <strings.h>

enum { MAX_DEPTH = 100, LONGEST_KEY = 256 };

struct simple {
    struct arena *arena; /* NULL: the syntax is checked, nothing is made */
    const char *p, *end;
    const char *line; /* where the line of p begins: columns count from here */
    size_t elements, max_elements, depth, max_depth;
    const char *const *names; /* of the outermost members that are wanted; NULL: all */
};

static bool block(struct simple *s, long indent, struct json *out);

static long column(const struct simple *s) { return s->p - s->line; }
static bool at_end(const struct simple *s) { return s->p == s->end; }
static bool eol(const struct simple *s) { return at_end(s) || *s->p == '\n'; }

static const char *behind_spaces(const char *p, const char *end) {
    while (p < end && *p == ' ') p++;
    return p;
}
static void skip_spaces(struct simple *s) { s->p = behind_spaces(s->p, s->end); }

static void next_line(struct simple *s) {
    const char *newline = at_end(s) ? NULL : *s->p == '\n' ? s->p : memchr(s->p, '\n', (size_t)(s->end - s->p));
    s->p = s->line = newline ? newline + 1 : s->end;
}

/* From the start of a line to the next one with content: its indentation, -1 at the end. */
static long content(struct simple *s) {
    for (;;) {
        skip_spaces(s);
        if (at_end(s)) return -1;
        if (*s->p != '\n' && *s->p != '#') return column(s);
        next_line(s);
    }
}

/* The rest of a line is nothing but a comment; moves to the next line, or else to what is there. */
static bool rest_is_empty(struct simple *s) {
    const char *start = s->p;
    skip_spaces(s);
    if (!eol(s) && (*s->p != '#' || s->p == start)) return false;
    next_line(s);
    return true;
}

static bool is_dash(const struct simple *s) {
    return s->p < s->end && *s->p == '-' && (s->p + 1 == s->end || s->p[1] == ' ' || s->p[1] == '\n');
}

/* ---- bytes ---- */

enum {
    KEY_FIRST = 1, KEY = 2, /* of plain keys: at their start, and inside */
    INDICATOR = 4,          /* what no plain scalar begins with, nor has inside of flow collections */
    STOPS_PLAIN = 8,        /* what may end a plain scalar, or is not allowed there */
    SPECIAL = 16,           /* what plain scalars begin with that are no texts (and some that are) */
};

static const uint8_t classes[256] = {
    ['0' ... '9'] = KEY_FIRST | KEY | SPECIAL, ['A' ... 'E'] = KEY_FIRST | KEY, ['F'] = KEY_FIRST | KEY | SPECIAL, ['G' ... 'M'] = KEY_FIRST | KEY,
    ['N' ... 'O'] = KEY_FIRST | KEY | SPECIAL, ['P' ... 'S'] = KEY_FIRST | KEY, ['T'] = KEY_FIRST | KEY | SPECIAL, ['U' ... 'X'] = KEY_FIRST | KEY,
    ['Y'] = KEY_FIRST | KEY | SPECIAL, ['Z'] = KEY_FIRST | KEY, ['a' ... 'e'] = KEY_FIRST | KEY, ['f'] = KEY_FIRST | KEY | SPECIAL,
    ['g' ... 'm'] = KEY_FIRST | KEY, ['n' ... 'o'] = KEY_FIRST | KEY | SPECIAL, ['p' ... 's'] = KEY_FIRST | KEY, ['t'] = KEY_FIRST | KEY | SPECIAL,
    ['u' ... 'x'] = KEY_FIRST | KEY, ['y'] = KEY_FIRST | KEY | SPECIAL, ['z'] = KEY_FIRST | KEY,
    ['_'] = KEY_FIRST | KEY, ['/'] = KEY_FIRST | KEY, ['.'] = KEY_FIRST | KEY | SPECIAL, ['-'] = KEY | SPECIAL, ['+'] = KEY | SPECIAL, ['~'] = KEY | SPECIAL,
    ['$'] = KEY, ['='] = KEY, ['('] = KEY, [')'] = KEY, ['@'] = KEY | INDICATOR, ['*'] = KEY | INDICATOR,
    ['?'] = INDICATOR, [','] = INDICATOR, ['['] = INDICATOR, [']'] = INDICATOR, ['{'] = INDICATOR, ['}'] = INDICATOR, ['&'] = INDICATOR,
    ['!'] = INDICATOR, ['|'] = INDICATOR, ['>'] = INDICATOR, ['"'] = INDICATOR, ['%'] = INDICATOR, ['\''] = INDICATOR, ['`'] = INDICATOR,
    [':'] = INDICATOR | STOPS_PLAIN, ['#'] = INDICATOR | STOPS_PLAIN, ['\t'] = INDICATOR | STOPS_PLAIN, ['\0'] = INDICATOR, ['\n'] = STOPS_PLAIN,
};

static bool is(char c, unsigned wanted) { return (classes[(unsigned char)c] & wanted) != 0; }

static const char *kept(const struct simple *s, const char *text, size_t n) { return s->arena != NULL ? arena_strndup(s->arena, text, n) : ""; }

/* ---- keys ---- */

/* The length of the plain or quoted key at p, with its quotes; 0: there is none that is followed by a colon. */
static size_t key_length(const struct simple *s) {
    const char *p = s->p, *start = p, *end = s->end;
    if (is(*p, KEY_FIRST)) {
        do p++;
        while (p < end && is(*p, KEY));
    } else if (*p == '"' || *p == '\'') {
        for (p++; p < end && *p != *start && *p != '\\' && *p != '\n' && *p != '\t'; p++) {}
        if (p == end || *p != *start || (p + 1 < end && p[1] == *p)) return 0;
        p++;
    }
    if (p == start || p == end || *p != ':' || p - start > LONGEST_KEY) return 0;
    return p + 1 == end || p[1] == ' ' || p[1] == '\n' ? (size_t)(p - start) : 0;
}

/* yaml_resolve for text with no NUL behind it. */
static enum yaml_kind resolve(const char *s, size_t n, struct json *out) {
    char text[LONGEST_KEY + 1];
    if (n > LONGEST_KEY || !is(*s, SPECIAL)) return YAML_STRING;
    memcpy(text, s, n);
    text[n] = '\0';
    return yaml_resolve(text, out);
}

static bool read_key(struct simple *s, size_t n, struct json_member *m) {
    bool quoted = *s->p == '"' || *s->p == '\'';
    struct json v;
    if (!quoted && resolve(s->p, n, &v) != YAML_STRING) return false;
    m->key_len = (uint32_t)(quoted ? n - 2 : n);
    m->key = kept(s, s->p + quoted, m->key_len);
    s->p += n + 1;
    return true;
}

/* ---- scalars ---- */

static struct json string(const struct simple *s, const char *text, size_t n) {
    return (struct json){.type = JSON_STRING, .len = (uint32_t)n, .s = kept(s, text, n)};
}

/* A plain scalar. Not those that JSON cannot say. */
static bool resolved(const struct simple *s, const char *text, size_t n, struct json *out) {
    struct json v;
    enum yaml_kind kind = resolve(text, n, &v);
    *out = kind == YAML_VALUE ? v : string(s, text, n);
    return out->type != JSON_DOUBLE || out->d - out->d == 0;
}

static char unescaped(char c) {
    switch (c) {
    case '"':
    case '\\': return c;
    case 'n': return '\n';
    case 't': return '\t';
    default: return '\0'; /* libyaml knows the others */
    }
}

static bool double_quoted(struct simple *s, struct json *out) {
    const char *start = ++s->p, *p = start;
    bool plain = true;
    for (; p < s->end && *p != '"' && *p != '\n'; p++) {
        if (*p != '\\') continue;
        plain = false;
        if (++p == s->end || unescaped(*p) == '\0') return false;
    }
    if (p == s->end || *p != '"') return false;
    s->p = p + 1;
    *out = string(s, start, (size_t)(p - start));
    if (plain || s->arena == NULL) return true;
    char *text = (char *)(uintptr_t)out->s, *to = text;
    for (const char *from = text; *from != '\0'; from++) *to++ = *from == '\\' ? unescaped(*++from) : *from;
    *to = '\0';
    out->len = (uint32_t)(to - text);
    return true;
}

/* Moves to the quote that ends the text; counts its lines. Lines behind the first must be indented by more than `indent`. */
static bool find_single_quote(struct simple *s, long indent, size_t *breaks) {
    for (*breaks = 0; !at_end(s); s->p++) {
        if (*s->p == '\t') return false; /* libyaml knows which of them count */
        if (*s->p == '\n') {
            ++*breaks;
            s->line = s->p + 1;
            while (s->p + 1 < s->end && s->p[1] == ' ') s->p++;
            if (s->p + 1 < s->end && s->p[1] != '\n' && s->p + 1 - s->line <= indent) return false;
        } else if (*s->p == '\'') {
            if (s->p + 1 == s->end || s->p[1] != '\'') return true;
            s->p++;
        }
    }
    return false;
}

/* Text over several lines: a line break is a space, n of them are n - 1; the spaces around them do not count. In place. */
static char *fold(char *text) {
    char *to = text;
    for (const char *p = text; *p != '\0';) {
        if (*p != '\n') {
            *to++ = *p++;
            continue;
        }
        while (to > text && to[-1] == ' ') to--;
        size_t breaks = 0;
        for (; *p == '\n' || *p == ' '; p++) breaks += *p == '\n';
        if (breaks == 1) *to++ = ' ';
        for (; breaks > 1; breaks--) *to++ = '\n';
    }
    *to = '\0';
    return to;
}

static bool single_quoted(struct simple *s, long indent, struct json *out) {
    const char *start = ++s->p;
    size_t breaks;
    if (!find_single_quote(s, indent, &breaks)) return false;
    *out = string(s, start, (size_t)(s->p - start));
    s->p++;
    if (s->arena == NULL) return true;
    char *text = (char *)(uintptr_t)out->s, *to = text;
    if (breaks > 0) fold(text);
    for (const char *p = text; *p != '\0'; p++) {
        *to++ = *p;
        if (*p == '\'') p++;
    }
    *to = '\0';
    out->len = (uint32_t)(to - text);
    return true;
}

/* Up to the end of the line or a comment. */
static bool plain(struct simple *s, struct json *out) {
    const char *start = s->p, *p = start, *end = s->end;
    if (is(*start, INDICATOR) || is_dash(s)) return false;
    for (;; p++) {
        while (p < end && !is(*p, STOPS_PLAIN)) p++;
        if (p == end || *p == '\n') break;
        if (*p == '\t' || (*p == ':' && (p + 1 == end || p[1] == ' ' || p[1] == '\n' || p[1] == '\t'))) return false;
        if (*p == '#' && p[-1] == ' ') break;
    }
    while (p > start && p[-1] == ' ') p--;
    s->p = p;
    return resolved(s, start, (size_t)(p - start), out);
}

/* The indentation of a literal block's lines: that of its first line with text. Lines before it must not be longer. */
static long literal_indent(const struct simple *s) {
    struct simple look = *s;
    long longest = 0;
    for (;; next_line(&look)) {
        skip_spaces(&look);
        if (at_end(&look)) return 0;
        if (*look.p != '\n') break;
        if (column(&look) > longest) longest = column(&look);
    }
    return *look.p == '\t' || longest > column(&look) ? 0 : column(&look);
}

/* | or |- with what follows it; `indent` is that of the collection it is in. */
static bool literal(struct simple *s, long indent, struct json *out) {
    char chomp = s->p + 1 < s->end && (s->p[1] == '-' || s->p[1] == '+') ? s->p[1] : ' ';
    s->p += chomp == ' ' ? 1 : 2;
    if (!rest_is_empty(s)) return false;
    long own = literal_indent(s);
    if (own <= indent) return false;
    struct buf text = {0};
    size_t trailing = 0; /* line breaks since the last text */
    bool odd = false;    /* spaces without a line break at the very end: libyaml knows what they mean */
    for (; !at_end(s); next_line(s)) {
        s->p = behind_spaces(s->p, s->line + MIN(own, s->end - s->line));
        if (eol(s)) {
            odd = at_end(s);
            trailing++;
            continue;
        }
        if (column(s) < own) break;
        if (s->arena == NULL) continue;
        const char *newline = memchr(s->p, '\n', (size_t)(s->end - s->p)), *stop = newline ? newline : s->end;
        for (; trailing > 0; trailing--) buf_addc(&text, '\n');
        buf_add(&text, s->p, (size_t)(stop - s->p));
        trailing = newline != NULL;
        s->p = stop;
    }
    bool tab = !at_end(s) && *s->p == '\t';
    if (!at_end(s)) s->p = s->line;
    for (size_t keep = chomp == '-' ? 0 : chomp == '+' ? trailing : MIN(trailing, (size_t)1); keep > 0; keep--) buf_addc(&text, '\n');
    *out = string(s, buf_str(&text), text.len);
    buf_free(&text);
    return !tab && !odd;
}

/* ---- flow collections on one line ---- */

static bool flow_collection(struct simple *s, struct json *out);

static bool flow_item(struct simple *s, struct json *out) {
    const char *line = s->line;
    if (++s->elements > s->max_elements) return false;
    if (*s->p == '[' || *s->p == '{') return flow_collection(s, out);
    if (*s->p == '"') return double_quoted(s, out);
    if (*s->p == '\'') return single_quoted(s, 0, out) && s->line == line;
    const char *start = s->p;
    while (!eol(s) && !is(*s->p, INDICATOR)) s->p++;
    const char *stop = s->p;
    while (stop > start && stop[-1] == ' ') stop--;
    if (stop == start || *start == '-' || eol(s) || (*s->p != ',' && *s->p != ']' && *s->p != '}')) return false;
    return resolved(s, start, (size_t)(stop - start), out);
}

/* Behind an item: a comma, which is skipped, or the end. */
static bool flow_next(struct simple *s, char end) {
    skip_spaces(s);
    if (eol(s) || (*s->p != ',' && *s->p != end)) return false;
    if (*s->p == ',') s->p++;
    skip_spaces(s);
    return !eol(s);
}

/* [a, 'b', "c"] */
static bool flow_sequence(struct simple *s, struct json *out) {
    struct json_array items = {.arena = s->arena};
    while (*s->p != ']') {
        struct json item;
        if (!flow_item(s, &item) || !flow_next(s, ']')) return false;
        if (s->arena != NULL) json_array_add(&items, &item);
    }
    *out = (struct json){.type = JSON_ARRAY, .len = (uint32_t)items.len, .items = items.items};
    return true;
}

static void add_member(const struct simple *s, struct json_object *members, const struct json_member *m) {
    if (s->arena == NULL) return;
    json_object_add(members, m->key, &m->value);
    members->members[members->len - 1].key_len = m->key_len;
}

/* No key may be there twice. */
static bool finish_mapping(const struct json_object *members, struct json *out) {
    *out = json_empty_object;
    if (members->len == 0) return true;
    cleanup_index struct member_index x = {0};
    member_index_init(&x, members->members, (uint32_t)members->len);
    for (uint32_t i = 0; i < members->len; i++)
        if (member_index_add(&x, i) >= 0) return false;
    *out = (struct json){.type = JSON_OBJECT, .len = (uint32_t)members->len, .members = members->members};
    return true;
}

/* {a: b, "c": d} */
static bool flow_mapping(struct simple *s, struct json *out) {
    struct json_object members = {.arena = s->arena};
    while (*s->p != '}') {
        struct json_member m;
        size_t n = key_length(s);
        if (n == 0 || !read_key(s, n, &m)) return false;
        skip_spaces(s);
        if (eol(s) || !flow_item(s, &m.value) || !flow_next(s, '}')) return false;
        add_member(s, &members, &m);
    }
    return finish_mapping(&members, out);
}

static bool flow_collection(struct simple *s, struct json *out) {
    if (s->depth >= s->max_depth) return false;
    bool mapping = *s->p++ == '{';
    skip_spaces(s);
    if (eol(s)) return false;
    s->depth++;
    bool ok = mapping ? flow_mapping(s, out) : flow_sequence(s, out);
    s->depth--;
    s->p++;
    return ok;
}

/* A value on the line of its key or dash, or on a line of its own. */
static bool inline_value(struct simple *s, long indent, struct json *out) {
    switch (*s->p) {
    case '|': return literal(s, indent, out);
    case '"':
        if (!double_quoted(s, out)) return false;
        break;
    case '\'':
        if (!single_quoted(s, indent, out)) return false;
        break;
    case '[':
    case '{':
        if (!flow_collection(s, out)) return false;
        break;
    default:
        if (!plain(s, out)) return false;
    }
    return rest_is_empty(s);
}

/* ---- collections ---- */

/* What stands behind "key:" or "- ", on the same line or below it. `same`: a sequence may be as far left as its key. */
static bool value(struct simple *s, long indent, bool same, struct json *out) {
    *out = json_null;
    if (++s->elements > s->max_elements) return false;
    if (!rest_is_empty(s)) {
        if (!same && (is_dash(s) || key_length(s) > 0)) return block(s, column(s), out);
        return inline_value(s, indent, out);
    }
    long below = content(s);
    if (below < indent || (below == indent && !(same && is_dash(s)))) return true;
    return is_dash(s) || key_length(s) > 0 ? block(s, below, out) : inline_value(s, indent, out);
}

/* Is the outermost member that begins with this key wanted? */
static bool wanted(const struct simple *s, size_t n) {
    size_t quote = *s->p == '"' || *s->p == '\'';
    for (const char *const *name = s->names; *name != NULL; name++)
        if (strncasecmp(*name, s->p + quote, n - 2 * quote) == 0 && (*name)[n - 2 * quote] == '\0') return true;
    return false;
}

static bool mapping(struct simple *s, long indent, struct json *out) {
    struct arena *a = s->arena;
    struct json_object members = {.arena = a};
    do {
        struct json_member m;
        size_t n = key_length(s);
        if (n == 0) return false;
        if (s->names != NULL && s->depth == 1 && !wanted(s, n)) s->arena = NULL;
        if (!read_key(s, n, &m) || !value(s, indent, true, &m.value)) return false;
        add_member(s, &members, &m);
        s->arena = a;
    } while (content(s) == indent);
    if (column(s) > indent && !at_end(s)) return false;
    return finish_mapping(&members, out);
}

static bool sequence(struct simple *s, long indent, struct json *out) {
    struct json_array items = {.arena = s->arena};
    do {
        struct json item;
        s->p++;
        if (!value(s, indent, false, &item)) return false;
        if (s->arena != NULL) json_array_add(&items, &item);
    } while (content(s) == indent && is_dash(s));
    if (column(s) > indent && !at_end(s)) return false;
    *out = (struct json){.type = JSON_ARRAY, .len = (uint32_t)items.len, .items = items.items};
    return true;
}

static bool block(struct simple *s, long indent, struct json *out) {
    if (s->depth >= s->max_depth) return false;
    s->depth++;
    bool ok = is_dash(s) ? sequence(s, indent, out) : mapping(s, indent, out);
    s->depth--;
    return ok;
}

enum { BLOCK = 64 };

/* Is there a byte in the block other than printable ASCII, tabs and line breaks? Without branches, for the sake of vector instructions. */
static bool odd_block(const char *s) {
    const signed char *c = (const signed char *)s; /* what is not ASCII is negative */
    unsigned char odd = 0;
    for (size_t i = 0; i < BLOCK; i++) odd |= ((c[i] < ' ') & (c[i] != '\n') & (c[i] != '\t')) | (c[i] == 0x7f);
    return odd != 0;
}

/* Characters that mean something only libyaml knows: control characters and other line breaks, byte order marks. */
static bool ordinary(const char *s, size_t n) {
    bool ascii = true;
    for (size_t i = 0, stop; i < n; i = stop) {
        stop = MIN(n, i + BLOCK);
        if (stop - i == BLOCK && !odd_block(s + i)) continue;
        for (size_t k = i; k < stop; k++) {
            unsigned char c = (unsigned char)s[k];
            if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f) return false;
            ascii &= c < 0x80;
        }
    }
    if (ascii) return true;
    if (!utf8_valid(s, n)) return false;
    for (size_t i = 0; i + 2 < n; i++) {
        unsigned char c = (unsigned char)s[i], d = (unsigned char)s[i + 1], e = (unsigned char)s[i + 2];
        if (c == 0xC2 && d < 0xA0) return false;
        if ((c == 0xE2 && d == 0x80 && (e & 0xFE) == 0xA8) || (c == 0xEF && (d == 0xBB || d == 0xBF))) return false;
    }
    return true;
}

bool yaml_parse_simple(struct arena *a, const char *text, size_t len, const struct json_limits *limits, const char *const *names,
                       const struct json **out) {
    struct simple s = {.arena = a, .p = text, .line = text, .end = text + len, .names = names};
    s.max_depth = MIN(limits->max_depth, (size_t)MAX_DEPTH);
    s.max_elements = limits->max_elements;
    if (!ordinary(text, len)) return false;
    long indent = content(&s);
    if (indent == 0 && len - (size_t)(s.p - text) > 4 && memcmp(s.p, "---\n", 4) == 0) {
        next_line(&s);
        indent = content(&s);
    }
    struct json *v = ARENA_NEW(a, struct json);
    if (indent < 0 || !block(&s, indent, v) || content(&s) >= 0) return false;
    *out = v;
    return true;
}
