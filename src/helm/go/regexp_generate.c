/* From the syntax tree to the program. Parts are laid out one behind the other; forks prefer their first target. */
#include "helm/go/regexp_internal.h"
#include "helm/go/unicode.h"

struct generator {
    struct arena *arena;
    struct inst *insts;
    uint32_t count, cap;
};

static uint32_t emit(struct generator *g, struct inst inst) {
    if (g->count == g->cap) {
        uint32_t cap = g->cap ? 2 * g->cap : 16;
        g->insts = arena_grow(g->arena, g->insts, g->cap * sizeof(inst), cap * sizeof(inst));
        g->cap = cap;
    }
    g->insts[g->count] = inst;
    return g->count++;
}

/* A fork whose preferred way is the next instruction, or else the other one. */
static uint32_t emit_fork(struct generator *g) { return emit(g, (struct inst){.op = INST_FORK}); }

static void set_fork(struct generator *g, uint32_t fork, uint32_t preferred, uint32_t other, bool lazy) {
    g->insts[fork].x = lazy ? other : preferred;
    g->insts[fork].y = lazy ? preferred : other;
}

static void generate(struct generator *g, const struct node *n);

static void generate_class(struct generator *g, const struct node *n) {
    if (n->count == 1 && n->ranges[0].low == n->ranges[0].high) emit(g, (struct inst){.op = INST_RUNE, .x = n->ranges[0].low});
    else emit(g, (struct inst){.op = INST_CLASS, .x = n->count, .ranges = n->ranges});
}

static void generate_quest(struct generator *g, const struct node *sub, bool lazy) {
    uint32_t fork = emit_fork(g);
    generate(g, sub);
    set_fork(g, fork, fork + 1, g->count, lazy);
}

static void generate_plus(struct generator *g, const struct node *sub, bool lazy) {
    uint32_t start = g->count;
    generate(g, sub);
    uint32_t fork = emit_fork(g);
    set_fork(g, fork, start, fork + 1, lazy);
}

/* What may be empty is repeated as (x+)?, so that the order of preference is right. */
static void generate_star(struct generator *g, const struct node *sub, bool lazy) {
    uint32_t fork = emit_fork(g);
    if (sub->nullable) generate_plus(g, sub, lazy);
    else {
        generate(g, sub);
        emit(g, (struct inst){.op = INST_JUMP, .x = fork});
    }
    set_fork(g, fork, fork + 1, g->count, lazy);
}

/* x** is x*, and so on; nothing repeated is nothing. */
static void generate_simple(struct generator *g, enum node_op op, const struct node *sub, bool lazy) {
    while (sub->op == op && sub->lazy == lazy) sub = sub->subs[0];
    if (sub->op == NODE_EMPTY) return;
    if (op == NODE_STAR) generate_star(g, sub, lazy);
    else if (op == NODE_PLUS) generate_plus(g, sub, lazy);
    else generate_quest(g, sub, lazy);
}

/* x{2,} is xx+ and x{2,4} is xx(x(x)?)?. */
static void generate_repeat(struct generator *g, const struct node *n) {
    const struct node *sub = n->subs[0];
    if (n->max < 0) {
        for (int i = 1; i < n->min; i++) generate(g, sub);
        generate_simple(g, n->min == 0 ? NODE_STAR : NODE_PLUS, sub, n->lazy);
        return;
    }
    for (int i = 0; i < n->min; i++) generate(g, sub);
    uint32_t start = g->count, *forks = arena_calloc(g->arena, (size_t)(n->max - n->min) + 1, sizeof(*forks));
    for (int i = n->min; i < n->max; i++) {
        forks[i - n->min] = emit_fork(g);
        generate(g, sub);
    }
    if (sub->op == NODE_EMPTY) g->count = start;
    else
        for (int i = n->min; i < n->max; i++) set_fork(g, forks[i - n->min], forks[i - n->min] + 1, g->count, n->lazy);
}

static void generate_alternatives(struct generator *g, const struct node *n) {
    uint32_t *ends = arena_calloc(g->arena, n->count, sizeof(*ends));
    for (uint32_t i = 0; i < n->count; i++) {
        bool last = i + 1 == n->count;
        uint32_t fork = last ? 0 : emit_fork(g);
        generate(g, n->subs[i]);
        if (last) break;
        ends[i] = emit(g, (struct inst){.op = INST_JUMP});
        set_fork(g, fork, fork + 1, g->count, false);
    }
    for (uint32_t i = 0; i + 1 < n->count; i++) g->insts[ends[i]].x = g->count;
}

static void generate(struct generator *g, const struct node *n) {
    switch (n->op) {
    case NODE_EMPTY: break;
    case NODE_CLASS: generate_class(g, n); break;
    case NODE_ANY: emit(g, (struct inst){.op = INST_ANY}); break;
    case NODE_ANY_NOT_NL: emit(g, (struct inst){.op = INST_ANY_NOT_NL}); break;
    case NODE_ASSERT: emit(g, (struct inst){.op = INST_ASSERT, .x = n->arg}); break;
    case NODE_CAPTURE:
        emit(g, (struct inst){.op = INST_SAVE, .x = 2 * n->arg});
        generate(g, n->subs[0]);
        emit(g, (struct inst){.op = INST_SAVE, .x = 2 * n->arg + 1});
        break;
    case NODE_STAR:
    case NODE_PLUS:
    case NODE_QUEST: generate_simple(g, n->op, n->subs[0], n->lazy); break;
    case NODE_REPEAT: generate_repeat(g, n); break;
    case NODE_CONCAT:
        for (uint32_t i = 0; i < n->count; i++) generate(g, n->subs[i]);
        break;
    case NODE_ALTERNATE: generate_alternatives(g, n); break;
    }
}

/* The text that every match starts with, to skip quickly to where it stands. No jump leads between its runes. */
static void find_prefix(struct generator *g, struct regexp *re) {
    cleanup_buf struct buf prefix = {0};
    uint32_t i = 0;
    if (g->insts[0].op == INST_ASSERT && g->insts[0].x == ASSERT_BEGIN_TEXT) re->anchored = true;
    for (; g->insts[i].op == INST_RUNE && g->insts[i].x != RUNE_ERROR; i++) buf_add_rune(&prefix, g->insts[i].x);
    for (uint32_t k = i; k < g->count; k++) /* loops into it */
        if (g->insts[k].op == INST_FORK && MIN(g->insts[k].x, g->insts[k].y) < i) return;
    re->prefix = arena_strndup(g->arena, buf_str(&prefix), prefix.len);
    re->prefix_len = prefix.len;
}

void regexp_generate(struct arena *a, const struct node *root, struct regexp *re) {
    struct generator g = {.arena = a};
    generate(&g, root);
    emit(&g, (struct inst){.op = INST_MATCH});
    re->insts = g.insts;
    re->count = g.count;
    find_prefix(&g, re);
}
