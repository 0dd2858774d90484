/* From a Service and its EndpointSlices to nftables text. The rules of which endpoint serves whom are kube-proxy's
 * (KEP-2433 topology hints, KEP-1669 terminating endpoints, KEP-2086 internalTrafficPolicy). */
#include "network/proxy_rules.h"
#include "base/str.h"

struct endpoint {
    const char *address;
    int64_t port;
    bool ready, serving, terminating, local;
    const struct json *hints;
};
struct endpoints {
    struct endpoint *items;
    size_t len;
};

/* A service port in the making. */
struct port_context {
    struct arena *a;
    const struct rules_input *in;
    struct service_rules *out;
    const struct json *port;
    const char *protocol; /* "tcp" */
    int64_t number;
    const char *id;
    struct endpoints cluster, local; /* for each traffic policy */
};

static const char *ip_word(const struct rules_input *in) { return in->family == FAMILY_IPV6 ? "ip6" : "ip"; }

static bool address_in_family(const char *address, enum family f) { return (strchr(address, ':') != NULL) == (f == FAMILY_IPV6); }

static const char *lower(struct arena *a, const char *s) {
    char *l = arena_strdup(a, s);
    for (char *c = l; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    }
    return l;
}

static void add_element(struct port_context *c, const char *map, const char *key, const char *verdict) {
    struct service_rules *o = c->out;
    o->elements = arena_grow(c->a, o->elements, o->element_count * sizeof(*o->elements), (o->element_count + 1) * sizeof(*o->elements));
    o->elements[o->element_count++] = (struct rule_element){map, key, verdict};
}

static void add_chain(struct port_context *c, const char *name, struct buf *rules) {
    struct service_rules *o = c->out;
    o->chains = arena_grow(c->a, o->chains, o->chain_count * sizeof(*o->chains), (o->chain_count + 1) * sizeof(*o->chains));
    o->chains[o->chain_count++] = (struct rule_chain){name, arena_strdup(c->a, buf_str(rules))};
}

static void add_affinity_set(struct port_context *c, const char *name, int64_t timeout) {
    struct service_rules *o = c->out;
    size_t size = o->set_count * sizeof(*o->sets), grown = (o->set_count + 1) * sizeof(*o->sets);
    o->sets = arena_grow(c->a, o->sets, size, grown);
    o->set_definitions = arena_grow(c->a, o->set_definitions, size, grown);
    o->sets[o->set_count] = name;
    o->set_definitions[o->set_count++] = arena_printf(c->a, "{ type %s; flags dynamic,timeout; timeout %llds; }",
                                                      c->in->family == FAMILY_IPV6 ? "ipv6_addr" : "ipv4_addr", (long long)timeout);
}

static void add_udp(struct port_context *c, const char *service_address, const struct endpoint *e) {
    struct service_rules *o = c->out;
    o->udp_endpoints = arena_grow(c->a, o->udp_endpoints, o->udp_count * sizeof(char *), (o->udp_count + 1) * sizeof(char *));
    o->udp_endpoints[o->udp_count++] = arena_printf(c->a, "%s %s", service_address, e->address);
}

/* ---- which endpoints ---- */

static int64_t slice_port(const struct json *slice, const struct json *port) {
    const char *name = json_str_or(port, "name", ""), *protocol = json_str_or(port, "protocol", "TCP");
    JSON_EACH(p, json_get(slice, "ports")) {
        if (str_eq(json_str_or(p, "name", ""), name) && str_eq(json_str_or(p, "protocol", "TCP"), protocol)) return json_int(p, "port", 0);
    }
    return 0;
}

static void add_endpoint(struct port_context *c, struct endpoints *all, const struct json *e, int64_t port) {
    const char *address = json_at(json_get(e, "addresses"), 0) ? json_at(json_get(e, "addresses"), 0)->s : NULL;
    if (address == NULL || !address_in_family(address, c->in->family)) return;
    for (size_t i = 0; i < all->len; i++) { /* slices may overlap for a moment */
        if (str_eq(all->items[i].address, address) && all->items[i].port == port) return;
    }
    bool ready = json_bool(e, "conditions.ready", true);
    all->items = arena_grow(c->a, all->items, all->len * sizeof(*all->items), (all->len + 1) * sizeof(*all->items));
    all->items[all->len++] = (struct endpoint){
        .address = address,
        .port = port,
        .ready = ready,
        .serving = json_bool(e, "conditions.serving", ready),
        .terminating = json_bool(e, "conditions.terminating", false),
        .local = str_eq(json_str(e, "nodeName"), c->in->node_name),
        .hints = json_get(e, "hints"),
    };
}

