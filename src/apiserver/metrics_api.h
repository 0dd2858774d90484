/* metrics.k8s.io: what nodes and pods use of CPU and memory. Nodes are asked when somebody asks (kubectl top, autoscalers), not
 * more often than every fifteen seconds; a rate is that between the last two samples. */
#pragma once
#include "apiserver/internal.h"

struct metrics_api;
struct metrics_api *metrics_api_new(void);
void metrics_api_free(struct metrics_api *m);
/* Keeps the group's APIService, or removes it, as the configuration says. */
MUST_CHECK struct error *metrics_api_register(struct apiserver *s);
struct error *metrics_api_serve(struct request *r); /* blocks: on a worker */
