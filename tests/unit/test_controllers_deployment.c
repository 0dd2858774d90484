#include "sim.h"

#define DEPLOYMENT "{'metadata':{'name':'web'},'spec':{'replicas':4,'selector':{'matchLabels':{'app':'x'}},'template':{'metadata':{'labels':{'app':'x'}}," \
                   "'spec':{'containers':[{'name':'a','image':'i:1'}]}}}}"
#define D (&resource_apps_deployments)
#define R (&resource_apps_replicasets)

static const struct controller *const which[] = {&deployment_controller, &replicaset_controller, NULL};
static struct sim sim, *s = &sim;

static int setup(void **state UNUSED) {
    sim_open(s, which);
    sim_node(s, "n1");
    sim_node(s, "n2");
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}

static bool living(const struct json *o) { return pod_is_active(o); }
static bool new_image(const struct json *o) { return pod_is_active(o) && json_str_is(json_at(json_get(o, "spec.containers"), 0), "image", "i:2"); }
static const struct json *roll(const char *image) {
    return SIM_JSON(s, "{'spec':{'template':{'spec':{'containers':[{'name':'a','image':%s}]}}}}", image);
}

static void a_deployment_becomes_available(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    const struct json *d = sim_get(s, D, "web");
    assert_int_equal(json_int(d, "status.availableReplicas", 0), 4);
    assert_int_equal(json_int(d, "status.updatedReplicas", 0), 4);
    assert_int_equal(json_int(d, "status.terminatingReplicas", -1), 0);
    assert_string_equal(object_annotation(d, "deployment.kubernetes.io/revision"), "1");
    sim_assert_condition(s, D, "web", "Available", "True", "MinimumReplicasAvailable");
    sim_assert_condition(s, D, "web", "Progressing", "True", "NewReplicaSetAvailable");
    assert_true(sim_event(s, "ScalingReplicaSet", "Scaled up replica set web-"));
    assert_true(sim_event(s, "SuccessfulCreate", "Created pod: web-"));
}

static void a_rollout_replaces_all_pods_and_keeps_the_old_set(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    sim_patch(s, D, "web", roll("i:2"));
    sim_run(s, 20);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 4);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 4);
    assert_int_equal(sim_count(s, R, NULL), 2);
    assert_string_equal(object_annotation(sim_get(s, D, "web"), "deployment.kubernetes.io/revision"), "2");
    sim_assert_condition(s, D, "web", "Progressing", "True", "NewReplicaSetAvailable");
}

static void a_rollout_that_does_not_get_ready_stops_within_its_limits(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    s->never_ready = true;
    sim_patch(s, D, "web", roll("i:2"));
    sim_run(s, 20);
    sim_assert_int(s, D, "web", "status.replicas", 5);
    sim_assert_int(s, D, "web", "status.updatedReplicas", 2);
    sim_assert_int(s, D, "web", "status.availableReplicas", 3);
    sim_assert_int(s, D, "web", "status.unavailableReplicas", 2);
    sim_assert_condition(s, D, "web", "Progressing", "True", "ReplicaSetUpdated");
    sim_run(s, 620);
    sim_assert_condition(s, D, "web", "Progressing", "False", "ProgressDeadlineExceeded");
}

static void scaling_in_a_rollout_is_proportional(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    s->never_ready = true;
    sim_patch(s, D, "web", roll("i:2"));
    sim_run(s, 5);
    sim_patch(s, D, "web", sim_json(s, "{'spec':{'replicas':8}}"));
    runner_group_step(s->group, 0);
    assert_true(sim_event(s, "ScalingReplicaSet", "Scaled up replica set web-"));
    assert_int_equal(sim_count(s, &resource_pods, living), 10);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 4);
}

static void rolling_back_reuses_the_old_set(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    sim_patch(s, D, "web", roll("i:2"));
    sim_run(s, 20);
    sim_patch(s, D, "web", roll("i:1"));
    sim_run(s, 20);
    assert_int_equal(sim_count(s, R, NULL), 2);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 0);
    cleanup_doc_list struct doc_list sets = {0};
    cache_list(s->cache, R, "default", &sets);
    for (size_t i = 0; i < 2; i++) {
        if (json_int(sets.items[i]->root, "spec.replicas", 0) == 0) continue;
        assert_string_equal(object_annotation(sets.items[i]->root, "deployment.kubernetes.io/revision"), "3");
        assert_string_equal(object_annotation(sets.items[i]->root, "deployment.kubernetes.io/revision-history"), "1");
    }
}

