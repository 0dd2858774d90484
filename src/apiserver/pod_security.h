/* The Pod Security Standards: what baseline and restricted forbid, in each version (k8s.io/pod-security-admission/policy). */
#pragma once
#include "json/json.h"

enum pod_security_level { LEVEL_PRIVILEGED, LEVEL_BASELINE, LEVEL_RESTRICTED };
#define POD_SECURITY_LATEST INT64_MAX /* of minor versions: v1.N is N */

struct pod_security_result {
    size_t count;           /* 0: the pod is allowed */
    const char *reasons;    /* "host namespaces, hostPort" */
    const char *details;    /* with the culprits in parentheses */
};
/* `pod` has metadata and spec: a pod or a template. The result's strings are in the arena. */
struct pod_security_result pod_security_evaluate(struct arena *a, const struct json *pod, enum pod_security_level level, int64_t minor);
