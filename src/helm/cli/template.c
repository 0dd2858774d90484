/* helm template */
#include "base/map.h"
#include "base/str.h"
#include "helm/chart/ignore.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"
#include "helm/go/os.h"
#include <errno.h>
#include <sys/stat.h>

struct options {
    struct install_options install;
    struct post_renderer post_renderer;
    struct helm_strings show_only, api_versions;
    const char *output_dir, *kube_version;
    bool validate, include_crds, skip_tests, is_upgrade, release_name;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"show-only", 's', HELM_STRING_ARRAY, AT(show_only), NULL, NULL, "show only what this template makes; may be repeated", NULL, false},
    {"output-dir", 0, HELM_STRING, AT(output_dir), NULL, NULL, "write files into this directory instead of printing", NULL, false},
    {"validate", 0, HELM_BOOL, AT(validate), NULL, NULL, "check the manifests against the cluster, as install does", NULL, false},
    {"include-crds", 0, HELM_BOOL, AT(include_crds), NULL, NULL, "show CustomResourceDefinitions too", NULL, false},
    {"skip-tests", 0, HELM_BOOL, AT(skip_tests), NULL, NULL, "leave tests out", NULL, false},
    {"is-upgrade", 0, HELM_BOOL, AT(is_upgrade), NULL, NULL, "set .Release.IsUpgrade instead of .Release.IsInstall", NULL, false},
    {"kube-version", 0, HELM_STRING, AT(kube_version), NULL, NULL, "the Kubernetes version that templates see", NULL, false},
    {"api-versions", 'a', HELM_STRING_SLICE, AT(api_versions), NULL, NULL, "API versions that templates see besides the known ones", NULL, false},
    {"release-name", 0, HELM_BOOL, AT(release_name), NULL, NULL, "put the release's name into the paths below --output-dir", NULL, false},
};
#undef AT

/* ---- documents one by one ---- */

/* Documents go out one by one, without a copy of them all. White space at the end of the last one is left out: it is held back until
 * it is known not to be the last. */
struct printer {
    FILE *out;
    const char *held; /* NULL: none yet */
};

static const char spaces[] = " \t\r\n\v\f";

static size_t trimmed(const char *s) {
    size_t n = strlen(s);
    while (n > 0 && strchr(spaces, s[n - 1]) != NULL) n--;
    return n;
}

static struct error *print_document(void *arg, bool crd UNUSED, const char *name, const char *content) {
    struct printer *p = arg;
    if (p->held != NULL) {
        fputc('\n', p->out);
        fputs(p->held, p->out);
        fputc('\n', p->out);
    }
    fprintf(p->out, "---\n# Source: %s", name);
    p->held = content;
    return NULL;
}

static void print_last(const struct printer *p) {
    size_t n = p->held != NULL ? trimmed(p->held) : 0;
    if (n > 0) fprintf(p->out, "\n%.*s", (int)n, p->held);
    fputc('\n', p->out);
}

/* ---- --output-dir ---- */

struct writer {
    struct helm *h;
    const char *dir, *crd_dir;
    struct map written;
    struct printer printer;
};

static struct error *write_file(void *arg, bool crd, const char *name, const char *content) {
    struct writer *w = arg;
    struct arena *a = &w->h->arena;
    const char *path = arena_printf(a, "%s/%s", crd ? w->crd_dir : w->dir, name);
    bool append = map_set(&w->written, path, w) != NULL;
    TRY(go_mkdir_all(arena_strndup(a, path, (size_t)(strrchr(path, '/') - path))));
    FILE *f = fopen(path, append ? "ae" : "we");
    if (f == NULL) return go_path_error("open", path, errno);
    fprintf(f, "---\n# Source: %s\n%s\n", name, content);
    if (fclose(f) != 0) return go_path_error("write", path, errno);
    fprintf(w->h->out, "wrote %s\n", path);
    return NULL;
}

/* ---- what is printed ---- */

/* Does anything look at the manifest as a whole? */
static bool prints_at_once(const struct options *o, const struct render_options *ro) {
    return o->output_dir[0] == '\0' && o->show_only.count == 0 && !o->validate && ro->post_render == NULL;
}

