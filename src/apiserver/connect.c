/* pods/log, exec, attach and portforward: what the node agent's kubelet API answers, streamed (pkg/registry/core/pod/rest). */
#include "apiserver/connect.h"
#include "apiserver/auth.h"
#include "apiserver/remote.h"
#include "apiserver/webhooks.h"
#include "net/websocket_answer.h"

#define MAX_LOOPS 64

/* ---- clients ---- */

struct connector {
    pthread_mutex_t lock; /* everything below */
    struct http_client *clients[MAX_LOOPS]; /* one for each loop that has proxied */
    size_t count;
    struct tls_config *unverified;
};

struct connector *connector_new(void) {
    struct connector *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void connector_free(struct connector *c) {
    if (c == NULL) return;
    for (size_t i = 0; i < c->count; i++) http_client_close(c->clients[i]);
    tls_config_unref(c->unverified);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct http_client *client_of(struct connector *c, struct loop *l) {
    struct http_client *found = NULL;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count && found == NULL; i++) {
        if (http_client_loop(c->clients[i]) == l) found = c->clients[i];
    }
    if (found == NULL && c->count < MAX_LOOPS) found = c->clients[c->count++] = http_client_new(l);
    pthread_mutex_unlock(&c->lock);
    return found;
}

static struct error *unverified(struct connector *c, struct tls_config **out) {
    struct error *e = NULL;
    pthread_mutex_lock(&c->lock);
    if (c->unverified == NULL) e = tls_config_client(&(struct tls_options){.insecure = true}, &c->unverified);
    *out = c->unverified;
    pthread_mutex_unlock(&c->lock);
    return e;
}

struct error *connect_target(struct request *r, const char *scheme, const char *host, int port, struct net_target *out) {
    bool tls = strcmp(scheme, "https") == 0;
    *out = (struct net_target){.host = host, .port = port > 0 ? port : tls ? 443 : 80};
    return tls ? unverified(r->server->connector, &out->tls) : NULL;
}

/* ---- handing the exchange over ---- */

/* What was for this server, and what only a front proxy may say. */
static void hide_credentials(struct http_exchange *x) {
    struct http_header *kept = arena_calloc(&x->arena, x->header_count + 1, sizeof(*kept));
    size_t n = 0;
    for (size_t i = 0; i < x->header_count; i++) {
        const char *name = x->headers[i].name;
        if (strcmp(name, "authorization") != 0 && !str_starts(name, "impersonate-") && !str_starts(name, "x-remote-")) kept[n++] = x->headers[i];
    }
    x->headers = kept, x->header_count = n;
}

static void failed(struct http_exchange *x, const struct error *e, void *arg) {
    (void)x;
    respond_error(arg, e);
}

static void start(struct request *r) {
    const struct http_proxy *p = r->answer.start_arg;
    struct http_client *client = client_of(r->server->connector, r->x->loop);
    struct tls_config *tls = TAKE(r->answer.tls);
    hide_credentials(r->x);
    request_release(r);
    if (client) http_proxy_serve(r->x, client, p);
    else respond_error(r, &(struct error){.code = 500, .reason = (char[]){"InternalError"}, .message = (char[]){"too many event loops"}});
    tls_config_unref(tls);
}

struct error *connect_answer(struct request *r, const struct http_proxy *p) {
    struct http_proxy *copy = arena_dup(r->arena, p, sizeof(*p));
    if (copy->failed == NULL) copy->failed = failed;
    copy->arg = r;
    r->answer.code = 200;
    r->answer.start = start;
    r->answer.start_arg = copy;
    return NULL;
}

/* ---- options: metav1's conversions from URL values ---- */

static bool flag(const struct request *r, const char *key) {
    const char *v = query_get(r, key);
    return v && strcasecmp(v, "false") != 0 && strcmp(v, "0") != 0;
}

static void add_param(struct buf *b, const char *key, const char *value) {
    buf_addc(b, b->len ? '&' : '?');
    buf_adds(b, key);
    buf_addc(b, '=');
    url_encode(b, value);
}

static struct error *number(const struct request *r, const char *key, bool *given, int64_t *out) {
    const char *v = query_get(r, key);
    *given = v != NULL;
    if (v == NULL || str_to_int64(v, out)) return NULL;
    const char *digits = v + (*v == '-' || *v == '+');
    bool range = *digits && strspn(digits, "0123456789") == strlen(digits);
    return status_bad_request("strconv.ParseInt: parsing %s: %s", status_quote(r->arena, v), range ? "value out of range" : "invalid syntax");
}

static struct error *copy_number(struct request *r, const char *key, int64_t least, struct field_errors *e, struct buf *query, bool *given) {
    int64_t n = 0;
    TRY(number(r, key, given, &n));
    if (!*given) return NULL;
    if (n < least) field_invalid_int(e, FIELD(NULL, key), n, "%s", least ? "must be greater than 0" : "must be greater than or equal to 0");
    add_param(query, key, arena_printf(r->arena, "%lld", (long long)n));
    return NULL;
}

/* ValidatePodLogOptions; the query that the kubelet gets. */
static struct error *log_options(struct request *r, struct buf *query) {
    static const char *const flags[] = {"follow", "previous", "timestamps"};
    struct field_errors e = {.arena = r->arena};
    const char *time = query_get(r, "sinceTime");
    int64_t wall;
    bool given, seconds;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (flag(r, flags[i])) add_param(query, flags[i], "true");
    }
    if (time && *time && !time_parse(time, &wall))
        return status_bad_request("parsing time %s as \"2006-01-02T15:04:05Z07:00\": cannot parse %s as \"2006\"", status_quote(r->arena, time), status_quote(r->arena, time));
    TRY(copy_number(r, "tailLines", 0, &e, query, &given));
    TRY(copy_number(r, "limitBytes", 1, &e, query, &given));
    struct field_errors since = {.arena = r->arena};
    TRY(copy_number(r, "sinceSeconds", 1, &since, query, &seconds));
    if (time && *time) add_param(query, "sinceTime", time);
    if (time && *time && seconds) field_forbidden(&e, FIELD(NULL, ""), "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (since.len) field_invalid_int(&e, FIELD(NULL, "sinceSeconds"), strtoll(query_get(r, "sinceSeconds"), NULL, 10), "must be greater than 0");
    if (query_get(r, "stream")) field_forbidden(&e, FIELD(NULL, "stream"), "may not be specified");
    return field_errors_status(&e, "", "PodLogOptions", r->name);
}

/* ---- where to ---- */

static const char *const container_lists[] = {"initContainers", "containers", "ephemeralContainers"};

static struct error *choose_container(struct request *r, const struct json *pod, const char **name) {
    const struct json *spec = json_member(pod, "spec");
    const char *all = "";
    *name = query_get(r, "container");
    bool wanted = *name && **name;
    for (size_t i = 0; i < ARRAY_LEN(container_lists); i++) {
        JSON_EACH(c, json_member(spec, container_lists[i])) {
            const char *n = json_str_or(c, "name", "");
            if (wanted && strcmp(n, *name) == 0) return NULL;
            all = *all ? arena_printf(r->arena, "%s %s", all, n) : n;
        }
    }
    if (wanted) return status_bad_request("container %s is not valid for pod %s", *name, r->name);
    const struct json *containers = json_member(spec, "containers");
    if (json_len(containers) > 1) return status_bad_request("a container name must be specified for pod %s, choose one of: [%s]", r->name, all);
    if (json_len(containers) == 0) return status_bad_request("a container name must be specified for pod %s", r->name);
    *name = arena_strdup(r->arena, json_str_or(json_at(containers, 0), "name", ""));
    return NULL;
}

static const char *node_address(const struct json *node) {
    static const char *const preferred[] = {"InternalIP", "ExternalIP", "Hostname"};
    for (size_t i = 0; i < ARRAY_LEN(preferred); i++) {
        JSON_EACH(a, json_get(node, "status.addresses")) {
            if (json_str_is(a, "type", preferred[i])) return json_str(a, "address");
        }
    }
    return NULL;
}

struct error *connect_node(struct request *r, const char *name, struct net_target *out) {
    cleanup_doc struct doc *node = registry_get(r->server, &resource_nodes, NULL, name);
    if (node == NULL) return not_found(r, name);
    const char *address = node_address(node->root);
    if (address == NULL) return error_api(500, "", "no preferred addresses found; known addresses: []");
    int port = (int)json_int(node->root, "status.daemonEndpoints.kubeletEndpoint.Port", 10250);
    *out = (struct net_target){.host = arena_strdup(r->arena, address), .port = port, .tls = r->server->config.node_tls};
    return NULL;
}

/* ---- logs ---- */

static const char *reason_of(int status) {
    return status == 404 ? "NotFound" : status == 401 ? "Unauthorized" : status == 403 ? "Forbidden" : status == 503 ? "ServiceUnavailable" : "InternalError";
}

/* GenericHttpResponseChecker: what a kubelet that refuses says becomes a Status. */
static void log_refused(struct http_exchange *x, int status, const char *body, size_t n, void *arg) {
    struct request *r = arg;
    const char *text = arena_strndup(&x->arena, body, n);
    cleanup_error struct error *e = NULL;
    if (status == 400) e = status_bad_request("%s", text);
    else if (status == 500) e = status_internal("%s", text);
    else e = error_api(status, reason_of(status), "%s ( pods/log %s)", remote_refusal(r->arena, status, text), r->name);
    if (status != 400 && status != 500) e->has_details = true, e->name = xstrdup(r->name), e->kind = xstrdup("pods/log");
    respond_error(r, e);
}

static enum proxy_body log_head(struct http_exchange *x, int status, struct http_header *headers, size_t *count, void *arg) {
    (void)x;
    if (status < 200 || status > 206) return PROXY_COLLECT;
    *count = respond_headers(arg, "text/plain", headers, PROXY_MORE_HEADERS);
    return PROXY_PASS;
}

static struct error *serve_log(struct request *r, const struct json *pod) {
    cleanup_buf struct buf query = {0};
    const char *container;
    TRY(negotiate_accept(r, true, false));
    TRY(log_options(r, &query));
    TRY(choose_container(r, pod, &container));
    const char *node = json_str_or(pod, "spec.nodeName", "");
    if (!*node) { /* nothing has been logged anywhere */
        answer_text(r, 204, "");
        r->answer.content_type = "text/plain";
        return NULL;
    }
    static const char *const drops[] = {"sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions", "origin", NULL};
    struct http_proxy p = {.head = log_head, .collected = log_refused, .no_upgrade = true, .drop = drops};
    TRY(connect_node(r, node, &p.target));
    if (websocket_asked(r->x)) {
        struct websocket_refusal refusal = websocket_answer_stream(r->x);
        if (refusal.status) return answer_text(r, refusal.status, refusal.message), NULL;
    }
    p.path = arena_printf(r->arena, "/containerLogs/%s/%s/%s%s", r->ns, r->name, container, buf_str(&query));
    return connect_answer(r, &p);
}

/* ---- streams ---- */

static bool asks_upgrade(const struct request *r) {
    const char *connection = http_header(r->x, "connection");
    return connection && strcasestr(connection, "upgrade") && http_header(r->x, "upgrade");
}

static void stream_failed(struct http_exchange *x, const struct error *e, void *arg) {
    (void)x;
    const char *why = strstr(e->message, "\": ");
    cleanup_error struct error *told = error_api(500, "", "error dialing backend: %s", why ? why + 3 : e->message);
    respond_error(arg, told);
}

static void exec_query(struct request *r, struct buf *out) {
    static const struct { const char *api, *kubelet; } flags[] = {{"stderr", "error"}, {"stdin", "input"}, {"stdout", "output"}, {"tty", "tty"}};
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, "command") == 0 && strcmp(r->subresource, "exec") == 0) add_param(out, "command", r->query[i].value);
    }
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        bool unset = query_get(r, flags[i].api) == NULL && (i == 0 || i == 2); /* stdout and stderr default to true */
        if (unset || flag(r, flags[i].api)) add_param(out, flags[i].kubelet, "1");
    }
}

