/* Release records: anything is an error or a release, and a release's record reads as the same release.
 * seeds: tests/golden/helm/releases.txt */
#include "helm/release/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    struct release r, again;
    const char *text;
    cleanup_error struct error *e = release_decode(&a, (const char *)data, size, &r);
    if (e != NULL) return 0;
    cleanup_error struct error *f = release_encode(&a, &r, &text);
    if (f != NULL) return 0;
    cleanup_error struct error *g = release_decode(&a, text, strlen(text), &again);
    if (g != NULL || !json_equal(release_to_json(&a, &r), release_to_json(&a, &again))) abort();
    return 0;
}
