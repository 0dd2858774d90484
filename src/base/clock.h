/* Time as an effect: everything with deadlines sees time through a `struct clock`, so that a simulated cluster runs
 * on virtual time. Times are int64 nanoseconds: wall time since 1970 (UTC), monotonic time since some start. */
#pragma once
#include "base/base.h"

#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define SECONDS(s) ((int64_t)(s)*NSEC_PER_SEC)
#define MSECONDS(ms) ((int64_t)(ms)*NSEC_PER_MSEC)

struct clock {
    int64_t (*wall)(const struct clock *c);
    int64_t (*monotonic)(const struct clock *c);
};
extern const struct clock clock_real;

/* Virtual time, for tests and simulation; thread-safe. */
struct clock_virtual {
    struct clock base;
    int64_t now; /* both wall and monotonic */
};
void clock_virtual_init(struct clock_virtual *c, int64_t start);
void clock_virtual_set(struct clock_virtual *c, int64_t now);

static inline int64_t clock_wall(const struct clock *c) { return c->wall(c); }
static inline int64_t clock_monotonic(const struct clock *c) { return c->monotonic(c); }

/* RFC 3339 in UTC as Kubernetes writes it: metav1.Time has seconds ("2006-01-02T15:04:05Z"), MicroTime six digits. */
#define TIME_STRING_MAX 40
const char *time_format(char out[TIME_STRING_MAX], int64_t wall);
const char *time_format_micro(char out[TIME_STRING_MAX], int64_t wall);
/* Parses any RFC 3339 time with offset and optional fraction; false if it is none. */
bool time_parse(const char *s, int64_t *wall);
/* The same for years that int64 nanoseconds do not reach: seconds since 1970, rounded down, and the nanoseconds above them. */
struct time_parts {
    int64_t seconds, nanos;
};
const char *time_format_parts(char out[TIME_STRING_MAX], const struct time_parts *t, bool micro);
bool time_parse_parts(const char *s, struct time_parts *out);
/* A duration as kubectl prints ages ("5s", "3m12s", "4d3h"): apimachinery's duration.HumanDuration. */
const char *time_human_duration(char out[TIME_STRING_MAX], int64_t duration);
/* Go's time.ParseDuration ("1h15m30.5s") and Duration.String. */
bool duration_parse(const char *s, int64_t *duration);
const char *duration_format(char out[TIME_STRING_MAX], int64_t duration);
