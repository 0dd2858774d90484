/* What metrics ask for (upstream's replica_calculator.go). Resource metrics come from metrics.k8s.io; there is no server for
 * custom and external ones. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/hpa.h"
#include <math.h>

#define CPU_INITIALIZATION SECONDS(300)
#define INITIAL_READINESS SECONDS(30)
#define NOT_SERVED "the server could not find the requested resource (get %s)"

enum pod_state { POD_READY, POD_UNREADY, POD_MISSING, POD_IGNORED };
struct sample {
    const struct json *pod;
    enum pod_state state;
    int64_t usage, request; /* milli-units */
};
struct samples {
    struct sample *items;
    size_t len;
    int64_t timestamp;
};

/* ---- reading metrics.k8s.io ---- */

static int64_t container_quantity(const struct json *containers, const char *container, const char *path, const char *resource, bool *found, const char **lacking) {
    int64_t sum = 0;
    JSON_EACH(c, containers) {
        if (container && !json_str_is(c, "name", container)) continue;
        const struct json *v = json_member(json_get(c, path), resource);
        struct quantity q = quantity_of(v);
        if (v) *found = true;
        else if (lacking) *lacking = json_str(c, "name");
        sum += quantity_milli_value(&q);
    }
    return sum;
}

static void note_served(const struct resource *r, void *arg) {
    bool *served = arg;
    *served = *served || r == &resource_metrics_pods;
}

static struct error *fetch(struct hpa_run *h, const char *resource, struct doc_list *out) {
    bool served = false;
    client_each_resource(h->runner->client, note_served, &served);
    struct error *e = served ? client_list(h->runner->client, &resource_metrics_pods, doc_namespace(h->doc), NULL, NULL, out, NULL)
                             : error_api(404, "NotFound", "not served");
    if (!e) return NULL;
    struct error *told = e->code == 404 ? error_new(NOT_SERVED, "pods.metrics.k8s.io") : error_new("%s", e->message);
    error_free(e);
    return error_wrap(told, "unable to get metrics for resource %s: unable to fetch metrics from resource metrics API", resource);
}

static const struct json *metric_of(const struct doc_list *metrics, const struct json *pod) {
    for (size_t i = 0; i < metrics->len; i++) {
        if (str_eq(doc_name(metrics->items[i]), json_str(pod, "metadata.name"))) return metrics->items[i]->root;
    }
    return NULL;
}

/* Start-up burns CPU: samples of pods that were not ready for long do not count. */
static bool warming_up(const struct hpa_run *h, const struct json *pod, const struct json *metric) {
    const struct json *ready = condition_find(pod, "Ready");
    int64_t start = object_time(pod, "status.startTime"), since = object_time(ready, "lastTransitionTime"), window = 0;
    bool unready = json_str_is(ready, "status", "False");
    if (!ready || start == 0) return true;
    duration_parse(json_str_or(metric, "window", "0s"), &window);
    if (start + CPU_INITIALIZATION > h->now) return unready || object_time(metric, "timestamp") < since + window;
    return unready && start + INITIAL_READINESS > since;
}

static enum pod_state state_of(const struct hpa_run *h, const struct json *pod, const struct json *metric, bool cpu) {
    if (object_deleting(pod) || json_str_is(pod, "status.phase", "Failed")) return POD_IGNORED;
    if (json_str_is(pod, "status.phase", "Pending")) return POD_UNREADY;
    if (!metric) return POD_MISSING;
    return cpu && warming_up(h, pod, metric) ? POD_UNREADY : POD_READY;
}

static struct error *take_samples(struct hpa_run *h, const char *resource, const char *container, bool requests, struct samples *out) {
    cleanup_doc_list struct doc_list metrics = {0};
    size_t ready = 0;
    TRY(fetch(h, resource, &metrics));
    if (metrics.len == 0) return error_new("unable to get metrics for resource %s: no metrics returned from resource metrics API", resource);
    if (h->pods.len == 0) return error_new("no pods returned by selector while calculating replica count");
    out->items = arena_calloc(h->arena, h->pods.len, sizeof(*out->items));
    for (size_t i = 0; i < h->pods.len; i++) {
        const struct json *pod = h->pods.items[i]->root, *metric = metric_of(&metrics, pod);
        struct sample *s = &out->items[out->len++];
        bool found = false, requested = false;
        const char *lacking = NULL;
        s->pod = pod;
        if (metric) s->usage = container_quantity(json_get(metric, "containers"), container, "usage", resource, &found, NULL);
        s->state = state_of(h, pod, found ? metric : NULL, str_eq(resource, "cpu"));
        ready += s->state == POD_READY;
        s->request = container_quantity(json_get(pod, "spec.containers"), container, "resources.requests", resource, &requested, &lacking);
        if (requests && lacking) return error_new("failed to get %s request: missing request for %s in container %s of Pod %s", resource, resource, lacking, json_str(pod, "metadata.name"));
    }
    return ready ? NULL : error_new("did not receive metrics for targeted pods (pods might be unready)");
}

