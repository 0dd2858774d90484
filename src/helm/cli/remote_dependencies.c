/* Repositories of dependencies: those that were added, others by their URL, registries. */
#include "base/str.h"
#include "helm/cli/remote.h"
#include "helm/go/semver.h"
#include "helm/repo/url.h"

/* The repository of a dependency; one that was not added gets a name of its own for its cached index. */
static bool find_repository(struct helm *h, const struct repositories *all, const char *wanted, struct repository *out) {
    struct arena *a = &h->arena;
    const char *alias = wanted[0] == '@' ? wanted + 1 : str_starts(wanted, "alias:") ? wanted + strlen("alias:") : NULL;
    struct url u;
    for (size_t i = 0; i < all->count; i++)
        if (alias != NULL ? str_eq(all->items[i].name, alias) : url_equal(a, all->items[i].url, wanted)) {
            *out = all->items[i];
            return true;
        }
    if (alias != NULL || !url_parse(a, wanted, &u) || u.scheme[0] == '\0') return false;
    uint8_t sum[32];
    cleanup_buf struct buf hex = {0};
    sha256(wanted, strlen(wanted), sum);
    hex_encode(&hex, sum, sizeof(sum));
    *out = (struct repository){.name = arena_printf(a, "helm-manager-%s", hex.data), .url = wanted, .username = "", .password = "",
                               .cert_file = "", .key_file = "", .ca_file = ""};
    return true;
}

static bool is_elsewhere(const char *repository) { return repository[0] != '\0' && !str_starts(repository, "file://"); }

static struct error *missing(const struct buf *list, bool plain_name) {
    return error_new("no repository definition for %s. Please add them via 'helm repo add'%s", list->data,
                     plain_name ? "\nNote that repositories must be URLs or aliases. For example, to refer to the \"example\"\nrepository, use "
                                  "\"https://charts.example.com/\" or \"@example\" instead of\n\"example\". Don't forget to add the repo, too ('helm repo add')."
                                : "");
}

struct error *helm_refresh_repositories(struct helm *h, const struct chart *c, bool skip_refresh) {
    struct repositories all;
    cleanup_buf struct buf unknown = {0}, ignored = {0};
    bool plain_name = false;
    size_t n = chart_requirement_count(&c->metadata), others = 0;
    struct repository *unmanaged = arena_calloc(&h->arena, n + 1, sizeof(*unmanaged));
    TRY(repositories_load(&h->arena, h->settings.repository_config, &all));
    for (size_t i = 0; i < n; i++) {
        const char *repository = chart_requirement_string(&h->arena, chart_requirement(&c->metadata, i), DEPENDENCY_REPOSITORY);
        struct repository r;
        if (!is_elsewhere(repository) || registry_is_oci(repository)) continue;
        if (!find_repository(h, &all, repository, &r)) {
            buf_printf(&unknown, "%s%s", unknown.len > 0 ? ", " : "", repository);
            plain_name |= strstr(repository, "//") == NULL && repository[0] != '@' && !str_starts(repository, "alias:");
        } else if (str_starts(r.name, "helm-manager-")) {
            bool twice = false;
            for (size_t j = 0; j < others; j++) twice |= str_eq(unmanaged[j].name, r.name);
            if (!twice) unmanaged[others++] = r;
        }
    }
    if (unknown.len > 0) return missing(&unknown, plain_name);
    struct web *w = web_new(&h->arena);
    if (others > 0) {
        fprintf(h->out, "Getting updates for unmanaged Helm repositories...\n");
        helm_update_indexes(h, w, unmanaged, others, 0, &ignored);
    }
    if (!skip_refresh && all.count > 0) {
        fprintf(h->out, "Hang tight while we grab the latest from your chart repositories...\n");
        helm_update_indexes(h, w, all.items, all.count, 0, &ignored);
        fprintf(h->out, "Update Complete. ⎈Happy Helming!⎈\n");
    }
    web_free(w);
    return NULL;
}

