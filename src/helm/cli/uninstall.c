/* helm uninstall */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"

#define AT(member) offsetof(struct uninstall_action, member)
static const struct helm_flag flags[] = {
    {"dry-run", 0, HELM_BOOL, AT(dry_run), NULL, NULL, "only check that the release exists", NULL, false},
    {"no-hooks", 0, HELM_BOOL, AT(no_hooks), NULL, NULL, "run no hooks", NULL, false},
    {"ignore-not-found", 0, HELM_BOOL, AT(ignore_not_found), NULL, NULL, "a release that does not exist is no error", NULL, false},
    {"keep-history", 0, HELM_BOOL, AT(keep_history), NULL, NULL, "keep the records", NULL, false},
    {"wait", 0, HELM_BOOL, AT(wait), NULL, NULL, "wait until everything is gone, at most --timeout", NULL, false},
    {"cascade", 0, HELM_STRING, AT(cascade), "background", NULL, "what happens to dependents: background, orphan or foreground", NULL, false},
    {"timeout", 0, HELM_DURATION, AT(timeout), "5m0s", NULL, "how long each operation in the cluster may take", NULL, false},
    {"description", 0, HELM_STRING, AT(description), NULL, NULL, "text to keep with the release", NULL, false},
};
#undef AT

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct uninstall_action *o = options;
    cleanup_cluster struct action x = {0};
    if (!str_in(o->cascade, (const char *const[]){"background", "foreground", "orphan", NULL}))
        return error_new("invalid cascade value (%s). Must be \"background\", \"foreground\", or \"orphan\"", o->cascade);
    TRY(cluster_open(h, &x));
    for (size_t i = 0; i < argc; i++) {
        const char *info;
        TRY(action_uninstall(&x, argv[i], o, &info));
        if (info != NULL && info[0] != '\0') fprintf(h->out, "%s\n", info);
        fprintf(h->out, "release \"%s\" uninstalled\n", argv[i]);
    }
    return NULL;
}

const struct helm_command helm_uninstall = {
    .name = "uninstall",
    .arguments = "RELEASE_NAME [...]",
    .aliases = (const char *const[]){"del", "delete", "un", NULL},
    .suggest_for = (const char *const[]){"remove", "rm", NULL},
    .summary = "removes releases",
    .description = "Deletes what a release made and its records. Resources with the policy \"keep\" stay.",
    .arity = HELM_ARGS_MIN,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct uninstall_action),
    .run = run,
};
