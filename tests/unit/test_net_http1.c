#include "net_fixture.h"

#define LARGE (8 * 1024 * 1024)
static atomic_int closed_count;

static void count_close(struct http_exchange *x)
{
    atomic_fetch_add(&closed_count, 1);
    http_end(x);
}

static void later(void *arg)
{
    struct http_exchange *x = arg;
    http_reply(x, 200, NULL, 0, "late", 4, NULL, NULL);
}

static const char big[300000] = {1};
static atomic_int releases;
static void released(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

static void stream_data(struct stream *s, const void *p, size_t n, void *arg)
{
    (void)arg;
    if (n > 0)
        stream_write(s, p, n);
    else
        stream_close(s);
}

static void upgrade(struct http_exchange *x)
{
    static const struct stream_callbacks echo = {.data = stream_data};
    struct stream *s = http_upgrade(x, "echo", NULL, 0);
    if (s == NULL) {
        http_reply(x, 400, NULL, 0, "no", 2, NULL, NULL);
        return;
    }
    http_end(x);
    stream_start(s, &echo, NULL);
}

static void fill(struct http_exchange *x)
{
    int *left = x->user;
    if ((*left)-- > 0)
        http_write(x, big, sizeof(big), released, &releases);
    else
        http_end(x);
}

static void handler(struct http_exchange *x, void *arg)
{
    (void)arg;
    static const struct http_header type = {"content-type", "text/plain"};
    if (strcmp(x->path, "/wait") == 0) {
        x->on_close = count_close;
    } else if (strcmp(x->path, "/later") == 0) {
        loop_post(x->loop, later, x);
    } else if (strcmp(x->path, "/upgrade") == 0) {
        upgrade(x);
    } else if (strcmp(x->path, "/fill") == 0) {
        x->on_close = count_close;
        x->user = arena_dup(&x->arena, &(int){20}, sizeof(int));
        http_begin(x, 200, &type, 1);
        http_set_on_drain(x, fill);
        fill(x);
    } else if (strcmp(x->path, "/large") == 0) {
        char *p = xcalloc(1, LARGE);
        http_reply(x, 200, &type, 1, p, LARGE, free, p);
    } else if (strcmp(x->path, "/stream") == 0) {
        http_begin(x, 200, &type, 1);
        http_write(x, "one", 3, NULL, NULL);
        http_write(x, "two!", 4, NULL, NULL);
        http_end(x);
    } else {
        char *s = arena_printf(&x->arena, "[%s %s?%s host=%s x=%s body=%.*s large=%d]", x->method, x->path, x->query, x->host,
                               http_header(x, "x-test") != NULL ? http_header(x, "x-test") : "-", (int)x->body_len, x->body,
                               x->body_too_large);
        http_reply(x, 200, &type, 1, s, strlen(s), NULL, NULL);
    }
}

static void expect(int port, const char *request, const char *const *parts)
{
    cleanup_free char *a = exchange_text(port, request);
    for (; *parts != NULL; parts++)
        if (strstr(a, *parts) == NULL) fail_msg("request:\n%s\nanswer:\n%s\nlacks: %s", request, a, *parts);
}
#define EXPECT(request, ...) expect(f.port, request, (const char *const[]){__VA_ARGS__, NULL})
#define CLOSE "Connection: close\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n"

static void requests_are_read_and_answered(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    EXPECT(GET("/a/b?c=d") "X-Test: v  \r\n" CLOSE, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: ",
           "[GET /a/b?c=d host=h x=v body= large=0]", "Content-Length: ", "\r\nConnection: close\r\n");
    EXPECT("POST / HTTP/1.1\r\nhost: h\r\nContent-Length: 5\r\n" CLOSE "hello", "body=hello ");
    EXPECT("POST / HTTP/1.1\r\nhost: h\r\nTransfer-Encoding: chunked\r\n" CLOSE "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Test: t\r\n\r\n",
           "x=- body=abcde ");
    EXPECT("GET http://other/p HTTP/1.1\r\nHost: h\r\n" CLOSE, "[GET /p?");
    EXPECT("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "Connection: close");
    EXPECT("GET /stream HTTP/1.0\r\n\r\n", "\r\n\r\nonetwo!");
    EXPECT(GET("/stream") CLOSE, "Transfer-Encoding: chunked\r\n", "\r\n\r\n3\r\none\r\n4\r\ntwo!\r\n0\r\n\r\n");
    EXPECT(GET("/later") CLOSE, "\r\n\r\nlate");
    fixture_down(&f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    EXPECT(GET("/later") "\r\n" GET("/2") "\r\n" GET("/later") "\r\n" GET("/4") CLOSE, "late", "/2", "/4");
    cleanup_free char *a = exchange_text(f.port, GET("/later") "\r\n" GET("/2") CLOSE);
    assert_true(strstr(a, "late") < strstr(a, "/2"));
    fixture_down(&f);
}

static void head_and_no_content_have_no_body(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    cleanup_free char *a = exchange_text(f.port, "HEAD /x HTTP/1.1\r\nHost: h\r\n" CLOSE);
    assert_non_null(strstr(a, "Content-Length: 3"));
    assert_true(str_ends(a, "\r\n\r\n"));
    fixture_down(&f);
}

static void expect_100_continue_is_granted_before_the_body(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int fd = dial(f.port);
    send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" CLOSE);
    cleanup_free char *first = receive(fd, "\r\n\r\n");
    assert_string_equal(first, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(fd, "ok");
    cleanup_free char *second = receive(fd, NULL);
    assert_non_null(strstr(second, "body=ok"));
    close(fd);
    fixture_down(&f);
}

static void what_is_no_request_is_refused_as_go_words_it(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler, .max_headers = 500});
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"nonsense\r\n\r\n", "400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"},
        {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request: missing required Host header"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request: too many Host headers"},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Bad Request: malformed Host header"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported: unsupported protocol version"},
        {GET("/") "Bad Header: x\r\n\r\n", "400 Bad Request"},
        {GET("/") "Content-Length: x\r\n\r\n", "400 Bad Request"},
        {GET("/") "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Bad Request"},
        {GET("/") "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 Not Implemented: Unsupported transfer encoding"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", "413 Request Entity Too Large"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: miracles\r\n\r\n", "417 Expectation Failed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) EXPECT(cases[i].request, cases[i].answer);
    char large[2000];
    memset(large, 'a', sizeof(large));
    snprintf(large + 1900, 100, "\r\n\r\n");
    memcpy(large, "GET /", 5);
    EXPECT(large, "HTTP/1.1 431 Request Header Fields Too Large\r\n", "\r\n\r\n431 Request Header Fields Too Large");
    fixture_down(&f);
}

static void an_oversized_chunked_body_is_refused_or_shown_to_the_handler(void **state)
{
    (void)state;
    struct fixture f;
    static const char request[] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n";
    fixture_up(&f, false, (struct http_server_config){.handler = handler, .max_body = 10});
    EXPECT(request, "413 Request Entity Too Large");
    fixture_down(&f);
    fixture_up(&f, false, (struct http_server_config){.handler = handler, .max_body = 10, .oversize_to_handler = true});
    EXPECT(request, "200 OK", "body= large=1");
    fixture_down(&f);
}

static void a_slow_client_is_cut_after_the_idle_timeout(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler, .idle_timeout = MSECONDS(150)});
    static const char *const starts[] = {"", "GET / HT", GET("/"), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        cleanup_free char *a = exchange_text(f.port, starts[i]);
        assert_string_equal(a, "");
    }
    int fd = dial(f.port); /* kept alive, then idle */
    send_text(fd, GET("/") "\r\n");
    cleanup_free char *a = receive(fd, NULL);
    assert_non_null(strstr(a, "200 OK"));
    close(fd);
    fixture_down(&f);
}

