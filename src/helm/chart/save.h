/* Charts back to disk: as archives, as directories, and new ones. */
#pragma once
#include "helm/chart/chart.h"

/* Writes NAME-VERSION.tgz into a directory, which is made if need be; *path is the file's name. */
MUST_CHECK struct error *chart_save(struct arena *a, struct chart *c, const char *dir, const char **path);
/* Writes a directory NAME below `dir`; dependencies go into charts/ as archives. */
MUST_CHECK struct error *chart_save_directory(struct arena *a, struct chart *c, const char *dir);
/* A new chart in dir/name, from the scaffold. `overwritten` is told each file that was there before. */
MUST_CHECK struct error *chart_create(struct arena *a, const char *name, const char *dir, void (*overwritten)(void *arg, const char *path), void *arg);
/* The same from another chart: its texts with <CHARTNAME> replaced. */
MUST_CHECK struct error *chart_create_from(struct arena *a, const char *name, const char *dir, const char *starter);
/* Chart.yaml's text. */
MUST_CHECK struct error *chart_metadata_yaml(struct arena *a, const struct value *metadata, struct buf *out);
