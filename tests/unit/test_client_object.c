/* Helpers on objects: keys, owners, conditions, pods, claims. */
#include "client_fixture.h"

static const int64_t now = SECONDS(1767225600);

static void keys_are_joined_and_split(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const char *ns, *name;
    assert_string_equal(key_join(&a, "ns", "x"), "ns/x");
    assert_string_equal(key_join(&a, NULL, "x"), "x");
    key_split(&a, "ns/x", &ns, &name);
    assert_string_equal(ns, "ns");
    assert_string_equal(name, "x");
    key_split(&a, "node-1", &ns, &name);
    assert_null(ns);
    assert_string_equal(name, "node-1");
}

static void finalizers_are_added_once_and_removed(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *o = json_make(&a, "{'metadata':{'name':'x'}}");
    const struct json *with = object_with_finalizer(&a, o, "f/a");
    assert_string_equal(json_text(&a, with), "{\"metadata\":{\"name\":\"x\",\"finalizers\":[\"f/a\"]}}");
    assert_ptr_equal(object_with_finalizer(&a, with, "f/a"), with);
    assert_true(object_has_finalizer(with, "f/a"));
    assert_string_equal(json_text(&a, object_without_finalizer(&a, with, "f/a")), "{\"metadata\":{\"name\":\"x\"}}");
}

static void the_controller_is_found_by_kind_and_group(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *pod = json_make(&a,
            "{'metadata':{'namespace':'ns','ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'c','uid':'1'},"
                                           "{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web','uid':'2','controller':%b}]}}", true);
    assert_true(controlled_by(pod, "2"));
    assert_false(controlled_by(pod, "1"));
    assert_string_equal(controller_key(&a, pod, &resource_apps_replicasets), "ns/web");
    assert_null(controller_key(&a, pod, &resource_apps_deployments));
    const struct json *other = json_make(&a,
            "{'metadata':{'namespace':'ns','ownerReferences':[{'apiVersion':'example.com/v1','kind':'ReplicaSet','name':'web',"
                                             "'uid':'2','controller':%b}]}}", true);
    assert_null(controller_key(&a, other, &resource_apps_replicasets));
}

static void a_conditions_transition_time_moves_with_its_status_only(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *o = condition_set(&a, NULL, &(struct condition){.type = "Ready", .status = "False",
                                                                       .reason = "Starting"}, now);
    const struct json *same = condition_set(&a, o, &(struct condition){.type = "Ready", .status = "False",
                                                                       .reason = "Starting"}, now + SECONDS(5));
    assert_ptr_equal(same, o);
    o = condition_set(&a, o, &(struct condition){.type = "Ready", .status = "False", .reason = "Waiting", .message = "m"},
                      now + SECONDS(5));
    assert_string_equal(json_text(&a, condition_find(o, "Ready")),
                        "{\"type\":\"Ready\",\"status\":\"False\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\",\"reason\":\"Waiting\",\"message\":\"m\"}");
    o = condition_set(&a, o, &(struct condition){.type = "Other", .status = "True"}, now);
    o = condition_set(&a, o, &(struct condition){.type = "Ready", .status = "True", .observed_generation = 3,
                                                 .update_time = true}, now + SECONDS(9));
    assert_string_equal(json_text(&a, json_at(json_get(o, "status.conditions"), 0)),
                        "{\"type\":\"Ready\",\"observedGeneration\":3,\"status\":\"True\",\"lastUpdateTime\":\"2026-01-01T00:00:09Z\","
                        "\"lastTransitionTime\":\"2026-01-01T00:00:09Z\"}");
    assert_true(condition_is(o, "Ready", "True"));
    assert_int_equal(json_len(json_get(condition_remove(&a, o, "Ready"), "status.conditions")), 1);
}

static void a_pod_is_available_when_ready_for_long_enough(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct json *pod = json_make(&a,
            "{'status':{'phase':'Running','conditions':[{'type':'Ready','status':'True','lastTransitionTime':'2026-01-01T00:00:00Z'}]}}");
    assert_true(pod_is_ready(pod));
    assert_true(pod_is_active(pod));
    assert_true(pod_is_available(pod, 0, now));
    assert_false(pod_is_available(pod, 10, now + SECONDS(9)));
    assert_true(pod_is_available(pod, 10, now + SECONDS(10)));
    assert_int_equal(pod_available_at(pod, 10), now + SECONDS(10));
    assert_false(pod_is_available(NULL, 0, now));
    assert_false(pod_is_active(json_with(&a, pod, "status.phase", json_string(&a, "Failed"))));
    assert_false(pod_is_active(json_with(&a, pod, "metadata.deletionTimestamp", json_string(&a, "2026-01-01T00:00:00Z"))));
}

/* ---- claims ---- */

