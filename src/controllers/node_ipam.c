/* node-ipam-controller: every node gets a part of the pods' address range that no other node has. Which parts are taken is
 * kept from one node to the next: read once from all nodes, then kept by what becomes of them. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/controllers.h"
#include "schema/ip.h"
#include <pthread.h>

enum { V4_BITS = 24, V6_BITS = 64, FAMILIES = 2 };

struct range {
    const char *text;
    struct ip network;
    int bits, node_bits;   /* from the start of the written form */
    uint8_t *used;         /* of each part */
    uint32_t count, first; /* parts; none below `first` is free */
};

struct ipam {
    pthread_mutex_t lock;
    struct arena arena;
    struct range ranges[FAMILIES];
    size_t range_count;
    const char *bad_range; /* the one that cannot be read; NULL: none */
    bool loaded;           /* the nodes that were there are counted */
};

static bool range_parse(const struct controllers_config *c, const char *text, struct range *out) {
    bool zeros;
    *out = (struct range){.text = text};
    if (!cidr_parse(text, &out->network, &out->bits, &zeros)) return false;
    out->network = ip_masked(&out->network, out->bits);
    int wanted = out->network.v6 ? V6_BITS : c->node_cidr_bits ? c->node_cidr_bits : V4_BITS;
    out->node_bits = MAX(wanted, out->bits);
    out->node_bits = MIN(out->node_bits, out->bits + 16); /* 65536 nodes are enough */
    out->count = UINT32_C(1) << (out->node_bits - out->bits);
    return true;
}

/* The `n`th part of the range. */
static struct ip part(const struct range *r, uint32_t n) {
    struct ip ip = r->network;
    int end = (r->network.v6 ? 0 : 96) + r->node_bits; /* in 16 bytes */
    for (int bit = end - 1; n; bit--, n >>= 1) {
        if (n & 1) ip.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
    }
    return ip;
}

/* Takes or gives back the parts that a node's address range covers. */
static void mark(struct range *r, const char *cidr, bool used) {
    struct ip ip;
    int bits, start = r->network.v6 ? 0 : 96;
    bool zeros;
    if (!cidr_parse(cidr, &ip, &bits, &zeros) || ip.v6 != r->network.v6 || !cidr_contains(&r->network, r->bits, &ip)) return;
    uint32_t n = 0, covered = bits < r->node_bits ? UINT32_C(1) << (r->node_bits - MAX(bits, r->bits)) : 1;
    for (int bit = start + r->bits; bit < start + r->node_bits; bit++) n = n << 1 | (ip.bytes[bit / 8] >> (7 - bit % 8) & 1);
    n &= ~(covered - 1);
    memset(r->used + n, used, covered);
    if (!used) r->first = MIN(r->first, n);
}

static void mark_all(struct ipam *m, const struct json *cidrs, bool used) {
    JSON_EACH(cidr, cidrs)
        for (size_t i = 0; i < m->range_count; i++) mark(&m->ranges[i], json_str_or(cidr, NULL, ""), used);
}

/* Takes the lowest free part; NULL if there is none. */
static const char *take_part(struct arena *a, struct range *r) {
    while (r->first < r->count && r->used[r->first]) r->first++;
    if (r->first == r->count) return NULL;
    struct ip ip = part(r, r->first);
    r->used[r->first++] = 1;
    return cidr_format(arena_alloc(a, IP_TEXT_MAX), &ip, r->node_bits);
}

static void load(struct runner *r, struct ipam *m) {
    cleanup_doc_list struct doc_list nodes = {0};
    if (m->loaded) return;
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) mark_all(m, json_get(nodes.items[i]->root, "spec.podCIDRs"), true);
    m->loaded = true;
}

/* A part of every range; `full` names the one that has none left. */
static const struct json *take(struct runner *r, struct arena *a, const char **full) {
    struct ipam *m = r->state;
    struct json_array cidrs = {.arena = a};
    pthread_mutex_lock(&m->lock);
    load(r, m);
    for (size_t i = 0; i < m->range_count && !*full; i++) {
        const char *cidr = take_part(a, &m->ranges[i]);
        if (cidr) json_array_add(&cidrs, json_string(a, cidr));
        else *full = m->ranges[i].text;
    }
    const struct json *list = json_array_done(&cidrs);
    if (*full) mark_all(m, list, false);
    pthread_mutex_unlock(&m->lock);
    return list;
}

static void give_back(struct ipam *m, const struct json *cidrs) {
    pthread_mutex_lock(&m->lock);
    mark_all(m, cidrs, false);
    pthread_mutex_unlock(&m->lock);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    struct ipam *m = r->state;
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, name);
    if (!node || m->range_count == 0 || json_len(json_get(node->root, "spec.podCIDRs")) > 0) return WORK_DONE;
    if (m->bad_range) return work_error(error_new("--cluster-cidr: %s is no address range", m->bad_range));
    const char *full = NULL;
    const struct json *list = take(r, a, &full);
    if (full) {
        recorder_event(r->events, node->root, "Normal", "CIDRNotAvailable", "Node %s status is now: CIDRNotAvailable", name);
        return work_error(error_new("failed to allocate cidr from cluster cidr %s: CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range", full));
    }
    const struct json *patch = json_make(a, "{'spec':{'podCIDR':%v,'podCIDRs':%v}}", json_at(list, 0), list);
    struct error *e = client_patch(r->client, &resource_nodes, NULL, name, NULL, PATCH_STRATEGIC, patch, NULL);
    if (e) give_back(m, list);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static void node_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    struct ipam *m = r->state;
    const struct json *had = before ? json_get(before->root, "spec.podCIDRs") : NULL, *has = after ? json_get(after->root, "spec.podCIDRs") : NULL;
    if (json_len(had) > 0 && !after) give_back(m, had);
    if (after && json_len(has) == 0) runner_add_object(r, after);
    if (json_len(has) == 0 || json_len(had) > 0) return;
    pthread_mutex_lock(&m->lock);
    mark_all(m, has, true); /* also what somebody else gave */
    pthread_mutex_unlock(&m->lock);
}

static void start(struct runner *r) {
    const struct controllers_config *config = r->config;
    struct ipam *m = r->state = xcalloc(1, sizeof(*m));
    pthread_mutex_init(&m->lock, NULL);
    if (!config->cluster_cidr) return;
    for (char **text = str_split(&m->arena, config->cluster_cidr, ',', NULL); *text && m->range_count < FAMILIES; text++) {
        struct range *range = &m->ranges[m->range_count++];
        if (!range_parse(config, *text, range)) m->bad_range = *text;
        else range->used = arena_calloc(&m->arena, range->count, 1);
    }
}

static void stop(struct runner *r) {
    struct ipam *m = r->state;
    pthread_mutex_destroy(&m->lock);
    arena_free(&m->arena);
    free(m);
}

/* One thread: parts are given out one after the other. */
static const struct controller_source sources[] = {{.resource = &resource_nodes, .keys = node_changed}, {0}};
const struct controller node_ipam_controller = {"node-ipam-controller", .component = "cidrAllocator", .threads = 1, .sources = sources, .reconcile = reconcile,
                                                .start = start, .stop = stop};
