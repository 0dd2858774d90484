/* Sandboxes and containers: their CRI configuration, made of the pod's spec, and their start. */
#pragma once
#include "node/agent.h"
#include "node/runtime.h"

/* The sandbox of the pod: PodSandboxConfig; `runtime_handler` of its RuntimeClass ("" if none). */
MUST_CHECK struct error *sandbox_config(struct arena *a, struct pod_worker *w, const struct json *pod, int64_t attempt,
                                        const struct json **config, const char **runtime_handler);
MUST_CHECK struct error *sandbox_create(struct pod_worker *w, const struct json *pod, int64_t attempt);
MUST_CHECK struct error *sandbox_stop_all(struct pod_worker *w, const struct pod_runtime *r);

/* What is worth restarting a running container for when it changes: name and image. */
const char *container_hash(struct arena *a, const struct json *container);

/* How far a start came. WAIT: an image is being pulled or a hook runs; the worker will be run again. */
enum start_result { START_OK, START_WAIT, START_FAILED };
enum start_result container_start(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, const struct json *container,
                                  const char *list);

/* Parts of ContainerConfig. Errors are CreateContainerConfigErrors. */
struct container_context {
    struct arena *a;
    struct pod_worker *w;
    const struct json *pod, *container;
    const char *list;          /* "containers", "initContainers", "ephemeralContainers" */
    const char *sandbox_id, *image_ref;
    const char *const *ips;
    const struct json *image;  /* the CRI's Image */
    int64_t attempt;
    const struct json *env;    /* map name -> value, once made */
};
MUST_CHECK struct error *container_env(struct container_context *c, const struct json **envs);
MUST_CHECK struct error *container_mounts(struct container_context *c, const struct json **mounts);
MUST_CHECK struct error *container_security(struct container_context *c, const struct json **context);
const struct json *container_devices(struct container_context *c);
/* $(NAME) references by the variables of c->env; unknown ones stay, $$ is a $. With `missing` an unknown one is
 * reported there. */
const char *expand_variables(struct arena *a, const char *text, const struct json *env, const char **missing);

/* Values of the downward API: a field of the pod ("metadata.labels['x']", "status.podIP"), an amount of resources. */
MUST_CHECK struct error *field_value(struct arena *a, struct pod_worker *w, const struct json *pod, const char *const *ips,
                                     const char *path, const char **out);
MUST_CHECK struct error *field_resource_value(struct arena *a, struct node *n, const struct json *pod, const struct json *container,
                                        const struct json *ref, const char **out);
const struct json *namespace_options(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *container);
const struct json *security_profile(struct arena *a, struct node *n, const struct json *pod, const struct json *container, const char *member);
