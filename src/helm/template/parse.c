/* Recursive descent over items. A parser has one current item, and sometimes the one behind it. Functions say in what state they want
 * it and leave it: `read` means that the current item is done with, `due` that it is still to be looked at. Items are read as late as in
 * Go, because an error's line depends on what was read.
 *
 * Each defined template is parsed by a struct parser of its own over the shared lexer, as in Go: an error's line is
 * that of the item the template's parser read last. */
#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/template/internal.h"

enum { MAX_PARENS = 10000 };

struct variable {
    const char *s;
    size_t len;
    uint32_t slot;
};

struct variables {
    struct variable *items;
    uint32_t count, cap;
};

/* Nodes of lists that are not complete yet, innermost last. */
struct pending {
    const void **items;
    uint32_t count, cap;
};

/* What the parsers of one text share. */
struct text {
    struct template_set *set;
    struct arena *arena; /* of the tree */
    struct lexer lexer;
    const char *parse_name, *text;
    size_t len;
    struct parsed *parsed;
    struct pending pending;
    int parens;
};

struct parser {
    struct text *text;
    struct arena *arena;       /* text's */
    struct template *template; /* that is being made */
    struct item item, ahead;
    bool has_ahead;            /* `ahead` has been read already */
    uint32_t last;             /* where the item begins that was read last */
    bool in_action;
    uint32_t action_pos;       /* where it began */
    int range_depth;
    struct variables vars;
    uint32_t slots;            /* in use now */
};

/* ---- errors ---- */

/* Lines are counted when an error names one. */
static uint32_t line_of(const struct parser *p, uint32_t pos) {
    uint32_t line = 1;
    for (const char *s = p->text->text, *end = s + pos; (s = memchr(s, '\n', (size_t)(end - s))) != NULL; s++) line++;
    return line;
}

static struct error *fail(const struct parser *p, const char *fmt, ...) PRINTF(2, 3);
static struct error *fail(const struct parser *p, const char *fmt, ...) {
    cleanup_buf struct buf b = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    return error_new("template: %s:%u: %s", p->text->parse_name, line_of(p, p->last), buf_str(&b));
}

static struct error *fail_at(const struct parser *p, struct error *e) {
    struct error *wrapped = fail(p, "%s", e->message);
    error_free(e);
    return wrapped;
}

static struct error *unexpected(const struct parser *p, const struct item *token, const char *context) {
    cleanup_buf struct buf b = {0};
    item_text(token, &b);
    if (token->type != ITEM_ERROR) return fail(p, "unexpected %s in %s", buf_str(&b), context);
    uint32_t start = line_of(p, p->action_pos);
    if (!p->in_action || start == line_of(p, token->pos)) return fail(p, "%s", buf_str(&b));
    const char *in_action = str_ends(buf_str(&b), " action") ? "" : " in action";
    return fail(p, "%s%s started at %s:%u", buf_str(&b), in_action, p->text->parse_name, start);
}

/* ---- items ---- */

/* The next item becomes the current one. */
static const struct item *advance(struct parser *p) {
    if (p->has_ahead) {
        p->item = p->ahead;
        p->has_ahead = false;
        return &p->item;
    }
    lexer_next(&p->text->lexer, &p->item);
    p->last = p->item.pos;
    return &p->item;
}

static const struct item *look_ahead(struct parser *p) {
    lexer_next(&p->text->lexer, &p->ahead);
    p->has_ahead = true;
    p->last = p->ahead.pos;
    return &p->ahead;
}

/* Is the current item a field without a space in front of it? */
static bool field_follows(const struct parser *p) { return p->item.type == ITEM_FIELD && !p->item.spaced; }

static struct error *expect(struct parser *p, enum item_type type, const char *context) {
    return advance(p)->type == type ? NULL : unexpected(p, &p->item, context);
}

/* ---- nodes ---- */

#define NODE_NEW(p, type, kind_, pos_) new_node((p)->arena, sizeof(struct type), (kind_), (pos_))
static inline __attribute__((always_inline)) void *new_node(struct arena *a, size_t size, enum node_kind kind, uint32_t pos) {
    struct node *n = memset(arena_alloc(a, size), 0, size); /* of a size that the compiler knows */
    *n = (struct node){.kind = kind, .pos = pos};
    return n;
}

