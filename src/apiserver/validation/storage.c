/* storage.k8s.io. */
#include "apiserver/validation/rules.h"

static void provisioner(RULE, const char *name) {
    char *low = arena_strdup(e->arena, str_of(o, name));
    for (char *c = low; *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    if (need(e, p, o, name)) label_name(e, FIELD(p, name), low);
}

static void parameters(RULE, bool may_be_empty) {
    size_t total = 0;
    if (json_len(o) > 512) {
        field_too_long(e, p, 512);
        return;
    }
    JSON_EACH_MEMBER(m, o) {
        if (m->key_len == 0) field_invalid_str(e, p, "", "field can not be empty.");
        total += m->key_len + m->value.len;
    }
    if (total > 256 * 1024) field_too_long(e, p, 256 * 1024);
    if (!may_be_empty && json_len(o) == 0) field_required(e, p, "must contain at least one key/value pair");
}

/* As reflect.DeepEqual has it: parameters that are empty are not those that are absent. */
static void no_update(struct field_errors *e, const struct json *o, const struct json *old, const char *name) {
    if (!json_equal(json_member(o, name), json_member(old, name))) field_forbidden(e, FIELD(NULL, name), "updates to %s are forbidden.", name);
}

void validate_storage_class(struct field_errors *e, const struct json *o, const struct json *old) {
    if (old) {
        no_update(e, o, old, "parameters");
        no_update(e, o, old, "provisioner");
        no_update(e, o, old, "reclaimPolicy");
        fixed_members(e, NULL, o, old, "volumeBindingMode");
        return;
    }
    provisioner(e, NULL, o, "provisioner");
    parameters(e, FIELD(NULL, "parameters"), json_member(o, "parameters"), true);
    if (*str_of(o, "reclaimPolicy")) choice(e, NULL, o, "reclaimPolicy", "Delete Retain");
    if (!has(o, "volumeBindingMode")) field_required(e, FIELD(NULL, "volumeBindingMode"), "");
    choice(e, NULL, o, "volumeBindingMode", "Immediate WaitForFirstConsumer");
    const struct json *list = json_member(o, "allowedTopologies");
    size_t i = 0;
    JSON_EACH(t, list) {
        const struct field_path *at = FIELD_INDEX(FIELD(NULL, "allowedTopologies"), i);
        topology_selector_term(e, at, t);
        for (size_t k = 0; k < i; k++)
            if (json_equal(json_at(list, k), t)) field_duplicate(e, FIELD(at, "matchLabelExpressions"), &json_empty_string);
        i++;
    }
}

static void volume_error(RULE) {
    if (strlen(str_of(o, "message")) > 1024) field_too_long(e, FIELD(p, "message"), 256 * 1024);
    if (json_int(o, "errorCode", 0) < 0) field_invalid_int(e, FIELD(p, "errorCode"), json_int(o, "errorCode", 0), "must be between 0 and 2147483647, inclusive");
}

void validate_volume_attachment(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *source = json_member(spec, "source"), *name = json_member(source, "persistentVolumeName"), *s = json_member(o, "status");
    const struct field_path *p = FIELD(SPEC, "source");
    bool by_name = has(source, "persistentVolumeName"), in_line = has(source, "inlineVolumeSpec");
    need(e, SPEC, spec, "attacher");
    if (!by_name && !in_line) field_required(e, p, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
    if (by_name && in_line) field_forbidden(e, p, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
    if (in_line && !by_name) inline_volume_spec(e, FIELD(p, "inlineVolumeSpec"), json_member(source, "inlineVolumeSpec"));
    if (by_name && !in_line) need_why(e, p, source, "persistentVolumeName", "must specify non empty persistentVolumeName");
    field_invalid_names(e, FIELD(SPEC, "nodeName"), str_of(spec, "nodeName"), name_dns1123_subdomain(str_of(spec, "nodeName")));
    rule_at(e, STATUS, s, "attachError", volume_error);
    rule_at(e, STATUS, s, "detachError", volume_error);
    if (old) {
        if (!json_semantic_equal(spec, json_member(old, "spec"))) field_invalid(e, SPEC, go_form(e->arena, "storage.k8s.io/v1/VolumeAttachmentSpec", spec), "field is immutable");
        return;
    }
    csi_driver_name(e, FIELD(NULL, "spec.attacher"), str_of(spec, "attacher"));
    if (name) field_invalid_names(e, FIELD(NULL, "spec.source.persistentVolumeName"), text_of(name), name_dns1123_subdomain(text_of(name)));
}

static void node_driver(RULE, const struct json *list, size_t n) {
    const char *id = str_of(o, "nodeID");
    csi_driver_name(e, FIELD(p, "name"), str_of(o, "name"));
    need(e, p, o, "nodeID");
    if (strlen(id) > 256) field_invalid_str(e, FIELD(p, "nodeID"), id, "must be 256 characters or less");
    field_check_nonnegative(e, FIELD(FIELD(p, "allocatable"), "count"), json_int(o, "allocatable.count", 0));
    unique(e, p, list, n, "name");
    const struct json *keys = json_member(o, "topologyKeys");
    for (size_t i = 0; i < json_len(keys); i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(keys, i), json_at(keys, k));
        if (!*text_of(json_at(keys, i))) field_required(e, p, "");
        if (seen) field_duplicate(e, p, json_at(keys, i));
        label_name(e, p, text_of(json_at(keys, i)));
    }
}

void validate_csi_node(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *list = json_get(o, "spec.drivers");
    const struct field_path *p = FIELD(SPEC, "drivers");
    size_t i = 0;
    JSON_EACH(d, list) {
        node_driver(e, FIELD_INDEX(p, i), d, list, i);
        i++;
    }
    JSON_EACH(was, json_get(old, "spec.drivers")) {
        JSON_EACH(d, list) {
            const struct json *x = json_without_member(e->arena, d, "allocatable"), *y = json_without_member(e->arena, was, "allocatable");
            if (strcmp(str_of(d, "name"), str_of(was, "name")) == 0 && !json_semantic_equal(x, y)) field_invalid(e, p, go_form(e->arena, "storage.k8s.io/v1/CSINodeDriver", x), "field is immutable");
        }
    }
}

static void token_request(RULE, const struct json *list, size_t i) {
    int64_t n = json_int(o, "expirationSeconds", 600);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(str_of(json_at(list, k), "audience"), str_of(o, "audience")) != 0) continue;
        field_duplicate(e, FIELD(p, "audience"), json_string(e->arena, str_of(o, "audience")));
        return;
    }
    if (n < 600) field_invalid_int(e, FIELD(p, "expirationSeconds"), n, "may not specify a duration less than 10 minutes");
    if (n > INT64_C(1) << 32) field_invalid_int(e, FIELD(p, "expirationSeconds"), n, "may not specify a duration larger than 2^32 seconds");
}

