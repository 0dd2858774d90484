/* helm upgrade */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"
#include "helm/cli/dependency.h"

struct options {
    struct install_options install; /* also for --install */
    struct post_renderer post_renderer;
    bool or_install, hide_secret, reset_values, reuse_values, reset_then_reuse_values, recreate_pods, cleanup_on_fail;
    int64_t history_max;
    enum helm_format format;
};
#define AT(member) offsetof(struct options, member)
#define IN(member) offsetof(struct options, install.member)
static const struct helm_flag flags[] = {
    {"create-namespace", 0, HELM_BOOL, IN(create_namespace), NULL, NULL, "with --install: create the namespace if it is not there", NULL, false},
    {"install", 'i', HELM_BOOL, AT(or_install), NULL, NULL, "install if there is no release of this name", NULL, false},
    {"devel", 0, HELM_BOOL, IN(devel), NULL, NULL, "development versions too; without effect beside --version", NULL, false},
    {"dry-run", 0, HELM_STRING, IN(dry_run), NULL, "client", "only show what would be done; =server asks the cluster on the way", NULL, false},
    {"hide-secret", 0, HELM_BOOL, AT(hide_secret), NULL, NULL, "with --dry-run: do not show Secrets", NULL, false},
    {"recreate-pods", 0, HELM_BOOL, AT(recreate_pods), NULL, NULL, "restart pods of changed resources", NULL, true},
    {"force", 0, HELM_BOOL, IN(force), NULL, NULL, "replace resources instead of patching them", NULL, false},
    {"no-hooks", 0, HELM_BOOL, IN(no_hooks), NULL, NULL, "run no hooks", NULL, false},
    {"disable-openapi-validation", 0, HELM_BOOL, IN(disable_openapi_validation), NULL, NULL, "do not check manifests against the cluster's schema", NULL, false},
    {"skip-crds", 0, HELM_BOOL, IN(skip_crds), NULL, NULL, "with --install: leave CustomResourceDefinitions out", NULL, false},
    {"timeout", 0, HELM_DURATION, IN(timeout), "5m0s", NULL, "how long each operation in the cluster may take", NULL, false},
    {"reset-values", 0, HELM_BOOL, AT(reset_values), NULL, NULL, "start from the chart's values", NULL, false},
    {"reuse-values", 0, HELM_BOOL, AT(reuse_values), NULL, NULL, "start from the last release's values, the chart's included", NULL, false},
    {"reset-then-reuse-values", 0, HELM_BOOL, AT(reset_then_reuse_values), NULL, NULL, "start from the chart's values with the last given ones over them", NULL, false},
    {"wait", 0, HELM_BOOL, IN(wait), NULL, NULL, "wait until everything is ready, at most --timeout", NULL, false},
    {"wait-for-jobs", 0, HELM_BOOL, IN(wait_for_jobs), NULL, NULL, "with --wait: wait for jobs to be completed too", NULL, false},
    {"atomic", 0, HELM_BOOL, IN(atomic), NULL, NULL, "go back on failure; implies --wait", NULL, false},
    {"history-max", 0, HELM_INT, AT(history_max), "10", NULL, "revisions to keep; 0: all", NULL, false},
    {"cleanup-on-fail", 0, HELM_BOOL, AT(cleanup_on_fail), NULL, NULL, "on failure delete what was newly made", NULL, false},
    {"render-subchart-notes", 0, HELM_BOOL, IN(sub_notes), NULL, NULL, "show the dependencies' notes too", NULL, false},
    {"hide-notes", 0, HELM_BOOL, IN(hide_notes), NULL, NULL, "do not show the notes", NULL, false},
    {"skip-schema-validation", 0, HELM_BOOL, IN(skip_schema_validation), NULL, NULL, "do not check values against JSON schemas", NULL, false},
    {"labels", 'l', HELM_STRING_MAP, IN(labels), NULL, NULL, "labels of the release record; key=null takes one away", NULL, false},
    {"description", 0, HELM_STRING, IN(description), NULL, NULL, "text to keep with the release", NULL, false},
    {"dependency-update", 0, HELM_BOOL, IN(dependency_update), NULL, NULL, "fetch missing dependencies first", NULL, false},
    {"enable-dns", 0, HELM_BOOL, IN(enable_dns), NULL, NULL, "let templates look up host names", NULL, false},
    {"take-ownership", 0, HELM_BOOL, IN(take_ownership), NULL, NULL,
     "adopt existing resources whoever they belong to, and go on from a change that was broken off", NULL, false},
    {"output", 'o', HELM_FORMAT, AT(format), NULL, NULL, "table, json or yaml", NULL, false},
};
#undef AT
#undef IN

