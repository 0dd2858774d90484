/* Priority and fairness: over HTTP, on a server in memory whose level "narrow" has three seats and one place to wait. */
#include "apiserver/flow.h"
#include "net_fixture.h"

struct server {
    struct store *store;
    struct apiserver *api;
    struct flow_level *level;
    struct fixture http;
    struct arena arena;
};

static struct error *create(struct server *s, const struct resource *r, const char *text) {
    static const char *const groups[] = {"system:masters", NULL};
    struct apiserver_answer a = {0};
    const struct json *body;
    char *quoted = arena_strdup(&s->arena, text);
    for (char *p = quoted; *p; p++) *p = (char)(*p == '\'' ? '"' : *p);
    OK(json_parse(&s->arena, quoted, strlen(quoted), NULL, NULL, &body));
    struct apiserver_call c = {.user = "admin", .groups = groups, .verb = "create", .resource = r, .body = body};
    struct error *e = apiserver_call(s->api, &c, &a);
    doc_unref(a.doc);
    return e;
}

static int setup(void **state) {
    struct server *s = *state = xcalloc(1, sizeof(*s));
    schema_init();
    OK(store_open(&(struct store_config){.backend = "memory", .synchronous = true}, &s->store));
    OK(apiserver_new(&(struct apiserver_config){.store = s->store, .issuer = "https://kubernetes.default.svc", .anonymous = true}, &s->api));
    OK(create(s, &resource_flowcontrol_prioritylevelconfigurations,
              "{'metadata':{'name':'narrow'},'spec':{'type':'Limited','limited':{'nominalConcurrencyShares':1,'borrowingLimitPercent':0,"
              "'limitResponse':{'type':'Queue','queuing':{'queues':1,'handSize':1,'queueLengthLimit':1}}}}}"));
    OK(create(s, &resource_flowcontrol_flowschemas,
              "{'metadata':{'name':'versions'},'spec':{'priorityLevelConfiguration':{'name':'narrow'},'matchingPrecedence':3,'rules':[{'subjects':"
              "[{'kind':'Group','group':{'name':'*'}}],'nonResourceRules':[{'verbs':['get'],'nonResourceURLs':['/version']}]}]}}"));
    fixture_up(&s->http, false, (struct http_server_config){.handler = apiserver_handle, .arg = s->api});
    char *first = exchange_text(s->http.port, "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(str_starts(first, "HTTP/1.1 200"));
    free(first);
    pthread_mutex_lock(&s->api->flow->lock);
    s->level = flow_level_named(s->api->flow, "narrow");
    pthread_mutex_unlock(&s->api->flow->lock);
    return 0;
}

static int teardown(void **state) {
    struct server *s = *state;
    apiserver_shutdown(s->api);
    fixture_down(&s->http);
    apiserver_free(s->api);
    store_close(s->store);
    arena_free(&s->arena);
    free(s);
    return 0;
}

static int ask(struct server *s, const char *path) {
    char text[200];
    int fd = dial(s->http.port);
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    send_text(fd, text);
    return fd;
}

static void expect(int fd, const char *status, const char *part) {
    char *answer = receive(fd, NULL);
    if (!str_starts(answer, status) || !strstr(answer, part)) fail_msg("%s", answer);
    free(answer);
    close(fd);
}

static void take_all(struct server *s) {
    enum flow_refusal why;
    for (int i = 0; i < 3; i++) assert_int_equal(flow_take(s->api->flow, s->level, NULL, &why), FLOW_GO);
}
static void give_back(struct server *s, int n) {
    while (n-- > 0) flow_give_back(s->api->flow, s->level);
}

static void wait_queued(struct server *s, unsigned n) {
    for (int i = 0; i < 5000 && atomic_load(&s->level->queued) != n; i++) usleep(1000);
    assert_int_equal(atomic_load(&s->level->queued), n);
}

static void an_answer_names_schema_and_level(void **state) {
    struct server *s = *state;
    cleanup_doc struct doc *schema = store_get(s->store, store_table(s->store, "flowschemas"), "versions");
    assert_non_null(schema);
    char header[100];
    snprintf(header, sizeof(header), "X-Kubernetes-Pf-Flowschema-Uid: %s", doc_uid(schema));
    expect(ask(s, "/version"), "HTTP/1.1 200", header);
    assert_int_equal(s->level->nominal, 3);
    assert_int_equal(atomic_load(&s->level->used), 0);
}

static void who_finds_no_seat_waits_for_one(void **state) {
    struct server *s = *state;
    take_all(s);
    int first = ask(s, "/version");
    wait_queued(s, 1);
    expect(ask(s, "/version"), "HTTP/1.1 429", "Too many requests, please try again later.\n"); /* the queue is full */
    expect(ask(s, "/healthz"), "HTTP/1.1 200", "ok");                                               /* another level */
    give_back(s, 1);
    expect(first, "HTTP/1.1 200", "gitVersion");
    give_back(s, 2);
    wait_queued(s, 0);
    assert_int_equal(atomic_load(&s->level->used), 0);
}

static void nobody_waits_for_ever(void **state) {
    struct server *s = *state;
    s->api->flow->wait_limit = MSECONDS(50);
    take_all(s);
    expect(ask(s, "/version"), "HTTP/1.1 429", "Retry-After: 1");
    give_back(s, 3);
    s->api->flow->wait_limit = SECONDS(15);
    expect(ask(s, "/version"), "HTTP/1.1 200", "");
    cleanup_buf struct buf text = {0};
    flow_metrics(s->api->flow, &text);
    assert_non_null(strstr(buf_str(&text), "rejected_requests_total{flow_schema=\"versions\",priority_level=\"narrow\",reason=\"time-out\"} 1"));
    assert_non_null(strstr(buf_str(&text), "nominal_limit_seats{priority_level=\"narrow\"} 3"));
}

static void a_server_that_stops_refuses_who_waits(void **state) {
    struct server *s = *state;
    take_all(s);
    int fd = ask(s, "/version");
    wait_queued(s, 1);
    apiserver_shutdown(s->api);
    expect(fd, "HTTP/1.1 429", "");
    give_back(s, 3);
}

static void a_level_borrows_what_others_lend(void **state) {
    struct server *s = *state;
    enum flow_refusal why;
    struct flow_level *l = flow_level_named(s->api->flow, "global-default"); /* nobody else looks now */
    unsigned n = 0;
    while (n < 1000 && atomic_load(&l->queued) == 0 && n < l->nominal + 10) {
        assert_int_equal(flow_take(s->api->flow, l, NULL, &why), FLOW_GO);
        n++;
    }
    assert_true(n > l->nominal && l->nominal > atomic_load(&l->reserve));
    while (n-- > 0) flow_give_back(s->api->flow, l);
}

static void hands_are_dealt_as_upstream_deals_them(void **state) {
    (void)state;
    static const struct { uint64_t hash; unsigned cards[4]; } rows[] = {
        {0, {0, 1, 2, 3}},                                   /* remainders 0 0 0 0 */
        {127 + 128 * (126 + 127 * (125 + 126 * UINT64_C(124))), {127, 126, 125, 124}},
        {5 + 128 * (5 + 127 * (5 + 126 * UINT64_C(0))), {5, 6, 7, 0}},
        {3 + 128 * (1 + 127 * (2 + 126 * UINT64_C(2))), {3, 1, 4, 5}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned cards[4];
        flow_deal(rows[i].hash, 128, 4, cards);
        assert_memory_equal(cards, rows[i].cards, sizeof(cards));
    }
}

static const struct json *dangling(struct doc *d) { return json_at(json_get(d->root, "status.conditions"), 0); }

static void wait_dangling(struct server *s, const char *name, const char *status) {
    for (int i = 0; i < 5000; i++) {
        cleanup_doc struct doc *d = store_get(s->store, store_table(s->store, "flowschemas"), name);
        if (d && json_str_is(dangling(d), "status", status)) return;
        usleep(1000);
    }
    fail_msg("%s does not become Dangling=%s", name, status);
}

static void a_schema_learns_later_whether_its_level_exists(void **state) {
    struct server *s = *state;
    OK(create(s, &resource_flowcontrol_flowschemas,
              "{'metadata':{'name':'lost'},'spec':{'priorityLevelConfiguration':{'name':'nowhere'},'rules':[{'subjects':[{'kind':'Group','group':{'name':'g'}}],"
              "'nonResourceRules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}]}}"));
    wait_dangling(s, "lost", "True");
    OK(create(s, &resource_flowcontrol_prioritylevelconfigurations, "{'metadata':{'name':'nowhere'},'spec':{'type':'Limited','limited':{'limitResponse':{'type':'Reject'}}}}"));
    wait_dangling(s, "lost", "False");
    cleanup_doc struct doc *d = store_get(s->store, store_table(s->store, "flowschemas"), "lost");
    assert_string_equal(json_str(dangling(d), "message"), "This FlowSchema references the PriorityLevelConfiguration object named \"nowhere\" and it exists");
    assert_string_equal(json_str(json_at(json_get(d->root, "metadata.managedFields"), 0), "manager"), "api-priority-and-fairness-config-consumer-v1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_names_schema_and_level, setup, teardown),
        cmocka_unit_test_setup_teardown(a_schema_learns_later_whether_its_level_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(who_finds_no_seat_waits_for_one, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_waits_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_stops_refuses_who_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_level_borrows_what_others_lend, setup, teardown),
        cmocka_unit_test(hands_are_dealt_as_upstream_deals_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
