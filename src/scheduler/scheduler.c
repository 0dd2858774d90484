/* The scheduler's loop: a pod leaves the queue, looks for a node under the state's lock, is assumed on it, and is bound by
 * a worker while the next one is already looking. What a cycle leaves to do in the API (bindings, conditions, events,
 * deletions by preemption) is a `struct task` for the workers.
 *
 * Threads: cache events (any thread), the loop's thread, workers. s->state.lock protects state, queue, nominations and
 * waiting bindings; it is never held during API calls. */
#include "scheduler/scheduler.h"
#include "base/log.h"
#include "base/str.h"
#include "base/worker.h"
#include "client/events.h"
#include "scheduler/cycle.h"
#include "scheduler/queue.h"
#include "scheduler/volumes.h"

#define LOG_COMPONENT "scheduler"
#define NAME "default-scheduler"
#define BINDERS 16

struct scheduler {
    struct scheduler_config config;
    struct state state;
    struct pod_queue queue;
    struct nominations nominated;
    struct recorder *events;
    struct worker_pool *workers;
    struct cache_subscription *subscriptions[8];
    size_t subscription_count;
    pthread_t thread;
    pthread_cond_t wake;
    bool stopping;
    size_t start;
    uint64_t random;
    _Atomic uint64_t scheduled, unschedulable, errors, preemptions;
    _Atomic int64_t busy_ns;
};

/* What is to be done about one pod after its cycle. */
struct task {
    struct scheduler *s;
    struct arena arena;
    struct doc *pod;
    const char *node;           /* bind to it; NULL: it did not fit */
    const char *message;        /* why */
    const char *nominated;
    struct doc_list victims;
};

static int64_t now(const struct scheduler *s) { return clock_monotonic(s->config.clock); }

static void lock(struct scheduler *s) { pthread_mutex_lock(&s->state.lock); }
static void unlock(struct scheduler *s) { pthread_mutex_unlock(&s->state.lock); }

/* ---- what happens in the cluster ---- */

static bool is_ours(const struct doc *d) { return json_str_is(d->root, "spec.schedulerName", NAME); }
static bool assigned(const struct doc *d) { return json_str_or(d->root, "spec.nodeName", "")[0] != '\0'; }

static void pod_gone(struct scheduler *s, const struct doc *d) {
    bool counted = map_has(&s->state.pods, doc_uid(d));
    queue_remove(&s->queue, doc_uid(d));
    nomination_remove(&s->nominated, doc_uid(d));
    state_remove_pod(&s->state, doc_uid(d));
    if (counted) queue_move_all(&s->queue, now(s));
}

static void pod_assigned(struct scheduler *s, struct doc *d) {
    const struct pod_info *known = map_get(&s->state.pods, doc_uid(d));
    /* status changes of running pods come by the thousand and change nothing here */
    bool same = known != NULL && str_eq(known->node, json_str(d->root, "spec.nodeName")) && json_equal(known->spec, json_get(d->root, "spec")) &&
                json_equal(known->labels, object_labels(d->root)) && known->terminating == object_deleting(d->root) && known->started != 0;
    queue_remove(&s->queue, doc_uid(d));
    nomination_remove(&s->nominated, doc_uid(d));
    if (same) return;
    bool wakes = known == NULL || !json_equal(known->labels, object_labels(d->root));
    state_set_pod(&s->state, pod_info_new(&s->state, d, NULL));
    if (wakes && (s->state.with_affinity > 0 || known != NULL)) queue_move_all(&s->queue, now(s)); /* affinity may be fulfilled now */
}

static void on_pod(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    struct scheduler *s = arg;
    lock(s);
    if (before != NULL && after != NULL && !str_eq(doc_uid(before), doc_uid(after))) pod_gone(s, before);
    if (after == NULL) pod_gone(s, before);
    else if (pod_is_terminal(after->root)) pod_gone(s, after);
    else if (assigned(after)) pod_assigned(s, after);
    else if (object_deleting(after->root)) pod_gone(s, after);
    else if (is_ours(after) && !map_has(&s->state.pods, doc_uid(after))) queue_set(&s->queue, after, now(s));
    pthread_cond_signal(&s->wake);
    unlock(s);
}

static bool matters(const struct doc *before, const struct doc *after) {
    static const char *const paths[] = {"spec.unschedulable", "spec.taints", "metadata.labels", "status.allocatable", "status.images"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (!json_equal(json_get(before->root, paths[i]), json_get(after->root, paths[i]))) return true;
    }
    return false;
}

