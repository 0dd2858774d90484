/* What a rule of a schema may cost at most: cel-go's estimate (checker/cost.go), with the costs of Kubernetes' functions (apiserver
 * pkg/cel/library/cost.go) and sizes that follow from the schema. Macros cost what the loops cost that cel-go makes of them.
 *
 * A size is known from the place in the schema that an expression leads to. As upstream counts, a path that does not begin at a
 * variable (an element of a computed list) is looked for from the root. */
#include "base/str.h"
#include "schema/cel_internal.h"
#include <math.h>

enum { LIST_COST = 10, MAP_COST = 30, REQUIREMENT_COST = 50, CHECK_COST = 350000, FORMAT_SIZE = 64, FORMAT_REGEX = 128 };
static const double TRAVERSAL = 0.1, REGEX = 0.25;

struct size {
    uint64_t min, max;
};
struct place {
    enum { NOWHERE, AT, KEYS, LOST } kind; /* no path; a schema; the keys of a map; a path that the schema does not have */
    const struct json *schema;
    bool root;
};
struct estimate {
    uint64_t cost;
    bool sized, has_entries;
    struct size size, keys, values; /* of the value; of what it is made of */
    struct place place;
};
struct local {
    const struct local *parent;
    const char *name;
    struct estimate of;
};
struct coster {
    struct arena *arena;
    const struct json *schema;
    bool root;
};

static const struct size unknown = {0, UINT64_MAX}, one = {1, 1};

static uint64_t plus(uint64_t x, uint64_t y) { return __builtin_add_overflow(x, y, &x) ? UINT64_MAX : x; }
static uint64_t times(uint64_t x, uint64_t y) { return __builtin_mul_overflow(x, y, &x) ? UINT64_MAX : x; }
static struct size sum_of(struct size a, struct size b) { return (struct size){plus(a.min, b.min), plus(a.max, b.max)}; }
static struct size product(struct size a, struct size b) { return (struct size){times(a.min, b.min), times(a.max, b.max)}; }
static struct size either(struct size a, struct size b) { return (struct size){MIN(a.min, b.min), MAX(a.max, b.max)}; }

static uint64_t scaled(uint64_t x, double factor) {
    double out = ceil((double)x * factor);
    return out >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)out;
}

/* ---- places ---- */

static struct place root_of(const struct coster *c) { return (struct place){AT, c->schema, c->root}; }

static struct place at(const struct json *schema, bool root) {
    return cel_schema_exposed(schema) ? (struct place){AT, schema, root} : (struct place){.kind = LOST};
}

static bool embedded(const struct json *s) { return json_bool(s, "x-kubernetes-embedded-resource", false); }

static struct place member_of(const struct coster *c, struct place p, const char *name) {
    if (p.kind == NOWHERE) return root_of(c);
    const struct json *s = p.kind == AT ? p.schema : NULL, *field = json_member(json_member(s, "properties"), name);
    if (p.kind == AT && p.root) field = cel_schema_implied(c->arena, s, name, field);
    return field ? at(field, embedded(field)) : (struct place){.kind = LOST};
}

static struct place element_of(const struct coster *c, struct place p) {
    if (p.kind == NOWHERE) return root_of(c);
    const struct json *items = json_member(p.schema, "items"), *values = json_member(p.schema, "additionalProperties");
    const struct json *s = p.kind != AT ? NULL : json_is(items, JSON_OBJECT) ? items : values;
    return json_is(s, JSON_OBJECT) ? at(s, embedded(s)) : (struct place){.kind = LOST};
}

static bool place_size(struct place p, struct size *out) {
    if (p.kind == NOWHERE || p.kind == LOST) return false;
    *out = (struct size){0, p.kind == KEYS ? 0 : cel_schema_max(p.schema, p.root)};
    return true;
}

static bool is_scalar(const struct cel_static *s) {
    if (s->kind == CEL_OPTIONAL) return s->element && is_scalar(s->element);
    return s->kind == CEL_BOOL || s->kind == CEL_INT || s->kind == CEL_UINT || s->kind == CEL_DOUBLE || s->kind == CEL_TIMESTAMP || s->kind == CEL_DURATION;
}

/* The size of an expression that has no computed one. */
static void infer_size(const struct cel_node *n, struct estimate *e) {
    if (e->sized) return;
    e->sized = place_size(e->place, &e->size);
    if (!e->sized && is_scalar(n->known)) e->sized = true, e->size = one;
}

