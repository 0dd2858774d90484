/* The set of pods of this node: what the API server (and the manifest directory) wants, what the runtime has. */
#pragma once
#include "node/worker.h"

MUST_CHECK struct error *pods_start(struct node *n); /* subscribes; workers are made as pods come */
void pods_stop(struct node *n);
/* Dispatch kind "orphans": pods that only the runtime has are stopped, directories of pods that nobody knows removed. */
struct work_result pods_reap(void *node, const char *rest);
struct pod_worker *pods_add(struct node *n, struct doc *pod, bool is_static, bool gone); /* new reference to its worker */
void pods_forget(struct pod_worker *w);
/* All workers, each with a reference; ends with NULL; freed with pods_list_free. */
struct pod_worker **pods_list(struct node *n);
void pods_list_free(struct pod_worker **list);
struct pod_worker *pods_find_name(struct node *n, const char *ns, const char *name);
/* A static pod's mirror: made when absent. */
MUST_CHECK struct error *mirror_ensure(struct pod_worker *w, struct doc *pod);
struct work_result manifests_scan(void *node, const char *rest); /* dispatch kind "manifests" */
