/* Reading times by layout, and durations. */
#include "base/clock.h"
#include "base/str.h"
#include "helm/go/time_internal.h"

struct reader {
    const char *s, *end;
    const char *out_of_range; /* what is */
    int64_t year;
    int month, day, yday, hour, minute, second, nanos; /* -1: not said (month, day, yday) */
    bool pm, am, utc, has_offset;
    int64_t offset;
    const char *zone; /* NULL: not said */
    size_t zone_len;
};

static bool digit_at(const struct reader *r, size_t i) { return (size_t)(r->end - r->s) > i && r->s[i] >= '0' && r->s[i] <= '9'; }
static size_t left(const struct reader *r) { return (size_t)(r->end - r->s); }

/* time's quote: strconv.Quote would write some non-ASCII text differently. */
static void quote(struct buf *out, const char *s, size_t n) {
    buf_addc(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < ' ' || c >= 0x80) buf_printf(out, "\\x%02x", c);
        else {
            if (c == '"' || c == '\\') buf_addc(out, '\\');
            buf_addc(out, (char)c);
        }
    }
    buf_addc(out, '"');
}

/* ---- numbers and names ---- */

/* One or two digits; `fixed`: two. */
static bool read_two(struct reader *r, bool fixed, int *out) {
    if (!digit_at(r, 0) || (fixed && !digit_at(r, 1))) return false;
    *out = *r->s++ - '0';
    if (digit_at(r, 0)) *out = *out * 10 + (*r->s++ - '0');
    return true;
}

static bool read_three(struct reader *r, bool fixed, int *out) {
    size_t n = 0;
    for (*out = 0; n < 3 && digit_at(r, n); n++) *out = *out * 10 + (r->s[n] - '0');
    if (n == 0 || (fixed && n != 3)) return false;
    r->s += n;
    return true;
}

static bool read_name(struct reader *r, const char *const *names, size_t len, int *out) {
    for (int i = 0; names[i] != NULL; i++) {
        size_t n = len ? len : strlen(names[i]);
        if (left(r) < n || strncasecmp(r->s, names[i], n) != 0) continue;
        r->s += n;
        *out = i + 1;
        return true;
    }
    return false;
}

static bool read_year(struct reader *r, size_t digits) {
    int64_t v = 0;
    if (left(r) < digits) return false;
    const char *p = r->s;
    bool negative = digits == 2 && *p == '-', sign = digits == 2 && (*p == '-' || *p == '+');
    for (size_t i = sign; i < digits; i++) {
        if (!digit_at(r, i)) return false;
        v = v * 10 + (p[i] - '0');
    }
    r->s += digits;
    if (negative) v = -v;
    r->year = digits == 4 ? v : v >= 69 ? v + 1900 : v + 2000;
    return true;
}

/* The mark and n - 1 digits, of which nine count. */
static bool read_nanos(struct reader *r, size_t n) {
    if (left(r) < n || (*r->s != '.' && *r->s != ',')) return false;
    int64_t v = 0;
    for (size_t i = 1; i < n; i++)
        if (!digit_at(r, i)) return false;
    for (size_t i = 1; i < 10; i++) v = v * 10 + (i < n ? r->s[i] - '0' : 0);
    r->nanos = (int)v;
    r->s += n;
    return true;
}

static size_t fraction_length(const struct reader *r) {
    if (left(r) < 2 || (*r->s != '.' && *r->s != ',') || !digit_at(r, 1)) return 0;
    size_t n = 2;
    while (digit_at(r, n)) n++;
    return n;
}

static bool read_second(struct reader *r, const struct piece *p, const char *layout, size_t n) {
    if (!read_two(r, p->kind == PIECE_ZERO_SECOND, &r->second)) return false;
    if (r->second >= 60) r->out_of_range = "second";
    size_t fraction = r->out_of_range ? 0 : fraction_length(r);
    if (fraction == 0 || layout_next(layout, n, p->end).kind == PIECE_FRACTION) return true;
    return read_nanos(r, fraction);
}

static bool read_half(struct reader *r, const char *am, const char *pm) {
    if (left(r) < 2) return false;
    r->pm = memcmp(r->s, pm, 2) == 0;
    r->am = memcmp(r->s, am, 2) == 0;
    r->s += 2;
    return r->pm || r->am;
}

/* ---- zones ---- */

