#include "base/worker.h"
#include "base/workqueue.h"
#include <stdatomic.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static atomic_int ran, together, most;

static void job(void *arg) {
    int now = atomic_fetch_add(&together, 1) + 1, max = atomic_load(&most);
    while (now > max && !atomic_compare_exchange_weak(&most, &max, now)) {}
    usleep(1000);
    atomic_fetch_sub(&together, 1);
    atomic_fetch_add(&ran, *(int *)arg);
}

static void a_pool_runs_everything_on_no_more_threads_than_allowed(void **state UNUSED) {
    int one = 1;
    ran = most = 0;
    struct worker_pool *p = worker_pool_new("test", 3);
    for (int i = 0; i < 100; i++) worker_submit(p, job, &one);
    worker_pool_close(p);
    assert_int_equal(ran, 100);
    assert_true(most >= 2 && most <= 3);
}

/* ---- a queue driven by the test, on virtual time ---- */

struct run {
    char keys[256];
    int failures;
    int64_t again_after;
    struct workqueue *q;
    const char *add_while_running;
};

static struct work_result record(const char *key, void *arg) {
    struct run *r = arg;
    strcat(strcat(r->keys, key), " ");
    if (r->add_while_running != NULL) workqueue_add(r->q, TAKE(r->add_while_running));
    int64_t again = r->again_after;
    r->again_after = 0;
    return (struct work_result){.error = r->failures > 0 && r->failures-- ? error_new("fails") : NULL, .again_after = again};
}

static struct workqueue *driven(struct run *r, struct clock_virtual *c) {
    *r = (struct run){0};
    clock_virtual_init(c, 1000);
    r->q = workqueue_new(&(struct workqueue_config){.name = "test", .clock = &c->base, .run = record, .arg = r});
    return r->q;
}

static void keys_run_once_in_the_order_in_which_they_were_added(void **state UNUSED) {
    struct run r;
    struct clock_virtual c;
    struct workqueue *q = driven(&r, &c);
    const char *const keys[] = {"a", "b", "a", "c", "b"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) workqueue_add(q, keys[i]);
    assert_int_equal(workqueue_depth(q), 3);
    while (workqueue_run_one(q)) {}
    assert_string_equal(r.keys, "a b c ");
    assert_true(workqueue_next_due(q) == INT64_MAX);
    workqueue_close(q);
}

static void a_key_added_while_it_runs_runs_again(void **state UNUSED) {
    struct run r;
    struct clock_virtual c;
    struct workqueue *q = driven(&r, &c);
    r.add_while_running = "a";
    workqueue_add(q, "a");
    while (workqueue_run_one(q)) {}
    assert_string_equal(r.keys, "a a ");
    workqueue_close(q);
}

static void of_two_delays_the_earlier_one_counts(void **state UNUSED) {
    struct run r;
    struct clock_virtual c;
    struct workqueue *q = driven(&r, &c);
    workqueue_add_after(q, "a", 500);
    workqueue_add_after(q, "a", 200);
    workqueue_add_after(q, "a", 900);
    workqueue_add_after(q, "b", 100);
    assert_int_equal(workqueue_next_due(q), 1100);
    assert_false(workqueue_run_one(q));
    clock_virtual_set(&c, 1200);
    while (workqueue_run_one(q)) {}
    assert_string_equal(r.keys, "b a ");
    assert_true(workqueue_next_due(q) == INT64_MAX);
    workqueue_close(q);
}

static void failures_back_off_exponentially_until_success_or_forgetting(void **state UNUSED) {
    struct run r;
    struct clock_virtual c;
    struct workqueue *q = driven(&r, &c);
    r.failures = 3;
    workqueue_add(q, "a");
    for (int64_t delay = MSECONDS(5), now = 1000; delay <= MSECONDS(20); delay *= 2) {
        assert_true(workqueue_run_one(q));
        assert_true(workqueue_next_due(q) == now + delay);
        clock_virtual_set(&c, now += delay);
    }
    assert_true(workqueue_run_one(q));
    assert_true(workqueue_next_due(q) == INT64_MAX);
    r.failures = 2;
    workqueue_add(q, "a");
    workqueue_run_one(q);
    workqueue_forget(q, "a");
    clock_virtual_set(&c, workqueue_next_due(q));
    workqueue_run_one(q);
    assert_true(workqueue_next_due(q) == clock_monotonic(&c.base) + MSECONDS(5));
    workqueue_close(q);
}

static void a_result_may_ask_to_run_again_later(void **state UNUSED) {
    struct run r;
    struct clock_virtual c;
    struct workqueue *q = driven(&r, &c);
    r.again_after = SECONDS(1);
    workqueue_add(q, "a");
    workqueue_run_one(q);
    assert_true(workqueue_next_due(q) == 1000 + SECONDS(1));
    workqueue_close(q);
}

/* ---- a queue with threads ---- */

static atomic_int running[50], total;

static struct work_result exclusive(const char *key, void *arg UNUSED) {
    int *calls = arg;
    long i = strtol(key, NULL, 10);
    if (atomic_fetch_add(&running[i], 1) != 0) __atomic_store_n(calls, 1, __ATOMIC_RELAXED); /* two at a time */
    usleep(200);
    atomic_fetch_sub(&running[i], 1);
    atomic_fetch_add(&total, 1);
    return (struct work_result){0};
}

static void threads_never_run_one_key_twice_at_a_time(void **state UNUSED) {
    int broken = 0;
    char key[16];
    struct workqueue *q = workqueue_new(&(struct workqueue_config){.name = "test", .threads = 4, .run = exclusive, .arg = &broken});
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 50; i++) {
            snprintf(key, sizeof(key), "%d", i);
            workqueue_add_after(q, key, round % 3 ? 0 : MSECONDS(i % 7));
        }
    for (int i = 0; i < 2000 && (workqueue_depth(q) > 0 || workqueue_next_due(q) != INT64_MAX); i++) usleep(1000);
    assert_int_equal(workqueue_depth(q), 0);
    workqueue_close(q);
    assert_int_equal(broken, 0);
    assert_true(total >= 50);
}

static void a_delayed_key_runs_by_itself(void **state UNUSED) {
    int broken = 0;
    total = 0;
    struct workqueue *q = workqueue_new(&(struct workqueue_config){.name = "test", .threads = 2, .run = exclusive, .arg = &broken});
    workqueue_add_after(q, "2", MSECONDS(60));
    workqueue_add_after(q, "1", MSECONDS(20));
    for (int i = 0; i < 2000 && total < 2; i++) usleep(1000);
    assert_int_equal(total, 2);
    workqueue_close(q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_runs_everything_on_no_more_threads_than_allowed),
        cmocka_unit_test(keys_run_once_in_the_order_in_which_they_were_added),
        cmocka_unit_test(a_key_added_while_it_runs_runs_again),
        cmocka_unit_test(of_two_delays_the_earlier_one_counts),
        cmocka_unit_test(failures_back_off_exponentially_until_success_or_forgetting),
        cmocka_unit_test(a_result_may_ask_to_run_again_later),
        cmocka_unit_test(threads_never_run_one_key_twice_at_a_time),
        cmocka_unit_test(a_delayed_key_runs_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
