/* Proxies: which server is reached through one, and tunnels. */
#include "net/http_client.h"
#include "net/proxy.h"
#include "net_fixture.h"

#define FAILS(call, text)                                  \
    do {                                                   \
        cleanup_error struct error *fails_ = (call);       \
        assert_non_null(fails_);                           \
        assert_non_null(strstr(fails_->message, text));    \
    } while (0)

static void no_proxy_leaves_out_what_it_names(void **state UNUSED) {
    static const struct {
        const char *list, *host;
        int port;
        bool out;
    } cases[] = {
        {"example.com", "example.com", 443, true}, {"example.com", "www.example.com", 443, true}, {"example.com", "myexample.com", 443, false},
        {".example.com", "example.com", 443, false}, {".example.com", "a.example.com", 443, true}, {"a, b ,c", "b", 1, true},
        {"example.com:80", "example.com", 443, false}, {"example.com:443", "example.com", 443, true}, {"*", "x", 1, true},
        {"10.0.0.0/8", "10.1.2.3", 1, true}, {"10.0.0.0/8", "11.1.2.3", 1, false}, {"10.1.2.3", "10.1.2.3", 1, true},
        {"[2001:db8::1]:443", "2001:db8::1", 443, true}, {"2001:db8::/32", "2001:db8::5", 1, true}, {"", "x", 1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (proxy_left_out(cases[i].list, cases[i].host, cases[i].port) != cases[i].out) fail_msg("%s %s", cases[i].list, cases[i].host);
}

static void the_environment_names_proxies(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    setenv("HTTP_PROXY", "http://me:se%3acret@proxy:3128/", 1);
    struct net_target t = {.host = "example.com", .port = 80}, local = {.host = "127.0.0.1", .port = 80};
    OK(proxy_from_environment(&a, &t));
    assert_string_equal(t.proxy_host, "proxy");
    assert_int_equal(t.proxy_port, 3128);
    assert_string_equal(t.proxy_authorization, "Basic bWU6c2U6Y3JldA==");
    OK(proxy_from_environment(&a, &local));
    assert_null(local.proxy_host);
    unsetenv("HTTP_PROXY");
    FAILS(proxy_from_url(&a, "socks5://x", &t), "only HTTP proxies");
}

/* A proxy that answers each request with what it was asked. */
static void echo(struct http_exchange *x, void *arg UNUSED) {
    const char *text = arena_printf(&x->arena, "%s %s host=%s auth=%s", x->method, x->target, x->host,
                                    http_header(x, "proxy-authorization") ? http_header(x, "proxy-authorization") : "");
    bool connect = strcmp(x->method, "CONNECT") == 0;
    http_reply(x, connect ? 403 : 200, NULL, 0, text, strlen(text), NULL, NULL);
}

static void a_plain_request_carries_its_url_and_a_tunnel_is_asked_for(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct fixture net = {0};
    fixture_up(&net, false, (struct http_server_config){.handler = echo, .max_body = 1000});
    struct http_client *c = http_client_new(net.loop);
    struct http_request r = {.target = {.host = "example.test", .port = 80, .proxy_host = "127.0.0.1", .proxy_port = net.port,
                                        .proxy_authorization = "Basic eA=="}, .path = "/x?y", .host = "example.test"};
    struct http_answer answer;
    OK(http_fetch(c, &a, &r, 0, &answer));
    assert_string_equal(answer.body, "GET http://example.test/x?y host=example.test auth=Basic eA==");
    OK(tls_config_client(&(struct tls_options){.insecure = true}, &r.target.tls));
    FAILS(http_fetch(c, &a, &r, 0, &answer), "Get \"https://example.test/x?y\": Forbidden");
    tls_config_unref(r.target.tls);
    http_client_close(c);
    fixture_down(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proxy_leaves_out_what_it_names),
        cmocka_unit_test(the_environment_names_proxies),
        cmocka_unit_test(a_plain_request_carries_its_url_and_a_tunnel_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
