/* From files to a chart: which file means what. */
#include "base/str.h"
#include "helm/chart/chart.h"
#include "helm/chart/decode.h"
#include "helm/go/os.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MAX_NESTING = 100 }; /* charts in charts in charts */

static struct error *load_files(struct arena *a, struct chart_files files, unsigned depth, struct chart **out);

void chart_files_add(struct arena *a, struct chart_files *files, struct chart_file file) {
    if (files->count == files->cap) {
        size_t cap = files->cap * 2 + 16;
        files->items = arena_grow(a, files->items, files->cap * sizeof(file), cap * sizeof(file));
        files->cap = cap;
    }
    files->items[files->count++] = file;
}

static struct error *load_lock(struct chart *c, const struct chart_file *f) {
    c->lock = (struct value){.type = &chart_lock_type};
    struct error *e = go_decode_yaml(c->arena, f->data, f->len, &c->lock);
    return e != NULL ? error_wrap(e, "cannot load %s", f->name) : NULL;
}

static bool is_v1(const struct chart *c) { return value_str_eq(c->metadata.items[CHART_API_VERSION], "v1"); }

static void make_metadata(struct chart *c) {
    if (c->metadata.items != NULL) return;
    c->metadata.type = &chart_metadata_type;
    cleanup_error struct error *never = go_decode(c->arena, &json_empty_object, &c->metadata);
}

static struct error *load_chart_yaml(struct chart *c, const struct chart_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        const struct chart_file *f = &files->items[i];
        if (!str_eq(f->name, "Chart.yaml")) continue;
        make_metadata(c);
        struct error *e = go_decode_yaml(c->arena, f->data, f->len, &c->metadata);
        if (e != NULL) return error_wrap(e, "cannot load Chart.yaml");
        if (c->metadata.items[CHART_API_VERSION].len == 0) c->metadata.items[CHART_API_VERSION] = value_literal("v1");
    }
    return NULL;
}

static struct error *load_requirements(struct chart *c, const struct chart_file *f) {
    make_metadata(c);
    if (!is_v1(c)) {
        fputs("Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.\n", stderr);
    }
    struct error *e = go_decode_yaml(c->arena, f->data, f->len, &c->metadata);
    if (e != NULL) return error_wrap(e, "cannot load requirements.yaml");
    if (is_v1(c)) chart_files_add(c->arena, &c->files, *f);
    return NULL;
}

static struct error *load_requirements_lock(struct chart *c, const struct chart_file *f) {
    TRY(load_lock(c, f));
    make_metadata(c);
    if (!is_v1(c)) fputs("Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock.\n", stderr);
    if (is_v1(c)) chart_files_add(c->arena, &c->files, *f);
    return NULL;
}

static struct error *load_values(struct chart *c, const struct chart_file *f) {
    struct error *e = go_decode_yaml_map(c->arena, f->data, f->len, &c->values);
    chart_file_unneeded(f);
    return e != NULL ? error_wrap(e, "cannot load values.yaml") : NULL;
}

static struct error *load_file(struct chart *c, const struct chart_file *f, struct chart_files *below_charts) {
    if (str_eq(f->name, "Chart.yaml")) return NULL;
    if (str_eq(f->name, "Chart.lock")) return load_lock(c, f);
    if (str_eq(f->name, "values.yaml")) return load_values(c, f);
    if (str_eq(f->name, "requirements.yaml")) return load_requirements(c, f);
    if (str_eq(f->name, "requirements.lock")) return load_requirements_lock(c, f);
    if (str_eq(f->name, "values.schema.json")) {
        c->schema = f->data;
        c->schema_len = f->len;
    } else if (str_starts(f->name, "templates/")) {
        chart_files_add(c->arena, &c->templates, *f);
    } else if (str_starts(f->name, "charts/") && !str_ends(f->name, ".prov")) {
        struct chart_file below = *f;
        below.name += strlen("charts/");
        chart_files_add(c->arena, below_charts, below);
    } else {
        chart_files_add(c->arena, &c->files, *f);
    }
    return NULL;
}

/* ---- charts/ ---- */

