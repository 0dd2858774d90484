/* Pods as they are created and changed: the object, its status, ephemeral containers, resizes, bindings. */
#include "apiserver/validation/rules.h"
#include "schema/pod.h"

#define MIRROR "kubernetes.io/config.mirror"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"

static bool is_mirror(const struct json *pod) { return json_member(json_get(pod, "metadata.annotations"), MIRROR) != NULL; }

static void metadata_and_spec(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *meta = json_member(o, "metadata"), *spec = json_member(o, "spec");
    pod_annotations(e, FIELD(META, "annotations"), json_member(meta, "annotations"), spec);
    pod_spec(e, SPEC, spec, meta, json_member(old, "spec"), true);
    size_t i = 0;
    JSON_EACH(v, *str_of(spec, "serviceAccountName") ? NULL : json_member(spec, "volumes")) {
        const struct field_path *at = FIELD(FIELD(FIELD_INDEX(FIELD(SPEC, "volumes"), i), "projected"), "sources");
        size_t k = 0;
        i++;
        JSON_EACH(s, json_get(v, "projected.sources")) {
            if (has(s, "serviceAccountToken"))
                field_forbidden(e, FIELD(FIELD_INDEX(at, k), "serviceAccountToken"), "must not be specified when serviceAccountName is not set");
            k++;
        }
    }
    containers_trimmed(e, SPEC, spec);
}

static void annotation_changes(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct field_path *p = FIELD(META, "annotations");
    const struct json *now = json_get(o, "metadata.annotations"), *was = json_get(old, "metadata.annotations");
    JSON_EACH_MEMBER(m, was) {
        if (json_equal(json_member(now, m->key), &m->value)) continue;
        if (str_starts(m->key, APPARMOR)) field_forbidden(e, FIELD_KEY(p, m->key), "may not remove or update AppArmor annotations");
        if (strcmp(m->key, MIRROR) == 0) field_forbidden(e, FIELD_KEY(p, m->key), "may not remove or update mirror pod annotation");
    }
    JSON_EACH_MEMBER(m, now) {
        if (json_member(was, m->key)) continue;
        if (str_starts(m->key, APPARMOR)) field_forbidden(e, FIELD_KEY(p, m->key), "may not add AppArmor annotations");
        if (strcmp(m->key, MIRROR) == 0) field_forbidden(e, FIELD_KEY(p, m->key), "may not add mirror pod annotation");
    }
    pod_annotations(e, p, now, json_member(o, "spec"));
}

/* ---- update ---- */

static bool same_containers(struct field_errors *e, const struct json *now, const struct json *was, const char *name) {
    const struct field_path *p = FIELD(SPEC, name);
    const struct json *list = json_member(now, name);
    size_t i = 0;
    if (json_len(list) != json_len(json_member(was, name))) {
        field_forbidden(e, p, "pod updates may not add or remove containers");
        return false;
    }
    JSON_EACH(c, list) {
        const char *image = str_of(c, "image");
        size_t n = strlen(image);
        const struct field_path *at = FIELD(FIELD_INDEX(p, i), "image");
        i++;
        if (n == 0) field_required(e, at, "");
        else if (strchr(" \t\n\r\v\f", image[0]) || strchr(" \t\n\r\v\f", image[n - 1])) field_invalid_str(e, at, image, "must not have leading or trailing whitespace");
    }
    return true;
}

/* Deadlines may only come nearer. False: that was all. */
static bool deadline(struct field_errors *e, const struct json *now, const struct json *was) {
    const struct field_path *at = FIELD(SPEC, "activeDeadlineSeconds");
    int64_t n = json_int(now, "activeDeadlineSeconds", 0), before = json_int(was, "activeDeadlineSeconds", INT64_MAX);
    if (!has(now, "activeDeadlineSeconds")) {
        if (has(was, "activeDeadlineSeconds")) field_invalid(e, at, &json_null, "must not update from a positive integer to nil value");
        return true;
    }
    if (n < 0 || n > INT32_MAX) field_invalid_int(e, at, n, "must be between 0 and 2147483647, inclusive");
    else if (before < n) field_invalid_int(e, at, n, "must be less than or equal to previous value");
    else return true;
    return false;
}

