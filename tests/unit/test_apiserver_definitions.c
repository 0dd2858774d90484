/* CustomResourceDefinitions: what is refused, what their rules may cost, and how long one that was replaced stays. The words and figures
 * are kube-apiserver's. */
#include "apiserver/apiserver.h"
#include "apiserver/crd.h"
#include "base/str.h"
#include "schema/cel.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct store *store;
static struct apiserver *server;
static struct arena arena;

static void fail_on(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

static int set_up(void **state) {
    (void)state;
    static bool schema;
    if (!schema) schema_init();
    schema = true;
    struct store_config sc = {.backend = "memory", .synchronous = true};
    fail_on(store_open(&sc, &store));
    struct apiserver_config config = {.store = store, .issuer = "https://kubernetes.default.svc"};
    fail_on(apiserver_new(&config, &server));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    apiserver_shutdown(server);
    apiserver_free(server);
    store_close(store);
    arena_free(&arena);
    return 0;
}

static const struct json *definition(const struct json *spec_schema, const struct json *selectable) {
    return json_make(&arena, "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{'name':'things.example.com'},'spec':{'group':'example.com',"
                     "'names':{'plural':'things','singular':'thing','kind':'Thing','listKind':'ThingList'},'scope':'Namespaced','versions':[{'name':'v1','served':true,'storage':true,"
                     "'selectableFields':%v,'schema':{'openAPIV3Schema':{'type':'object','properties':{'spec':%v}}}}]}}", selectable, spec_schema);
}

static const struct json *parse(const char *text) {
    const struct json *v;
    fail_on(json_parse(&arena, text, strlen(text), NULL, NULL, &v));
    return v;
}

static struct error *run(const char *verb, const struct resource *r, const char *ns, const char *name, const struct json *body, struct doc **out) {
    static const char *const groups[] = {"system:masters", NULL};
    struct apiserver_call c = {.user = "admin", .groups = groups, .user_agent = "test/1", .verb = verb, .resource = r, .ns = ns, .name = name, .body = body,
                               .patch_type = "application/merge-patch+json"};
    struct apiserver_answer a = {0};
    struct error *e = apiserver_call(server, &c, &a);
    if (e) return e;
    if (out) *out = a.doc;
    else doc_unref(a.doc);
    return NULL;
}

static struct error *define(const struct json *d) { return run("create", &resource_apiextensions_customresourcedefinitions, NULL, NULL, d, NULL); }

/* ---- selectable fields ---- */

static const char *selectable_error(const char *paths) {
    const struct json *schema = parse("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"},\"f\":{\"type\":\"number\"},\"l\":{\"type\":\"array\","
                                      "\"items\":{\"type\":\"string\"}},\"o\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"boolean\"}}}}}");
    struct json_array fields = {.arena = &arena};
    char **list = str_split(&arena, paths, ' ', NULL);
    for (size_t i = 0; list[i]; i++) json_array_add(&fields, json_make(&arena, "{'jsonPath':%s}", list[i]));
    struct error *e = define(definition(schema, json_array_done(&fields)));
    const char *text = e && e->cause_count ? arena_printf(&arena, "%s: %s", e->causes[0].field, e->causes[0].message) : e ? arena_strdup(&arena, e->message) : "";
    error_free(e);
    return text;
}

static void selectable_fields_are_simple_paths_to_scalars(void **state) {
    (void)state;
#define AT "spec.selectableFields[0].jsonPath: "
    assert_string_equal(selectable_error(".spec.nope"), AT "Invalid value: \".spec.nope\": is an invalid path: does not refer to a valid field");
    assert_string_equal(selectable_error("spec.a"), AT "Invalid value: \"spec.a\": is an invalid path: expected [ or . but got: spec");
    assert_string_equal(selectable_error(".spec['a']"), AT "Invalid value: \".spec['a']\": is an invalid path: array notation is not allowed");
    assert_string_equal(selectable_error(".spec."), AT "Invalid value: \".spec.\": is an invalid path: unexpected end of JSON path");
    assert_string_equal(selectable_error(".spec.f"), AT "Invalid value: \".spec.f\": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.");
    assert_string_equal(selectable_error(".spec.a .spec.a"), "spec.selectableFields[1].jsonPath: Duplicate value: \".spec.a\"");
    assert_string_equal(selectable_error(".spec.a .spec.n .spec.o.x"), "");
}

