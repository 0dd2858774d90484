/* The registry's verbs, called in the process on a store in memory. */
#include "apiserver/apiserver.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct fixture {
    struct store *store;
    struct apiserver *server;
    struct arena arena;
};

static void fail_on(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

static int setup(void **state) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    struct store_config sc = {.backend = "memory", .synchronous = true};
    schema_init();
    fail_on(store_open(&sc, &f->store));
    struct apiserver_config config = {.store = f->store, .issuer = "https://kubernetes.default.svc"};
    fail_on(apiserver_new(&config, &f->server));
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    apiserver_shutdown(f->server);
    apiserver_free(f->server);
    store_close(f->store);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static struct apiserver_call as_admin(const char *verb, const struct resource *r, const char *name, const struct json *body) {
    static const char *const groups[] = {"system:masters", NULL};
    return (struct apiserver_call){.user = "admin", .groups = groups, .user_agent = "test/1", .verb = verb, .resource = r, .ns = "default", .name = name, .body = body};
}

static struct error *call(struct fixture *f, const struct apiserver_call *c, struct doc **out) {
    struct apiserver_answer a = {0};
    struct error *e = apiserver_call(f->server, c, &a);
    if (e) return e;
    doc_list_free(&a.items);
    free((char *)(uintptr_t)a.continue_token);
    if (out) *out = a.doc;
    else doc_unref(a.doc);
    return NULL;
}

static const struct json *config_map(struct fixture *f, const char *name) {
    return json_make(&f->arena, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':%s},'data':{'k':'v'}}", name);
}

static struct doc *create(struct fixture *f, const struct json *o) {
    struct doc *d = NULL;
    struct apiserver_call c = as_admin("create", &resource_configmaps, NULL, o);
    fail_on(call(f, &c, &d));
    return d;
}

static void a_created_object_has_identity_and_managed_fields(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *d = create(f, config_map(f, "a"));
    assert_string_equal(doc_namespace(d), "default");
    assert_int_equal(strlen(doc_uid(d)), 36);
    assert_true(d->revision > 0);
    assert_string_equal(json_str(json_at(json_get(d->root, "metadata.managedFields"), 0), "manager"), "test");
}

static void a_second_object_of_the_name_is_refused(void **state) {
    struct fixture *f = *state;
    doc_unref(create(f, config_map(f, "twice")));
    struct apiserver_call c = as_admin("create", &resource_configmaps, NULL, config_map(f, "twice"));
    cleanup_error struct error *e = call(f, &c, NULL);
    assert_true(error_is(e, "AlreadyExists"));
    assert_string_equal(e->message, "configmaps \"twice\" already exists");
}

static void an_update_with_an_old_version_conflicts(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *d = create(f, config_map(f, "stale"));
    const struct json *o = json_with(&f->arena, d->root, "data.k", json_string(&f->arena, "w"));
    struct apiserver_call c = as_admin("update", &resource_configmaps, "stale", o);
    fail_on(call(f, &c, NULL));
    c.body = json_with(&f->arena, o, "data.k", json_string(&f->arena, "x"));
    cleanup_error struct error *e = call(f, &c, NULL);
    assert_true(error_is(e, "Conflict"));
}

static void an_update_that_changes_nothing_writes_nothing(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *d = create(f, config_map(f, "same")), *after = NULL;
    struct apiserver_call c = as_admin("update", &resource_configmaps, "same", d->root);
    fail_on(call(f, &c, &after));
    assert_int_equal(after->revision, d->revision);
}

static void an_object_with_finalizers_goes_with_the_last_of_them(void **state) {
    struct fixture *f = *state;
    const struct json *o = json_with(&f->arena, config_map(f, "held"), "metadata.finalizers", json_make(&f->arena, "['a.b/c']"));
    doc_unref(create(f, o));
    struct apiserver_call remove = as_admin("delete", &resource_configmaps, "held", NULL), get = as_admin("get", &resource_configmaps, "held", NULL);
    struct doc *d = NULL;
    fail_on(call(f, &remove, NULL));
    fail_on(call(f, &get, &d));
    assert_non_null(json_get(d->root, "metadata.deletionTimestamp"));
    doc_unref(d);
    struct apiserver_call patch = as_admin("patch", &resource_configmaps, "held", json_make(&f->arena, "{'metadata':{'finalizers':null}}"));
    patch.patch_type = "application/merge-patch+json";
    fail_on(call(f, &patch, NULL));
    cleanup_error struct error *e = call(f, &get, NULL);
    assert_true(error_is(e, "NotFound"));
}

static void somebody_without_a_role_is_refused(void **state) {
    struct fixture *f = *state;
    struct apiserver_call c = as_admin("list", &resource_secrets, NULL, NULL);
    c.user = "alice";
    c.groups = NULL;
    cleanup_error struct error *e = call(f, &c, NULL);
    assert_true(error_is(e, "Forbidden"));
    assert_string_equal(e->message, "secrets is forbidden: User \"alice\" cannot list resource \"secrets\" in API group \"\" in the namespace \"default\"");
}

static void a_dry_run_leaves_nothing(void **state) {
    struct fixture *f = *state;
    struct apiserver_call c = as_admin("create", &resource_configmaps, NULL, config_map(f, "dry")), get = as_admin("get", &resource_configmaps, "dry", NULL);
    c.options = &(struct request_options){.dry_run = true};
    fail_on(call(f, &c, NULL));
    cleanup_error struct error *e = call(f, &get, NULL);
    assert_true(error_is(e, "NotFound"));
}

static void a_service_gets_an_address_that_is_free_again_after_it(void **state) {
    struct fixture *f = *state;
    const struct json *o = json_make(&f->arena, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'},'spec':{'ports':[{'port':80}]}}");
    struct apiserver_call c = as_admin("create", &resource_services, NULL, o), remove = as_admin("delete", &resource_services, "s", NULL);
    struct doc *d = NULL;
    fail_on(call(f, &c, &d));
    const char *ip = arena_strdup(&f->arena, json_str_or(d->root, "spec.clusterIP", ""));
    doc_unref(d);
    struct apiserver_call get = as_admin("get", &resource_networking_ipaddresses, ip, NULL);
    fail_on(call(f, &get, NULL));
    fail_on(call(f, &remove, NULL));
    cleanup_error struct error *e = call(f, &get, NULL);
    assert_true(error_is(e, "NotFound"));
}

static void a_quota_counts_and_refuses(void **state) {
    struct fixture *f = *state;
    const struct json *ns = json_make(&f->arena, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'small'}}");
    struct apiserver_call make = as_admin("create", &resource_namespaces, NULL, ns);
    fail_on(call(f, &make, NULL));
    const struct json *q = json_make(&f->arena, "{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'q'},'spec':{'hard':{'configmaps':'1'}}}");
    struct apiserver_call quota = as_admin("create", &resource_resourcequotas, NULL, q);
    quota.ns = "small";
    fail_on(call(f, &quota, NULL));
    struct apiserver_call status = as_admin("patch", &resource_resourcequotas, "q", json_make(&f->arena, "{'status':{'hard':{'configmaps':'1'},'used':{'configmaps':'0'}}}"));
    status.ns = "small", status.subresource = "status", status.patch_type = "application/merge-patch+json";
    fail_on(call(f, &status, NULL));
    struct apiserver_call c = as_admin("create", &resource_configmaps, NULL, config_map(f, "one"));
    c.ns = "small";
    fail_on(call(f, &c, NULL));
    c.body = config_map(f, "two");
    cleanup_error struct error *e = call(f, &c, NULL);
    assert_string_equal(e->message, "configmaps \"two\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1");
}

static void wake(void *arg) { (void)arg; }

static void a_watch_sees_an_object_leave_its_selector(void **state) {
    struct fixture *f = *state;
    const struct json *o = json_with(&f->arena, config_map(f, "seen"), "metadata.labels", json_make(&f->arena, "{'w':'1'}"));
    struct apiserver_call c = as_admin("watch", &resource_configmaps, NULL, NULL);
    c.options = &(struct request_options){.label_selector = "w=1"};
    struct apiserver_watch *w;
    fail_on(apiserver_watch_open(f->server, &c, store_revision(f->store), wake, NULL, &w));
    doc_unref(create(f, o));
    struct apiserver_call patch = as_admin("patch", &resource_configmaps, "seen", json_make(&f->arena, "{'metadata':{'labels':null}}"));
    patch.patch_type = "application/merge-patch+json";
    fail_on(call(f, &patch, NULL));
    struct store_event ev;
    bool lost;
    assert_true(apiserver_watch_next(w, &ev, &lost));
    assert_int_equal(ev.type, STORE_ADDED);
    assert_true(apiserver_watch_next(w, &ev, &lost));
    assert_int_equal(ev.type, STORE_DELETED);
    assert_false(apiserver_watch_next(w, &ev, &lost));
    apiserver_watch_close(w);
}

static const struct json *applied_scale(struct fixture *f, int replicas) {
    return json_make(&f->arena, "{'apiVersion':'autoscaling/v1','kind':'Scale','metadata':{'name':'web'},'spec':{'replicas':%d}}", replicas);
}

static const struct json *manager_called(const struct doc *d, const char *name) {
    JSON_EACH(m, json_get(d->root, "metadata.managedFields"))
        if (json_str_is(m, "manager", name)) return m;
    return NULL;
}

static void applying_a_scale_owns_the_replicas(void **state) {
    struct fixture *f = *state;
    struct apiserver_call make = as_admin("create", &resource_apps_deployments, NULL,
                                          json_make(&f->arena, "{'metadata':{'name':'web'},'spec':{'replicas':2,'selector':{'matchLabels':{'a':'b'}},"
                                                               "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'a','image':'b'}]}}}}"));
    fail_on(call(f, &make, NULL));
    struct request_options o = {.field_manager = "scaler"};
    struct apiserver_call scale = as_admin("patch", &resource_apps_deployments, "web", applied_scale(f, 3));
    scale.subresource = "scale", scale.patch_type = "application/apply-patch+yaml", scale.options = &o;
    cleanup_error struct error *conflict = call(f, &scale, NULL);
    assert_string_equal(conflict->message, "Apply failed with 1 conflict: conflict with \"test\" using autoscaling/v1: .spec.replicas");
    o.force = o.has_force = true;
    fail_on(call(f, &scale, NULL));
    struct apiserver_call get = as_admin("get", &resource_apps_deployments, "web", NULL);
    cleanup_doc struct doc *d = NULL;
    fail_on(call(f, &get, &d));
    const struct json *scaler = manager_called(d, "scaler"), *maker = manager_called(d, "test");
    assert_int_equal(json_int(d->root, "spec.replicas", 0), 3);
    assert_string_equal(json_str(scaler, "operation"), "Apply");
    assert_string_equal(json_str(scaler, "subresource"), "scale");
    assert_string_equal(json_str(scaler, "apiVersion"), "apps/v1");
    assert_non_null(json_get(scaler, "fieldsV1.f:spec.f:replicas"));
    assert_null(json_get(maker, "fieldsV1.f:spec.f:replicas"));
}

static void a_volumes_claim_is_owned_field_by_field(void **state) {
    struct fixture *f = *state;
    struct apiserver_call make = as_admin("create", &resource_persistentvolumes, NULL,
                                          json_make(&f->arena, "{'metadata':{'name':'pv'},'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],"
                                                               "'hostPath':{'path':'/x'},'claimRef':{'namespace':'default','name':'c'}}}"));
    make.ns = NULL;
    cleanup_doc struct doc *d = NULL;
    fail_on(call(f, &make, &d));
    const struct json *fields = json_get(json_at(json_get(d->root, "metadata.managedFields"), 0), "fieldsV1");
    assert_non_null(json_get(fields, "f:spec.f:claimRef.f:name"));
}

static struct doc *written(struct fixture *f, const char *verb, const struct resource *r, const char *sub, const char *name, const struct json *body) {
    struct doc *d = NULL;
    struct apiserver_call c = as_admin(verb, r, name, body);
    c.subresource = sub;
    c.patch_type = "application/merge-patch+json";
    fail_on(call(f, &c, &d));
    return d;
}

static void a_balancer_that_keeps_traffic_local_gets_a_port_for_its_health(void **state) {
    struct fixture *f = *state;
    const struct json *o = json_make(&f->arena, "{'metadata':{'name':'lb'},'spec':{'type':'LoadBalancer','externalTrafficPolicy':'Local','ports':[{'port':80}]}}");
    cleanup_doc struct doc *made = written(f, "create", &resource_services, NULL, NULL, o);
    assert_true(json_int(made->root, "spec.healthCheckNodePort", 0) > 0);
    doc_unref(written(f, "patch", &resource_services, NULL, "lb", json_make(&f->arena, "{'spec':{'externalTrafficPolicy':'Cluster'}}")));
    cleanup_doc struct doc *back = written(f, "patch", &resource_services, NULL, "lb", json_make(&f->arena, "{'spec':{'externalTrafficPolicy':'Local'}}"));
    assert_true(json_int(back->root, "spec.healthCheckNodePort", 0) > 0);
}

static void families_of_a_service_must_fit_the_cluster(void **state) {
    struct fixture *f = *state;
    static const struct { const char *spec, *message; } rows[] = {
        {"{'ipFamilyPolicy':'RequireDualStack','ports':[{'port':80}],'selector':{'a':'b'}}",
         "Service \"s\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services"},
        {"{'ipFamilies':['IPv4','IPv6'],'ports':[{'port':80}],'selector':{'a':'b'}}",
         "Service \"s\" is invalid: spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct apiserver_call c = as_admin("create", &resource_services, NULL, json_make(&f->arena, "{'metadata':{'name':'s'},'spec':%v}", json_make(&f->arena, rows[i].spec)));
        cleanup_error struct error *e = call(f, &c, NULL);
        assert_string_equal(e->message, rows[i].message);
    }
    cleanup_doc struct doc *headless = written(f, "create", &resource_services, NULL, NULL,
                                               json_make(&f->arena, "{'metadata':{'name':'h'},'spec':{'clusterIP':'None','ports':[{'port':80}]}}"));
    assert_string_equal(json_str(headless->root, "spec.ipFamilyPolicy"), "RequireDualStack");
}

static void what_is_going_is_said_to_be_when_it_is_made_again(void **state) {
    struct fixture *f = *state;
    doc_unref(create(f, json_with(&f->arena, config_map(f, "going"), "metadata.finalizers", json_make(&f->arena, "['a.b/c']"))));
    struct apiserver_call remove = as_admin("delete", &resource_configmaps, "going", NULL), again = as_admin("create", &resource_configmaps, NULL, config_map(f, "going"));
    fail_on(call(f, &remove, NULL));
    cleanup_error struct error *e = call(f, &again, NULL);
    assert_string_equal(e->message, "object is being deleted: configmaps \"going\" already exists");
}

static void a_patched_uid_is_an_immutable_field_and_an_updated_one_a_precondition(void **state) {
    struct fixture *f = *state;
    cleanup_doc struct doc *d = create(f, config_map(f, "uid"));
    struct apiserver_call patch = as_admin("patch", &resource_configmaps, "uid", json_make(&f->arena, "{'metadata':{'uid':'x'}}"));
    patch.patch_type = "application/merge-patch+json";
    cleanup_error struct error *invalid = call(f, &patch, NULL);
    assert_true(error_is(invalid, "Invalid"));
    struct apiserver_call update = as_admin("update", &resource_configmaps, "uid", json_with(&f->arena, d->root, "metadata.uid", json_string(&f->arena, "x")));
    cleanup_error struct error *conflict = call(f, &update, NULL);
    assert_true(error_is(conflict, "Conflict"));
}

static const struct json *pod_body(struct fixture *f) {
    return json_make(&f->arena, "{'metadata':{'name':'p'},'spec':{'terminationGracePeriodSeconds':-1,'containers':[{'name':'a','image':'i','lifecycle':{'stopSignal':'SIGTERM'},"
                                "'resources':{'requests':{'cpu':'1'}}}],'os':{'name':'linux'}}}");
}

static void fields_of_features_that_are_off_are_dropped(void **state) {
    struct fixture *f = *state;
    doc_unref(written(f, "create", &resource_serviceaccounts, NULL, NULL, json_make(&f->arena, "{'metadata':{'name':'default'}}")));
    cleanup_doc struct doc *p = written(f, "create", &resource_pods, NULL, NULL, pod_body(f));
    const struct json *container = json_at(json_get(p->root, "spec.containers"), 0);
    assert_null(json_member(container, "lifecycle"));
    assert_int_equal(json_int(p->root, "spec.terminationGracePeriodSeconds", 0), 1);
    struct apiserver_call make = as_admin("create", &resource_nodes, NULL, json_make(&f->arena, "{'metadata':{'name':'n'},'status':{'declaredFeatures':['A']}}"));
    make.ns = NULL;
    cleanup_doc struct doc *node = NULL;
    fail_on(call(f, &make, &node));
    assert_null(json_get(node->root, "status.declaredFeatures"));
}

static void a_resize_changes_resources_and_nothing_else(void **state) {
    struct fixture *f = *state;
    doc_unref(written(f, "create", &resource_serviceaccounts, NULL, NULL, json_make(&f->arena, "{'metadata':{'name':'default'}}")));
    doc_unref(written(f, "create", &resource_pods, NULL, NULL, pod_body(f)));
    cleanup_doc struct doc *p = written(f, "patch", &resource_pods, "resize", "p",
                                      json_make(&f->arena, "{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'a','image':'other','resources':{'requests':{'cpu':'2'}}}]}}"));
    const struct json *container = json_at(json_get(p->root, "spec.containers"), 0);
    assert_string_equal(json_str(container, "image"), "i");
    assert_string_equal(json_str(container, "resources.requests.cpu"), "2");
    assert_null(json_get(p->root, "metadata.labels"));
}

/* What is compared here was looked up by sending the same requests to kube-apiserver. */
static void explicit_empty_lists_are_not_absent_ones(void **state) {
    struct fixture *f = *state;
    const struct json *body = json_make(&f->arena, "{'metadata':{'name':'a'},'spec':{'maxReplicas':2,'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},"
                                                   "'behavior':{'scaleUp':{'policies':[]}}}}");
    struct apiserver_call scaler = as_admin("create", &resource_autoscaling_horizontalpodautoscalers, NULL, body);
    cleanup_error struct error *e = call(f, &scaler, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy"));
    cleanup_doc struct doc *limits = written(f, "create", &resource_limitranges, NULL, NULL, json_make(&f->arena, "{'metadata':{'name':'l','labels':{}},'spec':{'limits':[]}}"));
    assert_true(json_is(json_get(limits->root, "spec.limits"), JSON_NULL));
    assert_null(json_get(limits->root, "metadata.labels"));
    assert_non_null(json_get(json_at(json_get(limits->root, "metadata.managedFields"), 0), "fieldsV1.f:spec.f:limits"));
}

static void an_update_with_empty_lists_counts_where_upstream_compares_deeply(void **state) {
    struct fixture *f = *state;
    static const char policy[] = "{'metadata':{'name':'np'},'spec':{'podSelector':{},'policyTypes':['Ingress'],'ingress':%v}}";
    doc_unref(written(f, "create", &resource_networking_networkpolicies, NULL, NULL, json_make(&f->arena, policy, NULL)));
    cleanup_doc struct doc *deep = written(f, "update", &resource_networking_networkpolicies, NULL, "np", json_make(&f->arena, policy, &json_empty_array));
    assert_int_equal(json_int(deep->root, "metadata.generation", 0), 2);
    assert_null(json_get(deep->root, "spec.ingress"));
    static const char set[] = "{'metadata':{'name':'rs'},'spec':{'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},"
                              "'spec':{'containers':[{'name':'c','image':'i'}],'volumes':%v,'affinity':%v}}}}";
    doc_unref(written(f, "create", &resource_apps_replicasets, NULL, NULL, json_make(&f->arena, set, NULL, NULL)));
    cleanup_doc struct doc *empty = written(f, "update", &resource_apps_replicasets, NULL, "rs", json_make(&f->arena, set, &json_empty_array, NULL));
    assert_int_equal(json_int(empty->root, "metadata.generation", 0), 1);
    cleanup_doc struct doc *pointer = written(f, "update", &resource_apps_replicasets, NULL, "rs", json_make(&f->arena, set, NULL, &json_empty_object));
    assert_int_equal(json_int(pointer->root, "metadata.generation", 0), 2);
}

static void an_empty_list_of_managers_resets_them(void **state) {
    struct fixture *f = *state;
    doc_unref(create(f, config_map(f, "managed")));
    cleanup_doc struct doc *d = written(f, "update", &resource_configmaps, NULL, "managed", json_with(&f->arena, config_map(f, "managed"), "metadata.managedFields", &json_empty_array));
    assert_null(json_get(d->root, "metadata.managedFields"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_created_object_has_identity_and_managed_fields),
        cmocka_unit_test(a_second_object_of_the_name_is_refused),
        cmocka_unit_test(an_update_with_an_old_version_conflicts),
        cmocka_unit_test(an_update_that_changes_nothing_writes_nothing),
        cmocka_unit_test(an_object_with_finalizers_goes_with_the_last_of_them),
        cmocka_unit_test(somebody_without_a_role_is_refused),
        cmocka_unit_test(a_dry_run_leaves_nothing),
        cmocka_unit_test(a_service_gets_an_address_that_is_free_again_after_it),
        cmocka_unit_test(a_quota_counts_and_refuses),
        cmocka_unit_test(a_watch_sees_an_object_leave_its_selector),
        cmocka_unit_test(applying_a_scale_owns_the_replicas),
        cmocka_unit_test(a_volumes_claim_is_owned_field_by_field),
        cmocka_unit_test(a_balancer_that_keeps_traffic_local_gets_a_port_for_its_health),
        cmocka_unit_test(families_of_a_service_must_fit_the_cluster),
        cmocka_unit_test(what_is_going_is_said_to_be_when_it_is_made_again),
        cmocka_unit_test(a_patched_uid_is_an_immutable_field_and_an_updated_one_a_precondition),
        cmocka_unit_test(explicit_empty_lists_are_not_absent_ones),
        cmocka_unit_test(an_update_with_empty_lists_counts_where_upstream_compares_deeply),
        cmocka_unit_test(an_empty_list_of_managers_resets_them),
        cmocka_unit_test_setup_teardown(fields_of_features_that_are_off_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resize_changes_resources_and_nothing_else, setup, teardown),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
