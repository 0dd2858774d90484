/* What the scheduler knows of the cluster: nodes with what is left on them, and pods parsed once. Kept by cache events and
 * by its own assumptions (a pod counts on its node from the moment it was chosen, before the binding is durable).
 *
 * state->lock protects everything in it. A scheduling cycle holds it while it looks for a node: microseconds per node. */
#pragma once
#include "base/map.h"
#include "client/cache.h"
#include "client/object.h"
#include <pthread.h>

struct scalar {
    const char *name; /* interned by the state */
    int64_t value;
};
struct resources {
    int64_t cpu, memory, storage; /* milli, bytes, bytes */
    struct scalar *scalars;       /* everything else: extended resources, huge pages */
    size_t scalar_count;
};

/* A term of pod (anti-)affinity, KEP-less core API: PodAffinityTerm. */
struct pod_term {
    struct selector *selector, *namespace_selector; /* namespace_selector may be NULL */
    const char *const *namespaces;                  /* ends with NULL */
    const char *topology_key;
    int64_t weight;                                 /* of preferred ones */
};
struct pod_terms {
    struct pod_term *items;
    size_t len;
};
struct host_port {
    const char *ip, *protocol;
    int64_t port;
};

struct pod_info {
    struct arena arena;
    struct doc *doc;
    const char *key, *uid, *ns, *node; /* node: NULL while it has none */
    int64_t priority, started;
    struct resources requests;
    int64_t nonzero_cpu, nonzero_memory; /* with upstream's defaults for containers that ask for nothing */
    const struct json *spec, *labels, *tolerations;
    struct pod_terms affinity, anti_affinity, preferred, anti_preferred;
    struct host_port *ports;
    size_t port_count;
    bool terminating;
};

/* A cycle looks at hundreds of nodes, and waits for memory most of that time: what it needs of each stands in the first two cache
 * lines, which it fetches in advance. */
enum { NODE_HOT = 128, CACHE_LINE = 64 };
struct node_info {
    struct resources allocatable, requested;
    int64_t nonzero_cpu, nonzero_memory;
    size_t max_pods, pod_count;
    bool unschedulable, tainted, discouraged; /* tainted, discouraged: has taints that keep pods away (or off); that only PreferNoSchedule */
    const char *name;           /* here the cache lines end */
    struct doc *doc;            /* NULL: pods were seen, the node not (or no more) */
    const struct json *labels, *taints;
    struct pod_info **pods;
    size_t pod_cap;
    size_t with_anti_affinity, with_affinity; /* pods that have such terms (required; any) */
    struct map images;          /* image name -> size as a pointer */
};

struct state {
    pthread_mutex_t lock;
    struct map nodes;           /* name -> struct node_info */
    struct node_info **list;    /* those with a Node object; order of arrival */
    size_t count, cap;
    struct map pods;            /* uid -> struct pod_info: assigned, assumed */
    struct map images;          /* image name -> number of nodes that have it, as a pointer */
    struct map names;           /* interned resource names: name -> its copy */
    size_t with_anti_affinity, with_affinity, discouraged; /* pods; nodes */
    struct node_result *results; /* room for one of each node: the cycle's under way, kept for the next one */
    size_t results_cap;
};
void state_init(struct state *s);
void state_free(struct state *s);
const char *state_intern(struct state *s, const char *name); /* lock; lives as long as the state */

/* The following want the lock. */
void state_set_node(struct state *s, const char *name, struct doc *d); /* NULL: the Node is gone */
/* Takes the pod into account (replacing an older form of it); owns it from here. */
void state_set_pod(struct state *s, struct pod_info *p);
void state_remove_pod(struct state *s, const char *uid);
struct node_info *state_node(struct state *s, const char *name); /* with a Node object, else NULL */

/* Moves a pod off and on a node without forgetting it: what preemption tries. */
void node_add_pod(struct state *s, struct node_info *n, struct pod_info *p);
void node_drop_pod(struct state *s, struct node_info *n, struct pod_info *p);

struct pod_info *pod_info_new(struct state *s, struct doc *d, const char *node); /* node: instead of spec.nodeName; lock */
void pod_info_free(struct pod_info *p);
int64_t resources_scalar(const struct resources *r, const char *name);

/* Does the term select the pod? `namespace_labels` gives a namespace's labels for namespace selectors. */
bool pod_term_matches(struct cache *c, const struct pod_term *t, const struct pod_info *pod);
