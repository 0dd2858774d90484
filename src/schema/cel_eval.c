/* Evaluating CEL: a walk over the tree. A NULL result means that r->problem is set; && and || may overcome one. */
#include "base/str.h"
#include "schema/cel_internal.h"

struct cel_frame {
    const struct cel_frame *parent;
    const char *name;
    const struct cel_value *value;
};

static const char limit_exceeded[] = "operation cancelled: actual cost limit exceeded";

const struct cel_value *cel_fail(struct cel_run *r, const char *fmt, ...) {
    static const struct cel_value failed = {.kind = CEL_NULL};
    va_list args;
    va_start(args, fmt);
    const char *problem = arena_vprintf(r->arena, fmt, args);
    va_end(args);
    if (r->problem == NULL) r->problem = problem;
    return &failed;
}

bool cel_spend(struct cel_run *r, uint64_t cost) {
    uint64_t *budget = r->scope->budget;
    r->cost += cost;
    if (budget) *budget = *budget > cost ? *budget - cost : 0;
    if (r->cost <= r->max_cost && (budget == NULL || *budget > 0)) return true;
    r->problem = limit_exceeded;
    return false;
}

static const struct cel_value *eval(struct cel_run *r, const struct cel_node *n);

static const struct cel_value *no_overload(struct cel_run *r) {
    cel_fail(r, "no such overload");
    return NULL;
}

/* ---- names and members ---- */

static const struct cel_value *ident(struct cel_run *r, const struct cel_node *n) {
    for (const struct cel_frame *f = r->frames; f; f = f->parent)
        if (str_eq(f->name, n->name)) return f->value;
    if (n->known->kind == CEL_TYPE) {
        struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
        *v = (struct cel_value){.kind = CEL_TYPE, .s = n->name, .len = strlen(n->name)};
        return v;
    }
    const char *problem = NULL;
    const struct cel_value *v = r->scope->lookup ? r->scope->lookup(r->scope->arg, n->name, &problem) : NULL;
    if (v == NULL) cel_fail(r, "%s", problem ? problem : arena_printf(r->arena, "no such attribute(s): %s", n->name));
    return v;
}

/* A member or element; NULL without a problem if there is none. */
static const struct cel_value *lookup(struct cel_run *r, const struct cel_value *v, const struct cel_value *key) {
    const char *problem = NULL;
    if (v->kind == CEL_MAP) {
        const struct cel_value *found = cel_member(r->arena, v, key, &problem);
        if (problem) cel_fail(r, "%s", problem);
        return found;
    }
    if (v->kind != CEL_LIST) return no_overload(r);
    int64_t i = key->kind == CEL_INT ? key->i : key->kind == CEL_UINT ? (int64_t)MIN(key->u, (uint64_t)INT64_MAX) : key->kind == CEL_DOUBLE ? (int64_t)key->d : -1;
    if (key->kind != CEL_INT && key->kind != CEL_UINT && key->kind != CEL_DOUBLE) return no_overload(r);
    return i >= 0 && (size_t)i < cel_size(v) ? cel_at(r->arena, v, (size_t)i) : NULL;
}

static const struct cel_value *missing(struct cel_run *r, const struct cel_value *v, const struct cel_value *key) {
    const struct json *text = cel_to_json(r->arena, key);
    const char *shown = text->type == JSON_STRING ? text->s : json_text(r->arena, text);
    if (r->problem == NULL) cel_fail(r, v->kind == CEL_LIST ? "index out of bounds: %s" : "no such key: %s", shown);
    return NULL;
}

