/* JSON Schema's rules, one function per group of keywords, in the order in which helm's library reports them. */
#include "base/str.h"
#include "helm/engine/schema_internal.h"
#include "helm/go/regexp.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include <math.h>
#include <stdio.h>

enum { MAX_DEPTH = 500 };
static const uint64_t max_steps = 20000000;

/* Which members or items no keyword has looked at yet. NULL `left`: nobody asks. */
struct unseen {
    bool *left;
    uint32_t count;
};

/* The check of one value against one schema. */
struct check {
    struct schema_document *document;
    const struct check *outer;     /* who asked */
    const struct json *schema, *value;
    const struct location *where;
    struct unseen unseen;
    struct failure *first, *last;
};

static struct failure *validate(struct check *c);

/* ---- failures ---- */

static struct failure *make(const struct check *c, enum failure_kind kind, const char *text) {
    struct failure *f = ARENA_NEW(c->document->arena, struct failure);
    *f = (struct failure){.kind = kind, .where = schema_pointer(c->document->arena, c->where), .text = text};
    return f;
}

static void add(struct check *c, struct failure *f) {
    if (f == NULL) return;
    if (c->last != NULL) c->last->next = f;
    else c->first = f;
    c->last = f;
}

static void add_cause(struct failure *f, struct failure *cause) {
    if (f->last_cause != NULL) f->last_cause->next = cause;
    else f->causes = cause;
    f->last_cause = cause;
}

static void fail(struct check *c, const char *fmt, ...) PRINTF(2, 3);
static void fail(struct check *c, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    add(c, make(c, FAILURE_LEAF, arena_vprintf(c->document->arena, fmt, args)));
    va_end(args);
}

/* Digits in groups of three, as the library's English printer writes numbers. */
static const char *grouped(struct arena *a, const char *digits) {
    cleanup_buf struct buf out = {0};
    size_t whole = strspn(digits + (*digits == '-'), "0123456789");
    if (*digits == '-') buf_addc(&out, *digits++);
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) buf_addc(&out, ',');
        buf_addc(&out, digits[i]);
    }
    buf_adds(&out, digits + whole);
    return arena_strdup(a, buf_str(&out));
}

static const char *count_text(struct arena *a, uint64_t n) { return grouped(a, arena_printf(a, "%llu", (unsigned long long)n)); }

static const char *number_text(struct arena *a, double d) {
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    cleanup_buf struct buf plain = {0}, out = {0};
    go_format_float(&plain, d, 'g', -1, 64);
    char *e = strchr(plain.data, 'e');
    if (e == NULL) return grouped(a, plain.data);
    buf_printf(&out, "%.*s×10", (int)(e - plain.data), plain.data);
    if (e[1] == '-') buf_adds(&out, "⁻");
    for (const char *p = e + 2; *p != '\0'; p++) buf_adds(&out, raised[*p - '0']);
    return arena_strdup(a, buf_str(&out));
}

static const char *display(struct arena *a, const struct json *v) {
    switch (v->type) {
    case JSON_STRING: return schema_quote(a, v->s, v->len);
    case JSON_NULL: return "<nil>";
    case JSON_ARRAY:
    case JSON_OBJECT: return "value";
    default: return json_text(a, v);
    }
}

/* ---- going down ---- */

static void look_at(struct unseen *u, uint32_t i) {
    if (u->left != NULL) u->left[i] = false;
}

static bool is_old(const struct check *c) { return c->document->draft < DRAFT_2019; }

static const struct json *keyword(const struct check *c, const char *name) { return json_member(c->schema, name); }

/* Who must know what remains unseen: the schema itself or its asker, unless a keyword of the schema looks at everything. */
static struct unseen start_unseen(struct check *c, bool asked) {
    const struct json *s = c->schema, *v = c->value;
    bool object = v->type == JSON_OBJECT;
    if ((!object && v->type != JSON_ARRAY) || is_old(c)) return (struct unseen){0};
    if (!asked && json_member(s, object ? "unevaluatedProperties" : "unevaluatedItems") == NULL) return (struct unseen){0};
    struct unseen u = {arena_alloc(c->document->arena, v->len + 1), v->len};
    memset(u.left, true, v->len);
    const struct json *items = json_member(s, "items"), *prefix = c->document->draft >= DRAFT_2020 ? json_member(s, "prefixItems") : items;
    bool all = object ? json_member(s, "additionalProperties") != NULL
                      : (c->document->draft >= DRAFT_2020 ? items != NULL : json_member(s, "additionalItems") != NULL || (items != NULL && items->type != JSON_ARRAY));
    uint32_t seen = all ? v->len : !object && json_is(prefix, JSON_ARRAY) ? MIN(prefix->len, v->len) : 0;
    memset(u.left, false, seen);
    return u;
}

