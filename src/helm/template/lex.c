/* From text to items, one at a time. Outside of actions an item is all text up to the next {{, cut by trim markers. White space inside
 * of actions is no item (as in Go) but a mark on the one behind it.
 *
 * Half of the time that a chart takes is spent here and in the parser, so bytes are looked up in a table of classes, and only what is
 * not ASCII is decoded. */
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include "helm/template/internal.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The keywords, each at a place of its own that its beginning and its length give. */
#define PLACE(first, second, len) (((first) + 7 * (second) + (len)) % 32)
#define WORD(first, second, word, type) [PLACE(first, second, sizeof(word) - 1)] = {word, sizeof(word) - 1, type}
static const struct {
    char word[9];
    uint8_t len;
    uint8_t type; /* enum item_type */
} keywords[32] = {
    WORD('e', 'n', "end", ITEM_END), WORD('e', 'l', "else", ITEM_ELSE), WORD('i', 'f', "if", ITEM_IF), WORD('w', 'i', "with", ITEM_WITH),
    WORD('r', 'a', "range", ITEM_RANGE), WORD('t', 'e', "template", ITEM_TEMPLATE), WORD('d', 'e', "define", ITEM_DEFINE),
    WORD('b', 'l', "block", ITEM_BLOCK), WORD('b', 'r', "break", ITEM_BREAK), WORD('c', 'o', "continue", ITEM_CONTINUE),
    WORD('n', 'i', "nil", ITEM_NIL), WORD('t', 'r', "true", ITEM_BOOL), WORD('f', 'a', "false", ITEM_BOOL),
};

void lexer_init(struct lexer *l, struct arena *a, const char *text, size_t len) {
    *l = (struct lexer){.arena = a, .input = text, .at = text, .end = text + len};
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

enum { SPACE = 1, LETTER = 2 /* and underscores */, DECIMAL = 4, HEXADECIMAL = 8, OCTAL = 16, BINARY = 32, ENDS_WORD = 64 /* but }} */,
       STOPS_QUOTE = 128 /* what ends a quoted text or is more than itself in it */ };

/* NUL is in no class but the last: it stands behind every text, so that loops over a class end there. */
static const uint8_t classes[256] = {
    [' '] = SPACE | ENDS_WORD, ['\t'] = SPACE | ENDS_WORD, ['\r'] = SPACE | ENDS_WORD, ['\n'] = SPACE | ENDS_WORD | STOPS_QUOTE,
    ['A' ... 'F'] = LETTER | HEXADECIMAL, ['G' ... 'Z'] = LETTER, ['a' ... 'f'] = LETTER | HEXADECIMAL, ['g' ... 'z'] = LETTER,
    ['_'] = LETTER | DECIMAL | HEXADECIMAL | OCTAL | BINARY, ['0' ... '1'] = DECIMAL | HEXADECIMAL | OCTAL | BINARY,
    ['2' ... '7'] = DECIMAL | HEXADECIMAL | OCTAL, ['8' ... '9'] = DECIMAL | HEXADECIMAL,
    ['.'] = ENDS_WORD, [','] = ENDS_WORD, ['|'] = ENDS_WORD, [':'] = ENDS_WORD, [')'] = ENDS_WORD, ['('] = ENDS_WORD,
    ['"'] = STOPS_QUOTE, ['\''] = STOPS_QUOTE, ['\\'] = STOPS_QUOTE, ['\0'] = STOPS_QUOTE, [0x80 ... 0xFF] = STOPS_QUOTE,
};

static bool is(char c, unsigned wanted) { return (classes[(unsigned char)c] & wanted) != 0; }

static bool closes(const char *s) { return s[0] == '}' && s[1] == '}'; }
static bool trims_left(const char *s) { return s[0] == '-' && is(s[1], SPACE); }
/* " -}}" */
static bool trims_right(const char *s) { return is(s[0], SPACE) && s[1] == '-' && closes(s + 2); }

/* ---- items ---- */

/* The item that began at `start` ends at `at`. */
static void make(struct lexer *l, enum item_type type, const char *start, const char *at, struct item *out) {
    out->type = (uint8_t)type;
    out->pos = (uint32_t)(start - l->input);
    out->len = (uint32_t)(at - start);
    out->s = start;
    l->at = at;
}

/* What is rare, or takes long anyway, is kept out of the way: most items are read without a stack frame. */
#define APART __attribute__((noinline))

/* An error ends the input. */
static APART void fail(struct lexer *l, const char *start, struct item *out, const char *fmt, ...) PRINTF(4, 5);
static void fail(struct lexer *l, const char *start, struct item *out, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    *out = (struct item){.type = ITEM_ERROR, .pos = (uint32_t)(start - l->input)};
    out->s = arena_vprintf(l->arena, fmt, args);
    va_end(args);
    out->len = (uint32_t)strlen(out->s);
    l->input = l->at = l->end = "";
}

/* About the rune at `at`. */
static APART void fail_rune(struct lexer *l, const char *start, const char *at, struct item *out, const char *what) {
    cleanup_buf struct buf b = {0};
    size_t width;
    if (at >= l->end) {
        fail(l, start, out, "%s U+FFFFFFFFFFFFFFFF", what);
        return;
    }
    uint32_t r = rune_decode(at, (size_t)(l->end - at), &width);
    buf_printf(&b, "U+%04X", r);
    if (r <= RUNE_MAX && rune_is_print(r)) {
        buf_adds(&b, " '");
        buf_add_rune(&b, r);
        buf_addc(&b, '\'');
    }
    fail(l, start, out, "%s %s", what, buf_str(&b));
}

/* ---- text ---- */

static const char *skip_spaces(const char *s) {
    while (is(*s, SPACE)) s++;
    return s;
}

/* The next {{ . Texts of charts are full of single braces, at which memchr would stop. */
static const char *find_open(const char *s, const char *end) {
#ifdef __SSE2__
    const __m128i brace = _mm_set1_epi8('{');
    for (; end - s > 16; s += 16) {
        __m128i here = _mm_loadu_si128((const __m128i *)(const void *)s), behind = _mm_loadu_si128((const __m128i *)(const void *)(s + 1));
        int found = _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(here, brace), _mm_cmpeq_epi8(behind, brace)));
        if (found != 0) return s + __builtin_ctz((unsigned)found);
    }
