/* A pod as the scheduler sees it: requests as numbers, affinity terms with compiled selectors. */
#include "base/str.h"
#include "scheduler/state.h"

#define DEFAULT_CPU 100                        /* milli: upstream's DefaultMilliCPURequest */
#define DEFAULT_MEMORY (INT64_C(200) << 20)    /* DefaultMemoryRequest */

/* ---- requests (KEP-753 sidecars, KEP-2837 pod-level resources) ---- */

static int64_t *slot(struct state *s, struct arena *a, struct resources *r, const char *name) {
    if (strcmp(name, "cpu") == 0) return &r->cpu;
    if (strcmp(name, "memory") == 0) return &r->memory;
    if (strcmp(name, "ephemeral-storage") == 0) return &r->storage;
    for (size_t i = 0; i < r->scalar_count; i++) {
        if (strcmp(r->scalars[i].name, name) == 0) return &r->scalars[i].value;
    }
    r->scalars = arena_grow(a, r->scalars, r->scalar_count * sizeof(struct scalar), (r->scalar_count + 1) * sizeof(struct scalar));
    r->scalars[r->scalar_count] = (struct scalar){state_intern(s, name), 0};
    return &r->scalars[r->scalar_count++].value;
}

static int64_t amount(const char *name, const struct json *v) {
    struct quantity q = quantity_of(v);
    return strcmp(name, "cpu") == 0 ? quantity_milli_value(&q) : quantity_value(&q);
}

static struct resources read_list(struct state *s, struct arena *a, const struct json *list) {
    struct resources r = {0};
    JSON_EACH_MEMBER(m, list) *slot(s, a, &r, m->key) = amount(m->key, &m->value);
    return r;
}

static void add(struct state *s, struct arena *a, struct resources *to, const struct resources *r) {
    to->cpu += r->cpu;
    to->memory += r->memory;
    to->storage += r->storage;
    for (size_t i = 0; i < r->scalar_count; i++) *slot(s, a, to, r->scalars[i].name) += r->scalars[i].value;
}

static void take_max(struct state *s, struct arena *a, struct resources *to, const struct resources *r) {
    to->cpu = MAX(to->cpu, r->cpu);
    to->memory = MAX(to->memory, r->memory);
    to->storage = MAX(to->storage, r->storage);
    for (size_t i = 0; i < r->scalar_count; i++) {
        int64_t *v = slot(s, a, to, r->scalars[i].name);
        *v = MAX(*v, r->scalars[i].value);
    }
}

struct sum {
    struct resources total, sidecars, init;
};

static void add_container(struct state *s, struct arena *a, struct sum *sum, const struct resources *r, bool init, bool sidecar) {
    if (!init) return add(s, a, &sum->total, r);
    struct resources now = {0};
    add(s, a, &now, r);
    add(s, a, &now, &sum->sidecars);
    if (sidecar) add(s, a, &sum->sidecars, r);
    take_max(s, a, &sum->init, &now);
}

/* While a resize is under way the larger of what is wanted and what is allocated counts (KEP-1287). */
static struct resources container_requests(struct state *s, struct arena *a, const struct pod_info *p, const struct json *container) {
    struct resources r = read_list(s, a, json_get(container, "resources.requests"));
    JSON_EACH(status, json_get(p->doc->root, "status.containerStatuses")) {
        if (!str_eq(json_str(status, "name"), json_str(container, "name"))) continue;
        struct resources allocated = read_list(s, a, json_get(status, "allocatedResources"));
        take_max(s, a, &r, &allocated);
    }
    return r;
}

static void read_requests(struct state *s, struct pod_info *p) {
    struct arena *a = &p->arena;
    struct sum real = {0}, nonzero = {0};
    static const char *const lists[] = {"initContainers", "containers"};
    for (size_t l = 0; l < 2; l++) {
        JSON_EACH(c, json_member(p->spec, lists[l])) {
            struct resources r = container_requests(s, a, p, c), n = {r.cpu ? r.cpu : DEFAULT_CPU, r.memory ? r.memory : DEFAULT_MEMORY, 0, NULL, 0};
            bool sidecar = json_str_is(c, "restartPolicy", "Always");
            add_container(s, a, &real, &r, l == 0, sidecar);
            add_container(s, a, &nonzero, &n, l == 0, sidecar);
        }
    }
    struct sum *sums[] = {&real, &nonzero};
    for (size_t i = 0; i < 2; i++) {
        add(s, a, &sums[i]->total, &sums[i]->sidecars);
        take_max(s, a, &sums[i]->total, &sums[i]->init);
    }
    p->requests = real.total;
    JSON_EACH_MEMBER(m, json_get(p->spec, "resources.requests")) *slot(s, a, &p->requests, m->key) = amount(m->key, &m->value);
    struct resources overhead = read_list(s, a, json_member(p->spec, "overhead"));
    add(s, a, &p->requests, &overhead);
    p->nonzero_cpu = MAX(nonzero.total.cpu + overhead.cpu, p->requests.cpu);
    p->nonzero_memory = MAX(nonzero.total.memory + overhead.memory, p->requests.memory);
}

