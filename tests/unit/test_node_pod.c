/* Rules on pods: phase, quality of service, sums of resources, variables, image names, host names. */
#include "node/admission.h"
#include "node/cgroups.h"
#include "node/container.h"
#include "node/dns.h"
#include "node/eviction.h"
#include "node/images.h"
#include "node/pods.h"
#include "node/runtime.h"
#include "node/runtime_events.h"
#include "node/status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena a;

static int tear_down(void **state) {
    (void)state;
    arena_free(&a);
    return 0;
}

static const struct json *parse(const char *text) {
    const struct json *v;
    char *copy = arena_strdup(&a, text);
    for (char *p = copy; *p; p++) *p = *p == '\'' ? '"' : *p;
    struct error *e = json_parse(&a, copy, strlen(copy), NULL, NULL, &v);
    if (e) fail_msg("%s", e->message);
    return v;
}

static const char *phase(const char *pod, const char *status, bool terminal) {
    return status_phase(parse(pod), parse(status), NULL, terminal);
}

#define TWO "{'spec':{'restartPolicy':'%s','containers':[{'name':'a'},{'name':'b'}]}}"
#define ENDED(n, code) "{'name':'" n "','state':{'terminated':{'exitCode':" #code "}}}"
#define RUNS(n) "{'name':'" n "','state':{'running':{}}}"
#define WAITS(n) "{'name':'" n "','state':{'waiting':{}}}"

static const char *two(const char *policy) { return arena_printf(&a, TWO, policy); }

static void phase_follows_the_containers(void **state) {
    (void)state;
    assert_string_equal(phase(two("Never"), "{'containerStatuses':[" RUNS("a") "," RUNS("b") "]}", false), "Running");
    assert_string_equal(phase(two("Never"), "{'containerStatuses':[" RUNS("a") "," WAITS("b") "]}", false), "Pending");
    assert_string_equal(phase(two("Never"), "{'containerStatuses':[" ENDED("a", 0) "," RUNS("b") "]}", false), "Running");
    assert_string_equal(phase(two("Never"), "{'containerStatuses':[" ENDED("a", 0) "," ENDED("b", 0) "]}", false), "Succeeded");
    assert_string_equal(phase(two("Never"), "{'containerStatuses':[" ENDED("a", 0) "," ENDED("b", 1) "]}", false), "Failed");
}

static void restart_policy_keeps_a_pod_running(void **state) {
    (void)state;
    assert_string_equal(phase(two("Always"), "{'containerStatuses':[" ENDED("a", 0) "," ENDED("b", 0) "]}", false), "Running");
    assert_string_equal(phase(two("OnFailure"), "{'containerStatuses':[" ENDED("a", 0) "," ENDED("b", 1) "]}", false), "Running");
    assert_string_equal(phase(two("OnFailure"), "{'containerStatuses':[" ENDED("a", 0) "," ENDED("b", 0) "]}", false), "Succeeded");
    assert_string_equal(phase(two("Always"), "{'containerStatuses':[" ENDED("a", 0) "," ENDED("b", 2) "]}", true), "Failed");
}

static void a_failed_init_container_fails_the_pod(void **state) {
    (void)state;
    const char *pod = "{'spec':{'restartPolicy':'Never','initContainers':[{'name':'i'}],'containers':[{'name':'a'}]}}";
    assert_string_equal(phase(pod, "{'initContainerStatuses':[" ENDED("i", 3) "],'containerStatuses':[" WAITS("a") "]}", false), "Failed");
    assert_string_equal(phase(pod, "{'initContainerStatuses':[" RUNS("i") "],'containerStatuses':[" WAITS("a") "]}", false), "Pending");
}

static void container_rules_come_before_the_pods_policy(void **state) {
    (void)state;
    const struct json *pod = parse("{'spec':{'restartPolicy':'Never'}}");
    const struct json *c = parse("{'name':'a','restartPolicy':'Never','restartPolicyRules':[{'action':'Restart','exitCodes':{'operator':'In','values':[42]}}]}");
    assert_true(container_policy_restarts(pod, c, 42));
    assert_false(container_policy_restarts(pod, c, 1));
}

