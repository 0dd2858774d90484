/* Calls from the same process: the stages behind authentication, without encoding; the caller's thread waits. */
#include "apiserver/auth.h"
#include "apiserver/crd.h"
#include "apiserver/metrics_api.h"

struct waiter {
    struct request r; /* first */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool finished;
};

static void call_done(struct request *r) {
    struct waiter *w = (struct waiter *)(void *)r;
    pthread_mutex_lock(&w->lock);
    w->finished = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void fill(struct request *r, struct apiserver *s, const struct apiserver_call *c, struct arena *a) {
    const struct resource *res = c->resource;
    crd_ready(res);
    *r = (struct request){.server = s, .arena = a, .method = "", .path = "", .verb = c->verb, .is_resource = true, .group = res->group,
                          .version = res->version, .plural = res->plural, .ns = c->ns && res->namespaced ? c->ns : "", .name = c->name ? c->name : "",
                          .subresource = c->subresource ? c->subresource : "", .custom = resource_hold(res), .resource = res, .content_type = c->patch_type, .body = c->body,
                          .user_agent = c->user_agent, .warnings = {.arena = a}, .done = call_done, .audit_id = ""};
    if (res == &resource_namespaces) r->ns = r->name;
    if (c->options) r->options = *c->options;
    r->part_count = *r->name ? 2 : 1;
    r->sub = *r->subresource ? resource_subresource(res, r->subresource) : NULL;
    r->user = user_with_groups(a, c->user, c->groups, "system:authenticated");
    r->started = clock_monotonic(s->clock);
    atomic_init(&r->pending, 1);
}

static const struct { const char *verb; struct error *(*serve)(struct request *r); } verbs[] = {
    {"get", serve_get},       {"list", serve_list},     {"create", serve_create}, {"update", serve_update},
    {"patch", serve_patch},   {"delete", serve_delete}, {"deletecollection", serve_delete_collection},
};

static struct error *serve(struct request *r) {
    bool handled = false;
    TRY(authz_request(r));
    if (r->resource == &resource_metrics_nodes || r->resource == &resource_metrics_pods) return r->server->config.metrics_api ? metrics_api_serve(r) : unknown_path();
    if (*r->subresource && r->sub == NULL) return unknown_path();
    TRY(serve_subresource(r, &handled));
    if (!handled && r->resource->table == NULL && strcmp(r->verb, "create") != 0) return unknown_path(); /* kept by nobody here */
    for (size_t i = 0; !handled && i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].verb, r->verb) == 0) return verbs[i].serve(r);
    }
    return handled ? NULL : method_refused();
}

static void take_answer(struct request *r, struct apiserver_answer *out) {
    struct answer *a = &r->answer;
    out->code = a->code;
    if (a->list) {
        out->items = (struct doc_list){a->list->docs, a->list->len, a->list->cap};
        out->revision = a->list->revision;
        out->continue_token = a->list->continue_token ? xstrdup(a->list->continue_token) : NULL;
        a->list = NULL;
    } else {
        out->doc = a->doc ? TAKE(a->doc) : a->json ? doc_new(a->json) : NULL;
    }
}

struct error *apiserver_call(struct apiserver *s, const struct apiserver_call *c, struct apiserver_answer *out) {
    cleanup_arena struct arena a = {0};
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    *out = (struct apiserver_answer){0};
    fill(&w.r, s, c, &a);
    audit_received(&w.r);
    w.r.error = serve(&w.r);
    request_settle(&w.r);
    pthread_mutex_lock(&w.lock);
    while (!w.finished) pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    if (w.r.error == NULL) w.r.error = atomic_exchange(&w.r.commit_error, NULL);
    audit_complete(&w.r);
    struct error *e = TAKE(w.r.error);
    if (e == NULL) take_answer(&w.r, out);
    request_release(&w.r);
    return e;
}
