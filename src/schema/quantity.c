/* Quantities: value * 10^scale with a preferred notation (apimachinery pkg/api/resource). Where upstream has int64 and
 * big decimals, 128 bits serve both. */
#include "base/str.h"
#include "schema/schema.h"

typedef unsigned __int128 u128;
#define VALUE_MAX ((__int128)(~(u128)0 >> 1))
enum { NANO = -9, MAX_DIGITS = 37, INT64_DIGITS = 18 };

static const struct suffix {
    const char *text;
    int exponent;
    uint8_t format;
} suffixes[] = {{"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"", 0, 0},    {"k", 3, 0},   {"M", 6, 0},   {"G", 9, 0},  {"T", 12, 0},
                {"P", 15, 0},  {"E", 18, 0},  {"Ki", 10, 1}, {"Mi", 20, 1}, {"Gi", 30, 1}, {"Ti", 40, 1}, {"Pi", 50, 1}, {"Ei", 60, 1}};

static const char *suffix_text(int exponent, uint8_t format) {
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (suffixes[i].exponent == exponent && suffixes[i].format == format) return suffixes[i].text;
    return "";
}

static bool suffix_parse(const char *s, int *exponent, uint8_t *format) {
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_eq(suffixes[i].text, s)) {
            *exponent = suffixes[i].exponent;
            *format = suffixes[i].format;
            return true;
        }
    int64_t n;
    if ((*s != 'e' && *s != 'E') || !str_to_int64(s + 1 + (s[1] == '+' && s[2] != '-'), &n)) return false;
    *exponent = (int)n;
    *format = QUANTITY_DECIMAL_EXPONENT;
    return true;
}

static bool multiply(__int128 *value, __int128 by) {
    if (!__builtin_mul_overflow(*value, by, value)) return true;
    *value = *value < 0 ? -VALUE_MAX : VALUE_MAX;
    return false;
}

/* Saturates towards the value's sign. */
static bool times_ten(__int128 *value, int64_t times) {
    __int128 v = *value;
    for (; times > 0 && v != 0; times--)
        if (__builtin_mul_overflow(v, (__int128)10, &v)) {
            *value = *value < 0 ? -VALUE_MAX : VALUE_MAX;
            return false;
        }
    *value = v;
    return true;
}

/* Divides by 10^times, away from zero when something is lost; says whether nothing was. */
static bool divide_ten(__int128 *value, int64_t times, bool lost) {
    for (; times > 0 && (*value != 0); times--) {
        lost |= *value % 10 != 0;
        *value /= 10;
    }
    return !lost;
}

static void round_up(__int128 *value, int64_t times, bool lost, int sign) {
    if (!divide_ten(value, times, lost)) *value += sign;
}

/* The parts of a quantity's text. */
struct parts {
    bool negative;
    const char *whole, *fraction, *suffix;
    int whole_len, fraction_len;
};

static const char *split(const char *s, struct parts *p) {
    static const char wrong[] = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    if (s == NULL || *s == '\0') return wrong;
    *p = (struct parts){.negative = *s == '-', .fraction = ""};
    s += *s == '-' || *s == '+';
    s += strspn(s, "0");
    p->whole = s;
    s += (p->whole_len = (int)strspn(s, "0123456789"));
    if (*s == '.') {
        p->fraction = ++s;
        s += (p->fraction_len = (int)strspn(s, "0123456789"));
    }
    p->suffix = s;
    s += strspn(s, "eEinumkKMGTP");
    s += *s == '-' || *s == '+';
    return s[strspn(s, "0123456789")] == '\0' ? NULL : wrong;
}

/* Reads digits into value; those beyond the precision only count in scale and `lost`. */
static void read_digits(const char *digits, int n, bool fraction, struct quantity *q, int *room, bool *lost) {
    for (int i = 0; i < n; i++) {
        if (*room > 0) {
            q->value = q->value * 10 + (digits[i] - '0');
            *room -= q->value != 0;
            q->scale -= fraction;
        } else {
            *lost |= digits[i] != '0';
            q->scale += !fraction;
        }
    }
}

static void scale_binary(struct quantity *q, int exponent, bool *lost) {
    /* Trailing zeros of a fraction would only cost bits. */
    while (q->scale < 0 && q->value % 10 == 0 && q->value != 0)
        q->value /= 10, q->scale++;
    bool fits = multiply(&q->value, (__int128)1 << exponent);
    __int128 whole = q->value;
    if (q->scale > 0) fits &= times_ten(&whole, q->scale);
    else divide_ten(&whole, -(int64_t)q->scale, false);
    if (!fits || whole >= INT64_MAX) *q = (struct quantity){INT64_MAX, 0, QUANTITY_BINARY_SI}, *lost = false;
    else if (whole == 0 && q->value != 0) q->format = QUANTITY_DECIMAL_SI;
}

