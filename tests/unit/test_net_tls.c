#include "net_fixture.h"

static void tell_peer(struct http_exchange *x, void *arg)
{
    (void)arg;
    const struct http_peer *p = x->peer;
    const char *state = !p->tls->has_cert ? "none" : p->tls->verified ? "verified" : "unverified";
    char *s = arena_printf(&x->arena, "%s cn=%s o=%s sha=%zu", state, p->common_name != NULL ? p->common_name : "-",
                           p->organizations != NULL ? p->organizations[0] : "-", p->cert_sha256 != NULL ? strlen(p->cert_sha256) : 0);
    http_reply(x, 200, NULL, 0, s, strlen(s), NULL, NULL);
}

static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

static void expect_peer(struct fixture *f, const struct pki_pair *client, const char *text)
{
    cleanup_free char *a = exchange_tls(f, client, request);
    if (strstr(a, text) == NULL) fail_msg("%s\nlacks: %s", a, text);
}

static void client_certificates_are_optional_and_reported(void **state)
{
    (void)state;
    struct fixture f;
    static const char *const orgs[] = {"system:masters", NULL};
    unsigned usage = PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH;
    fixture_up(&f, true, (struct http_server_config){.handler = tell_peer});
    struct pki_pair other = new_ca("other-ca"), good = issue(&f.ca, "admin", orgs, usage, 3600);
    struct pki_pair strange = issue(&other, "admin", orgs, usage, 3600), expired = issue(&f.ca, "admin", orgs, usage, -60);
    struct pki_pair serving = issue(&f.ca, "admin", orgs, PKI_DIGITAL_SIGNATURE | PKI_SERVER_AUTH, 3600);
    expect_peer(&f, NULL, "none cn=- o=- sha=0");
    expect_peer(&f, &good, "verified cn=admin o=system:masters sha=64");
    expect_peer(&f, &strange, "unverified cn=- o=- sha=0");
    expect_peer(&f, &expired, "unverified cn=- o=- sha=0");
    expect_peer(&f, &serving, "unverified cn=- o=- sha=0");
    struct pki_pair *all[] = {&other, &good, &strange, &expired, &serving};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) pki_pair_free(all[i]);
    fixture_down(&f);
}

static void a_reload_changes_the_certificate_of_new_connections(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, true, (struct http_server_config){.handler = tell_peer});
    SSL_CTX *c1, *c2;
    SSL *before = dial_tls(&f, NULL, "http/1.1", &c1);
    struct pki_pair fresh = issue(&f.ca, "renewed", NULL, PKI_DIGITAL_SIGNATURE | PKI_SERVER_AUTH, 3600);
    OK(tls_config_reload(f.tls, &(struct tls_options){.cert = fresh.cert, .key = fresh.key, .ca = f.ca.cert, .alpn = "http/1.1"}));
    SSL *after = dial_tls(&f, NULL, "http/1.1", &c2);
    char name[64];
    X509 *x = SSL_get1_peer_certificate(after);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name));
    X509_free(x);
    assert_string_equal(name, "renewed");
    assert_int_equal(SSL_write(before, request, sizeof(request) - 1), sizeof(request) - 1); /* goes on undisturbed */
    assert_true(SSL_read(before, name, sizeof(name)) > 0);
    hang_up(before, c1);
    hang_up(after, c2);
    pki_pair_free(&fresh);
    fixture_down(&f);
}

static void bad_settings_are_errors_and_a_bad_reload_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, true, (struct http_server_config){.handler = tell_peer});
    struct pki_pair other = issue(&f.ca, "x", NULL, PKI_SERVER_AUTH, 3600);
    const struct tls_options bad[] = {
        {0}, {.cert = "x", .key = "y"}, {.cert = f.cert.cert, .key = other.key}, {.cert = f.cert.cert, .key = f.cert.key, .ca = "none"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_error struct error *e = tls_config_reload(f.tls, &bad[i]);
        assert_non_null(e);
    }
    expect_peer(&f, NULL, "none");
    pki_pair_free(&other);
    fixture_down(&f);
}

static void plain_http_on_a_tls_port_is_told_so(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, true, (struct http_server_config){.handler = tell_peer});
    cleanup_free char *a = exchange_text(f.port, request);
    assert_string_equal(a, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    cleanup_free char *b = exchange_text(f.port, "\x17\x09\x09\x01\x01garbage that is no handshake");
    assert_true(strstr(b, "HTTP") == NULL);
    fixture_down(&f);
}

static void old_protocol_versions_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_up(&f, true, (struct http_server_config){.handler = tell_peer});
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_cipher_list(ctx, "ALL@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, dial(f.port));
    assert_int_not_equal(SSL_connect(ssl), 1);
    hang_up(ssl, ctx);
    fixture_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_certificates_are_optional_and_reported),
        cmocka_unit_test(a_reload_changes_the_certificate_of_new_connections),
        cmocka_unit_test(bad_settings_are_errors_and_a_bad_reload_changes_nothing),
        cmocka_unit_test(plain_http_on_a_tls_port_is_told_so),
        cmocka_unit_test(old_protocol_versions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
