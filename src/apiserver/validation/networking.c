/* networking.k8s.io. */
#include "apiserver/validation/rules.h"
#include "schema/ip.h"

/* ---- NetworkPolicies ---- */

static void policy_port(RULE) {
    const struct json *port = json_member(o, "port");
    int64_t end = json_int(o, "endPort", 0), n = json_int(port, NULL, 0);
    bool has_end = has(o, "endPort");
    choice(e, p, o, "protocol", "TCP UDP SCTP");
    if (!port && has_end) field_invalid_int(e, FIELD(p, "endPort"), end, "may not be specified when `port` is not specified");
    if (json_is(port, JSON_STRING) && has_end) field_invalid_int(e, FIELD(p, "endPort"), end, "may not be specified when `port` is non-numeric");
    if (port) port_or_name(e, FIELD(p, "port"), port);
    if (!port || json_is(port, JSON_STRING) || !has_end) return;
    if (end < n) field_invalid_int(e, FIELD(p, "endPort"), n, "must be greater than or equal to `port`");
    field_check_port_number(e, FIELD(p, "endPort"), end);
}

static void ip_block(RULE) {
    struct ip net, inner;
    int bits, inner_bits;
    bool zeros;
    size_t i = 0;
    if (!need(e, p, o, "cidr")) return;
    field_check_cidr_legacy(e, FIELD(p, "cidr"), str_of(o, "cidr"), false);
    if (!cidr_parse(str_of(o, "cidr"), &net, &bits, &zeros)) return;
    JSON_EACH(x, json_member(o, "except")) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "except"), i++);
        field_check_cidr_legacy(e, at, text_of(x), false);
        if (!cidr_parse(text_of(x), &inner, &inner_bits, &zeros)) continue;
        if (ip_is_v4(&net) != ip_is_v4(&inner) || !cidr_contains(&net, bits, &inner) || bits >= inner_bits)
            field_invalid_str(e, at, text_of(x), "must be a strict subset of `cidr`");
    }
}

static void policy_peer(RULE) {
    rule_at(e, p, o, "podSelector", label_selector);
    rule_at(e, p, o, "namespaceSelector", label_selector);
    rule_at(e, p, o, "ipBlock", ip_block);
    if (json_len(o) == 0) field_required(e, p, "must specify a peer");
    else if (json_len(o) > 1 && has(o, "ipBlock")) field_forbidden(e, p, "may not specify both ipBlock and another peer");
}
static void policy_ingress(RULE) { rule_each(e, p, o, "ports", policy_port); rule_each(e, p, o, "from", policy_peer); }
static void policy_egress(RULE) { rule_each(e, p, o, "ports", policy_port); rule_each(e, p, o, "to", policy_peer); }

void validate_network_policy(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const struct json *spec = json_member(o, "spec"), *types = json_member(spec, "policyTypes");
    const struct field_path *p = FIELD(SPEC, "policyTypes");
    size_t i = 0;
    label_selector(e, FIELD(SPEC, "podSelector"), json_member(spec, "podSelector"));
    rule_each(e, SPEC, spec, "ingress", policy_ingress);
    rule_each(e, SPEC, spec, "egress", policy_egress);
    if (json_len(types) > 2) {
        field_invalid(e, p, types, "may not specify more than two policyTypes");
        return;
    }
    JSON_EACH(t, types) {
        if (!word_in(text_of(t), "Ingress Egress")) unsupported(e, FIELD_INDEX(p, i), text_of(t), "Ingress Egress");
        i++;
    }
}

/* ---- Ingresses ---- */

static void object_reference(RULE) {
    if (has(o, "apiGroup")) field_invalid_names(e, FIELD(p, "apiGroup"), str_of(o, "apiGroup"), name_dns1123_subdomain(str_of(o, "apiGroup")));
    named_needed(e, p, o, "kind", name_path_segment);
    named_needed(e, p, o, "name", name_path_segment);
}