static void port_query(struct request *r, struct buf *out) {
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, "ports") == 0) add_param(out, "port", r->query[i].value);
    }
}

static struct error *serve_stream(struct request *r, const struct json *pod) {
    cleanup_buf struct buf query = {0};
    bool ports = strcmp(r->subresource, "portforward") == 0;
    const char *container = "", *node = json_str_or(pod, "spec.nodeName", "");
    if (!ports) TRY(choose_container(r, pod, &container));
    if (!*node) return status_bad_request("pod %s does not have a host assigned", r->name);
    struct http_proxy p = {.failed = stream_failed};
    TRY(connect_node(r, node, &p.target));
    if (!asks_upgrade(r)) return status_bad_request("Upgrade request required");
    ports ? port_query(r, &query) : exec_query(r, &query);
    p.path = ports ? arena_printf(r->arena, "/portForward/%s/%s%s", r->ns, r->name, buf_str(&query))
                   : arena_printf(r->arena, "/%s/%s/%s/%s%s", r->subresource, r->ns, r->name, container, buf_str(&query));
    return connect_answer(r, &p);
}

/* A WebSocket begins with GET, but needs what POST needs (AuthorizePodWebsocketUpgradeCreatePermission). */
static struct error *may_create(struct request *r) {
    struct attributes at = attributes_of(r);
    const char *reason;
    at.verb = "create";
    if (strcmp(r->verb, "get") != 0 || authorize(r->server, r->arena, &at, &reason) == DECISION_ALLOW) return NULL;
    return authz_forbidden(r->arena, &at, reason);
}

