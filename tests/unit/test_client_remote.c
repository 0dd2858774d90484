/* The client over HTTPS: what goes over the wire, and what comes of answers. */
#include "client/remote.h"
#include "net_fixture.h"
#include <pthread.h>

struct server {
    struct fixture net;
    struct client *client;
    struct kubeconfig config;
    pthread_mutex_t lock; /* protects what follows */
    struct buf requests;  /* "METHOD target body" of each */
    char authorization[64], content_type[64];
    int status;
    const char *answer;
    struct http_exchange *watch;
    struct buf events;
    char *closed;
};

static void handle(struct http_exchange *x, void *arg) {
    struct server *s = arg;
    static const struct http_header json[] = {{"content-type", "application/json"}};
    pthread_mutex_lock(&s->lock);
    buf_printf(&s->requests, "%s%s %s %.*s", s->requests.len ? "\n" : "", x->method, x->target, (int)x->body_len, x->body_len
               ? x->body : "");
    snprintf(s->authorization, sizeof(s->authorization), "%s", http_header(x, "authorization") ? http_header(x, "authorization")
             : "");
    snprintf(s->content_type, sizeof(s->content_type), "%s", http_header(x, "content-type") ? http_header(x, "content-type")
             : "");
    if (strstr(x->query, "watch=1") && s->status == 200) {
        http_begin(x, 200, json, 1);
        s->watch = x;
    } else http_reply(x, s->status, json, 1, s->answer, strlen(s->answer), NULL, NULL);
    pthread_mutex_unlock(&s->lock);
}

static int setup(void **state) {
    struct server *s = *state = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    fixture_up(&s->net, true, (struct http_server_config){.handler = handle, .arg = s, .max_body = 100000});
    s->config.server = arena_printf(&s->config.arena, "https://127.0.0.1:%d/prefix/", s->net.port);
    s->config.ca = s->net.ca.cert;
    s->config.token = "secret";
    s->status = 200;
    s->answer = "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\",\"resourceVersion\":\"7\"}}";
    OK(client_remote_new(&s->config, s->net.loop, "test/1", &s->client));
    return 0;
}

static int teardown(void **state) {
    struct server *s = *state;
    client_free(s->client);
    fixture_down(&s->net);
    kubeconfig_free(&s->config);
    buf_free(&s->requests);
    buf_free(&s->events);
    free(s->closed);
    free(s);
    return 0;
}

static void assert_requests(struct server *s, const char *expected) {
    pthread_mutex_lock(&s->lock);
    assert_string_equal(buf_str(&s->requests), expected);
    buf_clear(&s->requests);
    pthread_mutex_unlock(&s->lock);
}

static void an_object_is_read_with_its_revision(void **state) {
    struct server *s = *state;
    cleanup_doc struct doc *d = NULL;
    OK(client_get(s->client, &resource_pods, "ns", "x", &d));
    assert_int_equal(d->revision, 7);
    assert_string_equal(doc_name(d), "x");
    assert_requests(s, "GET /prefix/api/v1/namespaces/ns/pods/x ");
    assert_string_equal(s->authorization, "Bearer secret");
}

