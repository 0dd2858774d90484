#include "base/str.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct json *parse(struct arena *a, const char *text) {
    const struct json *v;
    assert_null(json_parse(a, text, strlen(text), NULL, NULL, &v));
    return v;
}

/* A value with something in every field, as deep as the type does not repeat itself. */
static const struct json *filled(struct arena *a, const struct type *t, int depth) {
    switch (t->kind) {
    case TYPE_STRING: return json_string(a, "s");
    case TYPE_INT32:
    case TYPE_INT64: return json_integer(a, -7);
    case TYPE_BOOL: return &json_true;
    case TYPE_DOUBLE: return json_number(a, 1.5);
    case TYPE_BYTES: return json_string(a, "aGVsbG8=");
    case TYPE_TIME: return json_string(a, "2024-01-02T03:04:05Z");
    case TYPE_MICRO_TIME: return json_string(a, "2024-01-02T03:04:05.000006Z");
    case TYPE_DURATION: return json_string(a, "1m30s");
    case TYPE_QUANTITY: return json_string(a, "500m");
    case TYPE_INT_OR_STRING: return json_string(a, "25%");
    case TYPE_LIST:
        return json_append(a, json_append(a, &json_empty_array, filled(a, t->element, depth)), filled(a, t->element, depth));
    case TYPE_MAP: return json_with_member(a, NULL, "k", filled(a, t->element, depth));
    case TYPE_STRUCT: break;
    default: return json_make(a, "{'f:x':{}}");
    }
    if (t->custom_json) return t->pb_count == 1 ? json_integer(a, 5) : json_make(a, "{'type':'string'}");
    const struct json *o = &json_empty_object;
    for (size_t i = 0; i < t->field_count; i++) {
        const struct field *f = &t->fields[i];
        if (str_eq(f->embedded, "TypeMeta.")) continue; /* stands in the envelope only */
        if (f->pb && !f->no_json && (depth > 0 || f->type->kind < TYPE_STRUCT))
            o = json_with_member(a, o, f->name, filled(a, f->type, depth - 1));
    }
    return o;
}

static void round_trip(struct arena *a, const struct type *t, const struct json *in) {
    const struct json *before, *after;
    cleanup_buf struct buf b = {0};
    assert_null(schema_decode(a, t, in, NULL, &before));
    assert_null(schema_pb_encode_raw(a, t, before, &b));
    assert_null(schema_pb_decode_raw(a, t, b.data, b.len, &after));
    assert_string_equal(json_text(a, after), json_text(a, before));
}

static void every_type_survives_the_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < schema_struct_count; i++) {
        const struct type *t = &schema_types[i];
        if (t->no_protobuf || t->custom_json) continue;
        cleanup_arena struct arena a = {0};
        round_trip(&a, t, &json_empty_object);
        round_trip(&a, t, filled(&a, t, 3));
    }
}

static void the_bytes_are_those_of_go(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf b = {0}, hex = {0};
    const struct json *v = parse(
        &a, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"},\"data\":{\"b\":\"1\",\"a\":\"2\"}}");
    assert_null(schema_pb_encode(&a, type_find("core/v1/ConfigMap"), v, &b));
    hex_encode(&hex, b.data, b.len);
    assert_string_equal(buf_str(&hex), "6b3873000a0f0a0276311209436f6e6669674d617012230a110a017812001a0022002a0032003800420012060"
                                       "a016112013212060a01621201311a002200");
    assert_null(schema_pb_decode(&a, b.data, b.len, &v));
    assert_string_equal(
        json_text(&a, v),
        "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},\"data\":{\"a\":\"2\",\"b\":\"1\"}}");
}

static void cut_off_messages_are_refused(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf b = {0};
    const struct json *v = parse(
        &a,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}");
    assert_null(schema_pb_encode(&a, type_find("core/v1/Pod"), v, &b));
    for (size_t n = 0; n + 4 < b.len; n++) {
        char *copy = xmemdup(b.data, n + 1); /* so that reading too far is seen */
        error_free(schema_pb_decode(&a, copy, n, &v));
        free(copy);
    }
    cleanup_error struct error *e = schema_pb_decode(&a, b.data, b.len - 6, &v);
    assert_string_equal(e->message, "unexpected EOF");
}

static void foreign_bytes_are_refused(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *v;
    cleanup_error struct error *e = schema_pb_decode(&a, "{}", 2, &v);
    assert_string_equal(e->message, "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_survives_the_round_trip),
        cmocka_unit_test(the_bytes_are_those_of_go),
        cmocka_unit_test(cut_off_messages_are_refused),
        cmocka_unit_test(foreign_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