static void only_added_tolerations(struct field_errors *e, const struct json *now, const struct json *was) {
    const struct field_path *at = FIELD(SPEC, "tolerations");
    JSON_EACH(t, was) {
        bool found = false;
        JSON_EACH(n, now) found |= json_semantic_equal(json_without_member(e->arena, t, "tolerationSeconds"), json_without_member(e->arena, n, "tolerationSeconds"));
        if (found) continue;
        field_forbidden(e, at, "existing toleration can not be modified except its tolerationSeconds");
        return;
    }
    tolerations(e, at, now);
}

static void only_deleted_gates(struct field_errors *e, const struct json *now, const struct json *was) {
    size_t i = 0;
    JSON_EACH(g, now) {
        if (!named_item(was, str_of(g, "name")))
            field_forbidden(e, FIELD(FIELD_INDEX(FIELD(SPEC, "schedulingGates"), i), "name"), "only deletion is allowed, but found new scheduling gate '%s'", str_of(g, "name"));
        i++;
    }
}

static const struct json *put(struct arena *a, const struct json *o, const char *name, const struct json *v) {
    return v ? json_with_member(a, o, name, v) : json_without_member(a, o, name);
}

static const struct json *with_old_images(struct arena *a, const struct json *now, const struct json *was, const char *name) {
    struct json_array out = {.arena = a};
    size_t i = 0;
    JSON_EACH(c, json_member(now, name)) json_array_add(&out, put(a, c, "image", json_member(json_at(json_member(was, name), i++), "image")));
    return put(a, now, name, out.len ? json_array_done(&out) : NULL);
}

static bool begins_with(const struct json *now, const struct json *was) {
    for (size_t i = 0; i < json_len(was); i++) if (!json_semantic_equal(json_at(now, i), json_at(was, i))) return false;
    return true;
}

