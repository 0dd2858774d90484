/* What registries and people say: authentication challenges, references, URLs. */
#include "helm/repo/registry.h"
#include "helm/repo/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    struct registry_challenge c;
    struct registry_reference r;
    struct url u;
    const char *text = arena_strndup(&a, (const char *)data, size);
    registry_parse_challenge(&a, text, &c);
    error_free(registry_parse(&a, text, &r));
    if (url_parse(&a, text, &u)) {
        int port;
        url_host_name(&a, &u, &port);
        url_text(&a, &u);
    }
    url_resolve(&a, "https://host/dir", text);
    url_join(&a, "https://host/dir", text);
    return 0;
}
