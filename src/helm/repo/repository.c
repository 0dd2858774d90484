#include "helm/repo/repository.h"
#include "base/str.h"
#include "helm/go/os.h"
#include "helm/repo/url.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_TIME "0001-01-01T00:00:00Z"
enum { MAX_CONFIG = 64 << 20 };

/* ---- the list ---- */

struct error *repositories_load(struct arena *a, const char *path, struct repositories *out) {
    cleanup_buf struct buf text = {0};
    const struct json *v;
    *out = (struct repositories){.arena = a, .api_version = "", .generated = NO_TIME};
    if (access(path, F_OK) != 0 && errno == ENOENT) return NULL;
    struct error *e = go_read_file(path, MAX_CONFIG, &text);
    if (e) return error_wrap(e, "couldn't load repositories file (%s)", path);
    out->exists = true;
    if (text.len == 0) return NULL;
    e = yaml_parse(a, text.data, text.len, NULL, NULL, &v);
    if (e) return error_wrap(e, "error converting YAML to JSON");
    v = json_copy(a, v);
    const struct json *list = json_member(v, "repositories");
    out->api_version = json_str_or(v, "apiVersion", "");
    out->generated = json_str_or(v, "generated", NO_TIME);
    out->items = arena_calloc(a, json_len(list) + 1, sizeof(*out->items));
    JSON_EACH(r, list)
        out->items[out->count++] = (struct repository){
            .name = json_str_or(r, "name", ""), .url = json_str_or(r, "url", ""), .username = json_str_or(r, "username", ""),
            .password = json_str_or(r, "password", ""), .cert_file = json_str_or(r, "certFile", ""), .key_file = json_str_or(r, "keyFile", ""),
            .ca_file = json_str_or(r, "caFile", ""), .insecure = json_bool(r, "insecure_skip_tls_verify", false),
            .pass_credentials = json_bool(r, "pass_credentials_all", false)};
    return NULL;
}

static const struct json *repository_json(struct arena *a, const struct repository *r) {
    return json_make(a, "{'name':%s,'url':%s,'username':%s,'password':%s,'certFile':%s,'keyFile':%s,'caFile':%s,'insecure_skip_tls_verify':%b,"
                     "'pass_credentials_all':%b}", r->name, r->url, r->username, r->password, r->cert_file, r->key_file, r->ca_file, r->insecure,
                     r->pass_credentials);
}

struct error *repositories_save(const struct repositories *r, const char *path) {
    struct arena *a = r->arena;
    struct json_array list = {.arena = a};
    cleanup_buf struct buf text = {0};
    for (size_t i = 0; i < r->count; i++) json_array_add(&list, repository_json(a, &r->items[i]));
    yaml_encode(&text, json_make(a, "{'apiVersion':%s,'generated':%s,'repositories':%v}", r->api_version, r->generated, json_array_done(&list)));
    const char *slash = strrchr(path, '/');
    if (slash) TRY(go_mkdir_all(arena_strndup(a, path, (size_t)(slash - path))));
    return file_write_atomic(path, text.data, text.len, 0600);
}

struct repository *repositories_find(const struct repositories *r, const char *name) {
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].name, name) == 0) return &r->items[i];
    return NULL;
}

void repositories_set(struct repositories *r, const struct repository *one) {
    struct repository *have = repositories_find(r, one->name);
    if (!have) {
        r->items = arena_grow(r->arena, r->items, r->count * sizeof(*r->items), (r->count + 1) * sizeof(*r->items));
        have = &r->items[r->count++];
    }
    *have = *one;
}

bool repositories_remove(struct repositories *r, const char *name) {
    size_t kept = 0, before = r->count;
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].name, name) != 0) r->items[kept++] = r->items[i];
    r->count = kept;
    return kept < before;
}

bool repository_equal(const struct repository *a, const struct repository *b) {
    return str_eq(a->url, b->url) && str_eq(a->username, b->username) && str_eq(a->password, b->password) && str_eq(a->cert_file, b->cert_file) &&
           str_eq(a->key_file, b->key_file) && str_eq(a->ca_file, b->ca_file) && a->insecure == b->insecure &&
           a->pass_credentials == b->pass_credentials;
}

/* ---- the cache ---- */

const char *repository_index_path(struct arena *a, const char *cache, const char *name) { return arena_printf(a, "%s/%s-index.yaml", cache, name); }
const char *repository_charts_path(struct arena *a, const char *cache, const char *name) { return arena_printf(a, "%s/%s-charts.txt", cache, name); }

static struct web_tls tls_of(const struct repository *r) {
    return (struct web_tls){.ca_file = r->ca_file, .cert_file = r->cert_file, .key_file = r->key_file, .insecure = r->insecure};
}

