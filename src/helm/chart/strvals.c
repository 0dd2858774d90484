/* --set name=value,a.b[0]={x,y}: see values.h. Runes with \ before them stand for themselves (not with --set-literal). */
#include "base/str.h"
#include "helm/chart/values.h"
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include <strings.h>

enum { MAX_INDEX = 65536, MAX_LEVEL = 30, AT_END = -1 };

struct parser {
    struct arena *arena;
    enum strvals_kind kind;
    const char *p, *end;
    strvals_reader reader;
    void *reader_arg;
    bool eof; /* the end was met, which is no error but ends the parse (Go's io.EOF) */
};

/* Reads up to one of `stops`, which is returned; AT_END at the end of the text. */
static int until(struct parser *s, const char *stops, struct value *out) {
    cleanup_buf struct buf b = {0};
    int stop = AT_END;
    while (s->p < s->end) {
        char c = *s->p++;
        if (strchr(stops, c) != NULL && c != '\0') {
            stop = (unsigned char)c;
            break;
        }
        if (c == '\\' && s->kind != STRVALS_LITERAL) {
            if (s->p == s->end) break;
            size_t size;
            rune_decode(s->p, (size_t)(s->end - s->p), &size);
            buf_add(&b, s->p, size);
            s->p += size;
        } else {
            buf_addc(&b, c);
        }
    }
    *out = value_strdup(s->arena, buf_str(&b), b.len);
    return stop;
}

static const char *quoted(struct arena *a, struct value v) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, v.s, v.len);
    return arena_strdup(a, buf_str(&b));
}

static void set(struct value map, struct value key, struct value v) {
    if (key.len > 0) value_map_set(map.map, key.s, key.len, v);
}

static struct error *set_index(struct arena *a, struct value *list, int64_t i, struct value v) {
    if (i < 0) return error_new("negative %lld index not allowed", (long long)i);
    if (i > MAX_INDEX) return error_new("index of %lld is greater than maximum supported index of %d", (long long)i, MAX_INDEX);
    if ((int64_t)list->len <= i) {
        struct value longer = value_slice(a, &go_list, (size_t)i + 1);
        for (uint32_t j = 0; j < list->len; j++) longer.items[j] = list->items[j];
        *list = longer;
    }
    list->items[i] = v;
    return NULL;
}

/* ---- values ---- */

static struct error *read_value(struct parser *s, struct value text, struct value *out) {
    if (s->kind == STRVALS_FILE) return s->reader(s->reader_arg, s->arena, value_cstr(s->arena, text), out);
    *out = text;
    if (s->kind != STRVALS_TYPED) return NULL;
    const char *t = value_cstr(s->arena, text);
    if (strlen(t) != text.len) return NULL;
    if (strcasecmp(t, "true") == 0) *out = value_bool(true);
    else if (strcasecmp(t, "false") == 0) *out = value_bool(false);
    else if (strcasecmp(t, "null") == 0) *out = value_nil();
    else if (str_eq(t, "0")) *out = value_int64(0);
    else if (t[0] != '0' && t[0] != '\0') {
        int64_t n;
        cleanup_error struct error *e = go_parse_int(t, text.len, 10, 64, &n);
        if (e == NULL) *out = value_int64(n);
    }
    return NULL;
}

/* {a,b,c}. *is_list false: there is no '{'. */
static struct error *read_list(struct parser *s, bool *is_list, struct value *out) {
    *is_list = s->p < s->end && *s->p == '{';
    if (!*is_list) return NULL;
    s->p++;
    struct value items[2] = {value_slice(s->arena, &go_list, 8)}, text, item = {0};
    struct value list = items[0];
    uint32_t count = 0, cap = 8;
    for (int stop = ','; stop == ',';) {
        stop = until(s, ",}", &text);
        if (stop == AT_END) return error_new("list must terminate with '}'");
        TRY(read_value(s, text, &item));
        if (count == cap) {
            struct value longer = value_slice(s->arena, &go_list, (size_t)cap * 2);
            memcpy(longer.items, list.items, cap * sizeof(item));
            list = longer;
            cap *= 2;
        }
        list.items[count++] = item;
    }
    list.len = count;
    if (s->p < s->end && *s->p == ',') s->p++;
    *out = list;
    return NULL;
}

/* Skips blanks up to and with a comma. true: there is no value. */
static bool skip_blank(struct parser *s) {
    while (s->p < s->end) {
        size_t size;
        uint32_t r = rune_decode(s->p, (size_t)(s->end - s->p), &size);
        if (r != ',' && !rune_is_space(r)) return false;
        s->p += size;
        if (r == ',') return true;
    }
    return true;
}

/* The length of the JSON value that the text starts with, to the end of the text if it does not end. */
static size_t json_length(const char *p, size_t n) {
    size_t i = 0, depth = 0;
    while (i < n && strchr(" \t\r\n", p[i]) != NULL) i++;
    for (; i < n; i++) {
        if (p[i] == '"') {
            for (i++; i < n && p[i] != '"'; i++) i += p[i] == '\\';
        } else if (p[i] == '{' || p[i] == '[') {
            depth++;
            continue;
        } else if (p[i] == '}' || p[i] == ']') {
            if (depth > 0) depth--;
        } else if (depth == 0) {
            while (i < n && strchr(", \t\r\n]}:", p[i]) == NULL) i++;
            return i;
        }
        if (depth == 0) return MIN(i + 1, n);
    }
    return n;
}