static void backend(RULE) {
    const struct json *resource = json_member(o, "resource"), *service = json_member(o, "service"), *port = json_member(service, "port");
    const struct field_path *s = FIELD(p, "service"), *at = FIELD(s, "port");
    if (resource && service) {
        field_invalid_str(e, p, "", "cannot set both resource and service backends");
        return;
    }
    if (resource) object_reference(e, FIELD(p, "resource"), resource);
    else if (!service) field_invalid_str(e, p, "", "resource or service backend is required");
    if (!service) return;
    named_needed(e, s, service, "name", name_dns1035_label);
    bool by_name = *str_of(port, "name"), by_number = json_int(port, "number", 0) != 0;
    if (by_name && by_number) field_invalid_str(e, p, "", "cannot set both port name & port number");
    else if (by_name) named(e, at, port, "name", name_port);
    else if (by_number) field_check_port_number(e, FIELD(at, "number"), json_int(port, "number", 0));
    else field_required(e, p, "port name or number is required");
}

static void http_path(RULE) {
    static const char *const inside[] = {"//", "/./", "/../", "%2f", "%2F"}, *const ends[] = {"/..", "/."};
    const char *type = str_of(o, "pathType"), *path = str_of(o, "path");
    const struct field_path *at = FIELD(p, "path");
    if (!has(o, "pathType")) {
        field_required(e, FIELD(p, "pathType"), "pathType must be specified");
        return;
    }
    bool strict = word_in(type, "Exact Prefix"), loose = strcmp(type, "ImplementationSpecific") == 0;
    if ((strict || (loose && *path)) && *path != '/') field_invalid_str(e, at, path, "must be an absolute path");
    for (size_t i = 0; strict && i < ARRAY_LEN(inside); i++) if (strstr(path, inside[i])) field_invalid_str(e, at, path, "must not contain '%s'", inside[i]);
    for (size_t i = 0; strict && i < ARRAY_LEN(ends); i++) if (str_ends(path, ends[i])) field_invalid_str(e, at, path, "cannot end with '%s'", ends[i]);
    if (!strict && !loose) choice(e, p, o, "pathType", "Exact ImplementationSpecific Prefix");
    backend(e, FIELD(p, "backend"), json_member(o, "backend"));
}

static void host_name(struct field_errors *e, const struct field_path *p, const char *host) {
    field_invalid_names(e, p, host, strchr(host, '*') ? name_wildcard_dns1123_subdomain(host) : name_dns1123_subdomain(host));
}

static void ingress_rule(RULE) {
    const char *host = str_of(o, "host");
    const struct json *http = json_member(o, "http");
    struct ip ip;
    if (*host && ip_parse(host, &ip)) field_invalid_str(e, FIELD(p, "host"), host, "must be a DNS name, not an IP address");
    if (*host) host_name(e, FIELD(p, "host"), host);
    if (!http) return;
    need(e, FIELD(p, "http"), http, "paths");
    rule_each(e, FIELD(p, "http"), http, "paths", http_path);
}

static void ingress_tls(RULE) {
    size_t i = 0;
    JSON_EACH(h, json_member(o, "hosts")) host_name(e, FIELD_INDEX(FIELD(p, "hosts"), i++), text_of(h));
    named(e, p, o, "secretName", name_dns1123_subdomain);
}

void validate_ingress(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char note[] = "kubernetes.io/ingress.class";
    const struct json *spec = json_member(o, "spec"), *class = json_member(spec, "ingressClassName"), *said = json_member(json_get(o, "metadata.annotations"), note);
    if (!json_len(json_member(spec, "rules")) && !has(spec, "defaultBackend"))
        field_invalid(e, SPEC, json_member(spec, "rules"), "either `defaultBackend` or `rules` must be specified");
    rule_at(e, SPEC, spec, "defaultBackend", backend);
    rule_each(e, SPEC, spec, "rules", ingress_rule);
    rule_each(e, SPEC, spec, "tls", ingress_tls);
    if (class) field_invalid_names(e, FIELD(SPEC, "ingressClassName"), text_of(class), name_dns1123_subdomain(text_of(class)));
    if (!old && said && class && !json_equal(said, class))
        field_invalid(e, FIELD(FIELD(NULL, "annotations"), note), said, "must match `ingressClassName` when both are specified");
}