/* ---- dispatch ---- */

static struct error *serve_pod(struct request *r, struct error *(*serve)(struct request *r, const struct json *pod)) {
    cleanup_doc struct doc *pod = registry_get(r->server, &resource_pods, r->ns, r->name);
    return pod ? serve(r, pod->root) : not_found(r, r->name);
}

static struct error *serve_logs(struct request *r) { return serve_pod(r, serve_log); }
static struct error *serve_streams(struct request *r) {
    TRY(may_create(r));
    return serve_pod(r, serve_stream);
}

static const struct { const char *name; struct error *(*serve)(struct request *r); bool any_method; } table[] = {
    {"log", serve_logs, false},
    {"exec", serve_streams, false},
    {"attach", serve_streams, false},
    {"portforward", serve_streams, false},
    {"proxy", serve_proxy, true},
};

bool connect_name(const char *subresource) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, subresource) == 0) return true;
    }
    return false;
}
bool is_connect(const struct subresource *sub) { return connect_name(sub->name); }

static struct error *check_method(const struct request *r, bool any) {
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", NULL};
    if (any) return str_in(r->method, methods) ? NULL : method_refused();
    bool post = strcmp(r->method, "POST") == 0 && (r->sub->verbs & VERB_CREATE);
    return post || strcmp(r->method, "GET") == 0 ? NULL : method_refused();
}

struct error *serve_connect(struct request *r) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, r->sub->name) != 0) continue;
        TRY(check_method(r, table[i].any_method));
        if (r->x == NULL) return method_refused();
        if (strcmp(r->sub->name, "log") != 0) TRY(webhooks_connect(r));
        return table[i].serve(r);
    }
    return unknown_path();
}
