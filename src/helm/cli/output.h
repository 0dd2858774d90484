/* Output in the forms of -o: tables as helm's library prints them, JSON, YAML. */
#pragma once
#include "base/buf.h"
#include "helm/cli/command.h"
#include "json/json.h"

/* A table of text: columns padded to the widest cell, separated by tabs; cells beyond max_width end in "...", or are
 * wrapped at spaces with `wrap`. Lives in an arena. */
struct helm_table {
    struct arena *arena;
    size_t max_width; /* 0: no limit */
    bool wrap;
    const char *const **rows;
    size_t *widths; /* cells per row */
    size_t count, cap;
};
void helm_table_row(struct helm_table *t, size_t cells, const char *const *texts); /* texts are kept, not copied */
#define HELM_ROW(t, ...) \
    helm_table_row((t), ARRAY_LEN(((const char *const[]){__VA_ARGS__})), (const char *const[]){__VA_ARGS__})
/* The table and a newline. */
void helm_table_write(const struct helm_table *t, struct buf *out);
/* Go's encoding/json line with its newline, or sigs.k8s.io/yaml's text. `v` has its members in the wanted order; YAML sorts them. */
void helm_write_json(FILE *out, const struct json *v);
void helm_write_yaml(FILE *out, const struct json *v);
MUST_CHECK bool helm_parse_format(const char *s, enum helm_format *out);