static bool is_test(const struct hook *hook) {
    for (size_t i = 0; i < hook->event_count; i++) {
        if (hook->events[i] == HOOK_TEST) return true;
    }
    return false;
}

static struct error *add_hooks(const struct options *o, struct writer *w, const struct rendered *r, struct buf *out) {
    for (size_t i = 0; i < r->manifests.hook_count && !o->install.no_hooks; i++) {
        const struct hook *hook = &r->manifests.hooks[i];
        if (o->skip_tests && is_test(hook)) continue;
        if (o->output_dir[0] != '\0') TRY(write_file(w, false, hook->path, hook->manifest));
        else buf_printf(out, "---\n# Source: %s\n%s\n", hook->path, hook->manifest);
    }
    return NULL;
}

/* The path inside the chart of the template that made a document: the rest of "# Source: chart/REST". */
static const char *source_path(struct arena *a, const char *document) {
    for (const char *p = document; (p = strstr(p, "# Source: ")) != NULL; p++) {
        const char *line = p + strlen("# Source: "), *slash = line + strcspn(line, "/");
        if (slash == line || *slash == '\0') continue;
        size_t n = strcspn(slash + 1, "\n");
        if (n > 0) return arena_strndup(a, slash + 1, n);
    }
    return NULL;
}

static struct error *show_only(struct helm *h, const struct options *o, const struct buf *text) {
    size_t count;
    const char **documents = manifests_split(&h->arena, buf_str(text), text->len, &count);
    const char **paths = arena_calloc(&h->arena, count + 1, sizeof(*paths));
    cleanup_buf struct buf out = {0};
    for (size_t i = 0; i < count; i++) paths[i] = source_path(&h->arena, documents[i]);
    for (size_t i = 0; i < o->show_only.count; i++) {
        bool found = false, bad;
        for (size_t j = 0; j < count; j++) {
            if (paths[j] == NULL || !path_match(o->show_only.items[i], paths[j], &bad) || bad) continue;
            found = true;
            buf_printf(&out, "---\n%s\n", documents[j]);
        }
        if (!found) return error_new("could not find template %s in chart", o->show_only.items[i]);
    }
    fwrite(buf_str(&out), 1, out.len, h->out);
    return NULL;
}

static struct error *print(struct helm *h, const struct options *o, struct writer *w, const struct rendered *r) {
    cleanup_buf struct buf text = {0}, hooks = {0};
    const char *start = r->manifest + strspn(r->manifest, spaces);
    size_t n = trimmed(start);
    TRY(add_hooks(o, w, r, &hooks));
    if (o->show_only.count > 0) {
        buf_printf(&text, "%.*s\n%s", (int)n, start, buf_str(&hooks));
        return show_only(h, o, &text);
    }
    if (w->printer.held != NULL) {
        print_last(&w->printer);
    } else {
        fwrite(start, 1, n, h->out);
        fputc('\n', h->out);
    }
    fwrite(buf_str(&hooks), 1, hooks.len, h->out);
    return NULL;
}

/* ---- the command ---- */

static struct error *add_api_versions(struct helm *h, const struct options *o, struct engine_capabilities *c) {
    TRY(helm_use_kube_version(h, o->kube_version, c));
    size_t n = c->api_version_count;
    c->api_versions = arena_grow(&h->arena, c->api_versions, n * sizeof(char *), (n + o->api_versions.count) * sizeof(char *));
    for (size_t i = 0; i < o->api_versions.count; i++) c->api_versions[c->api_version_count++] = o->api_versions.items[i];
    return NULL;
}

static struct error *render(struct helm *h, struct options *o, struct chart *c, struct value values, const char *name, struct engine_capabilities *caps,
                            struct render_options *ro, struct rendered *out) {
    struct engine_release release = {
        .name = name, .ns = helm_namespace(h), .revision = 1, .is_upgrade = o->is_upgrade, .is_install = !o->is_upgrade};
    struct value top;
    TRY(chart_process_dependencies(c, values, true));
    TRY(engine_values(&h->arena, c, values, &release, caps, o->install.skip_schema_validation, &top));
    ro->engine.enable_dns = o->install.enable_dns;
    ro->include_crds = o->include_crds;
    ro->sub_notes = o->install.sub_notes;
    ro->keep_unparsable = h->settings.debug;
    struct error *e = render_release(&h->arena, c, top, caps->kube_version, ro, out);
    if (e == NULL || h->settings.debug) return e;
    char *message = xprintf("%s\n\nUse --debug flag to render out invalid YAML", e->message);
    free(e->message);
    e->message = message;
    return e;
}

