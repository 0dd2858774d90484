/* Condition operators: a table of comparisons of one value of the request with one of the policy. */
#include "base/clock.h"
#include "base/str.h"
#include "platform/aws/policy_internal.h"
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

/* `want` is the policy's value, its variables replaced where the operator knows variables. */
typedef bool compare_fn(struct arena *a, const char *have, const char *want);

struct condition_operator {
    const char *name;
    compare_fn *compare; /* NULL: Null */
    bool negated;        /* met when no value compares equal */
    bool variables;      /* strings and ARNs */
};

/* ---- comparisons ---- */

/* Patterns with no wildcard: only escapes are special. */
static bool equal_text(const char *have, const char *want, bool fold) {
    for (; *want; want++, have++) {
        if (*want == '\x01') want++;
        if (fold ? strncasecmp(have, want, 1) != 0 : *have != *want) return false;
    }
    return *have == '\0';
}
static bool string_equal(struct arena *a UNUSED, const char *have, const char *want) { return equal_text(have, want, false); }
static bool string_equal_fold(struct arena *a UNUSED, const char *have, const char *want) { return equal_text(have, want, true); }
static bool string_like(struct arena *a UNUSED, const char *have, const char *want) { return policy_wildcard(want, have); }
static bool arn_like(struct arena *a UNUSED, const char *have, const char *want) { return policy_arn_match(want, have); }

static bool number(const char *s, double *out) {
    char *end;
    if (*s == '\0' || strspn(s, "+-.0123456789eE") != strlen(s)) return false;
    *out = strtod(s, &end);
    return *end == '\0' && isfinite(*out);
}

/* -1, 0, 1; 2 if one of them is no number. */
static int compare_numbers(const char *have, const char *want) {
    double x, y;
    if (!number(have, &x) || !number(want, &y)) return 2;
    return x < y ? -1 : x > y;
}
static bool number_equal(struct arena *a UNUSED, const char *have, const char *want) { return compare_numbers(have, want) == 0; }
static bool number_less(struct arena *a UNUSED, const char *have, const char *want) { return compare_numbers(have, want) == -1; }
static bool number_greater(struct arena *a UNUSED, const char *have, const char *want) { return compare_numbers(have, want) == 1; }
static bool number_at_most(struct arena *a UNUSED, const char *have, const char *want) {
    int c = compare_numbers(have, want);
    return c == -1 || c == 0;
}
static bool number_at_least(struct arena *a UNUSED, const char *have, const char *want) {
    int c = compare_numbers(have, want);
    return c == 1 || c == 0;
}

/* W3C's profile of ISO 8601, down from the year alone, or seconds since 1970. */
static bool date(const char *s, double *out) {
    static const char rest[] = "2000-01-01T00:00:00Z";
    size_t n = strlen(s);
    int64_t wall;
    char text[TIME_STRING_MAX];
    bool plain = n == 4 || n == 7 || n == 10;
    if (plain && strspn(s, "0123456789-") == n && (n == 4 || s[4] == '-')) {
        snprintf(text, sizeof(text), "%s%s", s, rest + n);
        s = text;
    } else if (n == 17 && s[16] == 'Z') { /* minutes only: 2026-01-01T10:20Z */
        snprintf(text, sizeof(text), "%.16s:00Z", s);
        s = text;
    } else if (number(s, out)) {
        return true;
    }
    if (!time_parse(s, &wall)) return false;
    *out = (double)wall / (double)NSEC_PER_SEC;
    return true;
}
static int compare_dates(const char *have, const char *want) {
    double x, y;
    if (!date(have, &x) || !date(want, &y)) return 2;
    return x < y ? -1 : x > y;
}
static bool date_equal(struct arena *a UNUSED, const char *have, const char *want) { return compare_dates(have, want) == 0; }
static bool date_less(struct arena *a UNUSED, const char *have, const char *want) { return compare_dates(have, want) == -1; }
static bool date_greater(struct arena *a UNUSED, const char *have, const char *want) { return compare_dates(have, want) == 1; }
static bool date_at_most(struct arena *a UNUSED, const char *have, const char *want) {
    int c = compare_dates(have, want);
    return c == -1 || c == 0;
}
static bool date_at_least(struct arena *a UNUSED, const char *have, const char *want) {
    int c = compare_dates(have, want);
    return c == 1 || c == 0;
}

static bool boolean_equal(struct arena *a UNUSED, const char *have, const char *want) {
    return strcasecmp(have, want) == 0 && (strcasecmp(want, "true") == 0 || strcasecmp(want, "false") == 0);
}

static bool binary_equal(struct arena *a, const char *have, const char *want) {
    char *x, *y;
    size_t x_len, y_len;
    if (!base64_decode(a, have, strlen(have), &x, &x_len) || !base64_decode(a, want, strlen(want), &y, &y_len)) return false;
    return x_len == y_len && memcmp(x, y, x_len) == 0;
}