/* Through optionals: none stays none, and what is found becomes an optional. */
static const struct cel_value *reach(struct cel_run *r, const struct cel_value *v, const struct cel_value *key, bool optional, bool test) {
    bool chained = v->kind == CEL_OPTIONAL;
    if (chained && v->value == NULL) return test ? cel_bool(false) : v;
    if (chained) v = v->value;
    if (test && v->kind != CEL_MAP) return no_overload(r);
    if (v->kind != CEL_MAP && v->kind != CEL_LIST) {
        cel_fail(r, key->kind == CEL_STRING ? "no such key: %s" : "no such overload", key->kind == CEL_STRING ? key->s : "");
        return NULL;
    }
    const struct cel_value *found = lookup(r, v, key);
    if (r->problem) return NULL;
    if (test) return cel_bool(found != NULL);
    if (chained || optional) return cel_optional(r->arena, found);
    return found ? found : missing(r, v, key);
}

static const struct cel_value *select_member(struct cel_run *r, const struct cel_node *n) {
    const struct cel_value *v = eval(r, n->target);
    return v ? reach(r, v, cel_string(r->arena, n->name), n->optional, n->test) : NULL;
}

/* ---- calls ---- */

/* && and ||: a definite answer of one side wins over an error of the other. */
static const struct cel_value *logic(struct cel_run *r, const struct cel_node *n, bool decisive) {
    const char *first = NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct cel_value *v = eval(r, n->args[i]);
        if (v && v->kind != CEL_BOOL) v = no_overload(r);
        if (v && v->b == decisive) return v;
        if (r->problem == limit_exceeded) return NULL;
        if (v == NULL && first == NULL) first = r->problem;
        r->problem = NULL;
    }
    r->problem = first;
    return first ? NULL : cel_bool(!decisive);
}

static const struct cel_value *conditional(struct cel_run *r, const struct cel_node *n) {
    const struct cel_value *v = eval(r, n->args[0]);
    if (v == NULL) return NULL;
    return v->kind == CEL_BOOL ? eval(r, n->args[v->b ? 1 : 2]) : no_overload(r);
}

static const struct cel_value *dispatch(struct cel_run *r, const struct cel_node *n, const struct cel_value *const *args, size_t argc) {
    enum cel_kind kinds[16];
    for (size_t i = 0; i < argc; i++)
        kinds[i] = args[i]->kind;
    for (size_t i = 0; cel_libraries[i]; i++)
        for (const struct cel_function *f = cel_libraries[i]; f->name; f++) {
            if (!str_eq(f->name, n->name) || !cel_matches(f, n->target != NULL, argc, kinds)) continue;
            const struct cel_value *v = f->call(r, args);
            return r->problem ? NULL : v;
        }
    return no_overload(r);
}

static const struct cel_value *call(struct cel_run *r, const struct cel_node *n) {
    const struct cel_value *args[16];
    size_t argc = 0;
    if (str_eq(n->name, "_&&_")) return logic(r, n, false);
    if (str_eq(n->name, "_||_")) return logic(r, n, true);
    if (str_eq(n->name, "_?_:_")) return conditional(r, n);
    if (n->target && (args[argc++] = eval(r, n->target)) == NULL) return NULL;
    for (size_t i = 0; i < n->argc && argc < ARRAY_LEN(args); i++)
        if ((args[argc++] = eval(r, n->args[i])) == NULL) return NULL;
    if (str_eq(n->name, "_==_")) return cel_bool(cel_equal(r->arena, args[0], args[1]));
    if (str_eq(n->name, "_!=_")) return cel_bool(!cel_equal(r->arena, args[0], args[1]));
    if (str_eq(n->name, "_[_]")) return reach(r, args[0], args[1], false, false);
    if (str_eq(n->name, "_[?_]")) return reach(r, args[0], args[1], true, false);
    return dispatch(r, n, args, argc);
}

/* ---- aggregates ---- */

/* An element that may be optional: NULL with `skip` if it is none. */
static const struct cel_value *element(struct cel_run *r, const struct cel_node *n, size_t arg, bool optional, bool *skip) {
    const struct cel_value *v = eval(r, n->args[arg]);
    *skip = false;
    if (v == NULL || !optional) return v;
    if (v->kind != CEL_OPTIONAL) return no_overload(r);
    *skip = v->value == NULL;
    return v->value;
}