#endif
    while ((s = memchr(s, '{', (size_t)(end - s))) != NULL && s[1] != '{') s++;
    return s;
}

bool text_defines(const char *text, size_t len) {
    const char *end = text + len;
    while ((text = find_open(text, end)) != NULL) {
        text = skip_spaces(text + 2 + (text[2] == '-'));
        if ((*text == 'd' && strncmp(text, "define", 6) == 0) || (*text == 'b' && strncmp(text, "block", 5) == 0)) return true;
    }
    return false;
}

/* Behind the comment that begins at `s`; NULL: it is not well formed. */
static const char *skip_comment(struct lexer *l, const char *s, struct item *failed) {
    const char *end = memmem(s + 2, (size_t)(l->end - s) - 2, "*/", 2);
    if (end == NULL) return fail(l, s, failed, "unclosed comment"), NULL;
    end += 2;
    if (trims_right(end)) return skip_spaces(end + 4);
    return closes(end) ? end + 2 : (fail(l, s, failed, "comment ends before closing delimiter"), NULL);
}

/* White space in front of {{- , back to `start`. */
static const char *trim_left(const char *start, const char *open) {
    while (open > start && is(open[-1], SPACE)) open--;
    return open;
}

static APART void lex_text(struct lexer *l, struct item *out) {
    out->spaced = false;
    for (const char *start = l->at;;) {
        const char *open = find_open(start, l->end);
        if (open == NULL) return make(l, start == l->end ? ITEM_EOF : ITEM_TEXT, start, l->end, out);
        bool trim = trims_left(open + 2);
        const char *stop = trim ? trim_left(start, open) : open;
        if (stop > start) {
            make(l, ITEM_TEXT, start, stop, out);
            l->at = open;
            return;
        }
        const char *body = open + (trim ? 4 : 2);
        if (body[0] != '/' || body[1] != '*') {
            make(l, ITEM_LEFT_DELIM, open, open + 2, out);
            l->at = body;
            l->inside_action = true;
            l->paren_depth = 0;
            return;
        }
        start = skip_comment(l, body, out);
        if (start == NULL) return;
    }
}

/* ---- actions ---- */

