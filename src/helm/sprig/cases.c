/* Letter cases, words and lines: lower, title, camelcase, snakecase, initials, wrap … */
#include "helm/go/unicode.h"
#include "helm/sprig/internal.h"

/* ---- rune by rune ---- */

static struct error *map_runes(struct go_run *run, struct value s, uint32_t (*map)(uint32_t r), struct value *out) {
    cleanup_buf struct buf b = {0};
    size_t width;
    buf_reserve(&b, s.len);
    for (size_t i = 0; i < s.len; i += width) buf_add_rune(&b, map(rune_decode(s.s + i, s.len - i, &width)));
    return sprig_give(run, &b, out);
}

SPRIG(upper) { return map_runes(run, args[0], rune_upper, out); }
SPRIG(lower) { return map_runes(run, args[0], rune_lower, out); }

static bool separates(uint32_t r) {
    if (r < 0x80) return !(r - '0' < 10 || (r | 0x20) - 'a' < 26 || r == '_');
    return !rune_is_letter(r) && !rune_is_digit(r) && rune_is_space(r);
}

SPRIG(title) {
    cleanup_buf struct buf b = {0};
    size_t width;
    uint32_t previous = ' ';
    for (size_t i = 0; i < args[0].len; i += width) {
        uint32_t r = rune_decode(args[0].s + i, args[0].len - i, &width);
        buf_add_rune(&b, separates(previous) ? rune_title(r) : r);
        previous = r;
    }
    return sprig_give(run, &b, out);
}

SPRIG(untitle) {
    cleanup_buf struct buf b = {0};
    size_t width;
    bool word_starts = true;
    for (size_t i = 0; i < args[0].len; i += width) {
        uint32_t r = rune_decode(args[0].s + i, args[0].len - i, &width);
        bool space = rune_is_space(r);
        buf_add_rune(&b, word_starts && !space ? rune_lower(r) : r);
        word_starts = space;
    }
    return sprig_give(run, &b, out);
}

SPRIG(swapcase) {
    cleanup_buf struct buf b = {0};
    size_t width;
    bool after_space = true;
    for (size_t i = 0; i < args[0].len; i += width) {
        uint32_t r = rune_decode(args[0].s + i, args[0].len - i, &width);
        if (rune_is_upper(r) || rune_category(r) == CATEGORY_LT) {
            r = rune_lower(r);
            after_space = false;
        } else if (rune_is_lower(r)) {
            r = after_space ? rune_title(r) : rune_upper(r);
            after_space = false;
        } else after_space = rune_is_space(r);
        buf_add_rune(&b, r);
    }
    return sprig_give(run, &b, out);
}

/* goutils takes bytes for characters here: U+0085 and U+00A0 are spaces, and what has spaces taken out is Latin-1. */
SPRIG(nospace) {
    cleanup_buf struct buf b = {0};
    bool spaces = false;
    for (size_t i = 0; i < args[0].len; i++) {
        unsigned char c = (unsigned char)args[0].s[i];
        if (rune_is_space(c)) spaces = true;
        else buf_add_rune(&b, c);
    }
    *out = args[0];
    return spaces ? sprig_give(run, &b, out) : NULL;
}

SPRIG(initials) {
    cleanup_buf struct buf b = {0};
    bool gap = true;
    for (size_t i = 0; i < args[0].len; i++) {
        unsigned char c = (unsigned char)args[0].s[i];
        bool space = rune_is_space(c);
        if (gap && !space) buf_add_rune(&b, c);
        gap = space;
    }
    return sprig_give(run, &b, out);
}

/* ---- words (huandu/xstrings) ---- */

enum word { WORD_INVALID, WORD_NUMBER, WORD_UPPER, WORD_ALPHABET, WORD_CONNECTOR, WORD_PUNCTUATION, WORD_OTHER };

static bool is_connector(uint32_t r) { return r == '-' || r == '_' || rune_is_space(r); }
static bool is_punctuation(uint32_t r) { return rune_category(r) >= CATEGORY_PC && rune_category(r) <= CATEGORY_PS; }
static bool is_number(uint32_t r) { return rune_category(r) >= CATEGORY_ND && rune_category(r) <= CATEGORY_NO; }
static bool is_cased(uint32_t r) { return rune_is_upper(r) || rune_is_lower(r) || rune_category(r) == CATEGORY_LT; }

