/* Plugins about amounts: NodeResourcesFit, NodeResourcesBalancedAllocation, ImageLocality. */
#include "base/str.h"
#include "scheduler/plugins.h"
#include <math.h>

/* ---- fit ---- */

/* Removing pods cannot help where the request is more than the whole node. */
static void insufficient(struct cycle *c, struct node_result *r, const char *name, int64_t request, int64_t allocatable, int64_t used, enum verdict *v) {
    if (request == 0 || request <= allocatable - used) return;
    node_refuse(r, UNSCHEDULABLE, arena_printf(&c->arena, "Insufficient %s", name));
    if (request > allocatable) *v = UNRESOLVABLE;
    else if (*v == FITS) *v = UNSCHEDULABLE;
}

static enum verdict filter_fit(struct cycle *c, size_t self UNUSED, struct node_result *r) {
    const struct node_info *n = r->node;
    const struct resources *want = &c->pod->requests;
    enum verdict v = FITS;
    if (n->pod_count >= n->max_pods) {
        node_refuse(r, UNSCHEDULABLE, "Too many pods");
        v = UNSCHEDULABLE;
    }
    insufficient(c, r, "cpu", want->cpu, n->allocatable.cpu, n->requested.cpu, &v);
    insufficient(c, r, "memory", want->memory, n->allocatable.memory, n->requested.memory, &v);
    insufficient(c, r, "ephemeral-storage", want->storage, n->allocatable.storage, n->requested.storage, &v);
    for (size_t i = 0; i < want->scalar_count; i++) {
        const char *name = want->scalars[i].name;
        insufficient(c, r, name, want->scalars[i].value, resources_scalar(&n->allocatable, name), resources_scalar(&n->requested, name), &v);
    }
    return r->verdict = v;
}

/* LeastAllocated over cpu and memory, one weight each. */
static int64_t least(int64_t allocatable, int64_t used) { return allocatable == 0 || used > allocatable ? 0 : (allocatable - used) * 100 / allocatable; }

static int64_t score_fit(struct cycle *c, size_t self UNUSED, struct node_info *n) {
    int64_t parts = 0, sum = 0;
    if (n->allocatable.cpu > 0) parts++, sum += least(n->allocatable.cpu, n->nonzero_cpu + c->pod->nonzero_cpu);
    if (n->allocatable.memory > 0) parts++, sum += least(n->allocatable.memory, n->nonzero_memory + c->pod->nonzero_memory);
    return parts ? sum / parts : 0;
}
const struct plugin plugin_node_resources_fit = {.name = "NodeResourcesFit", .filter = filter_fit, .score = score_fit, .weight = 1};

/* ---- balance: how far the fractions in use are apart ---- */

static double fraction(int64_t allocatable, int64_t used) { return allocatable == 0 ? 1 : MIN(1, (double)used / (double)allocatable); }

static bool prescore_balance(struct cycle *c, size_t self UNUSED) { return c->pod->requests.cpu + c->pod->requests.memory > 0; }

static int64_t score_balance(struct cycle *c, size_t self UNUSED, struct node_info *n) {
    double cpu = fraction(n->allocatable.cpu, n->requested.cpu + c->pod->requests.cpu);
    double memory = fraction(n->allocatable.memory, n->requested.memory + c->pod->requests.memory);
    return (int64_t)((1 - fabs(cpu - memory) / 2) * 100);
}
const struct plugin plugin_balanced_allocation = {
    .name = "NodeResourcesBalancedAllocation", .prescore = prescore_balance, .score = score_balance, .weight = 1};

/* ---- images that are there already ---- */

#define MIB (INT64_C(1) << 20)

/* "web" is "docker.io/library/web:latest" in a node's list, but the name that the pod used is listed too. */
static const char *with_tag(struct arena *a, const char *image) {
    const char *slash = strrchr(image, '/');
    return strchr(slash ? slash : image, ':') || strchr(image, '@') ? image : arena_printf(a, "%s:latest", image);
}

struct images {
    size_t len, containers; /* containers with images that some node has; all of them */
    struct { const char *name; int64_t nodes; } items[];
};

static bool prescore_images(struct cycle *c, size_t self) {
    const struct json *lists[] = {json_member(c->pod->spec, "initContainers"), json_member(c->pod->spec, "containers")};
    struct images *images = arena_calloc(&c->arena, 1, sizeof(*images) + (json_len(lists[0]) + json_len(lists[1])) * sizeof(images->items[0]));
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        JSON_EACH(container, lists[l]) {
            const char *name = with_tag(&c->arena, json_str_or(container, "image", ""));
            int64_t nodes = (intptr_t)map_get(&c->state->images, name);
            images->containers++;
            if (nodes == 0) continue;
            images->items[images->len].name = name;
            images->items[images->len++].nodes = nodes;
        }
    }
    c->data[self] = images;
    return images->len > 0;
}

static int64_t score_images(struct cycle *c, size_t self, struct node_info *n) {
    const struct images *images = c->data[self];
    int64_t sum = 0;
    for (size_t i = 0; i < images->len; i++) {
        int64_t size = (int64_t)(intptr_t)map_get(&n->images, images->items[i].name);
        sum += (int64_t)((double)size * ((double)images->items[i].nodes / (double)c->count));
    }
    int64_t least_size = 23 * MIB, most = (int64_t)images->containers * 1000 * MIB;
    sum = MAX(least_size, MIN(sum, most));
    return 100 * (sum - least_size) / (most - least_size);
}
const struct plugin plugin_image_locality = {.name = "ImageLocality", .prescore = prescore_images, .score = score_images, .weight = 1};
