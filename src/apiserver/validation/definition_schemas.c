/* Schemas of custom resources: what of OpenAPI they may use, that they are structural, that their defaults fit and their rules
 * compile (apiextensions-apiserver pkg/apis/apiextensions/validation and pkg/apiserver/schema). */
#include "apiserver/crd.h"
#include "apiserver/validation/definitions.h"
#include "schema/cel.h"

enum level { AT_ROOT, AT_ITEM, AT_FIELD };

static bool flag(const struct json *s, const char *name) { return json_bool(json_member(s, name), NULL, false); }
static const struct json *schema_in(const struct json *s, const char *name) {
    const struct json *v = json_member(s, name);
    return json_is(v, JSON_OBJECT) ? v : NULL;
}

/* ---- structural (ValidateStructural) ---- */

static void structural(RULE, enum level level);

static bool int_or_string_pair(const struct json *any) {
    return json_len(any) == 2 && json_len(json_at(any, 0)) == 1 && json_len(json_at(any, 1)) == 1 && json_str_is(json_at(any, 0), "type", "integer") &&
           json_str_is(json_at(any, 1), "type", "string");
}

static void nested(RULE, bool skip_any);

static void value_rules(RULE, bool skip_any, bool skip_first) {
    static const char *const lists[] = {"anyOf", "allOf", "oneOf"};
    const char *pattern = str_of(o, "pattern");
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i = 0;
        if (k == 0 && skip_any) continue;
        JSON_EACH(s, json_member(o, lists[k])) {
            nested(e, FIELD_INDEX(FIELD(p, lists[k]), i), s, k == 1 && i == 0 && skip_first);
            i++;
        }
    }
    if (schema_in(o, "not")) nested(e, FIELD(p, "not"), json_member(o, "not"), false);
    const char *problem = *pattern ? crd_pattern_problem(e->arena, pattern) : NULL;
    if (problem) field_invalid_str(e, FIELD(p, "pattern"), pattern, "must be a valid regular expression, but isn't: %s", problem);
}

/* Below allOf, anyOf, oneOf and not there are value rules only. */
static void nested(RULE, bool skip_any) {
    static const struct { const char *name, *why; } forbidden[] = {
        {"type", "must be empty to be structural"}, {"additionalProperties", "must be undefined to be structural"},
        {"default", "must be undefined to be structural"}, {"title", "must be empty to be structural"}, {"description", "must be empty to be structural"},
        {"nullable", "must be false to be structural"}, {"x-kubernetes-preserve-unknown-fields", "must be false to be structural"},
        {"x-kubernetes-embedded-resource", "must be false to be structural"}, {"x-kubernetes-int-or-string", "must be false to be structural"},
        {"x-kubernetes-list-map-keys", "must be empty to be structural"}, {"x-kubernetes-list-type", "must be undefined to be structural"},
        {"x-kubernetes-map-type", "must be undefined to be structural"}, {"x-kubernetes-validations", "must be empty to be structural"}};
    value_rules(e, p, o, skip_any, false);
    if (schema_in(o, "items")) nested(e, FIELD(p, "items"), json_member(o, "items"), false);
    JSON_EACH_MEMBER(m, json_member(o, "properties")) nested(e, FIELD_KEY(FIELD(p, "properties"), m->key), &m->value, false);
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        const struct json *v = json_member(o, forbidden[i].name);
        bool nothing = v == NULL || v->type == JSON_NULL || (v->type == JSON_BOOL && !v->b && strcmp(forbidden[i].name, "additionalProperties") != 0) ||
                       (v->type == JSON_STRING && v->len == 0) || (v->type == JSON_ARRAY && v->len == 0);
        if (!nothing) field_forbidden(e, FIELD(p, forbidden[i].name), "%s", forbidden[i].why);
    }
    if (json_member(json_member(o, "properties"), "metadata"))
        field_forbidden(e, FIELD_KEY(FIELD(p, "properties"), "metadata"), "must not be specified in a nested context");
}

