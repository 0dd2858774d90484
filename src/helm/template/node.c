/* Nodes as text. */
#include "helm/go/strconv.h"
#include "helm/template/internal.h"

static void fields_text(const struct field_name *fields, size_t count, struct buf *out) {
    for (size_t i = 0; i < count; i++) {
        buf_addc(out, '.');
        buf_add(out, fields[i].s, fields[i].len);
    }
}

/* Pipelines inside of others have parentheses. */
static void operand_text(const struct node *n, struct buf *out) {
    if (n->kind == NODE_PIPE) buf_addc(out, '(');
    node_text(n, out);
    if (n->kind == NODE_PIPE) buf_addc(out, ')');
}

static void pipe_text(const struct pipe_node *pipe, struct buf *out) {
    for (size_t i = 0; i < pipe->decl_count; i++) {
        if (i > 0) buf_adds(out, ", ");
        node_text(&pipe->decl[i]->head, out);
    }
    if (pipe->decl_count > 0) buf_adds(out, pipe->assign ? " = " : " := ");
    for (size_t i = 0; i < pipe->count; i++) {
        if (i > 0) buf_adds(out, " | ");
        node_text(&pipe->commands[i]->head, out);
    }
}

static void branch_text(const struct branch_node *b, struct buf *out) {
    buf_printf(out, "{{%s ", b->head.kind == NODE_IF ? "if" : b->head.kind == NODE_WITH ? "with" : "range");
    pipe_text(b->pipe, out);
    buf_adds(out, "}}");
    node_text(&b->list->head, out);
    if (b->else_list != NULL) {
        buf_adds(out, "{{else}}");
        node_text(&b->else_list->head, out);
    }
    buf_adds(out, "{{end}}");
}

static void template_text(const struct template_node *t, struct buf *out) {
    buf_adds(out, "{{template ");
    go_quote(out, t->name, t->len);
    if (t->pipe != NULL) {
        buf_addc(out, ' ');
        pipe_text(t->pipe, out);
    }
    buf_adds(out, "}}");
}

#define AS(type, n) ((const struct type *)(const void *)(n))

static void list_text(const struct list_node *list, struct buf *out) {
    for (size_t i = 0; i < list->count; i++) node_text(list->nodes[i], out);
}

static void command_text(const struct command_node *c, struct buf *out) {
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0) buf_addc(out, ' ');
        operand_text(c->args[i], out);
    }
}

void node_text(const struct node *n, struct buf *out) {
    switch (n->kind) {
    case NODE_TEXT: buf_add(out, AS(text_node, n)->s, AS(text_node, n)->len); break;
    case NODE_ACTION:
        buf_adds(out, "{{");
        pipe_text(AS(action_node, n)->pipe, out);
        buf_adds(out, "}}");
        break;
    case NODE_BREAK: buf_adds(out, "{{break}}"); break;
    case NODE_CONTINUE: buf_adds(out, "{{continue}}"); break;
    case NODE_IF:
    case NODE_WITH:
    case NODE_RANGE: branch_text(AS(branch_node, n), out); break;
    case NODE_TEMPLATE: template_text(AS(template_node, n), out); break;
    case NODE_LIST: list_text(AS(list_node, n), out); break;
    case NODE_PIPE: pipe_text(AS(pipe_node, n), out); break;
    case NODE_COMMAND: command_text(AS(command_node, n), out); break;
    case NODE_IDENTIFIER: buf_add(out, AS(identifier_node, n)->name, AS(identifier_node, n)->len); break;
    case NODE_VARIABLE:
        buf_add(out, AS(variable_node, n)->name.s, AS(variable_node, n)->name.len);
        fields_text(AS(variable_node, n)->fields, AS(variable_node, n)->count, out);
        break;
    case NODE_DOT: buf_addc(out, '.'); break;
    case NODE_NIL: buf_adds(out, "nil"); break;
    case NODE_FIELD: fields_text(AS(field_node, n)->fields, AS(field_node, n)->count, out); break;
    case NODE_CHAIN:
        operand_text(AS(chain_node, n)->node, out);
        fields_text(AS(chain_node, n)->fields, AS(chain_node, n)->count, out);
        break;
    case NODE_BOOL: buf_adds(out, AS(bool_node, n)->truth ? "true" : "false"); break;
    case NODE_NUMBER: buf_add(out, AS(number_node, n)->text, AS(number_node, n)->len); break;
    case NODE_STRING: buf_add(out, AS(string_node, n)->quoted, AS(string_node, n)->quoted_len); break;
    case NODE_END: buf_adds(out, "{{end}}"); break;
    case NODE_ELSE: buf_adds(out, "{{else}}"); break;
    }
}
