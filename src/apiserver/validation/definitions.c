/* CustomResourceDefinitions (apiextensions-apiserver pkg/apis/apiextensions/validation). What all versions have in common stands
 * above them in upstream's internal form: errors then name spec.validation rather than spec.versions[0].schema. */
#include "apiserver/crd.h"
#include "apiserver/validation/definitions.h"

#define APPROVED "api-approved.kubernetes.io"

/* Whether every version has the same value there, which upstream keeps once. */
static bool shared(const struct json *versions, const char *member) {
    const struct json *first = json_member(json_at(versions, 0), member);
    JSON_EACH(v, versions) {
        const struct json *other = json_member(v, member);
        if ((first == NULL) != (other == NULL) || (first && !json_equal(first, other))) return false;
    }
    return true;
}

/* ---- names ---- */

static void label(struct field_errors *e, const struct field_path *p, const char *value) {
    if (*value) field_invalid_names(e, p, value, name_dns1035_label(value));
}

static void lower_label(struct field_errors *e, const struct field_path *p, const char *value) {
    char *lower = arena_strdup(e->arena, value);
    for (char *s = lower; *s; s++) *s = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
    struct name_errors errors = name_dns1035_label(lower);
    if (*value && errors.len) field_invalid_str(e, p, value, "may have mixed case, but should otherwise match: %s", errors.items[0]);
}

static void labels(RULE) {
    size_t i = 0;
    JSON_EACH(v, o) label(e, FIELD_INDEX(p, i++), text_of(v));
}

static void definition_names(RULE) {
    const char *kind = str_of(o, "kind"), *list = str_of(o, "listKind");
    label(e, FIELD(p, "plural"), str_of(o, "plural"));
    label(e, FIELD(p, "singular"), str_of(o, "singular"));
    lower_label(e, FIELD(p, "kind"), kind);
    lower_label(e, FIELD(p, "listKind"), list);
    rule_at(e, p, o, "shortNames", labels);
    if (*kind && strcmp(kind, list) == 0) field_invalid_str(e, FIELD(p, "listKind"), list, "kind and listKind may not be the same");
    rule_at(e, p, o, "categories", labels);
}

/* ---- what a version has ---- */

static bool simple_path(struct field_errors *e, const struct field_path *p, const char *path) {
    if (*path == '.') return true;
    field_invalid_str(e, p, path, "must be a simple json path starting with .");
    return false;
}

static void scale_path(RULE, const char *name, const char *under) {
    const char *path = str_of(o, name);
    if (!*path) field_required(e, FIELD(p, name), "");
    else if (simple_path(e, FIELD(p, name), path) && !str_starts(path, arena_printf(e->arena, "%s.", under)))
        field_invalid_str(e, FIELD(p, name), path, "should be a json path under %s", under);
}

static void subresources(RULE) {
    const struct json *scale = json_member(o, "scale");
    const struct field_path *at = FIELD(p, "scale");
    const char *selector = str_of(scale, "labelSelectorPath");
    if (!json_is(scale, JSON_OBJECT)) return;
    scale_path(e, at, scale, "specReplicasPath", ".spec");
    scale_path(e, at, scale, "statusReplicasPath", ".status");
    if (!*selector || !simple_path(e, FIELD(at, "labelSelectorPath"), selector)) return;
    if (!str_starts(selector, ".spec.") && !str_starts(selector, ".status."))
        field_invalid_str(e, FIELD(at, "labelSelectorPath"), selector, "should be a json path under either .spec or .status");
}

static void one_of(RULE, const char *name, const char *values, bool required) {
    const char *s = str_of(o, name);
    char *shown = arena_strdup(e->arena, values);
    for (char *c = shown; *c; c++) *c = *c == ' ' ? ',' : *c;
    if (!*s && required) field_required(e, FIELD(p, name), arena_printf(e->arena, "must be one of %s", shown));
    else if (*s && !word_in(s, values)) field_invalid_str(e, FIELD(p, name), s, "must be one of %s", shown);
}

static void column(RULE) {
    const char *path = str_of(o, "jsonPath");
    need(e, p, o, "name");
    one_of(e, p, o, "type", "boolean date integer number string", true);
    one_of(e, p, o, "format", "byte date date-time double float int32 int64 password", false);
    if (!*path) field_required(e, FIELD(p, "JSONPath"), "");
    else simple_path(e, FIELD(p, "JSONPath"), path);
}

