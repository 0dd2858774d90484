/* From text to items, one at a time. Outside of actions an item is all text up to the next {{, cut by trim markers. White space inside
 * of actions is no item (as in Go) but a mark on the one behind it.
 *
 * Half of the time that a chart takes is spent here and in the parser, so bytes are looked up in a table of classes, and only what is
 * not ASCII is decoded. */
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include "helm/template/internal.h"

#define WORD(word, type) {word, sizeof(word) - 1, type}
static const struct {
    char word[9];
    uint8_t len;
    enum item_type type;
} keywords[] = {
    WORD("block", ITEM_BLOCK), WORD("break", ITEM_BREAK), WORD("continue", ITEM_CONTINUE), WORD("define", ITEM_DEFINE),
    WORD("else", ITEM_ELSE),   WORD("end", ITEM_END),     WORD("if", ITEM_IF),             WORD("nil", ITEM_NIL),
    WORD("range", ITEM_RANGE), WORD("template", ITEM_TEMPLATE), WORD("with", ITEM_WITH),   WORD("true", ITEM_BOOL),
    WORD("false", ITEM_BOOL),
};

void lexer_init(struct lexer *l, struct arena *a, const char *text, size_t len) {
    *l = (struct lexer){.arena = a, .input = text, .len = len};
}

void item_text(const struct item *i, struct buf *out) {
    if (i->type == ITEM_EOF) buf_adds(out, "EOF");
    else if (i->type == ITEM_ERROR) buf_add(out, i->s, i->len);
    else if (i->type > ITEM_KEYWORD) buf_printf(out, "<%.*s>", (int)i->len, i->s);
    else if (i->len > 10) {
        go_quote(out, i->s, rune_offset(i->s, i->len, 10));
        buf_adds(out, "...");
    } else go_quote(out, i->s, i->len);
}

/* ---- bytes ---- */

enum { SPACE = 1, LETTER = 2 /* and underscores */, DECIMAL = 4, HEXADECIMAL = 8, OCTAL = 16, BINARY = 32, ENDS_WORD = 64 /* but }} */ };

static const uint8_t classes[256] = {
    [' '] = SPACE | ENDS_WORD, ['\t'] = SPACE | ENDS_WORD, ['\r'] = SPACE | ENDS_WORD, ['\n'] = SPACE | ENDS_WORD,
    ['A' ... 'F'] = LETTER | HEXADECIMAL, ['G' ... 'Z'] = LETTER, ['a' ... 'f'] = LETTER | HEXADECIMAL, ['g' ... 'z'] = LETTER,
    ['_'] = LETTER | DECIMAL | HEXADECIMAL | OCTAL | BINARY, ['0' ... '1'] = DECIMAL | HEXADECIMAL | OCTAL | BINARY,
    ['2' ... '7'] = DECIMAL | HEXADECIMAL | OCTAL, ['8' ... '9'] = DECIMAL | HEXADECIMAL,
    ['.'] = ENDS_WORD, [','] = ENDS_WORD, ['|'] = ENDS_WORD, [':'] = ENDS_WORD, [')'] = ENDS_WORD, ['('] = ENDS_WORD,
};

static bool is(char c, unsigned wanted) { return (classes[(unsigned char)c] & wanted) != 0; }

static const char *here(const struct lexer *l) { return l->input + l->pos; }
static const char *end_of(const struct lexer *l) { return l->input + l->len; }

static bool two_at(const char *s, const char *end, char first, char second) { return end - s >= 2 && s[0] == first && s[1] == second; }
static bool space_at(const char *s, const char *end) { return s < end && is(*s, SPACE); }
static bool left_trim_at(const char *s, const char *end) { return s < end && *s == '-' && space_at(s + 1, end); }
/* " -}}" */
static bool right_trim_at(const char *s, const char *end) { return space_at(s, end) && end - s >= 4 && s[1] == '-' && s[2] == '}' && s[3] == '}'; }

/* ---- items ---- */

