/* CEL's standard functions: arithmetic, comparison, conversions, time, lists, maps, optionals, sets. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/cel_internal.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

#define FN(name) static const struct cel_value *name(struct cel_run *r UNUSED, const struct cel_value *const *a)
#define INT(v) cel_int(r->arena, (v))
#define STRING(s) cel_string(r->arena, (s))

/* ---- arithmetic ---- */

FN(add_int) { int64_t v; return __builtin_add_overflow(a[0]->i, a[1]->i, &v) ? cel_fail(r, "integer overflow") : INT(v); }
FN(sub_int) { int64_t v; return __builtin_sub_overflow(a[0]->i, a[1]->i, &v) ? cel_fail(r, "integer overflow") : INT(v); }
FN(mul_int) { int64_t v; return __builtin_mul_overflow(a[0]->i, a[1]->i, &v) ? cel_fail(r, "integer overflow") : INT(v); }
FN(div_int) {
    if (a[1]->i == 0) return cel_fail(r, "division by zero");
    return a[0]->i == INT64_MIN && a[1]->i == -1 ? cel_fail(r, "integer overflow") : INT(a[0]->i / a[1]->i);
}
FN(mod_int) {
    if (a[1]->i == 0) return cel_fail(r, "modulus by zero");
    return a[1]->i == -1 ? INT(0) : INT(a[0]->i % a[1]->i);
}
FN(neg_int) { return a[0]->i == INT64_MIN ? cel_fail(r, "integer overflow") : INT(-a[0]->i); }

static const struct cel_value *uint_value(struct cel_run *r, uint64_t u) { return cel_of(r->arena, CEL_UINT, (int64_t)u); }
FN(add_uint) { uint64_t v; return __builtin_add_overflow(a[0]->u, a[1]->u, &v) ? cel_fail(r, "unsigned integer overflow") : uint_value(r, v); }
FN(sub_uint) { return a[0]->u < a[1]->u ? cel_fail(r, "unsigned integer overflow") : uint_value(r, a[0]->u - a[1]->u); }
FN(mul_uint) { uint64_t v; return __builtin_mul_overflow(a[0]->u, a[1]->u, &v) ? cel_fail(r, "unsigned integer overflow") : uint_value(r, v); }
FN(div_uint) { return a[1]->u == 0 ? cel_fail(r, "division by zero") : uint_value(r, a[0]->u / a[1]->u); }
FN(mod_uint) { return a[1]->u == 0 ? cel_fail(r, "modulus by zero") : uint_value(r, a[0]->u % a[1]->u); }

FN(add_double) { return cel_double(r->arena, a[0]->d + a[1]->d); }
FN(sub_double) { return cel_double(r->arena, a[0]->d - a[1]->d); }
FN(mul_double) { return cel_double(r->arena, a[0]->d * a[1]->d); }
FN(div_double) { return cel_double(r->arena, a[0]->d / a[1]->d); }
FN(neg_double) { return cel_double(r->arena, -a[0]->d); }

FN(add_string) {
    char *s = arena_alloc(r->arena, a[0]->len + a[1]->len + 1);
    cel_spend(r, (a[0]->len + a[1]->len) / 10);
    memcpy(s, a[0]->s, a[0]->len);
    memcpy(s + a[0]->len, a[1]->s, a[1]->len + 1);
    struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
    *v = (struct cel_value){.kind = a[0]->kind, .s = s, .len = a[0]->len + a[1]->len};
    return v;
}

FN(add_list) {
    size_t n = cel_size(a[0]), m = cel_size(a[1]);
    const struct cel_value **items = arena_calloc(r->arena, n + m + 1, sizeof(*items));
    for (size_t i = 0; i < n + m; i++)
        items[i] = i < n ? cel_at(r->arena, a[0], i) : cel_at(r->arena, a[1], i - n);
    return cel_list(r->arena, items, n + m);
}

