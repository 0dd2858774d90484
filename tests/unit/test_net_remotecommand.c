/* exec, attach and port-forward between a client and a runtime that both live in the test: the runtime's server speaks SPDY (an
 * echo with an exit status), the client writes its WebSocket frames by hand. */
#include "base/str.h"
#include "net/remotecommand.h"
#include "net/spdy.h"
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static struct http_client *client;
static struct http_server *server;
static char *runtime_url, *forward_url;

/* ---- the runtime: what comes on stdin goes to stdout; at its end comes the status ---- */

struct runtime {
    struct stream *stream;
    struct spdy *spdy;
    struct spdy_stream *out, *status;
};

static void runtime_send(const void *p, size_t n, void *arg) { stream_write(((struct runtime *)arg)->stream, p, n); }

static void stdin_data(struct spdy_stream *s, const void *p, size_t n, void *arg) {
    (void)s;
    struct runtime *r = arg;
    if (n > 0) return spdy_write(r->out, p, n);
    spdy_write(r->status, "{\"status\":\"Success\"}", 20);
    spdy_end(r->status);
    spdy_end(r->out);
    stream_shutdown(r->stream);
}

static void resize_data(struct spdy_stream *s, const void *p, size_t n, void *arg) {
    (void)s;
    struct runtime *r = arg;
    if (n > 0) spdy_write(r->out, p, n);
}

static void runtime_opened(struct spdy_stream *s, const struct http_header *headers, size_t count, void *arg) {
    static const struct spdy_stream_callbacks input = {.data = stdin_data}, resize = {.data = resize_data}, output = {0};
    struct runtime *r = arg;
    const char *type = count > 0 ? headers[0].value : "";
    if (strcmp(type, "stdout") == 0) r->out = s;
    if (strcmp(type, "error") == 0) r->status = s;
    spdy_accept(s, strcmp(type, "stdin") == 0 ? &input : strcmp(type, "resize") == 0 ? &resize : &output, r);
}

static void runtime_data(struct stream *s, const void *p, size_t n, void *arg) {
    struct runtime *r = arg;
    if (n == 0 || spdy_input(r->spdy, p, n) != NULL) stream_close(s);
}

static void runtime_closed(struct stream *s, const struct error *e, void *arg) {
    (void)s, (void)e;
    struct runtime *r = arg;
    spdy_free(r->spdy);
    free(r);
}

static void serve_runtime(struct http_exchange *x) {
    static const struct stream_callbacks callbacks = {.data = runtime_data, .closed = runtime_closed};
    struct runtime *r = xcalloc(1, sizeof *r);
    assert_string_equal(http_header(x, "x-stream-protocol-version"), "v4.channel.k8s.io");
    r->spdy = spdy_new(true, &(struct spdy_callbacks){.send = runtime_send, .opened = runtime_opened, .arg = r});
    r->stream = http_upgrade(x, "SPDY/3.1", NULL, 0);
    stream_start(r->stream, &callbacks, r);
    http_end(x);
}

/* Port-forward's runtime: bytes come back as they are. */
static void echo_data(struct stream *s, const void *p, size_t n, void *arg) {
    (void)arg;
    if (n > 0) stream_write(s, p, n);
    else stream_close(s);
}

static void serve_echo(struct http_exchange *x) {
    static const struct stream_callbacks callbacks = {.data = echo_data};
    stream_start(http_upgrade(x, http_header(x, "upgrade"), NULL, 0), &callbacks, NULL);
    http_end(x);
}

static void handle(struct http_exchange *x, void *arg) {
    (void)arg;
    bool forward = strcmp(x->path, "/portforward") == 0, tty = strcmp(x->path, "/tty") == 0;
    if (strcmp(x->path, "/runtime/exec") == 0) return serve_runtime(x);
    if (strcmp(x->path, "/runtime/echo") == 0) return serve_echo(x);
    if (strcmp(x->path, "/runtime/no") == 0) return http_reply(x, 404, NULL, 0, "no", 2, NULL, NULL);
    const char *url = forward ? forward_url : runtime_url;
    if (strcmp(x->path, "/lost") == 0) url = arena_printf(&x->arena, "%.*sno", (int)strlen(runtime_url) - 4, runtime_url);
    if (strcmp(x->path, "/nonsense") == 0) url = "nonsense";
    remotecommand_serve(
        x, client, &(struct remotecommand){.url = url, .portforward = forward, .in = true, .out = true, .err = !tty, .tty = tty});
}

static atomic_bool stopped;
static void on_stopped(void *arg) {
    (void)arg;
    stopped = true;
}

static int set_up(void **state) {
    (void)state;
    loop = loop_new("test");
    client = http_client_new(loop);
    struct error *e = http_server_start(&(struct http_server_config){.address = "127.0.0.1", .max_body = 1000, .handler = handle},
                                        &loop, 1, &server);
    assert_null(e);
    runtime_url = xprintf("http://127.0.0.1:%d/runtime/exec", http_server_port(server));
    forward_url = xprintf("http://127.0.0.1:%d/runtime/echo", http_server_port(server));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    http_server_stop(server, SECONDS(5), on_stopped, NULL);
    while (!stopped) usleep(1000);
    http_client_close(client); /* the server's handlers use it */
    loop_stop(loop);
    free(runtime_url);
    free(forward_url);
    return 0;
}

