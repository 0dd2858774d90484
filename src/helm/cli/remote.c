/* Charts and values from elsewhere. */
#include "helm/cli/remote.h"
#include "base/str.h"

struct error *helm_fetch_chart(struct helm *h UNUSED, const struct chart_path_options *o UNUSED, const char *name, const char **path UNUSED) {
    const char *slash = strchr(name, '/');
    if (slash == NULL) return error_new("non-absolute URLs should be in form of repo_name/path_to_chart, got: %s", name);
    return error_new("repo %.*s not found", (int)(slash - name), name);
}

/* Only dependencies in directories (file://) and in charts/ itself need no repository. */
struct error *helm_refresh_repositories(struct helm *h, const struct chart *c, bool skip_refresh UNUSED) {
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        const char *repository = chart_requirement_string(&h->arena, chart_requirement(&c->metadata, i), DEPENDENCY_REPOSITORY);
        if (repository[0] == '\0' || str_starts(repository, "file://")) continue;
        return error_new("no repository definition for %s. Please add the missing repos via 'helm repo add'", repository);
    }
    return NULL;
}

struct error *helm_resolve_version(struct helm *h UNUSED, const char *repository, const char *name, const char *constraint UNUSED, const char **version UNUSED) {
    return error_new("%s chart not found in repo %s", name, repository);
}

struct error *helm_download_dependency(struct helm *h UNUSED, const char *repository, const char *name, const char *version, const char *into UNUSED) {
    return error_new("chart \"%s\" version \"%s\" not found in %s repository", name, version, repository);
}

struct error *helm_fetch_url(void *arg UNUSED, const char *url, struct buf *out UNUSED) { return error_new("%s: cannot be fetched", url); }
