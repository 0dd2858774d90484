/* Evaluating pipelines, commands and operands.
 *
 * x->node follows Go's executor exactly (where it says s.at(node)), because errors show it. `final` is the value that a
 * command gets from the one before it in the pipeline, NULL if there is none. */
#include "helm/go/strconv.h"
#include "helm/template/exec.h"

enum { FEW_ARGS = 10, LONGEST_CHAIN = 256 * 1024 /* bytes of an error that functions have wrapped again and again */ };

/* Arguments of a command: args[0] is the function, field or constant itself. NULL: none. */
struct args {
    const struct node **nodes;
    uint32_t count;
};

static const struct args no_args;

/* An error about a node: its text stands for the %s of `format`, `more` goes behind. */
static struct error *fail_node(struct exec *x, const char *format, const struct node *n, const char *more) {
    cleanup_buf struct buf b = {0};
    cleanup_buf struct buf text = {0};
    node_text(n, &b);
    const char *at = strstr(format, "%s");
    buf_add(&text, format, (size_t)(at - format));
    buf_add(&text, buf_str(&b), b.len);
    buf_adds(&text, at + 2);
    buf_adds(&text, more);
    return exec_fail(x, "%s", buf_str(&text));
}

/* ---- types ---- */

/* Can an untyped nil be given to a variable of the type? */
static bool can_be_nil(const struct go_type *type) {
    switch (type->kind) {
    case GO_FUNC:
    case GO_INTERFACE:
    case GO_MAP:
    case GO_POINTER:
    case GO_SLICE: return true;
    default: return type == &go_reflect;
    }
}

/* Makes *v fit a parameter of the type, or fails. */
static struct error *validate(struct exec *x, struct value *v, const struct go_type *type) {
    if (type == &go_reflect) return NULL;
    if (type == &go_any) {
        v->boxed = false;
        return NULL;
    }
    bool boxed = v->boxed;
    v->boxed = false;
    if (v->type == NULL) {
        if (boxed) return exec_fail(x, "wrong type for value; expected %s; got interface {}", type->name);
        if (!can_be_nil(type)) return exec_fail(x, "invalid value; expected %s", type->name);
        *v = value_zero(type);
        return NULL;
    }
    if (v->type == type || go_assignable(v->type, type)) return NULL;
    if (v->type->kind != GO_POINTER || v->type->elem == NULL || !go_assignable(v->type->elem, type))
        return exec_fail(x, "wrong type for value; expected %s; got %s", type->name, v->type->name);
    if (v->ptr == NULL) return exec_fail(x, "dereference of nil pointer of type %s", type->name);
    v->type = v->type->elem;
    return NULL;
}

static struct error *ideal_constant(struct exec *x, const struct number_node *n, struct value *out) {
    x->node = &n->head;
    if (n->overflows) return fail_node(x, "%s overflows int", &n->head, "");
    *out = n->ideal;
    return NULL;
}

/* ---- fields ---- */

static struct error *call(struct exec *x, const struct value *dot, const struct go_func *f, const struct value *receiver,
                          const struct node *node, const char *name, size_t name_len, struct args args, const struct value *final,
                          struct value *out);

static struct error *missing_key(struct exec *x, const struct go_type *elem, const struct field_name *field, struct value *out) {
    switch (x->run->templates->missing) {
    case TEMPLATE_MISSING_INVALID: *out = value_nil(); return NULL;
    case TEMPLATE_MISSING_ZERO:
        *out = value_zero(elem);
        out->boxed = elem->kind == GO_INTERFACE;
        return NULL;
    case TEMPLATE_MISSING_ERROR: break;
    }
    cleanup_buf struct buf b = {0};
    go_quote(&b, field->s, field->len);
    return exec_fail(x, "map has no entry for key %s", buf_str(&b));
}

static struct error *nil_pointer(struct exec *x, const char *type, const struct field_name *field) {
    return exec_fail(x, "nil pointer evaluating %s.%.*s", type, (int)field->len, field->s);
}

