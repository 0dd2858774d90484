/* helm dependency build|list|update */
#include "helm/cli/dependency.h"
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/cli/output.h"
#include "helm/cli/remote.h"
#include "helm/go/os.h"
#include "helm/go/semver.h"
#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>

struct options {
    int64_t max_width;
    bool skip_refresh, verify;
    struct chart_path_options repository;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag list_flags[] = {
    {"max-col-width", 0, HELM_INT, AT(max_width), "80", NULL, "widest column of the table", "uint", false},
};
static const struct helm_flag update_flags[] = {
    {"verify", 0, HELM_BOOL, AT(verify), NULL, NULL, "check the packages' signatures", NULL, false},
    {"keyring", 0, HELM_STRING, AT(repository.keyring), NULL, NULL, "file of public keys", NULL, false},
    {"skip-refresh", 0, HELM_BOOL, AT(skip_refresh), NULL, NULL, "use the cached indexes of repositories", NULL, false},
    {"username", 0, HELM_STRING, AT(repository.username), NULL, NULL, "user name at the repository", NULL, false},
    {"password", 0, HELM_STRING, AT(repository.password), NULL, NULL, "password at the repository", NULL, false},
    {"cert-file", 0, HELM_STRING, AT(repository.cert_file), NULL, NULL, "certificate to show to HTTPS servers", NULL, false},
    {"key-file", 0, HELM_STRING, AT(repository.key_file), NULL, NULL, "key of that certificate", NULL, false},
    {"insecure-skip-tls-verify", 0, HELM_BOOL, AT(repository.insecure_skip_tls_verify), NULL, NULL, "do not check certificates", NULL, false},
    {"plain-http", 0, HELM_BOOL, AT(repository.plain_http), NULL, NULL, "HTTP without TLS", NULL, false},
    {"ca-file", 0, HELM_STRING, AT(repository.ca_file), NULL, NULL, "authorities that certificates are checked against", NULL, false},
};
#undef AT

/* ---- list ---- */

static struct chart *find_loaded(const struct chart *c, const char *name) {
    for (size_t i = 0; i < c->dependency_count; i++) {
        if (str_eq(chart_name(c->dependencies[i]), name)) return c->dependencies[i];
    }
    return NULL;
}

static const char *status_of_chart(const struct chart *d, const char *name, const char *wanted) {
    cleanup_arena struct arena a = {0};
    struct semver v;
    if (!str_eq(chart_name(d), name)) return "misnamed";
    if (str_eq(chart_string(d, CHART_VERSION), wanted)) return NULL;
    const struct semver_constraints *c = NULL;
    cleanup_error struct error *bad = semver_constraints_parse(&a, wanted, &c);
    if (bad != NULL) return "invalid constraint";
    cleanup_error struct error *bad_version = semver_parse(&a, chart_string(d, CHART_VERSION), &v);
    if (bad_version != NULL) return "invalid version";
    return semver_check(c, &v) ? NULL : "wrong version";
}

/* An archive NAME-*.tgz in charts/: *count of them, the path of one. */
static const char *find_archive(struct arena *a, const char *charts, const char *name, size_t *count) {
    const char *found = NULL, *pattern = arena_printf(a, "%s-*.tgz", name);
    DIR *dir = opendir(charts);
    *count = 0;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        /* "redis-*" must not find "redis-cluster-1.0.0.tgz" */
        size_t n = strlen(name);
        struct semver v;
        if (fnmatch(pattern, e->d_name, 0) != 0) continue;
        const char *version = arena_strndup(a, e->d_name + n + 1, strlen(e->d_name) - n - 5);
        cleanup_error struct error *bad = semver_parse_strict(a, version, &v);
        if (bad != NULL) continue;
        ++*count;
        found = path_join(a, charts, e->d_name);
    }
    if (dir != NULL) closedir(dir);
    return found;
}

