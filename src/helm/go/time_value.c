#include "helm/go/time_value.h"
#include "base/clock.h"
#include "base/str.h"
#include "helm/go/time_internal.h"
#include <math.h>

struct value value_of_time(struct arena *a, struct go_moment t) {
    return (struct value){.type = &go_time, .ptr = arena_dup(a, &t, sizeof(t))};
}

struct go_moment value_time(struct value v) { return v.ptr ? *(const struct go_moment *)v.ptr : go_zero_time; }

#define METHOD(name) static struct error *name(struct go_run *run UNUSED, const struct value *args UNUSED, size_t count UNUSED, struct value *out)

/* ---- time.Time ---- */

METHOD(time_format_by) {
    cleanup_buf struct buf b = {0};
    go_time_format(&b, value_time(args[0]), args[1].s, args[1].len);
    *out = value_take_buf(run->arena, &b);
    return NULL;
}

static void time_to_string(const struct value *v, struct buf *out) { go_time_string(out, value_time(*v)); }

METHOD(time_string) {
    cleanup_buf struct buf b = {0};
    time_to_string(&args[0], &b);
    *out = value_take_buf(run->arena, &b);
    return NULL;
}

/* encoding/json and yaml.v3 write RFC 3339 with nanoseconds. */
static struct error *time_to_json(struct arena *a, const struct value *v, const struct json **out) {
    static const char layout[] = "2006-01-02T15:04:05.999999999Z07:00";
    cleanup_buf struct buf b = {0};
    go_time_format(&b, value_time(*v), layout, sizeof(layout) - 1);
    *out = json_string_n(a, b.data, b.len);
    return NULL;
}

#define DATE_PART(name, field)                                   \
    METHOD(name) {                                               \
        *out = value_int(go_date_of(value_time(args[0])).field); \
        return NULL;                                             \
    }
DATE_PART(time_year, year)
DATE_PART(time_day, day)
DATE_PART(time_yday, yday)
DATE_PART(time_hour, hour)
DATE_PART(time_minute, minute)
DATE_PART(time_second, second)

METHOD(time_month) {
    *out = (struct value){.type = &go_month, .i = go_date_of(value_time(args[0])).month};
    return NULL;
}

METHOD(time_weekday) {
    *out = (struct value){.type = &go_weekday, .i = go_date_of(value_time(args[0])).weekday};
    return NULL;
}

METHOD(time_nanosecond) {
    *out = value_int(value_time(args[0]).nanos);
    return NULL;
}

/* Seconds since 1970 in some unit. */
static int64_t since_epoch(struct value v, int64_t per_second) {
    struct go_moment t = value_time(v);
    return (int64_t)((uint64_t)t.seconds * (uint64_t)per_second) + t.nanos / (NSEC_PER_SEC / per_second);
}

METHOD(time_unix) {
    *out = value_int64(since_epoch(args[0], 1));
    return NULL;
}
METHOD(time_unix_milli) {
    *out = value_int64(since_epoch(args[0], 1000));
    return NULL;
}
METHOD(time_unix_micro) {
    *out = value_int64(since_epoch(args[0], 1000000));
    return NULL;
}
METHOD(time_unix_nano) {
    *out = value_int64(since_epoch(args[0], NSEC_PER_SEC));
    return NULL;
}

METHOD(time_is_zero) {
    *out = value_bool(go_time_compare(value_time(args[0]), go_zero_time) == 0);
    return NULL;
}

METHOD(time_add) {
    *out = value_of_time(run->arena, go_time_add(value_time(args[0]), args[1].i));
    return NULL;
}

METHOD(time_add_date) {
    struct go_moment t = value_time(args[0]);
    struct go_date d = go_date_of(t);
    struct go_moment moved = go_date_make(d.year + args[1].i, d.month + args[2].i, d.day + args[3].i, d.hour, d.minute, d.second, t.nanos, t.location);
    *out = value_of_time(run->arena, moved);
    return NULL;
}

METHOD(time_sub) {
    *out = (struct value){.type = &go_duration, .i = go_time_sub(value_time(args[0]), value_time(args[1]))};
    return NULL;
}

