/* Health checks over HTTP, on a store whose disk becomes full. */
#include "apiserver/apiserver.h"
#include "net_fixture.h"
#include <stdio.h>
#include <sys/stat.h>

struct server {
    char dir[64], path[80], tokens[80];
    struct store *store;
    struct apiserver *api;
    struct fixture http;
    struct arena arena;
};

static void start(struct server *s, uint64_t max_bytes) {
    OK(store_open(&(struct store_config){.backend = "sqlite", .path = s->path, .synchronous = true, .max_bytes = max_bytes}, &s->store));
    OK(apiserver_new(&(struct apiserver_config){.store = s->store, .issuer = "https://kubernetes.default.svc", .anonymous = true, .token_auth_file = s->tokens}, &s->api));
}

static void stop(struct server *s) {
    apiserver_shutdown(s->api);
    apiserver_free(s->api);
    store_close(s->store);
}

/* The first start makes the cluster's first objects; the second has little room beside them. */
static int setup(void **state) {
    struct server *s = *state = xcalloc(1, sizeof(*s));
    struct stat st;
    schema_init();
    snprintf(s->dir, sizeof(s->dir), "/tmp/health-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/state.db", s->dir);
    snprintf(s->tokens, sizeof(s->tokens), "%s/tokens", s->dir);
    FILE *f = fopen(s->tokens, "w");
    fputs("secret,admin,1,system:masters\n", f);
    fclose(f);
    start(s, 0);
    stop(s);
    assert_int_equal(stat(s->path, &st), 0);
    start(s, (uint64_t)st.st_size + 300 * 1024);
    fixture_up(&s->http, false, (struct http_server_config){.handler = apiserver_handle, .arg = s->api});
    return 0;
}

static int teardown(void **state) {
    struct server *s = *state;
    char command[100];
    fixture_down(&s->http);
    stop(s);
    snprintf(command, sizeof(command), "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
    arena_free(&s->arena);
    free(s);
    return 0;
}

static void expect(struct server *s, const char *path, const char *status, const char *part) {
    char text[300];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nConnection: close\r\n\r\n", path);
    char *answer = exchange_text(s->http.port, text);
    if (!str_starts(answer, status) || !strstr(answer, part)) fail_msg("%s: %s", path, answer);
    free(answer);
}

static struct error *put(struct server *s, const char *name, size_t size) {
    static const char *const groups[] = {"system:masters", NULL};
    struct apiserver_answer a = {0};
    char *big = arena_calloc(&s->arena, size + 1, 1);
    memset(big, 'x', size);
    const struct json *body = json_make(&s->arena, "{'metadata':{'name':%s},'data':{'k':%s}}", name, big);
    struct apiserver_call c = {.user = "admin", .groups = groups, .verb = "create", .resource = &resource_configmaps, .ns = "default", .body = body};
    struct error *e = apiserver_call(s->api, &c, &a);
    doc_unref(a.doc);
    return e;
}

static void all_checks_are_listed(void **state) {
    expect(*state, "/readyz", "HTTP/1.1 200", "\r\n\r\nok");
    expect(*state, "/readyz", "HTTP/1.1 200", "X-Content-Type-Options: nosniff");
    expect(*state, "/readyz?verbose", "HTTP/1.1 200", "[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]etcd-readiness ok\n[+]informer-sync ok\n[+]poststarthook/");
    expect(*state, "/readyz?verbose", "HTTP/1.1 200", "[+]poststarthook/apiservice-openapiv3-controller ok\n[+]shutdown ok\nreadyz check passed\n");
    expect(*state, "/livez?verbose", "HTTP/1.1 200", "[+]etcd ok\n[+]poststarthook/");
    expect(*state, "/livez/shutdown", "HTTP/1.1 404", "404 page not found");
    expect(*state, "/readyz?verbose&exclude=etcd&exclude=z&exclude=a&exclude=z", "HTTP/1.1 200", "[+]etcd excluded: ok\n");
    expect(*state, "/readyz?verbose&exclude=etcd&exclude=z&exclude=a&exclude=z", "HTTP/1.1 200",
           "warn: some health checks cannot be excluded: no matches for \"a\",\"z\"\nreadyz check passed\n");
}

static void a_store_that_cannot_commit_is_not_well(void **state) {
    struct server *s = *state;
    cleanup_error struct error *full = put(s, "big", 900 * 1024);
    assert_non_null(full);
    expect(s, "/readyz", "HTTP/1.1 500", "[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\n");
    expect(s, "/livez", "HTTP/1.1 500", "\nlivez check failed\n");
    expect(s, "/readyz/etcd", "HTTP/1.1 500", "internal server error: the last commit failed: ");
    expect(s, "/readyz/ping", "HTTP/1.1 200", "ok");
    expect(s, "/readyz?exclude=etcd&exclude=etcd-readiness", "HTTP/1.1 200", "\r\n\r\nok");
    OK(put(s, "small", 10));
    expect(s, "/readyz/etcd", "HTTP/1.1 200", "ok");
    expect(s, "/livez", "HTTP/1.1 200", "ok");
}

static void a_server_that_stops_is_alive_but_not_ready(void **state) {
    struct server *s = *state;
    apiserver_shutdown(s->api);
    expect(s, "/livez", "HTTP/1.1 200", "ok");
    expect(s, "/readyz", "HTTP/1.1 500", "[-]shutdown failed: reason withheld\nreadyz check failed\n");
    expect(s, "/readyz/shutdown", "HTTP/1.1 500", "internal server error: process is shutting down\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_checks_are_listed),
        cmocka_unit_test(a_store_that_cannot_commit_is_not_well),
        cmocka_unit_test(a_server_that_stops_is_alive_but_not_ready),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