int64_t resources_scalar(const struct resources *r, const char *name) {
    for (size_t i = 0; i < r->scalar_count; i++) {
        if (strcmp(r->scalars[i].name, name) == 0) return r->scalars[i].value;
    }
    return 0;
}

/* ---- affinity ---- */

/* matchLabelKeys (KEP-3633) are merged into the selector by the API server at creation. */
static bool read_term(struct pod_info *p, const struct json *term, int64_t weight, struct pod_term *out) {
    struct arena *a = &p->arena;
    const struct json *own_selector = json_get(term, "namespaceSelector"), *names = json_get(term, "namespaces");
    struct error *e = label_selector_from_json(a, json_get(term, "labelSelector"), &out->selector);
    if (e == NULL && own_selector != NULL) e = label_selector_from_json(a, own_selector, &out->namespace_selector);
    if (e != NULL) return error_free(e), false;
    size_t n = json_len(names);
    const char **list = arena_calloc(a, n + 2, sizeof(char *));
    for (size_t i = 0; i < n; i++) list[i] = json_at(names, i)->s;
    if (n == 0 && own_selector == NULL) list[0] = p->ns;
    out->namespaces = list;
    out->topology_key = json_str_or(term, "topologyKey", "");
    out->weight = weight;
    return true;
}

static struct pod_terms read_terms(struct pod_info *p, const char *kind, bool preferred) {
    const struct json *affinity = json_member(json_member(p->spec, "affinity"), kind);
    const struct json *list = json_member(affinity, preferred ? "preferredDuringSchedulingIgnoredDuringExecution" : "requiredDuringSchedulingIgnoredDuringExecution");
    struct pod_terms terms = {arena_calloc(&p->arena, json_len(list) + 1, sizeof(struct pod_term)), 0};
    JSON_EACH(item, list) {
        const struct json *term = preferred ? json_get(item, "podAffinityTerm") : item;
        if (read_term(p, term, json_int(item, "weight", 0), &terms.items[terms.len])) terms.len++;
    }
    return terms;
}

bool pod_term_matches(struct cache *c, const struct pod_term *t, const struct pod_info *pod) {
    bool in_namespace = str_in(pod->ns, t->namespaces);
    if (!in_namespace && t->namespace_selector != NULL) {
        if (label_selector_empty(t->namespace_selector)) in_namespace = true;
        else {
            cleanup_doc struct doc *ns = cache_get(c, &resource_namespaces, NULL, pod->ns);
            in_namespace = ns != NULL && label_selector_matches(t->namespace_selector, object_labels(ns->root));
        }
    }
    return in_namespace && label_selector_matches(t->selector, pod->labels);
}

/* ---- ---- */

static void read_ports(struct pod_info *p) {
    JSON_EACH(c, json_get(p->spec, "containers")) {
        JSON_EACH(port, json_get(c, "ports")) {
            int64_t number = json_int(port, "hostPort", 0);
            if (number == 0) continue;
            p->ports = arena_grow(&p->arena, p->ports, p->port_count * sizeof(*p->ports), (p->port_count + 1) * sizeof(*p->ports));
            p->ports[p->port_count++] = (struct host_port){json_str_or(port, "hostIP", "0.0.0.0"), json_str_or(port, "protocol", "TCP"), number};
        }
    }
}

struct pod_info *pod_info_new(struct state *s, struct doc *d, const char *node) {
    struct pod_info *p = xcalloc(1, sizeof(*p));
    arena_open(&p->arena, 224); /* names of the pod and its node: all that most have */
    p->doc = doc_ref(d);
    p->spec = json_member(d->root, "spec");
    p->labels = object_labels(d->root);
    p->tolerations = json_member(p->spec, "tolerations");
    p->uid = doc_uid(d);
    p->ns = doc_namespace(d);
    p->key = key_join(&p->arena, p->ns, doc_name(d));
    p->node = node ? arena_strdup(&p->arena, node) : json_str(p->spec, "nodeName");
    if (p->node != NULL && p->node[0] == '\0') p->node = NULL;
    p->priority = json_int(p->spec, "priority", 0);
    p->started = object_time(d->root, "status.startTime");
    p->terminating = object_deleting(d->root);
    read_requests(s, p);
    read_ports(p);
    p->affinity = read_terms(p, "podAffinity", false);
    p->anti_affinity = read_terms(p, "podAntiAffinity", false);
    p->preferred = read_terms(p, "podAffinity", true);
    p->anti_preferred = read_terms(p, "podAntiAffinity", true);
    return p;
}

void pod_info_free(struct pod_info *p) {
    if (p == NULL) return;
    doc_unref(p->doc);
    arena_free(&p->arena);
    free(p);
}
