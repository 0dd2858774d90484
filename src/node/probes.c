#include "node/probes.h"
#include "base/log.h"
#include "node/stats.h"
#include <stdio.h>

#define LOG_COMPONENT "node"

struct probe {
    char id[80];          /* the container that it is about */
    enum probe_result result;
    int successes, failures, total;
    bool adopted;         /* not scheduled yet */
    bool held;            /* it has had its effect: the container is being restarted */
    bool stopped;
};

static const struct {
    const char *member, *key, *title;
} kinds[PROBE_KINDS] = {
    [PROBE_STARTUP] = {"startupProbe", "startup", "Startup"},
    [PROBE_READINESS] = {"readinessProbe", "readiness", "Readiness"},
    [PROBE_LIVENESS] = {"livenessProbe", "liveness", "Liveness"},
};

enum probe_result probe_result(struct pod_worker *w, const char *container, const char *id, enum probe_kind kind) {
    LOCK(w->node);
    struct probe *p = worker_record(w, container)->probes[kind];
    enum probe_result result = p && str_eq(p->id, id) ? p->result : PROBE_UNKNOWN;
    UNLOCK(w->node);
    return result;
}

bool probe_exists(struct pod_worker *w, const char *container, enum probe_kind kind) {
    cleanup_doc struct doc *pod = worker_pod(w);
    return json_member(pod_container(pod->root, container, NULL), kinds[kind].member) != NULL;
}

static void schedule(struct pod_worker *w, const char *container, enum probe_kind kind, int64_t delay) {
    char rest[256];
    snprintf(rest, sizeof(rest), "%s/%s/%s", w->uid, container, kinds[kind].key);
    dispatch_add_after(w->node->dispatch, "probe", rest, delay);
}

/* A new container starts with a clean sheet. */
static void watch(struct pod_worker *w, const struct json *container, const struct runtime_container *c, enum probe_kind kind) {
    const struct json *spec = json_member(container, kinds[kind].member);
    LOCK(w->node);
    struct container_record *rec = worker_record(w, c->name);
    struct probe *p = rec->probes[kind];
    bool fresh = !p || !str_eq(p->id, c->id), adopted = p && p->adopted;
    if (p) p->adopted = false;
    if (!p) p = rec->probes[kind] = xcalloc(1, sizeof(*p));
    if (fresh) {
        *p = (struct probe){0};
        snprintf(p->id, sizeof(p->id), "%s", c->id);
    }
    UNLOCK(w->node);
    int64_t delay = c->started + SECONDS(json_int(spec, "initialDelaySeconds", 0)) - node_now(w->node);
    if (fresh || adopted) schedule(w, c->name, kind, MAX(delay, 0));
}

static void adopt(struct pod_worker *w, const struct runtime_container *c, enum probe_kind kind, bool good) {
    if (!good) return;
    LOCK(w->node);
    struct container_record *rec = worker_record(w, c->name);
    if (!rec->probes[kind]) rec->probes[kind] = xcalloc(1, sizeof(struct probe));
    snprintf(rec->probes[kind]->id, sizeof(rec->probes[kind]->id), "%s", c->id);
    rec->probes[kind]->result = PROBE_SUCCEEDED;
    rec->probes[kind]->adopted = true;
    UNLOCK(w->node);
}

void probes_adopt(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r) {
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        JSON_EACH(s, json_member(json_member(pod, "status"), lists[i])) {
            const char *id = json_str_or(s, "containerID", "");
            const struct runtime_container *c = runtime_container(r, json_str_or(s, "name", ""));
            if (!c || c->state != CONTAINER_RUNNING || !str_ends(id, c->id)) continue;
            adopt(w, c, PROBE_STARTUP, json_bool(s, "started", false));
            adopt(w, c, PROBE_READINESS, json_bool(s, "ready", false));
        }
}

void probes_update(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r) {
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        JSON_EACH(container, json_member(json_member(pod, "spec"), lists[i])) {
            const struct runtime_container *c = runtime_container(r, json_str_or(container, "name", ""));
            if (!c || c->state != CONTAINER_RUNNING || (i == 1 && !container_is_sidecar(container))) continue;
            for (int k = 0; k < PROBE_KINDS; k++)
                if (json_member(container, kinds[k].member)) watch(w, container, c, k);
        }
}

void probes_stop(struct pod_worker *w, bool liveness_only) {
    LOCK(w->node);
    for (struct container_record *c = w->containers; c; c = c->next)
        for (int k = 0; k < PROBE_KINDS; k++)
            if (c->probes[k] && !(liveness_only && k == PROBE_READINESS)) c->probes[k]->stopped = true;
    UNLOCK(w->node);
}

/* ---- one run ---- */

struct attempt {
    struct pod_worker *w;
    struct doc *pod;
    struct probe_target target;
    const char *name;
    enum probe_kind kind;
    struct pod_runtime *runtime;
    const struct runtime_container *c;
};

static enum probe_result attempt(const struct probe_target *t, struct arena *a, const char **output) {
    if (json_member(t->spec, "exec")) return probe_exec(t, a, output);
    if (json_member(t->spec, "httpGet")) return probe_http(t, a, output);
    if (json_member(t->spec, "tcpSocket")) return probe_tcp(t, a, output);
    if (json_member(t->spec, "grpc")) return probe_grpc(t, a, output);
    return PROBE_SUCCEEDED;
}