static void push(struct parser *p, const void *item) {
    struct pending *s = &p->text->pending;
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->items = xrealloc(s->items, s->cap * sizeof(*s->items));
    }
    s->items[s->count++] = item;
}

/* What was pushed since there were `mark` items. */
static void *pop(struct parser *p, uint32_t mark, uint32_t *count) {
    struct pending *s = &p->text->pending;
    uint32_t n = s->count - mark;
    const void **out = arena_alloc(p->arena, n * sizeof(*out)), **from = s->items + mark;
    if (n == 1) out[0] = from[0];
    else memcpy(out, from, n * sizeof(*out));
    s->count = mark;
    *count = n;
    return out;
}

/* The names of .a.b (or $x.a.b behind its variable), of which the first is due; so is what follows the last. */
static const struct field_name *split_fields(struct parser *p, uint32_t *count) {
    uint32_t n = 0, cap = 4;
    struct field_name *out = arena_alloc(p->arena, cap * sizeof(*out));
    do {
        const struct item *i = &p->item;
        if (n == cap) {
            out = arena_grow(p->arena, out, cap * sizeof(*out), 2 * cap * sizeof(*out));
            cap *= 2;
        }
        out[n++] = (struct field_name){.s = i->s + 1, .len = i->len - 1, .hash = value_hash(i->s + 1, i->len - 1)};
        advance(p);
    } while (field_follows(p));
    *count = n;
    return arena_grow(p->arena, out, cap * sizeof(*out), n * sizeof(*out)); /* gives the rest back */
}

/* ---- variables ---- */

static void add_variable(struct parser *p, const char *s, size_t len, uint32_t slot) {
    struct variables *v = &p->vars;
    if (v->count == v->cap) {
        uint32_t cap = v->cap ? 2 * v->cap : 8;
        v->items = arena_grow(p->arena, v->items, v->cap * sizeof(*v->items), cap * sizeof(*v->items));
        v->cap = cap;
    }
    v->items[v->count++] = (struct variable){.s = s, .len = len, .slot = slot};
}

static const struct variable *find_variable(const struct parser *p, const char *s, size_t len) {
    for (uint32_t i = p->vars.count; i > 0; i--) {
        const struct variable *v = &p->vars.items[i - 1];
        if (v->len == len && memcmp(v->s, s, len) == 0) return v;
    }
    return NULL;
}

static struct variable_node *variable_node(struct parser *p, const struct item *i, uint32_t slot) {
    struct variable_node *v = NODE_NEW(p, variable_node, NODE_VARIABLE, i->pos);
    v->name = (struct field_name){.s = i->s, .len = (uint32_t)i->len};
    v->slot = slot;
    return v;
}

/* A variable before := or = . An assignment needs no variable of that name to parse; it fails when executed. */
static void declare(struct parser *p, struct pipe_node *pipe, const struct item *i) {
    const struct variable *known = find_variable(p, i->s, i->len);
    uint32_t slot = known ? known->slot : NO_SLOT;
    pipe->decl[pipe->decl_count++] = variable_node(p, i, slot);
}

/* After the commands: the declared variables get their slots. In Go they are known to their own commands already, but
 * without a value. */
static void end_declarations(struct parser *p, const struct pipe_node *pipe, uint32_t first) {
    if (pipe->assign) return;
    for (uint32_t i = 0; i < pipe->decl_count; i++) {
        struct variable *v = &p->vars.items[first + i];
        v->slot = p->slots++;
        ((struct variable_node *)(uintptr_t)pipe->decl[i])->slot = v->slot;
    }
    p->template->slots = MAX(p->template->slots, p->slots);
}

/* ---- operands ---- */

static struct error *pipeline(struct parser *p, const char *context, enum item_type end, struct pipe_node **out);

static struct error *identifier(struct parser *p, const struct item *i, const struct node **out) {
    struct identifier_node *n = NODE_NEW(p, identifier_node, NODE_IDENTIFIER, i->pos);
    n->name = i->s;
    n->len = i->len;
    n->func = set_function(p->text->set, i->s, i->len);
    if (n->func == NULL) return fail(p, "function \"%.*s\" not defined", (int)i->len, i->s);
    *out = &n->head;
    return NULL;
}