static const struct cel_value *shifted(struct cel_run *r, enum cel_kind kind, int64_t x, int64_t y, bool minus) {
    int64_t v;
    bool over = minus ? __builtin_sub_overflow(x, y, &v) : __builtin_add_overflow(x, y, &v);
    return over ? cel_fail(r, "%s overflow", cel_kind_name(kind)) : cel_of(r->arena, kind, v);
}
FN(add_time) { return shifted(r, CEL_TIMESTAMP, a[0]->i, a[1]->i, false); }
FN(add_duration) { return shifted(r, CEL_DURATION, a[0]->i, a[1]->i, false); }
FN(sub_time) { return shifted(r, CEL_TIMESTAMP, a[0]->i, a[1]->i, true); }
FN(sub_duration) { return shifted(r, CEL_DURATION, a[0]->i, a[1]->i, true); }

FN(not_bool) { return cel_bool(!a[0]->b); }

/* ---- comparison ---- */

#define COMPARE(name, op)                                                              \
    FN(name) {                                                                         \
        int order;                                                                     \
        bool nan = (a[0]->kind == CEL_DOUBLE && isnan(a[0]->d)) || (a[1]->kind == CEL_DOUBLE && isnan(a[1]->d)); \
        if (nan) return cel_bool(false);                                               \
        return cel_compare(a[0], a[1], &order) ? cel_bool(order op 0) : cel_fail(r, "no such overload"); \
    }
COMPARE(less, <)
COMPARE(less_equal, <=)
COMPARE(greater, >)
COMPARE(greater_equal, >=)

static bool contains(struct cel_run *r, const struct cel_value *list, const struct cel_value *v) {
    cel_spend(r, cel_size(list));
    for (size_t i = 0; i < cel_size(list); i++)
        if (cel_equal(r->arena, cel_at(r->arena, list, i), v)) return true;
    return false;
}
FN(in_list) { return cel_bool(contains(r, a[1], a[0])); }
FN(in_map) {
    const char *problem = NULL;
    const struct cel_value *v = cel_member(r->arena, a[1], a[0], &problem);
    return problem ? cel_fail(r, "%s", problem) : cel_bool(v != NULL);
}

/* Reached only through reach() in cel_eval.c; here for the checker. */
FN(index_of_any) { return cel_fail(r, "no such overload: %d", a[0]->kind); }

/* ---- sizes and conversions ---- */

FN(size_string) {
    size_t n = 0;
    for (size_t i = 0; i < a[0]->len; i++)
        n += (a[0]->s[i] & 0xc0) != 0x80;
    return INT((int64_t)n);
}
FN(size_bytes) { return INT((int64_t)a[0]->len); }
FN(size_list) { return INT((int64_t)cel_size(a[0])); }
FN(same) { return a[0]; }