METHOD(time_before) {
    *out = value_bool(go_time_compare(value_time(args[0]), value_time(args[1])) < 0);
    return NULL;
}
METHOD(time_after) {
    *out = value_bool(go_time_compare(value_time(args[0]), value_time(args[1])) > 0);
    return NULL;
}
METHOD(time_equal) {
    *out = value_bool(go_time_compare(value_time(args[0]), value_time(args[1])) == 0);
    return NULL;
}
METHOD(time_compare) {
    *out = value_int(go_time_compare(value_time(args[0]), value_time(args[1])));
    return NULL;
}

static struct value moved_to(struct arena *a, struct value v, const char *zone) {
    struct go_moment t = value_time(v);
    t.location = go_location_load(a, zone);
    t.monotonic = 0;
    return value_of_time(a, t);
}

METHOD(time_utc) {
    *out = moved_to(run->arena, args[0], "UTC");
    return NULL;
}
METHOD(time_local) {
    *out = moved_to(run->arena, args[0], "Local");
    return NULL;
}

/* Counted from the zero time, as Go does. */
static struct value time_to_multiple(struct arena *a, const struct value *args, bool nearest) {
    struct go_moment t = value_time(args[0]);
    int64_t d = args[1].i;
    t.monotonic = 0;
    if (d <= 0) return value_of_time(a, t);
    __int128 since = ((__int128)t.seconds - go_zero_time.seconds) * NSEC_PER_SEC + t.nanos;
    int64_t rest = (int64_t)(since % d);
    return value_of_time(a, go_time_add(t, nearest && rest >= d - rest ? d - rest : -rest));
}

METHOD(time_truncate) {
    *out = time_to_multiple(run->arena, args, false);
    return NULL;
}
METHOD(time_round) {
    *out = time_to_multiple(run->arena, args, true);
    return NULL;
}

static const struct go_func time_methods[] = {
    GO_FUNC("Format", time_format_by, &go_string, &go_time, &go_string),
    GO_FUNC("String", time_string, &go_string, &go_time),
    GO_FUNC("Year", time_year, &go_int, &go_time),
    GO_FUNC("Month", time_month, &go_month, &go_time),
    GO_FUNC("Day", time_day, &go_int, &go_time),
    GO_FUNC("YearDay", time_yday, &go_int, &go_time),
    GO_FUNC("Weekday", time_weekday, &go_weekday, &go_time),
    GO_FUNC("Hour", time_hour, &go_int, &go_time),
    GO_FUNC("Minute", time_minute, &go_int, &go_time),
    GO_FUNC("Second", time_second, &go_int, &go_time),
    GO_FUNC("Nanosecond", time_nanosecond, &go_int, &go_time),
    GO_FUNC("Unix", time_unix, &go_int64, &go_time),
    GO_FUNC("UnixMilli", time_unix_milli, &go_int64, &go_time),
    GO_FUNC("UnixMicro", time_unix_micro, &go_int64, &go_time),
    GO_FUNC("UnixNano", time_unix_nano, &go_int64, &go_time),
    GO_FUNC("IsZero", time_is_zero, &go_bool, &go_time),
    GO_FUNC("Add", time_add, &go_time, &go_time, &go_duration),
    GO_FUNC("AddDate", time_add_date, &go_time, &go_time, &go_int, &go_int, &go_int),
    GO_FUNC("Sub", time_sub, &go_duration, &go_time, &go_time),
    GO_FUNC("Before", time_before, &go_bool, &go_time, &go_time),
    GO_FUNC("After", time_after, &go_bool, &go_time, &go_time),
    GO_FUNC("Equal", time_equal, &go_bool, &go_time, &go_time),
    GO_FUNC("Compare", time_compare, &go_int, &go_time, &go_time),
    GO_FUNC("UTC", time_utc, &go_time, &go_time),
    GO_FUNC("Local", time_local, &go_time, &go_time),
    GO_FUNC("Truncate", time_truncate, &go_time, &go_time, &go_duration),
    GO_FUNC("Round", time_round, &go_time, &go_time, &go_duration),
    GO_FUNCS_END,
};
const struct go_type go_time = {.kind = GO_STRUCT, .name = "time.Time", .methods = time_methods, .string = time_to_string, .marshal_json = time_to_json};

/* ---- time.Duration ---- */

