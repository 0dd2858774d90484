/* Numbers from text. */
#include "helm/go/strconv.h"
#include <errno.h>
#include <math.h>

static const char bad_syntax[] = "invalid syntax", out_of_range[] = "value out of range";

static struct error *failed(const char *function, const char *s, size_t n, const char *why) {
    cleanup_buf struct buf quoted = {0};
    go_quote(&quoted, s, n);
    return error_new("strconv.%s: parsing %s: %s", function, buf_str(&quoted), why);
}

static char lower(char c) { return (char)(c | 32); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

/* Go's rule: underscores only between digits, or between a base prefix and a digit. */
static bool underscores_ok(const char *s, size_t n) {
    char saw = '^';
    size_t i = 0;
    if (n > 0 && (*s == '-' || *s == '+')) i++;
    bool hex = false;
    if (n - i >= 2 && s[i] == '0' && (lower(s[i + 1]) == 'b' || lower(s[i + 1]) == 'o' || lower(s[i + 1]) == 'x')) {
        hex = lower(s[i + 1]) == 'x';
        saw = '0';
        i += 2;
    }
    for (; i < n; i++) {
        bool digit = hex ? is_hex(s[i]) : is_digit(s[i]);
        if (s[i] == '_' ? saw != '0' : !digit && saw == '_') return false;
        saw = digit ? '0' : s[i] == '_' ? '_' : '!';
    }
    return saw != '_';
}

/* The base that a prefix says, and how long the prefix is. */
static int prefix_base(const char *s, size_t n, size_t *skip) {
    *skip = 0;
    if (n == 0 || *s != '0') return 10;
    *skip = 2;
    if (n >= 3 && lower(s[1]) == 'b') return 2;
    if (n >= 3 && lower(s[1]) == 'o') return 8;
    if (n >= 3 && lower(s[1]) == 'x') return 16;
    *skip = 1;
    return 8;
}

/* NULL, or why not. */
static const char *parse_uint(const char *whole, size_t n, int base, int bits, uint64_t *out) {
    const char *s = whole;
    *out = 0;
    if (n == 0) return bad_syntax;
    bool by_prefix = base == 0, underscores = false;
    size_t skip = 0;
    if (by_prefix) base = prefix_base(s, n, &skip);
    uint64_t value = 0, max = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    for (size_t i = skip; i < n; i++) {
        int digit = is_digit(s[i]) ? s[i] - '0' : lower(s[i]) >= 'a' && lower(s[i]) <= 'z' ? lower(s[i]) - 'a' + 10 : 99;
        if (s[i] == '_' && by_prefix) {
            underscores = true;
            continue;
        }
        if (digit >= base) return bad_syntax;
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) || __builtin_add_overflow(value, (uint64_t)digit, &value) || value > max) {
            *out = max;
            return out_of_range;
        }
    }
    if (underscores && !underscores_ok(whole, n)) return bad_syntax;
    *out = value;
    return NULL;
}

static const char *parse_int(const char *s, size_t n, int base, int bits, int64_t *out) {
    *out = 0;
    if (n == 0) return bad_syntax;
    bool negative = *s == '-';
    size_t sign = negative || *s == '+';
    uint64_t u, limit = UINT64_C(1) << (bits - 1);
    const char *why = parse_uint(s + sign, n - sign, base, bits, &u);
    if (why == bad_syntax) return why;
    if (negative ? u > limit : u >= limit) {
        *out = negative ? (int64_t)(0 - limit) : (int64_t)(limit - 1);
        return out_of_range;
    }
    *out = negative ? (int64_t)(0 - u) : (int64_t)u;
    return why;
}

struct error *go_parse_int(const char *s, size_t n, int base, int bits, int64_t *out) {
    const char *why = parse_int(s, n, base, bits, out);
    return why ? failed("ParseInt", s, n, why) : NULL;
}

struct error *go_atoi(const char *s, size_t n, int64_t *out) {
    const char *why = parse_int(s, n, 10, 64, out);
    return why ? failed("Atoi", s, n, why) : NULL;
}

struct error *go_parse_uint(const char *s, size_t n, int base, int bits, uint64_t *out) {
    const char *why = parse_uint(s, n, base, bits, out);
    return why ? failed("ParseUint", s, n, why) : NULL;
}

struct error *go_parse_bool(const char *s, size_t n, bool *out) {
    static const char *const words[2][7] = {{"0", "f", "F", "false", "FALSE", "False", NULL}, {"1", "t", "T", "true", "TRUE", "True", NULL}};
    for (int truth = 0; truth < 2; truth++)
        for (const char *const *w = words[truth]; *w != NULL; w++)
            if (strlen(*w) == n && memcmp(*w, s, n) == 0) {
                *out = truth;
                return NULL;
            }
    *out = false;
    return failed("ParseBool", s, n, bad_syntax);
}

/* Is this a floating-point number in Go's syntax, apart from infinities? strtod then knows its value. */
static bool float_syntax(const char *s, size_t n) {
    size_t i = n > 0 && (*s == '+' || *s == '-'), digits = 0;
    bool hex = i + 2 < n && s[i] == '0' && lower(s[i + 1]) == 'x', dot = false, underscores = false, exponent = false;
    if (hex) i += 2;
    for (; i < n; i++) {
        if (s[i] == '_') underscores = true;
        else if (s[i] == '.' && !dot) dot = true;
        else if (hex ? is_hex(s[i]) : is_digit(s[i])) digits++;
        else break;
    }
    if (digits == 0) return false;
    if (i < n && lower(s[i]) == (hex ? 'p' : 'e')) {
        exponent = true;
        i++;
        if (i < n && (s[i] == '+' || s[i] == '-')) i++;
        if (i >= n || !is_digit(s[i])) return false;
        for (; i < n && (is_digit(s[i]) || s[i] == '_'); i++) underscores |= s[i] == '_';
    }
    return i == n && (!hex || exponent) && (!underscores || underscores_ok(s, n));
}

static bool special_float(const char *s, size_t n, double *out) {
    size_t sign = n > 0 && (*s == '+' || *s == '-');
    if ((n - sign == 3 && strncasecmp(s + sign, "inf", 3) == 0) || (n - sign == 8 && strncasecmp(s + sign, "infinity", 8) == 0)) {
        *out = *s == '-' ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (n != 3 || strncasecmp(s, "nan", 3) != 0) return false;
    *out = NAN;
    return true;
}

struct error *go_parse_float(const char *s, size_t n, int bits, double *out) {
    if (special_float(s, n, out)) return NULL;
    *out = 0;
    if (!float_syntax(s, n)) return failed("ParseFloat", s, n, bad_syntax);
    cleanup_buf struct buf text = {0};
    for (size_t i = 0; i < n; i++)
        if (s[i] != '_') buf_addc(&text, s[i]);
    *out = bits == 32 ? (double)strtof(buf_str(&text), NULL) : strtod(buf_str(&text), NULL);
    return isinf(*out) ? failed("ParseFloat", s, n, out_of_range) : NULL;
}
