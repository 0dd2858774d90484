/* Moments, the calendar, and writing by layout. */
#include "base/clock.h"
#include "base/str.h"
#include "helm/go/time_internal.h"
#include <stdio.h>

enum { DAY = 86400 };

const struct go_location go_utc = {.name = "UTC"};
const struct go_moment go_zero_time = {.seconds = INT64_C(-62135596800), .location = &go_utc};
const char *const go_month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December", NULL};
const char *const go_weekday_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", NULL};

/* ---- the calendar ---- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

bool go_is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int go_days_in_month(int month, int64_t year) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && go_is_leap(year));
}

/* Years that start in March have their leap day last, and months of 153 days in five. */
int64_t go_days_of(int64_t year, int64_t month, int64_t day) {
    year += floor_div(month - 1, 12);
    month = month - 12 * floor_div(month - 1, 12);
    if (month <= 2) year--;
    int64_t era = floor_div(year, 400), of_era = year - 400 * era, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719468;
}

static void set_day(int64_t days, struct go_date *d) {
    int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365, start = 365 * year + year / 4 - year / 100;
    int64_t of_year = of_era - start, m = (5 * of_year + 2) / 153;
    d->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    d->month = (int)(m < 10 ? m + 3 : m - 9);
    d->year = year + era * 400 + (d->month <= 2);
    d->yday = (int)(days - go_days_of(d->year, 1, 1)) + 1;
    d->weekday = (int)((days % 7 + 7 + 4) % 7);
}

static void set_zone(struct go_moment t, struct go_date *d) {
    const struct go_location *l = t.location;
    if (l->abbreviation != NULL) {
        d->offset = l->offset;
        d->zone = l->abbreviation;
        return;
    }
    struct zone_time z = zone_lookup(l->zone, t.seconds);
    d->offset = z.offset;
    d->zone = z.name;
}

struct go_date go_date_of(struct go_moment t) {
    struct go_date d = {0};
    set_zone(t, &d);
    int64_t local = t.seconds + d.offset, days = floor_div(local, DAY), rest = local - days * DAY;
    set_day(days, &d);
    d.hour = (int)(rest / 3600);
    d.minute = (int)(rest / 60 % 60);
    d.second = (int)(rest % 60);
    return d;
}

struct go_moment go_date_make(int64_t year, int64_t month, int64_t day, int64_t hour, int64_t minute, int64_t second, int64_t nanos,
                              const struct go_location *location) {
    second += floor_div(nanos, NSEC_PER_SEC);
    nanos -= floor_div(nanos, NSEC_PER_SEC) * NSEC_PER_SEC;
    int64_t local = go_days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    struct go_moment t = {.seconds = local, .nanos = (int32_t)nanos, .location = location};
    if (location->abbreviation != NULL) t.seconds -= location->offset;
    else {
        int64_t utc = local - zone_offset(location->zone, local);
        t.seconds = local - zone_offset(location->zone, utc);
    }
    return t;
}

/* ---- where we are ---- */

static const struct go_location *local_zone(struct arena *a) {
    struct go_location *l = ARENA_NEW(a, struct go_location);
    *l = (struct go_location){.name = "Local"};
    const char *name = getenv("TZ");
    struct zone *zone = NULL;
    if (name != NULL && *name == ':') name++;
    bool found = name == NULL ? zone_read(a, "/etc/localtime", &zone) : *name == '/' ? zone_read(a, name, &zone) : zone_load(a, name, &zone);
    if (found) l->zone = zone;
    if (l->zone == NULL && (name == NULL || *name != '\0' || !found)) l->name = "UTC";
    return l;
}

const struct go_location *go_location_load(struct arena *a, const char *name) {
    struct zone *zone = NULL;
    if (*name == '\0' || str_eq(name, "UTC")) return &go_utc;
    if (str_eq(name, "Local")) return local_zone(a);
    if (!zone_load(a, name, &zone)) return NULL;
    struct go_location *l = ARENA_NEW(a, struct go_location);
    *l = (struct go_location){.name = arena_strdup(a, name), .zone = zone};
    return l;
}

