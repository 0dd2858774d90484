/* Times and durations as values of templates, with the methods they have in Go. */
#pragma once
#include "helm/go/time.h"
#include "helm/go/value.h"

extern const struct go_type go_time;     /* time.Time */
extern const struct go_type go_duration; /* time.Duration, an int64 of nanoseconds */
extern const struct go_type go_month, go_weekday;

struct value value_of_time(struct arena *a, struct go_moment t);
struct go_moment value_time(struct value v); /* of a go_time */
