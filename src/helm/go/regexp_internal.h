/* Private to regexp_*.c: the syntax tree, rune classes, the program. */
#pragma once
#include "helm/go/regexp.h"

enum node_op {
    NODE_EMPTY, NODE_CLASS, NODE_ANY, NODE_ANY_NOT_NL, NODE_ASSERT, NODE_CAPTURE, NODE_STAR, NODE_PLUS, NODE_QUEST, NODE_REPEAT,
    NODE_CONCAT, NODE_ALTERNATE,
};

/* What must hold between two runes. */
enum assertion {
    ASSERT_BEGIN_LINE = 1, ASSERT_END_LINE = 2, ASSERT_BEGIN_TEXT = 4, ASSERT_END_TEXT = 8, ASSERT_WORD_BOUNDARY = 16,
    ASSERT_NO_WORD_BOUNDARY = 32,
};

struct rune_range {
    uint32_t low, high;
};

struct node {
    enum node_op op;
    bool lazy;             /* of repetitions: prefers fewer */
    bool nullable;         /* may match nothing */
    int min, max;          /* of NODE_REPEAT; max -1: none */
    uint32_t arg;          /* number of a capture, an enum assertion */
    uint32_t height;
    uint64_t size;         /* instructions, as Go estimates them */
    const struct rune_range *ranges; /* of a class */
    struct node **subs;
    uint32_t count;        /* ranges or subs */
};

struct group_name {
    uint32_t group;
    const char *name;
    size_t len;
};

enum inst_op { INST_MATCH, INST_RUNE, INST_CLASS, INST_ANY, INST_ANY_NOT_NL, INST_ASSERT, INST_SAVE, INST_JUMP, INST_FORK };
/* All but jumps and forks go on with the next instruction. */
struct inst {
    enum inst_op op : 8;
    uint32_t x; /* rune, assertion, slot, target (of a fork: the preferred one), number of ranges */
    union {
        uint32_t y; /* of a fork: the other target */
        const struct rune_range *ranges;
    };
};

struct regexp {
    const struct inst *insts;
    uint32_t count, groups;
    const struct group_name *names;
    size_t name_count;
    const char *prefix; /* what every match starts with */
    size_t prefix_len;
    bool anchored, empty; /* matches at the start of the text only; the expression is "" */
};

/* ---- classes under construction (regexp_class.c) ---- */

struct class {
    struct arena *arena;
    struct rune_range *ranges;
    size_t count, cap;
};
void class_add(struct class *c, uint32_t low, uint32_t high);
void class_add_folded(struct class *c, uint32_t low, uint32_t high); /* with all runes that are equal but for case */
void class_clean(struct class *c);                                   /* sorted, without overlaps */
void class_negate(struct class *c);                                  /* of a clean one */
void class_add_class(struct class *c, struct class *other, bool folded, bool negated);
/* \d \s \w and their negations; [:alpha:] and the like, `name` with its brackets. false: there is none. */
bool class_add_perl(struct class *c, char letter, bool folded);
bool class_add_posix(struct class *c, const char *name, size_t n, bool folded);
/* \p{name}: categories, their long names, scripts. */
bool class_add_unicode(struct class *c, const char *name, size_t n, bool folded, bool negated);

MUST_CHECK struct error *regexp_parse(struct arena *a, const char *s, size_t n, struct regexp *re, const struct node **out);
void regexp_generate(struct arena *a, const struct node *root, struct regexp *re);
