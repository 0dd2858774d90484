#include "apiserver/aggregator.h"
#include "apiserver/connect.h"
#include "apiserver/metrics_api.h"
#include "apiserver/parts.h"
#include "apiserver/remote.h"
#include "apiserver/strategy.h"
#include <time.h>

#define LOG_COMPONENT "aggregator"

struct entry {
    struct doc *service;   /* the APIService */
    struct doc *discovery; /* what it said last, NULL: nothing yet */
};

struct apiservices {
    struct apiserver *server;
    pthread_t thread;      /* asks the servers whether they are there */
    pthread_mutex_t lock;  /* everything below */
    pthread_cond_t changed;
    bool woken, stopping;
    struct tracker *tracker;
    struct store_watch *watch;
    struct entry *entries; /* with a Service only */
    size_t count;
};

/* ---- the known ones ---- */

static void entry_free(struct entry *e) {
    doc_unref(e->service);
    doc_unref(e->discovery);
}

struct collection {
    struct entry *items;
    size_t len;
};

static bool collect(struct doc *d, void *arg) {
    struct collection *c = arg;
    if (!json_is(json_get(d->root, "spec.service"), JSON_OBJECT)) return true;
    c->items = xrealloc(c->items, (c->len + 1) * sizeof(*c->items));
    c->items[c->len++] = (struct entry){doc_ref(d), NULL};
    return true;
}

static void refresh(struct apiservices *p) {
    if (!tracker_changed(p->tracker)) return;
    struct collection c = {0};
    registry_each(p->server, &resource_apiregistration_apiservices, NULL, collect, &c);
    for (size_t i = 0; i < c.len; i++) {
        for (size_t k = 0; k < p->count; k++) {
            if (str_eq(doc_uid(p->entries[k].service), doc_uid(c.items[i].service)) && p->entries[k].discovery)
                c.items[i].discovery = doc_ref(p->entries[k].discovery);
        }
    }
    for (size_t k = 0; k < p->count; k++) entry_free(&p->entries[k]);
    free(p->entries);
    p->entries = c.items, p->count = c.len;
}

static const struct json *available(const struct json *service) {
    JSON_EACH(k, json_get(service, "status.conditions")) {
        if (json_str_is(k, "type", "Available")) return k;
    }
    return NULL;
}

