/* What commands need from outside this machine. */
#pragma once
#include "helm/cli/chart_flags.h"

/* Downloads a chart that `name` (repo/chart, a URL, oci://…) stands for; *path is where it is. */
MUST_CHECK struct error *helm_fetch_chart(struct helm *h, const struct chart_path_options *o, const char *name, const char **path);
/* A value_fetch: `arg` is the struct helm. */
MUST_CHECK struct error *helm_fetch_url(void *arg, const char *url, struct buf *out);
