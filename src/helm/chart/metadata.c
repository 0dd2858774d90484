/* Chart.yaml: its Go types as templates see them, and helm's checks. */
#include "base/map.h"
#include "base/str.h"
#include "helm/chart/chart.h"
#include "helm/chart/decode.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"

static const struct go_field maintainer_fields[] = {
    {"Name", &go_string, "name", true, false}, {"Email", &go_string, "email", true, false}, {"URL", &go_string, "url", true, false}, {NULL, NULL, NULL, false, false}};
static const struct go_type maintainer_struct = {.kind = GO_STRUCT, .name = "chart.Maintainer", .fields = maintainer_fields};
static const struct go_type maintainer_pointer = {.kind = GO_POINTER, .name = "*chart.Maintainer", .elem = &maintainer_struct};
static const struct go_type maintainers_type = {.kind = GO_SLICE, .name = "[]*chart.Maintainer", .elem = &maintainer_pointer};

static const struct go_field dependency_fields[] = {
    [DEPENDENCY_NAME] = {"Name", &go_string, "name", false, false},
    [DEPENDENCY_VERSION] = {"Version", &go_string, "version", true, false},
    [DEPENDENCY_REPOSITORY] = {"Repository", &go_string, "repository", false, false},
    [DEPENDENCY_CONDITION] = {"Condition", &go_string, "condition", true, false},
    [DEPENDENCY_TAGS] = {"Tags", &go_strings, "tags", true, false},
    [DEPENDENCY_ENABLED] = {"Enabled", &go_bool, "enabled", true, false},
    [DEPENDENCY_IMPORT_VALUES] = {"ImportValues", &go_list, "import-values", true, false},
    [DEPENDENCY_ALIAS] = {"Alias", &go_string, "alias", true, false},
    {NULL, NULL, NULL, false, false},
};
const struct go_type chart_dependency_type = {.kind = GO_STRUCT, .name = "chart.Dependency", .fields = dependency_fields};
static const struct go_type dependency_pointer = {.kind = GO_POINTER, .name = "*chart.Dependency", .elem = &chart_dependency_type};
const struct go_type chart_dependencies_type = {.kind = GO_SLICE, .name = "[]*chart.Dependency", .elem = &dependency_pointer};

static const struct go_field metadata_fields[] = {
    [CHART_NAME] = {"Name", &go_string, "name", true, false},
    [CHART_HOME] = {"Home", &go_string, "home", true, false},
    [CHART_SOURCES] = {"Sources", &go_strings, "sources", true, false},
    [CHART_VERSION] = {"Version", &go_string, "version", true, false},
    [CHART_DESCRIPTION] = {"Description", &go_string, "description", true, false},
    [CHART_KEYWORDS] = {"Keywords", &go_strings, "keywords", true, false},
    [CHART_MAINTAINERS] = {"Maintainers", &maintainers_type, "maintainers", true, false},
    [CHART_ICON] = {"Icon", &go_string, "icon", true, false},
    [CHART_API_VERSION] = {"APIVersion", &go_string, "apiVersion", true, false},
    [CHART_CONDITION] = {"Condition", &go_string, "condition", true, false},
    [CHART_TAGS] = {"Tags", &go_string, "tags", true, false},
    [CHART_APP_VERSION] = {"AppVersion", &go_string, "appVersion", true, false},
    [CHART_DEPRECATED] = {"Deprecated", &go_bool, "deprecated", true, false},
    [CHART_ANNOTATIONS] = {"Annotations", &go_map_string, "annotations", true, false},
    [CHART_KUBE_VERSION] = {"KubeVersion", &go_string, "kubeVersion", true, false},
    [CHART_DEPENDENCIES] = {"Dependencies", &chart_dependencies_type, "dependencies", true, false},
    [CHART_TYPE] = {"Type", &go_string, "type", true, false},
    {NULL, NULL, NULL, false, false},
};
const struct go_type chart_metadata_type = {.kind = GO_STRUCT, .name = "chart.Metadata", .fields = metadata_fields};

static const struct go_field lock_fields[] = {
    [LOCK_GENERATED] = {"Generated", &go_string, "generated", false, false},
    [LOCK_DIGEST] = {"Digest", &go_string, "digest", false, false},
    [LOCK_DEPENDENCIES] = {"Dependencies", &chart_dependencies_type, "dependencies", false, false},
    {NULL, NULL, NULL, false, false},
};
const struct go_type chart_lock_type = {.kind = GO_STRUCT, .name = "chart.Lock", .fields = lock_fields};

struct error *chart_parse_metadata(struct arena *a, const char *text, size_t len, struct value *out) {
    if (out->type == NULL) *out = value_zero(&chart_metadata_type);
    return go_decode_yaml(a, text, len, out);
}

size_t chart_requirement_count(const struct value *metadata) { return metadata->items[CHART_DEPENDENCIES].len; }