static void affinity_mutation(struct field_errors *e, const struct json *now, const struct json *was) {
    const struct json *a = json_get(now, "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    const struct json *b = json_get(was, "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    const struct field_path *at = FIELD(FIELD(FIELD(FIELD(SPEC, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms");
    if (json_len(b) == 0) return;
    if (json_len(a) != json_len(b)) {
        field_invalid(e, at, go_form(e->arena, "core/v1/NodeSelectorTerm", a), "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
        return;
    }
    for (size_t i = 0; i < json_len(b); i++) {
        const struct json *x = json_at(a, i), *y = json_at(b, i);
        bool was_empty = !json_len(json_member(y, "matchExpressions")) && !json_len(json_member(y, "matchFields"));
        bool ok = was_empty ? !json_len(json_member(x, "matchExpressions")) && !json_len(json_member(x, "matchFields"))
                            : begins_with(json_member(x, "matchExpressions"), json_member(y, "matchExpressions")) &&
                                  begins_with(json_member(x, "matchFields"), json_member(y, "matchFields"));
        if (!ok) field_invalid(e, FIELD_INDEX(at, i), go_form(e->arena, "core/v1/NodeSelectorTerm", x), "only additions are allowed (no mutations or deletions)");
    }
}

/* A pod that waits at gates may be told more exactly where to run. */
static const struct json *gated_changes(struct field_errors *e, const struct json *now, const struct json *was) {
    struct arena *a = e->arena;
    const struct json *selector = json_member(now, "nodeSelector"), *old_selector = json_member(was, "nodeSelector");
    if (!json_semantic_equal(selector, old_selector)) {
        bool ok = true;
        JSON_EACH_MEMBER(m, old_selector) ok &= json_equal(json_member(selector, m->key), &m->value);
        if (!ok) field_invalid(e, FIELD(SPEC, "nodeSelector"), selector ? selector : &json_null, "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
        now = put(a, now, "nodeSelector", old_selector);
    }
    const struct json *mine = json_get(now, "affinity.nodeAffinity"), *theirs = json_get(was, "affinity.nodeAffinity"), *all = json_member(now, "affinity");
    if (same_as("core/v1/NodeAffinity", mine, theirs)) return now;
    affinity_mutation(e, mine, theirs);
    if (all == NULL) return theirs ? json_with_member(a, now, "affinity", json_make(a, "{'nodeAffinity':%v}", theirs)) : now;
    if (!has(was, "affinity") && !has(all, "podAffinity") && !has(all, "podAntiAffinity")) return json_without_member(a, now, "affinity");
    return json_with_member(a, now, "affinity", put(a, all, "nodeAffinity", theirs));
}

#define UPDATABLE                                                                                                                            \
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing " \
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

static void spec_changes(struct field_errors *e, const struct json *now, const struct json *was) {
    struct arena *a = e->arena;
    if (!same_containers(e, now, was, "containers") || !same_containers(e, now, was, "initContainers") || !deadline(e, now, was)) return;
    only_added_tolerations(e, json_member(now, "tolerations"), json_member(was, "tolerations"));
    only_deleted_gates(e, json_member(now, "schedulingGates"), json_member(was, "schedulingGates"));
    if (same_as("core/v1/PodSpec", now, was)) return;
    const struct json *munged = with_old_images(a, with_old_images(a, now, was, "containers"), was, "initContainers");
    static const char *const kept[] = {"activeDeadlineSeconds", "schedulingGates", "tolerations"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) munged = put(a, munged, kept[i], json_member(was, kept[i]));
    if (json_int(was, "terminationGracePeriodSeconds", 0) < 0 && json_int(munged, "terminationGracePeriodSeconds", 0) == 1)
        munged = put(a, munged, "terminationGracePeriodSeconds", json_member(was, "terminationGracePeriodSeconds"));
    if (json_len(json_member(was, "schedulingGates"))) munged = gated_changes(e, munged, was);
    if (same_as("core/v1/PodSpec", munged, was)) return;
    const struct json *x = go_form(a, "core/v1/PodSpec", was), *y = go_form(a, "core/v1/PodSpec", munged);
    field_forbidden(e, SPEC, "pod updates may not change fields other than " UPDATABLE "\n%s", go_diff(a, x, y));
}

void validate_pod(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec");
    metadata_and_spec(e, o, old);
    if (old) {
        annotation_changes(e, o, old);
        spec_changes(e, spec, json_member(old, "spec"));
        return;
    }
    if (json_len(json_member(spec, "ephemeralContainers"))) field_forbidden(e, FIELD(SPEC, "ephemeralContainers"), "cannot be set on create");
    if (*str_of(spec, "nodeName") && json_len(json_member(spec, "schedulingGates")))
        field_forbidden(e, FIELD(SPEC, "nodeName"), "cannot be set until all schedulingGates have been cleared");
    pod_template_annotations(e, NULL, o, SPEC);
}

/* ---- ephemeral containers ---- */

/* Errors of static pods stand alone. */
static bool static_pod(struct field_errors *e, const struct json *old, const char *why) {
    if (!is_mirror(old)) return false;
    e->len = 0;
    field_forbidden(e, FIELD_KEY(NULL, ""), "%s", why);
    return true;
}

void validate_pod_ephemeral(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct field_path *p = FIELD(SPEC, "ephemeralContainers");
    metadata_and_spec(e, o, old);
    annotation_changes(e, o, old);
    if (static_pod(e, old, "static pods do not support ephemeral containers")) return;
    JSON_EACH(was, json_get(old, "spec.ephemeralContainers")) {
        const char *name = status_quote(e->arena, str_of(was, "name"));
        const struct json *now = named_item(json_get(o, "spec.ephemeralContainers"), str_of(was, "name"));
        if (!now) field_forbidden(e, p, "existing ephemeral containers %s may not be removed\n", name);
        else if (!same_as("core/v1/EphemeralContainer", now, was))
            field_forbidden(e, p, "existing ephemeral containers %s may not be changed\n%s", name,
                            go_diff(e->arena, go_form(e->arena, "core/v1/EphemeralContainer", was), go_form(e->arena, "core/v1/EphemeralContainer", now)));
    }
}

/* ---- resize ---- */

static bool removed(const struct json *now, const struct json *was) {
    if (json_len(was) > json_len(now)) return true;
    JSON_EACH_MEMBER(m, was) if (!json_member(now, m->key)) return true;
    return false;
}

/* The container with the old cpu and memory, and without claims, as upstream compares them. */
static const struct json *without_compute(struct arena *a, const struct json *now, const struct json *was) {
    static const char *const lists[] = {"limits", "requests"}, *const names[] = {"cpu", "memory"};
    const struct json *out = &json_empty_object;
    for (size_t i = 0; i < 2; i++) {
        const struct json *list = json_member(json_member(now, "resources"), lists[i]), *old = json_member(json_member(was, "resources"), lists[i]);
        if (!list && !old) continue;
        if (!list) list = &json_empty_object;
        for (size_t k = 0; k < 2; k++) list = put(a, list, names[k], json_member(old, names[k]));
        out = json_with_member(a, out, lists[i], list);
    }
    return json_with_member(a, now, "resources", out);
}

static bool same_names(struct field_errors *e, const struct json *now, const struct json *was, const char *kind) {
    const struct json *list = json_member(now, kind), *old = json_member(was, kind);
    size_t before = e->len;
    if (json_len(list) != json_len(old)) field_forbidden(e, FIELD(SPEC, kind), "%s may not be added or removed on resize", kind);
    for (size_t i = 0; json_len(list) == json_len(old) && i < json_len(old); i++)
        if (strcmp(str_of(json_at(list, i), "name"), str_of(json_at(old, i), "name")) != 0)
            field_forbidden(e, FIELD(FIELD_INDEX(FIELD(SPEC, kind), i), "name"), "%s may not be renamed or reordered on resize", kind);
    return e->len == before;
}

static void resized(struct field_errors *e, const struct json *now, const struct json *was, const char *kind) {
    bool init = *kind == 'i';
    for (size_t i = 0; i < json_len(json_member(was, kind)); i++) {
        const struct json *x = json_at(json_member(now, kind), i), *y = json_at(json_member(was, kind), i);
        const struct field_path *p = FIELD(FIELD_INDEX(FIELD(SPEC, kind), i), "resources");
        if (init && !json_str_is(y, "restartPolicy", "Always")) continue;
        if (removed(json_get(x, "resources.requests"), json_get(y, "resources.requests"))) field_forbidden(e, FIELD(p, "requests"), "resource requests cannot be removed");
        if (removed(json_get(x, "resources.limits"), json_get(y, "resources.limits"))) field_forbidden(e, FIELD(p, "limits"), "resource limits cannot be removed");
    }
}

static const struct json *compare_resized(struct field_errors *e, const struct json *now, const struct json *was, const char *kind) {
    struct json_array out = {.arena = e->arena};
    size_t i = 0;
    JSON_EACH(c, json_member(now, kind)) {
        const struct json *y = json_at(json_member(was, kind), i++);
        bool init = *kind == 'i', sidecar = json_str_is(c, "restartPolicy", "Always");
        const struct json *x = init && !sidecar ? c : without_compute(e->arena, c, y);
        if (!same_as("core/v1/Container", x, y))
            field_forbidden(e, SPEC, "%s", !init ? "only cpu and memory resources are mutable" : sidecar ? "only cpu and memory resources for sidecar containers are mutable"
                                                                                                 : "resources for non-sidecar init containers are immutable");
        json_array_add(&out, x);
    }
    return out.len ? json_with_member(e->arena, now, kind, json_array_done(&out)) : now;
}

void validate_pod_resize(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *now = json_member(o, "spec"), *was = json_member(old, "spec");
    metadata_and_spec(e, o, old);
    if (static_pod(e, old, "static pods cannot be resized")) return;
    if (json_str_is(was, "os.name", "windows")) {
        e->len = 0;
        field_forbidden(e, FIELD_KEY(NULL, ""), "windows pods cannot be resized");
        return;
    }
    const char *qos = str_of(json_member(old, "status"), "qosClass");
    if (strcmp(*qos ? qos : pod_qos(old), pod_qos(o)) != 0)
        field_invalid_str(e, SPEC, json_str_or(o, "status.qosClass", ""), "Pod QOS Class may not change as a result of resizing");
    JSON_EACH(s, json_get(old, "status.containerStatuses")) {
        if (!has(s, "state.running")) continue;
        if (!has(s, "resources")) field_forbidden(e, SPEC, "Pod running on node without support for resize");
        break;
    }
    if (json_len(json_get(was, "resources.requests")) + json_len(json_get(was, "resources.limits")) + json_len(json_get(now, "resources.requests")) + json_len(json_get(now, "resources.limits"))) {
        field_forbidden(e, FIELD_KEY(NULL, ""), "resize of pods with pod-level resources is forbidden when InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled");
        return;
    }
    bool a = same_names(e, now, was, "containers"), b = same_names(e, now, was, "initContainers");
    if (!a || !b) return;
    resized(e, now, was, "initContainers");
    resized(e, now, was, "containers");
    const struct json *munged = compare_resized(e, compare_resized(e, now, was, "containers"), was, "initContainers");
    if (e->len == 0 && !same_as("core/v1/PodSpec", munged, was)) field_forbidden(e, SPEC, "only cpu and memory resources are mutable");
}

void validate_binding(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const char *kind = json_str_or(o, "target.kind", "");
    const struct field_path *p = FIELD(NULL, "target");
    if (*kind && strcmp(kind, "Node") != 0) unsupported(e, FIELD(p, "kind"), kind, "Node <empty>");
    need(e, p, json_member(o, "target"), "name");
}