static struct size size_or_unknown(const struct estimate *e) { return e->sized ? e->size : unknown; }
static uint64_t walked(const struct estimate *e) { return scaled(size_or_unknown(e).max, TRAVERSAL); }

/* ---- functions ---- */

struct call {
    const struct coster *c;
    const struct cel_node *node;
    const struct estimate *target, *args; /* target NULL: no member call */
    const struct cel_static *target_type;
    struct estimate *out;
};
typedef uint64_t cost_fn(struct call *k); /* without the arguments' costs */

static enum cel_kind arg_kind(const struct call *k, size_t i) { return k->node->args[i]->known->kind; }
static bool may_be(enum cel_kind kind, enum cel_kind wanted) { return kind == wanted || kind == CEL_DYN; }

static void result(struct call *k, struct size size) {
    k->out->sized = true;
    k->out->size = size;
}

static uint64_t cost_check(struct call *k UNUSED) { return CHECK_COST; }

static uint64_t cost_selector(struct call *k) {
    uint64_t length = size_or_unknown(&k->args[0]).max;
    return plus(plus(LIST_COST, scaled(length, TRAVERSAL)), scaled(scaled(length, 0.5), REQUIREMENT_COST));
}

static uint64_t cost_list(struct call *k) {
    const struct cel_static *t = k->target_type;
    if (t == NULL) return 1;
    if (t->kind != CEL_LIST) return walked(k->target);
    enum cel_kind element = t->element ? t->element->kind : CEL_DYN;
    struct size size = unknown;
    if (k->target->place.kind != NOWHERE) place_size(element_of(k->c, k->target->place), &size);
    uint64_t each = element == CEL_STRING || element == CEL_BYTES ? plus(1, scaled(size.max, TRAVERSAL)) : 1;
    return times(size_or_unknown(k->target).max, each);
}

static uint64_t cost_argument(struct call *k) { return k->node->argc ? walked(&k->args[0]) : 1; }
static uint64_t cost_ip(struct call *k) { return k->target || k->node->argc == 0 ? 1 : walked(&k->args[0]); }
static uint64_t cost_twice(struct call *k) { return k->node->argc ? scaled(size_or_unknown(&k->args[0]).max, 2 * TRAVERSAL) : 1; }

static uint64_t cost_url(struct call *k) {
    if (k->node->argc == 1) result(k, size_or_unknown(&k->args[0]));
    return cost_argument(k);
}

static uint64_t cost_case(struct call *k) {
    if (k->target == NULL) return 1;
    result(k, size_or_unknown(k->target));
    return walked(k->target);
}

static uint64_t quotient(uint64_t x, uint64_t y) { return y ? scaled(x, 1.0 / (double)y) : UINT64_MAX; }

/* How often, and what stays: each end of the range by itself. */
static uint64_t cost_replace(struct call *k) {
    if (k->target == NULL || k->node->argc < 2) return 1;
    struct size s = size_or_unknown(k->target), from = size_or_unknown(&k->args[0]), to = size_or_unknown(&k->args[1]), count = {0, 0}, kept = {0, 0};
    if (from.min == 0) count.max = plus(s.max, 1), kept.max = s.max;
    else if (to.max <= from.min) kept.max = s.max;
    else count.max = quotient(s.max, from.min);
    if (from.max == 0) count.min = plus(s.min, 1), kept.min = s.min;
    else if (from.max <= to.min) kept.min = s.min;
    else count.min = quotient(s.min, from.max);
    result(k, sum_of(product(count, to), kept));
    return scaled(s.max, 2 * TRAVERSAL);
}

static uint64_t cost_split(struct call *k) {
    if (k->target == NULL) return 1;
    uint64_t max = size_or_unknown(k->target).max;
    const struct cel_node *limit = k->node->argc > 1 ? k->node->args[1] : NULL;
    bool literal = limit && limit->kind == NODE_LITERAL && limit->literal->kind == CEL_INT;
    result(k, (struct size){0, literal ? (uint64_t)limit->literal->i : max});
    return scaled(max, 2 * TRAVERSAL);
}

static uint64_t cost_join(struct call *k) {
    if (k->target == NULL) return 1;
    struct size list = size_or_unknown(k->target), element = unknown, all;
    if (k->target->place.kind != NOWHERE) place_size(element_of(k->c, k->target->place), &element);
    all = product(list, element);
    struct size gaps = {list.min ? list.min - 1 : 0, list.max ? list.max - 1 : 0};
    if (k->node->argc > 0) all = sum_of(all, product(size_or_unknown(&k->args[0]), gaps));
    result(k, all);
    return scaled(all.max, TRAVERSAL);
}