static void make(struct lexer *l, enum item_type type, struct item *out) {
    *out = (struct item){.type = (uint8_t)type, .spaced = l->spaced, .pos = (uint32_t)l->start, .len = (uint32_t)(l->pos - l->start), .s = l->input + l->start};
    l->start = l->pos;
}

static void ignore(struct lexer *l) { l->start = l->pos; }

/* An error ends the input. */
static void fail(struct lexer *l, struct item *out, const char *fmt, ...) PRINTF(3, 4);
static void fail(struct lexer *l, struct item *out, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    *out = (struct item){.type = ITEM_ERROR, .pos = (uint32_t)l->start};
    out->s = arena_vprintf(l->arena, fmt, args);
    va_end(args);
    out->len = (uint32_t)strlen(out->s);
    l->start = l->pos = l->len = 0;
}

/* About the rune that comes next. */
static void fail_rune(struct lexer *l, struct item *out, const char *what) {
    cleanup_buf struct buf b = {0};
    size_t width;
    if (l->pos >= l->len) {
        fail(l, out, "%s U+FFFFFFFFFFFFFFFF", what);
        return;
    }
    uint32_t r = rune_decode(here(l), l->len - l->pos, &width);
    buf_printf(&b, "U+%04X", r);
    if (r <= RUNE_MAX && rune_is_print(r)) {
        buf_adds(&b, " '");
        buf_add_rune(&b, r);
        buf_addc(&b, '\'');
    }
    fail(l, out, "%s %s", what, buf_str(&b));
}

/* ---- text ---- */

static void skip_spaces(struct lexer *l) {
    while (space_at(here(l), end_of(l))) l->pos++;
}

/* Skips a comment, which begins here; false: it is not well formed. */
static bool skip_comment(struct lexer *l, struct item *failed) {
    l->pos += 2;
    const char *end = l->pos <= l->len ? memmem(here(l), l->len - l->pos, "*/", 2) : NULL;
    if (end == NULL) return fail(l, failed, "unclosed comment"), false;
    l->pos = (size_t)(end - l->input) + 2;
    bool trim = right_trim_at(here(l), end_of(l));
    if (!trim && !two_at(here(l), end_of(l), '}', '}')) return fail(l, failed, "comment ends before closing delimiter"), false;
    l->pos += trim ? 4 : 2;
    if (trim) skip_spaces(l);
    ignore(l);
    return true;
}

static void left_delim(struct lexer *l, bool trim, struct item *out) {
    l->pos += 2;
    make(l, ITEM_LEFT_DELIM, out);
    if (trim) l->pos += 2;
    ignore(l);
    l->inside_action = true;
    l->paren_depth = 0;
}

static const char *find_open(const char *s, const char *end) {
    while (s + 1 < end && (s = memchr(s, '{', (size_t)(end - s) - 1)) != NULL) {
        if (s[1] == '{') return s;
        s++;
    }
    return NULL;
}

bool text_defines(const char *text, size_t len) {
    const char *end = text + len;
    while ((text = find_open(text, end)) != NULL) {
        text += 2;
        if (text < end && *text == '-') text++;
        while (space_at(text, end)) text++;
        size_t left = (size_t)(end - text);
        if ((left >= 6 && memcmp(text, "define", 6) == 0) || (left >= 5 && memcmp(text, "block", 5) == 0)) return true;
    }
    return false;
}

static void lex_text(struct lexer *l, struct item *out) {
    l->spaced = false;
    const char *end = end_of(l);
    for (;;) {
        const char *open = find_open(here(l), end);
        if (open == NULL) {
            l->pos = l->len;
            if (l->len == l->start) return make(l, ITEM_EOF, out);
            return make(l, ITEM_TEXT, out);
        }
        bool trim = left_trim_at(open + 2, end);
        size_t delim = (size_t)(open - l->input);
        l->pos = delim;
        while (trim && l->pos > l->start && is(l->input[l->pos - 1], SPACE)) l->pos--;
        if (l->pos > l->start) {
            make(l, ITEM_TEXT, out);
            l->pos = delim;
            return ignore(l);
        }
        l->pos = delim;
        ignore(l);
        const char *body = open + (trim ? 4 : 2);
        if (!two_at(body, end, '/', '*')) return left_delim(l, trim, out);
        l->pos = (size_t)(body - l->input);
        ignore(l);
        if (!skip_comment(l, out)) return;
    }
}

