#include "net_fixture.h"
#include <sys/stat.h>

static const char *const orgs[] = {"system:nodes", "second", NULL};

static void a_certificate_says_what_was_asked_for(void **state)
{
    (void)state;
    cleanup_arena struct arena a = {0};
    struct pki_pair ca = new_ca("kubernetes"), p = issue(&ca, "system:node:n1", orgs, PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH, 3600);
    struct pki_cert c, root;
    OK(pki_cert_parse(&a, p.cert, &c));
    OK(pki_cert_parse(&a, ca.cert, &root));
    assert_string_equal(c.subject.common_name, "system:node:n1");
    assert_string_equal(c.subject.organizations[0], "system:nodes");
    assert_string_equal(c.subject.organizations[1], "second");
    assert_null(c.subject.organizations[2]);
    assert_string_equal(c.subject.dns[0], "localhost");
    assert_string_equal(c.subject.ips[0], "127.0.0.1");
    assert_int_equal(c.subject.usages, PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH);
    assert_int_equal((c.subject.not_after - c.subject.not_before) / NSEC_PER_SEC, 7200);
    assert_string_equal(c.issuer, "kubernetes");
    assert_int_equal(strlen(c.sha256), 64);
    assert_false(c.subject.ca);
    assert_true(root.subject.ca);
    assert_true(pki_pair_matches(p.cert, p.key));
    assert_false(pki_pair_matches(p.cert, ca.key));
    pki_pair_free(&ca);
    pki_pair_free(&p);
}

static void check_fails(const char *cert, const char *ca, unsigned usage)
{
    cleanup_error struct error *e = pki_cert_check(cert, 0, ca, usage);
    assert_non_null(e);
}

static void a_check_looks_at_issuer_time_and_usage(void **state)
{
    (void)state;
    struct pki_pair ca = new_ca("a"), other = new_ca("b"), p = issue(&ca, "x", NULL, PKI_CLIENT_AUTH, 3600);
    struct pki_pair expired = issue(&ca, "x", NULL, PKI_CLIENT_AUTH, -60);
    OK(pki_cert_check(p.cert, 0, ca.cert, PKI_CLIENT_AUTH));
    OK(pki_cert_check(p.cert, 0, ca.cert, 0));
    check_fails(p.cert, ca.cert, PKI_SERVER_AUTH);
    check_fails(p.cert, other.cert, PKI_CLIENT_AUTH);
    check_fails(expired.cert, ca.cert, PKI_CLIENT_AUTH);
    check_fails("nothing", ca.cert, 0);
    struct pki_pair *all[] = {&ca, &other, &p, &expired};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) pki_pair_free(all[i]);
}

static void a_request_is_read_and_signed(void **state)
{
    (void)state;
    cleanup_arena struct arena a = {0};
    struct pki_pair ca = new_ca("kubernetes");
    cleanup_pki_key struct pki_key *key = pki_key_new(PKI_P256);
    cleanup_free char *pem = pki_key_pem(key), *csr = NULL, *cert = NULL;
    struct pki_subject want = subject_for("system:node:n1", orgs, 0, 0), got;
    OK(pki_csr_new(pem, &want, &csr));
    OK(pki_csr_parse(&a, csr, &got));
    assert_string_equal(got.common_name, "system:node:n1");
    assert_string_equal(got.organizations[1], "second");
    assert_string_equal(got.dns[0], "localhost");
    int64_t now = clock_wall(&clock_real);
    OK(pki_csr_sign(&ca, csr, PKI_DIGITAL_SIGNATURE | PKI_SERVER_AUTH, now, now + SECONDS(100), &cert));
    OK(pki_cert_check(cert, 0, ca.cert, PKI_SERVER_AUTH));
    struct pki_cert c;
    OK(pki_cert_parse(&a, cert, &c));
    assert_string_equal(c.subject.ips[0], "127.0.0.1");
    assert_true(pki_pair_matches(cert, pem));
    pki_pair_free(&ca);
}