static uint64_t cost_matches(struct call *k) {
    if (k->target == NULL || k->node->argc < 1) return 1;
    return times(scaled(plus(size_or_unknown(k->target).max, 1), TRAVERSAL), scaled(size_or_unknown(&k->args[0]).max, REGEX));
}

static uint64_t cost_find(struct call *k) {
    if (k->target) result(k, (struct size){0, size_or_unknown(k->target).max});
    return cost_matches(k);
}

static uint64_t cost_contains(struct call *k) { return k->target && k->node->argc == 1 ? times(walked(k->target), walked(&k->args[0])) : 1; }
static uint64_t cost_format(struct call *k) { return k->target ? walked(k->target) : 1; }
static uint64_t cost_validate(struct call *k) { return k->node->argc ? scaled(walked(&k->args[0]), FORMAT_REGEX * REGEX) : 1; }

static uint64_t with_text(struct call *k, uint64_t cost) { return k->node->argc && may_be(arg_kind(k, 0), CEL_STRING) ? plus(cost, walked(&k->args[0])) : cost; }
static uint64_t cost_contains_ip(struct call *k) { return with_text(k, 4); }   /* 16 bytes twice, a tenth each */
static uint64_t cost_contains_cidr(struct call *k) { return with_text(k, 7); } /* that, a mask's 16 bytes and a comparison */

static uint64_t cost_sets(struct call *k) {
    if (k->node->argc != 2) return 1;
    uint64_t pairs = times(size_or_unknown(&k->args[0]).max, size_or_unknown(&k->args[1]).max);
    return plus(str_eq(k->node->name, "sets.equivalent") ? times(pairs, 2) : pairs, 1);
}

/* Functions that make a list (ext/lists.go): so much per element, the call and the list. */
static uint64_t new_list(struct call *k, struct size size, double each) {
    result(k, size);
    return plus(scaled(size.max, each), 1 + LIST_COST);
}

static bool on_list(const struct call *k) { return k->target && may_be(k->target_type->kind, CEL_LIST); }

static uint64_t literal_or(const struct call *k, size_t i, uint64_t other) {
    const struct cel_node *n = i < k->node->argc ? k->node->args[i] : NULL;
    return n && n->kind == NODE_LITERAL && n->literal->kind == CEL_INT ? (uint64_t)n->literal->i : other;
}

static struct size exactly(uint64_t n) { return (struct size){n, n}; }
static uint64_t cost_slice(struct call *k) { return on_list(k) ? new_list(k, exactly(literal_or(k, 1, size_or_unknown(k->target).max) - literal_or(k, 0, 0)), 1) : 1; }
static uint64_t cost_range(struct call *k) { return new_list(k, exactly(literal_or(k, 0, UINT64_MAX)), 1); }
static uint64_t cost_reverse(struct call *k) { return on_list(k) ? new_list(k, size_or_unknown(k->target), 1) : 1; }

static uint64_t cost_flatten(struct call *k) {
    double depth = k->node->argc ? (double)literal_or(k, 0, UINT64_MAX) : 1;
    return on_list(k) ? new_list(k, size_or_unknown(k->target), depth) : 1;
}

/* Each with each. */
static uint64_t cost_pairs(struct call *k) {
    if (!on_list(k)) return 1;
    const struct cel_static *element = k->target_type->element;
    bool text = str_eq(k->node->name, "sort") && (element == NULL || may_be(element->kind, CEL_STRING) || element->kind == CEL_BYTES);
    return new_list(k, product(size_or_unknown(k->target), size_or_unknown(k->target)), text ? 2 + TRAVERSAL : 2);
}

static uint64_t cost_bytes(struct call *k) {
    if (k->node->argc != 1 || !may_be(arg_kind(k, 0), CEL_STRING)) return 1;
    struct size s = size_or_unknown(&k->args[0]);
    result(k, (struct size){s.min, times(s.max, 4)});
    return walked(&k->args[0]);
}

static uint64_t cost_string(struct call *k) {
    if (k->node->argc != 1 || !may_be(arg_kind(k, 0), CEL_BYTES)) return 1;
    struct size s = size_or_unknown(&k->args[0]);
    result(k, (struct size){s.min / 4, s.max});
    return walked(&k->args[0]);
}

