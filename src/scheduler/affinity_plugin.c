/* InterPodAffinity. What counts is how many pods match in a topology domain, a (key, value) pair of node labels: prefilter
 * counts once per cycle, the filter of a node is a few look-ups. Pods without such terms cost nothing here unless some
 * other pod has anti-affinity. */
#include "base/str.h"
#include "scheduler/plugins.h"
#include <stdio.h>

struct counts {
    struct map affinity, anti, existing_anti; /* "key\tvalue" -> count */
    struct map scores;
};

static const char *domain(char out[640], const char *key, const char *value) {
    snprintf(out, 640, "%.316s\t%.256s", key, value);
    return out;
}

static void count(struct map *m, const struct node_info *n, const char *key, int64_t by) {
    char name[640];
    const struct json *value = json_member(n->labels, key);
    if (!json_is(value, JSON_STRING) || by == 0) return;
    domain(name, key, value->s);
    intptr_t now = (intptr_t)map_get(m, name) + (intptr_t)by;
    if (now != 0) map_set(m, name, (void *)now); // NOLINT(performance-no-int-to-ptr)
    else map_remove(m, name);
}

static int64_t counted(const struct map *m, const struct node_info *n, const char *key) {
    char name[640];
    const struct json *value = json_member(n->labels, key);
    return json_is(value, JSON_STRING) ? (int64_t)(intptr_t)map_get(m, domain(name, key, value->s)) : 0;
}

static bool matches_all(struct cycle *c, const struct pod_terms *terms, const struct pod_info *p) {
    for (size_t i = 0; i < terms->len; i++) {
        if (!pod_term_matches(c->cache, &terms->items[i], p)) return false;
    }
    return terms->len > 0;
}

/* What the pod `p` on node `n` means for the incoming pod. */
static void count_pod(struct cycle *c, struct counts *k, const struct node_info *n, const struct pod_info *p, int64_t by) {
    const struct pod_info *in = c->pod;
    for (size_t i = 0; i < p->anti_affinity.len; i++) {
        const struct pod_term *t = &p->anti_affinity.items[i];
        if (pod_term_matches(c->cache, t, in)) count(&k->existing_anti, n, t->topology_key, by);
    }
    if (in->affinity.len > 0 && matches_all(c, &in->affinity, p)) {
        for (size_t i = 0; i < in->affinity.len; i++) count(&k->affinity, n, in->affinity.items[i].topology_key, by);
    }
    for (size_t i = 0; i < in->anti_affinity.len; i++) {
        const struct pod_term *t = &in->anti_affinity.items[i];
        if (pod_term_matches(c->cache, t, p)) count(&k->anti, n, t->topology_key, by);
    }
}

static bool prefilter(struct cycle *c, size_t self) {
    bool own = c->pod->affinity.len + c->pod->anti_affinity.len > 0;
    if (!own && c->state->with_anti_affinity == 0) return c->skip_filter[self] = true;
    struct counts *k = c->data[self] = xcalloc(1, sizeof(*k));
    for (size_t i = 0; i < c->count; i++) {
        struct node_info *n = c->state->list[i];
        if (!own && n->with_anti_affinity == 0) continue;
        for (size_t j = 0; j < n->pod_count; j++) count_pod(c, k, n, n->pods[j], 1);
    }
    return true;
}

static void pod_moved(struct cycle *c, size_t self, struct node_info *n, const struct pod_info *p, bool added) {
    count_pod(c, c->data[self], n, p, added ? 1 : -1);
}

/* The first pod of a group that wants to be together may go anywhere that has the labels. */
static bool affinity_fits(struct cycle *c, const struct counts *k, const struct node_info *n) {
    bool all = true;
    for (size_t i = 0; i < c->pod->affinity.len; i++) {
        const char *key = c->pod->affinity.items[i].topology_key;
        if (json_member(n->labels, key) == NULL) return false;
        all = all && counted(&k->affinity, n, key) > 0;
    }
    return all || (k->affinity.count == 0 && matches_all(c, &c->pod->affinity, c->pod));
}