void validate_csi_driver(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *tokens = json_member(spec, "tokenRequests"), *was = json_member(old, "spec");
    int64_t period = json_int(spec, "nodeAllocatableUpdatePeriodSeconds", 10);
    size_t i = 0;
    if (!has(spec, "attachRequired")) field_required(e, FIELD(SPEC, "attachedRequired"), "");
    if (!has(spec, "podInfoOnMount")) field_required(e, FIELD(SPEC, "podInfoOnMount"), "");
    if (!has(spec, "storageCapacity")) field_required(e, FIELD(SPEC, "storageCapacity"), "");
    choice(e, SPEC, spec, "fsGroupPolicy", "File None ReadWriteOnceWithFSType");
    JSON_EACH(t, tokens) {
        token_request(e, FIELD_INDEX(FIELD(SPEC, "tokenRequests"), i), t, tokens, i);
        i++;
    }
    JSON_EACH(m, json_member(spec, "volumeLifecycleModes"))
        if (!word_in(text_of(m), "Persistent Ephemeral")) unsupported(e, FIELD(SPEC, "volumeLifecycleModes"), text_of(m), "Persistent Ephemeral");
    if (!has(spec, "seLinuxMount")) field_required(e, FIELD(SPEC, "seLinuxMount"), "");
    if (period < 10) field_invalid_int(e, FIELD(SPEC, "nodeAllocatableUpdatePeriodSeconds"), period, "must be greater than or equal to 10 seconds");
    if (has(spec, "serviceAccountTokenInSecrets") && !json_len(tokens))
        field_invalid(e, FIELD(SPEC, "serviceAccountTokenInSecrets"), json_member(spec, "serviceAccountTokenInSecrets"), "serviceAccountTokenInSecrets is set but no tokenRequests are specified");
    if (!old) return;
    fixed(e, FIELD(SPEC, "attachedRequired"), json_member(spec, "attachRequired"), json_member(was, "attachRequired"));
    fixed_members(e, SPEC, spec, was, "volumeLifecycleModes");
}

void validate_csi_capacity(struct field_errors *e, const struct json *o, const struct json *old) {
    if (old) {
        fixed_as(e, FIELD(NULL, "nodeTopology"), LABEL_SELECTOR, json_member(o, "nodeTopology"), json_member(old, "nodeTopology"));
        fixed_members(e, NULL, o, old, "storageClassName");
        return;
    }
    label_selector(e, FIELD(NULL, "nodeTopology"), json_member(o, "nodeTopology"));
    field_invalid_names(e, FIELD(NULL, "storageClassName"), str_of(o, "storageClassName"), name_dns1123_subdomain(str_of(o, "storageClassName")));
    const struct json *q = json_member(o, "capacity");
    if (q && negative(q)) field_invalid_str(e, FIELD(NULL, "capacity"), quantity_text(e->arena, q), "must be greater than or equal to 0");
}

void validate_attributes_class(struct field_errors *e, const struct json *o, const struct json *old) {
    if (old) {
        no_update(e, o, old, "driverName");
        no_update(e, o, old, "parameters");
        validate_meta_whole(e, META, o, false, name_dns1123_subdomain);
        kube_finalizers(e, o);
    }
    provisioner(e, NULL, o, "driverName");
    parameters(e, FIELD(NULL, "parameters"), json_member(o, "parameters"), false);
}
