/* See state.h. Sums are kept up to date pod by pod, so that a cycle reads them without walking pods. */
#include "scheduler/state.h"
#include "base/str.h"

void state_init(struct state *s) {
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static void node_info_free(void *value) {
    struct node_info *n = value;
    doc_unref(n->doc);
    map_free(&n->images, NULL);
    free(n->allocatable.scalars);
    free(n->requested.scalars);
    free(n->pods);
    free((char *)(uintptr_t)n->name);
    free(n);
}

static void drop_pod(void *value) { pod_info_free(value); }

void state_free(struct state *s) {
    map_free(&s->nodes, node_info_free);
    map_free(&s->pods, drop_pod);
    map_free(&s->names, free);
    map_free(&s->images, NULL);
    free(s->list);
    free(s->results);
    pthread_mutex_destroy(&s->lock);
}

const char *state_intern(struct state *s, const char *name) {
    char *known = map_get(&s->names, name);
    if (known == NULL) map_set(&s->names, name, known = xstrdup(name));
    return known;
}

/* ---- nodes ---- */

_Static_assert(offsetof(struct node_info, name) < NODE_HOT, "what a cycle needs of a node stands in two cache lines");

static struct node_info *node_or_new(struct state *s, const char *name) {
    struct node_info *n = map_get(&s->nodes, name);
    if (n != NULL) return n;
    n = aligned_alloc(CACHE_LINE, (sizeof(*n) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
    if (n == NULL) abort();
    memset(n, 0, sizeof(*n));
    n->name = xstrdup(name);
    map_set(&s->nodes, name, n);
    return n;
}

static void add_scalar(struct resources *r, const char *name, int64_t value) {
    for (size_t i = 0; i < r->scalar_count; i++) {
        if (strcmp(r->scalars[i].name, name) == 0) {
            r->scalars[i].value += value;
            return;
        }
    }
    r->scalars = xrealloc(r->scalars, (r->scalar_count + 1) * sizeof(*r->scalars));
    r->scalars[r->scalar_count++] = (struct scalar){name, value};
}

static void read_allocatable(struct state *s, struct node_info *n) {
    const struct json *list = json_get(n->doc->root, "status.allocatable");
    free(n->allocatable.scalars);
    n->allocatable = (struct resources){0};
    n->max_pods = 0;
    JSON_EACH_MEMBER(m, list) {
        struct quantity q = quantity_of(&m->value);
        if (strcmp(m->key, "cpu") == 0) n->allocatable.cpu = quantity_milli_value(&q);
        else if (strcmp(m->key, "memory") == 0) n->allocatable.memory = quantity_value(&q);
        else if (strcmp(m->key, "ephemeral-storage") == 0) n->allocatable.storage = quantity_value(&q);
        else if (strcmp(m->key, "pods") == 0) n->max_pods = (size_t)MAX(quantity_value(&q), 0);
        else add_scalar(&n->allocatable, state_intern(s, m->key), quantity_value(&q));
    }
}

static void count_image(struct state *s, const char *name, intptr_t by) {
    intptr_t nodes = (intptr_t)map_get(&s->images, name) + by;
    if (nodes == 0) map_remove(&s->images, name);
    else map_set(&s->images, name, (void *)nodes); // NOLINT(performance-no-int-to-ptr)
}

static void drop_images(struct state *s, struct node_info *n) {
    for (struct map_slot *m = map_first(&n->images); m != NULL; m = map_next(&n->images, m)) count_image(s, m->key, -1);
    map_free(&n->images, NULL);
    n->images = (struct map){0};
}

static void read_images(struct state *s, struct node_info *n) {
    JSON_EACH(image, json_get(n->doc->root, "status.images")) {
        JSON_EACH(name, json_get(image, "names")) {
            if (!json_is(name, JSON_STRING)) continue;
            if (!map_has(&n->images, name->s)) count_image(s, name->s, 1);
            map_set(&n->images, name->s, (void *)(intptr_t)json_int(image, "sizeBytes", 0)); // NOLINT(performance-no-int-to-ptr)
        }
    }
}

static void read_taints(struct state *s, struct node_info *n, const struct json *taints) {
    s->discouraged -= n->discouraged;
    n->taints = taints;
    n->tainted = n->discouraged = false;
    JSON_EACH(taint, taints) {
        if (json_str_is(taint, "effect", "PreferNoSchedule")) n->discouraged = true;
        else n->tainted = true;
    }
    s->discouraged += n->discouraged;
}

static void list_remove(struct state *s, const struct node_info *n) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i] != n) continue;
        memmove(&s->list[i], &s->list[i + 1], (s->count - i - 1) * sizeof(s->list[0]));
        s->count--;
        return;
    }
}

