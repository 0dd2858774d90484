#include "helm/go/unicode.h"
#include "helm/go/unicode_tables.h"

/* ---- UTF-8 ---- */

static bool continues(const char *s, size_t i, unsigned low, unsigned high) {
    unsigned char c = (unsigned char)s[i];
    return c >= low && c <= high;
}

uint32_t rune_decode(const char *s, size_t n, size_t *width) {
    unsigned char c = (unsigned char)s[0];
    *width = 1;
    if (c < 0x80) return c;
    if (c >= 0xC2 && c <= 0xDF && n >= 2 && continues(s, 1, 0x80, 0xBF)) {
        *width = 2;
        return (uint32_t)(c & 0x1F) << 6 | (s[1] & 0x3F);
    }
    if ((c & 0xF0) == 0xE0 && n >= 3 && continues(s, 1, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF) && continues(s, 2, 0x80, 0xBF)) {
        *width = 3;
        return (uint32_t)(c & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    }
    if (c >= 0xF0 && c <= 0xF4 && n >= 4 && continues(s, 1, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF) &&
        continues(s, 2, 0x80, 0xBF) && continues(s, 3, 0x80, 0xBF)) {
        *width = 4;
        return (uint32_t)(c & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 | (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
    }
    return RUNE_ERROR;
}

uint32_t rune_decode_last(const char *s, size_t n, size_t *width) {
    for (size_t back = MIN(n, (size_t)4); back > 1; back--) {
        uint32_t r = rune_decode(s + n - back, back, width);
        if (*width == back) return r;
    }
    return rune_decode(s + n - 1, 1, width);
}

size_t rune_encode(char out[4], uint32_t r) {
    if (r > RUNE_MAX || (r >= 0xD800 && r <= 0xDFFF)) r = RUNE_ERROR;
    if (r < 0x80) {
        out[0] = (char)r;
        return 1;
    }
    size_t n = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; r >>= 6) out[i] = (char)(0x80 | (r & 0x3F));
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(first[n] | r);
    return n;
}

void buf_add_rune(struct buf *b, uint32_t r) {
    char bytes[4];
    size_t n = rune_encode(bytes, r);
    buf_add(b, bytes, n);
}

size_t rune_count(const char *s, size_t n) {
    size_t count = 0, width;
    for (size_t i = 0; i < n; i += width, count++) rune_decode(s + i, n - i, &width);
    return count;
}

size_t rune_offset(const char *s, size_t n, size_t index) {
    size_t i = 0, width;
    for (; i < n && index > 0; i += width, index--) rune_decode(s + i, n - i, &width);
    return i;
}

/* ---- properties ---- */

enum unicode_category rune_category(uint32_t r) {
    if (r > RUNE_MAX) return CATEGORY_CN;
    size_t low = 0, high = unicode_category_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (unicode_categories[middle] >> 5 <= r) low = middle;
        else high = middle;
    }
    return (enum unicode_category)(unicode_categories[low] & 31);
}

bool rune_is_letter(uint32_t r) {
    if (r < 0x80) return (r | 0x20) - 'a' < 26;
    enum unicode_category c = rune_category(r);
    return c >= CATEGORY_LL && c <= CATEGORY_LU;
}

bool rune_is_upper(uint32_t r) { return r < 0x80 ? r - 'A' < 26 : rune_category(r) == CATEGORY_LU; }
bool rune_is_lower(uint32_t r) { return r < 0x80 ? r - 'a' < 26 : rune_category(r) == CATEGORY_LL; }
bool rune_is_digit(uint32_t r) { return r < 0x80 ? r - '0' < 10 : rune_category(r) == CATEGORY_ND; }

bool rune_is_space(uint32_t r) {
    if (r < 0x100) return r == ' ' || (r >= '\t' && r <= '\r') || r == 0x85 || r == 0xA0;
    return rune_category(r) >= CATEGORY_ZL;
}

bool rune_is_print(uint32_t r) {
    if (r < 0x7F) return r >= 0x20;
    enum unicode_category c = rune_category(r);
    return c > CATEGORY_CS && c < CATEGORY_ZL;
}

/* ---- cases ---- */

enum { UPPER, LOWER, TITLE };

static uint32_t to_case(uint32_t r, int which) {
    size_t low = 0, high = unicode_case_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct unicode_case *c = &unicode_cases[middle];
        if (r < c->first) high = middle;
        else if (r > c->last) low = middle + 1;
        else if (c->alternate) return which == LOWER ? c->first + ((r - c->first) | 1) : c->first + ((r - c->first) & ~1u);
        else return (uint32_t)((int32_t)r + c->delta[which]);
    }
    return r;
}

uint32_t rune_upper(uint32_t r) { return r < 0x80 ? (r - 'a' < 26 ? r - 32 : r) : to_case(r, UPPER); }
uint32_t rune_lower(uint32_t r) { return r < 0x80 ? (r - 'A' < 26 ? r + 32 : r) : to_case(r, LOWER); }
uint32_t rune_title(uint32_t r) { return r < 0x80 ? rune_upper(r) : to_case(r, TITLE); }

uint32_t rune_fold(uint32_t r) {
    size_t low = 0, high = unicode_fold_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (unicode_folds[middle].rune == r) return unicode_folds[middle].next;
        if (unicode_folds[middle].rune < r) low = middle + 1;
        else high = middle;
    }
    if (r == 0x130 || r == 0x131) return r; /* i with and without a dot have no other case outside Turkish */
    uint32_t lower = rune_lower(r);
    return lower != r ? lower : rune_upper(r);
}
