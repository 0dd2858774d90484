#include "base/str.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_field_is_found_by_its_name(void **state) {
    (void)state;
    for (size_t i = 0; i < schema_struct_count; i++) {
        const struct type *t = &schema_types[i];
        assert_ptr_equal(type_find(t->name), t);
        for (size_t k = 0; k < t->field_count; k++)
            if (!t->fields[k].no_json) assert_ptr_equal(type_field(t, t->fields[k].name), &t->fields[k]);
    }
}

static void numbers_of_a_message_ascend(void **state) {
    (void)state;
    for (size_t i = 0; i < schema_struct_count; i++) {
        const struct type *t = &schema_types[i];
        for (size_t k = 1; k < t->pb_count; k++)
            assert_true(t->pb_fields[t->by_number[k - 1]].pb < t->pb_fields[t->by_number[k]].pb);
    }
}

static void unknown_names_are_not_found(void **state) {
    (void)state;
    assert_null(type_find("core/v1/Zork"));
    assert_null(type_field(type_find("core/v1/Pod"), "Spec")); /* case matters */
    assert_null(resource_find("", "v1", "zorks"));
    assert_null(type_find_kind("v1", "Zork"));
}

static void resources_are_found_in_every_way(void **state) {
    (void)state;
    assert_ptr_equal(resource_find("apps", "v1", "deployments"), &resource_apps_deployments);
    assert_ptr_equal(resource_find_kind("", "v1", "Pod"), &resource_pods);
    assert_ptr_equal(resource_find("autoscaling", NULL, "horizontalpodautoscalers"),
                     &resource_autoscaling_horizontalpodautoscalers);
    assert_string_equal(resource_autoscaling_horizontalpodautoscalers.version, "v2");
    assert_string_equal(resource_autoscaling_v1_horizontalpodautoscalers.storage_version, "v2");
    assert_ptr_equal(type_find_kind("apps/v1", "DeleteOptions"), type_find("meta/v1/DeleteOptions"));
}

static void tables_have_the_names_of_etcd(void **state) {
    (void)state;
    assert_string_equal(resource_nodes.table, "minions");
    assert_string_equal(resource_services.table, "services/specs");
    assert_string_equal(resource_events_events.table, "events");
    assert_string_equal(resource_apps_replicasets.storage_version_hash, "P1RzHs8/mWQ=");
    assert_null(resource_bindings.table);
}

static void subresources_know_what_they_take(void **state) {
    (void)state;
    const struct subresource *scale = resource_subresource(&resource_apps_deployments, "scale");
    assert_ptr_equal(scale->type, type_find("autoscaling/v1/Scale"));
    assert_int_equal(scale->verbs, VERB_GET | VERB_UPDATE | VERB_PATCH);
    assert_null(resource_subresource(&resource_pods, "zork"));
}

static void field_selectors_see_absent_values_as_zero(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *o = json_make(&a, "{'metadata':{'name':'x'},'spec':{'nodeName':'n'},'status':{}}");
    assert_string_equal(resource_field(&a, &resource_pods, o, "spec.nodeName"), "n");
    assert_string_equal(resource_field(&a, &resource_pods, o, "spec.hostNetwork"), "false");
    assert_string_equal(
        resource_field(&a, &resource_batch_jobs, json_make(&a, "{'status':{'succeeded':2}}"), "status.successful"), "2");
    assert_string_equal(resource_field(&a, &resource_events, json_make(&a, "{'reportingComponent':'c'}"), "source"), "c");
}

static void bootstrap_objects_are_json(void **state) {
    (void)state;
    size_t n = 0;
    for (const struct bootstrap_object *b = bootstrap_objects; b->kind; b++, n++) {
        cleanup_arena struct arena a = {0};
        const struct json *o;
        assert_null(json_parse(&a, b->json, strlen(b->json), NULL, NULL, &o));
        assert_string_equal(json_str(o, "kind"), b->kind);
        assert_non_null(json_str(o, "metadata.name"));
    }
    assert_int_equal(n, 182);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_found_by_its_name),
        cmocka_unit_test(numbers_of_a_message_ascend),
        cmocka_unit_test(unknown_names_are_not_found),
        cmocka_unit_test(resources_are_found_in_every_way),
        cmocka_unit_test(tables_have_the_names_of_etcd),
        cmocka_unit_test(subresources_know_what_they_take),
        cmocka_unit_test(field_selectors_see_absent_values_as_zero),
        cmocka_unit_test(bootstrap_objects_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
