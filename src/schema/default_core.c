/* Defaults of the core group's other kinds. */
#include "base/str.h"
#include "schema/default.h"

void default_replication_controller(struct default_object *o);
void default_service(struct default_object *o);
void default_service_spec(struct default_object *o);
void default_service_port(struct default_object *o);
void default_secret(struct default_object *o);
void default_persistent_volume(struct default_object *o);
void default_namespace(struct default_object *o);
void default_node_spec(struct default_object *o);
void default_node_status(struct default_object *o);
void default_limit_range_item(struct default_object *o);

void default_replication_controller(struct default_object *o) {
    const struct json *spec = default_get(o, "spec"), *labels = json_get(spec, "template.metadata.labels");
    if (json_len(labels) == 0) return;
    if (json_len(json_member(spec, "selector")) == 0) default_set(o, "spec", json_with(o->arena, spec, "selector", labels));
    if (json_len(json_get(default_get(o, "metadata"), "labels")) == 0)
        default_set(o, "metadata", json_with(o->arena, default_get(o, "metadata"), "labels", labels));
}

static bool externally_accessible(const struct default_object *o) {
    return default_is(o, "type", "LoadBalancer") || default_is(o, "type", "NodePort") ||
           (default_is(o, "type", "ClusterIP") && json_len(default_get(o, "externalIPs")) > 0);
}

void default_service_spec(struct default_object *o) {
    const struct json *config = default_get(o, "sessionAffinityConfig");
    if (default_is(o, "sessionAffinity", "None") && config) default_set(o, "sessionAffinityConfig", NULL);
    if (default_is(o, "sessionAffinity", "ClientIP") && !json_is(json_get(config, "clientIP.timeoutSeconds"), JSON_INT))
        default_set(o, "sessionAffinityConfig", json_make(o->arena, "{'clientIP':{'timeoutSeconds':10800}}"));
    if (externally_accessible(o) && !default_get(o, "externalTrafficPolicy"))
        default_set_str(o, "externalTrafficPolicy", "Cluster");
    bool local = default_is(o, "type", "NodePort") || default_is(o, "type", "LoadBalancer") || default_is(o, "type", "ClusterIP");
    if (local && !default_get(o, "internalTrafficPolicy")) default_set_str(o, "internalTrafficPolicy", "Cluster");
    if (default_is(o, "type", "LoadBalancer") && !default_get(o, "allocateLoadBalancerNodePorts"))
        default_set(o, "allocateLoadBalancerNodePorts", &json_true);
}

void default_service_port(struct default_object *o) {
    const struct json *target = default_get(o, "targetPort");
    if (default_blank(target) || (target->type == JSON_INT && target->i == 0))
        default_set(o, "targetPort", json_integer(o->arena, json_int(default_get(o, "port"), NULL, 0)));
}

/* A load balancer's addresses are virtual unless they say otherwise. */
void default_service(struct default_object *o) {
    if (!json_str_is(default_get(o, "spec"), "type", "LoadBalancer")) return;
    const struct json *status = default_get(o, "status"), *ingress = json_get(status, "loadBalancer.ingress"), *out = ingress;
    for (size_t i = 0; i < json_len(ingress); i++) {
        const struct json *item = json_at(ingress, i);
        if (json_str(item, "ip") && !json_str(item, "ipMode"))
            out = json_with_item(o->arena, out, i, json_with(o->arena, item, "ipMode", json_string(o->arena, "VIP")));
    }
    if (out != ingress) default_set(o, "status", json_with(o->arena, status, "loadBalancer.ingress", out));
}

/* stringData is for writing only: it becomes part of data. */
void default_secret(struct default_object *o) {
    const struct json *strings = default_get(o, "stringData"), *data = default_get(o, "data");
    if (!strings) return;
    JSON_EACH_MEMBER(m, strings) {
        cleanup_buf struct buf b = {0};
        base64_encode(&b, m->value.s, m->value.len);
        data = json_with_member(o->arena, data, m->key, json_string_n(o->arena, buf_str(&b), b.len));
    }
    default_set(o, "data", data);
    default_set(o, "stringData", NULL);
}

void default_persistent_volume(struct default_object *o) {
    const struct json *spec = default_get(o, "spec"), *before = spec;
    if (default_blank(json_member(spec, "persistentVolumeReclaimPolicy")))
        spec = json_with(o->arena, spec, "persistentVolumeReclaimPolicy", json_string(o->arena, "Retain"));
    if (!json_str(spec, "volumeMode")) spec = json_with(o->arena, spec, "volumeMode", json_string(o->arena, "Filesystem"));
    if (spec != before) default_set(o, "spec", spec);
}

void default_namespace(struct default_object *o) {
    const char *name = json_str(default_get(o, "metadata"), "name");
    const struct json *labels = json_member(default_get(o, "metadata"), "labels");
    if (!name || !*name || json_str_is(json_member(labels, "kubernetes.io/metadata.name"), NULL, name)) return;
    labels = json_with_member(o->arena, labels, "kubernetes.io/metadata.name", json_string(o->arena, name));
    default_set(o, "metadata", json_with(o->arena, default_get(o, "metadata"), "labels", labels));
}

/* podCIDR is the first of podCIDRs; where they differ podCIDR wins. */
void default_node_spec(struct default_object *o) {
    const struct json *cidr = default_get(o, "podCIDR"), *cidrs = default_get(o, "podCIDRs");
    const char *first = json_str(json_at(cidrs, 0), NULL);
    if (cidr && !str_eq(first, cidr->s)) default_set(o, "podCIDRs", json_make(o->arena, "[%v]", cidr));
    if (!cidr && first) default_set_str(o, "podCIDR", first);
}

void default_node_status(struct default_object *o) {
    const struct json *capacity = default_get(o, "capacity");
    if (capacity && !default_get(o, "allocatable")) default_set(o, "allocatable", capacity);
}

void default_limit_range_item(struct default_object *o) {
    if (!default_is(o, "type", "Container")) return;
    default_merge(o, "default", default_get(o, "max"));
    default_merge(o, "defaultRequest", default_get(o, "default"));
    default_merge(o, "defaultRequest", default_get(o, "min"));
}
