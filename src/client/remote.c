#include "client/remote.h"
#include "base/str.h"
#include "client/exec_credential.h"
#include "net/http_client.h"
#include "net/proxy.h"
#include <pthread.h>
#include <stdio.h>

enum { LIST_MAX = 512 << 20, EVENT_MAX = 16 << 20, TOKEN_MAX = 64 << 10, WATCH_SECONDS = 300 };

struct remote_client {
    struct client base;
    struct arena arena; /* of the strings */
    struct http_client *http;
    struct tls_config *tls;
    struct net_target target;
    const char *authority, *prefix, *user_agent, *manager; /* of the server's URL: host and port as given, path */
    const char *token, *token_file, *basic;
    const char *ca;
    bool insecure;
    struct http_header *impersonation;
    size_t impersonation_count;
    struct exec_credential *exec;
    _Atomic uint64_t exec_generation; /* whose certificate tls has */
};

static struct remote_client *remote(struct client *c) { return CONTAINER_OF(c, struct remote_client, base); }

/* ---- requests ---- */

struct call {
    struct arena arena;
    struct remote_client *client;
    struct http_request request;
    uint64_t exec_generation; /* of the credentials it carries; 0: none */
};

static void call_free(struct call *c) { arena_free(&c->arena); }

/* A certificate that the program gave serves connections made from now on. */
static struct error *from_program(struct call *c, const char **out) {
    struct remote_client *r = c->client;
    struct exec_answer answer;
    TRY(exec_credential_get(r->exec, &c->arena, &answer));
    c->exec_generation = answer.generation;
    if (answer.cert && r->tls && atomic_exchange(&r->exec_generation, answer.generation) != answer.generation)
        TRY(tls_config_reload(r->tls, &(struct tls_options){.cert = answer.cert, .key = answer.key, .ca = r->ca, .insecure = r->insecure}));
    *out = answer.token ? arena_printf(&c->arena, "Bearer %s", answer.token) : NULL;
    return NULL;
}

static struct error *authorization(struct call *c, const char **out) {
    const struct remote_client *r = c->client;
    cleanup_buf struct buf token = {0};
    *out = NULL;
    if (r->token) *out = arena_printf(&c->arena, "Bearer %s", r->token);
    else if (r->token_file) {
        TRY(file_read(r->token_file, TOKEN_MAX, &token)); /* each time: it is renewed in place */
        *out = arena_printf(&c->arena, "Bearer %.*s", (int)strcspn(buf_str(&token), "\r\n"), buf_str(&token));
    } else if (r->basic) *out = arena_printf(&c->arena, "Basic %s", r->basic);
    else if (r->exec) return from_program(c, out);
    return NULL;
}

static void add_segment(struct buf *path, const char *s) {
    buf_addc(path, '/');
    url_encode(path, s);
}

/* `query` is name, value, … and ends with NULL; pairs with a NULL value are left out. */
static const char *make_path(struct call *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                             const char *const *query) {
    cleanup_buf struct buf path = {0};
    buf_adds(&path, c->client->prefix);
    if (r->group[0]) buf_printf(&path, "/apis/%s/%s", r->group, r->version);
    else buf_printf(&path, "/api/%s", r->version);
    if (r->namespaced && ns && *ns) {
        buf_adds(&path, "/namespaces");
        add_segment(&path, ns);
    }
    add_segment(&path, r->plural);
    if (name) add_segment(&path, name);
    if (sub) add_segment(&path, sub);
    char separator = '?';
    for (; query && *query; query += 2) {
        if (!query[1]) continue;
        buf_printf(&path, "%c%s=", separator, query[0]);
        url_encode(&path, query[1]);
        separator = '&';
    }
    return arena_strdup(&c->arena, buf_str(&path));
}

static struct error *call_headers(struct call *c, const char *accept, const char *content_type) {
    const struct remote_client *r = c->client;
    const char *authorized;
    TRY(authorization(c, &authorized));
    size_t n = 0;
    struct http_header *headers = arena_calloc(&c->arena, 4 + r->impersonation_count, sizeof(*headers));
    headers[n++] = (struct http_header){"user-agent", r->user_agent};
    headers[n++] = (struct http_header){"accept", accept};
    if (content_type) headers[n++] = (struct http_header){"content-type", content_type};
    if (authorized) headers[n++] = (struct http_header){"authorization", authorized};
    for (size_t i = 0; i < r->impersonation_count; i++) headers[n++] = r->impersonation[i];
    c->request.headers = headers;
    c->request.header_count = n;
    return NULL;
}

