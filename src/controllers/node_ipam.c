/* node-ipam-controller: every node gets a part of the pods' address range that no other node has. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/controllers.h"
#include "schema/ip.h"

enum { V4_BITS = 24, V6_BITS = 64 };

struct range {
    struct ip network;
    int bits, node_bits; /* from the start of the written form */
};

static bool range_parse(const struct controllers_config *c, const char *text, struct range *out) {
    bool zeros;
    if (!cidr_parse(text, &out->network, &out->bits, &zeros)) return false;
    out->network = ip_masked(&out->network, out->bits);
    int wanted = out->network.v6 ? V6_BITS : c->node_cidr_bits ? c->node_cidr_bits : V4_BITS;
    out->node_bits = MAX(wanted, out->bits);
    out->node_bits = MIN(out->node_bits, out->bits + 16); /* 65536 nodes are enough */
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

/* Marks the parts that a node's address range covers. */
static void mark(const struct range *r, uint8_t *used, const char *cidr) {
    struct ip ip;
    int bits, start = r->network.v6 ? 0 : 96;
    bool zeros;
    if (!cidr_parse(cidr, &ip, &bits, &zeros) || ip.v6 != r->network.v6 || !cidr_contains(&r->network, r->bits, &ip)) return;
    uint32_t first = 0, count = bits < r->node_bits ? UINT32_C(1) << (r->node_bits - MAX(bits, r->bits)) : 1;
    for (int bit = start + r->bits; bit < start + r->node_bits; bit++) first = first << 1 | (ip.bytes[bit / 8] >> (7 - bit % 8) & 1);
    memset(used + (first & ~(count - 1)), 1, count);
}

static const char *free_part(struct arena *a, const struct range *r, const struct doc_list *nodes) {
    uint32_t count = UINT32_C(1) << (r->node_bits - r->bits), n = 0;
    uint8_t *used = arena_calloc(a, count, 1);
    for (size_t i = 0; i < nodes->len; i++) {
        JSON_EACH(cidr, json_get(nodes->items[i]->root, "spec.podCIDRs")) mark(r, used, json_str_or(cidr, NULL, ""));
    }
    while (n < count && used[n]) n++;
    if (n == count) return NULL;
    struct ip ip = part(r, n);
    return cidr_format(arena_alloc(a, IP_TEXT_MAX), &ip, r->node_bits);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    const struct controllers_config *config = r->config;
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, name);
    if (!node || !config->cluster_cidr || json_len(json_get(node->root, "spec.podCIDRs")) > 0) return WORK_DONE;
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    struct json_array cidrs = {.arena = a};
    for (char **text = str_split(a, config->cluster_cidr, ',', NULL); *text; text++) {
        struct range range;
        if (!range_parse(config, *text, &range)) return work_error(error_new("--cluster-cidr: %s is no address range", *text));
        const char *cidr = free_part(a, &range, &nodes);
        if (cidr) {
            json_array_add(&cidrs, json_string(a, cidr));
            continue;
        }
        recorder_event(r->events, node->root, "Normal", "CIDRNotAvailable", "Node %s status is now: CIDRNotAvailable", name);
        return work_error(error_new("failed to allocate cidr from cluster cidr %s: CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range", *text));
    }
    const struct json *list = json_array_done(&cidrs);
    const struct json *patch = json_make(a, "{'spec':{'podCIDR':%v,'podCIDRs':%v}}", json_at(list, 0), list);
    struct error *e = client_patch(r->client, &resource_nodes, NULL, name, NULL, PATCH_STRATEGIC, patch, NULL);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static void node_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after) {
    if (after && json_len(json_get(after->root, "spec.podCIDRs")) == 0) runner_add_object(r, after);
}

/* One thread: parts are given out one after the other. */
static const struct controller_source sources[] = {{.resource = &resource_nodes, .keys = node_changed}, {0}};
const struct controller node_ipam_controller = {"node-ipam-controller", .component = "cidrAllocator", .threads = 1, .sources = sources, .reconcile = reconcile};
