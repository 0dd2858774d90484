/* What `coracle server` and `coracle agent` can be told. Upstream's names where upstream has the flag. */
#pragma once
#include "cli/flags.h"

struct node_options {
    const char *node_name, *node_ip;
    const char *runtime_endpoint, *sandbox_image, *cgroup_root, *manifest_dir, *resolv_conf, *cni_bin_dir;
    const char *const *labels, *const *taints;
    int64_t kubelet_port, max_pods, log_max_files, eviction_transition;
    const char *const *eviction_hard;
    const char *log_max_size;
};
struct aws_options {
    const char *bind_address, *account, *region, *cluster_name, *partition;
    int64_t port;
    bool tls, pod_endpoint, real, pod_metadata, metadata_v1;
};
struct server_options {
    const char *config, *data_dir, *log_level;
    bool agent;
    const char *bind_address, *advertise_address;
    int64_t secure_port, signing_duration;
    const char *const *tls_san;
    const char *token_auth_file, *issuer;
    const char *oidc_issuer, *oidc_client_id, *oidc_ca_file, *oidc_username_claim, *oidc_username_prefix, *oidc_groups_claim, *oidc_groups_prefix;
    const char *const *oidc_required_claims, *const *oidc_signing_algs;
    const char *audit_log_path, *audit_policy_file;
    int64_t audit_log_maxsize, audit_log_maxbackup;
    const char *const *audiences, *const *authorization_mode, *const *feature_gates;
    const char *const *enable_admission, *const *disable_admission;
    bool anonymous_auth, default_storage_class, metrics_api, anonymous_discovery;
    const char *service_cidr, *cluster_cidr, *cluster_dns, *cluster_domain, *node_ports;
    const char *const *controllers;
    const char *storage_backend;
    int64_t loops;
    struct aws_options aws;
    struct node_options node;
};
struct agent_options {
    const char *config, *data_dir, *log_level;
    const char *server, *token;
    const char *cluster_cidr, *cluster_dns, *cluster_domain;
    struct node_options node;
};
/* The flags of a node, shared by both tables. `S` is the structure that has a member `node`. */
#define NODE_FLAGS(S)                                                                                                               \
    {"Node", FLAG_SECTION, 0, NULL, NULL, NULL},                                                                                    \
    {"node-name", FLAG_STRING, offsetof(S, node.node_name), NULL, "NAME", "name of this machine's Node; its host name if not given"}, \
    {"node-ip", FLAG_ADDRESS, offsetof(S, node.node_ip), NULL, "ADDRESS", "address of this node; that of the default route if not given"}, \
    {"container-runtime-endpoint", FLAG_STRING, offsetof(S, node.runtime_endpoint), NULL, "SOCKET", "CRI socket of a container runtime that runs already"}, \
    {"pod-infra-container-image", FLAG_STRING, offsetof(S, node.sandbox_image), NULL, "IMAGE", "image of the pods' sandboxes"},    \
    {"cgroup-root", FLAG_STRING, offsetof(S, node.cgroup_root), NULL, "PATH", "cgroup below which those of the pods are made"},    \
    {"pod-manifest-path", FLAG_STRING, offsetof(S, node.manifest_dir), NULL, "DIR", "directory of static pods"},                   \
    {"resolv-conf", FLAG_STRING, offsetof(S, node.resolv_conf), "/etc/resolv.conf", "FILE", "where the upstream name servers stand"}, \
    {"cni-bin-dir", FLAG_STRING, offsetof(S, node.cni_bin_dir), "/usr/lib/cni", "DIR", "where the CNI plugins are"},               \
    {"node-labels", FLAG_LIST, offsetof(S, node.labels), NULL, "KEY=VALUE,…", "labels of the Node when it registers"},             \
    {"register-with-taints", FLAG_LIST, offsetof(S, node.taints), NULL, "KEY=VALUE:EFFECT,…", "taints of the Node when it registers"}, \
    {"kubelet-port", FLAG_INT, offsetof(S, node.kubelet_port), "10250", "PORT", "port of the node's own API", "1..65535"}, \
    {"max-pods", FLAG_INT, offsetof(S, node.max_pods), "110", "N", "how many pods may run on the node", "1..65535"}, \
    {"eviction-hard", FLAG_LIST, offsetof(S, node.eviction_hard), NULL, "SIGNAL<AMOUNT,…", "when pods are evicted, such as memory.available<100Mi or nodefs.available<10%"}, \
    {"eviction-pressure-transition-period", FLAG_DURATION, offsetof(S, node.eviction_transition), "5m", "DURATION", "how long a pressure condition stays after its cause has gone"}, \
    {"container-log-max-size", FLAG_STRING, offsetof(S, node.log_max_size), "10Mi", "AMOUNT", "size at which a container's log is rotated"}, \
    {"container-log-max-files", FLAG_INT, offsetof(S, node.log_max_files), "5", "N", "how many files of a container's log are kept, at least 2"}
