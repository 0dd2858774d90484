/* From flags to values: see value_options.h. */
#include "helm/chart/value_options.h"
#include "base/str.h"
#include "helm/chart/decode.h"
#include "helm/go/os.h"
#include <ctype.h>
#include <unistd.h>

enum { MAX_VALUES = 256 * 1024 * 1024 };

struct source {
    value_fetch fetch;
    void *arg;
};

static bool is_url(const char *path) {
    return str_starts(path, "http://") || str_starts(path, "https://") || str_starts(path, "oci://");
}

static struct error *read_stdin(struct buf *out) {
    out->max = MAX_VALUES;
    char chunk[65536];
    for (ssize_t n; (n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0;) buf_add(out, chunk, (size_t)n);
    return out->overflow ? error_new("read -: more than %d bytes", MAX_VALUES) : NULL;
}

static struct error *read_source(const struct source *s, const char *path, struct buf *out) {
    const char *p = path + strspn(path, " \t\r\n");
    if (p[0] == '-' && strspn(p + 1, " \t\r\n") == strlen(p + 1)) return read_stdin(out);
    if (!is_url(path)) return go_read_file(path, MAX_VALUES, out);
    if (s->fetch == NULL) return error_new("%s: values from URLs cannot be read here", path);
    return s->fetch(s->arg, path, out);
}

static struct error *add_file(struct arena *a, const struct source *s, const char *path, struct value *base) {
    cleanup_buf struct buf text = {0};
    struct value values;
    TRY(read_source(s, path, &text));
    struct error *e = go_decode_yaml_map(a, arena_strndup(a, buf_str(&text), text.len), text.len, &values);
    if (e != NULL) return error_wrap(e, "failed to parse %s", path);
    *base = values_merge(a, *base, values);
    return NULL;
}

static struct error *set_file_reader(void *arg, struct arena *a, const char *path, struct value *out) {
    cleanup_buf struct buf text = {0};
    *out = value_nil();
    TRY(read_source(arg, path, &text));
    *out = value_strdup(a, buf_str(&text), text.len);
    return NULL;
}

static struct error *apply(struct arena *a, const struct helm_strings *texts, enum strvals_kind kind, const char *flag, struct source *s, struct value base) {
    for (size_t i = 0; i < texts->count; i++) {
        struct error *e = strvals_parse(a, kind, texts->items[i], set_file_reader, s, base);
        if (e == NULL) continue;
        if (kind != STRVALS_JSON) return error_wrap(e, "failed parsing --%s data", flag);
        error_free(e);
        return error_new("failed parsing --set-json data %s", texts->items[i]);
    }
    return NULL;
}

struct error *value_options_merge(struct arena *a, const struct value_options *o, value_fetch fetch, void *fetch_arg, struct value *out) {
    struct source s = {fetch, fetch_arg};
    struct value base = value_map_new(a, &go_map);
    for (size_t i = 0; i < o->files.count; i++) TRY(add_file(a, &s, o->files.items[i], &base));
    TRY(apply(a, &o->set_json, STRVALS_JSON, "set-json", &s, base));
    TRY(apply(a, &o->set, STRVALS_TYPED, "set", &s, base));
    TRY(apply(a, &o->set_string, STRVALS_STRING, "set-string", &s, base));
    TRY(apply(a, &o->set_file, STRVALS_FILE, "set-file", &s, base));
    TRY(apply(a, &o->set_literal, STRVALS_LITERAL, "set-literal", &s, base));
    *out = base;
    return NULL;
}