static struct error *call_init(struct call *c, const char *method, const char *path, const char *content_type,
                               const struct json *body) {
    c->request = (struct http_request){
        .target = c->client->target, .host = c->client->authority, .method = method, .path = path,
        .timeout = SECONDS(60), .total_timeout = SECONDS(300),
    };
    if (body) {
        c->request.body = json_text(&c->arena, body);
        c->request.body_len = strlen(c->request.body);
    }
    return call_headers(c, "application/json", body ? content_type : NULL);
}

static struct error *answer_error(struct arena *a, int status, const char *body, size_t len) {
    const struct json *v = NULL;
    cleanup_error struct error *bad = json_parse(a, body, len, NULL, NULL, &v);
    if (!bad && json_str_is(v, "kind", "Status")) return status_from_json(v, status);
    return error_api(status, status == 401 ? "Unauthorized" : "InternalError", "the server answered with status %d: %.*s",
                     status, (int)MIN(len, (size_t)500),
                     body ? body : "");
}

/* Sends the call, once more with fresh credentials where a program's are refused. The answer is in `a`. */
static struct error *call_send(struct call *c, struct arena *a, const char *accept, const char *content_type, struct http_answer *out) {
    TRY(http_fetch(c->client->http, a, &c->request, LIST_MAX, out));
    if (out->status == 401 && c->exec_generation) {
        exec_credential_refused(c->client->exec, c->exec_generation);
        TRY(call_headers(c, accept, content_type));
        c->request.no_reuse = true; /* connections have the old certificate */
        TRY(http_fetch(c->client->http, a, &c->request, LIST_MAX, out));
    }
    return out->status >= 300 ? answer_error(a, out->status, out->body, out->body_len) : NULL;
}

/* Runs the call; *out is the answer's JSON in the call's arena. */
static struct error *call_run(struct call *c, const char *content_type, const struct json **out) {
    struct http_answer answer;
    TRY(call_send(c, &c->arena, "application/json", content_type, &answer));
    return json_parse(&c->arena, answer.body, answer.body_len, NULL, NULL, out);
}

static uint64_t revision_of(const struct json *o) {
    const char *s = json_str(o, "metadata.resourceVersion");
    return s ? strtoull(s, NULL, 10) : 0;
}

static struct doc *to_doc(const struct json *o) {
    struct doc *d = doc_new(o);
    if (revision_of(o)) doc_set_revision(d, revision_of(o));
    return d;
}

/* One object in, one object out. */
static struct error *exchange(struct client *client, const char *method, const struct resource *r, const char *ns,
                              const char *name, const char *sub,
                              const char *content_type, const struct json *body, struct doc **out) {
    CLEANUP(call_free) struct call c = {.client = remote(client)};
    const struct json *answer;
    bool manages = method[0] == 'P'; /* POST, PUT, PATCH */
    const char *query[] = {"fieldManager", manages ? c.client->manager : NULL, NULL};
    TRY(call_init(&c, method, make_path(&c, r, ns, name, sub, query), content_type, body));
    TRY(call_run(&c, body ? content_type : NULL, &answer));
    if (out) *out = to_doc(answer);
    return NULL;
}

static struct error *get(struct client *c, const struct resource *r, const char *ns, const char *name, struct doc **out) {
    return exchange(c, "GET", r, ns, name, NULL, NULL, NULL, out);
}

static struct error *create(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                            const struct json *object,
                            struct doc **out) {
    return exchange(c, "POST", r, ns, name, sub, "application/json", object, out);
}

static struct error *update(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                            const struct json *object,
                            struct doc **out) {
    if (!name) name = json_str(object, "metadata.name");
    return exchange(c, "PUT", r, ns, name, sub, "application/json", object, out);
}

static struct error *patch(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                           enum patch_type type,
                           const struct json *body, struct doc **out) {
    return exchange(c, "PATCH", r, ns, name, sub, patch_content_type(type), body, out);
}

