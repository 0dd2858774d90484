/* Dependencies of a chart on disk: what charts/ holds, and bringing it in line with Chart.yaml or Chart.lock. */
#pragma once
#include "helm/cli/chart_flags.h"
#include "helm/repo/repository.h"

struct dependency_options {
    bool skip_refresh; /* the cached indexes will do */
    enum download_verify verify;
    const char *keyring;
};
/* Resolves versions, fills charts/ and writes the lock file (helm dependency update). */
MUST_CHECK struct error *helm_update_dependencies(struct helm *h, const char *chart_path, const struct dependency_options *how);
/* Fills charts/ by the lock file, which must agree with Chart.yaml; without one it is an update. */
MUST_CHECK struct error *helm_build_dependencies(struct helm *h, const char *chart_path, const struct dependency_options *how);