static struct error *variable(struct parser *p, const struct item *i, const struct node **out) {
    const struct variable *v = find_variable(p, i->s, i->len);
    if (v == NULL) {
        cleanup_buf struct buf b = {0};
        go_quote(&b, i->s, i->len);
        return fail(p, "undefined variable %s", buf_str(&b));
    }
    *out = &variable_node(p, i, v->slot)->head;
    return NULL;
}

static struct error *unquote(struct parser *p, const struct item *i, const char **s, size_t *len) {
    if (i->literal) {
        *s = i->s + 1;
        *len = i->len - 2;
        return NULL;
    }
    cleanup_buf struct buf b = {0};
    if (!go_unquote(i->s, i->len, &b)) return fail(p, "invalid syntax");
    *s = arena_strndup(p->text->set->arena, buf_str(&b), b.len);
    *len = b.len;
    return NULL;
}

static struct error *string(struct parser *p, const struct item *i, const struct node **out) {
    struct string_node *n = NODE_NEW(p, string_node, NODE_STRING, i->pos);
    n->quoted = i->s;
    n->quoted_len = (uint32_t)i->len;
    const char *s;
    size_t len;
    TRY(unquote(p, i, &s, &len));
    n->value = value_str(s, len);
    *out = &n->head;
    return NULL;
}

static struct error *number(struct parser *p, const struct item *i, const struct node **out) {
    struct number_node *n;
    struct error *e = parse_number(p->arena, p->text->set->arena, i, &n);
    if (e != NULL) return fail_at(p, e);
    *out = &n->head;
    return NULL;
}

static struct error *parenthesized(struct parser *p, const struct node **out) {
    if (p->text->parens >= MAX_PARENS || stack_low(0)) return fail(p, "max expression depth exceeded");
    p->text->parens++;
    struct pipe_node *pipe;
    advance(p);
    struct error *e = pipeline(p, "parenthesized pipeline", ITEM_RIGHT_PAREN, &pipe);
    p->text->parens--;
    if (e != NULL) return e;
    *out = &pipe->head;
    return NULL;
}

static struct error *fields(struct parser *p, const struct node **out) {
    struct field_node *n = NODE_NEW(p, field_node, NODE_FIELD, p->item.pos);
    uint32_t len = p->item.len;
    n->fields = split_fields(p, &n->count);
    if (n->count > 1) n->head.pos += len; /* a chain stands where its second field does */
    *out = &n->head;
    return NULL;
}

/* Of the current item. */
static struct error *constant(struct parser *p, enum node_kind kind, const struct node **out) {
    struct bool_node *n = NODE_NEW(p, bool_node, kind, p->item.pos);
    n->truth = *p->item.s == 't';
    *out = &n->head;
    return NULL;
}

/* Of the current item, which is due; so is what follows the term. *out is NULL if the item begins none. */
static struct error *term(struct parser *p, const struct node **out) {
    struct error *e;
    *out = NULL;
    switch (p->item.type) {
    case ITEM_FIELD: return fields(p, out);
    case ITEM_IDENTIFIER: e = identifier(p, &p->item, out); break;
    case ITEM_VARIABLE: e = variable(p, &p->item, out); break;
    case ITEM_DOT: e = constant(p, NODE_DOT, out); break;
    case ITEM_NIL: e = constant(p, NODE_NIL, out); break;
    case ITEM_BOOL: e = constant(p, NODE_BOOL, out); break;
    case ITEM_CHAR_CONSTANT:
    case ITEM_COMPLEX:
    case ITEM_NUMBER: e = number(p, &p->item, out); break;
    case ITEM_LEFT_PAREN: e = parenthesized(p, out); break;
    case ITEM_STRING:
    case ITEM_RAW_STRING: e = string(p, &p->item, out); break;
    default: return NULL;
    }
    if (e == NULL) advance(p);
    return e;
}

