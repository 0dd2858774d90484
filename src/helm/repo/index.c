#include "helm/repo/index.h"
#include "base/str.h"
#include "base/clock.h"
#include "helm/chart/decode.h"
#include "helm/go/os.h"
#include "helm/go/semver.h"
#include "helm/go/time.h"
#include "helm/repo/url.h"
#include <dirent.h>
#include <stdio.h>
#include <time.h>

enum { MAX_INDEX = 256 << 20, MAX_CHART = 256 << 20 };

/* ---- entries ---- */

static struct index_chart *chart_at(struct index *x, const char *name) {
    size_t at = 0, end = x->count;
    while (at < end) { /* where it is or belongs */
        size_t middle = (at + end) / 2;
        int order = strcmp(x->charts[middle].name, name);
        if (order == 0) return &x->charts[middle];
        if (order < 0) at = middle + 1;
        else end = middle;
    }
    if (x->count == x->cap) {
        size_t cap = x->cap ? 2 * x->cap : 16;
        x->charts = arena_grow(x->arena, x->charts, x->cap * sizeof(*x->charts), cap * sizeof(*x->charts));
        x->cap = cap;
    }
    memmove(x->charts + at + 1, x->charts + at, (x->count - at) * sizeof(*x->charts));
    x->count++;
    x->charts[at] = (struct index_chart){.name = name};
    return &x->charts[at];
}

void index_add(struct index *x, const char *name, const struct index_version *v) {
    struct index_chart *c = chart_at(x, name);
    if (c->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 4;
        c->versions = arena_grow(x->arena, c->versions, c->cap * sizeof(*c->versions), cap * sizeof(*c->versions));
        c->cap = cap;
    }
    c->versions[c->count++] = *v;
}

struct index_chart *index_chart(const struct index *x, const char *name) {
    size_t at = 0, end = x->count;
    while (at < end) {
        size_t middle = (at + end) / 2;
        int order = strcmp(x->charts[middle].name, name);
        if (order == 0) return &x->charts[middle];
        if (order < 0) at = middle + 1;
        else end = middle;
    }
    return NULL;
}

/* ---- order ---- */

/* Versions that are none come last. */
static bool newer(const char *a, const char *b) {
    cleanup_arena struct arena scratch = {0};
    struct semver x, y;
    cleanup_error struct error *bad_a = semver_parse(&scratch, a, &x), *bad_b = semver_parse(&scratch, b, &y);
    if (bad_a || bad_b) return !bad_a && bad_b;
    return semver_compare(&x, &y) > 0;
}

static void sort_versions(struct index_version *v, size_t n) {
    if (n < 2) return;
    size_t half = n / 2;
    sort_versions(v, half);
    sort_versions(v + half, n - half);
    if (!newer(v[half].version, v[half - 1].version)) return; /* already in order, as most indexes are */
    struct index_version *copy = xmemdup(v, n * sizeof(*copy));
    for (size_t i = 0, j = half, k = 0; k < n; k++) v[k] = j >= n || (i < half && !newer(copy[j].version, copy[i].version)) ? copy[i++] : copy[j++];
    free(copy);
}

void index_sort(struct index *x) {
    for (size_t i = 0; i < x->count; i++) sort_versions(x->charts[i].versions, x->charts[i].count);
}

/* ---- reading ---- */

static void skip(const char *name, const char *version, const char *source, const char *why) {
    char when[32];
    struct tm tm;
    time_t now = time(NULL);
    localtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y/%m/%d %H:%M:%S", &tm);
    fprintf(stderr, "%s skipping loading invalid entry for chart \"%s\"%s%s%s from %s: %s\n", when, name, version ? " \"" : "", version ? version : "",
            version ? "\"" : "", source, why);
}

static const char *const *strings(struct arena *a, const struct json *list) {
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(item, list)
        if (json_str(item, NULL)) out[n++] = item->s;
    return out;
}