static struct error *no_field(struct exec *x, const char *type, const struct field_name *field) {
    return exec_fail(x, "can't evaluate field %.*s in type %s", (int)field->len, field->s, type);
}

static bool has_field(const struct go_type *t, const struct field_name *field) {
    for (const struct go_field *f = t->fields; f != NULL && f->name != NULL; f++) {
        if (strlen(f->name) == field->len && memcmp(f->name, field->s, field->len) == 0) return true;
        if (f->embedded && has_field(f->type, field)) return true;
    }
    return false;
}

/* A method, a struct's field or a map's element. */
static struct error *eval_field(struct exec *x, const struct value *dot, const struct field_name *field, const struct node *node,
                                struct args args, const struct value *final, const struct value *in, struct value *out) {
    struct value receiver = *in;
    bool has_args = args.count > 1 || final != NULL;
    receiver.boxed = false;
    if (receiver.type == NULL && !in->boxed) {
        *out = value_nil();
        if (x->run->templates->missing != TEMPLATE_MISSING_ERROR) return NULL;
        cleanup_buf struct buf b = {0};
        go_quote(&b, field->s, field->len);
        return exec_fail(x, "nil data; no entry for key %s", buf_str(&b));
    }
    const char *type = in->boxed ? go_any.name : receiver.type->name;
    if (receiver.type == NULL) return nil_pointer(x, type, field);
    enum go_kind kind = receiver.type->kind;
    if (receiver.type->methods != NULL || kind == GO_STRUCT || kind == GO_POINTER) {
        struct value self;
        const struct go_func *method = value_method(receiver, field->s, field->len, &self);
        if (method != NULL) return call(x, dot, method, &self, node, field->s, field->len, args, final, out);
    }
    if (kind == GO_MAP) {
        if (has_args) return exec_fail(x, "%.*s is not a method but has arguments", (int)field->len, field->s);
        const struct value *found = value_map_get_hashed(receiver.map, field->s, field->len, field->hash);
        if (found == NULL) return missing_key(x, receiver.type->elem, field, out);
        *out = *found;
        out->boxed = receiver.type->elem->kind == GO_INTERFACE;
        return NULL;
    }
    if (kind == GO_POINTER && receiver.ptr == NULL) {
        const struct go_type *elem = receiver.type->elem;
        bool known = elem == NULL || elem->kind != GO_STRUCT || has_field(elem, field);
        return known ? nil_pointer(x, type, field) : no_field(x, type, field);
    }
    if (!value_field(receiver, field->s, field->len, out)) return no_field(x, type, field);
    return has_args ? exec_fail(x, "%.*s has arguments but cannot be invoked as function", (int)field->len, field->s) : NULL;
}

/* .a.b.c from `receiver`; arguments are the last one's. */
static struct error *eval_fields(struct exec *x, const struct value *dot, struct value receiver, const struct node *node,
                                 const struct field_name *fields, uint32_t count, struct args args, const struct value *final,
                                 struct value *out) {
    for (uint32_t i = 0; i + 1 < count; i++) {
        struct value next;
        TRY(eval_field(x, dot, &fields[i], node, no_args, NULL, &receiver, &next));
        receiver = next;
    }
    return eval_field(x, dot, &fields[count - 1], node, args, final, &receiver, out);
}

static struct error *not_a_function(struct exec *x, struct args args, const struct value *final) {
    if (args.count <= 1 && final == NULL) return NULL;
    return fail_node(x, "can't give argument to non-function %s", args.nodes[0], "");
}

static struct error *eval_variable(struct exec *x, const struct value *dot, const struct variable_node *n, struct args args,
                                   const struct value *final, struct value *out) {
    x->node = &n->head;
    if (n->slot == NO_SLOT) return exec_fail(x, "undefined variable: %.*s", (int)n->name.len, n->name.s);
    *out = x->vars[n->slot];
    if (n->count == 0) return not_a_function(x, args, final);
    return eval_fields(x, dot, *out, &n->head, n->fields, n->count, args, final, out);
}

