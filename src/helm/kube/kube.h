/* A cluster as helm sees it: any Kubernetes that a kubeconfig leads to.
 *
 * Opened lazily: nothing is read or connected before the first call that needs it, so that commands without a cluster work without
 * one. Results live in the arena given to kube_new. One thread. Errors have the words of helm and client-go. */
#pragma once
#include "base/clock.h"
#include "client/client.h"
#include "client/kubeconfig.h"
#include <signal.h>

struct kube;
struct kube_settings {
    struct kubeconfig_options config; /* ns: the namespace of objects that name none; NULL: the context's */
    void (*log)(void *arg, const char *fmt, va_list args); /* --debug; may be NULL */
    void *log_arg;
    volatile sig_atomic_t *cancel;  /* a signal handler sets it: what is under way ends with "context canceled"; may be NULL */
};
struct kube *kube_new(struct arena *a, const struct kube_settings *s); /* strings are kept, not copied */
void kube_free(struct kube *k);
const char *kube_namespace(struct kube *k);
/* Something ended because of that; what begins later is not concerned. */
bool kube_was_cancelled(const struct kube *k);
void kube_log(struct kube *k, const char *fmt, ...) PRINTF(2, 3);
MUST_CHECK struct error *kube_client(struct kube *k, struct client **out);
/* "Kubernetes cluster unreachable: …" */
MUST_CHECK struct error *kube_reachable(struct kube *k);

/* ---- what the cluster serves (discovery.c) ---- */

struct kube_version {
    const char *git_version, *major, *minor;
};
MUST_CHECK struct error *kube_server_version(struct kube *k, struct kube_version *out);
/* Group versions and "group/version/Kind", each once. */
MUST_CHECK struct error *kube_api_versions(struct kube *k, const char *const **out, size_t *count);
/* NULL in *out: the cluster has no such kind. Lives as long as the kube. */
MUST_CHECK struct error *kube_mapping(struct kube *k, const char *api_version, const char *kind, const struct resource **out);
void kube_forget_discovery(struct kube *k); /* custom resource definitions were added */
/* The template function `lookup`: an object, a list for an empty name, {} for what is not there. */
MUST_CHECK struct error *kube_lookup(struct kube *k, const char *api_version, const char *kind, const char *ns, const char *name,
                                     const struct json **out);

/* ---- objects (objects.c) ---- */

struct kube_object {
    const struct resource *resource;
    const char *ns, *name;     /* ns NULL: cluster-scoped */
    const struct json *object; /* as the manifest says it, then as the server answered */
};
struct kube_objects {
    struct kube_object **items;
    size_t len, cap;
};
/* The objects of a manifest, lists taken apart; in their order. `validate`: kind and apiVersion must be there, in the words of
 * kubectl's validation (the rest is the server's to validate). */
MUST_CHECK struct error *kube_build(struct kube *k, const char *manifest, size_t len, bool validate, struct kube_objects *out);
void kube_objects_add(struct kube *k, struct kube_objects *l, struct kube_object *o);
struct kube_object *kube_objects_find(const struct kube_objects *l, const struct kube_object *o); /* same kind and name; NULL */
MUST_CHECK struct error *kube_get(struct kube *k, const struct kube_object *o, const struct json **out);
/* Not found is no error: *out is NULL. */
MUST_CHECK struct error *kube_find(struct kube *k, const struct kube_object *o, const struct json **out);
/* `Deployment "x" in namespace "y"` */
const char *kube_object_text(struct kube *k, const struct kube_object *o);
/* For `status --show-resources`: an object, or what kubectl would print of it with `table`. */
MUST_CHECK struct error *kube_get_table(struct kube *k, const struct kube_object *o, const char *labels, bool table, const struct json **out);

/* ---- changes (change.c) ---- */

MUST_CHECK struct error *kube_create(struct kube *k, const struct kube_objects *l);
struct kube_result {
    struct kube_objects created, updated, deleted;
};
/* Creates, patches (or with `force` replaces) what `target` says and deletes what only `original` has, unless its resource policy
 * says keep. `three_way`: custom resources are patched by three states too. The result is filled on errors as well. */
MUST_CHECK struct error *kube_update(struct kube *k, const struct kube_objects *original, const struct kube_objects *target, bool force,
                                     bool three_way, struct kube_result *out);
/* `propagation`: "Background", "Foreground", "Orphan". What was not there counts as deleted. Errors are collected. */
void kube_delete(struct kube *k, const struct kube_objects *l, const char *propagation, struct error ***errors, size_t *error_count);
bool kube_keeps(const struct json *object); /* annotation helm.sh/resource-policy: keep */
/* Deletes the pods that a changed workload selects. */
MUST_CHECK struct error *kube_recreate_pods(struct kube *k, const struct kube_objects *l);

/* ---- waiting (wait.c, ready.c) ---- */

/* Until all are ready; `jobs`: until jobs are completed, too. */
MUST_CHECK struct error *kube_wait(struct kube *k, const struct kube_objects *l, int64_t timeout, bool jobs);
MUST_CHECK struct error *kube_wait_deleted(struct kube *k, const struct kube_objects *l, int64_t timeout);
/* Until jobs are complete and pods have succeeded; other kinds are ready at once. */
MUST_CHECK struct error *kube_watch_until_ready(struct kube *k, const struct kube_objects *l, int64_t timeout);
/* The rule for one object, from the state that the cluster gives. */
struct kube_ready_options {
    bool jobs, paused_is_ready;
};
MUST_CHECK struct error *kube_is_ready(struct kube *k, const struct kube_object *o, const struct kube_ready_options *options, bool *ready);

/* The logs of all containers of pods; `write` gets each container's text. */
MUST_CHECK struct error *kube_pod_logs(struct kube *k, const char *ns, const char *labels, const char *fields,
                                       void (*write)(const char *pod, const char *container, const char *text, size_t len, void *arg),
                                       void *arg);
/* Of one pod with its only container. */
MUST_CHECK struct error *kube_logs(struct kube *k, const char *ns, const char *pod, const char *container, const char **text, size_t *len);
