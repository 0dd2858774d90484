#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/go/time_value.h"
#include "helm/go/toml_internal.h"
#include <math.h>

enum { MAX_DEPTH = 1000 };

struct key {
    const struct key *outer;
    const char *name;
    size_t len;
    int depth; /* of tables around it, from 1 */
};

struct writer {
    struct arena *arena;
    struct buf *out;
    int nesting;
};

/* ---- kinds of TOML ---- */

enum kind { KIND_NONE, KIND_VALUE, KIND_TABLE, KIND_ARRAY, KIND_TABLE_ARRAY };

static bool is_nil(struct value v) {
    enum go_kind k = value_kind(v);
    return k == GO_INVALID || ((k == GO_MAP || k == GO_SLICE || k == GO_POINTER) && value_is_nil(v));
}

static bool has_text(struct value v) { return v.type != NULL && v.type->marshal_json != NULL; }

static struct error *kind_of(struct value v, int depth, enum kind *out);

/* All items are tables; nil is none. */
static struct error *is_table_array(struct value v, int depth, bool *out) {
    *out = value_len(v) > 0;
    for (size_t i = 0; i < value_len(v); i++) {
        enum kind kind;
        TRY(kind_of(value_at(v, i), depth, &kind));
        if (kind == KIND_NONE) return error_new("toml: cannot encode array with nil element");
        if (kind != KIND_TABLE) *out = false;
    }
    return NULL;
}

static struct error *kind_of(struct value v, int depth, enum kind *out) {
    bool tables;
    if (depth > MAX_DEPTH) return error_new("toml: value nests too deeply");
    *out = KIND_VALUE;
    if (is_nil(v)) *out = KIND_NONE;
    else if (has_text(v)) return NULL;
    else switch (value_kind(v)) {
        case GO_MAP:
        case GO_STRUCT:
        case GO_POINTER: *out = KIND_TABLE; break;
        case GO_SLICE:
        case GO_ARRAY:
            TRY(is_table_array(v, depth + 1, &tables));
            *out = tables ? KIND_TABLE_ARRAY : KIND_ARRAY;
            break;
        case GO_FUNC: return error_new("unsupported type: func");
        case GO_COMPLEX64: return error_new("unsupported type: complex64");
        case GO_COMPLEX128: return error_new("unsupported type: complex128");
        default: break;
        }
    return NULL;
}

/* ---- text ---- */

