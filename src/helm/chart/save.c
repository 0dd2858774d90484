/* Charts to disk: see save.h. */
#include "helm/chart/save.h"
#include "base/str.h"
#include "helm/chart/archive.h"
#include "helm/chart/decode.h"
#include "helm/chart/scaffold.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include "helm/go/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_NAME = 250 };

static bool is_base_name(const char *name) { return strchr(name, '/') == NULL && !str_eq(name, "..") && name[0] != '\0'; }

static struct error *check_name(const char *name) {
    if (is_base_name(name)) return NULL;
    cleanup_buf struct buf shown = {0};
    go_quote(&shown, name, strlen(name));
    return error_new("%s is not a valid chart name", buf_str(&shown));
}

struct error *chart_metadata_yaml(struct arena *a, const struct value *metadata, struct buf *out) {
    struct value copy = *metadata;
    size_t n = CHART_TYPE + 1;
    copy.items = arena_dup(a, metadata->items, n * sizeof(*copy.items));
    /* a v1 chart keeps its dependencies in requirements.yaml */
    if (value_str_eq(copy.items[CHART_API_VERSION], "v1")) copy.items[CHART_DEPENDENCIES] = value_zero(copy.items[CHART_DEPENDENCIES].type);
    return go_yaml_marshal(a, copy, out);
}

/* ---- archives ---- */

static struct error *add_file(struct arena *a, struct buf *tar, const char *base, const char *name, const char *data, size_t len) {
    return tar_add(tar, path_join(a, base, name), data, len, time(NULL));
}

static struct error *add_files(struct arena *a, struct buf *tar, const char *base, const struct chart_files *files) {
    for (size_t i = 0; i < files->count; i++) TRY(add_file(a, tar, base, files->items[i].name, files->items[i].data, files->items[i].len));
    return NULL;
}

static struct error *add_schema(struct arena *a, struct buf *tar, const char *base, const struct chart *c) {
    const struct json *parsed;
    if (c->schema == NULL) return NULL;
    cleanup_error struct error *bad = json_parse(a, c->schema, c->schema_len, NULL, NULL, &parsed);
    if (bad != NULL) return error_new("Invalid JSON in values.schema.json");
    return add_file(a, tar, base, "values.schema.json", c->schema, c->schema_len);
}

static struct error *add_chart(struct arena *a, struct buf *tar, struct chart *c, const char *prefix) {
    TRY(check_name(chart_name(c)));
    const char *base = path_join(a, prefix, chart_name(c));
    cleanup_buf struct buf text = {0}, lock = {0};
    TRY(chart_metadata_yaml(a, &c->metadata, &text));
    TRY(add_file(a, tar, base, "Chart.yaml", buf_str(&text), text.len));
    if (c->lock.type != NULL && str_eq(chart_string(c, CHART_API_VERSION), "v2")) {
        TRY(go_yaml_marshal(a, c->lock, &lock));
        TRY(add_file(a, tar, base, "Chart.lock", buf_str(&lock), lock.len));
    }
    for (size_t i = 0; i < c->raw.count; i++) {
        const struct chart_file *f = &c->raw.items[i];
        if (str_eq(f->name, "values.yaml")) TRY(add_file(a, tar, base, f->name, f->data, f->len));
    }
    TRY(add_schema(a, tar, base, c));
    TRY(add_files(a, tar, base, &c->templates));
    TRY(add_files(a, tar, base, &c->files));
    for (size_t i = 0; i < c->dependency_count; i++) TRY(add_chart(a, tar, c->dependencies[i], path_join(a, base, "charts")));
    return NULL;
}

struct error *chart_save(struct arena *a, struct chart *c, const char *dir, const char **path) {
    struct error *e = chart_validate(a, &c->metadata);
    if (e != NULL) return error_wrap(e, "chart validation");
    cleanup_buf struct buf tar = {0}, packed = {0};
    *path = path_join(a, dir, arena_printf(a, "%s-%s.tgz", chart_name(c), chart_string(c, CHART_VERSION)));
    TRY(add_chart(a, &tar, c, ""));
    tar_end(&tar);
    gzip_deflate(&packed, tar.data, tar.len);
    const char *slash = strrchr(*path, '/');
    if (slash != NULL && slash != *path) {
        const char *parent = arena_strndup(a, *path, (size_t)(slash - *path));
        struct stat st;
        if (stat(parent, &st) == 0 && !S_ISDIR(st.st_mode)) return error_new("is not a directory: %s", parent);
        TRY(go_mkdir_all(parent));
    }
    return go_write_file(*path, packed.data, packed.len);
}

/* ---- directories ---- */

