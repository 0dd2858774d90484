/* Stateful sets and daemon sets. */
#include "sim.h"

#define S (&resource_apps_statefulsets)
#define D (&resource_apps_daemonsets)
#define POD "'selector':{'matchLabels':{'app':'x'}},'template':{'metadata':{'labels':{'app':'x'}},'spec':{'containers':[{'name':'a','image':'i:1'}]}}"
#define SET "{'metadata':{'name':'s'},'spec':{'replicas':3,'serviceName':'s'," POD "}}"
#define DAEMON "{'metadata':{'name':'d'},'spec':{" POD "}}"

static const struct controller *const which[] = {&statefulset_controller, &daemonset_controller, NULL};
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

static const struct json *with(const char *text, const char *path, const char *value) { return json_with(&s->arena, sim_json(s, text), path, sim_json(s, value)); }
static const struct json *roll(const char *image) {
    return SIM_JSON(s, "{'spec':{'template':{'spec':{'containers':[{'name':'a','image':%s}]}}}}", image);
}
static bool new_image(const struct json *o) { return json_str_is(json_at(json_get(o, "spec.containers"), 0), "image", "i:2"); }
static const struct json *pod(const char *name) { return sim_get(s, &resource_pods, name); }

static void pods_are_made_in_order(void **state UNUSED) {
    s->never_ready = true;
    sim_create(s, S, sim_json(s, SET));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 1);
    assert_string_equal(object_label(pod("s-0"), "apps.kubernetes.io/pod-index"), "0");
    assert_string_equal(object_label(pod("s-0"), "statefulset.kubernetes.io/pod-name"), "s-0");
    assert_string_equal(json_str(pod("s-0"), "spec.subdomain"), "s");
    assert_true(sim_event(s, "SuccessfulCreate", "Create Pod s-0 in StatefulSet s successful"));
    sim_assert_int(s, S, "s", "status.availableReplicas", 0);
}

static void a_set_becomes_available(void **state UNUSED) {
    sim_create(s, S, sim_json(s, SET));
    sim_run(s, 10);
    const struct json *o = sim_get(s, S, "s");
    assert_int_equal(json_int(o, "status.availableReplicas", 0), 3);
    assert_int_equal(json_int(o, "status.currentReplicas", 0), 3);
    assert_int_equal(json_int(o, "status.collisionCount", -1), 0);
    assert_string_equal(json_str(o, "status.currentRevision"), json_str(o, "status.updateRevision"));
    assert_int_equal(sim_count(s, &resource_apps_controllerrevisions, NULL), 1);
}

static void all_at_once_where_order_does_not_matter(void **state UNUSED) {
    s->never_ready = true;
    sim_create(s, S, with(SET, "spec.podManagementPolicy", "'Parallel'"));
    sim_run(s, 3);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 3);
}

static void updates_go_from_the_highest_ordinal_down(void **state UNUSED) {
    sim_create(s, S, sim_json(s, SET));
    sim_run(s, 10);
    sim_patch(s, S, "s", roll("i:2"));
    sim_run(s, 2);
    assert_true(!new_image(pod("s-0")));
    sim_run(s, 20);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 3);
    sim_assert_int(s, S, "s", "status.updatedReplicas", 3);
    assert_int_equal(sim_count(s, &resource_apps_controllerrevisions, NULL), 2);
}

static void a_partition_keeps_lower_ordinals(void **state UNUSED) {
    sim_create(s, S, with(SET, "spec.updateStrategy", "{'type':'RollingUpdate','rollingUpdate':{'partition':2}}"));
    sim_run(s, 10);
    sim_patch(s, S, "s", roll("i:2"));
    sim_run(s, 10);
    assert_true(new_image(pod("s-2")) && !new_image(pod("s-1")));
    sim_delete(s, &resource_pods, "s-0");
    sim_run(s, 5);
    assert_true(!new_image(pod("s-0")));
    sim_assert_int(s, S, "s", "status.currentReplicas", 2);
    sim_assert_int(s, S, "s", "status.updatedReplicas", 1);
}

static void on_delete_waits_for_deletion(void **state UNUSED) {
    sim_create(s, S, with(SET, "spec.updateStrategy", "{'type':'OnDelete'}"));
    sim_run(s, 10);
    sim_patch(s, S, "s", roll("i:2"));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, &resource_pods, new_image), 0);
    sim_delete(s, &resource_pods, "s-1");
    sim_run(s, 5);
    assert_true(new_image(pod("s-1")));
}

static void scaling_down_takes_the_highest_ordinals(void **state UNUSED) {
    sim_create(s, S, with(SET, "spec.ordinals", "{'start':5}"));
    sim_run(s, 10);
    assert_non_null(pod("s-7"));
    sim_patch(s, S, "s", sim_json(s, "{'spec':{'replicas':1}}"));
    sim_run(s, 10);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 1);
    assert_non_null(pod("s-5"));
    assert_true(sim_event(s, "SuccessfulDelete", "Delete Pod s-7 in StatefulSet s successful"));
}

static void claims_are_made_and_owned_by_pods_that_go(void **state UNUSED) {
    const struct json *o = with(SET, "spec.volumeClaimTemplates", "[{'metadata':{'name':'data'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Mi'}}}}]");
    sim_create(s, S, json_with(&s->arena, o, "spec.persistentVolumeClaimRetentionPolicy", sim_json(s, "{'whenScaled':'Delete','whenDeleted':'Retain'}")));
    sim_run(s, 10);
    const struct json *claim = sim_get(s, &resource_persistentvolumeclaims, "data-s-2");
    assert_non_null(claim);
    assert_string_equal(object_label(claim, "app"), "x");
    assert_null(controller_of(claim));
    assert_true(sim_event(s, "SuccessfulCreate", "Create Claim data-s-2 Pod s-2 in StatefulSet s success"));
    sim_patch(s, S, "s", sim_json(s, "{'spec':{'replicas':2}}"));
    sim_run(s, 5);
    assert_true(json_str_is(controller_of(sim_get(s, &resource_persistentvolumeclaims, "data-s-2")), "kind", "Pod"));
}