/* The same value against another schema. What that one has looked at counts for this one too. */
static struct failure *check_self(struct check *c, const struct json *schema) {
    struct check inner = {.document = c->document, .outer = c, .schema = schema, .value = c->value, .where = c->where};
    inner.unseen = start_unseen(&inner, c->unseen.left != NULL);
    struct failure *f = validate(&inner);
    for (uint32_t i = 0; f == NULL && c->unseen.left != NULL && i < c->unseen.count; i++)
        c->unseen.left[i] &= inner.unseen.left != NULL && inner.unseen.left[i];
    return f;
}

static struct failure *check_part(struct check *c, const struct json *schema, const struct json *value, const char *key) {
    struct location here = {c->where, key};
    struct check inner = {.document = c->document, .outer = c, .schema = schema, .value = value, .where = &here};
    inner.unseen = start_unseen(&inner, false);
    return validate(&inner);
}

static const char *item_key(struct arena *a, uint32_t i) { return arena_printf(a, "%u", i); }

/* ---- keywords for all types ---- */

static const char *type_name(const struct json *v) {
    static const char *const names[] = {"null", "boolean", "number", "number", "string", "array", "object"};
    return names[v->type];
}

static bool is_number(const struct json *v) { return json_is(v, JSON_INT) || json_is(v, JSON_DOUBLE); }
static double as_double(const struct json *v) { return v->type == JSON_INT ? (double)v->i : v->d; }
static bool is_integer(const struct json *v) { return v->type == JSON_INT || (v->type == JSON_DOUBLE && v->d == floor(v->d)); }

static bool type_named(const struct json *types, const char *name) {
    if (json_is(types, JSON_STRING)) return str_eq(types->s, name);
    JSON_EACH(t, types) {
        if (json_is(t, JSON_STRING) && str_eq(t->s, name)) return true;
    }
    return false;
}

static struct failure *check_type(struct check *c) {
    static const char *const order[] = {"null", "boolean", "number", "integer", "string", "array", "object"};
    const struct json *types = keyword(c, "type");
    cleanup_buf struct buf wanted = {0};
    if (types == NULL) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (type_named(types, order[i])) buf_printf(&wanted, "%s%s", wanted.len > 0 ? " or " : "", order[i]);
    }
    if (wanted.len == 0 || type_named(types, type_name(c->value)) || (is_integer(c->value) && type_named(types, "integer"))) return NULL;
    return make(c, FAILURE_LEAF, arena_printf(c->document->arena, "got %s, want %s", type_name(c->value), buf_str(&wanted)));
}

static struct failure *check_const(struct check *c) {
    const struct json *wanted = keyword(c, "const");
    if (wanted == NULL || c->document->draft < DRAFT_6 || json_equal(wanted, c->value)) return NULL;
    if (wanted->type >= JSON_ARRAY) return make(c, FAILURE_LEAF, "'const' failed");
    return make(c, FAILURE_LEAF, arena_printf(c->document->arena, "value must be %s", display(c->document->arena, wanted)));
}

static struct failure *check_enum(struct check *c) {
    const struct json *wanted = keyword(c, "enum");
    if (!json_is(wanted, JSON_ARRAY)) return NULL;
    cleanup_buf struct buf list = {0};
    bool simple = true;
    JSON_EACH(v, wanted) {
        if (json_equal(v, c->value)) return NULL;
        simple &= v->type < JSON_ARRAY;
        buf_printf(&list, "%s%s", list.len > 0 ? ", " : "", display(c->document->arena, v));
    }
    if (!simple) return make(c, FAILURE_LEAF, "'enum' failed");
    return make(c, FAILURE_LEAF, arena_printf(c->document->arena, wanted->len == 1 ? "value must be %s" : "value must be one of %s", buf_str(&list)));
}

/* From 2019-09 on formats are notes, not rules. */
static struct failure *check_format(struct check *c) {
    const struct json *format = keyword(c, "format");
    const char *reason;
    if (!is_old(c) || !json_is(format, JSON_STRING) || c->value->type != JSON_STRING) return NULL;
    if (schema_format_fits(c->document->arena, format->s, c->value->s, c->value->len, &reason)) return NULL;
    return make(c, FAILURE_LEAF, arena_printf(c->document->arena, "%s is not valid %s: %s", display(c->document->arena, c->value), format->s, reason));
}

