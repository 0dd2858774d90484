/* What the server counts about itself, in Prometheus' text format. */
#include "apiserver/change.h"
#include "apiserver/flow.h"

#define BUCKETS 12
static const double bounds[BUCKETS] = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 10};

struct series {
    char *labels;           /* verb="…",group="…",version="…",resource="…",subresource="…",scope="…" */
    uint64_t count;
    uint64_t by_code[600];
    uint64_t buckets[BUCKETS];
    double sum;
    int64_t watches;
};
struct metrics {
    pthread_mutex_t lock; /* everything */
    struct map series;
};

struct metrics *metrics_new(void) {
    struct metrics *m = xcalloc(1, sizeof(*m));
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void drop_series(void *p) {
    struct series *s = p;
    free(s->labels);
    free(s);
}

void metrics_free(struct metrics *m) {
    if (m == NULL) return;
    map_free(&m->series, drop_series);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const char *scope(const struct request *r) {
    if (!r->is_resource) return "";
    if (*r->name) return "resource";
    return *r->ns ? "namespace" : "cluster";
}

static struct series *series_for(struct metrics *m, const struct request *r) {
    char labels[512];
    bool known = r->resource != NULL;
    snprintf(labels, sizeof(labels), "verb=\"%s\",group=\"%s\",version=\"%s\",resource=\"%s\",subresource=\"%s\",scope=\"%s\"", r->verb,
             known ? r->group : "", known ? r->version : "", known ? r->plural : "", known ? r->subresource : r->is_resource ? "" : r->path, scope(r));
    if (!known && r->answer.code == 0) snprintf(labels, sizeof(labels), "verb=\"other\",group=\"\",version=\"\",resource=\"\",subresource=\"\",scope=\"\"");
    struct series *s = map_get(&m->series, labels);
    if (s) return s;
    s = xcalloc(1, sizeof(*s));
    s->labels = xstrdup(labels);
    map_set(&m->series, labels, s);
    return s;
}

void metrics_observe(struct request *r) {
    struct metrics *m = r->server->metrics;
    double seconds = (double)(clock_monotonic(r->server->clock) - r->started) / 1e9;
    int code = r->error ? (r->error->code ? r->error->code : 500) : r->answer.code;
    pthread_mutex_lock(&m->lock);
    struct series *s = series_for(m, r);
    s->count++;
    if (code > 0 && code < 600) s->by_code[code]++;
    s->sum += seconds;
    for (int i = 0; i < BUCKETS; i++) s->buckets[i] += seconds <= bounds[i];
    pthread_mutex_unlock(&m->lock);
}

void metrics_watch(struct apiserver *s, struct request *r, int delta) {
    pthread_mutex_lock(&s->metrics->lock);
    series_for(s->metrics, r)->watches += delta;
    pthread_mutex_unlock(&s->metrics->lock);
}

static void head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(struct metrics *m, struct buf *out) {
    head(out, "apiserver_request_total", "counter", "Requests answered, by verb, resource and status code.");
    for (struct map_slot *i = map_first(&m->series); i; i = map_next(&m->series, i)) {
        struct series *s = i->value;
        for (int code = 0; code < 600; code++)
            if (s->by_code[code]) buf_printf(out, "apiserver_request_total{%s,code=\"%d\"} %llu\n", s->labels, code, (unsigned long long)s->by_code[code]);
    }
    head(out, "apiserver_request_duration_seconds", "histogram", "Seconds from the request to its answer.");
    for (struct map_slot *i = map_first(&m->series); i; i = map_next(&m->series, i)) {
        struct series *s = i->value;
        for (int b = 0; b < BUCKETS; b++)
            buf_printf(out, "apiserver_request_duration_seconds_bucket{%s,le=\"%g\"} %llu\n", s->labels, bounds[b], (unsigned long long)s->buckets[b]);
        buf_printf(out, "apiserver_request_duration_seconds_bucket{%s,le=\"+Inf\"} %llu\n", s->labels, (unsigned long long)s->count);
        buf_printf(out, "apiserver_request_duration_seconds_sum{%s} %g\n", s->labels, s->sum);
        buf_printf(out, "apiserver_request_duration_seconds_count{%s} %llu\n", s->labels, (unsigned long long)s->count);
    }
    head(out, "apiserver_longrunning_requests", "gauge", "Watches that are open.");
    for (struct map_slot *i = map_first(&m->series); i; i = map_next(&m->series, i)) {
        struct series *s = i->value;
        if (s->watches) buf_printf(out, "apiserver_longrunning_requests{%s} %lld\n", s->labels, (long long)s->watches);
    }
}

void metrics_write(struct apiserver *s, struct buf *out) {
    pthread_mutex_lock(&s->metrics->lock);
    write_requests(s->metrics, out);
    pthread_mutex_unlock(&s->metrics->lock);
    flow_metrics(s->flow, out);
    struct store_stats st;
    store_stats(s->store, &st);
    head(out, "apiserver_storage_objects", "gauge", "Objects stored.");
    buf_printf(out, "apiserver_storage_objects %zu\n", st.entries);
    head(out, "apiserver_storage_size_bytes", "gauge", "Size of the database.");
    buf_printf(out, "apiserver_storage_size_bytes %llu\n", (unsigned long long)st.disk_bytes);
    head(out, "coracle_store_commits_total", "counter", "Commits, and the disk syncs that made them durable.");
    buf_printf(out, "coracle_store_commits_total %llu\ncoracle_store_syncs_total %llu\n", (unsigned long long)st.commits, (unsigned long long)st.syncs);
    for (size_t i = 0; i < s->metric_hook_count; i++) s->metric_hooks[i].fn(out, s->metric_hooks[i].arg);
}
