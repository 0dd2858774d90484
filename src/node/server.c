#include "node/server.h"
#include "base/log.h"
#include "base/worker.h"
#include "net/remotecommand.h"
#include "node/pods.h"
#include <poll.h>

#define LOG_COMPONENT "kubelet"
#define MAX_PENDING (1 << 20) /* bytes that a slow reader may have outstanding */

struct kubelet_server {
    struct node *node;
    struct http_server *http;
    struct tls_config *tls;
    struct worker_pool *pool;
};

/* What a path asks for, and the nodes/... subresource that its caller must have. */
static const struct route {
    const char *prefix, *subresource;
    kubelet_handler *handler;
} routes[] = {
    {"/containerLogs/", "log", serve_logs}, {"/exec/", "proxy", serve_exec}, {"/attach/", "proxy", serve_attach},
    {"/portForward/", "proxy", serve_port_forward}, {"/run/", "proxy", serve_run}, {"/pods", "pods", serve_pods},
    {"/runningpods", "proxy", serve_running_pods}, {"/stats/summary", "stats", serve_stats}, {"/metrics/resource", "metrics", serve_metrics_resource},
    {"/metrics/cadvisor", "metrics", serve_metrics_resource}, {"/metrics/probes", "metrics", serve_metrics_probes},
    {"/metrics", "metrics", serve_metrics}, {"/configz", "configz", serve_configz}, {"/healthz", "healthz", serve_kubelet_health},
};

/* ---- query ---- */

const struct json *request_query_all(struct kubelet_request *r, const char *name) {
    struct json_array out = {.arena = r->arena};
    size_t count;
    char **pairs = str_split(r->arena, r->x->query, '&', &count);
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(pairs[i], '='), *value;
        size_t n = equals ? (size_t)(equals - pairs[i]) : strlen(pairs[i]);
        if (n != strlen(name) || strncmp(pairs[i], name, n) != 0) continue;
        if (url_decode(r->arena, equals ? equals + 1 : "", equals ? strlen(equals + 1) : 0, true, &value)) json_array_add(&out, json_string(r->arena, value));
    }
    return json_array_done(&out);
}

const char *request_query(struct kubelet_request *r, const char *name) { return json_str(json_at(request_query_all(r, name), 0), NULL); }

/* ---- answering from a worker ---- */

struct answer {
    struct kubelet_request *r;
    int status;
    const char *type;
    char *data;
    size_t len;
    bool portforward;
};

static void post(struct kubelet_request *r, void (*fn)(void *arg), const struct answer *a) {
    struct answer *copy = xmemdup(a, sizeof(*a));
    copy->r = r;
    loop_post(r->x->loop, fn, copy);
}

static void finish(struct kubelet_request *r) {
    r->x->user = NULL;
    r->x->on_close = NULL;
    arena_free(&r->memory);
    free(r);
}

static void do_reply(void *arg) {
    struct answer *a = arg;
    struct http_exchange *x = a->r->x;
    struct http_header h[] = {{"content-type", a->type}};
    finish(a->r);
    http_reply(x, a->status, h, 1, a->data, a->len, NULL, NULL);
    free(a->data), free(a);
}

void request_reply(struct kubelet_request *r, int status, const char *type, const char *text, size_t len) {
    post(r, do_reply, &(struct answer){.status = status, .type = type, .data = xmemdup(text, len + 1), .len = len});
}

