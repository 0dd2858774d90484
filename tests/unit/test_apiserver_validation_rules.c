/* Validation, as tables: a kind, a body, and the errors that upstream gives ("; " between them). */
#include "apiserver/validation/rules.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct row { const char *body, *old, *expected; };

static void check(const struct resource *r, const char *sub, const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v, *o, *old = NULL;
        assert_null(json_parse(&a, rows[i].body, strlen(rows[i].body), NULL, NULL, &v));
        assert_null(schema_decode(&a, r->type, v, NULL, &o));
        o = schema_default(&a, r, o);
        if (rows[i].old) {
            assert_null(json_parse(&a, rows[i].old, strlen(rows[i].old), NULL, NULL, &v));
            assert_null(schema_decode(&a, r->type, v, NULL, &old));
            old = schema_default(&a, r, old);
        }
        struct field_errors e = {.arena = &a};
        validation_run(validation_find(r, sub), &e, o, old);
        const char *got = "";
        for (size_t k = 0; k < e.len; k++) got = arena_printf(&a, "%s%s%s: %s", got, k ? "; " : "", e.items[k].field, e.items[k].message);
        assert_string_equal(got, rows[i].expected);
    }
}
#define CHECK(r, sub, rows) check((r), (sub), (rows), ARRAY_LEN(rows))
#define POD(spec) "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"},\"spec\":{" spec "}}"
#define C "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"

static void pods_name_what_is_wrong_with_them(void **state) {
    (void)state;
    static const struct row rows[] = {
        {POD(C), NULL, ""},
        {POD("\"containers\":[]"), NULL, "spec.containers: Required value"},
        {POD(C ",\"volumes\":[{\"name\":\"v\",\"nfs\":{\"path\":\"x\"}}]"), NULL,
         "spec.volumes[0].nfs.server: Required value; spec.volumes[0].nfs.path: Invalid value: \"x\": must be an absolute path"},
        {POD(C ",\"restartPolicy\":\"Maybe\""), NULL, "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\""},
        {POD(C ",\"tolerations\":[{\"operator\":\"Equal\"}]"), NULL,
         "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\""},
        {POD(C ",\"activeDeadlineSeconds\":0"), NULL, "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"},
        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"2\"},\"limits\":{\"cpu\":\"1\"}}}]"), NULL,
         "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
    };
    CHECK(&resource_pods, NULL, rows);
}

static void forbidden_changes_of_a_pod_are_shown_as_a_difference(void **state) {
    (void)state;
    static const struct row rows[] = {
        {POD(C ",\"nodeName\":\"a\""), POD(C ",\"nodeName\":\"a\""), ""},
        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]"), POD(C), ""},
        {POD(C ",\"nodeName\":\"b\""), POD(C ",\"nodeName\":\"a\""),
         "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
         "@@ -42,7 +42,7 @@\n  \"NodeSelector\": null,\n  \"ServiceAccountName\": \"\",\n  \"AutomountServiceAccountToken\": null,\n- \"NodeName\": \"a\",\n+ \"NodeName\": \"b\",\n  \"SecurityContext\": {\n   \"HostNetwork\": false,\n   \"HostPID\": false,\n"},
    };
    CHECK(&resource_pods, NULL, rows);
}

static void schedules_are_worded_as_the_cron_library_words_them(void **state) {
    (void)state;
#define CRON(s)                                                                                                                                      \
    "{\"metadata\":{\"name\":\"j\",\"namespace\":\"n\"},\"spec\":{\"schedule\":\"" s "\",\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{" C      \
    ",\"restartPolicy\":\"Never\"}}}}}}"
    static const struct row rows[] = {
        {CRON("*/5 0-3 1,15 jan mon"), NULL, ""},
        {CRON("@hourly"), NULL, ""},
        {CRON("60 * * * *"), NULL, "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum (59): 60"},
        {CRON("* * 0 * *"), NULL, "spec.schedule: Invalid value: \"* * 0 * *\": beginning of range (0) below minimum (1): 0"},
        {CRON("* *"), NULL, "spec.schedule: Invalid value: \"* *\": expected exactly 5 fields, found 2: [* *]"},
        {CRON("*/0 * * * *"), NULL, "spec.schedule: Invalid value: \"*/0 * * * *\": step of range should be a positive number: */0"},
    };
    CHECK(&resource_batch_cronjobs, NULL, rows);
}