void validate_ingress_class(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *v = json_member(spec, "parameters");
    const struct field_path *p = FIELD(SPEC, "parameters");
    if (old) {
        if (strcmp(str_of(spec, "controller"), json_str_or(old, "spec.controller", "")) != 0) field_invalid_str(e, FIELD(SPEC, "controller"), str_of(spec, "controller"), "field is immutable");
        validate_meta_whole(e, META, o, false, name_dns1123_subdomain);
        kube_finalizers(e, o);
    }
    if (strlen(str_of(spec, "controller")) > 250) field_too_long(e, FIELD(SPEC, "controller"), 250);
    field_check_domain_prefixed_path(e, FIELD(SPEC, "controller"), str_of(spec, "controller"));
    if (!v) return;
    object_reference(e, p, v);
    if (!has(v, "scope")) {
        field_required(e, FIELD(p, "scope"), "");
        return;
    }
    choice(e, p, v, "scope", "Cluster Namespace");
    bool in_namespace = json_str_is(v, "scope", "Namespace");
    if (in_namespace && !has(v, "namespace")) field_required(e, FIELD(p, "namespace"), "`parameters.scope` is set to 'Namespace'");
    else if (in_namespace) field_invalid_names(e, FIELD(p, "namespace"), str_of(v, "namespace"), name_dns1123_label(str_of(v, "namespace")));
    if (json_str_is(v, "scope", "Cluster")) forbid(e, p, v, "namespace", "`parameters.scope` is set to 'Cluster'");
}

/* ---- addresses and ranges of services ---- */

struct name_errors name_ip_address(const char *s) {
    struct ip ip;
    char text[IP_TEXT_MAX];
    struct name_errors out = {{0}, 0};
    if (ip_parse(s, &ip) && ip.leading_zeros) out.items[out.len++] = "must not have leading 0s";
    else if (!ip_parse(s, &ip)) out.items[out.len++] = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    else if (strcmp(ip_format(text, &ip), s) != 0) out.items[out.len++] = "must be in canonical form";
    return out;
}

void validate_ip_address(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *ref = json_get(o, "spec.parentRef");
    const struct field_path *p = FIELD(SPEC, "parentRef");
    if (old) {
        const struct json *shown = go_form(e->arena, "networking.k8s.io/v1/ParentReference", ref);
        if (!json_semantic_equal(ref, json_get(old, "spec.parentRef"))) field_invalid(e, p, shown, "field is immutable");
        return;
    }
    if (!ref) {
        field_required(e, p, "");
        return;
    }
    named(e, p, ref, "group", name_dns1123_subdomain);
    named_needed(e, p, ref, "resource", name_path_segment);
    named_needed(e, p, ref, "name", name_path_segment);
    named(e, p, ref, "namespace", name_path_segment);
}

static void service_ranges(struct field_errors *e, const struct json *spec) {
    const struct json *list = json_member(spec, "cidrs");
    const struct field_path *p = FIELD(SPEC, "cidrs");
    size_t i = 0;
    if (json_len(list) == 0) field_required(e, p, "at least one CIDR required");
    if (json_len(list) > 2) field_invalid(e, p, go_form(e->arena, "networking.k8s.io/v1/ServiceCIDRSpec", spec), "may only hold up to 2 values");
    if (json_len(list) == 0 || json_len(list) > 2) return;
    JSON_EACH(c, list) field_check_cidr(e, FIELD_INDEX(p, i++), text_of(c));
    struct ip a, b;
    int x, y;
    bool zeros;
    if (json_len(list) == 2 && cidr_parse(text_of(json_at(list, 0)), &a, &x, &zeros) && cidr_parse(text_of(json_at(list, 1)), &b, &y, &zeros) && ip_is_v4(&a) == ip_is_v4(&b))
        field_invalid(e, p, list, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64");
}

void validate_service_cidr(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *now = json_get(o, "spec.cidrs"), *was = json_get(old, "spec.cidrs");
    const struct field_path *p = FIELD(SPEC, "cidrs");
    if (!old) service_ranges(e, json_member(o, "spec"));
    else if (json_len(now) == json_len(was) || (json_len(was) == 1 && json_len(now) == 2)) {
        for (size_t i = 0; i < json_len(was); i++)
            if (!json_equal(json_at(now, i), json_at(was, i))) field_invalid(e, FIELD_INDEX(p, i), json_at(now, i), "field is immutable");
        if (json_len(now) != json_len(was)) service_ranges(e, json_member(o, "spec"));
    } else {
        field_invalid(e, p, now ? now : &json_null, "field is immutable");
    }
}
