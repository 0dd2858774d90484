/* Dependencies of a chart on disk: what charts/ holds, and bringing it in line with Chart.yaml or Chart.lock. */
#pragma once
#include "helm/cli/chart_flags.h"

/* Resolves versions, fills charts/ and writes the lock file (helm dependency update). */
MUST_CHECK struct error *helm_update_dependencies(struct helm *h, const char *chart_path, bool skip_refresh);
/* Fills charts/ by the lock file, which must agree with Chart.yaml; without one it is an update. */
MUST_CHECK struct error *helm_build_dependencies(struct helm *h, const char *chart_path, bool skip_refresh);
