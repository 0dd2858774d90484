/* Cluster addresses and node ports of services (pkg/registry/core/service). An address is taken by its IPAddress object,
 * committed together with the service, so the store itself keeps it unique; node ports are found in the services. */
#include "apiserver/allocator.h"
#include "schema/ip.h"

struct allocator {
    pthread_mutex_t lock;    /* of ports: between choosing and committing */
    struct map ports;        /* "TCP:30000" -> service key, made from the services when they change */
    struct tracker *tracker;
    struct apiserver *server;
};

struct allocator *allocator_new(struct apiserver *s) {
    struct allocator *al = xcalloc(1, sizeof(*al));
    pthread_mutex_init(&al->lock, NULL);
    al->server = s;
    struct store_table *tables[] = {table_of(s, &resource_services)};
    al->tracker = tracker_new(s->store, tables, 1);
    return al;
}

void allocator_free(struct allocator *al) {
    if (al == NULL) return;
    tracker_free(al->tracker);
    map_free(&al->ports, free);
    pthread_mutex_destroy(&al->lock);
    free(al);
}

/* ---- addresses ---- */

struct range {
    struct ip base;
    int bits;     /* of the prefix, counted in 128 */
    bool v6;
};

static bool range_parse(const char *cidr, struct range *out) {
    struct ip ip;
    int bits;
    bool zeros;
    if (!cidr_parse(cidr, &ip, &bits, &zeros)) return false;
    out->v6 = strchr(cidr, ':') != NULL;
    out->base = ip_masked(&ip, bits);
    out->bits = out->v6 ? bits : bits + 96;
    return true;
}

static bool in_range(const struct range *r, const struct ip *ip) {
    for (int i = 0; i < r->bits; i++) {
        int mask = 0x80 >> (i % 8);
        if ((r->base.bytes[i / 8] & mask) != (ip->bytes[i / 8] & mask)) return false;
    }
    return true;
}

/* The ranges that are usable now: ServiceCIDR objects that are not being deleted. */
struct ranges {
    struct range items[32];
    size_t len;
};

static bool add_range(struct doc *d, void *arg) {
    struct ranges *r = arg;
    if (json_get(d->root, "metadata.deletionTimestamp")) return true;
    JSON_EACH(c, json_get(d->root, "spec.cidrs")) {
        if (r->len < ARRAY_LEN(r->items) && range_parse(json_str_or(c, NULL, ""), &r->items[r->len])) r->len++;
    }
    return true;
}

static const struct json *address_object(struct change *c, const char *ip, bool v6) {
    struct arena *a = c->r->arena;
    char uid[37];
    uuid_v4(uid);
    return json_make(a, "{'kind':'IPAddress','apiVersion':'networking.k8s.io/v1','metadata':{'name':%s,'uid':%s,'creationTimestamp':%s,'labels':{'ipaddress.kubernetes.io/ip-family':%s,'ipaddress.kubernetes.io/managed-by':'ipallocator.k8s.io'}},'spec':{'parentRef':{'resource':'services','namespace':%s,'name':%s}}}",
                     ip, uid, time_now(a, c->r), v6 ? "IPv6" : "IPv4", c->ns, c->name);
}

static bool taken(struct change *c, const char *ip) {
    cleanup_doc struct doc *d = store_get_head(c->r->server->store, table_of(c->r->server, &resource_networking_ipaddresses), ip);
    return d != NULL;
}

static void take(struct change *c, const char *ip, bool v6) {
    change_add_op(c, table_of(c->r->server, &resource_networking_ipaddresses), ip, doc_new(address_object(c, ip, v6)), 0);
}

static const char *random_address(struct arena *a, const struct range *r) {
    struct ip ip = r->base;
    uint8_t noise[16];
    char text[IP_TEXT_MAX];
    random_bytes(noise, sizeof(noise));
    int first = r->v6 && r->bits < 112 ? 112 : r->bits; /* a large range: its first 64k suffice */
    for (int i = first; i < 128; i++) ip.bytes[i / 8] |= (uint8_t)(noise[i / 8] & (0x80 >> (i % 8)));
    return arena_strdup(a, ip_format(text, &ip));
}

static bool usable(const struct range *r, const char *text) {
    struct ip ip;
    char base[IP_TEXT_MAX];
    if (!ip_parse(text, &ip) || strcmp(ip_format(base, &r->base), text) == 0) return false;
    if (r->v6) return true;
    int host = 128 - r->bits;
    uint32_t low = (uint32_t)ip.bytes[12] << 24 | (uint32_t)ip.bytes[13] << 16 | (uint32_t)ip.bytes[14] << 8 | ip.bytes[15];
    uint32_t mask = host >= 32 ? UINT32_MAX : (1u << host) - 1;
    return host <= 1 || (low & mask) != mask; /* not the broadcast address */
}

