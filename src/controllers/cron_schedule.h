/* Schedules of CronJobs: five fields or @descriptors, as robfig/cron v3 reads them; times in a zone of the tz database. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/zone.h"

struct cron_schedule {
    uint64_t minutes, hours, days, months, weekdays; /* bits; bit 63: written as a star */
    int64_t every;                                   /* seconds, for @every; else 0 */
    const struct zone *zone;
};
/* "TZ=Name " or "CRON_TZ=Name " may come first; else `zone` counts. */
MUST_CHECK struct error *cron_parse(struct arena *a, const char *text, const struct zone *zone, struct cron_schedule *out);
/* The first time (UTC seconds) after that one; 0 if there is none within five years. */
int64_t cron_next(const struct cron_schedule *s, int64_t after);
