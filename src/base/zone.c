/* Time zones from the tz database (RFC 8536): transitions, and after the last one the rule in the footer. */
#include "base/zone.h"
#include "base/error.h"
#include "base/str.h"
#include <ctype.h>
#include <stdio.h>
#include <time.h>

struct rule { int month, week, weekday; int64_t time; }; /* Mm.w.d/time */
struct zone {
    size_t count;
    const uint8_t *times, *kinds, *types; /* of the 64-bit block, in the file's form */
    const char *names;
    size_t name_bytes;
    int64_t standard, summer;             /* offsets of the footer */
    const char *standard_name, *summer_name;
    bool has_footer, has_summer;
    struct rule begin, end;
};

static int64_t big_endian(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[i];
    return n == 4 ? (int32_t)v : (int64_t)v;
}

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static const char *read_name(struct arena *a, const char **s) {
    const char *start = *s, *end = start;
    if (*start == '<') {
        start++;
        end = start + strcspn(start, ">");
        *s = end + (*end != '\0');
    } else {
        while (isalpha((unsigned char)*end)) end++;
        *s = end;
    }
    return arena_strndup(a, start, (size_t)(end - start));
}

static int64_t read_time(const char **s) {
    int sign = **s == '-' ? -1 : 1;
    int64_t total = 0, unit = 3600;
    if (**s == '-' || **s == '+') ++*s;
    while (isdigit((unsigned char)**s)) {
        total += strtol(*s, (char **)(uintptr_t)s, 10) * unit;
        unit /= 60;
        if (**s == ':') ++*s;
    }
    return sign * total;
}

static bool read_rule(const char **s, struct rule *r) {
    int used = 0;
    *r = (struct rule){.time = 7200};
    if (sscanf(*s, ",M%d.%d.%d%n", &r->month, &r->week, &r->weekday, &used) != 3) return false;
    *s += used;
    if (**s == '/') {
        ++*s;
        r->time = read_time(s);
    }
    return true;
}

static void read_footer(struct arena *a, struct zone *z, const char *s) {
    z->standard_name = read_name(a, &s);
    if (!*s) return;
    z->has_footer = true;
    z->standard = -read_time(&s);
    if (!*s) return;
    z->summer_name = read_name(a, &s);
    z->summer = *s && *s != ',' ? -read_time(&s) : z->standard + 3600;
    z->has_summer = read_rule(&s, &z->begin) && read_rule(&s, &z->end);
}

/* Local seconds since 1970 at which the rule strikes in that year. */
static int64_t strikes(const struct rule *r, int year) {
    struct tm t = {.tm_year = year, .tm_mon = r->month - 1, .tm_mday = 1};
    int64_t first = timegm(&t);
    int day = (r->weekday - t.tm_wday + 7) % 7 + (r->week - 1) * 7;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = year + 1900, length = days[r->month - 1] + (r->month == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
    if (day >= length) day -= 7;
    return first + day * 86400 + r->time;
}

static struct zone_time footer_time(const struct zone *z, int64_t seconds) {
    struct tm t;
    time_t local = seconds + z->standard;
    struct zone_time standard = {.offset = z->standard, .name = z->standard_name};
    if (!z->has_summer) return standard;
    gmtime_r(&local, &t);
    int64_t begin = strikes(&z->begin, t.tm_year) - z->standard, end = strikes(&z->end, t.tm_year) - z->summer;
    bool summer = begin < end ? seconds >= begin && seconds < end : seconds >= begin || seconds < end;
    return summer ? (struct zone_time){.offset = z->summer, .name = z->summer_name, .summer = true} : standard;
}

/* ---- the file ---- */

static struct zone_time time_of_kind(const struct zone *z, size_t kind) {
    const uint8_t *type = z->types + 6 * kind;
    const char *name = type[5] < z->name_bytes ? z->names + type[5] : "";
    return (struct zone_time){.offset = big_endian(type, 4), .name = name, .summer = type[4] != 0};
}

struct zone_time zone_lookup(const struct zone *z, int64_t seconds) {
    if (!z) return (struct zone_time){.name = "UTC"};
    if (z->count == 0 || seconds >= big_endian(z->times + 8 * (z->count - 1), 8)) {
        if (z->has_footer) return footer_time(z, seconds);
        return time_of_kind(z, z->count ? z->kinds[z->count - 1] : 0);
    }
    size_t low = 0, high = z->count; /* the first transition after `seconds` */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (big_endian(z->times + 8 * middle, 8) <= seconds) low = middle + 1;
        else high = middle;
    }
    return time_of_kind(z, low ? z->kinds[low - 1] : 0);
}

int64_t zone_offset(const struct zone *z, int64_t seconds) { return z ? zone_lookup(z, seconds).offset : 0; }

enum { HEADER = 44 };

/* Size of a block's data with times of `width` bytes, by the counts in its header. */
static size_t block_size(const uint8_t *h, size_t width) {
    size_t isut = (size_t)big_endian(h + 20, 4), isstd = (size_t)big_endian(h + 24, 4), leap = (size_t)big_endian(h + 28, 4);
    size_t times = (size_t)big_endian(h + 32, 4), types = (size_t)big_endian(h + 36, 4), chars = (size_t)big_endian(h + 40, 4);
    return times * (width + 1) + types * 6 + chars + leap * (width + 4) + isstd + isut;
}

static bool read_zone(struct arena *a, const uint8_t *p, size_t n, struct zone *z) {
    if (n < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2') return false;
    size_t at = HEADER + block_size(p, 4);
    if (at + HEADER > n || at + HEADER + block_size(p + at, 8) > n) return false;
    const uint8_t *h = p + at, *data = h + HEADER;
    z->count = (size_t)big_endian(h + 32, 4);
    z->times = data;
    z->kinds = data + 8 * z->count;
    z->types = z->kinds + z->count;
    size_t types = (size_t)big_endian(h + 36, 4);
    z->names = (const char *)z->types + 6 * types;
    z->name_bytes = (size_t)big_endian(h + 40, 4);
    if (z->name_bytes > 0 && z->names[z->name_bytes - 1] != '\0') return false;
    size_t footer = at + HEADER + block_size(h, 8);
    for (size_t i = 0; i < z->count; i++) {
        if (z->kinds[i] >= types) return false;
    }
    const char *start = (const char *)p + footer + 1, *end = footer + 1 < n ? memchr(start, '\n', n - footer - 1) : NULL;
    if (end) read_footer(a, z, arena_strndup(a, start, (size_t)(end - start)));
    return types > 0;
}

bool zone_read(struct arena *a, const char *path, struct zone **out) {
    cleanup_buf struct buf b = {0};
    cleanup_error struct error *e = file_read(path, 1 << 20, &b);
    struct zone *z = ARENA_NEW(a, struct zone);
    *out = !e && read_zone(a, b.len ? arena_dup(a, b.data, b.len) : NULL, b.len, z) ? z : NULL;
    return *out != NULL;
}

bool zone_load(struct arena *a, const char *name, struct zone **out) {
    *out = NULL;
    if (!*name || str_eq(name, "UTC")) return true;
    if (*name == '/' || *name == '.' || strstr(name, "..") || str_eq(name, "Local")) return false;
    return zone_read(a, arena_printf(a, "/usr/share/zoneinfo/%s", name), out);
}