static struct failure *check_reference(struct check *c, const char *reference) {
    struct schema_document *home = c->document, *there;
    const struct json *target = schema_resolve(home, reference, &there);
    c->document = there;
    struct failure *f = target != NULL ? check_self(c, target) : NULL;
    c->document = home;
    if (f == NULL) return NULL;
    struct failure *outer = make(c, FAILURE_REFERENCE, "validation failed");
    if (f->kind == FAILURE_GROUP) {
        outer->causes = f->causes;
        outer->last_cause = f->last_cause;
    } else {
        add_cause(outer, f);
    }
    return outer;
}

/* ---- objects ---- */

static bool limit(const struct check *c, const char *name, uint64_t *out) {
    const struct json *v = keyword(c, name);
    if (!is_number(v) || !is_integer(v) || as_double(v) < 0) return false;
    *out = (uint64_t)as_double(v);
    return true;
}

static void check_counts(struct check *c, const char *minimum, const char *maximum, uint64_t have) {
    struct arena *a = c->document->arena;
    uint64_t n;
    if (limit(c, minimum, &n) && have < n) fail(c, "%s: got %s, want %s", minimum, count_text(a, have), count_text(a, n));
    if (limit(c, maximum, &n) && have > n) fail(c, "%s: got %s, want %s", maximum, count_text(a, have), count_text(a, n));
}

/* The names of `list` that the value lacks, quoted; "" if it has all. *count is their number. */
static const char *missing_names(struct check *c, const struct json *list, size_t *count) {
    cleanup_buf struct buf out = {0};
    *count = 0;
    JSON_EACH(name, list) {
        if (name->type != JSON_STRING || json_member_n(c->value, name->s, name->len) != NULL) continue;
        buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", schema_quote(c->document->arena, name->s, name->len));
        ++*count;
    }
    return arena_strdup(c->document->arena, buf_str(&out));
}

static void check_required_with(struct check *c, const char *name, size_t name_len, const struct json *list) {
    size_t count;
    const char *missing = missing_names(c, list, &count);
    if (count > 0) fail(c, "properties %s required, if %s exists", missing, schema_quote(c->document->arena, name, name_len));
}

static void check_dependencies(struct check *c, const struct json *dependencies) {
    JSON_EACH_MEMBER(m, dependencies) {
        if (json_member_n(c->value, m->key, m->key_len) == NULL) continue;
        if (m->value.type == JSON_ARRAY) check_required_with(c, m->key, m->key_len, &m->value);
        else add(c, check_self(c, &m->value));
    }
}

static bool matches(struct check *c, const char *pattern, size_t pattern_len, const char *text, size_t len) {
    const struct regexp *re;
    cleanup_arena struct arena scratch = {0};
    cleanup_error struct error *e = regexp_compile(&scratch, pattern, pattern_len, &re);
    c->document->set->steps += len;
    struct regexp_span whole;
    return e == NULL && regexp_match(re, text, len, 0, &whole, 1);
}

static bool check_member(struct check *c, const struct json_member *m) {
    const struct json *own = json_member_n(keyword(c, "properties"), m->key, m->key_len), *patterns = keyword(c, "patternProperties");
    bool seen = own != NULL;
    if (own != NULL) add(c, check_part(c, own, &m->value, m->key));
    JSON_EACH_MEMBER(p, patterns) {
        if (!matches(c, p->key, p->key_len, m->key, m->key_len)) continue;
        seen = true;
        add(c, check_part(c, &p->value, &m->value, m->key));
    }
    return seen;
}

static int by_key(const void *a, const void *b) {
    return strcmp((*(const struct json_member *const *)a)->key, (*(const struct json_member *const *)b)->key);
}

static const struct json_member **sorted_members(struct arena *a, const struct json *v) {
    const struct json_member **out = arena_alloc(a, (v->len + 1) * sizeof(*out));
    for (uint32_t i = 0; i < v->len; i++) out[i] = &v->members[i];
    if (v->len > 0) qsort(out, v->len, sizeof(*out), by_key);
    return out;
}

