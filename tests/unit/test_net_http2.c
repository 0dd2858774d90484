#include "net_fixture.h"
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <signal.h>

/* A blocking HTTP/2 client that notes what it gets. */
struct client {
    SSL *ssl;
    SSL_CTX *ctx;
    nghttp2_session *session;
    struct buf body;
    char status[4];
    int closed, resets, answers;
    uint32_t goaway; /* error code + 1 */
    int32_t last_stream;
    const char *upload;
    size_t upload_len;
};

static ssize_t on_send(nghttp2_session *s, const uint8_t *p, size_t n, int flags, void *arg)
{
    (void)s, (void)flags;
    struct client *c = arg;
    int r = SSL_write(c->ssl, p, (int)n);
    return r > 0 ? r : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t nl, const uint8_t *value, size_t vl, uint8_t flags,
                     void *arg)
{
    (void)s, (void)f, (void)flags, (void)vl;
    struct client *c = arg;
    if (nl == 7 && memcmp(name, ":status", 7) == 0) memcpy(c->status, value, 3);
    if (nl == 7 && memcmp(name, ":status", 7) == 0 && value[0] != '1') c->answers++;
    return 0;
}

static int on_chunk(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    (void)s, (void)flags, (void)id;
    buf_add(&((struct client *)arg)->body, p, n);
    return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    (void)s;
    struct client *c = arg;
    if (f->hd.type == NGHTTP2_GOAWAY) c->goaway = f->goaway.error_code + 1;
    if (f->hd.type == NGHTTP2_RST_STREAM) c->resets++;
    return 0;
}

static int on_stream_closed(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    (void)s, (void)id, (void)code;
    ((struct client *)arg)->closed++;
    return 0;
}