static struct error *read_version(struct arena *a, const char *name, const struct json *v, const char *source, struct index *out) {
    if (!json_is(v, JSON_OBJECT)) {
        skip(name, NULL, source, "empty entry");
        return NULL;
    }
    struct index_version entry = {.metadata = {.type = &chart_metadata_type}, .json = v, .urls = strings(a, json_member(v, "urls")),
                                  .digest = json_str_or(v, "digest", ""), .created = json_str_or(v, "created", "")};
    if (!json_str_or(v, "apiVersion", "")[0]) v = json_with_member(a, v, "apiVersion", json_string(a, "v1"));
    TRY(go_decode(a, v, &entry.metadata));
    entry.version = value_cstr(a, entry.metadata.items[CHART_VERSION]);
    cleanup_error struct error *bad = chart_validate(a, &entry.metadata);
    if (bad && !str_starts(bad->message, "validation: more than one dependency with name or alias")) { /* some servers strip the alias */
        skip(name, entry.version, source, bad->message);
        return NULL;
    }
    index_add(out, name, &entry);
    return NULL;
}

static struct error *parse_text(struct arena *a, const char *text, size_t len, const struct json **out) {
    struct json_array twice = {.arena = a};
    cleanup_error struct error *no_json = json_parse(a, text, len, NULL, NULL, out);
    if (!no_json) return NULL;
    struct error *e = yaml_parse(a, text, len, NULL, &twice, out);
    if (e) return error_wrap(e, "error converting YAML to JSON");
    const struct json *messages = json_array_done(&twice);
    if (json_len(messages) == 0) return NULL;
    cleanup_buf struct buf all = {0};
    JSON_EACH(m, messages) buf_printf(&all, "\n  %s", json_str_or(m, NULL, ""));
    return error_new("error converting YAML to JSON: yaml: unmarshal errors:%s", all.data);
}

struct error *index_parse(struct arena *a, const char *text, size_t len, const char *source, struct index *out) {
    const struct json *v;
    *out = (struct index){.arena = a};
    if (len == 0) return error_new("empty index.yaml file");
    TRY(parse_text(a, text, len, &v));
    if (!json_is(v, JSON_OBJECT) && !json_is(v, JSON_NULL))
        return error_new("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into Go value of type repo.IndexFile",
                         json_is(v, JSON_STRING) ? "string" : json_is(v, JSON_ARRAY) ? "array" : json_is(v, JSON_BOOL) ? "bool" : "number");
    out->generated = json_str_or(v, "generated", "");
    JSON_EACH_MEMBER(m, json_member(v, "entries")) {
        chart_at(out, m->key);
        for (size_t i = json_len(&m->value); i-- > 0;) TRY(read_version(a, m->key, json_at(&m->value, i), source, out));
        struct index_chart *c = chart_at(out, m->key); /* read from the end, as helm does, told in that order */
        for (size_t i = 0; i < c->count / 2; i++) {
            struct index_version swap = c->versions[i];
            c->versions[i] = c->versions[c->count - 1 - i];
            c->versions[c->count - 1 - i] = swap;
        }
    }
    index_sort(out);
    return json_str_or(v, "apiVersion", "")[0] ? NULL : error_new("no API version specified");
}

struct error *index_load(struct arena *a, const char *path, struct index *out) {
    struct buf text = {0};
    TRY(go_read_file(path, MAX_INDEX, &text));
    char *copy = arena_strndup(a, buf_str(&text), text.len);
    size_t len = text.len;
    buf_free(&text);
    struct error *e = index_parse(a, copy, len, path, out);
    return e ? error_wrap(e, "error loading %s", path) : NULL;
}

struct error *index_get(const struct index *x, const char *name, const char *version, struct index_version **out) {
    struct arena *a = x->arena;
    const struct semver_constraints *wanted;
    struct index_chart *c = index_chart(x, name);
    if (!c) return error_new("no chart name found");
    if (c->count == 0) return error_new("no chart version found");
    TRY(semver_constraints_parse(a, *version ? version : "*", &wanted));
    for (size_t i = 0; i < c->count && *version; i++)
        if (strcmp(c->versions[i].version, version) == 0) {
            *out = &c->versions[i];
            return NULL;
        }
    for (size_t i = 0; i < c->count; i++) {
        struct semver v;
        cleanup_error struct error *bad = semver_parse(a, c->versions[i].version, &v);
        if (bad || !semver_check(wanted, &v)) continue;
        *out = &c->versions[i];
        return NULL;
    }
    return error_new("no chart version found for %s-%s", name, version);
}

void index_merge(struct index *x, const struct index *more) {
    for (size_t i = 0; i < more->count; i++)
        for (size_t j = 0; j < more->charts[i].count; j++) {
            struct index_version *v = &more->charts[i].versions[j], *have;
            cleanup_error struct error *absent = index_get(x, more->charts[i].name, v->version, &have);
            if (absent) index_add(x, more->charts[i].name, v);
        }
}

