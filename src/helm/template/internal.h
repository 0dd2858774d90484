/* What lexer, parser and executor of templates share. Nothing else includes this.
 *
 * Nodes are text/template/parse's, one struct each, behind a common head. They are made by the parser in the set's
 * arena and constant afterwards. What the executor would look up again and again is resolved in them: functions,
 * variables' slots, hashes of field names, values of constants. */
#pragma once
#include "helm/template/template.h"

/* ---- lexer ---- */

enum item_type {
    ITEM_ERROR, ITEM_BOOL, ITEM_CHAR, ITEM_CHAR_CONSTANT, ITEM_COMPLEX, ITEM_ASSIGN, ITEM_DECLARE, ITEM_EOF, ITEM_FIELD, ITEM_IDENTIFIER,
    ITEM_LEFT_DELIM, ITEM_LEFT_PAREN, ITEM_NUMBER, ITEM_PIPE, ITEM_RAW_STRING, ITEM_RIGHT_DELIM, ITEM_RIGHT_PAREN, ITEM_STRING,
    ITEM_TEXT, ITEM_VARIABLE,
    ITEM_KEYWORD, /* only divides: keywords come behind */
    ITEM_BLOCK, ITEM_BREAK, ITEM_CONTINUE, ITEM_DOT, ITEM_DEFINE, ITEM_ELSE, ITEM_END, ITEM_IF, ITEM_NIL, ITEM_RANGE, ITEM_TEMPLATE, ITEM_WITH,
};

struct item {
    uint8_t type; /* enum item_type */
    bool spaced;  /* there is white space in front of it */
    bool literal; /* a quoted text that means what it says: ASCII without escapes */
    uint32_t pos, len;
    const char *s; /* the text, or an error's message */
};

struct lexer {
    struct arena *arena; /* of error messages */
    const char *input, *at, *end;
    int paren_depth;
    bool inside_action;
};

/* A NUL must stand behind the text. */
void lexer_init(struct lexer *l, struct arena *a, const char *text, size_t len);
void lexer_next(struct lexer *l, struct item *out);
/* As messages show an item: quoted, and cut after ten characters. */
void item_text(const struct item *i, struct buf *out);

/* ---- nodes ---- */

enum node_kind {
    NODE_TEXT, NODE_ACTION, NODE_BREAK, NODE_CONTINUE, NODE_IF, NODE_WITH, NODE_RANGE, NODE_TEMPLATE, NODE_LIST, NODE_PIPE, NODE_COMMAND,
    NODE_IDENTIFIER, NODE_VARIABLE, NODE_DOT, NODE_NIL, NODE_FIELD, NODE_CHAIN, NODE_BOOL, NODE_NUMBER, NODE_STRING,
    NODE_END, NODE_ELSE, /* of the parser only */
};

struct node {
    enum node_kind kind;
    uint32_t pos; /* offset in the text */
};

struct text_node {
    struct node head;
    uint32_t len;
    const char *s;
};

struct list_node {
    struct node head;
    uint32_t count;
    const struct node **nodes;
};

struct action_node {
    struct node head;
    const struct pipe_node *pipe;
};

struct branch_node { /* if, with, range */
    struct node head;
    const struct pipe_node *pipe;
    const struct list_node *list, *else_list; /* else_list: NULL if absent */
};

struct template_node {
    struct node head;
    const char *name;
    size_t len;
    const struct pipe_node *pipe; /* or NULL */
};

/* A name and its hash, for fields and keys. */
struct field_name {
    const char *s;
    uint32_t len, hash;
};

enum { NO_SLOT = UINT32_MAX /* a variable that is assigned to but never declared */ };

struct variable_node {
    struct node head;
    uint32_t slot, count; /* fields */
    struct field_name name; /* with its $ */
    const struct field_name *fields;
};

struct pipe_node {
    struct node head;
    bool assign; /* = instead of := */
    uint32_t decl_count, count;
    const struct variable_node *decl[2];
    const struct command_node **commands;
};

struct command_node {
    struct node head;
    uint32_t count; /* at least 1 */
    const struct node **args;
};

struct identifier_node {
    struct node head;
    const char *name;
    size_t len;
    const struct go_func *func;
};

