#include "controllers/pod_resources.h"
#include "base/str.h"

static const struct json *asked(const struct json *container, const char *kind, const char *resource) {
    return json_member(json_member(json_member(container, "resources"), kind), resource);
}

static struct quantity of_container(const struct json *container, const char *kind, const char *resource) {
    return quantity_of(asked(container, kind, resource));
}

/* Init containers run one by one beside the sidecars that started before them. */
struct quantity pod_resource(const struct json *pod, const char *kind, const char *resource) {
    const struct json *spec = json_get(pod, "spec"), *whole = asked(spec, kind, resource);
    struct quantity sum = {0}, sidecars = {0}, most = {0}, overhead = quantity_of(json_member(json_member(spec, "overhead"), resource));
    JSON_EACH(c, json_member(spec, "containers")) {
        struct quantity q = of_container(c, kind, resource);
        quantity_add(&sum, &q);
    }
    JSON_EACH(c, json_member(spec, "initContainers")) {
        struct quantity q = of_container(c, kind, resource);
        if (json_str_is(c, "restartPolicy", "Always")) {
            quantity_add(&sum, &q);
            quantity_add(&sidecars, &q);
            q = sidecars;
        } else quantity_add(&q, &sidecars);
        if (quantity_compare(&q, &most) > 0) most = q;
    }
    if (quantity_compare(&most, &sum) > 0) sum = most;
    if (whole) sum = quantity_of(whole);
    if (str_eq(kind, "requests") || sum.value != 0) quantity_add(&sum, &overhead);
    return sum;
}

static bool asks(const struct json *container) {
    static const char *const kinds[] = {"requests", "limits"}, *const resources[] = {"cpu", "memory"};
    for (size_t i = 0; i < 4; i++) {
        struct quantity q = of_container(container, kinds[i / 2], resources[i % 2]);
        if (q.value != 0) return true;
    }
    return false;
}

bool pod_is_best_effort(const struct json *pod) {
    const struct json *spec = json_get(pod, "spec");
    if (json_str(pod, "status.qosClass")) return json_str_is(pod, "status.qosClass", "BestEffort");
    JSON_EACH(c, json_member(spec, "containers")) {
        if (asks(c)) return false;
    }
    JSON_EACH(c, json_member(spec, "initContainers")) {
        if (asks(c)) return false;
    }
    return !asks(spec);
}
