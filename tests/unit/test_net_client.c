/* The HTTP client against the HTTP server, and against a socket that misbehaves. */
#include "base/str.h"
#include "net/http_client.h"
#include "net/http_proxy.h"
#include "net/remotecommand.h"
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static struct http_client *client;
static struct http_server *server;
static struct net_target target;

/* ---- echoing streams ---- */

struct echo {
    bool ended;
};

static void echo_data(struct stream *s, const void *p, size_t n, void *arg) {
    struct echo *e = arg;
    e->ended = n == 0;
    if (n > 0) stream_write(s, p, n);
    else if (stream_pending(s) == 0) stream_close(s);
    else stream_shutdown(s);
}

static void echo_drained(struct stream *s, void *arg) {
    struct echo *e = arg;
    if (e->ended) stream_close(s);
}

static void echo_closed(struct stream *s, const struct error *error, void *arg) {
    (void)s, (void)error;
    free(arg);
}

static void reply_text(struct http_exchange *x, int status, const char *text) {
    http_reply(x, status, &(struct http_header){"content-type", "text/plain"}, 1, text, strlen(text), NULL, NULL);
}

static void handle(struct http_exchange *x, void *arg) {
    (void)arg;
    if (strcmp(x->path, "/echo") == 0)
        return http_reply(x, 201, &(struct http_header){"x-method", x->method}, 1, x->body, x->body_len, NULL, NULL);
    if (strcmp(x->path, "/host") == 0) return reply_text(x, 200, x->host);
    if (strcmp(x->path, "/slow") == 0) return; /* never answers; ends with the client */
    if (strcmp(x->path, "/stream") == 0) {
        http_begin(x, 200, NULL, 0);
        for (int i = 0; i < 1000; i++) http_write(x, "0123456789", 10, NULL, NULL);
        return http_end(x);
    }
    if (strcmp(x->path, "/upgrade") == 0) {
        static const struct stream_callbacks echo = {.data = echo_data, .drain = echo_drained, .closed = echo_closed};
        struct stream *s = http_upgrade(x, "echo", &(struct http_header){"x-upgraded", "yes"}, 1);
        if (s == NULL) return reply_text(x, 400, "no upgrade");
        stream_start(s, &echo, xcalloc(1, sizeof(struct echo)));
        return http_end(x);
    }
    if (str_starts(x->path, "/proxy/"))
        return http_proxy_serve(x, client, &(struct http_proxy){.target = target, .path = x->target + strlen("/proxy")});
    reply_text(x, 404, "nothing here");
}

static void on_gone(struct http_exchange *x) { http_end(x); }
static void handle_all(struct http_exchange *x, void *arg) {
    x->on_close = on_gone;
    handle(x, arg);
}

static int set_up(void **state) {
    (void)state;
    loop = loop_new("test");
    client = http_client_new(loop);
    struct error *e = http_server_start(
        &(struct http_server_config){.address = "127.0.0.1", .max_body = 1 << 20, .handler = handle_all}, &loop, 1, &server);
    assert_null(e);
    target = (struct net_target){.host = "127.0.0.1", .port = http_server_port(server)};
    return 0;
}

static atomic_bool stopped;
static void on_stopped(void *arg) {
    (void)arg;
    stopped = true;
}

static int tear_down(void **state) {
    (void)state;
    http_client_close(client);
    http_server_stop(server, 0, on_stopped, NULL);
    while (!stopped) usleep(1000);
    loop_stop(loop);
    return 0;
}

static struct http_answer fetch(struct arena *a, const char *method, const char *path, const char *body) {
    struct http_answer answer;
    assert_null(
        http_fetch(client, a,
                   &(struct http_request){
                       .target = target, .method = method, .path = path, .body = body, .body_len = body ? strlen(body) : 0},
                   0, &answer));
    return answer;
}

static void an_answer_comes_with_status_headers_and_body(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct http_answer answer = fetch(&a, "PATCH", "/echo?x=1", "some body");
    assert_int_equal(answer.status, 201);
    assert_string_equal(http_answer_header(&answer, "x-method"), "PATCH");
    assert_string_equal(answer.body, "some body");
    answer = fetch(&a, "GET", "/nowhere", NULL);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.reason, "Not Found");
}