void state_set_node(struct state *s, const char *name, struct doc *d) {
    struct node_info *n = node_or_new(s, name);
    if (n->doc == NULL && d != NULL) {
        if (s->count == s->cap) s->list = xrealloc(s->list, (s->cap = s->cap ? s->cap * 2 : 16) * sizeof(s->list[0]));
        s->list[s->count++] = n;
    }
    if (n->doc != NULL && d == NULL) list_remove(s, n);
    struct doc *old = n->doc;
    n->doc = d ? doc_ref(d) : NULL;
    drop_images(s, n);
    read_taints(s, n, d != NULL ? json_get(d->root, "spec.taints") : NULL);
    if (d != NULL) {
        n->labels = object_labels(d->root);
        n->unschedulable = json_bool(d->root, "spec.unschedulable", false);
        read_allocatable(s, n);
        read_images(s, n);
    } else if (n->pod_count == 0) node_info_free(map_remove(&s->nodes, name));
    doc_unref(old);
}

struct node_info *state_node(struct state *s, const char *name) {
    struct node_info *n = map_get(&s->nodes, name);
    return n != NULL && n->doc != NULL ? n : NULL;
}

/* ---- pods ---- */

static void account(struct state *s, struct node_info *n, const struct pod_info *p, int64_t sign) {
    n->requested.cpu += sign * p->requests.cpu;
    n->requested.memory += sign * p->requests.memory;
    n->requested.storage += sign * p->requests.storage;
    n->nonzero_cpu += sign * p->nonzero_cpu;
    n->nonzero_memory += sign * p->nonzero_memory;
    for (size_t i = 0; i < p->requests.scalar_count; i++) {
        add_scalar(&n->requested, p->requests.scalars[i].name, sign * p->requests.scalars[i].value);
    }
    size_t anti = p->anti_affinity.len > 0, any = anti || p->affinity.len + p->preferred.len + p->anti_preferred.len > 0;
    n->with_anti_affinity += (size_t)sign * anti;
    n->with_affinity += (size_t)sign * any;
    s->with_anti_affinity += (size_t)sign * anti;
    s->with_affinity += (size_t)sign * any;
}

void node_add_pod(struct state *s, struct node_info *n, struct pod_info *p) {
    if (n->pod_count == n->pod_cap) n->pods = xrealloc(n->pods, (n->pod_cap = n->pod_cap ? n->pod_cap * 2 : 8) * sizeof(n->pods[0]));
    n->pods[n->pod_count++] = p;
    account(s, n, p, 1);
}

void node_drop_pod(struct state *s, struct node_info *n, struct pod_info *p) {
    for (size_t i = 0; i < n->pod_count; i++) {
        if (n->pods[i] != p) continue;
        n->pods[i] = n->pods[--n->pod_count];
        account(s, n, p, -1);
        return;
    }
}

void state_remove_pod(struct state *s, const char *uid) {
    struct pod_info *p = map_remove(&s->pods, uid);
    if (p == NULL) return;
    struct node_info *n = map_get(&s->nodes, p->node);
    if (n != NULL) {
        node_drop_pod(s, n, p);
        if (n->pod_count == 0 && n->doc == NULL) node_info_free(map_remove(&s->nodes, p->node));
    }
    pod_info_free(p);
}

void state_set_pod(struct state *s, struct pod_info *p) {
    state_remove_pod(s, p->uid);
    map_set(&s->pods, p->uid, p);
    node_add_pod(s, node_or_new(s, p->node), p);
}
