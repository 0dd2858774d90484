/* Strategic merge, field management and server-side apply on the built-in types; OpenAPI documents in short. */
#include "base/clock.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct json *parse(struct arena *a, const char *text) {
    const struct json *v;
    assert_null(json_parse(a, text, strlen(text), NULL, NULL, &v));
    return v;
}

static void check_merge(const char *object, const char *patch, const char *expected) {
    cleanup_arena struct arena a = {0};
    const struct json *out = NULL;
    struct error *e = schema_strategic_merge(&a, type_find("core/v1/PodSpec"), parse(&a, object), parse(&a, patch), &out);
    assert_string_equal(e ? e->message : json_text(&a, out), expected);
    error_free(e);
}

static void lists_merge_by_key_in_the_patchs_order(void **state) {
    (void)state;
    check_merge("{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}", "{\"containers\":[{\"name\":\"b\",\"image\":\"2\"}]}",
                "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"2\"}]}");
    check_merge("{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", "{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
                "{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}");
    check_merge("{\"tolerations\":[{\"key\":\"a\"}]}", "{\"tolerations\":[{\"key\":\"b\"}]}", "{\"tolerations\":[{\"key\":\"b\"}]}");
}

static void directives_delete_and_replace(void **state) {
    (void)state;
    check_merge("{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", "{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"containers\":[{\"name\":\"b\"}]}");
    check_merge("{\"containers\":[{\"name\":\"a\"}]}", "{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"z\"}]}", "{\"containers\":[{\"name\":\"z\"}]}");
    check_merge("{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}", "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":null,\"hostPath\":{\"path\":\"/\"},\"$retainKeys\":[\"name\",\"hostPath\"]}]}",
                "{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/\"}}]}");
    check_merge("{\"nodeName\":\"n\"}", "{\"nodeName\":null}", "{}");
}

static void bad_patches_are_explained(void **state) {
    (void)state;
    check_merge("{\"containers\":[{\"name\":\"a\"}]}", "{\"containers\":[{\"image\":\"x\"}]}", "map: map[image:x] does not contain declared merge key: name");
    check_merge("{\"volumes\":[{\"name\":\"v\"}]}", "{\"volumes\":[{\"name\":\"v\",\"$patch\":\"nope\"}]}", "unknown patch type: nope in map: map[$patch:nope name:v]");
}

static const struct json *apply(struct arena *a, const struct json *live, const char *config, const char *manager, bool force, struct error **e) {
    struct apply_options o = {.manager = manager, .api_version = "v1", .subresource = "", .now = SECONDS(1700000000), .force = force};
    const struct json *out = NULL;
    *e = schema_apply(a, resource_pods.type, live, parse(a, config), &o, &out);
    return out;
}

#define POD(spec) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"},\"spec\":" spec "}"

static void apply_owns_conflicts_and_prunes(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct error *e;
    const struct json *one = apply(&a, NULL, POD("{\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"), "m1", false, &e);
    assert_null(e);
    assert_string_equal(json_text(&a, json_get(json_at(json_get(one, "metadata.managedFields"), 0), "fieldsV1")),
                        "{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{\".\":{},\"f:image\":{},\"f:name\":{}}},\"f:nodeName\":{}}}");
    apply(&a, one, POD("{\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}"), "m2", false, &e);
    assert_string_equal(e->message, "Apply failed with 1 conflict: conflict with \"m1\": .spec.containers[name=\"c\"].image");
    assert_string_equal(e->causes[0].field, ".spec.containers[name=\"c\"].image");
    error_free(e);
    const struct json *two = apply(&a, one, POD("{\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}"), "m2", true, &e);
    assert_null(e);
    assert_string_equal(json_str(json_at(json_get(two, "spec.containers"), 0), "image"), "j");
    const struct json *three = apply(&a, two, POD("{\"containers\":[{\"name\":\"c\"}]}"), "m1", false, &e);
    assert_null(e);
    assert_null(json_get(three, "spec.nodeName"));
    assert_string_equal(json_str(json_at(json_get(three, "spec.containers"), 0), "image"), "j");
}

static void configurations_must_fit_their_type(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct error *e;
    apply(&a, NULL, POD("{\"nope\":1}"), "m", false, &e);
    assert_string_equal(e->message, "failed to create typed patch object (/x; /v1, Kind=Pod): .spec.nope: field not declared in schema");
    error_free(e);
    apply(&a, NULL, POD("{\"containers\":[{\"name\":\"k\"},{\"name\":\"k\"}]}"), "m", false, &e);
    assert_string_equal(e->message, "failed to create typed patch object (/x; /v1, Kind=Pod): .spec.containers: duplicate entries for key [name=\"k\"]");
    error_free(e);
}

static void updates_own_what_they_change(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct apply_options o = {.manager = "u", .api_version = "v1", .subresource = "", .now = SECONDS(1700000000), .reset_fields = schema_reset_fields(&resource_pods, "")};
    const struct json *live, *next;
    assert_null(schema_managed_update(&a, resource_pods.type, NULL, parse(&a, POD("{\"nodeName\":\"n\",\"containers\":null}")), &o, &live));
    o.manager = "w";
    assert_null(schema_managed_update(&a, resource_pods.type, live, json_with(&a, live, "spec.nodeName", json_string(&a, "o")), &o, &next));
    const struct json *managed = json_get(next, "metadata.managedFields");
    assert_int_equal(json_len(managed), 1);
    assert_true(json_str_is(json_at(managed, 0), "manager", "w"));
    o.now += SECONDS(60);
    assert_null(schema_managed_update(&a, resource_pods.type, next, next, &o, &live));
    assert_true(json_equal(live, next));
}

static void openapi_documents_are_whole(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf v3 = {0}, v2 = {0}, pb = {0};
    schema_openapi_v3(&v3, "apps", "v1", NULL, 0);
    const struct json *d = parse(&a, buf_str(&v3));
    const struct json *path = json_member(json_member(d, "paths"), "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale");
    assert_true(json_str_is(path, "patch.operationId", "patchAppsV1NamespacedDeploymentScale"));
    const struct json *spec = json_member(json_get(d, "components.schemas"), "io.k8s.api.core.v1.PodSpec");
    assert_true(json_str_is(json_get(spec, "properties.containers"), "x-kubernetes-patch-merge-key", "name"));
    schema_openapi_v2(&v2, NULL, 0);
    assert_non_null(json_member(json_member(parse(&a, buf_str(&v2)), "definitions"), "io.k8s.api.core.v1.Pod"));
    schema_openapi_v2_pb(&pb, NULL, 0);
    assert_memory_equal(pb.data, "\n\x03" "2.0", 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_merge_by_key_in_the_patchs_order), cmocka_unit_test(directives_delete_and_replace), cmocka_unit_test(bad_patches_are_explained),
        cmocka_unit_test(apply_owns_conflicts_and_prunes), cmocka_unit_test(configurations_must_fit_their_type), cmocka_unit_test(updates_own_what_they_change),
        cmocka_unit_test(openapi_documents_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