struct value *chart_requirement(const struct value *metadata, size_t i) { return metadata->items[CHART_DEPENDENCIES].items[i].items; }

const char *chart_requirement_string(struct arena *a, const struct value *requirement, enum dependency_field f) {
    return value_cstr(a, requirement[f]);
}

/* ---- checks ---- */

/* Spaces of all kinds become ' ', what cannot be printed goes. */
static void clean(struct arena *a, struct value *v) {
    if (v->type == NULL || v->len == 0) return;
    cleanup_buf struct buf out = {0};
    for (size_t i = 0, size; i < v->len; i += size) {
        uint32_t r = rune_decode(v->s + i, v->len - i, &size);
        if (rune_is_space(r)) buf_addc(&out, ' ');
        else if (rune_is_print(r)) buf_add_rune(&out, r);
    }
    if (out.len != v->len || memcmp(buf_str(&out), v->s, v->len) != 0) *v = value_as(value_strdup(a, buf_str(&out), out.len), v->type);
}

static void clean_list(struct arena *a, struct value *list) {
    for (size_t i = 0; i < list->len; i++) clean(a, &list->items[i]);
}

static const char *quoted(struct arena *a, struct value v) {
    cleanup_buf struct buf out = {0};
    go_quote(&out, v.s, v.len);
    return arena_strdup(a, buf_str(&out));
}

static struct error *validate_dependency(struct arena *a, struct value *d) {
    if (d == NULL) return error_new("validation: dependencies must not contain empty or null nodes");
    static const enum dependency_field strings[] = {DEPENDENCY_NAME, DEPENDENCY_VERSION, DEPENDENCY_REPOSITORY, DEPENDENCY_CONDITION};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) clean(a, &d[strings[i]]);
    clean_list(a, &d[DEPENDENCY_TAGS]);
    const char *alias = value_cstr(a, d[DEPENDENCY_ALIAS]);
    size_t legal = strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (legal != d[DEPENDENCY_ALIAS].len)
        return error_new("validation: dependency %s has disallowed characters in the alias", quoted(a, d[DEPENDENCY_NAME]));
    return NULL;
}

static struct value name_or_alias(const struct value *d) { return d[DEPENDENCY_ALIAS].len > 0 ? d[DEPENDENCY_ALIAS] : d[DEPENDENCY_NAME]; }

static struct error *validate_dependencies(struct arena *a, const struct value *metadata) {
    struct map seen = {0};
    struct error *e = NULL;
    for (size_t i = 0; i < chart_requirement_count(metadata) && e == NULL; i++) {
        struct value *d = chart_requirement(metadata, i);
        e = validate_dependency(a, d);
        if (e == NULL && map_set(&seen, value_cstr(a, name_or_alias(d)), d) != NULL)
            e = error_new("validation: more than one dependency with name or alias %s", quoted(a, name_or_alias(d)));
    }
    map_free(&seen, NULL);
    return e;
}

/* filepath.Base of what is not empty. */
static bool is_base_name(const char *name) {
    return strchr(name, '/') == NULL || str_eq(name, "/");
}

struct error *chart_validate(struct arena *a, struct value *metadata) {
    struct value *m = metadata->items;
    static const enum chart_field strings[] = {CHART_NAME, CHART_DESCRIPTION, CHART_HOME,        CHART_ICON,
                                               CHART_CONDITION, CHART_TAGS,   CHART_APP_VERSION, CHART_KUBE_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) clean(a, &m[strings[i]]);
    clean_list(a, &m[CHART_SOURCES]);
    clean_list(a, &m[CHART_KEYWORDS]);
    if (m[CHART_API_VERSION].len == 0) return error_new("validation: chart.metadata.apiVersion is required");
    if (m[CHART_NAME].len == 0) return error_new("validation: chart.metadata.name is required");
    if (!is_base_name(value_cstr(a, m[CHART_NAME]))) return error_new("validation: chart.metadata.name %s is invalid", quoted(a, m[CHART_NAME]));
    if (m[CHART_VERSION].len == 0) return error_new("validation: chart.metadata.version is required");
    if (!chart_version_valid(value_cstr(a, m[CHART_VERSION])))
        return error_new("validation: chart.metadata.version %s is invalid", quoted(a, m[CHART_VERSION]));
    if (m[CHART_TYPE].len > 0 && !value_str_eq(m[CHART_TYPE], "application") && !value_str_eq(m[CHART_TYPE], "library"))
        return error_new("validation: chart.metadata.type must be application or library");
    for (size_t i = 0; i < m[CHART_MAINTAINERS].len; i++) {
        struct value *person = m[CHART_MAINTAINERS].items[i].items;
        if (person == NULL) return error_new("validation: maintainers must not contain empty or null nodes");
        for (size_t j = 0; j < 3; j++) clean(a, &person[j]);
    }
    return validate_dependencies(a, metadata);
}