static struct error *read_json(struct parser *s, struct value *out) {
    *out = value_nil();
    if (skip_blank(s)) return NULL;
    size_t n = json_length(s->p, (size_t)(s->end - s->p));
    const struct json *json;
    TRY(json_parse(s->arena, s->p, n, NULL, NULL, &json));
    s->p += n;
    skip_blank(s);
    *out = value_from_json(s->arena, json, VALUE_FLOATS);
    return NULL;
}

/* What stands behind '='. */
static struct error *read_assigned(struct parser *s, struct value *out) {
    if (s->kind == STRVALS_JSON) return read_json(s, out);
    if (s->kind == STRVALS_LITERAL) {
        *out = value_strdup(s->arena, s->p, (size_t)(s->end - s->p));
        s->p = s->end;
        return NULL;
    }
    if (s->p == s->end) {
        s->eof = true;
        *out = value_literal("");
        return NULL;
    }
    bool is_list;
    TRY(read_list(s, &is_list, out));
    if (is_list) return NULL;
    struct value text;
    until(s, ",", &text);
    return read_value(s, text, out);
}

/* ---- names ---- */

static struct error *read_key(struct parser *s, struct value map, int level);

static struct error *read_index(struct parser *s, int64_t *out) {
    struct value text;
    if (until(s, "]", &text) == AT_END) return error_new("error parsing index: EOF");
    struct error *e = go_atoi(text.s, text.len, out);
    return e != NULL ? error_wrap(e, "error parsing index") : NULL;
}

/* Go panics on x.(T) where x is another type; helm makes this of it. */
static struct error *wrong_type(struct value v, const char *wanted) {
    return error_new("unable to parse key: interface conversion: interface {} is %s, not %s", v.type != NULL ? go_type_name(v) : "nil", wanted);
}

static struct error *read_item(struct parser *s, struct value *list, int64_t i, int level) {
    if (i < 0) return error_new("negative %lld index not allowed", (long long)i);
    struct value text, v;
    int stop = until(s, "[.=", &text);
    if (text.len > 0) {
        cleanup_buf struct buf runes = {0};
        for (size_t at = 0, size; at < text.len; at += size) {
            if (at > 0) buf_addc(&runes, ' ');
            go_quote_rune(&runes, rune_decode(text.s + at, text.len - at, &size), false);
        }
        return error_new("unexpected data at end of array index: [%s]", buf_str(&runes));
    }
    if (stop == AT_END) return s->eof = true, NULL;
    if (stop == '=') {
        TRY(read_assigned(s, &v));
        s->eof = false;
        return set_index(s->arena, list, i, v);
    }
    if (stop == '[') {
        int64_t next;
        TRY(read_index(s, &next));
        struct value inner = value_zero(&go_list);
        if ((int64_t)list->len > i && list->items[i].type != NULL) {
            inner = list->items[i];
            if (inner.type != &go_list) return wrong_type(inner, "[]interface {}");
        }
        TRY(read_item(s, &inner, next, level));
        if (s->eof) return NULL;
        return set_index(s->arena, list, i, inner);
    }
    struct value inner = value_map_new(s->arena, &go_map);
    if ((int64_t)list->len > i) {
        if (values_is_table(list->items[i])) inner = list->items[i];
        else list->items[i] = inner;
    }
    TRY(read_key(s, inner, level));
    if (s->eof) return NULL;
    return set_index(s->arena, list, i, inner);
}

static struct error *read_list_key(struct parser *s, struct value map, struct value key, int level) {
    int64_t i;
    TRY(read_index(s, &i));
    struct value *have = value_map_get(map.map, key.s, key.len), list = value_slice(s->arena, &go_list, 0);
    if (have != NULL) {
        if (have->type != &go_list) return wrong_type(*have, "[]interface {}");
        list = *have;
    }
    struct error *e = read_item(s, &list, i, level);
    set(map, key, list);
    return e;
}

static struct error *read_nested_key(struct parser *s, struct value map, struct value key, int level) {
    if (level + 1 > MAX_LEVEL) return error_new("value name nested level is greater than maximum supported nested level of %d", MAX_LEVEL);
    struct value *have = value_map_get(map.map, key.s, key.len), inner = value_map_new(s->arena, &go_map);
    if (have != NULL) {
        if (!values_is_table(*have)) return wrong_type(*have, "map[string]interface {}");
        if (have->map != NULL) inner = *have;
    }
    struct error *e = read_key(s, inner, level + 1);
    bool empty = value_map_count(inner.map) == 0;
    if (e == NULL && !s->eof && empty) return error_new("key map %s has no value", quoted(s->arena, key));
    if (!empty) set(map, key, inner);
    return e;
}

static struct error *read_key(struct parser *s, struct value map, int level) {
    struct value key, v = {0};
    int stop = until(s, s->kind == STRVALS_LITERAL ? "=[." : "=[,.", &key);
    switch (stop) {
    case AT_END:
        if (key.len > 0) return error_new("key %s has no value", quoted(s->arena, key));
        s->eof = true;
        return NULL;
    case '[': return read_list_key(s, map, key, level);
    case '.': return read_nested_key(s, map, key, level);
    case ',': set(map, key, value_literal("")); return error_new("key %s has no value (cannot end with ,)", quoted(s->arena, key));
    default: break;
    }
    struct error *e = read_assigned(s, &v);
    if (e == NULL || s->kind == STRVALS_FILE) set(map, key, v);
    return e;
}

struct error *strvals_parse(struct arena *a, enum strvals_kind kind, const char *text, strvals_reader reader, void *reader_arg,
                            struct value dest) {
    struct parser s = {.arena = a, .kind = kind, .p = text, .end = text + strlen(text), .reader = reader, .reader_arg = reader_arg};
    while (!s.eof) TRY(read_key(&s, dest, 0));
    return NULL;
}
