#include "sim.h"

#define SLICES (&resource_discovery_endpointslices)

static const struct controller *const which[] = {&endpoints_controller, &endpointslice_controller, &endpointslice_mirroring_controller, NULL};
static struct sim sim, *s = &sim;

static int setup(void **state UNUSED) {
    sim_open(s, which);
    sim_node(s, "n1");
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}

/* Lets controllers run without nodes, which would change the pods' statuses. */
static void settle(int seconds) {
    for (int i = 0; i <= 2 * seconds; i++) {
        runner_group_step(s->group, 100000);
        clock_virtual_set(&s->clock, s->clock.now + MSECONDS(500));
    }
    runner_group_step(s->group, 100000);
}

static void set_pod(const char *name, const char *phase, bool ready, const char *ip) {
    struct doc *d = NULL;
    sim_ok(client_get(s->client, &resource_pods, "default", name, &d));
    const struct json *o = json_with(&s->arena, sim_keep(s, d), "status", SIM_JSON(s, "{'phase':%s,'podIP':%s,'podIPs':[{'ip':%s}]}", phase, ip, ip));
    o = condition_set(&s->arena, o, &(struct condition){.type = "Ready", .status = ready ? "True" : "False"}, clock_wall(&s->clock.base));
    sim_ok(client_update(s->client, &resource_pods, "default", name, "status", o, NULL));
}

static void make_pod(const char *name, const char *ip, bool ready) {
    sim_create(s, &resource_pods, SIM_JSON(s, "{'metadata':{'name':%s,'labels':{'app':'x'}},'spec':{'nodeName':'n1','containers':[{'name':'a','image':'i','ports':[{'name':'http','containerPort':8080}]}]}}", name));
    set_pod(name, "Running", ready, ip);
}

#define SERVICE "{'metadata':{'name':'web','labels':{'l':'1'}},'spec':{'selector':{'app':'x'},'ports':[{'name':'a','port':80,'targetPort':'http'},{'name':'u','port':53,'protocol':'UDP'}]}}"

static const struct json *only_slice(void) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(s->cache, SLICES, "default", &all);
    assert_int_equal(all.len, 1);
    return sim_keep(s, doc_ref(all.items[0]));
}

static const struct json *endpoint(size_t i) { return json_at(json_get(only_slice(), "endpoints"), i); }

static void a_service_without_pods_has_an_empty_slice(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    settle(1);
    const struct json *slice = only_slice();
    assert_string_equal(json_str(slice, "metadata.generateName"), "web-");
    assert_string_equal(json_str(slice, "addressType"), "IPv4");
    assert_string_equal(object_label(slice, "kubernetes.io/service-name"), "web");
    assert_string_equal(object_label(slice, "l"), "1");
    assert_int_equal(json_len(json_get(slice, "endpoints")), 0);
    assert_non_null(sim_get(s, &resource_endpoints, "web"));
}

static void a_ready_pod_is_an_endpoint(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    settle(1);
    make_pod("p", "10.42.0.5", true);
    settle(1);
    const struct json *e = endpoint(0), *slice = only_slice();
    assert_true(json_bool(e, "conditions.ready", false));
    assert_false(json_bool(e, "conditions.terminating", true));
    assert_string_equal(json_str(e, "nodeName"), "n1");
    assert_string_equal(json_str(e, "targetRef.name"), "p");
    assert_int_equal(json_len(json_get(slice, "ports")), 2);
    assert_int_equal(json_int(json_at(json_get(slice, "ports"), 0), "port", 0), 8080);
    const struct json *subset = json_at(json_get(sim_get(s, &resource_endpoints, "web"), "subsets"), 0);
    assert_string_equal(json_str(json_at(json_get(subset, "addresses"), 0), "ip"), "10.42.0.5");
    assert_int_equal(json_len(json_get(subset, "ports")), 2);
    assert_string_equal(object_label(sim_get(s, &resource_endpoints, "web"), "endpoints.kubernetes.io/managed-by"), "endpoint-controller");
    assert_non_null(object_annotation(sim_get(s, &resource_endpoints, "web"), "endpoints.kubernetes.io/last-change-trigger-time"));
}

static void a_terminating_pod_serves_but_is_not_ready(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    make_pod("p", "10.42.0.5", true);
    settle(1);
    sim_delete(s, &resource_pods, "p");
    settle(1);
    assert_false(json_bool(endpoint(0), "conditions.ready", true));
    assert_true(json_bool(endpoint(0), "conditions.serving", false));
    assert_true(json_bool(endpoint(0), "conditions.terminating", false));
    assert_int_equal(json_len(json_get(sim_get(s, &resource_endpoints, "web"), "subsets")), 0);
}

