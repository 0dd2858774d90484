/* SPDY sessions, two of them joined back to back. */
#include "base/buf.h"
#include "net/spdy.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct end {
    struct spdy *session;
    struct buf out;
    struct spdy_stream *accepted;
    char name[64], value[64];
    struct buf got;
    unsigned ends, resets;
    bool gone;
};

static void collect(const void *p, size_t n, void *arg) { buf_add(&((struct end *)arg)->out, p, n); }
static void on_gone(void *arg) { ((struct end *)arg)->gone = true; }

static void on_data(struct spdy_stream *s, const void *p, size_t n, void *arg) {
    (void)s;
    struct end *e = arg;
    if (n == 0) e->ends++;
    buf_add(&e->got, p, n);
}

static void on_reset(struct spdy_stream *s, uint32_t status, void *arg) {
    (void)s, (void)status;
    ((struct end *)arg)->resets++;
}
static const struct spdy_stream_callbacks stream_callbacks = {.data = on_data, .reset = on_reset};

static void on_opened(struct spdy_stream *s, const struct http_header *headers, size_t count, void *arg) {
    struct end *e = arg;
    assert_int_equal(count, 1);
    strcpy(e->name, headers[0].name);
    strcpy(e->value, headers[0].value);
    e->accepted = s;
    spdy_accept(s, &stream_callbacks, e);
}

static void start(struct end *client, struct end *server) {
    memset(client, 0, sizeof *client);
    memset(server, 0, sizeof *server);
    client->session = spdy_new(false, &(struct spdy_callbacks){.send = collect, .gone = on_gone, .arg = client});
    server->session =
        spdy_new(true, &(struct spdy_callbacks){.send = collect, .opened = on_opened, .gone = on_gone, .arg = server});
}

/* Moves what one has sent to the other, `step` bytes at a time. */
static void move(struct end *from, struct end *to, size_t step) {
    for (size_t at = 0; at < from->out.len; at += step)
        assert_null(spdy_input(to->session, from->out.data + at, MIN(step, from->out.len - at)));
    buf_clear(&from->out);
}

static void stop(struct end *client, struct end *server) {
    struct end *both[] = {client, server};
    for (size_t i = 0; i < 2; i++) {
        spdy_free(both[i]->session);
        buf_free(&both[i]->out);
        buf_free(&both[i]->got);
    }
}

static const struct http_header stdin_header = {"streamtype", "stdin"};

static void a_stream_arrives_with_its_headers(void **state) {
    (void)state;
    struct end c, s;
    start(&c, &s);
    spdy_open(c.session, &stdin_header, 1, &stream_callbacks, &c);
    spdy_open(c.session, &(struct http_header){"streamtype", "resize"}, 1, &stream_callbacks, &c);
    move(&c, &s, 1);
    assert_string_equal(s.name, "streamtype");
    assert_string_equal(s.value, "resize");
    move(&s, &c, 3);
    stop(&c, &s);
}

static void data_flows_both_ways_until_both_have_ended(void **state) {
    (void)state;
    struct end c, s;
    start(&c, &s);
    struct spdy_stream *t = spdy_open(c.session, &stdin_header, 1, &stream_callbacks, &c);
    spdy_write(t, "hello ", 6);
    spdy_write(t, "world", 5);
    spdy_end(t);
    move(&c, &s, 7);
    assert_string_equal(buf_str(&s.got), "hello world");
    assert_int_equal(s.ends, 1);
    spdy_write(s.accepted, "bye", 3);
    spdy_end(s.accepted);
    move(&s, &c, 1);
    assert_string_equal(buf_str(&c.got), "bye");
    assert_int_equal(c.ends, 1);
    stop(&c, &s);
    assert_int_equal(c.resets + s.resets, 0);
}

static void a_reset_ends_a_stream_at_once(void **state) {
    (void)state;
    struct end c, s;
    start(&c, &s);
    struct spdy_stream *t = spdy_open(c.session, &stdin_header, 1, &stream_callbacks, &c);
    move(&c, &s, 100);
    spdy_write(t, "x", 1);
    spdy_reset(t);
    move(&c, &s, 100);
    assert_int_equal(s.resets, 1);
    stop(&c, &s);
}

static void streams_are_refused_where_none_are_expected(void **state) {
    (void)state;
    struct end c, s;
    start(&c, &s);
    struct spdy_callbacks deaf = {.send = collect, .arg = &s};
    spdy_free(s.session);
    s.session = spdy_new(true, &deaf);
    spdy_open(c.session, &stdin_header, 1, &stream_callbacks, &c);
    move(&c, &s, 100);
    move(&s, &c, 100);
    assert_int_equal(c.resets, 1);
    stop(&c, &s);
}

static void a_ping_is_answered_and_goodbye_is_heard(void **state) {
    (void)state;
    struct end c, s;
    start(&c, &s);
    static const uint8_t ping[] = {0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1};
    assert_null(spdy_input(s.session, ping, sizeof ping));
    assert_int_equal(s.out.len, sizeof ping);
    assert_memory_equal(s.out.data, ping, sizeof ping);
    buf_clear(&s.out);
    spdy_goaway(s.session);
    move(&s, &c, 100);
    assert_true(c.gone);
    stop(&c, &s);
}

static void fails(const void *p, size_t n) {
    struct end c, s;
    start(&c, &s);
    struct error *e = spdy_input(s.session, p, n);
    assert_non_null(e);
    error_free(e);
    stop(&c, &s);
}

static void broken_frames_are_errors(void **state) {
    (void)state;
    fails((const uint8_t[]){0x80, 2, 0, 1, 0, 0, 0, 0}, 8);                                           /* SPDY/2 */
    fails((const uint8_t[]){0x80, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1}, 12);                              /* short SYN_STREAM */
    fails((const uint8_t[]){0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff}, 8);                                  /* endless control frame */
    fails((const uint8_t[]){0x80, 3, 0, 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 'n', 'o'}, 20); /* no zlib stream */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_arrives_with_its_headers),       cmocka_unit_test(data_flows_both_ways_until_both_have_ended),
        cmocka_unit_test(a_reset_ends_a_stream_at_once),           cmocka_unit_test(streams_are_refused_where_none_are_expected),
        cmocka_unit_test(a_ping_is_answered_and_goodbye_is_heard), cmocka_unit_test(broken_frames_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
