/* Templates of any kind are parsed and executed within their limits: an error or an output, in bounded time and memory.
 * `tpl` executes a text that the template makes.
 * seeds: tests/golden/helm/templates/cases.txt */
#include "helm/template/template.h"

enum { MEMORY = 16 << 20, OUTPUT = 1 << 20, STEPS = 100000 };

static struct error *tpl(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)count;
    struct buf text = {.max = OUTPUT};
    struct error *e = template_render(run, "gotpl", args[0].s, args[0].len, args[1], &text);
    *out = value_take_buf(run->arena, &text);
    return e;
}

static const struct go_func functions[] = {GO_FUNC("tpl", tpl, &go_string, &go_string, &go_any), GO_FUNCS_END};
static const struct go_func *const tables[] = {functions, NULL};

static struct value data(struct arena *a) {
    static const char text[] = "{\"s\":\"text\",\"i\":3,\"f\":2.5,\"list\":[1,\"a\",null],\"map\":{\"a\":{\"x\":1}},\"ints\":[1,2,3],\"t\":true,\"nil\":null}";
    const struct json *v = NULL;
    struct error *e = json_parse(a, text, strlen(text), NULL, NULL, &v);
    if (e != NULL) abort();
    return value_from_json(a, v, VALUE_FLOATS);
}

static struct error *render(struct arena *a, const char *text, size_t size, struct buf *out) {
    struct go_run run = {.arena = a, .max_bytes = MEMORY, .max_steps = STEPS};
    run.templates = template_set_new(a, "t", tables, TEMPLATE_MISSING_ZERO);
    TRY(template_parse(run.templates, "t", text, size));
    return template_execute(&run, "t", 1, data(a), out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {.max = OUTPUT};
    const char *text = arena_strndup(&a, (const char *)bytes, size);
    cleanup_error struct error *e = render(&a, text, size, &out);
    if (a.total > MEMORY + ((size_t)8 << 20)) abort(); /* one step's work more at most */
    if (e != NULL && e->message[0] == '\0') abort();
    return 0;
}