static void more_than_eight_fields_are_too_many(void **state) {
    (void)state;
    struct json_array fields = {.arena = &arena};
    const struct json *schema = parse("{\"type\":\"object\"}");
    for (int i = 0; i < 9; i++) {
        schema = json_with(&arena, schema, arena_printf(&arena, "properties.f%d.type", i), json_string(&arena, "string"));
        json_array_add(&fields, json_make(&arena, "{'jsonPath':%s}", arena_printf(&arena, ".spec.f%d", i)));
    }
    cleanup_error struct error *e = define(definition(schema, json_array_done(&fields)));
    assert_string_equal(e->causes[0].message, "Too many: 9: must have at most 8 items");
}

/* ---- costs ---- */

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"s\":{\"type\":\"string\",\"maxLength\":40},\"t\":{\"type\":\"string\",\"maxLength\":100},\"u\":{\"type\":\"string\"},\"i\":{\"type\":\"integer\"},"
    "\"e\":{\"type\":\"string\",\"enum\":[\"abc\",\"defgh\"]},\"l\":{\"type\":\"array\",\"maxItems\":10,\"items\":{\"type\":\"string\",\"maxLength\":20}},"
    "\"m\":{\"type\":\"object\",\"maxProperties\":5,\"additionalProperties\":{\"type\":\"string\",\"maxLength\":30}},\"o\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"maxLength\":12}}},"
    "\"d\":{\"type\":\"string\",\"format\":\"date-time\"},\"y\":{\"type\":\"string\",\"format\":\"byte\",\"maxLength\":50},\"ul\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}";

static uint64_t cost(const char *rule) {
    const struct json *schema = parse(schema_text);
    const struct type *t = crd_type(&arena, schema, false);
    const struct cel_var vars[] = {{.name = "self", .type = t}, {.name = "oldSelf", .type = t}};
    struct cel_program *p;
    fail_on(cel_compile(&arena, rule, &(struct cel_env){.vars = vars, .var_count = 2}, &p));
    return cel_schema_cost(&arena, p, schema, false);
}

/* Compared with what kube-apiserver 1.35.4 says of these rules, multiplied until they are refused. */
static void rules_cost_what_upstream_estimates(void **state) {
    (void)state;
    static const struct { const char *rule; uint64_t cost; } cases[] = {
        {"self.s == self.t", 20}, {"self.i > 3", 3}, {"self.s != 'abc'", 3}, {"self.s.startsWith('abc')", 3}, {"self.s.contains(self.t)", 644},
        {"self.s.matches('^[a-z]+$')", 36}, {"self.l.all(x, x.size() > 3)", 63}, {"self.l.exists(x, x == self.s)", 153}, {"self.l.map(x, x + 'a').size() > 0", 235},
        {"self.m.all(k, self.m[k] == 'x')", 43}, {"has(self.o.x) && self.o.x == 'abc'", 6}, {"self.s in ['a', 'b']", 14}, {"self.s.replace('a', 'bcd').contains('b')", 82},
        {"self.l.join(',') == 'a'", 84}, {"self.e == 'abc'", 3}, {"self.d == self.d", 8}, {"string(self.y) == 'abc'", 8}, {"self.ul.all(x, x.size() > 3)", 6291453},
        {"self.?o.?x.orValue('a') == 'b'", 5}, {"quantity(self.s).isGreaterThan(quantity('3'))", 20}, {"self.l.transformList(i, v, v + 'a').size() > 2", 235},
    };
    int wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t got = cost(cases[i].rule);
        if (got != cases[i].cost) wrong++, print_message("%s: %llu\n", cases[i].rule, (unsigned long long)got);
    }
    assert_int_equal(wrong, 0);
}

static void a_rule_that_may_cost_too_much_is_refused(void **state) {
    (void)state;
    const struct json *schema = parse("{\"type\":\"object\",\"properties\":{\"l\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-kubernetes-validations\":[{\"rule\":\"self.contains('x')\"}]}}}}");
    cleanup_error struct error *e = define(definition(schema, NULL));
    assert_string_equal(e->causes[0].field, "spec.validation.openAPIV3Schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule");
    assert_string_equal(e->causes[0].message, "Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where "
                                              "arrays, maps, and strings are declared)");
    assert_string_equal(e->causes[1].message, "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema");
    assert_string_equal(e->causes[2].field, "spec.validation.openAPIV3Schema");
}