static void recreate_waits_for_the_old_pods_to_go(void **state UNUSED) {
    sim_create(s, D, json_with(&s->arena, sim_json(s, DEPLOYMENT), "spec.strategy", sim_json(s, "{'type':'Recreate'}")));
    sim_run(s, 5);
    s->stop_delay = SECONDS(5);
    sim_patch(s, D, "web", roll("i:2"));
    sim_run(s, 4);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 0);
    sim_run(s, 10);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 4);
    sim_assert_condition(s, D, "web", "Progressing", "True", "NewReplicaSetAvailable");
}

static void history_is_cleaned_up(void **state UNUSED) {
    sim_create(s, D, json_with(&s->arena, sim_json(s, DEPLOYMENT), "spec.revisionHistoryLimit", json_integer(&s->arena, 1)));
    for (int i = 1; i < 5; i++) {
        sim_run(s, 15);
        sim_patch(s, D, "web", roll(arena_printf(&s->arena, "i:%d", i + 1)));
    }
    sim_run(s, 15);
    assert_int_equal(sim_count(s, R, NULL), 2);
}

static void a_paused_deployment_scales_but_does_not_roll(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    sim_patch(s, D, "web", sim_json(s, "{'spec':{'paused':true,'replicas':3}}"));
    sim_patch(s, D, "web", roll("i:2"));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, &resource_pods, living), 3);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 0);
    sim_assert_condition(s, D, "web", "Progressing", "Unknown", "DeploymentPaused");
}

static void an_orphaned_set_is_adopted(void **state UNUSED) {
    sim_create(s, R, json_with(&s->arena, json_with(&s->arena, sim_json(s, DEPLOYMENT), "metadata.name", json_string(&s->arena, "orphan")), "metadata.labels",
                               sim_json(s, "{'app':'x'}")));
    sim_run(s, 5);
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, R, NULL), 1);
    sim_assert_int(s, D, "web", "status.availableReplicas", 4);
}

static void pods_that_are_lost_are_replaced(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    for (uint64_t seed = 1; seed <= 20; seed++) {
        s->random = seed;
        sim_run(s, 2);
        cleanup_doc_list struct doc_list pods = {0};
        cache_list(s->cache, &resource_pods, "default", &pods);
        for (size_t i = 0; i < pods.len; i++) {
            uint64_t dice = sim_random(s) % 4;
            if (dice == 0) sim_remove(s, pods.items[i]);
            else if (dice == 1) sim_end(s, pods.items[i], 1);
        }
        if (seed % 5 == 0) sim_patch(s, D, "web", roll(arena_printf(&s->arena, "i:%d", (int)seed)));
        if (seed % 7 == 0) sim_patch(s, D, "web", SIM_JSON(s, "{'spec':{'replicas':%d}}", (int)(sim_random(s) % 6)));
    }
    sim_patch(s, D, "web", sim_json(s, "{'spec':{'replicas':4}}"));
    sim_run(s, 30);
    assert_int_equal(sim_count(s, &resource_pods, living), 4);
    sim_assert_int(s, D, "web", "status.availableReplicas", 4);
    sim_assert_int(s, D, "web", "status.updatedReplicas", 4);
}

static void a_controllers_pods_are_ranked_for_deletion(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DEPLOYMENT));
    sim_run(s, 5);
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(s->cache, &resource_pods, "default", &pods);
    const char *cheap = doc_name(pods.items[2]);
    sim_patch(s, &resource_pods, cheap, sim_json(s, "{'metadata':{'annotations':{'controller.kubernetes.io/pod-deletion-cost':'-1'}}}"));
    sim_patch(s, D, "web", sim_json(s, "{'spec':{'replicas':3}}"));
    sim_run(s, 4);
    assert_null(sim_get(s, &resource_pods, cheap));
    assert_int_equal(sim_count(s, &resource_pods, NULL), 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_deployment_becomes_available), T(a_rollout_replaces_all_pods_and_keeps_the_old_set),
        T(a_rollout_that_does_not_get_ready_stops_within_its_limits), T(scaling_in_a_rollout_is_proportional), T(rolling_back_reuses_the_old_set),
        T(recreate_waits_for_the_old_pods_to_go), T(history_is_cleaned_up), T(a_paused_deployment_scales_but_does_not_roll),
        T(an_orphaned_set_is_adopted), T(pods_that_are_lost_are_replaced), T(a_controllers_pods_are_ranked_for_deletion)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
