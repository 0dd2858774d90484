/* include, tpl, required, fail, lookup: see functions.h. */
#include "helm/engine/functions.h"
#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/sprig/sprig.h"
#include <stdio.h>

enum {
    MAX_INCLUDES = 1000, /* of one name inside itself, as helm has it */
    MAX_TPL = 1000,      /* texts inside texts: helm has no limit and dies of it */
};

void engine_drop_no_value(struct buf *text) {
    static const char mark[] = "<no value>";
    const size_t n = sizeof mark - 1;
    if (text->len < n) return;
    char *at = text->data, *to = at, *end = text->data + text->len;
    for (char *next; at < end; at = next) {
        bool marked = (size_t)(end - at) >= n && memcmp(at, mark, n) == 0;
        char *from = marked ? at + n : at;
        next = memchr(from + !marked, mark[0], (size_t)(end - from - !marked)); /* rare, and sought faster than the whole mark */
        if (next == NULL) next = end;
        if (to != from) memmove(to, from, (size_t)(next - from));
        to += next - from;
    }
    *to = '\0';
    text->len = (size_t)(to - text->data);
}

static const char *quoted(struct go_run *run, struct value v) {
    cleanup_buf struct buf b = {.max = 1 << 20};
    go_quote(&b, v.s, v.len);
    return arena_strdup(run->arena, buf_str(&b));
}

static struct error *include(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    struct engine_state *state = run->owner;
    struct value name = args[0];
    if (state->included.map == NULL) state->included = value_map_new(run->arena, &go_map);
    struct value *times = value_map_get(state->included.map, name.s, name.len);
    if (times != NULL && times->i > MAX_INCLUDES)
        return error_new("rendering template has a nested reference name: %s: unable to execute template", value_cstr(run->arena, name));
    if (times != NULL) times->i++;
    else value_map_set(state->included.map, name.s, name.len, value_int(1));
    cleanup_buf struct buf text = {.max = run->max_bytes};
    struct error *e = template_execute(run, name.s, name.len, args[1], &text);
    times = value_map_get(state->included.map, name.s, name.len);
    if (times != NULL) times->i--;
    *out = value_take_buf(run->arena, &text);
    return e;
}

/* Did the text run, or could it not even be parsed? Only the former says "template: NAME:1:2: executing …". */
static bool was_executing(const struct error *e) {
    const char *p = strstr(e->message, ": ");
    if (p != NULL) p = strstr(p + 2, ": ");
    return p != NULL && str_starts(p, ": executing ");
}

/* Errors show the text under the name of helm's root template. */
static struct error *run_tpl(struct go_run *run, struct value text, struct value dot, struct buf *out) {
    struct engine_state *state = run->owner;
    if (state->tpl_depth >= MAX_TPL) return error_new("tpl is called inside itself more than %d times", MAX_TPL);
    state->tpl_depth++;
    struct error *e = template_render(run, "gotpl", text.s, text.len, dot, out);
    state->tpl_depth--;
    if (e == NULL) return NULL;
    return error_wrap(e, was_executing(e) ? "error during tpl function execution for %s" : "cannot parse template %s", quoted(run, text));
}

static struct error *tpl(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    struct value text = args[0];
    cleanup_buf struct buf result = {.max = run->max_bytes};
    if (text.len < 2 || memmem(text.s, text.len, "{{", 2) == NULL) buf_add(&result, text.s, text.len);
    else TRY(run_tpl(run, text, args[1], &result));
    engine_drop_no_value(&result);
    *out = value_take_buf(run->arena, &result);
    return NULL;
}

static struct error *warning(struct go_run *run, struct value text) {
    return error_new(ENGINE_WARNING_START "%s" ENGINE_WARNING_END, value_cstr(run->arena, text));
}

static struct error *required(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    const struct engine_state *state = run->owner;
    *out = args[1];
    bool missing = args[1].type == NULL || (args[1].type == &go_string && args[1].len == 0);
    if (!missing) return NULL;
    if (!state->options->lint) return warning(run, args[0]);
    fprintf(stderr, "[INFO] Missing required value: %s\n", value_cstr(run->arena, args[0]));
    *out = value_literal("");
    return NULL;
}

static struct error *fail(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    const struct engine_state *state = run->owner;
    *out = value_literal("");
    if (!state->options->lint) return warning(run, args[0]);
    fprintf(stderr, "[INFO] Fail: %s\n", value_cstr(run->arena, args[0]));
    return NULL;
}

static struct error *lookup(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    const struct engine_options *o = ((const struct engine_state *)run->owner)->options;
    *out = value_map_new(run->arena, &go_map);
    if (o->lookup == NULL || o->lint) return NULL;
    const char *texts[4];
    for (size_t i = 0; i < 4; i++) texts[i] = value_cstr(run->arena, args[i]);
    return o->lookup(o->lookup_arg, run->arena, texts[0], texts[1], texts[2], texts[3], out);
}

static struct error *no_dns(struct go_run *run UNUSED, const struct value *args UNUSED, size_t count UNUSED, struct value *out) {
    *out = value_literal("");
    return NULL;
}

static const struct go_func engine_functions[] = {
    GO_FUNC("include", include, &go_string, &go_string, &go_any),
    GO_FUNC("tpl", tpl, &go_string, &go_string, &go_any),
    GO_FUNC("required", required, &go_any, &go_string, &go_any),
    GO_FUNC("fail", fail, &go_string, &go_string),
    GO_FUNC("lookup", lookup, &go_map, &go_string, &go_string, &go_string, &go_string),
    GO_FUNCS_END,
};
static const struct go_func no_dns_functions[] = {GO_FUNC("getHostByName", no_dns, &go_string, &go_string), GO_FUNCS_END};

struct template_set *engine_template_set(struct arena *a, const struct engine_options *o) {
    size_t n = 0;
    while (sprig_tables[n] != NULL) n++;
    const struct go_func **tables = arena_calloc(a, n + 3, sizeof(*tables));
    for (size_t i = 0; i < n; i++) tables[i] = sprig_tables[i];
    tables[n++] = engine_functions;
    if (!o->enable_dns) tables[n++] = no_dns_functions;
    return template_set_new(a, "gotpl", tables, o->strict ? TEMPLATE_MISSING_ERROR : TEMPLATE_MISSING_ZERO);
}
