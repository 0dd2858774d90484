/* Service account tokens bound to pods: asked for by TokenRequest, kept and renewed after 80 % of their life. */
#pragma once
#include "node/agent.h"

MUST_CHECK struct error *token_get(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *projection, const char **token);
void tokens_forget(struct pod_worker *w);
