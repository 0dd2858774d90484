/* HTTP requests of probes and hooks (corev1.HTTPGetAction). */
#pragma once
#include "node/agent.h"

/* The answer's body is cut at 10 KiB. Errors are worded as Go's http client words them. */
MUST_CHECK struct error *http_action(struct node *n, struct arena *a, const struct json *container, const struct json *get, const char *pod_ip,
                                     const char *user_agent, int64_t timeout, struct http_answer *out);
