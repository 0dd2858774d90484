/* Facts about pods that several layers need alike. */
#pragma once
#include "json/json.h"

/* "Guaranteed", "Burstable" or "BestEffort" (pkg/apis/core/v1/helper/qos). */
const char *pod_qos(const struct json *pod);
