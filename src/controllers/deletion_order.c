/* Which pods a controller deletes first (upstream's ActivePodsWithRanks). */
#include "base/str.h"
#include "controllers/workload.h"
#include <math.h>

struct candidate {
    struct doc *doc;
    const char *node;
    int phase, rank;
    bool ready;
    int64_t cost, ready_since, restarts, sidecar_restarts, created, now;
};

static int phase_order(const struct json *pod) {
    const char *phase = json_str_or(pod, "status.phase", "");
    return str_eq(phase, "Running") ? 2 : str_eq(phase, "Unknown");
}

static int64_t most_restarts(const struct json *statuses, const struct json *specs) {
    int64_t most = 0;
    JSON_EACH(s, statuses) {
        bool counted = specs == NULL;
        JSON_EACH(c, specs) counted = counted || (str_eq(json_str(c, "name"), json_str(s, "name")) && json_str_is(c, "restartPolicy", "Always"));
        if (counted) most = MAX(most, json_int(s, "restartCount", 0));
    }
    return most;
}

static struct candidate candidate_of(struct doc *d, int rank, int64_t now) {
    const struct json *pod = d->root;
    struct candidate c = {.doc = d, .node = json_str_or(pod, "spec.nodeName", ""), .phase = phase_order(pod), .rank = rank,
                          .ready = pod_is_ready(pod), .created = object_created(pod), .now = now};
    const char *cost = object_annotation(pod, "controller.kubernetes.io/pod-deletion-cost");
    if (!cost || !str_to_int64(cost, &c.cost)) c.cost = 0;
    if (c.ready) c.ready_since = object_time(condition_find(pod, "Ready"), "lastTransitionTime");
    c.restarts = most_restarts(json_get(pod, "status.containerStatuses"), NULL);
    c.sidecar_restarts = most_restarts(json_get(pod, "status.initContainerStatuses"), json_get(pod, "spec.initContainers"));
    return c;
}

/* Ages within a power of two count as equal, so that scaling down spreads over ages. */
static int younger_first(const struct candidate *a, const struct candidate *b, int64_t ta, int64_t tb) {
    if (ta == 0 || tb == 0) return ta == tb ? 0 : ta == 0 ? -1 : 1;
    int ra = a->now > ta ? (int)log2((double)(a->now - ta)) : -1, rb = b->now > tb ? (int)log2((double)(b->now - tb)) : -1;
    return ra != rb ? ra - rb : strcmp(doc_uid(a->doc), doc_uid(b->doc));
}

static int order(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

static int compare_candidates(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    if (!*a->node != !*b->node) return *a->node ? 1 : -1;
    if (a->phase != b->phase) return order(a->phase, b->phase);
    if (a->ready != b->ready) return a->ready ? 1 : -1;
    if (a->cost != b->cost) return order(a->cost, b->cost);
    if (a->rank != b->rank) return order(b->rank, a->rank);
    if (a->ready && a->ready_since != b->ready_since) return younger_first(a, b, a->ready_since, b->ready_since);
    if (a->restarts != b->restarts) return order(b->restarts, a->restarts);
    if (a->sidecar_restarts != b->sidecar_restarts) return order(b->sidecar_restarts, a->sidecar_restarts);
    return a->created != b->created ? younger_first(a, b, a->created, b->created) : 0;
}

void workload_sort_for_deletion(struct doc **pods, size_t count, const struct map *ranks, int64_t now) {
    struct candidate *all = xcalloc(count + 1, sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        const char *node = json_str_or(pods[i]->root, "spec.nodeName", "");
        all[i] = candidate_of(pods[i], ranks ? (int)(uintptr_t)map_get(ranks, node) : 0, now);
    }
    qsort(all, count, sizeof(*all), compare_candidates);
    for (size_t i = 0; i < count; i++) pods[i] = all[i].doc;
    free(all);
}
