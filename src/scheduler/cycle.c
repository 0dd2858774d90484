/* See cycle.h. */
#include "scheduler/cycle.h"
#include "base/str.h"
#include <stdio.h>

/* ---- nominations ---- */

static void nomination_drop(void *value) {
    struct nomination *n = value;
    pod_info_free(n->pod);
    free(n->node);
    free(n);
}

void nomination_set(struct nominations *list, struct pod_info *pod, const char *node) {
    struct nomination *n = xcalloc(1, sizeof(*n)), *old;
    n->pod = pod;
    n->node = xstrdup(node);
    old = map_set(&list->by_pod, pod->uid, n);
    if (old != NULL) nomination_drop(old);
}

void nomination_remove(struct nominations *list, const char *uid) {
    struct nomination *n = map_remove(&list->by_pod, uid);
    if (n != NULL) nomination_drop(n);
}

void nominations_free(struct nominations *list) { map_free(&list->by_pod, nomination_drop); }

/* ---- filters ---- */

void cycle_move_pod(struct cycle *c, struct node_info *n, struct pod_info *p, bool add) {
    if (add) node_add_pod(c->state, n, p);
    else node_drop_pod(c->state, n, p);
    for (size_t i = 0; i < plugin_count; i++) {
        if (plugins[i]->pod_moved != NULL && c->data[i] != NULL && !c->skip_filter[i]) plugins[i]->pod_moved(c, i, n, p, add);
    }
}

static enum verdict run_filters(struct cycle *c, struct node_result *r) {
    r->reason_count = 0;
    for (size_t k = 0; k < c->filter_count; k++) {
        size_t i = c->filters[k];
        r->verdict = plugins[i]->filter(c, i, r);
        if (r->verdict == FITS) continue;
        r->plugin = plugins[i]->name;
        return r->verdict;
    }
    return r->verdict = FITS;
}

/* Twice where a more important pod is about to come to the node: with it and without it, as it may not come. */
enum verdict cycle_filter_node(struct cycle *c, struct nominations *nominated, struct node_result *r) {
    struct pod_info *added[16];
    size_t n = 0;
    struct map_slot *first = nominated->by_pod.count > 0 ? map_first(&nominated->by_pod) : NULL;
    for (struct map_slot *m = first; m != NULL && n < ARRAY_LEN(added); m = map_next(&nominated->by_pod, m)) {
        struct nomination *o = m->value;
        if (!str_eq(o->node, r->node->name) || o->pod->priority < c->pod->priority || str_eq(o->pod->uid, c->pod->uid)) continue;
        cycle_move_pod(c, r->node, o->pod, true);
        added[n++] = o->pod;
    }
    enum verdict v = run_filters(c, r);
    for (size_t i = 0; i < n; i++) cycle_move_pod(c, r->node, added[i], false);
    return n > 0 && v == FITS ? run_filters(c, r) : v;
}

/* How many fitting nodes are enough: all up to 100, then a share that falls with the cluster's size (upstream). */
static size_t enough(size_t nodes) {
    if (nodes < 100) return nodes;
    size_t percent = nodes / 125 < 45 ? 50 - nodes / 125 : 5;
    return MAX(100, nodes * percent / 100);
}

static bool prefilter(struct cycle *c) {
    for (size_t i = 0; i < plugin_count; i++) {
        if (plugins[i]->prefilter != NULL && !plugins[i]->prefilter(c, i)) return false;
        if (plugins[i]->filter != NULL && !c->skip_filter[i]) c->filters[c->filter_count++] = (uint8_t)i;
    }
    return true;
}

/* Of the node that will be looked at some nodes later. */
static void fetch(const struct state *s, size_t at) {
    enum { AHEAD = 8 };
    const char *n = (const char *)s->list[at + AHEAD < s->count ? at + AHEAD : at];
    __builtin_prefetch(n);
    __builtin_prefetch(n + CACHE_LINE);
}

static void filter_all(struct cycle *c, struct nominations *nominated, size_t *start) {
    size_t wanted = enough(c->count);
    while (c->looked < c->count && c->found < wanted) {
        struct node_result *r = &c->results[c->looked];
        size_t at = (*start + c->looked++) % c->count;
        fetch(c->state, at);
        r->node = c->state->list[at];
        r->reason_count = 0;
        r->plugin = NULL;
        if (c->only_nodes != NULL && !str_in(r->node->name, c->only_nodes)) {
            r->verdict = node_refuse(r, UNRESOLVABLE, "node(s) didn't satisfy plugin(s) [NodeAffinity]");
            continue;
        }
        c->found += cycle_filter_node(c, nominated, r) == FITS;
    }
    if (c->count > 0) *start = (*start + c->looked) % c->count;
}

/* ---- scores ---- */

