/* What the parts of the CEL engine share: values, syntax trees, functions. */
#pragma once
#include "schema/cel.h"
#include "schema/ip.h"

/* ---- values ---- */

struct cel_entry {
    const struct cel_value *key, *value;
};
struct cel_value {
    enum cel_kind kind;
    union {
        bool b;
        int64_t i; /* also nanoseconds of durations and of timestamps since 1970 */
        uint64_t u;
        double d;
        struct {
            const char *s;
            size_t len; /* bytes */
        };
        struct { /* lists and maps: native, backed by JSON, or (maps) by a function */
            const struct cel_value *const *items;
            const struct cel_entry *entries;
            size_t count;
            const struct json *json;
            const struct type *type;
            const struct cel_value *(*member)(void *arg, const char *name, const char **problem);
            void *arg;
        };
        const struct cel_value *value; /* of an optional, NULL: none */
        struct quantity quantity;
        struct {
            struct ip ip;
            int bits;
        };
        const struct json *object; /* URLs, semantic versions, authorizers and their decisions: parts by name */
    };
};

const struct cel_value *cel_bool(bool b);
const struct cel_value *cel_null(void);
const struct cel_value *cel_int(struct arena *a, int64_t i);
const struct cel_value *cel_double(struct arena *a, double d);
const struct cel_value *cel_string(struct arena *a, const char *s); /* not copied */
const struct cel_value *cel_string_n(struct arena *a, const char *s, size_t n);
const struct cel_value *cel_of(struct arena *a, enum cel_kind kind, int64_t i);
const struct cel_value *cel_list(struct arena *a, const struct cel_value *const *items, size_t n);
const struct cel_value *cel_object(struct arena *a, enum cel_kind kind, const struct json *object);

size_t cel_size(const struct cel_value *v); /* elements of a list or map */
const struct cel_value *cel_at(struct arena *a, const struct cel_value *list, size_t i);
/* NULL if there is none; `problem` if finding it failed. */
const struct cel_value *cel_member(struct arena *a, const struct cel_value *map, const struct cel_value *key, const char **problem);
struct cel_entry cel_entry_at(struct arena *a, const struct cel_value *map, size_t i);
bool cel_equal(struct arena *a, const struct cel_value *x, const struct cel_value *y);
bool cel_compare(const struct cel_value *x, const struct cel_value *y, int *out); /* false: not comparable */
const char *cel_kind_name(enum cel_kind kind);

/* ---- syntax ---- */

enum node_kind { NODE_LITERAL, NODE_IDENT, NODE_SELECT, NODE_CALL, NODE_LIST, NODE_MAP, NODE_MACRO };
enum macro { MACRO_ALL, MACRO_EXISTS, MACRO_EXISTS_ONE, MACRO_MAP, MACRO_FILTER, MACRO_OPT_MAP, MACRO_OPT_FLAT_MAP, MACRO_TRANSFORM_LIST, MACRO_TRANSFORM_MAP,
    MACRO_TRANSFORM_ENTRY, MACRO_SORT_BY };

/* What is known of a value before it is there. */
struct cel_static {
    enum cel_kind kind;
    const struct type *type;         /* of objects, lists and maps with a schema */
    const struct cel_static *element; /* of lists and maps (values) and optionals */
    const char *name;                /* in messages, else by kind */
};
struct cel_node {
    enum node_kind kind;
    enum macro macro;
    uint32_t pos;
    const char *name, *name2;        /* identifier, field, function; macro variables */
    struct cel_node *target;         /* of selections, member calls and macros */
    struct cel_node **args;
    const bool *optional_args;       /* of lists and maps: [?x], {?k: v} */
    size_t argc;
    const struct cel_value *literal;
    bool test, optional;             /* has(a.b); a.?b */
    const struct cel_static *known;
};
struct cel_program {
    struct cel_node *root;
    uint64_t max_cost;
    const char *result_name;
};

/* Parses; the error is worded and has its place. */
MUST_CHECK struct error *cel_parse(struct arena *a, const char *text, struct cel_node **out);
/* All that is wrong with a text; shown in the order of the text, as cel-go does. */
struct cel_problems {
    struct arena *arena;
    const char *text;
    struct cel_problem {
        uint32_t pos;
        const char *message;
    } *items;
    size_t len;
};
void cel_problem_add(struct cel_problems *p, uint32_t pos, const char *fmt, ...) PRINTF(3, 4);
struct error *cel_problems_done(struct cel_problems *p); /* NULL: none */
/* Declares, resolves and infers; fills `known` of every node. */
MUST_CHECK struct error *cel_check(struct arena *a, const char *text, const struct cel_env *env, struct cel_node *root);

/* ---- functions ---- */

struct cel_run {
    struct arena *arena;
    const struct cel_scope *scope;
    const struct cel_frame *frames;
    const char *problem; /* of the evaluation so far */
    uint64_t cost, max_cost;
};
typedef const struct cel_value *cel_fn(struct cel_run *r, const struct cel_value *const *args);

/* One overload. `args` has a letter per argument, the receiver first ('.' behind it for member calls): n null, b bool, i int,
 * u uint, d double, s string, y bytes, l list, m map, t timestamp, D duration, T type, o optional, q quantity, I ip, C cidr,
 * U url, S semver, F format, A authorizer, * anything. `result` likewise; 'e' is the element of the first argument, '1' the
 * first argument's type, 'L' a list of strings. */
struct cel_function {
    const char *name, *args;
    char result;
    cel_fn *call;
};
extern const struct cel_function cel_strings[], cel_kubernetes[];
/* The list in the order of its keys; a problem if those cannot be ordered. */
const struct cel_value *cel_sort(struct cel_run *r, const struct cel_value *list, const struct cel_value *keys);
extern const struct cel_function *const cel_libraries[]; /* tables, each ending with name NULL; NULL at the end */

const struct cel_value *cel_fail(struct cel_run *r, const char *fmt, ...) PRINTF(2, 3) __attribute__((returns_nonnull)); /* sets problem */
bool cel_matches(const struct cel_function *f, bool member, size_t argc, const enum cel_kind *kinds);
bool cel_spend(struct cel_run *r, uint64_t cost); /* false (and the problem) if the limit is passed */
enum cel_kind cel_letter(char c);
