#include "node/resize.h"
#include <stdio.h>
#include "base/log.h"
#include "node/cgroups.h"
#include "node/pods.h"

#define LOG_COMPONENT "node"

struct resize_state {
    const char *pending;      /* static text: "Infeasible", "Deferred"; NULL: nothing pends */
    char message[256];
    int64_t judged;           /* generation that has been judged */
    bool actuate, in_progress;
    int64_t generation;
};

static const char *const lists[] = {"containers", "initContainers"};

static const struct json *with_resources(struct arena *a, const struct json *pod, const struct json *from) {
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        const struct json *containers = json_member(json_member(pod, "spec"), lists[l]);
        for (size_t i = 0; i < json_len(containers); i++) {
            const struct json *c = json_at(containers, i), *old = pod_container(from, json_str_or(c, "name", ""), NULL);
            if (!old || json_equal(json_member(c, "resources"), json_member(old, "resources"))) continue;
            const struct json *resources = json_member(old, "resources");
            containers = json_with_item(a, containers, i, json_with(a, c, "resources", resources ? resources : &json_empty_object));
        }
        if (containers) pod = json_with(a, pod, arena_printf(a, "spec.%s", lists[l]), containers);
    }
    return pod;
}

static bool same_resources(const struct json *x, const struct json *y) {
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        JSON_EACH(c, json_member(json_member(x, "spec"), lists[l]))
            if (!json_semantic_equal(json_member(c, "resources"), json_member(pod_container(y, json_str_or(c, "name", ""), NULL), "resources")))
                return false;
    return true;
}

/* As upstream tells it in events: the containers with their resources, the generation, perhaps the error. */
static const char *describe(struct arena *a, const struct json *pod, const char *error) {
    struct json_array containers = {.arena = a};
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        struct json_object resources = {.arena = a};
        static const char *const kinds[] = {"limits", "requests"};
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
            struct json_object amounts = {.arena = a};
            JSON_EACH_MEMBER(m, json_member(json_member(c, "resources"), kinds[k])) {
                struct quantity q = quantity_of(&m->value);
                json_object_add(&amounts, m->key, json_string(a, quantity_format(a, &q)));
            }
            if (amounts.len) json_object_add(&resources, kinds[k], json_object_done(&amounts));
        }
        json_array_add(&containers, json_make(a, "{'name':%v,'resources':%v}", json_member(c, "name"), json_object_done(&resources)));
    }
    return json_text(a, json_make(a, "{'containers':%v,'generation':%ld,'error':%s}", json_array_done(&containers),
                                  json_int(pod, "metadata.generation", 0), error));
}

/* Can the node ever hold it; can it now? */
static const char *judge(struct pod_worker *w, const struct json *pod, char message[256]) {
    static const char *const names[] = {"cpu", "memory"};
    const char *verdict = NULL;
    LOCK(w->node);
    struct doc *node = w->node->object ? doc_ref(w->node->object) : NULL;
    UNLOCK(w->node);
    cleanup_doc struct doc *hold = node;
    struct pod_worker **others = pods_list(w->node);
    for (size_t i = 0; i < ARRAY_LEN(names) && !verdict; i++) {
        struct quantity have = quantity_of(json_member(json_get(node ? node->root : NULL, "status.allocatable"), names[i]));
        struct quantity want = pod_request(pod, names[i]);
        int64_t capacity = i ? quantity_value(&have) : quantity_milli_value(&have), wanted = i ? quantity_value(&want) : quantity_milli_value(&want), used = 0;
        for (struct pod_worker **o = others; *o; o++) {
            if (*o == w || (*o)->finished || (*o)->rejected) continue;
            cleanup_doc struct doc *d = (*o)->allocated ? doc_ref((*o)->allocated) : worker_pod(*o);
            struct quantity q = pod_request(d->root, names[i]);
            used += i ? quantity_value(&q) : quantity_milli_value(&q);
        }
        if (wanted > capacity) {
            verdict = "Infeasible";
            snprintf(message, 256, "Node didn't have enough capacity: %s, requested: %lld, capacity: %lld", names[i], (long long)wanted, (long long)capacity);
        } else if (used + wanted > capacity) {
            verdict = "Deferred";
            snprintf(message, 256, "Node didn't have enough resource: %s, requested: %lld, used: %lld, capacity: %lld", names[i], (long long)wanted,
                     (long long)used, (long long)capacity);
        }
    }
    pods_list_free(others);
    return verdict;
}