#define MAX_SELECTABLE 8

static void selectable_fields(RULE, const struct json *schema) {
    const char *seen[64];
    size_t i = 0, unique_paths = 0;
    if (json_len(o) > 0 && !json_is(schema, JSON_OBJECT)) {
        bool own = p->parent->name == NULL; /* a version's */
        field_invalid_str(e, p, "", own ? "may only be set when `version.schema.openAPIV3Schema` is not included" : "may only be set when validations.schema is included");
        return;
    }
    JSON_EACH(f, o) {
        const char *path = str_of(f, "jsonPath"), *normal;
        const struct field_path *at = FIELD(FIELD_INDEX(p, i++), "jsonPath");
        const struct json *s;
        const char *problem = *path ? crd_field_path(e->arena, schema, path, false, &s, &normal) : NULL;
        if (!*path) field_required(e, at, "");
        else if (problem) field_invalid_str(e, at, path, "is an invalid path: %s", problem);
        if (!*path || problem) continue;
        if (str_eq(normal, "metadata") || str_starts(normal, "metadata.")) field_invalid_str(e, at, path, "must not point to fields in metadata");
        if (!word_in(str_of(s, "type"), "string boolean integer"))
            field_invalid_str(e, at, path, "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.");
        bool doubled = false;
        for (size_t k = 0; k < unique_paths && k < ARRAY_LEN(seen); k++) doubled |= str_eq(seen[k], normal);
        if (doubled) field_duplicate(e, at, json_member(f, "jsonPath"));
        else if (unique_paths++ < ARRAY_LEN(seen)) seen[unique_paths - 1] = normal;
    }
    if (unique_paths > MAX_SELECTABLE) field_too_many(e, p, (int64_t)unique_paths, MAX_SELECTABLE);
}

static void deprecation(RULE) {
    const char *warning = json_str(o, "deprecationWarning");
    const struct field_path *at = FIELD(p, "deprecationWarning");
    if (warning == NULL) return;
    if (!json_bool(o, "deprecated", false)) field_invalid_str(e, at, warning, "can only be set for deprecated versions");
    else if (strlen(warning) > 256) field_invalid_str(e, at, warning, "must be <= 256 characters long");
    else if (!*warning) field_invalid_str(e, at, warning, "must not be an empty string");
}

/* Runs `rule` for what all versions share (at `above`), or for each version's own (at `own`). */
typedef void part_fn(RULE, const struct json *version);

static void parts(RULE, const char *member, const char *above, const char *own, bool in_common, part_fn *rule) {
    const struct json *versions = json_member(o, "versions");
    bool with_schema = shared(versions, "schema") == in_common; /* else upstream looks for it in the wrong place */
    size_t i = 0;
    JSON_EACH(v, versions) {
        const struct field_path *version = FIELD_INDEX(FIELD(p, "versions"), i);
        const struct json *beside = with_schema ? v : json_without_member(e->arena, v, "schema");
        if (in_common) {
            if (i++ == 0) rule(e, FIELD(p, above), json_member(v, member), beside);
            continue;
        }
        rule(e, FIELD(version, own), json_member(v, member), beside);
        i++;
    }
}

static bool has_status(const struct json *version) { return json_is(json_get(version, "subresources.status"), JSON_OBJECT); }

static void version_schema(RULE, const struct json *version) {
    const struct json *schema = json_member(o, "openAPIV3Schema");
    if (json_is(schema, JSON_OBJECT)) definition_schema(e, FIELD(p, "openAPIV3Schema"), schema, has_status(version));
}

static void version_subresources(RULE, const struct json *version UNUSED) { subresources(e, p, o); }

static void version_columns(RULE, const struct json *version UNUSED) {
    size_t i = 0;
    JSON_EACH(c, o) column(e, FIELD_INDEX(p, i++), c);
}

static void version_fields(RULE, const struct json *version) { selectable_fields(e, p, o, json_get(version, "schema.openAPIV3Schema")); }

/* ---- the spec ---- */

