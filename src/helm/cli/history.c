/* helm history */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"

#define ANSIC "Mon Jan _2 15:04:05 2006"

struct options {
    int64_t max;
    enum helm_format format;
};
static const struct helm_flag flags[] = {
    {"max", 0, HELM_INT, offsetof(struct options, max), "256", NULL, "the newest so many", NULL, false},
    {"output", 'o', HELM_FORMAT, offsetof(struct options, format), NULL, NULL, "table, json or yaml", NULL, false},
};

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    struct arena *a = &h->arena;
    cleanup_cluster struct action x = {0};
    struct release_list l;
    struct helm_table table = {.arena = a};
    struct json_array list = {.arena = a};
    TRY(cluster_open(h, &x));
    TRY(kube_reachable(x.kube));
    cleanup_error struct error *bad = action_check_name(argv[0]);
    if (bad != NULL) return error_new("release name is invalid: %s", argv[0]);
    TRY(storage_history(&x.storage, argv[0], &l));
    release_sort_by_revision(&l);
    size_t first = o->max < 0 ? l.len : l.len - MIN(l.len, (size_t)o->max);
    HELM_ROW(&table, "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION");
    for (size_t i = first; i < l.len; i++) {
        const struct release *r = l.items[i];
        cleanup_buf struct buf when = {0};
        go_time_format(&when, r->last_deployed, ANSIC, strlen(ANSIC));
        const char *chart = release_chart_name(a, r), *app = release_app_version(r);
        HELM_ROW(&table, arena_printf(a, "%lld", (long long)r->version), arena_strdup(a, buf_str(&when)), r->status_text, chart, app, r->description);
        json_array_add(&list, json_make(a, "{'revision':%ld,'updated':%s,'status':%s,'chart':%s,'app_version':%s,'description':%s}", r->version,
                                        release_time(a, r->last_deployed), r->status_text, chart, app, r->description));
    }
    cleanup_buf struct buf out = {0};
    if (o->format == HELM_JSON) helm_write_json(h->out, json_array_done(&list));
    else if (o->format == HELM_YAML) helm_write_yaml(h->out, json_array_done(&list));
    else helm_table_write(&table, &out);
    fwrite(buf_str(&out), 1, out.len, h->out);
    return NULL;
}

const struct helm_command helm_history = {
    .name = "history",
    .arguments = "RELEASE_NAME",
    .aliases = (const char *const[]){"hist", NULL},
    .summary = "lists the revisions of a release",
    .arity = HELM_ARGS_EXACT,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
