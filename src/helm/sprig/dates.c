/* Dates. What is no date is now. */
#include "base/clock.h"
#include "helm/go/strconv.h"
#include "helm/go/time_value.h"
#include "helm/sprig/internal.h"

static struct go_moment moment_of(struct go_run *run, struct value v) {
    if (v.type == &go_time) return value_time(v);
    if (v.type == &go_int64 || v.type == &go_int || v.type == &go_int32) return go_unix(run->arena, v.i, 0);
    return go_now(run->arena);
}

static struct error *format_in(struct go_run *run, struct value layout, struct value date, const char *zone, struct value *out) {
    cleanup_buf struct buf b = {0};
    struct go_moment t = moment_of(run, date);
    const struct go_location *location = go_location_load(run->arena, zone);
    t.location = location ? location : &go_utc;
    go_time_format(&b, t, layout.s, layout.len);
    return sprig_give(run, &b, out);
}

SPRIG(date) { return format_in(run, args[0], args[1], "Local", out); }
SPRIG(date_in_zone) { return format_in(run, args[0], args[1], value_cstr(run->arena, args[2]), out); }
SPRIG(html_date) { return format_in(run, value_literal("2006-01-02"), args[0], "Local", out); }
SPRIG(html_date_in_zone) { return format_in(run, value_literal("2006-01-02"), args[0], value_cstr(run->arena, args[1]), out); }

SPRIG(now) {
    *out = value_of_time(run->arena, go_now(run->arena));
    return NULL;
}

static struct error *modify(struct go_run *run, const struct value *args, struct value *out) {
    int64_t d;
    TRY(go_parse_duration(args[0].s, args[0].len, &d));
    *out = value_of_time(run->arena, go_time_add(value_time(args[1]), d));
    return NULL;
}

SPRIG(must_modify) { return modify(run, args, out); }
SPRIG(modify_or_not) {
    *out = args[1];
    error_free(modify(run, args, out));
    return NULL;
}

static struct error *parse(struct go_run *run, const struct value *args, struct value *out) {
    struct go_moment t;
    TRY(go_time_parse(run->arena, args[0].s, args[0].len, args[1].s, args[1].len, go_location_load(run->arena, "Local"), &t));
    *out = value_of_time(run->arena, t);
    return NULL;
}

SPRIG(must_to_date) { return parse(run, args, out); }
SPRIG(to_date) {
    *out = value_of_time(run->arena, go_zero_time);
    error_free(parse(run, args, out));
    return NULL;
}

SPRIG(unix_epoch) {
    *out = value_strf(run->arena, "%lld", (long long)value_time(args[0]).seconds);
    return NULL;
}

static struct value duration_text(struct go_run *run, int64_t d) {
    char text[TIME_STRING_MAX];
    duration_format(text, d);
    return value_strdup(run->arena, text, strlen(text));
}

SPRIG(ago) {
    struct go_moment t = args[0].type == &go_int32 ? go_now(run->arena) : moment_of(run, args[0]);
    *out = duration_text(run, go_duration_round(go_time_sub(go_now(run->arena), t), NSEC_PER_SEC));
    return NULL;
}

/* Seconds as text or int64. */
SPRIG(duration) {
    int64_t n = 0;
    if (args[0].type == &go_string) error_free(go_parse_int(args[0].s, args[0].len, 10, 64, &n));
    else if (args[0].type == &go_int64) n = args[0].i;
    *out = duration_text(run, (int64_t)((uint64_t)n * (uint64_t)NSEC_PER_SEC));
    return NULL;
}

/* The largest unit of which there is more than one. */
SPRIG(duration_round) {
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{365 * 86400, "y"}, {30 * 86400, "mo"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t d = 0;
    if (args[0].type == &go_string) error_free(go_parse_duration(args[0].s, args[0].len, &d));
    else if (args[0].type == &go_int64) d = args[0].i;
    else if (args[0].type == &go_time) d = go_time_sub(go_now(run->arena), value_time(args[0]));
    uint64_t u = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
    *out = value_literal("0s");
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t unit = units[i].seconds * (uint64_t)NSEC_PER_SEC;
        if (u <= unit) continue;
        *out = value_strf(run->arena, "%llu%s", (unsigned long long)(u / unit), units[i].name);
        break;
    }
    return NULL;
}

const struct go_func sprig_dates[] = {
    GO_FUNC("now", now, &go_time),
    GO_FUNC("date", date, &go_string, &go_string, &go_any),
    GO_FUNC("dateInZone", date_in_zone, &go_string, &go_string, &go_any, &go_string),
    GO_FUNC("date_in_zone", date_in_zone, &go_string, &go_string, &go_any, &go_string),
    GO_FUNC("htmlDate", html_date, &go_string, &go_any),
    GO_FUNC("htmlDateInZone", html_date_in_zone, &go_string, &go_any, &go_string),
    GO_FUNC("dateModify", modify_or_not, &go_time, &go_string, &go_time),
    GO_FUNC("date_modify", modify_or_not, &go_time, &go_string, &go_time),
    GO_FUNC("mustDateModify", must_modify, &go_time, &go_string, &go_time),
    GO_FUNC("must_date_modify", must_modify, &go_time, &go_string, &go_time),
    GO_FUNC("toDate", to_date, &go_time, &go_string, &go_string),
    GO_FUNC("mustToDate", must_to_date, &go_time, &go_string, &go_string),
    GO_FUNC("unixEpoch", unix_epoch, &go_string, &go_time),
    GO_FUNC("ago", ago, &go_string, &go_any),
    GO_FUNC("duration", duration, &go_string, &go_any),
    GO_FUNC("durationRound", duration_round, &go_string, &go_any),
    GO_FUNCS_END,
};