static struct error *write_below(struct arena *a, const char *dir, const char *name, const char *data, size_t len) {
    const char *path = path_join(a, dir, name);
    if (!str_starts(path, dir)) return error_new("%s lies outside %s", name, dir);
    TRY(go_mkdir_all(arena_strndup(a, path, (size_t)(strrchr(path, '/') - path))));
    return go_write_file(path, data, len);
}

struct error *chart_save_directory(struct arena *a, struct chart *c, const char *dir) {
    TRY(check_name(chart_name(c)));
    const char *out = path_join(a, dir, chart_name(c));
    struct stat st;
    if (stat(out, &st) == 0 && !S_ISDIR(st.st_mode)) return error_new("file %s already exists and is not a directory", out);
    cleanup_buf struct buf text = {0};
    TRY(chart_metadata_yaml(a, &c->metadata, &text));
    TRY(write_below(a, out, "Chart.yaml", buf_str(&text), text.len));
    for (size_t i = 0; i < c->raw.count; i++) {
        if (str_eq(c->raw.items[i].name, "values.yaml")) TRY(write_below(a, out, "values.yaml", c->raw.items[i].data, c->raw.items[i].len));
    }
    if (c->schema != NULL) TRY(write_below(a, out, "values.schema.json", c->schema, c->schema_len));
    const struct chart_files *const lists[] = {&c->templates, &c->files};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t i = 0; i < lists[l]->count; i++) TRY(write_below(a, out, lists[l]->items[i].name, lists[l]->items[i].data, lists[l]->items[i].len));
    }
    for (size_t i = 0; i < c->dependency_count; i++) {
        const char *path;
        struct error *e = chart_save(a, c->dependencies[i], path_join(a, out, "charts"), &path);
        if (e != NULL) return error_wrap(e, "saving %s", chart_full_path(c->dependencies[i]));
    }
    return NULL;
}

/* ---- new charts ---- */

/* The text with <CHARTNAME> replaced. */
static char *named(struct arena *a, const char *text, size_t len, const char *name, size_t *out_len) {
    static const char mark[] = "<CHARTNAME>";
    cleanup_buf struct buf out = {0};
    const char *end = text + len, *at;
    while ((at = memmem(text, (size_t)(end - text), mark, sizeof mark - 1)) != NULL) {
        buf_add(&out, text, (size_t)(at - text));
        buf_adds(&out, name);
        text = at + sizeof mark - 1;
    }
    buf_add(&out, text, (size_t)(end - text));
    *out_len = out.len;
    return arena_strndup(a, buf_str(&out), out.len);
}

static struct error *check_new_name(const char *name) {
    if (name[0] == '\0' || strlen(name) > MAX_NAME) return error_new("chart name must be between 1 and %d characters", MAX_NAME);
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] != '\0')
        return error_new("chart name must match the regular expression \"^[a-zA-Z0-9._-]+$\"");
    return NULL;
}

struct error *chart_create(struct arena *a, const char *name, const char *dir, void (*overwritten)(void *arg, const char *path), void *arg) {
    TRY(check_new_name(name));
    struct stat st;
    if (stat(dir, &st) != 0) return go_path_error("stat", dir, errno);
    if (!S_ISDIR(st.st_mode)) return error_new("no such directory %s", dir);
    const char *out = path_join(a, dir, name);
    if (stat(out, &st) == 0 && !S_ISDIR(st.st_mode)) return error_new("file %s already exists and is not a directory", out);
    for (const struct scaffold_file *f = scaffold_files; f->path != NULL; f++) {
        const char *path = path_join(a, out, f->path);
        size_t len;
        const char *text = named(a, f->text, strlen(f->text), name, &len);
        if (stat(path, &st) == 0) overwritten(arg, path);
        TRY(write_below(a, out, f->path, text, len));
    }
    return go_mkdir_all(path_join(a, out, "charts"));
}

struct error *chart_create_from(struct arena *a, const char *name, const char *dir, const char *starter) {
    struct chart *c;
    struct error *e = chart_load(a, starter, CHART_OWN, &c);
    if (e != NULL) return error_wrap(e, "could not load %s", starter);
    struct value metadata = {0};
    const char *text = arena_printf(a, "{apiVersion: v2, description: A Helm chart for Kubernetes, type: application, version: 0.1.0, appVersion: 0.1.0}");
    TRY(chart_parse_metadata(a, text, strlen(text), &metadata));
    metadata.items[CHART_NAME] = value_literal(name);
    c->metadata = metadata;
    for (size_t i = 0; i < c->templates.count; i++) {
        struct chart_file *f = &c->templates.items[i];
        f->data = named(a, f->data, f->len, name, &f->len);
    }
    for (size_t i = 0; i < c->raw.count; i++) {
        struct chart_file *f = &c->raw.items[i];
        if (str_eq(f->name, "values.yaml")) f->data = named(a, f->data, f->len, name, &f->len);
    }
    return chart_save_directory(a, c, dir);
}
