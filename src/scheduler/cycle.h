/* One pod looks for a node: filters, scores, and if none fits, preemption. Pure but for the state (whose lock the caller
 * holds) and the caches: no API call is made here. */
#pragma once
#include "scheduler/plugins.h"

/* Pods that preemption has made room for and that are not bound yet. */
struct nominations {
    struct map by_pod; /* uid -> struct nomination */
};
struct nomination {
    struct pod_info *pod;
    char *node;
};
void nomination_set(struct nominations *n, struct pod_info *pod, const char *node); /* takes the pod */
void nomination_remove(struct nominations *n, const char *uid);
void nominations_free(struct nominations *n);

struct placement {
    struct cycle cycle;
    struct node_info *node;   /* chosen, or NULL */
    const char *message;      /* why none: "0/2 nodes are available: …" */
    /* Preemption: pods to delete (uids in cycle.arena) and the node to nominate. */
    struct node_info *nominated;
    struct pod_info **victims;
    size_t victim_count;
};
/* `start` rotates where the search of big clusters begins; `random` breaks ties. */
void placement_find(struct placement *p, struct state *s, struct cache *cache, struct nominations *nominated, struct pod_info *pod, size_t *start, uint64_t random);
void placement_free(struct placement *p);

/* For preempt.c: runs the filters for one node with the nominated pods on it. */
enum verdict cycle_filter_node(struct cycle *c, struct nominations *nominated, struct node_result *r);
void cycle_move_pod(struct cycle *c, struct node_info *n, struct pod_info *p, bool add);
/* "0/2 nodes are available: 1 A, 1 B." of all results that have reasons. */
const char *cycle_summary(struct cycle *c, const struct node_result *results, size_t count);
void preempt(struct placement *p, struct nominations *nominated, struct buf *message);