SPRIG(camelcase) {
    cleanup_buf struct buf b = {0};
    const char *p = args[0].s, *end = p + args[0].len;
    uint32_t r = 0, before;
    size_t width = 0;
    bool upper_run = false;
    while (p < end) { /* leading connectors stay */
        r = rune_decode(p, (size_t)(end - p), &width);
        p += width;
        if (!is_connector(r)) {
            upper_run = rune_is_upper(r);
            r = rune_upper(r);
            break;
        }
        buf_add_rune(&b, r);
    }
    if (p == end) {
        if (width != 0) buf_add_rune(&b, r);
        return sprig_give(run, &b, out);
    }
    while (p < end) {
        before = r;
        r = rune_decode(p, (size_t)(end - p), &width);
        p += width;
        if (is_connector(before)) {
            if (is_connector(r)) buf_add_rune(&b, before);
            else {
                upper_run = rune_is_upper(r);
                r = rune_upper(r);
            }
            continue;
        }
        if (upper_run && !is_connector(r)) {
            upper_run = rune_is_upper(r);
            if (upper_run) r = rune_lower(r);
        } else if (upper_run) upper_run = false;
        buf_add_rune(&b, before);
    }
    buf_add_rune(&b, r);
    return sprig_give(run, &b, out);
}

/* The rune at p, bytes that are no UTF-8 skipped; 0 with *width covering the rest where there is none. */
static uint32_t valid_rune(const char *p, const char *end, size_t *width, uint32_t otherwise) {
    size_t w;
    *width = 0;
    while (p + *width < end) {
        uint32_t r = rune_decode(p + *width, (size_t)(end - p) - *width, &w);
        *width += w;
        if (r != RUNE_ERROR) return r;
    }
    return otherwise;
}

static bool goes_on(enum word kind, uint32_t r) {
    switch (kind) {
    case WORD_CONNECTOR: return is_connector(r);
    case WORD_PUNCTUATION: return is_punctuation(r);
    case WORD_ALPHABET: return is_cased(r) && !rune_is_upper(r);
    case WORD_UPPER: return rune_is_upper(r);
    case WORD_NUMBER: return is_number(r);
    default: return !is_connector(r) && !is_cased(r) && !is_number(r) && !is_punctuation(r);
    }
}

static enum word kind_of(uint32_t r) {
    if (is_connector(r)) return WORD_CONNECTOR;
    if (is_punctuation(r)) return WORD_PUNCTUATION;
    if (rune_is_upper(r)) return WORD_UPPER;
    if (is_cased(r)) return WORD_ALPHABET;
    return is_number(r) ? WORD_NUMBER : WORD_OTHER;
}

struct words {
    const char *p, *end; /* what is left */
    enum word kind;
    const char *word;
    size_t len;
};

/* The next word of one kind. Upper case goes together, or with the lower case behind it: HTTPStatus is HTTP and Status. */
static void next_word(struct words *w) {
    size_t width, last = 0;
    *w = (struct words){.p = w->p, .end = w->end, .word = w->p};
    if (w->p == w->end) return;
    uint32_t r = valid_rune(w->p, w->end, &width, RUNE_ERROR);
    const char *p = w->p + width;
    w->kind = r == RUNE_ERROR ? WORD_INVALID : kind_of(r);
    if (w->kind != WORD_INVALID && p < w->end) {
        uint32_t second = valid_rune(p, w->end, &width, r);
        enum word run = w->kind == WORD_UPPER && !rune_is_upper(second) ? WORD_ALPHABET : w->kind;
        bool more = true;
        while (p < w->end && more) {
            r = valid_rune(p, w->end, &width, r);
            more = goes_on(run, r);
            if (!more) break;
            last = width;
            p += width;
        }
        if (run == WORD_UPPER && p < w->end && is_cased(r)) p -= last;
    }
    w->len = (size_t)(p - w->word);
    w->p = p;
}

static void add_word(struct buf *b, const struct words *w, char connector) {
    size_t width;
    if (w->kind != WORD_UPPER && w->kind != WORD_CONNECTOR) {
        buf_add(b, w->word, w->len);
        return;
    }
    for (size_t i = 0; i < w->len; i += width) {
        uint32_t r = rune_decode(w->word + i, w->len - i, &width);
        if (is_connector(r)) buf_addc(b, connector);
        else buf_add_rune(b, rune_is_upper(r) ? rune_lower(r) : r);
    }
}

static bool needs_connector(enum word next) { return next != WORD_INVALID && next != WORD_PUNCTUATION && next != WORD_CONNECTOR; }