FN(int_uint) { return a[0]->u > INT64_MAX ? cel_fail(r, "integer overflow") : INT((int64_t)a[0]->u); }
FN(int_double) { return isnan(a[0]->d) || a[0]->d <= -0x1p63 || a[0]->d >= 0x1p63 ? cel_fail(r, "integer overflow") : INT((int64_t)a[0]->d); }
FN(int_string) {
    int64_t i;
    return str_to_int64(a[0]->s, &i) ? INT(i) : cel_fail(r, "strconv.ParseInt: parsing %s: invalid syntax", status_quote(r->arena, a[0]->s));
}
FN(int_time) { return INT(a[0]->i / NSEC_PER_SEC); }
FN(uint_int) { return a[0]->i < 0 ? cel_fail(r, "unsigned integer overflow") : uint_value(r, (uint64_t)a[0]->i); }
FN(uint_double) { return isnan(a[0]->d) || a[0]->d < 0 || a[0]->d >= 0x1p64 ? cel_fail(r, "unsigned integer overflow") : uint_value(r, (uint64_t)a[0]->d); }
FN(uint_string) {
    char *end;
    unsigned long long u = strtoull(a[0]->s, &end, 10);
    bool bad = *a[0]->s < '0' || *a[0]->s > '9' || *end;
    return bad ? cel_fail(r, "strconv.ParseUint: parsing %s: invalid syntax", status_quote(r->arena, a[0]->s)) : uint_value(r, u);
}
FN(double_int) { return cel_double(r->arena, (double)a[0]->i); }
FN(double_uint) { return cel_double(r->arena, (double)a[0]->u); }
FN(double_string) {
    char *end;
    double d = strtod(a[0]->s, &end);
    bool bad = *a[0]->s == '\0' || *end;
    return bad ? cel_fail(r, "strconv.ParseFloat: parsing %s: invalid syntax", status_quote(r->arena, a[0]->s)) : cel_double(r->arena, d);
}
FN(bool_string) {
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL}, *const no[] = {"0", "f", "F", "FALSE", "false", "False", NULL};
    if (str_in(a[0]->s, yes)) return cel_bool(true);
    if (str_in(a[0]->s, no)) return cel_bool(false);
    return cel_fail(r, "strconv.ParseBool: parsing %s: invalid syntax", status_quote(r->arena, a[0]->s));
}
FN(string_any) {
    const struct json *v = cel_to_json(r->arena, a[0]);
    return v->type == JSON_STRING ? cel_string_n(r->arena, v->s, v->len) : STRING(json_text(r->arena, v));
}
FN(string_bytes) { return utf8_valid(a[0]->s, a[0]->len) ? cel_string_n(r->arena, a[0]->s, a[0]->len) : cel_fail(r, "invalid UTF-8 in bytes, cannot convert to string"); }
FN(bytes_string) {
    struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
    *v = (struct cel_value){.kind = CEL_BYTES, .s = a[0]->s, .len = a[0]->len};
    return v;
}
FN(time_string) {
    int64_t t;
    return time_parse(a[0]->s, &t) ? cel_of(r->arena, CEL_TIMESTAMP, t) : cel_fail(r, "parsing time %s as \"2006-01-02T15:04:05Z07:00\": cannot parse", status_quote(r->arena, a[0]->s));
}
FN(time_int) { return shifted(r, CEL_TIMESTAMP, a[0]->i > INT64_MAX / NSEC_PER_SEC ? INT64_MAX : a[0]->i * NSEC_PER_SEC, 0, false); }
FN(duration_string) {
    int64_t d;
    return duration_parse(a[0]->s, &d) ? cel_of(r->arena, CEL_DURATION, d) : cel_fail(r, "time: invalid duration %s", status_quote(r->arena, a[0]->s));
}
FN(type_of) {
    struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
    v->kind = CEL_TYPE;
    v->s = a[0]->kind == CEL_NULL ? "null_type" : cel_kind_name(a[0]->kind);
    v->len = strlen(v->s);
    return v;
}

/* ---- time ---- */

/* The broken-down time in a zone: "UTC", "+02:00" or a name of the tz database. */
static struct tm broken_down(const struct cel_value *const *a, bool zone) {
    struct tm tm;
    time_t t = (time_t)(a[0]->i / NSEC_PER_SEC - (a[0]->i % NSEC_PER_SEC < 0));
    int hours, minutes;
    const char *name = zone ? a[1]->s : "UTC";
    if (sscanf(name, "%d:%d", &hours, &minutes) == 2) t += hours * 3600 + (*name == '-' ? -minutes : minutes) * 60;
    gmtime_r(&t, &tm);
    return tm;
}
#define TIME_PART(name, expression)                                        \
    static const struct cel_value *name(struct cel_run *r, const struct cel_value *const *a) { \
        struct tm tm = broken_down(a, false);                              \
        return INT(expression);                                            \
    }                                                                      \
    static const struct cel_value *name##_zone(struct cel_run *r, const struct cel_value *const *a) { \
        struct tm tm = broken_down(a, true);                               \
        return INT(expression);                                            \
    }