/* A term with fields behind it. Those of a field or variable become its own, at the place of the first of them. */
static struct error *operand(struct parser *p, const struct node **out) {
    TRY(term(p, out));
    if (*out == NULL || !field_follows(p)) return NULL;
    const struct node *n = *out;
    uint32_t count, pos = p->item.pos;
    const struct field_name *fields = split_fields(p, &count);
    switch (n->kind) {
    case NODE_VARIABLE: {
        struct variable_node *v = (struct variable_node *)(uintptr_t)n;
        v->head.pos = pos;
        v->fields = fields;
        v->count = count;
        return NULL;
    }
    case NODE_BOOL:
    case NODE_STRING:
    case NODE_NUMBER:
    case NODE_NIL:
    case NODE_DOT: {
        cleanup_buf struct buf text = {0}, quoted = {0};
        node_text(n, &text);
        go_quote(&quoted, buf_str(&text), text.len);
        return fail(p, "unexpected . after term %s", buf_str(&quoted));
    }
    default: break;
    }
    struct chain_node *c = NODE_NEW(p, chain_node, NODE_CHAIN, pos);
    c->node = n;
    c->fields = fields;
    c->count = count;
    *out = &c->head;
    return NULL;
}

/* ---- pipelines ---- */

/* Up to the end of the pipeline or behind a |; what is there is due, as is what it begins with. */
static struct error *command(struct parser *p, const struct command_node **out) {
    struct command_node *c = NODE_NEW(p, command_node, NODE_COMMAND, p->item.pos);
    uint32_t mark = p->text->pending.count;
    for (;;) {
        const struct node *arg;
        TRY(operand(p, &arg));
        if (arg == NULL) break;
        push(p, arg);
        if (!p->item.spaced) break;
    }
    enum item_type end = p->item.type;
    if (end != ITEM_RIGHT_DELIM && end != ITEM_RIGHT_PAREN && end != ITEM_PIPE) return unexpected(p, &p->item, "operand");
    if (p->text->pending.count == mark) return fail(p, "empty command");
    if (end == ITEM_PIPE) advance(p);
    c->args = pop(p, mark, &c->count);
    *out = c;
    return NULL;
}

/* The variables before := or = . What follows is due. */
static struct error *declarations(struct parser *p, struct pipe_node *pipe, const char *context) {
    while (p->item.type == ITEM_VARIABLE) {
        const struct item *i = look_ahead(p);
        if (i->type == ITEM_ASSIGN || i->type == ITEM_DECLARE) {
            pipe->assign = i->type == ITEM_ASSIGN;
            declare(p, pipe, &p->item);
            advance(p);
            advance(p);
            return NULL;
        }
        if (i->type != ITEM_CHAR || *i->s != ',') return NULL; /* an operand */
        if (!str_eq(context, "range") || pipe->decl_count >= 1) return fail(p, "too many declarations in %s", context);
        declare(p, pipe, &p->item);
        advance(p);
        enum item_type following = advance(p)->type;
        if (following != ITEM_VARIABLE && following != ITEM_RIGHT_DELIM && following != ITEM_RIGHT_PAREN)
            return fail(p, "range can only initialize variables");
    }
    return NULL;
}

static struct error *check_pipeline(const struct parser *p, const struct pipe_node *pipe, const char *context) {
    if (pipe->count == 0) return fail(p, "missing value for %s", context);
    for (uint32_t i = 1; i < pipe->count; i++) {
        switch (pipe->commands[i]->args[0]->kind) {
        case NODE_BOOL:
        case NODE_DOT:
        case NODE_NIL:
        case NODE_NUMBER:
        case NODE_STRING: return fail(p, "non executable command in pipeline stage %u", i + 1);
        default: break;
        }
    }
    return NULL;
}

static bool begins_command(enum item_type type) {
    switch (type) {
    case ITEM_BOOL:
    case ITEM_CHAR_CONSTANT:
    case ITEM_COMPLEX:
    case ITEM_DOT:
    case ITEM_FIELD:
    case ITEM_IDENTIFIER:
    case ITEM_NUMBER:
    case ITEM_NIL:
    case ITEM_RAW_STRING:
    case ITEM_STRING:
    case ITEM_VARIABLE:
    case ITEM_LEFT_PAREN: return true;
    default: return false;
    }
}

/* Up to the item `end`, which is read; the first item is due. */
static struct error *pipeline(struct parser *p, const char *context, enum item_type end, struct pipe_node **out) {
    struct pipe_node *pipe = NODE_NEW(p, pipe_node, NODE_PIPE, p->item.pos);
    if (p->item.type == ITEM_VARIABLE) TRY(declarations(p, pipe, context));
    uint32_t first = p->vars.count, mark = p->text->pending.count;
    for (uint32_t i = 0; i < pipe->decl_count; i++)
        add_variable(p, pipe->decl[i]->name.s, pipe->decl[i]->name.len, pipe->decl[i]->slot);
    while (p->item.type != end) {
        if (!begins_command(p->item.type)) return unexpected(p, &p->item, context);
        const struct command_node *c = NULL;
        TRY(command(p, &c));
        push(p, c);
    }
    if (p->text->pending.count > mark) pipe->commands = pop(p, mark, &pipe->count);
    if (pipe->decl_count > 0) end_declarations(p, pipe, first);
    *out = pipe;
    return check_pipeline(p, pipe, context);
}

