/* Archives of any kind: charts, or errors; nothing that a name says leads outside. */
#include "base/str.h"
#include "helm/chart/archive.h"
#include "helm/chart/values.h"

static void check_names(const struct chart_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        const char *n = files->items[i].name;
        if (n[0] == '/' || str_starts(n, "..") || strstr(n, "/../") != NULL) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf packed = {0};
    struct chart_files files = {0};
    struct chart *c;
    /* the bytes are a tar archive that is packed here, or a packed one */
    bool plain = size == 0 || bytes[0] != 0x1f;
    if (plain) gzip_deflate(&packed, (const char *)bytes, size);
    cleanup_error struct error *e = chart_archive_files(&a, plain ? packed.data : (const char *)bytes, plain ? packed.len : size, &files);
    check_names(&files);
    cleanup_error struct error *f = e == NULL ? chart_load_files(&a, files, &c) : NULL;
    struct value values;
    if (e == NULL && f == NULL) {
        cleanup_error struct error *g = chart_process_dependencies(c, value_map_new(&a, &go_map), true);
        cleanup_error struct error *h = values_coalesce(&a, c, value_nil(), false, &values);
    }
    return 0;
}