static void on_node(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    struct scheduler *s = arg;
    lock(s);
    state_set_node(&s->state, doc_name(after ? after : before), after);
    if (after != NULL && (before == NULL || matters(before, after))) {
        queue_move_all(&s->queue, now(s));
        pthread_cond_signal(&s->wake);
    }
    unlock(s);
}

static void on_other(const struct resource *r UNUSED, struct doc *before UNUSED, struct doc *after UNUSED, void *arg) {
    struct scheduler *s = arg;
    lock(s);
    if (s->queue.pods.count > 0) {
        queue_move_all(&s->queue, now(s));
        pthread_cond_signal(&s->wake);
    }
    unlock(s);
}

/* ---- tasks ---- */

static void task_free(struct task *t) {
    doc_unref(t->pod);
    doc_list_free(&t->victims);
    arena_free(&t->arena);
    free(t);
}

static struct error *ignore(struct error *e, const char *reason) {
    if (!error_is(e, reason)) return e;
    error_free(e);
    return NULL;
}

static const struct json *refused_status(struct arena *a, struct doc *current, void *arg) {
    const struct task *t = arg;
    struct condition c = {.type = "PodScheduled", .status = "False", .reason = "Unschedulable", .message = t->message, .probe_time = true,
                          .observed_generation = json_int(current->root, "metadata.generation", 0)};
    if (assigned(current)) return NULL;
    const struct json *o = condition_set(a, current->root, &c, clock_wall(t->s->config.clock));
    if (t->nominated != NULL && !json_str_is(o, "status.nominatedNodeName", t->nominated)) o = json_with(a, o, "status.nominatedNodeName", json_string(a, t->nominated));
    return o == current->root ? NULL : o;
}

static const struct json *victim_status(struct arena *a, struct doc *current, void *arg) {
    const struct task *t = arg;
    struct condition c = {.type = "DisruptionTarget", .status = "True", .reason = "PreemptionByScheduler", .probe_time = true,
                          .message = NAME ": preempting to accommodate a higher priority pod",
                          .observed_generation = json_int(current->root, "metadata.generation", 0)};
    const struct json *o = condition_set(a, current->root, &c, clock_wall(t->s->config.clock));
    return o == current->root ? NULL : o;
}

static struct error *delete_victim(struct task *t, struct doc *victim) {
    struct client *c = t->s->config.client;
    if (object_deleting(victim->root)) return NULL;
    TRY(ignore(client_modify(c, &resource_pods, doc_namespace(victim), doc_name(victim), "status", victim_status, t, NULL), "NotFound"));
    struct delete_options o = {.uid = doc_uid(victim), .grace_period = -1};
    TRY(ignore(ignore(client_delete(c, &resource_pods, doc_namespace(victim), doc_name(victim), &o), "NotFound"), "Conflict"));
    recorder_action(t->s->events, victim->root, t->pod->root, "Normal", "Preempted", "Preempting", "Preempted by pod %s on node %s", doc_uid(t->pod), t->nominated);
    return NULL;
}

static void report_refused(struct task *t) {
    struct scheduler *s = t->s;
    struct error *e = ignore(client_modify(s->config.client, &resource_pods, doc_namespace(t->pod), doc_name(t->pod), "status", refused_status, t, NULL), "NotFound");
    recorder_action(s->events, t->pod->root, NULL, "Warning", "FailedScheduling", "Scheduling", "%s", t->message);
    for (size_t i = 0; i < t->victims.len && e == NULL; i++) e = delete_victim(t, t->victims.items[i]);
    if (e != NULL) log_warn("pod %s/%s: %s", doc_namespace(t->pod), doc_name(t->pod), e->message);
    error_free(e);
}

static struct error *bind_volumes(struct task *t, bool *done) {
    struct scheduler *s = t->s;
    *done = true;
    if (json_len(json_get(t->pod->root, "spec.volumes")) == 0) return NULL;
    cleanup_doc struct doc *node = cache_get(s->config.cache, &resource_nodes, NULL, t->node);
    if (node == NULL) return error_new("node %s is gone", t->node);
    struct node_info n = {.name = t->node, .labels = object_labels(node->root)};
    lock(s);
    struct pod_info *pod = pod_info_new(&s->state, t->pod, t->node);
    unlock(s);
    struct error *e = volumes_bind(s->config.client, s->config.cache, pod, &n, done);
    pod_info_free(pod);
    return e;
}

static void forget(struct task *t, bool retry) {
    struct scheduler *s = t->s;
    lock(s);
    state_remove_pod(&s->state, doc_uid(t->pod));
    queue_failed(&s->queue, doc_uid(t->pod), retry, now(s));
    queue_move_all(&s->queue, now(s));
    pthread_cond_signal(&s->wake);
    unlock(s);
}