/* ---- control structures ---- */

static struct error *item_list(struct parser *p, struct list_node **list, struct node *end);
static struct error *text_or_action(struct parser *p, const struct node **out);

static struct error *unexpected_node(const struct parser *p, const char *before, const struct node *n, const char *behind) {
    cleanup_buf struct buf b = {0};
    node_text(n, &b);
    return fail(p, "%s %s%s", before, buf_str(&b), behind);
}

static struct error *branch(struct parser *p, enum node_kind kind, const char *context, const struct node **out);

/* What follows {{else: an if or with of the same kind, whose end ends the outer one too, or a list. Both else and what is behind it have been read. */
static struct error *else_part(struct parser *p, struct branch_node *b, const char *context, uint32_t pos) {
    enum item_type same = b->head.kind == NODE_IF ? ITEM_IF : b->head.kind == NODE_WITH ? ITEM_WITH : ITEM_ERROR;
    if (p->item.type == same) {
        struct list_node *list = NODE_NEW(p, list_node, NODE_LIST, pos);
        const struct node *n;
        TRY(branch(p, b->head.kind, context, &n));
        list->nodes = arena_dup(p->arena, &n, sizeof(n));
        list->count = 1;
        b->else_list = list;
        return NULL;
    }
    if (p->item.type != ITEM_RIGHT_DELIM) return unexpected(p, &p->item, "input");
    struct list_node *list;
    struct node end;
    TRY(item_list(p, &list, &end));
    b->else_list = list;
    return end.kind == NODE_END ? NULL : unexpected_node(p, "expected end; found", &end, "");
}

/* The body's variables are known behind {{else}} too, but have no value: others of their names do. */
static void hide_variables(struct parser *p, uint32_t first) {
    uint32_t all = p->vars.count;
    for (uint32_t i = first; i < all; i++) {
        p->vars.count = first;
        const struct variable *outer = find_variable(p, p->vars.items[i].s, p->vars.items[i].len);
        p->vars.items[i].slot = outer ? outer->slot : NO_SLOT;
    }
    p->vars.count = all;
}

static struct error *branch_body(struct parser *p, struct branch_node *b, const char *context) {
    struct pipe_node *pipe;
    advance(p);
    TRY(pipeline(p, context, ITEM_RIGHT_DELIM, &pipe));
    b->pipe = pipe;
    b->head.pos = pipe->head.pos;
    uint32_t vars = p->vars.count, slots = p->slots;
    bool range = b->head.kind == NODE_RANGE;
    p->range_depth += range;
    struct list_node *list;
    struct node end;
    TRY(item_list(p, &list, &end));
    p->range_depth -= range;
    b->list = list;
    if (end.kind != NODE_ELSE) return NULL;
    hide_variables(p, vars);
    p->slots = slots;
    return else_part(p, b, context, end.pos);
}

static struct error *branch(struct parser *p, enum node_kind kind, const char *context, const struct node **out) {
    if (stack_low(0)) return fail(p, "max block depth exceeded");
    uint32_t vars = p->vars.count, slots = p->slots;
    struct branch_node *b = NODE_NEW(p, branch_node, kind, 0);
    TRY(branch_body(p, b, context));
    p->vars.count = vars;
    p->slots = slots;
    *out = &b->head;
    return NULL;
}

/* {{break}} or {{continue}}: the keyword is behind. */
static struct error *jump(struct parser *p, enum node_kind kind, const char *what, uint32_t pos, const struct node **out) {
    TRY(expect(p, ITEM_RIGHT_DELIM, what));
    if (p->range_depth == 0) return fail(p, "%s outside {{range}}", what);
    *out = NODE_NEW(p, node, kind, pos);
    return NULL;
}