/* ---- from usage to replicas ---- */

struct target { int64_t utilization, average; }; /* percent; or milli-units */

/* Usage against target over the pods that count; `filled`: with what is assumed of the others. */
static double usage_ratio(const struct samples *s, struct target t, double before, bool filled, size_t *count, int64_t *utilization, int64_t *average) {
    int64_t usage = 0, requests = 0;
    *count = 0;
    for (size_t i = 0; i < s->len; i++) {
        const struct sample *p = &s->items[i];
        bool missing = filled && p->state == POD_MISSING, unready = filled && p->state == POD_UNREADY && before > 1;
        if (p->state != POD_READY && !missing && !unready) continue;
        ++*count;
        requests += p->request;
        if (p->state == POD_READY) usage += p->usage;
        else if (missing && before < 1) usage += t.utilization ? p->request * MAX(t.utilization, 100) / 100 : t.average;
    }
    *average = *count ? usage / (int64_t)*count : 0;
    *utilization = requests ? usage * 100 / requests : 0;
    return t.utilization ? (double)*utilization / (double)t.utilization : (double)usage / (double)(t.average * (int64_t)MAX(*count, 1));
}

static bool within_tolerance(const struct hpa_run *h, double ratio) {
    return 1 - hpa_tolerance(h, "scaleDown") <= ratio && ratio <= 1 + hpa_tolerance(h, "scaleUp");
}

static int64_t replicas_for(const struct hpa_run *h, const struct samples *s, struct target t, int64_t *utilization, int64_t *average) {
    size_t count, missing = 0, unready = 0;
    double ratio = usage_ratio(s, t, 0, false, &count, utilization, average);
    for (size_t i = 0; i < s->len; i++) {
        missing += s->items[i].state == POD_MISSING;
        unready += s->items[i].state == POD_UNREADY;
    }
    if (missing == 0 && !(unready > 0 && ratio > 1)) return within_tolerance(h, ratio) ? h->current : (int64_t)ceil(ratio * (double)count);
    int64_t ignored_utilization, ignored_average;
    double filled = usage_ratio(s, t, ratio, true, &count, &ignored_utilization, &ignored_average);
    int64_t replicas = (int64_t)ceil(filled * (double)count);
    bool turned = (ratio < 1 && filled > 1) || (ratio > 1 && filled < 1) || (filled < 1 && replicas > h->current) || (filled > 1 && replicas < h->current);
    return within_tolerance(h, filled) || turned ? h->current : replicas;
}

static const struct json *milli(struct arena *a, int64_t v) { return json_string(a, quantity_format(a, &(struct quantity){.value = v, .scale = -3})); }

static struct error *propose_resource(struct hpa_run *h, const struct json *source, bool container, struct hpa_proposal *out) {
    struct arena *a = h->arena;
    const char *name = json_str_or(source, "name", ""), *only = json_str(source, "container");
    const struct json *goal = json_get(source, "target");
    struct quantity q = quantity_of(json_get(goal, "averageValue"));
    struct target t = {json_int(goal, "averageUtilization", 0), quantity_milli_value(&q)};
    bool raw = json_get(goal, "averageValue") != NULL;
    if (raw) t.utilization = 0;
    else if (t.utilization == 0) return error_new("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set");
    struct samples s = {0};
    int64_t utilization, average;
    struct error *e = take_samples(h, name, only, !raw, &s);
    if (e) return error_wrap(e, raw ? "failed to get %s usage" : "failed to get %s utilization", name);
    out->replicas = replicas_for(h, &s, t, &utilization, &average);
    out->metric = arena_printf(a, "%s %s%s", name, container ? "container resource" : "resource", raw ? "" : " utilization (percentage of request)");
    const struct json *current = json_make(a, "{'averageUtilization':%v,'averageValue':%v}", raw ? NULL : json_integer(a, utilization), milli(a, average));
    const char *kind = container ? "ContainerResource" : "Resource", *member = container ? "containerResource" : "resource";
    out->status = json_make(a, "{'type':%s,%s:{'name':%s,'container':%s,'current':%v}}", kind, member, name, only, current);
    return NULL;
}