static void small_kinds_have_their_rules(void **state) {
    (void)state;
    static const struct row maps[] = {
        {"{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\"},\"data\":{\"a b\":\"\"}}", NULL,
         "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"},
        {"{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\"},\"data\":{\"a\":\"2\"}}", "{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\"},\"data\":{\"a\":\"1\"},\"immutable\":true}",
         "immutable: Forbidden: field is immutable when `immutable` is set; data: Forbidden: field is immutable when `immutable` is set"},
    };
    CHECK(&resource_configmaps, NULL, maps);
    static const struct row budgets[] = {
        {"{\"metadata\":{\"name\":\"b\",\"namespace\":\"n\"},\"spec\":{\"minAvailable\":\"101%\"}}", NULL,
         "spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%"},
    };
    CHECK(&resource_policy_poddisruptionbudgets, NULL, budgets);
}

/* Quotes may be single ones. */
static const char *j(const char *s) {
    static char texts[4][4096];
    static size_t next;
    char *out = texts[next++ % ARRAY_LEN(texts)];
    size_t n = 0;
    for (; s[n] && n < sizeof texts[0] - 1; n++) out[n] = (char)(s[n] == '\'' ? '"' : s[n]);
    out[n] = '\0';
    return out;
}

static void check_quoted(const struct resource *r, const char *sub, const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) check(r, sub, &(const struct row){j(rows[i].body), rows[i].old ? j(rows[i].old) : NULL, rows[i].expected}, 1);
}
#define CHECK_QUOTED(r, sub, rows) check_quoted((r), (sub), (rows), ARRAY_LEN(rows))
#define CLAIM(devices) "{'metadata':{'name':'c','namespace':'n'},'spec':{'devices':{" devices "}}}"
#define CLASS(s) "{'metadata':{'name':'d'},'spec':{'selectors':[{'cel':{'expression':'" s "'}}]}}"
#define SLICE(members) "{'metadata':{'name':'s'},'spec':{'driver':'d.x','pool':{'name':'p','generation':1,'resourceSliceCount':1}," members "}}"
#define ONE "'requests':[{'name':'a','exactly':{'deviceClassName':'c'}}]"

static void device_claims_ask_for_what_there_can_be(void **state) {
    (void)state;
    static const struct row claims[] = {
        {CLAIM(ONE), NULL, ""},
        {CLAIM("'requests':[{'name':'a'}]"), NULL, "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"},
        {CLAIM("'requests':[{'name':'a','exactly':{'deviceClassName':'','count':-1}}]"), NULL,
         "spec.devices.requests[0].exactly.deviceClassName: Required value; spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero"},
        {CLAIM("'requests':[{'name':'a','firstAvailable':[{'name':'x','deviceClassName':'c'},{'name':'x','deviceClassName':'c'}]}],"
               "'constraints':[{'requests':['a/x','a/y'],'matchAttribute':'v'}]"), NULL,
         "spec.devices.requests[0].firstAvailable[1]: Duplicate value: \"x\"; spec.devices.constraints[0].requests[1]: Invalid value: \"a/y\": must be the name of a request "
         "in the claim or the name of a request and a subrequest separated by '/'; spec.devices.constraints[0].matchAttribute: Invalid value: \"v\": a fully qualified name "
         "must be a domain and a name separated by a slash"},
        {CLAIM(ONE ",'config':[{}]"), NULL, "spec.devices.config[0].opaque: Required value"},
        {CLAIM("'requests':[]"), CLAIM(ONE), "spec: Invalid value: {\"Devices\":{\"Requests\":null,\"Constraints\":null,\"Config\":null}}: field is immutable"},
    };
    CHECK_QUOTED(&resource_resource_resourceclaims, NULL, claims);
    static const struct row status[] = {
        {"{'metadata':{'name':'c','namespace':'n'},'status':{'reservedFor':[{'resource':'pods','name':'p','uid':'1'}]}}", CLAIM(ONE),
         "status.reservedFor: Forbidden: may not be specified when `allocated` is not set"},
        {"{'metadata':{'name':'c','namespace':'n'},'status':{'devices':[{'driver':'d.x','pool':'p','device':'v'}]}}", CLAIM(ONE),
         "status.devices[0]: Invalid value: {\"Driver\":\"d.x\",\"Pool\":\"p\",\"Device\":\"v\",\"ShareID\":\"\"}: must be an allocated device in the claim"},
    };
    CHECK_QUOTED(&resource_resource_resourceclaims, "status", status);
}