static const struct json *nominated_status(struct arena *a, struct doc *current, void *arg) {
    const struct task *t = arg;
    if (assigned(current) || json_str_is(current->root, "status.nominatedNodeName", t->node)) return NULL;
    return json_with(a, current->root, "status.nominatedNodeName", json_string(a, t->node));
}

/* Binding its volumes takes a while: whoever watches can see where the pod goes (KEP-5278). */
static void tell_expectation(struct task *t) {
    error_free(client_modify(t->s->config.client, &resource_pods, doc_namespace(t->pod), doc_name(t->pod), "status", nominated_status, t, NULL));
}

/* A claim that is not bound yet sends the pod back to the queue: it finds the same node again, as its claims point there. */
static void bind(struct task *t) {
    struct scheduler *s = t->s;
    bool done;
    const char *ns = doc_namespace(t->pod), *name = doc_name(t->pod);
    struct error *e = bind_volumes(t, &done);
    if (e == NULL && !done) {
        tell_expectation(t);
        return forget(t, true);
    }
    if (e == NULL) {
        const struct json *binding = json_make(&t->arena, "{'apiVersion':'v1','kind':'Binding','metadata':{'name':%s,'namespace':%s,'uid':%s},'target':{'kind':'Node','name':%s}}",
                                               name, ns, doc_uid(t->pod), t->node);
        e = client_create_sub(s->config.client, &resource_pods, ns, name, "binding", binding, NULL);
    }
    if (e == NULL) {
        s->scheduled++;
        recorder_action(s->events, t->pod->root, NULL, "Normal", "Scheduled", "Binding", "Successfully assigned %s/%s to %s", ns, name, t->node);
        return;
    }
    s->errors++;
    bool gone = error_is(e, "NotFound");
    if (!gone) log_warn("binding %s/%s to %s: %s", ns, name, t->node, e->message);
    error_free(e);
    forget(t, !gone);
}

static void run_task(void *arg) {
    struct task *t = arg;
    if (t->node != NULL) bind(t);
    else report_refused(t);
    task_free(t);
}

/* ---- cycles ---- */

static struct task *task_new(struct scheduler *s, struct doc *pod) {
    struct task *t = xcalloc(1, sizeof(*t));
    t->s = s;
    t->pod = doc_ref(pod);
    return t;
}

static uint64_t next_random(struct scheduler *s) { /* xorshift64 */
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    return s->random ^= s->random << 17;
}

/* With the lock. Returns what is to be done. */
static struct task *schedule(struct scheduler *s, struct waiting_pod *w) {
    struct task *t = task_new(s, w->doc);
    struct pod_info *pod = pod_info_new(&s->state, w->doc, NULL);
    struct placement p = {0};
    placement_find(&p, &s->state, s->config.cache, &s->nominated, pod, &s->start, next_random(s));
    if (p.node != NULL) {
        t->node = arena_strdup(&t->arena, p.node->name);
        nomination_remove(&s->nominated, pod->uid);
        state_set_pod(&s->state, pod_info_new(&s->state, w->doc, t->node));
    } else {
        s->unschedulable++;
        t->message = arena_strdup(&t->arena, p.message);
        for (size_t i = 0; i < p.victim_count; i++) doc_list_add(&t->victims, p.victims[i]->doc);
        if (p.nominated != NULL) {
            s->preemptions++;
            t->nominated = arena_strdup(&t->arena, p.nominated->name);
            nomination_set(&s->nominated, pod_info_new(&s->state, w->doc, t->nominated), t->nominated);
        }
        queue_failed(&s->queue, w->uid, false, now(s));
    }
    placement_free(&p);
    pod_info_free(pod);
    return t;
}

static struct task *next_task(struct scheduler *s) {
    struct waiting_pod *w = queue_pop(&s->queue, now(s));
    if (w == NULL) return NULL;
    int64_t began = clock_monotonic(&clock_real);
    struct task *t = schedule(s, w);
    s->busy_ns += clock_monotonic(&clock_real) - began;
    return t;
}

static void wait_for_work(struct scheduler *s) {
    int64_t due = queue_next_due(&s->queue);
    if (due == INT64_MAX) {
        pthread_cond_wait(&s->wake, &s->state.lock);
        return;
    }
    struct timespec until = {due / NSEC_PER_SEC, due % NSEC_PER_SEC};
    pthread_cond_timedwait(&s->wake, &s->state.lock, &until);
}

/* A pod that is looked at before all nodes and pods are known would be refused, or come to a node that is full. */
static bool knows_all(const struct scheduler *s) {
    bool told = true;
    for (size_t i = 0; i < s->subscription_count; i++) told = told && cache_subscription_told(s->subscriptions[i]);
    return told;
}