static const char *status(struct arena *a, const struct chart *c, const char *path, const char *name, const char *wanted, const char *repository) {
    const char *charts = path_join(a, path, "charts"), *archive;
    size_t count;
    struct chart *d;
    struct stat st;
    if ((archive = find_archive(a, charts, name, &count)) != NULL) {
        if (count > 1) return "too many matches";
        cleanup_error struct error *bad = chart_load(a, archive, CHART_BORROWED, &d);
        if (bad != NULL) return "corrupt";
        const char *wrong = status_of_chart(d, name, wanted);
        return wrong != NULL ? wrong : "ok";
    }
    const char *folder = path_join(a, charts, name);
    if (stat(folder, &st) != 0) {
        d = find_loaded(c, name);
        return d != NULL ? "ok" : "missing";
    }
    if (!S_ISDIR(st.st_mode)) return "mispackaged";
    cleanup_error struct error *bad = chart_load(a, folder, CHART_BORROWED, &d);
    if (bad != NULL) return "corrupt";
    const char *wrong = status_of_chart(d, name, wanted);
    (void)repository;
    return wrong != NULL ? wrong : "unpacked";
}

static void warn_of_others(struct helm *h, const struct chart *c, const char *path) {
    for (size_t i = 0; i < c->dependency_count; i++) {
        const char *name = chart_name(c->dependencies[i]);
        bool known = false;
        for (size_t j = 0; j < chart_requirement_count(&c->metadata) && !known; j++)
            known = str_eq(chart_requirement_string(&h->arena, chart_requirement(&c->metadata, j), DEPENDENCY_NAME), name);
        if (!known) fprintf(h->out, "WARNING: \"%s\" is not in Chart.yaml.\n", path_join(&h->arena, path, arena_printf(&h->arena, "charts/%s", name)));
    }
}

static struct error *run_list(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    struct arena *a = &h->arena;
    const char *path = argc > 0 ? path_clean(a, argv[0]) : ".";
    struct chart *c;
    TRY(chart_load(a, path, CHART_BORROWED, &c));
    if (chart_requirement_count(&c->metadata) == 0) {
        fprintf(h->err, "WARNING: no dependencies at %s\n", path_join(a, path, "charts"));
        return NULL;
    }
    struct helm_table t = {.arena = a, .max_width = o->max_width > 0 ? (size_t)o->max_width : 0};
    HELM_ROW(&t, "NAME", "VERSION", "REPOSITORY", "STATUS");
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        const struct value *r = chart_requirement(&c->metadata, i);
        const char *name = chart_requirement_string(a, r, DEPENDENCY_NAME), *version = chart_requirement_string(a, r, DEPENDENCY_VERSION),
                   *repository = chart_requirement_string(a, r, DEPENDENCY_REPOSITORY);
        HELM_ROW(&t, name, version, repository, status(a, c, path, name, version, repository));
    }
    cleanup_buf struct buf out = {0};
    helm_table_write(&t, &out);
    fprintf(h->out, "%s\n", buf_str(&out));
    warn_of_others(h, c, path);
    return NULL;
}

/* ---- build and update ---- */

static struct error *run_update(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    const struct dependency_options how = {o->skip_refresh, o->verify ? VERIFY_ALWAYS : VERIFY_NEVER, o->repository.keyring};
    return helm_update_dependencies(h, helm_absolute_path(h, argc > 0 ? argv[0] : "."), &how);
}

static struct error *run_build(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    const struct dependency_options how = {o->skip_refresh, o->verify ? VERIFY_IF_POSSIBLE : VERIFY_NEVER, o->repository.keyring};
    return helm_build_dependencies(h, helm_absolute_path(h, argc > 0 ? argv[0] : "."), &how);
}

static const struct helm_command dependency_build = {
    .name = "build",
    .arguments = "CHART",
    .summary = "fills charts/ as Chart.lock says",
    .arity = HELM_ARGS_MAX,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(update_flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run_build,
};
static const struct helm_command dependency_list = {
    .name = "list",
    .aliases = (const char *const[]){"ls", NULL},
    .arguments = "CHART",
    .summary = "lists a chart's dependencies and whether they are there",
    .arity = HELM_ARGS_MAX,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(list_flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run_list,
};
static const struct helm_command dependency_update = {
    .name = "update",
    .aliases = (const char *const[]){"up", NULL},
    .arguments = "CHART",
    .summary = "fills charts/ as Chart.yaml says and writes Chart.lock",
    .arity = HELM_ARGS_MAX,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(update_flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run_update,
};
const struct helm_command helm_dependency = {
    .name = "dependency",
    .aliases = (const char *const[]){"dep", "dependencies", NULL},
    .summary = "brings a chart's dependencies into charts/",
    .commands = (const struct helm_command *const[]){&dependency_build, &dependency_list, &dependency_update, NULL},
};
