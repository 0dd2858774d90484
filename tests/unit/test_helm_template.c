/* Templates: the same output and errors as Go's text/template. Cases and results: tests/golden/helm/templates. */
#include "helm/go/fmt.h"
#include "helm/template/template.h"
#include "helm_golden.h"

/* ---- the data of tests/golden/helm/templates/main.go ---- */

static const struct go_field inner_fields[] = {{"X", &go_int}, {"S", &go_string}, {NULL}};
static const struct go_type inner_type;
static struct error *inner_twice(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)count;
    *out = value_int(2 * args[0].items[0].i);
    return NULL;
}
static const struct go_func inner_methods[] = {GO_FUNC("Twice", inner_twice, &go_int, &inner_type), GO_FUNCS_END};
static const struct go_type inner_type = {.kind = GO_STRUCT, .name = "main.Inner", .fields = inner_fields, .methods = inner_methods};
static const struct go_type inner_pointer = {.kind = GO_POINTER, .name = "*main.Inner", .elem = &inner_type};

static const struct go_field item_fields[] = {
    {"Name", &go_string}, {"Count", &go_int},         {"Tags", &go_strings},   {"Any", &go_any}, {"Inner", &inner_type, .embedded = true},
    {"Sub", &inner_pointer}, {"Map", &go_map}, {NULL},
};
static const struct go_type item_type;
static struct error *item_hello(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)count;
    *out = value_strf(run->arena, "hello %.*s", (int)args[0].items[0].len, args[0].items[0].s);
    return NULL;
}
static struct error *item_sum(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)count;
    *out = value_int(args[1].i + args[2].i);
    return NULL;
}
static struct error *item_fail(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)args, (void)count, (void)out;
    return error_new("item failed");
}
static struct error *join(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    struct buf b = {0};
    for (size_t i = 1; i < count; i++) {
        if (i > 1) buf_add(&b, args[0].s, args[0].len);
        buf_add(&b, args[i].s, args[i].len);
    }
    *out = value_take_buf(run->arena, &b);
    return NULL;
}
static struct error *item_join(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    return join(run, args + 1, count - 1, out);
}
static const struct go_func item_methods[] = {
    GO_FUNC("Hello", item_hello, &go_string, &item_type),
    GO_FUNC("Sum", item_sum, &go_int, &item_type, &go_int, &go_int),
    GO_FUNC("Fail", item_fail, &go_string, &item_type),
    GO_VARIADIC("Join", item_join, &go_string, &item_type, &go_string, &go_string),
    GO_FUNCS_END,
};
static const struct go_type item_type = {.kind = GO_STRUCT, .name = "main.Item", .fields = item_fields, .methods = item_methods};
static const struct go_type item_pointer = {.kind = GO_POINTER, .name = "*main.Item", .elem = &item_type};

static void duration_text(const struct value *v, struct buf *out) {
    assert_int_equal(v->i, 90000000000);
    buf_adds(out, "1m30s");
}
static const struct go_type duration_type = {.kind = GO_INT64, .name = "time.Duration", .underlying = &go_int64, .string = duration_text};

static struct error *upper(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)count;
    char *s = arena_strndup(run->arena, args[0].s, args[0].len);
    for (size_t i = 0; i < args[0].len; i++) s[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 32 : s[i]);
    *out = value_str(s, args[0].len);
    return NULL;
}
static const struct go_func upper_func = GO_FUNC("fn", upper, &go_string, &go_string);
static const struct go_type upper_type = {.kind = GO_FUNC, .name = "func(string) string"};

static void put(struct value map, const char *key, struct value v) { value_map_set(map.map, key, strlen(key), v); }

static struct value slice(struct arena *a, const struct go_type *type, size_t n, const struct value *items) {
    struct value v = value_slice(a, type, n);
    memcpy(v.items, items, n * sizeof(*items));
    return v;
}
#define SLICE(a, type, ...) \
    slice((a), (type), sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), (const struct value[]){__VA_ARGS__})

static struct value map_of(struct arena *a, const struct go_type *type, const char *key, struct value v) {
    struct value m = value_map_new(a, type);
    put(m, key, v);
    return m;
}

static struct value inner(struct arena *a, int x, const char *s) { return SLICE(a, &inner_type, value_int(x), value_literal(s)); }

static struct value item(struct arena *a) {
    struct value tags = SLICE(a, &go_strings, value_literal("a"), value_literal("b"));
    return SLICE(a, &item_type, value_literal("n"), value_int(3), tags, value_nil(), inner(a, 1, "in"),
                 value_as(inner(a, 2, "sub"), &inner_pointer), map_of(a, &go_map, "k", value_literal("v")));
}

