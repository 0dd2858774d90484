/* ttl-controller: tells node agents by an annotation how long they may use a cached secret: longer in large clusters. */
#include "base/str.h"
#include "controllers/all.h"
#include <stdatomic.h>
#include <stdio.h>

#define ANNOTATION "node.alpha.kubernetes.io/ttl"

/* Steps overlap, so that a cluster at the edge of two does not swing between them. */
static const struct { size_t min, max; int ttl; } steps[] = {{0, 100, 0}, {90, 500, 15}, {450, 1000, 30}, {900, 2000, 60}, {1800, SIZE_MAX, 300}};

struct ttl {
    size_t nodes;        /* cache's thread */
    _Atomic size_t step; /* where the cluster is in the table */
};

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    const struct ttl *t = r->state;
    cleanup_doc struct doc *node = cache_get(r->cache, &resource_nodes, NULL, name);
    const char *ttl = arena_printf(a, "%d", steps[atomic_load(&t->step)].ttl);
    if (!node || str_eq(object_annotation(node->root, ANNOTATION), ttl)) return WORK_DONE;
    const struct json *annotations = json_with_member(a, NULL, ANNOTATION, json_string(a, ttl));
    struct error *e = client_patch(r->client, &resource_nodes, NULL, name, NULL, PATCH_STRATEGIC, json_make(a, "{'metadata':{'annotations':%v}}", annotations), NULL);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

/* True when the number of nodes has moved the cluster to another step. */
static bool count(struct ttl *t, bool more) {
    size_t present = atomic_load(&t->step), step = present;
    t->nodes += more ? 1 : (size_t)-1;
    while (t->nodes > steps[step].max) step++;
    while (t->nodes < steps[step].min) step--;
    atomic_store(&t->step, step);
    return step != present;
}

/* Heartbeats change nothing; only at the edge of a step does a node more or less concern the others. */
static void node_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (before && after && str_eq(object_annotation(before->root, ANNOTATION), object_annotation(after->root, ANNOTATION))) return;
    if (after) runner_add_object(r, after);
    if ((before && after) || !count(r->state, after != NULL)) return;
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(r->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) runner_add_object(r, nodes.items[i]);
}

static void start(struct runner *r) { r->state = xcalloc(1, sizeof(struct ttl)); }
static void stop(struct runner *r) { free(r->state); }

static const struct controller_source sources[] = {{.resource = &resource_nodes, .keys = node_changed}, {0}};
const struct controller ttl_controller = {"ttl-controller", .threads = 1, .sources = sources, .reconcile = reconcile, .start = start, .stop = stop};