/* ---- versions ---- */

static struct error *no_version(const char *repository, const char *name, const char *constraint) {
    return error_new("can't get a valid version for 1 subchart(s): \"%s\" (repository \"%s\", version \"%s\"). Make sure a matching chart version "
                     "exists in the repo, or change the version constraint in Chart.yaml", name, repository, constraint);
}

static struct error *resolve_oci(struct helm *h, const char *repository, const char *name, const char *constraint, const char **version) {
    const struct chart_path_options none = {"", "", "", "", "", "", "", "", false, false, false, false};
    struct semver exact;
    const char *complete;
    cleanup_error struct error *no_exact = semver_parse(&h->arena, constraint, &exact);
    *version = constraint;
    if (no_exact == NULL) return NULL;
    struct web *w = web_new(&h->arena);
    struct download d = helm_download(h, &none, w);
    struct error *e = registry_resolve(d.registry, arena_printf(&h->arena, "%s/%s", repository, name), constraint, &complete);
    web_free(w);
    if (e != NULL && str_starts(e->message, "Could not locate a version")) {
        error_free(e);
        return no_version(repository, name, constraint);
    }
    if (e != NULL) return error_wrap(e, "could not retrieve list of tags for repository %s", repository);
    *version = strrchr(complete, ':') + 1;
    return NULL;
}

static struct error *find_version(struct helm *h, const char *repository, const char *name, const char *constraint, struct repository *r,
                                  struct index_version **out) {
    struct repositories all;
    struct index *index = ARENA_NEW(&h->arena, struct index);
    TRY(repositories_load(&h->arena, h->settings.repository_config, &all));
    if (!find_repository(h, &all, repository, r)) return error_new("repository name (%s) not found", repository);
    cleanup_error struct error *none = index_load(&h->arena, repository_index_path(&h->arena, h->settings.repository_cache, r->name), index);
    if (none != NULL) return error_new("no cached repository for %s found. (try 'helm repo update'): %s", r->name, none->message);
    if (index_chart(index, name) == NULL) return error_new("%s chart not found in repo %s", name, repository);
    cleanup_error struct error *no_match = index_get(index, name, constraint, out);
    return no_match != NULL ? no_version(repository, name, constraint) : NULL;
}

struct error *helm_resolve_version(struct helm *h, const char *repository, const char *name, const char *constraint, const char **version) {
    struct repository r;
    struct index_version *v;
    if (registry_is_oci(repository)) return resolve_oci(h, repository, name, constraint, version);
    TRY(find_version(h, repository, name, constraint, &r, &v));
    *version = v->version;
    return NULL;
}

struct error *helm_download_dependency(struct helm *h, const struct dependency_options *how, const char *repository, const char *name,
                                       const char *version, const char *into) {
    struct chart_path_options o = {"", "", "", "", "", "", "", "", false, false, false, false};
    struct repository r = {.url = repository};
    struct index_version *v;
    const char *url = arena_printf(&h->arena, "%s/%s", repository, name), *file;
    bool oci = registry_is_oci(repository);
    if (!oci) {
        struct error *e = find_version(h, repository, name, version, &r, &v);
        if (e == NULL && v->urls[0] == NULL) e = error_new("chart \"%s\" has no downloadable URLs", name);
        if (e != NULL) return error_wrap(e, "could not find %s", "");
        url = url_resolve(&h->arena, r.url, v->urls[0]);
        o = (struct chart_path_options){"", "", "", r.username, r.password, r.cert_file, r.key_file, r.ca_file, false, r.insecure, false, r.pass_credentials};
    }
    struct web *w = web_new(&h->arena);
    struct download d = helm_download(h, &o, w);
    d.verify = how->verify;
    d.keyring = how->keyring;
    struct error *e = download_chart(&d, url, oci ? version : "", into, &file);
    web_free(w);
    return e != NULL ? error_wrap(e, "could not download %s", url) : NULL;
}