/* Bytes of an address; 0 if it is none. */
static size_t address(const char *s, uint8_t out[16]) {
    if (inet_pton(AF_INET, s, out) == 1) return 4;
    if (inet_pton(AF_INET6, s, out) != 1) return 0;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:192.0.2.1 is 192.0.2.1 */
    if (memcmp(out, mapped, sizeof(mapped)) != 0) return 16;
    memmove(out, out + 12, 4);
    return 4;
}

static bool address_within(struct arena *a, const char *have, const char *want) {
    uint8_t x[16], net[16];
    const char *slash = strchr(want, '/');
    const char *base = slash ? arena_strndup(a, want, (size_t)(slash - want)) : want;
    size_t n = address(base, net);
    int64_t bits = (int64_t)n * 8;
    if (n == 0 || address(have, x) != n) return false;
    if (slash != NULL && (!str_to_int64(slash + 1, &bits) || bits < 0 || bits > (int64_t)n * 8)) return false;
    size_t whole = (size_t)bits / 8;
    if (memcmp(x, net, whole) != 0) return false;
    int mask = 0xff << (8 - bits % 8);
    return bits % 8 == 0 || ((x[whole] ^ net[whole]) & mask & 0xff) == 0;
}

static const struct condition_operator operators[] = {
    {"StringEquals", string_equal, false, true},
    {"StringNotEquals", string_equal, true, true},
    {"StringEqualsIgnoreCase", string_equal_fold, false, true},
    {"StringNotEqualsIgnoreCase", string_equal_fold, true, true},
    {"StringLike", string_like, false, true},
    {"StringNotLike", string_like, true, true},
    {"NumericEquals", number_equal, false, false},
    {"NumericNotEquals", number_equal, true, false},
    {"NumericLessThan", number_less, false, false},
    {"NumericLessThanEquals", number_at_most, false, false},
    {"NumericGreaterThan", number_greater, false, false},
    {"NumericGreaterThanEquals", number_at_least, false, false},
    {"DateEquals", date_equal, false, false},
    {"DateNotEquals", date_equal, true, false},
    {"DateLessThan", date_less, false, false},
    {"DateLessThanEquals", date_at_most, false, false},
    {"DateGreaterThan", date_greater, false, false},
    {"DateGreaterThanEquals", date_at_least, false, false},
    {"Bool", boolean_equal, false, true},
    {"BinaryEquals", binary_equal, false, false},
    {"IpAddress", address_within, false, false},
    {"NotIpAddress", address_within, true, false},
    {"ArnEquals", arn_like, false, true},
    {"ArnLike", arn_like, false, true},
    {"ArnNotEquals", arn_like, true, true},
    {"ArnNotLike", arn_like, true, true},
    {"Null", NULL, false, false},
};

const struct condition_operator *condition_operator_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (str_eq(operators[i].name, name)) return &operators[i];
    }
    return NULL;
}

bool condition_operator_is_null(const struct condition_operator *o) { return o->compare == NULL; }

/* ---- evaluation ---- */

/* Does one value of the request equal any value of the policy? `unresolved`: a policy value has a variable without value. */
static bool equals_any(struct arena *a, const struct condition *c, const char *have, const struct policy_context *context, bool variables,
                       bool *unresolved) {
    for (size_t i = 0; i < c->count; i++) {
        const char *want = policy_expand(a, c->values[i], context, variables && c->operator->variables);
        if (want == NULL) *unresolved = true;
        else if (c->operator->compare(a, have, want)) return true;
    }
    return false;
}

/* Null asks whether the key is there: "true" wants it absent. */
static bool null_met(const struct condition *c, const struct policy_key *key) {
    bool absent = key == NULL || key->count == 0;
    for (size_t i = 0; i < c->count; i++) {
        if ((strcasecmp(c->values[i], "true") == 0) == absent) return true;
    }
    return false;
}

bool condition_met(struct arena *a, const struct condition *c, const struct policy_context *context, bool variables) {
    const struct policy_key *key = policy_context_find(context, c->key);
    bool negated = c->operator->negated, unresolved = false;
    if (c->operator->compare == NULL) return null_met(c, key);
    if (key == NULL || key->count == 0) {
        if (c->if_exists || c->quantifier == FOR_ALL_VALUES) return true;
        return negated && c->quantifier != FOR_ANY_VALUE;
    }
    size_t met = 0;
    for (size_t i = 0; i < key->count; i++) {
        bool equal = equals_any(a, c, key->values[i], context, variables, &unresolved);
        met += equal != negated && !(unresolved && negated);
    }
    if (c->quantifier == FOR_ANY_VALUE) return met > 0;
    if (c->quantifier == FOR_ALL_VALUES || negated) return met == key->count;
    return met > 0;
}