static struct error *load_subchart(struct chart *c, const char *name, struct chart_files files, unsigned depth, struct chart **out) {
    if (str_ends(name, ".tgz")) {
        if (!str_eq(files.items[0].name, name))
            return error_new("error unpacking subchart tar in %s: expected %s, got %s", chart_name(c), name, files.items[0].name);
        struct chart_files inside = {0};
        struct error *e = chart_archive_files(c->arena, files.items[0].data, files.items[0].len, &inside);
        if (e == NULL) e = load_files(c->arena, inside, depth + 1, out);
        return e != NULL ? error_wrap(e, "error unpacking subchart %s in %s", name, chart_name(c)) : NULL;
    }
    struct chart_files inside = {0};
    for (size_t i = 0; i < files.count; i++) {
        struct chart_file file = files.items[i];
        const char *slash = strchr(file.name, '/');
        if (slash == NULL) continue;
        file.name = slash + 1;
        chart_files_add(c->arena, &inside, file);
    }
    struct error *e = load_files(c->arena, inside, depth + 1, out);
    return e != NULL ? error_wrap(e, "error unpacking subchart %s in %s", name, chart_name(c)) : NULL;
}

static int by_first_part(const void *a, const void *b) {
    const char *x = ((const struct chart_file *)a)->name, *y = ((const struct chart_file *)b)->name;
    size_t n = strcspn(x, "/"), m = strcspn(y, "/");
    int order = memcmp(x, y, MIN(n, m));
    return order != 0 ? order : (n > m) - (n < m);
}

/* Groups the files below charts/ by their first directory, in the order of names. */
static struct error *load_subcharts(struct chart *c, struct chart_files files, unsigned depth) {
    if (files.count == 0) return NULL;
    if (depth >= MAX_NESTING) return error_new("chart %s: charts are nested more than %d deep", chart_name(c), MAX_NESTING);
    struct chart_file *sorted = arena_dup(c->arena, files.items, files.count * sizeof(*sorted));
    qsort(sorted, files.count, sizeof(*sorted), by_first_part);
    struct chart **found = arena_calloc(c->arena, files.count, sizeof(struct chart *));
    size_t count = 0;
    for (size_t i = 0, end; i < files.count; i = end) {
        for (end = i + 1; end < files.count && by_first_part(&sorted[i], &sorted[end]) == 0;) end++;
        const char *name = arena_strndup(c->arena, sorted[i].name, strcspn(sorted[i].name, "/"));
        if (name[0] == '_' || name[0] == '.') continue;
        struct chart_files group = {.items = sorted + i, .count = end - i};
        TRY(load_subchart(c, name, group, depth, &found[count]));
        count++;
    }
    chart_set_dependencies(c, found, count);
    return NULL;
}

static struct error *load_files(struct arena *a, struct chart_files files, unsigned depth, struct chart **out) {
    struct chart *c = ARENA_NEW(a, struct chart);
    struct chart_files below_charts = {0};
    c->arena = a;
    c->raw = files;
    c->values = (struct value){.type = &go_map};
    TRY(load_chart_yaml(c, &files));
    for (size_t i = 0; i < files.count; i++) TRY(load_file(c, &files.items[i], &below_charts));
    if (c->metadata.items == NULL) return error_new("Chart.yaml file is missing");
    TRY(chart_validate(a, &c->metadata));
    TRY(load_subcharts(c, below_charts, depth));
    *out = c;
    return NULL;
}

struct error *chart_load_files(struct arena *a, struct chart_files files, struct chart **out) { return load_files(a, files, 0, out); }

struct error *chart_load_archive(struct arena *a, const char *data, size_t len, struct chart **out) {
    struct chart_files files = {0};
    TRY(chart_archive_files(a, data, len, &files));
    return load_files(a, files, 0, out);
}

/* ---- from disk ---- */

static bool is_gzip(const char *data, size_t len) { return len >= 3 && memcmp(data, "\x1F\x8B\x08", 3) == 0; }

static struct error *load_archive_file(struct arena *a, const char *path, struct chart **out) {
    cleanup_buf struct buf data = {0};
    TRY(go_read_file(path, 0, &data));
    if (!is_gzip(buf_str(&data), data.len)) {
        if (str_ends(path, ".yml") || str_ends(path, ".yaml"))
            return error_new("file '%s' seems to be a YAML file, but expected a gzipped archive", path);
        return error_new("file '%s' does not appear to be a gzipped archive; got '%s'", path, chart_content_type(buf_str(&data), data.len));
    }
    return chart_load_archive(a, data.data, data.len, out);
}

struct error *chart_load(struct arena *a, const char *path, enum chart_bytes bytes, struct chart **out) {
    struct stat st;
    if (stat(path, &st) != 0) return go_path_error("stat", path, errno);
    if (!S_ISDIR(st.st_mode)) return load_archive_file(a, path, out);
    struct chart_files files = {0};
    TRY(chart_directory_files(a, path, bytes, &files));
    return chart_load_files(a, files, out);
}