static void texts_of_rules_are_looked_at(void **state) {
    (void)state;
    static const struct { const char *rule, *field, *message; } cases[] = {
        {"{\"rule\":\"\"}", "rule", "Required value: rule is not specified"},
        {"{\"rule\":\"self.i > 1\",\"message\":\" \"}", "message", "Invalid value: \" \": must be non-empty if specified"},
        {"{\"rule\":\"self.i > 1\",\"reason\":\"Bad\"}", "reason",
         "Unsupported value: \"Bad\": supported values: \"FieldValueDuplicate\", \"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\""},
        {"{\"rule\":\"self.i > 1\",\"fieldPath\":\".zz\"}", "fieldPath", "Invalid value: \".zz\": must be a valid path"},
        {"{\"rule\":\"self.i > 1\",\"optionalOldSelf\":true}", "optionalOldSelf", "Invalid value: true: may not be set if oldSelf is not used in rule"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct json *schema = json_with_member(&arena, parse(schema_text), "x-kubernetes-validations", json_make(&arena, "[%v]", parse(cases[i].rule)));
        cleanup_error struct error *e = define(definition(schema, NULL));
        assert_string_equal(e->causes[0].message, cases[i].message);
        assert_true(str_ends(e->causes[0].field, arena_printf(&arena, "x-kubernetes-validations[0].%s", cases[i].field)));
    }
}

/* ---- rules at work ---- */

static const char *refusal(const char *rule, const char *spec) {
    const struct json *schema = json_with_member(&arena, parse(schema_text), "x-kubernetes-validations", json_make(&arena, "[%v]", parse(rule)));
    fail_on(define(definition(schema, NULL)));
    cleanup_resource const struct resource *r = apiserver_resource(server, "example.com", "v1", "things");
    const struct json *o = json_make(&arena, "{'apiVersion':'example.com/v1','kind':'Thing','metadata':{'name':'a'},'spec':%v}", parse(spec));
    struct error *e = run("create", r, "default", NULL, o, NULL);
    const char *text = e ? arena_printf(&arena, "%s: %s", e->causes[0].field, e->causes[0].message) : "";
    error_free(e);
    fail_on(run("delete", &resource_apiextensions_customresourcedefinitions, NULL, "things.example.com", NULL, NULL));
    for (int i = 0; i < 2000 && error_is(e = run("get", &resource_apiextensions_customresourcedefinitions, NULL, "things.example.com", NULL, NULL), "NotFound") == false; i++) {
        error_free(e);
        usleep(1000);
    }
    error_free(e);
    return text;
}

static void a_broken_rule_says_what_the_definition_says(void **state) {
    (void)state;
    assert_string_equal(refusal("{\"rule\":\"self.i > 1\",\"message\":\" too small \"}", "{\"i\":1}"), "spec: Invalid value: too small");
    assert_string_equal(refusal("{\"rule\":\"self.i > 1\",\"messageExpression\":\"' s is ' + self.s\"}", "{\"i\":1,\"s\":\"x\"}"), "spec: Invalid value: s is x");
    assert_string_equal(refusal("{\"rule\":\"self.i > 1\",\"messageExpression\":\"self.m['none']\"}", "{\"i\":1,\"m\":{}}"), "spec: Invalid value: failed rule: self.i > 1");
    assert_string_equal(refusal("{\"rule\":\"self.i > 1\",\"reason\":\"FieldValueForbidden\",\"fieldPath\":\".m['a.b']\"}", "{\"i\":1}"), "spec.m[a.b]: Forbidden: failed rule: self.i > 1");
    assert_string_equal(refusal("{\"rule\":\"self.i > 1\",\"reason\":\"FieldValueDuplicate\"}", "{\"i\":1}"), "spec: Duplicate value");
    assert_string_equal(refusal("{\"rule\":\"self.d > timestamp('2020-01-01T00:00:00Z')\"}", "{\"d\":\"2019-01-01T00:00:00Z\"}"), "spec: Invalid value: failed rule: self.d > timestamp('2020-01-01T00:00:00Z')");
    assert_string_equal(refusal("{\"rule\":\"self.l.all(x, self.l.all(y, self.l.all(z, self.l.all(w, w != z && x != y))))\"}", "{\"l\":[\"a\"]}"), "spec: Invalid value: failed rule: self.l.all(x, self.l.all(y, self.l.all(z, self.l.all(w, w != z && x != y))))");
}

static void too_wrong_a_value_keeps_rules_from_running(void **state) {
    (void)state;
    cleanup_error struct error *e = NULL;
    const struct json *schema = json_with(&arena, parse(schema_text), "x-kubernetes-validations", parse("[{\"rule\":\"self.i > 1\"}]"));
    fail_on(define(definition(schema, NULL)));
    cleanup_resource const struct resource *r = apiserver_resource(server, "example.com", "v1", "things");
    e = run("create", r, "default", NULL, parse("{\"apiVersion\":\"example.com/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"i\":\"text\"}}"), NULL);
    assert_int_equal(e->cause_count, 2);
    assert_string_equal(e->causes[1].message, "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation");
}

/* ---- what was stored may stay ---- */

static void tighten(void) {
    const struct json *schema = json_with(&arena, parse(schema_text), "properties.u.maxLength", json_integer(&arena, 3));
    schema = json_with(&arena, schema, "properties.i.x-kubernetes-validations", parse("[{\"rule\":\"self > 5\"}]"));
    const struct json *patch = json_make(&arena, "{'spec':{'versions':%v}}", json_get(definition(schema, NULL), "spec.versions"));
    fail_on(run("patch", &resource_apiextensions_customresourcedefinitions, NULL, "things.example.com", patch, NULL));
}

static struct error *patch_thing(const char *patch) {
    cleanup_resource const struct resource *r = apiserver_resource(server, "example.com", "v1", "things");
    return run("patch", r, "default", "a", parse(patch), NULL);
}

static void an_update_may_leave_what_a_new_schema_refuses(void **state) {
    (void)state;
    fail_on(define(definition(parse(schema_text), NULL)));
    const struct resource *r = apiserver_resource(server, "example.com", "v1", "things");
    fail_on(run("create", r, "default", NULL, parse("{\"apiVersion\":\"example.com/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"u\":\"long one\",\"i\":1}}"), NULL));
    resource_release(r);
    tighten();
    fail_on(patch_thing("{\"spec\":{\"s\":\"new\"}}"));
    cleanup_error struct error *e = patch_thing("{\"spec\":{\"u\":\"other long one\"}}"), *rule = patch_thing("{\"spec\":{\"i\":2}}");
    assert_string_equal(e->causes[0].message, "Too long: may not be more than 3 bytes");
    assert_string_equal(rule->causes[0].message, "Invalid value: 2: failed rule: self > 5");
}

/* ---- the life of a definition ---- */

static void a_replaced_definition_goes_with_its_last_user(void **state) {
    (void)state;
    fail_on(define(definition(parse(schema_text), NULL)));
    const struct resource *before = apiserver_resource(server, "example.com", "v1", "things");
    fail_on(run("patch", &resource_apiextensions_customresourcedefinitions, NULL, "things.example.com", parse("{\"spec\":{\"names\":{\"shortNames\":[\"tg\"]}}}"), NULL));
    const struct resource *after = apiserver_resource(server, "example.com", "v1", "things");
    assert_ptr_not_equal(before, after);
    assert_int_equal(before->owner->refs, 1); /* ours */
    assert_int_equal(after->owner->refs, 2);  /* ours and the index's */
    resource_release(before);
    resource_release(after);
}

static void a_change_of_the_status_alone_replaces_nothing_in_use(void **state) {
    (void)state;
    fail_on(define(definition(parse(schema_text), NULL)));
    const struct resource *before = apiserver_resource(server, "example.com", "v1", "things");
    fail_on(run("patch", &resource_apiextensions_customresourcedefinitions, NULL, "things.example.com", parse("{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), NULL));
    const struct resource *after = apiserver_resource(server, "example.com", "v1", "things");
    assert_ptr_equal(before, after);
    resource_release(before);
    resource_release(after);
}

static void a_type_is_made_when_it_is_asked_for(void **state) {
    (void)state;
    fail_on(define(definition(parse(schema_text), NULL)));
    cleanup_resource const struct resource *r = apiserver_resource(server, "example.com", "v1", "things");
    assert_null(r->type);
    struct apiserver_answer a = {0};
    struct apiserver_call c = {.user = "admin", .groups = (const char *const[]){"system:masters", NULL}, .verb = "list", .resource = r};
    fail_on(apiserver_call(server, &c, &a));
    assert_non_null(r->type);
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(selectable_fields_are_simple_paths_to_scalars), T(more_than_eight_fields_are_too_many), T(rules_cost_what_upstream_estimates), T(a_rule_that_may_cost_too_much_is_refused),
        T(texts_of_rules_are_looked_at), T(a_broken_rule_says_what_the_definition_says), T(too_wrong_a_value_keeps_rules_from_running), T(an_update_may_leave_what_a_new_schema_refuses), T(a_replaced_definition_goes_with_its_last_user),
        T(a_change_of_the_status_alone_replaces_nothing_in_use), T(a_type_is_made_when_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
