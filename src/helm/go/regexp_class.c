/* Classes of runes: [a-z], \w, [:alpha:], \p{Greek}. Scripts are asked of PCRE2, which has the tables. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/str.h"
#include "helm/go/regexp_internal.h"
#include "helm/go/unicode.h"
#include "helm/go/unicode_tables.h"
#include <pcre2.h>

enum { FOLD_FIRST = 'A', FOLD_LAST = 0x1E943 }; /* no other rune has a case */

void class_add(struct class *c, uint32_t low, uint32_t high) {
    for (size_t i = c->count; i > 0 && i + 2 > c->count; i--) { /* folded alphabets grow two ranges by turns */
        struct rune_range *r = &c->ranges[i - 1];
        if (low > r->high + 1 || r->low > high + 1) continue;
        r->low = MIN(r->low, low);
        r->high = MAX(r->high, high);
        return;
    }
    if (c->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 8;
        c->ranges = arena_grow(c->arena, c->ranges, c->cap * sizeof(*c->ranges), cap * sizeof(*c->ranges));
        c->cap = cap;
    }
    c->ranges[c->count++] = (struct rune_range){low, high};
}

void class_add_folded(struct class *c, uint32_t low, uint32_t high) {
    class_add(c, low, high);
    if (low <= FOLD_FIRST && high >= FOLD_LAST) return;
    for (uint32_t r = MAX(low, (uint32_t)FOLD_FIRST); r <= high && r <= FOLD_LAST; r++)
        for (uint32_t f = rune_fold(r); f != r; f = rune_fold(f)) class_add(c, f, f);
}

static int by_low(const void *a, const void *b) {
    const struct rune_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

void class_clean(struct class *c) {
    if (c->count < 2) return;
    qsort(c->ranges, c->count, sizeof(*c->ranges), by_low);
    size_t last = 0;
    for (size_t i = 1; i < c->count; i++) {
        if (c->ranges[i].low > c->ranges[last].high + 1) c->ranges[++last] = c->ranges[i];
        else c->ranges[last].high = MAX(c->ranges[last].high, c->ranges[i].high);
    }
    c->count = last + 1;
}

static void add_negated(struct class *to, const struct class *clean) {
    uint32_t next = 0;
    for (size_t i = 0; i < clean->count; i++) {
        if (clean->ranges[i].low > next) class_add(to, next, clean->ranges[i].low - 1);
        next = clean->ranges[i].high + 1;
    }
    if (next <= RUNE_MAX) class_add(to, next, RUNE_MAX);
}

void class_negate(struct class *c) {
    struct class result = {.arena = c->arena};
    add_negated(&result, c);
    *c = result;
}

void class_add_class(struct class *c, struct class *other, bool folded, bool negated) {
    struct class full = {.arena = c->arena};
    for (size_t i = 0; i < other->count; i++) {
        if (folded) class_add_folded(&full, other->ranges[i].low, other->ranges[i].high);
        else class_add(&full, other->ranges[i].low, other->ranges[i].high);
    }
    class_clean(&full);
    if (negated) add_negated(c, &full);
    else
        for (size_t i = 0; i < full.count; i++) class_add(c, full.ranges[i].low, full.ranges[i].high);
}

/* ---- classes with names ---- */

/* Pairs of first and last character. */
static const struct {
    const char *name, *ranges;
} named[] = {
    {"d", "09"},         {"s", "\t\n\f\r  "},   {"w", "09AZ__az"}, {"alnum", "09AZaz"}, {"alpha", "AZaz"},
    {"ascii", NULL},     {"blank", "\t\t  "},   {"cntrl", NULL},   {"digit", "09"},     {"graph", "!~"},
    {"lower", "az"},     {"print", " ~"},       {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},
    {"word", "09AZ__az"}, {"xdigit", "09AFaf"},
};

static bool add_named(struct class *c, const char *name, size_t n, bool folded, bool negated) {
    struct class found = {.arena = c->arena};
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        if (strlen(named[i].name) != n || memcmp(named[i].name, name, n) != 0) continue;
        if (named[i].ranges == NULL) class_add(&found, 0, *name == 'a' ? 0x7F : 0x1F); /* those with NUL */
        if (*name == 'c') class_add(&found, 0x7F, 0x7F);
        for (const char *p = named[i].ranges; p != NULL && *p; p += 2) class_add(&found, (unsigned char)p[0], (unsigned char)p[1]);
        class_add_class(c, &found, folded, negated);
        return true;
    }
    return false;
}