/* ---- making ---- */

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static const char *now_text(struct arena *a) {
    static const char layout[] = "2006-01-02T15:04:05.999999999Z07:00";
    cleanup_buf struct buf b = {0};
    go_time_format(&b, go_now(a), layout, strlen(layout));
    return arena_strdup(a, buf_str(&b));
}

static struct error *add_archive(struct arena *a, const char *dir, const char *parent, const char *file, const char *base, struct index *out) {
    const char *path = arena_printf(a, "%s/%s%s%s", dir, parent, *parent ? "/" : "", file);
    struct chart *c;
    cleanup_error struct error *no_chart = chart_load(a, path, CHART_BORROWED, &c);
    if (no_chart) return NULL;
    cleanup_buf struct buf bytes = {0}, hex = {0};
    uint8_t digest[32];
    TRY(go_read_file(path, MAX_CHART, &bytes));
    sha256(bytes.data, bytes.len, digest);
    hex_encode(&hex, digest, sizeof(digest));
    const char *name = chart_name(c), **urls = arena_calloc(a, 2, sizeof(*urls)), *parent_url = url_join(a, base, parent);
    struct error *bad = chart_validate(a, &c->metadata);
    if (bad) return error_wrap(error_wrap(bad, "validate failed for %s", file), "failed adding to %s to index", file);
    urls[0] = parent_url && *parent_url ? url_join(a, parent_url, file) : file;
    const struct index_version v = {.metadata = c->metadata, .version = chart_string(c, CHART_VERSION), .digest = arena_strdup(a, hex.data),
                                    .urls = urls, .created = now_text(a)};
    index_add(out, name, &v);
    return NULL;
}

static struct error *add_archives(struct arena *a, const char *dir, const char *parent, const char *base, struct index *out) {
    struct dirent **list = NULL;
    const char *path = *parent ? arena_printf(a, "%s/%s", dir, parent) : dir;
    int n = scandir(path, &list, NULL, by_name);
    struct error *e = NULL;
    for (int i = 0; i < n; i++) {
        if (!e && str_ends(list[i]->d_name, ".tgz") && list[i]->d_name[0] != '.') e = add_archive(a, dir, parent, arena_strdup(a, list[i]->d_name), base, out);
        free(list[i]);
    }
    free(list);
    return e;
}

struct error *index_directory(struct arena *a, const char *dir, const char *base, struct index *out) {
    struct dirent **list = NULL;
    *out = (struct index){.arena = a, .generated = now_text(a)};
    TRY(add_archives(a, dir, "", base, out));
    int n = scandir(dir, &list, NULL, by_name);
    struct error *e = NULL;
    for (int i = 0; i < n; i++) {
        if (!e && list[i]->d_name[0] != '.' && list[i]->d_type == DT_DIR) e = add_archives(a, dir, arena_strdup(a, list[i]->d_name), base, out);
        free(list[i]);
    }
    free(list);
    return e;
}

static const struct json *version_json(struct arena *a, const struct index_version *v) {
    const struct json *metadata;
    cleanup_error struct error *bad = value_to_json(a, v->metadata, &metadata);
    if (bad) return &json_null;
    struct json_object o = {.arena = a};
    struct json_array urls = {.arena = a};
    JSON_EACH_MEMBER(m, metadata) json_object_add(&o, m->key, &m->value);
    for (const char *const *u = v->urls; u && *u; u++) json_array_add(&urls, json_string(a, *u));
    json_object_set(&o, "urls", json_array_done(&urls));
    json_object_set(&o, "created", json_string(a, *v->created ? v->created : "0001-01-01T00:00:00Z"));
    if (json_bool(v->json, "removed", false)) json_object_set(&o, "removed", &json_true);
    if (*v->digest) json_object_set(&o, "digest", json_string(a, v->digest));
    return json_object_done(&o);
}

const struct json *index_to_json(struct arena *a, const struct index *x) {
    struct json_object entries = {.arena = a};
    for (size_t i = 0; i < x->count; i++) {
        struct json_array versions = {.arena = a};
        for (size_t j = 0; j < x->charts[i].count; j++) json_array_add(&versions, version_json(a, &x->charts[i].versions[j]));
        json_object_add(&entries, x->charts[i].name, json_array_done(&versions));
    }
    return json_make(a, "{'apiVersion':'v1','generated':%s,'entries':%v}", x->generated, json_object_done(&entries));
}
