/* Table cells of apps, batch, autoscaling and policy. */
#include "apiserver/internal.h"
#include "apiserver/table.h"

static int64_t status(const struct json *o, const char *field) { return json_int(json_member(o, "status"), field, 0); }

static void template_tail(struct cells *c, const struct json *o, bool selector) {
    cell_containers(c, json_get(o, "spec.template.spec"));
    if (selector) cell_str(c, cell_selector(c, json_get(o, "spec.selector")));
}

static void deployment(struct cells *c, const struct json *o) {
    cell_strf(c, "%ld/%ld", (long)status(o, "readyReplicas"), (long)json_int(o, "spec.replicas", 0));
    cell_int(c, status(o, "updatedReplicas"));
    cell_int(c, status(o, "availableReplicas"));
    cell_age(c, o);
    template_tail(c, o, true);
}

static void replicaset(struct cells *c, const struct json *o) {
    cell_int(c, json_int(o, "spec.replicas", 0));
    cell_int(c, status(o, "replicas"));
    cell_int(c, status(o, "readyReplicas"));
    cell_age(c, o);
    template_tail(c, o, true);
}

static void replication_controller(struct cells *c, const struct json *o) {
    cell_int(c, json_int(o, "spec.replicas", 0));
    cell_int(c, status(o, "replicas"));
    cell_int(c, status(o, "readyReplicas"));
    cell_age(c, o);
    template_tail(c, o, false);
    cell_str(c, cell_labels(c, json_get(o, "spec.selector")));
}

static void statefulset(struct cells *c, const struct json *o) {
    cell_strf(c, "%ld/%ld", (long)status(o, "readyReplicas"), (long)json_int(o, "spec.replicas", 0));
    cell_age(c, o);
    template_tail(c, o, false);
}

static void daemonset(struct cells *c, const struct json *o) {
    cell_int(c, status(o, "desiredNumberScheduled"));
    cell_int(c, status(o, "currentNumberScheduled"));
    cell_int(c, status(o, "numberReady"));
    cell_int(c, status(o, "updatedNumberScheduled"));
    cell_int(c, status(o, "numberAvailable"));
    cell_str(c, cell_labels(c, json_get(o, "spec.template.spec.nodeSelector")));
    cell_age(c, o);
    template_tail(c, o, true);
}

static void controller_revision(struct cells *c, const struct json *o) {
    const char *owner = "<none>";
    JSON_EACH(r, json_get(o, "metadata.ownerReferences")) {
        if (!json_bool(r, "controller", false)) continue;
        const char *version = json_str_or(r, "apiVersion", ""), *slash = strchr(version, '/');
        char *kind = arena_strdup(c->arena, json_str_or(r, "kind", ""));
        for (char *p = kind; *p; p++) *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        owner = slash ? arena_printf(c->arena, "%s.%.*s/%s", kind, (int)(slash - version), version, json_str_or(r, "name", ""))
                      : arena_printf(c->arena, "%s/%s", kind, json_str_or(r, "name", ""));
    }
    cell_str(c, owner);
    cell_int(c, json_int(o, "revision", 0));
    cell_age(c, o);
}

static bool has_condition(const struct json *o, const char *type) {
    JSON_EACH(k, json_get(o, "status.conditions")) {
        if (json_str_is(k, "type", type) && json_str_is(k, "status", "True")) return true;
    }
    return false;
}

static void job(struct cells *c, const struct json *o) {
    const struct json *completions = json_get(o, "spec.completions");
    int64_t parallelism = json_int(o, "spec.parallelism", 0), start, end;
    char text[TIME_STRING_MAX];
    const char *state = has_condition(o, "Complete") ? "Complete" : has_condition(o, "Failed") ? "Failed"
                        : json_get(o, "metadata.deletionTimestamp") ? "Terminating" : has_condition(o, "Suspended") ? "Suspended"
                        : has_condition(o, "FailureTarget") ? "FailureTarget" : has_condition(o, "SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
    cell_str(c, state);
    if (completions) cell_strf(c, "%ld/%ld", (long)status(o, "succeeded"), (long)completions->i);
    else if (parallelism > 1) cell_strf(c, "%ld/1 of %ld", (long)status(o, "succeeded"), (long)parallelism);
    else cell_strf(c, "%ld/1", (long)status(o, "succeeded"));
    if (!time_parse(json_str_or(o, "status.startTime", ""), &start)) cell_str(c, "");
    else if (time_parse(json_str_or(o, "status.completionTime", ""), &end)) cell_str(c, time_human_duration(text, end - start));
    else cell_str(c, time_human_duration(text, c->now - start));
    cell_age(c, o);
    template_tail(c, o, true);
}

static void cronjob(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "spec.schedule", ""));
    cell_str(c, json_str_or(o, "spec.timeZone", "<none>"));
    cell_str(c, json_bool(o, "spec.suspend", false) ? "True" : "False");
    cell_int(c, (int64_t)json_len(json_get(o, "status.active")));
    const char *last = json_str(o, "status.lastScheduleTime");
    last ? cell_since(c, last) : cell_str(c, "<none>");
    cell_age(c, o);
    cell_containers(c, json_get(o, "spec.jobTemplate.spec.template.spec"));
    cell_str(c, cell_selector(c, json_get(o, "spec.jobTemplate.spec.selector")));
}