static void selectors_of_devices_are_compiled(void **state) {
    (void)state;
    static const struct row rows[] = {
        {CLASS("device.driver == 1"), NULL,
         "spec.selectors[0].cel.expression: Invalid value: \"device.driver == 1\": compilation failed: ERROR: <input>:1:15: found no matching overload for '_==_' applied to "
         "'(string, int)'\n | device.driver == 1\n | ..............^"},
        {CLASS("device.size"), NULL,
         "spec.selectors[0].cel.expression: Invalid value: \"device.size\": compilation failed: ERROR: <input>:1:7: undefined field 'size'\n | device.size\n | ......^"},
        {CLASS("1 + 1"), NULL, "spec.selectors[0].cel.expression: Invalid value: \"1 + 1\": must evaluate to bool or the unknown type, not int"},
        {CLASS("device.attributes[device.driver].y"), NULL, ""},
    };
    CHECK_QUOTED(&resource_resource_deviceclasses, NULL, rows);
}

static void slices_say_where_their_devices_are(void **state) {
    (void)state;
    static const struct row rows[] = {
        {SLICE("'nodeName':'n','devices':[{'name':'a','attributes':{'v':{'version':'1.2.3-rc.1+x'},'x.y/z':{'int':1}}}]"), NULL, ""},
        {SLICE("'devices':[{'name':'a','attributes':{'v':{'version':'1.2.03'}}}]"), NULL,
         "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required; "
         "spec.devices[0].attributes[v].version: Invalid value: \"1.2.03\": must be a string compatible with semver.org spec 2.0.0"},
        {SLICE("'nodeName':'n','allNodes':true"), NULL,
         "spec: Invalid value: \"{`nodeName`, `allNodes`}\": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set"},
        {SLICE("'allNodes':true"), SLICE("'nodeName':'n'"), "spec.nodeName: Invalid value: null: field is immutable"},
    };
    CHECK_QUOTED(&resource_resource_resourceslices, NULL, rows);
}

static void api_services_are_named_after_what_they_serve(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"{'metadata':{'name':'v1.x.y'},'spec':{'group':'x.y','version':'v1','groupPriorityMinimum':1,'versionPriority':1,'service':{'namespace':'a','name':'b'}}}", NULL, ""},
        {"{'metadata':{'name':'v1'},'spec':{'group':'x','version':'v1','groupPriorityMinimum':20001,'versionPriority':0,'caBundle':'YWJj'}}", NULL,
         "metadata.name: Invalid value: \"v1\": must be `spec.version+\".\"+spec.group`: \"v1.x\"; "
         "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000; spec.versionPriority: Invalid value: 0: must be positive and less than 1000; "
         "spec.caBundle: Invalid value: \"3 bytes\": local APIServices may not have a caBundle"},
    };
    CHECK_QUOTED(&resource_apiregistration_apiservices, NULL, rows);
}

