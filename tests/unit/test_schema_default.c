/* tests/golden/schema_defaults.json: what defaulting adds to three shapes of every kind ("empty": nothing set; "lists":
 * one element in every list of structs; "full": every optional struct present, too), as the original's functions do. */
#include "base/str.h"
#include "schema/default_image.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct json *parse(struct arena *a, const char *text, size_t n) {
    const struct json *v;
    assert_null(json_parse(a, text, n, NULL, NULL, &v));
    return v;
}

struct shape {
    bool lists, full;
};
struct chain { /* types that contain this one: recursion ends at a repetition */
    const struct chain *up;
    const struct type *type;
};

static const struct json *shaped(struct arena *a, const struct type *t, struct shape s, const struct chain *up) {
    for (const struct chain *c = up; c; c = c->up)
        if (c->type == t) return NULL;
    if (t->custom_json) return NULL;
    struct chain here = {up, t};
    const struct json *o = &json_empty_object;
    for (size_t i = 0; i < t->field_count; i++) {
        const struct field *f = &t->fields[i];
        const struct json *v = NULL;
        bool present = !f->pointer || s.full;
        if (f->type->kind == TYPE_STRUCT && present) v = shaped(a, f->type, s, &here);
        else if (f->type->kind == TYPE_INT_OR_STRING && s.full) v = json_integer(a, 0);
        else if (f->type->kind == TYPE_LIST && s.lists && f->type->element->kind == TYPE_STRUCT)
            v = shaped(a, f->type->element, s, &here);
        if (v && f->type->kind == TYPE_LIST) v = json_append(a, &json_empty_array, v);
        if (v) o = json_with_member(a, o, f->name, v);
    }
    return o;
}

/* Members of `after` that `before` has not or has otherwise, by path. */
static void added(struct arena *a, const char *path, const struct json *before, const struct json *after,
                  struct json_object *out) {
    if (json_len(after) > 0 && after->type == JSON_OBJECT) {
        JSON_EACH_MEMBER(m, after)
        added(a, *path ? arena_printf(a, "%s.%s", path, m->key) : m->key, json_member(before, m->key), &m->value, out);
    } else if (json_len(after) > 0) {
        for (size_t i = 0; i < json_len(after); i++)
            added(a, arena_printf(a, "%s[]", path), json_at(before, i), json_at(after, i), out);
    } else if (!before || !json_equal(before, after)) {
        if (!str_ends(path, "timeAdded")) json_object_set(out, path, after); /* the time of day */
    }
}

static void every_row_of_the_golden_file_holds(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    assert_null(file_read(arena_printf(&a, "%s/tests/golden/schema_defaults.json", getenv("SOURCE_DIR")), 1 << 20, &text));
    const struct json *rows = parse(&a, text.data, text.len);
    JSON_EACH(row, rows) {
        cleanup_arena struct arena r = {0};
        const struct type *t = type_find(json_str(row, "type"));
        struct shape s = {!json_str_is(row, "shape", "empty"), json_str_is(row, "shape", "full")};
        const struct json *in;
        struct json_object adds = {.arena = &r};
        assert_null(schema_decode(&r, t, shaped(&r, t, s, NULL), NULL, &in));
        added(&r, "", in, schema_default_type(&r, t, in), &adds);
        const struct json *got = json_object_done(&adds);
        if (!json_equal(got, json_member(row, "adds")))
            fail_msg("%s (%s)\ngot  %s\nwant %s", t->name, json_str(row, "shape"), json_text(&r, got),
                     json_text(&r, json_member(row, "adds")));
    }
}

static void defaulting_twice_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < schema_struct_count; i++) {
        cleanup_arena struct arena a = {0};
        const struct json *in, *once;
        const struct json *o = shaped(&a, &schema_types[i], (struct shape){true, true}, NULL);
        if (!o || schema_decode(&a, &schema_types[i], o, NULL, &in)) continue;
        once = schema_default_type(&a, &schema_types[i], in);
        assert_string_equal(json_text(&a, schema_default_type(&a, &schema_types[i], once)), json_text(&a, once));
    }
}

static const struct json *defaulted(struct arena *a, const struct resource *r, const char *text) {
    char *s = arena_strdup(a, text);
    for (char *p = s; *p; p++)
        if (*p == '\'') *p = '"';
    const struct json *v;
    assert_null(schema_decode(a, r->type, parse(a, s, strlen(s)), NULL, &v));
    return schema_default(a, r, v);
}