static struct error *remove_object(struct client *c, const struct resource *r, const char *ns, const char *name,
                                   const struct delete_options *o) {
    cleanup_arena struct arena a = {0};
    return exchange(c, "DELETE", r, ns, name, NULL, "application/json", delete_options_json(&a, o), NULL);
}

/* Elements of a list lack what the list says for all of them. */
static struct doc *item_doc(struct arena *a, const struct resource *r, const struct json *item) {
    struct json_object o = {.arena = a};
    json_object_add(&o, "apiVersion", json_string(a, r->group[0] ? arena_printf(a, "%s/%s", r->group, r->version) : r->version));
    json_object_add(&o, "kind", json_string(a, r->kind));
    JSON_EACH_MEMBER(m, item) json_object_set(&o, m->key, &m->value);
    return to_doc(json_object_done(&o));
}

static struct error *list(struct client *client, const struct resource *r, const char *ns, const char *labels,
                          const char *fields, struct doc_list *out,
                          uint64_t *revision) {
    CLEANUP(call_free) struct call c = {.client = remote(client)};
    const struct json *answer;
    const char *query[] = {"labelSelector", labels, "fieldSelector", fields, NULL};
    TRY(call_init(&c, "GET", make_path(&c, r, ns, NULL, NULL, query), NULL, NULL));
    TRY(call_run(&c, NULL, &answer));
    *out = (struct doc_list){0};
    JSON_EACH(item, json_member(answer, "items")) {
        cleanup_doc struct doc *d = item_doc(&c.arena, r, item);
        doc_list_add(out, d);
    }
    if (revision) *revision = revision_of(answer);
    return NULL;
}

/* ---- watches; everything but opening and closing on the loop's thread ---- */

struct client_watch {
    struct remote_client *client;
    struct client_watcher watcher;
    struct call call;
    struct http_call *http; /* NULL: not started or over */
    struct buf lines;
    int status;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool closed;
};

static void watch_ended(struct client_watch *w, const struct error *e) {
    if (!w->http) return;
    w->http = NULL;
    w->watcher.closed(e, w->watcher.arg);
}

/* Ends a watch whose call still runs. */
static void watch_fail(struct client_watch *w, const struct error *e) {
    http_call_cancel(w->http);
    watch_ended(w, e);
}

static void on_line(struct client_watch *w, const char *line, size_t len) {
    static const char *const names[] = {[WATCH_ADDED] = "ADDED", [WATCH_MODIFIED] = "MODIFIED", [WATCH_DELETED] = "DELETED"};
    cleanup_arena struct arena a = {0};
    const struct json *v;
    cleanup_error struct error *e = json_parse(&a, line, len, NULL, NULL, &v);
    const char *type = e ? "" : json_str_or(v, "type", "");
    if (!e && strcmp(type, "ERROR") == 0) e = status_from_json(json_member(v, "object"), (int)json_int(v, "object.code", 500));
    if (e) {
        watch_fail(w, e);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(type, names[i]) != 0) continue;
        cleanup_doc struct doc *d = to_doc(json_member(v, "object"));
        w->watcher.event((enum watch_type)i, d, w->watcher.arg);
    }
}

static void on_headers(struct http_call *call UNUSED, const struct http_answer *a, void *arg) {
    struct client_watch *w = arg;
    w->status = a->status;
}

static void on_data(struct http_call *call UNUSED, const void *p, size_t n, void *arg) {
    struct client_watch *w = arg;
    buf_add(&w->lines, p, n);
    if (w->lines.overflow) {
        cleanup_error struct error *e = error_new("an event of the watch is bigger than %d bytes", EVENT_MAX);
        watch_fail(w, e);
        return;
    }
    size_t start = 0;
    const char *end;
    while (w->http && w->status == 200 && (end = memchr(w->lines.data + start, '\n', w->lines.len - start))) {
        on_line(w, w->lines.data + start, (size_t)(end - w->lines.data) - start);
        start = (size_t)(end - w->lines.data) + 1;
    }
    buf_consume(&w->lines, start);
}

