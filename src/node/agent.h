/* What the parts of the node agent share: the agent itself, and one pod worker per pod.
 *
 * Threads: every task (sync of a pod, a probe, a pull, the lease ...) is a key of the dispatcher and runs on a thread of
 * its pool, one run per key at a time. node->lock protects the map of workers and those fields of workers that say so;
 * it is never held while anything blocks. */
#pragma once
#include "base/map.h"
#include "base/str.h"
#include "client/events.h"
#include "client/runner.h"
#include "net/http_client.h"
#include "node/cri.h"
#include "node/dispatch.h"
#include "node/node.h"
#include <pthread.h>

struct containerd;
struct kubelet_server;
struct runtime_events;

enum eviction_signal { SIGNAL_MEMORY, SIGNAL_DISK, SIGNAL_INODES, SIGNAL_IMAGES, SIGNAL_IMAGE_INODES, SIGNAL_PIDS, SIGNALS };
struct eviction_threshold {
    int64_t amount; /* 0 with a percentage of 0: none */
    double percent;
};
struct eviction_thresholds {
    struct eviction_threshold of[SIGNALS];
};

#define EXITED_MAX 128
struct node {
    struct node_config config; /* complete: defaults filled in, strings in `arena` */
    struct arena arena;
    struct eviction_thresholds thresholds;
    struct client *client;
    struct cache *cache;
    const struct clock *clock;
    struct recorder *events;
    struct cri *cri;
    struct containerd *containerd;   /* NULL with a foreign runtime */
    struct runtime_events *runtime_events;
    struct http_client *http;
    struct kubelet_server *server;
    struct dispatch *dispatch;
    struct cache_subscription *subscriptions[4];
    char *pods_dir, *logs_dir;       /* DATA_DIR/pods, DATA_DIR/log/pods */
    const struct json *reference;    /* {'kind':'Node',...}: what events about the node name */
    struct doc *object;              /* the Node as last read; lock */
    pthread_mutex_t lock;
    struct map workers;              /* pod UID -> struct pod_worker *; lock */
    struct map image_pulls;          /* last used or pulled images: name -> struct image_use; lock */
    bool memory_pressure, disk_pressure, pid_pressure; /* lock */
    int64_t pressure_seen[3];        /* when last, monotonic; lock */
    bool stopping;
    bool preloaded;                  /* images of the node itself are there; status task */
    /* Containers of which the end was told lately, in a ring: the CRI may still call them running. lock */
    struct { char id[EXITED_MAX][72]; unsigned next; } exited;
    int64_t started;                 /* wall time */
    char *runtime_version;           /* "containerd://1.6.20"; lock */
    char *runtime_problem;           /* why the runtime or the pod network is not ready, NULL if they are; lock */
};

enum worker_state { WORKER_SYNC, WORKER_TERMINATING, WORKER_TERMINATED };
enum probe_kind { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS, PROBE_KINDS };

/* What is remembered of a container (by name) from one sync to the next. */
struct container_record {
    struct container_record *next;
    char *name;
    /* Why it waits (upstream's reason cache): from the last attempt to start it; NULL if that worked. Worker thread. */
    char *wait_reason, *wait_message;
    char *crash_message;             /* CrashLoopBackOff, to be told from the next sync on: upstream's status lags like that */
    int64_t backoff, backoff_at;     /* crash loop: delay and when it was set. Worker thread */
    /* Image pull; lock. */
    bool pulling;
    char *pull_image;                /* what the fields below are about */
    char *pull_reason, *pull_message; /* the last pull's failure */
    bool pulled;                     /* a pull has ended well and its result is not used up yet */
    int64_t pull_backoff, pull_next;
    /* postStart hook; lock. */
    char *hook_id;                   /* container whose hook runs or ran */
    bool hook_running, hook_failed;
    struct probe *probes[PROBE_KINDS]; /* lock */
};

/* A container that is being stopped; lock. */
struct kill_op {
    struct kill_op *next;
    char *id, *name, *message;
    int64_t grace, deadline; /* seconds, -1: what the spec says; monotonic */
};

struct pod_worker {
    struct node *node;
    char *uid;
    _Atomic unsigned refs;
    /* ---- lock ---- */
    struct doc *pod;             /* the newest known; a synthetic one for orphans of the runtime */
    bool gone;                   /* the API server has no such pod any more */
    bool is_static;              /* from a manifest: `pod` is not the API's, which has a mirror */
    struct doc *mirror;
    bool runtime_changed;        /* events came: read the runtime's state again */
    char *evict_reason, *evict_message; /* set by eviction: fail the pod */
    int64_t evict_grace;
    bool evict_pressure;         /* for the node's sake: condition DisruptionTarget */
    struct kill_op *kills;
    struct container_record *containers;
    struct doc *status_doc;      /* status last computed, for the kubelet API and probes */
    struct pod_runtime *runtime; /* last read; replaced under lock */
    /* ---- worker thread ---- */
    _Atomic int state;           /* enum worker_state; this one and the next line are read by others, too */
    _Atomic bool admitted, rejected, finished;
    bool cgroup_made, volumes_mounted;
    const char *reject_reason;   /* static text */
    char *reject_message;
    struct doc *answered;        /* the object as our last write left it */
    int64_t started;             /* status.startTime, wall */
    int64_t grace_deadline;      /* monotonic: when termination's grace ends */
    _Atomic int64_t volume_next; /* when volumes are looked at again, monotonic; 0: now */
    int64_t volume_backoff;
    bool volumes_static;         /* mounted, and nothing in them ever changes */
    char *sandbox_error;
    struct doc *allocated;       /* pod whose resources are admitted (in-place resize) */
    struct resize_state *resize;
};

/* NULL if there is no such worker; the caller owns a reference. */
struct pod_worker *worker_find(struct node *n, const char *uid);
void worker_unref(struct pod_worker *w);
static inline void cleanup_worker_(struct pod_worker **w) { worker_unref(*w); }
#define cleanup_worker CLEANUP(cleanup_worker_)
struct doc *worker_pod(struct pod_worker *w); /* new reference */
struct container_record *worker_record(struct pod_worker *w, const char *name); /* made on first use; lock held or worker thread */
void worker_sync_soon(struct pod_worker *w, bool runtime_changed);
char *worker_dir(struct arena *a, const struct pod_worker *w, const char *fmt, ...) PRINTF(3, 4); /* PODS_DIR/UID/... */
const char *pod_describe(struct arena *a, const struct json *pod); /* "name_namespace(uid)", as kubelet's format.Pod */

/* Events about a pod or one of its containers. */
void worker_event(struct pod_worker *w, const char *type, const char *reason, const char *fmt, ...) PRINTF(4, 5);
void container_event(struct pod_worker *w, const struct json *pod, const char *container, const char *type, const char *reason,
                     const char *fmt, ...) PRINTF(6, 7);

/* A container of the spec, of any of the three lists; `list` (may be NULL) gets the list's name. */
const struct json *pod_container(const struct json *pod, const char *name, const char **list);
bool container_is_sidecar(const struct json *container); /* a restartable init container */
bool pod_is_host_network(const struct json *pod);
bool pod_is_static(const struct json *pod);
static inline int64_t node_now(const struct node *n) { return clock_wall(n->clock); }

#define LOCK(n) pthread_mutex_lock(&(n)->lock)
#define UNLOCK(n) pthread_mutex_unlock(&(n)->lock)