static void normalize(const struct plugin *p, int64_t *scores, size_t n) {
    int64_t most = 0;
    for (size_t i = 0; i < n; i++) most = MAX(most, scores[i]);
    for (size_t i = 0; i < n; i++) {
        scores[i] = most == 0 ? 0 : scores[i] * 100 / most;
        if (p->normalize == NORMALIZE_REVERSED) scores[i] = 100 - scores[i];
    }
}

static struct node_info *best(struct cycle *c, uint64_t random) {
    struct node_info **nodes = arena_calloc(&c->arena, c->found, sizeof(*nodes));
    int64_t *total = arena_calloc(&c->arena, c->found, sizeof(*total)), *scores = arena_calloc(&c->arena, c->found, sizeof(*scores));
    size_t n = 0;
    for (size_t i = 0; i < c->looked; i++) {
        if (c->results[i].verdict == FITS) nodes[n++] = c->results[i].node;
    }
    for (size_t i = 0; i < plugin_count && n > 1; i++) {
        const struct plugin *p = plugins[i];
        if (p->score == NULL || (p->prescore != NULL && !p->prescore(c, i))) continue;
        for (size_t j = 0; j < n; j++) scores[j] = p->score(c, i, nodes[j]);
        if (p->normalize_scores != NULL) p->normalize_scores(c, i, scores, nodes, n);
        else if (p->normalize != NORMALIZE_NONE) normalize(p, scores, n);
        for (size_t j = 0; j < n; j++) total[j] += scores[j] * p->weight;
    }
    int64_t most = INT64_MIN;
    size_t ties = 0, chosen = 0;
    for (size_t j = 0; j < n; j++) most = MAX(most, total[j]);
    for (size_t j = 0; j < n; j++) ties += total[j] == most;
    for (size_t j = 0, k = random % MAX(ties, 1); j < n; j++) {
        if (total[j] == most && k-- == 0) chosen = j;
    }
    return nodes[chosen];
}

/* ---- messages ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

const char *cycle_summary(struct cycle *c, const struct node_result *results, size_t count) {
    struct map reasons = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < results[i].reason_count; j++) {
            const char *reason = results[i].reasons[j];
            map_set(&reasons, reason, (void *)((intptr_t)map_get(&reasons, reason) + 1)); // NOLINT(performance-no-int-to-ptr)
        }
    }
    const char **lines = arena_calloc(&c->arena, reasons.count + 1, sizeof(*lines));
    size_t n = 0;
    for (struct map_slot *m = map_first(&reasons); m != NULL; m = map_next(&reasons, m)) lines[n++] = arena_printf(&c->arena, "%ld %s", (long)(intptr_t)m->value, m->key);
    map_free(&reasons, NULL);
    qsort(lines, n, sizeof(*lines), by_text);
    struct buf b = {0};
    buf_printf(&b, "0/%zu nodes are available", count);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s %s", i ? "," : ":", lines[i]);
    if (n > 0) buf_addc(&b, '.');
    const char *text = arena_strdup(&c->arena, buf_str(&b));
    buf_free(&b);
    return text;
}

static void explain(struct placement *p, struct nominations *nominated, bool refused) {
    struct cycle *c = &p->cycle;
    if (c->count == 0) {
        p->message = "no nodes available to schedule pods";
        return;
    }
    if (refused) {
        p->message = arena_printf(&c->arena, "0/%zu nodes are available: %s. not found", c->count, c->message);
        return;
    }
    struct buf more = {0};
    const char *summary = cycle_summary(c, c->results, c->looked);
    preempt(p, nominated, &more);
    p->message = p->nominated || more.len == 0 ? summary : arena_printf(&c->arena, "%s no new claims to deallocate, preemption: %s", summary, buf_str(&more));
    buf_free(&more);
}

/* ---- ---- */

/* For 5,000 nodes that is half a megabyte: fresh memory would cost as much as looking at the nodes. */
static struct node_result *room_for_results(struct state *s) {
    if (s->results_cap < s->count || s->results == NULL) {
        s->results_cap = MAX(s->count + s->count / 4, 16);
        s->results = xrealloc(s->results, s->results_cap * sizeof(*s->results));
    }
    return s->results;
}

void placement_find(struct placement *p, struct state *s, struct cache *cache, struct nominations *nominated, struct pod_info *pod, size_t *start, uint64_t random) {
    struct cycle *c = &p->cycle;
    *c = (struct cycle){.state = s, .cache = cache, .pod = pod, .count = s->count};
    c->results = room_for_results(s);
    bool passed = prefilter(c);
    if (passed) filter_all(c, nominated, start);
    if (c->found > 0) p->node = best(c, random);
    else explain(p, nominated, !passed);
}

void placement_free(struct placement *p) {
    for (size_t i = 0; i < plugin_count; i++) {
        if (plugins[i]->finish != NULL && p->cycle.data[i] != NULL) plugins[i]->finish(&p->cycle, i);
    }
    arena_free(&p->cycle.arena);
}
