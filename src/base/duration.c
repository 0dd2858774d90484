/* Durations as Go reads and writes them, and as kubectl prints them. */
#include "base/clock.h"
#include <stdio.h>

/* The ranges and roundings of apimachinery's duration.HumanDuration. */
const char *time_human_duration(char out[TIME_STRING_MAX], int64_t duration) {
    int64_t seconds = duration / NSEC_PER_SEC, minutes = seconds / 60, hours = minutes / 60, days = hours / 24, years = days / 365;
    if (seconds < -1) return snprintf(out, TIME_STRING_MAX, "<invalid>"), out;
    if (seconds < 0) return snprintf(out, TIME_STRING_MAX, "0s"), out;
    long first = 0, second = 0;
    char units[2] = {0};
#define SHOW(a, unit_a, b, unit_b) (first = (long)(a), units[0] = (unit_a), second = (long)(b), units[1] = (unit_b))
    if (seconds < 120) SHOW(seconds, 's', 0, 0);
    else if (minutes < 10) SHOW(minutes, 'm', seconds % 60, 's');
    else if (minutes < 180) SHOW(minutes, 'm', 0, 0);
    else if (hours < 8) SHOW(hours, 'h', minutes % 60, 'm');
    else if (hours < 48) SHOW(hours, 'h', 0, 0);
    else if (hours < 192) SHOW(days, 'd', hours % 24, 'h');
    else if (hours < 24 * 365 * 2) SHOW(days, 'd', 0, 0);
    else if (hours < 24 * 365 * 8) SHOW(years, 'y', days % 365, 'd');
    else SHOW(years, 'y', 0, 0);
#undef SHOW
    if (second) snprintf(out, TIME_STRING_MAX, "%ld%c%ld%c", first, units[0], second, units[1]);
    else snprintf(out, TIME_STRING_MAX, "%ld%c", first, units[0]);
    return out;
}

static const struct {
    const char *name;
    int64_t nanos;
} units[] = {{"ns", 1},          {"us", 1000},          {"\xC2\xB5s", 1000}, {"\xCE\xBCs", 1000},
             {"ms", 1000000},    {"s", NSEC_PER_SEC},   {"m", 60 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC}};

/* The unit at *s: everything up to the next digit or dot must be its name. */
static int64_t unit_parse(const char **s) {
    size_t n = strcspn(*s, ".0123456789");
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strlen(units[i].name) != n || memcmp(*s, units[i].name, n) != 0) continue;
        *s += n;
        return units[i].nanos;
    }
    return 0;
}

/* One number with its unit, added to *total; every step is checked for overflow. */
static bool part_parse(const char **s, uint64_t *total) {
    uint64_t whole = 0, fraction = 0, scale = 1;
    const char *start = *s;
    size_t count = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++, count++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (uint64_t)(**s - '0'), &whole)) return false;
    if (**s == '.') {
        for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, count++) {
            if (scale >= UINT64_C(100000000000000000)) continue; /* digits below any unit */
            fraction = fraction * 10 + (uint64_t)(**s - '0');
            scale *= 10;
        }
    }
    if (count == 0 || *s == start) return false;
    uint64_t unit = (uint64_t)unit_parse(s), nanos;
    if (unit == 0 || __builtin_mul_overflow(whole, unit, &nanos)) return false;
    nanos += (uint64_t)((double)fraction * ((double)unit / (double)scale));
    return !__builtin_add_overflow(*total, nanos, total) && *total <= (uint64_t)1 << 63;
}

bool duration_parse(const char *s, int64_t *duration) {
    if (s == NULL) return false;
    bool negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    uint64_t total = 0;
    if (strcmp(s, "0") != 0) {
        if (*s == '\0') return false;
        while (*s)
            if (!part_parse(&s, &total)) return false;
    }
    if (total > INT64_MAX && !negative) return false;
    *duration = (int64_t)(negative ? 0 - total : total);
    return true;
}

/* value / unit and the unit's name, the fraction without trailing zeros. */
static void print_fraction(char *out, size_t size, uint64_t value, uint64_t unit, int places, const char *name) {
    char fraction[24] = "";
    if (value % unit != 0) {
        int n = snprintf(fraction, sizeof(fraction), ".%0*llu", places, (unsigned long long)(value % unit));
        while (fraction[n - 1] == '0') fraction[--n] = '\0';
    }
    snprintf(out, size, "%llu%s%s", (unsigned long long)(value / unit), fraction, name);
}

const char *duration_format(char out[TIME_STRING_MAX], int64_t duration) {
    uint64_t u = duration < 0 ? 0 - (uint64_t)duration : (uint64_t)duration, minute = 60 * (uint64_t)NSEC_PER_SEC, minutes = u / minute;
    char *p = out, *end = out + TIME_STRING_MAX;
    if (duration < 0) *p++ = '-';
#define ROOM (size_t)(end - p)
    if (u == 0) snprintf(p, ROOM, "0s");
    else if (u < 1000) snprintf(p, ROOM, "%lluns", (unsigned long long)u);
    else if (u < 1000000) print_fraction(p, ROOM, u, 1000, 3, "\xC2\xB5s");
    else if (u < (uint64_t)NSEC_PER_SEC) print_fraction(p, ROOM, u, 1000000, 6, "ms");
    else {
        if (minutes >= 60) p += snprintf(p, ROOM, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes > 0) p += snprintf(p, ROOM, "%llum", (unsigned long long)(minutes % 60));
        print_fraction(p, ROOM, u % minute, (uint64_t)NSEC_PER_SEC, 9, "s");
    }
#undef ROOM
    return out;
}
