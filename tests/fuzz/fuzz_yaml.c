/* What is read is written, and that text reads as an equal value, except for a key "<<", which go-yaml does not quote. */
#include "json/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {0};
    struct json_array twice = {.arena = &a};
    const struct json *v, *w, *all;
    const struct json_limits limits = {.max_depth = 100, .max_elements = 20000};
    cleanup_error struct error *e = yaml_parse(&a, (const char *)data, size, &limits, &twice, &v);
    cleanup_error struct error *f = yaml_parse_all(&a, (const char *)data, size, &limits, &all);
    const struct json *simple;
    if (yaml_parse_simple(&a, (const char *)data, size, &limits, NULL, &simple) && (f != NULL || all->len != 1 || !json_equal(simple, &all->items[0])))
        abort(); /* what it understands, libyaml understands the same way */
    static const char *const none[] = {NULL};
    if (yaml_parse_simple(&a, (const char *)data, size, &limits, none, &simple) && e != NULL) abort(); /* nor does it pass over mistakes */
    if (e != NULL || f != NULL) return 0;
    yaml_encode(&out, v);
    if (strstr(out.data, "<<") != NULL) return 0;
    cleanup_error struct error *g = yaml_parse(&a, out.data, out.len, NULL, NULL, &w);
    if (g != NULL || !json_equal(v, w)) abort();
    return 0;
}
