/* The CEL engine: results, run-time errors, compile errors as cel-go words them. */
#include "base/str.h"
#include "schema/cel.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct json *vars;

static const struct cel_value *lookup(void *arg, const char *name, const char **problem) {
    (void)problem;
    const struct json *v = json_member(vars, name);
    return v ? cel_from_json(arg, v, NULL) : NULL;
}

/* The result as JSON text, or the error's message. */
static const char *run(struct arena *a, const char *text) {
    static const struct cel_var names[] = {{.name = "self"}, {.name = "n", .kind = CEL_INT}, {.name = "oldSelf"}};
    struct cel_env env = {.vars = names, .var_count = ARRAY_LEN(names)};
    struct cel_program *p;
    const struct cel_value *v;
    struct cel_scope scope = {.arena = a, .lookup = lookup, .arg = a};
    struct error *e = cel_compile(a, text, &env, &p);
    if (e == NULL) e = cel_eval(p, &scope, &v);
    const char *out = e ? arena_strdup(a, e->message) : json_text(a, cel_to_json(a, v));
    error_free(e);
    return out;
}

static void check(const char *text, const char *expected) {
    cleanup_arena struct arena a = {0};
    vars = json_make(&a, "{'self':{'a':1,'list':[3,1,2],'name':'web','labels':{'x':'y'},'big':[1,2,3,4,5,6,7,8,9,10]},'n':7}");
    assert_string_equal(run(&a, text), expected);
}

static void arithmetic_keeps_to_its_types(void **state) {
    (void)state;
    check("1 + 2 * 3", "7");
    check("-7 / 2", "-3");
    check("7 % 3 == 1", "true");
    check("1.5 + 1.5", "3");
    check("10 / (n - 7)", "division by zero");
    check("9223372036854775807 + 1", "integer overflow");
    check("'a' + 'b'", "\"ab\"");
    check("[1] + [2, 3]", "[1,2,3]");
    check("0x10 + 1", "17");
}

static void logic_absorbs_errors_of_the_other_side(void **state) {
    (void)state;
    check("true || self.nope == 1", "true");
    check("self.nope == 1 || true", "true");
    check("self.nope == 1 && false", "false");
    check("self.nope == 1 && true", "no such key: nope");
    check("n > 5 ? 'big' : 'small'", "\"big\"");
}

static void members_are_selected_and_tested(void **state) {
    (void)state;
    check("has(self.name) && !has(self.nope)", "true");
    check("self['name']", "\"web\"");
    check("self.list[1]", "1");
    check("self.list[5]", "index out of bounds: 5");
    check("'x' in self.labels && 3 in self.list", "true");
    check("self.?nope.orValue('none')", "\"none\"");
    check("self.?name.hasValue()", "true");
    check("optional.none().orValue(3)", "3");
    check("self.?labels.?x.optMap(v, v + '!').orValue('')", "\"y!\"");
    check("oldSelf == null", "no such attribute(s): oldSelf");
}

static void macros_walk_lists_and_maps(void **state) {
    (void)state;
    check("self.list.all(x, x > 0)", "true");
    check("self.list.exists(x, x == 2)", "true");
    check("self.list.exists_one(x, x > 2)", "true");
    check("self.list.map(x, x * 2)", "[6,2,4]");
    check("self.list.map(x, x > 1, x * 2)", "[6,4]");
    check("self.list.filter(x, x > 1)", "[3,2]");
    check("self.labels.all(k, k != 'bad')", "true");
    check("self.labels.exists(k, v, v == 'y')", "true");
    check("self.list.transformList(i, v, i + v)", "[3,2,4]");
    check("{'a': 1, 'b': 2}.map(k, k).size()", "2");
}