static bool read_offset(struct reader *r, const struct piece *p) {
    if (p->z && left(r) >= 1 && *r->s == 'Z') {
        r->s++;
        r->utc = true;
        return true;
    }
    size_t step = p->colons ? 3 : 2, need = 3 + (p->minutes ? step : 0) + (p->seconds ? step : 0);
    int parts[3] = {0};
    if (left(r) < need || (p->colons && (r->s[3] != ':' || (p->seconds && r->s[6] != ':')))) return false;
    char sign = *r->s;
    bool good = true;
    for (size_t i = 0; i < 3u && (i == 0 || (i == 1 ? p->minutes : p->seconds)); i++) {
        const char *d = r->s + 1 + i * step;
        bool digits = d[0] >= '0' && d[0] <= '9' && d[1] >= '0' && d[1] <= '9';
        if (!digits) good = false;
        if (good) parts[i] = (d[0] - '0') * 10 + (d[1] - '0');
    }
    r->s += need;
    if (parts[0] > 24) r->out_of_range = "time zone offset hour";
    if (parts[1] > 60) r->out_of_range = "time zone offset minute";
    if (parts[2] > 60) r->out_of_range = "time zone offset second";
    r->offset = (parts[0] * 60 + parts[1]) * 60 + parts[2];
    if (sign == '-') r->offset = -r->offset;
    r->has_offset = r->offset != -1;
    return good && (sign == '+' || sign == '-');
}

/* +03 or -4: its length, 0 if there is none. */
static size_t signed_hours(const struct reader *r, size_t at) {
    if (left(r) <= at || (r->s[at] != '+' && r->s[at] != '-')) return 0;
    size_t n = 1;
    int64_t v = 0;
    for (; digit_at(r, at + n); n++) v = v > 1000 ? v : v * 10 + (r->s[at + n] - '0');
    return n == 1 || v > 23 ? 0 : n;
}

/* Does it look like an abbreviation? ChST, MeST, GMT+3, +03, three to five capitals. */
static size_t zone_length(const struct reader *r) {
    if (left(r) < 3) return 0;
    if (left(r) >= 4 && (memcmp(r->s, "ChST", 4) == 0 || memcmp(r->s, "MeST", 4) == 0)) return 4;
    if (memcmp(r->s, "GMT", 3) == 0) return 3 + signed_hours(r, 3);
    if (*r->s == '+' || *r->s == '-') return signed_hours(r, 0);
    size_t n = 0;
    while (n < 6 && n < left(r) && r->s[n] >= 'A' && r->s[n] <= 'Z') n++;
    if (n == 5) return r->s[4] == 'T' ? 5 : 0;
    if (n == 4) return r->s[3] == 'T' || memcmp(r->s, "WITA", 4) == 0 ? 4 : 0;
    return n == 3 ? 3 : 0;
}

static bool read_zone_name(struct reader *r) {
    if (left(r) >= 3 && memcmp(r->s, "UTC", 3) == 0) {
        r->s += 3;
        r->utc = true;
        return true;
    }
    r->zone_len = zone_length(r);
    r->zone = r->s;
    r->s += r->zone_len;
    return r->zone_len > 0;
}

/* ---- the whole ---- */

static bool in_range(struct reader *r, int v, int low, int high, const char *what) {
    if (v < low || v > high) r->out_of_range = what;
    return true;
}