static struct error *check_scheme(struct arena *a, const char *url) {
    struct url u;
    if (!url_parse(a, url, &u)) return error_new("invalid chart URL format: %s", url);
    if (str_in(u.scheme, (const char *const[]){"http", "https", "oci", NULL})) return NULL;
    return error_new("could not find protocol handler for: %s", u.scheme);
}

static struct error *fetch_index(struct web *w, struct arena *a, const struct repository *r, int64_t timeout, struct buf *text, struct index *out) {
    TRY(check_scheme(a, r->url));
    const char *url = url_resolve(a, r->url, "index.yaml");
    TRY(web_get(w, &(struct web_get){.url = url, .repository = r->url, .username = r->username, .password = r->password,
                                     .pass_credentials = r->pass_credentials, .tls = tls_of(r), .timeout = timeout}, text));
    return index_parse(a, arena_strndup(a, buf_str(text), text->len), text->len, r->url, out);
}

struct error *repository_update(struct web *w, struct arena *a, const struct repository *r, const char *cache, int64_t timeout) {
    cleanup_buf struct buf text = {0}, names = {0};
    struct index index;
    TRY(fetch_index(w, a, r, timeout, &text, &index));
    for (size_t i = 0; i < index.count; i++) buf_printf(&names, "%s\n", index.charts[i].name);
    TRY(go_mkdir_all(cache));
    TRY(go_write_file(repository_charts_path(a, cache, r->name), buf_str(&names), names.len));
    return go_write_file(repository_index_path(a, cache, r->name), buf_str(&text), text.len);
}

/* ---- charts ---- */

struct error *download_find(const struct download *d, const char *repo_url, const char *name, const char *version, const char **out) {
    struct arena *a = d->arena;
    const struct repository r = {.name = "", .url = repo_url, .username = d->username, .password = d->password, .cert_file = d->tls.cert_file,
                                 .key_file = d->tls.key_file, .ca_file = d->tls.ca_file, .insecure = d->tls.insecure,
                                 .pass_credentials = d->pass_credentials};
    cleanup_buf struct buf text = {0};
    struct index index;
    struct index_version *v;
    struct error *e = fetch_index(d->web, a, &r, 0, &text, &index);
    if (e) return strstr(e->message, "protocol handler") || strstr(e->message, "invalid chart URL")
                      ? e : error_wrap(e, "looks like \"%s\" is not a valid chart repository or cannot be reached", repo_url);
    const char *what = *version ? arena_printf(a, "chart \"%s\" version \"%s\"", name, version) : arena_printf(a, "chart \"%s\"", name);
    cleanup_error struct error *absent = index_get(&index, name, version, &v);
    if (absent) return error_new("%s not found in %s repository", what, repo_url);
    if (!v->urls[0]) return error_new("%s has no downloadable URLs", what);
    *out = url_resolve(a, repo_url, v->urls[0]);
    return *out ? NULL : error_new("failed to make chart URL absolute: failed to parse %s as URL", v->urls[0]);
}

/* What leads to a chart: where it is, and for whom credentials are. */
struct source {
    const char *url, *repository, *username, *password;
    bool pass_credentials;
    struct web_tls tls;
};

static void use_repository(struct source *s, const struct repository *r) {
    s->repository = r->url;
    if (*r->cert_file || *r->key_file || *r->ca_file) {
        s->tls.cert_file = r->cert_file;
        s->tls.key_file = r->key_file;
        s->tls.ca_file = r->ca_file;
    }
    s->tls.insecure |= r->insecure;
    if (!*r->username || !*r->password) return;
    s->username = r->username;
    s->password = r->password;
    s->pass_credentials = r->pass_credentials;
}

/* The repository whose index has that URL: it may have certificates of its own. */
static struct error *find_owner(const struct download *d, const struct repositories *all, const char *url, struct source *s) {
    for (size_t i = 0; i < all->count; i++) {
        cleanup_arena struct arena scratch = {0};
        struct index index;
        struct error *e = index_load(&scratch, repository_index_path(&scratch, d->cache, all->items[i].name), &index);
        if (e) return error_wrap(e, "no cached repo found. (try 'helm repo update')");
        for (size_t c = 0; c < index.count; c++)
            for (size_t v = 0; v < index.charts[c].count; v++)
                for (const char *const *u = index.charts[c].versions[v].urls; *u; u++)
                    if (url_equal(&scratch, url, *u)) {
                        use_repository(s, &all->items[i]);
                        return NULL;
                    }
    }
    return NULL;
}