static struct endpoints collect(struct port_context *c) {
    struct endpoints all = {0};
    for (size_t i = 0; i < c->in->slices->len; i++) {
        const struct json *slice = c->in->slices->items[i]->root;
        int64_t port = slice_port(slice, c->port);
        if (port == 0) continue;
        JSON_EACH(e, json_get(slice, "endpoints")) add_endpoint(c, &all, e, port);
    }
    return all;
}

enum want { WANT_READY, WANT_TERMINATING };
static struct endpoints pick(struct arena *a, const struct endpoints *all, bool local_only, enum want want) {
    struct endpoints out = {arena_calloc(a, all->len + 1, sizeof(struct endpoint)), 0};
    for (size_t i = 0; i < all->len; i++) {
        const struct endpoint *e = &all->items[i];
        bool fits = want == WANT_READY ? e->ready : e->serving && e->terminating;
        if (fits && (!local_only || e->local)) out.items[out.len++] = *e;
    }
    return out;
}

static bool hinted(const struct json *hints, const char *list, const char *name) {
    JSON_EACH(h, json_get(hints, list)) {
        if (name != NULL && str_eq(json_str(h, "name"), name)) return true;
    }
    return false;
}

/* Those hinted for `name`, if every endpoint has such hints and there is one; else all. */
static struct endpoints by_hints(struct arena *a, struct endpoints all, const char *list, const char *name) {
    struct endpoints out = {arena_calloc(a, all.len + 1, sizeof(struct endpoint)), 0};
    for (size_t i = 0; i < all.len; i++) {
        if (json_len(json_get(all.items[i].hints, list)) == 0) return all;
        if (hinted(all.items[i].hints, list, name)) out.items[out.len++] = all.items[i];
    }
    return out.len > 0 ? out : all;
}

/* Ready ones; if there is none, those that still serve while terminating. */
static struct endpoints serving(struct port_context *c, const struct endpoints *all, bool local_only) {
    struct endpoints ready = pick(c->a, all, local_only, WANT_READY);
    if (ready.len == 0) return pick(c->a, all, local_only, WANT_TERMINATING);
    if (local_only) return ready;
    struct endpoints node = by_hints(c->a, ready, "forNodes", c->in->node_name);
    return node.len < ready.len ? node : by_hints(c->a, ready, "forZones", c->in->zone);
}

/* ---- chains ---- */

static void add_target(struct port_context *c, struct buf *b, const struct endpoint *e) {
    buf_printf(b, "%s . %lld", e->address, (long long)e->port);
    (void)c;
}

static void balance(struct port_context *c, struct buf *b, const struct endpoints *eps) {
    buf_printf(b, "meta l4proto %s dnat %s to numgen random mod %zu map { ", c->protocol, ip_word(c->in), eps->len);
    for (size_t i = 0; i < eps->len; i++) {
        buf_printf(b, "%s%zu : ", i ? ", " : "", i);
        add_target(c, b, &eps->items[i]);
    }
    buf_adds(b, " }\n");
}