static void connections_are_kept_and_chunked_answers_read(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    for (int i = 0; i < 20; i++) assert_int_equal(fetch(&a, "GET", "/stream", NULL).body_len, 10000);
}

static void the_host_header_names_the_target(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(fetch(&a, "GET", "/host", NULL).body, arena_printf(&a, "127.0.0.1:%d", target.port));
}

static void a_refused_connection_reads_as_gos(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct http_answer answer;
    struct error *e = http_fetch(
        client, &a, &(struct http_request){.target = {.host = "127.0.0.1", .port = 1}, .path = "/healthz"}, 0, &answer);
    assert_non_null(e);
    assert_string_equal(e->message, "Get \"http://127.0.0.1:1/healthz\": dial tcp 127.0.0.1:1: connect: connection refused");
    error_free(e);
}

static void a_silent_server_times_out(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct http_answer answer;
    struct error *e =
        http_fetch(client, &a, &(struct http_request){.target = target, .path = "/slow", .timeout = MSECONDS(30)}, 0, &answer);
    assert_int_equal(e->sys, ETIMEDOUT);
    assert_string_equal(e->message, arena_printf(&a, "Get \"http://127.0.0.1:%d/slow\": context deadline exceeded", target.port));
    error_free(e);
}

static void an_answer_beyond_the_limit_is_an_error(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct http_answer answer;
    struct error *e = http_fetch(client, &a, &(struct http_request){.target = target, .path = "/stream"}, 100, &answer);
    assert_string_equal(e->message, "the answer to GET /stream is larger than 100 bytes");
    error_free(e);
}

/* ---- upgrades ---- */

struct upgrade {
    const char *path;
    pthread_mutex_t lock; /* protects what follows */
    pthread_cond_t changed;
    struct buf got;
    bool done, upgraded;
};

