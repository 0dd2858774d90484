/* The service proxy. One nftables table `coracle` per family, whose maps lead from (address, protocol, port) to a chain
 * per service port (proxy_rules.h). A change of a service or of its endpoints marks that service; a thread rebuilds the
 * marked ones only, compares with what is applied and sends the difference of all of them as one transaction. So a
 * change costs the same with 10 or 10,000 services, and a burst costs one transaction.
 *
 * What is applied is remembered per service and family as text. Elements are counted over services, because two services
 * may want the same one for a moment (an external address that moves). On a refusal by the kernel everything is rebuilt
 * from nothing, which also mends a table that somebody else has changed. */
#include "network/proxy.h"
#include "base/log.h"
#include "base/child.h"
#include "base/map.h"
#include "base/str.h"
#include "base/workqueue.h"
#include "client/object.h"
#include "network/nft.h"
#include "network/proxy_rules.h"
#include <pthread.h>

#define LOG_COMPONENT "proxy"

struct applied { /* of one service in one family */
    struct arena arena;
    struct service_rules rules;
};
struct table {
    enum family family;
    struct map services; /* key -> struct applied */
    struct map elements; /* "map\tkey" -> count of services that have it (as a pointer) */
};
struct proxy {
    struct network_config config;
    struct nft *nft;
    struct workqueue *queue;
    struct cache_subscription *subscriptions[3];
    pthread_mutex_t lock; /* protects dirty and all_dirty */
    struct map dirty;     /* service keys */
    bool all_dirty;
    const char *zone;     /* of this node; sync thread only */
    struct table tables[2];
};

static const char *family_word(enum family f) { return f == FAMILY_IPV6 ? "ip6" : "ip"; }

/* ---- the frame of a table ---- */

static void add_frame(struct proxy *p, struct buf *b, enum family f) {
    const char *ip = family_word(f), *type = f == FAMILY_IPV6 ? "ipv6_addr" : "ipv4_addr";
    const char *loopback = f == FAMILY_IPV6 ? "::1" : "127.0.0.0/8";
    buf_printf(b, "add table %s coracle\ndelete table %s coracle\ntable %s coracle {\n", ip, ip, ip);
    buf_printf(b,
               " map service-ips { type %s . inet_proto . inet_service : verdict; }\n"
               " map service-nodeports { type inet_proto . inet_service : verdict; }\n"
               " map no-endpoint-ips { type %s . inet_proto . inet_service : verdict; }\n"
               " map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }\n"
               " set hairpins { type %s . %s; }\n"
               " set cluster-ips { type %s; }\n",
               type, type, type, type, type);
    buf_adds(b, " chain reject-chain {\n  meta l4proto tcp reject with tcp reset\n  reject\n }\n"
                " chain mark-for-masquerade {\n  meta mark set meta mark | 0x4000\n }\n");
    buf_printf(b, " chain services {\n  %s daddr . meta l4proto . th dport vmap @service-ips\n", ip);
    buf_printf(b, "  fib daddr type local %s daddr != %s meta l4proto . th dport vmap @service-nodeports\n }\n", ip, loopback);
    buf_adds(b, " chain nat-prerouting {\n  type nat hook prerouting priority dstnat;\n  jump services\n }\n"
                " chain nat-output {\n  type nat hook output priority -100;\n  jump services\n }\n"
                " chain nat-postrouting {\n  type nat hook postrouting priority srcnat;\n");
    buf_printf(b, "  meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random\n");
    buf_printf(b, "  ct status dnat %s saddr . %s daddr @hairpins masquerade fully-random\n", ip, ip);
    if (p->config.cluster_cidr != NULL && (strchr(p->config.cluster_cidr, ':') != NULL) == (f == FAMILY_IPV6)) {
        buf_printf(b, "  %s saddr %s %s daddr != %s fib daddr type != multicast masquerade fully-random\n", ip, p->config.cluster_cidr, ip,
                   p->config.cluster_cidr);
    }
    buf_adds(b, " }\n chain no-endpoints {\n");
    buf_printf(b, "  %s daddr . meta l4proto . th dport vmap @no-endpoint-ips\n", ip);
    buf_printf(b, "  fib daddr type local %s daddr != %s meta l4proto . th dport vmap @no-endpoint-nodeports\n }\n", ip, loopback);
    for (size_t i = 0; i < 3; i++) {
        static const char *const hooks[] = {"input", "forward", "output"};
        buf_printf(b, " chain filter-%s {\n  type filter hook %s priority -110;\n  ct state new jump no-endpoints\n }\n", hooks[i], hooks[i]);
        if (i > 0) { /* what is still for a cluster IP after translation is for a port that its service does not have */
            buf_printf(b, " chain unknown-ports-%s {\n  type filter hook %s priority 0;\n", hooks[i], hooks[i]);
            buf_printf(b, "  ct state new %s daddr @cluster-ips goto reject-chain\n }\n", ip);
        }
    }
    buf_adds(b, "}\n");
}