/* ---- actions ---- */

static void lex_right_delim(struct lexer *l, bool trim, struct item *out) {
    if (l->paren_depth != 0) return fail(l, out, "unclosed left paren");
    if (trim) {
        l->pos += 2;
        ignore(l);
    }
    l->pos += 2;
    make(l, ITEM_RIGHT_DELIM, out);
    if (trim) {
        skip_spaces(l);
        ignore(l);
    }
    l->inside_action = false;
}

/* Skips a run of spaces, but not the one that belongs to " -}}". */
static void skip_to_item(struct lexer *l) {
    const char *s = here(l), *end = end_of(l), *from = s;
    for (; space_at(s, end) && !right_trim_at(s, end);) s++;
    l->spaced = s > from;
    l->start = l->pos = (size_t)(s - l->input);
}

/* Is there a letter, digit or underscore at `s`? *width: its bytes. */
static bool word_rune_at(const char *s, const char *end, size_t *width) {
    *width = 1;
    if (s >= end) return false;
    if ((unsigned char)*s < 0x80) return is(*s, LETTER | DECIMAL);
    uint32_t r = rune_decode(s, (size_t)(end - s), width);
    return rune_is_letter(r) || rune_is_digit(r);
}

/* Skips letters, digits and underscores. May they end there? */
static bool skip_word(struct lexer *l) {
    const char *s = here(l), *end = end_of(l);
    size_t width;
    while (s < end && is(*s, LETTER | DECIMAL)) s++;
    if (s < end && (unsigned char)*s >= 0x80) {
        while (word_rune_at(s, end, &width)) s += width;
    }
    l->pos = (size_t)(s - l->input);
    return s == end || is(*s, ENDS_WORD) || two_at(s, end, '}', '}');
}

static enum item_type word_type(const char *word, size_t n) {
    for (size_t i = 0; i < ARRAY_LEN(keywords) && n < sizeof(keywords[0].word); i++)
        if (keywords[i].word[0] == word[0] && keywords[i].len == n && memcmp(keywords[i].word, word, n) == 0) return keywords[i].type;
    return ITEM_IDENTIFIER;
}

static void lex_identifier(struct lexer *l, struct item *out) {
    if (!skip_word(l)) return fail_rune(l, out, "bad character");
    make(l, word_type(l->input + l->start, l->pos - l->start), out);
}

/* .name or $name; the sign is behind. */
static void lex_name(struct lexer *l, enum item_type type, struct item *out) {
    size_t sign = l->pos;
    if (!skip_word(l)) return fail_rune(l, out, "bad character");
    make(l, l->pos == sign && type == ITEM_FIELD ? ITEM_DOT : type, out);
}

static bool accept(struct lexer *l, const char *set) {
    if (l->pos >= l->len || *here(l) == '\0' || strchr(set, *here(l)) == NULL) return false;
    l->pos++;
    return true;
}

static void skip_digits(struct lexer *l, unsigned digits) {
    while (l->pos < l->len && is(*here(l), digits)) l->pos++;
}

static bool scan_number(struct lexer *l) {
    unsigned digits = DECIMAL;
    accept(l, "+-");
    if (accept(l, "0")) {
        if (accept(l, "xX")) digits = HEXADECIMAL;
        else if (accept(l, "oO")) digits = OCTAL;
        else if (accept(l, "bB")) digits = BINARY;
    }
    skip_digits(l, digits);
    if (accept(l, ".")) skip_digits(l, digits);
    if ((digits == DECIMAL && accept(l, "eE")) || (digits == HEXADECIMAL && accept(l, "pP"))) {
        accept(l, "+-");
        skip_digits(l, DECIMAL);
    }
    accept(l, "i");
    size_t width;
    if (!word_rune_at(here(l), end_of(l), &width)) return true;
    l->pos += width;
    return false;
}