/* ---- the client ---- */

static int open_client(const char *request) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

static int open_websocket(const char *path, const char *protocols) {
    cleanup_free char *request =
        xprintf("GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
                path, protocols);
    return open_client(request);
}

/* Reads up to a blank line. */
static void read_head(int fd, char *out, size_t size) {
    size_t n = 0;
    while (n < 4 || memcmp(out + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < size - 1);
        assert_int_equal(read(fd, out + n, 1), 1);
        n++;
    }
    out[n] = '\0';
}

static void send_message(int fd, const void *p, size_t n) {
    uint8_t frame[200] = {0x82, (uint8_t)(0x80 | n), 0, 0, 0, 0};
    memcpy(frame + 6, p, n);
    assert_int_equal(write(fd, frame, n + 6), n + 6);
}

/* The payloads of all messages until the peer's goodbye, each followed by '|'. */
static char *read_messages(int fd, char *out) {
    *out = '\0';
    for (char *at = out;;) {
        uint8_t head[2];
        assert_int_equal(recv(fd, head, 2, MSG_WAITALL), 2);
        assert_int_equal(recv(fd, at, head[1], MSG_WAITALL), head[1]);
        if (head[0] == 0x88) {
            *at = '\0';
            return out;
        }
        at += head[1];
        *at++ = '|';
    }
}

static void websocket_v5_is_translated(void **state) {
    (void)state;
    char head[1000], got[1000];
    int fd = open_websocket("/exec", "v5.channel.k8s.io, v4.channel.k8s.io");
    read_head(fd, head, sizeof head);
    assert_non_null(strstr(head, "101 Switching Protocols"));
    assert_non_null(strcasestr(head, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_non_null(strcasestr(head, "sec-websocket-protocol: v5.channel.k8s.io\r\n"));
    send_message(fd, "\0hello", 6);
    send_message(fd, "\2ignored", 8);
    usleep(20000);
    send_message(fd, "\377\0", 2); /* the end of stdin */
    assert_string_equal(read_messages(fd, got), "\1|\1hello|\3{\"status\":\"Success\"}|");
    close(fd);
}

static void a_terminal_has_resize_and_no_stderr(void **state) {
    (void)state;
    char head[1000], got[1000];
    int fd = open_websocket("/tty", "v5.channel.k8s.io");
    read_head(fd, head, sizeof head);
    send_message(fd, "\4{\"Width\":80}", 13);
    usleep(20000);
    send_message(fd, "\377\0", 2);
    assert_string_equal(read_messages(fd, got), "\1|\1{\"Width\":80}|\3{\"status\":\"Success\"}|");
    close(fd);
}

static void port_forward_unwraps_what_is_tunnelled(void **state) {
    (void)state;
    char head[1000], got[100] = "";
    int fd = open_websocket("/portforward", "SPDY/3.1+portforward.k8s.io");
    read_head(fd, head, sizeof head);
    assert_non_null(strcasestr(head, "sec-websocket-protocol: SPDY/3.1+portforward.k8s.io\r\n"));
    send_message(fd, "frames", 6);
    assert_int_equal(recv(fd, got, 8, MSG_WAITALL), 8);
    assert_string_equal(got, "\x82\x06"
                             "frames");
    close(fd);
}

static void older_protocols_are_tunnelled_as_they_are(void **state) {
    (void)state;
    char head[1000], got[100] = "";
    int fd = open_client("POST /portforward HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: "
                         "0\r\n\r\nraw bytes");
    read_head(fd, head, sizeof head);
    assert_non_null(strcasestr(head, "101 Switching Protocols"));
    assert_non_null(strcasestr(head, "upgrade: SPDY/3.1\r\n"));
    assert_int_equal(recv(fd, got, 9, MSG_WAITALL), 9);
    assert_string_equal(got, "raw bytes");
    close(fd);
}

static void fails(int fd, const char *status) {
    char head[1000];
    read_head(fd, head, sizeof head);
    assert_non_null(strstr(head, status));
    close(fd);
}

static void what_cannot_be_upgraded_is_answered(void **state) {
    (void)state;
    fails(open_client("GET /exec HTTP/1.1\r\nHost: x\r\n\r\n"), "400 Bad Request");
    fails(open_websocket("/lost", "v5.channel.k8s.io"), "404 Not Found");
    fails(open_websocket("/nonsense", "v5.channel.k8s.io"), "500 Internal Server Error");
}

static void a_client_that_leaves_takes_the_session_with_it(void **state) {
    (void)state;
    char head[1000];
    int fd = open_websocket("/exec", "v5.channel.k8s.io");
    read_head(fd, head, sizeof head);
    close(fd); /* tear_down waits for the runtime's connection to be gone too */
    close(open_websocket("/exec", "v5.channel.k8s.io"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(websocket_v5_is_translated),
        cmocka_unit_test(a_terminal_has_resize_and_no_stderr),
        cmocka_unit_test(port_forward_unwraps_what_is_tunnelled),
        cmocka_unit_test(older_protocols_are_tunnelled_as_they_are),
        cmocka_unit_test(what_cannot_be_upgraded_is_answered),
        cmocka_unit_test(a_client_that_leaves_takes_the_session_with_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