/* ---- metrics that nobody serves ---- */

#define NO_CUSTOM "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"

static const char *selector_text(struct arena *a, const struct json *selector) {
    if (!selector) return "nil";
    cleanup_buf struct buf labels = {0};
    JSON_EACH_MEMBER(m, json_get(selector, "matchLabels")) buf_printf(&labels, "%s: %s,", m->key, m->value.s);
    return arena_printf(a, "&LabelSelector{MatchLabels:map[string]string{%s},MatchExpressions:[]LabelSelectorRequirement{},}", buf_str(&labels));
}

static struct error *propose_pods(struct hpa_run *h UNUSED, const struct json *source, struct hpa_proposal *out UNUSED) {
    return error_new("unable to get metric %s: " NO_CUSTOM, json_str(source, "metric.name"));
}

static struct error *propose_object(struct hpa_run *h, const struct json *source, struct hpa_proposal *out UNUSED) {
    return error_new("unable to get metric %s: %s on %s %s/" NO_CUSTOM, json_str(source, "metric.name"), json_str(source, "describedObject.kind"),
                     doc_namespace(h->doc), json_str(source, "describedObject.name"));
}

static struct error *propose_external(struct hpa_run *h, const struct json *source, struct hpa_proposal *out UNUSED) {
    const char *name = json_str_or(source, "metric.name", "");
    const char *served = arena_printf(h->arena, "%s.external.metrics.k8s.io", name);
    return error_new("unable to get external metric %s/%s/%s: unable to fetch metrics from external metrics API: " NOT_SERVED, doc_namespace(h->doc), name,
                     selector_text(h->arena, json_get(source, "metric.selector")), served);
}

static struct error *propose_resource_all(struct hpa_run *h, const struct json *source, struct hpa_proposal *out) { return propose_resource(h, source, false, out); }
static struct error *propose_container(struct hpa_run *h, const struct json *source, struct hpa_proposal *out) { return propose_resource(h, source, true, out); }

struct error *hpa_propose(struct hpa_run *h, const struct json *metric, struct hpa_proposal *out) {
    static const struct {
        const char *type, *member, *reason;
        struct error *(*propose)(struct hpa_run *h, const struct json *source, struct hpa_proposal *out);
    } kinds[] = {
        {"Resource", "resource", "FailedGetResourceMetric", propose_resource_all},
        {"ContainerResource", "containerResource", "FailedGetContainerResourceMetric", propose_container},
        {"Pods", "pods", "FailedGetPodsMetric", propose_pods},
        {"Object", "object", "FailedGetObjectMetric", propose_object},
        {"External", "external", "FailedGetExternalMetric", propose_external},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!json_str_is(metric, "type", kinds[i].type)) continue;
        const struct json *source = json_get(metric, kinds[i].member);
        struct error *e = kinds[i].propose(h, source, out);
        if (!e) return NULL;
        const char *name = json_str_or(source, i < 2 ? "name" : "metric.name", "");
        out->reason = kinds[i].reason;
        out->failure = arena_strdup(h->arena, e->message);
        recorder_event(h->runner->events, h->doc->root, "Warning", out->reason, "%s", out->failure);
        if (i == 4) return error_wrap(e, "failed to get %s external metric value: failed to get external metric %s", name, name);
        if (i < 2) return error_wrap(e, i == 0 ? "failed to get %s resource metric value" : "failed to get %s container metric value", name);
        return error_wrap(e, i == 2 ? "failed to get pods metric value" : "failed to get object metric value");
    }
    out->reason = "InvalidMetricSourceType";
    out->failure = arena_printf(h->arena, "unknown metric source type \"%s\"", json_str_or(metric, "type", ""));
    return error_new("%s", out->failure);
}
