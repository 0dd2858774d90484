/* Values written as toYamlPretty does read as equal ones, except for a key "<<", which go-yaml does not quote, and literal blocks
 * that start with a tab, which it writes but libyaml does not read. */
#include "helm/go/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {0};
    const struct json *v, *w;
    const struct json_limits limits = {.max_depth = 100, .max_elements = 20000};
    cleanup_error struct error *e = json_parse(&a, (const char *)data, size, &limits, NULL, &v);
    if (e != NULL || memmem(data, size, "<<", 2)) return 0;
    cleanup_error struct error *f = go_yaml_marshal_pretty(&a, value_from_json(&a, v, VALUE_FLOATS), &out);
    if (f != NULL) abort();
    if (memchr(buf_str(&out), '\t', out.len)) return 0;
    cleanup_error struct error *g = yaml_parse(&a, buf_str(&out), out.len, NULL, NULL, &w);
    const struct json *rounded;
    cleanup_error struct error *h = value_to_json(&a, value_from_json(&a, v, VALUE_FLOATS), &rounded);
    if (g != NULL || h != NULL || !json_equal(rounded, w)) abort();
    return 0;
}
