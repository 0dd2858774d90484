/* Services and their endpoints. */
#include "apiserver/validation/rules.h"
#include "schema/ip.h"

#define PROTOCOLS "SCTP TCP UDP"

/* ---- addresses ---- */

void endpoint_ip(struct field_errors *e, const struct field_path *p, const char *s) {
    struct ip ip;
    if (!ip_parse(s, &ip)) {
        field_invalid_str(e, p, s, "must be a valid IP address");
        return;
    }
    const uint8_t *b = ip.bytes, *v4 = b + 12;
    bool four = ip_is_v4(&ip), zero = true;
    for (int i = four ? 12 : 0; i < 15; i++) zero &= b[i] == 0;
    if (zero && b[15] == 0) field_invalid_str(e, p, s, "may not be unspecified (%s)", s);
    if (four ? v4[0] == 127 : zero && b[15] == 1) field_invalid_str(e, p, s, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (four ? v4[0] == 169 && v4[1] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        field_invalid_str(e, p, s, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (four ? v4[0] == 224 && v4[1] == 0 && v4[2] == 0 : b[0] == 0xff && (b[1] & 0x0f) == 2)
        field_invalid_str(e, p, s, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

static bool is_v6(const char *s) {
    struct ip ip;
    return ip_parse(s, &ip) && !ip_is_v4(&ip);
}

/* Addresses that were there before are not looked at again. */
static bool ip_or_old(struct field_errors *e, const struct field_path *p, const char *s, const struct json *old) {
    size_t before = e->len;
    if (!list_contains(old, s)) field_check_ip_legacy(e, p, s, false);
    return e->len == before;
}

static void dns_not_ip(struct field_errors *e, const struct field_path *p, const char *s) {
    struct ip ip;
    field_invalid_names(e, p, s, name_dns1123_subdomain(s));
    if (ip_parse(s, &ip)) field_invalid_str(e, p, s, "must be a DNS name, not an IP address");
}

/* ---- Services ---- */

static bool headless(const struct json *spec) {
    const struct json *ips = json_member(spec, "clusterIPs");
    return json_len(ips) == 1 && json_str_is(json_at(ips, 0), NULL, "None");
}

static void service_port(RULE, const struct json *list, size_t i) {
    if (json_len(list) > 1 && !*str_of(o, "name")) field_required(e, FIELD(p, "name"), "");
    else if (*str_of(o, "name")) {
        named(e, p, o, "name", name_dns1123_label);
        unique(e, p, list, i, "name");
    }
    field_check_port_number(e, FIELD(p, "port"), json_int(o, "port", 0));
    choice_needed(e, p, o, "protocol", PROTOCOLS);
    port_or_name(e, FIELD(p, "targetPort"), json_member(o, "targetPort"));
    if (has(o, "appProtocol")) label_name(e, FIELD(p, "appProtocol"), str_of(o, "appProtocol"));
}

static void external_name(RULE) {
    const char *name = str_of(o, "externalName");
    if (json_len(json_member(o, "clusterIPs"))) field_forbidden(e, FIELD(p, "clusterIPs"), "may not be set for ExternalName services");
    if (json_len(json_member(o, "ipFamilies"))) field_forbidden(e, FIELD(p, "ipFamilies"), "may not be set for ExternalName services");
    forbid(e, p, o, "ipFamilyPolicy", "may not be set for ExternalName services");
    if (str_ends(name, ".")) name = arena_strndup(e->arena, name, strlen(name) - 1);
    if (*name) field_invalid_names(e, FIELD(p, "externalName"), name, name_dns1123_subdomain(name));
    else field_required(e, FIELD(p, "externalName"), "");
}

static void session_affinity(RULE) {
    static const char why[] = "when session affinity type is ClientIP";
    const struct json *config = json_member(o, "sessionAffinityConfig"), *client = json_member(config, "clientIP");
    const struct field_path *at = FIELD(p, "sessionAffinityConfig"), *c = FIELD(at, "clientIP");
    int64_t seconds = json_int(client, "timeoutSeconds", 0);
    choice_needed(e, p, o, "sessionAffinity", "ClientIP None");
    if (json_str_is(o, "sessionAffinity", "None") && config) field_forbidden(e, at, "must not be set when session affinity is None");
    if (!json_str_is(o, "sessionAffinity", "ClientIP")) return;
    if (!config) field_required(e, at, why);
    else if (!client) field_required(e, c, why);
    else if (!has(client, "timeoutSeconds")) field_required(e, FIELD(c, "timeoutSeconds"), why);
    else if (seconds <= 0 || seconds > 86400) field_invalid_int(e, FIELD(c, "timeoutSeconds"), seconds, "must be greater than 0 and less than 86400");
}

static void cluster_ips(RULE, const struct json *old) {
    const struct json *ips = json_member(o, "clusterIPs"), *families = json_member(o, "ipFamilies"), *was = json_member(old, "clusterIPs");
    const struct field_path *at = FIELD(p, "clusterIPs"), *f = FIELD(p, "ipFamilies");
    const char *first = str_of(o, "clusterIP");
    bool bad = false;
    size_t i = 0;
    if (json_str_is(o, "type", "ExternalName")) return;
    if (*first && json_len(ips) == 0) field_required(e, at, "");
    else if (*first && strcmp(text_of(json_at(ips, 0)), first) != 0) field_invalid(e, at, ips, "first value must match `clusterIP`");
    else if (!*first && json_len(ips)) field_invalid(e, at, ips, "must be empty when `clusterIP` is not specified");
    JSON_EACH(v, families) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(families, k), v);
        if (!word_in(text_of(v), "IPv4 IPv6")) unsupported(e, FIELD_INDEX(f, i), text_of(v), "IPv4 IPv6");
        if (seen) field_duplicate(e, FIELD_INDEX(f, i), v);
        i++;
    }
    choice(e, p, o, "ipFamilyPolicy", "PreferDualStack RequireDualStack SingleStack");
    for (i = 0; i < json_len(ips); i++) {
        const char *ip = text_of(json_at(ips, i));
        if (i == 0 && strcmp(ip, "None") == 0) {
            if (json_len(ips) > 1) bad = true, field_invalid(e, at, ips, "'None' must be the first and only value");
            continue;
        }
        bad |= !ip_or_old(e, FIELD_INDEX(at, i), ip, was);
    }
    if (json_len(ips) > 2) field_invalid(e, at, ips, "may only hold up to 2 values");
    if (bad) return;
    bool v4 = false, v6 = false;
    JSON_EACH(ip, ips) *(is_v6(text_of(ip)) ? &v6 : &v4) = true;
    if (json_len(ips) > 1 && (!v4 || !v6)) field_invalid(e, at, ips, "may specify no more than one IP for each IP family");
    for (i = 0; !headless(o) && i < MIN(json_len(ips), json_len(families)); i++) {
        const char *ip = text_of(json_at(ips, i)), *family = text_of(json_at(families, i));
        if (strcmp(family, is_v6(ip) ? "IPv4" : "IPv6") == 0) field_invalid_str(e, FIELD_INDEX(at, i), ip, "expected an %s value as indicated by `ipFamilies[%zu]`", family, i);
    }
}

static void no_doubles(RULE, const char *name, bool whole) {
    size_t i = 0;
    JSON_EACH(port, o) {
        int64_t n = json_int(port, name, 0);
        for (size_t k = 0; k < i && n; k++) {
            const struct json *q = json_at(o, k);
            if (json_int(q, name, 0) != n || strcmp(str_of(q, "protocol"), str_of(port, "protocol")) != 0) continue;
            if (whole)
                field_duplicate(e, FIELD_INDEX(p, i),
                                json_make(e->arena, "{'Name':'','Protocol':%s,'AppProtocol':null,'Port':%ld,'TargetPort':0,'NodePort':0}", str_of(port, "protocol"), n));
            else field_duplicate(e, FIELD(FIELD_INDEX(p, i), name), json_member(port, name));
            break;
        }
        i++;
    }
}

#define RANGES "service.beta.kubernetes.io/load-balancer-source-ranges"

static const char *trimmed(struct arena *a, const char *s) {
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1])) n--;
    return arena_strndup(a, s, n);
}

