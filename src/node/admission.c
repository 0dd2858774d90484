#include "node/admission.h"
#include "node/cgroups.h"
#include "node/pods.h"
#include "node/status.h"
#include <stdio.h>

struct check {
    struct pod_worker *w;
    struct arena *a;
    const struct json *pod, *node;
    struct pod_worker **others;
    const char *reason, *message;
};

static bool refuse(struct check *c, const char *reason, const char *message) {
    c->reason = reason, c->message = message;
    return false;
}

/* ---- node selector and affinity ---- */

static bool expression_matches(const struct json *x, const char *value) {
    const char *op = json_str_or(x, "operator", "In");
    bool in = false;
    JSON_EACH(s, json_member(x, "values")) in |= value && json_str_is(s, NULL, value);
    if (str_eq(op, "In")) return in;
    if (str_eq(op, "NotIn")) return !in;
    if (str_eq(op, "Exists")) return value != NULL;
    if (str_eq(op, "DoesNotExist")) return value == NULL;
    int64_t have, want;
    if (!value || !str_to_int64(value, &have) || !str_to_int64(json_str_or(json_at(json_member(x, "values"), 0), NULL, ""), &want)) return false;
    return str_eq(op, "Gt") ? have > want : have < want;
}

bool node_term_matches(const struct json *term, const struct json *node) {
    const struct json *labels = json_member(term, "matchExpressions"), *fields = json_member(term, "matchFields");
    if (json_len(labels) + json_len(fields) == 0) return false;
    JSON_EACH(x, labels) if (!expression_matches(x, object_label(node, json_str_or(x, "key", "")))) return false;
    JSON_EACH(x, fields) if (!expression_matches(x, json_str(node, json_str_or(x, "key", "")))) return false;
    return true;
}

