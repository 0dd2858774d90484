/* Fields of features that are off by default in 1.35: creations and updates lose them, as upstream's strategies drop what a feature
 * gate covers (dropDisabledFields). Nothing stored has them, so it does not matter whether the old object does. */
#include "apiserver/strategy.h"

/* "a.b[].c": c of each element of b; "a.b{}.c": c of each value of the map b; "a.b.c!": with b, if nothing else is in it. */
static const struct { const struct resource *resource; const char *path; } disabled[] = {
    {&resource_apps_statefulsets, "spec.updateStrategy.rollingUpdate.maxUnavailable"}, /* MaxUnavailableStatefulSet */
    {&resource_pods, "status.resources"},                                               /* InPlacePodLevelResourcesVerticalScaling */
    {&resource_pods, "status.allocatedResources"},
    {&resource_pods, "status.extendedResourceClaimStatus"},                             /* DRAExtendedResource */
    {&resource_nodes, "status.declaredFeatures"},                                       /* NodeDeclaredFeatures */
    {&resource_nodes, "spec.configSource"},                                             /* DynamicKubeletConfig, which is gone */
    {&resource_nodes, "status.config"},
    {&resource_resource_deviceclasses, "spec.extendedResourceName"},                    /* DRAExtendedResource */
    {&resource_discovery_endpointslices, "endpoints[].deprecatedTopology"},             /* not of v1 */
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

/* Of pods, and of what makes them. */
static const struct { const struct resource *resource; const char *spec; } pods[] = {
    {&resource_pods, "spec"},
    {&resource_podtemplates, "template.spec"},
    {&resource_replicationcontrollers, "spec.template.spec"},
    {&resource_apps_deployments, "spec.template.spec"},
    {&resource_apps_replicasets, "spec.template.spec"},
    {&resource_apps_statefulsets, "spec.template.spec"},
    {&resource_apps_daemonsets, "spec.template.spec"},
    {&resource_batch_jobs, "spec.template.spec"},
    {&resource_batch_cronjobs, "spec.jobTemplate.spec.template.spec"},
};
static const char *const of_pods[] = {
    "containers[].lifecycle.stopSignal!", "initContainers[].lifecycle.stopSignal!", /* ContainerStopSignals */
    "volumes[].projected.sources[].podCertificate",                                /* PodCertificateRequest */
    "volumes[].projected.sources[].clusterTrustBundle",                            /* ClusterTrustBundleProjection */
    "workloadRef",                                                                 /* GenericWorkload */
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
    size_t n = strcspn(path, ".[{!");
    const char *name = arena_strndup(a, path, n), *rest = path + n;
    const struct json *v = json_member(o, name), *now;
    if (v == NULL) return o;
    if (*rest == '\0' || *rest == '!') return json_without_member(a, o, name);
    if (*rest == '.') now = without(a, v, rest + 1);
    else now = *rest == '[' ? each_element(a, v, rest + 3) : each_value(a, v, rest + 3); /* "[]." "{}." */
    bool nothing_left = now != v && json_len(now) == 0 && path[strlen(path) - 1] == '!';
    if (nothing_left && *rest == '.') return json_without_member(a, o, name);
    return now == v ? o : json_with_member(a, o, name, now);
}

const struct json *drop_disabled(const struct change *c, const struct json *o) {
    for (size_t i = 0; i < ARRAY_LEN(disabled); i++)
        if (disabled[i].resource == c->resource) o = without(c->r->arena, o, disabled[i].path);
    for (size_t i = 0; i < ARRAY_LEN(pods); i++) {
        const struct json *spec = pods[i].resource == c->resource ? json_get(o, pods[i].spec) : NULL, *now = spec;
        for (size_t k = 0; spec && k < ARRAY_LEN(of_pods); k++) now = without(c->r->arena, now, of_pods[k]);
        if (now != spec) o = json_with(c->r->arena, o, pods[i].spec, now);
    }
    return o;
}
