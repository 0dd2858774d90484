/* The recorder: counting, aggregation, spam, series. */
#include "client_fixture.h"

static const struct json *event_at(struct store_client *s, struct arena *a, size_t i, size_t *count) {
    cleanup_doc_list struct doc_list l = {0};
    uint64_t revision;
    assert_no_error(client_list(&s->base, &resource_events, NULL, NULL, NULL, &l, &revision));
    *count = l.len;
    return i < l.len ? json_copy(a, l.items[i]->root) : NULL;
}

static void an_event_has_clientgos_fields(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "kubelet", "n1");
    recorder_event_field(r, pod->root, "spec.containers{main}", "Normal", "Started", "Started container %s", "main");
    size_t n;
    const struct json *e = event_at(s, &a, 0, &n);
    assert_int_equal(n, 1);
    assert_string_equal(json_str(e, "metadata.name"), "web.18867251edfa0000");
    assert_string_equal(json_str(e, "metadata.namespace"), "ns");
    assert_string_equal(json_text(&a, json_get(e, "source")), "{\"component\":\"kubelet\",\"host\":\"n1\"}");
    assert_string_equal(json_str(e, "firstTimestamp"), "2026-01-01T00:00:00Z");
    assert_int_equal(json_int(e, "count", 0), 1);
    assert_string_equal(json_str(e, "reportingComponent"), "kubelet");
    assert_string_equal(json_str(e, "reportingInstance"), "n1");
    assert_string_equal(json_str(e, "involvedObject.uid"), doc_uid(pod));
    assert_string_equal(json_str(e, "involvedObject.fieldPath"), "spec.containers{main}");
    assert_string_equal(json_str(e, "message"), "Started container main");
    recorder_free(r);
}

static void the_same_again_is_counted(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "c", NULL);
    for (int i = 0; i < 3; i++) {
        recorder_event(r, pod->root, "Warning", "BackOff", "again");
        clock_virtual_set(&s->clock, s->clock.now + SECONDS(10));
    }
    size_t n;
    const struct json *e = event_at(s, &a, 0, &n);
    assert_int_equal(n, 1);
    assert_int_equal(json_int(e, "count", 0), 3);
    assert_string_equal(json_str(e, "firstTimestamp"), "2026-01-01T00:00:00Z");
    assert_string_equal(json_str(e, "lastTimestamp"), "2026-01-01T00:00:20Z");
    recorder_free(r);
}

static void an_event_that_expired_is_made_again_with_its_count(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "c", NULL);
    size_t n;
    recorder_event(r, pod->root, "Warning", "BackOff", "again");
    const struct json *e = event_at(s, &a, 0, &n);
    assert_no_error(client_delete(&s->base, &resource_events, "ns", json_str(e, "metadata.name"), NULL));
    recorder_event(r, pod->root, "Warning", "BackOff", "again");
    e = event_at(s, &a, 0, &n);
    assert_int_equal(json_int(e, "count", 0), 2);
    recorder_free(r);
}

static void the_tenth_different_message_is_combined(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "c", NULL);
    for (int i = 0; i < 15; i++) {
        recorder_event(r, pod->root, "Warning", "Failed", "message %d", i);
        clock_virtual_set(&s->clock, s->clock.now + SECONDS(1));
    }
    size_t n, combined = 0;
    event_at(s, &a, 0, &n);
    assert_int_equal(n, 10);
    for (size_t i = 0; i < n; i++) {
        const struct json *e = event_at(s, &a, i, &n);
        if (!str_starts(json_str(e, "message"), "(combined from similar events): message 14")) continue;
        assert_int_equal(json_int(e, "count", 0), 6);
        combined++;
    }
    assert_int_equal(combined, 1);
    recorder_free(r);
}

static void one_object_cannot_flood(void **state) {
    struct store_client *s = *state;
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "c", NULL);
    int before = s->creates;
    for (int i = 0; i < 100; i++) {
        cleanup_free char *reason = xprintf("Reason%d", i);
        recorder_event(r, pod->root, "Warning", reason, "m");
    }
    assert_int_equal(s->creates - before, 25);
    clock_virtual_set(&s->clock, s->clock.now + SECONDS(301));
    recorder_event(r, pod->root, "Warning", "Later", "m");
    assert_int_equal(s->creates - before, 26);
    recorder_free(r);
}

static void an_action_repeated_becomes_a_series(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "default-scheduler", "n1");
    for (int i = 0; i < 3; i++) {
        recorder_action(r, pod->root, NULL, "Warning", "FailedScheduling", "Scheduling", "0/1 nodes are available");
        clock_virtual_set(&s->clock, s->clock.now + SECONDS(10));
    }
    size_t n;
    const struct json *e = event_at(s, &a, 0, &n);
    assert_int_equal(n, 1);
    assert_string_equal(json_str(e, "eventTime"), "2026-01-01T00:00:00.000000Z");
    assert_string_equal(json_str(e, "action"), "Scheduling");
    assert_string_equal(json_str(e, "reportingComponent"), "default-scheduler");
    assert_string_equal(json_str(e, "reportingInstance"), "default-scheduler-n1");
    assert_int_equal(json_int(e, "series.count", 0), 2); /* later ones are told every half hour only */
    assert_int_equal(s->patches, 1);
    clock_virtual_set(&s->clock, s->clock.now + SECONDS(400));
    recorder_action(r, pod->root, NULL, "Warning", "FailedScheduling", "Scheduling", "0/1 nodes are available");
    event_at(s, &a, 0, &n);
    assert_int_equal(n, 2);
    recorder_free(r);
}

static void an_event_of_a_cluster_scoped_object_goes_to_default(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    struct recorder *r = recorder_new(&s->base, "c", NULL);
    recorder_event(r, json_make(&a, "{'apiVersion':'v1','kind':'Node','metadata':{'name':'n1'}}"), "Normal", "NodeReady", "m");
    size_t n;
    const struct json *e = event_at(s, &a, 0, &n);
    assert_string_equal(json_str(e, "metadata.namespace"), "default");
    recorder_free(r);
}

static void with_a_real_clock_events_are_sent_before_the_recorder_is_gone(void **state) {
    struct store_client *s = *state;
    cleanup_doc struct doc *pod = add_pod(s, "web", NULL, NULL);
    struct recorder *r = recorder_new(&s->base, "c", NULL);
    for (int i = 0; i < 5; i++) recorder_event(r, pod->root, "Normal", "R", "message %d", i);
    recorder_free(r);
    assert_int_equal(s->creates, 6);
}

#define SIMULATED(name) cmocka_unit_test_setup_teardown(name, setup_simulated, teardown_client)
int main(void) {
    const struct CMUnitTest tests[] = {
        SIMULATED(an_event_has_clientgos_fields),
        SIMULATED(the_same_again_is_counted),
        SIMULATED(an_event_that_expired_is_made_again_with_its_count),
        SIMULATED(the_tenth_different_message_is_combined),
        SIMULATED(one_object_cannot_flood),
        SIMULATED(an_action_repeated_becomes_a_series),
        SIMULATED(an_event_of_a_cluster_scoped_object_goes_to_default),
        cmocka_unit_test_setup_teardown(with_a_real_clock_events_are_sent_before_the_recorder_is_gone, setup_real,
                                        teardown_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