static void source_ranges(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *list = json_get(o, "spec.loadBalancerSourceRanges"), *note = json_member(json_get(o, "metadata.annotations"), RANGES);
    bool balancer = json_str_is(o, "spec.type", "LoadBalancer");
    const struct field_path *p = json_len(list) ? FIELD(SPEC, "LoadBalancerSourceRanges") : FIELD_KEY(FIELD(META, "annotations"), RANGES);
    if (json_len(list) == 0 && !note) return;
    if (!balancer) field_forbidden(e, p, "may only be used when `type` is 'LoadBalancer'");
    size_t i = 0;
    JSON_EACH(r, list) {
        const char *s = trimmed(e->arena, text_of(r));
        if (!list_contains(json_get(old, "spec.loadBalancerSourceRanges"), s)) field_check_cidr_legacy(e, FIELD_INDEX(p, i), s, false);
        i++;
    }
    if (json_len(list) || json_equal(note, json_member(json_get(old, "metadata.annotations"), RANGES)) || !*trimmed(e->arena, text_of(note))) return;
    char **parts = str_split(e->arena, trimmed(e->arena, text_of(note)), ',', NULL);
    for (i = 0; parts[i]; i++) field_check_cidr_legacy(e, p, trimmed(e->arena, parts[i]), false);
}

