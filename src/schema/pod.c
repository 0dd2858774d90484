/* See pod.h. */
#include "schema/pod.h"
#include "schema/schema.h"

static bool positive(struct quantity q) { return q.value > 0; }

static void judge(const struct json *holder, bool *any, bool *guaranteed) {
    static const char *const names[] = {"cpu", "memory"};
    const struct json *requests = json_get(holder, "resources.requests"), *limits = json_get(holder, "resources.limits");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct quantity request = quantity_of(json_member(requests, names[i])), limit = quantity_of(json_member(limits, names[i]));
        *any = *any || positive(request) || positive(limit);
        bool asks = json_member(requests, names[i]) != NULL;
        if (!positive(limit) || (asks && quantity_compare(&request, &limit) != 0)) *guaranteed = false;
    }
}

const char *pod_qos(const struct json *pod) {
    bool any = false, guaranteed = true;
    if (json_len(json_get(pod, "spec.resources.requests")) + json_len(json_get(pod, "spec.resources.limits")) > 0) {
        judge(json_get(pod, "spec"), &any, &guaranteed); /* pod-level resources decide (KEP-2837) */
    } else {
        JSON_EACH(c, json_get(pod, "spec.initContainers")) judge(c, &any, &guaranteed);
        JSON_EACH(c, json_get(pod, "spec.containers")) judge(c, &any, &guaranteed);
    }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}
