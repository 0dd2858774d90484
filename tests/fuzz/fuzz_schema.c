/* JSON schemas of any kind check values or are refused, in bounded time.
 * seeds: tests/golden/helm/charts/schemas.txt */
#include "helm/engine/schema.h"

static const char values[] = "{\"a\":\"x\",\"n\":3,\"f\":1.5,\"l\":[1,\"z\",null],\"m\":{\"e\":null,\"b\":true}}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    cleanup_arena struct arena a = {0};
    const struct json *v;
    if (size > 16384) return 0;
    cleanup_error struct error *e = json_parse(&a, values, sizeof values - 1, NULL, NULL, &v);
    if (e != NULL) abort();
    char *text = arena_strndup(&a, (const char *)bytes, size);
    cleanup_error struct error *f = schema_check(&a, text, size, value_from_json(&a, v, VALUE_FLOATS), NULL);
    return 0;
}
