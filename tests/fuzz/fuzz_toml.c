/* What is read is written, and that text reads as the same value; times that go without a zone move with ours.
 * seeds: tests/golden/helm/toml.json */
#include "helm/go/fmt.h"
#include "helm/go/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {0}, first = {0}, second = {0};
    setenv("TZ", "", 1);
    struct value v = go_from_toml(&a, (const char *)p, n);
    cleanup_error struct error *e = go_toml_marshal(&a, v, &out);
    if (e != NULL) return 0;
    struct value w = go_from_toml(&a, out.data ? out.data : "", out.len);
    go_print(&first, v);
    go_print(&second, w);
    /* empty tables in lists, and lists of tables that are none to TOML, are written in other forms */
    if (memmem(buf_str(&first), first.len, "[]", 2) || memmem(buf_str(&first), first.len, "map[]", 5)) return 0;
    if (first.len != second.len || memcmp(buf_str(&first), buf_str(&second), first.len) != 0) abort();
    return 0;
}