/* Letters behind a number belong to it. */
static void add_tail(struct buf *b, struct words *w, char connector) {
    while (w->kind == WORD_ALPHABET || w->kind == WORD_NUMBER) {
        add_word(b, w, connector);
        next_word(w);
    }
    if (needs_connector(w->kind)) buf_addc(b, connector);
}

static void add_number_behind(struct buf *b, struct words *w, char connector) {
    struct words number = *w;
    next_word(w);
    if (w->kind == WORD_ALPHABET) { /* HTTP2xx: http_2xx */
        buf_addc(b, connector);
        add_word(b, &number, connector);
        add_tail(b, w, connector);
        return;
    }
    add_word(b, &number, connector); /* Bld4Floor: bld4_floor */
    if (w->kind != WORD_CONNECTOR && w->kind != WORD_PUNCTUATION) buf_addc(b, connector);
}

static struct error *to_lower_words(struct go_run *run, struct value s, char connector, struct value *out) {
    cleanup_buf struct buf b = {0};
    struct words w = {.p = s.s, .end = s.s + s.len};
    next_word(&w);
    while (w.p < w.end) {
        struct words previous = w;
        if (previous.kind != WORD_CONNECTOR) add_word(&b, &previous, connector);
        next_word(&w);
        if (previous.kind == WORD_NUMBER) add_tail(&b, &w, connector);
        else if (previous.kind == WORD_CONNECTOR) add_word(&b, &previous, connector);
        else if (previous.kind == WORD_PUNCTUATION) continue;
        else if (w.kind != WORD_NUMBER) {
            if (w.kind != WORD_CONNECTOR && w.kind != WORD_PUNCTUATION) buf_addc(&b, connector);
        } else if (w.p < w.end) add_number_behind(&b, &w, connector);
    }
    add_word(&b, &w, connector);
    return sprig_give(run, &b, out);
}

SPRIG(snakecase) { return to_lower_words(run, args[0], '_', out); }
SPRIG(kebabcase) { return to_lower_words(run, args[0], '-', out); }

/* ---- lines ---- */

static struct error *wrap_text(struct go_run *run, int64_t width, struct value s, struct value newline, bool long_words, struct value *out) {
    cleanup_buf struct buf b = {0};
    if (newline.len == 0) newline = value_literal("\n");
    if (width < 1) width = 1;
    TRY(go_reserve(run, s.len + (uint64_t)s.len / (uint64_t)width * newline.len));
    int64_t at = 0, n = s.len;
    while (n - at > width) {
        if (s.s[at] == ' ') {
            at++;
            continue;
        }
        const char *space = memrchr(s.s + at, ' ', (size_t)width + 1), *from = s.s + at;
        if (space == NULL && long_words) {
            buf_add(&b, from, (size_t)width);
            buf_add(&b, newline.s, newline.len);
            at += width;
            continue;
        }
        if (space == NULL) space = memchr(from + width, ' ', (size_t)(n - at - width));
        if (space == NULL) break;
        buf_add(&b, from, (size_t)(space - from));
        buf_add(&b, newline.s, newline.len);
        at = space - s.s + 1;
    }
    buf_add(&b, s.s + at, (size_t)(n - at));
    return sprig_give(run, &b, out);
}

SPRIG(wrap) { return wrap_text(run, args[0].i, args[1], value_literal(""), false, out); }
SPRIG(wrap_with) { return wrap_text(run, args[0].i, args[2], args[1], true, out); }

const struct go_func sprig_cases[] = {
    GO_FUNC("upper", upper, &go_string, &go_string),
    GO_FUNC("lower", lower, &go_string, &go_string),
    GO_FUNC("title", title, &go_string, &go_string),
    GO_FUNC("untitle", untitle, &go_string, &go_string),
    GO_FUNC("swapcase", swapcase, &go_string, &go_string),
    GO_FUNC("nospace", nospace, &go_string, &go_string),
    GO_FUNC("initials", initials, &go_string, &go_string),
    GO_FUNC("camelcase", camelcase, &go_string, &go_string),
    GO_FUNC("snakecase", snakecase, &go_string, &go_string),
    GO_FUNC("kebabcase", kebabcase, &go_string, &go_string),
    GO_FUNC("wrap", wrap, &go_string, &go_int, &go_string),
    GO_FUNC("wrapWith", wrap_with, &go_string, &go_int, &go_string, &go_string),
    GO_FUNCS_END,
};
