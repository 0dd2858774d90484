/* Whether a pod may be on a node by its node selector, node affinity and tolerations (component-helpers' nodeaffinity and
 * v1 taints). Pure functions over API objects. */
#pragma once
#include "json/json.h"

/* spec.nodeSelector and required node affinity of a pod's spec. */
bool placement_selects(const struct json *pod_spec, const struct json *node);
bool placement_tolerates(const struct json *tolerations, const struct json *taint);
/* All taints that repel pods; only those that evict them too if `no_execute`. */
bool placement_tolerates_node(const struct json *tolerations, const struct json *node, bool no_execute);
