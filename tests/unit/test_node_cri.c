/* The container runtime's client: the tables, and a runtime that is not there. What a real runtime answers is for tests/e2e. */
#include "node/cri.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void every_method_has_its_messages(void **state) {
    (void)state;
    assert_int_equal(CRI_METHOD_COUNT, 35);
    for (size_t i = 0; i < CRI_METHOD_COUNT; i++) {
        assert_int_equal(strncmp(cri_methods[i].path, "/runtime.v1.", 12), 0);
        assert_true(cri_methods[i].request->count <= PROTO_MAX_FIELDS);
        assert_non_null(cri_methods[i].response);
    }
    assert_string_equal(cri_methods[CRI_PULL_IMAGE].path, "/runtime.v1.ImageService/PullImage");
}

static void a_sandboxs_configuration_survives_the_wire(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf wire = {0};
    const struct json *back;
    const struct json *request = json_make(
        &a,
        "{'config':{'metadata':{'name':'p','uid':'u','attempt':%d},'port_mappings':[{'protocol':'UDP','container_port':%d}],"
        "'annotations':{'a':'b'},'linux':{'security_context':{'namespace_options':{'network':'NODE'},'supplemental_groups':[%d,%"
        "d]}}}}",
        3, 53, 1, 2);
    assert_null(proto_encode(cri_methods[CRI_RUN_POD_SANDBOX].request, request, &wire));
    assert_null(proto_decode(&a, cri_methods[CRI_RUN_POD_SANDBOX].request, wire.data, wire.len, &back));
    assert_int_equal(json_int(back, "config.metadata.attempt", 0), 3);
    assert_int_equal(json_int(json_at(json_get(back, "config.port_mappings"), 0), "protocol", 0), CRI_UDP);
    assert_int_equal(json_int(back, "config.linux.security_context.namespace_options.network", 0), CRI_NODE);
    assert_int_equal(json_len(json_get(back, "config.linux.security_context.supplemental_groups")), 2);
}

static void signals_have_names(void **state) {
    (void)state;
    assert_string_equal(cri_signal_name(23), "SIGTERM");
    assert_null(cri_signal_name(1000));
}

static void ignore_event(const struct json *event, void *arg) { (void)event, (void)arg; }
static void count_restart(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

static void a_runtime_that_is_not_there_is_unavailable(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    atomic_int restarts = 0;
    struct cri *c = cri_new("unix:///nowhere/containerd.sock");
    cri_watch(c, &(struct cri_events){.event = ignore_event, .restarted = count_restart, .arg = &restarts});
    struct error *e = cri_call(c, CRI_VERSION, &a, NULL, SECONDS(5), NULL);
    assert_true(error_is(e, "Unavailable"));
    assert_string_equal(cri_description(e),
                        "connection error: desc = \"transport: Error while dialing: dial unix /nowhere/containerd.sock: "
                        "connect: no such file or directory\"");
    error_free(e);
    usleep(300 * 1000); /* one more attempt of the event stream */
    cri_close(c);
    assert_int_equal(restarts, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_has_its_messages),
        cmocka_unit_test(a_sandboxs_configuration_survives_the_wire),
        cmocka_unit_test(signals_have_names),
        cmocka_unit_test(a_runtime_that_is_not_there_is_unavailable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
