/* Table cells of the core group, as upstream's printers give them (pkg/printers/internalversion/printers.go). */
#include "apiserver/internal.h"
#include "apiserver/table.h"

/* ---- pods ---- */

static const char *init_reason(struct cells *c, const struct json *pod, bool *running) {
    size_t i = 0, total = json_len(json_get(pod, "spec.initContainers"));
    JSON_EACH(s, json_get(pod, "status.initContainerStatuses")) {
        const struct json *term = json_get(s, "state.terminated"), *wait = json_get(s, "state.waiting");
        const struct json *spec = json_at(json_get(pod, "spec.initContainers"), i);
        bool sidecar = json_str_is(spec, "restartPolicy", "Always");
        i++;
        if (term && json_int(term, "exitCode", 0) == 0) continue;
        if (sidecar && json_bool(s, "started", false)) continue;
        *running = true;
        if (term && *json_str_or(term, "reason", "")) return arena_printf(c->arena, "Init:%s", json_str(term, "reason"));
        if (term && json_int(term, "signal", 0)) return arena_printf(c->arena, "Init:Signal:%ld", (long)json_int(term, "signal", 0));
        if (term) return arena_printf(c->arena, "Init:ExitCode:%ld", (long)json_int(term, "exitCode", 0));
        if (wait && *json_str_or(wait, "reason", "") && strcmp(json_str(wait, "reason"), "PodInitializing") != 0)
            return arena_printf(c->arena, "Init:%s", json_str(wait, "reason"));
        return arena_printf(c->arena, "Init:%zu/%zu", i - 1, total);
    }
    return NULL;
}

static const char *container_reason(struct cells *c, const struct json *pod, const char *reason, size_t *ready, bool *has_running) {
    const struct json *list = json_get(pod, "status.containerStatuses");
    for (size_t i = json_len(list); i-- > 0;) {
        const struct json *s = json_at(list, i), *wait = json_get(s, "state.waiting"), *term = json_get(s, "state.terminated");
        if (*json_str_or(wait, "reason", "")) reason = json_str(wait, "reason");
        else if (*json_str_or(term, "reason", "")) reason = json_str(term, "reason");
        else if (term && json_int(term, "signal", 0)) reason = arena_printf(c->arena, "Signal:%ld", (long)json_int(term, "signal", 0));
        else if (term) reason = arena_printf(c->arena, "ExitCode:%ld", (long)json_int(term, "exitCode", 0));
        else if (json_bool(s, "ready", false) && json_get(s, "state.running")) *has_running = true, (*ready)++;
    }
    return reason;
}

static bool pod_ready(const struct json *pod) {
    JSON_EACH(k, json_get(pod, "status.conditions")) {
        if (json_str_is(k, "type", "Ready")) return json_str_is(k, "status", "True");
    }
    return false;
}

static void restarts(struct cells *c, const struct json *pod, bool initializing) {
    int64_t count = 0, last = 0, when;
    const struct json *lists[] = {json_get(pod, "status.initContainerStatuses"), initializing ? NULL : json_get(pod, "status.containerStatuses")};
    for (size_t l = 0; l < 2; l++) {
        size_t i = 0;
        JSON_EACH(s, lists[l]) {
            bool sidecar = json_str_is(json_at(json_get(pod, "spec.initContainers"), i++), "restartPolicy", "Always");
            if (l == 0 && !initializing && !sidecar) continue;
            count += json_int(s, "restartCount", 0);
            if (time_parse(json_str_or(s, "lastState.terminated.finishedAt", ""), &when)) last = MAX(last, when);
        }
    }
    char text[TIME_STRING_MAX];
    if (count && last) cell_strf(c, "%ld (%s ago)", (long)count, time_human_duration(text, c->now - last));
    else cell_strf(c, "%ld", (long)count);
}