bool class_add_perl(struct class *c, char letter, bool folded) {
    char lower = (char)(letter | 0x20);
    return strchr("dsw", lower) != NULL && add_named(c, &lower, 1, folded, letter != lower);
}

bool class_add_posix(struct class *c, const char *name, size_t n, bool folded) {
    bool negated = n > 4 && name[2] == '^';
    size_t start = 2 + negated;
    return n >= start + 2 + 2 && add_named(c, name + start, n - start - 2, folded, negated);
}

/* ---- Unicode ---- */

/* A canonical name ("Nd", "Decimalnumber") and the categories from first to last. */
static const struct {
    const char *name, *alias;
    enum unicode_category first, last;
} categories[] = {
    {"C", "Other", CATEGORY_CC, CATEGORY_CS},
    {"Cc", "Control", CATEGORY_CC, CATEGORY_CC},
    {"Cc", "Cntrl", CATEGORY_CC, CATEGORY_CC},
    {"Cf", "Format", CATEGORY_CF, CATEGORY_CF},
    {"Cn", "Unassigned", CATEGORY_CN, CATEGORY_CN},
    {"Co", "Privateuse", CATEGORY_CO, CATEGORY_CO},
    {"Cs", "Surrogate", CATEGORY_CS, CATEGORY_CS},
    {"L", "Letter", CATEGORY_LL, CATEGORY_LU},
    {"Ll", "Lowercaseletter", CATEGORY_LL, CATEGORY_LL},
    {"Lm", "Modifierletter", CATEGORY_LM, CATEGORY_LM},
    {"Lo", "Otherletter", CATEGORY_LO, CATEGORY_LO},
    {"Lt", "Titlecaseletter", CATEGORY_LT, CATEGORY_LT},
    {"Lu", "Uppercaseletter", CATEGORY_LU, CATEGORY_LU},
    {"M", "Mark", CATEGORY_MC, CATEGORY_MN},
    {"M", "Combiningmark", CATEGORY_MC, CATEGORY_MN},
    {"Mc", "Spacingmark", CATEGORY_MC, CATEGORY_MC},
    {"Me", "Enclosingmark", CATEGORY_ME, CATEGORY_ME},
    {"Mn", "Nonspacingmark", CATEGORY_MN, CATEGORY_MN},
    {"N", "Number", CATEGORY_ND, CATEGORY_NO},
    {"Nd", "Decimalnumber", CATEGORY_ND, CATEGORY_ND},
    {"Nd", "Digit", CATEGORY_ND, CATEGORY_ND},
    {"Nl", "Letternumber", CATEGORY_NL, CATEGORY_NL},
    {"No", "Othernumber", CATEGORY_NO, CATEGORY_NO},
    {"P", "Punctuation", CATEGORY_PC, CATEGORY_PS},
    {"P", "Punct", CATEGORY_PC, CATEGORY_PS},
    {"Pc", "Connectorpunctuation", CATEGORY_PC, CATEGORY_PC},
    {"Pd", "Dashpunctuation", CATEGORY_PD, CATEGORY_PD},
    {"Pe", "Closepunctuation", CATEGORY_PE, CATEGORY_PE},
    {"Pf", "Finalpunctuation", CATEGORY_PF, CATEGORY_PF},
    {"Pi", "Initialpunctuation", CATEGORY_PI, CATEGORY_PI},
    {"Po", "Otherpunctuation", CATEGORY_PO, CATEGORY_PO},
    {"Ps", "Openpunctuation", CATEGORY_PS, CATEGORY_PS},
    {"S", "Symbol", CATEGORY_SC, CATEGORY_SO},
    {"Sc", "Currencysymbol", CATEGORY_SC, CATEGORY_SC},
    {"Sk", "Modifiersymbol", CATEGORY_SK, CATEGORY_SK},
    {"Sm", "Mathsymbol", CATEGORY_SM, CATEGORY_SM},
    {"So", "Othersymbol", CATEGORY_SO, CATEGORY_SO},
    {"Z", "Separator", CATEGORY_ZL, CATEGORY_ZS},
    {"Zl", "Lineseparator", CATEGORY_ZL, CATEGORY_ZL},
    {"Zp", "Paragraphseparator", CATEGORY_ZP, CATEGORY_ZP},
    {"Zs", "Spaceseparator", CATEGORY_ZS, CATEGORY_ZS},
};

