/* What is parsed is encoded, and that text parses to an equal value. */
#include "json/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    struct json_array twice = {.arena = &a};
    const struct json *v, *w;
    cleanup_error struct error *e = json_parse(&a, (const char *)data, size, &(struct json_limits){.max_depth = 500}, &twice, &v);
    if (e != NULL) return 0;
    const char *text = json_text(&a, v);
    cleanup_error struct error *again = json_parse(&a, text, strlen(text), NULL, NULL, &w);
    if (again != NULL || !json_equal(v, w) || !json_semantic_equal(w, v)) abort();
    cleanup_doc struct doc *d = doc_new(v);
    if (strcmp(doc_encoded(d)->data, text) != 0) abort();
    doc_set_revision(d, 7);
    json_merge_patch(&a, v, d->root);
    return 0;
}