static const struct cel_value *list(struct cel_run *r, const struct cel_node *n) {
    const struct cel_value **items = arena_calloc(r->arena, n->argc + 1, sizeof(*items));
    size_t count = 0;
    for (size_t i = 0; i < n->argc; i++) {
        bool skip;
        const struct cel_value *v = element(r, n, i, n->optional_args[i], &skip);
        if (v == NULL && !skip) return NULL;
        if (!skip) items[count++] = v;
    }
    return cel_list(r->arena, items, count);
}

static const struct cel_value *map_of(struct cel_run *r, const struct cel_entry *entries, size_t count) {
    struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
    v->kind = CEL_MAP;
    v->entries = entries;
    v->count = count;
    return v;
}

static const struct cel_value *map(struct cel_run *r, const struct cel_node *n) {
    struct cel_entry *entries = arena_calloc(r->arena, n->argc + 1, sizeof(*entries));
    size_t count = 0;
    for (size_t i = 0; i + 1 < n->argc; i += 2) {
        bool skip;
        const struct cel_value *key = eval(r, n->args[i]);
        const struct cel_value *v = key ? element(r, n, i + 1, n->optional_args[i / 2], &skip) : NULL;
        if (key == NULL || (v == NULL && !skip)) return NULL;
        if (!skip) entries[count++] = (struct cel_entry){key, v};
    }
    return map_of(r, entries, count);
}

/* ---- macros ---- */

struct loop {
    const struct cel_node *node;
    const struct cel_value **items;
    struct cel_entry *entries;
    size_t count, room, hits;
    bool done;
    const char *first_problem;
};

static const struct cel_value *in_frames(struct cel_run *r, const struct cel_node *n, const struct cel_value *first, const struct cel_value *second,
                                         const struct cel_node *body) {
    const struct cel_frame *before = r->frames;
    struct cel_frame outer = {before, n->name, first}, inner = {&outer, n->name2 ? n->name2 : "", second};
    r->frames = &inner;
    const struct cel_value *v = eval(r, body);
    r->frames = before;
    return v;
}

/* The entries that a round gives: mostly one. */
static bool insert_entries(struct cel_run *r, struct loop *l, const struct cel_value *map) {
    if (map->kind != CEL_MAP) return no_overload(r) != NULL;
    for (size_t i = 0; i < cel_size(map); i++) {
        struct cel_entry e = cel_entry_at(r->arena, map, i);
        for (size_t k = 0; k < l->count; k++) {
            if (!cel_equal(r->arena, l->entries[k].key, e.key)) continue;
            r->problem = arena_printf(r->arena, "insert failed: key %s already exists", json_text(r->arena, cel_to_json(r->arena, e.key)));
            return false;
        }
        if (l->count == l->room) {
            size_t room = l->room ? l->room * 2 : 8;
            l->entries = arena_grow(r->arena, l->entries, l->room * sizeof(*l->entries), room * sizeof(*l->entries));
            l->room = room;
        }
        l->entries[l->count++] = e;
    }
    return true;
}

/* One round of a comprehension. False: a problem that ends it. */
static bool round_of(struct cel_run *r, struct loop *l, const struct cel_value *first, const struct cel_value *second) {
    const struct cel_node *n = l->node;
    bool filtered = n->argc == 2, condition = n->macro <= MACRO_EXISTS_ONE || n->macro == MACRO_FILTER || filtered;
    const struct cel_value *v = in_frames(r, n, first, second, n->args[0]);
    if (condition && v && v->kind != CEL_BOOL) v = no_overload(r);
    if (n->macro == MACRO_ALL || n->macro == MACRO_EXISTS) {
        if (r->problem == limit_exceeded) return false;
        if (v == NULL && l->first_problem == NULL) l->first_problem = r->problem;
        r->problem = NULL;
        l->done = v && v->b == (n->macro == MACRO_EXISTS);
        return true;
    }
    if (v == NULL) return false;
    if (n->macro == MACRO_EXISTS_ONE) {
        l->hits += v->b;
        return true;
    }
    if (condition && !v->b) return true;
    if (n->macro == MACRO_FILTER) v = first;
    else if (filtered && (v = in_frames(r, n, first, second, n->args[1])) == NULL) return false;
    if (n->macro == MACRO_TRANSFORM_ENTRY) return insert_entries(r, l, v);
    if (n->macro == MACRO_TRANSFORM_MAP) l->entries[l->count++] = (struct cel_entry){first, v};
    else l->items[l->count++] = v;
    return true;
}