static void write_quoted(struct buf *b, const char *s, size_t n) {
    buf_addc(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        static const char from[] = "\"\\\b\t\n\f\r", to[] = "\"\\btnfr";
        const char *found = c != 0 ? strchr(from, c) : NULL;
        if (found != NULL) buf_printf(b, "\\%c", to[found - from]);
        else if (c < 0x20 || c == 0x7F) buf_printf(b, "\\u%04x", c);
        else buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

void toml_write_key(struct buf *b, const char *s, size_t n) {
    bool bare = n > 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bare = bare && c < 0x80 && c != 0 && (strchr("_-0123456789", c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
    }
    if (bare) buf_add(b, s, n);
    else write_quoted(b, s, n);
}

static void write_path(struct buf *b, const struct key *k) {
    if (k->outer != NULL) {
        write_path(b, k->outer);
        buf_addc(b, '.');
    }
    toml_write_key(b, k->name, k->len);
}

static void write_indent(struct buf *b, const struct key *k) {
    for (int i = 1; i < k->depth; i++) buf_adds(b, "  ");
}

static void new_line(struct writer *w) {
    if (w->out->len > 0) buf_addc(w->out, '\n');
}

/* ---- values in a line ---- */

static struct error *write_element(struct writer *w, struct value v);
static struct error *write_map(struct writer *w, const struct key *key, struct value v, bool in_line);

static void write_float(struct buf *b, double f, int bits) {
    if (isnan(f) || isinf(f)) {
        if (signbit(f)) buf_addc(b, '-');
        buf_adds(b, isnan(f) ? "nan" : "inf");
        return;
    }
    size_t start = b->len;
    go_format_float(b, f, 'f', -1, bits);
    if (memchr(b->data + start, '.', b->len - start) == NULL) buf_adds(b, ".0");
}

static struct error *write_list(struct writer *w, struct value v) {
    buf_addc(w->out, '[');
    for (size_t i = 0; i < value_len(v); i++) {
        if (i > 0) buf_adds(w->out, ", ");
        TRY(write_element(w, value_at(v, i)));
    }
    buf_addc(w->out, ']');
    return NULL;
}

/* A number if it is one, integers first. */
static struct error *write_json_number(struct writer *w, struct value v) {
    int64_t i = 0;
    double f;
    cleanup_error struct error *no_int = v.len ? go_parse_int(v.s, v.len, 10, 64, &i) : NULL;
    cleanup_error struct error *no_float = no_int ? go_parse_float(v.s, v.len, 64, &f) : NULL;
    if (no_int == NULL) buf_addi(w->out, i);
    else if (no_float == NULL) write_float(w->out, f, 64);
    else {
        cleanup_buf struct buf q = {0};
        go_quote(&q, v.s, v.len);
        return error_new("unable to convert %s to int64 or float64", q.data);
    }
    return NULL;
}

static struct error *write_text_of(struct writer *w, struct value v) {
    if (v.type == &go_time) {
        struct go_moment t = value_time(v);
        const char *name = t.location->name, *layout = "2006-01-02T15:04:05.999999999Z07:00";
        if (str_eq(name, "datetime-local")) layout = "2006-01-02T15:04:05.999999999"; /* what go_from_toml reads without a zone */
        else if (str_eq(name, "date-local")) layout = "2006-01-02";
        else if (str_eq(name, "time-local")) layout = "15:04:05.999999999";
        if (strlen(layout) < 35) t.location = &go_utc;
        go_time_format(w->out, t, layout, strlen(layout));
        return NULL;
    }
    const struct json *text;
    TRY(v.type->marshal_json(w->arena, &v, &text));
    if (text->type == JSON_STRING) write_quoted(w->out, text->s, text->len);
    return NULL;
}

static struct error *write_element(struct writer *w, struct value v) {
    if (++w->nesting > MAX_DEPTH) return error_new("toml: value nests too deeply");
    struct error *e = NULL;
    enum go_kind kind = value_kind(v);
    if (has_text(v)) e = write_text_of(w, v);
    else if (v.type == &go_duration) {
        cleanup_buf struct buf b = {0};
        v.type->string(&v, &b);
        write_quoted(w->out, b.data, b.len);
    } else if (v.type == &go_number) e = write_json_number(w, v);
    else if (kind == GO_STRING) write_quoted(w->out, v.s, v.len);
    else if (kind == GO_BOOL) buf_adds(w->out, v.b ? "true" : "false");
    else if (go_is_int(kind)) buf_addi(w->out, v.i);
    else if (go_is_uint(kind)) buf_printf(w->out, "%llu", (unsigned long long)v.u);
    else if (go_is_float(kind)) write_float(w->out, v.f, kind == GO_FLOAT32 ? 32 : 64);
    else if (kind == GO_SLICE || kind == GO_ARRAY) e = write_list(w, v);
    else if (kind == GO_MAP || kind == GO_STRUCT || kind == GO_POINTER) e = write_map(w, NULL, v, true);
    else e = error_new("unexpected type: %s", go_type_name(v));
    w->nesting--;
    return e;
}

/* ---- tables ---- */

static struct error *encode(struct writer *w, const struct key *key, struct value v);

struct member {
    const char *name;
    size_t len;
    struct value value;
};

/* What a map or a struct has: those that are tables behind the others. */
static struct error *members_of(struct writer *w, struct value v, struct member **out, size_t *direct, size_t *count) {
    struct member *all = NULL;
    size_t n = 0;
    if (value_kind(v) == GO_MAP) {
        struct value_entry *entries = value_map_sorted(v.map, &n);
        all = arena_calloc(w->arena, n + 1, sizeof(*all));
        for (size_t i = 0; i < n; i++) all[i] = (struct member){entries[i].key, entries[i].key_len, entries[i].value};
    } else {
        const struct go_field *fields = value_kind(v) == GO_POINTER ? v.type->elem->fields : v.type->fields;
        while (fields != NULL && fields[n].name != NULL) n++;
        all = arena_calloc(w->arena, n + 1, sizeof(*all));
        for (size_t i = 0; i < n; i++) all[i] = (struct member){fields[i].name, strlen(fields[i].name), v.items[i]};
    }
    *out = arena_calloc(w->arena, n + 1, sizeof(*all));
    *count = 0;
    for (int tables = 0; tables < 2; tables++) {
        for (size_t i = 0; i < n; i++) {
            enum kind kind;
            TRY(kind_of(all[i].value, w->nesting, &kind));
            if ((kind == KIND_TABLE || kind == KIND_TABLE_ARRAY) == (tables == 1)) (*out)[(*count)++] = all[i];
        }
        if (tables == 0) *direct = *count;
    }
    return NULL;
}

static struct error *write_map(struct writer *w, const struct key *key, struct value v, bool in_line) {
    struct member *members;
    size_t direct, count;
    TRY(members_of(w, v, &members, &direct, &count));
    if (in_line) buf_addc(w->out, '{');
    for (size_t i = 0; i < count; i++) {
        struct key inner = {.outer = in_line ? NULL : key, .name = members[i].name, .len = members[i].len, .depth = in_line || key == NULL ? 1 : key->depth + 1};
        if (is_nil(members[i].value)) continue;
        if (!in_line) {
            TRY(encode(w, &inner, members[i].value));
            continue;
        }
        toml_write_key(w->out, inner.name, inner.len);
        buf_adds(w->out, " = ");
        TRY(write_element(w, members[i].value));
        if (i + 1 < count) buf_adds(w->out, ", ");
    }
    if (in_line) buf_addc(w->out, '}');
    return NULL;
}

static struct error *write_table_array(struct writer *w, const struct key *key, struct value v) {
    if (key == NULL) return error_new("toml: top-level values must be Go maps or structs");
    for (size_t i = 0; i < value_len(v); i++) {
        struct value item = value_at(v, i);
        if (is_nil(item)) continue;
        new_line(w);
        write_indent(w->out, key);
        buf_adds(w->out, "[[");
        write_path(w->out, key);
        buf_adds(w->out, "]]");
        new_line(w);
        TRY(write_map(w, key, item, false));
    }
    return NULL;
}

static struct error *write_table(struct writer *w, const struct key *key, struct value v) {
    if (key != NULL && key->depth == 1) new_line(w);
    if (key != NULL) {
        write_indent(w->out, key);
        buf_addc(w->out, '[');
        write_path(w->out, key);
        buf_addc(w->out, ']');
        new_line(w);
    }
    return write_map(w, key, v, false);
}

static struct error *encode(struct writer *w, const struct key *key, struct value v) {
    enum kind kind;
    if (w->nesting > MAX_DEPTH) return error_new("toml: value nests too deeply");
    TRY(kind_of(v, w->nesting, &kind));
    if (kind == KIND_NONE) return NULL;
    struct error *e = NULL;
    w->nesting++;
    if (kind == KIND_TABLE) e = write_table(w, key, v);
    else if (kind == KIND_TABLE_ARRAY) e = write_table_array(w, key, v);
    else if (key == NULL) e = write_element(w, v);
    else {
        write_indent(w->out, key);
        toml_write_key(w->out, key->name, key->len);
        buf_adds(w->out, " = ");
        e = write_element(w, v);
        if (e == NULL) new_line(w);
    }
    w->nesting--;
    return e;
}

struct error *go_toml_marshal(struct arena *a, struct value v, struct buf *out) {
    struct writer w = {.arena = a, .out = out};
    return encode(&w, NULL, v);
}
