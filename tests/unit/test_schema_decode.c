#include "base/str.h"
#include "schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Single quotes stand for double ones. */
static const struct json *parse(struct arena *a, const char *text) {
    char *s = arena_strdup(a, text);
    for (char *p = s; *p; p++)
        if (*p == '\'') *p = '"';
    const struct json *v;
    assert_null(json_parse(a, s, strlen(s), NULL, NULL, &v));
    return v;
}

static void check(const char *type, const char *in, const char *out) {
    cleanup_arena struct arena a = {0};
    const struct json *v;
    assert_null(schema_decode(&a, type_find(type), parse(&a, in), NULL, &v));
    assert_string_equal(json_text(&a, v), json_text(&a, parse(&a, out)));
}

static void check_error(const char *type, const char *in, const char *message) {
    cleanup_arena struct arena a = {0};
    const struct json *v;
    cleanup_error struct error *e = schema_decode(&a, type_find(type), parse(&a, in), NULL, &v);
    assert_non_null(e);
    assert_string_equal(e->message, message);
}

static void members_come_in_the_order_of_the_type(void **state) {
    (void)state;
    check("core/v1/ConfigMap",
          "{'data':{'b':'1','a':'2'},'metadata':{'namespace':'n','name':'x'},'apiVersion':'v1','kind':'ConfigMap'}",
          "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'x','namespace':'n'},'data':{'a':'2','b':'1'}}");
}

static void empty_values_are_left_out_as_go_does(void **state) {
    (void)state;
    check("core/v1/Secret", "{'data':{},'type':'','immutable':false,'stringData':null}", "{'metadata':{},'immutable':false}");
    check("core/v1/NodeCondition", "{'type':'Ready','status':'True'}",
          "{'type':'Ready','status':'True','lastHeartbeatTime':null,'lastTransitionTime':null}");
    check("core/v1/ServicePort", "{'port':80}", "{'port':80,'targetPort':0}");
    check("rbac.authorization.k8s.io/v1/Role", "{'rules':[]}", "{'metadata':{},'rules':null}");
    check("meta/v1/ObjectMeta", "{'creationTimestamp':null}", "{}");
}

static void scalars_get_their_canonical_form(void **state) {
    (void)state;
    check("core/v1/ResourceRequirements", "{'limits':{'cpu':'0.5','memory':1073741824}}",
          "{'limits':{'cpu':'500m','memory':'1073741824'}}");
    check("meta/v1/ObjectMeta", "{'creationTimestamp':'2024-02-29T12:00:00.5+01:00'}",
          "{'creationTimestamp':'2024-02-29T11:00:00Z'}");
    check("coordination.k8s.io/v1/LeaseSpec", "{'renewTime':'2024-01-01T00:00:00.123456Z'}",
          "{'renewTime':'2024-01-01T00:00:00.123456Z'}");
    check("core/v1/Secret", "{'data':{'a':'aGVs\\nbG8='}}", "{'metadata':{},'data':{'a':'aGVsbG8='}}");
}

static void null_elements_are_zero_values(void **state) {
    (void)state;
    check("core/v1/PodSpec", "{'containers':[null]}", "{'containers':[{'name':'','resources':{}}]}");
    check("core/v1/Secret", "{'data':{'a':null}}", "{'metadata':{},'data':{'a':''}}");
}

static void schemas_keep_their_other_forms(void **state) {
    (void)state;
    check("apiextensions.k8s.io/v1/JSONSchemaProps",
          "{'additionalProperties':true,'items':{'type':'string','zork':1},'default':{'b':1,'a':2}}",
          "{'default':{'b':1,'a':2},'items':{'type':'string'},'additionalProperties':true}");
    check_error("apiextensions.k8s.io/v1/JSONSchemaProps", "{'additionalProperties':1}", "boolean or JSON schema expected");
}

