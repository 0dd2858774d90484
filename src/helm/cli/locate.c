/* From arguments to a chart and a name. */
#include "base/str.h"
#include "helm/chart/provenance.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/dependency.h"
#include "helm/cli/remote.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *helm_absolute_path(struct helm *h, const char *path) {
    char here[PATH_MAX];
    if (path[0] == '/' || getcwd(here, sizeof here) == NULL) return path_clean(&h->arena, path);
    return path_clean(&h->arena, arena_printf(&h->arena, "%s/%s", here, path));
}

static const char *trimmed(struct arena *a, const char *s) {
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL) n--;
    return arena_strndup(a, s, n);
}

struct error *helm_verify_chart(struct helm *h, const char *path, const char *keyring) {
    struct verification v;
    return provenance_verify(&h->arena, path, keyring, &v);
}

struct error *helm_locate_chart(struct helm *h, const struct chart_path_options *o, const char *name, const char **path) {
    struct stat st;
    name = trimmed(&h->arena, name);
    if (stat(name, &st) == 0) {
        if (o->repo[0] != '\0')
            fprintf(h->err, "WARN local chart found in current working directory. repository url ignored chart=%s repository=%s\n", name, o->repo);
        *path = helm_absolute_path(h, name);
        return o->verify ? helm_verify_chart(h, *path, o->keyring) : NULL;
    }
    if (name[0] == '/' || name[0] == '.') {
        cleanup_buf struct buf shown = {0};
        go_quote(&shown, name, strlen(name));
        return error_new("path %s not found", buf_str(&shown));
    }
    return helm_fetch_chart(h, o, name, path);
}

struct error *helm_merge_values(struct helm *h, const struct value_options *o, struct value *out) {
    return value_options_merge(&h->arena, o, helm_fetch_url, h, out);
}

struct error *helm_name_and_chart(struct helm *h, const struct install_options *o, const char *name, size_t argc, const char *const *argv,
                                  const char **name_out, const char **chart) {
    struct arena *a = &h->arena;
    if (argc > 2) {
        cleanup_buf struct buf rest = {0};
        for (size_t i = 2; i < argc; i++) buf_printf(&rest, "%s%s", i > 2 ? ", " : "", argv[i]);
        return error_new("expected at most two arguments, unexpected arguments: %s", buf_str(&rest));
    }
    *name_out = argv[0];
    *chart = argv[argc - 1];
    if (argc == 2) {
        if (o->generate_name) return error_new("cannot set --generate-name and also specify a name");
        return o->name_template[0] != '\0' ? error_new("cannot set --name-template and also specify a name") : NULL;
    }
    if (o->name_template[0] != '\0') {
        cleanup_buf struct buf text = {0};
        TRY(engine_render_text(a, "name-template", o->name_template, value_nil(), &text));
        *name_out = arena_strdup(a, buf_str(&text));
        return NULL;
    }
    if (name != NULL) return *name_out = name, NULL;
    if (!o->generate_name) return error_new("must either provide a name or specify --generate-name");
    const char *clean = path_clean(a, argv[0]), *slash = strrchr(clean, '/'), *base = slash != NULL && slash[1] != '\0' ? slash + 1 : clean;
    if (str_eq(base, ".")) base = "chart";
    *name_out = arena_printf(a, "%.*s-%lld", (int)strcspn(base, "."), base, (long long)time(NULL));
    return NULL;
}

struct error *helm_check_dependencies(const struct chart *c) {
    cleanup_buf struct buf missing = {0};
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        const char *name = chart_requirement_string(c->arena, chart_requirement(&c->metadata, i), DEPENDENCY_NAME);
        bool found = false;
        for (size_t j = 0; j < c->dependency_count && !found; j++) found = str_eq(chart_name(c->dependencies[j]), name);
        if (!found) buf_printf(&missing, "%s%s", missing.len > 0 ? ", " : "", name);
    }
    return missing.len > 0 ? error_new("found in Chart.yaml, but missing in charts/ directory: %s", buf_str(&missing)) : NULL;
}

struct error *helm_load_installable(struct helm *h, const struct install_options *o, const char *path, enum chart_bytes bytes, struct chart **out) {
    TRY(chart_load(&h->arena, path, bytes, out));
    const char *type = chart_string(*out, CHART_TYPE);
    if (type[0] != '\0' && !str_eq(type, "application")) return error_new("%s charts are not installable", type);
    if ((*out)->metadata.items[CHART_DEPRECATED].b) helm_warning(h, "This chart is deprecated");
    struct error *e = helm_check_dependencies(*out);
    if (e == NULL) return NULL;
    if (!o->dependency_update) {
        return error_wrap(e, "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing "
                             "dependencies");
    }
    error_free(e);
    TRY(helm_update_dependencies(h, path, &(struct dependency_options){.keyring = ""}));
    e = chart_load(&h->arena, path, bytes, out);
    return e != NULL ? error_wrap(e, "failed reloading chart after repo update") : NULL;
}

struct error *helm_use_kube_version(struct helm *h, const char *text, struct engine_capabilities *c) {
    if (text[0] == '\0') return NULL;
    struct error *e = engine_parse_kube_version(&h->arena, text, c);
    return e != NULL ? error_wrap(e, "invalid kube version '%s'", text) : NULL;
}

struct error *helm_check_dry_run(const char *option) {
    if (str_in(option, (const char *const[]){"false", "true", "none", "client", "server", NULL})) return NULL;
    return error_new("Invalid dry-run flag. Flag must one of the following: false, true, none, client, server");
}
