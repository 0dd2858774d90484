/* Services: families, cluster addresses, node ports (pkg/registry/core/service: strategy.go, storage/alloc.go). */
#include "apiserver/allocator.h"
#include "apiserver/strategy.h"
#include "schema/ip.h"

static bool is_type(const struct json *o, const char *type) { return json_str_is(o, "spec.type", type); }
static bool needs_address(const struct json *o) { return !is_type(o, "ExternalName"); }
static bool needs_node_ports(const struct json *o) {
    return is_type(o, "NodePort") || (is_type(o, "LoadBalancer") && json_bool(o, "spec.allocateLoadBalancerNodePorts", true));
}
static bool needs_health_port(const struct json *o) { return is_type(o, "LoadBalancer") && json_str_is(o, "spec.externalTrafficPolicy", "Local"); }
static bool headless(const struct json *o) { return json_str_is(o, "spec.clusterIP", "None"); }

/* clusterIP and clusterIPs say the same (NormalizeClusterIPs). */
static const struct json *normalize(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    const char *ip = json_str_or(o, "spec.clusterIP", "");
    const struct json *ips = json_get(o, "spec.clusterIPs");
    if (old == NULL) return *ip && json_len(ips) == 0 ? json_with(a, o, "spec.clusterIPs", json_make(a, "[%s]", ip)) : o;
    bool ip_same = strcmp(ip, json_str_or(old, "spec.clusterIP", "")) == 0, ips_same = json_semantic_equal(ips, json_get(old, "spec.clusterIPs"));
    if (ip_same || !ips_same) return o;
    return *ip ? json_with(a, o, "spec.clusterIPs", json_make(a, "[%s]", ip)) : json_without(a, o, "spec.clusterIPs");
}

static bool uses_node_port(const struct json *o, int64_t port) {
    JSON_EACH(p, json_get(o, "spec.ports")) if (port != 0 && json_int(p, "nodePort", 0) == port) return true;
    return false;
}

/* Ports keep the node ports of those of their name, unless another port has them now. */
static const struct json *patch_node_ports(struct arena *a, const struct json *o, const struct json *old) {
    struct json_array ports = {.arena = a};
    JSON_EACH(p, json_get(o, "spec.ports")) {
        const struct json *had = NULL;
        JSON_EACH(q, json_get(old, "spec.ports")) {
            if (strcmp(json_str_or(q, "name", ""), json_str_or(p, "name", "")) == 0) had = json_member(q, "nodePort");
        }
        bool patch = json_int(p, "nodePort", 0) == 0 && had && !uses_node_port(o, json_int(had, NULL, 0));
        json_array_add(&ports, patch ? json_with_member(a, p, "nodePort", had) : p);
    }
    return ports.len ? json_with(a, o, "spec.ports", json_array_done(&ports)) : o;
}

/* What an update leaves out stays as it was where the new type still needs it. */
static const struct json *patch_allocated(struct change *c, const struct json *o, const struct json *old) {
    static const char *const kept[] = {"spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"};
    struct arena *a = c->r->arena;
    if (needs_address(old) && needs_address(o)) {
        bool policy_given = json_get(o, "spec.ipFamilyPolicy") != NULL;
        if (!*json_str_or(o, kept[0], "") && json_get(old, kept[0])) o = json_with(a, o, kept[0], json_get(old, kept[0]));
        if (json_len(json_get(o, kept[1])) == 0 && json_get(old, kept[1])) o = json_with(a, o, kept[1], json_get(old, kept[1]));
        for (size_t i = 2; i < 4; i++) {
            if (json_get(o, kept[i]) == NULL && json_get(old, kept[i]) && (i == 2 || !policy_given)) o = json_with(a, o, kept[i], json_get(old, kept[i]));
        }
    }
    if (needs_node_ports(old) && needs_node_ports(o)) o = patch_node_ports(a, o, old);
    if (needs_health_port(old) && needs_health_port(o) && json_int(o, "spec.healthCheckNodePort", 0) == 0 && json_get(old, "spec.healthCheckNodePort"))
        o = json_with(a, o, "spec.healthCheckNodePort", json_get(old, "spec.healthCheckNodePort"));
    return o;
}

