/* The layout of YAML. Rules and state are those of libyaml's emitter, which go-yaml follows to the letter; what it
 * can do beyond block style without anchors is not needed here. */
#include "json/yaml_write.h"
#include "base/str.h"
#include "json/index.h"
#include <stdio.h>

enum { INDENT = 2, WIDTH = 80, SIMPLE_KEY = 128 };

/* ---- bytes ---- */

static size_t width_of(unsigned char c) { return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4; }

static void put(struct yaml_writer *w, char c) {
    buf_addc(w->out, c);
    w->column++;
}

static void put_break(struct yaml_writer *w) {
    buf_addc(w->out, '\n');
    w->column = 0;
    w->indenting = true;
}

static size_t put_char(struct yaml_writer *w, const char *s) {
    size_t n = width_of((unsigned char)*s);
    buf_add(w->out, s, n);
    w->column++;
    return n;
}

static size_t copy_break(struct yaml_writer *w, const char *s) {
    if (*s == '\n') {
        put_break(w);
        return 1;
    }
    size_t n = put_char(w, s);
    w->column = 0;
    w->indenting = true;
    return n;
}

static bool is_break(const char *s, const char *end) {
    const unsigned char *p = (const unsigned char *)s;
    if (*p == '\r' || *p == '\n') return true;
    return (*p == 0xC2 && end - s > 1 && p[1] == 0x85) || (*p == 0xE2 && end - s > 2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9));
}

static bool is_printable(const char *s) {
    const unsigned char *p = (const unsigned char *)s;
    if (*p < 0x80) return *p == '\n' || (*p >= 0x20 && *p < 0x7F);
    if (*p == 0xC2) return p[1] >= 0xA0;
    if (*p < 0xED) return true;
    if (*p == 0xED) return p[1] < 0xA0;
    if (*p == 0xEF) return !(p[1] == 0xBB && p[2] == 0xBF) && !(p[1] == 0xBF && p[2] >= 0xBE);
    return *p == 0xEE;
}

static void write_indent(struct yaml_writer *w) {
    int indent = MAX(w->indent, 0);
    if (!w->indenting || w->column > indent || (w->column == indent && !w->blank)) put_break(w);
    while (w->column < indent) put(w, ' ');
    w->blank = w->indenting = true;
}

static void write_indicator(struct yaml_writer *w, const char *s, bool space_before, bool opens, bool indents) {
    if (space_before && !w->blank) put(w, ' ');
    buf_adds(w->out, s);
    w->column += (int)strlen(s);
    w->blank = opens;
    w->indenting = w->indenting && indents;
}

/* ---- what a scalar may look like ---- */

struct looks {
    bool multiline, plain, single_quoted, block;
};

/* Does a plain scalar at i read as something else? */
static bool indicates(const char *s, size_t i, size_t n, bool space_before, bool space_behind) {
    char c = s[i];
    if (c == ':') return space_behind;
    if (i > 0) return c == '#' && space_before;
    return strchr("#,[]{}&*!|>'\"%@`", c) != NULL || ((c == '?' || c == '-') && (space_behind || n == 1));
}

static struct looks analyze(const struct yaml_writer *w, const char *s, size_t n) {
    bool indicator = n >= 3 && (memcmp(s, "---", 3) == 0 || memcmp(s, "...", 3) == 0);
    bool breaks = false, special = false, tabs = false, leading = false, trailing_space = false, trailing_break = false;
    bool break_space = false, space_break = false, after_space = false, after_break = false, space_before = true;
    const char *end = s + n;
    if (n == 0) return (struct looks){.plain = true, .single_quoted = true};
    for (size_t i = 0, size; i < n; i += size) {
        size = width_of((unsigned char)s[i]);
        bool last = i + size == n, ends = is_break(s + i, end), space = s[i] == ' ';
        bool space_behind = last || s[i + size] == ' ' || s[i + size] == '\t';
        if (s[i] != '\0' && indicates(s, i, n, space_before, space_behind)) indicator = true;
        if (s[i] == '\t' && w->dialect == YAML_V3) tabs = true;
        else if (!is_printable(s + i)) special = true;
        if ((space || ends) && i == 0) leading = true;
        if (last) {
            trailing_space = space;
            trailing_break = ends;
        }
        break_space |= space && after_break;
        space_break |= ends && after_space;
        breaks |= ends;
        after_space = space;
        after_break = ends;
        space_before = space || s[i] == '\t' || ends || s[i] == '\0';
    }
    bool hard = space_break || special;
    return (struct looks){
        .multiline = breaks,
        .plain = !(leading || trailing_space || trailing_break || breaks || hard || tabs || indicator),
        .single_quoted = !(break_space || hard || tabs),
        .block = !(trailing_space || hard),
    };
}