#define HPA(ref) "{\"metadata\":{\"name\":\"h\",\"namespace\":\"n\"},\"spec\":{\"maxReplicas\":2,\"scaleTargetRef\":" ref "}}"
static void an_autoscalers_target_has_a_group(void **state) {
    (void)state;
    static const struct row rows[] = {
        {HPA("{\"kind\":\"Deployment\",\"name\":\"d\",\"apiVersion\":\"apps/v1\"}"), NULL, ""},
        {HPA("{\"kind\":\"Deployment\",\"name\":\"d\",\"apiVersion\":\"v1\"}"), NULL,
         "spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group"},
        {HPA("{\"kind\":\"Deployment\",\"name\":\"d\",\"apiVersion\":\"a/b/c\"}"), NULL,
         "spec.scaleTargetRef.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c"},
        {HPA("{\"kind\":\"ReplicationController\",\"name\":\"d\"}"), NULL, ""},
        {HPA("{\"kind\":\"Deployment\",\"name\":\"e\"}"), HPA("{\"kind\":\"Deployment\",\"name\":\"d\"}"), ""}, /* it was wrong before */
    };
    CHECK(&resource_autoscaling_horizontalpodautoscalers, NULL, rows);
}

#define VAP(variables) "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"]," \
    "\"operations\":[\"CREATE\"],\"resources\":[\"pods\"]}]},\"variables\":[" variables "],\"validations\":[{\"expression\":\"variables.t == 1\"}]}}"
static void a_policy_knows_the_variables_that_it_declares(void **state) {
    (void)state;
    static const struct row rows[] = {
        {VAP("{\"name\":\"t\",\"expression\":\"1\"}"), NULL, ""},
        {VAP("{\"name\":\"u\",\"expression\":\"1\"}"), NULL,
         "spec.validations[0].expression: Invalid value: \"variables.t == 1\": compilation failed: ERROR: <input>:1:10: undefined field 't'\n | variables.t == 1\n | .........^"},
    };
    CHECK(&resource_admissionregistration_validatingadmissionpolicies, NULL, rows);
}

#define SET(plan) "{\"metadata\":{\"name\":\"d\",\"namespace\":\"n\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"updateStrategy\":{\"rollingUpdate\":" plan "}," \
    "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{" C "}}}}"
static void a_share_that_is_none_counts_as_zero(void **state) {
    (void)state;
#define BAD_PERCENT "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
    static const struct row rows[] = {
        {SET("{\"maxUnavailable\":\"-5%\",\"maxSurge\":1}"), NULL, "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"-5%\": " BAD_PERCENT},
        {SET("{\"maxUnavailable\":\"1.2\",\"maxSurge\":0}"), NULL,
         "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"1.2\": " BAD_PERCENT
         "; spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"},
    };
    CHECK(&resource_apps_daemonsets, NULL, rows);
}

static void warned(warn_fn *warn, const char *body, const char *expected) {
    cleanup_arena struct arena a = {0};
    struct json_array w = {.arena = &a};
    const struct json *o;
    const char *got = "";
    assert_null(json_parse(&a, body, strlen(body), NULL, NULL, &o));
    warn(&w, o, NULL);
    for (size_t i = 0; i < w.len; i++) got = arena_printf(&a, "%s%s%s", got, i ? "; " : "", json_str(&w.items[i], NULL));
    assert_string_equal(got, expected);
}