void request_fail(struct kubelet_request *r, int status, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(r->arena, fmt, args);
    va_end(args);
    request_reply(r, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void do_begin(void *arg) {
    struct answer *a = arg;
    struct http_header h[] = {{"content-type", a->type}};
    http_begin(a->r->x, 200, h, 1);
    free(a);
}

void request_begin(struct kubelet_request *r, const char *type) { post(r, do_begin, &(struct answer){.type = type}); }

static void do_write(void *arg) {
    struct answer *a = arg;
    if (!a->r->closed) http_write(a->r->x, a->data, a->len, NULL, NULL);
    a->r->pending = (int64_t)http_pending(a->r->x);
    free(a->data), free(a);
}

static void do_look(void *arg) {
    struct answer *a = arg;
    a->r->pending = (int64_t)http_pending(a->r->x);
    free(a);
}

bool request_write(struct kubelet_request *r, const void *p, size_t n) {
    r->pending += (int64_t)n;
    post(r, do_write, &(struct answer){.data = xmemdup(p, n), .len = n});
    while (r->pending > MAX_PENDING && !r->closed) {
        poll(NULL, 0, 20);
        post(r, do_look, &(struct answer){0});
    }
    return !r->closed;
}

static void do_end(void *arg) {
    struct answer *a = arg;
    struct http_exchange *x = a->r->x;
    finish(a->r);
    http_end(x);
    free(a);
}

void request_end(struct kubelet_request *r) { post(r, do_end, &(struct answer){0}); }

static bool is_on(struct kubelet_request *r, const char *kubelet_name, const char *api_name) {
    const char *v = request_query(r, kubelet_name);
    if (!v) v = request_query(r, api_name);
    return v && (str_eq(v, "1") || str_eq(v, "true"));
}

static void do_stream(void *arg) {
    struct answer *a = arg;
    struct kubelet_request *r = a->r;
    struct remotecommand c = {.url = a->data, .portforward = a->portforward, .in = is_on(r, "input", "stdin"), .out = is_on(r, "output", "stdout"),
                              .err = is_on(r, "error", "stderr"), .tty = is_on(r, "tty", "tty")};
    struct http_exchange *x = r->x;
    struct http_client *client = r->node->http;
    finish(r);
    remotecommand_serve(x, client, &c);
    free(a->data), free(a);
}

void request_stream(struct kubelet_request *r, const char *url, bool portforward) {
    post(r, do_stream, &(struct answer){.data = xstrdup(url), .portforward = portforward});
}

/* ---- who may ---- */

static const char *verb_of(const char *method) {
    if (str_eq(method, "POST")) return "create";
    if (str_eq(method, "PUT")) return "update";
    if (str_eq(method, "DELETE")) return "delete";
    return str_eq(method, "PATCH") ? "patch" : "get";
}

static bool asks_api_server(struct kubelet_request *r, const char *subresource) {
    const struct http_peer *peer = r->x->peer;
    struct json_array groups = {.arena = r->arena};
    for (const char *const *o = peer->organizations; o && *o; o++) json_array_add(&groups, json_string(r->arena, *o));
    json_array_add(&groups, json_string(r->arena, "system:authenticated"));
    const struct json *review = json_make(r->arena, "{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','spec':{'user':%s,'groups':%v,"
        "'resourceAttributes':{'verb':%s,'version':'v1','resource':'nodes','subresource':%s,'name':%s}}}",
        peer->common_name, json_array_done(&groups), verb_of(r->x->method), subresource, r->node->config.name);
    cleanup_doc struct doc *answer = NULL;
    struct error *e = client_create(r->node->client, &resource_authorization_subjectaccessreviews, NULL, review, &answer);
    if (e) log_warn("asking whether %s may use nodes/%s: %s", peer->common_name, subresource, e->message);
    error_free(e);
    return answer && json_bool(answer->root, "status.allowed", false);
}

static bool is_master(const struct http_peer *peer) {
    for (const char *const *o = peer->organizations; o && *o; o++)
        if (str_eq(*o, "system:masters")) return true;
    return false;
}

/* ---- the way in ---- */

static void run(void *arg) {
    struct kubelet_request *r = arg;
    const struct route *route = NULL;
    for (size_t i = 0; i < ARRAY_LEN(routes) && !route; i++) {
        size_t n = strlen(routes[i].prefix);
        bool whole = routes[i].prefix[n - 1] != '/';
        if (strncmp(r->x->path, routes[i].prefix, n) == 0 && (!whole || !r->x->path[n] || r->x->path[n] == '/')) route = &routes[i];
    }
    if (!route) {
        request_fail(r, 404, "404 page not found");
        return;
    }
    if (!is_master(r->x->peer) && !asks_api_server(r, route->subresource)) {
        request_fail(r, 403, "Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=[%s])", r->x->peer->common_name, verb_of(r->x->method), route->subresource);
        return;
    }
    size_t count;
    char **parts = str_split(r->arena, r->x->path + strlen(route->prefix), '/', &count);
    for (size_t i = 0; i < count; i++)
        if (!url_decode(r->arena, parts[i], strlen(parts[i]), false, &parts[i])) parts[i] = arena_strdup(r->arena, "");
    r->path = parts, r->path_len = count;
    route->handler(r);
}

static void on_close(struct http_exchange *x) {
    struct kubelet_request *r = x->user;
    if (r) r->closed = true;
}

static void handle(struct http_exchange *x, void *arg) {
    struct kubelet_server *s = arg;
    static const char unauthorized[] = "Unauthorized";
    if (str_eq(x->path, "/healthz") && !(x->peer && x->peer->common_name)) { /* health needs no name */
        http_reply(x, 200, NULL, 0, "ok", 2, NULL, NULL);
        return;
    }
    if (!x->peer || !x->peer->common_name || !*x->peer->common_name) {
        http_reply(x, 401, NULL, 0, unauthorized, sizeof(unauthorized) - 1, NULL, NULL);
        return;
    }
    struct kubelet_request *r = xcalloc(1, sizeof(*r));
    r->server = s, r->node = s->node, r->x = x, r->arena = &r->memory;
    x->user = r;
    x->on_close = on_close;
    worker_submit(s->pool, run, r);
}

static struct tls_options tls_options(const struct node *n, const char *cert, const char *key) {
    return (struct tls_options){.cert = cert, .key = key, .ca = n->config.client_ca, .alpn = "h2,http/1.1"};
}

struct error *kubelet_server_renew(struct kubelet_server *s, const char *cert, const char *key) {
    struct tls_options o = tls_options(s->node, cert, key);
    return tls_config_reload(s->tls, &o);
}

struct error *kubelet_server_start(struct node *n, struct kubelet_server **out) {
    struct tls_options o = tls_options(n, n->config.tls_cert, n->config.tls_key);
    struct tls_config *tls;
    TRY(tls_config_server(&o, &tls));
    struct kubelet_server *s = xcalloc(1, sizeof(*s));
    s->node = n, s->tls = tls;
    s->pool = worker_pool_new("kubelet", 256);
    struct http_server_config c = {.address = n->config.bind_address, .port = n->config.port, .tls = tls, .max_body = 3 << 20, .handler = handle, .arg = s};
    struct error *e = http_server_start(&c, &n->config.loop, 1, &s->http);
    if (!e) *out = s;
    else kubelet_server_stop(s);
    return e;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
};

static void on_stopped(void *arg) {
    struct waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void kubelet_server_stop(struct kubelet_server *s) {
    if (!s) return;
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    if (s->http) http_server_stop(s->http, SECONDS(1), on_stopped, &w);
    pthread_mutex_lock(&w.lock);
    while (s->http && !w.done) pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    worker_pool_close(s->pool);
    tls_config_unref(s->tls);
    free(s);
}

struct pod_worker *request_pod(struct kubelet_request *r) {
    struct pod_worker *w = r->path_len >= 2 ? pods_find_name(r->node, r->path[0], r->path[1]) : NULL;
    if (!w) request_fail(r, 404, "pod \"%s\" not found", r->path_len >= 2 ? r->path[1] : "");
    return w;
}
