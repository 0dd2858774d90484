/* helm lint's rules in their order: see lint.h. */
#include "helm/engine/lint.h"
#include "base/str.h"
#include "helm/chart/decode.h"
#include "helm/engine/schema.h"
#include "helm/go/os.h"
#include <sys/stat.h>

const char *lint_severity_name(enum lint_severity s) {
    static const char *const names[] = {"UNKNOWN", "INFO", "WARNING", "ERROR"};
    return names[s];
}

bool lint_check(struct lint_result *r, enum lint_severity severity, const char *path, struct error *e) {
    if (e == NULL) return true;
    if (r->count == r->cap) {
        size_t cap = r->cap * 2 + 16;
        r->items = arena_grow(r->arena, r->items, r->cap * sizeof(*r->items), cap * sizeof(*r->items));
        r->cap = cap;
    }
    r->items[r->count++] = (struct lint_message){severity, arena_strdup(r->arena, path), arena_strdup(r->arena, e->message)};
    error_free(e);
    return false;
}

/* ---- values.yaml ---- */

static struct error *read_map(struct arena *a, const char *path, struct value *out) {
    cleanup_buf struct buf text = {0};
    TRY(go_read_file(path, 0, &text));
    return go_decode_yaml_map(a, arena_strndup(a, buf_str(&text), text.len), text.len, out);
}

static struct error *check_values(struct arena *a, const char *dir, struct value overrides) {
    struct value values, all = value_map_new(a, &go_map);
    struct error *e = read_map(a, path_join(a, dir, "values.yaml"), &values);
    if (e != NULL) return error_wrap(e, "unable to parse YAML");
    values_coalesce_tables(all, overrides, false);
    values_coalesce_tables(all, values, false);
    cleanup_buf struct buf schema = {0};
    cleanup_error struct error *none = go_read_file(path_join(a, dir, "values.schema.json"), 0, &schema);
    return schema.len == 0 ? NULL : schema_check(a, schema.data, schema.len, all, schema_load);
}

static void lint_values(struct lint_result *r, const char *dir, struct value overrides) {
    struct stat st;
    bool there = stat(path_join(r->arena, dir, "values.yaml"), &st) == 0;
    if (!lint_check(r, LINT_INFO, "values.yaml", there ? NULL : error_new("file does not exist"))) return;
    lint_check(r, LINT_ERROR, "values.yaml", check_values(r->arena, dir, overrides));
}

/* ---- dependencies ---- */

static bool requires(const struct chart *c, const char *name) {
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        if (str_eq(chart_requirement_string(c->arena, chart_requirement(&c->metadata, i), DEPENDENCY_NAME), name)) return true;
    }
    return false;
}

static bool has(const struct chart *c, const char *name) {
    for (size_t i = 0; i < c->dependency_count; i++) {
        if (str_eq(chart_name(c->dependencies[i]), name)) return true;
    }
    return false;
}

static struct error *check_loaded(const struct chart *c) {
    cleanup_buf struct buf missing = {0};
    for (size_t i = 0; i < c->dependency_count; i++) {
        const char *name = chart_name(c->dependencies[i]);
        if (!requires(c, name)) buf_printf(&missing, "%s%s", missing.len > 0 ? "," : "", name);
    }
    return missing.len > 0 ? error_new("chart metadata is missing these dependencies: %s", buf_str(&missing)) : NULL;
}

static struct error *check_required(const struct chart *c) {
    cleanup_buf struct buf missing = {0};
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        const char *name = chart_requirement_string(c->arena, chart_requirement(&c->metadata, i), DEPENDENCY_NAME);
        if (!has(c, name)) buf_printf(&missing, "%s%s", missing.len > 0 ? "," : "", name);
    }
    return missing.len > 0 ? error_new("chart directory is missing these dependencies: %s", buf_str(&missing)) : NULL;
}

static void lint_dependencies(struct lint_result *r, const char *dir) {
    struct chart_files files = {0};
    struct chart *c = NULL;
    struct error *e = chart_directory_files(r->arena, dir, CHART_OWN, &files);
    if (e == NULL) e = chart_load_files(r->arena, files, &c);
    if (e != NULL) error_wrap(e, "unable to load chart\n\t");
    if (e != NULL) {
        /* helm puts no colon before the reason here */
        char *colon = strstr(e->message, "\n\t: ");
        memmove(colon + 2, colon + 4, strlen(colon + 4) + 1);
    }
    if (!lint_check(r, LINT_ERROR, "", e)) return;
    lint_check(r, LINT_ERROR, dir, check_loaded(c));
    lint_check(r, LINT_WARNING, dir, check_required(c));
}

void lint_chart(struct lint_result *out, const char *dir, struct value values, const struct lint_options *o) {
    lint_chart_yaml(out, dir);
    lint_values(out, dir, values);
    lint_templates(out, dir, values, o);
    lint_dependencies(out, dir);
}
