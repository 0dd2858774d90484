/* Small plug-ins on pods and nodes: tolerations, taints, priorities, runtime classes, topology labels. */
#include "apiserver/admission.h"

/* ---- DefaultTolerationSeconds ---- */

static bool tolerates(const struct json *t, const char *key) {
    const char *k = json_str_or(t, "key", ""), *effect = json_str_or(t, "effect", "");
    return (strcmp(k, key) == 0 || !*k) && (!*effect || strcmp(effect, "NoExecute") == 0);
}

struct error *default_tolerations(struct change *c) {
    static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
    struct arena *a = c->r->arena;
    if (!change_is(c, &resource_pods, "") || (c->operation != OP_CREATE && c->operation != OP_UPDATE)) return NULL;
    const struct json *list = json_get(c->object, "spec.tolerations"), *had = list;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        bool found = false;
        JSON_EACH(t, had) found |= tolerates(t, keys[i]);
        if (found) continue;
        const struct json *t = json_make(a, "{'key':%s,'operator':'Exists','effect':'NoExecute','tolerationSeconds':300}", keys[i]);
        list = json_append(a, list ? list : &json_empty_array, t);
    }
    if (list != had) c->object = json_with(a, c->object, "spec.tolerations", list);
    return NULL;
}

/* ---- TaintNodesByCondition ---- */

struct error *taint_nodes(struct change *c) {
    struct arena *a = c->r->arena;
    if (!change_is(c, &resource_nodes, "") || c->operation != OP_CREATE) return NULL;
    const struct json *taints = json_get(c->object, "spec.taints");
    JSON_EACH(t, taints) {
        if (json_str_is(t, "key", "node.kubernetes.io/not-ready") && json_str_is(t, "effect", "NoSchedule")) return NULL;
    }
    taints = json_append(a, taints ? taints : &json_empty_array, json_make(a, "{'key':'node.kubernetes.io/not-ready','effect':'NoSchedule'}"));
    c->object = json_with(a, c->object, "spec.taints", taints);
    return NULL;
}

/* ---- Priority ---- */

struct best_class {
    struct apiserver *server;
    const char *name;
    int64_t value;
    bool found;
    char policy[32];
    char buffer[256];
};

static bool default_class(struct doc *d, void *arg) {
    struct best_class *b = arg;
    int64_t value = json_int(d->root, "value", 0);
    if (!json_bool(d->root, "globalDefault", false) || (b->found && b->value <= value)) return true;
    snprintf(b->buffer, sizeof(b->buffer), "%s", doc_name(d));
    snprintf(b->policy, sizeof(b->policy), "%s", json_str_or(d->root, "preemptionPolicy", "PreemptLowerPriority"));
    b->name = b->buffer, b->value = value, b->found = true;
    return true;
}

struct error *priority_mutate(struct change *c) {
    struct arena *a = c->r->arena;
    if (!change_is(c, &resource_pods, "")) return NULL;
    if (c->operation == OP_UPDATE) {
        static const char *const kept[] = {"priority", "preemptionPolicy"};
        for (size_t i = 0; i < 2; i++) {
            const struct json *had = json_member(json_member(c->old, "spec"), kept[i]), *spec = json_member(c->object, "spec");
            if (had && json_member(spec, kept[i]) == NULL) c->object = json_with_member(a, c->object, "spec", json_with_member(a, spec, kept[i], had));
        }
        return NULL;
    }
    if (c->operation != OP_CREATE) return NULL;
    const char *name = json_str_or(c->object, "spec.priorityClassName", "");
    struct best_class best = {.server = c->r->server, .policy = "PreemptLowerPriority"};
    if (*name) {
        cleanup_doc struct doc *d = registry_get(c->r->server, &resource_scheduling_priorityclasses, "", name);
        if (d == NULL) return admission_forbidden(c, "no PriorityClass with name %s was found", name);
        best.value = json_int(d->root, "value", 0);
        snprintf(best.policy, sizeof(best.policy), "%s", json_str_or(d->root, "preemptionPolicy", "PreemptLowerPriority"));
    } else {
        registry_each(c->r->server, &resource_scheduling_priorityclasses, NULL, default_class, &best);
        if (best.found) c->object = json_with(a, c->object, "spec.priorityClassName", json_string(a, best.name));
    }
    const struct json *given = json_get(c->object, "spec.priority");
    if (given && json_int(given, NULL, 0) != best.value)
        return admission_forbidden(c, "the integer value of priority (%ld) must not be provided in pod spec; priority admission controller computed %ld from the given PriorityClass name",
                                   (long)json_int(given, NULL, 0), (long)best.value);
    c->object = json_with(a, c->object, "spec.priority", json_integer(a, best.value));
    const char *policy = json_str(c->object, "spec.preemptionPolicy");
    if (policy && strcmp(policy, best.policy) != 0)
        return admission_forbidden(c, "the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", policy, best.policy);
    c->object = json_with(a, c->object, "spec.preemptionPolicy", json_string(a, best.policy));
    return NULL;
}