static size_t count_sidecars(const struct json *pod, size_t *ready) {
    size_t n = 0, i = 0;
    const struct json *statuses = json_get(pod, "status.initContainerStatuses");
    JSON_EACH(s, json_get(pod, "spec.initContainers")) {
        bool sidecar = json_str_is(s, "restartPolicy", "Always");
        const struct json *st = json_at(statuses, i++);
        n += sidecar;
        if (sidecar && json_bool(st, "started", false) && json_bool(st, "ready", false)) (*ready)++;
    }
    return n;
}

static const char *pod_reason(struct cells *c, const struct json *pod, size_t *ready, bool *initializing) {
    const char *reason = json_str_or(pod, "status.phase", ""), *given = json_str_or(pod, "status.reason", "");
    bool has_running = false;
    if (*given) reason = given;
    JSON_EACH(k, json_get(pod, "status.conditions")) {
        if (json_str_is(k, "type", "PodScheduled") && json_str_is(k, "reason", "SchedulingGated")) reason = "SchedulingGated";
    }
    const char *init = init_reason(c, pod, initializing);
    if (init) reason = init;
    if (!*initializing) {
        reason = container_reason(c, pod, reason, ready, &has_running);
        if (strcmp(reason, "Completed") == 0 && has_running) reason = pod_ready(pod) ? "Running" : "NotReady";
    }
    const char *phase = json_str_or(pod, "status.phase", "");
    bool over = strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0;
    if (json_get(pod, "metadata.deletionTimestamp")) {
        if (strcmp(given, "NodeLost") == 0) reason = "Unknown";
        else if (!over) reason = "Terminating";
    }
    return reason;
}

static const char *or_none(const char *s) { return s && *s ? s : "<none>"; }

static void pod(struct cells *c, const struct json *o) {
    size_t ready = 0, gates = json_len(json_get(o, "spec.readinessGates")), met = 0;
    size_t total = json_len(json_get(o, "spec.containers")) + count_sidecars(o, &ready);
    bool initializing = false;
    const char *reason = pod_reason(c, o, &ready, &initializing);
    cell_strf(c, "%zu/%zu", ready, total);
    cell_str(c, reason);
    restarts(c, o, initializing);
    cell_age(c, o);
    cell_str(c, or_none(json_str(json_at(json_get(o, "status.podIPs"), 0), "ip")));
    cell_str(c, or_none(json_str(o, "spec.nodeName")));
    cell_str(c, or_none(json_str(o, "status.nominatedNodeName")));
    JSON_EACH(g, json_get(o, "spec.readinessGates")) {
        JSON_EACH(k, json_get(o, "status.conditions"))
            met += str_eq(json_str(k, "type"), json_str(g, "conditionType")) && json_str_is(k, "status", "True");
    }
    gates ? cell_strf(c, "%zu/%zu", met, gates) : cell_str(c, "<none>");
}

static void pod_template(struct cells *c, const struct json *o) {
    cell_containers(c, json_get(o, "template.spec"));
    cell_str(c, cell_labels(c, json_get(o, "template.metadata.labels")));
}

/* ---- services ---- */

static const char *load_balancer(struct cells *c, const struct json *o) {
    const char *out = "";
    JSON_EACH(i, json_get(o, "status.loadBalancer.ingress")) {
        const char *s = json_str_or(i, "ip", json_str_or(i, "hostname", ""));
        out = *out ? arena_printf(c->arena, "%s,%s", out, s) : s;
    }
    return out;
}

static const char *join(struct cells *c, const struct json *list) {
    const char *out = "";
    JSON_EACH(v, list) out = *out ? arena_printf(c->arena, "%s,%s", out, json_str_or(v, NULL, "")) : json_str_or(v, NULL, "");
    return out;
}