static bool existing_forbid(const struct counts *k, const struct node_info *n) {
    JSON_EACH_MEMBER(m, n->labels) {
        char name[640];
        if (json_is(&m->value, JSON_STRING) && map_has(&k->existing_anti, domain(name, m->key, m->value.s))) return true;
    }
    return false;
}

static enum verdict filter(struct cycle *c, size_t self, struct node_result *r) {
    const struct counts *k = c->data[self];
    if (!affinity_fits(c, k, r->node)) return node_refuse(r, UNRESOLVABLE, "node(s) didn't match pod affinity rules");
    for (size_t i = 0; i < c->pod->anti_affinity.len; i++) {
        if (counted(&k->anti, r->node, c->pod->anti_affinity.items[i].topology_key) > 0) return node_refuse(r, UNSCHEDULABLE, "node(s) didn't match pod anti-affinity rules");
    }
    return existing_forbid(k, r->node) ? node_refuse(r, UNSCHEDULABLE, "node(s) didn't satisfy existing pods anti-affinity rules") : FITS;
}

/* ---- score ---- */

static void score_terms(struct cycle *c, struct map *scores, const struct node_info *n, const struct pod_terms *terms, const struct pod_info *target, int64_t factor) {
    for (size_t i = 0; i < terms->len; i++) {
        const struct pod_term *t = &terms->items[i];
        if (pod_term_matches(c->cache, t, target)) count(scores, n, t->topology_key, factor * (t->weight ? t->weight : 1));
    }
}

static bool prescore(struct cycle *c, size_t self) {
    bool own = c->pod->preferred.len + c->pod->anti_preferred.len > 0;
    if (!own && c->state->with_affinity == 0) return false;
    if (c->data[self] == NULL) c->data[self] = xcalloc(1, sizeof(struct counts));
    struct map *scores = &((struct counts *)c->data[self])->scores;
    for (size_t i = 0; i < c->count; i++) {
        struct node_info *n = c->state->list[i];
        if (!own && n->with_affinity == 0) continue;
        for (size_t j = 0; j < n->pod_count; j++) {
            const struct pod_info *p = n->pods[j];
            score_terms(c, scores, n, &c->pod->preferred, p, 1);
            score_terms(c, scores, n, &c->pod->anti_preferred, p, -1);
            score_terms(c, scores, n, &p->affinity, c->pod, 1); /* hardPodAffinityWeight 1 */
            score_terms(c, scores, n, &p->preferred, c->pod, 1);
            score_terms(c, scores, n, &p->anti_preferred, c->pod, -1);
        }
    }
    return scores->count > 0;
}

static int64_t score(struct cycle *c, size_t self, struct node_info *n) {
    const struct map *scores = &((struct counts *)c->data[self])->scores;
    int64_t sum = 0;
    JSON_EACH_MEMBER(m, n->labels) {
        char name[640];
        if (json_is(&m->value, JSON_STRING)) sum += (int64_t)(intptr_t)map_get(scores, domain(name, m->key, m->value.s));
    }
    return sum;
}

static void normalize(struct cycle *c UNUSED, size_t self UNUSED, int64_t *scores, struct node_info *const *nodes UNUSED, size_t n) {
    int64_t lowest = INT64_MAX, highest = INT64_MIN;
    for (size_t i = 0; i < n; i++) lowest = MIN(lowest, scores[i]), highest = MAX(highest, scores[i]);
    for (size_t i = 0; i < n; i++) scores[i] = highest == lowest ? 0 : 100 * (scores[i] - lowest) / (highest - lowest);
}

static void finish(struct cycle *c, size_t self) {
    struct counts *k = c->data[self];
    map_free(&k->affinity, NULL);
    map_free(&k->anti, NULL);
    map_free(&k->existing_anti, NULL);
    map_free(&k->scores, NULL);
    free(k);
}

const struct plugin plugin_inter_pod_affinity = {
    .name = "InterPodAffinity", .prefilter = prefilter, .filter = filter, .prescore = prescore, .score = score, .normalize_scores = normalize,
    .weight = 2, .pod_moved = pod_moved, .finish = finish};
