/* PodTopologySpread: how evenly pods that a selector matches are spread over the values of a node label. Hard constraints
 * filter, soft ones score; pods without constraints that belong to a service or controller are spread softly over hosts
 * and zones (upstream's system defaults). */
#include "base/str.h"
#include "scheduler/plugins.h"
#include <math.h>

struct constraint {
    struct selector *selector;
    const char *key;
    int64_t max_skew, min_domains;
    bool hard, honor_affinity, honor_taints;
    struct map domains; /* value -> matching pods */
    double weight;      /* score: log of the number of domains */
};
struct spread {
    struct constraint *items;
    size_t len;
    bool defaults;      /* the system's: a node without a label is not ignored */
};

#define HOSTNAME "kubernetes.io/hostname"

static const char *label(const struct node_info *n, const char *key) {
    const struct json *v = json_member(n->labels, key);
    return json_is(v, JSON_STRING) ? v->s : NULL;
}

static bool in_policy(struct cycle *c, const struct constraint *k, const struct node_info *n) {
    if (k->honor_affinity && !node_matches_affinity(&c->arena, c->pod->spec, n)) return false;
    return !k->honor_taints || untolerated_taint(json_get(c->pod->spec, "tolerations"), n->taints, false) == NULL;
}

static bool has_all_keys(const struct spread *s, const struct node_info *n) {
    for (size_t i = 0; i < s->len; i++) {
        if (label(n, s->items[i].key) == NULL) return false;
    }
    return true;
}

static int64_t matching_pods(const struct cycle *c, const struct constraint *k, const struct node_info *n) {
    int64_t count = 0;
    for (size_t i = 0; i < n->pod_count; i++) {
        const struct pod_info *p = n->pods[i];
        count += !p->terminating && strcmp(p->ns, c->pod->ns) == 0 && label_selector_matches(k->selector, p->labels);
    }
    return count;
}

static void add_to_domain(struct constraint *k, const char *value, int64_t by) {
    map_set(&k->domains, value, (void *)((intptr_t)map_get(&k->domains, value) + (intptr_t)by)); // NOLINT(performance-no-int-to-ptr)
}

/* ---- constraints of a pod ---- */

static bool read_constraint(struct cycle *c, const struct json *j, struct constraint *out) {
    const struct json *selector = json_get(j, "labelSelector");
    JSON_EACH(key, json_get(j, "matchLabelKeys")) { /* KEP-3243; a no-op where the API server has merged them already */
        const struct json *value = json_member(c->pod->labels, key->s);
        if (value == NULL || selector == NULL) continue;
        const struct json *labels = json_with_member(&c->arena, json_get(selector, "matchLabels"), key->s, value);
        selector = json_with(&c->arena, selector, "matchLabels", labels);
    }
    *out = (struct constraint){.key = json_str_or(j, "topologyKey", ""), .max_skew = json_int(j, "maxSkew", 1), .min_domains = json_int(j, "minDomains", 1),
                               .hard = !json_str_is(j, "whenUnsatisfiable", "ScheduleAnyway"), .honor_affinity = !json_str_is(j, "nodeAffinityPolicy", "Ignore"),
                               .honor_taints = json_str_is(j, "nodeTaintsPolicy", "Honor")};
    struct error *e = label_selector_from_json(&c->arena, selector, &out->selector);
    error_free(e);
    return e == NULL;
}

static struct spread *read_constraints(struct cycle *c, bool hard) {
    const struct json *list = json_get(c->pod->spec, "topologySpreadConstraints");
    struct spread *s = ARENA_NEW(&c->arena, struct spread);
    s->items = arena_calloc(&c->arena, json_len(list) + 2, sizeof(*s->items));
    JSON_EACH(j, list) {
        if (read_constraint(c, j, &s->items[s->len]) && s->items[s->len].hard == hard) s->len++;
    }
    return s;
}