static const char *external_ip(struct cells *c, const struct json *o) {
    const char *type = json_str_or(o, "spec.type", ""), *ips = join(c, json_get(o, "spec.externalIPs"));
    if (strcmp(type, "ExternalName") == 0) return json_str_or(o, "spec.externalName", "");
    if (strcmp(type, "LoadBalancer") != 0) return or_none(ips);
    const char *lb = load_balancer(c, o);
    if (*ips) return *lb ? arena_printf(c->arena, "%s,%s", lb, ips) : ips;
    return *lb ? lb : "<pending>";
}

static void service(struct cells *c, const struct json *o) {
    const char *ports = "";
    JSON_EACH(p, json_get(o, "spec.ports")) {
        int64_t node = json_int(p, "nodePort", 0);
        const char *one = node ? arena_printf(c->arena, "%ld:%ld/%s", (long)json_int(p, "port", 0), (long)node, json_str_or(p, "protocol", ""))
                               : arena_printf(c->arena, "%ld/%s", (long)json_int(p, "port", 0), json_str_or(p, "protocol", ""));
        ports = *ports ? arena_printf(c->arena, "%s,%s", ports, one) : one;
    }
    cell_str(c, json_str_or(o, "spec.type", ""));
    cell_str(c, or_none(json_str(json_at(json_get(o, "spec.clusterIPs"), 0), NULL)));
    cell_str(c, external_ip(c, o));
    cell_str(c, or_none(ports));
    cell_age(c, o);
    cell_str(c, cell_labels(c, json_get(o, "spec.selector")));
}

static void endpoints(struct cells *c, const struct json *o) {
    const char *out = "";
    size_t n = 0;
    JSON_EACH(s, json_member(o, "subsets")) {
        const struct json *ports = json_member(s, "ports");
        static const struct json portless = {.type = JSON_OBJECT};
        const struct json one = {.type = JSON_ARRAY, .len = 1, .items = &portless};
        JSON_EACH(p, json_len(ports) ? ports : &one) {
            JSON_EACH(a, json_member(s, "addresses")) {
                if (++n > 3) continue;
                int64_t port = json_int(p, "port", 0);
                const char *text = port ? arena_printf(c->arena, "%s:%ld", json_str_or(a, "ip", ""), (long)port) : json_str_or(a, "ip", "");
                out = *out ? arena_printf(c->arena, "%s,%s", out, text) : text;
            }
        }
    }
    if (n > 3) out = arena_printf(c->arena, "%s + %zu more...", out, n - 3);
    cell_str(c, or_none(out));
    cell_age(c, o);
}

/* ---- nodes ---- */

static const char *node_address(const struct json *o, const char *type) {
    JSON_EACH(a, json_get(o, "status.addresses")) {
        if (json_str_is(a, "type", type)) return json_str_or(a, "address", "");
    }
    return "<none>";
}

static const char *node_roles(struct cells *c, const struct json *o) {
    const char *names[32];
    size_t n = 0;
    JSON_EACH_MEMBER(m, json_get(o, "metadata.labels")) {
        const char *role = str_starts(m->key, "node-role.kubernetes.io/") ? m->key + 24 : strcmp(m->key, "kubernetes.io/role") == 0 ? json_str_or(&m->value, NULL, "") : "";
        if (!*role || n == ARRAY_LEN(names)) continue;
        size_t at = n++;
        for (; at > 0 && strcmp(names[at - 1], role) > 0; at--) names[at] = names[at - 1];
        names[at] = role;
    }
    const char *out = "";
    for (size_t i = 0; i < n; i++) out = i ? arena_printf(c->arena, "%s,%s", out, names[i]) : names[i];
    return or_none(out);
}