/* 12:30:45 and the like are numbers to YAML 1.1: ^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$ */
static bool is_base60(const char *s) {
    static const char digits[] = "0123456789", more[] = "0123456789_";
    s += *s == '-' || *s == '+';
    if (strspn(s, digits) == 0) return false;
    s += strspn(s, more);
    if (*s != ':') return false;
    while (*s == ':') {
        size_t n = strspn(++s, digits);
        if (n == 0 || n > 2 || (n == 2 && *s > '5')) return false;
        s += n;
    }
    if (*s == '.') s += 1 + strspn(s + 1, more);
    return *s == '\0';
}

/* Would the string mean something else without quotes? Version 3 takes 1.1's words for booleans as strings, but quotes them. */
static bool means_more(const char *s, size_t n, enum yaml_dialect dialect) {
    static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF", NULL};
    struct json v;
    if (strlen(s) != n) return false;
    if (is_base60(s)) return true;
    return yaml_resolve(s, &v) != YAML_STRING || (dialect == YAML_V3 && str_in(s, words));
}

/* ---- scalars ---- */

static bool may_fold(const struct yaml_writer *w) { return w->dialect == YAML_V2 && !w->as_key && w->column > WIDTH; }
static bool space_at(const char *s, size_t i, size_t n) { return i < n && s[i] == ' '; }

static void write_plain(struct yaml_writer *w, const char *s, size_t n) {
    bool spaces = false;
    if (!w->blank && (n > 0 || w->dialect == YAML_V2)) put(w, ' ');
    for (size_t i = 0; i < n;) {
        bool space = s[i] == ' ';
        if (space && !spaces && may_fold(w) && !space_at(s, i + 1, n)) {
            write_indent(w);
            i++;
        } else i += put_char(w, s + i);
        if (!space) w->indenting = false;
        spaces = space;
    }
    if (n > 0 || w->dialect == YAML_V2) w->blank = false;
    w->indenting = false;
}

static void write_single_quoted(struct yaml_writer *w, const char *s, size_t n) {
    bool spaces = false, breaks = false;
    write_indicator(w, "'", true, false, false);
    for (size_t i = 0; i < n;) {
        if (s[i] == ' ') {
            if (!spaces && may_fold(w) && i > 0 && i < n - 1 && !space_at(s, i + 1, n)) {
                write_indent(w);
                i++;
            } else i += put_char(w, s + i);
            spaces = true;
        } else if (is_break(s + i, s + n)) {
            if (!breaks && s[i] == '\n') put_break(w);
            i += copy_break(w, s + i);
            breaks = true;
        } else {
            if (breaks) write_indent(w);
            if (s[i] == '\'') put(w, '\'');
            i += put_char(w, s + i);
            w->indenting = spaces = breaks = false;
        }
    }
    write_indicator(w, "'", false, false, false);
}