/* ---- differences ---- */

static void drop_applied(void *value) {
    struct applied *a = value;
    arena_free(&a->arena);
    free(a);
}

static bool has_chain(const struct service_rules *r, const char *name, const char **rules) {
    for (size_t i = 0; i < r->chain_count; i++) {
        if (str_eq(r->chains[i].name, name)) return *rules = r->chains[i].rules, true;
    }
    return false;
}

static bool has_set(const struct service_rules *r, const char *name) {
    for (size_t i = 0; i < r->set_count; i++) {
        if (str_eq(r->sets[i], name)) return true;
    }
    return false;
}

static bool has_element(const struct service_rules *r, const struct rule_element *e) {
    for (size_t i = 0; i < r->element_count; i++) {
        const struct rule_element *o = &r->elements[i];
        if (str_eq(o->map, e->map) && str_eq(o->key, e->key) && str_eq(o->verdict, e->verdict)) return true;
    }
    return false;
}

/* A transaction in the making. nft wants things defined before use and unused before deletion: hence the parts. */
struct change {
    struct arena *arena;
    struct buf removed_elements, sets, chains, rules, added_elements, removed_chains, removed_sets;
};

static void element_text(struct buf *b, const char *verb, enum family f, const struct rule_element *e) {
    buf_printf(b, "%s element %s coracle %s { %s", verb, family_word(f), e->map, e->key);
    if (e->verdict != NULL && verb[0] == 'a') buf_printf(b, " : %s", e->verdict);
    buf_adds(b, " }\n");
}

static void count_element(struct table *t, struct change *c, const struct rule_element *e, int by) {
    const char *id = arena_printf(c->arena, "%s\t%s", e->map, e->key);
    intptr_t count = (intptr_t)map_get(&t->elements, id);
    if (by > 0 && count == 0) element_text(&c->added_elements, "add", t->family, e);
    if (by < 0 && count == 1) element_text(&c->removed_elements, "delete", t->family, e);
    if (count + by > 0) map_set(&t->elements, id, (void *)(count + by)); // NOLINT(performance-no-int-to-ptr)
    else map_remove(&t->elements, id);
}

static void diff(struct table *t, struct change *c, const struct service_rules *old, const struct service_rules *new) {
    const char *ip = family_word(t->family), *rules;
    for (size_t i = 0; i < old->element_count; i++) {
        if (!has_element(new, &old->elements[i])) count_element(t, c, &old->elements[i], -1);
    }
    for (size_t i = 0; i < new->set_count; i++) {
        if (!has_set(old, new->sets[i])) buf_printf(&c->sets, "add set %s coracle %s %s\n", ip, new->sets[i], new->set_definitions[i]);
    }
    for (size_t i = 0; i < new->chain_count; i++) {
        const struct rule_chain *chain = &new->chains[i];
        bool known = has_chain(old, chain->name, &rules);
        if (known && str_eq(rules, chain->rules)) continue;
        if (known) buf_printf(&c->rules, "flush chain %s coracle %s\n", ip, chain->name);
        else buf_printf(&c->chains, "add chain %s coracle %s\n", ip, chain->name);
        size_t count;
        char **lines = str_split(c->arena, chain->rules, '\n', &count);
        for (size_t l = 0; l < count; l++) {
            if (lines[l][0] != '\0') buf_printf(&c->rules, "add rule %s coracle %s %s\n", ip, chain->name, lines[l]);
        }
    }
    for (size_t i = 0; i < new->element_count; i++) {
        if (!has_element(old, &new->elements[i])) count_element(t, c, &new->elements[i], 1);
    }
    for (size_t i = 0; i < old->chain_count; i++) {
        if (!has_chain(new, old->chains[i].name, &rules)) {
            buf_printf(&c->rules, "flush chain %s coracle %s\n", ip, old->chains[i].name);
            buf_printf(&c->removed_chains, "delete chain %s coracle %s\n", ip, old->chains[i].name);
        }
    }
    for (size_t i = 0; i < old->set_count; i++) {
        if (!has_set(new, old->sets[i])) buf_printf(&c->removed_sets, "delete set %s coracle %s\n", ip, old->sets[i]);
    }
}

/* ---- UDP: connections to endpoints that are gone would live on in the connection table ---- */

