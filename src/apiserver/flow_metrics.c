/* What priority and fairness counts, by upstream's names (apiserver/pkg/util/flowcontrol/metrics). */
#include "apiserver/flow.h"

static const double bounds[FLOW_WAITS] = {0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30};

void flow_waited(struct flow_stats *s, int64_t ns) {
    size_t i = 1;
    while (i < FLOW_WAITS - 1 && (double)ns / 1e9 > bounds[i]) i++;
    atomic_fetch_add_explicit(&s->waits[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->waited_ns, (uint64_t)ns, memory_order_relaxed);
}

static void head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

#define LABELS "{flow_schema=\"%s\",priority_level=\"%s\"}"

static void write_counts(const struct flow *f, struct buf *out) {
    static const char *const reasons[FLOW_REFUSALS] = {[FLOW_QUEUE_FULL] = "queue-full", [FLOW_NO_SEAT] = "concurrency-limit", [FLOW_TIME_OUT] = "time-out"};
    head(out, "apiserver_flowcontrol_dispatched_requests_total", "counter", "Requests that were given a seat.");
    for (const struct flow_stats *s = f->stats; s; s = s->next)
        buf_printf(out, "apiserver_flowcontrol_dispatched_requests_total" LABELS " %llu\n", s->schema, s->level->name, (unsigned long long)atomic_load(&s->dispatched));
    head(out, "apiserver_flowcontrol_rejected_requests_total", "counter", "Requests that were refused.");
    for (const struct flow_stats *s = f->stats; s; s = s->next) {
        for (size_t i = 0; i < FLOW_REFUSALS; i++) {
            if (atomic_load(&s->refused[i]) == 0) continue;
            buf_printf(out, "apiserver_flowcontrol_rejected_requests_total{flow_schema=\"%s\",priority_level=\"%s\",reason=\"%s\"} %llu\n", s->schema, s->level->name,
                       reasons[i], (unsigned long long)atomic_load(&s->refused[i]));
        }
    }
}

static void write_now(const struct flow *f, struct buf *out) {
    head(out, "apiserver_flowcontrol_current_inqueue_requests", "gauge", "Requests that wait for a seat.");
    for (const struct flow_stats *s = f->stats; s; s = s->next)
        buf_printf(out, "apiserver_flowcontrol_current_inqueue_requests" LABELS " %lld\n", s->schema, s->level->name, (long long)atomic_load(&s->waiting));
    head(out, "apiserver_flowcontrol_current_executing_requests", "gauge", "Requests that have a seat.");
    for (const struct flow_stats *s = f->stats; s; s = s->next) {
        long long n = (long long)(atomic_load(&s->executing[0]) + atomic_load(&s->executing[1]));
        buf_printf(out, "apiserver_flowcontrol_current_executing_requests" LABELS " %lld\n", s->schema, s->level->name, n);
    }
}

static void write_waits(const struct flow_stats *s, struct buf *out) {
    unsigned long long queued = 0, all = atomic_load(&s->dispatched), n = 0;
    for (size_t i = 1; i < FLOW_WAITS; i++) queued += atomic_load(&s->waits[i]);
    n = all > queued ? all - queued : 0; /* those that did not have to wait */
    for (size_t i = 0; i < FLOW_WAITS; i++) {
        n += i ? atomic_load(&s->waits[i]) : 0;
        buf_printf(out, "apiserver_flowcontrol_request_wait_duration_seconds_bucket{execute=\"true\",flow_schema=\"%s\",priority_level=\"%s\",le=\"%g\"} %llu\n", s->schema,
                   s->level->name, bounds[i], n);
    }
    const char *names[] = {s->schema, s->level->name};
    buf_printf(out, "apiserver_flowcontrol_request_wait_duration_seconds_bucket{execute=\"true\",flow_schema=\"%s\",priority_level=\"%s\",le=\"+Inf\"} %llu\n", names[0], names[1], n);
    buf_printf(out, "apiserver_flowcontrol_request_wait_duration_seconds_sum{execute=\"true\",flow_schema=\"%s\",priority_level=\"%s\"} %g\n", names[0], names[1],
               (double)atomic_load(&s->waited_ns) / 1e9);
    buf_printf(out, "apiserver_flowcontrol_request_wait_duration_seconds_count{execute=\"true\",flow_schema=\"%s\",priority_level=\"%s\"} %llu\n", names[0], names[1], n);
}

enum seats { SEATS_NOMINAL, SEATS_LEAST, SEATS_MOST, SEATS_USED };

static unsigned seats_of(const struct flow_level *l, enum seats which) {
    switch (which) {
    case SEATS_NOMINAL: return l->nominal;
    case SEATS_LEAST: return atomic_load(&l->reserve);
    case SEATS_MOST: return l->most;
    case SEATS_USED: return atomic_load(&l->used);
    }
    return 0;
}

static void write_seats(const struct flow *f, struct buf *out) {
    static const struct { const char *name, *help; enum seats which; } gauges[] = {
        {"apiserver_flowcontrol_nominal_limit_seats", "Seats of a priority level by its share.", SEATS_NOMINAL},
        {"apiserver_flowcontrol_lower_limit_seats", "Seats of a priority level that nobody else can have.", SEATS_LEAST},
        {"apiserver_flowcontrol_upper_limit_seats", "Seats of a priority level with all that it may borrow.", SEATS_MOST},
        {"apiserver_flowcontrol_current_executing_seats", "Seats of a priority level that are taken.", SEATS_USED},
    };
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
        head(out, gauges[i].name, "gauge", gauges[i].help);
        for (const struct flow_level *l = f->levels; l; l = l->next)
            if (l->live) buf_printf(out, "%s{priority_level=\"%s\"} %u\n", gauges[i].name, l->name, seats_of(l, gauges[i].which));
    }
}

void flow_metrics(struct flow *f, struct buf *out) {
    int64_t executing[2] = {0};
    pthread_mutex_lock(&f->lock);
    for (const struct flow_stats *s = f->stats; s; s = s->next)
        for (size_t i = 0; i < 2; i++) executing[i] += atomic_load(&s->executing[i]);
    head(out, "apiserver_current_inflight_requests", "gauge", "Requests being served.");
    buf_printf(out, "apiserver_current_inflight_requests{request_kind=\"readOnly\"} %lld\n", (long long)executing[0]);
    buf_printf(out, "apiserver_current_inflight_requests{request_kind=\"mutating\"} %lld\n", (long long)executing[1]);
    write_counts(f, out);
    write_now(f, out);
    write_seats(f, out);
    head(out, "apiserver_flowcontrol_request_wait_duration_seconds", "histogram", "Seconds that requests have waited for a seat.");
    for (const struct flow_stats *s = f->stats; s; s = s->next) write_waits(s, out);
    pthread_mutex_unlock(&f->lock);
}