static void put_numbers(struct value m) {
    put(m, "i", value_int(7));
    put(m, "neg", value_int(-3));
    put(m, "zero", value_int(0));
    put(m, "i8", value_as(value_int(-5), &go_int8));
    put(m, "i64", value_int64(INT64_C(1) << 40));
    put(m, "u", value_as(value_int(9), &go_uint));
    put(m, "u8", value_as(value_int(200), &go_uint8));
    put(m, "u64", (struct value){.type = &go_uint64, .u = UINT64_C(1) << 63});
    put(m, "f", value_float(2.5));
    put(m, "f32", value_as(value_float((double)1.1f), &go_float32));
    put(m, "big", value_float(1e21));
    put(m, "small", value_float(1e-7));
    put(m, "million", value_float(1000000.0));
    put(m, "whole", value_float(3.0));
    static const double complex[2] = {1, -2};
    put(m, "c", (struct value){.type = &go_complex128, .complex = complex});
    put(m, "num", value_as(value_literal("12"), &go_number));
    put(m, "dur", value_as(value_int64(90000000000), &duration_type));
    put(m, "t", value_bool(true));
    put(m, "no", value_bool(false));
}

static void put_strings(struct value m) {
    put(m, "s", value_literal("text"));
    put(m, "empty", value_literal(""));
    put(m, "uni", value_literal("日本語 é"));
    put(m, "bin", value_str("a\xff\x00"
                            "b",
                            4));
    put(m, "html", value_literal("<a href=\"x\">'&'</a>"));
    put(m, "bytes", value_byte_slice("hi", 2));
    put(m, "err", value_as(value_literal("an error"), &go_error_string));
}

static void put_collections(struct arena *a, struct value m) {
    struct value nested = map_of(a, &go_map, "deep", map_of(a, &go_map, "x", value_literal("found")));
    struct value map = map_of(a, &go_map, "b", value_int(2));
    put(map, "a", value_int(1));
    put(map, "nested", nested);
    put(map, "none", value_nil());
    struct value strmap = map_of(a, &go_map_string, "k", value_literal("v"));
    put(strmap, "j", value_literal("w"));
    put(m, "nil", value_nil());
    put(m, "list", SLICE(a, &go_list, value_int(1), value_literal("a"), value_nil(), value_float(2.5), value_bool(true)));
    put(m, "strings", SLICE(a, &go_strings, value_literal("x"), value_literal("y"), value_literal("z")));
    put(m, "ints", SLICE(a, &go_ints, value_int(3), value_int(1), value_int(2)));
    put(m, "nolist", value_slice(a, &go_list, 0));
    put(m, "nillist", value_zero(&go_list));
    put(m, "map", map);
    put(m, "strmap", strmap);
    put(m, "nilmap", value_zero(&go_map));
    put(m, "nomap", value_map_new(a, &go_map));
    put(m, "item", item(a));
    put(m, "ptr", value_as(item(a), &item_pointer));
    put(m, "nilptr", value_zero(&item_pointer));
    put(m, "maps", SLICE(a, &go_maps, map_of(a, &go_map, "a", value_int(1)), map_of(a, &go_map, "a", value_int(2))));
    put(m, "fn", (struct value){.type = &upper_type, .func = &upper_func});
}

static struct value data(struct arena *a, const char *name) {
    static const char text[] =
        "{\"name\":\"app\",\"replicas\":3,\"ratio\":0.25,\"big\":12345678,\"huge\":1e+30,\"neg\":-1,\"on\":true,\"off\":false,\"null\":null,"
        "\"image\":{\"repository\":\"nginx\",\"tag\":\"1.25\"},\"list\":[\"a\",\"b\",\"c\"],\"nested\":{\"list\":[{\"name\":\"x\",\"port\":80},"
        "{\"name\":\"y\",\"port\":443}]},\"empty\":{},\"none\":[]}";
    if (str_eq(name, "nil")) return value_nil();
    if (str_eq(name, "string")) return value_literal("dot");
    if (str_eq(name, "int")) return value_int(5);
    if (str_eq(name, "typed")) {
        struct value m = value_map_new(a, &go_map);
        put_numbers(m);
        put_strings(m);
        put_collections(a, m);
        return m;
    }
    const struct json *v;
    assert_null(json_parse(a, text, strlen(text), NULL, NULL, &v));
    return value_from_json(a, v, str_eq(name, "numbers") ? VALUE_NUMBERS : VALUE_FLOATS);
}

/* ---- its functions ---- */

