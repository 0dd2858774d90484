/* The life of a request: stages one after another, then, when everything it wrote is durable, the answer. */
#include "apiserver/crd.h"
#include "apiserver/connect.h"
#include "apiserver/parts.h"

typedef struct error *stage_fn(struct request *r);
static stage_fn *const stages[] = {authn_request, impersonate_request, flow_admit, authz_request, serve_request};

void request_release(struct request *r) {
    flow_leave(r);
    audit_released(r);
    doc_unref(r->answer.doc);
    r->answer.doc = NULL;
    if (r->answer.list) {
        for (size_t i = 0; i < r->answer.list->len; i++) doc_unref(r->answer.list->docs[i]);
        free(r->answer.list->docs);
        r->answer.list = NULL;
    }
    tls_config_unref(TAKE(r->answer.tls));
    resource_release(TAKE(r->custom));
    error_free(r->error);
    error_free(atomic_exchange(&r->commit_error, NULL));
    r->error = NULL;
}

static void send_answer(void *arg) {
    struct request *r = arg;
    metrics_observe(r);
    bool goes_on = r->error == NULL && r->answer.start;
    goes_on ? audit_started(r) : audit_complete(r);
    if (goes_on) {
        flow_leave(r);
        return r->answer.start(r);
    }
    /* What outlives the exchange's arena, which is gone after respond. */
    struct doc *doc = r->answer.doc;
    struct list_answer list = r->answer.list ? *r->answer.list : (struct list_answer){0};
    const struct resource *custom = r->custom;
    struct error *e = r->error, *commit = atomic_exchange(&r->commit_error, NULL);
    flow_leave(r);
    respond(r);
    doc_unref(doc);
    for (size_t i = 0; i < list.len; i++) doc_unref(list.docs[i]);
    free(list.docs);
    resource_release(custom);
    error_free(e);
    error_free(commit);
}

/* Any thread: the last part of the request is done. */
static void http_done(struct request *r) {
    struct error *e = atomic_load(&r->commit_error);
    if (r->error == NULL && e) r->error = error_copy(e);
    if (loop_on_thread(r->x->loop)) send_answer(r);
    else loop_post(r->x->loop, send_answer, r);
}

struct error request_parked;

void request_run(struct request *r) {
    while (r->error == NULL && r->answer.code == 0 && r->stage < ARRAY_LEN(stages)) {
        struct error *e = stages[r->stage++](r);
        if (e == REQUEST_PARKED) return;
        r->error = e;
    }
    request_settle(r);
}

static void run_on_worker(void *arg) { request_run(arg); }

void request_resume(struct request *r) {
    if (r->pool) worker_submit(r->pool, run_on_worker, r);
    else request_run(r);
}

static bool token_blocks(const struct apiserver *s, const char *authorization) {
    const char *token = strchr(authorization, ' ');
    for (size_t i = 0; token && i < s->token_hook_count; i++) {
        const struct apiserver_token_authenticator *t = &s->token_hooks[i];
        if (t->blocks && str_starts(token + strspn(token, " "), t->prefix) && (t->applies == NULL || t->applies(t->arg))) return true;
    }
    return false;
}

/* Webhooks, foreign token authenticators and calls to other servers may block: not on a loop. */
static bool may_block(struct request *r) {
    struct apiserver *s = r->server;
    if (r->error) return false;
    const char *auth = http_header(r->x, "authorization");
    if (auth && token_blocks(s, auth)) return true;
    if (s->config.metrics_api && strcmp(r->group, "metrics.k8s.io") == 0) return true;
    if (r->is_resource && *r->subresource && connect_name(r->subresource)) return webhooks_any(s);
    return r->is_resource && strcmp(r->verb, "get") != 0 && strcmp(r->verb, "list") != 0 && strcmp(r->verb, "watch") != 0 && (webhooks_any(s) || policies_any(s));
}

struct request *request_new(struct apiserver *s, struct http_exchange *x) {
    struct request *r = ARENA_NEW(&x->arena, struct request);
    char id[37];
    uuid_v4(id);
    *r = (struct request){.server = s, .arena = &x->arena, .x = x, .method = x->method, .group = "", .version = "", .ns = "", .name = "",
                          .subresource = "", .plural = "", .path = x->path, .verb = "", .done = http_done,
                          .user_agent = http_header(x, "user-agent"), .warnings = {.arena = &x->arena},
                          .accept = {.media = MEDIA_JSON, .content_type = "application/json"}};
    const char *given = http_header(x, "audit-id");
    r->audit_id = arena_strdup(&x->arena, given && *given ? given : id);
    r->started = clock_monotonic(s->clock);
    const char *type = http_header(x, "content-type");
    size_t n = type ? strcspn(type, ";") : 0;
    while (n > 0 && type[n - 1] == ' ') n--;
    if (type) r->content_type = arena_strndup(&x->arena, type, n);
    atomic_init(&r->pending, 1);
    return r;
}

static struct error *check_timeout(struct request *r) {
    const char *t = query_get(r, "timeout");
    int64_t d;
    if (!r->is_resource || t == NULL || *t == '\0' || duration_parse(t, &d)) return NULL;
    return status_bad_request("invalid timeout specified in the request URL - time: invalid duration %s", status_quote(r->arena, t));
}

void apiserver_handle(struct http_exchange *x, void *arg) {
    struct request *r = request_new(arg, x);
    r->error = route_parse(r);
    if (r->error == NULL) r->error = check_timeout(r);
    if (r->is_resource) r->custom = custom_resource(r->server, r->group, r->version, r->plural);
    if (r->error == NULL && r->custom && crd_converts(r->custom)) r->pool = r->server->converters;
    else if (may_block(r)) r->pool = r->server->workers;
    request_resume(r);
}