static void balancer_class(struct field_errors *e, const struct json *spec, const struct json *old) {
    const struct field_path *at = FIELD(SPEC, "loadBalancerClass");
    const char *class = json_str(spec, "loadBalancerClass");
    bool balancer = json_str_is(spec, "type", "LoadBalancer");
    if (old && balancer && json_str_is(old, "type", "LoadBalancer") && !str_eq(class, json_str(old, "loadBalancerClass")))
        field_invalid(e, at, class ? json_member(spec, "loadBalancerClass") : &json_null, "may not change once set");
    if (class && balancer) label_name(e, at, class);
    else if (class) field_forbidden(e, at, "may only be used when `type` is 'LoadBalancer'");
}

static bool needs_health(const struct json *spec) { return json_str_is(spec, "type", "LoadBalancer") && json_str_is(spec, "externalTrafficPolicy", "Local"); }

static void traffic(RULE) {
    const char *external = str_of(o, "externalTrafficPolicy"), *type = str_of(o, "type");
    bool accessible = word_in(type, "LoadBalancer NodePort") || (strcmp(type, "ClusterIP") == 0 && json_len(json_member(o, "externalIPs")));
    int64_t port = json_int(o, "healthCheckNodePort", 0);
    if (accessible) choice_needed(e, p, o, "externalTrafficPolicy", "Cluster Local");
    else if (*external) field_invalid_str(e, FIELD(p, "externalTrafficPolicy"), external, "may only be set for externally-accessible services");
    if (!needs_health(o) && port) field_invalid_int(e, FIELD(p, "healthCheckNodePort"), port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    if (needs_health(o) && port) field_check_port_number(e, FIELD(p, "healthCheckNodePort"), port); /* else one is chosen after this */
    if (!has(o, "internalTrafficPolicy") && word_in(type, "NodePort LoadBalancer ClusterIP")) field_required(e, FIELD(p, "internalTrafficPolicy"), "");
    choice(e, p, o, "internalTrafficPolicy", "Cluster Local");
    choice(e, p, o, "trafficDistribution", "PreferClose PreferSameZone PreferSameNode");
}

/* What was assigned stays, but a second family may come and go. */
static void no_change(struct field_errors *e, const struct json *spec, const struct json *old, const char *name, const char *what, bool always_first) {
    const struct json *now = json_member(spec, name), *was = json_member(old, name), *ips = json_member(spec, "clusterIPs");
    const struct field_path *p = FIELD(SPEC, name);
    size_t n = json_len(now), m = json_len(was);
    const struct json *shown = now ? now : &json_null, *shown_ips = always_first ? (ips ? ips : &json_null) : shown;
    if (n == m) {
        for (size_t i = 0; i < n; i++)
            if (!json_equal(json_at(now, i), json_at(was, i))) field_invalid(e, FIELD_INDEX(p, always_first ? 0 : i), shown, "may not change once set");
        return;
    }
    bool differs = n && m && !json_equal(json_at(now, 0), json_at(was, 0));
    if (m > n && json_len(ips) == 0) field_invalid(e, FIELD_INDEX(p, 0), shown, "primary %s can not be unset", what);
    if (differs) field_invalid(e, FIELD_INDEX(p, 0), shown_ips, "may not change once set");
    const struct json *policy = json_member(spec, "ipFamilyPolicy");
    if (m > n && n == 1 && !json_str_is(policy, NULL, "SingleStack"))
        field_invalid(e, FIELD(SPEC, "ipFamilyPolicy"), policy ? policy : &json_null, "must be set to 'SingleStack' when releasing the secondary %s", what);
}

static void service_update(struct field_errors *e, const struct json *spec, const struct json *old) {
    bool external = json_str_is(spec, "type", "ExternalName") || json_str_is(old, "type", "ExternalName"), now = headless(spec), was = headless(old);
    if (!external && !(now && was)) no_change(e, spec, old, "clusterIPs", "clusterIP", false);
    if (!external && !now && !was) no_change(e, spec, old, "ipFamilies", "ipFamily", true);
    balancer_class(e, spec, old);
    if (needs_health(old) && needs_health(spec) && json_int(old, "healthCheckNodePort", 0) != json_int(spec, "healthCheckNodePort", 0))
        field_forbidden(e, FIELD(SPEC, "healthCheckNodePort"), "field is immutable");
}

void validate_service(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char hints[] = "service.kubernetes.io/topology-aware-hints", mode[] = "service.kubernetes.io/topology-mode";
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec"), *ports = json_member(spec, "ports"), *notes = json_get(o, "metadata.annotations");
    const char *type = str_of(spec, "type");
    const struct field_path *p = FIELD(SPEC, "ports");
    size_t i = 0;
    if (old) service_update(e, spec, was);
    if (json_member(notes, hints) && json_member(notes, mode) && !json_equal(json_member(notes, hints), json_member(notes, mode)))
        field_invalid(e, FIELD_KEY(FIELD(META, "annotations"), mode), json_member(notes, mode), "must match annotations[%s] when both are specified", hints);
    if (json_len(ports) == 0 && !headless(spec) && strcmp(type, "ExternalName") != 0) field_required(e, p, "");
    if (word_in(type, "LoadBalancer NodePort") && headless(spec))
        field_invalid_str(e, FIELD_INDEX(FIELD(SPEC, "clusterIPs"), 0), "None", "may not be set to 'None' for %s services", type);
    if (strcmp(type, "ExternalName") == 0) external_name(e, SPEC, spec);
    JSON_EACH(port, ports) {
        service_port(e, FIELD_INDEX(p, i), port, ports, i);
        i++;
    }
    validate_labels(e, FIELD(SPEC, "selector"), json_member(spec, "selector"));
    session_affinity(e, SPEC, spec);
    cluster_ips(e, SPEC, spec, was);
    i = 0;
    JSON_EACH(ip, json_member(spec, "externalIPs")) {
        const struct field_path *at = FIELD_INDEX(FIELD(SPEC, "externalIPs"), i++);
        if (ip_or_old(e, at, text_of(ip), json_member(was, "externalIPs"))) endpoint_ip(e, at, text_of(ip));
    }
    choice_needed(e, SPEC, spec, "type", "ClusterIP ExternalName LoadBalancer NodePort");
    i = 0;
    JSON_EACH(port, strcmp(type, "ClusterIP") == 0 ? ports : NULL) {
        if (json_int(port, "nodePort", 0)) field_forbidden(e, FIELD(FIELD_INDEX(p, i), "nodePort"), "may not be used when `type` is 'ClusterIP'");
        i++;
    }
    no_doubles(e, p, ports, "nodePort", false);
    no_doubles(e, p, ports, "port", true);
    source_ranges(e, o, old);
    bool balancer = strcmp(type, "LoadBalancer") == 0;
    if (!balancer) forbid(e, SPEC, spec, "allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
    else if (!has(spec, "allocateLoadBalancerNodePorts")) field_required(e, FIELD(NULL, "allocateLoadBalancerNodePorts"), "");
    balancer_class(e, spec, NULL);
    traffic(e, SPEC, spec);
}

static void ingress_status(struct field_errors *e, const struct json *o, const struct json *old, bool modes) {
    const struct field_path *p = FIELD(FIELD(STATUS, "loadBalancer"), "ingress");
    struct json_array before = {.arena = e->arena};
    JSON_EACH(v, json_get(old, "status.loadBalancer.ingress")) if (has(v, "ip")) json_array_add(&before, json_member(v, "ip"));
    const struct json *known = json_array_done(&before);
    size_t i = 0;
    JSON_EACH(v, json_get(o, "status.loadBalancer.ingress")) {
        const struct field_path *at = FIELD_INDEX(p, i++);
        const char *ip = str_of(v, "ip"), *host = str_of(v, "hostname");
        if (*ip) ip_or_old(e, FIELD(at, "ip"), ip, known);
        if (modes && !has(v, "ipMode") && *ip) field_required(e, FIELD(at, "ipMode"), "must be specified when `ip` is set");
        else if (modes && has(v, "ipMode") && !*ip) field_forbidden(e, FIELD(at, "ipMode"), "may not be specified when `ip` is not set");
        else if (modes) choice(e, at, v, "ipMode", "Proxy VIP");
        if (*host) dns_not_ip(e, FIELD(at, "hostname"), host);
    }
}

void validate_service_status(struct field_errors *e, const struct json *o, const struct json *old) {
    if (!json_str_is(o, "spec.type", "LoadBalancer") && json_len(json_get(o, "status.loadBalancer.ingress")))
        field_forbidden(e, FIELD(FIELD(STATUS, "loadBalancer"), "ingress"), "may only be used when `spec.type` is 'LoadBalancer'");
    else ingress_status(e, o, old, true);
}

void validate_ingress_status(struct field_errors *e, const struct json *o, const struct json *old) { ingress_status(e, o, old, false); }

/* ---- Endpoints ---- */

static void endpoint_address(RULE) {
    field_check_ip_legacy(e, FIELD(p, "ip"), str_of(o, "ip"), false);
    named(e, p, o, "hostname", name_dns1123_label);
    if (has(o, "nodeName")) field_invalid_names(e, FIELD(p, "nodeName"), str_of(o, "nodeName"), name_dns1123_subdomain(str_of(o, "nodeName")));
    endpoint_ip(e, FIELD(p, "ip"), str_of(o, "ip"));
}

static void subset(RULE) {
    const struct json *ports = json_member(o, "ports");
    size_t i = 0;
    if (json_len(json_member(o, "addresses")) + json_len(json_member(o, "notReadyAddresses")) == 0)
        field_required(e, p, "must specify `addresses` or `notReadyAddresses`");
    rule_each(e, p, o, "addresses", endpoint_address);
    rule_each(e, p, o, "notReadyAddresses", endpoint_address);
    JSON_EACH(port, ports) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "ports"), i++);
        if (json_len(ports) > 1) need(e, at, port, "name");
        named(e, at, port, "name", name_dns1123_label);
        field_check_port_number(e, FIELD(at, "port"), json_int(port, "port", 0));
        choice_needed(e, at, port, "protocol", PROTOCOLS);
        if (has(port, "appProtocol")) label_name(e, FIELD(at, "appProtocol"), str_of(port, "appProtocol"));
    }
}