static void a_client_that_leaves_is_reported_once(void **state)
{
    (void)state;
    struct fixture f;
    atomic_store(&closed_count, 0);
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int fd = dial(f.port);
    send_text(fd, GET("/wait") "\r\n");
    usleep(50000);
    close(fd);
    for (int i = 0; i < 2000 && atomic_load(&closed_count) == 0; i++) usleep(1000);
    assert_int_equal(atomic_load(&closed_count), 1);
    fixture_down(&f);
}

static void a_client_that_leaves_mid_stream_releases_everything(void **state)
{
    (void)state;
    struct fixture f;
    atomic_store(&closed_count, 0);
    atomic_store(&releases, 0);
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int fd = dial(f.port);
    send_text(fd, GET("/fill") "\r\n");
    char some[1000];
    assert_true(recv(fd, some, sizeof(some), 0) > 0);
    usleep(50000);
    close(fd);
    for (int i = 0; i < 2000 && atomic_load(&closed_count) == 0; i++) usleep(1000);
    assert_int_equal(atomic_load(&closed_count), 1);
    fixture_down(&f);
    assert_true(atomic_load(&releases) > 0);
}

static void a_stream_is_sent_as_fast_as_it_is_read(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int fd = dial(f.port);
    send_text(fd, GET("/fill") CLOSE);
    size_t total = 0;
    static char chunk[65536];
    for (ssize_t n; (n = recv(fd, chunk, sizeof(chunk), 0)) > 0;) total += (size_t)n;
    assert_true(total > 20 * sizeof(big));
    close(fd);
    fixture_down(&f);
}

