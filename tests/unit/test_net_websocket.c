/* The WebSocket server's framing, over a socket pair whose other end the test writes byte by byte. */
#include "base/buf.h"
#include "net/websocket.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    int fd; /* the client's end */
    struct websocket *w;
    pthread_mutex_t lock; /* protects what follows */
    pthread_cond_t changed;
    struct buf messages; /* each followed by '|' */
    bool closed;
};

static void on_message(struct websocket *w, const void *p, size_t n, void *arg) {
    struct fixture *f = arg;
    pthread_mutex_lock(&f->lock);
    buf_add(&f->messages, p, n);
    buf_addc(&f->messages, '|');
    pthread_mutex_unlock(&f->lock);
    websocket_send(w, 1, p, n); /* an echo on channel 1 */
}

static void on_closed(struct websocket *w, const struct error *e, void *arg) {
    (void)w, (void)e;
    struct fixture *f = arg;
    pthread_mutex_lock(&f->lock);
    f->closed = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static int server_end;
static void open_on_loop(void *arg) {
    static const struct websocket_callbacks callbacks = {.message = on_message, .closed = on_closed};
    struct fixture *f = arg;
    f->w = websocket_new(stream_accept(f->loop, server_end, NULL), &callbacks, f);
}

static void start(struct fixture *f) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *f = (struct fixture){
        .loop = loop_new("test"), .fd = pair[1], .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    server_end = pair[0];
    loop_post(f->loop, open_on_loop, f);
}

static void stop(struct fixture *f) {
    close(f->fd);
    pthread_mutex_lock(&f->lock);
    while (!f->closed) pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    loop_stop(f->loop);
    buf_free(&f->messages);
}

/* A client's frame: masked. */
static void send_frame(struct fixture *f, unsigned first, const void *p, size_t n) {
    cleanup_buf struct buf out = {0};
    static const uint8_t mask[4] = {1, 2, 3, 4};
    buf_addc(&out, (char)first);
    buf_addc(&out, (char)(0x80 | (n < 126 ? n : 126)));
    if (n >= 126) buf_add(&out, (const uint8_t[]){(uint8_t)(n >> 8), (uint8_t)n}, 2);
    buf_add(&out, mask, 4);
    for (size_t i = 0; i < n; i++) buf_addc(&out, (char)(((const uint8_t *)p)[i] ^ mask[i % 4]));
    assert_int_equal(write(f->fd, out.data, out.len), out.len);
}

static void expect(struct fixture *f, const void *p, size_t n) {
    char got[70000];
    assert_true(n <= sizeof got);
    for (size_t at = 0; at < n;) {
        ssize_t r = read(f->fd, got + at, n - at);
        assert_true(r > 0);
        at += (size_t)r;
    }
    assert_memory_equal(got, p, n);
}

static void expect_end(struct fixture *f) {
    char c;
    shutdown(f->fd, SHUT_WR);
    assert_int_equal(read(f->fd, &c, 1), 0);
}

static void a_message_comes_and_goes(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    send_frame(&f, 0x82, "hello", 5);
    expect(&f, "\x82\x06\x01hello", 8);
    send_frame(&f, 0x81, "", 0);
    expect(&f, "\x82\x01\x01", 3);
    stop(&f);
}

static void fragments_make_one_message_and_pings_come_between(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    send_frame(&f, 0x02, "ab", 2);
    send_frame(&f, 0x89, "hi", 2);
    send_frame(&f, 0x00, "cd", 2);
    send_frame(&f, 0x80, "ef", 2);
    expect(&f,
           "\x8a\x02hi\x82\x07\x01"
           "abcdef",
           13);
    stop(&f);
}

static void longer_messages_have_longer_heads(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    char text[65000];
    memset(text, 'x', sizeof text);
    send_frame(&f, 0x82, text, sizeof text);
    expect(&f, "\x82\x7e\xfd\xe9\x01", 5);
    expect(&f, text, sizeof text);
    stop(&f);
}

static void goodbye_is_answered(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    send_frame(&f, 0x88, "\x03\xe8", 2);
    expect(&f, "\x88\x02\x03\xe8", 4);
    expect_end(&f);
    stop(&f);
}

static void close_on_loop(void *arg) { websocket_close(((struct fixture *)arg)->w, 1000, "done"); }

static void the_server_may_say_goodbye(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    loop_post(f.loop, close_on_loop, &f);
    expect(&f,
           "\x88\x06\x03\xe8"
           "done",
           8);
    send_frame(&f, 0x88, "\x03\xe8", 2);
    expect_end(&f);
    stop(&f);
}

/* Bytes that break the protocol are answered with status 1002 (or 1009: too big). */
static void refuses(const void *p, size_t n, unsigned status) {
    struct fixture f;
    start(&f);
    assert_int_equal(write(f.fd, p, n), n);
    uint8_t head[4];
    assert_int_equal(read(f.fd, head, 4), 4);
    assert_int_equal(head[0], 0x88);
    assert_int_equal(head[2] << 8 | head[3], status);
    stop(&f);
}

static void broken_frames_end_the_connection(void **state) {
    (void)state;
    refuses("\x82\x02xx\0\0", 6, 1002);                                    /* not masked */
    refuses("\xc2\x80\0\0\0\0", 6, 1002);                                  /* reserved bit */
    refuses("\x83\x80\0\0\0\0", 6, 1002);                                  /* unknown opcode */
    refuses("\x09\x80\0\0\0\0", 6, 1002);                                  /* fragmented ping */
    refuses("\x80\x80\0\0\0\0", 6, 1002);                                  /* continues nothing */
    refuses("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 1009); /* endless */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_and_goes),          cmocka_unit_test(fragments_make_one_message_and_pings_come_between),
        cmocka_unit_test(longer_messages_have_longer_heads), cmocka_unit_test(goodbye_is_answered),
        cmocka_unit_test(the_server_may_say_goodbye),        cmocka_unit_test(broken_frames_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
