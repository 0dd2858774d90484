#include "sim.h"
#include <sys/stat.h>
#include <unistd.h>

#define V (&resource_persistentvolumes)
#define C (&resource_persistentvolumeclaims)

static const struct controller *const which[] = {&persistentvolume_binder_controller, &persistentvolume_protection_controller,
                                                 &persistentvolumeclaim_protection_controller, &ephemeral_volume_controller, &local_provisioner_controller,
                                                 &volumeattributesclass_protection_controller, NULL};
static char dir[] = "/tmp/coracle-volumes-XXXXXX";
static struct controllers_config config = {.local_volumes_dir = dir};
static struct sim sim, *s = &sim;

static int setup(void **state UNUSED) {
    static const struct controller *const none[] = {NULL};
    sim_open(s, none);
    runner_group_stop(s->group);
    s->group = runner_group_start(&(struct runner_env){.client = s->client, .cache = s->cache, .config = &config}, which, NULL, NULL);
    sim_node(s, "n1");
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}
static int make_dir(void **state UNUSED) { return mkdtemp(dir) ? 0 : -1; }
static int remove_dir(void **state UNUSED) {
    error_free(dir_remove(dir));
    return 0;
}

static void volume(const char *name, const char *size, const char *policy, const char *path) {
    sim_create(s, V, SIM_JSON(s, "{'metadata':{'name':%s},'spec':{'capacity':{'storage':%s},'accessModes':['ReadWriteOnce'],'storageClassName':'k','persistentVolumeReclaimPolicy':%s,"
                                 "'hostPath':{'path':%s}}}", name, size, policy, path));
}
static void claim(const char *name, const char *class, const char *volume_name) {
    sim_create(s, C, SIM_JSON(s, "{'metadata':{'name':%s},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':%s,'volumeName':%s,'resources':{'requests':{'storage':'2Mi'}}}}",
                              name, class, volume_name));
}
static const char *phase(const struct resource *r, const char *name) { return json_str_or(sim_get(s, r, name), "status.phase", "none"); }

static void a_claim_gets_the_smallest_volume_that_is_large_enough(void **state UNUSED) {
    volume("big", "50Mi", "Retain", "/data/big");
    volume("fit", "3Mi", "Retain", "/data/fit");
    volume("small", "1Mi", "Retain", "/data/small");
    sim_run(s, 1);
    assert_string_equal(phase(V, "fit"), "Available");
    claim("c", "k", NULL);
    sim_run(s, 1);
    assert_string_equal(json_str(sim_get(s, C, "c"), "spec.volumeName"), "fit");
    assert_string_equal(phase(C, "c"), "Bound");
    assert_string_equal(phase(V, "fit"), "Bound");
    assert_string_equal(json_str(sim_get(s, C, "c"), "status.capacity.storage"), "3Mi");
    assert_string_equal(object_annotation(sim_get(s, C, "c"), "pv.kubernetes.io/bind-completed"), "yes");
    assert_string_equal(object_annotation(sim_get(s, C, "c"), "pv.kubernetes.io/bound-by-controller"), "yes");
    assert_string_equal(object_annotation(sim_get(s, V, "fit"), "pv.kubernetes.io/bound-by-controller"), "yes");
    assert_string_equal(phase(V, "big"), "Available");
}

static void a_claim_waits_until_a_volume_comes(void **state UNUSED) {
    claim("c", "k", NULL);
    sim_run(s, 1);
    assert_string_equal(phase(C, "c"), "Pending");
    assert_true(sim_event(s, "ProvisioningFailed", "storageclass.storage.k8s.io \"k\" not found"));
    volume("v", "5Mi", "Retain", "/data/v");
    sim_run(s, 1);
    assert_string_equal(phase(C, "c"), "Bound");
}