/* ClientIP affinity: an endpoint's chain remembers the client in a set, the service's chain asks the sets first. */
static void balance_sticky(struct port_context *c, struct buf *b, const struct endpoints *eps, const char *suffix, int64_t timeout) {
    struct buf pickers = {0};
    buf_printf(&pickers, "numgen random mod %zu vmap { ", eps->len);
    for (size_t i = 0; i < eps->len; i++) {
        const struct endpoint *e = &eps->items[i];
        uint8_t digest[32];
        const char *text = arena_printf(c->a, "%s/%s/%lld/%s", c->id, e->address, (long long)e->port, suffix);
        sha256(text, strlen(text), digest);
        struct buf hex = {0};
        hex_encode(&hex, digest, 8);
        const char *chain = arena_printf(c->a, "end-%s", hex.data), *set = arena_printf(c->a, "aff-%s", hex.data);
        buf_free(&hex);
        add_affinity_set(c, set, timeout);
        struct buf rules = {0};
        buf_printf(&rules, "update @%s { %s saddr }\nmeta l4proto %s dnat %s to ", set, ip_word(c->in), c->protocol, ip_word(c->in));
        buf_printf(&rules, c->in->family == FAMILY_IPV6 ? "[%s]:%lld\n" : "%s:%lld\n", e->address, (long long)e->port);
        add_chain(c, chain, &rules);
        buf_free(&rules);
        buf_printf(b, "%s saddr @%s goto %s\n", ip_word(c->in), set, chain);
        buf_printf(&pickers, "%s%zu : goto %s", i ? ", " : "", i, chain);
    }
    buf_printf(b, "%s }\n", buf_str(&pickers));
    buf_free(&pickers);
}

static void endpoint_rules(struct port_context *c, struct buf *b, const struct endpoints *eps, const char *suffix) {
    const struct json *service = c->in->service->root;
    if (json_str_is(service, "spec.sessionAffinity", "ClientIP")) {
        balance_sticky(c, b, eps, suffix, json_int(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10800));
    } else balance(c, b, eps);
}

/* Traffic to the cluster IP. Only what does not come from pods needs masquerading: pods' answers come back by themselves. */
static void add_service_chain(struct port_context *c, const char *name, const char *cluster_ip, const struct endpoints *eps) {
    struct buf rules = {0};
    if (c->in->cluster_cidr != NULL && cluster_ip != NULL) {
        buf_printf(&rules, "%s daddr %s %s saddr != %s jump mark-for-masquerade\n", ip_word(c->in), cluster_ip, ip_word(c->in), c->in->cluster_cidr);
    }
    endpoint_rules(c, &rules, eps, "svc");
    add_chain(c, name, &rules);
    buf_free(&rules);
}

/* Traffic to node ports, external and load-balancer addresses. With policy Local the client's address is kept. */
static void add_external_chain(struct port_context *c, const char *name, const char *service_chain, bool local) {
    struct buf rules = {0};
    if (!local) buf_printf(&rules, "jump mark-for-masquerade\ngoto %s\n", service_chain);
    else {
        if (c->in->cluster_cidr != NULL && c->cluster.len > 0) buf_printf(&rules, "%s saddr %s goto %s\n", ip_word(c->in), c->in->cluster_cidr, service_chain);
        if (c->cluster.len > 0) buf_printf(&rules, "fib saddr type local jump mark-for-masquerade\nfib saddr type local goto %s\n", service_chain);
        if (c->local.len > 0) endpoint_rules(c, &rules, &c->local, "ext");
    }
    add_chain(c, name, &rules);
    buf_free(&rules);
}

/* ---- where traffic enters ---- */

static const char *address_key(struct port_context *c, const char *address) {
    return arena_printf(c->a, "%s . %s . %lld", address, c->protocol, (long long)c->number);
}

static void add_address(struct port_context *c, const char *address, const char *chain, bool served, bool drop) {
    if (!address_in_family(address, c->in->family)) return;
    if (served) add_element(c, "service-ips", address_key(c, address), arena_printf(c->a, "goto %s", chain));
    else add_element(c, "no-endpoint-ips", address_key(c, address), drop ? "drop" : "goto reject-chain");
}

/* loadBalancerSourceRanges: everybody else is dropped before the chain is reached. */
static const char *firewalled(struct port_context *c, const char *chain) {
    const struct json *ranges = json_get(c->in->service->root, "spec.loadBalancerSourceRanges");
    if (json_len(ranges) == 0) return chain;
    struct buf rules = {0};
    buf_printf(&rules, "%s saddr != { ", ip_word(c->in));
    size_t n = 0;
    JSON_EACH(r, ranges) {
        if (json_is(r, JSON_STRING) && address_in_family(r->s, c->in->family)) buf_printf(&rules, "%s%s", n++ ? ", " : "", r->s);
    }
    buf_printf(&rules, " } drop\ngoto %s\n", chain);
    const char *name = arena_printf(c->a, "fw-%s", c->id);
    if (n > 0) add_chain(c, name, &rules);
    buf_free(&rules);
    return n > 0 ? name : chain;
}