static void a_damaged_request_is_refused(void **state)
{
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_pki_key struct pki_key *key = pki_key_new(PKI_P256);
    cleanup_free char *pem = pki_key_pem(key), *csr = NULL;
    struct pki_subject want = subject_for("x", NULL, 0, 0), got;
    OK(pki_csr_new(pem, &want, &csr));
    char *body = strchr(csr, '\n') + 20; /* a letter of the subject: the signature no longer fits */
    *body = *body == 'A' ? 'B' : 'A';
    cleanup_error struct error *e = pki_csr_parse(&a, csr, &got), *e2 = pki_csr_parse(&a, "none", &got);
    assert_non_null(e);
    assert_non_null(e2);
}

static void signatures_verify_with_their_key_and_algorithm_only(void **state)
{
    (void)state;
    static const struct {
        enum pki_key_type type;
        const char *alg, *other;
    } cases[] = {{PKI_P256, "ES256", "RS256"}, {PKI_RSA2048, "RS256", "ES256"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_arena struct arena a = {0};
        cleanup_pki_key struct pki_key *k = pki_key_new(cases[i].type), *again = NULL, *public = NULL, *stranger = pki_key_new(cases[i].type);
        cleanup_free char *pem = pki_key_pem(k);
        cleanup_buf struct buf sig = {0};
        struct pki_jwk jwk;
        assert_string_equal(pki_key_alg(k), cases[i].alg);
        OK(pki_sign(k, "text", 4, &sig));
        OK(pki_key_parse(pem, &again));
        OK(pki_jwk_export(k, &a, &jwk));
        OK(pki_jwk_import(&jwk, &public));
        assert_true(pki_verify(again, cases[i].alg, "text", 4, sig.data, sig.len));
        assert_true(pki_verify(public, cases[i].alg, "text", 4, sig.data, sig.len));
        assert_false(pki_verify(k, cases[i].other, "text", 4, sig.data, sig.len));
        assert_false(pki_verify(k, "none", "text", 4, sig.data, sig.len));
        assert_false(pki_verify(k, cases[i].alg, "Text", 4, sig.data, sig.len));
        assert_false(pki_verify(k, cases[i].alg, "text", 4, sig.data, sig.len - 1));
        assert_false(pki_verify(stranger, cases[i].alg, "text", 4, sig.data, sig.len));
    }
}

static void a_malformed_web_key_is_refused(void **state)
{
    (void)state;
    const struct pki_jwk bad[] = {
        {0}, {.kty = "oct"}, {.kty = "RSA", .n = "AQAB"}, {.kty = "EC", .crv = "P-256", .x = "AQ", .y = "AQ"}, {.kty = "EC", .crv = "P-1"},
        {.kty = "EC", .crv = "P-256", .x = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", .y = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pki_key *k = NULL;
        cleanup_error struct error *e = pki_jwk_import(&bad[i], &k);
        assert_non_null(e);
    }
}

static void a_pair_is_saved_with_a_private_key_and_loaded_if_it_fits(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_net_pki.XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/c", dir);
    snprintf(key, sizeof(key), "%s/k", dir);
    struct pki_pair ca = new_ca("a"), other = new_ca("b"), back = {0};
    OK(pki_pair_save(&ca, cert, key));
    struct stat st;
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    OK(pki_pair_load(cert, key, &back));
    assert_string_equal(back.key, ca.key);
    OK(file_write_atomic(key, other.key, strlen(other.key), 0600));
    struct pki_pair mixed = {0};
    cleanup_error struct error *e = pki_pair_load(cert, key, &mixed);
    assert_non_null(e);
    OK(dir_remove(dir));
    struct pki_pair *all[] = {&ca, &other, &back};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) pki_pair_free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_what_was_asked_for),
        cmocka_unit_test(a_check_looks_at_issuer_time_and_usage),
        cmocka_unit_test(a_request_is_read_and_signed),
        cmocka_unit_test(a_damaged_request_is_refused),
        cmocka_unit_test(signatures_verify_with_their_key_and_algorithm_only),
        cmocka_unit_test(a_malformed_web_key_is_refused),
        cmocka_unit_test(a_pair_is_saved_with_a_private_key_and_loaded_if_it_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