/* The selector of the services and of the controller that the pod belongs to (upstream's DefaultSelector). */
static const struct json *default_selector(struct cycle *c) {
    const struct json *labels = &json_empty_object;
    cleanup_doc_list struct doc_list services = {0};
    cache_list(c->cache, &resource_services, c->pod->ns, &services);
    for (size_t i = 0; i < services.len; i++) {
        const struct json *selector = json_get(services.items[i]->root, "spec.selector");
        struct selector *compiled;
        if (json_len(selector) == 0) continue;
        struct error *e = label_selector_from_json(&c->arena, json_make(&c->arena, "{'matchLabels':%v}", selector), &compiled);
        bool matches = e == NULL && label_selector_matches(compiled, c->pod->labels);
        error_free(e);
        if (!matches) continue;
        JSON_EACH_MEMBER(m, selector) labels = json_with_member(&c->arena, labels, arena_strdup(&c->arena, m->key), json_copy(&c->arena, &m->value));
    }
    const struct json *owner = controller_of(c->pod->doc->root);
    const struct resource *r = owner == NULL ? NULL : json_str_is(owner, "kind", "ReplicaSet") ? &resource_apps_replicasets : json_str_is(owner, "kind", "StatefulSet") ? &resource_apps_statefulsets : NULL;
    cleanup_doc struct doc *d = r ? cache_get(c->cache, r, c->pod->ns, json_str(owner, "name")) : NULL;
    const struct json *selector = d ? json_copy(&c->arena, json_get(d->root, "spec.selector")) : NULL;
    JSON_EACH_MEMBER(m, json_get(selector, "matchLabels")) labels = json_with_member(&c->arena, labels, m->key, &m->value);
    if (json_len(labels) == 0) return NULL;
    return json_make(&c->arena, "{'matchLabels':%v,'matchExpressions':%v}", labels, json_get(selector, "matchExpressions"));
}

static void add_defaults(struct cycle *c, struct spread *s) {
    const struct json *selector = default_selector(c);
    if (selector == NULL) return;
    static const struct { const char *key; int64_t skew; } system[] = {{HOSTNAME, 3}, {"topology.kubernetes.io/zone", 5}};
    for (size_t i = 0; i < ARRAY_LEN(system); i++) {
        struct constraint *k = &s->items[s->len];
        *k = (struct constraint){.key = system[i].key, .max_skew = system[i].skew, .honor_affinity = true};
        struct error *e = label_selector_from_json(&c->arena, selector, &k->selector);
        if (e == NULL) s->len++;
        error_free(e);
    }
    s->defaults = true;
}

/* ---- filter ---- */

static bool prefilter(struct cycle *c, size_t self) {
    struct spread *s = read_constraints(c, true);
    if (s->len == 0) return c->skip_filter[self] = true;
    c->data[self] = s;
    for (size_t i = 0; i < c->count; i++) {
        struct node_info *n = c->state->list[i];
        if (!has_all_keys(s, n)) continue;
        for (size_t j = 0; j < s->len; j++) {
            struct constraint *k = &s->items[j];
            if (in_policy(c, k, n)) add_to_domain(k, label(n, k->key), matching_pods(c, k, n));
        }
    }
    return true;
}

static void pod_moved(struct cycle *c, size_t self, struct node_info *n, const struct pod_info *p, bool added) {
    struct spread *s = c->data[self];
    if (strcmp(p->ns, c->pod->ns) != 0 || p->terminating || !has_all_keys(s, n)) return;
    for (size_t j = 0; j < s->len; j++) {
        struct constraint *k = &s->items[j];
        if (in_policy(c, k, n) && label_selector_matches(k->selector, p->labels)) add_to_domain(k, label(n, k->key), added ? 1 : -1);
    }
}