static void duration_to_string(const struct value *v, struct buf *out) {
    char text[TIME_STRING_MAX];
    buf_adds(out, duration_format(text, v->i));
}

METHOD(duration_string) {
    cleanup_buf struct buf b = {0};
    duration_to_string(&args[0], &b);
    *out = value_take_buf(run->arena, &b);
    return NULL;
}

/* Whole units and the rest apart, as Go divides them. */
static struct value in_units(struct value v, int64_t unit) {
    int64_t whole = v.i / unit;
    return value_float((double)whole + (double)(v.i % unit) / (double)unit);
}

METHOD(duration_hours) {
    *out = in_units(args[0], 3600 * NSEC_PER_SEC);
    return NULL;
}
METHOD(duration_minutes) {
    *out = in_units(args[0], 60 * NSEC_PER_SEC);
    return NULL;
}
METHOD(duration_seconds) {
    *out = in_units(args[0], NSEC_PER_SEC);
    return NULL;
}
METHOD(duration_milliseconds) {
    *out = value_int64(args[0].i / 1000000);
    return NULL;
}
METHOD(duration_microseconds) {
    *out = value_int64(args[0].i / 1000);
    return NULL;
}
METHOD(duration_nanoseconds) {
    *out = value_int64(args[0].i);
    return NULL;
}
METHOD(duration_truncate) {
    *out = (struct value){.type = &go_duration, .i = go_duration_truncate(args[0].i, args[1].i)};
    return NULL;
}
METHOD(duration_round) {
    *out = (struct value){.type = &go_duration, .i = go_duration_round(args[0].i, args[1].i)};
    return NULL;
}
METHOD(duration_abs) {
    int64_t d = args[0].i;
    *out = (struct value){.type = &go_duration, .i = d == INT64_MIN ? INT64_MAX : d < 0 ? -d : d};
    return NULL;
}

static const struct go_func duration_methods[] = {
    GO_FUNC("String", duration_string, &go_string, &go_duration),
    GO_FUNC("Hours", duration_hours, &go_float64, &go_duration),
    GO_FUNC("Minutes", duration_minutes, &go_float64, &go_duration),
    GO_FUNC("Seconds", duration_seconds, &go_float64, &go_duration),
    GO_FUNC("Milliseconds", duration_milliseconds, &go_int64, &go_duration),
    GO_FUNC("Microseconds", duration_microseconds, &go_int64, &go_duration),
    GO_FUNC("Nanoseconds", duration_nanoseconds, &go_int64, &go_duration),
    GO_FUNC("Truncate", duration_truncate, &go_duration, &go_duration, &go_duration),
    GO_FUNC("Round", duration_round, &go_duration, &go_duration, &go_duration),
    GO_FUNC("Abs", duration_abs, &go_duration, &go_duration),
    GO_FUNCS_END,
};
const struct go_type go_duration = {.kind = GO_INT64, .name = "time.Duration", .underlying = &go_int64, .methods = duration_methods, .string = duration_to_string};

/* ---- months and weekdays ---- */

static void month_to_string(const struct value *v, struct buf *out) {
    if (v->i >= 1 && v->i <= 12) buf_adds(out, go_month_names[v->i - 1]);
    else buf_printf(out, "%%!Month(%lld)", (long long)v->i);
}

static void weekday_to_string(const struct value *v, struct buf *out) {
    if (v->i >= 0 && v->i <= 6) buf_adds(out, go_weekday_names[v->i]);
    else buf_printf(out, "%%!Weekday(%lld)", (long long)v->i);
}

METHOD(name_string) {
    cleanup_buf struct buf b = {0};
    args[0].type->string(&args[0], &b);
    *out = value_take_buf(run->arena, &b);
    return NULL;
}

static const struct go_func month_methods[] = {GO_FUNC("String", name_string, &go_string, &go_month), GO_FUNCS_END};
static const struct go_func weekday_methods[] = {GO_FUNC("String", name_string, &go_string, &go_weekday), GO_FUNCS_END};
const struct go_type go_month = {.kind = GO_INT, .name = "time.Month", .underlying = &go_int, .methods = month_methods, .string = month_to_string};
const struct go_type go_weekday = {.kind = GO_INT, .name = "time.Weekday", .underlying = &go_int, .methods = weekday_methods, .string = weekday_to_string};
