/* The Node object: registration, status and heartbeat. */
#pragma once
#include "node/agent.h"

struct work_result node_status_run(void *node, const char *rest); /* dispatch kind "status" */
struct work_result node_lease_run(void *node, const char *rest);  /* dispatch kind "lease" */
const struct json *node_status_build(struct node *n, struct arena *a, const struct json *object); /* the object with its status */
/* For cache_subscribe. */
void node_object_changed(const struct resource *r, struct doc *before, struct doc *after, void *node);
/* Asks the runtime how it is; notes version and problem. */
void node_check_runtime(struct node *n);