TIME_PART(full_year, tm.tm_year + 1900)
TIME_PART(month, tm.tm_mon)
TIME_PART(day_of_month, tm.tm_mday - 1)
TIME_PART(date, tm.tm_mday)
TIME_PART(day_of_week, tm.tm_wday)
TIME_PART(day_of_year, tm.tm_yday)
TIME_PART(hours, tm.tm_hour)
TIME_PART(minutes, tm.tm_min)
TIME_PART(seconds, tm.tm_sec)
FN(milliseconds) { return INT((a[0]->i % NSEC_PER_SEC + NSEC_PER_SEC) % NSEC_PER_SEC / NSEC_PER_MSEC); }
FN(duration_hours) { return INT(a[0]->i / NSEC_PER_SEC / 3600); }
FN(duration_minutes) { return INT(a[0]->i / NSEC_PER_SEC / 60); }
FN(duration_seconds) { return INT(a[0]->i / NSEC_PER_SEC); }
FN(duration_milliseconds) { return INT(a[0]->i % NSEC_PER_SEC / NSEC_PER_MSEC); }

/* ---- optionals ---- */

FN(optional_of) { return cel_optional(r->arena, a[0]); }
FN(optional_none) { (void)a; return cel_optional(r->arena, NULL); }
FN(optional_non_zero) {
    const struct json *v = cel_to_json(r->arena, a[0]);
    bool zero = v->type == JSON_NULL || (v->type == JSON_BOOL && !v->b) || (v->type == JSON_INT && v->i == 0) || (v->type == JSON_DOUBLE && v->d == 0) ||
                (v->type >= JSON_STRING && v->len == 0);
    return cel_optional(r->arena, zero ? NULL : a[0]);
}
FN(has_value) { return cel_bool(a[0]->value != NULL); }
FN(value) { return a[0]->value ? a[0]->value : cel_fail(r, "optional.none() dereference"); }
FN(or_optional) { return a[0]->value ? a[0] : a[1]; }
FN(or_value) { return a[0]->value ? a[0]->value : a[1]; }

/* ---- lists and sets ---- */

static const struct cel_value *extreme(struct cel_run *r, const struct cel_value *list, int wanted, const char *name) {
    const struct cel_value *best = NULL;
    int order;
    for (size_t i = 0; i < cel_size(list); i++) {
        const struct cel_value *v = cel_at(r->arena, list, i);
        if (best && !cel_compare(v, best, &order)) return cel_fail(r, "no such overload");
        if (best == NULL || order == wanted) best = v;
    }
    return best ? best : cel_fail(r, "%s called on empty list", name);
}
FN(list_min) { return extreme(r, a[0], -1, "min"); }
FN(list_max) { return extreme(r, a[0], 1, "max"); }
FN(list_sorted) {
    int order;
    for (size_t i = 1; i < cel_size(a[0]); i++) {
        if (!cel_compare(cel_at(r->arena, a[0], i - 1), cel_at(r->arena, a[0], i), &order)) return cel_fail(r, "no such overload");
        if (order > 0) return cel_bool(false);
    }
    return cel_bool(true);
}
FN(list_sum) {
    const struct cel_value *sum = NULL;
    for (size_t i = 0; i < cel_size(a[0]) && !r->problem; i++) {
        const struct cel_value *pair[2] = {sum, cel_at(r->arena, a[0], i)};
        if (sum == NULL) sum = pair[1];
        else if (pair[1]->kind != sum->kind) return cel_fail(r, "no such overload");
        else if (sum->kind == CEL_INT) sum = add_int(r, pair);
        else if (sum->kind == CEL_UINT) sum = add_uint(r, pair);
        else if (sum->kind == CEL_DOUBLE) sum = add_double(r, pair);
        else if (sum->kind == CEL_DURATION) sum = add_duration(r, pair);
        else return cel_fail(r, "no such overload");
    }
    return sum ? sum : INT(0);
}
static const struct cel_value *position(struct cel_run *r, const struct cel_value *const *a, bool last) {
    int64_t found = -1;
    for (size_t i = 0; i < cel_size(a[0]) && (last || found < 0); i++)
        if (cel_equal(r->arena, cel_at(r->arena, a[0], i), a[1])) found = (int64_t)i;
    return INT(found);
}
FN(list_index) { return position(r, a, false); }
FN(list_last_index) { return position(r, a, true); }