static struct doc *find(struct apiservices *p, const char *group, const char *version) {
    struct doc *found = NULL;
    pthread_mutex_lock(&p->lock);
    refresh(p);
    for (size_t i = 0; i < p->count && found == NULL; i++) {
        const struct json *spec = json_member(p->entries[i].service->root, "spec");
        if (json_str_is(spec, "group", group) && json_str_is(spec, "version", version)) found = doc_ref(p->entries[i].service);
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

void aggregator_each(struct apiserver *s, struct arena *a, void (*fn)(const char *group, const char *version, const struct json *resources, void *arg), void *arg) {
    struct apiservices *p = s->apiservices;
    pthread_mutex_lock(&p->lock);
    refresh(p);
    for (size_t i = 0; i < p->count; i++) {
        const struct json *spec = json_member(p->entries[i].service->root, "spec");
        const struct json *resources = p->entries[i].discovery ? json_copy(a, p->entries[i].discovery->root) : NULL;
        bool up = json_str_is(available(p->entries[i].service->root), "status", "True");
        fn(arena_strdup(a, json_str_or(spec, "group", "")), arena_strdup(a, json_str_or(spec, "version", "")), up ? resources : NULL, arg);
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---- requests ---- */

static struct error *unavailable(struct request *r) {
    answer_text(r, 503, "service unavailable\n");
    return NULL;
}

static void unreachable(struct http_exchange *x, const struct error *e, void *arg) {
    (void)x;
    const char *why = strstr(e->message, "\": ");
    cleanup_error struct error *told = error_api(503, NULL, "error trying to reach service: %s\n", why ? why + 3 : e->message);
    respond_error(arg, told);
}

/* The user, as the other server trusts us to say (front proxy). */
static size_t identity(struct request *r, struct http_header *out, size_t max) {
    size_t n = 0;
    const struct user *u = &r->user;
    out[n++] = (struct http_header){"x-remote-user", u->name};
    if (*u->uid) out[n++] = (struct http_header){"x-remote-uid", u->uid};
    for (size_t i = 0; u->groups && u->groups[i] && n < max; i++) out[n++] = (struct http_header){"x-remote-group", u->groups[i]};
    for (size_t i = 0; i < u->extra_count; i++) {
        struct buf key = {0};
        buf_adds(&key, "x-remote-extra-");
        url_encode(&key, u->extra[i].key);
        const char *name = arena_strdup(r->arena, buf_str(&key));
        buf_free(&key);
        for (size_t k = 0; u->extra[i].values[k] && n < max; k++) out[n++] = (struct http_header){name, u->extra[i].values[k]};
    }
    const char *before = http_header(r->x, "x-forwarded-for"), *peer = r->x->peer ? r->x->peer->address : "";
    if (n < max) out[n++] = (struct http_header){"x-forwarded-for", before ? arena_printf(r->arena, "%s, %s", before, peer) : peer};
    return n;
}

#define MAX_IDENTITY 256

struct error *aggregator_serve(struct request *r, const char *group, const char *version, bool *taken) {
    struct remote m;
    cleanup_doc struct doc *service = r->x ? find(r->server->apiservices, group, version) : NULL;
    if (service == NULL) return NULL;
    *taken = true;
    if (!json_str_is(available(service->root), "status", "True")) return unavailable(r);
    cleanup_error struct error *e = remote_resolve(r->server, r->arena, json_member(service->root, "spec"), true, &m);
    if (e) return unavailable(r);
    struct http_header *headers = arena_calloc(r->arena, MAX_IDENTITY, sizeof(*headers));
    struct http_proxy p = {.target = m.target, .host = m.host, .path = r->x->target, .headers = headers, .failed = unreachable};
    p.header_count = identity(r, headers, MAX_IDENTITY);
    r->answer.tls = m.target.tls;
    return connect_answer(r, &p);
}

struct error *proxy_aggregated(struct request *r, bool *taken) {
    if (strcmp(r->group, "metrics.k8s.io") == 0 && r->server->config.metrics_api) return *taken = true, metrics_api_serve(r);
    return aggregator_serve(r, r->group, r->version, taken);
}

/* ---- availability: upstream's available_controller ---- */

static const struct json *condition(struct arena *a, const char *status, const char *reason, const char *message) {
    return json_make(a, "{'type':'Available','status':%s,'reason':%s,'message':%s}", status, reason, message);
}

static const struct json *local_condition(struct arena *a) { return condition(a, "True", "Local", "Local APIServices are always available"); }

static const struct json *with_condition(struct arena *a, const struct json *o, const struct json *k, int64_t now) {
    char text[TIME_STRING_MAX];
    const struct json *old = available(o), *time = json_string(a, time_format(text, now));
    if (old && str_eq(json_str(old, "status"), json_str(k, "status"))) time = json_member(old, "lastTransitionTime");
    const struct json *whole = json_make(a, "{'type':'Available','status':%v,'lastTransitionTime':%v,'reason':%v,'message':%v}", json_member(k, "status"), time,
                                         json_member(k, "reason"), json_member(k, "message"));
    struct json_array list = {.arena = a};
    JSON_EACH(other, json_get(o, "status.conditions")) if (!json_str_is(other, "type", "Available")) json_array_add(&list, other);
    json_array_add(&list, whole);
    return json_with(a, o, "status.conditions", json_array_done(&list));
}

const struct json *apiservice_create(struct change *c, const struct json *o) {
    if (json_is(json_get(o, "spec.service"), JSON_OBJECT)) return o;
    return with_condition(c->r->arena, o, local_condition(c->r->arena), request_now(c->r));
}

/* What stands in the way before the server can be asked; NULL: nothing. */
static const struct json *check_service(struct apiserver *s, struct arena *a, const struct json *ref) {
    const char *ns = json_str_or(ref, "namespace", ""), *name = json_str_or(ref, "name", "");
    int64_t number = json_int(ref, "port", 443);
    cleanup_doc struct doc *service = registry_get(s, &resource_services, ns, name), *endpoints = registry_get(s, &resource_endpoints, ns, name);
    const struct json *port = NULL;
    if (service == NULL) return condition(a, "False", "ServiceNotFound", arena_printf(a, "service/%s in \"%s\" is not present", name, ns));
    JSON_EACH(p, json_get(service->root, "spec.ports")) if (json_int(p, "port", 0) == number) port = p;
    if (json_str_is(service->root, "spec.type", "ExternalName")) return NULL;
    if (port == NULL) return condition(a, "False", "ServicePortError", arena_printf(a, "service/%s in \"%s\" is not listening on port %lld", name, ns, (long long)number));
    if (endpoints == NULL) return condition(a, "False", "EndpointsNotFound", arena_printf(a, "cannot find endpoints for service/%s in \"%s\"", name, ns));
    const char *port_name = json_str_or(port, "name", "");
    if (json_len(json_member(endpoints->root, "subsets")) == 0)
        return condition(a, "False", "MissingEndpoints", arena_printf(a, "endpoints for service/%s in \"%s\" have no addresses", name, ns));
    JSON_EACH(subset, json_member(endpoints->root, "subsets")) {
        if (json_len(json_member(subset, "addresses")) == 0) continue;
        JSON_EACH(p, json_member(subset, "ports")) if (strcmp(json_str_or(p, "name", ""), port_name) == 0) return NULL;
    }
    return condition(a, "False", "MissingEndpoints", arena_printf(a, "endpoints for service/%s in \"%s\" have no addresses with port name \"%s\"", name, ns, port_name));
}

/* Asks for the group version's resources. */
static const struct json *ask(struct apiserver *s, struct arena *a, const struct json *spec, const struct json **resources) {
    static const struct http_header headers[] = {{"accept", "application/json"}, {"x-remote-user", "system:kube-aggregator"}, {"x-remote-group", "system:masters"}};
    CLEANUP(remote_release) struct remote m = {0};
    struct http_answer answer = {0};
    const char *path = arena_printf(a, "/apis/%s/%s", json_str_or(spec, "group", ""), json_str_or(spec, "version", "")), *url = path;
    struct error *e = remote_resolve(s, a, spec, true, &m);
    if (e == NULL) {
        url = arena_printf(a, "https://%s%s", net_target_authority(a, &m.target), path);
        struct http_request q = {.target = m.target, .path = path, .host = m.host, .headers = headers, .header_count = ARRAY_LEN(headers), .total_timeout = SECONDS(5)};
        e = http_fetch(s->client, a, &q, 4 << 20, &answer);
    }
    if (e == NULL && (answer.status < 200 || answer.status >= 300)) e = error_new("bad status from %s: %d", url, answer.status);
    if (e == NULL) e = json_parse(a, answer.body, answer.body_len, NULL, NULL, resources);
    if (e == NULL) return condition(a, "True", "Passed", "all checks passed");
    const char *why = arena_printf(a, "failing or missing response from %s: %s", url, e->message);
    error_free(e);
    return condition(a, "False", "FailedDiscoveryCheck", why);
}

static void store_condition(struct apiserver *s, struct arena *a, const struct json *o, const struct json *k) {
    const struct json *old = available(o);
    bool same = old && json_equal(json_member(old, "status"), json_member(k, "status")) && json_equal(json_member(old, "reason"), json_member(k, "reason")) &&
                json_equal(json_member(old, "message"), json_member(k, "message"));
    if (same) return;
    struct apiserver_answer answer;
    const struct apiserver_call call = {.user = "system:apiserver", .groups = (const char *const[]){"system:masters", NULL}, .user_agent = "kube-apiserver", .verb = "update",
                                        .resource = &resource_apiregistration_apiservices, .subresource = "status", .name = meta_str(o, "name"),
                                        .body = with_condition(a, o, k, clock_wall(s->clock))};
    struct error *e = apiserver_call(s, &call, &answer);
    if (e) log_warn("availability of %s: %s", meta_str(o, "name"), e->message);
    else doc_unref(answer.doc);
    error_free(e);
}

static void remember(struct apiservices *p, const struct doc *service, const struct json *resources) {
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        if (!str_eq(doc_uid(p->entries[i].service), doc_uid(service))) continue;
        doc_unref(p->entries[i].discovery);
        p->entries[i].discovery = doc_new(resources);
    }
    pthread_mutex_unlock(&p->lock);
}

static bool check(struct apiservices *p, struct doc *service) {
    cleanup_arena struct arena a = {0};
    const struct json *resources = NULL, *spec = json_member(service->root, "spec"), *k = check_service(p->server, &a, json_member(spec, "service"));
    if (k == NULL && p->server->client == NULL) return true;
    if (k == NULL) k = ask(p->server, &a, spec, &resources);
    if (resources) remember(p, service, resources);
    store_condition(p->server, &a, service->root, k);
    return json_str_is(k, "status", "True");
}

/* ---- the thread ---- */

static void wake(void *arg) {
    struct apiservices *p = arg;
    pthread_mutex_lock(&p->lock);
    p->woken = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* Reads the watch to its end, so that it wakes again. */
static void drain(struct apiservices *p) {
    struct store *s = p->server->store;
    struct store_table *t = table_of(p->server, &resource_apiregistration_apiservices);
    struct store_event ev;
    bool lost = true;
    while (lost) {
        cleanup_error struct error *e = p->watch ? NULL : store_watch_open(s, t, store_revision(s), wake, p, &p->watch);
        if (e) return;
        while (store_watch_next(p->watch, &ev, &lost)) {}
        if (lost) store_watch_close(TAKE(p->watch));
    }
}

/* Waits for a change; where there are servers to ask, not for long. */
static bool wait_for_work(struct apiservices *p, bool any, bool all_well) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += all_well ? 30 : 2;
    pthread_mutex_lock(&p->lock);
    int timed_out = 0;
    while (!p->woken && !p->stopping && timed_out == 0) timed_out = any ? pthread_cond_timedwait(&p->changed, &p->lock, &until) : pthread_cond_wait(&p->changed, &p->lock);
    p->woken = false;
    bool stop = p->stopping;
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

static void *run(void *arg) {
    struct apiservices *p = arg;
    bool any = true, all_well = false;
    while (wait_for_work(p, any, all_well)) {
        drain(p);
        pthread_mutex_lock(&p->lock);
        refresh(p);
        struct doc_list list = {0};
        for (size_t i = 0; i < p->count; i++) doc_list_add(&list, p->entries[i].service);
        pthread_mutex_unlock(&p->lock);
        any = list.len > 0, all_well = true;
        for (size_t i = 0; i < list.len; i++) all_well &= check(p, list.items[i]);
        doc_list_free(&list);
    }
    return NULL;
}

struct apiservices *apiservices_new(struct apiserver *s) {
    struct apiservices *p = xcalloc(1, sizeof(*p));
    struct store_table *const table = table_of(s, &resource_apiregistration_apiservices);
    p->server = s;
    p->tracker = tracker_new(s->store, &table, 1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (pthread_create(&p->thread, NULL, run, p) != 0) abort();
    return p;
}

void apiservices_free(struct apiservices *p) {
    if (p == NULL) return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    if (p->watch) store_watch_close(p->watch);
    tracker_free(p->tracker);
    for (size_t i = 0; i < p->count; i++) entry_free(&p->entries[i]);
    free(p->entries);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
