/* Pods are attached by the CNI plugins ptp (a routed veth pair per pod: answers from a service's endpoint always pass
 * the node, so its address translation is undone without bridge netfilter), host-local and portmap. Nodes on one link get
 * plain routes; the others a VXLAN tunnel, whose addresses and MACs follow from the nodes' pod networks, so nothing has
 * to be exchanged. Driven by Node events; nothing runs while nothing changes. */
#include "network/podnet.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/workqueue.h"
#include "client/object.h"
#include "network/forwarding.h"
#include "network/rtnl.h"
#include <arpa/inet.h>
#include <stdio.h>

#define LOG_COMPONENT "podnet"
#define TUNNEL "coracle.vx"
#define TUNNEL_ID 107

struct podnet {
    struct network_config config;
    struct workqueue *queue;
    struct cache_subscription *subscription;
    struct map routes; /* network -> route text, what is applied; queue thread only */
    char *cni;         /* the pod network that the configuration was written for */
    bool tunnel;
};

static const char *internal_ip(const struct doc *node) {
    JSON_EACH(a, json_get(node->root, "status.addresses")) {
        if (json_str_is(a, "type", "InternalIP")) return json_str(a, "address");
    }
    return NULL;
}

/* ---- CNI ---- */

static const struct json *cni_conflist(struct arena *a, const struct json *node, const char *ipam_dir) {
    struct json_array ranges = {.arena = a}, routes = {.arena = a};
    JSON_EACH(cidr, json_get(node, "spec.podCIDRs")) {
        json_array_add(&ranges, json_make(a, "[{'subnet':%v}]", cidr));
        json_array_add(&routes, json_make(a, "{'dst':%s}", strchr(cidr->s, ':') ? "::/0" : "0.0.0.0/0"));
    }
    return json_make(a,
                     "{'cniVersion':'0.4.0','name':'coracle','plugins':["
                     "{'type':'ptp','ipMasq':false,'ipam':{'type':'host-local','dataDir':%s,'ranges':%v,'routes':%v}},"
                     "{'type':'portmap','capabilities':{'portMappings':true},'snat':true}]}",
                     ipam_dir, json_array_done(&ranges), json_array_done(&routes));
}

static struct error *write_cni(struct podnet *p, struct arena *a, const struct doc *node) {
    const char *cidrs = json_text(a, json_get(node->root, "spec.podCIDRs"));
    if (str_eq(p->cni, cidrs)) return NULL;
    TRY(dir_make(p->config.cni_dir, 0755));
    const struct json *conf = cni_conflist(a, node->root, arena_printf(a, "%s/ipam", p->config.cni_dir));
    cleanup_buf struct buf text = {0};
    json_encode_pretty(&text, conf, "  ");
    TRY(file_write_atomic(arena_printf(a, "%s/10-coracle.conflist", p->config.cni_dir), text.data, text.len, 0644));
    free(p->cni);
    p->cni = xstrdup(cidrs);
    log_info("pod network %s", cidrs);
    return NULL;
}

/* ---- routes to the other nodes ---- */

/* The tunnel address of a pod network is its first one (10.42.1.0); its MAC is made of that: 0a:6b and four bytes. */
static bool tunnel_end(const char *cidr, char address[INET_ADDRSTRLEN], uint8_t mac[6]) {
    snprintf(address, INET_ADDRSTRLEN, "%.*s", (int)strcspn(cidr, "/"), cidr);
    mac[0] = 0x0a;
    mac[1] = 0x6b;
    return inet_pton(AF_INET, address, mac + 2) == 1;
}

static struct error *make_tunnel(struct podnet *p, const struct doc *self) {
    char own[INET_ADDRSTRLEN];
    uint8_t mac[6];
    const char *cidr = json_str(self->root, "spec.podCIDR"), *local = internal_ip(self);
    if (p->tunnel || cidr == NULL || local == NULL || !tunnel_end(cidr, own, mac)) return NULL;
    TRY(rtnl_vxlan(TUNNEL, TUNNEL_ID, local, own, mac));
    p->tunnel = true;
    return NULL;
}

