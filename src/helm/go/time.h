/* Go's package time: moments with a location, layouts ("Mon Jan 2 15:04:05 2006"), durations. Everything in arenas. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/zone.h"

struct go_location {
    const char *name;           /* "UTC", "Local", "Europe/Berlin", "" */
    const struct zone *zone;    /* NULL: UTC, or a fixed one */
    const char *abbreviation;   /* of a fixed one, else NULL */
    int64_t offset;             /* of a fixed one */
};
extern const struct go_location go_utc;

struct go_moment {
    int64_t seconds;            /* since 1970 */
    int32_t nanos;
    int64_t monotonic;          /* nanoseconds since the program started, of what go_now made; 0: none */
    const struct go_location *location;
};

/* What a calendar says of a moment where it is. */
struct go_date {
    int64_t year;
    int month, day, yday, weekday; /* from 1, weekday from 0: Sunday */
    int hour, minute, second;
    int64_t offset;
    const char *zone;
};

extern const struct go_moment go_zero_time; /* January 1, year 1 */
struct go_moment go_now(struct arena *a);   /* in the local zone */
struct go_moment go_unix(struct arena *a, int64_t seconds, int64_t nanos); /* likewise */
struct go_date go_date_of(struct go_moment t);
/* The moment of a date in a location; numbers may be out of range (month 13, day 0). */
struct go_moment go_date_make(int64_t year, int64_t month, int64_t day, int64_t hour, int64_t minute, int64_t second, int64_t nanos,
                              const struct go_location *location);

/* LoadLocation: "" and "UTC", "Local" (of TZ or /etc/localtime), names of the tz database; NULL if there is none. */
const struct go_location *go_location_load(struct arena *a, const char *name);

void go_time_format(struct buf *out, struct go_moment t, const char *layout, size_t n);
void go_time_string(struct buf *out, struct go_moment t); /* Time.String */
/* ParseInLocation: texts without a zone are of `location`. Error texts are Go's. */
MUST_CHECK struct error *go_time_parse(struct arena *a, const char *layout, size_t layout_len, const char *s, size_t n,
                                       const struct go_location *location, struct go_moment *out);

struct go_moment go_time_add(struct go_moment t, int64_t duration); /* nanoseconds */
int64_t go_time_sub(struct go_moment t, struct go_moment u);        /* limited to what a duration can hold */
int go_time_compare(struct go_moment t, struct go_moment u);

MUST_CHECK struct error *go_parse_duration(const char *s, size_t n, int64_t *out); /* time.ParseDuration */
int64_t go_duration_truncate(int64_t d, int64_t m);
int64_t go_duration_round(int64_t d, int64_t m); /* half away from zero */
