/* helm list */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"
#include "helm/go/regexp.h"
#include "schema/schema.h"

struct options {
    bool quiet, no_headers, date, reverse, all, uninstalled, superseded, uninstalling, deployed, failed, pending, all_namespaces;
    const char *time_format, *filter, *selector;
    int64_t max, offset;
    enum helm_format format;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"short", 'q', HELM_BOOL, AT(quiet), NULL, NULL, "names only", NULL, false},
    {"no-headers", 0, HELM_BOOL, AT(no_headers), NULL, NULL, "leave the table's heads out", NULL, false},
    {"time-format", 0, HELM_STRING, AT(time_format), NULL, NULL, "Go's layout for times: \"2006-01-02 15:04:05Z0700\"", NULL, false},
    {"date", 'd', HELM_BOOL, AT(date), NULL, NULL, "sort by time of change", NULL, false},
    {"reverse", 'r', HELM_BOOL, AT(reverse), NULL, NULL, "sort the other way round", NULL, false},
    {"all", 'a', HELM_BOOL, AT(all), NULL, NULL, "releases in every state", NULL, false},
    {"uninstalled", 0, HELM_BOOL, AT(uninstalled), NULL, NULL, "uninstalled ones whose history was kept", NULL, false},
    {"superseded", 0, HELM_BOOL, AT(superseded), NULL, NULL, "superseded ones", NULL, false},
    {"uninstalling", 0, HELM_BOOL, AT(uninstalling), NULL, NULL, "those being uninstalled", NULL, false},
    {"deployed", 0, HELM_BOOL, AT(deployed), NULL, NULL, "those in force (with failed ones if no state is given)", NULL, false},
    {"failed", 0, HELM_BOOL, AT(failed), NULL, NULL, "failed ones", NULL, false},
    {"pending", 0, HELM_BOOL, AT(pending), NULL, NULL, "those being changed", NULL, false},
    {"all-namespaces", 'A', HELM_BOOL, AT(all_namespaces), NULL, NULL, "of all namespaces", NULL, false},
    {"max", 'm', HELM_INT, AT(max), "256", NULL, "at most so many", NULL, false},
    {"offset", 0, HELM_INT, AT(offset), NULL, NULL, "leave out so many at the start", NULL, false},
    {"filter", 'f', HELM_STRING, AT(filter), NULL, NULL, "regular expression for names", NULL, false},
    {"selector", 'l', HELM_STRING, AT(selector), NULL, NULL, "labels of the release records: key=value, key!=value", NULL, false},
    {"output", 'o', HELM_FORMAT, AT(format), NULL, NULL, "table, json or yaml", NULL, false},
};
#undef AT

#define STATE(s) (1u << (s))
#define PENDING (STATE(RELEASE_PENDING_INSTALL) | STATE(RELEASE_PENDING_UPGRADE) | STATE(RELEASE_PENDING_ROLLBACK))
enum { ALL_STATES = (1u << RELEASE_STATUS_COUNT) - 1 - (1u << RELEASE_UNKNOWN) };

static unsigned wanted_states(const struct options *o) {
    if (o->all) return ALL_STATES;
    unsigned s = (o->deployed ? STATE(RELEASE_DEPLOYED) : 0) | (o->uninstalled ? STATE(RELEASE_UNINSTALLED) : 0) |
                 (o->uninstalling ? STATE(RELEASE_UNINSTALLING) : 0) | (o->pending ? PENDING : 0) | (o->failed ? STATE(RELEASE_FAILED) : 0) |
                 (o->superseded ? STATE(RELEASE_SUPERSEDED) : 0);
    return s != 0 ? s : STATE(RELEASE_DEPLOYED) | STATE(RELEASE_FAILED);
}

static bool is_latest(const struct release_list *all, const struct release *r) {
    for (size_t i = 0; i < all->len; i++) {
        const struct release *o = all->items[i];
        if (o->version > r->version && str_eq(o->name, r->name) && str_eq(o->ns, r->ns)) return false;
    }
    return true;
}

static struct error *keep_names(struct arena *a, const char *filter, struct release_list *l) {
    const struct regexp *re;
    size_t kept = 0;
    if (filter[0] == '\0') return NULL;
    TRY(regexp_compile(a, filter, strlen(filter), &re));
    for (size_t i = 0; i < l->len; i++)
        if (regexp_match(re, l->items[i]->name, strlen(l->items[i]->name), 0, NULL, 0)) l->items[kept++] = l->items[i];
    l->len = kept;
    return NULL;
}

