#include "net_fixture.h"

static atomic_int count;
static int order[100];

static void note(void *arg) { order[atomic_fetch_add(&count, 1)] = *(int *)arg; }

static void posts_run_in_order_and_before_the_stop(void **state)
{
    (void)state;
    struct loop *l = loop_new("posts");
    int values[100];
    atomic_store(&count, 0);
    for (int i = 0; i < 100; i++) {
        values[i] = i;
        loop_post(l, note, &values[i]);
    }
    loop_stop(l);
    assert_int_equal(atomic_load(&count), 100);
    for (int i = 0; i < 100; i++) assert_int_equal(order[i], i);
}

struct timers {
    struct loop *loop;
    struct loop_timer *never;
    int64_t start, fired;
    bool on_thread, cancelled_fired;
    atomic_bool done;
};

static void on_fire(void *arg)
{
    struct timers *t = arg;
    t->fired = clock_monotonic(&clock_real);
    t->on_thread = loop_on_thread(t->loop);
    loop_timer_cancel(t->never);
    atomic_store(&t->done, true);
}

static void on_never(void *arg) { ((struct timers *)arg)->cancelled_fired = true; }

static void start_timers(void *arg)
{
    struct timers *t = arg;
    t->start = clock_monotonic(&clock_real);
    t->never = loop_timer_start(t->loop, MSECONDS(60), on_never, t);
    loop_timer_start(t->loop, MSECONDS(20), on_fire, t);
}

static void a_timer_fires_once_on_the_thread_unless_cancelled(void **state)
{
    (void)state;
    struct timers t = {.loop = loop_new("timers")};
    loop_post(t.loop, start_timers, &t);
    while (!atomic_load(&t.done)) usleep(1000);
    usleep(80000);
    assert_false(loop_on_thread(t.loop));
    loop_stop(t.loop);
    assert_true(t.on_thread);
    assert_false(t.cancelled_fired);
    assert_true(t.fired - t.start >= MSECONDS(19));
}

/* ---- rounds ---- */

struct caller {
    struct loop_member member;
    struct loop *loop;
    int runs, again;    /* runs so far; how often it asks for another one */
    int64_t work, last; /* how long it takes, and when it was last done */
    int64_t least_rest;
};

static void on_turn(struct loop_member *m)
{
    struct caller *c = CONTAINER_OF(m, struct caller, member);
    int64_t now = clock_monotonic(&clock_real);
    if (c->runs++ > 0) c->least_rest = MIN(c->least_rest, now - c->last);
    assert_true(loop_on_thread(c->loop));
    if (c->work > 0) usleep((useconds_t)(c->work / 1000));
    c->last = clock_monotonic(&clock_real);
    if (c->again-- > 0) loop_round(c->loop, m);
}

static struct caller caller_of(struct loop *l, int again, int64_t work)
{
    return (struct caller){.member.run = on_turn, .loop = l, .again = again, .work = work, .least_rest = INT64_MAX};
}

static void ask_thrice(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < 3; i++) loop_round(c->loop, &c->member);
}

static void a_member_runs_once_a_round_however_often_it_asks(void **state)
{
    (void)state;
    struct loop *l = loop_new("rounds");
    struct caller once = caller_of(l, 0, 0), thrice = caller_of(l, 2, 0);
    loop_post(l, ask_thrice, &once);
    loop_post(l, ask_thrice, &thrice);
    usleep(50000);
    loop_stop(l);
    assert_int_equal(once.runs, 1);
    assert_int_equal(thrice.runs, 3);
}

static void a_long_round_is_followed_by_as_long_a_rest(void **state)
{
    (void)state;
    struct loop *l = loop_new("rounds");
    struct caller slow = caller_of(l, 3, MSECONDS(10));
    loop_round(l, &slow.member);
    usleep(200000);
    loop_stop(l);
    assert_int_equal(slow.runs, 4);
    assert_true(slow.least_rest >= MSECONDS(9)); /* timers count whole milliseconds */
}

