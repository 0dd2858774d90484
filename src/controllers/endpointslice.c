/* endpointslice-controller: the EndpointSlices of every Service with a selector. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/endpoint_slices.h"
#include "controllers/endpoint_util.h"

#define MANAGER "endpointslice-controller.k8s.io"
enum { MAX_ENDPOINTS = 100 };

struct sync {
    struct slices_wanted wanted;
    const char *missing_pod, *missing_node;
};

static void slice_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    for (int i = 0; i < 2; i++) {
        const struct doc *s = i ? before : after;
        const char *service = s ? object_label(s->root, LABEL_SERVICE_NAME) : NULL;
        if (service && str_eq(object_label(s->root, LABEL_SLICE_MANAGER), MANAGER)) runner_add(r, key_join(&a, doc_namespace(s), service));
    }
}

static const struct json *ports_of(struct arena *a, const struct json *service, const struct json *pod) {
    struct json_array ports = {.arena = a};
    JSON_EACH(p, json_get(service, "spec.ports")) {
        int64_t number = endpoint_port(p, pod);
        if (number <= 0) continue;
        json_array_add(&ports, json_make(a, "{'name':%s,'protocol':%s,'port':%ld,'appProtocol':%s}", json_str_or(p, "name", ""),
                                         json_str_or(p, "protocol", "TCP"), number, json_str(p, "appProtocol")));
    }
    return json_array_done(&ports);
}

static const struct json *addresses_of(struct arena *a, const struct json *pod, bool v6) {
    struct json_array addresses = {.arena = a};
    JSON_EACH(ip, json_get(pod, "status.podIPs")) {
        const char *text = json_str(ip, "ip");
        if (text && endpoint_ip_is_v6(text) == v6) json_array_add(&addresses, json_member(ip, "ip"));
    }
    return json_array_done(&addresses);
}

static void add_endpoint(struct sync *s, const struct doc *pod, const char *family) {
    struct arena *a = s->wanted.arena;
    const struct doc *service = s->wanted.owner;
    const struct json *addresses = addresses_of(a, pod->root, str_eq(family, "IPv6"));
    const char *node_name = json_str(pod->root, "spec.nodeName");
    bool anyway = json_bool(service->root, "spec.publishNotReadyAddresses", false);
    cleanup_doc struct doc *node = node_name ? cache_get(s->wanted.runner->cache, &resource_nodes, NULL, node_name) : NULL;
    if (node_name && !node && !anyway) {
        s->missing_pod = doc_name(pod), s->missing_node = node_name;
        return;
    }
    if (json_len(addresses) == 0) return;
    const char *zone = node ? object_label(node->root, "topology.kubernetes.io/zone") : NULL;
    bool serving = pod_is_ready(pod->root), terminating = object_deleting(pod->root);
    const struct json *e = json_make(a, "{'addresses':%v,'conditions':{'ready':%b,'serving':%b,'terminating':%b},'hostname':%s,'targetRef':%v,'nodeName':%s,'zone':%v}",
                                     addresses, anyway || (serving && !terminating), serving, terminating,
                                     endpoint_has_hostname(service, pod) ? json_str(pod->root, "spec.hostname") : NULL, endpoint_target(a, pod), node_name,
                                     zone && *zone ? json_string(a, zone) : NULL);
    json_array_add(&slices_group(&s->wanted, family, ports_of(a, service->root, pod->root))->endpoints, e);
}

static bool has_group(const struct slices_wanted *w, const char *family) {
    for (size_t i = 0; i < w->group_count; i++) {
        if (str_eq(w->groups[i].address_type, family)) return true;
    }
    return false;
}

static struct error *sync_service(struct runner *r, struct arena *a, const char *key, struct doc *service) {
    cleanup_doc_list struct doc_list pods = {0}, existing = {0};
    endpoint_pods(r, service, &pods);
    slices_of(r, doc_namespace(service), doc_name(service), MANAGER, &existing);
    struct sync s = {.wanted = {.runner = r, .arena = a, .owner_resource = &resource_services, .owner = service, .max = MAX_ENDPOINTS,
                                .labels = slice_labels(a, service->root, doc_name(service), MANAGER, endpoint_service_headless(service->root)),
                                .distribution = json_str(service->root, "spec.trafficDistribution"),
                                .trigger = endpoint_trigger_time(r, a, key, service, &pods)}};
    JSON_EACH(family, json_get(service->root, "spec.ipFamilies")) {
        for (size_t i = 0; i < pods.len; i++) {
            if (endpoint_wants_pod(pods.items[i]->root, true)) add_endpoint(&s, pods.items[i], family->s);
        }
        if (!has_group(&s.wanted, family->s)) slices_group(&s.wanted, family->s, &json_empty_array); /* the placeholder */
    }
    TRY(slices_write(&s.wanted, &existing));
    if (!s.missing_pod) return NULL;
    return error_new("skipping Pod %s for Service %s: Node %s Not Found", s.missing_pod, key, s.missing_node);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *service = cache_get(r->cache, &resource_services, ns, name);
    if (!service) endpoint_trigger_time(r, a, key, NULL, NULL);
    if (!service || json_str_is(service->root, "spec.type", "ExternalName") || !json_get(service->root, "spec.selector")) return WORK_DONE;
    struct error *e = sync_service(r, a, key, service);
    if (e) {
        recorder_event(r->events, service->root, "Warning", "FailedToUpdateEndpointSlices", "Error updating Endpoint Slices for Service %s: %s", key, e->message);
    }
    return work_error(e);
}

static const struct controller_source sources[] = {{.resource = &resource_services}, {.resource = &resource_pods, .keys = endpoint_pod_keys},
                                                   {.resource = &resource_discovery_endpointslices, .keys = slice_changed}, {0}};
const struct controller endpointslice_controller = {"endpointslice-controller", .component = "endpoint-slice-controller", .sources = sources,
                                                    .reconcile = reconcile, .start = endpoint_triggers_start, .stop = endpoint_triggers_stop};