static struct error *else_control(struct parser *p, const struct node **out) {
    enum item_type following = advance(p)->type;
    if (following != ITEM_IF && following != ITEM_WITH && following != ITEM_RIGHT_DELIM) return unexpected(p, &p->item, "else");
    *out = NODE_NEW(p, node, NODE_ELSE, p->item.pos);
    return NULL;
}

static struct error *template_name(struct parser *p, const struct item *i, const char *context, const char **s, size_t *len) {
    if (i->type != ITEM_STRING && i->type != ITEM_RAW_STRING) return unexpected(p, i, context);
    return unquote(p, i, s, len);
}

static struct error *template_control(struct parser *p, const struct node **out) {
    static const char context[] = "template clause";
    const struct item *name = advance(p);
    struct template_node *t = NODE_NEW(p, template_node, NODE_TEMPLATE, name->pos);
    TRY(template_name(p, name, context, &t->name, &t->len));
    if (advance(p)->type != ITEM_RIGHT_DELIM) {
        struct pipe_node *pipe;
        TRY(pipeline(p, context, ITEM_RIGHT_DELIM, &pipe));
        t->pipe = pipe;
    }
    *out = &t->head;
    return NULL;
}

static struct error *definition(struct text *text, const struct parser *outer, const char *name, size_t len);

static struct error *block_control(struct parser *p, const struct node **out) {
    static const char context[] = "block clause";
    const struct item *name = advance(p);
    struct template_node *t = NODE_NEW(p, template_node, NODE_TEMPLATE, name->pos);
    TRY(template_name(p, name, context, &t->name, &t->len));
    struct pipe_node *pipe;
    advance(p);
    TRY(pipeline(p, context, ITEM_RIGHT_DELIM, &pipe));
    t->pipe = pipe;
    TRY(definition(p->text, p, t->name, t->len));
    *out = &t->head;
    return NULL;
}

/* The left delimiter has been read; afterwards the right one has. */
static struct error *action(struct parser *p, const struct node **out) {
    const struct item *i = advance(p);
    switch (i->type) {
    case ITEM_BLOCK: return block_control(p, out);
    case ITEM_BREAK: return jump(p, NODE_BREAK, "{{break}}", i->pos, out);
    case ITEM_CONTINUE: return jump(p, NODE_CONTINUE, "{{continue}}", i->pos, out);
    case ITEM_ELSE: return else_control(p, out);
    case ITEM_END:
        TRY(expect(p, ITEM_RIGHT_DELIM, "end"));
        *out = NODE_NEW(p, node, NODE_END, i->pos);
        return NULL;
    case ITEM_IF: return branch(p, NODE_IF, "if", out);
    case ITEM_RANGE: return branch(p, NODE_RANGE, "range", out);
    case ITEM_TEMPLATE: return template_control(p, out);
    case ITEM_WITH: return branch(p, NODE_WITH, "with", out);
    default: break;
    }
    struct action_node *a = NODE_NEW(p, action_node, NODE_ACTION, i->pos);
    struct pipe_node *pipe;
    TRY(pipeline(p, "command", ITEM_RIGHT_DELIM, &pipe));
    a->pipe = pipe;
    *out = &a->head;
    return NULL;
}

/* Its first item is due, its last one will have been read. */
static struct error *text_or_action(struct parser *p, const struct node **out) {
    const struct item *i = &p->item;
    if (i->type == ITEM_TEXT) {
        struct text_node *t = NODE_NEW(p, text_node, NODE_TEXT, i->pos);
        t->s = i->s;
        t->len = i->len;
        *out = &t->head;
        return NULL;
    }
    if (i->type != ITEM_LEFT_DELIM) return unexpected(p, i, "input");
    p->in_action = true;
    p->action_pos = i->pos;
    struct error *e = action(p, out);
    p->in_action = false;
    return e;
}

static struct error *item_list(struct parser *p, struct list_node **list, struct node *end) {
    struct list_node *l = NODE_NEW(p, list_node, NODE_LIST, advance(p)->pos);
    uint32_t mark = p->text->pending.count;
    for (; p->item.type != ITEM_EOF; advance(p)) {
        const struct node *n;
        TRY(text_or_action(p, &n));
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            if (p->text->pending.count > mark) l->nodes = pop(p, mark, &l->count);
            *list = l;
            *end = *n;
            return NULL;
        }
        push(p, n);
    }
    return fail(p, "unexpected EOF");
}