static void a_pod_that_only_changes_its_phase_stays_as_it_was(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    make_pod("p", "10.42.0.5", true);
    settle(1);
    set_pod("p", "Running", false, "10.42.0.5");
    settle(1);
    set_pod("p", "Succeeded", false, "10.42.0.5");
    settle(1);
    assert_false(json_bool(endpoint(0), "conditions.ready", true));
}

static void an_unchanged_slice_is_not_written_again(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    make_pod("p", "10.42.0.5", true);
    settle(1);
    const char *before = json_str(only_slice(), "metadata.resourceVersion");
    sim_patch(s, &resource_services, "web", sim_json(s, "{'metadata':{'annotations':{'a':'b'}}}"));
    settle(1);
    assert_string_equal(json_str(only_slice(), "metadata.resourceVersion"), before);
}

static void another_selector_empties_the_same_slice(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    make_pod("p", "10.42.0.5", true);
    settle(1);
    const char *before = json_str(only_slice(), "metadata.name");
    sim_patch(s, &resource_services, "web", sim_json(s, "{'spec':{'selector':{'app':'y'}}}"));
    settle(1);
    assert_string_equal(json_str(only_slice(), "metadata.name"), before);
    assert_int_equal(json_len(json_get(only_slice(), "endpoints")), 0);
    assert_int_equal(json_len(json_get(only_slice(), "ports")), 0);
}

static void slices_hold_a_hundred_endpoints(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    for (int i = 0; i < 130; i++) make_pod(arena_printf(&s->arena, "p%03d", i), arena_printf(&s->arena, "10.42.1.%d", i), true);
    settle(1);
    cleanup_doc_list struct doc_list all = {0};
    cache_list(s->cache, SLICES, "default", &all);
    assert_int_equal(all.len, 2);
    size_t x = json_len(json_get(all.items[0]->root, "endpoints")), y = json_len(json_get(all.items[1]->root, "endpoints"));
    assert_int_equal(x + y, 130);
    assert_int_equal(MAX(x, y), 100);
    assert_int_equal(json_len(json_get(json_at(json_get(sim_get(s, &resource_endpoints, "web"), "subsets"), 0), "addresses")), 130);
}

static void endpoints_that_people_keep_are_mirrored(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, "{'metadata':{'name':'db'},'spec':{'ports':[{'name':'p','port':80}]}}"));
    sim_create(s, &resource_endpoints, sim_json(s, "{'metadata':{'name':'db'},'subsets':[{'addresses':[{'ip':'192.0.2.7'}],'notReadyAddresses':[{'ip':'192.0.2.8','hostname':'h'}],'ports':[{'name':'p','port':99}]}]}"));
    settle(1);
    assert_string_equal(object_label(only_slice(), "endpointslice.kubernetes.io/managed-by"), "endpointslicemirroring-controller.k8s.io");
    assert_string_equal(json_str(json_at(json_get(only_slice(), "metadata.ownerReferences"), 0), "kind"), "Endpoints");
    assert_int_equal(json_len(json_get(only_slice(), "endpoints")), 2);
    sim_delete(s, &resource_services, "db");
    settle(1);
    assert_int_equal(sim_count(s, SLICES, NULL), 0);
}

static void the_end_of_a_service_removes_its_endpoints(void **state UNUSED) {
    sim_create(s, &resource_services, sim_json(s, SERVICE));
    settle(1);
    sim_delete(s, &resource_services, "web");
    settle(1);
    assert_null(sim_get(s, &resource_endpoints, "web"));
}

static void hints_name_the_zone_that_is_preferred(void **state UNUSED) {
    sim_patch(s, &resource_nodes, "n1", sim_json(s, "{'metadata':{'labels':{'topology.kubernetes.io/zone':'z1'}}}"));
    sim_create(s, &resource_services, sim_json(s, "{'metadata':{'name':'web'},'spec':{'trafficDistribution':'PreferSameZone','selector':{'app':'x'},'ports':[{'port':80}]}}"));
    make_pod("p", "10.42.0.5", true);
    settle(1);
    assert_string_equal(json_str(endpoint(0), "zone"), "z1");
    assert_string_equal(json_str(json_at(json_get(endpoint(0), "hints.forZones"), 0), "name"), "z1");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_service_without_pods_has_an_empty_slice), TEST(a_ready_pod_is_an_endpoint), TEST(a_terminating_pod_serves_but_is_not_ready),
        TEST(a_pod_that_only_changes_its_phase_stays_as_it_was), TEST(an_unchanged_slice_is_not_written_again),
        TEST(another_selector_empties_the_same_slice), TEST(slices_hold_a_hundred_endpoints), TEST(endpoints_that_people_keep_are_mirrored),
        TEST(the_end_of_a_service_removes_its_endpoints), TEST(hints_name_the_zone_that_is_preferred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