static void every_call_has_its_method_path_and_body(void **state) {
    struct server *s = *state;
    cleanup_arena struct arena a = {0};
    const struct json *o = json_make(&a, "{'metadata':{'name':'x'}}");
    OK(client_create(s->client, &resource_apps_replicasets, "ns", o, NULL));
    assert_requests(s, "POST /prefix/apis/apps/v1/namespaces/ns/replicasets {\"metadata\":{\"name\":\"x\"}}");
    OK(client_create_sub(s->client, &resource_pods, "ns", "x", "binding", o, NULL));
    assert_requests(s, "POST /prefix/api/v1/namespaces/ns/pods/x/binding {\"metadata\":{\"name\":\"x\"}}");
    OK(client_update(s->client, &resource_nodes, NULL, "x", "status", o, NULL));
    assert_requests(s, "PUT /prefix/api/v1/nodes/x/status {\"metadata\":{\"name\":\"x\"}}");
    OK(client_patch(s->client, &resource_nodes, NULL, "x", NULL, PATCH_STRATEGIC, o, NULL));
    assert_requests(s, "PATCH /prefix/api/v1/nodes/x {\"metadata\":{\"name\":\"x\"}}");
    assert_string_equal(s->content_type, "application/strategic-merge-patch+json");
    OK(client_delete(s->client, &resource_pods, "ns", "a b", &(struct delete_options){.grace_period = 0, .uid = "u"}));
    assert_requests(s, "DELETE /prefix/api/v1/namespaces/ns/pods/a%20b "
                       "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"u\"}}");
}

static void elements_of_a_list_get_kind_and_version(void **state) {
    struct server *s = *state;
    cleanup_doc_list struct doc_list l = {0};
    uint64_t revision;
    s->answer =
            "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"12\"},\"items\":[{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\"}}]}";
    OK(client_list(s->client, &resource_pods, NULL, "app=web", "spec.nodeName=n1", &l, &revision));
    assert_int_equal(revision, 12);
    assert_int_equal(l.len, 1);
    assert_int_equal(l.items[0]->revision, 9);
    assert_string_equal(json_str(l.items[0]->root, "kind"), "Pod");
    assert_string_equal(json_str(l.items[0]->root, "apiVersion"), "v1");
    assert_requests(s, "GET /prefix/api/v1/pods?labelSelector=app%3Dweb&fieldSelector=spec.nodeName%3Dn1 ");
}

static void a_status_comes_back_as_the_error_it_was(void **state) {
    struct server *s = *state;
    struct doc *d = NULL;
    s->status = 404;
    s->answer =
            "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\",\"code\":404}";
    cleanup_error struct error *e = client_get(s->client, &resource_pods, "ns", "x", &d);
    assert_true(error_is(e, "NotFound"));
    assert_string_equal(e->message, "pods \"x\" not found");
    s->status = 502;
    s->answer = "bad gateway";
    cleanup_error struct error *odd = client_get(s->client, &resource_pods, "ns", "x", &d);
    assert_int_equal(odd->code, 502);
    assert_non_null(strstr(odd->message, "bad gateway"));
}

static void a_server_that_is_not_there_is_an_error(void **state) {
    struct server *s = *state;
    struct client *c;
    struct doc *d = NULL;
    OK(client_remote_new(&(struct kubeconfig){.server = "https://127.0.0.1:1"}, s->net.loop, "test", &c));
    cleanup_error struct error *e = client_get(c, &resource_pods, "ns", "x", &d);
    assert_non_null(strstr(e->message, "connection refused"));
    client_free(c);
    cleanup_error struct error *url = client_remote_new(&(struct kubeconfig){.server = "ftp://x"}, s->net.loop, "test", &c);
    assert_non_null(strstr(url->message, "https://"));
}

static void an_untrusted_server_is_refused(void **state) {
    struct server *s = *state;
    struct client *c;
    struct doc *d = NULL;
    struct pki_pair other = new_ca("other");
    struct kubeconfig k = s->config;
    k.ca = other.cert;
    OK(client_remote_new(&k, s->net.loop, "test", &c));
    cleanup_error struct error *e = client_get(c, &resource_pods, "ns", "x", &d);
    assert_non_null(strstr(e->message, "certificate"));
    client_free(c);
    pki_pair_free(&other);
}

/* ---- watches ---- */

static void on_event(enum watch_type type, struct doc *d, void *arg) {
    struct server *s = arg;
    pthread_mutex_lock(&s->lock);
    buf_printf(&s->events, "%d:%s@%d ", (int)type, doc_name(d), (int)d->revision);
    pthread_mutex_unlock(&s->lock);
}

