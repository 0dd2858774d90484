/* Names, overloads and what is known of types before evaluation: enough to refuse what cel-go refuses. Whatever is not known
 * is `dyn` and fits everywhere. */
#include "base/str.h"
#include "schema/cel_internal.h"

struct scope {
    const struct scope *parent;
    const char *name;
    const struct cel_static *known;
};
struct checker {
    struct arena *arena;
    const struct cel_env *env;
    struct cel_problems problems;
};

static const struct cel_static dyn = {.kind = CEL_DYN}, failed = {.kind = CEL_DYN, .name = "!error!"};

/* ---- types ---- */

static struct cel_static *known(struct checker *c, enum cel_kind kind, const struct cel_static *element) {
    struct cel_static *s = ARENA_NEW(c->arena, struct cel_static);
    *s = (struct cel_static){.kind = kind, .element = element};
    return s;
}

static const struct cel_static *of_type(struct checker *c, const struct type *t) {
    static const enum cel_kind kinds[] = {[TYPE_STRING] = CEL_STRING, [TYPE_INT32] = CEL_INT, [TYPE_INT64] = CEL_INT, [TYPE_BOOL] = CEL_BOOL,
        [TYPE_DOUBLE] = CEL_DOUBLE, [TYPE_BYTES] = CEL_BYTES, [TYPE_TIME] = CEL_TIMESTAMP, [TYPE_MICRO_TIME] = CEL_TIMESTAMP,
        [TYPE_DURATION] = CEL_DURATION, [TYPE_STRUCT] = CEL_MAP, [TYPE_LIST] = CEL_LIST, [TYPE_MAP] = CEL_MAP};
    if (t == NULL || (size_t)t->kind >= ARRAY_LEN(kinds) || kinds[t->kind] == CEL_DYN) return &dyn;
    if (t->kind == TYPE_STRUCT && t->preserve_unknown && t->field_count == 0) return &dyn;
    struct cel_static *s = ARENA_NEW(c->arena, struct cel_static);
    *s = (struct cel_static){.kind = kinds[t->kind], .type = t};
    if (t->kind == TYPE_LIST || t->kind == TYPE_MAP) s->element = of_type(c, t->element);
    if (t->kind == TYPE_STRUCT) s->name = t->name && str_starts(t->name, "kubernetes.") ? t->name : "object";
    return s;
}

static const char *name_of(struct arena *a, const struct cel_static *s) {
    if (s->name) return s->name;
    if (s->kind == CEL_LIST) return arena_printf(a, "list(%s)", name_of(a, s->element ? s->element : &dyn));
    if (s->kind == CEL_MAP) return arena_printf(a, "map(string, %s)", name_of(a, s->element ? s->element : &dyn));
    if (s->kind == CEL_OPTIONAL) return arena_printf(a, "optional_type(%s)", name_of(a, s->element ? s->element : &dyn));
    return cel_kind_name(s->kind);
}

static bool agree(const struct cel_static *x, const struct cel_static *y) { return x->kind == CEL_DYN || y->kind == CEL_DYN || x->kind == y->kind; }

static const struct cel_static *fail(struct checker *c, const struct cel_node *n, const char *message) {
    cel_problem_add(&c->problems, n->pos, "%s", message);
    return &failed; /* fits everywhere: what follows from the problem is none of its own */
}

/* ---- names ---- */

static const struct cel_var *find_var(const struct checker *c, const char *name) {
    for (size_t i = 0; i < c->env->var_count; i++)
        if (str_eq(c->env->vars[i].name, name)) return &c->env->vars[i];
    return NULL;
}

static const struct cel_static *ident(struct checker *c, const struct scope *scope, const struct cel_node *n) {
    static const char *const types[] = {"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", NULL};
    for (; scope; scope = scope->parent)
        if (str_eq(scope->name, n->name)) return scope->known;
    const struct cel_var *v = find_var(c, n->name);
    if (v && v->type) return of_type(c, v->type);
    if (v) {
        struct cel_static *s = ARENA_NEW(c->arena, struct cel_static);
        *s = (struct cel_static){.kind = v->kind, .name = v->type_name};
        return s;
    }
    if (str_in(n->name, types)) return known(c, CEL_TYPE, NULL);
    return fail(c, n, arena_printf(c->arena, "undeclared reference to '%s' (in container '')", n->name));
}