void validate_endpoints(struct field_errors *e, const struct json *o, const struct json *old) {
    if (!old || !json_semantic_equal(json_member(o, "subsets"), json_member(old, "subsets"))) rule_each(e, NULL, o, "subsets", subset);
}

/* ---- EndpointSlices ---- */

static void hints(RULE, const char *name, name_check *check) {
    const struct json *list = json_member(o, name);
    size_t i = 0;
    JSON_EACH(h, list) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, name), i);
        unique(e, at, list, i, "name");
        field_invalid_names(e, FIELD(at, "name"), str_of(h, "name"), check(str_of(h, "name")));
        i++;
    }
}

static void slice_address(struct field_errors *e, const struct field_path *list, size_t i, const char *type, const char *s) {
    const struct field_path *at = FIELD_INDEX(list, i);
    size_t before = e->len;
    struct ip ip;
    if (strcmp(type, "FQDN") == 0) field_check_fully_qualified_domain_name(e, at, s);
    if (!word_in(type, "IPv4 IPv6")) return;
    if (strcmp(type, "IPv4") == 0) field_check_ip_legacy(e, at, s, false);
    else field_check_ip(e, at, s);
    if (e->len != before || !ip_parse(s, &ip)) return;
    if (ip_is_v4(&ip) != (strcmp(type, "IPv4") == 0)) field_invalid_str(e, list, s, "must be an %s address", type);
    endpoint_ip(e, at, s);
}