static void metadata_schema(RULE, bool whole, enum level level) {
    static const char open[] = "name generateName";
    bool more = false;
    if (whole && !json_str_is(o, "type", "object")) field_invalid_str(e, FIELD(p, "type"), str_of(o, "type"), "must be object");
    if (level != AT_ROOT) return;
    JSON_EACH_MEMBER(m, json_member(o, "properties")) more |= !word_in(m->key, open);
    JSON_EACH_MEMBER(m, o) more |= !word_in(m->key, "type properties default");
    if (more) field_forbidden(e, p, "must not specify anything other than name and generateName, but metadata is implicitly specified");
}

static void type_of_level(RULE, enum level level) {
    static const char *const why[] = {[AT_ROOT] = "must not be empty at the root", [AT_ITEM] = "must not be empty for specified array items",
                                      [AT_FIELD] = "must not be empty for specified object fields"};
    const char *type = str_of(o, "type");
    const struct field_path *at = FIELD(p, "type");
    if (flag(o, "x-kubernetes-embedded-resource") && strcmp(type, "object") != 0) {
        if (!*type) field_required(e, at, "must be object if x-kubernetes-embedded-resource is true");
        else field_invalid_str(e, at, type, "must be object if x-kubernetes-embedded-resource is true");
    } else if (!*type && !flag(o, "x-kubernetes-int-or-string") && !flag(o, "x-kubernetes-preserve-unknown-fields")) {
        field_required(e, at, why[level]);
    }
    if (level == AT_ROOT && *type && strcmp(type, "object") != 0) field_invalid_str(e, at, type, "must be object at the root");
}

static void structural(RULE, enum level level) {
    bool embedded = flag(o, "x-kubernetes-embedded-resource"), whole = level == AT_ROOT || embedded, either = flag(o, "x-kubernetes-int-or-string");
    bool preserve = flag(o, "x-kubernetes-preserve-unknown-fields");
    const struct json *properties = json_member(o, "properties"), *additional = json_member(o, "additionalProperties");
    const struct field_path *members = FIELD(p, "properties");
    if (json_str_is(o, "type", "array") && !has(o, "items")) field_required(e, FIELD(p, "items"), "must be specified");
    if (schema_in(o, "items")) structural(e, FIELD(p, "items"), json_member(o, "items"), AT_ITEM);
    JSON_EACH_MEMBER(m, properties) structural(e, FIELD_KEY(members, m->key), &m->value, AT_FIELD);
    if (additional && level == AT_ROOT) field_forbidden(e, FIELD(p, "additionalProperties"), "must not be used at the root");
    if (json_is(additional, JSON_OBJECT)) structural(e, FIELD(p, "additionalProperties"), additional, AT_FIELD);
    if (either && preserve) field_invalid(e, FIELD(p, "x-kubernetes-preserve-unknown-fields"), &json_true, "must be false if x-kubernetes-int-or-string is true");
    if (either && embedded) field_invalid(e, FIELD(p, "x-kubernetes-embedded-resource"), &json_true, "must be false if x-kubernetes-int-or-string is true");
    value_rules(e, p, o, int_or_string_pair(json_member(o, "anyOf")), int_or_string_pair(json_member(json_at(json_member(o, "allOf"), 0), "anyOf")));
    type_of_level(e, p, o, level);
    if (embedded && additional) field_forbidden(e, FIELD(p, "additionalProperties"), "must not be used if x-kubernetes-embedded-resource is set");
    static const char *const strings[] = {"kind", "apiVersion"};
    for (size_t i = 0; whole && i < ARRAY_LEN(strings); i++) {
        const struct json *s = json_member(properties, strings[i]);
        if (s && !json_str_is(s, "type", "string")) field_invalid_str(e, FIELD(FIELD_KEY(members, strings[i]), "type"), str_of(s, "type"), "must be string");
    }
    if (json_member(properties, "metadata")) metadata_schema(e, FIELD_KEY(members, "metadata"), json_member(properties, "metadata"), whole, level);
    if (embedded && !preserve && json_len(properties) == 0)
        field_required(e, members, "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields");
}

static int by_path(const void *x, const void *y) {
    const struct field_error *a = x, *b = y;
    int order = strcmp(a->field, b->field);
    return order ? order : strcmp(a->message, b->message);
}

