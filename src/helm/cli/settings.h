/* Where helm keeps things and which cluster it talks to: flags over HELM_* variables over XDG directories. */
#pragma once
#include "base/arena.h"
#include "helm/helm.h"

struct helm_settings {
    const char *ns; /* --namespace as given; "" if not. What counts is helm_namespace() */
    const char *kubeconfig, *kube_context, *kube_token, *kube_as_user, *kube_apiserver, *kube_ca_file, *kube_tls_server_name;
    struct helm_strings kube_as_groups;
    bool kube_insecure_skip_tls_verify, debug;
    const char *registry_config, *repository_config, *repository_cache, *plugins;
    int64_t max_history, burst_limit;
    double qps;
    const char *ignored; /* what logging flags of the Kubernetes client are given: accepted, without effect */
    bool ignored_bool;
};

struct helm;
/* Fills in defaults from the environment. */
void helm_settings_init(struct arena *a, struct helm_settings *s);
/* The namespace that counts: --namespace or HELM_NAMESPACE, else the context's of the kubeconfig, else "default". */
const char *helm_namespace(struct helm *h);
/* $HELM_CACHE_HOME (or XDG's, or ~/.cache/helm) and the like, with `name` behind it when not empty. */
const char *helm_cache_path(struct arena *a, const char *name);
const char *helm_config_path(struct arena *a, const char *name);
const char *helm_data_path(struct arena *a, const char *name);
