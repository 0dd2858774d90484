/* values.schema.json: JSON Schema of the drafts 4, 6, 7, 2019-09 and 2020-12, with the messages of the Go library that helm uses. */
#pragma once
#include "helm/chart/values.h"

/* Checks the values of a chart and of its dependencies. The error lists what is wrong, chart by chart, as helm does. */
MUST_CHECK struct error *schema_check_chart(struct arena *a, const struct chart *c, struct value values);
/* One schema, one tree of values. */
MUST_CHECK struct error *schema_check(struct arena *a, const char *schema, size_t len, struct value values);