/* What upstream cannot even read as a structural schema: those errors come from the rules of OpenAPI below. */
static bool unreadable(const struct json *o) {
    static const char *const members[] = {"id", "$ref", "$schema", "additionalItems", "patternProperties", "definitions", "dependencies", NULL};
    if (!json_is(o, JSON_OBJECT)) return false;
    for (size_t i = 0; members[i]; i++) if (has(o, members[i])) return true;
    if (flag(o, "uniqueItems") || json_is(json_member(o, "items"), JSON_ARRAY) || json_str_is(o, "type", "null")) return true;
    if (json_is(json_member(o, "x-kubernetes-preserve-unknown-fields"), JSON_BOOL) && !flag(o, "x-kubernetes-preserve-unknown-fields")) return true;
    if (json_len(json_member(o, "properties")) > 0 && json_is(json_member(o, "additionalProperties"), JSON_OBJECT)) return true;
    JSON_EACH_MEMBER(m, json_member(o, "properties")) if (unreadable(&m->value)) return true;
    return unreadable(json_member(o, "items")) || unreadable(json_member(o, "additionalProperties"));
}

/* ---- defaults ---- */

static void defaults(RULE) {
    const struct json *value = json_member(o, "default");
    const struct field_path *at = FIELD(p, "default");
    if (value && value->type != JSON_NULL) {
        struct json_array unknown = {.arena = e->arena};
        const struct json *pruned;
        struct crd view = {.schema = json_make(e->arena, "{'properties':{'v':%v}}", o)};
        cleanup_error struct error *problem = crd_decode(e->arena, &view, json_make(e->arena, "{'v':%v}", value), &unknown, &pruned);
        if (unknown.len > 0) field_invalid(e, at, value, "must not have unknown fields");
        crd_validate_value(e, at, o, value, NULL);
    }
    if (schema_in(o, "items")) defaults(e, FIELD(p, "items"), json_member(o, "items"));
    JSON_EACH_MEMBER(m, json_member(o, "properties")) defaults(e, FIELD_KEY(FIELD(p, "properties"), m->key), &m->value);
}

/* ---- what of OpenAPI there is (ValidateCustomResourceDefinitionOpenAPISchema) ---- */

/* What the rules of a whole schema cost. */
struct costs {
    uint64_t sum;
    struct { const char *path; uint64_t cost; } dearest[4];
    size_t len;
};

struct walk {
    bool rules;                           /* CEL rules are looked at: the schema is structural */
    bool root, meta;                      /* at the root; inside of metadata */
    const char *no_defaults;              /* why there must be none; NULL: there may */
    const struct field_path *unrelated;   /* above here new and old values cannot be told apart: no oldSelf */
    bool bounded;                         /* a resource has so many values of the schema: */
    uint64_t places;
    struct costs *costs;
    struct field_errors *found;           /* what is wrong with rules: told behind what is wrong with schemas */
};

static void forbidden_words(RULE, const struct walk *w) {
    static const char *const names[] = {"id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"};
    const char *type = str_of(o, "type");
    if (*type && !word_in(type, "array boolean integer number object string"))
        unsupported(e, FIELD(p, "type"), type, "array boolean integer number object string");
    if (has(o, "default") && w->no_defaults) field_forbidden(e, FIELD(p, "default"), "must not be set %s", w->no_defaults);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) if (has(o, names[i])) field_forbidden(e, FIELD(p, names[i]), "%s is not supported", names[i]);
    if (strcmp(type, "null") == 0) field_forbidden(e, FIELD(p, "type"), "type cannot be set to null, use nullable as an alternative");
    if (json_is(json_member(o, "items"), JSON_ARRAY)) field_forbidden(e, FIELD(p, "items"), "items must be a schema object and not an array");
    if (w->meta && flag(o, "x-kubernetes-embedded-resource")) field_forbidden(e, FIELD(p, "x-kubernetes-embedded-resource"), "must not be used inside of resource meta");
    if (flag(o, "uniqueItems")) field_forbidden(e, FIELD(p, "uniqueItems"), "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
}

static void must_be_type(RULE, const char *extension, const char *wanted) {
    const char *type = str_of(o, "type"), *why = arena_printf(e->arena, "must be %s if %s is specified", wanted, extension);
    if (!has(o, extension) || strcmp(type, wanted) == 0) return;
    if (!*type) field_required(e, FIELD(p, "type"), why);
    else field_invalid_str(e, FIELD(p, "type"), type, "%s", why);
}

