#include "sim.h"
#include "controllers/job.h"

#define J (&resource_batch_jobs)
static const struct controller *const which[] = {&job_controller, &ttl_after_finished_controller, NULL};
static struct sim sim, *s = &sim;

static int setup(void **state UNUSED) {
    sim_open(s, which);
    sim_node(s, "n1");
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}

static bool succeed(struct sim *unused UNUSED, const struct json *pod UNUSED, int *code, int64_t *after) {
    *code = 0;
    *after = SECONDS(2);
    return true;
}
static bool break_down(struct sim *unused UNUSED, const struct json *pod UNUSED, int *code, int64_t *after) {
    *code = 42;
    *after = SECONDS(1);
    return true;
}
static bool only_index_0_succeeds(struct sim *unused UNUSED, const struct json *pod, int *code, int64_t *after) {
    *after = SECONDS(1);
    *code = !str_eq(object_annotation(pod, JOB_INDEX), "0");
    return true;
}
static bool only_index_0_ends(struct sim *unused UNUSED, const struct json *pod, int *code, int64_t *after) {
    *after = SECONDS(1);
    *code = 0;
    return str_eq(object_annotation(pod, JOB_INDEX), "0");
}
static bool now_and_then(struct sim *sim_, const struct json *pod UNUSED, int *code, int64_t *after) {
    *after = MSECONDS((int64_t)(sim_random(sim_) % 3000));
    *code = sim_random(sim_) % 4 == 0;
    return true;
}

static void job(const char *spec) {
    const struct json *more = sim_json(s, spec), *o = sim_json(s, "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'a','image':'i'}]}}}}");
    JSON_EACH_MEMBER(m, more) o = json_with(&s->arena, o, arena_printf(&s->arena, "spec.%s", m->key), &m->value);
    sim_create(s, J, o);
}
static bool has_finalizer(const struct json *o) { return object_has_finalizer(o, JOB_FINALIZER); }
static const char *status(const char *path) { return json_str(sim_get(s, J, "j"), path); }

static void a_job_completes(void **state UNUSED) {
    s->ends = succeed;
    job("{}");
    sim_run(s, 8);
    sim_assert_int(s, J, "j", "status.succeeded", 1);
    sim_assert_int(s, J, "j", "status.terminating", 0);
    sim_assert_condition(s, J, "j", "SuccessCriteriaMet", "True", "CompletionsReached");
    sim_assert_condition(s, J, "j", "Complete", "True", "CompletionsReached");
    assert_non_null(status("status.completionTime"));
    assert_int_equal(sim_count(s, &resource_pods, has_finalizer), 0);
    assert_true(sim_event(s, "Completed", "Job completed"));
}

static void failures_end_a_job_at_its_limit(void **state UNUSED) {
    s->ends = break_down;
    job("{'backoffLimit':1}");
    sim_run(s, 8);
    sim_assert_int(s, J, "j", "status.failed", 1); /* the second pod waits ten seconds */
    sim_run(s, 20);
    sim_assert_int(s, J, "j", "status.failed", 2);
    sim_assert_condition(s, J, "j", "Failed", "True", "BackoffLimitExceeded");
    assert_true(sim_event(s, "BackoffLimitExceeded", "Job has reached the specified backoff limit"));
}

static void indexes_are_written_as_ranges(void **state UNUSED) {
    s->ends = succeed;
    job("{'completions':3,'parallelism':3,'completionMode':'Indexed'}");
    sim_run(s, 8);
    assert_string_equal(status("status.completedIndexes"), "0-2");
    sim_assert_condition(s, J, "j", "Complete", "True", "CompletionsReached");
}

static void failed_indexes_fail_the_job_when_all_are_done(void **state UNUSED) {
    s->ends = only_index_0_succeeds;
    job("{'completions':3,'parallelism':3,'completionMode':'Indexed','backoffLimitPerIndex':1}");
    sim_run(s, 40);
    assert_string_equal(status("status.completedIndexes"), "0");
    assert_string_equal(status("status.failedIndexes"), "1,2");
    sim_assert_int(s, J, "j", "status.failed", 4);
    sim_assert_condition(s, J, "j", "Failed", "True", "FailedIndexes");
}

static void a_success_policy_ends_the_other_pods(void **state UNUSED) {
    s->ends = only_index_0_ends;
    job("{'completions':3,'parallelism':3,'completionMode':'Indexed','successPolicy':{'rules':[{'succeededIndexes':'0'}]}}");
    sim_run(s, 10);
    sim_assert_condition(s, J, "j", "Complete", "True", "SuccessPolicy");
    assert_string_equal(json_str(condition_find(sim_get(s, J, "j"), "Complete"), "message"), "Matched rules at index 0");
    assert_int_equal(sim_count(s, &resource_pods, NULL), 1);
    sim_assert_int(s, J, "j", "status.failed", 0);
}

static void a_failure_policy_fails_the_job_at_once(void **state UNUSED) {
    s->ends = break_down;
    job("{'backoffLimit':3,'podFailurePolicy':{'rules':[{'action':'FailJob','onExitCodes':{'operator':'In','values':[42]}}]}}");
    sim_run(s, 8);
    sim_assert_condition(s, J, "j", "Failed", "True", "PodFailurePolicy");
    assert_true(sim_event(s, "PodFailurePolicy", "Container a for pod default/j-"));
}

static void ignored_failures_do_not_count(void **state UNUSED) {
    s->ends = break_down;
    job("{'backoffLimit':0,'podFailurePolicy':{'rules':[{'action':'Ignore','onExitCodes':{'operator':'In','values':[42]}}]}}");
    sim_run(s, 30);
    sim_assert_int(s, J, "j", "status.failed", 0);
    assert_true(sim_count(s, &resource_pods, NULL) >= 2);
}

