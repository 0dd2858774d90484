/* Streamed answers that a client takes as WebSocket messages. */
#include "net/websocket_answer.h"
#include "net_fixture.h"

static struct websocket_refusal (*prepare)(struct http_exchange *x);
static int status_to_send;
static atomic_bool left;

static void on_close(struct http_exchange *x) {
    atomic_store(&left, true);
    http_end(x);
}

/* Says "one\ntw", "o\n" and the rest that a test wants. */
static void handle(struct http_exchange *x, void *arg) {
    (void)arg;
    struct websocket_refusal refusal = websocket_asked(x) ? prepare(x) : (struct websocket_refusal){0};
    if (refusal.status) return http_reply(x, refusal.status, NULL, 0, refusal.message, strlen(refusal.message), NULL, NULL);
    if (status_to_send != 200) return http_reply(x, status_to_send, NULL, 0, "no", 2, NULL, NULL);
    x->on_close = on_close;
    http_begin(x, 200, NULL, 0);
    if (strcmp(x->path, "/prefixed") == 0) {
        http_write(x, "\0\0\0\3a", 5, NULL, NULL);
        http_write(x, "bc\0\0\0\1d", 7, NULL, NULL);
    } else {
        http_write(x, "one\ntw", 6, NULL, NULL);
        http_write(x, "o\n", 2, NULL, NULL);
    }
    if (strcmp(x->path, "/open") != 0) http_end(x);
}

static struct websocket_refusal as_lines(struct http_exchange *x) { return websocket_answer_messages(x, WEBSOCKET_LINES); }
static struct websocket_refusal as_prefixed(struct http_exchange *x) { return websocket_answer_messages(x, WEBSOCKET_PREFIXED); }

static struct fixture up(struct websocket_refusal (*p)(struct http_exchange *x)) {
    struct fixture f;
    prepare = p;
    status_to_send = 200;
    atomic_store(&left, false);
    fixture_up(&f, false, (struct http_server_config){.handler = handle});
    return f;
}

static int ask(const struct fixture *f, const char *path, const char *headers) {
    cleanup_buf struct buf b = {0};
    int fd = dial(f->port);
    buf_printf(&b, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n%s\r\n", path, headers);
    send_text(fd, b.data);
    return fd;
}

static void expect(int fd, const void *p, size_t n) {
    char got[256];
    assert_true(n <= sizeof got);
    for (size_t at = 0; at < n;) {
        ssize_t r = recv(fd, got + at, n - at, 0);
        assert_true(r > 0);
        at += (size_t)r;
    }
    assert_memory_equal(got, p, n);
}

/* The head of the upgrade, byte by byte, so that the first frame stays. */
static void expect_upgrade(int fd, const char *protocol) {
    char head[1024];
    size_t n = 0;
    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < sizeof head - 1);
        assert_int_equal(recv(fd, head + n, 1, 0), 1);
        n++;
    }
    head[n] = '\0';
    assert_non_null(strstr(head, "HTTP/1.1 101"));
    if (protocol) assert_non_null(strcasestr(head, protocol));
    else assert_null(strcasestr(head, "sec-websocket-protocol"));
}

static void expect_refused(const struct fixture *f, const char *headers, const char *status) {
    int fd = ask(f, "/", headers);
    char *answer = receive(fd, "\r\n\r\n");
    assert_true(str_starts(answer, status));
    free(answer);
    close(fd);
}

static void what_is_written_at_once_is_a_binary_message(void **state) {
    (void)state;
    struct fixture f = up(websocket_answer_stream);
    int fd = ask(&f, "/", "Sec-WebSocket-Protocol: other, binary.k8s.io\r\n");
    expect_upgrade(fd, "sec-websocket-protocol: binary.k8s.io");
    expect(fd, "\x82\x00\x82\x06one\ntw\x82\x02o\n\x88\x02\x03\xe8", 2 + 8 + 4 + 4);
    close(fd);
    fixture_down(&f);
}

static void without_a_protocol_it_is_binary_too(void **state) {
    (void)state;
    struct fixture f = up(websocket_answer_stream);
    int fd = ask(&f, "/", "");
    expect_upgrade(fd, NULL);
    expect(fd, "\x82\x00\x82\x06one\ntw", 10);
    close(fd);
    fixture_down(&f);
}

static void in_base64_it_is_text(void **state) {
    (void)state;
    struct fixture f = up(websocket_answer_stream);
    int fd = ask(&f, "/", "Sec-WebSocket-Protocol: base64.binary.k8s.io\r\n");
    expect_upgrade(fd, "base64.binary.k8s.io");
    expect(fd, "\x81\x00\x81\x08" "b25lCnR3" "\x81\x04" "bwo=", 2 + 10 + 6);
    close(fd);
    fixture_down(&f);
}

static void a_line_is_a_text_message(void **state) {
    (void)state;
    struct fixture f = up(as_lines);
    int fd = ask(&f, "/", "Origin: http://x\r\n");
    expect_upgrade(fd, NULL);
    expect(fd, "\x81\x04one\n\x81\x04two\n\x88\x02\x03\xe8", 6 + 6 + 4);
    close(fd);
    fixture_down(&f);
}

static void a_prefixed_message_comes_without_its_prefix(void **state) {
    (void)state;
    struct fixture f = up(as_prefixed);
    int fd = ask(&f, "/prefixed", "Origin: http://x\r\n");
    expect_upgrade(fd, NULL);
    expect(fd, "\x82\x03" "abc\x82\x01" "d", 5 + 3);
    close(fd);
    fixture_down(&f);
}

static void a_client_that_leaves_ends_the_answer(void **state) {
    (void)state;
    struct fixture f = up(as_lines);
    int fd = ask(&f, "/open", "Origin: http://x\r\n");
    expect_upgrade(fd, NULL);
    close(fd);
    for (int i = 0; i < 5000 && !atomic_load(&left); i++) usleep(1000);
    assert_true(atomic_load(&left));
    fixture_down(&f);
}

static void another_status_stays_http(void **state) {
    (void)state;
    struct fixture f = up(websocket_answer_stream);
    status_to_send = 404;
    expect_refused(&f, "", "HTTP/1.1 404");
    fixture_down(&f);
}

static void a_handshake_that_does_not_fit_is_refused(void **state) {
    (void)state;
    struct fixture f = up(websocket_answer_stream);
    expect_refused(&f, "Sec-WebSocket-Protocol: channel.k8s.io\r\n", "HTTP/1.1 403");
    prepare = as_lines;
    expect_refused(&f, "", "HTTP/1.1 403");                                                       /* no origin */
    expect_refused(&f, "Origin: http://x\r\nSec-WebSocket-Protocol: a, b\r\n", "HTTP/1.1 400");   /* which one? */
    fixture_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_at_once_is_a_binary_message), cmocka_unit_test(without_a_protocol_it_is_binary_too),
        cmocka_unit_test(in_base64_it_is_text),                        cmocka_unit_test(a_line_is_a_text_message),
        cmocka_unit_test(a_prefixed_message_comes_without_its_prefix), cmocka_unit_test(a_client_that_leaves_ends_the_answer),
        cmocka_unit_test(another_status_stays_http),                   cmocka_unit_test(a_handshake_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
