/* The runner: in virtual time and with threads. */
#include "base/log.h"
#include "client_fixture.h"

static struct buf log_text;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void assert_log(const char *expected) {
    pthread_mutex_lock(&log_lock);
    assert_string_equal(buf_str(&log_text), expected);
    buf_free(&log_text);
    pthread_mutex_unlock(&log_lock);
}

static struct work_result note(struct runner *r UNUSED, struct arena *a UNUSED, const char *key) {
    pthread_mutex_lock(&log_lock);
    buf_printf(&log_text, "%s ", key);
    pthread_mutex_unlock(&log_lock);
    return WORK_DONE;
}

static const struct controller_source pod_sources[] = {{.resource = &resource_pods}, {0}};
static const struct controller own_keys = {"own-keys", .sources = pod_sources, .reconcile = note};

static const struct controller_source owner_sources[] = {{.resource = &resource_pods, .owner = &resource_apps_replicasets}, {0}};
static const struct controller owners = {"owners", .sources = owner_sources, .reconcile = note};

static void node_keys(struct runner *r, const struct resource *resource, struct doc *before UNUSED, struct doc *after) {
    assert_ptr_equal(resource, &resource_pods);
    if (after && json_str(after->root, "spec.nodeName")) runner_add(r, json_str(after->root, "spec.nodeName"));
}
static const struct controller_source node_sources[] = {{.resource = &resource_pods, .keys = node_keys}, {0}};
static const struct controller nodes = {"nodes", .sources = node_sources, .reconcile = note};

static struct runner_group *start(struct store_client *s, struct cache **c, const struct controller *controller) {
    *c = cache_new_over(&s->base, s->store);
    return runner_group_start(&(struct runner_env){.client = &s->base, .cache = *c}, (const struct controller *[]){controller,
            NULL}, NULL, NULL);
}

static void stop(struct runner_group *g, struct cache *c) {
    runner_group_stop(g);
    cache_free(c);
}

static void an_object_is_reconciled_by_its_key(void **state) {
    struct store_client *s = *state;
    struct cache *c;
    doc_unref(add_pod(s, "a", NULL, NULL));
    struct runner_group *g = start(s, &c, &own_keys);
    assert_int_equal(runner_group_step(g, 0), 1);
    assert_log("ns/a ");
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "a", NULL));
    runner_group_step(g, 0);
    assert_log("ns/a ");
    assert_int_equal(runner_group_step(g, 0), 0);
    stop(g, c);
}

static void a_change_of_what_is_owned_reconciles_the_owner(void **state) {
    struct store_client *s = *state;
    struct cache *c;
    struct runner_group *g = start(s, &c, &owners);
    doc_unref(add_pod(s, "a", "u1", NULL));
    doc_unref(add_pod(s, "b", "u1", NULL));
    doc_unref(add_pod(s, "orphan", NULL, NULL));
    runner_group_step(g, 0);
    assert_log("ns/web "); /* once for both */
    stop(g, c);
}

static void a_controller_may_make_other_keys(void **state) {
    struct store_client *s = *state;
    struct cache *c;
    struct runner_group *g = start(s, &c, &nodes);
    doc_unref(add_pod(s, "a", NULL, "n1"));
    doc_unref(add_pod(s, "b", NULL, "n2"));
    runner_group_step(g, 0);
    assert_log("n1 n2 ");
    stop(g, c);
}

static struct work_result fail_twice(struct runner *r, struct arena *a, const char *key) {
    int *failures = r->config;
    note(r, a, key);
    return (*failures)-- > 0 ? work_error(error_new("not yet")) : work_again(SECONDS(60));
}
static const struct controller failing = {"failing", .sources = pod_sources, .reconcile = fail_twice};

static void failures_are_retried_later_and_again_after_is_kept(void **state) {
    struct store_client *s = *state;
    int failures = 2;
    struct cache *c = cache_new_over(&s->base, s->store);
    struct runner_group *g = runner_group_start(&(struct runner_env){&s->base, c, &failures},
                                                (const struct controller *[]){&failing, NULL}, NULL, NULL);
    doc_unref(add_pod(s, "a", NULL, NULL));
    runner_group_step(g, 0);
    assert_log("ns/a ");
    for (int i = 0; i < 2; i++) {
        assert_true(runner_group_next_due(g) > s->clock.now);
        clock_virtual_set(&s->clock, runner_group_next_due(g));
        assert_int_equal(runner_group_step(g, 0), 1);
    }
    assert_log("ns/a ns/a ");
    assert_int_equal(runner_group_next_due(g), s->clock.now + SECONDS(60));
    stop(g, c);
}

static bool wanted(const char *name, void *arg) { return strcmp(name, arg) == 0; }
static void count_runners(const struct runner *r UNUSED, void *arg) { ++*(int *)arg; }

static void only_wanted_controllers_run(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, s->store);
    static char name[] = "owners";
    struct runner_group *g = runner_group_start(&(struct runner_env){.client = &s->base, .cache = c},
                                                (const struct controller *[]){&own_keys, &owners, NULL}, wanted, name);
    int n = 0;
    runner_group_each(g, count_runners, &n);
    assert_int_equal(n, 1);
    stop(g, c);
}

static void with_a_real_clock_threads_do_the_work(void **state) {
    struct store_client *s = *state;
    struct cache *c;
    struct runner_group *g = start(s, &c, &own_keys);
    doc_unref(add_pod(s, "a", NULL, NULL));
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&log_lock);
        bool done = strcmp(buf_str(&log_text), "ns/a ") == 0;
        pthread_mutex_unlock(&log_lock);
        if (done) break;
        usleep(1000);
    }
    stop(g, c);
    assert_log("ns/a ");
}

#define SIMULATED(name) cmocka_unit_test_setup_teardown(name, setup_simulated, teardown_client)
int main(void) {
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        SIMULATED(an_object_is_reconciled_by_its_key),
        SIMULATED(a_change_of_what_is_owned_reconciles_the_owner),
        SIMULATED(a_controller_may_make_other_keys),
        SIMULATED(failures_are_retried_later_and_again_after_is_kept),
        SIMULATED(only_wanted_controllers_run),
        cmocka_unit_test_setup_teardown(with_a_real_clock_threads_do_the_work, setup_real, teardown_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