/* --validate and --dry-run=server: what the cluster knows takes the place of what is assumed. */
static struct error *use_cluster(struct helm *h, const struct options *o, struct action *x, struct engine_capabilities *caps, struct engine_options *engine) {
    bool ask = str_in(o->install.dry_run, (const char *const[]){"server", "none", "false", NULL});
    if (!o->validate && !ask) return NULL;
    TRY(cluster_open(h, x));
    if (ask) {
        engine->lookup = action_lookup;
        engine->lookup_arg = x;
    }
    if (!o->validate) return NULL;
    struct engine_capabilities *known;
    TRY(kube_reachable(x->kube));
    TRY(action_capabilities(x, &known));
    *caps = *known;
    return NULL;
}

static struct error *validate(const struct options *o, struct action *x, const struct rendered *r) {
    struct kube_objects objects = {0};
    if (!o->validate) return NULL;
    struct error *e = kube_build(x->kube, r->manifest, strlen(r->manifest), !o->install.disable_openapi_validation, &objects);
    return e != NULL ? error_wrap(e, "unable to build kubernetes objects from release manifest") : NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct options *o = options;
    struct engine_capabilities caps = engine_default_capabilities(&h->arena);
    struct render_options ro = {0};
    const char *name, *chart_ref, *path;
    struct value values;
    struct chart *c;
    TRY(post_renderer_use(h, &o->post_renderer, &ro));
    TRY(add_api_versions(h, o, &caps));
    if (o->install.chart.version[0] == '\0' && o->install.devel) o->install.chart.version = ">0.0.0-0";
    TRY(helm_name_and_chart(h, &o->install, "release-name", argc, argv, &name, &chart_ref));
    TRY(helm_locate_chart(h, &o->install.chart, chart_ref, &path));
    TRY(helm_merge_values(h, &o->install.values, &values));
    TRY(helm_load_installable(h, &o->install, path, CHART_BORROWED, &c));
    if (o->install.dry_run[0] == '\0') o->install.dry_run = "true";
    TRY(helm_check_dry_run(o->install.dry_run));
    struct writer w = {.h = h, .printer = {.out = h->out}, .crd_dir = o->output_dir, .dir = o->output_dir};
    if (o->release_name) w.dir = path_join(&h->arena, o->output_dir, name);
    if (o->output_dir[0] != '\0') {
        ro.write_file = write_file;
        ro.write_arg = &w;
    } else if (prints_at_once(o, &ro)) {
        static char buffer[32 * 1024];
        setvbuf(h->out, buffer, _IOFBF, sizeof(buffer));
        ro.write_file = print_document;
        ro.write_arg = &w.printer;
    }
    struct rendered r = {0};
    cleanup_cluster struct action x = {0};
    TRY(use_cluster(h, o, &x, &caps, &ro.engine));
    struct error *e = render(h, o, c, values, name, &caps, &ro, &r);
    if (e == NULL) e = validate(o, &x, &r);
    if (r.manifest != NULL && (e == NULL || h->settings.debug)) {
        struct error *failed = print(h, o, &w, &r);
        if (e == NULL) e = failed;
        else error_free(failed);
    }
    map_free(&w.written, NULL);
    return e;
}

const struct helm_command helm_template = {
    .name = "template",
    .arguments = "[NAME] [CHART]",
    .summary = "shows what a chart would make",
    .description = "Renders a chart on this machine and prints the manifests. Nothing is asked of a cluster (but with --validate or\n"
                   "--dry-run=server): what templates would look up there is empty.",
    .arity = HELM_ARGS_MIN,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){INSTALL_FLAGS(offsetof(struct options, install)), POST_RENDERER_FLAGS(offsetof(struct options, post_renderer)),
                                         HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
