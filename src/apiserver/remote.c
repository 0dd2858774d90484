#include "apiserver/remote.h"

#define MAX_CONFIGS 64

/* ---- TLS configurations ---- */

struct tls_cache {
    pthread_mutex_t lock; /* all below */
    struct map configs;
    char *cert, *key; /* the front proxy's, may be NULL */
};

static void drop(void *value) { tls_config_unref(value); }

struct tls_cache *tls_cache_new(const char *cert, const char *key) {
    struct tls_cache *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    tls_cache_renew(c, cert, key);
    return c;
}

void tls_cache_renew(struct tls_cache *c, const char *cert, const char *key) {
    pthread_mutex_lock(&c->lock);
    free(c->cert), free(c->key);
    c->cert = cert ? xstrdup(cert) : NULL, c->key = key ? xstrdup(key) : NULL;
    map_free(&c->configs, drop);
    c->configs = (struct map){0};
    pthread_mutex_unlock(&c->lock);
}

void tls_cache_free(struct tls_cache *c) {
    if (c == NULL) return;
    map_free(&c->configs, drop);
    pthread_mutex_destroy(&c->lock);
    free(c->cert), free(c->key);
    free(c);
}

static struct error *tls_for(struct apiserver *s, struct arena *a, const char *ca, bool insecure, bool identify, struct tls_config **out) {
    struct tls_cache *c = s->tls_cache;
    const char *key = arena_printf(a, "%d%d%s", insecure, identify, ca ? ca : "");
    struct error *e = NULL;
    pthread_mutex_lock(&c->lock);
    struct tls_options o = {.ca = ca, .insecure = insecure, .cert = identify ? c->cert : NULL, .key = identify ? c->key : NULL};
    struct tls_config *found = map_get(&c->configs, key);
    if (found == NULL && (e = tls_config_client(&o, &found)) == NULL) {
        if (c->configs.count >= MAX_CONFIGS) map_free(&c->configs, drop), c->configs = (struct map){0};
        map_set(&c->configs, key, found);
    }
    if (e == NULL) *out = tls_config_ref(found);
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* ---- services ---- */

static const struct json *port_of(const struct json *service, int64_t number) {
    JSON_EACH(p, json_get(service, "spec.ports")) {
        if (json_int(p, "port", 0) == number) return p;
    }
    return NULL;
}

/* A ready address of the service's port: aggregator's ResolveEndpoint. */
static struct error *resolve_service(struct apiserver *s, struct arena *a, const char *ns, const char *name, int64_t port, struct net_target *out) {
    cleanup_doc struct doc *service = registry_get(s, &resource_services, ns, name), *endpoints = registry_get(s, &resource_endpoints, ns, name);
    if (service == NULL) return error_new("service \"%s\" not found", name);
    if (json_str_is(service->root, "spec.type", "ExternalName")) {
        *out = (struct net_target){.host = arena_strdup(a, json_str_or(service->root, "spec.externalName", "")), .port = (int)port};
        return NULL;
    }
    const struct json *wanted = port_of(service->root, port);
    if (wanted == NULL) return error_new("no service port %lld found for service \"%s\"", (long long)port, name);
    const struct json *subsets = endpoints ? json_member(endpoints->root, "subsets") : NULL;
    unsigned seed;
    random_bytes(&seed, sizeof(seed));
    JSON_EACH(subset, subsets) {
        const struct json *addresses = json_member(subset, "addresses");
        if (json_len(addresses) == 0) continue;
        JSON_EACH(p, json_member(subset, "ports")) {
            if (!str_eq(json_str_or(p, "name", ""), json_str_or(wanted, "name", ""))) continue;
            const char *ip = json_str_or(json_at(addresses, seed % json_len(addresses)), "ip", "");
            *out = (struct net_target){.host = arena_strdup(a, ip), .port = (int)json_int(p, "port", 0)};
            return NULL;
        }
    }
    return error_new("no endpoints available for service \"%s\"", name);
}

static struct error *split_url(struct arena *a, const char *url, struct remote *out) {
    if (url == NULL || !str_starts(url, "https://")) return error_new("invalid URL \"%s\"", url ? url : "");
    const char *host = url + strlen("https://");
    size_t n = strcspn(host, "/?#");
    out->host = arena_strndup(a, host, n);
    out->path = host[n] ? arena_strdup(a, host + n) : "/";
    const char *colon = strrchr(out->host, ':'), *bracket = strchr(out->host, ']');
    bool has_port = colon && (bracket == NULL || colon > bracket);
    size_t len = has_port ? (size_t)(colon - out->host) : n;
    out->target.port = has_port ? atoi(colon + 1) : 443;
    out->target.host = bracket ? arena_strndup(a, out->host + 1, (size_t)(bracket - out->host) - 1) : arena_strndup(a, out->host, len);
    return NULL;
}

struct error *remote_resolve(struct apiserver *s, struct arena *a, const struct json *config, bool identify, struct remote *out) {
    const struct json *service = json_member(config, "service");
    const char *bundle = json_str_or(config, "caBundle", ""), *path = json_str_or(service, "path", "");
    *out = (struct remote){.path = "/"};
    if (service) {
        const char *ns = json_str_or(service, "namespace", ""), *name = json_str_or(service, "name", "");
        int64_t port = json_int(service, "port", 443);
        out->host = arena_printf(a, "%s.%s.svc:%lld", name, ns, (long long)port);
        out->path = arena_printf(a, "%s%s", *path == '/' ? "" : "/", path);
        TRY(resolve_service(s, a, ns, name, port, &out->target));
        out->target.server_name = arena_printf(a, "%s.%s.svc", name, ns);
    } else {
        TRY(split_url(a, json_str(config, "url"), out));
    }
    char *ca = NULL;
    size_t len;
    if (*bundle && !base64_decode(a, bundle, strlen(bundle), &ca, &len)) return error_new("caBundle is not base64");
    return tls_for(s, a, ca ? arena_strndup(a, ca, len) : NULL, json_bool(config, "insecureSkipTLSVerify", false), identify, &out->target.tls);
}

void remote_release(struct remote *m) { tls_config_unref(m->target.tls); }

/* ---- calls ---- */

static const struct { int status; const char *text; } refusals[] = {
    {400, "the server rejected our request for an unknown reason"},
    {401, "the server has asked for the client to provide credentials"},
    {404, "the server could not find the requested resource"},
    {405, "the server does not allow this method on the requested resource"},
    {409, "the server reported a conflict"},
    {422, "the server rejected our request due to an error in our request"},
    {429, "the server has received too many requests and has asked us to try again later"},
    {503, "the server is currently unable to handle the request"},
    {504, "the server was unable to return a response in the time allotted, but may still be processing the request"},
};

const char *remote_refusal(struct arena *a, int status, const char *text) {
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].status == status) return refusals[i].text;
    }
    if (status == 403) return text;
    if (status >= 500) return arena_printf(a, "an error on the server (%s) has prevented the request from succeeding", status_quote(a, *text ? text : "unknown"));
    return arena_printf(a, "the server responded with the status code %d but did not return more information", status);
}

