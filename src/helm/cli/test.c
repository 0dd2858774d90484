/* helm test */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"

struct options {
    int64_t timeout;
    bool logs, hide_notes;
    struct helm_strings filter;
};
static const struct helm_flag flags[] = {
    {"timeout", 0, HELM_DURATION, offsetof(struct options, timeout), "5m0s", NULL, "how long each test may take", NULL, false},
    {"logs", 0, HELM_BOOL, offsetof(struct options, logs), NULL, NULL, "print the tests' logs afterwards", NULL, false},
    {"filter", 0, HELM_STRING_SLICE, offsetof(struct options, filter), NULL, NULL, "only tests of this name: name=NAME, or all but it: !name=NAME", NULL, false},
    {"hide-notes", 0, HELM_BOOL, offsetof(struct options, hide_notes), NULL, NULL, "do not show the notes", NULL, false},
};

/* Names behind "name=" and "!name=" ("! name=" too); other filters mean nothing, as in helm. */
static void read_filters(struct arena *a, const struct helm_strings *filter, struct test_action *out) {
    const char **only = arena_calloc(a, filter->count + 1, sizeof(*only)), **without = arena_calloc(a, filter->count + 1, sizeof(*without));
    size_t n = 0, m = 0;
    for (size_t i = 0; i < filter->count; i++) {
        const char *f = filter->items[i];
        if (str_starts(f, "name=")) only[n++] = f + strlen("name=");
        else if (str_starts(f, "!name=")) without[m++] = f + strlen("!name=");
        else if (f[0] == '!' && f[1] != '\0' && strchr(" \t\n\f\r", f[1]) != NULL && str_starts(f + 2, "name=")) without[m++] = f + strlen("! name=");
    }
    out->only = only;
    out->without = without;
}

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    cleanup_cluster struct action x = {0};
    struct test_action action = {.timeout = o->timeout};
    struct release *r;
    read_filters(&h->arena, &o->filter, &action);
    TRY(cluster_open(h, &x));
    struct error *e = action_test(&x, argv[0], &action, &r);
    if (r == NULL) return e;
    cleanup_error struct error *shown =
        status_print(h, HELM_TABLE, r, &(struct status_options){.debug = h->settings.debug, .hide_notes = o->hide_notes});
    if (o->logs) {
        fputc('\n', h->out);
        struct error *unread = action_test_logs(&x, r, &action);
        if (unread != NULL) {
            error_free(e);
            return unread;
        }
    }
    return e;
}

const struct helm_command helm_test = {
    .name = "test",
    .arguments = "[RELEASE]",
    .summary = "runs the tests of a release",
    .description = "Runs what the chart has marked as tests and says how they ended.",
    .arity = HELM_ARGS_EXACT,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
