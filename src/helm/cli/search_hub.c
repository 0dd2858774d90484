/* helm search hub */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/cli/output.h"
#include "helm/repo/url.h"
#include "helm/repo/web.h"
#include "json/json.h"

struct options {
    const char *endpoint;
    int64_t width;
    bool repositories, fail;
    enum helm_format format;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"endpoint", 0, HELM_STRING, AT(endpoint), "https://hub.helm.sh", NULL, "the hub to ask", NULL, false},
    {"max-col-width", 0, HELM_INT, AT(width), "50", NULL, "characters per column", "uint", false},
    {"list-repo-url", 0, HELM_BOOL, AT(repositories), NULL, NULL, "show the URLs of the repositories", NULL, false},
    {"fail-on-no-result", 0, HELM_BOOL, AT(fail), NULL, NULL, "nothing found is an error", NULL, false},
    {"output", 'o', HELM_FORMAT, AT(format), NULL, NULL, "table, json or yaml", NULL, false},
};
#undef AT

static struct error *ask(struct helm *h, const char *endpoint, const char *words, const struct json **out) {
    cleanup_buf struct buf query = {0}, answer = {0};
    struct url u;
    if (!url_parse(&h->arena, endpoint, &u) || u.host[0] == '\0')
        return error_new("unable to create connection to \"%s\": no hostname provided", endpoint);
    for (const char *p = words; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_.~", *p) != NULL;
        if (plain) buf_addc(&query, *p);
        else if (*p == ' ') buf_addc(&query, '+');
        else buf_printf(&query, "%%%02X", (unsigned char)*p);
    }
    const char *url = arena_printf(&h->arena, "%s?q=%s", url_join(&h->arena, endpoint, "api/chartsvc/v1/charts/search"), buf_str(&query));
    struct web *w = web_new(&h->arena);
    cleanup_error struct error *e = web_get(w, &(struct web_get){.url = url}, &answer);
    web_free(w);
    if (e != NULL) {
        helm_debug(h, "%s", e->message);
        return error_new("unable to perform search against \"%s\"", endpoint);
    }
    /* what is no JSON has no results, as helm takes it */
    cleanup_error struct error *bad = json_parse(&h->arena, buf_str(&answer), answer.len, NULL, NULL, out);
    if (bad != NULL) *out = &json_empty_object;
    return NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    struct arena *a = &h->arena;
    struct helm_table table = {.arena = a, .max_width = (size_t)o->width};
    struct json_array list = {.arena = a};
    const struct json *answer;
    cleanup_buf struct buf words = {0}, out = {0};
    for (size_t i = 0; i < argc; i++) buf_printf(&words, "%s%s", i > 0 ? " " : "", argv[i]);
    TRY(ask(h, o->endpoint, buf_str(&words), &answer));
    if (o->repositories) HELM_ROW(&table, "URL", "CHART VERSION", "APP VERSION", "DESCRIPTION", "REPO URL");
    else HELM_ROW(&table, "URL", "CHART VERSION", "APP VERSION", "DESCRIPTION");
    JSON_EACH(hit, json_get(answer, "data")) {
        const struct json *latest = json_get(hit, "relationships.latestChartVersion.data");
        const char *url = json_str_or(hit, "artifactHub.packageUrl", ""), *version = json_str_or(latest, "version", ""),
                   *app = json_str_or(latest, "app_version", ""), *description = json_str_or(hit, "attributes.description", ""),
                   *repository = json_str_or(hit, "attributes.repo.url", "");
        if (url[0] == '\0') url = arena_printf(a, "%s/charts/%s", o->endpoint, json_str_or(hit, "id", ""));
        if (o->repositories) HELM_ROW(&table, url, version, app, description, repository);
        else HELM_ROW(&table, url, version, app, description);
        json_array_add(&list, json_make(a, "{'url':%s,'version':%s,'app_version':%s,'description':%s,'repository':{'url':%s,'name':%s}}", url, version,
                                        app, description, repository, json_str_or(hit, "attributes.repo.name", "")));
    }
    const struct json *hits = json_array_done(&list);
    if (hits->len == 0 && o->fail) return error_new("no results found");
    if (o->format == HELM_JSON) helm_write_json(h->out, hits);
    else if (o->format == HELM_YAML) helm_write_yaml(h->out, hits);
    else if (hits->len == 0) buf_adds(&out, "No results found\n");
    else helm_table_write(&table, &out);
    fwrite(buf_str(&out), 1, out.len, h->out);
    return NULL;
}

const struct helm_command helm_search_hub = {
    .name = "hub",
    .arguments = "[KEYWORD]",
    .summary = "searches the Artifact Hub or another hub",
    .arity = HELM_ARGS_ANY,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
