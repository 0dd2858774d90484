/* Repository indexes: anything is an error or an index whose charts can be asked for. */
#include "helm/repo/index.h"
#include <stdio.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return freopen("/dev/null", "w", stdout) == NULL; /* entries that are left out are told on stderr, which stays for the fuzzer */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { SIZE_MAX_ = 1 << 16 };
    cleanup_arena struct arena a = {0};
    struct index x;
    struct index_version *v;
    if (size > SIZE_MAX_) return 0;
    cleanup_error struct error *e = index_parse(&a, (const char *)data, size, "fuzz", &x);
    if (e != NULL) return 0;
    for (size_t i = 0; i < x.count; i++) error_free(index_get(&x, x.charts[i].name, "", &v));
    index_to_json(&a, &x);
    return 0;
}
