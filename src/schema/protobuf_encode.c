/* JSON values to Kubernetes' protobuf, byte for byte as its generated Go code: fields by ascending number; scalars and
 * messages that are not pointers always, others when set; maps sorted by key. Like that code it writes from the end to the
 * front, so that every length is known when it is needed. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/schema.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

struct writer {
    struct arena *arena;
    char *data;
    size_t cap, start; /* what is written are the bytes from start to cap */
};

static void put(struct writer *w, const void *p, size_t n) {
    if (n > w->start) {
        size_t used = w->cap - w->start, cap = MAX(w->cap * 2, used + n + 512);
        char *bigger = xmalloc(cap);
        if (used > 0) memcpy(bigger + cap - used, w->data + w->start, used);
        free(w->data);
        *w = (struct writer){w->arena, bigger, cap, cap - used};
    }
    w->start -= n;
    if (n > 0) memcpy(w->data + w->start, p, n);
}

static void put_varint(struct writer *w, uint64_t v) {
    char bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = (char)(v | 0x80);
    bytes[n++] = (char)v;
    put(w, bytes, n);
}

static void put_tag(struct writer *w, unsigned number, unsigned wire) { put_varint(w, (uint64_t)number << 3 | wire); }

static void put_int(struct writer *w, unsigned number, int64_t v) {
    put_varint(w, (uint64_t)v);
    put_tag(w, number, WIRE_VARINT);
}

static void put_bytes(struct writer *w, unsigned number, const void *p, size_t n) {
    put(w, p, n);
    put_varint(w, n);
    put_tag(w, number, WIRE_BYTES);
}

/* Closes a message whose content began when `end` bytes were written. */
static void put_header(struct writer *w, unsigned number, size_t end) {
    put_varint(w, w->cap - w->start - end);
    put_tag(w, number, WIRE_BYTES);
}

static size_t written(const struct writer *w) { return w->cap - w->start; }

static void put_text(struct writer *w, unsigned number, const struct json *v) {
    bool string = json_is(v, JSON_STRING);
    put_bytes(w, number, string ? v->s : "", string ? v->len : 0);
}

static void put_base64(struct writer *w, unsigned number, const struct json *v) {
    char *bytes;
    size_t n;
    if (json_is(v, JSON_STRING) && base64_decode(w->arena, v->s, v->len, &bytes, &n)) put_bytes(w, number, bytes, n);
}

static void put_raw(struct writer *w, unsigned number, const struct json *v) {
    if (!v || v->type == JSON_NULL) return;
    cleanup_buf struct buf text = {0};
    json_encode(&text, v);
    put_bytes(w, number, text.data, text.len);
}

static void put_time(struct writer *w, bool micro, const struct json *v) {
    struct time_parts t;
    if (!json_is(v, JSON_STRING) || !time_parse_parts(v->s, &t)) return;
    put_int(w, 2, micro ? t.nanos : 0);
    put_int(w, 1, t.seconds);
}

static void put_int_or_string(struct writer *w, const struct json *v) {
    put_text(w, 3, v);
    put_int(w, 2, json_int(v, NULL, 0));
    put_int(w, 1, json_is(v, JSON_STRING));
}

static void put_fields(struct writer *w, const struct type *t, const struct json *v);

/* The content of a message. */
static void put_content(struct writer *w, const struct type *t, const struct json *v) {
    int64_t duration = 0;
    switch (t->kind) {
    case TYPE_STRUCT: put_fields(w, t, v); break;
    case TYPE_TIME:
    case TYPE_MICRO_TIME: put_time(w, t->kind == TYPE_MICRO_TIME, v); break;
    case TYPE_DURATION:
        if (json_is(v, JSON_STRING)) (void)duration_parse(v->s, &duration);
        put_int(w, 1, duration);
        break;
    case TYPE_QUANTITY:
        if (json_is(v, JSON_STRING)) put_text(w, 1, v);
        else put_bytes(w, 1, "0", 1);
        break;
    case TYPE_INT_OR_STRING: put_int_or_string(w, v); break;
    default: put_raw(w, 1, v);
    }
}

static void put_value(struct writer *w, const struct type *t, unsigned number, const struct json *v) {
    switch (t->kind) {
    case TYPE_STRING: put_text(w, number, v); break;
    case TYPE_BYTES: put_base64(w, number, v); break;
    case TYPE_BOOL: put_int(w, number, json_bool(v, NULL, false)); break;
    case TYPE_INT32:
    case TYPE_INT64: put_int(w, number, json_int(v, NULL, 0)); break;
    case TYPE_DOUBLE: {
        double d = json_is(v, JSON_DOUBLE) ? v->d : (double)json_int(v, NULL, 0);
        put(w, &d, sizeof(d));
        put_tag(w, number, WIRE_FIXED64);
        break;
    }
    default: {
        size_t end = written(w);
        put_content(w, t, v);
        put_header(w, number, end);
    }
    }
}