#define TEST_FUNC(name) static struct error *name(UNUSED struct go_run *run, UNUSED const struct value *args, UNUSED size_t count, struct value *out)
TEST_FUNC(add) {
    *out = value_int(args[0].i + args[1].i);
    return NULL;
}
TEST_FUNC(same) {
    *out = args[0];
    return NULL;
}
TEST_FUNC(fails) {
    *out = value_nil();
    return error_new("%.*s", (int)args[0].len, args[0].s);
}
TEST_FUNC(list) {
    *out = slice(run->arena, &go_list, count, args);
    return NULL;
}
TEST_FUNC(dict) {
    *out = value_map_new(run->arena, &go_map);
    for (size_t i = 0; i + 1 < count; i += 2) value_map_set(out->map, args[i].s, args[i].len, args[i + 1]);
    return NULL;
}
TEST_FUNC(set) {
    if (args[0].map == NULL) return error_new("assignment to entry in nil map");
    value_map_set(args[0].map, args[1].s, args[1].len, args[2]);
    *out = args[0];
    return NULL;
}
TEST_FUNC(half) {
    *out = value_float(args[0].f / 2);
    return NULL;
}
TEST_FUNC(yes) {
    *out = value_literal(args[0].b ? "true" : "false");
    return NULL;
}
TEST_FUNC(nothing) {
    *out = value_nil();
    return NULL;
}
TEST_FUNC(answer) {
    *out = value_int(42);
    return NULL;
}
TEST_FUNC(strs) {
    *out = value_int(args[0].len);
    return NULL;
}
TEST_FUNC(text) {
    if (args[0].type == NULL) return error_new("runtime error: invalid memory address or nil pointer dereference");
    struct buf b = {0};
    args[0].type->string(&args[0], &b);
    *out = value_take_buf(run->arena, &b);
    return NULL;
}
TEST_FUNC(byts) {
    *out = value_str(args[0].s ? args[0].s : "", args[0].len);
    return NULL;
}

static const struct go_func functions[] = {
    GO_FUNC("add", add, &go_int, &go_int, &go_int),
    GO_FUNC("upper", upper, &go_string, &go_string),
    GO_FUNC("anything", same, &go_any, &go_any),
    GO_FUNC("fails", fails, &go_string, &go_string),
    GO_FUNC("panics", fails, &go_string, &go_string),
    GO_VARIADIC("join", join, &go_string, &go_string, &go_string),
    GO_VARIADIC("list", list, &go_list, &go_any),
    GO_VARIADIC("dict", dict, &go_map, &go_any),
    GO_FUNC("set", set, &go_map, &go_map, &go_string, &go_any),
    GO_FUNC("half", half, &go_float64, &go_float64),
    GO_FUNC("yes", yes, &go_string, &go_bool),
    GO_FUNC("small", same, &go_uint8, &go_uint8),
    GO_FUNC("nothing", nothing, &go_any),
    GO_FUNC("answer", answer, &go_int),
    GO_FUNC("strs", strs, &go_int, &go_strings),
    GO_FUNC("text", text, &go_string, &go_error),
    GO_FUNC("byts", byts, &go_string, &go_bytes),
    GO_FUNC("cplx", same, &go_complex128, &go_complex128),
    GO_FUNCS_END,
};
static const struct go_func *const tables[] = {functions, NULL};

/* ---- running ---- */

static struct error *parse_all(struct template_set *set, struct arena *a, struct bytes text) {
    const char *s = text.s, *end = text.s + text.n;
    for (int i = 1;; i++) {
        const char *stop = memchr(s, 0x1e, (size_t)(end - s));
        if (stop == NULL) stop = end;
        TRY(template_parse(set, i == 1 ? "t" : arena_printf(a, "t%d", i), s, (size_t)(stop - s)));
        if (stop == end) return NULL;
        s = stop + 1;
    }
}

static struct error *execute(struct go_run *run, const struct json *c, struct buf *out) {
    enum template_missing_key missing = str_eq(json_str(c, "missing"), "zero")    ? TEMPLATE_MISSING_ZERO
                                        : str_eq(json_str(c, "missing"), "error") ? TEMPLATE_MISSING_ERROR
                                                                                  : TEMPLATE_MISSING_INVALID;
    run->templates = template_set_new(run->arena, "t", tables, missing);
    TRY(parse_all(run->templates, run->arena, golden_member(run->arena, c, "text")));
    return template_execute(run, "t", 1, data(run->arena, json_str(c, "data")), out);
}

/* Addresses of pointers, that no two runs print the same, become 0xADDRESS. */
static struct bytes without_addresses(struct arena *a, const char *s, size_t n) {
    struct buf b = {0};
    for (size_t i = 0; i < n;) {
        size_t digits = 0;
        while (i + 2 + digits < n && s[i] == '0' && s[i + 1] == 'x' && strspn(s + i + 2 + digits, "0123456789abcdef") > 0) digits++;
        if (digits >= 6) buf_adds(&b, "0xADDRESS");
        else buf_addc(&b, s[i]);
        i += digits >= 6 ? 2 + digits : 1;
    }
    struct bytes out = {arena_strndup(a, buf_str(&b), b.len), b.len};
    buf_free(&b);
    return out;
}

