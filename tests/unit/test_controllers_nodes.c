#include "sim.h"
#include "controllers/node_taints.h"

#define N (&resource_nodes)

static struct controllers_config config = {.cluster_cidr = "10.42.0.0/16"};
static const struct controller *const which[] = {&node_ipam_controller, &node_lifecycle_controller, &taint_eviction_controller, &ttl_controller, NULL};
static struct sim sim, *s = &sim;

static int setup(void **state UNUSED) {
    static const struct controller *const none[] = {NULL};
    sim_open(s, none);
    runner_group_stop(s->group);
    s->group = runner_group_start(&(struct runner_env){.client = s->client, .cache = s->cache, .config = &config}, which, NULL, NULL);
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}

static void heartbeat(const char *node, const char *ready) {
    struct doc *d = NULL;
    sim_ok(client_get(s->client, N, NULL, node, &d));
    const struct condition c = {.type = "Ready", .status = ready, .reason = "KubeletReady", .message = "kubelet is posting ready status", .heartbeat = true};
    sim_ok(client_update(s->client, N, NULL, node, "status", condition_set(&s->arena, sim_keep(s, d), &c, clock_wall(&s->clock.base)), NULL));
}
static void make_node(const char *name) {
    sim_create(s, N, SIM_JSON(s, "{'metadata':{'name':%s,'labels':{'kubernetes.io/hostname':%s}}}", name, name));
    heartbeat(name, "True");
}
/* Seconds in which only those nodes live. */
static void live(int seconds, const char *a, const char *b) {
    for (int i = 0; i < seconds; i += 5) {
        if (a) heartbeat(a, "True");
        if (b) heartbeat(b, "True");
        for (int64_t end = s->clock.now + SECONDS(5); s->clock.now < end; clock_virtual_set(&s->clock, s->clock.now + MSECONDS(500))) runner_group_step(s->group, 100000);
    }
    runner_group_step(s->group, 100000);
}
static void make_pod(const char *name, const char *node, const struct json *tolerations) {
    sim_create(s, &resource_pods, SIM_JSON(s, "{'metadata':{'name':%s},'spec':{'nodeName':%s,'tolerations':%v,'containers':[{'name':'a','image':'i'}]}}", name, node, tolerations));
    struct doc *d = NULL;
    sim_ok(client_get(s->client, &resource_pods, "default", name, &d));
    sim_status(s, d, "Running", true, sim_json(s, "{'running':{}}"));
    doc_unref(d);
}
static bool deleting(const char *pod) {
    const struct json *p = sim_get(s, &resource_pods, pod);
    return !p || object_deleting(p);
}

static void nodes_get_ranges_of_their_own(void **state UNUSED) {
    make_node("n1");
    make_node("n2");
    runner_group_step(s->group, 100000);
    assert_string_equal(json_str(sim_get(s, N, "n1"), "spec.podCIDR"), "10.42.0.0/24");
    assert_string_equal(json_str(sim_get(s, N, "n2"), "spec.podCIDR"), "10.42.1.0/24");
    assert_string_equal(object_annotation(sim_get(s, N, "n1"), "node.alpha.kubernetes.io/ttl"), "0");
    sim_delete(s, N, "n1");
    make_node("n3");
    runner_group_step(s->group, 100000);
    assert_string_equal(json_str(sim_get(s, N, "n3"), "spec.podCIDR"), "10.42.0.0/24");
}

static void a_range_given_by_somebody_else_is_not_given_again(void **state UNUSED) {
    sim_create(s, N, sim_json(s, "{'metadata':{'name':'n1'},'spec':{'podCIDR':'10.42.0.0/23','podCIDRs':['10.42.0.0/23']}}"));
    make_node("n2");
    runner_group_step(s->group, 100000);
    assert_string_equal(json_str(sim_get(s, N, "n2"), "spec.podCIDR"), "10.42.2.0/24");
}

