/* --set texts of any kind change values or fail, and what they make can be printed. The first byte chooses the flag. */
#include "helm/chart/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const enum strvals_kind kinds[] = {STRVALS_TYPED, STRVALS_STRING, STRVALS_JSON, STRVALS_LITERAL};
    if (size == 0 || size > 4096) return 0;
    cleanup_arena struct arena a = {0};
    struct value dest = value_map_new(&a, &go_map);
    value_map_set(dest.map, "s", 1, value_literal("x"));
    value_map_set(dest.map, "l", 1, value_slice(&a, &go_list, 2));
    value_map_set(dest.map, "m", 1, value_map_new(&a, &go_map));
    char *text = arena_strndup(&a, (const char *)bytes + 1, size - 1);
    cleanup_error struct error *e = strvals_parse(&a, kinds[bytes[0] % ARRAY_LEN(kinds)], text, NULL, NULL, dest);
    const struct json *out;
    cleanup_error struct error *f = value_to_json(&a, dest, &out);
    if (f != NULL) abort();
    return 0;
}
