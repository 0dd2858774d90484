/* Walking the nodes of a template: text, actions, control structures. */
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/template/exec.h"

enum { MAX_DEPTH = 100000 /* of {{template}}, Go's */, FEW_VARIABLES = 12 };

struct error *exec_fail(const struct exec *x, const char *fmt, ...) {
    cleanup_buf struct buf message = {0}, context = {0}, name = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&message, fmt, args);
    va_end(args);
    const struct template *t = x->template;
    uint32_t line = 1, column = x->node->pos;
    for (uint32_t i = 0; i < x->node->pos; i++) {
        if (t->text[i] != '\n') continue;
        line++;
        column = x->node->pos - i - 1;
    }
    node_text(x->node, &context);
    go_quote(&name, t->name, t->name_len);
    struct error *e = error_new("template: %s:%u:%u: executing %s at <", t->parse_name, line, column, buf_str(&name));
    cleanup_buf struct buf whole = {0};
    buf_adds(&whole, e->message);
    buf_add(&whole, buf_str(&context), context.len);
    buf_adds(&whole, ">: ");
    buf_add(&whole, buf_str(&message), message.len);
    free(e->message);
    e->message = buf_take(&whole);
    return e;
}

static struct error *walk_list(struct exec *x, const struct value *dot, const struct list_node *list);

static struct error *print(struct exec *x, const struct node *n, struct value v) {
    x->node = n;
    if (v.type == &go_string) {
        buf_add(x->out, v.s, v.len);
        return NULL;
    }
    if (v.type == NULL) {
        buf_adds(x->out, "<no value>");
        return NULL;
    }
    const struct go_type *type = v.type;
    if (!printable(&v)) {
        cleanup_buf struct buf b = {0};
        node_text(n, &b);
        return exec_fail(x, "can't print %s of type %s", buf_str(&b), type->name);
    }
    if (v.type->string_of_pointer) v.type->string(&v, x->out);
    else go_print(x->out, v);
    return NULL;
}

static struct error *walk_action(struct exec *x, const struct value *dot, const struct action_node *a) {
    struct value v;
    TRY(eval_pipeline(x, dot, a->pipe, &v));
    return a->pipe->decl_count == 0 ? print(x, &a->head, v) : NULL;
}

static struct error *walk_if_or_with(struct exec *x, const struct value *dot, const struct branch_node *b) {
    struct value v;
    TRY(eval_pipeline(x, dot, b->pipe, &v));
    if (value_true(v)) return walk_list(x, b->head.kind == NODE_WITH ? &v : dot, b->list);
    return b->else_list ? walk_list(x, dot, b->else_list) : NULL;
}

/* ---- range ---- */

struct range {
    const struct branch_node *node;
    bool done; /* by {{break}} */
};

static struct error *iteration(struct exec *x, struct range *r, const struct value *index, const struct value *item) {
    const struct pipe_node *pipe = r->node->pipe;
    TRY(go_steps(x->run, 1));
    if (pipe->decl_count == 1) TRY(set_variable(x, pipe->decl[0], *item));
    if (pipe->decl_count == 2) {
        TRY(set_variable(x, pipe->decl[0], *index));
        TRY(set_variable(x, pipe->decl[1], *item));
    }
    struct error *e = walk_list(x, item, r->node->list);
    r->done = x->flow == FLOW_BREAK;
    x->flow = FLOW_ON;
    return e;
}

static struct error *range_number(struct exec *x, struct range *r, struct value v) {
    bool is_signed = go_is_int(v.type->kind);
    struct value nothing = value_nil();
    if (r->node->pipe->decl_count > 1) {
        cleanup_buf struct buf b = {0};
        go_print(&b, v);
        return exec_fail(x, "can't use %s to iterate over more than one variable", buf_str(&b));
    }
    for (uint64_t i = 0; (is_signed ? (int64_t)i < v.i : i < v.u) && !r->done; i++) {
        struct value item = {.type = v.type, .u = i};
        TRY(iteration(x, r, &nothing, &item));
    }
    return NULL;
}

static struct error *range_slice(struct exec *x, struct range *r, struct value v) {
    bool boxed = v.type->elem->kind == GO_INTERFACE;
    for (size_t i = 0; i < v.len && !r->done; i++) {
        struct value item = value_at(v, i), index = value_int((int64_t)i);
        item.boxed = boxed;
        TRY(iteration(x, r, &index, &item));
    }
    return NULL;
}

