/* The gRPC client against a small HTTP/2 server: what a call's path says decides how it is answered. */
#include "base/str.h"
#include "net/grpc.h"
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static const struct proto_message text_message = {
    "Text", (const struct proto_field[]){{"text", 1, PROTO_STRING}, {"size", 2, PROTO_INT64}}, 2};
#define METHOD(path) (&(const struct proto_method){path, &text_message, &text_message})

/* ---- the server: one connection at a time, on a thread of its own ---- */

struct answer {
    struct answer *next; /* all of a connection */
    char path[64];
    struct buf body; /* what is sent back */
    size_t sent;
};
static struct answer *answers;
static int listener;
static char socket_path[64];
static atomic_int connections;

static ssize_t body_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t n, uint32_t *flags, nghttp2_data_source *source,
                         void *arg) {
    (void)arg;
    struct answer *a = source->ptr;
    size_t len = MIN(n, a->body.len - a->sent);
    memcpy(p, buf_str(&a->body) + a->sent, len);
    a->sent += len;
    if (a->sent < a->body.len) return (ssize_t)len;
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    bool fails = strcmp(a->path, "/fail") == 0;
    char text[] = "no%20such%20th%C3%AFng%";
    nghttp2_nv trailers[] = {{(uint8_t *)(uintptr_t) "grpc-status", (uint8_t *)(uintptr_t)(fails ? "5" : "0"), 11, 1, 0},
                             {(uint8_t *)(uintptr_t) "grpc-message", (uint8_t *)text, 12, fails ? strlen(text) : 0, 0}};
    nghttp2_submit_trailer(s, id, trailers, 2);
    return (ssize_t)len;
}

static int header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t n, const uint8_t *value, size_t m,
                  uint8_t flags, void *arg) {
    (void)n, (void)m, (void)flags, (void)arg;
    struct answer *a = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
    if (a == NULL) {
        a = xcalloc(1, sizeof *a);
        a->next = answers;
        answers = a;
        nghttp2_session_set_stream_user_data(s, f->hd.stream_id, a);
    }
    if (strcmp((const char *)name, ":path") == 0) snprintf(a->path, sizeof a->path, "%s", (const char *)value);
    return 0;
}

static int data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg) {
    (void)flags, (void)arg;
    struct answer *a = nghttp2_session_get_stream_user_data(s, id);
    buf_add(&a->body, p, n);
    return 0;
}

static int frame_end(nghttp2_session *s, const nghttp2_frame *f, void *arg) {
    struct answer *a = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
    if (a == NULL || (f->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ||
        (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS))
        return 0;
    if (strcmp(a->path, "/silent") == 0) return 0;
    if (strcmp(a->path, "/die") == 0) return shutdown(*(int *)arg, SHUT_RDWR);
    if (strcmp(a->path, "/huge") == 0) {
        buf_clear(&a->body);
        buf_add(&a->body, "\0\x7f\0\0\0", 5);
    }
    if (strcmp(a->path, "/three") == 0) {
        cleanup_buf struct buf one = {0};
        buf_add(&one, a->body.data, a->body.len);
        for (int i = 0; i < 2; i++) buf_add(&a->body, one.data, one.len);
    }
    bool lost = strcmp(a->path, "/lost") == 0;
    nghttp2_nv status = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t)(lost ? "404" : "200"), 7, 3, 0};
    if (lost) return nghttp2_submit_response(s, f->hd.stream_id, &status, 1, NULL);
    return nghttp2_submit_response(s, f->hd.stream_id, &status, 1,
                                   &(nghttp2_data_provider){.source.ptr = a, .read_callback = body_read});
}

static ssize_t send_bytes(nghttp2_session *s, const uint8_t *p, size_t n, int flags, void *arg) {
    (void)s, (void)flags;
    ssize_t r = send(*(int *)arg, p, n, MSG_NOSIGNAL);
    return r < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : r;
}

