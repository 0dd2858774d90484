/* Charts, values, schemas and renders: the same as helm's packages make. Cases: tests/golden/helm/charts. */
#include "helm/chart/decode.h"
#include "helm/chart/ignore.h"
#include "helm/chart/values.h"
#include "helm/engine/manifests.h"
#include "helm/engine/schema.h"
#include "helm_golden.h"

static const char *text_of(const struct error *e) { return e != NULL ? e->message : ""; }

static const char *json_of(struct arena *a, struct value v) {
    const struct json *j = NULL;
    struct error *e = value_to_json(a, v, &j);
    if (e != NULL) fail_msg("%s", e->message);
    return json_text(a, j);
}

static const struct json *cases(struct arena *a, const char *section) { return json_member(golden_load(a, "charts.json"), section); }

/* Same failure, or same value. */
static void check(struct arena *a, const struct json *c, struct error *e, const struct json *out) {
    cleanup_error struct error *owned = e;
    const char *failed = json_str_or(c, "failed", "");
    if (!str_eq(failed, text_of(e))) fail_msg("%s %s\nwant: %s\ngot:  %s", json_str_or(c, "kind", ""), json_text(a, json_member(c, "in")), failed, text_of(e));
    if (e != NULL) return;
    const struct json *want = json_member(c, "out");
    if (want == NULL) want = &json_null;
    if (!json_equal(want, out)) fail_msg("%s %s\nwant: %s\ngot:  %s", json_str_or(c, "kind", ""), json_text(a, json_member(c, "in")), json_text(a, want), json_text(a, out));
}

static void set_flags_change_values_as_helm_does(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = cases(&a, "strvals");
    static const char *const names[] = {[STRVALS_TYPED] = "typed", [STRVALS_STRING] = "string", [STRVALS_FILE] = "file", [STRVALS_JSON] = "json", [STRVALS_LITERAL] = "literal"};
    assert_true(json_len(all) > 200);
    JSON_EACH(c, all) {
        enum strvals_kind kind = STRVALS_TYPED;
        while (!str_eq(names[kind], json_str(c, "kind"))) kind++;
        const struct json *start = json_make(&a, "{'s':'text','l':[1,'x'],'m':{'n':{'q':true}}}");
        struct value dest = value_from_json(&a, start, VALUE_FLOATS);
        struct error *e = strvals_parse(&a, kind, json_str(c, "in"), NULL, NULL, dest);
        const struct json *out = &json_null;
        if (e == NULL) assert_null(value_to_json(&a, dest, &out));
        if (e != NULL && kind == STRVALS_JSON && json_str(c, "failed") != NULL) { /* the command shows none of the JSON decoder's words */
            error_free(e);
            continue;
        }
        check(&a, c, e, out);
    }
}

static void shell_patterns_match_as_in_go(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = cases(&a, "match");
    JSON_EACH(c, all) {
        bool bad, ok = path_match(json_str(c, "in"), json_str(c, "with"), &bad);
        bool want = json_bool(c, "out", false), want_bad = json_str(c, "failed") != NULL;
        if (ok != want || bad != want_bad) fail_msg("%s against %s: %d %d", json_str(c, "in"), json_str(c, "with"), ok, bad);
    }
}

static void chart_yaml_is_read_and_checked(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = cases(&a, "metadata");
    JSON_EACH(c, all) {
        struct value m = {0};
        const char *text = json_str(c, "in");
        const struct json *out = &json_null;
        struct error *e = chart_parse_metadata(&a, text, strlen(text), &m);
        if (e == NULL) e = chart_validate(&a, &m);
        if (e == NULL) assert_null(value_to_json(&a, m, &out));
        check(&a, c, e, out);
    }
}

static void schemas_fail_in_the_same_words(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = cases(&a, "schemas");
    JSON_EACH(c, all) {
        const char *schema = json_str(c, "in");
        struct value values = value_from_json(&a, json_member(c, "with"), VALUE_FLOATS);
        cleanup_error struct error *e = schema_check(&a, schema, strlen(schema), values, schema_load);
        const char *want = json_str_or(c, "failed", "");
        if (strstr(want, "definitions/z") != NULL) continue; /* of several broken patterns only the first is told */
        if (!str_eq(want, text_of(e))) fail_msg("%s\nwant: %s\ngot:  %s", schema, want, text_of(e));
    }
}

