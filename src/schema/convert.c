/* Conversion between versions of a kind: events of the core group and of events.k8s.io, autoscalers v1 and v2. What a
 * version has no field for is kept in annotations, in the form that Kubernetes' own conversion gives them. */
#include "base/str.h"
#include "schema/schema.h"
#include <ctype.h>

static bool present(const struct json *v) { return v && v->type != JSON_NULL; }

/* ---- events ---- */

static const struct {
    const char *core, *events;
} event_fields[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

static struct error *convert_event(struct arena *a, bool to_core, const struct json *in, const struct json **out) {
    struct json_object o = {.arena = a};
    JSON_EACH_MEMBER(m, in) {
        const char *name = m->key;
        for (size_t i = 0; i < ARRAY_LEN(event_fields); i++)
            if (str_eq(m->key, to_core ? event_fields[i].events : event_fields[i].core))
                name = to_core ? event_fields[i].core : event_fields[i].events;
        /* The core version calls the instance reportingInstance, too; all else has one name. */
        json_object_set(&o, name, &m->value);
    }
    *out = json_object_done(&o);
    return NULL;
}

/* ---- autoscalers ---- */

/* A field of a metric in v1's annotations and where v2 has it, in v1's order. `zero`: v1 always writes a quantity. */
struct metric_field {
    const char *source, *v1, *v2;
    bool zero;
};
static const struct metric_field spec_fields[] = {
    {"object", "target", "describedObject", false},
    {"object", "metricName", "metric.name", false},
    {"object", "targetValue", "target.value", true},
    {"object", "selector", "metric.selector", false},
    {"object", "averageValue", "target.averageValue", false},
    {"pods", "metricName", "metric.name", false},
    {"pods", "targetAverageValue", "target.averageValue", true},
    {"pods", "selector", "metric.selector", false},
    {"resource", "name", "name", false},
    {"resource", "targetAverageUtilization", "target.averageUtilization", false},
    {"resource", "targetAverageValue", "target.averageValue", false},
    {"containerResource", "name", "name", false},
    {"containerResource", "targetAverageUtilization", "target.averageUtilization", false},
    {"containerResource", "targetAverageValue", "target.averageValue", false},
    {"containerResource", "container", "container", false},
    {"external", "metricName", "metric.name", false},
    {"external", "metricSelector", "metric.selector", false},
    {"external", "targetValue", "target.value", false},
    {"external", "targetAverageValue", "target.averageValue", false},
    {NULL, NULL, NULL, false},
};
static const struct metric_field status_fields[] = {
    {"object", "target", "describedObject", false},
    {"object", "metricName", "metric.name", false},
    {"object", "currentValue", "current.value", true},
    {"object", "selector", "metric.selector", false},
    {"object", "averageValue", "current.averageValue", false},
    {"pods", "metricName", "metric.name", false},
    {"pods", "currentAverageValue", "current.averageValue", true},
    {"pods", "selector", "metric.selector", false},
    {"resource", "name", "name", false},
    {"resource", "currentAverageUtilization", "current.averageUtilization", false},
    {"resource", "currentAverageValue", "current.averageValue", true},
    {"containerResource", "name", "name", false},
    {"containerResource", "currentAverageUtilization", "current.averageUtilization", false},
    {"containerResource", "currentAverageValue", "current.averageValue", true},
    {"containerResource", "container", "container", false},
    {"external", "metricName", "metric.name", false},
    {"external", "metricSelector", "metric.selector", false},
    {"external", "currentValue", "current.value", true},
    {"external", "currentAverageValue", "current.averageValue", false},
    {NULL, NULL, NULL, false},
};
static const char *const metric_sources[] = {"object", "pods", "resource", "containerResource", "external"};

#define METRICS "autoscaling.alpha.kubernetes.io/metrics"
#define CURRENT_METRICS "autoscaling.alpha.kubernetes.io/current-metrics"
#define CONDITIONS "autoscaling.alpha.kubernetes.io/conditions"
#define BEHAVIOR "autoscaling.alpha.kubernetes.io/behavior"
static const char *const round_trip[] = {METRICS,
                                         CURRENT_METRICS,
                                         CONDITIONS,
                                         BEHAVIOR,
                                         "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
                                         "autoscaling.alpha.kubernetes.io/scale-up-tolerance"};

static const struct json *drop_annotations(struct arena *a, const struct json *annotations) {
    for (size_t i = 0; i < ARRAY_LEN(round_trip); i++)
        if (json_member(annotations, round_trip[i])) annotations = json_without_member(a, annotations, round_trip[i]);
    return annotations;
}

static const struct json *metric_to_v1(struct arena *a, const struct metric_field *fields, const struct json *metric) {
    struct json_object out = {.arena = a};
    json_object_add(&out, "type", json_string(a, json_str_or(metric, "type", "")));
    for (size_t i = 0; i < ARRAY_LEN(metric_sources); i++) {
        const struct json *source = json_member(metric, metric_sources[i]);
        if (!present(source)) continue;
        struct json_object o = {.arena = a};
        for (const struct metric_field *f = fields; f->source; f++) {
            const struct json *v = str_eq(f->source, metric_sources[i]) ? json_get(source, f->v2) : NULL;
            if (present(v)) json_object_add(&o, f->v1, v);
            else if (f->zero && str_eq(f->source, metric_sources[i])) json_object_add(&o, f->v1, json_string(a, "0"));
        }
        json_object_add(&out, metric_sources[i], json_object_done(&o));
    }
    return json_object_done(&out);
}

/* v1 has no type of the target: it shows in what is given. */
static const char *target_type(const char *source, const struct json *target) {
    bool value = present(json_member(target, "value")), average = present(json_member(target, "averageValue"));
    if (present(json_member(target, "averageUtilization"))) return "Utilization";
    if (str_eq(source, "object")) return average ? "AverageValue" : "Value";
    return str_eq(source, "external") && value ? "Value" : "AverageValue";
}

static const struct json *metric_to_v2(struct arena *a, const struct metric_field *fields, const struct json *metric) {
    const struct json *out = json_make(a, "{'type':%v}", json_member(metric, "type"));
    for (size_t i = 0; i < ARRAY_LEN(metric_sources); i++) {
        const char *name = metric_sources[i];
        const struct json *old = json_member(metric, name), *source = &json_empty_object;
        if (!present(old)) continue;
        for (const struct metric_field *f = fields; f->source; f++) {
            const struct json *v = str_eq(f->source, name) ? json_member(old, f->v1) : NULL;
            if (present(v)) source = json_with(a, source, f->v2, v);
        }
        if (fields == spec_fields)
            source = json_with(a, source, "target.type", json_string(a, target_type(name, json_member(source, "target"))));
        out = json_with_member(a, out, name, source);
    }
    return out;
}

typedef const struct json *metric_fn(struct arena *a, const struct metric_field *fields, const struct json *metric);

static void convert_metrics(struct json_array *out, metric_fn *fn, const struct metric_field *fields,
                            const struct json *metrics) {
    JSON_EACH(m, metrics) json_array_add(out, fn(out->arena, fields, m));
}

/* The annotation with the behavior is Kubernetes' internal form, whose names begin with capitals. */
static const struct json *rename_first(struct arena *a, const struct json *v, int (*change)(int)) {
    if (v->type == JSON_ARRAY) {
        struct json_array out = {.arena = a};
        JSON_EACH(item, v) json_array_add(&out, rename_first(a, item, change));
        return json_array_done(&out);
    }
    if (v->type != JSON_OBJECT) return v;
    struct json_object out = {.arena = a};
    JSON_EACH_MEMBER(m, v) {
        char *name = arena_strndup(a, m->key, m->key_len);
        name[0] = (char)change((unsigned char)name[0]);
        json_object_add(&out, name, rename_first(a, &m->value, change));
    }
    return json_object_done(&out);
}

/* One direction's rules with all four names, as Go writes a struct without omitempty. */
static const struct json *internal_rules(struct arena *a, const struct json *rules) {
    if (!present(rules)) return &json_null;
    static const char *const names[] = {"stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"};
    struct json_object out = {.arena = a};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *v = json_member(rules, names[i]);
        json_object_add(&out, names[i], v ? v : &json_null);
    }
    return rename_first(a, json_object_done(&out), toupper);
}

