/* From Chart.yaml to charts/: see dependency.h. Archives are made in a directory of their own beside charts/ and moved when all are there. */
#include "base/clock.h"
#include "base/str.h"
#include "helm/chart/save.h"
#include "helm/cli/dependency.h"
#include "helm/cli/remote.h"
#include "helm/go/os.h"
#include "helm/go/semver.h"
#include "helm/go/yaml.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
    struct helm *h;
    const struct dependency_options *how;
    struct arena *arena;
    const char *path;     /* of the chart */
    struct chart *chart;
    struct value locked;  /* dependencies with exact versions */
};

static const char *text(struct job *j, const struct value *requirement, enum dependency_field f) {
    return chart_requirement_string(j->arena, requirement, f);
}

static struct error *load(struct job *j) {
    struct stat st;
    struct chart_files files = {0};
    if (stat(j->path, &st) != 0) return error_wrap(go_path_error("stat", j->path, errno), "could not find %s", j->path);
    if (!S_ISDIR(st.st_mode)) return error_new("only unpacked charts can be updated");
    TRY(chart_directory_files(j->arena, j->path, CHART_OWN, &files));
    return chart_load_files(j->arena, files, &j->chart);
}

/* ---- which version ---- */

static const char *local_path(struct job *j, const char *repository) {
    const char *p = repository + strlen("file://");
    return p[0] == '/' ? path_clean(j->arena, p) : path_join(j->arena, j->path, p);
}

static struct error *load_local(struct job *j, const char *dir, struct chart **out) {
    struct stat st;
    struct chart_files files = {0};
    if (stat(dir, &st) != 0) return error_new("directory %s not found", dir);
    TRY(chart_directory_files(j->arena, dir, CHART_OWN, &files));
    return chart_load_files(j->arena, files, out);
}

static struct error *check_constraint(struct job *j, const struct value *r) {
    const struct semver_constraints *c = NULL;
    struct error *e = semver_constraints_parse(j->arena, text(j, r, DEPENDENCY_VERSION), &c);
    return e != NULL ? error_wrap(e, "dependency \"%s\" has an invalid version/constraint format", text(j, r, DEPENDENCY_NAME)) : NULL;
}

/* The version of one dependency, exactly; `missing` collects those that nothing satisfies. */
static struct error *resolve_one(struct job *j, const struct value *r, struct value *locked, struct buf *missing) {
    const char *name = text(j, r, DEPENDENCY_NAME), *repository = text(j, r, DEPENDENCY_REPOSITORY), *version = text(j, r, DEPENDENCY_VERSION);
    TRY(check_constraint(j, r));
    locked[DEPENDENCY_NAME] = value_literal(name);
    locked[DEPENDENCY_REPOSITORY] = value_literal(repository);
    if (repository[0] == '\0') {
        struct stat st;
        const char *dir = path_join(j->arena, path_join(j->arena, j->path, "charts"), name);
        if (stat(dir, &st) != 0) return error_new("directory %s not found", dir);
    } else if (str_starts(repository, "file://")) {
        struct chart *c;
        TRY(load_local(j, local_path(j, repository), &c));
        if (!chart_version_matches(version, chart_string(c, CHART_VERSION)))
            buf_printf(missing, "%s\"%s\" (repository \"%s\", version \"%s\")", missing->len > 0 ? ", " : "", name, repository, version);
        version = chart_string(c, CHART_VERSION);
    } else {
        TRY(helm_resolve_version(j->h, repository, name, version, &version));
    }
    locked[DEPENDENCY_VERSION] = value_literal(version);
    return NULL;
}

static struct value new_dependency(struct arena *a) {
    struct value *items = arena_calloc(a, DEPENDENCY_ALIAS + 1, sizeof(*items));
    for (size_t i = 0; i <= DEPENDENCY_ALIAS; i++) items[i] = value_zero(chart_dependency_type.fields[i].type);
    return (struct value){.type = chart_dependencies_type.elem, .items = items};
}

static struct error *resolve(struct job *j) {
    size_t n = chart_requirement_count(&j->chart->metadata);
    cleanup_buf struct buf missing = {0};
    j->locked = value_slice(j->arena, &chart_dependencies_type, n);
    for (size_t i = 0; i < n; i++) {
        j->locked.items[i] = new_dependency(j->arena);
        TRY(resolve_one(j, chart_requirement(&j->chart->metadata, i), j->locked.items[i].items, &missing));
    }
    if (missing.len > 0)
        return error_new("can't get a valid version for %zu subchart(s): %s. Make sure a matching chart version exists in the repo, or change the version "
                         "constraint in Chart.yaml", (size_t)1, buf_str(&missing));
    return NULL;
}