struct field_node {
    struct node head;
    uint32_t count;
    const struct field_name *fields;
};

struct chain_node {
    struct node head;
    uint32_t count;
    const struct node *node;
    const struct field_name *fields;
};

struct bool_node {
    struct node head;
    bool truth;
};

struct string_node {
    struct node head;
    uint32_t quoted_len;
    const char *quoted; /* as in the text */
    struct value value;
};

struct number_node {
    struct node head;
    bool is_int, is_uint, is_float, is_complex;
    uint32_t len;
    const char *text;
    int64_t i;
    uint64_t u;
    double f;
    double complex[2];
    struct value ideal;   /* what it is where any type goes */
    bool overflows;       /* nothing: it does not fit an int */
};

/* As parse.Node's String() writes it: the contexts of errors. */
void node_text(const struct node *n, struct buf *out);

/* ---- templates ---- */

struct template {
    const char *name;
    size_t name_len;
    const char *parse_name; /* of the text it was defined in: locations show this one */
    const char *text;
    size_t len;
    const struct list_node *root; /* NULL: not parsed yet (template_defer) */
    uint32_t slots;   /* variables, with $ */
    bool empty;       /* nothing but white space and comments: does not replace another */
    bool lent;        /* the tree is template_load's */
};

/* All templates of one text; the first is the text's own. */
struct parsed {
    struct template **templates;
    size_t count, cap;
};

struct template_set {
    struct arena *arena;
    const char *name;
    struct template_set *parent; /* or NULL */
    enum template_missing_key missing;
    struct value_map *templates; /* name -> struct template, in `ptr` */
    struct value_map *functions; /* name -> struct go_func; of the outermost set */
    const struct go_func *recent[32]; /* functions that were asked for, by the letters of their names; of the outermost set */
    struct value_map *cache;     /* text -> struct parsed, for template_render; of the outermost set */
};

/* Parses without adding to the set. The tree is made in `tree`; what may outlive it as a value, in the set's arena. */
MUST_CHECK struct error *parse_text(struct template_set *set, struct arena *tree, const char *name, const char *text, size_t len, struct parsed *out);
/* Does the text, if it can be parsed at all, define templates besides its own? Also true for some that do not. */
bool text_defines(const char *text, size_t len);
MUST_CHECK struct error *parse_number(struct arena *tree, struct arena *lasting, const struct item *item, struct number_node **out);
/* NULL in *out: there is none. The error is of a text that is parsed only now. */
MUST_CHECK struct error *set_find(struct template_set *set, const char *name, size_t len, const struct template **out);
const struct go_func *set_function(struct template_set *set, const char *name, size_t len);
void set_add(struct template_set *set, const struct parsed *parsed);

/* Executes one template; $ and . are `dot`. */
MUST_CHECK struct error *execute(struct go_run *run, const struct template *t, struct value dot, struct buf *out, uint32_t depth);

enum { TEMPLATE_STACK = 128 * 1024 /* that a template wants to find, so that {{template}} is what fails first */ };

extern _Thread_local const char *stack_lowest; /* NULL: not known yet; never changes afterwards */
void stack_measure(void); /* makes it known */
/* Is so little of the thread's C stack left that recursion must end? `spare`: bytes that must be left beyond that. */
static inline bool stack_low(size_t spare) {
    if (stack_lowest == NULL) stack_measure();
    return (const char *)__builtin_frame_address(0) < stack_lowest + spare;
}

/* Builtins that the executor runs itself (their arguments are not all evaluated); never called. */
struct error *builtin_and(struct go_run *run, const struct value *args, size_t count, struct value *out);
struct error *builtin_or(struct go_run *run, const struct value *args, size_t count, struct value *out);
struct error *builtin_call(struct go_run *run, const struct value *args, size_t count, struct value *out);
/* text/template's indirect: what pointers lead to. false: a nil pointer or nil in an interface. */
bool indirect(struct value *v);
/* The value that fmt shows of an operand, and whether there is one: not of functions. */
bool printable(struct value *v);
/* prepareArg of `call` and `index`. */
MUST_CHECK struct error *prepare_arg(struct value *v, const struct go_type *type);
