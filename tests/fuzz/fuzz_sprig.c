/* Templates that call sprig's functions with whatever: an error or an output, in bounded time and memory. Functions that take long
 * by design or leave the machine are replaced.
 * seeds: tests/golden/helm/libraries/sprig.txt */
#include "helm/sprig/sprig.h"
#include "helm/template/template.h"

enum { MEMORY = 16 << 20, OUTPUT = 1 << 20, STEPS = 100000, TABLES = 24 };

static struct error *nothing(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)args, (void)count;
    *out = value_literal("");
    return NULL;
}
#define REPLACED(name) GO_VARIADIC(name, nothing, &go_string, &go_any)
static const struct go_func replaced[] = {
    REPLACED("genPrivateKey"), REPLACED("genCA"), REPLACED("genCAWithKey"), REPLACED("genSelfSignedCert"), REPLACED("genSelfSignedCertWithKey"),
    REPLACED("genSignedCert"), REPLACED("genSignedCertWithKey"), REPLACED("bcrypt"), REPLACED("htpasswd"), REPLACED("derivePassword"), REPLACED("getHostByName"), GO_FUNCS_END,
};

static struct value data(struct arena *a) {
    static const char text[] = "{\"s\":\"text\",\"f\":2.5,\"b\":true,\"l\":[1,\"a\",null,2.5],\"m\":{\"a\":1,\"n\":null,\"sub\":{\"k\":\"v\"}},\"el\":[],\"em\":{}}";
    const struct json *v = NULL;
    struct error *e = json_parse(a, text, strlen(text), NULL, NULL, &v);
    if (e != NULL) abort();
    return value_from_json(a, v, VALUE_FLOATS);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {.max = OUTPUT};
    const struct go_func *tables[TABLES] = {0};
    size_t count = 0;
    for (; sprig_tables[count] != NULL; count++) tables[count] = sprig_tables[count];
    tables[count] = replaced;
    struct go_run run = {.arena = &a, .max_bytes = MEMORY, .max_steps = STEPS};
    run.templates = template_set_new(&a, "t", tables, TEMPLATE_MISSING_ZERO);
    cleanup_error struct error *e = template_parse(run.templates, "t", arena_strndup(&a, (const char *)p, n), n);
    if (e == NULL) e = template_execute(&run, "t", 1, data(&a), &out);
    return 0;
}