static void a_failed_pod_is_replaced(void **state UNUSED) {
    sim_create(s, S, sim_json(s, SET));
    sim_run(s, 10);
    cleanup_doc struct doc *old = cache_get(s->cache, &resource_pods, "default", "s-1");
    sim_end(s, old, 1);
    sim_run(s, 5);
    assert_string_not_equal(json_str(pod("s-1"), "metadata.uid"), doc_uid(old));
    sim_assert_int(s, S, "s", "status.availableReplicas", 3);
}

/* ---- daemon sets ---- */

static void each_node_gets_one_pod(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DAEMON));
    sim_run(s, 5);
    const struct json *o = sim_get(s, D, "d");
    assert_int_equal(json_int(o, "status.desiredNumberScheduled", 0), 2);
    assert_int_equal(json_int(o, "status.numberAvailable", 0), 2);
    assert_int_equal(json_int(o, "status.updatedNumberScheduled", 0), 2);
    sim_node(s, "n3");
    sim_run(s, 5);
    sim_assert_int(s, D, "d", "status.numberAvailable", 3);
}

static void a_label_decides_where_pods_are(void **state UNUSED) {
    sim_create(s, D, with(DAEMON, "spec.template.spec.nodeSelector", "{'role':'y'}"));
    sim_run(s, 3);
    sim_assert_int(s, D, "d", "status.desiredNumberScheduled", 0);
    sim_patch(s, &resource_nodes, "n1", sim_json(s, "{'metadata':{'labels':{'role':'y'}}}"));
    sim_run(s, 5);
    sim_assert_int(s, D, "d", "status.numberAvailable", 1);
    sim_patch(s, &resource_nodes, "n1", sim_json(s, "{'metadata':{'labels':{'role':null}}}"));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 0);
}

static void taints_keep_pods_off_and_only_no_execute_removes_them(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DAEMON));
    sim_run(s, 5);
    sim_patch(s, &resource_nodes, "n1", sim_json(s, "{'spec':{'taints':[{'key':'a','effect':'NoSchedule'}]}}"));
    sim_run(s, 5);
    sim_assert_int(s, D, "d", "status.desiredNumberScheduled", 1);
    sim_assert_int(s, D, "d", "status.numberMisscheduled", 1);
    sim_patch(s, &resource_nodes, "n1", sim_json(s, "{'spec':{'taints':[{'key':'a','effect':'NoExecute'}]}}"));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 1);
}

static void an_update_that_fails_stops_at_one_node(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DAEMON));
    sim_run(s, 5);
    s->never_ready = true;
    sim_patch(s, D, "d", roll("i:2"));
    sim_run(s, 10);
    sim_assert_int(s, D, "d", "status.updatedNumberScheduled", 1);
    sim_assert_int(s, D, "d", "status.numberUnavailable", 1);
    s->never_ready = false;
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(s->cache, &resource_pods, "default", &pods);
    for (size_t i = 0; i < pods.len; i++) {
        if (new_image(pods.items[i]->root)) sim_status(s, pods.items[i], "Running", true, sim_json(s, "{'running':{}}"));
    }
    sim_run(s, 10);
    sim_assert_int(s, D, "d", "status.updatedNumberScheduled", 2);
    sim_assert_int(s, D, "d", "status.numberAvailable", 2);
}

static void surge_starts_the_new_pod_first(void **state UNUSED) {
    sim_create(s, D, with(DAEMON, "spec.updateStrategy", "{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1,'maxUnavailable':0}}"));
    sim_run(s, 5);
    s->never_ready = true;
    sim_patch(s, D, "d", roll("i:2"));
    sim_run(s, 5);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 3);
    sim_assert_int(s, D, "d", "status.numberAvailable", 2);
}

static void failed_daemon_pods_are_replaced_with_growing_delay(void **state UNUSED) {
    sim_create(s, D, sim_json(s, DAEMON));
    for (int i = 0; i < 6; i++) {
        sim_run(s, 2);
        cleanup_doc_list struct doc_list pods = {0};
        cache_list(s->cache, &resource_pods, "default", &pods);
        for (size_t k = 0; k < pods.len; k++) sim_end(s, pods.items[k], 1);
    }
    assert_true(sim_event(s, "FailedDaemonPod", "Found failed daemon pod default/d-"));
    sim_run(s, 60);
    sim_assert_int(s, D, "d", "status.numberAvailable", 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(pods_are_made_in_order), T(a_set_becomes_available), T(all_at_once_where_order_does_not_matter), T(updates_go_from_the_highest_ordinal_down),
        T(a_partition_keeps_lower_ordinals), T(on_delete_waits_for_deletion), T(scaling_down_takes_the_highest_ordinals),
        T(claims_are_made_and_owned_by_pods_that_go), T(a_failed_pod_is_replaced), T(each_node_gets_one_pod), T(a_label_decides_where_pods_are),
        T(taints_keep_pods_off_and_only_no_execute_removes_them), T(an_update_that_fails_stops_at_one_node), T(surge_starts_the_new_pod_first),
        T(failed_daemon_pods_are_replaced_with_growing_delay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