static void slice_endpoint(RULE, const char *type) {
    const struct json *addresses = json_member(o, "addresses"), *h = json_member(o, "hints");
    const struct field_path *at = FIELD(p, "addresses");
    size_t i = 0;
    if (json_len(addresses) == 0) field_required(e, at, "must contain at least 1 address");
    else if (json_len(addresses) > 100) field_too_many(e, at, (int64_t)json_len(addresses), 100);
    JSON_EACH(a, addresses) slice_address(e, at, i++, type, text_of(a));
    if (has(o, "nodeName")) field_invalid_names(e, FIELD(p, "nodeName"), str_of(o, "nodeName"), name_dns1123_subdomain(str_of(o, "nodeName")));
    if (has(o, "hostname")) field_invalid_names(e, FIELD(p, "hostname"), str_of(o, "hostname"), name_dns1123_label(str_of(o, "hostname")));
    static const struct { const char *name; name_check *check; } kinds[] = {{"forZones", name_label_value}, {"forNodes", name_dns1123_subdomain}};
    for (i = 0; i < 2; i++) {
        size_t n = json_len(json_member(h, kinds[i].name));
        if (n > 8) {
            field_too_many(e, FIELD(FIELD(p, "hints"), kinds[i].name), (int64_t)n, 8);
            return;
        }
        hints(e, FIELD(p, "hints"), h, kinds[i].name, kinds[i].check);
    }
}

