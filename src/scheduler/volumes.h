/* What scheduling has to know and do about a pod's claims. */
#pragma once
#include "client/client.h"
#include "scheduler/state.h"

struct pod_volumes {
    struct doc_list claims;
};
bool volumes_bound(const struct json *claim);
bool volumes_waits_for_consumer(struct cache *c, const struct json *claim); /* its StorageClass says WaitForFirstConsumer */
bool volumes_node_matches(struct arena *a, const struct json *pv, const struct node_info *n);
/* The smallest free volume that fits the claim and the node and is not in `taken`; new reference or NULL. */
struct doc *volumes_find(struct arena *a, struct cache *c, const struct json *claim, const struct node_info *n, const struct doc_list *taken);
bool volumes_can_provision(struct arena *a, struct cache *c, const struct json *claim, const struct node_info *n);

/* Before the pod is bound to the node: reserves volumes for its claims or asks their provisioner. `*done` when all claims
 * are bound; otherwise call again when a claim has changed. Blocks on API calls. */
MUST_CHECK struct error *volumes_bind(struct client *client, struct cache *c, const struct pod_info *pod, const struct node_info *n, bool *done);