static void a_client_that_half_closes_still_gets_its_answer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int fd = dial(f.port);
    send_text(fd, GET("/large") "\r\n");
    shutdown(fd, SHUT_WR);
    size_t total = 0;
    static char chunk[65536];
    for (ssize_t n; usleep(1000), (n = recv(fd, chunk, sizeof(chunk), 0)) > 0;) total += (size_t)n;
    assert_true(total > LARGE);
    close(fd);
    fixture_down(&f);
}

static void an_upgrade_turns_the_connection_into_a_stream(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int fd = dial(f.port);
    send_text(fd, GET("/upgrade") "Connection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ");
    send_text(fd, "bird");
    cleanup_free char *a = receive(fd, "bird");
    assert_string_equal(a, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly bird");
    shutdown(fd, SHUT_WR);
    cleanup_free char *rest = receive(fd, NULL);
    assert_string_equal(rest, "");
    close(fd);
    EXPECT(GET("/upgrade") CLOSE, "400 Bad Request", "no");
    fixture_down(&f);
}

static void stopping_ends_idle_and_cuts_busy_connections(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    int idle = dial(f.port), busy = dial(f.port), upgraded = dial(f.port);
    send_text(busy, GET("/wait") "\r\n");
    send_text(upgraded, GET("/upgrade") "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    usleep(50000);
    fixture_down(&f);
    close(idle);
    close(busy);
    close(upgraded);
}

static void a_port_in_use_is_an_error_with_a_remedy(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = handler});
    struct http_server_config c = {.address = "127.0.0.1", .port = f.port, .handler = handler};
    struct http_server *s;
    cleanup_error struct error *e = http_server_start(&c, &f.loop, 1, &s);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "127.0.0.1 port"));
    assert_non_null(strstr(e->message, "choose another port"));
    fixture_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_and_answered),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(head_and_no_content_have_no_body),
        cmocka_unit_test(expect_100_continue_is_granted_before_the_body),
        cmocka_unit_test(what_is_no_request_is_refused_as_go_words_it),
        cmocka_unit_test(an_oversized_chunked_body_is_refused_or_shown_to_the_handler),
        cmocka_unit_test(a_slow_client_is_cut_after_the_idle_timeout),
        cmocka_unit_test(a_client_that_leaves_is_reported_once),
        cmocka_unit_test(a_client_that_leaves_mid_stream_releases_everything),
        cmocka_unit_test(a_stream_is_sent_as_fast_as_it_is_read),
        cmocka_unit_test(a_client_that_half_closes_still_gets_its_answer),
        cmocka_unit_test(an_upgrade_turns_the_connection_into_a_stream),
        cmocka_unit_test(stopping_ends_idle_and_cuts_busy_connections),
        cmocka_unit_test(a_port_in_use_is_an_error_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