static void templates_give_what_go_gives(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *all = golden_load(&a, "templates.json");
    int wrong = 0;
    JSON_EACH(c, all) {
        cleanup_arena struct arena own = {0};
        struct go_run run = {.arena = &own};
        cleanup_buf struct buf out = {0};
        cleanup_error struct error *e = execute(&run, c, &out);
        struct bytes want = golden_member(&own, c, "out"), want_error = golden_member(&own, c, "error");
        const char *text = e ? e->message : "";
        struct bytes have = without_addresses(&own, buf_str(&out), out.len), message = without_addresses(&own, text, strlen(text));
        if (golden_same(want, have.s, have.n) && golden_same(want_error, message.s, message.n)) continue;
        print_error("%s\n   have <%.*s> <%s>\n", json_text(&own, c), (int)have.n, have.s, message.s);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* ---- limits ---- */

static struct error *tpl(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)count;
    struct buf text = {.max = 1 << 20};
    struct error *e = template_render(run, "gotpl", args[0].s, args[0].len, args[1], &text);
    *out = value_take_buf(run->arena, &text);
    return e;
}
static const struct go_func tpl_function[] = {GO_FUNC("tpl", tpl, &go_string, &go_string, &go_any), GO_FUNCS_END};

/* What a template without end comes to: the last part of its error. */
static void ends_with_error(const char *text, const char *end) {
    const struct go_func *const with_tpl[] = {functions, tpl_function, NULL};
    cleanup_arena struct arena a = {0};
    struct go_run run = {.arena = &a, .max_bytes = 8 << 20, .max_steps = 100000};
    cleanup_buf struct buf out = {.max = 1 << 20};
    run.templates = template_set_new(&a, "t", with_tpl, TEMPLATE_MISSING_ZERO);
    assert_null(template_parse(run.templates, "t", text, strlen(text)));
    cleanup_error struct error *e = template_execute(&run, "t", 1, data(&a, "typed"), &out);
    assert_non_null(e);
    if (!str_ends(e->message, end)) fail_msg("%s", e->message);
    assert_true(a.total < (size_t)40 << 20);
}

static void templates_without_end_fail_within_their_limits(void **state) {
    (void)state;
    ends_with_error("{{range 1000000000}}{{end}}", "limit of 100000 steps exceeded");
    ends_with_error("{{range 1000}}{{range 1000}}{{.}}{{end}}{{end}}", "limit of 100000 steps exceeded");
    ends_with_error("{{range 99}}{{printf \"%900000d\" 1}}{{end}}", "output limit of 1048576 bytes exceeded");
    ends_with_error("{{$x := \"aaaaaaaaaaaaaaaa\"}}{{range 30}}{{$x = print $x $x}}{{end}}", "memory limit of 8388608 bytes exceeded");
    ends_with_error("{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", "exceeded maximum template depth (100000)");
    ends_with_error("{{tpl `{{tpl .s .}}` (dict \"s\" `{{tpl .s .}}`)}}", "exceeded maximum depth of calls");
}

static void what_tpl_defines_is_seen_within_the_call_only(void **state) {
    (void)state;
    static const char text[] = "{{define \"a\"}}outer{{end}}{{define \"b\"}}<{{template \"a\"}}>{{end}}"
                               "{{tpl `{{define \"a\"}}inner{{end}}{{template \"b\"}}` .}}{{template \"b\"}}{{tpl `{{template \"b\"}}` .}}";
    const struct go_func *const with_tpl[] = {tpl_function, NULL};
    cleanup_arena struct arena a = {0};
    struct go_run run = {.arena = &a};
    cleanup_buf struct buf out = {0};
    run.templates = template_set_new(&a, "t", with_tpl, TEMPLATE_MISSING_ZERO);
    assert_null(template_parse(run.templates, "t", text, strlen(text)));
    assert_null(template_execute(&run, "t", 1, value_nil(), &out));
    assert_string_equal(buf_str(&out), "<inner><outer><outer>");
    cleanup_error struct error *e = template_execute(&run, "none", 4, value_nil(), &out);
    assert_string_equal(e->message, "template: no template \"none\" associated with template \"t\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_give_what_go_gives),
        cmocka_unit_test(templates_without_end_fail_within_their_limits),
        cmocka_unit_test(what_tpl_defines_is_seen_within_the_call_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