/* Property names that are no identifiers, as Kubernetes escapes them: __dot__, __dash__, __slash__, __namespace__. */
static const char *unescaped(struct arena *a, const char *name) {
    static const char *const pairs[][2] = {{"__underscores__", "__"}, {"__dot__", "."}, {"__dash__", "-"}, {"__slash__", "/"}};
    static const char *const words[] = {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
                                        "let", "loop", "package", "namespace", "return", "var", "void", "while", NULL};
    size_t n = strlen(name);
    if (n > 4 && str_starts(name, "__") && str_ends(name, "__")) {
        const char *word = arena_strndup(a, name + 2, n - 4);
        if (str_in(word, words)) return word;
    }
    cleanup_buf struct buf b = {0};
    while (*name) {
        size_t i = 0;
        while (i < ARRAY_LEN(pairs) && !str_starts(name, pairs[i][0]))
            i++;
        if (i == ARRAY_LEN(pairs)) {
            buf_addc(&b, *name++);
        } else {
            buf_adds(&b, pairs[i][1]);
            name += strlen(pairs[i][0]);
        }
    }
    return arena_strndup(a, buf_str(&b), b.len);
}

static const struct cel_static *infer(struct checker *c, const struct scope *scope, struct cel_node *n);

static const struct cel_static *select_member(struct checker *c, const struct scope *scope, struct cel_node *n) {
    const struct cel_static *target = infer(c, scope, n->target), *out = &dyn;
    bool chained = target->kind == CEL_OPTIONAL;
    if (chained) target = target->element ? target->element : &dyn;
    if (target->kind == CEL_MAP && target->type && target->type->kind == TYPE_STRUCT) {
        const struct type *t = target->type;
        const struct field *f = type_field(t, n->name);
        if (f == NULL && strstr(n->name, "__") && (f = type_field(t, unescaped(c->arena, n->name)))) n->name = f->name;
        if (f == NULL && !t->preserve_unknown) return fail(c, n, arena_printf(c->arena, "undefined field '%s'", n->name));
        out = of_type(c, f ? f->type : NULL);
    } else if (target->kind == CEL_MAP) {
        out = target->element ? target->element : &dyn;
    } else if (target->kind != CEL_DYN) {
        return fail(c, n, arena_printf(c->arena, "type '%s' does not support field selection", name_of(c->arena, target)));
    }
    if (n->test) return known(c, CEL_BOOL, NULL);
    return chained || n->optional ? known(c, CEL_OPTIONAL, out) : out;
}

/* ---- calls ---- */

enum cel_kind cel_letter(char c) {
    static const char letters[] = "*nbiudsylmtDToqICUSFA";
    const char *at = strchr(letters, c);
    return at ? (enum cel_kind)(at - letters) : CEL_DYN;
}

bool cel_matches(const struct cel_function *f, bool member, size_t argc, const enum cel_kind *kinds) {
    const char *p = f->args;
    if (member != (p[0] != '\0' && p[1] == '.')) return false;
    for (size_t i = 0; i < argc; i++) {
        enum cel_kind wanted = cel_letter(*p);
        if (*p == '\0' || (wanted != CEL_DYN && kinds[i] != CEL_DYN && kinds[i] != wanted)) return false;
        p += p[1] == '.' ? 2 : 1;
    }
    return *p == '\0';
}

static bool is_function(const char *name) {
    for (size_t i = 0; cel_libraries[i]; i++)
        for (const struct cel_function *f = cel_libraries[i]; f->name; f++)
            if (str_eq(f->name, name)) return true;
    return false;
}

static const struct cel_static *result_of(struct checker *c, char letter, const struct cel_static *const *args) {
    if (letter == 'e') return args[0]->element ? args[0]->element : &dyn;
    if (letter == '1') return args[0];
    if (letter == 'L') return known(c, CEL_LIST, known(c, CEL_STRING, NULL));
    return letter == '*' ? &dyn : known(c, cel_letter(letter), letter == 'o' ? args[0] : NULL);
}

static const char *applied(struct checker *c, const struct cel_node *n, const struct cel_static *const *args, size_t argc, bool member) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < argc; i++)
        buf_printf(&b, "%s%s", member && i == 1 ? ".(" : i ? (member && i == 0 ? "" : ", ") : member ? "" : "(", name_of(c->arena, args[i]));
    buf_adds(&b, member && argc == 1 ? ".()" : argc == 0 ? "()" : ")");
    return arena_printf(c->arena, "found no matching overload for '%s' applied to '%s'", n->name, buf_str(&b));
}