static struct doc *add_replicaset(struct store_client *s) {
    cleanup_arena struct arena a = {0};
    struct doc *d;
    assert_no_error(client_create(&s->base, &resource_apps_replicasets, "ns",
                                  json_make(&a,
                                          "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web','namespace':'ns'}}"), &d));
    return d;
}

static void claim(struct store_client *s, struct doc *owner, const char *app, const char *expected, struct error **error) {
    cleanup_arena struct arena a = {0};
    struct cache *c = cache_new_over(&s->base, s->store);
    struct doc_list out = {0};
    *error = claim_objects(&(struct claim){.client = &s->base, .cache = c, .owner_resource = &resource_apps_replicasets, .owner = owner,
                                           .selector = json_make(&a, "{'matchLabels':{'app':%s}}", app),
                                               .resource = &resource_pods}, &out);
    cleanup_free char *text = names(&out);
    assert_string_equal(text, expected);
    cache_free(c);
}

static void orphans_that_match_are_adopted_and_others_left_alone(void **state) {
    struct store_client *s = *state;
    cleanup_doc struct doc *owner = add_replicaset(s);
    struct error *e;
    doc_unref(add_pod(s, "mine", doc_uid(owner), NULL));
    doc_unref(add_pod(s, "orphan", NULL, NULL));
    doc_unref(add_pod(s, "theirs", "another-uid", NULL));
    claim(s, owner, "web", "mine orphan", &e);
    assert_no_error(e);
    assert_int_equal(s->patches, 1);
    assert_non_null(strstr(s->last_patch, "\"controller\":true,\"blockOwnerDeletion\":true"));
}

static void owned_objects_that_do_not_match_are_released(void **state) {
    struct store_client *s = *state;
    cleanup_doc struct doc *owner = add_replicaset(s);
    struct error *e;
    doc_unref(add_pod(s, "mine", doc_uid(owner), NULL));
    claim(s, owner, "other", "", &e);
    assert_no_error(e);
    assert_int_equal(s->patches, 1);
    assert_non_null(strstr(s->last_patch, "\"$patch\":\"delete\""));
}

static void an_owner_that_was_deleted_meanwhile_adopts_nothing(void **state) {
    struct store_client *s = *state;
    cleanup_doc struct doc *owner = add_replicaset(s);
    struct error *e;
    doc_unref(add_pod(s, "orphan", NULL, NULL));
    assert_no_error(client_delete(&s->base, &resource_apps_replicasets, "ns", "web", NULL));
    claim(s, owner, "web", "", &e);
    assert_error(e, "NotFound");
    doc_unref(add_replicaset(s)); /* the same name, another uid */
    claim(s, owner, "web", "", &e);
    assert_error(e, "is gone: got uid");
    assert_int_equal(s->patches, 0);
}

/* ---- client_modify ---- */

static const struct json *set_phase(struct arena *a, struct doc *current, void *arg) {
    return json_with(a, current->root, "status.phase", json_string(a, arg));
}
static const struct json *nothing_to_do(struct arena *a UNUSED, struct doc *current UNUSED, void *arg UNUSED) { return NULL; }

static void modify_starts_over_on_conflicts_but_not_for_ever(void **state) {
    struct store_client *s = *state;
    static char phase[] = "Running";
    doc_unref(add_pod(s, "a", NULL, NULL));
    s->conflicts_to_make = 4;
    cleanup_doc struct doc *d = NULL;
    assert_no_error(client_modify(&s->base, &resource_pods, "ns", "a", "status", set_phase, phase, &d));
    assert_string_equal(json_str(d->root, "status.phase"), "Running");
    assert_int_equal(s->updates, 5);
    s->conflicts_to_make = 5;
    assert_error(client_modify(&s->base, &resource_pods, "ns", "a", "status", set_phase, phase, NULL), "Conflict");
    assert_no_error(client_modify(&s->base, &resource_pods, "ns", "a", "status", nothing_to_do, NULL, NULL));
    assert_int_equal(s->updates, 10);
    assert_error(client_modify(&s->base, &resource_pods, "ns", "absent", NULL, set_phase, phase, NULL), "NotFound");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_simulated, teardown_client)
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_joined_and_split),
        cmocka_unit_test(finalizers_are_added_once_and_removed),
        cmocka_unit_test(the_controller_is_found_by_kind_and_group),
        cmocka_unit_test(a_conditions_transition_time_moves_with_its_status_only),
        cmocka_unit_test(a_pod_is_available_when_ready_for_long_enough),
        TEST(orphans_that_match_are_adopted_and_others_left_alone),
        TEST(owned_objects_that_do_not_match_are_released),
        TEST(an_owner_that_was_deleted_meanwhile_adopts_nothing),
        TEST(modify_starts_over_on_conflicts_but_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