/* Is there nothing to upgrade? *replace: its last revision was uninstalled, its history is there. */
static struct error *must_install(struct action *x, const char *name, bool *install, bool *replace) {
    struct release_list history;
    *install = *replace = false;
    TRY(kube_reachable(x->kube));
    cleanup_error struct error *bad = action_check_name(name);
    if (bad != NULL) return error_new("release name is invalid: %s", name);
    struct error *e = storage_history(&x->storage, name, &history);
    if (error_is(e, STORAGE_NOT_FOUND)) {
        error_free(e);
        *install = true;
        return NULL;
    }
    TRY(e);
    release_sort_by_revision(&history);
    *install = *replace = history.items[history.len - 1]->status == RELEASE_UNINSTALLED;
    return NULL;
}

static struct error *install_instead(struct helm *h, struct action *x, struct options *o, size_t argc, const char *const *argv, bool replace) {
    struct release *r;
    if (o->format == HELM_TABLE) fprintf(h->out, "Release \"%s\" does not exist. Installing it now.\n", argv[0]);
    o->install.name_template = "";
    o->install.replace = replace;
    const struct install_command command = {&o->install, &o->post_renderer, o->hide_secret};
    TRY(install_run(h, x, &command, argc, argv, &r));
    return status_print(h, o->format, r, &(struct status_options){.debug = h->settings.debug, .hide_notes = o->install.hide_notes});
}

/* As for install, but that the type of the chart does not matter. */
static struct error *load_chart(struct helm *h, const struct options *o, const char *path, struct chart **out) {
    TRY(chart_load(&h->arena, path, CHART_OWN, out));
    struct error *e = helm_check_dependencies(*out);
    if (e != NULL && !o->install.dependency_update)
        return error_wrap(e, "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing "
                          "dependencies");
    if (e != NULL) {
        error_free(e);
        TRY(helm_update_dependencies(h, path, &(struct dependency_options){.keyring = ""}));
        e = chart_load(&h->arena, path, CHART_OWN, out);
        if (e != NULL) return error_wrap(e, "failed reloading chart after repo update");
    }
    if ((*out)->metadata.items[CHART_DEPRECATED].b) helm_warning(h, "This chart is deprecated");
    return NULL;
}

static struct error *upgrade(struct helm *h, struct action *x, struct options *o, const char *const *argv) {
    struct upgrade_action action = {.name = argv[0], .reset_values = o->reset_values, .reuse_values = o->reuse_values,
                                    .reset_then_reuse_values = o->reset_then_reuse_values, .recreate = o->recreate_pods,
                                    .cleanup_on_fail = o->cleanup_on_fail, .max_history = o->history_max};
    const char *path;
    struct value values;
    struct chart *chart;
    struct release *r;
    if (o->install.chart.version[0] == '\0' && o->install.devel) o->install.chart.version = ">0.0.0-0";
    TRY(helm_locate_chart(h, &o->install.chart, argv[1], &path));
    TRY(change_options_from(h, &o->install, &o->post_renderer, o->hide_secret, &action.common));
    TRY(helm_merge_values(h, &o->install.values, &values));
    TRY(load_chart(h, o, path, &chart));
    cluster_cancel_on_signals(h, argv[0]);
    struct error *e = action_upgrade(x, &action, chart, values, &r);
    if (e != NULL) return error_wrap(e, "UPGRADE FAILED");
    if (o->format == HELM_TABLE) fprintf(h->out, "Release \"%s\" has been upgraded. Happy Helming!\n", argv[0]);
    return status_print(h, o->format, r, &(struct status_options){.debug = h->settings.debug, .hide_notes = o->install.hide_notes});
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct options *o = options;
    cleanup_cluster struct action x = {0};
    bool install = false, replace = false;
    if (o->install.dry_run[0] == '\0') o->install.dry_run = "none";
    if (!helm_flag_changed(h, "history-max")) o->history_max = h->settings.max_history;
    TRY(cluster_open(h, &x));
    if (o->or_install) TRY(must_install(&x, argv[0], &install, &replace));
    return install ? install_instead(h, &x, o, argc, argv, replace) : upgrade(h, &x, o, argv);
}

const struct helm_command helm_upgrade = {
    .name = "upgrade",
    .arguments = "[RELEASE] [CHART]",
    .summary = "brings a release to another chart or other values",
    .description = "Changes what is in the cluster to what the chart makes now, and records it as the next revision of the release.\n\n"
                   "Without any values the last given ones are used again; otherwise see --reset-values, --reuse-values and\n"
                   "--reset-then-reuse-values. With --install a release that does not exist is installed.\n\n"
                   "A change that was broken off leaves its revision pending, and further ones are refused. `helm rollback` goes back from there;\n"
                   "--take-ownership goes on.",
    .arity = HELM_ARGS_EXACT,
    .arg_count = 2,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), VALUE_FLAGS(offsetof(struct options, install.values)),
                                         CHART_PATH_FLAGS(offsetof(struct options, install.chart)),
                                         POST_RENDERER_FLAGS(offsetof(struct options, post_renderer)), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
