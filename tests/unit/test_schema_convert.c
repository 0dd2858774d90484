#include "base/str.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct json *convert(struct arena *a, const struct resource *from, const struct resource *to,
                                  const struct json *in) {
    const struct json *out;
    assert_null(schema_convert(a, from, to, in, &out));
    return out;
}

static const struct resource *const v1 = &resource_autoscaling_v1_horizontalpodautoscalers,
                                    *const v2 = &resource_autoscaling_horizontalpodautoscalers;

static void cpu_utilization_is_a_metric_in_v2(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *o = json_make(
        &a, "{'spec':{'scaleTargetRef':{'kind':'Deployment','name':'d'},'maxReplicas':3,'targetCPUUtilizationPercentage':60}}");
    const struct json *new = convert(&a, v1, v2, o);
    assert_string_equal(json_str(new, "apiVersion"), "autoscaling/v2");
    assert_int_equal(json_int(json_at(json_get(new, "spec.metrics"), 0), "resource.target.averageUtilization", 0), 60);
    assert_int_equal(json_int(convert(&a, v2, v1, new), "spec.targetCPUUtilizationPercentage", 0), 60);
}

static void other_metrics_survive_in_annotations(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *o =
        json_make(&a, "{'kind':'HorizontalPodAutoscaler','apiVersion':'autoscaling/v2','metadata':{'name':'x'},'spec':"
                      "{'scaleTargetRef':{'kind':'Deployment','name':'d'},'minReplicas':1,'maxReplicas':3,'metrics':[{'type':'"
                      "Pods','pods':{'metric':{'name':'q'},"
                      "'target':{'type':'AverageValue','averageValue':'5'}}}],'behavior':{'scaleUp':{'selectPolicy':'Max'}}},'"
                      "status':{'desiredReplicas':0,"
                      "'currentMetrics':null}}");
    const struct json *old = convert(&a, v2, v1, o);
    const struct json *annotations = json_get(old, "metadata.annotations");
    assert_string_equal(json_str(json_member(annotations, "autoscaling.alpha.kubernetes.io/metrics"), NULL),
                        "[{\"type\":\"Pods\",\"pods\":{\"metricName\":\"q\",\"targetAverageValue\":\"5\"}}]");
    assert_true(json_semantic_equal(convert(&a, v1, v2, old), o));
}

static void no_metric_at_all_means_eighty_percent_cpu(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *new = convert(&a, v1, v2, json_make(&a, "{'spec':{'maxReplicas':3}}"));
    assert_int_equal(json_int(json_at(json_get(new, "spec.metrics"), 0), "resource.target.averageUtilization", 0), 80);
}

static void events_are_the_same_under_both_groups(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *o = json_make(
        &a, "{'kind':'Event','apiVersion':'v1','metadata':{'name':'e'},'involvedObject':{'kind':'Pod'},'message':'m','count':3,"
            "'reportingComponent':'kubelet'}");
    const struct json *new = convert(&a, &resource_events, &resource_events_events, o);
    assert_string_equal(json_str(new, "apiVersion"), "events.k8s.io/v1");
    assert_string_equal(json_str(new, "regarding.kind"), "Pod");
    assert_string_equal(json_str(new, "note"), "m");
    assert_int_equal(json_int(new, "deprecatedCount", 0), 3);
    assert_true(json_semantic_equal(json_member(convert(&a, &resource_events_events, &resource_events, new), "involvedObject"),
                                    json_member(o, "involvedObject")));
}

static void other_kinds_do_not_convert(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *out;
    cleanup_error struct error *e = schema_convert(&a, &resource_pods, &resource_secrets, &json_empty_object, &out);
    assert_non_null(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_utilization_is_a_metric_in_v2),
        cmocka_unit_test(other_metrics_survive_in_annotations),
        cmocka_unit_test(no_metric_at_all_means_eighty_percent_cpu),
        cmocka_unit_test(events_are_the_same_under_both_groups),
        cmocka_unit_test(other_kinds_do_not_convert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