static const struct cel_value *slice(struct cel_run *r, const struct cel_value *list, size_t from, size_t to, bool backwards) {
    const struct cel_value **items = arena_calloc(r->arena, to - from + 1, sizeof(*items));
    for (size_t i = from; i < to; i++)
        items[backwards ? to - 1 - i : i - from] = cel_at(r->arena, list, i);
    return cel_list(r->arena, items, to - from);
}
FN(list_slice) {
    bool good = a[1]->i >= 0 && a[1]->i <= a[2]->i && a[2]->i <= (int64_t)cel_size(a[0]);
    return good ? slice(r, a[0], (size_t)a[1]->i, (size_t)a[2]->i, false) : cel_fail(r, "cannot slice(%lld, %lld), list is length %zu", (long long)a[1]->i, (long long)a[2]->i, cel_size(a[0]));
}
FN(list_reverse) { return slice(r, a[0], 0, cel_size(a[0]), true); }
FN(list_first) { return cel_optional(r->arena, cel_size(a[0]) ? cel_at(r->arena, a[0], 0) : NULL); }
FN(list_last) { return cel_optional(r->arena, cel_size(a[0]) ? cel_at(r->arena, a[0], cel_size(a[0]) - 1) : NULL); }
FN(list_distinct) {
    const struct cel_value **items = arena_calloc(r->arena, cel_size(a[0]) + 1, sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < cel_size(a[0]); i++) {
        const struct cel_value *v = cel_at(r->arena, a[0], i);
        size_t j = 0;
        while (j < n && !cel_equal(r->arena, items[j], v)) j++;
        if (!cel_spend(r, j)) return v;
        if (j == n) items[n++] = v;
    }
    return cel_list(r->arena, items, n);
}
const struct cel_value *cel_sort(struct cel_run *r, const struct cel_value *list, const struct cel_value *keys) {
    size_t n = cel_size(list);
    struct cel_entry *sorted = arena_calloc(r->arena, n + 1, sizeof(*sorted));
    const struct cel_value **items = arena_calloc(r->arena, n + 1, sizeof(*items));
    int order;
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (struct cel_entry){cel_at(r->arena, keys, i), cel_at(r->arena, list, i)};
        if (sorted[i].key->kind != sorted[0].key->kind) return cel_fail(r, "list elements must have the same type");
        for (size_t j = i; j > 0; j--) {
            if (!cel_spend(r, 1)) return list;
            if (!cel_compare(sorted[j - 1].key, sorted[j].key, &order)) return cel_fail(r, "list elements must be comparable");
            if (order <= 0) break;
            struct cel_entry swap = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = swap;
        }
    }
    for (size_t i = 0; i < n; i++) items[i] = sorted[i].value;
    return cel_list(r->arena, items, n);
}
FN(list_sort) { return cel_sort(r, a[0], a[0]); }
FN(unwrap) {
    size_t n = 0;
    const struct cel_value **items = arena_calloc(r->arena, cel_size(a[0]) + 1, sizeof(*items));
    for (size_t i = 0; i < cel_size(a[0]); i++) {
        const struct cel_value *v = cel_at(r->arena, a[0], i);
        if (v->kind != CEL_OPTIONAL) return cel_fail(r, "no such overload");
        if (v->value) items[n++] = v->value;
    }
    return cel_list(r->arena, items, n);
}
static void flatten(struct cel_run *r, const struct cel_value *list, int64_t depth, const struct cel_value ***items, size_t *n) {
    for (size_t i = 0; i < cel_size(list); i++) {
        const struct cel_value *v = cel_at(r->arena, list, i);
        if (v->kind == CEL_LIST && depth > 0) {
            flatten(r, v, depth - 1, items, n);
            continue;
        }
        *items = arena_grow(r->arena, *items, *n * sizeof(v), (*n + 1) * sizeof(v));
        (*items)[(*n)++] = v;
    }
}
FN(list_flatten) {
    const struct cel_value **items = NULL;
    size_t n = 0;
    flatten(r, a[0], 1, &items, &n);
    return cel_list(r->arena, items, n);
}
FN(list_flatten_depth) {
    const struct cel_value **items = NULL;
    size_t n = 0;
    if (a[1]->i < 0) return cel_fail(r, "level must be non-negative");
    flatten(r, a[0], a[1]->i, &items, &n);
    return cel_list(r->arena, items, n);
}
FN(list_range) {
    if (a[0]->i < 0 || !cel_spend(r, (uint64_t)a[0]->i)) return cel_fail(r, "lists.range: size must not be negative");
    const struct cel_value **items = arena_calloc(r->arena, (size_t)a[0]->i + 1, sizeof(*items));
    for (int64_t i = 0; i < a[0]->i; i++)
        items[i] = INT(i);
    return cel_list(r->arena, items, (size_t)a[0]->i);
}

