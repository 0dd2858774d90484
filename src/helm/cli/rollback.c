/* helm rollback */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"
#include "helm/go/strconv.h"

#define AT(member) offsetof(struct rollback_action, member)
static const struct helm_flag flags[] = {
    {"dry-run", 0, HELM_BOOL, AT(dry_run), NULL, NULL, "only check that it could be done", NULL, false},
    {"recreate-pods", 0, HELM_BOOL, AT(recreate), NULL, NULL, "restart pods of changed resources", NULL, false},
    {"force", 0, HELM_BOOL, AT(force), NULL, NULL, "replace resources instead of patching them", NULL, false},
    {"no-hooks", 0, HELM_BOOL, AT(no_hooks), NULL, NULL, "run no hooks", NULL, false},
    {"timeout", 0, HELM_DURATION, AT(timeout), "5m0s", NULL, "how long each operation in the cluster may take", NULL, false},
    {"wait", 0, HELM_BOOL, AT(wait), NULL, NULL, "wait until everything is ready, at most --timeout", NULL, false},
    {"wait-for-jobs", 0, HELM_BOOL, AT(wait_for_jobs), NULL, NULL, "with --wait: wait for jobs to be completed too", NULL, false},
    {"cleanup-on-fail", 0, HELM_BOOL, AT(cleanup_on_fail), NULL, NULL, "on failure delete what was newly made", NULL, false},
    {"history-max", 0, HELM_INT, AT(max_history), "10", NULL, "revisions to keep; 0: all", NULL, false},
};
#undef AT

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct rollback_action *o = options;
    cleanup_cluster struct action x = {0};
    o->name = argv[0];
    if (argc > 1 && !str_to_int64(argv[1], &o->version)) {
        cleanup_buf struct buf shown = {0};
        go_quote(&shown, argv[1], strlen(argv[1]));
        return error_new("could not convert revision to a number: strconv.Atoi: parsing %s: invalid syntax", buf_str(&shown));
    }
    if (!helm_flag_changed(h, "history-max")) o->max_history = h->settings.max_history;
    TRY(cluster_open(h, &x));
    TRY(action_rollback(&x, o));
    fprintf(h->out, "Rollback was a success! Happy Helming!\n");
    return NULL;
}

const struct helm_command helm_rollback = {
    .name = "rollback",
    .arguments = "<RELEASE> [REVISION]",
    .summary = "goes back to an earlier revision of a release",
    .description = "Brings the cluster to what an earlier revision described, which becomes the newest one. Without REVISION (or with 0) that is\n"
                   "the one before; `helm history` lists them. Also the way out of a change that was broken off.",
    .arity = HELM_ARGS_MIN,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct rollback_action),
    .run = run,
};
