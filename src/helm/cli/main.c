/* coracle helm …: the table of commands, and one run. */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/helm.h"
#include <malloc.h>
#include <time.h>

static const struct helm_command *const all_commands[] = {
    &helm_completion, &helm_create, &helm_dependency, &helm_env, &helm_get, &helm_history, &helm_install, &helm_lint, &helm_list, &helm_package, &helm_pull,
    &helm_push, &helm_registry, &helm_repo, &helm_rollback, &helm_search, &helm_show, &helm_status, &helm_template, &helm_test,
    &helm_uninstall, &helm_upgrade, &helm_verify, &helm_version, NULL,
};

const struct helm_command helm_root = {
    .name = "helm",
    .summary = "installs and manages applications on Kubernetes",
    .description = "Installs, upgrades and removes applications on Kubernetes that come as charts.\n\n"
                   "  helm create NAME            writes a new chart\n"
                   "  helm template NAME CHART    shows what a chart would make\n"
                   "  helm install NAME CHART     makes it\n"
                   "  helm list                   what there is\n\n"
                   "HELM_* variables stand for flags and places: `helm env` shows them all. HELM_DRIVER (secret, configmap, memory)\n"
                   "says where releases are recorded.",
    .commands = all_commands,
};

void helm_warning(struct helm *h, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("WARNING: ", h->err);
    vfprintf(h->err, fmt, args);
    fputc('\n', h->err);
    va_end(args);
}

void helm_debug(struct helm *h, const char *fmt, ...) {
    if (!h->settings.debug) return;
    char when[64];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
    va_list args;
    va_start(args, fmt);
    fprintf(h->err, "%s [debug] ", when);
    vfprintf(h->err, fmt, args);
    fputc('\n', h->err);
    va_end(args);
}

static struct error *check_arity(struct helm *h, size_t argc) {
    const struct helm_command *c = h->command;
    int n = c->arg_count, given = (int)argc;
    const char *s = n == 1 ? "" : "s", *line = helm_use_line(h);
    switch (c->arity) {
    case HELM_ARGS_ANY: break;
    case HELM_ARGS_NONE: return given == 0 ? NULL : error_new("\"%s\" accepts no arguments\n\nUsage:  %s", h->path, line);
    case HELM_ARGS_EXACT: return given == n ? NULL : error_new("\"%s\" requires %d argument%s\n\nUsage:  %s", h->path, n, s, line);
    case HELM_ARGS_MIN: return given >= n ? NULL : error_new("\"%s\" requires at least %d argument%s\n\nUsage:  %s", h->path, n, s, line);
    case HELM_ARGS_MAX: return given <= n ? NULL : error_new("\"%s\" accepts at most %d argument%s\n\nUsage:  %s", h->path, n, s, line);
    }
    return NULL;
}

static struct error *run_help(struct helm *h, size_t count, const char *const *words) {
    char **argv = arena_calloc(&h->arena, count + 1, sizeof(*argv));
    for (size_t i = 0; i < count; i++) argv[i] = arena_strdup(&h->arena, words[i]);
    const char *const *rest;
    cleanup_error struct error *e = helm_find(h, (int)count, argv, &rest, &count);
    if (e != NULL) {
        fprintf(h->err, "Unknown help topic [`%s`]\n", words[0]);
        h->command = &helm_root;
    }
    helm_print_help(h);
    return NULL;
}

static struct error *run(struct helm *h, int argc, char **argv) {
    const char *const *rest, *const *args;
    size_t count, arg_count;
    bool help;
    if (argc > 0 && str_eq(argv[0], "__complete")) return helm_complete(h, argc - 1, argv + 1);
    if (argc > 0 && str_eq(argv[0], "help")) return run_help(h, (size_t)argc - 1, (const char *const *)argv + 1);
    TRY(helm_find(h, argc, argv, &rest, &count));
    void *options = arena_calloc(&h->arena, 1, h->command->options_size + 1);
    TRY(helm_parse(h, count, rest, options, &args, &arg_count, &help));
    if (help || h->command->run == NULL) return helm_print_help(h), NULL;
    TRY(check_arity(h, arg_count));
    return h->command->run(h, options, arg_count, args);
}

/* A chart's memory comes and goes in large pieces: they are kept, and got in larger ones, so that the kernel is asked less often. */
static void tune_malloc(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
}

int helm_main(int argc, char **argv) {
    tune_malloc();
    struct helm h = {.program = argv[0], .out = stdout, .err = stderr};
    h.arena.eager = true; /* most of a short run's page faults */
    helm_settings_init(&h.arena, &h.settings);
    struct error *e = run(&h, argc - 1, argv + 1);
    fflush(h.out);
    if (e != NULL) fprintf(h.err, "Error: %s\n", e->message);
    int status = e != NULL ? 1 : h.status;
    error_free(e);
    arena_free(&h.arena);
    return status;
}