static struct error *find_by_name(const struct download *d, const struct repositories *all, const char *reference, const char *version,
                                  struct source *s) {
    struct arena *a = d->arena;
    const char *slash = strchr(reference, '/');
    if (!slash) return error_new("non-absolute URLs should be in form of repo_name/path_to_chart, got: %s", reference);
    const char *name = arena_strndup(a, reference, (size_t)(slash - reference));
    const struct repository *r = repositories_find(all, name);
    struct index index;
    struct index_version *v;
    if (!r) return error_new("repo %s not found", name);
    if (!*r->url) return error_new("no URL found for repository %s", name);
    use_repository(s, r);
    struct error *e = index_load(a, repository_index_path(a, d->cache, name), &index);
    if (e) return error_wrap(e, "no cached repo found. (try 'helm repo update')");
    e = index_get(&index, slash + 1, version, &v);
    if (e) return error_wrap(e, "chart \"%s\" matching %s not found in %s index. (try 'helm repo update')", slash + 1, version, name);
    if (!v->urls[0]) return error_new("chart \"%s\" has no downloadable URLs", reference);
    s->url = url_resolve(a, r->url, v->urls[0]);
    return s->url ? NULL : error_new("invalid chart URL format: %s", reference);
}

static struct error *find_source(const struct download *d, const char *reference, const char *version, struct source *s) {
    struct repositories all;
    struct url u;
    *s = (struct source){.url = reference, .username = d->username, .password = d->password, .pass_credentials = d->pass_credentials, .tls = d->tls};
    if (!url_parse(d->arena, reference, &u)) return error_new("invalid chart URL format: %s", reference);
    TRY(repositories_load(d->arena, d->repository_config, &all));
    if (*u.scheme && *u.host && *u.path) return find_owner(d, &all, reference, s);
    return find_by_name(d, &all, reference, version, s);
}

static struct error *fetch(const struct download *d, const struct source *s, const char *suffix, struct buf *out) {
    return web_get(d->web, &(struct web_get){.url = arena_printf(d->arena, "%s%s", s->url, suffix), .repository = s->repository,
                                             .username = s->username, .password = s->password, .pass_credentials = s->pass_credentials,
                                             .accept = *suffix ? NULL : "application/gzip,application/octet-stream", .tls = s->tls}, out);
}

/* The provenance file of a chart that has been written to `file`, or what hindered it. `url` names it, `reference` is what was asked for. */
static struct error *keep_provenance(const struct download *d, const char *file, const char *url, const char *reference, struct error *hindered,
                                     const char *data, size_t len) {
    struct verification ignored;
    cleanup_error struct error *none = hindered;
    if (none && d->verify == VERIFY_ALWAYS) return error_new("failed to fetch provenance \"%s.prov\"", url);
    if (none) {
        fprintf(d->out, "WARNING: Verification not found for %s: %s\n", reference, none->message);
        return NULL;
    }
    TRY(file_write_atomic(arena_printf(d->arena, "%s.prov", file), data, len, 0644));
    return d->verify == VERIFY_LATER ? NULL : provenance_verify(d->arena, file, d->keyring, &ignored);
}

static struct error *download_oci(const struct download *d, const char *reference, const char *version, const char *dir, const char **file) {
    struct arena *a = d->arena;
    struct registry_pulled pulled;
    const char *complete;
    TRY(registry_resolve(d->registry, reference, version, &complete));
    TRY(registry_pull(d->registry, complete, true, false, &pulled));
    const char *base = strrchr(complete, '/') + 1, *colon = strrchr(base, ':');
    if (!colon) return error_new("%s has no tag", complete);
    const char *at = memchr(base, '@', (size_t)(colon - base));
    *file = arena_printf(a, "%s/%.*s-%s.tgz", dir, (int)((at ? at : colon) - base), base, colon + 1);
    TRY(file_write_atomic(*file, pulled.chart, pulled.chart_len, 0644));
    if (d->verify == VERIFY_NEVER) return NULL;
    struct error *none = registry_pull(d->registry, complete, false, true, &pulled);
    return keep_provenance(d, *file, complete, reference, none, pulled.prov, pulled.prov_len);
}

struct error *download_chart(const struct download *d, const char *reference, const char *version, const char *dir, const char **file) {
    struct arena *a = d->arena;
    struct source s;
    struct url u;
    cleanup_buf struct buf chart = {0}, prov = {0};
    if (registry_is_oci(reference)) return download_oci(d, reference, version, dir, file);
    TRY(find_source(d, reference, version, &s));
    if (registry_is_oci(s.url)) return download_oci(d, s.url, "", dir, file);
    TRY(fetch(d, &s, "", &chart));
    if (!url_parse(a, s.url, &u)) return error_new("invalid chart URL format: %s", s.url);
    const char *clean = path_clean(a, u.path), *slash = strrchr(clean, '/');
    *file = arena_printf(a, "%s/%s", dir, slash ? slash + 1 : clean);
    TRY(file_write_atomic(*file, buf_str(&chart), chart.len, 0644));
    if (d->verify == VERIFY_NEVER) return NULL;
    struct error *none = fetch(d, &s, ".prov", &prov);
    return keep_provenance(d, *file, s.url, reference, none, buf_str(&prov), prov.len);
}