struct error *set_variable(struct exec *x, const struct variable_node *n, struct value v) {
    if (n->slot == NO_SLOT) return exec_fail(x, "undefined variable: %.*s", (int)n->name.len, n->name.s);
    x->vars[n->slot] = v;
    return NULL;
}

static struct error *eval_arg(struct exec *x, const struct value *dot, const struct go_type *type, const struct node *n, struct value *out);

static struct error *eval_chain(struct exec *x, const struct value *dot, const struct chain_node *c, struct args args,
                                const struct value *final, struct value *out) {
    x->node = &c->head;
    if (c->node->kind == NODE_NIL) return fail_node(x, "indirection through explicit nil in %s", &c->head, "");
    struct value receiver;
    TRY(eval_arg(x, dot, &go_reflect, c->node, &receiver));
    return eval_fields(x, dot, receiver, &c->head, c->fields, c->count, args, final, out);
}

static struct error *eval_function(struct exec *x, const struct value *dot, const struct identifier_node *n, const struct node *command,
                                   struct args args, const struct value *final, struct value *out) {
    x->node = &n->head;
    return call(x, dot, n->func, NULL, command, n->name, n->len, args, final, out);
}

/* ---- arguments ---- */

static struct error *number_arg(struct exec *x, const struct go_type *type, const struct node *n, const char *what, struct value *out) {
    const struct number_node *number = n->kind == NODE_NUMBER ? AS(number_node, n) : NULL;
    bool floating = go_is_float(type->kind), is_signed = go_is_int(type->kind);
    *out = (struct value){.type = type};
    if (number != NULL && floating && number->is_float) out->f = number->f;
    else if (number != NULL && !floating && is_signed && number->is_int) out->i = number->i;
    else if (number != NULL && !floating && !is_signed && number->is_uint) out->u = number->u;
    else return fail_node(x, what, n, "");
    return NULL;
}

static struct error *complex_arg(struct exec *x, const struct go_type *type, const struct node *n, struct value *out) {
    const struct number_node *number = n->kind == NODE_NUMBER ? AS(number_node, n) : NULL;
    if (number == NULL || !number->is_complex) return fail_node(x, "expected complex; found %s", n, "");
    *out = (struct value){.type = type, .complex = number->complex};
    return NULL;
}

static struct error *constant_of_any_type(struct exec *x, const struct node *n, struct value *out) {
    switch (n->kind) {
    case NODE_BOOL: *out = value_bool(AS(bool_node, n)->truth); return NULL;
    case NODE_STRING: *out = AS(string_node, n)->value; return NULL;
    default: return ideal_constant(x, AS(number_node, n), out);
    }
}

/* A constant for a parameter of the type. */
static struct error *constant_arg(struct exec *x, const struct go_type *type, const struct node *n, struct value *out) {
    enum go_kind kind = type->kind;
    if (type == &go_any || type == &go_reflect) return constant_of_any_type(x, n, out);
    if (go_is_int(kind)) return number_arg(x, type, n, "expected integer; found %s", out);
    if (go_is_uint(kind)) return number_arg(x, type, n, "expected unsigned integer; found %s", out);
    if (go_is_float(kind)) return number_arg(x, type, n, "expected float; found %s", out);
    if (kind == GO_COMPLEX64 || kind == GO_COMPLEX128) return complex_arg(x, type, n, out);
    if (kind == GO_STRING) {
        if (n->kind != NODE_STRING) return fail_node(x, "expected string; found %s", n, "");
        *out = value_as(AS(string_node, n)->value, type);
        return NULL;
    }
    if (kind == GO_BOOL) {
        if (n->kind != NODE_BOOL) return fail_node(x, "expected bool; found %s", n, "");
        *out = value_as(value_bool(AS(bool_node, n)->truth), type);
        return NULL;
    }
    cleanup_free char *more = xprintf(" for arg of type %s", type->name);
    return fail_node(x, "can't handle %s", n, more);
}