/* Fields that only one type has go when an update changes the type and leaves them as they were. */
static const struct json *drop_dependent(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    static const struct { const char *path; bool (*needs)(const struct json *o); } fields[] = {
        {"spec.clusterIP", needs_address}, {"spec.clusterIPs", needs_address}, {"spec.ipFamilies", needs_address}, {"spec.ipFamilyPolicy", needs_address},
        {"spec.internalTrafficPolicy", needs_address},
        {"spec.healthCheckNodePort", needs_health_port}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        bool same = json_semantic_equal(json_get(o, fields[i].path), json_get(old, fields[i].path));
        if (fields[i].needs(old) && !fields[i].needs(o) && same && json_get(o, fields[i].path)) o = json_without(a, o, fields[i].path);
    }
    bool lb_before = is_type(old, "LoadBalancer"), lb = is_type(o, "LoadBalancer");
    static const char *const lb_fields[] = {"spec.allocateLoadBalancerNodePorts", "spec.loadBalancerClass"};
    for (size_t i = 0; i < ARRAY_LEN(lb_fields); i++) {
        if (lb_before && !lb && json_get(o, lb_fields[i]) && json_semantic_equal(json_get(o, lb_fields[i]), json_get(old, lb_fields[i])))
            o = json_without(a, o, lb_fields[i]);
    }
    bool external = is_type(o, "NodePort") || lb, external_before = is_type(old, "NodePort") || lb_before;
    if (external_before && !external && str_eq(json_str(o, "spec.externalTrafficPolicy"), json_str(old, "spec.externalTrafficPolicy")))
        o = json_without(a, o, "spec.externalTrafficPolicy");
    if (!(needs_node_ports(old) && !needs_node_ports(o))) return o;
    struct json_array ports = {.arena = a};
    JSON_EACH(p, json_get(o, "spec.ports")) {
        bool had = false;
        JSON_EACH(q, json_get(old, "spec.ports")) had |= json_int(q, "nodePort", 0) == json_int(p, "nodePort", 0);
        json_array_add(&ports, had ? json_without_member(a, p, "nodePort") : p);
    }
    return ports.len ? json_with(a, o, "spec.ports", json_array_done(&ports)) : o;
}

/* ---- families ---- */

static bool default_v6(const struct change *c) { return strchr(c->r->server->config.service_cidrs[0], ':') != NULL; }
static bool dual_stack(const struct change *c) { return c->r->server->config.service_cidrs[1] != NULL; }

static const struct json *default_families(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    if (!needs_address(o)) return o;
    const struct json *families = json_get(o, "spec.ipFamilies"), *ips = json_get(o, "spec.clusterIPs");
    const char *policy = json_str(o, "spec.ipFamilyPolicy");
    bool selectorless = json_len(json_get(o, "spec.selector")) == 0 && headless(o);
    if (policy == NULL) {
        policy = json_len(families) == 2 || json_len(ips) == 2 ? "RequireDualStack" : "SingleStack";
        if (selectorless) policy = "RequireDualStack"; /* its endpoints are somebody else's, of whatever family */
    }
    bool want_two = strcmp(policy, "RequireDualStack") == 0 || (strcmp(policy, "PreferDualStack") == 0 && dual_stack(c));
    struct json_array list = {.arena = a};
    JSON_EACH(f, families) json_array_add(&list, f);
    for (size_t i = list.len; i < json_len(ips); i++) {
        const char *ip = json_str_or(json_at(ips, i), NULL, "");
        if (strcmp(ip, "None") != 0) json_array_add(&list, json_string(a, strchr(ip, ':') ? "IPv6" : "IPv4"));
    }
    if (list.len == 0) json_array_add(&list, json_string(a, default_v6(c) ? "IPv6" : "IPv4"));
    if (want_two && list.len == 1) json_array_add(&list, json_string(a, json_str_is(&list.items[0], NULL, "IPv4") ? "IPv6" : "IPv4"));
    o = json_with(a, o, "spec.ipFamilies", json_array_done(&list));
    return json_with(a, o, "spec.ipFamilyPolicy", json_string(a, policy));
}

