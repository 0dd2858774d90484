/* endpoints-controller: the Endpoints of every Service with a selector, at most 1000 addresses of its first family. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/endpoint_util.h"
#include "controllers/workload.h"

#define LABEL_MANAGER "endpoints.kubernetes.io/managed-by"
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"
enum { MAX_ADDRESSES = 1000 };

struct address {
    const struct doc *pod;
    const struct json *value;
    bool ready;
};
struct subset {
    struct json_array ports;
    uint8_t *member; /* one per address */
};

/* ---- addresses ---- */

static const char *pod_ip(const struct json *service, const struct json *pod) {
    bool v6 = json_str_is(json_at(json_get(service, "spec.ipFamilies"), 0), NULL, "IPv6");
    JSON_EACH(ip, json_get(pod, "status.podIPs")) {
        const char *text = json_str(ip, "ip");
        if (text && endpoint_ip_is_v6(text) == v6) return text;
    }
    return NULL;
}

static int compare_addresses(const void *x, const void *y) {
    const struct address *a = x, *b = y;
    int order = strcmp(json_str(a->value, "ip"), json_str(b->value, "ip"));
    return order ? order : strcmp(doc_uid(a->pod), doc_uid(b->pod));
}

static struct address *addresses_of(struct arena *a, const struct doc *service, const struct doc_list *pods, size_t *count) {
    bool anyway = json_bool(service->root, "spec.publishNotReadyAddresses", false);
    struct address *all = arena_calloc(a, pods->len + 1, sizeof(*all));
    *count = 0;
    for (size_t i = 0; i < pods->len; i++) {
        const struct doc *pod = pods->items[i];
        const char *ip = endpoint_wants_pod(pod->root, anyway) ? pod_ip(service->root, pod->root) : NULL;
        if (!ip) continue;
        const char *hostname = endpoint_has_hostname(service, pod) ? json_str(pod->root, "spec.hostname") : NULL;
        all[(*count)++] = (struct address){pod, json_make(a, "{'ip':%s,'hostname':%s,'nodeName':%s,'targetRef':%v}", ip, hostname,
                                                          json_str(pod->root, "spec.nodeName"), endpoint_target(a, pod)),
                                           anyway || pod_is_ready(pod->root)};
    }
    qsort(all, *count, sizeof(*all), compare_addresses);
    return all;
}

/* ---- subsets: ports that the same pods have stand together ---- */

struct subsets {
    struct arena *arena;
    const struct address *addresses;
    size_t count; /* of addresses */
    struct subset *items;
    size_t len;
};

static void add_port(struct subsets *s, const uint8_t *member, const struct json *port) {
    for (size_t i = 0; i < s->len; i++) {
        if (memcmp(s->items[i].member, member, s->count) != 0) continue;
        json_array_add(&s->items[i].ports, port);
        return;
    }
    size_t n = s->len++ * sizeof(*s->items);
    s->items = arena_grow(s->arena, s->items, n, n + sizeof(*s->items));
    s->items[s->len - 1] = (struct subset){.ports = {.arena = s->arena}, .member = arena_dup(s->arena, member, s->count + 1)};
    if (port) json_array_add(&s->items[s->len - 1].ports, port);
}

/* One entry per number that the service's port has in some pod. */
static void add_service_port(struct subsets *s, const struct json *port) {
    uint8_t *done = arena_calloc(s->arena, s->count + 1, 1), *member = arena_calloc(s->arena, s->count + 1, 1);
    for (size_t i = 0; i < s->count; i++) {
        int64_t number = done[i] ? 0 : endpoint_port(port, s->addresses[i].pod->root);
        if (number <= 0) continue;
        memset(member, 0, s->count);
        for (size_t j = i; j < s->count; j++) {
            if (endpoint_port(port, s->addresses[j].pod->root) == number) member[j] = done[j] = 1;
        }
        add_port(s, member, json_make(s->arena, "{'name':%v,'port':%ld,'protocol':%s,'appProtocol':%s}", *json_str_or(port, "name", "") ? json_member(port, "name") : NULL,
                                      number, json_str_or(port, "protocol", "TCP"), json_str(port, "appProtocol")));
    }
}

/* How many addresses of that readiness a subset may keep: its share of what the limit leaves. */
static size_t share(size_t total, size_t room, size_t in_subset) {
    return total <= room ? in_subset : (size_t)((double)in_subset / (double)total * (double)room);
}

static size_t members(const struct subsets *s, const struct subset *one, bool ready) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) n += one->member[i] && s->addresses[i].ready == ready;
    return n;
}

static const struct json *address_list(const struct subsets *s, const struct subset *one, bool ready, size_t max) {
    struct json_array out = {.arena = s->arena};
    for (size_t i = 0; i < s->count && out.len < max; i++) {
        if (one->member[i] && s->addresses[i].ready == ready) json_array_add(&out, s->addresses[i].value);
    }
    return out.len ? json_array_done(&out) : NULL;
}