/* Where the overloads' results differ, nothing is known of the result. */
static const struct cel_static *overload(struct checker *c, const struct cel_node *n, bool member, const struct cel_static *const *args, size_t argc) {
    enum cel_kind kinds[16];
    const struct cel_static *out = NULL;
    bool named = false;
    for (size_t i = 0; i < argc; i++)
        kinds[i] = args[i]->kind;
    for (size_t i = 0; cel_libraries[i]; i++)
        for (const struct cel_function *f = cel_libraries[i]; f->name; f++) {
            if (!str_eq(f->name, n->name)) continue;
            named = true;
            if (!cel_matches(f, member, argc, kinds)) continue;
            const struct cel_static *result = result_of(c, f->result, args);
            out = out == NULL || out->kind == result->kind ? result : &dyn;
        }
    if (out) return out;
    return fail(c, n, named ? applied(c, n, args, argc, member) : arena_printf(c->arena, "undeclared reference to '%s' (in container '')", n->name));
}

static const struct cel_static *operator(struct checker *c, const struct cel_node *n, const struct cel_static *const *args, size_t argc) {
    bool equality = str_eq(n->name, "_==_") || str_eq(n->name, "_!=_"), logic = str_eq(n->name, "_&&_") || str_eq(n->name, "_||_");
    if (equality) {
        bool null = (args[0]->kind == CEL_NULL && args[1]->kind >= CEL_MAP) || (args[1]->kind == CEL_NULL && args[0]->kind >= CEL_MAP);
        if (!agree(args[0], args[1]) && !null) return fail(c, n, applied(c, n, args, argc, false));
        return known(c, CEL_BOOL, NULL);
    }
    for (size_t i = 0; i < (logic ? 2U : 1U); i++)
        if ((logic || argc == 3) && args[i]->kind != CEL_DYN && args[i]->kind != CEL_BOOL) return fail(c, n, applied(c, n, args, argc, false));
    if (logic) return known(c, CEL_BOOL, NULL);
    if (!agree(args[1], args[2])) return fail(c, n, applied(c, n, args, argc, false));
    return args[1]->kind == CEL_DYN ? args[1] : args[2]->kind == CEL_DYN ? args[2] : args[1];
}

/* "sets.contains(...)": what looks like a member call may be a function with a dotted name. */
static void qualify(struct checker *c, const struct scope *scope, struct cel_node *n) {
    if (n->target == NULL || n->target->kind != NODE_IDENT || find_var(c, n->target->name)) return;
    for (; scope; scope = scope->parent)
        if (str_eq(scope->name, n->target->name)) return;
    const char *name = arena_printf(c->arena, "%s.%s", n->target->name, n->name);
    if (!is_function(name)) return;
    n->name = name;
    n->target = NULL;
}

static const struct cel_static *call(struct checker *c, const struct scope *scope, struct cel_node *n) {
    const struct cel_static *args[16];
    size_t argc = 0;
    qualify(c, scope, n);
    bool member = n->target != NULL;
    if (member) args[argc++] = infer(c, scope, n->target);
    for (size_t i = 0; i < n->argc && argc < ARRAY_LEN(args); i++)
        args[argc++] = infer(c, scope, n->args[i]);
    static const char *const special[] = {"_==_", "_!=_", "_&&_", "_||_", "_?_:_", NULL};
    return str_in(n->name, special) ? operator(c, n, args, argc) : overload(c, n, member, args, argc);
}

/* ---- macros and aggregates ---- */

/* Whether keys of the type can be sorted by. */
static bool is_ordered(const struct cel_static *s) { return s->kind <= CEL_BYTES || s->kind == CEL_TIMESTAMP || s->kind == CEL_DURATION; }

