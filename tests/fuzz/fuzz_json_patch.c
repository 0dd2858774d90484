/* Two JSON texts with a NUL between them: a document and a patch, applied both as JSON patch and as merge patch. */
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    const struct json *doc, *patch, *out;
    const char *text = (const char *)data, *middle = size ? memchr(text, 0, size) : NULL;
    if (middle == NULL) return 0;
    size_t n = (size_t)(middle - text);
    cleanup_error struct error *e = json_parse(&a, text, n, NULL, NULL, &doc);
    cleanup_error struct error *f = json_parse(&a, middle + 1, size - n - 1, NULL, NULL, &patch);
    if (e != NULL || f != NULL) return 0;
    json_text(&a, json_merge_patch(&a, doc, patch));
    cleanup_error struct error *g = json_patch(&a, doc, patch, 0, &out);
    if (g == NULL) json_text(&a, out);
    return 0;
}
