/* Workloads: controllers of pods, jobs, budgets, endpoint slices. */
#include "apiserver/strategy.h"

static const struct json *template_generation(struct change *c, const struct json *o, int64_t g) {
    struct arena *a = c->r->arena;
    const struct json *annotations = json_get(o, "metadata.annotations");
    return with_meta(a, o, "annotations", json_with_member(a, annotations ? annotations : &json_empty_object, "deprecated.daemonset.template.generation",
                                                           json_strf(a, "%ld", (long)g)));
}

const struct json *daemonset_create(struct change *c, const struct json *o) {
    return template_generation(c, o, 1);
}

static int64_t generation_of(const struct json *o) {
    int64_t g = 1;
    str_to_int64(json_str_or(json_member(json_get(o, "metadata.annotations"), "deprecated.daemonset.template.generation"), NULL, "1"), &g);
    return g;
}

const struct json *daemonset_update(struct change *c, const struct json *o, const struct json *old) {
    bool same = schema_semantic_equal(type_find("core/v1/PodTemplateSpec"), json_get(o, "spec.template"), json_get(old, "spec.template"));
    return template_generation(c, o, same ? generation_of(old) : generation_of(old) + 1);
}

const struct json *daemonset_status(struct change *c, const struct json *o, const struct json *old) {
    return template_generation(c, o, generation_of(old));
}

/* A job selects its pods by its own uid unless the user chose the selector (pkg/registry/batch/job/strategy.go). */
static const struct json *generate_selector(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    if (json_bool(o, "spec.manualSelector", false)) return o;
    const char *uid = meta_str(o, "uid"), *name = meta_str(o, "name");
    const struct json *labels = json_get(o, "spec.template.metadata.labels"), *own = json_get(o, "metadata.labels");
    bool shared = json_len(own) > 0 && own->members == json_members_(labels); /* defaulted: upstream lets both be one map */
    static const char *const keys[] = {"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"};
    if (labels == NULL) labels = &json_empty_object;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *value = i % 2 ? name : uid;
        if (json_member(labels, keys[i]) == NULL) labels = json_with_member(a, labels, keys[i], json_string(a, value));
    }
    o = json_with(a, o, "spec.template.metadata.labels", labels);
    if (shared) o = with_meta(a, o, "labels", labels);
    const struct json *match = json_get(o, "spec.selector.matchLabels");
    if (match == NULL) match = &json_empty_object;
    if (json_member(match, keys[0]) == NULL) match = json_with_member(a, match, keys[0], json_string(a, uid));
    return json_with(a, o, "spec.selector.matchLabels", match);
}

const struct json *job_create(struct change *c, const struct json *o) { return generate_selector(c, o); }

/* Defaulting runs again when upstream reads what it has stored. */
const struct json *job_stored(struct change *c, const struct json *o) {
    const struct json *labels = json_get(o, "spec.template.metadata.labels");
    return json_len(labels) > 0 && json_len(json_get(o, "metadata.labels")) == 0 ? with_meta(c->r->arena, o, "labels", labels) : o;
}