static void a_full_range_is_told_and_a_freed_part_used(void **state UNUSED) {
    runner_group_stop(s->group);
    static struct controllers_config small = {.cluster_cidr = "10.42.0.0/30", .node_cidr_bits = 31};
    static const struct controller *const ipam[] = {&node_ipam_controller, NULL};
    s->group = runner_group_start(&(struct runner_env){.client = s->client, .cache = s->cache, .config = &small}, ipam, NULL, NULL);
    for (const char *const *name = (const char *const[]){"n1", "n2", "n3", NULL}; *name; name++) {
        make_node(*name);
        runner_group_step(s->group, 100);
    }
    assert_string_equal(json_str(sim_get(s, N, "n2"), "spec.podCIDR"), "10.42.0.2/31");
    assert_null(json_str(sim_get(s, N, "n3"), "spec.podCIDR"));
    assert_true(sim_event(s, "CIDRNotAvailable", "Node n3 status is now: CIDRNotAvailable"));
    sim_delete(s, N, "n1");
    clock_virtual_set(&s->clock, s->clock.now + SECONDS(1000));
    runner_group_step(s->group, 100);
    assert_string_equal(json_str(sim_get(s, N, "n3"), "spec.podCIDR"), "10.42.0.0/31");
}

static void many_nodes_may_keep_secrets_for_longer(void **state UNUSED) {
    for (int i = 0; i < 101; i++) sim_create(s, N, SIM_JSON(s, "{'metadata':{'name':%s}}", arena_printf(&s->arena, "m%d", i)));
    runner_group_step(s->group, 100000);
    assert_string_equal(object_annotation(sim_get(s, N, "m0"), "node.alpha.kubernetes.io/ttl"), "15");
    for (int i = 1; i < 11; i++) sim_delete(s, N, arena_printf(&s->arena, "m%d", i));
    runner_group_step(s->group, 100000);
    assert_string_equal(object_annotation(sim_get(s, N, "m0"), "node.alpha.kubernetes.io/ttl"), "15"); /* 91: still within the step */
    for (int i = 11; i < 14; i++) sim_delete(s, N, arena_printf(&s->arena, "m%d", i));
    runner_group_step(s->group, 100000);
    assert_string_equal(object_annotation(sim_get(s, N, "m0"), "node.alpha.kubernetes.io/ttl"), "0");
}

static void a_ready_node_loses_its_first_taint(void **state UNUSED) {
    sim_create(s, N, sim_json(s, "{'metadata':{'name':'n1'}}"));
    runner_group_step(s->group, 100000);
    heartbeat("n1", "True");
    runner_group_step(s->group, 100000);
    assert_null(json_get(sim_get(s, N, "n1"), "spec.taints"));
    assert_true(sim_event(s, "RegisteredNode", "Node n1 event: Registered Node n1 in Controller"));
}

static void a_cordoned_node_is_tainted(void **state UNUSED) {
    make_node("n1");
    sim_patch(s, N, "n1", sim_json(s, "{'spec':{'unschedulable':true}}"));
    runner_group_step(s->group, 100000);
    assert_true(node_has_taint(sim_get(s, N, "n1"), "node.kubernetes.io/unschedulable", "NoSchedule"));
    sim_patch(s, N, "n1", sim_json(s, "{'spec':{'unschedulable':null}}"));
    runner_group_step(s->group, 100000);
    assert_null(json_get(sim_get(s, N, "n1"), "spec.taints"));
}

static void a_silent_node_becomes_unknown_and_its_pods_not_ready(void **state UNUSED) {
    make_node("n1");
    make_node("n2");
    make_pod("p", "n1", NULL);
    live(70, "n2", NULL);
    const struct json *c = condition_find(sim_get(s, N, "n1"), "Ready");
    assert_string_equal(json_str(c, "status"), "Unknown");
    assert_string_equal(json_str(c, "reason"), "NodeStatusUnknown");
    assert_string_equal(json_str(c, "message"), "Kubelet stopped posting node status.");
    assert_non_null(json_str(c, "lastHeartbeatTime"));
    assert_string_equal(json_str(condition_find(sim_get(s, N, "n1"), "DiskPressure"), "reason"), "NodeStatusNeverUpdated");
    assert_true(node_has_taint(sim_get(s, N, "n1"), "node.kubernetes.io/unreachable", "NoSchedule"));
    assert_true(node_has_taint(sim_get(s, N, "n1"), "node.kubernetes.io/unreachable", "NoExecute"));
    assert_false(pod_is_ready(sim_get(s, &resource_pods, "p")));
    assert_true(condition_is(sim_get(s, N, "n2"), "Ready", "True"));
    live(10, "n1", "n2");
    assert_null(json_get(sim_get(s, N, "n1"), "spec.taints"));
}