static void forget_connections(const char *service_address, const char *endpoint) {
    const char *argv[] = {"conntrack", "-D", "-p", "udp", "--orig-dst", service_address, "--dst-nat", endpoint, NULL};
    int status;
    cleanup_buf struct buf said = {0};
    cleanup_error struct error *e = child_run(&(struct child){.argv = argv, .out = &said, .err = &said}, &status);
    if (e != NULL) log_warn("%s; UDP clients may keep talking to endpoints that are gone", e->message);
}

static void forget_udp(struct arena *a, const struct service_rules *old, const struct service_rules *new) {
    for (size_t i = 0; i < old->udp_count; i++) {
        bool still = false;
        for (size_t n = 0; n < new->udp_count && !still; n++) still = str_eq(old->udp_endpoints[i], new->udp_endpoints[n]);
        size_t parts;
        char **pair = str_split(a, old->udp_endpoints[i], ' ', &parts);
        if (!still) forget_connections(pair[0], pair[1]);
    }
}

/* ---- syncing ---- */

static void slices_of(struct proxy *p, const char *ns, const char *name, struct doc_list *out) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(p->config.cache, &resource_discovery_endpointslices, ns, &all);
    for (size_t i = 0; i < all.len; i++) {
        if (str_eq(object_label(all.items[i]->root, "kubernetes.io/service-name"), name)) doc_list_add(out, all.items[i]);
    }
}

static void add_hairpins(struct arena *a, struct service_rules *r, const struct doc_list *slices, const char *node, enum family f) {
    for (size_t i = 0; i < slices->len; i++) {
        JSON_EACH(e, json_get(slices->items[i]->root, "endpoints")) {
            const struct json *ip = json_at(json_get(e, "addresses"), 0);
            if (!json_is(ip, JSON_STRING) || !str_eq(json_str(e, "nodeName"), node) || (strchr(ip->s, ':') != NULL) != (f == FAMILY_IPV6)) continue;
            struct rule_element hairpin = {"hairpins", arena_printf(a, "%s . %s", ip->s, ip->s), NULL};
            if (has_element(r, &hairpin)) continue;
            r->elements = arena_grow(a, r->elements, r->element_count * sizeof(hairpin), (r->element_count + 1) * sizeof(hairpin));
            r->elements[r->element_count++] = hairpin;
        }
    }
}

/* The cluster DNS address is served by each node itself (dns.h), so it must not be translated. */
static bool served_by_node(struct proxy *p, const struct doc *service) {
    return p->config.dns_address != NULL && str_eq(json_str(service->root, "spec.clusterIP"), p->config.dns_address);
}

static struct applied *build(struct proxy *p, enum family f, const char *key) {
    struct applied *new = xcalloc(1, sizeof(*new));
    const char *ns, *name;
    key_split(&new->arena, key, &ns, &name);
    cleanup_doc struct doc *service = cache_get(p->config.cache, &resource_services, ns, name);
    if (service == NULL || served_by_node(p, service)) return new;
    if (object_label(service->root, "service.kubernetes.io/service-proxy-name") != NULL) return new;
    cleanup_doc_list struct doc_list slices = {0};
    slices_of(p, ns, name, &slices);
    struct rules_input in = {f, p->config.node_name, p->zone, p->config.cluster_cidr, service, &slices};
    service_rules_build(&new->arena, &in, &new->rules);
    if (new->rules.element_count > 0) add_hairpins(&new->arena, &new->rules, &slices, p->config.node_name, f);
    return new;
}

static void change_free(struct change *c) {
    struct buf *parts[] = {&c->removed_elements, &c->sets, &c->chains, &c->rules, &c->added_elements, &c->removed_chains, &c->removed_sets};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) buf_free(parts[i]);
}

static void change_text(const struct change *c, struct buf *out) {
    const struct buf *parts[] = {&c->removed_elements, &c->sets, &c->chains, &c->rules, &c->added_elements, &c->removed_chains, &c->removed_sets};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) buf_add(out, buf_str(parts[i]), parts[i]->len);
}

static void collect_service(struct proxy *p, struct table *t, struct change *c, const char *key) {
    static const struct service_rules nothing;
    struct applied *new = build(p, t->family, key), *old = map_get(&t->services, key);
    diff(t, c, old ? &old->rules : &nothing, &new->rules);
    if (old != NULL) forget_udp(c->arena, &old->rules, &new->rules);
    bool empty = new->rules.element_count == 0 && new->rules.chain_count == 0;
    old = empty ? map_remove(&t->services, key) : map_set(&t->services, key, new);
    if (old != NULL) drop_applied(old);
    if (empty) drop_applied(new);
}

