/* What plain scalars mean, as Go's yaml.v2 resolves them: YAML 1.1 booleans, integers of several bases with
 * underscores, floats; things that look like times are recognized only because they must be quoted when written. */
#include "json/index.h"
#include "base/str.h"
#include <errno.h>

#define NOT_A_NUMBER (__builtin_nan(""))
static const struct {
    const char *names[7];
    struct json value;
} words[] = {
    {{"y", "Y", "yes", "Yes", "YES"}, {.type = JSON_BOOL, .b = true}},
    {{"true", "True", "TRUE"}, {.type = JSON_BOOL, .b = true}},
    {{"on", "On", "ON"}, {.type = JSON_BOOL, .b = true}},
    {{"n", "N", "no", "No", "NO"}, {.type = JSON_BOOL, .b = false}},
    {{"false", "False", "FALSE"}, {.type = JSON_BOOL, .b = false}},
    {{"off", "Off", "OFF"}, {.type = JSON_BOOL, .b = false}},
    {{"", "~", "null", "Null", "NULL"}, {.type = JSON_NULL}},
    {{".nan", ".NaN", ".NAN"}, {.type = JSON_DOUBLE, .d = NOT_A_NUMBER}},
    {{".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"}, {.type = JSON_DOUBLE, .d = __builtin_inf()}},
    {{"-.inf", "-.Inf", "-.INF"}, {.type = JSON_DOUBLE, .d = -__builtin_inf()}},
};

static bool resolve_word(const char *s, struct json *out) {
    if (*s >= '0' && *s <= '9') return false;
    if (strnlen(s, 6) > 5) return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (const char *const *name = words[i].names; *name != NULL; name++) {
            if (**name != *s || strcmp(*name, s) != 0) continue;
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

/* Digits of the base, all of them, into 64 bits. */
static bool digits_of(const char *s, unsigned base, uint64_t *out) {
    *out = 0;
    if (*s == '\0') return false;
    for (; *s; s++) {
        unsigned d = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0') : (*s | 0x20) >= 'a' ? (unsigned)((*s | 0x20) - 'a' + 10) : 99;
        if (d >= base || __builtin_mul_overflow(*out, base, out) || __builtin_add_overflow(*out, d, out)) return false;
    }
    return true;
}

/* strconv.ParseInt and ParseUint with base 0; beyond int64 the value is a double, as JSON has it afterwards. */
static bool resolve_int(const char *s, struct json *out) {
    bool sign = *s == '-' || *s == '+', negative = *s == '-';
    uint64_t u;
    s += sign;
    unsigned base = 10;
    if (s[0] == '0' && s[1] != '\0') {
        char c = (char)(s[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    if (!digits_of(s, base, &u)) return false;
    if (u <= (uint64_t)INT64_MAX + negative) {
        *out = (struct json){.type = JSON_INT, .i = (int64_t)(negative ? 0 - u : u)};
        return true;
    }
    *out = (struct json){.type = JSON_DOUBLE, .d = (double)u};
    return !sign;
}

/* ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$ and in range */
static bool resolve_float(const char *s, struct json *out) {
    const char *p = s + (*s == '-' || *s == '+'), *digits = "0123456789";
    size_t whole = strspn(p, digits), fraction = 0;
    p += whole;
    if (*p == '.') {
        fraction = strspn(p + 1, digits);
        p += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        size_t n = strspn(p, digits);
        if (n == 0) return false;
        p += n;
    }
    if (*p != '\0') return false;
    *out = (struct json){.type = JSON_DOUBLE, .d = strtod(s, NULL)};
    return out->d - out->d == 0;
}

/* A number of 1 to `most` digits in range. */
static bool field(const char **s, int most, int low, int high, int *out) {
    int n = 0;
    for (*out = 0; n < most && **s >= '0' && **s <= '9'; n++, (*s)++) *out = *out * 10 + (**s - '0');
    return n > 0 && *out >= low && *out <= high;
}

static bool looks_like_time(const char *s) {
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, v;
    if (strspn(s, "0123456789") != 4 || s[4] != '-' || !field(&s, 4, 0, 9999, &year)) return false;
    s++;
    if (!field(&s, 2, 1, 12, &month) || *s++ != '-' || !field(&s, 2, 1, days[month - 1], &day)) return false;
    if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0))) return false;
    if (*s == '\0') return true;
    bool zone = *s == 'T' || *s == 't';
    if (!zone && *s != ' ') return false;
    s++;
    if (!field(&s, 2, 0, 23, &v) || *s++ != ':' || !field(&s, 2, 0, 59, &v) || *s++ != ':' || !field(&s, 2, 0, 59, &v)) return false;
    if ((*s == '.' || *s == ',') && s[1] >= '0' && s[1] <= '9') s += 1 + strspn(s + 1, "0123456789");
    if (!zone) return *s == '\0';
    if (*s == 'Z') return s[1] == '\0';
    if (*s != '+' && *s != '-') return false;
    const char *start = ++s;
    return field(&s, 2, 0, 24, &v) && *s++ == ':' && field(&s, 2, 0, 60, &v) && *s == '\0' && s == start + 5;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

enum yaml_kind yaml_resolve(const char *s, struct json *out) {
    static const char hints[] = "+-.0123456789yYnNtTfFoO~"; /* nothing else can start a special scalar */
    if (*s != '\0' && strchr(hints, *s) == NULL) return YAML_STRING;
    if (resolve_word(s, out)) return YAML_VALUE;
    if (*s == '\0' || strchr("+-.0123456789", *s) == NULL) return YAML_STRING;
    if (looks_like_time(s)) return YAML_TIMESTAMP;
    size_t n = strlen(s), len = 0;
    if (n > 400) return YAML_STRING; /* no number that anybody means */
    char plain[401];
    for (size_t i = 0; i <= n; i++)
        if (s[i] != '_') plain[len++] = s[i];
        else if (*s == '.' && !(is_digit(s[i - 1]) && is_digit(s[i + 1]))) return YAML_STRING; /* as Go's ParseFloat */
    return resolve_int(plain, out) || resolve_float(plain, out) ? YAML_VALUE : YAML_STRING;
}
