/* Pods: pkg/registry/core/pod/strategy.go. */
#include "apiserver/strategy.h"
#include "schema/pod.h"

/* ---- create ---- */

static const struct json *gate_condition(struct change *c, const struct json *o) {
    if (json_len(json_get(o, "spec.schedulingGates")) == 0) return o;
    return json_with(c->r->arena, o, "status.conditions",
                     json_make(c->r->arena, "[{'type':'PodScheduled','status':'False','lastProbeTime':null,'lastTransitionTime':%s,'reason':'SchedulingGated',"
                               "'message':'Scheduling is blocked due to non-empty scheduling gates'}]", time_now(c->r->arena, c->r)));
}

const struct json *pod_create(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    o = json_with_member(a, o, "status", json_make(a, "{'phase':'Pending','qosClass':%s}", pod_qos(o)));
    if (json_int(o, "spec.terminationGracePeriodSeconds", 0) < 0) o = json_with(a, o, "spec.terminationGracePeriodSeconds", json_integer(a, 1)); /* as v1 is converted */
    return gate_condition(c, o);
}

/* Label selectors of topology spread and affinity take matchLabelKeys from the pod's own labels. */
static const struct json *with_keys(struct change *c, const struct json *term, const struct json *labels) {
    static const struct { const char *field, *op; } lists[] = {{"matchLabelKeys", "In"}, {"mismatchLabelKeys", "NotIn"}};
    struct arena *a = c->r->arena;
    const struct json *selector = json_member(term, "labelSelector");
    if (selector == NULL) return term;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        JSON_EACH(key, json_member(term, lists[i].field)) {
            const char *value = json_str(json_member(labels, json_str_or(key, NULL, "")), NULL);
            if (value == NULL) continue;
            const struct json *list = json_member(selector, "matchExpressions");
            list = json_append(a, list ? list : &json_empty_array, json_make(a, "{'key':%v,'operator':%s,'values':[%s]}", key, lists[i].op, value));
            selector = json_with_member(a, selector, "matchExpressions", list);
        }
    }
    return json_with_member(a, term, "labelSelector", selector);
}

static const struct json *each_term(struct change *c, const struct json *list, const struct json *labels, const char *inner) {
    struct json_array out = {.arena = c->r->arena};
    JSON_EACH(t, list) {
        const struct json *term = inner ? json_member(t, inner) : t;
        const struct json *done = with_keys(c, term, labels);
        json_array_add(&out, inner ? json_with_member(c->r->arena, t, inner, done) : done);
    }
    return json_array_done(&out);
}

static const struct json *merge_label_keys(struct change *c, const struct json *o) {
    static const struct { const char *path, *inner; } lists[] = {
        {"spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution", NULL},
        {"spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm"},
        {"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution", NULL},
        {"spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm"},
        {"spec.topologySpreadConstraints", NULL},
    };
    const struct json *labels = json_get(o, "metadata.labels");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *list = json_get(o, lists[i].path);
        if (json_len(list) > 0) o = json_with(c->r->arena, o, lists[i].path, each_term(c, list, labels, lists[i].inner));
    }
    return o;
}

struct error *pod_begin(struct change *c) {
    if (c->operation == OP_CREATE) c->object = merge_label_keys(c, c->object);
    return NULL;
}

/* ---- update ---- */

const struct json *pod_update(struct change *c, const struct json *o, const struct json *old) {
    const struct json *status = json_member(old, "status");
    return status ? json_with_member(c->r->arena, o, "status", status) : o;
}

/* The old containers with what a resize may change; as they are if names have changed, for validation to say so. */
static const struct json *resized(struct arena *a, const struct json *now, const struct json *old) {
    static const char *const mutable[] = {"resources", "resizePolicy"};
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < json_len(now); i++) {
        const struct json *c = json_at(old, i), *wanted = json_at(now, i);
        if (!str_eq(json_str(c, "name"), json_str(wanted, "name"))) return now;
        for (size_t k = 0; k < ARRAY_LEN(mutable); k++) {
            const struct json *v = json_member(wanted, mutable[k]);
            c = v ? json_with_member(a, c, mutable[k], v) : json_without_member(a, c, mutable[k]);
        }
        json_array_add(&out, c);
    }
    return json_array_done(&out);
}

/* dropNonResizeUpdates */
const struct json *pod_resize(struct change *c, const struct json *o, const struct json *old) {
    static const char *const lists[] = {"containers", "initContainers"}, *const kept[] = {"labels", "annotations", "finalizers", "ownerReferences"};
    struct arena *a = c->r->arena;
    const struct json *now = json_member(o, "spec"), *spec = json_member(old, "spec"), *out = old;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (json_len(json_member(now, lists[i])) != json_len(json_member(spec, lists[i]))) return o;
        if (json_len(json_member(now, lists[i]))) spec = json_with_member(a, spec, lists[i], resized(a, json_member(now, lists[i]), json_member(spec, lists[i])));
    }
    out = json_with_member(a, json_with_member(a, out, "spec", spec), "metadata", json_member(o, "metadata"));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *had = json_member(json_member(old, "metadata"), kept[i]);
        out = had ? with_meta(a, out, kept[i], had) : without_meta(a, out, kept[i]);
    }
    return out;
}

const struct json *pod_status(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    o = json_with_member(a, o, "spec", json_member(old, "spec"));
    const struct json *owners = json_get(old, "metadata.ownerReferences");
    o = owners ? with_meta(a, o, "ownerReferences", owners) : without_meta(a, o, "ownerReferences");
    const struct json *deleted = json_get(old, "metadata.deletionTimestamp");
    o = deleted ? with_meta(a, o, "deletionTimestamp", deleted) : without_meta(a, o, "deletionTimestamp");
    const char *qos = json_str(old, "status.qosClass");
    if (json_str(o, "status.qosClass") == NULL) o = json_with(a, o, "status.qosClass", json_string(a, qos ? qos : pod_qos(o)));
    return o;
}

/* A pod that runs nowhere needs no grace. */
int64_t pod_grace(const struct json *o, int64_t wanted) {
    const char *phase = json_str_or(o, "status.phase", "");
    if (!*json_str_or(o, "spec.nodeName", "") || strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0) return 0;
    return wanted >= 0 ? wanted : json_int(o, "spec.terminationGracePeriodSeconds", 30);
}