/* Over a copy of the entries: the body may change the map. */
static struct error *range_map(struct exec *x, struct range *r, struct value v) {
    bool boxed = v.type->elem->kind == GO_INTERFACE;
    size_t n;
    const struct value_entry *entries = value_map_sorted(v.map, &n);
    entries = arena_dup(x->run->arena, entries, n * sizeof(*entries));
    for (size_t i = 0; i < n && !r->done; i++) {
        struct value key = value_as(value_str(entries[i].key, entries[i].key_len), v.type->key), item = entries[i].value;
        item.boxed = boxed;
        TRY(iteration(x, r, &key, &item));
    }
    return NULL;
}

static struct error *walk_range(struct exec *x, const struct value *dot, const struct branch_node *b) {
    struct value v;
    TRY(eval_pipeline(x, dot, b->pipe, &v));
    struct range r = {.node = b};
    indirect(&v);
    enum go_kind kind = value_kind(v);
    if (go_is_int(kind) || go_is_uint(kind)) {
        if (b->pipe->decl_count > 1 || (go_is_int(kind) ? v.i > 0 : v.u > 0)) return range_number(x, &r, v);
    } else if (kind == GO_SLICE || kind == GO_ARRAY) {
        if (v.len > 0) return range_slice(x, &r, v);
    } else if (kind == GO_MAP) {
        if (value_map_count(v.map) > 0) return range_map(x, &r, v);
    } else if (kind != GO_INVALID) {
        cleanup_buf struct buf b_text = {0};
        go_print(&b_text, v);
        return exec_fail(x, "range can't iterate over %s", buf_str(&b_text));
    }
    return b->else_list ? walk_list(x, dot, b->else_list) : NULL;
}

/* ---- templates ---- */

static struct error *walk_template(struct exec *x, const struct value *dot, const struct template_node *n) {
    const struct template *t;
    TRY(set_find(x->run->templates, n->name, n->len, &t));
    if (t == NULL) {
        cleanup_buf struct buf b = {0};
        go_quote(&b, n->name, n->len);
        return exec_fail(x, "template %s not defined", buf_str(&b));
    }
    if (x->depth == MAX_DEPTH || stack_low(TEMPLATE_STACK)) return exec_fail(x, "exceeded maximum template depth (%d)", MAX_DEPTH);
    struct value v = value_nil();
    if (n->pipe != NULL) TRY(eval_pipeline(x, dot, n->pipe, &v));
    return execute(x->run, t, v, x->out, x->depth + 1);
}

static struct error *walk(struct exec *x, const struct value *dot, const struct node *n) {
    x->node = n;
    switch (n->kind) {
    case NODE_TEXT: buf_add(x->out, AS(text_node, n)->s, AS(text_node, n)->len); return NULL;
    case NODE_ACTION: return walk_action(x, dot, AS(action_node, n));
    case NODE_IF:
    case NODE_WITH: return walk_if_or_with(x, dot, AS(branch_node, n));
    case NODE_RANGE: return walk_range(x, dot, AS(branch_node, n));
    case NODE_TEMPLATE: return walk_template(x, dot, AS(template_node, n));
    case NODE_BREAK: x->flow = FLOW_BREAK; return NULL;
    default: x->flow = FLOW_CONTINUE; return NULL;
    }
}

static struct error *walk_list(struct exec *x, const struct value *dot, const struct list_node *list) {
    x->node = &list->head;
    if (stack_low(0)) return exec_fail(x, "exceeded maximum depth of calls");
    for (uint32_t i = 0; i < list->count && x->flow == FLOW_ON; i++) {
        struct error *e = go_steps(x->run, 1);
        if (e == NULL) e = walk(x, dot, list->nodes[i]);
        if (e != NULL) return e;
        if (x->out->overflow) return exec_fail(x, "output limit of %zu bytes exceeded", x->out->max);
    }
    return NULL;
}

struct error *execute(struct go_run *run, const struct template *t, struct value dot, struct buf *out, uint32_t depth) {
    struct value few[FEW_VARIABLES];
    struct exec x = {.run = run, .template = t, .out = out, .node = &t->root->head, .vars = few, .depth = depth};
    if (t->slots > FEW_VARIABLES) x.vars = arena_alloc(run->arena, t->slots * sizeof(*x.vars));
    x.vars[0] = dot;
    return walk_list(&x, &dot, t->root);
}
