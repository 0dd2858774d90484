/* Usage of the node, its pods and containers: /stats/summary and /metrics/resource. */
#pragma once
#include "node/agent.h"

const struct json *stats_summary(struct node *n, struct arena *a);
void stats_metrics(struct node *n, struct buf *out);
void probes_metrics(struct node *n, struct buf *out); /* probes.c */
/* Bytes that a directory tree holds on disk, and its inodes; does not cross mounts. */
void disk_usage(const char *dir, int64_t *bytes, int64_t *inodes);
/* The writable layer of each container by CRI: container id -> {bytes, inodes}; NULL if the runtime is away. */
const struct json *container_disk_stats(struct node *n, struct arena *a);