static const struct cel_static *macro(struct checker *c, const struct scope *scope, struct cel_node *n) {
    static const struct cel_static key = {.kind = CEL_STRING}, index = {.kind = CEL_INT};
    const struct cel_static *range = infer(c, scope, n->target);
    bool optional = n->macro == MACRO_OPT_MAP || n->macro == MACRO_OPT_FLAT_MAP;
    if (!optional && range->kind != CEL_DYN && range->kind != CEL_LIST && range->kind != CEL_MAP)
        return fail(c, n->target, arena_printf(c->arena, "expression of type '%s' cannot be range of a comprehension (must be list, map, or dynamic)",
                                               name_of(c->arena, range)));
    const struct cel_static *element = range->element ? range->element : &dyn;
    bool map = range->kind == CEL_MAP;
    struct scope first = {scope, n->name, n->name2 ? (map ? &key : &index) : map && !optional ? &key : element};
    struct scope second = {&first, n->name2 ? n->name2 : "", element};
    const struct cel_static *last = &dyn;
    for (size_t i = 0; i < n->argc; i++) {
        last = infer(c, &second, n->args[i]);
        bool condition = n->macro <= MACRO_EXISTS_ONE || n->macro == MACRO_FILTER || (n->argc == 2 && i == 0);
        if (condition && last->kind != CEL_DYN && last->kind != CEL_BOOL)
            return fail(c, n->args[i], arena_printf(c->arena, "expected type 'bool' but found '%s'", name_of(c->arena, last)));
    }
    switch (n->macro) {
    case MACRO_ALL:
    case MACRO_EXISTS:
    case MACRO_EXISTS_ONE: return known(c, CEL_BOOL, NULL);
    case MACRO_FILTER: return map ? known(c, CEL_LIST, &key) : range->kind == CEL_LIST ? range : known(c, CEL_LIST, &dyn);
    case MACRO_MAP:
    case MACRO_TRANSFORM_LIST: return known(c, CEL_LIST, last);
    case MACRO_TRANSFORM_MAP: return known(c, CEL_MAP, last);
    case MACRO_TRANSFORM_ENTRY:
        if (last->kind == CEL_MAP || last->kind == CEL_DYN) return known(c, CEL_MAP, last->element);
        return fail(c, n, arena_printf(c->arena, "found no matching overload for 'cel.@mapInsert' applied to '(map(dyn, dyn), %s)'", name_of(c->arena, last)));
    case MACRO_SORT_BY:
        if (!map && is_ordered(last)) return range;
        return fail(c, n, arena_printf(c->arena, "found no matching overload for '@sortByAssociatedKeys' applied to '%s.(%s)'", name_of(c->arena, range),
                                       name_of(c->arena, known(c, CEL_LIST, last))));
    case MACRO_OPT_MAP: return known(c, CEL_OPTIONAL, last);
    default: return last;
    }
}

static const struct cel_static *aggregate(struct checker *c, const struct scope *scope, struct cel_node *n) {
    const struct cel_static *element = NULL;
    bool map = n->kind == NODE_MAP;
    for (size_t i = 0; i < n->argc; i++) {
        const struct cel_static *s = infer(c, scope, n->args[i]);
        if (map && i % 2 == 0) continue;
        element = element == NULL || element->kind == s->kind ? s : &dyn;
    }
    struct cel_static *s = known(c, map ? CEL_MAP : CEL_LIST, element ? element : &dyn);
    if (map && n->argc == 0) s->name = "map(dyn, dyn)";
    return s;
}

static const struct cel_static *infer(struct checker *c, const struct scope *scope, struct cel_node *n) {
    switch (n->kind) {
    case NODE_LITERAL: n->known = known(c, n->literal->kind, NULL); break;
    case NODE_IDENT: n->known = ident(c, scope, n); break;
    case NODE_SELECT: n->known = select_member(c, scope, n); break;
    case NODE_CALL: n->known = call(c, scope, n); break;
    case NODE_MACRO: n->known = macro(c, scope, n); break;
    default: n->known = aggregate(c, scope, n);
    }
    return n->known;
}

/* ---- what is refused although it has a type: literals that a function can make nothing of, lists and maps of several types
 * (cel.ValidateDurationLiterals, …TimestampLiterals, …RegexLiterals, …HomogeneousAggregateLiterals) ---- */

static const struct { const char *name, *args; } validated[] = {{"duration", "s"}, {"timestamp", "s"}, {"matches", "s.s"}};

static bool works(struct checker *c, const char *name, const char *args, const struct cel_value *literal) {
    static const struct cel_scope scope;
    const struct cel_value *both[] = {literal, literal}; /* what is matched does not matter */
    for (size_t i = 0; cel_libraries[i]; i++)
        for (const struct cel_function *f = cel_libraries[i]; f->name; f++) {
            if (!str_eq(f->name, name) || !str_eq(f->args, args)) continue;
            struct cel_run r = {.arena = c->arena, .scope = &scope, .max_cost = UINT64_MAX};
            f->call(&r, both);
            return r.problem == NULL;
        }
    return true;
}