static void put_list(struct writer *w, const struct type *element, unsigned number, const struct json *v) {
    for (size_t i = json_is(v, JSON_ARRAY) ? v->len : 0; i > 0; i--) put_value(w, element, number, &v->items[i - 1]);
}

static void put_wrapped(struct writer *w, const struct type *list, unsigned number, const struct json *v) {
    size_t end = written(w);
    put_list(w, list->element, 1, v);
    put_header(w, number, end);
}

static int by_key(const void *a, const void *b) {
    return strcmp((*(const struct json_member *const *)a)->key, (*(const struct json_member *const *)b)->key);
}

static void put_map(struct writer *w, const struct field *f, const struct json *v) {
    size_t n = json_is(v, JSON_OBJECT) ? v->len : 0;
    if (n == 0) return;
    const struct type *element = f->type->element;
    const struct json_member **sorted = arena_alloc(w->arena, n * sizeof(const struct json_member *));
    for (size_t i = 0; i < n; i++) sorted[i] = &v->members[i];
    qsort(sorted, n, sizeof(const struct json_member *), by_key);
    for (size_t i = n; i > 0; i--) {
        size_t end = written(w);
        if (f->pb_wrap) put_wrapped(w, element, 2, &sorted[i - 1]->value);
        else put_value(w, element, 2, &sorted[i - 1]->value);
        put_bytes(w, 1, sorted[i - 1]->key, sorted[i - 1]->key_len);
        put_header(w, f->pb, end);
    }
}

static void put_field(struct writer *w, const struct field *f, const struct json *v) {
    if (json_is(v, JSON_NULL)) v = NULL;
    if (f->type->kind == TYPE_MAP) put_map(w, f, v);
    else if (f->type->kind == TYPE_LIST && !f->pb_wrap) put_list(w, f->type->element, f->pb, v);
    else if (f->type->kind == TYPE_LIST && v) put_wrapped(w, f->type, f->pb, v);
    else if (f->type->kind != TYPE_LIST && (v || !f->pointer)) put_value(w, f->type, f->pb, v);
}

/* A type with a JSON form of its own has one field for each form that the value may take. */
static void put_custom(struct writer *w, const struct field *f, const struct json *v) {
    bool object = json_is(v, JSON_OBJECT);
    if (f->type->kind == TYPE_BYTES) put_raw(w, f->pb, v);
    else if (f->type->kind == TYPE_BOOL) put_int(w, f->pb, object || json_bool(v, NULL, false));
    else if (f->type->kind == TYPE_LIST) put_list(w, f->type->element, f->pb, v);
    else if (object) put_value(w, f->type, f->pb, v);
}

static void put_fields(struct writer *w, const struct type *t, const struct json *v) {
    for (size_t i = t->pb_count; i > 0; i--) {
        const struct field *f = &t->pb_fields[t->by_number[i - 1]];
        if (t->custom_json) put_custom(w, f, v);
        else put_field(w, f, f->name ? json_member_n(v, f->name, f->name_len) : v);
    }
}

static struct error *finish(struct writer *w, const struct type *t, struct buf *out) {
    if (!t->no_protobuf) buf_add(out, w->data + w->start, written(w));
    free(w->data);
    return t->no_protobuf ? error_new("object %s does not implement the protobuf marshalling interface and cannot be encoded to "
                                      "a protobuf message",
                                      t->name)
                          : NULL;
}

struct error *schema_pb_encode_raw(struct arena *a, const struct type *t, const struct json *v, struct buf *out) {
    struct writer w = {.arena = a};
    if (!t->no_protobuf) put_content(&w, t, v);
    return finish(&w, t, out);
}

/* runtime.Unknown behind the magic: type 1 (apiVersion 1, kind 2), raw 2, contentEncoding 3, contentType 4. */
struct error *schema_pb_encode(struct arena *a, const struct type *t, const struct json *v, struct buf *out) {
    struct writer w = {.arena = a};
    put_bytes(&w, 4, "", 0);
    put_bytes(&w, 3, "", 0);
    size_t end = written(&w);
    if (!t->no_protobuf) put_content(&w, t, v);
    put_header(&w, 2, end);
    end = written(&w);
    put_text(&w, 2, json_member(v, "kind"));
    put_text(&w, 1, json_member(v, "apiVersion"));
    put_header(&w, 1, end);
    put(&w, "k8s", 4);
    return finish(&w, t, out);
}

void schema_pb_watch_event(struct buf *out, const char *type, const void *object, size_t n) {
    struct writer w = {0};
    put_bytes(&w, 1, object, n);
    put_header(&w, 2, 0);
    put_bytes(&w, 1, type, strlen(type));
    size_t len = written(&w);
    const char frame[4] = {(char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
    buf_add(out, frame, sizeof(frame));
    buf_add(out, w.data + w.start, len);
    free(w.data);
}