static int64_t lowest(const struct constraint *k) {
    int64_t least = INT64_MAX, domains = 0;
    for (struct map_slot *m = map_first(&k->domains); m != NULL; m = map_next(&k->domains, m)) {
        domains++;
        least = MIN(least, (int64_t)(intptr_t)m->value);
    }
    return domains == 0 || domains < k->min_domains ? 0 : least;
}

static enum verdict filter(struct cycle *c, size_t self, struct node_result *r) {
    const struct spread *s = c->data[self];
    for (size_t i = 0; i < s->len; i++) {
        const struct constraint *k = &s->items[i];
        const char *value = label(r->node, k->key);
        if (value == NULL) return node_refuse(r, UNRESOLVABLE, "node(s) didn't match pod topology spread constraints (missing required label)");
        int64_t own = label_selector_matches(k->selector, c->pod->labels), here = (int64_t)(intptr_t)map_get(&k->domains, value);
        if (here + own - lowest(k) > k->max_skew) return node_refuse(r, UNSCHEDULABLE, "node(s) didn't match pod topology spread constraints");
    }
    return FITS;
}

/* ---- score ---- */


static void free_constraints(struct spread *s) {
    for (size_t i = 0; s != NULL && i < s->len; i++) map_free(&s->items[i].domains, NULL);
}

static bool prescore(struct cycle *c, size_t self) {
    struct spread *s = read_constraints(c, false);
    if (s->len == 0 && json_len(json_get(c->pod->spec, "topologySpreadConstraints")) == 0) add_defaults(c, s);
    free_constraints(c->data[self]); /* filtering is over */
    c->data[self] = s;
    if (s->len == 0) return false;
    for (size_t i = 0; i < c->count; i++) {
        struct node_info *n = c->state->list[i];
        for (size_t j = 0; j < s->len; j++) {
            struct constraint *k = &s->items[j];
            const char *value = label(n, k->key);
            if (value == NULL || strcmp(k->key, HOSTNAME) == 0 || (!s->defaults && !has_all_keys(s, n)) || !in_policy(c, k, n)) continue;
            add_to_domain(k, value, matching_pods(c, k, n));
        }
    }
    for (size_t j = 0; j < s->len; j++) {
        struct constraint *k = &s->items[j];
        k->weight = log((double)(strcmp(k->key, HOSTNAME) == 0 ? c->found : k->domains.count) + 2);
    }
    return true;
}

static bool ignored(const struct spread *s, const struct node_info *n) { return !s->defaults && !has_all_keys(s, n); }

static int64_t score(struct cycle *c, size_t self, struct node_info *n) {
    const struct spread *s = c->data[self];
    double sum = 0;
    if (ignored(s, n)) return 0;
    for (size_t i = 0; i < s->len; i++) {
        const struct constraint *k = &s->items[i];
        const char *value = label(n, k->key);
        if (value == NULL) continue;
        int64_t count = strcmp(k->key, HOSTNAME) == 0 ? matching_pods(c, k, n) : (int64_t)(intptr_t)map_get(&k->domains, value);
        sum += (double)count * k->weight + (double)(k->max_skew - 1);
    }
    return (int64_t)round(sum);
}

static void normalize(struct cycle *c, size_t self, int64_t *scores, struct node_info *const *nodes, size_t n) {
    const struct spread *s = c->data[self];
    int64_t least = INT64_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
        if (!ignored(s, nodes[i])) least = MIN(least, scores[i]), most = MAX(most, scores[i]);
    }
    for (size_t i = 0; i < n; i++) scores[i] = ignored(s, nodes[i]) ? 0 : most == 0 ? 100 : 100 * (most + least - scores[i]) / most;
}

static void finish(struct cycle *c, size_t self) { free_constraints(c->data[self]); }

const struct plugin plugin_pod_topology_spread = {
    .name = "PodTopologySpread", .prefilter = prefilter, .filter = filter, .prescore = prescore, .score = score, .normalize_scores = normalize,
    .weight = 2, .pod_moved = pod_moved, .finish = finish};
