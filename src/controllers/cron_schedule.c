#include "controllers/cron_schedule.h"
#include "base/str.h"
#include <ctype.h>
#include <strings.h>
#include <time.h>

#define STAR (UINT64_C(1) << 63)

/* ---- parsing ---- */

struct field { const char *const *names; int min, max, names_from; };
static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const struct field fields[] = {{NULL, 0, 59, 0}, {NULL, 0, 23, 0}, {NULL, 1, 31, 0}, {month_names, 1, 12, 1}, {day_names, 0, 6, 0}};

static struct error *parse_value(const struct field *f, const char *s, int64_t *out) {
    for (int i = 0; f->names && f->names[i]; i++) {
        if (strcasecmp(f->names[i], s) == 0) return *out = i + f->names_from, NULL;
    }
    if (!isdigit((unsigned char)*s) || !str_to_int64(s, out)) return error_new("failed to parse int from %s: strconv.Atoi: parsing \"%s\": invalid syntax", s, s);
    return NULL;
}

/* "*", "a", "a-b", each perhaps with "/step"; "a/step" runs to the end. */
static struct error *parse_range(struct arena *a, const struct field *f, const char *text, uint64_t *bits) {
    size_t parts, ends;
    char **by_step = str_split(a, text, '/', &parts), **low_high = str_split(a, by_step[0], '-', &ends);
    bool star = str_eq(low_high[0], "*") || str_eq(low_high[0], "?");
    int64_t first = f->min, last = f->max, step = 1;
    if (ends > 2) return error_new("too many hyphens: %s", text);
    if (parts > 2) return error_new("too many slashes: %s", text);
    if (!star) {
        TRY(parse_value(f, low_high[0], &first));
        if (ends == 2) TRY(parse_value(f, low_high[1], &last));
        else if (parts == 1) last = first;
    }
    if (parts == 2) TRY(parse_value(&(struct field){0}, by_step[1], &step));
    if (first < f->min) return error_new("beginning of range (%ld) below minimum (%d): %s", first, f->min, text);
    if (last > f->max) return error_new("end of range (%ld) above maximum (%d): %s", last, f->max, text);
    if (first > last) return error_new("beginning of range (%ld) beyond end of range (%ld): %s", first, last, text);
    if (step == 0) return error_new("step of range should be a positive number: %s", text);
    for (int64_t i = first; i <= last; i += step) *bits |= UINT64_C(1) << i;
    if (star && step == 1) *bits |= STAR;
    return NULL;
}

static struct error *parse_field(struct arena *a, const struct field *f, const char *text, uint64_t *bits) {
    size_t n;
    char **ranges = str_split(a, text, ',', &n);
    *bits = 0;
    for (size_t i = 0; i < n; i++) {
        if (*ranges[i]) TRY(parse_range(a, f, ranges[i], bits));
    }
    return NULL;
}

static struct error *parse_descriptor(struct arena *a, const char *text, struct cron_schedule *out) {
    static const char *const fixed[][2] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                                           {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
    int64_t d;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (str_eq(text, fixed[i][0])) return cron_parse(a, fixed[i][1], out->zone, out);
    }
    if (!str_starts(text, "@every ")) return error_new("unrecognized descriptor: %s", text);
    if (!duration_parse(text + 7, &d)) return error_new("failed to parse duration %s", text);
    out->every = MAX(d / NSEC_PER_SEC, 1);
    return NULL;
}

static struct error *parse_zone(struct arena *a, const char **text, struct cron_schedule *out) {
    static const char *const prefixes[] = {"TZ=", "CRON_TZ="};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (!str_starts(*text, prefixes[i])) continue;
        const char *name = *text + strlen(prefixes[i]), *end = strchr(name, ' ');
        struct zone *zone;
        if (!end) return error_new("empty spec string");
        name = arena_strndup(a, name, (size_t)(end - name));
        if (!zone_load(a, name, &zone)) return error_new("provided bad location %s: unknown time zone %s", name, name);
        out->zone = zone;
        *text = end;
    }
    while (isspace((unsigned char)**text)) ++*text;
    return NULL;
}

struct error *cron_parse(struct arena *a, const char *text, const struct zone *zone, struct cron_schedule *out) {
    *out = (struct cron_schedule){.zone = zone};
    TRY(parse_zone(a, &text, out));
    if (*text == '@') return parse_descriptor(a, text, out);
    uint64_t *const bits[] = {&out->minutes, &out->hours, &out->days, &out->months, &out->weekdays};
    size_t n = 0;
    char *save = NULL, *copy = arena_strdup(a, text);
    for (char *part = strtok_r(copy, " \t\n", &save); part; part = strtok_r(NULL, " \t\n", &save), n++) {
        if (n < ARRAY_LEN(bits)) TRY(parse_field(a, &fields[n], part, bits[n]));
    }
    return n == ARRAY_LEN(bits) ? NULL : error_new("expected exactly 5 fields, found %zu: [%s]", n, text);
}

/* ---- the next time ---- */

static bool day_matches(const struct cron_schedule *s, const struct tm *t) {
    bool day = s->days >> t->tm_mday & 1, weekday = s->weekdays >> t->tm_wday & 1;
    return (s->days | s->weekdays) & STAR ? day && weekday : day || weekday;
}

/* UTC of a local time, which may be normalized on the way; a time that the clock leaves out comes out after the gap. */
static int64_t to_utc(const struct cron_schedule *s, struct tm *t) {
    int64_t local = timegm(t), utc = local - zone_offset(s->zone, local);
    return local - zone_offset(s->zone, utc);
}

/* The start of the next unit that may match, or the time itself if it matches already. */
static int64_t advance(const struct cron_schedule *s, int64_t utc) {
    time_t local = utc + zone_offset(s->zone, utc);
    struct tm t;
    gmtime_r(&local, &t);
    if (!(s->months >> (t.tm_mon + 1) & 1)) t = (struct tm){.tm_year = t.tm_year, .tm_mon = t.tm_mon + 1, .tm_mday = 1};
    else if (!day_matches(s, &t)) t = (struct tm){.tm_year = t.tm_year, .tm_mon = t.tm_mon, .tm_mday = t.tm_mday + 1};
    else if (!(s->hours >> t.tm_hour & 1)) return utc + 3600 - (t.tm_min * 60);
    else return s->minutes >> t.tm_min & 1 ? utc : utc + 60;
    int64_t next = to_utc(s, &t);
    return next > utc ? next : utc + 3600;
}

int64_t cron_next(const struct cron_schedule *s, int64_t after) {
    if (s->every) return after + s->every;
    int64_t t = (after / 60 + 1) * 60, limit = after + INT64_C(5) * 366 * 86400;
    while (t < limit) {
        int64_t next = advance(s, t);
        if (next == t) return t;
        t = next;
    }
    return 0;
}
