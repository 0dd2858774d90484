/* Any bytes as a protobuf object: decoding must not fail other than with an error, and what it gives must encode and
 * decode to the same again. */
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    const struct json *v, *again;
    cleanup_error struct error *e = schema_pb_decode(&a, data, size, &v);
    if (e) return 0;
    const struct type *t = type_find_kind(json_str_or(v, "apiVersion", ""), json_str_or(v, "kind", ""));
    cleanup_buf struct buf b = {0};
    if (!t) return 0;
    cleanup_error struct error *e2 = schema_pb_encode(&a, t, v, &b);
    if (e2) return 0;
    cleanup_error struct error *e3 = schema_pb_decode(&a, b.data, b.len, &again);
    if (e3 || !json_equal(v, again)) abort();
    return 0;
}