const struct json *service_create(struct change *c, const struct json *o) {
    o = json_with_member(c->r->arena, o, "status", json_make(c->r->arena, "{'loadBalancer':{}}"));
    return normalize(c, o, NULL);
}

const struct json *service_update(struct change *c, const struct json *o, const struct json *old) {
    o = normalize(c, patch_allocated(c, o, old), old);
    return drop_dependent(c, o, old);
}

/* ---- allocation ---- */

/* What a new service asks for fits together, and the cluster has it (initIPFamilyFields). */
static void check_families(struct change *c, struct field_errors *e, const struct json *o) {
    const struct field_path *p = FIELD(FIELD(NULL, "spec"), "ipFamilyPolicy");
    const char *policy = json_str_or(o, "spec.ipFamilyPolicy", "SingleStack");
    if (headless(o) && json_len(json_get(o, "spec.selector")) == 0) return;
    if (strcmp(policy, "SingleStack") == 0 && json_len(json_get(o, "spec.clusterIPs")) == 2)
        field_invalid_str(e, p, policy, "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
    if (strcmp(policy, "SingleStack") == 0 && json_len(json_get(o, "spec.ipFamilies")) == 2)
        field_invalid_str(e, p, policy, "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
    if (strcmp(policy, "RequireDualStack") == 0 && !dual_stack(c)) field_invalid_str(e, p, policy, "this cluster is not configured for dual-stack services");
}

/* An address without a family of its own in ipFamilies stands for it. */
static struct error *check_inferred_families(const struct change *c) {
    struct field_errors e = {.arena = c->r->arena};
    const struct json *ips = json_get(c->object, "spec.clusterIPs");
    for (size_t i = json_len(json_get(c->object, "spec.ipFamilies")); i < json_len(ips); i++) {
        const char *ip = json_str_or(json_at(ips, i), NULL, "");
        bool v6 = strchr(ip, ':') != NULL;
        if (strcmp(ip, "None") == 0) break;
        if (v6 != default_v6(c) && !dual_stack(c))
            field_invalid(&e, FIELD_INDEX(FIELD(FIELD(NULL, "spec"), "clusterIPs"), i), ips, "%s is not configured on this cluster", v6 ? "IPv6" : "IPv4");
    }
    return field_errors_status(&e, "", "Service", c->name);
}

static struct error *allocate_addresses(struct change *c, const struct json *old) {
    struct arena *a = c->r->arena;
    struct field_errors e = {.arena = a};
    const struct field_path *spec = FIELD(NULL, "spec");
    if (old == NULL && needs_address(c->object)) check_families(c, &e, c->object);
    if (e.len) return field_errors_status(&e, "", "Service", c->name);
    TRY(check_inferred_families(c));
    c->object = default_families(c, c->object);
    if (!needs_address(c->object) || headless(c->object)) {
        if (headless(c->object) && json_len(json_get(c->object, "spec.clusterIPs")) == 0) c->object = json_with(a, c->object, "spec.clusterIPs", json_make(a, "['None']"));
        return NULL;
    }
    struct json_array ips = {.arena = a};
    const struct json *given = json_get(c->object, "spec.clusterIPs"), *had = json_get(old, "spec.clusterIPs");
    size_t i = 0;
    JSON_EACH(f, json_get(c->object, "spec.ipFamilies")) {
        const char *want = json_str_or(json_at(given, i), NULL, ""), *ip = want;
        bool v6 = json_str_is(f, NULL, "IPv6");
        if (v6 != default_v6(c) && !dual_stack(c)) {
            field_invalid(&e, FIELD_INDEX(FIELD(spec, "ipFamilies"), i), f, "not configured on this cluster");
        } else if (!*want) {
            TRY(allocate_address(c, v6, &ip));
        } else if (!list_has(had, want)) {
            TRY(claim_address(c, want, &e, FIELD(spec, "clusterIPs")));
        }
        json_array_add(&ips, json_string(a, ip));
        i++;
    }
    const struct json *all = json_array_done(&ips);
    JSON_EACH(ip, had) {
        const char *text = json_str_or(ip, NULL, "");
        if (!list_has(all, text) && strcmp(text, "None") != 0 && !c->dry_run) release_address(c, text);
    }
    c->object = json_with(a, c->object, "spec.clusterIPs", all);
    c->object = json_with(a, c->object, "spec.clusterIP", json_at(all, 0));
    return field_errors_status(&e, "", "Service", c->name);
}

static struct error *allocate_ports(struct change *c) {
    struct arena *a = c->r->arena;
    const struct apiserver_config *cfg = &c->r->server->config;
    struct field_errors e = {.arena = a};
    struct json_array ports = {.arena = a};
    size_t i = 0;
    if (!needs_node_ports(c->object)) return NULL;
    JSON_EACH(p, json_get(c->object, "spec.ports")) {
        const char *protocol = json_str_or(p, "protocol", "TCP");
        int64_t port = json_int(p, "nodePort", 0);
        const struct field_path *at = FIELD(FIELD_INDEX(FIELD(FIELD(NULL, "spec"), "ports"), i), "nodePort");
        i++;
        for (size_t k = 0; port == 0 && k < ports.len; k++) {
            int64_t other = json_int(&ports.items[k], "nodePort", 0);
            bool same = json_int(&ports.items[k], "port", 0) == json_int(p, "port", 0);
            if (same && !str_eq(json_str(&ports.items[k], "protocol"), protocol) && node_port_claim(c, protocol, other)) port = other;
        }
        if (port == 0) port = node_port_choose(c, protocol);
        else if (port < cfg->node_port_first || port > cfg->node_port_last)
            field_invalid_int(&e, at, port, "provided port is not in the valid range. The range of valid ports is %d-%d", cfg->node_port_first, cfg->node_port_last);
        else if (!node_port_claim(c, protocol, port)) field_invalid_int(&e, at, port, "provided port is already allocated");
        json_array_add(&ports, json_with_member(a, p, "nodePort", json_integer(a, port)));
    }
    c->object = json_with(a, c->object, "spec.ports", json_array_done(&ports));
    return field_errors_status(&e, "", "Service", c->name);
}

static struct error *allocate_health_port(struct change *c) {
    struct arena *a = c->r->arena;
    int64_t port = json_int(c->object, "spec.healthCheckNodePort", 0);
    if (!needs_health_port(c->object)) return NULL;
    if (port == 0) port = node_port_choose(c, "TCP");
    else if (!node_port_claim(c, "TCP", port)) return status_internal("failed to allocate requested HealthCheck NodePort %ld: provided port is already allocated", (long)port);
    c->object = json_with(a, c->object, "spec.healthCheckNodePort", json_integer(a, port));
    return NULL;
}

struct error *service_begin(struct change *c) {
    if (c->operation == OP_DELETE) {
        JSON_EACH(ip, json_get(c->old, "spec.clusterIPs")) {
            const char *text = json_str_or(ip, NULL, "");
            if (strcmp(text, "None") != 0 && *text) release_address(c, text);
        }
        return NULL;
    }
    if (*c->sub) return NULL;
    TRY(allocate_addresses(c, c->operation == OP_CREATE ? NULL : c->old));
    TRY(allocate_ports(c));
    return allocate_health_port(c);
}
