/* Warnings about services (pkg/api/service/warnings.go), and those of the strategies of network policies, nodes and device slices. */
#include "apiserver/validation/rules.h"

static void warn_ip(struct json_array *w, const struct field_path *p, const struct json *value) {
    const char *text = name_ip_warning(w->arena, p, text_of(value));
    if (text) json_array_add(w, json_string(w->arena, text));
}

static void say(struct json_array *w, const char *text) { json_array_add(w, json_string(w->arena, text)); }

/* ---- services ---- */

static void headless_warnings(struct json_array *w, const struct json *spec) {
    if (*str_of(spec, "loadBalancerIP")) say(w, "spec.loadBalancerIP is ignored for headless services");
    if (json_len(json_member(spec, "externalIPs")) > 0) say(w, "spec.externalIPs is ignored for headless services");
    if (strcmp(str_of(spec, "sessionAffinity"), "None") != 0) say(w, "spec.SessionAffinity is ignored for headless services");
}

static void address_warnings(struct json_array *w, const struct json *spec, bool has_addresses) {
    size_t i = 0;
    JSON_EACH(ip, has_addresses ? json_member(spec, "clusterIPs") : NULL) warn_ip(w, FIELD_INDEX(FIELD(SPEC, "clusterIPs"), i++), ip);
    i = 0;
    JSON_EACH(ip, json_member(spec, "externalIPs")) warn_ip(w, FIELD_INDEX(FIELD(SPEC, "externalIPs"), i++), ip);
    if (*str_of(spec, "loadBalancerIP")) warn_ip(w, FIELD(SPEC, "loadBalancerIP"), json_member(spec, "loadBalancerIP"));
    i = 0;
    JSON_EACH(cidr, json_member(spec, "loadBalancerSourceRanges")) name_cidr_warnings(w, FIELD_INDEX(FIELD(SPEC, "loadBalancerSourceRanges"), i++), text_of(cidr));
}

void warn_service(struct json_array *w, const struct json *o, const struct json *old UNUSED) {
    static const char hints[] = "service.kubernetes.io/topology-aware-hints";
    const struct json *spec = json_member(o, "spec");
    const char *type = str_of(spec, "type"), *ip = str_of(spec, "clusterIP");
    bool external = strcmp(type, "ExternalName") == 0, none = strcmp(ip, "None") == 0;
    if (json_member(json_get(o, "metadata.annotations"), hints))
        json_array_add(w, json_strf(w->arena, "annotation %s is deprecated, please use service.kubernetes.io/topology-mode instead", hints));
    if (strcmp(type, "ClusterIP") == 0 && none) headless_warnings(w, spec);
    address_warnings(w, spec, *ip && !none);
    if (external && json_len(json_member(spec, "externalIPs")) > 0) say(w, "spec.externalIPs is ignored when spec.type is \"ExternalName\"");
    if (!external && *str_of(spec, "externalName")) say(w, "spec.externalName is ignored when spec.type is not \"ExternalName\"");
    if (json_str_is(spec, "trafficDistribution", "PreferClose"))
        say(w, "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
}

/* ---- network policies ---- */

static void block_warnings(struct json_array *w, const struct field_path *p, const struct json *block) {
    size_t i = 0;
    if (block == NULL) return;
    name_cidr_warnings(w, FIELD(p, "cidr"), str_of(block, "cidr"));
    JSON_EACH(except, json_member(block, "except")) name_cidr_warnings(w, FIELD_INDEX(FIELD(p, "except"), i++), text_of(except));
}

static void peer_warnings(struct json_array *w, const struct json *spec, const char *rules, const char *peers) {
    size_t i = 0;
    JSON_EACH(rule, json_member(spec, rules)) {
        const struct field_path *at = FIELD(FIELD_INDEX(FIELD(SPEC, rules), i++), peers);
        size_t k = 0;
        JSON_EACH(peer, json_member(rule, peers)) block_warnings(w, FIELD(FIELD_INDEX(at, k++), "ipBlock"), json_member(peer, "ipBlock"));
    }
}

void warn_network_policy(struct json_array *w, const struct json *o, const struct json *old UNUSED) {
    const struct json *spec = json_member(o, "spec");
    peer_warnings(w, spec, "ingress", "from");
    peer_warnings(w, spec, "egress", "to");
}

/* ---- nodes, device slices ---- */

void warn_node(struct json_array *w, const struct json *o, const struct json *old UNUSED) {
    const struct json *spec = json_member(o, "spec");
    size_t i = 0;
    if (has(spec, "configSource")) say(w, "spec.configSource: the feature is removed");
    if (*str_of(spec, "externalID")) say(w, "spec.externalID: this field is deprecated, and is unused by Kubernetes");
    JSON_EACH(cidr, json_member(spec, "podCIDRs")) name_cidr_warnings(w, FIELD_INDEX(FIELD(SPEC, "podCIDRs"), i++), text_of(cidr));
}

void warn_resource_slice(struct json_array *w, const struct json *o, const struct json *old UNUSED) {
    const char *driver = json_str_or(o, "spec.driver", "");
    for (const char *p = driver; *p; p++) {
        if (*p < 'A' || *p > 'Z') continue;
        json_array_add(w, json_strf(w->arena, "spec.driver: driver names should be lowercase; %s contains uppercase characters", status_quote(w->arena, driver)));
        return;
    }
}
