/* One scheduling cycle: which node a pod gets, and what is said when it gets none. */
#include "apiserver/apiserver.h"
#include "base/str.h"
#include "client/local.h"
#include "scheduler/cycle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct store *store;
    struct apiserver *api;
    struct client *client;
    struct cache *cache;
    struct state state;
    struct nominations nominated;
    size_t start;
};

static void fail_on(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

static int setup(void **state) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    static const struct resource *const watched[] = {
        &resource_services, &resource_namespaces, &resource_apps_replicasets, &resource_apps_statefulsets, &resource_policy_poddisruptionbudgets};
    schema_init();
    fail_on(store_open(&(struct store_config){.backend = "memory", .synchronous = true}, &f->store));
    fail_on(apiserver_new(&(struct apiserver_config){.store = f->store, .issuer = "https://kubernetes.default.svc"}, &f->api));
    f->client = client_local_new(f->api, NULL, "test", "system:kube-scheduler", (const char *const[]){"system:masters", NULL});
    f->cache = cache_new(f->client);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++) cache_add(f->cache, watched[i], NULL);
    state_init(&f->state);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    nominations_free(&f->nominated);
    state_free(&f->state);
    cache_free(f->cache);
    f->client->ops->free(f->client);
    apiserver_shutdown(f->api);
    apiserver_free(f->api);
    store_close(f->store);
    arena_free(&f->arena);
    free(f);
    return 0;
}

/* `more` are further members of the node: labels, taints, images. */
static void add_node(struct fixture *f, const char *name, int cpu, const char *path, const char *value) {
    const struct json *o = json_make(&f->arena, "{'metadata':{'name':%s,'labels':{'kubernetes.io/hostname':%s}},'status':{'allocatable':{'cpu':%d,'memory':'8Gi','pods':110}}}",
                                     name, name, cpu);
    const struct json *more;
    if (path) {
        fail_on(json_parse(&f->arena, value, strlen(value), NULL, NULL, &more));
        o = json_with(&f->arena, o, path, more);
    }
    cleanup_doc struct doc *d = doc_new(o);
    state_set_node(&f->state, name, d);
}

/* The node, or the message. */
static const char *place(struct fixture *f, const char *spec, size_t *looked) {
    const struct json *parsed;
    fail_on(json_parse(&f->arena, spec, strlen(spec), NULL, NULL, &parsed));
    cleanup_doc struct doc *d = doc_new(json_make(&f->arena, "{'metadata':{'name':'p','namespace':'default','uid':'u'},'spec':%v}", parsed));
    struct pod_info *pod = pod_info_new(&f->state, d, NULL);
    struct placement p = {0};
    placement_find(&p, &f->state, f->cache, &f->nominated, pod, &f->start, 7);
    const char *out = arena_strdup(&f->arena, p.node ? p.node->name : p.message);
    if (looked) *looked = p.cycle.looked;
    placement_free(&p);
    pod_info_free(pod);
    return out;
}

#define POD(more) "{\"containers\":[{\"name\":\"c\",\"image\":\"example.test/big:1\",\"resources\":{\"requests\":{\"cpu\":\"2\"}}}]" more "}"

static void a_pod_goes_where_it_fits(void **state) {
    struct fixture *f = *state;
    add_node(f, "small", 1, NULL, NULL);
    add_node(f, "large", 4, NULL, NULL);
    assert_string_equal(place(f, POD(""), NULL), "large");
}

static void refusals_are_counted_by_reason(void **state) {
    struct fixture *f = *state;
    add_node(f, "small", 1, NULL, NULL);
    add_node(f, "closed", 4, "spec.unschedulable", "true");
    add_node(f, "tainted", 4, "spec.taints", "[{\"key\":\"a\",\"effect\":\"NoSchedule\"}]");
    const char *said = place(f, POD(""), NULL);
    static const char expected[] = "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.";
    assert_int_equal(strncmp(said, expected, sizeof(expected) - 1), 0);
    assert_string_equal(place(f, POD(",\"tolerations\":[{\"operator\":\"Exists\",\"key\":\"a\"}]"), NULL), "tainted");
}

static void a_node_that_has_the_image_is_preferred(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++) add_node(f, arena_printf(&f->arena, "n%d", i), 4, NULL, NULL);
    add_node(f, "has-it", 4, "status.images", "[{\"names\":[\"example.test/big:1\"],\"sizeBytes\":900000000}]");
    assert_int_equal((intptr_t)map_get(&f->state.images, "example.test/big:1"), 1);
    for (int i = 0; i < 5; i++) assert_string_equal(place(f, POD(""), NULL), "has-it");
    state_set_node(&f->state, "has-it", NULL);
    assert_false(map_has(&f->state.images, "example.test/big:1"));
    assert_string_not_equal(place(f, POD(""), NULL), "has-it");
}

static void a_pod_for_one_node_looks_at_no_other(void **state) {
    struct fixture *f = *state;
    add_node(f, "a", 4, NULL, NULL);
    add_node(f, "b", 4, NULL, NULL);
    static const char by_name[] = POD(",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":"
                                      "[{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"b\"]}]}]}}}");
    for (int i = 0; i < 4; i++) assert_string_equal(place(f, by_name, NULL), "b");
}

static void of_many_nodes_a_share_is_looked_at_in_turn(void **state) {
    struct fixture *f = *state;
    size_t looked;
    for (int i = 0; i < 1000; i++) add_node(f, arena_printf(&f->arena, "node-%d", i), 4, NULL, NULL);
    place(f, POD(""), &looked);
    assert_int_equal(looked, 420); /* 50 - 1000 / 125 percent */
    assert_int_equal(f->start, 420);
    place(f, POD(""), &looked);
    assert_int_equal(f->start, 840);
    place(f, POD(""), &looked);
    assert_int_equal(f->start, 260); /* around the end */
}

static void spreading_counts_nodes_that_were_not_looked_at(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) add_node(f, arena_printf(&f->arena, "n%d", i), 4, "metadata.labels", i % 2 ? "{\"zone\":\"a\"}" : "{\"zone\":\"b\"}");
    cleanup_doc struct doc *d = doc_new(json_make(&f->arena, "{'metadata':{'name':'q','namespace':'default','uid':'q','labels':{'app':'x'}},'spec':{'containers':[]}}"));
    state_set_pod(&f->state, pod_info_new(&f->state, d, "n299")); /* zone a has one */
    static const char spread[] = POD(",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"zone\",\"whenUnsatisfiable\":\"ScheduleAnyway\","
                                     "\"labelSelector\":{\"matchLabels\":{\"app\":\"x\"}}}]");
    for (int i = 0; i < 5; i++) assert_int_equal(atoi(place(f, spread, NULL) + 1) % 2, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pod_goes_where_it_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_counted_by_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_has_the_image_is_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pod_for_one_node_looks_at_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(of_many_nodes_a_share_is_looked_at_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(spreading_counts_nodes_that_were_not_looked_at, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