/* Whether the type that is known is the one that cel-go knows: it follows the results of functions and variables of policies further. */
static bool is_certain(const struct checker *c, const struct cel_node *n) {
    const struct cel_static *s = n->known;
    if ((s->kind == CEL_LIST || s->kind == CEL_MAP) && (s->type || n->argc == 0 || s->element == NULL || s->element->kind == CEL_DYN)) return false;
    if (s->kind != CEL_DYN && s->kind != CEL_OPTIONAL) return true;
    while (n->kind == NODE_SELECT) n = n->target;
    return n->kind == NODE_IDENT && find_var(c, n->name) && !str_eq(n->name, "variables");
}

static void one_type(struct checker *c, const struct cel_node *n, size_t first, size_t step) {
    const char *expected = NULL;
    for (size_t i = first; i < n->argc; i += step) {
        const struct cel_static *s = n->args[i]->known;
        bool optional = n->optional_args && (step == 1 ? n->optional_args[i] : first == 1 && n->optional_args[i / 2]);
        if (!is_certain(c, n->args[i])) continue;
        if (optional) s = s->kind == CEL_OPTIONAL && s->element ? s->element : &dyn;
        const char *found = name_of(c->arena, s);
        if (expected == NULL) expected = found;
        if (str_eq(expected, found)) continue;
        cel_problem_add(&c->problems, n->args[i]->pos, "expected type '%s' but found '%s'", expected, found);
        if (step == 1) return; /* of a list only the first one is told */
    }
}

/* `exempt`: an argument of a function that takes values of any types. */
static void validate(struct checker *c, const struct cel_node *n, bool exempt) {
    if (n == NULL) return;
    exempt |= n->kind == NODE_CALL && str_eq(n->name, "format");
    validate(c, n->target, exempt);
    for (size_t i = 0; i < n->argc; i++) validate(c, n->args[i], exempt);
    if (n->kind == NODE_LIST && !exempt) one_type(c, n, 0, 1);
    for (size_t k = 0; n->kind == NODE_MAP && !exempt && k < 2; k++) one_type(c, n, k, 2);
    for (size_t i = 0; n->kind == NODE_CALL && n->argc == 1 && i < ARRAY_LEN(validated); i++) {
        const struct cel_node *literal = n->args[0];
        bool member = strchr(validated[i].args, '.') != NULL;
        if (!str_eq(n->name, validated[i].name) || member != (n->target != NULL)) continue;
        if (literal->kind == NODE_LITERAL && literal->literal->kind == CEL_STRING && !works(c, n->name, validated[i].args, literal->literal))
            cel_problem_add(&c->problems, literal->pos, "invalid %s argument", n->name);
    }
}

struct error *cel_check(struct arena *a, const char *text, const struct cel_env *env, struct cel_node *root) {
    struct checker c = {.arena = a, .env = env, .problems = {.arena = a, .text = text}};
    infer(&c, NULL, root);
    if (c.problems.len == 0) validate(&c, root, false);
    return cel_problems_done(&c.problems);
}

const char *cel_result_name(const struct cel_program *p) { return p->result_name; }

enum cel_kind cel_result(const struct cel_program *p) { return p->root->known->kind; }

static bool uses(const struct cel_node *n, const char *variable) {
    if (n == NULL) return false;
    if (n->kind == NODE_IDENT && str_eq(n->name, variable)) return true;
    for (size_t i = 0; i < n->argc; i++)
        if (uses(n->args[i], variable)) return true;
    return uses(n->target, variable);
}

bool cel_uses(const struct cel_program *p, const char *variable) { return uses(p->root, variable); }

struct error *cel_compile(struct arena *a, const char *text, const struct cel_env *env, struct cel_program **out) {
    struct cel_program *p = ARENA_NEW(a, struct cel_program);
    TRY(cel_parse(a, text, &p->root));
    TRY(cel_check(a, text, env, p->root));
    p->max_cost = env->max_cost ? env->max_cost : 1000000;
    p->result_name = name_of(a, p->root->known);
    *out = p;
    return NULL;
}