static void quality_of_service(void **state) {
    (void)state;
    assert_string_equal(pod_qos(parse("{'spec':{'containers':[{'name':'a'}]}}")), "BestEffort");
    assert_string_equal(pod_qos(parse("{'spec':{'containers':[{'name':'a','resources':{'requests':{'cpu':'1m'}}}]}}")), "Burstable");
    assert_string_equal(pod_qos(parse("{'spec':{'containers':[{'name':'a','resources':{'requests':{'cpu':'50m','memory':'20971520'},"
                                      "'limits':{'cpu':'0.05','memory':'20Mi'}}}]}}")), "Guaranteed");
}

static void sidecars_count_with_what_runs_beside_them(void **state) {
    (void)state;
    const struct json *pod = parse("{'spec':{'initContainers':[{'name':'s','restartPolicy':'Always','resources':{'requests':{'cpu':'100m'}}},"
                                   "{'name':'i','resources':{'requests':{'cpu':'500m'}}}],'containers':[{'name':'a','resources':{'requests':{'cpu':'200m'}}}]}}");
    struct quantity q = pod_request(pod, "cpu");
    assert_int_equal(quantity_milli_value(&q), 600); /* the init container with the sidecar; 300 afterwards */
}

static void shares_and_quota(void **state) {
    (void)state;
    assert_int_equal(cpu_shares(0), 2);
    assert_int_equal(cpu_shares(20), 20);
    assert_int_equal(cpu_quota(150), 15000);
    assert_int_equal(cpu_quota(1), 1000);
    assert_int_equal(cpu_quota(0), 0);
}

static void variables_expand_once(void **state) {
    (void)state;
    const struct json *env = parse("{'A':'a','B':'$(A)'}");
    const char *missing = NULL;
    assert_string_equal(expand_variables(&a, "$(A)-$(B)-$(C)-$$(A)-$x$(", env, &missing), "a-$(A)-$(C)-$(A)-$x$(");
    assert_string_equal(missing, "C");
}

static int64_t threshold(const char *list, enum eviction_signal s, int64_t capacity) {
    struct eviction_thresholds t;
    struct error *e = eviction_thresholds_parse(list ? (const char *const *)str_split(&a, list, ',', NULL) : NULL, &t);
    if (e) fail_msg("%s", e->message);
    return eviction_threshold_of(&t.of[s], capacity);
}

static void eviction_thresholds_are_amounts_or_parts(void **state) {
    (void)state;
    assert_int_equal(threshold(NULL, SIGNAL_MEMORY, 1000), 100 << 20);
    assert_int_equal(threshold(NULL, SIGNAL_DISK, 1000), 100);
    assert_int_equal(threshold(NULL, SIGNAL_PIDS, 1000), 0);
    assert_int_equal(threshold("memory.available<1Gi,nodefs.available<12.5%", SIGNAL_MEMORY, 0), 1 << 30);
    assert_int_equal(threshold("memory.available<1Gi,nodefs.available<12.5%", SIGNAL_DISK, 1000), 125);
    assert_int_equal(threshold("memory.available<1Gi", SIGNAL_DISK, 1000), 0); /* a list stands for itself */
    for (const char *const *bad = (const char *const[]){"memory<1Gi", "memory.available", "memory.available<x", "pid.available<101%", NULL}; *bad; bad++) {
        struct eviction_thresholds t;
        struct error *e = eviction_thresholds_parse((const char *const[]){*bad, NULL}, &t);
        assert_non_null(e);
        error_free(e);
    }
}

static void image_names_are_completed(void **state) {
    (void)state;
    assert_string_equal(image_normalize(&a, "busybox"), "docker.io/library/busybox:latest");
    assert_string_equal(image_normalize(&a, "me/app:1"), "docker.io/me/app:1");
    assert_string_equal(image_normalize(&a, "127.0.0.1:1/absent:1"), "127.0.0.1:1/absent:1");
    assert_string_equal(image_normalize(&a, "localhost/x"), "localhost/x:latest");
    assert_null(image_normalize(&a, "INVALID//name"));
    assert_null(image_normalize(&a, "a:"));
    assert_null(image_normalize(&a, ""));
    assert_null(image_normalize(&a, "x@sha256:12"));
}

