/* Paths that are no resources: discovery, health, version, metrics, OpenID. */
#include "apiserver/aggregator.h"
#include "apiserver/auth.h"
#include "apiserver/paths.h"
#include "base/version.h"

struct error *page_not_found(struct request *r) { return answer_text(r, 404, "404 page not found\n"), NULL; }

static struct error *serve_version(struct request *r) {
    answer_json(r, 200, json_make(r->arena, "{'major':'1','minor':'35','emulationMajor':'1','emulationMinor':'35','minCompatibilityMajor':'1',"
                                            "'minCompatibilityMinor':'34','gitVersion':'" KUBERNETES_VERSION "','gitCommit':'coracle','gitTreeState':'clean',"
                                            "'buildDate':'2026-01-01T00:00:00Z','goVersion':'none','compiler':'cc','platform':'linux/amd64'}"));
    r->answer.no_transform = true;
    r->accept.media = MEDIA_JSON;
    return NULL;
}

static struct error *serve_metrics(struct request *r) {
    struct buf out = {0};
    metrics_write(r->server, &out);
    answer_text(r, 200, arena_strdup(r->arena, buf_str(&out)));
    r->answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    buf_free(&out);
    return NULL;
}

static struct error *serve_openid(struct request *r) {
    const char *issuer = r->server->config.issuer;
    const char *host = r->server->config.advertise_address ? r->server->config.advertise_address : "127.0.0.1";
    const char *jwks = arena_printf(r->arena, "https://%s:%d/openid/v1/jwks", host, r->server->config.secure_port);
    answer_json(r, 200, json_make(r->arena, "{'issuer':%s,'jwks_uri':%s,'response_types_supported':['id_token'],'subject_types_supported':['public'],"
                                            "'id_token_signing_alg_values_supported':['RS256','ES256']}", issuer, jwks));
    return NULL;
}

static struct error *serve_jwks(struct request *r) {
    const char *text = json_text(r->arena, service_account_jwks(r->server, r->arena));
    answer_text(r, 200, text);
    r->answer.content_type = "application/jwk-set+json";
    return NULL;
}

static const char *const root_paths[] = {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/healthz", "/healthz/etcd", "/healthz/log",
                                         "/healthz/ping", "/livez", "/livez/etcd", "/livez/log", "/livez/ping", "/metrics", "/openapi/v2", "/openapi/v3",
                                         "/openapi/v3/", "/openid/v1/jwks", "/readyz", "/readyz/etcd", "/readyz/log", "/readyz/ping", "/version", NULL};

static struct error *serve_root(struct request *r) {
    struct json_array paths = {.arena = r->arena};
    for (size_t i = 0; root_paths[i]; i++) json_array_add(&paths, json_string(r->arena, root_paths[i]));
    struct resource_list served = {0};
    served_resources(r->server, &served);
    const char *group = "", *version = "";
    for (size_t i = 0; i < served.len; i++) {
        const struct resource *res = served.items[i];
        if (!*res->group || (strcmp(group, res->group) == 0 && strcmp(version, res->version) == 0)) continue;
        if (strcmp(group, res->group) != 0) json_array_add(&paths, json_strf(r->arena, "/apis/%s", res->group));
        group = res->group, version = res->version;
        json_array_add(&paths, json_strf(r->arena, "/apis/%s/%s", group, version));
    }
    free(served.items);
    answer_json(r, 200, json_make(r->arena, "{'paths':%v}", json_array_done(&paths)));
    return NULL;
}

static bool get_only(const struct request *r) { return strcmp(r->method, "GET") == 0; }

static struct error *serve_apis_path(struct request *r) {
    if (r->part_count == 1) return serve_apis(r);
    if (r->part_count == 2) return serve_group(r, r->parts[1]);
    bool taken = false;
    TRY(aggregator_serve(r, r->parts[1], r->parts[2], &taken));
    return taken ? NULL : serve_group_version(r, r->parts[1], r->parts[2]);
}

static void start_hook(struct request *r) {
    struct path_hook *h = NULL;
    for (size_t i = 0; h == NULL && i < r->server->path_count; i++) {
        if (str_starts(r->path, r->server->paths[i].prefix)) h = &r->server->paths[i];
    }
    request_release(r);
    h->fn(r->x, h->arg);
}

static struct error *hooked(struct request *r, bool *taken) {
    for (size_t i = 0; i < r->server->path_count; i++) {
        if (!str_starts(r->path, r->server->paths[i].prefix)) continue;
        r->answer.start = start_hook;
        r->answer.code = 200;
        *taken = true;
    }
    return NULL;
}

struct error *serve_path(struct request *r) {
    const char *first = r->part_count ? r->parts[0] : "";
    bool taken = false;
    if (str_starts(r->path, "//")) return page_not_found(r);
    if (strcmp(first, "healthz") == 0 || strcmp(first, "livez") == 0 || strcmp(first, "readyz") == 0)
        return serve_health(r, r->path + 1 + strlen(first));
    TRY(hooked(r, &taken));
    if (taken) return NULL;
    if (strcmp(first, "api") == 0 && r->part_count == 1) return serve_api(r);
    if (strcmp(first, "api") == 0 && r->part_count == 2) return serve_group_version(r, "", r->parts[1]);
    if (strcmp(first, "apis") == 0 && r->part_count <= 3) return serve_apis_path(r);
    if (strcmp(first, "version") == 0 && r->part_count == 1) return get_only(r) ? serve_version(r) : method_refused();
    if (strcmp(first, "metrics") == 0 && r->part_count == 1) return serve_metrics(r);
    if (strcmp(r->path, "/openapi/v2") == 0) return serve_openapi_v2(r);
    if (str_starts(r->path, "/openapi/v3")) return serve_openapi_v3(r, r->path + strlen("/openapi/v3"));
    if (strcmp(r->path, "/.well-known/openid-configuration") == 0) return serve_openid(r);
    if (strcmp(r->path, "/openid/v1/jwks") == 0) return serve_jwks(r);
    if (r->part_count == 0) return serve_root(r);
    return page_not_found(r);
}