static bool all_in(struct cel_run *r, const struct cel_value *these, const struct cel_value *those, bool any) {
    for (size_t i = 0; i < cel_size(these); i++)
        if (contains(r, those, cel_at(r->arena, these, i)) == any) return any;
    return !any;
}
FN(sets_contains) { return cel_bool(all_in(r, a[1], a[0], false)); }
FN(sets_equivalent) { return cel_bool(all_in(r, a[1], a[0], false) && all_in(r, a[0], a[1], false)); }
FN(sets_intersects) { return cel_bool(all_in(r, a[0], a[1], true)); }

static const struct cel_function standard[] = {
    {"_+_", "ii", 'i', add_int}, {"_+_", "uu", 'u', add_uint}, {"_+_", "dd", 'd', add_double}, {"_+_", "ss", 's', add_string},
    {"_+_", "yy", 'y', add_string}, {"_+_", "ll", '1', add_list}, {"_+_", "tD", 't', add_time}, {"_+_", "Dt", 't', add_time},
    {"_+_", "DD", 'D', add_duration}, {"_-_", "ii", 'i', sub_int}, {"_-_", "uu", 'u', sub_uint}, {"_-_", "dd", 'd', sub_double},
    {"_-_", "tt", 'D', sub_duration}, {"_-_", "tD", 't', sub_time}, {"_-_", "DD", 'D', sub_duration}, {"_*_", "ii", 'i', mul_int},
    {"_*_", "uu", 'u', mul_uint}, {"_*_", "dd", 'd', mul_double}, {"_/_", "ii", 'i', div_int}, {"_/_", "uu", 'u', div_uint},
    {"_/_", "dd", 'd', div_double}, {"_%_", "ii", 'i', mod_int}, {"_%_", "uu", 'u', mod_uint}, {"-_", "i", 'i', neg_int}, {"-_", "d", 'd', neg_double},
    {"!_", "b", 'b', not_bool}, {"@in", "*l", 'b', in_list}, {"@in", "*m", 'b', in_map}, {"_[_]", "li", 'e', index_of_any},
    {"_[_]", "lu", 'e', index_of_any}, {"_[_]", "ld", 'e', index_of_any}, {"_[_]", "m*", 'e', index_of_any}, {"_[_]", "o*", 'o', index_of_any},
    {"_[?_]", "l*", 'o', index_of_any}, {"_[?_]", "m*", 'o', index_of_any}, {"_[?_]", "o*", 'o', index_of_any},
#define ORDER(op, fn)                                                                                                                     \
    {op, "bb", 'b', fn}, {op, "ii", 'b', fn}, {op, "uu", 'b', fn}, {op, "dd", 'b', fn}, {op, "iu", 'b', fn}, {op, "ui", 'b', fn},            \
        {op, "id", 'b', fn}, {op, "di", 'b', fn}, {op, "ud", 'b', fn}, {op, "du", 'b', fn}, {op, "ss", 'b', fn}, {op, "yy", 'b', fn},      \
        {op, "tt", 'b', fn}, {op, "DD", 'b', fn}
    ORDER("_<_", less), ORDER("_<=_", less_equal), ORDER("_>_", greater), ORDER("_>=_", greater_equal),
    {"size", "s", 'i', size_string}, {"size", "y", 'i', size_bytes}, {"size", "l", 'i', size_list}, {"size", "m", 'i', size_list},
    {"size", "s.", 'i', size_string}, {"size", "y.", 'i', size_bytes}, {"size", "l.", 'i', size_list}, {"size", "m.", 'i', size_list},
    {"int", "i", 'i', same}, {"int", "u", 'i', int_uint}, {"int", "d", 'i', int_double}, {"int", "s", 'i', int_string}, {"int", "t", 'i', int_time},
    {"int", "D", 'i', same}, {"uint", "u", 'u', same}, {"uint", "i", 'u', uint_int}, {"uint", "d", 'u', uint_double}, {"uint", "s", 'u', uint_string},
    {"double", "d", 'd', same}, {"double", "i", 'd', double_int}, {"double", "u", 'd', double_uint}, {"double", "s", 'd', double_string},
    {"bool", "b", 'b', same}, {"bool", "s", 'b', bool_string}, {"string", "s", 's', same}, {"string", "y", 's', string_bytes},
    {"string", "b", 's', string_any}, {"string", "i", 's', string_any}, {"string", "u", 's', string_any}, {"string", "d", 's', string_any},
    {"string", "t", 's', string_any}, {"string", "D", 's', string_any}, {"string", "I", 's', string_any}, {"string", "C", 's', string_any},
    {"bytes", "y", 'y', same}, {"bytes", "s", 'y', bytes_string}, {"timestamp", "s", 't', time_string}, {"timestamp", "i", 't', time_int},
    {"timestamp", "t", 't', same}, {"duration", "s", 'D', duration_string}, {"duration", "D", 'D', same}, {"type", "*", 'T', type_of}, {"dyn", "*", '*', same},
#define BOTH(name, fn) {name, "t.", 'i', fn}, {name, "t.s", 'i', fn##_zone}
    BOTH("getFullYear", full_year), BOTH("getMonth", month), BOTH("getDayOfMonth", day_of_month), BOTH("getDate", date),
    BOTH("getDayOfWeek", day_of_week), BOTH("getDayOfYear", day_of_year), BOTH("getHours", hours), BOTH("getMinutes", minutes),
    BOTH("getSeconds", seconds), {"getMilliseconds", "t.", 'i', milliseconds}, {"getMilliseconds", "t.s", 'i', milliseconds},
    {"getHours", "D.", 'i', duration_hours}, {"getMinutes", "D.", 'i', duration_minutes}, {"getSeconds", "D.", 'i', duration_seconds},
    {"getMilliseconds", "D.", 'i', duration_milliseconds},
    {"optional.of", "*", 'o', optional_of}, {"optional.none", "", '*', optional_none}, {"optional.ofNonZeroValue", "*", 'o', optional_non_zero},
    {"hasValue", "o.", 'b', has_value}, {"value", "o.", 'e', value}, {"or", "o.o", '1', or_optional}, {"optional.unwrap", "l", 'l', unwrap}, {"unwrapOpt", "l.", 'l', unwrap}, {"orValue", "o.*", 'e', or_value},
    {"isSorted", "l.", 'b', list_sorted}, {"sum", "l.", 'e', list_sum}, {"min", "l.", 'e', list_min}, {"max", "l.", 'e', list_max},
    {"indexOf", "l.*", 'i', list_index}, {"lastIndexOf", "l.*", 'i', list_last_index}, {"slice", "l.ii", '1', list_slice},
    {"reverse", "l.", '1', list_reverse}, {"first", "l.", '*', list_first}, {"last", "l.", '*', list_last}, {"distinct", "l.", '1', list_distinct},
    {"sort", "l.", '1', list_sort}, {"flatten", "l.", '*', list_flatten}, {"flatten", "l.i", '*', list_flatten_depth}, {"lists.range", "i", '*', list_range},
    {"sets.contains", "ll", 'b', sets_contains}, {"sets.equivalent", "ll", 'b', sets_equivalent}, {"sets.intersects", "ll", 'b', sets_intersects},
    {NULL},
};

const struct cel_function *const cel_libraries[] = {standard, cel_strings, cel_kubernetes, NULL};