static void node(struct cells *c, const struct json *o) {
    const char *status = "Unknown";
    JSON_EACH(k, json_get(o, "status.conditions")) {
        if (json_str_is(k, "type", "Ready")) status = json_str_is(k, "status", "True") ? "Ready" : "NotReady";
    }
    if (json_bool(o, "spec.unschedulable", false)) status = arena_printf(c->arena, "%s,SchedulingDisabled", status);
    static const char *const info[] = {"osImage", "kernelVersion", "containerRuntimeVersion"};
    cell_str(c, status);
    cell_str(c, node_roles(c, o));
    cell_age(c, o);
    cell_str(c, json_str_or(o, "status.nodeInfo.kubeletVersion", ""));
    cell_str(c, node_address(o, "InternalIP"));
    cell_str(c, node_address(o, "ExternalIP"));
    for (size_t i = 0; i < 3; i++) {
        const char *v = json_str_or(json_get(o, "status.nodeInfo"), info[i], "");
        cell_str(c, *v ? v : "<unknown>");
    }
}

static void namespace(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "status.phase", ""));
    cell_age(c, o);
}

/* ---- configuration ---- */

static void configmap(struct cells *c, const struct json *o) {
    cell_int(c, (int64_t)(json_len(json_member(o, "data")) + json_len(json_member(o, "binaryData"))));
    cell_age(c, o);
}

static void secret(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "type", ""));
    cell_int(c, (int64_t)json_len(json_member(o, "data")));
    cell_age(c, o);
}

static void age_only(struct cells *c, const struct json *o) { cell_age(c, o); }
static void created_at(struct cells *c, const struct json *o) { cell_str(c, json_str_or(o, "metadata.creationTimestamp", "")); }

static void quota(struct cells *c, const struct json *o) {
    const struct json *hard = json_get(o, "status.hard"), *used = json_get(o, "status.used");
    const char *keys[64], *request = "", *limit = "";
    size_t n = 0;
    JSON_EACH_MEMBER(m, hard) {
        size_t at = n < ARRAY_LEN(keys) ? n++ : n - 1;
        for (; at > 0 && strcmp(keys[at - 1], m->key) > 0; at--) keys[at] = keys[at - 1];
        keys[at] = m->key;
    }
    for (size_t i = 0; i < n; i++) {
        const char *u = json_str_or(json_member(used, keys[i]), NULL, "0"), *h = json_str_or(json_member(hard, keys[i]), NULL, "0");
        const char **to = str_starts(keys[i], "limits.") ? &limit : &request;
        *to = arena_printf(c->arena, **to ? "%s, %s: %s/%s" : "%s%s: %s/%s", *to, keys[i], u, h);
    }
    cell_str(c, request);
    cell_str(c, limit);
    cell_age(c, o);
}

/* ---- events ---- */

static const char *event_time(const struct json *o, bool first) {
    const char *t = json_str(o, first ? "firstTimestamp" : "lastTimestamp");
    if (!first && json_str(o, "series.lastObservedTime")) return json_str(o, "series.lastObservedTime");
    return t ? t : json_str(o, "eventTime");
}

static void event(struct cells *c, const struct json *o) {
    int64_t count = json_int(o, "count", 0);
    const struct json *object = json_member(o, "involvedObject");
    char *kind = arena_strdup(c->arena, json_str_or(object, "kind", ""));
    for (char *p = kind; *p; p++) *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    const char *name = json_str_or(object, "name", ""), *host = json_str_or(o, "source.host", "");
    const char *source = json_str_or(o, "source.component", json_str_or(o, "reportingComponent", ""));
    if (*host) source = arena_printf(c->arena, "%s, %s", source, host);
    char *message = arena_strdup(c->arena, json_str_or(o, "message", ""));
    for (size_t n = strlen(message); n > 0 && (message[n - 1] == '\n' || message[n - 1] == ' '); n--) message[n - 1] = '\0';
    if (json_member(o, "series")) count = json_int(o, "series.count", 0);
    else if (count == 0) count = 1;
    c->out.len = 0;
    cell_since(c, event_time(o, false));
    cell_str(c, json_str_or(o, "type", ""));
    cell_str(c, json_str_or(o, "reason", ""));
    *name ? cell_strf(c, "%s/%s", kind, name) : cell_str(c, kind);
    cell_str(c, json_str_or(object, "fieldPath", ""));
    cell_str(c, source);
    cell_str(c, message);
    cell_since(c, event_time(o, true));
    cell_int(c, count);
    cell_str(c, json_str_or(o, "metadata.name", ""));
}