/* ---- getting them ---- */

static struct error *check_included(struct job *j, const struct value *d, const char *charts) {
    const char *name = text(j, d, DEPENDENCY_NAME), *dir = path_join(j->arena, charts, name);
    struct chart_files files = {0};
    struct chart *c;
    fprintf(j->h->out, "Dependency %s did not declare a repository. Assuming it exists in the charts directory\n", name);
    struct error *e = chart_directory_files(j->arena, dir, CHART_OWN, &files);
    if (e == NULL) e = chart_load_files(j->arena, files, &c);
    if (e != NULL) return error_wrap(e, "unable to load chart '%s'", dir);
    if (chart_version_matches(text(j, d, DEPENDENCY_VERSION), chart_string(c, CHART_VERSION))) return NULL;
    return error_new("dependency %s at version %s does not satisfy the constraint %s", name, chart_string(c, CHART_VERSION), text(j, d, DEPENDENCY_VERSION));
}

static struct error *get_one(struct job *j, struct value *d, const char *charts, const char *into) {
    const char *repository = text(j, d, DEPENDENCY_REPOSITORY), *name = text(j, d, DEPENDENCY_NAME), *path;
    if (repository[0] == '\0') return check_included(j, d, charts);
    if (str_starts(repository, "file://")) {
        struct chart *c;
        TRY(load_local(j, local_path(j, repository), &c));
        if (!chart_version_matches(text(j, d, DEPENDENCY_VERSION), chart_string(c, CHART_VERSION)))
            return error_new("can't get a valid version for dependency %s", name);
        d[DEPENDENCY_VERSION] = value_literal(chart_string(c, CHART_VERSION));
        return chart_save(j->arena, c, into, &path);
    }
    fprintf(j->h->out, "Downloading %s from repo %s\n", name, repository);
    return helm_download_dependency(j->h, j->how, repository, name, text(j, d, DEPENDENCY_VERSION), into);
}

static bool is_included(struct job *j, const char *name) {
    for (size_t i = 0; i < j->locked.len; i++) {
        const struct value *d = j->locked.items[i].items;
        if (d[DEPENDENCY_REPOSITORY].len == 0 && str_eq(text(j, d, DEPENDENCY_NAME), name)) return true;
    }
    return false;
}

/* Archives in charts/ that nothing asks for any more go. */
static void delete_outdated(struct job *j, const char *charts, const struct helm_strings *fresh) {
    DIR *dir = opendir(charts);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        const char *path = path_join(j->arena, charts, e->d_name);
        struct stat st;
        struct chart *c;
        bool kept = e->d_name[0] == '.' || lstat(path, &st) != 0 || S_ISDIR(st.st_mode);
        for (size_t i = 0; i < fresh->count && !kept; i++) kept = str_eq(fresh->items[i], e->d_name);
        if (kept) continue;
        cleanup_error struct error *bad = chart_load(j->arena, path, CHART_OWN, &c);
        if (bad != NULL) fprintf(j->h->out, "Could not verify %s for deletion: %s (Skipping)\n", path, bad->message);
        else if (!is_included(j, chart_name(c))) unlink(path);
    }
    if (dir != NULL) closedir(dir);
}

static struct error *move_all(struct job *j, const char *from, const char *charts) {
    struct helm_strings fresh = {0};
    DIR *dir = opendir(from);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        const char *source = path_join(j->arena, from, e->d_name), *target = path_join(j->arena, charts, e->d_name);
        fresh.items = arena_grow(j->arena, fresh.items, fresh.count * sizeof(char *), (fresh.count + 1) * sizeof(char *));
        fresh.items[fresh.count++] = arena_strdup(j->arena, e->d_name);
        if (rename(source, target) != 0) fprintf(j->h->out, "Unable to move %s to charts dir %s (Skipping)", source, strerror(errno));
    }
    if (dir != NULL) closedir(dir);
    fputs("Deleting outdated charts\n", j->h->out);
    delete_outdated(j, charts, &fresh);
    return NULL;
}