static bool affinity_fits(struct check *c) {
    static const char why[] = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
    JSON_EACH_MEMBER(m, json_get(c->pod, "spec.nodeSelector"))
        if (!str_eq(object_label(c->node, m->key), json_str_or(&m->value, NULL, ""))) return refuse(c, "NodeAffinity", why);
    const struct json *required = json_get(c->pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    bool any = false;
    JSON_EACH(term, json_member(required, "nodeSelectorTerms")) any |= node_term_matches(term, c->node);
    return required && !any ? refuse(c, "NodeAffinity", why) : true;
}

/* ---- taints: only NoExecute matters to a pod that is bound already ---- */

static bool tolerates(const struct json *pod, const struct json *taint) {
    JSON_EACH(t, json_get(pod, "spec.tolerations")) {
        const char *effect = json_str_or(t, "effect", ""), *key = json_str_or(t, "key", "");
        if (*effect && !json_str_is(taint, "effect", effect)) continue;
        if (*key && !json_str_is(taint, "key", key)) continue;
        if (json_str_is(t, "operator", "Exists") || str_eq(json_str_or(t, "value", ""), json_str_or(taint, "value", ""))) return true;
    }
    return false;
}

static bool taints_fit(struct check *c) {
    JSON_EACH(taint, json_get(c->node, "spec.taints"))
        if (json_str_is(taint, "effect", "NoExecute") && !pod_is_static(c->pod) && !tolerates(c->pod, taint))
            return refuse(c, "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
    return true;
}

/* ---- resources ---- */

/* A pod that the API server has no more is not in anybody's way, even if its containers have not ended yet: the scheduler, which has given
 * its place away, knows nothing of those. */
static bool counts(const struct check *c, const struct pod_worker *w) {
    LOCK(w->node);
    bool gone = w->gone;
    UNLOCK(w->node);
    return w != c->w && !gone && !w->rejected && !w->finished && w->admitted && w->state == WORKER_SYNC;
}

static const char *out_of(const char *resource) {
    static const char *const known[][2] = {{"cpu", "OutOfcpu"}, {"memory", "OutOfmemory"}, {"pods", "OutOfpods"},
                                           {"ephemeral-storage", "OutOfephemeral-storage"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(resource, known[i][0])) return known[i][1];
    return xprintf("OutOf%s", resource); /* lives as long as the agent: extended resources are few */
}

static bool resource_fits(struct check *c, const char *resource) {
    bool cpu = str_eq(resource, "cpu"), pods = str_eq(resource, "pods");
    int64_t used = 0;
    struct quantity want = pods ? (struct quantity){.value = 1} : pod_request(c->pod, resource);
    struct quantity have = quantity_of(json_member(json_get(c->node, "status.allocatable"), resource));
    if (want.value == 0) return true;
    for (struct pod_worker **o = c->others; *o; o++) {
        if (!counts(c, *o)) continue;
        cleanup_doc struct doc *d = worker_pod(*o);
        struct quantity q = pods ? (struct quantity){.value = 1} : pod_request(d->root, resource);
        used += cpu ? quantity_milli_value(&q) : quantity_value(&q);
    }
    int64_t requested = cpu ? quantity_milli_value(&want) : quantity_value(&want);
    int64_t capacity = cpu ? quantity_milli_value(&have) : quantity_value(&have);
    if (used + requested <= capacity) return true;
    return refuse(c, out_of(resource), arena_printf(c->a, "Node didn't have enough resource: %s, requested: %lld, used: %lld, capacity: %lld",
                  resource, (long long)requested, (long long)used, (long long)capacity));
}

static bool resources_fit(struct check *c) {
    static const char *const basic[] = {"pods", "cpu", "memory", "ephemeral-storage"};
    for (size_t i = 0; i < ARRAY_LEN(basic); i++) if (!resource_fits(c, basic[i])) return false;
    JSON_EACH(k, json_get(c->pod, "spec.containers"))
        JSON_EACH_MEMBER(m, json_get(k, "resources.requests"))
            if (strchr(m->key, '/') && json_member(json_get(c->node, "status.allocatable"), m->key) && !resource_fits(c, m->key)) return false;
    return true;
}

/* ---- host ports ---- */

static bool wants_port(const struct json *pod, const struct json *port) {
    JSON_EACH(k, json_get(pod, "spec.containers"))
        JSON_EACH(p, json_member(k, "ports")) {
            const char *x = json_str_or(p, "hostIP", "0.0.0.0"), *y = json_str_or(port, "hostIP", "0.0.0.0");
            bool same_ip = str_eq(x, y) || str_eq(x, "0.0.0.0") || str_eq(y, "0.0.0.0");
            if (json_int(p, "hostPort", 0) == json_int(port, "hostPort", -1) && same_ip &&
                str_eq(json_str_or(p, "protocol", "TCP"), json_str_or(port, "protocol", "TCP"))) return true;
        }
    return false;
}

static bool ports_fit(struct check *c) {
    JSON_EACH(k, json_get(c->pod, "spec.containers"))
        JSON_EACH(p, json_member(k, "ports")) {
            if (!json_int(p, "hostPort", 0)) continue;
            for (struct pod_worker **o = c->others; *o; o++) {
                cleanup_doc struct doc *d = worker_pod(*o);
                if (counts(c, *o) && wants_port(d->root, p))
                    return refuse(c, "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports");
            }
        }
    return true;
}

/* ---- the rest ---- */

static bool os_fits(struct check *c) {
    const char *os = json_str(c->pod, "spec.os.name");
    if (os && !str_eq(os, "linux"))
        return refuse(c, "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS");
    const char *label = json_str(json_member(json_get(c->pod, "spec.nodeSelector"), "kubernetes.io/os"), NULL);
    if (label && !str_eq(label, "linux"))
        return refuse(c, "PodOSSelectorNodeLabelDoesNotMatch", "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label");
    return true;
}

static bool sysctls_fit(struct check *c) {
    static const char *const safe[] = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", NULL};
    JSON_EACH(s, json_get(c->pod, "spec.securityContext.sysctls"))
        if (!str_in(json_str(s, "name"), safe))
            return refuse(c, "SysctlForbidden", arena_printf(c->a, "forbidden sysctl: \"%s\" not allowlisted", json_str_or(s, "name", "")));
    return true;
}

/* Under pressure only critical pods are let in; best-effort ones are kept out by memory pressure alone. */
static bool pressure_fits(struct check *c) {
    struct node *n = c->w->node;
    LOCK(n);
    bool memory = n->memory_pressure, disk = n->disk_pressure, pid = n->pid_pressure;
    UNLOCK(n);
    if (!(memory || disk || pid) || json_int(c->pod, "spec.priority", 0) >= 2000000000 || pod_is_static(c->pod)) return true;
    bool only_memory = memory && !disk && !pid;
    if (only_memory && !str_eq(pod_qos(c->pod), "BestEffort")) return true;
    return refuse(c, "Evicted", arena_printf(c->a, "The node had condition: [%s]. ", disk ? "DiskPressure" : memory ? "MemoryPressure" : "PIDPressure"));
}

const char *admission_check(struct pod_worker *w, struct arena *a, const struct json *pod, const char **message) {
    static bool (*const checks[])(struct check *) = {os_fits, pressure_fits, sysctls_fit, resources_fit, affinity_fits, ports_fit, taints_fit};
    LOCK(w->node);
    struct doc *node = w->node->object ? doc_ref(w->node->object) : NULL;
    UNLOCK(w->node);
    if (!node) return NULL;
    cleanup_doc struct doc *hold = node;
    struct check c = {.w = w, .a = a, .pod = pod, .node = json_copy(a, node->root), .others = pods_list(w->node)};
    for (size_t i = 0; i < ARRAY_LEN(checks) && !c.reason; i++) checks[i](&c);
    pods_list_free(c.others);
    *message = c.message;
    return c.reason;
}