static bool is_cpu_utilization(const struct json *metric, const char *at) {
    return json_str_is(metric, "type", "Resource") && json_str_is(metric, "resource.name", "cpu") &&
           present(json_member(json_get(metric, at), "averageUtilization"));
}

static const struct json *annotate(struct arena *a, const struct json *annotations, const char *key, const struct json *value) {
    return json_with_member(a, annotations, key, json_string(a, json_text(a, value)));
}

static const struct json *annotations_for_v1(struct arena *a, const struct json *in) {
    const struct json *out = drop_annotations(a, json_get(in, "metadata.annotations"));
    const struct json *behavior = json_get(in, "spec.behavior"), *conditions = json_get(in, "status.conditions");
    struct json_array others = {.arena = a}, current = {.arena = a};
    JSON_EACH(m, json_get(in, "spec.metrics"))
    if (!is_cpu_utilization(m, "resource.target")) json_array_add(&others, metric_to_v1(a, spec_fields, m));
    convert_metrics(&current, metric_to_v1, status_fields, json_get(in, "status.currentMetrics"));
    if (others.len > 0) out = annotate(a, out, METRICS, json_array_done(&others));
    if (current.len > 0) out = annotate(a, out, CURRENT_METRICS, json_array_done(&current));
    if (present(behavior))
        out = annotate(a, out, BEHAVIOR,
                       json_make(a, "{'ScaleUp':%v,'ScaleDown':%v}", internal_rules(a, json_member(behavior, "scaleUp")),
                                 internal_rules(a, json_member(behavior, "scaleDown"))));
    if (json_len(conditions) > 0) out = annotate(a, out, CONDITIONS, conditions);
    return out;
}

