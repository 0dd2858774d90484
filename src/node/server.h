/* The kubelet API: HTTPS on the node, for the API server and whoever it lets through (nodes/proxy, nodes/log, nodes/stats,
 * nodes/metrics). Handlers run on worker threads; the exchange is touched on its loop only. */
#pragma once
#include "node/agent.h"

MUST_CHECK struct error *kubelet_server_start(struct node *n, struct kubelet_server **out);
/* A renewed certificate, for connections made from then on. Any thread. */
MUST_CHECK struct error *kubelet_server_renew(struct kubelet_server *s, const char *cert, const char *key);
void kubelet_server_stop(struct kubelet_server *s); /* blocks until no request runs */

/* A request on its way through a worker. */
struct kubelet_request {
    struct kubelet_server *server;
    struct node *node;
    struct http_exchange *x;
    struct arena *arena;       /* the request's own, of the worker's thread */
    struct arena memory;
    char **path;               /* decoded segments behind the route's prefix */
    size_t path_len;
    _Atomic bool closed;       /* the client is gone */
    _Atomic int64_t pending;   /* bytes posted and not yet handed over */
};
/* The query's value(s); NULL if absent. */
const char *request_query(struct kubelet_request *r, const char *name);
const struct json *request_query_all(struct kubelet_request *r, const char *name);
/* Answers; from the worker. After these the request is gone. */
void request_reply(struct kubelet_request *r, int status, const char *type, const char *text, size_t len);
void request_fail(struct kubelet_request *r, int status, const char *fmt, ...) PRINTF(3, 4);
/* A streamed answer, from the worker: begin, write (waits while the client is slow; false: it is gone), end. */
void request_begin(struct kubelet_request *r, const char *type);
bool request_write(struct kubelet_request *r, const void *p, size_t n);
void request_end(struct kubelet_request *r);
/* Hands the exchange to the streaming proxy. */
void request_stream(struct kubelet_request *r, const char *url, bool portforward);

/* Handlers; each answers. */
typedef void kubelet_handler(struct kubelet_request *r);
kubelet_handler serve_logs, serve_exec, serve_attach, serve_port_forward, serve_run, serve_pods, serve_running_pods, serve_kubelet_health,
    serve_stats, serve_metrics, serve_metrics_resource, serve_metrics_probes, serve_configz;
/* The worker of the pod PATH[0]/PATH[1] or NULL: then it was answered. */
struct pod_worker *request_pod(struct kubelet_request *r);
