#include "node/register.h"
#include "base/log.h"
#include "base/version.h"
#include "node/containerd.h"
#include "node/eviction.h"
#include "node/images.h"
#include "node/machine.h"
#include "node/preload.h"
#include <unistd.h>

#define LOG_COMPONENT "node"
#define LEASE_SECONDS 40
#define HEARTBEAT SECONDS(10)
#define RETRY SECONDS(2)           /* while the API server is away */
#define STATUS_PERIOD SECONDS(300) /* while nothing changes; the lease is the heartbeat */
#define STATUS_WAIT SECONDS(2)     /* while the node is not ready */
#define STARTING SECONDS(15)       /* in which the runtime comes up */

/* ---- the runtime's state ---- */

static const char *problem_of(struct arena *a, const struct json *status) {
    const struct json *network = NULL, *runtime = NULL;
    JSON_EACH(c, json_get(status, "status.conditions")) {
        if (json_str_is(c, "type", "NetworkReady")) network = c;
        if (json_str_is(c, "type", "RuntimeReady")) runtime = c;
    }
    const struct json *bad = !json_bool(runtime, "status", false) ? runtime : !json_bool(network, "status", false) ? network : NULL;
    if (!bad) return NULL;
    return arena_printf(a, "container runtime %snot ready: %sReady=false reason:%s message:%s", bad == network ? "network " : "is ",
                        bad == network ? "Network" : "Runtime", json_str_or(bad, "reason", ""), json_str_or(bad, "message", ""));
}

void node_check_runtime(struct node *n) {
    cleanup_arena struct arena a = {0};
    const struct json *status = NULL, *version = NULL;
    struct error *e = cri_call(n->cri, CRI_STATUS, &a, NULL, SECONDS(10), &status);
    if (!e && !n->runtime_version) e = cri_call(n->cri, CRI_VERSION, &a, NULL, SECONDS(10), &version);
    bool up = !e;
    if (up && !n->preloaded) e = images_preload(n);
    n->preloaded = up && !e;
    const char *problem = !up ? "container runtime is down" : e ? arena_strdup(&a, e->message) : problem_of(&a, status);
    error_free(e);
    LOCK(n);
    bool wanted = version || (n->runtime_problem && !problem); /* pods have waited for this */
    free(n->runtime_problem);
    n->runtime_problem = problem ? xstrdup(problem) : NULL;
    if (version) n->runtime_version = xprintf("%s://%s", json_str_or(version, "runtime_name", ""), json_str_or(version, "runtime_version", ""));
    for (struct map_slot *s = map_first(&n->workers); wanted && s; s = map_next(&n->workers, s)) dispatch_add(n->dispatch, "pod", s->key);
    UNLOCK(n);
}

/* ---- status ---- */

static const struct json *addresses(struct node *n, struct arena *a) {
    struct json_array out = {.arena = a};
    for (const char *const *ip = n->config.addresses; *ip; ip++) json_array_add(&out, json_make(a, "{'type':'InternalIP','address':%s}", *ip));
    json_array_add(&out, json_make(a, "{'type':'Hostname','address':%s}", n->config.name));
    return json_array_done(&out);
}

static const struct json *capacity(struct node *n, struct arena *a, bool allocatable) {
    struct machine_fs fs = {0};
    machine_fs(n->config.data_dir, &fs);
    int64_t memory = machine_memory_total(), disk = fs.capacity;
    if (allocatable) { /* what eviction keeps free */
        memory = eviction_memory_allocatable(n);
        disk -= eviction_threshold_of(&n->thresholds.of[SIGNAL_DISK], disk);
    }
    const char *storage = allocatable ? arena_printf(a, "%lld", (long long)disk) : arena_printf(a, "%lldKi", (long long)(disk / 1024));
    return json_make(a, "{'cpu':%s,'ephemeral-storage':%s,'hugepages-1Gi':'0','hugepages-2Mi':'0','memory':%s,'pods':%s}",
                     arena_printf(a, "%d", machine_cpus()), storage, arena_printf(a, "%lldKi", (long long)(memory / 1024)),
                     arena_printf(a, "%d", n->config.max_pods));
}

static const struct json *node_info(struct node *n, struct arena *a) {
    int64_t swap = machine_swap_total();
    LOCK(n);
    const char *runtime = n->runtime_version ? arena_strdup(a, n->runtime_version) : "containerd://Unknown";
    UNLOCK(n);
    return json_make(a, "{'machineID':%s,'systemUUID':%s,'bootID':%s,'kernelVersion':%s,'osImage':%s,'containerRuntimeVersion':%s,"
                        "'kubeletVersion':'" KUBERNETES_VERSION "','kubeProxyVersion':'','operatingSystem':'linux','architecture':%s,'swap':%v}",
                     machine_id(a), machine_uuid(a), machine_boot_id(a), machine_kernel(a), machine_os_image(a), runtime, machine_arch(),
                     swap ? json_make(a, "{'capacity':%ld}", swap) : NULL);
}