static void on_done(struct http_call *call UNUSED, const struct error *e, void *arg) {
    struct client_watch *w = arg;
    cleanup_arena struct arena a = {0};
    cleanup_error struct error *refused = !e && w->status != 200 ? answer_error(&a, w->status, w->lines.data, w->lines.len)
        : NULL;
    watch_ended(w, refused ? refused : e);
}

static void watch_begin(void *arg) {
    static const struct http_call_callbacks callbacks = {.headers = on_headers, .data = on_data, .done = on_done};
    struct client_watch *w = arg;
    w->http = http_call_start(w->client->http, &w->call.request, &callbacks, w);
}

static struct error *watch(struct client *client, const struct resource *r, const char *ns, const char *fields, uint64_t from,
                           const struct client_watcher *watcher, struct client_watch **out) {
    struct client_watch *w = xcalloc(1, sizeof(*w));
    *w = (struct client_watch){
        .client = remote(client), .watcher = *watcher, .call = {.client = remote(client)}, .lines = {.max = EVENT_MAX}};
    struct arena *a = &w->call.arena;
    unsigned char spread; /* so that many watches do not end together */
    random_bytes(&spread, 1);
    const char *query[] = {"watch", "1", "resourceVersion", arena_printf(a, "%llu", (unsigned long long)from), "timeoutSeconds",
                           arena_printf(a, "%d", WATCH_SECONDS + spread), "fieldSelector", fields, NULL};
    struct error *e = call_init(&w->call, "GET", make_path(&w->call, r, ns, NULL, NULL, query), NULL, NULL);
    if (e) {
        call_free(&w->call);
        free(w);
        return e;
    }
    w->call.request.total_timeout = SECONDS(WATCH_SECONDS + 300); /* a connection that died silently */
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cond, NULL);
    loop_post(http_client_loop(w->client->http), watch_begin, w);
    *out = w;
    return NULL;
}