static void add_external_addresses(struct port_context *c, const char *chain, bool served, bool drop) {
    const struct json *spec = json_get(c->in->service->root, "spec");
    JSON_EACH(ip, json_get(spec, "externalIPs")) {
        if (json_is(ip, JSON_STRING)) add_address(c, ip->s, chain, served, drop);
    }
    JSON_EACH(ingress, json_get(c->in->service->root, "status.loadBalancer.ingress")) {
        const char *ip = json_str(ingress, "ip");
        if (ip != NULL && !json_str_is(ingress, "ipMode", "Proxy")) add_address(c, ip, firewalled(c, chain), served, drop);
    }
    int64_t node_port = json_int(c->port, "nodePort", 0);
    if (node_port == 0) return;
    const char *key = arena_printf(c->a, "%s . %lld", c->protocol, (long long)node_port);
    if (served) add_element(c, "service-nodeports", key, arena_printf(c->a, "goto %s", chain));
    else add_element(c, "no-endpoint-nodeports", key, drop ? "drop" : "goto reject-chain");
}

static const char *cluster_ip_of(const struct rules_input *in) {
    JSON_EACH(ip, json_get(in->service->root, "spec.clusterIPs")) {
        if (json_is(ip, JSON_STRING) && address_in_family(ip->s, in->family)) return ip->s;
    }
    return NULL;
}

static void build_port(struct port_context *c) {
    const struct json *spec = json_get(c->in->service->root, "spec");
    const char *cluster_ip = cluster_ip_of(c->in);
    struct endpoints all = collect(c);
    bool internal_local = json_str_is(spec, "internalTrafficPolicy", "Local");
    bool external_local = json_str_is(spec, "externalTrafficPolicy", "Local");
    c->cluster = serving(c, &all, false);
    c->local = serving(c, &all, true);
    const struct endpoints *internal = internal_local ? &c->local : &c->cluster;
    const char *svc = arena_printf(c->a, "svc-%s", c->id), *ext = arena_printf(c->a, "ext-%s", c->id);
    const char *wide = internal_local ? arena_printf(c->a, "all-%s", c->id) : svc; /* external traffic ignores the internal policy */
    if (internal->len > 0) add_service_chain(c, svc, cluster_ip, internal);
    if (internal_local && c->cluster.len > 0) add_service_chain(c, wide, NULL, &c->cluster);
    if (cluster_ip != NULL) add_address(c, cluster_ip, svc, internal->len > 0, internal_local && all.len > 0);
    bool served = c->cluster.len > 0;
    if (served) add_external_chain(c, ext, wide, external_local);
    add_external_addresses(c, ext, served, external_local && all.len > 0);
    for (size_t i = 0; cluster_ip != NULL && str_eq(c->protocol, "udp") && i < all.len; i++) {
        if (all.items[i].ready) add_udp(c, cluster_ip, &all.items[i]);
    }
}

void service_rules_build(struct arena *a, const struct rules_input *in, struct service_rules *out) {
    memset(out, 0, sizeof(*out));
    const struct json *service = in->service->root;
    const char *ip = json_str(service, "spec.clusterIP");
    if (json_str_is(service, "spec.type", "ExternalName") || ip == NULL || str_in(ip, (const char *const[]){"", "None", NULL})) return;
    JSON_EACH(port, json_get(service, "spec.ports")) {
        struct port_context c = {.a = a, .in = in, .out = out, .port = port, .number = json_int(port, "port", 0)};
        c.protocol = lower(a, json_str_or(port, "protocol", "TCP"));
        uint8_t digest[32];
        const char *text = arena_printf(a, "%s/%s/%s/%lld", doc_namespace(in->service), doc_name(in->service), c.protocol, (long long)c.number);
        sha256(text, strlen(text), digest);
        struct buf hex = {0};
        hex_encode(&hex, digest, 8);
        c.id = arena_strdup(a, hex.data);
        buf_free(&hex);
        if (port == json_at(json_get(service, "spec.ports"), 0) && cluster_ip_of(in)) add_element(&c, "cluster-ips", cluster_ip_of(in), NULL);
        build_port(&c);
    }
}