static void bad_number(struct lexer *l, struct item *out) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, l->input + l->start, l->pos - l->start);
    fail(l, out, "bad number syntax: %s", buf_str(&b));
}

static void lex_number(struct lexer *l, struct item *out) {
    if (!scan_number(l)) return bad_number(l, out);
    if (l->pos >= l->len || (*here(l) != '+' && *here(l) != '-')) return make(l, ITEM_NUMBER, out);
    if (!scan_number(l) || l->input[l->pos - 1] != 'i') return bad_number(l, out);
    make(l, ITEM_COMPLEX, out);
}

/* Up to the closing quote; the first is behind. */
static void lex_quoted(struct lexer *l, char quote, enum item_type type, const char *what, struct item *out) {
    const char *s = here(l), *end = end_of(l);
    for (; s < end && *s != '\n'; s++) {
        if (*s == quote) {
            l->pos = (size_t)(s + 1 - l->input);
            return make(l, type, out);
        }
        if (*s == '\\' && (++s == end || *s == '\n')) break;
    }
    fail(l, out, "unterminated %s", what);
}

static void lex_raw_string(struct lexer *l, struct item *out) {
    const char *end = memchr(here(l), '`', l->len - l->pos);
    if (end == NULL) return fail(l, out, "unterminated raw quoted string");
    l->pos = (size_t)(end - l->input) + 1;
    make(l, ITEM_RAW_STRING, out);
}

static void lex_paren(struct lexer *l, char paren, struct item *out) {
    l->paren_depth += paren == '(' ? 1 : -1;
    if (l->paren_depth < 0) return fail(l, out, "unexpected right paren");
    make(l, paren == '(' ? ITEM_LEFT_PAREN : ITEM_RIGHT_PAREN, out);
}

/* What does not begin with an ASCII letter. */
static void lex_sign(struct lexer *l, struct item *out) {
    const char *s = here(l), *end = end_of(l);
    size_t width;
    if (is(*s, SPACE)) return lex_right_delim(l, true, out);
    if (two_at(s, end, '}', '}')) return lex_right_delim(l, false, out);
    if (is(*s, DECIMAL) || *s == '+' || *s == '-' || (*s == '.' && (s + 1 == end || (s[1] >= '0' && s[1] <= '9')))) return lex_number(l, out);
    if ((unsigned char)*s >= 0x80 && word_rune_at(s, end, &width)) return lex_identifier(l, out);
    if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f) return fail_rune(l, out, "unrecognized character in action:");
    l->pos++;
    switch (*s) {
    case '.': return lex_name(l, ITEM_FIELD, out);
    case '$': return lex_name(l, ITEM_VARIABLE, out);
    case '(':
    case ')': return lex_paren(l, *s, out);
    case '|': return make(l, ITEM_PIPE, out);
    case '"': return lex_quoted(l, '"', ITEM_STRING, "quoted string", out);
    case '`': return lex_raw_string(l, out);
    case '\'': return lex_quoted(l, '\'', ITEM_CHAR_CONSTANT, "character constant", out);
    case '=': return make(l, ITEM_ASSIGN, out);
    case ':':
        if (l->pos == l->len || *here(l) != '=') return fail(l, out, "expected :=");
        l->pos++;
        return make(l, ITEM_DECLARE, out);
    default: return make(l, ITEM_CHAR, out);
    }
}

void lexer_next(struct lexer *l, struct item *out) {
    if (!l->inside_action) return lex_text(l, out);
    skip_to_item(l);
    if (l->pos >= l->len) return fail(l, out, "unclosed action");
    if (is(*here(l), LETTER)) return lex_identifier(l, out);
    lex_sign(l, out);
}