static void mismatches_are_worded_as_go_does(void **state) {
    (void)state;
    check_error("core/v1/ConfigMap", "{'metadata':[]}",
                "json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta");
    check_error("core/v1/ConfigMap", "{'data':{'k':1}}",
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string");
    check_error("core/v1/Pod", "{'spec':{'restartPolicy':1}}",
                "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy");
    check_error("core/v1/Pod", "{'spec':{'containers':{}}}",
                "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container");
    check_error("core/v1/Pod", "{'spec':{'priority':5000000000}}",
                "json: cannot unmarshal number 5000000000 into Go struct field PodSpec.spec.priority of type int32");
    check_error("core/v1/Pod", "{'spec':{'containers':[{'livenessProbe':{'tcpSocket':{'port':true}}}]}}",
                "json: cannot unmarshal bool into Go struct field "
                "TCPSocketAction.spec.containers.livenessProbe.ProbeHandler.tcpSocket.port of type int32");
    check_error("core/v1/Pod", "{'spec':{'containers':[{'resources':{'limits':[]}}]}}",
                "json: cannot unmarshal array into Go struct field ResourceRequirements.spec.containers.resources.limits of type "
                "v1.ResourceList");
}

static void malformed_scalars_end_decoding(void **state) {
    (void)state;
    check_error("core/v1/ResourceRequirements", "{'claims':1,'limits':{'cpu':'1mm'}}", "unable to parse quantity's suffix");
    check_error("core/v1/ResourceRequirements", "{'limits':{'cpu':'abc'}}",
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    check_error("meta/v1/ObjectMeta", "{'creationTimestamp':'yesterday'}",
                "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\"");
    check_error("meta/v1/ObjectMeta", "{'creationTimestamp':'2023-02-29T00:00:00Z'}",
                "parsing time \"2023-02-29T00:00:00Z\": day out of range");
    check_error(
        "coordination.k8s.io/v1/LeaseSpec", "{'renewTime':'2024-01-01T00:00:00Z'}",
        "parsing time \"2024-01-01T00:00:00Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"");
    check_error("core/v1/Secret", "{'data':{'a':'aGVsb*8='}}", "illegal base64 data at input byte 5");
}

static void unknown_members_are_reported_once(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct json_array unknown = {.arena = &a};
    const struct json *v;
    assert_null(schema_decode(&a, type_find("core/v1/Pod"), parse(&a, "{'z':1,'spec':{'containers':[{'nope':1}],'foo':2}}"),
                              &unknown, &v));
    assert_string_equal(
        json_text(&a, json_array_done(&unknown)),
        "[\"unknown field \\\"z\\\"\",\"unknown field \\\"spec.containers[0].nope\\\"\",\"unknown field \\\"spec.foo\\\"\"]");
}

static void check_written(const char *type, const char *in, enum written_for use, const char *out) {
    cleanup_arena struct arena a = {0};
    const struct json *v;
    bool explicit;
    assert_null(schema_decode_explicit(&a, type_find(type), parse(&a, in), NULL, &explicit, &v));
    assert_true(explicit);
    assert_string_equal(json_text(&a, schema_written(&a, type_find(type), v, use)), json_text(&a, parse(&a, out)));
}

static void empty_lists_and_maps_stay_until_they_are_written(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *v;
    bool explicit;
    assert_null(schema_decode_explicit(&a, type_find("core/v1/PodSpec"), parse(&a, "{'containers':[{'name':'c','resources':{}}]}"), NULL, &explicit, &v));
    assert_false(explicit);
    assert_null(schema_decode_explicit(&a, type_find("core/v1/PodSpec"), parse(&a, "{'volumes':[],'containers':[],'nodeSelector':{}}"), NULL, &explicit, &v));
    assert_true(explicit);
    assert_string_equal(json_text(&a, v), "{\"volumes\":[],\"containers\":[],\"nodeSelector\":{}}");
    static const char spec[] = "{'volumes':[],'containers':[{'name':'c','args':[],'resources':{'limits':{}}}]}";
    check_written("core/v1/PodSpec", spec, WRITTEN_TO_SEND, "{'containers':[{'name':'c','resources':{}}]}");
    check_written("core/v1/PodSpec", "{'containers':[]}", WRITTEN_TO_SEND, "{'containers':[]}");
    check_written("core/v1/PodSpec", "{'containers':[]}", WRITTEN_TO_STORE, "{'containers':null}");
    check_written("apiextensions.k8s.io/v1/CustomResourceDefinitionStatus", "{'conditions':[],'storedVersions':[]}", WRITTEN_TO_STORE,
                  "{'conditions':[],'acceptedNames':{'plural':'','kind':''},'storedVersions':[]}");
    check_written("rbac.authorization.k8s.io/v1/ClusterRole", "{'rules':[{'verbs':['get'],'resourceNames':[]}]}", WRITTEN_TO_COMPARE,
                  "{'metadata':{},'rules':[{'verbs':['get'],'resourceNames':[]}]}");
    check_written("core/v1/PodSpec", spec, WRITTEN_TO_COMPARE, "{'containers':[{'name':'c','resources':{}}]}");
}

static bool same(const char *type, const char *x, const char *y) {
    cleanup_arena struct arena a = {0};
    return schema_semantic_equal(type_find(type), parse(&a, x), parse(&a, y));
}

static void comparisons_know_what_is_no_difference(void **state) {
    (void)state;
    assert_true(same("core/v1/PodSpec", "{'volumes':[],'containers':null}", "{'nodeSelector':{}}"));
    assert_false(same("core/v1/PodSpec", "{'affinity':{}}", "{}"));
    assert_false(same("core/v1/PodSpec", "{}", "{'affinity':{}}"));
    assert_true(same("core/v1/PodSpec", "{'affinity':{},'hostNetwork':false}", "{'affinity':{}}"));
    assert_false(same("core/v1/PodSpec", "{'enableServiceLinks':false}", "{}"));
    assert_true(same("core/v1/ResourceRequirements", "{'limits':{'memory':'1Ki','cpu':'1'}}", "{'limits':{'cpu':'1000m','memory':'1024'}}"));
    assert_false(same("core/v1/ResourceRequirements", "{'limits':{'cpu':'1'}}", "{'limits':{'memory':'1'}}"));
    assert_false(same("core/v1/PodSpec", "{'containers':[{'name':'a'}]}", "{'containers':[{'name':'b'}]}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_in_the_order_of_the_type), cmocka_unit_test(empty_values_are_left_out_as_go_does),
        cmocka_unit_test(scalars_get_their_canonical_form),      cmocka_unit_test(null_elements_are_zero_values),
        cmocka_unit_test(schemas_keep_their_other_forms),        cmocka_unit_test(mismatches_are_worded_as_go_does),
        cmocka_unit_test(malformed_scalars_end_decoding),        cmocka_unit_test(unknown_members_are_reported_once),
        cmocka_unit_test(empty_lists_and_maps_stay_until_they_are_written), cmocka_unit_test(comparisons_know_what_is_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
