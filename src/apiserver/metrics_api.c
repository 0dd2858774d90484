#include "apiserver/metrics_api.h"
#include "apiserver/change.h"
#include "apiserver/connect.h"
#include <unistd.h>

#define LOG_COMPONENT "metrics-api"
#define FRESH SECONDS(15)
#define STALE SECONDS(300) /* a sample from before that says nothing of now */
#define FIRST_WINDOW 1     /* seconds between the first two samples */

struct usage { double cpu, memory, start; }; /* seconds, bytes, seconds since 1970 */
struct sample {
    int64_t taken;    /* monotonic; 0: none */
    double at;        /* by the node's clock, seconds since 1970 */
    struct map usage; /* "" for the node, "namespace/pod/container" */
};
struct node_samples { struct sample old, now; };

struct metrics_api {
    pthread_mutex_t lock; /* nodes; held while they are asked */
    struct map nodes;
};

/* ---- samples ---- */

static void sample_clear(struct sample *s) {
    map_free(&s->usage, free);
    *s = (struct sample){0};
}

static void node_samples_free(void *p) {
    struct node_samples *n = p;
    sample_clear(&n->old);
    sample_clear(&n->now);
    free(n);
}

struct metrics_api *metrics_api_new(void) {
    struct metrics_api *m = xcalloc(1, sizeof(*m));
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void metrics_api_free(struct metrics_api *m) {
    if (m == NULL) return;
    map_free(&m->nodes, node_samples_free);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* The value of a label in `{a="x",b="y"}`. */
static const char *label(struct arena *a, const char *labels, const char *name) {
    const char *p = strstr(labels, arena_printf(a, "%s=\"", name));
    if (p == NULL) return "";
    p += strlen(name) + 2;
    return arena_strndup(a, p, strcspn(p, "\""));
}

static struct usage *usage_at(struct sample *s, const char *key) {
    struct usage *u = map_get(&s->usage, key);
    if (u == NULL) map_set(&s->usage, key, u = xcalloc(1, sizeof(*u)));
    return u;
}

/* A line of /metrics/resource: NAME{LABELS} VALUE [MILLISECONDS]. */
static void read_line(struct arena *a, const char *line, struct sample *s) {
    static const struct { const char *name; size_t offset; bool container; } series[] = {
        {"node_cpu_usage_seconds_total", offsetof(struct usage, cpu), false},
        {"node_memory_working_set_bytes", offsetof(struct usage, memory), false},
        {"container_cpu_usage_seconds_total", offsetof(struct usage, cpu), true},
        {"container_memory_working_set_bytes", offsetof(struct usage, memory), true},
        {"container_start_time_seconds", offsetof(struct usage, start), true},
    };
    size_t n = strcspn(line, "{ ");
    const char *close = line[n] == '{' ? strchr(line, '}') : NULL, *value = close ? close + 1 : line + n;
    for (size_t i = 0; i < ARRAY_LEN(series); i++) {
        if (strlen(series[i].name) != n || strncmp(line, series[i].name, n) != 0) continue;
        const char *labels = close ? arena_strndup(a, line + n, (size_t)(close - line) - n) : "";
        const char *key = series[i].container ? arena_printf(a, "%s/%s/%s", label(a, labels, "namespace"), label(a, labels, "pod"), label(a, labels, "container")) : "";
        char *end;
        double v = strtod(value, &end), at = strtod(end, NULL);
        memcpy((char *)usage_at(s, key) + series[i].offset, &v, sizeof(v));
        if (!series[i].container && at > 0) s->at = at / 1000;
    }
}

static struct error *take_sample(struct request *r, const char *node, struct sample *out) {
    cleanup_arena struct arena a = {0};
    struct net_target target;
    struct http_answer answer;
    size_t n;
    TRY(connect_node(r, node, &target));
    if (r->server->client == NULL) return error_new("this server makes no calls");
    struct http_request q = {.target = target, .path = "/metrics/resource", .total_timeout = SECONDS(5)};
    TRY(http_fetch(r->server->client, &a, &q, 0, &answer));
    if (answer.status != 200) return error_new("the node answered %d", answer.status);
    char **lines = str_split(&a, answer.body, '\n', &n);
    for (size_t i = 0; i < n; i++) read_line(&a, lines[i], out);
    out->taken = clock_monotonic(r->server->clock);
    if (out->at <= 0) out->at = (double)clock_wall(r->server->clock) / NSEC_PER_SEC;
    return NULL;
}

/* Brings a node's samples up to date; false: there are not two. */
static bool refresh(struct request *r, struct node_samples *n, const char *node) {
    int64_t now = clock_monotonic(r->server->clock);
    bool first = n->now.taken == 0 || now - n->now.taken > STALE;
    if (!first && n->old.taken && now - n->now.taken < FRESH) return true;
    for (int i = first ? 0 : 1; i < 2; i++) {
        struct sample s = {0};
        cleanup_error struct error *e = take_sample(r, node, &s);
        if (e) {
            log_debug("no metrics of node %s: %s", node, e->message);
            sample_clear(&s);
            return false;
        }
        sample_clear(&n->old);
        n->old = n->now;
        n->now = s;
        if (i == 0) sleep(FIRST_WINDOW);
    }
    return true;
}

static struct node_samples *samples_of(struct request *r, const char *node) {
    struct metrics_api *m = r->server->metrics_api;
    struct node_samples *n = map_get(&m->nodes, node);
    if (n == NULL) map_set(&m->nodes, node, n = xcalloc(1, sizeof(*n)));
    return refresh(r, n, node) ? n : NULL;
}

/* ---- objects ---- */

/* What was used per second between the samples, in a ResourceList; NULL: nothing is known. */
static const struct json *usage_json(struct arena *a, const struct node_samples *n, const char *key) {
    const struct usage *now = map_get(&n->now.usage, key), *old = map_get(&n->old.usage, key);
    if (now == NULL) return NULL;
    bool restarted = old && (old->cpu > now->cpu || old->start != now->start);
    double since = old && !restarted ? n->old.at : now->start, cpu = old && !restarted ? now->cpu - old->cpu : now->cpu, window = n->now.at - since;
    if (since <= 0 || window <= 0) return NULL;
    return json_make(a, "{'cpu':%s,'memory':%s}", arena_printf(a, cpu > 0 ? "%lldn" : "0", (long long)(cpu / window * 1e9)),
                     arena_printf(a, "%lldKi", (long long)(now->memory / 1024)));
}

static const struct json *object_head(struct request *r, const struct json *of, const char *kind, const struct node_samples *n) {
    struct arena *a = r->arena;
    char at[TIME_STRING_MAX], window[TIME_STRING_MAX];
    double length = n->now.at - n->old.at;
    const struct json *meta = json_make(a, "{'name':%s,'namespace':%s,'creationTimestamp':%s,'labels':%v}", meta_str(of, "name"),
                                        *meta_str(of, "namespace") ? meta_str(of, "namespace") : NULL, time_now(a, r), json_get(of, "metadata.labels"));
    return json_make(a, "{'kind':%s,'apiVersion':'metrics.k8s.io/v1beta1','metadata':%v,'timestamp':%s,'window':%s}", kind, meta,
                     time_format(at, (int64_t)(n->now.at * 1e9)), duration_format(window, (int64_t)(length * 1000) * NSEC_PER_MSEC));
}

static const struct json *node_metrics(struct request *r, const struct json *node) {
    const struct node_samples *n = samples_of(r, meta_str(node, "name"));
    const struct json *usage = n ? usage_json(r->arena, n, "") : NULL;
    return usage ? json_with_member(r->arena, object_head(r, node, "NodeMetrics", n), "usage", usage) : NULL;
}

/* Only pods whose running containers are all known: half a pod would mislead autoscalers. */
static const struct json *pod_metrics(struct request *r, const struct json *pod) {
    struct arena *a = r->arena;
    const char *node = json_str_or(pod, "spec.nodeName", "");
    if (!*node || !json_str_is(pod, "status.phase", "Running")) return NULL;
    const struct node_samples *n = samples_of(r, node);
    if (n == NULL) return NULL;
    struct json_array containers = {.arena = a};
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        JSON_EACH(c, json_get(pod, lists[i])) {
            const char *name = json_str_or(c, "name", "");
            if (json_get(c, "state.running") == NULL) continue;
            const struct json *usage = usage_json(a, n, arena_printf(a, "%s/%s/%s", meta_str(pod, "namespace"), meta_str(pod, "name"), name));
            if (usage == NULL) return NULL;
            json_array_add(&containers, json_make(a, "{'name':%s,'usage':%v}", name, usage));
        }
    }
    return containers.len ? json_with_member(a, object_head(r, pod, "PodMetrics", n), "containers", json_array_done(&containers)) : NULL;
}

/* ---- requests ---- */

struct listing {
    struct request *r;
    struct selector *labels;
    struct doc_list found; /* nodes or pods */
};

static bool select_object(struct doc *d, void *arg) {
    struct listing *l = arg;
    if (l->labels == NULL || label_selector_matches(l->labels, json_get(d->root, "metadata.labels"))) doc_list_add(&l->found, d);
    return true;
}

static const struct json *measure(struct request *r, const struct json *o) {
    struct metrics_api *m = r->server->metrics_api;
    pthread_mutex_lock(&m->lock);
    const struct json *out = strcmp(r->plural, "nodes") == 0 ? node_metrics(r, o) : pod_metrics(r, o);
    pthread_mutex_unlock(&m->lock);
    return out;
}

static struct error *serve_listing(struct request *r, const struct resource *of) {
    struct listing l = {.r = r};
    TRY(options_list(r));
    if (r->options.label_selector && *r->options.label_selector) TRY(label_selector_parse(r->arena, r->options.label_selector, &l.labels));
    registry_each(r->server, of, r->ns, select_object, &l);
    struct doc_list out = {0};
    for (size_t i = 0; i < l.found.len; i++) {
        const struct json *v = measure(r, l.found.items[i]->root);
        if (v == NULL) continue;
        struct doc *d = doc_new(v);
        doc_list_add(&out, d);
        doc_unref(d);
    }
    doc_list_free(&l.found);
    r->answer.code = 200;
    r->answer.list = ARENA_NEW(r->arena, struct list_answer);
    *r->answer.list = (struct list_answer){.resource = r->resource, .docs = out.items, .len = out.len, .cap = out.cap, .remaining = -1};
    return NULL;
}

struct error *metrics_api_serve(struct request *r) {
    bool nodes = strcmp(r->plural, "nodes") == 0;
    const struct resource *of = nodes ? &resource_nodes : &resource_pods;
    if ((!nodes && strcmp(r->plural, "pods") != 0) || *r->subresource || (nodes && *r->ns) || strcmp(r->version, "v1beta1") != 0) return unknown_path();
    r->resource = nodes ? &resource_metrics_nodes : &resource_metrics_pods;
    TRY(negotiate_accept(r, true, false));
    if (strcmp(r->verb, "list") == 0) return serve_listing(r, of);
    if (strcmp(r->verb, "get") != 0 || !*r->name) return method_refused();
    cleanup_doc struct doc *d = registry_get(r->server, of, r->ns, r->name);
    const struct json *v = d ? measure(r, d->root) : NULL;
    if (v == NULL) return status_not_found(r->group, nodes ? "nodemetrics" : "podmetrics", nodes ? r->name : arena_printf(r->arena, "%s/%s", r->ns, r->name));
    answer_doc(r, 200, doc_new(v));
    return NULL;
}

/* ---- registration ---- */

#define SERVICE "v1beta1.metrics.k8s.io"

struct error *metrics_api_register(struct apiserver *s) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *there = registry_get(s, &resource_apiregistration_apiservices, NULL, SERVICE);
    bool ours = there && json_get(there->root, "spec.service") == NULL;
    if (s->config.metrics_api ? there != NULL : !ours) return NULL;
    const struct json *o = json_make(&a, "{'kind':'APIService','apiVersion':'apiregistration.k8s.io/v1','metadata':{'name':%s},"
                                         "'spec':{'group':'metrics.k8s.io','version':'v1beta1','groupPriorityMinimum':100,'versionPriority':100}}", SERVICE);
    struct apiserver_answer answer;
    const struct apiserver_call c = {.user = "system:apiserver", .groups = (const char *const[]){"system:masters", NULL}, .user_agent = "kube-apiserver",
                                     .verb = s->config.metrics_api ? "create" : "delete", .resource = &resource_apiregistration_apiservices, .name = SERVICE,
                                     .body = s->config.metrics_api ? o : NULL};
    TRY(apiserver_call(s, &c, &answer));
    doc_unref(answer.doc);
    return NULL;
}
