/* values.schema.json: JSON Schema of the drafts 4, 6, 7, 2019-09 and 2020-12, with the messages of the Go library that helm uses. */
#pragma once
#include "helm/chart/values.h"

/* Gets the text of a document that a $ref names by an absolute URL. */
typedef struct error *schema_load_fn(struct arena *a, const char *url, struct buf *out);
schema_load_fn schema_load; /* helm's: http and https (15 s), files; a urn stands for a schema that all values fit */

/* Checks the values of a chart and of its dependencies. The error lists what is wrong, chart by chart, as helm does. */
MUST_CHECK struct error *schema_check_chart(struct arena *a, const struct chart *c, struct value values);
/* One schema, one tree of values. `load` NULL: nothing is loaded, and a reference to elsewhere is an error. */
MUST_CHECK struct error *schema_check(struct arena *a, const char *schema, size_t len, struct value values, schema_load_fn *load);