static struct error *add_route(struct podnet *p, const struct doc *self, const char *cidr, const char *address) {
    if ((strchr(cidr, ':') != NULL) != (strchr(address, ':') != NULL)) return NULL;
    if (rtnl_on_link(address)) return rtnl_route_replace(cidr, address, NULL, false);
    char far[INET_ADDRSTRLEN];
    uint8_t mac[6];
    if (!tunnel_end(cidr, far, mac)) return error_new("node %s is on another network, and tunnels carry IPv4 only", address);
    TRY(make_tunnel(p, self));
    TRY(rtnl_vxlan_peer(TUNNEL, mac, address, far));
    return rtnl_route_replace(cidr, far, TUNNEL, true);
}

static struct error *route_node(struct podnet *p, struct arena *a, const struct doc *self, const struct doc *node, struct map *wanted) {
    const char *address = internal_ip(node);
    if (address == NULL) return NULL;
    JSON_EACH(cidr, json_get(node->root, "spec.podCIDRs")) {
        char *route = arena_printf(a, "%s via %s", cidr->s, address);
        map_set(wanted, cidr->s, p);
        if (str_eq(map_get(&p->routes, cidr->s), route)) continue;
        TRY(add_route(p, self, cidr->s, address));
        free(map_set(&p->routes, cidr->s, xstrdup(route)));
        log_info("route to pods %s", route);
    }
    return NULL;
}

static struct error *drop_routes(struct podnet *p, const struct map *wanted) {
    for (struct map_slot *s = map_first(&p->routes), *next; s != NULL; s = next) {
        next = map_next(&p->routes, s);
        if (map_has(wanted, s->key)) continue;
        TRY(rtnl_route_delete(s->key));
        free(map_remove(&p->routes, s->key));
        next = map_first(&p->routes);
    }
    return NULL;
}

static struct work_result podnet_sync(const char *key UNUSED, void *arg) {
    struct podnet *p = arg;
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *self = cache_get(p->config.cache, &resource_nodes, NULL, p->config.node_name);
    if (self == NULL || json_len(json_get(self->root, "spec.podCIDRs")) == 0) return (struct work_result){0};
    struct error *e = write_cni(p, &a, self);
    cleanup_doc_list struct doc_list nodes = {0};
    struct map wanted = {0};
    cache_list(p->config.cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len && e == NULL; i++) {
        if (!str_eq(doc_name(nodes.items[i]), p->config.node_name)) e = route_node(p, &a, self, nodes.items[i], &wanted);
    }
    if (e == NULL) e = drop_routes(p, &wanted);
    map_free(&wanted, NULL);
    return (struct work_result){.error = e};
}

/* Heartbeats change Nodes all the time; only networks and addresses matter here. */
static void on_node(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    struct podnet *p = arg;
    bool same = before != NULL && after != NULL && json_equal(json_get(before->root, "spec.podCIDRs"), json_get(after->root, "spec.podCIDRs")) &&
                json_equal(json_get(before->root, "status.addresses"), json_get(after->root, "status.addresses"));
    if (!same) workqueue_add(p->queue, "sync");
}

struct error *podnet_start(const struct network_config *c, struct podnet **out) {
    TRY(forwarding_allow(c->state_dir, NULL, NULL));
    struct podnet *p = xcalloc(1, sizeof(*p));
    p->config = *c;
    p->queue = workqueue_new(&(struct workqueue_config){.name = "podnet", .threads = 1, .run = podnet_sync, .arg = p, .backoff_base = MSECONDS(200), .backoff_max = SECONDS(60)});
    p->subscription = cache_subscribe(c->cache, &resource_nodes, on_node, p);
    *out = p;
    return NULL;
}

void podnet_stop(struct podnet *p) {
    if (p == NULL) return;
    cache_unsubscribe(p->subscription);
    workqueue_close(p->queue);
    map_free(&p->routes, free);
    free(p->cni);
    free(p);
}