static void add_categories(struct class *c, enum unicode_category first, enum unicode_category last) {
    for (size_t i = 0; i < unicode_category_count; i++) {
        enum unicode_category category = (enum unicode_category)(unicode_categories[i] & 31);
        uint32_t end = i + 1 < unicode_category_count ? unicode_categories[i + 1] >> 5 : RUNE_MAX + 1;
        if (category >= first && category <= last) class_add(c, unicode_categories[i] >> 5, end - 1);
    }
}

/* Runs of all characters from U+0000 to U+10FFFF that are of the script. PCRE2 also knows the four-letter codes, Go does not;
 * surrogates have no script. */
static bool add_script(struct class *c, const char *name) {
    int code;
    size_t offset, width;
    if (strlen(name) == 4 && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == 4) {
        static const char *const short_names[] = {"Ahom", "Cham", "Kawi", "Lisu", "Miao", "Modi", "Newa", "Thai", "Toto", NULL};
        if (!str_in(name, short_names)) return false;
    }
    cleanup_free char *pattern = xprintf("\\p{sc:%s}+", name);
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_NO_UTF_CHECK, &code, &offset, NULL);
    if (re == NULL) return false;
    cleanup_buf struct buf all = {0};
    for (uint32_t r = 0; r <= RUNE_MAX; r++)
        if (r < 0xD800 || r > 0xDFFF) buf_add_rune(&all, r);
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(re, NULL);
    for (size_t at = 0; at < all.len;) {
        if (pcre2_match(re, (PCRE2_SPTR)all.data, all.len, at, PCRE2_NO_UTF_CHECK, match, NULL) < 1) break;
        const size_t *found = pcre2_get_ovector_pointer(match);
        class_add(c, rune_decode(all.data + found[0], all.len - found[0], &width), rune_decode_last(all.data, found[1], &width));
        at = found[1];
    }
    pcre2_match_data_free(match);
    pcre2_code_free(re);
    return true;
}

/* The upper, then lower case name without spaces, underscores and hyphens, by which names are compared. */
static bool canonical(const char *name, size_t n, char out[64]) {
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        char ch = name[i];
        if (ch == ' ' || ch == '_' || ch == '-') continue;
        bool upper = ch >= 'A' && ch <= 'Z', lower = ch >= 'a' && ch <= 'z';
        if ((!upper && !lower) || len == 63) return false;
        out[len] = (char)(len == 0 ? ch & ~0x20 : ch | 0x20);
        len++;
    }
    out[len] = '\0';
    return len > 0;
}

bool class_add_unicode(struct class *c, const char *name, size_t n, bool folded, bool negated) {
    char key[64];
    struct class found = {.arena = c->arena};
    if (!canonical(name, n, key)) return false;
    if (str_eq(key, "Any")) class_add(&found, 0, RUNE_MAX);
    else if (str_eq(key, "Ascii")) class_add(&found, 0, 0x7F);
    else if (str_eq(key, "Assigned")) {
        add_categories(&found, CATEGORY_CN, CATEGORY_CN);
        negated = !negated;
    } else if (str_eq(key, "Lc") || str_eq(key, "Casedletter")) {
        add_categories(&found, CATEGORY_LL, CATEGORY_LL);
        add_categories(&found, CATEGORY_LT, CATEGORY_LU);
    } else {
        size_t i = 0;
        while (i < ARRAY_LEN(categories) && !str_eq(categories[i].name, key) && !str_eq(categories[i].alias, key)) i++;
        if (i < ARRAY_LEN(categories)) add_categories(&found, categories[i].first, categories[i].last);
        else if (!add_script(&found, key)) return false;
    }
    class_clean(&found);
    class_add_class(c, &found, folded, negated);
    return true;
}
