/* Time zones of the system's tz database. A zone lives in the arena it was loaded into and never changes; NULL is UTC. */
#pragma once
#include "base/arena.h"

struct zone;
/* NULL for "" and "UTC"; false if there is no such zone. */
MUST_CHECK bool zone_load(struct arena *a, const char *name, struct zone **out);
/* From a file of the database's form, e.g. /etc/localtime. */
MUST_CHECK bool zone_read(struct arena *a, const char *path, struct zone **out);

struct zone_time {
    int64_t offset;   /* seconds east of UTC */
    const char *name; /* "CEST" */
    bool summer;
};
struct zone_time zone_lookup(const struct zone *z, int64_t seconds); /* at a time since 1970 UTC */
int64_t zone_offset(const struct zone *z, int64_t seconds);