static void conversion(RULE) {
    const struct json *hook = json_member(o, "webhook"), *config = json_member(hook, "clientConfig");
    const struct field_path *at = FIELD(p, "webhookClientConfig"), *reviews = FIELD(p, "conversionReviewVersions");
    choice_needed(e, p, o, "strategy", "None Webhook");
    if (!json_str_is(o, "strategy", "Webhook")) {
        if (has(hook, "clientConfig")) field_forbidden(e, at, "should not be set when strategy is not set to Webhook");
        if (json_len(json_member(hook, "conversionReviewVersions"))) field_forbidden(e, reviews, "should not be set when strategy is not set to Webhook");
        return;
    }
    if (!json_is(config, JSON_OBJECT)) field_required(e, at, "required when strategy is set to Webhook");
    else webhook_client(e, at, config);
    if (json_len(json_member(hook, "conversionReviewVersions")) == 0) field_required(e, reviews, "");
    else webhook_review_versions(e, reviews, json_member(hook, "conversionReviewVersions"));
}

/* The versions as messages show them: without what is kept once for all. */
static const struct json *shown_versions(struct field_errors *e, const struct json *versions) {
    static const char *const members[] = {"schema", "subresources", "additionalPrinterColumns", "selectableFields"};
    struct json_array out = {.arena = e->arena};
    JSON_EACH(v, versions) {
        const struct json *k = v;
        for (size_t i = 0; i < ARRAY_LEN(members); i++) if (shared(versions, members[i])) k = json_without_member(e->arena, k, members[i]);
        json_array_add(&out, go_form(e->arena, "apiextensions.k8s.io/v1/CustomResourceDefinitionVersion", k));
    }
    return json_array_done(&out);
}

static void version_list(RULE, const struct json *shown) {
    size_t storing = 0, i = 0;
    bool doubled = false;
    JSON_EACH(v, o) {
        storing += json_bool(v, "storage", false);
        for (size_t k = 0; k < i; k++) doubled |= strcmp(str_of(json_at(o, k), "name"), str_of(v, "name")) == 0;
        i++;
    }
    if (doubled) field_invalid(e, p, shown, "must contain unique version names");
    if (storing != 1) field_invalid(e, p, shown, "must have exactly one version marked as storage version");
}

static void definition_spec(RULE) {
    const char *group = str_of(o, "group");
    const struct json *versions = json_member(o, "versions"), *names = json_member(o, "names");
    size_t i = 0;
    if (!*group) field_required(e, FIELD(p, "group"), "");
    else if (name_dns1123_subdomain(group).len) field_invalid_names(e, FIELD(p, "group"), group, name_dns1123_subdomain(group));
    else if (!strchr(group, '.')) field_invalid_str(e, FIELD(p, "group"), group, "should be a domain with at least one dot");
    choice_needed(e, p, o, "scope", "Cluster Namespaced");
    JSON_EACH(v, versions) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "versions"), i++);
        if (!json_is(json_get(v, "schema.openAPIV3Schema"), JSON_OBJECT)) field_required(e, FIELD(FIELD(at, "schema"), "openAPIV3Schema"), "");
        field_invalid_names(e, FIELD(at, "name"), str_of(v, "name"), name_dns1035_label(str_of(v, "name")));
        deprecation(e, at, v);
    }
    static const struct { const char *member, *above, *own; part_fn *rule; } parts_of_versions[] = {
        {"schema", "validation", "schema", version_schema}, {"subresources", "subresources", "subresources", version_subresources},
        {"additionalPrinterColumns", "additionalPrinterColumns", "additionalPrinterColumns", version_columns},
        {"selectableFields", "selectableFields", "selectableFields", version_fields}};
    for (size_t k = 0; k < ARRAY_LEN(parts_of_versions); k++) {
        if (!shared(versions, parts_of_versions[k].member)) parts(e, p, o, parts_of_versions[k].member, NULL, parts_of_versions[k].own, false, parts_of_versions[k].rule);
    }
    version_list(e, FIELD(p, "versions"), versions, shown_versions(e, versions));
    const char *first = str_of(json_at(versions, 0), "name");
    if (*first) field_invalid_names(e, FIELD(p, "version"), first, name_dns1035_label(first));
    need(e, FIELD(p, "names"), names, "plural singular kind listKind");
    definition_names(e, FIELD(p, "names"), names);
    for (size_t k = 0; k < ARRAY_LEN(parts_of_versions); k++) {
        if (shared(versions, parts_of_versions[k].member)) parts(e, p, o, parts_of_versions[k].member, parts_of_versions[k].above, NULL, true, parts_of_versions[k].rule);
    }
    if (json_bool(o, "preserveUnknownFields", false) && json_str_is(o, "conversion.strategy", "Webhook"))
        field_invalid_str(e, FIELD(FIELD(p, "conversion"), "strategy"), "Webhook", "must be None if spec.preserveUnknownFields is true");
    if (has(o, "conversion")) conversion(e, FIELD(p, "conversion"), json_member(o, "conversion"));
}