static void check_members(struct check *c) {
    const struct json *others = keyword(c, "additionalProperties");
    cleanup_buf struct buf refused = {0};
    const struct json_member **members = sorted_members(c->document->arena, c->value);
    for (uint32_t i = 0; i < c->value->len; i++) {
        const struct json_member *m = members[i];
        bool seen = check_member(c, m);
        if (!seen && others != NULL) {
            seen = true;
            if (others->type == JSON_BOOL) {
                if (!others->b) buf_printf(&refused, "%s%s", refused.len > 0 ? ", " : "", schema_quote(c->document->arena, m->key, m->key_len));
            } else {
                add(c, check_part(c, others, &m->value, m->key));
            }
        }
        if (seen) look_at(&c->unseen, (uint32_t)(m - c->value->members));
    }
    if (refused.len > 0) fail(c, "additional properties %s not allowed", buf_str(&refused));
}

static void check_names(struct check *c) {
    const struct json *schema = keyword(c, "propertyNames");
    if (schema == NULL || c->document->draft < DRAFT_6) return;
    const struct json_member **members = sorted_members(c->document->arena, c->value);
    for (uint32_t i = 0; i < c->value->len; i++) {
        const struct json *name = json_string_n(c->document->arena, members[i]->key, members[i]->key_len);
        struct check inner = {.document = c->document, .schema = schema, .value = name};
        struct failure *f = validate(&inner);
        if (f == NULL) continue;
        struct failure *outer = make(c, FAILURE_LEAF, arena_printf(c->document->arena, "invalid propertyName %s", display(c->document->arena, name)));
        outer->where = "";
        if (f->kind == FAILURE_GROUP) outer->causes = f->causes;
        else add_cause(outer, f);
        add(c, outer);
    }
}

static void check_object(struct check *c) {
    size_t count;
    check_counts(c, "minProperties", "maxProperties", c->value->len);
    const char *missing = missing_names(c, keyword(c, "required"), &count);
    if (count > 0) fail(c, count == 1 ? "missing property %s" : "missing properties %s", missing);
    check_dependencies(c, keyword(c, "dependencies"));
    check_members(c);
    check_names(c);
    if (is_old(c)) return;
    check_dependencies(c, keyword(c, "dependentSchemas"));
    const struct json *required = keyword(c, "dependentRequired");
    JSON_EACH_MEMBER(m, required) {
        if (json_member_n(c->value, m->key, m->key_len) != NULL) check_required_with(c, m->key, m->key_len, &m->value);
    }
}

/* ---- arrays ---- */

static void check_unique(struct check *c) {
    if (!json_bool(keyword(c, "uniqueItems"), NULL, false)) return;
    for (uint32_t i = 1; i < c->value->len; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (++c->document->set->steps > max_steps) return;
            if (json_equal(&c->value->items[i], &c->value->items[j])) return fail(c, "items at %u and %u are equal", j, i);
        }
    }
}

/* The library counts these items from the first of them on, not from the array's start. */
static void check_from(struct check *c, const struct json *schema, uint32_t from) {
    for (uint32_t i = from; i < c->value->len; i++) add(c, check_part(c, schema, &c->value->items[i], item_key(c->document->arena, i - from)));
}

static void check_items(struct check *c) {
    bool modern = c->document->draft >= DRAFT_2020;
    const struct json *items = keyword(c, "items"), *first = modern ? keyword(c, "prefixItems") : items;
    const struct json *rest = modern ? items : keyword(c, "additionalItems");
    uint32_t n = json_is(first, JSON_ARRAY) ? MIN(first->len, c->value->len) : 0;
    for (uint32_t i = 0; i < n; i++) add(c, check_part(c, &first->items[i], &c->value->items[i], item_key(c->document->arena, i)));
    if (!modern && items != NULL && items->type != JSON_ARRAY) return check_from(c, items, 0);
    if (!modern && items == NULL) return;
    if (rest == NULL) return;
    if (!modern && rest->type == JSON_BOOL) {
        if (!rest->b && n < c->value->len) fail(c, "last %s additionalItem(s) not allowed", count_text(c->document->arena, c->value->len - n));
        return;
    }
    check_from(c, rest, n);
}

