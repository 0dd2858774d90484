/* helm install */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"

struct options {
    struct install_options install;
    struct post_renderer post_renderer;
    bool hide_secret;
    enum helm_format format;
};
static const struct helm_flag flags[] = {
    {"hide-secret", 0, HELM_BOOL, offsetof(struct options, hide_secret), NULL, NULL, "with --dry-run: do not show Secrets", NULL, false},
    {"output", 'o', HELM_FORMAT, offsetof(struct options, format), NULL, NULL, "table, json or yaml", NULL, false},
};

struct error *install_run(struct helm *h, struct action *x, const struct install_command *c, size_t argc, const char *const *argv,
                          struct release **out) {
    struct install_options *o = c->options;
    struct install_action action = {.create_namespace = o->create_namespace, .replace = o->replace};
    const char *reference, *path;
    struct value values;
    struct chart *chart;
    if (o->chart.version[0] == '\0' && o->devel) {
        helm_debug(h, "setting version to >0.0.0-0");
        o->chart.version = ">0.0.0-0";
    }
    TRY(helm_name_and_chart(h, o, NULL, argc, argv, &action.name, &reference));
    TRY(helm_locate_chart(h, &o->chart, reference, &path));
    helm_debug(h, "CHART PATH: %s\n", path);
    TRY(helm_merge_values(h, &o->values, &values));
    TRY(helm_load_installable(h, o, path, CHART_OWN, &chart));
    TRY(change_options_from(h, o, c->post_renderer, c->hide_secret, &action.common));
    cluster_cancel_on_signals(h, argv[0]);
    return action_install(x, &action, chart, values, out);
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct options *o = options;
    cleanup_cluster struct action x = {0};
    struct release *r;
    if (o->install.dry_run[0] == '\0') o->install.dry_run = "none";
    TRY(cluster_open(h, &x));
    const struct install_command command = {&o->install, &o->post_renderer, o->hide_secret};
    struct error *e = install_run(h, &x, &command, argc, argv, &r);
    if (e != NULL) return error_wrap(e, "INSTALLATION FAILED");
    return status_print(h, o->format, r, &(struct status_options){.debug = h->settings.debug, .hide_notes = o->install.hide_notes});
}

const struct helm_command helm_install = {
    .name = "install",
    .arguments = "[NAME] [CHART]",
    .summary = "installs a chart",
    .description = "Makes what a chart describes and records it as a release.\n\n"
                   "CHART is a directory, a packed chart, a URL, REPOSITORY/CHART, or oci://REGISTRY/PATH; with --repo it is the name of a chart there.\n"
                   "Values are given with -f FILE and --set key=value; later ones win. --dry-run shows what would be done.",
    .arity = HELM_ARGS_MIN,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){INSTALL_FLAGS(offsetof(struct options, install)), POST_RENDERER_FLAGS(offsetof(struct options, post_renderer)),
                                         HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