static void set_items(RULE) {
    const struct json *items = json_member(o, "items");
    const struct field_path *at = FIELD(p, "items");
    static const char why[] = "must be atomic as item of a list with x-kubernetes-list-type=set";
    const char *list = str_of(items, "x-kubernetes-list-type");
    if (json_str_is(items, "type", "array") && *list && strcmp(list, "atomic") != 0) field_invalid_str(e, FIELD(at, "x-kubernetes-list-type"), list, why);
    if (json_str_is(items, "type", "object") && !json_str_is(items, "x-kubernetes-map-type", "atomic"))
        field_invalid(e, FIELD(at, "x-kubernetes-map-type"), json_member(items, "x-kubernetes-list-type"), why); /* upstream shows the list type */
}

static void map_keys(RULE) {
    const struct json *items = json_member(o, "items"), *keys = json_member(o, "x-kubernetes-list-map-keys"), *properties = json_member(items, "properties");
    const struct field_path *at = FIELD(p, "items"), *members = FIELD(at, "properties");
    size_t i = 0;
    if (json_len(keys) == 0) field_required(e, FIELD(p, "x-kubernetes-list-map-keys"), "must not be empty if x-kubernetes-list-type is map");
    if (!has(o, "items")) field_required(e, at, "must have a schema if x-kubernetes-list-type is map");
    else if (!json_str_is(items, "type", "object")) field_invalid_str(e, FIELD(at, "type"), str_of(items, "type"), "must be object if parent array's x-kubernetes-list-type is map");
    JSON_EACH(k, json_str_is(items, "type", "object") ? keys : NULL) {
        const struct json *s = json_member(properties, text_of(k));
        bool doubled = false;
        for (size_t n = 0; n < i; n++) doubled |= json_equal(json_at(keys, n), k);
        if (s && word_in(str_of(s, "type"), "array object"))
            field_invalid_str(e, FIELD(FIELD_KEY(members, text_of(k)), "type"), str_of(items, "type"), "must be a scalar type if parent array's x-kubernetes-list-type is map");
        if (s == NULL) field_invalid(e, FIELD(p, "x-kubernetes-list-map-keys"), keys, "entries must all be names of item properties");
        if (doubled) field_invalid(e, FIELD_INDEX(FIELD(p, "x-kubernetes-list-map-keys"), i), keys, "must not contain duplicate entries");
        i++;
    }
}

