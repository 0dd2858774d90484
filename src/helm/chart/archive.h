/* Packed charts: gzip'ed tar archives. */
#pragma once
#include "helm/chart/chart.h"

/* Inflates a gzip file into `out`, whose `max` is respected: an overflow is no error here but out->overflow. */
MUST_CHECK struct error *gzip_inflate(const char *data, size_t len, struct buf *out);
void gzip_deflate(struct buf *out, const char *data, size_t len);
/* Appends one file to a tar archive; `name` up to 255 characters. Then the end: two empty blocks. */
MUST_CHECK struct error *tar_add(struct buf *out, const char *name, const char *data, size_t len, int64_t mtime);
void tar_end(struct buf *out);
