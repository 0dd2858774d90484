/* What the container runtime has of a pod: its sandboxes and containers, newest first. Made anew by runtime_read;
 * immutable and reference-counted afterwards. */
#pragma once
#include "node/agent.h"

struct runtime_container {
    const char *id, *name, *sandbox_id, *image, *image_id, *reason, *message, *log_path, *hash;
    const struct json *annotations, *user, *mounts;
    int64_t created, started, finished; /* wall, ns; 0: not yet */
    int64_t attempt;                    /* restart count */
    int exit_code;
    enum { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_UNKNOWN } state; /* as in the CRI */
};
struct runtime_sandbox {
    const char *id;
    const char *const *ips; /* ends with NULL */
    int64_t created, attempt;
    bool ready, host_network;
};
struct pod_runtime {
    _Atomic unsigned refs;
    struct arena arena;
    struct runtime_sandbox *sandboxes;
    size_t sandbox_count;
    struct runtime_container *containers;
    size_t container_count;
};

/* Labels and annotations by which an agent knows what it made (upstream's names). */
#define LABEL_POD_NAME "io.kubernetes.pod.name"
#define LABEL_POD_NAMESPACE "io.kubernetes.pod.namespace"
#define LABEL_POD_UID "io.kubernetes.pod.uid"
#define LABEL_CONTAINER_NAME "io.kubernetes.container.name"
#define NOTE_HASH "io.kubernetes.container.hash"
#define NOTE_RESTARTS "io.kubernetes.container.restartCount"
#define NOTE_MESSAGE_PATH "io.kubernetes.container.terminationMessagePath"
#define NOTE_MESSAGE_POLICY "io.kubernetes.container.terminationMessagePolicy"
#define NOTE_GRACE "io.kubernetes.pod.terminationGracePeriod"

MUST_CHECK struct error *runtime_read(struct node *n, const char *pod_uid, struct pod_runtime **out);
struct pod_runtime *runtime_ref(struct pod_runtime *r);
void runtime_unref(struct pod_runtime *r); /* NULL is allowed */
static inline void cleanup_runtime_(struct pod_runtime **r) { runtime_unref(*r); }
#define cleanup_runtime CLEANUP(cleanup_runtime_)

const struct runtime_container *runtime_container(const struct pod_runtime *r, const char *name); /* the newest; NULL */
const struct runtime_container *runtime_container_by_id(const struct pod_runtime *r, const char *id);
bool runtime_has_running(const struct pod_runtime *r);
/* The UIDs of all pods of which the runtime has a sandbox or container: a map of UID -> doc (a synthetic pod). */
MUST_CHECK struct error *runtime_list_pods(struct node *n, struct map *out);