static void check_contains(struct check *c) {
    const struct json *schema = keyword(c, "contains");
    struct arena *a = c->document->arena;
    if (schema == NULL || c->document->draft < DRAFT_6) return;
    struct failure *misses = make(c, FAILURE_LEAF, "no items match contains schema");
    cleanup_buf struct buf places = {0};
    uint64_t matched = 0, least, most;
    for (uint32_t i = 0; i < c->value->len; i++) {
        struct failure *f = check_part(c, schema, &c->value->items[i], item_key(a, i));
        if (f != NULL) {
            add_cause(misses, f);
            continue;
        }
        buf_printf(&places, "%s%u", matched > 0 ? " " : "", i);
        matched++;
        if (c->document->draft >= DRAFT_2020) look_at(&c->unseen, i);
    }
    if (!is_old(c) && limit(c, "minContains", &least)) {
        if (matched < least) {
            misses->text = matched == 0 ? arena_printf(a, "min %s items required to match contains schema, but none matched", count_text(a, least))
                                        : arena_printf(a, "min %s items required to match contains schema, but matched %s items at %s",
                                                       count_text(a, least), count_text(a, matched), buf_str(&places));
            add(c, misses);
        }
    } else if (matched == 0) {
        add(c, misses);
    }
    if (!is_old(c) && limit(c, "maxContains", &most) && matched > most)
        fail(c, "max %s items required to match contains schema, but matched %s items at %s", count_text(a, most), count_text(a, matched), buf_str(&places));
}

static void check_array(struct check *c) {
    check_counts(c, "minItems", "maxItems", c->value->len);
    check_unique(c);
    check_items(c);
    check_contains(c);
}

/* ---- strings and numbers ---- */

static void check_string(struct check *c) {
    check_counts(c, "minLength", "maxLength", rune_count(c->value->s, c->value->len));
    const struct json *pattern = keyword(c, "pattern");
    if (!json_is(pattern, JSON_STRING) || matches(c, pattern->s, pattern->len, c->value->s, c->value->len)) return;
    fail(c, "%s does not match pattern %s", display(c->document->arena, c->value), display(c->document->arena, pattern));
}

static int compare_numbers(const struct json *a, const struct json *b) {
    if (a->type == JSON_INT && b->type == JSON_INT) return (a->i > b->i) - (a->i < b->i);
    double x = as_double(a), y = as_double(b);
    return (x > y) - (x < y);
}

static void bad_number(struct check *c, const char *name, const struct json *wanted) {
    struct arena *a = c->document->arena;
    fail(c, "%s: got %s, want %s", name, number_text(a, as_double(c->value)), number_text(a, as_double(wanted)));
}

static bool is_multiple(const struct json *v, const struct json *of) {
    if (v->type == JSON_INT && of->type == JSON_INT) return of->i == 0 || v->i % of->i == 0;
    double q = as_double(v) / as_double(of);
    return q == floor(q) || fabs(q - round(q)) < 1e-9;
}

static void check_number(struct check *c) {
    const struct json *low = keyword(c, "minimum"), *high = keyword(c, "maximum"), *above = keyword(c, "exclusiveMinimum"),
                      *below = keyword(c, "exclusiveMaximum"), *multiple = keyword(c, "multipleOf");
    if (json_is(above, JSON_BOOL)) above = above->b ? low : NULL, low = above != NULL ? NULL : low; /* draft 4 */
    if (json_is(below, JSON_BOOL)) below = below->b ? high : NULL, high = below != NULL ? NULL : high;
    if (is_number(low) && compare_numbers(c->value, low) < 0) bad_number(c, "minimum", low);
    if (is_number(high) && compare_numbers(c->value, high) > 0) bad_number(c, "maximum", high);
    if (is_number(above) && compare_numbers(c->value, above) <= 0) bad_number(c, "exclusiveMinimum", above);
    if (is_number(below) && compare_numbers(c->value, below) >= 0) bad_number(c, "exclusiveMaximum", below);
    if (is_number(multiple) && !is_multiple(c->value, multiple)) bad_number(c, "multipleOf", multiple);
}

/* ---- schemas of schemas ---- */

static void check_all_of(struct check *c) {
    const struct json *list = keyword(c, "allOf");
    struct failure *outer = NULL;
    JSON_EACH(s, list) {
        struct failure *f = check_self(c, s);
        if (f == NULL) continue;
        if (outer == NULL) outer = make(c, FAILURE_LEAF, "'allOf' failed");
        add_cause(outer, f);
    }
    add(c, outer);
}

static void check_any_of(struct check *c) {
    const struct json *list = keyword(c, "anyOf");
    if (!json_is(list, JSON_ARRAY) || list->len == 0) return;
    struct failure *outer = make(c, FAILURE_LEAF, "'anyOf' failed");
    bool matched = false;
    for (uint32_t i = 0; i < list->len && !(matched && c->unseen.left == NULL); i++) {
        struct failure *f = check_self(c, &list->items[i]);
        if (f == NULL) matched = true;
        else add_cause(outer, f);
    }
    if (!matched) add(c, outer);
}

