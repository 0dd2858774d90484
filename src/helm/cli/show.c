/* helm show all|chart|crds|readme|values */
#include "base/str.h"
#include "helm/chart/save.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/commands.h"
#include "helm/go/yaml.h"
#include <strings.h>

struct options {
    struct chart_path_options chart;
    bool devel;
};
static const struct helm_flag flags[] = {
    {"devel", 0, HELM_BOOL, offsetof(struct options, devel), NULL, NULL, "development versions too; without effect beside --version", NULL, false},
};
enum { SHOW_CHART = 1, SHOW_VALUES = 2, SHOW_README = 4, SHOW_CRDS = 8, SHOW_ALL = 15 };

static void print_file(struct helm *h, const struct chart_file *f) {
    fwrite(f->data, 1, f->len, h->out);
    fputc('\n', h->out);
}

static const struct chart_file *find_readme(const struct chart *c) {
    for (size_t i = 0; i < c->files.count; i++) {
        const char *name = c->files.items[i].name;
        if (strcasecmp(name, "readme.md") == 0 || strcasecmp(name, "readme.txt") == 0 || strcasecmp(name, "readme") == 0) return &c->files.items[i];
    }
    return NULL;
}

static struct error *show(struct helm *h, void *options, const char *name, int what) {
    struct options *o = options;
    const char *path;
    struct chart *c;
    if (o->chart.version[0] == '\0' && o->devel) o->chart.version = ">0.0.0-0";
    TRY(helm_locate_chart(h, &o->chart, name, &path));
    TRY(chart_load(&h->arena, path, CHART_BORROWED, &c));
    if (what & SHOW_CHART) {
        cleanup_buf struct buf text = {0};
        TRY(go_yaml_marshal(&h->arena, c->metadata, &text));
        fprintf(h->out, "%s\n", buf_str(&text));
    }
    if ((what & SHOW_VALUES) && c->values.map != NULL) {
        if (what == SHOW_ALL) fputs("---\n", h->out);
        for (size_t i = 0; i < c->raw.count; i++) {
            if (str_eq(c->raw.items[i].name, "values.yaml")) print_file(h, &c->raw.items[i]);
        }
    }
    const struct chart_file *readme = what & SHOW_README ? find_readme(c) : NULL;
    if (readme != NULL) {
        if (what == SHOW_ALL) fputs("---\n", h->out);
        print_file(h, readme);
    }
    struct chart_files crds = what & SHOW_CRDS ? chart_crds(&h->arena, c) : (struct chart_files){0};
    if (what == SHOW_ALL && crds.count > 0 && !str_starts(crds.items[0].data, "---")) fputs("---\n", h->out);
    for (size_t i = 0; i < crds.count; i++) print_file(h, &crds.items[i]);
    return NULL;
}

#define SUBCOMMAND(id, word, text, what)                                                                                              \
    static struct error *run_##id(struct helm *h, void *o, size_t argc UNUSED, const char *const *argv) { return show(h, o, argv[0], what); } \
    static const struct helm_command show_##id = {.name = word,                                                                       \
                                                  .arguments = "[CHART]",                                                             \
                                                  .summary = text,                                                                    \
                                                  .arity = HELM_ARGS_EXACT,                                                           \
                                                  .arg_count = 1,                                                                     \
                                                  .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), CHART_PATH_FLAGS(0), {0}}, \
                                                  .options_size = sizeof(struct options),                                             \
                                                  .run = run_##id}
SUBCOMMAND(all, "all", "everything there is to know about a chart", SHOW_ALL);
SUBCOMMAND(chart, "chart", "the chart's definition", SHOW_CHART);
SUBCOMMAND(crds, "crds", "the chart's CustomResourceDefinitions", SHOW_CRDS);
SUBCOMMAND(readme, "readme", "the chart's README", SHOW_README);
SUBCOMMAND(values, "values", "the chart's values", SHOW_VALUES);

const struct helm_command helm_show = {
    .name = "show",
    .aliases = (const char *const[]){"inspect", NULL},
    .summary = "shows what a chart says about itself",
    .commands = (const struct helm_command *const[]){&show_all, &show_chart, &show_crds, &show_readme, &show_values, NULL},
};