static uint64_t cost_in(struct call *k) { return may_be(arg_kind(k, 1), CEL_LIST) ? size_or_unknown(&k->args[1]).max : 1; }

static bool textual(const struct call *k) {
    enum cel_kind x = arg_kind(k, 0), y = arg_kind(k, 1);
    return (may_be(x, CEL_STRING) && may_be(y, CEL_STRING)) || (may_be(x, CEL_BYTES) && may_be(y, CEL_BYTES));
}

static uint64_t smaller(const struct call *k) { return scaled(MIN(size_or_unknown(&k->args[0]).max, size_or_unknown(&k->args[1]).max), TRAVERSAL); }

static uint64_t cost_compare(struct call *k) {
    bool dyn = arg_kind(k, 0) == CEL_DYN && arg_kind(k, 1) == CEL_DYN;
    return textual(k) ? MAX(smaller(k), dyn ? 1U : 0U) : 1;
}

static uint64_t cost_equal(struct call *k) {
    enum cel_kind kind = arg_kind(k, 0);
    if (kind == arg_kind(k, 1) && kind == CEL_FORMAT) return scaled(FORMAT_SIZE, TRAVERSAL);
    bool short_values = kind == CEL_IP || kind == CEL_CIDR || kind == CEL_QUANTITY || kind == CEL_SEMVER || kind == CEL_AUTHORIZER || kind == CEL_URL;
    return kind == arg_kind(k, 1) && short_values && str_eq(k->node->name, "_==_") ? 1 : smaller(k);
}

static void join_entries(struct estimate *out, const struct estimate *a, const struct estimate *b) {
    out->has_entries = a->has_entries && b->has_entries;
    out->keys = either(a->keys, b->keys);
    out->values = either(a->values, b->values);
}

static uint64_t cost_add(struct call *k) {
    bool list = may_be(arg_kind(k, 0), CEL_LIST) && may_be(arg_kind(k, 1), CEL_LIST);
    if (!textual(k) && !list) return 1;
    struct size all = sum_of(size_or_unknown(&k->args[0]), size_or_unknown(&k->args[1]));
    result(k, all);
    join_entries(k->out, &k->args[0], &k->args[1]);
    return textual(k) ? MAX(scaled(all.max, TRAVERSAL), list ? 1U : 0U) : 1;
}

static uint64_t cost_index(struct call *k) {
    enum cel_kind kind = arg_kind(k, 0);
    if (kind != CEL_LIST && kind != CEL_MAP && kind != CEL_DYN) return 1;
    if (k->args[0].has_entries) result(k, k->args[0].values);
    k->out->place = element_of(k->c, k->args[0].place);
    return 1;
}

static uint64_t cost_dyn(struct call *k) {
    k->out->sized = k->args[0].sized, k->out->size = k->args[0].size;
    join_entries(k->out, &k->args[0], &k->args[0]);
    return 1;
}

static const struct { const char *name; cost_fn *cost; } functions[] = {
    {"check", cost_check}, {"fieldSelector", cost_selector}, {"labelSelector", cost_selector}, {"isSorted", cost_list}, {"sum", cost_list}, {"max", cost_list},
    {"min", cost_list}, {"indexOf", cost_list}, {"lastIndexOf", cost_list}, {"url", cost_url}, {"jsonpatch.escapeKey", cost_url}, {"lowerAscii", cost_case},
    {"upperAscii", cost_case}, {"substring", cost_case}, {"trim", cost_case}, {"replace", cost_replace}, {"split", cost_split}, {"join", cost_join},
    {"find", cost_find}, {"findAll", cost_find}, {"cidr", cost_argument}, {"isIP", cost_argument}, {"isCIDR", cost_argument}, {"ip", cost_ip},
    {"ip.isCanonical", cost_twice}, {"containsIP", cost_contains_ip}, {"containsCIDR", cost_contains_cidr}, {"quantity", cost_argument},
    {"isQuantity", cost_argument}, {"semver", cost_argument}, {"isSemver", cost_argument}, {"validate", cost_validate}, {"format", cost_format},
    {"startsWith", cost_argument}, {"endsWith", cost_argument}, {"contains", cost_contains}, {"matches", cost_matches}, {"sets.contains", cost_sets},
    {"sets.intersects", cost_sets}, {"sets.equivalent", cost_sets}, {"bytes", cost_bytes}, {"string", cost_string}, {"@in", cost_in}, {"_<_", cost_compare},
    {"_<=_", cost_compare}, {"_>_", cost_compare}, {"_>=_", cost_compare}, {"_==_", cost_equal}, {"_!=_", cost_equal}, {"_+_", cost_add}, {"_[_]", cost_index},
    {"dyn", cost_dyn}, {"slice", cost_slice}, {"lists.range", cost_range}, {"reverse", cost_reverse}, {"flatten", cost_flatten}, {"distinct", cost_pairs},
    {"sort", cost_pairs},
};