static void watch_cancel(void *arg) {
    struct client_watch *w = arg;
    if (w->http) http_call_cancel(w->http);
    w->http = NULL;
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void watch_close(struct client_watch *w) {
    loop_post(http_client_loop(w->client->http), watch_cancel, w);
    pthread_mutex_lock(&w->lock);
    while (!w->closed) pthread_cond_wait(&w->cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->cond);
    buf_free(&w->lines);
    call_free(&w->call);
    free(w);
}

/* ---- the client ---- */

static void remote_free(struct client *c) {
    struct remote_client *r = remote(c);
    if (r->http) http_client_close(r->http);
    tls_config_unref(r->tls);
    exec_credential_free(r->exec);
    arena_free(&r->arena);
    free(r);
}

static const struct client_ops remote_ops = {get, list, create, update, patch, remove_object, watch, watch_close, NULL,
                                             remote_free};

static struct error *parse_url(struct remote_client *r, const char *url, bool *tls) {
    struct arena *a = &r->arena;
    *tls = str_starts(url, "https://");
    if (!*tls && !str_starts(url, "http://")) return error_new("server \"%s\": a URL that begins with https:// is needed", url);
    const char *host = strstr(url, "://") + 3, *end = host + strcspn(host, "/"), *port = NULL;
    r->authority = arena_strndup(a, host, (size_t)(end - host));
    if (*host == '[') {
        const char *bracket = memchr(host, ']', (size_t)(end - host));
        if (!bracket) return error_new("server \"%s\": missing ']' in address", url);
        if (bracket[1] == ':') port = bracket + 2;
        r->target.host = arena_strndup(a, host + 1, (size_t)(bracket - host) - 1);
    } else {
        const char *colon = memchr(host, ':', (size_t)(end - host));
        if (colon) port = colon + 1;
        r->target.host = arena_strndup(a, host, (size_t)((colon ? colon : end) - host));
    }
    r->target.port = port ? atoi(port) : *tls ? 443 : 80;
    if (r->target.port <= 0 || r->target.port > 65535) return error_new("server \"%s\": invalid port", url);
    size_t n = strlen(end);
    r->prefix = arena_strndup(a, end, n > 0 && end[n - 1] == '/' ? n - 1 : n);
    return NULL;
}

static const char *copy_or_null(struct arena *a, const char *s) { return s ? arena_strdup(a, s) : NULL; }

static void impersonate(struct remote_client *r, const struct kubeconfig *k) {
    struct arena *a = &r->arena;
    size_t n = 2;
    for (size_t i = 0; k->as_groups && k->as_groups[i]; i++) n++;
    JSON_EACH_MEMBER(m, k->as_extra) n += json_len(&m->value);
    struct http_header *h = r->impersonation = arena_calloc(a, n, sizeof(*h));
    if (!k->as_user) return;
    *h++ = (struct http_header){"Impersonate-User", arena_strdup(a, k->as_user)};
    if (k->as_uid) *h++ = (struct http_header){"Impersonate-Uid", arena_strdup(a, k->as_uid)};
    for (size_t i = 0; k->as_groups && k->as_groups[i]; i++)
        *h++ = (struct http_header){"Impersonate-Group", arena_strdup(a, k->as_groups[i])};
    JSON_EACH_MEMBER(m, k->as_extra) {
        cleanup_buf struct buf name = {0};
        buf_adds(&name, "Impersonate-Extra-");
        url_encode(&name, m->key);
        JSON_EACH(value, &m->value)
            *h++ = (struct http_header){arena_strdup(a, buf_str(&name)), arena_strdup(a, json_str_or(value, NULL, ""))};
    }
    r->impersonation_count = (size_t)(h - r->impersonation);
}

static struct error *set_up(struct remote_client *r, const struct kubeconfig *k) {
    struct arena *a = &r->arena;
    bool tls;
    TRY(parse_url(r, k->server, &tls));
    r->ca = copy_or_null(a, k->ca);
    r->insecure = k->insecure;
    if (tls) TRY(tls_config_client(&(struct tls_options){.cert = k->cert, .key = k->key, .ca = k->ca, .insecure = k->insecure},
                                   &r->tls));
    r->target.tls = r->tls;
    r->target.server_name = copy_or_null(a, k->tls_server_name);
    TRY(k->proxy_url ? proxy_from_url(a, k->proxy_url, &r->target) : proxy_from_environment(a, &r->target));
    r->token = copy_or_null(a, k->token);
    r->token_file = copy_or_null(a, k->token_file);
    impersonate(r, k);
    if (!k->token && !k->token_file && !k->username && !k->cert) r->exec = exec_credential_new(k->exec);
    if (!k->username) return NULL;
    cleanup_free char *pair = xprintf("%s:%s", k->username, k->password ? k->password : "");
    cleanup_buf struct buf coded = {0};
    base64_encode(&coded, pair, strlen(pair));
    r->basic = arena_strdup(a, buf_str(&coded));
    return NULL;
}

struct error *client_remote_new(const struct kubeconfig *config, struct loop *loop, const char *user_agent, struct client **out) {
    struct remote_client *r = xcalloc(1, sizeof(*r));
    r->base = (struct client){&remote_ops, &clock_real};
    r->user_agent = arena_strdup(&r->arena, user_agent);
    struct error *e = set_up(r, config);
    if (e) {
        remote_free(&r->base);
        return e;
    }
    r->http = http_client_new(loop);
    *out = &r->base;
    return NULL;
}

void client_remote_manager(struct client *c, const char *manager) {
    remote(c)->manager = arena_strdup(&remote(c)->arena, manager);
}

struct error *client_remote_call(struct client *client, struct arena *a, const struct remote_request *r, struct http_answer *out) {
    CLEANUP(call_free) struct call c = {.client = remote(client)};
    const char *accept = r->accept ? r->accept : "application/json", *content_type = r->body ? r->content_type : NULL;
    TRY(call_init(&c, r->method, arena_printf(&c.arena, "%s%s", c.client->prefix, r->path), r->content_type, r->body));
    TRY(call_headers(&c, accept, content_type));
    if (r->timeout) c.request.timeout = c.request.total_timeout = r->timeout;
    return call_send(&c, a, accept, content_type, out);
}

struct error *client_remote_reload(struct client *c, const struct kubeconfig *k) {
    struct remote_client *r = remote(c);
    if (!r->tls) return NULL;
    return tls_config_reload(r->tls, &(struct tls_options){.cert = k->cert, .key = k->key, .ca = k->ca, .insecure = k->insecure});
}