static const struct cel_value *sorted_by(struct cel_run *r, const struct cel_value *list, const struct cel_value *keys) {
    const struct cel_value *v = list->kind == CEL_LIST ? cel_sort(r, list, keys) : no_overload(r);
    return r->problem ? NULL : v;
}

static const struct cel_value *comprehension(struct cel_run *r, const struct cel_node *n) {
    const struct cel_value *range = eval(r, n->target);
    if (range == NULL) return NULL;
    if (range->kind != CEL_LIST && range->kind != CEL_MAP) return no_overload(r);
    size_t size = cel_size(range);
    struct loop l = {.node = n};
    l.items = arena_calloc(r->arena, size + 1, sizeof(*l.items));
    if (n->macro == MACRO_TRANSFORM_MAP) l.entries = arena_calloc(r->arena, size + 1, sizeof(*l.entries));
    for (size_t i = 0; i < size && !l.done; i++) {
        if (!cel_spend(r, 2)) return NULL;
        struct cel_entry e = range->kind == CEL_MAP ? cel_entry_at(r->arena, range, i) : (struct cel_entry){cel_int(r->arena, (int64_t)i), cel_at(r->arena, range, i)};
        const struct cel_value *first = n->name2 || range->kind == CEL_MAP ? e.key : e.value;
        if (!round_of(r, &l, first, e.value)) return NULL;
    }
    switch (n->macro) {
    case MACRO_ALL:
    case MACRO_EXISTS:
        if (!l.done && l.first_problem) {
            r->problem = l.first_problem;
            return NULL;
        }
        return cel_bool(l.done == (n->macro == MACRO_EXISTS));
    case MACRO_EXISTS_ONE: return cel_bool(l.hits == 1);
    case MACRO_TRANSFORM_MAP:
    case MACRO_TRANSFORM_ENTRY: return map_of(r, l.entries, l.count);
    case MACRO_SORT_BY: return sorted_by(r, range, cel_list(r->arena, l.items, l.count));
    default: return cel_list(r->arena, l.items, l.count);
    }
}

static const struct cel_value *macro(struct cel_run *r, const struct cel_node *n) {
    if (n->macro != MACRO_OPT_MAP && n->macro != MACRO_OPT_FLAT_MAP) return comprehension(r, n);
    const struct cel_value *v = eval(r, n->target);
    if (v == NULL || (v->kind == CEL_OPTIONAL && v->value == NULL)) return v;
    if (v->kind != CEL_OPTIONAL) return no_overload(r);
    const struct cel_value *out = in_frames(r, n, v->value, NULL, n->args[0]);
    return out && n->macro == MACRO_OPT_MAP ? cel_optional(r->arena, out) : out;
}

static const struct cel_value *eval(struct cel_run *r, const struct cel_node *n) {
    if (n->kind == NODE_LITERAL) return n->literal;
    if (!cel_spend(r, 1)) return NULL;
    switch (n->kind) {
    case NODE_IDENT: return ident(r, n);
    case NODE_SELECT: return select_member(r, n);
    case NODE_CALL: return call(r, n);
    case NODE_LIST: return list(r, n);
    case NODE_MAP: return map(r, n);
    default: return macro(r, n);
    }
}

struct error *cel_eval(const struct cel_program *p, const struct cel_scope *scope, const struct cel_value **out) {
    struct cel_run r = {.arena = scope->arena, .scope = scope, .max_cost = p->max_cost};
    const struct cel_value *v = eval(&r, p->root);
    if (v == NULL) return error_new("%s", r.problem ? r.problem : "no such overload");
    *out = v;
    return NULL;
}
