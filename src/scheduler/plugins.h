/* The scheduling framework: a cycle for one pod, and the table of plugins with upstream's names. Whoever adds a filter or
 * a score adds a file and a row in plugins.c. A cycle runs on one thread with the state's lock held. */
#pragma once
#include "scheduler/state.h"

enum verdict {
    FITS,
    UNSCHEDULABLE,   /* removing pods from the node might help */
    UNRESOLVABLE,    /* nothing on the node could be removed to help */
};

#define REASONS_MAX 8
struct node_result {
    struct node_info *node;
    enum verdict verdict;
    unsigned reason_count;
    const char *plugin;               /* that refused, if one has */
    const char *reasons[REASONS_MAX]; /* "Insufficient cpu"; static or in the cycle's arena */
};

enum { PLUGINS_MAX = 24 };
struct cycle {
    struct arena arena;
    struct state *state;
    struct cache *cache;
    struct pod_info *pod;
    struct node_result *results;      /* of the nodes that were looked at; all of them if none fits */
    size_t count, looked, found;      /* nodes there are, results, those that fit */
    void *data[PLUGINS_MAX];          /* what a plugin's prefilter or prescore left for it */
    bool skip_filter[PLUGINS_MAX];
    uint8_t filters[PLUGINS_MAX];     /* the plugins that filter, when all prefilters have run */
    size_t filter_count;
    const char *message;              /* of a pod that prefilter has refused altogether */
    const char *message_plugin;
    const char *const *only_nodes;    /* prefilter has narrowed the nodes to these (ends with NULL), or NULL */
};

enum normalize { NORMALIZE_NONE, NORMALIZE_DEFAULT, NORMALIZE_REVERSED };

struct plugin {
    const char *name;
    /* Before the nodes are looked at. False: the pod fits nowhere, cycle_refuse has said why. Sets skip_filter if there is
     * nothing to filter. */
    bool (*prefilter)(struct cycle *c, size_t self);
    enum verdict (*filter)(struct cycle *c, size_t self, struct node_result *r); /* adds reasons with node_refuse */
    bool (*prescore)(struct cycle *c, size_t self); /* false: nothing to score */
    int64_t (*score)(struct cycle *c, size_t self, struct node_info *n);
    /* Turns raw scores of all feasible nodes into 0..100; NULL: by `normalize`. */
    void (*normalize_scores)(struct cycle *c, size_t self, int64_t *scores, struct node_info *const *nodes, size_t n);
    enum normalize normalize;
    int weight;
    /* The pod `p` has been put on or taken off node `n` (preemption tries this): brings what prefilter counted up to date. */
    void (*pod_moved)(struct cycle *c, size_t self, struct node_info *n, const struct pod_info *p, bool added);
    void (*finish)(struct cycle *c, size_t self); /* frees data[self]; not called if that is NULL */
};
extern const struct plugin *const *const plugins;
extern const size_t plugin_count;

enum verdict node_refuse(struct node_result *r, enum verdict v, const char *reason);
/* The pod is refused before any node is looked at. Always false. */
bool cycle_refuse(struct cycle *c, const char *plugin, const char *fmt, ...) PRINTF(3, 4);

/* Helpers that several plugins use. */
bool node_matches_affinity(struct arena *a, const struct json *spec, const struct node_info *n); /* nodeSelector and required node affinity */
bool node_selector_term_matches(struct arena *a, const struct json *term, const struct node_info *n);
bool taint_tolerated(const struct json *tolerations, const struct json *taint);
const struct json *untolerated_taint(const struct json *tolerations, const struct json *taints, bool only_prefer);

/* One table per file. */
extern const struct plugin plugin_node_unschedulable, plugin_node_name, plugin_taint_toleration, plugin_node_affinity, plugin_node_ports,
    plugin_node_resources_fit, plugin_balanced_allocation, plugin_image_locality, plugin_inter_pod_affinity, plugin_pod_topology_spread,
    plugin_volume_binding, plugin_volume_restrictions, plugin_volume_zone, plugin_node_volume_limits;