static bool read_piece(struct reader *r, const struct piece *p, const char *layout, size_t n) {
    int ignored;
    switch (p->kind) {
    case PIECE_NONE: return true;
    case PIECE_YEAR: return read_year(r, 2);
    case PIECE_LONG_YEAR: return digit_at(r, 0) && read_year(r, 4);
    case PIECE_MONTH: return read_name(r, go_month_names, 3, &r->month);
    case PIECE_LONG_MONTH: return read_name(r, go_month_names, 0, &r->month);
    case PIECE_NUM_MONTH:
    case PIECE_ZERO_MONTH: return read_two(r, p->kind == PIECE_ZERO_MONTH, &r->month) && in_range(r, r->month, 1, 12, "month");
    case PIECE_WEEKDAY: return read_name(r, go_weekday_names, 3, &ignored);
    case PIECE_LONG_WEEKDAY: return read_name(r, go_weekday_names, 0, &ignored);
    case PIECE_DAY:
    case PIECE_UNDER_DAY:
    case PIECE_ZERO_DAY:
        if (p->kind == PIECE_UNDER_DAY && left(r) > 0 && *r->s == ' ') r->s++;
        return read_two(r, p->kind == PIECE_ZERO_DAY, &r->day);
    case PIECE_UNDER_YDAY:
    case PIECE_ZERO_YDAY:
        for (int i = 0; i < 2 && p->kind == PIECE_UNDER_YDAY && left(r) > 0 && *r->s == ' '; i++) r->s++;
        return read_three(r, p->kind == PIECE_ZERO_YDAY, &r->yday);
    case PIECE_HOUR: return read_two(r, false, &r->hour) && in_range(r, r->hour, 0, 23, "hour");
    case PIECE_HOUR12:
    case PIECE_ZERO_HOUR12: return read_two(r, p->kind == PIECE_ZERO_HOUR12, &r->hour) && in_range(r, r->hour, 0, 12, "hour");
    case PIECE_MINUTE:
    case PIECE_ZERO_MINUTE: return read_two(r, p->kind == PIECE_ZERO_MINUTE, &r->minute) && in_range(r, r->minute, 0, 59, "minute");
    case PIECE_SECOND:
    case PIECE_ZERO_SECOND: return read_second(r, p, layout, n);
    case PIECE_UPPER_PM: return read_half(r, "AM", "PM");
    case PIECE_LOWER_PM: return read_half(r, "am", "pm");
    case PIECE_ZONE_NAME: return read_zone_name(r);
    case PIECE_OFFSET: return read_offset(r, p);
    case PIECE_FRACTION: {
        size_t fraction = p->trim ? fraction_length(r) : 1 + (size_t)p->digits;
        return fraction == 0 || read_nanos(r, fraction);
    }
    }
    return false;
}

struct text {
    const char *s;
    size_t n;
};

/* ParseError: which part of the value does not fit which part of the layout, or what else is wrong. */
static struct error *mismatch(struct text layout, struct text value, struct text part, struct text rest, const char *message) {
    cleanup_buf struct buf out = {0};
    buf_adds(&out, "parsing time ");
    quote(&out, value.s, value.n);
    if (message == NULL) {
        buf_adds(&out, " as ");
        quote(&out, layout.s, layout.n);
        buf_adds(&out, ": cannot parse ");
        quote(&out, rest.s, rest.n);
        buf_adds(&out, " as ");
        quote(&out, part.s, part.n);
    } else buf_adds(&out, message);
    return error_new("%s", out.data);
}

/* Text between pieces; a space of the layout stands for any number of them. */
static bool skip_text(struct reader *r, const char *text, size_t n, struct text *rest) {
    for (size_t i = 0; i < n;) {
        if (text[i] == ' ') {
            if (left(r) > 0 && *r->s != ' ') {
                *rest = (struct text){r->s, left(r)};
                return false;
            }
            while (i < n && text[i] == ' ') i++;
            while (left(r) > 0 && *r->s == ' ') r->s++;
            continue;
        }
        if (left(r) == 0 || *r->s != text[i]) {
            *rest = (struct text){r->s, left(r)};
            return false;
        }
        r->s++;
        i++;
    }
    return true;
}

/* Month and day from the day of the year; what is wrong with it, or NULL. */
static const char *resolve_yday(struct reader *r) {
    int month = 1, rest = r->yday;
    if (rest < 1 || rest > 365 + go_is_leap(r->year)) return ": day-of-year out of range";
    while (rest > go_days_in_month(month, r->year)) rest -= go_days_in_month(month++, r->year);
    if (r->month >= 0 && r->month != month) return ": day-of-year does not match month";
    if (r->day >= 0 && r->day != rest) return ": day-of-year does not match day";
    r->month = month;
    r->day = rest;
    return NULL;
}

static const struct go_location *fixed_location(struct arena *a, const struct reader *r, int64_t offset) {
    const char *name = arena_strndup(a, r->zone ? r->zone : "", r->zone_len);
    struct go_location *l = ARENA_NEW(a, struct go_location);
    *l = (struct go_location){.name = name, .abbreviation = name, .offset = offset};
    return l;
}