/* `verbatim` tells whether Go would print the text as it was given: its fast path keeps it where it looks canonical. */
static const char *parse(const char *s, struct quantity *out, bool *verbatim) {
    struct parts p;
    struct quantity q = {0};
    const char *problem = split(s, &p);
    int exponent, room = MAX_DIGITS;
    bool lost = false;
    if (problem != NULL) return problem;
    if (p.whole_len + p.fraction_len == 0 && !strchr(s, '0')) return "unable to parse numeric part of quantity";
    if (!suffix_parse(p.suffix, &exponent, &q.format)) return "unable to parse quantity's suffix";
    read_digits(p.whole, p.whole_len, false, &q, &room, &lost);
    read_digits(p.fraction, p.fraction_len, true, &q, &room, &lost);
    int digits = MAX(p.whole_len, 1) + p.fraction_len;
    const char *last = p.fraction_len ? p.fraction + p.fraction_len : p.whole + p.whole_len;
    if (q.format == QUANTITY_BINARY_SI) {
        *verbatim = p.fraction_len == 0 && 15 - digits - (int)((float)exponent * 3 / 10) - 1 >= 0 && (q.value & 7) != 0;
        scale_binary(&q, exponent, &lost);
    } else {
        q.scale += exponent;
        bool thousands = p.whole_len + p.fraction_len >= 3 && p.fraction_len != 1 && p.fraction_len != 2 && memcmp(last - 3, "000", 3) == 0;
        *verbatim = digits <= INT64_DIGITS && q.scale >= NANO && q.scale % 3 == 0 && p.whole_len > 0 && !thousands;
    }
    if (q.scale < NANO) {
        round_up(&q.value, NANO - (int64_t)q.scale, lost, 1);
        q.scale = NANO;
    } else if (lost) {
        q.value++;
    }
    if (q.value == 0) q.scale = 0;
    if (p.negative) q.value = -q.value;
    *out = q;
    return NULL;
}

bool quantity_parse(const char *s, struct quantity *out) {
    bool verbatim;
    return parse(s, out, &verbatim) == NULL;
}

const char *quantity_normalize(struct arena *a, const char *s, const char **problem) {
    struct quantity q;
    bool verbatim = false;
    const char *why = parse(s, &q, &verbatim);
    if (problem != NULL) *problem = why;
    if (why != NULL) return NULL;
    return verbatim ? arena_strdup(a, s) : quantity_format(a, &q);
}

static const char *number_text(struct arena *a, __int128 value, const char *suffix) {
    char digits[48], *p = digits + sizeof(digits);
    u128 rest = value < 0 ? -(u128)value : (u128)value;
    *--p = '\0';
    do *--p = (char)('0' + (int)(rest % 10));
    while ((rest /= 10) != 0);
    return arena_printf(a, "%s%s%s", value < 0 ? "-" : "", p, suffix);
}

/* The whole value if that is exact. */
static bool as_whole(const struct quantity *q, __int128 *out) {
    *out = q->value;
    if (q->scale >= 0) return times_ten(out, q->scale);
    return divide_ten(out, -(int64_t)q->scale, false);
}

static const char *format_binary(struct arena *a, __int128 whole) {
    int exponent = 0;
    for (; whole % 1024 == 0 && exponent < 60; exponent += 10)
        whole /= 1024;
    return number_text(a, whole, exponent ? suffix_text(exponent, QUANTITY_BINARY_SI) : "");
}

const char *quantity_format(struct arena *a, const struct quantity *q) {
    __int128 value = q->value;
    int scale = q->scale;
    if (value == 0) return "0";
    bool whole = as_whole(q, &value);
    if (q->format == QUANTITY_BINARY_SI && whole && (value >= 1024 || value <= -1024)) return format_binary(a, value);
    for (value = q->value; value % 10 == 0; scale++)
        value /= 10;
    int excess = (scale % 3 + 3) % 3;
    times_ten(&value, excess);
    scale -= excess;
    if (q->format != QUANTITY_DECIMAL_EXPONENT) return number_text(a, value, suffix_text(scale, QUANTITY_DECIMAL_SI));
    return number_text(a, value, scale ? arena_printf(a, "e%d", scale) : "");
}

/* Rounded away from zero, within int64. */
static int64_t scaled(const struct quantity *q, int scale) {
    __int128 value = q->value;
    int64_t times = (int64_t)q->scale - scale;
    if (times >= 0) times_ten(&value, times);
    else round_up(&value, -times, false, value < 0 ? -1 : 1);
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

int64_t quantity_value(const struct quantity *q) { return scaled(q, 0); }
int64_t quantity_milli_value(const struct quantity *q) { return scaled(q, -3); }

/* Brings both to the finer scale. */
static int align(__int128 *a, const struct quantity *qa, __int128 *b, const struct quantity *qb) {
    int scale = MIN(qa->scale, qb->scale);
    *a = qa->value;
    *b = qb->value;
    times_ten(a, (int64_t)qa->scale - scale);
    times_ten(b, (int64_t)qb->scale - scale);
    return scale;
}

int quantity_compare(const struct quantity *a, const struct quantity *b) {
    __int128 x, y;
    align(&x, a, &y, b);
    return x < y ? -1 : x > y;
}

static void combine(struct quantity *a, const struct quantity *b, int sign) {
    __int128 x, y;
    uint8_t format = a->value == 0 ? b->format : a->format;
    int scale = align(&x, a, &y, b);
    *a = (struct quantity){.scale = scale, .format = format};
    if (__builtin_add_overflow(x, sign * y, &a->value)) a->value = x < 0 ? -VALUE_MAX : VALUE_MAX;
}

void quantity_add(struct quantity *a, const struct quantity *b) { combine(a, b, 1); }
void quantity_sub(struct quantity *a, const struct quantity *b) { combine(a, b, -1); }

struct quantity quantity_of(const struct json *v) {
    struct quantity q;
    cleanup_arena struct arena a = {0};
    const char *s = v == NULL ? NULL : v->type == JSON_STRING ? v->s : v->type == JSON_INT || v->type == JSON_DOUBLE ? json_text(&a, v) : NULL;
    return quantity_parse(s, &q) ? q : (struct quantity){0};
}
