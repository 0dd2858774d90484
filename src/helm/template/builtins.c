/* The table of text/template's own functions; here those that make strings. */
#include "helm/template/builtins.h"
#include "helm/go/fmt.h"
#include "helm/go/unicode.h"

/* A buffer that the run's memory limit bounds. */
static struct buf limited(const struct go_run *run) {
    struct buf b = {0};
    if (run->max_bytes != 0) b.max = run->max_bytes > run->arena->total ? run->max_bytes - run->arena->total : 1;
    return b;
}

static struct error *finish(struct go_run *run, struct buf *b, struct value *out) {
    if (b->overflow) {
        buf_free(b);
        return error_new("memory limit of %zu bytes exceeded", run->max_bytes);
    }
    *out = value_take_buf(run->arena, b);
    return NULL;
}

bool printable(struct value *v) {
    const struct go_type *t = v->type;
    if (t == NULL) {
        *v = value_literal("<no value>");
        return true;
    }
    if (t->string != NULL) return true;
    indirect(v);
    return v->type->kind != GO_FUNC;
}

static BUILTIN(print) {
    struct buf b = limited(run);
    go_sprint(&b, args, count);
    return finish(run, &b, out);
}

static BUILTIN(println) {
    struct buf b = limited(run);
    go_sprintln(&b, args, count);
    return finish(run, &b, out);
}

static BUILTIN(printf) {
    struct buf b = limited(run);
    go_sprintf(&b, args[0].s, args[0].len, args + 1, count - 1);
    return finish(run, &b, out);
}

/* Its arguments as one text, as the template would show them. */
static void operands(struct go_run *run, const struct value *args, size_t count, struct buf *out) {
    struct value *shown = arena_alloc(run->arena, (count + 1) * sizeof(*shown));
    for (size_t i = 0; i < count; i++) {
        shown[i] = args[i];
        printable(&shown[i]);
    }
    go_sprint(out, shown, count);
}

static BUILTIN(html) {
    cleanup_buf struct buf text = limited(run);
    struct buf b = limited(run);
    operands(run, args, count, &text);
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '\0': buf_adds(&b, "\xEF\xBF\xBD"); break;
        case '"': buf_adds(&b, "&#34;"); break;
        case '\'': buf_adds(&b, "&#39;"); break;
        case '&': buf_adds(&b, "&amp;"); break;
        case '<': buf_adds(&b, "&lt;"); break;
        case '>': buf_adds(&b, "&gt;"); break;
        default: buf_addc(&b, text.data[i]);
        }
    }
    return finish(run, &b, out);
}

static void js_rune(struct buf *b, const char *s, uint32_t r, size_t size) {
    switch (r) {
    case '\\': buf_adds(b, "\\\\"); break;
    case '\'': buf_adds(b, "\\'"); break;
    case '"': buf_adds(b, "\\\""); break;
    case '<':
    case '>':
    case '&':
    case '=': buf_printf(b, "\\u%04X", r); break;
    default:
        if (r < ' ' || (r >= 0x80 && !rune_is_print(r))) buf_printf(b, "\\u%04X", r);
        else buf_add(b, s, size);
    }
}

static BUILTIN(js) {
    cleanup_buf struct buf text = limited(run);
    struct buf b = limited(run);
    operands(run, args, count, &text);
    for (size_t i = 0, size; i < text.len; i += size) {
        uint32_t r = rune_decode(text.data + i, text.len - i, &size);
        js_rune(&b, text.data + i, r, size);
    }
    return finish(run, &b, out);
}

static BUILTIN(urlquery) {
    cleanup_buf struct buf text = limited(run);
    struct buf b = limited(run);
    operands(run, args, count, &text);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c != 0 && strchr("-_.~", c) != NULL)) buf_addc(&b, (char)c);
        else if (c == ' ') buf_addc(&b, '+');
        else buf_printf(&b, "%%%02X", c);
    }
    return finish(run, &b, out);
}

static BUILTIN(not) {
    (void)run, (void)count;
    *out = value_bool(!value_true(args[0]));
    return NULL;
}

/* The executor runs these itself and never calls them (see eval.c): as it compares their addresses, they must differ. */
BUILTIN(and) {
    (void)run, (void)args, (void)count, (void)out;
    return error_new("and is the executor's");
}
BUILTIN(or) {
    (void)run, (void)args, (void)count, (void)out;
    return error_new("or is the executor's");
}
BUILTIN(call) {
    (void)run, (void)args, (void)count, (void)out;
    return error_new("call is the executor's");
}

#define ANYTHING &go_reflect
const struct go_func template_builtins[] = {
    GO_VARIADIC("and", builtin_and, ANYTHING, ANYTHING, ANYTHING),
    GO_VARIADIC("call", builtin_call, ANYTHING, ANYTHING, ANYTHING),
    GO_VARIADIC("eq", builtin_eq, &go_bool, ANYTHING, ANYTHING),
    GO_FUNC("ge", builtin_ge, &go_bool, ANYTHING, ANYTHING),
    GO_FUNC("gt", builtin_gt, &go_bool, ANYTHING, ANYTHING),
    GO_VARIADIC("html", builtin_html, &go_string, &go_any),
    GO_VARIADIC("index", builtin_index, ANYTHING, ANYTHING, ANYTHING),
    GO_VARIADIC("js", builtin_js, &go_string, &go_any),
    GO_FUNC("le", builtin_le, &go_bool, ANYTHING, ANYTHING),
    GO_FUNC("len", builtin_len, &go_int, ANYTHING),
    GO_FUNC("lt", builtin_lt, &go_bool, ANYTHING, ANYTHING),
    GO_FUNC("ne", builtin_ne, &go_bool, ANYTHING, ANYTHING),
    GO_FUNC("not", builtin_not, &go_bool, ANYTHING),
    GO_VARIADIC("or", builtin_or, ANYTHING, ANYTHING, ANYTHING),
    GO_VARIADIC("print", builtin_print, &go_string, &go_any),
    GO_VARIADIC("printf", builtin_printf, &go_string, &go_string, &go_any),
    GO_VARIADIC("println", builtin_println, &go_string, &go_any),
    GO_VARIADIC("slice", builtin_slice, ANYTHING, ANYTHING, ANYTHING),
    GO_VARIADIC("urlquery", builtin_urlquery, &go_string, &go_any),
    GO_FUNCS_END,
};
