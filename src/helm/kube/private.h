/* What the files of kube/ share. */
#pragma once
#include "client/remote.h"
#include "helm/kube/kube.h"
#include "net/http_client.h"

struct kube {
    struct arena *arena;
    struct kube_settings settings;
    struct kubeconfig config;
    struct loop *loop;
    bool cancelled;
    struct client *client; /* NULL: not connected yet */
    /* discovery; NULL: not asked yet */
    const struct resource **resources;
    size_t resource_count;
    const char **api_versions;
    size_t api_version_count;
};

/* GET of a path; the answer's JSON in the kube's arena. */
MUST_CHECK struct error *kube_get_path(struct kube *k, const char *path, const char *accept, const struct json **out);
/* "context canceled" if it was since the last call. */
MUST_CHECK struct error *kube_check_cancelled(struct kube *k);
/* Patch strategies are known for it. */
bool kube_is_typed(const struct resource *r);
bool kube_ready_state(struct kube *k, const struct resource *r, const struct json *o, const struct kube_ready_options *options,
                      struct error **e);
