/* From text to items, one at a time. Outside of actions an item is all text up to the next {{, cut by trim markers. */
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

enum { END_OF_INPUT = UINT32_MAX };

void lexer_init(struct lexer *l, struct arena *a, const char *text, size_t len) {
    *l = (struct lexer){.arena = a, .input = text, .len = len, .line = 1, .start_line = 1};
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

/* ---- reading runes ---- */

static uint32_t next(struct lexer *l) {
    if (l->pos >= l->len) {
        l->at_eof = true;
        return END_OF_INPUT;
    }
    size_t width;
    uint32_t r = rune_decode(l->input + l->pos, l->len - l->pos, &width);
    l->pos += width;
    if (r == '\n') l->line++;
    return r;
}

static void backup(struct lexer *l) {
    if (l->at_eof || l->pos == 0) return;
    size_t width;
    uint32_t r = rune_decode_last(l->input, l->pos, &width);
    l->pos -= width;
    if (r == '\n') l->line--;
}

static uint32_t peek(struct lexer *l) {
    uint32_t r = next(l);
    backup(l);
    return r;
}

static bool one_of(uint32_t r, const char *set) { return r != 0 && r < 0x80 && strchr(set, (int)r) != NULL; }

static bool accept(struct lexer *l, const char *set) {
    if (one_of(next(l), set)) return true;
    backup(l);
    return false;
}

static void accept_run(struct lexer *l, const char *set) {
    while (one_of(next(l), set)) {}
    backup(l);
}

static bool is_space(uint32_t r) { return r == ' ' || r == '\t' || r == '\r' || r == '\n'; }

static const bool word_bytes[256] = {['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['_'] = true};

static bool is_alphanumeric(uint32_t r) {
    if (r < 0x80) return word_bytes[r];
    return r != END_OF_INPUT && (rune_is_letter(r) || rune_is_digit(r));
}

/* ---- items ---- */

static struct item make(struct lexer *l, enum item_type type) {
    struct item i = {.type = type, .pos = (uint32_t)l->start, .line = l->start_line, .s = l->input + l->start, .len = l->pos - l->start};
    l->start = l->pos;
    l->start_line = l->line;
    return i;
}

/* Counts the lines of text that was skipped without next(). */
static void count_lines(struct lexer *l) {
    const char *s = l->input + l->start, *end = l->input + l->pos;
    while (s < end && (s = memchr(s, '\n', (size_t)(end - s))) != NULL) l->line++, s++;
}

static void ignore(struct lexer *l) {
    count_lines(l);
    l->start = l->pos;
    l->start_line = l->line;
}

/* An error ends the input. */
static struct item fail(struct lexer *l, const char *fmt, ...) PRINTF(2, 3);
static struct item fail(struct lexer *l, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct item i = {.type = ITEM_ERROR, .pos = (uint32_t)l->start, .line = l->start_line};
    i.s = arena_vprintf(l->arena, fmt, args);
    va_end(args);
    i.len = strlen(i.s);
    l->start = l->pos = l->len = 0;
    return i;
}

static struct item fail_rune(struct lexer *l, const char *what, uint32_t r) {
    cleanup_buf struct buf b = {0};
    if (r == END_OF_INPUT) buf_adds(&b, "U+FFFFFFFFFFFFFFFF");
    else buf_printf(&b, "U+%04X", r);
    if (r <= RUNE_MAX && rune_is_print(r)) {
        buf_adds(&b, " '");
        buf_add_rune(&b, r);
        buf_addc(&b, '\'');
    }
    return fail(l, "%s %s", what, buf_str(&b));
}

static bool at(const struct lexer *l, size_t pos, const char *s) {
    size_t n = strlen(s);
    return pos <= l->len && l->len - pos >= n && memcmp(l->input + pos, s, n) == 0;
}

static bool space_at(const struct lexer *l, size_t pos) { return pos < l->len && is_space((unsigned char)l->input[pos]); }
static bool left_trim_at(const struct lexer *l, size_t pos) { return at(l, pos, "-") && space_at(l, pos + 1); }
static bool right_trim_at(const struct lexer *l, size_t pos) { return space_at(l, pos) && at(l, pos + 1, "-"); }

/* 0: no right delimiter here; else its length, with its trim marker. */
static size_t right_delim(const struct lexer *l, bool *trim) {
    *trim = right_trim_at(l, l->pos) && at(l, l->pos + 2, "}}");
    return *trim ? 4 : at(l, l->pos, "}}") ? 2 : 0;
}

static void skip_spaces(struct lexer *l) {
    while (space_at(l, l->pos)) l->pos++;
}

/* After {{ with its marker: false if it began a comment, which is skipped. */
static bool comment(struct lexer *l, struct item *failed) {
    l->pos += 2;
    const char *end = l->pos <= l->len ? memmem(l->input + l->pos, l->len - l->pos, "*/", 2) : NULL;
    failed->type = ITEM_ERROR;
    if (end == NULL) {
        *failed = fail(l, "unclosed comment");
        return false;
    }
    l->pos = (size_t)(end - l->input) + 2;
    bool trim;
    size_t delim = right_delim(l, &trim);
    if (delim == 0) {
        *failed = fail(l, "comment ends before closing delimiter");
        return false;
    }
    l->pos += delim;
    if (trim) skip_spaces(l);
    ignore(l);
    return true;
}

static struct item left_delim(struct lexer *l) {
    l->pos += 2;
    struct item i = make(l, ITEM_LEFT_DELIM);
    if (left_trim_at(l, l->pos)) l->pos += 2;
    ignore(l);
    l->inside_action = true;
    l->paren_depth = 0;
    return i;
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
        while (text < end && is_space((unsigned char)*text)) text++;
        size_t left = (size_t)(end - text);
        if ((left >= 6 && memcmp(text, "define", 6) == 0) || (left >= 5 && memcmp(text, "block", 5) == 0)) return true;
    }
    return false;
}

static struct item lex_text(struct lexer *l) {
    for (;;) {
        const char *open = find_open(l->input + l->pos, l->input + l->len);
        if (open == NULL) {
            if (l->len == l->start) return make(l, ITEM_EOF);
            l->pos = l->len;
            count_lines(l);
            return make(l, ITEM_TEXT);
        }
        size_t delim = (size_t)(open - l->input);
        l->pos = delim;
        if (left_trim_at(l, delim + 2))
            while (l->pos > l->start && space_at(l, l->pos - 1)) l->pos--;
        count_lines(l);
        struct item text = make(l, ITEM_TEXT);
        l->pos = delim;
        ignore(l);
        if (text.len > 0) return text;
        size_t body = delim + 2 + (left_trim_at(l, delim + 2) ? 2 : 0);
        if (!at(l, body, "/*")) return left_delim(l);
        l->pos = body;
        ignore(l);
        struct item failed;
        if (!comment(l, &failed)) return failed;
    }
}

static struct item lex_right_delim(struct lexer *l) {
    bool trim;
    right_delim(l, &trim);
    if (trim) {
        l->pos += 2;
        ignore(l);
    }
    l->pos += 2;
    struct item i = make(l, ITEM_RIGHT_DELIM);
    if (trim) {
        skip_spaces(l);
        ignore(l);
    }
    l->inside_action = false;
    return i;
}

/* A run of spaces; but the last may belong to " -}}". */
static struct item lex_space(struct lexer *l) {
    for (; space_at(l, l->pos); l->pos++) l->line += l->input[l->pos] == '\n';
    if (at(l, l->pos, "-}}")) {
        l->pos--;
        l->line -= l->input[l->pos] == '\n';
        if (l->pos == l->start) return lex_right_delim(l);
    }
    return make(l, ITEM_SPACE);
}

/* Skips letters, digits and underscores. */
static void skip_word(struct lexer *l) {
    for (;;) {
        while (l->pos < l->len && word_bytes[(unsigned char)l->input[l->pos]]) l->pos++;
        size_t width;
        if (l->pos >= l->len || (unsigned char)l->input[l->pos] < 0x80) return;
        if (!is_alphanumeric(rune_decode(l->input + l->pos, l->len - l->pos, &width))) return;
        l->pos += width;
    }
}

/* May an identifier end here? */
static bool at_terminator(const struct lexer *l) {
    if (l->pos >= l->len) return true;
    switch (l->input[l->pos]) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '.':
    case ',':
    case '|':
    case ':':
    case ')':
    case '(': return true;
    default: return at(l, l->pos, "}}");
    }
}

static struct item lex_identifier(struct lexer *l) {
    skip_word(l);
    if (!at_terminator(l)) return fail_rune(l, "bad character", peek(l));
    const char *word = l->input + l->start;
    size_t n = l->pos - l->start;
    for (size_t i = 0; i < ARRAY_LEN(keywords) && n < sizeof(keywords[0].word); i++)
        if (keywords[i].len == n && memcmp(keywords[i].word, word, n) == 0) return make(l, keywords[i].type);
    return make(l, ITEM_IDENTIFIER);
}

/* .name or $name; the sign is behind. */
static struct item lex_name(struct lexer *l, enum item_type type) {
    if (at_terminator(l)) return make(l, type == ITEM_VARIABLE ? type : ITEM_DOT);
    skip_word(l);
    if (!at_terminator(l)) return fail_rune(l, "bad character", peek(l));
    return make(l, type);
}

static bool scan_number(struct lexer *l) {
    static const char decimal[] = "0123456789_", hexadecimal[] = "0123456789abcdefABCDEF_";
    const char *digits = decimal;
    accept(l, "+-");
    if (accept(l, "0")) {
        if (accept(l, "xX")) digits = hexadecimal;
        else if (accept(l, "oO")) digits = "01234567_";
        else if (accept(l, "bB")) digits = "01_";
    }
    accept_run(l, digits);
    if (accept(l, ".")) accept_run(l, digits);
    if ((digits == decimal && accept(l, "eE")) || (digits == hexadecimal && accept(l, "pP"))) {
        accept(l, "+-");
        accept_run(l, decimal);
    }
    accept(l, "i");
    if (!is_alphanumeric(peek(l))) return true;
    next(l);
    return false;
}

static struct item bad_number(struct lexer *l) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, l->input + l->start, l->pos - l->start);
    return fail(l, "bad number syntax: %s", buf_str(&b));
}

