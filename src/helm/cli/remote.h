/* What commands need from outside this machine. */
#pragma once
#include "helm/cli/dependency.h"
#include "helm/repo/repository.h"

/* Downloads a chart that `name` (repo/chart, a URL, oci://…) stands for; *path is where it is. */
MUST_CHECK struct error *helm_fetch_chart(struct helm *h, const struct chart_path_options *o, const char *name, const char **path);
/* A value_fetch: `arg` is the struct helm. */
MUST_CHECK struct error *helm_fetch_url(void *arg, const char *url, struct buf *out);
/* What fetches charts, by the flags that say how. */
struct download helm_download(struct helm *h, const struct chart_path_options *o, struct web *w);
/* Fetches indexes anew and says so; which failed is told in `failed`, separated by spaces. */
void helm_update_indexes(struct helm *h, struct web *w, const struct repository *list, size_t count, int64_t timeout, struct buf *failed);

/* ---- for dependencies: `repository` is a URL or @alias ---- */

/* Brings the indexes of the repositories that a chart's dependencies come from up to date. */
MUST_CHECK struct error *helm_refresh_repositories(struct helm *h, const struct chart *c, bool skip_refresh);
/* The newest version of a chart that satisfies a constraint. */
MUST_CHECK struct error *helm_resolve_version(struct helm *h, const char *repository, const char *name, const char *constraint, const char **version);
/* Downloads an archive into a directory. */
MUST_CHECK struct error *helm_download_dependency(struct helm *h, const struct dependency_options *how, const char *repository, const char *name,
                                                  const char *version, const char *into);
