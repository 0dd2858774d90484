#include "sim.h"
#include "net/pki.h"
#include <unistd.h>

#define CSR (&resource_certificates_certificatesigningrequests)
#define JWS "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..pQpAf41KnbpDpf53Otu_ufAeAbWD9CSytTS_WpoG4Mc"

static char dir[] = "/tmp/coracle-ca-XXXXXX", cert_path[64], key_path[64];
static struct controllers_config config = {.ca_cert_path = cert_path, .ca_key_path = key_path};
static const struct controller *const which[] = {&resourcequota_controller, &certificatesigningrequest_approving_controller, &certificatesigningrequest_signing_controller,
                                                 &certificatesigningrequest_cleaner_controller, &kubelet_serving_approver_controller, &bootstrap_signer_controller,
                                                 &token_cleaner_controller, NULL};
static struct sim sim, *s = &sim;

static int make_ca(void **state UNUSED) {
    struct pki_pair ca = {0};
    if (!mkdtemp(dir)) return -1;
    snprintf(cert_path, sizeof(cert_path), "%s/ca.crt", dir);
    snprintf(key_path, sizeof(key_path), "%s/ca.key", dir);
    sim_ok(pki_ca_new("test", SECONDS(1700000000), SECONDS(2000000000), &ca));
    sim_ok(pki_pair_save(&ca, cert_path, key_path));
    pki_pair_free(&ca);
    return 0;
}
static int remove_ca(void **state UNUSED) {
    error_free(dir_remove(dir));
    return 0;
}
static int setup(void **state UNUSED) {
    static const struct controller *const none[] = {NULL};
    sim_open(s, none);
    runner_group_stop(s->group);
    s->group = runner_group_start(&(struct runner_env){.client = s->client, .cache = s->cache, .config = &config}, which, NULL, NULL);
    return 0;
}
static int teardown(void **state UNUSED) {
    sim_close(s);
    return 0;
}

static void quotas_count_what_is_there(void **state UNUSED) {
    sim_create(s, &resource_resourcequotas, sim_json(s, "{'metadata':{'name':'q'},'spec':{'hard':{'pods':'5','configmaps':'3','requests.cpu':'1','limits.memory':'1Gi','count/deployments.apps':'2'}}}"));
    sim_node(s, "n1");
    sim_run(s, 1);
    const struct json *used = json_get(sim_get(s, &resource_resourcequotas, "q"), "status.used");
    assert_string_equal(json_str(json_member(used, "pods"), NULL), "0");
    sim_create(s, &resource_configmaps, sim_json(s, "{'metadata':{'name':'c'}}"));
    sim_create(s, &resource_pods, sim_json(s, "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'a','image':'i','resources':{'requests':{'cpu':'100m'},'limits':{'memory':'40Mi'}}}],"
                                              "'initContainers':[{'name':'b','image':'i','resources':{'requests':{'cpu':'300m'},'limits':{'memory':'1Mi'}}}]}}"));
    sim_run(s, 3);
    used = json_get(sim_get(s, &resource_resourcequotas, "q"), "status.used");
    assert_string_equal(json_str(json_member(used, "pods"), NULL), "1");
    assert_string_equal(json_str(json_member(used, "configmaps"), NULL), "1");
    assert_string_equal(json_str(json_member(used, "requests.cpu"), NULL), "300m");
    assert_string_equal(json_str(json_member(used, "limits.memory"), NULL), "40Mi");
    assert_string_equal(json_str(json_member(used, "count/deployments.apps"), NULL), "0");
    sim_delete(s, &resource_pods, "p");
    sim_run(s, 5);
    used = json_get(sim_get(s, &resource_resourcequotas, "q"), "status.used");
    assert_string_equal(json_str(json_member(used, "pods"), NULL), "0");
}

/* The user of the test asks, so the requests name it. */
static void ask(const char *name, const char *signer, const struct pki_subject *subject, const char *usages) {
    struct pki_pair pair = {0};
    char *pem = NULL;
    cleanup_buf struct buf text = {0};
    struct pki_key *key = pki_key_new(PKI_P256);
    pair.key = pki_key_pem(key);
    pki_key_free(key);
    sim_ok(pki_csr_new(pair.key, subject, &pem));
    base64_encode(&text, pem, strlen(pem));
    sim_create(s, CSR, SIM_JSON(s, "{'metadata':{'name':%s},'spec':{'request':%s,'signerName':%s,'usages':%v,'expirationSeconds':3600}}", name, buf_str(&text), signer,
                                sim_json(s, usages)));
    free(pem);
    pki_pair_free(&pair);
}

