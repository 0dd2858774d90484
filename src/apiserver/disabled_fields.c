/* Fields of features that are off by default in 1.35: creations and updates lose them, as upstream's strategies drop what a feature
 * gate covers (dropDisabledFields). Nothing stored has them, so it does not matter whether the old object does. */
#include "apiserver/strategy.h"

/* "a.b[].c": c of each element of b; "a.b{}.c": c of each value of the map b. */
static const struct { const struct resource *resource; const char *path; } disabled[] = {
    {&resource_apps_statefulsets, "spec.updateStrategy.rollingUpdate.maxUnavailable"}, /* MaxUnavailableStatefulSet */
    {&resource_nodes, "status.declaredFeatures"},                                       /* NodeDeclaredFeatures */
    {&resource_resource_deviceclasses, "spec.extendedResourceName"},                    /* DRAExtendedResource */
    /* DRADeviceTaints */
    {&resource_resource_resourceclaims, "spec.devices.requests[].exactly.tolerations"},
    {&resource_resource_resourceclaims, "spec.devices.requests[].firstAvailable[].tolerations"},
    {&resource_resource_resourceclaimtemplates, "spec.spec.devices.requests[].exactly.tolerations"},
    {&resource_resource_resourceclaimtemplates, "spec.spec.devices.requests[].firstAvailable[].tolerations"},
    {&resource_resource_resourceslices, "spec.devices[].taints"},
    /* DRAConsumableCapacity */
    {&resource_resource_resourceclaims, "spec.devices.requests[].exactly.capacity"},
    {&resource_resource_resourceclaims, "spec.devices.requests[].firstAvailable[].capacity"},
    {&resource_resource_resourceclaims, "spec.devices.constraints[].distinctAttribute"},
    {&resource_resource_resourceclaims, "status.allocation.devices.results[].shareID"},
    {&resource_resource_resourceclaims, "status.allocation.devices.results[].consumedCapacity"},
    {&resource_resource_resourceclaims, "status.devices[].shareID"},
    {&resource_resource_resourceclaimtemplates, "spec.spec.devices.requests[].exactly.capacity"},
    {&resource_resource_resourceclaimtemplates, "spec.spec.devices.requests[].firstAvailable[].capacity"},
    {&resource_resource_resourceclaimtemplates, "spec.spec.devices.constraints[].distinctAttribute"},
    {&resource_resource_resourceslices, "spec.devices[].allowMultipleAllocations"},
    {&resource_resource_resourceslices, "spec.devices[].capacity{}.requestPolicy"},
    /* DRAPartitionableDevices */
    {&resource_resource_resourceslices, "spec.sharedCounters"},
    {&resource_resource_resourceslices, "spec.perDeviceNodeSelection"},
    {&resource_resource_resourceslices, "spec.devices[].consumesCounters"},
    {&resource_resource_resourceslices, "spec.devices[].nodeName"},
    {&resource_resource_resourceslices, "spec.devices[].nodeSelector"},
    {&resource_resource_resourceslices, "spec.devices[].allNodes"},
    /* DRADeviceBindingConditions */
    {&resource_resource_resourceclaims, "status.allocation.devices.results[].bindingConditions"},
    {&resource_resource_resourceclaims, "status.allocation.devices.results[].bindingFailureConditions"},
    {&resource_resource_resourceslices, "spec.devices[].bindingConditions"},
    {&resource_resource_resourceslices, "spec.devices[].bindingFailureConditions"},
    {&resource_resource_resourceslices, "spec.devices[].bindsToNode"},
};

static const struct json *without(struct arena *a, const struct json *o, const char *path);

static const struct json *each_element(struct arena *a, const struct json *list, const char *rest) {
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *now = without(a, json_at(list, i), rest);
        if (now != json_at(list, i)) list = json_with_item(a, list, i, now);
    }
    return list;
}

static const struct json *each_value(struct arena *a, const struct json *map, const char *rest) {
    const struct json *out = map;
    JSON_EACH_MEMBER(m, map) {
        const struct json *now = without(a, &m->value, rest);
        if (now != &m->value) out = json_with_member(a, out, m->key, now);
    }
    return out;
}

/* The value itself if there is nothing to drop. */
static const struct json *without(struct arena *a, const struct json *o, const char *path) {
    size_t n = strcspn(path, ".[{");
    const char *name = arena_strndup(a, path, n), *rest = path + n;
    const struct json *v = json_member(o, name), *now;
    if (v == NULL) return o;
    if (*rest == '\0') return json_without_member(a, o, name);
    if (*rest == '.') now = without(a, v, rest + 1);
    else now = *rest == '[' ? each_element(a, v, rest + 3) : each_value(a, v, rest + 3); /* "[]." "{}." */
    return now == v ? o : json_with_member(a, o, name, now);
}

const struct json *drop_disabled(const struct change *c, const struct json *o) {
    for (size_t i = 0; i < ARRAY_LEN(disabled); i++)
        if (disabled[i].resource == c->resource) o = without(c->r->arena, o, disabled[i].path);
    return o;
}
