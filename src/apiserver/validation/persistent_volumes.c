/* Persistent volumes and claims. */
#include "apiserver/validation/rules.h"

#define ACCESS_MODES "ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod"

static void access_modes(RULE, const char *why) {
    const struct field_path *at = FIELD(p, "accessModes");
    bool pod_only = false, other = false;
    need_why(e, p, o, "accessModes", why);
    JSON_EACH(m, json_member(o, "accessModes")) {
        if (!word_in(text_of(m), ACCESS_MODES)) unsupported(e, at, text_of(m), ACCESS_MODES);
        else if (json_str_is(m, NULL, "ReadWriteOncePod")) pod_only = true;
        else other = true;
    }
    if (pod_only && other) field_forbidden(e, at, "may not use ReadWriteOncePod with other access modes");
}

static void basic_resource(struct field_errors *e, const struct field_path *p, const struct json *q) {
    struct quantity v = quantity_of(q);
    if (quantity_value(&v) < 0) field_invalid_int(e, p, quantity_value(&v), "must be a valid resource quantity");
}

static void capacity(RULE) {
    const struct field_path *at = FIELD(p, "capacity");
    const struct json *c = json_member(o, "capacity");
    need(e, p, o, "capacity");
    if (!has(c, "storage") || json_len(c) > 1) field_not_supported(e, at, c ? c : &json_null, (const char *const[]){"storage", NULL});
    JSON_EACH_MEMBER(m, c) {
        basic_resource(e, FIELD_KEY(at, m->key), &m->value);
        quantity_positive(e, FIELD_KEY(at, m->key), &m->value);
    }
}

static void volume_affinity(RULE) {
    if (has(o, "required")) node_selector(e, FIELD(p, "required"), json_member(o, "required"));
    else field_required(e, FIELD(p, "required"), "must specify required node constraints");
}

/* path.Clean(s) is "/". */
static bool is_root(const char *s) {
    int depth = 0;
    for (; *s; s += strspn(s, "/")) {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.') depth -= depth > 0;
        else if (n > 1 || (n == 1 && *s != '.')) depth++;
        s += n;
    }
    return depth == 0;
}