struct go_moment go_now(struct arena *a) {
    static int64_t start; /* of the program, nearly: when it first asked */
    int64_t wall = clock_wall(&clock_real), now = clock_monotonic(&clock_real), expected = 0;
    __atomic_compare_exchange_n(&start, &expected, now - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    struct go_moment t = go_unix(a, 0, wall);
    t.monotonic = now - __atomic_load_n(&start, __ATOMIC_RELAXED);
    return t;
}

struct go_moment go_unix(struct arena *a, int64_t seconds, int64_t nanos) {
    int64_t carry = floor_div(nanos, NSEC_PER_SEC);
    return (struct go_moment){.seconds = seconds + carry, .nanos = (int32_t)(nanos - carry * NSEC_PER_SEC), .location = go_location_load(a, "Local")};
}

/* ---- arithmetic ---- */

struct go_moment go_time_add(struct go_moment t, int64_t duration) {
    int64_t nanos = t.nanos + duration % NSEC_PER_SEC, carry = floor_div(nanos, NSEC_PER_SEC);
    t.seconds += duration / NSEC_PER_SEC + carry;
    t.nanos = (int32_t)(nanos - carry * NSEC_PER_SEC);
    if (t.monotonic != 0) t.monotonic += duration;
    return t;
}

int64_t go_time_sub(struct go_moment t, struct go_moment u) {
    int64_t out;
    if (t.monotonic != 0 && u.monotonic != 0) return t.monotonic - u.monotonic;
    if (__builtin_mul_overflow(t.seconds - u.seconds, NSEC_PER_SEC, &out) || __builtin_add_overflow(out, (int64_t)t.nanos - u.nanos, &out))
        return t.seconds < u.seconds ? INT64_MIN : INT64_MAX;
    return out;
}

int go_time_compare(struct go_moment t, struct go_moment u) {
    if (t.seconds != u.seconds) return t.seconds < u.seconds ? -1 : 1;
    return t.nanos < u.nanos ? -1 : t.nanos > u.nanos;
}

/* ---- layouts ---- */

static const struct {
    const char *text;
    struct piece piece;
} pieces[] = {
    /* longer ones first where one starts like another */
    {"January", {.kind = PIECE_LONG_MONTH}}, {"Jan", {.kind = PIECE_MONTH}}, {"Monday", {.kind = PIECE_LONG_WEEKDAY}}, {"Mon", {.kind = PIECE_WEEKDAY}},
    {"MST", {.kind = PIECE_ZONE_NAME}}, {"01", {.kind = PIECE_ZERO_MONTH}}, {"02", {.kind = PIECE_ZERO_DAY}}, {"03", {.kind = PIECE_ZERO_HOUR12}},
    {"04", {.kind = PIECE_ZERO_MINUTE}}, {"05", {.kind = PIECE_ZERO_SECOND}}, {"06", {.kind = PIECE_YEAR}}, {"002", {.kind = PIECE_ZERO_YDAY}},
    {"15", {.kind = PIECE_HOUR}}, {"1", {.kind = PIECE_NUM_MONTH}}, {"2006", {.kind = PIECE_LONG_YEAR}}, {"2", {.kind = PIECE_DAY}},
    {"__2", {.kind = PIECE_UNDER_YDAY}}, {"_2", {.kind = PIECE_UNDER_DAY}}, {"3", {.kind = PIECE_HOUR12}}, {"4", {.kind = PIECE_MINUTE}}, {"5", {.kind = PIECE_SECOND}},
    {"PM", {.kind = PIECE_UPPER_PM}}, {"pm", {.kind = PIECE_LOWER_PM}},
    {"-070000", {.kind = PIECE_OFFSET, .minutes = true, .seconds = true}}, {"-07:00:00", {.kind = PIECE_OFFSET, .colons = true, .minutes = true, .seconds = true}},
    {"-0700", {.kind = PIECE_OFFSET, .minutes = true}}, {"-07:00", {.kind = PIECE_OFFSET, .colons = true, .minutes = true}}, {"-07", {.kind = PIECE_OFFSET}},
    {"Z070000", {.kind = PIECE_OFFSET, .z = true, .minutes = true, .seconds = true}},
    {"Z07:00:00", {.kind = PIECE_OFFSET, .z = true, .colons = true, .minutes = true, .seconds = true}},
    {"Z0700", {.kind = PIECE_OFFSET, .z = true, .minutes = true}}, {"Z07:00", {.kind = PIECE_OFFSET, .z = true, .colons = true, .minutes = true}},
    {"Z07", {.kind = PIECE_OFFSET, .z = true}},
};

static bool is_lower(const char *layout, size_t n, size_t i) { return i < n && layout[i] >= 'a' && layout[i] <= 'z'; }

/* .000 and ,999: the digits must not go on with others. */
static bool fraction_at(const char *layout, size_t n, size_t i, struct piece *out) {
    if ((layout[i] != '.' && layout[i] != ',') || i + 1 >= n || (layout[i + 1] != '0' && layout[i + 1] != '9')) return false;
    size_t end = i + 1;
    while (end < n && layout[end] == layout[i + 1]) end++;
    if (end < n && layout[end] >= '0' && layout[end] <= '9') return false;
    *out = (struct piece){.kind = PIECE_FRACTION, .start = i, .end = end, .trim = layout[i + 1] == '9', .digits = (int)(end - i - 1)};
    return true;
}

static bool piece_at(const char *layout, size_t n, size_t i, struct piece *out) {
    for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
        size_t len = strlen(pieces[k].text);
        if (n - i < len || memcmp(layout + i, pieces[k].text, len) != 0) continue;
        enum layout_piece kind = pieces[k].piece.kind;
        if ((kind == PIECE_MONTH || kind == PIECE_WEEKDAY) && is_lower(layout, n, i + len)) continue;
        if (kind == PIECE_UNDER_DAY && n - i >= 5 && memcmp(layout + i + 1, "2006", 4) == 0) return false; /* the year comes next */
        *out = pieces[k].piece;
        out->start = i;
        out->end = i + len;
        return true;
    }
    return fraction_at(layout, n, i, out);
}

