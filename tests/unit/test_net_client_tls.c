/* HTTPS calls: who the server is, and who we are. */
#include "net/http_client.h"
#include "net_fixture.h"

static struct fixture f;
static struct http_client *client;

static void handle(struct http_exchange *x, void *arg) {
    (void)arg;
    const char *name = x->peer->common_name != NULL ? x->peer->common_name : "anonymous";
    http_reply(x, 200, NULL, 0, name, strlen(name), NULL, NULL);
}

static int set_up(void **state) {
    (void)state;
    fixture_up(&f, true, (struct http_server_config){.handler = handle});
    client = http_client_new(f.loop);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    http_client_close(client);
    fixture_down(&f);
    return 0;
}

/* The body, or the error behind the URL. */
static char *ask(struct arena *a, struct tls_options o, const char *server_name) {
    struct tls_config *tls;
    struct http_answer answer;
    OK(tls_config_client(&o, &tls));
    struct http_request r = {
        .target = {.host = "127.0.0.1", .port = f.port, .tls = tls, .server_name = server_name}, .path = "/x", .no_reuse = true};
    cleanup_error struct error *e = http_fetch(client, a, &r, 0, &answer);
    tls_config_unref(tls);
    if (e == NULL) return arena_strndup(a, answer.body, answer.body_len);
    const char *label = arena_printf(a, "Get \"https://127.0.0.1:%d/x\": ", f.port);
    assert_true(str_starts(e->message, label));
    return arena_strdup(a, e->message + strlen(label));
}

static void the_servers_certificate_is_checked(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(ask(&a, (struct tls_options){.ca = f.ca.cert}, NULL), "anonymous");
    assert_string_equal(ask(&a, (struct tls_options){.ca = f.ca.cert}, "localhost"), "anonymous");
    assert_string_equal(ask(&a, (struct tls_options){.insecure = true}, "anything"), "anonymous");
    struct pki_pair other = new_ca("other");
    assert_non_null(strstr(ask(&a, (struct tls_options){.ca = other.cert}, NULL), "x509"));
    assert_non_null(strstr(ask(&a, (struct tls_options){.ca = f.ca.cert}, "elsewhere"), "elsewhere"));
    pki_pair_free(&other);
}

static void a_client_certificate_is_shown(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct pki_pair me = issue(&f.ca, "jane", NULL, PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH, 3600);
    assert_string_equal(ask(&a, (struct tls_options){.ca = f.ca.cert, .cert = me.cert, .key = me.key}, NULL), "jane");
    pki_pair_free(&me);
}

static void connections_are_kept(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct tls_config *tls;
    struct http_answer answer;
    OK(tls_config_client(&(struct tls_options){.ca = f.ca.cert}, &tls));
    struct http_request r = {.target = {.host = "127.0.0.1", .port = f.port, .tls = tls}};
    for (int i = 0; i < 20; i++) OK(http_fetch(client, &a, &r, 0, &answer));
    tls_config_unref(tls);
}

static void plain_http_to_a_tls_port_fails(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct http_answer answer;
    OK(http_fetch(client, &a, &(struct http_request){.target = {.host = "127.0.0.1", .port = f.port}}, 0, &answer));
    assert_int_equal(answer.status, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_servers_certificate_is_checked),
        cmocka_unit_test(a_client_certificate_is_shown),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(plain_http_to_a_tls_port_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