/* The moment in the zone that was named, or else in the local one if that has this offset or name then. */
static struct go_moment place(struct arena *a, const struct reader *r, const struct go_location *location) {
    struct go_moment t = go_date_make(r->year, r->month, r->day, r->hour, r->minute, r->second, r->nanos, &go_utc);
    if (r->utc) return t;
    if (!r->has_offset && r->zone == NULL) return go_date_make(r->year, r->month, r->day, r->hour, r->minute, r->second, r->nanos, location);
    if (r->has_offset) {
        t.seconds -= r->offset;
        struct zone_time z = zone_lookup(location->zone, t.seconds);
        bool same_name = r->zone == NULL || (strlen(z.name) == r->zone_len && memcmp(z.name, r->zone, r->zone_len) == 0);
        t.location = location->abbreviation == NULL && z.offset == r->offset && same_name ? location : fixed_location(a, r, r->offset);
        return t;
    }
    /* the name may be that of summer or of winter here: try both sides of the year */
    for (int i = 0; i < 3; i++) {
        struct zone_time z = zone_lookup(location->zone, t.seconds + (i == 0 ? 0 : i == 1 ? 15768000 : -15768000));
        if (strlen(z.name) != r->zone_len || memcmp(z.name, r->zone, r->zone_len) != 0) continue;
        t.seconds -= z.offset;
        t.location = location;
        return t;
    }
    int64_t offset = r->zone_len > 3 && memcmp(r->zone, "GMT", 3) == 0 ? strtol(arena_strndup(a, r->zone + 3, r->zone_len - 3), NULL, 10) * 3600 : 0;
    t.location = fixed_location(a, r, offset); /* Go does not move the moment */
    return t;
}

struct error *go_time_parse(struct arena *a, const char *layout, size_t layout_len, const char *s, size_t n,
                            const struct go_location *location, struct go_moment *out) {
    struct reader r = {.s = s, .end = s + n, .month = -1, .day = -1, .yday = -1};
    struct text whole_layout = {layout, layout_len}, whole = {s, n}, rest, none = {"", 0};
    for (size_t i = 0;;) {
        struct piece p = layout_next(layout, layout_len, i);
        if (!skip_text(&r, layout + i, p.start - i, &rest)) return mismatch(whole_layout, whole, (struct text){layout + i, p.start - i}, rest, NULL);
        if (p.kind == PIECE_NONE) break;
        const char *hold = r.s;
        bool good = read_piece(&r, &p, layout, layout_len);
        if (r.out_of_range != NULL) {
            cleanup_free char *message = xprintf(": %s out of range", r.out_of_range);
            return mismatch(whole_layout, whole, none, none, message);
        }
        if (!good) return mismatch(whole_layout, whole, (struct text){layout + p.start, p.end - p.start}, (struct text){hold, (size_t)(r.end - hold)}, NULL);
        i = p.end;
    }
    if (left(&r) > 0) {
        cleanup_buf struct buf message = {0};
        buf_adds(&message, ": extra text: ");
        quote(&message, r.s, left(&r));
        return mismatch(whole_layout, whole, none, none, message.data);
    }
    if (r.pm && r.hour < 12) r.hour += 12;
    else if (r.am && r.hour == 12) r.hour = 0;
    const char *wrong = r.yday >= 0 ? resolve_yday(&r) : NULL;
    if (r.month < 0) r.month = 1;
    if (r.day < 0) r.day = 1;
    if (wrong == NULL && (r.day < 1 || r.day > go_days_in_month(r.month, r.year))) wrong = ": day out of range";
    if (wrong != NULL) return mismatch(whole_layout, whole, none, none, wrong);
    *out = place(a, &r, location);
    return NULL;
}

/* ---- durations ---- */

/* What time.ParseDuration has against text that duration_parse refused: a unit that is missing or unknown, or the whole. */
static struct error *duration_error(const char *s, size_t n) {
    static const char *const units[] = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "m", "h", NULL};
    cleanup_buf struct buf text = {0}, unit = {0};
    quote(&text, s, n);
    size_t i = n > 0 && (*s == '-' || *s == '+');
    while (i < n) {
        size_t start = i, point;
        while (i < n && s[i] >= '0' && s[i] <= '9') i++;
        point = i < n && s[i] == '.';
        for (i += point; i < n && s[i] >= '0' && s[i] <= '9';) i++;
        if (i == start + point) break;
        size_t name = i;
        while (i < n && s[i] != '.' && (s[i] < '0' || s[i] > '9')) i++;
        if (i == name) return error_new("time: missing unit in duration %s", text.data);
        cleanup_free char *copy = strndup(s + name, i - name);
        if (str_in(copy, units)) continue;
        quote(&unit, s + name, i - name);
        return error_new("time: unknown unit %s in duration %s", unit.data, text.data);
    }
    return error_new("time: invalid duration %s", text.data);
}

struct error *go_parse_duration(const char *s, size_t n, int64_t *out) {
    cleanup_free char *copy = strndup(s, n);
    return strlen(copy) == n && duration_parse(copy, out) ? NULL : duration_error(s, n);
}