static size_t write_escape(struct yaml_writer *w, const char *s) {
    static const struct {
        uint32_t rune;
        char letter;
    } letters[] = {{0, '0'},    {7, 'a'},    {8, 'b'},     {9, 't'},    {10, 'n'},   {11, 'v'},     {12, 'f'},    {13, 'r'},
                   {0x1B, 'e'}, {'"', '"'}, {'\\', '\\'}, {0x85, 'N'}, {0xA0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    size_t n = width_of((unsigned char)*s);
    uint32_t rune = (unsigned char)*s & (n == 1 ? 0x7Fu : 0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) rune = rune << 6 | (s[i] & 0x3F);
    char text[12];
    size_t i = 0;
    while (i < ARRAY_LEN(letters) && letters[i].rune != rune) i++;
    if (i < ARRAY_LEN(letters)) snprintf(text, sizeof(text), "\\%c", letters[i].letter);
    else if (rune <= 0xFF) snprintf(text, sizeof(text), "\\x%02X", rune);
    else snprintf(text, sizeof(text), rune <= 0xFFFF ? "\\u%04X" : "\\U%08X", rune);
    buf_adds(w->out, text);
    w->column += (int)strlen(text);
    return n;
}

static void write_double_quoted(struct yaml_writer *w, const char *s, size_t n) {
    bool spaces = false, bom = n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0; /* go-yaml escapes all behind one */
    write_indicator(w, "\"", true, false, false);
    for (size_t i = 0; i < n;) {
        bool space = s[i] == ' ';
        if (bom || !is_printable(s + i) || is_break(s + i, s + n) || s[i] == '"' || s[i] == '\\') i += write_escape(w, s + i);
        else if (space && !spaces && may_fold(w) && i > 0 && i < n - 1) {
            write_indent(w);
            if (space_at(s, i + 1, n)) put(w, '\\');
            i++;
        } else i += put_char(w, s + i);
        spaces = space;
    }
    write_indicator(w, "\"", false, false, false);
}

/* The last character of s[0..n), n > 0. */
static const char *last_char(const char *s, size_t n) {
    const char *p = s + n - 1;
    while (p > s && (*p & 0xC0) == 0x80) p--;
    return p;
}

/* |, a digit where the text starts with space, - or + for how it ends. */
static void write_literal(struct yaml_writer *w, const char *s, size_t n) {
    const char *end = s + n, *last = last_char(s, n);
    write_indicator(w, "|", true, false, false);
    if (*s == ' ' || is_break(s, end)) write_indicator(w, "2", false, false, false);
    if (!is_break(last, end)) write_indicator(w, "-", false, false, false);
    else if (last == s || is_break(last_char(s, (size_t)(last - s)), end)) write_indicator(w, "+", false, false, false);
    put_break(w);
    w->blank = true;
    bool breaks = true;
    while (s < end) {
        if (is_break(s, end)) {
            s += copy_break(w, s);
            breaks = true;
        } else {
            if (breaks) write_indent(w);
            s += put_char(w, s);
            w->indenting = breaks = false;
        }
    }
}

enum style { STYLE_PLAIN, STYLE_DOUBLE, STYLE_LITERAL };

static void write_scalar(struct yaml_writer *w, const char *s, size_t n, enum style style, const struct looks *may) {
    int outer = w->indent;
    w->indent = MAX(outer, 0) + INDENT; /* of further lines */
    bool single = style == STYLE_PLAIN && (!may->plain || (n == 0 && w->as_key));
    if (w->as_key && may->multiline) {
        single = false;
        style = STYLE_DOUBLE;
    }
    if (single && !may->single_quoted) {
        single = false;
        style = STYLE_DOUBLE;
    }
    if (style == STYLE_LITERAL && (!may->block || w->as_key)) style = STYLE_DOUBLE;
    if (style == STYLE_LITERAL) write_literal(w, s, n);
    else if (style == STYLE_DOUBLE) write_double_quoted(w, s, n);
    else if (single) write_single_quoted(w, s, n);
    else write_plain(w, s, n);
    w->indent = outer;
}

/* Base64 in lines of 70. */
static void write_binary(struct yaml_writer *w, const char *s, size_t n) {
    cleanup_buf struct buf all = {0}, lines = {0};
    base64_encode(&all, s, n);
    for (size_t i = 0; i < all.len; i += 70) {
        buf_add(&lines, all.data + i, MIN((size_t)70, all.len - i));
        if (all.len > 70) buf_addc(&lines, '\n');
    }
    write_indicator(w, "!!binary", true, false, false);
    struct looks may = {.multiline = all.len > 70, .plain = true, .block = true};
    write_scalar(w, lines.data, lines.len, all.len > 70 ? STYLE_LITERAL : STYLE_PLAIN, &may);
}

static void write_string(struct yaml_writer *w, const char *s, size_t n, const struct looks *may) {
    enum style style = memchr(s, '\n', n) ? STYLE_LITERAL : means_more(s, n, w->dialect) ? STYLE_DOUBLE : STYLE_PLAIN;
    write_scalar(w, s, n, style, may);
}

void yaml_string(struct yaml_writer *w, const char *s, size_t n) {
    cleanup_free char *copy = NULL;
    if (s[n] != '\0') s = copy = strndup(s, n);
    if (!utf8_valid(s, n)) {
        write_binary(w, s, n);
        return;
    }
    struct looks may = analyze(w, s, n);
    write_string(w, s, n, &may);
}

void yaml_plain(struct yaml_writer *w, const char *s, size_t n) {
    struct looks may = {.plain = true};
    write_scalar(w, s, n, STYLE_PLAIN, &may);
}

/* ---- collections ---- */

void yaml_writer_init(struct yaml_writer *w, struct buf *out, enum yaml_dialect dialect) {
    *w = (struct yaml_writer){.out = out, .dialect = dialect, .indent = -1, .blank = true, .indenting = true};
}

void yaml_writer_done(struct yaml_writer *w) { write_indent(w); }

int yaml_begin(struct yaml_writer *w, bool sequence) {
    int outer = w->indent;
    bool stays = sequence && w->dialect == YAML_V2 && w->in_mapping && !w->indenting;
    if (outer < 0) w->indent = 0;
    else if (!stays) w->indent += INDENT;
    return outer;
}

void yaml_end(struct yaml_writer *w, int outer) { w->indent = outer; }

void yaml_item(struct yaml_writer *w) {
    write_indent(w);
    write_indicator(w, "-", true, false, true);
    w->in_mapping = false;
}

/* Long keys and those of several lines are written as "? key", and the value below as ": value". */
void yaml_key(struct yaml_writer *w, const char *s, size_t n) {
    cleanup_free char *copy = NULL;
    if (s[n] != '\0') s = copy = strndup(s, n);
    bool valid = utf8_valid(s, n);
    struct looks may = valid ? analyze(w, s, n) : (struct looks){0};
    bool simple = n <= SIMPLE_KEY && !may.multiline && (valid || n <= 51);
    write_indent(w);
    if (!simple) write_indicator(w, "?", true, false, true);
    w->in_mapping = true;
    w->as_key = simple;
    if (valid) write_string(w, s, n, &may);
    else write_binary(w, s, n);
    w->as_key = false;
    if (!simple) write_indent(w);
    write_indicator(w, ":", !simple, false, !simple);
}

void yaml_empty(struct yaml_writer *w, bool sequence) { write_indicator(w, sequence ? "[]" : "{}", true, false, false); }

/* ---- the order of keys ---- */

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

/* Blocks of Unicode above ASCII without letters: controls, punctuation, symbols, digits, variation selectors, private use, emoji. */
static const struct {
    uint32_t first, last;
} no_letters[] = {{0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},     {0xD7, 0xD7},     {0xF7, 0xF7},       {0x300, 0x36F},
                  {0x660, 0x669},   {0x6F0, 0x6F9},   {0x2000, 0x2070}, {0x2072, 0x207E}, {0x20A0, 0x2101}, {0x2150, 0x2182},   {0x2185, 0x2BFF}, {0x3000, 0x3004}, {0x3007, 0x3030},   {0xD800, 0xF8FF},
                  {0xFE00, 0xFE6F}, {0xFEFF, 0xFF20}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FFFF}, {0xE0000, 0x10FFFF}};

static bool is_letter(uint32_t r) {
    if (r < 0x80) return (r | 0x20) >= 'a' && (r | 0x20) <= 'z';
    size_t i = 0;
    while (i < ARRAY_LEN(no_letters) && r > no_letters[i].last) i++;
    return i == ARRAY_LEN(no_letters) || r < no_letters[i].first;
}

/* The character at s[i], valid UTF-8 or not. */
static uint32_t char_at(const char *s, size_t i, size_t n) {
    uint32_t r = (unsigned char)s[i];
    size_t width = width_of((unsigned char)r);
    if (width == 1) return r;
    if (r < 0xC2 || r > 0xF4) return 0xFFFD;
    r &= 0xFFu >> (width + 1);
    for (size_t k = 1; k < width && i + k < n; k++) r = r << 6 | (s[i + k] & 0x3F);
    return r;
}

/* The number at s[i..n), behind `v`, and behind it. */
static int64_t number_at(const char *s, size_t n, size_t *i, int64_t v) {
    for (; *i < n && is_digit((unsigned char)s[*i]); (*i)++) v = (int64_t)((uint64_t)v * 10 + (uint64_t)(s[*i] - '0'));
    return v;
}

/* go-yaml's keyList.Less: letters behind everything else, digits by the value of the whole number; in version 3, digits that go on
 * where the other name goes on with a letter come last. */
bool yaml_key_less(const char *a, size_t an, const char *b, size_t bn, enum yaml_dialect dialect) {
    size_t i = 0;
    while (i < an && i < bn && a[i] == b[i]) i++;
    if (i == an || i == bn) return an < bn;
    while (i > 0 && (a[i] & 0xC0) == 0x80) i--; /* to where the characters start */
    uint32_t ac = char_at(a, i, an), bc = char_at(b, i, bn);
    if (is_letter(ac) && is_letter(bc)) return ac < bc;
    if (is_letter(ac) || is_letter(bc)) {
        bool behind_digit = dialect == YAML_V3 && i > 0 && is_digit((unsigned char)a[i - 1]);
        return is_letter(behind_digit ? ac : bc);
    }
    int64_t start = 0;
    if (ac == '0' || bc == '0') /* inside a number that began with something else than zeros */
        for (size_t j = i; j > 0 && is_digit((unsigned char)a[j - 1]); j--)
            if (a[j - 1] != '0') start = 1;
    size_t ai = i, bi = i;
    int64_t x = number_at(a, an, &ai, start), y = number_at(b, bn, &bi, start);
    if (x != y) return x < y;
    return ai != bi ? ai < bi : ac < bc;
}
