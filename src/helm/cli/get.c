/* helm get all|values|manifest|hooks|notes|metadata */
#include "base/str.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"

struct options {
    int64_t revision;
    bool all;
    const char *tmpl;
    enum helm_format format;
};
#define REVISION {"revision", 0, HELM_INT, offsetof(struct options, revision), NULL, NULL, "of this revision", NULL, false}
#define OUTPUT {"output", 'o', HELM_FORMAT, offsetof(struct options, format), NULL, NULL, "table, json or yaml", NULL, false}
static const struct helm_flag revision_flags[] = {REVISION};
static const struct helm_flag metadata_flags[] = {REVISION, OUTPUT};
static const struct helm_flag all_flags[] = {
    REVISION,
    {"template", 0, HELM_STRING, offsetof(struct options, tmpl), NULL, NULL, "Go template for the output: {{.Release.Name}}", NULL, false},
};
static const struct helm_flag values_flags[] = {
    REVISION,
    OUTPUT,
    {"all", 'a', HELM_BOOL, offsetof(struct options, all), NULL, NULL, "with the chart's own values", NULL, false},
};

static struct error *get(struct helm *h, const struct options *o, const char *name, struct release **out) {
    cleanup_cluster struct action x = {0};
    TRY(cluster_open(h, &x));
    TRY(kube_reachable(x.kube));
    return action_release(&x, name, o->revision, out);
}

/* ---- all ---- */

/* The release as a template's .Release: fields by the names of the Go structs. */
static const struct json *template_data(struct arena *a, const struct release *r) {
    const struct json *metadata = json_member(r->chart, "metadata"), *upper = &json_empty_object;
    JSON_EACH_MEMBER(m, metadata) {
        char *key = arena_strdup(a, str_eq(m->key, "apiVersion") ? "APIVersion" : m->key);
        if (key[0] >= 'a' && key[0] <= 'z') key[0] = (char)(key[0] - 32);
        upper = json_with_member(a, upper, key, &m->value);
    }
    const struct json *chart = json_make(a, "{'Metadata':%v,'Values':%v}", upper, json_member(r->chart, "values"));
    const struct json *info = json_make(a, "{'FirstDeployed':%s,'LastDeployed':%s,'Deleted':%s,'Description':%s,'Status':%s,'Notes':%s}",
                                        release_time(a, r->first_deployed), release_time(a, r->last_deployed), release_time(a, r->deleted),
                                        r->description, r->status_text, r->notes);
    return json_make(a, "{'Release':{'Name':%s,'Namespace':%s,'Version':%ld,'Manifest':%s,'Config':%v,'Chart':%v,'Info':%v}}", r->name, r->ns,
                     r->version, r->manifest, r->config != NULL ? r->config : &json_empty_object, chart, info);
}

static struct error *run_all(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    struct release *r;
    TRY(get(h, o, argv[0], &r));
    if (o->tmpl[0] == '\0') return status_print(h, HELM_TABLE, r, &(struct status_options){.debug = true, .metadata = true});
    cleanup_buf struct buf out = {0};
    struct value data = value_from_json(&h->arena, template_data(&h->arena, r), VALUE_NUMBERS);
    TRY(engine_render_text(&h->arena, "_", o->tmpl, data, &out));
    fwrite(buf_str(&out), 1, out.len, h->out);
    return NULL;
}

/* ---- values, manifest, hooks, notes ---- */

static struct error *run_values(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    struct release *r;
    const struct json *values;
    TRY(get(h, o, argv[0], &r));
    TRY(status_values_yaml(h, r, o->all, &values));
    if (o->format == HELM_JSON) {
        helm_write_json(h->out, values);
        return NULL;
    }
    if (o->format == HELM_TABLE) fprintf(h->out, o->all ? "COMPUTED VALUES:\n" : "USER-SUPPLIED VALUES:\n");
    helm_write_yaml(h->out, values);
    return NULL;
}

static struct error *run_manifest(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    struct release *r;
    TRY(get(h, options, argv[0], &r));
    fprintf(h->out, "%s\n", r->manifest);
    return NULL;
}

static struct error *run_hooks(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    struct release *r;
    TRY(get(h, options, argv[0], &r));
    for (size_t i = 0; i < r->hook_count; i++) fprintf(h->out, "---\n# Source: %s\n%s\n", r->hooks[i].hook.path, r->hooks[i].hook.manifest);
    return NULL;
}