/* Extended resources that others put there stay. */
static const struct json *keep_extended(struct arena *a, const struct json *ours, const struct json *theirs) {
    JSON_EACH_MEMBER(m, theirs)
        if (strchr(m->key, '/')) ours = json_with_member(a, ours, m->key, &m->value);
    return ours;
}

static const struct json *conditions(struct node *n, struct arena *a, const struct json *object) {
    LOCK(n);
    bool memory = n->memory_pressure, disk = n->disk_pressure, pid = n->pid_pressure;
    const char *problem = n->runtime_problem ? arena_strdup(a, n->runtime_problem) : NULL;
    UNLOCK(n);
    const struct condition all[] = {
        {"MemoryPressure", memory ? "True" : "False", memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
         memory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available", .heartbeat = true},
        {"DiskPressure", disk ? "True" : "False", disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
         disk ? "kubelet has disk pressure" : "kubelet has no disk pressure", .heartbeat = true},
        {"PIDPressure", pid ? "True" : "False", pid ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
         pid ? "kubelet has insufficient PID available" : "kubelet has sufficient PID available", .heartbeat = true},
        {"Ready", problem ? "False" : "True", problem ? "KubeletNotReady" : "KubeletReady", problem ? problem : "kubelet is posting ready status",
         .heartbeat = true}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const struct json *before = condition_find(object, all[i].type);
        if (before && !json_str_is(before, "status", all[i].status))
            recorder_event(n->events, n->reference, "Normal", i == 3 ? (problem ? "NodeNotReady" : "NodeReady")
                           : str_eq(all[i].status, "True") ? (i == 0 ? "NodeHasInsufficientMemory" : i == 1 ? "NodeHasDiskPressure" : "NodeHasInsufficientPID")
                           : (i == 0 ? "NodeHasSufficientMemory" : i == 1 ? "NodeHasNoDiskPressure" : "NodeHasSufficientPID"),
                           "Node %s status is now: %s", n->config.name, i == 3 ? (problem ? "NodeNotReady" : "NodeReady") : all[i].reason);
        object = condition_set(a, object, &all[i], node_now(n));
    }
    return object;
}

const struct json *node_status_build(struct node *n, struct arena *a, const struct json *object) {
    const struct json *old = json_member(object, "status"), *images = images_list(a, n);
    object = json_with(a, object, "status.capacity", keep_extended(a, capacity(n, a, false), json_member(old, "capacity")));
    object = json_with(a, object, "status.allocatable", keep_extended(a, capacity(n, a, true), json_member(old, "capacity")));
    object = json_with(a, object, "status.addresses", addresses(n, a));
    object = json_with(a, object, "status.daemonEndpoints", json_make(a, "{'kubeletEndpoint':{'Port':%d}}", n->config.port));
    object = json_with(a, object, "status.nodeInfo", node_info(n, a));
    if (images) object = json_with(a, object, "status.images", images);
    object = json_with(a, object, "status.runtimeHandlers", json_make(a, "[{'name':''},{'name':'runc'}]"));
    return conditions(n, a, object);
}

/* ---- registration ---- */

static const struct json *labels(struct node *n, struct arena *a) {
    const struct json *all = json_make(a, "{'beta.kubernetes.io/arch':%s,'beta.kubernetes.io/os':'linux','kubernetes.io/arch':%s,"
                                          "'kubernetes.io/hostname':%s,'kubernetes.io/os':'linux'}", machine_arch(), machine_arch(), n->config.name);
    JSON_EACH_MEMBER(m, n->config.labels) all = json_with_member(a, all, m->key, &m->value);
    return all;
}

static struct error *create(struct node *n, struct arena *a, struct doc **out) {
    const struct json *object = json_make(a, "{'apiVersion':'v1','kind':'Node','metadata':{'name':%s,'labels':%v,'annotations':"
                                             "{'volumes.kubernetes.io/controller-managed-attach-detach':'true'}},'spec':{'taints':%v}}",
                                          n->config.name, labels(n, a), json_len(n->config.taints) ? n->config.taints : NULL);
    log_info("registering node %s", n->config.name);
    recorder_event(n->events, n->reference, "Normal", "Starting", "Starting kubelet.");
    return client_create(n->client, &resource_nodes, NULL, node_status_build(n, a, object), out);
}

/* An existing node gets the labels that belong to it. */
static const struct json *with_labels(struct arena *a, struct doc *current, void *arg) {
    struct node *n = arg;
    const struct json *wanted = labels(n, a), *have = object_labels(current->root), *merged = have ? have : &json_empty_object;
    JSON_EACH_MEMBER(m, wanted) merged = json_with_member(a, merged, m->key, &m->value);
    return json_equal(have, merged) ? NULL : json_with(a, current->root, "metadata.labels", merged);
}

struct write {
    struct node *n;
    bool changed;
};

/* Heartbeat times alone are not worth a write more often than every five minutes. */
static const struct json *with_status(struct arena *a, struct doc *current, void *arg) {
    struct write *x = arg;
    const struct json *object = node_status_build(x->n, a, current->root);
    const struct json *now = json_without(a, object, "status.conditions"), *before = json_without(a, current->root, "status.conditions");
    bool same = json_semantic_equal(json_member(now, "status"), json_member(before, "status"));
    JSON_EACH(c, json_get(object, "status.conditions")) {
        const struct json *old = condition_find(current->root, json_str_or(c, "type", ""));
        same &= old && json_str_is(old, "status", json_str_or(c, "status", "")) && json_str_is(old, "reason", json_str_or(c, "reason", "")) &&
                str_eq(json_str(old, "message"), json_str(c, "message"));
    }
    int64_t beat = object_time(condition_find(current->root, "Ready"), "lastHeartbeatTime");
    if (same && node_now(x->n) - beat < STATUS_PERIOD - SECONDS(5)) return NULL;
    return object;
}

static void keep(struct node *n, struct doc *d) {
    cleanup_arena struct arena a = {0};
    LOCK(n);
    struct doc *before = n->object;
    n->object = doc_ref(d);
    UNLOCK(n);
    doc_unref(before);
}

/* Somebody else changed our Node: its labels and taints decide what may run here from now on, and extended resources
 * that were added to the capacity are allocatable. */
void node_object_changed(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    struct node *n = arg;
    if (after == NULL || !str_eq(doc_name(after), n->config.name) || n->object == NULL) return;
    keep(n, after);
    if (before != NULL && !json_equal(json_get(before->root, "status.capacity"), json_get(after->root, "status.capacity"))) dispatch_add(n->dispatch, "status", "");
}

/* The runtime comes up together with the agent. Until it does, what was known of the node holds: pods that went on running stay ready. */
static bool is_starting(struct node *n) {
    LOCK(n);
    bool problem = n->runtime_problem != NULL;
    UNLOCK(n);
    return problem && node_now(n) - n->started < STARTING;
}

static struct error *update(struct node *n) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *d = NULL;
    struct error *e = client_get(n->client, &resource_nodes, NULL, n->config.name, &d);
    bool fresh = error_is(e, "NotFound");
    if (fresh) {
        error_free(e);
        e = create(n, &a, &d);
    }
    if (e) return e;
    if (!fresh && !n->object) TRY(client_modify(n->client, &resource_nodes, NULL, n->config.name, NULL, with_labels, n, NULL));
    if (!fresh && is_starting(n)) return NULL;
    struct write x = {.n = n};
    cleanup_doc struct doc *written = NULL;
    TRY(client_modify(n->client, &resource_nodes, NULL, n->config.name, "status", with_status, &x, &written));
    keep(n, written ? written : d);
    return NULL;
}