void validate_endpoint_slice(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *ports = json_member(o, "ports"), *endpoints = json_member(o, "endpoints");
    const char *type = str_of(o, "addressType");
    size_t i = 0;
    choice_needed(e, NULL, o, "addressType", "FQDN IPv4 IPv6");
    if (json_len(ports) > 20000) field_too_many(e, FIELD(NULL, "ports"), (int64_t)json_len(ports), 20000);
    else JSON_EACH(port, ports) {
        const struct field_path *at = FIELD_INDEX(FIELD(NULL, "ports"), i);
        named(e, at, port, "name", name_dns1123_label);
        unique(e, at, ports, i, "name");
        if (!has(port, "protocol")) field_required(e, FIELD(at, "protocol"), "");
        else choice(e, at, port, "protocol", PROTOCOLS);
        if (has(port, "appProtocol")) label_name(e, FIELD(at, "appProtocol"), str_of(port, "appProtocol"));
        i++;
    }
    i = 0;
    bool same = old && json_semantic_equal(endpoints, json_member(old, "endpoints"));
    if (!same && json_len(endpoints) > 1000) field_too_many(e, FIELD(NULL, "endpoints"), (int64_t)json_len(endpoints), 1000);
    else if (!same) JSON_EACH(v, endpoints) slice_endpoint(e, FIELD_INDEX(FIELD(NULL, "endpoints"), i++), v, type);
    if (old) fixed_members(e, NULL, o, old, "addressType");
}
