/* The pod sandbox: PodSandboxConfig out of the pod's spec, creation, end. */
#include "node/cgroups.h"
#include "node/container.h"
#include "node/dns.h"
#include "node/logs.h"

static const struct json *string_map(struct arena *a, const struct json *map) {
    struct json_object out = {.arena = a};
    JSON_EACH_MEMBER(m, map) if (json_is(&m->value, JSON_STRING)) json_object_add(&out, m->key, &m->value);
    return json_object_done(&out);
}

static const struct json *pod_labels(struct arena *a, const struct json *pod) {
    const struct json *labels = string_map(a, object_labels(pod));
    labels = json_with_member(a, labels, LABEL_POD_NAME, json_get(pod, "metadata.name"));
    labels = json_with_member(a, labels, LABEL_POD_NAMESPACE, json_get(pod, "metadata.namespace"));
    return json_with_member(a, labels, LABEL_POD_UID, json_get(pod, "metadata.uid"));
}

static const struct json *port_mappings(struct arena *a, const struct json *pod) {
    struct json_array out = {.arena = a};
    if (pod_is_host_network(pod)) return NULL;
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        JSON_EACH(c, json_member(json_member(pod, "spec"), lists[i])) {
            if (i == 1 && !container_is_sidecar(c)) continue;
            JSON_EACH(p, json_member(c, "ports"))
                if (json_int(p, "hostPort", 0))
                    json_array_add(&out, json_make(a, "{'protocol':%s,'container_port':%ld,'host_port':%ld,'host_ip':%s}",
                        json_str_or(p, "protocol", "TCP"), json_int(p, "containerPort", 0), json_int(p, "hostPort", 0), json_str(p, "hostIP")));
        }
    return out.len ? json_array_done(&out) : NULL;
}

static const struct json *sysctls(struct arena *a, const struct json *pod) {
    struct json_object out = {.arena = a};
    JSON_EACH(s, json_get(pod, "spec.securityContext.sysctls")) json_object_add(&out, json_str_or(s, "name", ""), json_member(s, "value"));
    return out.len ? json_object_done(&out) : NULL;
}

/* A sandbox is privileged when one of its containers is. */
static bool any_privileged(const struct json *pod) {
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        JSON_EACH(c, json_member(json_member(pod, "spec"), lists[i]))
            if (json_bool(c, "securityContext.privileged", false)) return true;
    return false;
}

static const struct json *sandbox_security(struct arena *a, struct pod_worker *w, const struct json *pod) {
    const struct json *pod_context = json_get(pod, "spec.securityContext");
    const struct json *user = json_member(pod_context, "runAsUser"), *group = json_member(pod_context, "runAsGroup");
    struct json_array groups = {.arena = a};
    if (json_member(pod_context, "fsGroup")) json_array_add(&groups, json_member(pod_context, "fsGroup"));
    JSON_EACH(g, json_member(pod_context, "supplementalGroups")) json_array_add(&groups, g);
    return json_make(a, "{'namespace_options':%v,'run_as_user':%v,'run_as_group':%v,'supplemental_groups':%v,'privileged':%b,"
                        "'seccomp':{'profile_type':'RuntimeDefault'}}",
                     namespace_options(a, w, pod, NULL), user ? json_make(a, "{'value':%v}", user) : NULL,
                     group && user ? json_make(a, "{'value':%v}", group) : NULL, json_array_done(&groups), any_privileged(pod));
}

/* The RuntimeClass' handler. */
static struct error *runtime_handler(struct pod_worker *w, struct arena *a, const struct json *pod, const char **out) {
    const char *name = json_str(pod, "spec.runtimeClassName");
    *out = "";
    if (!name) return NULL;
    cleanup_doc struct doc *class = NULL;
    struct error *e = client_get(w->node->client, &resource_node_runtimeclasses, NULL, name, &class);
    if (e) return error_wrap(e, "failed to get sandbox runtime");
    *out = arena_strdup(a, json_str_or(class->root, "handler", ""));
    return NULL;
}

struct error *sandbox_config(struct arena *a, struct pod_worker *w, const struct json *pod, int64_t attempt,
                             const struct json **config, const char **handler) {
    const struct json *dns;
    TRY(runtime_handler(w, a, pod, handler));
    TRY(dns_config(a, w, pod, &dns));
    const char *hostname = pod_is_host_network(pod) ? "" : pod_hostname(a, pod, w->node->config.cluster_domain, NULL);
    const char *name = json_str(pod, "metadata.name"), *ns = json_str(pod, "metadata.namespace");
    const struct json *linux_config = json_make(a, "{'cgroup_parent':%s,'security_context':%v,'sysctls':%v}",
                                                cgroup_pod_path(a, w->node, pod), sandbox_security(a, w, pod), sysctls(a, pod));
    *config = json_make(a, "{'metadata':{'name':%s,'uid':%s,'namespace':%s,'attempt':%ld},'hostname':%s,'log_directory':%s,"
                           "'dns_config':%v,'port_mappings':%v,'labels':%v,'annotations':%v,'linux':%v}",
                        name, w->uid, ns, attempt, hostname, logs_pod_dir(a, w->node, pod), dns, port_mappings(a, pod),
                        pod_labels(a, pod), string_map(a, json_get(pod, "metadata.annotations")), linux_config);
    return NULL;
}

struct error *sandbox_create(struct pod_worker *w, const struct json *pod, int64_t attempt) {
    cleanup_arena struct arena a = {0};
    const struct json *config, *answer;
    const char *handler;
    TRY(dir_make(logs_pod_dir(&a, w->node, pod), 0755));
    TRY(sandbox_config(&a, w, pod, attempt, &config, &handler));
    return cri_call(w->node->cri, CRI_RUN_POD_SANDBOX, &a, json_make(&a, "{'config':%v,'runtime_handler':%s}", config, handler),
                    SECONDS(240), &answer);
}

struct error *sandbox_stop_all(struct pod_worker *w, const struct pod_runtime *r) {
    cleanup_arena struct arena a = {0};
    for (size_t i = 0; r && i < r->sandbox_count; i++) {
        struct error *e = cri_call(w->node->cri, CRI_STOP_POD_SANDBOX, &a, json_make(&a, "{'pod_sandbox_id':%s}", r->sandboxes[i].id), 0, NULL);
        if (!e) continue;
        worker_event(w, "Warning", "FailedKillPod", "error killing pod: failed to \"KillPodSandbox\" for \"%s\" with KillPodSandboxError: \"%s\"",
                     w->uid, e->message);
        return e;
    }
    return NULL;
}