static struct error *eval_arg(struct exec *x, const struct value *dot, const struct go_type *type, const struct node *n, struct value *out) {
    x->node = n;
    switch (n->kind) {
    case NODE_DOT: *out = *dot; break;
    case NODE_NIL:
        if (!can_be_nil(type)) return exec_fail(x, "cannot assign nil to %s", type->name);
        *out = type == &go_reflect ? value_nil() : value_zero(type);
        return NULL;
    case NODE_FIELD:
        TRY(eval_fields(x, dot, *dot, n, AS(field_node, n)->fields, AS(field_node, n)->count, no_args, NULL, out));
        break;
    case NODE_VARIABLE: TRY(eval_variable(x, dot, AS(variable_node, n), no_args, NULL, out)); break;
    case NODE_PIPE: TRY(eval_pipeline(x, dot, AS(pipe_node, n), out)); break;
    case NODE_IDENTIFIER: TRY(eval_function(x, dot, AS(identifier_node, n), n, no_args, NULL, out)); break;
    case NODE_CHAIN: TRY(eval_chain(x, dot, AS(chain_node, n), no_args, NULL, out)); break;
    default: return constant_arg(x, type, n, out);
    }
    return validate(x, out, type);
}

/* ---- calls ---- */

/* and, or: arguments are evaluated until one decides. */
static struct error *short_circuit(struct exec *x, const struct value *dot, bool stop_at, struct args args, const struct value *final,
                                   struct value *out) {
    for (uint32_t i = 1; i < args.count; i++) {
        TRY(eval_arg(x, dot, &go_reflect, args.nodes[i], out));
        if (value_true(*out) == stop_at) return NULL;
    }
    if (final != NULL) *out = *final;
    return NULL;
}

/* What the template builtin `call` does with its evaluated arguments. */
static struct error *call_value(struct exec *x, struct value *argv, uint32_t count, const char *name, struct value *out) {
    struct value fn = argv[0];
    if (fn.type == NULL) return error_new("call of nil");
    if (fn.type->kind != GO_FUNC) return error_new("non-function %s of type %s", name, fn.type->name);
    const struct go_func *f = fn.func;
    if (f == NULL) return error_new("runtime error: invalid memory address or nil pointer dereference");
    uint32_t params = 0, given = count - 1;
    while (params < GO_MAX_PARAMS && f->params[params] != NULL) params++;
    if (f->variadic && given + 1 < params) return error_new("wrong number of args for %s: got %u want at least %u", name, given, params - 1);
    if (!f->variadic && given != params) return error_new("wrong number of args for %s: got %u want %u", name, given, params);
    for (uint32_t i = 0; i < given; i++) {
        argv[i + 1].boxed = false;
        struct error *e = prepare_arg(&argv[i + 1], f->params[MIN(i, params - 1)]);
        if (e != NULL) return error_wrap(e, "arg %u", i);
    }
    return f->call(x->run, argv + 1, given, out);
}

static struct error *count_args(struct exec *x, const struct go_func *f, uint32_t params, const char *name, size_t name_len, uint32_t given,
                                bool final) {
    uint32_t all = given + final;
    if (f->variadic ? all + 1 >= params : all == params) return NULL;
    if (f->variadic) return exec_fail(x, "wrong number of args for %.*s: want at least %u got %u", (int)name_len, name, params - 1, given);
    return exec_fail(x, "wrong number of args for %.*s: want %u got %u", (int)name_len, name, params, all);
}

static struct error *run_call(struct exec *x, const struct go_func *f, const struct args *args, struct value *argv, uint32_t count,
                              struct value *out) {
    if (f->call != builtin_call) return f->call(x->run, argv, count, out);
    cleanup_buf struct buf name = {0};
    if (args->count > 1) node_text(args->nodes[1], &name);
    else buf_printf(&name, "<%s Value>", go_type_name(argv[0]));
    return call_value(x, argv, count, buf_str(&name), out);
}

static struct error *called(struct exec *x, struct error *e, const struct node *node, const char *name, size_t name_len) {
    x->node = node;
    if (strlen(e->message) > LONGEST_CHAIN) return e; /* endless recursion: the way here has been told */
    struct error *wrapped = exec_fail(x, "error calling %.*s: %s", (int)name_len, name, e->message);
    error_free(e);
    return wrapped;
}

