/* Cron jobs, autoscalers, disruption budgets, the pod garbage collector. */
#include "sim.h"
#include "controllers/cron_schedule.h"

#define C (&resource_batch_cronjobs)
#define J (&resource_batch_jobs)
#define D (&resource_apps_deployments)
#define H (&resource_autoscaling_horizontalpodautoscalers)
#define B (&resource_policy_poddisruptionbudgets)

static const struct controller *const which[] = {&cronjob_controller, &job_controller, &deployment_controller, &replicaset_controller, &disruption_controller,
                                                 &horizontal_pod_autoscaler_controller, &pod_garbage_collector_controller, NULL};
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

/* ---- schedules ---- */

static const char *next(const char *schedule, const char *zone, const char *after) {
    static char out[TIME_STRING_MAX];
    struct cron_schedule c;
    struct zone *z;
    int64_t t;
    assert_true(time_parse(after, &t));
    assert_true(zone_load(&s->arena, zone, &z));
    sim_ok(cron_parse(&s->arena, schedule, z, &c));
    t = cron_next(&c, t / NSEC_PER_SEC);
    return t ? time_format(out, SECONDS(t)) : "never";
}

static void schedules_find_their_next_time(void **state UNUSED) {
    static const char *const cases[][4] = {
        {"* * * * *", "", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"},
        {"*/15 * * * *", "", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"},
        {"0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"0 0 31 2 *", "", "2026-01-01T00:00:00Z", "never"},
        {"30 9 * * mon-fri", "", "2026-01-02T10:00:00Z", "2026-01-05T09:30:00Z"},
        {"0 0 13 * 5", "", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
        {"5/20 1,2 * JAN *", "", "2026-01-01T02:45:00Z", "2026-01-02T01:05:00Z"},
        {"@hourly", "", "2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z"},
        {"@every 90s", "", "2026-01-01T00:00:01Z", "2026-01-01T00:01:31Z"},
        {"0 12 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00Z"},
        {"0 12 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00Z"},
        {"0 12 * * *", "America/New_York", "2045-07-01T00:00:00Z", "2045-07-01T16:00:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"}, /* 2:30 is left out on the 29th */
        {"TZ=Asia/Kolkata 0 0 * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(next(cases[i][0], cases[i][1], cases[i][2]), cases[i][3]);
}

static void bad_schedules_are_refused(void **state UNUSED) {
    static const char *const bad[] = {"* * * *", "60 * * * *", "* * 0 * *", "* * * * 7", "a * * * *", "5-1 * * * *", "*/0 * * * *", "@never", "@every x", "TZ=No/Where * * * * *"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct cron_schedule c;
        struct error *e = cron_parse(&s->arena, bad[i], NULL, &c);
        if (!e) fail_msg("%s was taken", bad[i]);
        error_free(e);
    }
    struct zone *z;
    assert_false(zone_load(&s->arena, "../../etc/passwd", &z));
}

/* ---- cron jobs ---- */

static bool succeed(struct sim *unused UNUSED, const struct json *pod UNUSED, int *code, int64_t *after) {
    *code = 0;
    *after = SECONDS(2);
    return true;
}

static void cron(const char *more) {
    const struct json *o = sim_json(s, "{'metadata':{'name':'cj'},'spec':{'schedule':'* * * * *','jobTemplate':{'metadata':{'labels':{'t':'1'}},'spec':{'template':{'spec':"
                                       "{'restartPolicy':'Never','containers':[{'name':'a','image':'i'}]}}}}}}");
    const struct json *members = sim_json(s, more);
    JSON_EACH_MEMBER(m, members) o = json_with(&s->arena, o, arena_printf(&s->arena, "spec.%s", m->key), &m->value);
    sim_create(s, C, o);
}

static void a_cron_job_runs_every_minute_and_keeps_three(void **state UNUSED) {
    s->ends = succeed;
    cron("{}");
    sim_run(s, 5 * 60 + 30);
    assert_int_equal(sim_count(s, J, NULL), 3);
    const struct json *o = sim_get(s, C, "cj");
    assert_non_null(json_str(o, "status.lastSuccessfulTime"));
    assert_int_equal(json_len(json_get(o, "status.active")), 0);
    assert_true(sim_event(s, "SuccessfulCreate", "Created job cj-"));
    assert_true(sim_event(s, "SawCompletedJob", "Saw completed job: cj-"));
    assert_true(sim_event(s, "SuccessfulDelete", "Deleted job cj-"));
}

static void concurrency_policies_differ(void **state UNUSED) {
    cron("{'concurrencyPolicy':'Forbid'}");
    sim_run(s, 150);
    assert_int_equal(sim_count(s, J, NULL), 1);
    assert_true(sim_event(s, "JobAlreadyActive", "Not starting job because prior execution is running"));
    sim_patch(s, C, "cj", sim_json(s, "{'spec':{'concurrencyPolicy':'Allow'}}"));
    sim_run(s, 120);
    assert_true(sim_count(s, J, NULL) >= 3);
}

static void a_suspended_cron_job_rests(void **state UNUSED) {
    cron("{'suspend':true}");
    sim_run(s, 150);
    assert_int_equal(sim_count(s, J, NULL), 0);
}

static void a_schedule_without_times_is_told(void **state UNUSED) {
    cron("{'schedule':'0 0 31 2 *'}");
    sim_run(s, 2);
    assert_true(sim_event(s, "InvalidSchedule", "invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second"));
}

/* ---- autoscalers ---- */

static void web(int replicas) {
    sim_create(s, D, SIM_JSON(s, "{'metadata':{'name':'web'},'spec':{'replicas':%d,'selector':{'matchLabels':{'app':'x'}},'template':{'metadata':{'labels':{'app':'x'}},"
                                 "'spec':{'containers':[{'name':'a','image':'i','resources':{'requests':{'cpu':'10m'}}}]}}}}", replicas));
    sim_run(s, 4);
}
static void autoscaler(int min) {
    sim_create(s, H, SIM_JSON(s, "{'metadata':{'name':'h'},'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'},'minReplicas':%d,'maxReplicas':3,"
                                 "'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':50}}}]}}", min));
    sim_run(s, 3);
}

static void without_metrics_an_autoscaler_says_so(void **state UNUSED) {
    web(1);
    autoscaler(1);
    sim_assert_condition(s, H, "h", "AbleToScale", "True", "SucceededGetScale");
    sim_assert_condition(s, H, "h", "ScalingActive", "False", "FailedGetResourceMetric");
    sim_assert_int(s, H, "h", "status.currentReplicas", 1);
    assert_true(sim_event(s, "FailedComputeMetricsReplicas", "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: failed to get cpu utilization: "));
}

static void the_minimum_needs_no_metrics(void **state UNUSED) {
    web(1);
    autoscaler(2);
    sim_assert_condition(s, H, "h", "AbleToScale", "True", "SucceededRescale");
    sim_assert_int(s, H, "h", "status.desiredReplicas", 2);
    sim_assert_int(s, D, "web", "spec.replicas", 2);
    assert_true(sim_event(s, "SuccessfulRescale", "New size: 2; reason: Current number of replicas below Spec.MinReplicas"));
}

static void an_absent_target_is_told(void **state UNUSED) {
    autoscaler(1);
    sim_assert_condition(s, H, "h", "AbleToScale", "False", "FailedGetScale");
    assert_true(sim_event(s, "FailedGetScale", "deployments.apps \"web\" not found"));
}

/* ---- budgets ---- */

static void budget(const char *spec) {
    sim_create(s, B, SIM_JSON(s, "{'metadata':{'name':'b'},'spec':%v}", json_with(&s->arena, sim_json(s, spec), "selector.matchLabels.app", json_string(&s->arena, "x"))));
    sim_run(s, 2);
}

static void budgets_count_pods_and_scales(void **state UNUSED) {
    web(3);
    budget("{'maxUnavailable':'30%'}");
    sim_assert_int(s, B, "b", "status.disruptionsAllowed", 1);
    sim_assert_int(s, B, "b", "status.desiredHealthy", 2);
    sim_assert_int(s, B, "b", "status.expectedPods", 3);
    sim_assert_condition(s, B, "b", "DisruptionAllowed", "True", "SufficientPods");
}

static void a_budget_without_pods_allows_nothing(void **state UNUSED) {
    budget("{'minAvailable':1}");
    sim_assert_int(s, B, "b", "status.desiredHealthy", 1);
    sim_assert_condition(s, B, "b", "DisruptionAllowed", "False", "InsufficientPods");
    assert_true(sim_event(s, "NoPods", "No matching pods found"));
}

static void evictions_use_up_the_budget(void **state UNUSED) {
    web(2);
    budget("{'minAvailable':1}");
    s->stop_delay = SECONDS(20);
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(s->cache, &resource_pods, "default", &pods);
    for (size_t i = 0; i < 2; i++) {
        const struct json *eviction = SIM_JSON(s, "{'apiVersion':'policy/v1','kind':'Eviction','metadata':{'name':%s}}", doc_name(pods.items[i]));
        struct error *e = client_create_sub(s->client, &resource_pods, "default", doc_name(pods.items[i]), "eviction", eviction, NULL);
        assert_true(i == 0 ? e == NULL : error_is(e, "TooManyRequests"));
        error_free(e);
    }
    sim_run(s, 1);
    sim_assert_int(s, B, "b", "status.disruptionsAllowed", 0);
}

/* ---- the pod garbage collector ---- */

static void pods_on_a_lost_node_are_collected(void **state UNUSED) {
    web(1);
    sim_delete(s, &resource_nodes, "n1");
    sim_run(s, 20);
    assert_int_equal(sim_count(s, &resource_pods, NULL), 1);
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(s->cache, &resource_pods, "default", &pods);
    sim_run(s, 30);
    assert_null(sim_get(s, &resource_pods, doc_name(pods.items[0])));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(schedules_find_their_next_time), T(bad_schedules_are_refused), T(a_cron_job_runs_every_minute_and_keeps_three), T(concurrency_policies_differ),
        T(a_suspended_cron_job_rests), T(a_schedule_without_times_is_told), T(without_metrics_an_autoscaler_says_so), T(the_minimum_needs_no_metrics),
        T(an_absent_target_is_told), T(budgets_count_pods_and_scales), T(a_budget_without_pods_allows_nothing), T(evictions_use_up_the_budget),
        T(pods_on_a_lost_node_are_collected)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