static struct error *autoscaler_to_v1(struct arena *a, const struct json *in, const struct json **out) {
    const struct json *o = in, *annotations = annotations_for_v1(a, in);
    if (json_len(annotations) > 0 || present(json_get(in, "metadata.annotations")))
        o = json_with(a, o, "metadata.annotations", annotations);
    JSON_EACH(m, json_get(in, "spec.metrics")) {
        if (!is_cpu_utilization(m, "resource.target")) continue;
        o = json_with(a, o, "spec.targetCPUUtilizationPercentage", json_get(m, "resource.target.averageUtilization"));
        break;
    }
    JSON_EACH(m, json_get(in, "status.currentMetrics"))
    if (is_cpu_utilization(m, "resource.current"))
        o = json_with(a, o, "status.currentCPUUtilizationPercentage", json_get(m, "resource.current.averageUtilization"));
    o = json_with(a, o, "apiVersion", json_string(a, "autoscaling/v1"));
    return schema_decode(a, type_find("autoscaling/v1/HorizontalPodAutoscaler"), o, NULL, out);
}

/* The value of an annotation that holds JSON; NULL if it is absent or malformed. */
static const struct json *annotation_json(struct arena *a, const struct json *in, const char *key) {
    const struct json *text = json_member(json_get(in, "metadata.annotations"), key), *v;
    if (!json_is(text, JSON_STRING)) return NULL;
    cleanup_error struct error *e = json_parse(a, text->s, text->len, NULL, NULL, &v);
    return e ? NULL : v;
}

static const struct json *cpu_metric(struct arena *a, const char *at, const struct json *utilization) {
    const struct json *m = json_make(a, "{'type':'Resource','resource':{'name':'cpu'}}");
    if (str_eq(at, "target")) m = json_with(a, m, "resource.target.type", json_string(a, "Utilization"));
    return json_with(a, m, str_eq(at, "target") ? "resource.target.averageUtilization" : "resource.current.averageUtilization",
                     utilization);
}

static struct error *autoscaler_to_v2(struct arena *a, const struct json *in, const struct json **out) {
    const struct json *o = in, *cpu = json_get(in, "spec.targetCPUUtilizationPercentage");
    const struct json *current_cpu = json_get(in, "status.currentCPUUtilizationPercentage"),
                      *behavior = annotation_json(a, in, BEHAVIOR);
    const struct json *current = annotation_json(a, in, CURRENT_METRICS), *conditions = annotation_json(a, in, CONDITIONS);
    struct json_array metrics = {.arena = a}, statuses = {.arena = a};
    convert_metrics(&metrics, metric_to_v2, spec_fields, annotation_json(a, in, METRICS));
    if (present(cpu)) json_array_add(&metrics, cpu_metric(a, "target", cpu));
    if (metrics.len == 0) json_array_add(&metrics, cpu_metric(a, "target", json_integer(a, 80)));
    o = json_with(a, o, "spec.metrics", json_array_done(&metrics));
    if (current) convert_metrics(&statuses, metric_to_v2, status_fields, current);
    else if (present(current_cpu)) json_array_add(&statuses, cpu_metric(a, "current", current_cpu));
    if (statuses.len > 0) o = json_with(a, o, "status.currentMetrics", json_array_done(&statuses));
    if (json_is(behavior, JSON_OBJECT)) o = json_with(a, o, "spec.behavior", rename_first(a, behavior, tolower));
    if (json_len(conditions) > 0) o = json_with(a, o, "status.conditions", conditions);
    const struct json *annotations = json_get(in, "metadata.annotations");
    if (present(annotations)) o = json_with(a, o, "metadata.annotations", drop_annotations(a, annotations));
    o = json_with(a, o, "apiVersion", json_string(a, "autoscaling/v2"));
    return schema_decode(a, type_find("autoscaling/v2/HorizontalPodAutoscaler"), o, NULL, out);
}

/* ---- */

struct error *schema_convert(struct arena *a, const struct resource *from, const struct resource *to, const struct json *in,
                             const struct json **out) {
    const struct resource *v1 = &resource_autoscaling_v1_horizontalpodautoscalers,
                          *v2 = &resource_autoscaling_horizontalpodautoscalers;
    *out = in;
    if (from == to) return NULL;
    if (from == v2 && to == v1) return autoscaler_to_v1(a, in, out);
    if (from == v1 && to == v2) return autoscaler_to_v2(a, in, out);
    const char *version = *to->group ? arena_printf(a, "%s/%s", to->group, to->version) : to->version;
    if (str_eq(from->kind, "Event") && str_eq(to->kind, "Event")) TRY(convert_event(a, to == &resource_events, in, out));
    else if (!str_eq(from->kind, to->kind)) return error_new("%s cannot be converted to %s", from->kind, to->kind);
    *out = json_with_member(a, *out, "apiVersion", json_string(a, version));
    return to->type && !to->crd ? schema_decode(a, to->type, *out, NULL, out) : NULL;
}