static void a_volume_that_is_taken_is_refused(void **state UNUSED) {
    volume("v", "5Mi", "Retain", "/data/v");
    claim("c", "k", NULL);
    sim_run(s, 1);
    claim("d", "k", "v");
    sim_run(s, 1);
    assert_string_equal(phase(C, "d"), "Pending");
    assert_true(sim_event(s, "FailedBinding", "volume \"v\" already bound to a different claim."));
}

static void a_released_volume_stays_or_goes_as_its_policy_says(void **state UNUSED) {
    mkdir("/tmp/coracle-reclaimed", 0700);
    volume("v", "5Mi", "Retain", "/data/v");
    volume("w", "2Mi", "Delete", "/tmp/coracle-reclaimed");
    sim_run(s, 1);
    claim("c", "k", "v");
    claim("d", "k", "w");
    sim_run(s, 1);
    sim_delete(s, C, "c");
    sim_delete(s, C, "d");
    sim_run(s, 2);
    assert_string_equal(phase(V, "v"), "Released");
    assert_null(sim_get(s, V, "w"));
    assert_int_not_equal(access("/tmp/coracle-reclaimed", F_OK), 0);
}

static void a_volume_that_cannot_be_deleted_has_failed(void **state UNUSED) {
    volume("w", "2Mi", "Delete", "/data/w");
    claim("d", "k", "w");
    sim_run(s, 1);
    sim_delete(s, C, "d");
    sim_run(s, 1);
    assert_string_equal(phase(V, "w"), "Failed");
    assert_true(sim_event(s, "VolumeFailedDelete", "host_path deleter only supports /tmp/.+ but received provided /data/w"));
}

