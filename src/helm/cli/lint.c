/* helm lint */
#include "helm/engine/lint.h"
#include "base/str.h"
#include "helm/chart/save.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/commands.h"
#include "helm/go/os.h"
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

struct options {
    bool strict, with_subcharts, quiet, skip_schema;
    const char *kube_version;
    struct value_options values;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"strict", 0, HELM_BOOL, AT(strict), NULL, NULL, "fail on warnings too", NULL, false},
    {"with-subcharts", 0, HELM_BOOL, AT(with_subcharts), NULL, NULL, "look at dependencies too", NULL, false},
    {"quiet", 0, HELM_BOOL, AT(quiet), NULL, NULL, "print warnings and errors only", NULL, false},
    {"skip-schema-validation", 0, HELM_BOOL, AT(skip_schema), NULL, NULL, "do not check values against JSON schemas", NULL, false},
    {"kube-version", 0, HELM_STRING, AT(kube_version), NULL, NULL, "the Kubernetes version that templates see", NULL, false},
};
#undef AT

static struct error *lint(struct helm *h, struct lint_result *r, const char *path, struct value values, const struct lint_options *o) {
    const char *dir = path;
    char temporary[] = "/tmp/helm-lint-XXXXXX";
    bool packed = str_ends(path, ".tgz") || str_ends(path, ".tar.gz");
    if (packed) {
        struct chart *c;
        struct error *e = chart_load(&h->arena, path, CHART_BORROWED, &c);
        if (e != NULL) return error_wrap(e, "unable to extract tarball");
        if (mkdtemp(temporary) == NULL) return error_new("unable to create temp dir to extract tarball");
        e = chart_save_directory(&h->arena, c, temporary);
        if (e != NULL) return error_wrap(e, "unable to extract tarball");
        dir = path_join(&h->arena, temporary, chart_name(c));
    }
    struct stat st;
    const char *yaml = path_join(&h->arena, dir, "Chart.yaml");
    struct error *e = NULL;
    if (stat(yaml, &st) != 0) e = error_wrap(go_path_error("stat", yaml, errno), "unable to check Chart.yaml file in chart");
    else lint_chart(r, helm_absolute_path(h, dir), values, o);
    cleanup_error struct error *ignored = packed ? dir_remove(temporary) : NULL;
    return e;
}

/* Directories with a Chart.yaml and archives below charts/, found by nftw, which has no argument for its callback. */
static _Thread_local struct {
    struct arena *arena;
    struct helm_strings *out;
} found;

static int add_found(const char *path, const struct stat *st UNUSED, int type, struct FTW *at UNUSED) {
    const char *slash = strrchr(path, '/');
    bool chart = slash != NULL && str_eq(slash, "/Chart.yaml");
    if (type != FTW_F || !(chart || str_ends(path, ".tgz") || str_ends(path, ".tar.gz"))) return 0;
    struct helm_strings *l = found.out;
    l->items = arena_grow(found.arena, l->items, l->count * sizeof(char *), (l->count + 1) * sizeof(char *));
    l->items[l->count++] = chart ? arena_strndup(found.arena, path, (size_t)(slash - path)) : arena_strdup(found.arena, path);
    return 0;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static struct helm_strings paths_of(struct helm *h, const struct options *o, size_t argc, const char *const *argv) {
    static const char *const here[] = {"."};
    if (argc == 0) argv = here, argc = 1;
    struct helm_strings all = {arena_dup(&h->arena, argv, argc * sizeof(char *)), argc};
    found.arena = &h->arena;
    found.out = &all;
    for (size_t i = 0; i < argc && o->with_subcharts; i++) nftw(path_join(&h->arena, argv[i], "charts"), add_found, 16, FTW_PHYS);
    qsort(all.items + argc, all.count - argc, sizeof(char *), by_text);
    return all;
}

/* Prints what was found in one chart; returns whether it failed. */
static bool report(struct helm *h, const struct options *o, const char *path, const struct lint_result *r, const struct error *e, bool *worth_saying) {
    bool failed = e != NULL, warned = e != NULL;
    for (size_t i = 0; i < r->count; i++) {
        failed |= r->items[i].severity >= (o->strict ? LINT_WARNING : LINT_ERROR);
        warned |= r->items[i].severity > LINT_INFO;
    }
    *worth_saying |= warned;
    if (o->quiet && !warned) return failed;
    fprintf(h->out, "==> Linting %s\n", path);
    if (e != NULL) fprintf(h->out, "Error %s\n", e->message);
    for (size_t i = 0; i < r->count; i++) {
        const struct lint_message *m = &r->items[i];
        if (!o->quiet || m->severity > LINT_INFO) fprintf(h->out, "[%s] %s: %s\n", lint_severity_name(m->severity), m->path, m->text);
    }
    fputc('\n', h->out);
    return failed;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    struct engine_capabilities caps = engine_default_capabilities(&h->arena);
    struct value values;
    size_t failed = 0;
    bool worth_saying = false;
    TRY(helm_use_kube_version(h, o->kube_version, &caps));
    struct lint_options lo = {.ns = helm_namespace(h), .capabilities = &caps, .skip_schema = o->skip_schema};
    TRY(helm_merge_values(h, &o->values, &values));
    struct helm_strings paths = paths_of(h, o, argc, argv);
    for (size_t i = 0; i < paths.count; i++) {
        struct lint_result r = {.arena = &h->arena};
        cleanup_error struct error *e = lint(h, &r, paths.items[i], values, &lo);
        failed += report(h, o, paths.items[i], &r, e, &worth_saying);
    }
    if (failed > 0) return error_new("%zu chart(s) linted, %zu chart(s) failed", paths.count, failed);
    if (!o->quiet || worth_saying) fprintf(h->out, "%zu chart(s) linted, %zu chart(s) failed\n", paths.count, failed);
    return NULL;
}

const struct helm_command helm_lint = {
    .name = "lint",
    .arguments = "PATH",
    .summary = "looks for mistakes in a chart",
    .description = "Checks a chart directory or archive: [ERROR] means that it cannot be installed, [WARNING] that it breaks with custom.",
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), VALUE_FLAGS(offsetof(struct options, values)), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
