/* helm pull */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/cli/remote.h"
#include "helm/go/os.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    bool devel, untar, prov;
    const char *untardir, *destination;
    struct chart_path_options chart;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"devel", 0, HELM_BOOL, AT(devel), NULL, NULL, "development versions too; without effect beside --version", NULL, false},
    {"untar", 0, HELM_BOOL, AT(untar), NULL, NULL, "unpack the chart", NULL, false},
    {"prov", 0, HELM_BOOL, AT(prov), NULL, NULL, "fetch the provenance file too, without checking it", NULL, false},
    {"untardir", 0, HELM_STRING, AT(untardir), ".", NULL, "directory to unpack into", NULL, false},
    {"destination", 'd', HELM_STRING, AT(destination), ".", NULL, "directory for the chart; --untardir is below it", NULL, false},
};
#undef AT

enum { MAX_CHART = 256 << 20 };

/* Writes a chart's files below `dir`; names that lead out of it were refused when the archive was read. */
static struct error *expand(struct helm *h, const char *dir, const char *file) {
    struct arena *a = &h->arena;
    struct chart *c;
    struct chart_files files = {0};
    cleanup_buf struct buf packed = {0};
    TRY(go_read_file(file, MAX_CHART, &packed));
    TRY(chart_load(a, file, CHART_OWN, &c));
    TRY(chart_archive_files(a, packed.data, packed.len, &files));
    const char *root = arena_printf(a, "%s/%s", dir, chart_name(c));
    for (size_t i = 0; i < files.count; i++) {
        const char *path = arena_printf(a, "%s/%s", root, files.items[i].name);
        TRY(go_mkdir_all(arena_strndup(a, path, (size_t)(strrchr(path, '/') - path))));
        TRY(go_write_file(path, files.items[i].data, files.items[i].len));
    }
    return NULL;
}

static const char *base_name(const char *reference) {
    const char *slash = strrchr(reference, '/');
    return slash != NULL ? slash + 1 : reference;
}

static struct error *unpack(struct helm *h, const struct options *o, const char *reference, const char *file) {
    struct arena *a = &h->arena;
    struct stat st;
    const char *dir = o->untardir[0] == '/' ? o->untardir : path_join(a, o->destination, o->untardir), *name = base_name(reference);
    const char *target = str_eq(dir, ".") ? name : path_join(a, dir, name);
    if (stat(target, &st) == 0) return error_new("failed to untar: a file or directory with the name %s already exists", target);
    struct error *e = go_mkdir_all(target);
    return e != NULL ? error_wrap(e, "failed to untar (mkdir)") : expand(h, dir, file);
}

static struct error *pull(struct helm *h, struct options *o, struct download *d, const char *reference) {
    char temporary[] = "/tmp/helm-XXXXXX";
    const char *dir = o->destination, *source = reference, *file;
    if (o->untar && mkdtemp(temporary) == NULL) return error_sys(errno, "failed to untar");
    if (o->untar) dir = temporary;
    struct error *e = o->chart.repo[0] != '\0' ? download_find(d, o->chart.repo, reference, o->chart.version, &source) : NULL;
    if (e == NULL) e = download_chart(d, source, o->chart.version, dir, &file);
    if (e == NULL && o->chart.verify) e = helm_print_verification(h, file, o->chart.keyring);
    if (e == NULL && o->untar) e = unpack(h, o, reference, file);
    if (o->untar) error_free(dir_remove(temporary));
    return e;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct options *o = options;
    if (o->chart.version[0] == '\0' && o->devel) o->chart.version = ">0.0.0-0";
    struct web *w = web_new(&h->arena);
    struct download d = helm_download(h, &o->chart, w);
    if (o->prov && !o->chart.verify) d.verify = VERIFY_LATER;
    struct error *e = NULL;
    for (size_t i = 0; i < argc && e == NULL; i++) e = pull(h, o, &d, argv[i]);
    web_free(w);
    return e;
}

const struct helm_command helm_pull = {
    .name = "pull",
    .arguments = "[chart URL | repo/chartname] [...]",
    .aliases = (const char *const[]){"fetch", NULL},
    .summary = "downloads a chart, and unpacks it if wanted",
    .arity = HELM_ARGS_MIN,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), CHART_PATH_FLAGS(offsetof(struct options, chart)), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
