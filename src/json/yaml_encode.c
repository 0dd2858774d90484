/* YAML as sigs.k8s.io/yaml writes it: values of JSON in go-yaml v2's layout (yaml_write.h). */
#include "json/index.h"
#include "json/yaml_write.h"
#include <math.h>

static int compare(const void *a, const void *b) {
    const struct json_member *x = *(const struct json_member *const *)a, *y = *(const struct json_member *const *)b;
    if (yaml_key_less(x->key, x->key_len, y->key, y->key_len, YAML_V2)) return -1;
    return yaml_key_less(y->key, y->key_len, x->key, x->key_len, YAML_V2) ? 1 : 0;
}

/* Numbers go through JSON on their way to go-yaml: whole ones are integers there. */
static void write_number(struct yaml_writer *w, const struct json *v) {
    cleanup_buf struct buf out = {0};
    bool whole = v->d == trunc(v->d) && v->d > -0x1p63 && v->d < 0x1p64 && fabs(v->d) < 1e21;
    if (v->type == JSON_DOUBLE && v->d == 0) buf_addc(&out, '0'); /* -0 is the integer 0 */
    else if (v->type == JSON_INT || whole || v->d - v->d != 0) json_encode(&out, v);
    else number_format_g(&out, v->d, false);
    yaml_plain(w, out.data, out.len);
}

static void write_value(struct yaml_writer *w, const struct json *v);

static void write_object(struct yaml_writer *w, const struct json *v) {
    const struct json_member **sorted = xcalloc(v->len, sizeof(struct json_member *));
    for (uint32_t i = 0; i < v->len; i++) sorted[i] = &v->members[i];
    qsort(sorted, v->len, sizeof(*sorted), compare);
    int outer = yaml_begin(w, false);
    for (uint32_t i = 0; i < v->len; i++) {
        yaml_key(w, sorted[i]->key, sorted[i]->key_len);
        write_value(w, &sorted[i]->value);
    }
    yaml_end(w, outer);
    free(sorted);
}

static void write_array(struct yaml_writer *w, const struct json *v) {
    int outer = yaml_begin(w, true);
    for (uint32_t i = 0; i < v->len; i++) {
        yaml_item(w);
        write_value(w, &v->items[i]);
    }
    yaml_end(w, outer);
}

static void write_value(struct yaml_writer *w, const struct json *v) {
    switch (v->type) {
    case JSON_NULL: yaml_plain(w, "null", 4); break;
    case JSON_BOOL: yaml_plain(w, v->b ? "true" : "false", v->b ? 4 : 5); break;
    case JSON_INT:
    case JSON_DOUBLE: write_number(w, v); break;
    case JSON_STRING: yaml_string(w, v->s, v->len); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (v->len == 0) yaml_empty(w, v->type == JSON_ARRAY);
        else if (v->type == JSON_ARRAY) write_array(w, v);
        else write_object(w, v);
        break;
    }
}

void yaml_encode(struct buf *out, const struct json *v) {
    struct yaml_writer w;
    yaml_writer_init(&w, out, YAML_V2);
    write_value(&w, v ? v : &json_null);
    yaml_writer_done(&w);
}
