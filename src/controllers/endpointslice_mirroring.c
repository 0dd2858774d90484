/* endpointslice-mirroring-controller: Endpoints that people keep for Services without selector, as EndpointSlices. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/endpoint_slices.h"
#include "controllers/endpoint_util.h"
#include "schema/ip.h"

#define MANAGER "endpointslicemirroring-controller.k8s.io"
enum { MAX_PER_SUBSET = 1000 };

struct skipped {
    int invalid, too_many;
};

static void slice_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    cleanup_arena struct arena a = {0};
    const struct doc *s = after ? after : before;
    const char *service = object_label(s->root, LABEL_SERVICE_NAME);
    if (service && str_eq(object_label(s->root, LABEL_SLICE_MANAGER), MANAGER)) runner_add(r, key_join(&a, doc_namespace(s), service));
}

static bool wants_mirror(const struct json *endpoints) {
    return !str_eq(object_label(endpoints, "endpointslice.kubernetes.io/skip-mirror"), "true") &&
           !object_annotation(endpoints, "control-plane.alpha.kubernetes.io/leader");
}

static const struct json *mirrored_annotations(struct arena *a, const struct json *endpoints) {
    const struct json *all = json_without_member(a, json_get(endpoints, "metadata.annotations"), ANNOTATION_TRIGGER_TIME);
    all = json_without_member(a, all, "kubectl.kubernetes.io/last-applied-configuration");
    return all ? all : &json_empty_object;
}

static const struct json *mirrored_ports(struct arena *a, const struct json *ports) {
    struct json_array out = {.arena = a};
    JSON_EACH(p, ports) {
        json_array_add(&out, json_make(a, "{'name':%s,'protocol':%s,'port':%ld,'appProtocol':%s}", json_str_or(p, "name", ""),
                                       json_str_or(p, "protocol", "TCP"), json_int(p, "port", 0), json_str(p, "appProtocol")));
    }
    return json_array_done(&out);
}

static void mirror_addresses(struct slices_wanted *w, const struct json *addresses, const struct json *ports, bool ready, int *added, struct skipped *skipped) {
    JSON_EACH(address, addresses) {
        struct ip ip;
        const char *text = json_str(address, "ip");
        if (*added >= MAX_PER_SUBSET) { skipped->too_many++; continue; }
        if (!text || !ip_parse(text, &ip)) { skipped->invalid++; continue; }
        const struct json *e = json_make(w->arena, "{'addresses':[%s],'conditions':{'ready':%b},'hostname':%s,'targetRef':%v,'nodeName':%s}", text, ready,
                                         json_str(address, "hostname"), json_member(address, "targetRef"), json_str(address, "nodeName"));
        json_array_add(&slices_group(w, endpoint_ip_is_v6(text) ? "IPv6" : "IPv4", ports)->endpoints, e);
        ++*added;
    }
}

static void report(struct runner *r, const struct doc *endpoints, const struct skipped *s) {
    if (s->invalid) {
        recorder_event(r->events, endpoints->root, "Warning", "InvalidIPAddress", "Skipped %d invalid IP addresses when mirroring to EndpointSlices", s->invalid);
    }
    if (s->too_many) {
        recorder_event(r->events, endpoints->root, "Warning", "TooManyAddressesToMirror",
                       "A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %d addresses were skipped", MAX_PER_SUBSET, s->too_many);
    }
}

static struct error *mirror(struct runner *r, struct arena *a, struct doc *endpoints, const struct doc_list *existing) {
    struct slices_wanted w = {.runner = r, .arena = a, .owner_resource = &resource_endpoints, .owner = endpoints, .max = MAX_PER_SUBSET,
                              .labels = slice_labels(a, endpoints->root, doc_name(endpoints), MANAGER, object_label(endpoints->root, LABEL_HEADLESS) != NULL),
                              .annotations = mirrored_annotations(a, endpoints->root)};
    struct skipped skipped = {0};
    JSON_EACH(subset, json_get(endpoints->root, "subsets")) {
        int added = 0;
        const struct json *ports = mirrored_ports(a, json_member(subset, "ports"));
        mirror_addresses(&w, json_member(subset, "addresses"), ports, true, &added, &skipped);
        mirror_addresses(&w, json_member(subset, "notReadyAddresses"), ports, false, &added, &skipped);
    }
    report(r, endpoints, &skipped);
    return slices_write(&w, existing);
}

static struct error *remove_all(struct runner *r, const struct doc_list *slices) {
    for (size_t i = 0; i < slices->len; i++) {
        const struct doc *s = slices->items[i];
        struct error *e = client_delete(r->client, &resource_discovery_endpointslices, doc_namespace(s), doc_name(s), &(struct delete_options){.grace_period = -1});
        if (!error_is(e, "NotFound")) TRY(e);
        else error_free(e);
    }
    return NULL;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc_list struct doc_list existing = {0};
    cleanup_doc struct doc *endpoints = cache_get(r->cache, &resource_endpoints, ns, name);
    cleanup_doc struct doc *service = cache_get(r->cache, &resource_services, ns, name);
    slices_of(r, ns, name, MANAGER, &existing);
    bool wanted = endpoints && wants_mirror(endpoints->root) && service && !json_get(service->root, "spec.selector");
    return work_error(wanted ? mirror(r, a, endpoints, &existing) : remove_all(r, &existing));
}

static const struct controller_source sources[] = {{.resource = &resource_endpoints}, {.resource = &resource_services},
                                                   {.resource = &resource_discovery_endpointslices, .keys = slice_changed}, {0}};
const struct controller endpointslice_mirroring_controller = {"endpointslice-mirroring-controller", .component = "endpoint-slice-mirroring-controller",
                                                              .sources = sources, .reconcile = reconcile};
