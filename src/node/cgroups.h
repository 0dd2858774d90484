/* Control groups of pods, cgroup v1 (each controller a hierarchy) and v2: ROOT/kubepods[/burstable|/besteffort]/podUID.
 * Containers' own groups are the runtime's. */
#pragma once
#include "node/agent.h"

MUST_CHECK struct error *cgroups_start(struct node *n); /* makes kubepods and its QoS groups */
const char *cgroup_pod_path(struct arena *a, struct node *n, const struct json *pod);
MUST_CHECK struct error *cgroup_pod_make(struct node *n, const struct json *pod);
MUST_CHECK struct error *cgroup_pod_update(struct node *n, const struct json *pod); /* limits again, after a resize */
MUST_CHECK struct error *cgroup_pod_remove(struct node *n, const struct json *pod); /* kills what is left in it */
void cgroups_reap(struct node *n); /* groups of pods that nobody knows */
/* The whole tree below `root` ("" or a path), with whatever still runs in it. */
MUST_CHECK struct error *cgroups_remove_all(const char *root);
bool cgroup_is_v2(void);

/* What a group uses; -1 where unknown. Paths are those of cgroup_pod_path and below; "/" is the node. */
struct cgroup_usage {
    int64_t cpu_ns, memory, working_set, rss, page_faults, major_faults, memory_limit, pids;
};
void cgroup_usage(const char *path, struct cgroup_usage *out);

/* ---- resources (resources.c) ---- */
#define MIN_SHARES 2
#define CPU_PERIOD 100000
int64_t cpu_shares(int64_t milli_cpu);
int64_t cpu_quota(int64_t milli_cpu); /* per CPU_PERIOD; 0: no limit */
struct quantity container_request(const struct json *container, const char *resource); /* limit where there is no request */
struct quantity container_limit(const struct json *container, const char *resource);
/* The pod's sums as upstream's resource helpers make them: sidecars and init containers, overhead, pod-level resources. */
struct quantity pod_request(const struct json *pod, const char *resource);
struct quantity pod_limit(const struct json *pod, const char *resource, bool *all_limited);
int oom_score_adj(const struct json *pod, const struct json *container);
const struct json *linux_resources(struct arena *a, const struct json *pod, const struct json *container); /* CRI */