static struct error *keep_wanted(struct arena *a, const struct options *o, struct release_list *l) {
    struct selector *selector;
    unsigned states = wanted_states(o);
    struct release_list all = *l, out = {0};
    TRY(label_selector_parse(a, o->selector, &selector));
    for (size_t i = 0; i < all.len; i++) {
        struct release *r = all.items[i];
        if (states != STATE(RELEASE_SUPERSEDED) && !is_latest(&all, r)) continue;
        if ((states & STATE(r->status)) != 0 && label_selector_matches(selector, r->labels)) release_list_add(a, &out, r);
    }
    *l = out;
    return NULL;
}

static void sort(const struct options *o, struct release_list *l) {
    if (o->date) release_sort_by_date(l);
    else release_sort_by_name(l);
    if (o->reverse) release_reverse(l);
}

static void cut(const struct options *o, struct release_list *l) {
    size_t skip = o->offset > 0 ? (size_t)o->offset : 0;
    if (skip >= l->len) {
        l->len = 0;
        return;
    }
    l->items += skip;
    l->len -= skip;
    if (o->max > 0 && (size_t)o->max < l->len) l->len = (size_t)o->max;
}

static const char *time_text(struct arena *a, const char *layout, struct go_moment t) {
    cleanup_buf struct buf b = {0};
    if (go_time_compare(t, go_zero_time) == 0) return "-";
    if (layout[0] != '\0') go_time_format(&b, t, layout, strlen(layout));
    else go_time_string(&b, t);
    return arena_strdup(a, buf_str(&b));
}

static void print_names(struct helm *h, enum helm_format format, const struct release_list *l) {
    struct json_array names = {.arena = &h->arena};
    for (size_t i = 0; i < l->len; i++) {
        if (format == HELM_TABLE) fprintf(h->out, "%s\n", l->items[i]->name);
        json_array_add(&names, json_string(&h->arena, l->items[i]->name));
    }
    if (format == HELM_JSON) helm_write_json(h->out, json_array_done(&names));
    if (format == HELM_YAML) helm_write_yaml(h->out, json_array_done(&names));
}

static void print(struct helm *h, const struct options *o, const struct release_list *l) {
    struct arena *a = &h->arena;
    struct helm_table table = {.arena = a};
    struct json_array list = {.arena = a};
    if (!o->no_headers) HELM_ROW(&table, "NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION");
    for (size_t i = 0; i < l->len; i++) {
        const struct release *r = l->items[i];
        const char *revision = arena_printf(a, "%lld", (long long)r->version), *updated = time_text(a, o->time_format, r->last_deployed),
                   *chart = release_chart_name(a, r), *app = release_app_version(r);
        HELM_ROW(&table, r->name, r->ns, revision, updated, r->status_text, chart, app);
        json_array_add(&list, json_make(a, "{'name':%s,'namespace':%s,'revision':%s,'updated':%s,'status':%s,'chart':%s,'app_version':%s}", r->name,
                                        r->ns, revision, updated, r->status_text, chart, app));
    }
    cleanup_buf struct buf out = {0};
    if (o->format == HELM_JSON) helm_write_json(h->out, json_array_done(&list));
    else if (o->format == HELM_YAML) helm_write_yaml(h->out, json_array_done(&list));
    else helm_table_write(&table, &out);
    fwrite(buf_str(&out), 1, out.len, h->out);
}

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv UNUSED) {
    const struct options *o = options;
    cleanup_cluster struct action x = {0};
    struct release_list l;
    TRY(cluster_open(h, &x));
    if (o->all_namespaces) cluster_all_namespaces(&x);
    TRY(kube_reachable(x.kube));
    TRY(storage_list(&x.storage, &l));
    TRY(keep_names(&h->arena, o->filter, &l));
    TRY(keep_wanted(&h->arena, o, &l));
    sort(o, &l);
    cut(o, &l);
    if (o->quiet) print_names(h, o->format, &l);
    else print(h, o, &l);
    return NULL;
}

const struct helm_command helm_list = {
    .name = "list",
    .aliases = (const char *const[]){"ls", NULL},
    .summary = "lists releases",
    .description = "Lists the releases of a namespace, or of all with -A: those in force and failed ones, unless states are given.",
    .arity = HELM_ARGS_NONE,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