static struct error *get_all(struct job *j) {
    const char *charts = path_join(j->arena, j->path, "charts"), *into = path_join(j->arena, j->path, arena_printf(j->arena, "tmpcharts-%d", (int)getpid()));
    struct stat st;
    if (stat(charts, &st) == 0 && !S_ISDIR(st.st_mode)) return error_new("\"%s\" is not a directory", charts);
    TRY(go_mkdir_all(charts));
    TRY(go_mkdir_all(into));
    fprintf(j->h->out, "Saving %u charts\n", (unsigned)j->locked.len);
    struct error *e = NULL;
    for (size_t i = 0; i < j->locked.len && e == NULL; i++) e = get_one(j, j->locked.items[i].items, charts, into);
    if (e != NULL) fprintf(j->h->out, "Save error occurred:  %s\n", e->message);
    else e = move_all(j, into, charts);
    cleanup_error struct error *ignored = dir_remove(into);
    return e;
}

/* ---- the lock file ---- */

/* "sha256:" over both lists as JSON. */
static struct error *digest(struct job *j, const char **out) {
    const struct json *wanted, *locked;
    TRY(value_to_json(j->arena, j->chart->metadata.items[CHART_DEPENDENCIES], &wanted));
    TRY(value_to_json(j->arena, j->locked, &locked));
    cleanup_buf struct buf both = {0}, hex = {0};
    uint8_t sum[32];
    json_encode(&both, json_make(j->arena, "[%v,%v]", wanted, locked));
    sha256(both.data, both.len, sum);
    hex_encode(&hex, sum, sizeof sum);
    *out = arena_printf(j->arena, "sha256:%s", buf_str(&hex));
    return NULL;
}

static struct error *write_lock(struct job *j, const char *sum) {
    bool v1 = value_str_eq(j->chart->metadata.items[CHART_API_VERSION], "v1");
    char now[TIME_STRING_MAX];
    struct value *items = arena_calloc(j->arena, 3, sizeof(*items));
    items[LOCK_GENERATED] = value_literal(time_format_micro(now, clock_wall(&clock_real)));
    items[LOCK_DIGEST] = value_literal(sum);
    items[LOCK_DEPENDENCIES] = j->locked;
    cleanup_buf struct buf yaml = {0};
    TRY(go_yaml_marshal(j->arena, (struct value){.type = &chart_lock_type, .items = items}, &yaml));
    return go_write_file(path_join(j->arena, j->path, v1 ? "requirements.lock" : "Chart.lock"), buf_str(&yaml), yaml.len);
}

struct error *helm_update_dependencies(struct helm *h, const char *chart_path, const struct dependency_options *how) {
    struct job j = {.h = h, .how = how, .arena = &h->arena, .path = chart_path};
    const char *sum;
    TRY(load(&j));
    if (j.chart->metadata.items[CHART_DEPENDENCIES].items == NULL) return NULL;
    TRY(helm_refresh_repositories(h, j.chart, how->skip_refresh));
    TRY(resolve(&j));
    TRY(get_all(&j));
    TRY(digest(&j, &sum));
    bool same = j.chart->lock.type != NULL && j.chart->lock.items != NULL && value_str_eq(j.chart->lock.items[LOCK_DIGEST], sum);
    return same ? NULL : write_lock(&j, sum);
}

struct error *helm_build_dependencies(struct helm *h, const char *chart_path, const struct dependency_options *how) {
    struct job j = {.h = h, .how = how, .arena = &h->arena, .path = chart_path};
    const char *sum;
    TRY(load(&j));
    if (j.chart->lock.type == NULL || j.chart->lock.items == NULL) return helm_update_dependencies(h, chart_path, how);
    j.locked = j.chart->lock.items[LOCK_DEPENDENCIES];
    TRY(digest(&j, &sum));
    if (!value_str_eq(j.chart->lock.items[LOCK_DIGEST], sum)) {
        bool v1 = value_str_eq(j.chart->metadata.items[CHART_API_VERSION], "v1");
        return error_new("the lock file (%s) is out of sync with the dependencies file (%s). Please update the dependencies",
                         v1 ? "requirements.lock" : "Chart.lock", v1 ? "requirements.yaml" : "Chart.yaml");
    }
    TRY(helm_refresh_repositories(h, j.chart, how->skip_refresh));
    return get_all(&j);
}