static void upgrade_signal(struct upgrade *u) {
    pthread_mutex_lock(&u->lock);
    u->done = true;
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

static void upgraded_data(struct stream *s, const void *p, size_t n, void *arg) {
    struct upgrade *u = arg;
    buf_add(&u->got, p, n);
    if (n == 0) stream_close(s);
}

static void upgraded_closed(struct stream *s, const struct error *e, void *arg) {
    (void)s, (void)e;
    upgrade_signal(arg);
}

static void on_upgraded(struct http_call *k, const struct http_answer *answer, struct stream *s, void *arg) {
    static const struct stream_callbacks callbacks = {.data = upgraded_data, .closed = upgraded_closed};
    (void)k;
    struct upgrade *u = arg;
    u->upgraded = str_eq(http_answer_header(answer, "x-upgraded"), "yes");
    stream_start(s, &callbacks, u);
    stream_write(s, "ping", 4);
    stream_shutdown(s);
}

static void on_done(struct http_call *k, const struct error *e, void *arg) {
    (void)k, (void)e;
    upgrade_signal(arg);
}

static void start_upgrade(void *arg) {
    static const struct http_call_callbacks callbacks = {.upgraded = on_upgraded, .done = on_done};
    struct upgrade *u = arg;
    http_call_start(client, &(struct http_request){.target = target, .path = u->path, .upgrade = "echo"}, &callbacks, u);
}

static void upgrade_to(const char *path, bool expected) {
    struct upgrade u = {.path = path, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    loop_post(loop, start_upgrade, &u);
    pthread_mutex_lock(&u.lock);
    while (!u.done) pthread_cond_wait(&u.changed, &u.lock);
    pthread_mutex_unlock(&u.lock);
    assert_int_equal(u.upgraded, expected);
    assert_string_equal(buf_str(&u.got), expected ? "ping" : "");
    buf_free(&u.got);
}

static void an_upgrade_gives_a_stream(void **state) {
    (void)state;
    upgrade_to("/upgrade", true);
    upgrade_to("/host", false); /* an ordinary answer */
}

static void the_proxy_passes_requests_and_answers(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct http_answer answer = fetch(&a, "POST", "/proxy/echo", "through");
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.body, "through");
    assert_string_equal(http_answer_header(&answer, "x-method"), "POST");
    assert_int_equal(fetch(&a, "GET", "/proxy/stream", NULL).body_len, 10000);
    assert_int_equal(fetch(&a, "GET", "/proxy/nothing", NULL).status, 404);
}

static void the_proxy_tunnels_upgrades(void **state) {
    (void)state;
    upgrade_to("/proxy/upgrade", true);
    upgrade_to("/proxy/proxy/upgrade", true);
}

static void the_proxy_says_what_cannot_be_reached(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct net_target here = target;
    fetch(&a, "GET", "/host", NULL);
    target.port = 1;
    struct http_answer answer;
    assert_null(http_fetch(client, &a, &(struct http_request){.target = here, .path = "/proxy/x"}, 0, &answer));
    target = here;
    assert_int_equal(answer.status, 502);
    assert_string_equal(answer.body, "Get \"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused");
}

/* ---- a server that misbehaves ---- */

struct canned {
    int listener;
    const char *answers[3]; /* one per connection */
};

static void *serve_canned(void *arg) {
    struct canned *c = arg;
    for (size_t i = 0; i < 3 && c->answers[i] != NULL; i++) {
        cleanup_fd int fd = accept(c->listener, NULL, NULL);
        char request[4096];
        if (read(fd, request, sizeof request) <= 0) continue;
        if (write(fd, c->answers[i], strlen(c->answers[i])) < 0) continue;
        shutdown(fd, SHUT_WR);
        while (read(fd, request, sizeof request) > 0) continue;
    }
    return NULL;
}

/* What the client makes of the answer on a unix socket: the body or the error. */
static char *talk(struct arena *a, const char *answer_text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/coracle-test-%d", getpid());
    unlink(address.sun_path);
    struct canned c = {.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .answers = {answer_text}};
    assert_int_equal(bind(c.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(c.listener, 5), 0);
    pthread_t thread;
    pthread_create(&thread, NULL, serve_canned, &c);
    struct http_answer answer;
    struct error *e =
        http_fetch(client, a, &(struct http_request){.target = {.unix_path = address.sun_path}, .path = "/x"}, 0, &answer);
    char *out = arena_strdup(a, e != NULL ? e->message : answer.body);
    error_free(e);
    pthread_join(thread, NULL);
    close(c.listener);
    unlink(address.sun_path);
    return out;
}

static void broken_answers_are_errors(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(talk(&a, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "ok");
    assert_string_equal(talk(&a, "HTTP/1.0 200 OK\r\n\r\nuntil the end"), "until the end");
    assert_string_equal(talk(&a, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA:\r\nB: c\r\nContent-Length: 2\r\n\r\nok"),
                        "ok");
    assert_string_equal(talk(&a, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"), "Get \"http://localhost/x\": unexpected EOF");
    assert_string_equal(talk(&a, ""), "Get \"http://localhost/x\": EOF");
    assert_true(
        str_starts(talk(&a, "rubbish\r\n\r\n"), "Get \"http://localhost/x\": net/http: HTTP/1.x transport connection broken: "));
    assert_string_equal(talk(&a, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
                        "Get \"http://localhost/x\": unexpected answer 101 Switching Protocols");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_status_headers_and_body),
        cmocka_unit_test(connections_are_kept_and_chunked_answers_read),
        cmocka_unit_test(the_host_header_names_the_target),
        cmocka_unit_test(a_refused_connection_reads_as_gos),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(an_answer_beyond_the_limit_is_an_error),
        cmocka_unit_test(an_upgrade_gives_a_stream),
        cmocka_unit_test(the_proxy_passes_requests_and_answers),
        cmocka_unit_test(the_proxy_tunnels_upgrades),
        cmocka_unit_test(the_proxy_says_what_cannot_be_reached),
        cmocka_unit_test(broken_answers_are_errors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