static struct error *sync_table(struct proxy *p, struct table *t, const struct map *keys, bool afresh) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    struct change c = {.arena = &a};
    if (afresh) {
        map_free(&t->services, drop_applied);
        map_free(&t->elements, NULL);
        add_frame(p, &text, t->family);
    }
    for (struct map_slot *s = map_first(keys); s != NULL; s = map_next(keys, s)) collect_service(p, t, &c, s->key);
    change_text(&c, &text);
    change_free(&c);
    return text.len == 0 ? NULL : nft_run(p->nft, text.data);
}

static void add_all_services(struct proxy *p, struct map *keys) {
    cleanup_arena struct arena a = {0};
    cleanup_doc_list struct doc_list all = {0};
    cache_list(p->config.cache, &resource_services, NULL, &all);
    for (size_t i = 0; i < all.len; i++) map_set(keys, key_of(&a, all.items[i]), p);
}

static struct work_result proxy_sync(const char *key UNUSED, void *arg) {
    struct proxy *p = arg;
    pthread_mutex_lock(&p->lock);
    struct map keys = p->dirty;
    bool afresh = p->all_dirty;
    p->dirty = (struct map){0};
    p->all_dirty = false;
    pthread_mutex_unlock(&p->lock);
    cleanup_doc struct doc *node = cache_get(p->config.cache, &resource_nodes, NULL, p->config.node_name);
    p->zone = node ? object_label(node->root, "topology.kubernetes.io/zone") : NULL;
    if (afresh) add_all_services(p, &keys);
    struct error *e = NULL;
    for (size_t i = 0; i < ARRAY_LEN(p->tables) && e == NULL; i++) e = sync_table(p, &p->tables[i], &keys, afresh);
    map_free(&keys, NULL);
    p->zone = NULL;
    if (e != NULL) {
        pthread_mutex_lock(&p->lock);
        p->all_dirty = true;
        pthread_mutex_unlock(&p->lock);
    }
    return (struct work_result){.error = e};
}

/* ---- what happens in the cluster ---- */

static void mark(struct proxy *p, const char *ns, const char *name) {
    char *key = xprintf("%s/%s", ns, name);
    pthread_mutex_lock(&p->lock);
    map_set(&p->dirty, key, p);
    pthread_mutex_unlock(&p->lock);
    free(key);
    workqueue_add(p->queue, "sync");
}

static void on_service(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    const struct doc *d = after ? after : before;
    mark(arg, doc_namespace(d), doc_name(d));
}

static void on_slice(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    const struct doc *both[] = {before, after};
    for (size_t i = 0; i < 2; i++) {
        const char *service = both[i] ? object_label(both[i]->root, "kubernetes.io/service-name") : NULL;
        if (service != NULL) mark(arg, doc_namespace(both[i]), service);
    }
}

struct error *proxy_start(const struct network_config *c, struct proxy **out) {
    struct proxy *p = xcalloc(1, sizeof(*p));
    p->config = *c;
    p->all_dirty = true;
    p->tables[1].family = FAMILY_IPV6;
    struct error *e = nft_open(&p->nft);
    if (e != NULL) return free(p), e;
    pthread_mutex_init(&p->lock, NULL);
    p->queue = workqueue_new(&(struct workqueue_config){.name = "proxy", .threads = 1, .run = proxy_sync, .arg = p, .backoff_base = MSECONDS(100), .backoff_max = SECONDS(30)});
    workqueue_add(p->queue, "sync");
    p->subscriptions[0] = cache_subscribe(c->cache, &resource_services, on_service, p);
    p->subscriptions[1] = cache_subscribe(c->cache, &resource_discovery_endpointslices, on_slice, p);
    *out = p;
    return NULL;
}

void proxy_stop(struct proxy *p) {
    if (p == NULL) return;
    for (size_t i = 0; i < ARRAY_LEN(p->subscriptions); i++) {
        if (p->subscriptions[i] != NULL) cache_unsubscribe(p->subscriptions[i]);
    }
    workqueue_close(p->queue);
    for (size_t i = 0; i < ARRAY_LEN(p->tables); i++) {
        map_free(&p->tables[i].services, drop_applied);
        map_free(&p->tables[i].elements, NULL);
    }
    map_free(&p->dirty, NULL);
    nft_close(p->nft);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct error *proxy_remove_all(void) {
    struct nft *n;
    TRY(nft_open(&n));
    struct error *e = nft_run(n, "add table ip coracle\ndelete table ip coracle\nadd table ip6 coracle\ndelete table ip6 coracle\n");
    nft_close(n);
    return e;
}
