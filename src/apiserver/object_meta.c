/* Rules of metadata, the same for every kind: apimachinery pkg/api/validation/objectmeta.go. */
#include "apiserver/internal.h"
#include "schema/names.h"

#define MAX_ANNOTATIONS (256 * 1024)

void validate_labels(struct field_errors *e, const struct field_path *p, const struct json *labels) {
    JSON_EACH_MEMBER(m, labels) {
        field_invalid_names(e, p, m->key, name_qualified(m->key));
        const char *value = json_str_or(&m->value, NULL, "");
        field_invalid_names(e, p, value, name_label_value(value));
    }
}

void validate_annotations(struct field_errors *e, const struct field_path *p, const struct json *annotations) {
    size_t total = 0;
    JSON_EACH_MEMBER(m, annotations) {
        char *low = arena_strdup(e->arena, m->key);
        for (char *c = low; *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        field_invalid_names(e, p, m->key, name_qualified(low));
        total += m->key_len + m->value.len;
    }
    if (total > MAX_ANNOTATIONS) field_too_long(e, p, MAX_ANNOTATIONS);
}

static void owner_reference(struct field_errors *e, const struct field_path *p, const struct json *o) {
    const char *version = json_str_or(o, "apiVersion", ""), *kind = json_str_or(o, "kind", "");
    const char *slash = strchr(version, '/');
    const char *v = slash ? slash + 1 : version;
    if (strchr(v, '/')) field_invalid_str(e, FIELD(p, "apiVersion"), version, "version must not be empty");
    if (!*v) field_invalid_str(e, FIELD(p, "apiVersion"), version, "version must not be empty");
    if (!*kind) field_invalid_str(e, FIELD(p, "kind"), kind, "must not be empty");
    if (!*json_str_or(o, "name", "")) field_invalid_str(e, FIELD(p, "name"), "", "must not be empty");
    if (!*json_str_or(o, "uid", "")) field_invalid_str(e, FIELD(p, "uid"), "", "must not be empty");
    if (strcmp(version, "v1") == 0 && strcmp(kind, "Event") == 0) field_invalid(e, p, o, "/v1, Kind=Event is disallowed from being an owner");
}

static void owner_references(struct field_errors *e, const struct field_path *p, const struct json *list) {
    const char *first = NULL;
    JSON_EACH(o, list) {
        owner_reference(e, p, o);
        if (!json_bool(o, "controller", false)) continue;
        const char *name = arena_printf(e->arena, "%s/%s", json_str_or(o, "kind", ""), json_str_or(o, "name", ""));
        if (first)
            field_invalid(e, p, list, "Only one reference can have Controller set to true. Found \"true\" in references for %s and %s", first, name);
        else first = name;
    }
}

static bool listed(const struct json *list, const char *s) {
    JSON_EACH(v, list) {
        if (json_str_is(v, NULL, s)) return true;
    }
    return false;
}

static void finalizers(struct field_errors *e, const struct field_path *p, const struct json *list) {
    JSON_EACH(f, list) {
        const char *s = json_str_or(f, NULL, "");
        field_invalid_names(e, p, s, name_qualified(s));
    }
    if (listed(list, "orphan") && listed(list, "foregroundDeletion"))
        field_invalid(e, p, list, "finalizer orphan and foregroundDeletion cannot be both set");
}

static void no_new_finalizers(struct field_errors *e, const struct field_path *p, const struct json *list, const struct json *old) {
    struct json_array added = {.arena = e->arena};
    const char *text = "";
    JSON_EACH(f, list) {
        const char *s = json_str_or(f, NULL, "");
        if (listed(old, s)) continue;
        text = added.len ? arena_printf(e->arena, "%s, \"%s\"", text, s) : arena_printf(e->arena, "\"%s\"", s);
        json_array_add(&added, f);
    }
    if (added.len > 0) field_forbidden(e, p, "no new finalizers can be added if the object is being deleted, found new finalizers []string{%s}", text);
}

static void managed_fields(struct field_errors *e, const struct field_path *p, const struct json *list) {
    size_t i = 0;
    JSON_EACH(m, list) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *operation = json_str_or(m, "operation", ""), *type = json_str_or(m, "fieldsType", "");
        if (strcmp(operation, "Apply") != 0 && strcmp(operation, "Update") != 0)
            field_invalid_str(e, FIELD(at, "operation"), operation, "must be `Apply` or `Update`");
        if (*type && strcmp(type, "FieldsV1") != 0) field_invalid_str(e, FIELD(at, "fieldsType"), type, "must be `FieldsV1`");
        i++;
    }
}

static void immutable(struct field_errors *e, const struct field_path *meta, const struct json *now, const struct json *old, const char *field) {
    const struct json *a = json_member(now, field), *b = json_member(old, field);
    if (!json_semantic_equal(a, b)) field_invalid(e, FIELD(meta, field), a ? a : &json_null, "field is immutable");
}

static void common(struct field_errors *e, const struct field_path *p, const struct json *m) {
    validate_labels(e, FIELD(p, "labels"), json_member(m, "labels"));
    validate_annotations(e, FIELD(p, "annotations"), json_member(m, "annotations"));
    owner_references(e, FIELD(p, "ownerReferences"), json_member(m, "ownerReferences"));
}

void validate_meta_whole(struct field_errors *e, const struct field_path *p, const struct json *object, bool namespaced, name_check *name) {
    const struct json *m = json_member(object, "metadata");
    const char *generate = json_str_or(m, "generateName", ""), *n = json_str_or(m, "name", ""), *ns = json_str_or(m, "namespace", "");
    name_check *check = name ? name : name_path_segment;
    if (*generate) field_invalid_names(e, FIELD(p, "generateName"), generate, check(name_mask_trailing_dash(e->arena, generate)));
    if (!*n) field_required(e, FIELD(p, "name"), "name or generateName is required");
    else field_invalid_names(e, FIELD(p, "name"), n, check(n));
    if (namespaced && !*ns) field_required(e, FIELD(p, "namespace"), "");
    else if (namespaced) field_invalid_names(e, FIELD(p, "namespace"), ns, name_dns1123_label(ns));
    else if (*ns) field_forbidden(e, FIELD(p, "namespace"), "not allowed on this type");
    field_check_nonnegative(e, FIELD(p, "generation"), json_int(m, "generation", 0));
    common(e, p, m);
    finalizers(e, FIELD(p, "finalizers"), json_member(m, "finalizers"));
    managed_fields(e, FIELD(p, "managedFields"), json_member(m, "managedFields"));
}

void validate_meta_update(struct field_errors *e, const struct field_path *p, const struct json *object, const struct json *old_object) {
    static const char *const fixed[] = {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
    const struct json *m = json_member(object, "metadata"), *old = json_member(old_object, "metadata");
    if (json_member(old, "deletionTimestamp"))
        no_new_finalizers(e, FIELD(p, "finalizers"), json_member(m, "finalizers"), json_member(old, "finalizers"));
    if (json_int(m, "generation", 0) < json_int(old, "generation", 0))
        field_invalid_int(e, FIELD(p, "generation"), json_int(m, "generation", 0), "must not be decremented");
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) immutable(e, p, m, old, fixed[i]);
    common(e, p, m);
    managed_fields(e, FIELD(p, "managedFields"), json_member(m, "managedFields"));
}

void validate_object_meta(struct field_errors *e, const struct field_path *p, const struct json *object, const struct json *old, bool namespaced,
                          name_check *name) {
    validate_meta_whole(e, p, object, namespaced, old ? name_path_segment : name);
    if (old) validate_meta_update(e, p, object, old);
}