static void serve_connection(int fd) {
    nghttp2_session_callbacks *cb;
    nghttp2_session *s;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, frame_end);
    nghttp2_session_callbacks_set_send_callback(cb, send_bytes);
    nghttp2_session_server_new(&s, cb, &fd);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(s, 0, NULL, 0);
    static uint8_t bytes[65536];
    for (ssize_t n; nghttp2_session_send(s) == 0 && (n = read(fd, bytes, sizeof bytes)) > 0;)
        if (nghttp2_session_mem_recv(s, bytes, (size_t)n) < 0) break;
    nghttp2_session_del(s);
    for (struct answer *a; (a = answers) != NULL; free(a)) {
        answers = a->next;
        buf_free(&a->body);
    }
}

static void *serve(void *arg) {
    (void)arg;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        connections++;
        serve_connection(fd);
    }
    return NULL;
}

static pthread_t server_thread;
static struct grpc_channel *channel;

static void listen_again(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, socket_path);
    unlink(socket_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    pthread_create(&server_thread, NULL, serve, NULL);
}

static int set_up(void **state) {
    (void)state;
    snprintf(socket_path, sizeof socket_path, "/tmp/coracle-grpc-%d", getpid());
    connections = 0;
    listen_again();
    channel = grpc_open(&(struct net_target){.unix_path = socket_path});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    grpc_close(channel);
    shutdown(listener, SHUT_RDWR);
    pthread_join(server_thread, NULL);
    close(listener);
    unlink(socket_path);
    return 0;
}

static void call_fails(const char *path, int64_t timeout, const char *reason, const char *message) {
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    cleanup_error struct error *e = grpc_call(channel, METHOD(path), &a, json_make(&a, "{'text':'x'}"), timeout, &answer);
    assert_non_null(e);
    assert_true(error_is(e, reason));
    assert_string_equal(e->message, message);
}

static void a_call_is_answered(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    assert_null(grpc_call(channel, METHOD("/echo"), &a, json_make(&a, "{'text':'hello','size':%d}", 5), SECONDS(10), &answer));
    assert_string_equal(json_text(&a, answer), "{\"text\":\"hello\",\"size\":5}");
}

static void large_messages_pass_the_windows(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    size_t n = 10 << 20;
    char *big = arena_alloc(&a, n + 1);
    memset(big, 'x', n);
    big[n] = '\0';
    const struct json *answer;
    assert_null(grpc_call(channel, METHOD("/echo"), &a, json_make(&a, "{'text':%s}", big), SECONDS(30), &answer));
    assert_int_equal(json_member(answer, "text")->len, n);
}

static void *many_calls(void *arg) {
    (void)arg;
    for (int i = 0; i < 50; i++) a_call_is_answered(NULL);
    return NULL;
}

static void many_threads_share_one_connection(void **state) {
    (void)state;
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, many_calls, NULL);
    for (size_t i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    assert_int_equal(connections, 1);
}

static void a_status_becomes_an_error(void **state) {
    (void)state;
    call_fails("/fail", SECONDS(10), "NotFound", "rpc error: code = NotFound desc = no such thïng%");
    call_fails("/lost", SECONDS(10), "Unimplemented",
               "rpc error: code = Unimplemented desc = unexpected HTTP status code received from server: 404");
    cleanup_error struct error *e = error_new("rpc error: code = NotFound desc = gone");
    assert_string_equal(grpc_description(e), "gone");
}

