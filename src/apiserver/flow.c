/* The stage of priority and fairness, and the headers that say what it made of a request (apiserver/pkg/server/filters). */
#include "apiserver/flow.h"
#include "apiserver/change.h"

#define WAIT_LIMIT SECONDS(15) /* a quarter of upstream's --request-timeout */

struct flow *flow_new(struct apiserver *s) {
    struct flow *f = xcalloc(1, sizeof(*f));
    struct store_table *tables[] = {table_of(s, &resource_flowcontrol_flowschemas), table_of(s, &resource_flowcontrol_prioritylevelconfigurations)};
    f->server = s;
    f->tracker = tracker_new(s->store, tables, ARRAY_LEN(tables));
    f->total = (unsigned)(s->config.max_requests_in_flight ? s->config.max_requests_in_flight : 400) +
               (unsigned)(s->config.max_mutating_in_flight ? s->config.max_mutating_in_flight : 200);
    f->wait_limit = WAIT_LIMIT;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void flow_free(struct flow *f) {
    if (f == NULL) return;
    tracker_free(f->tracker);
    flow_config_free(f);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* What may last for hours is not counted, but for watches: those until they have begun. */
static bool long_running(const struct request *r) {
    static const char *const subresources[] = {"attach", "exec", "proxy", "log", "portforward", NULL};
    return strcmp(r->verb, "proxy") == 0 || (r->is_resource && *r->subresource && str_in(r->subresource, subresources));
}

static bool mutates(const struct request *r) {
    static const char *const reads[] = {"get", "list", "watch", NULL};
    return !str_in(r->verb, reads);
}

static void refuse(struct request *r, enum flow_refusal why) {
    atomic_fetch_add_explicit(&r->flow.stats->refused[why], 1, memory_order_relaxed);
    answer_text(r, 429, "Too many requests, please try again later.\n");
    r->answer.retry_after = 1;
}

static void seated(struct request *r) {
    struct flow_stats *s = r->flow.stats;
    r->flow.seated = true;
    atomic_fetch_add_explicit(&s->dispatched, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->executing[mutates(r)], 1, memory_order_relaxed);
}

struct error *flow_admit(struct request *r) {
    struct flow *f = r->server->flow;
    struct flow_match m;
    enum flow_refusal why = FLOW_NO_SEAT;
    if (r->x == NULL || long_running(r)) return NULL;
    flow_refresh(f, r->started);
    flow_classify(f, r, &m);
    if (m.level == NULL) return NULL;
    r->flow = (struct flow_ticket){.level = m.level, .stats = m.stats, .schema_uid = arena_strdup(r->arena, m.schema_uid),
                                   .level_uid = arena_strdup(r->arena, m.level_uid)};
    switch (flow_take(f, m.level, r, &why)) {
    case FLOW_GO: seated(r); break;
    case FLOW_WAIT: return REQUEST_PARKED;
    case FLOW_REFUSE: refuse(r, why); break;
    }
    return NULL;
}

void flow_go_on(struct request *r, int64_t waited) {
    flow_waited(r->flow.stats, waited);
    seated(r);
}

void flow_timed_out(struct request *r) { refuse(r, FLOW_TIME_OUT); }

void flow_leave(struct request *r) {
    struct flow_ticket *t = &r->flow;
    if (!t->seated) return;
    t->seated = false;
    atomic_fetch_sub_explicit(&t->stats->executing[mutates(r)], 1, memory_order_relaxed);
    flow_give_back(r->server->flow, t->level);
}

void flow_headers(struct request *r, void *head, void (*add)(void *head, const char *name, const char *value)) {
    if (r->flow.level == NULL) return;
    add(head, "x-kubernetes-pf-flowschema-uid", r->flow.schema_uid);
    add(head, "x-kubernetes-pf-prioritylevel-uid", r->flow.level_uid);
}