static void on_watch_closed(const struct error *e, void *arg) {
    struct server *s = arg;
    pthread_mutex_lock(&s->lock);
    s->closed = xstrdup(e ? e->reason ? e->reason : e->message : "end");
    pthread_mutex_unlock(&s->lock);
}

struct piece { struct server *server; const char *text; };
static void send_piece(void *arg) {
    const struct piece *p = arg;
    if (p->text) http_write(p->server->watch, p->text, strlen(p->text), NULL, NULL);
    else http_end(p->server->watch);
}

static void await_text(struct server *s, const char *events, const char *closed) {
    bool there = false;
    for (int i = 0; i < 5000 && !there; i++) {
        pthread_mutex_lock(&s->lock);
        there = (!events || strcmp(buf_str(&s->events), events) == 0) && (!closed || (s->closed && strcmp(s->closed,
                closed) == 0));
        pthread_mutex_unlock(&s->lock);
        usleep(1000);
    }
    if (!there) fail_msg("events \"%s\", end \"%s\"", buf_str(&s->events), s->closed ? s->closed : "");
}

static struct client_watch *start_watch(struct server *s, uint64_t from) {
    struct client_watch *w;
    OK(client_watch_start(s->client, &resource_pods, NULL, NULL, from, &(struct client_watcher){on_event, on_watch_closed, s},
                          &w));
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&s->lock);
        bool open = s->watch || s->closed;
        pthread_mutex_unlock(&s->lock);
        if (open) break;
        usleep(1000);
    }
    return w;
}

static void events_come_however_they_are_cut(void **state) {
    struct server *s = *state;
    struct client_watch *w = start_watch(s, 3);
    struct piece pieces[] = {
        {s, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"resour"},
        {s, "ceVersion\":\"4\"}}}\n{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"5\"}}}\n"},
        {s, "{\"type\":\"DELETED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"6\"}}}\n"},
        {s, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        loop_post(s->net.loop, send_piece, &pieces[i]);
        usleep(20000);
    }
    await_text(s, "0:x@4 2:x@6 ", "end");
    assert_non_null(strstr(buf_str(&s->requests), "GET /prefix/api/v1/pods?watch=1&resourceVersion=3&timeoutSeconds="));
    client_watch_close(s->client, w);
}

static void an_error_event_ends_the_watch(void **state) {
    struct server *s = *state;
    struct client_watch *w = start_watch(s, 3);
    struct piece pieces[] =
            {{s,
                    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410,\"message\":\"too old\"}}\n"}, {s, NULL}};
    loop_post(s->net.loop, send_piece, &pieces[0]);
    await_text(s, NULL, "Expired");
    loop_post(s->net.loop, send_piece, &pieces[1]);
    client_watch_close(s->client, w);
}

static void a_refused_watch_says_why(void **state) {
    struct server *s = *state;
    s->status = 410;
    s->answer = "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410,\"message\":\"too old\"}";
    struct client_watch *w = start_watch(s, 3);
    await_text(s, NULL, "Expired");
    client_watch_close(s->client, w);
}

static void closing_a_watch_ends_the_request(void **state) {
    struct server *s = *state;
    struct client_watch *w = start_watch(s, 3);
    client_watch_close(s->client, w);
    struct piece end = {s, NULL};
    loop_post(s->net.loop, send_piece, &end);
    usleep(20000);
    assert_null(s->closed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_object_is_read_with_its_revision),
        TEST(every_call_has_its_method_path_and_body),
        TEST(elements_of_a_list_get_kind_and_version),
        TEST(a_status_comes_back_as_the_error_it_was),
        TEST(a_server_that_is_not_there_is_an_error),
        TEST(an_untrusted_server_is_refused),
        TEST(events_come_however_they_are_cut),
        TEST(an_error_event_ends_the_watch),
        TEST(a_refused_watch_says_why),
        TEST(closing_a_watch_ends_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