/* ---- volumes ---- */

static const char *access_modes(struct cells *c, const struct json *modes) {
    static const struct { const char *name, *text; } names[] = {{"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    const char *out = "";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool has = false;
        JSON_EACH(m, modes) has |= json_str_is(m, NULL, names[i].name);
        if (has) out = *out ? arena_printf(c->arena, "%s,%s", out, names[i].text) : names[i].text;
    }
    return out;
}

static const char *class_of(const struct json *o) {
    return json_str_or(json_get(o, "metadata.annotations"), "volume.beta.kubernetes.io/storage-class", json_str_or(o, "spec.storageClassName", ""));
}

static void claim(struct cells *c, const struct json *o) {
    bool bound = *json_str_or(o, "spec.volumeName", "") != '\0';
    cell_str(c, json_get(o, "metadata.deletionTimestamp") ? "Terminating" : json_str_or(o, "status.phase", ""));
    cell_str(c, json_str_or(o, "spec.volumeName", ""));
    cell_str(c, bound ? json_str_or(json_get(o, "status.capacity"), "storage", "0") : "");
    cell_str(c, bound ? access_modes(c, json_get(o, "status.accessModes")) : "");
    cell_str(c, class_of(o));
    cell_str(c, json_str_or(o, "spec.volumeAttributesClassName", "<unset>"));
    cell_age(c, o);
    cell_str(c, json_str_or(o, "spec.volumeMode", "<unset>"));
}

static void volume(struct cells *c, const struct json *o) {
    const struct json *ref = json_get(o, "spec.claimRef");
    cell_str(c, json_str_or(json_get(o, "spec.capacity"), "storage", "0"));
    cell_str(c, access_modes(c, json_get(o, "spec.accessModes")));
    cell_str(c, json_str_or(o, "spec.persistentVolumeReclaimPolicy", ""));
    cell_str(c, json_get(o, "metadata.deletionTimestamp") ? "Terminating" : json_str_or(o, "status.phase", ""));
    ref ? cell_strf(c, "%s/%s", json_str_or(ref, "namespace", ""), json_str_or(ref, "name", "")) : cell_str(c, "");
    cell_str(c, class_of(o));
    cell_str(c, json_str_or(o, "spec.volumeAttributesClassName", "<unset>"));
    cell_str(c, json_str_or(o, "status.reason", ""));
    cell_age(c, o);
    cell_str(c, json_str_or(o, "spec.volumeMode", "<unset>"));
}

static void component_status(struct cells *c, const struct json *o) {
    const char *status = "Unknown", *message = "", *error = "";
    JSON_EACH(k, json_member(o, "conditions")) {
        if (!json_str_is(k, "type", "Healthy")) continue;
        status = json_str_is(k, "status", "True") ? "Healthy" : "Unhealthy";
        message = json_str_or(k, "message", "");
        error = json_str_or(k, "error", "");
    }
    cell_str(c, status);
    cell_str(c, message);
    cell_str(c, error);
}

const struct printer printers_core[] = {
    {&resource_pods, pod},
    {&resource_podtemplates, pod_template},
    {&resource_services, service},
    {&resource_endpoints, endpoints},
    {&resource_nodes, node},
    {&resource_namespaces, namespace},
    {&resource_configmaps, configmap},
    {&resource_secrets, secret},
    {&resource_serviceaccounts, age_only},
    {&resource_limitranges, created_at},
    {&resource_resourcequotas, quota},
    {&resource_events, event},
    {&resource_persistentvolumeclaims, claim},
    {&resource_persistentvolumes, volume},
    {&resource_componentstatuses, component_status},
    {0},
};