/* Items of sets and maps are never null; their keys are always there. */
static void identity(RULE, const char *list) {
    const struct json *items = json_member(o, "items"), *required = json_member(items, "required");
    const struct field_path *at = FIELD(p, "items"), *members = FIELD(at, "properties");
    if (flag(items, "nullable")) field_forbidden(e, FIELD(at, "nullable"), "cannot be nullable when x-kubernetes-list-type is %s", list);
    JSON_EACH(k, strcmp(list, "map") == 0 ? json_member(o, "x-kubernetes-list-map-keys") : NULL) {
        const struct json *s = json_member(json_member(items, "properties"), text_of(k));
        const struct field_path *key = FIELD_KEY(members, text_of(k));
        if (s == NULL) continue;
        if (!list_contains(required, text_of(k)) && !has(s, "default"))
            field_required(e, FIELD(key, "default"), "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property");
        if (flag(s, "nullable")) field_forbidden(e, FIELD(key, "nullable"), "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    }
}

static void extensions(RULE) {
    const char *list = str_of(o, "x-kubernetes-list-type");
    const struct json *preserve = json_member(o, "x-kubernetes-preserve-unknown-fields");
    if (json_is(preserve, JSON_BOOL) && !preserve->b) field_invalid(e, FIELD(p, "x-kubernetes-preserve-unknown-fields"), preserve, "must be true or undefined");
    must_be_type(e, p, o, "x-kubernetes-map-type", "object");
    choice(e, p, o, "x-kubernetes-map-type", "atomic granular");
    must_be_type(e, p, o, "x-kubernetes-list-type", "array");
    if (strcmp(list, "set") == 0 && json_str_is(o, "type", "array")) set_items(e, p, o);
    choice(e, p, o, "x-kubernetes-list-type", "atomic set map");
    if (json_len(json_member(o, "x-kubernetes-list-map-keys")) > 0 && strcmp(list, "map") != 0) {
        static const char why[] = "must be map if x-kubernetes-list-map-keys is non-empty";
        if (!*list) field_required(e, FIELD(p, "x-kubernetes-list-type"), why);
        else field_invalid_str(e, FIELD(p, "x-kubernetes-list-type"), list, why);
    }
    if (strcmp(list, "map") == 0) map_keys(e, p, o);
    if (word_in(list, "set map")) identity(e, p, o, list);
}

/* ---- CEL rules ---- */

#define COST_LIMIT 10000000          /* of a rule, all its places together */
#define TOTAL_COST_LIMIT 100000000   /* of all rules of a schema */

static uint64_t times(uint64_t x, uint64_t y) { return __builtin_mul_overflow(x, y, &x) ? UINT64_MAX : x; }

static const char *cost_message(struct arena *a, const char *what, uint64_t cost, uint64_t limit) {
    double factor = (double)cost / (double)limit;
    const char *text = factor > 100 ? "more than 100x" : arena_printf(a, factor < 1.5 ? "%fx" : "%.1fx", factor);
    return arena_printf(a, "%s exceeds budget by factor of %s (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, "
                        "maps, and strings are declared)", what, text);
}

/* Adds to what all rules cost; those that matter are remembered, the dearest first. */
static void count_cost(struct costs *c, struct arena *a, const struct field_path *p, uint64_t cost) {
    uint64_t sum;
    c->sum = __builtin_add_overflow(c->sum, cost, &sum) ? UINT64_MAX : sum;
    if (cost < TOTAL_COST_LIMIT / 100) return;
    size_t i = 0;
    while (i < c->len && c->dearest[i].cost >= cost) i++;
    if (i == ARRAY_LEN(c->dearest)) return;
    c->len = MIN(c->len + 1, ARRAY_LEN(c->dearest));
    memmove(&c->dearest[i + 1], &c->dearest[i], (c->len - i - 1) * sizeof(c->dearest[0]));
    c->dearest[i].path = field_path_text(a, p);
    c->dearest[i].cost = cost;
}

static void total_cost(struct field_errors *e, const struct field_path *p, const struct costs *c) {
    if (c->sum <= TOTAL_COST_LIMIT) return;
    for (size_t i = 0; i < c->len; i++)
        field_forbidden(e, FIELD(NULL, c->dearest[i].path), "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema");
    field_forbidden(e, p, "%s", cost_message(e->arena, "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", c->sum, TOTAL_COST_LIMIT));
}

static const char *compile(struct field_errors *e, const char *text, const struct type *t, bool optional, struct cel_program **out) {
    const struct cel_var vars[] = {{.name = "self", .type = t}, {.name = "oldSelf", .type = optional ? NULL : t}};
    cleanup_error struct error *problem = cel_compile(e->arena, text, &(struct cel_env){.vars = vars, .var_count = ARRAY_LEN(vars)}, out);
    return problem ? arena_strdup(e->arena, problem->message) : NULL;
}

static bool blank(const char *s) { return s[strspn(s, " \t\r\n\v\f")] == '\0'; }

static bool has_breaks(const char *s) {
    const char *at = s + strspn(s, " \t\r\n\v\f"), *end = at + strlen(at);
    while (end > at && strchr(" \t\r\n\v\f", end[-1])) end--;
    size_t first = strcspn(at, "\r\n");
    return at + first < end;
}

/* What is wrong with a rule's texts, whatever they say. */
static void rule_words(RULE, const struct json *schema) {
    const char *text = str_of(o, "rule"), *message = str_of(o, "message"), *expression = str_of(o, "messageExpression"), *path = str_of(o, "fieldPath");
    if (blank(text)) field_required(e, FIELD(p, "rule"), "rule is not specified");
    else if (*message && blank(message)) field_invalid_str(e, FIELD(p, "message"), message, "must be non-empty if specified");
    else if (has_breaks(message)) field_invalid_str(e, FIELD(p, "message"), message, "must not contain line breaks");
    else if (has_breaks(text) && blank(message)) field_required(e, FIELD(p, "message"), "message must be specified if rule contains line breaks");
    if (*expression && blank(expression)) field_required(e, FIELD(p, "messageExpression"), "messageExpression must be non-empty if specified");
    choice(e, p, o, "reason", "FieldValueDuplicate FieldValueForbidden FieldValueInvalid FieldValueRequired");
    if (!*path) return;
    if (blank(path)) field_invalid_str(e, FIELD(p, "fieldPath"), path, "must be non-empty if specified");
    if (strpbrk(path, "\r\n")) field_invalid_str(e, FIELD(p, "fieldPath"), path, "must not contain line breaks");
    if (crd_field_path(e->arena, schema, path, true, NULL, NULL)) field_invalid_str(e, FIELD(p, "fieldPath"), path, "must be a valid path");
}

/* A schema with rules, where it stands. */
struct ruled {
    const struct json *schema;
    const struct type *type;
    const struct walk *w;
};

static uint64_t rule_cost(struct field_errors *e, const struct ruled *r, const struct cel_program *program) {
    uint64_t cost = cel_schema_cost(e->arena, program, r->schema, r->w->root), most = (3U << 20) / (cel_schema_min_bytes(r->schema, r->w->root) + 1);
    return times(cost, r->w->bounded ? r->w->places : most);
}

static void message_expression(RULE, const struct ruled *r, const struct json *shown) {
    const char *text = str_of(o, "messageExpression");
    const struct field_path *at = FIELD(p, "messageExpression");
    struct cel_program *program = NULL;
    if (!*text) return;
    const char *problem = compile(e, text, r->type, json_bool(o, "optionalOldSelf", false), &program);
    if (problem) field_invalid(e, at, shown, "messageExpression compilation failed: %s", problem);
    else if (cel_result(program) != CEL_STRING && cel_result(program) != CEL_DYN) field_invalid(e, at, shown, "messageExpression must evaluate to a string");
    if (problem) return;
    uint64_t cost = cel_schema_cost(e->arena, program, r->schema, r->w->root);
    if (cost > COST_LIMIT) field_forbidden(e, at, "%s", cost_message(e->arena, "estimated messageExpression cost", cost, COST_LIMIT));
    count_cost(r->w->costs, e->arena, at, cost);
}

static void rule(RULE, const struct ruled *r) {
    const struct json *shown = go_form(e->arena, "apiextensions.k8s.io/v1/ValidationRule", o), *optional = json_member(o, "optionalOldSelf");
    const struct field_path *at = FIELD(p, "rule");
    struct cel_program *program = NULL;
    const char *text = str_of(o, "rule"), *problem = compile(e, text, r->type, json_bool(optional, NULL, false), &program);
    if (problem) problem = arena_printf(e->arena, "compilation failed: %s", problem);
    else if (cel_result(program) != CEL_BOOL && cel_result(program) != CEL_DYN) problem = "cel expression must evaluate to a bool";
    uint64_t cost = problem ? 0 : rule_cost(e, r, program);
    if (cost > COST_LIMIT) field_forbidden(e, at, "%s", cost_message(e->arena, "estimated rule cost", cost, COST_LIMIT));
    count_cost(r->w->costs, e->arena, at, cost);
    if (problem) field_invalid(e, at, shown, "%s", problem);
    else message_expression(e, p, o, r, shown);
    bool old = program && cel_uses(program, "oldSelf");
    if (old && r->w->unrelated)
        field_invalid_str(e, at, text, "oldSelf cannot be used on the uncorrelatable portion of the schema within %s", field_path_text(e->arena, r->w->unrelated));
    if (!old && optional) field_invalid(e, FIELD(p, "optionalOldSelf"), optional, "may not be set if oldSelf is not used in rule");
}

/* The rules themselves are looked at when nothing is wrong with the schema here and below. */
static void rules(RULE, const struct walk *w, size_t before) {
    const struct json *list = json_member(o, "x-kubernetes-validations");
    const struct field_path *at = FIELD(p, "x-kubernetes-validations");
    size_t i = 0;
    JSON_EACH(r, list) rule_words(e, FIELD_INDEX(at, i++), r, o);
    if (json_len(list) == 0 || !w->rules || e->len > before) return;
    struct ruled here = {o, crd_type(e->arena, o, w->root), w};
    i = 0;
    JSON_EACH(r, list) rule(w->found, FIELD_INDEX(at, i++), r, &here);
}

/* How many values of a member or element there may be for one of the schema; false: any number. */
static bool most_elements(const struct json *o, uint64_t *out) {
    bool array = json_str_is(o, "type", "array"), map = json_str_is(o, "type", "object") && has(o, "additionalProperties");
    const struct json *limit = json_member(o, array ? "maxItems" : "maxProperties");
    *out = 1;
    if (!array && !map) return true;
    if (limit) *out = (uint64_t)MAX(json_int(limit, NULL, 0), 0);
    return limit != NULL;
}

/* ---- the walk ---- */

static void schema(RULE, struct walk w) {
    static const char *const lists[] = {"allOf", "oneOf", "anyOf"};
    const struct json *additional = json_member(o, "additionalProperties"), *properties = json_member(o, "properties");
    struct walk below = w, loose = w;
    size_t before = e->len;
    uint64_t elements;
    if (!json_is(o, JSON_OBJECT)) return;
    below.bounded = most_elements(o, &elements) && w.bounded;
    below.places = times(w.places, elements);
    loose.rules = below.root = loose.root = false;
    forbidden_words(e, p, o, &w);
    if (additional && json_len(properties) > 0 && !(json_is(additional, JSON_BOOL) && additional->b))
        field_forbidden(e, FIELD(p, "additionalProperties"), "additionalProperties and properties are mutual exclusive");
    struct walk inside = below;
    if (w.meta) inside.no_defaults = "inside additionalProperties applying to object metadata";
    schema(e, FIELD(p, "additionalProperties"), additional, inside);
    JSON_EACH_MEMBER(m, properties) {
        struct walk member = below;
        if (json_str_is(o, "x-kubernetes-map-type", "atomic") && !member.unrelated) member.unrelated = p;
        if ((w.root || flag(o, "x-kubernetes-embedded-resource")) && word_in(m->key, "metadata kind apiVersion")) {
            member.meta = true;
            if (w.root) member.no_defaults = arena_printf(e->arena, "in top-level %s", m->key);
        }
        schema(e, FIELD_KEY(FIELD(p, "properties"), m->key), &m->value, member);
    }
    schema(e, FIELD(p, "not"), json_member(o, "not"), loose);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i = 0;
        JSON_EACH(s, json_member(o, lists[k])) schema(e, FIELD_INDEX(FIELD(p, lists[k]), i++), s, loose);
    }
    struct walk item = below;
    if (!json_str_is(o, "x-kubernetes-list-type", "map") && !item.unrelated) item.unrelated = p;
    schema(e, FIELD(p, "items"), json_member(o, "items"), item);
    extensions(e, p, o);
    rules(e, p, o, &w, before);
}

static void root_with_status(RULE) {
    static const char allowed[] = "description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems "
                                  "multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields x-kubernetes-validations";
    if (*str_of(o, "type") && !json_str_is(o, "type", "object"))
        field_invalid_str(e, FIELD(p, "type"), str_of(o, "type"), "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled");
    JSON_EACH_MEMBER(m, o) {
        if (word_in(m->key, allowed)) continue;
        field_invalid(e, p, o, "only %s fields are allowed at the root of the schema if the status subresource is enabled",
                      "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf "
                      "Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]");
        return;
    }
}

void definition_schema(RULE, bool has_status) {
    if (has_status) root_with_status(e, p, o);
    if (flag(o, "nullable")) field_forbidden(e, FIELD(p, "nullable"), "nullable cannot be true at the root");
    struct costs costs = {0};
    struct field_errors found = {.arena = e->arena};
    struct walk w = {.root = true, .bounded = true, .places = 1, .costs = &costs, .found = &found};
    if (!unreadable(o)) {
        size_t before = e->len;
        structural(e, p, o, AT_ROOT);
        if (e->len > before + 1) qsort(e->items + before, e->len - before, sizeof(*e->items), by_path);
        if (e->len == before) defaults(e, p, o);
        w.rules = e->len == before;
    }
    schema(e, p, o, w);
    field_errors_append(e, &found);
    if (w.rules) total_cost(e, p, &costs);
}
