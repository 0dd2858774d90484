/* ttl-controller: tells node agents by an annotation how long they may use a cached secret: longer in large clusters. */
#include "base/str.h"
#include "controllers/all.h"

#define ANNOTATION "node.alpha.kubernetes.io/ttl"

/* Steps overlap, so that a cluster at the edge of two does not swing between them. */
static const struct { size_t min, max; int ttl; } steps[] = {{0, 100, 0}, {90, 500, 15}, {450, 1000, 30}, {900, 2000, 60}, {1800, SIZE_MAX, 300}};

static const char *wanted_ttl(struct runner *r, struct arena *a, const struct json *node) {
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    const char *present = object_annotation(node, ANNOTATION);
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(steps) && !str_eq(present, arena_printf(a, "%d", steps[i].ttl))) i++;
    if (!present || !str_eq(present, arena_printf(a, "%d", steps[i].ttl))) i = 0;
    while (nodes.len > steps[i].max) i++;
    while (nodes.len < steps[i].min) i--;
    return arena_printf(a, "%d", steps[i].ttl);
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, name);
    const char *ttl = node ? wanted_ttl(r, a, node->root) : NULL;
    if (!node || str_eq(object_annotation(node->root, ANNOTATION), ttl)) return WORK_DONE;
    const struct json *annotations = json_with_member(a, NULL, ANNOTATION, json_string(a, ttl));
    struct error *e = client_patch(r->client, &resource_nodes, NULL, name, NULL, PATCH_STRATEGIC, json_make(a, "{'metadata':{'annotations':%v}}", annotations), NULL);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

/* Heartbeats change nothing; a node more or less may change all. */
static void node_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (before && after && str_eq(object_annotation(before->root, ANNOTATION), object_annotation(after->root, ANNOTATION))) return;
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    bool edge = false;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) edge = edge || nodes.len == steps[i].max + 1 || nodes.len + 1 == steps[i].min;
    for (size_t i = 0; edge && i < nodes.len; i++) runner_add_object(r, nodes.items[i]);
    if (!edge && after) runner_add_object(r, after);
}

static const struct controller_source sources[] = {{.resource = &resource_nodes, .keys = node_changed}, {0}};
const struct controller ttl_controller = {"ttl-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
