/* CEL expressions of CRDs, policies and device requests: compiled, estimated and evaluated within their cost. */
#include "schema/cel.h"

static const struct cel_value *lookup(void *arg, const char *name, const char **problem) {
    (void)problem;
    const struct json *vars = json_make(arg, "{'self':{'a':1,'list':[3,1,2],'name':'web','labels':{'x':'y'},'when':'2026-01-02T03:04:05Z'},'n':7}");
    const struct json *v = json_member(vars, name);
    return v ? cel_from_json(arg, v, NULL) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    static const struct cel_var names[] = {{.name = "self"}, {.name = "n", .kind = CEL_INT}, {.name = "oldSelf"}};
    cleanup_arena struct arena a = {0};
    const struct cel_env env = {.vars = names, .var_count = ARRAY_LEN(names), .max_cost = 10000};
    const struct cel_scope scope = {.arena = &a, .lookup = lookup, .arg = &a};
    struct cel_program *program;
    const struct cel_value *v;
    cleanup_error struct error *e = cel_compile(&a, arena_strndup(&a, (const char *)p, n), &env, &program);
    if (e != NULL) return 0;
    cel_schema_cost(&a, program, &json_empty_object, true);
    e = cel_eval(program, &scope, &v);
    if (e == NULL) json_text(&a, cel_to_json(&a, v));
    return 0;
}