static void requests_follow_limits_in_pods_only(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *pod =
        defaulted(&a, &resource_pods, "{'spec':{'containers':[{'name':'c','resources':{'limits':{'cpu':'1'}}}]}}");
    assert_string_equal(json_str(json_at(json_get(pod, "spec.containers"), 0), "resources.requests.cpu"), "1");
    const struct json *d = defaulted(&a, &resource_apps_deployments,
                                     "{'spec':{'template':{'spec':{'containers':[{'resources':{'limits':{'cpu':'1'}}}]}}}}");
    assert_null(json_get(json_at(json_get(d, "spec.template.spec.containers"), 0), "resources.requests"));
}

static void host_ports_are_filled_on_the_host_network(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *pod =
        defaulted(&a, &resource_pods, "{'spec':{'hostNetwork':true,'containers':[{'ports':[{'containerPort':80}]}]}}");
    assert_int_equal(json_int(json_at(json_get(json_at(json_get(pod, "spec.containers"), 0), "ports"), 0), "hostPort", 0), 80);
}

static void pod_level_requests_sum_up_the_containers(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *pod = defaulted(&a, &resource_pods,
                                       "{'spec':{'resources':{'limits':{'cpu':'2','memory':'1Gi'}},'containers':"
                                       "[{'resources':{'requests':{'cpu':'500m'}}},{'resources':{'requests':{'cpu':'250m'}}}]}}");
    assert_string_equal(json_str(pod, "spec.resources.requests.cpu"), "750m");
    assert_string_equal(json_str(pod, "spec.resources.requests.memory"), "1Gi");
}

static void services_get_what_their_type_needs(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *s =
        defaulted(&a, &resource_services, "{'spec':{'type':'LoadBalancer','sessionAffinity':'ClientIP','ports':[{'port':80}]}}");
    assert_string_equal(json_str(s, "spec.externalTrafficPolicy"), "Cluster");
    assert_true(json_bool(s, "spec.allocateLoadBalancerNodePorts", false));
    assert_int_equal(json_int(s, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 0), 10800);
    assert_int_equal(json_int(json_at(json_get(s, "spec.ports"), 0), "targetPort", 0), 80);
    s = defaulted(&a, &resource_services, "{'spec':{'type':'ExternalName'}}");
    assert_null(json_get(s, "spec.internalTrafficPolicy"));
}

static void finer_quantities_are_rounded_up(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *q = defaulted(&a, &resource_resourcequotas, "{'spec':{'hard':{'cpu':'100u'}}}");
    assert_string_equal(json_str(q, "spec.hard.cpu"), "1m");
}

static void secret_strings_become_data(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *s = defaulted(&a, &resource_secrets, "{'data':{'a':'eA=='},'stringData':{'a':'y','b':'z'}}");
    assert_string_equal(json_text(&a, json_member(s, "data")), "{\"a\":\"eQ==\",\"b\":\"eg==\"}");
    assert_null(json_member(s, "stringData"));
}

static void only_the_latest_tag_is_always_pulled(void **state) {
    (void)state;
    static const char *const latest[] = {"nginx", "nginx:latest", "r.example:5000/a/b", "localhost/x", "R.example/x"};
    static const char *const other[] = {"nginx:1",
                                        "r.example:5000/x:1",
                                        "Nginx",
                                        "a//b",
                                        "x@sha256:0123456789abcdef0123456789abcdef",
                                        "x:latest@sha256:1",
                                        "",
                                        "x:",
                                        "a..b",
                                        "-a"};
    for (size_t i = 0; i < ARRAY_LEN(latest); i++) assert_true(image_is_latest(latest[i]));
    for (size_t i = 0; i < ARRAY_LEN(other); i++) assert_false(image_is_latest(other[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_golden_file_holds),       cmocka_unit_test(defaulting_twice_changes_nothing),
        cmocka_unit_test(requests_follow_limits_in_pods_only),      cmocka_unit_test(host_ports_are_filled_on_the_host_network),
        cmocka_unit_test(pod_level_requests_sum_up_the_containers), cmocka_unit_test(services_get_what_their_type_needs),
        cmocka_unit_test(finer_quantities_are_rounded_up),          cmocka_unit_test(secret_strings_become_data),
        cmocka_unit_test(only_the_latest_tag_is_always_pulled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