/* ---- templates ---- */

static bool is_empty(const struct list_node *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->nodes[i]->kind != NODE_TEXT) return false;
        const struct text_node *t = (const struct text_node *)(const void *)list->nodes[i];
        for (uint32_t k = 0; k < t->len; k++)
            if (strchr(" \t\n\v\f\r", t->s[k]) == NULL || t->s[k] == '\0') return false;
    }
    return true;
}

static void parser_init(struct parser *p, struct text *text, const char *name, size_t len) {
    *p = (struct parser){.text = text, .arena = text->arena, .template = ARENA_NEW(text->arena, struct template)};
    *p->template = (struct template){.name = name, .name_len = len, .parse_name = text->parse_name, .text = text->text, .len = text->len, .slots = 1};
    add_variable(p, "$", 1, p->slots++);
}

/* Adds a finished template to those of this text, in the place of an empty one of its name. */
static struct error *add_template(const struct parser *p, const struct list_node *root) {
    struct parsed *all = p->text->parsed;
    struct template *t = p->template;
    t->root = root;
    t->empty = is_empty(root);
    for (size_t i = 0; i < all->count; i++) {
        struct template *other = all->templates[i];
        if (other->name_len != t->name_len || memcmp(other->name, t->name, t->name_len) != 0) continue;
        if (other->empty) all->templates[i] = t;
        else if (!t->empty) {
            cleanup_buf struct buf b = {0};
            go_quote(&b, t->name, t->name_len);
            return fail(p, "template: multiple definition of template %s", buf_str(&b));
        }
        return NULL;
    }
    if (all->count == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 4;
        all->templates = arena_grow(p->arena, all->templates, all->cap * sizeof(t), cap * sizeof(t));
        all->cap = cap;
    }
    all->templates[all->count++] = t;
    return NULL;
}

/* The body of a block, up to its {{end}}. */
static struct error *definition(struct text *text, const struct parser *outer, const char *name, size_t len) {
    if (stack_low(0)) return fail(outer, "max block depth exceeded");
    struct parser p;
    parser_init(&p, text, name, len);
    struct list_node *root;
    struct node end;
    TRY(item_list(&p, &root, &end));
    if (end.kind != NODE_END) return unexpected_node(outer, "unexpected", &end, " in block clause");
    return add_template(&p, root);
}

/* {{define "name"}} … {{end}}: define is behind. */
static struct error *define(struct text *text) {
    static const char context[] = "define clause";
    struct parser p;
    parser_init(&p, text, "definition", strlen("definition"));
    TRY(template_name(&p, advance(&p), context, &p.template->name, &p.template->name_len));
    TRY(expect(&p, ITEM_RIGHT_DELIM, context));
    struct list_node *root;
    struct node end;
    TRY(item_list(&p, &root, &end));
    if (end.kind != NODE_END) return unexpected_node(&p, "unexpected", &end, " in define clause");
    return add_template(&p, root);
}

static void cleanup_text_(struct text *t) { free(t->pending.items); }

struct error *parse_text(struct template_set *set, struct arena *tree, const char *name, const char *text, size_t len, struct parsed *out) {
    if (len > UINT32_MAX - 16) return error_new("template: %s:1: text is too long", name);
    CLEANUP(cleanup_text_) struct text shared = {.set = set, .arena = tree, .parse_name = name, .text = text, .len = len, .parsed = out};
    lexer_init(&shared.lexer, set->arena, text, len);
    struct parser p;
    parser_init(&p, &shared, name, strlen(name));
    struct list_node *root = NODE_NEW(&p, list_node, NODE_LIST, advance(&p)->pos);
    for (; p.item.type != ITEM_EOF; advance(&p)) {
        if (p.item.type == ITEM_LEFT_DELIM && look_ahead(&p)->type == ITEM_DEFINE) {
            p.has_ahead = false;
            TRY(define(&shared));
            continue;
        }
        const struct node *n;
        TRY(text_or_action(&p, &n));
        if (n->kind == NODE_END || n->kind == NODE_ELSE) return unexpected_node(&p, "unexpected", n, "");
        push(&p, n);
    }
    if (shared.pending.count > 0) root->nodes = pop(&p, 0, &root->count);
    return add_template(&p, root);
}
