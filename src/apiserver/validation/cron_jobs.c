/* CronJobs. Schedules are worded as the cron library that upstream uses words them. */
#include "apiserver/validation/rules.h"
#include "base/clock.h"
#include <ctype.h>
#include <unistd.h>

static const struct cron_field { int min, max; const char *names; } fields[] = {
    {0, 59, ""}, {0, 23, ""}, {1, 31, ""}, {1, 12, " jan feb mar apr may jun jul aug sep oct nov dec"}, {0, 6, "sun mon tue wed thu fri sat"}};

static const char *cron_number(struct arena *a, const char *s, const char *names, int64_t *out) {
    int64_t i = *names == ' ' ? 1 : 0;
    for (const char *n = names + i; strlen(s) == 3 && *n; n += 3 + (n[3] == ' '), i++)
        if (strncasecmp(n, s, 3) == 0) return *out = i, NULL;
    if (!str_to_int64(*s == '+' ? s + 1 : s, out)) return arena_printf(a, "failed to parse int from %s: strconv.Atoi: parsing %s: invalid syntax", s, status_quote(a, s));
    return *out < 0 ? arena_printf(a, "negative number (%lld) not allowed: %s", (long long)*out, s) : NULL;
}

static const char *cron_range(struct arena *a, const char *s, const struct cron_field *f) {
    size_t steps, ends;
    char **parts = str_split(a, s, '/', &steps), **range = str_split(a, parts[0], '-', &ends);
    int64_t start = f->min, end = f->max, step = 1;
    const char *problem;
    if (!word_in(range[0], "* ?")) {
        if ((problem = cron_number(a, range[0], f->names, &start))) return problem;
        end = start;
        if (ends > 2) return arena_printf(a, "too many hyphens: %s", s);
        if (ends == 2 && (problem = cron_number(a, range[1], f->names, &end))) return problem;
    }
    if (steps > 2) return arena_printf(a, "too many slashes: %s", s);
    if (steps == 2) {
        if ((problem = cron_number(a, parts[1], "", &step))) return problem;
        if (ends == 1) end = f->max;
    }
    if (start < f->min) return arena_printf(a, "beginning of range (%lld) below minimum (%d): %s", (long long)start, f->min, s);
    if (end > f->max) return arena_printf(a, "end of range (%lld) above maximum (%d): %s", (long long)end, f->max, s);
    if (start > end) return arena_printf(a, "beginning of range (%lld) beyond end of range (%lld): %s", (long long)start, (long long)end, s);
    return step == 0 ? arena_printf(a, "step of range should be a positive number: %s", s) : NULL;
}

static const char *cron_problem(struct arena *a, const char *s) {
    char *words[64];
    size_t n = 0;
    int64_t d;
    if (str_starts(s, "TZ=") || str_starts(s, "CRON_TZ=")) {
        s += strcspn(s, " ");
        s += strspn(s, " ");
    }
    if (!*s) return "empty spec string";
    if (str_starts(s, "@every ")) return duration_parse(s + 7, &d) ? NULL : arena_printf(a, "failed to parse duration %s: time: invalid duration %s", s, status_quote(a, s + 7));
    if (*s == '@') return word_in(s, "@yearly @annually @monthly @weekly @daily @midnight @hourly") ? NULL : arena_printf(a, "unrecognized descriptor: %s", s);
    char *text = arena_strdup(a, s), *rest, *list = arena_strdup(a, "");
    for (char *w = strtok_r(text, " \t\n\r\v\f", &rest); w && n < ARRAY_LEN(words); w = strtok_r(NULL, " \t\n\r\v\f", &rest)) {
        list = arena_printf(a, "%s%s%s", list, n ? " " : "", w);
        words[n++] = w;
    }
    if (n != 5) return arena_printf(a, "expected exactly 5 fields, found %zu: [%s]", n, list);
    for (size_t i = 0; i < 5; i++) {
        for (char *r = strtok_r(words[i], ",", &rest); r; r = strtok_r(NULL, ",", &rest)) {
            const char *problem = cron_range(a, r, &fields[i]);
            if (problem) return problem;
        }
    }
    return NULL;
}

static void schedule(RULE, const char *old) {
    const char *s = str_of(o, "schedule");
    const struct field_path *at = FIELD(p, "schedule");
    bool had_zone = old && strstr(old, "TZ"), zone = strstr(s, "TZ") != NULL;
    if (!need(e, p, o, "schedule")) return;
    const char *problem = cron_problem(e->arena, s);
    if (problem) field_invalid_str(e, at, s, "%s", problem);
    if (had_zone && zone && has(o, "timeZone")) field_invalid_str(e, at, s, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
    else if (!had_zone && zone) field_invalid_str(e, at, s, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
}

static bool zone_part(const char *s) {
    size_t n = strlen(s);
    return n >= 1 && n <= 14 && *s != '-' && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_0123456789+") == n;
}

static void time_zone(struct field_errors *e, const struct field_path *p, const char *s) {
    if (!*s) {
        field_invalid_str(e, p, s, "timeZone must be nil or non-empty string");
        return;
    }
    char **parts = str_split(e->arena, s, '/', NULL);
    for (size_t i = 0; parts[i]; i++) {
        if (zone_part(parts[i])) continue;
        field_invalid_str(e, p, s, "unknown time zone %s", s);
        return;
    }
    if (strcasecmp(s, "Local") == 0) field_invalid_str(e, p, s, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    if (strcmp(s, "UTC") == 0 || strcmp(s, "Local") == 0 || access("/usr/share/zoneinfo", F_OK) != 0) return;
    if (access(arena_printf(e->arena, "/usr/share/zoneinfo/%s", s), F_OK) != 0) field_invalid_str(e, p, s, "unknown time zone %s", s);
}

void validate_cron_job(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec"), *job = json_get(spec, "jobTemplate.spec");
    const struct field_path *at = FIELD(FIELD(SPEC, "jobTemplate"), "spec");
    const char *name = json_str_or(o, "metadata.name", ""), *zone = json_str(spec, "timeZone");
    schedule(e, SPEC, spec, json_str(was, "schedule"));
    nonnegative(e, SPEC, spec, "startingDeadlineSeconds");
    if (zone && (!old || !str_eq(zone, json_str(was, "timeZone")))) time_zone(e, FIELD(SPEC, "timeZone"), zone);
    choice_needed(e, SPEC, spec, "concurrencyPolicy", "Allow Forbid Replace");
    job_spec(e, at, job, json_get(was, "jobTemplate.spec"));
    if (has(job, "selector")) field_invalid(e, FIELD(at, "selector"), go_form(e->arena, LABEL_SELECTOR, json_member(job, "selector")), "`selector` will be auto-generated");
    if (json_bool(job, "manualSelector", false)) field_not_supported(e, FIELD(at, "manualSelector"), &json_true, (const char *const[]){"nil", "false", NULL});
    nonnegative(e, SPEC, spec, "successfulJobsHistoryLimit failedJobsHistoryLimit");
    if (!old && strlen(name) > 52) field_invalid_str(e, FIELD(META, "name"), name, "must be no more than 52 characters");
}