static void on_full_turn(struct loop_member *m)
{
    struct caller *c = CONTAINER_OF(m, struct caller, member);
    loop_round_full(c->loop);
    on_turn(m);
}

static void full_turns_shorten_the_rest(void **state)
{
    (void)state;
    struct loop *l = loop_new("rounds");
    struct caller slow = caller_of(l, 9, MSECONDS(20));
    slow.member.run = on_full_turn;
    loop_round(l, &slow.member);
    usleep(600000);
    loop_stop(l);
    assert_int_equal(slow.runs, 10);
    assert_true(slow.least_rest >= MSECONDS(3)); /* a quarter */
    assert_true(slow.least_rest < MSECONDS(15));
}

static int drops;
static void on_drop(void *p) { ++*(int *)p; }

/* The first of a round shares, the second takes its place. */
static void on_sharing_turn(struct loop_member *m)
{
    struct caller *c = CONTAINER_OF(m, struct caller, member);
    c->runs += loop_round_shared(c->loop) != NULL;
    loop_round_share(c->loop, &drops, on_drop);
}

static void ask_both(void *arg)
{
    struct caller **c = arg;
    for (int i = 0; i < 2; i++) loop_round(c[i]->loop, &c[i]->member);
}

static void what_a_round_shares_goes_with_it(void **state)
{
    (void)state;
    struct loop *l = loop_new("rounds");
    struct caller a = caller_of(l, 0, 0), b = caller_of(l, 0, 0);
    a.member.run = b.member.run = on_sharing_turn;
    drops = 0;
    loop_post(l, ask_both, (struct caller *[]){&a, &b});
    usleep(50000);
    loop_post(l, ask_thrice, &a);
    loop_stop(l);
    assert_int_equal(drops, 3);
    assert_int_equal(a.runs, 0); /* a begins each round */
    assert_int_equal(b.runs, 1);
}

#define ASKERS 4

static void *keep_asking(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < 1000; i++) loop_round(c[i % 8].loop, &c[i % 8].member);
    return NULL;
}

static void members_are_woken_from_any_thread(void **state)
{
    (void)state;
    struct loop *l = loop_new("rounds");
    struct caller callers[8];
    pthread_t threads[ASKERS];
    for (int i = 0; i < 8; i++) callers[i] = caller_of(l, 0, 0);
    for (int i = 0; i < ASKERS; i++) pthread_create(&threads[i], NULL, keep_asking, callers);
    for (int i = 0; i < ASKERS; i++) pthread_join(threads[i], NULL);
    loop_stop(l); /* runs what still waits */
    for (int i = 0; i < 8; i++) {
        assert_true(callers[i].runs > 0);
        assert_false(atomic_load(&callers[i].member.waiting));
    }
}

/* ---- connecting ---- */

struct client {
    struct loop *loop;
    const char *host, *name;
    int port;
    struct tls_config *tls;
    bool close_at_once;
    struct buf got;
    char error[256];
    atomic_bool closed;
};

static void client_data(struct stream *s, const void *p, size_t n, void *arg)
{
    struct client *c = arg;
    if (n > 0)
        buf_add(&c->got, p, n);
    else
        stream_close(s);
}

static void client_closed(struct stream *s, const struct error *e, void *arg)
{
    (void)s;
    struct client *c = arg;
    if (e != NULL) snprintf(c->error, sizeof(c->error), "%s", e->message);
    atomic_store(&c->closed, true);
}

static void client_start(void *arg)
{
    static const struct stream_callbacks cb = {.data = client_data, .closed = client_closed};
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    struct client *c = arg;
    struct stream *s = stream_connect(c->loop, c->host, c->port, c->tls, c->name);
    stream_start(s, &cb, c);
    stream_write(s, request, sizeof(request) - 1);
    if (c->close_at_once) stream_close(s);
}