/* ---- expressions ---- */

static struct estimate walk(const struct coster *c, const struct local *scope, const struct cel_node *n);

static struct estimate cost_ident(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    for (; scope; scope = scope->parent) {
        if (!str_eq(scope->name, n->name)) continue;
        struct estimate e = {.cost = 1, .place = scope->of.place, .has_entries = scope->of.has_entries, .keys = scope->of.keys, .values = scope->of.values};
        infer_size(n, &e);
        if (!e.sized) e.sized = scope->of.sized, e.size = scope->of.size;
        return e;
    }
    return (struct estimate){.cost = 1, .place = root_of(c)};
}

static struct estimate cost_select(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    struct estimate e = walk(c, scope, n->target);
    if (n->test) return (struct estimate){.cost = e.cost};
    if (n->optional) return (struct estimate){.cost = plus(e.cost, 1)};
    bool counts = n->target->known->kind == CEL_MAP;
    return (struct estimate){.cost = plus(e.cost, counts), .place = member_of(c, e.place, n->name)};
}

static struct estimate cost_logic(const struct estimate *args) { return (struct estimate){.cost = plus(args[0].cost, args[1].cost)}; }

static struct estimate cost_choice(const struct estimate *args) {
    struct estimate e = {.cost = plus(args[0].cost, MAX(args[1].cost, args[2].cost)), .sized = true};
    e.size = either(size_or_unknown(&args[1]), size_or_unknown(&args[2]));
    join_entries(&e, &args[1], &args[2]);
    return e;
}

static struct estimate cost_call(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    struct estimate args[16] = {{0}}, target = {0}, e = {0};
    uint64_t given = 0;
    for (size_t i = 0; i < n->argc && i < ARRAY_LEN(args); i++) {
        args[i] = walk(c, scope, n->args[i]);
        given = plus(given, args[i].cost);
    }
    if (str_eq(n->name, "_&&_") || str_eq(n->name, "_||_")) return cost_logic(args);
    if (str_eq(n->name, "_?_:_")) return cost_choice(args);
    if (n->target) target = walk(c, scope, n->target), given = plus(given, target.cost);
    struct call k = {c, n, n->target ? &target : NULL, args, n->target ? n->target->known : NULL, &e};
    uint64_t own = 1;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (str_eq(functions[i].name, n->name)) own = functions[i].cost(&k);
    e.cost = plus(given, own);
    return e;
}

static struct estimate cost_aggregate(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    bool map = n->kind == NODE_MAP;
    struct estimate e = {.cost = map ? MAP_COST : LIST_COST, .sized = true, .has_entries = true, .keys = map ? (struct size){UINT64_MAX, 0} : one, .values = {UINT64_MAX, 0}};
    size_t count = map ? n->argc / 2 : n->argc;
    e.size = (struct size){count, count};
    if (n->argc == 0) e.keys.min = map ? 0 : 1, e.values.min = 0;
    for (size_t i = 0; i < n->argc; i++) {
        struct estimate part = walk(c, scope, n->args[i]);
        struct size *of = map && i % 2 == 0 ? &e.keys : &e.values;
        e.cost = plus(e.cost, part.cost);
        *of = either(*of, size_or_unknown(&part));
    }
    return e;
}

/* ---- macros ---- */

static struct estimate iteration(const struct coster *c, const struct cel_node *n, const struct estimate *range, bool key) {
    bool list = n->target->known->kind == CEL_LIST;
    struct estimate e = {.sized = range->has_entries, .size = key ? range->keys : range->values};
    if (key && list) e.place.kind = LOST; /* an index */
    else if (key) e.place = range->place.kind == NOWHERE ? root_of(c) : (struct place){range->place.kind == AT ? KEYS : LOST, NULL, false};
    else e.place = element_of(c, range->place);
    return e;
}

