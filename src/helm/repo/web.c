#include "helm/repo/web.h"
#include "base/str.h"
#include "helm/go/os.h"
#include "helm/repo/url.h"
#include "net/proxy.h"

#define USER_AGENT "Helm/3.19.2"
enum { MAX_REDIRECTS = 10, MAX_BODY = 512 << 20, MAX_PEM = 1 << 20 };

/* A TLS configuration per set of files: connections are kept by it. */
struct tls_entry {
    struct tls_entry *next;
    const char *key;
    struct tls_config *config;
};
struct web {
    struct arena *arena;
    struct loop *loop;
    struct http_client *client;
    struct tls_entry *tls;
};

struct web *web_new(struct arena *a) {
    struct web *w = ARENA_NEW(a, struct web);
    w->arena = a;
    return w;
}

void web_free(struct web *w) {
    if (!w->loop) return;
    http_client_close(w->client);
    loop_stop(w->loop);
    for (struct tls_entry *e = w->tls; e; e = e->next) tls_config_unref(e->config);
    w->loop = NULL;
}

static void start(struct web *w) {
    if (w->loop) return;
    w->loop = loop_new("web");
    w->client = http_client_new(w->loop);
}

const char *web_basic_auth(struct arena *a, const char *user, const char *password) {
    cleanup_buf struct buf coded = {0};
    const char *pair = arena_printf(a, "%s:%s", user, password);
    base64_encode(&coded, pair, strlen(pair));
    return arena_printf(a, "Basic %s", buf_str(&coded));
}

/* ---- certificates ---- */

static const char *or_empty(const char *s) { return s ? s : ""; }

static struct error *read_pem(struct web *w, const char *file, const char **out) {
    cleanup_buf struct buf text = {0};
    *out = NULL;
    if (!file || !*file) return NULL;
    TRY(go_read_file(file, MAX_PEM, &text));
    *out = arena_strdup(w->arena, buf_str(&text));
    return NULL;
}

static struct error *make_tls(struct web *w, const struct web_tls *t, struct tls_config **out) {
    struct tls_options o = {.insecure = t->insecure};
    struct error *e = NULL;
    if (*or_empty(t->cert_file) && *or_empty(t->key_file)) {
        e = read_pem(w, t->cert_file, &o.cert);
        if (!e) e = read_pem(w, t->key_file, &o.key);
        if (e) return error_wrap(e, "can't load key pair from cert %s and key %s", t->cert_file, t->key_file);
    }
    if ((e = read_pem(w, t->ca_file, &o.ca)) != NULL) return error_wrap(e, "can't read CA file: %s", t->ca_file);
    return tls_config_client(&o, out);
}

static struct error *tls_for(struct web *w, const struct web_tls *t, struct tls_config **out) {
    const char *key = arena_printf(w->arena, "%s|%s|%s|%d", or_empty(t->ca_file), or_empty(t->cert_file), or_empty(t->key_file), t->insecure);
    for (struct tls_entry *e = w->tls; e; e = e->next)
        if (strcmp(e->key, key) == 0) {
            *out = e->config;
            return NULL;
        }
    struct tls_entry *entry = ARENA_NEW(w->arena, struct tls_entry);
    struct error *e = make_tls(w, t, &entry->config);
    if (e) return error_wrap(e, "can't create TLS config for client");
    entry->key = key;
    entry->next = w->tls;
    w->tls = entry;
    *out = entry->config;
    return NULL;
}

/* ---- requests ---- */

static struct error *fetch_once(struct web *w, const struct web_request *r, const struct url *u, const struct http_header *headers,
                                size_t header_count, struct http_answer *out) {
    struct http_request request = {.method = r->method, .headers = headers, .header_count = header_count, .body = r->body,
                                   .body_len = r->body_len, .host = u->host,
                                   .total_timeout = r->timeout ? r->timeout : SECONDS(120)};
    bool secure = strcmp(u->scheme, "https") == 0;
    if (!secure && strcmp(u->scheme, "http") != 0) return error_new("scheme \"%s\" not supported", u->scheme);
    if (secure) TRY(tls_for(w, &r->tls, &request.target.tls));
    request.target.host = url_host_name(w->arena, u, &request.target.port);
    request.path = arena_printf(w->arena, "%s%s%s%s", *u->path == '/' ? "" : "/", u->path, u->query ? "?" : "", u->query ? u->query : "");
    TRY(proxy_from_environment(w->arena, &request.target));
    return http_fetch(w->client, w->arena, &request, MAX_BODY, out);
}

static bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

/* Headers for a server: those given, without what is not for it. */
static const struct http_header *headers_for(struct web *w, const struct web_request *r, bool trusted, size_t *count) {
    struct http_header *out = arena_calloc(w->arena, r->header_count + 1, sizeof(*out));
    *count = 0;
    out[(*count)++] = (struct http_header){"user-agent", USER_AGENT};
    for (size_t i = 0; i < r->header_count; i++)
        if (trusted || strcmp(r->headers[i].name, "authorization") != 0) out[(*count)++] = r->headers[i];
    return out;
}

struct error *web_fetch(struct web *w, const struct web_request *given, struct http_answer *out) {
    struct web_request r = *given;
    struct url first, u;
    start(w);
    if (!url_parse(w->arena, r.url, &u)) return error_new("parse \"%s\": invalid URL", r.url);
    first = u;
    for (int redirects = 0;; redirects++) {
        size_t count;
        const struct http_header *headers = headers_for(w, &r, strcmp(first.host, u.host) == 0, &count);
        TRY(fetch_once(w, &r, &u, headers, count, out));
        const char *location = http_answer_header(out, "location");
        if (!is_redirect(out->status) || !location) return NULL;
        if (redirects == MAX_REDIRECTS) return error_new("Get \"%s\": stopped after 10 redirects", location);
        struct url next;
        if (!url_parse(w->arena, location, &next)) return error_new("failed to parse Location header \"%s\"", location);
        if (!*next.scheme) {
            if (*next.host) u.host = next.host;
            u.path = *next.path == '/' || *next.host ? next.path
                                                     : path_join(w->arena, arena_strndup(w->arena, u.path, (size_t)(strrchr(u.path, '/') - u.path)), next.path);
            u.query = next.query;
        } else u = next;
        if (out->status < 307 && r.method && strcmp(r.method, "HEAD") != 0) { /* as browsers do: the body stays behind */
            r.method = NULL;
            r.body_len = 0;
        }
    }
}

struct error *web_get(struct web *w, const struct web_get *g, struct buf *out) {
    struct url u, owner;
    struct http_answer answer;
    struct http_header headers[2];
    size_t n = 0;
    if (!url_parse(w->arena, g->repository ? g->repository : g->url, &owner)) return error_new("Unable to parse getter URL: parse \"%s\": invalid URL", g->repository);
    if (!url_parse(w->arena, g->url, &u)) return error_new("Unable to parse URL getting from: parse \"%s\": invalid URL", g->url);
    bool credentials = *or_empty(g->username) && *or_empty(g->password);
    if (g->accept) headers[n++] = (struct http_header){"accept", g->accept};
    if (credentials && (g->pass_credentials || url_same_server(&u, &owner)))
        headers[n++] = (struct http_header){"authorization", web_basic_auth(w->arena, g->username, g->password)};
    TRY(web_fetch(w, &(struct web_request){.url = g->url, .headers = headers, .header_count = n, .tls = g->tls, .timeout = g->timeout}, &answer));
    if (answer.status != 200) return error_new("failed to fetch %s : %d %s", g->url, answer.status, answer.reason);
    buf_add(out, answer.body, answer.body_len);
    return NULL;
}
