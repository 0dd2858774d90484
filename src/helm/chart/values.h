/* Values: what a chart is rendered with. Maps (map[string]interface {}) that change in place, merged by helm's rules. */
#pragma once
#include "helm/chart/chart.h"

/* A deep copy of maps and slices; strings are shared. */
struct value values_copy(struct arena *a, struct value v);
static inline bool values_is_table(struct value v) { return v.type == &go_map; }

/* The chart's values and its dependencies' below `values`, which win; null takes a default away (chartutil.CoalesceValues).
 * `merge` keeps nulls instead (MergeValues). `values` may be nil and is not changed. */
MUST_CHECK struct error *values_coalesce(struct arena *a, const struct chart *c, struct value values, bool merge, struct value *out);
/* Puts into `dst` what only `src` has (CoalesceTables; MergeTables with `merge`). Shares src's values. */
void values_coalesce_tables(struct value dst, struct value src, bool merge);
/* What -f does with file after file: `over` wins, maps are merged. Shares both; changes neither. */
struct value values_merge(struct arena *a, struct value under, struct value over);
/* A table by its dotted path. On failure *missing is the part that is none. */
bool values_table(struct arena *a, struct value v, const char *path, struct value *out, const char **missing);
/* A value that is no table, by its dotted path. */
bool values_path(struct arena *a, struct value v, const char *path, struct value *out);

/* Removes disabled dependencies, applies aliases and imports values into the chart's own (ProcessDependencies; WithMerge
 * keeps nulls). Changes the chart. */
MUST_CHECK struct error *chart_process_dependencies(struct chart *c, struct value values, bool merge);

/* ---- --set and its kind (strvals.c): into `dest`, a map. Errors are helm's, without the flag's name ---- */

enum strvals_kind { STRVALS_TYPED, STRVALS_STRING, STRVALS_FILE, STRVALS_JSON, STRVALS_LITERAL };
/* Reads a file that a value names, for STRVALS_FILE. */
typedef struct error *(*strvals_reader)(void *arg, struct arena *a, const char *path, struct value *out);
MUST_CHECK struct error *strvals_parse(struct arena *a, enum strvals_kind kind, const char *text, strvals_reader reader, void *reader_arg,
                                       struct value dest);