/* `s`: where the braces are; behind them white space may be trimmed. */
static void lex_right_delim(struct lexer *l, const char *s, bool trim, struct item *out) {
    if (l->paren_depth != 0) return fail(l, trim ? s - 2 : s, out, "unclosed left paren");
    make(l, ITEM_RIGHT_DELIM, s, s + 2, out);
    if (trim) l->at = skip_spaces(l->at);
    l->inside_action = false;
}

/* Is there a letter, digit or underscore at `s`? *width: its bytes. */
static bool word_rune_at(const char *s, const char *end, size_t *width) {
    *width = 1;
    if ((unsigned char)*s < 0x80) return is(*s, LETTER | DECIMAL);
    uint32_t r = rune_decode(s, (size_t)(end - s), width);
    return rune_is_letter(r) || rune_is_digit(r);
}

/* The rest of a word that is not all ASCII. */
static APART void lex_long_name(struct lexer *l, const char *s, const char *at, enum item_type type, struct item *out) {
    size_t width;
    while (word_rune_at(at, l->end, &width)) at += width;
    if (!is(*at, ENDS_WORD) && !closes(at) && at != l->end) return fail_rune(l, s, at, out, "bad character");
    make(l, type, s, at, out);
}

/* Behind the letters, digits and underscores of ASCII at `s`. */
static inline const char *skip_word(const char *s, const char *end) {
#ifdef __SSE2__
    for (; end - s >= 16; s += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)s);
        const __m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')); /* 0 to 25 */
        const __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));                                     /* 0 to 9 */
        const __m128i word = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter),
                                                       _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)),
                                          _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
        unsigned others = ~(unsigned)_mm_movemask_epi8(word) & 0xFFFF;
        if (others != 0) return s + __builtin_ctz(others);
    }
#endif
    while (is(*s, LETTER | DECIMAL)) s++;
    return s;
}

/* Letters, digits and underscores from `at` on; what goes before them is the item's as well. */
static inline void lex_name(struct lexer *l, const char *s, const char *at, enum item_type type, struct item *out) {
    at = skip_word(at, l->end);
    if (!is(*at, ENDS_WORD) && !closes(at)) return lex_long_name(l, s, at, type, out);
    make(l, type, s, at, out);
}

static enum item_type word_type(const char *word, size_t n) {
    if (n < 2) return ITEM_IDENTIFIER;
    size_t place = PLACE((unsigned char)word[0], (unsigned char)word[1], n);
    if (keywords[place].len != n) return ITEM_IDENTIFIER;
    while (n > 0 && keywords[place].word[n - 1] == word[n - 1]) n--;
    return n == 0 ? (enum item_type)keywords[place].type : ITEM_IDENTIFIER;
}

static void lex_identifier(struct lexer *l, const char *s, struct item *out) {
    lex_name(l, s, s, ITEM_IDENTIFIER, out);
    if (out->type == ITEM_IDENTIFIER) out->type = (uint8_t)word_type(s, out->len);
}

static void lex_field(struct lexer *l, const char *s, struct item *out) {
    lex_name(l, s, s + 1, ITEM_FIELD, out);
    if (out->type == ITEM_FIELD && out->len == 1) out->type = ITEM_DOT;
}

/* ---- numbers ---- */

static const char *skip_digits(const char *s, unsigned digits) {
    while (is(*s, digits)) s++;
    return s;
}

static bool is_sign(char c) { return c == '+' || c == '-'; }

/* Behind the number; *ok: may it end there? */
static const char *scan_number(const struct lexer *l, const char *s, bool *ok) {
    unsigned digits = DECIMAL;
    s += is_sign(*s);
    if (*s == '0') {
        char base = (char)(*++s | 32);
        digits = base == 'x' ? HEXADECIMAL : base == 'o' ? OCTAL : base == 'b' ? BINARY : DECIMAL;
        s += digits != DECIMAL;
    }
    s = skip_digits(s, digits);
    if (*s == '.') s = skip_digits(s + 1, digits);
    if ((digits == DECIMAL && (*s | 32) == 'e') || (digits == HEXADECIMAL && (*s | 32) == 'p')) {
        s++;
        s = skip_digits(s + is_sign(*s), DECIMAL);
    }
    s += *s == 'i';
    size_t width;
    *ok = !word_rune_at(s, l->end, &width);
    return *ok ? s : s + width;
}