static const struct json *subsets_json(const struct subsets *s, bool *truncated) {
    size_t ready = 0, waiting = 0;
    for (size_t i = 0; i < s->len; i++) ready += members(s, &s->items[i], true), waiting += members(s, &s->items[i], false);
    size_t ready_room = MIN(ready, MAX_ADDRESSES), waiting_room = MIN(waiting, MAX_ADDRESSES - ready_room);
    *truncated = ready + waiting > MAX_ADDRESSES;
    struct json_array out = {.arena = s->arena};
    for (size_t i = 0; i < s->len; i++) {
        const struct subset *one = &s->items[i];
        json_array_add(&out, json_make(s->arena, "{'addresses':%v,'notReadyAddresses':%v,'ports':%v}",
                                       address_list(s, one, true, share(ready, ready_room, members(s, one, true))),
                                       address_list(s, one, false, share(waiting, waiting_room, members(s, one, false))),
                                       one->ports.len ? json_array_done(&s->items[i].ports) : NULL));
    }
    return json_array_done(&out);
}

static const struct json *wanted_subsets(struct arena *a, const struct doc *service, const struct doc_list *pods, bool *truncated) {
    struct subsets s = {.arena = a};
    s.addresses = addresses_of(a, service, pods, &s.count);
    const struct json *ports = json_get(service->root, "spec.ports");
    JSON_EACH(p, ports) add_service_port(&s, p);
    if (json_len(ports) == 0 && s.count > 0 && json_str_is(service->root, "spec.clusterIP", "None")) {
        add_port(&s, memset(arena_alloc(a, s.count + 1), 1, s.count + 1), NULL);
    }
    return subsets_json(&s, truncated);
}

/* ---- writing ---- */

static const struct json *wanted_labels(struct arena *a, const struct json *service) {
    const struct json *labels = json_without_member(a, object_labels(service), LABEL_HEADLESS);
    if (endpoint_service_headless(service)) labels = json_with_member(a, labels, LABEL_HEADLESS, &json_empty_string);
    return json_with_member(a, labels, LABEL_MANAGER, json_string(a, "endpoint-controller"));
}

static const struct json *wanted_annotations(struct arena *a, const struct json *present, const char *trigger, bool truncated) {
    const struct json *out = json_with_member(a, present, ANNOTATION_TRIGGER_TIME, trigger ? json_string(a, trigger) : NULL);
    out = json_with_member(a, out, OVER_CAPACITY, truncated ? json_string(a, "truncated") : NULL);
    return json_len(out) ? out : NULL;
}

static struct error *write_endpoints(struct runner *r, struct arena *a, const char *key, const struct doc *service) {
    const char *ns = doc_namespace(service), *name = doc_name(service);
    cleanup_doc_list struct doc_list pods = {0};
    cleanup_doc struct doc *present = cache_get(r->cache, &resource_endpoints, ns, name);
    endpoint_pods(r, service, &pods);
    bool truncated;
    const struct json *subsets = wanted_subsets(a, service, &pods, &truncated), *labels = wanted_labels(a, service->root);
    const char *trigger = endpoint_trigger_time(r, a, key, service, &pods);
    const struct json *annotations = wanted_annotations(a, present ? json_get(present->root, "metadata.annotations") : NULL, trigger, truncated);
    if (!present) {
        const struct json *o = json_make(a, "{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':%s,'labels':%v,'annotations':%v},'subsets':%v}", name, labels,
                                         annotations, subsets);
        return client_create(r->client, &resource_endpoints, ns, o, NULL);
    }
    bool marked = json_str_is(json_member(json_get(present->root, "metadata.annotations"), OVER_CAPACITY), NULL, "truncated");
    if (json_semantic_equal(json_get(present->root, "subsets"), subsets) && json_semantic_equal(object_labels(present->root), labels) && marked == truncated) return NULL;
    const struct json *o = json_with(a, json_with(a, present->root, "metadata.labels", labels), "metadata.annotations", annotations);
    return client_update(r->client, &resource_endpoints, ns, name, NULL, json_with(a, o, "subsets", subsets), NULL);
}

static struct work_result remove_endpoints(struct runner *r, struct arena *a, const char *key, const char *ns, const char *name) {
    endpoint_trigger_time(r, a, key, NULL, NULL);
    struct error *e = client_delete(r->client, &resource_endpoints, ns, name, &(struct delete_options){.grace_period = -1});
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *service = cache_get(r->cache, &resource_services, ns, name);
    if (!service) return remove_endpoints(r, a, key, ns, name);
    if (json_str_is(service->root, "spec.type", "ExternalName") || !json_get(service->root, "spec.selector")) return WORK_DONE;
    struct error *e = write_endpoints(r, a, key, service);
    if (error_namespace_terminating(e)) return error_free(e), WORK_DONE;
    if (e) recorder_event(r->events, service->root, "Warning", "FailedToUpdateEndpoint", "Failed to update endpoint %s: %s", key, e->message);
    return work_error(e);
}

static void endpoints_deleted(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (before && !after) runner_add_object(r, before);
}

static const struct controller_source sources[] = {{.resource = &resource_services}, {.resource = &resource_pods, .keys = endpoint_pod_keys},
                                                   {.resource = &resource_endpoints, .keys = endpoints_deleted}, {0}};
const struct controller endpoints_controller = {"endpoints-controller", .component = "endpoint-controller", .sources = sources, .reconcile = reconcile,
                                                .start = endpoint_triggers_start, .stop = endpoint_triggers_stop};