/* ---- autoscalers ---- */

static const char *quantity(struct cells *c, const struct json *v) {
    struct quantity q = quantity_of(v);
    return v ? quantity_format(c->arena, &q) : "<unknown>";
}

static const struct json *current_metric(const struct json *o, size_t i) { return json_at(json_get(o, "status.currentMetrics"), i); }

static const char *metric(struct cells *c, const struct json *o, const struct json *m, size_t i) {
    static const struct { const char *type, *member, *kind; } types[] = {
        {"External", "external", NULL}, {"Pods", "pods", NULL}, {"Object", "object", NULL}, {"Resource", "resource", NULL}, {"ContainerResource", "containerResource", NULL}};
    const struct json *now = current_metric(o, i);
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        if (!json_str_is(m, "type", types[t].type)) continue;
        const struct json *target = json_member(json_member(m, types[t].member), "target"), *current = json_member(json_member(now, types[t].member), "current");
        const struct json *average = json_member(target, "averageValue"), *utilization = json_member(target, "averageUtilization");
        bool resource = t >= 3;
        const char *name = resource ? json_str_or(json_member(m, types[t].member), "name", "") : "";
        if (resource && average == NULL) {
            const struct json *u = json_member(current, "averageUtilization");
            const char *left = u ? arena_printf(c->arena, "%ld%%", (long)u->i) : "<unknown>";
            const char *right = utilization ? arena_printf(c->arena, "%ld%%", (long)utilization->i) : "<auto>";
            return arena_printf(c->arena, "%s: %s/%s", name, left, right);
        }
        if (resource) return arena_printf(c->arena, "%s: %s/%s", name, quantity(c, json_member(current, "averageValue")), quantity(c, average));
        const char *suffix = average && t != 1 ? " (avg)" : "";
        return arena_printf(c->arena, "%s/%s%s", quantity(c, json_member(current, average ? "averageValue" : "value")),
                            quantity(c, average ? average : json_member(target, "value")), suffix);
    }
    return "<unknown type>";
}

static void autoscaler(struct cells *c, const struct json *o) {
    const struct json *metrics = json_get(o, "spec.metrics");
    const char *text = "";
    size_t i = 0;
    cell_strf(c, "%s/%s", json_str_or(o, "spec.scaleTargetRef.kind", ""), json_str_or(o, "spec.scaleTargetRef.name", ""));
    JSON_EACH(m, metrics) {
        if (i < 2) text = arena_printf(c->arena, *text ? "%s, %s" : "%s%s", text, metric(c, o, m, i));
        i++;
    }
    if (i > 2) text = arena_printf(c->arena, "%s + %zu more...", text, i - 2);
    cell_str(c, i ? text : "<none>");
    const struct json *min = json_get(o, "spec.minReplicas");
    min ? cell_strf(c, "%ld", (long)min->i) : cell_str(c, "<unset>");
    cell_int(c, json_int(o, "spec.maxReplicas", 0));
    cell_int(c, status(o, "currentReplicas"));
    cell_age(c, o);
}

static void autoscaler_v1(struct cells *c, const struct json *o) {
    const struct json *target = json_get(o, "spec.targetCPUUtilizationPercentage"), *now = json_get(o, "status.currentCPUUtilizationPercentage");
    cell_strf(c, "%s/%s", json_str_or(o, "spec.scaleTargetRef.kind", ""), json_str_or(o, "spec.scaleTargetRef.name", ""));
    const char *left = now ? arena_printf(c->arena, "%ld%%", (long)now->i) : "<unknown>";
    target ? cell_strf(c, "cpu: %s/%ld%%", left, (long)target->i) : cell_str(c, "<none>");
    const struct json *min = json_get(o, "spec.minReplicas");
    min ? cell_strf(c, "%ld", (long)min->i) : cell_str(c, "<unset>");
    cell_int(c, json_int(o, "spec.maxReplicas", 0));
    cell_int(c, status(o, "currentReplicas"));
    cell_age(c, o);
}

static void int_or_string(struct cells *c, const struct json *v) {
    if (v == NULL) cell_str(c, "N/A");
    else if (v->type == JSON_INT) cell_strf(c, "%ld", (long)v->i);
    else cell_str(c, json_str_or(v, NULL, ""));
}

static void budget(struct cells *c, const struct json *o) {
    int_or_string(c, json_get(o, "spec.minAvailable"));
    int_or_string(c, json_get(o, "spec.maxUnavailable"));
    cell_int(c, status(o, "disruptionsAllowed"));
    cell_age(c, o);
}

const struct printer printers_workloads[] = {
    {&resource_apps_deployments, deployment},
    {&resource_apps_replicasets, replicaset},
    {&resource_replicationcontrollers, replication_controller},
    {&resource_apps_statefulsets, statefulset},
    {&resource_apps_daemonsets, daemonset},
    {&resource_apps_controllerrevisions, controller_revision},
    {&resource_batch_jobs, job},
    {&resource_batch_cronjobs, cronjob},
    {&resource_autoscaling_horizontalpodautoscalers, autoscaler},
    {&resource_autoscaling_v1_horizontalpodautoscalers, autoscaler_v1},
    {&resource_policy_poddisruptionbudgets, budget},
    {0},
};
