/* Protocol buffers by tables: a small message with one field of every sort. */
#include "base/str.h"
#include "net/proto.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct proto_enum color = {"Color", (const struct proto_enum_value[]){{"RED", 0}, {"GREEN", 1}, {"BLUE", -2}}, 3};
static const struct proto_message node;
static const struct proto_field fields[] = {
    {"i32", 1, PROTO_INT32},
    {"i64", 2, PROTO_INT64},
    {"u32", 3, PROTO_UINT32},
    {"u64", 4, PROTO_UINT64},
    {"flag", 5, PROTO_BOOL},
    {"color", 6, PROTO_ENUM, .values = &color},
    {"ratio", 7, PROTO_DOUBLE},
    {"text", 8, PROTO_STRING},
    {"raw", 9, PROTO_BYTES},
    {"child", 10, PROTO_MESSAGE, .message = &node},
    {"numbers", 11, PROTO_INT64, PROTO_REPEATED},
    {"children", 12, PROTO_MESSAGE, PROTO_REPEATED, .message = &node},
    {"labels", 13, PROTO_STRING, PROTO_MAP},
    {"choice", 14, PROTO_INT64, PROTO_ONEOF},
    {"words", 15, PROTO_STRING, PROTO_REPEATED},
    {"named", 16, PROTO_MESSAGE, PROTO_MAP, .message = &node},
};
static const struct proto_message node = {"Node", fields, ARRAY_LEN(fields)};

static const char *hex_of(struct arena *a, const struct json *v) {
    cleanup_buf struct buf out = {0}, hex = {0};
    assert_null(proto_encode(&node, v, &out));
    hex_encode(&hex, buf_str(&out), out.len);
    return arena_strdup(a, buf_str(&hex));
}

static const struct json *decoded(struct arena *a, const void *p, size_t n) {
    const struct json *v;
    assert_null(proto_decode(a, &node, p, n, &v));
    return v;
}

static const char *round_trip(struct arena *a, const struct json *v) {
    cleanup_buf struct buf out = {0};
    assert_null(proto_encode(&node, v, &out));
    return json_text(a, decoded(a, buf_str(&out), out.len));
}

static void the_wire_form_is_protobufs(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(hex_of(&a, json_make(&a, "{'i32':%d}", 150)), "089601");
    assert_string_equal(hex_of(&a, json_make(&a, "{'i32':%d}", -1)), "08ffffffffffffffffff01");
    assert_string_equal(hex_of(&a, json_make(&a, "{'text':'testing'}")), "420774657374696e67");
    assert_string_equal(hex_of(&a, json_make(&a, "{'child':{'i32':%d}}", 150)), "5203089601");
    assert_string_equal(hex_of(&a, json_make(&a, "{'numbers':[%d,%d,%d]}", 3, 270, 86942)), "5a06038e029ea705");
    assert_string_equal(hex_of(&a, json_make(&a, "{'labels':{'a':'b'}}")), "6a060a01611201"
                                                                           "62");
    assert_string_equal(hex_of(&a, json_make(&a, "{'ratio':%v}", json_number(&a, 1.0))), "39000000000000f03f");
}

static void what_is_zero_is_not_sent_unless_it_says_something(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(hex_of(&a, json_make(&a, "{'i32':%d,'text':'','flag':%b,'numbers':[],'labels':{},'color':'RED'}", 0, 0)),
                        "");
    assert_string_equal(hex_of(&a, json_make(&a, "{'choice':%d}", 0)), "7000");         /* a member of a oneof */
    assert_string_equal(hex_of(&a, json_make(&a, "{'child':{}}")), "5200");             /* a message is there */
    assert_string_equal(hex_of(&a, json_make(&a, "{'words':['','x']}")), "7a007a0178"); /* elements keep their place */
    assert_string_equal(hex_of(&a, NULL), "");
}

static void every_sort_of_field_comes_back(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const char *text = "{\"i32\":-5,\"i64\":9007199254740993,\"u32\":4294967295,\"u64\":7,\"flag\":true,\"color\":-2,\"ratio\":0."
                       "5,\"text\":\"ä\","
                       "\"child\":{\"child\":{}},\"numbers\":[1,0,-1],\"children\":[{},{\"i32\":1}],\"labels\":{\"x\":\"\",\"y\":"
                       "\"z\"},\"choice\":0,"
                       "\"words\":[\"a\",\"\"],\"named\":{\"n\":{\"i32\":2}}}";
    const struct json *v;
    assert_null(json_parse(&a, text, strlen(text), NULL, NULL, &v));
    assert_string_equal(round_trip(&a, v), text);
    const struct json *raw = json_make(&a, "{'raw':%v}", json_string_n(&a, "\0\xff", 2));
    cleanup_buf struct buf out = {0};
    assert_null(proto_encode(&node, raw, &out));
    const struct json *bytes = json_member(decoded(&a, out.data, out.len), "raw");
    assert_int_equal(bytes->len, 2);
    assert_memory_equal(bytes->s, "\0\xff", 2);
}