static void services_and_policies_warn_of_odd_addresses(void **state) {
    (void)state;
    warned(warn_service, "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.96.0.7\",\"clusterIPs\":[\"10.96.0.7\"],\"sessionAffinity\":\"None\"}}", "");
    warned(warn_service, "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"sessionAffinity\":\"ClientIP\",\"externalIPs\":[\"010.1.1.1\"]}}",
           "spec.externalIPs is ignored for headless services; spec.SessionAffinity is ignored for headless services; spec.externalIPs[0]: non-standard IP address "
           "\"010.1.1.1\" will be considered invalid in a future Kubernetes release: use \"10.1.1.1\"");
    warned(warn_service, "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x.example\",\"trafficDistribution\":\"PreferClose\"}}",
           "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
    warned(warn_network_policy, "{\"spec\":{\"egress\":[{},{\"to\":[{\"ipBlock\":{\"cidr\":\"10.0.0.1/8\",\"except\":[\"10.1.0.0/16\"]}}]}]}}",
           "spec.egress[1].to[0].ipBlock.cidr: CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.0.0.1/32\"?)");
}

static void urls_of_webhooks_are_read_as_go_reads_them(void **state) {
    (void)state;
    static const struct { const char *url, *problem; } rows[] = {
        {"https://h/p", NULL}, {"HTTPS://u:p@h:1/p?q#f", NULL}, {"https:opaque", NULL}, {"*", NULL}, {"//h/p", NULL}, {"https://a:1:2/", NULL},
        {"::1", "parse \"::1\": missing protocol scheme"}, {"a_b:c", "parse \"a_b:c\": first path segment in URL cannot contain colon"},
        {"https://a:b/", "parse \"https://a:b/\": invalid port \":b\" after host"}, {"https://[::1/", "parse \"https://[::1/\": missing ']' in host"},
        {"https://x[::1]/", "parse \"https://x[::1]/\": invalid IP-literal"}, {"https://a b/", "parse \"https://a b/\": invalid character \" \" in host name"},
        {"https://a%41/", "parse \"https://a%41/\": invalid URL escape \"%41\""}, {"https://a/%z", "parse \"https://a/%z\": invalid URL escape \"%z\""},
        {"https://a/#%zz", "parse \"https://a/#%zz\": invalid URL escape \"%zz\""}, {"https://u^@h/", "parse \"https://u^@h/\": net/url: invalid userinfo"},
        {"https://h/\x01", "parse \"https://h/\\x01\": net/url: invalid control character in URL"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        struct url_parts u;
        const char *problem = url_read(&a, rows[i].url, &u);
        assert_string_equal(problem ? problem : "", rows[i].problem ? rows[i].problem : "");
    }
    cleanup_arena struct arena a = {0};
    struct url_parts u;
    assert_null(url_read(&a, "HTTPS://u:p@h:1/p?q#f", &u));
    assert_string_equal(arena_printf(&a, "%s %s %s %s %s", u.scheme, u.user, u.host, u.query, u.fragment), "https u:p h:1 q f");
}

static void odd_values_are_warned_of(void **state) {
    (void)state;
    warned(warn_resource_slice, "{\"spec\":{\"driver\":\"a.b\"}}", "");
    warned(warn_resource_slice, "{\"spec\":{\"driver\":\"A.b\"}}", "spec.driver: driver names should be lowercase; \"A.b\" contains uppercase characters");
    warned(warn_node, "{\"spec\":{\"externalID\":\"x\"}}", "spec.externalID: this field is deprecated, and is unused by Kubernetes");
    warned(warn_node, "{\"spec\":{\"podCIDRs\":[\"10.0.0.0/24\"]}}", "");
    warned(warn_node, "{\"spec\":{\"podCIDRs\":[\"10.0.0.1/24\"]}}", "spec.podCIDRs[0]: CIDR value \"10.0.0.1/24\" is ambiguous in this context (should be \"10.0.0.0/24\" or \"10.0.0.1/32\"?)");
    warned(warn_runtime_class, "{\"scheduling\":{\"nodeSelector\":{\"beta.kubernetes.io/os\":\"linux\"}}}",
           "scheduling.nodeSelector: deprecated since v1.14; use \"kubernetes.io/os\" instead");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_and_policies_warn_of_odd_addresses), cmocka_unit_test(an_autoscalers_target_has_a_group), cmocka_unit_test(a_policy_knows_the_variables_that_it_declares),
        cmocka_unit_test(a_share_that_is_none_counts_as_zero), cmocka_unit_test(urls_of_webhooks_are_read_as_go_reads_them), cmocka_unit_test(odd_values_are_warned_of),
        cmocka_unit_test(pods_name_what_is_wrong_with_them),
        cmocka_unit_test(forbidden_changes_of_a_pod_are_shown_as_a_difference),
        cmocka_unit_test(schedules_are_worded_as_the_cron_library_words_them),
        cmocka_unit_test(small_kinds_have_their_rules),
        cmocka_unit_test(device_claims_ask_for_what_there_can_be),
        cmocka_unit_test(selectors_of_devices_are_compiled),
        cmocka_unit_test(slices_say_where_their_devices_are),
        cmocka_unit_test(api_services_are_named_after_what_they_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
