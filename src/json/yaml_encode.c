/* YAML as sigs.k8s.io/yaml writes it: keys in go-yaml's natural order, strings quoted when they would mean something
 * else, text of several lines as literal blocks. libyaml's emitter does the rest. */
#include "base/str.h"
#include "json/index.h"
#include <math.h>
#include <yaml.h>

/* ---- the order of keys ---- */

static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
static bool is_letter(uint32_t c) { return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0xAA; }

/* The number at s[i], and behind it. */
static int64_t number_at(const char *s, size_t *i) {
    int64_t v = 0;
    for (; is_digit((unsigned char)s[*i]); (*i)++) v = (int64_t)((uint64_t)v * 10 + (uint64_t)(s[*i] - '0'));
    return v;
}

/* go-yaml's keyList.Less: letters behind everything else, digits by the value of the whole number. UTF-8 keeps the
 * order of code points, so bytes may be compared where both are letters. */
static bool key_less(const char *a, size_t an, const char *b, size_t bn) {
    size_t i = 0;
    while (i < an && i < bn && a[i] == b[i]) i++;
    if (i == an || i == bn) return an < bn;
    unsigned char ac = (unsigned char)a[i], bc = (unsigned char)b[i];
    if (is_letter(ac) && is_letter(bc)) return ac < bc;
    if (is_letter(ac) || is_letter(bc)) return is_letter(bc);
    int64_t x = 0, y = 0;
    if (ac == '0' || bc == '0') /* inside a number that began with something else than zeros */
        for (size_t j = i; j > 0 && is_digit((unsigned char)a[j - 1]); j--)
            if (a[j - 1] != '0') x = y = 1;
    size_t ai = i, bi = i;
    uint64_t scale_a = (uint64_t)x, scale_b = (uint64_t)y;
    x = number_at(a, &ai);
    y = number_at(b, &bi);
    for (size_t j = i; j < ai; j++) scale_a *= 10;
    for (size_t j = i; j < bi; j++) scale_b *= 10;
    x = (int64_t)((uint64_t)x + scale_a);
    y = (int64_t)((uint64_t)y + scale_b);
    if (x != y) return x < y;
    return ai != bi ? ai < bi : ac < bc;
}

static int compare(const void *a, const void *b) {
    const struct json_member *x = *(const struct json_member *const *)a, *y = *(const struct json_member *const *)b;
    if (key_less(x->key, x->key_len, y->key, y->key_len)) return -1;
    return key_less(y->key, y->key_len, x->key, x->key_len) ? 1 : 0;
}

/* ---- scalars ---- */

/* 12:30:45 and the like are numbers to YAML 1.1: ^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$ */
static bool is_base60(const char *s) {
    s += *s == '-' || *s == '+';
    if (!is_digit((unsigned char)*s)) return false;
    s += strspn(s, "0123456789_");
    if (*s != ':') return false;
    while (*s == ':') {
        s++;
        if (!is_digit((unsigned char)*s)) return false;
        if (is_digit((unsigned char)s[1]) && *s++ > '5') return false;
        s++;
    }
    if (*s == '.') s += 1 + strspn(s + 1, "0123456789_");
    return *s == '\0';
}

static yaml_scalar_style_t style_of(const char *s, size_t n) {
    struct json v;
    if (memchr(s, '\n', n)) return YAML_LITERAL_SCALAR_STYLE;
    bool plain = strlen(s) != n || (yaml_resolve(s, &v) == YAML_STRING && !is_base60(s));
    return plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static void emit(yaml_emitter_t *e, yaml_event_t *event, int made) {
    if (!made || !yaml_emitter_emit(e, event)) abort(); /* only memory can fail: all text is UTF-8 */
}

static void emit_scalar(yaml_emitter_t *e, const char *s, size_t n, yaml_scalar_style_t style) {
    yaml_event_t event;
    const yaml_char_t *bytes = (const yaml_char_t *)s;
    emit(e, &event, yaml_scalar_event_initialize(&event, NULL, NULL, bytes, (int)n, true, true, style));
}

static void emit_string(yaml_emitter_t *e, const char *s, size_t n) { emit_scalar(e, s, n, style_of(s, n)); }

/* Numbers go through JSON on their way to go-yaml: whole ones are integers there. */
static void emit_number(yaml_emitter_t *e, const struct json *v) {
    cleanup_buf struct buf out = {0};
    bool whole = v->d == trunc(v->d) && v->d > -0x1p63 && v->d < 0x1p64 && fabs(v->d) < 1e21;
    if (v->type == JSON_INT || whole || v->d - v->d != 0) json_encode(&out, v);
    else number_format_g(&out, v->d, false);
    emit_scalar(e, out.data, out.len, YAML_PLAIN_SCALAR_STYLE);
}

/* ---- values ---- */

static void emit_value(yaml_emitter_t *e, const struct json *v);

static void emit_object(yaml_emitter_t *e, const struct json *v) {
    yaml_event_t event;
    yaml_mapping_style_t style = v->len ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    emit(e, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, true, style));
    const struct json_member **sorted = xcalloc(v->len, sizeof(struct json_member *));
    for (uint32_t i = 0; i < v->len; i++) sorted[i] = &v->members[i];
    qsort(sorted, v->len, sizeof(*sorted), compare);
    for (uint32_t i = 0; i < v->len; i++) {
        emit_string(e, sorted[i]->key, sorted[i]->key_len);
        emit_value(e, &sorted[i]->value);
    }
    free(sorted);
    emit(e, &event, yaml_mapping_end_event_initialize(&event));
}

static void emit_array(yaml_emitter_t *e, const struct json *v) {
    yaml_event_t event;
    yaml_sequence_style_t style = v->len ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    emit(e, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, true, style));
    for (uint32_t i = 0; i < v->len; i++) emit_value(e, &v->items[i]);
    emit(e, &event, yaml_sequence_end_event_initialize(&event));
}

static void emit_value(yaml_emitter_t *e, const struct json *v) {
    switch (v->type) {
    case JSON_NULL: emit_scalar(e, "null", 4, YAML_PLAIN_SCALAR_STYLE); break;
    case JSON_BOOL: emit_scalar(e, v->b ? "true" : "false", v->b ? 4 : 5, YAML_PLAIN_SCALAR_STYLE); break;
    case JSON_INT:
    case JSON_DOUBLE: emit_number(e, v); break;
    case JSON_STRING: emit_string(e, v->s, v->len); break;
    case JSON_ARRAY: emit_array(e, v); break;
    case JSON_OBJECT: emit_object(e, v); break;
    }
}

static int write_out(void *out, unsigned char *bytes, size_t n) {
    buf_add(out, bytes, n);
    return 1;
}

void yaml_encode(struct buf *out, const struct json *v) {
    yaml_emitter_t e;
    yaml_event_t event;
    yaml_emitter_initialize(&e);
    yaml_emitter_set_output(&e, write_out, out);
    yaml_emitter_set_unicode(&e, true);
    emit(&e, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&e, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, true));
    emit_value(&e, v ? v : &json_null);
    emit(&e, &event, yaml_document_end_event_initialize(&event, true));
    emit(&e, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&e);
    if (out->len >= 5 && memcmp(out->data + out->len - 5, "\n...\n", 5) == 0) { /* go-yaml does not mark the end */
        out->len -= 4;
        out->data[out->len] = '\0';
    }
}
