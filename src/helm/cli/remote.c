/* Charts and values from elsewhere: see remote.h. */
#include "helm/cli/remote.h"
#include "base/str.h"
#include "helm/go/os.h"
#include "helm/repo/repository.h"
#include "helm/repo/url.h"

struct download helm_download(struct helm *h, const struct chart_path_options *o, struct web *w) {
    const struct web_tls tls = {.ca_file = o->ca_file, .cert_file = o->cert_file, .key_file = o->key_file, .insecure = o->insecure_skip_tls_verify};
    const struct registry_options registry = {.web = w, .credentials_file = h->settings.registry_config, .username = o->username,
                                              .password = o->password, .tls = tls, .plain_http = o->plain_http, .out = h->err};
    return (struct download){.arena = &h->arena, .web = w, .registry = registry_new(&h->arena, &registry),
                             .repository_config = h->settings.repository_config, .cache = h->settings.repository_cache, .username = o->username,
                             .password = o->password, .pass_credentials = o->pass_credentials, .plain_http = o->plain_http, .tls = tls,
                             .verify = o->verify ? VERIFY_ALWAYS : VERIFY_NEVER, .keyring = o->keyring, .out = h->out};
}

/* With --repo credentials go to a chart elsewhere only if they may. */
static struct error *use_repo_url(struct download *d, const struct chart_path_options *o, const char **name) {
    struct url repo, chart;
    const char *url;
    TRY(download_find(d, o->repo, *name, o->version, &url));
    *name = url;
    if (!url_parse(d->arena, o->repo, &repo) || !url_parse(d->arena, url, &chart)) return error_new("invalid chart URL format: %s", url);
    if (!o->pass_credentials && !url_same_server(&repo, &chart)) d->username = d->password = "";
    return NULL;
}

static struct error *fetch_chart(struct download *d, const struct chart_path_options *o, const char *name, const char **path) {
    if (o->repo[0] != '\0') TRY(use_repo_url(d, o, &name));
    TRY(go_mkdir_all(d->cache));
    return download_chart(d, name, o->version, d->cache, path);
}

struct error *helm_fetch_chart(struct helm *h, const struct chart_path_options *o, const char *name, const char **path) {
    struct web *w = web_new(&h->arena);
    struct download d = helm_download(h, o, w);
    struct error *e = fetch_chart(&d, o, name, path);
    if (e == NULL) *path = helm_absolute_path(h, *path);
    web_free(w);
    return e;
}

struct error *helm_fetch_url(void *arg, const char *url, struct buf *out) {
    struct helm *h = arg;
    struct web *w = web_new(&h->arena);
    struct error *e = web_get(w, &(struct web_get){.url = url}, out);
    web_free(w);
    return e;
}

void helm_update_indexes(struct helm *h, struct web *w, const struct repository *list, size_t count, int64_t timeout, struct buf *failed) {
    for (size_t i = 0; i < count; i++) {
        const struct repository *r = &list[i];
        const char *shown = str_starts(r->name, "helm-manager-") ? r->url : r->name; /* not added: known by its URL */
        cleanup_error struct error *e = repository_update(w, &h->arena, r, h->settings.repository_cache, timeout);
        if (e == NULL) fprintf(h->out, "...Successfully got an update from the \"%s\" chart repository\n", shown);
        else if (shown == r->url) fprintf(h->out, "...Unable to get an update from the \"%s\" chart repository:\n\t%s\n", shown, e->message);
        else fprintf(h->out, "...Unable to get an update from the \"%s\" chart repository (%s):\n\t%s\n", shown, r->url, e->message);
        if (e != NULL) buf_printf(failed, "%s%s", failed->len > 0 ? " " : "", r->url);
    }
}
