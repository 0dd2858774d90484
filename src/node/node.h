/* The node agent: what the kubelet is to upstream. Registers the node, keeps its lease, runs the pods that are bound to
 * it through the container runtime (CRI), mounts their volumes, probes them, reports their status, and answers the
 * kubelet API (logs, exec, attach, port-forward, stats) on its own HTTPS port.
 *
 * Pods keep running when the agent stops; a new one adopts them. Everything is driven by changes of Pods (cache), events
 * of the runtime and timers: an idle node only renews its lease. */
#pragma once
#include "client/cache.h"
#include "net/loop.h"

struct node_config {
    struct client *client;        /* as system:node:NAME */
    struct cache *cache;          /* made from that client */
    const struct clock *clock;
    struct loop *loop;            /* carries the kubelet API and the agent's own requests */
    const char *name;             /* of the Node object; NULL: the host's name */
    const char *const *addresses; /* InternalIPs, first one is the host IP; ends with NULL; NULL: of the default route */
    const char *data_dir;         /* pods, logs, the runtime; image archives in DATA_DIR/images are imported */
    const char *runtime_endpoint; /* a CRI socket; NULL: starts a containerd of its own below data_dir */
    const char *sandbox_image;    /* NULL: Coracle's own, which is imported by itself */
    const char *cni_conf_dir;     /* NULL: DATA_DIR/cni */
    const char *cni_bin_dir;      /* NULL: /usr/lib/cni */
    const char *cgroup_root;      /* below which kubepods is made, "/node1"; NULL: the root */
    const char *cluster_dns;      /* name server of pods with ClusterFirst; NULL: none */
    const char *cluster_domain;   /* "cluster.local" */
    const char *resolv_conf;      /* NULL: /etc/resolv.conf */
    const char *manifest_dir;     /* static pods; NULL: none */
    const struct json *labels;    /* of the Node at registration; may be NULL */
    const struct json *taints;    /* spec.taints at registration; may be NULL */
    int max_pods;                 /* 0: 110 */
    const char *const *eviction_hard; /* "memory.available<100Mi"; ends with NULL; NULL: upstream's defaults */
    int64_t eviction_transition;  /* how long pressure is told after it has gone, ns; 0: five minutes */
    int64_t log_max_size;         /* bytes, from which on a container's log is rotated; 0: 10 MiB */
    int log_max_files;            /* 0: 5 */
    const char *bind_address;     /* of the kubelet API; NULL: 0.0.0.0 */
    int port;                     /* 0: 10250 */
    const char *tls_cert, *tls_key; /* PEM of the kubelet API */
    const char *client_ca;        /* PEM: who may call it */
    /* True in the server's own process, where caches of Secrets and ConfigMaps cost nothing: changes reach volumes at
     * once. Otherwise they are read when needed and again every minute, as the Node authorizer allows. */
    bool caches_are_free;
};

struct node;
/* Fills in defaults, starts everything; the runtime may come up later. Strings are copied. */
MUST_CHECK struct error *node_start(const struct node_config *c, struct node **out);
/* A renewed certificate of the kubelet API. Any thread. */
MUST_CHECK struct error *node_renew(struct node *n, const char *tls_cert, const char *tls_key);
/* Uninstalls a stopped node: ends and removes its pods, cgroups and the mounts below data_dir. Reads data_dir,
 * runtime_endpoint, cni_bin_dir and cgroup_root of the configuration. Blocks. */
MUST_CHECK struct error *node_remove_all(const struct node_config *c);
/* Stops the agent and its containerd; pods go on running. Blocks until it is quiet. */
void node_stop(struct node *n);
