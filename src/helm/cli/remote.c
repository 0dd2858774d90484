/* Charts and values from elsewhere. */
#include "helm/cli/remote.h"
#include "base/str.h"

struct error *helm_fetch_chart(struct helm *h UNUSED, const struct chart_path_options *o UNUSED, const char *name, const char **path UNUSED) {
    const char *slash = strchr(name, '/');
    if (slash == NULL) return error_new("non-absolute URLs should be in form of repo_name/path_to_chart, got: %s", name);
    return error_new("repo %.*s not found", (int)(slash - name), name);
}

struct error *helm_fetch_url(void *arg UNUSED, const char *url, struct buf *out UNUSED) { return error_new("%s: cannot be fetched", url); }