static void allocate(struct pod_worker *w, struct arena *a, const struct json *pod, bool resized) {
    doc_unref(w->allocated);
    w->allocated = doc_new(pod);
    w->resize->pending = NULL;
    if (!resized) return;
    w->resize->actuate = true;
    w->resize->generation = json_int(pod, "metadata.generation", 0);
    worker_event(w, "Normal", "ResizeStarted", "Pod resize started: %s", describe(a, pod, NULL));
}

const struct json *resize_admit(struct pod_worker *w, struct arena *a, const struct json *pod) {
    if (!w->resize) w->resize = xcalloc(1, sizeof(*w->resize));
    int64_t generation = json_int(pod, "metadata.generation", 0);
    bool live = json_member(json_member(pod, "status"), "containerStatuses") && w->state == WORKER_SYNC;
    if (!w->allocated || (same_resources(pod, w->allocated->root) && !w->resize->pending) || !live) {
        if (!w->allocated || live) {
            doc_unref(w->allocated);
            w->allocated = doc_new(pod);
        }
        return pod;
    }
    if (same_resources(pod, w->allocated->root)) { /* taken back */
        allocate(w, a, pod, false);
        return pod;
    }
    bool first = w->resize->judged != generation;
    w->resize->judged = generation;
    const char *verdict = judge(w, pod, w->resize->message);
    if (!verdict) {
        allocate(w, a, pod, true);
        return pod;
    }
    if (first || w->resize->pending != verdict)
        worker_event(w, "Warning", str_eq(verdict, "Infeasible") ? "ResizeInfeasible" : "ResizeDeferred", "Pod resize %s: %s", verdict,
                     describe(a, pod, w->resize->message));
    w->resize->pending = verdict;
    return with_resources(a, pod, w->allocated->root);
}

static bool wants_restart(const struct json *container) {
    JSON_EACH(p, json_member(container, "resizePolicy"))
        if (json_str_is(p, "restartPolicy", "RestartContainer")) return true;
    return false;
}

void resize_actuate(struct pod_worker *w, const struct json *pod, const struct pod_runtime *r) {
    if (!w->resize->actuate) return;
    cleanup_arena struct arena a = {0};
    w->resize->actuate = false;
    struct error *e = cgroup_pod_update(w->node, pod);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        JSON_EACH(c, json_member(json_member(pod, "spec"), lists[l])) {
            const struct runtime_container *k = runtime_container(r, json_str_or(c, "name", ""));
            if (!k || k->state != CONTAINER_RUNNING || e) continue;
            if (wants_restart(c)) container_kill(w, k, arena_printf(&a, "Container %s resize requires restart", k->name), -1);
            else e = cri_call(w->node->cri, CRI_UPDATE_CONTAINER_RESOURCES, &a,
                              json_make(&a, "{'container_id':%s,'linux':%v}", k->id, linux_resources(&a, pod, c)), 0, NULL);
        }
    if (!e) e = cgroup_pod_update(w->node, pod); /* a smaller pod limit is possible only after its containers' */
    if (e) log_warn("resizing pod %s: %s", pod_describe(&a, pod), e->message);
    error_free(e);
    w->resize->in_progress = false;
    worker_event(w, "Normal", "ResizeCompleted", "Pod resize completed: %s", describe(&a, pod, NULL));
}

const struct json *resize_status_resources(struct arena *a, const struct json *container) {
    const struct json *r = json_member(container, "resources");
    return r ? json_without_member(a, r, "claims") : &json_empty_object;
}

const struct json *resize_allocated(const struct json *container) {
    const struct json *r = json_get(container, "resources.requests");
    return json_len(r) ? r : NULL;
}

const struct json *resize_conditions(struct pod_worker *w, struct arena *a, const struct json *pod) {
    if (!w->resize || !w->resize->pending) return condition_remove(a, pod, "PodResizePending");
    struct condition c = {.type = "PodResizePending", .status = "True", .reason = w->resize->pending, .message = w->resize->message,
                          .probe_time = true, .probe_now = true, .observed_generation = json_int(pod, "metadata.generation", 0)};
    return condition_set(a, pod, &c, node_now(w->node));
}