struct piece layout_next(const char *layout, size_t n, size_t from) {
    struct piece p;
    for (size_t i = from; i < n; i++)
        if (piece_at(layout, n, i, &p)) return p;
    return (struct piece){.kind = PIECE_NONE, .start = n, .end = n};
}

static void add_number(struct buf *out, int64_t v, int width) { buf_printf(out, v < 0 ? "-%0*lld" : "%0*lld", width, (long long)(v < 0 ? -v : v)); }

static void add_offset(struct buf *out, const struct piece *p, int64_t offset) {
    if (p->z && offset == 0) {
        buf_addc(out, 'Z');
        return;
    }
    int64_t minutes = offset / 60, abs = offset;
    buf_addc(out, minutes < 0 ? '-' : '+');
    if (minutes < 0) {
        minutes = -minutes;
        abs = -abs;
    }
    const char *colon = p->colons ? ":" : "";
    buf_printf(out, "%02lld", (long long)minutes / 60);
    if (p->minutes) buf_printf(out, "%s%02lld", colon, (long long)minutes % 60);
    if (p->seconds) buf_printf(out, "%s%02lld", colon, (long long)abs % 60);
}

static void add_fraction(struct buf *out, const struct piece *p, char mark, int32_t nanos) {
    char digits[24];
    snprintf(digits, sizeof(digits), "%09d", (int)nanos);
    int n = MIN(p->digits, 9);
    while (p->trim && n > 0 && digits[n - 1] == '0') n--;
    if (p->trim && n == 0) return;
    buf_printf(out, "%c%.*s", mark, n, digits);
}

static void add_zone_name(struct buf *out, const struct go_date *d) {
    if (*d->zone) buf_adds(out, d->zone);
    else add_offset(out, &(struct piece){.minutes = true}, d->offset);
}