/* Readiness and liveness begin when the startup probe has succeeded, and that one ends then. */
static bool is_due(const struct attempt *x) {
    bool has_startup = json_member(x->target.container, "startupProbe") != NULL;
    enum probe_result startup = probe_result(x->w, x->name, x->c->id, PROBE_STARTUP);
    if (x->kind == PROBE_STARTUP) return startup != PROBE_SUCCEEDED;
    return !has_startup || startup == PROBE_SUCCEEDED;
}

/* Applies thresholds; true if the settled result has changed. */
static bool settle(struct attempt *x, enum probe_result result) {
    const struct json *spec = x->target.spec;
    LOCK(x->w->node);
    struct probe *p = worker_record(x->w, x->name)->probes[x->kind];
    bool ours = p && str_eq(p->id, x->c->id) && !p->stopped, good = result == PROBE_SUCCEEDED;
    if (ours) {
        p->total++;
        p->successes = good ? p->successes + 1 : 0;
        p->failures = good ? 0 : p->failures + 1;
    }
    bool reached = ours && (good ? p->successes >= json_int(spec, "successThreshold", 1) : p->failures >= json_int(spec, "failureThreshold", 3));
    bool changed = reached && p->result != result;
    if (reached) p->result = result;
    if (reached && !good && x->kind != PROBE_READINESS) p->held = true;
    UNLOCK(x->w->node);
    return changed;
}

static bool stopped(struct attempt *x) {
    LOCK(x->w->node);
    struct probe *p = worker_record(x->w, x->name)->probes[x->kind];
    bool stop = !p || p->held || p->stopped || !str_eq(p->id, x->c->id);
    UNLOCK(x->w->node);
    return stop;
}

static void run_attempt(struct attempt *x, struct arena *a) {
    const char *output = "";
    enum probe_result result = attempt(&x->target, a, &output);
    if (stopped(x)) return;
    if (result == PROBE_FAILED)
        container_event(x->w, x->pod->root, x->name, "Warning", "Unhealthy", "%s probe failed: %s", kinds[x->kind].title, output);
    if (result == PROBE_UNKNOWN) {
        container_event(x->w, x->pod->root, x->name, "Warning", "Unhealthy", "%s probe errored: %s", kinds[x->kind].title, output);
        result = PROBE_FAILED;
    }
    if (!settle(x, result)) return;
    if (x->kind == PROBE_STARTUP && result == PROBE_SUCCEEDED) {
        schedule(x->w, x->name, PROBE_READINESS, 0);
        schedule(x->w, x->name, PROBE_LIVENESS, 0);
    }
    worker_sync_soon(x->w, false);
}

static struct work_result run(struct attempt *x, struct arena *a) {
    const struct json *container = pod_container(x->pod->root, x->name, NULL);
    const struct json *spec = json_member(container, kinds[x->kind].member);
    x->c = runtime_container(x->runtime, x->name);
    if (!spec || !x->c || x->c->state != CONTAINER_RUNNING || stopped(x)) return WORK_DONE;
    const char *ip = x->runtime->sandbox_count ? x->runtime->sandboxes[0].ips[0] : NULL;
    if (pod_is_host_network(x->pod->root) || !ip) ip = x->w->node->config.addresses[0];
    x->target = (struct probe_target){.node = x->w->node, .pod = x->pod->root, .container = container, .spec = spec, .container_id = x->c->id,
                                      .pod_ip = ip, .timeout = SECONDS(json_int(spec, "timeoutSeconds", 1))};
    if (!is_due(x)) return WORK_DONE; /* the startup probe wakes it */
    run_attempt(x, a);
    return stopped(x) || (x->kind == PROBE_STARTUP && !is_due(x)) ? WORK_DONE : work_again(SECONDS(json_int(spec, "periodSeconds", 10)));
}

struct work_result probe_run(void *arg, const char *rest) {
    struct node *n = arg;
    cleanup_arena struct arena a = {0};
    size_t count;
    char **part = str_split(&a, rest, '/', &count);
    cleanup_worker struct pod_worker *w = worker_find(n, part[0]);
    if (!w || count < 3) return WORK_DONE;
    struct attempt x = {.w = w, .name = part[1]};
    while (x.kind < PROBE_KINDS && !str_eq(kinds[x.kind].key, part[2])) x.kind++;
    LOCK(n);
    x.pod = doc_ref(w->pod);
    x.runtime = runtime_ref(w->runtime);
    UNLOCK(n);
    struct work_result result = run(&x, &a);
    doc_unref(x.pod);
    runtime_unref(x.runtime);
    return result;
}

void probes_metrics(struct node *n, struct buf *out) {
    LOCK(n);
    for (struct map_slot *s = map_first(&n->workers); s; s = map_next(&n->workers, s)) {
        struct pod_worker *w = s->value;
        for (struct container_record *c = w->containers; c; c = c->next)
            for (int k = 0; k < PROBE_KINDS; k++)
                if (c->probes[k])
                    buf_printf(out, "prober_probe_total{container=\"%s\",namespace=\"%s\",pod=\"%s\",pod_uid=\"%s\",probe_type=\"%s\",result=\"%s\"} %d\n",
                               c->name, doc_namespace(w->pod), doc_name(w->pod), w->uid, kinds[k].title,
                               c->probes[k]->result == PROBE_FAILED ? "failed" : "successful", c->probes[k]->total);
    }
    UNLOCK(n);
}
