/* Does a pod that was bound to this node fit? Upstream's kubelet predicates. */
#pragma once
#include "node/worker.h"

/* A NodeSelectorTerm: an empty one matches nothing. */
bool node_term_matches(const struct json *term, const struct json *node);

/* NULL if it fits, else the reason ("OutOfcpu", "NodeAffinity", ...; static text) and *message. */
const char *admission_check(struct pod_worker *w, struct arena *a, const struct json *pod, const char **message);