/* Calls a function, or a method on `receiver`. */
static struct error *call(struct exec *x, const struct value *dot, const struct go_func *f, const struct value *receiver,
                          const struct node *node, const char *name, size_t name_len, struct args args, const struct value *final,
                          struct value *out) {
    uint32_t params = 0, given = args.count ? args.count - 1 : 0, n = 0;
    const struct go_type *const *types = f->params + (receiver != NULL);
    while (&types[params] < &f->params[GO_MAX_PARAMS] && types[params] != NULL) params++;
    TRY(count_args(x, f, params, name, name_len, given, final != NULL));
    if (f->call == builtin_and || f->call == builtin_or) return short_circuit(x, dot, f->call == builtin_or, args, final, out);
    struct value few[FEW_ARGS], *argv = few;
    if (given + 2 > FEW_ARGS) argv = arena_alloc(x->run->arena, (given + 2) * sizeof(*argv));
    if (receiver != NULL) argv[n++] = *receiver;
    for (uint32_t i = 0; i < given; i++) TRY(eval_arg(x, dot, types[MIN(i, params - 1)], args.nodes[i + 1], &argv[n++]));
    if (final != NULL) {
        argv[n] = *final;
        TRY(validate(x, &argv[n++], types[MIN(given, params - 1)]));
    }
    struct go_run *run = x->run;
    *out = value_nil();
    bool nil_receiver = receiver != NULL && receiver->type->kind == GO_POINTER && receiver->ptr == NULL;
    struct error *e = nil_receiver ? error_new("runtime error: invalid memory address or nil pointer dereference")
                                   : run_call(x, f, &args, argv, n, out);
    if (e == NULL && run->max_bytes != 0 && run->arena->total > run->max_bytes) e = go_reserve(run, 1);
    if (e != NULL) return called(x, e, node, name, name_len);
    if (f->result != &go_reflect) out->boxed = f->result->kind == GO_INTERFACE;
    return NULL;
}

/* ---- commands and pipelines ---- */

static struct error *eval_command(struct exec *x, const struct value *dot, const struct command_node *c, const struct value *final,
                                  struct value *out) {
    const struct node *first = c->args[0];
    struct args args = {.nodes = c->args, .count = c->count};
    switch (first->kind) {
    case NODE_FIELD:
        x->node = first;
        return eval_fields(x, dot, *dot, first, AS(field_node, first)->fields, AS(field_node, first)->count, args, final, out);
    case NODE_CHAIN: return eval_chain(x, dot, AS(chain_node, first), args, final, out);
    case NODE_IDENTIFIER: return eval_function(x, dot, AS(identifier_node, first), &c->head, args, final, out);
    case NODE_PIPE: TRY(not_a_function(x, args, final)); return eval_pipeline(x, dot, AS(pipe_node, first), out);
    case NODE_VARIABLE: return eval_variable(x, dot, AS(variable_node, first), args, final, out);
    default: break;
    }
    x->node = first;
    TRY(not_a_function(x, args, final));
    if (first->kind == NODE_NIL) return exec_fail(x, "nil is not a command");
    if (first->kind == NODE_DOT) *out = *dot;
    else return constant_of_any_type(x, first, out);
    return NULL;
}

struct error *eval_pipeline(struct exec *x, const struct value *dot, const struct pipe_node *pipe, struct value *out) {
    x->node = &pipe->head;
    if (stack_low(0)) return exec_fail(x, "exceeded maximum depth of calls");
    struct value v, next;
    TRY(eval_command(x, dot, pipe->commands[0], NULL, &v));
    v.boxed = false;
    for (uint32_t i = 1; i < pipe->count; i++) {
        TRY(eval_command(x, dot, pipe->commands[i], &v, &next));
        v = next;
        v.boxed = false;
    }
    for (uint32_t i = 0; i < pipe->decl_count; i++) TRY(set_variable(x, pipe->decl[i], v));
    *out = v;
    return NULL;
}