/* A round of the loop: its condition and its step (parser/macro.go). `value`: of what a step adds to the result. */
static uint64_t round_cost(const struct cel_node *n, const struct estimate *body, struct size *value) {
    uint64_t first = body[0].cost, last = body[n->argc - 1].cost;
    *value = size_or_unknown(&body[n->argc - 1]);
    bool filtered = n->argc == 2;
    switch (n->macro) {
    case MACRO_ALL: return plus(first, 3);
    case MACRO_EXISTS: return plus(first, 4);
    case MACRO_EXISTS_ONE: return plus(first, 2);
    case MACRO_FILTER: return plus(first, 13);
    case MACRO_TRANSFORM_MAP:
    case MACRO_TRANSFORM_ENTRY: return plus(plus(last, 3), filtered ? first : 0);
    default: return plus(plus(last, LIST_COST + 2), filtered ? first : 0);
    }
}

static struct estimate cost_loop(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    struct estimate range = walk(c, scope, n->target), body[2] = {{0}};
    bool list = n->target->known->kind == CEL_LIST, counts = n->macro <= MACRO_EXISTS_ONE, map = n->macro == MACRO_TRANSFORM_MAP || n->macro == MACRO_TRANSFORM_ENTRY;
    struct local first = {scope, n->name, iteration(c, n, &range, n->name2 != NULL || !list)};
    struct local second = {&first, n->name2 ? n->name2 : "", iteration(c, n, &range, false)};
    for (size_t i = 0; i < n->argc && i < ARRAY_LEN(body); i++) body[i] = walk(c, &second, n->args[i]);
    struct size value, rounds = size_or_unknown(&range);
    uint64_t each = round_cost(n, body, &value);
    if (n->macro == MACRO_FILTER) {
        struct estimate x = {.place = first.of.place, .sized = first.of.sized, .size = first.of.size};
        struct size s;
        value = place_size(x.place, &s) ? s : size_or_unknown(&x);
    }
    struct estimate e = {.cost = plus(range.cost, times(rounds.max, each)), .sized = true, .size = counts ? one : rounds, .has_entries = !counts};
    e.keys = map ? unknown : one;
    e.values = (struct size){0, value.max};
    uint64_t ends = n->macro == MACRO_EXISTS_ONE ? 2 : counts ? 1 : plus(map ? MAP_COST : LIST_COST, 1);
    e.cost = plus(e.cost, ends);
    return e;
}

static struct estimate cost_bound(const struct coster *c, const struct local *scope, const struct cel_node *n, struct estimate value, const struct cel_node *body) {
    struct local l = {scope, n->name, value};
    struct estimate e = walk(c, &l, body);
    e.cost = plus(plus(e.cost, value.cost), LIST_COST);
    e.place.kind = NOWHERE;
    return e;
}

static struct estimate cost_macro(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    if (n->macro != MACRO_OPT_MAP && n->macro != MACRO_OPT_FLAT_MAP) return cost_loop(c, scope, n);
    struct estimate target = walk(c, scope, n->target), value = {.cost = plus(target.cost, 1)};
    uint64_t there = cost_bound(c, scope, n, value, n->args[0]).cost;
    if (n->macro == MACRO_OPT_MAP) there = plus(there, 1);
    return (struct estimate){.cost = plus(plus(target.cost, 1), MAX(there, 1))};
}

static size_t runes(const struct cel_value *v) {
    size_t n = 0;
    for (size_t i = 0; i < v->len; i++) n += ((unsigned char)v->s[i] & 0xc0) != 0x80;
    return n;
}

static struct estimate walk(const struct coster *c, const struct local *scope, const struct cel_node *n) {
    struct estimate e = {0};
    if (n->kind == NODE_LITERAL) {
        size_t size = n->literal->kind == CEL_STRING ? runes(n->literal) : n->literal->kind == CEL_BYTES ? n->literal->len : 1;
        return (struct estimate){.sized = true, .size = {size, size}};
    }
    switch (n->kind) {
    case NODE_IDENT: e = cost_ident(c, scope, n); break;
    case NODE_SELECT: e = cost_select(c, scope, n); break;
    case NODE_CALL: e = cost_call(c, scope, n); break;
    case NODE_MACRO: e = cost_macro(c, scope, n); break;
    default: e = cost_aggregate(c, scope, n);
    }
    infer_size(n, &e);
    return e;
}

uint64_t cel_schema_cost(struct arena *a, const struct cel_program *p, const struct json *schema, bool root) {
    struct coster c = {a, schema, root};
    return walk(&c, NULL, p->root).cost;
}
