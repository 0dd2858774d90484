/* helm create */
#include "base/str.h"
#include "helm/chart/save.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/commands.h"
#include "helm/go/os.h"

struct options {
    const char *starter;
};
static const struct helm_flag flags[] = {
    {"starter", 'p', HELM_STRING, offsetof(struct options, starter), NULL, NULL, "name or absolute path of the chart to start from", NULL, false},
};

static void overwritten(void *arg, const char *path) {
    struct helm *h = arg;
    fprintf(h->out, "WARNING: File \"%s\" already exists. Overwriting.\n", path);
}

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    struct arena *a = &h->arena;
    fprintf(h->out, "Creating %s\n", argv[0]);
    const char *path = path_clean(a, argv[0]), *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path, *dir = slash != NULL ? arena_strndup(a, path, (size_t)(slash - path)) : ".";
    if (slash == path) dir = "/";
    if (o->starter[0] == '\0') return chart_create(a, name, helm_absolute_path(h, dir), overwritten, h);
    const char *starter = o->starter[0] == '/' ? o->starter : path_join(a, helm_data_path(a, "starters"), o->starter);
    return chart_create_from(a, name, dir, starter);
}

const struct helm_command helm_create = {
    .name = "create",
    .arguments = "NAME",
    .summary = "writes a new chart",
    .description = "Writes a chart with everything a simple web application needs, to be changed into one's own: a deployment, a service,\n"
                   "a service account, and (off at first) an ingress, a route and autoscaling. Files that are there already are overwritten.",
    .arity = HELM_ARGS_EXACT,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