static void client_up(struct client *c, struct fixture *f)
{
    *c = (struct client){0};
    c->ssl = dial_tls(f, NULL, "h2", &c->ctx);
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_send_callback(cb, on_send);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_closed);
    nghttp2_session_client_new(&c->session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void client_down(struct client *c)
{
    nghttp2_session_del(c->session);
    hang_up(c->ssl, c->ctx);
    buf_free(&c->body);
}

static ssize_t on_upload(nghttp2_session *s, int32_t id, uint8_t *p, size_t max, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)s, (void)id, (void)source;
    struct client *c = arg;
    size_t n = MIN(max, c->upload_len);
    memset(p, 'u', n);
    c->upload_len -= n;
    if (c->upload_len == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

#define NV(n, v) {(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), 0}
static int32_t request(struct client *c, const char *method, const char *path, const char *extra, size_t upload)
{
    nghttp2_nv nv[] = {NV(":method", method), NV(":path", path), NV(":scheme", "https"), NV(":authority", "h"), NV("x-test", extra)};
    nghttp2_data_provider body = {.read_callback = on_upload};
    c->upload_len = upload;
    c->last_stream = nghttp2_submit_request(c->session, NULL, nv, ARRAY_LEN(nv), upload > 0 ? &body : NULL, NULL);
    return c->last_stream;
}

/* Exchanges frames until `closed` streams have ended or the server hangs up (false). */
static bool run(struct client *c, int closed)
{
    static uint8_t chunk[65536];
    for (;;) {
        if (nghttp2_session_send(c->session) != 0) return false;
        if (c->closed >= closed) return true;
        int n = SSL_read(c->ssl, chunk, sizeof(chunk));
        if (n <= 0 || nghttp2_session_mem_recv(c->session, chunk, (size_t)n) < 0) return false;
    }
}

/* ---- the server's side ---- */

static atomic_int closed_count, live;

static void count_close(struct http_exchange *x)
{
    atomic_fetch_add(&closed_count, 1);
    http_end(x);
}

static void ignore_close(struct http_exchange *x) { (void)x; } /* work that cannot be stopped */

static struct http_exchange *held[2000];

static const char big[300000] = {1};

static void fill(struct http_exchange *x)
{
    int *left = x->user;
    if ((*left)-- > 0)
        http_write(x, big, sizeof(big), NULL, NULL);
    else
        http_end(x);
}

static void handler(struct http_exchange *x, void *arg)
{
    (void)arg;
    if (strcmp(x->path, "/wait") == 0) {
        x->on_close = count_close;
    } else if (strcmp(x->path, "/hold") == 0) {
        x->on_close = ignore_close;
        held[atomic_fetch_add(&live, 1)] = x;
    } else if (strcmp(x->path, "/fill") == 0) {
        x->on_close = count_close;
        x->user = arena_dup(&x->arena, &(int){10}, sizeof(int));
        http_begin(x, 200, NULL, 0);
        http_set_on_drain(x, fill);
        fill(x);
    } else {
        const char *v = http_header(x, "x-test");
        char *s = arena_printf(&x->arena, "[%s %s?%s host=%s x=%s body=%zu large=%d h%d]", x->method, x->path, x->query, x->host,
                               v != NULL && strlen(v) < 20 ? v : "-", x->body_len, x->body_too_large, x->version);
        http_reply(x, 200, NULL, 0, s, strlen(s), NULL, NULL);
    }
}

static void expect(struct fixture *f, const char *method, const char *path, size_t upload, const char *status, const char *body)
{
    struct client c;
    client_up(&c, f);
    request(&c, method, path, "v", upload);
    assert_true(run(&c, 1));
    assert_string_equal(c.status, status);
    assert_string_equal(buf_str(&c.body), body);
    client_down(&c);
}

static void requests_are_read_and_answered(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    expect(&f, "GET", "/a?b=c", 0, "200", "[GET /a?b=c host=h x=v body=0 large=0 h2]");
    expect(&f, "POST", "/", 900, "200", "[POST /? host=h x=v body=900 large=0 h2]");
    expect(&f, "HEAD", "/", 0, "200", "");
    expect(&f, "POST", "/", 200000, "413", "413 Request Entity Too Large");
    fixture_down(&f);
    fixture_up(&f, true, (struct http_server_config){.handler = handler, .oversize_to_handler = true});
    expect(&f, "POST", "/", 200000, "200", "[POST /? host=h x=v body=0 large=1 h2]");
    fixture_down(&f);
}

static void many_streams_share_a_connection(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    client_up(&c, &f);
    for (int i = 0; i < 500; i++) request(&c, "GET", "/", "v", 0); /* those above max_streams wait at the client */
    assert_true(run(&c, 500));
    assert_int_equal(c.answers, 500);
    client_down(&c);
    fixture_down(&f);
}

static void a_large_stream_obeys_flow_control(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    client_up(&c, &f);
    request(&c, "GET", "/fill", "v", 0);
    request(&c, "GET", "/fill", "v", 0);
    assert_true(run(&c, 2));
    assert_int_equal(c.body.len, 20 * sizeof(big));
    client_down(&c);
    fixture_down(&f);
}

static void headers_above_the_limit_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    static char large[3000];
    memset(large, 'x', sizeof(large) - 1);
    fixture_up(&f, true, (struct http_server_config){.handler = handler, .max_headers = 2000});
    client_up(&c, &f);
    request(&c, "GET", "/", large, 0);
    assert_true(run(&c, 1));
    assert_string_equal(c.status, "431");
    client_down(&c);
    fixture_down(&f);
}

static void a_reset_stream_is_reported_and_the_connection_goes_on(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    atomic_store(&closed_count, 0);
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    client_up(&c, &f);
    int32_t id = request(&c, "GET", "/wait", "v", 0);
    request(&c, "GET", "/", "v", 0);
    assert_true(run(&c, 1));
    nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    request(&c, "GET", "/", "v", 0);
    assert_true(run(&c, 3));
    assert_int_equal(atomic_load(&closed_count), 1);
    assert_int_equal(c.answers, 2);
    client_down(&c);
    fixture_down(&f);
}

/* Returns how many it took until the server had enough. */
static int flood(struct client *c, const char *path, int max)
{
    for (int i = 0; i < max; i++) {
        int32_t id = request(c, "GET", path, "v", 0);
        if (nghttp2_session_send(c->session) != 0) return i;
        nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        if (nghttp2_session_send(c->session) != 0) return i;
        struct pollfd p = {SSL_get_fd(c->ssl), POLLIN, 0};
        if (poll(&p, 1, 0) == 1) {
            uint8_t chunk[4096];
            int n = SSL_read(c->ssl, chunk, sizeof(chunk));
            if (n <= 0 || nghttp2_session_mem_recv(c->session, chunk, (size_t)n) < 0) return i;
        }
        if (c->goaway != 0) return i;
    }
    return max;
}

static void a_flood_of_resets_is_cut(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    client_up(&c, &f);
    assert_true(flood(&c, "/wait", 20000) < 20000);
    client_down(&c);
    fixture_down(&f);
}

static void release_held(void *arg)
{
    (void)arg;
    for (int i = 0; i < atomic_load(&live); i++) http_end(held[i]);
}

static void work_left_behind_by_resets_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    atomic_store(&live, 0);
    fixture_up(&f, true, (struct http_server_config){.handler = handler, .max_streams = 20});
    client_up(&c, &f);
    flood(&c, "/hold", 1000);
    client_down(&c);
    usleep(50000);
    assert_in_range(atomic_load(&live), 20, 45);
    loop_post(f.loop, release_held, NULL);
    fixture_down(&f);
}