/* ---- the whole object ---- */

static void stored_versions(RULE, const struct json *versions) {
    size_t i = 0;
    if (json_len(o) == 0) {
        field_invalid(e, p, NULL, "must have at least one stored version");
        return;
    }
    JSON_EACH(v, versions) {
        const char *name = str_of(v, "name");
        bool doubled = false;
        for (const struct json *w = versions->items; w < v; w++) doubled |= strcmp(str_of(w, "name"), name) == 0; /* the first one has taken it */
        if (json_bool(v, "storage", false) && (doubled || !list_contains(o, name))) field_invalid(e, p, o, "must have the storage version %s", name);
    }
    JSON_EACH(s, o) {
        const char *name = text_of(s);
        if (named_item(versions, name) == NULL)
            field_invalid_str(e, FIELD_INDEX(p, i), name, "missing from spec.versions; %s was previously a storage version, and must remain in spec.versions until a "
                              "storage migration ensures no data remains persisted in %s and removes %s from status.storedVersions", name, name, name);
        i++;
    }
}

static bool protected_group(const char *group) {
    return strcmp(group, "k8s.io") == 0 || str_ends(group, ".k8s.io") || strcmp(group, "kubernetes.io") == 0 || str_ends(group, ".kubernetes.io");
}

/* Groups of the Kubernetes community need the address of the change that approved them. */
static void approval(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *now = json_member(json_get(o, "metadata.annotations"), APPROVED), *was = json_member(json_get(old, "metadata.annotations"), APPROVED);
    const struct field_path *at = FIELD_KEY(FIELD(META, "annotations"), APPROVED);
    const char *text = text_of(now);
    if (!protected_group(json_str_or(o, "spec.group", "")) || (old && ((now == NULL && was == NULL) || json_equal(now, was)))) return;
    if (!*text) field_required(e, at, "protected groups must have approval annotation \"" APPROVED "\", see https://github.com/kubernetes/enhancements/pull/1111");
    else if (!str_starts(text, "unapproved") && !str_starts(text, "https://") && !str_starts(text, "http://"))
        field_invalid_str(e, at, text, "protected groups must have approval annotation \"" APPROVED "\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111");
}

static bool is_established(const struct json *o) {
    JSON_EACH(k, json_get(o, "status.conditions")) if (json_str_is(k, "type", "Established")) return json_str_is(k, "status", "True");
    return false;
}

void validate_definition(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec");
    const char *name = json_str_or(o, "metadata.name", ""), *wanted = arena_printf(e->arena, "%s.%s", json_str_or(spec, "names.plural", ""), str_of(spec, "group"));
    if (strcmp(name, wanted) != 0 && old == NULL) field_invalid_str(e, FIELD(META, "name"), name, "must be spec.names.plural+\".\"+spec.group");
    definition_spec(e, SPEC, spec);
    if (old && is_established(old)) {
        fixed(e, FIELD(SPEC, "scope"), json_member(spec, "scope"), json_member(was, "scope"));
        fixed(e, FIELD(FIELD(SPEC, "names"), "kind"), json_get(spec, "names.kind"), json_get(was, "names.kind"));
    }
    if (old) {
        fixed(e, FIELD(SPEC, "group"), json_member(spec, "group"), json_member(was, "group"));
        fixed(e, FIELD(FIELD(SPEC, "names"), "plural"), json_get(spec, "names.plural"), json_get(was, "names.plural"));
    }
    if (old) definition_names(e, FIELD(STATUS, "acceptedNames"), json_get(o, "status.acceptedNames"));
    stored_versions(e, FIELD(STATUS, "storedVersions"), json_get(o, "status.storedVersions"), json_member(spec, "versions"));
    approval(e, o, old);
    if (json_bool(spec, "preserveUnknownFields", false) && !json_bool(was, "preserveUnknownFields", false))
        field_invalid(e, FIELD(SPEC, "preserveUnknownFields"), &json_true,
                      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead");
}

void validate_definition_status(struct field_errors *e, const struct json *o, const struct json *old UNUSED) {
    definition_names(e, FIELD(STATUS, "acceptedNames"), json_get(o, "status.acceptedNames"));
}