static void host_names_fit(void **state) {
    (void)state;
    const char *domain;
    const struct json *pod = parse("{'metadata':{'name':'p','namespace':'ns'},'spec':{'hostname':'h','subdomain':'sub'}}");
    assert_string_equal(pod_hostname(&a, pod, "cluster.local", &domain), "h");
    assert_string_equal(domain, "sub.ns.svc.cluster.local");
    const struct json *longer = parse("{'metadata':{'name':'0123456789012345678901234567890123456789012345678901234567890--tail','namespace':'ns'}}");
    assert_string_equal(pod_hostname(&a, longer, "cluster.local", &domain), "0123456789012345678901234567890123456789012345678901234567890");
}

static struct doc *document(const char *text) { return doc_new(parse(text)); }

static struct pod_worker *admitted(struct node *n, const char *pod, bool gone) {
    cleanup_doc struct doc *d = document(pod);
    struct pod_worker *w = pods_add(n, d, false, gone);
    w->admitted = true;
    return w;
}

static void a_pod_that_the_api_has_no_more_takes_no_place(void **state) {
    (void)state;
    struct node n = {0};
    pthread_mutex_init(&n.lock, NULL);
    n.object = document("{'metadata':{'name':'n'},'status':{'allocatable':{'pods':'1'}}}");
    static const char old[] = "{'metadata':{'name':'old','namespace':'d','uid':'1'}}";
    struct pod_worker *first = admitted(&n, old, false), *second = admitted(&n, "{'metadata':{'name':'new','namespace':'d','uid':'2'}}", false);
    const char *message;
    assert_string_equal(admission_check(second, &a, second->pod->root, &message), "OutOfpods");
    assert_string_equal(message, "Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1");
    worker_unref(admitted(&n, old, true)); /* its containers have not ended */
    assert_null(admission_check(second, &a, second->pod->root, &message));
    pods_forget(first), pods_forget(second);
    worker_unref(first), worker_unref(second);
    map_free(&n.workers, NULL);
    doc_unref(n.object);
    pthread_mutex_destroy(&n.lock);
}

static void an_end_that_was_told_is_known_before_the_runtime_shows_it(void **state) {
    (void)state;
    struct node n = {0};
    pthread_mutex_init(&n.lock, NULL);
    struct runtime_container running = {.id = arena_strdup(&a, "c1"), .state = CONTAINER_RUNNING};
    struct pod_runtime r = {.containers = &running, .container_count = 1};
    assert_false(runtime_events_told_end(&n, "c1"));
    assert_false(runtime_events_ahead(&n, &r));
    strcpy(n.exited.id[EXITED_MAX - 1], "c1");
    assert_true(runtime_events_told_end(&n, "c1"));
    assert_true(runtime_events_ahead(&n, &r));
    assert_false(runtime_events_told_end(&n, "c2"));
    pthread_mutex_destroy(&n.lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phase_follows_the_containers), cmocka_unit_test(restart_policy_keeps_a_pod_running),
        cmocka_unit_test(a_failed_init_container_fails_the_pod), cmocka_unit_test(container_rules_come_before_the_pods_policy),
        cmocka_unit_test(quality_of_service), cmocka_unit_test(sidecars_count_with_what_runs_beside_them), cmocka_unit_test(shares_and_quota),
        cmocka_unit_test(variables_expand_once), cmocka_unit_test(image_names_are_completed), cmocka_unit_test(eviction_thresholds_are_amounts_or_parts), cmocka_unit_test(host_names_fit),
        cmocka_unit_test(a_pod_that_the_api_has_no_more_takes_no_place),
        cmocka_unit_test(an_end_that_was_told_is_known_before_the_runtime_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
