#include "base/clock.h"
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return SECONDS(t.tv_sec) + t.tv_nsec;
}

static int64_t real_wall(const struct clock *c UNUSED) { return read_clock(CLOCK_REALTIME); }
static int64_t real_monotonic(const struct clock *c UNUSED) { return read_clock(CLOCK_MONOTONIC); }
const struct clock clock_real = {.wall = real_wall, .monotonic = real_monotonic};

static int64_t virtual_now(const struct clock *c) {
    return __atomic_load_n(&((const struct clock_virtual *)(const void *)c)->now, __ATOMIC_ACQUIRE);
}

void clock_virtual_init(struct clock_virtual *c, int64_t start) {
    *c = (struct clock_virtual){.base = {.wall = virtual_now, .monotonic = virtual_now}, .now = start};
}

void clock_virtual_set(struct clock_virtual *c, int64_t now) { __atomic_store_n(&c->now, now, __ATOMIC_RELEASE); }

/* Seconds rounded down, so that times before 1970 come out right. */
static struct time_parts split(int64_t wall) {
    int64_t nanos = (wall % NSEC_PER_SEC + NSEC_PER_SEC) % NSEC_PER_SEC;
    return (struct time_parts){wall / NSEC_PER_SEC - (wall % NSEC_PER_SEC < 0), nanos};
}

const char *time_format_parts(char out[TIME_STRING_MAX], const struct time_parts *t, bool micro) {
    struct tm tm;
    time_t seconds = t->seconds;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, TIME_STRING_MAX, "%4Y-%m-%dT%H:%M:%S", &tm);
    if (micro) snprintf(out + n, TIME_STRING_MAX - n, ".%06dZ", (int)(t->nanos / 1000));
    else snprintf(out + n, TIME_STRING_MAX - n, "Z");
    return out;
}

const char *time_format(char out[TIME_STRING_MAX], int64_t wall) {
    struct time_parts t = split(wall);
    return time_format_parts(out, &t, false);
}

const char *time_format_micro(char out[TIME_STRING_MAX], int64_t wall) {
    struct time_parts t = split(wall);
    return time_format_parts(out, &t, true);
}

/* Reads exactly `n` digits. */
static bool digits(const char **s, int n, int *out) {
    int v = 0;
    for (int i = 0; i < n; i++, (*s)++) {
        if (**s < '0' || **s > '9') return false;
        v = v * 10 + (**s - '0');
    }
    *out = v;
    return true;
}

static bool literal(const char **s, char c) { return **s == c && (*s)++; }

static bool fraction_parse(const char **s, int64_t *nanos) {
    *nanos = 0;
    if (**s != '.' && **s != ',') return true;
    (*s)++;
    if (**s < '0' || **s > '9') return false;
    for (int64_t unit = NSEC_PER_SEC / 10; **s >= '0' && **s <= '9'; (*s)++, unit /= 10) *nanos += (**s - '0') * unit;
    return true;
}

static bool offset_parse(const char **s, int64_t *offset) {
    *offset = 0;
    if (literal(s, 'Z')) return true;
    int sign = **s == '+' ? 1 : **s == '-' ? -1 : 0, hours, minutes;
    if (sign == 0) return false;
    (*s)++;
    if (!digits(s, 2, &hours) || !literal(s, ':') || !digits(s, 2, &minutes) || hours > 24 || minutes > 60) return false;
    *offset = sign * SECONDS(hours * 3600 + minutes * 60);
    return true;
}

bool time_parse_parts(const char *s, struct time_parts *out) {
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct tm tm = {0};
    int64_t nanos, offset;
    if (s == NULL || !digits(&s, 4, &tm.tm_year) || !literal(&s, '-') || !digits(&s, 2, &tm.tm_mon) || !literal(&s, '-') ||
        !digits(&s, 2, &tm.tm_mday) || !literal(&s, 'T') || !digits(&s, 2, &tm.tm_hour) || !literal(&s, ':') ||
        !digits(&s, 2, &tm.tm_min) || !literal(&s, ':') || !digits(&s, 2, &tm.tm_sec) || !fraction_parse(&s, &nanos) ||
        !offset_parse(&s, &offset) || *s != '\0')
        return false;
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59) return false;
    bool leap = tm.tm_year % 4 == 0 && (tm.tm_year % 100 != 0 || tm.tm_year % 400 == 0);
    if (tm.tm_mday > days[tm.tm_mon - 1] || (tm.tm_mon == 2 && tm.tm_mday == 29 && !leap)) return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *out = (struct time_parts){timegm(&tm) - offset / NSEC_PER_SEC, nanos};
    return true;
}

bool time_parse(const char *s, int64_t *wall) {
    struct time_parts t;
    if (!time_parse_parts(s, &t)) return false;
    if (__builtin_mul_overflow(t.seconds, NSEC_PER_SEC, wall)) *wall = t.seconds < 0 ? INT64_MIN : INT64_MAX; /* beyond 1678..2262: the nearest time we can hold */
    else if (__builtin_add_overflow(*wall, t.nanos, wall)) *wall = INT64_MAX;
    return true;
}