static void enums_may_be_given_by_name(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(round_trip(&a, json_make(&a, "{'color':'GREEN'}")), "{\"color\":1}");
    assert_string_equal(proto_enum_name(&color, -2), "BLUE");
    assert_null(proto_enum_name(&color, 9));
}

static void unknown_fields_and_wire_types_are_skipped(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    static const uint8_t bytes[] = {0xa0, 6,    5,   0xa2, 6, 1, 'x', 0xa5, 6, 1, 2, 3,
                                    4,    0xa1, 6,   1,    2, 3, 4,   5,    6, 7, 8, /* field 100, four ways */
                                    0x0a, 1,    'x', 0x10, 7};                       /* i32 as bytes */
    assert_string_equal(json_text(&a, decoded(&a, bytes, sizeof bytes)), "{\"i64\":7}");
}

static void repeated_numbers_need_not_be_packed(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    static const uint8_t bytes[] = {0x58, 1, 0x5a, 2, 2, 3, 0x58, 4};
    assert_string_equal(json_text(&a, decoded(&a, bytes, sizeof bytes)), "{\"numbers\":[1,2,3,4]}");
}

static void encode_fails(const struct json *v, const char *message) {
    cleanup_buf struct buf out = {.max = 1000};
    cleanup_error struct error *e = proto_encode(&node, v, &out);
    assert_non_null(e);
    assert_string_equal(e->message, message);
}

static void values_that_do_not_fit_are_errors(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    encode_fails(json_make(&a, "{'nonsense':%d}", 1), "Node has no field \"nonsense\"");
    encode_fails(json_make(&a, "{'child':{'text':%d}}", 1), "child: text: expected a string");
    encode_fails(json_make(&a, "{'i32':%ld}", INT64_C(1) << 40), "i32: expected a 32-bit integer");
    encode_fails(json_make(&a, "{'u32':%d}", -1), "u32: expected a 32-bit integer");
    encode_fails(json_make(&a, "{'numbers':%d}", 1), "numbers: expected an array");
    encode_fails(json_make(&a, "{'labels':[]}"), "labels: expected an object");
    encode_fails(json_make(&a, "{'color':'PINK'}"), "color: expected a value of Color");
    encode_fails(json_make(&a, "[]"), "expected an object for Node");
    char big[2000] = {0};
    memset(big, 'x', sizeof big - 1);
    encode_fails(json_make(&a, "{'text':%s}", big), "Node is larger than 1000 bytes");
}

static void decode_fails(const void *p, size_t n, const char *message) {
    cleanup_arena struct arena a = {0};
    const struct json *v;
    cleanup_error struct error *e = proto_decode(&a, &node, p, n, &v);
    assert_non_null(e);
    assert_string_equal(e->message, message);
}

static void broken_input_is_an_error(void **state) {
    (void)state;
    decode_fails("\x08", 1, "Node: i32: unexpected end of message");
    decode_fails("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "Node: i32: number of more than ten bytes");
    decode_fails("\x42\x05hi", 4, "Node: text: unexpected end of message");
    decode_fails("\x42\x01\xff", 3, "Node: text: string field contains invalid UTF-8");
    decode_fails("\x39\0\0", 3, "Node: ratio: unexpected end of message");
    decode_fails("\x00", 1, "Node: invalid field number");
    decode_fails("\xa3\x06", 2, "Node: Node: invalid wire type 3");
}

static void nesting_has_an_end(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf deep = {0};
    for (int i = 0; i < 150; i++) {
        cleanup_buf struct buf outer = {0};
        assert_null(proto_encode(&node, json_make(&a, "{'raw':%v}", json_string_n(&a, buf_str(&deep), deep.len)), &outer));
        if (outer.len > 0) outer.data[0] = 0x52; /* the same bytes as field child */
        else buf_add(&outer, "\x52\0", 2);
        buf_clear(&deep);
        buf_add(&deep, outer.data, outer.len);
    }
    const struct json *v;
    cleanup_error struct error *e = proto_decode(&a, &node, deep.data, deep.len, &v);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "more than 100 levels of messages"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wire_form_is_protobufs),
        cmocka_unit_test(what_is_zero_is_not_sent_unless_it_says_something),
        cmocka_unit_test(every_sort_of_field_comes_back),
        cmocka_unit_test(enums_may_be_given_by_name),
        cmocka_unit_test(unknown_fields_and_wire_types_are_skipped),
        cmocka_unit_test(repeated_numbers_need_not_be_packed),
        cmocka_unit_test(values_that_do_not_fit_are_errors),
        cmocka_unit_test(broken_input_is_an_error),
        cmocka_unit_test(nesting_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