static struct error *load_known(struct arena *a, const char *url, struct buf *out) {
    static const struct { const char *url, *text; } known[] = {
        {"https://x.test/s/a.json", "{\"definitions\":{\"port\":{\"type\":\"integer\"}},\"properties\":{\"n\":{\"$ref\":\"../b.json#/$defs/name\"}}}"},
        {"https://x.test/b.json", "{\"$defs\":{\"name\":{\"maxLength\":3},\"back\":{\"$ref\":\"/s/a.json\"}}}"},
        {"https://x.test/endless.json", "{\"$ref\":\"endless.json\"}"}, {"https://x.test/broken.json", "{"}};
    (void)a;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!str_eq(known[i].url, url)) continue;
        buf_adds(out, known[i].text);
        return NULL;
    }
    return error_new("nobody has it");
}

static void schemas_refer_to_others(void **state) {
    (void)state;
    static const struct { const char *schema, *value, *want; } rows[] = {
        {"{\"$ref\":\"https://x.test/s/a.json#/definitions/port\"}", "1", ""},
        {"{\"$ref\":\"https://x.test/s/a.json#/definitions/port\"}", "\"s\"", "- at '': got string, want integer\n"},
        {"{\"$ref\":\"https://x.test/s/a.json\"}", "{\"n\":\"long\"}", "- at '/n': maxLength: got 4, want 3\n"},
        {"{\"$id\":\"https://x.test/root.json\",\"$ref\":\"b.json#/$defs/back\"}", "{\"n\":\"long\"}", "- at '/n': maxLength: got 4, want 3\n"},
        {"{\"$ref\":\"https://x.test/s/a.json#/definitions/none\"}", "1", "json-pointer in \"https://x.test/s/a.json#/definitions/none\" not found"},
        {"{\"$ref\":\"https://x.test/s/a.json#none\"}", "1", "anchor in \"https://x.test/s/a.json#none\" not found in schema \"https://x.test/s/a.json\""},
        {"{\"$ref\":\"https://x.test/none.json\"}", "1", "failing loading \"https://x.test/none.json\": nobody has it"},
        {"{\"$ref\":\"https://x.test/broken.json\"}", "1", "failing loading \"https://x.test/broken.json\": unexpected EOF"},
        {"{\"$ref\":\"https://x.test/endless.json\"}", "1", "- at '': the schema refers to itself without end\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v;
        assert_null(json_parse(&a, rows[i].value, strlen(rows[i].value), NULL, NULL, &v));
        cleanup_error struct error *e = schema_check(&a, rows[i].schema, strlen(rows[i].schema), value_from_json(&a, v, VALUE_FLOATS), load_known);
        if (!str_eq(rows[i].want, text_of(e))) fail_msg("%s\nwant: %s\ngot:  %s", rows[i].schema, rows[i].want, text_of(e));
    }
    cleanup_arena struct arena a = {0};
    static const char elsewhere[] = "{\"$ref\":\"https://x.test/b.json\"}";
    cleanup_error struct error *e = schema_check(&a, elsewhere, strlen(elsewhere), (struct value){0}, NULL);
    assert_string_equal(text_of(e), "failing loading \"https://x.test/b.json\": schemas elsewhere are not loaded here");
}

/* ---- whole charts ---- */

static struct error *render(struct arena *a, struct chart_files files, struct value values, struct buf *out) {
    struct chart *c;
    struct value top;
    struct engine_files texts;
    struct manifests m = {0};
    struct engine_capabilities caps = engine_default_capabilities(a);
    struct engine_release release = {.name = "rel", .ns = "ns", .revision = 1, .is_install = true};
    struct engine_options o = {0};
    TRY(engine_parse_kube_version(a, "1.35.0", &caps));
    TRY(chart_load_files(a, files, &c));
    TRY(chart_process_dependencies(c, values, true));
    TRY(engine_values(a, c, values, &release, &caps, false, &top));
    TRY(engine_render(a, c, top, &o, &texts));
    TRY(manifests_sort(a, &texts, &m));
    for (size_t i = 0; i < m.count; i++) buf_printf(out, "# %s\n%s\n", m.items[i].name, m.items[i].content);
    for (size_t i = 0; i < m.hook_count; i++) buf_printf(out, "# hook %s %s\n%s\n", m.hooks[i].path, m.hooks[i].name, m.hooks[i].manifest);
    return NULL;
}

static void charts_render_to_the_same_bytes(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = cases(&a, "charts");
    JSON_EACH(c, all) {
        struct chart_files files = {0};
        struct value values = value_map_new(&a, &go_map);
        JSON_EACH_MEMBER(m, json_member(c, "in")) {
            if (str_eq(m->key, "values.test.yaml")) assert_null(go_decode_yaml_map(&a, m->value.s, m->value.len, &values));
            else chart_files_add(&a, &files, (struct chart_file){m->key, m->value.s, m->value.len});
        }
        cleanup_buf struct buf out = {0};
        struct error *e = render(&a, files, values, &out);
        check(&a, c, e, e == NULL ? json_string(&a, buf_str(&out)) : NULL);
    }
}

static void values_of_a_chart_are_not_changed_by_a_render(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct chart_files files = {0};
    chart_files_add(&a, &files, (struct chart_file){"Chart.yaml", "{apiVersion: v2, name: a, version: 1.0.0}", 41});
    chart_files_add(&a, &files, (struct chart_file){"values.yaml", "a: {b: 1}", 9});
    chart_files_add(&a, &files, (struct chart_file){"templates/x.yaml", "{{ $_ := set .Values.a \"b\" 2 }}x: {{ .Values.a.b }}", 52});
    struct chart *c;
    assert_null(chart_load_files(&a, files, &c));
    const char *before = json_of(&a, c->values);
    cleanup_buf struct buf out = {0};
    assert_null(render(&a, files, value_map_new(&a, &go_map), &out));
    assert_string_equal(json_of(&a, c->values), before);
    assert_non_null(strstr(out.data, "x: 2"));
}

/* A chart of some templates, rendered. */
static struct error *render_templates(struct arena *a, const char *const (*templates)[2], size_t count, struct buf *out) {
    struct chart_files files = {0};
    chart_files_add(a, &files, (struct chart_file){"Chart.yaml", "{apiVersion: v2, name: a, version: 1.0.0}", 41});
    for (size_t i = 0; i < count; i++) chart_files_add(a, &files, (struct chart_file){templates[i][0], templates[i][1], strlen(templates[i][1])});
    return render(a, files, value_map_new(a, &go_map), out);
}

/* helm parses all templates before it runs any; here most are parsed when their turn comes. */
static void mistakes_of_syntax_go_before_what_fails_earlier(void **state) {
    (void)state;
    static const char *const templates[][2] = {
        {"templates/z.yaml", "{{ fail \"stop\" }}"}, {"templates/y.yaml", "a: {{ 1 }"}, {"templates/x.yaml", "{{ if }}"}, {"templates/w.yaml", "{{ define \"x\" }}"}};
    static const char *const want[] = {"execution error at (a/templates/z.yaml:1:3): stop", "parse error at (a/templates/y.yaml:1): unexpected \"}\" in operand",
                                       "parse error at (a/templates/y.yaml:1): unexpected \"}\" in operand", "parse error at (a/templates/y.yaml:1): unexpected \"}\" in operand"};
    for (size_t count = 1; count <= ARRAY_LEN(templates); count++) {
        cleanup_arena struct arena a = {0};
        cleanup_buf struct buf out = {0};
        cleanup_error struct error *e = render_templates(&a, templates, count, &out);
        assert_string_equal(text_of(e), want[count - 1]);
    }
}

static void a_template_is_included_by_the_name_of_its_file(void **state) {
    (void)state;
    static const char *const templates[][2] = {
        {"templates/z.yaml", "z: '{{ include (print $.Template.BasePath \"/a.yaml\") . }}'"},
        {"templates/m.yaml", "{{ if not .again }}m: '{{ include \"a/templates/m.yaml\" (dict \"again\" true) }}'{{ else }}again{{ end }}"},
        {"templates/b.yaml", "b: \"{{ include \"a/templates/z.yaml\" . }}{{ include \"defined\" . }}\""},
        {"templates/a.yaml", "a: {{ $.Release.Name }}"},
        {"templates/_d.tpl", "{{- define \"defined\" }}!{{ end }}"}};
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {0};
    cleanup_error struct error *e = render_templates(&a, templates, ARRAY_LEN(templates), &out);
    assert_string_equal(text_of(e), "");
    assert_string_equal(out.data, "# a/templates/a.yaml\na: rel\n# a/templates/b.yaml\nb: \"z: 'a: rel'!\"\n# a/templates/m.yaml\nm: 'again'\n"
                                  "# a/templates/z.yaml\nz: 'a: rel'\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_flags_change_values_as_helm_does),
        cmocka_unit_test(shell_patterns_match_as_in_go),
        cmocka_unit_test(chart_yaml_is_read_and_checked),
        cmocka_unit_test(schemas_fail_in_the_same_words), cmocka_unit_test(schemas_refer_to_others),
        cmocka_unit_test(charts_render_to_the_same_bytes),
        cmocka_unit_test(values_of_a_chart_are_not_changed_by_a_render),
        cmocka_unit_test(mistakes_of_syntax_go_before_what_fails_earlier),
        cmocka_unit_test(a_template_is_included_by_the_name_of_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
