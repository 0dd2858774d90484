/* Lifecycle hooks: exec, httpGet, tcpSocket (accepted and ignored upstream), sleep. */
#pragma once
#include "node/agent.h"

/* Runs the handler against the container; blocks up to `timeout` (0: none). */
MUST_CHECK struct error *hook_run(struct node *n, const struct json *pod, const struct json *container, const char *id, const char *pod_ip,
                                  const struct json *handler, int64_t timeout);
/* Starts the postStart hook of a container just started; the worker is run again when it is over. */
void hook_post_start(struct pod_worker *w, const char *container, const char *id);
struct work_result hook_post_start_run(void *node, const char *rest); /* dispatch kind "hook": UID/container */