static void check_one_of(struct check *c) {
    const struct json *list = keyword(c, "oneOf");
    if (!json_is(list, JSON_ARRAY) || list->len == 0) return;
    struct failure *outer = make(c, FAILURE_LEAF, "'oneOf' failed, none matched");
    int64_t matched = -1;
    for (uint32_t i = 0; i < list->len; i++) {
        struct failure *f = check_self(c, &list->items[i]);
        if (f != NULL) {
            if (matched < 0) add_cause(outer, f);
        } else if (matched < 0) {
            matched = i;
        } else {
            return fail(c, "'oneOf' failed, subschemas %s, %s matched", count_text(c->document->arena, (uint64_t)matched), count_text(c->document->arena, i));
        }
    }
    if (matched < 0) add(c, outer);
}

static void check_conditions(struct check *c) {
    const struct json *not_schema = keyword(c, "not"), *condition = c->document->draft >= DRAFT_7 ? keyword(c, "if") : NULL;
    if (not_schema != NULL && check_self(c, not_schema) == NULL) fail(c, "'not' failed");
    check_all_of(c);
    check_any_of(c);
    check_one_of(c);
    if (condition == NULL) return;
    const struct json *branch = keyword(c, check_self(c, condition) == NULL ? "then" : "else");
    if (branch != NULL) add(c, check_self(c, branch));
}

static void check_unseen(struct check *c) {
    bool object = c->value->type == JSON_OBJECT;
    const struct json *schema = keyword(c, object ? "unevaluatedProperties" : "unevaluatedItems");
    if (schema == NULL || c->unseen.left == NULL) return;
    for (uint32_t i = 0; i < c->unseen.count; i++) {
        if (!c->unseen.left[i]) continue;
        if (object) add(c, check_part(c, schema, &c->value->members[i].value, c->value->members[i].key));
        else add(c, check_part(c, schema, &c->value->items[i], item_key(c->document->arena, i)));
        c->unseen.left[i] = false;
    }
}

/* ---- all of it ---- */

static bool is_cycle(const struct check *c) {
    for (const struct check *o = c->outer; o != NULL && o->value == c->value; o = o->outer) {
        if (o->schema == c->schema) return true;
    }
    return false;
}

static struct failure *first_of(struct check *c, struct failure *(*const rules[])(struct check *), size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct failure *f = rules[i](c);
        if (f != NULL) return f;
    }
    return NULL;
}

static struct failure *validate_within_limits(struct check *c) {
    static struct failure *(*const early[])(struct check *) = {check_type, check_const, check_enum, check_format};
    struct failure *f = first_of(c, early, ARRAY_LEN(early));
    if (f != NULL) return f;
    static const char *const references[] = {"$ref", "$recursiveRef", "$dynamicRef"};
    for (size_t i = 0; i < (is_old(c) ? 1 : ARRAY_LEN(references)); i++) {
        const char *reference = json_str(keyword(c, references[i]), NULL);
        if (reference == NULL) continue;
        f = check_reference(c, reference);
        if (is_old(c)) return f; /* whatever stands beside a $ref does not count */
        add(c, f);
    }
    if (c->value->type == JSON_OBJECT) check_object(c);
    else if (c->value->type == JSON_ARRAY) check_array(c);
    else if (c->value->type == JSON_STRING) check_string(c);
    else if (is_number(c->value)) check_number(c);
    check_conditions(c);
    if (!is_old(c)) check_unseen(c);
    if (c->first == NULL || c->first->next == NULL) return c->first;
    struct failure *group = make(c, FAILURE_GROUP, "validation failed");
    group->causes = c->first;
    group->last_cause = c->last;
    return group;
}

static struct failure *validate(struct check *c) {
    if (c->schema->type == JSON_BOOL) return c->schema->b ? NULL : make(c, FAILURE_LEAF, "false schema");
    if (c->schema->type != JSON_OBJECT || c->schema->len == 0) return NULL;
    if (is_cycle(c)) return make(c, FAILURE_LEAF, "the schema refers to itself without end");
    if (c->document->set->depth >= MAX_DEPTH || ++c->document->set->steps > max_steps) return make(c, FAILURE_LEAF, "the schema is too complex");
    c->document->set->depth++;
    struct failure *f = validate_within_limits(c);
    c->document->set->depth--;
    return f;
}

struct failure *schema_validate(struct schema_document *d, const struct json *schema, const struct json *value) {
    struct check c = {.document = d, .schema = schema, .value = value};
    c.unseen = start_unseen(&c, false);
    return validate(&c);
}