static void lists_are_sorted_by_keys(void **state) {
    (void)state;
    check("self.list.sortBy(x, x)", "[1,2,3]");
    check("self.list.sortBy(x, -x)", "[3,2,1]");
    check("[{'n':'b','k':'2'},{'n':'a','k':'1'}].sortBy(x, x.k).map(x, x.n)", "[\"a\",\"b\"]");
    check("['b','a','c'].sortBy(x, x == 'a')", "[\"b\",\"c\",\"a\"]"); /* equal keys keep their order */
    check("[].sortBy(x, x)", "[]");
    check("[dyn(1), dyn('a')].sortBy(x, x)", "list elements must have the same type");
    check("self.list.sortBy(x, x.y)", "no such key: y");
    check("[1,2].transformMapEntry(i, v, {v: i})", "{\"1\":0,\"2\":1}");
    check("{'a':1,'b':2}.transformMapEntry(k, v, v > 1, {v: k})", "{\"2\":\"b\"}");
    check("[1,2].transformMapEntry(i, v, {'x': i})", "insert failed: key \"x\" already exists");
    check("optional.unwrap([optional.of(1), optional.none()]) + [optional.of(2)].unwrapOpt()", "[1,2]");
}

static void strings_count_code_points(void **state) {
    (void)state;
    check("size('h\\u00e9llo')", "5");
    check("'hello'.substring(1, 3)", "\"el\"");
    check("'a,b,c'.split(',')", "[\"a\",\"b\",\"c\"]");
    check("['a','b'].join('-')", "\"a-b\"");
    check("'aXbX'.replace('X', 'y')", "\"ayby\"");
    check("'hello'.indexOf('l') + 'hello'.lastIndexOf('l')", "5");
    check("'v12'.matches('^v[0-9]+$')", "true");
    check("'a1b22'.findAll('[0-9]+')", "[\"1\",\"22\"]");
    check("'%s is %d'.format(['x', 3])", "\"x is 3\"");
    check("' x '.trim().upperAscii()", "\"X\"");
    check("'abc'.charAt(9)", "index out of range: 9");
    check("'\\x41\\n'", "\"A\\n\"");
    check("r'\\d'", "\"\\\\d\"");
}

static void time_is_calculated_with(void **state) {
    (void)state;
    check("timestamp('2024-03-01T00:00:00Z') - timestamp('2024-02-29T00:00:00Z') == duration('24h')", "true");
    check("timestamp('2024-03-01T10:20:30Z').getHours()", "10");
    check("timestamp('2024-03-01T10:20:30Z').getHours('+02:00')", "12");
    check("duration('90m').getHours()", "1");
    check("string(duration('90s'))", "\"1m30s\"");
}

static void kubernetes_libraries_answer(void **state) {
    (void)state;
    check("quantity('1Gi').isGreaterThan(quantity('500Mi'))", "true");
    check("isQuantity('nope')", "false");
    check("quantity('2').add(quantity('500m')).compareTo(quantity('2500m'))", "0");
    check("ip('10.1.2.3').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true");
    check("isIP('300.1.1.1')", "false");
    check("url('https://a.example:8443/p?x=1').getPort()", "\"8443\"");
    check("url('https://a.example/p?x=1&x=2').getQuery()['x']", "[\"1\",\"2\"]");
    check("semver('1.10.0').isGreaterThan(semver('1.9.3'))", "true");
    check("semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))", "true");
    check("format.dns1123Label().validate('web').hasValue()", "false");
    check("format.named('dns1123Label').value().validate('Web').value().size()", "1");
    check("self.list.isSorted() || self.list.sum() == 6 && self.list.max() == 3", "true");
    check("sets.contains(self.list, [1, 2])", "true");
}

static void syntax_errors_name_their_place(void **state) {
    (void)state;
    check("self ==", "ERROR: <input>:1:8: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', "
                     "NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | self ==\n | .......^");
    /* Kubernetes has no bindings (checked with 1.35.4) */
    check("cel.bind", "ERROR: <input>:1:1: undeclared reference to 'cel' (in container '')\n | cel.bind\n | ^");
    check("nope", "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope\n | ^");
    check("1 + 'a'", "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a'\n | ..^");
    check("self.f(1)", "ERROR: <input>:1:7: undeclared reference to 'f' (in container '')\n | self.f(1)\n | ......^");
}

/* tests/golden/cel_errors.json: texts, and what the real API server says of them where a policy's `object` is known; without
 * the lines that show the place. */