static void client_run(struct client *c)
{
    loop_post(c->loop, client_start, c);
    for (int i = 0; i < 10000 && !atomic_load(&c->closed); i++) usleep(1000);
    assert_true(atomic_load(&c->closed));
}

static void hello(struct http_exchange *x, void *arg)
{
    (void)arg;
    http_reply(x, 200, NULL, 0, "hello", 5, NULL, NULL);
}

static void a_client_stream_talks_to_a_server_by_address_or_name(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, false, (struct http_server_config){.handler = hello});
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct client c = {.loop = f.loop, .host = hosts[i], .port = f.port};
        client_run(&c);
        assert_string_equal(c.error, "");
        assert_non_null(strstr(buf_str(&c.got), "hello"));
        buf_free(&c.got);
    }
    fixture_down(&f);
}

static void a_refused_connection_says_so_in_gos_words(void **state)
{
    (void)state;
    struct loop *l = loop_new("refused");
    struct client c = {.loop = l, .host = "127.0.0.1", .port = 1};
    client_run(&c);
    assert_string_equal(c.error, "dial tcp 127.0.0.1:1: connect: connection refused");
    struct client u = {.loop = l, .host = "/proc/nonexistent/socket"};
    client_run(&u);
    assert_string_equal(u.error, "dial unix /proc/nonexistent/socket: connect: no such file or directory");
    loop_stop(l);
}

static void a_connecting_stream_may_be_closed(void **state)
{
    (void)state;
    struct loop *l = loop_new("closing");
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct client c = {.loop = l, .host = hosts[i], .port = 1, .close_at_once = true};
        client_run(&c);
        assert_string_equal(c.error, "");
    }
    loop_stop(l);
}

static void run_tls(struct fixture *f, const char *ca, const char *name, bool insecure, struct client *c)
{
    struct tls_options o = {.ca = ca, .insecure = insecure, .alpn = "http/1.1"};
    *c = (struct client){.loop = f->loop, .host = "127.0.0.1", .port = f->port, .name = name};
    OK(tls_config_client(&o, &c->tls));
    client_run(c);
    tls_config_unref(c->tls);
    if (c->error[0] == '\0') assert_non_null(strstr(buf_str(&c->got), "hello"));
    buf_free(&c->got);
}

static void a_tls_client_checks_issuer_and_name(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    fixture_up(&f, true, (struct http_server_config){.handler = hello});
    struct pki_pair other = new_ca("other-ca");
    run_tls(&f, f.ca.cert, NULL, false, &c);
    assert_string_equal(c.error, "");
    run_tls(&f, f.ca.cert, "localhost", false, &c);
    assert_string_equal(c.error, "");
    run_tls(&f, f.ca.cert, "elsewhere", false, &c);
    assert_string_equal(c.error, "tls: failed to verify certificate: x509: certificate is not valid for elsewhere");
    run_tls(&f, other.cert, NULL, false, &c);
    assert_string_equal(c.error, "tls: failed to verify certificate: x509: certificate signed by unknown authority");
    run_tls(&f, other.cert, "elsewhere", true, &c);
    assert_string_equal(c.error, "");
    pki_pair_free(&other);
    fixture_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_in_order_and_before_the_stop),
        cmocka_unit_test(a_timer_fires_once_on_the_thread_unless_cancelled),
        cmocka_unit_test(a_member_runs_once_a_round_however_often_it_asks),
        cmocka_unit_test(a_long_round_is_followed_by_as_long_a_rest),
        cmocka_unit_test(full_turns_shorten_the_rest),
        cmocka_unit_test(what_a_round_shares_goes_with_it),
        cmocka_unit_test(members_are_woken_from_any_thread),
        cmocka_unit_test(a_client_stream_talks_to_a_server_by_address_or_name),
        cmocka_unit_test(a_refused_connection_says_so_in_gos_words),
        cmocka_unit_test(a_connecting_stream_may_be_closed),
        cmocka_unit_test(a_tls_client_checks_issuer_and_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
