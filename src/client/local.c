#include "client/local.h"
#include "apiserver/apiserver.h"
#include <pthread.h>

struct local_client {
    struct client base;
    struct apiserver *server;
    char *user_agent, *user;
    char **groups; /* ends with NULL */
};

static struct local_client *local(struct client *c) { return CONTAINER_OF(c, struct local_client, base); }

static struct apiserver_call make_call(struct client *c, const char *verb, const struct resource *r, const char *ns,
                                       const char *name, const char *sub,
                                       const struct json *body) {
    struct local_client *l = local(c);
    return (struct apiserver_call){.user = l->user, .groups = (const char *const *)l->groups, .user_agent = l->user_agent,
                                   .verb = verb,
                                   .resource = r, .subresource = sub, .ns = ns, .name = name, .body = body};
}

/* For answers of one object. */
static struct error *run(struct client *c, const struct apiserver_call *call, struct doc **out) {
    struct apiserver_answer answer = {0};
    TRY(apiserver_call(local(c)->server, call, &answer));
    if (out) *out = answer.doc;
    else doc_unref(answer.doc);
    return NULL;
}

static struct error *get(struct client *c, const struct resource *r, const char *ns, const char *name, struct doc **out) {
    struct apiserver_call call = make_call(c, "get", r, ns, name, NULL, NULL);
    return run(c, &call, out);
}

static struct error *list(struct client *c, const struct resource *r, const char *ns, const char *labels, const char *fields,
                          struct doc_list *out,
                          uint64_t *revision) {
    struct apiserver_call call = make_call(c, "list", r, ns, NULL, NULL, NULL);
    struct request_options options = {.label_selector = labels, .field_selector = fields};
    call.options = &options;
    struct apiserver_answer answer = {0};
    TRY(apiserver_call(local(c)->server, &call, &answer));
    *out = answer.items;
    if (revision) *revision = answer.revision;
    return NULL;
}

static struct error *create(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                            const struct json *object,
                            struct doc **out) {
    struct apiserver_call call = make_call(c, "create", r, ns, name, sub, object);
    return run(c, &call, out);
}

static struct error *update(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                            const struct json *object,
                            struct doc **out) {
    struct apiserver_call call = make_call(c, "update", r, ns, name, sub, object);
    return run(c, &call, out);
}

static struct error *patch(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                           enum patch_type type,
                           const struct json *body, struct doc **out) {
    struct apiserver_call call = make_call(c, "patch", r, ns, name, sub, body);
    call.patch_type = patch_content_type(type);
    return run(c, &call, out);
}

static struct error *remove_object(struct client *c, const struct resource *r, const char *ns, const char *name,
                                   const struct delete_options *o) {
    cleanup_arena struct arena a = {0};
    struct apiserver_call call = make_call(c, "delete", r, ns, name, NULL, delete_options_json(&a, o));
    return run(c, &call, NULL);
}

/* ---- watches: a thread each, which sleeps until woken ---- */

struct client_watch {
    struct apiserver_watch *source;
    struct client_watcher watcher;
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken, closing, ended;
};

/* Passes on what there is; false at the end. */
static bool deliver(struct client_watch *w) {
    static const enum watch_type types[] = {[STORE_ADDED] = WATCH_ADDED, [STORE_MODIFIED] = WATCH_MODIFIED,
                                            [STORE_DELETED] = WATCH_DELETED};
    struct store_event event;
    bool lost;
    while (apiserver_watch_next(w->source, &event, &lost)) w->watcher.event(types[event.type], event.doc, w->watcher.arg);
    if (!lost) return true;
    const struct error *failure = apiserver_watch_failure(w->source);
    cleanup_error struct error *e = failure ? error_copy(failure) : error_api(410, "Expired", "the watch was too slow: events were lost");
    w->watcher.closed(e, w->watcher.arg);
    return false;
}

static void wake(void *arg) {
    struct client_watch *w = arg;
    if (!w->threaded) {
        if (!w->ended) w->ended = !deliver(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->woken = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static bool await(struct client_watch *w) {
    pthread_mutex_lock(&w->lock);
    while (!w->woken && !w->closing) pthread_cond_wait(&w->cond, &w->lock);
    w->woken = false;
    bool go_on = !w->closing;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *watch_thread(void *arg) {
    while (deliver(arg) && await(arg)) {}
    return NULL;
}

static struct error *watch(struct client *c, const struct resource *r, const char *ns, const char *fields, uint64_t from,
                           const struct client_watcher *watcher, struct client_watch **out) {
    struct apiserver_call call = make_call(c, "watch", r, ns, NULL, NULL, NULL);
    struct request_options options = {.field_selector = fields};
    call.options = &options;
    struct client_watch *w = xcalloc(1, sizeof(*w));
    w->watcher = *watcher;
    w->threaded = c->clock == &clock_real;
    struct error *e = apiserver_watch_open(local(c)->server, &call, from, wake, w, &w->source);
    if (e) {
        free(w);
        return e;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cond, NULL);
    if (!w->threaded) wake(w);
    else if (pthread_create(&w->thread, NULL, watch_thread, w) != 0) abort();
    *out = w;
    return NULL;
}

static void watch_close(struct client_watch *w) {
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
    if (w->threaded) pthread_join(w->thread, NULL);
    apiserver_watch_close(w->source);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->cond);
    free(w);
}

/* ---- the client ---- */

static void local_free(struct client *c) {
    struct local_client *l = local(c);
    for (char **g = l->groups; *g; g++) free(*g);
    free(l->groups);
    free(l->user);
    free(l->user_agent);
    free(l);
}

static void each_resource(struct client *c, void (*fn)(const struct resource *, void *), void *arg) {
    apiserver_each_resource(local(c)->server, fn, arg);
}

static const struct client_ops local_ops = {get, list, create, update, patch, remove_object, watch, watch_close, each_resource,
                                            local_free};

struct client *client_local_new(struct apiserver *s, const struct clock *clock, const char *user_agent, const char *user,
                                const char *const *groups) {
    struct local_client *l = xcalloc(1, sizeof(*l));
    size_t n = 0;
    while (groups && groups[n]) n++;
    *l = (struct local_client){.base = {&local_ops, clock ? clock : &clock_real}, .server = s, .user_agent = xstrdup(user_agent),
                               .user = xstrdup(user), .groups = xcalloc(n + 1, sizeof(char *))};
    for (size_t i = 0; i < n; i++) l->groups[i] = xstrdup(groups[i]);
    return &l->base;
}

struct apiserver *client_local_server(struct client *c) { return c->ops == &local_ops ? local(c)->server : NULL; }
