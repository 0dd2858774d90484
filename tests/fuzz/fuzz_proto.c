/* What decodes must encode, and decode to the same value again. */
#include "net/proto.h"

static const struct proto_enum color = {"Color", (const struct proto_enum_value[]){{"RED", 0}, {"GREEN", 1}}, 2};
static const struct proto_message node;
static const struct proto_field fields[] = {
    {"i32", 1, PROTO_INT32},         {"i64", 2, PROTO_INT64},
    {"u32", 3, PROTO_UINT32},        {"u64", 4, PROTO_UINT64},
    {"flag", 5, PROTO_BOOL},         {"color", 6, PROTO_ENUM, .values = &color},
    {"ratio", 7, PROTO_DOUBLE},      {"text", 8, PROTO_STRING},
    {"raw", 9, PROTO_BYTES},         {"child", 10, PROTO_MESSAGE, .message = &node},
    {"numbers", 11, PROTO_INT64, PROTO_REPEATED},
    {"children", 12, PROTO_MESSAGE, PROTO_REPEATED, .message = &node},
    {"labels", 13, PROTO_STRING, PROTO_MAP},
    {"choice", 14, PROTO_INT64, PROTO_ONEOF},
    {"named", 16, PROTO_MESSAGE, PROTO_MAP, .message = &node},
};
static const struct proto_message node = {"Node", fields, ARRAY_LEN(fields)};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf first = {0}, second = {0};
    const struct json *v, *again;
    cleanup_error struct error *e = proto_decode(&a, &node, p, n, &v);
    if (e != NULL) return 0;
    if ((e = proto_encode(&node, v, &first)) != NULL || (e = proto_decode(&a, &node, buf_str(&first), first.len, &again)) != NULL) abort();
    if ((e = proto_encode(&node, again, &second)) != NULL || first.len != second.len) abort();
    if (first.len > 0 && memcmp(first.data, second.data, first.len) != 0) abort();
    return 0;
}