static struct item lex_number(struct lexer *l) {
    if (!scan_number(l)) return bad_number(l);
    if (!one_of(peek(l), "+-")) return make(l, ITEM_NUMBER);
    if (!scan_number(l) || l->input[l->pos - 1] != 'i') return bad_number(l);
    return make(l, ITEM_COMPLEX);
}

/* Up to the closing quote; the first is behind. */
static struct item lex_quoted(struct lexer *l, char quote, enum item_type type, const char *what) {
    for (; l->pos < l->len && l->input[l->pos] != '\n'; l->pos++) {
        if (l->input[l->pos] == quote) {
            l->pos++;
            return make(l, type);
        }
        if (l->input[l->pos] == '\\' && ++l->pos < l->len && l->input[l->pos] == '\n') break;
    }
    return fail(l, "unterminated %s", what);
}

static struct item lex_raw_string(struct lexer *l) {
    const char *end = memchr(l->input + l->pos, '`', l->len - l->pos);
    if (end == NULL) return fail(l, "unterminated raw quoted string");
    l->pos = (size_t)(end - l->input) + 1;
    count_lines(l);
    return make(l, ITEM_RAW_STRING);
}

static struct item lex_action(struct lexer *l) {
    bool trim;
    char first = l->pos < l->len ? l->input[l->pos] : '\0';
    if ((first == '}' || is_space((unsigned char)first)) && right_delim(l, &trim))
        return l->paren_depth == 0 ? lex_right_delim(l) : fail(l, "unclosed left paren");
    if (is_space((unsigned char)first)) return lex_space(l);
    if (word_bytes[(unsigned char)first] && !(first >= '0' && first <= '9')) return lex_identifier(l);
    uint32_t r = next(l);
    switch (r) {
    case END_OF_INPUT: return fail(l, "unclosed action");
    case '=': return make(l, ITEM_ASSIGN);
    case ':': return next(l) == '=' ? make(l, ITEM_DECLARE) : fail(l, "expected :=");
    case '|': return make(l, ITEM_PIPE);
    case '"': return lex_quoted(l, '"', ITEM_STRING, "quoted string");
    case '`': return lex_raw_string(l);
    case '\'': return lex_quoted(l, '\'', ITEM_CHAR_CONSTANT, "character constant");
    case '$': return lex_name(l, ITEM_VARIABLE);
    case '(': l->paren_depth++; return make(l, ITEM_LEFT_PAREN);
    case ')': return --l->paren_depth < 0 ? fail(l, "unexpected right paren") : make(l, ITEM_RIGHT_PAREN);
    default: break;
    }
    bool digit_follows = l->pos < l->len && l->input[l->pos] >= '0' && l->input[l->pos] <= '9';
    if (r == '.' && l->pos < l->len && !digit_follows) return lex_name(l, ITEM_FIELD);
    if (one_of(r, ".+-0123456789")) {
        backup(l);
        return lex_number(l);
    }
    if (is_alphanumeric(r)) {
        backup(l);
        return lex_identifier(l);
    }
    return r > ' ' && r < 0x7f ? make(l, ITEM_CHAR) : fail_rune(l, "unrecognized character in action:", r);
}

struct item lexer_next(struct lexer *l) { return l->inside_action ? lex_action(l) : lex_text(l); }