static void a_lease_is_a_sign_of_life(void **state UNUSED) {
    make_node("n1");
    make_node("n2");
    sim_ok(client_create(s->client, &resource_coordination_leases, "kube-node-lease", sim_json(s, "{'metadata':{'name':'n1'},'spec':{'holderIdentity':'n1'}}"), NULL));
    for (int i = 0; i < 12; i++) {
        char now[TIME_STRING_MAX];
        const struct json *p = SIM_JSON(s, "{'spec':{'renewTime':%s}}", time_format_micro(now, clock_wall(&s->clock.base)));
        sim_ok(client_patch(s->client, &resource_coordination_leases, "kube-node-lease", "n1", NULL, PATCH_MERGE, p, NULL));
        live(10, "n2", NULL);
    }
    assert_true(condition_is(sim_get(s, N, "n1"), "Ready", "True"));
}

static void where_no_node_is_ready_none_is_emptied(void **state UNUSED) {
    make_node("n1");
    live(90, NULL, NULL);
    assert_true(node_has_taint(sim_get(s, N, "n1"), "node.kubernetes.io/unreachable", "NoSchedule"));
    assert_false(node_has_taint(sim_get(s, N, "n1"), "node.kubernetes.io/unreachable", "NoExecute"));
}

static void pods_leave_a_node_as_they_tolerate_its_taints(void **state UNUSED) {
    make_node("n1");
    make_pod("p", "n1", NULL);
    make_pod("t", "n1", sim_json(s, "[{'key':'cd','operator':'Exists'}]"));
    make_pod("u", "n1", sim_json(s, "[{'key':'cd','operator':'Exists','effect':'NoExecute','tolerationSeconds':4}]"));
    live(5, "n1", NULL);
    sim_patch(s, N, "n1", sim_json(s, "{'spec':{'taints':[{'key':'cd','value':'v','effect':'NoExecute'}]}}"));
    runner_group_step(s->group, 100000);
    assert_true(deleting("p"));
    assert_false(deleting("u"));
    assert_true(sim_event(s, "TaintManagerEviction", "Marking for deletion Pod default/p"));
    assert_string_equal(json_str(condition_find(sim_get(s, &resource_pods, "p"), "DisruptionTarget"), "reason"), "DeletionByTaintManager");
    live(5, "n1", NULL);
    assert_true(deleting("u"));
    assert_false(deleting("t"));
}

static void a_taint_that_goes_in_time_spares_the_pod(void **state UNUSED) {
    make_node("n1");
    make_pod("u", "n1", sim_json(s, "[{'key':'cd','operator':'Exists','effect':'NoExecute','tolerationSeconds':9}]"));
    sim_patch(s, N, "n1", sim_json(s, "{'spec':{'taints':[{'key':'cd','effect':'NoExecute'}]}}"));
    live(5, "n1", NULL);
    sim_patch(s, N, "n1", sim_json(s, "{'spec':{'taints':null}}"));
    live(20, "n1", NULL);
    assert_false(deleting("u"));
    assert_true(sim_event(s, "TaintManagerEviction", "Cancelling deletion of Pod default/u"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nodes_get_ranges_of_their_own), TEST(a_range_given_by_somebody_else_is_not_given_again),
        TEST(a_full_range_is_told_and_a_freed_part_used), TEST(many_nodes_may_keep_secrets_for_longer), TEST(a_ready_node_loses_its_first_taint), TEST(a_cordoned_node_is_tainted),
        TEST(a_silent_node_becomes_unknown_and_its_pods_not_ready), TEST(a_lease_is_a_sign_of_life), TEST(where_no_node_is_ready_none_is_emptied),
        TEST(pods_leave_a_node_as_they_tolerate_its_taints), TEST(a_taint_that_goes_in_time_spares_the_pod),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