struct work_result node_status_run(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    node_check_runtime(n);
    bool first = n->object == NULL;
    struct error *e = update(n);
    if (e) {
        log_warn("updating the node's status: %s", e->message);
        error_free(e);
        return work_again(RETRY);
    }
    if (first && n->object != NULL) dispatch_add(n->dispatch, "lease", "");
    if (is_starting(n)) return work_again(MSECONDS(200));
    LOCK(n);
    bool ready = !n->runtime_problem;
    UNLOCK(n);
    return work_again(ready ? STATUS_PERIOD : STATUS_WAIT);
}

/* ---- lease ---- */

static const struct json *renewed(struct arena *a, struct doc *current, void *arg) {
    struct node *n = arg;
    char now[TIME_STRING_MAX];
    const struct json *object = json_with(a, current->root, "spec.renewTime", json_string(a, time_format_micro(now, node_now(n))));
    return json_with(a, object, "spec.holderIdentity", json_string(a, n->config.name));
}

static struct error *create_lease(struct node *n) {
    cleanup_arena struct arena a = {0};
    char now[TIME_STRING_MAX];
    LOCK(n);
    const char *uid = n->object ? arena_strdup(&a, doc_uid(n->object)) : "";
    UNLOCK(n);
    const struct json *lease = json_make(&a, "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':%s,'namespace':'kube-node-lease',"
        "'ownerReferences':[{'apiVersion':'v1','kind':'Node','name':%s,'uid':%s}]},'spec':{'holderIdentity':%s,'leaseDurationSeconds':%d,'renewTime':%s}}",
        n->config.name, n->config.name, uid, n->config.name, LEASE_SECONDS, time_format_micro(now, node_now(n)));
    return client_create(n->client, &resource_coordination_leases, "kube-node-lease", lease, NULL);
}

struct work_result node_lease_run(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    struct error *e = client_modify(n->client, &resource_coordination_leases, "kube-node-lease", n->config.name, NULL, renewed, n, NULL);
    if (error_is(e, "NotFound")) {
        error_free(e);
        e = create_lease(n);
    }
    if (e) log_warn("renewing the lease: %s", e->message);
    bool failed = e != NULL;
    error_free(e);
    return work_again(failed ? RETRY : HEARTBEAT);
}
