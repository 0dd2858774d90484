#include "node/node.h"
#include "base/log.h"
#include "node/agent.h"
#include "node/cgroups.h"
#include "node/containerd.h"
#include "node/eviction.h"
#include "node/hooks.h"
#include "node/images.h"
#include "node/logs.h"
#include "node/machine.h"
#include "node/pause_image.h"
#include "node/pods.h"
#include "node/probes.h"
#include "node/register.h"
#include "node/runtime_events.h"
#include "node/server.h"
#include <unistd.h>

#define LOG_COMPONENT "node"
#define MAX_THREADS 512 /* pods that stop or pull hold one each; none when idle */

static const struct dispatch_kind kinds[] = {
    {"pod", worker_run},          {"kill", container_kill_run}, {"pull", image_pull_run}, {"hook", hook_post_start_run},
    {"probe", probe_run},         {"status", node_status_run},  {"lease", node_lease_run}, {"orphans", pods_reap},
    {"logs", logs_rotate},        {"manifests", manifests_scan}, {"eviction", eviction_run},
    {"images", images_collect},   {NULL, NULL},
};

static const char *copy(struct arena *a, const char *s, const char *other) { return s ? arena_strdup(a, s) : other; }

static const char *host_name(struct arena *a) {
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p | 0x20);
    return arena_strdup(a, name);
}

static void complete(struct node *n, const struct node_config *c) {
    struct arena *a = &n->arena;
    struct node_config *o = &n->config;
    *o = *c;
    o->name = copy(a, c->name, NULL);
    if (!o->name) o->name = host_name(a);
    o->data_dir = arena_strdup(a, c->data_dir);
    o->runtime_endpoint = copy(a, c->runtime_endpoint, NULL);
    o->sandbox_image = copy(a, c->sandbox_image, c->runtime_endpoint ? "registry.k8s.io/pause:3.10.1" : PAUSE_IMAGE);
    o->cni_conf_dir = copy(a, c->cni_conf_dir, arena_printf(a, "%s/cni", c->data_dir));
    o->cni_bin_dir = copy(a, c->cni_bin_dir, "/usr/lib/cni");
    o->cgroup_root = copy(a, c->cgroup_root, "");
    o->cluster_dns = copy(a, c->cluster_dns, NULL);
    o->cluster_domain = copy(a, c->cluster_domain, "cluster.local");
    o->resolv_conf = copy(a, c->resolv_conf, "/etc/resolv.conf");
    o->manifest_dir = copy(a, c->manifest_dir, NULL);
    o->labels = c->labels ? json_copy(a, c->labels) : NULL;
    o->taints = c->taints ? json_copy(a, c->taints) : NULL;
    o->max_pods = c->max_pods ? c->max_pods : 110;
    o->eviction_transition = c->eviction_transition ? c->eviction_transition : SECONDS(300);
    o->log_max_size = c->log_max_size ? c->log_max_size : 10 << 20;
    o->log_max_files = c->log_max_files ? c->log_max_files : 5;
    o->port = c->port ? c->port : 10250;
    o->bind_address = copy(a, c->bind_address, "0.0.0.0");
    o->tls_cert = copy(a, c->tls_cert, NULL), o->tls_key = copy(a, c->tls_key, NULL), o->client_ca = copy(a, c->client_ca, NULL);
    size_t count = 0;
    while (c->addresses && c->addresses[count]) count++;
    const char **list = arena_calloc(a, count + 2, sizeof(*list));
    for (size_t i = 0; i < count; i++) list[i] = arena_strdup(a, c->addresses[i]);
    if (!count) list[0] = machine_address(a);
    o->addresses = list;
}

static struct error *start_runtime(struct node *n) {
    struct node_config *o = &n->config;
    if (!o->runtime_endpoint) {
        struct containerd_config c = {arena_printf(&n->arena, "%s/containerd", o->data_dir), o->sandbox_image, o->cni_conf_dir, o->cni_bin_dir};
        TRY(containerd_start(&c, &n->containerd));
        o->runtime_endpoint = containerd_socket(n->containerd);
    }
    n->cri = cri_new(o->runtime_endpoint);
    n->runtime_events = runtime_events_start(n);
    return NULL;
}

static struct error *start(struct node *n) {
    TRY(eviction_thresholds_parse(n->config.eviction_hard, &n->thresholds));
    n->config.eviction_hard = NULL; /* the caller's */
    TRY(dir_make(n->pods_dir, 0711));
    TRY(dir_make(n->logs_dir, 0755));
    TRY(cgroups_start(n));
    TRY(start_runtime(n));
    cache_add(n->cache, &resource_pods, arena_printf(&n->arena, "spec.nodeName=%s", n->config.name));
    cache_add(n->cache, &resource_services, NULL);
    cache_add(n->cache, &resource_nodes, arena_printf(&n->arena, "metadata.name=%s", n->config.name));
    dispatch_add(n->dispatch, "status", "");
    dispatch_add_after(n->dispatch, "logs", "", SECONDS(60));
    dispatch_add_after(n->dispatch, "eviction", "", SECONDS(10));
    dispatch_add_after(n->dispatch, "images", "", SECONDS(60));
    if (n->config.tls_cert) TRY(kubelet_server_start(n, &n->server));
    return pods_start(n);
}

struct error *node_start(const struct node_config *c, struct node **out) {
    struct node *n = xcalloc(1, sizeof(*n));
    pthread_mutex_init(&n->lock, NULL);
    complete(n, c);
    n->client = c->client, n->cache = c->cache, n->clock = c->clock;
    n->started = node_now(n);
    n->pods_dir = xprintf("%s/pods", n->config.data_dir);
    n->logs_dir = xprintf("%s/log/pods", n->config.data_dir);
    n->reference = json_make(&n->arena, "{'apiVersion':'v1','kind':'Node','metadata':{'name':%s,'uid':%s}}", n->config.name, n->config.name);
    n->runtime_problem = xstrdup("container runtime is down");
    n->events = recorder_new(n->client, "kubelet", n->config.name);
    n->http = http_client_new(c->loop);
    n->dispatch = dispatch_new(kinds, n->clock, MAX_THREADS, n);
    struct error *e = start(n);
    if (!e) *out = n;
    else node_stop(n);
    return e;
}

struct error *node_renew(struct node *n, const char *tls_cert, const char *tls_key) { return kubelet_server_renew(n->server, tls_cert, tls_key); }

static void drop_worker(void *w) { worker_unref(w); }

void node_stop(struct node *n) {
    if (!n) return;
    n->stopping = true;
    pods_stop(n);
    kubelet_server_stop(n->server);
    dispatch_stop(n->dispatch);
    if (n->runtime_events) runtime_events_stop(n->runtime_events);
    if (n->cri) cri_close(n->cri); /* ends calls that wait */
    runtime_events_free(n->runtime_events);
    dispatch_free(n->dispatch);
    http_client_close(n->http);
    containerd_stop(n->containerd);
    recorder_free(n->events);
    map_free(&n->workers, drop_worker);
    map_free(&n->image_pulls, free);
    doc_unref(n->object);
    free(n->pods_dir), free(n->logs_dir), free(n->runtime_version), free(n->runtime_problem);
    pthread_mutex_destroy(&n->lock);
    arena_free(&n->arena);
    free(n);
}
