/* When objects count as ready for --wait: helm's rules, case by case. */
#include "helm/kube/private.h"
#include "store_fixture.h"

struct rule_case {
    const char *what;
    const struct resource *resource;
    const char *object;
    bool ready;
};

static const struct rule_case cases[] = {
    {"a pod with the condition", &resource_pods, "{'status':{'conditions':[{'type':'Ready','status':'True'}]}}", true},
    {"a pod without it", &resource_pods, "{'status':{'phase':'Running'}}", false},
    {"a bound claim", &resource_persistentvolumeclaims, "{'status':{'phase':'Bound'}}", true},
    {"a pending claim", &resource_persistentvolumeclaims, "{'status':{'phase':'Pending'}}", false},
    {"a service with an address", &resource_services, "{'spec':{'clusterIP':'10.0.0.1'}}", true},
    {"a service without one", &resource_services, "{'spec':{'type':'ClusterIP'}}", false},
    {"an external name", &resource_services, "{'spec':{'type':'ExternalName'}}", true},
    {"a balancer that waits", &resource_services, "{'spec':{'type':'LoadBalancer','clusterIP':'10.0.0.1'}}", false},
    {"a balancer that has its address", &resource_services,
     "{'spec':{'type':'LoadBalancer','clusterIP':'10.0.0.1'},'status':{'loadBalancer':{'ingress':[{'ip':'1.2.3.4'}]}}}", true},
    {"a balancer with external addresses", &resource_services, "{'spec':{'type':'LoadBalancer','clusterIP':'1.1.1.1','externalIPs':['1.2.3.4']}}", true},
    {"a daemon set that has not been looked at", &resource_apps_daemonsets, "{'metadata':{'generation':2},'status':{'observedGeneration':1}}", false},
    {"a daemon set that is not rolled", &resource_apps_daemonsets, "{'spec':{'updateStrategy':{'type':'OnDelete'}}}", true},
    {"a daemon set half updated", &resource_apps_daemonsets,
     "{'spec':{'updateStrategy':{'type':'RollingUpdate'}},'status':{'desiredNumberScheduled':2,'updatedNumberScheduled':1}}", false},
    {"a daemon set with one of three that may be missing", &resource_apps_daemonsets,
     "{'spec':{'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':'25%'}}},"
     "'status':{'desiredNumberScheduled':3,'updatedNumberScheduled':3,'numberReady':2}}", true},
    {"a daemon set with two missing", &resource_apps_daemonsets,
     "{'spec':{'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':1}}},"
     "'status':{'desiredNumberScheduled':3,'updatedNumberScheduled':3,'numberReady':1}}", false},
    {"a stateful set with all ready", &resource_apps_statefulsets,
     "{'spec':{'replicas':2,'updateStrategy':{'type':'RollingUpdate'}},'status':{'updatedReplicas':2,'readyReplicas':2,'currentRevision':'a',"
     "'updateRevision':'a'}}", true},
    {"a stateful set between revisions", &resource_apps_statefulsets,
     "{'spec':{'replicas':2,'updateStrategy':{'type':'RollingUpdate'}},'status':{'updatedReplicas':2,'readyReplicas':2,'currentRevision':'a',"
     "'updateRevision':'b'}}", false},
    {"a stateful set above its partition", &resource_apps_statefulsets,
     "{'spec':{'replicas':3,'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'partition':2}}},'status':{'updatedReplicas':1,"
     "'readyReplicas':3,'currentRevision':'a','updateRevision':'b'}}", true},
    {"a stateful set short of its partition", &resource_apps_statefulsets,
     "{'spec':{'replicas':3,'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'partition':1}}},'status':{'updatedReplicas':1,"
     "'readyReplicas':3}}", false},
    {"a stateful set updated by hand", &resource_apps_statefulsets, "{'spec':{'updateStrategy':{'type':'OnDelete'}}}", true},
    {"an established definition", &resource_apiextensions_customresourcedefinitions,
     "{'status':{'conditions':[{'type':'Established','status':'True'}]}}", true},
    {"a definition whose names are taken", &resource_apiextensions_customresourcedefinitions,
     "{'status':{'conditions':[{'type':'NamesAccepted','status':'False'}]}}", true},
    {"a new definition", &resource_apiextensions_customresourcedefinitions, "{}", false},
    {"a paused deployment", &resource_apps_deployments, "{'spec':{'paused':true}}", true},
    {"a job that ran", &resource_batch_jobs, "{'spec':{'completions':2},'status':{'succeeded':2}}", true},
    {"a job under way", &resource_batch_jobs, "{'spec':{'completions':2},'status':{'succeeded':1}}", false},
    {"a configuration", &resource_configmaps, "{}", true},
};

static const struct json *parse(struct arena *a, const char *text) {
    const struct json *v;
    assert_no_error(yaml_parse(a, text, strlen(text), NULL, NULL, &v));
    return v;
}

static void every_kind_has_its_rule(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct kube *k = kube_new(&a, &(struct kube_settings){0});
    const struct kube_ready_options options = {.jobs = true, .paused_is_ready = true};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error *e;
        bool ready = kube_ready_state(k, cases[i].resource, parse(&a, cases[i].object), &options, &e);
        assert_no_error(e);
        if (ready != cases[i].ready) fail_msg("%s: %s", cases[i].what, ready ? "ready" : "not ready");
    }
    kube_free(k);
}

static void a_job_that_failed_ends_the_wait(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct kube *k = kube_new(&a, &(struct kube_settings){0});
    const struct kube_ready_options options = {.jobs = true}, without = {0};
    struct error *e;
    const struct json *job = parse(&a, "{metadata: {namespace: ns, name: j}, spec: {backoffLimit: 1}, status: {failed: 2}}");
    assert_false(kube_ready_state(k, &resource_batch_jobs, job, &options, &e));
    assert_error(e, "job is failed: ns/j");
    assert_true(kube_ready_state(k, &resource_batch_jobs, job, &without, &e));
    kube_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_rule),
        cmocka_unit_test(a_job_that_failed_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
