/* What a chart is asked for: see chart.h. */
#include "helm/chart/chart.h"
#include "base/str.h"
#include "helm/go/semver.h"
#include <strings.h>

const char *chart_string(const struct chart *c, enum chart_field f) { return value_cstr(c->arena, c->metadata.items[f]); }
const char *chart_name(const struct chart *c) { return chart_string(c, CHART_NAME); }
bool chart_is_library(const struct chart *c) { return strcasecmp(chart_string(c, CHART_TYPE), "library") == 0; }

const char *chart_full_path(const struct chart *c) {
    if (c->parent == NULL) return chart_name(c);
    return arena_printf(c->arena, "%s/charts/%s", chart_full_path(c->parent), chart_name(c));
}

void chart_set_dependencies(struct chart *c, struct chart **dependencies, size_t count) {
    c->dependencies = dependencies;
    c->dependency_count = count;
    for (size_t i = 0; i < count; i++) dependencies[i]->parent = c;
}

static bool is_manifest_name(const char *name) {
    const char *base = strrchr(name, '/'), *dot = strrchr(base != NULL ? base : name, '.');
    return dot != NULL && (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0 || strcasecmp(dot, ".json") == 0);
}

static void add_crds(struct arena *a, const struct chart *c, struct chart_files *out) {
    for (size_t i = 0; i < c->files.count; i++) {
        const struct chart_file *f = &c->files.items[i];
        if (!str_starts(f->name, "crds/") || !is_manifest_name(f->name)) continue;
        struct chart_file named = *f;
        named.name = arena_printf(a, "%s/%s", chart_full_path(c), f->name);
        chart_files_add(a, out, named);
    }
    for (size_t i = 0; i < c->dependency_count; i++) add_crds(a, c->dependencies[i], out);
}

struct chart_files chart_crds(struct arena *a, const struct chart *c) {
    struct chart_files out = {0};
    add_crds(a, c, &out);
    return out;
}

bool chart_version_valid(const char *version) {
    cleanup_arena struct arena a = {0};
    struct semver v;
    cleanup_error struct error *e = semver_parse(&a, version, &v);
    return e == NULL;
}

bool chart_version_matches(const char *constraint, const char *version) {
    cleanup_arena struct arena a = {0};
    struct semver v;
    const struct semver_constraints *c = NULL;
    cleanup_error struct error *e = semver_parse(&a, version, &v);
    if (e == NULL) e = semver_constraints_parse(&a, constraint, &c);
    return e == NULL && semver_check(c, &v);
}