static void stopping_says_goaway_and_lets_requests_end(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    client_up(&c, &f);
    request(&c, "GET", "/", "v", 0);
    assert_true(run(&c, 1));
    http_server_stop(f.server, SECONDS(5), fixture_stopped, &f);
    assert_false(run(&c, 2));
    assert_int_equal(c.goaway, NGHTTP2_NO_ERROR + 1);
    for (int i = 0; i < 3000 && !atomic_load(&f.stopped); i++) usleep(1000);
    assert_true(atomic_load(&f.stopped));
    client_down(&c);
    loop_stop(f.loop);
    tls_config_unref(f.tls);
    pki_pair_free(&f.ca);
    pki_pair_free(&f.cert);
}

static void a_client_that_leaves_ends_all_its_streams(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    atomic_store(&closed_count, 0);
    fixture_up(&f, true, (struct http_server_config){.handler = handler});
    client_up(&c, &f);
    for (int i = 0; i < 3; i++) request(&c, "GET", i == 0 ? "/fill" : "/wait", "v", 0);
    request(&c, "GET", "/", "v", 0);
    assert_true(run(&c, 1));
    client_down(&c);
    for (int i = 0; i < 2000 && atomic_load(&closed_count) < 3; i++) usleep(1000);
    assert_int_equal(atomic_load(&closed_count), 3);
    fixture_down(&f);
}

static void an_idle_connection_is_cut(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_up(&f, true, (struct http_server_config){.handler = handler, .idle_timeout = MSECONDS(150)});
    client_up(&c, &f);
    request(&c, "GET", "/", "v", 0);
    assert_false(run(&c, 2));
    assert_int_equal(c.answers, 1);
    client_down(&c);
    fixture_down(&f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_and_answered),
        cmocka_unit_test(many_streams_share_a_connection),
        cmocka_unit_test(a_large_stream_obeys_flow_control),
        cmocka_unit_test(headers_above_the_limit_are_refused),
        cmocka_unit_test(a_reset_stream_is_reported_and_the_connection_goes_on),
        cmocka_unit_test(a_flood_of_resets_is_cut),
        cmocka_unit_test(work_left_behind_by_resets_is_bounded),
        cmocka_unit_test(stopping_says_goaway_and_lets_requests_end),
        cmocka_unit_test(a_client_that_leaves_ends_all_its_streams),
        cmocka_unit_test(an_idle_connection_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