static void volume_spec(RULE, const char *name) {
    const char *policy = str_of(o, "persistentVolumeReclaimPolicy"), *path = json_str(o, "hostPath.path");
    access_modes(e, p, o, "");
    capacity(e, p, o);
    if (*policy) choice(e, p, o, "persistentVolumeReclaimPolicy", "Delete Recycle Retain");
    rule_at(e, p, o, "nodeAffinity", volume_affinity);
    volume_source(e, p, o, name);
    if (path && *path && is_root(path) && strcmp(policy, "Recycle") == 0)
        field_forbidden(e, FIELD(p, "persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'");
    named(e, p, o, "storageClassName", name_dns1123_subdomain);
    choice(e, p, o, "volumeMode", "Block Filesystem");
    if (!has(o, "volumeAttributesClassName")) return;
    if (need_why(e, p, o, "volumeAttributesClassName", "an empty string is disallowed")) named(e, p, o, "volumeAttributesClassName", name_dns1123_subdomain);
    if (!has(o, "csi")) field_required(e, FIELD(p, "csi"), "has to be specified when using volumeAttributesClassName");
}

/* A volume that stands in an attachment itself: what migrated in-tree volumes become. */
void inline_volume_spec(RULE) {
    static const char why[] = "may not be specified in the context of inline volumes";
    const char *policy = str_of(o, "persistentVolumeReclaimPolicy"), *mode = str_of(o, "volumeMode");
    forbid(e, p, o, "claimRef", why);
    if (json_len(json_member(o, "capacity"))) forbid(e, p, o, "capacity", why);
    if (!has(o, "csi")) field_required(e, FIELD(p, "csi"), "has to be specified in the context of inline volumes");
    access_modes(e, p, o, "");
    if (*policy && !str_eq(policy, "Retain"))
        field_forbidden(e, FIELD(p, "persistentVolumeReclaimPolicy"), "may only be Retain in the context of inline volumes");
    forbid(e, p, o, "nodeAffinity", why);
    volume_source(e, p, o, "");
    if (*str_of(o, "storageClassName")) forbid(e, p, o, "storageClassName", why);
    if (*mode && !str_eq(mode, "Filesystem"))
        field_forbidden(e, FIELD(p, "volumeMode"), "may not specify volumeMode other than Filesystem in the context of inline volumes");
}

static const struct json *source_form(struct arena *a, const struct json *spec) {
    return go_form_of(a, type_find("core/v1/PersistentVolumeSpec"), spec, PV_SOURCE_ORDER);
}

/* Upstream takes the successor from a map: labels that have none may change to "". */
static bool label_same(const char *now, const char *old) {
    static const char *const renamed[][2] = {
        {"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"}, {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
        {"beta.kubernetes.io/os", "kubernetes.io/os"}, {"beta.kubernetes.io/arch", "kubernetes.io/arch"},
        {"beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"}};
    const char *successor = "";
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) if (strcmp(old, renamed[i][0]) == 0) successor = renamed[i][1];
    return strcmp(now, old) == 0 || strcmp(now, successor) == 0;
}

/* An affinity may change only from a beta label to its stable successor. */
static bool affinity_same(const struct json *now, const struct json *old) {
    if (json_len(now) == 0 || json_len(now) != json_len(old)) return json_semantic_equal(now, old);
    for (size_t i = 0; json_is(now, JSON_ARRAY) && i < now->len; i++) if (!affinity_same(json_at(now, i), json_at(old, i))) return false;
    JSON_EACH_MEMBER(m, now) {
        const struct json *was = json_member(old, m->key);
        bool same = strcmp(m->key, "key") == 0 ? label_same(text_of(&m->value), text_of(was)) : affinity_same(&m->value, was);
        if (!same) return false;
    }
    return true;
}

void validate_volume(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec"), *compared = spec;
    volume_spec(e, SPEC, spec, json_str_or(o, "metadata.name", ""));
    if (old == NULL) return;
    if (has(was, "csi") && !has(was, "csi.controllerExpandSecretRef") && has(spec, "csi.controllerExpandSecretRef"))
        compared = json_without(e->arena, spec, "csi.controllerExpandSecretRef");
    const struct json *a = source_form(e->arena, was), *b = source_form(e->arena, compared);
    if (!json_semantic_equal(a, b))
        field_forbidden(e, FIELD(SPEC, "persistentvolumesource"), "spec.persistentvolumesource is immutable after creation\n%s", go_diff(e->arena, a, b));
    fixed(e, FIELD(NULL, "volumeMode"), json_member(spec, "volumeMode"), json_member(was, "volumeMode"));
    const struct json *affinity = json_member(spec, "nodeAffinity");
    if (has(was, "nodeAffinity") && !affinity_same(affinity, json_member(was, "nodeAffinity")))
        field_invalid(e, FIELD(NULL, "nodeAffinity"), go_form(e->arena, "core/v1/VolumeNodeAffinity", affinity), "field is immutable, except for updating from beta label to GA");
    if (has(was, "volumeAttributesClassName") && !has(spec, "volumeAttributesClassName"))
        field_forbidden(e, FIELD(SPEC, "volumeAttributesClassName"), "update from non-nil value to nil is forbidden");
}

void validate_volume_status(struct field_errors *e, const struct json *o, const struct json *old) { (void)e, (void)o, (void)old; }

/* ---- claims ---- */

static void data_source(RULE) {
    const char *group = str_of(o, "apiGroup"), *kind = str_of(o, "kind");
    need(e, p, o, "name kind");
    if (!*group && strcmp(kind, "PersistentVolumeClaim") != 0) field_invalid_str(e, p, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    named(e, p, o, "apiGroup", name_dns1123_subdomain);
    named(e, p, o, "namespace", name_dns1123_label);
}

void claim_template_meta(RULE) {
    validate_annotations(e, FIELD(p, "annotations"), json_member(o, "annotations"));
    validate_labels(e, FIELD(p, "labels"), json_member(o, "labels"));
    static const char *const others[] = {"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
                                         "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"};
    static const char *const shown[] = {"name", "generateName", "namespace", "selfLink", "uID", "resourceVersion", "generation", "creationTimestamp",
                                        "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) if (has(o, others[i])) field_forbidden(e, FIELD(p, shown[i]), "cannot be set");
}

void claim_spec(RULE) {
    const struct json *storage = json_get(o, "resources.requests.storage"), *source = json_member(o, "dataSource"), *ref = json_member(o, "dataSourceRef");
    if (json_len(json_member(o, "accessModes")) == 0) field_required(e, FIELD(p, "accessModes"), "at least 1 access mode is required");
    label_selector(e, FIELD(p, "selector"), json_member(o, "selector"));
    if (json_len(json_member(o, "accessModes"))) access_modes(e, p, o, "");
    const struct field_path *at = FIELD_KEY(FIELD(p, "resources"), "storage");
    size_t before = e->len;
    if (storage == NULL) field_required(e, at, "");
    else quantity_positive(e, at, storage);
    if (e->len == before) resource_amount(e, at, "storage", storage);
    named(e, p, o, "storageClassName", name_dns1123_subdomain);
    choice(e, p, o, "volumeMode", "Block Filesystem");
    rule_at(e, p, o, "dataSource", data_source);
    rule_at(e, p, o, "dataSourceRef", data_source);
    if (*str_of(ref, "namespace")) {
        if (source) field_invalid(e, p, &json_empty_object, "may not be specified when dataSourceRef.namespace is specified");
    } else if (source && ref) {
        bool same = str_eq(json_str(source, "apiGroup"), json_str(ref, "apiGroup")) && strcmp(str_of(source, "kind"), str_of(ref, "kind")) == 0 &&
                    strcmp(str_of(source, "name"), str_of(ref, "name")) == 0;
        if (!same) field_invalid(e, p, &json_empty_object, "must match dataSourceRef");
    }
    named(e, p, o, "volumeAttributesClassName", name_dns1123_subdomain);
}

#define CLASS_ANNOTATION "volume.beta.kubernetes.io/storage-class"

/* What may differ is made the same: late binding, expansion, classes that move from the annotation to the field. */
static void claim_update(struct field_errors *e, const struct json *o, const struct json *old) {
    struct arena *a = e->arena;
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec"), *v;
    const char *note = json_str(json_member(json_get(o, "metadata.annotations"), CLASS_ANNOTATION), NULL);
    const char *old_note = json_str(json_member(json_get(old, "metadata.annotations"), CLASS_ANNOTATION), NULL);
    const char *class = json_str(spec, "storageClassName"), *old_class = json_str(was, "storageClassName");
    bool bound = json_str_is(o, "status.phase", "Bound");
    if (!*str_of(was, "volumeName") && (v = json_member(spec, "volumeName"))) was = json_with_member(a, was, "volumeName", v);
    if (old_note && !old_class && str_eq(class, old_note) && (!note || str_eq(note, old_note))) {
        spec = json_without_member(a, spec, "storageClassName");
    } else {
        if (!str_eq(note ? note : "", old_note ? old_note : ""))
            field_invalid_str(e, FIELD(FIELD(META, "annotations"), CLASS_ANNOTATION), note, "field is immutable");
        if (class && !old_class && (!old_note || str_eq(class, old_note))) spec = json_without_member(a, spec, "storageClassName");
    }
    if (bound && json_get(spec, "resources.requests")) spec = json_with(a, spec, "resources.requests.storage", json_get(was, "resources.requests.storage"));
    v = json_member(was, "volumeAttributesClassName");
    if (bound) spec = v ? json_with_member(a, spec, "volumeAttributesClassName", v) : json_without_member(a, spec, "volumeAttributesClassName");
    if (!same_as("core/v1/PersistentVolumeClaimSpec", spec, was))
        field_forbidden(e, SPEC, "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n%s",
                        go_diff(a, go_form(a, "core/v1/PersistentVolumeClaimSpec", was), go_form(a, "core/v1/PersistentVolumeClaimSpec", spec)));
    const struct json *size = json_get(o, "spec.resources.requests.storage"), *old_size = json_get(old, "spec.resources.requests.storage");
    if (quantity_cmp(size, old_size) < 0 && quantity_cmp(size, json_get(old, "status.capacity.storage")) <= 0)
        field_forbidden(e, FIELD(FIELD(FIELD(SPEC, "resources"), "requests"), "storage"), "field can not be less than status.capacity");
    fixed(e, FIELD(NULL, "volumeMode"), json_get(o, "spec.volumeMode"), json_get(old, "spec.volumeMode"));
    const char *attributes = json_str(o, "spec.volumeAttributesClassName");
    if (str_eq(attributes, json_str(old, "spec.volumeAttributesClassName")) || !has(old, "status.currentVolumeAttributesClassName")) return;
    if (!attributes) field_forbidden(e, FIELD(SPEC, "volumeAttributesClassName"), "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil");
    else if (!*attributes)
        field_forbidden(e, FIELD(SPEC, "volumeAttributesClassName"), "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil");
}

void validate_claim(struct field_errors *e, const struct json *o, const struct json *old) {
    claim_spec(e, SPEC, json_member(o, "spec"));
    if (old) claim_update(e, o, old);
}

static bool claim_resource_key(struct field_errors *e, const struct field_path *p, const char *key) {
    size_t before = e->len;
    field_invalid_names(e, p, key, name_qualified(key));
    if (e->len == before && is_native_resource(key) && strcmp(key, "storage") != 0) unsupported(e, p, key, "storage");
    return e->len == before;
}

void validate_claim_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    static const char states[] = "ControllerResizeInProgress ControllerResizeInfeasible NodeResizeInProgress NodeResizeInfeasible NodeResizePending";
    if (json_len(json_get(o, "spec.accessModes")) == 0) field_required(e, FIELD(FIELD(NULL, "Spec"), "accessModes"), "");
    JSON_EACH_MEMBER(m, json_get(o, "status.capacity")) basic_resource(e, FIELD_KEY(FIELD(STATUS, "capacity"), m->key), &m->value);
    JSON_EACH_MEMBER(m, json_get(o, "status.allocatedResourceStatuses")) {
        const struct field_path *at = FIELD(STATUS, "allocatedResourceStatuses");
        claim_resource_key(e, at, m->key);
        if (!word_in(text_of(&m->value), states)) unsupported(e, at, m->key, states);
    }
    JSON_EACH_MEMBER(m, json_get(o, "status.allocatedResources")) {
        const struct field_path *at = FIELD(STATUS, "allocatedResources");
        size_t before = e->len;
        if (!claim_resource_key(e, at, m->key)) continue;
        basic_resource(e, FIELD_KEY(at, m->key), &m->value);
        if (e->len == before) resource_amount(e, FIELD_KEY(at, m->key), "storage", &m->value);
    }
}