static void add_piece(struct buf *out, const struct piece *p, const char *layout, const struct go_date *d, int32_t nanos) {
    int hour12 = d->hour % 12 ? d->hour % 12 : 12;
    switch (p->kind) {
    case PIECE_NONE: break;
    case PIECE_YEAR: add_number(out, (d->year < 0 ? -d->year : d->year) % 100, 2); break;
    case PIECE_LONG_YEAR: add_number(out, d->year, 4); break;
    case PIECE_MONTH: buf_add(out, go_month_names[d->month - 1], 3); break;
    case PIECE_LONG_MONTH: buf_adds(out, go_month_names[d->month - 1]); break;
    case PIECE_NUM_MONTH: add_number(out, d->month, 1); break;
    case PIECE_ZERO_MONTH: add_number(out, d->month, 2); break;
    case PIECE_WEEKDAY: buf_add(out, go_weekday_names[d->weekday], 3); break;
    case PIECE_LONG_WEEKDAY: buf_adds(out, go_weekday_names[d->weekday]); break;
    case PIECE_DAY: add_number(out, d->day, 1); break;
    case PIECE_UNDER_DAY: buf_printf(out, "%2d", d->day); break;
    case PIECE_ZERO_DAY: add_number(out, d->day, 2); break;
    case PIECE_UNDER_YDAY: buf_printf(out, "%3d", d->yday); break;
    case PIECE_ZERO_YDAY: add_number(out, d->yday, 3); break;
    case PIECE_HOUR: add_number(out, d->hour, 2); break;
    case PIECE_HOUR12: add_number(out, hour12, 1); break;
    case PIECE_ZERO_HOUR12: add_number(out, hour12, 2); break;
    case PIECE_MINUTE: add_number(out, d->minute, 1); break;
    case PIECE_ZERO_MINUTE: add_number(out, d->minute, 2); break;
    case PIECE_SECOND: add_number(out, d->second, 1); break;
    case PIECE_ZERO_SECOND: add_number(out, d->second, 2); break;
    case PIECE_UPPER_PM: buf_adds(out, d->hour >= 12 ? "PM" : "AM"); break;
    case PIECE_LOWER_PM: buf_adds(out, d->hour >= 12 ? "pm" : "am"); break;
    case PIECE_ZONE_NAME: add_zone_name(out, d); break;
    case PIECE_OFFSET: add_offset(out, p, d->offset); break;
    case PIECE_FRACTION: add_fraction(out, p, layout[p->start], nanos); break;
    }
}

void go_time_format(struct buf *out, struct go_moment t, const char *layout, size_t n) {
    struct go_date d = go_date_of(t);
    for (size_t i = 0; i < n;) {
        struct piece p = layout_next(layout, n, i);
        buf_add(out, layout + i, p.start - i);
        add_piece(out, &p, layout, &d, t.nanos);
        i = p.end;
    }
}

void go_time_string(struct buf *out, struct go_moment t) {
    static const char layout[] = "2006-01-02 15:04:05.999999999 -0700 MST";
    go_time_format(out, t, layout, sizeof(layout) - 1);
    if (t.monotonic == 0) return;
    int64_t m = t.monotonic < 0 ? -t.monotonic : t.monotonic;
    buf_printf(out, " m=%c%lld.%09lld", t.monotonic < 0 ? '-' : '+', (long long)(m / NSEC_PER_SEC), (long long)(m % NSEC_PER_SEC));
}

/* ---- durations ---- */

int64_t go_duration_truncate(int64_t d, int64_t m) { return m <= 0 ? d : d - d % m; }

int64_t go_duration_round(int64_t d, int64_t m) {
    if (m <= 0) return d;
    int64_t rest = d % m, out;
    if (rest < 0) rest = -rest;
    bool away = (uint64_t)rest * 2 >= (uint64_t)m;
    if (d < 0) {
        if (!away) return d + rest;
        return __builtin_sub_overflow(d, m - rest, &out) ? INT64_MIN : out;
    }
    if (!away) return d - rest;
    return __builtin_add_overflow(d, m - rest, &out) ? INT64_MAX : out;
}
