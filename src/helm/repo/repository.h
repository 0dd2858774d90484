/* repositories.yaml, the cached indexes, and charts from there: what helm's repo and downloader packages do. */
#pragma once
#include "helm/chart/provenance.h"
#include "helm/repo/index.h"
#include "helm/repo/registry.h"
#include "helm/repo/web.h"

struct repository {
    const char *name, *url, *username, *password, *cert_file, *key_file, *ca_file; /* "" where not given */
    bool insecure, pass_credentials;
};
struct repositories {
    struct arena *arena;
    bool exists; /* the file does */
    const char *api_version, *generated;
    struct repository *items;
    size_t count;
};
/* A file that is not there gives none. */
MUST_CHECK struct error *repositories_load(struct arena *a, const char *path, struct repositories *out);
MUST_CHECK struct error *repositories_save(const struct repositories *r, const char *path);
struct repository *repositories_find(const struct repositories *r, const char *name);
void repositories_set(struct repositories *r, const struct repository *one); /* replaces one of the same name */
bool repositories_remove(struct repositories *r, const char *name);
bool repository_equal(const struct repository *a, const struct repository *b);

/* Files of the cache: DIR/NAME-index.yaml, DIR/NAME-charts.txt. */
const char *repository_index_path(struct arena *a, const char *cache, const char *name);
const char *repository_charts_path(struct arena *a, const char *cache, const char *name);
/* Fetches index.yaml, checks that it is one, puts it into the cache. */
MUST_CHECK struct error *repository_update(struct web *w, struct arena *a, const struct repository *r, const char *cache, int64_t timeout);

/* ---- charts ---- */

enum download_verify { VERIFY_NEVER, VERIFY_IF_POSSIBLE, VERIFY_ALWAYS, VERIFY_LATER };
struct download {
    struct arena *arena;
    struct web *web;
    struct registry *registry;
    const char *repository_config, *cache;
    const char *username, *password; /* "" if not given */
    bool pass_credentials, plain_http;
    struct web_tls tls;
    enum download_verify verify;    /* LATER: the provenance file is fetched, not checked */
    const char *keyring;            /* see provenance_verify */
    FILE *out;                      /* warnings */
};
/* The URL of a chart by name and version in the repository at `repo_url`, whose index is fetched for that. */
MUST_CHECK struct error *download_find(const struct download *d, const char *repo_url, const char *name, const char *version, const char **out);
/* Fetches a chart (REPOSITORY/NAME, a URL, oci://…) into the directory; *file is where it is. */
MUST_CHECK struct error *download_chart(const struct download *d, const char *reference, const char *version, const char *dir, const char **file);
