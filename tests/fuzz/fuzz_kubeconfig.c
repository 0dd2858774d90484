/* Kubeconfig files, from YAML to what a client makes of them. */
#include "client/kubeconfig.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    cleanup_kubeconfig struct kubeconfig k = {0};
    const struct json *config;
    cleanup_error struct error *e = yaml_parse(&a, (const char *)p, n, NULL, NULL, &config);
    if (e == NULL) e = kubeconfig_parse(config, "/nonexistent", NULL, &k);
    return 0;
}