static const char *without_places(struct arena *a, const char *message) {
    const char *out = "";
    for (const char *line = message; *line;) {
        size_t n = strcspn(line, "\n");
        if (strncmp(line, " |", 2) != 0) out = arena_printf(a, "%s%s%.*s", out, *out ? "\n" : "", (int)n, line);
        line += n + (line[n] == '\n');
    }
    return out;
}

static void every_problem_is_told_in_the_originals_words(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    static const struct cel_var names[] = {{.name = "object"}};
    struct cel_env env = {.vars = names, .var_count = 1};
    const struct json *rows;
    assert_null(file_read(arena_printf(&a, "%s/tests/golden/cel_errors.json", getenv("SOURCE_DIR")), 1 << 20, &text));
    assert_null(json_parse(&a, text.data, text.len, NULL, NULL, &rows));
    assert_true(json_len(rows) > 80);
    JSON_EACH(row, rows) {
        struct cel_program *p;
        const char *want = "";
        JSON_EACH(line, json_at(row, 1)) want = arena_printf(&a, "%s%s%s", want, *want ? "\n" : "", json_str(line, NULL));
        cleanup_error struct error *e = cel_compile(&a, json_str(json_at(row, 0), NULL), &env, &p);
        assert_string_equal(e ? without_places(&a, e->message) : "", want);
    }
}

static void results_are_known_before_evaluation(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    static const struct cel_var names[] = {{.name = "object"}, {.name = "device", .type_name = "kubernetes.DRADevice", .kind = CEL_MAP}};
    struct cel_env env = {.vars = names, .var_count = 2};
    struct cel_program *p;
    assert_null(cel_compile(&a, "'x'", &env, &p));
    assert_string_equal(cel_result_name(p), "string");
    assert_null(cel_compile(&a, "object.x", &env, &p));
    assert_int_equal(cel_result(p), CEL_DYN);
    assert_true(cel_uses(p, "object"));
    assert_null(cel_compile(&a, "device", &env, &p));
    assert_string_equal(cel_result_name(p), "kubernetes.DRADevice");
    assert_null(cel_compile(&a, "object.a == 1 && !has(object.b)", &env, &p));
    assert_int_equal(cel_result(p), CEL_BOOL);
}

static void evaluation_stops_at_its_budget(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    vars = json_make(&a, "{'self':{'big':[1,2,3,4,5,6,7,8,9,10]}}");
    static const struct cel_var names[] = {{.name = "self"}};
    struct cel_env env = {.vars = names, .var_count = 1};
    struct cel_program *p;
    const struct cel_value *v;
    uint64_t budget = 200;
    struct cel_scope scope = {.arena = &a, .lookup = lookup, .arg = &a, .budget = &budget};
    assert_null(cel_compile(&a, "self.big.all(x, self.big.all(y, x + y > 0))", &env, &p));
    struct error *e = cel_eval(p, &scope, &v);
    assert_string_equal(e->message, "operation cancelled: actual cost limit exceeded");
    error_free(e);
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    char text[4001];
    memset(text, '(', 4000);
    text[4000] = '\0';
    assert_non_null(strstr(run(&a, text), "Syntax error"));
    memset(text, '!', 4000);
    assert_non_null(strstr(run(&a, text), "Syntax error"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_keeps_to_its_types), cmocka_unit_test(logic_absorbs_errors_of_the_other_side),
        cmocka_unit_test(members_are_selected_and_tested), cmocka_unit_test(macros_walk_lists_and_maps),
        cmocka_unit_test(strings_count_code_points), cmocka_unit_test(lists_are_sorted_by_keys), cmocka_unit_test(time_is_calculated_with),
        cmocka_unit_test(kubernetes_libraries_answer), cmocka_unit_test(syntax_errors_name_their_place), cmocka_unit_test(every_problem_is_told_in_the_originals_words),
        cmocka_unit_test(results_are_known_before_evaluation), cmocka_unit_test(evaluation_stops_at_its_budget),
        cmocka_unit_test(deep_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
