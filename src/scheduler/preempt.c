/* DefaultPreemption: finds the node where deleting less important pods makes room at the least cost. On each candidate
 * all less important pods are taken away; if the pod fits then, as many as possible are put back, those protected by
 * disruption budgets and the more important ones first. */
#include "base/str.h"
#include "scheduler/cycle.h"

struct candidate {
    struct node_info *node;
    struct pod_info **victims;
    size_t count;
    size_t violations; /* of disruption budgets */
    int64_t highest, sum, earliest; /* of victims: priority, their sum, start of the most important ones */
};

/* More important first: by priority, then by age (upstream's MoreImportantPod). */
static int by_importance(const void *a, const void *b) {
    const struct pod_info *x = *(struct pod_info *const *)a, *y = *(struct pod_info *const *)b;
    if (x->priority != y->priority) return x->priority > y->priority ? -1 : 1;
    return x->started == y->started ? 0 : x->started < y->started ? -1 : 1;
}

/* ---- disruption budgets ---- */

struct budget {
    struct selector *selector;
    const char *ns;
    int64_t allowed;
};

static struct budget *read_budgets(struct cycle *c, const struct doc_list *all) {
    struct budget *b = arena_calloc(&c->arena, all->len + 1, sizeof(*b));
    for (size_t i = 0; i < all->len; i++) {
        const struct json *o = all->items[i]->root;
        struct error *e = label_selector_from_json(&c->arena, json_get(o, "spec.selector"), &b[i].selector);
        b[i].ns = e ? "" : doc_namespace(all->items[i]);
        b[i].allowed = json_int(o, "status.disruptionsAllowed", 0);
        error_free(e);
    }
    return b;
}

static bool violates(struct budget *budgets, size_t n, const struct pod_info *p) {
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(budgets[i].ns, p->ns) == 0 && label_selector_matches(budgets[i].selector, p->labels)) any = --budgets[i].allowed < 0 || any;
    }
    return any;
}

/* ---- one node ---- */

static size_t lesser_pods(struct cycle *c, const struct node_info *n, struct pod_info **out) {
    size_t count = 0;
    for (size_t i = 0; i < n->pod_count; i++) {
        if (n->pods[i]->priority < c->pod->priority) out[count++] = n->pods[i];
    }
    qsort(out, count, sizeof(*out), by_importance);
    return count;
}

static bool fits(struct cycle *c, struct nominations *nominated, struct node_info *n) {
    struct node_result r = {.node = n};
    return cycle_filter_node(c, nominated, &r) == FITS;
}

/* Puts the pod back if the incoming one still fits; else it is a victim. */
static bool reprieve(struct cycle *c, struct nominations *nominated, struct candidate *k, struct pod_info *p) {
    cycle_move_pod(c, k->node, p, true);
    if (fits(c, nominated, k->node)) return true;
    cycle_move_pod(c, k->node, p, false);
    k->victims[k->count++] = p;
    return false;
}

static bool select_victims(struct cycle *c, struct nominations *nominated, const struct doc_list *pdbs, struct node_result *r, struct candidate *k) {
    struct pod_info **lesser = arena_calloc(&c->arena, r->node->pod_count + 1, sizeof(*lesser));
    size_t n = lesser_pods(c, r->node, lesser);
    *k = (struct candidate){.node = r->node, .victims = arena_calloc(&c->arena, n + 1, sizeof(*lesser))};
    r->reason_count = 0;
    if (n == 0) return node_refuse(r, UNRESOLVABLE, "No preemption victims found for incoming pod"), false;
    for (size_t i = 0; i < n; i++) cycle_move_pod(c, r->node, lesser[i], false);
    bool possible = cycle_filter_node(c, nominated, r) == FITS;
    struct budget *budgets = read_budgets(c, pdbs);
    bool *protected = arena_calloc(&c->arena, n, sizeof(bool));
    for (size_t i = 0; i < n; i++) protected[i] = violates(budgets, pdbs->len, lesser[i]);
    for (int pass = 1; pass >= 0 && possible; pass--) {
        for (size_t i = 0; i < n; i++) {
            if (protected[i] == (pass == 1) && !reprieve(c, nominated, k, lesser[i])) k->violations += protected[i];
        }
    }
    for (size_t i = 0; !possible && i < n; i++) cycle_move_pod(c, r->node, lesser[i], true);
    for (size_t i = 0; i < k->count; i++) cycle_move_pod(c, r->node, k->victims[i], true); /* as it was */
    return possible && k->count > 0;
}

static void sum_up(struct candidate *k) {
    qsort(k->victims, k->count, sizeof(*k->victims), by_importance);
    k->highest = k->victims[0]->priority;
    k->earliest = INT64_MAX;
    for (size_t i = 0; i < k->count; i++) {
        k->sum += k->victims[i]->priority + INT64_C(2147483648); /* so that more victims cost more even below zero */
        if (k->victims[i]->priority == k->highest) k->earliest = MIN(k->earliest, k->victims[i]->started);
    }
}

static bool cheaper(const struct candidate *a, const struct candidate *b) {
    if (a->violations != b->violations) return a->violations < b->violations;
    if (a->highest != b->highest) return a->highest < b->highest;
    if (a->sum != b->sum) return a->sum < b->sum;
    if (a->count != b->count) return a->count < b->count;
    return a->earliest > b->earliest;
}

/* ---- ---- */

static bool waits_for_victims(struct cycle *c) {
    const char *name = json_str(c->pod->doc->root, "status.nominatedNodeName");
    struct node_info *n = name ? state_node(c->state, name) : NULL;
    for (size_t i = 0; n != NULL && i < n->pod_count; i++) {
        if (n->pods[i]->terminating && n->pods[i]->priority < c->pod->priority) return true;
    }
    return false;
}

void preempt(struct placement *p, struct nominations *nominated, struct buf *message) {
    struct cycle *c = &p->cycle;
    if (json_str_is(c->pod->spec, "preemptionPolicy", "Never")) return buf_adds(message, "not eligible due to preemptionPolicy=Never.");
    if (waits_for_victims(c)) return buf_adds(message, "not eligible due to a terminating pod on the nominated node.");
    cleanup_doc_list struct doc_list pdbs = {0};
    cache_list(c->cache, &resource_policy_poddisruptionbudgets, NULL, &pdbs);
    struct candidate best = {0}, k;
    for (size_t i = 0; i < c->looked; i++) {
        struct node_result *r = &c->results[i];
        if (r->verdict != UNSCHEDULABLE) {
            r->reason_count = 0;
            node_refuse(r, UNRESOLVABLE, "Preemption is not helpful for scheduling");
        } else if (select_victims(c, nominated, &pdbs, r, &k)) {
            sum_up(&k);
            if (best.node == NULL || cheaper(&k, &best)) best = k;
        }
    }
    p->nominated = best.node;
    p->victims = best.victims;
    p->victim_count = best.count;
    if (best.node == NULL) buf_adds(message, cycle_summary(c, c->results, c->looked));
}