struct error *allocate_address(struct change *c, bool v6, const char **out) {
    struct ranges ranges = {0};
    registry_each(c->r->server, &resource_networking_servicecidrs, NULL, add_range, &ranges);
    for (int attempt = 0; attempt < 4096; attempt++) {
        for (size_t i = 0; i < ranges.len; i++) {
            if (ranges.items[i].v6 != v6) continue;
            const char *ip = random_address(c->r->arena, &ranges.items[i]);
            if (!usable(&ranges.items[i], ip) || taken(c, ip)) continue;
            if (!c->dry_run) take(c, ip, v6);
            *out = ip;
            return NULL;
        }
    }
    return status_internal("failed to allocate a serviceIP: range is full");
}

/* What a dry run says of an address that is in no range: upstream asks the first range of the family alone then. */
static const char *first_range(const struct change *c, bool v6) {
    for (const char *const *cidr = c->r->server->config.service_cidrs; *cidr; cidr++)
        if ((strchr(*cidr, ':') != NULL) == v6) return *cidr;
    return "";
}

struct error *claim_address(struct change *c, const char *text, struct field_errors *e, const struct field_path *p) {
    struct ranges ranges = {0};
    struct ip ip;
    bool inside = false;
    if (!ip_parse(text, &ip)) return NULL;
    bool v6 = !ip_is_v4(&ip);
    registry_each(c->r->server, &resource_networking_servicecidrs, NULL, add_range, &ranges);
    for (size_t i = 0; i < ranges.len; i++) {
        const struct range *r = &ranges.items[i];
        inside |= r->v6 == v6 && in_range(r, &ip) && usable(r, text);
    }
    const struct json *list = json_make(c->r->arena, "[%s]", text);
    if (!inside && c->dry_run)
        field_invalid(e, p, list, "failed to allocate IP %s: the provided IP (%s) is not in the valid range. The range of valid IPs is %s", text, text, first_range(c, v6));
    else if (!inside) field_invalid(e, p, list, "failed to allocate IP %s: the provided network does not match the current range", text);
    else if (c->dry_run) return NULL; /* whether it is free may change at any time */
    else if (taken(c, text)) field_invalid(e, p, list, "failed to allocate IP %s: provided IP is already allocated", text);
    else take(c, text, v6);
    return NULL;
}

void release_address(struct change *c, const char *ip) {
    struct store_table *t = table_of(c->r->server, &resource_networking_ipaddresses);
    cleanup_doc struct doc *d = store_get_head(c->r->server->store, t, ip);
    if (d && json_str_is(d->root, "spec.parentRef.name", c->name) && json_str_is(d->root, "spec.parentRef.namespace", c->ns))
        change_add_op(c, t, ip, NULL, d->revision);
}

/* ---- node ports ---- */

static void remember(struct allocator *al, const char *protocol, int64_t port, const char *key) {
    char name[32];
    if (port <= 0) return;
    snprintf(name, sizeof(name), "%s:%ld", protocol, (long)port);
    free(map_set(&al->ports, name, xstrdup(key)));
}

static bool note_ports(struct doc *d, void *arg) {
    struct allocator *al = arg;
    char key[600];
    snprintf(key, sizeof(key), "%s/%s", doc_namespace(d), doc_name(d));
    JSON_EACH(p, json_get(d->root, "spec.ports")) remember(al, json_str_or(p, "protocol", "TCP"), json_int(p, "nodePort", 0), key);
    remember(al, "TCP", json_int(d->root, "spec.healthCheckNodePort", 0), key);
    return true;
}

static const char *port_owner(struct allocator *al, const char *protocol, int64_t port) {
    char name[32];
    if (tracker_changed(al->tracker)) {
        map_free(&al->ports, free);
        al->ports = (struct map){0};
        registry_each(al->server, &resource_services, NULL, note_ports, al);
    }
    snprintf(name, sizeof(name), "%s:%ld", protocol, (long)port);
    return map_get(&al->ports, name);
}

bool node_port_claim(struct change *c, const char *protocol, int64_t port) {
    struct allocator *al = c->r->server->allocator;
    const char *key = arena_printf(c->r->arena, "%s/%s", c->ns, c->name);
    pthread_mutex_lock(&al->lock);
    const char *owner = port_owner(al, protocol, port);
    bool ok = owner == NULL || strcmp(owner, key) == 0;
    if (ok && !c->dry_run) remember(al, protocol, port, key);
    pthread_mutex_unlock(&al->lock);
    return ok;
}

int64_t node_port_choose(struct change *c, const char *protocol) {
    const struct apiserver_config *cfg = &c->r->server->config;
    int64_t size = cfg->node_port_last - cfg->node_port_first + 1;
    uint32_t r;
    random_bytes(&r, sizeof(r));
    for (int64_t i = 0; i < size; i++) {
        int64_t port = cfg->node_port_first + (r + i) % size;
        struct allocator *al = c->r->server->allocator;
        pthread_mutex_lock(&al->lock);
        bool free_port = port_owner(al, protocol, port) == NULL;
        pthread_mutex_unlock(&al->lock);
        if (free_port && node_port_claim(c, protocol, port)) return port;
    }
    return 0;
}
