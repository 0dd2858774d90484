/* What a pod asks for as a whole (k8s.io/component-helpers/resource). */
#pragma once
#include "client/runner.h"

/* The pod's sum of "requests" or "limits" of a resource: containers and sidecars, the largest init container, overhead;
 * or what the pod itself says. Zero if nothing is said. */
struct quantity pod_resource(const struct json *pod, const char *kind, const char *resource);
/* No container asks for or is limited in CPU or memory. */
bool pod_is_best_effort(const struct json *pod);