static bool other_default(struct doc *d, void *arg) {
    struct best_class *b = arg;
    if (json_bool(d->root, "globalDefault", false) && strcmp(doc_name(d), b->name) != 0) snprintf(b->buffer, sizeof(b->buffer), "%s", doc_name(d)), b->found = true;
    return !b->found;
}

struct error *priority_check(struct change *c) {
    bool write = c->operation == OP_CREATE || c->operation == OP_UPDATE;
    if (!change_is(c, &resource_scheduling_priorityclasses, "") || !write || !json_bool(c->object, "globalDefault", false)) return NULL;
    struct best_class b = {.name = meta_str(c->object, "name")};
    registry_each(c->r->server, &resource_scheduling_priorityclasses, NULL, other_default, &b);
    return b.found ? admission_forbidden(c, "PriorityClass %s is already marked as default. Only one default can exist", b.buffer) : NULL;
}

/* ---- RuntimeClass ---- */

static const struct json *merged_selector(struct arena *a, const struct json *pod, const struct json *class, bool *conflict) {
    const struct json *out = pod ? pod : &json_empty_object;
    JSON_EACH_MEMBER(m, class) {
        const struct json *had = json_member(pod, m->key);
        if (had && !json_equal(had, &m->value)) *conflict = true;
        else out = json_with_member(a, out, m->key, &m->value);
    }
    return out;
}

struct error *runtime_class(struct change *c) {
    struct arena *a = c->r->arena;
    const char *name = json_str(c->object, "spec.runtimeClassName");
    if (!change_is(c, &resource_pods, "") || c->operation != OP_CREATE || name == NULL) return NULL;
    const char *unusable = admission_bad_name(a, name);
    if (unusable) return error_api(500, "", "%s", unusable);
    cleanup_doc struct doc *d = registry_get(c->r->server, &resource_node_runtimeclasses, "", name);
    if (d == NULL) return admission_forbidden(c, "pod rejected: RuntimeClass \"%s\" not found", name);
    const struct json *fixed = json_get(d->root, "overhead.podFixed"), *selector = json_get(d->root, "scheduling.nodeSelector");
    if (fixed) {
        const struct json *given = json_get(c->object, "spec.overhead");
        if (given && !json_equal(given, fixed)) return admission_forbidden(c, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        c->object = json_with(a, c->object, "spec.overhead", json_copy(a, fixed));
    }
    bool conflict = false;
    if (selector) c->object = json_with(a, c->object, "spec.nodeSelector", json_copy(a, merged_selector(a, json_get(c->object, "spec.nodeSelector"), selector, &conflict)));
    if (conflict) return admission_forbidden(c, "conflict: runtimeClass and pod node selectors");
    const struct json *list = json_get(c->object, "spec.tolerations");
    JSON_EACH(t, json_get(d->root, "scheduling.tolerations")) {
        bool found = false;
        JSON_EACH(had, list) found |= json_equal(had, t);
        if (!found) list = json_append(a, list ? list : &json_empty_array, json_copy(a, t));
    }
    if (list) c->object = json_with(a, c->object, "spec.tolerations", list);
    return NULL;
}

struct error *runtime_class_check(struct change *c) {
    if (!change_is(c, &resource_pods, "") || c->operation != OP_CREATE) return NULL;
    if (json_str(c->object, "spec.runtimeClassName") == NULL && json_get(c->object, "spec.overhead"))
        return admission_forbidden(c, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    return NULL;
}

/* ---- PodTopologyLabels: a binding carries the node's zone and region to the pod ---- */

struct error *topology_labels(struct change *c) {
    static const char *const keys[] = {"topology.kubernetes.io/zone", "topology.kubernetes.io/region"};
    struct arena *a = c->r->arena;
    if (!change_is(c, &resource_pods, "binding") || c->operation != OP_CREATE) return NULL;
    cleanup_doc struct doc *node = registry_get(c->r->server, &resource_nodes, "", json_str_or(c->object, "target.name", ""));
    const struct json *labels = json_get(c->object, "metadata.labels");
    for (size_t i = 0; node && i < ARRAY_LEN(keys); i++) {
        const struct json *v = json_member(json_get(node->root, "metadata.labels"), keys[i]);
        if (v) labels = json_with_member(a, labels ? labels : &json_empty_object, keys[i], json_copy(a, v));
    }
    if (labels) c->object = with_meta(a, c->object, "labels", labels);
    return NULL;
}