static void a_node_that_may_gets_its_client_certificate(void **state UNUSED) {
    const char *const nodes[] = {"system:nodes", NULL};
    ask("c", "kubernetes.io/kube-apiserver-client-kubelet", &(struct pki_subject){.common_name = "system:node:n1", .organizations = nodes}, "['digital signature','client auth']");
    sim_run(s, 1);
    const struct json *csr = sim_get(s, CSR, "c");
    assert_string_equal(json_str(condition_find(csr, "Approved"), "message"), "Auto approving kubelet client certificate after SubjectAccessReview.");
    const char *text = json_str(csr, "status.certificate");
    assert_non_null(text);
    char *pem;
    size_t len;
    struct pki_cert cert;
    assert_true(base64_decode(&s->arena, text, strlen(text), &pem, &len));
    sim_ok(pki_cert_parse(&s->arena, arena_strndup(&s->arena, pem, len), &cert));
    assert_string_equal(cert.subject.common_name, "system:node:n1");
    assert_int_equal(cert.subject.usages, PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH);
    assert_true(cert.subject.not_after <= clock_wall(&s->clock.base) + SECONDS(3600));
    clock_virtual_set(&s->clock, s->clock.now + SECONDS(3700));
    sim_run(s, 1);
    assert_null(sim_get(s, CSR, "c"));
}

static void a_serving_certificate_of_somebody_else_is_left_to_people(void **state UNUSED) {
    const char *const nodes[] = {"system:nodes", NULL}, *const dns[] = {"n1", NULL};
    ask("d", "kubernetes.io/kubelet-serving", &(struct pki_subject){.common_name = "system:node:n1", .organizations = nodes, .dns = dns}, "['digital signature','server auth']");
    sim_run(s, 1);
    assert_null(condition_find(sim_get(s, CSR, "d"), "Approved"));
}

static void an_approved_request_that_its_signer_does_not_take_has_failed(void **state UNUSED) {
    struct doc *d = NULL;
    ask("f", "kubernetes.io/kube-apiserver-client", &(struct pki_subject){.common_name = "me"}, "['digital signature','server auth']");
    sim_ok(client_get(s->client, CSR, NULL, "f", &d));
    const struct condition c = {.type = "Approved", .status = "True", .reason = "Me", .update_time = true};
    sim_ok(client_update(s->client, CSR, NULL, "f", "approval", condition_set(&s->arena, sim_keep(s, d), &c, clock_wall(&s->clock.base)), NULL));
    sim_run(s, 1);
    sim_assert_condition(s, CSR, "f", "Failed", "True", "SignerValidationFailure");
    assert_null(json_get(sim_get(s, CSR, "f"), "status.certificate"));
}

static void tokens_sign_cluster_info_until_they_expire(void **state UNUSED) {
    char expires[TIME_STRING_MAX];
    time_format(expires, s->clock.now + SECONDS(60));
    for (size_t i = 0; i < 2; i++) error_free(client_create(s->client, &resource_namespaces, NULL, SIM_JSON(s, "{'metadata':{'name':%s}}", i ? "kube-public" : "kube-system"), NULL));
    sim_ok(client_create(s->client, &resource_secrets, "kube-system", SIM_JSON(s, "{'metadata':{'name':'bootstrap-token-abcdef'},'type':'bootstrap.kubernetes.io/token','stringData':"
        "{'token-id':'abcdef','token-secret':'0123456789abcdef','usage-bootstrap-signing':'true','expiration':%s}}", expires), NULL));
    sim_ok(client_create(s->client, &resource_configmaps, "kube-public", sim_json(s, "{'metadata':{'name':'cluster-info'},'data':{'kubeconfig':'payload'}}"), NULL));
    sim_run(s, 1);
    cleanup_doc struct doc *info = cache_get(s->cache, &resource_configmaps, "kube-public", "cluster-info");
    /* made with openssl dgst -sha256 -hmac */
    assert_string_equal(json_str(info->root, "data.jws-kubeconfig-abcdef"), JWS);
    sim_run(s, 61);
    doc_unref(info);
    info = cache_get(s->cache, &resource_configmaps, "kube-public", "cluster-info");
    assert_null(json_get(info->root, "data.jws-kubeconfig-abcdef"));
    cleanup_doc struct doc *secret = cache_get(s->cache, &resource_secrets, "kube-system", "bootstrap-token-abcdef");
    assert_null(secret);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(quotas_count_what_is_there), TEST(a_node_that_may_gets_its_client_certificate), TEST(a_serving_certificate_of_somebody_else_is_left_to_people),
        TEST(an_approved_request_that_its_signer_does_not_take_has_failed), TEST(tokens_sign_cluster_info_until_they_expire),
    };
    return cmocka_run_group_tests(tests, make_ca, remove_ca);
}