static void a_claim_whose_volume_vanished_is_lost(void **state UNUSED) {
    volume("v", "5Mi", "Retain", "/data/v");
    claim("c", "k", NULL);
    sim_run(s, 1);
    sim_patch(s, V, "v", sim_json(s, "{'metadata':{'finalizers':null}}"));
    sim_delete(s, V, "v"); /* before the finalizer is back */
    sim_run(s, 1);
    assert_string_equal(phase(C, "c"), "Lost");
    assert_true(sim_event(s, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"));
}

static void a_class_that_waits_for_a_consumer_says_so(void **state UNUSED) {
    sim_create(s, &resource_storage_storageclasses, sim_json(s, "{'metadata':{'name':'w'},'provisioner':'kubernetes.io/no-provisioner','volumeBindingMode':'WaitForFirstConsumer'}"));
    claim("c", "w", NULL);
    sim_run(s, 1);
    assert_true(sim_event(s, "WaitForFirstConsumer", "waiting for first consumer to be created before binding"));
}

static void a_provisioner_outside_is_waited_for(void **state UNUSED) {
    sim_create(s, &resource_storage_storageclasses, sim_json(s, "{'metadata':{'name':'x'},'provisioner':'example.com/none'}"));
    claim("c", "x", NULL);
    sim_run(s, 1);
    assert_string_equal(object_annotation(sim_get(s, C, "c"), "volume.kubernetes.io/storage-provisioner"), "example.com/none");
    assert_true(sim_event(s, "ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner 'example.com/none' or"));
}

static void a_class_that_a_claim_names_stays(void **state UNUSED) {
    const struct resource *classes = &resource_storage_volumeattributesclasses;
    sim_create(s, classes, sim_json(s, "{'metadata':{'name':'gold'},'driverName':'d.example','parameters':{'a':'b'}}"));
    sim_create(s, C, sim_json(s, "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'volumeAttributesClassName':'gold','resources':{'requests':{'storage':'1Mi'}}}}"));
    sim_run(s, 1);
    assert_true(object_has_finalizer(sim_get(s, classes, "gold"), "kubernetes.io/vac-protection"));
    sim_delete(s, classes, "gold");
    sim_run(s, 1);
    assert_true(object_deleting(sim_get(s, classes, "gold")));
    sim_delete(s, C, "c");
    sim_run(s, 2);
    assert_null(sim_get(s, classes, "gold"));
}

static void a_claim_in_use_stays_until_its_pod_has_gone(void **state UNUSED) {
    volume("v", "5Mi", "Retain", "/data/v");
    claim("c", "k", NULL);
    sim_create(s, &resource_pods, sim_json(s, "{'metadata':{'name':'p'},'spec':{'nodeName':'n1','containers':[{'name':'a','image':'i'}],'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'c'}}]}}"));
    sim_run(s, 3);
    assert_true(object_has_finalizer(sim_get(s, C, "c"), "kubernetes.io/pvc-protection"));
    sim_delete(s, C, "c");
    sim_run(s, 2);
    assert_true(object_deleting(sim_get(s, C, "c")));
    sim_delete(s, &resource_pods, "p");
    sim_run(s, 5);
    assert_null(sim_get(s, C, "c"));
    assert_string_equal(phase(V, "v"), "Released");
}

static void ephemeral_volumes_get_claims_of_their_pods(void **state UNUSED) {
    sim_create(s, &resource_pods, sim_json(s, "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'a','image':'i'}],'volumes':[{'name':'v','ephemeral':{'volumeClaimTemplate':"
                                              "{'metadata':{'labels':{'l':'1'}},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'k','resources':{'requests':{'storage':'1Mi'}}}}}}]}}"));
    runner_group_step(s->group, 1000);
    const struct json *c = sim_get(s, C, "p-v");
    assert_non_null(c);
    assert_string_equal(object_label(c, "l"), "1");
    assert_string_equal(json_str(controller_of(c), "name"), "p");
}

static void the_local_class_makes_a_directory_on_the_chosen_node(void **state UNUSED) {
    cleanup_buf struct buf boot = {0};
    sim_ok(file_read("/proc/sys/kernel/random/boot_id", 64, &boot));
    struct doc *d = NULL;
    sim_ok(client_get(s->client, &resource_nodes, NULL, "n1", &d));
    const struct json *node = json_with(&s->arena, sim_keep(s, d), "status.nodeInfo.bootID", json_string_n(&s->arena, boot.data, 36));
    sim_ok(client_update(s->client, &resource_nodes, NULL, "n1", "status", node, NULL));
    sim_create(s, &resource_storage_storageclasses, sim_json(s, "{'metadata':{'name':'local'},'provisioner':'coracle.io/local','volumeBindingMode':'WaitForFirstConsumer'}"));
    claim("c", "local", NULL);
    sim_run(s, 1);
    assert_string_equal(phase(C, "c"), "Pending");
    sim_patch(s, C, "c", sim_json(s, "{'metadata':{'annotations':{'volume.kubernetes.io/selected-node':'n1'}}}"));
    sim_run(s, 1);
    assert_string_equal(phase(C, "c"), "Bound");
    const char *name = json_str(sim_get(s, C, "c"), "spec.volumeName"), *path = json_str(sim_get(s, V, name), "spec.hostPath.path");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0777);
    assert_string_equal(object_annotation(sim_get(s, V, name), "pv.kubernetes.io/provisioned-by"), "coracle.io/local");
    sim_delete(s, C, "c");
    sim_run(s, 2);
    assert_null(sim_get(s, V, name));
    assert_int_not_equal(stat(path, &st), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_class_that_a_claim_names_stays), TEST(a_claim_gets_the_smallest_volume_that_is_large_enough), TEST(a_claim_waits_until_a_volume_comes), TEST(a_volume_that_is_taken_is_refused),
        TEST(a_released_volume_stays_or_goes_as_its_policy_says), TEST(a_volume_that_cannot_be_deleted_has_failed), TEST(a_claim_whose_volume_vanished_is_lost),
        TEST(a_class_that_waits_for_a_consumer_says_so), TEST(a_provisioner_outside_is_waited_for), TEST(a_claim_in_use_stays_until_its_pod_has_gone),
        TEST(ephemeral_volumes_get_claims_of_their_pods), TEST(the_local_class_makes_a_directory_on_the_chosen_node),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