struct error *remote_post(struct apiserver *s, struct arena *a, const struct json *config, const char *query, const struct json *body,
                          int64_t timeout, const struct json **out) {
    CLEANUP(remote_release) struct remote m = {0};
    struct error *unresolved = remote_resolve(s, a, config, false, &m);
    if (unresolved) return json_member(config, "service") ? error_wrap(unresolved, "Post \"https://%s%s%s\"", m.host, m.path, query) : unresolved;
    if (s->client == NULL) return error_new("this server makes no calls");
    static const struct http_header headers[] = {{"accept", "application/json, */*"}, {"content-type", "application/json"}, {"user-agent", "kube-apiserver-admission"}};
    const char *text = json_text(a, body);
    struct http_request q = {.target = m.target, .method = "POST", .path = arena_printf(a, "%s%s", m.path, query), .host = m.host, .headers = headers,
                             .header_count = ARRAY_LEN(headers), .body = text, .body_len = strlen(text), .total_timeout = timeout};
    struct http_answer answer;
    TRY(http_fetch(s->client, a, &q, 0, &answer));
    struct error *e = json_parse(a, answer.body, answer.body_len, NULL, NULL, out);
    if (answer.status < 200 || answer.status > 206) {
        const char *said = e == NULL && json_str_is(*out, "kind", "Status") ? json_str(*out, "message") : NULL;
        error_free(e);
        while (answer.body_len > 0 && strchr(" \n\r\t", answer.body[answer.body_len - 1])) answer.body_len--;
        return error_new("%s", said ? said : remote_refusal(a, answer.status, arena_strndup(a, answer.body, answer.body_len)));
    }
    return e ? error_wrap(e, "couldn't get version/kind; json parse error") : NULL;
}