/* With the lock, as all of this. Nobody wakes the thread for it, so it looks every few milliseconds until it is so. */
static void wait_to_know_all(struct scheduler *s) {
    while (!s->stopping && !knows_all(s)) {
        int64_t due = clock_monotonic(&clock_real) + MSECONDS(2);
        struct timespec until = {due / NSEC_PER_SEC, due % NSEC_PER_SEC};
        pthread_cond_timedwait(&s->wake, &s->state.lock, &until);
    }
}

static void *run(void *arg) {
    struct scheduler *s = arg;
    pthread_setname_np(pthread_self(), "sched-cycle");
    lock(s);
    wait_to_know_all(s);
    while (!s->stopping) {
        struct task *t = next_task(s);
        if (t == NULL) {
            wait_for_work(s);
            continue;
        }
        unlock(s);
        worker_submit(s->workers, run_task, t);
        lock(s);
    }
    unlock(s);
    return NULL;
}

bool scheduler_step(struct scheduler *s) {
    lock(s);
    struct task *t = knows_all(s) ? next_task(s) : NULL;
    unlock(s);
    if (t != NULL) run_task(t);
    return t != NULL;
}

/* ---- ---- */

static const struct {
    const struct resource *resource;
    cache_event_fn *fn;
} watched[] = {
    {&resource_nodes, on_node}, {&resource_pods, on_pod}, {&resource_persistentvolumeclaims, on_other}, {&resource_persistentvolumes, on_other},
    {&resource_storage_storageclasses, on_other}, {&resource_storage_csinodes, on_other},
};
static const struct resource *const read_only[] = {&resource_services, &resource_namespaces, &resource_apps_replicasets, &resource_apps_statefulsets, &resource_policy_poddisruptionbudgets};

struct error *scheduler_start(const struct scheduler_config *c, struct scheduler **out) {
    struct scheduler *s = xcalloc(1, sizeof(*s));
    pthread_condattr_t monotonic;
    s->config = *c;
    s->random = c->seed;
    while (s->random == 0) random_bytes(&s->random, sizeof(s->random));
    state_init(&s->state);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->events = recorder_new(c->client, NAME, NULL);
    for (size_t i = 0; i < ARRAY_LEN(read_only); i++) cache_add(c->cache, read_only[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++) cache_add(c->cache, watched[i].resource, NULL);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++) s->subscriptions[s->subscription_count++] = cache_subscribe(c->cache, watched[i].resource, watched[i].fn, s);
    if (!c->stepped) {
        s->workers = worker_pool_new("scheduler", BINDERS);
        pthread_create(&s->thread, NULL, run, s);
    }
    *out = s;
    return NULL;
}

void scheduler_stop(struct scheduler *s) {
    for (size_t i = 0; i < s->subscription_count; i++) cache_unsubscribe(s->subscriptions[i]);
    lock(s);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    unlock(s);
    if (!s->config.stepped) {
        pthread_join(s->thread, NULL);
        worker_pool_close(s->workers);
    }
    recorder_free(s->events);
    queue_free(&s->queue);
    nominations_free(&s->nominated);
    state_free(&s->state);
    pthread_cond_destroy(&s->wake);
    free(s);
}

void scheduler_metrics(struct scheduler *s, struct buf *out) {
    const struct { const char *result; uint64_t value; } results[] = {{"scheduled", s->scheduled}, {"unschedulable", s->unschedulable}, {"error", s->errors}};
    buf_adds(out, "# TYPE scheduler_schedule_attempts_total counter\n");
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        buf_printf(out, "scheduler_schedule_attempts_total{profile=\"" NAME "\",result=\"%s\"} %llu\n", results[i].result, (unsigned long long)results[i].value);
    }
    buf_printf(out, "# TYPE scheduler_preemption_attempts_total counter\nscheduler_preemption_attempts_total %llu\n", (unsigned long long)s->preemptions);
    static const struct { const char *queue; enum waiting state; } queues[] = {
        {"active", WAIT_ACTIVE}, {"backoff", WAIT_BACKOFF}, {"unschedulable", WAIT_UNSCHEDULABLE}, {"gated", WAIT_GATED}};
    buf_adds(out, "# TYPE scheduler_pending_pods gauge\n");
    lock(s);
    for (size_t i = 0; i < ARRAY_LEN(queues); i++) buf_printf(out, "scheduler_pending_pods{queue=\"%s\"} %zu\n", queues[i].queue, queue_count(&s->queue, queues[i].state));
    unlock(s);
}
