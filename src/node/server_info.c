/* What the kubelet API tells: pods, health, statistics, metrics. */
#include "node/pods.h"
#include "node/server.h"
#include "node/stats.h"

static void reply_json(struct kubelet_request *r, const struct json *v) {
    const char *text = json_text(r->arena, v);
    request_reply(r, 200, "application/json", text, strlen(text));
}

void serve_kubelet_health(struct kubelet_request *r) { request_reply(r, 200, "text/plain; charset=utf-8", "ok", 2); }

void serve_configz(struct kubelet_request *r) {
    const struct node_config *c = &r->node->config;
    reply_json(r, json_make(r->arena, "{'kubeletconfig':{'clusterDomain':%s,'clusterDNS':%v,'maxPods':%d,'cgroupDriver':'cgroupfs','port':%d,"
                                      "'containerRuntimeEndpoint':%s}}", c->cluster_domain, c->cluster_dns ? json_make(r->arena, "[%s]", c->cluster_dns) : NULL,
                            c->max_pods, c->port, c->runtime_endpoint));
}

/* Pods with the status that was computed last. */
static const struct json *pod_list(struct kubelet_request *r, bool running_only) {
    struct json_array out = {.arena = r->arena};
    struct pod_worker **list = pods_list(r->node);
    for (struct pod_worker **w = list; *w; w++) {
        LOCK(r->node);
        cleanup_doc struct doc *pod = doc_ref((*w)->pod), *status = (*w)->status_doc ? doc_ref((*w)->status_doc) : NULL;
        bool running = runtime_has_running((*w)->runtime);
        UNLOCK(r->node);
        if (running_only && !running) continue;
        const struct json *p = json_copy(r->arena, pod->root);
        json_array_add(&out, status ? json_with(r->arena, p, "status", json_copy(r->arena, status->root)) : p);
    }
    pods_list_free(list);
    return json_make(r->arena, "{'kind':'PodList','apiVersion':'v1','metadata':{},'items':%v}", json_array_done(&out));
}

void serve_pods(struct kubelet_request *r) { reply_json(r, pod_list(r, false)); }
void serve_running_pods(struct kubelet_request *r) { reply_json(r, pod_list(r, true)); }
void serve_stats(struct kubelet_request *r) { reply_json(r, stats_summary(r->node, r->arena)); }

static void reply_metrics(struct kubelet_request *r, const struct buf *b) {
    request_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(b), b->len);
}

void serve_metrics_resource(struct kubelet_request *r) {
    cleanup_buf struct buf b = {0};
    stats_metrics(r->node, &b);
    reply_metrics(r, &b);
}

void serve_metrics(struct kubelet_request *r) {
    cleanup_buf struct buf b = {0};
    size_t running = 0, containers = 0;
    LOCK(r->node);
    for (struct map_slot *s = map_first(&r->node->workers); s; s = map_next(&r->node->workers, s)) {
        struct pod_worker *w = s->value;
        running += runtime_has_running(w->runtime);
        for (size_t i = 0; w->runtime && i < w->runtime->container_count; i++) containers += w->runtime->containers[i].state == CONTAINER_RUNNING;
    }
    UNLOCK(r->node);
    buf_printf(&b, "# HELP kubelet_node_name The node's name.\n# TYPE kubelet_node_name gauge\nkubelet_node_name{node=\"%s\"} 1\n"
                   "# HELP kubelet_running_pods Pods with a running container.\n# TYPE kubelet_running_pods gauge\nkubelet_running_pods %zu\n"
                   "# HELP kubelet_running_containers Containers by state.\n# TYPE kubelet_running_containers gauge\n"
                   "kubelet_running_containers{container_state=\"running\"} %zu\n", r->node->config.name, running, containers);
    reply_metrics(r, &b);
}

void serve_metrics_probes(struct kubelet_request *r) {
    cleanup_buf struct buf b = {0};
    buf_adds(&b, "# HELP prober_probe_total Probes by result.\n# TYPE prober_probe_total counter\n");
    probes_metrics(r->node, &b);
    reply_metrics(r, &b);
}
