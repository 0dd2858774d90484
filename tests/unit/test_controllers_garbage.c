#include "sim.h"

#define C (&resource_configmaps)

static const struct controller *const which[] = {&garbage_collector_controller, NULL};
static struct sim sim, *s = &sim;

static int setup(void **state UNUSED) {
    sim_open(s, which);
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}

static const char *make(const char *name, const struct json *owners, const struct json *finalizers) {
    return json_str(sim_create(s, C, SIM_JSON(s, "{'metadata':{'name':%s,'ownerReferences':%v,'finalizers':%v}}", name, owners, finalizers)), "metadata.uid");
}
static const struct json *owner(const char *name, const char *uid) {
    return SIM_JSON(s, "[{'apiVersion':'v1','kind':'ConfigMap','name':%s,'uid':%s,'blockOwnerDeletion':%b}]", name, uid, true);
}
static void delete_with(const char *name, const char *propagation) {
    sim_ok(client_delete(s->client, C, "default", name, &(struct delete_options){.grace_period = -1, .propagation = propagation}));
}

static void dependents_go_with_their_owner(void **state UNUSED) {
    const char *a = make("a", NULL, NULL), *b = make("b", owner("a", a), NULL);
    make("c", owner("b", b), NULL);
    sim_run(s, 1);
    assert_non_null(sim_get(s, C, "c"));
    delete_with("a", "Background");
    sim_run(s, 2);
    assert_null(sim_get(s, C, "b"));
    assert_null(sim_get(s, C, "c"));
}

static void an_owner_that_never_was_takes_its_dependents_along(void **state UNUSED) {
    make("kid", owner("own", "11111111-2222-3333-4444-555555555555"), NULL);
    sim_run(s, 2);
    assert_null(sim_get(s, C, "kid"));
}

static void one_owner_of_two_is_enough(void **state UNUSED) {
    const char *a = make("a", NULL, NULL), *b = make("b", NULL, NULL);
    make("kid", SIM_JSON(s, "[{'apiVersion':'v1','kind':'ConfigMap','name':'a','uid':%s},{'apiVersion':'v1','kind':'ConfigMap','name':'b','uid':%s}]", a, b), NULL);
    sim_run(s, 1);
    delete_with("a", "Background");
    sim_run(s, 2);
    const struct json *refs = json_get(sim_get(s, C, "kid"), "metadata.ownerReferences");
    assert_int_equal(json_len(refs), 1);
    assert_string_equal(json_str(json_at(refs, 0), "name"), "b");
    delete_with("b", "Background");
    sim_run(s, 2);
    assert_null(sim_get(s, C, "kid"));
}

static void orphans_are_let_go(void **state UNUSED) {
    make("kid", owner("own", make("own", NULL, NULL)), NULL);
    sim_run(s, 1);
    delete_with("own", "Orphan");
    sim_run(s, 2);
    assert_null(sim_get(s, C, "own"));
    assert_non_null(sim_get(s, C, "kid"));
    assert_null(json_get(sim_get(s, C, "kid"), "metadata.ownerReferences"));
}

static void foreground_deletion_waits_for_dependents(void **state UNUSED) {
    make("kid", owner("own", make("own", NULL, NULL)), SIM_JSON(s, "['example.com/hold']"));
    sim_run(s, 1);
    delete_with("own", "Foreground");
    sim_run(s, 2);
    assert_true(object_deleting(sim_get(s, C, "kid")));
    assert_true(object_has_finalizer(sim_get(s, C, "own"), "foregroundDeletion"));
    sim_patch(s, C, "kid", sim_json(s, "{'metadata':{'finalizers':null}}"));
    sim_run(s, 2);
    assert_null(sim_get(s, C, "kid"));
    assert_null(sim_get(s, C, "own"));
}

static void owners_that_own_each_other_can_be_deleted(void **state UNUSED) {
    const char *a = make("a", NULL, NULL), *b = make("b", owner("a", a), NULL);
    sim_patch(s, C, "a", SIM_JSON(s, "{'metadata':{'ownerReferences':%v}}", owner("b", b)));
    sim_run(s, 1);
    delete_with("a", "Foreground");
    sim_run(s, 5);
    assert_null(sim_get(s, C, "a"));
    assert_null(sim_get(s, C, "b"));
}

static void an_owner_in_another_namespace_is_told_of(void **state UNUSED) {
    struct doc *d = NULL;
    sim_create(s, &resource_namespaces, sim_json(s, "{'metadata':{'name':'other'}}"));
    sim_ok(client_create(s->client, C, "other", sim_json(s, "{'metadata':{'name':'own'}}"), &d));
    make("kid", owner("own", json_str(sim_keep(s, d), "metadata.uid")), NULL);
    sim_run(s, 2);
    assert_true(sim_event(s, "OwnerRefInvalidNamespace", "ownerRef [v1/ConfigMap, namespace: default, name: own, uid: "));
    assert_null(sim_get(s, C, "kid"));
}

static void a_cluster_scoped_owner_may_have_dependents_anywhere(void **state UNUSED) {
    const char *uid = json_str(sim_create(s, &resource_rbac_clusterroles, sim_json(s, "{'metadata':{'name':'r'}}")), "metadata.uid");
    make("kid", SIM_JSON(s, "[{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRole','name':'r','uid':%s}]", uid), NULL);
    sim_run(s, 2);
    assert_non_null(sim_get(s, C, "kid"));
    sim_delete(s, &resource_rbac_clusterroles, "r");
    sim_run(s, 2);
    assert_null(sim_get(s, C, "kid"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(dependents_go_with_their_owner), TEST(an_owner_that_never_was_takes_its_dependents_along), TEST(one_owner_of_two_is_enough),
        TEST(orphans_are_let_go), TEST(foreground_deletion_waits_for_dependents), TEST(owners_that_own_each_other_can_be_deleted),
        TEST(an_owner_in_another_namespace_is_told_of), TEST(a_cluster_scoped_owner_may_have_dependents_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