static struct error *run_notes(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    struct release *r;
    TRY(get(h, options, argv[0], &r));
    if (r->notes[0] != '\0') fprintf(h->out, "NOTES:\n%s\n", r->notes);
    return NULL;
}

/* ---- metadata ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Texts sorted and joined by commas. */
static const char *joined(struct arena *a, const char **texts, size_t n) {
    cleanup_buf struct buf b = {0};
    qsort(texts, n, sizeof(*texts), by_text);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%s", i > 0 ? "," : "", texts[i]);
    return arena_strdup(a, buf_str(&b));
}

static void print_metadata(struct helm *h, const struct json *v) {
    static const struct {
        const char *head, *member;
    } lines[] = {{"NAME", "name"}, {"CHART", "chart"}, {"VERSION", "version"}, {"APP_VERSION", "appVersion"}, {"ANNOTATIONS", NULL},
                 {"DEPENDENCIES", NULL}, {"NAMESPACE", "namespace"}, {"REVISION", "revision"}, {"STATUS", "status"}, {"DEPLOYED_AT", "deployedAt"}};
    struct arena *a = &h->arena;
    const struct json *annotations = json_member(v, "annotations"), *dependencies = json_member(v, "dependencies");
    const char **texts = arena_calloc(a, json_len(annotations) + json_len(dependencies) + 1, sizeof(*texts));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        size_t n = 0;
        const struct json *m = lines[i].member != NULL ? json_member(v, lines[i].member) : NULL;
        const char *text = json_is(m, JSON_INT) ? arena_printf(a, "%lld", (long long)m->i) : json_str_or(m, NULL, "");
        if (str_eq(lines[i].head, "ANNOTATIONS")) {
            JSON_EACH_MEMBER(x, annotations) texts[n++] = arena_printf(a, "%s=%s", x->key, json_str_or(&x->value, NULL, ""));
            text = joined(a, texts, n);
        } else if (str_eq(lines[i].head, "DEPENDENCIES")) {
            JSON_EACH(d, dependencies) texts[n++] = json_str_or(d, "name", "");
            text = joined(a, texts, n);
        }
        fprintf(h->out, "%s: %s\n", lines[i].head, text);
    }
}

static struct error *run_metadata(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    static const char layout[] = "2006-01-02T15:04:05Z07:00";
    const struct options *o = options;
    struct release *r;
    cleanup_buf struct buf when = {0};
    TRY(get(h, o, argv[0], &r));
    const struct json *m = json_member(r->chart, "metadata"), *annotations = json_member(m, "annotations"), *dependencies = json_member(m, "dependencies");
    go_time_format(&when, r->last_deployed, layout, strlen(layout));
    const struct json *v = json_make(&h->arena, "{'name':%s,'chart':%s,'version':%s,'appVersion':%s,'annotations':%v,'dependencies':%v,'namespace':%s,"
                                     "'revision':%ld,'status':%s,'deployedAt':%s}", r->name, json_str_or(m, "name", ""), json_str_or(m, "version", ""),
                                     json_str_or(m, "appVersion", ""), json_len(annotations) > 0 ? annotations : NULL,
                                     json_len(dependencies) > 0 ? dependencies : NULL, r->ns, r->version, r->status_text, buf_str(&when));
    if (o->format == HELM_JSON) helm_write_json(h->out, v);
    else if (o->format == HELM_YAML) helm_write_yaml(h->out, v);
    else print_metadata(h, v);
    return NULL;
}

#define GET(variable, name_, flags_, summary_)                                                                             \
    static const struct helm_command variable = {                                                                         \
        .name = name_, .arguments = "RELEASE_NAME", .summary = summary_, .arity = HELM_ARGS_EXACT, .arg_count = 1,        \
        .flags = (const struct helm_flags[]){HELM_FLAGS(flags_, 0), {0}}, .options_size = sizeof(struct options),         \
        .run = run_##variable,                                                                                            \
    }
GET(all, "all", all_flags, "everything about a release");
GET(values, "values", values_flags, "the values that were given");
GET(manifest, "manifest", revision_flags, "what was sent to the cluster");
GET(hooks, "hooks", revision_flags, "the hooks");
GET(notes, "notes", revision_flags, "the notes");
GET(metadata, "metadata", metadata_flags, "the chart's name and version, revision and state");

const struct helm_command helm_get = {
    .name = "get",
    .summary = "shows what is recorded of a release",
    .arity = HELM_ARGS_NONE,
    .commands = (const struct helm_command *const[]){&all, &hooks, &manifest, &metadata, &notes, &values, NULL},
};