static void a_deadline_ends_a_job(void **state UNUSED) {
    job("{'activeDeadlineSeconds':4}");
    sim_run(s, 10);
    sim_assert_condition(s, J, "j", "Failed", "True", "DeadlineExceeded");
    sim_assert_int(s, J, "j", "status.failed", 1);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 0);
}

static void a_suspended_job_has_no_pods_until_resumed(void **state UNUSED) {
    s->ends = succeed;
    job("{'suspend':true}");
    sim_run(s, 3);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 0);
    sim_assert_condition(s, J, "j", "Suspended", "True", "JobSuspended");
    assert_null(status("status.startTime"));
    sim_patch(s, J, "j", sim_json(s, "{'spec':{'suspend':false}}"));
    sim_run(s, 8);
    sim_assert_condition(s, J, "j", "Suspended", "False", "JobResumed");
    sim_assert_condition(s, J, "j", "Complete", "True", "CompletionsReached");
}

static void a_deleted_pod_is_replaced_only_when_it_has_failed_if_so_asked(void **state UNUSED) {
    s->stop_delay = SECONDS(4);
    job("{'podReplacementPolicy':'Failed'}");
    sim_run(s, 3);
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(s->cache, &resource_pods, "default", &pods);
    sim_delete(s, &resource_pods, doc_name(pods.items[0]));
    sim_run(s, 2);
    sim_assert_int(s, J, "j", "status.terminating", 1);
    sim_assert_int(s, J, "j", "status.active", 0);
    sim_run(s, 4);
    sim_assert_int(s, J, "j", "status.failed", 1);
    sim_assert_int(s, J, "j", "status.active", 0); /* back-off */
    sim_run(s, 15);
    sim_assert_int(s, J, "j", "status.active", 1);
}

static void less_parallelism_removes_pods(void **state UNUSED) {
    job("{'completions':5,'parallelism':2}");
    sim_run(s, 3);
    sim_assert_int(s, J, "j", "status.ready", 2);
    sim_patch(s, J, "j", sim_json(s, "{'spec':{'parallelism':1}}"));
    sim_run(s, 4);
    sim_assert_int(s, J, "j", "status.active", 1);
    sim_assert_int(s, J, "j", "status.failed", 0);
}

static void a_finished_job_goes_after_its_time_to_live(void **state UNUSED) {
    s->ends = succeed;
    job("{'ttlSecondsAfterFinished':5}");
    sim_run(s, 6);
    assert_non_null(sim_get(s, J, "j"));
    sim_run(s, 8);
    const struct json *gone = sim_get(s, J, "j");
    assert_true(!gone || object_deleting(gone)); /* Foreground: the garbage collector is not here */
}

static void pods_of_a_deleted_job_lose_the_finalizer(void **state UNUSED) {
    job("{}");
    sim_run(s, 3);
    sim_delete(s, J, "j");
    sim_run(s, 2);
    assert_int_equal(sim_count(s, &resource_pods, has_finalizer), 0);
}

static void every_success_is_counted_once_whatever_happens(void **state UNUSED) {
    s->ends = now_and_then;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        s->random = seed;
        job("{'completions':12,'parallelism':4,'backoffLimit':1000}");
        for (int i = 0; i < 60; i++) {
            cleanup_doc_list struct doc_list pods = {0};
            sim_run(s, 30);
            cache_list(s->cache, &resource_pods, "default", &pods);
            if (pods.len && sim_random(s) % 3 == 0) sim_remove(s, pods.items[sim_random(s) % pods.len]);
        }
        sim_assert_int(s, J, "j", "status.succeeded", 12);
        sim_assert_condition(s, J, "j", "Complete", "True", "CompletionsReached");
        sim_delete(s, J, "j");
        sim_run(s, 1);
        cleanup_doc_list struct doc_list left = {0};
        cache_list(s->cache, &resource_pods, "default", &left);
        for (size_t i = 0; i < left.len; i++) sim_remove(s, left.items[i]);
        sim_run(s, 1);
    }
}

static void index_sets_join_and_print(void **state UNUSED) {
    struct arena *a = &s->arena;
    struct indexes x = indexes_parse(a, "1,3-5,9", 9);
    assert_string_equal(indexes_text(a, x), "1,3-5");
    assert_string_equal(indexes_text(a, indexes_with(a, x, 2)), "1-5");
    assert_string_equal(indexes_text(a, indexes_with(a, indexes_with(a, x, 7), 8)), "1,3-5,7,8");
    assert_int_equal(indexes_total(x), 4);
    assert_int_equal(indexes_common(x, indexes_parse(a, "0-3", 9)), 2);
    assert_true(indexes_has(x, 4) && !indexes_has(x, 2));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_job_completes), T(failures_end_a_job_at_its_limit), T(indexes_are_written_as_ranges), T(failed_indexes_fail_the_job_when_all_are_done),
        T(a_success_policy_ends_the_other_pods), T(a_failure_policy_fails_the_job_at_once), T(ignored_failures_do_not_count), T(a_deadline_ends_a_job),
        T(a_suspended_job_has_no_pods_until_resumed), T(a_deleted_pod_is_replaced_only_when_it_has_failed_if_so_asked), T(less_parallelism_removes_pods),
        T(a_finished_job_goes_after_its_time_to_live), T(pods_of_a_deleted_job_lose_the_finalizer), T(every_success_is_counted_once_whatever_happens),
        T(index_sets_join_and_print)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