static void bad_number(struct lexer *l, const char *s, const char *at, struct item *out) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, s, (size_t)(at - s));
    fail(l, s, out, "bad number syntax: %s", buf_str(&b));
}

static APART void lex_number(struct lexer *l, const char *s, struct item *out) {
    bool ok;
    const char *at = scan_number(l, s, &ok);
    if (!ok) return bad_number(l, s, at, out);
    if (!is_sign(*at)) return make(l, ITEM_NUMBER, s, at, out);
    at = scan_number(l, at, &ok);
    if (!ok || at[-1] != 'i') return bad_number(l, s, at, out);
    make(l, ITEM_COMPLEX, s, at, out);
}

/* ---- the rest ---- */

static APART void lex_quoted(struct lexer *l, const char *s, enum item_type type, const char *what, struct item *out) {
    out->literal = true;
    for (const char *at = s + 1;; at++) {
        while (!is(*at, STOPS_QUOTE)) at++;
        if (*at == *s) return make(l, type, s, at + 1, out);
        if (*at != '"' && *at != '\'') out->literal = false;
        if (*at == '\\') at++;
        if (*at == '\n' || (*at == '\0' && at >= l->end)) return fail(l, s, out, "unterminated %s", what);
    }
}

static APART void lex_raw_string(struct lexer *l, const char *s, struct item *out) {
    const char *end = memchr(s + 1, '`', (size_t)(l->end - s) - 1);
    if (end == NULL) return fail(l, s, out, "unterminated raw quoted string");
    out->literal = memchr(s, '\r', (size_t)(end - s)) == NULL;
    make(l, ITEM_RAW_STRING, s, end + 1, out);
}

static void lex_paren(struct lexer *l, const char *s, struct item *out) {
    l->paren_depth += *s == '(' ? 1 : -1;
    if (l->paren_depth < 0) return fail(l, s, out, "unexpected right paren");
    make(l, *s == '(' ? ITEM_LEFT_PAREN : ITEM_RIGHT_PAREN, s, s + 1, out);
}

/* What begins with neither a letter nor a sign that means something. */
static APART void lex_other(struct lexer *l, const char *s, struct item *out) {
    size_t width;
    if (s == l->end) return fail(l, s, out, "unclosed action");
    if (is(*s, SPACE)) return lex_right_delim(l, s + 2, true, out);
    if (is(*s, DECIMAL)) return lex_number(l, s, out);
    if ((unsigned char)*s >= 0x80 && word_rune_at(s, l->end, &width)) return lex_identifier(l, s, out);
    if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f) return fail_rune(l, s, s, out, "unrecognized character in action:");
    make(l, ITEM_CHAR, s, s + 1, out);
}

void lexer_next(struct lexer *l, struct item *out) {
    if (!l->inside_action) return lex_text(l, out);
    const char *s = l->at;
    while (is(*s, SPACE) && !trims_right(s)) s++;
    out->spaced = s > l->at;
    if (is(*s, LETTER)) return lex_identifier(l, s, out);
    switch (*s) {
    case '.':
        if (s + 1 == l->end || (s[1] >= '0' && s[1] <= '9')) return lex_number(l, s, out);
        return lex_field(l, s, out);
    case '$': return lex_name(l, s, s + 1, ITEM_VARIABLE, out);
    case '}':
        if (s[1] == '}') return lex_right_delim(l, s, false, out);
        return lex_other(l, s, out);
    case '(':
    case ')': return lex_paren(l, s, out);
    case '|': return make(l, ITEM_PIPE, s, s + 1, out);
    case '"': return lex_quoted(l, s, ITEM_STRING, "quoted string", out);
    case '`': return lex_raw_string(l, s, out);
    case '\'': return lex_quoted(l, s, ITEM_CHAR_CONSTANT, "character constant", out);
    case '=': return make(l, ITEM_ASSIGN, s, s + 1, out);
    case ':':
        if (s[1] != '=') return fail(l, s, out, "expected :=");
        return make(l, ITEM_DECLARE, s, s + 2, out);
    case '+':
    case '-': return lex_number(l, s, out);
    default: return lex_other(l, s, out);
    }
}