static void a_deadline_ends_a_call_and_only_it(void **state) {
    (void)state;
    call_fails("/silent", MSECONDS(30), "DeadlineExceeded",
               "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
    a_call_is_answered(NULL);
    assert_int_equal(connections, 1);
}

static void too_large_a_message_is_refused(void **state) {
    (void)state;
    call_fails("/huge", SECONDS(10), "ResourceExhausted",
               "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (2130706432 vs. 16777216)");
}

static void a_request_that_does_not_fit_its_type_is_never_sent(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    cleanup_error struct error *e = grpc_call(channel, METHOD("/echo"), &a, json_make(&a, "{'txt':'x'}"), 0, &answer);
    assert_string_equal(e->message, "rpc error: code = Internal desc = Text has no field \"txt\"");
    assert_int_equal(connections, 0);
}

static void a_lost_connection_fails_its_calls_and_is_made_anew(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    cleanup_error struct error *e = grpc_call(channel, METHOD("/die"), &a, NULL, SECONDS(10), &answer);
    assert_true(error_is(e, "Unavailable"));
    assert_true(str_starts(e->message, "rpc error: code = Unavailable desc = error reading from server: "));
    a_call_is_answered(NULL);
    assert_int_equal(connections, 2);
}

static void a_server_that_is_not_there_is_unavailable_until_it_is(void **state) {
    tear_down(state);
    channel = grpc_open(&(struct net_target){.unix_path = socket_path});
    cleanup_arena struct arena a = {0};
    const char *message =
        arena_printf(&a,
                     "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: "
                     "dial unix %s: connect: no such file or directory\"",
                     socket_path);
    call_fails("/echo", SECONDS(10), "Unavailable", message);
    call_fails("/echo", SECONDS(10), "Unavailable", message);
    listen_again();
    usleep(150 * 1000);
    a_call_is_answered(NULL);
}

/* ---- streams ---- */

struct events {
    pthread_mutex_t lock; /* protects what follows */
    pthread_cond_t changed;
    unsigned opened, messages;
    bool closed;
    char reason[32];
};

static void on_opened(void *arg) { ((struct events *)arg)->opened++; }

static void on_event(const struct json *m, void *arg) {
    struct events *ev = arg;
    assert_string_equal(json_str(m, "text"), "x");
    pthread_mutex_lock(&ev->lock);
    ev->messages++;
    pthread_cond_signal(&ev->changed);
    pthread_mutex_unlock(&ev->lock);
}

static void on_end(const struct error *e, void *arg) {
    struct events *ev = arg;
    pthread_mutex_lock(&ev->lock);
    snprintf(ev->reason, sizeof ev->reason, "%s", e != NULL ? e->reason : "OK");
    ev->closed = true;
    pthread_cond_signal(&ev->changed);
    pthread_mutex_unlock(&ev->lock);
}
static const struct grpc_stream_callbacks stream_callbacks = {.opened = on_opened, .message = on_event, .closed = on_end};

static void wait_until(struct events *ev, const bool *what) {
    pthread_mutex_lock(&ev->lock);
    while (!*what) pthread_cond_wait(&ev->changed, &ev->lock);
    pthread_mutex_unlock(&ev->lock);
}

static struct events run_stream(const char *path, bool close_early) {
    cleanup_arena struct arena a = {0};
    struct events ev = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct grpc_stream *s =
        grpc_stream_start(channel, METHOD(path), json_make(&a, "{'text':'x'}"), false, &stream_callbacks, &ev);
    if (close_early) grpc_stream_close(s);
    wait_until(&ev, &ev.closed);
    if (!close_early) grpc_stream_close(s);
    return ev;
}

static void a_stream_brings_messages_until_it_ends(void **state) {
    (void)state;
    struct events ev = run_stream("/three", false);
    assert_int_equal(ev.opened, 1);
    assert_int_equal(ev.messages, 3);
    assert_string_equal(ev.reason, "OK");
    assert_string_equal(run_stream("/fail", false).reason, "NotFound");
    assert_string_equal(run_stream("/die", false).reason, "Unavailable");
}

static void a_stream_can_be_closed(void **state) {
    (void)state;
    assert_string_equal(run_stream("/silent", true).reason, "Canceled");
}

static void closing_the_channel_ends_streams(void **state) {
    cleanup_arena struct arena a = {0};
    struct events ev = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct grpc_stream *s = grpc_stream_start(channel, METHOD("/silent"), NULL, true, &stream_callbacks, &ev);
    assert_null(grpc_stream_send(s, json_make(&a, "{'text':'x'}")));
    grpc_stream_close(s);
    tear_down(state);
    assert_string_equal(ev.reason, "Canceled");
    set_up(state);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered),
        TEST(large_messages_pass_the_windows),
        TEST(many_threads_share_one_connection),
        TEST(a_status_becomes_an_error),
        TEST(a_deadline_ends_a_call_and_only_it),
        TEST(too_large_a_message_is_refused),
        TEST(a_request_that_does_not_fit_its_type_is_never_sent),
        TEST(a_lost_connection_fails_its_calls_and_is_made_anew),
        TEST(a_server_that_is_not_there_is_unavailable_until_it_is),
        TEST(a_stream_brings_messages_until_it_ends),
        TEST(a_stream_can_be_closed),
        TEST(closing_the_channel_ends_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
